package pool

import (
	"fmt"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// A message between two pools is an octet that names its kind, and a body:
//
//	1  transactions  protocol.JoinTransactions of 1 to 128
//	2  have          1 to 1,024 ids of transactions that the sender holds
//	3  want          1 to 1,024 ids of transactions to be sent
const (
	kindTransactions = 1
	kindHave         = 2
	kindWant         = 3
)

const (
	maxIDs = 1024
	// bundleBytes is what a message of transactions is filled to.
	bundleBytes = 128 << 10
	// MaxMessage bounds a message, in bytes: a full one and one transaction more.
	MaxMessage = 1 + bundleBytes + protocol.MaxTxBytes + 8
)

// message is one that was read. Its transactions lie in the octets it was read from.
type message struct {
	kind byte
	txs  [][]byte
	ids  []protocol.Hash
}

// readMessage reads a message. The error says what is wrong with it.
func readMessage(octets []byte) (message, error) {
	if len(octets) == 0 || len(octets) > MaxMessage {
		return message{}, fmt.Errorf("pool: a message has 1 to %d bytes, not %d", MaxMessage, len(octets))
	}
	m, body := message{kind: octets[0]}, octets[1:]
	switch m.kind {
	case kindTransactions:
		var err error
		m.txs, err = protocol.SplitTransactions(body)
		return m, err
	case kindHave, kindWant:
		if len(body) == 0 || len(body)%len(protocol.Hash{}) != 0 || len(body) > maxIDs*len(protocol.Hash{}) {
			return message{}, fmt.Errorf("pool: 1 to %d ids of %d bytes do not fit into %d bytes", maxIDs, len(protocol.Hash{}), len(body))
		}
		for ; len(body) > 0; body = body[len(protocol.Hash{}):] {
			m.ids = append(m.ids, protocol.Hash(body))
		}
		return m, nil
	}
	return message{}, fmt.Errorf("pool: messages of kind %d are not known", m.kind)
}

func writeTransactions(raws [][]byte) []byte {
	size := 1
	for _, raw := range raws {
		size += len(raw) + 4
	}
	return protocol.AppendTransactions(append(make([]byte, 0, size), kindTransactions), raws)
}

func writeIDs(kind byte, ids []protocol.Hash) []byte {
	out := append(make([]byte, 0, 1+len(ids)*len(protocol.Hash{})), kind)
	for i := range ids {
		out = append(out, ids[i][:]...)
	}
	return out
}
