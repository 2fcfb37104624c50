package api

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/cairn-ledger/cairn/client/rest"
)

// No request makes the server panic, fail or answer anything but JSON with a
// published code, a receipt or a page of metrics.
func FuzzRequest(f *testing.F) {
	for _, target := range []string{
		"/v1/head", "/v1/transactions?wait=1ms", "/v1/entries/0", "/v1/entries?from=1&count=3", "/v1/events?source=/s&id=1", "/v1/receipts/1?format=binary", "/v1/state?key=00",
		streamPath + "/entries?from=1&count=2", "/v1/contracts/parking/query/price?lot=%41", "//v1/../head", "/v1/%2e%2e/x", "/?%", "/v1/streams/a%2fb/c/1",
	} {
		f.Add("GET", target, "application/octet-stream", "7", []byte("body"))
	}
	f.Add("POST", "/v1/transactions", "", "", tx)
	f.Add("CONNECT", "/v1/head", "text/plain", "18446744073709551615", []byte{})
	s := newServer(f, newStub(f), Config{})
	f.Fuzz(func(t *testing.T, method, target, contentType, minHeight string, body []byte) {
		u, err := url.ParseRequestURI(target)
		if err != nil || len(minHeight) > 1 && minHeight[0] != '-' || string(body) == "panic" {
			return // never reaches a handler, would wait, or is the stub's own panic
		}
		request := &http.Request{
			Method: method, URL: u, Host: "h", RequestURI: target, Header: http.Header{}, Body: http.NoBody, ContentLength: int64(len(body)),
			Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		}
		if u.Query().Get("wait") != "" {
			return // would slow the fuzzer down
		}
		request.Body = readCloser{bytes.NewReader(body)}
		request.Header.Set("Content-Type", contentType)
		request.Header.Set(rest.HeaderMinHeight, minHeight)
		answer := httptest.NewRecorder()
		s.Handler().ServeHTTP(answer, request)
		switch {
		case answer.Code >= 300 && answer.Code < 400: // net/http cleans a path
		case answer.Code == http.StatusInternalServerError:
			t.Fatalf("%s %q: %s", method, target, answer.Body)
		case answer.Code >= 400:
			problemOf(t, answer)
		case answer.Header().Get("Content-Type") == "application/json" && !json.Valid(answer.Body.Bytes()):
			t.Fatalf("%s %q: %q is not JSON", method, target, answer.Body)
		}
	})
}

type readCloser struct{ *bytes.Reader }

func (readCloser) Close() error { return nil }
