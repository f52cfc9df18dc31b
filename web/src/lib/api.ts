// Requests to the server's APIs, all on this origin.
import { useEffect, useRef, useState } from 'preact/hooks';
import { below } from './base';
import { applyPreferences, session, type Preferences, type Session } from './store';
import type { JaegerTrace } from './trace';
import type { LokiStream } from './logs';

export class ApiError extends Error {
  constructor(readonly status: number, message: string, readonly kind = '') {
    super(message);
  }
}

async function failure(res: Response): Promise<ApiError> {
  const text = await res.text().catch(() => '');
  let message = text.trim();
  let kind = '';
  try {
    const body = JSON.parse(text) as { error?: unknown; errorType?: string; message?: string; errors?: { msg?: string }[] };
    kind = body.errorType ?? '';
    message = typeof body.error === 'string' ? body.error : body.message ?? body.errors?.[0]?.msg ?? message;
  } catch {
    // plain text
  }
  if (res.headers.get('content-type')?.includes('html')) message = '';
  return new ApiError(res.status, message || `the server answered ${res.status} ${res.statusText}`.trim(), kind);
}

async function request(url: string, init: RequestInit): Promise<Response> {
  let res: Response;
  try {
    res = await fetch(below(url), { credentials: 'same-origin', ...init });
  } catch (e) {
    if ((e as Error).name === 'AbortError') throw e;
    throw new ApiError(0, 'The server cannot be reached');
  }
  if (res.ok) return res;
  const error = await failure(res);
  if (res.status === 401 && url !== '/login') session.value = null;
  throw error;
}

export async function getJson<T>(url: string, signal?: AbortSignal): Promise<T> {
  const res = await request(url, { signal, headers: { Accept: 'application/json' } });
  try {
    return (await res.json()) as T;
  } catch (e) {
    if ((e as Error).name === 'AbortError') throw e;
    throw new ApiError(res.status, 'the answer is not JSON');
  }
}

