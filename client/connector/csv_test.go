package connector

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// readAll reads a source to its end and closes it.
func readAll(t testing.TB, s Source) ([]Record, error) {
	t.Helper()
	defer s.Close()
	var records []Record
	for {
		r, err := s.Next()
		if errors.Is(err, io.EOF) {
			return records, nil
		}
		if err != nil {
			return records, err
		}
		if r.Sequence != uint64(len(records)) {
			t.Fatalf("record %d has sequence %d", len(records), r.Sequence)
		}
		records = append(records, r)
	}
}

func fromText(text string, m Mapping) (*CSV, error) {
	return NewCSV("f.csv", io.NopCloser(strings.NewReader(text)), m)
}

// A row becomes the event that the parking demo speaks of.
func TestParkingRow(t *testing.T) {
	for _, mark := range []string{"", "\xef\xbb\xbf"} {
		source, err := fromText(mark+"SystemCodeNumber,Capacity,Occupancy,LastUpdated\r\nBHMBCCMKT01,577,-8,2016-10-04 07:59:42\r\n", ParkingMapping("birmingham"))
		if err != nil {
			t.Fatal(err)
		}
		records, err := readAll(t, source)
		if err != nil || len(records) != 1 {
			t.Fatalf("%v %v", records, err)
		}
		text, err := records[0].Event.MarshalJSON()
		if err != nil {
			t.Fatal(err)
		}
		const want = `{"specversion":"1.0","id":"BHMBCCMKT01@2016-10-04T07:59:42Z","source":"/parking/birmingham","type":"parking.occupancy.v1",` +
			`"subject":"BHMBCCMKT01","datacontenttype":"application/json","time":"2016-10-04T07:59:42Z","data":{"occupied":-8,"capacity":577}}`
		if string(text) != want {
			t.Errorf("got  %s\nwant %s", text, want)
		}
	}
}

// Every kind is written as JSON without loss; texts with quotes and line
// breaks, member names with any character, times in a zone.
func TestKindsAndTemplates(t *testing.T) {
	m := Mapping{
		Source: "/s/{a}", Type: "t.v1", ID: "}{a}-{time}", Subject: "{a}{b}",
		Time: &TimeColumn{Column: "at", Layout: "02/01/2006 15:04", Zone: "Europe/London"},
		Data: []DataField{{"i", "b", "int"}, {"u", "a", "uint"}, {"d", "d", "decimal"}, {"s\x07\"\u2028", "s", "string"}, {"ok", "ok", "bool"}},
	}
	source, err := fromText("a,b,d,s,ok,at,rest\n7,-9,3.1700e2,\"x,\"\"y\"\"\nz\",true,01/07/2018 00:15,\xff\n", m)
	if err != nil {
		t.Fatal(err)
	}
	records, err := readAll(t, source)
	if err != nil || len(records) != 1 {
		t.Fatalf("%v %v", records, err)
	}
	e := records[0].Event
	const data = `{"i":-9,"u":7,"d":3.1700e2,"s\u0007\"\u2028":"x,\"y\"\nz","ok":true}`
	if string(e.Data) != data || e.Source != "/s/7" || e.ID != "}7-2018-06-30T23:15:00Z" || e.Subject != "7-9" || protocol.FormatTime(e.TimeNs) != "2018-06-30T23:15:00Z" {
		t.Errorf("%+v\n%s", e, e.Data)
	}
}

