import { isZero } from './bytes.js';
import type { Cursor } from './cursor.js';
import { TOKEN_KINDS } from './tables.js';
import { utf8 } from './text.js';

/** One operation on tokens; a field that its kind does not have is zero. */
export interface TokenOp {
  kind: number;
  asset: Uint8Array;
  from: Uint8Array;
  account: Uint8Array;
  controller: Uint8Array;
  amount: bigint;
  rate: bigint;
  id: bigint;
  startMs: bigint;
  periodMs: bigint;
  untilMs: bigint;
  count: bigint;
  decimals: bigint;
  freezable: boolean;
  memo: Uint8Array;
}

type Field = Exclude<keyof TokenOp, 'kind'>;

/** Units that moved, or terms of the bank that changed. */
export interface Movement {
  kind: number;
  asset: Uint8Array;
  from: Uint8Array;
  to: Uint8Array;
  by: Uint8Array;
  amount: bigint;
  rest: bigint;
  id: bigint;
  txId: Uint8Array;
  memo: Uint8Array;
  terms: TokenOp | undefined;
  parts: MovementPart[];
}

/** So many entries in a row from an index on, each of which led to the same amount. */
export interface MovementPart {
  index: bigint;
  count: bigint;
  each: bigint;
}

const maxUint64 = (1n << 64n) - 1n;
const maxAmount = (1n << 63n) - 1n;
const maxAssetSymbol = 12;
const maxMemo = 128;
const maxTokenMs = 1n << 47n;
const maxParts = 1_024;

// By kind, the fields that must not be zero, and those that may be.
const fields: Readonly<Record<number, [need: Field[], may: Field[]]>> = {
  1: [['asset'], ['account', 'amount', 'decimals', 'freezable', 'memo']],
  2: [['asset', 'account', 'amount'], ['memo']],
  3: [['asset', 'amount'], ['memo']],
  4: [['asset', 'account', 'amount'], ['memo']],
  5: [['asset', 'amount'], ['from', 'account', 'controller', 'untilMs', 'memo']],
  6: [['account', 'amount', 'id'], ['memo']],
  7: [['id'], []],
  8: [['asset', 'account', 'amount'], ['periodMs', 'untilMs']],
  9: [['asset', 'account'], []],
  10: [['asset', 'from', 'account', 'amount'], ['memo']],
  11: [['asset', 'account', 'amount', 'rate', 'periodMs'], ['startMs', 'memo']],
  12: [['id'], []],
  13: [['id'], []],
  14: [['asset', 'account', 'amount', 'count'], ['startMs', 'periodMs', 'memo']],
  15: [['id'], []],
  16: [['asset', 'account'], ['memo']],
  17: [['asset', 'account'], ['memo']],
};

/** Reads one operation and holds it to its form. */
function decodeOp(c: Cursor): TokenOp {
  const kind = c.u8('operation');
  const [need, may] = fields[kind] ?? c.fail(`token operation ${kind} is not known`);
  const has = (field: Field) => need.includes(field) || may.includes(field);
  const text = (field: Field, limit: number) => (has(field) ? c.bytes(limit, field) : new Uint8Array(0));
  const address = (field: Field) => (has(field) ? c.take(20, field).slice() : new Uint8Array(20));
  const number = (field: Field) => (has(field) ? c.uvarint64(maxUint64, field) : 0n);
  const op: TokenOp = {
    kind,
    asset: text('asset', maxAssetSymbol),
    from: address('from'),
    account: address('account'),
    controller: address('controller'),
    amount: number('amount'),
    rate: number('rate'),
    id: number('id'),
    startMs: number('startMs'),
    periodMs: number('periodMs'),
    untilMs: number('untilMs'),
    count: number('count'),
    decimals: number('decimals'),
    freezable: has('freezable') && c.flag('freezable'),
    memo: text('memo', maxMemo),
  };
  checkOp(c, op, need);
  return op;
}

function checkOp(c: Cursor, op: TokenOp, need: Field[]): void {
  for (const field of need) {
    const value = op[field];
    if (value instanceof Uint8Array ? value.length === 0 || (field !== 'asset' && isZero(value)) : value === 0n) c.fail(`${field} is missing`);
  }
  if (need.includes('asset') && !isSymbol(op.asset)) c.fail("not an asset's symbol");
  if (op.amount > maxAmount || op.rate > maxAmount) c.fail('an amount is too large');
  if (op.startMs > maxTokenMs || op.periodMs > maxTokenMs || op.untilMs > maxTokenMs) c.fail('a time is too far ahead');
  if (op.decimals > 18n) c.fail('too many decimals');
  if (op.count > 10_000n || (op.count > 1n && op.periodMs < 60_000n)) c.fail('payments too many or too close');
  if (utf8(op.memo) === undefined) c.fail('a memo is UTF-8');
}

function isSymbol(symbol: Uint8Array): boolean {
  return /^[a-zA-Z][a-zA-Z0-9.-]{0,11}$/.test(String.fromCharCode(...symbol));
}

/** Reads what follows the kind of a token entry's payload. */
export function decodeMovement(c: Cursor): Movement {
  const m: Movement = {
    kind: c.u8('kind'),
    asset: c.bytes(maxAssetSymbol, 'asset'),
    from: c.take(20, 'from').slice(),
    to: c.take(20, 'to').slice(),
    by: c.take(20, 'by').slice(),
    amount: c.uvarint64(maxAmount, 'amount'),
    rest: c.uvarint64(maxAmount, 'rest'),
    id: c.uvarint64(maxUint64, 'id'),
    txId: c.hash('transaction id'),
    memo: c.bytes(maxMemo, 'memo'),
    terms: c.flag('terms') ? decodeOp(c) : undefined,
    parts: [],
  };
  let sum = 0n;
  let after = 0n;
  for (let left = c.uvarint(maxParts, 'parts'); left > 0; left--) {
    const index = after + c.uvarint64(maxUint64, 'part');
    const count = c.uvarint64(0xffffffffn, 'count');
    const each = c.uvarint64(maxAmount, 'each');
    sum += count * each;
    if (index > maxUint64 || count === 0n || sum > maxAmount) c.fail('parts out of order, empty or over the amount');
    m.parts.push({ index, count, each });
    after = index;
  }
  if (TOKEN_KINDS[m.kind] === undefined || (m.parts.length > 0 && sum !== m.amount)) c.fail('an unknown kind, or parts that do not add up');
  c.end();
  return m;
}
