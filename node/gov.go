package node

import (
	"errors"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
	"github.com/cairn-ledger/cairn/node/internal/api"
	"github.com/cairn-ledger/cairn/node/internal/machine"
	"github.com/cairn-ledger/cairn/node/internal/membership"
)

// later is a refusal for now.
type later struct {
	error
	after time.Duration
}

// RetryAfter is an estimate.
func (l later) RetryAfter() time.Duration { return l.after }

// Unwrap gives the refusal its code.
func (l later) Unwrap() error { return l.error }

var _ api.Later = later{}

// Bounds of how long a producer over its quota is told to wait.
const (
	minQuotaWait = time.Second
	maxQuotaWait = time.Minute
	paceBlocks   = 20 // of which the time tells the pace
)

// overQuota says when the window ends of a quota that refused a transaction at
// the door, by the pace of the last blocks. Other refusals stay as they are.
func (b *backend) overQuota(raw []byte, refusal error) error {
	if code, _ := protocol.CodeOf(refusal); code != protocol.CodeOverQuota {
		return refusal
	}
	var over *membership.OverQuota
	if !errors.As(b.app.Check(raw), &over) { // by now it fits
		return later{refusal, minQuotaWait}
	}
	head := b.store.Head()
	blocks := over.Until - min(over.Until, head.Height)
	pace := 50 * time.Millisecond
	if past := head.Height - min(paceBlocks, head.Height); past > 0 {
		if before, err := b.store.HeadAt(past); err == nil {
			pace = time.Duration(head.TimeMs-before.TimeMs) * time.Millisecond / paceBlocks
		}
	}
	wait := min(time.Duration(min(blocks, 1_000_000))*min(pace, maxQuotaWait), maxQuotaWait)
	return later{refusal, max(wait, minQuotaWait)}
}

// tryBody says what a transaction of a kind without a dry run of its own would
// come to: it is executed on what the newest block left, and thrown away.
func (b *backend) tryBody(raw []byte) (rest.DryRun, error) {
	select {
	case b.queries <- struct{}{}:
		defer func() { <-b.queries }()
	default:
		return rest.DryRun{}, protocol.Refuse(protocol.CodeBusy, "too many questions are under way; ask again in a second")
	}
	tried, err := b.machine.Try(b.store, raw)
	if err != nil {
		return rest.DryRun{}, err
	}
	out := rest.DryRun{
		At: rest.At{Height: tried.Head.Height, TimeMs: uint64(tried.Head.TimeMs)}, Code: tried.Outcome.Code, Name: tried.Outcome.Code.Name(),
		Message: tried.Outcome.Text, Movements: []protocol.MovementAct{},
	}
	for i, e := range tried.Entries {
		row, err := triedEntry(tried.Head.LogSize+uint64(i), e)
		if err != nil {
			return out, err
		}
		if movement, moved := row.Act.(*protocol.MovementAct); moved {
			out.Movements = append(out.Movements, *movement)
		}
		out.Entries = append(out.Entries, row)
	}
	return out, nil
}

func triedEntry(index uint64, e machine.TriedEntry) (rest.TriedEntry, error) {
	row := rest.TriedEntry{Index: index, Kind: e.Kind, Origin: e.Origin, Cause: causeOf(&e.Entry)}
	if e.Kind == protocol.EntryEmitted {
		event, err := protocol.DecodeRecord(e.Bytes)
		row.Event = &event
		return row, err
	}
	act, err := protocol.DecodeAct(e.Bytes)
	row.Act = act
	if foreign, ok := act.(*protocol.ForeignAct); ok {
		event, err := foreign.Event()
		row.Event = &event
		return row, err
	}
	return row, err
}
