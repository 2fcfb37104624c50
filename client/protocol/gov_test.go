package protocol

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"

	"pgregory.net/rapid"
)

// drawAction draws an action of a kind, with the fields it has.
func drawAction(t *rapid.T) GovAction {
	a := GovAction{Kind: rapid.SampledFrom([]GovKind{
		GovCouncil, GovValidator, GovRoles, GovQuota, GovParam, GovSchema, GovContract, GovCode, GovUpgrade, GovHalt, GovRevoke, GovRecover, GovNode, GovReward, GovFees, GovLogKey,
	}).Draw(t, "kind")}
	fields := govFields[a.Kind]
	used := func(f govField) bool {
		return fields.need&f != 0 || fields.may&f != 0 && rapid.Bool().Draw(t, "there")
	}
	bytesOf := rapid.SliceOfN(rapid.ByteRange(1, 255), 64, 64)
	field := govAccount
	for _, octets := range a.octets() {
		if used(field) {
			copy(octets, bytesOf.Draw(t, "octets"))
		}
		field <<= 1
	}
	if a.Key != (PublicKey{}) {
		a.Key = testSecret(a.Key[3]&0x7f | 1).Public()
	}
	for _, text := range a.texts() {
		if used(field) {
			*text = rapid.StringMatching(`[a-zA-Z][a-zA-Z0-9]{0,10}`).Draw(t, "text")
		}
		field <<= 1
	}
	for _, n := range a.numbers() {
		if used(field) {
			*n = rapid.Uint64Range(1, MaxWeight).Draw(t, "number")
		}
		field <<= 1
	}
	if used(govRoles) {
		a.Roles = Roles(rapid.ByteRange(0, byte(allRoles)).Draw(t, "roles")) &^ RoleCouncil
	}
	if used(govGrants) {
		a.Grants = Grants{Sources: []string{"/a/", "/b/"}, Types: []string{"reading."}}
	}
	if used(govQuota) {
		a.Quota = Quota{Blocks: 10, Bytes: rapid.Uint64Min(1).Draw(t, "bytes")}
	}
	a.On, a.Force = used(govOn), used(govForce)
	if used(govLogKey) {
		copy(a.LogKey[:], bytesOf.Draw(t, "log key"))
	}
	return a
}

// Every action has one encoding, in bytes and as JSON, and only with the fields
// its kind has.
func TestActionsRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := &Propose{Title: "t", Expiry: 9, Actions: rapid.SliceOfN(rapid.Custom(drawAction), 1, MaxActions).Draw(t, "actions")}
		valid := true
		for i := range p.Actions {
			valid = valid && p.Actions[i].Check() == nil
		}
		encoded, err := EncodeBody(p)
		if (err == nil) != valid {
			t.Fatalf("valid %v, encoding says %v", valid, err)
		}
		if err != nil {
			return
		}
		back, err := DecodeBody(encoded)
		if err != nil || !reflect.DeepEqual(back, p) {
			t.Fatalf("%+v came back as %+v, %v", p, back, err)
		}
		text, err := json.Marshal(p)
		if err != nil {
			t.Fatal(err)
		}
		var read Propose
		if err := json.Unmarshal(text, &read); err != nil || !reflect.DeepEqual(&read, p) {
			t.Fatalf("%s was read as %+v, %v", text, read, err)
		}
		act := &GovernanceAct{Step: GovProposed, By: Address{1}, TxID: Hash{2}, Title: p.Title, Expiry: p.Expiry, Actions: p.Actions}
		if got, err := DecodeAct(act.AppendBinary(nil)); err != nil || !reflect.DeepEqual(got, act) {
			t.Fatalf("%+v came back as %+v, %v", act, got, err)
		}
	})
}

