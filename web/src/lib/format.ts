// Numbers and durations as people read them: three significant digits, a unit.

const trim = (s: string) => (s.includes('.') ? s.replace(/\.?0+$/, '') : s);

/** Three significant digits without an exponent. */
export function sig(n: number): string {
  const a = Math.abs(n);
  if (a >= 100 || n === 0) return String(Math.round(n));
  return trim(a >= 10 ? n.toFixed(1) : a >= 1 ? n.toFixed(2) : n.toPrecision(3));
}

/** Microseconds -> "850 µs", "12.3 ms", "1.25 s", "2m 5s", "1h 3m". */
export function formatDuration(us: number): string {
  if (!Number.isFinite(us)) return '–';
  const a = Math.abs(us);
  if (a < 999.5) return `${sig(us)} µs`;
  if (a < 999_500) return `${sig(us / 1000)} ms`;
  if (a < 59.95e6) return `${sig(us / 1e6)} s`;
  const s = Math.round(a / 1e6);
  const sign = us < 0 ? '-' : '';
  if (s < 3600) return `${sign}${Math.floor(s / 60)}m ${s % 60}s`;
  if (s < 86_400) return `${sign}${Math.floor(s / 3600)}h ${Math.floor((s % 3600) / 60)}m`;
  return `${sign}${Math.floor(s / 86_400)}d ${Math.floor((s % 86_400) / 3600)}h`;
}

export const formatSeconds = (s: number) => formatDuration(s * 1e6);

/** "1.2s", "300ms", "2m", "500us" -> microseconds; NaN otherwise. A bare number is refused: it has no unit. */
export function parseDuration(text: string): number {
  const s = text.trim();
  if (!/^(\d+(\.\d+)?\s*(ns|us|µs|ms|s|m|h|d)\s*)+$/.test(s)) return NaN;
  const scale: Record<string, number> = { ns: 1e-3, us: 1, 'µs': 1, ms: 1e3, s: 1e6, m: 60e6, h: 3600e6, d: 86_400e6 };
  let total = 0;
  for (const [, n, unit] of s.matchAll(/(\d+(?:\.\d+)?)\s*(ns|us|µs|ms|s|m|h|d)/g)) total += Number(n) * scale[unit];
  return total;
}

const prefixes: [number, string][] = [[1e12, 'T'], [1e9, 'G'], [1e6, 'M'], [1e3, 'k']];

/** 1234567 -> "1.23M". Small numbers keep their digits; tiny ones get an exponent. */
export function formatNumber(n: number): string {
  if (Number.isNaN(n)) return 'NaN';
  if (!Number.isFinite(n)) return n > 0 ? '+Inf' : '-Inf';
  const a = Math.abs(n);
  if (a !== 0 && a < 1e-4) return n.toExponential(2);
  if (a >= 1e15) return n.toExponential(2);
  for (const [factor, name] of prefixes) if (a >= factor * 0.9995) return sig(n / factor) + name;
  return sig(n);
}

/** Exactly as it came: for tables. */
export const formatExact = (n: number) =>
  Number.isInteger(n) && Math.abs(n) < 1e15 ? n.toLocaleString('en-US') : String(n);

export function formatBytes(n: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let i = 0;
  let v = n;
  for (; Math.abs(v) >= 1024 && i < units.length - 1; i++) v /= 1024;
  return `${sig(v)} ${units[i]}`;
}

/** 0.0123 -> "1.23 %". */
export function formatRatio(r: number): string {
  if (!Number.isFinite(r)) return '–';
  if (r === 0) return '0 %';
  return r < 0.0001 ? '<0.01 %' : `${sig(r * 100)} %`;
}

/** Requests per second; slow services per minute, so that the number says something. */
export function formatRate(perSecond: number): string {
  if (!Number.isFinite(perSecond)) return '–';
  if (perSecond > 0 && perSecond < 0.1) return `${sig(perSecond * 60)}/min`;
  return `${formatNumber(perSecond)}/s`;
}

export const plural = (n: number, one: string, many = `${one}s`) => `${n.toLocaleString('en-US')} ${n === 1 ? one : many}`;

/** Decimal, as an axis is divided. */
const decimalBytes = (n: number) => (n === 0 ? '0' : formatNumber(n).replace(/([kMGT]?)$/, ' $1B'));

/** For charts: how values of a unit are written. */
export function formatterOf(unit: 's' | 'ms' | 'B' | 'B/s' | 'ratio' | ''): (n: number) => string {
  switch (unit) {
    case 's': return (n) => (n === 0 ? '0' : formatSeconds(n));
    case 'ms': return (n) => (n === 0 ? '0' : formatDuration(n * 1000));
    case 'B': return decimalBytes;
    case 'B/s': return (n) => (n === 0 ? '0' : `${decimalBytes(n)}/s`);
    case 'ratio': return formatRatio;
    default: return formatNumber;
  }
}

/** A text that may be of any length, cut where it would fill the page. */
export const shorten = (text: string, max: number) => (text.length > max ? `${text.slice(0, max).replace(/[\uD800-\uDBFF]$/, '')}…` : text);

/** 3600 -> "1 h", 90 -> "90 s": an interval of a configuration. */
export const formatSpan = (s: number) => (s && s % 3600 === 0 ? `${s / 3600} h` : s && s % 60 === 0 ? `${s / 60} min` : s < 1 ? formatSeconds(s) : `${s} s`);

/** Characters that no one sees, or that turn around what stands after them, as escapes. */
export const visible = (text: string) => text.replace(/[\u0000-\u001f\u007f-\u009f\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
  (c) => (c === '\n' ? '\\n' : c === '\t' ? '\\t' : `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`));
