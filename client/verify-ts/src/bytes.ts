import { sha256 } from '@noble/hashes/sha2.js';

/** SHA-256 of the parts joined. */
export function hash(...parts: Uint8Array[]): Uint8Array {
  const h = sha256.create();
  for (const part of parts) h.update(part);
  return h.digest();
}

/** The octets of a text that is ASCII. */
export function ascii(text: string): Uint8Array {
  const out = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) out[i] = text.charCodeAt(i);
  return out;
}

/** One character for each octet. */
export function latin1(b: Uint8Array): string {
  let text = '';
  for (let i = 0; i < b.length; i += 4096) text += String.fromCharCode.apply(null, b.subarray(i, i + 4096) as unknown as number[]);
  return text;
}

export function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && compare(a, b) === 0;
}

/** Less than, equal to or greater than zero, by the first octet that differs. */
export function compare(a: Uint8Array, b: Uint8Array): number {
  const n = Math.min(a.length, b.length);
  for (let i = 0; i < n; i++) {
    if (a[i] !== b[i]) return a[i]! - b[i]!;
  }
  return a.length - b.length;
}

export function isZero(b: Uint8Array): boolean {
  return b.every((octet) => octet === 0);
}

export function concat(...parts: Uint8Array[]): Uint8Array {
  let length = 0;
  for (const part of parts) length += part.length;
  const out = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

const hexDigits = '0123456789abcdef';

export function hex(b: Uint8Array): string {
  let text = '';
  for (const octet of b) text += hexDigits[octet >> 4]! + hexDigits[octet & 15]!;
  return text;
}

/** Reads lower-case hex of exactly that many octets; undefined for any other text. */
export function unhex(text: string, octets: number): Uint8Array | undefined {
  if (text.length !== 2 * octets || !/^[0-9a-f]*$/.test(text)) return undefined;
  const digit = (at: number) => (text.charCodeAt(at) % 39) - 9; // '0' is 48, 'a' is 97
  const out = new Uint8Array(octets);
  for (let i = 0; i < octets; i++) out[i] = digit(2 * i) * 16 + digit(2 * i + 1);
  return out;
}

const base64Digits = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';

export function base64(b: Uint8Array): string {
  let text = '';
  for (let i = 0; i < b.length; i += 3) {
    const group = (b[i]! << 16) | ((b[i + 1] ?? 0) << 8) | (b[i + 2] ?? 0);
    for (let digit = 0; digit < 4; digit++) {
      text += i + digit > b.length ? '=' : base64Digits[(group >> (18 - 6 * digit)) & 63]!;
    }
  }
  return text;
}

/**
 * Reads padded base64; undefined for any other text. Line breaks and unused
 * bits are let through: the caller writes the value again and compares.
 */
export function unbase64(text: string): Uint8Array | undefined {
  const digits = text.replace(/[\r\n]/g, '');
  if (digits.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(digits)) return undefined;
  const end = digits.indexOf('=');
  const length = end < 0 ? digits.length : end;
  const out = new Uint8Array(Math.floor((length * 3) / 4));
  let group = 0;
  for (let i = 0, at = 0; i < length; i++) {
    group = ((group << 6) | base64Digits.indexOf(digits[i]!)) & 0xffffff;
    if (i % 4 > 0) out[at++] = (group >> (6 - 2 * (i % 4))) & 255;
  }
  return out;
}

const mask64 = (1n << 64n) - 1n;

/** Gathers octets of an encoding. */
export class Writer {
  private buf = new Uint8Array(1024);
  private length = 0;

  raw(...parts: Uint8Array[]): this {
    for (const part of parts) {
      this.reserve(part.length);
      this.buf.set(part, this.length);
      this.length += part.length;
    }
    return this;
  }

  u8(...octets: number[]): this {
    return this.raw(Uint8Array.from(octets));
  }

  /** Eight octets, big-endian; a negative number in two's complement. */
  u64(value: number | bigint): this {
    const out = new Uint8Array(8);
    new DataView(out.buffer).setBigUint64(0, BigInt(value) & mask64);
    return this.raw(out);
  }

  /** Eight octets, little-endian. */
  u64le(value: number | bigint): this {
    const out = new Uint8Array(8);
    new DataView(out.buffer).setBigUint64(0, BigInt(value) & mask64, true);
    return this.raw(out);
  }

  /** LEB128 in its shortest form; a negative number as its two's complement in 64 bits. */
  uvarint(value: number | bigint): this {
    let rest = BigInt(value) & mask64;
    for (; rest > 127n; rest >>= 7n) this.u8(Number(rest & 127n) | 128);
    return this.u8(Number(rest));
  }

  /** A length and that many octets. */
  bytes(b: Uint8Array): this {
    return this.uvarint(b.length).raw(b);
  }

  done(): Uint8Array {
    return this.buf.slice(0, this.length);
  }

  private reserve(more: number): void {
    if (this.length + more <= this.buf.length) return;
    const larger = new Uint8Array(Math.max(2 * this.buf.length, this.length + more));
    larger.set(this.buf);
    this.buf = larger;
  }
}
