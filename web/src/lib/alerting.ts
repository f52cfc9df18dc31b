// Rules, alerts, groups, silences, routes, receivers, history: see docs/alerting-api.md.
import { getJson, send, type Labels } from './api';
import { matcherText, type Matcher } from './matchers';

const base = '/api/meerkat/v1/alerting';
const post = async <T>(path: string, body: unknown): Promise<T> => {
  const text = await (await send('POST', `${base}/${path}`, body)).text();
  return (text ? JSON.parse(text) : undefined) as T;
};
const get = <T>(path: string, signal?: AbortSignal) => getJson<T>(`${base}/${path}`, signal);

// --- rules ---

export interface ActiveAlert { labels: Labels; annotations: Labels; state: 'pending' | 'firing'; activeAt: string; keepFiringSince?: string; value: string }
export interface Rule {
  name: string; query: string; type: 'alerting' | 'recording'; state?: 'inactive' | 'pending' | 'firing'; duration?: number; keepFiringFor?: number;
  datasource?: 'loki' | 'tempo'; range?: number; // PromQL when there is none; seconds, of tempo
  labels: Labels; annotations?: Labels; alerts?: ActiveAlert[]; health: string; lastError?: string; evaluationTime: number; lastEvaluation: string;
}
export interface RuleGroup { name: string; file: string; interval: number; rules: Rule[]; lastEvaluation: string; evaluationTime: number }
export const ruleGroups = async (signal?: AbortSignal) =>
  (await getJson<{ data: { groups: RuleGroup[] | null } }>('/api/v1/rules?type=alert', signal)).data.groups ?? [];

// --- alerts as the Alertmanager has them ---

export interface AmAlert {
  fingerprint: string; labels: Labels; annotations: Labels; startsAt: string; endsAt: string; generatorURL: string;
  receivers: { name: string }[]; status: { state: string; silencedBy: string[]; inhibitedBy: string[]; mutedBy?: string[] };
}
/** Those of one name. */
export const amAlerts = (name: string, signal?: AbortSignal) =>
  getJson<AmAlert[]>(`/api/v2/alerts?filter=${encodeURIComponent(matcherText({ name: 'alertname', value: name, isRegex: false, isEqual: true }))}`, signal);

export interface NameCount { name: string; active: number; suppressed: number; since: string }
export const alertNames = async (signal?: AbortSignal) => (await get<{ names: NameCount[] }>('alerts/names', signal)).names;

export interface Sent {
  integration: string; index: number; sendResolved: boolean; decision?: string; decidedAt?: string; lastNotified?: string; repeatsAt?: string;
  lastAttempt?: string; nextAttempt?: string; lastSuccess?: string; attempts?: number; status?: number; error?: string;
}
export interface Member { fingerprint: string; labels: Labels; summary: string; startsAt: string; generatorURL: string; state: string; acknowledged: boolean }
export interface Group {
  key: string; labels: Labels; receiver: string; alerts: Member[]; alertCount: number;
  createdAt: string; lastFlush?: string; nextFlush?: string; outcome?: string; mutedBy: string[]; integrations: Sent[];
}
export const groups = (p: { filter?: string[]; receiver?: string; key?: string; alerts: number }, signal?: AbortSignal) => {
  const q = new URLSearchParams({ alerts: String(p.alerts) });
  for (const f of p.filter ?? []) q.append('filter', f);
  if (p.receiver) q.set('receiver', p.receiver);
  if (p.key) q.set('key', p.key);
  return get<Group[]>(`groups?${q}`, signal);
};

export interface Why {
  fingerprint: string; labels: Labels; annotations: Labels; startsAt: string; endsAt?: string; state: string; summary: string;
  silencedBy: { id: string; createdBy: string; comment: string; endsAt: string }[];
  inhibitedBy: { fingerprint: string; labels: Labels; rule: string }[];
  ack: Ack | null;
  routes: {
    receiver: string; path: string[]; matchers: string; line?: number; groupBy: string[]; groupWait: string; groupInterval: string; repeatInterval: string;
    mutedBy: string[]; group?: { key: string; labels: Labels; alerts: number; lastFlush?: string; nextFlush?: string; outcome?: string }; integrations: Sent[];
  }[];
}
export const why = (fingerprint: string, signal?: AbortSignal) => get<Why>(`alerts/${fingerprint}/why`, signal);

