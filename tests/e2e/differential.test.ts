// The same data in Debian's Prometheus and in Meerkat, the same questions to both: the answers are equal.
// Prometheus 3, whose answers Meerkat gives, says some things otherwise than the 2.42 at hand. The data keep out of the
// way of most of it (samples at odd milliseconds: it does not matter whether a window holds its left end; counters far
// from zero); the rest is listed with its reason, Meerkat's answer is checked, and that the other one's is different.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, it } from "node:test";
import { isDeepStrictEqual } from "node:util";
import { answerDiffers, ask, remarksDiffer, type Answer } from "./lib/compare";
import { fleet, MINUTES, remoteRead, remoteWrite } from "./lib/promdata";
import { byHand, generated, known, randomQueries, wrong } from "./lib/promqueries";
import { grafana, knownRequests, rightRequests, wrongRequests } from "./lib/promrequests";
import { Prometheus, prometheusVersion } from "./lib/promserver";
import { eventually, Server } from "./lib/server";

const version = prometheusVersion();
const skip = version ? false : "prometheus is not installed";
const base = Math.floor(Date.now() / 600_000) * 600_000 - 100 * 60_000;
// Even milliseconds off every grid of the data and of the subqueries.
const at = (minutes: number) => String((base + minutes * 60_000 + 11_250) / 1000);
// More of the random ones, by hand: DIFFERENTIAL_SEED=7 DIFFERENTIAL_QUERIES=5000 tests/e2e/run differential
const modern = !!version && Number(version.split(".")[0]) >= 3; // then there are no differences by design
const random = randomQueries(Number(process.env.DIFFERENTIAL_QUERIES ?? 400), Number(process.env.DIFFERENTIAL_SEED ?? 1), modern);
const dir = mkdtempSync(join(tmpdir(), "meerkat-differential-")), config = join(dir, "prometheus.yml");
let server: Server, prometheus: Prometheus, target: HttpServer;

const exposition = `# HELP shared_total What both count, with \\"quotes\\" and a \\\\ in it.
# TYPE shared_total counter
shared_total{code="200",path="a\\\\b\\"c\\nd"} 1234567.891
shared_total{code="500"} 1e-7
# HELP shared_gauge
# TYPE shared_gauge gauge
shared_gauge NaN
shared_gauge{kind="inf"} +Inf
shared_gauge{kind="big"} 1.7976931348623157e+308
shared_gauge{kind="exact"} 123456789012
shared_gauge{kind="exponent"} 2.5e+21
# HELP shared_seconds How long.
# TYPE shared_seconds histogram
shared_seconds_bucket{le="0.1"} 1
shared_seconds_bucket{le="+Inf"} 3
shared_seconds_sum 4.5
shared_seconds_count 3
# TYPE shared_quantiles summary
shared_quantiles{quantile="0.5"} 0.25
shared_quantiles_sum 2
shared_quantiles_count 4
shared_untyped{} 7
`;

const startServer = () => Server.start({ args: ["--prometheus.config", config, "--rules.watchdog", "off"], dataDir: join(dir, "data") });

before(async () => {
  if (skip) return;
  writeFileSync(config, "global: {scrape_interval: 1s}\n");
  [prometheus, server] = await Promise.all([Prometheus.start(), startServer()]);
  const data = fleet(base);
  await Promise.all([remoteWrite(prometheus.url("/api/v1/write"), data), remoteWrite(server.url("prometheus", "/api/v1/write"), data)]);
  target = createServer((_, response) => response.setHeader("Content-Type", "text/plain; version=0.0.4").end(exposition));
  await new Promise<void>((resolve) => target.listen(0, "127.0.0.1", resolve));
});
after(async () => {
  target?.close();
  await prometheus?.stop();
  await server?.stop();
  rmSync(dir, { recursive: true, force: true });
});

const both = (path: string, init?: RequestInit): Promise<[Answer, Answer]> =>
  Promise.all([ask(prometheus.url(path), init), ask(server.url("prometheus", path), init)]);
