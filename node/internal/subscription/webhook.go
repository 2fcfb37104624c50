package subscription

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/cairn-ledger/cairn/client/cehttp"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
	"github.com/cairn-ledger/cairn/node/internal/store/local"
)

const (
	webhookLanes   = 8  // subjects sent at the same time
	webhookBatch   = 64 // events taken from the log at once
	answerWithin   = 30 * time.Second
	firstPause     = 100 * time.Millisecond
	longestPause   = 30 * time.Second
	openAfter      = 5 // failures in a row: from then on one attempt at a time
	maxDeadLetters = 10_000
	webhookMember  = "webhook"
)

// HeaderIndex says which entry of the log a pushed event is.
const HeaderIndex = "Cairn-Index"

// push is how a webhook does. The subscription's mu guards it.
type push struct {
	on       bool
	failures int // in a row
	err      string
	dead     uint64
	again    []uint64 // dead letters to send once more
}

func (p *push) status() *rest.Push {
	if !p.on {
		return nil
	}
	out := &rest.Push{State: "sending", Failures: p.failures, Error: p.err, DeadLetters: p.dead}
	switch {
	case p.failures >= openAfter:
		out.State = "open"
	case p.failures > 0:
		out.State = "backing-off"
	}
	return out
}

func checkWebhook(w *rest.Webhook) error {
	if w == nil {
		return nil
	}
	u, err := url.Parse(w.URL)
	switch {
	case err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || len(w.URL) > 2048:
		return protocol.Refuse(protocol.CodeBadRequest, "webhook: url %.80q is not an http or https URL", w.URL)
	case w.Mode != "" && w.Mode != "binary" && w.Mode != "structured":
		return protocol.Refuse(protocol.CodeBadRequest, "webhook: mode %.20q is not known; binary and structured are", w.Mode)
	case w.Attempts < 0 || w.Attempts > 1000:
		return protocol.Refuse(protocol.CodeBadRequest, "webhook: attempts must be 0 (never give up) to 1000, are %d", w.Attempts)
	case len(w.Headers) > 16:
		return protocol.Refuse(protocol.CodeBadRequest, "webhook: at most 16 headers")
	}
	for name, value := range w.Headers { // order does not matter: any that is wrong is named
		if strings.HasPrefix(strings.ToLower(name), "ce-") || strings.ContainsAny(name, " :\r\n\x00") || name == "" || strings.ContainsAny(value, "\r\n\x00") || len(name)+len(value) > 4096 {
			return protocol.Refuse(protocol.CodeBadRequest, "webhook: header %.40q cannot be set", name)
		}
	}
	return nil
}

// sender pushes one subscription's events.
type sender struct {
	*Subscription
	hook   rest.Webhook
	client *http.Client
	probe  sync.Mutex // held by the one that tries while the circuit is open
}

