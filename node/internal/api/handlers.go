package api

import (
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
)

const maxIndex = 1<<63 - 1

// submit takes one transaction as it is signed. With ?wait= it answers the
// status the transaction has reached by then.
func (s *Server) submit(r *http.Request) (any, error) {
	wait, err := waitParam(r)
	if err != nil {
		return nil, err
	}
	if t := r.Header.Get("Content-Type"); t != "" && t != "application/octet-stream" {
		return nil, protocol.Refuse(protocol.CodeUnsupportedFormat, "content type %q: a transaction is sent as application/octet-stream", clip(t))
	}
	select {
	case s.submits <- struct{}{}:
		defer func() { <-s.submits }()
	default:
		return nil, protocol.Refuse(protocol.CodeBusy, "%d submissions are under way; send it again in a second", cap(s.submits))
	}
	body, err := io.ReadAll(http.MaxBytesReader(nil, r.Body, protocol.MaxTxBytes))
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &tooLarge):
		return nil, protocol.Refuse(protocol.CodeTooLarge, "the transaction is over %d bytes; send fewer events in a batch", protocol.MaxTxBytes)
	case err != nil:
		return nil, protocol.Refuse(protocol.CodeBadRequest, "the body could not be read: %v", err)
	}
	id, err := s.backend.Submit(r.Context(), body)
	if err != nil {
		return nil, err
	}
	if wait == 0 {
		return accepted{rest.Submitted{TxID: id}}, nil
	}
	return s.backend.Status(r.Context(), id, wait)
}

func (s *Server) status(r *http.Request) (any, error) {
	wait, err := waitParam(r)
	if err != nil {
		return nil, err
	}
	id, err := protocol.ParseHash(r.PathValue("id"))
	if err != nil {
		return nil, protocol.Refuse(protocol.CodeBadRequest, "transaction id: %v", err)
	}
	return s.backend.Status(r.Context(), id, wait)
}

func (s *Server) head(*http.Request) (any, error) { return s.backend.Head() }

func (s *Server) genesis(*http.Request) (any, error) {
	return raw{"application/json", s.backend.Genesis()}, nil
}

func indexOf(r *http.Request) (uint64, error) {
	return uintParam("index", r.PathValue("index"), 0, maxIndex)
}

func (s *Server) entry(r *http.Request) (any, error) {
	index, err := indexOf(r)
	if err != nil {
		return nil, err
	}
	return s.backend.Entry(index)
}

// event answers the event alone, as CloudEvents JSON.
func (s *Server) event(r *http.Request) (any, error) {
	index, err := indexOf(r)
	if err != nil {
		return nil, err
	}
	entry, err := s.backend.Entry(index)
	if err != nil {
		return nil, err
	}
	if entry.Event == nil {
		return nil, protocol.Refuse(protocol.CodeNotFound, "entry %d is of kind %s and holds no event; see /v1/entries/%d", index, entry.Kind, index)
	}
	body, err := json.Marshal(entry.Event)
	return raw{"application/cloudevents+json", append(body, '\n')}, err
}

// findEvent answers the entry of an event by its CloudEvents identity.
func (s *Server) findEvent(r *http.Request) (any, error) {
	q := r.URL.Query()
	source, id := q.Get("source"), q.Get("id")
	if source == "" || id == "" {
		return nil, protocol.Refuse(protocol.CodeBadRequest, "both source and id are needed: /v1/events?source=...&id=...")
	}
	var producer protocol.Address
	if text := q.Get("producer"); text != "" {
		var err error
		if producer, err = protocol.ParseAddress(text); err != nil {
			return nil, protocol.Refuse(protocol.CodeBadRequest, "producer: %v", err)
		}
	}
	index, err := s.backend.FindEvent(producer, source, id)
	if err != nil {
		return nil, err
	}
	return s.backend.Entry(index)
}

// receipt proves an entry, as JSON or with ?format=binary in its compact form.
func (s *Server) receipt(r *http.Request) (any, error) {
	index, err := indexOf(r)
	if err != nil {
		return nil, err
	}
	receipt, err := s.backend.Receipt(r.Context(), index)
	if err != nil {
		return nil, err
	}
	return renderReceipt(r, receipt)
}

// renderer is a receipt in its two forms.
type renderer interface {
	MarshalBinary() ([]byte, error)
	MarshalJSON() ([]byte, error)
}

func renderReceipt(r *http.Request, receipt renderer) (any, error) {
	switch format := r.URL.Query().Get("format"); format {
	case "", "json":
		body, err := receipt.MarshalJSON()
		return raw{"application/json", body}, err
	case "binary":
		body, err := receipt.MarshalBinary()
		return raw{"application/octet-stream", body}, err
	default:
		return nil, protocol.Refuse(protocol.CodeUnsupportedFormat, "format %q is not known; json and binary are", clip(format))
	}
}

