package protocol

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
		if ns, err := ParseTime([]byte(text)); err != nil || ns != day.UnixNano() {
			t.Fatalf("%s: %d %v, want %d", text, ns, err, day.UnixNano())
		}
	}
}

// FuzzTime compares with the standard library, which is laxer: it takes
// one-digit hours, decimal commas and more than nine decimals.
func FuzzTime(f *testing.F) {
	f.Add("2016-10-04T07:59:42Z")
	f.Add("1677-09-21T00:12:43.145224192+00:00")
	f.Add("2262-04-11T23:47:16.854775807-23:59")
	f.Fuzz(func(t *testing.T, text string) {
		got, err := ParseTime([]byte(text))
		if err != nil {
			return
		}
		if want, err := time.Parse(time.RFC3339Nano, text); err != nil || !want.Equal(time.Unix(0, got)) {
			t.Fatalf("%q: %d, want %v %v", text, got, want, err)
		}
	})
}
