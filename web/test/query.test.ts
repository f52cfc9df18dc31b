import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mapOldAddress } from '../src/lib/addresses';
import { judge } from '../src/lib/health';
import { detectLevel, everything, flatten, groupLines, messageOf, parseFields, traceIdOf, volumeQuery, withField, withMatcher, type LogLine } from '../src/lib/logs';
import { align, placeOf, rank, seriesName, shortNames, startersFor, unitOf } from '../src/lib/promql';

test('old addresses', () => {
  const cases: [string, string, string, string | null][] = [
    ['/graph', '?g0.expr=up', '', '/explore/metrics?expr=up'],
    ['/graph', '?g0.expr=up%7Bjob%3D%22a%22%7D&g0.tab=1&g0.range_input=6h', '', '/explore/metrics?expr=up%7Bjob%3D%22a%22%7D&from=now-6h&to=now&tab=table'],
    ['/query', '?g0.expr=up&g0.range_input=1h&g0.end_input=2026-11-20+12%3A00%3A00', '', '/explore/metrics?expr=up&from=1795172400000&to=1795176000000'],
    ['/query', '?g0.expr=up&g0.tab=graph&g0.display_mode=stacked&g0.show_exemplars=1&g1.expr=down&g10.expr=c&g2.expr=b', '', '/explore/metrics?expr=up&expr=down&expr=b&expr=c&stacked=1&exemplars=1'],
    ['/graph', '?g0.expr=up&g0.tab=1&g0.moment_input=2026-11-20+12%3A00%3A00', '', '/explore/metrics?expr=up&from=1795172400000&to=1795176000000&tab=table'],
    ['/targets', '?search=node&scrapePool=a%26b', '', '/targets?q=node&pool=a%26b'],
    ['/targets', '?scrapePool=100%25', '', '/targets?pool=100%25'],
    ['/targets', '', '#pool-%zz', '/targets?pool=%25zz'],
    ['/targets', '', '#pool-node', '/targets?pool=node'],
    ['/targets', '?q=x&health=down', '', null],
    ['/rules', '?search=disk', '', '/alerts?q=disk'],
    ['/rules', '', '', '/alerts'],
    ['/alerts', '?search=disk&state=firing', '', '/alerts?state=firing&q=disk'],
    ['/search', '?service=llm-api&minDuration=2s', '', '/traces?service=llm-api&minDuration=2s'],
    ['/search', '?service=a&operation=all&lookback=2d&tags=%7B%22error%22%3A%22true%22%7D', '', '/traces?service=a&tags=%7B%22error%22%3A%22true%22%7D&from=now-2d&to=now'],
    ['/search', '?service=a&lookback=custom&start=1795172400000000&end=1795176000000000', '', '/traces?service=a&from=1795172400000&to=1795176000000'],
    ['/home', '', '', '/'],
    ['/login', '?next=/logs', '', '/logs'],
    ['/login', '?next=//evil.example', '', '/'],
    ['/', '', '#/alerts', '/alerts'],
    ['/', '', '#/silences?filter=a', '/silences?filter=a'],
    ['/trace/abc', '', '', null],
    ['/d/uid/slug', '?from=now-6h', '', null],
  ];
  for (const [path, query, hash, want] of cases) assert.equal(mapOldAddress(path, query, hash), want, path + query + hash);
});

test('suggestions', () => {
  assert.deepEqual(rank(['b_rate', 'rate_a', 'x'], 'rate'), ['rate_a', 'b_rate']);
});

test('series', () => {
  assert.equal(seriesName({ __name__: 'up', job: 'a', env: 'b' }), 'up{env="b", job="a"}');
  assert.equal(seriesName({}), '{}');
  assert.equal(seriesName({ a: 'x\u202Ey\n\u0007z', b: '\u05d0\u{1F9A6}' }), '{a="x\\u202ey\\n\\u0007z", b="\u05d0\u{1F9A6}"}');
  assert.deepEqual(shortNames([{ __name__: 'up', job: 'a', env: 'p' }, { __name__: 'up', job: 'b', env: 'p' }]), ['{job="a"}', '{job="b"}']);
  assert.deepEqual(shortNames([{ __name__: 'up' }]), ['up']);
  const { xs, rows } = align([{ metric: {}, values: [[10, '1'], [30, '3'], [40, 'NaN']] }], 10_000, 40_000, 10);
  assert.deepEqual(xs, [10, 20, 30, 40]);
  assert.deepEqual(rows, [[1, null, 3, null]]);
});

