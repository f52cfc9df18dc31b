// The routing tree, and where given labels would go.
import { useEffect, useState } from 'preact/hooks';
import { useResource } from '../lib/api';
import { routeTree, testRoute, timeIntervals, type Route, type RouteTest, type TimeInterval } from '../lib/alerting';
import { parseLabels } from '../lib/matchers';
import { place, refresh, refreshTick, setQuery } from '../lib/store';
import { AlertingNav, When } from '../ui/alert-parts';
import { Button, Card, Empty, ErrorBox, Field, PageHead, Progress, Spinner } from '../ui/basics';

const grouping = (by: string[]) => (!by.length ? 'all in one group' : by[0] === '...' ? 'each alert a group of its own' : `by ${by.join(', ')}`);

function Node({ route, test, times }: { route: Route; test: RouteTest | null; times: TimeInterval[] }) {
  const seen = test?.visited.find((v) => v.id === route.id);
  const mark = seen ? (seen.final ? 'route-final' : seen.matched ? 'route-matched' : 'route-missed') : '';
  const holds = (name: string) => times.find((t) => t.name === name)?.active ?? false;
  const quietNow = route.muteTimeIntervals.some(holds) || (route.activeTimeIntervals.length > 0 && !route.activeTimeIntervals.some(holds));
  return (
    <li>
      <div class={`route ${mark}`} data-testid="route" data-matched={seen ? String(seen.matched) : undefined} data-final={seen?.final || undefined}>
        <p class="row row-wrap"><code>{route.matchers === '{}' ? 'everything' : route.matchers}</code><span aria-hidden="true">→</span><b>{route.receiver}</b>
          {route.continue && <span class="tag pill">continues</span>}
          {route.muteTimeIntervals.map((t) => <span key={t} class="tag pill">muted in {t}</span>)}{route.activeTimeIntervals.map((t) => <span key={t} class="tag pill">only in {t}</span>)}
          {quietNow && <span class="tag pill pill-warn">quiet now</span>}
          {seen && <span class="off-screen">{seen.final ? 'these labels go here' : seen.matched ? 'matches' : 'does not match'}</span>}</p>
        <p class="muted small">{grouping(route.groupBy)}; waits {route.groupWait}, every {route.groupInterval}, repeats after {route.repeatInterval}{route.line ? `; line ${route.line}` : ''}</p>
      </div>
      {route.routes.length > 0 && <ul>{route.routes.map((r, i) => <Node key={r.id + i} route={r} test={test} times={times} />)}</ul>}
    </li>
  );
}

function Answer({ test }: { test: RouteTest }) {
  return (
    <>
      <p role="status" class="route-answer">{test.receivers.length ? <>To {test.receivers.map((r, i) => <span key={i}>{i > 0 && ', '}<b>{r}</b></span>)}</> : 'Nowhere'}</p>
      <ul class="small muted">{test.routes.map((r, i) => (
        <li key={i}>{r.receiver}: <span class="mono">{r.path.join(' → ')}</span>, {grouping(r.groupBy)}; waits {r.groupWait}, every {r.groupInterval}, repeats after {r.repeatInterval}
          {r.mutedBy.length > 0 && <b class="tone-warn">; muted now by {r.mutedBy.join(', ')}</b>}</li>
      ))}</ul>
    </>
  );
}

function Intervals({ list }: { list: TimeInterval[] }) {
  return (
    <Card flush title="Time intervals">
      <table class="table"><thead><tr><th scope="col">Name</th><th scope="col">Now</th><th scope="col">Until</th></tr></thead>
        <tbody>{list.map((t) => <tr key={t.name}><th scope="row">{t.name}</th><td><span class={`pill ${t.active ? 'pill-warn' : ''}`}>{t.active ? 'holds' : 'does not hold'}</span></td>
          <td class="muted">{t.until ? <When at={t.until} /> : 'not within two weeks'}</td></tr>)}</tbody></table>
    </Card>
  );
}

export function Routing() {
  const { data, error, loading, reload } = useResource(async (signal) => {
    const [tree, times] = await Promise.all([routeTree(signal), timeIntervals(signal).catch(() => [])]);
    return { tree, times };
  }, [refreshTick.value]);
  const asked = place.value.query.get('labels') ?? '';
  const [text, setText] = useState(asked);
  const [test, setTest] = useState<RouteTest | null>(null);
  const [problem, setProblem] = useState<Error | null>(null);
  useEffect(() => {
    setText(asked);
    if (!asked) return setTest(null);
    const labels = parseLabels(asked);
    let gone = false;
    if (!labels || !Object.keys(labels).length) return setProblem(new Error('Write labels, such as alertname="X", severity="critical"'));
    testRoute(labels).then((t) => gone || (setTest(t), setProblem(null)), (e: Error) => gone || setProblem(e));
    return () => { gone = true; };
  }, [asked, refreshTick.value]);
  const ask = () => {
    const labels = parseLabels(text);
    if (!labels || !Object.keys(labels).length) return setProblem(new Error('Write labels, such as alertname="X", severity="critical"'));
    if (text.trim() === asked) refresh();
    else setQuery({ labels: text.trim() });
  };
  return (
    <>
      <PageHead title="Routing"><Button icon="refresh" onClick={refresh}>Refresh</Button></PageHead>
      <AlertingNav />
      <Progress on={loading} />
      {error && <ErrorBox error={error} retry={reload} />}
      <Card title="Where would these labels go?">
        <form class="row row-wrap row-bottom" onSubmit={(e) => { e.preventDefault(); ask(); }}>
          <Field label="Labels" grow>{(id) => <input id={id} class="input mono" spellcheck={false} placeholder={'alertname="HighLatency", severity="critical"'} value={text} onInput={(e) => setText(e.currentTarget.value)} />}</Field>
          <Button kind="primary" type="submit">Ask</Button>
        </form>
        {problem ? <ErrorBox error={problem} /> : test && <Answer test={test} />}
      </Card>
      {!data && loading && <div class="center"><Spinner /></div>}
      {data && <Card title="Routes"><ul class="route-tree"><Node route={data.tree} test={problem ? null : test} times={data.times} /></ul></Card>}
      {data && !data.tree.receiver && <Empty icon="bell" title="No routes">Start with <code>--alertmanager.config alertmanager.yml</code>.</Empty>}
      {data && data.times.length > 0 && <Intervals list={data.times} />}
    </>
  );
}
