package proof

import (
	"encoding/base64"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// founding adds validators with their log keys, as a founding document has them.
func (c *corpus) founding(b *logbed) int {
	c.t.Helper()
	var validators []string
	for i, v := range b.List() {
		block := testHash("block key", 100*len(b.keys)+i)
		validators = append(validators, fmt.Sprintf(`{"name":%q,"publicKey":%q,"power":%d,"logKey":%q}`, strings.TrimPrefix(v.Name, b.Origin()+"/"),
			base64.StdEncoding.EncodeToString(block[:]), v.Power, base64.StdEncoding.EncodeToString(v.Key[:])))
	}
	c.rng.Shuffle(len(validators), func(i, j int) { validators[i], validators[j] = validators[j], validators[i] })
	c.write(corpusLine{Anchor: c.next, Genesis: fmt.Sprintf(`{"chainId":%q,"validators":[%s]}`, b.Origin(), strings.Join(validators, ","))})
	c.next++
	return c.next - 1
}

// exports adds tlog-proofs and COSE receipts, sound and spoilt.
func (c *corpus) exports() {
	bed, strangers := newLogbed(c.t, 10, 10, 5, 10), newLogbed(c.t, 3, 1, 1)
	home, away := c.founding(bed), c.founding(strangers)
	judge := func(name string, at int, by Cosigners, form []byte) {
		s, err := openLog(form, by)
		c.say(corpusLine{Name: name, Anchor: at, Receipt: form}, s, err)
	}
	all := exportsOf(c.t, bed)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		form := all[name]
		judge(name, home, bed.Cosigners, form)
		judge(name+" of strangers", away, strangers.Cosigners, form)
		for i := c.rng.IntN(40); i < 8*len(form); i += 40 {
			judge(fmt.Sprintf("%s, bit %d flipped", name, i), home, bed.Cosigners, flipped(form, i))
		}
		for n := c.rng.IntN(24); n < len(form); n += 24 {
			judge(fmt.Sprintf("%s cut to %d", name, n), home, bed.Cosigners, form[:n])
		}
		for i := range 250 {
			judge(fmt.Sprintf("%s, edit %d", name, i), home, bed.Cosigners, c.edited(form))
		}
	}
	event := testEvent()
	for i, change := range exportChanges(bed) {
		text, message := bed.logReceipts(c.t, protocol.EntryEvent, event.AppendRecord(nil), 1234, 70_000)
		change(text, message)
		if form, err := text.MarshalTlogProof(); err == nil {
			judge(fmt.Sprintf("tlog-proof, change %d", i), home, bed.Cosigners, form)
		}
		if form, err := message.MarshalCose(); err == nil {
			judge(fmt.Sprintf("cose, change %d", i), home, bed.Cosigners, form)
		}
	}
	for i := range 300 { // sound ones of random entries
		fact := c.fact()
		if fact.Entry == nil {
			continue
		}
		text, message := bed.exportOf(c.t, *fact.Entry)
		form, err := text.MarshalTlogProof()
		if i%2 == 0 && len(message.Entry.Path) > 0 {
			form, err = message.MarshalCose()
		}
		if err != nil {
			c.t.Fatal(err)
		}
		judge(fmt.Sprintf("random export %d", i), home, bed.Cosigners, form)
	}
}

// exportChanges are what a forger may do with the parts of an export.
func exportChanges(bed *logbed) []func(text *LogReceipt, message *CoseReceipt) {
	both := func(change func(p *EntryProof)) func(*LogReceipt, *CoseReceipt) {
		return func(text *LogReceipt, message *CoseReceipt) {
			change(&text.Entry)
			change(&message.Entry)
		}
	}
	lines := func(change func(all []NoteSignature) []NoteSignature, cose func(all []CoseSignature) []CoseSignature) func(*LogReceipt, *CoseReceipt) {
		return func(text *LogReceipt, message *CoseReceipt) {
			whole := bed.sign(text.Checkpoint.Checkpoint, len(bed.keys))
			text.Checkpoint.Signatures = change(whole.Signatures)
			message.Signatures = cose(bed.cose(text.Checkpoint.Checkpoint, len(bed.keys)))
		}
	}
	same := func(all []CoseSignature) []CoseSignature { return all }
	return []func(*LogReceipt, *CoseReceipt){
		both(func(p *EntryProof) { p.Index++ }),
		both(func(p *EntryProof) { p.Path[0], p.Path[1] = p.Path[1], p.Path[0] }),
		both(func(p *EntryProof) { p.Path = p.Path[1:] }),
		both(func(p *EntryProof) { p.Path = append(p.Path, p.Path[0]) }),
		both(func(p *EntryProof) { p.LogSize++ }),
		both(func(p *EntryProof) { p.Entry.Height++ }),
		both(func(p *EntryProof) { p.Entry.Type[3]++ }),
		both(func(p *EntryProof) { p.Entry.Cause = 7 }),
		lines(func(all []NoteSignature) []NoteSignature { return all }, same),
		lines(func(all []NoteSignature) []NoteSignature { return all[:4] }, func(all []CoseSignature) []CoseSignature { return all[:2] }),
		lines(func(all []NoteSignature) []NoteSignature { slices.Reverse(all); return all }, func(all []CoseSignature) []CoseSignature {
			slices.Reverse(all)
			return all
		}),
		lines(func(all []NoteSignature) []NoteSignature { return append(all, all...) }, func(all []CoseSignature) []CoseSignature { return append(all, all...) }),
		lines(func(all []NoteSignature) []NoteSignature {
			return append(all, NoteSignature{"witness.example/w1", 7, []byte("whatever it is")})
		}, func(all []CoseSignature) []CoseSignature {
			return append(all[:3:3], CoseSignature{Name: "witness.example/w1"})
		}),
		lines(func(all []NoteSignature) []NoteSignature {
			return slices.DeleteFunc(all, func(l NoteSignature) bool { return l.Name == testChain })
		}, same),
		lines(func(all []NoteSignature) []NoteSignature { all[3].Bytes = all[3].Bytes[:40]; return all }, func(all []CoseSignature) []CoseSignature {
			return append(all[:2:2], all[1])
		}),
	}
}

