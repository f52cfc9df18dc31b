// The metrics explorer: one PromQL expression as a graph and as a table.
import { useEffect, useMemo, useState } from 'preact/hooks';
import { promInstant, promRange, promValues, useResource, type PromResult, type PromSeries } from '../lib/api';
import { seriesColor } from '../lib/colors';
import { formatExact, formatterOf, plural } from '../lib/format';
import { align, seriesName, shortNames, startersFor, unitOf } from '../lib/promql';
import { currentRange, place, range, refreshTick, setQuery, utc } from '../lib/store';
import { formatDateTime, niceStep } from '../lib/time';
import { Button, Card, Empty, ErrorBox, PageHead, Progress, Spinner, Tabs } from '../ui/basics';
import { Chart } from '../ui/chart';
import { PromqlBox } from '../ui/editor';
import { RangePicker } from '../ui/range';

const seriesMax = 200;
interface Answer { result: PromResult; warnings: string[]; from: number; to: number; step: number; ms: number }

function Graph({ answer, expr }: { answer: Answer; expr: string }) {
  const series = answer.result.result as PromSeries[];
  const shown = series.slice(0, seriesMax);
  const data = useMemo(() => {
    const { xs, rows } = align(shown, answer.from, answer.to, answer.step);
    const labels = shortNames(shown.map((s) => s.metric));
    return { xs, series: rows.map((values, i) => ({ label: labels[i], color: seriesColor(i), values })) };
  }, [answer]);
  if (!series.length) return <Empty icon="metrics" title="No data in this range">The query is valid, but no series match it.</Empty>;
  return (
    <>
      <Chart xs={data.xs} series={data.series} height={340} format={formatterOf(unitOf(expr))} label={`Graph of ${plural(series.length, 'series', 'series')}`} />
      {series.length > seriesMax && <p class="muted">Showing the first {seriesMax} of {series.length} series. The table has all of them.</p>}
    </>
  );
}

const tableMax = 2000;

function ResultTable({ result, time }: { result: PromResult; time: number }) {
  if (result.resultType === 'scalar' || result.resultType === 'string') {
    const [t, v] = result.result as [number, string];
    return (
      <table class="table" data-testid="result-table"><thead><tr><th scope="col">Time</th><th scope="col" class="num">Value</th></tr></thead>
        <tbody><tr><td class="mono">{formatDateTime(t * 1000, utc.value, true)}</td><td class="num mono">{v}</td></tr></tbody></table>
    );
  }
  const rows = result.result as PromSeries[];
  if (!rows.length) return <Empty icon="metrics" title="Empty result">Nothing matches at {formatDateTime(time, utc.value)}.</Empty>;
  const keys = [...new Set(rows.flatMap((r) => Object.keys(r.metric)))].filter((k) => k !== '__name__').sort();
  const wide = keys.length > 8;
  const text = (r: PromSeries) =>
    r.value ? formatExact(Number(r.value[1])) : r.histogram ? `count ${r.histogram[1].count}, sum ${r.histogram[1].sum}` : r.values?.map(([t, v]) => `${v} @${t}`).join('\n') ?? '';
  return (
    <div class="table-scroll" tabIndex={0} role="region" aria-label="Result">
      <table class="table" data-testid="result-table">
        <thead><tr><th scope="col">{wide ? 'Series' : 'Metric'}</th>{!wide && keys.map((k) => <th key={k} scope="col">{k}</th>)}<th scope="col" class="num">Value</th></tr></thead>
        <tbody>
          {rows.slice(0, tableMax).map((r, i) => (
            <tr key={i}><td class="mono">{wide ? seriesName(r.metric) : r.metric.__name__ ?? '–'}</td>
              {!wide && keys.map((k) => <td key={k} class="mono">{r.metric[k] ?? ''}</td>)}<td class="num mono strong pre">{text(r)}</td></tr>
          ))}
        </tbody>
      </table>
      {rows.length > tableMax && <p class="muted pad">Showing {tableMax} of {rows.length} rows.</p>}
    </div>
  );
}

