package sdk

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// naive recomputes the windows of one key from all events it ever accepted.
type naive struct {
	size, slide, gap, offset, lateness int64

	known     bool
	watermark int64
	events    []seen
	done      map[int64]bool // starts of the windows that were answered
}

type seen struct{ time, value int64 }

// summary is what a list of events comes to, the definition.
func summary(start, end int64, events []seen) Window {
	byTime := slices.Clone(events)
	slices.SortStableFunc(byTime, func(a, b seen) int { return cmp.Compare(a.time, b.time) })
	first, last := byTime[0], byTime[len(byTime)-1]
	w := Window{start, end, int64(len(events)), 0, math.MaxInt64, math.MinInt64, first.time, last.time, first.value, last.value}
	for _, e := range events {
		w.Sum, w.Min, w.Max = w.Sum+e.value, min(w.Min, e.value), max(w.Max, e.value)
	}
	return w
}

// windows answers all windows of the accepted events that were not answered
// before, in order.
func (n *naive) windows() (list []Window) {
	if n.gap > 0 {
		byTime := slices.Clone(n.events)
		slices.SortStableFunc(byTime, func(a, b seen) int { return cmp.Compare(a.time, b.time) })
		for len(byTime) > 0 {
			size := 1
			for size < len(byTime) && byTime[size].time-byTime[size-1].time < n.gap {
				size++
			}
			list = append(list, summary(byTime[0].time, byTime[size-1].time+n.gap, byTime[:size]))
			byTime = byTime[size:]
		}
	} else {
		within := map[int64][]seen{}
		for _, e := range n.events {
			for _, start := range n.starts(e.time) {
				within[start] = append(within[start], e)
			}
		}
		for start, events := range within {
			list = append(list, summary(start, start+n.size, events))
		}
	}
	list = slices.DeleteFunc(list, func(w Window) bool { return n.done[w.StartNs] })
	slices.SortFunc(list, func(a, b Window) int { return cmp.Compare(a.StartNs, b.StartNs) })
	return list
}

// starts tries every time, so that no division is trusted.
func (n *naive) starts(at int64) (starts []int64) {
	for start := at - n.size + 1; start <= at; start++ {
		if (start-n.offset)%n.slide == 0 {
			starts = append(starts, start)
		}
	}
	return starts
}

func (n *naive) advance(to int64) (closed []Window) {
	if n.known && to <= n.watermark {
		return nil
	}
	n.known, n.watermark = true, to
	for _, w := range n.windows() {
		if w.EndNs+n.lateness <= to {
			closed = append(closed, w)
			n.done[w.StartNs] = true
		}
	}
	return closed
}

func (n *naive) add(at, value int64) (closed []Window, late int) {
	closed = n.advance(at)
	belongs := 1
	if n.gap > 0 {
		if at < n.watermark-n.lateness {
			late = 1
		}
	} else {
		belongs = int(n.size / n.slide)
		for _, start := range n.starts(at) {
			if start+n.size+n.lateness <= n.watermark {
				late++
				n.done[start] = true // with or without events: it is over
			}
		}
	}
	if late < belongs {
		n.events = append(n.events, seen{at, value})
	}
	return closed, late
}

// Random streams, out of order, of several keys at once, against the naive
// recomputation: the same windows, once, in order, and the same late events.
func TestWindowsAgainstRecomputation(t *testing.T) {
	for seed := range uint64(60) {
		r := rand.New(rand.NewPCG(seed, 9))
		slide := 1 + r.Int64N(12)
		n := naive{slide: slide, size: slide * (1 + r.Int64N(5)), lateness: r.Int64N(40), offset: r.Int64N(20) - 10}
		windows := Sliding("w", n.size, n.slide, n.lateness).From(n.offset)
		switch seed % 3 {
		case 0:
			n.size = n.slide
			windows = Tumbling("w", n.size, n.lateness).From(n.offset)
		case 1:
			n.gap = slide
			windows = Sessions("w", n.gap, n.lateness)
		}
		inside(t, func() { followWindows(t, r, windows, n) })
	}
}