// helds adds held checkpoints and receipts that end at one, sound and spoilt.
func (c *corpus) helds() {
	bed := newLogbed(c.t, 10, 5, 10)
	home := c.founding(bed)
	log := newHeldLog(150)
	judge := func(name string, held, receipt []byte) {
		s, err := openHeld(held, receipt, bed.Cosigners)
		c.say(corpusLine{Name: name, Anchor: home, Held: held, Receipt: receipt}, s, err)
	}
	for _, level := range []uint8{0, 3, 5, 9} {
		for _, size := range []int{1, 31, 96, 149} {
			h := log.hold(bed, size, level)
			held, later := mustJSON(c.t, h), mustJSON(c.t, log.hold(bed, 150, level))
			for index := c.rng.IntN(5); index < size; index += 5 {
				small, err := log.receipt(index, 150).Shrink(h)
				if err != nil {
					c.t.Fatal(err)
				}
				receipt, err := small.MarshalBinary()
				if err != nil {
					c.t.Fatal(err)
				}
				name := fmt.Sprintf("held at level %d of %d, entry %d", level, size, index)
				judge(name, held, receipt)
				judge(name+", later", later, receipt)
				judge(name+", edited", held, redigest(c.edited(receipt)))
				judge(name+", a bit forged", held, redigest(flipped(receipt, c.rng.IntN(8*(len(receipt)-digestBytes)))))
				judge(name+", cut", held, receipt[:c.rng.IntN(len(receipt))])
				judge(name+", what is held edited", c.edited(held), receipt)
			}
		}
	}
	small, err := log.receipt(37, 150).Shrink(log.hold(bed, 150, 4))
	if err != nil {
		c.t.Fatal(err)
	}
	receipt, err := small.MarshalBinary()
	if err != nil {
		c.t.Fatal(err)
	}
	for what, change := range heldChanges {
		h := log.hold(bed, 150, 4)
		change(h)
		judge("held with "+what, mustJSON(c.t, h), receipt)
	}
	judge("held with a newline", append(mustJSON(c.t, log.hold(bed, 150, 4)), '\n'), receipt)
	judge("held with two newlines", append(mustJSON(c.t, log.hold(bed, 150, 4)), '\n', '\n'), receipt)
}

// openHeld is what `cairn receipt verify --held` does with two files.
func openHeld(held, receipt []byte, by Cosigners) (HeldStatement, error) {
	h, err := ParseHeld(held)
	if err != nil {
		return HeldStatement{}, err
	}
	r, err := ParseHeldReceipt(receipt)
	if err != nil {
		return HeldStatement{}, err
	}
	return r.Verify(h, by)
}

// erasures adds proofs of erasures, sound and spoilt.
func (c *corpus) erasures() {
	trust := NewTrust(c.bed.anchor, 1, time.Unix(0, 0))
	file := mustJSON(c.t, trust)
	judge := func(name string, text []byte) {
		if !IsErasure(text) { // both would take it for another kind
			return
		}
		e, err := DecodeErasure(text)
		var s ErasureStatement
		if err == nil {
			s, err = e.VerifyWith(trust)
		}
		c.say(corpusLine{Name: "erasure, " + name, Receipt: text, Trust: file}, s, err)
	}
	whole := mustJSON(c.t, testErasure(c.t, c.bed))
	judge("sound", whole)
	for name, e := range wrongErasures(c.t, c.bed) {
		if text, err := e.MarshalJSON(); err == nil {
			judge(name, text)
		}
	}
	for i := range 400 {
		judge(fmt.Sprintf("edit %d", i), c.edited(whole))
	}
	for i := c.rng.IntN(60); i < 8*len(whole); i += 60 {
		judge(fmt.Sprintf("bit %d", i), flipped(whole, i))
	}
	for n := c.rng.IntN(40); n < len(whole); n += 40 {
		judge(fmt.Sprintf("cut to %d", n), whole[:n])
	}
}
