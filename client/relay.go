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
	if r.To.config.As != nil {
		return done, protocol.Refuse(protocol.CodeMultisigTerms, "an account of several members cannot relay: by the time they agree the testimony is out of date; relay with the key of any account that has a role, which vouches for nothing")
	}
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
	for try := 0; ; {
		var t *proof.Testimony
		t, dealt, err = r.testimony(ctx, indices)
		if errors.Is(err, errLarge) && len(indices) > 1 {
			indices = indices[:len(indices)/2]
			continue
		}
		if t != nil && err == nil {
			err = r.show(ctx, t, done)
		}
		code, refused := protocol.CodeOf(err)
		if err == nil || refused && code == protocol.CodeRelayed {
			if dealt > 0 {
				return dealt, nil
			}
			if err == nil { // steps went ahead: no try failed, and those that are left are fewer
				continue
			}
		}
		again := errors.Is(err, errMade) || refused && (code == protocol.CodeRelayAnchor || code == protocol.CodeRelayed)
		if !again || try >= relayTries {
			return 0, err
		}
		if err := sleep(ctx, backoff(try+3)); err != nil {
			return 0, err
		}
		try++
	}
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

var (
	// errMade marks a testimony that does not hold: nodes answered at different
	// times, or one of them wrongly.
	errMade = errors.New("the testimony does not hold")
	// errLarge: with fewer events it fits.
	errLarge = errors.New("the testimony does not fit a transaction")
)

// testimony makes and verifies, as To will, what shows entries, and answers how
// many of indices are dealt with once it is shown: none where it is of steps
// alone, which go ahead. It is nil where those hold no event to show.
func (r *Relayer) testimony(ctx context.Context, indices []uint64) (t *proof.Testimony, dealt int, err error) {
	ledger, err := r.To.Ledger(ctx, r.Name, 0)
	if err != nil {
		return nil, 0, err
	}
	t, whole, err := r.steps(ctx, &ledger, false)
	if err != nil {
		return nil, 0, err
	}
	if !whole {
		return t, 0, r.verify(t, &ledger)
	}
	ahead := *t
	if t.Receipt, dealt, err = r.receipt(ctx, indices); err != nil || t.Receipt == nil {
		return nil, dealt, err
	}
	err = r.verify(t, &ledger)
	if err == nil && !fits(t) {
		err = errLarge
	}
	if err != nil && !isRefusal(err) && len(ahead.Steps) > 0 && r.verify(&ahead, &ledger) == nil {
		return &ahead, 0, nil // together they are too much, or the validators changed meanwhile
	}
	return t, dealt, err
}

func isRefusal(err error) bool {
	_, refused := protocol.CodeOf(err)
	return refused
}

// fits says whether a transaction can carry a testimony.
func fits(t *proof.Testimony) bool {
	body, err := t.MarshalBinary()
	return err == nil && len(body) <= protocol.MaxTxBytes-envelopeBytes
}

// receipt fetches one of those entries that hold an event of From's own, and
// answers how many of indices it speaks for; nil where none of them does.
func (r *Relayer) receipt(ctx context.Context, indices []uint64) (receipt *proof.BatchReceipt, dealt int, err error) {
	if receipt, err = r.receiptOf(ctx, indices); err != nil {
		return nil, 0, err
	}
	own := indices[:0:0]
	for i := range receipt.Entries {
		e := &receipt.Entries[i]
		if !e.Withheld && (e.Entry.Kind == protocol.EntryEvent || e.Entry.Kind == protocol.EntryEmitted) && len(e.Payload) <= protocol.MaxForeignRecord {
			own = append(own, e.Index)
		}
	}
	if len(own) == 0 {
		return nil, len(receipt.Entries), nil
	}
	if len(own) < len(receipt.Entries) { // some are of a third ledger, erased, or too large
		if receipt, err = r.receiptOf(ctx, own); err != nil {
			return nil, 0, err
		}
	}
	last := receipt.Entries[len(receipt.Entries)-1].Index
	for _, i := range indices {
		if i <= last {
			dealt++
		}
	}
	return receipt, dealt, nil
}

