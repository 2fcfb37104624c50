package main

// address names an account or a contract. Its text is bech32 (BIP 173), in
// lower case, as everywhere on the ledger.
type address [20]byte

const (
	addressPrefix = "cairn1"
	addressWords  = 32 // of five bits
	addressSum    = 6  // words of checksum
	addressBytes  = len(addressPrefix) + addressWords + addressSum
	bech32Digits  = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
)

// checksum runs BIP 173's polynomial over the prefix and words.
func checksum(words []byte) uint32 {
	sum := uint32(1)
	step := func(v byte) {
		top := sum >> 25
		sum = sum&0x1ffffff<<5 ^ uint32(v)
		for i, g := range [...]uint32{0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3} {
			if top>>i&1 == 1 {
				sum ^= g
			}
		}
	}
	name := addressPrefix[:len(addressPrefix)-1]
	for i := range len(name) {
		step(name[i] >> 5)
	}
	step(0)
	for i := range len(name) {
		step(name[i] & 31)
	}
	for _, w := range words {
		step(w)
	}
	return sum
}

// word answers the i-th five bits.
func (a *address) word(i int) byte {
	pair := uint16(a[5*i/8]) << 8
	if next := 5*i/8 + 1; next < len(a) {
		pair |= uint16(a[next])
	}
	return byte(pair >> (11 - 5*i%8) & 31)
}

// text writes the address.
func (a *address) text() []byte {
	var words [addressWords + addressSum]byte
	for i := range addressWords {
		words[i] = a.word(i)
	}
	sum := checksum(words[:]) ^ 1
	for i := range addressSum {
		words[addressWords+i] = byte(sum >> (25 - 5*i) & 31)
	}
	out := append(make([]byte, 0, addressBytes), addressPrefix...)
	for _, w := range words {
		out = append(out, bech32Digits[w])
	}
	return out
}

// readAddress reads what text writes, and nothing else.
func readAddress(text []byte) (a address, ok bool) {
	if len(text) != addressBytes || string(text[:len(addressPrefix)]) != addressPrefix {
		return a, false
	}
	var words [addressWords + addressSum]byte
	for i, c := range text[len(addressPrefix):] {
		w := 0
		for bech32Digits[w] != c {
			if w++; w == len(bech32Digits) {
				return a, false
			}
		}
		words[i] = byte(w)
		if i < addressWords {
			pair := uint16(w) << (11 - 5*i%8)
			a[5*i/8] |= byte(pair >> 8)
			if next := 5*i/8 + 1; next < len(a) {
				a[next] |= byte(pair)
			}
		}
	}
	return a, checksum(words[:]) == 1
}
