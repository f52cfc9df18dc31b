// Prometheus' HTTP API beyond queries: everything that only shows over the wire.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, it } from "node:test";
import { crc32c, remoteWrite, snappy, writeBody, unsnappy } from "./lib/promdata";
import { eventually, Server } from "./lib/server";

const dir = mkdtempSync(join(tmpdir(), "meerkat-promapi-")), config = join(dir, "prometheus.yml");
const now = Math.floor(Date.now() / 1000) * 1000;
let server: Server, target: HttpServer, targetPort = 0;

const yml = (extra = "") => `global: {scrape_interval: 1s, evaluation_interval: 30s, external_labels: {region: eu}}
scrape_configs:
  - job_name: app
    static_configs: [{targets: ["127.0.0.1:${targetPort}"], labels: {team: a}}]
    relabel_configs:
      - {source_labels: [__address__], regex: '(.*):.*', target_label: host}
      - {source_labels: [team], regex: b, action: drop}
${extra}`;
const url = (path: string) => server.url("prometheus", path);
const get = async (path: string, init?: RequestInit) => {
  const r = await fetch(url(path), init);
  const text = await r.text();
  return { status: r.status, type: r.headers.get("content-type"), headers: r.headers, text, json: (() => { try { return JSON.parse(text); } catch { return undefined; } })() };
};

before(async () => {
  target = createServer((_, response) => response.setHeader("Content-Type", "text/plain; version=0.0.4")
    .end("# HELP app_requests_total Requests.\n# TYPE app_requests_total counter\napp_requests_total 5\n"));
  await new Promise<void>((resolve) => target.listen(0, "127.0.0.1", resolve));
  targetPort = (target.address() as AddressInfo).port;
  writeFileSync(config, yml());
  server = await Server.start({ args: ["--prometheus.config", config, "--web.enable-lifecycle", "--web.enable-admin-api",
    "--storage.metrics.max-series-per-metric", "50", "--query.slow-threshold", "1ms"] });
  const samples = (v: number) => Array.from({ length: 600 }, (_, i) => ({ t: now - (600 - i) * 100, v: v + i }));
  await remoteWrite(url("/api/v1/write"), [
    { labels: { __name__: "written", job: "w" }, samples: samples(0) },
    { labels: { __name__: "written", job: "w2", "with.dot": "x<y>&z" }, samples: samples(1e9) }]);
});
after(async () => { target?.close(); await server?.stop(); rmSync(dir, { recursive: true, force: true }); });

it("compresses by what the client likes best", async () => {
  for (const [accept, got] of [["gzip", "gzip"], ["deflate", "deflate"], ["gzip;q=0.5, deflate", "deflate"], ["gzip;q=0", null], ["br", null], ["zstd", "zstd"]] as const) {
    const r = await fetch(url("/api/v1/features"), { headers: { "Accept-Encoding": accept } });
    assert.equal(r.headers.get("content-encoding"), got, accept);
    await r.arrayBuffer();
  }
});

it("answers browsers of other origins", async () => {
  const r = await get("/api/v1/query?query=1", { headers: { Origin: "http://elsewhere" } });
  assert.equal(r.headers.get("access-control-allow-origin"), "*");
  assert.equal(r.headers.get("access-control-allow-headers"), "Accept, Authorization, Content-Type, Origin");
  assert.match(r.headers.get("vary")!, /Origin/);
  assert.equal((await get("/api/v1/query", { method: "OPTIONS", headers: { Origin: "http://elsewhere" } })).status, 204);
});

it("takes long queries by POST and by GET", async () => {
  const query = Array.from({ length: 1500 }, (_, i) => `${i}`).join("+");
  const posted = await get("/api/v1/query", { method: "POST", body: new URLSearchParams({ query, time: "1" }) });
  assert.equal(posted.json.data.result[1], "1124250");
  const asked = await get(`/api/v1/query?time=1&query=${encodeURIComponent(query)}`);
  assert.equal(asked.text, posted.text);
});

