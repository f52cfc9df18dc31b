// The form for a silence: a new one, one like another, or one that is changed. The alerts it would silence stand under it.
import { useEffect, useState } from 'preact/hooks';
import { ApiError } from '../lib/api';
import { createSilence, previewSilence, silence, type Recurrence, type Silence, type SilencePreview } from '../lib/alerting';
import { plural } from '../lib/format';
import { matchersText, parseMatchers } from '../lib/matchers';
import { keep, navigate, place, remembered, session, toast, utc } from '../lib/store';
import { formatDateTime, parseTime } from '../lib/time';
import { AlertingNav } from '../ui/alert-parts';
import { Button, Card, ErrorBox, Field, LabelChips, PageHead } from '../ui/basics';

const weekdays = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'];
const night = { start_time: '22:00', end_time: '23:00' };
const zone = () => Intl.DateTimeFormat().resolvedOptions().timeZone;

/** What the fields can show: single days and one span of hours. Anything else of a calendar stays as it is. */
function editable(r: Recurrence[] | null): r is [Recurrence] {
  return r?.length === 1 && Object.keys(r[0]).every((k) => ['times', 'weekdays', 'location'].includes(k)) && (r[0].times?.length ?? 0) <= 1 && (r[0].weekdays ?? []).every((d) => weekdays.includes(d));
}

function RecurrenceFields({ value, onChange }: { value: Recurrence; onChange: (r: Recurrence) => void }) {
  const times = value.times?.[0] ?? night;
  const days = value.weekdays ?? [];
  return (
    <fieldset class="recurrence">
      <legend>Only at these times, until the duration is over</legend>
      <div class="chips" role="group" aria-label="Days">{weekdays.map((d) => (
        <button key={d} type="button" class="chip" aria-pressed={days.includes(d)} onClick={() => onChange({ ...value, weekdays: days.includes(d) ? days.filter((x) => x !== d) : [...days, d] })}>{d}</button>
      ))}</div>
      <p class="field-hint">No day chosen means every day.</p>
      <div class="row row-wrap">
        <Field label="From">{(id) => <input id={id} class="input" type="time" required value={times.start_time} onInput={(e) => onChange({ ...value, times: [{ ...times, start_time: e.currentTarget.value }] })} />}</Field>
        <Field label="To">{(id) => <input id={id} class="input" type="time" required value={times.end_time} onInput={(e) => onChange({ ...value, times: [{ ...times, end_time: e.currentTarget.value }] })} />}</Field>
        <Field label="Time zone">{(id) => <input id={id} class="input" placeholder="UTC" value={value.location ?? ''} onInput={(e) => onChange({ ...value, location: e.currentTarget.value })} />}</Field>
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
      {found.count > 8 && <p class="muted small">and {(found.count - 8).toLocaleString('en-US')} more</p>}
    </div>
  );
}

interface Draft { matchers: string; starts: string; duration: string; createdBy: string; comment: string; recurrence: Recurrence[] | null; begun?: string }

const spanText = (ms: number): string => {
  const minutes = Math.max(1, Math.round(ms / 60_000));
  const parts: [number, string][] = [[Math.floor(minutes / 1440), 'd'], [Math.floor((minutes % 1440) / 60), 'h'], [minutes % 60, 'm']];
  return parts.filter(([n]) => n > 0).map(([n, unit]) => n + unit).join('');
};

/** How the fields describe a silence that is there. One that has begun keeps its start: with another it would be another. */
function draftOf(s: Silence, change: boolean): Partial<Draft> {
  const start = Date.parse(s.startsAt), end = Date.parse(s.endsAt), now = Date.now();
  let recurrence: Recurrence[] | null = null;
  try {
    recurrence = s.recurrence ? (JSON.parse(s.recurrence) as Recurrence[]) : null;
  } catch {
    // not ours to understand: it stays out of a copy
  }
  const copy = { recurrence, duration: spanText(end - start) };
  if (!change) return copy;
  return { ...copy, matchers: matchersText(s.matchers), comment: s.comment, createdBy: s.createdBy, duration: spanText(end - Math.max(start, now)), starts: start > now ? formatDateTime(start, utc.value) : '', begun: start <= now && end > now ? s.startsAt : undefined };
}

