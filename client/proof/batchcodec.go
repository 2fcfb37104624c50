package proof

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// Binary form of a batch receipt: as of a receipt, but for the entries. Of each
// stands only what does not follow from the one before.
//
//	"cairn/rb" | version 1 | chain id | log size | number of entries
//	each entry: u8 of the flags below | those of them that are set, in order |
//	            blind | payload (or, withheld: the commitment)
//	number of hashes beside | hashes | params leaf | state leaf | header | commit | digest
const (
	batchMagic   = "cairn/rb"
	batchVersion = 1

	batchIndex    = 1 << 7 // uvarint: how many entries after the one expected
	batchKind     = 1 << 6 // u8
	batchBlock    = 1 << 5 // uvarint height | uvarint time
	batchPlace    = 1 << 4 // [20] origin | [16] stream
	batchSequence = 1 << 3 // uvarint
	batchCause    = 1 << 2 // uvarint, plus 1
	batchType     = 1 << 1 // [16]
	batchWithheld = 1 << 0
)

// follower is what is expected after an entry; before the first, entry 0
// without a cause and all else zero.
func follower(before *BatchEntry) BatchEntry {
	if before == nil {
		return BatchEntry{Entry: protocol.Entry{Cause: protocol.NoCause}}
	}
	next := BatchEntry{Index: before.Index + 1, Entry: before.Entry}
	next.Entry.Sequence++
	return next
}

func (e *BatchEntry) appendBinary(dst []byte, before *BatchEntry) []byte {
	expected := follower(before)
	at, flags := len(dst), byte(0)
	dst = append(dst, 0)
	is, was := &e.Entry, &expected.Entry
	if e.Index != expected.Index {
		flags |= batchIndex
		dst = binary.AppendUvarint(dst, e.Index-expected.Index)
	}
	if is.Kind != was.Kind {
		flags |= batchKind
		dst = append(dst, byte(is.Kind))
	}
	if is.Height != was.Height || is.TimeMs != was.TimeMs {
		flags |= batchBlock
		dst = binary.AppendUvarint(binary.AppendUvarint(dst, is.Height), is.TimeMs)
	}
	if is.Origin != was.Origin || is.Stream != was.Stream {
		flags |= batchPlace
		dst = append(append(dst, is.Origin[:]...), is.Stream[:]...)
	}
	if is.Sequence != was.Sequence {
		flags |= batchSequence
		dst = binary.AppendUvarint(dst, is.Sequence)
	}
	if is.Cause != was.Cause {
		flags |= batchCause
		dst = binary.AppendUvarint(dst, is.Cause+1)
	}
	if is.Type != was.Type {
		flags |= batchType
		dst = append(dst, is.Type[:]...)
	}
	if e.Withheld {
		dst[at] = flags | batchWithheld
		return append(dst, is.Commitment[:]...)
	}
	dst[at] = flags
	return appendBytes(append(dst, e.Blind[:]...), e.Payload)
}

func (c *cursor) batchEntry(before *BatchEntry) BatchEntry {
	e := follower(before)
	is := &e.Entry
	flags := c.u8("entry's flags")
	if flags&batchIndex != 0 {
		e.Index += c.uvarint(MaxInteger, "index")
	}
	if flags&batchKind != 0 {
		is.Kind = protocol.EntryKind(c.u8("kind"))
	}
	if flags&batchBlock != 0 {
		is.Height, is.TimeMs = c.uvarint(MaxInteger, "height"), c.uvarint(MaxInteger, "time")
	}
	if flags&batchPlace != 0 {
		copy(is.Origin[:], c.take(uint64(len(is.Origin)), "origin"))
		copy(is.Stream[:], c.take(uint64(len(is.Stream)), "stream"))
	}
	if flags&batchSequence != 0 {
		is.Sequence = c.uvarint(MaxInteger, "sequence")
	}
	if flags&batchCause != 0 {
		is.Cause = c.uvarint(MaxInteger, "cause") - 1
	}
	if flags&batchType != 0 {
		copy(is.Type[:], c.take(uint64(len(is.Type)), "type"))
	}
	if e.Withheld = flags&batchWithheld != 0; e.Withheld {
		is.Commitment = c.hash("commitment")
		return e
	}
	copy(e.Blind[:], c.take(uint64(len(e.Blind)), "blind"))
	e.Payload = c.bytes(protocol.MaxRecordBytes, "payload")
	if c.err == nil {
		is.Commitment = protocol.Commitment(e.Blind, e.Payload)
	}
	return e
}

// MarshalBinary is the receipt's binary form. It does not verify.
func (r *BatchReceipt) MarshalBinary() ([]byte, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	body := r.appendBody(make([]byte, 0, 2048+64*len(r.Entries)))
	if len(body)+digestBytes > MaxReceiptBytes {
		return nil, fmt.Errorf("%w: %d bytes, over the limit %d", ErrForm, len(body), MaxReceiptBytes)
	}
	digest := digestOf(body)
	return append(body, digest[:]...), nil
}

func (r *BatchReceipt) appendBody(dst []byte) []byte {
	dst = appendBytes(append(append(dst, batchMagic...), batchVersion), r.ChainID)
	dst = binary.AppendUvarint(binary.AppendUvarint(dst, r.LogSize), uint64(len(r.Entries)))
	var before *BatchEntry
	for i := range r.Entries {
		dst = r.Entries[i].appendBinary(dst, before)
		before = &r.Entries[i]
	}
	dst = appendHashes(binary.AppendUvarint(dst, uint64(len(r.Beside))), r.Beside)
	dst = append(append(dst, r.Params[:]...), r.State[:]...)
	return r.Commit.appendBinary(r.Header.appendBinary(dst), r.Header.TimeNs)
}

