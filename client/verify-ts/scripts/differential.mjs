// Verifies a corpus that the Go verifier wrote, one case a line, and lists the
// cases in which the two disagree: node scripts/differential.mjs CORPUS
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { parseHeld, parseTrust, parseTrustPath, prove, readTrusted, trustJSON, VerifyError } from '../dist/index.js';

const trusted = new Map();
const refused = new Map();
let [cases, accepted, wrong, verifying] = [0, 0, 0, 0];

/** What this verifier makes of a case: the check that fails, or what is proven. */
function answer(c) {
  const octets = (text) => new Uint8Array(Buffer.from(text ?? '', 'base64'));
  try {
    if (c.path !== undefined) {
      const bound = { nowNs: BigInt(c.now), periodNs: BigInt(c.period) };
      const trust = parseTrust(octets(c.trust)).extend(parseTrustPath(octets(c.path)), bound);
      return { error: '', sentence: '', statement: trustJSON(trust) };
    }
    const trust = c.trust === undefined ? trusted.get(c.anchor) : { blocks: parseTrust(octets(c.trust)) };
    const held = c.held === undefined ? undefined : parseHeld(octets(c.held));
    const start = process.cpuUsage().user;
    const { sentence, json, kind } = prove(octets(c.receipt), { ...trust, held });
    if (kind === 'receipt') [verifying, accepted] = [verifying + process.cpuUsage().user - start, accepted + 1];
    return { error: '', sentence, statement: json };
  } catch (error) {
    if (!(error instanceof VerifyError)) return { error: `not a VerifyError: ${error.stack}` };
    refused.set(error.code, (refused.get(error.code) ?? 0) + 1);
    return { error: error.check, detail: error.message };
  }
}

for await (const line of createInterface({ input: createReadStream(process.argv[2]), crlfDelay: Infinity })) {
  const c = JSON.parse(line);
  if (c.genesis !== undefined) {
    trusted.set(c.anchor, readTrusted(c.genesis));
    continue;
  }
  cases++;
  const got = answer(c);
  const wanted = [c.error, c.sentence, c.statement].join();
  if ([got.error, got.sentence, got.statement].join() !== wanted && ++wrong <= 20) {
    console.log(`${c.name}:\n  Go: ${c.error || c.sentence + c.statement}\n  TypeScript: ${got.detail ?? (got.error || got.sentence + got.statement)}`);
  }
}
const counts = [...refused].sort().map(([code, n]) => `${code} ${n}`).join(', ');
console.log(`${cases} cases, ${wrong} disagreements; ${accepted} receipts accepted in ${(verifying / accepted / 1000).toFixed(2)} ms of processor time each; refused: ${counts}`);
process.exitCode = wrong > 0 ? 1 : 0;
