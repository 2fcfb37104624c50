package devnet

import (
	"fmt"
	"slices"
	"strings"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/contracts"
	"github.com/cairn-ledger/cairn/genesis"
)

// addSchemas registers the schemas of what the shipped contracts hear. They are
// the author's, who can add versions that deployed contracts still read.
func addSchemas(founded *genesis.Network) error {
	all, err := contracts.Schemas()
	if err != nil {
		return err
	}
	owner, ok := founded.Accounts["author"]
	if !ok {
		return fmt.Errorf("devnet: the network has no account %q for the schemas", "author")
	}
	for _, s := range all {
		founded.Document.Schemas = append(founded.Document.Schemas, genesis.Schema{
			Type: s.Type, Owner: owner.Address(), Rule: protocol.SchemaForward, Schema: s.Schema,
		})
	}
	slices.SortFunc(founded.Document.Schemas, func(a, b genesis.Schema) int { return strings.Compare(a.Type, b.Type) })
	return founded.Document.Validate()
}
