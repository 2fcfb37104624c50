package machine

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/node/internal/membership"
)

// noise is what no compression hides.
func noise(text string, size int) []byte {
	var out []byte
	for i := 0; len(out) < size; i++ {
		sum := sha256.Sum256(fmt.Appendf(nil, "%s %d", text, i))
		out = append(out, sum[:]...)
	}
	return out[:size]
}

// secretBatch holds events of noise, told apart by their names.
func secretBatch(stream string, first uint64, names ...string) *protocol.Batch {
	b := &protocol.Batch{Stream: stream, First: first, Seed: [32]byte(noise("seed of "+stream+names[0], 32))}
	for _, name := range names {
		e := protocol.Event{ID: name, Source: "/secret", Type: "secret.v1", DataForm: protocol.DataBinary, Data: noise(name, 600)}
		b.Records = append(b.Records, e.AppendRecord(nil))
	}
	return b
}

// onDisk says whether some file of the ledger holds octets.
func (l *ledger) onDisk(want []byte) bool {
	l.t.Helper()
	names, err := l.fs.List("ledger")
	if err != nil {
		l.t.Fatal(err)
	}
	for _, name := range names {
		f, err := l.fs.Open(l.fs.PathJoin("ledger", name))
		if err != nil {
			l.t.Fatal(err)
		}
		info, err := f.Stat()
		if err != nil {
			l.t.Fatal(err)
		}
		content := make([]byte, info.Size())
		if _, err := f.ReadAt(content, 0); err != nil && err != io.EOF {
			l.t.Fatal(err)
		}
		f.Close()
		if bytes.Contains(content, want) {
			return true
		}
	}
	return false
}

