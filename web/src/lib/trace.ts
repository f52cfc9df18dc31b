// Jaeger's trace JSON as a tree of spans in drawing order, its critical path, its summary.

export interface JaegerTag { key: string; type?: string; value: unknown }
export interface JaegerSpan {
  traceID: string;
  spanID: string;
  operationName: string;
  references?: { refType: string; traceID: string; spanID: string }[];
  startTime: number; // microseconds since the epoch
  duration: number; // microseconds
  tags?: JaegerTag[];
  logs?: { timestamp: number; fields: JaegerTag[] }[];
  processID: string;
  warnings?: string[] | null;
}
export interface JaegerProcess { serviceName: string; tags?: JaegerTag[] }
export interface JaegerTrace {
  traceID: string;
  spans: JaegerSpan[];
  processes: Record<string, JaegerProcess>;
  warnings?: string[] | null;
}

export interface Span {
  id: string;
  parentId: string | null;
  service: string;
  name: string;
  start: number; // microseconds since the trace's start
  duration: number;
  depth: number;
  error: boolean;
  children: Span[];
  descendants: number;
  raw: JaegerSpan;
  process: JaegerProcess;
}

export interface Trace {
  id: string;
  spans: Span[]; // depth first, siblings by start
  roots: Span[];
  byId: Map<string, Span>;
  startUs: number;
  duration: number;
  services: { name: string; spans: number; errors: number }[];
  depth: number;
  errors: number;
}

export const tagValue = (tags: JaegerTag[] | undefined, key: string) => tags?.find((t) => t.key === key)?.value;

function isError(span: JaegerSpan): boolean {
  const error = tagValue(span.tags, 'error');
  return error === true || error === 'true' || tagValue(span.tags, 'otel.status_code') === 'ERROR';
}

export function buildTrace(raw: JaegerTrace): Trace {
  const byId = new Map<string, Span>();
  let startUs = Infinity;
  let endUs = -Infinity;
  for (const s of raw.spans) {
    startUs = Math.min(startUs, s.startTime);
    endUs = Math.max(endUs, s.startTime + s.duration);
  }
  if (!Number.isFinite(startUs)) startUs = endUs = 0;
  for (const s of raw.spans) {
    const process = raw.processes[s.processID] ?? { serviceName: 'unknown' };
    const parent = s.references?.find((r) => r.refType === 'CHILD_OF' && r.traceID === s.traceID)
      ?? s.references?.find((r) => r.traceID === s.traceID && r.refType === 'FOLLOWS_FROM');
    byId.set(s.spanID, {
      id: s.spanID, parentId: parent?.spanID ?? null, service: process.serviceName, name: s.operationName,
      start: s.startTime - startUs, duration: s.duration, depth: 0, error: isError(s), children: [], descendants: 0, raw: s, process,
    });
  }
  const roots: Span[] = [];
  for (const span of byId.values()) {
    const parent = span.parentId ? byId.get(span.parentId) : undefined;
    if (parent && parent !== span) parent.children.push(span);
    else roots.push(span);
  }
  const spans = order(roots, byId);
  const services = new Map<string, { name: string; spans: number; errors: number }>();
  for (const s of spans) {
    const entry = services.get(s.service) ?? { name: s.service, spans: 0, errors: 0 };
    entry.spans++;
    if (s.error) entry.errors++;
    services.set(s.service, entry);
  }
  return {
    id: raw.traceID, spans, roots, byId, startUs, duration: Math.max(endUs - startUs, 0),
    services: [...services.values()].sort((a, b) => b.spans - a.spans),
    depth: spans.reduce((m, s) => Math.max(m, s.depth + 1), 0), errors: spans.filter((s) => s.error).length,
  };
}

/** Depth first without recursion: a trace may be deeper than the stack. Spans in a cycle become roots. */
function order(roots: Span[], byId: Map<string, Span>): Span[] {
  const out: Span[] = [];
  const seen = new Set<Span>();
  const byStart = (a: Span, b: Span) => a.start - b.start || b.duration - a.duration;
  const walk = (from: Span) => {
    const stack: Span[] = [from];
    while (stack.length) {
      const s = stack.pop()!;
      if (seen.has(s)) continue;
      seen.add(s);
      out.push(s);
      s.children = s.children.filter((c) => !seen.has(c)).sort(byStart);
      for (let i = s.children.length - 1; i >= 0; i--) {
        s.children[i].depth = s.depth + 1;
        stack.push(s.children[i]);
      }
    }
  };
  roots.sort(byStart);
  roots.forEach(walk);
  for (const s of byId.values())
    if (!seen.has(s)) {
      roots.push(s);
      walk(s);
    }
  for (let i = out.length - 1; i >= 0; i--)
    out[i].descendants = out[i].children.reduce((n, c) => n + 1 + c.descendants, 0);
  return out;
}

