import type { Act } from './act.js';
import { addressText } from './address.js';
import { base64, hex, isZero } from './bytes.js';
import type { Signed } from './commit.js';
import { KIND } from './entry.js';
import { eventJSON } from './event.js';
import { compactJSON } from './json.js';
import type { EntryStatement, StateStatement, Statement } from './statement.js';
import { type DisputeAct, type GovAction, type GovernanceAct, type Grants, type LedgerTerms, ROLES } from './gov.js';
import { ACCOUNT_OPS, ENTRY_KINDS, ERASE_REASONS, GOV_KINDS, GOV_STEPS, RULINGS, SCHEMA_RULES, TOKEN_KINDS, TX_KINDS } from './tables.js';
import { jsonOctets, jsonString } from './text.js';
import type { Movement, TokenOp } from './token.js';

/** The members of an object, in order; undefined ones are left out. */
export function object(members: Record<string, string | undefined>): string {
  const present = Object.entries(members).filter(([, text]) => text !== undefined);
  return `{${present.map(([name, text]) => `"${name}":${text}`).join(',')}}`;
}

function octets(b: Uint8Array): string {
  return `"${base64(b)}"`;
}

function notEmpty(b: Uint8Array | undefined): string | undefined {
  return b === undefined || b.length === 0 ? undefined : octets(b);
}

/** The statement as JSON, as the Go verifier writes it: numbers beyond 2^53 keep their digits. */
export function statementJSON(s: Statement): string {
  return object({
    chainId: jsonString(s.chainId),
    height: String(s.height),
    time: jsonString(s.time),
    blockHash: jsonString(s.blockHash),
    appHash: jsonString(s.appHash),
    signed: signedJSON(s.signed),
    entry: s.entry && entryJSON(s.entry),
    state: s.state && stateJSON(s.state),
  });
}

/** Who signed, as JSON. */
export function signedJSON(s: Signed): string {
  return object({ validators: `[${s.validators.join(',')}]`, power: String(s.power), totalPower: String(s.totalPower) });
}

/** What is said of an entry, as JSON. */
export function entryJSON(s: EntryStatement): string {
  return object({
    index: String(s.index),
    logSize: String(s.logSize),
    logRoot: jsonString(s.logRoot),
    kind: jsonString(s.kind),
    height: String(s.height),
    time: jsonString(s.time),
    origin: jsonString(s.origin),
    stream: s.stream && jsonString(s.stream),
    sequence: String(s.sequence),
    cause: s.cause?.toString(),
    type: jsonString(s.type),
    commitment: jsonString(s.commitment),
    withheld: s.withheld ? 'true' : undefined,
    payload: notEmpty(s.payload),
    event: s.event && compactJSON(eventJSON(s.event)),
    skipped: s.skipped === 0n ? undefined : s.skipped?.toString(),
    deadLetter: s.deadLetter && object({
      code: String(s.deadLetter.code),
      name: jsonString(s.deadLetter.name),
      guestCode: String(s.deadLetter.guestCode),
    }),
    contract: s.contract && object({
      kind: jsonString(s.contract.kind),
      contract: jsonString(s.contract.contract),
      name: jsonOctets(s.contract.nameBytes),
      codeHash: jsonString(s.contract.codeHash),
      manifestHash: jsonString(s.contract.manifestHash),
      args: s.contract.args.length === 0 ? 'null' : octets(s.contract.args),
      txId: jsonString(s.contract.txId),
    }),
    act: s.act && actJSON(s.act),
  });
}

function stateJSON(s: StateStatement): string {
  return object({
    height: String(s.height),
    key: octets(s.key),
    exists: String(s.exists),
    value: notEmpty(s.value),
    root: jsonString(s.root),
  });
}

/** An act of a kind that has no member of its own in a statement, as JSON. */
export function actJSON(act: Act): string {
  switch (act.kind) {
    case KIND.timer:
      return object({ id: String(act.timer.id), handler: String(act.timer.handler), data: notEmpty(act.timer.data) });
    case KIND.token:
      return movementJSON(act.movement);
    case KIND.account: {
      const a = act.account;
      return object({
        op: jsonString(ACCOUNT_OPS[a.op]!), account: address(a.account), by: notZero(a.by, address), txId: notZero(a.txId, hexText),
        key: notZero(a.key, hexText), from: count(a.from), name: a.name && text(a.name),
        members: a.members && object({
          threshold: String(a.threshold), members: a.members.length === 0 ? 'null' : `[${a.members.map(address).join(',')}]`,
        }),
        act: count(a.act), kind: a.txKind ? jsonString(TX_KINDS[a.txKind] ?? `kind-${a.txKind}`) : undefined,
        body: notZero(a.body, hexText), expiry: count(a.expiry), executed: a.executed ? 'true' : undefined,
      });
    }
    case KIND.governance:
      return governanceJSON(act.governance);
    case KIND.dispute:
      return disputeJSON(act.dispute);
    case KIND.foreign: {
      const f = act.foreign;
      return object({
        ledger: jsonString(f.ledger), chainId: jsonOctets(f.chainId), index: String(f.index), height: String(f.height), timeMs: String(f.timeMs),
        kind: jsonString(ENTRY_KINDS[f.entryKind]!), origin: jsonString(addressText(f.origin)), leaf: hexText(f.leaf), txId: hexText(f.txId),
      });
    }
    case KIND.erase:
      return object({ reason: jsonString(ERASE_REASONS[act.erase.reason]!), index: String(act.erase.index), txId: hexText(act.erase.txId) });
    case KIND.schema: {
      const { type, version, rule, hash, txId } = act.schema;
      return object({
        type: text(type), version: version === 0 ? undefined : String(version), compatibility: jsonString(SCHEMA_RULES[rule]!),
        hash: notZero(hash, hexText), txId: hexText(txId),
      });
    }
    default:
      return '{}'; // the other kinds have members of their own
  }
}

