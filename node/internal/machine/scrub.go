package machine

import (
	"context"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/node/internal/store"
)

// Scrub makes every erased payload, and its blind, vanish from the disk: it
// rewrites the bundles that hold one and has the store forget what they were.
// The answer counts the entries. It may run beside execution, since all that is
// read differs only where nobody may look, and goes on where a crash left off.
func Scrub(ctx context.Context, s *store.Store) (scrubbed int, err error) {
	for {
		marked, err := unscrubbed(s, scrubAtOnce)
		if err != nil || len(marked) == 0 {
			return scrubbed, err
		}
		firsts, err := rewriteBundles(s, marked)
		if err != nil {
			return scrubbed, err
		}
		if err := s.Forget(ctx, firsts); err != nil {
			return scrubbed, err
		}
		marks := make([][]byte, len(marked))
		for i, index := range marked {
			marks[i] = key(sideScrub, u64(index))
		}
		if err := s.DropSide(marks); err != nil {
			return scrubbed, err
		}
		scrubbed += len(marked)
	}
}

// scrubAtOnce bounds the entries that are scrubbed between two compactions.
const scrubAtOnce = 10_000

// Unscrubbed says whether erased payloads still wait to be scrubbed.
func Unscrubbed(side Lookup) (bool, error) {
	marked, err := unscrubbed(side, 1)
	return len(marked) > 0, err
}

// unscrubbed lists erased entries that wait, the last ones, ascending.
func unscrubbed(side Lookup, limit int) (marked []uint64, err error) {
	for at := uint64(protocol.NoCause); len(marked) < limit; at = marked[len(marked)-1] - 1 {
		k, _, ok, err := side.SideBefore(key(sideScrub, u64(at)))
		if err != nil {
			return nil, err
		}
		if !ok || len(k) != 1+8 || k[0] != sideScrub {
			break
		}
		if marked = append(marked, binary.BigEndian.Uint64(k[1:])); marked[len(marked)-1] == 0 {
			break
		}
	}
	slices.Reverse(marked)
	return marked, nil
}

// rewriteBundles takes erased payloads out of their bundles and answers the first
// index of each bundle, ascending.
func rewriteBundles(s *store.Store, marked []uint64) (firsts []uint64, err error) {
	for len(marked) > 0 {
		first, payloads, err := StoredBundle(s, marked[0])
		if err != nil {
			return nil, err
		}
		for len(marked) > 0 && marked[0]-first < uint64(len(payloads)) {
			payloads[marked[0]-first] = Payload{Erased: true}
			marked = marked[1:]
		}
		if err := s.RewriteBundle(first, uint32(len(payloads)), encodeScrubbed(payloads)); err != nil {
			return nil, err
		}
		firsts = append(firsts, first)
	}
	return firsts, nil
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
