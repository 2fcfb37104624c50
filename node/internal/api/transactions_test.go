package api

import (
	"encoding/json"
	"net/http"
	"testing"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
)

// TestSubmitMany: each transaction has an answer of its own.
func TestSubmitMany(t *testing.T) {
	b := newStub(t)
	s := newServer(t, b, Config{})
	good := tx
	body := protocol.JoinTransactions([][]byte{good, make([]byte, 3), good, []byte("full"), good})
	answer := ask(s, http.MethodPost, "/v1/transactions", body, "Content-Type", rest.TypeTransactions)
	var out rest.SubmittedMany
	if err := json.Unmarshal(answer.Body.Bytes(), &out); err != nil || answer.Code != http.StatusAccepted || len(out.Transactions) != 5 {
		t.Fatalf("%d %s: %v", answer.Code, answer.Body, err)
	}
	for i, want := range []protocol.Code{protocol.CodeOK, protocol.CodeMalformed, protocol.CodeOK, protocol.CodeBusy, protocol.CodeOK} {
		if got := out.Transactions[i]; got.Code != want || (want != protocol.CodeOK) != (got.Message != "") {
			t.Errorf("transaction %d: %+v, want code %d", i, got, want)
		}
	}
	for _, bad := range [][]byte{{}, {5, 1}, protocol.JoinTransactions(make([][]byte, protocol.MaxTransactions+1))} {
		if answer := ask(s, http.MethodPost, "/v1/transactions", bad, "Content-Type", rest.TypeTransactions); answer.Code/100 != 4 {
			t.Errorf("%d octets: %d %s", len(bad), answer.Code, answer.Body)
		}
	}
	if answer := ask(s, http.MethodGet, "/v1/transactions?ids="+zeroID+","+zeroID+"&wait=1ms", nil); answer.Code != http.StatusOK {
		t.Errorf("statuses: %d %s", answer.Code, answer.Body)
	}
}
