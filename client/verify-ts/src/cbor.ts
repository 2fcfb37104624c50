import { ascii, equal, latin1, Writer } from './bytes.js';
import { Cursor } from './cursor.js';

/** Major types of CBOR (RFC 8949) that COSE receipts are made of. */
export const CBOR = { uint: 0, bytes: 2, text: 3, array: 4, map: 5 } as const;

type Major = (typeof CBOR)[keyof typeof CBOR];

/** A major type and its argument, in the fewest octets: CBOR's core deterministic encoding. */
export function cborHead(major: Major, n: number): Uint8Array {
  if (n < 24) return Uint8Array.of((major << 5) | n);
  const power = n < 2 ** 8 ? 0 : n < 2 ** 16 ? 1 : n < 2 ** 32 ? 2 : 3;
  const wide = new Uint8Array(8);
  new DataView(wide.buffer).setBigUint64(0, BigInt(n));
  return new Writer().u8((major << 5) | (24 + power)).raw(wide.subarray(8 - 2 ** power)).done();
}

/** A string of octets, or of ASCII. */
export function cborString(s: Uint8Array | string): Uint8Array {
  const [major, octets] = typeof s === 'string' ? [CBOR.text, ascii(s)] as const : [CBOR.bytes, s] as const;
  return new Writer().raw(cborHead(major, octets.length), octets).done();
}

/** Reads such values, and only in the fewest octets and of definite length. */
export class CborReader extends Cursor {
  constructor(buf: Uint8Array) {
    super(buf, 'form');
  }

  /** A major type's argument of at most limit. */
  head(major: Major, limit: number, what: string): number {
    const first = this.u8(what);
    if (first >> 5 !== major) this.fail(`${what} is of CBOR type ${first >> 5}, must be ${major}`);
    const power = (first & 31) - 24;
    if (power > 3) this.fail(`${what} has no definite length`);
    if (power < 0) return this.within(first & 31, limit, what);
    const value = this.take(2 ** power, what).reduce((n, octet) => (n << 8n) | BigInt(octet), 0n);
    if (value < [24n, 1n << 8n, 1n << 16n, 1n << 32n][power]!) this.fail(`${what} is not written in the fewest bytes`);
    if (value > BigInt(limit)) this.fail(`${what} is ${value}, over the limit ${limit}`);
    return Number(value);
  }

  /** A string of at most limit octets. */
  octets(limit: number, what: string): Uint8Array {
    return this.take(this.head(CBOR.bytes, limit, what), what).slice();
  }

  /** Text of at most limit octets, one character for each. */
  text(limit: number, what: string): string {
    return latin1(this.take(this.head(CBOR.text, limit, what), what));
  }

  /** A string of exactly n octets. */
  fixed(n: number, what: string): Uint8Array {
    if (this.head(CBOR.bytes, n, what) !== n) this.fail(`${what} must have ${n} bytes`);
    return this.take(n, what).slice();
  }

  /** An array or map of exactly n members. */
  members(major: Major, n: number, what: string): void {
    if (this.head(major, n, what) !== n) this.fail(`${what} must have ${n} members`);
  }

  /** Octets that can only be these. */
  expect(want: Uint8Array, what: string): void {
    if (!equal(this.take(want.length, what), want)) this.fail(`${what} is not as it must be`);
  }

  private within(n: number, limit: number, what: string): number {
    return n <= limit ? n : this.fail(`${what} is ${n}, over the limit ${limit}`);
  }
}
