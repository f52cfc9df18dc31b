import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isTime, labelMatchers, linesOf, matchLabels, matchersText, meets, parseLabels, parseMatchers, thresholdOf, type Comparison } from '../src/lib/matchers';
import { mapOldAddress } from '../src/lib/addresses';
import { positive, spread, spreadLog, stack } from '../src/lib/plot';

test('matchers: read and written back', () => {
  const cases: [string, string][] = [
    ['alertname="X"', 'alertname="X"'], ['{a="b", c=~"d|e",}', 'a="b", c=~"d|e"'], ['a!=b, c!~"x{1,2}"', 'a!="b", c!~"x{1,2}"'],
    ['a="say \\"hi\\", you"', 'a="say \\"hi\\", you"'], ['"my label"="ü"', '"my label"="ü"'], ['a=', 'a=""'], ['', ''],
  ];
  for (const [text, printed] of cases) {
    const { matchers, error } = parseMatchers(text);
    assert.equal(error, undefined, text);
    assert.equal(matchersText(matchers), printed);
  }
  for (const text of ['alertname', 'a==b', '="x"', 'a="b" c="d"', 'a="b']) assert.ok(parseMatchers(text).error, text);
});

test('labels', () => {
  assert.deepEqual(parseLabels('a="b", c=d'), { a: 'b', c: 'd' });
  assert.equal(parseLabels('a=~"b"'), null);
  assert.equal(labelMatchers({ alertname: 'X', path: '/a"b' }), 'alertname="X", path="/a\\"b"');
});

test('the threshold of an alert', () => {
  const cases: [string, string | null, Comparison?, number?][] = [
    ['up == 0', 'up', '==', 0], ['rate(x[5m]) / rate(y[5m]) > 0.05', 'rate(x[5m]) / rate(y[5m])', '>', 0.05], ['(a{b=">"} > 1)', null], ['x > -1e3', 'x', '>', -1000],
    ['a > 1 and b > 2', null], ['absent(up)', null], ['x > bool 3', 'x', '>', 3], ['sum(x > 1)', null],
    ['{ status = error } | rate() > 0.5', '{ status = error } | rate()', '>', 0.5], ['{} | max_over_time(duration) >= 500ms', '{} | max_over_time(duration)', '>=', 0.5],
    ['({} | rate() by (name)) / ({} | rate()) < 1m', '({} | rate() by (name)) / ({} | rate())', '<', 60], ['a >= y', null],
  ];
  for (const [expr, left, op, threshold] of cases) assert.deepEqual(thresholdOf(expr), left === null ? null : { expr: left, op, threshold }, expr);
});

test('what meets a threshold', () => {
  const cases: [Comparison, number[]][] = [['>', [3]], ['>=', [2, 3]], ['<', [1]], ['<=', [1, 2]], ['==', [2]], ['!=', [1, 3]]];
  for (const [op, want] of cases) assert.deepEqual([1, 2, 3].filter((v) => meets(v, { expr: 'x', op, threshold: 2 })), want, op);
});

test('matchers over labels', () => {
  const labels = { alertname: 'HighLatency', severity: 'warning' };
  const cases: [string, boolean][] = [
    ['severity="warning"', true], ['severity="warn"', false], ['severity=~"warn"', false], ['severity=~"warn.*"', true], ['severity!~"crit.*", alertname="HighLatency"', true],
    ['team=""', true], ['team!=""', false], ['severity!="warning"', false], ['severity=~"["', false],
  ];
  for (const [text, want] of cases) assert.equal(matchLabels(parseMatchers(text).matchers, labels), want, text);
});

test("Alertmanager's old addresses", () => {
  assert.equal(mapOldAddress('/', '', '#/alerts'), '/alerts');
  assert.equal(mapOldAddress('/', '', '#/alerts?receiver=pd'), '/alerting/groups?receiver=pd');
  assert.equal(mapOldAddress('/', '', '#/alerts?silenced=false&filter=%7Bjob%3D%22a%22%7D'), '/alerts?filter=%7Bjob%3D%22a%22%7D');
  assert.equal(mapOldAddress('/', '', '#/silences'), '/silences');
  assert.equal(mapOldAddress('/', '', '#/silences/0a1b2c3d-0000-4000-8000-0123456789ab'), '/silences?id=0a1b2c3d-0000-4000-8000-0123456789ab');
  assert.equal(mapOldAddress('/', '', '#/silences/0a1b2c3d-0000-4000-8000-0123456789ab/edit'), '/silences/new?id=0a1b2c3d-0000-4000-8000-0123456789ab');
  assert.equal(mapOldAddress('/', '', '#/silences/new'), '/silences/new');
  assert.equal(mapOldAddress('/', '', '#/status'), '/server?tab=config');
  assert.equal(mapOldAddress('/', '', '#/silences/new?filter=%7Ba%3D%22b%22%7D'), '/silences/new?matchers=%7Ba%3D%22b%22%7D');
});

test('stacks and scales', () => {
  assert.deepEqual(stack([[1, null, 3], [2, null, null], [5, null, 1]], [false, false, false]), [[1, null, 3], [3, null, 3], [8, null, 4]]);
  assert.deepEqual(stack([[1], [2]], [true, false]), [[null], [2]]);
  assert.deepEqual(positive([1, 0, -2, null]), [1, null, null, null]);
  assert.deepEqual(spread(0, 0), [0, 1]);
  assert.deepEqual(spreadLog(0.02, 300), [0.01, 1000]);
});

test('finds the lines that a rule over logs counts, and tells times among the metrics of traces', () => {
  assert.equal(linesOf('sum by (app) (count_over_time({app=~".+"} |= "error [x]" [5m])) > 10'), '{app=~".+"} |= "error [x]"');
  assert.equal(linesOf("avg_over_time({app=`a}`} | logfmt | unwrap ms [5m])"), "{app=`a}`} | logfmt");
  assert.equal(linesOf("vector(1)"), null);
  assert.ok(isTime("{ kind = server } | quantile_over_time(duration, .9) by (name) > 200ms"));
  assert.ok(isTime("{} | max_over_time(trace:duration)"));
  assert.ok(!isTime("{} | rate()"));
  assert.ok(!isTime("{ duration > 1s } | avg_over_time(span.tokens)"));
  assert.ok(!isTime("1000 * ({} | avg_over_time(duration))"));
});
