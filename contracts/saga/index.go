package main

import "github.com/cairn-ledger/cairn/contracts/sdk"

// Two indexes lie outside every map and counter, whose keys begin with a
// length: the queues, and the deadlines.
//
//	00 'q' kind length name sequence    an order's name; in the order of placing
//	00 'd' deadline name                empty; in the order of time
//
// Sequence and deadline are eight bytes, big-endian: both are never negative.

// What orders wait for, in a queue's key.
const (
	forFunds = 'm' // of an account
	forStock = 's' // of an article
)

// queueKey begins the keys of one queue.
func queueKey(kind byte, name []byte) []byte {
	return append([]byte{0, 'q', kind, byte(len(name))}, name...)
}

// ascending appends a number so that keys sort as numbers do.
func ascending(b []byte, v uint64) []byte {
	return append(b, byte(v>>56), byte(v>>48), byte(v>>40), byte(v>>32), byte(v>>24), byte(v>>16), byte(v>>8), byte(v))
}

// enterQueue makes an order wait, or answers false where the queue is full.
// An order keeps the place that its placing gave it.
func (o *order) enterQueue(e *sdk.Event, queue []byte) bool {
	key := ascending(queue, o.history[0].index)
	if string(key) == string(o.queue) {
		return true
	}
	if len(members(queue)) >= maxWaiting {
		return false
	}
	o.leaveQueue()
	o.queue = key
	sdk.Set(key, o.id)
	return true
}

func (o *order) leaveQueue() {
	if o.queue != nil {
		sdk.Delete(o.queue)
		o.queue = nil
	}
}

// members answers the names of the orders in a queue, the oldest first.
func members(queue []byte) (ids [][]byte) {
	sdk.Each(queue, nil, func(_, id []byte) bool {
		ids = append(ids, id)
		return len(ids) < maxWaiting
	})
	return ids
}

// wake resumes the orders of a queue, the oldest first: each that fits.
func wake(e *sdk.Event, queue []byte) {
	for _, id := range members(queue) {
		o := mustFind(id)
		o.resume(e)
		o.save()
	}
}

// moveDeadline sets when the clock ends an order; 0 is never.
func (o *order) moveDeadline(to int64) {
	if o.deadline != 0 {
		sdk.Delete(o.deadlineKey())
	}
	if o.deadline = to; to != 0 {
		sdk.Set(o.deadlineKey(), nil)
	}
}

func (o *order) deadlineKey() []byte {
	return append(ascending([]byte{0, 'd'}, uint64(o.deadline)), o.id...)
}

// dueBy answers the names of at most maxDue orders whose deadline is not
// after a time, the earliest first.
func dueBy(timeNs int64) (ids [][]byte) {
	end := ascending([]byte{0, 'd'}, uint64(timeNs)+1)
	sdk.Each([]byte{0, 'd'}, nil, func(key, _ []byte) bool {
		if string(key[:len(end)]) >= string(end) {
			return false
		}
		ids = append(ids, key[len(end):])
		return len(ids) < maxDue
	})
	return ids
}
