// The server itself: what makes series many, which queries run or were slow, the configuration in effect.
import type { ComponentChildren } from 'preact';
import { useEffect, useState } from 'preact/hooks';
import { useResource } from '../lib/api';
import { amStatus, type AmStatus } from '../lib/alerting';
import { formatBytes, formatNumber, formatSeconds, plural, shorten, visible } from '../lib/format';
import {
  buildInfo, cardinality, configYaml, flags, killQuery, runningQueries, runtimeInfo, serverYaml, slowQueries,
  type Cardinality, type Counted, type LabelCount, type QueryList, type RunningQuery,
} from '../lib/status';
import { place, refresh, refreshTick, session, setQuery, toast, utc } from '../lib/store';
import { formatAgo, formatDateTime } from '../lib/time';
import { Button, Card, Code, breakable, Empty, ErrorBox, PageHead, Progress, Spinner, Stat, Tabs } from '../ui/basics';

const tabs = [['cardinality', 'Cardinality'], ['queries', 'Queries'], ['config', 'Configuration']] as const;
type Tab = (typeof tabs)[number][0];

/** Red: much more than before, on a server that had something before. */
function Growth({ now, before, since }: { now: number; before: number; since: Cardinality }) {
  if (now === before) return <span class="muted">–</span>;
  const sign = now > before ? '+' : '−';
  const share = before ? `${sign}${formatNumber((Math.abs(now - before) / before) * 100)} %` : 'new';
  return <span class={since.seriesBefore > 0 && now > before * 1.5 + 20 ? 'tone-bad' : undefined} title={`${before.toLocaleString('en-US')} before`}>{sign}{formatNumber(Math.abs(now - before))} <span class="muted">({share})</span></span>;
}

function Counts({ title, rows, all, onPick }: { title: string; rows: Counted[]; all: Cardinality; onPick?: (name: string) => void }) {
  return (
    <Card flush title={title}>
      <div class="table-scroll" tabIndex={0} role="region" aria-label={title}>
        <table class="table cards cards-line">
          <thead><tr><th scope="col">Name</th><th scope="col" class="num">Series</th><th scope="col" class="num">Share</th><th scope="col" class="num">Growth</th></tr></thead>
          <tbody>{rows.map((r) => (
            <tr key={r.name}><th scope="row" class="mono">{onPick ? <button type="button" class="link-button" onClick={() => onPick(r.name)}>{breakable(r.name)}</button> : <bdi title={r.name.length > 120 ? r.name : undefined}>{breakable(visible(shorten(r.name, 120)))}</bdi>}</th>
              <td data-label="Series" class="num">{formatNumber(r.series)}</td><td data-label="Share" class="num">{all.series ? `${formatNumber((r.series / all.series) * 100)} %` : '–'}</td>
              <td data-label="Growth" class="num"><Growth now={r.series} before={r.before} since={all} /></td></tr>
          ))}</tbody>
        </table>
      </div>
    </Card>
  );
}

function LabelCounts({ rows, all }: { rows: LabelCount[]; all: Cardinality }) {
  const title = 'Labels with most values';
  return (
    <Card flush title={title}>
      <div class="table-scroll" tabIndex={0} role="region" aria-label={title}>
        <table class="table cards cards-line">
          <thead><tr><th scope="col">Label</th><th scope="col" class="num">Values</th><th scope="col" class="num">Growth</th><th scope="col" class="num">Series</th><th scope="col" class="num">Bytes</th></tr></thead>
          <tbody>{rows.map((l) => (
            <tr key={l.name}><th scope="row" class="mono">{breakable(visible(shorten(l.name, 120)))}</th><td data-label="Values" class="num">{formatNumber(l.values)}</td><td data-label="Growth" class="num"><Growth now={l.values} before={l.valuesBefore} since={all} /></td>
              <td data-label="Series" class="num">{formatNumber(l.series)}</td><td data-label="Bytes" class="num muted">{formatBytes(l.bytes)}</td></tr>
          ))}</tbody>
        </table>
      </div>
    </Card>
  );
}

