import { appendFact, digestOf, readFact, undigested } from './binary.js';
import { ascii, equal, hex, Writer } from './bytes.js';
import { encodeCheckpoint, parseCheckpoint, type SignedCheckpoint } from './checkpoint.js';
import type { Cosigned, Cosigners } from './cosigners.js';
import { Cursor, MAX_INTEGER } from './cursor.js';
import { entryBytes } from './entry.js';
import { fail } from './errors.js';
import { parseJSON } from './json.js';
import { EMPTY_ROOT, inclusionRoot, leafHash, nodeHash, treeRoot } from './log.js';
import { entryProof, type LogEntry, type LogStatement } from './logreceipt.js';
import { checkEntry, MAX_RECEIPT_BYTES } from './receipt.js';
import { hash32 } from './receiptjson.js';
import { int, list, struct, text, uint } from './shape.js';
import { describe } from './statement.js';
import { encode, jsonString, utf8 } from './text.js';

/**
 * A checkpoint that an auditor keeps, with the subtrees that make it up: those
 * of 2^level entries, and to the right of them the remaining ones. A subtree of
 * the row never changes, so a receipt that ends at one verifies against every
 * later checkpoint held with the same level.
 */
export interface Held {
  checkpoint: SignedCheckpoint;
  /** At most 40. */
  level: number;
  row: Uint8Array[];
  /** One for each bit of the size below the level, greatest first. */
  rest: Uint8Array[];
}

/** Proves an entry to whoever holds a checkpoint: it ends at one of the checkpoint's subtrees and carries no signature. */
export interface HeldReceipt {
  /** Of the subtree; the path has as many hashes. */
  level: number;
  /** Of a log of the subtree's entries only. */
  entry: Omit<LogEntry, 'logSize'>;
}

const MAX_LEVEL = 40;
const MAX_HELD_BYTES = 64 << 20;
const VERSION = 1;

/** Checks who signed a held checkpoint, and that the subtrees make it up. */
export function verifyHeldCheckpoint(h: Held, by: Cosigners): Cosigned {
  const cosigned = by.verify(h.checkpoint);
  if (h.level > MAX_LEVEL) fail('form', `level ${h.level}, over the limit ${MAX_LEVEL}`);
  const { size, root } = h.checkpoint;
  const [row, rest] = [at(size, h.level), ones(size % 2 ** h.level)];
  if (h.row.length !== row || h.rest.length !== rest) {
    fail('form', `${h.row.length} and ${h.rest.length} subtrees of level ${h.level}, a log of ${size} has ${row} and ${rest}`);
  }
  const got = foldRight(h.row, h.rest);
  if (!equal(got, root)) fail('inclusion', `its subtrees lead to root ${hex(got)}, the checkpoint has ${hex(root)}`);
  return cosigned;
}

/** The number of whole subtrees of a level, or the index of an entry's. */
function at(n: number, level: number): number {
  return Math.floor(n / 2 ** level);
}

function ones(n: number): number {
  return n.toString(2).replaceAll('0', '').length;
}

/** The root over subtrees of one size and smaller ones behind them. */
function foldRight(row: Uint8Array[], rest: Uint8Array[]): Uint8Array {
  // The row's own complete subtrees, the greatest first; what is behind joins the last of them, and so on to the left.
  const peaks: Uint8Array[] = [];
  for (let from = 0; from < row.length; ) {
    const k = 2 ** Math.floor(Math.log2(row.length - from));
    peaks.push(treeRoot(row.slice(from, from + k)));
    from += k;
  }
  const all = [...peaks, ...rest];
  return all.length === 0 ? EMPTY_ROOT : all.reduceRight((right, left) => nodeHash(left, right));
}

/** The held subtree of a level that has an entry. */
function subtree(h: Held, level: number, index: number): Uint8Array | undefined {
  const { size } = h.checkpoint;
  const place = at(index, level);
  if (level === h.level && place < h.row.length) return h.row[place];
  const whole = at(size, level);
  if (level >= h.level || whole % 2 === 0 || place !== whole - 1) return undefined;
  return h.rest[ones(at(size, level + 1) % 2 ** (h.level - level - 1))];
}

