package seal

import "testing"

func BenchmarkSeal(b *testing.B) {
	e, o := testEvent(), Options{Clear: []string{"meter"}, Fields: true}
	for b.Loop() {
		if _, err := Seal(e, testKey(1), o); err != nil {
			b.Fatal(err)
		}
	}
	sealed := must(Seal(e, testKey(1), o))(b)
	b.ReportMetric(float64(len(sealed.AppendRecord(nil))-len(e.AppendRecord(nil))), "B/more")
}

func BenchmarkOpen(b *testing.B) {
	sealed := must(Seal(testEvent(), testKey(1), Options{}))(b)
	for b.Loop() {
		if _, err := Open(sealed, testKey(1)); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerifyDisclosure(b *testing.B) {
	receipt, trust := receiptOf(b, must(Seal(testEvent(), testKey(1), Options{Fields: true}))(b))
	text := must(must(Disclose(receipt, testKey(1), nil, "kwh"))(b).MarshalJSON())(b)
	for b.Loop() {
		d, err := DecodeDisclosure(text)
		if err == nil {
			_, err = d.VerifyWith(trust)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(len(text)), "B")
}
