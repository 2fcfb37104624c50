import { isChainId, MAX_VALIDATORS } from './anchor.js';
import { equal, Writer } from './bytes.js';
import { CBOR, cborHead, CborReader, cborString } from './cbor.js';
import { type Checkpoint, keyName } from './checkpoint.js';
import type { Cosigned, Cosigners } from './cosigners.js';
import { MAX_INTEGER } from './cursor.js';
import { MAX_RECORD_BYTES } from './entry.js';
import { fail } from './errors.js';
import { MAX_PATH } from './log.js';
import { entryProof, type LogEntry, type LogStatement, openingBytes, readOpening } from './logreceipt.js';
import { checkEntry, inLog, MAX_RECEIPT_BYTES } from './receipt.js';
import { encode } from './text.js';

/**
 * A COSE Receipt (RFC 9942, vds 1): a COSE_Sign1 message over the log's root,
 * with the inclusion proof in its unprotected header. The format has one
 * signer; the others' signatures over the same octets stand in a label of the
 * ledger's own.
 */
export interface CoseReceipt {
  origin: string;
  entry: LogEntry;
  /** The first one is the message's own. */
  signatures: CoseSignature[];
}

/** One validator's signature of the log's root. */
export interface CoseSignature {
  /** Of the cosigner. */
  name: string;
  /** 64 octets. */
  bytes: Uint8Array;
}

const maxChainId = 50;
const maxKeyName = 255;
// Octets that never differ.
const prefix = Uint8Array.of(0xd2, 0x84); // tag 18, array of 4
const kid = Uint8Array.of(0x04); // label 4
const proofs = Uint8Array.of(0x19, 0x01, 0x8c, 0xa1, 0x20, 0x81); // 396: {-1: [
const nothing = Uint8Array.of(0xf6);
const entryLabel = cborString('cairn-entry');
const signaturesLabel = cborString('cairn-signatures');

/** {1: -8, 15: {1: origin, 2: size as text}, 395: 1} */
function protectedHeader(origin: string, size: number): Uint8Array {
  return new Writer().u8(0xa3, 0x01, 0x27, 0x0f, 0xa2, 0x01).raw(cborString(origin)).u8(0x02).raw(cborString(String(size)))
    .u8(0x19, 0x01, 0x8b, 0x01).done();
}

/** What a cosigner signs for COSE receipts of a checkpoint: the Sig_structure of RFC 9052, section 4.4. */
export function coseBytes(c: Checkpoint): Uint8Array {
  return new Writer().u8(0x84).raw(cborString('Signature1'), cborString(protectedHeader(c.origin, c.size))).u8(0x40).raw(cborString(c.root)).done();
}

/**
 * Checks the entry, its path, and that validators with more than two thirds of
 * the power signed the root it leads to. Every signature must hold, be needed
 * and stand in the cosigners' order.
 */
export function verifyCoseReceipt(r: CoseReceipt, by: Cosigners): LogStatement {
  if (r.origin !== by.origin) fail('chain', `it is of the log ${r.origin}, trusted is ${by.origin}`);
  checkEntry(entryProof(r.entry));
  const { statement, root } = inLog(entryProof(r.entry));
  const message = coseBytes({ origin: r.origin, size: r.entry.logSize, root });
  const cosigned: Cosigned = { names: [], power: 0n, totalPower: by.totalPower, oldest: undefined };
  for (const { name, bytes } of r.signatures) {
    const signer = by.named(name) ?? fail('validator', JSON.stringify(name));
    if (cosigned.names.includes(name)) fail('form', `${name} signs twice`);
    if (!signer.key.verify(message, bytes)) fail('signature', name);
    cosigned.names.push(name);
    cosigned.power += by.list[signer.place]!.power;
  }
  if (!by.isQuorum(cosigned.power)) fail('uncosigned', `${cosigned.power} of ${by.totalPower}`);
  const needed = by.upToQuorum(r.signatures);
  if (needed.length !== r.signatures.length || needed.some((s, i) => s !== r.signatures[i])) {
    fail('canonical', 'it has signatures that are not needed, or in another order');
  }
  return { chainId: r.origin, cosigned, entry: statement };
}

