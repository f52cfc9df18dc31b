// From Prometheus and back: a real Prometheus' directory is imported and answers as before, exported blocks and snapshots
// are read by promtool and by a real Prometheus; backup and restore; retention by selector.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, openSync, closeSync, readFileSync, readdirSync, readSync, rmSync, statSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, it } from "node:test";
import { answerDiffers, ask, type Answer } from "./lib/compare";
import { fleet, MINUTES, remoteWrite, snappy, type Series } from "./lib/promdata";
import { byHand } from "./lib/promqueries";
import { Prometheus, prometheusVersion } from "./lib/promserver";
import { binary, eventually, Server, sleep } from "./lib/server";

const skip = prometheusVersion() ? false : "prometheus is not installed";
const dir = mkdtempSync(join(tmpdir(), "meerkat-tsdb-"));
const base = Math.floor(Date.now() / 600_000) * 600_000 - 100 * 60_000;
const at = (minutes: number) => String((base + minutes * 60_000 + 11_250) / 1000);
const fill = (text: string) => text.replaceAll("%T", at(33)).replaceAll("%A", at(0)).replaceAll("%B", at(MINUTES + 1));
const params = (object: Record<string, string>) => new URLSearchParams(object).toString();
const histogramQueries = ["histogram_count(native)", "histogram_sum(rate(native[5m]))", "histogram_count(increase(native[10m]))", "histogram_count(native_gauge)"];
const path = (query: string) => `/api/v1/query_range?${params({ query: fill(query), start: at(2), end: at(MINUTES + 6), step: "73.5" })}`;
const queries = [...byHand, ...histogramQueries].map(path);
const prom = join(dir, "prometheus"), data = join(dir, "data");
const promArgs = ["--enable-feature=native-histograms", "--web.enable-admin-api"];
let theirs: Answer[] = [], snapshot = "", server: Server | undefined;

const run = (command: string, ...args: string[]) => {
  const r = spawnSync(command, args, { encoding: "utf8", timeout: 60_000, maxBuffer: 1 << 28 });
  return { code: r.status, out: r.stdout, err: r.stderr };
};
const ok = (command: string, ...args: string[]) => {
  const r = run(command, ...args);
  assert.equal(r.code, 0, `${command} ${args.join(" ")}: ${r.err}`);
  return r.out;
};
const sorted = (text: string) => text.split("\n").filter(Boolean).sort();
/** 2.42's promtool leaves histograms out. */
const floats = (lines: string[]) => lines.filter((line) => !line.includes("{count:"));
function sameLines(mine: string[], other: string[]): void {
  const a = new Set(mine), b = new Set(other), extra = mine.filter((x) => !b.has(x)), missing = other.filter((x) => !a.has(x));
  assert.ok(extra.length + missing.length === 0 && mine.length === other.length, `${mine.length} and ${other.length} lines; only here: ${extra.slice(0, 3).join("; ")}; only there: ${missing.slice(0, 3).join("; ")}`);
}
/** promtool wants a directory "wal", also where there are only blocks. */
const promtoolDump = (from: string) => { mkdirSync(join(from, "wal"), { recursive: true }); return sorted(ok("promtool", "tsdb", "dump", from)); };

// --- native histograms by remote write: integer ones with a positive and a negative bucket span ---
const varint = (n: number): number[] => { const out: number[] = []; let v = BigInt(n); for (; v > 127n; v >>= 7n) out.push(Number(v & 127n) | 128); out.push(Number(v)); return out; };
const sint = (n: number) => varint(n < 0 ? -2 * n - 1 : 2 * n);
const block = (tag: number, body: number[] | Buffer) => { const b = Buffer.from(body); return Buffer.concat([Buffer.from([tag, ...varint(b.length)]), b]); };
const double = (tag: number, v: number) => { const b = Buffer.alloc(9); b[0] = tag; b.writeDoubleLE(v, 1); return b; };

function histogram(t: number, n: number, gauge: boolean): Buffer {
  const spans = [[-2, 2], [3, 1]].map(([offset, length]) => block(0x5a, [0x08, ...sint(offset), 0x10, ...varint(length)]));
  const counts = [n, 2 * n, n + 1], deltas = counts.flatMap((c, i) => sint(c - (i ? counts[i - 1] : 0)));
  const total = counts.reduce((a, b) => a + b, 0) + n;
  return block(0x22, Buffer.concat([Buffer.from([0x08, ...varint(total)]), double(0x19, n * 1.25), Buffer.from([0x20, ...sint(1)]), double(0x29, 0.001),
    Buffer.from([0x30, ...varint(n)]), ...spans, block(0x62, deltas), Buffer.from(gauge ? [0x70, 3] : []), Buffer.from([0x78, ...varint(t)])]));
}

