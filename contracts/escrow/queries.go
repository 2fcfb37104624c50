package main

import "github.com/cairn-ledger/cairn/contracts/sdk"

// tell emits what became of an agreement.
func (a *agreement) tell(eventType, project string) {
	var w sdk.JSON
	a.write(&w, project)
	sdk.Emit(eventType, []byte(project), w.Bytes())
}

// write is an agreement as JSON. Amounts are text: they may be above 2^53.
func (a *agreement) write(w *sdk.JSON, project string) {
	w.Object().Key("project").String(project).Key("state").String(stateNames[a.state])
	w.Key("asset").String(a.asset).Key("amount").String(decimal(a.amount)).Key("paid").String(decimal(a.paid))
	w.Key("payer").String(hex(a.payer)).Key("payee").String(hex(a.payee))
	w.Key("reporter").String(hex(a.reporter)).Key("arbiter").String(hex(a.arbiter))
	w.Key("hold").Uint(a.hold).Key("deadlineMs").Uint(a.deadlineMs).EndObject()
}

func decimal(n uint64) string {
	var b [20]byte
	i := len(b)
	for {
		i--
		b[i] = byte('0' + n%10)
		if n /= 10; n == 0 {
			return string(b[i:])
		}
	}
}

func hex(a address) string {
	const digits = "0123456789abcdef"
	b := make([]byte, 0, 2*len(a))
	for _, c := range a {
		b = append(b, digits[c>>4], digits[c&15])
	}
	return string(b)
}

func queryAgreement(r *sdk.Request) {
	project := r.Text()
	a := mustFind(project)
	var w sdk.JSON
	a.write(&w, project)
	r.Reply(w.Bytes())
}

// queryAgreements lists agreements by name, after one and up to a limit.
func queryAgreements(r *sdk.Request) {
	after, limit := string(r.BytesOr(nil)), min(r.UintOr(maxListed), maxListed)
	var w sdk.JSON
	w.Array()
	add := func(project string, a *agreement) bool {
		if limit == 0 {
			return false
		}
		limit--
		a.write(&w, project)
		return true
	}
	if after == "" {
		agreements.Each(add)
	} else {
		agreements.After(after, add)
	}
	r.Reply(w.EndArray().Bytes())
}
