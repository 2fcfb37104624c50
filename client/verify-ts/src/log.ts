import { equal, hash, hex } from './bytes.js';
import { type Check, fail } from './errors.js';

/** Bounds a Merkle path: a tree of 2^64 leaves is 64 levels high. */
export const MAX_PATH = 64;

/** Root of a tree without leaves. */
export const EMPTY_ROOT = hash();

const leafPrefix = Uint8Array.of(0);
const nodePrefix = Uint8Array.of(1);

/** RFC 6962's leaf hash: SHA-256(0x00 || data). */
export function leafHash(data: Uint8Array): Uint8Array {
  return hash(leafPrefix, data);
}

/** RFC 6962's inner hash: SHA-256(0x01 || left || right). */
export function nodeHash(left: Uint8Array, right: Uint8Array): Uint8Array {
  return hash(nodePrefix, left, right);
}

/** RFC 6962's root over leaf hashes, for small trees. */
export function treeRoot(leaves: Uint8Array[]): Uint8Array {
  if (leaves.length === 0) return EMPTY_ROOT;
  if (leaves.length === 1) return leaves[0]!;
  let k = 1;
  while (2 * k < leaves.length) k *= 2;
  return nodeHash(treeRoot(leaves.slice(0, k)), treeRoot(leaves.slice(k)));
}

function bitLength(n: bigint): number {
  return n === 0n ? 0 : n.toString(2).length;
}

/** Levels below which the paths to a leaf and to the last leaf part, and the length of the leaf's path. */
function shape(index: bigint, size: bigint): [inner: number, length: number] {
  const inner = bitLength(index ^ (size - 1n));
  const border = (index >> BigInt(inner)).toString(2).replaceAll('0', '').length;
  return [inner, inner + border];
}

/** Number of hashes that lead from a leaf to the root of a tree of that size; the index is below the size. */
export function pathLength(index: number, size: number): number {
  return shape(BigInt(index), BigInt(size))[1];
}

function requireCount(n: number, code: Check, what: string): bigint {
  if (!Number.isSafeInteger(n) || n < 0) fail(code, `${what} ${n} is no number from 0 to 2^53-1`);
  return BigInt(n);
}

/**
 * The root of the tree of that size that the path, nearest sibling first,
 * leads to from the leaf at that index. For one size and one length of path
 * each index takes different turns, so a root fixes the index.
 */
export function inclusionRoot(leaf: Uint8Array, index: number, size: number, path: Uint8Array[]): Uint8Array {
  const [i, n] = [requireCount(index, 'inclusion', 'index'), requireCount(size, 'inclusion', 'size')];
  if (i >= n) fail('inclusion', `index ${index} is not below the size ${size}`);
  const [inner, length] = shape(i, n);
  if (path.length !== length) fail('inclusion', `the path has ${path.length} hashes, index ${index} of ${size} needs ${length}`);
  // Above the inner levels the leaf lies on the right border, where siblings are on the left.
  return path.reduce((at, sibling, level) => {
    const left = level < inner && ((i >> BigInt(level)) & 1n) === 0n;
    return left ? nodeHash(at, sibling) : nodeHash(sibling, at);
  }, leaf);
}

/** Checks that the tree of that size and root has the leaf at that index. */
export function verifyInclusion(leaf: Uint8Array, index: number, size: number, path: Uint8Array[], root: Uint8Array): void {
  const got = inclusionRoot(leaf, index, size, path);
  if (!equal(got, root)) fail('inclusion', `the path of index ${index} leads to root ${hex(got)}, not to ${hex(root)}`);
}

/**
 * Checks that the tree of newSize leaves and newRoot begins with exactly the
 * oldSize leaves of oldRoot (RFC 9162, section 2.1.4.2). An empty old tree is a
 * prefix of every tree and has an empty path.
 */
export function verifyConsistency(
  oldSize: number, newSize: number, oldRoot: Uint8Array, newRoot: Uint8Array, path: Uint8Array[],
): void {
  const [m, n] = [requireCount(oldSize, 'consistency', 'old size'), requireCount(newSize, 'consistency', 'new size')];
  if (m > n) fail('consistency', `the old size ${m} is over the new size ${n}`);
  if (m === 0n && !equal(oldRoot, EMPTY_ROOT)) fail('consistency', 'an empty log has another root');
  if (m === n && !equal(oldRoot, newRoot)) fail('consistency', `two roots for one size ${m}`);
  if (m === 0n || m === n) {
    if (path.length > 0) fail('consistency', `the path must be empty, has ${path.length} hashes`);
    return;
  }
  // The largest complete subtree that ends the old tree is where both climbs
  // start; it is the whole old tree when the size is a power of two.
  let level = 0n;
  while (((m >> level) & 1n) === 0n) level++;
  const [index, last] = [(m - 1n) >> level, (n - 1n) >> level];
  const whole = (m & (m - 1n)) === 0n;
  const start = whole ? oldRoot : path[0] ?? fail('consistency', 'the path is empty');
  const rest = whole ? path : path.slice(1);
  const [inner, length] = shape(index, last + 1n);
  if (rest.length !== length) fail('consistency', `the path has ${rest.length} hashes beside its start, needs ${length}`);
  let [oldAt, newAt] = [start, start];
  rest.forEach((sibling, step) => {
    if (step >= inner || ((index >> BigInt(step)) & 1n) === 1n) {
      oldAt = nodeHash(sibling, oldAt);
      newAt = nodeHash(sibling, newAt);
    } else {
      newAt = nodeHash(newAt, sibling);
    }
  });
  if (!equal(oldAt, oldRoot)) fail('consistency', `the path leads to the old root ${hex(oldAt)}, not to ${hex(oldRoot)}`);
  if (!equal(newAt, newRoot)) fail('consistency', `the path leads to the new root ${hex(newAt)}, not to ${hex(newRoot)}`);
}
