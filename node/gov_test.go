package node

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/client"
	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
)

var background = context.Background()

// client makes one that follows this node's validators.
func (s *solo) client(as *client.ActAs) *client.Client {
	s.t.Helper()
	trust, err := s.network.Document.Trust()
	if err != nil {
		s.t.Fatal(err)
	}
	c, err := client.New(client.Config{Nodes: []string{"http://" + s.config.APIAddress}, Trust: trust, As: as, GiveUpAfter: 5 * time.Second})
	if err != nil {
		s.t.Fatal(err)
	}
	return c
}

// pass has the council, which is the author alone, decide on actions.
func (s *solo) pass(c *client.Client, actions ...protocol.GovAction) uint64 {
	s.t.Helper()
	author := s.network.Accounts["author"]
	p, err := c.Propose(background, author, "a change", 0, actions...)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := c.Vote(background, author, p.FirstIndex, true); err != nil {
		s.t.Fatal(err)
	}
	return p.FirstIndex
}

func wantRefusal(t *testing.T, err error, want protocol.Code) *client.Refusal {
	t.Helper()
	var refusal *client.Refusal
	if !errors.As(err, &refusal) || refusal.Code != want {
		t.Fatalf("got %v, want %s", err, want)
	}
	return refusal
}

// Governance on a real node, by the SDK: what is read now and of the past,
// what receipts prove of it, and what a dry run says and does not do.
func TestGovernanceOverHTTP(t *testing.T) {
	s := found(t)
	s.start()
	c := s.client(nil)
	author, producer := s.network.Accounts["author"], s.network.Accounts["producer"].Address()
	before := s.head().Height
	grant := protocol.GovAction{Kind: protocol.GovRoles, Account: producer, Roles: protocol.RoleProducer | protocol.RoleArbiter, Grants: protocol.Grants{Sources: []string{"/city/"}}}
	tried, err := c.Try(background, author, &protocol.Propose{Title: "t", Expiry: before + 9, Actions: []protocol.GovAction{grant}})
	if err != nil || tried.Code != protocol.CodeOK || len(tried.Entries) != 1 || tried.Entries[0].Kind != protocol.EntryGovernance {
		t.Fatalf("%+v %v", tried, err)
	}
	index := s.pass(c, grant)
	if now, err := c.Account(background, producer.String(), 0); err != nil || now.Roles != grant.Roles || now.Grants.Sources[0] != "/city/" {
		t.Errorf("%+v %v", now, err)
	}
	if past, err := c.Account(background, producer.String(), before); err != nil || past.Roles != protocol.RoleProducer || !past.Grants.IsZero() {
		t.Errorf("%+v %v", past, err)
	}
	for height, want := range map[uint64]protocol.Roles{0: grant.Roles, before: protocol.RoleProducer} {
		if proven, err := c.ProvenAccount(background, producer, height); err != nil || proven.Roles != want {
			t.Errorf("height %d: %+v %v", height, proven, err)
		}
	}
	p, err := c.Proposal(background, index, 0)
	if err != nil || p.Status != protocol.GovPassed || p.Tally != (protocol.Tally{Yes: 1, Total: 1}) || len(p.Votes) != 1 || !p.Votes[0].Yes {
		t.Errorf("%+v %v", p, err)
	}
	open, err := c.Proposals(background, true)
	all, err2 := c.Proposals(background, false)
	if err != nil || err2 != nil || len(open) != 0 || len(all) != 1 {
		t.Errorf("%v %v %v %v", open, err, all, err2)
	}
	arbiters, err := c.Accounts(background, "arbiter", 0)
	if err != nil || len(arbiters) != 1 || arbiters[0].Address != producer {
		t.Errorf("%+v %v", arbiters, err)
	}
	council, err := c.Council(background, 0)
	if err != nil || council.Total != 1 || council.Members[0].Account != author.Address() {
		t.Errorf("%+v %v", council, err)
	}
	s.readsOfValidators(c)
	s.disputes(c, index)
}

