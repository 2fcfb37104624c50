package vm

import (
	"context"
	"encoding/hex"
	"flag"
	"runtime"
	"runtime/metrics"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/node/internal/vm/module"
)

var searchFor = flag.Duration("search", 0, "how long TestSearchCompileTime looks for modules that are slow to compile")

// genes decide on a module that is as large as the rules let it be: how its
// functions begin, what they repeat, and how much of the rules' room one
// function takes.
type genes struct {
	*entropy
	groups        [4]int // locals beside the two parameters, by type
	base          [4]int // index of the first of each
	step          int    // how far the code moves along them
	labels        int    // open blocks around
	globals, wide int
}

// slowModule builds the module of some genes; admitted by construction.
func slowModule(data []byte) []byte {
	l := module.Contract()
	g := &genes{entropy: newEntropy(data), globals: 8, wide: 1}
	kinds := []byte{module.I32, module.I64, module.F32, module.F64}
	var locals []byte
	for i, kind := range kinds {
		g.groups[i], g.base[i] = 1+pick(g.entropy, 0, 0, 1, 3, 7, 15, 31, 62)*(1+g.n(4))/2, 2+len(locals)
		g.groups[i] = min(g.groups[i], l.Locals-2-len(locals)-len(kinds)+i+1)
		locals = append(locals, []byte(strings.Repeat(string([]byte{kind}), g.groups[i]))...)
	}
	g.step = pick(g.entropy, 0, 1, 1, 1, 3, 7)
	blocks, loops := pick(g.entropy, 1, 1, 1, 8, 40, 100), pick(g.entropy, 0, 0, 1, 4, 15)
	g.labels = blocks + loops
	live := pick(g.entropy, 0, 0, 1, 1, 2) // ways in which all locals live across the code
	units := make([]int, 1+g.n(6))
	for i := range units {
		units[i] = g.n(len(slowUnits))
	}
	share := pick(g.entropy, 1, 1, 2, 3, 4, 8, 16, 64) // of what one function could take
	tail := g.u64()
	body := func(repeats int) string {
		g.entropy = &entropy{state: tail}
		var code strings.Builder
		if live > 0 {
			code.WriteString(g.touch(live))
		}
		code.WriteString(strings.Repeat("\x02\x40", blocks) + strings.Repeat("\x03\x40", loops))
		for k := range repeats {
			code.WriteString(slowUnits[units[k%len(units)]](g, k))
		}
		code.WriteString(strings.Repeat("\x0b", blocks+loops))
		if live > 0 {
			code.WriteString(g.touch(live))
		}
		return code.String() + i32Const(0)
	}
	build := func(functions, repeats int) []byte {
		a := &assembly{pages: 1, table: make([]int, 16)}
		a.kindOf(eventType)
		wide := module.NewFuncType(module.I64, []byte(strings.Repeat(i64, 8)+strings.Repeat(f64, 8)+strings.Repeat(i32, 16))...)
		a.add(assemblyFunc{kind: 0, code: i32Const(0)})
		a.add(assemblyFunc{kind: a.kindOf(wide), code: i64Const(0)})
		for i := range g.globals {
			a.globals = append(a.globals, assemblyGlobal{kinds[i%4], true, (&generator{}).zero(kinds[i%4])})
		}
		f := assemblyFunc{kind: 0, locals: locals, code: body(repeats)}
		for range functions {
			a.add(f)
		}
		a.entry("cairn_event", 0)
		return a.bytes()
	}
	fits := func(functions, repeats int) bool {
		e := Engine{limits: l}
		_, err := e.meter(build(functions, repeats))
		return err == nil
	}
	repeats := max(1, largest(32<<10, func(n int) bool { return fits(1, n) })/share)
	return build(largest(l.Functions-2, func(n int) bool { return fits(n, repeats) }), repeats)
}

// largest answers the largest n up to limit for which ok holds, which holds
// for all smaller ones, and 1 at least.
func largest(limit int, ok func(int) bool) int {
	n := 1
	for n < limit && ok(min(2*n, limit)) {
		n = min(2*n, limit)
	}
	for low, high := n, min(2*n, limit+1); high-low > 1+low/32; n = low {
		if middle := (low + high) / 2; ok(middle) {
			low = middle
		} else {
			high = middle
		}
		n = low
	}
	return n
}

