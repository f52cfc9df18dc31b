// TLS on every port: HTTPS, HTTP/2 by ALPN, a real exporter over gRPC, bad key files, certificates changed while running.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect as connectHttp2 } from "node:http2";
import { Agent, request as httpsRequest } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { credentials } from "@grpc/grpc-js";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-grpc";
import { BatchSpanProcessor, NodeTracerProvider } from "@opentelemetry/sdk-trace-node";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { binary, eventually, sleep } from "./lib/server";
import { tracesRequest } from "./lib/otlp";

const PORTS = { ui: 3001, prometheus: 9090, grpc: 4317, http: 4318, jaeger: 16686, sampling: 5778, loki: 3100, tempo: 3200, alertmanager: 9093, health: 13133, exporter: 8889, own: 8888, zipkin: 9411, admin: 14269, collector: 14268 };
const offset = 10_000 + Math.floor(Math.random() * 15_000);
const port = (service: keyof typeof PORTS) => PORTS[service] + offset;
const dir = mkdtempSync(join(tmpdir(), "meerkat-tls-"));
const file = (name: string) => join(dir, name);

function openssl(...args: string[]): void {
  const run = spawnSync("openssl", args, { cwd: dir, encoding: "utf8" });
  assert.equal(run.status, 0, run.stderr);
}

/** An authority, and a certificate of its own for localhost under NAME.pem and NAME.key. */
function makeAuthority(): void {
  openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "ca.key", "-out", "ca.pem", "-subj", "/CN=Test CA", "-days", "2");
}
function makeCertificate(name: string): void {
  writeFileSync(file(`${name}.ext`), "subjectAltName=DNS:localhost,IP:127.0.0.1\n");
  openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", `${name}.key`, "-out", `${name}.csr`, "-subj", `/CN=${name}`);
  openssl("x509", "-req", "-in", `${name}.csr`, "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-out", `${name}.pem`, "-days", "2", "-extfile", `${name}.ext`);
}

interface Answer { status: number; text: string; serial: string; socket: TLSSocket }
const ask = (service: keyof typeof PORTS, path: string, options: { method?: string; body?: string; headers?: Record<string, string>; agent?: Agent } = {}) =>
  new Promise<Answer>((resolve, reject) => {
    const { body, ...rest } = options;
    const req = httpsRequest({ host: "127.0.0.1", port: port(service), path, ca: readFileSync(file("ca.pem")), timeout: 60_000, ...rest }, (res) => {
      const socket = res.socket as TLSSocket;
      const serial = socket.getPeerCertificate().serialNumber;
      let text = "";
      res.on("data", (d) => (text += d)).on("end", () => resolve({ status: res.statusCode!, text, serial, socket }));
    });
    req.on("error", reject).on("timeout", () => req.destroy(new Error("timeout")));
    req.end(body);
  });

const start = (...args: string[]) => spawn(binary, ["serve", "--port-offset", String(offset), "--data-dir", file("data"), ...args], { stdio: ["ignore", "ignore", "pipe"] });
const secure = () => ["--server.tls.cert-file", file("live.pem"), "--server.tls.key-file", file("live.key")];
const install = (name: string) => { for (const kind of ["pem", "key"]) copyFileSync(file(`${name}.${kind}`), file(`live.${kind}`)); };

