// Remote write out: to Prometheus, to Meerkat by both versions; outages, kill -9, refusals, relabelling, reload.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, it } from "node:test";
import { Prometheus, prometheusVersion } from "./lib/promserver";
import { eventually, freeOffset, Server } from "./lib/server";

const skip = prometheusVersion() ? false : "prometheus is not installed";
const dir = mkdtempSync(join(tmpdir(), "meerkat-remote-"));
const queue = "queue_config: {batch_send_deadline: 100ms, min_backoff: 50ms, max_backoff: 200ms}";
let sender: Server, one: Server, two: Server, prometheus: Prometheus | undefined;
let picky: HttpServer, pickyPort: number;
let twoOffset: number, refuse = 0;
const seen: { status: number; headers: Record<string, any> }[] = [];

const config = (extra = "") => `global: {external_labels: {site: a}}
remote_write:
${skip ? "" : `- {url: "${prometheus!.url("/api/v1/write")}", name: prom, ${queue}, write_relabel_configs: [{source_labels: [__name__], regex: t_.*, action: keep}]}\n`}
- url: ${one.url("prometheus", "/api/v1/write")}
  name: one
  send_exemplars: true
  send_native_histograms: true
  ${queue}
  write_relabel_configs:
  - {source_labels: [secret], regex: .+, action: drop}
  - {source_labels: [__name__], regex: t_.*, action: keep}
  - {regex: noise, action: labeldrop}
- url: http://127.0.0.1:${9090 + twoOffset}/api/v1/write
  name: two
  protobuf_message: io.prometheus.write.v2.Request
  send_exemplars: true
  send_native_histograms: true
  ${queue}
  write_relabel_configs: [{source_labels: [__name__], regex: t_.*, action: keep}]
- url: http://127.0.0.1:${pickyPort}/write
  name: picky
  headers: {X-Tenant: acme}
  ${queue}
  write_relabel_configs: [{source_labels: [__name__], regex: t_picky, action: keep}]
${extra}`;

before(async () => {
  picky = createServer((req, res) => {
    req.resume().on("end", () => {
      const status = refuse;
      seen.push({ status: status || 204, headers: req.headers });
      if (status === 429) res.setHeader("Retry-After", "1");
      res.statusCode = status || 204;
      res.end();
    });
  });
  await new Promise<void>((resolve) => picky.listen(0, "127.0.0.1", resolve));
  pickyPort = (picky.address() as AddressInfo).port;
  twoOffset = await freeOffset();
  [one, two, prometheus] = await Promise.all([ Server.start(), startTwo(), skip ? undefined : Prometheus.start() ]);
  writeFileSync(join(dir, "prometheus.yml"), config());
  sender = await start();
});
after(async () => {
  picky?.close();
  await Promise.all([sender?.stop(), one?.stop(), two?.stop(), prometheus?.stop()]);
  rmSync(dir, { recursive: true, force: true });
});

const startTwo = () =>
    Server.start({offset : twoOffset, dataDir : join(dir, "two"), args : [ "--query.use-start-timestamps" ]});
const start = () => Server.start({ args: ["--prometheus.config", join(dir, "prometheus.yml"), "--web.enable-lifecycle"], dataDir: join(dir, "data") });

/** One gauge per series, by OTLP/JSON. */
async function send(name: string, points: { value: number; time: number; labels?: Record<string, string> }[]) {
  const dataPoints = points.map((p) => ({ asDouble: p.value, timeUnixNano: `${p.time}000000`, attributes: Object.entries(p.labels ?? {}).map(([key, value]) => ({ key, value: { stringValue: value } })) }));
  const body = JSON.stringify({ resourceMetrics: [{ scopeMetrics: [{ metrics: [{ name, description: `help of ${name}`, gauge: { dataPoints } }] }] }] });
  const answer = await fetch(sender.url("http", "/v1/metrics"), { method: "POST", headers: { "Content-Type": "application/json" }, body });
  assert.equal(answer.status, 200, await answer.text());
}

const ask = async (url: string) => (await (await fetch(url)).json()).data?.result ?? [];
const query = (base: string, q: string) => ask(`${base}/api/v1/query?query=${encodeURIComponent(q)}`);
const bases = () => [sender.url("prometheus"), one.url("prometheus"), `http://127.0.0.1:${9090 + twoOffset}`, ...(prometheus ? [prometheus.url("")] : [])];
const samples = async (base: string, selector: string) => (await query(base, `${selector}[1h]`)).flatMap((r: any) => r.values.map((v: any) => `${r.metric.n ?? ""}@${v[0]}=${v[1]}`)).sort();