const params = (object: Record<string, string>) => new URLSearchParams(object).toString();
const fill = (text: string) => text.replaceAll("%T", at(33)).replaceAll("%A", at(0)).replaceAll("%B", at(MINUTES + 1));

const tally = { compared: 0, equal: 0, sameBytes: 0 };

async function compareAll(list: readonly string[], run: (text: string) => Promise<string | undefined>) {
  const failures: string[] = [], queue = list.map(fill);
  await Promise.all(Array.from({ length: 4 }, async () => {
    for (let q = queue.shift(); q !== undefined; q = queue.shift()) {
      const difference = await run(q);
      if (difference) failures.push(`${q}\n      ${difference}`);
    }
  }));
  if (failures.length) assert.fail(`${failures.length} of ${list.length} differ:\n  ${failures.join("\n  ")}`);
}

function judge([theirs, ours]: [Answer, Answer], ordered = false): string | undefined {
  const difference = answerDiffers(theirs, ours, ordered) ?? (modern && theirs.status === 200 ? remarksDiffer(theirs, ours) : undefined);
  tally.compared++;
  if (!difference) tally.equal++;
  if (theirs.text === ours.text) tally.sameBytes++;
  return difference;
}

const instant = async (query: string, minutes: number) =>
  judge(await both(`/api/v1/query?${params({ query, time: at(minutes) })}`), /^\s*(sort|sort_desc|topk|bottomk)\b/.test(query));

async function range(query: string, step: string) {
  const [theirs, ours] = await both(`/api/v1/query_range?${params({ query, start: at(2), end: at(MINUTES + 6), step })}`);
  // 2.42 names the parameter in errors of instant queries only; 3.x in both.
  if (!modern && ours.json?.error) ours.json.error = ours.json.error.replace(/^invalid parameter "query": /, "");
  return judge([theirs, ours]);
}

for (const [name, queries] of [["hand-written", byHand], ["generated", generated()], ["random", random]] as const) {
  it(`${name} instant queries (${queries.length})`, { skip }, () => compareAll(queries, async (q) => (await instant(q, 47)) ?? (await instant(q, 6.5))));
  it(`${name} range queries (${queries.length})`, { skip }, () => compareAll(queries, (q) => range(q, "73.5")));
}
const texts = [...byHand, ...random, ...wrong], form = (query: string) => ({ method: "POST", body: new URLSearchParams({ query }) });
for (const path of ["format_query", "parse_query"]) // 2.42 prints numbers otherwise and gives no tree
  it(`${path} (${texts.length})`, { skip: skip || !modern }, () => compareAll(texts, async (text) => {
    const [theirs, ours] = await both(`/api/v1/${path}`, form(text));
    return theirs.status === ours.status && isDeepStrictEqual(theirs.json, ours.json) ? undefined : `theirs ${theirs.text.slice(0, 600)}\n      ours ${ours.text.slice(0, 600)}`;
  }));
it(`wrong queries (${wrong.length})`, { skip }, () => compareAll(wrong, (q) => instant(q, 47)));
it(`queries that Prometheus 3 answers otherwise (${known.length})`, { skip: skip || modern }, async () => {
  for (const [query, expected] of known) {
    const [theirs, ours] = await both(`/api/v1/query?${params({ query: fill(query), time: at(47) })}`);
    assert.ok(ours.text.includes(expected), `${query}: ${ours.text}`);
    assert.ok(answerDiffers(theirs, ours), `${query}: no difference any more`);
  }
});

