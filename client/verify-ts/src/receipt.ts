import { type Anchor, isChainId } from './anchor.js';
import { appHash, logLeaf, stateLeaf } from './apphash.js';
import { equal, hex } from './bytes.js';
import { type Commit, checkCommit, isCount, verifyCommit } from './commit.js';
import { MAX_INTEGER } from './cursor.js';
import { commitmentOf, type Entry, entryBytes, MAX_RECORD_BYTES } from './entry.js';
import { fail } from './errors.js';
import { blockHash, type Header } from './header.js';
import { inclusionRoot, leafHash, MAX_PATH, nodeHash } from './log.js';
import { checkState, type StateProof, stateRoot } from './state.js';
import { describe, type EntryStatement, type StateStatement, type Statement } from './statement.js';
import { ENTRY_KINDS } from './tables.js';
import { stamp } from './time.js';

/**
 * Everything a verifier needs, beside an Anchor, to check one fact of the
 * ledger: that the log has an entry, or that the state has a key or lacks it.
 * It carries no root and no hash that follows from the rest; from the fact one
 * climbs to a block's hash, and the validators signed that or did not.
 */
export interface Receipt {
  chainId: string;
  /** Exactly one of entry and state is there. */
  entry: EntryProof | undefined;
  state: StateFact | undefined;
  /** Of the block whose app hash proves the fact. */
  header: Header;
  commit: Commit;
}

/** An entry, what it commits to, and its way to the app hash. */
export interface EntryProof {
  index: number;
  /** Of the log the path is in. */
  logSize: number;
  entry: Entry;
  /** What the commitment is to; undefined where the receipt withholds it. */
  opening: { blind: Uint8Array; payload: Uint8Array } | undefined;
  /** In the log, nearest sibling first. */
  path: Uint8Array[];
  /** Map leaf of the parameters. */
  params: Uint8Array;
  /** Map leaf of the state root. */
  state: Uint8Array;
}

/** A state proof and its way to the app hash. */
export interface StateFact {
  proof: StateProof;
  /** Map node over the leaves of log and params. */
  logParams: Uint8Array;
}

/** Bounds an encoded receipt of either form. */
export const MAX_RECEIPT_BYTES = 8 << 20;

/** Checks everything in a receipt against a trust anchor, and answers what it proves. */
export function verifyReceipt(r: Receipt, anchor: Anchor): Statement {
  if (r.chainId !== anchor.chainId) fail('chain', `it names ${r.chainId}, the anchor ${anchor.chainId}`);
  checkReceipt(r);
  const { height } = r.commit;
  const fact = r.entry !== undefined ? climbEntry(r.entry, height) : climbState(r.state!, height - 1);
  const block = blockHash(r.header, r.chainId, height, fact.app);
  return {
    chainId: r.chainId,
    height,
    time: stamp(r.header.timeNs),
    timeNs: r.header.timeNs,
    blockHash: hex(block),
    appHash: hex(fact.app),
    signed: verifyCommit(r.commit, anchor, block),
    entry: fact.entry,
    state: fact.state,
  };
}

interface Fact {
  entry: EntryStatement | undefined;
  state: StateStatement | undefined;
  app: Uint8Array;
}

/** Leads from payload and entry to the app hash of the block before the signed one. */
function climbEntry(p: EntryProof, signedHeight: number): Fact {
  const { statement, root } = inLog(p);
  if (p.entry.height >= signedHeight) fail('height', `entry of block ${p.entry.height}, signed block ${signedHeight}`);
  return { entry: statement, state: undefined, app: appHash(logLeaf(p.logSize, root), p.params, p.state) };
}

/** Leads from payload and entry to the log's root. */
export function inLog(p: EntryProof): { statement: EntryStatement; root: Uint8Array } {
  const statement = describe(p);
  const root = inclusionRoot(leafHash(entryBytes(p.entry)), p.index, p.logSize, p.path);
  return { statement: { ...statement, logRoot: hex(root) }, root };
}

/** Leads from key and value to the app hash: the one after the block of that height. */
function climbState(s: StateFact, height: number): Fact {
  const root = stateRoot(s.proof);
  const { key, value } = s.proof;
  const state = { height, key, exists: value !== undefined, value: value ?? new Uint8Array(0), root: hex(root) };
  return { entry: undefined, state, app: nodeHash(s.logParams, stateLeaf(root)) };
}

/** Bounds every part and refuses what could be written in two ways. */
export function checkReceipt(r: Receipt): void {
  if (!isChainId(r.chainId)) fail('form', 'a chain id has 1 to 50 printable ASCII characters, without space, ", \\, <, > and &');
  if ((r.entry === undefined) === (r.state === undefined)) fail('form', 'it must prove one entry or one key of the state');
  if (r.state !== undefined) checkState(r.state.proof);
  if (r.entry !== undefined) checkEntry(r.entry);
  checkCommit(r.commit);
}

/** Bounds an entry and holds its commitment to what is shown of it. */
export function checkEntry(p: EntryProof): void {
  const e = p.entry;
  const numbers = { index: p.index, logSize: p.logSize, height: e.height, timeMs: e.timeMs, sequence: e.sequence };
  for (const [what, n] of Object.entries(numbers)) {
    if (!isCount(n, MAX_INTEGER)) fail('form', `${what} is over 2^53-1`);
  }
  if (e.cause !== undefined && !isCount(e.cause, MAX_INTEGER - 1)) fail('form', 'cause is over 2^53-2');
  if (ENTRY_KINDS[e.kind] === undefined) fail('form', `entry kind ${e.kind} is not known`);
  if (p.path.length > MAX_PATH) fail('form', `a log path of ${p.path.length} hashes, over the limit ${MAX_PATH}`);
  if (p.opening === undefined) return;
  const { blind, payload } = p.opening;
  if (payload.length > MAX_RECORD_BYTES) fail('form', `a payload of ${payload.length} bytes, over the limit ${MAX_RECORD_BYTES}`);
  if (!equal(commitmentOf(blind, payload), e.commitment)) fail('commitment', hex(e.commitment));
}
