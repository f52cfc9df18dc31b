// The time range, refreshing, and the zone: one control for every view.
import { useState } from 'preact/hooks';
import { formatDateTime, parseTime, quickRanges, rangeLabel } from '../lib/time';
import { currentRange, range, refresh, refreshEvery, setRange, utc } from '../lib/store';
import { Button, Field, Popover } from './basics';

function Absolute({ close }: { close: () => void }) {
  const now = currentRange();
  const [from, setFrom] = useState(range.value.from.startsWith('now') ? range.value.from : formatDateTime(now.from, utc.value));
  const [to, setTo] = useState(range.value.to.startsWith('now') ? range.value.to : formatDateTime(now.to, utc.value));
  const [error, setError] = useState('');
  const apply = (e: Event) => {
    e.preventDefault();
    const a = parseTime(from, Date.now(), utc.value);
    const b = parseTime(to, Date.now(), utc.value);
    if (!Number.isFinite(a) || !Number.isFinite(b)) return setError('Write now-6h or 2026-11-20 14:00:00');
    if (a >= b) return setError('The range must begin before it ends');
    const keep = (text: string, ms: number) => (text.trim().startsWith('now') ? text.trim() : String(ms));
    setRange({ from: keep(from, a), to: keep(to, b) });
    close();
  };
  return (
    <form class="range-absolute" onSubmit={apply}>
      <Field label="From">{(id) => <input id={id} class="input mono" value={from} onInput={(e) => setFrom(e.currentTarget.value)} />}</Field>
      <Field label="To">{(id) => <input id={id} class="input mono" value={to} onInput={(e) => setTo(e.currentTarget.value)} />}</Field>
      {error && <p class="field-error" role="alert">{error}</p>}
      <Button type="submit" kind="primary">Apply range</Button>
      <label class="check"><input type="checkbox" checked={utc.value} onChange={(e) => (utc.value = e.currentTarget.checked)} /> Times in UTC</label>
    </form>
  );
}

const intervals: [number, string][] = [[0, 'Off'], [5, '5s'], [10, '10s'], [30, '30s'], [60, '1m'], [300, '5m']];

export function RangePicker() {
  const text = rangeLabel(range.value, utc.value, Date.now());
  return (
    <div class="range">
      <Popover label={`Time range: ${text}`} icon="clock" text={<><span>{text}</span>{utc.value && <span class="tag">UTC</span>}</>}>
        {(close) => (
          <div class="range-panel">
            <ul class="menu">
              {quickRanges.map(([from, name]) => (
                <li key={from}>
                  <button type="button" class="menu-item" aria-pressed={range.value.from === from && range.value.to === 'now'}
                    onClick={() => { setRange({ from, to: 'now' }); close(); }}>{name}</button>
                </li>
              ))}
            </ul>
            <Absolute close={close} />
          </div>
        )}
      </Popover>
      <div class="joined">
        <Button icon="refresh" label="Refresh" onClick={refresh} />
        <select class="input" aria-label="Refresh every" value={String(refreshEvery.value)}
          onChange={(e) => (refreshEvery.value = Number(e.currentTarget.value))}>
          {intervals.map(([s, name]) => <option key={s} value={String(s)}>{name}</option>)}
        </select>
      </div>
    </div>
  );
}