function governanceJSON(g: GovernanceAct): string {
  return object({
    step: jsonString(GOV_STEPS[g.step]!), by: notZero(g.by, address), txId: notZero(g.txId, hexText), proposal: count(g.proposal),
    title: g.title && text(g.title), expiry: count(g.expiry),
    actions: g.actions === undefined || g.actions.length === 0 ? undefined : `[${g.actions.map(actionJSON).join(',')}]`,
    yes: g.yes ? 'true' : undefined,
    tally: g.tally && g.tally.yes + g.tally.no + g.tally.total > 0
      ? object({ yes: String(g.tally.yes), no: String(g.tally.no), total: String(g.tally.total) }) : undefined,
    code: g.code ? String(g.code) : undefined, validator: notZero(g.validator, octets), height: count(g.height),
    removed: g.removed ? 'true' : undefined, version: count(g.version),
  });
}

function ledgerJSON(l: LedgerTerms): string | undefined {
  if ([l.chainId, l.genesisHash, l.set].every(isZero) && [l.since, l.atMs, l.periodMs, l.maxAgeMs].every((n) => n === 0n)) return undefined;
  return object({
    chainId: jsonOctets(l.chainId), genesisHash: hexText(l.genesisHash), set: notZero(l.set, hexText), since: count(l.since), atMs: count(l.atMs),
    periodMs: String(l.periodMs), maxAgeMs: count(l.maxAgeMs),
  });
}

function actionJSON(a: GovAction): string {
  return object({
    kind: jsonString(GOV_KINDS[a.kind]!), account: notZero(a.account, address), contract: notZero(a.contract, address),
    validator: notZero(a.validator, octets), node: notZero(a.node, hexText), key: notZero(a.key, hexText), proof: notZero(a.proof, hexText),
    hash: notZero(a.hash, hexText), name: a.name && text(a.name), uri: a.uri && text(a.uri), asset: a.asset && text(a.asset),
    weight: count(a.weight), power: count(a.power), value: count(a.value), height: count(a.height), each: amount(a.each),
    limit: amount(a.limit), periodMs: count(a.periodMs), roles: a.roles ? rolesJSON(a.roles) : undefined,
    grants: a.grants && grantsJSON(a.grants),
    quota: a.quota && a.quota.some((n) => n > 0n)
      ? object({ blocks: String(a.quota[0]), events: count(a.quota[1]), bytes: count(a.quota[2]), gas: count(a.quota[3]) }) : undefined,
    on: a.on ? 'true' : undefined, force: a.force ? 'true' : undefined, logKey: notZero(a.logKey, octets),
    ledger: a.ledger && ledgerJSON(a.ledger),
  });
}

function rolesJSON(bits: number): string {
  return `[${ROLES.filter((_, i) => bits & (1 << i)).map(jsonString).join(',')}]`;
}

function grantsJSON(g: Grants): string | undefined {
  const list = (prefixes: Uint8Array[]) => (prefixes.length === 0 ? undefined : `[${prefixes.map(jsonOctets).join(',')}]`);
  return g.sources.length + g.types.length === 0 ? undefined : object({ sources: list(g.sources), types: list(g.types) });
}

function disputeJSON(d: DisputeAct): string {
  return object({
    by: address(d.by), txId: hexText(d.txId), entry: String(d.entry), dispute: count(d.dispute), ruling: jsonString(RULINGS[d.ruling]!),
    text: jsonOctets(d.text),
  });
}

function movementJSON(m: Movement): string {
  return object({
    kind: jsonString(TOKEN_KINDS[m.kind]!), asset: jsonOctets(m.asset), from: notZero(m.from, address), to: notZero(m.to, address),
    by: notZero(m.by, address), amount: `"${m.amount}"`, rest: amount(m.rest), id: count(m.id), txId: notZero(m.txId, hexText),
    memo: text(m.memo), terms: m.terms && termsJSON(m.terms),
    parts: m.parts.length === 0 ? undefined : `[${m.parts.map((p) => object({ index: String(p.index), count: String(p.count), each: `"${p.each}"` })).join(',')}]`,
  });
}

function termsJSON(o: TokenOp): string {
  return object({
    kind: jsonString(TOKEN_KINDS[o.kind]!), asset: text(o.asset), from: notZero(o.from, address), account: notZero(o.account, address),
    controller: notZero(o.controller, address), amount: amount(o.amount), rate: amount(o.rate), id: count(o.id), startMs: count(o.startMs),
    periodMs: count(o.periodMs), untilMs: count(o.untilMs), count: count(o.count), decimals: count(o.decimals),
    freezable: o.freezable ? 'true' : undefined, memo: text(o.memo),
  });
}

function address(b: Uint8Array): string {
  return jsonString(addressText(b));
}

function hexText(b: Uint8Array): string {
  return `"${hex(b)}"`;
}

function notZero(b: Uint8Array | undefined, render: (b: Uint8Array) => string): string | undefined {
  return b === undefined || isZero(b) ? undefined : render(b);
}

function text(b: Uint8Array): string | undefined {
  return b.length === 0 ? undefined : jsonOctets(b);
}

function count(n: bigint | undefined): string | undefined {
  return n === undefined || n === 0n ? undefined : String(n);
}

function amount(n: bigint | undefined): string | undefined {
  return n === undefined || n === 0n ? undefined : `"${n}"`;
}
