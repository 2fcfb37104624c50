package main

import (
	"math"

	"github.com/cairn-ledger/cairn/contracts/sdk"
)

// overrides maps an asset to the parameters that a call set for it.
var overrides = sdk.NewMap("p")

// defaultsKey holds the deployment's parameters, in force for every asset
// without its own. It is outside every map and counter, whose keys begin with
// a length.
var defaultsKey = []byte("\x00defaults")

// parameters are what is configured of an asset.
type parameters struct {
	triggers         [triggerCount]trigger
	alpha            uint32 // of the moving average, in 65536ths
	escalateMs       uint64 // an order is escalated when triggers hold this long; 0: not by time
	escalateReadings uint64 // or for so many readings in a row; 0: not by count
	reward           uint64 // of a confirmed order, in minor units of rewardAsset
	maxAheadMs       uint64 // of a reading before its block; 0: no bound
	producer         address
}

// initial is what the deployment leaves out: no trigger, and an average that
// moves an eighth of the way.
var initial = parameters{alpha: 8192}

// Bounds of the parameters: no sum or product of them and times leaves an int64.
const (
	maxAlpha  = 65536
	maxMs     = 1_000_000_000_000 // 31 years
	maxReward = 1_000_000_000_000_000
)

// parametersBytes is the size of stored parameters:
//
//	 0  format u8, 1
//	 1  triggers: 3 x side u8, on i64, off i64
//	52  alpha u32      56  escalateMs u64   64  escalateReadings u64
//	72  reward u64     80  maxAheadMs u64   88  producer, 20 bytes, zero for any
const parametersBytes = 108

// read takes the parameters' fields; what is left out is as in base.
func (p *parameters) read(r *sdk.Request, base *parameters) {
	*p = *base
	for i := range p.triggers {
		p.triggers[i].read(r)
	}
	alpha := r.UintOr(uint64(p.alpha))
	p.escalateMs = r.UintOr(p.escalateMs)
	p.escalateReadings = r.UintOr(p.escalateReadings)
	p.reward = r.UintOr(p.reward)
	p.maxAheadMs = r.UintOr(p.maxAheadMs)
	p.producer = addressOr(r, p.producer)
	if alpha == 0 || alpha > maxAlpha || p.escalateMs > maxMs || p.maxAheadMs > maxMs || p.reward > maxReward {
		sdk.Abort(codeBadParameters, "BAD_PARAMETERS: alpha is 1 to 65536, times at most 10^12 ms, the reward at most 10^15")
	}
	p.alpha = uint32(alpha)
}

// read takes a trigger's three fields. An on-level without an off-level is both.
func (t *trigger) read(r *sdk.Request) {
	side := r.BytesOr([]byte(sideNames[t.side]))
	const absent = math.MinInt64
	if level := r.IntOr(absent); level != absent {
		t.on, t.off = level, level
	}
	t.off = r.IntOr(t.off)
	t.side = off
	for string(side) != sideNames[t.side] {
		if t.side++; int(t.side) == len(sideNames) {
			sdk.Abort(codeBadParameters, "BAD_PARAMETERS: a trigger is off, above or below")
		}
	}
	if t.side == above && t.off > t.on || t.side == below && t.off < t.on {
		sdk.Abort(codeBadParameters, "BAD_PARAMETERS: the off-level lies on the trigger's own side of the on-level")
	}
}

// encode is the form that decodeParameters reads.
func (p *parameters) encode() []byte {
	b := make([]byte, parametersBytes)
	b[0] = 1
	for i, t := range p.triggers {
		b[1+17*i] = t.side
		sdk.PutU64(b[2+17*i:], uint64(t.on))
		sdk.PutU64(b[10+17*i:], uint64(t.off))
	}
	sdk.PutU32(b[52:], p.alpha)
	sdk.PutU64(b[56:], p.escalateMs)
	sdk.PutU64(b[64:], p.escalateReadings)
	sdk.PutU64(b[72:], p.reward)
	sdk.PutU64(b[80:], p.maxAheadMs)
	copy(b[88:], p.producer[:])
	return b
}

// parametersOf answers what is in force for an asset.
func parametersOf(name []byte) parameters {
	var b [parametersBytes]byte
	size, found := overrides.GetInto(name, b[:])
	if !found {
		return defaults()
	}
	return decodeParameters(b[:], size)
}

// defaults answers the deployment's parameters.
func defaults() parameters {
	var b [parametersBytes]byte
	size, found := sdk.GetInto(defaultsKey, b[:])
	if !found {
		return initial
	}
	return decodeParameters(b[:], size)
}

func decodeParameters(b []byte, size int) (p parameters) {
	if size != parametersBytes || b[0] != 1 {
		sdk.Abort(codeBadState, "BAD_STATE: stored parameters are malformed")
	}
	for i := range p.triggers {
		t := &p.triggers[i]
		t.side, t.on, t.off = b[1+17*i], int64(sdk.U64(b[2+17*i:])), int64(sdk.U64(b[10+17*i:]))
	}
	p.alpha, p.escalateMs, p.escalateReadings = sdk.U32(b[52:]), sdk.U64(b[56:]), sdk.U64(b[64:])
	p.reward, p.maxAheadMs = sdk.U64(b[72:]), sdk.U64(b[80:])
	copy(p.producer[:], b[88:])
	return p
}

// configure sets an asset's parameters, all anew: what is left out is the
// deployment's. Without any, the asset follows the deployment's again.
func configure(r *sdk.Request) {
	s := readSettings()
	if r.Caller != s.owner && r.Caller != s.configurer {
		sdk.Abort(codeNotAllowed, "NOT_ALLOWED: parameters are set by the owner or the configurer")
	}
	name := r.Bytes()
	checkAsset(name)
	base := defaults()
	var p parameters
	p.read(r, &base)
	p.checkReward()
	if p == base {
		overrides.Delete(name)
		return
	}
	overrides.Set(name, p.encode())
}

// describe writes the parameters' members.
func (p *parameters) describe(w *sdk.JSON) {
	for i, t := range p.triggers {
		w.Key(triggerNames[i])
		if t.side == off {
			w.Null()
			continue
		}
		w.Object().Key("side").String(sideNames[t.side]).Key("on")
		decimal(w, t.on, coarsePlaces)
		w.Key("off")
		decimal(w, t.off, coarsePlaces)
		w.EndObject()
	}
	w.Key("alpha").Uint(uint64(p.alpha))
	w.Key("escalateMs").Uint(p.escalateMs)
	w.Key("escalateReadings").Uint(p.escalateReadings)
	w.Key("reward").Uint(p.reward)
	w.Key("maxAheadMs").Uint(p.maxAheadMs)
	w.Key("producer")
	if p.producer.isZero() {
		w.Null()
	} else {
		p.producer.write(w)
	}
}
