package protocol

import (
	"bytes"
	"encoding/binary"
	"unicode/utf8"
)

// recordVersion is the first byte of a record: CloudEvents specversion 1.0.
const recordVersion = 1

// Bits of a record's second byte.
const (
	flagTime      = 1 << 0
	dataFormShift = 1
	dataFormMask  = 3 << dataFormShift
	flagsKnown    = flagTime | dataFormMask
)

// AppendRecord appends the canonical event record of docs/protocol.md: what is
// hashed, signed, stored and handed to contracts. It does not validate.
func (e *Event) AppendRecord(dst []byte) []byte {
	flags := byte(e.DataForm) << dataFormShift
	if e.HasTime {
		flags |= flagTime
	}
	dst = append(dst, recordVersion, flags)
	for _, s := range [...]string{e.ID, e.Source, e.Type, e.Subject, e.DataContentType, e.DataSchema} {
		dst = appendBytes(dst, s)
	}
	if e.HasTime {
		dst = binary.BigEndian.AppendUint64(dst, uint64(e.TimeNs))
	}
	dst = binary.AppendUvarint(dst, uint64(len(e.Extensions)))
	for _, x := range e.Extensions {
		dst = append(appendBytes(dst, x.Name), byte(x.Kind))
		switch x.Kind {
		case ExtensionBool:
			dst = append(dst, b2u(x.Bool))
		case ExtensionInteger:
			dst = binary.BigEndian.AppendUint32(dst, uint32(x.Int))
		default:
			dst = appendBytes(dst, x.Text)
		}
	}
	if e.DataForm != DataNone {
		dst = appendBytes(dst, e.Data)
	}
	return dst
}

func b2u(b bool) byte {
	if b {
		return 1
	}
	return 0
}

// RecordView reads a record in place: its slices point into the record. It is
// the hot path's form of an Event and can be used again and again.
type RecordView struct {
	ID, Source, Type, Subject   []byte
	DataContentType, DataSchema []byte
	TimeNs                      int64
	HasTime                     bool
	DataForm                    DataForm
	Data                        []byte
	extensions                  []byte // encoded, checked by Parse
	extensionCount              int
}

// Parse reads and fully checks a record. Every record it accepts is exactly
// what AppendRecord writes for the event it means.
func (v *RecordView) Parse(record []byte) error {
	if len(record) > MaxRecordBytes {
		return Refuse(CodeEventTooLarge, "event: record has %d bytes, the limit is %d", len(record), MaxRecordBytes)
	}
	if err := v.layout(record); err != nil {
		return err
	}
	if err := v.checkAttributes(); err != nil {
		return err
	}
	if err := v.checkExtensions(); err != nil {
		return err
	}
	return v.checkData()
}

// Reread is Parse for a record that was parsed before: what its fields hold is
// not checked again.
func (v *RecordView) Reread(record []byte) error { return v.layout(record) }

// layout cuts the record into its fields; what they hold is checked after.
func (v *RecordView) layout(record []byte) error {
	r := reader{buf: record}
	if version := r.u8("version"); r.err == nil && version != recordVersion {
		return Refuse(CodeEventMalformed, "event: record version %d is not known", version)
	}
	flags := r.u8("flags")
	if flags&^byte(flagsKnown) != 0 {
		return Refuse(CodeEventMalformed, "event: record flags %#x are not known", flags)
	}
	v.ID = r.bytes(MaxRecordBytes, "id")
	v.Source = r.bytes(MaxRecordBytes, "source")
	v.Type = r.bytes(MaxRecordBytes, "type")
	v.Subject = r.bytes(MaxRecordBytes, "subject")
	v.DataContentType = r.bytes(MaxRecordBytes, "datacontenttype")
	v.DataSchema = r.bytes(MaxRecordBytes, "dataschema")
	v.HasTime, v.TimeNs = flags&flagTime != 0, 0
	if v.HasTime {
		v.TimeNs = int64(r.u64("time"))
	}
	v.extensionCount = int(r.uvarint(MaxExtensions, "extensions"))
	start := r.off
	for range v.extensionCount {
		r.extension()
	}
	if r.err == nil {
		v.extensions = record[start:r.off]
	}
	v.DataForm, v.Data = DataForm(flags&dataFormMask>>dataFormShift), nil
	if v.DataForm != DataNone {
		v.Data = r.bytes(MaxRecordBytes, "data")
	}
	if err := r.end(); err != nil {
		return Refuse(CodeEventMalformed, "event: record: %v", err)
	}
	return nil
}

