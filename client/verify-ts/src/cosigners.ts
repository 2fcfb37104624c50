import { foundingOf, isChainId, MAX_VALIDATORS } from './anchor.js';
import { ascii, compare, hex } from './bytes.js';
import { type Checkpoint, checkpointText, cosignatureBytes, keyId, keyName, NOTE, type NoteSignature, type SignedCheckpoint } from './checkpoint.js';
import { VerifyKey } from './ed25519.js';
import { fail, VerifyError } from './errors.js';
import { object } from './statementjson.js';
import { encode, jsonString } from './text.js';
import { stamp } from './time.js';

const maxTotalPower = (1n << 60n) - 1n;
/** The end of the year 9999, the last that RFC 3339 writes. */
const maxUnixSeconds = 253_402_300_799n;

/** A validator as it signs the log. */
export interface Cosigner {
  /** Of its cosignatures: chain id, "/" and the validator's name, escaped. */
  name: string;
  /** Ed25519 key of 32 octets; undefined for a validator whose power counts and who does not sign. */
  key: Uint8Array | undefined;
  power: bigint;
}

/** Who vouched for a checkpoint. */
export interface Cosigned {
  names: string[];
  power: bigint;
  totalPower: bigint;
  /** Earliest time among the cosignatures, Unix seconds; undefined where they have none. */
  oldest: bigint | undefined;
}

/** Whose word on the log's checkpoints is taken: the validators of a ledger with their log keys. */
export class Cosigners {
  readonly origin: string;
  /** By power, the greatest first, then by name. */
  readonly list: readonly Readonly<Cosigner>[];
  readonly totalPower: bigint;
  private readonly keys: (VerifyKey | undefined)[];
  private readonly lines = new Map<string, { place: number; type: number }>();

  constructor(origin: string, cosigners: readonly Cosigner[]) {
    if (!isChainId(origin)) fail('cosigners', 'the origin is no chain id');
    if (cosigners.length === 0 || cosigners.length > MAX_VALIDATORS) fail('cosigners', `${cosigners.length} of them, must be 1 to ${MAX_VALIDATORS}`);
    this.origin = origin;
    this.list = [...cosigners].sort((a, b) => (a.power === b.power ? compare(encode(a.name), encode(b.name)) : a.power > b.power ? -1 : 1));
    const seen = new Set<string>([origin]);
    let total = 0n;
    this.list.forEach(({ name, key, power }, place) => {
      if (!isKeyName(name) || seen.has(name)) fail('cosigners', `name ${JSON.stringify(name)}`);
      if (power < 1n || power > maxTotalPower - total) fail('cosigners', `power ${power} of ${name}`);
      seen.add(name);
      total += power;
      if (key === undefined) return;
      if (key.length !== 32 || seen.has(`+${hex(key)}`)) fail('cosigners', `the log key of ${name} is another's, or has not 32 bytes`);
      seen.add(`+${hex(key)}`); // no name has a plus sign
      this.lines.set(lineKey(name, keyId(name, NOTE.cosignature, key)), { place, type: NOTE.cosignature });
      this.lines.set(lineKey(origin, keyId(origin, NOTE.ed25519, key)), { place, type: NOTE.ed25519 });
    });
    this.totalPower = total;
    this.keys = this.list.map(({ key }) => key && new VerifyKey(key));
  }

  /** Whether so much power is more than two thirds of the total. */
  isQuorum(power: bigint): boolean {
    return power > (this.totalPower * 2n) / 3n;
  }

  /** The place and key of a cosigner that has one. */
  named(name: string): { place: number; key: VerifyKey } | undefined {
    const place = this.list.findIndex((c) => c.name === name);
    const key = this.keys[place];
    return key && { place, key };
  }

