package sdk

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/cairn-ledger/cairn/contracts/abi"
)

var visits = NewCounter("visits")

// The handlers of these tests: 0 adds a reading, 1 does what its field says.
func init() {
	OnInit(func(r *Request) { SetI64([]byte("start"), r.IntOr(7)) })
	OnEvent("test.reading.v1", func(e *Event) {
		visits.Add(1)
		NewMap("lots").Set(e.Subject, AppendInt(nil, e.Int()))
		Emit("test.seen.v1", e.Subject, []byte("{}"))
	})
	OnEvent("test.misdeed.v1", func(e *Event) {
		visits.Add(1)
		Delete([]byte("start"))
		Emit("test.seen.v1", nil, []byte("{}"))
		switch deed := e.Text(); deed {
		case "abort":
			Abort(42, "told to")
		case "read on":
			e.Bool()
		case "long key":
			Set(make([]byte, abi.MaxKeyBytes+1), nil)
		case "empty key":
			Get(nil)
		case "emit nothing":
			Emit("x", nil, nil)
		case "scan all":
			Scan(nil, nil, abi.MaxScanPairs+1)
		case "emit much":
			for range abi.MaxEmissions {
				Emit("x", nil, []byte("0"))
			}
		case "wrong number":
			Set([]byte("n"), []byte("1"))
			GetU64([]byte("n"))
		default:
			panic("no deed " + deed)
		}
	})
	OnCall("echo", func(r *Request) { r.Reply(r.BytesOr([]byte("nothing"))) })
	OnQuery("visits", func(r *Request) { r.Reply(AppendUint(nil, visits.Value())) })
	OnQuery("write", func(r *Request) { visits.Add(1) })
}

func newHost(t *testing.T) *Host {
	h := NewHost()
	if err := h.Init(new(Args).Absent()); err != nil {
		t.Fatal(err)
	}
	return h
}

func TestDeliveries(t *testing.T) {
	h := newHost(t)
	for i := range 3 {
		header := abi.EventHeader{Subject: []byte{'a' + byte(i)}}
		if err := h.Event(0, header, new(Args).Int(int64(-i))); err != nil {
			t.Fatal(err)
		}
	}
	out, err := h.Query(0, nil)
	if err != nil || string(out) != "3" || len(h.Emitted) != 3 {
		t.Fatalf("visits %s, %d events, %v", out, len(h.Emitted), err)
	}
	if e := h.Emitted[2]; e.Type != "test.seen.v1" || e.Subject != "c" || string(e.Data) != "{}" {
		t.Fatalf("emitted %+v", e)
	}
	if out, err := h.Call(0, new(Args).Text("hello")); err != nil || string(out) != "hello" {
		t.Fatalf("%s, %v", out, err)
	}
	if out, err := h.Call(0, new(Args).Absent()); err != nil || string(out) != "nothing" {
		t.Fatalf("%s, %v", out, err)
	}
}

// A delivery that fails leaves no trace, and says what it was.
func TestFailuresUndo(t *testing.T) {
	for _, c := range []struct {
		deed string
		code uint32
		text string
	}{
		{"abort", 42, "told to"},
		{"read on", CodeRecord, "manifest"},
		{"long key", 0, "257 bytes"},
		{"empty key", 0, "0 bytes"},
		{"emit nothing", 0, "1 to"},
		{"scan all", 0, "1 to 256"},
		{"emit much", 0, "more than"},
		{"wrong number", CodeState, "8 bytes"},
	} {
		h := newHost(t)
		err := h.Event(1, abi.EventHeader{}, new(Args).Text(c.deed))
		if err == nil || CodeOf(err) != c.code || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v", c.deed, err)
		}
		if len(h.State) != 1 || h.State["start"][0] != 7 || len(h.Emitted) != 0 {
			t.Errorf("%s left state %v and %d events", c.deed, h.State, len(h.Emitted))
		}
	}
	h := newHost(t)
	if _, err := h.Query(1, nil); err == nil || !strings.Contains(err.Error(), "in a query") {
		t.Errorf("a query that writes: %v", err)
	}
	if err := h.Event(2, abi.EventHeader{}, nil); CodeOf(err) != CodeHandler {
		t.Errorf("an unknown handler: %v", err)
	}
	if err := h.Event(0, abi.EventHeader{}, nil); CodeOf(err) != CodeRecord {
		t.Errorf("a record without its field: %v", err)
	}
}

func TestCheckManifest(t *testing.T) {
	m := &abi.Manifest{
		Events:  []abi.Subscription{{Type: "test.reading.v1"}, {Type: "test.misdeed.v1"}},
		Calls:   []abi.Method{{Name: "echo"}},
		Queries: []abi.Method{{Name: "visits"}, {Name: "write"}},
	}
	if err := CheckManifest(m); err != nil {
		t.Fatal(err)
	}
	m.Queries[0], m.Queries[1] = m.Queries[1], m.Queries[0]
	if err := CheckManifest(m); err == nil || !strings.HasPrefix(err.Error(), "queries: ") {
		t.Fatalf("swapped queries: %v", err)
	}
}

// inside runs f as a delivery of a fresh host.
func inside(t *testing.T, f func()) {
	t.Helper()
	if _, err := NewHost().run(nil, false, func(uint32) { f() }); err != nil {
		t.Fatal(err)
	}
}

func TestState(t *testing.T) {
	inside(t, func() {
		if _, found := Get([]byte("k")); found {
			t.Error("found what nobody wrote")
		}
		long := bytes.Repeat([]byte{7}, firstRead+1)
		Set([]byte("k"), long)
		if v, found := Get([]byte("k")); !found || !bytes.Equal(v, long) {
			t.Errorf("a long value came back with %d bytes", len(v))
		}
		Set([]byte("k"), nil)
		if v, found := Get([]byte("k")); !found || len(v) != 0 {
			t.Errorf("an empty value came back as %v, %v", v, found)
		}
		Delete([]byte("k"))
		if _, found := Get([]byte("k")); found {
			t.Error("found what was deleted")
		}
		SetI64([]byte("n"), -5)
		if v, found := GetI64([]byte("n")); !found || v != -5 {
			t.Errorf("-5 came back as %d", v)
		}
	})
}

// Scans page through any number of pairs, of any size, in order, and stay
// inside their map.
func TestEach(t *testing.T) {
	inside(t, func() {
		m, other := NewMap("m"), NewMap("mm")
		for i := range 300 {
			m.Set(fmt.Appendf(nil, "%03d", i), bytes.Repeat([]byte{1}, i*7))
			other.Set(fmt.Appendf(nil, "%03d", i), nil)
		}
		m.Set([]byte("big"), make([]byte, abi.MaxValueBytes))
		next := 0
		m.Each(nil, func(key, value []byte) bool {
			want := fmt.Sprintf("%03d", next)
			if next == 300 {
				want = "big"
			}
			if string(key) != want || next < 300 && len(value) != next*7 {
				t.Fatalf("pair %d is %q with %d bytes", next, key, len(value))
			}
			next++
			return true
		})
		if next != 301 {
			t.Fatalf("%d pairs, want 301", next)
		}
		m.Each([]byte("298"), func(key, value []byte) bool {
			if string(key) != "299" {
				t.Fatalf("after 298 comes %q", key)
			}
			return false
		})
	})
}

// Map names that begin one another do not share keys.
func TestMapsDoNotOverlap(t *testing.T) {
	inside(t, func() {
		NewMap("a").Set([]byte("b"), []byte("1"))
		if _, found := NewMap("ab").Get(nil); found {
			t.Error("key b of map a is a key of map ab")
		}
	})
}