function useDraft(): [Draft, (part: Partial<Draft>) => void, Error | null] {
  const query = place.value.query, id = query.get('id'), like = query.get('like');
  const [problem, setProblem] = useState<Error | null>(null);
  const [draft, setDraft] = useState<Draft>({
    matchers: query.get('matchers') ?? query.get('filter') ?? '', starts: '', duration: query.get('duration') ?? '2h',
    createdBy: remembered('creator', '') || session.value?.user || '', comment: query.get('comment') ?? '', recurrence: null,
  });
  const put = (part: Partial<Draft>) => setDraft((d) => ({ ...d, ...part }));
  useEffect(() => {
    const which = id ?? like;
    if (!which) return;
    const abort = new AbortController();
    silence(which, abort.signal).then((s) => put(draftOf(s, Boolean(id))),
      (e: Error) => abort.signal.aborted || !id || setProblem(e instanceof ApiError && e.status === 404 ? new Error('This silence is not kept any more') : e));
    return () => abort.abort();
  }, [id, like]);
  return [draft, put, problem];
}

export function SilenceForm() {
  const id = place.value.query.get('id') ?? undefined;
  const [draft, put, missing] = useDraft();
  const [error, setError] = useState<Error | null>(null);
  const [refused, setRefused] = useState(false);
  const create = async (force: boolean) => {
    setRefused(false);
    const parsed = parseMatchers(draft.matchers);
    if (parsed.error || !parsed.matchers.length) return setError(new Error(parsed.error ?? 'Write at least one matcher, such as alertname="X"'));
    const starts = draft.starts.trim() ? parseTime(draft.starts, Date.now(), utc.value) : NaN;
    if (draft.starts.trim() && !Number.isFinite(starts)) return setError(new Error('Write when it starts as now+2h or 2026-11-30 22:00, or leave it empty: now'));
    const recurrence = draft.recurrence?.map((r) => ({ ...r, location: r.location || undefined, weekdays: r.weekdays?.length ? r.weekdays : undefined, times: r.times ?? (editable(draft.recurrence) ? [night] : undefined) }));
    try {
      await createSilence({ id, matchers: parsed.matchers, startsAt: Number.isFinite(starts) ? new Date(starts).toISOString() : draft.begun, duration: draft.duration.trim(),
        createdBy: draft.createdBy, comment: draft.comment, force, recurrence });
      keep('creator', draft.createdBy);
      toast(id ? 'The silence is changed' : starts > Date.now() ? 'The silence is planned' : 'The silence is in force');
      navigate('/silences');
    } catch (e) {
      setError(e as Error);
      setRefused(e instanceof ApiError && e.status === 409);
    }
  };
  return (
    <>
      <PageHead title={id ? 'Edit silence' : 'New silence'} />
      <AlertingNav />
      {missing && <ErrorBox error={missing} />}
      <Card class="narrow">
        <form class="form" onSubmit={(e) => { e.preventDefault(); void create(false); }}>
          <Field label="Matchers">{(f) => <textarea id={f} class="input mono form-text" rows={2} spellcheck={false} placeholder={'alertname="HighLatency", service=~"llm-.*"'} value={draft.matchers} onInput={(e) => put({ matchers: e.currentTarget.value })} />}</Field>
          <Preview text={draft.matchers} />
          <div class="row row-wrap row-top">
            <Field label="Duration" hint="30m, 2h, 1d, 1w">{(f) => <input id={f} class="input input-short" value={draft.duration} onInput={(e) => put({ duration: e.currentTarget.value })} />}</Field>
            <Field label="Starts" hint={`now+2h, 2026-11-30 22:00${utc.value ? ' (UTC)' : ''}; empty: now`}>{(f) => <input id={f} class="input" placeholder="now" value={draft.starts} onInput={(e) => put({ starts: e.currentTarget.value })} />}</Field>
          </div>
          <label class="check"><input type="checkbox" checked={draft.recurrence !== null} onChange={(e) => put({ recurrence: e.currentTarget.checked ? [{ weekdays: [], location: zone(), times: [night] }] : null })} /> Recurring: a maintenance window</label>
          {editable(draft.recurrence) ? <RecurrenceFields value={draft.recurrence[0]} onChange={(r) => put({ recurrence: [r] })} /> : draft.recurrence && <p class="note mono">{JSON.stringify(draft.recurrence)}</p>}
          <Field label="Created by">{(f) => <input id={f} class="input" value={draft.createdBy} onInput={(e) => put({ createdBy: e.currentTarget.value })} />}</Field>
          <Field label="Comment">{(f) => <input id={f} class="input" placeholder="Why, and which ticket" value={draft.comment} onInput={(e) => put({ comment: e.currentTarget.value })} />}</Field>
          {error && <ErrorBox error={error} />}
          <div class="row">
            <button type="submit" class="button button-primary">{id ? 'Save' : 'Create'}</button>
            {refused && <Button onClick={() => void create(true)}>Silence anyway</Button>}
            <a class="button button-ghost" href="/silences">Cancel</a>
          </div>
        </form>
      </Card>
    </>
  );
}
