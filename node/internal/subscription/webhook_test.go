package subscription

import (
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"

	"github.com/cairn-ledger/cairn/client/rest"
	"github.com/cairn-ledger/cairn/node/internal/store/local"
)

type roundTrip func(*http.Request) *http.Response

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r), nil }

// A webhook that the receiver does not take is tried again and again; not once
// more after the event's payload was erased, and those behind it follow.
func TestErasedWhileTheReceiverIsDown(t *testing.T) {
	db, err := local.Open(t.TempDir(), local.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	log := memory{subjects: make([]int, 3), erased: map[uint64]bool{}}
	m := &Manager{db: db, log: log, out: slog.New(slog.DiscardHandler), subs: map[string]*Subscription{}}
	hook := rest.Webhook{URL: "http://receiver.example/", Mode: "structured"}
	s, err := m.make(rest.Subscription{Name: "s", Webhook: &hook})
	if err != nil {
		t.Fatal(err)
	}
	items, err := s.Next(t.Context(), webhookMember, 10)
	if err != nil || len(items) != 3 {
		t.Fatal(len(items), err)
	}
	var sent []string
	client := &http.Client{Transport: roundTrip(func(r *http.Request) *http.Response {
		sent = append(sent, r.Header.Get(HeaderIndex))
		status := http.StatusOK
		if len(sent) <= 2 {
			status = http.StatusServiceUnavailable
			log.erased[0] = len(sent) == 2
		}
		return &http.Response{StatusCode: status, Body: io.NopCloser(strings.NewReader(""))}
	})}
	(&sender{Subscription: s, hook: hook, client: client}).sendAll(t.Context(), items)
	if got := strings.Join(sent, " "); got != "0 0 3 6" {
		t.Errorf("sent %s", got)
	}
	if cursor := s.Terms().Cursor; cursor != log.Size() {
		t.Errorf("the cursor is %d", cursor)
	}
}
