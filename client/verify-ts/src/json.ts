import { latin1 } from './bytes.js';
import { type Check, fail } from './errors.js';
import { decodeRune } from './text.js';

/** A JSON value with what JSON.parse loses: repeated members, their order, where their values stand, and the text of numbers. */
export type Json =
  | { kind: 'object'; members: [name: string, value: Json][]; spans: [start: number, end: number][] }
  | { kind: 'array'; items: Json[] }
  | { kind: 'string'; text: string }
  | { kind: 'number'; text: string }
  | { kind: 'boolean'; value: boolean }
  | { kind: 'null' };

/** How a text is read. */
export interface JsonRules {
  /** Code of a fault. */
  code: Check;
  /** Values may nest so deep; the outermost is at depth 0. */
  depth: number;
  /** Refuse octets that are not UTF-8 and lone surrogates; otherwise they become U+FFFD, as with encoding/json. */
  strict: boolean;
  /** Let more follow the value. */
  prefix?: boolean;
}

/** Reads RFC 8259 text. */
export function parseJSON(text: Uint8Array, rules: JsonRules): Json {
  const parser = new Parser(text, rules);
  parser.space();
  const value = parser.value(0);
  parser.space();
  if (rules.prefix !== true && parser.off !== text.length) parser.fail('more follows the value');
  return value;
}

/** Whether a text is one value, with no space around it and nesting of at most 64. */
export function checkJSON(text: Uint8Array, code: Check): void {
  const parser = new Parser(text, { code, depth: 64, strict: true });
  parser.value(0);
  if (parser.off !== text.length) parser.fail('more follows the value');
}

/** Leaves out the space between a valid text's values. */
export function compactJSON(text: string): string {
  return text.replace(/("[^"\\]*(?:\\.[^"\\]*)*")|[ \t\r\n]+/gs, (_, string?: string) => string ?? '');
}

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const escaped: Record<string, string> = { '"': '"', '\\': '\\', '/': '/', b: '\b', f: '\f', n: '\n', r: '\r', t: '\t' };

class Parser {
  off = 0;

  constructor(
    private readonly text: Uint8Array,
    private readonly rules: JsonRules,
  ) {}

  fail(what: string): never {
    fail(this.rules.code, `JSON, offset ${this.off}: ${what}`);
  }

  space(): void {
    while ([0x20, 0x09, 0x0a, 0x0d].includes(this.text[this.off]!)) this.off++;
  }

  value(depth: number): Json {
    if (depth > this.rules.depth) this.fail(`nested deeper than ${this.rules.depth}`);
    const c = this.char();
    if (c === '{') return this.object(depth);
    if (c === '[') return this.array(depth);
    if (c === '"') return { kind: 'string', text: this.string() };
    if (c === '-' || (c >= '0' && c <= '9')) return this.number();
    for (const [word, value] of words) {
      if (latin1(this.text.subarray(this.off, this.off + word.length)) !== word) continue;
      this.off += word.length;
      return value;
    }
    return this.fail('no value');
  }

  private char(): string {
    return this.off < this.text.length ? String.fromCharCode(this.text[this.off]!) : '';
  }

  private expect(c: string): void {
    if (this.char() !== c) this.fail(`expected ${c}`);
    this.off++;
  }

  private object(depth: number): Json {
    const members: [string, Json][] = [];
    const spans: [number, number][] = [];
    this.expect('{');
    this.space();
    if (this.char() === '}') this.off++;
    else {
      for (;;) {
        this.space();
        const name = this.string();
        this.space();
        this.expect(':');
        this.space();
        const start = this.off;
        members.push([name, this.value(depth + 1)]);
        spans.push([start, this.off]);
        this.space();
        if (this.char() !== ',') break;
        this.off++;
      }
      this.expect('}');
    }
    return { kind: 'object', members, spans };
  }

  private array(depth: number): Json {
    const items: Json[] = [];
    this.expect('[');
    this.space();
    if (this.char() === ']') this.off++;
    else {
      for (;;) {
        this.space();
        items.push(this.value(depth + 1));
        this.space();
        if (this.char() !== ',') break;
        this.off++;
      }
      this.expect(']');
    }
    return { kind: 'array', items };
  }

  private string(): string {
    this.expect('"');
    const pieces: string[] = [];
    for (let start = this.off; ; ) {
      const c = this.text[this.off];
      if (c === undefined) this.fail('text ends early');
      if (c < 0x20) this.fail('control character in a string');
      if (c !== QUOTE && c !== BACKSLASH && c < 0x80) {
        this.off++;
        continue;
      }
      pieces.push(latin1(this.text.subarray(start, this.off)));
      if (c === QUOTE) {
        this.off++;
        return pieces.join('');
      }
      pieces.push(c === BACKSLASH ? this.escape() : this.rune());
      start = this.off;
    }
  }

  private rune(): string {
    const [rune, size] = decodeRune(this.text, this.off);
    if (this.rules.strict && size === 1) this.fail('not UTF-8');
    this.off += size;
    return String.fromCodePoint(rune);
  }

  private escape(): string {
    const c = String.fromCharCode(this.text[this.off + 1] ?? 0);
    if (c !== 'u') {
      const meant = escaped[c];
      if (meant === undefined) this.fail('unknown escape');
      this.off += 2;
      return meant;
    }
    const unit = this.hex4(this.off);
    this.off += 6;
    if (unit < 0xd800 || unit > 0xdfff) return String.fromCharCode(unit);
    if (unit < 0xdc00 && this.text[this.off] === BACKSLASH && this.text[this.off + 1] === 0x75) {
      const low = this.hex4(this.off);
      if (low >= 0xdc00 && low <= 0xdfff) {
        this.off += 6;
        return String.fromCharCode(unit, low);
      }
    }
    if (this.rules.strict) this.fail('surrogate without its pair');
    return '\ufffd';
  }

  private hex4(at: number): number {
    const digits = latin1(this.text.subarray(at + 2, at + 6));
    if (!/^[0-9a-fA-F]{4}$/.test(digits)) this.fail('bad \\u escape');
    return Number.parseInt(digits, 16);
  }

  private number(): Json {
    const start = this.off;
    if (this.char() === '-') this.off++;
    if (this.char() === '0') this.off++;
    else this.digits();
    if (this.char() === '.') {
      this.off++;
      this.digits();
    }
    if (this.char() === 'e' || this.char() === 'E') {
      this.off++;
      if (this.char() === '+' || this.char() === '-') this.off++;
      this.digits();
    }
    return { kind: 'number', text: latin1(this.text.subarray(start, this.off)) };
  }

  private digits(): void {
    const start = this.off;
    while (this.text[this.off]! >= 0x30 && this.text[this.off]! <= 0x39) this.off++;
    if (this.off === start) this.fail('a number needs a digit');
  }
}

const words: [string, Json][] = [
  ['true', { kind: 'boolean', value: true }],
  ['false', { kind: 'boolean', value: false }],
  ['null', { kind: 'null' }],
];