async function same(selector: string, ...skipBases: string[]) {
  const want = await samples(sender.url("prometheus"), selector);
  assert.ok(want.length > 0);
  for (const base of bases().slice(1)) {
    if (skipBases.includes(base)) continue;
    await eventually(`${base} has all of ${selector}`, async () => {
      const got = await samples(base, selector);
      if (got.length < want.length) return false;
      assert.deepEqual(got, want);
      return true;
    });
  }
  return want.length;
}
const now = () => Date.now();

it("passes start timestamps on by version 2; queries go by them only where that is asked for", async () => {
    const now = Math.floor(Date.now() / 60_000) * 60_000, began = now - 30_000;
    const point = {timeUnixNano : `${now}000000`, startTimeUnixNano : `${began}000000`};
    const metrics = [
        {
            name : "t_begun",
            sum : {isMonotonic : true, aggregationTemporality : 2, dataPoints : [ {...point, asDouble : 9} ]}
        },
        {
            name : "t_begun_native",
            exponentialHistogram : {
                aggregationTemporality : 2,
                dataPoints : [ {...point, count : "4", sum : 2, scale : 0, zeroCount : "4"} ]
            }
        },
    ];
    const answer = await fetch(sender.url("http", "/v1/metrics"), {
        method : "POST",
        headers : {"Content-Type" : "application/json"},
        body : JSON.stringify({resourceMetrics : [ {scopeMetrics : [ {metrics} ]} ]})
    });
    assert.equal(answer.status, 200, await answer.text());
    const at = (base: string, q: string) =>
        ask(`${base}/api/v1/query?time=${now / 1000}&query=${encodeURIComponent(q)}`);
    const value = async (base: string, q: string) => (await at(base, q))[0]?.value[1];
    const there = `http://127.0.0.1:${9090 + twoOffset}`;
    await eventually("the second server has them", async () => (await value(there, "t_begun_total")) === "9" &&
                                                               (await value(there, "count(t_begun_native)")) === "1");
    assert.equal(await value(there, "start_timestamp(t_begun_total)"), String(began / 1000));
    assert.equal(await value(there, "start_timestamp(t_begun_native)"), String(began / 1000));
    assert.equal(await value(there, "increase(t_begun_total[5m])"), "9");
    assert.equal(await value(there, "histogram_count(increase(t_begun_native[5m]))"), "4");
    for (const q of ["start_timestamp(t_begun_total)", "increase(t_begun_total[5m])"])
        assert.deepEqual(await at(sender.url("prometheus"), q), []);
});

it("sends what comes to Prometheus and to Meerkat by both versions, with external labels", async () => {
  const t = now() - 60_000;
  for (let i = 0; i < 20; i++) await send("t_gauge", Array.from({ length: 5 }, (_, n) => ({ value: i * n + 0.1, time: t + i * 1000, labels: { n: String(n), noise: "x" } })));
  assert.equal(await same('t_gauge'), 100);
  for (const base of bases().slice(1)) assert.equal((await query(base, 't_gauge{site="a"}')).length, 5, base);
  assert.equal((await query(one.url("prometheus"), 't_gauge{noise="x"}')).length, 0, "labeldrop");
  const metadata = await (await fetch(`${bases()[2]}/api/v1/metadata?metric=t_gauge`)).json();
  assert.equal(metadata.data.t_gauge?.[0]?.type, "gauge");
});

