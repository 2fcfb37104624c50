import type { ForeignAct } from './act.js';
import { addressText } from './address.js';
import { hex } from './bytes.js';
import { KIND } from './entry.js';
import type { Event } from './event.js';
import type { ContractStatement, EntryStatement, StateStatement, Statement } from './statement.js';
import { ERASE_REASONS } from './tables.js';
import { encode, quote, utf8 } from './text.js';
import { stamp } from './time.js';

/** Says in words what was proven: the sentence of the Go verifier. */
export function sentence(s: Statement): string {
  const fact = s.entry !== undefined ? entryWords(s.entry) : stateWords(s.state!);
  return (
    `On chain ${s.chainId}, ${fact}. Block ${s.height} of ${s.time}, which commits to this, is signed by ` +
    `${s.signed.validators.length} validators with ${s.signed.power} of ${s.signed.totalPower} of the voting power.`
  );
}

/** What the entry is, without a full stop. */
export function entryWords(s: EntryStatement): string {
  const stream = s.stream === undefined || s.act?.kind === KIND.foreign ? '' : `, at sequence ${s.sequence} of stream ${s.stream}`;
  return `entry ${s.index} (of ${s.logSize}) is ${kindWords(s)}${stream}, recorded by block ${s.height} of ${s.time}`;
}

function kindWords(s: EntryStatement): string {
  const cause = s.cause === undefined ? '' : `entry ${s.cause}`;
  if (s.withheld) return `of kind ${s.kind}, from ${s.origin}, and commits to a payload not shown here`;
  if (s.event !== undefined) {
    const event = `event ${eventWords(s.event)}`;
    if (s.act?.kind === KIND.foreign) return `${event}, ${foreignWords(s.act.foreign)}`;
    if (s.kind === 'duplicate') return `a second arrival of ${event}, submitted by ${s.origin} and not counted again: the first is ${cause}`;
    if (s.kind === 'emitted') return `${event}, emitted by contract ${s.origin} because of ${cause}`;
    return `${event}, submitted by ${s.origin}`;
  }
  if (s.skipped !== undefined) return `the declaration of ${s.origin} that ${s.skipped} events were skipped`;
  if (s.deadLetter !== undefined) {
    const { code, name, guestCode } = s.deadLetter;
    const own = guestCode === 0 ? '' : `, its own code ${guestCode}`;
    return `a dead letter: contract ${s.origin} gave up the delivery of ${cause} with ${name} (${code})${own}`;
  }
  if (s.contract !== undefined) return contractWords(s.contract, s.origin, cause);
  return actWords(s, cause);
}

/** What was done to a contract, and by whom. */
function contractWords({ kind, nameBytes, contract, codeHash, manifestHash, args }: ContractStatement, by: string, cause: string): string {
  const name = quote(nameBytes);
  if (kind === 'deploy' || kind === 'upgrade') {
    return `the ${kind === 'deploy' ? 'deployment' : 'upgrade'} of contract ${name} at ${contract} by ${by}, code ${codeHash}, manifest ${manifestHash}`;
  }
  if (kind === 'control') return `the act ${name} on contract ${contract} by ${by}${cause && ` for ${cause}`}`;
  return `a call of ${name} of contract ${contract} by ${by} with ${octetWords(args)}`;
}

/** What an act of another kind is. */
function actWords(s: EntryStatement, cause: string): string {
  const because = cause && `, because of ${cause}`;
  if (s.act?.kind === KIND.timer) {
    return `the firing of timer ${s.act.timer.id} of contract ${s.origin} with ${octetWords(s.act.timer.data)}${because}`;
  }
  if (s.act?.kind === KIND.erase) {
    const { index, reason } = s.act.erase;
    return `the erasure of the payload of entry ${index} by ${s.origin}, for the reason "${ERASE_REASONS[reason]}"`;
  }
  return `of kind ${s.kind}, from ${s.origin}${because}`;
}

/** Where an event of another ledger stands there. */
function foreignWords(f: ForeignAct): string {
  const maker = f.entryKind === KIND.emitted ? 'contract' : 'producer';
  return (
    `of the ledger ${f.ledger}: entry ${f.index} of chain ${quote(f.chainId)}, recorded there by block ${f.height}, ` +
    `of the ${maker} ${addressText(f.origin)}, leaf ${hex(f.leaf)}, shown by transaction ${hex(f.txId)}`
  );
}

/** What the key has, without a full stop. */
export function stateWords(s: StateStatement): string {
  if (!s.exists) return `the state after block ${s.height} has no key ${octetWords(s.key)}`;
  return `the state after block ${s.height} has under key ${octetWords(s.key)} the value ${octetWords(s.value)}`;
}

/** Names an event; what a producer wrote is quoted, so that no text of an event can pass for a sentence of this package. */
function eventWords(e: Event): string {
  const quoted = (text: string) => quote(encode(text));
  const about = e.subject === '' ? '' : ` about ${quoted(e.subject)}`;
  const at = e.timeNs === undefined ? '' : ` at ${stamp(e.timeNs)}`;
  return `${quoted(e.id)} of type ${quoted(e.type)} from ${quoted(e.source)}${about}${at}`;
}

/** Bounds the octets that a sentence shows. */
const maxShown = 200;

/** Octets as text where they are text, otherwise in hex. */
export function octetWords(b: Uint8Array): string {
  const more = b.length > maxShown ? `... (${b.length} bytes)` : '';
  const shown = b.subarray(0, maxShown);
  const text = utf8(shown);
  const plain = text !== undefined && !/[\x00-\x1f\x7f]/.test(text);
  return (plain ? quote(shown) : `0x${hex(shown)}`) + more;
}
