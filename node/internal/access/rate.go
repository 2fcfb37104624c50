package access

import (
	"fmt"
	"sync"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// Rate is how much a token may submit; 0 is no bound.
type Rate struct {
	Events uint64 `json:"events,omitempty"` // a second
	Bytes  uint64 `json:"bytes,omitempty"`  // of requests, a second
}

// TooFast is a refusal that knows when the same request may succeed.
type TooFast struct {
	error
	after time.Duration
}

// RetryAfter is how long to wait.
func (t *TooFast) RetryAfter() time.Duration { return t.after }

// Unwrap answers the refusal.
func (t *TooFast) Unwrap() error { return t.error }

// Rates holds tokens to their rates. What a token may do in a second is there
// at once; a request that goes beyond is let through when something is left,
// and those after it wait until it is paid for. So every size of request
// passes, and the mean is kept. It is safe for concurrent use.
type Rates struct {
	mu      sync.Mutex
	buckets map[string]*bucket // by token; at most one for each of the file; guarded by mu
}

// bucket is what is left of a token's second.
type bucket struct {
	rate   Rate
	events float64 // may be less than 0
	bytes  float64
	at     time.Time
}

// Use counts events and bytes for a token, or refuses them with CodeBusy.
func (r *Rates) Use(token *Token, events, bytes int, now time.Time) error {
	if token.Rate == (Rate{}) {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	b := r.buckets[token.Name]
	if b == nil || b.rate != token.Rate {
		if r.buckets == nil || len(r.buckets) >= maxTokens {
			r.buckets = map[string]*bucket{}
		}
		b = &bucket{rate: token.Rate, events: float64(token.Rate.Events), bytes: float64(token.Rate.Bytes), at: now}
		r.buckets[token.Name] = b
	}
	passed := max(0, now.Sub(b.at).Seconds())
	b.at = now
	b.events = min(float64(b.rate.Events), b.events+passed*float64(b.rate.Events))
	b.bytes = min(float64(b.rate.Bytes), b.bytes+passed*float64(b.rate.Bytes))
	wait := max(due(b.events, b.rate.Events), due(b.bytes, b.rate.Bytes))
	if wait > 0 {
		return &TooFast{protocol.Refuse(protocol.CodeBusy, "the token %q may submit %s; wait as long as Retry-After says", token.Name, b.rate), wait}
	}
	b.events -= float64(events)
	b.bytes -= float64(bytes)
	return nil
}

// due is how long until something is left.
func due(left float64, rate uint64) time.Duration {
	if rate == 0 || left > 0 {
		return 0
	}
	return time.Duration((1 - left) / float64(rate) * float64(time.Second))
}

// String renders the rate.
func (r Rate) String() string {
	switch {
	case r.Bytes == 0:
		return fmt.Sprintf("%d events a second", r.Events)
	case r.Events == 0:
		return fmt.Sprintf("%d bytes a second", r.Bytes)
	}
	return fmt.Sprintf("%d events and %d bytes a second", r.Events, r.Bytes)
}
