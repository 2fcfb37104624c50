// The published vectors of docs/vectors, read in place.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import * as cairn from '../dist/index.js';

const docs = new URL('../../../docs/', import.meta.url);
const vectors = (name) => JSON.parse(readFileSync(new URL(`vectors/${name}.json`, docs), 'utf8'));
const unhex = (text) => new Uint8Array(Buffer.from(text, 'hex'));
const hex = (octets) => Buffer.from(octets).toString('hex');
const nanos = (text) => BigInt(Date.parse(text.slice(0, 19) + 'Z')) * 1_000_000n + BigInt(text.slice(20, 29));

/** The code of the VerifyError that run throws; undefined if it throws none. */
function refusal(run) {
  try {
    run();
    return undefined;
  } catch (error) {
    assert.ok(error instanceof cairn.VerifyError, String(error.stack));
    return error.code;
  }
}

test('event.json: records, type hashes, commitments', () => {
  for (const v of vectors('event')) {
    const event = cairn.decodeRecord(unhex(v.record));
    assert.equal(hex(cairn.typeHash(event.type)), v.typeHash, v.name);
    assert.equal(hex(cairn.commitmentOf(unhex(v.blind), unhex(v.record))), v.commitment, v.name);
    assert.deepEqual(JSON.parse(cairn.eventJSON(event)).data, JSON.parse(v.json).data, v.name);
  }
});

test('entry.json: entries and leaf hashes', () => {
  const kinds = Object.fromEntries(Object.entries(cairn.ENTRY_KINDS).map(([kind, name]) => [name, Number(kind)]));
  for (const v of vectors('entry')) {
    const cause = BigInt(v.cause) === 2n ** 64n - 1n ? undefined : Number(v.cause);
    const origin = cairn.parseAddress(v.origin);
    assert.equal(cairn.addressText(origin), v.origin);
    const entry = cairn.entryBytes({
      ...v, kind: kinds[v.kind], cause, origin, stream: unhex(v.stream), type: unhex(v.type), commitment: unhex(v.commitment),
    });
    assert.equal(hex(entry), v.entry);
    assert.equal(hex(cairn.leafHash(entry)), v.leafHash);
  }
});

test('log.json: roots, inclusion, consistency', () => {
  const v = vectors('log');
  const leaves = v.leaves.map((data) => cairn.leafHash(unhex(data)));
  const roots = v.roots.map(unhex);
  roots.forEach((root, size) => assert.deepEqual(cairn.treeRoot(leaves.slice(0, size)), root));
  for (const c of v.inclusion) {
    const leaf = leaves[c.index] ?? new Uint8Array(32);
    const code = refusal(() => cairn.verifyInclusion(leaf, c.index, c.size, c.path.map(unhex), roots[c.size]));
    assert.equal(code, c.valid ? undefined : 'inclusion', JSON.stringify(c));
  }
  for (const c of v.consistency) {
    const code = refusal(() => cairn.verifyConsistency(c.oldSize, c.newSize, roots[c.oldSize], roots[c.newSize], c.path.map(unhex)));
    assert.equal(code, c.valid ? undefined : 'consistency', JSON.stringify(c));
  }
});

test('state.json: proofs of existence and absence', () => {
  const v = vectors('state');
  assert.equal(hex(cairn.STATE_PLACEHOLDER), v.emptyRoot);
  for (const c of v.proofs) {
    const proof = cairn.decodeState(unhex(c.binary));
    cairn.verifyState(proof, unhex(v.root));
    assert.equal(hex(proof.key), c.key);
    assert.equal(proof.value && hex(proof.value), c.value ?? undefined);
    assert.equal(refusal(() => cairn.verifyState(proof, unhex(v.emptyRoot))), 'root');
  }
});