// local answers a local of a group; k moves along.
func (g *genes) local(group, k int) int { return g.base[group] + k*g.step%g.groups[group] }

func (g *genes) get(group, k int) string { return op(0x20, g.local(group, k)) }

func (g *genes) set(group, k int) string { return op(0x21, g.local(group, k)) }

// touch reads and writes every local, or only writes it.
func (g *genes) touch(how int) string {
	var code strings.Builder
	add := []string{i32Const(1) + "\x6a", i64Const(1) + "\x7c", "\x43\x00\x00\x80\x3f\x92", "\x44\x00\x00\x00\x00\x00\x00\xf0\x3f\xa0"}
	drop := []string{"\x36\x00\x00", "\x37\x00\x00", "\x38\x00\x00", "\x39\x00\x00"}
	for group := range g.groups {
		for i := range g.groups[group] {
			at := g.base[group] + i
			if how == 1 {
				code.WriteString(op(0x20, at) + add[group] + op(0x21, at))
			} else {
				code.WriteString(op(0x20, 0) + op(0x20, at) + drop[group])
			}
		}
	}
	return code.String()
}

// binary is a unit that applies an instruction to two locals of a group.
func binaryUnit(group int, code string) func(*genes, int) string {
	return func(g *genes, k int) string { return g.get(group, k) + g.get(group, k+1) + code + g.set(group, k+2) }
}

// change is a unit that applies an instruction from one group to another.
func changeUnit(from int, code string, to int) func(*genes, int) string {
	return func(g *genes, k int) string { return g.get(from, k) + code + g.set(to, k+1) }
}

// costly leaves an i32 whose price is over what is merged.
func (g *genes) costly(k int) string { return g.get(0, k) + g.get(0, k+1) + "\x6e" }

