import { ascii, hash, Writer } from './bytes.js';
import { leafHash, nodeHash } from './log.js';

/** Leaf of a CometBFT simple Merkle map. */
function mapLeaf(key: string, value: Uint8Array): Uint8Array {
  return leafHash(new Writer().bytes(ascii(key)).bytes(hash(value)).done());
}

/** The map's leaf of the log: its size and its root. */
export function logLeaf(size: number, root: Uint8Array): Uint8Array {
  return mapLeaf('log', new Writer().u64(size).raw(root).done());
}

/** The map's leaf of the parameters. */
export function paramsLeaf(params: Uint8Array): Uint8Array {
  return mapLeaf('params', params);
}

/** The map's leaf of the state. */
export function stateLeaf(root: Uint8Array): Uint8Array {
  return mapLeaf('state', root);
}

/** The app hash above the leaves of log, params and state. */
export function appHash(log: Uint8Array, params: Uint8Array, state: Uint8Array): Uint8Array {
  return nodeHash(nodeHash(log, params), state);
}
