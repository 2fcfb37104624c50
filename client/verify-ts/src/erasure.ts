import { ascii, equal } from './bytes.js';
import { KIND } from './entry.js';
import { fail } from './errors.js';
import { parseJSON } from './json.js';
import { MAX_RECEIPT_BYTES, type Receipt, verifyReceipt } from './receipt.js';
import { decodeJSON, encodeJSON } from './receiptjson.js';
import { fold, int } from './shape.js';
import type { Statement } from './statement.js';
import { actJSON, object, statementJSON } from './statementjson.js';
import type { EraseAct } from './act.js';
import { ERASE_REASONS } from './tables.js';
import type { Trust } from './trust.js';
import { sentence } from './words.js';

/** Proves that an entry existed, and that its payload was erased: when, by whom and why. */
export interface Erasure {
  /** Of the erased entry, payload withheld. */
  entry: Receipt;
  /** Of the entry that says so. */
  erase: Receipt;
}

/** What both receipts say. */
export interface ErasureStatement {
  entry: Statement;
  erase: Statement;
  erased: EraseAct;
}

/** Checks both receipts, and that the one is about the other. */
export function verifyErasureProof(e: Erasure, trust: Trust): ErasureStatement {
  checkErasure(e);
  const entry = verifyReceipt(e.entry, trust.at(e.entry.commit.height));
  const erase = verifyReceipt(e.erase, trust.at(e.erase.commit.height));
  const [shown, act] = [entry.entry!, erase.entry!];
  if (act.act?.kind !== KIND.erase) fail('erasure', `entry ${act.index} is of kind ${act.kind}`);
  const erased = act.act.erase;
  if (erased.index !== BigInt(shown.index)) fail('erasure', `entry ${erased.index} is erased, entry ${shown.index} is shown`);
  if (act.cause === undefined || BigInt(act.cause) !== erased.index) fail('erasure', 'its cause is another entry');
  if (act.index <= shown.index) fail('erasure', 'it comes before what it erases');
  return { entry, erase, erased };
}

/** Says in words what was proven. */
export function erasureSentence(s: ErasureStatement): string {
  const { time, height } = s.erase.entry!;
  return `${sentence(s.entry)}\nIts payload was erased on ${time}, at height ${height}, because of: ${ERASE_REASONS[s.erased.reason]}.\n${sentence(s.erase)}`;
}

/** The statement as JSON, as the Go verifier writes it. */
export function erasureStatementJSON(s: ErasureStatement): string {
  return object({ entry: statementJSON(s.entry), erase: statementJSON(s.erase), erased: actJSON({ kind: KIND.erase, erase: s.erased }) });
}

function checkErasure(e: Erasure): void {
  if (e.entry.entry === undefined || e.erase.entry === undefined) fail('erasure', 'it needs receipts of two entries');
  if (e.entry.entry.opening !== undefined) fail('erasure', 'it shows the payload it says was erased');
}

const start = ascii('{"cairnErasure":');

/** Whether a document begins as an erasure's does. */
export function isErasure(b: Uint8Array): boolean {
  return equal(b.subarray(0, start.length), start);
}

/** The erasure's one form: one line, its receipts in theirs. */
export function encodeErasure(e: Erasure): Uint8Array {
  checkErasure(e);
  return ascii(`{"cairnErasure":1,"entry":${encodeJSON(e.entry)},"erase":${encodeJSON(e.erase)}}`);
}

/** Reads exactly what encodeErasure writes. It does not verify. */
export function parseErasure(b: Uint8Array): Erasure {
  if (b.length > MAX_RECEIPT_BYTES) fail('form', `${b.length} bytes, over the limit ${MAX_RECEIPT_BYTES}`);
  const value = parseJSON(b, { code: 'form', depth: 18, strict: false, prefix: true });
  if (value.kind !== 'object') fail('form', 'not an erasure');
  const parts: Record<string, Uint8Array> = {};
  value.members.forEach(([name, content], i) => {
    const known = ['cairnErasure', 'entry', 'erase'].find((member) => fold(member) === fold(name));
    if (known === undefined) fail('form', `a member ${JSON.stringify(name)}`);
    if (known === 'cairnErasure') int(64n).read(content, 0n);
    parts[known] = b.subarray(...value.spans[i]!);
  });
  const part = (name: string) => decodeJSON(parts[name] ?? fail('form', `it has no ${name}`));
  const e = { entry: part('entry'), erase: part('erase') };
  if (!equal(encodeErasure(e), b)) fail('canonical');
  return e;
}
