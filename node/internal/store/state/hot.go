package state

// hot keeps values of the newest version that blocks have lately read or
// written: most of what a block reads, the block before it read too, and
// finding a value of a version on disk takes an iterator. It follows the
// newest version: Adopt brings it every change.
//
// It has two generations, each of about limit bytes. What is used moves to the
// young one; when that is full it becomes the old one.
type hot struct {
	young, old map[string][]byte // nil: absent
	bytes      int               // of young
	limit      int
}

// hotOverhead is about what an entry of the map takes beside key and value.
const hotOverhead = 96

func newHot(limit int) hot { return hot{young: map[string][]byte{}, limit: limit} }

// get answers what is known of a key; a nil value is an absent one.
func (h *hot) get(key []byte) (value []byte, known bool) {
	if value, known = h.young[string(key)]; known {
		return value, true
	}
	if value, known = h.old[string(key)]; known {
		h.put(string(key), value)
	}
	return value, known
}

func (h *hot) put(key string, value []byte) {
	before := len(h.young)
	if h.young[key] = value; len(h.young) > before {
		h.bytes += len(key) + len(value) + hotOverhead
	}
	if h.bytes > h.limit {
		h.old, h.young, h.bytes = h.young, map[string][]byte{}, 0
	}
}

// follow takes the changes of a version that became the newest.
func (h *hot) follow(changes []*change) {
	for _, c := range changes {
		h.put(string(c.key), c.value)
	}
}
