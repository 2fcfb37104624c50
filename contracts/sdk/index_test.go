package sdk

import (
	"bytes"
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"testing"
)

// held is an index beside the sorted list it must equal.
type held[K any] struct {
	index   OrderedIndex[K]
	compare func(a, b K) int
	list    []IndexEntry[K]
}

func (h *held[K]) order(a, b IndexEntry[K]) int {
	return cmp.Or(h.compare(a.Key, b.Key), bytes.Compare(a.ID, b.ID))
}

func (h *held[K]) put(k K, id, value []byte) {
	h.index.Put(k, id, value)
	h.drop(k, id)
	e := IndexEntry[K]{k, id, value}
	at, _ := slices.BinarySearchFunc(h.list, e, h.order)
	h.list = slices.Insert(h.list, at, e)
}

func (h *held[K]) drop(k K, id []byte) {
	if at, found := slices.BinarySearchFunc(h.list, IndexEntry[K]{Key: k, ID: id}, h.order); found {
		h.list = slices.Delete(h.list, at, at+1)
	}
}

func text[K any](list []IndexEntry[K]) string {
	var b bytes.Buffer
	for _, e := range list {
		fmt.Fprintf(&b, "%v/%x=%x ", e.Key, e.ID, e.Value)
	}
	return b.String()
}

// check compares every way to read the index with the list.
func (h *held[K]) check(t *testing.T, r *rand.Rand, lowest, end K) {
	t.Helper()
	equal := func(what string, got, want []IndexEntry[K]) {
		t.Helper()
		if text(got) != text(want) {
			t.Fatalf("%s from %v to %v: got\n%s\nwant\n%s", what, lowest, end, text(got), text(want))
		}
	}
	var got, from, within []IndexEntry[K]
	h.index.Each(func(e IndexEntry[K]) bool { got = append(got, e); return true })
	equal("each", got, h.list)
	for _, e := range h.list {
		if h.compare(e.Key, lowest) >= 0 {
			from = append(from, e)
			if h.compare(e.Key, end) < 0 {
				within = append(within, e)
			}
		}
	}
	got = nil
	h.index.From(lowest, func(e IndexEntry[K]) bool { got = append(got, e); return true })
	equal("from", got, from)
	got = nil
	h.index.Range(lowest, end, func(e IndexEntry[K]) bool { got = append(got, e); return true })
	equal("range", got, within)

	got = nil
	limit := 1 + r.IntN(40)
	for cursor := []byte(nil); ; {
		page, next := h.index.Page(lowest, end, cursor, limit)
		got = append(got, page...)
		if next == nil {
			break
		}
		if len(page) != limit {
			t.Fatalf("a page of %d of %d entries has one after it", len(page), limit)
		}
		cursor = next
	}
	equal("page", got, within)

	first, found := h.index.First()
	last, foundLast := h.index.Last()
	if found != (len(h.list) > 0) || foundLast != found {
		t.Fatalf("first %v, last %v of %d entries", found, foundLast, len(h.list))
	}
	if found {
		equal("first", []IndexEntry[K]{first}, h.list[:1])
		equal("last", []IndexEntry[K]{last}, h.list[len(h.list)-1:])
	}
}

// follow changes an index at random and checks it on the way.
func follow[K any](t *testing.T, seed uint64, keys Codec[K], compare func(a, b K) int, random func(*rand.Rand) K) {
	r := rand.New(rand.NewPCG(seed, 1))
	id := func() []byte {
		b := make([]byte, r.IntN(3))
		for i := range b {
			b[i] = byte(r.IntN(3)) * 127
		}
		return b
	}
	inside(t, func() {
		NewMap("aa").Set([]byte{255}, nil) // neighbours in the state
		NewMap("y").Set([]byte{0}, nil)
		h := held[K]{index: NewOrderedIndex("x", keys), compare: compare}
		for round := range 25 {
			for range r.IntN(40) {
				if len(h.list) == 0 || r.IntN(3+round%2*3) > 1 {
					h.put(random(r), id(), id())
					continue
				}
				e := h.list[r.IntN(len(h.list))]
				switch r.IntN(3) {
				case 0:
					h.index.Delete(e.Key, e.ID)
					h.drop(e.Key, e.ID)
				case 1:
					h.put(e.Key, e.ID, id())
				case 2:
					to := random(r)
					h.drop(e.Key, e.ID)
					h.drop(to, e.ID)
					h.index.Move(e.Key, to, e.ID, []byte("m"))
					h.put(to, e.ID, []byte("m"))
				}
			}
			h.check(t, r, random(r), random(r))
		}
	})
}

func randomInt(r *rand.Rand) int64 {
	edges := [...]int64{0, 1, -1, 255, -256, math.MaxInt64, math.MinInt64, 1_700_000_000_000_000_000}
	if r.IntN(3) == 0 {
		return edges[r.IntN(len(edges))] + int64(r.IntN(5))*1e9
	}
	return int64(r.Uint64()) >> r.IntN(64)
}