// What is wrong with a file is said with its line and column.
func TestRowRefusals(t *testing.T) {
	m := Mapping{
		Source: "/s", Type: "t", ID: "{id}", Time: &TimeColumn{Column: "at", Layout: "2006-01-02"},
		Data: []DataField{{"i", "i", "int"}, {"u", "u", "uint"}, {"d", "d", "decimal"}, {"s", "s", "string"}, {"b", "b", "bool"}},
	}
	const header, good = "id,at,i,u,d,s,b\n", "1,2020-01-02,1,1,1,x,true\n"
	for _, c := range []struct {
		name, row, want string
	}{
		{"an int", "2,2020-01-02,1.5,1,1,x,true", `f.csv, line 3: column i: "1.5" is not a whole number`},
		{"an int out of range", "2,2020-01-02,9223372036854775808,1,1,x,true", "line 3: column i"},
		{"a negative uint", "2,2020-01-02,1,-1,1,x,true", "line 3: column u"},
		{"a hexadecimal decimal", "2,2020-01-02,1,1,0x10,x,true", "line 3: column d"},
		{"a fraction", "2,2020-01-02,1,1,1/2,x,true", "line 3: column d"},
		{"a decimal with space", "2,2020-01-02,1,1,1 ,x,true", "line 3: column d"},
		{"an empty decimal", "2,2020-01-02,1,1,,x,true", "line 3: column d"},
		{"a word for a decimal", "2,2020-01-02,1,1,true,x,true", "line 3: column d"},
		{"text that is not UTF-8", "2,2020-01-02,1,1,1,\xe9,true", `line 3: column s: "\xe9" is not UTF-8`},
		{"a bool", "2,2020-01-02,1,1,1,x,yes", "line 3: column b"},
		{"a time", "2,02.01.2020,1,1,1,x,true", `line 3: column at: "02.01.2020" is not a time like 2006-01-02`},
		{"a day that is not", "2,2020-02-30,1,1,1,x,true", "line 3: column at"},
		{"a year out of range", "2,1500-01-01,1,1,1,x,true", "line 3: column at: the year 1500"},
		{"no id", ",2020-01-02,1,1,1,x,true", `line 3: EVENT_ATTRIBUTE_MISSING: event: attribute "id"`},
		{"too few fields", "2,2020-01-02", "f.csv: record on line 3: wrong number of fields"},
		{"a quote inside", `2,2020-01-02,1,1,1,x"y,true`, "f.csv: parse error on line 3, column"},
		{"a long field", "2,2020-01-02,1,1,1," + strings.Repeat("x", maxFieldBytes+1) + ",true", "line 3, column s: longer than 16384 bytes"},
		{"an open quote", `2,2020-01-02,1,1,1,"x,true`, "f.csv: record on line 3; parse error on line 4"},
	} {
		source, err := fromText(header+good+c.row+"\n"+good, m)
		if err != nil {
			t.Fatal(err)
		}
		records, err := readAll(t, source)
		if err == nil || !strings.Contains(err.Error(), c.want) || len(records) != 1 {
			t.Errorf("%s: %d records, %v; want %q", c.name, len(records), err, c.want)
		}
	}
}

// endless is a file of one letter; it counts what was read of it.
type endless struct{ read int }

func (e *endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	e.read += len(p)
	return len(p), nil
}

// A quote that is never closed, and a header without end, cost bounded memory.
func TestARowIsBounded(t *testing.T) {
	for _, start := range []string{"a,b\n1,2\n3,\"", "a,b\n1,2\n3,"} {
		rest := &endless{}
		source, err := NewCSV("f.csv", io.NopCloser(io.MultiReader(strings.NewReader(start), rest)), Mapping{Source: "/s", Type: "t", ID: "{a}"})
		if err != nil {
			t.Fatal(err)
		}
		records, err := readAll(t, source)
		if err == nil || !strings.Contains(err.Error(), "the row after line 2 is longer than 1048576 bytes") || len(records) != 1 {
			t.Errorf("%d records, %v", len(records), err)
		}
		if rest.read > maxRowBytes+4*readAhead {
			t.Errorf("%d bytes were read for one row", rest.read)
		}
	}
	if _, err := NewCSV("f.csv", io.NopCloser(&endless{}), Mapping{}); err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("an endless header: %v", err)
	}
	// Rows at the bound pass, many of them.
	row := strings.Repeat(strings.Repeat("y", maxFieldBytes)+",", maxRowBytes/(maxFieldBytes+1)-1)
	header := strings.TrimSuffix(strings.Repeat("u,", strings.Count(row, ",")), ",")
	source, err := fromText("a,"+header+"\n"+strings.Repeat("1,"+row[:len(row)-1]+"\n", 4), Mapping{Source: "/s", Type: "t", ID: "{a}"})
	if err != nil {
		t.Fatal(err)
	}
	if records, err := readAll(t, source); err != nil || len(records) != 4 {
		t.Errorf("%d records, %v", len(records), err)
	}
}

