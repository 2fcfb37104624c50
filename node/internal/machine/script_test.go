package machine

import (
	"bufio"
	"crypto/sha256"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/genesis"
)

var rewrite = flag.Bool("rewrite", false, "rewrite testdata from what the machine does")

// Scripts read like the protocol: a line asks, the lines under ---- say what
// the ledger decided. One paragraph is one block.
//
//	batch stream=s first=0 ids=a,b|count=N [skip=N] [by=NAME] [ahead=N] [expired=1] [type=T] [day=DATE] [data=JSON]
//	deploy NAME | call CONTRACT METHOD | again (the last transaction once more)
//	redeliver CONTRACT INDEX
//	erase [stream=s] first=0 [count=N] reason=WORD [by=NAME]
//	params KEY=N ... (before the first block)
//	query CONTRACT METHOD ARGS
func TestScripts(t *testing.T) {
	paths, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(paths) == 0 {
		t.Fatal("no scripts", err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) { runScript(t, path) })
	}
}

func runScript(t *testing.T, path string) {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	s := &script{ledger: newLedger(t)}
	var out strings.Builder
	for _, paragraph := range strings.Split(strings.TrimSpace(string(text)), "\n\n") {
		asked, _, _ := strings.Cut(paragraph, "\n----")
		answer := s.paragraph(asked)
		fmt.Fprintf(&out, "%s\n----\n%s\n", asked, answer)
	}
	result := strings.TrimSuffix(out.String(), "\n")
	if *rewrite {
		if err := os.WriteFile(path, []byte(result), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if result != string(text) {
		t.Fatalf("%s differs; the machine did\n%s", path, result)
	}
}

// script is a ledger under a script.
type script struct {
	*ledger
	last []byte
}

// paragraph runs one block and describes it.
func (s *script) paragraph(asked string) string {
	var txs [][]byte
	var out strings.Builder
	before := s.store.Head()
	lines := bufio.NewScanner(strings.NewReader(asked))
	block := true
	for lines.Scan() {
		words := strings.Fields(lines.Text())
		switch {
		case len(words) == 0 || strings.HasPrefix(words[0], "#"):
		case words[0] == "params":
			s.params(words[1:])
			block = false
		case words[0] == "query":
			var answer any
			s.query(words[1], words[2], strings.Join(words[3:], " "), &answer)
			fmt.Fprintf(&out, "%v\n", answer)
			block = false
		case words[0] == "again":
			txs = append(txs, s.last)
		case words[0] == "empty":
		default:
			s.last = s.transaction(words)
			txs = append(txs, s.last)
		}
	}
	if !block {
		return out.String()
	}
	result := s.block(txs...)
	for _, o := range result.Outcomes {
		fmt.Fprintf(&out, "%s", o.Code.Name())
		if o.Entries > 0 || o.Absorbed > 0 {
			fmt.Fprintf(&out, " first=%d entries=%d", o.First, o.Entries)
		}
		for _, n := range []struct {
			name  string
			value uint64
		}{{"absorbed", uint64(o.Absorbed)}, {"duplicates", uint64(o.Duplicates)}, {"next", o.Next}, {"guest", uint64(o.GuestCode)}} {
			if n.value > 0 {
				fmt.Fprintf(&out, " %s=%d", n.name, n.value)
			}
		}
		fmt.Fprintln(&out)
	}
	s.describeLog(&out, before.LogSize)
	if s.store.Head().AppHash == before.AppHash {
		fmt.Fprintln(&out, "app hash unchanged")
	}
	return out.String()
}

// describeLog lists the entries a block appended, and the lag of contracts.
func (s *script) describeLog(out *strings.Builder, from uint64) {
	head := s.store.Head()
	if more := head.LogSize - from; more > 20 {
		fmt.Fprintf(out, "  %d to %d, the first of them:\n", from, head.LogSize-1)
	}
	for index := from; index < min(head.LogSize, from+20); index++ {
		if head.LogSize-from > 20 && index == from+2 {
			break
		}
		e := s.entry(index)
		fmt.Fprintf(out, "  %d %s", index, e.Kind)
		if e.Stream != (protocol.StreamID{}) {
			fmt.Fprintf(out, " sequence=%d", e.Sequence)
		}
		if e.Cause != protocol.NoCause {
			fmt.Fprintf(out, " cause=%d", e.Cause)
		}
		payload, err := ReadPayload(s.store, s.view(), index)
		if err != nil {
			s.t.Fatal(err)
		}
		if payload.Erased {
			fmt.Fprintln(out, " (erased)")
			continue
		}
		if protocol.Commitment(payload.Blind, payload.Bytes) != e.Commitment {
			s.t.Fatalf("entry %d does not commit to its payload", index)
		}
		switch e.Kind {
		case protocol.EntryEvent, protocol.EntryDuplicate, protocol.EntryEmitted:
			event := s.event(index)
			fmt.Fprintf(out, " %s %s", event.Type, event.Data)
		default:
			act, err := protocol.DecodeAct(payload.Bytes)
			if err != nil {
				s.t.Fatal(err)
			}
			switch act := act.(type) {
			case *protocol.GapAct:
				fmt.Fprintf(out, " count=%d", act.Count)
			case *protocol.DeadLetterAct:
				fmt.Fprintf(out, " %s guest=%d", act.Code.Name(), act.GuestCode)
			case *protocol.ContractAct:
				fmt.Fprintf(out, " %s", act.Name)
			case *protocol.EraseAct:
				fmt.Fprintf(out, " %d %s", act.Index, act.Reason)
			}
		}
		fmt.Fprintln(out)
	}
	view, err := s.store.View(head.Height)
	if err != nil {
		s.t.Fatal(err)
	}
	contracts, err := s.machine.Contracts(view)
	if err != nil {
		s.t.Fatal(err)
	}
	for _, c := range contracts {
		if lag, err := Lag(view, c.Address, head.LogSize); err != nil || lag > 0 {
			fmt.Fprintf(out, "  lag %s=%d\n", c.Manifest.Name, lag)
		}
	}
}

// params founds the ledger anew with other parameters.
func (s *script) params(words []string) {
	p := genesis.DefaultParams()
	fields := map[string]*uint64{
		"maxExpiryBlocks": &p.MaxExpiryBlocks, "dedupeWindowEntries": &p.DedupeWindowEntries,
		"blockGas": &p.BlockGas, "contractGas": &p.ContractGas, "deliveryGas": &p.DeliveryGas,
	}
	for _, word := range words {
		name, value, _ := strings.Cut(word, "=")
		n, err := strconv.ParseUint(value, 10, 64)
		if err != nil || fields[name] == nil {
			s.t.Fatalf("params: %s", word)
		}
		*fields[name] = n
	}
	b := s.store.Begin(0, 0)
	b.SetParams(p.Canonical())
	s.commit(b)
}

// transaction signs what a line asks for.
func (s *script) transaction(words []string) []byte {
	options := map[string]string{}
	for _, word := range words[1:] {
		if name, value, ok := strings.Cut(word, "="); ok {
			options[name] = value
		}
	}
	number := func(name string) uint64 {
		n, err := strconv.ParseUint(options[name], 10, 64)
		if err != nil && options[name] != "" {
			s.t.Fatalf("%s=%s", name, options[name])
		}
		return n
	}
	who, body := "author", protocol.Body(nil)
	switch words[0] {
	case "batch":
		who = "producer"
		batch := &protocol.Batch{Stream: options["stream"], First: number("first"), Skip: number("skip"), Seed: sha256.Sum256([]byte(options["ids"]))}
		ids := strings.Split(options["ids"], ",")
		if count := number("count"); count > 0 {
			ids = nil
			for i := range count {
				ids = append(ids, fmt.Sprintf("n%d", number("first")+i))
			}
		}
		for _, id := range ids {
			batch.Records = append(batch.Records, scriptEvent(id, options))
		}
		body = batch
	case "deploy":
		module, manifest := s.files(words[1])
		body = &protocol.Deploy{Code: module, Manifest: manifest, Args: []byte(options["args"])}
	case "redeliver":
		index, err := strconv.ParseUint(words[2], 10, 64)
		if err != nil {
			s.t.Fatal(err)
		}
		body = &protocol.Control{Contract: protocol.ContractAddress(s.keys["author"].Address(), words[1]), Action: protocol.ActionRedeliver, Index: index}
	case "erase":
		who = "producer"
		e := &protocol.Erase{Stream: options["stream"], First: number("first"), Count: max(number("count"), 1)}
		if err := e.Reason.UnmarshalText([]byte(options["reason"])); err != nil {
			s.t.Fatal(err)
		}
		body = e
	case "call":
		body = &protocol.Call{Contract: protocol.ContractAddress(s.keys["author"].Address(), words[1]), Method: words[2]}
	default:
		s.t.Fatalf("unknown line %v", words)
	}
	if by := options["by"]; by != "" {
		who = by
		if _, known := s.keys[by]; !known {
			s.keys[by] = testKey(by[0])
		}
	}
	s.nonce++
	expiry := s.store.Head().Height + 1 + number("ahead")
	if options["expired"] != "" {
		expiry = s.store.Head().Height
	}
	raw, err := protocol.SignTx(testChain, s.keys[who], expiry, s.nonce, body)
	if err != nil {
		s.t.Fatal(err)
	}
	return raw
}

func (s *script) files(name string) (module, manifest []byte) {
	module, err1 := os.ReadFile("../../../contracts/" + name + "/" + name + ".wasm")
	manifest, err2 := os.ReadFile("../../../contracts/" + name + "/manifest.json")
	if err1 != nil || err2 != nil {
		s.t.Fatal(err1, err2)
	}
	return module, manifest
}

// scriptEvent is a parking reading named id, at 08:00 on 2016-10-04 unless day= says otherwise.
func scriptEvent(id string, options map[string]string) []byte {
	at := time.Date(2016, 10, 4, 8, 0, 0, 0, time.UTC)
	if day := options["day"]; day != "" {
		var err error
		if at, err = time.Parse(time.DateOnly, day); err != nil {
			panic(err)
		}
	}
	e := protocol.Event{ID: id, Source: "/script", Type: "parking.occupancy.v1", Subject: "lot", TimeNs: at.UnixNano(), HasTime: true, DataForm: protocol.DataJSON, Data: []byte(`{"occupied":5,"capacity":10}`)}
	if options["type"] != "" {
		e.Type = options["type"]
	}
	if options["data"] != "" {
		e.Data = []byte(options["data"])
	}
	return e.AppendRecord(nil)
}
