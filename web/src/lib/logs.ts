// Loki's streams as flat lines, levels, and small edits of LogQL text.
import type { Level } from './colors';

export interface LogLine {
  ns: string; // nanoseconds since the epoch, exact
  ms: number;
  text: string;
  labels: Record<string, string>;
  level: Level;
  key: string;
}

export interface LokiStream {
  stream: Record<string, string>;
  values: [string, string, ({ structuredMetadata?: Record<string, string>; parsed?: Record<string, string> } |
    Record<string, string>)?][];
}

const levels: Record<string, Level> = {
  critical: 'critical', fatal: 'critical', crit: 'critical', alert: 'critical', emerg: 'critical', emergency: 'critical', panic: 'critical',
  error: 'error', err: 'error', eror: 'error', severe: 'error',
  warn: 'warn', warning: 'warn', info: 'info', information: 'info', informational: 'info', notice: 'info',
  debug: 'debug', dbug: 'debug', trace: 'trace',
};

export function levelOf(name: string | undefined): Level {
  return (name && levels[name.toLowerCase()]) || 'unknown';
}

/** From labels first, then from the first words of the line. */
export function detectLevel(labels: Record<string, string>, text: string): Level {
  for (const key of ['level', 'detected_level', 'severity', 'severity_text', 'lvl', 'loglevel']) {
    const level = levelOf(labels[key]);
    if (level !== 'unknown') return level;
  }
  const head = text.slice(0, 300);
  const field = /(?:level|severity|lvl)"?\s*[=:]\s*"?([A-Za-z]+)/i.exec(head);
  if (field) return levelOf(field[1]);
  const word = /\b(FATAL|CRITICAL|ERROR|WARN(?:ING)?|INFO|DEBUG|TRACE)\b/.exec(head);
  return levelOf(word?.[1]);
}

function extra(third: LokiStream['values'][number][2]): Record<string, string> {
  if (!third) return {};
  const { structuredMetadata, parsed } = third as { structuredMetadata?: Record<string, string>; parsed?: Record<string, string> };
  if (typeof structuredMetadata === 'object' || typeof parsed === 'object') return { ...structuredMetadata, ...parsed };
  return third as Record<string, string>;
}

/** All streams' lines, newest first (or oldest first). */
export function flatten(streams: LokiStream[], oldestFirst = false): LogLine[] {
  const out: LogLine[] = [];
  streams.forEach(({ stream, values }, s) => {
    values.forEach((v, i) => {
      const labels = v[2] ? { ...stream, ...extra(v[2]) } : stream;
      out.push({ ns: v[0], ms: Number(v[0].slice(0, -6)), text: v[1], labels, level: detectLevel(labels, v[1]), key: `${v[0]}.${s}.${i}` });
    });
  });
  // Nanoseconds do not fit a double; as text of equal length they compare rightly.
  const order = oldestFirst ? 1 : -1;
  out.sort((a, b) => order * (a.ns.length - b.ns.length || (a.ns < b.ns ? -1 : a.ns > b.ns ? 1 : 0)));
  return out;
}

/** Fields of a line: labels, then what JSON or logfmt in the line says. */
export function parseFields(line: LogLine): { labels: [string, string][]; fields: [string, string][] } {
  const labels = Object.entries(line.labels).sort(([a], [b]) => (a < b ? -1 : 1));
  const fields: [string, string][] = [];
  const text = line.text.trim();
  if (text.startsWith('{')) {
    try {
      flattenJson('', JSON.parse(text), fields);
      return { labels, fields };
    } catch {
      // not JSON after all
    }
  }
  const pairs = [...text.matchAll(/([A-Za-z_][\w.-]*)=("(?:[^"\\]|\\.)*"|[^\s"]+)/g)];
  for (const [, key, value] of pairs) fields.push([key, value.startsWith('"') ? unquote(value) : value]);
  return { labels, fields };
}

function unquote(s: string): string {
  try {
    return JSON.parse(s) as string;
  } catch {
    return s.slice(1, -1);
  }
}

function flattenJson(prefix: string, value: unknown, out: [string, string][]): void {
  if (out.length >= 200) return;
  if (value && typeof value === 'object' && !Array.isArray(value)) {
    for (const [k, v] of Object.entries(value)) flattenJson(prefix ? `${prefix}.${k}` : k, v, out);
  } else {
    out.push([prefix, typeof value === 'string' ? value : JSON.stringify(value)]);
  }
}