  /**
   * Checks that validators with more than two thirds of the power cosigned the
   * checkpoint, and one of them signed it as the log. Lines by keys not known
   * here are passed over, as the format wants; a line by a known key must hold.
   */
  verify(s: SignedCheckpoint): Cosigned {
    if (s.origin !== this.origin) fail('chain', `the checkpoint is of the log ${s.origin}, trusted is ${this.origin}`);
    const out: Cosigned = { names: [], power: 0n, totalPower: this.totalPower, oldest: undefined };
    const seen = new Set<number>();
    let logged = false;
    for (const line of s.signatures) {
      const owner = this.ownerOf(line);
      if (owner === undefined) continue;
      const { name, power } = this.list[owner.place]!;
      const key = this.keys[owner.place]!;
      if (owner.type === NOTE.ed25519) {
        if (!key.verify(ascii(checkpointText(s)), line.bytes)) fail('signature', `of the log, by ${name}`);
        logged = true;
        continue;
      }
      const seconds = cosignedAt(key, s, line.bytes) ?? fail('signature', `cosignature of ${name}`);
      if (seen.has(owner.place)) continue;
      seen.add(owner.place);
      if (out.oldest === undefined || seconds < out.oldest) out.oldest = seconds;
      out.names.push(name);
      out.power += power;
    }
    if (!this.isQuorum(out.power)) fail('uncosigned', `${out.power} of ${this.totalPower}`);
    if (!logged) fail('logSignature');
    return out;
  }

  /** Of a verified checkpoint's lines those that are needed: one of the log, and cosignatures up to more than two thirds of the power, in order. */
  trim(s: SignedCheckpoint): NoteSignature[] {
    const found = new Map<string, NoteSignature>();
    for (const line of s.signatures) {
      const owner = this.ownerOf(line);
      if (owner !== undefined) found.set(`${owner.type} ${owner.place}`, line);
    }
    const of = (type: number) => this.list.flatMap((_, place) => found.get(`${type} ${place}`) ?? []);
    return [...of(NOTE.ed25519).slice(0, 1), ...this.upToQuorum(of(NOTE.cosignature))];
  }

  /** The first of what cosigners, in their order, signed, up to more than two thirds of the power. */
  upToQuorum<T extends { name: string }>(signed: readonly T[]): T[] {
    let power = 0n;
    return this.list.flatMap((c) => {
      const own = this.isQuorum(power) ? undefined : signed.find(({ name }) => name === c.name);
      if (own !== undefined) power += c.power;
      return own ?? [];
    });
  }

  private ownerOf(line: NoteSignature): { place: number; type: number } | undefined {
    return this.lines.get(lineKey(line.name, line.keyId));
  }
}

function lineKey(name: string, id: number): string {
  return `${name}\n${id}`;
}

function isKeyName(name: string): boolean {
  try {
    return keyName(encode(name)) === name;
  } catch (error) {
    if (error instanceof VerifyError) return false;
    throw error;
  }
}

/** The time of a cosignature that holds, Unix seconds. */
function cosignedAt(key: VerifyKey, c: Checkpoint, timed: Uint8Array): bigint | undefined {
  if (timed.length !== 72) return undefined;
  const seconds = new DataView(timed.buffer, timed.byteOffset).getBigUint64(0);
  return seconds <= maxUnixSeconds && key.verify(cosignatureBytes(c, seconds), timed.subarray(8)) ? seconds : undefined;
}

/** The cosigners of a founding document: its validators with their log keys. */
export function cosignersFromGenesis(genesis: Uint8Array | string): Cosigners {
  const { anchor: { chainId }, founders } = foundingOf(genesis);
  return new Cosigners(chainId, founders.map(({ name, logKey, power }) => ({ name: `${chainId}/${name.replaceAll(' ', '%20')}`, key: logKey, power })));
}

/** Who vouched for a checkpoint, as JSON. */
export function cosignedJSON(c: Cosigned): string {
  return object({
    names: `[${c.names.map(jsonString).join(',')}]`,
    power: String(c.power),
    totalPower: String(c.totalPower),
    oldest: c.oldest === undefined ? undefined : jsonString(stamp(c.oldest * 1_000_000_000n)),
  });
}
