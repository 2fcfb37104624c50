#!/usr/bin/env node
// Verifies receipts against a founding document or a trust file: cairn-verify genesis.json RECEIPT...
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { parseHeld, prove, readTrusted, VerifyError } from '../dist/index.js';

const usage = 'usage: cairn-verify [--json] [--held CHECKPOINT] genesis.json RECEIPT...';

function arguments_() {
  try {
    const { values, positionals } = parseArgs({ options: { json: { type: 'boolean' }, held: { type: 'string' } }, allowPositionals: true });
    if (positionals.length >= 2) return { ...values, files: positionals };
  } catch (error) {
    console.error(`cairn-verify: ${error.message}`);
  }
  console.error(usage);
  process.exit(2);
}

const { json, held, files: [genesis, ...receipts] } = arguments_();
try {
  const trusted = readTrusted(readFileSync(genesis));
  if (held !== undefined) trusted.held = parseHeld(readFileSync(held));
  for (const name of receipts) {
    try {
      const proven = prove(readFileSync(name), trusted);
      console.log(json ? proven.json : `${name}: ${proven.sentence}`);
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
