// Entry: who is asking, then which view.
import 'uplot/dist/uPlot.min.css';
import './styles/tokens.css';
import './styles/base.css';
import './styles/parts.css';
import './styles/pages.css';
import { render, type ComponentChildren } from 'preact';
import { useEffect } from 'preact/hooks';
import { loadSession } from './lib/api';
import { interceptLinks, place, session } from './lib/store';
import { Empty, PageHead, Spinner } from './ui/basics';
import { Shell } from './ui/shell';
import { AlertGroups } from './pages/alert-groups';
import { AlertHistory } from './pages/alert-history';
import { Alerts } from './pages/alerts';
import { Discovery } from './pages/discovery';
import { Home } from './pages/home';
import { Login } from './pages/login';
import { Logs } from './pages/logs';
import { Metrics } from './pages/metrics';
import { Receivers } from './pages/receivers';
import { Routing } from './pages/routing';
import { ServerPage } from './pages/server';
import { SilenceForm } from './pages/silence-form';
import { Silences } from './pages/silences';
import { Targets } from './pages/targets';
import { TracePage } from './pages/trace';
import { Traces } from './pages/traces';

function NotFound() {
  return (
    <>
      <PageHead title="Nothing here" />
      <Empty icon="search" title="This address leads nowhere"><a href="/">Go home</a></Empty>
    </>
  );
}

/** For addresses of the tools that came before whose view this version does not have. */
function Missing({ title, what, children }: { title: string; what: string; children?: ComponentChildren }) {
  return (
    <>
      <PageHead title={title} />
      <Empty icon="inbox" title={what}>
        {children}
        <p>Meanwhile: <a href="/explore/metrics">ask for metrics</a>, <a href="/logs">read logs</a>, <a href="/traces">find traces</a>.</p>
      </Empty>
    </>
  );
}

const missing: [RegExp, string, string][] = [
  [/^\/d\//, 'Dashboards', 'This version does not show dashboards'],
];

function view(path: string) {
  const none = missing.find(([pattern]) => pattern.test(path));
  if (none) {
    const uid = /^\/d\/([^/]+)/.exec(path)?.[1];
    return { title: none[1], body: <Missing title={none[1]} what={none[2]}>{uid && <p>The address asks for the dashboard <code>{uid}</code>.</p>}</Missing> };
  }
  const trace = /^\/trace\/([0-9a-fA-F]{1,32})\/?$/.exec(path);
  if (trace) return { title: 'Trace', body: <TracePage key={trace[1]} id={trace[1]} /> };
  switch (path.length > 1 ? path.replace(/\/+$/, '') : path) {
    case '/': return { title: 'Home', body: <Home /> };
    case '/explore/metrics': return { title: 'Metrics', body: <Metrics /> };
    case '/logs': return { title: 'Logs', body: <Logs /> };
    case '/traces': return { title: 'Traces', body: <Traces /> };
    case '/targets': return { title: 'Targets', body: <Targets /> };
    case '/alerts': return { title: 'Alerts', body: <Alerts /> };
    case '/silences': return { title: 'Silences', body: <Silences /> };
    case '/silences/new': return { title: place.value.query.has('id') ? 'Edit silence' : 'New silence', body: <SilenceForm key={place.value.query.toString()} /> };
    case '/alerting/groups': return { title: 'Alert groups', body: <AlertGroups /> };
    case '/alerting/routes': return { title: 'Routing', body: <Routing /> };
    case '/alerting/receivers': return { title: 'Receivers', body: <Receivers /> };
    case '/alerting/history': return { title: 'Alert history', body: <AlertHistory /> };
    case '/service-discovery': return { title: 'Service discovery', body: <Discovery /> };
    case '/server': return { title: 'Server', body: <ServerPage /> };
    default: return { title: 'Nothing here', body: <NotFound /> };
  }
}

function App() {
  const who = session.value;
  const { title, body } = view(place.value.path);
  useEffect(() => {
    document.title = who ? `${title} – Meerkat` : 'Sign in – Meerkat';
  }, [title, who]);
  if (who === undefined) return <main class="boot"><Spinner label="Starting" /></main>;
  if (who === null) return <Login />;
  return <Shell user={who}>{body}</Shell>;
}

document.addEventListener('click', interceptLinks);
render(<App />, document.getElementById('app')!);
void loadSession();