// slowUnits leave the stack as it is; k counts them.
var slowUnits = []func(g *genes, k int) string{
	binaryUnit(0, "\x6a"), binaryUnit(0, "\x6f"), binaryUnit(0, "\x6d"), binaryUnit(0, "\x77"), binaryUnit(1, "\x81"), binaryUnit(1, "\x7f"),
	binaryUnit(2, "\x92"), binaryUnit(2, "\x96"), binaryUnit(2, "\x98"), binaryUnit(3, "\xa3"), binaryUnit(3, "\xa5"), binaryUnit(3, "\xa0"),
	changeUnit(2, "\x91", 2), changeUnit(3, "\x9c", 3), changeUnit(3, "\xaa", 0), changeUnit(3, "\xfc\x07", 1), changeUnit(1, "\xba", 3),
	changeUnit(2, "\xa9", 0), changeUnit(2, "\xfc\x05", 1), changeUnit(2, "\xbb", 3), changeUnit(3, "\xb6", 2), changeUnit(1, "\x7b", 1), changeUnit(0, "\x69", 0),
	func(g *genes, k int) string { return g.get(0, k) + "\x2c\x00\x00" + g.set(0, k+1) },
	func(g *genes, k int) string { return g.get(0, k) + g.get(1, k) + "\x37\x00" + uleb(uint64(k*8)) },
	func(g *genes, k int) string { return g.get(0, k) + g.get(3, k) + "\x39\x00\x00" },
	func(g *genes, k int) string { return g.get(0, k) + g.get(0, k+1) + op(0x10, 0) + g.set(0, k+2) },
	func(g *genes, k int) string {
		return g.get(0, k) + g.get(0, k+1) + g.get(0, k+2) + "\x11\x00\x00" + g.set(0, k+3)
	},
	func(g *genes, k int) string { return g.wideArgs(k) + op(0x10, 1) + g.set(1, k) },
	func(g *genes, k int) string { return g.wideArgs(k) + i32Const(1) + "\x11\x01\x00" + g.set(1, k) },
	func(g *genes, k int) string { return g.get(0, k) + g.get(0, k+1) + g.get(0, k+2) + "\xfc\x0b\x00" },
	func(g *genes, k int) string { return g.get(0, k) + g.get(0, k+1) + g.get(0, k+2) + "\xfc\x0a\x00\x00" },
	func(g *genes, k int) string { return g.get(0, k) + "\x40\x00" + g.set(0, k+1) },
	func(g *genes, k int) string { return "\x3f\x00" + g.set(0, k) },
	func(g *genes, k int) string { return g.get(0, k) + op(0x0d, k%g.labels) },
	func(g *genes, k int) string { return g.costly(k) + op(0x0d, k%g.labels) },
	func(g *genes, k int) string { return g.costly(k) + op(0x0d, g.labels-1) + g.get(0, k) + g.set(0, k+1) },
	func(g *genes, k int) string { return g.get(0, k) + "\x04\x40" + g.get(0, k) + g.set(0, k+1) + "\x0b" },
	func(g *genes, k int) string { return g.costly(k) + "\x04\x40" + g.costly(k) + g.set(0, k+1) + "\x0b" },
	func(g *genes, k int) string {
		return g.costly(k) + "\x04\x40" + g.costly(k) + g.set(0, k+1) + "\x05" + g.get(1, k) + g.set(1, k+1) + "\x0b"
	},
	func(g *genes, k int) string {
		return g.costly(k) + "\x04\x7c" + g.get(3, k) + "\x05" + g.get(3, k+1) + "\x0b" + g.set(3, k+2)
	},
	func(g *genes, k int) string { return "\x03\x40" + g.get(0, k) + "\x0d\x00\x0b" },
	func(g *genes, k int) string {
		return "\x03\x40" + g.costly(k) + "\x0d\x00" + g.get(1, k) + g.set(1, k+1) + "\x0b"
	},
	func(g *genes, k int) string {
		return "\x02\x40" + g.costly(k) + "\x0d\x00" + g.costly(k) + g.set(0, k+1) + "\x0b"
	},
	func(g *genes, k int) string {
		return "\x02\x7e" + g.get(1, k) + g.get(0, k) + "\x0d\x00" + "\x0b" + g.set(1, k+1)
	},
	func(g *genes, k int) string { return g.table(1+k%8, k) },
	func(g *genes, k int) string { return g.table(60, k) },
	func(g *genes, k int) string { return g.table(1_000, k) },
	func(g *genes, k int) string { return "\x02\x40\x0c\x00" + g.costly(k) + g.set(0, k) + "\x0b" },
	func(g *genes, k int) string { return g.costly(k) + "\x04\x40" + i32Const(0) + "\x0f\x0b" },
	func(g *genes, k int) string { return g.costly(k) + "\x04\x40\x00\x0b" },
	func(g *genes, k int) string { return op(0x23, k*4%g.globals) + op(0x24, (k+1)*4%g.globals) },
	func(g *genes, k int) string {
		return g.get(3, k) + g.get(3, k+1) + g.get(0, k) + "\x1b" + g.set(3, k+2)
	},
	func(g *genes, k int) string { return g.deep(200, k) },
	func(g *genes, k int) string { return g.deep(20, k) },
	func(g *genes, k int) string { return "\x44" + strings.Repeat(string([]byte{byte(k)}), 8) + g.set(3, k) },
	func(g *genes, k int) string { return i64Const(int64(k)*0x1234567) + g.set(1, k) },
	func(g *genes, k int) string {
		return g.get(0, k) + g.get(0, k+1) + "\x48" + g.get(0, k+2) + "\x71" + op(0x0d, k%g.labels)
	},
	func(g *genes, k int) string { return g.get(3, k) + g.get(3, k+1) + "\x63" + op(0x0d, k%g.labels) },
	func(*genes, int) string { return "\x01" },
}

func (g *genes) wideArgs(k int) string {
	var code strings.Builder
	for i := range 8 {
		code.WriteString(g.get(1, k+i))
	}
	for i := range 8 {
		code.WriteString(g.get(3, k+i))
	}
	for i := range 16 {
		code.WriteString(g.get(0, k+i))
	}
	return code.String()
}

// table is a br_table in a block of its own.
func (g *genes) table(targets, k int) string {
	code := "\x02\x40" + g.get(0, k) + "\x0e" + uleb(uint64(targets))
	for i := range targets + 1 {
		code += uleb(uint64((i + k) % (g.labels + 1)))
	}
	return code + "\x0b"
}

// deep piles up values and adds them.
func (g *genes) deep(n, k int) string {
	var code strings.Builder
	for i := range n {
		code.WriteString(g.get(1, k+i))
	}
	return code.String() + strings.Repeat("\x7c", n-1) + g.set(1, k)
}

// expense is what loading a module takes.
type expense struct {
	time   time.Duration // of the processor
	memory uint64        // at once, above what was there before
	bytes  int
}

