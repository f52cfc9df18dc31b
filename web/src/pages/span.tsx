// A span's details: times, model calls, attributes, events, links, process.
import { formatDuration, formatExact } from '../lib/format';
import { utc } from '../lib/store';
import { formatClock } from '../lib/time';
import { tagValue, type JaegerTag, type Span, type Trace } from '../lib/trace';
import { breakable, Button, CopyButton } from '../ui/basics';
import { Icon } from '../ui/icons';

function shown(value: unknown): string {
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  if (/^[[{]/.test(text)) {
    try {
      return JSON.stringify(JSON.parse(text), null, 2);
    } catch {
      // as it is
    }
  }
  return text;
}

function Tags({ title, tags, open = true }: { title: string; tags: JaegerTag[]; open?: boolean }) {
  if (!tags.length) return null;
  return (
    <details class="fields" open={open}>
      <summary><Icon name="chevron" size={12} /><h3>{title}</h3><span class="muted">{tags.length}</span></summary>
      <dl>
        {tags.map((t, i) => (
          <div key={t.key + i} class="field-row"><dt>{breakable(t.key)}</dt><dd>{shown(t.value)}
            <span class="field-actions"><CopyButton text={String(t.value)} label={`Copy ${t.key}`} /></span></dd></div>
        ))}
      </dl>
    </details>
  );
}

/** '["stop"]', as Jaeger's JSON has lists, -> "stop". */
const words = (value: unknown) => (typeof value === 'string' && value.startsWith('[') ? value.replace(/[[\]"]/g, '').replaceAll(',', ', ') : value);

/** What a call of a model cost and gave, by the semantic conventions of gen_ai. */
function Model({ tags }: { tags: JaegerTag[] | undefined }) {
  const get = (...keys: string[]) => keys.map((k) => tagValue(tags, k)).find((v) => v !== undefined);
  const model = get('gen_ai.response.model', 'gen_ai.request.model');
  if (model === undefined) return null;
  const input = get('gen_ai.usage.input_tokens', 'gen_ai.usage.prompt_tokens');
  const output = get('gen_ai.usage.output_tokens', 'gen_ai.usage.completion_tokens');
  const facts: [string, unknown][] = [
    ['Model', model], ['Provider', get('gen_ai.provider.name', 'gen_ai.system')], ['Operation', get('gen_ai.operation.name')],
    ['Input tokens', input === undefined ? undefined : formatExact(Number(input))], ['Output tokens', output === undefined ? undefined : formatExact(Number(output))],
    ['Finished', words(get('gen_ai.response.finish_reasons'))],
  ];
  return <ul class="model">{facts.filter(([, v]) => v !== undefined).map(([k, v]) => <li key={k}><span>{k}</span><b>{String(v)}</b></li>)}</ul>;
}

export function SpanDetail({ span, trace, logs, onClose, onGo }: { span: Span; trace: Trace; logs: string; onClose: () => void; onGo: (id: string) => void }) {
  const self = span.duration - covered(span);
  const links = (span.raw.references ?? []).filter((r) => r.spanID !== span.parentId || r.traceID !== trace.id);
  const parent = span.parentId ? trace.byId.get(span.parentId) : undefined;
  const events = span.raw.logs ?? [];
  return (
    <aside class="detail" data-testid="span-detail" aria-label="Span">
      <header class="detail-head">
        <div><h2>{span.name}</h2><p class="muted">{span.service}{span.error && <span class="pill pill-bad"><Icon name="warn" size={12} />error</span>}</p></div>
        <Button kind="ghost" small icon="close" label="Close details" onClick={onClose} />
      </header>
      <div class="detail-body" tabIndex={0} role="region" aria-label="Details of the span">
        <ul class="facts facts-small">
          <li><span>Duration</span><b>{formatDuration(span.duration)}</b></li>
          <li><span>Self</span><b>{formatDuration(Math.max(self, 0))}</b></li>
          <li><span>Starts at</span><b>{formatDuration(span.start)}</b></li>
          <li><span>Clock</span><b>{formatClock(span.raw.startTime / 1000, utc.value, true)}</b></li>
        </ul>
        <div class="row row-wrap">
          <a class="button button-default button-small" href={logs}><Icon name="logs" size={14} />Logs</a>
          {parent && <Button small onClick={() => onGo(parent.id)}>Parent: {parent.name}</Button>}
        </div>
        <Model tags={span.raw.tags} />
        {span.raw.warnings?.map((w) => <p key={w} class="note">{w}</p>)}
        <Tags title="Attributes" tags={span.raw.tags ?? []} />
        {events.length > 0 && (
          <details class="fields" open>
            <summary><Icon name="chevron" size={12} /><h3>Events</h3><span class="muted">{events.length}</span></summary>
            {events.map((e, i) => {
              const name = tagValue(e.fields, 'event') ?? tagValue(e.fields, 'message') ?? 'event';
              const rest = e.fields.filter((f) => f.key !== 'event');
              return (
                <div key={i} class="event">
                  <p><code>+{formatDuration(e.timestamp - span.raw.startTime)}</code> <b>{String(name)}</b></p>
                  {rest.length > 0 && <dl>{rest.map((f) => <div key={f.key} class="field-row"><dt>{breakable(f.key)}</dt><dd>{shown(f.value)}</dd></div>)}</dl>}
                </div>
              );
            })}
          </details>
        )}
        {links.length > 0 && (
          <details class="fields" open>
            <summary><Icon name="chevron" size={12} /><h3>Links</h3><span class="muted">{links.length}</span></summary>
            <ul class="links">{links.map((l, i) => <li key={i}><a href={`/trace/${l.traceID}?span=${l.spanID}`}><Icon name="link" size={12} /><code>{l.traceID.slice(0, 12)}… / {l.spanID}</code></a> <span class="muted">{l.refType.toLowerCase().replace('_', ' ')}</span></li>)}</ul>
          </details>
        )}
        <Tags title="Process" tags={[{ key: 'service.name', value: span.service }, ...(span.process.tags ?? [])]} open={false} />
        <p class="muted mono small">span {span.id}</p>
      </div>
    </aside>
  );
}

/** How much of the span's time its children cover, overlaps counted once. */
function covered(span: Span): number {
  let sum = 0;
  let end = span.start;
  for (const c of span.children) {
    const a = Math.max(c.start, end), b = Math.min(c.start + c.duration, span.start + span.duration);
    if (b > a) {
      sum += b - a;
      end = b;
    }
  }
  return sum;
}
