import type { Cursor } from './cursor.js';
import { GOV_KINDS, GOV_STEPS, RULINGS } from './tables.js';

/** The names of an account's roles, in the order of their bits. */
export const ROLES = ['producer', 'author', 'council', 'auditor', 'operator', 'issuer', 'arbiter'];

/** How the weights of a council stand. */
export interface Tally {
  yes: number;
  no: number;
  total: number;
}

/** Prefixes of source and type; not necessarily UTF-8. */
export interface Grants {
  sources: Uint8Array[];
  types: Uint8Array[];
}

/** One action of a proposal; which fields there are depends on its kind. */
export interface GovAction {
  kind: number;
  account?: Uint8Array;
  contract?: Uint8Array;
  validator?: Uint8Array;
  node?: Uint8Array;
  key?: Uint8Array;
  proof?: Uint8Array;
  hash?: Uint8Array;
  name?: Uint8Array;
  uri?: Uint8Array;
  asset?: Uint8Array;
  weight?: bigint;
  power?: bigint;
  value?: bigint;
  height?: bigint;
  each?: bigint;
  limit?: bigint;
  periodMs?: bigint;
  /** Bits. */
  roles?: number;
  grants?: Grants;
  /** Blocks, events, bytes, gas. */
  quota?: bigint[];
  on?: boolean;
  force?: boolean;
  logKey?: Uint8Array;
  ledger?: LedgerTerms;
}

/** Whom the council trusts to speak for another ledger. */
export interface LedgerTerms {
  /** Not necessarily UTF-8. */
  chainId: Uint8Array;
  genesisHash: Uint8Array;
  /** Of the validator set; zero in a change leaves what is trusted as it is. */
  set: Uint8Array;
  since: bigint;
  atMs: bigint;
  periodMs: bigint;
  maxAgeMs: bigint;
}

/** A step of a proposal, or what the ledger itself decided. */
export interface GovernanceAct {
  step: number;
  by: Uint8Array;
  txId: Uint8Array;
  proposal?: bigint;
  title?: Uint8Array;
  expiry?: bigint;
  actions?: GovAction[];
  yes?: boolean;
  tally?: Tally;
  code?: number;
  validator?: Uint8Array;
  height?: bigint;
  removed?: boolean;
  version?: bigint;
}

/** A claim about an entry, or the resolution of one. */
export interface DisputeAct {
  by: Uint8Array;
  txId: Uint8Array;
  entry: bigint;
  dispute: bigint;
  ruling: number;
  /** Not necessarily UTF-8. */
  text: Uint8Array;
}

const maxUint64 = (1n << 64n) - 1n;
const maxTitle = 128;
const maxText = 4 << 10;
const maxAttribute = 1_024;
const maxChainId = 50;
const maxTally = 100_000_000;
const maxGrants = 64;
const maxGrantBytes = 256;
const allRoles = (1 << ROLES.length) - 1;

type Field = Exclude<keyof GovAction, 'kind'>;

// How each field is read, in the order of their bytes.
const octets = (n: number) => (c: Cursor, what: string) => c.take(n, what).slice();
const text = (c: Cursor, what: string) => c.bytes(maxAttribute, what);
const number = (c: Cursor, what: string) => c.uvarint64(maxUint64, what);
const flag = (c: Cursor, what: string) => c.flag(what);
const readers: readonly [Field, (c: Cursor, what: string) => unknown][] = [
  ['account', octets(20)], ['contract', octets(20)], ['validator', octets(32)], ['node', octets(20)], ['key', octets(33)],
  ['proof', octets(64)], ['hash', octets(32)], ['name', text], ['uri', text], ['asset', text], ['weight', number], ['power', number],
  ['value', number], ['height', number], ['each', number], ['limit', number], ['periodMs', number], ['roles', roles],
  ['grants', grants], ['quota', quota], ['on', flag], ['force', flag],
  ['logKey', octets(32)], ['ledger', ledger],
];

