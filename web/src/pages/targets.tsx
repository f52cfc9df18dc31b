// What is scraped and how it goes.
import { useState } from 'preact/hooks';
import { promTargets, useResource, type Target } from '../lib/api';
import { formatSeconds, plural } from '../lib/format';
import { place, refresh, refreshTick, setQuery, utc } from '../lib/store';
import { formatAgo, formatDateTime } from '../lib/time';
import { Button, Card, Empty, ErrorBox, FilterChip, LabelChips, PageHead, Progress, Spinner } from '../ui/basics';
import { Icon, type IconName } from '../ui/icons';

const healths = ['down', 'unknown', 'up'] as const; // the worst first
const looks: Record<string, [string, IconName]> = { up: ['pill-good', 'check'], down: ['pill-bad', 'warn'], unknown: ['', 'clock'] };
const rowsMax = 50;

function Before({ t }: { t: Target }) {
  const [open, setOpen] = useState(false);
  return (
    <details class="before" onToggle={(e) => setOpen(e.currentTarget.open)}>
      <summary>Before relabelling</summary>
      {open && <LabelChips labels={t.discoveredLabels} />}
    </details>
  );
}

function Row({ t }: { t: Target }) {
  const last = Date.parse(t.lastScrape);
  const [tone, icon] = looks[t.health] ?? looks.unknown;
  return (
    <tr data-testid="target-row" data-health={t.health}>
      <td><span class={`pill ${tone}`}><Icon name={icon} size={12} />{t.health}</span></td>
      <th scope="row" class="mono"><a href={t.scrapeUrl} target="_blank" rel="noreferrer">{t.scrapeUrl}</a>{t.lastError && <p class="tone-bad wrap">{t.lastError}</p>}</th>
      <td data-label="Labels"><LabelChips labels={t.labels} without={['job']} /><Before t={t} /></td>
      <td data-label="Last scrape" class="num muted"><span title={last > 0 ? formatDateTime(last, utc.value, true) : ''}>{last > 0 ? formatAgo(last, Date.now()) : 'not yet'}</span>
        {t.scrapeInterval && <p class="small">every {t.scrapeInterval}</p>}</td>
      <td data-label="Took" class="num">{last > 0 ? formatSeconds(t.lastScrapeDuration) : '–'}</td>
    </tr>
  );
}

function Pool({ pool, list }: { pool: string; list: Target[] }) {
  const [all, setAll] = useState(false);
  const up = list.filter((t) => t.health === 'up').length;
  const rows = [...list].sort((a, b) => healths.indexOf(a.health as 'up') - healths.indexOf(b.health as 'up'));
  return (
    <Card flush title={<bdi>{pool}</bdi>} actions={<span class="muted small">{up.toLocaleString('en-US')} of {list.length.toLocaleString('en-US')} up</span>}>
      <div class="table-scroll" tabIndex={0} role="region" aria-label={`Targets of ${pool}`}>
        <table class="table cards target-table">
          <thead><tr><th scope="col">State</th><th scope="col">Endpoint</th><th scope="col">Labels</th><th scope="col" class="num">Last scrape</th><th scope="col" class="num">Took</th></tr></thead>
          <tbody>{rows.slice(0, all ? undefined : rowsMax).map((t) => <Row key={t.scrapeUrl + JSON.stringify(t.labels)} t={t} />)}</tbody>
        </table>
      </div>
      {!all && rows.length > rowsMax && <p class="pad"><Button small onClick={() => setAll(true)}>Show all {rows.length.toLocaleString('en-US')}</Button></p>}
    </Card>
  );
}

export function Targets() {
  const { data, error, loading, reload } = useResource(promTargets, [refreshTick.value]);
  const query = place.value.query, only = query.get('health') ?? '', pool = query.get('pool') ?? '', text = (query.get('q') ?? '').toLowerCase();
  const all = data?.activeTargets ?? [];
  const shown = all.filter((t) => (!only || t.health === only) && (!pool || t.scrapePool === pool) &&
    (!text || `${t.scrapePool} ${t.scrapeUrl} ${Object.values(t.labels).join(' ')} ${t.lastError}`.toLowerCase().includes(text)));
  const count = (health: string) => all.filter((t) => t.health === health).length;
  const troubled = new Set(shown.filter((t) => t.health === 'down').map((t) => t.scrapePool));
  const pools = [...new Set(shown.map((t) => t.scrapePool))].sort((a, b) => Number(troubled.has(b)) - Number(troubled.has(a)) || (a < b ? -1 : 1));
  return (
    <>
      <PageHead title="Targets" sub={data ? `${count('up').toLocaleString('en-US')} of ${plural(all.length, 'target')} up${count('unknown') ? `, ${count('unknown').toLocaleString('en-US')} not scraped yet` : ''}` : undefined}>
        <a class="button button-default" href="/service-discovery">Service discovery</a><Button icon="refresh" onClick={refresh}>Refresh</Button>
      </PageHead>
      <Progress on={loading} />
      {error && <ErrorBox error={error} retry={reload} />}
      {!data && loading && <div class="center"><Spinner /></div>}
      {data && !all.length && <Empty icon="targets" title="Nothing is scraped">Start with <code>--prometheus.config prometheus.yml</code>: its scrape_configs load as they are.</Empty>}
      {all.length > 0 && (
        <div class="toolbar">
          {healths.map((h) => <button key={h} type="button" class="chip" aria-pressed={only === h} onClick={() => setQuery({ health: only === h ? null : h }, true)}>{h} <b>{count(h).toLocaleString('en-US')}</b></button>)}
          {pool && <FilterChip text={`job ${pool}`} onClear={() => setQuery({ pool: null })} />}
          <input class="input toolbar-end" type="search" aria-label="Filter targets" placeholder="Filter by address, label or error" value={query.get('q') ?? ''} onInput={(e) => setQuery({ q: e.currentTarget.value || null }, true)} />
        </div>
      )}
      {all.length > 0 && !shown.length && <Empty icon="search" title="No target matches"><Button small onClick={() => setQuery({ health: null, pool: null, q: null })}>Show all</Button></Empty>}
      {pools.map((p) => <Pool key={p} pool={p} list={shown.filter((t) => t.scrapePool === p)} />)}
    </>
  );
}
