import { base64, compare, latin1 } from './bytes.js';
import { Cursor } from './cursor.js';
import { MAX_RECORD_BYTES } from './entry.js';
import { fail } from './errors.js';
import { checkJSON } from './json.js';
import { encode, lossy, utf8 } from './text.js';
import { stamp } from './time.js';

/** How an event's data came: absent, the text of a JSON value, text, or octets. */
export type DataForm = 'none' | 'json' | 'text' | 'binary';

/** An extension attribute. */
export interface Extension {
  name: string;
  value: boolean | number | string;
}

/** A CloudEvents 1.0 event. The empty string means that an optional attribute is absent. */
export interface Event {
  id: string;
  source: string;
  type: string;
  subject: string;
  dataContentType: string;
  dataSchema: string;
  /** Unix nanoseconds; undefined where the event has no time. */
  timeNs: bigint | undefined;
  extensions: Extension[];
  dataForm: DataForm;
  /** Exactly as submitted. */
  data: Uint8Array;
}

const maxAttributeBytes = 1_024;
const maxExtensions = 32;
const maxExtensionName = 64;
const forms: DataForm[] = ['none', 'json', 'text', 'binary'];
const reserved = ['data', 'data_base64', 'datacontenttype', 'dataschema', 'id', 'source', 'specversion', 'subject', 'time', 'type'];

/** Reads and fully checks a canonical event record. */
export function decodeRecord(record: Uint8Array): Event {
  if (record.length > MAX_RECORD_BYTES) fail('event', `record has ${record.length} bytes, the limit is ${MAX_RECORD_BYTES}`);
  const c = new Cursor(record, 'event');
  const version = c.u8('version');
  if (version !== 1) c.fail(`record version ${version} is not known`);
  const flags = c.u8('flags');
  if ((flags & ~7) !== 0) c.fail(`record flags ${flags} are not known`);
  const attribute = (name: string) => attributeText(name, c.bytes(MAX_RECORD_BYTES, name));
  const e: Event = {
    id: attribute('id'),
    source: attribute('source'),
    type: attribute('type'),
    subject: attribute('subject'),
    dataContentType: attribute('datacontenttype'),
    dataSchema: attribute('dataschema'),
    timeNs: (flags & 1) !== 0 ? BigInt.asIntN(64, c.u64('time')) : undefined,
    extensions: [],
    dataForm: forms[flags >> 1]!,
    data: new Uint8Array(0),
  };
  for (let left = c.uvarint(maxExtensions, 'extensions'); left > 0; left--) e.extensions.push(extension(c));
  if (e.dataForm !== 'none') e.data = c.bytes(MAX_RECORD_BYTES, 'data');
  c.end();
  checkAttributes(e);
  checkData(e);
  return e;
}

function extension(c: Cursor): Extension {
  const name = latin1(c.bytes(MAX_RECORD_BYTES, 'extension name'));
  switch (c.u8('extension kind')) {
    case 1:
      return { name, value: c.flag('extension value') };
    case 2:
      return { name, value: c.u32('extension value') | 0 };
    case 3:
      return { name, value: attributeText(name, c.bytes(MAX_RECORD_BYTES, 'extension value')) };
    default:
      return c.fail('an extension of a kind that is not known');
  }
}

/** Holds the CloudEvents String rules: UTF-8 without control characters and noncharacters. */
function attributeText(name: string, b: Uint8Array): string {
  if (b.length > maxAttributeBytes) fail('event', `attribute ${name} has ${b.length} bytes, the limit is ${maxAttributeBytes}`);
  const text = utf8(b);
  if (text === undefined) fail('event', `attribute ${name} is not UTF-8`);
  for (const c of text) {
    const rune = c.codePointAt(0)!;
    const control = rune < 0x20 || (rune >= 0x7f && rune <= 0x9f);
    if (control || (rune >= 0xfdd0 && rune <= 0xfdef) || (rune & 0xfffe) === 0xfffe) {
      fail('event', `attribute ${name} holds the forbidden character U+${rune.toString(16)}`);
    }
  }
  return text;
}

