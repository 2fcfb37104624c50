package sdk

// Crossing is what an observation of something that moves came to.
type Crossing uint8

// The crossings.
const (
	NoCrossing Crossing = iota // on the side where it was
	Entered
	Left
	OutOfOrder // older than the observation before: nothing changed
)

// Presence remembers by key who is inside of what: a vehicle in a zone, a
// value in a band. Who was never seen is outside.
type Presence struct{ m Map }

// presenceBytes is the size of a stored observation: 1 or 0 for inside or
// outside, and its time.
const presenceBytes = 9

// NewPresence names a presence as NewMap does.
func NewPresence(name string) Presence { return Presence{NewMap(name)} }

// Observe records that a key is surely inside, or surely outside, at a time,
// and answers the crossing. With neither it stays on its side: give a circle
// two radii, one to enter and a larger one to leave, and a position that
// trembles on the edge does not cross it all the time.
//
//	presence.Observe(key, e.TimeNs(), zone.Contains(p), !outer.Contains(p))
func (p Presence) Observe(key []byte, timeNs int64, inside, outside bool) Crossing {
	was, at, known := p.Get(key)
	if known && timeNs < at {
		return OutOfOrder
	}
	is := inside || was && !outside
	var b [presenceBytes]byte
	if is {
		b[0] = 1
	}
	PutU64(b[1:], uint64(timeNs))
	p.m.Set(key, b[:])
	switch {
	case is && !was:
		return Entered
	case was && !is:
		return Left
	}
	return NoCrossing
}

// Get says where a key is, since the observation at which time, and whether it
// was ever seen.
func (p Presence) Get(key []byte) (inside bool, timeNs int64, known bool) {
	var b [presenceBytes]byte
	size, known := p.m.GetInto(key, b[:])
	if known && (size != presenceBytes || b[0] > 1) {
		abortState()
	}
	return b[0] == 1, int64(U64(b[1:])), known
}

// Forget removes a key.
func (p Presence) Forget(key []byte) { p.m.Delete(key) }
