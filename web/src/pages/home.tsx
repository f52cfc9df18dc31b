// Services at a glance; while nothing has arrived, how to send something.
import { useEffect, useMemo, useState } from 'preact/hooks';
import { jaegerServices, lokiLabels, lokiRange, promAlerts, services, useResource, type Alert, type Service } from '../lib/api';
import { nameColor } from '../lib/colors';
import { formatNumber, formatRate, formatRatio, formatSeconds, formatterOf, plural, shorten } from '../lib/format';
import { judge, slowdown } from '../lib/health';
import { everything, flatten, groupLines, withMatcher, type LogGroup, type LokiStream } from '../lib/logs';
import { currentRange, navigate, range, rangeQuery, refreshTick, session, utc } from '../lib/store';
import { formatAgo, formatDateTime, niceStep } from '../lib/time';
import { Card, Empty, ErrorBox, PageHead, Progress, Spinner, Stat } from '../ui/basics';
import { Sparkline } from '../ui/bars';
import { Chart } from '../ui/chart';
import { Icon } from '../ui/icons';
import { RangePicker } from '../ui/range';
import { Onboarding, PortTable } from './onboarding';

type SortKey = 'trouble' | 'service' | 'rate' | 'error_ratio' | 'p50' | 'p95' | 'p99' | 'last_seen';

const columns: [SortKey, string][] = [
  ['service', 'Service'], ['rate', 'Requests'], ['error_ratio', 'Errors'], ['p50', 'p50'], ['p95', 'p95'], ['p99', 'p99'], ['last_seen', 'Last seen'],
];

/** A service whose spans serve no requests (workers, clients), or none in the range. */
const quiet = (service: string): Service =>
  ({ service, requests: 0, errors: 0, rate: 0, error_ratio: 0, p50: NaN, p95: NaN, p99: NaN, last_seen: 0, points: [] });

function ServiceRow({ s }: { s: Service }) {
  const href = `/traces?service=${encodeURIComponent(s.service)}&${rangeQuery()}`;
  const tone = s.error_ratio >= 0.05 ? 'tone-bad' : s.error_ratio >= 0.01 ? 'tone-warn' : '';
  const health = judge(s);
  const slow = slowdown(s.points) >= 2;
  return (
    <tr data-testid="service-row" class="clickable" onClick={(e) => (e.target as Element).closest('a') || navigate(href)}>
      <th scope="row"><div class="service-cell"><a href={href} class="service-name"><i class="dot" style={{ background: nameColor(s.service) }} />{s.service}</a>
        {health.tone && <span class={`pill pill-${health.tone}`}><Icon name="warn" size={12} />{health.reason}</span>}</div></th>
      <td class="spark-cell wide-only"><Sparkline values={s.points.map((p) => p[1])} color={nameColor(s.service)} label={`Requests of ${s.service} over time`} /></td>
      <td class="num wide-only">{s.requests ? formatRate(s.rate) : <span class="muted" title="No requests served in this range">–</span>}</td>
      <td class={`num ${tone}`}>{s.errors > 0 && tone && <Icon name="warn" size={12} />}{s.requests ? formatRatio(s.error_ratio) : <span class="muted">–</span>}</td>
      <td class="num wide-only">{formatSeconds(s.p50)}</td>
      <td class={`num strong ${slow ? `tone-${health.tone}` : ''}`}>{formatSeconds(s.p95)}</td>
      <td class="spark-cell wide-only"><Sparkline values={s.points.map((p) => p[3])} color={slow ? `var(--${health.tone})` : 'var(--text-3)'} label={`p95 of ${s.service} over time`} width={90} /></td>
      <td class="num wide-only">{formatSeconds(s.p99)}</td>
      <td class="num muted wide-only" title={s.last_seen ? formatDateTime(s.last_seen * 1000, utc.value) : ''}>{s.last_seen ? formatAgo(s.last_seen * 1000, Date.now()) : '–'}</td>
    </tr>
  );
}

