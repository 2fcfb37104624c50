package sdk

import "slices"

// advance moves the watermark and takes out the windows that this closes.
func (x Windows) advance(k *keyWindows, timeNs int64) (closed []Window) {
	before, cut := k.watermark-x.lateness, timeNs-x.lateness
	if !k.known {
		before = -maxTime - x.lateness
	}
	k.known, k.watermark = true, timeNs
	n := 0 // panes that no open window needs
	if x.gap > 0 {
		for n < len(k.panes) && k.panes[n].LastNs+x.gap <= cut {
			n++
		}
		closed = x.sessions(k.panes[:n])
	} else {
		closed = x.gather(k, before, cut)
		for n < len(k.panes) && k.panes[n].StartNs+x.span <= cut {
			n++
		}
	}
	k.panes = k.panes[n:]
	return closed
}

// sessions answers panes as the sessions that they are.
func (x Windows) sessions(panes []Window) []Window {
	if len(panes) == 0 {
		return nil
	}
	found := slices.Clone(panes)
	for i := range found {
		found[i].EndNs = found[i].LastNs + x.gap
	}
	return found
}

// gather answers the windows with events that end after one time and not after
// another, in order.
func (x Windows) gather(k *keyWindows, after, until int64) (found []Window) {
	next := after - x.span // windows that begin here or before are done
	for i := range k.panes {
		p := &k.panes[i]
		// The windows of a pane begin from span-pane before it up to it. Those
		// not after next are done, or hold an earlier pane and are done too.
		start := max(p.StartNs-x.span+x.pane, x.floor(next)+x.pane)
		for ; start <= p.StartNs && start+x.span <= until; start += x.pane {
			w := Window{StartNs: start, EndNs: start + x.span}
			x.fill(&w, k.panes[i:])
			found = append(found, w)
			next = start
		}
	}
	return found
}

// fill merges the panes of a window, which begins no later than the first of them.
func (x Windows) fill(w *Window, panes []Window) {
	start, end := w.StartNs, w.EndNs
	*w = panes[0]
	for i := 1; i < len(panes) && panes[i].StartNs < end; i++ {
		w.merge(&panes[i])
	}
	w.StartNs, w.EndNs = start, end
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
	at := len(k.panes)
	for at > 0 && k.panes[at-1].StartNs > start {
		at--
	}
	if at > 0 && k.panes[at-1].StartNs == start {
		at--
	} else {
		k.panes = slices.Insert(k.panes, at, Window{StartNs: start})
	}
	k.panes[at].add(timeNs, value)
	// The sums of the panes of a window add up: closing it cannot fail.
	if magnitude(k.panes[at].Sum) > (1<<63-1)/uint64(x.overlap()) {
		abortOverflow()
	}
	return late
}

// addToSession counts a value, joins the sessions it brings together, and
// answers 1 where it is too late for any.
func (x Windows) addToSession(k *keyWindows, timeNs, value int64) (late int) {
	if timeNs < k.watermark-x.lateness {
		return 1
	}
	// Sessions from..to are less than the gap away: none, one, or the two around it.
	from := len(k.panes)
	for from > 0 && k.panes[from-1].LastNs+x.gap > timeNs {
		from--
	}
	to := from
	for to < len(k.panes) && k.panes[to].StartNs-x.gap < timeNs {
		to++
	}
	if from == to {
		k.panes = slices.Insert(k.panes, from, Window{StartNs: timeNs})
		to++
	}
	s := &k.panes[from]
	s.add(timeNs, value)
	for i := from + 1; i < to; i++ {
		s.merge(&k.panes[i])
	}
	s.StartNs = s.FirstNs
	k.panes = slices.Delete(k.panes, from+1, to)
	return 0
}
