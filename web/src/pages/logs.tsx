// The logs explorer: a LogQL query, its volume over time, its lines, one line's fields.
import { useEffect, useMemo, useState } from 'preact/hooks';
import { lokiLabels, lokiRange, lokiValues, useResource, type LokiResult, type PromSeries } from '../lib/api';
import { levelColors, levelOrder, nameColor, seriesColor, type Level } from '../lib/colors';
import { formatBytes, formatNumber, plural } from '../lib/format';
import { everything, flatten, isLogQuery, levelOf, messageOf, parseFields, sourceOf, traceIdOf, volumeQuery, withField, withMatcher, type LogLine, type LokiStream } from '../lib/logs';
import { align, rank, shortNames } from '../lib/promql';
import { currentRange, place, range, rangeQuery, refreshTick, setQuery, utc } from '../lib/store';
import { formatClock, formatDateTime, niceStep } from '../lib/time';
import { breakable, Button, Card, CopyButton, Empty, ErrorBox, PageHead, Progress, Spinner, VirtualList } from '../ui/basics';
import { Bars } from '../ui/bars';
import { Chart, type Series } from '../ui/chart';
import { Icon } from '../ui/icons';
import { QueryBox, type Completion } from '../ui/query';
import { RangePicker } from '../ui/range';

const rowHeight = 24;

/** Labels and values inside the selector. */
async function complete(text: string, cursor: number, signal: AbortSignal): Promise<Completion | null> {
  const before = text.slice(0, cursor);
  const r = currentRange();
  const value = /[{,]\s*([A-Za-z_]\w*)\s*(?:=~|!~|!=|=)\s*"((?:[^"\\]|\\.)*)$/.exec(before);
  if (value) {
    const all = await lokiValues(value[1], r.from, r.to, signal);
    return { from: cursor - value[2].length, to: cursor, items: rank(all, value[2]).filter((v) => v !== value[2]).map((t) => ({ text: t, kind: 'value' as const })) };
  }
  const label = /[{,]\s*([A-Za-z_]\w*)?$/.exec(before);
  if (!label) return null;
  const word = label[1] ?? '';
  const all = await lokiLabels(r.from, r.to, signal);
  return { from: cursor - word.length, to: cursor, items: rank(all, word).filter((v) => v !== word).map((t) => ({ text: t, kind: 'label' as const })) };
}

function LabelBrowser({ query, onPick }: { query: string; onPick: (query: string) => void }) {
  const [label, setLabel] = useState('');
  const names = useResource((signal) => { const r = currentRange(); return lokiLabels(r.from, r.to, signal); }, [range.value.from, range.value.to]);
  const values = useResource(label ? (signal) => { const r = currentRange(); return lokiValues(label, r.from, r.to, signal); } : null, [label, range.value.from]);
  return (
    <Card title="Labels" class="browser">
      {names.error && <ErrorBox error={names.error} retry={names.reload} />}
      {names.data?.length === 0 && <p class="muted">No log line in this time range carries a label.</p>}
      <div class="chips" role="group" aria-label="Label names">
        {names.data?.map((n) => <button key={n} type="button" class="chip mono" aria-pressed={n === label} onClick={() => setLabel(n === label ? '' : n)}>{n}</button>)}
      </div>
      {label && (
        <div class="chips chips-values" role="group" aria-label={`Values of ${label}`}>
          {values.loading && <Spinner />}
          {values.data?.slice(0, 300).map((v) => <button key={v} type="button" class="chip chip-value mono" onClick={() => onPick(withMatcher(query, label, '=', v))}>{v}</button>)}
        </div>
      )}
    </Card>
  );
}

function Line({ line, selected, onSelect }: { line: LogLine; selected: boolean; onSelect: () => void }) {
  const message = messageOf(line.text);
  const source = sourceOf(line);
  return (
    <button type="button" class={`log-line level-${line.level}`} data-testid="log-line" aria-pressed={selected} onClick={onSelect}>
      <span class="log-time">{formatClock(line.ms, utc.value, true)}</span>
      <span class="log-level">{line.level === 'unknown' ? '' : line.level}</span>
      {source && <span class="log-source" title={source}><i class="dot" style={{ background: nameColor(source) }} />{source}</span>}
      <span class="log-text">{message !== null && <b>{message}</b>}<span class={message !== null ? 'log-raw' : ''}>{line.text}</span></span>
    </button>
  );
}