// readsOfValidators: the set of the state is the one that signs.
func (s *solo) readsOfValidators(c *client.Client) {
	s.t.Helper()
	key := protocol.ValidatorKey(s.network.Document.Validators[0].PubKey)
	s.pass(c, protocol.GovAction{Kind: protocol.GovValidator, Validator: key, Power: 13, Name: "node0"})
	decided := s.head().Height
	for s.head().Height < decided+2 { // somebody has to make the blocks at which it signs
		s.pass(c, protocol.GovAction{Kind: protocol.GovParam, Name: "hopLimit", Value: 8})
	}
	sets, err := c.ValidatorSets(background)
	if err != nil || len(sets) != 2 || sets[0].Since != 1 || sets[0].Validators[0].Power != 10 || sets[1].Validators[0].Power != 13 {
		s.t.Fatalf("%+v %v", sets, err)
	}
	old, err := c.Validators(background, sets[1].Since-1)
	if err != nil || old.Power != 10 || old.Next == nil || old.Next.Since != sets[1].Since {
		s.t.Errorf("%+v %v", old, err)
	}
	now, err := c.Validators(background, 0)
	if err != nil || now.Power != 13 || now.Next != nil || now.Validators[0].Key != key {
		s.t.Errorf("%+v %v", now, err)
	}
	status, answer := s.do(http.MethodGet, "/v1/validators/sets/"+strconv.FormatUint(sets[1].Since, 10)+"?prove=true&format=binary", nil)
	receipt, err := proof.Decode(answer)
	if err != nil {
		s.t.Fatal(status, err)
	}
	if _, err := c.Verify(background, receipt); err != nil { // signed by the power it proves
		s.t.Error(err)
	}
}

func (s *solo) disputes(c *client.Client, entry uint64) {
	s.t.Helper()
	producer, author := s.network.Accounts["producer"], s.network.Accounts["author"]
	raised, err := c.Raise(background, author, entry, "the grant is too wide")
	if err != nil {
		s.t.Fatal(err)
	}
	_, err = c.Resolve(background, author, raised.FirstIndex, protocol.RulingUpheld, "mine")
	wantRefusal(s.t, err, protocol.CodeUnauthorized)
	if _, err := c.Resolve(background, producer, raised.FirstIndex, protocol.RulingDismissed, "it is what was agreed"); err != nil {
		s.t.Fatal(err)
	}
	list, err := c.Disputes(background)
	if err != nil || len(list) != 1 || list[0].Ruling != protocol.RulingDismissed || list[0].Arbiter != producer.Address() {
		s.t.Errorf("%+v %v", list, err)
	}
	receipt, err := c.Receipt(background, list[0].Resolution)
	if err != nil {
		s.t.Fatal(err)
	}
	statement, err := c.Verify(background, receipt)
	if err != nil {
		s.t.Fatal(err)
	}
	if act, ok := statement.Entry.Act.(*protocol.DisputeAct); !ok || act.Dispute != raised.FirstIndex {
		s.t.Errorf("%+v", statement.Entry)
	}
}

// A producer over its quota is told at the door, with 429 and how long to wait.
func TestOverQuotaAtTheDoor(t *testing.T) {
	s := found(t)
	s.start()
	c := s.client(nil)
	s.pass(c, protocol.GovAction{Kind: protocol.GovQuota, Account: s.network.Accounts["producer"].Address(), Quota: protocol.Quota{Blocks: 1_000, Events: 5}})
	if status := s.submit(s.batch(0, 5)); status.State != rest.StateCommitted {
		t.Fatalf("%+v", status)
	}
	response, err := http.Post("http://"+s.config.APIAddress+"/v1/transactions", "application/octet-stream", strings.NewReader(string(s.batch(5, 1))))
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	seconds, err := strconv.Atoi(response.Header.Get("Retry-After"))
	if response.StatusCode != http.StatusTooManyRequests || err != nil || seconds < 1 || seconds > 60 {
		t.Errorf("%s, Retry-After %q", response.Status, response.Header.Get("Retry-After"))
	}
	if status := s.submit(s.batch(0, 4)); status.State != rest.StateCommitted || status.Absorbed != 4 {
		t.Errorf("a repeat costs something: %+v", status)
	}
	account, err := c.Account(background, s.network.Accounts["producer"].Address().String(), 0)
	if err != nil || account.Usage == nil || account.Usage.Events != 5 || account.Usage.Until != 1_000 {
		t.Errorf("%+v %v", account.Usage, err)
	}
}

