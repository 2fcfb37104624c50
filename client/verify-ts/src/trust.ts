import { Anchor, foundingOf, MAX_VALIDATORS, type Validator } from './anchor.js';
import { base64, equal, Writer } from './bytes.js';
import { type Commit, verifyCommit } from './commit.js';
import { MAX_INTEGER } from './cursor.js';
import { fail, VerifyError } from './errors.js';
import { lowFields } from './header.js';
import { parseJSON } from './json.js';
import { leafHash, nodeHash } from './log.js';
import { commitOf, commitShape, hash32, time, uint64 } from './receiptjson.js';
import { boolean, int, list, octets, type Reader, struct, text } from './shape.js';
import { encode } from './text.js';
import { stampNine } from './time.js';

/**
 * Leads from a trusted validator set to a later one. Adjacent: the block was
 * signed by more than two thirds of the trusted set, and its header names next
 * as the set of the following block. Skipping: the block was signed by more
 * than two thirds of next, the set its header names as its own, among them more
 * than a third of the trusted set's power. These are the rules of CometBFT's
 * light client.
 */
export interface TrustStep {
  skip: boolean;
  /** The block's time, Unix nanoseconds. */
  timeNs: bigint;
  /** Hashes beside the way from the opened fields to the header's. */
  beside: Uint8Array[];
  /** Signed by the trusted set, or with skip by next. */
  commit: Commit;
  /** The set the step leads to, in any order. */
  next: Validator[];
}

/** A run of steps from one validator set on. */
export interface TrustPath {
  chainId: string;
  steps: TrustStep[];
}

/** A validator set and the heights at which it signs. */
export interface TrustPoint {
  anchor: Anchor;
  /** First height it signs. */
  since: number;
  /** Last height at which it is known to have signed, or since. */
  seen: number;
  /** Of the block at seen, or of the founding: Unix nanoseconds. */
  atNs: bigint;
}

/** Hashes beside the way: leaf 0, node 4-7, leaf 9, node 10-11, node 12-13; or with skip leaf 0, node 4-5, leaf 6, node 8-13. */
const besideNext = 5;
const besideSkip = 4;
const maxTrustBytes = 16 << 20;
const VERSION = 1n;

/** The hash of the header that names a set: in field 8, as the next block's, or with skip in field 7, as its own. */
function stepBlock(s: TrustStep, chainId: string, set: Uint8Array): Uint8Array {
  const [b0, b1, b2, b3, b4] = s.beside as [Uint8Array, Uint8Array, Uint8Array, Uint8Array, Uint8Array];
  const low = lowFields(b0, chainId, s.commit.height, s.timeNs);
  const leaf = leafHash(new Writer().u8(0x0a).bytes(set).done());
  if (s.skip) return nodeHash(nodeHash(low, nodeHash(b1, nodeHash(b2, leaf))), b3);
  return nodeHash(nodeHash(low, b1), nodeHash(nodeHash(nodeHash(leaf, b2), b3), b4));
}

/** Checks a step against a trusted set and answers the set it leads to. */
export function verifyStep(s: TrustStep, trusted: Anchor): Anchor {
  const next = new Anchor(trusted.chainId, s.next);
  const want = s.skip ? besideSkip : besideNext;
  if (s.beside.length !== want) fail('form', `${s.beside.length} hashes beside the way, must be ${want}`);
  const block = stepBlock(s, trusted.chainId, next.setHash());
  try {
    const signed = verifyCommit(s.commit, s.skip ? next : trusted, block);
    if (!s.skip) return next;
    const power = trusted.powerOf(next, signed.validators);
    if (power > trusted.totalPower / 3n) return next;
    return fail('step', `its signers hold ${power} of the ${trusted.totalPower} of the trusted set, must be more than a third`);
  } catch (error) {
    if (!(error instanceof VerifyError) || error.code === 'step') throw error;
    return fail('step', error.message);
  }
}

/** What a verifier trusts over time: the set it began with, and those that steps led to. */
export class Trust {
  /** Ascending by since. */
  readonly points: readonly Readonly<TrustPoint>[];

  /** Begins with sets that signed from heights on; parseTrust and trustFromGenesis read them. */
  constructor(points: readonly TrustPoint[]) {
    if (points.length === 0) fail('form', 'nothing is trusted');
    this.points = points;
  }

  get chainId(): string {
    return this.points[0]!.anchor.chainId;
  }

  get latest(): Readonly<TrustPoint> {
    return this.points.at(-1)!;
  }

  /**
   * The set that signs at a height. A set that replaced it without a step that
   * this trust knows makes signatures fail, never false ones hold.
   */
  at(height: number): Anchor {
    const point = this.points.filter(({ since }) => since <= height).at(-1);
    return point?.anchor ?? fail('early', `height ${height}, trusted from ${this.points[0]!.since} on`);
  }

