// Searching traces: form, durations over time, the traces found, two of them compared.
import { useEffect, useMemo, useState } from 'preact/hooks';
import { jaegerOperations, jaegerServices, jaegerTraces, useResource } from '../lib/api';
import { cssVar, nameColor } from '../lib/colors';
import { formatDuration, parseDuration, plural } from '../lib/format';
import { currentRange, navigate, place, range, rangeQuery, refreshTick, setQuery, utc } from '../lib/store';
import { formatAgo, formatClock, formatDateTime } from '../lib/time';
import { buildTrace, compareTraces, parseTags, summarize, type JaegerTrace, type TraceSummary } from '../lib/trace';
import { Button, Card, Dialog, Empty, ErrorBox, Field, PageHead, Progress, Spinner } from '../ui/basics';
import { tipStyle, useCanvas } from '../ui/canvas';
import { Icon } from '../ui/icons';
import { RangePicker } from '../ui/range';

interface Form { service: string; operation: string; tags: string; minDuration: string; maxDuration: string; limit: string }

const formOf = (q: URLSearchParams): Form => ({
  service: q.get('service') ?? '', operation: q.get('operation') ?? '', tags: q.get('tags') ?? '',
  minDuration: q.get('minDuration') ?? '', maxDuration: q.get('maxDuration') ?? '', limit: q.get('limit') ?? '50',
});

function check(f: Form): string {
  if (!f.service) return 'Choose a service';
  for (const [name, text] of [['Min duration', f.minDuration], ['Max duration', f.maxDuration]])
    if (text && !Number.isFinite(parseDuration(text))) return `${name}: write a number and a unit, such as 500ms or 1.2s`;
  return parseTags(f.tags) ? '' : 'Tags: write key=value, or a JSON object';
}

function SearchForm({ onSearch }: { onSearch: (f: Form) => void }) {
  const [form, setForm] = useState(formOf(place.value.query));
  const [error, setError] = useState('');
  useEffect(() => setForm(formOf(place.value.query)), [place.value]);
  const services = useResource(jaegerServices, [refreshTick.value]);
  const operations = useResource(form.service ? (signal) => jaegerOperations(form.service, signal) : null, [form.service]);
  const put = (change: Partial<Form>) => setForm({ ...form, ...change });
  const submit = (e: Event) => {
    e.preventDefault();
    const wrong = check(form);
    setError(wrong);
    if (!wrong) onSearch(form);
  };
  const known = services.data ?? [];
  return (
    <form class="search card" onSubmit={submit}>
      <Field label="Service">{(id) => (
        <select id={id} class="input" value={form.service} onChange={(e) => put({ service: e.currentTarget.value, operation: '' })}>
          <option value="">{services.loading ? 'Loading…' : known.length ? 'Choose a service' : 'No services yet'}</option>
          {form.service && !known.includes(form.service) && <option value={form.service}>{form.service}</option>}
          {known.map((s) => <option key={s} value={s}>{s}</option>)}
        </select>
      )}</Field>
      <Field label="Operation">{(id) => (
        <select id={id} class="input" value={form.operation} disabled={!form.service} onChange={(e) => put({ operation: e.currentTarget.value })}>
          <option value="">All operations</option>
          {form.operation && !operations.data?.includes(form.operation) && <option value={form.operation}>{form.operation}</option>}
          {operations.data?.map((s) => <option key={s} value={s}>{s}</option>)}
        </select>
      )}</Field>
      <Field label="Tags" grow>{(id) => <input id={id} class="input mono" placeholder="error=true gen_ai.request.model=gpt-4o" value={form.tags} onInput={(e) => put({ tags: e.currentTarget.value })} />}</Field>
      <Field label="Min duration">{(id) => <input id={id} class="input mono input-short" placeholder="500ms" value={form.minDuration} onInput={(e) => put({ minDuration: e.currentTarget.value })} />}</Field>
      <Field label="Max duration">{(id) => <input id={id} class="input mono input-short" placeholder="1.2s" value={form.maxDuration} onInput={(e) => put({ maxDuration: e.currentTarget.value })} />}</Field>
      <Field label="Limit">{(id) => (
        <select id={id} class="input" value={form.limit} onChange={(e) => put({ limit: e.currentTarget.value })}>
          {['20', '50', '100', '200', '500', '1000'].concat(['20', '50', '100', '200', '500', '1000'].includes(form.limit) ? [] : [form.limit]).map((n) => <option key={n} value={n}>{n}</option>)}
        </select>
      )}</Field>
      <Button type="submit" kind="primary" icon="search">Find traces</Button>
      {(error || services.error) && <p class="field-error" role="alert">{error || services.error!.message}</p>}
    </form>
  );
}

