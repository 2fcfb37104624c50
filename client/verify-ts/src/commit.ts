import { type Anchor, MAX_VALIDATORS, validatorAddress } from './anchor.js';
import { ascii, hex, Writer } from './bytes.js';
import { MAX_INTEGER } from './cursor.js';
import { fail } from './errors.js';
import { timestamp } from './header.js';

/** Why a block is final: precommit votes of validators for one block at one height and round. */
export interface Commit {
  height: number;
  round: number;
  /** The block's part set header: votes sign it beside the hash. */
  partsTotal: number;
  partsHash: Uint8Array;
  /** In ascending order of validator. */
  signatures: Signature[];
}

/** One validator's vote for the block. */
export interface Signature {
  /** Place in the anchor's order. */
  validator: number;
  /** Of the vote, Unix nanoseconds. */
  timeNs: bigint;
  /** 64 octets. */
  bytes: Uint8Array;
}

/** Who was behind a block. */
export interface Signed {
  /** Places in the anchor's order. */
  validators: number[];
  power: bigint;
  totalPower: bigint;
}

/** What a validator signs when it precommits a block: CometBFT's CanonicalVote (v0.40.0), preceded by its length. */
export function voteBytes(
  chainId: string, c: Pick<Commit, 'height' | 'round' | 'partsTotal' | 'partsHash'>, block: Uint8Array, timeNs: bigint,
): Uint8Array {
  const vote = new Writer().u8(0x08, 2); // 1 type: precommit
  if (c.height !== 0) vote.u8(0x11).u64le(c.height);
  if (c.round !== 0) vote.u8(0x19).u64le(c.round);
  const parts = new Writer();
  if (c.partsTotal !== 0) parts.u8(0x08).uvarint(c.partsTotal);
  parts.u8(0x12).bytes(c.partsHash);
  vote.u8(0x22).bytes(new Writer().u8(0x0a).bytes(block).u8(0x12).bytes(parts.done()).done());
  vote.u8(0x2a).bytes(timestamp(timeNs));
  vote.u8(0x32).bytes(ascii(chainId));
  return new Writer().bytes(vote.done()).done();
}

/**
 * Checks that validators with more than two thirds of the anchor's power
 * signed the block of that hash. Every signature carried must hold, also those
 * beyond the quorum: nothing in a receipt goes unchecked.
 */
export function verifyCommit(c: Commit, anchor: Anchor, block: Uint8Array): Signed {
  checkCommit(c);
  const signed: Signed = { validators: [], power: 0n, totalPower: anchor.totalPower };
  let wrong: string | undefined;
  for (const s of c.signatures) {
    const validator = anchor.validators[s.validator];
    if (validator === undefined) fail('validator', `position ${s.validator}, and the set has ${anchor.validators.length}`);
    if (!anchor.key(s.validator).verify(voteBytes(anchor.chainId, c, block, s.timeNs), s.bytes)) {
      wrong ??= `validator ${s.validator} (${hex(validatorAddress(validator.pubKey))})`;
      continue;
    }
    signed.validators.push(s.validator);
    signed.power += validator.power;
  }
  if (wrong !== undefined && signed.validators.length === 0) {
    fail('unsigned', `no signature is over block ${hex(block)} at height ${c.height}, which the contents lead to`);
  }
  if (wrong !== undefined) fail('signature', wrong);
  if (!anchor.isQuorum(signed.power)) fail('power', `${signed.power} of ${signed.totalPower}`);
  return signed;
}

/** Bounds the parts and holds the order that rules out a second vote by one validator. */
export function checkCommit(c: Commit): void {
  if (!isCount(c.height, MAX_INTEGER) || c.height === 0) fail('form', `commit height ${c.height}, must be 1 to 2^53-1`);
  if (!isCount(c.round, 2 ** 31 - 1)) fail('form', `commit round ${c.round} is over 2^31-1`);
  if (!isCount(c.partsTotal, 2 ** 32 - 1) || c.partsTotal === 0) fail('form', 'a block has at least one part, and less than 2^32');
  if (c.signatures.length > MAX_VALIDATORS) fail('form', `${c.signatures.length} signatures, over the limit ${MAX_VALIDATORS}`);
  let previous = -1;
  for (const s of c.signatures) {
    if (!isCount(s.validator, MAX_VALIDATORS - 1)) fail('form', `validator ${s.validator}, must be below ${MAX_VALIDATORS}`);
    if (s.validator <= previous) fail('form', `validator ${s.validator} signs after validator ${previous}`);
    previous = s.validator;
  }
}

/** Whether n is a whole number from 0 to limit. */
export function isCount(n: number, limit: number): boolean {
  return Number.isSafeInteger(n) && n >= 0 && n <= limit;
}