function ServiceTable({ list }: { list: Service[] }) {
  const [sort, setSort] = useState<{ key: SortKey; down: boolean }>({ key: 'trouble', down: true });
  const value = (s: Service) => (sort.key === 'trouble' ? judge(s).score : s[sort.key]);
  const sorted = [...list].sort((a, b) => {
    const x = value(a), y = value(b);
    if (!a.requests !== !b.requests && sort.key !== 'service') return a.requests ? -1 : 1;
    return (x < y ? -1 : x > y ? 1 : 0) * (sort.down ? -1 : 1) || (sort.key === 'trouble' && b.rate - a.rate) || (a.service < b.service ? -1 : 1);
  });
  const head = ([key, name]: [SortKey, string]) => (
    <th key={key} scope="col" class={key === 'service' ? '' : ['rate', 'p50', 'p99', 'last_seen'].includes(key) ? 'num wide-only' : 'num'} aria-sort={sort.key === key ? (sort.down ? 'descending' : 'ascending') : undefined}>
      <button type="button" class="sort" onClick={() => setSort({ key, down: sort.key === key ? !sort.down : key !== 'service' })}>{name}</button>
    </th>
  );
  return (
    <div class="table-scroll" tabIndex={0} role="region" aria-label="Services">
      <table class="table service-table">
        <thead>
          <tr>{head(columns[0])}<th scope="col" class="spark-head wide-only">Traffic</th>{columns.slice(1, 5).map(head)}<th scope="col" class="spark-head wide-only">p95 over time</th>{columns.slice(5).map(head)}</tr>
        </thead>
        <tbody>{sorted.map((s) => <ServiceRow key={s.service} s={s} />)}</tbody>
      </table>
    </div>
  );
}

const alertTone = (severity = '') => (/^(none|info)$/.test(severity) ? '' : severity === 'warning' ? 'pill-warn' : 'pill-bad');
const alertRows = 12, alertNamesMax = 60;

interface NamedAlerts { name: string; severity?: string; text: string; n: number }

/** One for each name and severity, the worst first; they keep the order of the rules otherwise. */
function byName(list: Alert[]): NamedAlerts[] {
  const found = new Map<string, NamedAlerts>();
  for (const { labels, annotations } of list) {
    const key = `${labels.severity}\0${labels.alertname}`, had = found.get(key);
    if (had) had.n++;
    else found.set(key, { name: labels.alertname ?? '', severity: labels.severity, text: annotations.summary ?? annotations.description ?? '', n: 1 });
  }
  const rank = (a: NamedAlerts) => ['pill-bad', 'pill-warn', ''].indexOf(alertTone(a.severity));
  return [...found.values()].sort((a, b) => rank(a) - rank(b));
}

function Alerts({ list }: { list: Alert[] }) {
  const named = byName(list), rest = named.slice(alertRows);
  const link = (a: NamedAlerts) => `/alerts?q=${encodeURIComponent(a.name)}`;
  return (
    <Card title={plural(list.length, 'firing alert')} class="card-alerts" actions={<a class="small" href="/alerts">All alerts</a>}>
      <ul class="alert-list">
        {named.slice(0, alertRows).map((a) => (
          <li key={`${a.severity} ${a.name}`}><span class={`pill ${alertTone(a.severity)}`}><Icon name="bell" size={12} />{shorten(a.severity ?? 'firing', 40)}</span>
            <a class="strong" href={link(a)}><bdi>{a.name}</bdi></a>{a.n > 1 && <span class="muted nowrap">×{a.n.toLocaleString('en-US')}</span>}<span class="muted alert-summary"><bdi>{a.text}</bdi></span></li>
        ))}
      </ul>
      {rest.length > 0 && <p class="small alert-more">and {rest.slice(0, alertNamesMax).map((a, i) => <span key={`${a.severity} ${a.name}`}>{i > 0 && ', '}<a href={link(a)}>{a.name}</a></span>)}{rest.length > alertNamesMax && ` and ${rest.length - alertNamesMax} more`}</p>}
    </Card>
  );
}

/** Every service's p95 in one picture; the colours are those of the table. */
function Latency({ list }: { list: Service[] }) {
  const data = useMemo(() => {
    const shown = list.filter((s) => s.points.length > 1);
    const xs = [...new Set(shown.flatMap((s) => s.points.map((p) => p[0])))].sort((a, b) => a - b);
    const series = shown.map((s) => {
      const at = new Map(s.points.map((p) => [p[0], p[3]]));
      return { label: s.service, color: nameColor(s.service), values: xs.map((x) => at.get(x) || null) };
    });
    return { xs, series };
  }, [list]);
  if (!data.series.length) return null;
  return (
    <Card title="p95 by service"><Chart xs={data.xs} series={data.series} height={210} legend={false} format={formatterOf('s')} label="p95 of every service over time" /></Card>
  );
}

async function latestErrors(signal: AbortSignal): Promise<{ groups: LogGroup[]; query: string } | null> {
  const r = currentRange();
  const all = everything(await lokiLabels(r.from, r.to, signal));
  if (!all) return null;
  const query = `${all} | detected_level=~"error|critical|fatal"`;
  const answer = await lokiRange(query, r.from, r.to, { limit: '500', direction: 'backward' }, signal);
  return { groups: groupLines(flatten((answer.data.result ?? []) as LokiStream[])), query };
}

