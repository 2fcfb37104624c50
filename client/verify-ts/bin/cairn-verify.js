#!/usr/bin/env node
// Verifies receipts against a founding document or a trust file: cairn-verify genesis.json RECEIPT...
import { readFileSync } from 'node:fs';
import { parseTrusted, sentence, statementJSON, verify, VerifyError } from '../dist/index.js';

const json = process.argv[2] === '--json';
const [genesis, ...receipts] = process.argv.slice(json ? 3 : 2);
if (receipts.length === 0) {
  console.error('usage: cairn-verify [--json] genesis.json RECEIPT...');
  process.exit(2);
}
try {
  const trusted = parseTrusted(readFileSync(genesis));
  for (const name of receipts) {
    try {
      const statement = verify(readFileSync(name), trusted);
      console.log(json ? statementJSON(statement) : `${name}: ${sentence(statement)}`);
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
