package machine

import (
	"encoding/binary"
	"fmt"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/node/internal/membership"
)

// batch appends a batch's events to the log. Sequences the stream already
// holds are absorbed; a gap is refused unless the producer declared it.
func (x *execution) batch(c *checked, batch *protocol.Batch, out *Outcome) error {
	state := x.b.State()
	x.streamKey = appendStreamKey(x.streamKey[:0], c.sender, batch.Stream)
	next, err := x.nextSequence(x.streamKey)
	if err != nil {
		return err
	}
	out.Next = next
	start := batch.First - batch.Skip
	if start > next {
		return protocol.Refuse(protocol.CodeSequenceGap, "stream %s: expects sequence %d, the batch starts at %d", batch.Stream, next, start)
	}
	if batch.Last() < next {
		out.Absorbed = uint32(len(batch.Records))
		out.First, err = x.absorbedIndex(c.stream, batch.First)
		return err
	}
	absorbed, skip := 0, uint64(0)
	if batch.First > next {
		skip = batch.First - next
	} else {
		absorbed = int(next - batch.First)
	}
	used, err := x.meterBatch(c, batch, absorbed, out)
	if err != nil {
		return err
	}
	x.flush()
	first := x.b.LogSize()
	if err := x.eventFee(c, batch, first+min(skip, 1), uint64(len(batch.Records)-absorbed)); err != nil {
		return err
	}
	if err := membership.Use(state, &x.party, x.block.Height, used); err != nil {
		return err
	}
	if next == 0 {
		x.b.SetSide(key(sideStream, c.stream[:]), append(c.sender[:], batch.Stream...))
	}
	if skip > 0 {
		x.gap(c, batch, skip)
	}
	for i := absorbed; i < len(batch.Records); i++ {
		if err := x.event(c, batch, i, out); err != nil {
			return err
		}
	}
	count := uint32(x.b.LogSize() - first)
	x.bundle = appendBatchBundle(x.bundle[:0], batch, absorbed, skip)
	x.b.PutBundle(first, count, x.bundle)
	x.addRun(c.stream, run{sequence: next, first: first, count: count, skip: skip})
	out.First, out.Entries, out.Absorbed, out.Next = first, count, uint32(absorbed), batch.Last()+1
	if err := x.reward(c, batch, first); err != nil {
		return err
	}
	return state.Set(x.streamKey, binary.BigEndian.AppendUint64(x.number[:0], out.Next))
}

func (x *execution) nextSequence(streamKey []byte) (uint64, error) {
	value, ok, err := x.b.State().Get(streamKey)
	if err != nil || !ok {
		return 0, err
	}
	if len(value) != 8 {
		return 0, fmt.Errorf("stream record has %d bytes, must have 8", len(value))
	}
	return binary.BigEndian.Uint64(value), nil
}

// gap appends the entry that stands for skip declared sequences.
func (x *execution) gap(c *checked, batch *protocol.Batch, skip uint64) {
	p := gapPayload(batch.Seed, batch.First, skip)
	x.appendEntry(protocol.Entry{
		Kind: protocol.EntryGap, Origin: c.sender, Stream: c.stream, Sequence: batch.First - skip,
		Cause: protocol.NoCause, Commitment: protocol.Commitment(p.Blind, p.Bytes),
	}, p)
}

