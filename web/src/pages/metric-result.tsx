// One or several PromQL answers as a graph with exemplars, and as tables.
import { useMemo } from 'preact/hooks';
import type { Exemplars, PromHistogram, PromResult, PromSeries } from '../lib/api';
import { seriesColor } from '../lib/colors';
import { formatExact, formatNumber, formatterOf, plural, shorten, visible } from '../lib/format';
import { align, seriesName, shortNames, unitOf } from '../lib/promql';
import { utc } from '../lib/store';
import { formatDateTime } from '../lib/time';
import { Empty } from '../ui/basics';
import { Chart, type Mark } from '../ui/chart';

export interface Answer {
  expr: string;
  result: PromResult;
  warnings: string[];
  exemplars: Exemplars[];
  from: number;
  to: number;
  step: number;
}

export const letter = (i: number) => String.fromCharCode(65 + i);
const seriesMax = 200;

const traceId = (labels: Record<string, string>): string | undefined =>
  Object.entries(labels).find(([k, v]) => /^trace_?id$/i.test(k) && /^[0-9a-f]{16,32}$/i.test(v))?.[1];

const gridColumns = 120, gridRows = 24;

/** At most one in each cell of a grid over the range, the latest: more could not be told apart, and would hide the lines. */
function thin(marks: Mark[], from: number, to: number): Mark[] {
  const top = Math.max(...marks.map((m) => m.y), 0), low = Math.min(...marks.map((m) => m.y), 0);
  const seen = new Set<string>();
  return marks.filter((m) => {
    const cell = `${Math.floor(((m.x * 1000 - from) / (to - from)) * gridColumns)} ${Math.floor(((m.y - low) / (top - low || 1)) * gridRows)}`;
    return !seen.has(cell) && seen.add(cell);
  });
}

/** Newest first, of all queries. */
function marksOf(answers: Answer[]): Mark[] {
  const all = answers.flatMap((a) => a.exemplars.flatMap((e) => e.exemplars.map((x): Mark => {
    const id = traceId(x.labels);
    return {
      x: x.timestamp, y: Number(x.value), color: '#f2994a', href: id && `/trace/${id}`,
      title: `${formatNumber(Number(x.value))} ${id ? `trace ${id.slice(0, 16)}` : Object.entries(x.labels).map(([k, v]) => `${k}=${v}`).join(' ')}`,
    };
  }))).filter((m) => Number.isFinite(m.y)).sort((a, b) => b.x - a.x);
  return thin(all, answers[0].from, answers[0].to);
}

function ExemplarList({ marks }: { marks: Mark[] }) {
  const linked = marks.filter((m) => m.href);
  if (!linked.length) return null;
  return (
    <details class="exemplars">
      <summary>{plural(linked.length, 'exemplar')} leading to a trace</summary>
      <ul>{linked.slice(0, 50).map((m, i) => (
        <li key={i}><a class="mono" href={m.href}>{m.href!.slice(7)}</a> <span class="muted">{formatDateTime(m.x * 1000, utc.value, true)}, value {formatNumber(m.y)}</span></li>
      ))}</ul>
    </details>
  );
}

/** A histogram has no single value to draw. */
const NativeNote = ({ n }: { n: number }) => (
  <p class="muted">{plural(n, 'series', 'series')} of native histograms: draw <code>histogram_quantile(0.95, rate(…[5m]))</code>, <code>histogram_avg(…)</code> or <code>histogram_count(…)</code> of them; the table shows their buckets.</p>
);

export function Graph({ answers, stacked, log, exemplars }: { answers: Answer[]; stacked: boolean; log: boolean; exemplars: boolean }) {
  const several = answers.length > 1;
  const { data, total } = useMemo(() => {
    const rows = answers.flatMap((a, i) => (a.result.result as PromSeries[]).map((s) => ({ s, i })));
    const shown = rows.slice(0, seriesMax);
    const first = answers[0];
    const { xs, rows: values } = align(shown.map((r) => r.s), first.from, first.to, first.step);
    const names = answers.map((_, i) => shortNames(shown.filter((r) => r.i === i).map((r) => r.s.metric)));
    const seen = answers.map(() => 0);
    const series = shown.map((r, k) => ({ label: (several ? `${letter(r.i)} ` : '') + names[r.i][seen[r.i]++], color: seriesColor(k), values: values[k] }));
    return { data: { xs, series }, total: rows.length };
  }, [answers]);
  const marks = useMemo(() => (exemplars ? marksOf(answers) : undefined), [answers, exemplars]);
  const units = [...new Set(answers.map((a) => unitOf(a.expr)))];
  if (!total) return <Empty icon="metrics" title="No data in this range">The query is valid, but no series match it.</Empty>;
  const histograms = answers.reduce((n, a) => n + (a.result.result as PromSeries[]).filter((s) => s.histograms && !s.values?.length).length, 0);
  if (histograms === total) return <Empty icon="metrics" title="Native histograms are no lines"><NativeNote n={histograms} /></Empty>;
  return (
    <>
      <Chart xs={data.xs} series={data.series} height={340} format={formatterOf(units.length === 1 ? units[0] : '')} stacked={stacked} log={log} marks={marks}
        label={`Graph of ${plural(total, 'series', 'series')}`} />
      {histograms > 0 && <NativeNote n={histograms} />}
      {marks && <ExemplarList marks={marks} />}
      {marks && !marks.length && <p class="muted">No exemplars in this range: senders attach them to counters and histogram buckets.</p>}
      {total > seriesMax && <p class="muted">Showing the first {seriesMax} of {total} series. The table has all of them.</p>}
    </>
  );
}

