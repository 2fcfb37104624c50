import { MAX_VALIDATORS } from './anchor.js';
import { ascii, equal, hash, latin1, Writer } from './bytes.js';
import type { Commit, Signature } from './commit.js';
import { Cursor, MAX_INTEGER } from './cursor.js';
import { commitmentOf, type Entry, MAX_RECORD_BYTES } from './entry.js';
import { fail } from './errors.js';
import type { Header } from './header.js';
import { MAX_PATH } from './log.js';
import { checkReceipt, type EntryProof, MAX_RECEIPT_BYTES, type Receipt } from './receipt.js';
import { appendState, readState } from './state.js';

const magic = ascii('cairn/rc');
const VERSION = 1;
const FORM = { entry: 1, withheld: 2, state: 3 } as const;
const digestBytes = 8;
const maxChainId = 50;
const maxUint64 = (1n << 64n) - 1n;

/** Tells a damaged receipt from a forged one; it proves nothing. */
export function digestOf(body: Uint8Array): Uint8Array {
  return hash(body).slice(0, digestBytes);
}

/** The receipt's binary form. It does not verify. */
export function encodeBinary(r: Receipt): Uint8Array {
  const body = encodeBody(r);
  return new Writer().raw(body, digestOf(body)).done();
}

/** Reads the binary form; the answer encodes to exactly the same octets. It does not verify. */
export function decodeBinary(b: Uint8Array): Receipt {
  const body = undigested(b, magic, MAX_RECEIPT_BYTES);
  const c = new Cursor(body.subarray(magic.length), 'form');
  const r = readReceipt(c);
  c.end();
  checkReceipt(r);
  return r;
}

/** The binary form without its digest. */
export function encodeBody(r: Receipt): Uint8Array {
  checkReceipt(r);
  const w = new Writer().raw(magic).u8(VERSION);
  const chain = ascii(r.chainId);
  if (r.state !== undefined) {
    w.u8(FORM.state).bytes(chain);
    appendState(w, r.state.proof);
    w.raw(r.state.logParams);
  } else {
    w.u8(r.entry!.opening === undefined ? FORM.withheld : FORM.entry).bytes(chain);
    appendEntry(w, r.entry!);
  }
  appendHeader(w, r.header);
  appendCommit(w, r.commit, r.header.timeNs);
  return w.done();
}

/** The part of an encoding before its digest, which must be right. */
export function undigested(b: Uint8Array, magic: Uint8Array, limit: number): Uint8Array {
  if (b.length > limit) fail('form', `${b.length} bytes, over the limit ${limit}`);
  if (b.length < magic.length + digestBytes || !equal(b.subarray(0, magic.length), magic)) fail('form', `it does not begin with "${latin1(magic)}"`);
  const body = b.subarray(0, b.length - digestBytes);
  if (!equal(digestOf(body), b.subarray(body.length))) fail('digest');
  return body;
}

function readReceipt(c: Cursor): Receipt {
  const version = c.u8('version');
  if (version !== VERSION) c.fail(`version ${version} is not known`);
  const form = c.u8('form');
  const chainId = latin1(c.bytes(maxChainId, 'chain id'));
  if (form !== FORM.entry && form !== FORM.withheld && form !== FORM.state) c.fail(`form ${form} is not known`);
  const entry = form === FORM.state ? undefined : readEntry(c, form === FORM.withheld);
  const state = form === FORM.state ? { proof: readState(c), logParams: c.hash('node of log and params') } : undefined;
  const header = readHeader(c);
  return { chainId, entry, state, header, commit: readCommit(c, header.timeNs) };
}

function appendEntry(w: Writer, p: EntryProof): void {
  w.uvarint(p.index).uvarint(p.logSize);
  appendFact(w, p);
  w.uvarint(p.path.length).raw(...p.path, p.params, p.state);
}

/** An entry and what it commits to, or its commitment alone. */
export function appendFact(w: Writer, p: Pick<EntryProof, 'entry' | 'opening'>): void {
  const e = p.entry;
  w.u8(e.kind).uvarint(e.height).uvarint(e.timeMs).raw(e.origin, e.stream);
  w.uvarint(e.sequence).uvarint(e.cause === undefined ? 0 : e.cause + 1).raw(e.type);
  if (p.opening === undefined) w.raw(e.commitment);
  else w.raw(p.opening.blind).bytes(p.opening.payload);
}

