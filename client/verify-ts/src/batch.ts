import type { Anchor } from './anchor.js';
import { isChainId } from './anchor.js';
import { appHash, logLeaf } from './apphash.js';
import { appendCommit, appendHeader, causeOf, digestOf, readCommit, readHeader, undigested } from './binary.js';
import { ascii, equal, hex, latin1, Writer } from './bytes.js';
import { type Commit, checkCommit, type Signed, verifyCommit } from './commit.js';
import { Cursor, MAX_INTEGER } from './cursor.js';
import { commitmentOf, type Entry, entryBytes, MAX_RECORD_BYTES } from './entry.js';
import { fail } from './errors.js';
import { blockHash, type Header } from './header.js';
import { parseJSON } from './json.js';
import { leafHash, MAX_PATH, nodeHash } from './log.js';
import { checkEntry, type EntryProof, MAX_RECEIPT_BYTES } from './receipt.js';
import {
  commitOf, commitShape, commitText, entryMembers, hash32, headerOf, headerShape, headerText, mapShape, openedOf, openedText, uint64,
} from './receiptjson.js';
import { int, list, struct, text } from './shape.js';
import { describe, type EntryStatement } from './statement.js';
import { entryJSON, object, signedJSON } from './statementjson.js';
import { jsonString } from './text.js';
import { stamp } from './time.js';

/** Proves many entries of the log at once; what their paths share stands in it once. */
export interface BatchReceipt {
  chainId: string;
  logSize: number;
  /** Ascending by index, at least one. */
  entries: BatchEntry[];
  /** The subtrees that have none of the entries, from left to right, each as great as can be. */
  beside: Uint8Array[];
  /** Map leaves of the parameters and of the state root. */
  params: Uint8Array;
  state: Uint8Array;
  header: Header;
  commit: Commit;
}

/** One of the entries and what it commits to. */
export type BatchEntry = Pick<EntryProof, 'index' | 'entry' | 'opening'>;

/** What a batch receipt proved. */
export interface BatchStatement {
  chainId: string;
  height: number;
  time: string;
  timeNs: bigint;
  blockHash: string;
  appHash: string;
  signed: Signed;
  logSize: number;
  logRoot: string;
  entries: EntryStatement[];
}

const magic = ascii('cairn/rb');
const VERSION = 1;
const maxEntries = 10_000;
const maxChainId = 50;

/** Checks everything in a batch receipt against a trust anchor. */
export function verifyBatchReceipt(r: BatchReceipt, anchor: Anchor): BatchStatement {
  if (r.chainId !== anchor.chainId) fail('chain', `it names ${r.chainId}, the anchor ${anchor.chainId}`);
  checkBatch(r);
  const { height } = r.commit;
  const described = r.entries.map((e) => {
    const statement = describe(proofOf(r, e));
    if (e.entry.height >= height) fail('height', `entry of block ${e.entry.height}, signed block ${height}`);
    return statement;
  });
  const root = multiRoot(r.entries.map((e) => [e.index, leafHash(entryBytes(e.entry))]), r.logSize, r.beside);
  const app = appHash(logLeaf(r.logSize, root), r.params, r.state);
  const block = blockHash(r.header, r.chainId, height, app);
  return {
    chainId: r.chainId,
    height,
    time: stamp(r.header.timeNs),
    timeNs: r.header.timeNs,
    blockHash: hex(block),
    appHash: hex(app),
    signed: verifyCommit(r.commit, anchor, block),
    logSize: r.logSize,
    logRoot: hex(root),
    entries: described.map((s) => ({ ...s, logRoot: hex(root) })),
  };
}

/** Says in words what was proven. */
export function batchSentence(s: BatchStatement): string {
  return (
    `On chain ${s.chainId}, ${s.entries.length} entries of the log (of ${s.logSize}), from entry ${s.entries[0]!.index} to entry ${s.entries.at(-1)!.index}, ` +
    `are as shown. Block ${s.height} of ${s.time}, which commits to this, is signed by ${s.signed.validators.length} validators with ` +
    `${s.signed.power} of ${s.signed.totalPower} of the voting power.`
  );
}

/** The statement as JSON, as the Go verifier writes it. */
export function batchJSON(s: BatchStatement): string {
  return object({
    chainId: jsonString(s.chainId),
    height: String(s.height),
    time: jsonString(s.time),
    blockHash: jsonString(s.blockHash),
    appHash: jsonString(s.appHash),
    signed: signedJSON(s.signed),
    logSize: String(s.logSize),
    logRoot: jsonString(s.logRoot),
    entries: `[${s.entries.map(entryJSON).join(',')}]`,
  });
}

/** The entry as other receipts carry it. */
function proofOf(r: BatchReceipt, e: BatchEntry): EntryProof {
  return { ...e, logSize: r.logSize, path: [], params: r.params, state: r.state };
}

