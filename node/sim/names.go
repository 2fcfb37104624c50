package sim

import (
	"encoding/binary"
	"fmt"
	"math"

	"github.com/cairn-ledger/cairn/node/internal/vm/module"
)

// cutter cuts a binary into its parts. What is cut wrong is bad, and from then
// on empty.
type cutter struct {
	buf []byte
	bad bool
}

func (c *cutter) take(n int) []byte {
	if n < 0 || n > len(c.buf) {
		c.bad, c.buf = true, nil
		return nil
	}
	out := c.buf[:n]
	c.buf = c.buf[n:]
	return out
}

func (c *cutter) number() int {
	v, n := binary.Uvarint(c.buf)
	if n <= 0 || v > math.MaxInt32 {
		c.bad, c.buf = true, nil
		return 0
	}
	c.buf = c.buf[n:]
	return int(v)
}

func (c *cutter) run() []byte { return c.take(c.number()) }

// functions are names of functions by index.
type functions map[int]string

// name is how a person finds the function: by its name in the source where the
// module still says it, and by its index.
func (f functions) name(index int) string {
	if name := f[index]; name != "" {
		return fmt.Sprintf("function %d (%s)", index, name)
	}
	return fmt.Sprintf("function %d", index)
}

// functionNames reads the exports, and over them what compilers leave in the
// custom section "name".
func functionNames(wasm []byte) functions {
	f := functions{}
	limits := wide()
	if m, err := module.Parse(wasm, &limits); err == nil {
		for _, e := range m.Exports {
			if e.Kind == module.ExternFunc {
				f[int(e.Index)] = e.Name
			}
		}
	}
	c := cutter{buf: wasm}
	c.take(8) // magic and version
	for len(c.buf) > 0 {
		id, contents := c.take(1), c.run()
		if c.bad || id[0] != module.SectionCustom {
			continue
		}
		if s := (&cutter{buf: contents}); string(s.run()) == "name" {
			f.read(s)
		}
	}
	return f
}

// read takes the function names of a "name" section.
func (f functions) read(section *cutter) {
	for len(section.buf) > 0 {
		id, part := section.take(1), section.run()
		if section.bad || id[0] != 1 { // function names
			continue
		}
		s := cutter{buf: part}
		for range s.number() {
			index, name := s.number(), s.run()
			if s.bad {
				break
			}
			f[index] = printable(name)
		}
	}
}

// printable makes a name from a module safe to show.
func printable(name []byte) string {
	const longest = 80
	text := fmt.Sprintf("%q", name[:min(len(name), longest)])
	return text[1 : len(text)-1]
}
