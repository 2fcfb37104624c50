package protocol

// CheckJSON accepts exactly one JSON value (RFC 8259) without surrounding
// space: nested at most 64 deep, of UTF-8 without lone surrogates. It is what
// the data of an event must be.
func CheckJSON(text []byte) error { return checkJSON(text) }

// UnquoteJSON decodes a string of a text that CheckJSON accepted, quotes
// included. It panics on any other.
func UnquoteJSON(quoted []byte) string { return unquote(quoted) }