func followWindows(t *testing.T, r *rand.Rand, windows Windows, parameters naive) {
	keys := map[string]*naive{}
	lates, closings, now := 0, 0, int64(-300)
	for i := range 400 {
		key := string(rune('a' + r.IntN(3)))
		n := keys[key]
		if n == nil {
			fresh := parameters
			n, keys[key] = &fresh, &fresh
			n.done = map[int64]bool{}
		}
		where := func() string { return fmt.Sprintf("%+v: step %d, key %s", windows, i, key) }
		if got, want := windows.Open([]byte(key)), n.windows(); !slices.Equal(got, want) {
			t.Fatalf("%s: open\n%v\nwant\n%v", where(), got, want)
		}
		now += r.Int64N(6)
		if r.IntN(30) == 0 {
			now += r.Int64N(100)
		}
		var closed, want []Window
		late, wantLate := 0, 0
		switch r.IntN(25) {
		case 0:
			to := now + r.Int64N(30) - 10
			closed, want = windows.Advance([]byte(key), to), n.advance(to)
		case 1:
			if open := n.windows(); len(open) > 0 {
				want = n.advance(open[len(open)-1].EndNs + n.lateness)
			}
			closed = windows.Close([]byte(key))
			now = max(now, n.watermark)
		default:
			at, value := now-r.Int64N(r.Int64N(60)+1), r.Int64N(2000)-1000
			closed, late = windows.Add([]byte(key), at, value)
			want, wantLate = n.add(at, value)
		}
		if !slices.Equal(closed, want) || late != wantLate {
			t.Fatalf("%s: closed\n%v, late %d\nwant\n%v, late %d", where(), closed, late, want, wantLate)
		}
		if watermark, known := windows.Watermark([]byte(key)); known != n.known || watermark != n.watermark {
			t.Fatalf("%s: watermark %d, want %d", where(), watermark, n.watermark)
		}
		lates, closings = lates+late, closings+len(closed)
	}
	if closings < 20 {
		t.Errorf("%+v: only %d windows closed", windows, closings)
	}
	var all string
	windows.Each(nil, func(key []byte, watermark int64) bool { all += string(key); windows.Forget(key); return true })
	if _, known := windows.Watermark([]byte("a")); all != "abc" || known {
		t.Fatalf("keys %s, a known %v", all, known)
	}
}

// The record of a key is as large as size and lateness allow, and no larger.
func TestWindowsHaveConstantState(t *testing.T) {
	const slide, lateness = 10, 70
	windows := Sliding("w", 6*slide, slide, lateness)
	h := NewHost()
	for i := range int64(5_000) {
		if _, err := h.run(nil, false, func(uint32) {
			windows.Add([]byte("k"), i-i%7*10, math.MaxInt64/6/20)
		}); err != nil {
			t.Fatal(err)
		}
	}
	for _, v := range h.State {
		if most := windowsHead + paneBytes*(6+lateness/slide+1); len(v) > most {
			t.Fatalf("%d bytes, at most %d", len(v), most)
		}
	}
}

// What would make a sum too large is refused alone: the window still closes.
func TestWindowsRefuseOverflow(t *testing.T) {
	windows := Sliding("w", 20, 10, 0)
	h := NewHost()
	run := func(f func()) uint32 {
		_, err := h.run(nil, false, func(uint32) { f() })
		return CodeOf(err)
	}
	key := []byte("k")
	for _, at := range []int64{5, 15} {
		if code := run(func() { windows.Add(key, at, math.MaxInt64/2) }); code != 0 {
			t.Fatal(code)
		}
		if code := run(func() { windows.Add(key, at, 1) }); code != CodeOverflow {
			t.Fatal(code)
		}
	}
	for _, at := range []int64{math.MaxInt64, math.MinInt64, maxTime + 1} {
		if code := run(func() { windows.Add(key, at, 1) }); code != CodeOverflow {
			t.Fatalf("an event at %d: %d", at, code)
		}
	}
	run(func() {
		closed, _ := windows.Add(key, maxTime, 1)
		if len(closed) != 2 || closed[0].Sum != math.MaxInt64-1 || closed[0].Mean(HalfEven) != math.MaxInt64/2 {
			t.Errorf("closed %v", closed)
		}
		closed = windows.Close(key)
		if len(closed) != 2 || closed[1].EndNs <= maxTime {
			t.Errorf("the last windows: %v", closed)
		}
		if closed, late := windows.Add([]byte("past"), -maxTime, 1); closed != nil || late != 0 {
			t.Errorf("the first of all times: %v, %d", closed, late)
		}
	})
}

func TestWindowParametersAreChecked(t *testing.T) {
	for i, f := range []func(){
		func() { Tumbling("w", 0, 0) }, func() { Sliding("w", 10, 3, 0) }, func() { Sliding("w", 255, 1, 0) },
		func() { Sessions("w", 0, 0) }, func() { Sessions("w", 1, 300) }, func() { Tumbling("w", 1, -1) },
	} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("parameters %d are accepted", i)
				}
			}()
			f()
		}()
	}
}
