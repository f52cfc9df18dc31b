// Alerts by state: the rules of this server, and what others posted to its Alertmanager.
import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { useResource, type Labels } from '../lib/api';
import { acks, alertNames, ruleGroups, type NameCount, type Rule, type RuleGroup } from '../lib/alerting';
import { formatNumber, formatSeconds, formatSpan, plural } from '../lib/format';
import { matchLabels, parseMatchers, type Matcher } from '../lib/matchers';
import { place, refreshTick, setQuery } from '../lib/store';
import { AlertingNav, StatePill, When, WhyDialog } from '../ui/alert-parts';
import { Button, Empty, ErrorBox, FilterChip, PageHead, Progress, Spinner } from '../ui/basics';
import { Icon } from '../ui/icons';
import { RangePicker } from '../ui/range';
import { PostedAlerts, RuleBody, timeOf, type Shared } from './alert-rule';

const order = ['firing', 'pending', 'inactive'] as const;
type State = (typeof order)[number];

const stateOf = (r: Rule): State => r.state ?? 'inactive';

function Row({ testid, state, id, open, onToggle, head, facts, children }: {
  testid: string; state: State; id: string; open: boolean; onToggle: () => void; head: ComponentChildren; facts: ComponentChildren; children: ComponentChildren;
}) {
  return (
    <article class="rule" data-testid={testid} data-state={state}>
      <button type="button" class="rule-head" aria-expanded={open} aria-controls={id} onClick={onToggle}>
        <Icon name="chevron" size={14} /><StatePill state={state} />{head}<span class="rule-facts muted">{facts}</span>
      </button>
      {open && <div id={id}>{children}</div>}
    </article>
  );
}

function Facts({ rule }: { rule: Rule }) {
  const alerts = rule.alerts ?? [];
  if (!alerts.length) return null;
  const values = alerts.map((a) => Number(a.value)).filter((v) => !Number.isNaN(v)).sort((a, b) => a - b);
  const format = timeOf(rule) ? formatSeconds : formatNumber;
  const low = format(values[0] ?? NaN), high = format(values[values.length - 1] ?? NaN);
  return <>{plural(alerts.length, 'alert')}, {low === high ? `value ${low}` : `values ${low} to ${high}`}, since <When at={alerts.map((a) => a.activeAt).sort()[0]} /></>;
}

interface ListProps { open: Set<string>; toggle: (key: string) => void; shared: Shared }
const idOf = (key: string) => `rule-${key.replace(/\W+/g, '-')}`;

function GroupCard({ group, rules, open, toggle, shared }: { group: RuleGroup; rules: Rule[] } & ListProps) {
  return (
    <section class="card">
      <header class="card-head"><h2>{group.name}</h2><span class="muted small">{group.file.split('/').pop()}, every {formatSpan(group.interval)}</span></header>
      <div class="card-flush">{rules.map((r, i) => {
        const key = `${group.file} ${group.name} ${r.name} ${i}`;
        return (
          <Row key={key} testid="alert-rule" state={stateOf(r)} id={idOf(key)} open={open.has(key)} onToggle={() => toggle(key)} facts={<Facts rule={r} />}
            head={<><b class="rule-name"><bdi>{r.name}</bdi></b>{r.labels.severity && <span class="tag pill">{r.labels.severity}</span>}{r.health === 'err' && <span class="pill pill-bad">evaluation fails</span>}</>}>
            <RuleBody rule={r} shared={shared} />
          </Row>
        );
      })}</div>
    </section>
  );
}

function PostedCard({ names, open, toggle, shared }: { names: NameCount[] } & ListProps) {
  return (
    <section class="card">
      <header class="card-head"><h2>From other senders</h2><span class="muted small">posted to the Alertmanager</span></header>
      <div class="card-flush">{names.map((n) => {
        const key = `posted ${n.name}`;
        return (
          <Row key={key} testid="posted-alert" state="firing" id={idOf(key)} open={open.has(key)} onToggle={() => toggle(key)} head={<b class="rule-name"><bdi>{n.name || '(no name)'}</bdi></b>}
            facts={<>{plural(n.active + n.suppressed, 'alert')}{n.suppressed > 0 && `, ${n.suppressed.toLocaleString('en-US')} suppressed`}, since <When at={n.since} /></>}>
            <PostedAlerts name={n.name} shared={shared} />
          </Row>
        );
      })}</div>
    </section>
  );
}

