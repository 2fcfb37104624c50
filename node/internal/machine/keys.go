package machine

import (
	"encoding/binary"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// Keys of the authenticated state. Every first byte in use stands in this
// table; 'm' and 'u' are membership's, 'g' governance's, 'v' the
// registry's of schemas and 'b' the bank's.
//
//	s || producer || stream name    -> next sequence, 8 bytes
//	t || expiry || transaction id   -> outcome of a deploy or call, until its expiry passes
//	n || contract name              -> contract address
//	c || contract                   -> contract record (contract.go)
//	w || code hash                  -> WebAssembly module
//	f || manifest hash              -> manifest, as it was sent
//	q || contract                   -> cursor (deliver.go); absent while the contract has caught up
//	d || contract || index          -> dead letter: a DeadLetterAct
//	k || contract || key            -> a contract's own state
//	j || contract                   -> the contract's timers: next id, pending, first due (timer.go)
//	h || contract || unit || due || id -> timer
//	i || contract || id             -> unit and due point of a timer
//	x || log index                  -> index of the entry that says the payload was erased
//	y ...                           -> other ledgers, and which of their entries were relayed (protocol.LedgerPrefix)
const (
	prefixStream   = 's'
	prefixReplay   = 't'
	prefixName     = 'n'
	prefixContract = 'c'
	prefixCode     = 'w'
	prefixManifest = 'f'
	prefixCursor   = 'q'
	prefixDead     = 'd'
	prefixValue    = 'k'
	prefixTimers   = 'j'
	prefixTimer    = 'h'
	prefixTimerID  = 'i'
	prefixErased   = 'x'
)

// Keys of the side tables: indexes that follow from the log, so they need no
// commitment of their own.
//
//	i || source key || producer     -> log index of the accepted event
//	r || stream id || sequence      -> log index and count of a run of entries starting there
//	o || transaction id             -> height and outcome
//	l || stream id                  -> producer and stream name
//	x || log index                  -> erased, and not yet scrubbed from the disk (scrub.go)
const (
	sideSource  = 'i'
	sideRun     = 'r'
	sideOutcome = 'o'
	sideStream  = 'l'
	sideScrub   = 'x'
)

func key(prefix byte, parts ...[]byte) []byte {
	k := make([]byte, 0, 64)
	k = append(k, prefix)
	for _, part := range parts {
		k = append(k, part...)
	}
	return k
}

// StreamKey is the state key of a stream's next sequence.
func StreamKey(producer protocol.Address, stream string) []byte {
	return appendStreamKey(make([]byte, 0, 1+len(producer)+len(stream)), producer, stream)
}

func appendStreamKey(out []byte, producer protocol.Address, stream string) []byte {
	return append(append(append(out, prefixStream), producer[:]...), stream...)
}

// ValueKey is the state key of a contract's own value.
func ValueKey(contract protocol.Address, name []byte) []byte {
	return key(prefixValue, contract[:], name)
}

func u64(n uint64) []byte { return binary.BigEndian.AppendUint64(nil, n) }