const spans: [string, string][] = [['1h', 'an hour ago'], ['6h', '6 hours ago'], ['24h', 'a day ago'], ['168h', 'a week ago']];

function CardinalityTab() {
  const query = place.value.query;
  const compare = query.get('compare') ?? '1h', metric = query.get('metric') ?? '';
  const { data, error, loading, reload } = useResource((signal) => cardinality({ compare, metric, limit: 20 }, signal), [compare, metric, refreshTick.value]);
  if (!data) return error ? <ErrorBox error={error} retry={reload} /> : <div class="center"><Spinner /></div>;
  return (
    <>
      {error && <ErrorBox error={error} retry={reload} />}
      <div class="toolbar">
        {metric ? <span class="chip-filter">Only <code>{metric}</code> <Button kind="ghost" small icon="close" label="All metrics" onClick={() => setQuery({ metric: null })} /></span>
          : <span class="muted">All metrics of the last two hours</span>}
        <label class="check toolbar-end">Compare with{' '}
          <select class="input input-small" value={compare} onChange={(e) => setQuery({ compare: e.currentTarget.value }, true)}>
            {spans.map(([id, text]) => <option key={id} value={id}>{text}</option>)}
          </select></label>
      </div>
      <Progress on={loading} />
      <div class="stats">
        <Stat label="Series" value={formatNumber(data.series)} hint={data.limits.series ? `${formatNumber(data.limits.series)} fit into memory` : undefined} />
        <Stat label="Growth" value={`${data.series >= data.seriesBefore ? '+' : '−'}${formatNumber(Math.abs(data.series - data.seriesBefore))}`} hint={`since ${spans.find(([id]) => id === compare)?.[1] ?? compare}`} />
        <Stat label="Largest metric" value={data.metrics[0] ? formatNumber(data.metrics[0].series) : '0'} hint={data.metrics[0]?.name} />
        <Stat label="Refused metrics" value={String(data.refused.length)} tone={data.refused.length ? 'bad' : undefined} hint={data.refused.length ? 'over a limit' : 'no limit was met'} />
      </div>
      {data.refused.length > 0 && (
        <Card flush title="Refused: new series over a limit">
          <table class="table"><thead><tr><th scope="col">Metric</th><th scope="col">Limit</th><th scope="col" class="num">Attempts</th><th scope="col" class="num">Last</th></tr></thead>
            <tbody>{data.refused.map((r) => <tr key={r.metric + r.limit}><th scope="row" class="mono">{breakable(shorten(r.metric, 200))}</th><td>{r.limit === 'metric' ? 'series of one metric' : r.limit === 'total' ? 'all series' : 'labels of a series'}</td>
              <td class="num">{formatNumber(r.attempts)}</td><td class="num muted">{formatAgo(r.last * 1000, Date.now())}</td></tr>)}</tbody></table>
        </Card>
      )}
      <div class="two">
        {!metric && <Counts title="Metrics with most series" rows={data.metrics} all={data} onPick={(name) => setQuery({ metric: name })} />}
        <div class="stack">
          <LabelCounts rows={data.labels} all={data} />
          <Counts title="Label values with most series" rows={data.pairs} all={data} />
        </div>
      </div>
    </>
  );
}

