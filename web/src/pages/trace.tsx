// One trace: minimap, waterfall, critical path, a span's details.
import { useMemo, useState } from 'preact/hooks';
import { jaegerTrace, useResource } from '../lib/api';
import { cssVar, nameColor } from '../lib/colors';
import { formatDuration, plural } from '../lib/format';
import { navigate, refreshTick, utc } from '../lib/store';
import { formatDateTime } from '../lib/time';
import { buildTrace, criticalPath, type JaegerTrace, type Segment, type Span, type Trace } from '../lib/trace';
import { Button, CopyButton, Empty, ErrorBox, PageHead, Spinner, VirtualList } from '../ui/basics';
import { useCanvas, useDrag } from '../ui/canvas';
import { Icon } from '../ui/icons';
import { SpanDetail } from './span';

const rowHeight = 26;

interface View { from: number; to: number } // microseconds since the trace's start

const percent = (v: number) => `${v.toFixed(3)}%`;

function ticks(view: View): { at: string; text: string }[] {
  return [0, 0.25, 0.5, 0.75, 1].map((f) => ({ at: percent(f * 100), text: f || view.from ? formatDuration(view.from + (view.to - view.from) * f) : '0' }));
}

function SpanRow({ span, view, open, selected, dim, segments, onToggle, onSelect }: {
  span: Span; view: View; open: boolean; selected: boolean; dim: boolean; segments: Segment[] | undefined; onToggle: () => void; onSelect: () => void;
}) {
  const width = Math.max(view.to - view.from, 1);
  const x = (us: number) => ((us - view.from) / width) * 100;
  const left = x(span.start), right = x(span.start + span.duration);
  const color = nameColor(span.service);
  // The duration stands where there is room: after the bar, before it, else within.
  const place = right <= 84 ? 'after' : left >= 14 ? 'before' : 'inside';
  const visible = right >= 0 && left <= 100;
  const a = Math.max(left, 0), b = Math.min(right, 100);
  return (
    <div class={`span-row${selected ? ' span-selected' : ''}${dim ? ' span-dim' : ''}`} data-testid="span-row" data-span-id={span.id} data-service={span.service}
      data-critical={segments ? 'true' : undefined}>
      <div class="span-name" style={{ paddingLeft: `${6 + Math.min(span.depth, 24) * 14}px` }}>
        {span.children.length
          ? <button type="button" class="span-caret" aria-expanded={open} aria-label={`${open ? 'Collapse' : 'Expand'} ${span.name}`} onClick={onToggle}><Icon name={open ? 'down' : 'chevron'} size={12} /></button>
          : <span class="span-caret" />}
        <button type="button" class="span-button" aria-pressed={selected} title={`${span.service}: ${span.name}`} onClick={onSelect}>
          <i class="bar-mark" style={{ background: color }} />
          {span.error && <span class="tone-bad" role="img" aria-label="error"><Icon name="warn" size={12} /></span>}
          <b>{span.service}</b><span class="span-operation">{span.name}</span>
          {!open && span.children.length > 0 && <span class="tag">{span.descendants}</span>}
        </button>
      </div>
      <div class="span-time" onClick={onSelect} aria-hidden="true">
        {visible && <>
          <i class={`span-bar${span.error ? ' span-bar-error' : ''}`} style={{ left: percent(a), width: percent(Math.max(b - a, 0)), background: color }} />
          {segments?.map((s) => {
            const sa = Math.max(x(s.from), 0), sb = Math.min(x(s.to), 100);
            return sb > sa ? <i key={s.from} class="span-critical" style={{ left: percent(sa), width: percent(sb - sa) }} /> : null;
          })}
          <span class={`span-duration span-duration-${place}`} style={place === 'after' ? { left: percent(b) } : { right: percent(100 - (place === 'before' ? a : b)) }}>{formatDuration(span.duration)}</span>
        </>}
      </div>
    </div>
  );
}

