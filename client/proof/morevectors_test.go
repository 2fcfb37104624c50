package proof

import (
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
)

type batchVectors struct {
	ChainID    string            `json:"chainId"`
	Validators []validatorVector `json:"validators"` // in no order
	Batches    []batchVector     `json:"batches"`
	Streams    []streamVector    `json:"streams"`
	Refused    []refusedVector   `json:"refused"`
}

type batchVector struct {
	Name     string        `json:"name"`
	Binary   octetsHex     `json:"binary"`
	JSON     string        `json:"json"`
	LogRoot  protocol.Hash `json:"logRoot"`
	Sentence string        `json:"sentence"`
}

type streamVector struct {
	Name      string          `json:"name"`
	Binary    octetsHex       `json:"binary"`
	Statement StreamStatement `json:"statement"`
	Sentence  string          `json:"sentence"`
}

func TestBatchVectors(t *testing.T) {
	bed := newTestbed(t, testChain, 5, 10, 10, 10)
	computed, v := batchVectors{ChainID: testChain}, batchVectors{}
	for i, power := range []uint64{5, 10, 10, 10} {
		secret := validatorSecret(i)
		computed.Validators = append(computed.Validators, validatorVector{octetsHex(secret[32:]), power})
	}
	all := map[string]*BatchReceipt{
		"consecutive": batchOf(t, bed, 70_000, run(1234, 5), false),
		"scattered":   batchOf(t, bed, 1001, []uint64{0, 7, 8, 500, 1000}, true),
		"whole log":   batchOf(t, bed, 3, run(0, 3), true),
	}
	trust := NewTrust(bed.anchor, 1, time.Unix(0, 0))
	for _, name := range slices.Sorted(maps.Keys(all)) {
		binary, text := batchForms(t, all[name])
		s, err := all[name].Verify(bed.anchor)
		if err != nil {
			t.Fatal(err)
		}
		computed.Batches = append(computed.Batches, batchVector{name, binary, string(text), s.LogRoot, s.String()})
	}
	stream := streamOf(t, bed, 112)
	binary, err := stream.MarshalBinary()
	if err != nil {
		t.Fatal(err)
	}
	s, err := stream.Verify(trust)
	if err != nil {
		t.Fatal(err)
	}
	computed.Streams = []streamVector{{"a gap and repeats", binary, s, s.String()}}
	computed.Refused = refusedBatches(t, bed)
	vectors(t, "batch.json", computed, &v)
	for _, c := range v.Batches {
		for _, form := range [][]byte{c.Binary, []byte(c.JSON)} {
			if s, err := openBatch(form, bed.anchor); err != nil || s.LogRoot != c.LogRoot || s.String() != c.Sentence {
				t.Errorf("%s: %s %v", c.Name, s, err)
			}
		}
	}
	for _, c := range v.Streams {
		p, err := ParseStreamProof(c.Binary)
		if err != nil {
			t.Fatal(err)
		}
		if s, err := p.Verify(trust); err != nil || s.String() != c.Sentence {
			t.Errorf("%s: %s %v", c.Name, s, err)
		}
	}
	for _, c := range v.Refused {
		if _, err := openBatch(c.Binary, bed.anchor); err == nil || rootOf(err).Error() != c.Error {
			t.Errorf("refused %s: %v, want %s", c.Name, err, c.Error)
		}
	}
}

