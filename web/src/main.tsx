// Entry: who is asking, then which view.
import 'uplot/dist/uPlot.min.css';
import './styles/tokens.css';
import './styles/base.css';
import './styles/parts.css';
import './styles/pages.css';
import { render } from 'preact';
import { useEffect } from 'preact/hooks';
import { loadSession } from './lib/api';
import { interceptLinks, place, session } from './lib/store';
import { Empty, PageHead, Spinner } from './ui/basics';
import { Shell } from './ui/shell';
import { Home } from './pages/home';
import { Login } from './pages/login';
import { Logs } from './pages/logs';
import { Metrics } from './pages/metrics';
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

function view(path: string) {
  const trace = /^\/trace\/([0-9a-fA-F]{1,32})\/?$/.exec(path);
  if (trace) return { title: 'Trace', body: <TracePage key={trace[1]} id={trace[1]} /> };
  switch (path.length > 1 ? path.replace(/\/+$/, '') : path) {
    case '/': return { title: 'Home', body: <Home /> };
    case '/explore/metrics': return { title: 'Metrics', body: <Metrics /> };
    case '/logs': return { title: 'Logs', body: <Logs /> };
    case '/traces': return { title: 'Traces', body: <Traces /> };
    case '/targets': return { title: 'Targets', body: <Targets /> };
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
