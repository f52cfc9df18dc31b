// Synthetic telemetry of a small LLM platform, the same for every run: enough of the APIs to look at every page.
// "empty" as a user name signs in to a server that has received nothing.

const random = (seed) => () => {
  seed = (seed + 0x6d2b79f5) | 0;
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
};
const hex = (r, n) => Array.from({ length: n }, () => Math.floor(r() * 16).toString(16)).join('');
const services = ['api-gateway', 'chat-api', 'llm-router', 'openai-proxy', 'anthropic-proxy', 'retrieval', 'vector-db', 'embedding-worker', 'tool-runner', 'billing'];
const models = ['gpt-4o', 'gpt-4o-mini', 'claude-sonnet-4', 'mistral-large'];

// --- traces ---

function makeTrace(seed, now) {
  const r = random(seed);
  const traceID = hex(r, 32);
  const spans = [];
  const processes = {};
  const start = Math.floor((now - r() * 3500_000) * 1000);
  const failed = r() < 0.12;
  const model = models[Math.floor(r() * models.length)];
  const add = (service, name, at, duration, parent, tags = [], logs = []) => {
    processes[service] ??= { serviceName: service, tags: [{ key: 'host.name', type: 'string', value: `${service}-7d9f-${hex(random(service.length), 4)}` }, { key: 'telemetry.sdk.language', type: 'string', value: 'nodejs' }] };
    const spanID = hex(r, 16);
    spans.push({ traceID, spanID, operationName: name, startTime: Math.round(start + at), duration: Math.round(duration), processID: service,
      references: parent ? [{ refType: 'CHILD_OF', traceID, spanID: parent }] : [], tags, logs, warnings: null });
    return spanID;
  };
  const tag = (key, value, type = typeof value === 'number' ? 'int64' : typeof value === 'boolean' ? 'bool' : 'string') => ({ key, type, value });
  const llm = (failed ? 4_000_000 : 600_000) + r() * 1_900_000;
  const total = llm + 260_000 + r() * 90_000;
  const root = add('api-gateway', 'POST /v1/chat/completions', 0, total, null, [tag('http.request.method', 'POST'), tag('http.route', '/v1/chat/completions'), tag('http.response.status_code', failed ? 502 : 200), tag('span.kind', 'server'), ...(failed ? [tag('error', true)] : [])]);
  add('api-gateway', 'authenticate', 1200, 3400 + r() * 2000, root, [tag('user.id', `u-${Math.floor(r() * 900)}`)]);
  const chat = add('chat-api', 'chat.complete', 7000, total - 12_000, root, [tag('gen_ai.conversation.id', hex(r, 12)), tag('span.kind', 'server'), ...(failed ? [tag('error', true)] : [])]);
  const ret = add('retrieval', 'retrieve context', 14_000, 128_000, chat, [tag('retrieval.top_k', 8)]);
  const emb = add('embedding-worker', 'embed query', 16_000, 38_000, ret, [tag('gen_ai.request.model', 'text-embedding-3-small'), tag('gen_ai.usage.input_tokens', 42)]);
  add('embedding-worker', 'tokenize', 17_000, 2_600, emb);
  for (let i = 0; i < 4; i++) add('vector-db', `search shard ${i}`, 56_000 + i * 1500, 34_000 + r() * 38_000, ret, [tag('db.system', 'qdrant'), tag('db.query.text', 'SEARCH documents WHERE tenant = ?')]);
  const route = add('llm-router', 'route request', 150_000, llm + 30_000, chat, [tag('router.policy', 'latency')]);
  const proxy = model.startsWith('claude') ? 'anthropic-proxy' : 'openai-proxy';
  const input = 900 + Math.floor(r() * 3000), output = 80 + Math.floor(r() * 900);
  if (failed) add(proxy, `chat ${model}`, 152_000, llm * 0.45, route, [tag('gen_ai.request.model', model), tag('gen_ai.provider.name', proxy.split('-')[0]), tag('error', true), tag('error.type', 'rate_limit_exceeded'), tag('http.response.status_code', 429), tag('span.kind', 'client')],
    [{ timestamp: Math.round(start + 152_000 + llm * 0.45), fields: [tag('event', 'exception'), tag('exception.type', 'RateLimitError'), tag('exception.message', 'Rate limit reached for requests: limit 500, used 500'), tag('exception.stacktrace', 'RateLimitError: Rate limit reached\n    at Client.chat (client.js:112:11)\n    at async route (router.js:48:20)')] }]);
  const call = add(proxy, `chat ${model}`, failed ? 160_000 + llm * 0.45 : 155_000, failed ? llm * 0.53 : llm, route, [tag('gen_ai.operation.name', 'chat'), tag('gen_ai.provider.name', proxy.split('-')[0]), tag('gen_ai.request.model', model), tag('gen_ai.response.model', `${model}-2026-05-13`), tag('gen_ai.usage.input_tokens', input), tag('gen_ai.usage.output_tokens', output), tag('gen_ai.response.finish_reasons', '["stop"]'), tag('gen_ai.request.temperature', 0.7, 'float64'), tag('span.kind', 'client'), ...(failed ? [tag('error', true)] : [])],
    [{ timestamp: Math.round(start + 155_000 + llm * 0.2), fields: [tag('event', 'first token')] }]);
  for (let i = 0; i < Math.floor(r() * 3); i++) add('tool-runner', `execute_tool ${['get_weather', 'search_docs', 'run_sql'][i]}`, 180_000 + llm * (0.3 + i * 0.2), 30_000 + r() * 120_000, call, [tag('gen_ai.tool.name', ['get_weather', 'search_docs', 'run_sql'][i])]);
  add('billing', 'record usage', total - 42_000, 9_000 + r() * 12_000, chat, [tag('tokens', input + output)]);
  add('chat-api', 'save message', total - 26_000, 12_000, chat, [tag('db.system', 'postgresql')]);
  return { traceID, spans, processes, warnings: null };
}

