package api

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
)

// ask sends one request past the network.
func ask(s *Server, method, target string, body []byte, headers ...string) *httptest.ResponseRecorder {
	request := httptest.NewRequest(method, target, bytes.NewReader(body))
	for i := 0; i+1 < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
	}
	answer := httptest.NewRecorder()
	s.Handler().ServeHTTP(answer, request)
	return answer
}

var (
	zeroID     = protocol.Hash{}.String()
	tx         = bytes.Repeat([]byte{7}, 200)
	streamPath = "/v1/streams/" + stubProducer.String() + "/meters"
)

func TestRoutes(t *testing.T) {
	b := newStub(t)
	s := newServer(t, b, Config{})
	for _, c := range []struct{ target, want string }{
		{"/v1/transactions/" + zeroID + "?wait=1s", `"state":"committed"`},
		{"/v1/head", `"height":7`},
		{"/v1/genesis", `"chainId":"cairn-stub"`},
		{"/v1/entries/4", `"kind":"gap"`},
		{"/v1/events/0", `"data":{"a": "<1>"}`},
		{"/v1/entries/0", `"sequence":0,"commitment":"` + zeroID + `","event":{"specversion":"1.0","id":"1","source":"/s","type":"t.v1","data":{"a": "<1>"}}}`},
		{"/v1/entries?from=3&count=9", `"data":{"a": "<1>"}}},{"index":4,"kind":"gap",`},
		{"/v1/entries?from=3&count=1", `}],"next":4}`},
		{"/v1/entries?from=5", `{"entries":[],"next":5}`},
		{"/v1/events?source=/s&id=1", `"index":0`},
		{"/v1/events?source=/s&id=1&producer=" + stubProducer.String(), `"index":0`},
		{"/v1/receipts/0", `"chainId"`},
		{"/v1/state?key=00ff", `"chainId"`},
		{streamPath, `"next":5`},
		{streamPath + "/entries", `"sequence":4`},
		{streamPath + "/entries?from=9", `"entries":[]`},
		{streamPath + "/3", `"index":3`},
		{"/v1/trust?from=2", `{"cairnTrustPath":1,"chainId":"cairn-stub","steps":[]}`},
		{"/v1/contracts", `"contracts":[]`},
		{"/v1/contracts/parking", `"name":"parking"`},
		{"/v1/contracts/parking/query/price?lot=A&height=3", `{"height":3,"json":"","text":{"lot":"A"}}`},
		{"/v1/contracts/parking/query/price?args=%7B%7D", `"json":"{}"`},
		{"/v1/contracts/parking/dead-letters", `"deadLetters":[]`},
		{"/v1/contracts/parking/logs?after=3", `"logs":[]`},
		{"/livez", "live"},
		{"/healthz", "live"},
		{"/version", "v0.0.0-test"},
	} {
		answer := ask(s, http.MethodGet, c.target, nil)
		if answer.Code != http.StatusOK || !strings.Contains(answer.Body.String(), c.want) {
			t.Errorf("GET %s: %d %s, want %s", c.target, answer.Code, answer.Body, c.want)
		}
		if strings.HasPrefix(c.target, "/v1/") && answer.Header().Get(rest.HeaderHeight) != "7" {
			t.Errorf("GET %s: height %q", c.target, answer.Header().Get(rest.HeaderHeight))
		}
	}
	answer := ask(s, http.MethodPost, "/v1/transactions", tx)
	if answer.Code != http.StatusAccepted || !strings.Contains(answer.Body.String(), `"txId":"`) {
		t.Errorf("submit: %d %s", answer.Code, answer.Body)
	}
	if answer = ask(s, http.MethodPost, "/v1/transactions?wait=1ms", tx); answer.Code != http.StatusOK || !strings.Contains(answer.Body.String(), "unknown") {
		t.Errorf("submit and wait: %d %s", answer.Code, answer.Body)
	}
	if !bytes.Equal(b.submitted[0], tx) {
		t.Error("the backend got other bytes")
	}
	binary := ask(s, http.MethodGet, "/v1/receipts/0?format=binary", nil)
	if receipt, err := proof.Parse(binary.Body.Bytes()); err != nil || receipt.ChainID != b.receipt.ChainID {
		t.Errorf("binary receipt: %v", err)
	}
}

