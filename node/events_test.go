package node

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	cloudevents "github.com/cloudevents/sdk-go/v2"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
)

// withGateway is a node that submits events for others, and a token for that.
func withGateway(t *testing.T, token Token) (s *solo, secret string) {
	t.Helper()
	s = found(t)
	if err := WriteAccountKey(filepath.Join(s.home, GatewayKeyFile), "gateway", s.network.Accounts["producer"]); err != nil {
		t.Fatal(err)
	}
	token.Name = "test"
	secret, err := AddToken(s.home, token)
	if err != nil {
		t.Fatal(err)
	}
	s.start()
	s.gatewayUp()
	return s, secret
}

// gatewayUp waits until the gateway has found its stream.
func (s *solo) gatewayUp() {
	s.t.Helper()
	for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		status, body := s.do(http.MethodGet, "/v1/submissions/0-1", nil)
		if status != http.StatusServiceUnavailable {
			return
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("the gateway does not start: %s", body)
		}
	}
}

// post sends events; headers are pairs.
func (s *solo) post(path, secret string, body string, headers ...string) (*http.Response, rest.Submission, string) {
	s.t.Helper()
	request, err := http.NewRequest(http.MethodPost, s.config.apiScheme()+"://"+s.config.APIAddress+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	if secret != "" {
		request.Header.Set("Authorization", "Bearer "+secret)
	}
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Add(headers[i], headers[i+1])
	}
	response, err := s.web.Do(request)
	if err != nil {
		s.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	var out rest.Submission
	json.Unmarshal(text, &out)
	return response, out, string(text)
}

const structured = "application/cloudevents+json"

func TestEventsArriveInEveryMode(t *testing.T) {
	s, secret := withGateway(t, Token{Scopes: []string{"produce"}, Sources: []string{"/"}})
	trust, err := s.network.Document.Trust()
	if err != nil {
		t.Fatal(err)
	}
	final := func(body string, headers ...string) rest.Submission {
		t.Helper()
		response, out, text := s.post("/v1/events?wait=final", secret, body, headers...)
		if response.StatusCode != http.StatusOK || out.State != rest.StateCommitted || len(out.Events) == 0 {
			t.Fatalf("%d %s", response.StatusCode, text)
		}
		for _, e := range out.Events {
			receipt := new(proof.Receipt)
			if err := receipt.UnmarshalJSON(e.Receipt); err != nil {
				t.Fatalf("receipt: %v", err)
			}
			if _, err := receipt.VerifyWith(trust); err != nil || receipt.Entry.Index != *e.Index {
				t.Errorf("receipt of %d: %v", *e.Index, err)
			}
		}
		return out
	}
	binary := []string{"ce-specversion", "1.0", "ce-id", "1", "ce-source", "/a%2520b", "ce-type", "t.v1", "ce-subject", "Euro%20%E2%82%AC",
		"ce-time", "2024-05-01T12:00:00Z", "ce-zone", `"say \"hi\""`, "Content-Type", "application/json"}
	out := final(`{"a": 1}`, binary...)
	var event protocol.Event
	s.get(fmt.Sprintf("/v1/events/%d", *out.Events[0].Index), &event)
	if event.Subject != "Euro \u20ac" || event.Source != "/a%20b" || string(event.Data) != `{"a": 1}` || event.Extensions[0].Text != `say "hi"` || event.DataContentType != "application/json" {
		t.Errorf("binary mode: %+v", event)
	}
	out = final(`{"specversion":"1.0","id":"2","source":"/s","type":"t.v1","data":{"b": 2}}`, "Content-Type", structured+"; charset=UTF-8")
	if out.Count != 1 || out.First != 1 {
		t.Errorf("structured mode: %+v", out)
	}
	out = final(`[{"specversion":"1.0","id":"2","source":"/s","type":"t.v1"},{"specversion":"1.0","id":"3","source":"/s","type":"t.v1","data_base64":"AAE="}]`,
		"Content-Type", "application/cloudevents-batch+json")
	if out.Count != 2 || !out.Events[0].Duplicate || *out.Events[0].Index != 1 || out.Events[1].Duplicate {
		t.Errorf("batch with a repeat: %+v", out)
	}
	if response, _, text := s.post("/v1/events", secret, `[]`, "Content-Type", "application/cloudevents-batch+json"); response.StatusCode != http.StatusOK {
		t.Errorf("empty batch: %d %s", response.StatusCode, text)
	}

	response, taken, text := s.post("/v1/events", secret, `{"specversion":"1.0","id":"4","source":"/s","type":"t.v1"}`, "Content-Type", structured)
	if response.StatusCode != http.StatusAccepted || response.Header.Get("Location") != taken.Status || taken.Status == "" {
		t.Fatalf("without waiting: %d %s", response.StatusCode, text)
	}
	var later rest.Submission
	s.get(taken.Status+"?wait=final", &later)
	if later.State != rest.StateCommitted || len(later.Events) != 1 {
		t.Errorf("later: %+v", later)
	}
	s.refusesEvents(secret, binary)
}

func (s *solo) refusesEvents(secret string, binary []string) {
	for _, c := range []struct {
		status       int
		secret, body string
		says         string
		headers      []string
	}{
		{401, "", "{}", "token", []string{"Content-Type", structured}},
		{401, "cairn_wrong", "{}", "token", []string{"Content-Type", structured}},
		{403, secret, `{"specversion":"1.0","id":"4","source":"urn:x","type":"t.v1"}`, "urn:x", []string{"Content-Type", structured}},
		{400, secret, `{"specversion":"1.0","id":"4","source":"/s","type":""}`, "type", []string{"Content-Type", structured}},
		{400, secret, ``, "specversion", []string{"Content-Type", "application/json"}},
		{400, secret, ``, "time", append([]string{"ce-time", "noon"}, binary[:8]...)},
		{400, secret, ``, "is there 2 times", append([]string{"ce-id", "2"}, binary[:8]...)},
		{400, secret, ``, "my-name", append([]string{"ce-my-name", "2"}, binary[:8]...)},
		{400, secret, ``, "datacontenttype", append([]string{"ce-datacontenttype", "text/plain"}, binary[:8]...)},
		{415, secret, `<a/>`, "xml", []string{"Content-Type", "application/cloudevents+xml"}},
		{415, secret, `{}`, "charset", []string{"Content-Type", structured + "; charset=latin1"}},
		{413, secret, `{"data":"` + strings.Repeat("x", 1<<20) + `"}`, "bytes", []string{"Content-Type", structured}},
		{413, secret, strings.Repeat("x", 70_000), "bytes", append([]string{"Content-Type", "text/plain"}, binary[:8]...)},
	} {
		response, _, text := s.post("/v1/events", c.secret, c.body, c.headers...)
		if response.StatusCode != c.status || !strings.Contains(text, c.says) {
			s.t.Errorf("%v %.60s: %d %s, want %d and %q", c.headers, c.body, response.StatusCode, text, c.status, c.says)
		}
	}
}

// What was answered 202 is on the ledger once, whenever the node stops.
func TestTakenEventsOutliveTheNode(t *testing.T) {
	s, secret := withGateway(t, Token{Scopes: []string{"produce"}})
	var taken []rest.Submission
	for round := range 3 {
		for i := range 40 {
			var batch []string
			for j := range 25 {
				batch = append(batch, fmt.Sprintf(`{"specversion":"1.0","id":"%d.%d.%d","source":"/s","type":"t.v1"}`, round, i, j))
			}
			response, out, text := s.post("/v1/events", secret, "["+strings.Join(batch, ",")+"]", "Content-Type", "application/cloudevents-batch+json")
			if response.StatusCode != http.StatusAccepted {
				t.Fatalf("%d %s", response.StatusCode, text)
			}
			taken = append(taken, out)
		}
		s.halt()
		s.start()
		s.gatewayUp()
	}
	var next uint64
	for _, out := range taken {
		var later rest.Submission
		s.get(out.Status+"?wait=20s", &later)
		if later.State != rest.StateCommitted || later.First != next || len(later.Events) != 25 || later.Events[0].Duplicate {
			t.Fatalf("%+v, want first %d", later, next)
		}
		next += 25
	}
}

// The stock client of the CloudEvents SDK sends to the ledger as it is.
func TestCloudEventsSDKSends(t *testing.T) {
	s, secret := withGateway(t, Token{Scopes: []string{"produce"}})
	c, err := cloudevents.NewClientHTTP(cloudevents.WithTarget("http://"+s.config.APIAddress+"/v1/events"), cloudevents.WithHeader("Authorization", "Bearer "+secret))
	if err != nil {
		t.Fatal(err)
	}
	for i, encode := range []func(context.Context) context.Context{cloudevents.WithEncodingBinary, cloudevents.WithEncodingStructured} {
		e := cloudevents.NewEvent()
		e.SetID(fmt.Sprint(i))
		e.SetSource("/sdk")
		e.SetType("sdk.v1")
		e.SetSubject("caf\u00e9")
		e.SetExtension("zone", "7")
		if err := e.SetData(cloudevents.ApplicationJSON, map[string]int{"kwh": i}); err != nil {
			t.Fatal(err)
		}
		if result := c.Send(encode(t.Context()), e); !cloudevents.IsACK(result) {
			t.Fatalf("mode %d: %v", i, result)
		}
	}
	deadline := time.Now().Add(10 * time.Second)
	for i := range 2 {
		for {
			status, body := s.do(http.MethodGet, fmt.Sprintf("/v1/events?source=/sdk&id=%d", i), nil)
			if status == http.StatusOK {
				if !bytes.Contains(body, []byte(fmt.Sprintf(`{"kwh":%d}`, i))) || !bytes.Contains(body, []byte("caf\u00e9")) {
					t.Errorf("event %d: %s", i, body)
				}
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("event %d: %d %s", i, status, body)
			}
			time.Sleep(20 * time.Millisecond)
		}
	}
}
