// Suggestions while a PromQL query is written, and series as the chart wants them.
import type { Labels, PromSeries } from './api';

export interface Suggestion {
  text: string; // what replaces the word
  kind: 'metric' | 'function' | 'label' | 'value' | 'keyword';
  info?: string;
}

export interface Context {
  kind: 'name' | 'label' | 'value' | 'none';
  word: string;
  from: number; // where the word begins
  label?: string; // for values
}

export const functions: Record<string, string> = {
  rate: 'per-second rate of a counter', irate: 'rate of the last two samples', increase: 'growth of a counter',
  sum: 'sum over labels', avg: 'mean over labels', min: 'least', max: 'greatest', count: 'number of series', topk: 'k largest', bottomk: 'k smallest',
  quantile: 'quantile over series', stddev: 'standard deviation', group: '1 for each group', count_values: 'count equal values',
  histogram_quantile: 'quantile from buckets', histogram_avg: 'mean of a native histogram', histogram_count: 'count of a native histogram', histogram_sum: 'sum of a native histogram',
  avg_over_time: 'mean in the window', min_over_time: 'least in the window', max_over_time: 'greatest in the window', sum_over_time: 'sum of the window',
  count_over_time: 'samples in the window', last_over_time: 'last in the window', quantile_over_time: 'quantile of the window', present_over_time: '1 when there are samples',
  delta: 'difference of a gauge', idelta: 'difference of the last two', deriv: 'slope of a gauge', predict_linear: 'value at a later time', changes: 'number of changes', resets: 'resets of a counter',
  abs: 'absolute value', ceil: 'round up', floor: 'round down', round: 'round', clamp_min: 'at least', clamp_max: 'at most', sqrt: 'square root', exp: 'e to the power', ln: 'natural logarithm', log2: 'binary logarithm', log10: 'decimal logarithm',
  label_replace: 'new label by regex', label_join: 'join labels', sort: 'sort ascending', sort_desc: 'sort descending', time: 'time of evaluation', vector: 'scalar as a vector', scalar: 'vector as a scalar', absent: '1 when nothing matches', absent_over_time: '1 when nothing matched', timestamp: 'time of the sample',
};
const keywords = ['by', 'without', 'on', 'ignoring', 'group_left', 'group_right', 'offset', 'and', 'or', 'unless', 'bool'];

/** What is being written at the cursor. */
export function contextAt(text: string, cursor: number): Context {
  const none: Context = { kind: 'none', word: '', from: cursor };
  let quote = '';
  let quoteAt = 0;
  let brace = -1;
  let group = -1;
  for (let i = 0; i < cursor; i++) {
    const c = text[i];
    if (quote) {
      if (c === '\\' && quote !== '`') i++;
      else if (c === quote) quote = '';
    } else if (c === '"' || c === "'" || c === '`') {
      quote = c;
      quoteAt = i;
    } else if (c === '{') brace = i;
    else if (c === '}') brace = -1;
    else if (c === '(') group = /\b(by|without|on|ignoring|group_left|group_right)\s*$/.test(text.slice(0, i)) ? i : -1;
    else if (c === ')') group = -1;
    else if (c === '#') return none;
  }
  if (quote) {
    const label = brace >= 0 && /([A-Za-z_]\w*)\s*(=~|!~|!=|=)\s*$/.exec(text.slice(brace + 1, quoteAt));
    return label ? { kind: 'value', word: text.slice(quoteAt + 1, cursor), from: quoteAt + 1, label: label[1] } : none;
  }
  const word = /[A-Za-z_:][\w:]*$/.exec(text.slice(0, cursor))?.[0] ?? '';
  const from = cursor - word.length;
  if (brace >= 0 || group >= 0) return { kind: 'label', word, from };
  if (/[\d.]$/.test(text.slice(0, from)) || /\[[^\]]*$/.test(text.slice(0, from))) return none;
  return { kind: 'name', word, from };
}

