import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mapOldAddress } from '../src/lib/addresses';
import { detectLevel, flatten, parseFields, traceIdOf, volumeQuery, withMatcher, type LogLine } from '../src/lib/logs';
import { align, contextAt, metricAt, rank, seriesName, shortNames, suggestNames } from '../src/lib/promql';

test('old addresses', () => {
  const cases: [string, string, string, string | null][] = [
    ['/graph', '?g0.expr=up', '', '/explore/metrics?expr=up'],
    ['/graph', '?g0.expr=up%7Bjob%3D%22a%22%7D&g0.tab=1&g0.range_input=6h', '', '/explore/metrics?expr=up%7Bjob%3D%22a%22%7D&from=now-6h&to=now&tab=table'],
    ['/query', '?g0.expr=up&g0.range_input=1h&g0.end_input=2026-11-20+12%3A00%3A00', '', '/explore/metrics?expr=up&from=1795172400000&to=1795176000000'],
    ['/search', '?service=llm-api&minDuration=2s', '', '/traces?service=llm-api&minDuration=2s'],
    ['/search', '?service=a&operation=all&lookback=2d&tags=%7B%22error%22%3A%22true%22%7D', '', '/traces?service=a&tags=%7B%22error%22%3A%22true%22%7D&from=now-2d&to=now'],
    ['/search', '?service=a&lookback=custom&start=1795172400000000&end=1795176000000000', '', '/traces?service=a&from=1795172400000&to=1795176000000'],
    ['/home', '', '', '/'],
    ['/login', '?next=/logs', '', '/logs'],
    ['/login', '?next=//evil.example', '', '/'],
    ['/', '', '#/alerts', '/alerts'],
    ['/', '', '#/silences?filter=a', '/silences'],
    ['/trace/abc', '', '', null],
    ['/d/uid/slug', '?from=now-6h', '', null],
  ];
  for (const [path, query, hash, want] of cases) assert.equal(mapOldAddress(path, query, hash), want, path + query + hash);
});

test('what is being written', () => {
  const cases: [string, string, string, string?][] = [ // "|" is the cursor
    ['ht|', 'name', 'ht'], ['sum(rate(http_re|', 'name', 'http_re'], ['up{jo|', 'label', 'jo'], ['up{job="a", in|', 'label', 'in'],
    ['up{job="no|', 'value', 'no', 'job'], ['up{job=~"a|"}', 'value', 'a', 'job'], ['sum by (jo|', 'label', 'jo'], ['rate(x[5m|', 'none', ''],
    ['sum by (job) (ra|', 'name', 'ra'], ['"text|', 'none', ''], ['up{a="}"} + no|', 'name', 'no'], ['3|', 'none', ''],
  ];
  for (const [text, kind, word, label] of cases) {
    const c = contextAt(text.replace('|', ''), text.indexOf('|'));
    assert.deepEqual([c.kind, c.word, c.label], [kind, word, label], text);
  }
  assert.equal(metricAt('rate(http_total{job="', 21), 'http_total');
  assert.equal(metricAt('{job="', 6), null);
  assert.deepEqual(rank(['b_rate', 'rate_a', 'x'], 'rate'), ['rate_a', 'b_rate']);
  assert.deepEqual(suggestNames('rat', ['ratio'], { ratio: [{ type: 'gauge', help: 'a ratio' }] }).map((s) => [s.text, s.info]), [['rate', 'per-second rate of a counter'], ['ratio', 'gauge – a ratio']]);
});

test('series', () => {
  assert.equal(seriesName({ __name__: 'up', job: 'a', env: 'b' }), 'up{env="b", job="a"}');
  assert.equal(seriesName({}), '{}');
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
