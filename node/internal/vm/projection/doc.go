// Package projection reads the fields a contract's manifest names out of JSON
// and writes them as the flat record of contracts/abi, exactly: no number
// passes through a float, and every corner of JSON has one answer.
//
// What is asked of the whole text: one JSON value (RFC 8259), an object, in
// UTF-8, without a byte-order mark, nested at most MaxDepth deep. Members
// that no field names are checked for their form and otherwise ignored; in
// arguments of calls they are refused.
//
//	repeated member      refused where a field's path goes through it; else ignored
//	names and escapes    compared after unescaping: "\u0061" is "a"
//	lone surrogate       refused, everywhere, in names too
//	U+0000               allowed in strings, as an escape
//	null                 like an absent member: an error unless the field is optional
//	object expected      a path that goes through anything but an object or null is an error
//
//	uint, int, decimal   a JSON number; its exact value decides: 5, 5.0, 50e-1 and 0.5e1
//	                     are the same integer; -0 is 0; a value with more decimal places
//	                     than the field has is an error, never rounded; one outside the
//	                     field's 64 bits is too (1e400 as well); strings are not numbers
//	bool                 true or false; not 0, 1 or strings
//	string               its unescaped UTF-8 text
//	bytes                a string in base64 (RFC 4648 section 4), padded, no line breaks,
//	                     unused bits zero
//	time                 a string, RFC 3339 with capital T and Z, at most nine decimals, no
//	                     leap second, years 1677 to 2262 (64 bits of nanoseconds)
//
// Errors name the field. They carry CodeProjection for events and
// CodeArgument for arguments; the text is for the log.
package projection
