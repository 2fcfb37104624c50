package machine

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/genesis"
	"github.com/cairn-ledger/cairn/node/internal/registry"
)

const (
	meterV1 = `{"type":"object","properties":{"kwh":{"type":"number","minimum":0}},"required":["kwh"]}`
	meterV2 = `{"type":"object","properties":{"kwh":{"type":"number","minimum":0},"phase":{"type":"integer"}},"required":["kwh","phase"]}`
)

// meters makes a batch of one event for each of some data; version 0 names none.
func meters(first uint64, version uint64, data ...string) *protocol.Batch {
	batch := &protocol.Batch{Stream: "meters", First: first}
	for i, text := range data {
		e := protocol.Event{ID: fmt.Sprint(first + uint64(i)), Source: "/meter", Type: "meter.v1", DataForm: protocol.DataJSON, Data: []byte(text)}
		if version > 0 {
			e.DataSchema = protocol.SchemaURI("meter.v1", version)
		}
		batch.Records = append(batch.Records, e.AppendRecord(nil))
	}
	return batch
}

// both holds the door and execution to one answer.
func (l *ledger) both(who string, body protocol.Body, want protocol.Code) Outcome {
	l.t.Helper()
	raw := l.sign(who, body)
	l.wantDoor(raw, want)
	return l.must(l.block(raw).Outcomes[0], want)
}

func register(text string, rule protocol.SchemaRule) *protocol.RegisterSchema {
	return &protocol.RegisterSchema{Type: "meter.v1", Rule: rule, Text: []byte(text)}
}

// The life of a type's schemas, at the door, in execution, and again on a node
// that replays the blocks with cold caches.
func TestSchemasHoldEvents(t *testing.T) {
	l := newLedger(t)
	l.both("producer", meters(0, 0, `{"kwh":-1}`), protocol.CodeOK) // nothing is registered
	l.both("producer", register(meterV1, protocol.SchemaForward), protocol.CodeUnauthorized)
	l.both("author", register(`{"type":"objekt"}`, protocol.SchemaForward), protocol.CodeSchemaInvalid)
	l.both("author", register("", protocol.SchemaForward), protocol.CodeSchemaUnknown)
	out := l.both("author", register(meterV1, protocol.SchemaForward), protocol.CodeOK)
	entry, payload := l.entry(out.First), &protocol.SchemaAct{}
	if p, err := ReadPayload(l.store, l.view(), out.First); err != nil {
		t.Fatal(err)
	} else if act, err := protocol.DecodeAct(p.Bytes); err != nil {
		t.Fatal(err)
	} else {
		payload = act.(*protocol.SchemaAct)
	}
	if entry.Kind != protocol.EntrySchema || payload.Version != 1 || payload.Hash != sha256.Sum256([]byte(meterV1)) || entry.Origin != testKey('a').Address() {
		t.Fatalf("%+v %+v", entry, payload)
	}
	bad := meters(1, 0, `{"kwh":1}`, `{"kwh":-1}`)
	raw := l.sign("producer", bad)
	if err := l.door(raw); err == nil || !strings.Contains(err.Error(), `event 1 of the batch: event "2" of "/meter", type "meter.v1": /kwh must be at least 0 (schema /properties/kwh/minimum)`) {
		t.Fatal(err)
	}
	before := l.store.Head().LogSize
	l.must(l.block(raw).Outcomes[0], protocol.CodeSchemaMismatch)
	if l.store.Head().LogSize != before {
		t.Fatal("a batch with a bad event left entries behind")
	}
	out = l.both("producer", meters(1, 0, `{"kwh":1}`, `{"kwh":2.5,"more":[]}`), protocol.CodeOK)
	if out.Gas == 0 || out.Gas%gasPerStep != 0 {
		t.Fatalf("%d gas", out.Gas)
	}
	l.both("author", register(meterV1, protocol.SchemaForward), protocol.CodeSchemaExists)
	l.both("author", register(`{"type":"object"}`, protocol.SchemaForward), protocol.CodeSchemaBreaks)
	l.both("author", register(meterV2, protocol.SchemaForward), protocol.CodeOK)
	l.both("producer", meters(3, 0, `{"kwh":1}`), protocol.CodeSchemaMismatch)
	l.both("producer", meters(3, 1, `{"kwh":1}`), protocol.CodeOK)
	l.both("producer", meters(4, 2, `{"kwh":1}`), protocol.CodeSchemaMismatch)
	l.both("producer", meters(4, 3, `{"kwh":1,"phase":1}`), protocol.CodeSchemaUnknown)
	l.both("producer", meters(4, 2, `{"kwh":1,"phase":1}`), protocol.CodeOK)
	l.both("author", register("", protocol.SchemaNone), protocol.CodeOK)
	l.both("author", register(`true`, protocol.SchemaNone), protocol.CodeOK)
	l.both("producer", meters(5, 0, `[]`), protocol.CodeOK)
	// A batch that the stream holds is absorbed, whatever its events would be held to now.
	if out := l.both("producer", meters(3, 1, `{"kwh":1}`), protocol.CodeOK); out.Absorbed != 1 {
		t.Fatalf("%+v", out)
	}
	newLedger(t).replay(l)
}

