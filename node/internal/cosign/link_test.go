package cosign

import (
	"bytes"
	"crypto/ed25519"
	"slices"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
)

// Where nobody is connected to enough validators, word of the others comes by
// those in between: along a line, and to a node without a key at its end.
func TestCosignaturesReachWhoIsNotConnected(t *testing.T) {
	net := newTestnet(t, 7)
	var line []*Keeper // connected anew; the last has no key
	for i, key := range append(net.LogKeys, nil) {
		line = append(line, net.keeper(t, key))
		if i > 0 {
			connect(t, line[i-1], line[i])
		}
	}
	net.ledger.grow(3)
	net.run(t, line...)
	for i, k := range line {
		if c := covering(t, k, 2); !c.Quorum || c.Size != 3 {
			t.Fatalf("node %d: %+v", i, c)
		}
	}
}

// Everybody's word is kept, not only a quorum's; a node that connects later is
// asked and told; one that asks for what is not final yet is answered when it is.
func TestWhoComesLaterIsHeard(t *testing.T) {
	net := newTestnet(t, 4)
	var all []*Keeper // connected anew
	for _, key := range net.LogKeys {
		all = append(all, net.keeper(t, key))
	}
	connect(t, all[0], all[1])
	connect(t, all[0], all[2])
	net.ledger.grow(2)
	net.run(t, all...)
	covering(t, all[0], 1)
	connect(t, all[3], all[0])
	if c := covering(t, all[3], 1); len(c.Cose) < 3 { // of them one, with what that one collected
		t.Fatalf("%d", len(c.Cose))
	}
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(5 * time.Millisecond) {
		if c, err := all[0].Newest(); err == nil && len(c.Cose) == 4 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the fourth is not heard")
		}
	}
}

// asked is a link of a keeper that has asked for its newest checkpoint, and an
// answer by another that holds.
func asked(t *testing.T) (net *testnet, l *Link, good []part) {
	t.Helper()
	net = newTestnet(t, 4)
	net.ledger.grow(7)
	for i := range net.keepers {
		net.keepers[i] = net.keeper(t, net.LogKeys[i]) // connected to nobody
		if err := net.keepers[i].sign(); err != nil {
			t.Fatal(err)
		}
	}
	l = net.keepers[0].Join()
	l.ask(t)
	other := net.keepers[1].Join()
	if err := other.Receive((question{size: 7}).message()); err != nil {
		t.Fatal(err)
	}
	good, err := parseAnswer(other.Next())
	if err != nil || len(good) != 1 || len(good[0].by) != 1 || good[0].size != 7 {
		t.Fatal(good, err)
	}
	return net, l, good
}

// ask begins a round, and sends its question.
func (l *Link) ask(t *testing.T) {
	t.Helper()
	_, due := l.keeper.due()
	if due == nil {
		t.Fatal("no round is due")
	}
	l.keeper.round(t.Context(), due)
	if q, err := parseQuestion(l.Next()); err != nil || q.size != due.Size {
		t.Fatal(q, err)
	}
}

func (k *Keeper) counted(size uint64) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return len(k.find(size).by)
}

