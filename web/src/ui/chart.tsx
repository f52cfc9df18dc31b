// Time series on a canvas (uPlot, loaded when the first chart is drawn), with legend, tooltip and drag to zoom.
import type uPlot from 'uplot';
import { useEffect, useMemo, useRef, useState } from 'preact/hooks';
import { cssVar } from '../lib/colors';
import { formatNumber } from '../lib/format';
import { positive, spread, spreadLog, stack } from '../lib/plot';
import { navigate, setRange, theme, utc } from '../lib/store';
import { formatDateTime } from '../lib/time';

export interface Series {
  label: string;
  color: string;
  values: (number | null)[];
}

/** A single event drawn over the lines; a click on it leads to href. */
export interface Mark {
  x: number; // seconds
  y: number;
  title: string;
  color: string;
  href?: string;
}

interface Props {
  xs: number[]; // seconds
  series: Series[];
  height?: number;
  format?: (v: number) => string;
  area?: boolean;
  legend?: boolean; // on unless false
  stacked?: boolean;
  log?: boolean;
  marks?: Mark[];
  threshold?: number; // a line across, always within the scale
  ordered?: boolean; // the legend keeps the series' order
  label: string;
}

const tipRows = 14;

function axes(format: (v: number) => string): uPlot.Axis[] {
  const font = '11px ui-monospace, "SF Mono", Menlo, "DejaVu Sans Mono", monospace';
  const common = {
    stroke: cssVar('--text-3'), font, grid: { stroke: cssVar('--grid'), width: 1 }, ticks: { show: false },
  };
  return [
    { ...common, size: 30, space: 90, gap: 6, values: (u, splits) => timeTicks(splits, u.scales.x.max! - u.scales.x.min!) },
    { ...common, size: axisSize, gap: 8, space: 34, values: (_, splits) => splits.map((v: number | null) => (v === null ? '' : format(v))) } // a logarithmic axis names its powers only,
  ];
}

function timeTicks(splits: number[], span: number): string[] {
  return splits.map((s, i) => {
    const full = formatDateTime(s * 1000, utc.value);
    const clock = full.slice(11, span > 300 ? 16 : 19);
    const newDay = i > 0 && full.slice(0, 10) !== formatDateTime(splits[i - 1] * 1000, utc.value).slice(0, 10);
    return span > 3 * 86_400 ? full.slice(5, 10) : newDay ? full.slice(5, 10) : clock;
  });
}

const axisSize: uPlot.Axis.Size = (_u, values) => 16 + 7 * Math.max(2, ...(values ?? []).map((v) => v.length));

function tooltip(getFormat: () => (v: number) => string, raw: () => Series[]): uPlot.Plugin {
  const tip = document.createElement('div');
  tip.className = 'tip';
  return {
    hooks: {
      init: (u) => {
        u.over.append(tip);
        u.over.addEventListener('mouseleave', () => tip.classList.remove('tip-on'));
      },
      setCursor: (u) => {
        const { idx, left = -1, top = 0 } = u.cursor;
        if (idx == null || left < 0) return tip.classList.remove('tip-on');
        const rows: { name: string; color: string; v: number }[] = [];
        u.series.forEach((s, i) => {
          const v = i > 0 ? raw()[i - 1]?.values[idx] : null; // a stacked chart draws sums
          if (s.show && v != null) rows.push({ name: String(s.label), color: (s as { tint?: string }).tint ?? '', v });
        });
        rows.sort((a, b) => b.v - a.v);
        tip.replaceChildren(tipHead(u.data[0][idx]), ...rows.slice(0, tipRows).map((r) => tipRow(r, getFormat())));
        if (rows.length > tipRows) tip.append(tipMore(rows.length - tipRows));
        tip.classList.add('tip-on');
        const width = u.over.clientWidth;
        const right = left > width / 2;
        tip.style.left = right ? '' : `${left + 14}px`;
        tip.style.right = right ? `${width - left + 14}px` : '';
        tip.style.top = `${Math.max(0, Math.min(top - 12, u.over.clientHeight - tip.offsetHeight))}px`;
      },
    },
  };
}

function element(name: string, className: string, text = ''): HTMLElement {
  const e = document.createElement(name);
  e.className = className;
  e.textContent = text;
  return e;
}

const tipHead = (x: number) => element('div', 'tip-head', formatDateTime(x * 1000, utc.value));
const tipMore = (n: number) => element('div', 'tip-more', `and ${n} more`);

function tipRow(r: { name: string; color: string; v: number }, format: (v: number) => string): HTMLElement {
  const row = element('div', 'tip-row');
  const dot = element('i', 'dot');
  dot.style.background = r.color;
  row.append(dot, element('span', 'tip-name', r.name), element('b', 'tip-value', format(r.v)));
  return row;
}

const markSize = 9;

