// Service discovery: what was found, and what relabelling made of it.
import { useState } from 'preact/hooks';
import { promTargets, useResource, type Labels } from '../lib/api';
import { plural } from '../lib/format';
import { refresh, refreshTick } from '../lib/store';
import { Button, Card, Empty, ErrorBox, PageHead, Progress, Spinner } from '../ui/basics';

interface Found { pool: string; before: Labels; after: Labels | null }

const rowsMax = 200;
const matches = (f: Found, text: string) => !text || JSON.stringify([f.before, f.after]).includes(text);

function LabelList({ labels }: { labels: Labels }) {
  return <ul class="label-list">{Object.entries(labels).map(([k, v]) => <li key={k} class="mono">{k}=<b>"{v}"</b></li>)}</ul>;
}

function Pool({ pool, list, dropped }: { pool: string; list: Found[]; dropped: number }) {
  const kept = list.filter((f) => f.after).length;
  return (
    <Card flush title={pool} actions={<span class="muted small">{plural(kept, 'target')}{dropped > 0 && `, ${dropped} dropped`}</span>}>
      <div class="table-scroll" tabIndex={0} role="region" aria-label={`Discovered in ${pool}`}>
        <table class="table top">
          <thead><tr><th scope="col">Discovered labels</th><th scope="col">Target labels</th></tr></thead>
          <tbody>{list.slice(0, rowsMax).map((f, i) => (
            <tr key={i}><td><LabelList labels={f.before} /></td><td>{f.after ? <LabelList labels={f.after} /> : <span class="pill">dropped by relabelling</span>}</td></tr>
          ))}</tbody>
        </table>
      </div>
      {list.length > rowsMax && <p class="muted pad">Showing {rowsMax} of {list.length}: filter to see others.</p>}
    </Card>
  );
}

export function Discovery() {
  const { data, error, loading, reload } = useResource(promTargets, [refreshTick.value]);
  const [text, setText] = useState('');
  const all: Found[] = [
    ...(data?.activeTargets ?? []).map((t) => ({ pool: t.scrapePool, before: t.discoveredLabels, after: t.labels })),
    ...(data?.droppedTargets ?? []).map((t) => ({ pool: t.scrapePool, before: t.discoveredLabels, after: null })),
  ];
  const shown = all.filter((f) => matches(f, text));
  const pools = [...new Set([...all.map((f) => f.pool), ...Object.keys(data?.droppedTargetCounts ?? {})])].sort();
  return (
    <>
      <PageHead title="Service discovery" sub={data ? `${plural(all.length, 'target')} found` : undefined}>
        <a class="button button-default" href="/targets">Targets</a><Button icon="refresh" onClick={refresh}>Refresh</Button>
      </PageHead>
      <Progress on={loading} />
      {error && !data && <ErrorBox error={error} retry={reload} />}
      {!data && loading && <div class="center"><Spinner /></div>}
      {data && !pools.length && <Empty icon="targets" title="Nothing is discovered">Start with <code>--prometheus.config prometheus.yml</code>: its scrape_configs load as they are.</Empty>}
      {all.length > 0 && <div class="toolbar"><input class="input" type="search" aria-label="Filter" placeholder="Filter by label" value={text} onInput={(e) => setText(e.currentTarget.value)} /></div>}
      {pools.map((pool) => <Pool key={pool} pool={pool} list={shown.filter((f) => f.pool === pool)} dropped={data?.droppedTargetCounts?.[pool] ?? 0} />)}
    </>
  );
}
