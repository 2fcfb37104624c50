package proof

import (
	"bytes"
	"crypto/ed25519"
	"encoding/base64"
	"errors"
	"slices"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// logbed is validators with log keys.
type logbed struct {
	Cosigners
	keys []ed25519.PrivateKey // by place
}

func newLogbed(t testing.TB, powers ...uint64) *logbed {
	t.Helper()
	var list []Cosigner
	keys := map[LogKey]ed25519.PrivateKey{}
	for i, power := range powers {
		seed := testHash("log key", 100*len(powers)+i)
		key := ed25519.NewKeyFromSeed(seed[:])
		public := LogKey(key.Public().(ed25519.PublicKey))
		list, keys[public] = append(list, Cosigner{testChain + "/node" + string(rune('0'+i)), public, power}), key
	}
	cosigners, err := NewCosigners(testChain, list)
	if err != nil {
		t.Fatal(err)
	}
	b := &logbed{Cosigners: cosigners}
	for _, c := range cosigners.List() {
		b.keys = append(b.keys, keys[c.Key])
	}
	return b
}

const testSeconds = 1_700_000_000

// sign is a checkpoint signed by the first n, each as the log and as cosigner.
func (b *logbed) sign(c Checkpoint, n int) *SignedCheckpoint {
	s := &SignedCheckpoint{Checkpoint: c}
	for i, known := range b.List()[:n] {
		s.Signatures = append(s.Signatures,
			known.LogSignature(c, ed25519.Sign(b.keys[i], c.Text())),
			known.Cosignature(testSeconds, ed25519.Sign(b.keys[i], CosignatureBytes(c, testSeconds))))
	}
	return s
}

func (b *logbed) cose(c Checkpoint, n int) (out []CoseSignature) {
	for i, known := range b.List()[:n] {
		out = append(out, CoseSignature{known.Name, [64]byte(ed25519.Sign(b.keys[i], CoseBytes(c)))})
	}
	return out
}

// logReceipts are an entry's two exports, by three of four validators.
func (b *logbed) logReceipts(t testing.TB, kind protocol.EntryKind, payload []byte, index, size uint64) (*LogReceipt, *CoseReceipt) {
	t.Helper()
	return b.exportOf(t, *entryFact(kind, payload, index, size).Entry)
}

// exportOf are the two exports of an entry, by as many as are needed.
func (b *logbed) exportOf(t testing.TB, fact EntryProof) (*LogReceipt, *CoseReceipt) {
	t.Helper()
	fact.Params, fact.State = protocol.Hash{}, protocol.Hash{}
	s, err := fact.inLog()
	if err != nil {
		t.Fatal(err)
	}
	c := Checkpoint{testChain, fact.LogSize, s.LogRoot}
	return &LogReceipt{fact, *b.Trim(b.sign(c, len(b.keys)))}, &CoseReceipt{testChain, fact, b.TrimCose(b.cose(c, len(b.keys)))}
}

// openLog is what `cairn receipt verify` does with a file of either form.
func openLog(b []byte, by Cosigners) (LogStatement, error) {
	if IsTlogProof(b) {
		r, err := ParseTlogProof(b)
		if err != nil {
			return LogStatement{}, err
		}
		return r.Verify(by)
	}
	r, err := ParseCose(b)
	if err != nil {
		return LogStatement{}, err
	}
	return r.Verify(by)
}

// exported are the kinds of entries whose exports are tested; the others differ
// in their payload alone.
var exported = []string{"event", "emitted", "movement", "governance", "upgrade", "gap", "withheld"}

func exportsOf(t testing.TB, b *logbed) map[string][]byte {
	out := map[string][]byte{}
	all := oneOfEach(t, newTestbed(t, testChain, 1, 1, 1, 1))
	for _, name := range exported {
		text, message := b.exportOf(t, *all[name].Entry)
		var err error
		if out[name+" tlog-proof"], err = text.MarshalTlogProof(); err != nil {
			t.Fatal(err)
		}
		if out[name+" cose"], err = message.MarshalCose(); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

// Every bit of an export counts, and so does every octet's being there.
func TestEveryBitOfAnExportCounts(t *testing.T) {
	bed := newLogbed(t, 1, 1, 1, 1)
	for name, form := range exportsOf(t, bed) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, err := openLog(form, bed.Cosigners)
			if err != nil {
				t.Fatal(err)
			}
			if len(s.Cosigned.Names) != 3 || s.Entry.Index == 0 || !strings.Contains(s.String(), "3 of 4 of the voting power") {
				t.Errorf("%s", s)
			}
			for i := range 8 * len(form) {
				form[i/8] ^= 0x80 >> (i % 8)
				if s, err := openLog(form, bed.Cosigners); err == nil {
					t.Fatalf("bit %d of byte %d flipped, and it verifies: %s", i%8, i/8, s)
				}
				form[i/8] ^= 0x80 >> (i % 8)
			}
			for n := range form {
				if _, err := openLog(form[:n], bed.Cosigners); err == nil {
					t.Fatalf("verifies when cut to %d bytes", n)
				}
			}
			if _, err := openLog(append(slices.Clone(form), form[len(form)-1]), bed.Cosigners); err == nil {
				t.Error("verifies with a byte more")
			}
		})
	}
}

