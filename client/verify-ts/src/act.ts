import { Cursor } from './cursor.js';
import { KIND, MAX_RECORD_BYTES } from './entry.js';
import { decodeRecord, type Event } from './event.js';
import { decodeDispute, decodeGovernance, type DisputeAct, type GovernanceAct } from './gov.js';
import { ACCOUNT_OPS, ERASE_REASONS, SCHEMA_RULES } from './tables.js';
import { decodeMovement, type Movement } from './token.js';

/** The payload of an entry that is not an event: what was declared, decided or given up. */
export type Act =
  | { kind: typeof KIND.gap; count: bigint }
  | { kind: typeof KIND.deadLetter; code: number; guestCode: number }
  | { kind: typeof KIND.contract; contract: ContractAct }
  | { kind: typeof KIND.timer; timer: TimerAct }
  | { kind: typeof KIND.token; movement: Movement }
  | { kind: typeof KIND.account; account: AccountAct }
  | { kind: typeof KIND.governance; governance: GovernanceAct }
  | { kind: typeof KIND.dispute; dispute: DisputeAct }
  | { kind: typeof KIND.erase; erase: EraseAct }
  | { kind: typeof KIND.foreign; foreign: ForeignAct }
  | { kind: typeof KIND.schema; schema: SchemaAct };

const firstContractTx = 2;
const lastContractTx = 5;

/** What a transaction did to a contract. */
export interface ContractAct {
  /** Deploy, call, upgrade or control. */
  txKind: number;
  contract: Uint8Array;
  codeHash: Uint8Array;
  manifestHash: Uint8Array;
  txId: Uint8Array;
  /** Of the contract, the method called or the action; not necessarily UTF-8. */
  name: Uint8Array;
  /** As signed. */
  args: Uint8Array;
}

/** A timer that fired. */
export interface TimerAct {
  id: bigint;
  handler: number;
  data: Uint8Array;
}

/** What happened to an account; which members there are depends on the operation. */
export interface AccountAct {
  op: number;
  account: Uint8Array;
  /** Who signed, where that is a member. */
  by: Uint8Array;
  /** Zero where the ledger itself acted. */
  txId: Uint8Array;
  key?: Uint8Array;
  /** First height of the key. */
  from?: bigint;
  /** Not necessarily UTF-8. */
  name?: Uint8Array;
  threshold?: number;
  members?: Uint8Array[];
  /** Log index of the proposal. */
  act?: bigint;
  /** Of what was asked for. */
  txKind?: number;
  body?: Uint8Array;
  expiry?: bigint;
  executed?: boolean;
}

/** Whose payload was erased, and why. */
export interface EraseAct {
  reason: number;
  index: bigint;
  txId: Uint8Array;
}

/** An event of another ledger, and where it stands there. */
export interface ForeignAct {
  /** Its name here. */
  ledger: string;
  /** Not necessarily UTF-8. */
  chainId: Uint8Array;
  /** Of the entry there. */
  index: bigint;
  height: bigint;
  timeMs: bigint;
  /** Producer or contract there. */
  origin: Uint8Array;
  /** Event or emitted. */
  entryKind: number;
  leaf: Uint8Array;
  txId: Uint8Array;
  event: Event;
}

/** A version of an event type's schema that was registered. */
export interface SchemaAct {
  /** Not necessarily UTF-8. */
  type: Uint8Array;
  /** 0 where only the rule for later versions changed. */
  version: number;
  rule: number;
  /** SHA-256 of its text. */
  hash: Uint8Array;
  txId: Uint8Array;
}

const maxSchemaType = 256;
const maxSchemaVersions = 10_000;
const maxAccountName = 64;
const maxChainId = 50;
const maxLedgerName = 32;
const maxForeignRecord = MAX_RECORD_BYTES - 512;
const maxMethodName = 64;
const maxArgsBytes = 16 << 10;
const maxTimerData = 1 << 10;

