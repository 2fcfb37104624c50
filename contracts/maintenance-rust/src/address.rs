//! Addresses of accounts. Their text is bech32 (BIP 173).

use crate::abi::{abort, Reader};
use crate::codes;
use crate::json::Json;

pub type Address = [u8; 20];

pub const ZERO: Address = [0; 20];

const PREFIX: &[u8] = b"cairn";
const START: usize = PREFIX.len() + 1; // of the digits, after the prefix and a 1
const DIGITS: usize = 38; // 160 bits by fives, and a checksum of 6
const TEXT: usize = START + DIGITS;
const ALPHABET: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";

pub fn is_zero(a: &Address) -> bool {
    *a == ZERO
}

/// Runs BIP 173's polynomial over the prefix and the digits after the 1.
fn checksum(digits: &[u8]) -> u32 {
    const GENERATOR: [u32; 5] = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3];
    let mut sum: u32 = 1;
    let mut step = |v: u8| {
        let top = sum >> 25;
        sum = (sum & 0x1ffffff) << 5 ^ u32::from(v);
        for (i, g) in GENERATOR.iter().enumerate() {
            if top >> i & 1 == 1 {
                sum ^= g;
            }
        }
    };
    PREFIX.iter().for_each(|c| step(c >> 5));
    step(0);
    PREFIX.iter().for_each(|c| step(c & 31));
    digits.iter().for_each(|d| step(*d));
    sum
}

pub fn write(a: &Address, w: &mut Json) {
    let mut digits = [0; DIGITS];
    for (i, d) in digits[..32].iter_mut().enumerate() {
        let bit = 5 * i;
        let next = a.get(bit / 8 + 1).copied().unwrap_or(0);
        let pair = u16::from_be_bytes([a[bit / 8], next]);
        *d = (pair >> (11 - bit % 8)) as u8 & 31;
    }
    let sum = checksum(&digits) ^ 1;
    for i in 0..6 {
        digits[32 + i] = (sum >> (25 - 5 * i)) as u8 & 31;
    }
    let mut text = [b'1'; TEXT];
    text[..PREFIX.len()].copy_from_slice(PREFIX);
    for (i, d) in digits.iter().enumerate() {
        text[START + i] = ALPHABET[usize::from(*d)];
    }
    w.text(&text);
}

/// Reads the text that write writes, in lower case alone, and no other.
pub fn parse(text: &[u8]) -> Address {
    if text.len() != TEXT || &text[..PREFIX.len()] != PREFIX || text[PREFIX.len()] != b'1' {
        bad();
    }
    let mut a = ZERO;
    let mut digits = [0; DIGITS];
    for (i, c) in text[START..].iter().enumerate() {
        let d = match ALPHABET.iter().position(|x| x == c) {
            Some(d) => d as u8,
            None => bad(),
        };
        digits[i] = d;
        if i < 32 {
            let bit = 5 * i;
            let [high, low] = (u16::from(d) << (11 - bit % 8)).to_be_bytes();
            a[bit / 8] |= high;
            if let Some(next) = a.get_mut(bit / 8 + 1) {
                *next |= low;
            }
        }
    }
    if checksum(&digits) != 1 {
        bad();
    }
    a
}

fn bad() -> ! {
    abort(codes::BAD_ADDRESS, "BAD_ADDRESS: an address is 44 characters, such as cairn1...")
}

/// Reads an optional field.
pub fn optional(r: &mut Reader) -> Option<Address> {
    r.optional_bytes().map(parse)
}