// Run pushes to webhooks until ctx ends.
func (m *Manager) Run(ctx context.Context) {
	var work sync.WaitGroup
	transport := &http.Transport{
		DialContext: (&net.Dialer{Timeout: 5 * time.Second}).DialContext, TLSHandshakeTimeout: 5 * time.Second,
		MaxIdleConnsPerHost: webhookLanes, IdleConnTimeout: time.Minute,
	}
	client := &http.Client{Transport: transport, Timeout: answerWithin, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	m.mu.Lock()
	m.run = func(s *Subscription) {
		hook := s.Terms().Webhook
		if hook == nil || ctx.Err() != nil {
			return
		}
		work.Go(func() { (&sender{Subscription: s, hook: *hook, client: client}).loop(ctx) })
	}
	for _, s := range m.subs { // order does not matter: each runs by itself
		m.run(s)
	}
	m.mu.Unlock()
	<-ctx.Done()
	m.mu.Lock()
	m.run = nil
	m.mu.Unlock()
	work.Wait()
	transport.CloseIdleConnections()
}

func (s *sender) loop(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(s.ended, cancel)()
	s.mu.Lock()
	s.push.on = true
	s.mu.Unlock()
	if letters, err := s.DeadLetters(0, maxDeadLetters); err == nil {
		s.mu.Lock()
		s.push.dead = uint64(len(letters))
		s.mu.Unlock()
	}
	for ctx.Err() == nil {
		s.resend(ctx)
		step, done := context.WithTimeout(ctx, recheck)
		items, err := s.Next(step, webhookMember, webhookBatch)
		done()
		if err != nil {
			s.manager.out.Warn("a webhook's events cannot be read", "subscription", s.terms.Name, "err", err)
			pause(ctx, longestPause)
			continue
		}
		s.sendAll(ctx, items)
	}
}

// sendAll sends events, those of a subject one after the other.
func (s *sender) sendAll(ctx context.Context, items []Item) {
	lanes := map[uint64][]Item{}
	var order []uint64
	for _, item := range items {
		event, err := protocol.DecodeRecord(item.Record)
		if err != nil {
			continue // the window decoded it before
		}
		subject := subjectOf(&event)
		if lanes[subject] == nil {
			order = append(order, subject)
		}
		lanes[subject] = append(lanes[subject], item)
	}
	free := make(chan struct{}, webhookLanes)
	var work sync.WaitGroup
	for _, subject := range order {
		free <- struct{}{}
		work.Go(func() {
			defer func() { <-free }()
			for _, item := range lanes[subject] {
				if !s.deliver(ctx, item) {
					return
				}
			}
		})
	}
	work.Wait()
}

// errRefused marks an answer that is about the event, not about the receiver.
var errRefused = errors.New("the receiver refused the event")

// deliver sends an event until the receiver takes it, or it is a dead letter.
// While the circuit is open, only refusals of the event itself count: a
// receiver that is down loses nothing. It is false where ctx ended first.
func (s *sender) deliver(ctx context.Context, item Item) bool {
	for tries, counted := 1, 0; ; tries++ {
		if gone, err := s.erased(item.Index); err != nil {
			s.manager.out.Error("the log cannot be read", "entry", item.Index, "err", err)
			if !pause(ctx, longestPause) {
				return false
			}
			continue
		} else if gone { // while the receiver did not take it
			_, err := s.Ack(webhookMember, rest.Acknowledgement{Indices: []uint64{item.Index}})
			return err == nil
		}
		open := s.isOpen()
		wait, err := s.attempt(ctx, item)
		if ctx.Err() != nil {
			return false
		}
		if !open || errors.Is(err, errRefused) {
			counted++
		}
		if err != nil && (s.hook.Attempts == 0 || counted < s.hook.Attempts) {
			if !pause(ctx, max(wait, backoff(tries))) {
				return false
			}
			continue
		}
		if err != nil {
			if err := s.bury(item.Index, tries, err); err != nil {
				s.manager.out.Error("a dead letter cannot be kept", "entry", item.Index, "err", err)
				pause(ctx, longestPause)
				continue
			}
		}
		_, err = s.Ack(webhookMember, rest.Acknowledgement{Indices: []uint64{item.Index}})
		return err == nil
	}
}

// erased says whether an entry's payload was erased.
func (s *sender) erased(index uint64) (bool, error) {
	first, ok, err := s.manager.log.NextErased(index)
	return ok && first == index, err
}

func (s *sender) isOpen() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.push.failures >= openAfter
}

// attempt sends an event once. wait is how long the receiver asks to be left alone.
func (s *sender) attempt(ctx context.Context, item Item) (wait time.Duration, err error) {
	if s.isOpen() {
		s.probe.Lock()
		defer s.probe.Unlock()
	}
	wait, err = s.send(ctx, item)
	switch {
	case err == nil:
		s.manager.taken.Add(1)
	case errors.Is(err, errRefused):
		s.manager.rejected.Add(1)
	case ctx.Err() == nil:
		s.manager.unanswered.Add(1)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.push.failures, s.push.err = 0, ""
	} else if ctx.Err() == nil {
		s.push.failures++
		s.push.err = err.Error()[:min(300, len(err.Error()))]
	}
	return wait, err
}

func (s *sender) send(ctx context.Context, item Item) (wait time.Duration, err error) {
	request, err := s.request(ctx, item)
	if err != nil {
		return 0, err
	}
	response, err := s.client.Do(request)
	if err != nil {
		var failed *url.Error
		if errors.As(err, &failed) {
			err = failed.Err // without the URL, which may hold a secret
		}
		return 0, err
	}
	defer response.Body.Close()
	io.Copy(io.Discard, io.LimitReader(response.Body, 64<<10)) // so that the connection is used again
	if response.StatusCode/100 == 2 {
		return 0, nil
	}
	switch code := response.StatusCode; code {
	case http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests, http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound:
	default:
		if code/100 == 4 {
			return 0, fmt.Errorf("%w: %s", errRefused, response.Status)
		}
	}
	seconds, _ := strconv.Atoi(response.Header.Get("Retry-After"))
	return time.Duration(min(max(seconds, 0), 300)) * time.Second, fmt.Errorf("the receiver answered %s", response.Status)
}