/** The trace a line belongs to, wherever its id stands. */
export function traceIdOf(line: LogLine): string | null {
  const { labels, fields } = parseFields(line);
  for (const [key, value] of [...labels, ...fields]) {
    const name = key.toLowerCase().replace(/[^a-z]/g, '');
    if ((name === 'traceid' || name.endsWith('traceid')) && /^[0-9a-f]{16,32}$/i.test(value)) return value.toLowerCase();
  }
  const found = /trace_?id\W{1,4}([0-9a-f]{32}|[0-9a-f]{16})\b/i.exec(line.text);
  return found ? found[1].toLowerCase() : null;
}

const quote = (s: string) => `"${s.replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n')}"`;

/** Puts label="value" (or !=) into the first stream selector; replaces an equal matcher of the same label. */
export function withMatcher(query: string, label: string, op: '=' | '!=', value: string): string {
  const matcher = `${label}${op}${quote(value)}`;
  const open = query.indexOf('{');
  const close = selectorEnd(query, open);
  if (open < 0 || close < 0) return `{${matcher}}${query.trim() ? ` ${query.trim()}` : ''}`;
  const inside = query.slice(open + 1, close);
  const rest = splitMatchers(inside).filter((m) => m.trim() && !(op === '=' && m.trim().startsWith(`${label}=`) && !/^[^=]*=~/.test(m)));
  return `${query.slice(0, open)}{${[...rest.map((m) => m.trim()), matcher].join(', ')}}${query.slice(close + 1)}`;
}

function selectorEnd(query: string, open: number): number {
  if (open < 0) return -1;
  let q = '';
  for (let i = open + 1; i < query.length; i++) {
    const c = query[i];
    if (q) {
      if (c === '\\' && q === '"') i++;
      else if (c === q) q = '';
    } else if (c === '"' || c === '`') q = c;
    else if (c === '}') return i;
  }
  return -1;
}

function splitMatchers(inside: string): string[] {
  const out: string[] = [];
  let q = '';
  let from = 0;
  for (let i = 0; i < inside.length; i++) {
    const c = inside[i];
    if (q) {
      if (c === '\\' && q === '"') i++;
      else if (c === q) q = '';
    } else if (c === '"' || c === '`') q = c;
    else if (c === ',') {
      out.push(inside.slice(from, i));
      from = i + 1;
    }
  }
  out.push(inside.slice(from));
  return out;
}

/** Adds | label="value": for what is no stream label but stands in metadata or was parsed from the line. */
export const withField = (query: string, label: string, op: '=' | '!=', value: string) =>
  `${query.trim()} | ${label}${op}${quote(value)}`;

/** Every stream, by the label most senders set; "" while no stream has a label. */
export function everything(labels: string[]): string {
  const name = ['service_name', 'job', 'app', 'container', 'host'].find((l) => labels.includes(l)) ?? labels[0];
  return name ? `{${name}=~".+"}` : '';
}

/** What a structured line (JSON, logfmt) says in words; null for lines that are words already. */
export function messageOf(text: string): string | null {
  if (!/^\s*\{|^[\w.]+=/.test(text)) return null;
  const found = /"(?:message|msg|body)"\s*:\s*("(?:[^"\\]|\\.)*")/.exec(text) ?? /\b(?:message|msg)=("(?:[^"\\]|\\.)*"|[^\s"]+)/.exec(text);
  if (!found) return null;
  return (found[1].startsWith('"') ? unquote(found[1]) : found[1]) || null;
}

export const sourceOf = (line: LogLine) => line.labels.service_name ?? line.labels.job ?? line.labels.app ?? '';

export interface LogGroup { text: string; source: string; count: number; last: LogLine }

/** Lines that differ only in numbers and ids, counted, the most frequent first. */
export function groupLines(lines: LogLine[]): LogGroup[] {
  const groups = new Map<string, LogGroup>();
  for (const line of lines) {
    const text = messageOf(line.text) ?? line.text;
    const source = sourceOf(line);
    const key = `${source}\n${text.replace(/\b[0-9a-f]{8,}\b/gi, '#').replace(/\d+(\.\d+)?/g, '#')}`;
    const group = groups.get(key);
    if (group) group.count++;
    else groups.set(key, { text, source, count: 1, last: line });
  }
  return [...groups.values()].sort((a, b) => b.count - a.count || b.last.ms - a.last.ms);
}

/** A log query (not one that counts) can be counted over time. */
export const isLogQuery = (query: string) => query.trim().startsWith('{');

export const volumeQuery = (query: string, stepSeconds: number) =>
  `sum by (level, detected_level) (count_over_time(${query.trim()} [${stepSeconds}s]))`;
