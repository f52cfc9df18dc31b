// Addresses of the tools that came before lead to the views that replace them.
import { parseSpan } from './time';

const copy = (from: URLSearchParams, to: URLSearchParams, names: string[]) => {
  for (const name of names) {
    const value = from.get(name);
    if (value) to.set(name, value);
  }
};

const withQuery = (path: string, q: URLSearchParams) => (q.toString() ? `${path}?${q}` : path);

/** Prometheus' explorer had a panel for each expression; here they share one. The first panel's settings hold for all. */
function graph(q: URLSearchParams): string {
  const out = new URLSearchParams();
  const panels = [...new Set([...q.keys()].map((k) => /^g(\d+)\.expr$/.exec(k)?.[1]).filter((n) => n !== undefined))].sort((a, b) => Number(a) - Number(b));
  for (const n of panels) {
    const expr = q.get(`g${n}.expr`);
    if (expr) out.append('expr', expr);
  }
  if (!panels.length) q.getAll('expr').forEach((e) => out.append('expr', e));
  const first = (name: string) => q.get(`g${panels[0] ?? 0}.${name}`);
  const span = first('range_input') ?? '1h', spanMs = parseSpan(span), end = first('end_input') ?? first('moment_input');
  const endMs = end ? Date.parse(`${end.replace(' ', 'T')}Z`) : NaN;
  if (Number.isFinite(spanMs) && (Number.isFinite(endMs) || first('range_input'))) {
    out.set('from', Number.isFinite(endMs) ? String(endMs - spanMs) : `now-${span}`);
    out.set('to', Number.isFinite(endMs) ? String(endMs) : 'now');
  }
  copy(q, out, ['from', 'to', 'tab']);
  const tab = first('tab');
  if (tab === '1' || tab === 'table') out.set('tab', 'table');
  if (tab === 'explain') out.set('tab', 'explain');
  if (first('stacked') === '1' || first('display_mode') === 'stacked') out.set('stacked', '1');
  if (first('show_exemplars') === '1') out.set('exemplars', '1');
  return withQuery('/explore/metrics', out);
}

function decoded(text?: string): string | undefined {
  try {
    return text && decodeURIComponent(text);
  } catch {
    return text;
  }
}

/** Prometheus' lists: ?search=..., ?scrapePool=... or #pool-..., ?state=... */
function list(path: string, q: URLSearchParams, hash: string): string | null {
  const out = new URLSearchParams(q), pool = q.get('scrapePool') ?? decoded(/^#pool-(.+)$/.exec(hash)?.[1]);
  const text = q.get('search');
  out.delete('search');
  out.delete('scrapePool');
  if (text) out.set('q', text);
  if (pool) out.set('pool', pool);
  return q.has('search') || pool ? withQuery(path, out) : null;
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

/** Alertmanager's pages: /#/alerts?filter={...}, /#/silences/ID, /#/silences/new?filter={...}, /#/status. Its notifications link
 * to /#/alerts?receiver=NAME, which is a question about groups. */
function alertmanager(page: string, rest: string, q: URLSearchParams): string {
  const out = new URLSearchParams(), filter = q.get('filter');
  if (page === 'status') return '/server?tab=config';
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
      return list('/alerts', q, hash) ?? withQuery('/alerts', q);
    case '/alerts':
    case '/targets':
    case '/service-discovery':
      return list(path.replace(/\/+$/, ''), q, hash);
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
