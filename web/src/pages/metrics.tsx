// The metrics explorer: PromQL expressions as a graph, as a table, and how they were evaluated.
import { useEffect, useState } from 'preact/hooks';
import { ApiError, promExemplars, promInstant, promRange, promValues, useResource } from '../lib/api';
import { plural } from '../lib/format';
import { placeOf, startersFor } from '../lib/promql';
import { currentRange, place, range, refreshTick, setParams, setQuery } from '../lib/store';
import { niceStep, type ResolvedRange } from '../lib/time';
import { Button, Card, Empty, ErrorBox, PageHead, Progress, Spinner, Tabs, Toggle } from '../ui/basics';
import { PromqlBox } from '../ui/editor';
import { RangePicker } from '../ui/range';
import { PlanView } from './plan';
import { Graph, ResultTable, letter, type Answer } from './metric-result';

const queriesMax = 8;
type Tab = 'graph' | 'table' | 'explain';

function Starters({ onPick }: { onPick: (expr: string) => void }) {
  const { data, loading } = useResource((signal) => promValues('__name__', signal), []);
  const offered = startersFor(data ?? []);
  const plain = offered.length ? [] : (data ?? []).slice(0, 6);
  if (!data && loading) return <div class="center"><Spinner /></div>;
  if (!data?.length) return <Empty icon="metrics" title="No metrics yet">Send some by OTLP or remote write, or scrape a target: <a href="/">how to</a>.</Empty>;
  return (
    <div class="starters">
      <p class="muted">Write an expression, or begin with one of these. {plural(data.length, 'metric')} to ask for; suggestions come as you type.</p>
      <ul>
        {offered.map((s) => <li key={s.expr}><button type="button" class="starter" onClick={() => onPick(s.expr)}><b>{s.title}</b><code>{s.expr}</code></button></li>)}
        {plain.map((n) => <li key={n}><button type="button" class="starter" onClick={() => onPick(n)}><code>{n}</code></button></li>)}
      </ul>
    </div>
  );
}

/** Where the parser stopped: the line as far as it was understood, then the rest. */
function Wrong({ message, exprs }: { message: string; exprs: string[] }) {
  const at = placeOf(message, exprs);
  return at && <p class="wrong mono"><span>{at.before}</span><mark>{at.after || ' '}</mark></p>;
}

interface Evaluated { answers: Answer[]; tab: Tab; ms: number }

async function one(expr: string, tab: Tab, exemplars: boolean, r: ResolvedRange, signal: AbortSignal): Promise<Answer> {
  const step = niceStep(r.to - r.from, 240), from = Math.floor(r.from / 1000 / step) * step * 1000;
  const answer = tab === 'graph' ? await promRange(expr, from, r.to, step, signal) : await promInstant(expr, r.to, signal);
  const found = tab === 'graph' && exemplars ? await promExemplars(expr, from, r.to, signal) : [];
  return { expr, result: answer.data, warnings: [...(answer.warnings ?? []), ...(answer.infos ?? [])], exemplars: found, from, to: r.to, step };
}

/** All of them or an error, which says whose it is where there are several. */
async function evaluate(exprs: string[], tab: Tab, exemplars: boolean, signal: AbortSignal): Promise<Evaluated> {
  const r = currentRange();
  const begun = performance.now();
  const answers = await Promise.all(exprs.map((expr, i) => one(expr, tab, exemplars, r, signal).catch((e: unknown) => {
    throw exprs.length > 1 && e instanceof ApiError && e.status ? new ApiError(e.status, `${letter(i)}: ${e.message}`, e.kind) : e;
  })));
  return { answers, tab, ms: performance.now() - begun };
}

/** The boxes' texts, one for each expression of the address; an added one is not in the address until it runs. */
function useTexts(exprs: string[]) {
  const [texts, setTexts] = useState(exprs.length ? exprs : ['']);
  const key = exprs.join('\n\0');
  useEffect(() => setTexts(exprs.length ? exprs : ['']), [key]);
  return [texts, setTexts] as const;
}

