// What the alerting pages share: their navigation, states, labels, the explanation of one alert.
import type { ComponentChildren } from 'preact';
import { useEffect, useRef } from 'preact/hooks';
import { useResource } from '../lib/api';
import { why, type Sent, type Why } from '../lib/alerting';
import { place, utc } from '../lib/store';
import { plural, shorten } from '../lib/format';
import { formatAgo, formatDateTime } from '../lib/time';
import { Dialog, ErrorBox, LabelChips, Spinner } from './basics';
import { Icon, type IconName } from './icons';

const views: [string, string][] = [
  ['/alerts', 'Rules'], ['/alerting/groups', 'Groups'], ['/silences', 'Silences'], ['/alerting/routes', 'Routing'],
  ['/alerting/receivers', 'Receivers'], ['/alerting/history', 'History'],
];

export function AlertingNav() {
  const { path } = place.value;
  const nav = useRef<HTMLElement>(null);
  // On a phone the bar is wider than the window.
  useEffect(() => nav.current?.querySelector('[aria-current]')?.scrollIntoView({ block: 'nearest', inline: 'center' }), [path]);
  return (
    <nav class="tabs subnav" aria-label="Alerting" ref={nav}>
      {views.map(([to, name]) => <a key={to} href={to} class="tab" aria-current={path === to || path.startsWith(`${to}/`) ? 'page' : undefined}>{name}</a>)}
    </nav>
  );
}

const tones: Record<string, string> = { firing: 'pill-bad', pending: 'pill-warn', inactive: '', active: 'pill-good', expired: '' };
/** Of rules and silences. */
export const StatePill = ({ state, children }: { state: string; children?: ComponentChildren }) =>
  <span class={`pill ${tones[state] ?? ''}`}><Icon name={state === 'firing' ? 'warn' : state === 'pending' ? 'clock' : 'check'} size={12} />{children ?? state}</span>;

const alertStates: Record<string, [string, IconName]> = {
  active: ['pill-bad', 'warn'], suppressed: ['', 'mute'], unprocessed: ['pill-warn', 'clock'], resolved: ['pill-good', 'check'],
};
/** Of alerts as the Alertmanager has them: an active silence is good news, an active alert is not. */
export function AlertState({ state }: { state: string }) {
  const [tone, icon] = alertStates[state] ?? ['', 'warn'];
  return <span class={`pill ${tone}`}><Icon name={icon} size={12} />{state}</span>;
}

/** Times in a sentence of the server's, as everything else on the page shows them. */
const localTimes = (text: string) => text.replace(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z/g, (t) => formatDateTime(Date.parse(t), utc.value));

/** "3 min ago" with the whole time as a tooltip; for times to come "in 3 min". */
export function When({ at }: { at?: string }) {
  const ms = at ? Date.parse(at) : NaN;
  if (!Number.isFinite(ms) || ms <= 0) return <span class="muted">–</span>;
  const now = Date.now();
  const text = ms <= now ? formatAgo(ms, now) : `in ${formatAgo(2 * now - ms, now).replace(/ ago$/, '').replace(/^just now$/, 'a moment')}`;
  return <time dateTime={at} title={formatDateTime(ms, utc.value, true)}>{text}</time>;
}

interface Calendar { times?: { start_time: string; end_time: string }[]; weekdays?: string[]; location?: string; [more: string]: unknown }

/** A silence's recurrence, as it stands in its JSON, in words; what has no words here stands as it is. */
export function recurrenceText(json: string): string {
  try {
    return (JSON.parse(json) as Calendar[]).map(({ times, weekdays, location, ...more }) => [
      weekdays?.length ? weekdays.join(', ') : 'every day', times?.map((t) => `${t.start_time} to ${t.end_time}`).join(' and '),
      ...Object.entries(more).map(([k, v]) => `${k.replaceAll('_', ' ')} ${Array.isArray(v) ? v.join(', ') : JSON.stringify(v)}`), `(${location || 'UTC'})`,
    ].filter(Boolean).join(' ')).join('; ');
  } catch {
    return json;
  }
}

export function SentRow({ s }: { s: Sent }) {
  return (
    <tr>
      <th scope="row">{s.integration}{s.index > 0 && ` #${s.index + 1}`}</th>
      <td data-label="Last decision">{!s.decision ? <span class="muted">nothing yet</span> : s.decision === 'none' ? 'nothing new' : s.decision}</td>
      <td data-label="Last sent"><When at={s.lastNotified ?? s.lastSuccess} /></td>
      <td data-label="Next"><When at={s.nextAttempt ?? s.repeatsAt} /></td>
      <td data-label="Result" class={s.error ? 'tone-bad wrap' : 'muted'}>{s.error ? <>{s.attempts ? `${plural(s.attempts, 'attempt')}: ` : ''}{shorten(s.error, 300)}</> : s.status ? `status ${s.status}` : s.lastAttempt ? 'ok' : ''}</td>
    </tr>
  );
}

export const SentTable = ({ list, label }: { list: Sent[]; label: string }) => (
  <div class="table-scroll" tabIndex={0} role="region" aria-label={label}>
    <table class="table cards sent-table">
      <thead><tr><th scope="col">Integration</th><th scope="col">Last decision</th><th scope="col">Last sent</th><th scope="col">Next</th><th scope="col">Result</th></tr></thead>
      <tbody>{list.map((s) => <SentRow key={s.integration + s.index} s={s} />)}</tbody>
    </table>
  </div>
);

function Explained({ w }: { w: Why }) {
  return (
    <div class="why">
      <p class="why-summary"><AlertState state={w.state} /> {shorten(localTimes(w.summary), 400)}</p>
      <LabelChips labels={w.labels} />
      {w.ack && <p>Acknowledged by <b>{w.ack.owner}</b>{w.ack.comment && `: ${w.ack.comment}`}{w.ack.expiresAt && <>, until <When at={w.ack.expiresAt} /></>}</p>}
      {w.silencedBy.map((s) => <p key={s.id}>Silenced by {s.createdBy}: {s.comment} (ends <When at={s.endsAt} />)</p>)}
      {w.inhibitedBy.map((i) => <p key={i.fingerprint}>Inhibited by <LabelChips labels={i.labels} /> <span class="muted">{i.rule}</span></p>)}
      {w.routes.map((r, i) => (
        <section key={i} class="why-route">
          <h3>To <b>{r.receiver}</b></h3>
          <p class="muted mono small">{r.path.join(' → ')}{r.line ? `  (line ${r.line})` : ''}</p>
          <p class="small">{!r.groupBy.length ? 'All in one group' : r.groupBy[0] === '...' ? 'A group of its own' : `Grouped by ${r.groupBy.join(', ')}`}, waits {r.groupWait}, then every {r.groupInterval}, repeats after {r.repeatInterval}.
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
