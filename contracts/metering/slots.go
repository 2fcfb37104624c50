package main

// maxGaps bounds what a meter remembers of the intervals it missed.
const maxGaps = 64

// gap is a stretch of slots without readings, from the first up to another.
type gap struct{ from, to uint16 }

// slots knows which intervals of a period have a reading: all before next,
// but for the gaps, which are in order and apart.
type slots struct {
	next      uint16 // after the latest
	forgotten uint16 // before it, gaps were dropped: what lies there is not known
	gaps      []gap
}

// What slots.take answers.
const (
	slotTaken     = iota // it was free
	slotSeen             // it has a reading
	slotForgotten        // it may have one
)

// take marks a slot. Readings in order cost nothing; one that comes late
// shortens or splits a gap. When there are too many, the oldest is forgotten,
// so that no interval can ever be billed twice.
func (s *slots) take(slot uint16) int {
	if slot >= s.next {
		if slot > s.next {
			s.gaps = append(s.gaps, gap{s.next, slot})
		}
		s.next = slot + 1
		s.trim()
		return slotTaken
	}
	if slot < s.forgotten {
		return slotForgotten
	}
	for i := len(s.gaps) - 1; i >= 0; i-- {
		g := s.gaps[i]
		if slot >= g.to {
			break
		}
		if slot >= g.from {
			s.split(i, slot)
			s.trim()
			return slotTaken
		}
	}
	return slotSeen
}

// split takes a slot out of a gap.
func (s *slots) split(i int, slot uint16) {
	g := s.gaps[i]
	rest := make([]gap, 0, 2)
	if g.from < slot {
		rest = append(rest, gap{g.from, slot})
	}
	if slot+1 < g.to {
		rest = append(rest, gap{slot + 1, g.to})
	}
	tail := append(rest, s.gaps[i+1:]...)
	s.gaps = append(s.gaps[:i], tail...)
}

func (s *slots) trim() {
	if len(s.gaps) > maxGaps {
		s.forgotten = s.gaps[0].to
		s.gaps = s.gaps[1:]
	}
}

// bytes is what pack writes.
func (s *slots) bytes() int { return 5 + 4*len(s.gaps) }

func (s *slots) pack(w *packer) {
	w.u16(s.next)
	w.u16(s.forgotten)
	w.u8(uint8(len(s.gaps)))
	for _, g := range s.gaps {
		w.u16(g.from)
		w.u16(g.to)
	}
}

func unpackSlots(r *unpacker) slots {
	s := slots{next: r.u16(), forgotten: r.u16()}
	if n := r.count(maxGaps); n > 0 {
		s.gaps = make([]gap, n, n+2)
		for i := range s.gaps {
			s.gaps[i] = gap{r.u16(), r.u16()}
		}
	}
	return s
}
