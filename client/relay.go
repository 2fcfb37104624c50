package client

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
)

// Relayer carries events from one ledger to another that has it registered. It
// is trusted by nobody: the other ledger verifies what it is shown, and takes
// each event once, however many relayers there are.
type Relayer struct {
	From *Client             // needs no trust: what it answers is verified by To's record
	To   *Client             // where it is shown
	Key  protocol.PrivateKey // signs at To; any account with a role
	Name string              // of From at To
	// Types are prefixes of the types to carry; none is all that To accepts.
	Types []string
	Next  uint64 // first entry of From to look at
	Batch int    // events of one transaction; 0 means 64
}

// Relay is what one look at the log came to.
type Relay struct {
	From    uint64        `json:"from"`    // first entry looked at
	Next    uint64        `json:"next"`    // first one that was not
	Found   int           `json:"found"`   // events that To accepts
	Known   int           `json:"known"`   // of those, relayed before
	Stale   int           `json:"stale"`   // of those, too old to be relayed
	Relayed int           `json:"relayed"` // of those, now
	Sent    []rest.Status `json:"sent"`
}

const (
	relayBatch = 64
	relayLook  = 200 // entries of one look
	// relayTries is how often a testimony is made anew, when the trusted set
	// moved or the validators changed meanwhile.
	relayTries = 5
)

// Step looks at the next entries of From, waiting for them up to wait, and
// shows To those that it lacks. Next moves on once all of them are there.
func (r *Relayer) Step(ctx context.Context, wait time.Duration) (Relay, error) {
	done := Relay{From: r.Next, Next: r.Next, Sent: []rest.Status{}}
	page, err := r.From.EventsSince(ctx, r.Next, relayLook, wait)
	if err != nil {
		return done, fmt.Errorf("reading %s: %w", r.From.ChainID(), err)
	}
	ledger, err := r.To.Ledger(ctx, r.Name, 0)
	if err != nil {
		return done, fmt.Errorf("reading %s: %w", r.To.ChainID(), err)
	}
	lacking, err := r.lacking(ctx, &ledger, page.Events, &done)
	if err != nil {
		return done, err
	}
	for len(lacking) > 0 {
		n, err := r.send(ctx, lacking[:min(len(lacking), r.batch())], &done)
		if err != nil {
			return done, err
		}
		lacking = lacking[n:]
	}
	if len(page.Events) == 0 || done.Relayed == 0 {
		if err := r.refresh(ctx, &ledger, &done); err != nil {
			return done, err
		}
	}
	r.Next, done.Next = page.Next, page.Next
	return done, nil
}

func (r *Relayer) batch() int {
	if r.Batch == 0 {
		return relayBatch
	}
	return min(r.Batch, rest.MaxIndices)
}

// lacking picks the events that To accepts and has not.
func (r *Relayer) lacking(ctx context.Context, ledger *rest.Ledger, events []rest.Delivered, done *Relay) (lacking []uint64, err error) {
	for _, e := range events {
		wanted := len(r.Types) == 0 || slices.ContainsFunc(r.Types, func(t string) bool { return strings.HasPrefix(e.Event.Type, t) })
		if !wanted || !ledger.Accept.Cover([]byte(e.Event.Source), []byte(e.Event.Type)) {
			continue
		}
		done.Found++
		if age := ledger.MaxAgeMs; age > 0 && e.TimeMs+age < uint64(time.Now().UnixMilli()) {
			done.Stale++
			continue
		}
		lacking = append(lacking, e.Index)
	}
	if len(lacking) == 0 {
		return nil, nil
	}
	known, err := r.To.Relayed(ctx, r.Name, lacking)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", r.To.ChainID(), err)
	}
	kept := lacking[:0]
	for i, index := range lacking {
		if known[i] {
			done.Known++
		} else {
			kept = append(kept, index)
		}
	}
	return kept, nil
}