const sameJson = ([theirs, ours]: [Answer, Answer]): string | undefined => {
  if (theirs.json?.data?.resultType || theirs.json?.status === "error") return judge([theirs, ours]);
  const same = theirs.status === ours.status && JSON.stringify(theirs.json?.data) === JSON.stringify(ours.json?.data);
  tally.compared++;
  tally.equal += Number(same);
  tally.sameBytes += Number(theirs.text === ours.text);
  return same ? undefined : `theirs ${theirs.status} ${theirs.text.slice(0, 500)}\n      ours ${ours.status} ${ours.text.slice(0, 500)}`;
};
it(`wrong parameters (${wrongRequests.length})`, { skip }, () => compareAll(wrongRequests, async (path) => judge(await both(`/api/v1/${path}`))));
it(`listings and parameters (${rightRequests.length})`, { skip }, () => compareAll(rightRequests, async (path) => sameJson(await both(`/api/v1/${path}`))));
it(`requests that Prometheus 3 answers otherwise (${knownRequests.length})`, { skip: skip || modern }, async () => {
  for (const [path, expected] of knownRequests) {
    const [theirs, ours] = await both(`/api/v1/${path}`);
    assert.ok(ours.text.includes(expected), `${path}: ${ours.text}`);
    assert.notEqual(theirs.text, ours.text, `${path}: no difference any more`);
  }
});

it("what Grafana asks", { skip }, async () => {
  for (const [path, form] of grafana(at(5), at(65))) {
    const init = form && { method: "POST", body: new URLSearchParams(form), headers: { "X-Grafana-Org-Id": "1", "Accept-Encoding": "gzip" } };
    assert.equal(sameJson(await both(path, init)), undefined, path);
  }
  const [theirs, ours] = await both("/api/v1/status/buildinfo");
  assert.deepEqual(Object.keys(ours.json.data).sort(), Object.keys(theirs.json.data).sort());
  assert.match(ours.json.data.version, /^3\.\d+\.\d+/);
  assert.deepEqual((await ask(server.url("prometheus", "/api/v1/notifications"))).json, { status: "success", data: [] });
});

it("status and health have the same shape", { skip }, async () => {
  for (const path of ["/-/healthy", "/-/ready"]) {
    const [theirs, ours] = await both(path);
    assert.deepEqual([ours.status, ours.text], [theirs.status, theirs.text.replace(/Prometheus Server is (\w+)\.\n?/, "Prometheus Server is $1.\n")]);
  }
  for (const path of ["runtimeinfo", "flags", "config", "tsdb", "walreplay"]) {
    const [theirs, ours] = await both(`/api/v1/status/${path}`);
    assert.equal(ours.status, 200, path);
    if (path === "flags") continue;
    const missing = Object.keys(theirs.json.data).filter((key) => !(key in ours.json.data));
    assert.deepEqual(missing, [], path);
  }
});

it("remote read gives the same message", { skip }, async () => {
  const cases: [number, number, [number, string, string][]][] = [
    [base, base + 60_000, [[0, "__name__", "up"]]],
    [base + 600_000, base + 1_500_000, [[2, "__name__", "http_requests_total|flapping"], [1, "job", "db"]]],
    [base, base + MINUTES * 60_000, [[0, "__name__", "odd"], [3, "kind", "negzero"]]],
    [base, base + 60_000, [[0, "__name__", "nothing"]]],
    [base + 60_001, base + 90_001, [[2, "instance", "[ab].*"], [2, "__name__", "(http|latency|temp).*|up"]]],
  ];
  for (const [from, to, matchers] of cases) {
    const theirs = await remoteRead(prometheus.url("/api/v1/read"), from, to, matchers), ours = await remoteRead(server.url("prometheus", "/api/v1/read"), from, to, matchers);
    assert.deepEqual([ours.status, ours.type, ours.encoding], [theirs.status, theirs.type, theirs.encoding]);
    assert.ok(ours.body.equals(theirs.body), `${JSON.stringify(matchers)}: ${ours.body.length} and ${theirs.body.length} bytes`);
  }
  const theirs = await fetch(prometheus.url("/api/v1/read"), { method: "POST", body: "no snappy" }), ours = await fetch(server.url("prometheus", "/api/v1/read"), { method: "POST", body: "no snappy" });
  assert.equal(ours.status, theirs.status);
});