/** All spans in a few pixels each; dragging shows a part of the time. */
function Minimap({ trace, view, onView }: { trace: Trace; view: View; onView: (v: View) => void }) {
  const height = 56;
  const { ref, width } = useCanvas(height, (g, wide) => {
    const total = Math.max(trace.duration, 1);
    const h = Math.max(1, Math.min(4, (height - 6) / trace.spans.length));
    trace.spans.forEach((s, i) => {
      g.fillStyle = s.error ? cssVar('--bad') : nameColor(s.service);
      g.globalAlpha = 0.85;
      g.fillRect((s.start / total) * wide, 3 + (i / trace.spans.length) * (height - 6), Math.max(1, (s.duration / total) * wide), h);
    });
  }, [trace]);
  const us = (x: number) => (Math.max(0, Math.min(x, width)) / Math.max(width, 1)) * trace.duration;
  const viewOf = (d: { from: number; to: number }): View => ({ from: us(d.from), to: us(d.to) });
  const { drag, start, move, finish } = useDrag((d) => onView(viewOf(d)));
  const shade = drag ? viewOf(drag) : view;
  const whole = shade.from <= 0 && shade.to >= trace.duration;
  return (
    <div class="minimap">
      <canvas ref={ref} role="img" aria-label={`Overview of ${plural(trace.spans.length, 'span')}`} style={{ height: `${height}px` }}
        onMouseDown={start} onMouseMove={move} onMouseUp={finish} onMouseLeave={finish} onDblClick={() => onView({ from: 0, to: trace.duration })} />
      {!whole && <>
        <div class="minimap-shade" style={{ left: '0', width: percent((shade.from / Math.max(trace.duration, 1)) * 100) }} />
        <div class="minimap-shade" style={{ right: '0', width: percent(100 - (shade.to / Math.max(trace.duration, 1)) * 100) }} />
      </>}
    </div>
  );
}

function matchesText(s: Span, text: string): boolean {
  const t = text.toLowerCase();
  return s.service.toLowerCase().includes(t) || s.name.toLowerCase().includes(t) || s.id.startsWith(t) ||
    !!s.raw.tags?.some((g) => g.key.toLowerCase().includes(t) || String(g.value).toLowerCase().includes(t));
}

function download(raw: JaegerTrace): void {
  const url = URL.createObjectURL(new Blob([JSON.stringify({ data: [raw] }, null, 2)], { type: 'application/json' }));
  const a = document.createElement('a');
  a.href = url;
  a.download = `trace-${raw.traceID}.json`;
  a.click();
  setTimeout(() => URL.revokeObjectURL(url), 1000);
}

const logsOf = (t: Trace, service: string) => {
  const from = Math.floor(t.startUs / 1000) - 300_000, to = Math.ceil((t.startUs + t.duration) / 1000) + 300_000;
  const query = `{service_name="${service.replace(/["\\]/g, '\\$&')}"} |= "${t.id}"`;
  return `/logs?query=${encodeURIComponent(query)}&from=${from}&to=${to}`;
};

function Head({ trace, raw }: { trace: Trace; raw: JaegerTrace }) {
  const root = trace.roots[0];
  return (
    <>
      <PageHead title={<><span class="muted">{root?.service}</span> {root?.name}</>}>
        <a class="button button-default" href={logsOf(trace, root?.service ?? '')}><Icon name="logs" />Logs of this trace</a>
        <Button icon="download" onClick={() => download(raw)}>JSON</Button>
      </PageHead>
      <ul class="facts">
        <li><span>Trace</span><code>{trace.id}</code><CopyButton text={trace.id} label="Copy trace id" /></li>
        <li><span>Start</span><b>{formatDateTime(trace.startUs / 1000, utc.value, true)}</b></li>
        <li><span>Duration</span><b>{formatDuration(trace.duration)}</b></li>
        <li><span>Spans</span><b>{trace.spans.length.toLocaleString('en-US')}</b></li>
        <li><span>Depth</span><b>{trace.depth}</b></li>
        <li><span>Errors</span><b class={trace.errors ? 'tone-bad' : ''}>{trace.errors}</b></li>
      </ul>
      <div class="trace-services trace-legend">
        {trace.services.map((s) => <span key={s.name} class="service-tag"><i class="dot" style={{ background: nameColor(s.name) }} />{s.name} <span class="muted">{s.spans}</span></span>)}
      </div>
    </>
  );
}

