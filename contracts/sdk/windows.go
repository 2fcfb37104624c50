package sdk

// Window is what events of one key in a stretch of event time came to. Ties
// in time are in the order of arrival.
type Window struct {
	StartNs, EndNs  int64 // from StartNs up to, and without, EndNs
	Count           int64 // never 0
	Sum, Min, Max   int64
	FirstNs, LastNs int64 // the times of the earliest and the latest event
	First, Last     int64 // and their values
}

// Mean is the sum divided by the count.
func (w *Window) Mean(rounding Rounding) int64 { return MulDiv(w.Sum, 1, w.Count, rounding) }

// Windows gathers values by key and event time into windows, of constant size
// in the state whatever the number of events. Tumbling, Sliding and Sessions
// make them.
//
// A key's watermark is the latest event time it has seen. A window closes when
// the watermark is the lateness behind its end: then Add or Advance answers
// it, once, and a key's windows in the order of their ends. Until then events
// may come in any order. Windows without events do not appear. An event for a
// window that was closed is not counted there, and Add says so: what becomes
// of it is the contract's to decide.
//
// One event far in the future closes all windows of its key and makes the
// present late: a contract that does not trust its clocks checks times against
// BlockTimeMs first. Times are within 2^62 nanoseconds of 1970 (until 2116);
// others abort with CodeOverflow, and so does the event that would make a sum
// too large: in a pane, the largest int64 divided by size/slide.
type Windows struct {
	m        Map
	span     int64 // of a window; 0 for sessions
	pane     int64 // the step from a window to the next: each is kept as panes of this size
	gap      int64 // for sessions: this long without an event ends one
	offset   int64 // where panes are counted from
	lateness int64
}

// maxPanes bounds the record of a key: 18 KiB.
const maxPanes = 256

// maxTime bounds event times and durations, so that their sums fit an int64.
const maxTime = 1 << 62

// Tumbling is windows one behind the other: [0, size), [size, 2 size) and so
// on. The name is unique among all that the contract keeps in its state.
func Tumbling(name string, sizeNs, latenessNs int64) Windows {
	return Sliding(name, sizeNs, sizeNs, latenessNs)
}

// Sliding is windows of a size that begin every slide, of which the size is a
// multiple: an event is in size/slide of them. Size and lateness together are
// at most 254 slides.
func Sliding(name string, sizeNs, slideNs, latenessNs int64) Windows {
	if slideNs <= 0 || sizeNs <= 0 || latenessNs < 0 || sizeNs > maxTime/4 || latenessNs > maxTime/4 ||
		sizeNs%slideNs != 0 || (sizeNs+latenessNs)/slideNs > maxPanes-2 {
		panic("a window's size is a multiple of its slide; size and lateness are at most 254 slides")
	}
	return Windows{m: NewMap(name), span: sizeNs, pane: slideNs, lateness: latenessNs}
}

// Sessions is windows that an event begins and a gap ends: two events less
// than the gap apart are in the same one, whose end is the last event's time
// plus the gap. An event more than the lateness behind the watermark is late.
// The lateness is at most 254 gaps.
func Sessions(name string, gapNs, latenessNs int64) Windows {
	if gapNs <= 0 || latenessNs < 0 || gapNs > maxTime/4 || latenessNs > maxTime/4 || latenessNs/gapNs > maxPanes-2 {
		panic("a session's gap is above 0; the lateness is at most 254 gaps")
	}
	return Windows{m: NewMap(name), gap: gapNs, lateness: latenessNs}
}

// From answers the same windows counted from a time instead of from 1970, a
// Thursday: windows of a week, or of a day that begins at another hour.
func (x Windows) From(timeNs int64) Windows {
	if x.pane > 0 {
		x.offset = timeNs - floorDiv(timeNs, x.pane)*x.pane
	}
	return x
}

// Add counts a value into the windows of its time. It answers the windows that
// this closes, in order, and how many windows the event came too late for:
// with size/slide of them, or 1 where windows do not overlap, nothing is counted.
func (x Windows) Add(key []byte, timeNs, value int64) (closed []Window, late int) {
	checkTime(timeNs)
	k := x.load(key)
	if !k.known || timeNs > k.watermark {
		closed = x.advance(&k, timeNs)
	}
	if x.gap > 0 {
		late = x.addToSession(&k, timeNs, value)
	} else {
		late = x.addToPane(&k, timeNs, value)
	}
	if late < x.overlap() { // else it is behind the watermark: nothing closed and nothing changed
		x.save(key, &k)
	}
	return closed, late
}

// overlap is how many windows an event is in.
func (x Windows) overlap() int {
	if x.gap > 0 {
		return 1
	}
	return int(x.span / x.pane)
}

