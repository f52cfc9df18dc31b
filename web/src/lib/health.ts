// Which services are in trouble: many errors, or slower lately than before.
import type { Service } from './api';
import { formatRatio } from './format';

export interface Health {
  tone: 'bad' | 'warn' | '';
  reason: string; // "" when all is well
  score: number; // more is worse
}

const median = (list: number[]) => [...list].sort((a, b) => a - b)[list.length >> 1] ?? NaN;

const slowerBy = 2; // times the p95 of before; twice this is bad
const slowerByAtLeast = 0.05; // seconds: what nobody notices is no trouble
const errorsWarn = 0.01, errorsBad = 0.05; // of requests

/** How many times its own earlier p95 the service's p95 of the last sixth of the points is; 1 when that says nothing. */
export function slowdown(points: Service['points']): number {
  const p95 = points.map((p) => p[3]).filter((v) => Number.isFinite(v) && v > 0);
  const lately = Math.max(2, Math.round(p95.length / 6));
  if (p95.length < lately + 4) return 1;
  const now = median(p95.slice(-lately));
  // The quicker half of what was before, so that trouble which lasts for most of the range is still seen.
  const before = p95.slice(0, -lately).sort((a, b) => a - b);
  const usual = median(before.slice(0, Math.ceil(before.length / 2)));
  return now - usual >= slowerByAtLeast ? now / usual : 1;
}

export function judge(s: Service): Health {
  const ratio = s.requests ? s.error_ratio : 0;
  const slow = slowdown(s.points);
  const times = slow >= 9.5 ? slow.toFixed(0) : slow.toFixed(1);
  const reasons = [ratio >= errorsWarn ? `${formatRatio(ratio)} errors` : '', slow >= slowerBy ? `p95 ${times}× usual` : ''].filter(Boolean);
  const bad = ratio >= errorsBad || slow >= 2 * slowerBy;
  return { tone: bad ? 'bad' : reasons.length ? 'warn' : '', reason: reasons.join(', '), score: ratio / errorsWarn + (slow >= slowerBy ? slow : 0) };
}