export async function send(method: string, url: string, body?: unknown): Promise<Response> {
  return request(url, {
    method,
    headers: body === undefined ? {} : { 'Content-Type': 'application/json' },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
}

/** Long queries do not fit an address line. */
export async function ask<T>(path: string, params: Record<string, string>, signal?: AbortSignal): Promise<T> {
  const text = new URLSearchParams(params).toString();
  if (text.length < 4000) return getJson<T>(`${path}?${text}`, signal);
  const res = await request(path, {
    method: 'POST', signal, body: text, headers: { 'Content-Type': 'application/x-www-form-urlencoded' },
  });
  return (await res.json()) as T;
}

// --- session ---

export async function loadSession(): Promise<void> {
  let who: Session | null = null;
  try {
    who = await getJson<Session | null>('/api/meerkat/v1/session?anonymous=ok');
  } catch {
    // unreachable is as good as signed out: the sign-in page says why when it is tried
  }
  session.value = who;
  if (who) void loadPreferences();
}

/** What the user chose on another machine, where this one has no choice of its own. */
const loadPreferences = () => getJson<Preferences>('/api/meerkat/v1/preferences').then(applyPreferences, () => undefined);

let saving: ReturnType<typeof setTimeout> | undefined;

export function savePreferences(p: Preferences): void {
  clearTimeout(saving);
  saving = setTimeout(() => void send('PUT', '/api/meerkat/v1/preferences', p).catch(() => undefined), 400);
}

export async function signIn(user: string, password: string): Promise<void> {
  const res = await send('POST', '/login', { user, password });
  session.value = (await res.json()) as Session;
  void loadPreferences();
}

export async function signOut(): Promise<void> {
  await send('POST', '/logout').catch(() => undefined);
  session.value = null;
}

// --- Prometheus ---

export type Labels = Record<string, string>;
/** Bounds are included as the first number of a bucket says: 0 upper, 1 lower, 2 neither, 3 both. */
export interface PromHistogram { count: string; sum: string; buckets?: [number, string, string, string][] }
export interface PromSeries {
  metric: Labels;
  value?: [number, string];
  values?: [number, string][];
  histogram?: [number, PromHistogram];
  histograms?: [number, PromHistogram][];
}
export interface PromResult {
  resultType: 'vector' | 'matrix' | 'scalar' | 'string';
  result: PromSeries[] | [number, string];
}
interface PromEnvelope<T> { status: string; data: T; warnings?: string[]; infos?: string[] }

export const promRange = (query: string, from: number, to: number, step: number, signal?: AbortSignal) =>
  ask<PromEnvelope<PromResult>>('/api/v1/query_range',
    { query, start: (from / 1000).toFixed(3), end: (to / 1000).toFixed(3), step: String(step) }, signal);

export const promInstant = (query: string, time: number, signal?: AbortSignal) =>
  ask<PromEnvelope<PromResult>>('/api/v1/query', { query, time: (time / 1000).toFixed(3) }, signal);

export interface Exemplars { seriesLabels: Labels; exemplars: { labels: Labels; value: string; timestamp: number }[] }
export const promExemplars = async (query: string, from: number, to: number, signal?: AbortSignal) =>
  (await ask<{ data: Exemplars[] | null }>('/api/v1/query_exemplars',
    { query, start: (from / 1000).toFixed(3), end: (to / 1000).toFixed(3) }, signal)).data ?? [];

export const promValues = async (label: string, signal?: AbortSignal) =>
  (await getJson<PromEnvelope<string[]>>(`/api/v1/label/${encodeURIComponent(label)}/values`, signal)).data ?? [];
export interface Target {
  labels: Labels; discoveredLabels: Labels; scrapePool: string; scrapeUrl: string; lastError: string;
  lastScrape: string; lastScrapeDuration: number; health: string; scrapeInterval?: string;
}
export const promTargets = async (signal?: AbortSignal) =>
  (await getJson<PromEnvelope<{ activeTargets: Target[] | null; droppedTargets?: { discoveredLabels: Labels; scrapePool: string }[]; droppedTargetCounts?: Record<string, number> }>>(
    '/api/v1/targets', signal)).data;

export interface Alert { labels: Labels; annotations: Labels; state: string; activeAt: string }
export const promAlerts = async (signal?: AbortSignal) =>
  (await getJson<PromEnvelope<{ alerts: Alert[] | null }>>('/api/v1/alerts', signal)).data?.alerts ?? [];

// --- Loki ---

export interface LokiResult {
  resultType: 'streams' | 'matrix' | 'vector';
  result: LokiStream[] | PromSeries[];
  stats?: { summary?: { totalBytesProcessed?: number; totalLinesProcessed?: number; execTime?: number } };
}
const ns = (ms: number) => `${Math.round(ms)}000000`;

export const lokiRange = (query: string, from: number, to: number, more: Record<string, string>, signal?: AbortSignal) =>
  ask<{ data: LokiResult }>('/loki/api/v1/query_range', { query, start: ns(from), end: ns(to), ...more }, signal);
export const lokiLabels = async (from: number, to: number, signal?: AbortSignal) =>
  (await getJson<{ data?: string[] }>(`/loki/api/v1/labels?start=${ns(from)}&end=${ns(to)}`, signal)).data ?? [];
export const lokiValues = async (label: string, from: number, to: number, signal?: AbortSignal) =>
  (await getJson<{ data?: string[] }>(
    `/loki/api/v1/label/${encodeURIComponent(label)}/values?start=${ns(from)}&end=${ns(to)}`, signal)).data ?? [];

// --- traces ---

/** A value of OTLP/JSON as text. */
export const otlpText = (value: Record<string, unknown>) => String(Object.values(value)[0] ?? '');
interface TempoSeries { labels: { key: string; value: Record<string, unknown> }[]; samples: { timestampMs: string; value: number }[] }
/** TraceQL metrics, as PromQL's series. */
export const tempoRange = async (q: string, from: number, to: number, step: number, signal?: AbortSignal): Promise<PromSeries[]> =>
  (await ask<{ series: TempoSeries[] }>('/api/metrics/query_range', { q, start: ns(from), end: ns(to), step: `${step}s`, exemplars: '0' }, signal))
    .series.map((s) => ({
      metric: Object.fromEntries(s.labels.map((l) => [l.key, otlpText(l.value)])),
      values: s.samples.map((x) => [Number(x.timestampMs) / 1000, String(x.value)] as [number, string]),
    }));

export interface Service {
  service: string; requests: number; errors: number; rate: number; error_ratio: number;
  p50: number; p95: number; p99: number; // seconds
  last_seen: number; // seconds since the epoch
  points: [number, number, number, number][]; // seconds, rate, errors, p95
}
export const services = async (from: number, to: number, step: number, signal?: AbortSignal) =>
  (await getJson<Service[] | null>(
    `/api/meerkat/v1/services?start=${(from / 1000).toFixed(3)}&end=${(to / 1000).toFixed(3)}&step=${step}`, signal)) ?? [];

interface JaegerEnvelope<T> { data: T | null }
export const jaegerServices = async (signal?: AbortSignal) =>
  (await getJson<JaegerEnvelope<string[]>>('/api/services', signal)).data ?? [];
export const jaegerOperations = async (service: string, signal?: AbortSignal) =>
  (await getJson<JaegerEnvelope<string[]>>(`/api/services/${encodeURIComponent(service)}/operations`, signal)).data ?? [];
export const jaegerTraces = async (params: Record<string, string>, signal?: AbortSignal) =>
  (await ask<JaegerEnvelope<JaegerTrace[]>>('/api/traces', params, signal)).data ?? [];
export async function jaegerTrace(id: string, signal?: AbortSignal): Promise<JaegerTrace | null> {
  const { data } = await getJson<JaegerEnvelope<JaegerTrace[]>>(`/api/traces/${encodeURIComponent(id)}`, signal);
  return data?.[0] ?? null;
}

// --- in components ---

export interface Resource<T> {
  data: T | undefined;
  error: ApiError | null;
  loading: boolean;
  reload: () => void;
}

/** Loads when a dependency changes; the previous answer stays visible meanwhile, an overtaken request is aborted. */
export function useResource<T>(load: ((signal: AbortSignal) => Promise<T>) | null, deps: unknown[]): Resource<T> {
  const [state, setState] = useState<{ data?: T; error: ApiError | null; loading: boolean }>({ error: null, loading: load !== null });
  const [turn, setTurn] = useState(0);
  const loader = useRef(load);
  loader.current = load;
  useEffect(() => {
    if (!loader.current) {
      setState({ error: null, loading: false });
      return;
    }
    const abort = new AbortController();
    setState((s) => ({ ...s, loading: true }));
    loader.current(abort.signal).then(
      (data) => abort.signal.aborted || setState({ data, error: null, loading: false }),
      (e: unknown) => {
        if (abort.signal.aborted || (e as Error).name === 'AbortError') return;
        const error = e instanceof ApiError ? e : new ApiError(0, (e as Error).message);
        setState((s) => ({ data: s.data, error, loading: false }));
      });
    return () => abort.abort();
  }, [...deps, turn]);
  return { data: state.data, error: state.error, loading: state.loading, reload: () => setTurn((t) => t + 1) };
}
