package connector

import (
	"fmt"
	"io"
	"log"
	"strings"
	"testing"

	"github.com/cairn-ledger/cairn/client/protocol"
)

func lines(text string) *JSONLines {
	return NewJSONLines("f.jsonl", io.NopCloser(strings.NewReader(text)))
}

const line = `{"specversion":"1.0","id":"%d","source":"/s","type":"t","data":{ "kWh": 3.170 }}`

// One event a line; blank lines, line ends of Windows and a missing last line
// end change nothing, and data stay octet for octet.
func TestJSONLines(t *testing.T) {
	text := "\xef\xbb\xbf" + fmt.Sprintf(line, 0) + "\r\n\n \t\n" + fmt.Sprintf(line, 1) + "\n" + fmt.Sprintf(line, 2)
	records, err := readAll(t, lines(text))
	if err != nil || len(records) != 3 {
		t.Fatalf("%v %v", records, err)
	}
	for i, r := range records {
		if r.Event.ID != fmt.Sprint(i) || string(r.Event.Data) != `{ "kWh": 3.170 }` {
			t.Errorf("record %d: %+v", i, r.Event)
		}
	}
}

// What is wrong is said with the line it is in.
func TestJSONLinesRefusals(t *testing.T) {
	for _, c := range []struct{ bad, want string }{
		{"hello", "f.jsonl, line 3: EVENT_MALFORMED"},
		{`{"specversion":"1.0","id":"1","type":"t"}`, `f.jsonl, line 3: EVENT_ATTRIBUTE_MISSING: event: attribute "source"`},
		{strings.Repeat("x", 2*maxLineBytes), fmt.Sprintf("f.jsonl, line 3: longer than %d bytes", maxLineBytes)},
	} {
		records, err := readAll(t, lines(fmt.Sprintf(line, 0)+"\n\n"+c.bad+"\n"+fmt.Sprintf(line, 1)))
		if err == nil || !strings.Contains(err.Error(), c.want) || len(records) != 1 {
			t.Errorf("%d records, %v; want %q", len(records), err, c.want)
		}
	}
	_, err := readAll(t, lines(`{"specversion":"1.0","id":"1","type":"t"}`))
	if code, ok := protocol.CodeOf(err); !ok || code != protocol.CodeEventMissing {
		t.Errorf("the code is lost: %v", err)
	}
}

// A meter's readings, with the times of the place where it stands.
func ExampleNewCSV() {
	file := strings.NewReader("meter,read,kWh\nm-17,31/03/2018 23:45,3.170\n")
	source, err := NewCSV("meters.csv", io.NopCloser(file), Mapping{
		Source: "/meters/steel", Type: "meter.reading.v1", ID: "{meter}@{time}", Subject: "{meter}",
		Time: &TimeColumn{Column: "read", Layout: "02/01/2006 15:04", Zone: "Asia/Seoul"},
		Data: []DataField{{Name: "kWh", Column: "kWh", Kind: "decimal"}},
	})
	if err != nil {
		log.Fatal(err)
	}
	defer source.Close()
	record, err := source.Next()
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(record.Sequence, record.Event.ID, string(record.Event.Data))
	// Output: 0 m-17@2018-03-31T14:45:00Z {"kWh":3.170}
}