function Starters({ onPick }: { onPick: (expr: string) => void }) {
  const { data, loading } = useResource((signal) => promValues('__name__', signal), []);
  const offered = startersFor(data ?? []);
  const plain = offered.length ? [] : (data ?? []).slice(0, 6);
  if (!data && loading) return <div class="center"><Spinner /></div>;
  if (!data?.length) return <Empty icon="metrics" title="No metrics yet">Send some by OTLP or remote write, or scrape a target: <a href="/">how to</a>.</Empty>;
  return (
    <div class="starters">
      <p class="muted">Write an expression, or begin with one of these. {plural(data.length, 'metric')} to ask for; suggestions come as you type.</p>
      <ul>
        {offered.map((s) => <li key={s.expr}><button type="button" class="starter" onClick={() => onPick(s.expr)}><b>{s.title}</b><code>{s.expr}</code></button></li>)}
        {plain.map((n) => <li key={n}><button type="button" class="starter" onClick={() => onPick(n)}><code>{n}</code></button></li>)}
      </ul>
    </div>
  );
}

export function Metrics() {
  const query = place.value.query;
  const expr = query.get('expr') ?? '';
  const tab = query.get('tab') === 'table' ? 'table' : 'graph';
  const [text, setText] = useState(expr);
  const [turn, setTurn] = useState(0);
  useEffect(() => setText(expr), [expr]);
  const run = () => {
    if (text.trim() === expr) setTurn(turn + 1);
    else setQuery({ expr: text.trim() || null });
  };
  const load = async (signal: AbortSignal): Promise<Answer> => {
    const r = currentRange();
    const begun = performance.now();
    const step = niceStep(r.to - r.from, 240);
    const from = Math.floor(r.from / 1000 / step) * step * 1000;
    const answer = tab === 'graph' ? await promRange(expr, from, r.to, step, signal) : await promInstant(expr, r.to, signal);
    return { result: answer.data, warnings: [...(answer.warnings ?? []), ...(answer.infos ?? [])], from, to: r.to, step, ms: performance.now() - begun };
  };
  const { data, error, loading } = useResource(expr ? load : null, [expr, tab, range.value.from, range.value.to, refreshTick.value, turn]);
  const matches = data && (tab === 'graph') === (data.result.resultType === 'matrix');
  const count = matches && Array.isArray(data.result.result) && data.result.resultType !== 'scalar' ? data.result.result.length : 0;
  return (
    <>
      <PageHead title="Metrics"><RangePicker /></PageHead>
      <div class="query-row">
        <PromqlBox label="PromQL" value={expr} placeholder="A PromQL expression, such as sum by (job) (rate(http_requests_total[5m]))" onInput={setText} onRun={run} />
        <Button kind="primary" icon="play" onClick={run}>Run query</Button>
      </div>
      {error && expr && <ErrorBox error={error} />}
      {!error && data?.warnings.map((w) => <p key={w} class="note">{w}</p>)}
      <Card class="card-result" title={
        <Tabs label="View" tabs={[['graph', 'Graph'], ['table', 'Table']]} value={tab} onChange={(t) => setQuery({ tab: t === 'table' ? t : null }, true)} />
      } actions={matches && expr ? <span class="muted small">{plural(count, 'series', 'series')}{tab === 'graph' && `, step ${data.step}s`}, {Math.round(data.ms)} ms</span> : undefined}>
        <Progress on={loading} />
        {!expr && <Starters onPick={(e) => { setText(e); setQuery({ expr: e }); }} />}
        {expr && !data && loading && <div class="center"><Spinner /></div>}
        {expr && !data && error && <Empty icon="warn" title="No result">The expression could not be evaluated.</Empty>}
        {expr && matches && (tab === 'graph' ? <Graph answer={data} expr={expr} /> : <ResultTable result={data.result} time={data.to} />)}
      </Card>
    </>
  );
}
