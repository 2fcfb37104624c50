package protocol

import (
	"bytes"
	"encoding/binary"
)

// Batch appends events to a stream of the signer. Events take the sequences
// First, First+1, ... in order.
type Batch struct {
	Stream  string   // 1-64 characters of a-z 0-9 . _ -
	First   uint64   // sequence of the first event
	Skip    uint64   // sequences right before First that will never be sent
	Seed    [32]byte // secret randomness the blinds derive from
	Records [][]byte // canonical event records

	// Compressed is the zstd frame as it was sent; the ledger stores it as it
	// is. Empty on a batch that has not been encoded.
	Compressed []byte
	// RawBytes is the size of Compressed when inflated.
	RawBytes int
}

// Kind is TxBatch.
func (*Batch) Kind() TxKind { return TxBatch }

// CheckStreamName refuses what is not 1-64 characters of a-z 0-9 . _ -
func CheckStreamName(name string) error {
	if len(name) == 0 || len(name) > MaxStreamName {
		return Refuse(CodeMalformed, "stream name: must have 1 to %d characters, has %d", MaxStreamName, len(name))
	}
	for _, c := range []byte(name) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '.' && c != '_' && c != '-' {
			return Refuse(CodeMalformed, "stream name %q: only a-z 0-9 . _ - are allowed", name)
		}
	}
	return nil
}

// checkRange holds the bounds of sequences, so that arithmetic cannot overflow.
func (b *Batch) checkRange(count int) error {
	switch {
	case count == 0:
		return Refuse(CodeBatchEmpty, "batch: holds no event")
	case count > MaxBatchEvents:
		return Refuse(CodeTooLarge, "batch: holds %d events, the limit is %d", count, MaxBatchEvents)
	case b.First > MaxSequence:
		return Refuse(CodeMalformed, "batch: first sequence %d is over the limit", b.First)
	case b.Skip > b.First || b.Skip > MaxSkip:
		return Refuse(CodeMalformed, "batch: skips %d sequences before %d", b.Skip, b.First)
	}
	return CheckStreamName(b.Stream)
}

func (b *Batch) appendBody(dst []byte) ([]byte, error) {
	if err := b.checkRange(len(b.Records)); err != nil {
		return nil, err
	}
	if b.Compressed == nil {
		var err error
		if b.Compressed, b.RawBytes, err = DeflateRecords(b.Records); err != nil {
			return nil, err
		}
	}
	dst = appendBytes(dst, b.Stream)
	dst = binary.BigEndian.AppendUint64(dst, b.First)
	dst = binary.AppendUvarint(dst, b.Skip)
	dst = append(dst, b.Seed[:]...)
	dst = binary.AppendUvarint(dst, uint64(len(b.Records)))
	dst = binary.AppendUvarint(dst, uint64(b.RawBytes))
	return appendBytes(dst, b.Compressed), nil
}

// DeflateRecords compresses records as a batch does; InflateRecords undoes it.
func DeflateRecords(records [][]byte) (compressed []byte, rawBytes int, err error) {
	raw := joinRecords(records)
	if len(raw) > MaxBatchRawBytes {
		return nil, 0, Refuse(CodeTooLarge, "batch: events have %d bytes, the limit is %d", len(raw), MaxBatchRawBytes)
	}
	return deflate(raw), len(raw), nil
}

func joinRecords(records [][]byte) []byte {
	size := 0
	for _, r := range records {
		size += len(r) + 3
	}
	raw := make([]byte, 0, size)
	for _, r := range records {
		raw = appendBytes(raw, r)
	}
	return raw
}

// decodeBatch reads a body and fully checks every record in it.
func decodeBatch(r *reader) (*Batch, error) {
	b := &Batch{Stream: r.string(MaxStreamName, "stream")}
	b.First = r.u64("first sequence")
	b.Skip = r.uvarint(MaxSkip, "skip")
	copy(b.Seed[:], r.take(32, "seed"))
	count := int(r.uvarint(MaxBatchEvents, "event count"))
	b.RawBytes = int(r.uvarint(MaxBatchRawBytes, "raw size"))
	compressed := r.bytes(MaxTxBytes, "events")
	if err := r.malformed("batch"); err != nil {
		return nil, err
	}
	if err := b.checkRange(count); err != nil {
		return nil, err
	}
	b.Compressed = append([]byte(nil), compressed...)
	raw, err := inflate(b.Compressed, b.RawBytes)
	if err != nil {
		return nil, err
	}
	if b.Records, err = cutRecords(raw, count); err != nil {
		return nil, err
	}
	var view RecordView
	for i, record := range b.Records {
		if err := view.Parse(record); err != nil {
			code, _ := CodeOf(err)
			return nil, Refuse(code, "batch: event %d: %v", i, err)
		}
	}
	return b, nil
}

// InflateRecords undoes the compression of a batch's events. The stated size
// is allocated at most; a frame that inflates to another size is refused. The
// records share one buffer; they are cut, not checked.
func InflateRecords(compressed []byte, count, rawBytes int) ([][]byte, error) {
	if count < 0 || count > MaxBatchEvents || rawBytes < 0 || rawBytes > MaxBatchRawBytes {
		return nil, Refuse(CodeTooLarge, "batch: %d events in %d bytes are over the limits", count, rawBytes)
	}
	if _, ok := rawContent(compressed); ok {
		compressed = bytes.Clone(compressed) // the records lie in it, and it is the caller's
	}
	raw, err := inflate(compressed, rawBytes)
	if err != nil {
		return nil, err
	}
	return cutRecords(raw, count)
}

// cutRecords cuts a run of records, without copying.
func cutRecords(raw []byte, count int) ([][]byte, error) {
	r := reader{buf: raw}
	records := make([][]byte, 0, min(count, len(raw)))
	for range count {
		records = append(records, r.bytes(MaxRecordBytes, "record"))
	}
	if err := r.malformed("batch: events"); err != nil {
		return nil, err
	}
	return records, nil
}

// Last is the sequence of the last event.
func (b *Batch) Last() uint64 { return b.First + uint64(len(b.Records)) - 1 }

// Blind is the blind of event i.
func (b *Batch) Blind(i int) Blind { return EventBlind(b.Seed, b.First+uint64(i)) }