// IsBatch says whether a file claims to be a batch receipt of either form.
func IsBatch(b []byte) bool {
	return bytes.HasPrefix(b, []byte(batchMagic)) || bytes.HasPrefix(b, []byte(`{"cairnBatch"`))
}

// ParseBatch reads a batch receipt of either form. The answer shares no memory
// with b and encodes to exactly b again. It does not verify.
func ParseBatch(b []byte) (*BatchReceipt, error) {
	if len(b) > MaxReceiptBytes {
		return nil, fmt.Errorf("%w: %d bytes, over the limit %d", ErrForm, len(b), MaxReceiptBytes)
	}
	if len(b) > 0 && b[0] == '{' {
		return parseBatchJSON(b)
	}
	return parseBatchBinary(b)
}

func parseBatchBinary(b []byte) (*BatchReceipt, error) {
	if len(b) < len(batchMagic)+digestBytes || string(b[:len(batchMagic)]) != batchMagic {
		return nil, fmt.Errorf("%w: it does not begin with %q", ErrForm, batchMagic)
	}
	body := b[:len(b)-digestBytes]
	if digest := digestOf(body); digest != Digest(b[len(body):]) {
		return nil, ErrDigest
	}
	c := cursor{buf: body, off: len(batchMagic)}
	if v := c.u8("version"); v != batchVersion {
		c.fail("version %d is not known", v)
	}
	r := &BatchReceipt{ChainID: string(c.bytes(protocol.MaxChainID, "chain id")), LogSize: c.uvarint(MaxInteger, "log size")}
	var before *BatchEntry
	for range c.uvarint(MaxBatchEntries, "number of entries") {
		r.Entries = append(r.Entries, c.batchEntry(before))
		if c.err != nil {
			return nil, c.err
		}
		before = &r.Entries[len(r.Entries)-1]
	}
	r.Beside = c.hashes(c.uvarint(MaxBatchEntries*MaxPath, "number of hashes"), "hashes")
	r.Params, r.State = c.hash("leaf of params"), c.hash("leaf of state")
	r.Header = c.header()
	r.Commit = c.commit(r.Header.TimeNs)
	if err := c.end(); err != nil {
		return nil, err
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	if again := r.appendBody(nil); !bytes.Equal(again, body) { // a field that follows was written out
		return nil, fmt.Errorf("%w: from byte %d on", ErrCanonical, firstDifference(again, body))
	}
	return r, nil
}

// batchJSON is the JSON form, under the same rule as a receipt's.
type batchJSON struct {
	Version int              `json:"cairnBatch"`
	ChainID string           `json:"chainId"`
	Log     batchLogJSON     `json:"log"`
	Entries []batchEntryJSON `json:"entries"`
	Map     mapJSON          `json:"map"`
	Header  headerJSON       `json:"header"`
	Commit  commitJSON       `json:"commit"`
	Digest  string           `json:"digest"`
}

type batchLogJSON struct {
	Size   uint64          `json:"size"`
	Beside []protocol.Hash `json:"beside"`
}

type batchEntryJSON struct {
	Index uint64 `json:"index"`
	entryJSON
}

// MarshalJSON is the receipt's JSON form. It does not verify.
func (r *BatchReceipt) MarshalJSON() ([]byte, error) {
	if err := r.check(); err != nil {
		return nil, err
	}
	h := &r.Header
	text := batchJSON{Version: batchVersion, ChainID: r.ChainID, Log: batchLogJSON{r.LogSize, notNil(r.Beside)},
		Map: mapJSON{Params: &r.Params, State: &r.State}, Commit: r.Commit.toJSON(),
		Header: headerJSON{timeJSON(h.TimeNs), h.Version, h.Blocks, h.Next, h.Results, h.Tail}}
	for i := range r.Entries {
		text.Entries = append(text.Entries, batchEntryJSON{r.Entries[i].Index, *r.Entries[i].proof(r.LogSize).toJSON()})
	}
	digest := digestOf(r.appendBody(nil))
	text.Digest = hex.EncodeToString(digest[:])
	return marshalJSON(text)
}

func parseBatchJSON(b []byte) (*BatchReceipt, error) {
	decoder := json.NewDecoder(bytes.NewReader(b))
	decoder.DisallowUnknownFields()
	var text batchJSON
	if err := decoder.Decode(&text); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrForm, err)
	}
	h := &text.Header
	r := &BatchReceipt{ChainID: text.ChainID, LogSize: text.Log.Size, Beside: text.Log.Beside,
		Params: orZero(text.Map.Params), State: orZero(text.Map.State),
		Header: Header{int64(h.Time), h.Version, h.Blocks, h.Next, h.Results, h.Tail}}
	if text.Version != batchVersion {
		return nil, fmt.Errorf("%w: cairnBatch is %d, must be %d", ErrForm, text.Version, batchVersion)
	}
	var err error
	if r.Commit, err = text.Commit.commit(); err != nil {
		return nil, err
	}
	for _, e := range text.Entries {
		var p EntryProof
		e.into(&p)
		r.Entries = append(r.Entries, BatchEntry{e.Index, p.Entry, p.Withheld, p.Blind, slices.Clip(p.Payload)})
	}
	if err := r.check(); err != nil {
		return nil, err
	}
	if digest := digestOf(r.appendBody(nil)); hex.EncodeToString(digest[:]) != text.Digest {
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
