// Attacks over the wire: every case gets an answer or a clean close within seconds, others are served meanwhile,
// memory stays bounded, and nothing shows up in the log.
import assert from "node:assert/strict";
import { connect as connectHttp2, type ClientHttp2Session } from "node:http2";
import { cpus } from "node:os";
import { after, before, describe, it } from "node:test";
import { gzipSync } from "node:zlib";
import { gaugeRequest, post, tracesRequest } from "./lib/otlp";
import { eventually, Server, sleep, type Service } from "./lib/server";
import { ACK, answered, END_HEADERS, END_STREAM, FRAME, frame, frames, headerBlock, memoryFactor, open, peakMib, PREFACE, request, rssMib, setting, statusOf, talk, u32 } from "./lib/wire";

const SERVICES: Service[] = ["ui", "prometheus", "grpc", "http", "jaeger", "sampling", "loki", "tempo", "alertmanager", "health", "exporter", "own"];
const MEMORY_MIB = 900; // of the bare program, over everything below

let server: Server;
before(async () => { server = await Server.start({ args: ["--server.request-memory", "128MiB", "--query.memory", "64MiB"] }); });
after(async () => {
  const peak = peakMib(server), bound = MEMORY_MIB * memoryFactor(server);
  await server.stop();
  assert.ok(peak < bound, `memory peaked at ${peak.toFixed(0)} MiB, expected less than ${bound}`);
});

/** An ordinary write and an ordinary read, within seconds. */
async function stillFine(): Promise<void> {
  const signal = AbortSignal.timeout(30_000);
  const body = JSON.stringify(tracesRequest("alive", [{ name: "x" }]));
  const write = await fetch(server.url("http", "/v1/traces"), { method: "POST", headers: { "Content-Type": "application/json" }, body, signal });
  assert.equal(write.status, 200);
  const read = await fetch(server.url("prometheus", "/api/v1/query?query=1%2B1"), { signal });
  assert.equal(read.status, 200);
}

/* --- HTTP/1.1 --- */

const JSON_TYPE = "Content-Type: application/json\r\n";
const postHead = (headers: string) => `POST /v1/traces HTTP/1.1\r\nHost: x\r\n${JSON_TYPE}${headers}\r\n`;
const get = (target: string, headers = "") => `GET ${target} HTTP/1.1\r\nHost: x\r\n${headers}\r\n`;
const chunked = (body: string) => postHead("Transfer-Encoding: chunked\r\n") + body;

// Older clients report an answer that comes before their body is sent as a broken pipe; that is a refusal as well.
const closedEarly = (error: any): undefined => {
  if (!["EPIPE", "ECONNRESET", "UND_ERR_SOCKET"].includes(error?.cause?.code)) throw error;
};

