// Alerting rules by state, with what fires now and a chart of the expression against its threshold.
import { useState } from 'preact/hooks';
import { lokiRange, promRange, tempoRange, useResource, type Labels, type PromSeries } from '../lib/api';
import { acks, amAlerts, acknowledge, ruleGroups, unacknowledge, type Ack, type ActiveAlert, type AmAlert, type Rule, type RuleGroup } from '../lib/alerting';
import { seriesColor } from '../lib/colors';
import { formatExact, formatNumber, plural } from '../lib/format';
import { labelMatchers, thresholdOf } from '../lib/matchers';
import { align, shortNames } from '../lib/promql';
import { currentRange, place, range, refreshTick, session, setQuery, toast } from '../lib/store';
import { niceStep } from '../lib/time';
import { AlertingNav, LabelChips, StatePill, When, WhyDialog } from '../ui/alert-parts';
import { Button, Code, Empty, ErrorBox, PageHead, Progress, Spinner } from '../ui/basics';
import { Chart } from '../ui/chart';
import { Icon } from '../ui/icons';
import { RangePicker } from '../ui/range';

const order = ['firing', 'pending', 'inactive'] as const;
const chartSeriesMax = 30;

/** The expression over time, in its own language. A rule over traces looks at spans of its range, so that is the step. */
async function series(rule: Rule, expr: string, from: number, to: number, step: number, signal: AbortSignal): Promise<PromSeries[]> {
  if (rule.datasource === 'tempo') return tempoRange(expr, from, to, step, signal);
  const more = { step: String(step) };
  const answer = rule.datasource === 'loki' ? await lokiRange(expr, from, to, more, signal) : await promRange(expr, from, to, step, signal);
  return answer.data.result as PromSeries[];
}

function ThresholdChart({ rule }: { rule: Rule }) {
  const split = thresholdOf(rule.query);
  const expr = split?.expr ?? rule.query;
  const { data, error } = useResource(async (signal) => {
    const r = currentRange(), step = Math.max(niceStep(r.to - r.from, 200), Math.ceil(rule.range ?? 0)), from = Math.floor(r.from / 1000 / step) * step * 1000;
    return { list: (await series(rule, expr, from, r.to, step, signal)).slice(0, chartSeriesMax), from, to: r.to, step };
  }, [expr, rule.datasource, range.value.from, range.value.to, refreshTick.value]);
  if (error) return <ErrorBox error={error} />;
  if (!data) return <div class="center"><Spinner /></div>;
  if (!data.list.length) return <p class="muted">The expression has no values in this range{split ? '' : ': nothing meets its condition'}.</p>;
  const { xs, rows } = align(data.list, data.from, data.to, data.step);
  const names = shortNames(data.list.map((s) => s.metric));
  return <Chart xs={xs} series={rows.map((values, i) => ({ label: names[i], color: seriesColor(i), values }))} height={180} threshold={split?.threshold}
    format={formatNumber} label={`${expr} over time${split ? `, threshold ${split.threshold}` : ''}`} />;
}

const sameLabels = (a: Labels, b: Labels) => Object.entries(b).every(([k, v]) => a[k] === v);
/** The Alertmanager's alert has the external labels as well. */
const match = (a: ActiveAlert, all: AmAlert[]) => all.find((m) => sameLabels(m.labels, a.labels));

