// Many targets over time: a configuration that is read again and again, targets that misbehave.
import assert from "node:assert/strict";
import { createServer, type Server as HttpServer } from "node:http";
import { createServer as netServer, type Socket } from "node:net";
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, it } from "node:test";
import { gzipSync } from "node:zlib";
import { eventually, Server, sleep } from "./lib/server";

const dir = mkdtempSync(join(tmpdir(), "meerkat-targets-"));
let server: Server, targets: HttpServer, port = 0;

const intervalMs = 4000;
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
    const times = values.map(([t]) => Math.round(t * 1000)); // some may have begun a bit late
    times.slice(1).forEach((t, i) => assert.equal(Math.round((t - times[i]!) / intervalMs), 1, `${metric.instance} of ${metric.job}: ${times}`));
    assert.ok(times.length >= 5, `${metric.instance}: ${times}`);
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
  const range = await server.json("prometheus", `/api/v1/query_range?query=${encodeURIComponent('a{kind="guest"}')}&start=${now - 16}&end=${now}&step=1`);
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

// --- targets that misbehave ---
const head = (extra = "") => `HTTP/1.1 200 OK\r\nContent-Type: text/plain; version=0.0.4\r\nConnection: close\r\n${extra}\r\n`;
const packed = gzipSync("a 1\n".repeat(1000)), bomb = gzipSync(Buffer.alloc(80 << 20, "a 1\n"), { level: 1 });
/** Again and again, as long as it is taken. */
const flood = (socket: Socket, piece: Buffer | string, everyMs: number) => {
  const timer = setInterval(() => { if (socket.writableLength < 1 << 20) socket.write(piece); }, everyMs);
  socket.on("close", () => clearInterval(timer));
};
const chunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n`;
/** What a target does, and what /api/v1/targets says of it: Prometheus' words (P is the target's address, U its URL). */
const short = "scrape_interval: 2s, scrape_timeout: 1900ms"; // those that are to take too long
const misdeeds: Record<string, [(socket: Socket) => void, string, string?]> = {
  slow: [(s) => { s.write(head("Transfer-Encoding: chunked\r\n")); flood(s, chunk("a 1\n"), 100); }, "context deadline exceeded", short],
  endless: [(s) => { s.write(head("Transfer-Encoding: chunked\r\n")); flood(s, chunk("a 1\n".repeat(10_000)), 10); }, "body size limit exceeded", "body_size_limit: 1MB"],
  endlesshead: [(s) => { s.write("HTTP/1.1 200 OK\r\n"); flood(s, `X-Y: ${"z".repeat(1000)}\r\n`.repeat(50), 10); }, 'Get "U": net/http: HTTP/1.x transport connection broken: net/http: server response headers exceeded 262144 bytes; aborted'],
  never: [() => {}, 'Get "U": context deadline exceeded', short],
  reset: [(s) => { s.write(head("Content-Length: 100\r\n") + "a 1\n", () => setTimeout(() => s.resetAndDestroy(), 50)); }, "read tcp L->P: read: connection reset by peer"],
  resetatonce: [(s) => s.resetAndDestroy(), 'Get "U": read tcp L->P: read: connection reset by peer'],
  close: [(s) => s.end(), 'Get "U": EOF'],
  loop: [(s) => s.end("HTTP/1.1 302 Found\r\nLocation: /loop\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"), 'Get "U": stopped after 10 redirects'],
  bomb: [(s) => { s.write(head("Content-Encoding: gzip\r\n")); s.end(bomb); }, "body size limit exceeded", "body_size_limit: 1MB"],
  bigbomb: [(s) => { s.write(head("Content-Encoding: gzip\r\n")); s.end(bomb); }, "body size limit exceeded"],
  badgzip: [(s) => s.end(head("Content-Encoding: gzip\r\n") + "this is something else"), "gzip: invalid header"],
  cutgzip: [(s) => { s.write(head("Content-Encoding: gzip\r\n")); s.end(packed.subarray(0, packed.length - 10)); }, "unexpected EOF"],
  short: [(s) => s.end(head("Content-Length: 100\r\n") + "a 1\n"), "unexpected EOF"],
  cutchunk: [(s) => s.end(head("Transfer-Encoding: chunked\r\n") + "10\r\na 1\n"), "unexpected EOF"],
  badchunk: [(s) => s.end(head("Transfer-Encoding: chunked\r\n") + "zz\r\na 1\n\r\n0\r\n\r\n"), "invalid byte in chunk length"],
  twolengths: [(s) => s.end(head("Content-Length: 4\r\nContent-Length: 8\r\n") + "a 1\nb 2\n"), 'Get "U": net/http: HTTP/1.x transport connection broken: http: message cannot contain multiple Content-Length headers'],
  greeting: [(s) => s.end("SSH-2.0-OpenSSH_9.2\r\n"), 'Get "U": net/http: HTTP/1.x transport connection broken: malformed HTTP response'],
  away: [(s) => s.end("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"), 'Get "http://127.0.0.1:1/": dial tcp 127.0.0.1:1: connect: connection refused'],
  proxied: [(s) => s.end(head() + "a 1\n"), 'Get "U": proxyconnect tcp: dial tcp 127.0.0.1:1: connect: connection refused', "proxy_url: http://127.0.0.1:1"],
  longerror: [(s) => s.end("HTTP/1.1 404 Not Found\r\nConnection: close\r\n\r\n" + "x".repeat(10_000)), "server returned HTTP status 404 Not Found", "body_size_limit: 1KB"],
  status: [(s) => s.end("HTTP/1.1 503 Not today\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"), "server returned HTTP status 503 Not today"],
  exact: [(s) => s.end(head() + "a 1\nb 2\n"), "body size limit exceeded", "body_size_limit: 8B"],
  below: [(s) => s.end(head() + "a 1\nb 2\n"), "", "body_size_limit: 9B"],
  hugeline: [(s) => s.end(head() + `a{x="${"y".repeat(1 << 20)}"} 1\n`), ""],
  samples: [(s) => s.end(head() + "a 1\nb 2\nc 3\n"), "sample limit exceeded", "sample_limit: 2"],
  labels: [(s) => s.end(head() + 'a{x="1",y="2"} 1\n'), "label_limit exceeded (metric: a, number of labels: 5, limit: 4)", "label_limit: 4"],
  name: [(s) => s.end(head() + `a{${"n".repeat(60)}="1"} 1\n`), `label_name_length_limit exceeded (metric: a, label name: ${"n".repeat(50)}, length: 60, limit: 9)`, "label_name_length_limit: 9"],
  value: [(s) => s.end(head() + `a{x="${"ü".repeat(60)}"} 1\n`), `label_value_length_limit exceeded (metric: a, label name: x, value: "${"ü".repeat(50)}", length: 120, limit: 30)`, "label_value_length_limit: 30"],
  targets: [(s) => s.end(head() + "a 1\n"), "target_limit exceeded (number of targets: 3, limit: 2)", "target_limit: 2"],
};

it("targets that misbehave are told as Prometheus tells it, and disturb no others", async () => {
  const bad = netServer((socket) => {
    socket.on("error", () => {});
    socket.once("data", (data) => (misdeeds[String(data).split(" ")[1]!.slice(1)] ?? misdeeds.close!)[0](socket));
  });
  await new Promise<void>((resolve) => bad.listen(0, "0.0.0.0", resolve));
  const badPort = (bad.address() as any).port, hosts = [1, 2, 3].map((i) => `127.0.2.${i}:${badPort}`);
  const good = Array.from({ length: 30 }, (_, i) => `127.0.3.${i + 1}:${port}`);
  writeFileSync(join(dir, "bad.yml"), `
