// The command line: exit codes, help, messages that say what was wrong, where, and what to do.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { createServer } from "node:net";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, it } from "node:test";
import { gaugeRequest, logsRequest, post, tracesRequest } from "./lib/otlp";
import { binary, Server } from "./lib/server";

const dir = mkdtempSync(join(tmpdir(), "meerkat-cli-"));
let server: Server;
before(async () => { server = await Server.start(); });
after(async () => { await server.stop(); rmSync(dir, { recursive: true, force: true }); });

const run = (...args: string[]) => {
  const r = spawnSync(binary, args, { encoding: "utf8", env: { ...process.env, MEERKAT_PORT_OFFSET: String(server.offset) }, timeout: 60_000 });
  return { code: r.status, out: r.stdout, err: r.stderr };
};

it("explains itself", () => {
  for (const args of [["--help"], ["serve", "--help"], ["query", "--help"], ["demo", "--help"], ["check", "config", "--help"]]) {
    const r = run(...args);
    assert.equal(r.code, 0, args.join(" "));
    assert.match(r.out, /Usage: meerkat/);
    assert.match(r.out, /Examples?:/);
  }
  assert.match(run("--version").out, /^meerkat \d+\.\d+\.\d+ \(build [0-9a-f]+\)/);
});

it("suggests what was meant", () => {
  const command = run("sevre");
  assert.equal(command.code, 2);
  assert.match(command.err, /did you mean "serve"/);
  const flag = run("serve", "--datadir", "x");
  assert.equal(flag.code, 2);
  assert.match(flag.err, /did you mean "--data-dir"/);
});

it("reports every problem of a configuration with its place", () => {
  const file = join(dir, "bad.yml");
  writeFileSync(file, "storage:\n  durabilty: fsync\nserver:\n  ports:\n    ui: web\n");
  const r = run("serve", "--config", file);
  assert.equal(r.code, 2);
  assert.match(r.err, /bad\.yml:2:3: error: unknown key "durabilty" in storage/);
  assert.match(r.err, /did you mean "durability"/);
  assert.match(r.err, /bad\.yml:5:9: error: server\.ports\.ui must be/);
  assert.equal(run("check", "config", file).code, 1);
});

it("names the port that is taken and who holds it", async () => {
  const blocker = createServer();
  await new Promise<void>((resolve) => blocker.listen(0, "127.0.0.1", resolve));
  const port = (blocker.address() as any).port;
  const r = run("serve", "--port-offset", "0", "--server.ports.ui", String(port), "--data-dir", join(dir, "taken"));
  blocker.close();
  assert.equal(r.code, 1);
  assert.match(r.err, new RegExp(`${port}`));
  assert.match(r.err, new RegExp(`pid ${process.pid}`));
});

it("refuses a second server on the same data", () => {
  const r = run("serve", "--port-offset", String(server.offset + 1), "--data-dir", server.dataDir);
  assert.equal(r.code, 1);
  assert.match(r.err, new RegExp(`${server.child.pid}`));
});

it("refuses to listen beyond loopback with the default password", () => {
  const r = run("serve", "--port-offset", String(server.offset + 1), "--listen", "0.0.0.0", "--data-dir", join(dir, "open"));
  assert.equal(r.code, 1);
  assert.match(r.err, /password/);
});

it("asks a running server", async () => {
  await post(server.url("http", "/v1/metrics"), gaugeRequest("cli", "cli_value", [{ value: 42 }]));
  await post(server.url("http", "/v1/logs"), logsRequest("cli", [{ body: "hello cli" }]));
  await post(server.url("http", "/v1/traces"), tracesRequest("cli", [{ name: "op" }]));
  assert.match(run("query", "instant", "cli_value").out, /cli_value\{job="cli"\} => 42 @\[/);
  assert.match(run("query", "range", "--start", "1m", "cli_value").out, /42 @\[/);
  assert.match(run("query", "logs", '{service_name="cli"}').out, /hello cli/);
  assert.match(run("query", "traces", "cli").out, /[0-9a-f]{32} 1 spans op/);
  assert.match(run("query", "labels", "job").out, /cli/);
  assert.match(run("query", "series", "cli_value").out, /cli_value/);
  const bad = run("query", "instant", "sum(");
  assert.equal(bad.code, 1);
  assert.match(bad.err, /parse error/);
  assert.equal(run("status").code, 0);
  assert.ok(JSON.parse(run("status", "--json").out).every((s: any) => s.up));
});

it("says when nothing listens", () => {
  const r = run("query", "instant", "--server", "http://127.0.0.1:1", "up");
  assert.equal(r.code, 1);
  assert.match(r.err, /is the server running/);
});

it("keeps docs/configuration.md in step with the table", () => {
  assert.equal(run("check", "config", "--markdown").out, readFileSync("docs/configuration.md", "utf8"));
});
