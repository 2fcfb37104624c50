// The page, as one file from the disk and as it is developed, from a server; and the command.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { findChromium, launch } from '../scripts/chromium.mjs';

const root = new URL('../', import.meta.url);
const executable = findChromium();
const skip = executable === undefined && 'Chromium is not installed: the page goes untested';
const published = (name) => JSON.parse(readFileSync(new URL(`../../docs/vectors/${name}.json`, root)));
const vectors = published('receipt');
const { batches, streams } = published('batch');
const exported = published('export');
const held = published('held');
const { erasure } = published('erasure');
const unhex = (text) => Buffer.from(text, 'hex');
const vector = (name) => vectors.receipts.find((receipt) => receipt.name === name);
let [folder, chromium, server] = [];

function file(name, content) {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

before(async () => {
  if (skip) return;
  folder = mkdtempSync(join(tmpdir(), 'page-'));
  chromium = await launch(executable);
});

after(async () => {
  if (skip) return;
  await chromium.close();
  server?.close();
  rmSync(folder, { recursive: true });
});

function genesis() {
  // By power: the log keys of export.json are of the same validators.
  const sorted = vectors.validators.toSorted((a, b) => b.power - a.power);
  const base64 = (text) => unhex(text).toString('base64');
  const validators = sorted.map(({ pubKey, power }, i) => {
    const { name, key } = exported.cosigners[i];
    return { name: name.slice(`${vectors.chainId}/`.length), publicKey: base64(pubKey), power, logKey: base64(key) };
  });
  return JSON.stringify({ chainId: vectors.chainId, validators }, null, 2);
}

/** Chooses a founding document and receipts, and reads what the page says of each, the last one first. */
async function judged(page, files) {
  await page.until('document.body?.dataset.ready === "yes"');
  await page.choose('#genesis input', [file('genesis.json', genesis())]);
  await page.choose('#receipts input', files);
  await page.until(`document.querySelectorAll("article").length === ${files.length}`);
  const cards = '[...document.querySelectorAll("article")].map((card) => [card.className, card.querySelector(".sentence").textContent])';
  return (await page.evaluate(cards)).reverse();
}

test('the one file proves and refuses, and opens no connection', { skip }, async () => {
  const page = await chromium.open(new URL('dist/verify.html', root).href);
  const damaged = unhex(vector('event').binary);
  damaged[300] ^= 1;
  const said = await judged(page, [
    file('value.bin', unhex(vector('state value').binary)),
    file('call.json', vector('call').json),
    file('damaged.bin', damaged),
    file('forged.bin', unhex(vectors.refused.find(({ name }) => name === 'another payload').binary)),
    file('batch.bin', unhex(batches[0].binary)),
    file('event.json', vector('event').json),
  ]);
  assert.deepEqual(said, [
    ['proven', vector('state value').sentence],
    ['proven', vector('call').sentence],
    ['refused', 'This proves nothing: the receipt is damaged: its digest does not match its contents.'],
    ['refused', 'This proves nothing: the validators of the trusted set did not sign this.'],
    ['proven', batches[0].sentence],
    ['proven', vector('event').sentence],
  ]);
  assert.equal(await page.evaluate('performance.getEntriesByType("resource").filter(({ name }) => !name.startsWith("data:")).length'), 0);
  const outside = 'fetch("data:text/plain,x").then(() => "open", () => "closed")';
  assert.equal(await page.evaluate(outside), 'closed');
  if (process.env.SCREENSHOT) writeFileSync(process.env.SCREENSHOT, await page.screenshot());
});

test('the page proves what others read, what is held and what was erased', { skip }, async () => {
  const page = await chromium.open(new URL('dist/verify.html', root).href);
  const cose = exported.receipts.find(({ name }) => name === 'event cose');
  const text = exported.receipts.find(({ name }) => name === 'event tlog-proof');
  const forged = exported.refused.find(({ name }) => name === 'a COSE of two');
  await page.until('document.body?.dataset.ready === "yes"');
  await page.choose('#receipts input', [file('held.json', held.held[1])]);
  await page.until('document.querySelector("#receipts").textContent.includes("Held: held.json")');
  const said = await judged(page, [
    file('event.cose', unhex(cose.cose)), file('event.tlog-proof', text.tlogProof), file('forged.cose', unhex(forged.cose)),
    file('small.bin', unhex(held.receipts[1].binary)), file('erased.json', erasure), file('stream.bin', unhex(streams[0].binary)),
  ]);
  assert.deepEqual(said.map(([verdict]) => verdict), ['proven', 'proven', 'refused', 'proven', 'proven', 'proven']);
  assert.deepEqual([said[0][1], said[1][1], said[2][1], said[3][1]],
    [cose.sentence, text.sentence, `This proves nothing: ${forged.sentence}.`, held.receipts[1].sentence]);
  assert.match(said[4][1], /Its payload was erased on 2025-/);
  if (process.env.SCREENSHOT) writeFileSync(`${process.env.SCREENSHOT}.2.png`, await page.screenshot());
});

test('the command proves and refuses', () => {
  const folder = mkdtempSync(join(tmpdir(), 'command-'));
  const [trusted, good, bad] = ['genesis.json', 'good.json', 'bad.json'].map((name) => join(folder, name));
  writeFileSync(trusted, genesis());
  writeFileSync(good, vector('event').json);
  writeFileSync(bad, vector('event').json.replace('"size":70000', '"size":70001'));
  const run = (...files) => spawnSync(process.execPath, [fileURLToPath(new URL('bin/cairn-verify.js', root)), ...files], { encoding: 'utf8' });
  assert.deepEqual([run(trusted, good).stdout, run(trusted, good).status], [`${good}: ${vector('event').sentence}\n`, 0]);
  assert.deepEqual(JSON.parse(run('--json', trusted, good).stdout), vector('event').statement);
  assert.deepEqual([run(trusted, bad, good).status, run(good, good).status, run(trusted).status], [1, 2, 2]);
  writeFileSync(join(folder, 'batch'), batches[1].json);
  writeFileSync(join(folder, 'stream'), unhex(streams[0].binary));
  assert.equal(run(trusted, join(folder, 'batch')).stdout, `${join(folder, 'batch')}: ${batches[1].sentence}\n`);
  assert.deepEqual(JSON.parse(run('--json', trusted, join(folder, 'stream')).stdout), streams[0].statement);
  assert.deepEqual(JSON.parse(run('--json', trusted, join(folder, 'batch')).stdout).logRoot, batches[1].logRoot);
  const others = ['proof', 'cose', 'erased', 'small'].map((name) => join(folder, name));
  writeFileSync(others[0], exported.receipts.find(({ name }) => name === 'gap tlog-proof').tlogProof);
  writeFileSync(others[1], unhex(exported.receipts.find(({ name }) => name === 'gap cose').cose));
  writeFileSync(others[2], erasure);
  writeFileSync(others[3], unhex(held.receipts[0].binary));
  writeFileSync(join(folder, 'held'), `${held.held[0]}\n`);
  assert.deepEqual([run('--held', join(folder, 'held'), trusted, ...others).status, run(trusted, ...others).status], [0, 1]);
  assert.match(run(trusted, others[3]).stderr, /no checkpoint is held/);
  assert.match(run('--json', trusted, others[2]).stdout, /"erased":\{"reason":"request"/);
  assert.equal(run('--nonsense', trusted, good).status, 2);
  assert.match(run(trusted, bad).stderr, /refused: the receipt is damaged/);
  rmSync(folder, { recursive: true });
});

test('the package has what is needed and no more', () => {
  const { stdout } = spawnSync('npm', ['pack', '--dry-run', '--json', '--ignore-scripts'], { cwd: fileURLToPath(root), encoding: 'utf8' });
  const [{ files }] = JSON.parse(stdout);
  const names = files.map(({ path }) => path).filter((path) => path !== 'LICENSE'); // which packing copies
  assert.deepEqual(names.filter((path) => !/^dist\/\w+\.(js|d\.ts)$/.test(path)).sort(), ['README.md', 'bin/cairn-verify.js', 'package.json']);
});

test('the page from a server', { skip }, async () => {
  const types = { '.html': 'text/html', '.js': 'text/javascript' };
  server = createServer((request, response) => {
    const path = fileURLToPath(new URL(`.${request.url}`, root));
    response.setHeader('Content-Type', types[/\.\w+$/.exec(path)?.[0]] ?? 'text/plain');
    try {
      response.end(readFileSync(path));
    } catch {
      response.writeHead(404).end();
    }
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const page = await chromium.open(`http://127.0.0.1:${server.address().port}/demo/index.html`);
  const said = await judged(page, [file('gap.bin', unhex(vector('gap').binary))]);
  assert.deepEqual(said, [['proven', vector('gap').sentence]]);
});