/** Bounds every part and refuses what could be written in two ways. */
function checkBatch(r: BatchReceipt): void {
  if (!isChainId(r.chainId)) fail('form', 'the chain id is not valid');
  const n = r.entries.length;
  if (n === 0 || n > maxEntries) fail('form', `${n} entries, must be 1 to ${maxEntries}`);
  if (r.beside.length > n * MAX_PATH) fail('form', `${r.beside.length} hashes beside ${n} entries`);
  r.entries.forEach((e, i) => {
    if (i > 0 && e.index <= r.entries[i - 1]!.index) fail('form', `entry ${e.index} after a later one, must be ascending`);
    checkEntry(proofOf(r, e));
  });
  checkCommit(r.commit);
}

/**
 * The root of the tree of that size that has these leaves, ascending by index,
 * and beside them the subtrees without any, from left to right. It fails unless
 * each hash beside has its place: a root fixes the leaves.
 */
export function multiRoot(leaves: [index: number, hash: Uint8Array][], size: number, beside: Uint8Array[]): Uint8Array {
  const last = leaves.at(-1);
  if (last === undefined || last[0] >= size || size > MAX_INTEGER) fail('inclusion', `${leaves.length} leaves of a log of ${size}`);
  if (leaves.some(([index], i) => i > 0 && index <= leaves[i - 1]![0])) fail('inclusion', 'leaves are not ascending');
  let [leaf, used] = [0, 0];
  const root = (lo: number, hi: number): Uint8Array => {
    const next = leaves[leaf];
    if (next === undefined || next[0] >= hi) return beside[used++] ?? fail('inclusion', 'there are too few hashes beside the leaves');
    if (hi - lo === 1) return leaves[leaf++]![1];
    let half = 1; // the largest power of two below the number of leaves
    while (2 * half < hi - lo) half *= 2;
    const left = root(lo, lo + half);
    return nodeHash(left, root(lo + half, hi));
  };
  const top = root(0, size);
  if (used < beside.length) fail('inclusion', 'there are too many hashes beside the leaves');
  return top;
}

// What stands of an entry: the rest follows from the entry before.
const INDEX = 1 << 7;
const KIND = 1 << 6;
const BLOCK = 1 << 5;
const PLACE = 1 << 4;
const SEQUENCE = 1 << 3;
const CAUSE = 1 << 2;
const TYPE = 1 << 1;
const WITHHELD = 1 << 0;

/** What is expected after an entry; before the first, entry 0 without a cause and all else zero. */
function follower(before: BatchEntry | undefined): { index: number; entry: Entry } {
  if (before !== undefined) return { index: before.index + 1, entry: { ...before.entry, sequence: before.entry.sequence + 1 } };
  const zero = (n: number) => new Uint8Array(n);
  const entry = { kind: 0, height: 0, timeMs: 0, origin: zero(20), stream: zero(16), sequence: 0, cause: undefined, type: zero(16), commitment: zero(32) };
  return { index: 0, entry };
}

function appendEntry(w: Writer, e: BatchEntry, before: BatchEntry | undefined): void {
  const { index, entry: was } = follower(before);
  const is = e.entry;
  const rest = new Writer();
  let flags = 0;
  const when = (flag: number, differs: boolean, append: () => void) => {
    if (!differs) return;
    flags |= flag;
    append();
  };
  when(INDEX, e.index !== index, () => rest.uvarint(e.index - index));
  when(KIND, is.kind !== was.kind, () => rest.u8(is.kind));
  when(BLOCK, is.height !== was.height || is.timeMs !== was.timeMs, () => rest.uvarint(is.height).uvarint(is.timeMs));
  when(PLACE, !equal(is.origin, was.origin) || !equal(is.stream, was.stream), () => rest.raw(is.origin, is.stream));
  when(SEQUENCE, is.sequence !== was.sequence, () => rest.uvarint(is.sequence));
  when(CAUSE, is.cause !== was.cause, () => rest.uvarint(is.cause === undefined ? 0 : is.cause + 1));
  when(TYPE, !equal(is.type, was.type), () => rest.raw(is.type));
  if (e.opening === undefined) w.u8(flags | WITHHELD).raw(rest.done(), is.commitment);
  else w.u8(flags).raw(rest.done(), e.opening.blind).bytes(e.opening.payload);
}