// receiptOf fetches one that proves some of the entries, at least the first.
func (r *Relayer) receiptOf(ctx context.Context, indices []uint64) (*proof.BatchReceipt, error) {
	receipt, err := r.From.ReceiptOf(ctx, indices)
	if err != nil {
		return nil, fmt.Errorf("receipt of entries of %s: %w", r.From.ChainID(), err)
	}
	if len(receipt.Entries) == 0 {
		return nil, fmt.Errorf("%w: %s proves none of %d entries", errMade, r.From.ChainID(), len(indices))
	}
	return receipt, nil
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
// signs now, where that is another, or where it was seen long ago. It is not
// whole where the way is longer than a testimony can be: the rest is another's.
func (r *Relayer) steps(ctx context.Context, ledger *rest.Ledger, still bool) (t *proof.Testimony, whole bool, err error) {
	t, before, err := r.trusted(ctx, ledger)
	if err != nil {
		return nil, false, err
	}
	head, err := r.From.Head(ctx)
	if err != nil {
		return nil, false, fmt.Errorf("reading %s: %w", r.From.ChainID(), err)
	}
	w := way{Testimony: t, bytes: len(t.Validators) * setBytes}
	var resting *proof.TrustStep // says that the newest set still signs
	pages := 0
	for from, began := ledger.Seen, uint64(0); from < head.Height && from != began; pages++ {
		path, err := r.From.TrustPath(ctx, from)
		if err != nil {
			return nil, false, fmt.Errorf("steps of trust of %s: %w", r.From.ChainID(), err)
		}
		began = from
		for i := range path.Steps {
			s := &path.Steps[i]
			next, err := proof.NewAnchor(t.ChainID, s.Next)
			if err != nil {
				return nil, false, err
			}
			s.Next, from, resting = next.Validators(), s.Commit.Height, s
			if after := next.SetHash(); after != before {
				if !w.add(s) {
					return t, false, nil
				}
				before, resting = after, nil
				if !s.Skip {
					from++ // the first height that it signs
				}
			}
		}
	}
	old := time.Since(time.UnixMilli(int64(ledger.AtMs))) > time.Duration(ledger.PeriodMs)*time.Millisecond/3
	if resting != nil && (still || old || pages > 1) { // whoever looks next has not so far to go
		return t, w.add(resting), nil
	}
	return t, true, nil
}

// way counts what the steps of a testimony take.
type way struct {
	*proof.Testimony
	bytes, signatures int
}

// add adds a step, if it leaves half of what a testimony may have to a receipt,
// or is the first one.
func (w *way) add(s *proof.TrustStep) bool {
	w.bytes += stepBytes(s)
	w.signatures += len(s.Commit.Signatures)
	n := len(w.Steps)
	if n == proof.MaxTestimonySteps || n > 0 && (w.signatures > proof.MaxTestimonySignatures/2 || w.bytes > protocol.MaxTxBytes/2) {
		return false
	}
	w.Steps = append(w.Steps, *s)
	return true
}

// trusted begins a testimony with the set that To trusts.
func (r *Relayer) trusted(ctx context.Context, ledger *rest.Ledger) (t *proof.Testimony, hash protocol.Hash, err error) {
	set, err := r.From.Validators(ctx, ledger.Since)
	if err != nil {
		return nil, hash, fmt.Errorf("validators of %s: %w", r.From.ChainID(), err)
	}
	t = &proof.Testimony{ChainID: ledger.ChainID}
	for _, v := range set.Validators {
		t.Validators = append(t.Validators, proof.Validator{PubKey: proof.ValidatorKey(v.Key), Power: v.Power})
	}
	from, err := proof.NewAnchor(t.ChainID, t.Validators)
	if err != nil {
		return nil, hash, err
	}
	if hash = from.SetHash(); hash != ledger.Set {
		return nil, hash, fmt.Errorf("%s has validators %s at height %d, %s trusts %s: one of them is another ledger than is meant",
			r.From.ChainID(), hash, ledger.Since, r.To.ChainID(), ledger.Set)
	}
	t.Validators = from.Validators()
	return t, hash, nil
}

// Bounds of what a testimony's parts take, each as large as its numbers can be.
const (
	setBytes      = 32 + 10      // a validator: key and power
	signedBytes   = 64 + 10 + 10 // a signature, its place and its time
	besideBytes   = 512          // the rest of a step
	envelopeBytes = 1 << 10      // of a transaction, around a testimony
)

func stepBytes(s *proof.TrustStep) int {
	return besideBytes + len(s.Next)*setBytes + len(s.Commit.Signatures)*signedBytes
}

// refresh has To see that the validators still sign, where it last saw that
// more than a third of the trusting period ago.
func (r *Relayer) refresh(ctx context.Context, ledger *rest.Ledger, done *Relay) error {
	if time.Since(time.UnixMilli(int64(ledger.AtMs))) < time.Duration(ledger.PeriodMs)*time.Millisecond/3 {
		return nil
	}
	t, _, err := r.steps(ctx, ledger, true)
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