// refusedBatches are batch receipts that must fail.
func refusedBatches(t *testing.T, bed *testbed) (out []refusedVector) {
	for name, change := range map[string]func(r *BatchReceipt){
		"an entry left out": func(r *BatchReceipt) { r.Entries = slices.Delete(r.Entries, 1, 2) },
		"another size":      func(r *BatchReceipt) { r.LogSize = 70_002 },
		"hashes swapped":    func(r *BatchReceipt) { r.Beside[0], r.Beside[1] = r.Beside[1], r.Beside[0] },
		"too few signers":   func(r *BatchReceipt) { r.Commit.Signatures = r.Commit.Signatures[:2] },
	} {
		r := batchOf(t, bed, 70_000, run(1234, 5), false)
		change(r)
		binary, _ := batchForms(t, r)
		_, err := r.Verify(bed.anchor)
		out = append(out, refusedVector{Name: name, Binary: binary, Error: rootOf(err).Error()})
	}
	slices.SortFunc(out, func(a, b refusedVector) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	return out
}

// rootOf is the sentinel an error wraps.
func rootOf(err error) error {
	for {
		inner, ok := err.(interface{ Unwrap() error })
		if !ok {
			return err
		}
		err = inner.Unwrap()
	}
}

type exportVectors struct {
	Origin    string           `json:"origin"`
	Cosigners []cosignerVector `json:"cosigners"`
	Receipts  []exportVector   `json:"receipts"`
	Refused   []exportVector   `json:"refused"`
}

type cosignerVector struct {
	Name   string    `json:"name"`
	Key    octetsHex `json:"key"`
	Power  uint64    `json:"power"`
	LogKey string    `json:"logVkey"`
	VKey   string    `json:"vkey"`
}

// exportVector is of one form.
type exportVector struct {
	Name      string    `json:"name"`
	TlogProof string    `json:"tlogProof,omitempty"`
	Cose      octetsHex `json:"cose,omitempty"`
	Sentence  string    `json:"sentence"` // what it says, or of the check that fails
}

func (c *exportVector) form() []byte {
	if c.TlogProof != "" {
		return []byte(c.TlogProof)
	}
	return c.Cose
}

func newExportVector(name string, form []byte, by Cosigners) exportVector {
	c := exportVector{Name: name}
	if IsCose(form) {
		c.Cose = form
	} else {
		c.TlogProof = string(form)
	}
	if s, err := openLog(form, by); err != nil {
		c.Sentence = rootOf(err).Error()
	} else {
		c.Sentence = s.String()
	}
	return c
}

// heldVectors are of the cosigners of export.json.
type heldVectors struct {
	Held     []string     `json:"held"` // files of held checkpoints
	Receipts []heldVector `json:"receipts"`
	Refused  []heldVector `json:"refused"`
}

type heldVector struct {
	Name     string    `json:"name"`
	Held     int       `json:"held"` // which of them
	Binary   octetsHex `json:"binary"`
	Sentence string    `json:"sentence"` // what it says, or of the check that fails
}

func TestHeldVectors(t *testing.T) {
	bed := newLogbed(t, 10, 10, 10, 5)
	log := newHeldLog(150)
	early, late := log.hold(bed, 96, 5), log.hold(bed, 150, 5)
	computed, v := heldVectors{Held: []string{string(mustJSON(t, early)), string(mustJSON(t, late))}}, heldVectors{}
	for _, c := range []struct {
		name  string
		of    *Held
		index int
		held  int
	}{
		{"in the row", early, 37, 0}, {"in the row, held later", early, 37, 1}, {"in the rest", late, 149, 1}, {"in the rest, greater", late, 131, 1},
		{"held before there was the entry", late, 149, 0}, {"held at another time", late, 131, 0},
	} {
		small, err := log.receipt(c.index, 150).Shrink(c.of)
		if err != nil {
			t.Fatal(err)
		}
		binary, err := small.MarshalBinary()
		if err != nil {
			t.Fatal(err)
		}
		s, err := openHeld([]byte(computed.Held[c.held]), binary, bed.Cosigners)
		if err != nil {
			computed.Refused = append(computed.Refused, heldVector{c.name, c.held, binary, rootOf(err).Error()})
		} else {
			computed.Receipts = append(computed.Receipts, heldVector{c.name, c.held, binary, s.String()})
		}
	}
	vectors(t, "held.json", computed, &v)
	for _, c := range append(v.Receipts, v.Refused...) {
		s, err := openHeld([]byte(v.Held[c.Held]), c.Binary, bed.Cosigners)
		if err == nil && s.String() != c.Sentence || err != nil && rootOf(err).Error() != c.Sentence {
			t.Errorf("%s: %s %v, want %s", c.Name, s, err, c.Sentence)
		}
	}
	if len(v.Receipts) != 4 || len(v.Refused) != 2 {
		t.Error(len(v.Receipts), len(v.Refused))
	}
}

func TestExportVectors(t *testing.T) {
	bed := newLogbed(t, 10, 10, 10, 5)
	computed, v := exportVectors{Origin: testChain}, exportVectors{}
	for _, c := range bed.List() {
		computed.Cosigners = append(computed.Cosigners, cosignerVector{c.Name, c.Key[:], c.Power, c.LogVKey(testChain), c.VKey()})
	}
	all := exportsOf(t, bed)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		computed.Receipts = append(computed.Receipts, newExportVector(name, all[name], bed.Cosigners))
	}
	event := testEvent()
	text, message := bed.logReceipts(t, protocol.EntryEvent, event.AppendRecord(nil), 1234, 70_000)
	message.Signatures = message.Signatures[:2]
	few, err := message.MarshalCose()
	if err != nil {
		t.Fatal(err)
	}
	text.Checkpoint.Signatures = text.Checkpoint.Signatures[:3]
	uncosigned, err := text.MarshalTlogProof()
	if err != nil {
		t.Fatal(err)
	}
	text.Entry.Index++
	moved, err := text.MarshalTlogProof()
	if err != nil {
		t.Fatal(err)
	}
	for name, form := range map[string][]byte{"a COSE of two": few, "a proof of two": uncosigned, "a proof of another index": moved} {
		computed.Refused = append(computed.Refused, newExportVector(name, form, bed.Cosigners))
	}
	slices.SortFunc(computed.Refused, func(a, b exportVector) int {
		if a.Name < b.Name {
			return -1
		}
		return 1
	})
	vectors(t, "export.json", computed, &v)
	var list []Cosigner
	for _, c := range v.Cosigners {
		list = append(list, Cosigner{c.Name, LogKey(c.Key), c.Power})
	}
	by, err := NewCosigners(v.Origin, list)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range v.Receipts {
		if s, err := openLog(c.form(), by); err != nil || s.String() != c.Sentence {
			t.Errorf("%s: %s %v", c.Name, s, err)
		}
	}
	for _, c := range v.Refused {
		if _, err := openLog(c.form(), by); err == nil || rootOf(err).Error() != c.Sentence {
			t.Errorf("refused %s: %v, want %s", c.Name, err, c.Sentence)
		}
	}
}
