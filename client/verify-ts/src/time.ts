const second = 1_000_000_000n;
const day = 86_400;

/** The seconds before or at a time, and the nanoseconds since. */
export function split(timeNs: bigint): [seconds: bigint, nanos: number] {
  let nanos = timeNs % second;
  if (nanos < 0n) nanos += second;
  return [(timeNs - nanos) / second, Number(nanos)];
}

/** RFC 3339 in UTC, with so many digits of a second as are needed. */
export function stamp(timeNs: bigint): string {
  const [seconds, nanos] = split(timeNs);
  const fraction = String(nanos).padStart(9, '0').replace(/0+$/, '');
  return `${civil(Number(seconds))}${fraction === '' ? '' : `.${fraction}`}Z`;
}

/** RFC 3339 in UTC with nine digits: a receipt's way to write a time. */
export function stampNine(timeNs: bigint): string {
  const [seconds, nanos] = split(timeNs);
  return `${civil(Number(seconds))}.${String(nanos).padStart(9, '0')}Z`;
}

/** Reads what stampNine writes, wrapped into 64 bits; undefined where it is no such time. */
export function parseNine(text: string): bigint | undefined {
  // Go's layout lets an hour have one digit and a comma stand for the point.
  const found = /^(\d{4})-(\d\d)-(\d\d)T(\d\d?):(\d\d):(\d\d)[.,](\d{9})Z$/.exec(text);
  if (found === null) return undefined;
  const [year, month, dayOfMonth, hours, minutes, seconds, nanos] = found.slice(1).map(Number) as [number, number, number, number, number, number, number];
  if (month < 1 || month > 12 || dayOfMonth < 1 || dayOfMonth > daysIn(year, month)) return undefined;
  if (hours > 23 || minutes > 59 || seconds > 59) return undefined;
  const at = daysSinceEpoch(year, month, dayOfMonth) * day + hours * 3600 + minutes * 60 + seconds;
  return BigInt.asIntN(64, BigInt(at) * second + BigInt(nanos));
}

/** Reads RFC 3339 of at most nanoseconds; undefined where it is no such time. */
export function parseTime(text: string): bigint | undefined {
  const found = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(?:Z|([+-])(\d\d):(\d\d))$/.exec(text);
  if (found === null) return undefined;
  const [, whole, fraction = '', sign, hours = '0', minutes = '0'] = found;
  const at = parseNine(`${whole}.${fraction.padEnd(9, '0')}Z`);
  const offset = BigInt(Number(hours) * 3600 + Number(minutes) * 60) * second;
  return at === undefined || Number(hours) > 23 || Number(minutes) > 59 ? undefined : sign === '-' ? at + offset : at - offset;
}

function daysIn(year: number, month: number): number {
  if (month === 2) return year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0) ? 29 : 28;
  return [4, 6, 9, 11].includes(month) ? 30 : 31;
}

/** Days from 1970-01-01 in the proleptic Gregorian calendar; years begin in March, so that the leap day comes last. */
function daysSinceEpoch(year: number, month: number, dayOfMonth: number): number {
  const y = month <= 2 ? year - 1 : year;
  const m = month <= 2 ? month + 12 : month;
  const inYear = Math.floor((153 * (m - 3) + 2) / 5) + dayOfMonth - 1;
  return y * 365 + Math.floor(y / 4) - Math.floor(y / 100) + Math.floor(y / 400) + inYear - 719_468;
}

/** Date and time of day; exact for any number of seconds that is. */
function civil(unixSeconds: number): string {
  const days = Math.floor(unixSeconds / day);
  const left = unixSeconds - days * day;
  const z = days + 719_468;
  const era = Math.floor(z / 146_097);
  const inEra = z - era * 146_097;
  const yearOfEra = Math.floor((inEra - Math.floor(inEra / 1460) + Math.floor(inEra / 36_524) - Math.floor(inEra / 146_096)) / 365);
  const inYear = inEra - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const m = Math.floor((5 * inYear + 2) / 153);
  const month = m < 10 ? m + 3 : m - 9;
  const year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0);
  const two = (n: number) => String(n).padStart(2, '0');
  return (
    `${String(year).padStart(4, '0')}-${two(month)}-${two(inYear - Math.floor((153 * m + 2) / 5) + 1)}` +
    `T${two(Math.floor(left / 3600))}:${two(Math.floor(left / 60) % 60)}:${two(left % 60)}`
  );
}
