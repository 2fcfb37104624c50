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

// appendBatchBundle appends the bundle of a batch whose first absorbed events
// were already in the log; skip > 0 means a gap entry stands first.
func appendBatchBundle(out []byte, batch *protocol.Batch, absorbed int, skip uint64) []byte {
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
	b, err := parseBatchBundle(bundle)
	if err != nil {
		return nil, err
	}
	payloads := make([]Payload, b.entries())
	for i := range payloads {
		payloads[i] = b.payload(i)
	}
	return payloads, nil
}

// batchBundle is a bundle of a producer's batch, inflated.
type batchBundle struct {
	seed                  [32]byte
	first, absorbed, skip uint64
	records               [][]byte
}

func parseBatchBundle(bundle []byte) (b batchBundle, err error) {
	if len(bundle) < 1+32 || bundle[0] != bundleBatch {
		return b, errBundle
	}
	b.seed = [32]byte(bundle[1:33])
	rest := bundle[33:]
	var n [5]uint64
	for i := range n {
		v, size := binary.Uvarint(rest)
		if size <= 0 {
			return b, errBundle
		}
		n[i], rest = v, rest[size:]
	}
	count, raw := n[3], n[4]
	b.first, b.absorbed, b.skip = n[0], n[1], n[2]
	if count > protocol.MaxBatchEvents || raw > protocol.MaxBatchRawBytes || b.absorbed > count {
		return b, errBundle
	}
	if b.records, err = protocol.InflateRecords(rest, int(count), int(raw)); err != nil {
		return b, fmt.Errorf("%w: %w", errBundle, err)
	}
	return b, nil
}

// entries counts those of the bundle: the gap, if there is one, and the events
// that were not absorbed.
func (b *batchBundle) entries() int {
	n := len(b.records) - int(b.absorbed)
	if b.skip > 0 {
		n++
	}
	return n
}

// payload is that of the bundle's entry i.
func (b *batchBundle) payload(i int) Payload {
	if b.skip > 0 {
		if i == 0 {
			return gapPayload(b.seed, b.first, b.skip)
		}
		i--
	}
	at := b.absorbed + uint64(i)
	return Payload{Blind: protocol.EventBlind(b.seed, b.first+at), Bytes: b.records[at]}
}

// payloadAt is one payload of a bundle of so many entries.
func payloadAt(bundle []byte, count uint32, i uint64) (Payload, error) {
	if len(bundle) > 0 && bundle[0] == bundleBatch {
		b, err := parseBatchBundle(bundle)
		if err != nil || b.entries() != int(count) || i >= uint64(count) {
			return Payload{}, errors.Join(errBundle, err)
		}
		return b.payload(int(i)), nil
	}
	payloads, err := DecodeBundle(bundle)
	if err != nil || len(payloads) != int(count) || i >= uint64(count) {
		return Payload{}, errors.Join(errBundle, err)
	}
	return payloads[i], nil
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
