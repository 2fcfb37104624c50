package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"

	"github.com/spf13/cobra"

	"github.com/cairn-ledger/cairn/client"
	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
)

// typeCheckpoint is the type of an event that anchors another ledger's log: a
// checkpoint as a signed note, its subject the log's origin.
const typeCheckpoint = "cairn.checkpoint.v1"

// anchorStream is the stream of a log's anchors on a hub.
func anchorStream(origin string) string { return streamName("anchor." + origin) }

func anchorCommand(s *session) *cobra.Command {
	var to, key string
	cmd := &cobra.Command{
		Use:   "anchor",
		Short: "Record this log's newest checkpoint on another ledger, the hub",
		Long: `Record this ledger's newest checkpoint, cosigned by validators with more than two
thirds of the power, as an event on another ledger, the hub. Before that the log is
shown to begin with what was anchored last: a log that was rewritten is not anchored.
Nothing is recorded where nothing is new.`,
		Example: "  cairn log anchor --network district --to hub",
		Args:    cobra.NoArgs,
		RunE:    func(cmd *cobra.Command, _ []string) error { return s.anchor(cmd.Context(), to, key) },
	}
	cmd.Flags().StringVar(&to, "to", "", "folder of the hub's network")
	cmd.Flags().StringVar(&key, "key", "producer", "key of a producer of the hub: a file, or a name in its keys folder")
	return cmd
}

func anchoredCommand(s *session) *cobra.Command {
	var to, by string
	cmd := &cobra.Command{
		Use:   "anchored INDEX",
		Short: "Verify that an entry is in a checkpoint that the hub recorded",
		Long: `Verify that an entry of this ledger is in a checkpoint that another ledger, the hub,
recorded: by the entry's receipt, the hub's receipt of the anchor, the cosignatures on the
checkpoint in it, and the proof that both are of one log. Nodes are believed nothing.
Exit code 0: it is. 1: it is not anchored yet. 3: something does not hold.`,
		Example: "  cairn log anchored 4711 --network district --to hub",
		Args:    exactly(1, "the index of an entry"),
		RunE:    func(cmd *cobra.Command, args []string) error { return s.anchored(cmd.Context(), args[0], to, by) },
	}
	cmd.Flags().StringVar(&to, "to", "", "folder of the hub's network")
	cmd.Flags().StringVar(&by, "by", "producer", "who anchors: an address, a key file, or a name in the hub's keys folder")
	return cmd
}

// hub is the other ledger of a session.
func (s *session) hub(to string) (*session, *ledger, error) {
	if to == "" {
		return nil, nil, usageError{errors.New("--to: say which ledger is the hub, by its network's folder")}
	}
	other := &session{network: to, out: s.out}
	l, err := other.connect()
	return other, l, err
}

// anchorPoint is an anchor that was verified.
type anchorPoint struct {
	index      uint64 // of its entry on the hub
	statement  proof.Statement
	checkpoint *proof.SignedCheckpoint
}

// lastAnchor is the newest anchor of a log by an account; nil where there is none.
func lastAnchor(ctx context.Context, hub *ledger, by protocol.Address, district proof.Cosigners) (*anchorPoint, error) {
	stream := anchorStream(district.Origin())
	at, err := hub.Stream(ctx, by, stream)
	if err != nil || at.Next == 0 {
		return nil, err
	}
	entries, err := hub.StreamEntries(ctx, by, stream, at.Next-1, 1)
	if err != nil {
		return nil, err
	}
	if len(entries) != 1 {
		return nil, fmt.Errorf("the hub's node does not have the newest event of stream %s", stream)
	}
	receipt, err := hub.Receipt(ctx, entries[0].Index)
	if err != nil {
		return nil, err
	}
	a := &anchorPoint{index: entries[0].Index}
	if a.statement, err = hub.Verify(ctx, receipt); err != nil {
		return nil, fmt.Errorf("%w: entry %d of the hub: %w", errInvalid, a.index, err)
	}
	e := a.statement.Entry
	if e.Origin != by || e.Stream == nil || *e.Stream != protocol.NewStreamID(by, stream) || e.Kind != protocol.EntryEvent {
		return nil, fmt.Errorf("%w: entry %d of the hub is not of stream %s of %s", errInvalid, a.index, stream, by)
	}
	var view protocol.RecordView
	if err := view.Parse(receipt.Entry.Payload); err != nil {
		return nil, fmt.Errorf("%w: entry %d of the hub: %w", errInvalid, a.index, err)
	}
	if string(view.Type) != typeCheckpoint {
		return nil, fmt.Errorf("%w: entry %d of the hub is no anchor but %s", errInvalid, a.index, view.Type)
	}
	if a.checkpoint, err = proof.ParseCheckpoint(view.Data); err != nil {
		return nil, fmt.Errorf("%w: the anchor of entry %d: %w", errInvalid, a.index, err)
	}
	if _, err := district.Verify(a.checkpoint); err != nil {
		return nil, fmt.Errorf("%w: the anchor of entry %d: %w", errInvalid, a.index, err)
	}
	return a, nil
}

