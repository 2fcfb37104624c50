import { ascii, base64, concat, equal, hex, latin1, unbase64, Writer } from './bytes.js';
import { cutBlank, encodeCheckpoint, parseCheckpoint, type SignedCheckpoint } from './checkpoint.js';
import { type Cosigned, cosignedJSON, type Cosigners } from './cosigners.js';
import { Cursor, MAX_INTEGER } from './cursor.js';
import { type Entry, ENTRY_BYTES, entryBytes, readEntry } from './entry.js';
import { fail } from './errors.js';
import { MAX_PATH } from './log.js';
import { checkEntry, type EntryProof, inLog, MAX_RECEIPT_BYTES } from './receipt.js';
import type { EntryStatement } from './statement.js';
import { entryJSON, object } from './statementjson.js';
import { jsonString } from './text.js';
import { entryWords } from './words.js';

/**
 * Proves that the log has an entry, against a checkpoint that the validators
 * signed with their log keys: a C2SP tlog-proof.
 */
export interface LogReceipt {
  entry: LogEntry;
  checkpoint: SignedCheckpoint;
}

/** An entry, what it commits to, and its way to the log's root. */
export type LogEntry = Omit<EntryProof, 'params' | 'state'>;

/** What a proof against a checkpoint proved: of a LogReceipt, a CoseReceipt or a HeldReceipt. */
export interface LogStatement {
  chainId: string;
  cosigned: Cosigned;
  entry: EntryStatement;
}

/** Says in words what was proven. */
export function logSentence(s: LogStatement): string {
  return (
    `On chain ${s.chainId}, ${entryWords(s.entry)}. The checkpoint of ${s.entry.logSize} entries, which commits to this, is signed by the log keys of ` +
    `${s.cosigned.names.length} validators with ${s.cosigned.power} of ${s.cosigned.totalPower} of the voting power.`
  );
}

/** The statement as JSON, as the Go verifier writes it. */
export function logJSON(s: LogStatement): string {
  return object({ chainId: jsonString(s.chainId), cosigned: cosignedJSON(s.cosigned), entry: entryJSON(s.entry) });
}

/** Gives the entry what only receipts of a block need. */
export function entryProof(e: LogEntry): EntryProof {
  return { ...e, params: new Uint8Array(32), state: new Uint8Array(32) };
}

/**
 * Checks the entry, its path and the checkpoint's signatures. A receipt carries
 * the lines that are needed and no others, in one order.
 */
export function verifyLogReceipt(r: LogReceipt, by: Cosigners): LogStatement {
  const { checkpoint } = r;
  checkEntry(entryProof(r.entry));
  const { statement, root } = inLog(entryProof(r.entry));
  if (r.entry.logSize !== checkpoint.size || !equal(root, checkpoint.root)) {
    fail('inclusion', `the path leads to root ${hex(root)} of ${r.entry.logSize} entries, the checkpoint has ${hex(checkpoint.root)} of ${checkpoint.size}`);
  }
  const cosigned = by.verify(checkpoint);
  const needed = encodeCheckpoint({ ...checkpoint, signatures: by.trim(checkpoint) });
  if (!equal(needed, encodeCheckpoint(checkpoint))) fail('canonical', 'it has signature lines that are not needed, or in another order');
  return { chainId: checkpoint.origin, cosigned, entry: statement };
}

const FORM = { entry: 1, withheld: 2 } as const;

/** An entry and what it commits to, for forms that carry it beside the proof. */
export function openingBytes({ entry, opening }: Pick<EntryProof, 'entry' | 'opening'>): Uint8Array {
  const w = new Writer().u8(opening === undefined ? FORM.withheld : FORM.entry).raw(entryBytes(entry));
  return (opening === undefined ? w : w.raw(opening.blind, opening.payload)).done();
}

/** Reads an opening and holds the entry's commitment to what is shown of it. */
export function readOpening(b: Uint8Array, at: Pick<LogEntry, 'index' | 'logSize' | 'path'>): LogEntry {
  const c = new Cursor(b, 'form');
  const form = c.u8('form');
  if (form !== FORM.entry && form !== FORM.withheld) c.fail(`form ${form} is not known`);
  const octets = c.take(ENTRY_BYTES, 'entry');
  let opening: EntryProof['opening'];
  if (form === FORM.entry) opening = { blind: c.hash('blind'), payload: b.slice(1 + ENTRY_BYTES + 32) };
  else c.end();
  const entry: Entry = readEntry(octets);
  const e: LogEntry = { ...at, entry, opening };
  checkEntry(entryProof(e));
  return e;
}

const header = ascii('c2sp.org/tlog-proof@v1\n');

/** Whether a file claims to be a tlog-proof. */
export function isTlogProof(b: Uint8Array): boolean {
  return equal(b.subarray(0, header.length), header);
}

/** The receipt as a C2SP tlog-proof. Its extra data are the entry with blind and payload. */
export function encodeTlogProof(r: LogReceipt): Uint8Array {
  const { entry } = r;
  const head = [`extra ${base64(openingBytes(entry))}`, `index ${entry.index}`, ...entry.path.map(base64)];
  return concat(header, ascii(`${head.join('\n')}\n\n`), encodeCheckpoint(r.checkpoint));
}

/** Reads a tlog-proof of a Cairn ledger. It does not verify. */
export function parseTlogProof(b: Uint8Array): LogReceipt {
  if (b.length > MAX_RECEIPT_BYTES || !isTlogProof(b)) fail('form', 'not a tlog-proof');
  const [head, note] = cutBlank(b.subarray(header.length)) ?? [new Uint8Array(0), new Uint8Array(0)];
  const [extra = '', number = '', ...hashes] = latin1(head).split('\n');
  if (!extra.startsWith('extra ') || !number.startsWith('index ') || hashes.length > MAX_PATH) {
    fail('form', `a tlog-proof has an extra line, an index line and at most ${MAX_PATH} hashes`);
  }
  const checkpoint = parseCheckpoint(note);
  const index = number.slice('index '.length);
  if (!/^\d{1,32}$/.test(index) || BigInt(index) > BigInt(MAX_INTEGER)) fail('form', 'the index is no number up to 2^53-1');
  const path = hashes.map((line) => {
    const hash = unbase64(line);
    return hash?.length === 32 ? hash : fail('form', 'a hash is not base64 of 32 bytes');
  });
  const opening = unbase64(extra.slice('extra '.length)) ?? fail('form', 'the extra data are not base64');
  const r = { entry: readOpening(opening, { index: Number(index), logSize: checkpoint.size, path }), checkpoint };
  if (!equal(encodeTlogProof(r), b)) fail('canonical', 'tlog-proof');
  return r;
}