// request makes the CloudEvents message that carries an event.
func (s *sender) request(ctx context.Context, item Item) (*http.Request, error) {
	event, err := protocol.DecodeRecord(item.Record)
	if err != nil {
		return nil, err
	}
	body := event.Data
	if s.hook.Mode == "structured" {
		if body, err = event.MarshalJSON(); err != nil {
			return nil, err
		}
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, s.hook.URL, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if s.hook.Mode == "structured" {
		request.Header.Set("Content-Type", cehttp.StructuredType)
	} else {
		cehttp.SetBinary(request.Header, &event)
	}
	request.Header.Set(HeaderIndex, strconv.FormatUint(item.Index, 10))
	for name, value := range s.hook.Headers { // order does not matter: names are unique
		request.Header.Set(name, value)
	}
	return request, nil
}

// backoff doubles with each attempt, with jitter.
func backoff(attempt int) time.Duration {
	d := min(longestPause, firstPause<<min(attempt-1, 20))
	return d/2 + rand.N(d/2)
}

func pause(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

const letterFamily = 'd'

func letterKey(name string, index uint64) []byte {
	return binary.BigEndian.AppendUint64(append(append([]byte{letterFamily}, name...), 0), index)
}

// bury keeps an event as a dead letter, before the cursor passes it.
func (s *sender) bury(index uint64, attempts int, cause error) error {
	s.mu.Lock()
	full := s.push.dead >= maxDeadLetters
	s.mu.Unlock()
	if full {
		return fmt.Errorf("there are %d dead letters: redeliver or delete some", maxDeadLetters)
	}
	text, err := json.Marshal(rest.DeadEvent{Index: index, Attempts: attempts, Error: cause.Error()})
	if err != nil {
		return err
	}
	if err := s.manager.db.Put(local.Pair{Key: letterKey(s.Terms().Name, index), Value: text}); err != nil {
		return err
	}
	s.mu.Lock()
	s.push.dead++
	s.mu.Unlock()
	return s.manager.db.Sync()
}

// DeadLetters lists events that the receiver did not take, from an entry on.
func (s *Subscription) DeadLetters(from uint64, limit int) ([]rest.DeadEvent, error) {
	name := s.Terms().Name
	pairs, err := s.manager.db.Scan(letterKey(name, from), letterKey(name, 1<<63), limit)
	out := []rest.DeadEvent{}
	for _, pair := range pairs {
		var letter rest.DeadEvent
		if err := json.Unmarshal(pair.Value, &letter); err != nil {
			return nil, fmt.Errorf("dead letter at rest: %w", err)
		}
		out = append(out, letter)
	}
	return out, err
}

// Redeliver sends dead letters once more: those named, or all. It answers how many.
func (s *Subscription) Redeliver(indices []uint64) (int, error) {
	letters, err := s.DeadLetters(0, maxDeadLetters)
	if err != nil {
		return 0, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	count := 0
	for _, letter := range letters {
		if (len(indices) == 0 || slices.Contains(indices, letter.Index)) && !slices.Contains(s.push.again, letter.Index) {
			s.push.again, count = append(s.push.again, letter.Index), count+1
		}
	}
	return count, nil
}

// resend tries dead letters again, once each. One that is taken is a dead
// letter no more.
func (s *sender) resend(ctx context.Context) {
	s.mu.Lock()
	again := s.push.again
	s.push.again = nil
	s.mu.Unlock()
	for _, index := range again {
		items, _, err := s.manager.log.Read(index, 1)
		if err == nil && len(items) == 1 {
			_, err = s.attempt(ctx, items[0])
		}
		if err != nil || ctx.Err() != nil {
			continue
		}
		if s.manager.db.Put(local.Pair{Key: letterKey(s.Terms().Name, index)}) == nil { // also where it was erased since
			s.mu.Lock()
			s.push.dead--
			s.mu.Unlock()
		}
	}
}
