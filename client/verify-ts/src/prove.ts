import { Anchor, anchorFromGenesis } from './anchor.js';
import { batchJSON, batchSentence, type BatchStatement, parseBatch, verifyBatchReceipt } from './batch.js';
import { decodeBinary } from './binary.js';
import { latin1 } from './bytes.js';
import { isCose, parseCose, verifyCoseReceipt } from './cose.js';
import { type Cosigners, cosignersFromGenesis } from './cosigners.js';
import { erasureSentence, type ErasureStatement, erasureStatementJSON, isErasure, parseErasure, verifyErasureProof } from './erasure.js';
import { fail } from './errors.js';
import { type Held, isHeldReceipt, parseHeldReceipt, verifyHeldReceipt } from './held.js';
import { isTlogProof, logJSON, logSentence, type LogStatement, parseTlogProof, verifyLogReceipt } from './logreceipt.js';
import { type Receipt, verifyReceipt } from './receipt.js';
import { decodeJSON } from './receiptjson.js';
import type { Statement } from './statement.js';
import { statementJSON } from './statementjson.js';
import { isStreamProof, parseStreamProof, streamJSON, streamSentence, type StreamStatement, verifyStreamProof } from './stream.js';
import { encode } from './text.js';
import { parseTrust, Trust } from './trust.js';
import { sentence } from './words.js';

/** What a verifier trusts. */
export interface Trusted {
  /** Who signs blocks. */
  blocks: Trust;
  /** Who signs the log's checkpoints: needed for tlog-proofs, COSE receipts and held checkpoints. */
  cosigners?: Cosigners;
  /** What receipts made for holders of a checkpoint end at. */
  held?: Held;
}

/** What a file of any kind proved, in words and as the JSON that the Go verifier writes. */
export type Proven = { sentence: string; json: string } & (
  | { kind: 'receipt'; statement: Statement }
  | { kind: 'batch'; statement: BatchStatement }
  | { kind: 'stream'; statement: StreamStatement }
  | { kind: 'erasure'; statement: ErasureStatement }
  | { kind: 'tlog-proof' | 'cose' | 'held'; statement: LogStatement }
);

/** Reads what is trusted: a founding document, or a trust file that goes on from one and names no log keys. */
export function readTrusted(file: Uint8Array | string): Trusted {
  const trusted = parseTrusted(file);
  return trusted instanceof Trust ? { blocks: trusted } : { blocks: trustOf(trusted), cosigners: cosignersFromGenesis(file) };
}

/** The same for blocks alone. */
export function parseTrusted(file: Uint8Array | string): Anchor | Trust {
  const b = typeof file === 'string' ? encode(file) : file;
  return latin1(b.subarray(0, 14)) === '{"cairnTrust":' ? parseTrust(b) : anchorFromGenesis(b);
}

function trustOf(trusted: Anchor | Trust): Trust {
  return trusted instanceof Trust ? trusted : new Trust([{ anchor: trusted, since: 0, seen: 0, atNs: 0n }]);
}

function octetsOf(file: Uint8Array | string): Uint8Array {
  return typeof file === 'string' ? encode(file) : file;
}

/** Tells by its beginning what a file is, and checks everything in it; throws a VerifyError where it proves nothing. */
export function prove(file: Uint8Array, trusted: Trusted): Proven {
  const by = () => trusted.cosigners ?? fail('cosigners', 'it rests on log keys, which the founding document names and a trust file does not');
  if (isTlogProof(file)) return log('tlog-proof', verifyLogReceipt(parseTlogProof(file), by()));
  if (isCose(file)) return log('cose', verifyCoseReceipt(parseCose(file), by()));
  if (isHeldReceipt(file)) {
    const held = trusted.held ?? fail('held', 'no checkpoint is held');
    return log('held', verifyHeldReceipt(parseHeldReceipt(file), held, by()));
  }
  if (isErasure(file)) {
    const statement = verifyErasure(file, trusted.blocks);
    return { kind: 'erasure', statement, sentence: erasureSentence(statement), json: erasureStatementJSON(statement) };
  }
  if (isBatch(file)) {
    const statement = verifyBatch(file, trusted.blocks);
    return { kind: 'batch', statement, sentence: batchSentence(statement), json: batchJSON(statement) };
  }
  if (isStreamProof(file)) {
    const statement = verifyStream(file, trusted.blocks);
    return { kind: 'stream', statement, sentence: streamSentence(statement), json: streamJSON(statement) };
  }
  const statement = verify(file, trusted.blocks);
  return { kind: 'receipt', statement, sentence: sentence(statement), json: statementJSON(statement) };
}

function log(kind: 'tlog-proof' | 'cose' | 'held', statement: LogStatement): Proven {
  return { kind, statement, sentence: logSentence(statement), json: logJSON(statement) };
}

/** Reads a receipt of either form, which its first octet tells apart. It does not verify. */
export function parseReceipt(receipt: Uint8Array | string): Receipt {
  const b = octetsOf(receipt);
  return b[0] === 0x7b ? decodeJSON(b) : decodeBinary(b);
}

/**
 * Reads a receipt and checks everything in it against a trust anchor, or with
 * the validators that signed at its height; answers what it proves, or throws a
 * VerifyError.
 */
export function verify(receipt: Uint8Array | string, trusted: Anchor | Trust): Statement {
  const r = parseReceipt(receipt);
  return verifyReceipt(r, trustOf(trusted).at(r.commit.height));
}

/** Whether a file claims to be a batch receipt of either form. */
export function isBatch(b: Uint8Array): boolean {
  return ['cairn/rb', '{"cairnBatch"'].includes(latin1(b.subarray(0, b[0] === 0x7b ? 13 : 8)));
}

/** The same for a batch receipt: one proof of many entries. */
export function verifyBatch(receipt: Uint8Array | string, trusted: Anchor | Trust): BatchStatement {
  const r = parseBatch(octetsOf(receipt));
  return verifyBatchReceipt(r, trustOf(trusted).at(r.commit.height));
}

/** Reads a proof of a stream and checks that no sequence of its range is missing. */
export function verifyStream(proof: Uint8Array, trust: Trust): StreamStatement {
  return verifyStreamProof(parseStreamProof(proof), trust);
}

/** The same for a proof that an entry existed and that its payload was erased: when, by whom and why. */
export function verifyErasure(proof: Uint8Array | string, trusted: Anchor | Trust): ErasureStatement {
  return verifyErasureProof(parseErasure(octetsOf(proof)), trustOf(trusted));
}

/** The same for a receipt in a format of others, a C2SP tlog-proof or a COSE Receipt, which rests on the validators' log keys. */
export function verifyExport(receipt: Uint8Array | string, by: Cosigners): LogStatement {
  const b = octetsOf(receipt);
  return isCose(b) ? verifyCoseReceipt(parseCose(b), by) : verifyLogReceipt(parseTlogProof(b), by);
}

/** The same for a receipt that ends at what a held checkpoint has. */
export function verifyHeld(receipt: Uint8Array, held: Held, by: Cosigners): LogStatement {
  return verifyHeldReceipt(parseHeldReceipt(receipt), held, by);
}
