package proof

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// JSON form of a receipt: one line, members in the order of these types, no
// space, hashes in lower-case hex, octets in padded base64, times in RFC 3339
// with nine digits, integers below 2^53. That is the only way to write it: the
// decoder reads the values, writes them again and compares byte by byte, so
// what the text says beside the values (a digit of padding, a letter's case, a
// repeated member) cannot differ either.
type receiptJSON struct {
	Version int        `json:"cairnReceipt"`
	ChainID string     `json:"chainId"`
	Entry   *entryJSON `json:"entry,omitempty"`
	Log     *logJSON   `json:"log,omitempty"`
	State   *stateJSON `json:"state,omitempty"`
	Map     mapJSON    `json:"map"`
	Header  headerJSON `json:"header"`
	Commit  commitJSON `json:"commit"`
	Digest  string     `json:"digest"`
}

// entryJSON has blind and payload, or else the commitment.
type entryJSON struct {
	Kind       protocol.EntryKind `json:"kind"`
	Height     uint64             `json:"height"`
	TimeMs     uint64             `json:"timeMs"`
	Origin     protocol.Address   `json:"origin"`
	Stream     protocol.StreamID  `json:"stream"`
	Sequence   uint64             `json:"sequence"`
	Cause      *uint64            `json:"cause,omitempty"`
	Type       protocol.TypeHash  `json:"type"`
	Blind      *protocol.Blind    `json:"blind,omitempty"`
	Payload    *[]byte            `json:"payload,omitempty"`
	Commitment *protocol.Hash     `json:"commitment,omitempty"`
}

type logJSON struct {
	Index uint64          `json:"index"`
	Size  uint64          `json:"size"`
	Path  []protocol.Hash `json:"path"`
}

// stateJSON has a value, or else perhaps the leaf in the key's place.
type stateJSON struct {
	Key       []byte          `json:"key"`
	Value     *[]byte         `json:"value,omitempty"`
	LeafKey   *protocol.Hash  `json:"leafKey,omitempty"`
	LeafValue *protocol.Hash  `json:"leafValue,omitempty"`
	Siblings  []protocol.Hash `json:"siblings"`
}

// mapJSON has what lies beside the proven part in the map of the app hash.
type mapJSON struct {
	Params    *protocol.Hash `json:"params,omitempty"`
	State     *protocol.Hash `json:"state,omitempty"`
	LogParams *protocol.Hash `json:"logParams,omitempty"`
}

type headerJSON struct {
	Time    timeJSON      `json:"time"`
	Version protocol.Hash `json:"version"`
	Blocks  protocol.Hash `json:"blocks"`
	Next    protocol.Hash `json:"next"`
	Results protocol.Hash `json:"results"`
	Tail    protocol.Hash `json:"tail"`
}

type commitJSON struct {
	Height     uint64          `json:"height"`
	Round      uint32          `json:"round"`
	PartsTotal uint32          `json:"partsTotal"`
	PartsHash  protocol.Hash   `json:"partsHash"`
	Signatures []signatureJSON `json:"signatures"`
}

type signatureJSON struct {
	Validator uint32   `json:"validator"`
	Time      timeJSON `json:"time"`
	Signature []byte   `json:"signature"`
}

// timeJSON is Unix nanoseconds, written as RFC 3339.
type timeJSON int64

const timeLayout = "2006-01-02T15:04:05.000000000Z"

func (t timeJSON) MarshalText() ([]byte, error) {
	return time.Unix(0, int64(t)).UTC().AppendFormat(nil, timeLayout), nil
}

func (t timeJSON) time() time.Time { return time.Unix(0, int64(t)).UTC() }

func (t *timeJSON) UnmarshalText(text []byte) error {
	parsed, err := time.Parse(timeLayout, string(text))
	*t = timeJSON(parsed.UnixNano())
	return err
}

// MarshalJSON is the receipt's JSON form, without a newline at its end. It
// fails for a Receipt that no encoding stands for; it does not verify.
func (r *Receipt) MarshalJSON() ([]byte, error) {
	body, err := r.appendBody(nil)
	if err != nil {
		return nil, err
	}
	digest := digestOf(body)
	text := r.toJSON()
	text.Digest = hex.EncodeToString(digest[:])
	return marshalJSON(text)
}

func marshalJSON(v any) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(v); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrForm, err)
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n")), nil
}

// DecodeJSON reads the JSON form, and accepts exactly what MarshalJSON writes.
// It does not verify.
func DecodeJSON(b []byte) (*Receipt, error) {
	if len(b) > MaxReceiptBytes {
		return nil, fmt.Errorf("%w: %d bytes, over the limit %d", ErrForm, len(b), MaxReceiptBytes)
	}
	decoder := json.NewDecoder(bytes.NewReader(b))
	decoder.DisallowUnknownFields()
	var text receiptJSON
	if err := decoder.Decode(&text); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrForm, err)
	}
	r, err := text.receipt()
	if err != nil {
		return nil, err
	}
	body, err := r.appendBody(nil)
	if err != nil {
		return nil, err
	}
	if digest := digestOf(body); hex.EncodeToString(digest[:]) != text.Digest {
		return nil, ErrDigest
	}
	again, err := r.MarshalJSON()
	if err != nil {
		return nil, err
	}
	if !bytes.Equal(again, b) {
		return nil, fmt.Errorf("%w: from byte %d on", ErrCanonical, firstDifference(again, b))
	}
	return r, nil
}

// UnmarshalJSON is DecodeJSON, for a receipt inside another document.
func (r *Receipt) UnmarshalJSON(b []byte) error {
	decoded, err := DecodeJSON(b)
	if err == nil {
		*r = *decoded
	}
	return err
}

