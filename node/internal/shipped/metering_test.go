package shipped

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/csv"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/cairn-ledger/cairn/node/internal/vm"
	"github.com/cairn-ledger/cairn/node/internal/vm/projection"
)

const steel = "../../../../shared/data/metering-steel/Steel_industry_data.csv"

// billsDigest is the SHA-256 of the twelve bills of the steel works' year,
// which the contract's own tests compute natively and compare, item by item,
// with an independent recomputation.
const billsDigest = "38e731641eec5404ce551e3a2b2d18d1cb47148cfade4726da396dc1a269653a"

// meteringGas bounds a reading in the middle of a postpaid period: one state
// read and one write of 257 bytes, which with the memory image are 22,000 of it.
const meteringGas = 35_000

// A year of a real meter through the manifest's projection and the built
// contract: the bills are those of the native tests.
func TestMeteringSteel(t *testing.T) {
	l := load(t, "metering", false)
	records := meteringRecords(t)
	meteringSetUp(t, l, "")
	digest, bills := sha256.New(), 0
	var opening, closing, middle, sum uint64
	deliver := func(handler uint32, record []byte) {
		if r := l.run(t, vm.Event, handler, record); r.Code != 0 {
			t.Fatalf("%+v", r)
		}
		switch {
		case opening == 0:
			opening = l.gas
		case len(l.emitted) > 0:
			closing = max(closing, l.gas)
		default:
			middle, sum = max(middle, l.gas), sum+l.gas
		}
		if len(l.emitted) == 0 && len(l.written) != 1 {
			t.Fatalf("a reading wrote %d values", len(l.written))
		}
		for _, e := range l.emitted {
			fmt.Fprintf(digest, "%s %s %s\n", e.Type, e.Subject, e.Data)
			bills++
		}
	}
	for _, record := range records {
		deliver(0, record)
	}
	plan := projection.Events(meteringManifest(t).Events[1].Fields)
	record, err := plan.Append(abi.AppendEventHeader(nil, &abi.EventHeader{Subject: []byte("*")}), []byte(`{}`))
	if err != nil {
		t.Fatal(err)
	}
	deliver(1, record)
	t.Logf("%d readings, on average %d and at most %d gas each in the middle of a month; the first took %d, closing a month and opening the next up to %d",
		len(records), sum/uint64(len(records)-12), middle, opening, closing)
	if middle == 0 || middle > meteringGas {
		t.Errorf("a reading takes up to %d gas, expected are at most %d", middle, meteringGas)
	}
	if got := fmt.Sprintf("%x", digest.Sum(nil)); bills != 12 || got != billsDigest {
		t.Errorf("%d bills with digest %s, want 12 with %s", bills, got, billsDigest)
	}
}

// counted counts what a delivery asks of the ledger.
type counted struct {
	*ledger
	reads, writes, debits, balances int
}

func (c *counted) Get(key []byte) ([]byte, bool, error) {
	c.reads++
	return c.ledger.Get(key)
}

func (c *counted) Set(key, value []byte) error {
	c.writes++
	return c.ledger.Set(key, value)
}

func (c *counted) Balance(asset string, account protocol.Address) (uint64, error) {
	c.balances++
	return c.ledger.Balance(asset, account)
}

func (c *counted) Token(op *protocol.TokenOp) (vm.TokenResult, error) {
	c.debits++
	return c.ledger.Token(op)
}

// What a reading costs that is paid by allowance, exactly: one read and one
// write of the meter, one debit, and where it is prepaid one balance.
func TestMeteringPaidGas(t *testing.T) {
	for _, mode := range []string{"allowance", "prepaid"} {
		l := &counted{ledger: load(t, "metering", false)}
		records := meteringRecords(t)[:2976]
		meteringSetUp(t, l.ledger, mode)
		l.host = l
		most, sum := uint64(0), uint64(0)
		for i, record := range records {
			l.reads, l.writes, l.debits, l.balances = 0, 0, 0, 0
			if r := l.run(t, vm.Event, 0, record); r.Code != 0 {
				t.Fatalf("%+v", r)
			}
			if i == 0 {
				continue
			}
			most, sum = max(most, l.gas), sum+l.gas
			if l.reads != 1 || l.writes != 1 || l.debits > 1 || l.balances != l.debits*map[string]int{"prepaid": 1}[mode] {
				t.Fatalf("%s: %d reads, %d writes, %d debits, %d balances", mode, l.reads, l.writes, l.debits, l.balances)
			}
		}
		t.Logf("%s: at most %d gas each, %d on average", mode, most, sum/uint64(len(records)-1))
		if most > 2*meteringGas+10_000 {
			t.Errorf("a reading paid by %s takes up to %d gas", mode, most)
		}
	}
}

