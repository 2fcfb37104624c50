package projection

import (
	"testing"
	"time"
)

// TestEveryDay compares the calendar with the standard library, a day at a
// time over all the years 64 bits of nanoseconds reach.
func TestEveryDay(t *testing.T) {
	first := time.Date(1677, 9, 22, 0, 0, 0, 0, time.UTC)
	last := time.Date(2262, 4, 11, 0, 0, 0, 0, time.UTC)
	for day := first; !day.After(last); day = day.AddDate(0, 0, 1) {
		text := day.Format(time.RFC3339)
		if ns, fault := parseTime([]byte(text)); fault != "" || ns != day.UnixNano() {
			t.Fatalf("%s: %d %s, want %d", text, ns, fault, day.UnixNano())
		}
	}
}