describe("HTTP/1.1", () => {
  // What, bytes, allowed statuses (0: a close without an answer), whether the connection must end.
  const closes = true;
  const cases: [string, string, number[], boolean?][] = [
    ["Transfer-Encoding with Content-Length", postHead("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n" + get("/-/ready"), [400], closes],
    ["two lengths that differ", postHead("Content-Length: 2\r\nContent-Length: 3\r\n") + "{}x", [400], closes],
    ["two equal lengths", postHead("Content-Length: 2\r\nContent-Length: 2\r\n") + "{}", [400], closes],
    ["a list of lengths", postHead("Content-Length: 2, 2\r\n") + "{}", [400], closes],
    ["a length with a sign", postHead("Content-Length: +2\r\n") + "{}", [400], closes],
    ["a negative length", postHead("Content-Length: -2\r\n") + "{}", [400], closes],
    ["a hexadecimal length", postHead("Content-Length: 0x2\r\n") + "{}", [400], closes],
    ["an empty length", postHead("Content-Length: \r\n") + "{}", [400], closes],
    ["a length beyond 64 bits", postHead("Content-Length: 99999999999999999999999\r\n") + "{}", [400, 413], closes],
    ["a space before the colon", postHead("Content-Length : 2\r\n") + "{}", [400], closes],
    ["an unknown transfer coding", postHead("Transfer-Encoding: xchunked\r\n") + "0\r\n\r\n", [400, 501], closes],
    ["chunked twice", postHead("Transfer-Encoding: chunked, chunked\r\n") + "0\r\n\r\n", [400, 501], closes],
    ["identity with a length", postHead("Transfer-Encoding: identity\r\nContent-Length: 2\r\n") + "{}", [400, 501], closes],
    ["a folded Transfer-Encoding", postHead("Transfer-Encoding:\r\n chunked\r\n") + "2\r\n{}\r\n0\r\n\r\n", [400, 501], closes],
    ["a folded header", get("/-/ready", "X-A: b\r\n c\r\n\tContent-Length: 5\r\n"), [200, 400]],
    ["a folded first header", "GET /-/ready HTTP/1.1\r\n Host: y\r\nHost: x\r\n\r\n", [400], closes],
    ["line feeds alone", "GET /-/ready HTTP/1.1\nHost: x\n\n", [200, 400]],
    ["a carriage return in a value", get("/-/ready", "X-A: b\rContent-Length: 30\r\n"), [400], closes],
    ["a chunk size beyond 64 bits", chunked("FFFFFFFFFFFFFFFFF\r\nab"), [400, 413], closes],
    ["a negative chunk size", chunked("-1\r\nab"), [400], closes],
    ["a chunk size with 0x", chunked("0x2\r\n{}\r\n0\r\n\r\n"), [400], closes],
    ["an empty chunk size", chunked("\r\n{}\r\n0\r\n\r\n"), [400], closes],
    ["a chunk without its end", chunked("2\r\n{}0\r\n\r\n"), [400], closes],
    ["chunk extensions and trailers", chunked('2;a=b;c="d"\r\n{}\r\n0\r\nX-T: 1\r\n\r\n'), [200]],
    ["a chunk extension of 1 MB", chunked(`2;${"a".repeat(1e6)}\r\n{}\r\n0\r\n\r\n`), [0, 400, 413, 431, 500], closes],
    ["50,000 trailers", chunked("2\r\n{}\r\n0\r\n" + "A: b\r\n".repeat(50_000) + "\r\n"), [0, 400, 413, 431], closes],
    ["100,000 chunks of one byte", chunked("1\r\n{\r\n" + "1\r\n \r\n".repeat(100_000) + "1\r\n}\r\n0\r\n\r\n"), [200]],
    ["Expect: 100-continue", postHead("Content-Length: 2\r\nExpect: 100-continue\r\n") + "{}", [100]],
    ["another expectation", postHead("Content-Length: 2\r\nExpect: 200-ok\r\n") + "{}", [200, 417]],
    ["HTTP/1.0", "GET /-/ready HTTP/1.0\r\n\r\n", [200], closes],
    ["no Host", "GET /-/ready HTTP/1.1\r\n\r\n", [400], closes],
    ["two Hosts", "GET /-/ready HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", [400], closes],
    ["a Host that is none", "GET /-/ready HTTP/1.1\r\nHost: a b/c@d\r\n\r\n", [400]],
    ["the absolute form", get("http://elsewhere/-/ready"), [200]],
    ["CONNECT", "CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n", [400, 404, 405]],
    ["TRACE", "TRACE /-/ready HTTP/1.1\r\nHost: a\r\nCookie: meerkat_session=secret\r\n\r\n", [405, 501]],
    ["OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", [200, 204]],
    ["an unknown method", "FOO /-/ready HTTP/1.1\r\nHost: a\r\n\r\n", [405, 501]],
    ["a method of 100 KB", "F".repeat(1e5) + " /-/ready HTTP/1.1\r\nHost: a\r\n\r\n", [400, 414, 431, 501], closes],
    ["HTTP/0.9", "GET /-/ready\r\n\r\n", [0, 400, 505], closes],
    ["HTTP/9.9", "GET /-/ready HTTP/9.9\r\nHost: x\r\n\r\n", [400, 505], closes],
    ["HTTP/2.0 in words", "GET /-/ready HTTP/2.0\r\nHost: x\r\n\r\n", [400, 505], closes],
    ["another protocol", "GET /-/ready FOO/1.1\r\nHost: x\r\n\r\n", [0, 400], closes],
    ["a space in the address", get("/-/re ady"), [0, 400], closes],
    ["a NUL in the path", get("/-/re\0ady"), [0, 400, 404]],
    ["a NUL in a header's name", get("/-/ready", "X\0Y: z\r\n"), [0, 400], closes],
    ["a NUL in a header's value", get("/-/ready", "X: a\0b\r\n"), [0, 200, 400]],
    ["a header without a name", get("/-/ready", ": z\r\n"), [200, 400]],
    ["a header without a colon", get("/-/ready", "foo\r\n"), [400], closes],
    ["escapes that are none", get("/%zz/%/%1"), [400, 404]],
    ["an escaped NUL", get("/-/ready%00"), [400, 404]],
    ["an address of 8 KB", get("/-/ready?" + "a".repeat(8000)), [200]],
    ["an address of 64 KB", get("/-/ready?" + "a".repeat(65_000)), [200, 414, 431]],
    ["an address of 1 MB", get("/-/ready?" + "a".repeat(1e6)), [0, 414, 431], closes],
    ["1000 headers", get("/-/ready", Array.from({ length: 1000 }, (_, i) => `X${i}: y\r\n`).join("")), [431], closes],
    ["200 headers", get("/-/ready", Array.from({ length: 200 }, (_, i) => `X${i}: y\r\n`).join("")), [200, 431]],
    ["a header of 64 KB", get("/-/ready", `X: ${"y".repeat(65_000)}\r\n`), [431], closes],
    ["200,000 empty lines", "\r\n".repeat(200_000) + get("/-/ready"), [0, 200, 400, 414, 431]],
    ["GET with a body", get("/-/ready", "Content-Length: 5\r\n") + "hello", [200, 400]],
    ["an upgrade to h2c", get("/-/ready", "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n"), [200, 400]],
    ["a body announced with 900 MB", postHead("Content-Length: 900000000\r\n") + "x".repeat(300_000), [413], closes],
  ];
  for (const [what, bytes, statuses, ends] of cases) {
    it(`${what}: ${statuses.join(" or ")}${ends ? ", then the end" : ""}`, async () => {
      const heard = await talk(server.port("http"), bytes, 9000, ends ? undefined : answered); // a head may take 10 s
      assert.ok(statuses.includes(statusOf(heard.text)), `answered ${heard.text.slice(0, 300) || "nothing"}`);
      assert.ok(heard.ms < 8900, "neither an answer nor an end within 9 s");
      if (ends) assert.ok(heard.closed, "the connection stayed open");
      await stillFine();
    });
  }

  it("does not take the rest of a refused request for the next one", async () => {
    const smuggled = get("/api/v1/status/buildinfo", "X-Smuggled: yes\r\n");
    for (const head of ["Content-Length : 4\r\n", "Transfer-Encoding:\r\n chunked\r\n", "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", " Transfer-Encoding: chunked\r\n"]) {
      const heard = await talk(server.port("prometheus"), `POST /-/ready HTTP/1.1\r\nHost: x\r\n${head}\r\n0\r\n\r\n${smuggled}`, 9000);
      assert.ok(heard.closed);
      assert.equal(heard.text.match(/^HTTP\/1\.1 2/gm), null, heard.text);
    }
  });

  it("answers 1000 requests in one go, in order", async () => {
    const heard = await talk(server.port("prometheus"), get("/-/ready").repeat(999) + get("/-/ready", "Connection: close\r\n"), 20_000);
    assert.ok(heard.closed);
    assert.equal(heard.text.match(/HTTP\/1\.1 200/g)?.length, 1000);
  });

  const bodies: [string, string][] = [["/", "HEAD"], ["/-/ready", "HEAD"], ["/nope", "HEAD"], ["/", "OPTIONS"], ["/v1/traces", "OPTIONS"], ["/nope", "OPTIONS"], ["/api/v1/query?query=1", "HEAD"],
    ["/", "DELETE"], ["/", "PATCH"], ["/", "PUT"], ["/", "BREW"], ["/metrics", "POST"], ["/api/v1/query", "PUT"]];
  for (const service of SERVICES) {
    it(`has an answer without surprises on ${service}`, async () => {
      for (const [path, method] of bodies) {
        const heard = await talk(server.port(service), `${method} ${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n`);
        const status = statusOf(heard.text);
        assert.ok(heard.closed && status >= 200 && status < 500, `${method} ${path}: ${heard.text.slice(0, 200) || "nothing"}`);
        if (method === "HEAD") assert.equal(heard.text.slice(heard.text.indexOf("\r\n\r\n") + 4), "");
      }
      await talk(server.port(service), Buffer.from("160301020001000100", "hex"), 500); // a TLS hello on a plain port
      await talk(server.port(service), PREFACE.subarray(0, 10), 300);
      await stillFine();
    });
  }

  it("gives no file outside the page's", async () => {
    for (const path of ["/../../etc/passwd", "/assets/../../../etc/passwd", "/assets/%2e%2e/%2e%2e/etc/passwd", "/assets/..%2f..%2f..%2fetc%2fpasswd", "/assets/%2e%2e%5cetc", "/assets/%252e%252e%252fetc%252fpasswd",
      "//etc/passwd", "/assets//etc/passwd", "/assets/%00", "/assets/\\..\\..\\etc\\passwd", "/.git/config", "/assets/.", "/assets/.."]) {
      const heard = await talk(server.port("ui"), get(path, "Connection: close\r\n"));
      assert.ok([400, 404].includes(statusOf(heard.text)), `${path}: ${heard.text.slice(0, 100)}`);
      assert.doesNotMatch(heard.text, /root:/);
    }
  });

  it("counts what its engine refuses by itself", async () => {
    const count = async () => Number(/^meerkat_http_errors_total\{class="4xx"\} (\S+)/m.exec(await (await fetch(server.url("own", "/metrics"))).text())![1]);
    const was = await count();
    await talk(server.port("http"), get("/x?" + "a".repeat(1e5)), 9000, answered);
    await talk(server.port("http"), "GET /-/ready HTTP/1.1\r\n\r\n", 9000, answered);
    assert.ok((await count()) >= was + 2);
  });
});

/* --- HTTP/2 --- */

const headers = (stream: number, block: Buffer, flags = END_HEADERS | END_STREAM) => frame(FRAME.headers, flags, stream, block);
const ready = request("GET", "/-/ready");
const EXPORT = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";
const grpcHead = (extra: [string, string][] = []) => request("POST", EXPORT, [["content-type", "application/grpc"], ["te", "trailers"], ...extra]);
const message = (body: Buffer, compressed = 0) => { const head = Buffer.alloc(5); head[0] = compressed; head.writeUInt32BE(body.length, 1); return Buffer.concat([head, body]); };

describe("HTTP/2", () => {
  // Everything that has to end the connection, with a GOAWAY where one can still be read.
  const fatal: [string, Buffer][] = [
    ["a CONTINUATION flood", Buffer.concat([headers(1, ready.subarray(0, 5), 0), ...Array.from({ length: 20_000 }, () => frame(FRAME.continuation, 0, 1, headerBlock([["x-a", "b"]])))])],
    ["empty CONTINUATIONs without end", Buffer.concat([headers(1, ready.subarray(0, 5), 0), ...Array.from({ length: 20_000 }, () => frame(FRAME.continuation, 0, 1))])],
    ["CONTINUATION out of place", frame(FRAME.continuation, END_HEADERS, 1, ready)],
    ["DATA on stream 0", frame(FRAME.data, 0, 0, Buffer.from("x"))],
    ["DATA on an idle stream", frame(FRAME.data, 0, 5, Buffer.from("x"))],
    ["an even stream", headers(2, ready)],
    ["a frame of 1 MB", Buffer.concat([frame(FRAME.data, 0, 1, Buffer.alloc(1 << 20))])],
    ["HPACK that is none", headers(1, Buffer.from("ffffffffffffffffffffff", "hex"))],
    ["a table beyond its size", headers(1, Buffer.from("3fffffff7f", "hex"))],
    ["a push from the client", frame(FRAME.push, END_HEADERS, 1, Buffer.concat([u32(2), ready]))],
    ["a window update of 0 for all", frame(FRAME.window, 0, 0, u32(0))],
    ["windows beyond 31 bits", Buffer.concat([frame(FRAME.window, 0, 0, u32(0x7fffffff)), frame(FRAME.window, 0, 0, u32(0x7fffffff))])],
    ["SETTINGS of a wrong size", frame(FRAME.settings, 0, 0, Buffer.alloc(5))],
    ["an absurd initial window", frame(FRAME.settings, 0, 0, setting(4, 0xffffffff))],
    ["an absurd frame size", frame(FRAME.settings, 0, 0, setting(5, 1))],
    ["PING of a wrong size", frame(FRAME.ping, 0, 0, Buffer.alloc(7))],
  ];
  for (const [what, bytes] of fatal) {
    it(`ends the connection at ${what}`, async () => {
      const heard = await talk(server.port("grpc"), Buffer.concat([PREFACE, bytes]), 30_000);
      assert.ok(heard.closed, `still open; frames: ${frames(heard.bytes).map((f) => f.type)}`);
      await stillFine();
    });
  }

  it("ends the connection at a rapid reset", async () => {
    const storm = Buffer.concat(Array.from({ length: 20_000 }, (_, i) => Buffer.concat([headers(2 * i + 1, ready), frame(FRAME.reset, 0, 2 * i + 1, u32(8))])));
    const heard = await talk(server.port("grpc"), Buffer.concat([PREFACE, storm]), 30_000);
    assert.ok(heard.closed);
    await stillFine();
  });

  // The client floods and never reads: the answers must not pile up.
  const floods: [string, Buffer][] = [
    ["SETTINGS", frame(FRAME.settings, 0, 0, setting(4, 65_535))],
    ["PING", frame(FRAME.ping, 0, 0, Buffer.alloc(8))],
    ["PRIORITY", frame(FRAME.priority, 0, 1, Buffer.concat([u32(0), Buffer.from([0])]))],
    ["window updates", frame(FRAME.window, 0, 0, u32(1))],
    ["unknown frames", frame(0xee, 0, 0, Buffer.alloc(64))],
  ];
  for (const [what, one] of floods) {
    it(`holds a flood of ${what} in little memory`, async () => {
      const was = rssMib(server);
      const socket = await open(server.port("grpc"));
      socket.pause();
      const block = Buffer.concat(Array.from({ length: 10_000 }, () => one));
      socket.write(PREFACE);
      for (let i = 0; i < 40 && !socket.destroyed; i++) {
        if (!socket.write(block)) await sleep(20);
      }
      await stillFine();
      assert.ok(rssMib(server) - was < 64 * memoryFactor(server), `${was} -> ${rssMib(server)} MiB`);
      socket.destroy();
    });
  }

  const streamErrors: [string, Buffer][] = [
    ["no :path", headers(1, headerBlock([[":method", "GET"], [":scheme", "http"]]))],
    ["an upper-case name", headers(1, Buffer.concat([ready, headerBlock([["X-Upper", "y"]])]))],
    ["Connection", headers(1, Buffer.concat([ready, headerBlock([["connection", "close"]])]))],
    ["a pseudo header after others", headers(1, Buffer.concat([ready, headerBlock([["a", "b"], [":path", "/x"]])]))],
    ["a length that does not hold", Buffer.concat([headers(1, request("POST", "/v1/traces", [["content-length", "5"]]), END_HEADERS), frame(FRAME.data, END_STREAM, 1, Buffer.from("hello world"))])],
    ["a line break in a value", headers(1, request("GET", "/-/ready", [["x", "a\r\nb: c"]]))],
    ["a NUL in the path", headers(1, request("GET", "/-/re\0ady"))],
    ["a Host that is none", headers(1, headerBlock([[":method", "GET"], [":scheme", "http"], [":path", "/-/ready"], [":authority", "a b/c"]]))],
  ];
  for (const [what, bytes] of streamErrors) {
    it(`refuses ${what} and serves the next stream or ends`, async () => {
      const heard = await talk(server.port("http"), Buffer.concat([PREFACE, bytes, headers(3, ready)]), 30_000, (t) => t.includes("ready"));
      const got = frames(heard.bytes);
      assert.ok(heard.closed || got.some((f) => f.stream === 3), `frames: ${got.map((f) => `${f.type}/${f.stream}`)}`);
      const first = got.filter((f) => f.stream === 1 && f.type === FRAME.headers);
      assert.ok(first.every((f) => f.payload[0] !== 0x88), "answered 200");
      await stillFine();
    });
  }

  it("refuses a header list of 200 KB with 431 or an end", async () => {
    const fields: [string, string][] = Array.from({ length: 100 }, (_, i) => [`x-${i}`, "y".repeat(1000)]);
    const block = request("GET", "/-/ready", [...fields, ...fields]);
    const parts = [headers(1, block.subarray(0, 16_000), END_STREAM)];
    for (let at = 16_000; at < block.length; at += 16_000) parts.push(frame(FRAME.continuation, at + 16_000 >= block.length ? END_HEADERS : 0, 1, block.subarray(at, at + 16_000)));
    const heard = await talk(server.port("http"), Buffer.concat([PREFACE, ...parts]), 30_000, (t) => t.includes("431") || t.includes("large"));
    assert.ok(heard.closed || heard.text.includes("large"));
    await stillFine();
  });

  it("serves others while answers wait for a window that stays shut", async () => {
    const socket = await open(server.port("prometheus"));
    const asks = Array.from({ length: 100 }, (_, i) => headers(2 * i + 1, request("GET", "/metrics")));
    socket.write(Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), frame(FRAME.settings, 0, 0, setting(4, 0)), ...asks]));
    await sleep(500);
    await stillFine();
    socket.destroy();
  });

  it("takes half-closed streams, data after the end, and a goodbye in mid-request", async () => {
    const half = headers(1, grpcHead(), END_HEADERS);
    await talk(server.port("grpc"), Buffer.concat([PREFACE, half, frame(FRAME.data, END_STREAM, 1, message(Buffer.alloc(0))), frame(FRAME.data, 0, 1, Buffer.from("late"))]), 1000);
    await talk(server.port("grpc"), Buffer.concat([PREFACE, half, frame(FRAME.goaway, 0, 0, u32(0, 0))]), 500);
    await talk(server.port("grpc"), Buffer.concat([PREFACE, half, frame(FRAME.data, 0, 1, message(Buffer.alloc(1000)).subarray(0, 100)), frame(FRAME.reset, 0, 1, u32(8))]), 500);
    await talk(server.port("grpc"), Buffer.concat([PREFACE, frame(FRAME.settings, ACK, 0), frame(FRAME.settings, ACK, 0)]), 300);
    await stillFine();
  });
});

