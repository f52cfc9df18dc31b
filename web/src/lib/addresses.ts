// Addresses of the tools that came before lead to the views that replace them.
import { parseSpan } from './time';

const copy = (from: URLSearchParams, to: URLSearchParams, names: string[]) => {
  for (const name of names) {
    const value = from.get(name);
    if (value) to.set(name, value);
  }
};

function graph(q: URLSearchParams): string {
  const out = new URLSearchParams();
  const expr = q.get('g0.expr') ?? q.get('expr');
  if (expr) out.set('expr', expr);
  const span = q.get('g0.range_input');
  const end = q.get('g0.end_input');
  if (span && Number.isFinite(parseSpan(span))) {
    const endMs = end ? Date.parse(`${end.replace(' ', 'T')}Z`) : NaN;
    out.set('from', Number.isFinite(endMs) ? String(endMs - parseSpan(span)) : `now-${span}`);
    out.set('to', Number.isFinite(endMs) ? String(endMs) : 'now');
  }
  copy(q, out, ['from', 'to', 'tab']);
  const tab = q.get('g0.tab');
  if (tab === '1' || tab === 'table') out.set('tab', 'table');
  return `/explore/metrics${out.toString() ? `?${out}` : ''}`;
}

function search(q: URLSearchParams): string {
  const out = new URLSearchParams();
  copy(q, out, ['service', 'operation', 'minDuration', 'maxDuration', 'limit', 'from', 'to']);
  if (out.get('operation') === 'all') out.delete('operation');
  const tags = q.get('tags') ?? q.getAll('tag').map((t) => t.replace(':', '=')).join(' ');
  if (tags) out.set('tags', tags);
  const lookback = q.get('lookback');
  const start = q.get('start');
  const end = q.get('end');
  if (lookback && lookback !== 'custom' && Number.isFinite(parseSpan(lookback))) {
    out.set('from', `now-${lookback}`);
    out.set('to', 'now');
  } else if (start && end && /^\d{15,17}$/.test(start) && /^\d{15,17}$/.test(end)) {
    out.set('from', start.slice(0, -3));
    out.set('to', end.slice(0, -3));
  }
  return `/traces${out.toString() ? `?${out}` : ''}`;
}

/** The address that stands for an old one, or null when the address is ours. */
export function mapOldAddress(path: string, query: string, hash: string): string | null {
  const q = new URLSearchParams(query);
  // Alertmanager's pages: /#/alerts?filter={...}, /#/silences/new?filter={...}, /#/status
  const fragment = /^#\/(alerts|silences\/new|silences|status)(?:\/[^?]*)?(?:\?(.*))?$/.exec(hash);
  if (fragment) {
    const filter = new URLSearchParams(fragment[2] ?? '').get('filter');
    if (fragment[1] === 'silences/new') return `/silences/new${filter ? `?matchers=${encodeURIComponent(filter)}` : ''}`;
    return fragment[1] === 'status' ? '/alerting/routes' : `/${fragment[1]}`;
  }
  switch (path.length > 1 ? path.replace(/\/+$/, '') : path) {
    case '/graph':
    case '/query':
      return graph(q);
    case '/search':
      return search(q);
    case '/home':
    case '/login':
      return q.get('next')?.startsWith('/') && !q.get('next')!.startsWith('//') ? q.get('next') : '/';
    case '/rules':
      return '/alerts';
    case '/tsdb-status':
    case '/status':
      return '/server';
    case '/config':
    case '/flags':
      return '/server?tab=config';
    case '/explore':
      return '/explore/metrics';
    default:
      return null;
  }
}