func TestRefusals(t *testing.T) {
	s := newServer(t, newStub(t), Config{})
	long := strings.Repeat("9", 200)
	for _, c := range []struct {
		method, target string
		status         int
		code           protocol.Code
		says           string
	}{
		{"GET", "/v1/nothing", 404, protocol.CodeNotFound, "/v1/nothing"},
		{"DELETE", "/v1/head", 405, protocol.CodeMethodNotAllowed, "GET"},
		{"DELETE", "/v1/transactions", 405, protocol.CodeMethodNotAllowed, "POST"},
		{"GET", "/v1/transactions", 400, protocol.CodeBadRequest, "transaction id"},
		{"GET", "/v1/transactions?ids=" + strings.Repeat(zeroID+",", protocol.MaxTransactions) + zeroID, 413, protocol.CodeTooLarge, "at most 128"},
		{"GET", "/v1/transactions/xyz", 400, protocol.CodeBadRequest, "transaction id"},
		{"GET", "/v1/transactions/" + zeroID + "?wait=31s", 400, protocol.CodeBadRequest, "wait"},
		{"GET", "/v1/transactions/" + zeroID + "?wait=-1s", 400, protocol.CodeBadRequest, "wait"},
		{"GET", "/v1/transactions/" + zeroID + "?wiat=1s", 400, protocol.CodeBadRequest, "wiat"},
		{"GET", "/v1/transactions/" + zeroID + "?wait=1s&wait=2s", 400, protocol.CodeBadRequest, "2 times"},
		{"GET", "/v1/head?%zz", 400, protocol.CodeBadRequest, "escaped"},
		{"GET", "/v1/entries/-1", 400, protocol.CodeBadRequest, "index"},
		{"GET", "/v1/entries/" + long, 400, protocol.CodeBadRequest, "index"},
		{"GET", "/v1/entries?from=-1", 400, protocol.CodeBadRequest, "from"},
		{"GET", "/v1/entries?count=1001", 400, protocol.CodeBadRequest, "count"},
		{"GET", "/v1/entries/5", 404, protocol.CodeNotFound, "size is 5"},
		{"GET", "/v1/events/4", 404, protocol.CodeNotFound, "/v1/entries/4"},
		{"GET", "/v1/events?source=/s", 400, protocol.CodeBadRequest, "both"},
		{"GET", "/v1/events?source=/s&id=1&producer=me", 400, protocol.CodeBadRequest, "producer"},
		{"GET", "/v1/events?source=/s&id=2", 404, protocol.CodeNotFound, "source"},
		{"GET", "/v1/receipts/0?format=xml", 415, protocol.CodeUnsupportedFormat, "xml"},
		{"GET", "/v1/state?key=0", 400, protocol.CodeBadRequest, "key"},
		{"GET", "/v1/state?key=" + strings.Repeat("00", 1025), 400, protocol.CodeBadRequest, "key"},
		{"GET", "/v1/state?key=00&height=1", 410, protocol.CodePruned, ""},
		{"GET", "/v1/streams/nobody/meters", 400, protocol.CodeBadRequest, "producer"},
		{"GET", "/v1/streams/" + stubProducer.String() + "/Not%20A%20Name", 400, protocol.CodeMalformed, "stream name"},
		{"GET", streamPath + "/5", 404, protocol.CodeNotFound, "does not hold sequence 5"},
		{"GET", streamPath + "/first", 400, protocol.CodeBadRequest, "sequence"},
		{"GET", streamPath + "/entries?count=0", 400, protocol.CodeBadRequest, "count"},
		{"GET", streamPath + "/entries?count=10001", 400, protocol.CodeBadRequest, "count"},
		{"GET", "/v1/contracts/none", 404, protocol.CodeContractUnknown, "none"},
		{"GET", "/v1/contracts/parking/query/none", 404, protocol.CodeMethodUnknown, "none"},
		{"GET", "/v1/contracts/parking/query/price?a=1&args=%7B%7D", 400, protocol.CodeBadRequest, "either"},
		{"GET", "/v1/contracts/parking/dead-letters?limit=1001", 400, protocol.CodeBadRequest, "limit"},
		{"GET", "/readyz", 503, protocol.CodeUnavailable, "quorum"},
	} {
		answer := ask(s, c.method, c.target, nil)
		problem := problemOf(t, answer)
		if answer.Code != c.status || problem.Code != c.code || !strings.Contains(problem.Message, c.says) {
			t.Errorf("%s %.80s: %d %s, want %d %s with %q", c.method, c.target, answer.Code, answer.Body, c.status, c.code, c.says)
		}
		if len(problem.Message) > 300 {
			t.Errorf("%s %.80s: the message has %d characters", c.method, c.target, len(problem.Message))
		}
		if retry := answer.Header().Get("Retry-After"); (retry != "") != (c.status == 429 || c.status == 503) {
			t.Errorf("%s %.80s: Retry-After %q", c.method, c.target, retry)
		}
	}
	if answer := ask(s, http.MethodPost, "/v1/transactions", tx, "Content-Type", "application/json"); problemOf(t, answer).Code != protocol.CodeUnsupportedFormat {
		t.Errorf("JSON as a transaction: %d %s", answer.Code, answer.Body)
	}
	if answer := ask(s, http.MethodPost, "/v1/transactions", make([]byte, protocol.MaxTxBytes+1)); answer.Code != http.StatusRequestEntityTooLarge {
		t.Errorf("a transaction over the limit: %d %s", answer.Code, answer.Body)
	}
	if answer := ask(s, http.MethodGet, "/v1/head", nil, rest.HeaderMinHeight, "seven"); answer.Code != http.StatusBadRequest {
		t.Errorf("a height that is none: %d %s", answer.Code, answer.Body)
	}
}