function bigTrace(now) {
  const r = random(99);
  const traceID = 'b16b00b5'.padEnd(32, '0');
  const start = (now - 600_000) * 1000;
  const spans = [], processes = Object.fromEntries(services.map((s) => [s, { serviceName: s, tags: [] }]));
  const add = (parent, at, duration) => {
    const spanID = hex(r, 16);
    spans.push({ traceID, spanID, operationName: `step ${spans.length}`, startTime: start + at, duration, processID: services[spans.length % services.length], references: parent ? [{ refType: 'CHILD_OF', traceID, spanID: parent }] : [], tags: [], logs: [] });
    return spanID;
  };
  const root = add(null, 0, 60_000_000);
  for (let i = 0; i < 120; i++) {
    const a = add(root, i * 490_000, 480_000);
    for (let k = 0; k < 10; k++) {
      const b = add(a, i * 490_000 + k * 48_000, 46_000);
      for (let m = 0; m < 9; m++) add(b, i * 490_000 + k * 48_000 + m * 5000, 4000 + Math.floor(r() * 900));
    }
  }
  return { traceID, spans, processes, warnings: null };
}

const boot = Date.now();
const traces = [...Array.from({ length: 140 }, (_, i) => makeTrace(i + 1, boot)), bigTrace(boot)];
const durationOf = (t) => Math.max(...t.spans.map((s) => s.startTime + s.duration)) - Math.min(...t.spans.map((s) => s.startTime));
const us = (s) => { const m = /^([\d.]+)(us|ms|s|m)$/.exec(s ?? ''); return m ? Number(m[1]) * { us: 1, ms: 1e3, s: 1e6, m: 6e7 }[m[2]] : 0; };

function searchTraces(q) {
  const tags = q.get('tags') ? JSON.parse(q.get('tags')) : {};
  return traces.filter((t) => Object.values(t.processes).some((p) => p.serviceName === q.get('service')))
    .filter((t) => !q.get('operation') || t.spans.some((s) => s.operationName === q.get('operation')))
    .filter((t) => durationOf(t) >= us(q.get('minDuration')) && (!q.get('maxDuration') || durationOf(t) <= us(q.get('maxDuration'))))
    .filter((t) => Object.entries(tags).every(([k, v]) => t.spans.some((s) => s.tags.some((g) => g.key === k && String(g.value) === v))))
    .slice(0, Number(q.get('limit') ?? 20));
}

