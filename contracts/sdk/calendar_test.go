package sdk

import (
	"fmt"
	"testing"
	"time"
)

// Every day of 1,200 years, and the years around the ends of an int64 of
// nanoseconds, against the standard library.
func TestCalendarAgainstTime(t *testing.T) {
	from := time.Date(1500, 1, 1, 0, 0, 0, 0, time.UTC)
	for d := range 1200 * 366 {
		at := from.AddDate(0, 0, d)
		sec := at.Unix()
		year, month, day := Date(Day(sec))
		if int(year) != at.Year() || time.Month(month) != at.Month() || day != at.Day() {
			t.Fatalf("%v is %d-%d-%d", at, year, month, day)
		}
		wantYear, wantWeek := at.ISOWeek()
		gotYear, gotWeek := ISOWeek(Week(sec))
		if int(gotYear) != wantYear || gotWeek != wantWeek {
			t.Fatalf("%v is in %d-W%d, want %d-W%d", at, gotYear, gotWeek, wantYear, wantWeek)
		}
	}
}

func TestWeekTurnsOnMonday(t *testing.T) {
	monday := time.Date(2016, 10, 10, 0, 0, 0, 0, time.UTC).Unix()
	if Week(monday)-Week(monday-1) != 1 || Week(monday+7*daySeconds-1) != Week(monday) {
		t.Fatal("a week is not from Monday 00:00 to Sunday 23:59:59")
	}
	if Week(0) != 0 || Week(-4*daySeconds) != -1 {
		t.Fatalf("weeks around 1970: %d, %d", Week(0), Week(-4*daySeconds))
	}
}

func TestBandOfDay(t *testing.T) {
	for _, c := range []struct {
		sec  int64
		band int
	}{
		{0, 0}, {12*3600 - 1, 0}, {12 * 3600, 1}, {15*3600 - 1, 1}, {15 * 3600, 2}, {86399, 2},
		{86400, 0}, {-1, 2}, {-86400, 0}, {-86400 + 12*3600, 1},
	} {
		if got := BandOfDay(c.sec, 12, 15); got != c.band {
			t.Errorf("second %d is in band %d, want %d", c.sec, got, c.band)
		}
	}
}

func TestSecondsRoundDown(t *testing.T) {
	for ns, sec := range map[int64]int64{0: 0, 1: 0, 1e9 - 1: 0, 1e9: 1, -1: -1, -1e9: -1, -1e9 - 1: -2} {
		if got := Seconds(ns); got != sec {
			t.Errorf("%d ns is second %d, want %d", ns, got, sec)
		}
	}
}

func ExampleAppendISOWeek() {
	sec := time.Date(2016, 10, 4, 7, 59, 42, 0, time.UTC).Unix()
	fmt.Printf("%s %s\n", AppendISOWeek(nil, Week(sec)), AppendDate(nil, Day(sec)))
	// Output: 2016-W40 2016-10-04
}

func TestAppendPadded(t *testing.T) {
	for _, c := range []struct {
		v     int64
		width int
		want  string
	}{{0, 4, "0000"}, {7, 2, "07"}, {10, 2, "10"}, {999, 4, "0999"}, {12345, 4, "12345"}, {-5, 4, "-0005"}, {3, 1, "3"}} {
		if got := string(appendPadded(nil, c.v, c.width)); got != c.want {
			t.Errorf("%d to %d digits: %s, want %s", c.v, c.width, got, c.want)
		}
	}
}