const line = (text: string, labels: Record<string, string> = {}): LogLine => ({ ns: '1', ms: 0, text, labels, level: 'unknown', key: '' });

test('levels', () => {
  const cases: [Record<string, string>, string, string][] = [
    [{ level: 'WARN' }, '', 'warn'], [{ detected_level: 'fatal' }, '', 'critical'], [{}, 'level=error msg=x', 'error'], [{}, '{"severity":"INFO"}', 'info'],
    [{}, '2026 ERROR boom', 'error'], [{}, 'nothing', 'unknown'], [{ level: 'strange' }, 'DEBUG x', 'debug'],
  ];
  for (const [labels, text, want] of cases) assert.equal(detectLevel(labels, text), want, text);
});

test('lines and their fields', () => {
  const lines = flatten([
    { stream: { a: '1' }, values: [['1795176000000000002', 'b'], ['1795176000000000001', 'a']] },
    { stream: { a: '2' }, values: [['1795176000000000003', 'c', { structuredMetadata: { trace_id: 'ff' } }]] },
  ]);
  assert.deepEqual(lines.map((l) => l.text), ['c', 'b', 'a']);
  assert.equal(lines[0].labels.trace_id, 'ff');
  assert.equal(lines[0].ms, 1795176000000);
  assert.deepEqual(parseFields(line('{"a":{"b":1},"c":"x"}')).fields, [['a.b', '1'], ['c', 'x']]);
  assert.deepEqual(parseFields(line('level=info msg="two words" n=3')).fields, [['level', 'info'], ['msg', 'two words'], ['n', '3']]);
  const id = '0af7651916cd43dd8448eb211c80319c';
  const found: [LogLine, string | null][] = [
    [line('', { trace_id: id }), id], [line(`x traceID=${id.toUpperCase()} y`), id], [line(`{"trace":{"traceId":"${id}"}}`), id], [line(`[trace_id: ${id}] hello`), id], [line('trace_id=zz'), null],
  ];
  for (const [l, want] of found) assert.equal(traceIdOf(l), want, l.text);
});

test('editing LogQL', () => {
  const cases: [string, string, '=' | '!=', string, string][] = [
    ['', 'app', '=', 'x', '{app="x"}'], ['{app="x"}', 'env', '=', 'p"q', '{app="x", env="p\\"q"}'], ['{app="x"} |= "a"', 'app', '=', 'y', '{app="y"} |= "a"'],
    ['{app=~"x|}"}', 'app', '!=', 'y', '{app=~"x|}", app!="y"}'], ['sum(rate({app="x"}[1m]))', 'env', '=', 'p', 'sum(rate({app="x", env="p"}[1m]))'],
  ];
  for (const [query, label, op, value, want] of cases) assert.equal(withMatcher(query, label, op, value), want);
  assert.equal(volumeQuery(' {a="b"} |= "x" ', 30), 'sum by (level, detected_level) (count_over_time({a="b"} |= "x" [30s]))');
});

test('what a line says', () => {
  const cases: [string, string | null][] = [
    ['{"level":"info","message":"a \\"b\\""}', 'a "b"'], ['{"msg":"x"}', 'x'], ['ts=1 level=info msg="two words" n=3', 'two words'], ['level=info msg=one', 'one'],
    ['plain msg=words', null], ['{"a":1}', null], ['{"message":""}', null], ['', null],
  ];
  for (const [text, want] of cases) assert.equal(messageOf(text), want, text);
});

