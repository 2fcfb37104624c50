package main

import (
	"github.com/cairn-ledger/cairn/contracts/abi"
	"github.com/cairn-ledger/cairn/contracts/sdk"
)

// settings are fixed when the contract is deployed, but for the owner.
type settings struct {
	owner         [abi.AddressBytes]byte
	clock         clock
	maxAheadHours int64  // 0: readings may lie any time ahead
	lowBalance    int64  // a prepaid meter warns when its payer has less
	graceHours    uint32 // from a balance of zero to the decision to disconnect
}

// Bounds of the settings.
const (
	maxOffset = 18 * 60 // minutes, as far from UTC as any clock is set
	maxHours  = 1_000_000

	settingsBytes = abi.AddressBytes + clockBytes + 8 + 8 + 4
)

// settingsKey is outside every map, whose keys begin with a length.
var settingsKey = []byte("\x00settings")

// configure stores the deployment's settings, and its first tariff if it has one.
func configure(r *sdk.Request) {
	s := settings{owner: r.Caller}
	offset, interval := r.IntOr(0), r.UintOr(15)
	stamp := r.BytesOr([]byte("end"))
	s.maxAheadHours = r.IntOr(0)
	low, grace := r.UintOr(0), r.UintOr(0)
	if owner := r.BytesOr(nil); len(owner) > 0 {
		s.owner = address(owner)
	}
	s.clock = clock{offsetMinutes: int16(offset), intervalMinutes: uint16(interval), endStamped: string(stamp) == "end"}
	s.lowBalance, s.graceHours = int64(low), uint32(grace)
	if offset < -maxOffset || offset > maxOffset || interval == 0 || interval > 1440 || 1440%interval != 0 ||
		!s.clock.endStamped && string(stamp) != "start" ||
		s.maxAheadHours < 0 || s.maxAheadHours > maxHours || low > maxMoney || grace > maxHours {
		sdk.Abort(codeBadParameters, "BAD_PARAMETERS: an interval divides the day; a stamp is start or end; an offset is within 18 hours")
	}
	s.save()
	setAsset(r.BytesOr(nil))
	if name := r.BytesOr(nil); len(name) > 0 {
		storeTariff(r, name, &s)
	}
}

func (s *settings) save() {
	w := newPacker(settingsBytes)
	w.raw(s.owner[:])
	s.clock.pack(&w)
	w.u64(uint64(s.maxAheadHours))
	w.u64(uint64(s.lowBalance))
	w.u32(s.graceHours)
	sdk.Set(settingsKey, w.bytes())
}

func loadSettings() *settings {
	var buf [settingsBytes]byte
	size, _ := sdk.GetInto(settingsKey, buf[:])
	r := unpacker{b: buf[:min(size, len(buf))]}
	var s settings
	copy(s.owner[:], r.raw(abi.AddressBytes))
	s.clock = unpackClock(&r)
	s.maxAheadHours = int64(r.u64())
	s.lowBalance = int64(r.u64())
	s.graceHours = r.u32()
	r.finish()
	return &s
}

// mustOwn aborts unless the owner signed.
func (s *settings) mustOwn(signer [abi.AddressBytes]byte) {
	if s.owner != signer {
		sdk.Abort(codeForbidden, "FORBIDDEN: this is the owner's to do")
	}
}

// setOwner hands the contract over.
func setOwner(r *sdk.Request) {
	s := loadSettings()
	s.mustOwn(r.Caller)
	s.owner = address(r.Bytes())
	s.save()
}

// address is 20 bytes of an argument.
func address(b []byte) (a [abi.AddressBytes]byte) {
	if len(b) != len(a) {
		sdk.Abort(codeBadParameters, "BAD_PARAMETERS: an address has 20 bytes")
	}
	copy(a[:], b)
	return a
}
