#!/usr/bin/env node
// Verifies receipts against a founding document or a trust file: cairn-verify genesis.json RECEIPT...
import { readFileSync } from 'node:fs';
import {
  batchSentence, isBatch, parseTrusted, sentence, statementJSON, streamJSON, streamSentence, Trust, verify, verifyBatch, VerifyError, verifyStream,
} from '../dist/index.js';

const json = process.argv[2] === '--json';
const [genesis, ...receipts] = process.argv.slice(json ? 3 : 2);
if (receipts.length === 0) {
  console.error('usage: cairn-verify [--json] genesis.json RECEIPT...');
  process.exit(2);
}
/** What a file of any kind proves: a sentence, or JSON where there is a form of it. */
function proven(file, trusted) {
  if (isBatch(file)) return batchSentence(verifyBatch(file, trusted));
  if (file.subarray(0, 8).toString('latin1') === 'cairn/sp') {
    const trust = trusted instanceof Trust ? trusted : new Trust([{ anchor: trusted, since: 1, seen: 1, atNs: 0n }]);
    const statement = verifyStream(file, trust);
    return json ? streamJSON(statement) : streamSentence(statement);
  }
  const statement = verify(file, trusted);
  return json ? statementJSON(statement) : sentence(statement);
}

try {
  const trusted = parseTrusted(readFileSync(genesis));
  for (const name of receipts) {
    try {
      console.log(`${json ? '' : `${name}: `}${proven(readFileSync(name), trusted)}`);
    } catch (error) {
      if (!(error instanceof VerifyError)) throw error;
      console.error(`${name}: refused: ${error.message}`);
      process.exitCode = 1;
    }
  }
} catch (error) {
  console.error(`cairn-verify: ${error.message}`);
  process.exitCode = 2;
}
