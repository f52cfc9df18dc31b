// A disk that is really full: a small tmpfs as the data directory. Mounting one needs root; without it this is skipped.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmdirSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, it } from "node:test";
import { gaugeRequest, logsRequest, post, tracesRequest } from "./lib/otlp";
import { eventually, Server, sleep } from "./lib/server";

const SIZE_MB = 24, BALLAST_MB = 8, REFUSALS = 8;
const RETRYABLE = [429, 502, 503, 504]; // OTLP/HTTP: "retryable response codes"
const disk = mkdtempSync(join(tmpdir(), "meerkat-disk-"));
const ballast = join(disk, "ballast");
const dataDir = join(disk, "data");

const mount = (...args: string[]) => spawnSync("mount", args, { encoding: "utf8" });
const mounted = mount("-t", "tmpfs", "-o", `size=${SIZE_MB}m`, "tmpfs", disk);
const skip = mounted.status === 0 ? false : `mounting a tmpfs is not permitted here (root is needed): ${(mounted.stderr ?? String(mounted.error)).trim()}`;
const freeBytes = () => { const s = statfsSync(disk); return s.bavail * s.bsize; };
let running: Server | undefined; // the last one: a failed check must not leave it behind
const start = async () => (running = await Server.start({ dataDir }));
after(async () => {
  if (running?.child.exitCode === null && running.child.signalCode === null) await running.kill9();
  if (!skip) spawnSync("umount", ["-l", disk]);
  rmdirSync(disk);
});

const signals = ["traces", "logs", "metrics"] as const;
type Signal = (typeof signals)[number];
const startMs = Date.now() - 1_800_000;
const acked = { traces: new Map<string, string[]>(), logs: new Set<string>(), metrics: new Map<number, Map<number, number>>() };
let sequence = 0;

const noise = (bytes: number) => randomBytes(bytes).toString("base64"); // nothing for a compressor

/** One request's worth; gives the status. A 200 is noted as acknowledged. */
async function send(server: Server, signal: Signal): Promise<number> {
  const n = sequence++;
  let body: unknown, note: () => void;
  if (signal === "traces") {
    const traceId = randomBytes(16).toString("hex"), spanIds = Array.from({ length: 50 }, () => randomBytes(8).toString("hex"));
    body = tracesRequest("disk", spanIds.map((spanId) => ({ name: "op", traceId, spanId, attributes: { noise: noise(300) } })));
    note = () => acked.traces.set(traceId, spanIds.sort());
  } else if (signal === "logs") {
    const lines = Array.from({ length: 50 }, (_, i) => ({ body: `${n}.${i} ${noise(300)}`, tNs: BigInt(startMs) * 1_000_000n + BigInt(n * 1000 + i) }));
    body = logsRequest("disk", lines);
    note = () => lines.forEach((l) => acked.logs.add(l.body));
  } else {
    const points = Array.from({ length: 500 }, (_, i) => ({ value: randomBytes(6).readUIntBE(0, 6) / 1e3, tMs: startMs + i * 100, labels: { batch: n } }));
    body = gaugeRequest("disk", "disk_value", points);
    note = () => acked.metrics.set(n, new Map(points.map((p) => [p.tMs, p.value])));
  }
  const response = await post(server.url("http", `/v1/${signal}`), body);
  const text = await response.text();
  if (response.ok) {
    assert.doesNotMatch(text, /partialSuccess":\{"?[^}]/, `${signal}: half a success on a full disk`);
    note();
  } else {
    assert.ok(RETRYABLE.includes(response.status), `${signal}: ${response.status} ${text} is not an answer to try again after`);
    assert.match(text, /message/, "the refusal says nothing");
  }
  return response.status;
}

/** Writes all three signals until each has been refused a number of times in a row. */
async function fill(server: Server): Promise<void> {
  const one = async (signal: Signal) => {
    for (let refused = 0; refused < REFUSALS;) {
      const status = await send(server, signal);
      refused = status === 200 ? 0 : refused + 1;
      if (status !== 200) await sleep(50);
    }
  };
  await Promise.all(signals.map(one));
}

