// Groups as the Alertmanager has them, with their timers and what became of every notification.
import { useState } from 'preact/hooks';
import { useResource } from '../lib/api';
import { groups, type Group, type Member } from '../lib/alerting';
import { plural, shorten } from '../lib/format';
import { labelMatchers, matcherText, parseMatchers } from '../lib/matchers';
import { place, refresh, refreshTick, setQuery, toast } from '../lib/store';
import { AlertState, AlertingNav, SentTable, When, WhyDialog } from '../ui/alert-parts';
import { Button, Card, Empty, ErrorBox, FilterChip, LabelChips, PageHead, Progress, Spinner } from '../ui/basics';

const listed = 5, groupsMax = 30;

const silenceOf = (labels: Record<string, string>) => `/silences/new?matchers=${encodeURIComponent(labelMatchers(labels))}`;

function AlertItem({ a, without, onWhy }: { a: Member; without: string[]; onWhy: (fingerprint: string) => void }) {
  return (
    <li>
      <AlertState state={a.state} />
      <div class="group-alert"><LabelChips labels={a.labels} without={without} />{a.acknowledged && <span class="tag pill">acknowledged</span>}
        {a.summary && <p class="small"><bdi>{shorten(a.summary, 300)}</bdi></p>}</div>
      <span class="muted small nowrap"><When at={a.startsAt} /></span>
      <div class="row">{/^https?:\/\//.test(a.generatorURL) && <a class="button button-ghost button-small" href={a.generatorURL} target="_blank" rel="noreferrer">Source</a>}
        <Button small kind="ghost" onClick={() => onWhy(a.fingerprint)}>Why?</Button>
        <a class="button button-ghost button-small" href={silenceOf(a.labels)}>Silence</a></div>
    </li>
  );
}

function GroupCard({ g, onWhy }: { g: Group; onWhy: (fingerprint: string) => void }) {
  const [all, setAll] = useState<Member[] | null>(null);
  const more = () => groups({ receiver: g.receiver, key: g.key, alerts: 1000 }).then((found) => setAll(found[0]?.alerts ?? []), (e: Error) => toast(e.message, 'error'));
  const alerts = all ?? g.alerts, names = Object.keys(g.labels), labels = names.length ? labelMatchers(g.labels) : 'everything';
  return (
    <Card flush class="alert-group" title={<span class="row row-wrap"><span>{g.receiver}</span>{names.length ? <LabelChips labels={g.labels} /> : <span class="muted">not grouped</span>}</span>}
      actions={<div class="row row-wrap row-end"><span class="muted small">{plural(g.alertCount, 'alert')}, flushed <When at={g.lastFlush} />, next <When at={g.nextFlush} /></span>
        {g.mutedBy.length > 0 && <span class="pill pill-warn">muted by {g.mutedBy.join(', ')}</span>}
        {names.length > 0 && <a class="button button-default button-small" href={silenceOf(g.labels)}>Silence group</a>}</div>}>
      {g.integrations.length ? <SentTable list={g.integrations} label={`Notifications to ${g.receiver} for ${labels}`} /> : <p class="muted pad">This receiver tells nobody.</p>}
      <ul class="group-alerts">{alerts.map((a) => <AlertItem key={a.fingerprint} a={a} without={names} onWhy={onWhy} />)}</ul>
      {!all && g.alertCount > alerts.length && <p class="pad"><Button small onClick={more}>Show {g.alertCount > 1000 ? 'the first 1,000' : `all ${g.alertCount}`}</Button></p>}
    </Card>
  );
}

export function AlertGroups() {
  const query = place.value.query, receiver = query.get('receiver') ?? '', filterText = query.get('filter') ?? '', text = (query.get('q') ?? '').toLowerCase();
  const filter = parseMatchers(filterText);
  const { data, error, loading, reload } = useResource((signal) => groups({ filter: filter.matchers.map(matcherText), alerts: listed }, signal), [filterText, refreshTick.value]);
  const [asked, setAsked] = useState<string | null>(null);
  const [most, setMost] = useState(groupsMax);
  const receivers = [...new Set([...(data ?? []).map((g) => g.receiver), ...(receiver ? [receiver] : [])])].sort();
  const keyOf = (g: Group) => `${g.receiver} ${JSON.stringify(g.labels)}`;
  const shown = (data ?? []).filter((g) => (!receiver || g.receiver === receiver) && (!text || JSON.stringify([g.receiver, g.labels, g.alerts.map((a) => [a.labels, a.summary])]).toLowerCase().includes(text)))
    .sort((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1));
  const alerts = (data ?? []).reduce((n, g) => n + g.alertCount, 0);
  return (
    <>
      <PageHead title="Alert groups" sub={data ? `${plural(data.length, 'group')}, ${plural(alerts, 'alert')}` : undefined}><Button icon="refresh" onClick={refresh}>Refresh</Button></PageHead>
      <AlertingNav />
      <Progress on={loading} />
      {error && <ErrorBox error={error} retry={reload} />}
      {filter.error && <ErrorBox error={new Error(filter.error)} />}
      {!data && loading && <div class="center"><Spinner /></div>}
      {data && (data.length > 0 || receiver || filterText) && (
        <div class="toolbar">
          <input class="input" type="search" aria-label="Filter groups" placeholder="Filter by receiver or label" value={query.get('q') ?? ''} onInput={(e) => setQuery({ q: e.currentTarget.value || null }, true)} />
          <select class="input" aria-label="Receiver" value={receiver} onChange={(e) => setQuery({ receiver: e.currentTarget.value || null })}>
            <option value="">All receivers</option>{receivers.map((r) => <option key={r} value={r}>{r}</option>)}
          </select>
          {filterText && <FilterChip text={filterText} onClear={() => setQuery({ filter: null })} />}
        </div>
      )}
      {data && !data.length && !filterText && <Empty icon="check" title="No group holds alerts">Alerts are grouped once they fire.</Empty>}
      {data && (data.length > 0 || filterText) && !shown.length && <Empty icon="search" title="No group matches"><Button small onClick={() => setQuery({ q: null, receiver: null, filter: null })}>Show all</Button></Empty>}
      {shown.slice(0, most).map((g) => <GroupCard key={g.receiver + g.key} g={g} onWhy={setAsked} />)}
      {shown.length > most && <p><Button onClick={() => setMost(most + 100)}>Show more of {plural(shown.length, 'group')}</Button></p>}
      {asked && <WhyDialog fingerprint={asked} onClose={() => setAsked(null)} />}
    </>
  );
}