func problemOf(t testing.TB, answer *httptest.ResponseRecorder) (problem rest.Problem) {
	t.Helper()
	decoder := json.NewDecoder(answer.Body)
	decoder.DisallowUnknownFields()
	text := answer.Body.String()
	if err := decoder.Decode(&problem); err != nil {
		t.Fatalf("%d %q is not a problem: %v", answer.Code, text, err)
	}
	if problem.Name != problem.Code.Name() || problem.Message == "" || problem.Retryable != problem.Code.Retryable() {
		t.Errorf("problem %q", text)
	}
	return problem
}

// A body is refused at the first byte over the limit, announced or not.
func TestBodyLimitHoldsWithoutALength(t *testing.T) {
	s := newServer(t, newStub(t), Config{})
	for _, size := range []int{0, 1, 4095, 4096, 65_536, 65_537, protocol.MaxTxBytes - 1, protocol.MaxTxBytes, protocol.MaxTxBytes + 1} {
		request := httptest.NewRequest(http.MethodPost, "/v1/transactions", io.NopCloser(bytes.NewReader(make([]byte, size))))
		request.ContentLength = -1
		answer := httptest.NewRecorder()
		s.Handler().ServeHTTP(answer, request)
		want := http.StatusAccepted
		switch {
		case size > protocol.MaxTxBytes:
			want = http.StatusRequestEntityTooLarge
		case size < 200:
			want = http.StatusBadRequest // not the size of a transaction
		}
		if answer.Code != want {
			t.Errorf("%d bytes: %d %s, want %d", size, answer.Code, answer.Body, want)
		}
	}
	if used := s.bodies.used.Load(); used != 0 {
		t.Errorf("%d bytes of the budget are still taken", used)
	}
}

// Faults of the node and panics answer INTERNAL, without what the log says.
func TestFaultsStayInTheLog(t *testing.T) {
	b := newStub(t)
	b.fault = errDisk
	s := newServer(t, b, Config{})
	for _, answer := range []*httptest.ResponseRecorder{
		ask(s, http.MethodGet, "/v1/head", nil), ask(s, http.MethodPost, "/v1/transactions", []byte("panic")),
	} {
		if problem := problemOf(t, answer); answer.Code != http.StatusInternalServerError || problem.Code != protocol.CodeInternal ||
			strings.Contains(problem.Message, "secret") || strings.Contains(problem.Message, "invariant") {
			t.Errorf("%d %+v", answer.Code, problem)
		}
	}
}

// A node answers about no time before the one its client has heard of.
func TestMinHeight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newStub(t)
		s := newServer(t, b, Config{})
		go func() {
			time.Sleep(time.Second)
			b.grow()
		}()
		start := time.Now()
		answer := ask(s, http.MethodGet, "/v1/head", nil, rest.HeaderMinHeight, "8")
		if took := time.Since(start); answer.Code != http.StatusOK || took != time.Second || answer.Header().Get(rest.HeaderHeight) != "8" {
			t.Errorf("after %s: %d %s", took, answer.Code, answer.Body)
		}
		answer = ask(s, http.MethodGet, "/v1/head", nil, rest.HeaderMinHeight, "9")
		if took := time.Since(start); problemOf(t, answer).Code != protocol.CodeUnavailable || took != time.Second+maxHeightWait {
			t.Errorf("after %s: %d %s", took, answer.Code, answer.Body)
		}
		if answer = ask(s, http.MethodGet, "/livez", nil, rest.HeaderMinHeight, "9"); answer.Code != http.StatusOK {
			t.Errorf("health waits for a height: %d", answer.Code)
		}
	})
}

func TestSubmissionsAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newStub(t)
		b.hold = make(chan struct{})
		s := newServer(t, b, Config{MaxSubmissions: 2})
		answers := make(chan int, 2)
		for range 2 {
			go func() { answers <- ask(s, http.MethodPost, "/v1/transactions", tx).Code }()
		}
		synctest.Wait()
		third := ask(s, http.MethodPost, "/v1/transactions", tx)
		if third.Code != http.StatusTooManyRequests || third.Header().Get("Retry-After") == "" || !problemOf(t, third).Retryable {
			t.Errorf("the third submission: %d", third.Code)
		}
		if health := ask(s, http.MethodGet, "/healthz", nil); health.Code != http.StatusOK {
			t.Errorf("health: %d", health.Code)
		}
		close(b.hold)
		for range 2 {
			if code := <-answers; code != http.StatusAccepted {
				t.Errorf("a submission under way: %d", code)
			}
		}
	})
}

func TestLargeAnswersAreBounded(t *testing.T) {
	s := newServer(t, newStub(t), Config{})
	large := streamPath + "/entries?from=1000&count=10000"
	if answer := ask(s, http.MethodGet, large, nil); answer.Code != http.StatusOK || answer.Body.Len() < freeBytes {
		t.Fatalf("a large page: %d, %d bytes", answer.Code, answer.Body.Len())
	}
	s.answers.take(answerBudget - 100)
	if answer := ask(s, http.MethodGet, large, nil); answer.Code != http.StatusTooManyRequests {
		t.Errorf("over the budget: %d", answer.Code)
	}
	if answer := ask(s, http.MethodGet, "/v1/head", nil); answer.Code != http.StatusOK {
		t.Errorf("a small answer: %d", answer.Code)
	}
	s.bodies.take(bodyBudget - 100)
	if answer := ask(s, http.MethodPost, "/v1/transactions", make([]byte, 500_000)); answer.Code != http.StatusTooManyRequests {
		t.Errorf("a large transaction over the budget: %d", answer.Code)
	}
	if answer := ask(s, http.MethodPost, "/v1/transactions", tx); answer.Code != http.StatusAccepted {
		t.Errorf("a small transaction: %d", answer.Code)
	}
}

func TestMetrics(t *testing.T) {
	s := newServer(t, newStub(t), Config{})
	ask(s, http.MethodGet, "/v1/head", nil)
	ask(s, http.MethodGet, "/v1/entries/99", nil)
	ask(s, http.MethodGet, "/nowhere", nil)
	page := ask(s, http.MethodGet, "/metrics", nil).Body.String()
	for _, want := range []string{
		"cairn_height 7", `cairn_http_answers_total{route="GET /v1/head",status="200"} 1`,
		`cairn_http_answers_total{route="GET /v1/entries/{index}",status="404"} 1`, `cairn_http_answers_total{route="none",status="404"} 1`,
		`cairn_http_seconds_count{route="GET /v1/head"} 1`, "cairn_http_connections 0", "go_goroutines",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("/metrics lacks %s", want)
		}
	}
}

// Every path, parameter and header is in the documentation.
func TestDocumentedRoutes(t *testing.T) {
	page, err := os.ReadFile("../../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	text := string(page)
	known := map[string]bool{"GET /metrics": true}
	for _, r := range newServer(t, newStub(t), Config{}).routes() {
		known[r.pattern] = true
		for _, p := range r.params {
			if p != "*" && !strings.Contains(text, "`"+p+"`") && !strings.Contains(text, "`?"+p+"=") {
				t.Errorf("docs/api.md lacks the parameter %s of %s", p, r.pattern)
			}
		}
	}
	for pattern := range known {
		if !strings.Contains(text, "`"+pattern+"`") {
			t.Errorf("docs/api.md lacks `%s`", pattern)
		}
	}
	for _, match := range regexp.MustCompile("`((?:GET|POST|PUT|DELETE) [^`]*)`").FindAllStringSubmatch(text, -1) {
		if !known[match[1]] {
			t.Errorf("docs/api.md has `%s`, which is no path", match[1])
		}
	}
	for _, want := range []string{rest.HeaderHeight, rest.HeaderMinHeight, "Retry-After", strconv.Itoa(rest.MaxStreamEntries)} {
		if !strings.Contains(strings.ReplaceAll(text, ",", ""), want) {
			t.Errorf("docs/api.md lacks %s", want)
		}
	}
}