const tableMax = 2000;
const bounds = ['(]', '[)', '()', '[]']; // what a bucket's first number means

function Histogram({ h }: { h: PromHistogram }) {
  const count = Number(h.count), top = Math.max(...(h.buckets ?? []).map((b) => Number(b[3])), 0);
  return (
    <details class="histogram">
      <summary>count {formatNumber(count)}, sum {formatNumber(Number(h.sum))}{count > 0 && `, average ${formatNumber(Number(h.sum) / count)}`}</summary>
      <ul>{(h.buckets ?? []).map(([kind, low, high, n], i) => (
        <li key={i}><span>{bounds[kind]?.[0]}{formatNumber(Number(low))}, {formatNumber(Number(high))}{bounds[kind]?.[1]}</span><i style={{ width: `${top ? (Number(n) / top) * 100 : 0}px` }} /><b>{formatNumber(Number(n))}</b></li>
      ))}</ul>
    </details>
  );
}

const sampleLines = 200;

function Value({ r }: { r: PromSeries }) {
  if (r.value) return <>{formatExact(Number(r.value[1]))}</>;
  if (r.histogram) return <Histogram h={r.histogram[1]} />;
  const lines = (r.values ?? []).map(([t, v]) => `${v} @ ${formatDateTime(t * 1000, utc.value, true)}`);
  return <>{lines.slice(-sampleLines).join('\n')}{lines.length > sampleLines && `\n(the last ${sampleLines} of ${lines.length})`}{r.histograms?.map(([t, h]) => <div key={t}>{formatDateTime(t * 1000, utc.value, true)} <Histogram h={h} /></div>)}</>;
}

export function ResultTable({ result, time, testid }: { result: PromResult; time: number; testid?: string }) {
  if (result.resultType === 'scalar' || result.resultType === 'string') {
    const [t, v] = result.result as [number, string];
    return (
      <table class="table" data-testid={testid}><thead><tr><th scope="col">Time</th><th scope="col" class="num">Value</th></tr></thead>
        <tbody><tr><td class="mono">{formatDateTime(t * 1000, utc.value, true)}</td><td class="num mono">{v}</td></tr></tbody></table>
    );
  }
  const rows = result.result as PromSeries[];
  if (!rows.length) return <Empty icon="metrics" title="Empty result">Nothing matches at {formatDateTime(time, utc.value)}.</Empty>;
  const keys = [...new Set(rows.flatMap((r) => Object.keys(r.metric)))].filter((k) => k !== '__name__').sort();
  const wide = keys.length > 8, named = wide || rows.some((r) => r.metric.__name__);
  return (
    <div class="table-scroll" tabIndex={0} role="region" aria-label="Result">
      <table class="table result-table" data-testid={testid}>
        <thead><tr>{named && <th scope="col">{wide ? 'Series' : 'Metric'}</th>}{!wide && keys.map((k) => <th key={k} scope="col">{k}</th>)}<th scope="col" class="num">Value</th></tr></thead>
        <tbody>
          {rows.slice(0, tableMax).map((r, i) => (
            <tr key={i}>{named && <td class="mono series-cell"><bdi>{wide ? shorten(seriesName(r.metric), 1000) : r.metric.__name__ ?? '–'}</bdi></td>}
              {!wide && keys.map((k) => <td key={k} class="mono"><bdi title={(r.metric[k] ?? '').length > 200 ? r.metric[k] : undefined}>{visible(shorten(r.metric[k] ?? '', 200))}</bdi></td>)}<td class="num mono strong pre"><Value r={r} /></td></tr>
          ))}
        </tbody>
      </table>
      {rows.length > tableMax && <p class="muted pad">Showing {tableMax} of {rows.length} rows.</p>}
    </div>
  );
}
