// Package disk is what the ledger's databases have in common about files.
package disk

import "github.com/cockroachdb/pebble/v2"

// Cleaner deletes files that pebble has no more use for, at once. Left to
// itself pebble keeps write-ahead logs to write over them later, with what was
// erased or pruned still in them; where the cleaner wants files whole, as that
// which archives them does, it makes new ones instead. So this is the one that
// deletes, with the mark of the other.
var Cleaner pebble.Cleaner = deleteAtOnce{}

type deleteAtOnce struct {
	pebble.DeleteCleaner
	wholeFiles
}

type wholeFiles struct{ pebble.ArchiveCleaner }