// RFC 3986, and RFC 2045 section 5.1; what is not ASCII may stand in a URI, since producers send IRIs.
const uriReference = /^(?:%[0-9A-Fa-f]{2}|[A-Za-z0-9\-._~:/?#[\]@!$&'()*+,;=]|[^\x00-\x7f])+$/u;
const scheme = /^[A-Za-z][A-Za-z0-9+.-]*:/;
const token = '[^\\x00-\\x20\\x7f-\\u{10ffff}()<>@,;:\\\\"/[\\]?=]+';
const mediaType = new RegExp(`^${token}/${token}(?:[ \\t]*;[ \\t]*${token}=(?:${token}|"(?:\\\\[^]|[^"\\\\])*"))*$`, 'u');

function checkAttributes(e: Event): void {
  for (const name of ['id', 'source', 'type'] as const) {
    if (e[name] === '') fail('event', `attribute ${name} is required and must not be empty`);
  }
  if (!uriReference.test(e.source)) fail('event', 'source is not a URI reference');
  if (e.dataSchema !== '' && !(scheme.test(e.dataSchema) && uriReference.test(e.dataSchema))) {
    fail('event', 'dataschema is not an absolute URI');
  }
  if (e.dataContentType !== '' && !mediaType.test(e.dataContentType)) fail('event', 'datacontenttype is not a media type');
  let previous = '';
  for (const { name } of e.extensions) {
    if (!/^[a-z0-9]+$/.test(name) || name.length > maxExtensionName) fail('event', 'an extension name is not valid');
    if (reserved.includes(name)) fail('event', `extension name ${name} is reserved`);
    if (compare(encode(previous), encode(name)) >= 0) fail('event', `extension ${name} is repeated or out of order`);
    previous = name;
  }
}

/** Whether a content type declares JSON; an absent one does. */
function isJSONType(contentType: string): boolean {
  const media = contentType.split(';')[0]!.trim().toLowerCase();
  return contentType === '' || media.endsWith('/json') || media.endsWith('+json');
}

/** A JSON string under a type that is not JSON is text, and text never stands under a JSON type: each event has one form. */
function checkData(e: Event): void {
  if (e.dataForm === 'json') {
    checkJSON(e.data, 'event');
    if (e.data[0] === 0x22 && !isJSONType(e.dataContentType)) fail('event', 'a string under a type that is not JSON is text');
  }
  if (e.dataForm === 'text' && (utf8(e.data) === undefined || isJSONType(e.dataContentType))) {
    fail('event', 'text data must be UTF-8 under a datacontenttype that is not JSON');
  }
}

/** A JSON string as the ledger's nodes write it. */
function quoted(text: string): string {
  const body = text.replace(/["\\\x00-\x1f\x7f]/g, (c) =>
    c === '"' || c === '\\' ? `\\${c}` : `\\u00${c.charCodeAt(0).toString(16).padStart(2, '0')}`);
  return `"${body}"`;
}

/** The event in the CloudEvents 1.0 JSON format; data keeps its exact text. */
export function eventJSON(e: Event): string {
  const members = ['"specversion":"1.0"'];
  const put = (name: string, text: string) => members.push(`"${name}":${text}`);
  const named = [['id', e.id], ['source', e.source], ['type', e.type], ['subject', e.subject], ['datacontenttype', e.dataContentType], ['dataschema', e.dataSchema]] as const;
  for (const [name, value] of named) {
    if (value !== '') put(name, quoted(value));
  }
  if (e.timeNs !== undefined) put('time', `"${stamp(e.timeNs)}"`);
  for (const x of e.extensions) put(x.name, typeof x.value === 'string' ? quoted(x.value) : String(x.value));
  if (e.dataForm === 'json') put('data', lossy(e.data));
  if (e.dataForm === 'text') put('data', quoted(lossy(e.data)));
  if (e.dataForm === 'binary') put('data_base64', `"${base64(e.data)}"`);
  return `{${members.join(',')}}`;
}