// meteringSetUp deploys the contract with the data's tariff and one meter, paid
// by allowance, prepaid or, without a mode, not at all.
func meteringSetUp(t testing.TB, l *ledger, mode string) {
	t.Helper()
	payer := protocol.Address{9}
	for _, line := range []string{fmt.Sprintf("self %040d", 7), fmt.Sprintf("issue KRW %040d", 8),
		fmt.Sprintf("endow KRW %x 1000000000", payer[:]), fmt.Sprintf("allow KRW %x 1000000000", payer[:])} {
		l.openBank(t, line)
	}
	args, err := projection.Arguments(meteringManifest(t).Init).Append(
		abi.AppendCallHeader(nil, &abi.CallHeader{}),
		[]byte(`{"stamp":"start","asset":"KRW","tariff":"industrial","effective":"2000-01-01T00:00:00Z",
			"bands":"Light_Load 56.1, Medium_Load 109.0, Maximum_Load 191.1","demandPrice":8320}`))
	if err != nil {
		t.Fatal(err)
	}
	if r := l.run(t, vm.Init, 0, args); r.Code != 0 {
		t.Fatalf("%+v", r)
	}
	meteringCall(t, l, "register", 1, `{"meter":"works","account":"steelmaker","tariff":"industrial"}`)
	if mode != "" {
		meteringCall(t, l, "payBy", 4, fmt.Sprintf(`{"meter":"works","payer":%q,"prepaid":%v}`, base64.StdEncoding.EncodeToString(payer[:]), mode == "prepaid"))
	}
}

// meteringCall runs one of metering's methods.
func meteringCall(t testing.TB, l *ledger, method string, handler uint32, args string) {
	t.Helper()
	m := meteringManifest(t)
	if m.Calls[handler].Name != method {
		t.Fatalf("call %d is %s", handler, m.Calls[handler].Name)
	}
	record, err := projection.Arguments(m.Calls[handler].Fields).Append(abi.AppendCallHeader(nil, &abi.CallHeader{}), []byte(args))
	if err != nil {
		t.Fatal(err)
	}
	if r := l.run(t, vm.Call, handler, record); r.Code != 0 {
		t.Fatalf("%s: %+v", method, r)
	}
}

func meteringManifest(t testing.TB) *abi.Manifest {
	t.Helper()
	m, err := abi.ParseManifest(readFile(t, "metering", "manifest.json"))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// A delivery of one reading, without the ledger around it.
func BenchmarkMeteringReading(b *testing.B) {
	l := load(b, "metering", false)
	records := meteringRecords(b)[:2000]
	meteringSetUp(b, l, "")
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if r := l.run(b, vm.Event, 0, records[i%len(records)]); r.Code != 0 {
			b.Fatalf("%+v", r)
		}
	}
	b.ReportMetric(float64(l.gas), "gas/op")
}

// meteringRecords reads the file's rows as input records, indices from 1.
func meteringRecords(t testing.TB) [][]byte {
	f, err := os.Open(steel)
	if errors.Is(err, fs.ErrNotExist) {
		t.Skipf("the steel works' meter data are not at %s", steel)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	rows, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	plan := projection.Events(meteringManifest(t).Events[0].Fields)
	var records [][]byte
	for i, row := range rows[1:] {
		at, err := time.Parse("02/01/2006 15:04", row[0])
		if err != nil {
			t.Fatal(err)
		}
		record := abi.AppendEventHeader(nil, &abi.EventHeader{
			Index: uint64(i + 1), HasTime: true, EventTimeNs: at.UnixNano(), ID: []byte(strings.ReplaceAll(row[0], " ", "T")),
			Subject: []byte("works"), Source: []byte("/meters/steel"), Type: []byte("metering.reading.v1"),
		})
		record, err = plan.Append(record, fmt.Appendf(nil, `{"quantity":%s,"band":%q}`, row[1], row[10]))
		if err != nil {
			t.Fatal(err)
		}
		records = append(records, record)
	}
	return records
}
