import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formatDuration, formatNumber, formatRate, formatRatio, parseDuration, sig } from '../src/lib/format';
import { formatAgo, niceStep, parseSpan, parseTime, rangeLabel, resolveRange } from '../src/lib/time';

const now = Date.parse('2026-11-20T12:00:00Z');

test('points in time', () => {
  const cases: [string, number][] = [
    ['now', now], ['now-1h', now - 3_600_000], ['now-1h30m', now - 5_400_000], ['now+5m', now + 300_000],
    ['2026-11-20T11:00:00Z', now - 3_600_000], ['2026-11-20 11:00', now - 3_600_000], ['2026-11-20 11:00:30', now - 3_570_000],
    ['2026-11-20', now - 12 * 3_600_000], [String(now), now], [String(now / 1000), now],
    ['', NaN], ['yesterday', NaN], ['now-', NaN], ['now-5', NaN],
  ];
  for (const [text, want] of cases) assert.equal(parseTime(text, now, true), want, text);
});

test('spans and steps', () => {
  assert.equal(parseSpan('1d'), 86_400_000);
  assert.equal(parseSpan('90'), NaN);
  assert.equal(niceStep(3_600_000, 240), 15);
  assert.equal(niceStep(60_000, 240), 1);
  assert.equal(niceStep(30 * 86_400_000, 240), 10_800);
  assert.equal(niceStep(3_600_000, 40, 60), 120);
});

test('ranges', () => {
  assert.deepEqual(resolveRange({ from: 'now-6h', to: 'now' }, now), { from: now - 6 * 3_600_000, to: now });
  assert.deepEqual(resolveRange({ from: 'nonsense', to: 'now' }, now), { from: now - 3_600_000, to: now });
  assert.equal(rangeLabel({ from: 'now-6h', to: 'now' }, true, now), 'Last 6 hours');
  assert.equal(rangeLabel({ from: 'now-90m', to: 'now' }, true, now), 'Last 90m');
  assert.equal(rangeLabel({ from: String(now - 60_000), to: String(now) }, true, now), '2026-11-20 11:59:00 to 12:00:00');
  assert.equal(formatAgo(now - 120_000, now), '2 min ago');
});

test('durations', () => {
  const cases: [number, string][] = [[0, '0 µs'], [850, '850 µs'], [1500, '1.5 ms'], [999_600, '1 s'], [1_250_000, '1.25 s'], [125e6, '2m 5s'], [3_780e6, '1h 3m'], [NaN, '–']];
  for (const [us, want] of cases) assert.equal(formatDuration(us), want);
  const parsed: [string, number][] = [['500ms', 500_000], ['1.2s', 1_200_000], ['1m30s', 90e6], ['300us', 300], ['2 s', 2e6], ['12', NaN], ['fast', NaN]];
  for (const [text, want] of parsed) assert.equal(parseDuration(text), want, text);
});

test('numbers', () => {
  const cases: [number, string][] = [[0, '0'], [12, '12'], [1234567, '1.23M'], [999.9, '1k'], [0.5, '0.5'], [0.00001, '1.00e-5'], [NaN, 'NaN'], [-Infinity, '-Inf']];
  for (const [n, want] of cases) assert.equal(formatNumber(n), want);
  assert.equal(sig(10.04), '10');
  assert.equal(formatRatio(0.0123), '1.23 %');
  assert.equal(formatRatio(0.000001), '<0.01 %');
  assert.equal(formatRate(0.03), '1.8/min');
  assert.equal(formatRate(42), '42/s');
});
