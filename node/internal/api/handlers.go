package api

import (
	"encoding/hex"
	"encoding/json"

	"github.com/cairn-ledger/cairn/client/proof"
	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
)

// head says where the ledger stands, or stood: ?height= or ?time=.
func (s *Server) head(r *request) (any, error) {
	height, err := s.height(r)
	if err != nil {
		return nil, err
	}
	return s.backend.HeadAt(height)
}

func (s *Server) genesis(*request) (any, error) {
	return raw{"application/json", s.backend.Genesis()}, nil
}

func (s *Server) entry(r *request) (any, error) {
	index, err := r.index()
	if err != nil {
		return nil, err
	}
	return s.renderEntry(index)
}

// entries answers a page of the log from ?from= on.
func (s *Server) entries(r *request) (any, error) {
	from, err := r.uint("from", 0, 0, maxIndex)
	if err != nil {
		return nil, err
	}
	count, err := r.uint("count", 100, 1, rest.MaxEntries)
	if err != nil {
		return nil, err
	}
	list, err := s.backend.Entries(from, int(count))
	if err != nil {
		return nil, err
	}
	body, err := rest.Entries{Entries: list, Next: from + uint64(len(list))}.Render()
	return raw{"application/json", append(body, '\n')}, err
}

// renderEntry keeps an event's data octets as they were submitted.
func (s *Server) renderEntry(index uint64) (any, error) {
	entry, err := s.backend.Entry(index)
	if err != nil {
		return nil, err
	}
	body, err := entry.Render()
	return raw{"application/json", append(body, '\n')}, err
}

// event answers the event alone, as CloudEvents JSON.
func (s *Server) event(r *request) (any, error) {
	index, err := r.index()
	if err != nil {
		return nil, err
	}
	entry, err := s.backend.Entry(index)
	if err != nil {
		return nil, err
	}
	if entry.Erased != nil {
		return nil, protocol.Refuse(protocol.CodeErased, "the payload of entry %d was erased at height %d (%s); see /v1/erasures/%d", index, entry.Erased.Height, entry.Erased.Reason, index)
	}
	if entry.Event == nil {
		return nil, protocol.Refuse(protocol.CodeNotFound, "entry %d is of kind %s and holds no event; see /v1/entries/%d", index, entry.Kind, index)
	}
	body, err := entry.Event.MarshalJSON() // json.Marshal would rewrite the data's octets
	return raw{"application/cloudevents+json", append(body, '\n')}, err
}

// findEvent answers the entry of an event by its CloudEvents identity.
func (s *Server) findEvent(r *request) (any, error) {
	source, id := r.params.Get("source"), r.params.Get("id")
	if source == "" || id == "" {
		return nil, protocol.Refuse(protocol.CodeBadRequest, "both source and id are needed: /v1/events?source=...&id=...")
	}
	var producer protocol.Address
	if text := r.params.Get("producer"); text != "" {
		var err error
		if producer, err = protocol.ParseAddress(text); err != nil {
			return nil, protocol.Refuse(protocol.CodeBadRequest, "producer: %v", err)
		}
	}
	index, err := s.backend.FindEvent(producer, source, id)
	if err != nil {
		return nil, err
	}
	return s.renderEntry(index)
}

// Formats of others that a receipt is exported in, and their media types.
var exports = map[string]string{
	"tlog-proof": "text/plain; charset=utf-8", // C2SP registers none
	"cose":       "application/cose; cose-type=\"cose-sign1\"",
}

// receipt proves an entry, as JSON or with ?format= in another form.
func (s *Server) receipt(r *request) (any, error) {
	index, err := r.index()
	if err != nil {
		return nil, err
	}
	if r.params.Get("format") == "held" {
		level, err := r.uint("level", 20, 0, proof.MaxHeldLevel)
		if err != nil {
			return nil, err
		}
		receipt, err := s.backend.HeldReceipt(index, uint8(level))
		if err != nil {
			return nil, err
		}
		body, err := receipt.MarshalBinary()
		return raw{"application/octet-stream", body}, err
	}
	if r.params.Has("level") {
		return nil, protocol.Refuse(protocol.CodeBadRequest, "level: is of the format held")
	}
	if mediaType, ok := exports[r.params.Get("format")]; ok {
		body, err := s.backend.ExportReceipt(r.Context(), index, r.params.Get("format"))
		return raw{mediaType, body}, err
	}
	render, err := r.receiptFormat()
	if err != nil {
		return nil, err
	}
	receipt, err := s.backend.Receipt(r.Context(), index)
	if err != nil {
		return nil, err
	}
	return render(receipt)
}

// erasure proves that an entry existed and that its payload was erased.
func (s *Server) erasure(r *request) (any, error) {
	index, err := r.index()
	if err != nil {
		return nil, err
	}
	erasure, err := s.backend.Erasure(r.Context(), index)
	if err != nil {
		return nil, err
	}
	body, err := erasure.MarshalJSON()
	return raw{"application/json", body}, err
}

// renderer is a receipt in its two forms.
type renderer interface {
	MarshalBinary() ([]byte, error)
	MarshalJSON() ([]byte, error)
}