  /**
   * Follows steps from the latest set on. A period, in nanoseconds, bounds the
   * age of the latest set at the time now: longer ago, its members may have
   * left, and have nothing to lose. Without one there is no bound.
   */
  extend(path: TrustPath, bound?: { nowNs: bigint; periodNs: bigint }): Trust {
    if (path.chainId !== this.chainId) fail('chain', `the path is of ${JSON.stringify(path.chainId)}, the trust of ${this.chainId}`);
    const age = bound === undefined ? 0n : bound.nowNs - this.latest.atNs;
    if (bound !== undefined && bound.periodNs > 0n && path.steps.length > 0 && age > bound.periodNs) fail('expired');
    const points = [...this.points];
    path.steps.forEach((s, i) => {
      const last = points.at(-1)!;
      const { height } = s.commit;
      if (height < last.seen) fail('step', `step ${i} is at height ${height}, trusted is ${last.seen}`);
      const next = verifyStep(s, last.anchor);
      if (equal(next.setHash(), last.anchor.setHash())) {
        points[points.length - 1] = { ...last, seen: height, atNs: s.timeNs };
        return;
      }
      const since = s.skip ? height : height + 1;
      if (since <= last.since) fail('step', `step ${i} names another set for height ${since}`);
      points.push({ anchor: next, since, seen: since, atNs: s.timeNs });
    });
    return new Trust(points);
  }
}

/** Trust that begins with a founding document. */
export function trustFromGenesis(genesis: Uint8Array | string): Trust {
  const { anchor, time } = foundingOf(genesis);
  return new Trust([{ anchor, since: 1, seen: 1, atNs: time() }]);
}

const validatorsShape = list(struct({ pubKey: octets, power: uint64 }));
const trustShape = struct({
  cairnTrust: int(64n),
  chainId: text(() => '', (s) => s),
  points: list(struct({ since: uint64, seen: uint64, at: time, validators: validatorsShape })),
});
const pathShape = struct({
  cairnTrustPath: int(64n),
  chainId: text(() => '', (s) => s),
  steps: list(struct({ skip: boolean, time, beside: list(hash32), commit: commitShape, next: validatorsShape })),
});

function readDocument<T>(document: Uint8Array | string, shape: Reader<T>): T {
  const b = typeof document === 'string' ? encode(document) : document;
  if (b.length > maxTrustBytes) fail('form', `${b.length} bytes, over the limit ${maxTrustBytes}`);
  return shape.read(parseJSON(b, { code: 'form', depth: 16, strict: false }), shape.zero());
}

function validatorsOf(items: { pubKey: Uint8Array; power: bigint }[]): Validator[] {
  if (items.length > MAX_VALIDATORS) fail('form', `${items.length} validators, over the limit ${MAX_VALIDATORS}`);
  for (const { pubKey } of items) {
    if (pubKey.length !== 32) fail('form', `validator key of ${pubKey.length} bytes`);
  }
  return items;
}

/** Reads a trust file. Whoever can change the file decides what is trusted. */
export function parseTrust(file: Uint8Array | string): Trust {
  const t = readDocument(file, trustShape);
  if (t.cairnTrust !== VERSION) fail('form', `cairnTrust is ${t.cairnTrust}, must be ${VERSION}`);
  let before = -1n;
  return new Trust(t.points.map((p, i) => {
    const anchor = new Anchor(t.chainId, validatorsOf(p.validators));
    if (p.seen < p.since || p.seen > BigInt(MAX_INTEGER) || p.since <= before) fail('form', `point ${i} is out of order`);
    before = p.since;
    return { anchor, since: Number(p.since), seen: Number(p.seen), atNs: p.at };
  }));
}

/** Reads a path, as nodes answer it. It verifies nothing: Trust.extend does. */
export function parseTrustPath(document: Uint8Array | string): TrustPath {
  const t = readDocument(document, pathShape);
  if (t.cairnTrustPath !== VERSION) fail('form', `cairnTrustPath is ${t.cairnTrustPath}, must be ${VERSION}`);
  return {
    chainId: t.chainId,
    steps: t.steps.map((s) => ({
      skip: s.skip, timeNs: s.time, beside: s.beside, commit: commitOf(s.commit), next: validatorsOf(s.next),
    })),
  };
}

/** The trust file of what is trusted. */
export function trustJSON(t: Trust): string {
  const points = t.points.map(({ anchor, since, seen, atNs }) => {
    const validators = anchor.validators.map(({ pubKey, power }) => `{"pubKey":"${base64(pubKey)}","power":${power}}`);
    return `{"since":${since},"seen":${seen},"at":"${stampNine(atNs)}","validators":[${validators.join(',')}]}`;
  });
  return `{"cairnTrust":1,"chainId":${JSON.stringify(t.chainId)},"points":[${points.join(',')}]}`;
}