/* --- gRPC --- */

describe("gRPC", () => {
  let session: ClientHttp2Session;
  before(() => { session = connectHttp2(server.url("grpc")); session.on("error", () => {}); });
  after(() => session.destroy());
  const call = (body: Buffer, extra: Record<string, string> = {}, path = EXPORT) =>
    new Promise<Record<string, any>>((resolve, reject) => {
      const stream = session.request({ ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers", ...extra });
      let result: Record<string, any> = {};
      const timer = setTimeout(() => { stream.close(); reject(new Error("no answer in 30 s")); }, 30_000);
      stream.on("response", (h) => { result = { ...result, ...h }; });
      stream.on("trailers", (h) => { result = { ...result, ...h }; });
      stream.on("error", (e) => { result.error = e; });
      stream.on("close", () => { clearTimeout(timer); resolve(result); });
      stream.resume();
      stream.end(body);
    });
  const bomb = gzipSync(Buffer.alloc(512 << 20), { level: 9 });
  const cases: [string, Buffer, Record<string, string>, string[]][] = [
    ["two messages in a unary call", Buffer.concat([message(Buffer.alloc(0)), message(Buffer.alloc(0))]), {}, ["3", "12", "13"]],
    ["no message", Buffer.alloc(0), {}, ["3", "13"]],
    ["a compressed flag without an encoding", message(Buffer.from("x"), 1), {}, ["12", "13"]],
    ["a flag of 7", message(Buffer.from("x"), 7), {}, ["3", "13"]],
    ["gzip that is none", message(Buffer.from("xxxxxxxx"), 1), { "grpc-encoding": "gzip" }, ["3", "13"]],
    ["zstd that is none", message(Buffer.from("xxxxxxxx"), 1), { "grpc-encoding": "zstd" }, ["3", "13"]],
    ["a gzip bomb", message(bomb, 1), { "grpc-encoding": "gzip" }, ["8"]],
    ["zstd that promises 2^60 bytes", message(Buffer.from("28b52ffde0000000000000001000", "hex"), 1), { "grpc-encoding": "zstd" }, ["3", "8", "13"]],
    ["a length that lies", (() => { const b = message(Buffer.from("xx")); b.writeUInt32BE(100, 1); return b; })(), {}, ["3", "13"]],
    ["no time at all", message(Buffer.alloc(0)), { "grpc-timeout": "0n" }, ["0", "4"]],
    ["all the time", message(Buffer.alloc(0)), { "grpc-timeout": "99999999H" }, ["0"]],
    ["a timeout that is none", message(Buffer.alloc(0)), { "grpc-timeout": "soon" }, ["0", "3", "13"]],
    ["a timeout of 30 digits", message(Buffer.alloc(0)), { "grpc-timeout": "1".repeat(30) + "S" }, ["0", "3", "13"]],
    ["binary metadata that is none", message(Buffer.alloc(0)), { "x-bin": "!!!not base64!!!" }, ["0", "3", "13"]],
    ["a path of 8 KB", message(Buffer.alloc(0)), { ":path": "/" + "a".repeat(8000) }, ["12"]],
  ];
  for (const [what, body, extra, codes] of cases) {
    it(`answers ${codes.join(" or ")} to ${what}`, async () => {
      const answer = await call(body, extra);
      assert.ok(codes.includes(answer["grpc-status"]), JSON.stringify(answer));
      await stillFine();
    });
  }
  it("does not take another content type for gRPC", async () => {
    assert.equal((await call(message(Buffer.alloc(0)), { "content-type": "text/plain" }))[":status"], 415);
    assert.equal((await call(message(Buffer.alloc(0)), { "content-type": "application/grpcx" }))[":status"], 415);
  });
});

/* --- slow and many --- */

describe("clients that take their time", () => {
  it("2000 idle connections leave room for others", async () => {
    const before = rssMib(server);
    const sockets = await Promise.all(Array.from({ length: 2000 }, (_, i) => open(server.port(SERVICES[i % SERVICES.length]))));
    await stillFine();
    assert.ok(rssMib(server) - before < 64 * memoryFactor(server));
    sockets.forEach((s) => s.destroy());
  });

  it("bodies and heads that dribble leave room for others", async () => {
    const heads = await Promise.all(Array.from({ length: 300 }, () => open(server.port("http"))));
    heads.forEach((s, i) => s.write(i % 2 ? "POST /v1/traces HTTP/1.1\r\nHo" : postHead("Content-Length: 60000000\r\n") + "["));
    const h2 = await Promise.all(Array.from({ length: 100 }, () => open(server.port("grpc"))));
    h2.forEach((s) => s.write(Buffer.concat([PREFACE, headers(1, grpcHead(), END_HEADERS), frame(FRAME.data, 0, 1, Buffer.alloc(5))])));
    for (let i = 0; i < 5; i++) {
      heads.forEach((s) => s.write(" "));
      await stillFine();
    }
    [...heads, ...h2].forEach((s) => s.destroy());
  });

  it("cuts a head that does not come to its end", async () => {
    const heard = await talk(server.port("http"), "POST /v1/traces HTTP/1.1\r\nHo", 60_000);
    assert.ok(heard.closed, `${heard.ms} ms`);
  });

  it("a storm of 3000 connections passes", async () => {
    for (let i = 0; i < 30; i++) {
      const sockets = await Promise.all(Array.from({ length: 100 }, () => open(server.port("prometheus"))));
      sockets.forEach((s, k) => { if (k % 2) s.write("GET /"); s.resetAndDestroy(); });
    }
    await stillFine();
    await eventually("the connections are gone", async () => {
      const text = await (await fetch(server.url("own", "/metrics"))).text();
      return Number(/^process_open_fds (\S+)/m.exec(text)?.[1] ?? 0) < 500;
    });
  });
});

/* --- memory --- */

describe("memory", () => {
  const json = { "Content-Type": "application/json" };
  const send = (service: Service, path: string, init: RequestInit) =>
    fetch(server.url(service, path), { method: "POST", signal: AbortSignal.timeout(60_000), ...init }).then(async (r) => ({ status: r.status, retry: r.headers.get("retry-after"), text: await r.text() }));

  it("bodies beyond the budget are sent away with 503 and Retry-After, others are served", async () => {
    const size = 40 << 20, block = Buffer.alloc(1 << 20, " ");
    const sockets = await Promise.all(Array.from({ length: 6 }, () => open(server.port("http"))));
    const answers = sockets.map((s) => { let t = ""; s.on("data", (d) => (t += d)); return () => t; });
    await Promise.all(sockets.map(async (s) => {
      s.write(postHead(`Content-Length: ${size}\r\n`));
      for (let sent = 0; sent < size - block.length && !s.destroyed; sent += block.length) {
        if (!s.write(block)) await sleep(20);
      }
    }));
    try {
      const small = await post(server.url("http", "/v1/traces"), tracesRequest("alive", [{ name: "x" }]));
      assert.ok([200, 503].includes(small.status), String(small.status)); // it still fits, or is told to come again
      sockets.forEach((s) => s.write(block));
      await eventually("some are refused", async () => answers.some((a) => /^HTTP\/1\.1 503[^]*retry-after/i.test(a())));
    } finally {
      sockets.forEach((s) => s.destroy());
    }
    await eventually("the memory is free again", () => stillFine().then(() => true));
  });

  it("16 bombs at once are refused one and all", async () => {
    const bomb = gzipSync(Buffer.alloc(256 << 20), { level: 9 });
    const answers = await Promise.all(Array.from({ length: 16 }, () => send("http", "/v1/logs", { headers: { "Content-Type": "application/x-protobuf", "Content-Encoding": "gzip" }, body: bomb as any })));
    for (const a of answers) assert.ok([413, 429, 503].includes(a.status), `${a.status} ${a.text}`);
    await stillFine();
  });

  it("8 bodies that are 30 MiB of tiny records after decompression stay within bounds", async () => {
    const record = Buffer.from("1202" + "0a00", "hex"); // scope_logs { } and the like: cheap on the wire, dear as objects
    const scope = Buffer.alloc(30 << 20);
    for (let at = 0; at + record.length <= scope.length; at += record.length) record.copy(scope, at);
    const body = gzipSync(scope, { level: 1 });
    const answers = await Promise.all(Array.from({ length: 8 }, (_, i) => send("http", ["/v1/logs", "/v1/traces", "/v1/metrics"][i % 3], { headers: { "Content-Type": "application/x-protobuf", "Content-Encoding": "gzip" }, body: body as any })));
    for (const a of answers) assert.ok([200, 400, 413, 429, 503].includes(a.status), `${a.status} ${a.text.slice(0, 200)}`);
    await stillFine();
  });

  it("8 bodies of 300,000 spans each stay within bounds", async () => {
    const span = Buffer.from("0a10" + "0102030405060708090a0b0c0d0e0f10" + "1208" + "0102030405060708" + "2a016139" + "0100000000000000" + "41" + "0200000000000000", "hex");
    const framed = Buffer.concat([Buffer.from([0x12, span.length]), span]);
    const n = 300_000, spans = Buffer.alloc(n * framed.length);
    for (let i = 0; i < n; i++) framed.copy(spans, i * framed.length);
    const wrap = (tag: number, b: Buffer) => { const v: number[] = []; for (let l = b.length; ; l = Math.floor(l / 128)) { v.push(l % 128 | (l >= 128 ? 128 : 0)); if (l < 128) break; } return Buffer.concat([Buffer.from([tag, ...v]), b]); };
    const body = gzipSync(wrap(0x0a, wrap(0x12, spans)), { level: 1 });
    const answers = await Promise.all(Array.from({ length: 8 }, () => send("http", "/v1/traces", { headers: { "Content-Type": "application/x-protobuf", "Content-Encoding": "gzip" }, body: body as any })));
    for (const a of answers) assert.ok([200, 400, 413, 429, 503].includes(a.status), `${a.status} ${a.text.slice(0, 200)}`);
    await eventually("others are served", () => stillFine().then(() => true));
  });

  it("64 MiB of JSON gets an answer", async () => {
    const line = JSON.stringify({ body: { stringValue: "x".repeat(100) } });
    const bodies = [`{"resourceLogs":[{"scopeLogs":[{"logRecords":[${Array.from({ length: 400_000 }, () => line).join(",")}]}]}]}`, "[".repeat(60 << 20), `{"resourceLogs":"${"x".repeat(60 << 20)}"}`, `{"resourceLogs":[${"{},".repeat(20 << 20)}{}]}`];
    for (const body of bodies) {
      const a = await send("http", "/v1/logs", { headers: json, body });
      assert.ok([200, 400, 413, 422, 429, 503].includes(a.status), `${a.status} ${a.text.slice(0, 200)}`);
    }
    await stillFine();
  });

  it("refuses lengths that lie", async () => {
    const varint = (n: number) => { const v: number[] = []; for (; n >= 128; n = Math.floor(n / 128)) v.push(n % 128 | 128); return Buffer.from([...v, n]); };
    const snappy = { "Content-Type": "application/x-protobuf", "Content-Encoding": "snappy" };
    const cases: [Service, string, Record<string, string>, Buffer][] = [];
    for (const [service, path] of [["prometheus", "/api/v1/write"], ["loki", "/loki/api/v1/push"]] as [Service, string][]) {
      for (const length of [100, 1 << 20, 1 << 30, 2 ** 32 - 1, 2 ** 34, 2 ** 62]) cases.push([service, path, snappy, Buffer.concat([varint(length), Buffer.from("0061", "hex")])]);
      cases.push([service, path, snappy, Buffer.concat([varint(64 << 20), Buffer.from("0061", "hex"), Buffer.alloc(3 << 20, Buffer.from("fe0100", "hex"))])]); // a copy of itself, over and over
      cases.push([service, path, { ...snappy, "Content-Encoding": "zstd" }, Buffer.from("28b52ffde0000000000000001000", "hex")]);
      cases.push([service, path, { ...snappy, "Content-Encoding": "gzip" }, gzipSync(Buffer.alloc(300 << 20)).subarray(0, 200_000)]);
    }
    for (const [service, path, headers, body] of cases) {
      // The bodies of the test before may not have gone yet.
      const a = await eventually("it is not told to come again", async () => { const r = await send(service, path, { headers, body: body as any }); return r.status !== 503 && r; });
      assert.ok(a.status >= 400 && a.status < 500, `${path} ${body.subarray(0, 8).toString("hex")}: ${a.status} ${a.text.slice(0, 100)}`);
    }
    await stillFine();
  });

  it("a label explosion costs what it costs and no more", async () => {
    for (let i = 0; i < 5; i++) {
      const request = gaugeRequest("explosion", "boom", Array.from({ length: 10_000 }, (_, k) => ({ value: k, labels: { a: `${i}-${k}`, b: "x".repeat(k % 50) } })));
      await eventually("it is taken", async () => { // others need these series
        const answer = await post(server.url("http", "/v1/metrics"), request);
        assert.ok([200, 429, 503].includes(answer.status), String(answer.status));
        return answer.status === 200;
      });
    }
    const labels: any = gaugeRequest("explosion", "wide", [{ value: 1, labels: Object.fromEntries(Array.from({ length: 5000 }, (_, i) => [`l${i}`, "v"])) }]);
    assert.ok((await post(server.url("http", "/v1/metrics"), labels)).status < 500);
    await stillFine();
  });

  it("clients that ask for much and read nothing do not fill the memory", async (t) => {
    const was = rssMib(server);
    let most = was;
    const sampled = <T>(v: T): T => { most = Math.max(most, rssMib(server)); return v; };
    const ask = () => fetch(server.url("prometheus", "/api/v1/query?query=1"), { signal: AbortSignal.timeout(30_000) }).then((r) => sampled(r.status));
    const sockets = await Promise.all(Array.from({ length: 60 }, () => open(server.port("prometheus"))));
    t.after(() => sockets.forEach((s) => s.destroy()));
    sockets.forEach((s) => { s.pause(); s.write(get(`/api/v1/series?match[]=${encodeURIComponent('{__name__="boom"}')}`)); });
    // However long this machine takes to make the answers: what they may fill is full, then readers that do not read are cut.
    await eventually("what answers may fill is full", async () => (await ask()) === 503, 150_000);
    await eventually("others are served", () => stillFine().then(() => sampled(true)), 150_000);
    // Answers that wait: 128 MiB; each worker: a query's 64 MiB and the answer it makes, twice while it grows.
    const workers = Math.max(2 * cpus().length, 4);
    assert.ok(most - was < (128 + 80 * workers) * memoryFactor(server), `${was} -> ${most} MiB`);
  });
});

/* --- queries --- */

describe("query bombs", () => {
  const form = { "Content-Type": "application/x-www-form-urlencoded" };
  const many = Array.from({ length: 5000 }, (_, i) => `l${i}=~".+"`).join(",");
  const cases: [string, Service, string, Record<string, string>][] = [
    ["a regular expression of 100 KB", "prometheus", "/api/v1/query", { query: `up{job=~"${"(a|b)*".repeat(17_000)}"}` }],
    ["a regular expression that multiplies", "prometheus", "/api/v1/query", { query: 'up{job=~"((a{0,100}){0,100}){0,100}"}' }],
    ["100,000 parentheses", "prometheus", "/api/v1/query", { query: "(".repeat(100_000) + "1" + ")".repeat(100_000) }],
    ["100,000 signs", "prometheus", "/api/v1/query", { query: "-".repeat(100_000) + "1" }],
    ["a sum of 1000", "prometheus", "/api/v1/query", { query: "1" + "+1".repeat(1000) }],
    ["powers of powers", "prometheus", "/api/v1/query", { query: "1" + "^1".repeat(100_000) }],
    ["nested functions", "prometheus", "/api/v1/query", { query: "abs(".repeat(50_000) + "up" + ")".repeat(50_000) }],
    ["nested subqueries", "prometheus", "/api/v1/query", { query: "max_over_time(".repeat(20) + "up" + "[1d:1s])".repeat(20) }],
    ["a label that is multiplied by a template", "prometheus", "/api/v1/query", { query: `label_replace(label_replace(vector(1), "a", "${"x".repeat(30_000)}", "", ""), "b", "${"$1".repeat(100_000)}", "a", "(.*)")` }],
    ["a label that is joined to itself", "prometheus", "/api/v1/query", { query: `label_join(label_replace(vector(1), "a", "${"x".repeat(30_000)}", "", ""), "b", ""${', "a"'.repeat(100_000)})` }],
    ["more than 11,000 steps", "prometheus", "/api/v1/query_range", { query: "up", start: "0", end: "100000000", step: "1" }],
    ["steps without number", "prometheus", "/api/v1/query_range", { query: "up", start: "-1e300", end: "1e300", step: "1e-300" }],
    ["5000 matchers", "prometheus", "/api/v1/query", { query: `up{${many}}` }],
    ["a query of 900 KB", "prometheus", "/api/v1/query", { query: `up{job="${"x".repeat(900_000)}"}` }],
    ["everything", "prometheus", "/api/v1/query", { query: 'count({__name__=~".+"})' }],
    ["everything with everything", "prometheus", "/api/v1/query", { query: 'count({__name__=~".+"} * on() group_left {__name__=~".+"})' }],
    ["everything, a day in seconds", "prometheus", "/api/v1/query", { query: 'max_over_time({__name__=~".+"}[1d:1s])' }],
    ["every label replaced", "prometheus", "/api/v1/query", { query: `label_replace(boom, "c", "${"$1".repeat(10_000)}", "a", "(.*)")` }],
    ["every value counted", "prometheus", "/api/v1/query_range", { query: 'count_values("v", boom)', start: String(Date.now() / 1000 - 10_000), end: String(Date.now() / 1000), step: "1" }],
    ["LogQL: 100,000 parentheses", "loki", "/loki/api/v1/query", { query: "(".repeat(100_000) + 'count_over_time({a="b"}[1m])' }],
    ["LogQL: 100,000 filters", "loki", "/loki/api/v1/query_range", { query: '{a="b"}' + ' |= "x"'.repeat(100_000) }],
    ["LogQL: a regular expression of 100 KB", "loki", "/loki/api/v1/query_range", { query: `{a="b"} |~ "${"(a|b)*".repeat(17_000)}"` }],
    ["LogQL: a thousand years", "loki", "/loki/api/v1/query_range", { query: '{a=~".+"}', start: "1", end: "9000000000000000000", step: "1" }],
  ];
  for (const [what, service, path, params] of cases) {
    it(`survives ${what}`, async () => {
      const start = Date.now();
      const answer = await fetch(server.url(service, path), { method: "POST", headers: form, body: new URLSearchParams(params), signal: AbortSignal.timeout(100_000) }).catch(closedEarly);
      if (answer) {
        const text = await answer.text();
        assert.ok([200, 400, 413, 422, 503].includes(answer.status), `${answer.status} ${text.slice(0, 300)}`);
        if (answer.status !== 200) assert.notEqual(text, "");
      }
      assert.ok(Date.now() - start < 90_000, `${Date.now() - start} ms`); // a query may take 2 min
      await stillFine();
    });
  }
  it("refuses with 422 what needs more memory than a query has", async () => {
    const answer = await fetch(server.url("prometheus", "/api/v1/query"), { method: "POST", headers: form, body: new URLSearchParams({ query: 'max_over_time({__name__="boom"}[2h:1s])' }), signal: AbortSignal.timeout(60_000) });
    assert.equal(answer.status, 422, (await answer.text()).slice(0, 300));
    await stillFine();
  });
  it("20 heavy queries at once leave room for writes", async () => {
    const heavy = Array.from({ length: 20 }, () => fetch(server.url("prometheus", "/api/v1/query"), { method: "POST", headers: form, body: new URLSearchParams({ query: 'max_over_time({__name__="boom"}[2h:1s])' }), signal: AbortSignal.timeout(120_000) }).then((r) => r.text()).catch(() => ""));
    await sleep(200);
    const write = await post(server.url("http", "/v1/traces"), tracesRequest("alive", [{ name: "x" }]));
    assert.equal(write.status, 200);
    await Promise.all(heavy);
    await stillFine();
  });
});

// A chain of operators that bind to the left is as deep a tree as brackets would make; each case has a server of its own.
describe("endless chains", () => {
  for (const [what, query] of [["sums", "1" + "+1".repeat(100_000)], ["unions", "up" + " or up".repeat(100_000)]]) {
    it(`survives ${what}`, async () => {
      const alone = await Server.start();
      const body = new URLSearchParams({ query });
      const status = await fetch(alone.url("prometheus", "/api/v1/query"), { method: "POST", body, signal: AbortSignal.timeout(60_000) }).then((r) => r.status, () => 0);
      const alive = await fetch(alone.url("prometheus", "/-/ready")).then((r) => r.ok, () => false);
      await alone.stop().catch((e) => { if (alive) throw e; });
      assert.ok(alive && [200, 400, 413, 422].includes(status), String(status));
    });
  }
});
