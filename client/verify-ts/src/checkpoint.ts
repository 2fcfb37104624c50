import { isChainId, MAX_VALIDATORS } from './anchor.js';
import { ascii, base64, concat, equal, hash, latin1, unbase64, Writer } from './bytes.js';
import { MAX_INTEGER } from './cursor.js';
import { fail } from './errors.js';
import { encode, utf8 } from './text.js';

/** The head of the log: C2SP tlog-checkpoint, without extension lines. The origin is the chain id. */
export interface Checkpoint {
  origin: string;
  size: number;
  root: Uint8Array;
}

/** A checkpoint and the signature lines under it: a C2SP signed note. */
export interface SignedCheckpoint extends Checkpoint {
  signatures: NoteSignature[];
}

/** A signature line. */
export interface NoteSignature {
  name: string;
  /** First octets of SHA-256(name || "\n" || type || key). */
  keyId: number;
  /** As the signature's type says. */
  bytes: Uint8Array;
}

/** Signature types of C2SP signed-note: the log's, over the text, and a timestamped cosignature. */
export const NOTE = { ed25519: 1, cosignature: 4 } as const;

const maxLines = 2 * MAX_VALIDATORS + 100;
const maxSignatureBytes = 4096;
const maxKeyName = 255;
const linePrefix = encode('— ');

/** The checkpoint as a note's text: what is signed. */
export function checkpointText(c: Checkpoint): string {
  return `${c.origin}\n${c.size}\n${base64(c.root)}\n`;
}

/** What a cosigner signs: C2SP tlog-cosignature, Ed25519. */
export function cosignatureBytes(c: Checkpoint, unixSeconds: bigint): Uint8Array {
  return ascii(`cosignature/v1\ntime ${unixSeconds}\n${checkpointText(c)}`);
}

/** The id by which a signature line names a key. */
export function keyId(name: string, type: number, key: Uint8Array): number {
  return firstWord(hash(encode(name), Uint8Array.of(0x0a, type), key));
}

function firstWord(b: Uint8Array): number {
  return new DataView(b.buffer, b.byteOffset).getUint32(0);
}

/** The note's one text. */
export function encodeCheckpoint(s: SignedCheckpoint): Uint8Array {
  const w = new Writer().raw(ascii(`${checkpointText(s)}\n`));
  for (const { name, keyId, bytes } of s.signatures) {
    const id = new Uint8Array(4);
    new DataView(id.buffer).setUint32(0, keyId);
    w.raw(linePrefix, encode(name), ascii(` ${base64(concat(id, bytes))}\n`));
  }
  return w.done();
}

/** Reads a signed checkpoint; the answer writes to exactly the same octets. It does not verify. */
export function parseCheckpoint(b: Uint8Array): SignedCheckpoint {
  const [text, under] = cutBlank(b) ?? fail('form', 'not a checkpoint and signatures under it');
  const head = latin1(text).split('\n');
  if (head.length !== 3 || utf8(b) === undefined) fail('form', 'not a checkpoint of three lines and signatures under them');
  const [origin, size, root] = head as [string, string, string];
  if (!isChainId(origin)) fail('form', "the checkpoint's origin is no chain id");
  if (!/^\d+$/.test(size) || BigInt(size) > BigInt(MAX_INTEGER)) fail('form', "a log's size is no number up to 2^53-1");
  const octets = unbase64(root);
  if (octets?.length !== 32) fail('form', "a log's root is not base64 of 32 bytes");
  const s = { origin, size: Number(size), root: octets, signatures: parseLines(under) };
  if (!equal(encodeCheckpoint(s), b)) fail('canonical', 'checkpoint');
  return s;
}

/** What stands before and after the first empty line. */
export function cutBlank(b: Uint8Array): [before: Uint8Array, after: Uint8Array] | undefined {
  for (let at = 0; at + 1 < b.length; at++) {
    if (b[at] === 0x0a && b[at + 1] === 0x0a) return [b.subarray(0, at), b.subarray(at + 2)];
  }
  return undefined;
}

function parseLines(b: Uint8Array): NoteSignature[] {
  const lines: NoteSignature[] = [];
  for (let at = 0; at < b.length; ) {
    const end = b.indexOf(0x0a, at);
    const line = b.subarray(at, end < 0 ? b.length : end);
    const space = line.indexOf(0x20, linePrefix.length);
    if (end < 0 || space < 0 || !equal(line.subarray(0, linePrefix.length), linePrefix)) fail('form', 'a signature line is not valid');
    const name = keyName(line.subarray(linePrefix.length, space));
    const raw = unbase64(latin1(line.subarray(space + 1))) ?? fail('form', 'a signature is not base64');
    if (raw.length < 5 || raw.length > 4 + maxSignatureBytes) fail('form', `a signature of ${raw.length} bytes`);
    if (lines.length >= maxLines) fail('form', `more than ${maxLines} signature lines`);
    lines.push({ name, keyId: firstWord(raw), bytes: raw.subarray(4) });
    at = end + 1;
  }
  return lines;
}

// White space as Unicode has it: \s is another set.
const notInNames = /[\x00-\x20+\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]/;

/** The name of a key by the rule of C2SP signed-note, and a bound. */
export function keyName(b: Uint8Array): string {
  const name = b.length > 0 && b.length <= maxKeyName ? utf8(b) : undefined;
  if (name === undefined || notInNames.test(name)) fail('form', 'the name of a key is not valid');
  return name;
}
