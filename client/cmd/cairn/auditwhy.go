package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/node/sim"
)

// why is the answer to why an entry of the log is there.
type why struct {
	ChainID    string     `json:"chainId"`
	Index      uint64     `json:"index"`
	Asked      time.Time  `json:"asked"`
	Trust      whyTrust   `json:"trust"`
	Reproduced bool       `json:"reproduced"`
	Verdict    string     `json:"verdict"`
	Steps      []whyStep  `json:"steps"`    // from the question to where it began
	Values     []whyValue `json:"values"`   // of the state, that the outcome depends on
	Notes      []string   `json:"notes"`    // what is not proven, or was not tried
	Blocks     []whyBlock `json:"blocks"`   // that were executed again
	Receipts   int        `json:"receipts"` // of entries, verified
	Proofs     int        `json:"proofs"`   // of values of the state, verified
	names      map[protocol.Address]string
}

// whyTrust is what was trusted to begin with.
type whyTrust struct {
	File       string `json:"file"`
	Validators int    `json:"validators"`
	Power      uint64 `json:"power"`
}

// whyStep is one entry of the chain of causes.
type whyStep struct {
	Index      uint64             `json:"index"`
	Kind       protocol.EntryKind `json:"kind"`
	Height     uint64             `json:"height"`
	Time       time.Time          `json:"time"`
	Words      string             `json:"words"`
	Title      string             `json:"-"`
	Facts      []whyFact          `json:"-"`
	Happened   time.Time          `json:"-"`              // an event's own time, or the block's
	Data       json.RawMessage    `json:"data,omitempty"` // of an event
	Cause      *uint64            `json:"cause,omitempty"`
	Signed     *whySigned         `json:"signed,omitempty"`     // of what a transaction brought
	Declared   *whyDeclared       `json:"declared,omitempty"`   // what its producer says it was made of
	Reproduced *bool              `json:"reproduced,omitempty"` // of what a contract made
	Proof      whyProof           `json:"proof"`
}

// whyFact is a line about an event, for the report.
type whyFact struct{ Name, Text string }

// whySigned is the transaction that brought an entry.
type whySigned struct {
	TxID   protocol.Hash    `json:"txId"`
	Signer protocol.Address `json:"signer"`
	Valid  bool             `json:"valid"` // the signature
}

// whyProof sums up an entry's receipt.
type whyProof struct {
	Block      uint64          `json:"block"` // that the validators signed
	BlockHash  protocol.Hash   `json:"blockHash"`
	BlockTime  time.Time       `json:"blockTime"`
	Signers    int             `json:"signers"`
	Power      uint64          `json:"power"`
	TotalPower uint64          `json:"totalPower"`
	LogSize    uint64          `json:"logSize"`
	Bytes      int             `json:"bytes"` // of the receipt in binary
	Receipt    json.RawMessage `json:"receipt"`
}

// whyValue is a value of the state that the outcome depends on, and how it
// came about.
type whyValue struct {
	Key     []byte      `json:"key"`
	Name    string      `json:"name"`
	Value   []byte      `json:"value"`
	Writers []whyWriter `json:"writers"` // the last one first
	More    bool        `json:"more"`    // there are earlier ones
}

// whyWriter is a run that gave a key its value.
type whyWriter struct {
	whyStep
	Short string `json:"-"`
	Value []byte `json:"value"`
}

// whyBlock is a block that was executed again.
type whyBlock struct {
	Height  uint64 `json:"height"`
	Matches bool   `json:"matches"`
	Txs     int    `json:"transactions"`
	Entries int    `json:"entries"`
	Runs    int    `json:"runs"`
	Proofs  int    `json:"proofs"` // values read, each proven
	Scans   int    `json:"scans"`  // lists of keys asked for
}

// explain walks from an entry to where it began.
func (a *auditor) explain(ctx context.Context, index uint64, writers int) (*why, error) {
	w := &why{ChainID: a.ChainID(), Index: index, Asked: time.Now().UTC().Truncate(time.Second), Reproduced: true,
		Steps: []whyStep{}, Values: []whyValue{}, Notes: []string{}, Blocks: []whyBlock{}}
	var err error
	if w.names, err = a.contractNames(ctx); err != nil {
		return nil, err
	}
	for at, seen := index, map[uint64]bool{}; ; {
		e, err := a.entry(ctx, at)
		if err != nil {
			return nil, err
		}
		step, err := a.step(ctx, w, e)
		if err != nil {
			return nil, err
		}
		if err := a.again(ctx, w, e, &step); err != nil {
			return nil, err
		}
		if err := a.declared(ctx, w, e, &step); err != nil {
			return nil, err
		}
		w.Steps = append(w.Steps, step)
		if seen[at] = true; step.Cause == nil || seen[*step.Cause] {
			break
		}
		at = *step.Cause
	}
	if err := a.depends(ctx, w, writers); err != nil {
		return nil, err
	}
	a.sumUp(w)
	return w, nil
}

func (a *auditor) contractNames(ctx context.Context) (map[protocol.Address]string, error) {
	list, err := a.Contracts(ctx)
	names := make(map[protocol.Address]string, len(list))
	for _, c := range list {
		names[c.Address] = c.Name
	}
	return names, err
}