/** The metric whose selector the cursor is in, to narrow labels and values. */
export function metricAt(text: string, cursor: number): string | null {
  const brace = text.lastIndexOf('{', cursor);
  return brace < 0 ? null : /([A-Za-z_:][\w:]*)\s*$/.exec(text.slice(0, brace))?.[1] ?? null;
}

/** Prefix first, then anywhere in the name; the shorter the better. */
export function rank(names: string[], word: string, max = 30): string[] {
  const w = word.toLowerCase();
  const score = (n: string) => {
    const at = n.toLowerCase().indexOf(w);
    return at < 0 ? Infinity : at === 0 ? n.length : 1000 + at * 10 + n.length;
  };
  return names.map((n) => [score(n), n] as const).filter(([s]) => s < Infinity).sort((a, b) => a[0] - b[0] || (a[1] < b[1] ? -1 : 1)).slice(0, max).map(([, n]) => n);
}

export function suggestNames(word: string, metrics: string[], metadata: Record<string, { type: string; help: string }[]>): Suggestion[] {
  if (!word) return [];
  const found: Suggestion[] = rank(metrics, word).map((text) => {
    const m = metadata[text]?.[0];
    return { text, kind: 'metric', info: m ? [m.type, m.help].filter(Boolean).join(' – ') : undefined };
  });
  const fns: Suggestion[] = rank(Object.keys(functions), word, 8).filter((f) => f.startsWith(word)).map((text) => ({ text, kind: 'function', info: functions[text] }));
  const words: Suggestion[] = keywords.filter((k) => k.startsWith(word) && k !== word).map((text) => ({ text, kind: 'keyword' }));
  return [...fns, ...words, ...found].filter((s) => s.text !== word).slice(0, 30);
}

/** {__name__="up", job="a"} -> up{job="a"} */
export function seriesName(labels: Labels): string {
  const { __name__: name = '', ...rest } = labels;
  const inner = Object.entries(rest).sort(([a], [b]) => (a < b ? -1 : 1)).map(([k, v]) => `${k}="${v}"`).join(', ');
  return inner ? `${name}{${inner}}` : name || '{}';
}

/** Only the labels that tell the series apart, when there are several. */
export function shortNames(list: Labels[]): string[] {
  if (list.length < 2) return list.map(seriesName);
  const keys = [...new Set(list.flatMap((l) => Object.keys(l)))];
  const differs = keys.filter((k) => new Set(list.map((l) => l[k])).size > 1);
  if (!differs.length) return list.map(seriesName);
  const short = list.map((l) => {
    const name = differs.includes('__name__') ? l.__name__ ?? '' : '';
    const inner = differs.filter((k) => k !== '__name__' && l[k] !== undefined).sort().map((k) => `${k}="${l[k]}"`).join(', ');
    return name ? (inner ? `${name}{${inner}}` : name) : `{${inner}}`;
  });
  return new Set(short).size === short.length ? short : list.map(seriesName);
}

/** A matrix on one grid of times; holes are null. */
export function align(series: PromSeries[], from: number, to: number, step: number): { xs: number[]; rows: (number | null)[][] } {
  const first = from / 1000;
  const n = Math.max(1, Math.floor((to / 1000 - first) / step + 1e-6) + 1);
  const xs = Array.from({ length: n }, (_, i) => Math.round((first + i * step) * 1000) / 1000);
  const rows = series.map((s) => {
    const row: (number | null)[] = new Array<number | null>(n).fill(null);
    for (const [t, v] of s.values ?? []) {
      const i = Math.round((t - first) / step);
      const value = Number(v);
      if (i >= 0 && i < n && Number.isFinite(value)) row[i] = value;
    }
    return row;
  });
  return { xs, rows };
}

export interface Starter { title: string; expr: string }

