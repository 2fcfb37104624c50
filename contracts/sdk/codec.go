package sdk

// Codec writes values of a type as bytes and reads them back. A codec of keys
// writes so that bytes sort as the values do, and no value's bytes begin
// another's; codecs here are of keys, except RecordOf. Codecs are variables of
// the package or made once, when the contract's variables are.
type Codec[T any] struct {
	// Append appends the bytes of a value.
	Append func(dst []byte, v T) []byte
	// Take reads a value from the start of b and answers what follows it, or
	// false when b does not start with one. The value may share b's memory.
	Take func(b []byte) (v T, rest []byte, ok bool)
}

// Codecs of keys. Times are Unix nanoseconds or any other count in an int64.
var (
	IntKey   = Codec[int64]{AppendOrderedInt, takeOrderedInt}
	UintKey  = Codec[uint64]{AppendOrderedUint, takeOrderedUint}
	TimeKey  = IntKey
	BytesKey = Codec[[]byte]{AppendOrderedBytes, takeOrderedBytes}
	TextKey  = Codec[string]{
		func(dst []byte, v string) []byte { return AppendOrderedBytes(dst, []byte(v)) },
		func(b []byte) (string, []byte, bool) {
			v, rest, ok := takeOrderedBytes(b)
			return string(v), rest, ok
		},
	}
)

// AppendOrderedUint appends 8 bytes, big-endian.
func AppendOrderedUint(dst []byte, v uint64) []byte {
	return append(dst, byte(v>>56), byte(v>>48), byte(v>>40), byte(v>>32),
		byte(v>>24), byte(v>>16), byte(v>>8), byte(v))
}

func takeOrderedUint(b []byte) (v uint64, rest []byte, ok bool) {
	if len(b) < 8 {
		return 0, nil, false
	}
	v = uint64(b[7]) | uint64(b[6])<<8 | uint64(b[5])<<16 | uint64(b[4])<<24 |
		uint64(b[3])<<32 | uint64(b[2])<<40 | uint64(b[1])<<48 | uint64(b[0])<<56
	return v, b[8:], true
}

// AppendOrderedInt appends 8 bytes, big-endian with the sign bit turned, so
// that negative numbers come first.
func AppendOrderedInt(dst []byte, v int64) []byte { return AppendOrderedUint(dst, uint64(v)^1<<63) }

func takeOrderedInt(b []byte) (int64, []byte, bool) {
	v, rest, ok := takeOrderedUint(b)
	return int64(v ^ 1<<63), rest, ok
}

// AppendOrderedBytes appends b with every 0 as 0 255, and 0 1 as its end.
func AppendOrderedBytes(dst, b []byte) []byte {
	plain := 0 // start of what is not yet written
	for i, c := range b {
		if c == 0 {
			dst = append(append(dst, b[plain:i]...), 0, 255)
			plain = i + 1
		}
	}
	return append(append(dst, b[plain:]...), 0, 1)
}

func takeOrderedBytes(b []byte) (v, rest []byte, ok bool) {
	v = make([]byte, 0, len(b))
	for i := 0; i+1 < len(b); i++ {
		if b[i] == 0 {
			i++
			if b[i] == 1 {
				return v, b[i+1:], true
			}
			if b[i] != 255 {
				break
			}
			v = append(v, 0)
			continue
		}
		v = append(v, b[i])
	}
	return nil, nil, false
}

// Descending is a codec of keys in the opposite order: the greatest is first.
func Descending[T any](keys Codec[T]) Codec[T] {
	return Codec[T]{
		Append: func(dst []byte, v T) []byte {
			from := len(dst)
			dst = keys.Append(dst, v)
			complement(dst[from:])
			return dst
		},
		Take: func(b []byte) (v T, rest []byte, ok bool) {
			turned := append([]byte(nil), b...)
			complement(turned)
			v, rest, ok = keys.Take(turned)
			return v, b[len(b)-len(rest):], ok
		},
	}
}

func complement(b []byte) {
	for i := range b {
		b[i] = ^b[i]
	}
}

// TwoKeys is a codec of keys of two parts, sorted by the first.
func TwoKeys[A, B any](first Codec[A], second Codec[B]) Codec[Both[A, B]] {
	return Codec[Both[A, B]]{
		Append: func(dst []byte, v Both[A, B]) []byte { return second.Append(first.Append(dst, v.First), v.Second) },
		Take: func(b []byte) (v Both[A, B], rest []byte, ok bool) {
			if v.First, rest, ok = first.Take(b); ok {
				v.Second, rest, ok = second.Take(rest)
			}
			return v, rest, ok
		},
	}
}

// Both is a key of two parts.
type Both[A, B any] struct {
	First  A
	Second B
}
