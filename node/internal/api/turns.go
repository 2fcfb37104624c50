package api

import (
	"context"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// lane says which requests take turns, because each costs much more than its
// octets: whoever asks for many must neither take the processor from producers
// nor fill the memory with what is not yet sent.
type lane uint8

const (
	pages  lane = iota + 1 // of the log, the state or a block: half the cores at once
	proofs                 // of many entries, which may wait for a block
)

const (
	maxProofs  = 16 // read at once
	maxWaiting = 64 // requests that wait for their turn, in each lane
)

// turns are those of one lane.
type turns struct {
	under chan struct{} // one token for each request that is under way
	all   chan struct{} // one token for each that is under way or waits
}

func newTurns(most int) *turns {
	return &turns{make(chan struct{}, most), make(chan struct{}, most+maxWaiting)}
}

// take waits for a turn.
func (t *turns) take(ctx context.Context) (leave func(), err error) {
	select {
	case t.all <- struct{}{}:
	default:
		return nil, protocol.Refuse(protocol.CodeBusy, "%d requests for as much wait already; ask again in a second", maxWaiting)
	}
	select {
	case t.under <- struct{}{}:
		return func() { <-t.under; <-t.all }, nil
	case <-ctx.Done():
		<-t.all
		return nil, protocol.Refuse(protocol.CodeUnavailable, "the request was given up")
	}
}
