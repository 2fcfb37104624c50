package governance

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"slices"

	"github.com/cairn-ledger/cairn/client/protocol"
)

// setDelay is after how many blocks a changed set signs: what block H decides,
// CometBFT has sign block H + 2.
const setDelay = 2

// FirstSet is the height from which the founding set signs.
const FirstSet = 1

// Sets: a set is kept by the first height at which it signs, and names the
// height of the one before it.

// Latest answers the newest set, which may not sign yet.
func Latest(s Reader) (*protocol.ValidatorSet, error) {
	since, err := number(s, protocol.LatestSetKey())
	if err != nil {
		return nil, err
	}
	return readSet(s, since)
}

func readSet(s Reader, since uint64) (*protocol.ValidatorSet, error) {
	key := protocol.ValidatorSetKey(since)
	value, ok, err := s.Get(key)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, damaged(key, fmt.Errorf("the validator set is missing"))
	}
	set, err := protocol.DecodeValidatorSet(since, value)
	if err != nil {
		return nil, damaged(key, err)
	}
	return set, nil
}

// At answers the set that signs the block of a height. A later state than that
// of the height knows it too.
func At(s Reader, height uint64) (*protocol.ValidatorSet, error) {
	set, err := Latest(s)
	for err == nil && set.Since > height && set.Previous > 0 {
		set, err = readSet(s, set.Previous)
	}
	return set, err
}

// Sets lists the sets whose first height is greater than after, ascending.
func Sets(s Lister, after uint64, limit int) ([]*protocol.ValidatorSet, error) {
	found, err := s.Scan(protocol.GovKey(protocol.GovKeySet), protocol.ValidatorSetKey(after), limit)
	if err != nil {
		return nil, err
	}
	sets := make([]*protocol.ValidatorSet, len(found))
	for i, kv := range found {
		if sets[i], err = protocol.DecodeValidatorSet(binary.BigEndian.Uint64(kv.Key[2:]), kv.Value); err != nil {
			return nil, damaged(kv.Key, err)
		}
	}
	return sets, nil
}

// PutSet writes the newest set.
func PutSet(s State, set *protocol.ValidatorSet) error {
	if err := s.Set(protocol.ValidatorSetKey(set.Since), set.AppendBinary(nil)); err != nil {
		return err
	}
	return s.Set(protocol.LatestSetKey(), u64(set.Since))
}

// step answers the set that a block is changing, and the one it found.
func step(s Reader, height uint64) (next, found *protocol.ValidatorSet, err error) {
	if next, err = Latest(s); err != nil {
		return nil, nil, err
	}
	if next.Since == height+setDelay {
		found, err = readSet(s, next.Previous)
		return next, found, err
	}
	found = next
	return &protocol.ValidatorSet{Since: height + setDelay, Previous: found.Since, Validators: slices.Clone(found.Validators)}, found, nil
}

// SetPower gives a validator a power from setDelay blocks on; 0 takes it out of
// the set. More than a third of the power that a block found does not change
// in it, unless that is forced; and somebody is always left.
func SetPower(s State, v protocol.SetMember, height uint64, force bool) error {
	if v.Power > 0 {
		if barred, err := number(s, protocol.BarredKey(v.Key)); err != nil {
			return err
		} else if barred > 0 {
			return protocol.Refuse(protocol.CodeBarred, "validator %s is barred: entry %d says why", v.Key, barred-1)
		}
	}
	next, found, err := step(s, height)
	if err != nil {
		return err
	}
	at, there := search(next, v.Key)
	switch {
	case v.Power == 0 && !there:
		return protocol.Refuse(protocol.CodeProposalTerms, "validator %s is not in the set", v.Key)
	case v.Power == 0 && len(next.Validators) == 1:
		return protocol.Refuse(protocol.CodeLastMember, "validator %s is the last of the set", v.Key)
	case v.Power == 0:
		next.Validators = slices.Delete(next.Validators, at, at+1)
	case there:
		v.LogKey = next.Validators[at].LogKey
		next.Validators[at] = v
	case len(next.Validators) == protocol.MaxValidators:
		return protocol.Refuse(protocol.CodeProposalTerms, "the set has %d validators, and no more", protocol.MaxValidators)
	default:
		next.Validators = slices.Insert(next.Validators, at, v)
	}
	if moved, all := Moved(found, next), found.Power(); !force && 3*moved > all {
		return protocol.Refuse(protocol.CodePowerChange, "%d of %d of the voting power would change in one block, more than a third", moved, all)
	}
	if err := distinct(next); err != nil {
		return err
	}
	return PutSet(s, next)
}