func (s *session) anchor(ctx context.Context, to, keyName string) error {
	hubSession, hub, err := s.hub(to)
	if err != nil {
		return err
	}
	key, err := hubSession.key(keyName)
	if err != nil {
		return err
	}
	account, err := hub.AccountOf(ctx, key.Public())
	if err != nil {
		return err
	}
	by, err := s.cosigners()
	if err != nil {
		return err
	}
	district, err := s.connect()
	if err != nil {
		return err
	}
	newest, _, err := s.newestCheckpoint(ctx, district, &by)
	if err != nil {
		return err
	}
	last, err := lastAnchor(ctx, hub, account, by)
	if err != nil {
		return err
	}
	if last != nil {
		if err := oneLog(ctx, district, last.checkpoint.Checkpoint, newest.Checkpoint); err != nil {
			return err
		}
		if newest.Size <= last.checkpoint.Size {
			return s.sayAnchored(last.index, last.checkpoint.Checkpoint, hub, "nothing is new since")
		}
	}
	result, err := s.submitAnchor(ctx, hub, key, account, by.Trim(newest))
	if err != nil {
		return err
	}
	return s.sayAnchored(result.Index, newest.Checkpoint, hub, "final on the hub")
}

func (s *session) submitAnchor(ctx context.Context, hub *ledger, key protocol.PrivateKey, account protocol.Address, c *proof.SignedCheckpoint) (client.Result, error) {
	producer, err := hub.NewProducer(ctx, key, anchorStream(c.Origin), client.ProducerConfig{Account: account, Linger: -1})
	if err != nil {
		return client.Result{}, err
	}
	future, err := producer.Submit(ctx, protocol.Event{
		ID: strconv.FormatUint(c.Size, 10), Source: "/logs/" + c.Origin, Type: typeCheckpoint, Subject: c.Origin,
		DataContentType: "text/plain", DataForm: protocol.DataText, Data: c.Marshal(),
	})
	if err != nil {
		return client.Result{}, errors.Join(err, producer.Close(ctx))
	}
	if err := producer.Close(ctx); err != nil {
		return client.Result{}, err
	}
	return future.Wait(ctx)
}

func (s *session) sayAnchored(index uint64, c proof.Checkpoint, hub *ledger, how string) error {
	if s.json {
		return s.printJSON(map[string]any{"log": c.Origin, "size": c.Size, "root": c.Root, "hub": hub.ChainID(), "entry": index})
	}
	_, err := fmt.Fprintf(s.out, "log       %s\nentries   %d\nroot      %s\nanchored  as entry %d of %s; %s\n", c.Origin, c.Size, c.Root, index, hub.ChainID(), how)
	return err
}

// oneLog proves that two heads are of one log.
func oneLog(ctx context.Context, l *ledger, a, b proof.Checkpoint) error {
	if a.Size > b.Size {
		a, b = b, a
	}
	c, err := l.Consistency(ctx, a.Size, b.Size)
	if err != nil {
		return err
	}
	if err := proof.VerifyConsistency(a.Size, b.Size, a.Root, b.Root, c.Path); err != nil {
		return fmt.Errorf("%w: the log of %d entries does not begin with the %d entries that were anchored or proven: %w", errInvalid, b.Size, a.Size, err)
	}
	return nil
}

func (s *session) anchored(ctx context.Context, indexText, to, by string) error {
	index, err := indexArg(indexText)
	if err != nil {
		return err
	}
	hubSession, hub, err := s.hub(to)
	if err != nil {
		return err
	}
	account, err := hubSession.address(by)
	if err != nil {
		return err
	}
	cosigners, err := s.cosigners()
	if err != nil {
		return err
	}
	district, err := s.connect()
	if err != nil {
		return err
	}
	receipt, err := district.Receipt(ctx, index)
	if err != nil {
		return err
	}
	statement, err := district.Verify(ctx, receipt)
	if err != nil {
		return fmt.Errorf("%w: %w", errInvalid, err)
	}
	anchor, err := lastAnchor(ctx, hub, account, cosigners)
	if err != nil {
		return err
	}
	if anchor == nil || anchor.checkpoint.Size <= index {
		return fmt.Errorf("entry %d is not in a checkpoint that %s anchored on %s yet; `cairn log anchor` does", index, account, hub.ChainID())
	}
	head := proof.Checkpoint{Origin: statement.ChainID, Size: statement.Entry.LogSize, Root: statement.Entry.LogRoot}
	if err := oneLog(ctx, district, head, anchor.checkpoint.Checkpoint); err != nil {
		return err
	}
	if s.json {
		return s.printJSON(map[string]any{
			"chainId": statement.ChainID, "index": index, "hub": hub.ChainID(), "anchor": anchor.index, "size": anchor.checkpoint.Size,
			"hubHeight": anchor.statement.Entry.Height, "hubTime": anchor.statement.Entry.Time,
		})
	}
	_, err = fmt.Fprintf(s.out, "entry %d of %s is among the %d entries whose checkpoint is entry %d of %s,\nrecorded by its block %d at %s; %d validators there and %d here signed for it\n",
		index, statement.ChainID, anchor.checkpoint.Size, anchor.index, hub.ChainID(), anchor.statement.Entry.Height, anchor.statement.Entry.Time.Format("2006-01-02T15:04:05Z07:00"),
		len(anchor.statement.Signed.Validators), len(statement.Signed.Validators))
	return err
}