export interface Ack { fingerprint?: string; labels?: Labels; owner: string; comment: string; at: string; expiresAt?: string }
export const acks = (signal?: AbortSignal) => get<Ack[]>('acks', signal);
export const acknowledge = (body: { fingerprints: string[]; owner: string; comment: string; duration?: string }) => post<{ acknowledged: string[] }>('acks', body);
export const unacknowledge = (fingerprint: string) => send('DELETE', `${base}/acks/${fingerprint}`);

// --- silences ---

export interface Silence {
  id: string; status: { state: 'active' | 'pending' | 'expired' }; matchers: Matcher[]; startsAt: string; endsAt: string; createdBy: string; comment: string;
  updatedAt: string; recurrence?: string; // JSON of Recurrence[]
}
export interface Recurrence { times?: { start_time: string; end_time: string }[]; weekdays?: string[]; location?: string }
export interface NewSilence {
  id?: string; // the one to change
  matchers: Matcher[]; startsAt?: string; duration: string; createdBy: string; comment: string; recurrence?: Recurrence[]; force?: boolean;
}
export const silences = (signal?: AbortSignal) => getJson<Silence[]>('/api/v2/silences', signal);
export const silence = (id: string, signal?: AbortSignal) => getJson<Silence>(`/api/v2/silence/${encodeURIComponent(id)}`, signal);
export const createSilence = (s: NewSilence) => post<{ silenceID: string; matches: number }>('silences', s);
export const expireSilence = (id: string) => send('DELETE', `/api/v2/silence/${id}`);
export interface SilencePreview { count: number; alerts: { fingerprint: string; labels: Labels }[]; refused: string }
export const previewSilence = (matchers: Matcher[]) => post<SilencePreview>('silences/preview', { matchers });

// --- routes, receivers, history ---

export interface Route {
  id: string; receiver: string; matchers: string; continue: boolean; groupBy: string[]; groupWait: string; groupInterval: string; repeatInterval: string;
  muteTimeIntervals: string[]; activeTimeIntervals: string[]; line?: number; routes: Route[];
}
export const routeTree = (signal?: AbortSignal) => get<Route>('routes', signal);
export interface RouteTest {
  receivers: string[]; visited: { id: string; matched: boolean; final: boolean }[];
  routes: { receiver: string; path: string[]; groupBy: string[]; groupWait: string; groupInterval: string; repeatInterval: string; mutedBy: string[] }[];
}
export interface TimeInterval { name: string; active: boolean; until?: string }
export const timeIntervals = (signal?: AbortSignal) => get<TimeInterval[]>('time-intervals', signal);
export const testRoute = (labels: Labels) => post<RouteTest>('routes/test', { labels });

export interface ReceiverInfo { name: string; labels: Labels; integrations: Sent[] }
export const receivers = (signal?: AbortSignal) => get<ReceiverInfo[]>('receivers', signal);
export interface TestResult { integration: string; index: number; ok: boolean; status: number; error: string; durationMs: number }
export const testReceiver = (name: string) => post<{ results: TestResult[] }>(`receivers/${encodeURIComponent(name)}/test`, {});
export const previewReceiver = (name: string) =>
  post<{ results: { integration: string; index: number; preview: string }[] }>(`receivers/${encodeURIComponent(name)}/preview`, {});

export interface HistoryEvent { time: string; kind: string; labels: Labels; [more: string]: unknown }
export const history = (p: { from: number; to: number; kind: string; filter: string }, signal?: AbortSignal) => {
  const q = new URLSearchParams({ from: (p.from / 1000).toFixed(3), to: (p.to / 1000).toFixed(3), limit: '500' });
  if (p.kind) q.set('kind', p.kind);
  if (p.filter) q.set('filter', p.filter);
  return get<{ events: HistoryEvent[]; truncated: boolean }>(`history?${q}`, signal);
};

export interface AmStatus {
  cluster: { status: string; name?: string; peers?: { name: string; address: string }[] | null }; config: { original: string }; uptime: string;
  versionInfo: Record<string, string>;
}
export const amStatus = (signal?: AbortSignal) => getJson<AmStatus>('/api/v2/status', signal);

export interface Heartbeat { name: string; direction: 'in' | 'out'; lastSeen?: string; timeout?: string; state: string }
export const heartbeats = (signal?: AbortSignal) => get<Heartbeat[]>('heartbeats', signal);
