package main

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/cairn-ledger/cairn/client"
	"github.com/cairn-ledger/cairn/client/derive"
	"github.com/cairn-ledger/cairn/client/model"
	"github.com/cairn-ledger/cairn/client/netdir"
	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
)

// check scores a whole stream of predictions again, from its model on. That
// none is missing, and that each is in its place, is proven by receipts of the
// stream; each reading is verified by its own.
func (s *settings) check(ctx context.Context, out io.Writer) error {
	m, err := model.Load(s.model)
	if err != nil {
		return err
	}
	if s.asset == "" {
		return errors.New("--asset: say whose predictions to check")
	}
	folder, err := netdir.Open(s.network)
	if err != nil {
		return err
	}
	c, err := folder.Client()
	if err != nil {
		return err
	}
	account, err := s.signer(ctx, folder, c)
	if err != nil {
		return err
	}
	stream := m.Stream(s.asset)
	at, err := c.Stream(ctx, account, stream)
	if err != nil {
		return err
	}
	if at.Next == 0 {
		return fmt.Errorf("%s has recorded no prediction of %q by this very model file (stream %s)", account, s.asset, stream)
	}
	checked, err := recheck(ctx, c, m, account, s.asset, at.Next)
	if err != nil {
		return fmt.Errorf("after %d predictions that reproduce: %w", checked, err)
	}
	fmt.Fprintf(out, "%d predictions of %q by %s %s, signed by %s: all reproduce from the recorded readings\n", checked, s.asset, m.Name, m.Version, account)
	return nil
}

// signer is whose streams are checked.
func (s *settings) signer(ctx context.Context, folder *netdir.Folder, c *client.Client) (protocol.Address, error) {
	if s.producer != "" {
		return protocol.ParseAddress(s.producer)
	}
	key, err := folder.Key(s.key)
	if err != nil {
		return protocol.Address{}, err
	}
	return c.AccountOf(ctx, key.Public())
}

// recheck walks a stream up to a sequence and answers how many predictions it
// found to reproduce.
func recheck(ctx context.Context, c *client.Client, m *model.Model, account protocol.Address, asset string, next uint64) (checked int, err error) {
	stream, err := c.StreamProof(ctx, account, m.Stream(asset), 0, next, false)
	if err != nil {
		return 0, err
	}
	trust, err := c.UpdateTrust(ctx, 0)
	if err != nil {
		return 0, err
	}
	if _, err := stream.Verify(trust); err != nil {
		return 0, err
	}
	readings := &proven{client: c, trust: trust, model: m}
	var before protocol.Event
	for i := range stream.Batches {
		for _, entry := range stream.Batches[i].Entries {
			e, err := eventOf(entry.Payload)
			if err != nil {
				return checked, fmt.Errorf("entry %d: %w", entry.Index, err)
			}
			if entry.Entry.Sequence == 0 {
				if published, err := model.ParsePublished(&e); err != nil || published.Hash != m.Hash {
					return 0, fmt.Errorf("the stream does not begin with this model (%v)", err)
				}
			} else if err := readings.again(ctx, &e, &before); err != nil {
				return checked, fmt.Errorf("entry %d: %w", entry.Index, err)
			} else {
				checked++
			}
			before = e
		}
	}
	return checked, nil
}

func eventOf(payload []byte) (protocol.Event, error) {
	var view protocol.RecordView
	if err := view.Parse(payload); err != nil {
		return protocol.Event{}, err
	}
	return view.Event(), nil
}

// proven fetches readings with receipts of many at once, as they are asked for
// in the order of the log.
type proven struct {
	client *client.Client
	trust  *proof.Trust
	model  *model.Model
	page   *proof.BatchReceipt // verified
}

// pageEntries is how many entries one receipt is of.
const pageEntries = 500

// entry answers what an entry holds.
func (p *proven) entry(ctx context.Context, index uint64) (protocol.Event, error) {
	if p.page == nil || index < p.page.Entries[0].Index || index-p.page.Entries[0].Index >= uint64(len(p.page.Entries)) {
		page, err := p.client.BatchReceipt(ctx, index, pageEntries, false)
		if err != nil {
			return protocol.Event{}, err
		}
		if _, err := page.VerifyWith(p.trust); err != nil {
			return protocol.Event{}, err
		}
		p.page = page
	}
	return eventOf(p.page.Entries[index-p.page.Entries[0].Index].Payload)
}

// again scores one prediction again.
func (p *proven) again(ctx context.Context, e, before *protocol.Event) error {
	inputs, err := derive.InputsOf(e)
	if err != nil {
		return err
	}
	var readings []model.Reading
	for _, index := range inputs {
		reading, err := p.entry(ctx, index)
		if err != nil {
			return fmt.Errorf("input %d: %w", index, err)
		}
		readings = append(readings, model.Reading{Index: index, Event: &reading})
	}
	return p.model.Check(e, before, readings)
}