/** Nought and round durations up to max, three to five in all. */
function niceMarks(max: number): number[] {
  const unit = 10 ** Math.floor(Math.log10(max / 2));
  const step = [1, 2, 5, 10].map((n) => n * unit).find((s) => max / s < 4) ?? max;
  return Array.from({ length: Math.floor(max / step) + 1 }, (_, i) => i * step);
}

/** Start against duration; a click opens the trace. The table below says the same in words. */
function Scatter({ list, from, to }: { list: TraceSummary[]; from: number; to: number }) {
  const [hover, setHover] = useState<TraceSummary | null>(null);
  const height = 150;
  const left = 58, bottom = 20, top = 10, right = 14;
  const max = Math.max(...list.map((t) => t.duration), 1) * 1.08;
  const px = (t: TraceSummary, wide: number) => left + Math.min(1, Math.max(0, (t.startUs / 1000 - from) / Math.max(to - from, 1))) * (wide - left - right);
  const py = (d: number) => top + (1 - d / max) * (height - top - bottom);
  const radius = (t: TraceSummary) => Math.min(9, 3 + Math.sqrt(t.spans) / 2);
  const { ref, width } = useCanvas(height, (g, wide) => {
    g.font = '11px ui-monospace, Menlo, "DejaVu Sans Mono", monospace';
    g.fillStyle = cssVar('--text-3');
    g.strokeStyle = cssVar('--grid');
    g.textBaseline = 'middle';
    for (const d of niceMarks(max)) {
      g.textAlign = 'right';
      g.fillText(d ? formatDuration(d) : '0', left - 8, py(d));
      g.beginPath();
      g.moveTo(left, Math.round(py(d)) + 0.5);
      g.lineTo(wide - right, Math.round(py(d)) + 0.5);
      g.stroke();
    }
    const marks = wide < 500 ? 2 : 4;
    for (let i = 0; i <= marks; i++) {
      const x = left + (i / marks) * (wide - left - right);
      g.textAlign = i === 0 ? 'left' : i === marks ? 'right' : 'center';
      const at = from + ((to - from) * i) / marks;
      g.fillText(to - from > 86_400_000 ? formatDateTime(at, utc.value).slice(5, 16) : formatClock(at, utc.value), x, height - 7);
    }
    for (const t of list) {
      g.beginPath();
      g.arc(px(t, wide), py(t.duration), radius(t), 0, 7);
      g.globalAlpha = 0.6;
      g.fillStyle = t.errors ? cssVar('--bad') : nameColor(t.rootService);
      g.fill();
      g.globalAlpha = 1;
      if (t === hover) {
        g.strokeStyle = cssVar('--text-1');
        g.stroke();
      }
    }
  }, [list, hover, from, to, utc.value]);
  const near = (e: MouseEvent) => {
    let best: TraceSummary | null = null, distance = 12;
    for (const t of list) {
      const d = Math.hypot(px(t, width) - e.offsetX, py(t.duration) - e.offsetY) - radius(t);
      if (d < distance) [best, distance] = [t, d];
    }
    return best;
  };
  return (
    <div class="scatter">
      <canvas ref={ref} role="img" aria-label={`Durations of ${plural(list.length, 'trace')} over time`} style={{ height: `${height}px`, cursor: hover ? 'pointer' : 'default' }}
        onMouseMove={(e) => setHover(near(e))} onMouseLeave={() => setHover(null)} onClick={(e) => { const t = near(e); if (t) navigate(`/trace/${t.id}`); }} />
      {hover && (
        <div class="tip tip-on" style={tipStyle(px(hover, width), width, '10px')}>
          <div class="tip-head">{hover.rootService}: {hover.rootName}</div>
          <div class="tip-row"><span class="tip-name">{plural(hover.spans, 'span')}{hover.errors ? `, ${plural(hover.errors, 'error')}` : ''}</span><b class="tip-value">{formatDuration(hover.duration)}</b></div>
        </div>
      )}
    </div>
  );
}

