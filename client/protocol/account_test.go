package protocol

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
)

func testAccounts() []Account {
	members := testMembers()
	return []Account{
		{},
		{Roles: RoleProducer | RoleArbiter},
		{Roles: RoleCouncil, Revoked: true},
		{Keys: &KeyTurns{Key: testSecret(1).Public(), Next: testSecret(2).Public(), From: 77}},
		{Multisig: &members, Roles: RoleIssuer},
		{Roles: RoleProducer, Grants: Grants{Sources: []string{"/city/", "/meters/7"}, Types: []string{"reading."}}},
		{Roles: RoleProducer, Grants: Grants{Types: []string{"a"}}, Quota: Quota{Blocks: 10, Events: 5, Bytes: 1 << 40}},
	}
}

func TestAccountsRoundTrip(t *testing.T) {
	for _, account := range testAccounts() {
		record := account.AppendBinary(nil)
		back, link, err := DecodeAccount(record)
		if err != nil || link != nil || !reflect.DeepEqual(back, account) {
			t.Errorf("%+v came back as %+v, %v, %v", account, back, link, err)
		}
		text, err := json.Marshal(account)
		if err != nil {
			t.Fatal(err)
		}
		var read Account
		if err := json.Unmarshal(text, &read); err != nil || !reflect.DeepEqual(read, account) {
			t.Errorf("%s was read as %+v, %v", text, read, err)
		}
	}
	_, link, err := DecodeAccount(AppendKeyLink(nil, Address{4}))
	if err != nil || link == nil || *link != (Address{4}) {
		t.Errorf("%v %v", link, err)
	}
	if account, link, err := DecodeAccount(nil); err != nil || link != nil || !reflect.DeepEqual(account, Account{}) {
		t.Errorf("what is not there is %+v, %v, %v", account, link, err)
	}
}

// FuzzAccount: what is accepted is the one encoding of what it means.
func FuzzAccount(f *testing.F) {
	for _, account := range testAccounts() {
		f.Add(account.AppendBinary(nil))
	}
	f.Add(AppendKeyLink(nil, Address{4}))
	f.Fuzz(func(t *testing.T, record []byte) {
		account, link, err := DecodeAccount(record)
		if err != nil || record == nil {
			return
		}
		again := account.AppendBinary(nil)
		if link != nil {
			again = AppendKeyLink(nil, *link)
		}
		if !bytes.Equal(again, record) {
			t.Fatalf("%x was accepted, %x is what it means", record, again)
		}
	})
}

func TestGrantsCoverByPrefix(t *testing.T) {
	g := Grants{Sources: []string{"/city/", "/meters/7"}, Types: []string{"reading."}}
	for _, c := range []struct {
		source, eventType string
		covered           bool
	}{
		{"/city/1", "reading.v1", true}, {"/city", "reading.v1", false}, {"/meters/71", "reading.v1", true},
		{"/meters/8", "reading.v1", false}, {"/city/1", "readings", false}, {"", "reading.v1", false},
	} {
		if got := g.Cover([]byte(c.source), []byte(c.eventType)); got != c.covered {
			t.Errorf("%s %s: %v", c.source, c.eventType, got)
		}
	}
	if all := (Grants{}); !all.Cover(nil, nil) {
		t.Error("no prefix must be all")
	}
}

func TestAccountTermsAreRefused(t *testing.T) {
	order := testMembers()
	order.Members[0], order.Members[1] = order.Members[1], order.Members[0]
	many := Multisig{Threshold: 1}
	for i := range MaxMembers + 1 {
		many.Members = append(many.Members, Address{1, byte(i)})
	}
	for name, c := range map[string]struct {
		body Body
		code Code
	}{
		"threshold 0":        {&ChangeMultisig{Multisig{0, testMembers().Members}}, CodeMultisigTerms},
		"threshold too high": {&ChangeMultisig{Multisig{4, testMembers().Members}}, CodeMultisigTerms},
		"nobody":             {&ChangeMultisig{Multisig{1, nil}}, CodeMultisigTerms},
		"out of order":       {&ChangeMultisig{order}, CodeMultisigTerms},
		"too many":           {&ChangeMultisig{many}, CodeMultisigTerms},
		"no name":            {&CreateMultisig{"", testMembers()}, CodeMultisigTerms},
		"a batch":            {&ProposeAct{Body: &Batch{Stream: "s", Records: testRecords(1)}}, CodeMultisigTerms},
		"an act in an act":   {&ProposeAct{Body: &ApproveAct{}}, CodeMultisigTerms},
		"no point":           {&Rotate{Key: PublicKey{5}, From: 9}, CodeMalformed},
	} {
		if _, err := SignTx(testChain, testSecret(7), 9, 0, c.body); !hasCode(err, c.code) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The bytes refuse what the encoder would not write.
func TestNestedActsAreRefusedUndecoded(t *testing.T) {
	inner, err := EncodeBody(&ApproveAct{Act: 3})
	if err != nil {
		t.Fatal(err)
	}
	body := append([]byte{byte(TxAccount), byte(AccountPropose)}, make([]byte, 28)...)
	if _, err := DecodeBody(append(body, inner...)); !hasCode(err, CodeMultisigTerms) {
		t.Errorf("%v", err)
	}
	deep := inner
	for range 2_000 { // nesting must cost nothing
		deep = append(append([]byte{byte(TxAccount), byte(AccountPropose)}, make([]byte, 28)...), deep...)
	}
	if _, err := DecodeBody(deep); !hasCode(err, CodeMultisigTerms) {
		t.Errorf("%v", err)
	}
}

func TestAccountActsRoundTrip(t *testing.T) {
	members := testMembers()
	for _, act := range []*AccountAct{
		{Op: AccountRotate, Account: Address{1}, TxID: Hash{2}, Key: testSecret(3).Public(), From: 12},
		{Op: AccountRevoke, Account: Address{1}, TxID: Hash{2}},
		{Op: AccountCreate, Account: Address{1}, By: Address{9}, TxID: Hash{2}, Name: "treasury", Multisig: &members},
		{Op: AccountChange, Account: Address{1}, TxID: Hash{2}, Multisig: &members},
		{Op: AccountPropose, Account: Address{1}, By: Address{9}, TxID: Hash{2}, Kind: TxToken, Body: Hash{4}, Expiry: 90, Executed: true},
		{Op: AccountApprove, Account: Address{1}, By: Address{9}, TxID: Hash{2}, Act: 5, Executed: true},
		{Op: AccountExpire, Account: Address{1}, Act: 5},
	} {
		payload := act.AppendBinary(nil)
		back, err := DecodeAct(payload)
		if err != nil || !reflect.DeepEqual(back, act) {
			t.Errorf("%+v came back as %+v, %v", act, back, err)
		}
		for size := range payload {
			if _, err := DecodeAct(payload[:size]); err == nil {
				t.Errorf("%s: %d of %d bytes were accepted", act.Op, size, len(payload))
			}
		}
	}
}
