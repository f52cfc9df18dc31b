// A real node_exporter and a real prom-client are scraped; promtool and curl read them back.
import assert from "node:assert/strict";
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { createServer, type Server as HttpServer } from "node:http";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, it } from "node:test";
import client from "prom-client";
import { eventually, Server, sleep } from "./lib/server";

const dir = mkdtempSync(join(tmpdir(), "meerkat-scrape-"));
const exporterPort = 20_000 + Math.floor(Math.random() * 5000);
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
  const out = promtool("query", "instant", server.url("prometheus"), 'up{job="node"}');
  assert.match(out, /up\{env="e2e", instance="127\.0\.0\.1:\d+", job="node"\} => 1 @\[\d+/);
  assert.match(promtool("query", "series", "--match", "node_load1", server.url("prometheus")), /node_load1/);
  assert.match(promtool("query", "labels", server.url("prometheus"), "job"), /node/);
});

it("writes the synthetic series", async () => {
  for (const name of ["scrape_duration_seconds", "scrape_samples_scraped", "scrape_samples_post_metric_relabeling", "scrape_series_added"]) {
    assert.ok((await eventually(name, () => server.promValue(`${name}{job="node"}`))) >= 0);
  }
  assert.equal(await eventually("up of a dead target", () => server.promValue('up{job="gone"}')), 0);
});

it("keeps counters, histograms and metadata of prom-client; relabelling drops", async () => {
  assert.equal(await eventually("the counter", () => server.promValue('app_requests_total{code="200"}')), 5);
  assert.equal(await server.promValue('app_latency_seconds_bucket{le="1.0"}'), 1);
  assert.equal(await server.promValue("app_dropped_total"), undefined);
  const metadata = await server.json("prometheus", "/api/v1/metadata?metric=app_requests_total");
  assert.deepEqual(metadata.data.app_requests_total, [{ type: "counter", help: "Requests.", unit: "" }]);
  await sleep(2500);
  requests.inc({ code: "200" }, 10);
  assert.ok((await eventually("a rate", async () => { const v = await server.promValue("rate(app_requests_total[10s])"); return v !== undefined && v > 0 ? v : undefined; })) > 0);
});

it("marks series stale when a scrape fails, and recovers", async () => {
  appUp = false;
  await eventually("up 0", async () => (await server.promValue('up{job="app"}')) === 0);
  assert.equal(await server.promValue("app_requests_total"), undefined);
  appUp = true;
  await eventually("the series again", () => server.promValue("app_requests_total"));
});

it("lists targets with their last error", async () => {
  const { data } = await server.json("prometheus", "/api/v1/targets");
  const byPool = Object.fromEntries(data.activeTargets.map((t: any) => [t.scrapePool, t]));
  assert.equal(byPool.node.health, "up");
  assert.equal(byPool.gone.health, "down");
  assert.match(byPool.gone.lastError, /refused|connect/i);
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
