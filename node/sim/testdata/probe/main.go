// Probe is a contract for tests of the ledger: it does what it is told, and
// with it whatever a contract can do to others and to itself.
package main

import "github.com/cairn-ledger/cairn/contracts/sdk"

// Codes of refusals.
const (
	codeTold = 7 // it was told to refuse
	codeRing = 9 // a timer was told to
)

var (
	numbers = sdk.NewMap("n")
	ring    sdk.TimerHandler
)

func init() {
	sdk.OnMigrate(migrate)
	sdk.OnEvent("probe.poke.v1", poke)
	sdk.OnCall("set", set)
	sdk.OnCall("relay", relay)
	sdk.OnCall("arm", arm)
	sdk.OnCall("disarm", disarm)
	ring = sdk.OnTimer("ring", rang)
	sdk.OnQuery("get", get)
}

func main() {}

func number(name string) int64 {
	v, found := numbers.Get([]byte(name))
	if !found {
		return 0
	}
	return int64(sdk.U64(v))
}

func keep(name string, v int64) {
	var b [8]byte
	sdk.PutU64(b[:], uint64(v))
	numbers.Set([]byte(name), b[:])
}

// migrate adds to the sum.
func migrate(r *sdk.Request) { keep("sum", number("sum")+r.Int()) }

// poke adds to the sum, or refuses as long as the number fail is not 0.
func poke(e *sdk.Event) {
	n := e.Int()
	if number("fail") != 0 {
		sdk.Abort(codeTold, "told to refuse")
	}
	keep("sum", number("sum")+n)
	var w sdk.JSON
	w.Object()
	w.Key("sum").Int(number("sum"))
	w.EndObject()
	sdk.Emit("probe.poked.v1", e.Subject, w.Bytes())
}

// set keeps a number under a name. It refuses the number -1, after it set it.
func set(r *sdk.Request) {
	name, v := r.Text(), r.Int()
	keep(name, v)
	sdk.Emit("probe.set.v1", []byte(name), []byte(`{}`))
	if v == -1 {
		sdk.Abort(codeTold, "told to refuse")
	}
	var w sdk.JSON
	w.Object()
	w.Key("was").Text([]byte(name))
	w.EndObject()
	r.Reply(w.Bytes())
}

// relay calls a method of another contract and keeps what came of it, then
// refuses if it was told to.
func relay(r *sdk.Request) {
	var to [20]byte
	copy(to[:], r.Bytes())
	method, args, gas, refuse := r.Text(), r.Bytes(), r.UintOr(0), r.BoolOr(false)
	result := sdk.CallContract(to, method, args, gas)
	keep("code", int64(result.Code))
	keep("guest", int64(result.Guest))
	keep("answer", int64(len(result.Answer)))
	sdk.Emit("probe.relayed.v1", nil, []byte(`{}`))
	if refuse {
		sdk.Abort(codeTold, "told to refuse")
	}
}

// arm sets a timer: for a height, or for a time in Unix milliseconds.
func arm(r *sdk.Request) {
	height, ms, data := r.UintOr(0), r.UintOr(0), r.Bytes()
	var id uint64
	if ms > 0 {
		id = ring.AtTime(ms, data)
	} else {
		id = ring.AtHeight(height, data)
	}
	keep("id", int64(id))
}

func disarm(r *sdk.Request) {
	if sdk.CancelTimer(r.Uint()) {
		keep("canceled", number("canceled")+1)
	}
}

// rang counts, and does what its data says.
func rang(t *sdk.Timer) {
	keep("rang", number("rang")+1)
	keep("rang-at", int64(t.Height))
	switch string(t.Data) {
	case "again":
		ring.AtHeight(0, t.Data)
	case "refuse":
		if number("fail") != 0 {
			sdk.Abort(codeRing, "told to refuse")
		}
	}
	sdk.Emit("probe.rang.v1", t.Data, []byte(`{}`))
}

func get(r *sdk.Request) {
	var w sdk.JSON
	w.Int(number(r.Text()))
	r.Reply(w.Bytes())
}
