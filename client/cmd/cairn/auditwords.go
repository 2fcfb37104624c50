package main

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/node/sim"
)

// words say what an entry is, in one clause.
func (w *why) words(e *provenEntry) string {
	if e.withheld() {
		return fmt.Sprintf("%s from %s, whose contents were erased or are kept back", article(e.Kind.String()), w.name(e.Origin))
	}
	switch act := e.Act.(type) {
	case *protocol.DeadLetterAct:
		own := ""
		if act.GuestCode != 0 {
			own = fmt.Sprintf(", its own code %d", act.GuestCode)
		}
		return fmt.Sprintf("dead letter: %s gave up this delivery with %s%s", w.name(e.Origin), act.Code.Name(), own)
	case *protocol.ContractAct:
		switch act.Kind {
		case protocol.TxDeploy, protocol.TxUpgrade:
			return fmt.Sprintf("%s of contract %s by %s, code %.16s", map[bool]string{true: "deployment", false: "upgrade"}[act.Kind == protocol.TxDeploy], act.Name, e.Origin, act.CodeHash)
		case protocol.TxControl:
			return fmt.Sprintf("%s of %s by %s", act.Name, w.name(act.Contract), e.Origin)
		}
		return fmt.Sprintf("call of %s of %s by %s with %s", act.Name, w.name(act.Contract), e.Origin, compact(act.Args))
	case *protocol.TimerAct:
		return fmt.Sprintf("timer %d of %s, which fired", act.ID, w.name(e.Origin))
	case *protocol.MovementAct:
		return w.movement(act)
	case *protocol.GapAct:
		return fmt.Sprintf("declaration of %s that %d events were skipped", e.Origin, act.Count)
	case nil, *protocol.ForeignAct:
		return w.eventWords(e)
	}
	return fmt.Sprintf("%s by %s", article(e.Kind.String()), w.name(e.Origin))
}

func article(noun string) string {
	if strings.ContainsAny(noun[:1], "aeiou") {
		return "an " + noun
	}
	return "a " + noun
}

// short is words for one line of a list.
func (w *why) short(e *provenEntry) string {
	if e.Event == nil {
		return w.words(e)
	}
	var b strings.Builder
	b.WriteString(e.Event.Type)
	if e.Event.Subject != "" {
		fmt.Fprintf(&b, " %q", e.Event.Subject)
	}
	if e.Event.HasTime {
		fmt.Fprintf(&b, " of %s", time.Unix(0, e.Event.TimeNs).UTC().Format(time.RFC3339))
	}
	if e.Event.DataForm == protocol.DataJSON {
		fmt.Fprintf(&b, " %s", compact(e.Event.Data))
	}
	return b.String()
}

// eventWords name an event and its place in the world.
func (w *why) eventWords(e *provenEntry) string {
	var b strings.Builder
	switch e.Kind {
	case protocol.EntryEmitted:
		fmt.Fprintf(&b, "%s, emitted by contract %s", e.Event.Type, w.name(e.Origin))
	case protocol.EntryDuplicate:
		fmt.Fprintf(&b, "%s, a second arrival of the same event, not counted again", e.Event.Type)
	case protocol.EntryForeign:
		fmt.Fprintf(&b, "%s, of another ledger: its cause is %s", e.Event.Type, remoteCause(e.Act))
	default:
		fmt.Fprintf(&b, "%s, submitted by %s", e.Event.Type, e.Origin)
	}
	if e.Event.Subject != "" {
		fmt.Fprintf(&b, ", about %q", e.Event.Subject)
	}
	if e.Event.HasTime {
		fmt.Fprintf(&b, ", of %s", time.Unix(0, e.Event.TimeNs).UTC().Format(time.RFC3339))
	}
	if e.Kind == protocol.EntryEvent || e.Kind == protocol.EntryForeign {
		fmt.Fprintf(&b, ", source %q, id %q", e.Event.Source, e.Event.ID)
	}
	return b.String()
}

// facts are an entry's words in pieces.
func (w *why) facts(e *provenEntry) (title string, facts []whyFact, happened time.Time) {
	happened = e.statement.Entry.Time
	if e.Event == nil {
		words := w.words(e)
		return strings.ToUpper(words[:1]) + words[1:], nil, happened
	}
	title = e.Event.Type
	if e.Event.Subject != "" {
		title += fmt.Sprintf(" about \u201c%s\u201d", e.Event.Subject)
	}
	by := "Submitted by"
	switch e.Kind {
	case protocol.EntryEmitted:
		by = "Emitted by contract"
	case protocol.EntryDuplicate:
		by = "Came again from"
	}
	facts = []whyFact{{by, w.name(e.Origin)}}
	if e.Kind == protocol.EntryForeign {
		facts = []whyFact{{"Of another ledger", remoteCause(e.Act)}}
	}
	if e.Event.HasTime {
		happened = time.Unix(0, e.Event.TimeNs).UTC()
		facts = append(facts, whyFact{"Time of the event", happened.Format(reportTime)})
	}
	return title, append(facts, whyFact{"Source and id", e.Event.Source + ", " + e.Event.ID}), happened
}

// remoteCause names the entry of another ledger that one here stands for.
func remoteCause(act any) string {
	foreign, ok := act.(*protocol.ForeignAct)
	if !ok {
		return "not shown"
	}
	return fmt.Sprintf("entry %d of %s, chain %s, height %d there, leaf %s", foreign.Index, foreign.Ledger, foreign.ChainID, foreign.Height, foreign.Leaf)
}

// reportTime is how the report writes times.
const reportTime = "2 January 2006, 15:04:05 UTC"