/** Diamonds over the lines; the nearest one under the pointer says what it is. */
function marksPlugin(marks: () => Mark[]): uPlot.Plugin {
  const tip = element('div', 'tip');
  const at = (u: uPlot): Mark | undefined => {
    const { left = -1, top = -1 } = u.cursor;
    if (left < 0) return undefined;
    const far = (m: Mark) => Math.hypot(u.valToPos(m.x, 'x') - left, u.valToPos(m.y, 'y') - top);
    return marks().filter((m) => far(m) <= markSize).sort((a, b) => far(a) - far(b))[0];
  };
  return {
    hooks: {
      init: (u) => {
        u.over.append(tip);
        u.over.addEventListener('click', () => {
          const href = at(u)?.href;
          if (href) navigate(href);
        });
      },
      draw: (u) => {
        const half = (markSize / 2) * devicePixelRatio;
        for (const m of marks()) {
          const x = u.valToPos(m.x, 'x', true), y = u.valToPos(m.y, 'y', true);
          if (x < u.bbox.left || x > u.bbox.left + u.bbox.width || y < u.bbox.top || y > u.bbox.top + u.bbox.height) continue;
          u.ctx.beginPath();
          u.ctx.moveTo(x, y - half);
          u.ctx.lineTo(x + half, y);
          u.ctx.lineTo(x, y + half);
          u.ctx.lineTo(x - half, y);
          u.ctx.closePath();
          u.ctx.fillStyle = m.color;
          u.ctx.fill();
          u.ctx.strokeStyle = cssVar('--surface');
          u.ctx.stroke();
        }
      },
      setCursor: (u) => {
        const m = at(u);
        u.over.style.cursor = m?.href ? 'pointer' : '';
        tip.classList.toggle('tip-on', Boolean(m));
        if (!m) return;
        tip.replaceChildren(tipHead(m.x), element('div', 'tip-row', m.title));
        tip.style.left = `${u.valToPos(m.x, 'x') + 12}px`;
        tip.style.top = `${Math.max(0, u.valToPos(m.y, 'y') - 60)}px`;
      },
    },
  };
}

function thresholdPlugin(value: number): uPlot.Plugin {
  return {
    hooks: {
      draw: (u) => {
        const y = u.valToPos(value, 'y', true);
        u.ctx.save();
        u.ctx.strokeStyle = cssVar('--bad');
        u.ctx.lineWidth = 1.5 * devicePixelRatio;
        u.ctx.setLineDash([6 * devicePixelRatio, 4 * devicePixelRatio]);
        u.ctx.beginPath();
        u.ctx.moveTo(u.bbox.left, y);
        u.ctx.lineTo(u.bbox.left + u.bbox.width, y);
        u.ctx.stroke();
        u.ctx.restore();
      },
    },
  };
}

/** The scale's ends; a threshold is part of what must be seen. */
function ends(p: Props, min: number | null, max: number | null): [number, number] {
  const t = p.threshold;
  const low = t === undefined ? min : Math.min(min ?? t, t), high = t === undefined ? max : Math.max(max ?? t, t);
  return (p.log ? spreadLog : spread)(low, high);
}

function options(p: Props, width: number, format: () => (v: number) => string, now: () => Props): uPlot.Options {
  const many = p.series.length > 12;
  return {
    width, height: p.height ?? 300, padding: [12, 22, 0, 0],
    legend: { show: false },
    cursor: { drag: { x: true, y: false, setScale: false }, points: { size: 7 }, focus: { prox: many ? 24 : -1 } },
    focus: { alpha: 0.35 },
    scales: { x: { time: true }, y: { distr: p.log ? 3 : 1, range: (_u, min, max) => ends(p, min, max) } },
    bands: p.stacked ? p.series.slice(1).map((_, i) => ({ series: [i + 2, i + 1] as uPlot.Band.Bounds, fill: `${p.series[i + 1].color}40` })) : undefined,
    axes: axes((v) => format()(v)),
    series: [{}, ...p.series.map((s, i) => ({
      label: s.label, stroke: s.color, tint: s.color, width: 1.5, spanGaps: false,
      fill: p.stacked && i === 0 ? `${s.color}40` : !p.stacked && !p.log && (p.area || p.series.length === 1) ? `${s.color}1f` : undefined, points: { show: undefined, size: 4 },
    }))],
    plugins: [tooltip(format, () => now().series), ...(p.marks ? [marksPlugin(() => now().marks ?? [])] : []),
      ...(p.threshold !== undefined ? [thresholdPlugin(p.threshold)] : [])],
    hooks: {
      setSelect: [(u) => {
        if (u.select.width < 6) return;
        const from = u.posToVal(u.select.left, 'x');
        const to = u.posToVal(u.select.left + u.select.width, 'x');
        u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
        setRange({ from: String(Math.round(from * 1000)), to: String(Math.round(to * 1000)) });
      }],
    },
  } as uPlot.Options;
}

