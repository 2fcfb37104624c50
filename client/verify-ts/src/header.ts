import { ascii, Writer } from './bytes.js';
import { leafHash, nodeHash } from './log.js';
import { split } from './time.js';

/**
 * A CometBFT block header (v0.40.0), opened at chain id, height, time and app
 * hash. Its hash is the RFC 6962 root over fourteen fields; what is not opened
 * is carried as the hashes beside the way up.
 */
export interface Header {
  /** Of the block, Unix nanoseconds. */
  timeNs: bigint;
  /** Leaf of field 0: protocol versions. */
  version: Uint8Array;
  /** Fields 4-7: last block, its commit, data, validators. */
  blocks: Uint8Array;
  /** Fields 8-9: next validators, consensus parameters. */
  next: Uint8Array;
  /** Leaf of field 11: results of the block before. */
  results: Uint8Array;
  /** Fields 12-13: evidence, proposer. */
  tail: Uint8Array;
}

/** The hash of the header that has these values in its four opened fields. */
export function blockHash(h: Header, chainId: string, height: number, appHash: Uint8Array): Uint8Array {
  const appLeaf = leafHash(new Writer().u8(0x0a).bytes(appHash).done());
  const high = nodeHash(nodeHash(h.next, nodeHash(appLeaf, h.results)), h.tail);
  return nodeHash(nodeHash(lowFields(h.version, chainId, height, h.timeNs), h.blocks), high);
}

/** The node over the header's fields 0 to 3; a field of the zero value is encoded as nothing. */
export function lowFields(version: Uint8Array, chainId: string, height: number, timeNs: bigint): Uint8Array {
  const chain = new Writer().u8(0x0a).bytes(ascii(chainId));
  const high = height === 0 ? new Writer() : new Writer().u8(0x08).uvarint(height);
  return nodeHash(
    nodeHash(version, leafHash(chain.done())),
    nodeHash(leafHash(high.done()), leafHash(timestamp(timeNs))),
  );
}

/** A google.protobuf.Timestamp: 1 seconds since 1970, 2 nanoseconds from 0 on; zeros are left out. */
export function timestamp(timeNs: bigint): Uint8Array {
  const [seconds, nanos] = split(timeNs);
  const w = new Writer();
  if (seconds !== 0n) w.u8(0x08).uvarint(seconds);
  if (nanos !== 0) w.u8(0x10).uvarint(nanos);
  return w.done();
}
