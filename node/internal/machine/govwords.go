package machine

import (
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"strconv"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// schemaWords puts a key of the registry of schemas into words.
func schemaWords(k []byte) Words {
	switch {
	case len(k) > 1 && k[0] == protocol.SchemaKeyType:
		return Words{Kind: "schemas of a type", Name: Readable(k[1:])}
	case len(k) > 7 && k[0] == protocol.SchemaKeyVersion:
		version := binary.BigEndian.Uint32(k[len(k)-4:])
		return Words{Kind: "schema version", Name: Readable(k[3:len(k)-4]) + " " + strconv.FormatUint(uint64(version), 10)}
	case len(k) > 1 && k[0] == protocol.SchemaKeyText:
		return Words{Kind: "schema text", Name: hex.EncodeToString(k[1:])}
	}
	return Words{}
}

// govWords puts a key of governance into words; k is behind its first byte.
func govWords(k []byte) Words {
	if len(k) == 0 {
		return Words{}
	}
	rest := k[1:]
	switch {
	case k[0] == protocol.GovKeyCouncil && len(rest) == 20:
		return Words{Kind: "council", Name: protocol.Address(rest).String()}
	case k[0] == protocol.GovKeyProposal && len(rest) == 8:
		return Words{Kind: "proposal", Name: number(rest)}
	case k[0] == protocol.GovKeyVote && len(rest) == 28:
		return Words{Kind: "vote", Name: number(rest[:8]) + " " + protocol.Address(rest[8:]).String()}
	case k[0] == protocol.GovKeySet && len(rest) == 8:
		return Words{Kind: "validators", Name: "from height " + number(rest)}
	case k[0] == protocol.GovKeyLatest && len(rest) == 0:
		return Words{Kind: "validators", Name: "height of the newest set"}
	case k[0] == protocol.GovKeyBarred && len(rest) == 32:
		return Words{Kind: "barred validator", Name: base64.StdEncoding.EncodeToString(rest)}
	case k[0] == protocol.GovKeyNode && len(rest) == 20:
		return Words{Kind: "node", Name: hex.EncodeToString(rest)}
	case k[0] == protocol.GovKeySchema:
		return Words{Kind: "official schema", Name: Readable(rest)}
	case k[0] == protocol.GovKeyCode && len(rest) == 32:
		return Words{Kind: "approved code", Name: hex.EncodeToString(rest)}
	case k[0] == protocol.GovKeyDispute && len(rest) == 8:
		return Words{Kind: "dispute", Name: number(rest)}
	}
	return Words{}
}
