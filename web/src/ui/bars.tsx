// Small pictures of numbers over time: bars for the volume of logs, lines without axes.
import { useState } from 'preact/hooks';
import { formatNumber } from '../lib/format';
import { setRange, utc } from '../lib/store';
import { formatClock, formatDateTime } from '../lib/time';
import { tipStyle, useCanvas, useDrag } from './canvas';
import type { Series } from './chart';

/** A small line without axes. */
export function Sparkline({ values, color, label, width = 120, height = 28 }: {
  values: number[]; color: string; label: string; width?: number; height?: number;
}) {
  const max = Math.max(...values, 0);
  if (values.length < 2 || max <= 0) return <svg class="spark" width={width} height={height} role="img" aria-label={label}><path d={`M0 ${height - 1.5}H${width}`} class="spark-flat" /></svg>;
  const x = (i: number) => ((i / (values.length - 1)) * width).toFixed(1);
  const y = (v: number) => (height - 2 - (v / max) * (height - 5)).toFixed(1);
  const line = values.map((v, i) => `${i ? 'L' : 'M'}${x(i)} ${y(v)}`).join('');
  return (
    <svg class="spark" width={width} height={height} viewBox={`0 0 ${width} ${height}`} role="img" aria-label={label}>
      <path d={`${line}L${width} ${height}L0 ${height}Z`} fill={color} opacity="0.14" />
      <path d={line} fill="none" stroke={color} stroke-width="1.5" stroke-linejoin="round" />
    </svg>
  );
}

/** Stacked bars over time on a canvas: the volume of logs. Dragging selects a range. */
export function Bars({ xs, step, series, height = 96, label }: { xs: number[]; step: number; series: Series[]; height?: number; label: string }) {
  const [hover, setHover] = useState<{ x: number; i: number } | null>(null);
  const totals = xs.map((_, i) => series.reduce((n, s) => n + (s.values[i] ?? 0), 0));
  const max = Math.max(1, ...totals);
  const { ref, width } = useCanvas(height, (g, wide) => {
    const w = wide / Math.max(xs.length, 1);
    xs.forEach((_, i) => {
      let y = height;
      for (const s of series) {
        const h = ((s.values[i] ?? 0) / max) * (height - 6);
        if (h <= 0) continue;
        g.fillStyle = s.color;
        g.fillRect(i * w + 0.5, y - Math.max(h, 1), Math.max(w - 1, 1), Math.max(h, 1));
        y -= h;
      }
    });
  }, [xs, series]);
  const at = (e: MouseEvent) => {
    const x = e.offsetX;
    return { x, i: Math.max(0, Math.min(xs.length - 1, Math.floor((x / Math.max(width, 1)) * xs.length))) };
  };
  const { drag, start, move, finish, cancel } = useDrag((d) => {
    const time = (x: number) => String(Math.round((xs[0] + (x / width) * xs.length * step) * 1000));
    if (xs.length) setRange({ from: time(d.from), to: time(d.to) });
  });
  return (
    <div class="bars">
      <canvas ref={ref} role="img" aria-label={label} style={{ height: `${height}px` }}
        onMouseMove={(e) => { setHover(at(e)); move(e); }} onMouseLeave={() => { setHover(null); cancel(); }}
        onMouseDown={start} onMouseUp={finish} />
      {drag && <div class="bars-select" style={{ left: `${drag.from}px`, width: `${drag.to - drag.from}px` }} />}
      <div class="bars-axis" aria-hidden="true">
        <span>{xs.length ? formatClock(xs[0] * 1000, utc.value) : ''}</span><span>{formatNumber(max)} max</span>
        <span>{xs.length ? formatClock((xs[xs.length - 1] + step) * 1000, utc.value) : ''}</span>
      </div>
      {hover && xs.length > 0 && (
        <div class="tip tip-on" style={tipStyle(hover.x, width, '8px')}>
          <div class="tip-head">{formatDateTime(xs[hover.i] * 1000, utc.value)}</div>
          {series.filter((s) => s.values[hover.i]).map((s) => (
            <div key={s.label} class="tip-row"><i class="dot" style={{ background: s.color }} /><span class="tip-name">{s.label}</span>
              <b class="tip-value">{formatNumber(s.values[hover.i] ?? 0)}</b></div>
          ))}
        </div>
      )}
    </div>
  );
}