function Row({ t, max, checked, onCheck }: { t: TraceSummary; max: number; checked: boolean; onCheck: (on: boolean) => void }) {
  const ms = t.startUs / 1000;
  return (
    <li class="trace-row" data-testid="trace-row" data-trace-id={t.id} data-duration-us={t.duration}>
      <input type="checkbox" aria-label={`Choose trace ${t.id.slice(0, 7)} to compare`} checked={checked} onChange={(e) => onCheck(e.currentTarget.checked)} />
      <div class="trace-main">
        <a href={`/trace/${t.id}`} class="trace-link"><b>{t.rootService}</b><span>{t.rootName}</span><code class="muted">{t.id.slice(0, 7)}</code></a>
        <div class="trace-services">
          {t.services.slice(0, 6).map((s) => <span key={s.name} class="service-tag"><i class="dot" style={{ background: nameColor(s.name) }} />{s.name} <span class="muted">{s.spans}</span></span>)}
          {t.services.length > 6 && <span class="muted small">and {t.services.length - 6} more</span>}
        </div>
      </div>
      <div class="trace-facts">
        {t.errors > 0 && <span class="pill pill-bad"><Icon name="warn" size={12} />{plural(t.errors, 'error')}</span>}
        <span class="muted">{plural(t.spans, 'span')}</span>
        <span class="muted" title={formatDateTime(ms, utc.value, true)}>{formatAgo(ms, Date.now())}</span>
      </div>
      <div class="trace-duration">
        <b>{formatDuration(t.duration)}</b>
        <span class="meter" aria-hidden="true"><i style={{ width: `${Math.max(1, (t.duration / Math.max(max, 1)) * 100)}%`, background: nameColor(t.rootService) }} /></span>
      </div>
    </li>
  );
}

