import { ascii } from './bytes.js';

/** The human-readable part of an address (BIP-173). */
const prefix = 'cairn';
const charset = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l';
const generator = [0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3];

/** BIP-173's checksum over values of five bits. */
function polymod(values: number[]): number {
  let sum = 1;
  for (const value of values) {
    const top = sum >>> 25;
    sum = ((sum & 0x1ffffff) << 5) ^ value;
    generator.forEach((g, i) => {
      if ((top >>> i) & 1) sum ^= g;
    });
  }
  return sum >>> 0;
}

const expanded = [...ascii(prefix)].map((c) => c >> 5).concat(0, [...ascii(prefix)].map((c) => c & 31));

/** The bech32 text of an address of 20 octets. */
export function addressText(address: Uint8Array): string {
  const words: number[] = [];
  let bits = 0;
  let held = 0;
  for (const octet of address) {
    held = ((held << 8) | octet) & 0xfff;
    for (bits += 8; bits >= 5; bits -= 5) words.push((held >> (bits - 5)) & 31);
  }
  if (bits > 0) words.push((held << (5 - bits)) & 31);
  const sum = polymod([...expanded, ...words, 0, 0, 0, 0, 0, 0]) ^ 1;
  for (let i = 5; i >= 0; i--) words.push((sum >>> (5 * i)) & 31);
  return `${prefix}1${words.map((word) => charset[word]).join('')}`;
}

/** Reads an address; undefined for any text but the one that addressText writes. */
export function parseAddress(text: string): Uint8Array | undefined {
  const out = new Uint8Array(20);
  let bits = 0;
  let held = 0;
  let at = 0;
  for (const c of text.slice(prefix.length + 1, prefix.length + 33)) {
    const word = charset.indexOf(c);
    if (word < 0) return undefined;
    held = ((held << 5) | word) & 0xfff;
    bits += 5;
    if (bits >= 8) out[at++] = (held >> (bits -= 8)) & 255;
  }
  return addressText(out) === text ? out : undefined; // prefix, length, case and checksum at once
}