function QueryRow({ q, onKill }: { q: RunningQuery; onKill?: (id: number) => void }) {
  const href = `/explore/metrics?expr=${encodeURIComponent(q.query)}${q.step ? `&from=${Math.round(q.start * 1000)}&to=${Math.round(q.end * 1000)}` : '&tab=table'}`;
  return (
    <tr>
      <td data-label="Began" class="muted">{formatDateTime(Date.parse(q.began), utc.value)}</td>
      <th scope="row" class="mono"><a href={href} title={q.query.length > queryMax ? q.query : undefined}>{shorten(q.query, queryMax)}</a>{q.error && <p class="tone-bad wrap">{q.killed ? 'killed: ' : ''}{q.error}</p>}</th>
      <td data-label="From">{q.origin}{q.user && <span class="muted" title={q.user}> {q.user.replace(/:\d+$/, '')}</span>}</td>
      <td data-label="Range" class="num">{q.step ? `${plural(Math.floor((q.end - q.start) / q.step) + 1, 'step')}` : 'instant'}</td>
      <td data-label="Samples" class="num">{formatNumber(q.samples)}</td><td data-label="Memory" class="num">{formatBytes(q.memoryBytes)}</td>
      <td data-label="Took" class="num strong">{q.state === 'queued' ? `waits ${formatSeconds(q.queueSeconds)}` : formatSeconds(q.runSeconds)}</td>
      {onKill && <td class="num"><Button small onClick={() => onKill(q.id)}>Kill</Button></td>}
    </tr>
  );
}

const queryMax = 600;

function QueryTable({ list, label, onKill }: { list: QueryList; label: string; onKill?: (id: number) => void }) {
  return (
    <div class="table-scroll" tabIndex={0} role="region" aria-label={label}>
      <table class="table cards query-table">
        <thead><tr><th scope="col">Began</th><th scope="col">Query</th><th scope="col">From</th><th scope="col" class="num">Range</th><th scope="col" class="num">Samples</th>
          <th scope="col" class="num">Memory</th><th scope="col" class="num">Took</th>{onKill && <th scope="col"><span class="off-screen">Action</span></th>}</tr></thead>
        <tbody>{list.queries.map((q) => <QueryRow key={q.id} q={q} onKill={onKill} />)}</tbody>
      </table>
    </div>
  );
}

const watchEveryMs = 3000;

function QueriesTab() {
  const [turn, setTurn] = useState(0);
  const now = useResource(runningQueries, [refreshTick.value, turn]);
  const slow = useResource(slowQueries, [refreshTick.value, turn]);
  useEffect(() => {
    const timer = setInterval(() => document.hidden || now.reload(), watchEveryMs); // what runs now is soon over
    return () => clearInterval(timer);
  }, []);
  const kill = async (id: number) => {
    await killQuery(id).then(() => toast('The query ends'), (e: Error) => toast(e.message, 'error'));
    setTurn((t) => t + 1);
  };
  return (
    <>
      <Card flush title="Running now" actions={now.data && <span class="muted small">at most {now.data.concurrency} at once</span>}>
        {now.error && <ErrorBox error={now.error} retry={now.reload} />}
        {!now.data && now.loading && <div class="center"><Spinner /></div>}
        {now.data && (now.data.queries.length ? <QueryTable list={now.data} label="Running queries" onKill={kill} /> : <Empty icon="check" title="No query runs" />)}
      </Card>
      <Card flush title="Slow queries" actions={slow.data && <span class="muted small">those that took {formatSeconds(slow.data.slowThresholdSeconds)} and more, newest first</span>}>
        {slow.error && <ErrorBox error={slow.error} retry={slow.reload} />}
        {!slow.data && slow.loading && <div class="center"><Spinner /></div>}
        {slow.data && (slow.data.queries.length ? <QueryTable list={slow.data} label="Slow queries" /> : <Empty icon="check" title="None was slow" />)}
      </Card>
    </>
  );
}

function Facts({ title, rows }: { title: string; rows: [string, string][] }) {
  return (
    <Card flush title={title}>
      <table class="table fact-table"><tbody>{rows.map(([k, v]) => <tr key={k}><th scope="row" class="mono">{breakable(k)}</th><td class="mono wrap">{v}</td></tr>)}</tbody></table>
    </Card>
  );
}

/** Prometheus' names for what a server of it says of itself, in words; what only a Go program has is left out. */
const processNames: [string, string][] = [
  ['startTime', 'Started'], ['CWD', 'Working directory'], ['hostname', 'Host'], ['serverTime', 'Clock'], ['reloadConfigSuccess', 'Last reload went well'],
  ['lastConfigTime', 'Configuration loaded'], ['corruptionCount', 'Damaged files'], ['GOMAXPROCS', 'Processors'], ['storageRetention', 'Retention'],
];

