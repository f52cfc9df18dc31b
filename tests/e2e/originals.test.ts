// `meerkat prometheus` and `meerkat alertmanager`: the originals' command lines, as units and compose files have them.
import assert from "node:assert/strict";
import { spawn, spawnSync, type ChildProcess } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { networkInterfaces, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, it } from "node:test";
import { versionOf } from "./lib/promserver";
import { binary, eventually, freePort } from "./lib/server";

const dir = mkdtempSync(join(tmpdir(), "meerkat-originals-")), prom = join(dir, "prometheus"), am = join(dir, "alertmanager");
let promPort = 0, amPort = 0, promLog = "", amLog = "";
const children: ChildProcess[] = [];

function start(program: string, args: string[], log: (text: string) => void): void {
  const child = spawn(program, args, { stdio: ["ignore", "ignore", "pipe"], cwd: dir });
  child.stderr!.on("data", (text) => log(String(text)));
  children.push(child);
}
const json = async (port: number, path: string, host = "127.0.0.1") => (await fetch(`http://${host}:${port}${path}`)).json() as Promise<any>;
const failed = (program: string, ...args: string[]) => {
  const r = spawnSync(program, args, { encoding: "utf8", cwd: dir, timeout: 60_000 });
  return { code: r.status, err: r.stderr.trim().split("\n").pop()!.replace("Error parsing commandline arguments: ", "") };
};

before(async () => {
  symlinkSync(resolve(binary), prom); // a link by the original's name is enough
  symlinkSync(resolve(binary), am);
  [promPort, amPort] = [await freePort(), await freePort()];
  writeFileSync(join(dir, "rules.yml"), "groups: [{name: g, interval: 1s, rules: [{alert: On, expr: vector(1), labels: {none: '{{ $labels.x }}'}}]}]\n");
  writeFileSync(join(dir, "prometheus.yml"), `global: {scrape_interval: 1s}\nrule_files: [rules.yml]
alerting: {alertmanagers: [{static_configs: [{targets: ["127.0.0.1:${amPort}"]}]}]}
scrape_configs: [{job_name: prometheus, static_configs: [{targets: ["localhost:${promPort}"]}]}]\n`);
  writeFileSync(join(dir, "am.yml"), "route: {receiver: r}\nreceivers: [{name: r}]\n");
  start(am, ["--config.file=am.yml", "--storage.path", "amdata", `--web.listen-address=:${amPort}`, "--cluster.listen-address=0.0.0.0:9094",
    "--cluster.peer=am2:9094", "--cluster.advertise-address", "10.0.0.1:9094", "--data.retention=120h", "--log.level=info", `--server.ports.ui=${await freePort()}`],
    (text) => (amLog += text));
  // No --config.file: prometheus.yml of the working directory.
  start(prom, ["--storage.tsdb.path=promdata", "--storage.tsdb.retention.time=30d", "--storage.tsdb.retention.size=10GB", "--storage.tsdb.no-lockfile",
    "--web.console.templates=/etc/prometheus/consoles", "--web.console.libraries=/etc/prometheus/console_libraries", `--web.listen-address=0.0.0.0:${promPort}`,
    "--web.enable-lifecycle", "--no-web.enable-admin-api", "--web.external-url=https://example.com/", "--query.lookback-delta", "3m",
    "--enable-feature=exemplar-storage,old-ui", "--enable-feature", "promql-delayed-name-removal", "--rules.alert.resend-delay=30s", "--log.format=json",
    `--server.ports.ui=${await freePort()}`], (text) => (promLog += text));
  for (const port of [promPort, amPort]) await eventually("it is ready", () => fetch(`http://127.0.0.1:${port}/-/ready`).then((r) => r.ok, () => false));
});
after(async () => {
  for (const c of children) {
    const ended = new Promise((resolve) => c.once("exit", resolve));
    c.kill("SIGTERM");
    await ended;
  }
  rmSync(dir, { recursive: true, force: true });
});

