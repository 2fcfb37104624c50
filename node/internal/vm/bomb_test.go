package vm

import (
	"bytes"
	"encoding/binary"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/node/internal/vm/module"
)

// bomb assembles a module whose functions, all of type (i32, i32) -> i32, try
// to cost a compiler as much as the rules let them.
func bomb(locals []byte, bodies ...string) []byte {
	u := func(v int) string { return string(binary.AppendUvarint(nil, uint64(v))) }
	section := func(id byte, contents string) string { return string(id) + u(len(contents)) + contents }
	var functions, code strings.Builder
	for _, b := range bodies {
		body := "\x00"
		if len(locals) > 0 {
			body = u(len(locals) / 2)
			for i := 0; i < len(locals); i += 2 {
				body += u(int(locals[i])) + string(locals[i+1])
			}
		}
		body += b + "\x41\x00\x0b"
		functions.WriteByte(0)
		code.WriteString(u(len(body)) + body)
	}
	var out bytes.Buffer
	out.WriteString("\x00asm\x01\x00\x00\x00")
	out.WriteString(section(1, "\x01\x60\x02\x7f\x7f\x01\x7f"))
	out.WriteString(section(3, u(len(bodies))+functions.String()))
	out.WriteString(section(4, "\x01\x70\x00\x10"))
	out.WriteString(section(5, "\x01\x00\x01"))
	out.WriteString(section(7, "\x02\x06memory\x02\x00\x0bcairn_event\x00\x00"))
	out.WriteString(section(10, u(len(bodies))+code.String()))
	return out.Bytes()
}

