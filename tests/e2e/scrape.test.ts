// A real node_exporter and a real prom-client are scraped; promtool and curl read them back.
import assert from "node:assert/strict";
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { createServer, type Server as HttpServer } from "node:http";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, it } from "node:test";
import client from "prom-client";
import { listen } from "./lib/fakesd";
import { bytes, double, family, int, label, sint, span } from "./lib/promproto";
import { binary, eventually, freePort, Server, sleep } from "./lib/server";

const dir = mkdtempSync(join(tmpdir(), "meerkat-scrape-"));
const exporterPort = await freePort();
let server: Server, exporter: ChildProcess, app: HttpServer, appPort = 0, appUp = true;
const registry = new client.Registry();
const requests = new client.Counter({ name: "app_requests_total", help: "Requests.", labelNames: ["code"], registers: [registry] });
const latency = new client.Histogram({ name: "app_latency_seconds", help: "Latency.", buckets: [0.1, 1], registers: [registry] });

const config = (extra = "") => `
global: {scrape_interval: 1s, scrape_timeout: 900ms}
scrape_configs:
  - job_name: node
    static_configs:
      - targets: ["127.0.0.1:${exporterPort}"]
        labels: {env: e2e}
  - job_name: app
    metric_relabel_configs:
      - {source_labels: [__name__], regex: app_dropped.*, action: drop}
    static_configs: [{targets: ["127.0.0.1:${appPort}"]}]
  - job_name: gone
    static_configs: [{targets: ["127.0.0.1:1"]}]
${extra}`;

before(async () => {
  exporter = spawn("prometheus-node-exporter", [`--web.listen-address=127.0.0.1:${exporterPort}`], { stdio: "ignore" });
  new client.Counter({ name: "app_dropped_total", help: "Not kept.", registers: [registry] }).inc();
  requests.inc({ code: "200" }, 5);
  latency.observe(0.5);
  app = createServer(async (_, response) => {
    if (!appUp) { response.writeHead(500).end(); return; }
    response.setHeader("Content-Type", registry.contentType);
    response.end(await registry.metrics());
  });
  await new Promise<void>((resolve) => app.listen(0, "127.0.0.1", resolve));
  appPort = (app.address() as any).port;
  writeFileSync(join(dir, "prometheus.yml"), config());
  server = await Server.start({ args: ["--prometheus.config", join(dir, "prometheus.yml")] });
});
after(async () => {
  exporter?.kill();
  app?.close();
  await server?.stop();
  rmSync(dir, { recursive: true, force: true });
});

const promtool = (...args: string[]) => execFileSync("promtool", args, { encoding: "utf8" });

