package sdk

import (
	"bytes"
	"math"
	"slices"
	"testing"
)

type bay struct {
	taken   bool
	kind    uint8
	level   int32
	spaces  uint32
	since   int64
	visits  uint64
	price   Decimal
	owner   [4]byte
	plate   string
	picture []byte
	added   int64 // since version 2
}

func bayFields(r *Record, b *bay) {
	r.Bool(&b.taken)
	r.U8(&b.kind)
	r.I32(&b.level)
	r.U32(&b.spaces)
	r.I64(&b.since)
	r.U64(&b.visits)
	r.Decimal(&b.price)
	r.Fixed(b.owner[:])
	r.Text(&b.plate)
	r.Bytes(&b.picture)
	if r.Since(2) {
		r.I64(&b.added)
	}
}

func TestRecord(t *testing.T) {
	first, second := RecordOf(1, bayFields), RecordOf(2, bayFields)
	full := bay{true, 7, -3, 9, math.MinInt64, math.MaxUint64, Decimal{-1240, 2}, [4]byte{1, 2, 3, 4}, "B-CD 1", []byte{0, 255}, -9}
	stored := second.Append(nil, full)
	want := []byte{2, 1, 7, 0xfd, 0xff, 0xff, 0xff, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x80}
	if !bytes.Equal(stored[:len(want)], want) || len(stored) != 64 {
		t.Fatalf("%d bytes % x", len(stored), stored)
	}
	b, rest, ok := second.Take(append(stored, 5))
	if !ok || !bytes.Equal(rest, []byte{5}) || !bytes.Equal(second.Append(nil, b), stored) {
		t.Fatalf("%v %v: %+v", ok, rest, b)
	}
	old := first.Append(nil, full)
	if b, rest, ok = second.Take(old); !ok || len(rest) != 0 || b.added != 0 || b.plate != "B-CD 1" {
		t.Fatalf("a record of version 1: %v %v %+v", ok, rest, b)
	}
	if _, _, ok := first.Take(stored); ok {
		t.Error("version 2 was read by code of version 1")
	}
	for n := range stored {
		if _, _, ok := second.Take(stored[:n]); ok {
			t.Errorf("%d of %d bytes are a record", n, len(stored))
		}
	}
	for at, v := range map[int]byte{0: 0, 1: 2, 35: 19, 40: 200} { // version, flag, scale, length
		broken := slices.Clone(stored)
		broken[at] = v
		if _, _, ok := second.Take(broken); ok {
			t.Errorf("byte %d of a record may be %d", at, v)
		}
	}
}

// What reads as a record of the codec's version is what it would write.
func FuzzRecord(f *testing.F) {
	codec := RecordOf(2, func(r *Record, v *struct {
		b bay
		g Polygon
	}) {
		bayFields(r, &v.b)
		r.Polygon(&v.g)
	})
	var zero struct {
		b bay
		g Polygon
	}
	f.Add(codec.Append(nil, zero))
	zero.b = bay{taken: true, plate: "B-CD 1", price: Decimal{5, 18}, picture: []byte{1}}
	zero.g, _ = PolygonOf([]Position{{0, 0}, {1, 1}, {maxLat, -maxLon}})
	f.Add(codec.Append(nil, zero))
	f.Fuzz(func(t *testing.T, stored []byte) {
		v, rest, ok := codec.Take(stored)
		if !ok || stored[0] != 2 {
			return
		}
		if again := append(codec.Append(nil, v), rest...); !bytes.Equal(again, stored) {
			t.Fatalf("% x is written back as % x", stored, again)
		}
	})
}

func TestTable(t *testing.T) {
	inside(t, func() {
		bays := NewTable("bays", IntKey, RecordOf(1, bayFields))
		for _, k := range []int64{5, -5, 0, math.MinInt64, math.MaxInt64, -6} {
			bays.Set(k, bay{since: k})
		}
		bays.Delete(0)
		if v, found := bays.Get(-5); !found || v.since != -5 || bays.Has(0) || !bays.Has(5) {
			t.Fatalf("%+v, %v", v, found)
		}
		if v, found := bays.Get(1); found || v.since != 0 {
			t.Fatalf("found %+v", v)
		}
		var keys []int64
		bays.Each(func(k int64, v bay) bool {
			if v.since != k {
				t.Fatalf("under %d is %d", k, v.since)
			}
			keys = append(keys, k)
			bays.Delete(k)
			return k < 5
		})
		bays.After(5, func(k int64, v bay) bool { keys = append(keys, k); return true })
		if !slices.Equal(keys, []int64{math.MinInt64, -6, -5, 5, math.MaxInt64}) {
			t.Fatalf("keys %v", keys)
		}
	})
}

// What is not a table's own form aborts; a contract never goes on with it.
func TestMalformedStateAborts(t *testing.T) {
	m := NewMap("t")
	table := NewTable("t", TextKey, RecordOf(1, bayFields))
	for name, f := range map[string]func(){
		"value":  func() { m.Set(AppendOrderedBytes(nil, []byte("k")), []byte{1, 2}); table.Get("k") },
		"key":    func() { m.Set([]byte("k"), nil); table.Each(func(string, bay) bool { return true }) },
		"index":  func() { m.Set([]byte("12345678"), nil); NewOrderedIndex("t", IntKey).First() },
		"number": func() { m.Set(AppendOrderedInt(nil, 1), nil); NewCounters("t", IntKey).Value(1) },
	} {
		if _, err := NewHost().run(nil, false, func(uint32) { f() }); CodeOf(err) != CodeState {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestSignedCounters(t *testing.T) {
	h := NewHost()
	run := func(f func()) error {
		_, err := h.run(nil, false, func(uint32) { f() })
		return err
	}
	total, streets := NewSignedCounter("total"), NewCounters("streets", TextKey)
	if err := run(func() {
		if total.Add(5) != 5 || total.Add(-7) != -2 || total.Value() != -2 {
			t.Errorf("total %d", total.Value())
		}
		streets.Add("b", 3)
		streets.Add("a", -1)
		streets.Add("c", 2)
		streets.Add("c", -2)
		text := []byte(nil)
		streets.Each(func(k string, v int64) bool { text = AppendInt(append(text, k...), v); return true })
		if string(text) != "a-1b3" || streets.Value("b") != 3 || streets.Value("z") != 0 {
			t.Errorf("streets %s", text)
		}
	}); err != nil {
		t.Fatal(err)
	}
	if len(h.State) != 3 {
		t.Errorf("a counter of 0 is stored: %v", h.State)
	}
	for _, n := range []int64{math.MaxInt64, math.MinInt64} {
		if err := run(func() { streets.Add("d", n); streets.Add("d", n) }); CodeOf(err) != CodeOverflow {
			t.Errorf("twice %d: %v", n, err)
		}
	}
}