function Fields({ title, rows, onFilter }: { title: string; rows: [string, string][]; onFilter?: (label: string, op: '=' | '!=', value: string) => void }) {
  if (!rows.length) return null;
  return (
    <section class="fields">
      <h3>{title}</h3>
      <dl>
        {rows.map(([k, v]) => (
          <div key={k} class="field-row">
            <dt>{breakable(k)}</dt><dd>{v}
            <span class="field-actions">
              {onFilter && <Button kind="ghost" small icon="plus" label={`Only lines with ${k} = ${v}`} onClick={() => onFilter(k, '=', v)} />}
              {onFilter && <Button kind="ghost" small icon="minus" label={`Without ${k} = ${v}`} onClick={() => onFilter(k, '!=', v)} />}
              <CopyButton text={v} label={`Copy ${k}`} />
            </span></dd>
          </div>
        ))}
      </dl>
    </section>
  );
}

function pretty(text: string): string {
  const s = text.trim();
  if (!s.startsWith('{') && !s.startsWith('[')) return text;
  try {
    return JSON.stringify(JSON.parse(s), null, 2);
  } catch {
    return text;
  }
}

function Detail({ line, streamLabels, onClose, onFilter }: {
  line: LogLine; streamLabels: Set<string>; onClose: () => void; onFilter: (label: string, op: '=' | '!=', value: string, isStream: boolean) => void;
}) {
  const { labels, fields } = useMemo(() => parseFields(line), [line]);
  const trace = traceIdOf(line);
  const indexed = labels.filter(([k]) => streamLabels.has(k));
  const others = labels.filter(([k]) => !streamLabels.has(k));
  return (
    <aside class="detail" data-testid="log-detail" aria-label="Log line">
      <header class="detail-head">
        <div><h2 class={`level-name level-${line.level}`}>{line.level === 'unknown' ? 'Log line' : line.level}</h2>
          <p class="muted mono">{formatDateTime(line.ms, utc.value, true)}</p></div>
        <div class="row">
          {trace && <a class="button button-default button-small" href={`/trace/${trace}`}><Icon name="traces" size={14} />View trace</a>}
          <Button kind="ghost" small icon="close" label="Close details" onClick={onClose} />
        </div>
      </header>
      <div class="detail-body" tabIndex={0} role="region" aria-label="Fields">
        <div class="code"><pre class="wrap" tabIndex={0} role="region" aria-label="Line"><code>{pretty(line.text)}</code></pre><CopyButton text={line.text} label="Copy line" /></div>
        <Fields title="Labels" rows={indexed} onFilter={(k, op, v) => onFilter(k, op, v, true)} />
        <Fields title="Metadata" rows={others} onFilter={(k, op, v) => onFilter(k, op, v, false)} />
        <Fields title="Fields in the line" rows={fields} />
      </div>
    </aside>
  );
}

function levelSeries(result: PromSeries[], from: number, to: number, step: number): { xs: number[]; series: Series[] } {
  const { xs, rows } = align(result, from, to, step);
  const byLevel = new Map<Level, (number | null)[]>();
  result.forEach((s, i) => {
    const level = levelOf(s.metric.level || s.metric.detected_level);
    const sum = byLevel.get(level) ?? new Array<number | null>(xs.length).fill(0);
    rows[i].forEach((v, k) => (sum[k] = (sum[k] ?? 0) + (v ?? 0)));
    byLevel.set(level, sum);
  });
  const series = levelOrder.filter((l) => byLevel.has(l)).map((l) => ({ label: l === 'unknown' ? 'no level' : l, color: levelColors[l], values: byLevel.get(l)! }));
  return { xs, series };
}