test('header.json: app hash, block hashes, vote bytes', () => {
  const v = vectors('header');
  const { logSize, logRoot, params, stateRoot } = v.appHash;
  const app = cairn.appHash(cairn.logLeaf(logSize, unhex(logRoot)), cairn.paramsLeaf(unhex(params)), cairn.stateLeaf(unhex(stateRoot)));
  assert.equal(hex(app), v.appHash.appHash);
  for (const c of v.headers) {
    const { time, ...parts } = c.opening;
    const header = { timeNs: nanos(time), ...Object.fromEntries(Object.entries(parts).map(([name, text]) => [name, unhex(text)])) };
    const block = cairn.blockHash(header, c.chainId, c.height, unhex(c.appHash));
    assert.equal(hex(block), c.blockHash);
    const commit = { ...c, partsHash: unhex(c.partsHash) };
    assert.equal(hex(cairn.voteBytes(c.chainId, commit, block, nanos(c.voteTime))), c.voteBytes);
  }
});

test('receipt.json: receipts of every kind and what they state; refusals', () => {
  const v = vectors('receipt');
  const anchor = new cairn.Anchor(v.chainId, v.validators.map(({ pubKey, power }) => ({ pubKey: unhex(pubKey), power: BigInt(power) })));
  for (const c of v.receipts) {
    for (const form of [unhex(c.binary), c.json]) {
      const receipt = cairn.parseReceipt(form);
      assert.equal(hex(cairn.encodeBinary(receipt)), c.binary, c.name);
      assert.equal(cairn.encodeJSON(receipt), c.json, c.name);
      const statement = cairn.verify(form, anchor);
      assert.equal(cairn.sentence(statement), c.sentence, c.name);
      assert.equal(cairn.statementJSON(statement), JSON.stringify(c.statement), c.name);
    }
  }
  for (const c of v.refused) {
    const code = refusal(() => cairn.verify(c.json ?? unhex(c.binary), anchor));
    assert.equal(cairn.CHECKS[code], c.error, c.name);
  }
});

test('batch.json: batch receipts, complete streams; refusals', () => {
  const v = vectors('batch');
  const anchor = new cairn.Anchor(v.chainId, v.validators.map(({ pubKey, power }) => ({ pubKey: unhex(pubKey), power: BigInt(power) })));
  const trust = new cairn.Trust([{ anchor, since: 1, seen: 1, atNs: 0n }]);
  for (const c of v.batches) {
    for (const form of [unhex(c.binary), Buffer.from(c.json)]) {
      const receipt = cairn.parseBatch(form);
      assert.equal(hex(cairn.encodeBatch(receipt)), c.binary, c.name);
      assert.equal(cairn.encodeBatchJSON(receipt), c.json, c.name);
      const statement = cairn.verifyBatch(form, anchor);
      assert.deepEqual([statement.logRoot, cairn.batchSentence(statement)], [c.logRoot, c.sentence], c.name);
      assert.ok(cairn.isBatch(form));
    }
  }
  for (const c of v.streams) {
    const statement = cairn.verifyStream(unhex(c.binary), trust);
    assert.deepEqual([cairn.streamSentence(statement), cairn.streamJSON(statement)], [c.sentence, JSON.stringify(c.statement)], c.name);
  }
  for (const c of v.refused) {
    const octets = c.json === undefined ? unhex(c.binary) : Buffer.from(c.json);
    const code = refusal(() => (cairn.isBatch(octets) ? cairn.verifyBatch(octets, anchor) : cairn.verifyStream(octets, trust)));
    assert.equal(cairn.CHECKS[code], c.error, c.name);
  }
});

const cosignersOf = (v) => new cairn.Cosigners(v.origin, v.cosigners.map(({ name, key, power }) => ({ name, key: unhex(key), power: BigInt(power) })));

test('export.json: tlog-proofs and COSE receipts; refusals', () => {
  const v = vectors('export');
  const by = cosignersOf(v);
  for (const c of [...v.receipts, ...v.refused]) {
    const form = c.cose === undefined ? Buffer.from(c.tlogProof) : unhex(c.cose);
    const again = c.cose === undefined ? cairn.encodeTlogProof(cairn.parseTlogProof(form)) : cairn.encodeCose(cairn.parseCose(form));
    assert.equal(hex(again), hex(form), c.name);
    if (v.receipts.includes(c)) assert.equal(cairn.logSentence(cairn.verifyExport(form, by)), c.sentence, c.name);
    else assert.equal(cairn.CHECKS[refusal(() => cairn.verifyExport(form, by))], c.sentence, c.name);
  }
});