// vanishes waits until no file holds octets: files are deleted in the background.
func (l *ledger) vanishes(gone []byte) {
	l.t.Helper()
	for range 500 {
		if !l.onDisk(gone) {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	l.t.Fatal("what was erased is on the disk")
}

func (l *ledger) scrub() int {
	l.t.Helper()
	scrubbed, err := Scrub(context.Background(), l.store)
	if err != nil {
		l.t.Fatal(err)
	}
	if waits, err := Unscrubbed(l.store); err != nil || waits {
		l.t.Fatal("something waits to be scrubbed", err)
	}
	return scrubbed
}

// After scrubbing, no file holds the payload, its blind or the seed that the
// blind derives from; everything else is still what its entry commits to, at
// once, after a restart, and on a node that replays the blocks.
func TestNothingOfAnErasedPayloadStays(t *testing.T) {
	l := newLedger(t)
	l.block(l.sign("producer", secretBatch("s", 0, "a", "b", "c")), l.sign("producer", secretBatch("s", 3, "d")))
	for i := range 8 { // write-ahead logs come and go
		l.block(l.sign("producer", secretBatch("other", uint64(i), fmt.Sprint("x", i))))
		if i == 4 {
			if err := l.store.Forget(context.Background(), []uint64{0}); err != nil {
				t.Fatal(err)
			}
		}
	}
	seed := noise("seed of sa", 32)
	blind := protocol.EventBlind([32]byte(seed), 1)
	for _, there := range [][]byte{noise("b", 300), seed} {
		if !l.onDisk(there) {
			t.Fatal("the search finds nothing: it proves nothing")
		}
	}
	l.one("producer", &protocol.Erase{Reason: protocol.ReasonRequest, First: 1, Count: 1})
	l.checkErased(1, "a", "c", "d")
	if !l.onDisk(seed) {
		t.Fatal("the seed went before it was scrubbed")
	}
	if n := l.scrub(); n != 1 {
		t.Fatalf("%d entries were scrubbed", n)
	}
	for _, gone := range [][]byte{noise("b", 300), seed, blind[:]} {
		l.vanishes(gone[:16])
	}
	if !l.onDisk(noise("c", 300)) {
		t.Fatal("what was not erased went with it")
	}
	l.checkErased(1, "a", "c", "d")
	if err := l.store.Close(); err != nil {
		t.Fatal(err)
	}
	l.open()
	l.checkErased(1, "a", "c", "d")
	if l.onDisk(noise("b", 300)[:16]) || l.scrub() != 0 {
		t.Fatal("the restart brought it back")
	}
	late := newLedger(t)
	late.replay(l)
	if _, err := rewriteBundles(late.store, []uint64{1}); err != nil { // and then it goes down
		t.Fatal(err)
	}
	if err := late.store.Close(); err != nil {
		t.Fatal(err)
	}
	late.open()
	late.checkErased(1, "a", "c", "d")
	late.scrub()
	late.checkErased(1, "a", "c", "d")
	late.vanishes(noise("b", 300)[:16])
}

// checkErased reads an erased entry and its neighbours of the stream s.
func (l *ledger) checkErased(index uint64, others ...string) {
	l.t.Helper()
	payload, err := ReadPayload(l.store, l.view(), index)
	if err != nil || !payload.Erased || payload.Bytes != nil || payload.Blind != (protocol.Blind{}) {
		l.t.Fatalf("%+v %v", payload, err)
	}
	by, ok, err := ErasedBy(l.view(), index)
	if err != nil || !ok || l.entry(by).Kind != protocol.EntryErase || l.entry(by).Cause != index {
		l.t.Fatalf("erased by %d, %v %v", by, ok, err)
	}
	at := uint64(0)
	for _, name := range others {
		if at == index {
			at++
		}
		if e := l.event(at); e.ID != name || !bytes.Equal(e.Data, noise(name, 600)) {
			l.t.Fatalf("entry %d is %s", at, e.ID)
		}
		at++
	}
}

// A timer outlives the event whose delivery set it: what the state keeps of
// the event's blind does not give it away.
func TestAPendingTimerDoesNotHoldItsCausesBlind(t *testing.T) {
	blind := protocol.Blind(noise("blind", 32))
	if kept := origin(7, blind).Blind; kept == blind {
		t.Fatal("the blind is in the state")
	}
}

// A block looks at so many erased entries and no more; the rest can be sent again.
func TestErasuresOfABlockAreBounded(t *testing.T) {
	l := newLedger(t)
	names := make([]string, protocol.MaxEraseEntries)
	for i := range names {
		names[i] = fmt.Sprint(i)
	}
	batch := secretBatch("s", 0, names...)
	for i, name := range names {
		e := protocol.Event{ID: name, Source: "/many", Type: "secret.v1"}
		batch.Records[i] = e.AppendRecord(nil)
	}
	l.one("producer", batch)
	var txs [][]byte
	for range maxErasedInBlock/protocol.MaxEraseEntries + 1 {
		txs = append(txs, l.sign("producer", &protocol.Erase{Reason: protocol.ReasonOrder, Stream: "s", Count: protocol.MaxEraseEntries}))
	}
	outcomes := l.block(txs...).Outcomes
	if first := outcomes[0]; first.Code != protocol.CodeOK || first.Entries != protocol.MaxEraseEntries {
		t.Fatalf("%+v", first)
	}
	if last := outcomes[len(outcomes)-1]; last.Code != protocol.CodeEraseBusy || !last.Code.Retryable() {
		t.Fatalf("%+v", last)
	}
}

// Whatever is erased of whatever bundle, the rest reads as before.
func TestScrubbedBundlesKeepTheRest(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, 40).Draw(t, "payloads")
		payloads := make([]Payload, n)
		for i := range payloads {
			payloads[i] = Payload{
				Hop: rapid.Byte().Draw(t, "hop"), Blind: protocol.Blind(noise(fmt.Sprint(i), 32)),
				Bytes: rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "bytes"),
			}
			if rapid.Bool().Draw(t, "erased") {
				payloads[i] = Payload{Erased: true}
			}
		}
		zipped := encodeScrubbed(payloads)
		for _, bundle := range [][]byte{zipped, unzipped(payloads)} {
			back, err := DecodeBundle(bundle)
			if err != nil || len(back) != n {
				t.Fatalf("%d payloads, %v", len(back), err)
			}
			for i := range back {
				if got, want := back[i], payloads[i]; got.Erased != want.Erased || got.Hop != want.Hop || got.Blind != want.Blind || !bytes.Equal(got.Bytes, want.Bytes) {
					t.Fatalf("payload %d is %+v, was %+v", i, got, want)
				}
			}
		}
	})
}

