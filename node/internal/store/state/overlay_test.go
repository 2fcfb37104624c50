package state

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	"github.com/cockroachdb/pebble/v2/vfs"
	"pgregory.net/rapid"
)

// Children inside children, committed and discarded, against maps: every open
// overlay reads its own writes over its parents' over the committed state.
func TestNestedOverlaysAgreeWithMaps(t *testing.T) {
	l := openLedger(t, vfs.NewMem(), 0, Options{})
	defer l.db.Close()
	committed := map[string]string{}
	l.block(1, func(o *Overlay) {
		for i := range 40 {
			key := fmt.Sprintf("k%02d", i*2)
			committed[key] = "committed"
			if err := o.Set([]byte(key), []byte("committed")); err != nil {
				t.Fatal(err)
			}
		}
	})
	rapid.Check(t, func(t *rapid.T) {
		overlays, models := []*Overlay{l.tree.Overlay()}, []map[string]string{maps.Clone(committed)}
		top := func() (*Overlay, map[string]string) { return overlays[len(overlays)-1], models[len(models)-1] }
		drop := func() { overlays, models = overlays[:len(overlays)-1], models[:len(models)-1] }
		key := rapid.Custom(func(t *rapid.T) string { return fmt.Sprintf("k%02d", rapid.IntRange(0, 99).Draw(t, "n")) })
		t.Repeat(map[string]func(*rapid.T){
			"set": func(t *rapid.T) {
				o, m := top()
				k, v := key.Draw(t, "key"), rapid.StringN(0, 3, -1).Draw(t, "value")
				m[k] = v
				if err := o.Set([]byte(k), []byte(v)); err != nil {
					t.Fatal(err)
				}
			},
			"delete": func(t *rapid.T) {
				o, m := top()
				k := key.Draw(t, "key")
				delete(m, k)
				if err := o.Delete([]byte(k)); err != nil {
					t.Fatal(err)
				}
			},
			"child": func(t *rapid.T) {
				if len(overlays) == 6 {
					t.Skip("deep enough")
				}
				o, m := top()
				overlays, models = append(overlays, o.Child()), append(models, maps.Clone(m))
			},
			"commit": func(t *rapid.T) {
				if len(overlays) == 1 {
					t.Skip("the root")
				}
				o, m := top()
				o.Commit()
				drop()
				models[len(models)-1] = m
			},
			"discard": func(t *rapid.T) {
				if len(overlays) == 1 {
					t.Skip("the root")
				}
				o, _ := top()
				o.Discard()
				drop()
			},
			"": func(t *rapid.T) {
				o, m := top()
				compareScan(t, o, m, rapid.SampledFrom([]string{"", "k", "k4", "z"}).Draw(t, "prefix"),
					rapid.SampledFrom([]string{"", "a", "k", "k41", "k42", "zz"}).Draw(t, "after"), rapid.IntRange(0, 50).Draw(t, "limit"))
			},
		})
	})
}

func compareScan(t *rapid.T, o *Overlay, model map[string]string, prefix, after string, limit int) {
	pairs, err := o.Scan([]byte(prefix), []byte(after), limit)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	for _, k := range slices.Sorted(maps.Keys(model)) {
		if len(k) >= len(prefix) && k[:len(prefix)] == prefix && k > after && len(want) < limit {
			want = append(want, k+"="+model[k])
		}
	}
	var got []string
	for _, kv := range pairs {
		got = append(got, string(kv.Key)+"="+string(kv.Value))
	}
	if !slices.Equal(got, want) {
		t.Fatalf("scan of %q after %q: %q, want %q", prefix, after, got, want)
	}
	for _, k := range []string{"k00", "k41", "k42", "k99"} {
		value, ok, err := o.Get([]byte(k))
		if want, present := model[k]; err != nil || ok != present || string(value) != want {
			t.Fatalf("get %s: %q %v %v, want %q %v", k, value, ok, err, want, present)
		}
	}
}

// Keys added in parts of any size lie in order, each once.
func TestIndexKeepsOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var x index
		var want []string
		sizes := rapid.SliceOfN(rapid.IntRange(0, 700), 1, 6).Draw(t, "sizes")
		number := rapid.Uint32Range(1, 1<<20).Draw(t, "start")
		for _, size := range sizes {
			var part []string
			for range size {
				number = number*1664525 + 1013904223 // every number once
				part = append(part, fmt.Sprintf("%08x", number))
			}
			want = append(want, part...)
			x.add(part)
		}
		slices.Sort(want)
		from := fmt.Sprintf("%08x", rapid.Uint32().Draw(t, "from"))
		first, _ := slices.BinarySearch(want, from)
		at := x.from(from)
		for i := first; i < len(want); i++ {
			if key, ok := at.peek(); !ok || key != want[i] {
				t.Fatalf("key %d from %s is %q, want %q", i, from, key, want[i])
			}
			at.advance()
		}
		if key, ok := at.peek(); ok {
			t.Fatalf("%q lies past the last key", key)
		}
	})
}

func TestBoundsOfKeysAndValues(t *testing.T) {
	l := openLedger(t, vfs.NewMem(), 0, Options{})
	defer l.db.Close()
	o := l.tree.Overlay()
	for _, c := range []struct {
		key, value int
		ok         bool
	}{{0, 1, false}, {1, 0, true}, {maxKeyBytes, maxValueBytes, true}, {maxKeyBytes + 1, 0, false}, {1, maxValueBytes + 1, false}} {
		if err := o.Set(make([]byte, c.key), make([]byte, c.value)); (err == nil) != c.ok {
			t.Errorf("key of %d bytes, value of %d: %v", c.key, c.value, err)
		}
	}
	if value, ok, err := o.Get([]byte{0}); err != nil || !ok || value == nil || len(value) != 0 {
		t.Errorf("an empty value reads as %v %v %v", value, ok, err)
	}
}

// A delivery costs the same late in a block as early: 50,000 of them each add
// a key and scan. After one large delivery the later ones stay small.
func BenchmarkDeliveries(b *testing.B) {
	for _, scan := range []bool{false, true} {
		b.Run(fmt.Sprintf("scan=%v", scan), func(b *testing.B) {
			l := openLedger(b, vfs.NewMem(), 0, Options{})
			defer l.db.Close()
			const deliveries = 50_000
			for b.Loop() {
				o := l.tree.Overlay()
				large := o.Child()
				for i := range deliveries {
					_ = large.Set(fmt.Appendf(nil, "large/%d", i), []byte("v"))
				}
				large.Discard()
				for i := range deliveries {
					deliver(b, o.Child(), fmt.Appendf(nil, "lot/%d", i*7919%deliveries), scan)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/deliveries, "ns/delivery")
		})
	}
}

func deliver(b *testing.B, child *Overlay, key []byte, scan bool) {
	if err := child.Set(key, []byte("value")); err != nil {
		b.Fatal(err)
	}
	if scan {
		if pairs, err := child.Scan([]byte("lot/"), nil, 1); err != nil || len(pairs) != 1 {
			b.Fatal(len(pairs), err)
		}
	}
	child.Commit()
}
