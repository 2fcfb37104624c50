package sdk

import "github.com/cairn-ledger/cairn/contracts/abi"

// Fields reads the manifest's fields, one call a field, in the manifest's
// order. A required field is read by Uint, Int, Bool, Bytes or Text; an
// optional one by the form with Or, which answers the default when the sender
// left it out. Decimals and times are read as Int: scaled, and Unix nanoseconds.
// Reading what is not there aborts with CodeRecord.
type Fields struct{ r abi.Reader }

// check aborts unless every read so far was inside the record.
func (f *Fields) check() {
	if !f.r.Ok() {
		Abort(CodeRecord, "the input is not of the manifest this contract was built for")
	}
}

// required steps over the presence byte of a field that must be there.
func (f *Fields) required() {
	if !f.r.Present() {
		Abort(CodeRecord, "a field is missing or not of the manifest this contract was built for")
	}
}

// present steps over the presence byte of a field that may be left out.
func (f *Fields) present() bool {
	there := f.r.Present()
	f.check()
	return there
}

// Uint reads a required uint field.
func (f *Fields) Uint() uint64 {
	f.required()
	v := f.r.Uint()
	f.check()
	return v
}

// UintOr reads an optional uint field.
func (f *Fields) UintOr(otherwise uint64) uint64 {
	if !f.present() {
		return otherwise
	}
	v := f.r.Uint()
	f.check()
	return v
}

// Int reads a required int, decimal or time field.
func (f *Fields) Int() int64 { return int64(f.Uint()) }

// IntOr reads an optional int, decimal or time field.
func (f *Fields) IntOr(otherwise int64) int64 { return int64(f.UintOr(uint64(otherwise))) }

// Bool reads a required bool field.
func (f *Fields) Bool() bool {
	f.required()
	v := f.r.Bool()
	f.check()
	return v
}

// BoolOr reads an optional bool field.
func (f *Fields) BoolOr(otherwise bool) bool {
	if !f.present() {
		return otherwise
	}
	v := f.r.Bool()
	f.check()
	return v
}

// Bytes reads a required string or bytes field; the slice shares the input's memory.
func (f *Fields) Bytes() []byte {
	f.required()
	v := f.r.Bytes()
	f.check()
	return v
}

// BytesOr reads an optional string or bytes field; the slice shares the input's memory.
func (f *Fields) BytesOr(otherwise []byte) []byte {
	if !f.present() {
		return otherwise
	}
	v := f.r.Bytes()
	f.check()
	return v
}

// Text reads a required string field.
func (f *Fields) Text() string { return string(f.Bytes()) }