function readEntry(c: Cursor, withheld: boolean): EntryProof {
  const index = c.uvarint(MAX_INTEGER, 'index');
  const logSize = c.uvarint(MAX_INTEGER, 'log size');
  const fact = readFact(c, withheld);
  const path = c.hashes(c.uvarint(MAX_PATH, 'length of the path'), 'path');
  return { index, logSize, ...fact, path, params: c.hash('leaf of params'), state: c.hash('leaf of state') };
}

export function readFact(c: Cursor, withheld: boolean): Pick<EntryProof, 'entry' | 'opening'> {
  const entry: Entry = {
    kind: c.u8('entry kind'),
    height: c.uvarint(MAX_INTEGER, 'entry height'),
    timeMs: c.uvarint(MAX_INTEGER, 'entry time'),
    origin: c.take(20, 'entry origin').slice(),
    stream: c.take(16, 'entry stream').slice(),
    sequence: c.uvarint(MAX_INTEGER, 'entry sequence'),
    cause: causeOf(c.uvarint(MAX_INTEGER, 'entry cause')),
    type: c.take(16, 'entry type').slice(),
    commitment: new Uint8Array(32),
  };
  let opening: EntryProof['opening'];
  if (withheld) entry.commitment = c.hash('commitment');
  else {
    opening = { blind: c.hash('blind'), payload: c.bytes(MAX_RECORD_BYTES, 'payload') };
    entry.commitment = commitmentOf(opening.blind, opening.payload);
  }
  return { entry, opening };
}

export function causeOf(plusOne: number): number | undefined {
  return plusOne === 0 ? undefined : plusOne - 1;
}

export function appendHeader(w: Writer, h: Header): void {
  w.u64(h.timeNs).raw(h.version, h.blocks, h.next, h.results, h.tail);
}

export function readHeader(c: Cursor): Header {
  return {
    timeNs: BigInt.asIntN(64, c.u64('header time')),
    version: c.hash('header'),
    blocks: c.hash('header'),
    next: c.hash('header'),
    results: c.hash('header'),
    tail: c.hash('header'),
  };
}

/** The validators that signed are a set of bits, validator 0 the highest of the first octet, without zero octets at the end. */
export function appendCommit(w: Writer, m: Commit, baseNs: bigint): void {
  w.uvarint(m.height).uvarint(m.round).uvarint(m.partsTotal).raw(m.partsHash);
  const set = new Uint8Array(m.signatures.length === 0 ? 0 : (m.signatures.at(-1)!.validator >> 3) + 1);
  for (const { validator } of m.signatures) set[validator >> 3]! |= 0x80 >> (validator & 7);
  w.bytes(set);
  for (const s of m.signatures) {
    const delta = BigInt.asIntN(64, s.timeNs - baseNs); // the difference may wrap; adding it wraps back
    w.uvarint(BigInt.asUintN(64, (delta << 1n) ^ (delta >> 63n))).raw(s.bytes);
  }
}

export function readCommit(c: Cursor, baseNs: bigint): Commit {
  const m: Commit = {
    height: c.uvarint(MAX_INTEGER, 'commit height'),
    round: c.uvarint(2 ** 31 - 1, 'commit round'),
    partsTotal: c.uvarint(2 ** 32 - 1, 'parts'),
    partsHash: c.hash('parts hash'),
    signatures: [],
  };
  const set = c.bytes(MAX_VALIDATORS / 8, 'set of validators');
  if (set.at(-1) === 0) c.fail('the set of validators ends with a zero byte');
  for (let validator = 0; validator < 8 * set.length; validator++) {
    if ((set[validator >> 3]! & (0x80 >> (validator & 7))) !== 0) m.signatures.push(readSignature(c, validator, baseNs));
  }
  return m;
}

function readSignature(c: Cursor, validator: number, baseNs: bigint): Signature {
  const zigzag = c.uvarint64(maxUint64, 'signature time');
  const timeNs = BigInt.asIntN(64, baseNs + ((zigzag >> 1n) ^ -(zigzag & 1n)));
  return { validator, timeNs, bytes: c.take(64, 'signature').slice() };
}