// spend loads a module on a new engine.
func spend(t testing.TB, code []byte) expense {
	e, err := New(context.Background(), Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	runtime.GC()
	before, stop, peak := heapNow(), make(chan bool), make(chan uint64)
	go func() {
		most := uint64(0)
		for {
			most = max(most, heapNow())
			select {
			case <-stop:
				peak <- most
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	start := processorTime()
	if _, err := e.Load(code); err != nil {
		t.Fatal(err)
	}
	x := expense{time: processorTime() - start, bytes: len(code)}
	close(stop)
	if most := <-peak; most > before {
		x.memory = most - before
	}
	return x
}

func heapNow() uint64 {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	return s[0].Value.Uint64()
}

// processorTime is what this process has used: other processes do not slow it.
func processorTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// worstFound are the genes of modules that took longest to load, or most
// memory, at the end of searches.
var worstFound = []string{
	// Under the rules as they are: 0.8 s and 110 MiB of 19 KB.
	"39f3e47365a6beffcfb0225ddb8ec92f8a10ac809b85ebf7fdb42370553f65ead941c010f28942e4",
	// One function of 1,000 costly branches with 90 locals alive.
	"fd07608532099e25cc87443b9e1b9ce741043ae72d5757aa2ea05ea9f190c619af06acc89b037e63",
	// Calls and conversions between 138 live locals, and a branch each.
	"1a434f3bc825e3ffd8cd3357c9cec39c89a9d42ed77eddd4410a0cc4015b247590490752c17756ac",
	// Remainders, comparisons and branches.
	"64f91da294766ceaeb431fa4cd013968e1f02484023dbdaa37dda1e814e8f11cfa4a168a4869224d",
	// Indirect calls in ifs with else, in as many functions as fit.
	"c13860ed61a283ec8892f91d9e6393168226f0d7d963de9a13fb6f9006548a15ded9a6900cb4b402",
	// Square roots, calls and ifs, as large as the binary may be.
	"38affcefa690785bf6da761fad6e44c014fc59386a89e5d8335e759fb442b2155574ea5231df7aad",
	// br_tables into 15 loops around 122 live locals: 2.5 s and 650 MiB when
	// a br_table counted as one branch.
	"9670e40217fe910b08ac091c5cf6caa6804cdf0975f968869b075fbcd4ceae773280266105cb2222",
}

// TestWorstFound bounds what the worst modules that searches found take to
// load, at several times what was measured: 0.8 s and 110 MiB.
func TestWorstFound(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while")
	}
	for _, text := range worstFound {
		data, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		x := spend(t, slowModule(data))
		t.Logf("%7d bytes, %5d ms, %3d MiB", x.bytes, x.time.Milliseconds(), x.memory>>20)
		if x.time > 5*time.Second || x.memory > 256<<20 {
			t.Errorf("the module of the genes %s takes %v and %d MiB to load", text, x.time, x.memory>>20)
		}
	}
}

// TestSearchCompileTime climbs towards slow modules from random ones, for as
// long as -search says.
func TestSearchCompileTime(t *testing.T) {
	if *searchFor == 0 {
		t.Skip("searches for as long as -search says")
	}
	random := newEntropy([]byte(time.Now().String()))
	random.state = uint64(time.Now().UnixNano())
	random.data = nil
	score := func(x expense) float64 { return float64(x.time) + float64(x.memory)*2 } // 500 MB count like a second
	var bestEver float64
	for end := time.Now().Add(*searchFor); time.Now().Before(end); {
		var best []byte
		var most float64
		for tries, failed := 0, 0; failed < 25 && time.Now().Before(end); tries++ {
			next := make([]byte, 40)
			if tries < 12 {
				for i := range next {
					next[i] = random.byte()
				}
			} else {
				copy(next, best)
				for range 1 + random.n(3) {
					next[8+random.n(32)] = random.byte()
				}
				if random.in(4) {
					next[random.n(8)] = random.byte()
				}
			}
			x := spend(t, slowModule(next))
			if s := score(x); s > most {
				best, most, failed = next, s, 0
				if s > bestEver {
					bestEver = s
					t.Logf("%s: %v, %d MiB, %d bytes", hex.EncodeToString(next), x.time.Round(time.Millisecond), x.memory>>20, x.bytes)
				}
			} else if tries >= 12 {
				failed++
			}
		}
		t.Logf("a summit: %s, %.2f", hex.EncodeToString(best), most/1e9)
	}
}