async function checkLogs(server: Server): Promise<void> {
  const seen = new Map<string, number>();
  let end = BigInt(Date.now() + 60_000) * 1_000_000n;
  for (;;) {
    const answer = await server.json("loki", `/loki/api/v1/query_range?query=${encodeURIComponent('{service_name="disk"}')}&limit=5000&start=${BigInt(startMs) * 1_000_000n}&end=${end}`);
    const values: [string, string][] = answer.data.result.flatMap((s: any) => s.values);
    for (const [, line] of values) seen.set(line, (seen.get(line) ?? 0) + 1);
    if (values.length < 5000) break;
    end = values.reduce((m, [t]) => (BigInt(t) < m ? BigInt(t) : m), end);
  }
  for (const line of acked.logs) assert.ok(seen.has(line), `acknowledged line ${line.slice(0, 12)} is lost`);
  for (const [line, n] of seen) assert.equal(n, 1, `${line.slice(0, 12)} is there ${n} times`);
}

async function checkMetrics(server: Server): Promise<void> {
  const answer = await server.json("prometheus", `/api/v1/query?query=${encodeURIComponent('disk_value{job="disk"}[10m]')}&time=${startMs / 1000 + 300}`);
  const series = new Map<number, [number, string][]>(answer.data.result.map((s: any) => [Number(s.metric.batch), s.values]));
  for (const [batch, points] of acked.metrics) {
    const values = series.get(batch);
    assert.ok(values, `acknowledged series ${batch} is lost`);
    assert.equal(values.length, points.size, `series ${batch}`);
    for (const [t, v] of values) assert.equal(Number(v), points.get(Math.round(t * 1000)), `series ${batch} at ${t}`);
  }
}

async function checkTraces(server: Server): Promise<void> {
  for (const [traceId, spanIds] of acked.traces) {
    const trace = await server.json("jaeger", `/api/traces/${traceId}`);
    assert.deepEqual(trace.data[0].spans.map((s: any) => s.spanID).sort(), spanIds, `trace ${traceId}`);
  }
}

async function check(server: Server): Promise<void> {
  assert.ok(signals.every((s) => acked[s].size > 0), "too little was written to mean anything");
  await checkLogs(server);
  await checkMetrics(server);
  await checkTraces(server);
}

const accepts = (server: Server, signal: Signal) =>
  eventually(`${signal} are accepted again`, async () => (await send(server, signal)) === 200);

it("refuses what does not fit, keeps what it took, goes on when there is room", { skip }, async () => {
  writeFileSync(ballast, Buffer.alloc(BALLAST_MB << 20, 1));
  let server = await start();
  await fill(server);
  assert.ok(freeBytes() < 1 << 20, `${freeBytes()} bytes are free: the disk was not full`);
  assert.equal(server.child.exitCode, null);
  await check(server);
  await sleep(6000); // flushes, merges, compactions fail, and are tried again
  assert.equal(server.child.exitCode, null);
  await check(server);

  rmSync(ballast);
  await Promise.all(signals.map((s) => accepts(server, s)));
  await Promise.all(signals.map((s) => send(server, s)));
  await check(server);

  await server.kill9();
  server = await start();
  await check(server);
  await Promise.all(signals.map((s) => accepts(server, s)));
  await server.stop();
  server = await start();
  await check(server); // now from parts, as far as they had room
  await server.stop();
});

it("starts on a disk without any room, answers from it, and stops well", { skip }, async () => {
  let server = await start();
  await fill(server);
  await server.kill9();
  server = await start();
  await check(server);
  for (const s of signals) await send(server, s);
  await check(server);
  await server.stop();
  server = await start();
  await check(server);
  assert.equal(mount("-o", `remount,size=${4 * SIZE_MB}m`, disk).status, 0);
  await Promise.all(signals.map((s) => accepts(server, s)));
  await server.stop();
  server = await start();
  await check(server);
  await server.stop();
});
