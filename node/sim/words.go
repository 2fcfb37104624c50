package sim

import "github.com/cairn-ledger/cairn/node/internal/machine"

// KeyWords say what a key of the state is.
type KeyWords = machine.Words

// DescribeKey puts a key of the state into words.
func DescribeKey(key []byte) KeyWords { return machine.DescribeKey(key) }

// DescribeValue puts a value of the state into words; nil is no value.
func DescribeValue(key, value []byte) string { return machine.DescribeValue(key, value) }