it("finds names as one types", async () => {
  const r = await get(`/api/v1/search/metric_names?search[]=wrtn&sort_by=score&include_score=true&start=${(now - 60_000) / 1000}`);
  assert.equal(r.type, "application/x-ndjson; charset=utf-8");
  const lines = r.text.trim().split("\n").map((l) => JSON.parse(l));
  assert.equal(lines[0].results[0].name, "written");
  assert.ok(lines[0].results[0].score > 0.2 && lines[0].results[0].score < 1);
  assert.deepEqual(lines.at(-1), { status: "success", has_more: false });
});

it("shows what relabelling does", async () => {
  const labels = encodeURIComponent(JSON.stringify({ __address__: "h:1", team: "b" }));
  const { json } = await get(`/api/v1/targets/relabel_steps?scrapePool=app&labels=${labels}`);
  assert.deepEqual(json.data.steps.map((s: any) => [s.keep, s.output.host]), [[true, "h"], [false, undefined]]);
  assert.equal(json.data.steps[1].rule.action, "drop");
  assert.match((await get("/api/v1/scrape_pools/config?scrapePool=app")).json.data.yaml, /^job_name: app\n/);
});

it("reloads on request, says when that failed, and tells listeners", async () => {
  const events: string[] = [];
  const live = await fetch(url("/api/v1/notifications/live"));
  assert.match(live.headers.get("content-type")!, /^text\/event-stream/);
  const reader = live.body!.getReader();
  const reading = (async () => { for (;;) { const { value, done } = await reader.read(); if (done) return; events.push(Buffer.from(value).toString()); } })().catch(() => {});
  assert.equal((await get("/-/reload")).status, 405);
  assert.equal((await get("/-/reload", { method: "POST" })).status, 200);
  writeFileSync(config, yml("no_such_key: 1\n"));
  const failed = await get("/-/reload", { method: "PUT" });
  assert.equal(failed.status, 500);
  assert.match(failed.text, /^failed to reload config: /);
  assert.equal((await get("/api/v1/status/runtimeinfo")).json.data.reloadConfigSuccess, false);
  assert.equal((await get("/api/v1/notifications")).json.data[0].text, "Configuration reload has failed.");
  await eventually("the event", async () => events.join("").includes('"active":true'));
  writeFileSync(config, yml());
  assert.equal((await get("/-/reload", { method: "POST" })).status, 200);
  await eventually("its end", async () => events.join("").includes('"active":false'));
  assert.deepEqual((await get("/api/v1/notifications")).json.data, []);
  await reader.cancel();
  await reading;
});

