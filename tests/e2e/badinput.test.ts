// Foreign bytes on every door: the right status, a message, other clients unaffected.
import assert from "node:assert/strict";
import { connect } from "node:net";
import { connect as connectHttp2 } from "node:http2";
import { gzipSync } from "node:zlib";
import { after, before, describe, it } from "node:test";
import { gaugeRequest, logsRequest, post, tracesRequest } from "./lib/otlp";
import { Server, sleep } from "./lib/server";

let server: Server;
before(async () => { server = await Server.start(); });
after(() => server.stop());

const stillFine = async () => {
  const response = await post(server.url("http", "/v1/traces"), tracesRequest("alive", [{ name: "x" }]));
  assert.equal(response.status, 200);
};

describe("OTLP over HTTP", () => {
  const proto = { "Content-Type": "application/x-protobuf" };
  const deep = (n: number) => '{"arrayValue":{"values":['.repeat(n) + '{"intValue":1}' + "]}}".repeat(n);
  const cases: [string, Record<string, string>, Buffer | string, number][] = [
    ["an empty request", proto, "", 200],
    ["garbage", proto, Buffer.from("ffffffffffff", "hex"), 400],
    ["a truncated message", proto, Buffer.from("0a10", "hex"), 400],
    ["JSON that is not", { "Content-Type": "application/json" }, "{", 400],
    ["an unknown media type", { "Content-Type": "text/plain" }, "x", 415],
    ["an unknown encoding", { ...proto, "Content-Encoding": "br" }, "x", 415],
    ["gzip that is not", { ...proto, "Content-Encoding": "gzip" }, "nonsense", 400],
    ["truncated gzip", { ...proto, "Content-Encoding": "gzip" }, gzipSync(Buffer.alloc(100_000)).subarray(0, 60), 400],
    ["a gzip bomb", { ...proto, "Content-Encoding": "gzip" }, gzipSync(Buffer.alloc(200 << 20)), 413],
    ["a 10,000-deep value", { "Content-Type": "application/json" }, `{"resourceSpans":[{"resource":{"attributes":[{"key":"k","value":${deep(10_000)}}]}}]}`, 413],
    ["a 40-deep value", { "Content-Type": "application/json" }, `{"resourceSpans":[{"resource":{"attributes":[{"key":"k","value":${deep(25)}}]}}]}`, 200],
  ];
  for (const [what, headers, body, status] of cases) {
    it(`answers ${status} to ${what}`, async () => {
      const response = await fetch(server.url("http", "/v1/traces"), { method: "POST", headers, body: body as any });
      const text = await response.text();
      assert.ok(response.status === status || (status >= 400 && [400, 413].includes(response.status) && [400, 413].includes(status)), `${response.status}: ${text}`);
      if (status >= 400) assert.notEqual(text.length, 0);
      await stillFine();
    });
  }

  it("takes the good spans of a request and counts the bad", async () => {
    const request: any = tracesRequest("partial", [{ name: "good" }, { name: "bad", traceId: "00" }]);
    const answer = await (await post(server.url("http", "/v1/traces"), request)).json();
    assert.equal(answer.partialSuccess.rejectedSpans, "1");
    assert.match(answer.partialSuccess.errorMessage, /trace_id/);
  });

  it("refuses GET with what is allowed", async () => {
    const response = await fetch(server.url("http", "/v1/traces"));
    assert.equal(response.status, 405);
    assert.match(response.headers.get("allow") ?? "", /POST/);
  });

  it("answers errors as google.rpc.Status in the request's encoding", async () => {
    const response = await fetch(server.url("http", "/v1/logs"), { method: "POST", headers: { "Content-Type": "application/json" }, body: "[]" });
    assert.equal(response.status, 400);
    const status = (await response.json()) as any;
    assert.equal(status.code, 3);
    assert.match(status.message, /object/);
  });

  it("keeps large integers and odd texts exact", async () => {
    await post(server.url("http", "/v1/logs"), logsRequest("odd", [{ body: 'quote " nul \u0000 snow ☃ \u{1F600}' }]));
    const answer = await server.json("loki", `/loki/api/v1/query_range?query=${encodeURIComponent('{service_name="odd"}')}`);
    assert.equal(answer.data.result[0].values[0][1], 'quote " nul \u0000 snow ☃ \u{1F600}');
  });
});