async function writeHistograms(url: string): Promise<void> {
  const label = (name: string, value: string) => block(0x0a, Buffer.concat([block(0x0a, Buffer.from(name)), block(0x12, Buffer.from(value))]));
  const series = (name: string, gauge: boolean, value: (i: number) => number) => block(0x0a, Buffer.concat([label("__name__", name), label("job", "h"),
    ...Array.from({ length: 200 }, (_, i) => histogram(base + 25 * 60_000 + i * 15_000 + 3, value(i), gauge))]));
  // Without resets, also of the gauge: 2.42 cannot write a snapshot of those. From far above zero, as in fleet().
  const body = Buffer.concat([series("native", false, (i) => i * 3 + 10_000), series("native_gauge", true, (i) => 20 + i)]);
  const response = await fetch(url, { method: "POST", body: new Uint8Array(snappy(body)), headers: { "Content-Encoding": "snappy", "Content-Type": "application/x-protobuf" } });
  assert.ok(response.ok, await response.text());
}

const ours = (a: Answer): Answer => {
  // 2.42 names the parameter in errors of instant queries only; 3.x in both.
  if (a.json?.error) a.json.error = a.json.error.replace(/^invalid parameter "query": /, "");
  return a;
};

async function compareWith(url: (path: string) => string): Promise<void> {
  const failures: string[] = [];
  for (const [i, q] of queries.entries()) {
    const difference = answerDiffers(theirs[i], ours(await ask(url(q))));
    if (difference) failures.push(`${decodeURIComponent(q)}\n      ${difference}`);
  }
  assert.equal(failures.length, 0, failures.join("\n"));
}

before(async () => {
  if (skip) return;
  mkdirSync(prom);
  const p = await Prometheus.start("{}\n", { dir: prom, args: promArgs });
  try {
    await remoteWrite(p.url("/api/v1/write"), fleet(base));
    await writeHistograms(p.url("/api/v1/write")); // no older than an hour before the newest: the head takes no others
    const late = base + 70 * 60_000;
    await remoteWrite(p.url("/api/v1/write"), [{ labels: { __name__: "deleted", job: "x" }, samples: [{ t: late + 1001, v: 1 }, { t: late + 60_001, v: 2 }] }]);
    const gone = params({ "match[]": "deleted", end: String((late + 2000) / 1000) });
    assert.equal((await fetch(p.url(`/api/v1/admin/tsdb/delete_series?${gone}`), { method: "POST" })).status, 204);
    for (const q of queries) theirs.push(await ask(p.url(q)));
    const made = await ask(p.url("/api/v1/admin/tsdb/snapshot"), { method: "POST" });
    assert.equal(made.status, 200, made.text);
    snapshot = join(prom, "data/snapshots", made.json.data.name);
  } finally {
    await p.stopGently();
  }
});
after(async () => {
  await server?.stop();
  rmSync(dir, { recursive: true, force: true });
});

it("the log of a stopped Prometheus: list, dump and import as promtool sees it", { skip }, async () => {
  const text = ok(binary, "tsdb", "import", "--data-dir", data, join(prom, "data"));
  assert.equal(text, "");
  const mine = sorted(ok(binary, "tsdb", "dump", data));
  assert.ok(mine.length > 30_000);
  sameLines(floats(mine), promtoolDump(join(prom, "data")));
  assert.equal(mine.length - floats(mine).length, 400);
  sameLines(sorted(ok(binary, "tsdb", "dump", join(prom, "data"))), mine);
  assert.equal(mine.filter((line) => line.startsWith('{__name__="deleted"')).length, 1);
  // Again: nothing is there twice.
  ok(binary, "tsdb", "import", "--data-dir", data, join(prom, "data"));
  sameLines(sorted(ok(binary, "tsdb", "dump", data)), mine);
});