it("works as a pair of them does", async () => {
  const alert = await eventually("the alert arrives", async () => (await json(amPort, "/api/v2/alerts"))[0]);
  assert.deepEqual(alert.labels, { alertname: "On" });
  assert.match(alert.generatorURL, /^https:\/\/example\.com\/graph/);
  await eventually("it scrapes itself", async () => (await json(promPort, '/api/v1/query?query=up{job="prometheus"}')).data.result[0]?.value[1] === "1");
  assert.deepEqual(readdirSync(dir).filter((name) => name.endsWith("data")).sort(), ["amdata", "promdata"]);
  assert.deepEqual((await json(promPort, "/api/v1/rules")).data.groups.map((g: any) => g.name), ["g"]);
});

it("has the values of the flags", async () => {
  const flags = (await json(promPort, "/api/v1/status/flags")).data;
  const want = { "config.file": "prometheus.yml", "storage.tsdb.path": "promdata", "storage.tsdb.retention.time": "30d", "storage.tsdb.retention.size": "10737418240B",
    "web.listen-address": `0.0.0.0:${promPort}`, "web.enable-lifecycle": "true", "web.enable-admin-api": "false", "query.lookback-delta": "3m", "log.format": "json" };
  for (const [name, value] of Object.entries(want)) assert.equal(flags[name], value, name);
});

it("says what has no effect", () => {
  assert.match(amLog, /^alertmanager: --cluster\.peer=am2:9094 has no effect: .*--cluster\.peer=http:\/\/am2:9093 and alerting\.peer_secret/m);
  assert.match(promLog, /^prometheus: --enable-feature=old-ui has no effect here: there is one UI$/m);
  assert.match(promLog, /^prometheus: --rules\.alert\.resend-delay is always 1m here$/m);
  assert.equal(promLog.split("\n").filter((line) => line.startsWith("prometheus: ")).length, 2);
  assert.equal(amLog.split("\n").filter((line) => line.startsWith("alertmanager: ")).length, 1);
});

it("refuses what it cannot do, and unknown flags in the originals' words", () => {
  assert.deepEqual(failed(prom, "--agent"), { code: 1, err: "prometheus: error: --agent: there is no agent mode; remote_write in the configuration sends samples on" });
  assert.match(failed(am, "--web.config.file=web.yml").err, /server\.tls\.cert_file/);
  assert.match(failed(am, "--web.config.file=", "--config.file=none.yml").err, /none\.yml/);
  assert.match(failed(prom, "--config.fil=x").err, /^prometheus: error: unknown long flag '--config\.fil'; did you mean '--config\.file'\?$/);
  for (const args of [["--nope"], ["--config.file"], ["word"], ["--no-config.file"]]) {
    const [a, b] = [failed(prom, ...args), failed(am, ...args)];
    assert.equal(a.code, 1);
    assert.equal(b.code, 1);
    if (versionOf("prometheus")) assert.equal(a.err.replace(/; did you mean .*/, ""), failed("prometheus", ...args).err.replace(/, try --help$/, ""), args.join(" "));
    if (versionOf("prometheus-alertmanager"))
      assert.equal(b.err.replace(/; did you mean .*/, ""), failed("prometheus-alertmanager", ...args).err.replace(/^prometheus-/, "").replace(/, try --help$/, ""), args.join(" "));
  }
});

it("is open to other machines, as they are, but not its administration", async (t) => {
  const address = Object.values(networkInterfaces()).flat().find((a) => a && !a.internal && a.family === "IPv4")?.address;
  // A machine with nothing but loopback has nowhere else to be reached from.
  if (!address) return t.skip("no other address");
  assert.equal((await json(promPort, "/api/v1/query?query=1", address)).status, "success");
  const post = await fetch(`http://${address}:${amPort}/api/v2/alerts`, { method: "POST", headers: { "Content-Type": "application/json" }, body: '[{"labels":{"alertname":"far"}}]' });
  assert.equal(post.status, 200);
  assert.equal((await fetch(`http://${address}:${promPort}/-/reload`, { method: "POST" })).status, 401);
  assert.equal((await fetch(`http://127.0.0.1:${promPort}/-/reload`, { method: "POST" })).status, 200);
});
