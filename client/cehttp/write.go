package cehttp

import (
	"net/http"
	"strconv"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// SetBinary sets the headers that carry an event's attributes in the binary
// content mode. The body is the event's data.
func SetBinary(header http.Header, e *protocol.Event) {
	header.Set("ce-specversion", "1.0")
	for _, a := range [...]struct{ name, value string }{
		{"ce-id", e.ID}, {"ce-source", e.Source}, {"ce-type", e.Type}, {"ce-subject", e.Subject},
		{"Content-Type", e.DataContentType}, {"ce-dataschema", e.DataSchema},
	} {
		switch {
		case a.value == "":
		case a.name == "Content-Type":
			header.Set(a.name, a.value) // the binding leaves it as it is
		default:
			header.Set(a.name, encodeHeader(a.value))
		}
	}
	if e.DataContentType == "" && e.DataForm == protocol.DataJSON {
		header.Set("Content-Type", "application/json") // what the JSON format implies
	}
	if e.HasTime {
		header.Set("ce-time", string(protocol.FormatTime(e.TimeNs)))
	}
	for _, x := range e.Extensions {
		value := x.Text
		switch x.Kind {
		case protocol.ExtensionBool:
			value = strconv.FormatBool(x.Bool)
		case protocol.ExtensionInteger:
			value = strconv.FormatInt(int64(x.Int), 10)
		}
		header.Set("ce-"+x.Name, encodeHeader(value))
	}
}

const hexDigits = "0123456789ABCDEF"

// encodeHeader percent-encodes what section 3.1.3.2 of the binding names: the
// space, the double quote, the percent sign, and all but printable ASCII.
func encodeHeader(s string) string {
	out := make([]byte, 0, len(s))
	for i := range len(s) {
		if c := s[i]; c <= ' ' || c == '"' || c == '%' || c >= 0x7f {
			out = append(out, '%', hexDigits[c>>4], hexDigits[c&15])
		} else {
			out = append(out, c)
		}
	}
	return string(out)
}