// send shows some events, and answers how many of them are dealt with.
func (r *Relayer) send(ctx context.Context, indices []uint64, done *Relay) (dealt int, err error) {
	for try := 0; ; try++ {
		var t *proof.Testimony
		if t, err = r.testimony(ctx, indices); err == nil {
			if t.Receipt == nil { // what it shows holds no event of From's own
				return len(indices), nil
			}
			err = r.show(ctx, t, done)
		}
		code, refused := protocol.CodeOf(err)
		if err == nil || refused && code == protocol.CodeRelayed {
			return len(t.Receipt.Entries) + done.dropped(indices, t), nil
		}
		again := errors.Is(err, errMade) || refused && code == protocol.CodeRelayAnchor
		if !again || try >= relayTries {
			return 0, err
		}
		if err := sleep(ctx, backoff(try+3)); err != nil {
			return 0, err
		}
	}
}

// dropped counts the indices before the last one shown that are not shown.
func (*Relay) dropped(indices []uint64, t *proof.Testimony) int {
	last := t.Receipt.Entries[len(t.Receipt.Entries)-1].Index
	through := 0
	for _, i := range indices {
		if i <= last {
			through++
		}
	}
	return through - len(t.Receipt.Entries)
}

// show sends a testimony and waits until it is decided about.
func (r *Relayer) show(ctx context.Context, t *proof.Testimony, done *Relay) error {
	body, err := t.MarshalBinary()
	if err != nil {
		return err
	}
	status, err := r.To.Execute(ctx, r.Key, &protocol.Relay{Ledger: r.Name, Testimony: body})
	if err != nil {
		return err
	}
	done.Relayed += int(status.Entries)
	done.Sent = append(done.Sent, status)
	return nil
}

// errMade marks a testimony that does not hold: nodes answered at different
// times, or one of them wrongly.
var errMade = errors.New("the testimony does not hold")

// testimony makes and verifies what shows entries, as To will.
func (r *Relayer) testimony(ctx context.Context, indices []uint64) (*proof.Testimony, error) {
	ledger, err := r.To.Ledger(ctx, r.Name, 0)
	if err != nil {
		return nil, err
	}
	t, err := r.steps(ctx, &ledger, false)
	if err != nil {
		return nil, err
	}
	steps := t.Steps
	if t.Receipt, err = r.From.ReceiptOf(ctx, indices); err != nil {
		return nil, fmt.Errorf("receipt of entries of %s: %w", r.From.ChainID(), err)
	}
	own := indices[:0:0]
	for i := range t.Receipt.Entries {
		e := &t.Receipt.Entries[i]
		if !e.Withheld && (e.Entry.Kind == protocol.EntryEvent || e.Entry.Kind == protocol.EntryEmitted) && len(e.Payload) <= protocol.MaxForeignRecord {
			own = append(own, e.Index)
		}
	}
	switch {
	case len(own) == 0:
		t.Receipt = nil
		return t, nil
	case len(own) < len(t.Receipt.Entries): // some are of a third ledger, erased, or too large
		if t.Receipt, err = r.From.ReceiptOf(ctx, own); err != nil {
			return nil, err
		}
	}
	if err = r.verify(t, &ledger); !errors.Is(err, errMade) || len(steps) == 0 {
		return t, err
	}
	// The steps may end before the set that signs now: they go ahead.
	ahead := &proof.Testimony{ChainID: t.ChainID, Validators: t.Validators, Steps: steps}
	if r.verify(ahead, &ledger) == nil {
		if shown := r.show(ctx, ahead, &Relay{}); shown != nil {
			return t, fmt.Errorf("%w: %v", errMade, shown)
		}
	}
	return t, err
}

