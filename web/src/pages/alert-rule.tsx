// One alerting rule opened: its query, a chart against its threshold, its alerts. Alerts of other senders look the same.
import { useState } from 'preact/hooks';
import { lokiRange, promRange, tempoRange, useResource, type Labels, type PromSeries } from '../lib/api';
import { acknowledge, amAlerts, unacknowledge, type Ack, type ActiveAlert, type AmAlert, type Rule } from '../lib/alerting';
import { seriesColor } from '../lib/colors';
import { formatExact, formatNumber, formatSeconds, formatSpan, plural } from '../lib/format';
import { isTime, labelMatchers, linesOf, meets, thresholdOf, type Threshold } from '../lib/matchers';
import { align, shortNames } from '../lib/promql';
import { currentRange, keep, range, rangeQuery, refreshTick, remembered, session, toast } from '../lib/store';
import { niceStep } from '../lib/time';
import { StatePill, When } from '../ui/alert-parts';
import { Button, Code, Dialog, ErrorBox, Field, LabelChips, Spinner } from '../ui/basics';
import { Chart } from '../ui/chart';

const chartSeriesMax = 30;
const rowsMax = 50;

/** What the rows of all rules need. */
export interface Shared { acks: Ack[]; turn: number; reload: () => void; onWhy: (fingerprint: string) => void }

export const timeOf = (rule: Rule) => rule.datasource === 'tempo' && isTime(rule.query);
/** A value in a table: six digits say enough, the title has all. */
const shortValue = (value: number, time: boolean) => (time ? formatSeconds(value) : formatExact(Number(value.toPrecision(6))));

/** Where what a rule is about can be looked at; of rules over traces the alerts lead to their service. */
function explorerOf(rule: Rule): string | null {
  if (!rule.datasource) return `/explore/metrics?expr=${encodeURIComponent(rule.query)}`;
  const lines = rule.datasource === 'loki' ? linesOf(rule.query) : null;
  return lines && `/logs?query=${encodeURIComponent(lines)}&${rangeQuery()}`;
}
const tracesOf = (labels: Labels): string | null =>
  labels.resource_service_name ? `/traces?service=${encodeURIComponent(labels.resource_service_name)}&${rangeQuery()}` : null;

/** The expression over time, in its own language. A rule over traces looks at spans of its range, so that is the step. */
async function series(rule: Rule, expr: string, from: number, to: number, step: number, signal: AbortSignal): Promise<PromSeries[]> {
  if (rule.datasource === 'tempo') return tempoRange(expr, from, to, step, signal);
  const more = { step: String(step) };
  const answer = rule.datasource === 'loki' ? await lokiRange(expr, from, to, more, signal) : await promRange(expr, from, to, step, signal);
  return answer.data.result as PromSeries[];
}

/** Those that meet the condition at the end first: they are what the alert is about. */
function worst(list: PromSeries[], split: Threshold | null): PromSeries[] {
  if (!split) return list.slice(0, chartSeriesMax);
  const fires = (s: PromSeries) => meets(Number(s.values?.[s.values.length - 1]?.[1] ?? NaN), split);
  return [...list.filter(fires), ...list.filter((s) => !fires(s))].slice(0, chartSeriesMax);
}

function ThresholdChart({ rule }: { rule: Rule }) {
  const split = thresholdOf(rule.query);
  const expr = split?.expr ?? rule.query;
  const { data, error } = useResource(async (signal) => {
    const r = currentRange(), step = Math.max(niceStep(r.to - r.from, 200), Math.ceil(rule.range ?? 0)), from = Math.floor(r.from / 1000 / step) * step * 1000;
    const all = await series(rule, expr, from, r.to, step, signal);
    return { list: worst(all, split), total: all.length, from, to: r.to, step };
  }, [expr, rule.datasource, range.value.from, range.value.to, refreshTick.value]);
  if (error) return <ErrorBox error={error} />;
  if (!data) return <div class="center"><Spinner /></div>;
  if (!data.list.length) return <p class="muted">The expression has no values in this range{split ? '' : ': nothing meets its condition'}.</p>;
  const { xs, rows } = align(data.list, data.from, data.to, data.step);
  const names = shortNames(data.list.map((s) => s.metric));
  return (
    <div>
      <Chart xs={xs} series={rows.map((values, i) => ({ label: names[i], color: seriesColor(i), values }))} height={180} threshold={split?.threshold} ordered={Boolean(split)}
        format={timeOf(rule) ? formatSeconds : formatNumber} label={`${expr} over time${split ? `, threshold ${split.op} ${split.threshold}` : ''}`} />
      {data.total > data.list.length && <p class="muted small">{data.list.length} of {plural(data.total, 'series', 'series')}{split && ', those that meet the condition first'}.</p>}
    </div>
  );
}

