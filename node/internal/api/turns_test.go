package api

import (
	"context"
	"net/http"
	"testing"
	"testing/synctest"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// As many have their turn at once as may, as many wait as may, the others are
// told at once; whoever gives up leaves the queue, and small requests take no turns.
func TestTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := newTurns(2)
		leave1, _ := turns.take(t.Context())
		leave2, _ := turns.take(t.Context())
		ctx, giveUp := context.WithCancel(t.Context())
		codes := make(chan protocol.Code, maxWaiting)
		for i := range maxWaiting {
			of := t.Context()
			if i == 0 {
				of = ctx
			}
			go func() {
				leave, err := turns.take(of)
				code, _ := protocol.CodeOf(err)
				if err == nil {
					leave()
				}
				codes <- code
			}()
		}
		synctest.Wait()
		if _, err := turns.take(t.Context()); err == nil {
			t.Error("more wait than may")
		} else if code, _ := protocol.CodeOf(err); code != protocol.CodeBusy {
			t.Errorf("more wait than may: %v", err)
		}
		giveUp()
		if code := <-codes; code != protocol.CodeUnavailable {
			t.Errorf("given up: %v", code)
		}
		leave1()
		leave2()
		for range maxWaiting - 1 {
			if code := <-codes; code != protocol.CodeOK {
				t.Errorf("waited for its turn: %v", code)
			}
		}
		if len(turns.all) != 0 || len(turns.under) != 0 {
			t.Errorf("%d, %d turns are left", len(turns.all), len(turns.under))
		}
	})
	s := newServer(t, newStub(t), Config{})
	for range cap(s.lanes[pages].all) {
		s.lanes[pages].all <- struct{}{}
	}
	if answer := ask(s, http.MethodGet, "/v1/entries", nil); answer.Code != http.StatusTooManyRequests || answer.Header().Get("Retry-After") == "" {
		t.Errorf("a page: %d %s", answer.Code, answer.Body)
	}
	if answer := ask(s, http.MethodGet, "/v1/head", nil); answer.Code != http.StatusOK {
		t.Errorf("a small request: %d", answer.Code)
	}
}
