import { ascii, hash, Writer } from './bytes.js';
import { Cursor, MAX_INTEGER } from './cursor.js';
import { encode } from './text.js';

/** The kinds whose payload this package reads. */
export const KIND = {
  event: 1, duplicate: 2, gap: 3, emitted: 4, deadLetter: 5, contract: 6, timer: 7, token: 8, account: 9, governance: 10, dispute: 11, erase: 12,
  foreign: 13, schema: 14,
} as const;

/** Size of an encoded entry. */
export const ENTRY_BYTES = 118;

/** Bounds the payload of an entry. */
export const MAX_RECORD_BYTES = 65_536;

/** One leaf of the log: of fixed layout, with a commitment in the place of a payload. */
export interface Entry {
  kind: number;
  /** Block that appended it. */
  height: number;
  /** That block's time, Unix milliseconds. */
  timeMs: number;
  /** Producer, author, contract or other ledger: 20 octets. */
  origin: Uint8Array;
  /** Zero unless a producer's stream, or another ledger's name: 16 octets. */
  stream: Uint8Array;
  sequence: number;
  /** Index of the entry that led to it; undefined where none did. */
  cause: number | undefined;
  /** Of the event's type; zero where there is none: 16 octets. */
  type: Uint8Array;
  commitment: Uint8Array;
}

const noCause = (1n << 64n) - 1n;

/** The 118 octets that the log hashes. */
export function entryBytes(e: Entry): Uint8Array {
  return new Writer()
    .u8(1, e.kind)
    .u64(e.height)
    .u64(e.timeMs)
    .raw(e.origin, e.stream)
    .u64(e.sequence)
    .u64(e.cause ?? noCause)
    .raw(e.type, e.commitment)
    .done();
}

/** Reads the octets that the log hashes. */
export function readEntry(b: Uint8Array): Entry {
  const c = new Cursor(b, 'form');
  const version = c.u8('version');
  if (version !== 1) c.fail(`an entry of version ${version}`);
  const count = (what: string) => {
    const n = c.u64(what);
    return n <= BigInt(MAX_INTEGER) ? Number(n) : c.fail(`${what} is over 2^53-1`);
  };
  const entry: Entry = {
    kind: c.u8('kind'),
    height: count('height'),
    timeMs: count('time'),
    origin: c.take(20, 'origin').slice(),
    stream: c.take(16, 'stream').slice(),
    sequence: count('sequence'),
    cause: undefined,
    type: new Uint8Array(16),
    commitment: new Uint8Array(32),
  };
  const cause = c.u64('cause');
  if (cause !== noCause && cause >= BigInt(MAX_INTEGER)) c.fail('cause is over 2^53-2');
  if (cause !== noCause) entry.cause = Number(cause);
  entry.type = c.take(16, 'type').slice();
  entry.commitment = c.hash('commitment');
  c.end();
  return entry;
}

const commitmentTag = ascii('cairn/ev');
const typeTag = ascii('cairn/ty');

/** What an entry holds of its payload. */
export function commitmentOf(blind: Uint8Array, payload: Uint8Array): Uint8Array {
  return hash(commitmentTag, blind, payload);
}

/** What an entry holds of its event's type. */
export function typeHash(type: string): Uint8Array {
  return hash(typeTag, encode(type)).slice(0, 16);
}
