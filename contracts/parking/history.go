package main

import "github.com/cairn-ledger/cairn/contracts/sdk"

// Every evaluation and proposal that changes a price leaves it here, so that a stay can be
// charged week by week. Its key lies outside every map and counter, whose keys
// begin with a length, and has the weeks in descending order: the first key
// after a week's own is that of the last change before it.
//
//	00 'h' length lot band ^week    price, u32
func historyKey(lot []byte, band byte, week int32) []byte {
	key := append(append(lotKey('h', lot), band), 0, 0, 0, 0)
	bigEndian(key[len(key)-4:], ^(uint32(week) ^ 1<<31)) // negative weeks before positive ones
	return key
}

// rememberFor keeps the price that holds after a week.
func (b *lotBand) rememberFor(week int32) {
	var price [4]byte
	sdk.PutU32(price[:], uint32(b.price))
	sdk.Set(historyKey(b.lot(), b.key[len(b.key)-1], week), price[:])
}

// priceIn answers the price in force in a week: what the last evaluation of a
// week before it made, as far as the ledger knows by now, or the start.
func (p *ladder) priceIn(lot []byte, band byte, week int32) int64 {
	key := historyKey(lot, band, week)
	pairs := sdk.Scan(key[:len(key)-4], key, 1)
	if len(pairs) == 0 {
		return p.start
	}
	return int64(sdk.U32(pairs[0].Value))
}

// lotKey begins a key of an index by lot.
func lotKey(index byte, lot []byte) []byte {
	key := make([]byte, 0, len(lot)+8)
	return append(append(key, 0, index, byte(len(lot))), lot...)
}

// bigEndian writes a number so that keys sort as numbers do.
func bigEndian(b []byte, v uint32) {
	b[0], b[1], b[2], b[3] = byte(v>>24), byte(v>>16), byte(v>>8), byte(v)
}
