// PromQL results as charts and tables want them, and what an expression's text gives away.
import type { Labels, PromSeries } from './api';
import { visible } from './format';

// Words of an expression that are no metrics.
const words = new Set((
  'rate irate increase sum avg min max count topk bottomk quantile stddev group count_values histogram_quantile ' +
  'histogram_avg histogram_count histogram_sum avg_over_time min_over_time max_over_time sum_over_time ' +
  'count_over_time last_over_time quantile_over_time present_over_time delta idelta deriv predict_linear changes ' +
  'resets abs ceil floor round clamp_min clamp_max sqrt exp ln log2 log10 label_replace label_join sort ' +
  'sort_desc time vector scalar absent absent_over_time timestamp by without on ignoring group_left group_right ' +
  'offset and or unless bool'
).split(' '));

/** Prefix first, then anywhere in the name; the shorter the better. */
export function rank(names: string[], word: string, max = 30): string[] {
  const w = word.toLowerCase();
  const score = (n: string) => {
    const at = n.toLowerCase().indexOf(w);
    return at < 0 ? Infinity : at === 0 ? n.length : 1000 + at * 10 + n.length;
  };
  return names.map((n) => [score(n), n] as const).filter(([s]) => s < Infinity).sort((a, b) => a[0] - b[0] || (a[1] < b[1] ? -1 : 1)).slice(0, max).map(([, n]) => n);
}

const pair = (name: string, value: string) => `${name}="${visible(value)}"`;

/** {__name__="up", job="a"} -> up{job="a"} */
export function seriesName(labels: Labels): string {
  const { __name__: name = '', ...rest } = labels;
  const inner = Object.entries(rest).sort(([a], [b]) => (a < b ? -1 : 1)).map(([k, v]) => pair(k, v)).join(', ');
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
    const inner = differs.filter((k) => k !== '__name__' && l[k] !== undefined).sort().map((k) => pair(k, l[k])).join(', ');
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
  const names = (text.match(/[A-Za-z_:][\w:]*/g) ?? []).filter((w) => !words.has(w));
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

/** "B: ... 1:44: parse error: ..." -> that line of the second expression, before and from its 44th byte. */
export function placeOf(message: string, exprs: string[]): { before: string; after: string } | null {
  const m = /^(?:([A-Z]): )?.*?\b(\d+):(\d+): parse error/.exec(message);
  const expr = m && exprs[m[1] ? m[1].charCodeAt(0) - 65 : 0];
  const line = expr?.split('\n')[Number(m![2]) - 1];
  if (line === undefined) return null;
  const bytes = new TextEncoder().encode(line), cut = Math.min(Number(m![3]) - 1, bytes.length), text = new TextDecoder();
  return { before: text.decode(bytes.slice(0, cut)), after: text.decode(bytes.slice(cut)) };
}
