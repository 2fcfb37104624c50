/** What stands for octets that are not UTF-8. */
const replacement = 0xfffd;

/** One character of UTF-8 and its size; size 1 with U+FFFD where there is none. */
export function decodeRune(b: Uint8Array, at: number): [rune: number, size: number] {
  const first = b[at]!;
  if (first < 0x80) return [first, 1];
  const size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || at + size > b.length) return [replacement, 1];
  let rune = first & (0xff >> (size + 1));
  for (let i = 1; i < size; i++) {
    const next = b[at + i]!;
    if (next >> 6 !== 2) return [replacement, 1];
    rune = (rune << 6) | (next & 63);
  }
  const least = size === 2 ? 0x80 : size === 3 ? 0x800 : 0x10000;
  if (rune < least || rune > 0x10ffff || (rune >= 0xd800 && rune <= 0xdfff)) return [replacement, 1];
  return [rune, size];
}

function decode(b: Uint8Array): { text: string; valid: boolean } {
  let text = '';
  let valid = true;
  for (let at = 0; at < b.length; ) {
    const [rune, size] = decodeRune(b, at);
    valid &&= rune !== replacement || size > 1;
    text += String.fromCodePoint(rune);
    at += size;
  }
  return { text, valid };
}

/** The text of UTF-8; undefined where it is not. */
export function utf8(b: Uint8Array): string | undefined {
  const { text, valid } = decode(b);
  return valid ? text : undefined;
}

/** The text of octets, U+FFFD for each that is not UTF-8. */
export function lossy(b: Uint8Array): string {
  return decode(b).text;
}

/** UTF-8; half a surrogate pair becomes U+FFFD. */
export function encode(text: string): Uint8Array {
  const out: number[] = [];
  for (const c of text) {
    let rune = c.codePointAt(0)!;
    if (rune >= 0xd800 && rune <= 0xdfff) rune = replacement;
    if (rune < 0x80) out.push(rune);
    else if (rune < 0x800) out.push(0xc0 | (rune >> 6), 0x80 | (rune & 63));
    else if (rune < 0x10000) out.push(0xe0 | (rune >> 12), 0x80 | ((rune >> 6) & 63), 0x80 | (rune & 63));
    else out.push(0xf0 | (rune >> 18), 0x80 | ((rune >> 12) & 63), 0x80 | ((rune >> 6) & 63), 0x80 | (rune & 63));
  }
  return Uint8Array.from(out);
}

const escapes: Record<string, string> = {
  '"': '\\"', '\\': '\\\\', '\x07': '\\a', '\b': '\\b', '\f': '\\f', '\n': '\\n', '\r': '\\r', '\t': '\\t', '\v': '\\v',
};
const printable = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;

/**
 * Quotes octets as Go's %q does, so that no text of an event can pass for a
 * sentence of this package. Which characters print is the engine's Unicode's.
 */
export function quote(b: Uint8Array): string {
  let text = '"';
  for (let at = 0; at < b.length; ) {
    const [rune, size] = decodeRune(b, at);
    const c = String.fromCodePoint(rune);
    if (rune === replacement && size === 1) text += `\\x${digits(b[at]!, 2)}`;
    else if (escapes[c] !== undefined) text += escapes[c];
    else if (printable.test(c)) text += c;
    else if (rune < 0x20 || rune === 0x7f) text += `\\x${digits(rune, 2)}`;
    else if (rune < 0x10000) text += `\\u${digits(rune, 4)}`;
    else text += `\\U${digits(rune, 8)}`;
    at += size;
  }
  return text + '"';
}

function digits(n: number, width: number): string {
  return n.toString(16).padStart(width, '0');
}

/** A JSON string as Go writes one, without the escapes for HTML. */
export function jsonString(text: string): string {
  return JSON.stringify(text).replace(/[\u2028\u2029]/g, (c) => `\\u${digits(c.charCodeAt(0), 4)}`);
}

/** The same of octets: each that is not UTF-8 becomes \ufffd, escaped. */
export function jsonOctets(b: Uint8Array): string {
  let text = '';
  for (let at = 0; at < b.length; ) {
    const [rune, size] = decodeRune(b, at);
    text += rune === replacement && size === 1 ? '\\ufffd' : jsonString(String.fromCodePoint(rune)).slice(1, -1);
    at += size;
  }
  return `"${text}"`;
}