/** An alert of a rule, or of somebody else who posted it. */
export interface ShownAlert { state: string; labels: Labels; annotations: Labels; value?: string; since: string; source?: string; am?: AmAlert; time?: boolean; traces?: string | null }

const sameLabels = (a: Labels, b: Labels) => Object.entries(b).every(([k, v]) => a[k] === v);
/** The Alertmanager's alert has the external labels as well. */
const shown = (a: ActiveAlert, all: AmAlert[], rule: Rule): ShownAlert =>
  ({ state: a.state, labels: a.labels, annotations: a.annotations, value: a.value, since: a.activeAt, time: timeOf(rule), traces: rule.datasource === 'tempo' ? tracesOf(a.labels) : null, am: all.find((m) => sameLabels(m.labels, a.labels)) });

function why(am: AmAlert): string {
  if (am.status.state !== 'suppressed') return '';
  return am.status.silencedBy.length ? 'silenced' : am.status.inhibitedBy.length ? 'inhibited' : 'muted';
}

/** Annotations come from outside: only addresses of the web become links. */
function Annotations({ of }: { of: Labels }) {
  return <>{Object.entries(of).map(([k, v]) => (
    <p key={k} class="small annotation"><span class="muted">{k}:</span> {/^https?:\/\/\S+$/.test(v) ? <a href={v} target="_blank" rel="noreferrer">{v}</a> : <bdi>{v}</bdi>}</p>
  ))}</>;
}

const expiries: [string, string][] = [['', 'until it resolves'], ['1h', 'for an hour'], ['4h', 'for 4 hours'], ['1d', 'for a day'], ['1w', 'for a week']];

/** Who looks after it, for how long. It goes on firing; its group is not repeated meanwhile. */
function AckDialog({ am, onDone, onClose }: { am: AmAlert; onDone: () => void; onClose: () => void }) {
  const [owner, setOwner] = useState(remembered('creator', '') || session.value?.user || 'anonymous');
  const [comment, setComment] = useState('');
  const [duration, setDuration] = useState('');
  const [error, setError] = useState<Error | null>(null);
  const submit = (e: Event) => {
    e.preventDefault();
    keep('creator', owner);
    void acknowledge({ fingerprints: [am.fingerprint], owner: owner.trim(), comment: comment.trim(), duration: duration || undefined }).then(onDone, setError);
  };
  return (
    <Dialog title="Acknowledge" onClose={onClose}>
      <form class="stack" onSubmit={submit}>
        <p class="muted">The alert goes on firing; its group is not sent again as long as all of it is acknowledged.</p>
        <Field label="Owner">{(id) => <input id={id} class="input" required value={owner} onInput={(e) => setOwner(e.currentTarget.value)} />}</Field>
        <Field label="Comment">{(id) => <input id={id} class="input" autofocus placeholder="What is being done" value={comment} onInput={(e) => setComment(e.currentTarget.value)} />}</Field>
        <Field label="Holds">{(id) => <select id={id} class="input" value={duration} onChange={(e) => setDuration(e.currentTarget.value)}>{expiries.map(([d, text]) => <option key={d} value={d}>{text}</option>)}</select>}</Field>
        {error && <ErrorBox error={error} />}
        <div class="row-end"><Button onClick={onClose}>Cancel</Button><Button type="submit" kind="primary">Acknowledge</Button></div>
      </form>
    </Dialog>
  );
}

function AlertRow({ a, shared, values }: { a: ShownAlert; shared: Shared; values: boolean }) {
  const { am } = a, ack = am && shared.acks.find((k) => k.fingerprint === am.fingerprint), muted = am ? why(am) : '';
  const [asking, setAsking] = useState(false);
  const done = () => {
    setAsking(false);
    shared.reload();
  };
  const withdraw = () => am && unacknowledge(am.fingerprint).then(() => toast('Acknowledgement withdrawn'), (e: Error) => toast(e.message, 'error')).then(shared.reload);
  return (
    <tr>
      <td><StatePill state={a.state} /></td>
      <td data-label="Labels"><LabelChips labels={a.labels} without={['alertname']} />
        {muted && <span class="tag pill">{muted}</span>}
        {ack && <p class="small"><span class="tag pill">acknowledged by {ack.owner}</span>{ack.comment && <bdi>{ack.comment}</bdi>}{ack.expiresAt && <span class="muted"> ends <When at={ack.expiresAt} /></span>}</p>}
        <Annotations of={a.annotations} /></td>
      {values && <td data-label="Value" class="num mono" title={a.value}>{shortValue(Number(a.value), Boolean(a.time))}</td>}
      <td data-label="Since" class="num"><When at={a.since} /></td>
      <td class="num"><div class="row row-end row-wrap">
        {a.source && <a class="button button-ghost button-small" href={a.source} target="_blank" rel="noreferrer">Source</a>}
        {a.traces && <a class="button button-ghost button-small" href={a.traces}>Traces</a>}
        {am && <Button small kind="ghost" onClick={() => shared.onWhy(am.fingerprint)}>Why?</Button>}
        {am && <Button small onClick={() => (ack ? void withdraw() : setAsking(true))}>{ack ? 'Unacknowledge' : 'Acknowledge'}</Button>}
        <a class="button button-default button-small" href={`/silences/new?matchers=${encodeURIComponent(labelMatchers(a.labels))}`}>Silence</a>
      </div>{asking && am && <AckDialog am={am} onDone={done} onClose={() => setAsking(false)} />}</td>
    </tr>
  );
}

