package api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/cairn-ledger/cairn/client/protocol"
)

func TestThePast(t *testing.T) {
	s := newServer(t, newStub(t), Config{})
	for _, c := range []struct{ target, want string }{
		{"/v1/head?height=3", `"height":3`},
		{"/v1/head?time=1970-01-01T00:00:02.5Z", `"height":2`},
		{"/v1/head?time=2024-01-01T00:00:00%2B01:00", `"height":7`},
		{"/v1/contracts/parking/query/price?lot=A&time=1970-01-01T00:00:04Z", `{"height":4,"json":"","text":{"lot":"A"}}`},
		{"/v1/state?key=00&time=1970-01-01T00:00:04Z", `"chainId"`},
		{"/v1/blocks/5", `"height":5`},
		{"/v1/diff?from=2&to=5&after=ff&limit=1", `{"from":2,"to":5,"changes":[{"key":null}],"next":"/w=="}`},
		{"/v1/diff?from=2", `"to":7`},
		{"/v1/state/keys?prefix=6b&height=4", `{"height":4,"keys":["aw==",null]}`},
		{"/v1/state/since?key=6b&height=4", `{"height":4,"exists":true,"since":3}`},
	} {
		if answer := ask(s, http.MethodGet, c.target, nil); answer.Code != http.StatusOK || !strings.Contains(answer.Body.String(), c.want) {
			t.Errorf("GET %s: %d %s, want %s", c.target, answer.Code, answer.Body, c.want)
		}
	}
	for _, c := range []struct {
		target string
		status int
		code   protocol.Code
		says   string
	}{
		{"/v1/head?height=8", 404, protocol.CodeNotFound, "not there yet"},
		{"/v1/head?height=3&time=1970-01-01T00:00:04Z", 400, protocol.CodeBadRequest, "either"},
		{"/v1/head?time=yesterday", 400, protocol.CodeBadRequest, "RFC 3339"},
		{"/v1/contracts/parking/query/price?time=now", 400, protocol.CodeBadRequest, "RFC 3339"},
		{"/v1/blocks/0", 400, protocol.CodeBadRequest, "height"},
		{"/v1/blocks/9", 404, protocol.CodeNotFound, "no block 9"},
		{"/v1/diff?to=5", 400, protocol.CodeBadRequest, "from"},
		{"/v1/diff?from=5&to=4", 400, protocol.CodeBadRequest, "from"},
		{"/v1/diff?from=1&to=4&limit=1001", 400, protocol.CodeBadRequest, "limit"},
		{"/v1/diff?from=1&to=4&after=f", 400, protocol.CodeBadRequest, "after"},
		{"/v1/state/keys?prefix=" + strings.Repeat("00", 1025), 400, protocol.CodeBadRequest, "prefix"},
		{"/v1/state/since?height=4", 400, protocol.CodeBadRequest, "key"},
		{"/v1/state/keys?limit=0", 400, protocol.CodeBadRequest, "limit"},
	} {
		answer := ask(s, http.MethodGet, c.target, nil)
		if problem := problemOf(t, answer); answer.Code != c.status || problem.Code != c.code || !strings.Contains(problem.Message, c.says) {
			t.Errorf("GET %.80s: %d %s, want %d %s with %q", c.target, answer.Code, answer.Body, c.status, c.code, c.says)
		}
	}
}
