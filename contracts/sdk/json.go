package sdk

// JSON writes a JSON text into memory: compact, in the order of the calls,
// with commas set by itself. It does not check that objects and arrays are
// closed or that members have names: a test of the contract reads the result.
//
//	var w sdk.JSON
//	w.Object().Key("lot").Text(lot).Key("cents").Int(225).EndObject()
type JSON struct{ buf []byte }

// Bytes is what was written; it shares the writer's memory.
func (w *JSON) Bytes() []byte { return w.buf }

// comma sets one unless the value is the first of its object or array or
// follows its key. A string's last byte is a quote, so no value is mistaken.
//
//go:noinline
func (w *JSON) comma() {
	if w.buf == nil {
		w.buf = make([]byte, 0, 256)
	}
	if n := len(w.buf); n > 0 {
		switch w.buf[n-1] {
		case '{', '[', ':':
		default:
			w.buf = append(w.buf, ',')
		}
	}
}

// Object opens an object; EndObject closes it.
func (w *JSON) Object() *JSON { return w.raw("{") }

// EndObject closes the object.
func (w *JSON) EndObject() *JSON { return w.put("}") }

// Array opens an array; EndArray closes it.
func (w *JSON) Array() *JSON { return w.raw("[") }

// EndArray closes the array.
func (w *JSON) EndArray() *JSON { return w.put("]") }

// Key names the member whose value comes next. The name is written as it is:
// it has no quotes, backslashes or control characters.
func (w *JSON) Key(name string) *JSON {
	return w.raw("\"").put(name).put("\":")
}

// raw writes a value that is JSON already.
func (w *JSON) raw(value string) *JSON {
	w.comma()
	return w.put(value)
}

// put writes text as it is. It stays a function of its own, as do comma and
// AppendUint, because a copy at every call would double a contract's code.
//
//go:noinline
func (w *JSON) put(text string) *JSON {
	w.buf = append(w.buf, text...)
	return w
}

// Text writes a string. The bytes are UTF-8, as every string of an event is;
// quotes, backslashes and control characters are escaped.
func (w *JSON) Text(s []byte) *JSON {
	const hex = "0123456789abcdef"
	w.comma()
	b := append(w.buf, '"')
	plain := 0 // start of what is not yet written
	for i, c := range s {
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		b = append(append(b, s[plain:i]...), '\\')
		if c < 0x20 {
			b = append(b, 'u', '0', '0', hex[c>>4])
			c = hex[c&15]
		}
		b = append(b, c)
		plain = i + 1
	}
	w.buf = append(append(b, s[plain:]...), '"')
	return w
}

// String writes a string.
func (w *JSON) String(s string) *JSON { return w.Text([]byte(s)) }

// Hex writes octets as text, two lower-case digits each.
func (w *JSON) Hex(b []byte) *JSON {
	const digits = "0123456789abcdef"
	text := make([]byte, 0, 2*len(b))
	for _, c := range b {
		text = append(text, digits[c>>4], digits[c&15])
	}
	return w.Text(text)
}

// Uint writes a number. Readers that hold numbers in a float64 lose digits
// above 2^53: write such values as a string.
func (w *JSON) Uint(v uint64) *JSON {
	w.comma()
	w.buf = AppendUint(w.buf, v)
	return w
}

// Int writes a number, with the caution of Uint.
func (w *JSON) Int(v int64) *JSON {
	w.comma()
	w.buf = AppendInt(w.buf, v)
	return w
}

// Bool writes true or false.
func (w *JSON) Bool(v bool) *JSON {
	if v {
		return w.raw("true")
	}
	return w.raw("false")
}

// Null writes null.
func (w *JSON) Null() *JSON { return w.raw("null") }

// AppendUint appends a number in decimal.
//
//go:noinline
func AppendUint(dst []byte, v uint64) []byte {
	var digits [20]byte
	i := len(digits)
	for {
		q := v / 10
		i--
		digits[i] = byte('0' + v - q*10)
		if v = q; v == 0 {
			return append(dst, digits[i:]...)
		}
	}
}

// AppendInt appends a number in decimal.
func AppendInt(dst []byte, v int64) []byte {
	if v < 0 {
		return AppendUint(append(dst, '-'), -uint64(v))
	}
	return AppendUint(dst, uint64(v))
}