// Members act as their account through any call of the SDK, and a key that was
// changed goes on with its account's streams.
func TestActingAsAnotherAccount(t *testing.T) {
	s := found(t)
	s.start()
	c := s.client(nil)
	author, producer := s.network.Accounts["author"], s.network.Accounts["producer"]
	members := []protocol.Address{author.Address(), producer.Address()}
	if string(members[0][:]) > string(members[1][:]) {
		members[0], members[1] = members[1], members[0]
	}
	office, _, err := c.CreateMultisig(background, author, "office", protocol.Multisig{Threshold: 2, Members: members})
	if err != nil {
		t.Fatal(err)
	}
	s.pass(c, protocol.GovAction{Kind: protocol.GovRoles, Account: office, Roles: protocol.RoleIssuer})
	as := s.client(&client.ActAs{Account: office})
	issue := protocol.TokenOp{Kind: protocol.TokenIssue, Asset: "EUR", Decimals: 2}
	if tried, err := as.TryToken(background, author, issue); err != nil || tried.Code != protocol.CodeOK || len(tried.Movements) != 1 || tried.Movements[0].By != office {
		t.Fatalf("%+v %v", tried, err)
	}
	var asked *client.Asked
	if _, err := as.Token(background, author, issue); !errors.As(err, &asked) {
		t.Fatalf("got %v", err)
	}
	acts, err := c.Acts(background, office.String())
	if err != nil || len(acts) != 1 || acts[0].Index != asked.Act || acts[0].Kind != protocol.TxToken || !strings.Contains(string(acts[0].Asks), `"asset":"EUR"`) {
		t.Fatalf("%+v %v", acts, err)
	}
	if _, err := c.ApproveAct(background, producer, asked.Act); err != nil {
		t.Fatal(err)
	}
	if asset, ok, err := c.Asset(background, "EUR"); err != nil || !ok || asset.Issuer != office {
		t.Errorf("%+v %v %v", asset, ok, err)
	}
	s.rotated(c)
}

func (s *solo) rotated(c *client.Client) {
	s.t.Helper()
	old := s.network.Accounts["producer"]
	if status := s.submit(s.batch(0, 3)); status.State != rest.StateCommitted {
		s.t.Fatalf("%+v", status)
	}
	next, err := protocol.NewPrivateKey()
	if err != nil {
		s.t.Fatal(err)
	}
	from := s.head().Height + 6
	if _, err := c.RotateKey(background, old, next, from); err != nil {
		s.t.Fatal(err)
	}
	for s.head().Height < from { // somebody has to make the blocks until then
		s.pass(c, protocol.GovAction{Kind: protocol.GovParam, Name: "hopLimit", Value: 7})
	}
	account, err := c.AccountOf(background, next.Public())
	if err != nil || account != old.Address() {
		s.t.Fatalf("%s %v", account, err)
	}
	p, err := c.NewProducer(background, next, "meters", client.ProducerConfig{Account: account})
	if err != nil || p.Held() != 3 {
		s.t.Fatalf("the new key's producer begins at %d, %v", p.Held(), err)
	}
	f, err := p.Submit(background, protocol.Event{ID: "3", Source: "/test", Type: "reading.v1"})
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := f.Wait(background); err != nil {
		s.t.Error(err)
	}
	if err := p.Close(background); err != nil {
		s.t.Error(err)
	}
	_, err = c.RevokeAccount(background, old)
	wantRefusal(s.t, err, protocol.CodeKeyRetired)
}
