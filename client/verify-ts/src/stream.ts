import { type BatchReceipt, parseBatch, verifyBatchReceipt } from './batch.js';
import { addressText } from './address.js';
import { decodeBinary, undigested } from './binary.js';
import { ascii, concat, equal, hash, hex, latin1 } from './bytes.js';
import { Cursor, MAX_INTEGER } from './cursor.js';
import { fail } from './errors.js';
import { MAX_RECEIPT_BYTES, type Receipt, verifyReceipt } from './receipt.js';
import type { EntryStatement } from './statement.js';
import { object } from './statementjson.js';
import { jsonString } from './text.js';
import type { Trust } from './trust.js';

/**
 * Proves what became of every sequence of a producer's stream in a range: batch
 * receipts of the stream's entries, one for each sequence or declared gap, and a
 * state receipt of how far the stream has come.
 */
export interface StreamProof {
  producer: Uint8Array;
  name: string;
  /** Sequences from to to-1. */
  from: number;
  to: number;
  batches: BatchReceipt[];
  /** Of the stream's next sequence in the state. */
  next: Receipt;
}

/** What a stream proof proved: that of the sequences from to to-1 none is missing. */
export interface StreamStatement {
  chainId: string;
  producer: string;
  name: string;
  from: number;
  to: number;
  events: number;
  /** Sequences whose event had come before, and the index of its first arrival's entry. */
  duplicates: { sequence: number; first: number }[];
  /** Runs of sequences that the producer said it will never send. */
  gaps: { from: bigint; count: bigint }[];
  /** Sequence the stream expected after the block of that height, */
  next: bigint;
  height: number;
  /** and the time of the block that signs that. */
  time: string;
  /** In order. */
  entries: EntryStatement[];
}

const magic = ascii('cairn/sp');
const VERSION = 1;
const maxProofBytes = 64 << 20;
const maxBatches = 100_000;
const maxNameBytes = 65_536;
const streamTag = ascii('cairn/st');

/** Checks every receipt, and that the entries follow one another from from to to without a hole. */
export function verifyStreamProof(p: StreamProof, trust: Trust): StreamStatement {
  checkStream(p);
  const s = verifyNext(p, trust);
  const stream = hex(hash(streamTag, p.producer, ascii(p.name)).slice(0, 16));
  let at = BigInt(p.from);
  for (const receipt of p.batches) {
    for (const e of verifyBatchReceipt(receipt, trust.at(receipt.commit.height)).entries) {
      if (e.origin !== s.producer || e.stream !== stream) fail('incomplete', `entry ${e.index} is of another stream`);
      if (at >= p.to) fail('form', `entry ${e.index} lies behind the range`);
      at = account(s, e, at);
    }
  }
  if (at < p.to) fail('incomplete', `sequence ${at} has no entry`);
  return s;
}

/** Checks how far the stream has come. */
function verifyNext(p: StreamProof, trust: Trust): StreamStatement {
  const { state, chainId, time } = verifyReceipt(p.next, trust.at(p.next.commit.height));
  const key = concat(ascii('s'), p.producer, ascii(p.name));
  if (state === undefined || !equal(state.key, key)) fail('incomplete', 'the state receipt is of something else');
  if (state.exists && state.value.length !== 8) fail('form', `the stream's next sequence has ${state.value.length} bytes`);
  const next = state.exists ? BigInt(`0x${hex(state.value)}`) : 0n;
  if (BigInt(p.to) > next) fail('incomplete', `the stream's next sequence is ${next}, the range ends before ${p.to}`);
  const { name, from, to } = p;
  return {
    chainId, producer: addressText(p.producer), name, from, to, events: 0, duplicates: [], gaps: [], next, height: state.height, time, entries: [],
  };
}

