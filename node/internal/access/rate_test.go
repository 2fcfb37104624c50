package access

import (
	"errors"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// Whatever is asked for and when, a token gets its rate over time, a second of
// it at once, and what RetryAfter says is enough.
func TestRatesKeepTheMean(t *testing.T) {
	var rates Rates
	token := Token{Name: "t", Rate: Rate{Events: 100, Bytes: 50_000}}
	start := time.Unix(1_700_000_000, 0)
	now, events, bytes, refused := start, 0, 0, 0
	for i := range 2_000 {
		n := 1 + i*7919%40
		err := rates.Use(&token, n, n*300, now)
		var tooFast *TooFast
		switch {
		case err == nil:
			events, bytes = events+n, bytes+n*300
		case errors.As(err, &tooFast):
			if code, _ := protocol.CodeOf(err); code != protocol.CodeBusy || tooFast.RetryAfter() <= 0 {
				t.Fatal(err)
			}
			refused++
			now = now.Add(tooFast.RetryAfter())
			if err := rates.Use(&token, n, n*300, now); err != nil {
				t.Fatalf("after waiting: %v", err)
			}
			events, bytes = events+n, bytes+n*300
		}
		now = now.Add(time.Duration(i%5) * time.Millisecond)
	}
	seconds := now.Sub(start).Seconds()
	if refused == 0 || float64(events) > 100*(seconds+1)+40 || float64(events) < 90*seconds {
		t.Errorf("%d events in %.1f s, refused %d times", events, seconds, refused)
	}
	if float64(bytes) > 50_000*(seconds+1)+40*300 {
		t.Errorf("%d bytes in %.1f s", bytes, seconds)
	}
	if err := rates.Use(&Token{Name: "free"}, 1<<30, 1<<40, now); err != nil {
		t.Error(err)
	}
}
