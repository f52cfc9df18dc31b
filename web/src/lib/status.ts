// What the server says of itself: cardinality, queries under way, configuration, plans.
import { ask, getJson, send } from './api';

interface Envelope<T> { data: T }
const data = async <T>(url: string, signal?: AbortSignal): Promise<T> => (await getJson<Envelope<T>>(url, signal)).data;

export interface Counted { name: string; series: number; before: number }
export interface LabelCount { name: string; values: number; valuesBefore: number; series: number; bytes: number }
export interface Refused { metric: string; attempts: number; first: number; last: number; limit: 'total' | 'metric' | 'labels' }
export interface Cardinality {
  series: number; seriesBefore: number;
  metrics: Counted[]; labels: LabelCount[]; pairs: Counted[];
  limits: { series: number; seriesPerMetric: number; labels: number };
  refused: Refused[];
}
export const cardinality = (p: { compare: string; metric: string; limit: number }, signal?: AbortSignal) => {
  const q = new URLSearchParams({ compare: p.compare, limit: String(p.limit) });
  if (p.metric) q.set('match[]', `{__name__=${JSON.stringify(p.metric)}}`);
  return data<Cardinality>(`/api/meerkat/v1/cardinality?${q}`, signal);
};

export interface RunningQuery {
  id: number; state: 'queued' | 'running' | 'finished'; query: string; origin: string; user: string; began: string;
  start: number; end: number; step: number; queueSeconds: number; runSeconds: number; samples: number; memoryBytes: number;
  killed: boolean; error?: string;
}
export interface QueryList { queries: RunningQuery[]; slowThresholdSeconds: number; concurrency: number }
export const runningQueries = (signal?: AbortSignal) => data<QueryList>('/api/meerkat/v1/queries', signal);
export const slowQueries = (signal?: AbortSignal) => data<QueryList>('/api/meerkat/v1/queries/slow', signal);
export const killQuery = (id: number) => send('DELETE', `/api/meerkat/v1/queries/${id}`);

export const configYaml = async (signal?: AbortSignal) => (await data<{ yaml: string }>('/api/v1/status/config', signal)).yaml;
export const serverYaml = async (signal?: AbortSignal) => (await data<{ yaml: string }>('/api/meerkat/v1/config', signal)).yaml;
export const flags = (signal?: AbortSignal) => data<Record<string, string>>('/api/v1/status/flags', signal);
export const runtimeInfo = (signal?: AbortSignal) => data<Record<string, string | number | boolean>>('/api/v1/status/runtimeinfo', signal);
export const buildInfo = (signal?: AbortSignal) => data<Record<string, string>>('/api/v1/status/buildinfo', signal);

export interface Plan {
  op: string; name: string; text: string; how?: string; steps: number; series: number; points: number; seconds: number; threads: number;
  seriesMatched?: number; samplesDecoded?: number; blocks?: number; blocksDecoded?: number; blocksSkipped?: number;
  children: Plan[];
}
export interface Explained { series: number; execSeconds: number; samplesRead: number; peakSamples: number; plan: Plan | null }
export const explain = async (query: string, from: number, to: number, step: number, signal?: AbortSignal) =>
  (await ask<Envelope<Explained>>('/api/meerkat/v1/explain',
    { query, start: (from / 1000).toFixed(3), end: (to / 1000).toFixed(3), step: String(step) }, signal)).data;
