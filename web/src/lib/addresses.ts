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

const withQuery = (path: string, q: URLSearchParams) => (q.toString() ? `${path}?${q}` : path);

/** Alertmanager's pages: /#/alerts?filter={...}, /#/silences/ID, /#/silences/new?filter={...}, /#/status. Its notifications link
 * to /#/alerts?receiver=NAME, which is a question about groups. */
function alertmanager(page: string, rest: string, q: URLSearchParams): string {
  const out = new URLSearchParams(), filter = q.get('filter');
  if (page === 'status') return '/alerting/routes';
  if (page === 'alerts') {
    copy(q, out, ['receiver', 'filter']);
    return withQuery(q.get('receiver') ? '/alerting/groups' : '/alerts', out);
  }
  if (rest === 'new') {
    if (filter) out.set('matchers', filter);
    return withQuery('/silences/new', out);
  }
  const id = /^([0-9a-fA-F-]{8,64})(\/edit)?$/.exec(rest);
  if (id) out.set('id', id[1]);
  else copy(q, out, ['filter']);
  return withQuery(id?.[2] ? '/silences/new' : '/silences', out);
}

/** The address that stands for an old one, or null when the address is ours. */
export function mapOldAddress(path: string, query: string, hash: string): string | null {
  const q = new URLSearchParams(query);
  const old = /^#\/(alerts|silences|status)(?:\/([^?]*))?(?:\?(.*))?$/.exec(hash);
  if (old) return alertmanager(old[1], old[2] ?? '', new URLSearchParams(old[3] ?? ''));
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
