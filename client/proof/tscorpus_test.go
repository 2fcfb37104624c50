package proof

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// corpus is a file of receipts and what this verifier says of them, one a line.
type corpus struct {
	t    *testing.T
	rng  *rand.Rand
	file *os.File
	out  *bufio.Writer
	next int      // number of the next anchor
	bed  *testbed // the chain most receipts are of
	home int      // its anchor
}

// corpusLine is a founding document; or a receipt of any kind and format, to
// verify against one or a trust file; or a trust file and a path to follow from it.
type corpusLine struct {
	Name      string `json:"name,omitempty"`
	Anchor    int    `json:"anchor"`
	Genesis   string `json:"genesis,omitempty"`
	Receipt   []byte `json:"receipt,omitempty"`
	Batch     []byte `json:"batch,omitempty"`
	Stream    []byte `json:"stream,omitempty"`
	Held      []byte `json:"held,omitempty"`
	Trust     []byte `json:"trust,omitempty"`
	Path      []byte `json:"path,omitempty"`
	Now       string `json:"now,omitempty"` // Unix nanoseconds
	Period    string `json:"period,omitempty"`
	Error     string `json:"error"` // sentence of the check that fails
	Sentence  string `json:"sentence,omitempty"`
	Statement string `json:"statement,omitempty"`
}

func newCorpus(t *testing.T) *corpus {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "corpus.jsonl"))
	if err != nil {
		t.Fatal(err)
	}
	c := &corpus{t: t, rng: rand.New(rand.NewPCG(7, 7)), file: file, out: bufio.NewWriterSize(file, 1<<20)}
	c.bed = newTestbed(t, testChain, 5, 10, 10, 10)
	c.home = c.trust(c.bed.anchor)
	return c
}

func (c *corpus) close() string {
	c.t.Helper()
	if err := c.out.Flush(); err != nil {
		c.t.Fatal(err)
	}
	if err := c.file.Close(); err != nil {
		c.t.Fatal(err)
	}
	return c.file.Name()
}

