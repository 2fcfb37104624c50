import { addressText } from './address.js';
import { type Act, type ContractAct, decodeAct } from './act.js';
import { equal, hex, isZero } from './bytes.js';
import type { Signed } from './commit.js';
import { KIND, typeHash } from './entry.js';
import { fail } from './errors.js';
import { decodeRecord, type Event } from './event.js';
import type { EntryProof } from './receipt.js';
import { CODES, ENTRY_KINDS, TX_KINDS } from './tables.js';
import { lossy } from './text.js';
import { stamp } from './time.js';

/**
 * What a receipt proved. Everything in it is covered by the signatures; it
 * exists only once they held. Hashes are in lower-case hex.
 */
export interface Statement {
  chainId: string;
  /** Of the block that was signed. */
  height: number;
  /** That block's, from its header: RFC 3339. */
  time: string;
  timeNs: bigint;
  blockHash: string;
  /** Of log, parameters and state before that block. */
  appHash: string;
  signed: Signed;
  /** Exactly one of entry and state is there. */
  entry: EntryStatement | undefined;
  state: StateStatement | undefined;
}

/** Says that the log has an entry, and what it means. */
export interface EntryStatement {
  index: number;
  logSize: number;
  logRoot: string;
  kind: string;
  /** Of the block that appended it. */
  height: number;
  /** That block's, to the millisecond: RFC 3339. */
  time: string;
  timeMs: number;
  /** Producer, author or contract: bech32. */
  origin: string;
  /** Producer's stream; undefined for an entry that is in none. */
  stream: string | undefined;
  sequence: number;
  /** Index of the entry that led to this one; for a duplicate, of the event's first arrival. */
  cause: number | undefined;
  type: string;
  commitment: string;
  /** The receipt shows no payload, so the members below are absent. */
  withheld: boolean;
  payload: Uint8Array | undefined;
  /** Of an event, a duplicate, an emitted event or one of another ledger. */
  event: Event | undefined;
  /** Of a gap: sequences never to be sent. */
  skipped: bigint | undefined;
  deadLetter: DeadLetter | undefined;
  contract: ContractStatement | undefined;
  /** Of any other kind. */
  act: Act | undefined;
}

/** Says why a delivery was given up. */
export interface DeadLetter {
  code: number;
  name: string;
  /** The contract's own. */
  guestCode: number;
}

/** Says what a transaction did to a contract. */
export interface ContractStatement {
  /** Deploy, upgrade, call or control. */
  kind: string;
  contract: string;
  /** Of the contract, the method or the action. */
  name: string;
  /** The same as signed: a name need not be UTF-8. */
  nameBytes: Uint8Array;
  codeHash: string;
  manifestHash: string;
  /** JSON text, as signed. */
  args: Uint8Array;
  txId: string;
}

/** Says what a key has in the state, or that it has nothing. */
export interface StateStatement {
  /** Of the block after which the state was so. */
  height: number;
  key: Uint8Array;
  exists: boolean;
  value: Uint8Array;
  root: string;
}

/** Reads the payload as the entry's kind says, and checks that entry and payload agree. */
export function describe(p: EntryProof): Omit<EntryStatement, 'logRoot'> {
  const e = p.entry;
  const s: Omit<EntryStatement, 'logRoot'> = {
    index: p.index,
    logSize: p.logSize,
    kind: ENTRY_KINDS[e.kind]!,
    height: e.height,
    time: stamp(BigInt(e.timeMs) * 1_000_000n),
    timeMs: e.timeMs,
    origin: addressText(e.origin),
    stream: isZero(e.stream) ? undefined : hex(e.stream),
    sequence: e.sequence,
    cause: e.cause,
    type: hex(e.type),
    commitment: hex(e.commitment),
    withheld: p.opening === undefined,
    payload: p.opening?.payload,
    event: undefined,
    skipped: undefined,
    deadLetter: undefined,
    contract: undefined,
    act: undefined,
  };
  if (p.opening === undefined) return s;
  if (e.kind === KIND.event || e.kind === KIND.duplicate || e.kind === KIND.emitted) {
    s.event = decodeRecord(p.opening.payload);
    if (!equal(typeHash(s.event.type), e.type)) fail('type', `the event's type is ${JSON.stringify(s.event.type)}`);
    return s;
  }
  describeAct(s, e.kind, p.opening.payload);
  return s;
}

function describeAct(s: Omit<EntryStatement, 'logRoot'>, kind: number, payload: Uint8Array): void {
  const act = decodeAct(payload);
  if (act.kind !== kind) fail('act', `the entry is of kind ${s.kind}, its payload of kind ${ENTRY_KINDS[act.kind]}`);
  switch (act.kind) {
    case KIND.gap:
      s.skipped = act.count;
      return;
    case KIND.deadLetter:
      s.deadLetter = { code: act.code, name: CODES[act.code] ?? `CODE_${act.code}`, guestCode: act.guestCode };
      return;
    case KIND.contract:
      s.contract = contractStatement(act.contract);
      return;
    case KIND.foreign:
      s.event = act.foreign.event;
      if (hex(typeHash(s.event.type)) !== s.type) fail('type', `the event's type is ${JSON.stringify(s.event.type)}`);
      s.act = act;
      return;
    default:
      s.act = act;
  }
}

function contractStatement(a: ContractAct): ContractStatement {
  return {
    kind: TX_KINDS[a.txKind]!,
    contract: addressText(a.contract),
    name: lossy(a.name),
    nameBytes: a.name,
    codeHash: hex(a.codeHash),
    manifestHash: hex(a.manifestHash),
    args: a.args,
    txId: hex(a.txId),
  };
}
