// Receivers: when each was last reached, and a test.
import { useState } from 'preact/hooks';
import { useResource } from '../lib/api';
import { heartbeats, previewReceiver, receivers, testReceiver, type ReceiverInfo, type TestResult } from '../lib/alerting';
import { formatSeconds, shorten } from '../lib/format';
import { refresh, refreshTick, toast } from '../lib/store';
import { AlertingNav, StatePill, When } from '../ui/alert-parts';
import { Button, Card, Code, Dialog, Empty, ErrorBox, PageHead, Progress, Spinner } from '../ui/basics';

function Results({ list }: { list: TestResult[] }) {
  return (
    <ul class="test-results" role="status">{list.map((r) => (
      <li key={r.integration + r.index}><StatePill state={r.ok ? 'active' : 'firing'}>{r.ok ? 'sent' : 'failed'}</StatePill> {r.integration}
        {r.status > 0 && <span class="muted"> status {r.status}</span>} <span class="muted">{formatSeconds(r.durationMs / 1000)}</span>{r.error && <p class="tone-bad wrap">{shorten(r.error, 1000)}</p>}</li>
    ))}</ul>
  );
}

function ReceiverCard({ r, onPreview }: { r: ReceiverInfo; onPreview: (name: string) => void }) {
  const [busy, setBusy] = useState(false);
  const [results, setResults] = useState<TestResult[] | null>(null);
  const test = async () => {
    setBusy(true);
    setResults(null);
    await testReceiver(r.name).then((t) => setResults(t.results), (e: Error) => toast(e.message, 'error'));
    setBusy(false);
  };
  return (
    <Card flush title={r.name} actions={<span class="row">
      {r.integrations.length > 0 && <><Button small kind="ghost" onClick={() => onPreview(r.name)}>Preview</Button>
        <Button small disabled={busy} onClick={test}>{busy ? 'Sending…' : 'Send a test'}</Button></>}
    </span>}>
      {!r.integrations.length && <p class="muted pad">No integrations: what comes here is kept, and nobody is told.</p>}
      {r.integrations.length > 0 && (
        <div class="table-scroll" tabIndex={0} role="region" aria-label={`Integrations of ${r.name}`}>
          <table class="table cards receiver-table"><thead><tr><th scope="col">Integration</th><th scope="col">Sends resolved</th><th scope="col">Last attempt</th><th scope="col">Last success</th><th scope="col">Last error</th></tr></thead>
            <tbody>{r.integrations.map((i) => (
              <tr key={i.integration + i.index}><th scope="row">{i.integration}{i.index > 0 && ` #${i.index + 1}`}</th><td data-label="Resolved">{i.sendResolved ? 'yes' : 'no'}</td>
                <td data-label="Attempt"><When at={i.lastAttempt} /></td><td data-label="Success"><When at={i.lastSuccess} /></td><td data-label="Last error" class="tone-bad wrap">{shorten(i.error ?? '', 300)}</td></tr>
            ))}</tbody></table>
        </div>
      )}
      {results && <div class="pad"><Results list={results} /></div>}
    </Card>
  );
}

function PreviewDialog({ name, onClose }: { name: string; onClose: () => void }) {
  const { data, error } = useResource(() => previewReceiver(name), [name]);
  return (
    <Dialog title={`What ${name} would be sent`} onClose={onClose} wide>
      {error ? <ErrorBox error={error} /> : data ? data.results.map((p) => <div key={p.integration + p.index}><h3>{p.integration}</h3><Code text={p.preview} label={`${p.integration} message`} /></div>) : <div class="center"><Spinner /></div>}
    </Dialog>
  );
}

function Heartbeats() {
  const { data } = useResource((signal) => heartbeats(signal).catch(() => []), [refreshTick.value]);
  if (!data?.length) return null;
  return (
    <Card flush title="Heartbeats">
      <table class="table"><thead><tr><th scope="col">Name</th><th scope="col">Direction</th><th scope="col">State</th><th scope="col">Last</th></tr></thead>
        <tbody>{data.map((h) => <tr key={h.direction + h.name}><th scope="row">{h.name}</th><td>{h.direction === 'in' ? 'expected here' : 'sent'}</td>
          <td><StatePill state={h.state === 'ok' ? 'active' : h.state === 'missing' ? 'firing' : 'pending'}>{h.state}</StatePill></td><td><When at={h.lastSeen} /></td></tr>)}</tbody></table>
    </Card>
  );
}

export function Receivers() {
  const { data, error, loading, reload } = useResource(receivers, [refreshTick.value]);
  const [shown, setShown] = useState<string | null>(null);
  return (
    <>
      <PageHead title="Receivers"><Button icon="refresh" onClick={refresh}>Refresh</Button></PageHead>
      <AlertingNav />
      <Progress on={loading} />
      {error && <ErrorBox error={error} retry={reload} />}
      {!data && loading && <div class="center"><Spinner /></div>}
      {data && !data.length && <Empty icon="bell" title="No receivers">Start with <code>--alertmanager.config alertmanager.yml</code>.</Empty>}
      {data?.map((r) => <ReceiverCard key={r.name} r={r} onPreview={setShown} />)}
      <Heartbeats />
      {shown && <PreviewDialog name={shown} onClose={() => setShown(null)} />}
    </>
  );
}
