import { ed25519 } from '@noble/curves/ed25519.js';
import { sha512 } from '@noble/hashes/sha2.js';
import { concat, equal } from './bytes.js';

const Point = ed25519.Point;
type Point = InstanceType<typeof Point>;
const order = Point.Fn.ORDER;

// A key that signs often is worth a table, which takes longer than some checks.
const usesBeforeTable = 8;
const tableBits = 5;

function littleEndian(b: Uint8Array): bigint {
  return b.reduceRight((n, octet) => (n << 8n) | BigInt(octet), 0n);
}

/**
 * A key that signatures are verified with, as Go's crypto/ed25519 does:
 * RFC 8032 section 5.1.7 without the cofactor, so that R must be exactly the
 * encoding of SB - kA, and S below the group's order. The library's own verify
 * multiplies by the cofactor, and would accept what that refuses.
 */
export class VerifyKey {
  private readonly negative: Point | undefined;
  private uses = 0;

  constructor(private readonly key: Uint8Array) {
    try {
      this.negative = Point.fromBytes(key, true).negate(); // true: any encoding of a point, as in Go
    } catch {
      this.negative = undefined;
    }
  }

  verify(message: Uint8Array, signature: Uint8Array): boolean {
    const [r, s] = [signature.subarray(0, 32), littleEndian(signature.subarray(32))];
    if (this.negative === undefined || signature.length !== 64 || s >= order) return false;
    if (++this.uses === usesBeforeTable) this.negative.precompute(tableBits, false);
    const k = littleEndian(sha512(concat(r, this.key, message))) % order;
    return equal(Point.BASE.multiplyUnsafe(s).add(this.negative.multiplyUnsafe(k)).toBytes(), r);
  }
}
