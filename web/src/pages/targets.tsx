// What is scraped and how it goes.
import { useState } from 'preact/hooks';
import { promTargets, useResource, type Target } from '../lib/api';
import { formatSeconds, plural } from '../lib/format';
import { refresh, refreshTick, utc } from '../lib/store';
import { formatAgo, formatDateTime } from '../lib/time';
import { Button, Card, Empty, ErrorBox, PageHead, Progress, Spinner } from '../ui/basics';
import { Icon } from '../ui/icons';

const tones: Record<string, string> = { up: 'pill-good', down: 'pill-bad' };

function Row({ t }: { t: Target }) {
  const last = Date.parse(t.lastScrape);
  const labels = Object.entries(t.labels).filter(([k]) => k !== 'job');
  return (
    <tr>
      <td><span class={`pill ${tones[t.health] ?? ''}`}><Icon name={t.health === 'up' ? 'check' : t.health === 'down' ? 'warn' : 'clock'} size={12} />{t.health}</span></td>
      <th scope="row" class="mono"><a href={t.scrapeUrl} target="_blank" rel="noreferrer">{t.scrapeUrl}</a>{t.lastError && <p class="tone-bad wrap">{t.lastError}</p>}</th>
      <td>{labels.map(([k, v]) => <span key={k} class="label-chip mono">{k}="{v}"</span>)}</td>
      <td class="num muted" title={last > 0 ? formatDateTime(last, utc.value, true) : ''}>{last > 0 ? formatAgo(last, Date.now()) : 'never'}</td>
      <td class="num">{last > 0 ? formatSeconds(t.lastScrapeDuration) : '–'}</td>
    </tr>
  );
}

export function Targets() {
  const { data, error, loading, reload } = useResource(promTargets, [refreshTick.value]);
  const [only, setOnly] = useState(false);
  const [text, setText] = useState('');
  const all = data?.activeTargets ?? [];
  const shown = all.filter((t) => (!only || t.health !== 'up') && (!text || `${t.scrapeUrl} ${Object.values(t.labels).join(' ')}`.includes(text)));
  const pools = [...new Set(shown.map((t) => t.scrapePool))].sort();
  const up = all.filter((t) => t.health === 'up').length;
  return (
    <>
      <PageHead title="Targets" sub={data ? `${up} of ${plural(all.length, 'target')} up` : undefined}>
        <a class="button button-default" href="/service-discovery">Service discovery</a><Button icon="refresh" onClick={refresh}>Refresh</Button>
      </PageHead>
      <Progress on={loading} />
      {error && !data && <ErrorBox error={error} retry={reload} />}
      {!data && loading && <div class="center"><Spinner /></div>}
      {data && !all.length && <Empty icon="targets" title="Nothing is scraped">Start with <code>--prometheus.config prometheus.yml</code>: its scrape_configs load as they are.</Empty>}
      {all.length > 0 && (
        <div class="toolbar">
          <input class="input" type="search" aria-label="Filter targets" placeholder="Filter by address or label" value={text} onInput={(e) => setText(e.currentTarget.value)} />
          <label class="check"><input type="checkbox" checked={only} onChange={(e) => setOnly(e.currentTarget.checked)} /> Only unhealthy</label>
        </div>
      )}
      {all.length > 0 && !shown.length && <Empty icon="check" title="None">No target matches.</Empty>}
      {pools.map((pool) => {
        const list = shown.filter((t) => t.scrapePool === pool);
        return (
          <Card key={pool} flush title={pool} actions={<span class="muted small">{list.filter((t) => t.health === 'up').length} of {list.length} up</span>}>
            <div class="table-scroll" tabIndex={0} role="region" aria-label={`Targets of ${pool}`}>
              <table class="table target-table">
                <thead><tr><th scope="col">State</th><th scope="col">Endpoint</th><th scope="col">Labels</th><th scope="col" class="num">Last scrape</th><th scope="col" class="num">Took</th></tr></thead>
                <tbody>{list.map((t) => <Row key={t.scrapeUrl + JSON.stringify(t.labels)} t={t} />)}</tbody>
              </table>
            </div>
          </Card>
        );
      })}
    </>
  );
}
