package proof

import (
	"encoding/binary"
	"fmt"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// MaxInteger bounds every counter in a receipt (heights, indices, sizes,
// sequences, milliseconds) to what each JSON reader holds exactly (RFC 7493).
const MaxInteger = 1<<53 - 1

// cursor walks a canonical encoding. The first fault sticks; after it every
// read answers zero values, so a decoder looks at err once, at its end.
type cursor struct {
	buf []byte
	off int
	err error
}

func (c *cursor) fail(format string, args ...any) {
	if c.err == nil {
		c.err = fmt.Errorf("%w: "+format, append([]any{ErrForm}, args...)...)
	}
}

// take answers the next n bytes without copying them.
func (c *cursor) take(n uint64, what string) []byte {
	if left := uint64(len(c.buf) - c.off); c.err == nil && n > left {
		c.fail("%s needs %d bytes, %d are left", what, n, left)
	}
	if c.err != nil {
		return nil
	}
	b := c.buf[c.off : c.off+int(n)]
	c.off += int(n)
	return b
}

func (c *cursor) u8(what string) byte {
	if b := c.take(1, what); b != nil {
		return b[0]
	}
	return 0
}

// uvarint reads a minimal LEB128 number of at most limit.
func (c *cursor) uvarint(limit uint64, what string) uint64 {
	if c.err != nil {
		return 0
	}
	v, n := binary.Uvarint(c.buf[c.off:])
	switch {
	case n <= 0:
		c.fail("%s is cut short or overflows", what)
	case n > 1 && c.buf[c.off+n-1] == 0:
		c.fail("%s is not written in the fewest bytes", what)
	case v > limit:
		c.fail("%s is %d, over the limit %d", what, v, limit)
	default:
		c.off += n
		return v
	}
	return 0
}

// bytes reads a length-prefixed run of at most limit bytes and copies it; the
// answer is never nil when the read succeeds.
func (c *cursor) bytes(limit uint64, what string) []byte {
	b := c.take(c.uvarint(limit, "length of "+what), what)
	return append(make([]byte, 0, len(b)), b...)
}

func (c *cursor) hash(what string) (h protocol.Hash) {
	copy(h[:], c.take(uint64(len(h)), what))
	return h
}

// hashes reads n hashes; it allocates only when they are there.
func (c *cursor) hashes(n uint64, what string) []protocol.Hash {
	run := c.take(n*32, what)
	if len(run) == 0 {
		return nil
	}
	hs := make([]protocol.Hash, n)
	for i := range hs {
		copy(hs[i][:], run[i*32:])
	}
	return hs
}

// end answers the sticky fault, or one about bytes left over.
func (c *cursor) end() error {
	if c.err == nil && c.off != len(c.buf) {
		c.fail("%d bytes are left over", len(c.buf)-c.off)
	}
	return c.err
}

func appendBytes[T ~string | ~[]byte](dst []byte, b T) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}

func appendHashes(dst []byte, hs []protocol.Hash) []byte {
	for i := range hs {
		dst = append(dst, hs[i][:]...)
	}
	return dst
}