test('held.json: receipts for who holds a checkpoint; refusals', () => {
  const v = vectors('held');
  const by = cosignersOf(vectors('export'));
  const held = v.held.map((file) => cairn.parseHeld(file));
  held.forEach((h, i) => assert.equal(cairn.heldJSON(h), v.held[i]));
  for (const c of [...v.receipts, ...v.refused]) {
    const form = unhex(c.binary);
    assert.equal(hex(cairn.encodeHeldReceipt(cairn.parseHeldReceipt(form))), c.binary, c.name);
    if (v.receipts.includes(c)) assert.equal(cairn.logSentence(cairn.verifyHeld(form, held[c.held], by)), c.sentence, c.name);
    else assert.equal(cairn.CHECKS[refusal(() => cairn.verifyHeld(form, held[c.held], by))], c.sentence, c.name);
  }
});

test('erasure.json: it existed, and was erased', () => {
  const [v, { chainId, validators }] = [vectors('erasure'), vectors('receipt')];
  const anchor = new cairn.Anchor(chainId, validators.map(({ pubKey, power }) => ({ pubKey: unhex(pubKey), power: BigInt(power) })));
  const s = cairn.verifyErasure(v.erasure, anchor);
  assert.equal(hex(cairn.encodeErasure(cairn.parseErasure(Buffer.from(v.erasure)))), hex(Buffer.from(v.erasure)));
  assert.deepEqual([Number(s.erased.index), s.erase.entry.height, s.erase.entry.origin, cairn.ERASE_REASONS[s.erased.reason]], [v.index, v.height, v.by, v.reason]);
  assert.match(cairn.erasureSentence(s), /^On chain .*commits to a payload not shown here.*\nIts payload was erased on 2025-.*, at height 120, because of: request\.\n/);
  const receipts = JSON.parse(v.erasure);
  const swapped = JSON.stringify({ cairnErasure: 1, entry: receipts.erase, erase: receipts.entry });
  assert.equal(refusal(() => cairn.verifyErasure(swapped, anchor)), 'erasure');
});

test('docs/genesis.md: the founding document of the page', () => {
  const document = /```json\n([^]*?)```/.exec(readFileSync(new URL('genesis.md', docs), 'utf8'))[1];
  const trust = cairn.trustFromGenesis(document);
  const { chainId, genesisTime, validators } = JSON.parse(document);
  const [point] = trust.points;
  assert.deepEqual([trust.chainId, point.since, point.atNs], [chainId, 1, BigInt(Date.parse(genesisTime)) * 1_000_000n]);
  assert.deepEqual(cairn.anchorFromGenesis(document).validators.map(({ pubKey, power }) => [Buffer.from(pubKey).toString('base64'), Number(power)]),
    validators.map(({ publicKey, power }) => [publicKey, power]));
  assert.deepEqual(cairn.parseTrust(cairn.trustJSON(trust)), trust);
  const spoilt = {
    'a member twice': document.replace('"chainId"', '"chainId": "x", "chainId"'),
    'more after it': `${document}1`,
    'no validators': document.replace('"validators"', '"validator"'),
    'a chain id in capitals': document.replace(chainId, chainId.toUpperCase()),
    'a power of 0': document.replace('"power": 10', '"power": 0'),
    'a power that is no number': document.replace('"power": 10', '"power": "10"'),
    'a power of 1.0': document.replace('"power": 10', '"power": 1.0'),
    'a short key': document.replace(validators[0].publicKey, 'QQ=='),
    'a key in other base64': document.replace(validators[0].publicKey, validators[0].publicKey.replace('k=', 'l=')),
  };
  for (const [name, text] of Object.entries(spoilt)) {
    assert.notEqual(text, document, name);
    assert.equal(refusal(() => cairn.anchorFromGenesis(text)), 'anchor', name);
  }
});