it("a Prometheus without data reads Meerkat's", { skip }, async () => {
  const reader = await Prometheus.start(`remote_read: [{url: "${server.url("prometheus", "/api/v1/read")}", read_recent: true}]\n`);
  try {
    for (const query of ["sum by (job) (rate(http_requests_total[5m]))", "topk(3, temperature_celsius)", "count({job='db'})", "odd"]) {
      const path = `/api/v1/query?${params({ query, time: at(47) })}`;
      assert.equal(judge([await ask(reader.url(path)), await ask(server.url("prometheus", path))]), undefined, query);
    }
  } finally {
    await reader.stop();
  }
});

it("after a restart, from disk: the hand-written ones again", { skip }, async () => {
  await server.stop();
  server = await startServer();
  await compareAll(byHand, (q) => range(q, "73.5"));
  await compareAll(rightRequests, async (path) => sameJson(await both(`/api/v1/${path}`)));
});

it("a target that both scrape: metadata, targets, federation", { skip }, async () => {
  const { port } = target.address() as AddressInfo;
  const text = `global: {scrape_interval: 1s}\nscrape_configs:\n  - job_name: shared\n    static_configs: [{targets: ["127.0.0.1:${port}"], labels: {env: test}}]\n`;
  writeFileSync(config, text);
  server.child.kill("SIGHUP");
  await prometheus.reload(text);
  const up = params({ query: 'up{job="shared"} == 1' });
  await eventually("both scraped", async () => (await both(`/api/v1/query?${up}`)).every((a) => a.json.data.result.length === 1));
  const sorted = (list: any[]) => list.map((x) => JSON.stringify(x)).sort();
  for (const path of ["metadata?metric=shared_total", "metadata?metric=shared_gauge", "metadata?metric=shared_seconds", "metadata?metric=nothing", "metadata?metric=shared_quantiles&limit=1", "metadata?limit=0",
    "label/code/values?match[]={job='shared',__name__=~'shared.*'}", "series?match[]={job='shared',__name__=~'shared.*',__name__!~'.*bucket|.*quantiles'}"])
    assert.equal(sameJson(await both(`/api/v1/${path}`)), undefined, path);
  const families = params({ match_target: '{job="shared"}' });
  for (const path of [families, `${families}&metric=shared_total`, `${families}&metric=nothing`, params({ match_target: '{job="other"}' }), "limit=0"]) {
    const [theirs, ours] = await both(`/api/v1/targets/metadata?${path}`);
    assert.deepEqual(sorted(ours.json.data), sorted(theirs.json.data), path);
  }
  const [theirs, ours] = (await both("/api/v1/targets?state=active")).map((a) => a.json.data.activeTargets.find((t: any) => t.scrapePool === "shared"));
  assert.deepEqual(Object.keys(ours).filter((key) => !(key in theirs)), []);
  // 3.x has labels for the handling of histograms among the discovered ones.
  for (const name of Object.keys(ours.discoveredLabels)) if (/histograms/.test(name)) delete ours.discoveredLabels[name];
  for (const key of ["labels", "discoveredLabels", "scrapeUrl", "health", "lastError", "scrapeInterval", "scrapePool"])
    assert.deepEqual(key === "discoveredLabels" ? { ...theirs[key], ...ours[key] } : ours[key], theirs[key], key);
  const select = params({ "match[]": '{job="shared",__name__=~"shared.*|up"}' });
  const texts = (await both(`/federate?${select}`)).map((a) => a.text.replace(/ \d{13}$/gm, " T"));
  assert.equal(texts[1].replaceAll('quantile="0.50"', 'quantile="0.5"'), texts[0]);
  const [bad1, bad2] = await both("/federate?match[]=up%7B");
  assert.deepEqual([bad2.status, bad2.text], [bad1.status, bad1.text]);
});

it("figures", { skip }, (t) => t.diagnostic(JSON.stringify({ prometheus: version, ...tally, listed: known.length + knownRequests.length })));
