package machine

import (
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// A bundle holds the payloads and blinds of a run of consecutive entries. Three
// forms: a producer's batch stays as compressed as it was sent; what the
// ledger itself appends is listed payload by payload; and what erasing left of
// either is listed without seed, since that would give the erased blinds back.
//
//	batch:    1 || seed [32] || first sequence || absorbed || skip || count || raw size || zstd frame
//	ledger:   2 || (hop || blind [32] || length || payload)*
//	scrubbed: 3 || count || (0, or 1 || hop || blind [32])* || (length || payload)* of those kept
//	          4 || the same, but then raw size || zstd frame of (length || payload)*
//
// Numbers are uvarints. The store treats bundles as opaque. Nothing here is
// hashed: the entries' commitments are.
const (
	bundleBatch          = 1
	bundleLedger         = 2
	bundleScrubbed       = 3
	bundleScrubbedZipped = 4
)

// Payload is what an entry commits to.
type Payload struct {
	Blind protocol.Blind
	Bytes []byte // an event record or an act
	Hop   uint8  // contract deliveries between a producer's event and this entry
	// Erased: blind and payload are gone, or must not be shown.
	Erased bool
}

// encodeBatchBundle stores a batch whose first absorbed events were already
// in the log; skip > 0 means a gap entry stands first.
func encodeBatchBundle(batch *protocol.Batch, absorbed int, skip uint64) []byte {
	out := make([]byte, 0, len(batch.Compressed)+64)
	out = append(append(out, bundleBatch), batch.Seed[:]...)
	for _, n := range [...]uint64{batch.First, uint64(absorbed), skip, uint64(len(batch.Records)), uint64(batch.RawBytes)} {
		out = binary.AppendUvarint(out, n)
	}
	return append(out, batch.Compressed...)
}

func appendLedgerPayload(bundle []byte, p Payload) []byte {
	if len(bundle) == 0 {
		bundle = append(bundle, bundleLedger)
	}
	bundle = append(append(bundle, p.Hop), p.Blind[:]...)
	bundle = binary.AppendUvarint(bundle, uint64(len(p.Bytes)))
	return append(bundle, p.Bytes...)
}

var errBundle = errors.New("machine: payload bundle is corrupt")

// DecodeBundle lists the payloads of a bundle in entry order. The error means
// the data at rest is damaged.
func DecodeBundle(bundle []byte) ([]Payload, error) {
	if len(bundle) == 0 {
		return nil, errBundle
	}
	switch bundle[0] {
	case bundleLedger:
		return decodeLedgerBundle(bundle[1:])
	case bundleScrubbed, bundleScrubbedZipped:
		return decodeScrubbed(bundle[1:], bundle[0] == bundleScrubbedZipped)
	}
	if bundle[0] != bundleBatch || len(bundle) < 1+32 {
		return nil, errBundle
	}
	seed := [32]byte(bundle[1:33])
	rest := bundle[33:]
	var n [5]uint64
	for i := range n {
		v, size := binary.Uvarint(rest)
		if size <= 0 {
			return nil, errBundle
		}
		n[i], rest = v, rest[size:]
	}
	first, absorbed, skip, count, raw := n[0], n[1], n[2], n[3], n[4]
	if count > protocol.MaxBatchEvents || raw > protocol.MaxBatchRawBytes || absorbed > count {
		return nil, errBundle
	}
	records, err := protocol.InflateRecords(rest, int(count), int(raw))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errBundle, err)
	}
	payloads := make([]Payload, 0, count+1)
	if skip > 0 {
		payloads = append(payloads, gapPayload(seed, first, skip))
	}
	for i := absorbed; i < count; i++ {
		payloads = append(payloads, Payload{Blind: protocol.EventBlind(seed, first+i), Bytes: records[i]})
	}
	return payloads, nil
}

// gapPayload stands for the skip sequences right before first.
func gapPayload(seed [32]byte, first, skip uint64) Payload {
	return Payload{
		Blind: protocol.EventBlind(seed, first-skip),
		Bytes: (&protocol.GapAct{Count: skip}).AppendBinary(nil),
	}
}

func decodeLedgerBundle(rest []byte) ([]Payload, error) {
	var payloads []Payload
	for len(rest) > 0 {
		if len(rest) < 33 {
			return nil, errBundle
		}
		p := Payload{Hop: rest[0], Blind: protocol.Blind(rest[1:33])}
		size, n := binary.Uvarint(rest[33:])
		rest = rest[33:]
		if n <= 0 || size > uint64(len(rest)-n) {
			return nil, errBundle
		}
		p.Bytes, rest = rest[n:n+int(size)], rest[n+int(size):]
		payloads = append(payloads, p)
	}
	return payloads, nil
}
