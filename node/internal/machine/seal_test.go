package machine

import (
	"strings"
	"testing"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/client/seal"
)

// A contract reads of a sealed event what its producer left in the clear: with
// the fields it wants there it is delivered, without them it is a dead letter.
func TestContractsReadWhatASealedEventShows(t *testing.T) {
	l := newLedger(t)
	l.deploy("parking")
	batch := &protocol.Batch{Stream: "s", Seed: [32]byte{1}}
	for i, clear := range [][]string{nil, {"occupied", "capacity"}} {
		e, err := protocol.DecodeRecord(scriptEvent([]string{"hidden", "shown"}[i], nil))
		if err != nil {
			t.Fatal(err)
		}
		if e, err = seal.Seal(e, seal.Key{1}, seal.Options{Clear: clear, Fields: true}); err != nil {
			t.Fatal(err)
		}
		batch.Records = append(batch.Records, e.AppendRecord(nil))
	}
	result := l.block(l.sign("producer", batch))
	if result.Delivered != 1 || result.Dead != 1 {
		t.Fatalf("%d delivered, %d dead", result.Delivered, result.Dead)
	}
	payload, err := ReadPayload(l.store, l.view(), 3)
	if err != nil {
		t.Fatal(err)
	}
	act, err := protocol.DecodeAct(payload.Bytes)
	letter, ok := act.(*protocol.DeadLetterAct)
	if err != nil || !ok || letter.Code != protocol.CodeProjection || l.entry(3).Cause != 1 {
		t.Fatalf("entry 3 is %+v, %v", act, err)
	}
	if e := l.event(2); !strings.Contains(string(e.Data), `"capacity":10`) || e.DataContentType != seal.ContentType {
		t.Fatalf("%s", e.Data)
	}
}