global: {scrape_interval: 8s, scrape_timeout: 7900ms}
scrape_configs:
- {job_name: good, static_configs: [{targets: ${JSON.stringify(good)}}]}
- {job_name: refused, static_configs: [{targets: ["127.0.0.1:1"]}]}
- {job_name: nohost, static_configs: [{targets: ["no-such-host.invalid:1"]}]}
${Object.entries(misdeeds).map(([name, [, , keys]]) => `- {job_name: ${name}, metrics_path: /${name}, static_configs: [{targets: ${JSON.stringify(hosts)}}]${keys ? ", " + keys : ""}}`).join("\n")}
`);
  const second = await Server.start({ args: ["--prometheus.config", join(dir, "bad.yml")] });
  try {
    const all = Object.keys(misdeeds).length * 3 + 32;
    const list = await eventually("every target to be asked twice", async () => {
      if ((await second.promValue(`count(count_over_time(up{job!="meerkat"}[1m]) >= 3)`)) !== all) return undefined;
      return (await second.json("prometheus", "/api/v1/targets")).data.activeTargets as any[];
    });
    for (const { labels, scrapeUrl, lastError, health } of list) {
      const told = lastError.replace(scrapeUrl, "U").replace(new RegExp(`tcp \\S+->${labels.instance}: `), "tcp L->P: ");
      const want = labels.job === "good" ? "" : labels.job === "refused" ? 'Get "U": dial tcp 127.0.0.1:1: connect: connection refused'
        : labels.job === "nohost" ? 'Get "U": dial tcp: lookup no-such-host.invalid: no such host' : misdeeds[labels.job]![1];
      assert.equal(told, want, labels.job);
      assert.equal(health, want ? "down" : "up", labels.job);
    }
    assert.equal(await second.promValue(`min(min_over_time(up{job=~"good|below|hugeline"}[1m]))`), 1);
    assert.equal(await second.promValue(`max(max_over_time(up{job!~"good|below|hugeline|meerkat"}[1m]))`), 0);
    assert.equal(await second.promValue('count(a{job!~"good|below|hugeline"})'), undefined);
    assert.ok((await second.promValue('max(max_over_time(scrape_duration_seconds{job="good"}[1m]))'))! < 6);
  } finally {
    await second.stop();
    bad.close();
  }
});

it("an answer that calls itself HTTP/2 does not make others share its connection", async () => {
  const words: Record<string, string> = { "/two": "HTTP/2 200", "/one": "HTTP/1.1 200 OK" };
  const listener = netServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", (data) => { // one answer for what comes at once: a client that waits its turn asks once
      const status = words[String(data).split(" ")[1]!.split("?")[0]!] ?? "HTTP/1.1 404 None";
      setTimeout(() => socket.write(`${status}\r\nContent-Type: text/plain\r\nContent-Length: 4\r\n\r\na 1\n`), 300);
    });
  });
  await new Promise<void>((resolve) => listener.listen(0, "127.0.0.1", resolve));
  const target = `127.0.0.1:${(listener.address() as any).port}`;
  const job = (name: string, path: string) => `- {job_name: ${name}, scrape_interval: 1s, scrape_timeout: 900ms, metrics_path: ${path}, static_configs: [{targets: ["${target}"]}]}`;
  const names = Array.from({ length: 20 }, (_, i) => `one${i}`);
  writeFileSync(join(dir, "prometheus.yml"), `scrape_configs:\n${job("two", "/two")}\n${names.map((n) => job(n, "/one")).join("\n")}\n`);
  assert.equal((await fetch(server.url("prometheus", "/-/reload"), { method: "POST" })).status, 200);
  await eventually("five scrapes of each", async () => (await server.promValue('count(count_over_time(up{job=~"one.*"}[1h]) >= 5)')) === 20);
  assert.equal(await server.promValue('sum(sum_over_time(up{job=~"one.*"}[1h])) / sum(count_over_time(up{job=~"one.*"}[1h]))'), 1);
  listener.close();
});
