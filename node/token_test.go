package node

import (
	"encoding/hex"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/cairn-ledger/cairn/client"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
)

func (s *solo) token(who string, ops ...protocol.TokenOp) rest.Status {
	s.t.Helper()
	s.nonce++
	raw, err := protocol.SignTx("cairn-test", s.network.Accounts[who], 1000, s.nonce, &protocol.Token{Ops: ops})
	if err != nil {
		s.t.Fatal(err)
	}
	return s.submit(raw)
}

// Tokens on a real node: what the API reads now and of the past, what receipts
// prove of it, and what a dry run says and does not do.
func TestTokensOverHTTP(t *testing.T) {
	s := found(t)
	s.start()
	author, alice := s.network.Accounts["author"].Address(), protocol.Address{1, 2, 3}
	if status := s.token("author",
		protocol.TokenOp{Kind: protocol.TokenIssue, Asset: "EUR", Decimals: 2},
		protocol.TokenOp{Kind: protocol.TokenMint, Asset: "EUR", Account: author, Amount: 50_000}); status.State != rest.StateCommitted {
		t.Fatalf("%+v", status)
	}
	issued := s.head().Height
	if status := s.token("author",
		protocol.TokenOp{Kind: protocol.TokenTransfer, Asset: "EUR", Account: alice, Amount: 12_345},
		protocol.TokenOp{Kind: protocol.TokenHold, Asset: "EUR", Account: alice, Amount: 1_000},
		protocol.TokenOp{Kind: protocol.TokenAllow, Asset: "EUR", Account: alice, Amount: 777, PeriodMs: 1000}); status.State != rest.StateCommitted {
		t.Fatalf("%+v", status)
	}
	path := fmt.Sprintf("/v1/accounts/%s/balances", author)
	for query, want := range map[string]uint64{"": 36_655, fmt.Sprint("?height=", issued): 50_000} {
		var answer rest.Balances
		if s.get(path+query, &answer); len(answer.Balances) != 1 || answer.Balances[0].Amount != want || answer.Balances[0].Decimals != 2 {
			t.Errorf("%s: %+v", query, answer)
		}
	}
	var holds rest.TokenTermsList
	if s.get(fmt.Sprintf("/v1/accounts/%s/holds", alice), &holds); len(holds.Terms) != 1 || holds.Terms[0].Amount != 1_000 || holds.Terms[0].From != author {
		t.Errorf("%+v", holds)
	}
	var allowances rest.Allowances
	if s.get(fmt.Sprintf("/v1/accounts/%s/allowances", author), &allowances); len(allowances.Allowances) != 1 || allowances.Allowances[0].Left != 777 {
		t.Errorf("%+v", allowances)
	}
	s.proveBalances(path, author, alice, issued)

	dry, err := protocol.SignTx("cairn-test", s.network.Accounts["author"], 0, 0, &protocol.Token{Ops: []protocol.TokenOp{
		{Kind: protocol.TokenRelease, ID: 1, Account: alice, Amount: 400}, {Kind: protocol.TokenTransfer, Asset: "EUR", Account: alice, Amount: 37_255},
	}})
	if err != nil {
		t.Fatal(err)
	}
	before := s.head()
	code, body := s.do(http.MethodPost, "/v1/dry-run", dry)
	want := `"code":0,"name":"OK","movements":[{"kind":"release","asset":"EUR"`
	if code != http.StatusOK || !containsAll(string(body), want, `"rest":"600"`, `"amount":"37255"`) || s.head() != before {
		t.Errorf("dry run: %d %s", code, body)
	}
	if code, body := s.do(http.MethodPost, "/v1/transactions", dry); code != http.StatusConflict {
		t.Errorf("a dry run that is submitted: %d %s", code, body)
	}
	for path, want := range map[string]int{
		"/v1/assets/USD": 404, "/v1/holds/9": 404, path + "?height=999": 404, path + "/EUR?prove=yes": 400, path + "?limit=0": 400, "/v1/accounts/nobody/holds": 404,
	} {
		if code, body := s.do(http.MethodGet, path, nil); code != want {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
}

// The same through the SDK, which verifies what it is told.
func TestTokensBySDK(t *testing.T) {
	s := found(t)
	s.start()
	ctx, key := t.Context(), s.network.Accounts["author"]
	trust, err := s.network.Document.Trust()
	if err != nil {
		t.Fatal(err)
	}
	c, err := client.New(client.Config{Nodes: []string{"http://" + s.config.APIAddress}, Trust: trust})
	if err != nil {
		t.Fatal(err)
	}
	author, alice := key.Address(), protocol.Address{1}
	mint := protocol.TokenOp{Kind: protocol.TokenMint, Asset: "EUR", Account: author, Amount: 900}
	if try, err := c.TryToken(ctx, key, mint); err != nil || try.Code != protocol.CodeAssetUnknown {
		t.Fatal(try, err)
	}
	status, err := c.Token(ctx, key, protocol.TokenOp{Kind: protocol.TokenIssue, Asset: "EUR", Decimals: 3, Memo: "Euro"}, mint,
		protocol.TokenOp{Kind: protocol.TokenStream, Asset: "EUR", Account: alice, Amount: 500, Rate: 1, PeriodMs: 3_600_000},
		protocol.TokenOp{Kind: protocol.TokenAllow, Asset: "EUR", Account: alice, Amount: 50})
	if err != nil || status.Entries != 4 {
		t.Fatal(status, err)
	}
	if _, err := c.Token(ctx, key, mint, protocol.TokenOp{Kind: protocol.TokenBurn, Asset: "EUR", Amount: 2_000}); err == nil {
		t.Error("more was burned than there is")
	} else if code, _ := protocol.CodeOf(err); code != protocol.CodeFunds {
		t.Error(err)
	}
	if b, err := c.ProvenBalance(ctx, author, "EUR", 0); err != nil || b.Amount != 400 {
		t.Error(b, err)
	}
	if b, err := c.ProvenBalance(ctx, alice, "EUR", 0); err != nil || b != (protocol.Balance{}) {
		t.Error(b, err)
	}
	if b, err := c.Balance(ctx, author.String(), "EUR", 1); err != nil || b.Amount != 0 {
		t.Error("before it was issued:", b, err)
	}
	if list, err := c.Balances(ctx, author.String(), 0); err != nil || len(list) != 1 || list[0].Decimals != 3 {
		t.Error(list, err)
	}
	if list, err := c.Assets(ctx, 0); err != nil || len(list) != 1 || list[0].Supply != 900 || list[0].Name != "Euro" {
		t.Error(list, err)
	}
	if _, ok, err := c.Asset(ctx, "USD"); ok || err != nil {
		t.Error("USD is there", err)
	}
	if list, err := c.TokenTerms(ctx, alice.String(), protocol.TokenStream, 0); err != nil || len(list) != 1 || list[0].Amount != 500 {
		t.Error(list, err)
	}
	if list, err := c.Allowances(ctx, author.String(), 0); err != nil || len(list) != 1 || list[0].Left != 50 {
		t.Error(list, err)
	}
	if rules, err := c.TokenRules(ctx); err != nil || rules.Fees != nil || len(rules.Rewards) != 0 {
		t.Error(rules, err)
	}
}

func containsAll(text string, parts ...string) bool {
	for _, part := range parts {
		if !strings.Contains(text, part) {
			return false
		}
	}
	return true
}

// proveBalances checks receipts of a balance now and in the past, of a hold and
// of an account that has nothing.
func (s *solo) proveBalances(path string, author, alice protocol.Address, issued uint64) {
	s.t.Helper()
	for _, c := range []struct {
		path string
		key  []byte
		want string // value in hex; empty: absent
	}{
		{path + "/EUR?prove=true&format=binary", protocol.BalanceKey(author, "EUR"), "0000000000008f2f"},
		{path + fmt.Sprintf("/EUR?prove=true&format=binary&height=%d", issued), protocol.BalanceKey(author, "EUR"), "000000000000c350"},
		{fmt.Sprintf("/v1/accounts/%s/balances/EUR?prove=true&format=binary&height=%d", alice, issued), protocol.BalanceKey(alice, "EUR"), ""},
		{fmt.Sprintf("/v1/accounts/%s/balances/USD?prove=true&format=binary", alice), protocol.BalanceKey(alice, "USD"), ""},
	} {
		st := s.verify(c.path).State
		if st == nil || hex.EncodeToString(st.Key) != hex.EncodeToString(c.key) || hex.EncodeToString(st.Value) != c.want || st.Exists != (c.want != "") {
			s.t.Errorf("%s proves %+v", c.path, st)
		}
	}
	hold, err := protocol.DecodeTokenTerms(1, s.verify("/v1/holds/1?prove=true&format=binary").State.Value)
	if err != nil || hold.Amount != 1_000 || hold.To != alice || hold.Controller != author {
		s.t.Errorf("hold: %+v %v", hold, err)
	}
}
