import { base64, compare, hash, hex, isZero, unbase64, Writer } from './bytes.js';
import { VerifyKey } from './ed25519.js';
import { fail } from './errors.js';
import { type Json, parseJSON } from './json.js';
import { leafHash, treeRoot } from './log.js';
import { encode } from './text.js';
import { parseTime } from './time.js';

/** Bounds a validator set; CometBFT's own limit. */
export const MAX_VALIDATORS = 10_000;
/** CometBFT's bound of a set's voting power: (2^63 - 1) / 8. */
const maxTotalPower = (1n << 60n) - 1n;
const maxChainId = 50;
const maxGenesisBytes = 16 << 20;

/** One member of a validator set. */
export interface Validator {
  /** Ed25519 key that it signs blocks with: 32 octets. */
  pubKey: Uint8Array;
  power: bigint;
}

/** Allows what CometBFT does in length, and of printable ASCII what every JSON writer leaves as it is. */
export function isChainId(chainId: string): boolean {
  return chainId.length <= maxChainId && /^[!#-%'-;=?-[\]-~]+$/.test(chainId);
}

/** CometBFT's address of a validator. */
export function validatorAddress(pubKey: Uint8Array): Uint8Array {
  return hash(pubKey).slice(0, 20);
}

/**
 * What a verifier trusts: that on this chain, more than two thirds of the
 * power of this validator set is honest.
 */
export class Anchor {
  readonly chainId: string;
  /** In the order that receipts count in: by power, the greatest first, then by address. */
  readonly validators: readonly Readonly<Validator>[];
  readonly totalPower: bigint;
  private readonly keys = new Map<number, VerifyKey>();

  constructor(chainId: string, validators: readonly Validator[]) {
    if (!isChainId(chainId)) fail('anchor', 'a chain id has 1 to 50 printable ASCII characters, without space, ", \\, <, > and &');
    if (validators.length === 0 || validators.length > MAX_VALIDATORS) {
      fail('anchor', `${validators.length} validators, must be 1 to ${MAX_VALIDATORS}`);
    }
    const seen = new Set<string>();
    let total = 0n;
    for (const { pubKey, power } of validators) {
      if (pubKey.length !== 32) fail('anchor', 'a key has 32 bytes');
      if (power < 1n || power > maxTotalPower - total) fail('anchor', `power ${power} of validator ${hex(pubKey)}`);
      if (seen.has(hex(pubKey))) fail('anchor', `validator ${hex(pubKey)} is in the set twice`);
      seen.add(hex(pubKey));
      total += power;
    }
    this.chainId = chainId;
    this.totalPower = total;
    this.validators = validators
      .map(({ pubKey, power }) => ({ pubKey: pubKey.slice(), power, address: validatorAddress(pubKey) }))
      .sort((a, b) => (a.power === b.power ? compare(a.address, b.address) : a.power > b.power ? -1 : 1))
      .map(({ pubKey, power }) => ({ pubKey, power }));
  }

  /** Whether so much power is more than two thirds of the total. */
  isQuorum(power: bigint): boolean {
    return power > (this.totalPower * 2n) / 3n;
  }

  /** The key of the validator at a place below the set's size. */
  key(place: number): VerifyKey {
    let key = this.keys.get(place);
    if (key === undefined) this.keys.set(place, (key = new VerifyKey(this.validators[place]!.pubKey)));
    return key;
  }

  /** CometBFT's hash of the set, which headers name. */
  setHash(): Uint8Array {
    return treeRoot(
      this.validators.map(({ pubKey, power }) =>
        leafHash(new Writer().u8(0x0a, 34, 0x0a, 32).raw(pubKey).u8(0x10).uvarint(power).done()),
      ),
    );
  }

  /** The power that members of another set, named by their places in it, have in this one. */
  powerOf(other: Anchor, places: readonly number[]): bigint {
    const own = new Map(this.validators.map(({ pubKey, power }) => [hex(pubKey), power]));
    return places.reduce((sum, place) => sum + (own.get(hex(other.validators[place]!.pubKey)) ?? 0n), 0n);
  }
}

/**
 * Reads the anchor out of a ledger's founding document. Whoever can replace
 * that file can make up receipts: get it from someone you trust, not from a
 * node. Of the document, chain id and validators are read and held to its
 * rules; the node checks the rest.
 */
export function anchorFromGenesis(genesis: Uint8Array | string): Anchor {
  return foundingOf(genesis).anchor;
}

/** A validator of a founding document: with the name and key it signs the log's checkpoints with, if it has one. */
export interface Founder extends Validator {
  name: string;
  logKey: Uint8Array | undefined;
}

/** The anchor of a founding document, its validators in order, and when the ledger was founded, Unix nanoseconds. */
export function foundingOf(genesis: Uint8Array | string): { anchor: Anchor; founders: Founder[]; time: () => bigint } {
  const text = typeof genesis === 'string' ? encode(genesis) : genesis;
  if (text.length > maxGenesisBytes) fail('anchor', `the document has ${text.length} bytes, the limit is ${maxGenesisBytes}`);
  const document = members(parseJSON(text, { code: 'anchor', depth: 64, strict: true }), 'the document');
  const chainId = textMember(document, 'chainId');
  if (!/^[a-z0-9][a-z0-9.-]*$/.test(chainId)) fail('anchor', 'chainId: must be of a-z 0-9 . -');
  const set = document.get('validators');
  if (set?.kind !== 'array') fail('anchor', 'validators: must be a list');
  if (set.items.length > 1_000) fail('anchor', 'validators: more than 1,000');
  const time = () => parseTime(textMember(document, 'genesisTime')) ?? fail('anchor', 'genesisTime: must be RFC 3339');
  const founders = set.items.map(founderOf);
  const seen = new Set<string>();
  for (const { name, pubKey, logKey } of founders) {
    const own = [`name ${name}`, hex(pubKey), ...(logKey === undefined ? [] : [hex(logKey)])];
    if (own.some((key) => seen.has(key)) || own[1] === own[2]) fail('anchor', `validator ${name}: its name or a key is there twice`);
    own.forEach((key) => seen.add(key));
  }
  return { anchor: new Anchor(chainId, founders), founders, time };
}

function founderOf(item: Json): Founder {
  const v = members(item, 'a validator');
  const name = textMember(v, 'name');
  if (!/^[a-zA-Z0-9][a-zA-Z0-9 ._-]{0,63}$/.test(name)) fail('anchor', "a validator's name is not valid");
  const pubKey = keyMember(v, 'publicKey');
  const logKey = v.has('logKey') ? keyMember(v, 'logKey') : undefined;
  const power = v.get('power');
  if (power?.kind !== 'number' || !/^[1-9]\d{0,12}$/.test(power.text)) fail('anchor', 'power: must be a whole number');
  if (BigInt(power.text) > 1_000_000_000_000n) fail('anchor', 'power: must be 1 to 10^12');
  return { name, pubKey, logKey, power: BigInt(power.text) };
}

function keyMember(of: Map<string, Json>, name: string): Uint8Array {
  const text = textMember(of, name);
  const key = unbase64(text);
  if (key?.length !== 32 || isZero(key) || base64(key) !== text) fail('anchor', `${name}: must be base64 of 32 bytes`);
  return key;
}

/** An object's members, each there once. */
function members(value: Json, what: string): Map<string, Json> {
  if (value.kind !== 'object') fail('anchor', `${what} must be a JSON object`);
  const found = new Map(value.members);
  if (found.size !== value.members.length) fail('anchor', `a member of ${what} is there twice`);
  return found;
}

function textMember(of: Map<string, Json>, name: string): string {
  const value = of.get(name);
  if (value?.kind !== 'string') fail('anchor', `${name}: must be text`);
  return value.text;
}