it("a snapshot's block: the same samples, the same list", { skip }, async () => {
  const other = join(dir, "from-block");
  ok(binary, "tsdb", "import", "--data-dir", other, snapshot);
  const mine = sorted(ok(binary, "tsdb", "dump", other));
  sameLines(floats(mine), promtoolDump(snapshot));
  assert.equal(mine.length - floats(mine).length, 400);
  assert.equal(ok(binary, "tsdb", "list", snapshot), ok("promtool", "tsdb", "list", snapshot));
  assert.equal(ok(binary, "tsdb", "list", "-r", snapshot), ok("promtool", "tsdb", "list", "-r", snapshot));
  const facts = (text: string) => text.split("\n").filter((line) => /^(Block ID|Duration|Label names|Postings)/.test(line));
  assert.deepEqual(facts(ok(binary, "tsdb", "analyze", snapshot)), facts(ok("promtool", "tsdb", "analyze", snapshot)));
});

it("answers as Prometheus did", { skip }, async () => {
  server = await Server.start({ dataDir: data, args: ["--web.enable-admin-api"] });
  await compareWith((q) => server!.url("prometheus", q));
});

it("a snapshot of the running server: promtool and a real Prometheus read it", { skip }, async () => {
  const closed = await Server.start();
  const refused = await ask(closed.url("prometheus", "/api/v1/admin/tsdb/snapshot"), { method: "POST" });
  await closed.stop();
  assert.deepEqual([refused.status, refused.json], [500, { status: "error", errorType: "unavailable", error: "admin APIs disabled" }]);
  const made = await ask(server!.url("prometheus", "/api/v1/admin/tsdb/snapshot"), { method: "POST" });
  assert.match(made.json.data.name, /^\d{8}T\d{6}Z-[0-9a-f]{16}$/);
  const wrong = await ask(server!.url("prometheus", "/api/v1/admin/tsdb/snapshot?skip_head=maybe"), { method: "POST" });
  assert.deepEqual([wrong.status, wrong.json.errorType], [400, "bad_data"]);
  const blocks = join(data, "snapshots", made.json.data.name);
  const meta = readdirSync(blocks).map((ulid) => JSON.parse(readFileSync(join(blocks, ulid, "meta.json"), "utf8")));
  for (const m of meta) assert.equal(Math.floor(m.minTime / 7_200_000), Math.floor((m.maxTime - 1) / 7_200_000));
  ok("promtool", "tsdb", "list", blocks);
  assert.match(ok("promtool", "tsdb", "analyze", "--extended", blocks), /Series: /);
  const again = join(dir, "again");
  cpSync(blocks, join(again, "data"), { recursive: true });
  const p = await Prometheus.start("{}\n", { dir: again, args: promArgs });
  try {
    await compareWith((q) => p.url(q));
  } finally {
    await p.stop();
  }
});

it("deleted samples leave the disk", { skip }, async () => {
  const s = server!, gone = params({ "match[]": "odd" });
  assert.equal((await fetch(s.url("prometheus", `/api/v1/admin/tsdb/delete_series?${gone}`), { method: "POST" })).status, 204);
  const answer = await fetch(s.url("prometheus", "/api/v1/admin/tsdb/clean_tombstones"), { method: "POST" });
  assert.deepEqual([answer.status, await answer.text()], [204, ""]);
  assert.equal(await s.promValue("count(odd)", Number(at(40))), undefined);
});

