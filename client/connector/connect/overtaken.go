package connect

import (
	"context"
	"errors"
	"fmt"

	"github.com/cairn-ledger/cairn/client"
)

// maxOvertaken bounds how often a stream gives its records new sequences in one
// run. What a killed connector had on its way is decided within a few blocks;
// who comes in between more often is a second connector of the same stream.
const maxOvertaken = 8

// overtaken says whether err is a sequence that another event took which this
// stream can leave to it: its records are a queue's, which have no positions of
// their own. A connector that was killed may have sent batches that the ledger
// decides only after the next one asked where the stream stands. The caller
// holds sending.
func (p *pipe) overtaken(err error) bool {
	return errors.Is(err, client.ErrConflict) && p.appends && p.overtakings < maxOvertaken
}

// goBehind makes the producer anew and sends what waits behind what the ledger
// holds by now. An event that the ledger has already, sent by the other
// connector or by this one, is told by its id. The caller holds sending.
func (p *pipe) goBehind(ctx context.Context, try int) error {
	p.overtakings++
	p.run.log("stream %s: batches that another run of this connector had sent came in between; going on behind them", p.name)
	if err := sleep(ctx, pause(try)); err != nil { // others of them may follow
		return err
	}
	p.renumber = true
	return p.again(ctx, nil, try)
}

// number gives the events that wait the sequences that the ledger expects. The
// caller holds sending.
func (p *pipe) number() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	next := p.producer.Held()
	for _, i := range p.waiting {
		i.position = next
		if i.event == nil {
			continue // left out: it takes none
		}
		event, err := p.mapping.Event(p.name, next, i.record)
		if err != nil {
			return fmt.Errorf("stream %s: a record under another sequence: %w", p.name, err)
		}
		i.event = &event
		next++
	}
	p.next, p.renumber = next, false
	return nil
}