// A field that an action of a kind does not have is refused, not ignored.
func TestForeignFieldsAreRefused(t *testing.T) {
	for kind, fields := range govFields {
		a := GovAction{Kind: kind, Account: Address{1}, Contract: Address{1}, Validator: ValidatorKey{1}, Node: NodeID{1}, Name: "n", Hash: Hash{1}}
		foreign := a.has()&^(fields.need|fields.may) != 0
		if err := a.Check(); foreign && !hasCode(err, CodeProposalTerms) {
			t.Errorf("%s: %v", kind, err)
		}
	}
	for name, a := range map[string]GovAction{
		"a seat as a role":   {Kind: GovRoles, Account: Address{1}, Roles: RoleCouncil},
		"nobody":             {Kind: GovCouncil, Weight: 1},
		"too heavy":          {Kind: GovCouncil, Account: Address{1}, Weight: MaxWeight + 1},
		"too powerful":       {Kind: GovValidator, Validator: ValidatorKey{1}, Name: "n", Power: MaxPower + 1},
		"no version":         {Kind: GovUpgrade, Height: 9},
		"prefixes in no row": {Kind: GovRoles, Account: Address{1}, Grants: Grants{Sources: []string{"b", "a"}}},
		"no window":          {Kind: GovQuota, Account: Address{1}, Quota: Quota{Events: 1}},
	} {
		if err := a.Check(); !hasCode(err, CodeProposalTerms) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestGovernanceActsRoundTrip(t *testing.T) {
	tally := Tally{2, 1, 4}
	for _, act := range []interface {
		AppendBinary([]byte) []byte
	}{
		&GovernanceAct{Step: GovVoted, By: Address{1}, TxID: Hash{2}, Proposal: 7, Yes: true, Tally: tally},
		&GovernanceAct{Step: GovWithdrawn, By: Address{1}, TxID: Hash{2}, Proposal: 7},
		&GovernanceAct{Step: GovPassed, Proposal: 7, Tally: tally},
		&GovernanceAct{Step: GovFailed, Proposal: 7, Tally: tally, Code: CodePowerChange},
		&GovernanceAct{Step: GovExpired, Proposal: 7, Tally: tally},
		&GovernanceAct{Step: GovEvidence, Validator: ValidatorKey{3}, Height: 12, Removed: true},
		&GovernanceAct{Step: GovUpgraded, Version: 2},
		&DisputeAct{By: Address{1}, TxID: Hash{2}, Entry: 3, Text: "no"},
		&DisputeAct{By: Address{1}, TxID: Hash{2}, Entry: 3, Dispute: 9, Ruling: RulingSettled, Text: "no"},
	} {
		payload := act.AppendBinary(nil)
		back, err := DecodeAct(payload)
		if err != nil || !reflect.DeepEqual(back, act) {
			t.Errorf("%+v came back as %+v, %v", act, back, err)
		}
		for size := range payload {
			if _, err := DecodeAct(payload[:size]); err == nil {
				t.Errorf("%+v: %d of %d bytes were accepted", act, size, len(payload))
			}
		}
	}
}

func TestGovernanceRecordsRoundTrip(t *testing.T) {
	p := &Proposal{Index: 5, Status: GovFailed, Proposer: Address{1}, Opened: 3, Expiry: 90, Closed: 8, Tally: Tally{3, 1, 4}, Code: CodeLastMember,
		Title: "t", Actions: []GovAction{{Kind: GovHalt, On: true}}, Blind: Blind{4}}
	if back, err := DecodeProposal(5, p.AppendBinary(nil)); err != nil || !reflect.DeepEqual(back, p) {
		t.Errorf("%+v, %v", back, err)
	}
	set := &ValidatorSet{Since: 9, Previous: 4, Validators: []SetMember{{ValidatorKey{1}, 10, "a", LogKey{}}, {ValidatorKey{2}, MaxPower, "b", LogKey{3}}}}
	if back, err := DecodeValidatorSet(9, set.AppendBinary(nil)); err != nil || !reflect.DeepEqual(back, set) {
		t.Errorf("%+v, %v", back, err)
	}
	set.Validators[0], set.Validators[1] = set.Validators[1], set.Validators[0]
	if _, err := DecodeValidatorSet(9, set.AppendBinary(nil)); err == nil {
		t.Error("a set out of order was accepted")
	}
	if _, err := DecodeValidatorSet(9, (&ValidatorSet{}).AppendBinary(nil)); err == nil {
		t.Error("an empty set was accepted")
	}
	d := &DisputeRecord{Index: 3, Entry: 1, By: Address{2}, Ruling: RulingUpheld, Arbiter: Address{3}, Resolution: 8}
	if back, err := DecodeDispute(3, d.AppendBinary(nil)); err != nil || !reflect.DeepEqual(back, d) {
		t.Errorf("%+v, %v", back, err)
	}
	s := Schema{Type: "reading.v1", Hash: Hash{1}, URI: "https://city.example/reading.v1.json", Proposal: 4}
	if back, err := DecodeSchema("reading.v1", s.AppendBinary(nil)); err != nil || back != s {
		t.Errorf("%+v, %v", back, err)
	}
	m := CouncilMember{Address{1}, 7, 2}
	if back, err := DecodeCouncilMember(Address{1}, m.AppendBinary(nil)); err != nil || back != m {
		t.Errorf("%+v, %v", back, err)
	}
}

// FuzzAct: an act that is accepted is the one encoding of what it means.
func FuzzAct(f *testing.F) {
	f.Add((&GovernanceAct{Step: GovProposed, Title: "t", Actions: []GovAction{{Kind: GovHalt, On: true}}}).AppendBinary(nil))
	f.Add((&AccountAct{Op: AccountPropose, Kind: TxToken}).AppendBinary(nil))
	f.Add((&DisputeAct{Text: "no"}).AppendBinary(nil))
	f.Fuzz(func(t *testing.T, payload []byte) {
		act, err := DecodeAct(payload)
		if err != nil {
			return
		}
		again := act.(interface{ AppendBinary([]byte) []byte }).AppendBinary(nil)
		if !bytes.Equal(again, payload) {
			t.Fatalf("%x was accepted, %x is what it means", payload, again)
		}
	})
}
