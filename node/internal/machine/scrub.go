package machine

import (
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/node/internal/store"
)

// Scrub rewrites every bundle that holds an erased payload, so that neither
// that nor its blind is in it, and answers the log indexes of the bundles. It
// goes on where a crash left off and may run beside execution: all that is
// read differs only where nobody may look.
func Scrub(s *store.Store) (rewritten []uint64, err error) {
	for {
		first, again, err := scrubOne(s)
		if err != nil || !again {
			slices.Sort(rewritten)
			return rewritten, err
		}
		rewritten = append(rewritten, first)
	}
}

// Unscrubbed says whether erased payloads still wait to be scrubbed.
func Unscrubbed(side Lookup) (bool, error) {
	_, ok, err := lastUnscrubbed(side)
	return ok, err
}

func lastUnscrubbed(side Lookup) (index uint64, ok bool, err error) {
	k, _, ok, err := side.SideBefore(key(sideScrub, u64(protocol.NoCause)))
	if err != nil || !ok || len(k) != 1+8 || k[0] != sideScrub {
		return 0, false, err
	}
	return binary.BigEndian.Uint64(k[1:]), true, nil
}

// scrubOne rewrites the bundle of the last erased entry that waits, with all
// the others of it that do.
func scrubOne(s *store.Store) (first uint64, found bool, err error) {
	index, found, err := lastUnscrubbed(s)
	if err != nil || !found {
		return 0, false, err
	}
	first, payloads, err := StoredBundle(s, index)
	if err != nil {
		return 0, false, err
	}
	var done [][]byte
	for i := range payloads {
		mark := key(sideScrub, u64(first+uint64(i)))
		_, waits, err := s.Side(mark)
		if err != nil {
			return 0, false, err
		}
		if waits {
			payloads[i], done = Payload{Erased: true}, append(done, mark)
		}
	}
	return first, true, s.RewriteBundle(first, uint32(len(payloads)), encodeScrubbed(payloads), done)
}

// encodeScrubbed lists what erasing left, compressed where that is bounded as
// a batch is.
func encodeScrubbed(payloads []Payload) []byte {
	var kept [][]byte
	out := binary.AppendUvarint([]byte{bundleScrubbedZipped}, uint64(len(payloads)))
	for i := range payloads {
		p := &payloads[i]
		if p.Erased {
			out = append(out, 0)
			continue
		}
		out = append(append(out, 1, p.Hop), p.Blind[:]...)
		kept = append(kept, p.Bytes)
	}
	if len(kept) <= protocol.MaxBatchEvents {
		if zipped, raw, err := protocol.DeflateRecords(kept); err == nil {
			return append(binary.AppendUvarint(out, uint64(raw)), zipped...)
		}
	}
	out[0] = bundleScrubbed
	for _, payload := range kept {
		out = append(binary.AppendUvarint(out, uint64(len(payload))), payload...)
	}
	return out
}

func decodeScrubbed(rest []byte, zipped bool) ([]Payload, error) {
	count, n := binary.Uvarint(rest)
	if n <= 0 || count > uint64(len(rest)) {
		return nil, errBundle
	}
	rest = rest[n:]
	payloads, kept := make([]Payload, count), 0
	for i := range payloads {
		p := &payloads[i]
		switch {
		case len(rest) > 0 && rest[0] == 0:
			p.Erased, rest = true, rest[1:]
		case len(rest) >= 2+32 && rest[0] == 1:
			p.Hop, p.Blind, rest = rest[1], protocol.Blind(rest[2:]), rest[2+32:]
			kept++
		default:
			return nil, errBundle
		}
	}
	records, err := scrubbedRecords(rest, kept, zipped)
	if err != nil {
		return nil, err
	}
	for i := range payloads {
		if !payloads[i].Erased {
			payloads[i].Bytes, records = records[0], records[1:]
		}
	}
	return payloads, nil
}

func scrubbedRecords(rest []byte, count int, zipped bool) ([][]byte, error) {
	if zipped {
		raw, n := binary.Uvarint(rest)
		if n <= 0 || raw > protocol.MaxBatchRawBytes || count > protocol.MaxBatchEvents {
			return nil, errBundle
		}
		records, err := protocol.InflateRecords(rest[n:], count, int(raw))
		if err != nil {
			return nil, fmt.Errorf("%w: %w", errBundle, err)
		}
		return records, nil
	}
	records := make([][]byte, 0, count)
	for range count {
		size, n := binary.Uvarint(rest)
		if n <= 0 || size > uint64(len(rest)-n) {
			return nil, errBundle
		}
		records, rest = append(records, rest[n:n+int(size)]), rest[n+int(size):]
	}
	if len(rest) > 0 {
		return nil, errBundle
	}
	return records, nil
}