/** Whether a file claims to be a COSE_Sign1 message. */
export function isCose(b: Uint8Array): boolean {
  return b.length > 2 && equal(b.subarray(0, 2), prefix);
}

/** The receipt's one encoding. It does not verify. */
export function encodeCose(r: CoseReceipt): Uint8Array {
  checkCose(r);
  const { entry } = r;
  const [own, ...others] = r.signatures as [CoseSignature, ...CoseSignature[]];
  const proof = new Writer().raw(cborHead(CBOR.array, 3), cborHead(CBOR.uint, entry.logSize), cborHead(CBOR.uint, entry.index),
    cborHead(CBOR.array, entry.path.length), ...entry.path.map(cborString)).done();
  const w = new Writer().raw(prefix, cborString(protectedHeader(r.origin, entry.logSize)), cborHead(CBOR.map, 4), kid, cborString(encode(own.name)));
  w.raw(proofs, cborString(proof), entryLabel, cborString(openingBytes(entry)), signaturesLabel, cborHead(CBOR.array, others.length));
  for (const { name, bytes } of others) w.raw(cborHead(CBOR.array, 2), cborString(encode(name)), cborString(bytes));
  return w.raw(nothing, cborString(own.bytes)).done();
}

/** Reads a COSE receipt as encodeCose writes it. It does not verify. */
export function parseCose(b: Uint8Array): CoseReceipt {
  if (b.length > MAX_RECEIPT_BYTES) fail('form', `${b.length} bytes, over the limit ${MAX_RECEIPT_BYTES}`);
  const c = new CborReader(b);
  c.expect(prefix, 'the tag');
  const header = c.octets(256, 'protected header');
  c.members(CBOR.map, 4, 'unprotected header');
  c.expect(kid, "label of the key's name");
  const names = [c.octets(maxKeyName, 'key name')];
  c.expect(proofs, 'label of the proof');
  const at = readPath(c.octets(64 * MAX_PATH, 'inclusion proof'));
  c.expect(entryLabel, 'label of the entry');
  const opening = c.octets(MAX_RECORD_BYTES + 256, 'entry');
  c.expect(signaturesLabel, 'label of the signatures');
  const others: Uint8Array[] = [];
  for (let left = c.head(CBOR.array, MAX_VALIDATORS, 'signatures'); left > 0; left--) {
    c.members(CBOR.array, 2, 'signature');
    names.push(c.octets(maxKeyName, 'key name'));
    others.push(c.fixed(64, 'signature'));
  }
  c.expect(nothing, 'payload');
  const signatures = [c.fixed(64, 'signature'), ...others];
  c.end();
  const origin = originOf(header);
  if (!equal(protectedHeader(origin, at.logSize), header)) fail('form', `the protected header is not that of a log of ${at.logSize} entries`);
  const entry = readOpening(opening, at);
  const r = { origin, entry, signatures: signatures.map((bytes, i) => ({ name: keyName(names[i]!), bytes })) };
  checkCose(r);
  return r;
}

/** The protected header's claim of who issued it; the caller compares the rest. */
function originOf(header: Uint8Array): string {
  const c = new CborReader(header);
  c.take(Math.min(6, header.length), 'protected header');
  return c.text(maxChainId, 'issuer');
}

function readPath(b: Uint8Array): Pick<LogEntry, 'index' | 'logSize' | 'path'> {
  const c = new CborReader(b);
  c.members(CBOR.array, 3, 'proof');
  const [logSize, index] = [c.head(CBOR.uint, MAX_INTEGER, 'size'), c.head(CBOR.uint, MAX_INTEGER, 'index')];
  const path = Array.from({ length: c.head(CBOR.array, MAX_PATH, 'path') }, () => c.fixed(32, 'hash'));
  c.end();
  return { index, logSize, path };
}

function checkCose(r: CoseReceipt): void {
  if (!isChainId(r.origin)) fail('form', 'the issuer is no chain id');
  if (r.entry.path.length === 0) fail('form', 'a COSE receipt cannot express a log of one entry');
  if (r.signatures.length === 0 || r.signatures.length > MAX_VALIDATORS) fail('form', `${r.signatures.length} signatures`);
  checkEntry(entryProof(r.entry));
}