// A mapping that does not fit the file is refused before the first row.
func TestMappingRefusals(t *testing.T) {
	for _, c := range []struct {
		want   string
		change func(m *Mapping)
	}{
		{`id: the file has no column "x"; it has a, b, twice, twice`, func(m *Mapping) { m.ID = "{x}" }},
		{`source: the file has the column "twice" twice`, func(m *Mapping) { m.Source = "{twice}" }},
		{"subject: { without }", func(m *Mapping) { m.Subject = "}{a" }},
		{"the mapping has no time", func(m *Mapping) { m.ID = "{time}" }},
		{`time: the file has no column "at"`, func(m *Mapping) { m.Time = &TimeColumn{Column: "at", Layout: "2006"} }},
		{"time: layout is missing", func(m *Mapping) { m.Time = &TimeColumn{Column: "a"} }},
		{`time: zone "Europe/Atlantis"`, func(m *Mapping) { m.Time = &TimeColumn{Column: "a", Layout: "2006", Zone: "Europe/Atlantis"} }},
		{`data "n": the file has no column "x"`, func(m *Mapping) { m.Data[0].Column = "x" }},
		{`data "n": the file has the column "twice" twice`, func(m *Mapping) { m.Data[0].Column = "twice" }},
		{`data "n": kind "float" must be one of int, uint, decimal, string, bool`, func(m *Mapping) { m.Data[0].Kind = "float" }},
		{`data "": a member needs a name`, func(m *Mapping) { m.Data[0].Name = "" }},
		{`data "n": is there twice`, func(m *Mapping) { m.Data = append(m.Data, m.Data[0]) }},
	} {
		m := Mapping{Source: "/s", Type: "t", ID: "{a}", Data: []DataField{{"n", "b", "int"}}}
		c.change(&m)
		if _, err := fromText("a,b,twice,twice\n", m); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
	if _, err := fromText("", Mapping{}); err == nil || !strings.Contains(err.Error(), "is empty") {
		t.Errorf("an empty file: %v", err)
	}
}

// A mapping file is strict, and its errors name it.
func TestMappingFile(t *testing.T) {
	dir := t.TempDir()
	data, mapping := filepath.Join(dir, "d.csv"), filepath.Join(dir, "m.json")
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(data, "a,b\n1,2\n")
	const good = `{"source":"/s","type":"t","id":"{a}","data":[{"name":"b","column":"b","kind":"int"}]}`
	write(mapping, good)
	source, err := OpenCSV(data, mapping)
	if err != nil {
		t.Fatal(err)
	}
	if records, err := readAll(t, source); err != nil || len(records) != 1 || string(records[0].Event.Data) != `{"b":2}` {
		t.Fatalf("%v %v", records, err)
	}
	for _, bad := range []string{"", "{", good + "{}", strings.Replace(good, `"type"`, `"typ"`, 1)} {
		write(mapping, bad)
		if _, err := OpenCSV(data, mapping); err == nil || !strings.Contains(err.Error(), mapping) {
			t.Errorf("%q: %v", bad, err)
		}
	}
	write(mapping, good)
	if _, err := OpenCSV(filepath.Join(dir, "missing.csv"), mapping); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}

// FuzzCSV: whatever a file holds, what comes out of it is a valid event.
func FuzzCSV(f *testing.F) {
	f.Add("SystemCodeNumber,Capacity,Occupancy,LastUpdated\nA,1,2,2016-10-04 07:59:42\n")
	f.Add("LastUpdated,SystemCodeNumber,Capacity,Occupancy\n2016-10-04 07:59:42,\"A\nB\",1,-2\n")
	f.Fuzz(func(t *testing.T, text string) {
		source, err := fromText(text, ParkingMapping("x"))
		if err != nil {
			return
		}
		for {
			r, err := source.Next()
			if err != nil {
				return
			}
			if err := r.Event.Validate(); err != nil {
				t.Fatalf("%q gives an event that is refused: %v", text, err)
			}
		}
	})
}
