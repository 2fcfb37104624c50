package node

import (
	"path/filepath"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/node/internal/access"
)

// Token is what one API token allows.
type Token = access.Token

// AddToken makes a token in a home and answers its secret, which is kept nowhere.
func AddToken(home string, t Token) (secret string, err error) { return access.Add(home, t) }

// RevokeToken removes a home's token by its name.
func RevokeToken(home, name string) error { return access.Revoke(home, name) }

// Tokens lists a home's.
func Tokens(home string) ([]Token, error) { return access.Read(filepath.Join(home, access.FileName)) }

// MakeGatewayKey makes a new gateway key in a home that has none.
func MakeGatewayKey(home string) (protocol.Address, error) {
	key, err := protocol.NewPrivateKey()
	if err != nil {
		return protocol.Address{}, err
	}
	return key.Address(), WriteAccountKey(filepath.Join(home, GatewayKeyFile), "gateway", key)
}