it("scrapes node_exporter, and promtool reads it back", async () => {
  await eventually("node metrics", () => server.promValue('count(node_cpu_seconds_total{env="e2e"})'));
  await eventually("up, as promtool sees it", async () => /up\{env="e2e", instance="127\.0\.0\.1:\d+", job="node"\} => 1 @\[\d+/.test(
    promtool("query", "instant", server.url("prometheus"), 'up{job="node"}')));
  assert.match(promtool("query", "series", "--match", "node_load1", server.url("prometheus")), /node_load1/);
  assert.match(promtool("query", "labels", server.url("prometheus"), "job"), /node/);
});

it("writes the synthetic series", async () => {
  for (const name of ["scrape_duration_seconds", "scrape_samples_scraped", "scrape_samples_post_metric_relabeling", "scrape_series_added"]) {
    assert.ok((await eventually(name, () => server.promValue(`${name}{job="node"}`))) >= 0);
  }
  await becomes(server, 'up{job="gone"}', 0);
});

it("keeps counters, histograms and metadata of prom-client; relabelling drops", async () => {
  await becomes(server, 'app_requests_total{code="200"}', 5);
  await becomes(server, 'app_latency_seconds_bucket{le="1.0"}', 1);
  assert.equal(await server.promValue("app_dropped_total"), undefined);
  const metadata = await server.json("prometheus", "/api/v1/metadata?metric=app_requests_total");
  assert.deepEqual(metadata.data.app_requests_total, [{ type: "counter", help: "Requests.", unit: "" }]);
  await sleep(2500);
  requests.inc({ code: "200" }, 10);
  assert.ok((await eventually("a rate", async () => { const v = await server.promValue("rate(app_requests_total[10s])"); return v !== undefined && v > 0 ? v : undefined; })) > 0);
});

it("marks series stale when a scrape fails, and recovers", async () => {
  appUp = false;
  await becomes(server, 'up{job="app"}', 0);
  assert.equal(await server.promValue("app_requests_total"), undefined);
  appUp = true;
  await eventually("the series again", () => server.promValue("app_requests_total"));
});

it("lists targets with their last error", async () => {
  const list = async () => {
    const { data } = await server.json("prometheus", "/api/v1/targets");
    return Object.fromEntries(data.activeTargets.map((t: any) => [t.scrapePool, t]));
  };
  await eventually("node is up", async () => (await list()).node.health === "up");
  assert.equal((await list()).gone.health, "down");
  assert.match((await list()).gone.lastError, /refused|connect/i);
});

it("reloads on SIGHUP; a bad file keeps the old one and says why", async () => {
  writeFileSync(join(dir, "prometheus.yml"), config("  - job_name: late\n    static_configs: [{targets: [\"127.0.0.1:2\"]}]\n"));
  server.child.kill("SIGHUP");
  await eventually("the new job", () => server.promValue('count(up{job="late"})'));
  writeFileSync(join(dir, "prometheus.yml"), config("  - job_nam: typo\n"));
  server.child.kill("SIGHUP");
  await eventually("the complaint", async () => /prometheus\.yml:\d+:\d+/.test(server.log));
  assert.match(server.log, /job_name/);
  assert.ok((await server.promValue('up{job="late"}')) !== undefined);
});

it("keeps its own metrics under job=meerkat", async () => {
  assert.equal(await eventually("own up", () => server.promValue('up{job="meerkat"}')), 1);
  assert.ok(((await server.promValue('process_resident_memory_bytes{job="meerkat"}')) ?? 0) > 1e6);
});

// --- every key of a job, against one target that answers by path and remembers what it was asked ---
// Several jobs ask for one path, in an order that their addresses' hash decides: all requests are remembered.
type Asked = Record<string, string | string[] | undefined> & { url: string };
const asked = new Map<string, Asked[]>();
const askedFor = (path: string, what: (a: Asked) => boolean = () => true) => asked.get(path)?.find(what);
const plain = "text/plain; version=0.0.4";
const classic = `# TYPE h histogram
h_bucket{le="1"} 2
h_bucket{le="2.5"} 5
h_bucket{le="+Inf"} 6
h_sum 12
h_count 6
`;
const proto = Buffer.concat([
  family("proto_total", 0, Buffer.concat([label("a", "b"), bytes(3, double(1, 5))])),
  family("native", 4, bytes(7, Buffer.concat([int(1, 7), double(2, 9), sint(5, 3), double(6, 0.001), int(7, 1), span(12, -2, 2), span(12, 1, 1), sint(13, 1), sint(13, 2), sint(13, -1),
    bytes(3, Buffer.concat([int(1, 4), double(2, 1)])), bytes(3, Buffer.concat([int(1, 7), double(2, Infinity)]))]))),
]);
let vanishing = true;
const answers: Record<string, () => [string, string | Buffer]> = {
  "/plain": () => [plain, "a 1\nb{job=\"theirs\",instance=\"x\"} 2\n"],
  "/notype": () => ["", "# TYPE sniffed counter\nsniffed_total 3\n# EOF\n"],
  "/strange": () => ["application/json", "strange 4\n"],
  "/proto": () => ["application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited", proto],
  "/classic": () => [plain, classic],
  "/three": () => [plain, "a 1\nb 2\nc 3\n"],
  "/long": () => [plain, "a{verylongname=\"x\"} 1\n"],
  "/big": () => [plain, "# " + "x".repeat(3000) + "\na 1\n"],
  "/bad": () => [plain, "good 1\nbad bad\n"],
  "/twice": () => [plain, "dup 1\ndup 2\nother 3\n"],
  "/times": () => [plain, `stamped 1 ${Date.now() - 60_000}\n`],
  "/utf8": () => [plain, "{\"my.metric\"} 1\n"],
  "/vanish": () => [plain, vanishing ? "stays 1\nvanishes 1\n" : "stays 1\n"],
  "/exemplar": () => ["application/openmetrics-text; version=1.0.0", "# TYPE ex counter\nex_total 1 # {trace_id=\"abc\"} 0.5\n# EOF\n"],
};
const jobs = (port: number, dir: string) => `
global: {scrape_interval: 1s, scrape_failure_log_file: failed.log, external_labels: {region: "\${REGION}"}}
scrape_config_files: ["more/*.yml"]
scrape_configs:
${Object.entries({
  plain: ["/plain", "params: {module: [a, b c]}, http_headers: {X-One: {values: ['1', '2']}}, basic_auth: {username: u, password_file: pw}, extra_scrape_metrics: true"],
  honor: ["/plain", "honor_labels: true, authorization: {type: Token, credentials: abc}"],
  notype: ["/notype", ""],
  strange: ["/strange", "fallback_scrape_protocol: PrometheusText0.0.4, enable_compression: false"],
  proto: ["/proto", "scrape_native_histograms: true, always_scrape_classic_histograms: true"],
  protoclassic: ["/proto", ""],
  reduced: ["/proto", "scrape_native_histograms: true, native_histogram_bucket_limit: 2"],
  nhcb: ["/classic", "convert_classic_histograms_to_nhcb: true"],
  samples: ["/three", "sample_limit: 2, scrape_protocols: [PrometheusText0.0.4]"],
  labels: ["/long", "label_name_length_limit: 8"],
  count: ["/long", "label_limit: 3"],
  body: ["/big", "body_size_limit: 2KB, extra_scrape_metrics: true"],
  bad: ["/bad", ""],
  twice: ["/twice", ""],
  times: ["/times", ""],
  ignore: ["/times", "honor_timestamps: false"],
  legacy: ["/utf8", "metric_name_validation_scheme: legacy"],
  utf8: ["/utf8", "relabel_configs: [{source_labels: [__address__], target_label: __scrape_interval__, replacement: 2s}, {target_label: __param_x, replacement: y}]"],
  vanish: ["/vanish", ""],
  exemplar: ["/exemplar", ""],
  many: ["/plain", "target_limit: 1"],
}).map(([name, [path, keys]]) => `- {job_name: ${name}, metrics_path: ${path}, static_configs: [{targets: ["127.0.0.1:${port}"${name === "many" ? ", 'localhost:1'" : ""}]}]${keys ? ", " + keys : ""}}`).join("\n")}
- job_name: socket
  metrics_path: /plain
  static_configs: [{targets: [anything]}]
  relabel_configs: [{target_label: __unix_socket__, replacement: "${dir}/app.sock"}]
`;

let all: Server, everything: HttpServer, socket: HttpServer;
const jobsDir = mkdtempSync(join(tmpdir(), "meerkat-jobs-"));
before(async () => {
  const answer = (request: any, response: any) => {
    const url = new URL(request.url, "http://x"), entry = answers[url.pathname];
    asked.set(url.pathname, [...(asked.get(url.pathname) ?? []).slice(-200), { ...request.headers, url: request.url! }]);
    if (!entry) { response.writeHead(404).end(); return; }
    const [type, body] = entry();
    response.writeHead(200, type ? { "Content-Type": type } : {}).end(body);
  };
  everything = createServer(answer);
  socket = createServer(answer);
  const port = await listen(everything);
  await listen(socket, join(jobsDir, "app.sock"));
  mkdirSync(join(jobsDir, "more"));
  writeFileSync(join(jobsDir, "pw"), "secret\n");
  writeFileSync(join(jobsDir, "more/one.yml"), `scrape_configs: [{job_name: included, metrics_path: /plain, static_configs: [{targets: ["127.0.0.1:${port}"]}]}]\n`);
  writeFileSync(join(jobsDir, "prometheus.yml"), jobs(port, jobsDir));
  all = await Server.start({ args: ["--prometheus.config", join(jobsDir, "prometheus.yml")], env: { REGION: "eu" } });
});
after(async () => {
  await all?.stop();
  for (const s of [everything, socket]) { s?.close(); (s as any)?.closeAllConnections?.(); }
  rmSync(jobsDir, { recursive: true, force: true });
});

const value = (query: string) => eventually(query, () => all.promValue(query));
/** A scrape may come late or fail on a slow machine: until it has this value. */
const becomes = (s: Server, query: string, want: number) => eventually(`${query} == ${want}`, async () => (await s.promValue(query)) === want);
const lastError = (pool: string, what: RegExp) => eventually(`${what} of ${pool}`, async () => {
  const { data } = await all.json("prometheus", `/api/v1/targets?scrapePool=${pool}`);
  return what.test(data.activeTargets[0]?.lastError);
});
const rows = async (query: string) => (await all.json("prometheus", `/api/v1/query?query=${encodeURIComponent(query)}`)).data.result as any[];

it("asks as it is told: parameters, headers, credentials, protocols, compression", async () => {
  await value('up{job="plain"}');
  await value('up{job="strange"}');
  await value('up{job="samples"}');
  const one = await eventually("the request of job plain", async () => askedFor("/plain", (a) => "x-one" in a));
  assert.equal(one.url, "/plain?module=a&module=b+c");
  assert.equal(one["x-one"], "1, 2");
  assert.equal(one.authorization, `Basic ${Buffer.from("u:secret").toString("base64")}`);
  assert.equal(one.accept, "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.7,application/openmetrics-text;version=0.0.1;q=0.6," +
    "text/plain;version=1.0.0;escaping=allow-utf-8;q=0.5,text/plain;version=0.0.4;q=0.4,*/*;q=0.3");
  assert.equal(one["x-prometheus-scrape-timeout-seconds"], "1");
  await eventually("the request of job honor", async () => askedFor("/plain", (a) => a.authorization === "Token abc"));
  assert.equal(askedFor("/three")!.accept, "text/plain;version=0.0.4;q=0.7,*/*;q=0.6");
  assert.equal(askedFor("/strange")!["accept-encoding"], "identity");
  await eventually("the protocols of job proto", async () => askedFor("/proto", (a) => String(a.accept).startsWith("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.7,")));
  await becomes(all, 'up{job="socket"}', 1);
  await becomes(all, 'up{job="included"}', 1);
});

it("joins labels, honours theirs, keeps or replaces times", async () => {
  await becomes(all, 'b{job="plain",exported_job="theirs",exported_instance="x"}', 2);
  await becomes(all, 'b{job="theirs",instance="x"}', 2);
  assert.ok((await value('time() - timestamp(stamped{job="times"})')) > 55);
  assert.ok((await value('time() - timestamp(stamped{job="ignore"})')) < 30);
  await becomes(all, '{"my.metric",job="utf8"}', 1);
  await eventually("a parameter by relabelling", async () => askedFor("/utf8", (a) => a.url === "/utf8?x=y"));
});

it("reads what has no or a strange type, and says so once", async () => {
  await becomes(all, "sniffed_total", 3);
  await becomes(all, "strange", 4);
  const metadata = await all.json("prometheus", "/api/v1/metadata?metric=sniffed");
  assert.equal(metadata.data.sniffed[0].type, "counter");
  assert.equal(all.log.split("unknown Content-Type").length - 1, 1);
});

it("takes protobuf: native histograms, their classic buckets, conversion, lower resolution", async () => {
  await becomes(all, 'proto_total{job="proto",a="b"}', 5);
  await becomes(all, 'histogram_count(native{job="proto"})', 7);
  await becomes(all, 'histogram_sum(native{job="proto"})', 9);
  await becomes(all, 'native_bucket{job="proto",le="1.0"}', 4);
  await becomes(all, 'native_bucket{job="protoclassic",le="+Inf"}', 7);
  assert.equal((await rows('native{job="protoclassic"}')).length, 0);
  await becomes(all, 'histogram_count(native{job="reduced"})', 7);
  const reduced = await eventually("the reduced one", async () => (await rows('native{job="reduced"}'))[0]);
  assert.ok(reduced.histogram[1].buckets.length <= 3, JSON.stringify(reduced.histogram)); // two and the zero bucket
  await becomes(all, 'histogram_count(h{job="nhcb"})', 6);
  await becomes(all, 'histogram_quantile(0.5, h{job="nhcb"})', 1.5);
  assert.equal((await rows('h_bucket{job="nhcb"}')).length, 0);
  await value("ex_total");
  const { data } = await all.json("prometheus", `/api/v1/query_exemplars?query=ex_total&start=${Date.now() / 1000 - 60}&end=${Date.now() / 1000 + 60}`);
  assert.equal(data[0].exemplars[0].labels.trace_id, "abc");
});

it("obeys limits: the scrape fails whole, with the reason in targets, metrics and the failure log", async () => {
  await lastError("samples", /^sample limit exceeded/);
  await lastError("labels", /^label_name_length_limit exceeded \(metric: a, label name: verylongname/);
  await lastError("count", /^label_limit exceeded/);
  await lastError("body", /^body size limit exceeded/);
  await lastError("legacy", /^invalid metric name or label names/);
  await lastError("many", /^target_limit exceeded/);
  await lastError("bad", /line 2, column 5: expected value/);
  await becomes(all, 'up{job="samples"}', 0);
  await becomes(all, 'scrape_samples_scraped{job="samples"}', 3);
  await becomes(all, 'scrape_body_size_bytes{job="body"}', -1);
  await becomes(all, 'scrape_timeout_seconds{job="plain"}', 1);
  assert.equal((await rows('good{job="bad"}')).length, 0);
  const log = readFileSync(join(jobsDir, "failed.log"), "utf8").trim().split("\n").map((line) => JSON.parse(line));
  assert.ok(log.some((l) => l.job_name === "body" && /body size/.test(l.msg) && l.target.endsWith("/big")));
});

it("counts duplicates of one scrape and keeps the rest", async () => {
  await becomes(all, 'other{job="twice"}', 3);
  await becomes(all, 'dup{job="twice"}', 1);
  await becomes(all, 'up{job="twice"}', 1);
  await becomes(all, 'scrape_samples_post_metric_relabeling{job="twice"}', 3);
});

it("ends a series that vanishes, and only that", async () => {
  await value("vanishes");
  vanishing = false;
  await eventually("its end", async () => (await rows("vanishes")).length === 0);
  await becomes(all, "stays", 1);
  assert.ok((await rows("vanishes[1m]"))[0].values.every(([, v]: any) => v === "1"));
});

// --- check config and promtool agree (Debian's knows neither Kubernetes nor Consul: it refuses them) ---
const job = (keys: string) => `scrape_configs:\n- job_name: a\n  ${keys.split("\n").join("\n  ")}\n`;
const checked: string[] = [
  "",
  "global: {scrape_interval: 15s, external_labels: {a: b}}\n",
  "global: {scrape_interval: 15}\n",
  "global: {scrape_timeout: 2m}\n",
  "global: {scrape_intervall: 15s}\n",
  "unknown: 1\n",
  "scrape_configs: {}\n",
  "scrape_configs:\n-\n",
  "scrape_configs:\n- {}\n",
  "scrape_configs:\n- job_name: a\n- job_name: a\n",
  "rule_files: ['r/*.yml']\n",
  "rule_files: ['r*/x.yml']\n",
  "rule_files: [absent.yml]\n",
  job("static_configs: [{targets: ['h:1'], labels: {x: y}}]"),
  job("static_configs: [{targets: ['http://h:1']}]"),
  job("static_configs: [{targets: ['h:1'], label: {}}]"),
  job("scrape_interval: 10s\nscrape_timeout: 20s"),
  job("honor_labels: maybe"),
  job("honor_timestamps: false\nsample_limit: 5\nlabel_limit: 3\nbody_size_limit: 5MB"),
  job("sample_limit: -1"),
  job("body_size_limit: 5"),
  job("params: {a: [b, c]}\nmetrics_path: /x\nscheme: https"),
  job("params: {a: b}"),
  job("basic_auth: {username: u, password: p}"),
  job("basic_auth: {username: u, password: p, password_file: f}"),
  job("basic_auth: {username: u}\nauthorization: {credentials: c}"),
  job("basic_auth: {username: u}\nbearer_token: t"),
  job("authorization: {type: Basic, credentials: c}"),
  job("authorization: {credentials: c, credentials_file: f}"),
  job("oauth2: {client_id: a, client_secret: b, token_url: 'http://x/'}"),
  job("oauth2: {client_id: a}"),
  job("tls_config: {insecure_skip_verify: true, min_version: TLS12}"),
  job("tls_config: {min_version: TLS9}"),
  job("tls_config: {ca_file: absent.pem}"),
  job("proxy_url: http://p:1\nfollow_redirects: false\nenable_http2: false"),
  job("relabel_configs: [{source_labels: [a], regex: 'x(.*)', target_label: b, replacement: $1}]"),
  job("relabel_configs: [{source_labels: [a], regex: 'x(', target_label: b}]"),
  job("relabel_configs: [{action: nope}]"),
  job("relabel_configs: [{action: REPLACE, target_label: b}]"),
  job("relabel_configs: [{action: replace}]"),
  job("relabel_configs: [{action: hashmod, source_labels: [a], target_label: b}]"),
  job("relabel_configs: [{action: hashmod, source_labels: [a], target_label: b, modulus: 4}]"),
  job("relabel_configs: [{action: labeldrop, regex: x}]"),
  job("relabel_configs: [{action: labelkeep, regex: x, source_labels: [a]}]"),
  job("relabel_configs: [{action: keepequal, source_labels: [a], target_label: b}]"),
  job("relabel_configs: [{action: dropequal, source_labels: [a], target_label: b, regex: x}]"),
  job("relabel_configs: [{action: lowercase, source_labels: [a], target_label: b, replacement: x}]"),
  job("relabel_configs: [{action: labelmap, regex: 'a(.*)'}]"),
  job("relabel_configs: [{action: ''}]"),
  job("relabel_configs:\n-"),
  job("metric_relabel_configs: [{source_labels: [__name__], regex: go_.*, action: drop}]"),
  job("file_sd_configs: [{files: ['t/*.yml', x.json], refresh_interval: 1m}]"),
  job("file_sd_configs: [{files: [x.txt]}]"),
  job("file_sd_configs: [{files: []}]"),
  job("http_sd_configs: [{url: 'http://x/y'}]"),
  job("http_sd_configs: [{url: 'x/y'}]"),
  job("http_sd_configs: [{url: 'http://'}]"),
  job("dns_sd_configs: [{names: [a.b]}]"),
  job("dns_sd_configs: [{names: [a.b], type: A}]"),
  job("dns_sd_configs: [{names: [a.b], type: X, port: 1}]"),
  job("dns_sd_configs: [{names: []}]"),
  job("consul_sd_configs: [{server: ''}]"),
  job("consul_sd_configs: [{services: a}]"),
  job("docker_sd_configs: [{host: 'unix:///x', filters: [{name: a, values: [b]}]}]"),
  job("docker_sd_configs: [{port: 1}]"),
  job("kubernetes_sd_configs: [{}]"),
  job("kubernetes_sd_configs: [{role: pods}]"),
  job("kubernetes_sd_configs: [{role: pod, bearer_token: x}]"),
  job("kubernetes_sd_configs: [{role: pod, api_server: 'http://x', kubeconfig_file: y}]"),
  job("kubernetes_sd_configs: [{role: node, selectors: [{role: pod}]}]"),
  job("kubernetes_sd_configs: [{role: pod, selectors: [{role: pod, field: 'x'}]}]"),
  job("kubernetes_sd_configs: [{role: pod, namespaces: {name: a}}]"),
  "alerting: {alertmanagers: [{static_configs: [{targets: ['am:9093']}], timeout: 5s, path_prefix: /x}]}\n",
  "alerting: {alertmanagers: [{api_version: v9}]}\n",
  "alerting: {alertmanagers: [{targets: [x]}]}\n",
  "alerting: {alert_relabel_configs: [{regex: r, action: labeldrop}]}\n",
  "remote_write: [{url: 'http://x/', name: a, queue_config: {capacity: 5, max_shards: 2}}]\n",
  "remote_write: [{name: a}]\n",
  "remote_write: [{url: 'http://x/', name: a}, {url: 'http://y/', name: a}]\n",
  "remote_write: [{url: 'http://x/', headers: {authorization: y}}]\n",
  "remote_write: [{url: 'http://x/', write_relabel_configs: [{action: x}]}]\n",
  "remote_write:\n-\n",
  "remote_read: [{url: 'http://x/', read_recent: true, required_matchers: {a: b}}]\n",
  "remote_read: [{}]\n",
  "storage: {tsdb: {out_of_order_time_window: 30m}, exemplars: {max_exemplars: 10}}\n",
  "storage: {tsdb: {out_of_order: 30m}}\n",
  "tracing: {endpoint: 'x:1', client_type: http}\n",
  "tracing: {}\n",
  "a: [\n",
  "scrape_configs: [{job_name: a, job_name: b}]\n",
];

it("check config and promtool give the same verdicts", () => {
  const file = join(jobsDir, "prometheus-check.yml");
  const code = (program: string, ...args: string[]) => { try { execFileSync(program, args, { stdio: "pipe" }); return 0; } catch (error: any) { return error.status as number; } };
  const different = checked.filter((text) => {
    writeFileSync(file, text);
    return (code("promtool", "check", "config", file) === 0) !== (code(binary, "check", "config", file) === 0);
  });
  assert.deepEqual(different, []);
});