// Parts of one export do not fit another, and other validators' do not either.
func TestPartsOfOtherExports(t *testing.T) {
	bed, strangers := newLogbed(t, 1, 1, 1, 1), newLogbed(t, 3, 1, 1)
	event := testEvent()
	a, coseA := bed.logReceipts(t, protocol.EntryEvent, event.AppendRecord(nil), 1234, 70_000)
	b, coseB := bed.logReceipts(t, protocol.EntryEvent, event.AppendRecord(nil), 1235, 70_000)
	if _, err := (&LogReceipt{a.Entry, b.Checkpoint}).Verify(bed.Cosigners); !errors.Is(err, ErrInclusion) {
		t.Error(err)
	}
	if _, err := (&CoseReceipt{testChain, coseA.Entry, coseB.Signatures}).Verify(bed.Cosigners); !errors.Is(err, ErrSignature) {
		t.Error(err)
	}
	if _, err := a.Verify(strangers.Cosigners); err == nil {
		t.Error("strangers' log keys verify it")
	}
	few := bed.sign(a.Checkpoint.Checkpoint, 2)
	if _, err := (&LogReceipt{a.Entry, *few}).Verify(bed.Cosigners); !errors.Is(err, ErrUncosigned) {
		t.Error(err)
	}
	few.Signatures = append(few.Signatures, few.Signatures...) // the same again adds nothing
	if _, err := (&LogReceipt{a.Entry, *few}).Verify(bed.Cosigners); !errors.Is(err, ErrUncosigned) {
		t.Error(err)
	}
	coseA.Signatures[2] = coseA.Signatures[1]
	if _, err := coseA.Verify(bed.Cosigners); !errors.Is(err, ErrForm) {
		t.Error(err)
	}
	all := bed.sign(a.Checkpoint.Checkpoint, 4)
	all.Signatures = slices.DeleteFunc(all.Signatures, func(l NoteSignature) bool { return l.Name == testChain })
	if _, err := bed.Verify(all); !errors.Is(err, ErrLogSignature) {
		t.Error(err)
	}
	elsewhere := *a
	elsewhere.Checkpoint.Origin = "cairn-elsewhere"
	if _, err := elsewhere.Verify(bed.Cosigners); !errors.Is(err, ErrChain) {
		t.Error(err)
	}
}

// golang.org/x/mod reads our checkpoints and paths, and we read its notes.
func TestCheckpointsAreNotesOfOthers(t *testing.T) {
	bed := newLogbed(t, 5, 1, 1)
	event := testEvent()
	r, _ := bed.logReceipts(t, protocol.EntryEvent, event.AppendRecord(nil), 69_999, 70_000)
	text := r.Checkpoint.Marshal()
	verifier, err := note.NewVerifier(bed.List()[0].LogVKey(testChain))
	if err != nil {
		t.Fatal(err)
	}
	opened, err := note.Open(text, note.VerifierList(verifier))
	if err != nil || opened.Text != string(r.Checkpoint.Text()) {
		t.Fatalf("%v: %q", err, opened.Text)
	}
	path := make(tlog.RecordProof, len(r.Entry.Path))
	for i, h := range r.Entry.Path {
		path[i] = tlog.Hash(h)
	}
	if err := tlog.CheckRecord(path, 70_000, tlog.Hash(r.Checkpoint.Root), 69_999, tlog.RecordHash(r.Entry.Entry.AppendBinary(nil))); err != nil {
		t.Error(err)
	}
	skey := "PRIVATE+KEY+" + strings.SplitN(verifierOf(bed, 0), "+", 2)[0] + "+" + strings.Split(verifierOf(bed, 0), "+")[1] + "+" +
		base64.StdEncoding.EncodeToString(append([]byte{1}, bed.keys[0].Seed()...))
	signer, err := note.NewSigner(skey)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := note.Sign(&note.Note{Text: string(r.Checkpoint.Text())}, signer)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := ParseCheckpoint(theirs)
	if err != nil || !bytes.Equal(parsed.Marshal(), theirs) {
		t.Fatal(err)
	}
	if _, logged, err := bed.weigh(parsed); err != nil || !logged {
		t.Error(logged, err)
	}
}

