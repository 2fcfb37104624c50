import { ascii, equal, hash, hex, type Writer } from './bytes.js';
import { Cursor } from './cursor.js';
import { fail } from './errors.js';

/** Stands for an empty subtree, and is the root of an empty state. */
export const STATE_PLACEHOLDER = ascii('SPARSE_MERKLE_PLACEHOLDER_HASH__');

const leafTag = ascii('JMT::LeafNode');
const innerTag = ascii('JMT::IntrnalNode'); // the missing e is Penumbra's

const maxKey = 1_024;
const maxValue = 1 << 20;
const maxDepth = 256;

/** A leaf of the state tree: the hashes of its key and its value. */
export interface StateLeaf {
  keyHash: Uint8Array;
  valueHash: Uint8Array;
}

/** Proves that a key has a value in the state, or that it has none. */
export interface StateProof {
  key: Uint8Array;
  /** Undefined where the key is absent. */
  value: Uint8Array | undefined;
  /** Of an absent key: the leaf of another key that its path ends at; undefined where it ends at an empty subtree. */
  leaf: StateLeaf | undefined;
  /** Along the path, the lowest first; STATE_PLACEHOLDER where a subtree is empty. */
  siblings: Uint8Array[];
}

function hashLeaf(leaf: StateLeaf): Uint8Array {
  return hash(leafTag, leaf.keyHash, leaf.valueHash);
}

/** The i-th bit of a hash, the most significant being 0. */
function bit(h: Uint8Array, i: number): number {
  return (h[i >> 3]! >> (7 - (i & 7))) & 1;
}

function commonBits(a: Uint8Array, b: Uint8Array): number {
  let n = 0;
  while (n < 8 * a.length && bit(a, n) === bit(b, n)) n++;
  return n;
}

/**
 * The state root that the proof leads to, after checking that it proves what
 * it says: the whole difference between two proofs is their root.
 */
export function stateRoot(p: StateProof): Uint8Array {
  checkState(p);
  const keyHash = hash(p.key);
  const depth = p.siblings.length;
  let at = STATE_PLACEHOLDER;
  if (p.value !== undefined) {
    at = hashLeaf({ keyHash, valueHash: hash(p.value) });
  } else if (p.leaf !== undefined) {
    if (equal(p.leaf.keyHash, keyHash)) fail('state', 'the leaf of the key itself cannot show its absence');
    const shared = commonBits(p.leaf.keyHash, keyHash);
    if (shared < depth) fail('state', `the leaf shares ${shared} bits with the key, the path has ${depth}`);
    at = hashLeaf(p.leaf);
  }
  p.siblings.forEach((sibling, i) => {
    at = bit(keyHash, depth - 1 - i) === 0 ? hash(innerTag, at, sibling) : hash(innerTag, sibling, at);
  });
  return at;
}

/** Checks a proof against a state root. */
export function verifyState(p: StateProof, root: Uint8Array): void {
  const got = stateRoot(p);
  if (!equal(got, root)) fail('root', `state root ${hex(got)}, not ${hex(root)}`);
}

/**
 * Bounds the parts. The lowest sibling is never empty: its parent would be a
 * subtree of at most one leaf, and that is not an inner node.
 */
export function checkState(p: StateProof): void {
  if (p.key.length > maxKey) fail('form', `the key has ${p.key.length} bytes, over the limit ${maxKey}`);
  if ((p.value?.length ?? 0) > maxValue) fail('form', `the value has ${p.value?.length} bytes, over the limit ${maxValue}`);
  if (p.siblings.length > maxDepth) fail('form', `${p.siblings.length} siblings, over the limit ${maxDepth}`);
  if (p.siblings[0] !== undefined && isEmpty(p.siblings[0])) fail('state', 'the lowest sibling is empty');
}

function isEmpty(sibling: Uint8Array): boolean {
  return equal(sibling, STATE_PLACEHOLDER);
}

const EXISTS = 1;
const ABSENT = 2;
const ABSENT_LEAF = 3;

export function appendState(w: Writer, p: StateProof): void {
  checkState(p);
  w.bytes(p.key);
  if (p.value !== undefined) w.u8(EXISTS).bytes(p.value);
  else if (p.leaf === undefined) w.u8(ABSENT);
  else w.u8(ABSENT_LEAF).raw(p.leaf.keyHash, p.leaf.valueHash);
  const bits = new Uint8Array(Math.ceil(p.siblings.length / 8));
  p.siblings.forEach((sibling, i) => {
    if (!isEmpty(sibling)) bits[i >> 3]! |= 0x80 >> (i & 7);
  });
  w.uvarint(p.siblings.length).raw(bits, ...p.siblings.filter((sibling) => !isEmpty(sibling)));
}

/** Reads an encoded state proof. */
export function decodeState(b: Uint8Array): StateProof {
  const c = new Cursor(b, 'form');
  const p = readState(c);
  c.end();
  return p;
}

export function readState(c: Cursor): StateProof {
  const p: StateProof = { key: c.bytes(maxKey, 'state key'), value: undefined, leaf: undefined, siblings: [] };
  const form = c.u8('state form');
  if (form === EXISTS) p.value = c.bytes(maxValue, 'state value');
  else if (form === ABSENT_LEAF) p.leaf = { keyHash: c.hash('leaf key'), valueHash: c.hash('leaf value') };
  else if (form !== ABSENT) c.fail(`state form ${form} is not known`);
  const n = c.uvarint(maxDepth, 'number of siblings');
  const bits = c.take(Math.ceil(n / 8), 'bits of siblings');
  if (n % 8 !== 0 && (bits.at(-1)! << n % 8) % 256 !== 0) c.fail('bits of siblings are not padded with zeros');
  for (let i = 0; i < n; i++) {
    const present = bit(bits, i) === 1;
    const sibling = present ? c.hash('sibling') : STATE_PLACEHOLDER;
    if (present && isEmpty(sibling)) c.fail(`sibling ${i} is empty and written out`);
    p.siblings.push(sibling);
  }
  checkState(p);
  return p;
}
