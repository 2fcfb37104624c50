// Package bank holds what is owned: assets, balances, holds, allowances,
// streams and schedules of payments, rewards and fees.
//
// It is a pure function of the authenticated state it is given, the time of the
// block and the operation. An operation checks everything before it writes
// anything: one that is refused has written nothing. What moves is noted as a
// Move, of which the machine makes one entry of the log each.
//
// Units are only made by a mint and only vanish in a burn. Every operation
// counts what it adds to and takes from balances and holds, and panics where
// that is not what it minted less what it burned: a node that stops is better
// than one that makes money. Audit checks the same of the whole state.
package bank
