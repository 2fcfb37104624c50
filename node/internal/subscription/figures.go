package subscription

import (
	"cmp"
	"slices"
	"strings"
)

// maxShownLags bounds the subscriptions whose lag is shown one by one: those
// furthest behind.
const maxShownLags = 100

// Figures are what operators watch. Counters count since the node started.
type Figures struct {
	Pulled       uint64 // events leased to readers, repeats included
	Pushed       uint64 // events handed to webhooks, repeats included
	Acknowledged uint64 // events

	Taken      uint64 // attempts of webhooks that the receiver answered with 2xx
	Refused    uint64 // attempts it refused for the event's sake
	Failed     uint64 // attempts that failed otherwise: no answer, 5xx
	FilterErrs uint64 // events on which an expression failed

	Subscriptions int
	Hooks         map[string]int // webhooks by rest.Push.State
	DeadLetters   uint64
	WindowBytes   int   // held in memory for readers
	Lags          []Lag // the greatest first, at most maxShownLags
}

// Lag is how far a subscription is behind.
type Lag struct {
	Name    string
	Entries uint64
}

// Figures reads them.
func (m *Manager) Figures() Figures {
	f := Figures{
		Pulled: m.pulled.Load(), Pushed: m.pushed.Load(), Acknowledged: m.acked.Load(),
		FilterErrs: m.failed.Load(), Taken: m.taken.Load(), Refused: m.rejected.Load(), Failed: m.unanswered.Load(),
		Hooks: map[string]int{"sending": 0, "backing-off": 0, "open": 0},
	}
	m.mu.Lock()
	subs := make([]*Subscription, 0, len(m.subs))
	for _, s := range m.subs { // order does not matter: they are sorted
		subs = append(subs, s)
	}
	m.mu.Unlock()
	f.Subscriptions = len(subs)
	for _, s := range subs {
		terms := s.Terms()
		f.Lags = append(f.Lags, Lag{terms.Name, terms.Lag})
		if terms.Push != nil {
			f.Hooks[terms.Push.State]++
			f.DeadLetters += terms.Push.DeadLetters
		}
		s.mu.Lock()
		f.WindowBytes += s.window.bytes
		s.mu.Unlock()
	}
	slices.SortFunc(f.Lags, func(a, b Lag) int {
		return cmp.Or(cmp.Compare(b.Entries, a.Entries), strings.Compare(a.Name, b.Name))
	})
	f.Lags = f.Lags[:min(len(f.Lags), maxShownLags)]
	return f
}
