package bank

import (
	"encoding/binary"
	"fmt"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// MaxRewards bounds the event types that are rewarded.
const MaxRewards = 64

// Reward pays the producers of a type's accepted events, Each for every one,
// from the units of a named account: Limit in a period in all, and as long as
// the account has any.
type Reward struct {
	Type     string           `json:"type"`
	Asset    string           `json:"asset"`
	From     protocol.Address `json:"from"`
	Each     uint64           `json:"each,string"`
	Limit    uint64           `json:"limit,string"`
	PeriodMs uint64           `json:"periodMs"`

	Period uint64 `json:"period"` // that Used is of: block time over PeriodMs
	Used   uint64 `json:"used,string"`
}

func (r *Reward) numbers() [5]*uint64 {
	return [...]*uint64{&r.Each, &r.Limit, &r.PeriodMs, &r.Period, &r.Used}
}

func (r *Reward) record() []byte {
	out := append(make([]byte, 0, 96), r.From[:]...)
	for _, n := range r.numbers() {
		out = binary.BigEndian.AppendUint64(out, *n)
	}
	out = append(append(out, byte(len(r.Asset))), r.Asset...)
	return append(out, r.Type...)
}

func decodeReward(value []byte) (*Reward, error) {
	const fixed = 20 + 5*8 + 1
	if len(value) < fixed || len(value) < fixed+int(value[fixed-1]) {
		return nil, fmt.Errorf("a reward of %d bytes", len(value))
	}
	r := &Reward{From: protocol.Address(value)}
	for i, n := range r.numbers() {
		*n = binary.BigEndian.Uint64(value[20+8*i:])
	}
	asset := fixed + int(value[fixed-1])
	r.Asset, r.Type = string(value[fixed:asset]), string(value[asset:])
	return r, nil
}

func rewardKey(eventType string) []byte {
	hash := protocol.NewTypeHash(eventType)
	return own(keyReward, hash[:])
}

// SetReward sets what a type's events earn from the next event on, in the place
// of what they earned; a reward of 0 each ends it. Governance calls it. A
// refusal carries a code.
func SetReward(s State, r Reward) error {
	key := rewardKey(r.Type)
	if r.Each == 0 {
		return s.Delete(key)
	}
	switch {
	case r.Type == "" || len(r.Type) > protocol.MaxAttributeBytes:
		return protocol.Refuse(protocol.CodeTokenTerms, "a reward for events without a type")
	case r.Each > r.Limit || r.Limit > protocol.MaxAmount:
		return protocol.Refuse(protocol.CodeAmount, "a reward of %d each and %d in a period", r.Each, r.Limit)
	case r.PeriodMs == 0 || r.PeriodMs > protocol.MaxTokenMs:
		return protocol.Refuse(protocol.CodeTokenTerms, "a reward by periods of %d ms", r.PeriodMs)
	}
	if _, err := ReadAsset(s, r.Asset); err != nil {
		return err
	}
	if _, there, err := s.Get(key); err != nil {
		return err
	} else if all, err := s.Scan(own(keyReward), nil, MaxRewards); err != nil {
		return err
	} else if !there && len(all) == MaxRewards {
		return protocol.Refuse(protocol.CodeTokenLimit, "%d types are rewarded, and no more can be", MaxRewards)
	}
	r.Period, r.Used = 0, 0
	return s.Set(key, r.record())
}

// Rewards lists what events earn, in the order of their types' hashes.
func Rewards(s Reader) ([]*Reward, error) {
	found, err := s.Scan(own(keyReward), nil, MaxRewards)
	if err != nil {
		return nil, err
	}
	rewards := make([]*Reward, len(found))
	for i, kv := range found {
		if rewards[i], err = decodeReward(kv.Value); err != nil {
			return nil, damaged(kv.Key, err)
		}
	}
	return rewards, nil
}

// Pay rewards count events of a producer and answers how many of them, the
// first ones, were paid for. It may be none: a reward never holds an event up.
// r is what Rewards answered in this block.
func (b *Bank) Pay(r *Reward, producer protocol.Address, count uint64) (paid uint64, err error) {
	period, used := b.timeMs/r.PeriodMs, r.Used
	if period > r.Period {
		used = 0
	}
	was, err := b.balance(r.From, r.Asset)
	if err != nil || was.Frozen || producer == r.From {
		return 0, err
	}
	paid = min(count, (r.Limit-used)/r.Each, was.Amount/r.Each)
	if paid == 0 {
		return 0, nil
	}
	amount := paid * r.Each
	r.Period, r.Used = max(period, r.Period), used+amount
	if err := b.state.Set(rewardKey(r.Type), r.record()); err != nil {
		return 0, err
	}
	b.note(protocol.MovementAct{Kind: protocol.TokenReward, Asset: r.Asset, From: r.From, To: producer, Amount: amount})
	err = b.pay(r.From, was, producer, r.Asset, amount)
	return paid, b.assert(protocol.TokenReward, err)
}