describe("TLS", () => {
  let child: ReturnType<typeof start>, log = "";
  before(async () => {
    makeAuthority();
    ["one", "two"].forEach(makeCertificate);
    install("one");
    child = start(...secure());
    child.stderr!.on("data", (d) => (log += d));
    await eventually("the server is ready", async () => {
      if (child.exitCode !== null) throw new Error(log);
      return (await ask("prometheus", "/-/ready")).status === 200;
    });
  });
  after(async () => {
    const ended = new Promise((r) => child.once("exit", (code, signal) => r(signal ?? code)));
    child.kill("SIGTERM");
    assert.equal(await Promise.race([ended, sleep(120_000)]), 0, log.slice(-4000));
    assert.doesNotMatch(log, /Sanitizer|runtime error:|CRASH REPORT/);
    rmSync(dir, { recursive: true, force: true });
  });

  for (const service of Object.keys(PORTS) as (keyof typeof PORTS)[]) {
    it(`is spoken on ${service}, and nothing else`, async () => {
      assert.ok((await ask(service, "/-/ready")).status < 500);
      await assert.rejects(fetch(`http://127.0.0.1:${port(service)}/-/ready`, { signal: AbortSignal.timeout(12_000) }));
    });
  }

  it("refuses old versions", async () => {
    for (const version of ["TLSv1", "TLSv1.1"] as const) {
      await assert.rejects(new Promise((resolve, reject) => {
        connectTls({ host: "127.0.0.1", port: port("http"), minVersion: version, maxVersion: version, rejectUnauthorized: false, ciphers: "DEFAULT:@SECLEVEL=0" }, () => resolve("connected")).on("error", reject);
      }));
    }
  });

  for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
    it(`offers h2 and http/1.1 by ALPN over ${version}`, async () => {
      for (const [offer, want] of [[["h2", "http/1.1"], "h2"], [["http/1.1"], "http/1.1"], [[], false]] as [string[], string | false][]) {
        const got = await new Promise((resolve, reject) => {
          const socket: TLSSocket = connectTls({ host: "127.0.0.1", port: port("ui"), ca: readFileSync(file("ca.pem")), ALPNProtocols: offer, minVersion: version, maxVersion: version }, () => { resolve(socket.alpnProtocol); socket.destroy(); });
          socket.on("error", reject);
        });
        assert.equal(got, want);
      }
    });
  }

  it("serves HTTP/2", async () => {
    const session = connectHttp2(`https://localhost:${port("prometheus")}`, { ca: readFileSync(file("ca.pem")), lookup: ((_h: string, o: any, done: any) => (o.all ? done(null, [{ address: "127.0.0.1", family: 4 }]) : done(null, "127.0.0.1", 4))) as any });
    const status = await new Promise((resolve, reject) => {
      session.on("error", reject);
      const stream = session.request({ ":path": "/api/v1/query?query=1" });
      stream.on("response", (h) => resolve(h[":status"])).on("error", reject);
      stream.resume();
    });
    session.close();
    assert.equal(status, 200);
  });

  it("takes a body of 30 MB and gives answers that do not fit one record", async () => {
    const spans = Array.from({ length: 60_000 }, (_, i) => ({ name: `span ${i} ${"x".repeat(200)}` }));
    const body = JSON.stringify(tracesRequest("large", spans));
    const sent = await ask("http", "/v1/traces", { method: "POST", headers: { "Content-Type": "application/json", "Content-Length": String(Buffer.byteLength(body)) }, body });
    assert.equal(sent.status, 200, sent.text.slice(0, 200));
    const got = await ask("jaeger", "/api/traces?service=large&limit=1000");
    assert.equal(got.status, 200);
    assert.ok(got.text.length > 100_000);
  });

  it("carries a real exporter over gRPC", async () => {
    const exporter = new OTLPTraceExporter({ url: `https://localhost:${port("grpc")}`, credentials: credentials.createSsl(readFileSync(file("ca.pem"))), timeoutMillis: 60_000 });
    const provider = new NodeTracerProvider({ resource: resourceFromAttributes({ "service.name": "tls-sdk" }), spanProcessors: [new BatchSpanProcessor(exporter)] });
    const span = provider.getTracer("e2e").startSpan("over TLS");
    span.end();
    await provider.shutdown();
    const { traceId } = span.spanContext();
    const answer = await eventually("the trace", async () => { const a = await ask("jaeger", `/api/traces/${traceId}`); return a.status === 200 && JSON.parse(a.text); });
    assert.equal(answer.data[0].spans[0].operationName, "over TLS");
  });

  it("does not let an exporter in that trusts nobody we know", async () => {
    const exporter = new OTLPTraceExporter({ url: `https://localhost:${port("grpc")}`, credentials: credentials.createSsl(), timeoutMillis: 2000 });
    const provider = new NodeTracerProvider({ resource: resourceFromAttributes({ "service.name": "tls-stranger" }), spanProcessors: [new BatchSpanProcessor(exporter)] });
    provider.getTracer("e2e").startSpan("never").end();
    await provider.shutdown().catch(() => {});
    assert.ok(!JSON.parse((await ask("jaeger", "/api/services")).text).data.includes("tls-stranger"));
  });

  it("survives handshakes that go wrong", async () => {
    const hello = Buffer.from("16030100050100000100", "hex");
    for (const bytes of [hello, Buffer.from("GET / HTTP/1.1\r\n\r\n"), Buffer.alloc(20_000, 0xff), Buffer.from("1603010200", "hex"), Buffer.from("80", "hex")]) {
      const { connect } = await import("node:net");
      await new Promise<void>((resolve) => { const s = connect(port("http"), "127.0.0.1", () => s.write(bytes)); s.on("error", () => {}); s.on("close", () => resolve()); setTimeout(() => s.destroy(), 400); });
    }
    const { connect } = await import("node:net");
    const idle = Array.from({ length: 300 }, () => connect(port("http"), "127.0.0.1").on("error", () => {}));
    await sleep(300);
    assert.equal((await ask("prometheus", "/-/ready")).status, 200);
    idle.forEach((s) => s.destroy());
  });

  it("takes a new certificate on SIGHUP and drops nobody", async () => {
    const agent = new Agent({ keepAlive: true, maxSockets: 1, ca: readFileSync(file("ca.pem")) });
    const first = await ask("prometheus", "/-/ready", { agent });
    const session = connectHttp2(`https://localhost:${port("prometheus")}`, { ca: readFileSync(file("ca.pem")) });
    const h2 = () => new Promise((resolve, reject) => { const s = session.request({ ":path": "/-/ready" }); s.on("response", (h) => resolve(h[":status"])).on("error", reject); s.resume(); });
    assert.equal(await h2(), 200);
    install("two");
    child.kill("SIGHUP");
    const fresh = await eventually("the new certificate", async () => { const a = await ask("prometheus", "/-/ready", { agent: new Agent() }); return a.serial !== first.serial && a; });
    assert.equal(fresh.status, 200);
    const again = await ask("prometheus", "/-/ready", { agent });
    assert.equal(again.socket, first.socket, "the running connection was dropped");
    assert.equal(await h2(), 200);
    session.close();
    agent.destroy();
  });

  it("keeps the certificate when the new one is bad, and says so", async () => {
    copyFileSync(file("one.key"), file("live.key")); // not the certificate's
    log = "";
    child.kill("SIGHUP");
    await eventually("a message", async () => /cannot use TLS certificate/.test(log));
    assert.equal((await ask("prometheus", "/-/ready", { agent: new Agent() })).status, 200);
    install("two");
  });
});