function processFacts(build: Record<string, unknown>, runtime: Record<string, unknown>): [string, string][] {
  const said = new Map(texts(runtime));
  const rows = processNames.flatMap(([key, name]): [string, string][] => (said.has(key) ? [[name, said.get(key)!]] : []));
  return [['Meerkat', session.value?.version ?? ''], ["Prometheus' API of", String(build.version ?? '')], ...rows];
}

const texts = (o: Record<string, unknown> | undefined): [string, string][] =>
  Object.entries(o ?? {}).filter(([, v]) => v !== '').map(([k, v]) => [k, typeof v === 'string' && /^\d{4}-\d\d-\d\dT.*Z$/.test(v) ? formatDateTime(Date.parse(v), utc.value) : String(v)]);

/** A part of the page that is there or says why not, whatever became of the others. */
function File({ title, load, label, empty }: { title: string; load: (signal: AbortSignal) => Promise<string>; label: string; empty: ComponentChildren }) {
  const { data, error, loading, reload } = useResource(load, [refreshTick.value]);
  return (
    <Card title={title}>
      {error && <ErrorBox error={error} retry={reload} />}
      {data === undefined && loading && <div class="center"><Spinner /></div>}
      {data !== undefined && (data.trim() ? <Code text={data} label={label} /> : <p class="muted">{empty}</p>)}
    </Card>
  );
}

function Cluster({ status }: { status: AmStatus }) {
  const { cluster } = status, peers = cluster.peers ?? [];
  return <Facts title="Alertmanager" rows={[['Status', cluster.status], ...(cluster.name ? [['Name', cluster.name] as [string, string]] : []), ...peers.map((p): [string, string] => [`Peer ${p.name}`, p.address]), ['Up since', formatDateTime(Date.parse(status.uptime), utc.value)]]} />;
}

function ConfigTab() {
  const { data, error, loading, reload } = useResource(async (signal) => {
    const [f, runtime, build, am] = await Promise.all([flags(signal), runtimeInfo(signal), buildInfo(signal), amStatus(signal).catch(() => null)]);
    return { f, runtime, build, am };
  }, [refreshTick.value]);
  return (
    <>
      <File title="prometheus.yml in effect" load={configYaml} label="prometheus.yml" empty={<>None is loaded: start with <code>--prometheus.config prometheus.yml</code>.</>} />
      <div class="two">
        <File title="meerkat.yml in effect" load={serverYaml} label="meerkat.yml" empty="Nothing to show." />
        <File title="alertmanager.yml in effect" load={async (signal) => (await amStatus(signal)).config.original} label="alertmanager.yml" empty={<>None is loaded: start with <code>--alertmanager.config alertmanager.yml</code>.</>} />
      </div>
      {error && <ErrorBox error={error} retry={reload} />}
      {!data && loading && <div class="center"><Spinner /></div>}
      {data && (
        <div class="two">
          <Facts title="Settings, under Prometheus' names" rows={texts(data.f)} />
          <div class="stack"><Facts title="Process" rows={processFacts(data.build, data.runtime)} />{data.am && <Cluster status={data.am} />}</div>
        </div>
      )}
    </>
  );
}

export function ServerPage() {
  const tab = (tabs.find(([id]) => id === place.value.query.get('tab'))?.[0] ?? 'cardinality') as Tab;
  return (
    <>
      <PageHead title="Server"><Button icon="refresh" onClick={refresh}>Refresh</Button></PageHead>
      <Tabs label="View" tabs={[...tabs] as [Tab, string][]} value={tab} onChange={(t) => setQuery({ tab: t, metric: null }, true)} />
      {tab === 'cardinality' ? <CardinalityTab /> : tab === 'queries' ? <QueriesTab /> : <ConfigTab />}
    </>
  );
}