// Advance moves a key's watermark, unless it is there already, and answers the
// windows that this closes: for a timer, or a producer that says it is done.
func (x Windows) Advance(key []byte, timeNs int64) (closed []Window) {
	checkTime(timeNs)
	k := x.load(key)
	if k.known && timeNs <= k.watermark {
		return nil
	}
	closed = x.advance(&k, timeNs)
	x.save(key, &k)
	return closed
}

// Close closes all windows of a key, as if time had come for them: the
// watermark moves to where the last one closes.
func (x Windows) Close(key []byte) (closed []Window) {
	k := x.load(key)
	if len(k.panes) == 0 {
		return nil
	}
	last := &k.panes[len(k.panes)-1]
	end := last.StartNs + x.span
	if x.gap > 0 {
		end = last.LastNs + x.gap
	}
	closed = x.advance(&k, end+x.lateness)
	x.save(key, &k)
	return closed
}

// Open answers the windows of a key that have events and are not closed, as
// they are now, in order.
func (x Windows) Open(key []byte) []Window {
	k := x.load(key)
	if x.gap > 0 {
		return x.sessions(k.panes)
	}
	return x.gather(&k, k.watermark-x.lateness, 1<<63-1)
}

// Watermark is the latest event time of a key, or false for an unknown one.
func (x Windows) Watermark(key []byte) (timeNs int64, known bool) {
	k := x.load(key)
	return k.watermark, k.known
}

// Forget removes all that is known of a key: open windows and watermark. What
// was late before begins new windows then.
func (x Windows) Forget(key []byte) { x.m.Delete(key) }

// Each calls visit for every key greater than after (nil for all), in
// ascending byte order, until it answers false. To advance, close or forget
// the key visited is right.
func (x Windows) Each(after []byte, visit func(key []byte, watermarkNs int64) bool) {
	x.m.Each(after, func(key, value []byte) bool { return visit(key, decodeWindows(value).watermark) })
}

func checkTime(timeNs int64) {
	if timeNs < -maxTime || timeNs > maxTime {
		abortOverflow()
	}
}

// add counts a value.
func (w *Window) add(timeNs, value int64) {
	if w.Count == 0 {
		*w = Window{w.StartNs, w.EndNs, 1, value, value, value, timeNs, timeNs, value, value}
		return
	}
	w.merge(&Window{timeNs, timeNs, 1, value, value, value, timeNs, timeNs, value, value})
}

// merge counts what came after w in time, before it, or at one time later.
func (w *Window) merge(x *Window) {
	w.Count += x.Count
	w.Sum = sum(w.Sum, x.Sum)
	w.Min, w.Max = min(w.Min, x.Min), max(w.Max, x.Max)
	if x.FirstNs < w.FirstNs {
		w.FirstNs, w.First = x.FirstNs, x.First
	}
	if x.LastNs >= w.LastNs {
		w.LastNs, w.Last = x.LastNs, x.Last
	}
}

// keyWindows is the state of one key.
type keyWindows struct {
	known     bool
	watermark int64
	panes     []Window // with events, ascending: panes of windows, or sessions
}

// paneBytes is the size of a stored pane: its start, count, sum, minimum and
// maximum, time and value of its first event, and of its last. A key's record
// is a version byte, 1, the watermark, and panes, all little-endian.
const (
	paneBytes       = 9 * 8
	windowsHead     = 9
	windowsVersion1 = 1
)

func (x Windows) load(key []byte) keyWindows {
	b, found := x.m.Get(key)
	if !found {
		return keyWindows{}
	}
	return decodeWindows(b)
}

func decodeWindows(b []byte) keyWindows {
	if len(b) < windowsHead || b[0] != windowsVersion1 || (len(b)-windowsHead)%paneBytes != 0 {
		abortState()
	}
	k := keyWindows{known: true, watermark: int64(U64(b[1:])), panes: make([]Window, 0, len(b)/paneBytes+1)}
	for b = b[windowsHead:]; len(b) > 0; b = b[paneBytes:] {
		k.panes = append(k.panes, Window{
			StartNs: int64(U64(b)), Count: int64(U64(b[8:])), Sum: int64(U64(b[16:])), Min: int64(U64(b[24:])),
			Max: int64(U64(b[32:])), FirstNs: int64(U64(b[40:])), First: int64(U64(b[48:])),
			LastNs: int64(U64(b[56:])), Last: int64(U64(b[64:])),
		})
	}
	return k
}

func (x Windows) save(key []byte, k *keyWindows) {
	b := make([]byte, windowsHead+len(k.panes)*paneBytes)
	b[0] = windowsVersion1
	PutU64(b[1:], uint64(k.watermark))
	at := b[windowsHead:]
	for i := range k.panes {
		p := &k.panes[i]
		for _, v := range [...]int64{p.StartNs, p.Count, p.Sum, p.Min, p.Max, p.FirstNs, p.First, p.LastNs, p.Last} {
			PutU64(at, uint64(v))
			at = at[8:]
		}
	}
	x.m.Set(key, b)
}
