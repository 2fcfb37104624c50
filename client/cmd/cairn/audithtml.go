package main

import (
	"bytes"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"time"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/node/sim"
)

//go:embed audit.html
var auditPage string

var auditTemplate = template.Must(template.New("audit").Funcs(template.FuncMap{
	"time":    func(t time.Time) string { return t.UTC().Format(reportTime) },
	"stamp":   func(t time.Time) string { return t.UTC().Format(time.DateTime) },
	"short":   shortAddress,
	"pretty":  prettyJSON,
	"value":   func(v []byte) string { return sim.DescribeValue([]byte{'k'}, v) },
	"receipt": receiptLink,
	"grouped": grouped,
	"add":     func(a, b int) int { return a + b },
	"holds":   func(b *bool) bool { return b != nil && *b },
}).Parse(auditPage))

// html is the report as one page that needs nothing else.
func (w *why) html() ([]byte, error) {
	var out bytes.Buffer
	if err := auditTemplate.Execute(&out, w); err != nil {
		return nil, fmt.Errorf("report: %w", err)
	}
	return out.Bytes(), nil
}

// Computed says whether a contract or the ledger made the entry.
func (w *why) Computed() bool { return w.Steps[0].Reproduced != nil }

// Answer is the entry that was asked about.
func (w *why) Answer() *whyStep { return &w.Steps[0] }

// Origin is the entry that everything began with.
func (w *why) Origin() *whyStep { return &w.Steps[len(w.Steps)-1] }

// WriterCount counts the runs listed for all values.
func (w *why) WriterCount() (n int) {
	for i := range w.Values {
		n += len(w.Values[i].Writers)
	}
	return n
}

// shortAddress cuts the middle out of an address, in running text.
func shortAddress(a protocol.Address) string {
	text := a.String()
	return text[:12] + "\u2026" + text[len(text)-6:]
}

func prettyJSON(data json.RawMessage) string {
	var out bytes.Buffer
	if json.Indent(&out, data, "", "  ") != nil {
		return string(data)
	}
	return out.String()
}

// receiptLink carries a receipt inside the page: a click saves it.
func receiptLink(receipt json.RawMessage) template.URL {
	return template.URL("data:application/json;base64," + base64.StdEncoding.EncodeToString(receipt))
}