export function Metrics() {
  const query = place.value.query;
  const exprs = query.getAll('expr').slice(0, queriesMax);
  const tab: Tab = (['table', 'explain'] as const).find((t) => t === query.get('tab')) ?? 'graph';
  const stacked = query.get('stacked') === '1', log = query.get('scale') === 'log', exemplars = query.get('exemplars') === '1';
  const [texts, setTexts] = useTexts(exprs);
  const [turn, setTurn] = useState(0);
  const run = (all: string[]) => {
    const wanted = all.map((t) => t.trim()).filter(Boolean);
    if (wanted.join('\0') === exprs.join('\0')) setTurn(turn + 1);
    else setParams('expr', wanted);
  };
  const put = (i: number, text: string) => setTexts((now) => now.map((t, k) => (k === i ? text : t)));
  const remove = (i: number) => {
    const left = texts.filter((_, k) => k !== i);
    setTexts(left);
    run(left);
  };
  const { data, error, loading } = useResource(exprs.length && tab !== 'explain' ? (signal) => evaluate(exprs, tab, exemplars, signal) : null,
    [exprs.join('\0'), tab, exemplars, range.value.from, range.value.to, refreshTick.value, turn]);
  // What stands there while another answer is awaited is an answer to this view; after a refusal there is none.
  const answers = data?.tab === tab && !error?.status ? data.answers : [];
  const ready = answers.length > 0;
  const count = answers.reduce((n, a) => n + (a.result.resultType === 'scalar' || a.result.resultType === 'string' ? 0 : a.result.result.length), 0);
  const flag = (name: string, on: boolean, value = '1') => setQuery({ [name]: on ? value : null }, true);
  return (
    <>
      <PageHead title="Metrics"><RangePicker /></PageHead>
      <div class="queries">
        {texts.map((_, i) => (
          <div class="query-row" key={i}>
            {texts.length > 1 && <span class="query-letter" aria-hidden="true">{letter(i)}</span>}
            <PromqlBox label={i ? `PromQL ${letter(i)}` : 'PromQL'} value={exprs[i] ?? ''} placeholder="A PromQL expression, such as sum by (job) (rate(http_requests_total[5m]))"
              onInput={(t) => put(i, t)} onRun={() => run(texts)} />
            {texts.length > 1 && <Button icon="close" label={`Remove query ${letter(i)}`} onClick={() => remove(i)} />}
            {i === texts.length - 1 && <Button kind="primary" icon="play" onClick={() => run(texts)}>Run query</Button>}
          </div>
        ))}
        {exprs.length > 0 && texts.length < queriesMax && <Button small kind="ghost" icon="plus" onClick={() => setTexts([...texts, ''])}>Add query</Button>}
      </div>
      {error && exprs.length > 0 && <ErrorBox error={error} />}
      {answers.flatMap((a) => a.warnings).map((w) => <p key={w} class="note">{w}</p>)}
      <Card class="card-result" title={
        <Tabs label="View" tabs={[['graph', 'Graph'], ['table', 'Table'], ['explain', 'Explain']]} value={tab} onChange={(t) => setQuery({ tab: t === 'graph' ? null : t }, true)} />
      } actions={ready && tab !== 'explain' && <span class="row">
        {tab === 'graph' && <>
          <Toggle on={stacked} onChange={(on) => flag('stacked', on)}>Stacked</Toggle>
          <Toggle on={log} onChange={(on) => flag('scale', on, 'log')}>Log scale</Toggle>
          <Toggle on={exemplars} onChange={(on) => flag('exemplars', on)}>Exemplars</Toggle>
        </>}
        <span class="muted small">{plural(count, 'series', 'series')}{tab === 'graph' && `, step ${answers[0].step}s`}, {Math.round(data!.ms)} ms</span>
      </span>}>
        <Progress on={loading} />
        {!exprs.length && <Starters onPick={(e) => { setTexts([e]); setParams('expr', [e]); }} />}
        {exprs.length > 0 && tab === 'explain' && <PlanView exprs={exprs} turn={turn} />}
        {exprs.length > 0 && tab !== 'explain' && !ready && loading && <div class="center"><Spinner /></div>}
        {exprs.length > 0 && tab !== 'explain' && !ready && !loading && error && <Empty icon="warn" title="No result">The expression could not be evaluated.<Wrong message={error.message} exprs={exprs} /></Empty>}
        {ready && tab === 'graph' && <Graph answers={answers} stacked={stacked} log={log} exemplars={exemplars} />}
        {ready && tab === 'table' && answers.map((a, i) => (
          <div key={i}>
            {answers.length > 1 && <h3 class="table-title"><span class="query-letter">{letter(i)}</span> <code>{a.expr}</code></h3>}
            <ResultTable result={a.result} time={a.to} testid={i ? undefined : 'result-table'} />
          </div>
        ))}
      </Card>
    </>
  );
}