function Waterfall({ trace }: { trace: Trace }) {
  const [view, setView] = useState<View>({ from: 0, to: trace.duration });
  const [closed, setClosed] = useState<Set<string>>(new Set());
  const [critical, setCritical] = useState(false);
  const [text, setText] = useState(new URLSearchParams(location.search).get('uiFind') ?? '');
  const [selected, setSelected] = useState<string | null>(new URLSearchParams(location.search).get('span'));
  const path = useMemo(() => {
    const by = new Map<string, Segment[]>();
    for (const s of critical ? criticalPath(trace) : []) by.set(s.span.id, [...(by.get(s.span.id) ?? []), s]);
    return by;
  }, [trace, critical]);
  const rows = useMemo(() => {
    const out: Span[] = [];
    for (let i = 0; i < trace.spans.length; i++) {
      out.push(trace.spans[i]);
      if (closed.has(trace.spans[i].id)) i += trace.spans[i].descendants;
    }
    return out;
  }, [trace, closed]);
  const found = useMemo(() => new Set(text ? trace.spans.filter((s) => matchesText(s, text)).map((s) => s.id) : []), [trace, text]);
  const at = rows.findIndex((s) => s.id === selected);
  const span = selected ? trace.byId.get(selected) : undefined;
  const toggle = (s: Span) => {
    const next = new Set(closed);
    if (!next.delete(s.id)) next.add(s.id);
    setClosed(next);
  };
  const step = (by: number) => {
    const hits = rows.map((s, i) => (found.has(s.id) ? i : -1)).filter((i) => i >= 0);
    if (!hits.length) return;
    const next = by > 0 ? hits.find((i) => i > at) ?? hits[0] : [...hits].reverse().find((i) => i < at) ?? hits[hits.length - 1];
    setSelected(rows[next].id);
  };
  const onKey = (e: KeyboardEvent) => {
    if (e.key === 'Escape') return setSelected(null);
    if ((e.target as Element).closest('input, .detail') || at < 0) return;
    if (e.key === 'ArrowDown' || e.key === 'ArrowUp') setSelected(rows[Math.max(0, Math.min(rows.length - 1, at + (e.key === 'ArrowDown' ? 1 : -1)))].id);
    else if (e.key === 'ArrowLeft' && span?.children.length && !closed.has(span.id)) toggle(span);
    else if (e.key === 'ArrowRight' && span && closed.has(span.id)) toggle(span);
    else return;
    e.preventDefault();
  };
  const zoomed = view.from > 0 || view.to < trace.duration;
  return (
    <div class="trace-body" onKeyDown={onKey}>
      <Minimap trace={trace} view={view} onView={setView} />
      <div class="toolbar">
        <input class="input input-small" type="search" aria-label="Find in trace" placeholder="Find in trace" value={text} onInput={(e) => setText(e.currentTarget.value)}
          onKeyDown={(e) => e.key === 'Enter' && step(e.shiftKey ? -1 : 1)} />
        {text && <span class="muted small">{plural(found.size, 'match', 'matches')}</span>}
        {text && found.size > 0 && <Button small kind="ghost" icon="down" label="Next match" onClick={() => step(1)} />}
        <Button small icon="bolt" aria-pressed={critical} onClick={() => setCritical(!critical)}>Critical path</Button>
        <Button small onClick={() => setClosed(new Set(trace.spans.filter((s) => s.depth > 0 && s.children.length).map((s) => s.id)))}>Collapse all</Button>
        <Button small disabled={!closed.size} onClick={() => setClosed(new Set())}>Expand all</Button>
        {zoomed && <Button small kind="ghost" onClick={() => setView({ from: 0, to: trace.duration })}>Whole trace</Button>}
      </div>
      <div class={`split${span ? ' split-open' : ''}`}>
        <div class="waterfall" data-testid="waterfall">
          <div class="waterfall-head" aria-hidden="true"><span>Service and operation</span><div class="waterfall-ticks">{ticks(view).map((t, i) => <span key={i} style={{ left: t.at }}>{t.text}</span>)}</div></div>
          <VirtualList items={rows} rowHeight={rowHeight} label="Spans" class="span-list" scrollTo={at}
            row={(s) => <SpanRow key={s.id} span={s} view={view} open={!closed.has(s.id)} selected={s.id === selected} segments={path.get(s.id)}
              dim={(!!text && !found.has(s.id)) || (critical && !path.has(s.id))} onToggle={() => toggle(s)} onSelect={() => setSelected(s.id === selected ? null : s.id)} />} />
        </div>
        {span && <SpanDetail span={span} trace={trace} logs={logsOf(trace, span.service)} onClose={() => setSelected(null)} onGo={(id) => setSelected(id)} />}
      </div>
    </div>
  );
}

export function TracePage({ id }: { id: string }) {
  const { data, error, loading, reload } = useResource((signal) => jaegerTrace(id, signal), [id, refreshTick.value]);
  const trace = useMemo(() => (data ? buildTrace(data) : null), [data]);
  if (error?.status === 404 || (data === null && !loading))
    return <><PageHead title="Trace not found" /><Empty icon="traces" title="No trace has this id"><p><code>{id}</code></p><p>It may have been deleted by retention, or has not arrived yet.</p>
      <div class="row-center"><Button onClick={reload}>Look again</Button><Button onClick={() => navigate('/traces')}>Search traces</Button></div></Empty></>;
  if (error && !trace) return <><PageHead title="Trace" /><ErrorBox error={error} retry={reload} /></>;
  if (!trace || !data) return <><PageHead title="Trace" /><div class="center"><Spinner /></div></>;
  return <div class="page-fill"><Head trace={trace} raw={data} /><Waterfall key={trace.id} trace={trace} /></div>;
}