/** Adds an entry that must hold sequence at, and answers the sequence after it. A gap may have begun before the range, or end after it. */
function account(s: StreamStatement, e: EntryStatement, at: bigint): bigint {
  if (e.kind === 'gap' && e.withheld) fail('incomplete', `the gap of entry ${e.index} is not opened`);
  const begin = BigInt(e.sequence);
  const end = begin + (e.kind === 'gap' ? e.skipped! : 1n);
  if (end >= 1n << 64n || begin > at || end <= at || (begin < at && at !== BigInt(s.from))) {
    fail('incomplete', `sequence ${at} must follow, entry ${e.index} holds ${begin} to ${end - 1n}`);
  }
  if (e.kind === 'event') s.events++;
  else if (e.kind === 'duplicate') s.duplicates.push({ sequence: e.sequence, first: e.cause ?? fail('form', `the duplicate of entry ${e.index} has no first`) });
  else if (e.kind === 'gap') {
    const from = begin > s.from ? begin : BigInt(s.from);
    s.gaps.push({ from, count: (end < s.to ? end : BigInt(s.to)) - from });
  } else fail('form', `entry ${e.index} is of kind ${e.kind}`);
  s.entries.push(e);
  return end;
}

function checkStream(p: StreamProof): void {
  if (!/^[a-z0-9._-]{1,64}$/.test(p.name)) fail('form', "the stream's name is not valid");
  if (p.from > p.to || p.to > MAX_INTEGER) fail('form', `the range is ${p.from} to ${p.to}`);
  if (p.batches.length > maxBatches) fail('form', `${p.batches.length} batches, over the limit ${maxBatches}`);
  if (p.next.state === undefined) fail('form', "it has no receipt of the stream's next sequence");
}

/** Whether a file claims to be a proof of a stream. */
export function isStreamProof(b: Uint8Array): boolean {
  return equal(b.subarray(0, magic.length), magic);
}

/** Reads the binary form. It does not verify. */
export function parseStreamProof(b: Uint8Array): StreamProof {
  const body = undigested(b, magic, maxProofBytes);
  const c = new Cursor(body.subarray(magic.length), 'form');
  const version = c.u8('version');
  if (version !== VERSION) c.fail(`version ${version} is not known`);
  const producer = c.take(20, 'producer').slice();
  const name = latin1(c.bytes(maxNameBytes, 'stream name'));
  const [from, to] = [c.uvarint(MAX_INTEGER, 'from'), c.uvarint(MAX_INTEGER, 'to')];
  const batches: BatchReceipt[] = [];
  for (let left = c.uvarint(maxBatches, 'number of batches'); left > 0; left--) {
    const part = c.take(c.uvarint(MAX_RECEIPT_BYTES, 'length of a batch'), 'batch');
    if (part.length === 0 || part[0] === 0x7b) c.fail('a batch is not in its binary form');
    batches.push(parseBatch(part));
  }
  const next = c.take(c.uvarint(MAX_RECEIPT_BYTES, 'length of the state receipt'), 'state receipt');
  c.end();
  const p = { producer, name, from, to, batches, next: decodeBinary(next) };
  checkStream(p);
  return p;
}

/** Says in words what was proven. */
export function streamSentence(s: StreamStatement): string {
  const skipped = s.gaps.reduce((sum, { count }) => sum + count, 0n);
  const end = BigInt(s.to) === s.next ? 'and these were all it had' : 'and it went on after them';
  return (
    `On chain ${s.chainId}, stream "${s.name}" of ${s.producer}: of the sequences ${s.from} to ${s.to - 1} none is missing. They are ${s.events} events, ` +
    `${s.duplicates.length} repeats of events met before, and ${skipped} sequences that the producer declared skipped in ${s.gaps.length} gaps. ` +
    `After block ${s.height} of ${s.time} the stream's next sequence was ${s.next}, ${end}.`
  );
}

/** The statement as JSON, as the Go verifier writes it. */
export function streamJSON(s: StreamStatement): string {
  return object({
    chainId: jsonString(s.chainId),
    producer: jsonString(s.producer),
    name: jsonString(s.name),
    from: String(s.from),
    to: String(s.to),
    events: String(s.events),
    duplicates: `[${s.duplicates.map((d) => object({ sequence: String(d.sequence), first: String(d.first) })).join(',')}]`,
    gaps: `[${s.gaps.map((g) => object({ from: String(g.from), count: String(g.count) })).join(',')}]`,
    next: String(s.next),
    height: String(s.height),
    time: jsonString(s.time),
  });
}