/** Checks a receipt against a held checkpoint, and that one too. */
export function verifyHeldReceipt(r: HeldReceipt, h: Held, by: Cosigners): LogStatement {
  const cosigned = verifyHeldCheckpoint(h, by);
  checkHeldReceipt(r);
  const { index, path } = r.entry;
  const e = entryProof({ ...r.entry, logSize: h.checkpoint.size });
  const statement = describe(e);
  const root = inclusionRoot(leafHash(entryBytes(e.entry)), index % 2 ** r.level, 2 ** r.level, path);
  const held = subtree(h, r.level, index);
  if (held === undefined) {
    fail('held', `entry ${index} in a subtree of level ${r.level}; it has ${h.checkpoint.size} entries by level ${h.level}`);
  }
  if (!equal(held, root)) fail('inclusion', `the path leads to ${hex(root)}, the held subtree is ${hex(held)}`);
  return { chainId: h.checkpoint.origin, cosigned, entry: { ...statement, logRoot: hex(h.checkpoint.root) } };
}

function checkHeldReceipt(r: HeldReceipt): void {
  if (r.level > MAX_LEVEL || r.entry.path.length !== r.level) fail('form', `level ${r.level} with a path of ${r.entry.path.length} hashes`);
  checkEntry(entryProof({ ...r.entry, logSize: 0 }));
}

const heldShape = struct({
  cairnHeld: int(64n),
  checkpoint: text(() => '', (s) => s),
  level: uint(8n),
  row: list(hash32),
  rest: list(hash32),
});

/** Whether a file claims to be a held checkpoint. */
export function isHeld(b: Uint8Array): boolean {
  return equal(b.subarray(0, 12), ascii('{"cairnHeld"'));
}

/** Reads a held checkpoint's file: what heldJSON writes, and perhaps a newline behind it. It does not verify. */
export function parseHeld(file: Uint8Array | string): Held {
  const b = typeof file === 'string' ? encode(file) : file;
  if (b.length > MAX_HELD_BYTES) fail('form', `${b.length} bytes, over the limit ${MAX_HELD_BYTES}`);
  const t = heldShape.read(parseJSON(b, { code: 'form', depth: 16, strict: false, prefix: true }), heldShape.zero());
  if (t.cairnHeld !== BigInt(VERSION)) fail('form', `cairnHeld is ${t.cairnHeld}, must be ${VERSION}`);
  const h = { checkpoint: parseCheckpoint(encode(t.checkpoint)), level: Number(t.level), row: t.row, rest: t.rest };
  if (!equal(encode(heldJSON(h)), b.at(-1) === 0x0a ? b.subarray(0, -1) : b)) fail('canonical', 'held checkpoint');
  return h;
}

/** The file of a held checkpoint. */
export function heldJSON(h: Held): string {
  const hashes = (all: Uint8Array[]) => `[${all.map((h) => `"${hex(h)}"`).join(',')}]`;
  const note = jsonString(utf8(encodeCheckpoint(h.checkpoint))!);
  return `{"cairnHeld":${VERSION},"checkpoint":${note},"level":${h.level},"row":${hashes(h.row)},"rest":${hashes(h.rest)}}`;
}

const magic = ascii('cairn/rh');
const FORM = { entry: 1, withheld: 2 } as const;

/** Whether a file claims to be a receipt for holders of a checkpoint. */
export function isHeldReceipt(b: Uint8Array): boolean {
  return equal(b.subarray(0, magic.length), magic);
}

/** The receipt's one form. It does not verify. */
export function encodeHeldReceipt(r: HeldReceipt): Uint8Array {
  checkHeldReceipt(r);
  const form = r.entry.opening === undefined ? FORM.withheld : FORM.entry;
  const w = new Writer().raw(magic).u8(VERSION, form, r.level).uvarint(r.entry.index);
  appendFact(w, r.entry);
  const body = w.raw(...r.entry.path).done();
  return new Writer().raw(body, digestOf(body)).done();
}

/** Reads the binary form; the answer encodes to exactly the same octets. It does not verify. */
export function parseHeldReceipt(b: Uint8Array): HeldReceipt {
  const body = undigested(b, magic, MAX_RECEIPT_BYTES);
  const c = new Cursor(body.subarray(magic.length), 'form');
  const version = c.u8('version');
  if (version !== VERSION) c.fail(`version ${version} is not known`);
  const form = c.u8('form');
  if (form !== FORM.entry && form !== FORM.withheld) c.fail(`form ${form} is not known`);
  const level = c.u8('level');
  const index = c.uvarint(MAX_INTEGER, 'index');
  const fact = readFact(c, form === FORM.withheld);
  const path = c.hashes(Math.min(level, MAX_LEVEL), 'path');
  c.end();
  const r = { level, entry: { index, ...fact, path } };
  checkHeldReceipt(r);
  return r;
}