// event appends event i of a batch, as itself or, where its (source, id) is
// already in the log, as a duplicate that points to the first one.
func (x *execution) event(c *checked, batch *protocol.Batch, i int, out *Outcome) error {
	ready := &c.events[i]
	e := protocol.Entry{
		Kind: protocol.EntryEvent, Origin: c.sender, Stream: c.stream, Sequence: batch.First + uint64(i),
		Cause: protocol.NoCause, Type: ready.typeHash, Commitment: ready.commitment,
	}
	index := x.b.LogSize()
	sourceKey := append(append(append(x.sourceKey[:0], sideSource), ready.source[:]...), c.sender[:]...)
	oldest := index - min(index, x.params.DedupeWindowEntries)
	value, met, err := x.b.SideSince(sourceKey, oldest)
	if err != nil {
		return err
	}
	if met && len(value) != 8 {
		return fmt.Errorf("source record has %d bytes, must have 8", len(value))
	}
	if met && binary.BigEndian.Uint64(value) >= oldest {
		e.Kind, e.Cause = protocol.EntryDuplicate, binary.BigEndian.Uint64(value)
		out.Duplicates++
	} else {
		x.b.SetRecent(sourceKey, binary.BigEndian.AppendUint64(x.number[:0], index))
	}
	x.appendEntry(e, Payload{Blind: ready.blind, Bytes: batch.Records[i]})
	return nil
}

// run is a stretch of a stream's entries that one batch appended. Where skip
// is not 0, its first entry is a gap that stands for so many sequences.
type run struct {
	sequence uint64 // of the first entry
	first    uint64 // its log index
	count    uint32 // entries
	skip     uint64
}

const runBytes = 8 + 4 + 8

func (r run) append(out []byte) []byte {
	out = binary.BigEndian.AppendUint64(out, r.first)
	out = binary.BigEndian.AppendUint32(out, r.count)
	return binary.BigEndian.AppendUint64(out, r.skip)
}

// addRun notes a stretch of a stream that this block appended.
func (x *execution) addRun(stream protocol.StreamID, r run) {
	x.runs[stream] = append(x.runs[stream], r)
	x.sideKey = append(append(x.sideKey[:0], sideRun), stream[:]...)
	x.sideKey = binary.BigEndian.AppendUint64(x.sideKey, r.sequence)
	x.sideValue = r.append(x.sideValue[:0])
	x.b.SetSide(x.sideKey, x.sideValue)
}

// index finds a sequence's entry; ok is false where the run ends before it.
func (r run) index(sequence uint64) (index uint64, ok bool) {
	offset := sequence - r.sequence
	if r.skip > 0 {
		if offset < r.skip {
			return r.first, true
		}
		offset -= r.skip - 1
	}
	return r.first + offset, offset < uint64(r.count)
}

// StreamEntry finds the log index of a stream's sequence. A sequence inside a
// declared gap answers the gap's entry. ok is false for a sequence the ledger
// does not hold yet.
func StreamEntry(side Lookup, stream protocol.StreamID, sequence uint64) (index uint64, ok bool, err error) {
	k, v, ok, err := side.SideBefore(key(sideRun, stream[:], u64(sequence)))
	if err != nil || !ok {
		return 0, false, err
	}
	prefix := key(sideRun, stream[:])
	if len(k) != len(prefix)+8 || string(k[:len(prefix)]) != string(prefix) {
		return 0, false, nil // the greatest smaller key belongs to another stream
	}
	if len(v) != runBytes {
		return 0, false, fmt.Errorf("stream run has %d bytes, must have %d", len(v), runBytes)
	}
	r := run{
		sequence: binary.BigEndian.Uint64(k[len(prefix):]), first: binary.BigEndian.Uint64(v),
		count: binary.BigEndian.Uint32(v[8:]), skip: binary.BigEndian.Uint64(v[12:]),
	}
	index, ok = r.index(sequence)
	return index, ok, nil
}

// absorbedIndex finds the entry of a sequence the stream already holds, in
// this block or an earlier one.
func (x *execution) absorbedIndex(stream protocol.StreamID, sequence uint64) (uint64, error) {
	for _, r := range x.runs[stream] {
		if sequence < r.sequence {
			break
		}
		if index, ok := r.index(sequence); ok {
			return index, nil
		}
	}
	index, ok, err := StreamEntry(x.store, stream, sequence)
	if err == nil && !ok {
		err = fmt.Errorf("stream index lacks sequence %d that the stream holds", sequence)
	}
	return index, err
}
