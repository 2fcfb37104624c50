import { Cursor } from './cursor.js';
import { KIND } from './entry.js';
import { decodeMovement, type Movement } from './token.js';

/** The payload of an entry that is not an event: what was declared, decided or given up. */
export type Act =
  | { kind: typeof KIND.gap; count: bigint }
  | { kind: typeof KIND.deadLetter; code: number; guestCode: number }
  | { kind: typeof KIND.contract; contract: ContractAct }
  | { kind: typeof KIND.timer; timer: TimerAct }
  | { kind: typeof KIND.token; movement: Movement };

/** Kinds of transactions that make a contract act. */
export const TX = { deploy: 2, call: 3, upgrade: 4, control: 5 } as const;

/** What a transaction did to a contract. */
export interface ContractAct {
  /** One of TX. */
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
  if (txKind < TX.deploy || txKind > TX.control) c.fail(`transaction kind ${txKind} makes no contract act`);
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