function plotted(p: Props, hidden: Set<string>): uPlot.AlignedData {
  const rows = p.series.map((s) => s.values);
  const drawn = p.stacked ? stack(rows, p.series.map((s) => hidden.has(s.label))) : rows;
  return [p.xs, ...(p.log ? drawn.map(positive) : drawn)] as uPlot.AlignedData;
}

export function Chart(props: Props) {
  const box = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | null>(null);
  const format = useRef(props.format ?? formatNumber);
  format.current = props.format ?? formatNumber;
  const now = useRef(props);
  now.current = props;
  const hidden = useRef<Set<string>>(new Set());
  const names = props.series.map((s) => `${s.label}${s.color}`).join('\n');
  useEffect(() => {
    const el = box.current;
    if (!el) return;
    let gone = false;
    let watch: ResizeObserver | undefined;
    void import('uplot').then(({ default: UPlot }) => {
      if (gone) return;
      const u = new UPlot(options(props, Math.max(el.clientWidth, 200), () => format.current, () => now.current), plotted(now.current, hidden.current), el);
      plot.current = u;
      watch = new ResizeObserver(() => u.setSize({ width: Math.max(el.clientWidth, 200), height: props.height ?? 300 }));
      watch.observe(el);
    });
    return () => {
      gone = true;
      watch?.disconnect();
      plot.current?.destroy();
      plot.current = null;
    };
  }, [names, props.height, props.stacked, props.log, Boolean(props.marks), props.threshold, theme.value, utc.value]);
  useEffect(() => {
    plot.current?.setData(plotted(props, hidden.current));
  }, [props.xs, props.series, props.marks]);
  const hide = (next: Set<string>) => {
    hidden.current = next;
    props.series.forEach((s, k) => plot.current?.setSeries(k + 1, { show: !next.has(s.label) }));
    if (props.stacked) plot.current?.setData(plotted(now.current, next));
  };
  return (
    <div class="chart">
      <div class="chart-canvas" data-testid="chart" ref={box} role="img" aria-label={props.label}
        style={{ minHeight: `${props.height ?? 300}px` }} />
      {props.legend !== false && <Legend series={props.series} ordered={props.ordered} format={format.current} plot={() => plot.current} onHide={hide} />}
    </div>
  );
}

const legendMax = 100;

function Legend({ series, ordered, format, plot, onHide }: {
  series: Series[]; ordered?: boolean; format: (v: number) => string; plot: () => uPlot | null; onHide: (hidden: Set<string>) => void;
}) {
  const [hidden, setHidden] = useState<Set<string>>(new Set());
  const toggle = (i: number, only: boolean) => {
    const next = new Set(hidden);
    const { label } = series[i];
    if (only) {
      const alone = series.every((s) => s.label === label || next.has(s.label)) && !next.has(label);
      next.clear();
      if (!alone) series.forEach((s) => s.label !== label && next.add(s.label));
    } else if (!next.delete(label)) next.add(label);
    setHidden(next);
    onHide(next);
  };
  // The highest now stands first, as the lines do at the right edge, unless the caller knows better.
  const rows = useMemo(() => series.map((s, i) => ({ s, i, values: stats(s.values) }))
    .sort((a, b) => (ordered ? 0 : (b.values[3] ?? -Infinity) - (a.values[3] ?? -Infinity)) || a.i - b.i), [series, ordered]);
  return (
    <div class="legend" role="group" aria-label="Series">
      <div class="legend-row legend-head" aria-hidden="true"><span /><span>Series</span><span>Min</span><span>Mean</span><span>Max</span><span>Last</span></div>
      {rows.slice(0, legendMax).map(({ s, i, values }) => (
        <button key={s.label} type="button" class="legend-row" aria-pressed={!hidden.has(s.label)} aria-description="Click: only this one. Ctrl-click: hide or show"
          onClick={(e) => toggle(i, !(e.ctrlKey || e.metaKey || e.shiftKey))}
          onMouseEnter={() => plot()?.setSeries(i + 1, { focus: true })}
          onMouseLeave={() => plot()?.setSeries(null as unknown as number, { focus: false })}>
          <i class="dot" style={{ background: s.color }} />
          <span class="legend-name" title={s.label}>{s.label}</span>
          {values.map((v, k) => <span key={k} class="legend-value">{v === null ? '–' : format(v)}</span>)}
        </button>
      ))}
      {series.length > legendMax && <p class="muted legend-more">and {series.length - legendMax} more series</p>}
    </div>
  );
}

function stats(values: (number | null)[]): (number | null)[] {
  let min = Infinity, max = -Infinity, sum = 0, n = 0, last: number | null = null;
  for (const v of values) {
    if (v === null || !Number.isFinite(v)) continue;
    min = Math.min(min, v);
    max = Math.max(max, v);
    sum += v;
    n++;
    last = v;
  }
  return n ? [min, sum / n, max, last] : [null, null, null, null];
}