func (c *corpus) write(line corpusLine) {
	c.t.Helper()
	text, err := json.Marshal(line)
	if err == nil {
		_, err = c.out.Write(append(text, '\n'))
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

// trust adds an anchor, as a founding document has it.
func (c *corpus) trust(anchor Anchor) int {
	c.t.Helper()
	var validators []string
	for i, v := range anchor.validators {
		validators = append(validators, fmt.Sprintf(`{"name":"v%d","publicKey":%q,"power":%d}`, i,
			base64.StdEncoding.EncodeToString(v.PubKey[:]), v.Power))
	}
	c.rng.Shuffle(len(validators), func(i, j int) { validators[i], validators[j] = validators[j], validators[i] })
	c.write(corpusLine{Anchor: c.next, Genesis: fmt.Sprintf(`{"chainId":%q,"validators":[%s]}`, anchor.chainID, strings.Join(validators, ","))})
	c.next++
	return c.next - 1
}

// judge adds a receipt and what this verifier says of it.
func (c *corpus) judge(name string, at int, anchor Anchor, receipt []byte) {
	c.t.Helper()
	_, s, err := parseAndVerify(receipt, anchor)
	c.say(corpusLine{Name: name, Anchor: at, Receipt: receipt}, s, err)
}

// say adds what this verifier says: the check that fails, or what is proven.
func (c *corpus) say(line corpusLine, s fmt.Stringer, err error) {
	c.t.Helper()
	if err != nil {
		line.Error = c.check(err)
	} else if text, err := marshalJSON(s); err != nil {
		c.t.Fatalf("%s: %v", line.Name, err)
	} else {
		line.Sentence, line.Statement = s.String(), string(text)
	}
	c.write(line)
}

// part is what stands before the error of a part.
var part = regexp.MustCompile(`^(step \d+, at height \d+|entry \d+|batch \d+|the stream's next sequence|the entry's receipt|the erasure's receipt): `)

// check is the sentence of the check that failed: of the outermost, where one
// failed because of another.
func (c *corpus) check(err error) string {
	c.t.Helper()
	text := err.Error()
	for part.MatchString(text) {
		text = part.ReplaceAllString(text, "")
	}
	for _, check := range []error{ErrForm, ErrDigest, ErrCanonical, ErrAnchor, ErrChain, ErrInclusion, ErrState, ErrCommitment, ErrEvent, ErrAct,
		ErrType, ErrHeight, ErrValidator, ErrSignature, ErrUnsigned, ErrPower, ErrStep, ErrExpired, ErrEarly, ErrIncomplete,
		ErrUncosigned, ErrLogSignature, ErrNotHeld, ErrErasure} {
		if strings.HasPrefix(text, check.Error()) {
			return check.Error()
		}
	}
	c.t.Fatalf("%v is of no kind", err)
	return ""
}

// kinds are the receipts to spoil, by name.
func (c *corpus) kinds(visit func(name string, r *Receipt)) {
	all := oneOfEach(c.t, c.bed)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		visit(name, all[name])
	}
}

// binaries adds spoilt receipts in the binary form: as damage leaves them, and
// with the digest renewed, as a forger would.
func (c *corpus) binaries() {
	strangers := newTestbed(c.t, testChain, 5, 5, 5, 5, 5, 5, 5)
	elsewhere := newTestbed(c.t, "cairn-elsewhere", 10, 10, 10, 10)
	others := map[*testbed]int{strangers: c.trust(strangers.anchor), elsewhere: c.trust(elsewhere.anchor)}
	c.kinds(func(name string, r *Receipt) {
		whole, text := mustEncode(c.t, r)
		for _, form := range [][]byte{whole, text} {
			for _, bed := range []*testbed{strangers, elsewhere} {
				c.judge(name+" elsewhere", others[bed], bed.anchor, form)
			}
			for n := c.rng.IntN(24); n < len(form); n += 24 {
				c.judge(fmt.Sprintf("%s cut to %d", name, n), c.home, c.bed.anchor, form[:n])
			}
			c.judge(name+" extended", c.home, c.bed.anchor, append(slices.Clone(form), 0))
		}
		for i := c.rng.IntN(40); i < 8*len(whole); i += 40 {
			c.judge(fmt.Sprintf("%s, bit %d flipped", name, i), c.home, c.bed.anchor, flipped(whole, i))
		}
		for i := c.rng.IntN(160); i < 8*(len(whole)-digestBytes); i += 160 {
			c.judge(fmt.Sprintf("%s, bit %d forged", name, i), c.home, c.bed.anchor, redigest(flipped(whole, i)))
		}
		for i := range 80 {
			c.judge(fmt.Sprintf("%s, edit %d", name, i), c.home, c.bed.anchor, redigest(c.edited(whole)))
		}
	})
	for _, v := range refusedVectors(c.t, c.bed) {
		c.judge(v.Name, c.home, c.bed.anchor, v.Binary)
	}
}

func flipped(b []byte, i int) []byte {
	b = slices.Clone(b)
	b[i/8] ^= 0x80 >> (i % 8)
	return b
}

// edited is a copy with one to three octets set, left out, repeated or put in.
func (c *corpus) edited(b []byte) []byte {
	b = slices.Clone(b)
	octets := []byte{0, 1, 2, 3, 0x20, 0x22, 0x5c, 0x7f, 0x80, 0xc3, 0xed, 0xff}
	for range 1 + c.rng.IntN(3) {
		i, octet := c.rng.IntN(len(b)), octets[c.rng.IntN(len(octets))]
		switch c.rng.IntN(6) {
		case 0:
			b = slices.Delete(b, i, i+1)
		case 1:
			b = slices.Insert(b, i, octet)
		case 2:
			b = slices.Insert(b, i, b[i])
		case 3:
			b[i] += byte(1 + c.rng.IntN(255))
		default:
			b[i] = octet
		}
		if len(b) == 0 {
			break
		}
	}
	return b
}

// texts adds spoilt receipts in the JSON form: octets changed, and members
// renamed, repeated, left out or given other values, with the digest renewed
// wherever the values allow it.
func (c *corpus) texts() {
	values := []string{`null`, `0`, `-0`, `1`, `1.0`, `1e0`, `255`, `9007199254740991`, `9007199254740992`, `18446744073709551615`,
		`18446744073709551616`, `true`, `""`, `"x"`, `"QQ=="`, `"QR=="`, `[]`, `[null]`, `[1,2,3]`, `{}`, `"\ud800"`, `"cairn\u002dvectors"`,
		`"2025-10-09T8:53:20,123456789Z"`, `"2025-02-29T08:53:20.123456789Z"`, `"9999-12-31T23:59:59.999999999Z"`, `"duplicate"`}
	c.kinds(func(name string, r *Receipt) {
		_, text := mustEncode(c.t, r)
		for i := c.rng.IntN(50); i < 8*len(text); i += 50 {
			c.judge(fmt.Sprintf("%s, bit %d of the text", name, i), c.home, c.bed.anchor, flipped(text, i))
		}
		for i := range 60 {
			c.judge(fmt.Sprintf("%s, edit %d of the text", name, i), c.home, c.bed.anchor, c.edited(text))
		}
		for colon := range text {
			if text[colon] != ':' || text[colon-1] != '"' {
				continue
			}
			start := bytes.LastIndexByte(text[:colon-1], '"')
			member := text[start : colon+1]
			var value json.RawMessage
			if err := json.NewDecoder(bytes.NewReader(text[colon+1:])).Decode(&value); err != nil {
				c.t.Fatal(err)
			}
			end := colon + 1 + len(value)
			spoil := func(how string, middle ...[]byte) {
				changed := slices.Concat(text[:start], slices.Concat(middle...), text[end:])
				c.judge(fmt.Sprintf("%s, %s %s", name, member, how), c.home, c.bed.anchor, redigestJSON(changed))
			}
			for range 3 {
				other := []byte(values[c.rng.IntN(len(values))])
				spoil("is "+string(other), member, other)
				spoil("repeated, first "+string(other), member, other, []byte{','}, member, value)
				spoil("repeated, then "+string(other), member, value, []byte{','}, member, other)
			}
			spoil("in capitals", bytes.ToUpper(member), value)
			spoil("with space", member, []byte(" "), value)
			spoil("left out", []byte(`"x":1`))
			if text[end] == ',' {
				end++
				spoil("gone")
			}
		}
	})
}

// redigestJSON renews the digest of a text whose values make a receipt.
func redigestJSON(text []byte) []byte {
	var read receiptJSON
	if json.NewDecoder(bytes.NewReader(text)).Decode(&read) != nil {
		return text
	}
	r, err := read.receipt()
	if err != nil {
		return text
	}
	body, err := r.appendBody(nil)
	if err != nil {
		return text
	}
	digest := digestOf(body)
	return bytes.Replace(text, []byte(`"digest":"`+read.Digest), fmt.Appendf(nil, `"digest":"%x`, digest[:]), 1)
}

// payloads adds entries whose payload was edited, and which commit to it.
func (c *corpus) payloads() {
	add := func(name string, kind protocol.EntryKind, payload []byte) {
		r := entryFact(kind, payload, 1234, 70_000)
		if eventType, ok := typeOf(payload); ok {
			r.Entry.Entry.Type = protocol.NewTypeHash(eventType)
		}
		c.sign(r)
		b, err := r.MarshalBinary()
		if err != nil {
			c.t.Fatal(err)
		}
		c.judge(name, c.home, c.bed.anchor, b)
	}
	for i, record := range c.records() {
		add(fmt.Sprintf("record %d", i), protocol.EntryEvent, record)
		for j := range 60 {
			add(fmt.Sprintf("record %d, edit %d", i, j), protocol.EntryEvent, c.edited(record))
		}
	}
	for kind := range named(func(n int) string { return protocol.EntryKind(n).String() }) {
		event := kind == int(protocol.EntryEvent) || kind == int(protocol.EntryDuplicate) || kind == int(protocol.EntryEmitted)
		if !event && !slices.ContainsFunc(c.acts(), func(act []byte) bool { return act[0] == byte(kind) }) {
			c.t.Errorf("no act of kind %s is compared: add one, and teach it to client/verify-ts/src/act.ts and statementjson.ts", protocol.EntryKind(kind))
		}
	}
	for i, act := range c.acts() {
		kind := protocol.EntryKind(act[0])
		add(fmt.Sprintf("act %d", i), kind, act)
		add(fmt.Sprintf("act %d of another kind", i), protocol.EntryGap, act)
		add(fmt.Sprintf("act %d of no act's kind", i), protocol.EntryEmitted, act)
		for j := range 40 {
			add(fmt.Sprintf("act %d, edit %d", i, j), kind, c.edited(act))
		}
	}
}

// sign has the validators sign what climbs to an app hash; the rest keeps
// signatures of something else.
func (c *corpus) sign(r *Receipt) {
	if _, _, err := r.Entry.climb(); err == nil {
		c.bed.sign(c.t, r, 3)
		return
	}
	other := entryFact(protocol.EntryGap, (&protocol.GapAct{Count: 1}).AppendBinary(nil), 1, 2)
	c.bed.sign(c.t, other, 3)
	r.ChainID, r.Header, r.Commit = other.ChainID, other.Header, other.Commit
}

// records are event records with everything a record can have.
func (c *corpus) records() (records [][]byte) {
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "vectors", "event.json"))
	if err != nil {
		c.t.Fatal(err)
	}
	var published []struct {
		Record octetsHex `json:"record"`
	}
	if err := json.Unmarshal(text, &published); err != nil {
		c.t.Fatal(err)
	}
	for _, p := range published {
		records = append(records, p.Record)
	}
	for range 20 {
		records = append(records, c.event().AppendRecord(nil))
	}
	return records
}

