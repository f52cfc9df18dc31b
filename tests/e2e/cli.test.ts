// The command line: exit codes, help, messages that say what was wrong, where, and what to do.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { createServer } from "node:net";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, it } from "node:test";
import { gaugeRequest, logsRequest, post, tracesRequest } from "./lib/otlp";
import { versionOf } from "./lib/promserver";
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
  await new Promise<void>((listening) => blocker.listen(0, "127.0.0.1", listening));
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

/** Services that a binary configured with -Dui=false does not have. */
const notBuilt = async () => (await (await fetch(server.url("ui", "/login"))).text()).includes("-Dui=false") ? ["ui"] : [];

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
  const down = await notBuilt();
  assert.equal(run("status").code, down.length);
  assert.deepEqual(JSON.parse(run("status", "--json").out).filter((s: any) => !s.up).map((s: any) => s.service), down);
});

const noPromtool = versionOf("promtool") ? false : "promtool is not installed";

it("prints what promtool prints", { skip: noPromtool }, () => {
  const url = server.url("prometheus"), at = String(Math.floor(Date.now() / 1000));
  const cases = [
    ["query", "instant", "--time", at, url, "cli_value"], ["query", "instant", "--time", at, url, "nothing"],
    ["query", "instant", "--time", at, url, "1/3"], ["query", "instant", "-o", "json", "--time", at, url, "cli_value"],
    ["query", "instant", "--time", at, url, '{job=~".+"}'], ["query", "instant", "--time", at, url, "cli_value[5m]"],
    ["query", "range", "--start", String(Number(at) - 60), "--end", at, url, "vector(time())"],
    ["query", "range", "-o", "json", "--start", String(Number(at) - 60), "--end", at, url, "cli_value"],
    ["query", "series", "--match", "cli_value", url], ["query", "series", "-o", "json", "--match", "cli_value", url],
    ["query", "labels", url, "job"], ["query", "labels", "-o", "json", url, "job"],
  ];
  for (const args of cases) {
    const theirs = spawnSync("promtool", args, { encoding: "utf8" }), ours = run(...args);
    assert.equal(ours.out, theirs.stdout, args.join(" "));
    assert.equal(ours.code, theirs.status, args.join(" "));
  }
});

it("checks expositions in promtool's words", { skip: noPromtool }, () => {
  const text = [
    "# HELP good_total x", "# TYPE good_total counter", "good_total 1", "# TYPE bad counter", "bad 1", 'bad{aB="x"} 1',
    "# TYPE my_gauge gauge", 'my_gauge{le="1",quantile="2"} 1', "milliseconds_x 1", "foo:bar 1", "camelCase 1",
    "# HELP x_bucket x", "# TYPE x_bucket gauge", "x_bucket 1", "# TYPE h_sec histogram", 'h_sec_bucket{le="+Inf"} 1', "h_sec_sum 1", "h_sec_count 1", ""].join("\n");
  for (const [input, args] of [[text, []], ["# HELP a_total x\n# TYPE a_total counter\na_total 1\n", []], ["a{", []]] as [string, string[]][]) {
    const theirs = spawnSync("promtool", ["check", "metrics", ...args], { encoding: "utf8", input });
    const ours = spawnSync(binary, ["check", "metrics", ...args], { encoding: "utf8", input });
    assert.equal(ours.status, theirs.status, input);
    if (theirs.status !== 1) assert.equal(ours.stderr, theirs.stderr, input);
  }
});

it("completes and documents itself", () => {
  for (const shell of ["bash", "zsh", "fish"]) assert.match(run("completion", shell).out, /query/);
  const words = (...typed: string[]) => execFileSync("bash", ["-c",
    `source <("${binary}" completion bash); COMP_WORDS=(${typed.map((w) => `'${w}'`).join(" ")}); COMP_CWORD=${typed.length - 1}; _meerkat; echo "\${COMPREPLY[@]}"`], { encoding: "utf8", cwd: dir }).trim();
  assert.equal(words("meerkat", "ser"), "serve");
  assert.match(words("meerkat", "query", "inst"), /^instant/);
  assert.equal(words("meerkat", "query", "instant", "--ti"), "--time");
  assert.equal(words("meerkat", "serve", "--prom"), "--prometheus.config");
  assert.match(run("man").out, /^\.TH MEERKAT 1/);
  for (const wrong of [["query", "instnt", "x"], ["query", "instant", "--tme", "x"], ["check", "metrics", "--extnded"]]) {
    const r = run(...wrong);
    assert.equal(r.code, 2, wrong.join(" "));
    assert.match(r.err, /did you mean/);
  }
  const exe = resolve(binary); // it asks the program itself
  assert.match(words("meerkat", "tsdb", "create-blocks-from", ""), /^openmetrics rules --help/);
  assert.match(words("meerkat", "tsdb", "create-blocks-from", "rules", "--"), /--output-dir/);
  assert.equal(words(exe, "promtool", "check", "co"), "config");
  assert.match(words(exe, "promtool", "push", "metrics", "--p"), /^--protobuf_message$/);
  assert.equal(run("help", "check", "rules").out, run("check", "rules", "--help").out);
  assert.equal(run("help", "sevre").code, 2);
});

it("finds the server by --port-offset as by the environment", async () => {
  const env: any = { ...process.env };
  delete env.MEERKAT_PORT_OFFSET;
  const at = (...args: string[]) => spawnSync(binary, args, { encoding: "utf8", env, timeout: 60_000 });
  const offset = String(server.offset), down = await notBuilt();
  for (const command of [["status"], ["query", "instant", "1"], ["query", "labels"], ["alert", "query"], ["silence", "query"], ["demo", "--once", "--backfill", "0s"]]) {
    const r = at(...command, "--port-offset", offset);
    assert.equal(r.status, command[0] === "status" ? down.length : 0, `${command.join(" ")}: ${r.stderr}`);
  }
  assert.match(at("status", `--port-offset=${offset}`).stdout, new RegExp(`:${3001 + server.offset}\n`));
  for (const bad of [["--port-offset"], ["--port-offset", "x"], ["--port-offset", "-1"], ["--port-offset", "50001"]]) {
    const r = at("status", ...bad);
    assert.equal(r.status, 2, bad.join(" "));
    assert.match(r.stderr, /--port-offset/);
  }
});

it("says what each of its own metrics is", async () => {
  const text = await (await fetch(server.url("own", "/metrics"))).text();
  const described = new Set([...text.matchAll(/^# HELP (\S+) \S/gm)].map((m) => m[1]));
  assert.deepEqual([...text.matchAll(/^# TYPE (\S+)/gm)].map((m) => m[1]).filter((name) => !described.has(name!)), []);
});

it("says when nothing listens", () => {
  const r = run("query", "instant", "--server", "http://127.0.0.1:1", "up");
  assert.equal(r.code, 1);
  assert.match(r.err, /is the server running/);
});

it("does not start where too few files may be open, and says so", () => {
  const r = spawnSync("sh", ["-c", `ulimit -n 32; exec "${binary}" serve --data-dir "${join(tmpdir(), "meerkat-no-files")}" --port-offset 1`], { encoding: "utf8", timeout: 60_000 });
  assert.equal(r.status, 1);
  assert.match(r.stderr, /^meerkat: only 32 files may be open; the server needs 256 at least\n {2}help: raise the limit: ulimit -n/m);
});

it("keeps docs/configuration.md in step with the table", () => {
  assert.equal(run("check", "config", "--markdown").out, readFileSync("docs/configuration.md", "utf8"));
});