// What a peer says counts only if it was asked, and a validator's key signed
// exactly this checkpoint.
func TestPeersThatLieAreLeftOut(t *testing.T) {
	net, l, good := asked(t)
	stranger := ed25519.NewKeyFromSeed(bytes.Repeat([]byte{3}, 32))
	c := proof.Checkpoint{Origin: "cairn-test", Size: 7, Root: good[0].root}
	for what, change := range map[string]func(p *part, s *cosignature){
		"a stranger's":        func(p *part, s *cosignature) { *s = signCheckpoint(stranger, c, 1) },
		"another's key":       func(p *part, s *cosignature) { s.key = net.keepers[2].public },
		"another size":        func(p *part, s *cosignature) { p.size-- },
		"a size of nobody":    func(p *part, s *cosignature) { p.size = 1 << 60 },
		"another root":        func(p *part, s *cosignature) { p.root[0]++ },
		"another time":        func(p *part, s *cosignature) { s.time++ },
		"a time beyond all":   func(p *part, s *cosignature) { s.time = 1 << 63 },
		"another signature":   func(p *part, s *cosignature) { s.log[5]++ },
		"another of the note": func(p *part, s *cosignature) { s.note[5]++ },
		"swapped signatures":  func(p *part, s *cosignature) { s.cose, s.log = s.log, s.cose },
		"another log, signed": func(p *part, s *cosignature) {
			p.root[0]++
			*s = signCheckpoint(net.LogKeys[1], proof.Checkpoint{Origin: "cairn-test", Size: 7, Root: p.root}, 1)
		},
		"after a lie": func(p *part, s *cosignature) {
			p.by = append([]cosignature{{key: net.keepers[2].public}}, *s)
		},
	} {
		l.ask(t)
		bad := part{good[0].size, good[0].root, slices.Clone(good[0].by)}
		change(&bad, &bad.by[0])
		l.Receive(answerMessage([]part{bad}))
		for size := uint64(6); size <= 7; size++ {
			if n := net.keepers[0].counted(size); n != 1 {
				t.Errorf("taken: %s", what)
			}
		}
		if err := l.Receive(answerMessage(good)); err != nil || net.keepers[0].counted(7) != 1 {
			t.Errorf("a second answer to one question is taken: %v", err)
		}
	}
	l.ask(t)
	if err := l.Receive(answerMessage(good)); err != nil || net.keepers[0].counted(7) != 2 {
		t.Fatal("what holds is not taken", err)
	}
}

// A peer that floods has the newest of its questions answered, once.
func TestQuestionsDoNotPileUp(t *testing.T) {
	net, _, _ := asked(t)
	l := net.keepers[2].Join()
	for size := range uint64(10_000) {
		if err := l.Receive(question{size: 10_000 - size, more: true}.message()); err != nil {
			t.Fatal(err)
		}
	}
	answers, err := parseAnswer(l.Next())
	if err != nil || len(answers) != 1 || answers[0].size != 1 || l.Next() != nil {
		t.Fatal(answers, err)
	}
	if err := l.Receive(question{size: 8}.message()); err != nil || l.Next() != nil {
		t.Fatal("what is not final is answered", err)
	}
	net.ledger.grow(1)
	if err := net.keepers[2].sign(); err != nil {
		t.Fatal(err)
	}
	if answers, err = parseAnswer(l.Next()); err != nil || answers[0].size != 8 {
		t.Fatal(answers, err)
	}
}

// A node that was no validator when a checkpoint became final signs it once it
// is one, also on a ledger at rest.
func TestTheNewestIsSignedByWhoJoins(t *testing.T) {
	net := newTestnet(t, 4)
	net.vote(t, 0, 1, 2)
	net.ledger.grow(5)
	k := net.keepers[3]
	if err := k.sign(); err != nil || k.signed(5) {
		t.Fatal("a node without power signs", err)
	}
	net.vote(t, 0, 1, 2, 3)
	if err := k.sign(); err != nil || !k.signed(5) || k.signed(4) {
		t.Fatal("the newest is not signed", err)
	}
}

// FuzzMessages holds the decoders to their word, and a keeper to stay up.
func FuzzMessages(f *testing.F) {
	by := signCheckpoint(ed25519.NewKeyFromSeed(make([]byte, 32)), proof.Checkpoint{Origin: "a", Size: 1}, 5)
	f.Add(question{size: 7, have: 5, more: true}.message())
	f.Add(answerMessage([]part{{1, protocol.Hash{1}, []cosignature{by}}}))
	f.Add(answerMessage([]part{{1, protocol.Hash{1}, []cosignature{by, by}}, {2, protocol.Hash{2}, []cosignature{by}}}))
	f.Add([]byte{tagAnswer, 1})
	k := &Keeper{links: map[*Link]bool{}}
	f.Fuzz(func(t *testing.T, b []byte) {
		l := k.Join()
		defer l.Leave()
		l.asked = true
		l.Receive(b)
		l.Next()
		if q, err := parseQuestion(b); err == nil && len(b) > 0 && b[0] == tagQuestion && !bytes.Equal(q.message(), b) {
			t.Fatalf("%x became %+v", b, q)
		}
		if parts, err := parseAnswer(b); err == nil && b[0] == tagAnswer && !bytes.Equal(answerMessage(parts), b) {
			t.Fatalf("%x became %+v", b, parts)
		}
	})
}
