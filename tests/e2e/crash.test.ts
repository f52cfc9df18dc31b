// kill -9 in the middle of writing, again and again: what was acknowledged is there once, whatever else happened.
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, it } from "node:test";
import { gaugeRequest, logsRequest, post, tracesRequest } from "./lib/otlp";
import { writeBody } from "./lib/promdata";
import { eventually, Server, sleep } from "./lib/server";

const ROUNDS = Number(process.env.MEERKAT_CRASH_ROUNDS ?? 20);
const dataDir = mkdtempSync(join(tmpdir(), "meerkat-crash-"));
after(() => rmSync(dataDir, { recursive: true, force: true }));

interface Acked { spans: Map<string, string>; lines: Set<string>; samples: Map<number, number>; written: Map<number, number> }
const acked: Acked = { spans: new Map(), lines: new Set(), samples: new Map(), written: new Map() };
const writeHeaders = { "Content-Encoding": "snappy", "Content-Type": "application/x-protobuf" };
const startMs = Date.now() - 3_600_000;
let sequence = 0;

// Four writers per signal send until the connection breaks; what got a 200 is noted.
async function write(server: Server, until: { stop: boolean }): Promise<void> {
  const worker = async (signal: string) => {
    while (!until.stop) {
      const n = sequence++;
      try {
        if (signal === "traces") {
          const hex = (n + 1).toString(16), traceId = `5${hex.padStart(31, "0")}`, spanId = `7${hex.padStart(15, "0")}`;
          if ((await post(server.url("http", "/v1/traces"), tracesRequest("crash", [{ name: `op`, traceId, spanId }]))).ok) acked.spans.set(traceId, spanId);
        } else if (signal === "logs") {
          const body = `line-${n}-end`;
          if ((await post(server.url("http", "/v1/logs"), logsRequest("crash", [{ body }]))).ok) acked.lines.add(body);
        } else if (signal === "write") { // small, of a series that is known: without a worker
          const tMs = startMs + n * 10, body = writeBody([{ labels: { __name__: "written_value", job: "crash" }, samples: [{ t: tMs, v: n }] }]);
          if ((await fetch(server.url("prometheus", "/api/v1/write"), { method: "POST", headers: writeHeaders, body: body as any })).ok) acked.written.set(tMs, n);
        } else {
          const tMs = startMs + n * 10;
          if ((await post(server.url("http", "/v1/metrics"), gaugeRequest("crash", "crash_value", [{ value: n, tMs }]))).ok) acked.samples.set(tMs, n);
        }
      } catch { return; }
    }
  };
  await Promise.all(["traces", "logs", "metrics", "write"].flatMap((s) => [worker(s), worker(s), worker(s), worker(s)]));
}

async function check(server: Server): Promise<void> {
  const lines = new Map<string, number>();
  let end = BigInt(Date.now() + 60_000) * 1_000_000n;
  for (;;) {
    const answer = await server.json("loki", `/loki/api/v1/query_range?query=${encodeURIComponent('{service_name="crash"}')}&limit=5000&start=${BigInt(startMs) * 1_000_000n}&end=${end}`);
    const values: [string, string][] = answer.data.result.flatMap((s: any) => s.values);
    for (const [, line] of values) lines.set(line, (lines.get(line) ?? 0) + 1);
    if (values.length < 5000) break;
    end = values.reduce((m, [t]) => (BigInt(t) < m ? BigInt(t) : m), end);
  }
  for (const line of acked.lines) assert.ok(lines.has(line), `acknowledged ${line} is lost`);
  for (const [line, n] of lines) assert.equal(n, 1, `${line} is there ${n} times`);

  const seconds = Math.ceil((Date.now() - startMs) / 1000) + 10;
  for (const [name, sent] of [["crash_value", acked.samples], ["written_value", acked.written]] as const) {
    const matrix = await server.json("prometheus", `/api/v1/query?query=${encodeURIComponent(`${name}{job="crash"}[${seconds}s]`)}&time=${(startMs + sequence * 10) / 1000 + 1}`);
    const samples = new Map<number, number>((matrix.data.result[0]?.values ?? []).map(([t, v]: [number, string]) => [Math.round(t * 1000), Number(v)]));
    for (const [t, v] of sent) assert.equal(samples.get(t), v, `acknowledged sample ${v} of ${name} at ${t} is lost`);
    assert.equal(samples.size, matrix.data.result[0]?.values.length ?? 0, "a sample is there twice");
  }

  for (const [traceId, spanId] of acked.spans) {
    const trace = await server.json("jaeger", `/api/traces/${traceId}`);
    assert.deepEqual(trace.data[0].spans.map((s: any) => s.spanID), [spanId]);
  }
}

