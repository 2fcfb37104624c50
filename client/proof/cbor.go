package proof

import "encoding/binary"

// The part of CBOR (RFC 8949) that COSE receipts are made of, in its core
// deterministic encoding: one way to write each value.
const (
	cborUint  = 0 << 5
	cborInt   = 1 << 5
	cborBytes = 2 << 5
	cborText  = 3 << 5
	cborArray = 4 << 5
	cborMap   = 5 << 5
	cborTag   = 6 << 5
	cborNull  = 0xf6
)

// appendHead appends a major type and its argument, in the fewest octets.
func appendHead(dst []byte, major byte, n uint64) []byte {
	switch {
	case n < 24:
		return append(dst, major|byte(n))
	case n < 1<<8:
		return append(dst, major|24, byte(n))
	case n < 1<<16:
		return binary.BigEndian.AppendUint16(append(dst, major|25), uint16(n))
	case n < 1<<32:
		return binary.BigEndian.AppendUint32(append(dst, major|26), uint32(n))
	}
	return binary.BigEndian.AppendUint64(append(dst, major|27), n)
}

func appendString[T ~string | ~[]byte](dst []byte, major byte, s T) []byte {
	return append(appendHead(dst, major, uint64(len(s))), s...)
}

// head reads a major type's argument and refuses longer ways to write it.
func (c *cursor) head(major byte, limit uint64, what string) uint64 {
	first := c.u8(what)
	if c.err == nil && first&0xe0 != major {
		c.fail("%s is of CBOR type %d, must be %d", what, first>>5, major>>5)
	}
	n := uint64(first & 0x1f)
	switch {
	case n < 24:
	case n <= 27:
		size := 1 << (n - 24)
		least := [...]uint64{24, 1 << 8, 1 << 16, 1 << 32}[n-24]
		n = 0
		for _, b := range c.take(uint64(size), what) {
			n = n<<8 | uint64(b)
		}
		if c.err == nil && n < least {
			c.fail("%s is not written in the fewest bytes", what)
		}
	default:
		c.fail("%s has no definite length", what)
	}
	if c.err == nil && n > limit {
		c.fail("%s is %d, over the limit %d", what, n, limit)
	}
	if c.err != nil {
		return 0
	}
	return n
}

func (c *cursor) cborString(major byte, limit uint64, what string) []byte {
	return append([]byte{}, c.take(c.head(major, limit, what), what)...)
}

// expect reads octets that can only be these.
func (c *cursor) expect(want []byte, what string) {
	if got := c.take(uint64(len(want)), what); c.err == nil && string(got) != string(want) {
		c.fail("%s is not as it must be", what)
	}
}
