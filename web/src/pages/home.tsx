// Services at a glance; while nothing has arrived, how to send something.
import { useEffect, useState } from 'preact/hooks';
import { jaegerServices, promAlerts, services, useResource, type Alert, type Service } from '../lib/api';
import { nameColor } from '../lib/colors';
import { formatNumber, formatRate, formatRatio, formatSeconds, plural } from '../lib/format';
import { currentRange, navigate, range, rangeQuery, refreshTick, session, utc } from '../lib/store';
import { formatAgo, formatDateTime, niceStep } from '../lib/time';
import { Card, ErrorBox, PageHead, Progress, Spinner, Stat } from '../ui/basics';
import { Sparkline } from '../ui/chart';
import { Icon } from '../ui/icons';
import { RangePicker } from '../ui/range';
import { Onboarding, PortTable } from './onboarding';

type SortKey = 'service' | 'rate' | 'error_ratio' | 'p50' | 'p95' | 'p99' | 'last_seen';

const columns: [SortKey, string][] = [
  ['service', 'Service'], ['rate', 'Requests'], ['error_ratio', 'Errors'], ['p50', 'p50'], ['p95', 'p95'], ['p99', 'p99'], ['last_seen', 'Last seen'],
];

/** A service whose spans serve no requests (workers, clients), or none in the range. */
const quiet = (service: string): Service =>
  ({ service, requests: 0, errors: 0, rate: 0, error_ratio: 0, p50: NaN, p95: NaN, p99: NaN, last_seen: 0, points: [] });

function ServiceRow({ s }: { s: Service }) {
  const href = `/traces?service=${encodeURIComponent(s.service)}&${rangeQuery()}`;
  const tone = s.error_ratio >= 0.05 ? 'tone-bad' : s.error_ratio >= 0.01 ? 'tone-warn' : '';
  return (
    <tr data-testid="service-row" class="clickable" onClick={(e) => (e.target as Element).closest('a') || navigate(href)}>
      <th scope="row"><a href={href} class="service-name"><i class="dot" style={{ background: nameColor(s.service) }} />{s.service}</a></th>
      <td class="spark-cell wide-only"><Sparkline values={s.points.map((p) => p[1])} color={nameColor(s.service)} label={`Requests of ${s.service} over time`} /></td>
      <td class="num">{s.requests ? formatRate(s.rate) : <span class="muted" title="No requests served in this range">–</span>}</td>
      <td class={`num ${tone}`}>{s.errors > 0 && tone && <Icon name="warn" size={12} />}{s.requests ? formatRatio(s.error_ratio) : <span class="muted">–</span>}</td>
      <td class="num wide-only">{formatSeconds(s.p50)}</td>
      <td class="num strong">{formatSeconds(s.p95)}</td>
      <td class="spark-cell wide-only"><Sparkline values={s.points.map((p) => p[3])} color="var(--text-3)" label={`p95 of ${s.service} over time`} width={90} /></td>
      <td class="num wide-only">{formatSeconds(s.p99)}</td>
      <td class="num muted wide-only" title={s.last_seen ? formatDateTime(s.last_seen * 1000, utc.value) : ''}>{s.last_seen ? formatAgo(s.last_seen * 1000, Date.now()) : '–'}</td>
    </tr>
  );
}

function ServiceTable({ list }: { list: Service[] }) {
  const [sort, setSort] = useState<{ key: SortKey; down: boolean }>({ key: 'rate', down: true });
  const sorted = [...list].sort((a, b) => {
    const x = a[sort.key], y = b[sort.key];
    if (!a.requests !== !b.requests && sort.key !== 'service') return a.requests ? -1 : 1;
    return (x < y ? -1 : x > y ? 1 : 0) * (sort.down ? -1 : 1) || (a.service < b.service ? -1 : 1);
  });
  const head = ([key, name]: [SortKey, string]) => (
    <th key={key} scope="col" class={key === 'service' ? '' : ['p50', 'p99', 'last_seen'].includes(key) ? 'num wide-only' : 'num'} aria-sort={sort.key === key ? (sort.down ? 'descending' : 'ascending') : undefined}>
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

function Alerts({ list }: { list: Alert[] }) {
  return (
    <Card title={plural(list.length, 'firing alert')} class="card-alerts">
      <ul class="alert-list">
        {list.map((a, i) => (
          <li key={i}><span class="pill pill-bad"><Icon name="bell" size={12} />{a.labels.severity ?? 'firing'}</span>
            <b>{a.labels.alertname}</b><span class="muted">{a.annotations.summary ?? a.annotations.description ?? ''}</span></li>
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
    const [list, names] = await Promise.all([services(r.from, r.to, niceStep(r.to - r.from, 40, 60), signal), jaegerServices(signal).catch(() => [])]);
    return [...list, ...names.filter((n) => !list.some((s) => s.service === n)).map(quiet)];
  }, [range.value.from, range.value.to, tick]);
  const alerts = useResource((signal) => promAlerts(signal).catch(() => []), [tick]);
  const firing = (alerts.data ?? []).filter((a) => a.state === 'firing');
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
      {error && !data && <ErrorBox error={error} retry={reload} />}
      {!data && !error && <div class="center"><Spinner /></div>}
      {firing.length > 0 && <Alerts list={firing} />}
      {data && !empty && (
        <>
          <Totals list={data} />
          <Card title="Services" flush actions={<span class="muted small">from spans, {plural(data.length, 'service')}</span>}><ServiceTable list={data} /></Card>
        </>
      )}
      {empty && <Onboarding before={everSeen || range.value.from !== 'now-1h'} />}
      {data && !empty && <details class="fold"><summary><Icon name="chevron" size={14} />Ports and send examples</summary><Onboarding before={false} quiet /></details>}
      {!data && error && session.value && <Card title="Ports" flush><PortTable /></Card>}
    </>
  );
}
