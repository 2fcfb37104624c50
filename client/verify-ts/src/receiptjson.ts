import { addressText, parseAddress } from './address.js';
import { ascii, base64, equal, hex, unhex } from './bytes.js';
import { digestOf, encodeBody } from './binary.js';
import type { Commit } from './commit.js';
import { commitmentOf, type Entry } from './entry.js';
import { fail } from './errors.js';
import type { Header } from './header.js';
import { parseJSON } from './json.js';
import { type EntryProof, MAX_RECEIPT_BYTES, type Receipt, type StateFact } from './receipt.js';
import { int, type Reader, list, octets, optional, struct, text, uint } from './shape.js';
import { ENTRY_KINDS } from './tables.js';
import { parseNine, stampNine } from './time.js';

const VERSION = 1;
const noCause = (1n << 64n) - 1n;

/** A hash, a time and a commit, as they stand in JSON. */
const hexOf = (n: number): Reader<Uint8Array> => text(() => new Uint8Array(n), (s) => unhex(s, n));
export const hash32 = hexOf(32);
export const time = text(() => 0n, parseNine);
export const uint64 = uint(64n);
const kind = text(() => 0, (s) => Number(Object.entries(ENTRY_KINDS).find(([, name]) => name === s)?.[0] ?? fail('form', `entry kind ${s} is not known`)));

export const commitShape = struct({
  height: uint64,
  round: uint(32n),
  partsTotal: uint(32n),
  partsHash: hash32,
  signatures: list(struct({ validator: uint(32n), time, signature: octets })),
});

export const entryMembers = {
  kind,
  height: uint64,
  timeMs: uint64,
  origin: text(() => new Uint8Array(20), parseAddress),
  stream: hexOf(16),
  sequence: uint64,
  cause: optional(uint64),
  type: hexOf(16),
  blind: optional(hash32),
  payload: optional(octets),
  commitment: optional(hash32),
};
const entryShape = struct(entryMembers);
export const headerShape = struct({ time, version: hash32, blocks: hash32, next: hash32, results: hash32, tail: hash32 });
export const mapShape = struct({ params: optional(hash32), state: optional(hash32), logParams: optional(hash32) });

const receiptShape = struct({
  cairnReceipt: int(64n),
  chainId: text(() => '', (s) => s),
  entry: optional(entryShape),
  log: optional(struct({ index: uint64, size: uint64, path: list(hash32) })),
  state: optional(struct({
    key: octets,
    value: optional(octets),
    leafKey: optional(hash32),
    leafValue: optional(hash32),
    siblings: list(hash32),
  })),
  map: mapShape,
  header: headerShape,
  commit: commitShape,
  digest: text(() => '', (s) => s),
});

type ReceiptText = ReturnType<typeof receiptShape.zero>;

/**
 * Reads the JSON form, and accepts exactly what encodeJSON writes: the values
 * are taken, written again and compared octet by octet. It does not verify.
 */
export function decodeJSON(b: Uint8Array): Receipt {
  if (b.length > MAX_RECEIPT_BYTES) fail('form', `${b.length} bytes, over the limit ${MAX_RECEIPT_BYTES}`);
  const read = receiptShape.read(parseJSON(b, { code: 'form', depth: 16, strict: false, prefix: true }), receiptShape.zero());
  const r = fromText(read);
  if (hex(digestOf(encodeBody(r))) !== read.digest) fail('digest');
  const again = ascii(encodeJSON(r));
  if (!equal(again, b)) fail('canonical', `from byte ${again.findIndex((octet, i) => octet !== b[i])} on`);
  return r;
}

/**
 * Takes the values out of the text. It may leave out what has no place (a
 * commitment beside a payload): the text written from its answer then differs.
 */
function fromText(t: ReceiptText): Receipt {
  if (t.cairnReceipt !== BigInt(VERSION)) fail('form', `cairnReceipt is ${t.cairnReceipt}, must be ${VERSION}`);
  return { chainId: t.chainId, entry: entryOf(t), state: stateOf(t), header: headerOf(t.header), commit: commitOf(t.commit) };
}

export function headerOf({ time: timeNs, ...parts }: ReturnType<typeof headerShape.zero>): Header {
  return { timeNs, ...parts };
}

