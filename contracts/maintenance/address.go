package main

import "github.com/cairn-ledger/cairn/contracts/sdk"

// address names an account. Its text is bech32 (BIP 173), as everywhere on the ledger.
type address [20]byte

const (
	addressPrefix = "cairn"
	addressText   = len(addressPrefix) + 1 + 32 + 6 // prefix, 1, 160 bits and checksum by fives
	bech32Digits  = "qpzry9x8gf2tvdw0s3jn54khce6mua7l"
)

func (a address) isZero() bool { return a == address{} }

// checksum runs BIP 173's polynomial over the prefix and the digits after the 1.
func checksum(digits []byte) uint32 {
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
	for i := range len(addressPrefix) {
		step(addressPrefix[i] >> 5)
	}
	step(0)
	for i := range len(addressPrefix) {
		step(addressPrefix[i] & 31)
	}
	for _, d := range digits {
		step(d)
	}
	return sum
}

// write writes the address as text.
func (a address) write(w *sdk.JSON) {
	var digits [38]byte
	for i := range 32 {
		bit := 5 * i
		pair := uint16(a[bit/8]) << 8
		if bit/8+1 < len(a) {
			pair |= uint16(a[bit/8+1])
		}
		digits[i] = byte(pair >> (11 - bit%8) & 31)
	}
	sum := checksum(digits[:]) ^ 1
	for i := range 6 {
		digits[32+i] = byte(sum >> (25 - 5*i) & 31)
	}
	var text [addressText]byte
	b := append(append(text[:0], addressPrefix...), '1')
	for _, d := range digits {
		b = append(b, bech32Digits[d])
	}
	w.Text(b)
}

// readAddress reads the text that write writes, in lower case alone, and no other.
func readAddress(text []byte) (a address) {
	if len(text) != addressText || string(text[:len(addressPrefix)+1]) != addressPrefix+"1" {
		badAddress()
	}
	var digits [38]byte
	for i, c := range text[len(addressPrefix)+1:] {
		d := 0
		for bech32Digits[d] != c {
			if d++; d == len(bech32Digits) {
				badAddress()
			}
		}
		digits[i] = byte(d)
		if i < 32 {
			bit := 5 * i
			pair := uint16(d) << (11 - bit%8)
			a[bit/8] |= byte(pair >> 8)
			if bit/8+1 < len(a) {
				a[bit/8+1] |= byte(pair)
			}
		}
	}
	if checksum(digits[:]) != 1 {
		badAddress()
	}
	return a
}

func badAddress() {
	sdk.Abort(codeBadAddress, "BAD_ADDRESS: an address is 44 characters, such as cairn1...")
}

// addressOr reads an optional address.
func addressOr(r *sdk.Request, otherwise address) address {
	if text := r.BytesOr(nil); text != nil {
		return readAddress(text)
	}
	return otherwise
}
