package protocol

import (
	"bytes"
	"slices"
	"strings"
	"unicode/utf8"
)

// DataForm says how an event's data octets came and are to be shown again.
type DataForm uint8

// Forms of data.
const (
	DataNone   DataForm = 0 // the event carries no data
	DataJSON   DataForm = 1 // the octets are the text of one JSON value
	DataText   DataForm = 2 // the octets are UTF-8 text, shown as a JSON string
	DataBinary DataForm = 3 // any octets, shown as base64
)

// ExtensionKind is the CloudEvents type of an extension attribute.
type ExtensionKind uint8

// Kinds of extension values. CloudEvents' other types travel as strings, as
// its JSON format does.
const (
	ExtensionBool    ExtensionKind = 1
	ExtensionInteger ExtensionKind = 2 // signed 32-bit
	ExtensionString  ExtensionKind = 3
)

// Extension is one extension attribute.
type Extension struct {
	Name string
	Kind ExtensionKind
	Bool bool
	Int  int32
	Text string
}

// Event is a CloudEvents 1.0 event. The empty string means an optional
// attribute is absent. Extensions are sorted by name.
type Event struct {
	ID, Source, Type string // required
	Subject          string // names the sensor, meter or bay
	DataContentType  string // RFC 2046 media type
	DataSchema       string // absolute URI
	TimeNs           int64  // event time, Unix nanoseconds, when HasTime
	HasTime          bool
	Extensions       []Extension
	DataForm         DataForm
	Data             []byte // exactly as submitted
}

// Validate checks everything CloudEvents 1.0 and the limits ask of an event.
// The error carries a code and names the attribute.
func (e *Event) Validate() error {
	var v RecordView
	return v.Parse(e.AppendRecord(nil))
}

// required are the attributes an event cannot be without.
func (v *RecordView) checkAttributes() error {
	for _, a := range [...]struct {
		name  string
		value []byte
	}{{"id", v.ID}, {"source", v.Source}, {"type", v.Type}} {
		if len(a.value) == 0 {
			return Refuse(CodeEventMissing, "event: attribute %q is required and must not be empty", a.name)
		}
	}
	for _, a := range [...]struct {
		name  string
		value []byte
	}{{"id", v.ID}, {"source", v.Source}, {"type", v.Type}, {"subject", v.Subject},
		{"datacontenttype", v.DataContentType}, {"dataschema", v.DataSchema}} {
		if err := checkString(a.name, a.value); err != nil {
			return err
		}
	}
	if !isURIReference(v.Source) {
		return Refuse(CodeEventAttribute, "event: source %q is not a URI reference (RFC 3986)", clip(v.Source))
	}
	if len(v.DataSchema) > 0 && !isAbsoluteURI(v.DataSchema) {
		return Refuse(CodeEventAttribute, "event: dataschema %q is not an absolute URI (RFC 3986)", clip(v.DataSchema))
	}
	if len(v.DataContentType) > 0 && !isMediaType(v.DataContentType) {
		return Refuse(CodeEventAttribute, "event: datacontenttype %q is not a media type (RFC 2046)", clip(v.DataContentType))
	}
	return nil
}

// clip keeps a quoted value short in an error.
func clip(b []byte) []byte { return b[:min(len(b), 80)] }

// checkString holds the CloudEvents String rules: UTF-8 without control
// characters and noncharacters, within the limit.
func checkString(name string, s []byte) error {
	if len(s) > MaxAttributeBytes {
		return Refuse(CodeEventAttribute, "event: attribute %q has %d bytes, the limit is %d", name, len(s), MaxAttributeBytes)
	}
	ascii := true
	for _, c := range s {
		if c < 0x20 || c == 0x7f {
			return Refuse(CodeEventAttribute, "event: attribute %q holds the control character U+%04X", name, c)
		}
		ascii = ascii && c < utf8.RuneSelf
	}
	if ascii {
		return nil
	}
	if !utf8.Valid(s) {
		return Refuse(CodeEventAttribute, "event: attribute %q is not UTF-8", name)
	}
	for _, r := range string(s) {
		if (r >= 0x80 && r <= 0x9f) || (r >= 0xfdd0 && r <= 0xfdef) || r&0xfffe == 0xfffe {
			return Refuse(CodeEventAttribute, "event: attribute %q holds the forbidden character U+%04X", name, r)
		}
	}
	return nil
}

