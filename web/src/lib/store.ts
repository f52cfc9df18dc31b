// What the whole application shares: where we are, who we are, the time range, the theme.
import { computed, effect, signal } from '@preact/signals';
import { mapOldAddress } from './addresses';
import { below, ownPath } from './base';
import { resolveRange, type ResolvedRange, type TimeRange } from './time';

// --- small things kept in the browser ---

function recall(key: string): string | null {
  try {
    return localStorage.getItem(`meerkat.${key}`);
  } catch {
    return null;
  }
}

export function keep(key: string, value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(`meerkat.${key}`);
    else localStorage.setItem(`meerkat.${key}`, value);
  } catch {
    // a full or closed storage costs the memory of a preference only
  }
}

export const remembered = (key: string, fallback: string) => recall(key) ?? fallback;

// --- location ---

export interface Place {
  path: string;
  query: URLSearchParams;
}

function readPlace(): Place {
  const old = mapOldAddress(ownPath(location.pathname), location.search, location.hash);
  if (old) history.replaceState(null, '', below(old));
  return { path: ownPath(location.pathname), query: new URLSearchParams(location.search) };
}

export const place = signal<Place>(readPlace());
addEventListener('popstate', () => (place.value = readPlace()));
addEventListener('hashchange', () => (place.value = readPlace()));

export function navigate(url: string, replace = false): void {
  if (url === ownPath(location.pathname) + location.search) return;
  history[replace ? 'replaceState' : 'pushState'](null, '', below(url));
  const before = place.value.path;
  place.value = readPlace();
  if (place.value.path !== before) scrollTo(0, 0);
}

/** Changes parameters of the current address; null removes one. */
export function setQuery(changes: Record<string, string | null>, replace = false): void {
  const query = new URLSearchParams(place.value.query);
  for (const [name, value] of Object.entries(changes)) {
    if (value === null || value === '') query.delete(name);
    else query.set(name, value);
  }
  const text = query.toString();
  navigate(place.value.path + (text ? `?${text}` : ''), replace);
}

/** All values of a repeated parameter. */
export function setParams(name: string, values: string[]): void {
  const query = new URLSearchParams(place.value.query);
  query.delete(name);
  values.forEach((v) => query.append(name, v));
  const text = query.toString();
  navigate(place.value.path + (text ? `?${text}` : ''));
}

/** Links within the page navigate without a reload; modified clicks stay the browser's. */
export function interceptLinks(e: MouseEvent): void {
  if (e.defaultPrevented || e.button !== 0 || e.metaKey || e.ctrlKey || e.shiftKey || e.altKey) return;
  const link = (e.target as Element | null)?.closest?.('a');
  if (!link || link.target || link.hasAttribute('download') || link.origin !== location.origin) return;
  const path = ownPath(link.pathname);
  if (/^\/(api|loki|assets)\//.test(path) || below(path) !== link.pathname) return;
  e.preventDefault();
  navigate(path + link.search);
}

// --- session ---

export interface Session {
  user: string;
  role: 'viewer' | 'editor' | 'admin' | 'none';
  password_is_default: boolean;
  ports: Record<string, number>;
  version: string;
}

/** undefined: not known yet; null: signed out. */
export const session = signal<Session | null | undefined>(undefined);

// --- time ---

export const utc = signal(remembered('utc', '') === '1');
effect(() => keep('utc', utc.value ? '1' : null));

const lastRange = signal<TimeRange>({ from: remembered('from', 'now-1h'), to: 'now' });

/** The range of the address; views without one go on with the last. */
export const range = computed<TimeRange>(() => {
  const { query } = place.value;
  const from = query.get('from');
  return from ? { from, to: query.get('to') ?? 'now' } : lastRange.value;
});

export function setRange(next: TimeRange): void {
  lastRange.value = next;
  if (next.to === 'now') keep('from', next.from);
  setQuery({ from: next.from, to: next.to });
}

export const refreshTick = signal(0);
export const refresh = () => void refreshTick.value++;
export const refreshEvery = signal(Number(remembered('refresh', '0')));
effect(() => {
  keep('refresh', refreshEvery.value ? String(refreshEvery.value) : null);
  if (!refreshEvery.value) return;
  const timer = setInterval(() => document.hidden || refresh(), refreshEvery.value * 1000);
  return () => clearInterval(timer);
});

/** The range in milliseconds at this moment. */
export const currentRange = (): ResolvedRange => resolveRange(range.value, Date.now(), utc.value);

/** "from=..&to=.." to carry the range to another view. */
export function rangeQuery(): string {
  const { from, to } = range.value;
  return `from=${encodeURIComponent(from)}&to=${encodeURIComponent(to)}`;
}

// --- theme ---

export type Theme = 'dark' | 'light';
export const theme = signal<Theme>(document.documentElement.dataset.theme === 'light' ? 'light' : 'dark');

export function toggleTheme(): void {
  theme.value = theme.value === 'dark' ? 'light' : 'dark';
  document.documentElement.dataset.theme = theme.value;
  keep('theme', theme.value);
}

// --- preferences: kept by the server for the user, by the browser for the next paint ---

export interface Preferences {
  theme?: Theme;
  utc?: boolean;
}

export function applyPreferences(p: Preferences): void {
  if (recall('theme') === null && p.theme && p.theme !== theme.value) toggleTheme();
  if (recall('utc') === null && p.utc) utc.value = true;
}

// --- toasts ---

export interface Toast {
  id: number;
  text: string;
  kind: 'info' | 'error';
}
export const toasts = signal<Toast[]>([]);
let nextToast = 1;

export function toast(text: string, kind: Toast['kind'] = 'info'): void {
  const id = nextToast++;
  toasts.value = [...toasts.value.slice(-3), { id, text, kind }];
  setTimeout(() => (toasts.value = toasts.value.filter((t) => t.id !== id)), kind === 'error' ? 8000 : 3500);
}

export const shortcutsOpen = signal(false);
export const passwordOpen = signal(false);
