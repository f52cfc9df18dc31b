// Groups as the Alertmanager has them, with their timers and what became of every notification.
import { useState } from 'preact/hooks';
import { useResource } from '../lib/api';
import { groups, type Group } from '../lib/alerting';
import { plural } from '../lib/format';
import { refresh, refreshTick } from '../lib/store';
import { AlertingNav, LabelChips, SentTable, StatePill, When, WhyDialog } from '../ui/alert-parts';
import { Button, Card, Empty, ErrorBox, PageHead, Progress, Spinner } from '../ui/basics';

const alertsMax = 50;

function GroupCard({ g, onWhy }: { g: Group; onWhy: (fingerprint: string) => void }) {
  return (
    <Card flush title={<span class="row row-wrap"><b>{g.receiver}</b>{Object.keys(g.labels).length ? <LabelChips labels={g.labels} /> : <span class="muted">not grouped</span>}</span>}
      actions={<span class="muted small">{plural(g.alerts.length, 'alert')}, flushed <When at={g.lastFlush} />, next <When at={g.nextFlush} />{g.mutedBy.length > 0 && <>, muted by {g.mutedBy.join(', ')}</>}</span>}>
      <SentTable list={g.integrations} label={`Notifications to ${g.receiver}`} />
      <ul class="group-alerts">{g.alerts.slice(0, alertsMax).map((a) => (
        <li key={a.fingerprint}><StatePill state={a.state} /><LabelChips labels={a.labels} without={Object.keys(g.labels)} />
          <Button small kind="ghost" onClick={() => onWhy(a.fingerprint)}>Why?</Button></li>
      ))}</ul>
      {g.alerts.length > alertsMax && <p class="muted pad">and {g.alerts.length - alertsMax} more alerts</p>}
    </Card>
  );
}

export function AlertGroups() {
  const { data, error, loading, reload } = useResource(groups, [refreshTick.value]);
  const [text, setText] = useState('');
  const [asked, setAsked] = useState<string | null>(null);
  const shown = (data ?? []).filter((g) => !text || JSON.stringify([g.receiver, g.labels, g.alerts]).toLowerCase().includes(text.toLowerCase()));
  return (
    <>
      <PageHead title="Alert groups" sub={data ? plural(data.length, 'group') : undefined}><Button icon="refresh" onClick={refresh}>Refresh</Button></PageHead>
      <AlertingNav />
      <Progress on={loading} />
      {error && !data && <ErrorBox error={error} retry={reload} />}
      {!data && loading && <div class="center"><Spinner /></div>}
      {data && data.length > 0 && <div class="toolbar"><input class="input" type="search" aria-label="Filter groups" placeholder="Filter by receiver or label" value={text} onInput={(e) => setText(e.currentTarget.value)} /></div>}
      {data && !data.length && <Empty icon="check" title="No group holds alerts">Alerts are grouped once they fire.</Empty>}
      {shown.map((g) => <GroupCard key={g.receiver + g.key} g={g} onWhy={setAsked} />)}
      {asked && <WhyDialog fingerprint={asked} onClose={() => setAsked(null)} />}
    </>
  );
}