function Compare({ a, b, onClose }: { a: JaegerTrace; b: JaegerTrace; onClose: () => void }) {
  const [x, y] = useMemo(() => [buildTrace(a), buildTrace(b)], [a, b]);
  const rows = useMemo(() => compareTraces(x, y), [x, y]);
  const delta = (from: number, to: number) => (to === from ? '±0' : `${to > from ? '+' : '−'}${formatDuration(Math.abs(to - from))}`);
  const tone = (from: number, to: number) => (to > from ? 'tone-bad' : to < from ? 'tone-good' : '');
  return (
    <Dialog title="Compare traces" wide onClose={onClose}>
      <div class="table-scroll" data-testid="trace-compare" tabIndex={0} role="region" aria-label="Comparison">
        <table class="table">
          <thead><tr><th scope="col">Operation</th><th scope="col" class="num"><a href={`/trace/${x.id}`}>A {x.id.slice(0, 7)}</a></th><th scope="col" class="num"><a href={`/trace/${y.id}`}>B {y.id.slice(0, 7)}</a></th><th scope="col" class="num">Difference</th></tr></thead>
          <tbody>
            <tr class="total"><th scope="row">Whole trace</th><td class="num">{formatDuration(x.duration)}</td><td class="num">{formatDuration(y.duration)}</td><td class={`num ${tone(x.duration, y.duration)}`}>{delta(x.duration, y.duration)}</td></tr>
            {rows.map((r) => (
              <tr key={r.service + r.name}>
                <th scope="row"><span class="service-tag"><i class="dot" style={{ background: nameColor(r.service) }} />{r.service}</span> {r.name}</th>
                <td class="num">{r.a ? <>{formatDuration(r.aUs)} <span class="muted">×{r.a}</span></> : <span class="muted">–</span>}</td>
                <td class="num">{r.b ? <>{formatDuration(r.bUs)} <span class="muted">×{r.b}</span></> : <span class="muted">–</span>}</td>
                <td class={`num ${tone(r.aUs, r.bUs)}`}>{delta(r.aUs, r.bUs)}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Dialog>
  );
}

/** Before a search: every service, with the three questions asked most. */
function Choices() {
  const { data, error, loading, reload } = useResource(jaegerServices, [refreshTick.value]);
  if (error) return <ErrorBox error={error} retry={reload} />;
  if (!data) return loading ? <div class="center"><Spinner /></div> : null;
  if (!data.length) return <Empty icon="traces" title="No traces yet">Send some by OTLP: <a href="/">how to</a>.</Empty>;
  const link = (service: string, more: string) => `/traces?service=${encodeURIComponent(service)}${more}&${rangeQuery()}`;
  return (
    <ul class="choices">
      {data.map((s) => (
        <li key={s} class="card">
          <a class="service-name" href={link(s, '')}><i class="dot" style={{ background: nameColor(s) }} />{s}</a>
          <span><a href={link(s, '')}>Recent</a><a href={link(s, '&tags=error%3Dtrue')}>With errors</a><a href={link(s, '&minDuration=1s')}>Over 1 s</a></span>
        </li>
      ))}
    </ul>
  );
}

type Sort = 'recent' | 'longest' | 'shortest' | 'spans' | 'errors';
const sorts: Record<Sort, [string, (a: TraceSummary, b: TraceSummary) => number]> = {
  recent: ['Most recent', (a, b) => b.startUs - a.startUs], longest: ['Longest first', (a, b) => b.duration - a.duration],
  shortest: ['Shortest first', (a, b) => a.duration - b.duration], spans: ['Most spans', (a, b) => b.spans - a.spans], errors: ['Most errors', (a, b) => b.errors - a.errors],
};

export function Traces() {
  const q = place.value.query;
  const form = formOf(q);
  const wrong = form.service ? check(form) : '';
  const [turn, setTurn] = useState(0);
  const [sort, setSort] = useState<Sort>('recent');
  const [chosen, setChosen] = useState<string[]>([]);
  const [comparing, setComparing] = useState(false);
  const search = (f: Form) => {
    setQuery({ ...f, limit: f.limit === '50' ? null : f.limit });
    setTurn(turn + 1);
  };
  const { data, error, loading } = useResource(form.service && !wrong ? async (signal) => {
    const r = currentRange();
    const tags = parseTags(form.tags) ?? {};
    const params: Record<string, string> = { service: form.service, limit: form.limit, start: `${Math.round(r.from)}000`, end: `${Math.round(r.to)}000` };
    if (form.operation) params.operation = form.operation;
    if (Object.keys(tags).length) params.tags = JSON.stringify(tags);
    if (form.minDuration) params.minDuration = form.minDuration.replace(/\s/g, '');
    if (form.maxDuration) params.maxDuration = form.maxDuration.replace(/\s/g, '');
    const raw = await jaegerTraces(params, signal);
    const list = raw.map(summarize);
    // At the limit only the newest are here: the picture begins where they do.
    const full = list.length >= Number(form.limit);
    const from = full ? Math.max(r.from, Math.min(...list.map((t) => t.startUs)) / 1000) : r.from;
    return { raw: new Map(raw.map((t) => [t.traceID, t])), list, full, from, to: r.to };
  } : null, [form.service, form.operation, form.tags, form.minDuration, form.maxDuration, form.limit, range.value.from, range.value.to, refreshTick.value, turn]);
  const list = useMemo(() => [...(data?.list ?? [])].sort(sorts[sort][1]), [data, sort]);
  const max = list.reduce((m, t) => Math.max(m, t.duration), 0);
  const two = chosen.filter((id) => data?.raw.has(id));
  return (
    <>
      <PageHead title="Traces"><RangePicker /></PageHead>
      <SearchForm onSearch={search} />
      <Progress on={loading} />
      {wrong && <ErrorBox error={new Error(wrong)} />}
      {error && !wrong && form.service && <ErrorBox error={error} />}
      {!form.service && <Choices />}
      {form.service && loading && !data && <div class="center"><Spinner /></div>}
      {data && !error && !list.length && <Empty icon="traces" title="No traces match">Try a longer range or fewer conditions.</Empty>}
      {data && list.length > 0 && (
        <>
          <Card class="card-scatter"><Scatter list={list} from={data.from} to={data.to} /></Card>
          <div class="toolbar">
            <h2 class="toolbar-title">{data.full ? `Newest ${plural(list.length, 'trace')}` : plural(list.length, 'trace')}</h2>
            <Button small disabled={two.length !== 2} onClick={() => setComparing(true)} title="Choose two traces">Compare</Button>
            {data.full && <span class="muted small">the limit is reached: there may be more</span>}
            <label class="inline toolbar-end">Sort <select class="input input-small" value={sort} onChange={(e) => setSort(e.currentTarget.value as Sort)}>
              {Object.entries(sorts).map(([id, [name]]) => <option key={id} value={id}>{name}</option>)}</select></label>
          </div>
          <ul class="trace-list">
            {list.map((t) => <Row key={t.id} t={t} max={max} checked={chosen.includes(t.id)} onCheck={(on) => setChosen(on ? [...chosen.slice(-1), t.id] : chosen.filter((c) => c !== t.id))} />)}
          </ul>
        </>
      )}
      {comparing && two.length === 2 && <Compare a={data!.raw.get(two[0])!} b={data!.raw.get(two[1])!} onClose={() => setComparing(false)} />}
    </>
  );
}