describe("TLS files that are wrong", () => {
  const home = mkdtempSync(join(tmpdir(), "meerkat-tls-"));
  after(() => rmSync(home, { recursive: true, force: true }));
  const make = (name: string) => {
    const run = spawnSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", `${name}.key`, "-out", `${name}.pem`, "-subj", "/CN=x", "-days", "2"], { cwd: home, encoding: "utf8" });
    assert.equal(run.status, 0, run.stderr);
  };
  before(() => { make("a"); make("b"); writeFileSync(join(home, "empty.pem"), ""); });
  const cases: [string, string[], RegExp][] = [
    ["no such certificate", ["none.pem", "a.key"], /none\.pem/],
    ["no such key", ["a.pem", "none.key"], /none\.key/],
    ["the key of another certificate", ["a.pem", "b.key"], /b\.key/],
    ["an empty certificate", ["empty.pem", "a.key"], /empty\.pem/],
    ["a certificate for a key", ["a.pem", "a.pem"], /a\.pem/],
    ["a certificate without a key", ["a.pem"], /key/],
  ];
  for (const [what, names, message] of cases) {
    it(`refuses to start with ${what}`, () => {
      const [cert, key] = names.map((n) => join(home, n));
      const args = ["serve", "--port-offset", String(offset), "--data-dir", join(home, "data"), "--server.tls.cert-file", cert, ...(key ? ["--server.tls.key-file", key] : [])];
      const run = spawnSync(binary, args, { encoding: "utf8", timeout: 60_000 });
      assert.ok(run.status === 1 || run.status === 2, `ended with ${run.status ?? run.signal}: ${run.stderr}`);
      assert.match(run.stderr, message);
      assert.doesNotMatch(run.stderr, /Sanitizer|runtime error:/);
    });
  }
});