// SetLogKey gives a validator of the newest set another log key from setDelay
// blocks on, or with zeros none.
func SetLogKey(s State, validator protocol.ValidatorKey, key protocol.LogKey, height uint64) error {
	next, _, err := step(s, height)
	if err != nil {
		return err
	}
	at, there := search(next, validator)
	if !there {
		return protocol.Refuse(protocol.CodeProposalTerms, "validator %s is not in the set; give it a power first, in the same proposal", validator)
	}
	next.Validators[at].LogKey = key
	if err := distinct(next); err != nil {
		return err
	}
	return PutSet(s, next)
}

// maxLogName bounds the name of a validator with a log key, which stands in its
// cosignatures behind the chain id, escaped: 255 bytes in all.
const maxLogName = 64

// distinct refuses a set in which a name or a key stands for two: cosignatures
// of the log are told apart by the names, and no key signs two kinds of things.
// Every set that is kept gives proof.SetCosigners.
func distinct(set *protocol.ValidatorSet) error {
	names, keys := make(map[string]bool, len(set.Validators)), make(map[[32]byte]bool, 2*len(set.Validators))
	for _, v := range set.Validators {
		if names[v.Name] {
			return protocol.Refuse(protocol.CodeProposalTerms, "two validators of the set are named %q", v.Name)
		}
		if v.LogKey != (protocol.LogKey{}) && len(v.Name) > maxLogName {
			return protocol.Refuse(protocol.CodeProposalTerms, "the name of a validator with a log key has at most %d bytes, %.64q... has more", maxLogName, v.Name)
		}
		names[v.Name] = true
		for _, key := range [...][32]byte{v.Key, v.LogKey} {
			if keys[key] {
				return protocol.Refuse(protocol.CodeProposalTerms, "the key %s is in the set twice", protocol.LogKey(key))
			}
			keys[key] = key != [32]byte{}
		}
	}
	return nil
}

func search(set *protocol.ValidatorSet, key protocol.ValidatorKey) (at int, there bool) {
	return slices.BinarySearchFunc(set.Validators, key, func(v protocol.SetMember, key protocol.ValidatorKey) int {
		return slices.Compare(v.Key[:], key[:])
	})
}

// Moved is how much power differs between two sets.
func Moved(from, to *protocol.ValidatorSet) (moved uint64) {
	for _, change := range Changes(from, to) {
		was := uint64(0)
		if at, there := search(from, change.Key); there {
			was = from.Validators[at].Power
		}
		moved += max(was, change.Power) - min(was, change.Power)
	}
	return moved
}

// Changes are what CometBFT is told: the validators with another power than
// before, 0 for those that are gone, in ascending order of their keys.
func Changes(from, to *protocol.ValidatorSet) []protocol.SetMember {
	var changes []protocol.SetMember
	i, j := 0, 0
	for i < len(from.Validators) || j < len(to.Validators) {
		order := 0
		switch {
		case i == len(from.Validators):
			order = 1
		case j == len(to.Validators):
			order = -1
		default:
			order = slices.Compare(from.Validators[i].Key[:], to.Validators[j].Key[:])
		}
		switch {
		case order < 0:
			changes = append(changes, protocol.SetMember{Key: from.Validators[i].Key})
			i++
		case order > 0:
			changes = append(changes, to.Validators[j])
			j++
		default:
			if to.Validators[j].Power != from.Validators[i].Power {
				changes = append(changes, to.Validators[j])
			}
			i, j = i+1, j+1
		}
	}
	return changes
}

// Updates are the changes that a block made to the set.
func Updates(s Reader, height uint64) ([]protocol.SetMember, error) {
	next, found, err := step(s, height)
	if err != nil {
		return nil, err
	}
	return Changes(found, next), nil
}

// Misbehaviour is CometBFT's word that a validator signed two blocks at one height.
type Misbehaviour struct {
	Address [20]byte // SHA-256 of the key, cut to 20 bytes
	Height  uint64
}

// Bar takes a validator that misbehaved out of the set for good. entry will be
// the log index of the entry that says so. The last validator stays: a set
// without anybody would be the end of the ledger. ok is false where no set of
// that height knows the validator.
func Bar(s State, m Misbehaviour, height, entry uint64) (key protocol.ValidatorKey, removed, ok bool, err error) {
	set, err := At(s, m.Height)
	if err != nil {
		return key, false, false, err
	}
	at := slices.IndexFunc(set.Validators, func(v protocol.SetMember) bool {
		sum := sha256.Sum256(v.Key[:])
		return [20]byte(sum[:20]) == m.Address
	})
	if at < 0 {
		return key, false, false, nil
	}
	key = set.Validators[at].Key
	if err := s.Set(protocol.BarredKey(key), u64(entry+1)); err != nil {
		return key, false, true, err
	}
	next, _, err := step(s, height)
	if err != nil {
		return key, false, true, err
	}
	if _, there := search(next, key); !there || len(next.Validators) == 1 {
		return key, false, true, nil
	}
	return key, true, true, SetPower(s, protocol.SetMember{Key: key}, height, true)
}