it("federates with external labels, in text and protobuf", async () => {
  const path = `/federate?match[]=${encodeURIComponent('app_requests_total')}&match[]=${encodeURIComponent('{job="w2"}')}`;
  await eventually("a scrape", async () => (await get(path)).text.includes("app_requests_total"));
  const { text, type } = await get(path);
  assert.equal(type, "text/plain; version=0.0.4; charset=utf-8; escaping=underscores");
  assert.match(text, new RegExp(`^# TYPE app_requests_total untyped\\napp_requests_total\\{host="127.0.0.1",instance="127.0.0.1:${targetPort}",job="app",team="a",region="eu"\\} 5 \\d+$`, "m"));
  assert.match(text, /^written\{job="w2",with_dot="x<y>&z",instance="",region="eu"\} 1.000000599e\+09 \d+$/m);
  const utf8 = await get(path, { headers: { Accept: "text/plain;version=1.0.0;escaping=allow-utf-8" } });
  assert.match(utf8.text, /written\{job="w2","with.dot"="x<y>&z"/);
  const proto = await get(path, { headers: { Accept: "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited" } });
  assert.match(proto.type!, /^application\/vnd.google.protobuf/);
  assert.match(proto.text, /app_requests_total/);
});

// Content types recorded from Prometheus 3.16 (which has protobuf for /metrics, too).
it("writes names as the scraper asks", async () => {
  const text = (scheme: string) => `text/plain; version=0.0.4; charset=utf-8; escaping=${scheme}`;
  const proto = "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited";
  const cases: [accept: string, type: string, label: string | undefined][] = [
    ["text/plain", text("underscores"), "with_dot"],
    ["text/plain;version=1.0.0;escaping=dots", text("dots"), "with_dot_dot"],
    ["text/plain;version=0.0.4;escaping=values", text("values"), "U__with_2e_dot"],
    ["application/openmetrics-text;version=1.0.0;escaping=allow-utf-8", text("allow-utf-8"), '"with.dot"'],
    ["application/openmetrics-text;escaping=dots;q=0.5,text/plain;q=0.6", text("underscores"), "with_dot"],
    ["text/plain;escaping=bogus", text("underscores"), "with_dot"],
    [`text/plain;q=0.3,${proto};escaping=values;q=0.4`, `${proto.replaceAll(";", "; ")}; escaping=values`, undefined],
  ];
  for (const [accept, type, label] of cases) {
    const federated = await get(`/federate?match[]=${encodeURIComponent('{job="w2"}')}`, { headers: { Accept: accept } });
    assert.equal(federated.type, type, accept);
    if (label) assert.ok(federated.text.includes(`written{job="w2",${label}="x<y>&z"`), `${accept}: ${federated.text}`);
    if (label) assert.equal((await get("/metrics", { headers: { Accept: accept } })).type, type, accept);
  }
});

it("streams chunks to remote readers, and goes no further than they take", async () => {
  const query = Buffer.concat([varint64(1, now - 100_000), varint64(2, now), field(3, Buffer.concat([Buffer.from([0x08, 0]), field(2, "__name__"), field(3, "written")]))]);
  const body = new Uint8Array(snappy(Buffer.concat([field(1, query), Buffer.from([0x10, 1])])));
  const response = await fetch(url("/api/v1/read"), { method: "POST", body, headers: { "Content-Encoding": "snappy", "Content-Type": "application/x-protobuf" } });
  assert.equal(response.headers.get("content-type"), "application/x-streamed-protobuf; proto=prometheus.ChunkedReadResponse");
  let bytes = Buffer.from(await response.arrayBuffer()), frames = 0;
  while (bytes.length) {
    let n = 0, shift = 0, at = 0;
    for (;; shift += 7) { const b = bytes[at++]; n |= (b & 127) << shift; if (b < 128) break; }
    assert.equal(bytes.readUInt32BE(at), crc32c(bytes.subarray(at + 4, at + 4 + n)));
    assert.match(bytes.subarray(at + 4, at + 4 + n).toString("latin1"), /written[^]*region[^]*eu/);
    bytes = bytes.subarray(at + 4 + n);
    frames++;
  }
  assert.equal(frames, 2);
  /* One who asks and does not read, and leaves: the server goes on. */
  const socket = connect(server.port("prometheus"), "127.0.0.1");
  socket.write(`POST /api/v1/read HTTP/1.1\r\nHost: x\r\nContent-Length: ${body.length}\r\n\r\n`);
  socket.write(body);
  await new Promise((resolve) => socket.once("data", resolve));
  socket.destroy();
  assert.equal((await get("/-/ready")).status, 200);
});

// Statuses and texts recorded from Prometheus 3.16.
it("reads remotely by hints, and says what is wrong", async () => {
  const matcher = (type: number, name: string, value: string) => field(3, Buffer.concat([Buffer.from([0x08, type]), field(2, name), field(3, value)]));
  const ask = async (matchers: Buffer[], hints: Buffer = Buffer.alloc(0), types: number[] = []) => {
    const query = Buffer.concat([varint64(1, now - 100_000), varint64(2, now), ...matchers, hints]);
    const body = new Uint8Array(snappy(Buffer.concat([field(1, query), ...types.map((t) => Buffer.from([0x10, t]))])));
    const response = await fetch(url("/api/v1/read"), { method: "POST", body, headers: { "Content-Encoding": "snappy", "Content-Type": "application/x-protobuf" } });
    const bytes = Buffer.from(await response.arrayBuffer());
    return { status: response.status, text: bytes.toString("latin1"), message: response.ok ? unsnappy(bytes) : bytes };
  };
  const written = [matcher(0, "__name__", "written"), matcher(0, "job", "w")];
  const samples = (message: Buffer) => message.toString("latin1").split("\x12").filter((part) => part.includes("\x10")).length;
  const all = samples((await ask(written)).message), hinted = field(4, Buffer.concat([varint64(3, now - 1000), varint64(4, now)]));
  const few = samples((await ask(written, hinted)).message);
  assert.ok(few > 0 && few < all / 10, `${few} of ${all}`);
  const none = await ask(written, field(4, field(2, "series")));
  assert.ok(none.message.includes("written") && none.message.length < 100);
  const wrong: [matchers: Buffer[], types: number[], status: number, text: string][] = [
    [[matcher(2, "a", "((")], [], 500, "error parsing regexp: missing closing ): `((`\n"],
    [[matcher(9, "a", "b")], [], 500, "invalid matcher type\n"],
    [[matcher(2, "a", "((")], [7, 9], 400, "server does not support any of the requested response types: [7 9]; supported: map[SAMPLES:{} STREAMED_XOR_CHUNKS:{}]\n"],
  ];
  for (const [matchers, types, status, text] of wrong) {
    const answer = await ask(matchers, undefined, types);
    assert.deepEqual([answer.status, answer.text], [status, text]);
  }
});

it("says what remote write did", async () => {
  const post = (type: string, encoding: string, body: Uint8Array) => get("/api/v1/write", { method: "POST", body: body as any, headers: { "Content-Type": type, "Content-Encoding": encoding } });
  const v2 = "application/x-protobuf;proto=io.prometheus.write.v2.Request";
  const request = (value: number, symbols = ["", "__name__", "v2_metric"]) => {
    const sample = Buffer.alloc(9);
    sample[0] = 9;
    sample.writeDoubleLE(value, 1);
    return new Uint8Array(snappy(Buffer.concat([...symbols.map((s) => field(4, s)), field(5, Buffer.concat([field(1, Buffer.from([1, 2])), field(2, Buffer.concat([sample, varint64(2, now)]))]))])));
  };
  const good = await post(v2, "snappy", request(1));
  assert.equal(good.status, 204);
  assert.equal(good.headers.get("x-prometheus-remote-write-samples-written"), "1");
  assert.equal(good.headers.get("x-prometheus-remote-write-histograms-written"), "0");
  const conflict = await post(v2, "snappy", request(2));
  assert.equal(conflict.status, 400);
  assert.equal(conflict.headers.get("x-prometheus-remote-write-samples-written"), "0");
  assert.match(conflict.text, /duplicate sample/);
  assert.equal((await post("text/plain", "snappy", request(1))).status, 415);
  assert.equal((await post("application/x-protobuf;proto=x.Y", "snappy", request(1))).status, 415);
  assert.equal((await post(v2, "gzip", request(1))).status, 415);
  assert.equal((await post(v2, "snappy", new Uint8Array([255, 255]))).status, 400);
});

// Answers recorded from Prometheus 3.16 with an out_of_order_time_window.
it("takes two values for one time as Prometheus does", async () => {
  const set = (t: number) => `duplicate sample for timestamp ${t}; overrides not allowed: existing 1, new value 2`;
  const cases: [requests: [number, number][][], answers: (string | undefined)[], kept: string[]][] = [
    [[[[0, 1], [0, 2]]], [undefined], ["1"]],
    [[[[0, 1], [0, 2], [10, 3]]], [undefined], ["1", "3"]],
    [[[[0, 1]], [[0, 2]]], [undefined, set(now)], ["1"]],
    [[[[0, 1]], [[0, 1], [0, 2]]], [undefined, set(now)], ["1"]],
    [[[[0, 1]], [[10, 5], [10, 6]]], [undefined, undefined], ["1", "5"]],
    [[[[10, 1]], [[0, 2]], [[0, 3]]], [undefined, undefined, undefined], ["2", "1"]],
  ];
  for (const [i, [requests, answers, kept]] of cases.entries()) {
    const labels = { __name__: `twice_${i}` };
    for (const [k, samples] of requests.entries()) {
      const body = writeBody([{ labels, samples: samples.map(([t, v]) => ({ t: now + t, v })) }]);
      const response = await get("/api/v1/write", { method: "POST", body: body as any, headers: { "Content-Type": "application/x-protobuf", "Content-Encoding": "snappy" } });
      assert.equal(response.text.trim(), answers[k] ?? "", `case ${i}, request ${k}`);
      assert.equal(response.status, answers[k] ? 400 : 204, `case ${i}, request ${k}`);
    }
    const { json } = await get(`/api/v1/query?query=twice_${i}[1m]&time=${now / 1000 + 1}`);
    assert.deepEqual(json.data.result[0].values.map((x: any) => x[1]), kept, `case ${i}`);
  }
});

// Statuses and texts recorded from Prometheus 3.16; the whole request is refused there, too.
it("takes OTLP as Prometheus does, by its section otlp", async () => {
  const text = (key: string, value: string) => ({ key, value: { stringValue: value } });
  const time = `${now}000000`;
  const send = async (metrics: unknown[], type = "application/json") => {
    const resource = { attributes: [text("service.name", "otlp-svc"), text("k8s.pod", "p1")] };
    const body = JSON.stringify({ resourceMetrics: [{ resource, scopeMetrics: [{ metrics }] }] });
    const { status, text: answer } = await get("/api/v1/otlp/v1/metrics", { method: "POST", body, headers: { "Content-Type": type } });
    return [status, answer];
  };
  const gauge = (name: string, v: number, t = time) => ({ name, gauge: { dataPoints: [{ timeUnixNano: t, asDouble: v }] } });
  const sum = (name: string, aggregationTemporality: number) => ({ name, sum: { aggregationTemporality, dataPoints: [{ timeUnixNano: time, asDouble: 1 }] } });
  const temporality = (name: string) => `invalid temporality and type combination for metric "${name}"\n`;
  const cases: [metrics: unknown[], status: number, text: string][] = [
    [[gauge("otlp.ok", 1)], 200, ""],
    [[gauge("otlp.ok", 1)], 200, ""],
    [[gauge("otlp.ok", 2)], 400, `duplicate sample for timestamp ${now}; overrides not allowed: existing 1, new value 2\n`],
    [[gauge("otlp.lost", 1), sum("a.b", 0), sum("c", 9)], 500, temporality("a.b") + temporality("c")],
    [[{ name: "nothing" }], 500, "could not get aggregation temporality for nothing as it has unsupported metric type Empty\n"],
    [[gauge("...", 1)], 500, 'normalization for metric "..." resulted in empty name\n'],
    [[gauge("otlp.late", 1, "1000000")], 400, "too old sample\ntoo old sample\n"], // of target_info, too
  ];
  for (const [metrics, status, answer] of cases) assert.deepEqual(await send(metrics), [status, answer]);
  assert.deepEqual(await send([], "text/plain"), [400, "unsupported content type: text/plain, supported: [application/json, application/x-protobuf]\n"]);
  assert.equal(await server.promValue("count(otlp_lost) or vector(0)", now / 1000), 0);
  writeFileSync(config, yml("otlp: {promote_resource_attributes: [k8s.pod], translation_strategy: NoTranslation}\n"));
  assert.equal((await get("/-/reload", { method: "POST" })).status, 200);
  assert.deepEqual(await send([gauge("otlp.utf8", 3)]), [200, ""]);
  assert.equal(await server.promValue('{"otlp.utf8", "k8s.pod"="p1", job="otlp-svc"}', now / 1000), 3);
  writeFileSync(config, yml());
  assert.equal((await get("/-/reload", { method: "POST" })).status, 200);
});

it("refuses a bomb of series and names it, and goes on with what it knows", async () => {
  const bomb = Array.from({ length: 80 }, (_, i) => ({ labels: { __name__: "bomb", id: String(i) }, samples: [{ t: now, v: i }] }));
  const response = await get("/api/v1/write", { method: "POST", body: writeBody(bomb) as any, headers: { "Content-Type": "application/x-protobuf", "Content-Encoding": "snappy" } });
  assert.equal(response.status, 400);
  assert.match(response.text, /new series of metric "bomb" refused: its active series have reached 50/);
  assert.equal(await server.promValue("count(bomb)", now / 1000), 50);
  const { json } = await get("/api/meerkat/v1/cardinality?limit=20&label=id");
  const culprit = json.data.refused.find((m: any) => m.metric === "bomb"); // the server's own metrics may meet this low limit, too
  assert.deepEqual([culprit?.attempts, culprit?.limit], [30, "metric"]);
  assert.ok(json.data.metrics.some((m: any) => m.name === "bomb" && m.series === 50 && m.before === 0));
  assert.equal(json.data.limits.seriesPerMetric, 50);
});

it("ends an expensive label_replace at its timeout", async () => {
  let seed = 1;
  const pad = () => Array.from({ length: 16_000 }, () => "abcx"[(seed = (seed * 48271) % 2147483647) % 4]).join("");
  await remoteWrite(url("/api/v1/write"), Array.from({ length: 48 }, (_, i) => ({ labels: { __name__: "padded", i: String(i), pad: pad() }, samples: [{ t: now, v: i }] })));
  const regex = `(a|b|c|x|ab|bc)*((${"a".repeat(20)})|(${"b".repeat(20)})|((a?){200}(b?){200}c))(.*)$`;
  const query = encodeURIComponent(`label_replace(padded, "d", "$1", "pad", "${regex}")`);
  // In the server's time on the processor, which a busy machine does not stretch as it does the clock's. The whole takes 40 s.
  const cpu = async () => Number(/^process_cpu_seconds_total (.*)$/m.exec((await get("/metrics")).text)![1]);
  const begin = await cpu(), answer = await get(`/api/v1/query?query=${query}&time=${now / 1000}&timeout=100ms`);
  assert.deepEqual([answer.status, answer.json.error], [503, "query timed out in expression evaluation"]);
  assert.ok((await cpu()) - begin < 5, `${(await cpu()) - begin} s`);
});

it("lists queries and explains one", async () => {
  const heavy = "sum_over_time(sum(rate(written[1m]))[10m:10ms])"; // 60,000 steps: more than a millisecond anywhere
  await get(`/api/v1/query?query=${encodeURIComponent(heavy)}`);
  const slow = (await get("/api/meerkat/v1/queries/slow")).json.data.queries;
  assert.ok(slow.some((q: any) => q.query === heavy && q.state === "finished"));
  assert.deepEqual((await get("/api/meerkat/v1/queries")).json.data.queries, []);
  assert.equal((await get("/api/meerkat/v1/queries/999999", { method: "DELETE" })).status, 404);
  const plan = (await get(`/api/meerkat/v1/explain?query=${encodeURIComponent("sum(written)")}&time=${now / 1000}`)).json.data;
  assert.equal(plan.resultType, "vector");
  assert.equal((await get("/api/meerkat/v1/explain?query=sum(")).status, 400);
});

it("tells about itself under Prometheus' names, on /metrics and in its own store", async () => {
  const { text } = await get("/metrics");
  for (const name of ["prometheus_tsdb_head_series ", 'prometheus_http_requests_total{code="200",handler="/api/v1/query"} ', "prometheus_config_last_reload_successful 1",
    'prometheus_engine_query_duration_seconds{quantile="0.9",slice="inner_eval"} ', "prometheus_build_info{", "process_cpu_seconds_total ", 'prometheus_http_request_duration_seconds_bucket{handler="/api/v1/query",le="0.1"} '])
    assert.ok(text.includes(`\n${name}`), name);
  const lint = spawnSync("promtool", ["check", "metrics"], { input: text, encoding: "utf8" });
  if (!lint.error) assert.ok(lint.status === 0 || lint.status === 3, lint.stderr);
  await eventually("own metrics kept", async () => (await server.promValue('prometheus_tsdb_head_series{job="meerkat"}')) !== undefined);
  const self = (await get("/api/v1/status/self_metrics?metric_name_pattern=prometheus_tsdb_head_series")).json.data;
  assert.equal(self[0].type, "GAUGE");
});

it("shows its configuration without secrets", async () => {
  writeFileSync(config, yml("remote_write: [{url: 'http://u:hunter2@127.0.0.1:1/'}, {url: 'http://127.0.0.1:1/', basic_auth: {username: u, password: hunter2}}]\n"));
  assert.equal((await get("/-/reload", { method: "POST" })).status, 200);
  const { yaml } = (await get("/api/v1/status/config")).json.data;
  assert.match(yaml, /region: eu/);
  assert.match(yaml, /password: <secret>/);
  assert.match(yaml, /u:xxxxx@127\.0\.0\.1/);
  assert.doesNotMatch(yaml, /hunter2/);
  const metrics = (await get("/metrics")).text;
  assert.match(metrics, /url="http:\/\/u:xxxxx@127\.0\.0\.1:1\/"/);
  assert.doesNotMatch(metrics, /hunter2/);
  assert.match((await get("/api/meerkat/v1/config")).json.data.yaml, /enable_lifecycle: true/);
  const flags = (await get("/api/v1/status/flags")).json.data;
  assert.deepEqual([flags["web.enable-lifecycle"], flags["storage.tsdb.min-block-duration"], flags["query.timeout"]], ["true", "2h", "2m"]);
});

it("describes itself", async () => {
  const { text, type, headers } = await get("/api/v1/openapi.yaml");
  assert.equal(headers.get("cache-control"), "no-cache, no-store, must-revalidate");
  assert.match(type!, /yaml/);
  assert.match(text, /^openapi: 3\.1\.0$/m);
  assert.match(text, /^ {2}\/query_range:$/m);
  assert.match((await get("/api/v1/openapi.yaml?openapi_version=3.2")).text, /^openapi: 3\.2\.0$/m);
  assert.equal((await get("/debug/pprof/")).status, 200);
  assert.equal((await get("/api/v1/features")).json.data.api.lifecycle, true);
});

it("keeps its switches off unless they are asked for", async () => {
  const plain = await Server.start();
  try {
    for (const path of ["/-/reload", "/-/quit"]) {
      const r = await fetch(plain.url("prometheus", path), { method: "POST" });
      assert.equal(r.status, 403);
      assert.equal(await r.text(), "Lifecycle API is not enabled.");
    }
    const admin = await fetch(plain.url("prometheus", "/api/v1/admin/tsdb/delete_series?match[]=up"), { method: "POST" });
    assert.equal(admin.status, 500);
    assert.equal((await admin.json() as any).error, "admin APIs disabled");
  } finally { await plain.stop(); }
});

it("ends when it is told to, with a listener on the line", async () => {
  const live = await fetch(url("/api/v1/notifications/live"));
  const reader = live.body!.getReader();
  const ended = (async () => { while (!(await reader.read()).done); })().catch(() => {});
  const answer = await get("/-/quit", { method: "POST" });
  assert.equal(answer.text, "Requesting termination... Goodbye!");
  assert.equal(await server.exit, 0);
  await ended;
});

function field(number: number, content: string | Buffer): Buffer {
  const bytes = Buffer.from(content as any);
  return Buffer.concat([Buffer.from([number << 3 | 2]), Buffer.from(varint(bytes.length)), bytes]);
}
function varint(n: number): number[] {
  const out: number[] = [];
  for (; n > 127; n = Math.floor(n / 128)) out.push(n % 128 | 128);
  return [...out, n];
}
function varint64(number: number, value: number): Buffer { return Buffer.from([number << 3, ...varint(value)]); }