function readEntry(c: Cursor, before: BatchEntry | undefined): BatchEntry {
  const e: BatchEntry = { ...follower(before), opening: undefined };
  const is = e.entry;
  const flags = c.u8("entry's flags");
  if ((flags & INDEX) !== 0) e.index += c.uvarint(MAX_INTEGER, 'index');
  if ((flags & KIND) !== 0) is.kind = c.u8('kind');
  if ((flags & BLOCK) !== 0) [is.height, is.timeMs] = [c.uvarint(MAX_INTEGER, 'height'), c.uvarint(MAX_INTEGER, 'time')];
  if ((flags & PLACE) !== 0) [is.origin, is.stream] = [c.take(20, 'origin').slice(), c.take(16, 'stream').slice()];
  if ((flags & SEQUENCE) !== 0) is.sequence = c.uvarint(MAX_INTEGER, 'sequence');
  if ((flags & CAUSE) !== 0) is.cause = causeOf(c.uvarint(MAX_INTEGER, 'cause'));
  if ((flags & TYPE) !== 0) is.type = c.take(16, 'type').slice();
  if ((flags & WITHHELD) !== 0) {
    is.commitment = c.hash('commitment');
    return e;
  }
  e.opening = { blind: c.hash('blind'), payload: c.bytes(MAX_RECORD_BYTES, 'payload') };
  is.commitment = commitmentOf(e.opening.blind, e.opening.payload);
  return e;
}

function encodeBody(r: BatchReceipt): Uint8Array {
  checkBatch(r);
  const w = new Writer().raw(magic).u8(VERSION).bytes(ascii(r.chainId)).uvarint(r.logSize).uvarint(r.entries.length);
  r.entries.forEach((e, i) => appendEntry(w, e, r.entries[i - 1]));
  w.uvarint(r.beside.length).raw(...r.beside, r.params, r.state);
  appendHeader(w, r.header);
  appendCommit(w, r.commit, r.header.timeNs);
  return w.done();
}

/** A batch receipt's binary form. It does not verify. */
export function encodeBatch(r: BatchReceipt): Uint8Array {
  const body = encodeBody(r);
  if (body.length + 8 > MAX_RECEIPT_BYTES) fail('form', `${body.length} bytes, over the limit ${MAX_RECEIPT_BYTES}`);
  return new Writer().raw(body, digestOf(body)).done();
}

/** Reads a batch receipt of either form, which its first octet tells apart. It does not verify. */
export function parseBatch(b: Uint8Array): BatchReceipt {
  if (b[0] === 0x7b && b.length <= MAX_RECEIPT_BYTES) return parseBatchJSON(b);
  const body = undigested(b, magic, MAX_RECEIPT_BYTES);
  const c = new Cursor(body.subarray(magic.length), 'form');
  const version = c.u8('version');
  if (version !== VERSION) c.fail(`version ${version} is not known`);
  const [chainId, logSize] = [latin1(c.bytes(maxChainId, 'chain id')), c.uvarint(MAX_INTEGER, 'log size')];
  const entries: BatchEntry[] = [];
  for (let left = c.uvarint(maxEntries, 'number of entries'); left > 0; left--) entries.push(readEntry(c, entries.at(-1)));
  const beside = c.hashes(c.uvarint(maxEntries * MAX_PATH, 'number of hashes'), 'hashes');
  const [params, state, header] = [c.hash('leaf of params'), c.hash('leaf of state'), readHeader(c)];
  const r = { chainId, logSize, entries, beside, params, state, header, commit: readCommit(c, header.timeNs) };
  c.end();
  if (!equal(encodeBody(r), body)) fail('canonical', 'a field that follows was written out');
  return r;
}

const batchShape = struct({
  cairnBatch: int(64n),
  chainId: text(() => '', (s) => s),
  log: struct({ size: uint64, beside: list(hash32) }),
  entries: list(struct({ index: uint64, ...entryMembers })),
  map: mapShape,
  header: headerShape,
  commit: commitShape,
  digest: text(() => '', (s) => s),
});

function parseBatchJSON(b: Uint8Array): BatchReceipt {
  const t = batchShape.read(parseJSON(b, { code: 'form', depth: 16, strict: false, prefix: true }), batchShape.zero());
  if (t.cairnBatch !== BigInt(VERSION)) fail('form', `cairnBatch is ${t.cairnBatch}, must be ${VERSION}`);
  const r: BatchReceipt = {
    chainId: t.chainId,
    logSize: Number(t.log.size),
    entries: t.entries.map((e) => ({ index: Number(e.index), ...openedOf(e) })),
    beside: t.log.beside,
    params: t.map.params ?? new Uint8Array(32),
    state: t.map.state ?? new Uint8Array(32),
    header: headerOf(t.header),
    commit: commitOf(t.commit),
  };
  if (hex(digestOf(encodeBody(r))) !== t.digest) fail('digest');
  if (!equal(ascii(encodeBatchJSON(r)), b)) fail('canonical');
  return r;
}

/** A batch receipt's JSON form. It does not verify. */
export function encodeBatchJSON(r: BatchReceipt): string {
  const digest = hex(digestOf(encodeBody(r)));
  return JSON.stringify({
    cairnBatch: VERSION,
    chainId: r.chainId,
    log: { size: r.logSize, beside: r.beside.map(hex) },
    entries: r.entries.map((e) => ({ index: e.index, ...openedText(e) })),
    map: { params: hex(r.params), state: hex(r.state) },
    header: headerText(r.header),
    commit: commitText(r.commit),
    digest,
  });
}