/** How many lines of each level; a click asks for that level only. */
function Levels({ series, query }: { series: Series[]; query: string }) {
  const total = (s: Series) => s.values.reduce<number>((n, v) => n + (v ?? 0), 0);
  return (
    <div class="levels">
      {[...series].reverse().map((s) => {
        const text = <><i class="dot" style={{ background: s.color }} />{s.label}<b>{total(s).toLocaleString('en-US')}</b></>;
        return s.label === 'no level' || query.includes('detected_level')
          ? <span key={s.label} class="level-count">{text}</span>
          : <button key={s.label} type="button" class="level-count" title={`Only lines of level ${s.label}`} onClick={() => setQuery({ query: withField(query, 'detected_level', '=', s.label) })}>{text}</button>;
      })}
    </div>
  );
}

function Volume({ query, turn }: { query: string; turn: number }) {
  const { data } = useResource(async (signal) => {
    const r = currentRange();
    const step = niceStep(r.to - r.from, 80);
    // Each bar counts the step before its time, so the times stand at the bars' right ends.
    const from = Math.floor(r.from / 1000 / step) * step * 1000 + step * 1000;
    const to = Math.ceil(r.to / 1000 / step) * step * 1000;
    const answer = await lokiRange(volumeQuery(query, step), from, to, { step: String(step) }, signal);
    if (answer.data.resultType !== 'matrix') return null;
    const { xs, series } = levelSeries(answer.data.result as PromSeries[], from, to, step);
    return { xs: xs.map((x) => x - step), series, step };
  }, [query, turn, range.value.from, range.value.to, refreshTick.value]);
  if (!data || !data.series.length) return null;
  return (
    <Card class="card-volume">
      <Bars xs={data.xs} step={data.step} series={data.series} label="Lines over time by level" height={72} />
      <Levels series={data.series} query={query} />
    </Card>
  );
}

function MetricAnswer({ result, from, to, step }: { result: PromSeries[]; from: number; to: number; step: number }) {
  const data = useMemo(() => {
    const { xs, rows } = align(result, from, to, step);
    const labels = shortNames(result.map((s) => s.metric));
    return { xs, series: rows.map((values, i) => ({ label: labels[i], color: seriesColor(i), values })) };
  }, [result]);
  return <Card><Chart xs={data.xs} series={data.series} height={320} format={formatNumber} label={`Graph of ${plural(result.length, 'series', 'series')}`} /></Card>;
}

function Lines({ lines, streamLabels, query }: { lines: LogLine[]; streamLabels: Set<string>; query: string }) {
  const [open, setOpen] = useState<string | null>(null);
  const at = lines.findIndex((l) => l.key === open);
  const filter = (label: string, op: '=' | '!=', value: string, isStream: boolean) => setQuery({ query: (isStream ? withMatcher : withField)(query, label, op, value) });
  const move = (e: KeyboardEvent) => {
    const step = e.key === 'ArrowDown' || e.key === 'j' ? 1 : e.key === 'ArrowUp' || e.key === 'k' ? -1 : 0;
    if (e.key === 'Escape') setOpen(null);
    if (!step || at < 0 || !(e.target as Element).closest('.virtual')) return;
    setOpen(lines[Math.max(0, Math.min(lines.length - 1, at + step))].key);
    e.preventDefault();
  };
  return (
    <div class={`split${at >= 0 ? ' split-open' : ''}`} onKeyDown={move}>
      <VirtualList items={lines} rowHeight={rowHeight} label="Log lines" class="log-list" scrollTo={at}
        row={(line) => <Line key={line.key} line={line} selected={line.key === open} onSelect={() => setOpen(line.key === open ? null : line.key)} />} />
      {at >= 0 && <Detail line={lines[at]} streamLabels={streamLabels} onClose={() => setOpen(null)} onFilter={filter} />}
    </div>
  );
}

interface Answer { result: LokiResult; from: number; to: number; step: number; ms: number }

function summary(a: Answer, lines: number, limit: number): string {
  const bytes = a.result.stats?.summary?.totalBytesProcessed;
  return `${plural(lines, 'line')}${lines >= limit ? ' (limit reached)' : ''}${bytes ? `, ${formatBytes(bytes)} read` : ''}, ${Math.round(a.ms)} ms`;
}

