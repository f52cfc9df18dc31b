// Silences: what is muted, until when and why.
import { useState } from 'preact/hooks';
import { useResource } from '../lib/api';
import { expireSilence, silences, type Silence } from '../lib/alerting';
import { plural, shorten } from '../lib/format';
import { matcherText, matchersText, parseMatchers } from '../lib/matchers';
import { place, refresh, refreshTick, setQuery, toast } from '../lib/store';
import { AlertingNav, StatePill, When, recurrenceText } from '../ui/alert-parts';
import { Button, Card, Empty, ErrorBox, FilterChip, PageHead, Progress, Spinner } from '../ui/basics';

const states = ['active', 'pending', 'expired'] as const;
const rowsMax = 100, endedMax = 10;

function Row({ s, onExpire }: { s: Silence; onExpire: (id: string) => void }) {
  const ended = s.status.state === 'expired', id = encodeURIComponent(s.id);
  const again = `/silences/new?matchers=${encodeURIComponent(matchersText(s.matchers))}&comment=${encodeURIComponent(s.comment)}&like=${id}`;
  return (
    <article class="silence" data-testid="silence-row" data-state={s.status.state}>
      <div class="silence-main">
        <p class="row row-wrap"><StatePill state={s.status.state} /><span class="mono" title={matchersText(s.matchers)}>{shorten(matchersText(s.matchers), 400)}</span></p>
        <p><bdi>{s.comment}</bdi></p>
        {s.recurrence && <p class="small">Recurring: {recurrenceText(s.recurrence)}</p>}
        <p class="muted small">{s.createdBy || 'unknown'}, from <When at={s.startsAt} />, {ended ? 'ended' : 'ends'} <When at={s.endsAt} /></p>
      </div>
      <div class="row">
        <a class="button button-default button-small" href={again}>{ended ? 'Recreate' : 'Copy'}</a>
        {!ended && <a class="button button-default button-small" href={`/silences/new?id=${id}`}>Edit</a>}
        {!ended && <Button small onClick={() => onExpire(s.id)}>Expire</Button>}
      </div>
    </article>
  );
}

/** What is in force and what is to come, the next to end first; then what has ended, the latest first. */
function sorted(list: Silence[]): Silence[] {
  const rank = (s: Silence) => states.indexOf(s.status.state);
  return [...list].sort((a, b) => rank(a) - rank(b) || (a.endsAt < b.endsAt ? -1 : 1) * (a.status.state === 'expired' ? -1 : 1));
}

export function Silences() {
  const [turn, setTurn] = useState(0);
  const [most, setMost] = useState(rowsMax);
  const { data, error, loading, reload } = useResource(silences, [refreshTick.value, turn]);
  const query = place.value.query, only = query.get('state') ?? '', text = (query.get('q') ?? '').toLowerCase(), filterText = query.get('filter') ?? '', id = query.get('id') ?? '';
  const filter = parseMatchers(filterText).matchers.map(matcherText);
  const all = data ?? [], narrow = Boolean(only || text || filterText || id);
  const found = sorted(all.filter((s) => (!only || s.status.state === only) && (!id || s.id === id) &&
    filter.every((m) => s.matchers.some((x) => matcherText(x) === m)) && (!text || `${matchersText(s.matchers)} ${s.comment} ${s.createdBy}`.toLowerCase().includes(text))));
  const current = found.filter((s) => s.status.state !== 'expired'), ended = found.filter((s) => s.status.state === 'expired');
  const endedShown = narrow ? ended : ended.slice(0, endedMax);
  const expire = async (which: string) => {
    await expireSilence(which).then(() => toast('The silence has ended'), (e: Error) => toast(e.message, 'error'));
    setTurn((t) => t + 1);
  };
  const clear = () => setQuery({ state: null, q: null, filter: null, id: null });
  return (
    <>
      <PageHead title="Silences" sub={data ? plural(all.filter((s) => s.status.state === 'active').length, 'active silence') : undefined}>
        <a class="button button-primary" href="/silences/new">New silence</a><Button icon="refresh" label="Refresh" onClick={refresh} />
      </PageHead>
      <AlertingNav />
      <Progress on={loading} />
      {error && <ErrorBox error={error} retry={reload} />}
      {!data && loading && <div class="center"><Spinner /></div>}
      {all.length > 0 && (
        <div class="toolbar">
          {states.map((s) => <button key={s} type="button" class="chip" aria-pressed={only === s} onClick={() => setQuery({ state: only === s ? null : s }, true)}>{s} <b>{all.filter((x) => x.status.state === s).length}</b></button>)}
          {filterText && <FilterChip text={filterText} onClear={() => setQuery({ filter: null })} />}
          {id && <FilterChip text={`silence ${id}`} onClear={() => setQuery({ id: null })} />}
          <input class="input toolbar-end" type="search" aria-label="Filter silences" placeholder="Filter by matcher, comment or author" value={query.get('q') ?? ''} onInput={(e) => setQuery({ q: e.currentTarget.value || null }, true)} />
        </div>
      )}
      {data && !all.length && <Empty icon="mute" title="No silences">A silence mutes notifications for alerts that match, for a time.</Empty>}
      {all.length > 0 && !found.length && <Empty icon="search" title="No silence matches"><Button small onClick={clear}>Show all</Button></Empty>}
      {all.length > 0 && !narrow && !current.length && <Empty icon="mute" title="Nothing is silenced">Those below have ended.</Empty>}
      {current.length > 0 && <Card flush>{current.slice(0, most).map((s) => <Row key={s.id} s={s} onExpire={expire} />)}</Card>}
      {endedShown.length > 0 && <Card flush title="Ended">{endedShown.slice(0, most).map((s) => <Row key={s.id} s={s} onExpire={expire} />)}</Card>}
      {ended.length > endedShown.length && <p><Button small onClick={() => setQuery({ state: 'expired' })}>All {ended.length} that have ended</Button></p>}
      {Math.max(current.length, endedShown.length) > most && <p><Button onClick={() => setMost(most + 400)}>Show more</Button></p>}
    </>
  );
}
