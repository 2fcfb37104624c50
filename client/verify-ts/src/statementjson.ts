import { base64 } from './bytes.js';
import { eventJSON } from './event.js';
import { compactJSON } from './json.js';
import type { EntryStatement, StateStatement, Statement } from './statement.js';
import { jsonOctets, jsonString } from './text.js';

/** The members of an object, in order; undefined ones are left out. */
function object(members: Record<string, string | undefined>): string {
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
    signed: object({
      validators: `[${s.signed.validators.join(',')}]`,
      power: String(s.signed.power),
      totalPower: String(s.signed.totalPower),
    }),
    entry: s.entry && entryJSON(s.entry),
    state: s.state && stateJSON(s.state),
  });
}

function entryJSON(s: EntryStatement): string {
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
      deployment: String(s.contract.deployment),
      contract: jsonString(s.contract.contract),
      name: jsonOctets(s.contract.nameBytes),
      codeHash: jsonString(s.contract.codeHash),
      manifestHash: jsonString(s.contract.manifestHash),
      args: s.contract.args.length === 0 ? 'null' : octets(s.contract.args),
      txId: jsonString(s.contract.txId),
    }),
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