// extensionView is one extension attribute in place.
type extensionView struct {
	name, text []byte
	kind       ExtensionKind
	number     uint32 // a bool's 0 or 1, or the bits of an integer
}

func (r *reader) extension() (x extensionView) {
	x.name = r.bytes(MaxRecordBytes, "extension name")
	x.kind = ExtensionKind(r.u8("extension kind"))
	switch x.kind {
	case ExtensionBool:
		if x.number = uint32(r.u8("extension value")); x.number > 1 {
			r.fail("extension %q: a boolean is 0 or 1", clip(x.name))
		}
	case ExtensionInteger:
		if b := r.take(4, "extension value"); b != nil {
			x.number = binary.BigEndian.Uint32(b)
		}
	case ExtensionString:
		x.text = r.bytes(MaxRecordBytes, "extension value")
	default:
		r.fail("extension %q: kind %d is not known", clip(x.name), x.kind)
	}
	return x
}

func (v *RecordView) checkExtensions() error {
	if v.extensionCount == 0 {
		return nil
	}
	r := reader{buf: v.extensions}
	var previous []byte
	for i := range v.extensionCount {
		x := r.extension()
		if err := checkExtensionName(x.name); err != nil {
			return err
		}
		if i > 0 && bytes.Compare(previous, x.name) >= 0 {
			return Refuse(CodeEventMalformed, "event: extension %q is repeated or out of order", x.name)
		}
		previous = x.name
		if err := checkString(string(x.name), x.text); err != nil {
			return err
		}
	}
	return nil
}

// checkData holds the octets to their form. A JSON string under a content type
// that is not JSON is text, and text never stands under a JSON type: each
// event has one form.
func (v *RecordView) checkData() error {
	switch v.DataForm {
	case DataJSON:
		if err := checkJSON(v.Data); err != nil {
			return Refuse(CodeEventMalformed, "event: data is not one JSON value: %v", err)
		}
		if v.Data[0] == '"' && !isJSONType(v.DataContentType) {
			return Refuse(CodeEventMalformed, "event: a string under datacontenttype %q is text, not JSON", clip(v.DataContentType))
		}
	case DataText:
		if !utf8.Valid(v.Data) || isJSONType(v.DataContentType) {
			return Refuse(CodeEventMalformed, "event: text data must be UTF-8 under a datacontenttype that is not JSON")
		}
	}
	return nil
}

// Event copies the view into an Event of its own.
func (v *RecordView) Event() Event {
	e := Event{
		ID: string(v.ID), Source: string(v.Source), Type: string(v.Type), Subject: string(v.Subject),
		DataContentType: string(v.DataContentType), DataSchema: string(v.DataSchema),
		TimeNs: v.TimeNs, HasTime: v.HasTime, DataForm: v.DataForm, Data: bytes.Clone(v.Data),
	}
	r := reader{buf: v.extensions}
	for range v.extensionCount {
		x := r.extension()
		extension := Extension{Name: string(x.name), Kind: x.kind, Text: string(x.text)}
		switch x.kind {
		case ExtensionBool:
			extension.Bool = x.number == 1
		case ExtensionInteger:
			extension.Int = int32(x.number)
		}
		e.Extensions = append(e.Extensions, extension)
	}
	return e
}

// DecodeRecord reads and fully checks a canonical event record.
func DecodeRecord(record []byte) (Event, error) {
	var v RecordView
	if err := v.Parse(record); err != nil {
		return Event{}, err
	}
	return v.Event(), nil
}
