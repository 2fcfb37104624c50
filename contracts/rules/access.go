package main

import "github.com/cairn-ledger/cairn/contracts/sdk"

// defaultAheadSeconds is how far ahead of its block a reading may be by default.
const (
	defaultAheadSeconds = 300
	maxAheadSeconds     = 10_000_000_000
)

// ownerKey is outside every map, whose keys begin with a length: the owner's
// address and how far ahead readings may be.
var ownerKey = []byte("\x00owner")

// authors are the accounts that may register rules, beside the owner.
var authors = sdk.NewMap("a")

// settings is what the deployment fixed.
type settings struct {
	owner        address
	aheadSeconds uint64 // 0: any time ahead
}

// configure stores the deployment's parameters. The owner is who deploys,
// unless another is named.
func configure(r *sdk.Request) {
	owner := address(r.Caller)
	if text := r.BytesOr(nil); text != nil {
		owner = mustAddress(text)
	}
	ahead := r.UintOr(defaultAheadSeconds)
	if ahead > maxAheadSeconds {
		sdk.Abort(codeBadParameters, "BAD_PARAMETERS: maxAheadSeconds is at most 10000000000")
	}
	w := newWriter()
	w.buf = append(w.buf, owner[:]...)
	w.i64(int64(ahead))
	sdk.Set(ownerKey, w.buf)
}

func loadSettings() (s settings) {
	record, found := sdk.Get(ownerKey)
	if !found {
		badState()
	}
	r := newReader(record)
	s.owner = address(r.take(len(s.owner)))
	s.aheadSeconds = uint64(r.i64())
	r.end()
	return s
}

// mayWrite says whether an account may register rules and move the clock.
func mayWrite(a address) bool {
	if _, found := authors.Get(a[:]); found {
		return true
	}
	return loadSettings().owner == a
}

func notAllowed(why string) { sdk.Abort(codeNotAllowed, "NOT_ALLOWED: "+why) }

func mustAddress(text []byte) address {
	a, ok := readAddress(text)
	if !ok {
		sdk.Abort(codeBadAddress, "BAD_ADDRESS: an address is 44 characters, such as cairn1...")
	}
	return a
}

// callAllow lets the owner add or remove an author.
func callAllow(r *sdk.Request) {
	author, allowed := mustAddress(r.Bytes()), r.Bool()
	if loadSettings().owner != r.Caller {
		notAllowed("the owner names authors")
	}
	if allowed {
		authors.Set(author[:], nil)
	} else {
		authors.Delete(author[:])
	}
}
