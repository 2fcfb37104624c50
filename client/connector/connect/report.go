package connect

import (
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"
)

// Counts is how a stream does since the connector started.
type Counts struct {
	Stream     string `json:"stream"`
	Next       uint64 `json:"next"`       // position after the last one that is final
	End        uint64 `json:"end"`        // how far the source goes, where it says so
	Lag        uint64 `json:"lag"`        // positions from Next to End
	Committed  uint64 `json:"committed"`  // events that are final
	Duplicates uint64 `json:"duplicates"` // events whose (source, id) the ledger had
	Filtered   uint64 `json:"filtered"`   // left out by the filter
	Dead       uint64 `json:"dead"`       // dead letters
	Rate       uint64 `json:"rate"`       // events a second that became final, since the last line

	deadInRow int
}

// reporter writes lines about progress, each in one write.
type reporter struct {
	asJSON bool

	mu   sync.Mutex
	out  io.Writer
	last map[string]uint64 // events by stream; guarded by mu
	at   time.Time         // of the last counts; guarded by mu
}

func newReporter(out io.Writer, asJSON bool) *reporter {
	return &reporter{out: out, asJSON: asJSON, last: map[string]uint64{}, at: time.Now()}
}

func (r *reporter) log(sentence string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.asJSON {
		r.json(map[string]string{"time": now(), "message": sentence})
		return
	}
	fmt.Fprintf(r.out, "%s  %s\n", clock(), sentence)
}

// counts writes a line a stream.
func (r *reporter) counts(all []Counts, last bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	passed := time.Since(r.at)
	r.at = time.Now()
	for _, c := range all {
		events := c.Committed + c.Duplicates
		c.Rate = uint64(float64(events-r.last[c.Stream]) / max(passed.Seconds(), 0.001))
		r.last[c.Stream] = events
		if c.End > c.Next {
			c.Lag = c.End - c.Next
		}
		if r.asJSON {
			r.json(struct {
				Time string `json:"time"`
				Counts
				Last bool `json:"last,omitempty"`
			}{now(), c, last})
			continue
		}
		fmt.Fprintf(r.out, "%s  %-20s %7s/s  next %s  lag %s  committed %s  duplicates %s  filtered %s  dead letters %s\n", clock(), c.Stream,
			thousands(c.Rate), thousands(c.Next), thousands(c.Lag), thousands(c.Committed), thousands(c.Duplicates), thousands(c.Filtered), thousands(c.Dead))
	}
}

func (r *reporter) json(v any) {
	if text, err := json.Marshal(v); err == nil { // texts and numbers: it cannot fail
		_, _ = r.out.Write(append(text, '\n')) // nobody is left to tell
	}
}

func now() string   { return time.Now().UTC().Format(time.RFC3339) }
func clock() string { return time.Now().Format(time.TimeOnly) }

// thousands writes 1234567 as 1,234,567.
func thousands(n uint64) string {
	text := strconv.FormatUint(n, 10)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
