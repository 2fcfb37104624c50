import { type Anchor, anchorFromGenesis } from './anchor.js';
import { parseTrust, Trust } from './trust.js';
import { type BatchStatement, parseBatch, verifyBatchReceipt } from './batch.js';
import { decodeBinary } from './binary.js';
import { latin1 } from './bytes.js';
import { type Receipt, verifyReceipt } from './receipt.js';
import { decodeJSON } from './receiptjson.js';
import type { Statement } from './statement.js';
import { parseStreamProof, type StreamStatement, verifyStreamProof } from './stream.js';
import { encode } from './text.js';

export { type Check, CHECKS, VerifyError } from './errors.js';
export { Anchor, anchorFromGenesis, type Validator, validatorAddress } from './anchor.js';
export { addressText, parseAddress } from './address.js';
export { type EntryProof, MAX_RECEIPT_BYTES, type Receipt, type StateFact, verifyReceipt } from './receipt.js';
export { encodeBinary } from './binary.js';
export { encodeJSON } from './receiptjson.js';
export { type BatchEntry, type BatchReceipt, batchSentence, type BatchStatement, encodeBatch, encodeBatchJSON, multiRoot, parseBatch, verifyBatchReceipt } from './batch.js';
export { parseStreamProof, streamJSON, type StreamProof, streamSentence, type StreamStatement, verifyStreamProof } from './stream.js';
export { parseTrust, parseTrustPath, Trust, trustFromGenesis, trustJSON, type TrustPath, type TrustPoint, type TrustStep, verifyStep } from './trust.js';
export type { ContractStatement, DeadLetter, EntryStatement, StateStatement, Statement } from './statement.js';
export { actJSON, statementJSON } from './statementjson.js';
export { entryWords, octetWords, sentence, stateWords } from './words.js';
export { decodeRecord, type DataForm, type Event, eventJSON, type Extension } from './event.js';
export { commitmentOf, type Entry, entryBytes, typeHash } from './entry.js';
export { ACCOUNT_OPS, CODES, ENTRY_KINDS, ERASE_REASONS, TOKEN_KINDS, TX_KINDS } from './tables.js';
export type { AccountAct, Act, ContractAct, EraseAct, TimerAct } from './act.js';
export type { Movement, MovementPart, TokenOp } from './token.js';
export { EMPTY_ROOT, inclusionRoot, leafHash, nodeHash, pathLength, treeRoot, verifyConsistency, verifyInclusion } from './log.js';
export { decodeState, STATE_PLACEHOLDER, type StateLeaf, type StateProof, stateRoot, verifyState } from './state.js';
export { appHash, logLeaf, paramsLeaf, stateLeaf } from './apphash.js';
export { blockHash, type Header } from './header.js';
export { type Commit, type Signature, type Signed, verifyCommit, voteBytes } from './commit.js';

/** Reads a receipt of either form, which its first octet tells apart. It does not verify. */
export function parseReceipt(receipt: Uint8Array | string): Receipt {
  const b = typeof receipt === 'string' ? encode(receipt) : receipt;
  return b[0] === 0x7b ? decodeJSON(b) : decodeBinary(b);
}

/** Reads what is trusted: a founding document, or a trust file that goes on from one. */
export function parseTrusted(file: Uint8Array | string): Anchor | Trust {
  const b = typeof file === 'string' ? encode(file) : file;
  return latin1(b.subarray(0, 14)) === '{"cairnTrust":' ? parseTrust(b) : anchorFromGenesis(b);
}

/** Whether a file claims to be a batch receipt of either form. */
export function isBatch(b: Uint8Array): boolean {
  return ['cairn/rb', '{"cairnBatch"'].includes(latin1(b.subarray(0, b[0] === 0x7b ? 13 : 8)));
}

/** The same as verify for a batch receipt: one proof of many entries. */
export function verifyBatch(receipt: Uint8Array | string, trusted: Anchor | Trust): BatchStatement {
  const r = parseBatch(typeof receipt === 'string' ? encode(receipt) : receipt);
  return verifyBatchReceipt(r, trusted instanceof Trust ? trusted.at(r.commit.height) : trusted);
}

/** Reads a proof of a stream and checks that no sequence of its range is missing. */
export function verifyStream(proof: Uint8Array, trust: Trust): StreamStatement {
  return verifyStreamProof(parseStreamProof(proof), trust);
}

/**
 * Reads a receipt and checks everything in it against a trust anchor, or with
 * the validators that signed at its height; answers what it proves, or throws a
 * VerifyError.
 */
export function verify(receipt: Uint8Array | string, trusted: Anchor | Trust): Statement {
  const r = parseReceipt(receipt);
  return verifyReceipt(r, trusted instanceof Trust ? trusted.at(r.commit.height) : trusted);
}
