package governance

import (
	"encoding/binary"

	"github.com/cairn-ledger/cairn/client/protocol"
	"github.com/cairn-ledger/cairn/node/internal/membership"
)

// MaxVotingBlocks bounds how long a proposal is open.
const MaxVotingBlocks = 1_000_000

// MaxOpen bounds the open proposals of one member.
const MaxOpen = 16

// seated refuses an account without a vote.
func seated(s Reader, account protocol.Address) (protocol.CouncilMember, error) {
	seat, err := Seat(s, account)
	if err == nil && seat.Weight == 0 {
		err = protocol.Refuse(protocol.CodeUnauthorized, "%s has no seat in the council", account)
	}
	return seat, err
}

// Open keeps a proposal until it closes.
func Open(s State, p *protocol.Proposal) error {
	seat, err := seated(s, p.Proposer)
	if err != nil {
		return err
	}
	switch {
	case p.Expiry < p.Opened || p.Expiry-p.Opened > MaxVotingBlocks:
		return protocol.Refuse(protocol.CodeProposalTerms, "the last height %d must be %d to %d", p.Expiry, p.Opened, p.Opened+MaxVotingBlocks)
	case seat.Open >= MaxOpen:
		return protocol.Refuse(protocol.CodeProposalLimit, "%s has %d proposals open, and no more can be", p.Proposer, seat.Open)
	}
	p.Status = protocol.GovProposed
	if p.Tally, err = count(s, p.Index); err != nil {
		return err
	}
	seat.Open++
	if err := s.Set(protocol.CouncilKey(p.Proposer), seat.AppendBinary(nil)); err != nil {
		return err
	}
	if err := membership.SetDeadline(s, deadline(p)); err != nil {
		return err
	}
	return put(s, p)
}

func put(s State, p *protocol.Proposal) error {
	return s.Set(protocol.ProposalKey(p.Index), p.AppendBinary(nil))
}

func deadline(p *protocol.Proposal) membership.Deadline {
	return membership.Deadline{Height: p.Expiry + 1, What: membership.DeadlineProposal, Index: p.Index}
}

// Find answers a proposal; a refusal says there is none.
func Find(s Reader, index uint64) (*protocol.Proposal, error) {
	key := protocol.ProposalKey(index)
	value, ok, err := s.Get(key)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, protocol.Refuse(protocol.CodeProposalUnknown, "entry %d proposed nothing to the council", index)
	}
	p, err := protocol.DecodeProposal(index, value)
	if err != nil {
		return nil, damaged(key, err)
	}
	return p, nil
}

// Proposals lists them after an index, ascending; a nil after begins at the first.
func Proposals(s Lister, after *uint64, limit int) ([]*protocol.Proposal, error) {
	prefix := protocol.GovKey(protocol.GovKeyProposal)
	var from []byte
	if after != nil {
		from = protocol.ProposalKey(*after)
	}
	found, err := s.Scan(prefix, from, limit)
	if err != nil {
		return nil, err
	}
	list := make([]*protocol.Proposal, len(found))
	for i, kv := range found {
		if list[i], err = protocol.DecodeProposal(binary.BigEndian.Uint64(kv.Key[2:]), kv.Value); err != nil {
			return nil, damaged(kv.Key, err)
		}
	}
	return list, nil
}

// open finds a proposal that can still be voted on.
func open(s Reader, index, height uint64) (*protocol.Proposal, error) {
	p, err := Find(s, index)
	switch {
	case err != nil:
		return nil, err
	case p.Status == protocol.GovExpired || p.Status == protocol.GovProposed && height > p.Expiry:
		return nil, protocol.Refuse(protocol.CodeProposalExpired, "proposal %d expired at height %d", index, p.Expiry)
	case p.Status != protocol.GovProposed:
		return nil, protocol.Refuse(protocol.CodeProposalClosed, "proposal %d is closed: %s", index, p.Status)
	}
	return p, nil
}

// Vote counts a member's vote, in the place of its last one, and answers the
// proposal with how the weights stand now.
func Vote(s State, index uint64, member protocol.Address, yes bool, height uint64) (*protocol.Proposal, error) {
	if _, err := seated(s, member); err != nil {
		return nil, err
	}
	p, err := open(s, index, height)
	if err != nil {
		return nil, err
	}
	key, vote := protocol.VoteKey(index, member), []byte{0}
	if yes {
		vote[0] = 1
	}
	if last, voted, err := s.Get(key); err != nil {
		return nil, err
	} else if voted && last[0] == vote[0] {
		return nil, protocol.Refuse(protocol.CodeDoubleVote, "%s voted so on proposal %d before", member, index)
	}
	if err := s.Set(key, vote); err != nil {
		return nil, err
	}
	if p.Tally, err = count(s, index); err != nil {
		return nil, err
	}
	return p, put(s, p)
}

// Withdraw closes a proposal that its proposer takes back.
func Withdraw(s State, index uint64, member protocol.Address, height uint64) error {
	p, err := open(s, index, height)
	if err != nil {
		return err
	}
	if p.Proposer != member {
		return protocol.Refuse(protocol.CodeUnauthorized, "proposal %d is of %s", index, p.Proposer)
	}
	return Close(s, p, protocol.GovWithdrawn, height)
}

// Close ends a proposal.
func Close(s State, p *protocol.Proposal, how protocol.ProposalStatus, height uint64) error {
	p.Status, p.Closed = how, height
	seat, err := Seat(s, p.Proposer)
	if err != nil {
		return err
	}
	if seat.Weight > 0 && seat.Open > 0 { // the proposer may have left the council, and come back
		seat.Open--
		if err := s.Set(protocol.CouncilKey(p.Proposer), seat.AppendBinary(nil)); err != nil {
			return err
		}
	}
	if err := membership.DropDeadline(s, deadline(p)); err != nil {
		return err
	}
	return put(s, p)
}

// Expire closes a proposal whose last height has passed.
func Expire(s State, index, height uint64) (*protocol.Proposal, error) {
	p, err := Find(s, index)
	if err != nil {
		return nil, err
	}
	if p.Tally, err = count(s, index); err != nil {
		return nil, err
	}
	return p, Close(s, p, protocol.GovExpired, height)
}

// Votes are the votes cast on a proposal, by ascending address, whoever is in
// the council today.
func Votes(s Lister, index uint64) (map[protocol.Address]bool, error) {
	prefix := protocol.GovKey(protocol.GovKeyVote, u64(index))
	votes := map[protocol.Address]bool{}
	var after []byte
	for {
		found, err := s.Scan(prefix, after, protocol.MaxCouncil)
		if err != nil || len(found) == 0 {
			return votes, err
		}
		for _, kv := range found {
			votes[protocol.Address(kv.Key[len(prefix):])] = kv.Value[0] == 1
		}
		after = found[len(found)-1].Key
	}
}
