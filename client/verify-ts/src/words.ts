import { hex } from './bytes.js';
import type { Event } from './event.js';
import type { EntryStatement, StateStatement, Statement } from './statement.js';
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
  const stream = s.stream === undefined ? '' : `, at sequence ${s.sequence} of stream ${s.stream}`;
  return `entry ${s.index} (of ${s.logSize}) is ${kindWords(s)}${stream}, recorded by block ${s.height} of ${s.time}`;
}

function kindWords(s: EntryStatement): string {
  const cause = s.cause === undefined ? '' : `entry ${s.cause}`;
  if (s.withheld) return `of kind ${s.kind}, from ${s.origin}, and commits to a payload not shown here`;
  if (s.event !== undefined) {
    const event = `event ${eventWords(s.event)}`;
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
  if (s.contract !== undefined) {
    const { deployment, nameBytes, contract, codeHash, manifestHash, args } = s.contract;
    if (deployment) return `the deployment of contract ${quote(nameBytes)} at ${contract} by ${s.origin}, code ${codeHash}, manifest ${manifestHash}`;
    return `a call of ${quote(nameBytes)} of contract ${contract} by ${s.origin} with ${octetWords(args)}`;
  }
  return `of kind ${s.kind}, from ${s.origin}`;
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