it("export by selector and time, with damage on the way back", { skip }, async () => {
  await server!.stop();
  server = undefined;
  const out = join(dir, "out"), from = String((base + 1_200_000) / 1000);
  ok(binary, "tsdb", "export", "--output", out, "--data-dir", data, "--match", '{job="api"}', "--start", from);
  const lines = promtoolDump(out), all = sorted(ok(binary, "tsdb", "dump", "--match", '{job="api"}', "--start", from, data));
  assert.ok(lines.length > 1000);
  sameLines(lines, all);
  const text = join(dir, "samples.om"), blocks = join(dir, "from-text");
  writeFileSync(text, ok(binary, "tsdb", "dump-openmetrics", "--match", '{job="db",__name__!~".*_info|flapping"}', data));
  ok("promtool", "tsdb", "create-blocks-from", "openmetrics", text, blocks);
  sameLines(promtoolDump(blocks), sorted(ok(binary, "tsdb", "dump", "--match", '{job="db",__name__!~".*_info|flapping"}', data)));
  assert.equal(sorted(ok(binary, "tsdb", "create-blocks-from", "openmetrics", text, join(dir, "own-blocks"))).length, readdirSync(blocks).filter((f) => f.length === 26).length + 1);
  sameLines(promtoolDump(join(dir, "own-blocks")), promtoolDump(blocks));
  const busy = await Server.start({ dataDir: data });
  const locked = run(binary, "tsdb", "dump", data);
  await busy.stop();
  assert.equal(locked.code, 1);
  assert.match(locked.err, /a server is using it/);
  // A flipped bit costs a chunk, and the import says so.
  const block = readdirSync(out).find((name) => name.length === 26)!, chunks = join(out, block, "chunks/000001");
  flip(chunks, Math.floor(statSync(chunks).size / 2));
  const damaged = run(binary, "tsdb", "import", "--data-dir", join(dir, "damaged"), out);
  assert.equal(damaged.code, 1);
  assert.match(damaged.err, /damaged and left out: 0 blocks, 0 series, 1 chunks/);
  const part = run(binary, "tsdb", "dump", out); // so does a dump, of what there is
  assert.equal(part.code, 1);
  assert.match(part.err, /damaged data left out, first of it: ./);
  const kept = sorted(ok(binary, "tsdb", "dump", join(dir, "damaged")));
  sameLines(sorted(part.out), kept);
  assert.ok(kept.length < lines.length && kept.length > lines.length - 200, `${kept.length} of ${lines.length}`);
  const nothing = run(binary, "tsdb", "import", "--data-dir", join(dir, "x"), tmpdir());
  assert.equal(nothing.code, 1);
  assert.match(nothing.err, /neither blocks nor a write-ahead log/);
});

function flip(file: string, at: number): void {
  const fd = openSync(file, "r+"), byte = Buffer.alloc(1);
  readSync(fd, byte, 0, 1, at);
  byte[0] ^= 8;
  writeSync(fd, byte, 0, 1, at);
  closeSync(fd);
}

const point = (name: string, t: number, v: number): Series => ({ labels: { __name__: name, job: "w" }, samples: [{ t, v }] });

it("import into a running server by remote write", { skip }, async () => {
  const s = await Server.start();
  ok(binary, "tsdb", "import", "--server", s.url("prometheus"), snapshot);
  const [mine, original] = [await ask(s.url("prometheus", path("sum(rate(http_requests_total[5m]))"))), theirs[queries.indexOf(path("sum(rate(http_requests_total[5m]))"))]];
  if (original) assert.equal(answerDiffers(original, mine), undefined);
  assert.equal(await s.promValue("histogram_count(native_gauge)", Number(at(40))) !== undefined, true);
  await s.stop();
});

it("backup while writing, restored by another server; only new parts the second time", async () => {
  const s = await Server.start(), start = Date.now() - 600_000, backups = join(dir, "backup"), back = join(dir, "back");
  const env = { ...process.env, MEERKAT_PORT_OFFSET: String(s.offset) };
  const backup = () => spawnSync(binary, ["backup", backups], { encoding: "utf8", env });
  let n = 0, stop = false;
  const writer = (async () => { while (!stop) { await remoteWrite(s.url("prometheus", "/api/v1/write"), [point("w", start + n, n)]); n++; await sleep(0); } })();
  await eventually("something is written", async () => n > 20);
  // One that says when it began: start times are in a backup as well.
  const began = { timeUnixNano: `${start}000000`, startTimeUnixNano: `${start - 30_000}000000`, asDouble: 3 };
  const sent = await fetch(s.url("http", "/v1/metrics"), { method: "POST", headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ resourceMetrics: [{ scopeMetrics: [{ metrics: [{ name: "began", sum: { isMonotonic: true, aggregationTemporality: 2, dataPoints: [began] } }] }] }] }) });
  assert.equal(sent.status, 200);
  const before = n, first = spawnSyncLater(binary, ["backup", backups], env);
  const done = await first;
  assert.equal(done.code, 0, done.err);
  assert.match(done.err, /backed up \d+ files/);
  stop = true;
  await writer;
  const second = backup();
  assert.equal(second.status, 0, second.stderr);
  assert.match(second.stderr, /the rest was there/);
  assert.deepEqual(readdirSync(join(s.dataDir, "backup.tmp")), []);
  writeFileSync(join(dir, "not-a-backup"), "");
  assert.equal(run(binary, "backup", "--server", s.url("prometheus"), dir).code, 1); // not empty, no backup
  await s.stop();
  ok(binary, "restore", "--data-dir", back, backups);
  assert.equal(run(binary, "restore", "--data-dir", back, backups).code, 1);
  const restored = await Server.start({ dataDir: back, args: ["--query.use-start-timestamps"] });
  const answer = await restored.json("prometheus", `/api/v1/query?${params({ query: "w[1h]", time: String((start + n + 1000) / 1000) })}`);
  assert.equal(answer.data.result[0].values.length, n);
  assert.equal(await restored.promValue("start_timestamp(began_total)", start / 1000), (start - 30_000) / 1000);
  await restored.stop();
  // The first one, taken in the middle: everything that was acknowledged before it began.
  assert.ok(before > 20);
  const files: string[] = readdirSync(join(backups, "files/metrics/parts")).filter((f) => f.includes(".mkp"));
  flip(join(backups, "files/metrics/parts", files[0]), 100);
  const damaged = run(binary, "restore", "--data-dir", join(dir, "never"), backups);
  assert.equal(damaged.code, 1);
  assert.match(damaged.err, /is damaged: its checksum/);
  assert.ok(!readdirSync(dir).includes("never"));
});