// Headline is the answer in a few words.
func (w *why) Headline() string {
	switch {
	case !w.Reproduced && w.wrong() != nil && *w.wrong() != w.Steps[0].Index:
		return "The outcome rests on an event that does not reproduce"
	case !w.Reproduced:
		return "The outcome does not reproduce"
	case w.Steps[0].scored():
		return "The prediction reproduces"
	case w.Computed():
		return "The outcome reproduces"
	}
	return "The ledger has this entry"
}

func (w *why) movement(act *protocol.MovementAct) string {
	var b strings.Builder
	fmt.Fprintf(&b, "movement of tokens: %s", act.Kind)
	if act.Amount > 0 {
		fmt.Fprintf(&b, " of %d %s", act.Amount, act.Asset)
	} else if act.Asset != "" {
		fmt.Fprintf(&b, " of %s", act.Asset)
	}
	if !act.From.IsZero() {
		fmt.Fprintf(&b, " from %s", w.name(act.From))
	}
	if !act.To.IsZero() {
		fmt.Fprintf(&b, " to %s", w.name(act.To))
	}
	if n := len(act.Parts); n > 0 {
		fmt.Fprintf(&b, ", the sum of %d parts", n)
	}
	if act.Memo != "" {
		fmt.Fprintf(&b, ", %q", act.Memo)
	}
	return b.String()
}

// name is a contract's name, or an address.
func (w *why) name(a protocol.Address) string {
	if name, ok := w.names[a]; ok {
		return name
	}
	return a.String()
}

// keyWords name a key of the state.
func (w *why) keyWords(key []byte) string {
	k := sim.DescribeKey(key)
	if k.Contract.IsZero() {
		return k.Kind + " " + k.Name
	}
	return w.name(k.Contract) + ": " + k.Name
}

// tree prints the report for people.
func (w *why) tree(out io.Writer) {
	fmt.Fprintf(out, "Why entry %d of %s is there\n", w.Index, w.ChainID)
	for i := range w.Steps {
		s := &w.Steps[i]
		head, bar := "├─", "│  "
		if i == 0 {
			head, bar = "", ""
		}
		if i > 0 {
			fmt.Fprintf(out, "│\n%s because of\n", head)
		} else {
			fmt.Fprintln(out)
		}
		w.showStep(out, s, bar)
	}
	for i := range w.Values {
		v := &w.Values[i]
		fmt.Fprintf(out, "│\n├─ and of what the contract had kept under %s\n│  value  %s (proven, before block %d)\n", v.Name, shortBytes(v.Value), w.Steps[0].Height)
		for j := range v.Writers {
			x := &v.Writers[j]
			fmt.Fprintf(out, "│  ├─ %d  %s\n", x.Index, x.Short)
		}
		switch {
		case v.More:
			fmt.Fprintf(out, "│  └─ and earlier ones: --writers %d goes back further\n", 4*len(v.Writers)+20)
		case len(v.Writers) > 0:
			fmt.Fprintln(out, "│  └─ before that there was nothing")
		}
	}
	fmt.Fprintf(out, "\n%s. %s\n", w.Headline(), w.Verdict)
	for _, b := range w.Blocks {
		fmt.Fprintf(out, "  block %d executed again: %s, %s of contracts, %s; log %s; %s of state, each proven\n", b.Height, many(b.Txs, "transaction"),
			many(b.Runs, "run"), manyOf(b.Entries, "entry", "entries"), map[bool]string{true: "equal", false: "DIFFERENT"}[b.Matches], many(b.Proofs, "value"))
	}
	fmt.Fprintf(out, "  %s and %s of state verified, trusting %s (%s)\n", many(w.Receipts, "receipt"), many(w.Proofs, "proof"), many(w.Trust.Validators, "validator"), w.Trust.File)
	for _, note := range w.Notes {
		fmt.Fprintf(out, "  Note: %s\n", note)
	}
}

func many(n int, noun string) string { return manyOf(n, noun, noun+"s") }

func manyOf(n int, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
}

// showStep prints one entry of the chain.
func (w *why) showStep(out io.Writer, s *whyStep, bar string) {
	fmt.Fprintf(out, "%s%d  %s\n", bar, s.Index, s.Words)
	if len(s.Data) > 0 {
		fmt.Fprintf(out, "%s      %s\n", bar, compact(s.Data))
	}
	fmt.Fprintf(out, "%s      block %d of %s, proven by block %d, signed by %d validators with %d of %d of the power\n",
		bar, s.Height, s.Time.Format(time.RFC3339), s.Proof.Block, s.Proof.Signers, s.Proof.Power, s.Proof.TotalPower)
	if s.Signed != nil {
		valid := "which holds"
		if !s.Signed.Valid {
			valid = "which DOES NOT HOLD"
		}
		fmt.Fprintf(out, "%s      signed by the key of %s in transaction %.16s, %s\n", bar, s.Signed.Signer, s.Signed.TxID, valid)
	}
	if s.Reproduced != nil {
		fmt.Fprintf(out, "%s      run again: %s\n", bar, map[bool]string{true: "the same, octet for octet", false: "NOT THE SAME"}[*s.Reproduced])
	}
	if s.Declared != nil {
		s.Declared.show(out, bar)
	}
}

// compact is JSON on one line, cut where it is long, without what a terminal
// could obey.
func compact(data []byte) string {
	text := strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, string(bytes.Join(bytes.Fields(data), []byte(" "))))
	if len(text) > 200 {
		return text[:200] + "..."
	}
	return text
}

func shortBytes(value []byte) string {
	return sim.DescribeValue([]byte{'k'}, value)
}

func sortedHeights(blocks map[uint64]*repeated) []uint64 {
	heights := make([]uint64, 0, len(blocks))
	for height := range blocks {
		heights = append(heights, height)
	}
	slices.Sort(heights)
	return heights
}
