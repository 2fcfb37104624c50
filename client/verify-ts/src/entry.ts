import { ascii, hash, Writer } from './bytes.js';
import { encode } from './text.js';

/** The kinds whose payload this package reads. */
export const KIND = {
  event: 1, duplicate: 2, gap: 3, emitted: 4, deadLetter: 5, contract: 6, timer: 7, token: 8, account: 9, governance: 10, dispute: 11, erase: 12,
} as const;

/** Bounds the payload of an entry. */
export const MAX_RECORD_BYTES = 65_536;

/** One leaf of the log: of fixed layout, with a commitment in the place of a payload. */
export interface Entry {
  kind: number;
  /** Block that appended it. */
  height: number;
  /** That block's time, Unix milliseconds. */
  timeMs: number;
  /** Producer, author or contract: 20 octets. */
  origin: Uint8Array;
  /** Zero unless a producer's stream: 16 octets. */
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