/** The commit of its values in JSON. */
export function commitOf(t: ReturnType<typeof commitShape.zero>): Commit {
  return {
    height: Number(t.height),
    round: Number(t.round),
    partsTotal: Number(t.partsTotal),
    partsHash: t.partsHash,
    signatures: t.signatures.map((s, i) => {
      if (s.signature.length !== 64) fail('form', `signature ${i} has ${s.signature.length} bytes, must have 64`);
      return { validator: Number(s.validator), timeNs: s.time, bytes: s.signature };
    }),
  };
}

function entryOf(t: ReceiptText): EntryProof | undefined {
  if (t.entry === undefined) return undefined;
  if (t.log === undefined) fail('form', 'it has an entry and no log');
  return {
    index: Number(t.log.index), logSize: Number(t.log.size), ...openedOf(t.entry), path: t.log.path,
    params: t.map.params ?? new Uint8Array(32), state: t.map.state ?? new Uint8Array(32),
  };
}

/** Entry, blind and payload of their values in JSON. */
export function openedOf(t: ReturnType<typeof entryShape.zero>): Pick<EntryProof, 'entry' | 'opening'> {
  const opening = t.payload === undefined ? undefined : { blind: t.blind ?? new Uint8Array(32), payload: t.payload };
  const entry: Entry = {
    kind: t.kind,
    height: Number(t.height),
    timeMs: Number(t.timeMs),
    origin: t.origin,
    stream: t.stream,
    sequence: Number(t.sequence),
    cause: t.cause === undefined || t.cause === noCause ? undefined : Number(t.cause),
    type: t.type,
    commitment: opening === undefined ? t.commitment ?? new Uint8Array(32) : commitmentOf(opening.blind, opening.payload),
  };
  return { entry, opening };
}

function stateOf(t: ReceiptText): StateFact | undefined {
  const s = t.state;
  if (s === undefined) return undefined;
  const other = s.value === undefined && s.leafKey !== undefined && s.leafValue !== undefined;
  const leaf = other ? { keyHash: s.leafKey!, valueHash: s.leafValue! } : undefined;
  return {
    proof: { key: s.key, value: s.value, leaf, siblings: s.siblings },
    logParams: t.map.logParams ?? new Uint8Array(32),
  };
}

/** The JSON form: one line, members in one order, no space. It does not verify. */
export function encodeJSON(r: Receipt): string {
  const digest = hex(digestOf(encodeBody(r)));
  return JSON.stringify({
    cairnReceipt: VERSION,
    chainId: r.chainId,
    ...(r.entry !== undefined && entryText(r.entry)),
    ...(r.state !== undefined && stateText(r.state)),
    header: headerText(r.header),
    commit: commitText(r.commit),
    digest,
  });
}

export function headerText(h: Header): object {
  return { time: stampNine(h.timeNs), version: hex(h.version), blocks: hex(h.blocks), next: hex(h.next), results: hex(h.results), tail: hex(h.tail) };
}

export function commitText(c: Commit): object {
  return {
    height: c.height,
    round: c.round,
    partsTotal: c.partsTotal,
    partsHash: hex(c.partsHash),
    signatures: c.signatures.map((s) => ({ validator: s.validator, time: stampNine(s.timeNs), signature: base64(s.bytes) })),
  };
}

function entryText(p: EntryProof): object {
  return {
    entry: openedText(p),
    log: { index: p.index, size: p.logSize, path: p.path.map(hex) },
    map: { params: hex(p.params), state: hex(p.state) },
  };
}

export function openedText({ entry: e, opening }: Pick<EntryProof, 'entry' | 'opening'>): object {
  return {
    kind: ENTRY_KINDS[e.kind],
    height: e.height,
    timeMs: e.timeMs,
    origin: addressText(e.origin),
    stream: hex(e.stream),
    sequence: e.sequence,
    ...(e.cause !== undefined && { cause: e.cause }),
    type: hex(e.type),
    ...(opening === undefined ? { commitment: hex(e.commitment) } : { blind: hex(opening.blind), payload: base64(opening.payload) }),
  };
}

function stateText({ proof, logParams }: StateFact): object {
  return {
    state: {
      key: base64(proof.key),
      ...(proof.value !== undefined && { value: base64(proof.value) }),
      ...(proof.value === undefined && proof.leaf !== undefined && { leafKey: hex(proof.leaf.keyHash), leafValue: hex(proof.leaf.valueHash) }),
      siblings: proof.siblings.map(hex),
    },
    map: { logParams: hex(logParams) },
  };
}