/** Reads an act; what it accepts is the act's one encoding. */
export function decodeAct(payload: Uint8Array): Act {
  const c = new Cursor(payload, 'act');
  const kind = c.u8('kind');
  switch (kind) {
    case KIND.gap:
      return done(c, { kind, count: c.u64('count') });
    case KIND.deadLetter:
      return done(c, { kind, code: c.u32('code'), guestCode: c.u32('own code') });
    case KIND.contract:
      return done(c, { kind, contract: contractAct(c) });
    case KIND.timer:
      return done(c, { kind, timer: { id: c.u64('id'), handler: c.u32('handler'), data: c.bytes(maxTimerData, 'data') } });
    case KIND.token:
      return done(c, { kind, movement: decodeMovement(c) });
    case KIND.account:
      return done(c, { kind, account: accountAct(c) });
    case KIND.governance:
      return done(c, { kind, governance: decodeGovernance(c) });
    case KIND.dispute:
      return done(c, { kind, dispute: decodeDispute(c) });
    case KIND.erase:
      return done(c, { kind, erase: eraseAct(c) });
    case KIND.foreign:
      return foreignAct(c);
    case KIND.schema:
      return done(c, { kind, schema: schemaAct(c) });
    default:
      return c.fail(`act of kind ${kind} is not known`);
  }
}

function done(c: Cursor, act: Act): Act {
  c.end();
  return act;
}

function contractAct(c: Cursor): ContractAct {
  const txKind = c.u8('transaction kind');
  if (txKind < firstContractTx || txKind > lastContractTx) c.fail(`transaction kind ${txKind} makes no contract act`);
  return {
    txKind,
    contract: c.take(20, 'contract').slice(),
    codeHash: c.hash('code hash'),
    manifestHash: c.hash('manifest hash'),
    txId: c.hash('transaction id'),
    name: c.bytes(maxMethodName, 'name'),
    args: c.bytes(maxArgsBytes, 'arguments'),
  };
}

function accountAct(c: Cursor): AccountAct {
  const op = c.u8('operation');
  const common = { op, account: c.take(20, 'account').slice(), by: c.take(20, 'member').slice(), txId: c.hash('transaction id') };
  switch (ACCOUNT_OPS[op]) {
    case 'rotate':
      return { ...common, key: c.take(33, 'key').slice(), from: c.u64('height') };
    case 'revoke':
      return common;
    case 'create':
      return { ...common, name: c.bytes(maxAccountName, 'name'), ...multisig(c) };
    case 'change':
      return { ...common, ...multisig(c) };
    case 'propose':
      return { ...common, txKind: c.u8('kind'), body: c.hash('body'), expiry: c.u64('expiry'), executed: c.flag('executed') };
    case 'approve':
      return { ...common, act: c.u64('act'), executed: c.flag('executed') };
    case 'expire':
      return { ...common, act: c.u64('act') };
    default:
      return c.fail(`operation ${op} is not known`);
  }
}

function multisig(c: Cursor): { threshold: number; members: Uint8Array[] } {
  const threshold = c.u8('threshold');
  return { threshold, members: Array.from({ length: c.u8('members') }, () => c.take(20, 'member').slice()) };
}

function eraseAct(c: Cursor): EraseAct {
  const act = { reason: c.u8('reason'), index: c.u64('index'), txId: c.hash('transaction id') };
  if (ERASE_REASONS[act.reason] === undefined) c.fail(`reason ${act.reason} is not known`);
  return act;
}

function schemaAct(c: Cursor): SchemaAct {
  const act = {
    type: c.bytes(maxSchemaType, 'type'), version: c.uvarint(maxSchemaVersions, 'version'), rule: c.u8('rule'),
    hash: c.hash('hash'), txId: c.hash('transaction id'),
  };
  if (SCHEMA_RULES[act.rule] === undefined) c.fail(`rule ${act.rule} is not known`);
  return act;
}

function foreignAct(c: Cursor): Act {
  const ledger = String.fromCharCode(...c.bytes(maxLedgerName, 'ledger'));
  if (!/^[a-z][a-z0-9-]*$/.test(ledger)) c.fail('the ledger has no name');
  const chainId = c.bytes(maxChainId, 'chain id');
  const place = { index: c.u64('index'), height: c.u64('height'), timeMs: c.u64('time') };
  const entryKind = c.u8('kind');
  if (entryKind !== KIND.event && entryKind !== KIND.emitted) c.fail(`an entry of kind ${entryKind} holds no event`);
  const origin = c.take(20, 'origin').slice();
  const leaf = c.hash('leaf');
  const txId = c.hash('transaction id');
  const record = c.bytes(maxForeignRecord, 'record');
  c.end();
  let event: Event;
  try {
    event = decodeRecord(record);
  } catch (e) {
    return c.fail(`the event of another ledger: ${String(e)}`);
  }
  return { kind: KIND.foreign, foreign: { ledger, chainId, ...place, entryKind, origin, leaf, txId, event } };
}
