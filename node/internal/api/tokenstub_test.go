package api

import (
	"errors"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
	"github.com/cairn-ledger/cairn/node/internal/bank"
	"github.com/cairn-ledger/cairn/node/internal/store/state"
)

// emptyState has no tokens.
type emptyState struct{}

func (emptyState) Get([]byte) ([]byte, bool, error)            { return nil, false, nil }
func (emptyState) Scan(_, _ []byte, _ int) ([]state.KV, error) { return nil, nil }

func (b *stub) State(height uint64) (bank.Reader, rest.At, error) {
	if height > stubHeight {
		return nil, rest.At{}, protocol.Refuse(protocol.CodeNotFound, "height %d is not there yet", height)
	}
	return emptyState{}, rest.At{Height: stubHeight}, nil
}

func (b *stub) DryRun([]byte) (rest.DryRun, error) { return rest.DryRun{}, errors.ErrUnsupported }