// acts are payloads of every kind of entry that is not an event.
func (c *corpus) acts() [][]byte {
	transfer := protocol.TokenOp{Kind: protocol.TokenSchedule, Asset: "EURc", Account: testAddress("payee"), Amount: 90, Count: 12, PeriodMs: 3_600_000, Memo: "rent"}
	members := protocol.Multisig{Threshold: 1, Members: []protocol.Address{testAddress("a"), testAddress("b")}}
	event := testEvent()
	record := event.AppendRecord(nil)
	return [][]byte{
		(&protocol.GapAct{Count: 12}).AppendBinary(nil),
		(&protocol.DeadLetterAct{Code: protocol.CodeContractAborted, GuestCode: 7}).AppendBinary(nil),
		(&protocol.DeadLetterAct{Code: 99}).AppendBinary(nil),
		(&protocol.ContractAct{Kind: protocol.TxDeploy, Name: "parking", Args: []byte(`{}`)}).AppendBinary(nil),
		(&protocol.ContractAct{Kind: protocol.TxUpgrade, Name: "p\xff\xe2\x82", Args: []byte{0}}).AppendBinary(nil),
		(&protocol.ContractAct{Kind: protocol.TxCall, Name: "close\n", Args: bytes.Repeat([]byte("é"), 150)}).AppendBinary(nil),
		(&protocol.ContractAct{Kind: protocol.TxControl, Name: "redeliver", Args: []byte(`{"index":7}`)}).AppendBinary(nil),
		(&protocol.TimerAct{ID: 7, Handler: 2, Data: []byte("due")}).AppendBinary(nil),
		(&protocol.MovementAct{Kind: protocol.TokenTransfer, Asset: "EURc", From: testAddress("a"), To: testAddress("b"), Amount: 1 << 62, Memo: "for kWh",
			TxID: testHash("tx", 0)}).AppendBinary(nil),
		(&protocol.MovementAct{Kind: protocol.TokenSchedule, Asset: "EURc", From: testAddress("a"), ID: 3, Terms: &transfer}).AppendBinary(nil),
		(&protocol.MovementAct{Kind: protocol.TokenReward, Asset: "CITY", To: testAddress("b"), Amount: 50,
			Parts: []protocol.MovementPart{{Index: 10, Count: 3, Each: 10}, {Index: 14, Count: 2, Each: 10}}}).AppendBinary(nil),
		(&protocol.AccountAct{Op: protocol.AccountRotate, Account: testAddress("a"), TxID: testHash("tx", 0), Key: protocol.PublicKey{2, 1}, From: 7}).AppendBinary(nil),
		(&protocol.AccountAct{Op: protocol.AccountRevoke, Account: testAddress("a")}).AppendBinary(nil),
		(&protocol.AccountAct{Op: protocol.AccountCreate, Name: "two \xff", Multisig: &members}).AppendBinary(nil),
		(&protocol.AccountAct{Op: protocol.AccountChange, Multisig: &protocol.Multisig{}}).AppendBinary(nil),
		(&protocol.AccountAct{Op: protocol.AccountPropose, By: testAddress("b"), Kind: protocol.TxToken, Body: testHash("body", 0), Expiry: 9, Executed: true}).AppendBinary(nil),
		(&protocol.AccountAct{Op: protocol.AccountApprove, Act: 1 << 60}).AppendBinary(nil),
		(&protocol.AccountAct{Op: protocol.AccountExpire, Act: 3}).AppendBinary(nil),
		(&protocol.GovernanceAct{Step: protocol.GovProposed, By: testAddress("a"), TxID: testHash("tx", 0), Title: "all \xff kinds", Expiry: 77, Actions: everyAction()}).AppendBinary(nil),
		(&protocol.GovernanceAct{Step: protocol.GovProposed, Title: "none"}).AppendBinary(nil),
		(&protocol.GovernanceAct{Step: protocol.GovVoted, By: testAddress("b"), Proposal: 1 << 60, Yes: true, Tally: protocol.Tally{Yes: 2, Total: 400}}).AppendBinary(nil),
		(&protocol.GovernanceAct{Step: protocol.GovWithdrawn, By: testAddress("b"), Proposal: 7}).AppendBinary(nil),
		(&protocol.GovernanceAct{Step: protocol.GovPassed, Proposal: 7, Tally: protocol.Tally{Yes: 3, No: 1, Total: 4}}).AppendBinary(nil),
		(&protocol.GovernanceAct{Step: protocol.GovFailed, Proposal: 7, Code: protocol.CodePowerChange}).AppendBinary(nil),
		(&protocol.GovernanceAct{Step: protocol.GovExpired, Proposal: 7}).AppendBinary(nil),
		(&protocol.GovernanceAct{Step: protocol.GovEvidence, Validator: protocol.ValidatorKey{1, 2}, Height: 9, Removed: true}).AppendBinary(nil),
		(&protocol.GovernanceAct{Step: protocol.GovUpgraded, Version: 2}).AppendBinary(nil),
		(&protocol.DisputeAct{By: testAddress("a"), TxID: testHash("tx", 0), Entry: 3, Text: "the meter was \"new\""}).AppendBinary(nil),
		(&protocol.DisputeAct{Entry: 3, Dispute: 9, Ruling: protocol.RulingSettled, Text: "they agreed \xff"}).AppendBinary(nil),
		(&protocol.ForeignAct{Ledger: "prices", ChainID: "cairn-prices", Index: 1 << 60, Height: 9, TimeMs: 1_760_000_000_000, Kind: protocol.EntryEvent,
			Origin: testAddress("a"), Leaf: testHash("leaf", 0), TxID: testHash("tx", 0), Record: record}).AppendBinary(nil),
		(&protocol.ForeignAct{Ledger: "p-2", ChainID: "\xff\"", Kind: protocol.EntryEmitted, Record: record}).AppendBinary(nil),
		(&protocol.EraseAct{Reason: protocol.ReasonRequest, Index: 1 << 60, TxID: testHash("tx", 0)}).AppendBinary(nil),
		(&protocol.SchemaAct{Type: "reading.v1", Version: 2, Rule: protocol.SchemaFull, Hash: testHash("schema", 0), TxID: testHash("tx", 0)}).AppendBinary(nil),
		(&protocol.SchemaAct{Type: "reading.\xff", TxID: testHash("tx", 0)}).AppendBinary(nil),
	}
}

