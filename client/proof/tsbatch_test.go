package proof

import (
	"bytes"
	"fmt"
	"time"
)

// batches adds batch receipts of both forms, sound and spoilt.
func (c *corpus) batches() {
	for i, of := range []struct {
		size     uint64
		indices  []uint64
		withhold bool
	}{
		{1, []uint64{0}, false},
		{70_000, run(1234, 5), false},
		{70_000, []uint64{0, 3, 4, 69_999}, true},
		{1 << 40, run(1<<39, 3), false},
		{1<<53 - 1, []uint64{7, 1 << 52, 1<<53 - 2}, true},
	} {
		name := fmt.Sprintf("batch %d", i)
		r := batchOf(c.t, c.bed, of.size, of.indices, of.withhold)
		binary, err := r.MarshalBinary()
		if err != nil {
			c.t.Fatal(err)
		}
		text, err := r.MarshalJSON()
		if err != nil {
			c.t.Fatal(err)
		}
		c.batch(name, binary)
		c.batch(name, text)
		for j := range 100 {
			c.batch(fmt.Sprintf("%s, edit %d", name, j), redigest(c.edited(binary)))
			c.batch(fmt.Sprintf("%s, edit %d of the text", name, j), c.edited(text))
		}
		for j := c.rng.IntN(240); j < 8*(len(binary)-digestBytes); j += 240 {
			c.batch(fmt.Sprintf("%s, bit %d forged", name, j), redigest(flipped(binary, j)))
		}
		for n := c.rng.IntN(20); n < len(binary)-digestBytes; n += 20 {
			c.batch(fmt.Sprintf("%s cut to %d", name, n), redigest(append(bytes.Clone(binary[:n]), make([]byte, digestBytes)...)))
		}
	}
	for _, change := range []func(r *BatchReceipt){
		func(r *BatchReceipt) { r.Beside = r.Beside[1:] },
		func(r *BatchReceipt) { r.Beside = append(r.Beside, r.Beside[0]) },
		func(r *BatchReceipt) { r.Entries = r.Entries[1:] },
		func(r *BatchReceipt) { r.Entries[4].Index++ },
		func(r *BatchReceipt) { r.LogSize-- },
		func(r *BatchReceipt) { r.Entries[2].Entry.Height = r.Commit.Height },
		func(r *BatchReceipt) { r.ChainID = "elsewhere" },
	} {
		r := batchOf(c.t, c.bed, 70_000, run(1234, 5), true)
		change(r)
		if b, err := r.MarshalBinary(); err == nil {
			c.batch("batch, changed", b)
		}
	}
}

// batch adds a batch receipt and what this verifier says of it.
func (c *corpus) batch(name string, b []byte) {
	c.t.Helper()
	if !IsBatch(b) { // both would take it for another kind
		return
	}
	r, err := ParseBatch(b)
	var s BatchStatement
	if err == nil {
		s, err = r.Verify(c.bed.anchor)
	}
	c.say(corpusLine{Name: name, Anchor: c.home, Receipt: b}, s, err)
}

// streams adds proofs of streams, sound and spoilt.
func (c *corpus) streams() {
	trust := NewTrust(c.bed.anchor, 1, time.Unix(0, 0))
	file := mustJSON(c.t, trust)
	add := func(name string, b []byte) {
		p, err := ParseStreamProof(b)
		var s StreamStatement
		if err == nil {
			s, err = p.Verify(trust)
		}
		c.say(corpusLine{Name: "stream, " + name, Receipt: b, Trust: file}, s, err)
	}
	for i, change := range []func(p *StreamProof){
		func(p *StreamProof) {},
		func(p *StreamProof) { p.From, p.To = 100, 110 },
		func(p *StreamProof) { p.From = 99 },
		func(p *StreamProof) { p.From = 101 },
		func(p *StreamProof) { p.To = 111 },
		func(p *StreamProof) { p.To = 113 },
		func(p *StreamProof) { p.From, p.To, p.Batches = 112, 112, nil },
		func(p *StreamProof) { p.From, p.To, p.Batches = 0, 0, nil },
		func(p *StreamProof) { p.From, p.Batches = 106, p.Batches[1:] },
		func(p *StreamProof) { p.Batches = p.Batches[:1] },
		func(p *StreamProof) { p.To, p.Batches = 107, p.Batches[:1] },
		func(p *StreamProof) { p.Batches[0], p.Batches[1] = p.Batches[1], p.Batches[0] },
		func(p *StreamProof) { p.Batches[0] = p.Batches[1] },
		func(p *StreamProof) { p.Name = "leeds" },
		func(p *StreamProof) { p.Producer[0]++ },
		func(p *StreamProof) {
			leaf := NewStateLeaf([]byte("s"), p.Next.State.Value)
			p.Next.State.Key, p.Next.State.Leaf = []byte("s"), &leaf
			c.bed.resign(c.t, p.Next, 3)
		},
		func(p *StreamProof) { p.Next.Commit.Height++ },
		func(p *StreamProof) {
			p.Batches[1].Entries[0].Withheld = true
			p.Batches[1].Entries[0].Blind, p.Batches[1].Entries[0].Payload = [32]byte{}, nil
		},
	} {
		for _, next := range []uint64{112, 200} {
			p := streamOf(c.t, c.bed, next)
			change(p)
			b, err := p.MarshalBinary()
			if err != nil {
				c.t.Fatal(err)
			}
			add(fmt.Sprintf("change %d, next %d", i, next), b)
		}
	}
	whole, err := streamOf(c.t, c.bed, 112).MarshalBinary()
	if err != nil {
		c.t.Fatal(err)
	}
	for i := range 150 {
		add(fmt.Sprintf("edit %d", i), redigest(c.edited(whole)))
	}
	for i := 0; i < 8*45; i += 3 {
		add(fmt.Sprintf("bit %d forged", i), redigest(flipped(whole, i)))
	}
}