test('alike lines are counted', () => {
  const groups = groupLines([line('took 3 ms', { job: 'a' }), line('took 44 ms', { job: 'a' }), line('took 44 ms', { job: 'b' }), line('{"msg":"id 0af7651916cd43dd"}', { job: 'b' }), line('id ffffffffffffffff', { job: 'b' })]);
  assert.deepEqual(groups.map((g) => [g.source, g.text, g.count]), [['a', 'took 3 ms', 2], ['b', 'id 0af7651916cd43dd', 2], ['b', 'took 44 ms', 1]]);
});

test('queries to begin with', () => {
  assert.equal(everything(['env', 'service_name']), '{service_name=~".+"}');
  assert.equal(everything(['env']), '{env=~".+"}');
  assert.equal(everything([]), '');
  assert.equal(withField('{a="b"} ', 'trace_id', '=', 'x"'), '{a="b"} | trace_id="x\\""');
  assert.deepEqual(startersFor(['up', 'other']), [{ title: 'Targets that are up', expr: 'sum by (job) (up)' }]);
  assert.ok(startersFor(['http_requests_total', 'http_server_request_duration_seconds_count']).every((s) => s.expr.includes('http_requests_total')));
});

test('units of expressions', () => {
  const cases: [string, string][] = [
    ['histogram_quantile(0.95, sum by (le, path_seconds) (rate(x_duration_seconds_bucket[5m])))', 's'], ['x_latency_milliseconds_p95', 'ms'], ['go_gc_pause_seconds', 's'],
    ['rate(x_duration_seconds_sum[5m])', ''], ['x_duration_seconds_bucket', ''], ['x_duration_seconds_count', ''], ['process_start_time_seconds', ''], ['time() - x_seconds', ''],
    ['sum(process_resident_memory_bytes)', 'B'], ['rate(net_bytes_total{a="b/c"}[5m])', 'B/s'], ['count(mem_bytes)', ''], ['a_bytes / b_bytes', ''], ['a_bytes > 5', ''],
    ['cpu_usage_ratio', 'ratio'], ['up', ''], ['sum by (job) (rate(http_requests_total[5m]))', ''], ['', ''],
  ];
  for (const [expr, want] of cases) assert.equal(unitOf(expr), want, expr);
});

test('where a parser stopped', () => {
  const cases: [string, string[], [string, string] | null][] = [
    ['invalid parameter "query": 1:5: parse error: unclosed left parenthesis', ['sum('], ['sum(', '']],
    ['B: invalid parameter "query": 1:3: parse error: x', ['up', 'a + 1:2'], ['a ', '+ 1:2']],
    ['2:4: parse error: x', ['sum(\nä up)'], ['ä ', 'up)']],
    ['1:99: parse error: x', ['up'], ['up', '']], ['3:1: parse error: x', ['up'], null], ['C: 1:1: parse error: x', ['up', 'up'], null],
    ['query timed out in expression evaluation', ['up'], null], ['the server does not answer', [], null],
  ];
  for (const [message, exprs, want] of cases) assert.deepEqual(placeOf(message, exprs), want && { before: want[0], after: want[1] }, message);
});

test('services in trouble', () => {
  const service = (p95: number[], ratio = 0) => ({ service: 's', requests: 100, errors: ratio * 100, rate: 1, error_ratio: ratio, p50: 0, p95: 0, p99: 0, last_seen: 0, points: p95.map((v, i): [number, number, number, number] => [i, 1, 0, v]) });
  const cases: [number[], number, string, string][] = [
    [Array(30).fill(1), 0, '', ''], [[...Array(20).fill(1), ...Array(10).fill(2.5)], 0, 'warn', 'p95 2.5× usual'], [[...Array(20).fill(1), ...Array(10).fill(12)], 0, 'bad', 'p95 12× usual'],
    [[...Array(20).fill(0.001), ...Array(10).fill(0.01)], 0, '', ''], [[1, 9], 0, '', ''], [[], 0.02, 'warn', '2 % errors'], [Array(30).fill(1), 0.2, 'bad', '20 % errors'],
    [[...Array(20).fill(12), ...Array(10).fill(1)], 0, '', ''],
  ];
  for (const [p95, ratio, tone, reason] of cases) {
    const got = judge(service(p95, ratio));
    assert.deepEqual([got.tone, got.reason], [tone, reason]);
  }
});
