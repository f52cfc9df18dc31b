// The routing tree, and where given labels would go.
import { useState } from 'preact/hooks';
import { useResource } from '../lib/api';
import { routeTree, testRoute, type Route, type RouteTest } from '../lib/alerting';
import { parseLabels } from '../lib/matchers';
import { refreshTick } from '../lib/store';
import { AlertingNav } from '../ui/alert-parts';
import { Button, Card, ErrorBox, Field, PageHead, Spinner } from '../ui/basics';

function Node({ route, test }: { route: Route; test: RouteTest | null }) {
  const seen = test?.visited.find((v) => v.id === route.id);
  const mark = seen ? (seen.final ? 'route-final' : seen.matched ? 'route-matched' : 'route-missed') : '';
  const muted = [...route.muteTimeIntervals.map((t) => `muted in ${t}`), ...route.activeTimeIntervals.map((t) => `only in ${t}`)];
  return (
    <li>
      <div class={`route ${mark}`} data-final={seen?.final || undefined}>
        <p class="row row-wrap"><code>{route.matchers === '{}' ? 'everything' : route.matchers}</code><span aria-hidden="true">→</span><b>{route.receiver}</b>
          {route.continue && <span class="tag pill">continues</span>}{muted.map((m) => <span key={m} class="tag pill">{m}</span>)}</p>
        <p class="muted small">by {route.groupBy.length ? route.groupBy.join(', ') : 'nothing'}; waits {route.groupWait}, every {route.groupInterval}, repeats after {route.repeatInterval}{route.line ? `; line ${route.line}` : ''}</p>
      </div>
      {route.routes.length > 0 && <ul>{route.routes.map((r, i) => <Node key={r.id + i} route={r} test={test} />)}</ul>}
    </li>
  );
}

export function Routing() {
  const { data, error, reload } = useResource(routeTree, [refreshTick.value]);
  const [text, setText] = useState('');
  const [test, setTest] = useState<RouteTest | null>(null);
  const [problem, setProblem] = useState<Error | null>(null);
  const ask = async () => {
    const labels = parseLabels(text);
    if (!labels || !Object.keys(labels).length) return setProblem(new Error('Write labels, such as alertname="X", severity="critical"'));
    await testRoute(labels).then((t) => { setTest(t); setProblem(null); }, (e: Error) => setProblem(e));
  };
  return (
    <>
      <PageHead title="Routing" />
      <AlertingNav />
      <Card title="Where would these labels go?">
        <form class="row row-wrap row-bottom" onSubmit={(e) => { e.preventDefault(); void ask(); }}>
          <Field label="Labels" grow>{(id) => <input id={id} class="input mono" spellcheck={false} placeholder={'alertname="HighLatency", severity="critical"'} value={text} onInput={(e) => setText(e.currentTarget.value)} />}</Field>
          <Button kind="primary" type="submit">Ask</Button>
        </form>
        {problem && <ErrorBox error={problem} />}
        {test && <p role="status" class="route-answer">{test.receivers.length ? <>To {test.receivers.map((r, i) => <span key={r}>{i > 0 && ', '}<b>{r}</b></span>)}</> : 'Nowhere'}</p>}
      </Card>
      <Card title="Routes">
        {error && !data ? <ErrorBox error={error} retry={reload} /> : data ? <ul class="route-tree"><Node route={data} test={test} /></ul> : <div class="center"><Spinner /></div>}
      </Card>
    </>
  );
}