// TestCompileTime bounds what any admitted module was found to cost to load:
// the worst of the shapes known to be bad for compilers, each filled up to
// the rules. It fails at several times the measured worst case, so that it
// guards the rules and not this machine's speed.
func TestCompileTime(t *testing.T) {
	if testing.Short() {
		t.Skip("takes a while")
	}
	const limit = 10 * time.Second
	fill := func(n int, s string) string { return strings.Repeat(s, n) }
	times := func(n int, s string) []string {
		all := make([]string, n)
		for i := range all {
			all[i] = s
		}
		return all
	}
	const get, set = "\x20\x00", "\x21\x01"
	branchTable := get + "\x0e" + string(binary.AppendUvarint(nil, 1024)) + fill(1025, "\x00")
	// Touches every local, so that each lives across the code.
	allLocalsUpTo := func(n int, code string) string {
		var b strings.Builder
		for i := range n {
			index := string(binary.AppendUvarint(nil, uint64(i)))
			b.WriteString("\x20" + index + "\x41\x01\x6a\x21" + index)
		}
		return b.String() + code + b.String()
	}
	allLocals := func(code string) string { return allLocalsUpTo(250, code) }
	// A body as large as the rules let it be, and as many as the module takes.
	full := func(before, unit, after string) []string {
		body := before + fill((32<<10-40-len(before)-len(after))/len(unit), unit) + after
		return times((512<<10-300)/(len(body)+40), body)
	}
	// Results are stored, so that nothing is dead.
	const storeI32, storeF32, storeF64 = get + get + "\x36\x00\x00", get + "\x20\x02\x38\x00\x00", get + "\x20\x02\x39\x00\x00"
	cases := []struct {
		name   string
		locals []byte
		bodies []string
	}{
		{"nested loops with locals", []byte{254, 0x7f}, times(10, fill(12, fill(16, "\x03\x40"+get+"\x0d\x00")+fill(16, "\x0b")))},
		{"nested loops, all locals live", []byte{254, 0x7f}, times(10, allLocals(fill(12, fill(16, "\x03\x40"+get+"\x0d\x00")+fill(16, "\x0b"))))},
		{"ifs that set locals", []byte{254, 0x7f}, times(10, fill(380, get+"\x04\x40"+get+set+"\x0b"))},
		{"ifs, all locals live", []byte{254, 0x7f}, times(10, allLocals(fill(380, get+"\x04\x40"+get+set+"\x0b")))},
		{"sequential ifs", nil, times(10, fill(2000, get+"\x04\x40"+get+set+"\x0b"))},
		{"blocks left early", nil, times(10, fill(1000, "\x02\x40"+get+"\x0d\x00"+get+set+"\x0b"))},
		{"nested blocks", nil, times(10, fill(15, fill(127, "\x02\x40")+get+"\x0d\x7e"+fill(127, "\x0b")))},
		{"branch tables", nil, times(15, "\x02\x40"+branchTable+"\x0b")},
		{"branch tables of nested blocks", nil, times(10, fill(127, "\x02\x40")+get+"\x0e\x7e"+string(seq(127))+fill(127, "\x0b"))},
		{"straight code", nil, full("", get+"\x20\x01\x6a\x21\x00", storeI32)},
		{"float additions", []byte{2, 0x7d}, full("", "\x20\x02\x20\x03\x92\x21\x02", storeF32)},
		{"float divisions", []byte{2, 0x7c}, full("", "\x20\x02\x20\x03\xa3\x21\x02", storeF64)},
		{"unary floats", []byte{2, 0x7d}, full("\x20\x02", "\x91", "\x21\x02"+storeF32)[:4]},
		{"float minima", []byte{2, 0x7d}, full("", "\x20\x02\x20\x03\x96\x21\x02", storeF32)},
		{"truncations", []byte{2, 0x7c}, full("", get+"\xb7\xaa\x21\x00", storeI32)},
		{"saturating conversions", []byte{2, 0x7c}, full("", get+"\xb7\xfc\x02\x21\x00", storeI32)},
		{"remainders", nil, full("", get+"\x20\x01\x6f\x21\x00", storeI32)},
		{"divisions", nil, full("", get+"\x20\x01\x6d\x21\x00", storeI32)},
		{"rotations and counts", nil, full("", get+"\x67\x20\x01\x77\x69\x68\x21\x00", storeI32)},
		{"deep stack", nil, times(15, fill(5400, get+"\x28\x00\x00")+fill(5399, "\x6a")+set)},
		{"calls", nil, full("", get+"\x20\x01\x10\x00\x21\x00", storeI32)},
		{"indirect calls", nil, full("", get+"\x20\x01"+get+"\x11\x00\x00\x21\x00", storeI32)},
		{"calls between live locals", []byte{250, 0x7f}, times(10, allLocals(fill(3000, get+"\x20\x01\x10\x00\x21\x00")))},
		{"loads and stores", nil, full("", get+get+"\x28\x00\x00\x36\x00\x00", "")},
		{"memory grows", nil, times(1, fill(64, get+"\x40\x00"+set))},
		{"memory fills", nil, times(10, fill(250, get+get+get+"\xfc\x0b\x00"))},
		{"memory copies", nil, times(10, fill(250, get+get+get+"\xfc\x0a\x00\x00"))},
		{"conditional branches", nil, times(10, "\x02\x40"+fill(1999, get+"\x0d\x00")+"\x0b")},
		{"costly conditional branches", nil, times(10, "\x02\x40"+fill(1999, get+get+"\x6d\x0d\x00"+get+set)+"\x0b")},
		{"costly branches, locals live", []byte{48, 0x7f}, times(10, allLocalsUpTo(50, "\x02\x40"+fill(820, get+get+"\x6d\x0d\x00"+get+set)+"\x0b"))},
		{"costly ifs", nil, times(10, fill(1000, get+get+"\x6f\x04\x40"+get+get+"\x6d"+set+"\x0b"+get+get+"\x6d"+set))},
		{"costly ifs with else", nil, times(10, fill(1000, get+get+"\x6f\x04\x40"+get+get+"\x6d"+set+"\x05"+get+get+"\x6d"+set+"\x0b"))},
		{"costly nested ifs", nil, times(10, fill(15, fill(64, get+get+"\x6f\x04\x40"+get+get+"\x6d"+set)+fill(64, get+get+"\x6d"+set+"\x0b")))},
		{"loops left and repeated", []byte{48, 0x7f}, times(10, allLocalsUpTo(50, fill(410, "\x03\x40"+get+"\x0d\x00\x0b")))},
		{"loops that hold everything", []byte{48, 0x7f}, times(10, allLocalsUpTo(50, fill(16, "\x03\x40")+fill(800, get+"\x0d\x0f")+fill(16, "\x0b")))},
		{"costly loops that hold everything", nil, times(10, fill(16, "\x03\x40")+fill(1900, get+get+"\x6f\x0d\x0f")+fill(16, "\x0b"))},
		{"many small functions", nil, times(4096, fill(30, get+set))},
	}
	worst := time.Duration(0)
	for _, c := range cases {
		e := newEngine(t, Config{})
		code := bomb(c.locals, c.bodies...)
		var fault *module.Fault
		for n := len(c.bodies) - 1; n > 0 && errors.As(e.Check(code), &fault) && fault.Rule == "work"; n-- {
			code = bomb(c.locals, c.bodies[:n]...)
			fault = nil
		}
		start := time.Now()
		_, err := e.Load(code)
		took := time.Since(start)
		t.Logf("%-32s %7d bytes %8s %v", c.name, len(code), took.Round(time.Millisecond), err)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		}
		worst = max(worst, took)
	}
	t.Logf("worst: %v", worst)
	if worst > limit {
		t.Errorf("compiling took %v, over %v", worst, limit)
	}
}

// seq is 0 to n-1 and n-1 again, the targets of a br_table.
func seq(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}