// Data that are no JSON, absent or sealed.
func TestSchemasAndOtherData(t *testing.T) {
	l := newLedger(t)
	l.both("author", register(meterV1, protocol.SchemaNone), protocol.CodeOK)
	form := func(form protocol.DataForm, contentType, data string) *protocol.Batch {
		e := protocol.Event{ID: "1", Source: "/meter", Type: "meter.v1", DataForm: form, DataContentType: contentType, Data: []byte(data)}
		return &protocol.Batch{Stream: "s", Records: [][]byte{e.AppendRecord(nil)}}
	}
	sealed := form(protocol.DataJSON, protocol.SealedContentType, `{"any":"thing"}`)
	l.both("producer", form(protocol.DataNone, "", ""), protocol.CodeSchemaMismatch)
	l.both("producer", form(protocol.DataText, "text/plain", "kwh 1"), protocol.CodeSchemaMismatch)
	l.both("producer", form(protocol.DataBinary, "application/json", `{"kwh":1}`), protocol.CodeSchemaMismatch)
	l.both("producer", form(protocol.DataJSON, "application/json", `{"kwh":1,"kwh":1}`), protocol.CodeSchemaMismatch)
	l.both("producer", sealed, protocol.CodeSchemaMismatch)
	l.both("author", register(strings.Replace(meterV1, "{", `{"x-sealed":true,`, 1), protocol.SchemaBackward), protocol.CodeOK)
	l.both("producer", sealed, protocol.CodeOK)
	l.both("author", register(meterV1, protocol.SchemaBackward), protocol.CodeSchemaBreaks)
}

// The council says which version is in force, and whose a type's schemas are.
func TestCouncilAndSchemas(t *testing.T) {
	l := governed(t)
	official := func(text string) protocol.GovAction {
		a := protocol.GovAction{Kind: protocol.GovSchema, Name: "meter.v1"}
		if text != "" {
			a.Hash = sha256.Sum256([]byte(text))
		}
		return a
	}
	l.propose(protocol.CodeSchemaUnknown, official(meterV1))
	l.both("x", register(meterV1, protocol.SchemaNone), protocol.CodeOK) // of the council
	l.both("author", register(meterV2, protocol.SchemaNone), protocol.CodeSchemaOwner)
	l.propose(protocol.CodeSchemaUnknown, official(meterV2))
	l.pass(official(meterV1), protocol.GovAction{Kind: protocol.GovSchema, Name: "meter.v1", Account: testKey('a').Address()})
	l.both("x", register(meterV2, protocol.SchemaNone), protocol.CodeSchemaOwner)
	l.both("author", register(meterV2, protocol.SchemaNone), protocol.CodeOK)
	l.both("producer", meters(0, 0, `{"kwh":1}`), protocol.CodeOK) // version 1 is in force
	l.both("producer", meters(1, 2, `{"kwh":1,"phase":1}`), protocol.CodeSchemaUnknown)
	l.pass(official(meterV2))
	l.both("producer", meters(1, 0, `{"kwh":1}`), protocol.CodeSchemaMismatch)
	l.pass(official(meterV1))
	l.pass(official(""))
	l.both("producer", meters(1, 0, `{"kwh":1}`), protocol.CodeSchemaMismatch)
	if _, ok, err := registry.Official(l.view(), "meter.v1"); ok || err != nil {
		t.Fatal(ok, err)
	}
}

// What a schema says of a contract's own events holds for the contract.
func TestSchemasHoldContracts(t *testing.T) {
	l := newLedgerOf(t, func(doc *genesis.Document) { doc.Accounts[1].Roles = append(doc.Accounts[1].Roles, "producer") })
	l.must(l.deploy("parking"), protocol.CodeOK)
	l.must(l.one("author", &protocol.RegisterSchema{Type: "parking.reservation.status.v1", Text: []byte(`false`)}), protocol.CodeOK)
	batch := &protocol.Batch{Stream: "app"}
	for i, e := range [...]protocol.Event{
		{Type: "parking.lot.spaces.v1", Data: []byte(`{"reservable":5}`)},
		{Type: "parking.reservation.request.v1", Data: []byte(`{"reservation":"r","from":"2023-06-06T00:00:00Z","to":"2023-06-06T01:00:00Z"}`)},
	} {
		e.ID, e.Source, e.Subject, e.DataForm = fmt.Sprint(i), "/app", "lot-1", protocol.DataJSON
		e.HasTime, e.TimeNs = true, 1_685_923_200_000_000_000
		batch.Records = append(batch.Records, e.AppendRecord(nil))
	}
	result := l.block(l.sign("author", batch))
	if len(result.Logs) != 1 || result.Logs[0].Code != protocol.CodeSchemaMismatch {
		t.Fatalf("%+v", result)
	}
}

// One block takes so many schemas and so much checking, and the rest can be sent again.
func TestSchemasOfABlockAreBounded(t *testing.T) {
	l := newLedger(t)
	var txs [][]byte
	for i := range maxSchemasInBlock + 1 {
		txs = append(txs, l.sign("author", &protocol.RegisterSchema{Type: fmt.Sprint("t", i), Text: []byte("true")}))
	}
	outcomes := l.block(txs...).Outcomes
	l.must(outcomes[maxSchemasInBlock-1], protocol.CodeOK)
	l.must(outcomes[maxSchemasInBlock], protocol.CodeSchemaBusy)
	costly := `{"items":{"pattern":"^(a{1,20}b?){1,9}$"}}`
	l.both("author", register(costly, protocol.SchemaNone), protocol.CodeOK)
	long := `[` + strings.Repeat(`"aaaaaaaaaaaaaaaaaaaa",`, 60) + `"a"]`
	var data []string
	for range 2000 {
		data = append(data, long)
	}
	l.both("producer", meters(0, 0, data...), protocol.CodeSchemaCost)
	l.both("producer", meters(0, 0, data[:50]...), protocol.CodeOK)
}
