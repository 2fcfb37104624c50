// Package cehttp is the CloudEvents 1.0 HTTP protocol binding: it reads events
// from a request's header and body in the binary, structured and batched
// content modes, and writes them in the binary one.
package cehttp

import (
	"encoding/json"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// Media types of the structured and batched content modes.
const (
	StructuredType = "application/cloudevents+json"
	BatchType      = "application/cloudevents-batch+json"
)

const prefix = "Ce-" // of headers, as net/http writes their names

// Parse reads the events of a message. A batch may be empty; the other modes
// hold one event. Errors carry a code and name the attribute.
func Parse(header http.Header, body []byte) ([]protocol.Event, error) {
	contentTypes := header.Values("Content-Type")
	if len(contentTypes) > 1 {
		return nil, protocol.Refuse(protocol.CodeEventMalformed, "event: the header Content-Type is there %d times", len(contentTypes))
	}
	contentType := header.Get("Content-Type")
	media, _, _ := strings.Cut(contentType, ";")
	media = strings.ToLower(strings.TrimSpace(media))
	if !strings.HasPrefix(media, "application/cloudevents") {
		event, err := parseBinary(header, contentType, body)
		if err != nil {
			return nil, err
		}
		return []protocol.Event{event}, nil
	}
	if err := checkFormat(contentType); err != nil {
		return nil, err
	}
	switch media {
	case StructuredType:
		event, err := protocol.ParseEventJSON(body)
		if err != nil {
			return nil, err
		}
		return []protocol.Event{event}, nil
	case BatchType:
		return protocol.ParseEventBatchJSON(body)
	}
	return nil, protocol.Refuse(protocol.CodeUnsupportedFormat, "content type %q: of CloudEvents' formats, %s and %s are known", clip(media), StructuredType, BatchType)
}

// checkFormat looks at the parameters of a format's media type: JSON is UTF-8.
func checkFormat(contentType string) error {
	_, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return protocol.Refuse(protocol.CodeUnsupportedFormat, "content type %q: %v", clip(contentType), err)
	}
	if charset, given := params["charset"]; given && !strings.EqualFold(charset, "utf-8") {
		return protocol.Refuse(protocol.CodeUnsupportedFormat, "charset %q: events are sent as UTF-8", clip(charset))
	}
	return nil
}

// parseBinary reads the binary content mode: attributes are headers, the body
// is the data, octet for octet.
func parseBinary(header http.Header, contentType string, body []byte) (protocol.Event, error) {
	e := protocol.Event{DataContentType: contentType}
	version := false
	for name, values := range header { // order does not matter: extensions are sorted below
		if !strings.HasPrefix(name, prefix) {
			continue
		}
		name = strings.ToLower(name[len(prefix):])
		if len(values) > 1 {
			return e, protocol.Refuse(protocol.CodeEventMalformed, "event: attribute %q is there %d times", clip(name), len(values))
		}
		value, err := decodeHeader(name, values[0])
		if err != nil {
			return e, err
		}
		if name == "specversion" {
			if version = value == "1.0"; !version {
				return e, protocol.Refuse(protocol.CodeEventAttribute, `event: specversion is %q, must be "1.0"`, clip(value))
			}
			continue
		}
		if err := setAttribute(&e, name, value); err != nil {
			return e, err
		}
	}
	if !version {
		return e, protocol.Refuse(protocol.CodeEventMissing, `event: attribute "specversion" is required and must be "1.0"; of this content type, it is the header ce-specversion`)
	}
	slices.SortFunc(e.Extensions, func(a, b protocol.Extension) int { return strings.Compare(a.Name, b.Name) })
	setData(&e, body)
	return e, e.Validate()
}

func setAttribute(e *protocol.Event, name, value string) error {
	text := map[string]*string{"id": &e.ID, "source": &e.Source, "type": &e.Type, "subject": &e.Subject, "dataschema": &e.DataSchema}
	switch dst := text[name]; {
	case name == "datacontenttype":
		return protocol.Refuse(protocol.CodeEventAttribute, `event: attribute "datacontenttype" is the header Content-Type, not ce-datacontenttype`)
	case value == "" && (dst != nil || name == "time"):
		return protocol.Refuse(protocol.CodeEventAttribute, "event: attribute %q must not be empty; leave it out instead", name)
	case dst != nil:
		*dst = value
	case name == "time":
		ns, err := protocol.ParseTime([]byte(value))
		if err != nil {
			return protocol.Refuse(protocol.CodeEventAttribute, "event: time %q %v", clip(value), err)
		}
		e.TimeNs, e.HasTime = ns, true
	default:
		e.Extensions = append(e.Extensions, protocol.Extension{Name: name, Kind: protocol.ExtensionString, Text: value})
	}
	return nil
}

// setData keeps the octets and says how they are shown as JSON: as they are,
// as text, or in base64. Octets that are not what their type says are binary.
func setData(e *protocol.Event, body []byte) {
	media, _, _ := strings.Cut(e.DataContentType, ";")
	media = strings.ToLower(strings.TrimSpace(media))
	isJSON := strings.HasSuffix(media, "/json") || strings.HasSuffix(media, "+json")
	e.Data = body
	switch {
	case len(body) == 0:
		e.Data = nil
	case isJSON && json.Valid(body):
		e.DataForm = protocol.DataJSON
		if e.Validate() != nil { // stricter than the JSON of others: names twice, lone surrogates
			e.DataForm = protocol.DataBinary
		}
	case !isJSON && media != "" && utf8.Valid(body) && (strings.HasPrefix(media, "text/") || strings.HasSuffix(media, "xml")):
		e.DataForm = protocol.DataText
	default:
		e.DataForm = protocol.DataBinary
	}
}

// decodeHeader reads a value as section 3.1.3.2 of the binding says: unquote,
// then percent-decode, then it must be UTF-8.
func decodeHeader(name, value string) (string, error) {
	if len(value) > 3*protocol.MaxAttributeBytes+2 {
		return "", protocol.Refuse(protocol.CodeEventAttribute, "event: attribute %q is over %d bytes", clip(name), protocol.MaxAttributeBytes)
	}
	if len(value) >= 2 && value[0] == '"' && value[len(value)-1] == '"' {
		value = unquote(value[1 : len(value)-1])
	}
	decoded, err := url.PathUnescape(value)
	if err != nil {
		return "", protocol.Refuse(protocol.CodeEventAttribute, "event: attribute %q: %q is not well percent-encoded", clip(name), clip(value))
	}
	if !utf8.ValidString(decoded) {
		return "", protocol.Refuse(protocol.CodeEventAttribute, "event: attribute %q is not UTF-8", clip(name))
	}
	return decoded, nil
}

// unquote undoes the backslashes of a quoted string.
func unquote(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	var out strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		out.WriteByte(s[i])
	}
	return out.String()
}

func clip(s string) string { return s[:min(len(s), 80)] }