export interface Segment { span: Span; from: number; to: number }

/** The spans that decided how long the trace took: walking back from the root's end, always into the child that ended
 * last before the point reached; what no child covers is the span's own. */
export function criticalPath(trace: Trace): Segment[] {
  const root = trace.roots.reduce<Span | null>((best, s) => (!best || s.duration > best.duration ? s : best), null);
  if (!root) return [];
  const out: Segment[] = [];
  interface Frame { span: Span; at: number; floor: number; left: Span[] }
  const frame = (span: Span, at: number, floor: number): Frame =>
    ({ span, at, floor, left: [...span.children].sort((a, b) => a.start + a.duration - (b.start + b.duration)) });
  const stack = [frame(root, root.start + root.duration, root.start)];
  while (stack.length) {
    const f = stack[stack.length - 1];
    let child: Span | undefined;
    while (f.left.length) {
      const c = f.left.pop()!;
      if (c.start < f.at && c.start + c.duration > f.floor && c.duration > 0) {
        child = c;
        break;
      }
    }
    if (!child) {
      if (f.at > f.floor) out.push({ span: f.span, from: f.floor, to: f.at });
      stack.pop();
      continue;
    }
    const end = Math.min(child.start + child.duration, f.at);
    const begin = Math.max(child.start, f.floor);
    if (f.at > end) out.push({ span: f.span, from: end, to: f.at });
    f.at = begin;
    stack.push(frame(child, end, begin));
  }
  return out.reverse();
}

export interface TraceSummary {
  id: string;
  rootService: string;
  rootName: string;
  startUs: number;
  duration: number;
  spans: number;
  errors: number;
  services: { name: string; spans: number; errors: number }[];
}

export function summarize(raw: JaegerTrace): TraceSummary {
  const t = buildTrace(raw);
  const root = t.roots[0];
  return {
    id: t.id, rootService: root?.service ?? 'unknown', rootName: root?.name ?? '(no spans)', startUs: t.startUs,
    duration: t.duration, spans: t.spans.length, errors: t.errors, services: t.services,
  };
}

/** "http.status_code=500 error=true" or a JSON object -> an object of strings; null when it is neither. */
export function parseTags(text: string): Record<string, string> | null {
  const s = text.trim();
  if (!s) return {};
  if (s.startsWith('{')) {
    try {
      const value = JSON.parse(s) as Record<string, unknown>;
      return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, String(v)]));
    } catch {
      return null;
    }
  }
  const out: Record<string, string> = {};
  const pair = /\s*([^\s=]+)=("(?:[^"\\]|\\.)*"|[^\s"]*)/y;
  while (pair.lastIndex < s.length) {
    const m = pair.exec(s);
    if (!m) return null;
    out[m[1]] = m[2].startsWith('"') ? (JSON.parse(m[2]) as string) : m[2];
  }
  return out;
}

export interface Comparison { service: string; name: string; a: number; b: number; aUs: number; bUs: number }

/** Two traces side by side: spans by service and operation, how many and how long in all. */
export function compareTraces(a: Trace, b: Trace): Comparison[] {
  const rows = new Map<string, Comparison>();
  const add = (t: Trace, count: 'a' | 'b', time: 'aUs' | 'bUs') => {
    for (const s of t.spans) {
      const key = `${s.service}\u0000${s.name}`;
      const row = rows.get(key) ?? { service: s.service, name: s.name, a: 0, b: 0, aUs: 0, bUs: 0 };
      row[count]++;
      row[time] += s.duration;
      rows.set(key, row);
    }
  };
  add(a, 'a', 'aUs');
  add(b, 'b', 'bUs');
  return [...rows.values()].sort((x, y) => Math.abs(y.bUs - y.aUs) - Math.abs(x.bUs - x.aUs));
}
