import { unbase64 } from './bytes.js';
import { fail } from './errors.js';
import type { Json } from './json.js';

/**
 * Takes a value of one type out of JSON, as Go's encoding/json does into a
 * struct: null leaves what was there, of a repeated member the last counts,
 * names match in any case. What it lets through in another spelling, the
 * caller refuses by writing the value again; read the same way, both verifiers
 * name the same check.
 */
export interface Reader<T> {
  zero: () => T;
  read: (value: Json, before: T) => T;
}

function wrong(value: Json, wanted: string): never {
  return fail('form', `a JSON ${value.kind} in the place of ${wanted}`);
}

/** A text that parse understands. */
export function text<T>(zero: () => T, parse: (text: string) => T | undefined): Reader<T> {
  return {
    zero,
    read: (value, before) => {
      if (value.kind === 'null') return before;
      if (value.kind !== 'string') wrong(value, 'text');
      return parse(value.text) ?? fail('form', 'a text that is not what stands in its place');
    },
  };
}

/** A whole number from low to high. */
export function integer(low: bigint, high: bigint): Reader<bigint> {
  return {
    zero: () => 0n,
    read: (value, before) => {
      if (value.kind === 'null') return before;
      const form = low < 0n ? /^-?\d{1,20}$/ : /^\d{1,20}$/;
      if (value.kind !== 'number' || !form.test(value.text)) wrong(value, 'a whole number');
      const n = BigInt(value.text);
      return n >= low && n <= high ? n : fail('form', `${n} is not from ${low} to ${high}`);
    },
  };
}

/** A whole number of so many bits. */
export function uint(bits: bigint): Reader<bigint> {
  return integer(0n, (1n << bits) - 1n);
}

/** The same in two's complement. */
export function int(bits: bigint): Reader<bigint> {
  return integer(-(1n << (bits - 1n)), (1n << (bits - 1n)) - 1n);
}

const octet = uint(8n);

/** Octets in base64, or as a list of numbers. */
export const octets: Reader<Uint8Array> = {
  zero: () => new Uint8Array(0),
  read: (value, before) => {
    if (value.kind === 'null') return new Uint8Array(0);
    if (value.kind === 'string') return unbase64(value.text) ?? fail('form', 'not base64');
    if (value.kind !== 'array') wrong(value, 'base64');
    return Uint8Array.from(value.items, (item, i) => Number(octet.read(item, BigInt(before[i] ?? 0))));
  },
};

/** True or false. */
export const boolean: Reader<boolean> = {
  zero: () => false,
  read: (value, before) => {
    if (value.kind === 'null') return before;
    return value.kind === 'boolean' ? value.value : wrong(value, 'true or false');
  },
};

/** A list. */
export function list<T>(of: Reader<T>): Reader<T[]> {
  return {
    zero: () => [],
    read: (value, before) => {
      if (value.kind === 'null') return [];
      if (value.kind !== 'array') wrong(value, 'a list');
      return value.items.map((item, i) => of.read(item, before[i] ?? of.zero()));
    },
  };
}

/** A member that may be left out. */
export function optional<T>(of: Reader<T>): Reader<T | undefined> {
  return {
    zero: () => undefined,
    read: (value, before) => (value.kind === 'null' ? undefined : of.read(value, before ?? of.zero())),
  };
}

/** An object of named members; others are refused. */
export function struct<T extends object>(of: { [K in keyof T]: Reader<T[K]> }): Reader<T> {
  const names = Object.keys(of) as (keyof T & string)[];
  const folded = new Map(names.map((name) => [fold(name), name]));
  return {
    zero: () => Object.fromEntries(names.map((name) => [name, of[name].zero()])) as T,
    read: (value, before) => {
      if (value.kind === 'null') return before;
      if (value.kind !== 'object') wrong(value, 'an object');
      const read = { ...before };
      for (const [member, content] of value.members) {
        const name = folded.get(fold(member)) ?? fail('form', `a member ${JSON.stringify(member)}`);
        read[name] = of[name].read(content, read[name]);
      }
      return read;
    },
  };
}

/** One spelling for all that differ in case alone; two letters beyond ASCII fold into it. */
export function fold(name: string): string {
  return name.replace(/[A-Z]/g, (c) => c.toLowerCase()).replaceAll('\u017f', 's').replaceAll('\u212a', 'k');
}