/** What the services complain about: lines of errors, alike ones counted. */
function Errors() {
  const { data } = useResource((signal) => latestErrors(signal).catch(() => null), [range.value.from, range.value.to, refreshTick.value]);
  if (!data) return null;
  const linesOf = (g: LogGroup) => {
    const own = g.source && g.last.labels.service_name === g.source ? withMatcher(data.query.replace(/\{[^}]*\}/, '{}'), 'service_name', '=', g.source) : data.query;
    return `/logs?query=${encodeURIComponent(own)}&${rangeQuery()}`;
  };
  return (
    <Card title="Errors in the logs" flush actions={<a class="small" href={`/logs?query=${encodeURIComponent(data.query)}&${rangeQuery()}`}>All of them</a>}>
      {data.groups.length === 0 && <Empty icon="check" title="None in this range" />}
      <ul class="error-list">
        {data.groups.slice(0, 6).map((g) => (
          <li key={g.last.key}><a href={linesOf(g)} title={g.text}>
            <b class="tone-bad">{g.count}×</b><span>{g.text}</span><span class="muted">{g.source}, {formatAgo(g.last.ms, Date.now())}</span></a></li>
        ))}
      </ul>
    </Card>
  );
}

function Totals({ list }: { list: Service[] }) {
  const rate = list.reduce((n, s) => n + s.rate, 0);
  const requests = list.reduce((n, s) => n + s.requests, 0);
  const errors = list.reduce((n, s) => n + s.errors, 0);
  const slowest = list.reduce<Service | null>((m, s) => (s.requests && (!m || s.p95 > m.p95) ? s : m), null);
  const ratio = requests ? errors / requests : 0;
  return (
    <div class="stats">
      <Stat label="Services" value={String(list.length)} hint="seen in traces" />
      <Stat label="Requests" value={formatRate(rate)} hint={`${formatNumber(requests)} in range`} />
      <Stat label="Errors" value={formatRatio(ratio)} hint={`${formatNumber(errors)} failed`} tone={ratio >= 0.05 ? 'bad' : ratio >= 0.01 ? 'warn' : 'good'} />
      <Stat label="Slowest p95" value={slowest ? formatSeconds(slowest.p95) : '–'} hint={slowest?.service} />
    </div>
  );
}

export function Home() {
  const tick = refreshTick.value;
  const { data, error, loading, reload } = useResource(async (signal) => {
    const r = currentRange();
    const step = niceStep(r.to - r.from, 40, 60);
    const [list, names] = await Promise.all([services(r.from, r.to, step, signal), jaegerServices(signal).catch(() => [])]);
    // The last step is still going on: half of it would look like a drop.
    for (const s of list) s.points = s.points.filter((p) => p[0] + step <= r.to / 1000);
    return [...list, ...names.filter((n) => !list.some((s) => s.service === n)).map(quiet)];
  }, [range.value.from, range.value.to, tick]);
  const alerts = useResource((signal) => promAlerts(signal), [tick]);
  const firing = (alerts.data ?? []).filter((a) => a.state === 'firing' && a.labels.severity !== 'none'); // a Watchdog fires when all is well
  const empty = data !== undefined && data.length === 0;
  const [everSeen, setEverSeen] = useState(false);
  useEffect(() => {
    if (data?.length) setEverSeen(true);
    if (!empty) return;
    const timer = setInterval(reload, 3000);
    return () => clearInterval(timer);
  }, [data]);
  return (
    <>
      <PageHead title="Home"><RangePicker /></PageHead>
      <Progress on={loading && !!data && !empty} />
      {(error ?? alerts.error) && <ErrorBox error={(error ?? alerts.error)!} retry={() => { reload(); alerts.reload(); }} />}
      {!data && !error && <div class="center"><Spinner /></div>}
      {firing.length > 0 && <Alerts list={firing} />}
      {data && !empty && (
        <>
          <Totals list={data} />
          <Card title="Services" flush actions={<span class="muted small">worst first, from spans</span>}><ServiceTable list={data} /></Card>
          <div class="home-grid"><Latency list={data} /><Errors /></div>
        </>
      )}
      {empty && <Onboarding before={everSeen || range.value.from !== 'now-1h'} />}
      {data && !empty && <details class="fold"><summary><Icon name="chevron" size={14} />Ports and send examples</summary><Onboarding before={false} quiet /></details>}
      {!data && error && session.value && <Card title="Ports" flush><PortTable /></Card>}
    </>
  );
}
