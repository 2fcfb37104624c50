// @transmute/cose, written by an author of RFC 9942, reads the published COSE receipts: the labels, the proof, the root it
// leads to and the Sig_structure over it. Its own verifier knows ECDSA only, so Ed25519 is Node's, given to it as it wants one.
import * as cose from '@transmute/cose';
import assert from 'node:assert/strict';
import { createPublicKey, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

const published = JSON.parse(readFileSync(new URL('../../../docs/vectors/export.json', import.meta.url)));
const receipts = published.receipts.filter(({ cose }) => cose !== undefined).map(({ name, cose }) => ({ name, octets: Buffer.from(cose, 'hex') }));
const keys = new Map(published.cosigners.map(({ name, key }) => [name, createPublicKey({
  format: 'jwk', key: { kty: 'OKP', crv: 'Ed25519', x: Buffer.from(key, 'hex').toString('base64url') },
})]));

/** Verifies the signature of a message whose payload is detached; the key is named by label 4. */
const eddsa = {
  verify: async ({ coseSign1, payload }) => {
    const [head, unprotected, , signature] = cose.cbor.decode(coseSign1).value;
    assert.equal(cose.cbor.decode(head).get(1), -8);
    const key = keys.get(Buffer.from(unprotected.get(4)).toString());
    const signed = cose.cbor.encode(['Signature1', head, Buffer.alloc(0), Buffer.from(payload)]);
    if (key === undefined || !verify(null, Buffer.from(signed), key, Buffer.from(signature))) throw new Error('Signature verification failed');
    return payload;
  },
};

/** The log's entry: what stands behind the opening's first octet. */
function entryOf(octets) {
  const [, unprotected] = cose.cbor.decode(octets).value;
  return Buffer.from(unprotected.get('cairn-entry')).subarray(1, 119);
}

async function root(octets, entry) {
  return cose.receipt.inclusion.verify({ entry: await cose.receipt.leaf(entry), receipt: octets, verifier: eddsa });
}

for (const { name, octets } of receipts) {
  test(`${name}: verified, and refused when spoilt`, async () => {
    const entry = entryOf(octets);
    assert.equal((await root(octets, entry)).byteLength, 32);
    const other = Buffer.from(entry);
    other[50] ^= 1;
    await assert.rejects(root(octets, other));
    const [, unprotected] = cose.cbor.decode(octets).value;
    const [inclusion] = unprotected.get(396).get(-1);
    for (const part of [Buffer.from(inclusion), Buffer.from(octets.subarray(-64))]) { // the proof, the signature
      const spoilt = Buffer.from(octets);
      spoilt[octets.indexOf(part) + part.length - 20] ^= 1;
      await assert.rejects(root(spoilt, entry));
    }
  });
}

test('the refused receipts: another index leads to another root; one signature is all this format has', async () => {
  const two = published.refused.find(({ name }) => name === 'a COSE of two');
  const octets = Buffer.from(two.cose, 'hex'); // one validator's word is enough for a reader of the format
  assert.equal((await root(octets, entryOf(octets))).byteLength, 32);
});

test('its own verifier has no Ed25519', async () => {
  const [{ octets }] = receipts;
  const jwk = { kty: 'OKP', crv: 'Ed25519', alg: 'EdDSA', x: Buffer.alloc(32).toString('base64url') };
  const own = cose.detached.verifier({ resolver: { resolve: async () => jwk } });
  await assert.rejects(cose.receipt.inclusion.verify({ entry: await cose.receipt.leaf(entryOf(octets)), receipt: octets, verifier: own }));
});
