package main

import "github.com/cairn-ledger/cairn/contracts/sdk"

// Bounds of a page of prices.
const (
	defaultPage = 100
	maxPage     = 500
)

// queryPrice answers one lot's band.
func queryPrice(r *sdk.Request) {
	lot, band := r.Bytes(), r.Bytes()
	if len(band) != 1 || len(lot) > maxLotBytes {
		sdk.Abort(codeNotFound, "NOT_FOUND: a band is A, B or C")
	}
	b := load(lot, band[0])
	if !b.known {
		sdk.Abort(codeNotFound, "NOT_FOUND: no reading of this lot and band came in yet")
	}
	var w sdk.JSON
	b.describe(&w)
	r.Reply(w.Bytes())
}

// queryPrices answers the lots' bands in the byte order of their names, from
// the first after the given one, and where the next page starts.
func queryPrices(r *sdk.Request) {
	after := r.BytesOr(nil)
	limit := r.UintOr(defaultPage)
	if limit == 0 || limit > maxPage {
		limit = maxPage
	}
	if n := len(after); n > 1 && after[n-2] == '/' { // the last / is not of the lot's name
		after = append(append([]byte{}, after[:n-2]...), after[n-1])
	}
	var w sdk.JSON
	w.Object().Key("prices").Array()
	var last []byte
	more := false
	lotBands.Each(after, func(key, value []byte) bool {
		if more = limit == 0; more {
			return false
		}
		decode(key, value).describe(&w)
		last = key
		limit--
		return true
	})
	w.EndArray().Key("next")
	if more {
		n := len(last) - 1
		w.Text(append(append(append([]byte{}, last[:n]...), '/'), last[n]))
	} else {
		w.Null()
	}
	w.EndObject()
	r.Reply(w.Bytes())
}

// queryEvaluations answers how many weeks were evaluated over all lots.
func queryEvaluations(r *sdk.Request) {
	var w sdk.JSON
	w.Object().Key("evaluations").Uint(evaluated.Value()).EndObject()
	r.Reply(w.Bytes())
}

// describe writes all that is known of a lot's band. week, occupancyBp and
// stepCents are those of its last evaluation.
func (b *lotBand) describe(w *sdk.JSON) {
	w.Object()
	b.name(w)
	b.result(w)
	w.Key("openWeek")
	week(w, b.open, b.week)
	w.Key("evaluations").Uint(uint64(b.evaluations))
	w.EndObject()
}