// Parse reads a receipt of either form, which its first byte tells apart.
func Parse(b []byte) (*Receipt, error) {
	if len(b) > 0 && b[0] == '{' {
		return DecodeJSON(b)
	}
	return Decode(b)
}

func firstDifference(a, b []byte) int {
	n := min(len(a), len(b))
	for i := range n {
		if a[i] != b[i] {
			return i
		}
	}
	return n
}

func (r *Receipt) toJSON() *receiptJSON {
	text := &receiptJSON{Version: receiptVersion, ChainID: r.ChainID}
	if p := r.Entry; p != nil {
		text.Entry = p.toJSON()
		text.Log = &logJSON{Index: p.Index, Size: p.LogSize, Path: notNil(p.Path)}
		text.Map = mapJSON{Params: &p.Params, State: &p.State}
	}
	if p := r.State; p != nil {
		text.State = &stateJSON{Key: notNil(p.Key), Siblings: notNil(p.Siblings)}
		if p.Exists() {
			text.State.Value = &p.Value
		} else if p.Leaf != nil {
			text.State.LeafKey, text.State.LeafValue = &p.Leaf.KeyHash, &p.Leaf.ValueHash
		}
		text.Map = mapJSON{LogParams: &p.LogParams}
	}
	text.Header, text.Commit = headerOf(&r.Header), r.Commit.toJSON()
	return text
}

func (c *Commit) toJSON() commitJSON {
	text := commitJSON{Height: c.Height, Round: c.Round, PartsTotal: c.Parts.Total, PartsHash: c.Parts.Hash,
		Signatures: make([]signatureJSON, len(c.Signatures))}
	for i := range c.Signatures {
		s := &c.Signatures[i]
		text.Signatures[i] = signatureJSON{s.Validator, timeJSON(s.TimeNs), s.Bytes[:]}
	}
	return text
}

func (c *commitJSON) commit() (Commit, error) {
	out := Commit{Height: c.Height, Round: c.Round, Parts: PartSet{c.PartsTotal, c.PartsHash}}
	for i, s := range c.Signatures {
		signature := Signature{Validator: s.Validator, TimeNs: int64(s.Time)}
		if copy(signature.Bytes[:], s.Signature) != len(s.Signature) || len(s.Signature) != len(signature.Bytes) {
			return Commit{}, fmt.Errorf("%w: signature %d has %d bytes, must have %d", ErrForm, i, len(s.Signature), len(signature.Bytes))
		}
		out.Signatures = append(out.Signatures, signature)
	}
	return out, nil
}

// receipt takes the values out of the text. It may leave out what has no place
// (a commitment beside a payload, a foreign map sibling): the text written
// from its answer then differs, and DecodeJSON refuses.
func (text *receiptJSON) receipt() (*Receipt, error) {
	if text.Version != receiptVersion {
		return nil, fmt.Errorf("%w: cairnReceipt is %d, must be %d", ErrForm, text.Version, receiptVersion)
	}
	r := &Receipt{ChainID: text.ChainID}
	if text.Entry != nil {
		if text.Log == nil {
			return nil, fmt.Errorf("%w: it has an entry and no log", ErrForm)
		}
		r.Entry = text.entryProof()
	}
	if s := text.State; s != nil {
		p := &StateProof{State: State{Key: s.Key, Siblings: s.Siblings}, LogParams: orZero(text.Map.LogParams)}
		switch {
		case s.Value != nil:
			p.Value = notNil(*s.Value)
			leaf := NewStateLeaf(p.Key, p.Value)
			p.Leaf = &leaf
		case s.LeafKey != nil && s.LeafValue != nil:
			p.Leaf = &StateLeaf{*s.LeafKey, *s.LeafValue}
		}
		r.State = p
	}
	r.Header = text.Header.open()
	var err error
	r.Commit, err = text.Commit.commit()
	return r, err
}

func (text *receiptJSON) entryProof() *EntryProof {
	p := &EntryProof{Index: text.Log.Index, LogSize: text.Log.Size, Path: text.Log.Path,
		Params: orZero(text.Map.Params), State: orZero(text.Map.State)}
	text.Entry.into(p)
	return p
}

func (p *EntryProof) toJSON() *entryJSON {
	e := &p.Entry
	text := &entryJSON{Kind: e.Kind, Height: e.Height, TimeMs: e.TimeMs, Origin: e.Origin, Stream: e.Stream,
		Sequence: e.Sequence, Type: e.Type}
	if e.Cause != protocol.NoCause {
		text.Cause = &e.Cause
	}
	if p.Withheld {
		text.Commitment = &e.Commitment
	} else {
		payload := notNil(p.Payload)
		text.Blind, text.Payload = &p.Blind, &payload
	}
	return text
}

// into puts entry, blind and payload into a proof.
func (e *entryJSON) into(p *EntryProof) {
	p.Entry = protocol.Entry{Kind: e.Kind, Height: e.Height, TimeMs: e.TimeMs, Origin: e.Origin, Stream: e.Stream,
		Sequence: e.Sequence, Cause: protocol.NoCause, Type: e.Type}
	if e.Cause != nil {
		p.Entry.Cause = *e.Cause
	}
	if e.Payload == nil {
		p.Withheld = true
		p.Entry.Commitment = orZero(e.Commitment)
	} else {
		p.Blind, p.Payload = orZero(e.Blind), *e.Payload
		p.Entry.Commitment = protocol.Commitment(p.Blind, p.Payload)
	}
}

func orZero[T any](p *T) (zero T) {
	if p == nil {
		return zero
	}
	return *p
}

// notNil keeps JSON from writing null for an empty run.
func notNil[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}