it(`keeps what it acknowledged through ${ROUNDS} kills`, async () => {
  for (let round = 0; round < ROUNDS; round++) {
    const server = await Server.start({ dataDir });
    const until = { stop: false };
    const writing = write(server, until);
    const kinds = [acked.lines, acked.spans, acked.samples, acked.written], had = kinds.map((k) => k.size);
    await sleep(150 + Math.random() * 350);
    await eventually("some of each is acknowledged", async () => kinds.every((k, i) => k.size > had[i]! + 1));
    await server.kill9();
    until.stop = true;
    await writing;
    if (round % 5 === 4) {
      const again = await Server.start({ dataDir });
      await check(again);
      await again.kill9();
    }
  }
  assert.ok(acked.lines.size > ROUNDS && acked.spans.size > ROUNDS && acked.samples.size > ROUNDS && acked.written.size > ROUNDS, "too little was written to mean anything");
  const server = await Server.start({ dataDir });
  await check(server);
  await server.stop();
  const after = await Server.start({ dataDir });
  await check(after); // now from parts
  await after.stop();
});

const files = (dir: string): string[] => readdirSync(dir, { withFileTypes: true }).flatMap((e) => (e.isDirectory() ? files(join(dir, e.name)) : [join(dir, e.name)]));
const flip = (file: string, at: number) => { const b = readFileSync(file); b[at] ^= 1; writeFileSync(file, b); };

it("reports a flipped bit in a part and serves the rest", async () => {
  const parts = files(dataDir).filter((f) => f.endsWith(".mkp") && f.includes("logs"));
  assert.ok(parts.length > 0, "there is no part to damage");
  const victim = parts.sort((a, b) => statSync(b).size - statSync(a).size)[0];
  flip(victim, Math.floor(statSync(victim).size / 3));
  const server = await Server.start({ dataDir, args: ["--self.interval", "1s"] });
  await post(server.url("http", "/v1/logs"), logsRequest("fresh", [{ body: "still alive" }]));
  await fetch(server.url("loki", `/loki/api/v1/query_range?query=${encodeURIComponent('{service_name="crash"}')}&limit=5000`)).then((r) => r.text());
  const answer = await server.json("loki", `/loki/api/v1/query_range?query=${encodeURIComponent('{service_name="fresh"}')}`);
  assert.equal(answer.data.result[0].values[0][1], "still alive");
  assert.ok((await server.promValue("count(up)")) !== undefined);
  await eventually("the report", async () => /meerkat_store_corruptions_total\{store="logs"\} [1-9]/.test(await (await fetch(server.url("own", "/metrics"))).text()));
  await eventually("the log line", async () => /damaged data/.test(server.log));
  await server.stop();
});

it("cuts a torn tail off the log and says so", async () => {
  const dir = mkdtempSync(join(tmpdir(), "meerkat-torn-"));
  let server = await Server.start({ dataDir: dir });
  for (let i = 0; i < 20; i++) await post(server.url("http", "/v1/logs"), logsRequest("torn", [{ body: `n${i}` }]));
  await server.kill9();
  const wals = files(dir).filter((f) => f.includes("logs") && /wal-.*\.log$/.test(f) && statSync(f).size > 200);
  assert.equal(wals.length, 1);
  const bytes = readFileSync(wals[0]);
  let written = bytes.length;
  while (bytes[written - 1] === 0) written--; // room for more
  flip(wals[0], written - 5); // inside the last frame
  server = await Server.start({ dataDir: dir });
  const answer = await server.json("loki", `/loki/api/v1/query_range?query=${encodeURIComponent('{service_name="torn"}')}&limit=1000`);
  const lines = answer.data.result.flatMap((s: any) => s.values.map((v: any) => v[1]));
  assert.ok(lines.length >= 10 && lines.length < 20, `${lines.length} lines are left`);
  assert.match(server.log, /cut off|damaged/);
  await server.stop();
  rmSync(dir, { recursive: true, force: true });
});