const starters: [string, string, string][] = [ // title, the metric it needs, expression ("$" is the metric)
  ['Requests per second, by service', 'http_requests_total', 'sum by (job) (rate($[5m]))'],
  ['Requests per second, by service', 'http_server_request_duration_seconds_count', 'sum by (job) (rate($[5m]))'],
  ['Share of failed requests, by service', 'http_requests_total', 'sum by (job) (rate(${status=~"5.."}[5m])) / sum by (job) (rate($[5m]))'],
  ['p95 of requests, by service', 'http_server_request_duration_seconds_bucket', 'histogram_quantile(0.95, sum by (job, le) (rate($[5m])))'],
  ['p95 of requests, by service', 'http_request_duration_seconds_bucket', 'histogram_quantile(0.95, sum by (job, le) (rate($[5m])))'],
  ['p95 of model calls, by model', 'gen_ai_client_operation_duration_seconds_bucket', 'histogram_quantile(0.95, sum by (gen_ai_request_model, le) (rate($[5m])))'],
  ['Time to first token, p95 by model', 'gen_ai_server_time_to_first_token_seconds_bucket', 'histogram_quantile(0.95, sum by (gen_ai_request_model, le) (rate($[5m])))'],
  ['Tokens per second, by model', 'gen_ai_client_token_usage_sum', 'sum by (gen_ai_request_model) (rate($[5m]))'],
  ['Cost per hour in USD, by model', 'cost_usd_total', 'sum by (model) (rate($[5m])) * 3600'],
  ['Jobs waiting, by queue', 'queue_depth', 'sum by (queue) ($)'],
  ['Targets that are up', 'up', 'sum by (job) ($)'],
  ['Memory by container', 'container_memory_working_set_bytes', 'sum by (container) ($)'],
  ['CPU used, by instance', 'node_cpu_seconds_total', '1 - avg by (instance) (rate(${mode="idle"}[5m]))'],
  ['Memory by process', 'process_resident_memory_bytes', 'sum by (job) ($)'],
  ['Samples received per second', 'meerkat_metrics_samples_total', 'sum(rate($[5m]))'],
];

/** Queries worth beginning with, given the metrics that exist: at most eight, one for each question. */
export function startersFor(metrics: string[]): Starter[] {
  const known = new Set(metrics);
  const out: Starter[] = [];
  for (const [title, metric, expr] of starters)
    if (known.has(metric) && !out.some((s) => s.title === title)) out.push({ title, expr: expr.replaceAll('$', metric) });
  return out.slice(0, 8);
}

export type Unit = 's' | 'ms' | 'B' | 'B/s' | 'ratio' | '';

/** The unit of an expression's values where its metrics' names leave no doubt. */
export function unitOf(expr: string): Unit {
  const text = expr.replace(/"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'|\{[^}]*\}|\[[^\]]*\]|\b(by|without|on|ignoring)\s*\([^)]*\)/g, ' ');
  if (/[-+*/%^]|\b(and|or|unless|count|count_values|group|stddev|stdvar|timestamp|deriv|histogram_count|count_over_time|changes|resets|absent)\b|[<>]|[=!]=/.test(text)) return '';
  const names = (text.match(/[A-Za-z_:][\w:]*/g) ?? []).filter((w) => !(w in functions) && !keywords.includes(w));
  const rate = /\b(rate|irate)\b/.test(text), quantile = /\bhistogram_(quantile|avg)\b/.test(text);
  const unit = (name: string): Unit => {
    const base = name.replace(/_(bucket|sum|total)$/, '').replace(/_(average|p\d+|max|min)$/, '');
    const counts = /_(count|total|bucket|sum)$/.test(name) || rate;
    if (/_bytes$/.test(base)) return rate ? 'B/s' : /_bucket$/.test(name) && !quantile ? '' : 'B';
    if (/_(ratio|utilization)$/.test(base)) return counts ? '' : 'ratio';
    if (/_time_seconds$|_timestamp/.test(base) || (counts && !quantile)) return '';
    return /_seconds$/.test(base) ? 's' : /_milliseconds$/.test(base) ? 'ms' : '';
  };
  const units = new Set(names.map(unit));
  return units.size === 1 ? [...units][0] : '';
}
