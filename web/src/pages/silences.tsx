// Silences: what is muted, until when and why; the form for a new one.
import { useEffect, useState } from 'preact/hooks';
import { ApiError, useResource } from '../lib/api';
import { createSilence, expireSilence, previewSilence, silences, type Recurrence, type Silence, type SilencePreview } from '../lib/alerting';
import { plural } from '../lib/format';
import { matchersText, parseMatchers } from '../lib/matchers';
import { navigate, place, refreshTick, remembered, keep, session, setQuery, toast } from '../lib/store';
import { AlertingNav, LabelChips, StatePill, When } from '../ui/alert-parts';
import { Button, Card, Empty, ErrorBox, Field, PageHead, Progress, Spinner } from '../ui/basics';

const states = ['active', 'pending', 'expired'] as const;

function Row({ s, onExpire }: { s: Silence; onExpire: (id: string) => void }) {
  const again = `/silences/new?matchers=${encodeURIComponent(matchersText(s.matchers))}&comment=${encodeURIComponent(s.comment)}`;
  return (
    <article class="silence" data-testid="silence-row" data-state={s.status.state}>
      <div class="silence-main">
        <p class="row row-wrap"><StatePill state={s.status.state} /><span class="mono">{matchersText(s.matchers)}</span></p>
        <p>{s.comment}</p>
        <p class="muted small">{s.createdBy}, from <When at={s.startsAt} />, {s.status.state === 'expired' ? 'ended' : 'ends'} <When at={s.endsAt} /></p>
      </div>
      <div class="row">
        <a class="button button-default button-small" href={again}>{s.status.state === 'expired' ? 'Recreate' : 'Copy'}</a>
        {s.status.state !== 'expired' && <Button small onClick={() => onExpire(s.id)}>Expire</Button>}
      </div>
    </article>
  );
}

export function Silences() {
  const [turn, setTurn] = useState(0);
  const { data, error, loading, reload } = useResource(silences, [refreshTick.value, turn]);
  const only = place.value.query.get('state') ?? '', text = place.value.query.get('q') ?? '';
  const all = data ?? [];
  const shown = all.filter((s) => (only ? s.status.state === only : s.status.state !== 'expired') &&
    (!text || `${matchersText(s.matchers)} ${s.comment} ${s.createdBy}`.toLowerCase().includes(text.toLowerCase())));
  const expire = async (id: string) => {
    await expireSilence(id).then(() => toast('The silence has ended'), (e: Error) => toast(e.message, 'error'));
    setTurn((t) => t + 1);
  };
  return (
    <>
      <PageHead title="Silences" sub={data ? plural(all.filter((s) => s.status.state === 'active').length, 'active silence') : undefined}>
        <a class="button button-primary" href="/silences/new">New silence</a>
      </PageHead>
      <AlertingNav />
      <Progress on={loading} />
      {error && !data && <ErrorBox error={error} retry={reload} />}
      {!data && loading && <div class="center"><Spinner /></div>}
      {data && (
        <div class="toolbar">
          {states.map((s) => <button key={s} type="button" class="chip" aria-pressed={only === s} onClick={() => setQuery({ state: only === s ? null : s }, true)}>{s} <b>{all.filter((x) => x.status.state === s).length}</b></button>)}
          <input class="input toolbar-end" type="search" aria-label="Filter silences" placeholder="Filter" value={text} onInput={(e) => setQuery({ q: e.currentTarget.value || null }, true)} />
        </div>
      )}
      {data && !shown.length && <Empty icon="bell" title={all.length ? 'None' : 'No silences'}>{all.length ? 'Ended ones are under “expired”.' : 'A silence mutes notifications for alerts that match, for a time.'}</Empty>}
      {shown.length > 0 && <Card flush>{shown.map((s) => <Row key={s.id} s={s} onExpire={expire} />)}</Card>}
    </>
  );
}

// --- the form ---

const weekdays = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'];

function RecurrenceFields({ value, onChange }: { value: Recurrence; onChange: (r: Recurrence) => void }) {
  const times = value.times?.[0] ?? { start_time: '22:00', end_time: '23:00' };
  const days = value.weekdays ?? [];
  return (
    <fieldset class="recurrence">
      <legend>Only at these times, until the duration is over</legend>
      <div class="chips">{weekdays.map((d) => (
        <button key={d} type="button" class="chip" aria-pressed={days.includes(d)} onClick={() => onChange({ ...value, weekdays: days.includes(d) ? days.filter((x) => x !== d) : [...days, d] })}>{d}</button>
      ))}</div>
      <div class="row row-wrap">
        <Field label="From">{(id) => <input id={id} class="input input-short" type="time" value={times.start_time} onInput={(e) => onChange({ ...value, times: [{ ...times, start_time: e.currentTarget.value }] })} />}</Field>
        <Field label="To">{(id) => <input id={id} class="input input-short" type="time" value={times.end_time} onInput={(e) => onChange({ ...value, times: [{ ...times, end_time: e.currentTarget.value }] })} />}</Field>
        <Field label="Time zone">{(id) => <input id={id} class="input" value={value.location ?? ''} onInput={(e) => onChange({ ...value, location: e.currentTarget.value })} />}</Field>
      </div>
    </fieldset>
  );
}