function spawnSyncLater(command: string, args: string[], env: NodeJS.ProcessEnv): Promise<{ code: number | null; err: string }> {
  return import("node:child_process").then(({ spawn }) => new Promise((resolve) => {
    const child = spawn(command, args, { env, stdio: ["ignore", "ignore", "pipe"] });
    let err = "";
    child.stderr.on("data", (chunk) => (err += chunk));
    child.on("exit", (code) => resolve({ code, err }));
  }));
}

it("a backup killed again and again leaves the one before", async () => {
  const s = await Server.start(), backups = join(dir, "killed"), env = { ...process.env, MEERKAT_PORT_OFFSET: String(s.offset) };
  await remoteWrite(s.url("prometheus", "/api/v1/write"), [point("kept", Date.now() - 1000, 42)]);
  assert.equal(spawnSync(binary, ["backup", backups], { env }).status, 0);
  const { spawn } = await import("node:child_process");
  for (let i = 0; i < 6; i++) {
    await remoteWrite(s.url("prometheus", "/api/v1/write"), [point("more", Date.now() - 1000 + i, i)]);
    const child = spawn(binary, ["backup", backups], { env, stdio: "ignore" });
    await sleep(i * 15);
    child.kill("SIGKILL");
    await new Promise((resolve) => child.on("exit", resolve));
    rmSync(join(dir, "check"), { recursive: true, force: true });
    ok(binary, "restore", "--data-dir", join(dir, "check"), backups);
  }
  await s.stop();
  const restored = await Server.start({ dataDir: join(dir, "check") });
  assert.equal(await restored.promValue("last_over_time(kept[1h])"), 42);
  await restored.stop();
});

it("retention by selector", async () => {
  const config = join(dir, "meerkat.yml"), env = {}, old = Date.now() - 30 * 3_600_000;
  writeFileSync(config, 'retention:\n- {selector: \'{job="short"}\', keep: 2h}\ndownsample:\n- {selector: thin, after: 24h, resolution: 10m}\n');
  const s = await Server.start({ args: ["--config", config], env });
  const series = (name: string, job: string): Series => ({ labels: { __name__: name, job }, samples: Array.from({ length: 120 }, (_, i) => ({ t: old + i * 30_000, v: i })) });
  await remoteWrite(s.url("prometheus", "/api/v1/write"), [series("a", "short"), series("a", "long"), series("thin", "long")], 3_600_000);
  const count = (selector: string) => s.promValue(`count_over_time(${selector}[31h])`);
  assert.equal(await count('a{job="long"}'), 120);
  // A backup writes the head out; the rules are for what is on disk.
  assert.equal(spawnSync(binary, ["backup", join(dir, "flushed")], { env: { ...process.env, MEERKAT_PORT_OFFSET: String(s.offset) } }).status, 0);
  await eventually("the short ones are gone", async () => (await count('a{job="short"}')) === undefined);
  await eventually("the others are thinned out", async () => [6, 7].includes((await count("thin"))!));
  assert.equal(await count('a{job="long"}'), 120);
  await s.stop();
  writeFileSync(config, "retention:\n- {selector: '{job=', keep: 2h}\n");
  const bad = run(binary, "check", "config", config);
  assert.equal(bad.code, 1);
  assert.match(bad.err + bad.out, /meerkat\.yml:2:14: error: retention: selector is no series selector/);
});
