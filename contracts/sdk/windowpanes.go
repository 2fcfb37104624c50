package sdk

// Functions here and in windows.go that several others call stay functions of
// their own: a copy at every call would double a contract's code.

// advance moves the watermark and takes out the windows that this closes.
//
//go:noinline
func (x Windows) advance(k *keyWindows, timeNs int64) (closed []Window) {
	before, cut := k.watermark-x.lateness, timeNs-x.lateness
	if !k.known {
		before = -maxTime - x.lateness
	}
	k.known, k.watermark = true, timeNs
	n, size := 0, k.size() // panes that no open window needs, and all
	if x.gap > 0 {
		for n < size && k.lastAt(n)+x.gap <= cut {
			n++
		}
		closed = x.sessions(k, n)
	} else {
		if x.floor(before) == x.floor(cut) {
			return nil // no window ends between
		}
		closed = x.gather(k, before, cut)
		for n < size && k.start(n)+x.span <= cut {
			n++
		}
	}
	if n > 0 {
		k.remove(0, n)
	}
	return closed
}

// sessions answers the first panes as the sessions that they are.
func (x Windows) sessions(k *keyWindows, n int) (found []Window) {
	for i := range n {
		w := k.pane(i)
		w.EndNs = w.LastNs + x.gap
		found = append(found, w)
	}
	return found
}

// gather answers the windows with events that end after one time and not after
// another, in order.
//
//go:noinline
func (x Windows) gather(k *keyWindows, after, until int64) (found []Window) {
	next := x.floor(after - x.span) // windows that begin here or before are done
	for i := range k.size() {
		// The windows of a pane begin from span-pane before it up to it. Those
		// not after next are done, or hold an earlier pane and are done too.
		last := k.start(i)
		start := max(last-x.span, next) + x.pane
		for ; start <= last && start+x.span <= until; start += x.pane {
			found = append(found, x.merged(k, i, start))
			next = start
		}
	}
	return found
}

// merged is a window whose first pane with events is the one at index i.
func (x Windows) merged(k *keyWindows, i int, start int64) Window {
	w := k.pane(i)
	for i++; i < k.size() && k.start(i) < start+x.span; i++ {
		p := k.pane(i)
		w.merge(&p)
	}
	w.StartNs, w.EndNs = start, start+x.span
	return w
}

// floor is the start of the pane that a time is in.
func (x Windows) floor(timeNs int64) int64 {
	return floorDiv(timeNs-x.offset, x.pane)*x.pane + x.offset
}

// addToPane counts a value and answers how many of its windows are closed.
func (x Windows) addToPane(k *keyWindows, timeNs, value int64) (late int) {
	start, cut := x.floor(timeNs), k.watermark-x.lateness
	if first := start + x.pane; first <= cut { // the end of the earliest of its windows
		late = int(min((cut-first)/x.pane+1, int64(x.overlap())))
	}
	if late == x.overlap() {
		return late
	}
	at := k.size()
	for at > 0 && k.start(at-1) > start {
		at--
	}
	p := single(timeNs, value)
	if at > 0 && k.start(at-1) == start {
		at--
		event := p
		p = k.pane(at)
		p.merge(&event)
	} else {
		k.insert(at)
	}
	// The sums of the panes of a window add up: closing it cannot fail.
	if magnitude(p.Sum) > (1<<63-1)/uint64(x.overlap()) {
		abortOverflow()
	}
	p.StartNs = start
	k.put(at, &p)
	return late
}

// addToSession counts a value, joins the sessions it brings together, and
// answers 1 where it is too late for any.
func (x Windows) addToSession(k *keyWindows, timeNs, value int64) (late int) {
	if timeNs < k.watermark-x.lateness {
		return 1
	}
	// Sessions from..to are less than the gap away: none, one, or the two around it.
	from := k.size()
	for from > 0 && k.lastAt(from-1)+x.gap > timeNs {
		from--
	}
	to := from
	s := single(timeNs, value)
	if from < k.size() && k.start(from)-x.gap < timeNs {
		event := s
		s = k.pane(from)
		s.merge(&event)
		to++
	} else {
		k.insert(from)
	}
	if to > from && to < k.size() && k.start(to)-x.gap < timeNs {
		p := k.pane(to)
		s.merge(&p)
		k.remove(to, to+1)
	}
	s.StartNs = s.FirstNs
	k.put(from, &s)
	return 0
}