// verify checks a testimony as To will.
func (r *Relayer) verify(t *proof.Testimony, ledger *rest.Ledger) error {
	verified, err := t.Verify()
	if err == nil {
		trusted := proof.Followed{Set: ledger.Set, Since: ledger.Since, Seen: ledger.Seen, At: time.UnixMilli(int64(ledger.AtMs))}
		_, err = verified.Follow(trusted, time.Now(), time.Duration(ledger.PeriodMs)*time.Millisecond)
	}
	if errors.Is(err, proof.ErrExpired) {
		return protocol.Refuse(protocol.CodeRelayExpired, "%s trusts validators of %s: %v", r.To.ChainID(), r.From.ChainID(), err)
	}
	if err != nil {
		return fmt.Errorf("%w: %w", errMade, err)
	}
	return nil
}

// steps begins a testimony: the set that To trusts, and the way to the one that
// signs now, where that is another, or where it was seen long ago.
func (r *Relayer) steps(ctx context.Context, ledger *rest.Ledger, still bool) (*proof.Testimony, error) {
	set, err := r.From.Validators(ctx, ledger.Since)
	if err != nil {
		return nil, fmt.Errorf("validators of %s: %w", r.From.ChainID(), err)
	}
	t := &proof.Testimony{ChainID: ledger.ChainID}
	for _, v := range set.Validators {
		t.Validators = append(t.Validators, proof.Validator{PubKey: proof.ValidatorKey(v.Key), Power: v.Power})
	}
	hash, err := t.SetHash()
	if err != nil {
		return nil, err
	}
	if hash != ledger.Set {
		return nil, fmt.Errorf("%s has validators %s at height %d, %s trusts %s: one of them is another ledger than is meant",
			r.From.ChainID(), hash, ledger.Since, r.To.ChainID(), ledger.Set)
	}
	path, err := r.From.TrustPath(ctx, ledger.Seen)
	if err != nil {
		return nil, fmt.Errorf("steps of trust of %s: %w", r.From.ChainID(), err)
	}
	from, err := proof.NewAnchor(t.ChainID, t.Validators)
	if err != nil {
		return nil, err
	}
	t.Validators = from.Validators()
	changes := 0 // steps up to the last one to another set
	before := hash
	for i := range path.Steps {
		next, err := proof.NewAnchor(t.ChainID, path.Steps[i].Next)
		if err != nil {
			return nil, err
		}
		path.Steps[i].Next = next.Validators()
		if after := next.SetHash(); after != before {
			before, changes = after, i+1
		}
	}
	seen := time.UnixMilli(int64(ledger.AtMs))
	if old := time.Since(seen) > time.Duration(ledger.PeriodMs)*time.Millisecond/3; still || old {
		changes = len(path.Steps)
	}
	t.Steps = fitting(path.Steps[:min(changes, proof.MaxTestimonySteps)])
	return t, nil
}

// fitting are as many steps as leave half of a testimony's signatures to a
// receipt, and at least one. Those that follow are another testimony's.
func fitting(steps []proof.TrustStep) []proof.TrustStep {
	signatures := 0
	for i := range steps {
		if signatures += len(steps[i].Commit.Signatures); i > 0 && signatures > proof.MaxTestimonySignatures/2 {
			return steps[:i]
		}
	}
	return steps
}

// refresh has To see that the validators still sign, where it last saw that
// more than a third of the trusting period ago.
func (r *Relayer) refresh(ctx context.Context, ledger *rest.Ledger, done *Relay) error {
	if time.Since(time.UnixMilli(int64(ledger.AtMs))) < time.Duration(ledger.PeriodMs)*time.Millisecond/3 {
		return nil
	}
	t, err := r.steps(ctx, ledger, true)
	if err != nil || len(t.Steps) == 0 {
		return err
	}
	if err := r.verify(t, ledger); err != nil {
		return err
	}
	err = r.show(ctx, t, done)
	if code, _ := protocol.CodeOf(err); code == protocol.CodeRelayed || code == protocol.CodeRelayAnchor {
		return nil // another relayer was faster
	}
	return err
}
