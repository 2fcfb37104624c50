// Writes dist/verify.html: the page of demo/ with every module in it, so that
// the one file works from a disk, without a server and without a network.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = new URL('../', import.meta.url);
const specifier = /^((?:import|export)\b[^'"(;=]*?\bfrom\s*|import\s*)(['"])([\w@./-]+)\2/gm;
const modules = new Map(); // by address

/** Takes a module and what it imports, and names every import by its address below root. */
function take(address) {
  if (modules.has(address.href)) return;
  modules.set(address.href, '');
  const source = readFileSync(fileURLToPath(address), 'utf8').replace(/^\/\/# sourceMappingURL=.*$/gm, '');
  const imports = [];
  modules.set(address.href, source.replace(specifier, (_, before, quote, name) => {
    const target = name.startsWith('.') ? new URL(name, address) : new URL(`node_modules/${name}`, root);
    imports.push(target);
    return `${before}${quote}${nameOf(target)}${quote}`;
  }));
  imports.forEach(take);
}

function nameOf(address) {
  return `inlined/${address.href.slice(root.href.length)}`;
}

const entry = new URL('dist/index.js', root);
take(entry);
const imports = { '@cairn-ledger/verify': '' };
for (const [href, source] of modules) {
  imports[nameOf(new URL(href))] = `data:text/javascript;base64,${Buffer.from(source).toString('base64')}`;
}
imports['@cairn-ledger/verify'] = imports[nameOf(entry)];
const page = readFileSync(new URL('demo/index.html', root), 'utf8')
  .replace(/(<script type="importmap">)[^]*?(<\/script>)/, (_, open, close) => `${open}${JSON.stringify({ imports })}${close}`)
  .replace("script-src 'self' ", 'script-src ');
writeFileSync(new URL('dist/verify.html', root), page);
console.log(`dist/verify.html: ${modules.size} modules, ${page.length} bytes`);