function AlertRow({ a, am, ack, onChange, onWhy }: { a: ActiveAlert; am?: AmAlert; ack?: Ack; onChange: () => void; onWhy: (fingerprint: string) => void }) {
  const own = async () => {
    if (!am) return;
    const who = session.value?.user || 'anonymous';
    await (ack ? unacknowledge(am.fingerprint) : acknowledge({ fingerprints: [am.fingerprint], owner: who, comment: '' }))
      .then(() => toast(ack ? 'Acknowledgement withdrawn' : 'Acknowledged'), (e: Error) => toast(e.message, 'error'));
    onChange();
  };
  return (
    <tr>
      <td><StatePill state={a.state} /></td>
      <td><LabelChips labels={a.labels} without={['alertname']} />
        {Object.entries(a.annotations).map(([k, v]) => <p key={k} class="small"><span class="muted">{k}:</span> {/^https?:\/\//.test(v) ? <a href={v} target="_blank" rel="noreferrer">{v}</a> : v}</p>)}
        {am && am.status.state === 'suppressed' && <span class="tag pill">{am.status.silencedBy.length ? 'silenced' : am.status.inhibitedBy.length ? 'inhibited' : 'muted'}</span>}
        {ack && <span class="tag pill">acknowledged by {ack.owner}</span>}</td>
      <td class="num mono">{formatExact(Number(a.value))}</td>
      <td class="num"><When at={a.activeAt} /></td>
      <td class="num"><div class="row row-end">
        {am && <Button small onClick={own}>{ack ? 'Unacknowledge' : 'Acknowledge'}</Button>}
        <a class="button button-default button-small" href={`/silences/new?matchers=${encodeURIComponent(labelMatchers(a.labels))}`}>Silence</a>
        {am && <Button small kind="ghost" onClick={() => onWhy(am.fingerprint)}>Why?</Button>}
      </div></td>
    </tr>
  );
}

function RuleBody({ rule, shared }: { rule: Rule; shared: Shared }) {
  const alerts = rule.alerts ?? [];
  return (
    <div class="rule-body">
      <Code text={rule.query} label="query" />
      <p class="row row-wrap small muted">
        <span>for {rule.duration ? formatSpan(rule.duration) : 'no time'}</span>
        {rule.keepFiringFor ? <span>keeps firing for {formatSpan(rule.keepFiringFor)}</span> : null}
        <span>evaluated <When at={rule.lastEvaluation} /> in {formatNumber(rule.evaluationTime * 1000)} ms</span>
        <LabelChips labels={rule.labels} />
        {rule.datasource && <span>over {rule.datasource === 'loki' ? 'logs' : `traces of ${formatSpan(rule.range ?? 300)}`}</span>}
        {!rule.datasource && <a href={`/explore/metrics?expr=${encodeURIComponent(rule.query)}`}>Open in the explorer</a>}
      </p>
      {rule.lastError && <p class="note">{rule.lastError}</p>}
      <ThresholdChart rule={rule} />
      {alerts.length > 0 && (
        <div class="table-scroll" tabIndex={0} role="region" aria-label={`Alerts of ${rule.name}`}>
          <table class="table"><thead><tr><th scope="col">State</th><th scope="col">Labels</th><th scope="col" class="num">Value</th><th scope="col" class="num">Since</th><th scope="col"><span class="off-screen">Actions</span></th></tr></thead>
            <tbody>{alerts.map((a, i) => {
              const am = match(a, shared.am);
              return <AlertRow key={i} a={a} am={am} ack={am && shared.acks.find((k) => k.fingerprint === am.fingerprint)} onChange={shared.reload} onWhy={shared.onWhy} />;
            })}</tbody></table>
        </div>
      )}
      {!alerts.length && Object.entries(rule.annotations ?? {}).map(([k, v]) => <p key={k} class="small"><span class="muted">{k}:</span> {v}</p>)}
    </div>
  );
}

interface Shared { am: AmAlert[]; acks: Ack[]; reload: () => void; onWhy: (fingerprint: string) => void }

const formatSpan = (s: number) => (s % 3600 === 0 ? `${s / 3600} h` : s % 60 === 0 ? `${s / 60} min` : `${s} s`);

function RuleRow({ rule, id, open, onToggle, shared }: { rule: Rule; id: string; open: boolean; onToggle: () => void; shared: Shared }) {
  const state = rule.state ?? 'inactive', n = rule.alerts?.length ?? 0;
  const value = rule.alerts?.[0]?.value;
  return (
    <article class="rule" data-testid="alert-rule" data-state={state}>
      <button type="button" class="rule-head" aria-expanded={open} aria-controls={id} onClick={onToggle}>
        <Icon name="chevron" size={14} /><StatePill state={state} /><b class="rule-name">{rule.name}</b>
        {rule.labels.severity && <span class="tag pill">{rule.labels.severity}</span>}
        {rule.health === 'err' && <span class="pill pill-bad">evaluation fails</span>}
        <span class="rule-facts muted">{n > 0 ? <>{plural(n, 'alert')}, value {formatNumber(Number(value))}, since <When at={rule.alerts!.map((a) => a.activeAt).sort()[0]} /></> : null}</span>
      </button>
      {open && <div id={id}><RuleBody rule={rule} shared={shared} /></div>}
    </article>
  );
}

function GroupCard({ group, rules, open, toggle, shared }: { group: RuleGroup; rules: Rule[]; open: Set<string>; toggle: (key: string) => void; shared: Shared }) {
  return (
    <section class="card">
      <header class="card-head"><h2>{group.name}</h2><span class="muted small">{group.file.split('/').pop()}, every {formatSpan(group.interval)}</span></header>
      <div class="card-flush">{rules.map((r, i) => {
        const key = `${group.file} ${group.name} ${r.name} ${i}`;
        return <RuleRow key={key} rule={r} id={`rule-${key.replace(/\W+/g, '-')}`} open={open.has(key)} onToggle={() => toggle(key)} shared={shared} />;
      })}</div>
    </section>
  );
}

export function Alerts() {
  const [open, setOpen] = useState<Set<string>>(new Set());
  const [turn, setTurn] = useState(0);
  const [asked, setAsked] = useState<string | null>(null);
  const { data, error, loading, reload } = useResource(async (signal) => {
    const [rules, am, taken] = await Promise.all([ruleGroups(signal), amAlerts(signal).catch(() => []), acks(signal).catch(() => [])]);
    return { rules, am, taken };
  }, [refreshTick.value, turn]);
  const query = place.value.query, only = query.get('state') ?? '', text = query.get('q') ?? '';
  const all = (data?.rules ?? []).flatMap((g) => g.rules);
  const count = (state: string) => all.filter((r) => (r.state ?? 'inactive') === state).length;
  const shows = (r: Rule) => (!only || (r.state ?? 'inactive') === only) && (!text || `${r.name} ${r.query} ${Object.values(r.labels).join(' ')}`.toLowerCase().includes(text.toLowerCase()));
  const rank = (r: Rule) => order.indexOf(r.state ?? 'inactive');
  const cards = (data?.rules ?? []).map((g) => ({ g, rules: g.rules.filter(shows).sort((a, b) => rank(a) - rank(b)) })).filter((c) => c.rules.length)
    .sort((a, b) => rank(a.rules[0]) - rank(b.rules[0]));
  const toggle = (key: string) => {
    const next = new Set(open);
    if (!next.delete(key)) next.add(key);
    setOpen(next);
  };
  const shared: Shared = { am: data?.am ?? [], acks: data?.taken ?? [], reload: () => setTurn((t) => t + 1), onWhy: setAsked };
  return (
    <>
      <PageHead title="Alerts" sub={data ? `${count('firing')} firing, ${count('pending')} pending, ${plural(all.length, 'rule')}` : undefined}><RangePicker /></PageHead>
      <AlertingNav />
      <Progress on={loading} />
      {error && !data && <ErrorBox error={error} retry={reload} />}
      {!data && loading && <div class="center"><Spinner /></div>}
      {all.length > 0 && (
        <div class="toolbar">
          {order.map((s) => <button key={s} type="button" class="chip" aria-pressed={only === s} onClick={() => setQuery({ state: only === s ? null : s }, true)}>{s} <b>{count(s)}</b></button>)}
          <input class="input toolbar-end" type="search" aria-label="Filter rules" placeholder="Filter by name, query or label" value={text} onInput={(e) => setQuery({ q: e.currentTarget.value || null }, true)} />
        </div>
      )}
      {data && !all.length && <Empty icon="bell" title="No alerting rules">Name rule files in <code>prometheus.yml</code> (<code>rule_files</code>), or load a rule pack in <code>meerkat.yml</code>.</Empty>}
      {all.length > 0 && !cards.length && <Empty icon="check" title="None">No rule matches.</Empty>}
      {cards.map(({ g, rules }) => <GroupCard key={g.file + g.name} group={g} rules={rules} open={open} toggle={toggle} shared={shared} />)}
      {asked && <WhyDialog fingerprint={asked} onClose={() => setAsked(null)} />}
    </>
  );
}