// everyAction has each field of an action at least once.
func everyAction() []protocol.GovAction {
	return []protocol.GovAction{
		{Kind: protocol.GovCouncil, Account: testAddress("a"), Weight: 7},
		{Kind: protocol.GovValidator, Validator: protocol.ValidatorKey{9}, Power: 10, Name: "harbour", Force: true},
		{Kind: protocol.GovRoles, Account: testAddress("a"), Roles: protocol.RoleProducer | protocol.RoleArbiter, Grants: protocol.Grants{Sources: []string{"/a/", "/\xff"}}},
		{Kind: protocol.GovRoles, Account: testAddress("a"), Grants: protocol.Grants{Types: []string{"reading."}}},
		{Kind: protocol.GovQuota, Account: testAddress("a"), Quota: protocol.Quota{Blocks: 10, Bytes: 1 << 60}},
		{Kind: protocol.GovParam, Name: "hopLimit", Value: 3},
		{Kind: protocol.GovSchema, Name: "reading.v1", Hash: testHash("schema", 0), URI: "https://city.example/reading"},
		{Kind: protocol.GovSchema, Name: "reading.v1", Account: testAddress("a")},
		{Kind: protocol.GovContract, Contract: testAddress("c"), On: true},
		{Kind: protocol.GovUpgrade, Height: 900, Value: 2},
		{Kind: protocol.GovHalt},
		{Kind: protocol.GovRecover, Account: testAddress("a"), Key: protocol.PublicKey{2, 1}, Proof: protocol.Signature{3}},
		{Kind: protocol.GovNode, Node: protocol.NodeID{4}, Name: "harbour", On: true},
		{Kind: protocol.GovLogKey, Validator: protocol.ValidatorKey{9}, LogKey: protocol.LogKey{8}},
		{Kind: protocol.GovLogKey, Validator: protocol.ValidatorKey{9}},
		{Kind: protocol.GovReward, Name: "reading.v1", Account: testAddress("a"), Asset: "CITY", Each: 3, Limit: 90, PeriodMs: 60_000},
		{Kind: protocol.GovLedger, Name: "prices", Grants: protocol.Grants{Types: []string{"price."}}, Quota: protocol.Quota{Blocks: 10, Events: 9},
			Ledger: protocol.LedgerTerms{ChainID: "cairn-\xff", Genesis: testHash("genesis", 0), Set: testHash("set", 0), Since: 1, AtMs: 1_760_000_000_000, PeriodMs: 1 << 60, MaxAgeMs: 5}},
		{Kind: protocol.GovLedger, Name: "prices", Ledger: protocol.LedgerTerms{PeriodMs: 60_000}},
		{Kind: protocol.GovSuspend, Name: "prices", On: true},
	}
}
