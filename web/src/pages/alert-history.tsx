// What alerts did, who was told, who did what about it.
import { useState } from 'preact/hooks';
import { useResource } from '../lib/api';
import { history, type HistoryEvent } from '../lib/alerting';
import { currentRange, place, range, refreshTick, setQuery, utc } from '../lib/store';
import { formatDateTime } from '../lib/time';
import { AlertingNav, LabelChips } from '../ui/alert-parts';
import { Card, Empty, ErrorBox, PageHead, Progress, Spinner } from '../ui/basics';
import { RangePicker } from '../ui/range';

const kinds: [string, string][] = [['', 'Everything'], ['firing', 'Firing'], ['resolved', 'Resolved'], ['notified', 'Notified'], ['notification_failed', 'Failed notifications'],
  ['acknowledged', 'Acknowledged'], ['unacknowledged', 'Unacknowledged'], ['silence', 'Silences']];
const tone: Record<string, string> = { firing: 'pill-bad', notification_failed: 'pill-bad', resolved: 'pill-good', notified: 'pill-good' };
const own = new Set(['time', 'kind', 'labels', 'fingerprint', 'groupKey']);
const facts = (e: HistoryEvent) => Object.entries(e).filter(([k, v]) => !own.has(k) && v !== '' && v !== undefined).map(([k, v]) => `${k}: ${typeof v === 'string' ? v : JSON.stringify(v)}`);

export function AlertHistory() {
  const kind = place.value.query.get('kind') ?? '', filter = place.value.query.get('filter') ?? '';
  const [text, setText] = useState(filter);
  const { data, error, loading, reload } = useResource((signal) => history({ ...currentRange(), kind, filter }, signal), [range.value.from, range.value.to, kind, filter, refreshTick.value]);
  return (
    <>
      <PageHead title="Alert history"><RangePicker /></PageHead>
      <AlertingNav />
      <form class="toolbar" onSubmit={(e) => { e.preventDefault(); setQuery({ filter: text.trim() || null }); }}>
        <select class="input" aria-label="Kind" value={kind} onChange={(e) => setQuery({ kind: e.currentTarget.value || null }, true)}>{kinds.map(([id, name]) => <option key={id} value={id}>{name}</option>)}</select>
        <input class="input mono grow" type="search" aria-label="Matchers" placeholder={'alertname="X"'} value={text} onInput={(e) => setText(e.currentTarget.value)} />
        <button type="submit" class="button button-default">Filter</button>
      </form>
      <Progress on={loading} />
      {error && <ErrorBox error={error} retry={reload} />}
      {!data && loading && <div class="center"><Spinner /></div>}
      {data && !data.events.length && <Empty icon="clock" title="Nothing happened">in this range, as far as it is kept.</Empty>}
      {data && data.events.length > 0 && (
        <Card flush>
          <div class="table-scroll" tabIndex={0} role="region" aria-label="History">
            <table class="table"><thead><tr><th scope="col">Time</th><th scope="col">What</th><th scope="col">Labels</th><th scope="col">Details</th></tr></thead>
              <tbody>{data.events.map((e, i) => (
                <tr key={i}><td class="mono nowrap">{formatDateTime(Date.parse(e.time), utc.value)}</td><td><span class={`pill ${tone[e.kind] ?? ''}`}>{e.kind.replace('_', ' ')}</span></td>
                  <td><LabelChips labels={e.labels} /></td><td class="small">{facts(e).join(', ')}</td></tr>
              ))}</tbody></table>
          </div>
          {data.truncated && <p class="muted pad">There are more: narrow the range or the filter.</p>}
        </Card>
      )}
    </>
  );
}
