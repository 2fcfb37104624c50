// Package schema judges JSON by JSON Schema, draft 2020-12, to one result on
// every machine and at a bounded cost. Validators agree on what it answers.
//
// It knows the part of the draft that can be bounded and compared: types,
// enum, const, the bounds of numbers, texts, arrays and objects, properties,
// patternProperties, additionalProperties, propertyNames, items, prefixItems,
// dependentRequired, allOf, anyOf, oneOf, not, if/then/else, and $ref into the
// document's own $defs. A keyword that it does not know is refused when a
// schema is compiled, never ignored. docs/schemas.md lists everything.
//
// What other libraries leave open is settled here: numbers are compared as
// exact decimals, whatever their size; an object with a name twice conforms to
// nothing; the first violation reported is the first in the order of the
// instance; patterns are RE2 without what depends on Unicode's tables; every
// check counts steps, and one that takes too many ends.
package schema

import "github.com/cairn-ledger/cairn/client/protocol"

// Bounds. They are part of what validators agree on.
const (
	// MaxBytes bounds the text of a schema.
	MaxBytes = protocol.MaxSchemaBytes
	// MaxSteps bounds the work of checking one instance. A step is about 40 ns.
	MaxSteps = 100_000

	maxDepth       = 32    // of a schema's own nesting
	maxSubschemas  = 2_000 // of one schema
	maxRequired    = 256   // names in one "required"
	maxInPlace     = 32    // applicators in a row that look at the same value
	maxPattern     = 256   // bytes of a pattern
	maxWeight      = 2_000 // of a pattern, with its repetitions written out
	maxRepeat      = 1_000 // of one repetition
	maxExponent    = 9_999 // of a number, either way
	maxCompareWork = 20_000
)