// step describes an entry and its proof.
func (a *auditor) step(ctx context.Context, w *why, e *provenEntry) (whyStep, error) {
	receipt, err := e.receipt.MarshalJSON()
	if err != nil {
		return whyStep{}, err
	}
	binary, err := e.receipt.MarshalBinary()
	if err != nil {
		return whyStep{}, err
	}
	s := e.statement
	step := whyStep{
		Index: e.Index, Kind: e.Kind, Height: e.Height, Time: s.Entry.Time, Words: w.words(e), Cause: s.Entry.Cause,
		Proof: whyProof{
			Block: s.Height, BlockHash: s.BlockHash, BlockTime: s.Time, Signers: len(s.Signed.Validators), Power: s.Signed.Power,
			TotalPower: s.Signed.TotalPower, LogSize: s.Entry.LogSize, Bytes: len(binary), Receipt: receipt,
		},
	}
	if e.Event != nil && e.Event.DataForm == protocol.DataJSON {
		step.Data = bytes.Clone(e.Event.Data)
	}
	step.Title, step.Facts, step.Happened = w.facts(e)
	if !(txOf(e)).IsZero() || byTransaction(e) {
		step.Signed, err = a.signed(ctx, e)
	}
	return step, err
}

// byTransaction says whether a transaction brought an entry as it is, and
// nothing was worked out for it.
func byTransaction(e *provenEntry) bool {
	switch e.Kind {
	case protocol.EntryEmitted, protocol.EntryDeadLetter, protocol.EntryTimer, protocol.EntryToken:
		return false
	}
	return true
}

// signed finds the transaction that brought an entry in its block.
func (a *auditor) signed(ctx context.Context, e *provenEntry) (*whySigned, error) {
	block, err := a.block(ctx, e.Height)
	if code, refused := protocol.CodeOf(err); refused && (code == protocol.CodePruned || code == protocol.CodeErased) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for _, raw := range block.Decided.Txs {
		tx, err := protocol.DecodeTx(a.ChainID(), raw)
		if err != nil {
			continue // validators refused it too
		}
		if brought(tx, e) {
			return &whySigned{TxID: tx.ID, Signer: tx.Signer.Address(), Valid: tx.VerifySignature() == nil}, nil
		}
	}
	return nil, nil
}

// txOf is the transaction that an act names; zero where it names none.
func txOf(e *provenEntry) protocol.Hash {
	switch act := e.Act.(type) {
	case *protocol.ContractAct:
		return act.TxID
	case *protocol.MovementAct:
		return act.TxID
	case *protocol.AccountAct:
		return act.TxID
	case *protocol.EraseAct:
		return act.TxID
	case *protocol.ForeignAct:
		return act.TxID
	}
	return protocol.Hash{}
}

// brought says whether an entry is of a transaction.
func brought(tx *protocol.Tx, e *provenEntry) bool {
	if id := txOf(e); !id.IsZero() {
		return id == tx.ID
	}
	batch, ok := tx.Body.(*protocol.Batch)
	return ok && protocol.NewStreamID(e.Origin, batch.Stream) == e.Stream && e.Sequence >= batch.First-batch.Skip && e.Sequence <= batch.Last()
}

// again executes the block of an entry that a contract made, and compares.
func (a *auditor) again(ctx context.Context, w *why, e *provenEntry, step *whyStep) error {
	if byTransaction(e) || e.withheld() {
		return nil
	}
	same := false
	r, err := a.repeat(ctx, e.Height)
	if err != nil {
		return fmt.Errorf("block %d cannot be executed again: %w", e.Height, err)
	}
	made := r.made(e.Index)
	switch {
	case !r.matches:
		w.Verdict = r.different
	case made == nil || made.Entry != e.Entry.Entry || !bytes.Equal(made.Payload(), e.Payload()):
		w.Verdict = fmt.Sprintf("block %d, executed again, has another entry %d than the ledger", e.Height, e.Index)
	default:
		same = true
	}
	step.Reproduced, w.Reproduced = &same, w.Reproduced && same
	return nil
}

// depends finds the values of the state that the entry asked about depends on,
// and who wrote them.
func (a *auditor) depends(ctx context.Context, w *why, writers int) error {
	e := a.entries[w.Index]
	if !w.Reproduced || w.Steps[0].Reproduced == nil || len(w.Steps) < 2 {
		return nil
	}
	r := a.blocks[e.Height]
	at := r.run(&e.Entry)
	if at < 0 {
		return nil
	}
	run := &r.executed.Traces[at]
	cause := a.entries[w.Steps[1].Index]
	keep, err := a.sandbox.Depends(r.ground, &sim.Entry{Entry: cause.Entry.Entry, Index: cause.Index, Event: cause.Event, Act: cause.Act, Hop: hopOf(r, cause, e)}, run, &e.Entry)
	if errors.Is(err, sim.ErrNotTested) {
		w.Notes = append(w.Notes, "The run calls other contracts, sets timers or moves tokens, so it was not repeated value by value: every value it read is listed.")
	} else if err != nil {
		return err
	}
	for i, kv := range run.Read {
		if keep != nil && !keep[i] {
			continue
		}
		if kv.Value == nil {
			continue
		}
		v := whyValue{Key: kv.Key, Name: w.keyWords(kv.Key), Value: kv.Value}
		if v.Writers, v.More, err = a.history(ctx, w, r, at, kv.Key, writers); err != nil {
			return err
		}
		w.Values = append(w.Values, v)
	}
	return nil
}

