// Points in time and ranges as people write them. All times are milliseconds since the epoch.

export interface TimeRange {
  from: string; // "now-1h", "2026-11-20T10:00:00Z", or milliseconds as digits
  to: string;
}

export interface ResolvedRange {
  from: number;
  to: number;
}

const unitMs: Record<string, number> = {
  ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000, M: 2_592_000_000, y: 31_536_000_000,
};

export const quickRanges: [string, string][] = [
  ['now-5m', 'Last 5 minutes'],
  ['now-15m', 'Last 15 minutes'],
  ['now-30m', 'Last 30 minutes'],
  ['now-1h', 'Last 1 hour'],
  ['now-3h', 'Last 3 hours'],
  ['now-6h', 'Last 6 hours'],
  ['now-12h', 'Last 12 hours'],
  ['now-24h', 'Last 24 hours'],
  ['now-2d', 'Last 2 days'],
  ['now-7d', 'Last 7 days'],
  ['now-30d', 'Last 30 days'],
];

/** "1h30m" -> milliseconds; NaN when it is no duration. */
export function parseSpan(text: string): number {
  const s = text.trim();
  if (!/^(\d+(\.\d+)?(ms|[smhdwMy]))+$/.test(s)) return NaN;
  let total = 0;
  for (const [, n, unit] of s.matchAll(/(\d+(?:\.\d+)?)(ms|[smhdwMy])/g)) total += Number(n) * unitMs[unit];
  return total;
}

/** "now", "now-6h", ISO 8601, "2026-11-20 10:00[:00]" (local or UTC), seconds or milliseconds; NaN otherwise. */
export function parseTime(text: string, now: number, utc = false): number {
  const s = text.trim();
  if (s === 'now') return now;
  const relative = /^now([-+])(.+)$/.exec(s);
  if (relative) return now + (relative[1] === '-' ? -1 : 1) * parseSpan(relative[2]);
  if (/^\d{9,10}(\.\d+)?$/.test(s)) return Math.round(Number(s) * 1000);
  if (/^\d{12,14}$/.test(s)) return Number(s);
  const plain = /^(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d)(:\d\d(?:\.\d{1,3})?)?)?$/.exec(s);
  if (plain) return Date.parse(`${plain[1]}T${plain[2] ?? '00:00'}${plain[3] ?? ':00'}${utc ? 'Z' : ''}`);
  return /^\d{4}-\d\d-\d\dT/.test(s) ? Date.parse(s) : NaN;
}

/** Falls back to the last hour when the range makes no sense, so that a broken link still opens. */
export function resolveRange(range: TimeRange, now: number, utc = false): ResolvedRange {
  const from = parseTime(range.from, now, utc);
  const to = parseTime(range.to, now, utc);
  if (!Number.isFinite(from) || !Number.isFinite(to) || from >= to) return { from: now - 3_600_000, to: now };
  return { from, to };
}

const pad = (n: number, width = 2) => String(n).padStart(width, '0');

export interface DateParts {
  year: number; month: number; day: number; hour: number; minute: number; second: number; ms: number;
}

export function dateParts(ms: number, utc: boolean): DateParts {
  const d = new Date(ms);
  return utc
    ? { year: d.getUTCFullYear(), month: d.getUTCMonth() + 1, day: d.getUTCDate(), hour: d.getUTCHours(),
        minute: d.getUTCMinutes(), second: d.getUTCSeconds(), ms: d.getUTCMilliseconds() }
    : { year: d.getFullYear(), month: d.getMonth() + 1, day: d.getDate(), hour: d.getHours(),
        minute: d.getMinutes(), second: d.getSeconds(), ms: d.getMilliseconds() };
}

export function formatDate(ms: number, utc: boolean): string {
  const p = dateParts(ms, utc);
  return `${pad(p.year, 4)}-${pad(p.month)}-${pad(p.day)}`;
}

export function formatClock(ms: number, utc: boolean, withMs = false): string {
  const p = dateParts(ms, utc);
  return `${pad(p.hour)}:${pad(p.minute)}:${pad(p.second)}${withMs ? `.${pad(p.ms, 3)}` : ''}`;
}

export const formatDateTime = (ms: number, utc: boolean, withMs = false) =>
  `${formatDate(ms, utc)} ${formatClock(ms, utc, withMs)}`;

/** "just now", "12 s ago", "3 min ago", "2 h ago", "5 d ago". */
export function formatAgo(ms: number, now: number): string {
  const s = Math.max(0, (now - ms) / 1000);
  if (s < 5) return 'just now';
  if (s < 90) return `${Math.round(s)} s ago`;
  if (s < 5400) return `${Math.round(s / 60)} min ago`;
  if (s < 172_800) return `${Math.round(s / 3600)} h ago`;
  return `${Math.round(s / 86_400)} d ago`;
}

/** What the range is called: a quick range's name, or both ends. */
export function rangeLabel(range: TimeRange, utc: boolean, now: number): string {
  if (range.to === 'now') {
    const quick = quickRanges.find(([from]) => from === range.from);
    if (quick) return quick[1];
    const relative = /^now-(.+)$/.exec(range.from);
    if (relative && Number.isFinite(parseSpan(relative[1]))) return `Last ${relative[1]}`;
  }
  const r = resolveRange(range, now, utc);
  const sameDay = formatDate(r.from, utc) === formatDate(r.to, utc);
  const end = sameDay ? formatClock(r.to, utc) : formatDateTime(r.to, utc);
  return `${formatDateTime(r.from, utc)} to ${end}`;
}

const steps = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 10_800, 21_600, 43_200, 86_400];

/** A round step in seconds that gives about `points` points over the range. */
export function niceStep(rangeMs: number, points: number, minSeconds = 1): number {
  const want = Math.max(rangeMs / 1000 / Math.max(points, 1), minSeconds);
  return steps.find((s) => s >= want) ?? Math.ceil(want / 86_400) * 86_400;
}
