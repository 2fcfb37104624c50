package api

import (
	"encoding/hex"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/rest"
)

// Auditor is the part of a Backend that looks into the past.
type Auditor interface {
	// Block is a decided block with what proves it.
	Block(height uint64) (rest.Block, error)
	// HeightAt is the last height whose block's time is at or before a time.
	HeightAt(timeMs int64) (height uint64, err error)
	// HeadAt is what the ledger was after a height; 0 is the newest.
	HeadAt(height uint64) (rest.Head, error)
	// Diff lists what changed in the state from one height to a later one,
	// after a key in the order of the keys' SHA-256.
	Diff(from, to uint64, after []byte, limit int) (rest.Diff, error)
	// StateKeys lists keys under a prefix, after a key; height 0 is the newest.
	StateKeys(prefix, after []byte, height uint64, limit int) (rest.StateKeys, error)
	// StateSince is the height that wrote what a key has after a height.
	StateSince(key []byte, height uint64) (rest.StateSince, error)
}

// auditRoutes list what looks into the past.
func (s *Server) auditRoutes() []route {
	return []route{
		{pattern: "GET /v1/blocks/{height}", handle: s.block, lane: pages},
		{pattern: "GET /v1/diff", params: []string{"from", "to", "after", "limit"}, handle: s.diff, lane: pages},
		{pattern: "GET /v1/state/keys", params: []string{"prefix", "after", "height", "time", "limit"}, handle: s.stateKeys, lane: pages},
		{pattern: "GET /v1/state/since", params: []string{"key", "height", "time"}, handle: s.stateSince},
	}
}

func (s *Server) block(r *request) (any, error) {
	height, err := parseUint("height", r.PathValue("height"), 1, maxIndex)
	if err != nil {
		return nil, err
	}
	return s.backend.Block(height)
}

// height reads ?height=, or the height that ?time= leads to; 0 is the newest.
func (s *Server) height(r *request) (uint64, error) {
	if !r.params.Has("time") {
		return r.height()
	}
	if r.params.Has("height") {
		return 0, protocol.Refuse(protocol.CodeBadRequest, "give either a height or a time")
	}
	text := r.params.Get("time")
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		return 0, protocol.Refuse(protocol.CodeBadRequest, "time: %q must be of RFC 3339, such as 2024-05-01T12:00:00Z", clip(text))
	}
	return s.backend.HeightAt(at.UnixMilli())
}

func (s *Server) diff(r *request) (any, error) {
	from, err := r.uint("from", 0, 0, maxIndex)
	if err != nil {
		return nil, err
	}
	to, err := r.uint("to", 0, 0, maxIndex)
	if err != nil {
		return nil, err
	}
	if to == 0 {
		to = s.backend.Height(r.Context(), 0)
	}
	if from > to || !r.params.Has("from") {
		return nil, protocol.Refuse(protocol.CodeBadRequest, "from is a height, and not above to: /v1/diff?from=H1&to=H2")
	}
	after, err := r.key("after")
	if err != nil {
		return nil, err
	}
	limit, err := r.uint("limit", 100, 1, rest.MaxDiff)
	if err != nil {
		return nil, err
	}
	return s.backend.Diff(from, to, after, int(limit))
}

// key reads a key of the state; nil where it is not given.
func (r *request) key(name string) ([]byte, error) {
	text := r.params.Get(name)
	if text == "" {
		return nil, nil
	}
	key, err := hex.DecodeString(text)
	if err != nil || len(key) > maxKeyBytes {
		return nil, protocol.Refuse(protocol.CodeBadRequest, "%s: must be 1 to %d bytes in hex", name, maxKeyBytes)
	}
	return key, nil
}

func (s *Server) stateKeys(r *request) (any, error) {
	prefix, err := r.key("prefix")
	if err != nil {
		return nil, err
	}
	after, err := r.key("after")
	if err != nil {
		return nil, err
	}
	height, err := s.height(r)
	if err != nil {
		return nil, err
	}
	limit, err := r.uint("limit", 100, 1, rest.MaxStateKeys)
	if err != nil {
		return nil, err
	}
	return s.backend.StateKeys(prefix, after, height, int(limit))
}

func (s *Server) stateSince(r *request) (any, error) {
	key, err := r.key("key")
	if err != nil {
		return nil, err
	}
	if key == nil {
		return nil, protocol.Refuse(protocol.CodeBadRequest, "key: must be 1 to %d bytes in hex", maxKeyBytes)
	}
	height, err := s.height(r)
	if err != nil {
		return nil, err
	}
	return s.backend.StateSince(key, height)
}
