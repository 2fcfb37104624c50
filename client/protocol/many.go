package protocol

// MaxTransactions is how many transactions may be submitted, or asked for, at once.
const MaxTransactions = 128

// JoinTransactions puts signed transactions into one body, each behind its
// length as a uvarint.
func JoinTransactions(raws [][]byte) []byte {
	size := 0
	for _, raw := range raws {
		size += len(raw) + 4
	}
	return AppendTransactions(make([]byte, 0, size), raws)
}

// AppendTransactions appends what JoinTransactions writes.
func AppendTransactions(body []byte, raws [][]byte) []byte {
	for _, raw := range raws {
		body = appendBytes(body, raw)
	}
	return body
}

// SplitTransactions reads what JoinTransactions writes: 1 to MaxTransactions
// of them. They lie in body.
func SplitTransactions(body []byte) (raws [][]byte, err error) {
	r := reader{buf: body}
	for r.err == nil && r.off < len(body) {
		if len(raws) == MaxTransactions {
			return nil, Refuse(CodeTooLarge, "transactions: more than %d; send them in several requests", MaxTransactions)
		}
		raws = append(raws, r.bytes(MaxTxBytes, "transaction"))
	}
	if r.err != nil || len(raws) == 0 {
		return nil, Refuse(CodeMalformed, "transactions: each stands behind its length as a uvarint, and there is one at least: %v", r.err)
	}
	return raws, nil
}
