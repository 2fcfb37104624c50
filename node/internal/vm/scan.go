package vm

import "github.com/cairn-ledger/cairn/contracts/abi"

// hostStateScan writes one page of pairs to guest memory. The pairs are paid
// for before the host looks, their bytes before they are copied.
func hostStateScan(in *instance, s []uint64) {
	prefixSize, afterSize, limit, room := uint32(s[1]), uint32(s[3]), uint32(s[4]), uint64(uint32(s[6]))
	if prefixSize > abi.MaxKeyBytes || afterSize > abi.MaxKeyBytes {
		in.misuse("a scan's prefix has %d bytes and its start %d, the limit is %d", prefixSize, afterSize, abi.MaxKeyBytes)
	}
	if limit == 0 || limit > abi.MaxScanPairs {
		in.misuse("a scan of %d pairs, 1 to %d are allowed", limit, abi.MaxScanPairs)
	}
	in.charge(gasStateScan)
	page := in.view(s[5], room)
	// Copies: the page may overlap them.
	prefix := append([]byte(nil), in.view(s[0], uint64(prefixSize))...)
	after := append([]byte(nil), in.view(s[2], uint64(afterSize))...)
	written, full := 0, false
	for got := uint32(0); got < limit && !full; {
		// Small pages of our own bound what is read and then does not fit.
		ask := min(limit-got, scanChunk)
		in.charge(uint64(ask) * gasPerPair)
		pairs, err := in.run.host.Scan(prefix, after, int(ask))
		in.check(err)
		for _, kv := range pairs {
			size := 8 + len(kv.Key) + len(kv.Value)
			if size > len(page)-written {
				if written == 0 {
					s[0] = answer(-int32(size))
					return
				}
				full = true
				break
			}
			in.charge(uint64(size) * gasPerByte)
			out := abi.AppendRun(page[written:written:len(page)], kv.Key)
			abi.AppendRun(out, kv.Value)
			written += size
			after = kv.Key
		}
		if got += uint32(len(pairs)); uint32(len(pairs)) < ask {
			break
		}
	}
	s[0] = uint64(written)
}

// scanChunk is how many pairs one look at the state asks for.
const scanChunk = 16
