// Service discovery: what was found, and what relabelling made of it.
import { useState } from 'preact/hooks';
import { promTargets, useResource, type Labels } from '../lib/api';
import { plural } from '../lib/format';
import { place, refresh, refreshTick, setQuery } from '../lib/store';
import { Button, Card, Empty, ErrorBox, FilterChip, LabelChips, PageHead, Progress, Spinner } from '../ui/basics';

interface Found { pool: string; before: Labels; after: Labels | null }

const rowsMax = 30;
const matches = (f: Found, text: string) => !text || JSON.stringify([f.pool, f.before, f.after]).toLowerCase().includes(text);

function Pool({ pool, list, dropped }: { pool: string; list: Found[]; dropped: number }) {
  const [all, setAll] = useState(false);
  const kept = list.filter((f) => f.after).length;
  return (
    <Card flush title={<bdi>{pool}</bdi>} actions={<span class="muted small">{plural(kept, 'target')}{dropped > 0 && `, ${dropped.toLocaleString('en-US')} dropped`}</span>}>
      {list.length > 0 ? (
        <div class="table-scroll" tabIndex={0} role="region" aria-label={`Discovered in ${pool}`}>
          <table class="table cards top">
            <thead><tr><th scope="col">Discovered labels</th><th scope="col">Target labels</th></tr></thead>
            <tbody>{list.slice(0, all ? undefined : rowsMax).map((f, i) => (
              <tr key={i}><td data-label="Discovered"><LabelChips labels={f.before} /></td><td data-label="Target">{f.after ? <LabelChips labels={f.after} /> : <span class="pill">dropped by relabelling</span>}</td></tr>
            ))}</tbody>
          </table>
        </div>
      ) : <p class="muted pad">{dropped > 0 ? 'Nothing is left after relabelling; what was dropped is not kept (keep_dropped_targets).' : 'Nothing was found.'}</p>}
      {!all && list.length > rowsMax && <p class="pad"><Button small onClick={() => setAll(true)}>Show all {list.length.toLocaleString('en-US')}</Button></p>}
    </Card>
  );
}

export function Discovery() {
  const { data, error, loading, reload } = useResource(promTargets, [refreshTick.value]);
  const query = place.value.query, text = (query.get('q') ?? '').toLowerCase(), pool = query.get('pool') ?? '', gone = query.get('dropped') === '1';
  const all: Found[] = [
    ...(data?.droppedTargets ?? []).map((t) => ({ pool: t.scrapePool, before: t.discoveredLabels, after: null })),
    ...(data?.activeTargets ?? []).map((t) => ({ pool: t.scrapePool, before: t.discoveredLabels, after: t.labels })),
  ];
  const counts = data?.droppedTargetCounts ?? {};
  const narrow = Boolean(text || gone);
  const shown = all.filter((f) => matches(f, text) && (!gone || !f.after));
  const pools = [...new Set([...all.map((f) => f.pool), ...Object.keys(counts)])].sort().filter((p) => (!pool || p === pool) && (!narrow || shown.some((f) => f.pool === p)));
  const dropped = Object.values(counts).reduce((a, b) => a + b, 0);
  return (
    <>
      <PageHead title="Service discovery" sub={data ? `${plural((data.activeTargets ?? []).length, 'target')} found, ${dropped.toLocaleString('en-US')} dropped` : undefined}>
        <a class="button button-default" href="/targets">Targets</a><Button icon="refresh" onClick={refresh}>Refresh</Button>
      </PageHead>
      <Progress on={loading} />
      {error && <ErrorBox error={error} retry={reload} />}
      {!data && loading && <div class="center"><Spinner /></div>}
      {data && !all.length && !dropped && <Empty icon="targets" title="Nothing is discovered">Start with <code>--prometheus.config prometheus.yml</code>: its scrape_configs load as they are.</Empty>}
      {all.length > 0 && (
        <div class="toolbar">
          <button type="button" class="chip" aria-pressed={gone} onClick={() => setQuery({ dropped: gone ? null : '1' }, true)}>dropped <b>{dropped.toLocaleString('en-US')}</b></button>
          {pool && <FilterChip text={`job ${pool}`} onClear={() => setQuery({ pool: null })} />}
          <input class="input toolbar-end" type="search" aria-label="Filter" placeholder="Filter by label" value={query.get('q') ?? ''} onInput={(e) => setQuery({ q: e.currentTarget.value || null }, true)} />
        </div>
      )}
      {all.length > 0 && !pools.length && <Empty icon="search" title="Nothing matches"><Button small onClick={() => setQuery({ q: null, pool: null, dropped: null })}>Show all</Button></Empty>}
      {pools.map((p) => <Pool key={p} pool={p} list={shown.filter((f) => f.pool === p)} dropped={counts[p] ?? 0} />)}
    </>
  );
}