// unzipped is the form of what is too large for the other.
func unzipped(payloads []Payload) []byte {
	many := make([]Payload, protocol.MaxBatchEvents+1)
	out := encodeScrubbed(append(many[:len(many):len(many)], payloads...))
	head := binary.AppendUvarint([]byte{bundleScrubbed}, uint64(len(payloads)))
	skip := len(binary.AppendUvarint(nil, uint64(len(many)+len(payloads)))) + len(many)*(2+32)
	body := out[1+skip:]
	flags := 0
	for _, p := range payloads {
		if flags++; !p.Erased {
			flags += 1 + 32
		}
	}
	return append(append(head, body[:flags]...), body[flags+len(many):]...)
}

func FuzzBundle(f *testing.F) {
	batch := secretBatch("s", 0, "a", "b")
	if _, err := protocol.SignTx(testChain, testKey('p'), 9, 0, batch); err != nil { // compresses it
		f.Fatal(err)
	}
	payloads := []Payload{{Blind: protocol.Blind{1}, Bytes: []byte("kept"), Hop: 3}, {Erased: true}, {Bytes: []byte{}}}
	f.Add(appendBatchBundle(nil, batch, 1, 4))
	f.Add(appendLedgerPayload(nil, payloads[0]))
	f.Add(encodeScrubbed(payloads))
	f.Add(unzipped(payloads))
	f.Fuzz(func(t *testing.T, bundle []byte) {
		payloads, err := DecodeBundle(bundle)
		if err != nil || len(payloads) > 1<<16 {
			return
		}
		again, err := DecodeBundle(encodeScrubbed(payloads))
		if err != nil || len(again) != len(payloads) {
			t.Fatalf("%d payloads became %d: %v", len(payloads), len(again), err)
		}
		for i := range again {
			if again[i].Erased != payloads[i].Erased || !bytes.Equal(again[i].Bytes, payloads[i].Bytes) {
				t.Fatalf("payload %d changed", i)
			}
		}
	})
}

// Who may erase what: producers their events, authors what their contracts
// made and their own calls, auditors each of these, and nobody a deployment.
func TestWhoMayErase(t *testing.T) {
	l := newLedger(t)
	l.keys["other"], l.keys["auditor"], l.keys["nobody"] = testKey('o'), testKey('u'), testKey('n')
	b := l.store.Begin(l.store.Head().Height+1, 1)
	for name, role := range map[string]membership.Role{"other": membership.Producer | membership.Author, "auditor": membership.Auditor} {
		if err := membership.SetRoles(b.State(), l.keys[name].Address(), role); err != nil {
			t.Fatal(err)
		}
	}
	l.commit(b)
	l.deploy("parking") // entry 0
	week := func(id, day string) []byte { return scriptEvent(id, map[string]string{"day": day}) }
	l.one("producer", &protocol.Batch{Stream: "s", Records: [][]byte{week("a", "2016-10-04"), week("b", "2016-10-11"), week("c", "2016-10-18")}}) // 1 to 3, prices at 4 and 5
	gate := fmt.Appendf(nil, `{"address":%q,"open":true}`, base64.StdEncoding.EncodeToString(make([]byte, 20)))
	call := l.one("author", &protocol.Call{Contract: protocol.ContractAddress(l.keys["author"].Address(), "parking"), Method: "gate", Args: gate})
	if call.Code != protocol.CodeOK || call.First != 6 {
		t.Fatalf("%+v", call)
	}
	for _, c := range []struct {
		who   string
		index uint64
		want  protocol.Code
	}{
		{"nobody", 1, protocol.CodeUnauthorized}, {"other", 1, protocol.CodeEraseDenied}, {"author", 1, protocol.CodeEraseDenied},
		{"producer", 4, protocol.CodeEraseDenied}, {"other", 4, protocol.CodeEraseDenied}, {"auditor", 0, protocol.CodeNotErasable}, {"author", 0, protocol.CodeNotErasable},
		{"producer", 1, protocol.CodeOK}, {"auditor", 2, protocol.CodeOK}, {"author", 4, protocol.CodeOK}, {"auditor", 5, protocol.CodeOK},
		{"other", 6, protocol.CodeEraseDenied}, {"author", 6, protocol.CodeOK},
		{"auditor", 1, protocol.CodeNotErasable}, {"auditor", 7, protocol.CodeNotErasable}, // erased before; an erasure itself
	} {
		if out := l.one(c.who, &protocol.Erase{Reason: protocol.ReasonOrder, First: c.index, Count: 1}); out.Code != c.want {
			t.Errorf("%s erases entry %d: %s, want %s", c.who, c.index, out.Code, c.want)
		}
	}
}