// hopOf is how many deliveries lie between a producer's event and a cause.
func hopOf(r *repeated, cause, result *provenEntry) uint8 {
	if made := r.made(result.Index); made != nil && made.Kind == protocol.EntryEmitted && made.Hop > 0 {
		return made.Hop - 1
	}
	return 0
}

// history lists the runs that gave a key its value, back from before a run.
func (a *auditor) history(ctx context.Context, w *why, r *repeated, before int, key []byte, limit int) (out []whyWriter, more bool, err error) {
	for {
		for at := before - 1; at >= 0; at-- {
			value, wrote := kept(&r.executed.Traces[at], key)
			if !wrote {
				continue
			}
			if len(out) == limit {
				return out, true, nil
			}
			e, err := a.entry(ctx, r.executed.Traces[at].Index)
			if err != nil {
				return nil, false, err
			}
			step, err := a.step(ctx, w, e)
			if err != nil {
				return nil, false, err
			}
			out = append(out, whyWriter{step, w.short(e), value})
		}
		value, err := r.source.Value(key)
		if err != nil || value == nil {
			return out, false, err
		}
		if len(out) == limit {
			return out, true, nil
		}
		since, err := a.StateSince(ctx, key, r.source.height)
		if err != nil {
			return nil, false, err
		}
		if !since.Exists || since.Since > r.source.height {
			return nil, false, fmt.Errorf("%w: the node does not know who wrote %s, which the state has", errInvalid, w.keyWords(key))
		}
		if since.Since < 2 { // the founding, or block 1, which rests on it
			return out, true, nil
		}
		if r, err = a.repeat(ctx, since.Since); err != nil {
			return nil, false, err
		}
		before = len(r.executed.Traces)
		if !r.matches || !bytes.Equal(lastKept(r, key), value) {
			return nil, false, fmt.Errorf("%w: block %d is said to have written %s, and executed again it did not", errInvalid, since.Since, w.keyWords(key))
		}
	}
}

// kept is what a run left under a key; wrote is false where it left it alone.
func kept(t *sim.Trace, key []byte) (value []byte, wrote bool) {
	for i := range t.Kept {
		if bytes.Equal(t.Kept[i].Key, key) {
			return t.Kept[i].Value, true
		}
	}
	return nil, false
}

// lastKept is what a block left under a key.
func lastKept(r *repeated, key []byte) []byte {
	for _, kv := range r.executed.Kept {
		if bytes.Equal(kv.Key, key) {
			return kv.Value
		}
	}
	return nil
}

// sumUp counts what was done and says what it comes to.
func (a *auditor) sumUp(w *why) {
	w.Receipts = len(a.entries)
	scans := 0
	for _, height := range sortedHeights(a.blocks) {
		r := a.blocks[height]
		w.Blocks = append(w.Blocks, whyBlock{
			Height: height, Matches: r.matches, Txs: len(r.ground.Txs), Entries: len(r.executed.Entries),
			Runs: len(r.executed.Traces), Proofs: len(r.source.values), Scans: r.executed.Scans,
		})
		w.Proofs, scans = w.Proofs+len(r.source.values), scans+r.executed.Scans
	}
	latest := a.Trust().Latest()
	w.Trust.Validators, w.Trust.Power = len(latest.Validators()), latest.TotalPower()
	if scans > 0 {
		w.Notes = append(w.Notes, fmt.Sprintf("The blocks asked for %d lists of keys. That each key listed is in the state is proven; that no other key was left out is not by itself, but the blocks came to the logs that the validators signed.", scans))
	}
	if len(w.Blocks) > 1 {
		w.Notes = append(w.Notes, "Which block wrote a value last is a node's word. That the block did write it is proven by executing it; that no later one changed it and another put it back is not.")
	}
	switch {
	case w.Verdict != "":
	case w.Steps[0].scored():
		w.Verdict = "The model, run again on the readings that the prediction names, makes this entry octet for octet."
	case w.Steps[0].Reproduced == nil:
		w.Verdict = "Nothing computed this entry: a transaction brought it, and the receipt proves that the ledger has it."
	case w.Steps[0].Kind == protocol.EntryToken || w.Steps[0].Kind == protocol.EntryTimer:
		w.Verdict = "The block, executed again on proven inputs and proven state, makes this entry octet for octet."
	default:
		w.Verdict = "The contract's code, run again on proven inputs and proven state, makes this entry octet for octet."
	}
	if last := &w.Steps[len(w.Steps)-1]; w.Reproduced && len(w.Steps) > 1 && last.scored() {
		w.Verdict += fmt.Sprintf(" So does the model with the prediction that caused it, entry %d.", last.Index)
	}
}
