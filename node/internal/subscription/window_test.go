package subscription

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
)

// memory is a log; every third entry is an event.
type memory struct {
	subjects []int
	erased   map[uint64]bool
}

func (m memory) Size() uint64         { return uint64(3 * len(m.subjects)) }
func (memory) Grown() <-chan struct{} { return nil }
func (m memory) event(i int) protocol.Event {
	return protocol.Event{ID: fmt.Sprint(i), Source: "/s", Type: "t", Subject: fmt.Sprint(m.subjects[i])}
}

func (m memory) Read(from uint64, count int) (events []Item, next uint64, err error) {
	for next = from; next < m.Size() && next-from < uint64(count); next++ {
		if next%3 == 0 && !m.erased[next] {
			e := m.event(int(next / 3))
			events = append(events, Item{Index: next, Record: e.AppendRecord(nil)})
		}
	}
	return events, next, nil
}

func (m memory) NextErased(from uint64) (index uint64, ok bool, err error) {
	for index = from; index < m.Size(); index++ {
		if m.erased[index] {
			return index, true, nil
		}
	}
	return 0, false, nil
}

// A subscription reads ahead. What is erased after it did is not delivered any
// more, whether nobody had it yet or a member gave it back; nothing else is
// lost, and the cursor passes it.
func TestErasedAfterItWasRead(t *testing.T) {
	log := memory{subjects: make([]int, 12), erased: map[uint64]bool{}}
	m := &Manager{log: log, subs: map[string]*Subscription{}}
	s, err := m.make(rest.Subscription{Name: "s"})
	if err != nil {
		t.Fatal(err)
	}
	given := func(limit int) (indices []uint64) {
		items, err := s.Next(t.Context(), "a", limit)
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range items {
			indices = append(indices, item.Index)
		}
		return indices
	}
	if first := given(4); !slices.Equal(first, []uint64{0, 3, 6, 9}) {
		t.Fatal(first)
	}
	s.Restart("a")
	for _, index := range []uint64{0, 3, 9, 15, 33} {
		log.erased[index] = true
	}
	if again := given(100); !slices.Equal(again, []uint64{6, 12, 18, 21, 24, 27, 30}) {
		t.Fatal(again)
	}
	if cursor := s.Terms().Cursor; cursor != 6 {
		t.Errorf("the cursor is %d", cursor)
	}
	for _, at := range s.window.slots {
		if log.erased[at.Index] && at.Record != nil {
			t.Errorf("the payload of entry %d is in memory", at.Index)
		}
	}
	log.erased[6] = true // while the member has it
	upTo := uint64(30)
	if s.window.ack(func(at *slot) bool { return at.Index <= upTo }); s.window.bytes != 0 || s.window.cursor() != log.Size() {
		t.Errorf("%d bytes are left, the cursor is %d", s.window.bytes, s.window.cursor())
	}
}

// Whatever members do, and whenever leases run out: nobody is given an event
// of a subject while another member has an earlier one, the cursor never
// passes what is not done, and all is done in the end.
func TestWindowKeepsOrderAndLosesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		log := memory{subjects: rapid.SliceOfN(rapid.IntRange(0, 4), 1, 200).Draw(t, "subjects")}
		var w window
		now := time.Unix(0, 0)
		done := map[uint64]bool{}
		check := func(member string, items []Item) {
			for _, item := range items {
				subject := log.subjects[item.Index/3]
				for i := range int(item.Index / 3) {
					before := uint64(3 * i)
					if log.subjects[i] != subject || done[before] {
						continue
					}
					at := slices.IndexFunc(w.slots, func(s slot) bool { return s.Index == before })
					if s := w.slots[at]; s.member != member || !now.Before(s.until) {
						t.Fatalf("%s was given %d while %d is not done and not its own", member, item.Index, before)
					}
				}
				if done[item.Index] {
					t.Fatalf("%d is delivered after it was done", item.Index)
				}
			}
		}
		for step := 0; len(done) < len(log.subjects); step++ {
			if step > 10_000 {
				t.Fatal("it does not end")
			}
			if _, err := w.fill(log, func(*protocol.Event) bool { return true }); err != nil {
				t.Fatal(err)
			}
			member := rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "member")
			items := w.lease(member, rapid.IntRange(1, 8).Draw(t, "limit"), now)
			check(member, items)
			switch rapid.IntRange(0, 4).Draw(t, "then") {
			case 0: // the member dies; after a while others have a go
				now = now.Add(LeaseFor)
			case 1:
				w.release(func(s *slot) bool { return s.member == member })
			default:
				cursor, _ := w.ack(func(s *slot) bool {
					return slices.ContainsFunc(items, func(i Item) bool { return i.Index == s.Index })
				})
				for _, item := range items {
					done[item.Index] = true
				}
				for i := range log.subjects {
					if index := uint64(3 * i); index < cursor && !done[index] {
						t.Fatalf("the cursor is %d, and %d is not done", cursor, index)
					}
				}
			}
		}
	})
}

func TestFilters(t *testing.T) {
	e := protocol.Event{ID: "1", Source: "/city/north", Type: "parking.v1", Subject: "bay7", Extensions: []protocol.Extension{{Name: "level", Kind: protocol.ExtensionInteger, Int: 3}}}
	for _, c := range []struct {
		filter string
		want   string // passes, fails, or what the refusal says
	}{
		{`{"exact":{"type":"parking.v1","level":"3"}}`, "passes"},
		{`{"exact":{"type":"parking.v1","level":"4"}}`, "fails"},
		{`{"exact":{"dataschema":"x"}}`, "fails"},
		{`{"prefix":{"source":"/city/"}}`, "passes"},
		{`{"suffix":{"subject":"7"}}`, "passes"},
		{`{"not":{"suffix":{"subject":"7"}}}`, "fails"},
		{`{"any":[{"exact":{"id":"2"}},{"all":[{"exact":{"id":"1"}},{"prefix":{"type":"park"}}]}]}`, "passes"},
		{`{"sql":"type = 'x'"}`, "dialect"},
		{`{"exact":{"type":""}}`, "empty"},
		{`{"any":[]}`, "list"},
		{`{}`, "dialect"},
		{strings.Repeat(`{"not":`, 9) + `{"exact":{"id":"1"}}` + strings.Repeat("}", 9), "deep"},
	} {
		f, err := compile([]json.RawMessage{json.RawMessage(c.filter)}, func() {})
		switch {
		case err != nil && !strings.Contains(err.Error(), c.want):
			t.Errorf("%s: %v", c.filter, err)
		case err == nil && f(&e) != (c.want == "passes"):
			t.Errorf("%s: want %s", c.filter, c.want)
		}
	}
}