// state proves a key's value or absence: ?key=hex, &height= for a past one.
func (s *Server) state(r *http.Request) (any, error) {
	key, err := hex.DecodeString(r.URL.Query().Get("key"))
	if err != nil || len(key) == 0 || len(key) > 1024 {
		return nil, protocol.Refuse(protocol.CodeBadRequest, "key: must be 1 to 1024 bytes in hex")
	}
	height, err := uintParam("height", r.URL.Query().Get("height"), 0, maxIndex)
	if err != nil {
		return nil, err
	}
	receipt, err := s.backend.StateReceipt(r.Context(), key, height)
	if err != nil {
		return nil, err
	}
	return renderReceipt(r, receipt)
}

func streamOf(r *http.Request) (producer protocol.Address, name string, err error) {
	producer, err = protocol.ParseAddress(r.PathValue("producer"))
	if err != nil {
		return producer, "", protocol.Refuse(protocol.CodeBadRequest, "producer: %v", err)
	}
	name = r.PathValue("name")
	return producer, name, protocol.CheckStreamName(name)
}

func (s *Server) stream(r *http.Request) (any, error) {
	producer, name, err := streamOf(r)
	if err != nil {
		return nil, err
	}
	return s.backend.Stream(producer, name)
}

const maxStreamEntries = 10_000

// streamEntries lists what became of the sequences from ?from= on.
func (s *Server) streamEntries(r *http.Request) (any, error) {
	producer, name, err := streamOf(r)
	if err != nil {
		return nil, err
	}
	from, err := uintParam("from", r.URL.Query().Get("from"), 0, maxIndex)
	if err != nil {
		return nil, err
	}
	count, err := uintParam("count", r.URL.Query().Get("count"), 1000, maxStreamEntries)
	if err != nil {
		return nil, err
	}
	entries, err := s.backend.StreamEntries(producer, name, from, int(count))
	return rest.StreamEntries{Entries: orEmpty(entries)}, err
}

// orEmpty renders no elements as [] instead of null.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func (s *Server) contracts(*http.Request) (any, error) {
	list, err := s.backend.Contracts()
	return rest.Contracts{Contracts: orEmpty(list)}, err
}

func (s *Server) contract(r *http.Request) (any, error) {
	return s.backend.Contract(r.PathValue("contract"))
}

// query asks a contract: every parameter but height is an argument, read as
// the manifest declares it; or all are given at once as a JSON object in args.
func (s *Server) query(r *http.Request) (any, error) {
	q := r.URL.Query()
	height, err := uintParam("height", q.Get("height"), 0, maxIndex)
	if err != nil {
		return nil, err
	}
	args := Args{JSON: json.RawMessage(q.Get("args")), Text: make(map[string]string, len(q))}
	q.Del("height")
	q.Del("args")
	for name, values := range q {
		if len(values) != 1 {
			return nil, protocol.Refuse(protocol.CodeBadRequest, "argument %q is given %d times", clip(name), len(values))
		}
		args.Text[name] = values[0]
	}
	if len(args.JSON) > 0 && len(args.Text) > 0 {
		return nil, protocol.Refuse(protocol.CodeBadRequest, "give the arguments either one by one or as a JSON object in args")
	}
	answer, err := s.backend.Query(r.Context(), r.PathValue("contract"), r.PathValue("method"), args, height)
	return raw{"application/json", append(answer, '\n')}, err
}

func (s *Server) deadLetters(r *http.Request) (any, error) {
	from, err := uintParam("from", r.URL.Query().Get("from"), 0, maxIndex)
	if err != nil {
		return nil, err
	}
	limit, err := uintParam("limit", r.URL.Query().Get("limit"), 100, 1000)
	if err != nil {
		return nil, err
	}
	letters, err := s.backend.DeadLetters(r.PathValue("contract"), from, int(limit))
	return rest.DeadLetters{DeadLetters: orEmpty(letters)}, err
}

func (s *Server) live(*http.Request) (any, error) { return map[string]string{"status": "live"}, nil }

func (s *Server) ready(*http.Request) (any, error) {
	if err := s.backend.Ready(); err != nil {
		return nil, protocol.Refuse(protocol.CodeUnavailable, "not ready: %v", err)
	}
	return map[string]string{"status": "ready"}, nil
}

func (s *Server) version(*http.Request) (any, error) {
	return map[string]string{"version": s.backend.Version()}, nil
}
