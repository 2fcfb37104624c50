package proof

import (
	"crypto/ed25519"
	"crypto/sha512"
	"encoding/hex"
	"fmt"
	"math/big"
	"slices"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// random adds sound receipts of random facts, by random validators.
func (c *corpus) random(n int) {
	type chain struct {
		bed *testbed
		at  int
	}
	var chains []chain
	for i := range 8 {
		powers := make([]uint64, 1+c.rng.IntN(7))
		for j := range powers {
			powers[j] = 1 + c.rng.Uint64N([]uint64{3, 1000, 1_000_000_000_000}[i%3])
		}
		bed := newTestbed(c.t, fmt.Sprintf("random-%d", i), powers...)
		chains = append(chains, chain{bed, c.trust(bed.anchor)})
	}
	for i := range n {
		of := chains[c.rng.IntN(len(chains))]
		r := c.fact()
		of.bed.sign(c.t, r, len(of.bed.anchor.validators))
		r.Header.TimeNs = []int64{0, -1, testTimeNs, 1_000_000_000, -5_000_000_000_000_000_001, 1<<63 - 1}[c.rng.IntN(6)] - c.rng.Int64N(1000)
		r.Commit.Height += c.rng.Uint64N(1 << 40)
		r.Commit.Round = c.rng.Uint32N(3)
		of.bed.resign(c.t, r, len(of.bed.anchor.validators)-c.rng.IntN(2)*c.rng.IntN(2))
		binary, text := mustEncode(c.t, r)
		form := [][]byte{binary, text}[i%2]
		c.judge(fmt.Sprintf("random %d", i), of.at, of.bed.anchor, form)
	}
}

// fact is an entry or a key of the state, unsigned.
func (c *corpus) fact() *Receipt {
	if c.rng.IntN(4) == 0 {
		pairs := somePairs(1 + c.rng.IntN(40))
		key, value := c.octets(40), c.octets(400)
		if c.rng.IntN(3) > 0 {
			pairs[string(key)] = string(value)
		} else {
			value = nil
		}
		return &Receipt{State: &StateProof{State: newSmallState(pairs).prove(key, value), LogParams: testHash("beside", c.rng.Int())}}
	}
	size := 1 + c.rng.Uint64N(1<<(1+c.rng.IntN(52)))
	index := c.rng.Uint64N(size)
	payload, kind := c.event().AppendRecord(nil), protocol.EntryKind(1)
	switch acts := c.acts(); c.rng.IntN(6) {
	case 0:
		payload = acts[c.rng.IntN(len(acts))]
		kind = protocol.EntryKind(payload[0])
	case 1:
		kind = protocol.EntryEmitted
	case 2:
		kind = protocol.EntryDuplicate
	}
	r := entryFact(kind, payload, index, size)
	if eventType, ok := typeOf(payload); ok {
		r.Entry.Entry.Type = protocol.NewTypeHash(eventType)
	}
	r.Entry.Entry.TimeMs = c.rng.Uint64N(4e12)
	if c.rng.IntN(8) == 0 {
		r.Entry.Withheld, r.Entry.Blind, r.Entry.Payload = true, protocol.Blind{}, nil
	}
	return r
}

// typeOf is the type of the event that a payload holds.
func typeOf(payload []byte) (eventType string, ok bool) {
	if act, err := protocol.DecodeAct(payload); err == nil {
		if foreign, is := act.(*protocol.ForeignAct); is {
			payload = foreign.Record
		}
	}
	event, err := protocol.DecodeRecord(payload)
	return event.Type, err == nil
}

// octets are up to most octets: text, or anything.
func (c *corpus) octets(most int) []byte {
	if c.rng.IntN(2) == 0 {
		return []byte(c.words(most / 4))
	}
	b := make([]byte, c.rng.IntN(most+1))
	for i := range b {
		b[i] = byte(c.rng.Uint32())
	}
	return b
}

// words is a text of characters that are quoted, escaped, wide or do not print.
func (c *corpus) words(most int) string {
	const letters = "abz09 \"\\<>&/%'`\u00a0\u00adéß\u0301€\u2028\u2029\u200b\ufeff\ufffd中한😀\U0001f1e9\U000e0041\ue000\U00010330"
	runes := []rune(letters)
	text := make([]rune, c.rng.IntN(most+1))
	for i := range text {
		text[i] = runes[c.rng.IntN(len(runes))]
	}
	return string(text)
}

// event is a valid event of random attributes.
func (c *corpus) event() *protocol.Event {
	for {
		e := &protocol.Event{ID: "x" + c.words(20), Source: "/s/" + c.words(3), Type: "t." + c.words(8), Subject: c.words(10)}
		e.HasTime, e.TimeNs = c.rng.IntN(2) == 0, int64(c.rng.Uint64())
		if !e.HasTime {
			e.TimeNs = 0
		}
		for i := range c.rng.IntN(4) {
			e.Extensions = append(e.Extensions, protocol.Extension{Name: fmt.Sprintf("x%d", i), Kind: protocol.ExtensionKind(1 + i),
				Bool: i == 0, Int: int32(i/1) * -(1 << 30) * int32(i%2), Text: ""})
		}
		switch c.rng.IntN(4) {
		case 0:
			e.DataForm, e.Data = protocol.DataBinary, c.octets(50)
		case 1:
			e.DataForm, e.Data, e.DataContentType = protocol.DataText, []byte(c.words(20)+"\n\x7f"), `text/plain; charset="a\"b"`
		case 2:
			e.DataForm, e.Data = protocol.DataJSON, fmt.Appendf(nil, `{ "n" : -%d.50E+07, "t":%q,"a":[ 1,	[ ], {"x":null}] }`, c.rng.Uint64(), "q\u2028")
			e.DataSchema = "https://example.com/schema%20"
		}
		if e.Validate() == nil {
			return e
		}
	}
}

// strangeKeys adds signatures that verifiers of ed25519 do not agree on: by
// keys of small order, in encodings that are not canonical, of an S that is not.
func (c *corpus) strangeKeys() {
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	seed := validatorSecret(0)
	sum := sha512.Sum512(seed.Seed())
	sum[0], sum[31] = sum[0]&248, sum[31]&63|64
	slices.Reverse(sum[:32])
	scalar := new(big.Int).Mod(new(big.Int).SetBytes(sum[:32]), order)
	little := func(n *big.Int) []byte {
		b := n.FillBytes(make([]byte, 32))
		slices.Reverse(b)
		return b
	}
	base := []byte(seed.Public().(ed25519.PublicKey)) // the scalar times the base point
	// Signatures (R, S) with R = SB, which hold where the challenge times the key is zero.
	signatures := [][]byte{slices.Concat(base, little(scalar)), slices.Concat(base, little(new(big.Int).Add(scalar, order)))}
	identities := []string{
		"0100000000000000000000000000000000000000000000000000000000000000",
		"0100000000000000000000000000000000000000000000000000000000000080",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
	}
	for _, identity := range identities {
		r, _ := hex.DecodeString(identity)
		signatures = append(signatures, slices.Concat(r, make([]byte, 32)))
	}
	keys := append(identities,
		"ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f", // of order 2
		"0000000000000000000000000000000000000000000000000000000000000080", // of order 4
		"edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
		"c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a", // of order 8
		"26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
		"0200000000000000000000000000000000000000000000000000000000000000", // no point
		hex.EncodeToString(base))
	for _, key := range keys {
		raw, _ := hex.DecodeString(key)
		anchor, err := NewAnchor(testChain, []Validator{{ValidatorKey(raw), 1}})
		if err != nil {
			c.t.Fatal(err)
		}
		at := c.trust(anchor)
		for i, signature := range signatures {
			for j := range 24 {
				r := c.bed.sign(c.t, entryFact(protocol.EntryGap, (&protocol.GapAct{Count: 1}).AppendBinary(nil), 8, 9), 0)
				r.Commit.Signatures = []Signature{{0, int64(j), [64]byte(signature)}}
				b, err := r.MarshalBinary()
				if err != nil {
					c.t.Fatal(err)
				}
				c.judge(fmt.Sprintf("key %s, signature %d, vote %d", key, i, j), at, anchor, b)
			}
		}
	}
}