// uriBytes marks what RFC 3986 allows in a URI, beside percent-encoding.
// Bytes of non-ASCII characters are let through: CloudEvents producers send IRIs.
var uriBytes = func() (allowed [256]bool) {
	const set = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~:/?#[]@!$&'()*+,;="
	for _, c := range []byte(set) {
		allowed[c] = true
	}
	for c := utf8.RuneSelf; c < 256; c++ {
		allowed[c] = true
	}
	return allowed
}()

func isURIReference(s []byte) bool {
	for i := 0; i < len(s); i++ {
		if s[i] == '%' {
			if i+2 >= len(s) || !isHexDigit(s[i+1]) || !isHexDigit(s[i+2]) {
				return false
			}
			i += 2
			continue
		}
		if !uriBytes[s[i]] {
			return false
		}
	}
	return len(s) > 0
}

func isHexDigit(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'f' || c >= 'A' && c <= 'F'
}

func isAbsoluteURI(s []byte) bool {
	colon := bytes.IndexByte(s, ':')
	if colon < 1 || !isURIReference(s) {
		return false
	}
	for i, c := range s[:colon] {
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
		other := c >= '0' && c <= '9' || c == '+' || c == '-' || c == '.'
		if !letter && (i == 0 || !other) {
			return false
		}
	}
	return true
}

// isMediaType reads type/subtype and parameters as RFC 2045 section 5.1 writes them.
func isMediaType(s []byte) bool {
	n := tokenLen(s)
	if n == 0 || n >= len(s) || s[n] != '/' {
		return false
	}
	s = s[n+1:]
	if n = tokenLen(s); n == 0 {
		return false
	}
	s = s[n:]
	for len(s) > 0 {
		s = bytes.TrimLeft(s, " \t")
		if len(s) == 0 || s[0] != ';' {
			return false
		}
		s = bytes.TrimLeft(s[1:], " \t")
		n = tokenLen(s)
		if n == 0 || n >= len(s) || s[n] != '=' {
			return false
		}
		if s = s[n+1:]; len(s) > 0 && s[0] == '"' {
			n = quotedLen(s)
		} else {
			n = tokenLen(s)
		}
		if n == 0 {
			return false
		}
		s = s[n:]
	}
	return true
}

func tokenLen(s []byte) int {
	for i, c := range s {
		if c <= ' ' || c >= 0x7f || strings.IndexByte(`()<>@,;:\"/[]?=`, c) >= 0 {
			return i
		}
	}
	return len(s)
}

func quotedLen(s []byte) int {
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return 0
}

// isJSONType says whether a content type declares JSON; an absent one does,
// in the CloudEvents JSON format.
func isJSONType[T ~string | ~[]byte](contentType T) bool {
	if len(contentType) == 0 || string(contentType) == "application/json" {
		return true
	}
	media, _, _ := strings.Cut(string(contentType), ";")
	media = strings.ToLower(strings.TrimSpace(media))
	return strings.HasSuffix(media, "/json") || strings.HasSuffix(media, "+json")
}

// reservedNames are the names that no extension may take.
var reservedNames = []string{"data", "data_base64", "datacontenttype", "dataschema", "id", "source", "specversion", "subject", "time", "type"}

func checkExtensionName(name []byte) error {
	if len(name) == 0 || len(name) > MaxExtensionName {
		return Refuse(CodeEventAttribute, "event: extension name %q must have 1 to %d characters", clip(name), MaxExtensionName)
	}
	for _, c := range name {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			return Refuse(CodeEventAttribute, "event: attribute name %q: only lower-case letters and digits are allowed", clip(name))
		}
	}
	if slices.Contains(reservedNames, string(name)) {
		return Refuse(CodeEventAttribute, "event: extension name %q is reserved", name)
	}
	return nil
}
