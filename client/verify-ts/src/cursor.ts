import { type Check, fail } from './errors.js';

/** Counters stay within what every JSON reader holds exactly (RFC 7493). */
export const MAX_INTEGER = Number.MAX_SAFE_INTEGER;

const maxUint64 = (1n << 64n) - 1n;

/** Walks a canonical encoding. A fault is thrown with the code of what is being read. */
export class Cursor {
  private off = 0;

  constructor(
    private readonly buf: Uint8Array,
    private readonly code: Check,
  ) {}

  /** The next n octets, not copied. */
  take(n: number, what: string): Uint8Array {
    if (n > this.buf.length - this.off) fail(this.code, `${what} needs ${n} bytes, ${this.buf.length - this.off} are left`);
    this.off += n;
    return this.buf.subarray(this.off - n, this.off);
  }

  u8(what: string): number {
    return this.take(1, what)[0]!;
  }

  u32(what: string): number {
    const b = this.take(4, what);
    return new DataView(b.buffer, b.byteOffset).getUint32(0);
  }

  u64(what: string): bigint {
    const b = this.take(8, what);
    return new DataView(b.buffer, b.byteOffset).getBigUint64(0);
  }

  /** A minimal LEB128 number below 2^64 of at most limit. */
  uvarint64(limit: bigint, what: string): bigint {
    let value = 0n;
    for (let shift = 0n; ; shift += 7n) {
      if (this.off === this.buf.length) fail(this.code, `${what} is cut short`);
      const octet = this.buf[this.off++]!;
      value |= BigInt(octet & 127) << shift;
      if (value > maxUint64 || (shift === 63n && octet > 1)) fail(this.code, `${what} overflows`);
      if (octet >= 128) continue;
      if (octet === 0 && shift > 0n) fail(this.code, `${what} is not written in the fewest bytes`);
      if (value > limit) fail(this.code, `${what} is ${value}, over the limit ${limit}`);
      return value;
    }
  }

  /** The same for a limit of at most 2^53-1. */
  uvarint(limit: number, what: string): number {
    return Number(this.uvarint64(BigInt(limit), what));
  }

  /** A length of at most limit and that many octets, copied. */
  bytes(limit: number, what: string): Uint8Array {
    return this.take(this.uvarint(limit, `length of ${what}`), what).slice();
  }

  hash(what: string): Uint8Array {
    return this.take(32, what).slice();
  }

  /** A run of n hashes; nothing is allocated unless they are there. */
  hashes(n: number, what: string): Uint8Array[] {
    const run = this.take(32 * n, what);
    return Array.from({ length: n }, (_, i) => run.slice(32 * i, 32 * i + 32));
  }

  /** A byte that is 0 or 1. */
  flag(what: string): boolean {
    const b = this.u8(what);
    if (b > 1) this.fail(`${what}: ${b} is neither 0 nor 1`);
    return b === 1;
  }

  /** Everything must have been read. */
  end(): void {
    if (this.off !== this.buf.length) fail(this.code, `${this.buf.length - this.off} bytes are left over`);
  }

  fail(detail: string): never {
    fail(this.code, detail);
  }
}
