// What alerts did, who was told, who did what about it.
import { useEffect, useState } from 'preact/hooks';
import { useResource } from '../lib/api';
import { history, type HistoryEvent } from '../lib/alerting';
import { plural, shorten } from '../lib/format';
import { currentRange, place, range, refreshTick, setQuery, utc } from '../lib/store';
import { formatDateTime } from '../lib/time';
import { AlertingNav, recurrenceText } from '../ui/alert-parts';
import { Button, Card, Empty, ErrorBox, LabelChips, PageHead, Progress, Spinner } from '../ui/basics';
import { RangePicker } from '../ui/range';

const kinds: [string, string][] = [['', 'Everything'], ['firing', 'Firing'], ['resolved', 'Resolved'], ['notified', 'Notified'], ['notification_failed', 'Failed notifications'],
  ['acknowledged', 'Acknowledged'], ['unacknowledged', 'Unacknowledged'], ['silence', 'Silences']];
const tone: Record<string, string> = { firing: 'pill-bad', notification_failed: 'pill-bad', resolved: 'pill-good', notified: 'pill-good' };

/** One sentence for each kind; what a later version may add stands behind it as it is. */
function Details({ e }: { e: HistoryEvent }) {
  const text = (name: string) => (typeof e[name] === 'string' ? (e[name] as string) : '');
  const n = Number(text('alerts'));
  switch (e.kind) {
    case 'notified':
      return <><b>{text('receiver')}</b> by {text('integration')}{n > 0 && `, ${plural(n, 'alert')}`}{text('reason') && <span class="muted"> ({text('reason')})</span>}</>;
    case 'notification_failed':
      return <><b>{text('receiver')}</b> by {text('integration')}{text('attempts') && `, ${plural(Number(text('attempts')), 'attempt')}`}<p class="tone-bad wrap">{shorten(text('error'), 300)}</p></>;
    case 'silence':
      return <>{text('action')} by {text('createdBy')}: {text('comment')} <span class="mono muted">{shorten(text('matchers'), 200)}</span>{text('recurrence') && <span class="muted"> {recurrenceText(text('recurrence'))}</span>}
        {text('id') && <> <a href={`/silences?id=${encodeURIComponent(text('id'))}`}>Show</a></>}</>;
    case 'acknowledged':
    case 'unacknowledged':
      return <>by {text('owner')}{text('comment') && `: ${text('comment')}`}</>;
    case 'firing':
    case 'resolved':
      return null;
    default:
      return <>{Object.entries(e).filter(([k, v]) => !['time', 'kind', 'labels'].includes(k) && v !== '').map(([k, v]) => `${k}: ${typeof v === 'string' ? v : JSON.stringify(v)}`).join(', ')}</>;
  }
}

export function AlertHistory() {
  const kind = place.value.query.get('kind') ?? '', filter = place.value.query.get('filter') ?? '';
  const [text, setText] = useState(filter);
  useEffect(() => setText(filter), [filter]);
  const { data, error, loading, reload } = useResource((signal) => history({ ...currentRange(), kind, filter }, signal), [range.value.from, range.value.to, kind, filter, refreshTick.value]);
  return (
    <>
      <PageHead title="Alert history"><RangePicker /></PageHead>
      <AlertingNav />
      <form class="toolbar" onSubmit={(e) => { e.preventDefault(); setQuery({ filter: text.trim() || null }); }}>
        <select class="input" aria-label="Kind" value={kind} onChange={(e) => setQuery({ kind: e.currentTarget.value || null }, true)}>{kinds.map(([id, name]) => <option key={id} value={id}>{name}</option>)}</select>
        <input class="input mono grow" type="search" aria-label="Matchers" spellcheck={false} placeholder={'Matchers, such as alertname="HighLatency"'} value={text} onInput={(e) => setText(e.currentTarget.value)} />
        <button type="submit" class="button button-default">Filter</button>
      </form>
      <Progress on={loading} />
      {error && <ErrorBox error={error} retry={reload} />}
      {!data && loading && <div class="center"><Spinner /></div>}
      {data && !error && !data.events.length && <Empty icon="clock" title="Nothing happened">{kind || filter ? <>Nothing of this kind in this range. <Button small onClick={() => setQuery({ kind: null, filter: null })}>Show everything</Button></> : 'in this range, as far as it is kept.'}</Empty>}
      {data && !error && data.events.length > 0 && (
        <Card flush>
          <div class="table-scroll" tabIndex={0} role="region" aria-label="History">
            <table class="table cards history-table"><thead><tr><th scope="col">Time</th><th scope="col">What</th><th scope="col">Labels</th><th scope="col">Details</th></tr></thead>
              <tbody>{data.events.map((e, i) => (
                <tr key={i}><td class="mono nowrap">{formatDateTime(Date.parse(e.time), utc.value)}</td><td><span class={`pill ${tone[e.kind] ?? ''}`}>{e.kind.replaceAll('_', ' ')}</span></td>
                  <td data-label="Labels"><LabelChips labels={e.labels} /></td><td data-label="Details" class="small"><Details e={e} /></td></tr>
              ))}</tbody></table>
          </div>
          {data.truncated && <p class="muted pad">The latest {data.events.length} events: narrow the range or the filter to see earlier ones.</p>}
        </Card>
      )}
    </>
  );
}