function AlertTable({ list, name, shared }: { list: ShownAlert[]; name: string; shared: Shared }) {
  const [all, setAll] = useState(false);
  const values = list.some((a) => a.value !== undefined);
  return (
    <div class="table-scroll" tabIndex={0} role="region" aria-label={`Alerts of ${name}`}>
      <table class="table cards alert-table"><thead><tr><th scope="col">State</th><th scope="col">Labels</th>{values && <th scope="col" class="num">Value</th>}<th scope="col" class="num">Since</th><th scope="col"><span class="off-screen">Actions</span></th></tr></thead>
        <tbody>{list.slice(0, all ? 1000 : rowsMax).map((a, i) => <AlertRow key={a.am?.fingerprint ?? i} a={a} shared={shared} values={values} />)}</tbody></table>
      {list.length > rowsMax && !all && <p class="pad"><Button small onClick={() => setAll(true)}>Show all {list.length.toLocaleString('en-US')}</Button></p>}
      {all && list.length > 1000 && <p class="muted pad">The first 1,000 of {list.length.toLocaleString('en-US')}.</p>}
    </div>
  );
}

const order = ['firing', 'pending'];

export function RuleBody({ rule, shared }: { rule: Rule; shared: Shared }) {
  const alerts = [...(rule.alerts ?? [])].sort((a, b) => order.indexOf(a.state) - order.indexOf(b.state) || (a.activeAt < b.activeAt ? 1 : -1));
  const firing = alerts.some((a) => a.state === 'firing');
  const explorer = explorerOf(rule);
  const am = useResource(firing ? (signal) => amAlerts(rule.name, signal).catch(() => []) : null, [rule.name, firing, refreshTick.value, shared.turn]);
  return (
    <div class="rule-body">
      <Code text={rule.query} label="query" />
      <p class="row row-wrap small muted">
        <span>{rule.duration ? `fires after ${formatSpan(rule.duration)}` : 'fires at once'}</span>
        {rule.keepFiringFor ? <span>keeps firing for {formatSpan(rule.keepFiringFor)}</span> : null}
        <span>evaluated <When at={rule.lastEvaluation} /> in {formatSeconds(rule.evaluationTime)}</span>
        {rule.datasource && <span>over {rule.datasource === 'loki' ? 'logs' : `traces of ${formatSpan(rule.range ?? 300)}`}</span>}
        <LabelChips labels={rule.labels} />
        {explorer && <a href={explorer}>{rule.datasource === 'loki' ? 'Show the lines' : 'Open in the explorer'}</a>}
      </p>
      {rule.lastError ? <ErrorBox error={new Error(rule.lastError)} /> : <ThresholdChart rule={rule} />}
      {alerts.length > 0 ? <AlertTable list={alerts.map((a) => shown(a, am.data ?? [], rule))} name={rule.name} shared={shared} /> : <Annotations of={rule.annotations ?? {}} />}
    </div>
  );
}

/** Alerts of one name that were posted to the Alertmanager. */
export function PostedAlerts({ name, shared }: { name: string; shared: Shared }) {
  const { data, error, reload } = useResource((signal) => amAlerts(name, signal), [name, refreshTick.value, shared.turn]);
  if (error && !data) return <ErrorBox error={error} retry={reload} />;
  if (!data) return <div class="center"><Spinner /></div>;
  const list = data.map((am): ShownAlert =>
    ({ state: 'firing', labels: am.labels, annotations: am.annotations, since: am.startsAt, am, source: /^https?:\/\//.test(am.generatorURL ?? '') ? am.generatorURL : undefined }));
  return <div class="rule-body"><AlertTable list={list.sort((a, b) => (a.since < b.since ? 1 : -1))} name={name} shared={shared} /></div>;
}