// The fields that actions of a kind have.
const fields: Readonly<Record<string, readonly Field[]>> = {
  council: ['account', 'weight'],
  validator: ['validator', 'name', 'power', 'force'],
  roles: ['account', 'roles', 'grants'],
  quota: ['account', 'quota'],
  parameter: ['name', 'value'],
  schema: ['account', 'hash', 'name', 'uri'],
  contract: ['contract', 'on'],
  code: ['hash', 'on'],
  upgrade: ['value', 'height'],
  halt: ['on'],
  revoke: ['account', 'on'],
  recover: ['account', 'key', 'proof'],
  node: ['node', 'name', 'on'],
  reward: ['account', 'name', 'asset', 'each', 'limit', 'periodMs'],
  fees: ['account', 'asset', 'each', 'limit'],
  'log-key': ['validator', 'logKey'],
  ledger: ['name', 'grants', 'quota', 'ledger'],
  suspend: ['name', 'on'],
};

function roles(c: Cursor): number {
  const bits = c.u8('roles');
  if ((bits & ~allRoles) !== 0) c.fail(`roles ${bits} are not known`);
  return bits;
}

function grants(c: Cursor): Grants {
  const list = (what: string) => Array.from({ length: c.uvarint(maxGrants, what) }, () => c.bytes(maxGrantBytes, what));
  const sources = list('source');
  return { sources, types: list('type') };
}

function quota(c: Cursor): bigint[] {
  return Array.from({ length: 4 }, () => c.uvarint64(maxUint64, 'quota'));
}

function ledger(c: Cursor): LedgerTerms {
  const names = { chainId: c.bytes(maxChainId, 'chain id'), genesisHash: c.hash('genesis hash'), set: c.hash('set') };
  const one = () => c.uvarint64(maxUint64, 'ledger');
  const since = one();
  const atMs = one();
  const periodMs = one();
  return { ...names, since, atMs, periodMs, maxAgeMs: one() };
}

function action(c: Cursor): GovAction {
  const kind = c.u8('kind');
  const own = fields[GOV_KINDS[kind] ?? ''];
  if (own === undefined) return c.fail(`action of kind ${kind} is not known`);
  const read: Record<string, unknown> = {};
  for (const [name, reader] of readers) {
    if (own.includes(name)) read[name] = reader(c, name);
  }
  return { kind, ...read };
}

function tally(c: Cursor): Tally {
  const one = () => c.uvarint(maxTally, 'tally');
  const yes = one();
  const no = one();
  return { yes, no, total: one() };
}

/** Reads what follows the kind of an entry of governance. */
export function decodeGovernance(c: Cursor): GovernanceAct {
  const step = c.u8('step');
  const common = { step, by: c.take(20, 'member').slice(), txId: c.hash('transaction id') };
  switch (GOV_STEPS[step]) {
    case 'proposed': {
      const title = c.bytes(maxTitle, 'title');
      const expiry = c.u64('expiry');
      return { ...common, title, expiry, actions: Array.from({ length: c.u8('actions') }, () => action(c)) };
    }
    case 'evidence':
      return { ...common, validator: c.hash('validator'), height: c.u64('height'), removed: c.flag('removed') };
    case 'upgraded':
      return { ...common, version: c.u64('version') };
    case 'voted':
      return { ...common, proposal: c.u64('proposal'), yes: c.flag('yes'), tally: tally(c) };
    case 'passed':
    case 'expired':
      return { ...common, proposal: c.u64('proposal'), tally: tally(c) };
    case 'failed':
      return { ...common, proposal: c.u64('proposal'), tally: tally(c), code: c.u32('code') };
    case 'withdrawn':
      return { ...common, proposal: c.u64('proposal') };
    default:
      return c.fail(`step ${step} is not known`);
  }
}

/** Reads what follows the kind of an entry about a dispute. */
export function decodeDispute(c: Cursor): DisputeAct {
  const act = {
    by: c.take(20, 'account').slice(), txId: c.hash('transaction id'), entry: c.u64('entry'), dispute: c.u64('dispute'),
    ruling: c.u8('ruling'), text: c.bytes(maxText, 'text'),
  };
  if (RULINGS[act.ruling] === undefined) c.fail(`ruling ${act.ruling} is not known`);
  return act;
}