function Preview({ text }: { text: string }) {
  const [found, setFound] = useState<SilencePreview | null>(null);
  const [problem, setProblem] = useState('');
  useEffect(() => {
    const { matchers, error } = parseMatchers(text);
    setProblem(text.trim() && error ? error : '');
    if (error || !matchers.length) return setFound(null);
    let gone = false;
    const timer = setTimeout(() => previewSilence(matchers).then((p) => gone || setFound(p), (e: Error) => gone || setProblem(e.message)), 250);
    return () => { gone = true; clearTimeout(timer); };
  }, [text]);
  if (problem) return <p class="field-hint tone-bad">{problem}</p>;
  if (!found) return <p class="field-hint">Matchers are joined by commas; all of them must hold.</p>;
  return (
    <div class="preview" role="status">
      <p>{found.count ? <>Silences <b>{plural(found.count, 'alert')}</b> that fire now:</> : 'No alert that fires now matches.'}</p>
      {found.refused && <p class="note">{found.refused}</p>}
      {found.alerts.slice(0, 8).map((a) => <div key={a.fingerprint}><LabelChips labels={a.labels} /></div>)}
      {found.count > 8 && <p class="muted small">and {found.count - 8} more</p>}
    </div>
  );
}

export function NewSilence() {
  const query = place.value.query;
  const [matchers, setMatchers] = useState(query.get('matchers') ?? query.get('filter') ?? '');
  const [duration, setDuration] = useState(query.get('duration') ?? '2h');
  const [createdBy, setCreatedBy] = useState(remembered('creator', '') || session.value?.user || '');
  const [comment, setComment] = useState(query.get('comment') ?? '');
  const [recurrence, setRecurrence] = useState<Recurrence | null>(null);
  const [error, setError] = useState<Error | null>(null);
  const [refused, setRefused] = useState(false);
  const create = async (force: boolean) => {
    const parsed = parseMatchers(matchers);
    if (parsed.error || !parsed.matchers.length) return setError(new Error(parsed.error ?? 'Write at least one matcher, such as alertname="X"'));
    const { times, ...rest } = recurrence ?? {};
    try {
      await createSilence({ matchers: parsed.matchers, duration: duration.trim(), createdBy, comment, force,
        recurrence: recurrence ? [{ ...rest, location: rest.location || undefined, weekdays: rest.weekdays?.length ? rest.weekdays : undefined, times: times ?? [{ start_time: '22:00', end_time: '23:00' }] }] : undefined });
      keep('creator', createdBy);
      toast('The silence is in force');
      navigate('/silences');
    } catch (e) {
      setError(e as Error);
      setRefused(e instanceof ApiError && e.status === 409);
    }
  };
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  return (
    <>
      <PageHead title="New silence" />
      <AlertingNav />
      <Card class="narrow">
        <form class="form" onSubmit={(e) => { e.preventDefault(); void create(false); }}>
          <Field label="Matchers">{(id) => <textarea id={id} class="input mono form-text" rows={2} spellcheck={false} placeholder={'alertname="HighLatency", service=~"llm-.*"'} value={matchers} onInput={(e) => setMatchers(e.currentTarget.value)} />}</Field>
          <Preview text={matchers} />
          <Field label="Duration" hint="30m, 2h, 1d, 1w">{(id) => <input id={id} class="input input-short" value={duration} onInput={(e) => setDuration(e.currentTarget.value)} />}</Field>
          <label class="check"><input type="checkbox" checked={recurrence !== null} onChange={(e) => setRecurrence(e.currentTarget.checked ? { weekdays: [], location: zone } : null)} /> Recurring: a maintenance window</label>
          {recurrence && <RecurrenceFields value={recurrence} onChange={setRecurrence} />}
          <Field label="Created by">{(id) => <input id={id} class="input" value={createdBy} onInput={(e) => setCreatedBy(e.currentTarget.value)} />}</Field>
          <Field label="Comment">{(id) => <input id={id} class="input" placeholder="Why, and which ticket" value={comment} onInput={(e) => setComment(e.currentTarget.value)} />}</Field>
          {error && <ErrorBox error={error} />}
          <div class="row">
            <button type="submit" class="button button-primary">Create</button>
            {refused && <Button onClick={() => void create(true)}>Silence anyway</Button>}
            <a class="button button-ghost" href="/silences">Cancel</a>
          </div>
        </form>
      </Card>
    </>
  );
}