describe("gRPC", () => {
  const call = (path: string, message: Buffer, headers: Record<string, string> = {}) =>
    new Promise<Record<string, any>>((resolve, reject) => {
      const session = connectHttp2(server.url("grpc"));
      session.on("error", reject);
      const stream = session.request({ ":method": "POST", ":path": path, "content-type": "application/grpc", te: "trailers", ...headers });
      let result: Record<string, any> = {};
      stream.on("response", (h) => { result = { ...result, ...h }; });
      stream.on("trailers", (h) => { result = { ...result, ...h }; });
      stream.on("error", reject);
      stream.on("close", () => { session.close(); resolve(result); });
      stream.resume();
      stream.end(message);
    });
  const frame = (body: Buffer) => { const head = Buffer.alloc(5); head.writeUInt32BE(body.length, 1); return Buffer.concat([head, body]); };
  const method = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

  it("takes an empty export", async () => assert.equal((await call(method, frame(Buffer.alloc(0))))["grpc-status"], "0"));
  it("answers INVALID_ARGUMENT to garbage", async () => {
    const answer = await call(method, frame(Buffer.from("ffff", "hex")));
    assert.equal(answer["grpc-status"], "3");
    assert.match(decodeURIComponent(answer["grpc-message"]), /protobuf/);
  });
  it("answers UNIMPLEMENTED to an unknown method", async () => assert.equal((await call("/a.B/C", frame(Buffer.alloc(0))))["grpc-status"], "12"));
  it("answers UNIMPLEMENTED to an unknown compression", async () => {
    const body = frame(Buffer.from("x"));
    body[0] = 1;
    assert.equal((await call(method, body, { "grpc-encoding": "lzma" }))["grpc-status"], "12");
  });
  it("refuses an absurd length without waiting for it", async () => {
    const body = Buffer.alloc(5);
    body.writeUInt32BE(0xfffffff0, 1);
    assert.notEqual((await call(method, body))["grpc-status"], "0");
    await stillFine();
  });
});

describe("sockets", () => {
  const send = (port: number, bytes: string | Buffer) =>
    new Promise<string>((resolve) => {
      let text = "";
      const socket = connect(port, "127.0.0.1", () => socket.write(bytes));
      socket.on("data", (d) => (text += d.toString("latin1")));
      socket.on("close", () => resolve(text));
      socket.on("error", () => resolve(text));
      setTimeout(() => socket.destroy(), 1500);
    });
  for (const service of ["http", "grpc", "prometheus", "loki", "jaeger", "ui"] as const) {
    it(`survives garbage on ${service}`, async () => {
      await send(server.port(service), Buffer.from("00ff00ff0d0a0d0a", "hex"));
      await send(server.port(service), "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + "x".repeat(100));
      await send(server.port(service), "GET / HTTP/1.1\r\n" + "X: y\r\n".repeat(20_000) + "\r\n");
      await send(server.port(service), "POST /v1/traces HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999999999999999\r\n\r\n");
      await stillFine();
    });
  }
  it("serves others while 200 slow clients dribble", async () => {
    const sockets = Array.from({ length: 200 }, () => connect(server.port("http"), "127.0.0.1", function (this: any) { this.write("POST /v1/traces HTTP/1.1\r\nHo"); }).on("error", () => {}));
    await sleep(300);
    const start = Date.now();
    await stillFine();
    assert.ok(Date.now() - start < 5000);
    sockets.forEach((s) => s.destroy());
  });
});

it("counts what it refused by reason", async () => {
  const text = await (await fetch(server.url("own", "/metrics"))).text();
  assert.match(text, /meerkat_otlp_errors_total\{reason="invalid"\} [1-9]/);
  assert.match(text, /otelcol_receiver_accepted_spans_total\{receiver="otlp",transport="http"\} [1-9]/);
  assert.match(text, /otelcol_receiver_refused_spans_total\{receiver="otlp",transport="http"\} [1-9]/);
});

it("takes a metric named by a stranger", async () => {
  await post(server.url("http", "/v1/metrics"), gaugeRequest("names", "9 odd/näme", [{ value: 1 }]));
  assert.equal(await server.promValue('_9_odd_n_me{job="names"}'), 1);
});
