package main

import "github.com/cairn-ledger/cairn/contracts/sdk"

// articles maps a name to an article's record: five u64 in the order of shelf's fields.
var articles = sdk.NewMap("s")

// shelf is one article's pieces. At all times received is
// available + reserved + shipped + lost.
type shelf struct {
	received  uint64
	available uint64
	reserved  uint64
	shipped   uint64 // under way or with the customer
	lost      uint64
}

const shelfBytes = 5 * 8

func (s *shelf) fields() [shelfBytes / 8]*uint64 {
	return [...]*uint64{&s.received, &s.available, &s.reserved, &s.shipped, &s.lost}
}

func loadShelf(article []byte) (s shelf, known bool) {
	var r [shelfBytes]byte
	size, found := articles.GetInto(article, r[:])
	if !found {
		return s, false
	}
	checkState(size == shelfBytes)
	for i, v := range s.fields() {
		*v = sdk.U64(r[8*i:])
	}
	return s, true
}

func (s *shelf) save(article []byte) {
	var r [shelfBytes]byte
	for i, v := range s.fields() {
		sdk.PutU64(r[8*i:], *v)
	}
	articles.Set(article, r[:])
}

// receive puts pieces on a shelf.
func receive(article []byte, quantity uint64) {
	s, _ := loadShelf(article)
	if quantity > maxAmount-s.received {
		sdk.Abort(codeLimit, "LIMIT: an article has at most 2^53-1 pieces")
	}
	s.received += quantity
	s.available += quantity
	s.save(article)
}

// reserveLines sets aside what all lines ask for and answers nil, or does
// nothing and answers the first article of which there is too little.
func reserveLines(lines []line) (lacking []byte) {
	var shelves [maxLines]shelf
	for i := range lines {
		shelves[i], _ = loadShelf(lines[i].article)
		if shelves[i].available < lines[i].quantity {
			return lines[i].article
		}
	}
	for i := range lines { // articles differ, so no shelf is saved over another
		s := &shelves[i]
		s.available, s.reserved = s.available-lines[i].quantity, s.reserved+lines[i].quantity
		s.save(lines[i].article)
	}
	return nil
}

// move takes pieces from one part of a shelf to another.
func move(from, to *uint64, quantity uint64) {
	checkState(quantity <= *from)
	*from, *to = *from-quantity, *to+quantity
}

func unreserve(s *shelf, quantity uint64) { move(&s.reserved, &s.available, quantity) }
func ship(s *shelf, quantity uint64)      { move(&s.reserved, &s.shipped, quantity) }
func unship(s *shelf, quantity uint64)    { move(&s.shipped, &s.reserved, quantity) }
func writeOff(s *shelf, quantity uint64)  { move(&s.shipped, &s.lost, quantity) }

// eachLine changes the shelf of every line of an order.
func (o *order) eachLine(change func(s *shelf, quantity uint64)) {
	for i := range o.lines {
		l := &o.lines[i]
		s, _ := loadShelf(l.article)
		change(&s, l.quantity)
		s.save(l.article)
	}
}
