// What the alerting pages share: their navigation, states, labels, the explanation of one alert.
import type { ComponentChildren } from 'preact';
import { useResource, type Labels } from '../lib/api';
import { why, type Sent, type Why } from '../lib/alerting';
import { place, utc } from '../lib/store';
import { formatAgo, formatDateTime } from '../lib/time';
import { Dialog, ErrorBox, Spinner } from './basics';
import { Icon } from './icons';

const views: [string, string][] = [
  ['/alerts', 'Rules'], ['/alerting/groups', 'Groups'], ['/silences', 'Silences'], ['/alerting/routes', 'Routing'],
  ['/alerting/receivers', 'Receivers'], ['/alerting/history', 'History'],
];

export function AlertingNav() {
  const { path } = place.value;
  return (
    <nav class="tabs subnav" aria-label="Alerting">
      {views.map(([to, name]) => <a key={to} href={to} class="tab" aria-current={path === to || path.startsWith(`${to}/`) ? 'page' : undefined}>{name}</a>)}
    </nav>
  );
}

const tones: Record<string, string> = { firing: 'pill-bad', pending: 'pill-warn', inactive: '', active: 'pill-good', suppressed: '', resolved: 'pill-good', expired: '', unprocessed: '' };
export const StatePill = ({ state, children }: { state: string; children?: ComponentChildren }) =>
  <span class={`pill ${tones[state] ?? ''}`}><Icon name={state === 'firing' ? 'warn' : state === 'pending' ? 'clock' : 'check'} size={12} />{children ?? state}</span>;

export const LabelChips = ({ labels, without = [] }: { labels: Labels; without?: string[] }) => (
  <span class="chips-inline">{Object.entries(labels).filter(([k]) => !without.includes(k)).map(([k, v]) => <span key={k} class="label-chip mono">{k}="{v}"</span>)}</span>
);

/** "3 min ago" with the whole time as a tooltip; for times to come "in 3 min". */
export function When({ at }: { at?: string }) {
  const ms = at ? Date.parse(at) : NaN;
  if (!Number.isFinite(ms) || ms <= 0) return <span class="muted">–</span>;
  const now = Date.now();
  const text = ms <= now ? formatAgo(ms, now) : `in ${formatAgo(2 * now - ms, now).replace(/ ago$/, '').replace(/^just now$/, 'a moment')}`;
  return <time dateTime={at} title={formatDateTime(ms, utc.value, true)}>{text}</time>;
}

export function SentRow({ s }: { s: Sent }) {
  return (
    <tr>
      <th scope="row">{s.integration}{s.index > 0 && ` #${s.index + 1}`}</th>
      <td>{s.decision ?? <span class="muted">nothing yet</span>}</td>
      <td><When at={s.lastNotified ?? s.lastSuccess} /></td>
      <td><When at={s.nextAttempt ?? s.repeatsAt} /></td>
      <td class={s.error ? 'tone-bad wrap' : 'muted'}>{s.error || (s.status ? `status ${s.status}` : s.lastAttempt ? 'ok' : '')}</td>
    </tr>
  );
}

export const SentTable = ({ list, label }: { list: Sent[]; label: string }) => (
  <div class="table-scroll" tabIndex={0} role="region" aria-label={label}>
    <table class="table">
      <thead><tr><th scope="col">Integration</th><th scope="col">Last decision</th><th scope="col">Last sent</th><th scope="col">Next</th><th scope="col">Result</th></tr></thead>
      <tbody>{list.map((s) => <SentRow key={s.integration + s.index} s={s} />)}</tbody>
    </table>
  </div>
);

function Explained({ w }: { w: Why }) {
  return (
    <div class="why">
      <p class="why-summary"><StatePill state={w.state} /> {w.summary}</p>
      <LabelChips labels={w.labels} />
      {w.ack && <p>Acknowledged by <b>{w.ack.owner}</b>{w.ack.comment && `: ${w.ack.comment}`}{w.ack.expiresAt && <>, until <When at={w.ack.expiresAt} /></>}</p>}
      {w.silencedBy.map((s) => <p key={s.id}>Silenced by {s.createdBy}: {s.comment} (ends <When at={s.endsAt} />)</p>)}
      {w.inhibitedBy.map((i) => <p key={i.fingerprint}>Inhibited by <LabelChips labels={i.labels} /> <span class="muted">{i.rule}</span></p>)}
      {w.routes.map((r, i) => (
        <section key={i} class="why-route">
          <h3>To <b>{r.receiver}</b></h3>
          <p class="muted mono small">{r.path.join(' → ')}{r.line ? `  (line ${r.line})` : ''}</p>
          <p class="small">Grouped by {r.groupBy.length ? r.groupBy.join(', ') : 'nothing'}, waits {r.groupWait}, then every {r.groupInterval}, repeats after {r.repeatInterval}.
            {r.mutedBy.length > 0 && <b> Muted now by {r.mutedBy.join(', ')}.</b>}
            {r.group && <> Next flush of its {r.group.alerts}-alert group: <When at={r.group.nextFlush} />.</>}</p>
          <SentTable list={r.integrations} label={`Notifications to ${r.receiver}`} />
        </section>
      ))}
      {!w.routes.length && <p class="muted">No route takes it.</p>}
    </div>
  );
}

export function WhyDialog({ fingerprint, onClose }: { fingerprint: string; onClose: () => void }) {
  const { data, error } = useResource((signal) => why(fingerprint, signal), [fingerprint]);
  return (
    <Dialog title="Why was this (not) sent?" onClose={onClose} wide>
      {error ? <ErrorBox error={error} /> : data ? <Explained w={data} /> : <div class="center"><Spinner /></div>}
    </Dialog>
  );
}