export function Logs() {
  const params = place.value.query;
  const written = params.get('query') ?? '';
  const limit = Math.min(5000, Number(params.get('limit')) || 1000);
  const oldest = params.get('direction') === 'forward';
  const known = useResource((signal) => { const r = currentRange(); return lokiLabels(r.from, r.to, signal); }, [range.value.from, range.value.to, refreshTick.value]);
  // Without a query: everything, newest first.
  const query = written || everything(known.data ?? []);
  const [text, setText] = useState(query);
  const [turn, setTurn] = useState(0);
  const [browsing, setBrowsing] = useState(false);
  useEffect(() => setText(query), [query]);
  const go = (q: string) => {
    setText(q);
    if (q.trim() === query && written) setTurn(turn + 1);
    else setQuery({ query: q.trim() || null });
  };
  const { data, error, loading } = useResource(query ? async (signal): Promise<Answer> => {
    const r = currentRange();
    const begun = performance.now();
    const step = niceStep(r.to - r.from, 240);
    const from = isLogQuery(query) ? r.from : Math.floor(r.from / 1000 / step) * step * 1000;
    const more = { limit: String(limit), direction: oldest ? 'forward' : 'backward', step: String(step) };
    const answer = await lokiRange(query, from, r.to, more, signal);
    return { result: answer.data, from, to: r.to, step, ms: performance.now() - begun };
  } : null, [query, turn, limit, oldest, range.value.from, range.value.to, refreshTick.value]);
  const isLines = data?.result.resultType === 'streams';
  const lines = useMemo(() => (isLines ? flatten(data!.result.result as LokiStream[], oldest) : []), [data, oldest]);
  const streamLabels = useMemo(() => new Set(known.data ?? []), [known.data]);
  return (
    <div class="page-fill">
      <PageHead title="Logs"><RangePicker /></PageHead>
      <div class="query-row">
        <QueryBox label="LogQL" value={text} placeholder='A LogQL query, such as {service_name="llm-api"} |= "timeout"' onInput={setText} onRun={() => go(text)} complete={complete} />
        <Button kind="primary" icon="play" onClick={() => go(text)}>Run query</Button>
      </div>
      <div class="toolbar">
        <Button small icon="filter" aria-expanded={browsing} onClick={() => setBrowsing(!browsing)}>Label browser</Button>
        <label class="inline">Lines <select class="input input-small" value={String(limit)} onChange={(e) => setQuery({ limit: e.currentTarget.value }, true)}>
          {[100, 500, 1000, 5000].map((n) => <option key={n} value={String(n)}>{n}</option>)}</select></label>
        <label class="inline">Order <select class="input input-small" value={oldest ? 'forward' : 'backward'} onChange={(e) => setQuery({ direction: e.currentTarget.value === 'forward' ? 'forward' : null }, true)}>
          <option value="backward">Newest first</option><option value="forward">Oldest first</option></select></label>
        {isLines && <span class="muted small toolbar-end">{summary(data!, lines.length, limit)}</span>}
      </div>
      {browsing && <LabelBrowser query={text} onPick={go} />}
      <Progress on={loading} />
      {error && query && <ErrorBox error={error} />}
      {query && isLogQuery(query) && !error && <Volume query={query} turn={turn} />}
      {!query && known.error && <ErrorBox error={known.error} retry={known.reload} />}
      {!query && known.data && <Empty icon="logs" title="No lines in this time range">Send some by OTLP or to Loki's address: <a href="/">how to</a>. Or choose a longer range.</Empty>}
      {!data && (loading || known.loading) && <div class="center"><Spinner /></div>}
      {data && !error && !isLines && <MetricAnswer result={(data.result.result as PromSeries[]) ?? []} from={data.from} to={data.to} step={data.step} />}
      {data && !error && isLines && (lines.length
        ? <Lines lines={lines} streamLabels={streamLabels} query={query} />
        : <Empty icon="logs" title="No lines match">Try a longer range or a wider selector. <a href={`/logs?${rangeQuery()}`}>Show all lines</a></Empty>)}
    </div>
  );
}