function serviceList(q) {
  const start = Number(q.get('start')), end = Number(q.get('end')), step = Number(q.get('step')) || 60;
  return services.map((service, i) => {
    const r = random(i * 7 + 3);
    const base = [42, 38, 30, 18, 11, 36, 140, 55, 6, 0.03][i];
    const p95 = [1.9, 1.85, 1.7, 1.62, 2.4, 0.16, 0.062, 0.041, 0.22, 0.024][i];
    const ratio = [0.004, 0.003, 0.012, 0.021, 0.083, 0, 0, 0.0004, 0.015, 0][i];
    const points = [];
    for (let t = Math.floor(start / step) * step; t <= end; t += step) {
      const wave = 1 + 0.35 * Math.sin(t / 900 + i) + (r() - 0.5) * 0.3 + (i === 4 && t > end - 900 ? 1.2 : 0);
      points.push([t, base * wave, base * wave * ratio, p95 * (0.9 + r() * 0.3 + (i === 4 && t > end - 900 ? 0.8 : 0))]);
    }
    const requests = Math.round(base * (end - start));
    return { service, requests, errors: Math.round(requests * ratio), rate: base, error_ratio: ratio, p50: p95 * 0.38, p95, p99: p95 * 1.7, last_seen: Date.now() / 1000 - i * 2 - (i === 9 ? 240 : 0), points };
  });
}

// --- metrics ---

const metricNames = ['up', 'http_requests_total', 'http_request_duration_seconds_bucket', 'http_request_duration_seconds_count', 'http_request_duration_seconds_sum', 'gen_ai_client_operation_duration_seconds_bucket', 'gen_ai_client_token_usage_bucket', 'gen_ai_client_token_usage_sum', 'llm_requests_total', 'llm_tokens_total', 'llm_cost_usd_total', 'llm_queue_depth', 'process_cpu_seconds_total', 'process_resident_memory_bytes', 'vllm:num_requests_running', 'vllm:gpu_cache_usage_perc', 'go_goroutines'];
const labelSets = {
  up: ['chat-api', 'llm-router', 'vector-db', 'node'].map((job, i) => ({ __name__: 'up', instance: `10.0.0.${i + 4}:9100`, job })),
  other: models.map((model) => ({ model, service: 'llm-router' })),
};

