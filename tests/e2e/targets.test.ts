// Many targets over time: a configuration that is read again and again.
import assert from "node:assert/strict";
import { createServer, type Server as HttpServer } from "node:http";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, it } from "node:test";
import { eventually, Server, sleep } from "./lib/server";

const dir = mkdtempSync(join(tmpdir(), "meerkat-targets-"));
let server: Server, targets: HttpServer, port = 0;

const intervalMs = 2000;
const addresses = (from: number) => [0, 1, 2, 3].map((i) => `127.0.1.${from + i}:${port}`);
const guest = () => `127.0.1.99:${port}`;

/** Of job `changed` a setting is another each time; the file of job `discovered` has the guest or not. */
function configure(round: number, guests: string[]): void {
  writeFileSync(join(dir, "prometheus.yml"), `
global: {scrape_interval: ${intervalMs}ms}
scrape_configs:
- {job_name: same, static_configs: [{targets: ${JSON.stringify(addresses(10))}}]}
- {job_name: changed, sample_limit: ${100 + round}, static_configs: [{targets: ${JSON.stringify(addresses(20))}}]}
- {job_name: discovered, file_sd_configs: [{files: [${dir}/targets.json]}]}
`);
  const groups = [{ targets: addresses(30), labels: { kind: "stays" } }, { targets: guests, labels: { kind: "guest" } }];
  writeFileSync(join(dir, "targets.new"), JSON.stringify(groups));
  renameSync(join(dir, "targets.new"), join(dir, "targets.json"));
}

before(async () => {
  targets = createServer((_, response) => response.setHeader("Content-Type", "text/plain").end("a 1\n"));
  await new Promise<void>((resolve) => targets.listen(0, "0.0.0.0", resolve));
  port = (targets.address() as any).port;
  configure(0, [guest()]);
  server = await Server.start({ args: ["--prometheus.config", join(dir, "prometheus.yml"), "--web.enable-lifecycle"] });
});
after(async () => {
  await server?.stop();
  targets?.close();
  targets?.closeAllConnections();
  rmSync(dir, { recursive: true, force: true });
});

const matrix = async (query: string, time = Date.now() / 1000) =>
  (await server.json("prometheus", `/api/v1/query?query=${encodeURIComponent(query)}&time=${time}`)).data.result as { metric: Record<string, string>; values: [number, string][] }[];

it("reloads leave no gap: every target is asked once in every interval, and nothing ends in between", async () => {
  await eventually("all targets", async () => (await server.promValue('count(up{job!="meerkat"} == 1)')) === 13);
  const from = Date.now();
  for (let round = 1; Date.now() - from < 5.5 * intervalMs; round++) {
    configure(round, [guest()]);
    if (round % 2) server.child.kill("SIGHUP");
    else assert.equal((await fetch(server.url("prometheus", "/-/reload"), { method: "POST" })).status, 200);
    await sleep(150);
  }
  const to = Date.now(), window = `${to - from}ms`;
  const series = await matrix(`up{job!="meerkat"}[${window}]`, to / 1000);
  assert.equal(series.length, 13);
  for (const { metric, values } of series) {
    // The moment of a target within its interval: that of most of its scrapes, some may have begun late.
    const times = values.map(([t]) => Math.round(t * 1000)), rests = times.map((t) => t % intervalMs).sort((a, b) => a - b);
    const moment = rests[rests.length >> 1]!;
    const slots = times.map((t) => Math.floor((t - moment + 2) / intervalMs));
    slots.slice(1).forEach((s, i) => assert.equal(s, slots[i]! + 1, `${metric.instance} of ${metric.job}: ${times}`));
    assert.ok(slots.length >= 5, `${metric.instance}: ${times}`);
  }
  const counts = await server.json("prometheus", `/api/v1/query_range?query=${encodeURIComponent('count({__name__=~"up|a",job!="meerkat"})')}&start=${from / 1000}&end=${to / 1000}&step=0.2`);
  const values = counts.data.result[0].values as [number, string][];
  assert.deepEqual([...new Set(values.map(([, v]) => v))], ["26"]);
});

it("a target that leaves has ended when it would have been asked again; one that comes back has not", async () => {
  const present = `count_over_time(a{kind="guest"}[1h])`;
  configure(1000, []);
  await eventually("the target to be gone", async () =>
    (await server.json("prometheus", "/api/v1/targets")).data.activeTargets.every((t: any) => t.labels.kind !== "guest"));
  configure(1000, [guest()]);
  const before = (await server.promValue(present))!;
  await eventually("more scrapes", async () => (await server.promValue(present))! >= before + 4);
  const now = Date.now() / 1000;
  const range = await server.json("prometheus", `/api/v1/query_range?query=${encodeURIComponent('a{kind="guest"}')}&start=${now - 8}&end=${now}&step=0.5`);
  assert.equal(range.data.result[0].values.length, 17);
  configure(1000, []);
  await eventually("the end", async () => (await server.promValue('a{kind="guest"}')) === undefined);
  const [last] = await matrix('a{kind="guest"}[1h]');
  const [, end] = await (async () => {
    const t = last!.values.at(-1)![0], steps = await server.json("prometheus",
      `/api/v1/query_range?query=${encodeURIComponent('up{kind="guest"}')}&start=${t}&end=${t + 10}&step=0.1`);
    return [t, Number(steps.data.result[0].values.at(-1)[0]) - t];
  })();
  assert.ok(end < 1.2 * intervalMs / 1000, `it was there for ${end} s`);
  assert.equal(await server.promValue('count(a{job="discovered"})'), 4);
});
