// Spoils sound receipts of every kind and format in every small way, and lists those that are not refused:
// node scripts/spoil.mjs FILE. The first line of the file is the founding document, as JSON text; each other one a receipt.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { parseHeld, prove, readTrusted, VerifyError } from '../dist/index.js';

const [first, ...lines] = readFileSync(process.argv[2], 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line));
const founded = readTrusted(first.genesis);
let [refused, wrong] = [0, 0];

/** What a file proves; undefined where it is refused. */
function proven(file, trusted) {
  try {
    return prove(file, trusted);
  } catch (error) {
    if (error instanceof VerifyError) return undefined;
    throw error;
  }
}

/** An absence is proven by a path that many keys share: another absent key is no forgery. */
function sameAbsence(found, sound) {
  return found.kind === 'receipt' && found.statement.state?.exists === false && sound.statement.state?.exists === false &&
    found.statement.state.root === sound.statement.state.root;
}

function* spoilt({ octets, digest, stride, name }) {
  const flipped = (bit) => {
    const copy = octets.slice();
    copy[bit >> 3] ^= 0x80 >> (bit & 7);
    return copy;
  };
  const start = [...name].reduce((sum, c) => sum + c.charCodeAt(0), 0) % stride;
  for (let bit = start; bit < 8 * octets.length; bit += stride) yield [`bit ${bit} flipped`, flipped(bit)];
  for (let n = 0; n < octets.length; n++) yield [`cut to ${n}`, octets.subarray(0, n)];
  for (let at = 0; at < octets.length; at += stride) yield [`octet ${at} left out`, Buffer.concat([octets.subarray(0, at), octets.subarray(at + 1)])];
  for (const more of [0, 0x0a, 0x20, octets.at(-1)]) yield [`${more} behind it`, Buffer.concat([octets, Buffer.from([more])])];
  if (!digest) return;
  for (let bit = start; bit < 8 * (octets.length - 8); bit += 4 * stride) {
    const copy = flipped(bit);
    createHash('sha256').update(copy.subarray(0, -8)).digest().copy(copy, copy.length - 8, 0, 8);
    yield [`bit ${bit} flipped, the digest renewed`, copy];
  }
}

for (const { name, form, held, digest, stride } of lines) {
  const octets = Buffer.from(form, 'base64');
  const trusted = held === undefined ? founded : { ...founded, held: parseHeld(held) };
  const sound = prove(octets, trusted);
  for (const [how, file] of spoilt({ octets, digest, stride, name })) {
    const found = proven(file, trusted);
    if (found === undefined || sameAbsence(found, sound)) refused++;
    else if (++wrong <= 20) console.log(`${name}, ${how}: ${found.sentence}`);
  }
}
console.log(`${lines.length} receipts spoilt in ${refused + wrong} ways, ${wrong} not refused`);
process.exitCode = wrong > 0 ? 1 : 0;