function evaluate(query, times) {
  if (/[({,]\s*$|foo bar/.test(query)) throw new Error('1:5: parse error: unexpected end of input in aggregation');
  const sets = /^up\b/.test(query) ? labelSets.up : labelSets.other;
  return sets.map((metric, i) => {
    const r = random(i + query.length);
    const values = times.map((t) => [t, /^up\b/.test(query) ? (i === 3 && t > times[times.length - 1] - 600 ? '0' : '1') : String((3 + i * 4) * (1 + 0.4 * Math.sin(t / 700 + i * 2)) + r() * 1.5)]);
    return { metric, values };
  });
}

// --- logs ---

const templates = [
  ['info', 'chat-api', (r) => `level=info msg="completion finished" model=${models[Math.floor(r() * 4)]} tokens=${Math.floor(r() * 3000)} duration=${(r() * 3).toFixed(2)}s`],
  ['info', 'api-gateway', (r) => `{"level":"info","method":"POST","path":"/v1/chat/completions","status":200,"duration_ms":${Math.floor(r() * 2800)},"user":{"id":"u-${Math.floor(r() * 900)}","plan":"pro"}}`],
  ['debug', 'retrieval', (r) => `level=debug msg="retrieved documents" count=8 best_score=${r().toFixed(3)}`],
  ['warn', 'llm-router', (r) => `level=warn msg="provider slow, trying the next" provider=anthropic waited_ms=${2000 + Math.floor(r() * 900)}`],
  ['error', 'anthropic-proxy', () => 'level=error msg="upstream answered 429" provider=anthropic error.type=rate_limit_exceeded retry_after=12s'],
  ['info', 'vector-db', (r) => `level=info msg="segment merged" segment=${Math.floor(r() * 90)} points=${Math.floor(r() * 1e5)}`],
];

function logStreams(q) {
  const start = Number(q.get('start')) / 1e6, end = Number(q.get('end')) / 1e6;
  const query = q.get('query') ?? '';
  const contains = /\|=\s*"([^"]*)"/.exec(query)?.[1];
  const wantService = /service_name="([^"]*)"/.exec(query)?.[1];
  const wantLevel = /level="([^"]*)"/.exec(query)?.[1];
  const limit = Number(q.get('limit') ?? 100);
  const r = random(5);
  const streams = new Map();
  let n = 0;
  for (let t = end - 400; t > start && n < limit; t -= 300 + r() * 2400) {
    const [level, service, text] = templates[Math.floor(r() ** 1.6 * templates.length)];
    const trace = traces[Math.floor(r() * 140)].traceID;
    let line = text(r);
    if (!line.startsWith('{')) line += ` trace_id=${trace}`;
    if (wantService && service !== wantService) { if (!contains) continue; line = line.replace(/trace_id=\w+/, `trace_id=${contains}`); }
    if (wantLevel && level !== wantLevel) continue;
    if (contains && !line.includes(contains) && contains.length < 32) continue;
    const key = `${service}/${level}`;
    if (!streams.has(key)) streams.set(key, { stream: { service_name: service, level, env: 'production' }, values: [] });
    streams.get(key).values.push([`${Math.floor(t)}${String(Math.floor(r() * 1e6)).padStart(6, '0')}`, line]);
    n++;
  }
  return [...streams.values()];
}

function volume(q) {
  const start = Number(q.get('start')) / 1e9, end = Number(q.get('end')) / 1e9, step = Number(q.get('step'));
  return ['debug', 'info', 'warn', 'error'].map((level, i) => {
    const r = random(i + 1);
    const values = [];
    for (let t = start; t <= end; t += step) values.push([t, String(Math.max(0, Math.round([30, 120, 10, 4][i] * (0.7 + r() * 0.6) * (i === 3 && t > end - 900 ? 9 : 1))))]);
    return { metric: { level }, values };
  });
}

// --- routes ---

const ports = { ui: 3001, prometheus: 9090, 'otlp-grpc': 4317, 'otlp-http': 4318, jaeger: 16686, 'jaeger-collector': 14268, zipkin: 9411, loki: 3100, tempo: 3200, alertmanager: 9093, health: 13133 };
let signedIn = null;
let defaultPassword = true;
const session = () => ({ user: signedIn, role: 'admin', password_is_default: defaultPassword, ports, version: '0.1.0' });
const ok = (data) => [200, { status: 'success', data }];

function targets() {
  const t = (job, i, health, lastError = '') => ({ discoveredLabels: {}, labels: { instance: `10.0.0.${i}:9100`, job, env: 'production' }, scrapePool: job, scrapeUrl: `http://10.0.0.${i}:9100/metrics`, globalUrl: '', lastError, lastScrape: new Date(Date.now() - 4000 * i).toISOString(), lastScrapeDuration: 0.004 * i, health, scrapeInterval: '15s', scrapeTimeout: '10s' });
  return { activeTargets: [t('chat-api', 4, 'up'), t('chat-api', 5, 'up'), t('llm-router', 6, 'up'), t('mcp-tools', 8, 'down', 'Get "http://10.0.0.8:9100/metrics": dial tcp 10.0.0.8:9100: connect: connection refused')], droppedTargets: [] };
}