/** A rule is what a filter asks for when one of its alerts is, or while it has none, when its own labels do not say otherwise. */
function meetsFilter(r: Rule, filter: Matcher[]): boolean {
  const own: Labels = { ...r.labels, alertname: r.name };
  return r.alerts?.length ? r.alerts.some((a) => matchLabels(filter, a.labels)) : matchLabels(filter.filter((m) => own[m.name] !== undefined), own) && filter.some((m) => own[m.name] !== undefined);
}

export function Alerts() {
  const [open, setOpen] = useState<Set<string>>(new Set());
  const [turn, setTurn] = useState(0);
  const [asked, setAsked] = useState<string | null>(null);
  const { data, error, loading, reload } = useResource(async (signal) => {
    const [rules, names, taken] = await Promise.all([ruleGroups(signal), alertNames(signal).catch(() => []), acks(signal).catch(() => [])]);
    return { rules, names, taken };
  }, [refreshTick.value, turn]);
  const query = place.value.query, only = query.get('state') ?? '', text = (query.get('q') ?? '').toLowerCase(), filterText = query.get('filter') ?? '';
  const filter = parseMatchers(filterText).matchers;
  const all = (data?.rules ?? []).flatMap((g) => g.rules);
  const own = new Set(all.map((r) => r.name));
  const posted = (data?.names ?? []).filter((n) => !own.has(n.name));
  const count = (state: State) => all.filter((r) => stateOf(r) === state).length + (state === 'firing' ? posted.length : 0);
  const shows = (r: Rule) => (!only || stateOf(r) === only) && (!filter.length || meetsFilter(r, filter)) &&
    (!text || `${r.name} ${r.query} ${Object.values(r.labels).join(' ')}`.toLowerCase().includes(text));
  const shownPosted = posted.filter((n) => (!only || only === 'firing') && (!text || n.name.toLowerCase().includes(text)) && matchLabels(filter.filter((m) => m.name === 'alertname'), { alertname: n.name }));
  const rank = (r: Rule) => order.indexOf(stateOf(r));
  const cards = (data?.rules ?? []).map((g) => ({ g, rules: g.rules.filter(shows).sort((a, b) => rank(a) - rank(b)) })).filter((c) => c.rules.length)
    .sort((a, b) => rank(a.rules[0]) - rank(b.rules[0]));
  const toggle = (key: string) => {
    const next = new Set(open);
    if (!next.delete(key)) next.add(key);
    setOpen(next);
  };
  const shared: Shared = { acks: data?.taken ?? [], turn, reload: () => setTurn((t) => t + 1), onWhy: setAsked };
  const anything = all.length > 0 || posted.length > 0;
  return (
    <>
      <PageHead title="Alerts" sub={data ? `${plural(all.length, 'rule')}: ${all.filter((r) => stateOf(r) === 'firing').length} firing, ${count('pending')} pending` : undefined}><RangePicker /></PageHead>
      <AlertingNav />
      <Progress on={loading} />
      {error && <ErrorBox error={error} retry={reload} />}
      {!data && loading && <div class="center"><Spinner /></div>}
      {anything && (
        <div class="toolbar">
          {order.map((s) => <button key={s} type="button" class="chip" aria-pressed={only === s} onClick={() => setQuery({ state: only === s ? null : s }, true)}>{s} <b>{count(s)}</b></button>)}
          {filterText && <FilterChip text={filterText} onClear={() => setQuery({ filter: null })} />}
          <input class="input toolbar-end" type="search" aria-label="Filter rules" placeholder="Filter by name, query or label" value={query.get('q') ?? ''} onInput={(e) => setQuery({ q: e.currentTarget.value || null }, true)} />
        </div>
      )}
      {data && !anything && <Empty icon="bell" title="No alerting rules">Name rule files in <code>prometheus.yml</code> (<code>rule_files</code>), or load a rule pack in <code>meerkat.yml</code>: <code>rules: {'{packs: [self]}'}</code>.</Empty>}
      {anything && !cards.length && !shownPosted.length && <Empty icon="search" title="No rule matches"><Button small onClick={() => setQuery({ q: null, state: null, filter: null })}>Show all</Button></Empty>}
      {shownPosted.length > 0 && <PostedCard names={shownPosted} open={open} toggle={toggle} shared={shared} />}
      {cards.map(({ g, rules }) => <GroupCard key={g.file + g.name} group={g} rules={rules} open={open} toggle={toggle} shared={shared} />)}
      {asked && <WhyDialog fingerprint={asked} onClose={() => setAsked(null)} />}
    </>
  );
}