func verifierOf(b *logbed, i int) string { return b.List()[i].LogVKey(testChain) }

// A checkpoint has one text; lines of others in it are passed over.
func TestCheckpointForm(t *testing.T) {
	bed := newLogbed(t, 1, 1, 1, 1)
	c := Checkpoint{testChain, 70_000, testHash("root", 0)}
	s := bed.sign(c, 4)
	s.Signatures = append(s.Signatures, NoteSignature{"witness.example/w1", 7, []byte("whatever it is")})
	text := s.Marshal()
	parsed, err := ParseCheckpoint(text)
	if err != nil {
		t.Fatal(err)
	}
	if cosigned, err := bed.Verify(parsed); err != nil || cosigned.Power != 4 || cosigned.Oldest.Unix() != testSeconds {
		t.Errorf("%+v %v", cosigned, err)
	}
	trimmed := bed.Trim(parsed)
	if len(trimmed.Signatures) != 4 {
		t.Errorf("trimmed to %d lines", len(trimmed.Signatures))
	}
	for i := range trimmed.Signatures { // each line that is left is needed
		less := &SignedCheckpoint{c, slices.Delete(slices.Clone(trimmed.Signatures), i, i+1)}
		if _, err := bed.Verify(less); err == nil {
			t.Errorf("verifies without line %d", i)
		}
	}
	for what, bad := range map[string]string{
		"no signatures' block": strings.Split(string(text), "\n\n")[0],
		"zero before the size": strings.Replace(string(text), "\n70000\n", "\n070000\n", 1),
		"an extension line":    strings.Replace(string(text), "=\n\n", "=\nmore\n\n", 1),
		"no newline":           strings.TrimSuffix(string(text), "\n"),
		"a space in a name":    strings.Replace(string(text), "witness.example/w1", "witness example/w1", 1),
		"base64 with a bit":    strings.Replace(string(text), "=\n\n", "F=\n\n", 1),
		"carriage return":      strings.ReplaceAll(string(text), "\n", "\r\n"),
		"two blank lines":      strings.Replace(string(text), "\n\n", "\n\n\n", 1),
		"empty":                "",
	} {
		if _, err := ParseCheckpoint([]byte(bad)); err == nil {
			t.Errorf("parses with %s", what)
		}
	}
}

// What the exports weigh at the scale of DESIGN.md, section 8.
func TestExportSizes(t *testing.T) {
	bed := newLogbed(t, 1, 1, 1, 1)
	event := testEvent()
	record := event.AppendRecord(nil)
	text, message := bed.logReceipts(t, protocol.EntryEvent, record, 987_654_321, 1_000_000_000)
	a, err := text.MarshalTlogProof()
	if err != nil {
		t.Fatal(err)
	}
	b, err := message.MarshalCose()
	if err != nil {
		t.Fatal(err)
	}
	for _, form := range [][]byte{a, b} {
		if _, err := openLog(form, bed.Cosigners); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("4 validators, 1e9 entries, a record of %d: tlog-proof %d bytes in all, COSE %d", len(record), len(a), len(b))
	if len(a) > 3400 || len(b) > 2100 {
		t.Error("an export has grown")
	}
}

func FuzzExports(f *testing.F) {
	bed := newLogbed(f, 1, 1, 1, 1)
	for _, form := range exportsOf(f, bed) {
		f.Add(form)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		if r, err := ParseTlogProof(b); err == nil {
			if again, err := r.MarshalTlogProof(); err != nil || !bytes.Equal(again, b) {
				t.Fatal("tlog-proof decodes and encodes to other bytes")
			}
		}
		if r, err := ParseCose(b); err == nil {
			if again, err := r.MarshalCose(); err != nil || !bytes.Equal(again, b) {
				t.Fatal("COSE decodes and encodes to other bytes")
			}
		}
	})
}
