package main

import (
	"encoding/json"
	"strings"
)

// auditEvents recomputes every account and every article from the emitted
// events alone, as an auditor does who does not trust the contract's state.
func (r *run) auditEvents() {
	held, captured := map[string]int64{}, map[string]int64{}
	out := map[string]int64{} // pieces reserved, shipped or lost
	status := map[string]string{}
	for _, e := range r.Emitted {
		var v struct {
			Order, Account, From, Status string
			AmountMinor                  int64
			Cause                        uint64
			Lines                        []struct {
				Article  string
				Quantity int64
			}
		}
		if err := json.Unmarshal(e.Data, &v); err != nil || v.Order != e.Subject || v.Cause == 0 {
			r.t.Fatalf("%s %s: %v", e.Type, e.Data, err)
		}
		v.Account = named(v.Account)
		sign := int64(1)
		switch strings.TrimSuffix(e.Type, ".v1") {
		case "payment.held":
			held[v.Account] += v.AmountMinor
		case "payment.released":
			held[v.Account] -= v.AmountMinor
		case "payment.captured":
			held[v.Account] -= v.AmountMinor
			captured[v.Account] += v.AmountMinor
		case "payment.refunded":
			captured[v.Account] -= v.AmountMinor
		case "stock.released":
			sign = -1
		case "stock.lost":
			sign = 0
		case "order.status":
			before := status[v.Order]
			if before == "" {
				before = "none"
			}
			if before != v.From {
				r.t.Fatalf("%s was %s and moves from %s", v.Order, before, v.From)
			}
			status[v.Order] = v.Status
		}
		for _, l := range v.Lines {
			out[l.Article] += sign * l.Quantity
		}
	}
	for _, name := range runAccounts {
		if held[name] != int64(r.m.held[name]) || captured[name] != int64(r.m.captured[name]) {
			r.t.Fatalf("by the events %s has %d held and %d captured, the model says %d and %d",
				name, held[name], captured[name], r.m.held[name], r.m.captured[name])
		}
	}
	for _, name := range runArticles {
		if want := int64(r.m.set[name] + r.m.gone[name] + r.m.lost[name]); out[name] != want {
			r.t.Fatalf("by the events %d of %s are out, the model says %d", out[name], name, want)
		}
	}
	for _, o := range r.m.list {
		if status[o.id] != o.status {
			r.t.Fatalf("by the events %s is %s, the model says %s", o.id, status[o.id], o.status)
		}
	}
}
