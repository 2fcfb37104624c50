package node

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/client"
	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
	"github.com/cairn-ledger/cairn/node/sim/remote"
)

// far is another ledger that answers over HTTP what a relay asks, as nodes do.
type far struct {
	*remote.Ledger
	url    string
	sets   map[uint64]proof.Anchor // by the first height each signs
	steps  []proof.TrustStep
	blocks uint64 // looked at for one answer of /v1/trust
	events []rest.Delivered
}

// newFar founds a ledger whose set is one of many by turns.
func newFar(t *testing.T, set func(l *remote.Ledger, turn int) proof.Anchor) *far {
	t.Helper()
	f := &far{Ledger: remote.New("cairn-far", time.Now().Add(-time.Minute), 1), blocks: 100}
	f.Set = set(f.Ledger, 0)
	f.sets = map[uint64]proof.Anchor{1: f.Set}
	web := http.NewServeMux()
	for path, answer := range map[string]func(number func(name string) uint64, r *http.Request) any{
		"/v1/head":         func(func(string) uint64, *http.Request) any { return rest.Head{ChainID: f.ChainID, Height: f.Height} },
		"/v1/events/since": f.since,
		"/v1/validators":   f.validators,
		"/v1/trust":        f.path,
	} {
		web.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			json.NewEncoder(w).Encode(answer(func(name string) uint64 {
				n, err := strconv.ParseUint(r.URL.Query().Get(name), 10, 64)
				if err != nil {
					t.Errorf("%s: %v", r.URL, err)
				}
				return n
			}, r))
		})
	}
	web.HandleFunc("GET /v1/receipts/of", func(w http.ResponseWriter, r *http.Request) {
		var indices []uint64
		for text := range strings.SplitSeq(r.URL.Query().Get("indices"), ",") {
			n, err := strconv.ParseUint(text, 10, 64)
			if err != nil {
				t.Error(err)
			}
			indices = append(indices, n)
		}
		b, err := f.Receipt(indices...).MarshalBinary()
		if err != nil {
			t.Error(err)
		}
		w.Write(b)
	})
	server := httptest.NewServer(web)
	t.Cleanup(server.Close)
	f.url = server.URL
	return f
}

func (f *far) since(number func(string) uint64, _ *http.Request) any {
	answer := rest.EventsSince{Events: []rest.Delivered{}, Next: uint64(len(f.events))}
	answer.Events = append(answer.Events, f.events[min(number("from"), answer.Next):]...)
	return answer
}

func (f *far) validators(number func(string) uint64, _ *http.Request) any {
	var answer rest.Validators
	for at := number("height"); ; at-- {
		if set, ok := f.sets[at]; ok {
			for _, v := range set.Validators() {
				answer.Validators = append(answer.Validators, protocol.SetMember{Key: protocol.ValidatorKey(v.PubKey), Power: v.Power})
			}
			return answer
		}
	}
}

// path answers at most 64 steps within some blocks: changes, and at last one
// that says that the set still signs.
func (f *far) path(number func(string) uint64, _ *http.Request) any {
	path := &proof.TrustPath{ChainID: f.ChainID, Steps: []proof.TrustStep{}}
	from := number("from")
	last := min(f.Height, from+f.blocks)
	for i := range f.steps {
		if s := &f.steps[i]; s.Commit.Height >= from && s.Commit.Height <= last && (!s.Skip || s.Commit.Height == last) && len(path.Steps) < 64 {
			path.Steps = append(path.Steps, *s)
		}
	}
	return path
}

// next makes a block whose set still signs, or from which on another one does.
func (f *far) next(set *proof.Anchor) {
	if set == nil {
		f.steps = append(f.steps, f.Still())
	} else {
		f.steps = append(f.steps, f.Replace(*set))
		f.sets[f.Height+1] = *set
	}
	f.Next(time.Millisecond)
}

func (f *far) event(bytes int) {
	data := `"` + strings.Repeat("x", bytes) + `"`
	index := f.Event("/prices/eu", "price.set.v1", data)
	f.events = append(f.events, rest.Delivered{Index: index, Event: protocol.Event{ID: fmt.Sprint(index), Source: "/prices/eu", Type: "price.set.v1"}})
	f.next(nil)
}

// longWay is what lies between the set that is trusted and the one that signs.
type longWay struct {
	set   func(l *remote.Ledger, turn int) proof.Anchor
	turns int // sets that follow the first one
	rest  int // blocks before each
	ahead int // transactions with steps alone, at least
}

func equal(n int) func(*remote.Ledger, int) proof.Anchor {
	return func(l *remote.Ledger, turn int) proof.Anchor {
		return l.Validators(turn, slices.Repeat([]uint64{10}, n)...)
	}
}

// A way that is too long for the testimony that shows events goes ahead in
// several: too many signatures, too many validators, too many sets, too many
// blocks to look through at once, or all of an event's bytes taken.
func TestTrustGoesAheadOfEvents(t *testing.T) {
	for name, test := range map[string]longWay{
		"signatures":     {equal(250), 15, 0, 7},
		"large sets":     {equal(1000), 2, 0, 2},
		"sets":           {equal(1), 150, 0, 2},
		"blocks at rest": {equal(4), 2, 350, 0},
		"validators": {func(l *remote.Ledger, turn int) proof.Anchor {
			powers := slices.Repeat([]uint64{1}, 800)
			powers[0] = 10_000 + uint64(turn)
			return l.Validators(0, powers...)
		}, 40, 0, 2},
	} {
		t.Run(name, func(t *testing.T) { test.run(t) })
	}
}

func (test longWay) run(t *testing.T) {
	f := newFar(t, test.set)
	s := found(t)
	s.start()
	to := s.client(nil)
	terms := f.Terms(time.Hour)
	s.pass(to, protocol.GovAction{Kind: protocol.GovLedger, Name: "far", Ledger: terms})
	for turn := range test.turns {
		for range test.rest {
			f.next(nil)
		}
		set := test.set(f.Ledger, turn+1)
		f.next(&set)
	}
	for range 30 {
		f.event(60_000) // of which a transaction carries 17
	}
	from, err := client.New(client.Config{Nodes: []string{f.url}, ChainID: f.ChainID, GiveUpAfter: 5 * time.Second})
	if err != nil {
		t.Fatal(err)
	}
	relayer := client.Relayer{From: from, To: to, Key: s.network.Accounts["author"], Name: "far"}
	began := time.Now()
	done, err := relayer.Step(background, 0)
	if err != nil {
		t.Fatalf("%v, after %d transactions", err, len(done.Sent))
	}
	ahead := 0
	for _, status := range done.Sent {
		if status.Entries == 0 {
			ahead++
		}
	}
	ledger, err := to.Ledger(background, "far", 0)
	if err != nil || done.Relayed != 30 || ledger.Relayed != 30 || ledger.Set != f.Set.SetHash() || ahead < test.ahead {
		t.Fatalf("%+v, %d transactions with steps alone: %+v %v", ledger, ahead, done, err)
	}
	t.Logf("%d transactions, %d with steps alone, in %s", len(done.Sent), ahead, time.Since(began).Round(time.Millisecond))
	if done, err = relayer.Step(background, 0); err != nil || len(done.Sent) != 0 {
		t.Fatalf("a second look: %+v %v", done, err)
	}
	relayer.To = s.client(&client.ActAs{Account: protocol.Address{1}})
	_, err = relayer.Step(background, 0)
	if code, _ := protocol.CodeOf(err); code != protocol.CodeMultisigTerms {
		t.Fatalf("as an account of several members: %v", err)
	}
}
