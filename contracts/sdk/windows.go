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
	last := k.size() - 1
	if last < 0 {
		return nil
	}
	end := k.start(last) + x.span
	if x.gap > 0 {
		end = k.lastAt(last) + x.gap
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
		return x.sessions(&k, k.size())
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

// single is one event.
func single(timeNs, value int64) Window {
	return Window{timeNs, timeNs, 1, value, value, value, timeNs, timeNs, value, value}
}

// merge counts what came after w in time, before it, or at one time later.
//
//go:noinline
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

// keyWindows is the state of one key, as it is stored: a version byte, 1, the
// watermark, and panes in ascending order, all little-endian. A pane has
// events; it is a part of windows, or a session. Panes are read where they are
// needed: in the middle of a window, that is one.
type keyWindows struct {
	known     bool
	watermark int64
	stored    []byte
}

// paneBytes is the size of a stored pane: its start, count, sum, minimum and
// maximum, the time and value of its first event, and those of its last.
const (
	paneBytes       = 9 * 8
	windowsHead     = 9
	windowsVersion1 = 1
)

//go:noinline
func (x Windows) load(key []byte) keyWindows {
	b, found := x.m.Get(key)
	if !found {
		return keyWindows{stored: append(make([]byte, 0, windowsHead+paneBytes), windowsVersion1, 0, 0, 0, 0, 0, 0, 0, 0)}
	}
	return decodeWindows(b)
}

func decodeWindows(b []byte) keyWindows {
	if len(b) < windowsHead || b[0] != windowsVersion1 || (len(b)-windowsHead)%paneBytes != 0 {
		abortState()
	}
	return keyWindows{true, int64(U64(b[1:])), b}
}

func (x Windows) save(key []byte, k *keyWindows) {
	PutU64(k.stored[1:], uint64(k.watermark))
	x.m.Set(key, k.stored)
}

func (k *keyWindows) size() int          { return (len(k.stored) - windowsHead) / paneBytes }
func (k *keyWindows) at(i int) []byte    { return k.stored[windowsHead+i*paneBytes:][:paneBytes] }
func (k *keyWindows) start(i int) int64  { return int64(U64(k.at(i))) }
func (k *keyWindows) lastAt(i int) int64 { return int64(U64(k.at(i)[56:])) }

// pane reads a pane.
//
//go:noinline
func (k *keyWindows) pane(i int) (w Window) {
	b := k.at(i)
	for n, v := range w.stored() {
		*v = int64(U64(b[8*n:]))
	}
	return w
}

// put writes a pane.
//
//go:noinline
func (k *keyWindows) put(i int, w *Window) {
	b := k.at(i)
	for n, v := range w.stored() {
		PutU64(b[8*n:], uint64(*v))
	}
}

// stored are the fields of a pane in the order of its record.
func (w *Window) stored() [9]*int64 {
	return [9]*int64{&w.StartNs, &w.Count, &w.Sum, &w.Min, &w.Max, &w.FirstNs, &w.First, &w.LastNs, &w.Last}
}

// insert makes room for a pane at an index.
func (k *keyWindows) insert(i int) {
	at := windowsHead + i*paneBytes
	k.stored = append(k.stored, make([]byte, paneBytes)...)
	copy(k.stored[at+paneBytes:], k.stored[at:])
}

// remove takes out the panes from one index up to another.
func (k *keyWindows) remove(from, to int) {
	k.stored = append(k.stored[:windowsHead+from*paneBytes], k.stored[windowsHead+to*paneBytes:]...)
}