func randomBytes(r *rand.Rand) []byte {
	b := make([]byte, r.IntN(5))
	for i := range b {
		b[i] = [...]byte{0, 1, 2, 'a', 254, 255}[r.IntN(6)]
	}
	return b
}

func TestIndexAgainstASortedList(t *testing.T) {
	for seed := range uint64(4) {
		follow(t, seed, IntKey, cmp.Compare[int64], randomInt)
		follow(t, seed, UintKey, cmp.Compare[uint64], (*rand.Rand).Uint64)
		follow(t, seed, BytesKey, bytes.Compare, randomBytes)
		follow(t, seed, TextKey, cmp.Compare[string], func(r *rand.Rand) string { return string(randomBytes(r)) })
		follow(t, seed, Descending(IntKey), func(a, b int64) int { return cmp.Compare(b, a) }, randomInt)
		follow(t, seed, Descending(BytesKey), func(a, b []byte) int { return bytes.Compare(b, a) }, randomBytes)
		follow(t, seed, TwoKeys(TextKey, Descending(IntKey)), func(a, b Both[string, int64]) int {
			return cmp.Or(cmp.Compare(a.First, b.First), cmp.Compare(b.Second, a.Second))
		}, func(r *rand.Rand) Both[string, int64] {
			return Both[string, int64]{string(randomBytes(r)), randomInt(r)}
		})
	}
}

// A page is a place: what is deleted behind the cursor does not disturb it,
// and neither does a cursor that was made up.
func TestPagesWhileEntriesLeave(t *testing.T) {
	inside(t, func() {
		x := NewOrderedIndex("due", TimeKey)
		for i := range int64(300) {
			x.Put(i-150, []byte("job"), nil)
		}
		next, seen := []byte(nil), int64(-150)
		for {
			page, cursor := x.Page(math.MinInt64, math.MaxInt64, next, 7)
			for _, e := range page {
				if e.Key != seen {
					t.Fatalf("%d comes where %d was due", e.Key, seen)
				}
				x.Delete(e.Key, e.ID)
				seen++
			}
			if next = cursor; next == nil {
				break
			}
		}
		if _, found := x.First(); found || seen != 150 {
			t.Fatalf("stopped at %d", seen)
		}
		x.Put(5, nil, nil)
		for _, made := range [][]byte{{0}, {255}, make([]byte, 1000), {128, 0, 0, 0, 0, 0, 0, 5}} {
			if page, next := x.Page(0, 9, made, 1000); len(page) > 1 || next != nil {
				t.Fatalf("cursor %x: %d entries", made, len(page))
			}
		}
		if page, _ := x.Page(0, 9, []byte{0}, 0); len(page) != 1 {
			t.Fatal("a cursor before the range hid its entry")
		}
	})
}

// An entry visited may be deleted, replaced or moved ahead; all others are
// visited once.
func TestIndexChangesWhileVisited(t *testing.T) {
	inside(t, func() {
		x := NewOrderedIndex("due", IntKey)
		for i := range int64(200) {
			x.Put(i, []byte{1}, nil)
		}
		var seen []int64
		x.Each(func(e IndexEntry[int64]) bool {
			seen = append(seen, e.Key)
			switch {
			case e.Key < 200 && e.Key%3 == 0:
				x.Delete(e.Key, e.ID)
			case e.Key < 200 && e.Key%3 == 1:
				x.Move(e.Key, e.Key+1000, e.ID, nil)
			}
			return true
		})
		want := make([]int64, 0, 300)
		for i := range int64(200) {
			want = append(want, i)
		}
		for i := range int64(200) {
			if i%3 == 1 {
				want = append(want, i+1000)
			}
		}
		if !slices.Equal(seen, want) {
			t.Fatalf("visited %v", seen)
		}
	})
}

// Bytes of keys are prefix-free, in order, and read back what was written.
func FuzzOrderedBytes(f *testing.F) {
	f.Add([]byte("a"), []byte{'a', 0}, int64(-1), int64(1))
	f.Add([]byte{0, 1}, []byte{0, 255}, int64(0), int64(math.MinInt64))
	f.Fuzz(func(t *testing.T, a, b []byte, m, n int64) {
		x, y := AppendOrderedBytes(nil, a), AppendOrderedBytes(nil, b)
		if bytes.Compare(x, y) != bytes.Compare(a, b) || !bytes.Equal(a, b) && bytes.HasPrefix(x, y) {
			t.Fatalf("%x and %x are written %x and %x", a, b, x, y)
		}
		if v, rest, ok := BytesKey.Take(append(x, b...)); !ok || !bytes.Equal(v, a) || !bytes.Equal(rest, b) {
			t.Fatalf("%x is read as %x, rest %x, %v", a, v, rest, ok)
		}
		if v, rest, ok := BytesKey.Take(a); ok && !bytes.Equal(append(AppendOrderedBytes(nil, v), rest...), a) {
			t.Fatalf("%x is read as %x and %x", a, v, rest)
		}
		if bytes.Compare(IntKey.Append(nil, m), IntKey.Append(nil, n)) != cmp.Compare(m, n) {
			t.Fatalf("%d and %d are out of order", m, n)
		}
	})
}