export function mock(method, path, q, body) {
  const empty = signedIn === 'empty';
  if (path === '/login' && method === 'POST') {
    const { user, password } = JSON.parse(body);
    if (password !== 'admin') return [401, { error: 'wrong user name or password' }];
    signedIn = user;
    return [200, session()];
  }
  if (path === '/logout') { signedIn = null; return [204, null]; }
  if (path === '/api/meerkat/v1/session') return signedIn ? [200, session()] : q.get('anonymous') === 'ok' ? [200, null] : [401, { error: 'not signed in' }];
  if (!signedIn) return [401, { error: 'Unauthorized' }];
  if (path === '/api/meerkat/v1/password') { defaultPassword = false; return [200, session()]; }
  if (path === '/api/meerkat/v1/preferences') return method === 'GET' ? [200, {}] : [204, null];
  if (path === '/api/meerkat/v1/services') return [200, empty ? [] : serviceList(q)];
  if (path === '/api/v1/alerts') return ok({ alerts: empty ? [] : [{ labels: { alertname: 'HighLLMLatency', severity: 'warning', model: 'claude-sonnet-4' }, annotations: { summary: 'p95 of anthropic-proxy is over 2 s for 5 minutes' }, state: 'firing', activeAt: new Date().toISOString() }] });
  if (path === '/api/v1/targets') return ok(empty ? { activeTargets: [] } : targets());
  if (path === '/api/v1/labels') return ok(['__name__', 'env', 'instance', 'job', 'model', 'service']);
  if (path === '/api/v1/label/__name__/values') return ok(metricNames);
  if (path.startsWith('/api/v1/label/')) return ok(['chat-api', 'llm-router', 'vector-db', 'node']);
  if (path === '/api/v1/metadata') return ok({ up: [{ type: 'gauge', help: '1 when the target was scraped' }], http_requests_total: [{ type: 'counter', help: 'HTTP requests' }], llm_tokens_total: [{ type: 'counter', help: 'Tokens by model and direction' }] });
  if (path === '/api/v1/query_range' || path === '/api/v1/query') {
    const range = path.endsWith('range');
    const times = [];
    if (range) for (let t = Number(q.get('start')); t <= Number(q.get('end')); t += Number(q.get('step'))) times.push(t);
    else times.push(Number(q.get('time')));
    try {
      const series = evaluate(q.get('query'), times);
      return ok(range ? { resultType: 'matrix', result: series } : { resultType: 'vector', result: series.map((s) => ({ metric: s.metric, value: s.values[0] })) });
    } catch (e) {
      return [400, { status: 'error', errorType: 'bad_data', error: `invalid parameter "query": ${e.message}` }];
    }
  }
  if (path === '/loki/api/v1/labels') return ok(['env', 'level', 'service_name']);
  if (path.startsWith('/loki/api/v1/label/')) return ok(path.includes('level') ? ['debug', 'error', 'info', 'warn'] : path.includes('env') ? ['production'] : services);
  if (path === '/loki/api/v1/query_range') {
    const query = q.get('query');
    if (query.startsWith('sum')) return ok({ resultType: 'matrix', result: volume(q) });
    if (!/^\{.*\}/.test(query)) return [400, 'parse error at line 1, col 1: syntax error: unexpected IDENTIFIER'];
    return ok({ resultType: 'streams', result: empty ? [] : logStreams(q), stats: { summary: { totalBytesProcessed: 1843000, totalLinesProcessed: 20000, execTime: 0.004 } } });
  }
  if (path === '/api/services') return [200, { data: empty ? [] : services, total: services.length, limit: 0, offset: 0, errors: null }];
  if (/^\/api\/services\/.*\/operations$/.test(path)) return [200, { data: [...new Set(traces.flatMap((t) => t.spans).filter((s) => s.processID === decodeURIComponent(path.split('/')[3])).map((s) => s.operationName))].slice(0, 40).sort(), errors: null }];
  if (path === '/api/traces') return [200, { data: searchTraces(q), errors: null }];
  if (path.startsWith('/api/traces/')) {
    const t = traces.find((x) => x.traceID === path.slice(12) || (path.slice(12) === 'first' && x.spans.some((s) => s.tags.some((g) => g.key === 'error.type'))));
    return t ? [200, { data: [t], errors: null }] : [404, { data: null, errors: [{ code: 404, msg: 'trace not found' }] }];
  }
  return [404, 'not found'];
}

export const sampleTrace = traces.find((t) => t.spans.some((s) => s.tags.some((g) => g.key === 'error.type'))).traceID;