func (r *request) receiptFormat() (func(renderer) (any, error), error) {
	switch format := r.params.Get("format"); format {
	case "", "json":
		return func(receipt renderer) (any, error) {
			body, err := receipt.MarshalJSON()
			return raw{"application/json", body}, err
		}, nil
	case "binary":
		return func(receipt renderer) (any, error) {
			body, err := receipt.MarshalBinary()
			return raw{"application/octet-stream", body}, err
		}, nil
	default:
		return nil, protocol.Refuse(protocol.CodeUnsupportedFormat, "format %q is not one of this path; json and binary are, and of an entry's receipt tlog-proof, cose and held", clip(format))
	}
}

// maxKeyBytes bounds the key of a state receipt.
const maxKeyBytes = 1024

// state proves a key's value or absence: ?key=hex, &height= or &time= for a past one.
func (s *Server) state(r *request) (any, error) {
	key, err := hex.DecodeString(r.params.Get("key"))
	if err != nil || len(key) == 0 || len(key) > maxKeyBytes {
		return nil, protocol.Refuse(protocol.CodeBadRequest, "key: must be 1 to %d bytes in hex", maxKeyBytes)
	}
	height, err := s.height(r)
	if err != nil {
		return nil, err
	}
	render, err := r.receiptFormat()
	if err != nil {
		return nil, err
	}
	receipt, err := s.backend.StateReceipt(r.Context(), key, height)
	if err != nil {
		return nil, err
	}
	return render(receipt)
}

func (s *Server) stream(r *request) (any, error) {
	producer, name, err := r.stream()
	if err != nil {
		return nil, err
	}
	return s.backend.Stream(producer, name)
}

// streamEntries lists what became of the sequences from ?from= on.
func (s *Server) streamEntries(r *request) (any, error) {
	producer, name, err := r.stream()
	if err != nil {
		return nil, err
	}
	from, err := r.uint("from", 0, 0, protocol.MaxSequence)
	if err != nil {
		return nil, err
	}
	count, err := r.uint("count", 1000, 1, rest.MaxStreamEntries)
	if err != nil {
		return nil, err
	}
	entries, err := s.backend.StreamEntries(producer, name, from, int(count))
	return rest.StreamEntries{Entries: orEmpty(entries)}, err
}

// streamEntry says what became of one sequence. One inside a declared gap is
// answered with the gap's entry.
func (s *Server) streamEntry(r *request) (any, error) {
	producer, name, err := r.stream()
	if err != nil {
		return nil, err
	}
	sequence, err := parseUint("sequence", r.PathValue("sequence"), 0, protocol.MaxSequence)
	if err != nil {
		return nil, err
	}
	entries, err := s.backend.StreamEntries(producer, name, sequence, 1)
	if err != nil {
		return nil, err
	}
	if len(entries) == 0 {
		return nil, protocol.Refuse(protocol.CodeNotFound, "stream %s of %s does not hold sequence %d yet", name, producer, sequence)
	}
	return entries[0], nil
}

// orEmpty renders no elements as [] instead of null.
func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

// trust leads from one validator set to later ones.
func (s *Server) trust(r *request) (any, error) {
	from, err := r.uint("from", 1, 1, maxIndex)
	if err != nil {
		return nil, err
	}
	return s.backend.TrustPath(from)
}

func (s *Server) contracts(*request) (any, error) {
	list, err := s.backend.Contracts()
	return rest.Contracts{Contracts: orEmpty(list)}, err
}

func (s *Server) contract(r *request) (any, error) {
	return s.backend.Contract(r.PathValue("contract"))
}

// query asks a contract: every parameter but height and time is an argument, read as
// the manifest declares it; or all are given at once as a JSON object in args.
func (s *Server) query(r *request) (any, error) {
	height, err := s.height(r)
	if err != nil {
		return nil, err
	}
	args := Args{JSON: json.RawMessage(r.params.Get("args")), Text: make(map[string]string, len(r.params))}
	for name := range r.params {
		if name != "height" && name != "time" && name != "args" {
			args.Text[name] = r.params.Get(name)
		}
	}
	if len(args.JSON) > 0 && len(args.Text) > 0 {
		return nil, protocol.Refuse(protocol.CodeBadRequest, "give the arguments either one by one or as a JSON object in args")
	}
	answer, err := s.backend.Query(r.Context(), r.PathValue("contract"), r.PathValue("method"), args, height)
	return raw{"application/json", append(answer, '\n')}, err
}

func (s *Server) deadLetters(r *request) (any, error) {
	from, err := r.uint("from", 0, 0, maxIndex)
	if err != nil {
		return nil, err
	}
	limit, err := r.uint("limit", 100, 1, 1000)
	if err != nil {
		return nil, err
	}
	letters, err := s.backend.DeadLetters(r.PathValue("contract"), from, int(limit))
	return rest.DeadLetters{DeadLetters: orEmpty(letters)}, err
}

func (s *Server) contractLogs(r *request) (any, error) {
	after, err := r.uint("after", 0, 0, maxIndex)
	if err != nil {
		return nil, err
	}
	logs, err := s.backend.ContractLogs(r.PathValue("contract"), after)
	return rest.ContractLogs{Logs: orEmpty(logs)}, err
}

func (s *Server) live(*request) (any, error) { return map[string]string{"status": "live"}, nil }

func (s *Server) ready(*request) (any, error) {
	if err := s.backend.Ready(); err != nil {
		return nil, protocol.Refuse(protocol.CodeUnavailable, "not ready: %v", err)
	}
	return map[string]string{"status": "ready"}, nil
}

func (s *Server) version(*request) (any, error) {
	return map[string]string{"version": s.backend.Version()}, nil
}
