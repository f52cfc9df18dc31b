import assert from 'node:assert/strict';
import { test } from 'node:test';
import { buildTrace, compareTraces, criticalPath, parseTags, summarize, type JaegerTrace } from '../src/lib/trace';

type Row = [id: string, parent: string | null, start: number, duration: number, service?: string];

const make = (rows: Row[]): JaegerTrace => ({
  traceID: 't',
  processes: { a: { serviceName: 'a' }, b: { serviceName: 'b' } },
  spans: rows.map(([spanID, parent, startTime, duration, processID = 'a']) => ({
    traceID: 't', spanID, operationName: `op ${spanID}`, startTime: 1000 + startTime, duration, processID,
    references: parent ? [{ refType: 'CHILD_OF', traceID: 't', spanID: parent }] : [],
    tags: spanID.startsWith('e') ? [{ key: 'error', value: true }] : [],
  })),
});

test('order, depth, orphans, cycles', () => {
  const t = buildTrace(make([['c', 'r', 50, 10], ['r', null, 0, 100], ['b', 'r', 10, 20], ['x', 'b', 12, 5], ['o', 'gone', 5, 5], ['p', 'q', 1, 1], ['q', 'p', 2, 1]]));
  assert.deepEqual(t.spans.map((s) => [s.id, s.depth]), [['r', 0], ['b', 1], ['x', 2], ['c', 1], ['o', 0], ['p', 0], ['q', 1]]);
  assert.equal(t.byId.get('r')!.descendants, 3);
  assert.equal(t.depth, 3);
  assert.equal(t.duration, 100);
});

test('deep traces do not exhaust the stack', () => {
  const rows: Row[] = Array.from({ length: 20_000 }, (_, i) => [`s${i}`, i ? `s${i - 1}` : null, i, 40_000 - 2 * i]);
  const t = buildTrace(make(rows));
  assert.equal(t.spans.length, 20_000);
  assert.equal(t.depth, 20_000);
  assert.ok(criticalPath(t).length >= 20_000);
});

test('critical path', () => {
  const cases: [Row[], [string, number, number][]][] = [
    [[['r', null, 0, 100]], [['r', 0, 100]]],
    [[['r', null, 0, 100], ['a', 'r', 10, 30], ['b', 'r', 50, 40]], [['r', 0, 10], ['a', 10, 40], ['r', 40, 50], ['b', 50, 90], ['r', 90, 100]]],
    [[['r', null, 0, 100], ['a', 'r', 10, 60], ['b', 'r', 20, 80]], [['r', 0, 10], ['a', 10, 20], ['b', 20, 100]]],
    [[['r', null, 0, 50], ['late', 'r', 40, 100]], [['r', 0, 40], ['late', 40, 50]]],
  ];
  for (const [rows, want] of cases) {
    // The root alone decides: a child that outlives it counts only within.
    const t = buildTrace(make(rows));
    const root = t.byId.get('r')!;
    const got = criticalPath({ ...t, roots: [root] }).map((s) => [s.span.id, s.from, s.to]);
    assert.deepEqual(got, want);
  }
});

test('summary and comparison', () => {
  const a = make([['r', null, 0, 100], ['e1', 'r', 10, 20, 'b']]);
  const b = make([['r', null, 0, 150], ['e1', 'r', 10, 90, 'b']]);
  const s = summarize(a);
  assert.deepEqual([s.rootService, s.rootName, s.spans, s.errors, s.duration], ['a', 'op r', 2, 1, 100]);
  assert.deepEqual(compareTraces(buildTrace(a), buildTrace(b)).map((r) => [r.service, r.name, r.aUs, r.bUs]), [['b', 'op e1', 20, 90], ['a', 'op r', 100, 150]]);
});

test('tags', () => {
  assert.deepEqual(parseTags('error=true http.route="/a b"'), { error: 'true', 'http.route': '/a b' });
  assert.deepEqual(parseTags('{"a":1}'), { a: '1' });
  assert.deepEqual(parseTags(''), {});
  assert.equal(parseTags('error'), null);
  assert.equal(parseTags('{a'), null);
});