it("sends native histograms and exemplars by both versions", async () => {
  const t = now();
  const point = { timeUnixNano: `${t}000000`, count: "11", sum: 40.5, scale: 2, zeroCount: "1", positive: { offset: -1, bucketCounts: ["2", "0", "8"] }, attributes: [],
    exemplars: [{ timeUnixNano: `${t}000000`, asDouble: 1.5, traceId: "0af7651916cd43dd8448eb211c80319c", spanId: "b7ad6b7169203331" }] };
  const body = JSON.stringify({ resourceMetrics: [{ scopeMetrics: [{ metrics: [{ name: "t_latency", exponentialHistogram: { aggregationTemporality: 2, dataPoints: [point] } }] }] }] });
  assert.equal((await fetch(sender.url("http", "/v1/metrics"), { method: "POST", headers: { "Content-Type": "application/json" }, body })).status, 200);
  const histogram = async (base: string) => (await query(base, "t_latency"))[0]?.histogram?.[1];
  const exemplars = async (base: string) => (await (await fetch(`${base}/api/v1/query_exemplars?query=t_latency&start=${t / 1000 - 60}&end=${t / 1000 + 60}`)).json()).data?.[0]?.exemplars;
  const want = await histogram(bases()[0]!);
  assert.equal(want.count, "11");
  for (const base of bases().slice(1, 3)) {
    await eventually(`${base} has it`, async () => (await histogram(base)) !== undefined);
    assert.deepEqual(await histogram(base), want);
    assert.deepEqual(await exemplars(base), await exemplars(bases()[0]!));
  }
  assert.equal((await exemplars(bases()[0]!)).length, 1);
});

it("drops what relabelling drops, and counts it", async () => {
  await send("t_secret", [{ value: 1, time: now(), labels: { n: "1" } }, { value: 2, time: now(), labels: { n: "2", secret: "yes" } }]);
  await eventually("the public one came", async () => (await query(one.url("prometheus"), "t_secret")).length === 1);
  const metrics = await (await fetch(sender.url("prometheus", "/metrics"))).text();
  assert.match(metrics, /prometheus_remote_storage_samples_dropped_total\{reason="dropped_series",remote_name="one",url="[^"]+"\} [1-9]/);
  assert.match(metrics, /prometheus_remote_storage_samples_total\{remote_name="two",url="[^"]+"\} [1-9]/);
});

it("loses and doubles nothing when a receiver is away and the sender is killed", async () => {
  await two.stop();
  const t = now() - 30_000;
  for (let i = 0; i < 30; i++) await send("t_outage", [{ value: i, time: t + i * 500, labels: { n: "0" } }]);
  await sender.kill9();
  sender = await start();
  for (let i = 30; i < 40; i++) await send("t_outage", [{ value: i, time: t + i * 500, labels: { n: "0" } }]);
  await sender.kill9();
  sender = await start();
  await same("t_outage", `http://127.0.0.1:${9090 + twoOffset}`);
  two = await startTwo();
  assert.equal(await same("t_outage"), 40);
});

it("repeats after 503 and 429, drops one request after 400, and goes on", async () => {
  const upTo = async (status: number) => {
    refuse = status;
    const from = seen.length;
    await send("t_picky", [{ value: status, time: now() }]);
    await eventually(`the receiver was asked, answered ${status}`, async () => seen.slice(from).some((s) => s.status === status));
    return from;
  };
  let from = await upTo(503);
  refuse = 0;
  await eventually("it came in the end", async () => seen.slice(from).some((s) => s.status === 204 && s.headers["retry-attempt"]));
  assert.equal(seen.at(-1)!.headers["x-tenant"], "acme");
  assert.equal(seen.at(-1)!.headers["content-encoding"], "snappy");
  assert.equal(seen.at(-1)!.headers["x-prometheus-remote-write-version"], "0.1.0");
  from = await upTo(429);
  refuse = 0;
  await eventually("it came in the end", async () => seen.slice(from).some((s) => s.status === 204 && s.headers["retry-attempt"]));
  await upTo(400);
  const failed = 'prometheus_remote_storage_samples_failed_total\\{remote_name="picky",url="[^"]+"\\} 1\n';
  await eventually("the refused sample is counted", async () => new RegExp(failed).test(await (await fetch(sender.url("prometheus", "/metrics"))).text()));
  refuse = 0;
  from = seen.length;
  await send("t_picky", [{ value: 1, time: now() }]);
  await eventually("the next one comes", async () => seen.slice(from).some((s) => s.status === 204));
});

it("takes endpoints away and adds them at a reload; the others go on", async () => {
  const removed = config().replace(/- url: http:\/\/127\.0\.0\.1:\d+\/write[^]*$/, "");
  writeFileSync(join(dir, "prometheus.yml"), removed);
  assert.equal((await fetch(sender.url("prometheus", "/-/reload"), { method: "POST" })).status, 200);
  const count = seen.length;
  await send("t_picky", [{ value: 7, time: now() }]);
  await same("t_picky");
  assert.equal(seen.length, count);
  const metrics = await (await fetch(sender.url("prometheus", "/metrics"))).text();
  assert.doesNotMatch(metrics, /remote_name="picky"/);
});
