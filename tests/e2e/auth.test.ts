// Who may do what: on an address others can reach, on loopback, on the UI's port.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { networkInterfaces, tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { logsRequest, tracesRequest } from "./lib/otlp";
import { binary, Server, type Service } from "./lib/server";

const PASSWORD = "correct horse battery";
const TOKEN = "a-token-for-machines";
const outside = Object.values(networkInterfaces()).flat().find((a) => a && !a.internal && a.family === "IPv4")?.address;
const basic = (user: string, password: string) => ({ Authorization: `Basic ${Buffer.from(`${user}:${password}`).toString("base64")}` });
const bearer = (token: string) => ({ Authorization: `Bearer ${token}` });

// One server listens on all addresses. Requests by 127.0.0.1 are local; those by the machine's own address are not.
let server: Server;
before(async () => { server = await Server.start({ args: ["--listen", "0.0.0.0", "--auth.api-token", TOKEN], env: { GRAFANA_ADMIN_PASSWORD: PASSWORD } }); });
after(() => server.stop());

type Headers = Record<string, string>;
const ask = (host: string, service: Service, path: string, init: RequestInit & { headers?: Headers } = {}) =>
  fetch(`http://${host}:${server.port(service)}${path}`, { redirect: "manual", signal: AbortSignal.timeout(60_000), ...init });
const json = (method: string, body: unknown, headers: Headers = {}) => ({ method, headers: { "Content-Type": "application/json", ...headers }, body: JSON.stringify(body) });

const READS: [Service, string][] = [
  ["prometheus", "/api/v1/query?query=1"], ["prometheus", "/api/v1/labels"], ["prometheus", "/api/v1/status/config"], ["prometheus", "/federate?match[]=up"], ["prometheus", "/metrics"],
  ["loki", "/loki/api/v1/labels"], ["jaeger", "/api/services"], ["jaeger", "/api/v3/services"], ["exporter", "/metrics"], ["own", "/metrics"],
];
const WRITES: [Service, string, unknown][] = [
  ["http", "/v1/traces", tracesRequest("auth", [{ name: "x" }])], ["http", "/v1/logs", logsRequest("auth", [{ body: "x" }])],
  ["loki", "/loki/api/v1/push", { streams: [{ stream: { app: "auth" }, values: [[String(Date.now() * 1e6), "x"]] }] }],
];

describe("from another machine", { skip: outside ? false : "this machine has no address but loopback" }, () => {
  for (const [service, path] of READS) {
    it(`${service}${path.split("?")[0]} needs a login`, async () => {
      const refused = await ask(outside!, service, path);
      assert.equal(refused.status, 401);
      assert.match(refused.headers.get("www-authenticate") ?? "", /^Basic realm=/);
      assert.equal((await ask(outside!, service, path, { headers: basic("admin", PASSWORD) })).status, 200);
      assert.equal((await ask(outside!, service, path, { headers: bearer(TOKEN) })).status, 200);
    });
  }
  for (const [service, path, body] of WRITES) {
    it(`${service}${path} needs a login`, async () => {
      assert.equal((await ask(outside!, service, path, json("POST", body))).status, 401);
      assert.ok((await ask(outside!, service, path, json("POST", body, bearer(TOKEN)))).ok);
      assert.ok((await ask(outside!, service, path, json("POST", body, basic("admin", PASSWORD)))).ok);
    });
  }

  it("probes need none", async () => {
    for (const [service, path] of [["prometheus", "/-/ready"], ["prometheus", "/-/healthy"], ["loki", "/ready"], ["health", "/"], ["tempo", "/ready"]] as [Service, string][])
      assert.equal((await ask(outside!, service, path)).status, 200, `${service}${path}`);
  });

  it("a token may write and not administrate", async () => {
    for (const [service, path] of [["loki", `/loki/api/v1/delete?query=${encodeURIComponent('{app="auth"}')}&start=0`], ["prometheus", "/api/v1/admin/tsdb/delete_series?match[]=nothing"]] as [Service, string][]) {
      assert.equal((await ask(outside!, service, path, { method: "POST" })).status, 401);
      assert.equal((await ask(outside!, service, path, { method: "POST", headers: bearer(TOKEN) })).status, 403);
      const admin = await ask(outside!, service, path, { method: "POST", headers: basic("admin", PASSWORD) });
      assert.ok(![401, 403].includes(admin.status) || /admin API/i.test(await admin.text()), `${path}: ${admin.status}`);
    }
  });

  it("an unknown token, an unknown scheme and rubbish are 401", async () => {
    for (const value of ["Bearer nope", "Bearer ", "Basic", "Basic !!!", `Basic ${"A".repeat(20_000)}`, "Digest username=admin", `bearer ${TOKEN}x`])
      assert.equal((await ask(outside!, "prometheus", "/api/v1/query?query=1", { headers: { Authorization: value } })).status, 401, value.slice(0, 30));
  });

  it("gRPC without a login is UNAUTHENTICATED, with a token OK", async () => {
    const { connect } = await import("node:http2");
    const call = (headers: Headers) => new Promise<string>((resolve, reject) => {
      const session = connect(`http://${outside}:${server.port("grpc")}`);
      session.on("error", reject);
      const stream = session.request({ ":method": "POST", ":path": "/opentelemetry.proto.collector.trace.v1.TraceService/Export", "content-type": "application/grpc", te: "trailers", ...headers });
      let status = "";
      stream.on("response", (h) => { status ||= String(h["grpc-status"] ?? ""); });
      stream.on("trailers", (h) => { status = String(h["grpc-status"]); });
      stream.on("close", () => { session.close(); resolve(status); }).on("error", reject);
      stream.resume();
      stream.end(Buffer.alloc(5));
    });
    assert.equal(await call({}), "16");
    assert.equal(await call({ authorization: `Bearer ${TOKEN}` }), "0");
  });

  // The last of this group: it locks this address out for a minute.
  it("answers 401 to a wrong password, and 429 after five", async () => {
    for (let i = 0; i < 5; i++) {
      const answer = await ask(outside!, "prometheus", "/api/v1/query?query=1", { headers: basic("admin", `guess ${i}`) });
      assert.equal(answer.status, 401);
      assert.match(answer.headers.get("www-authenticate") ?? "", /^Basic/);
    }
    const throttled = await ask(outside!, "prometheus", "/api/v1/query?query=1", { headers: basic("admin", "guess 6") });
    assert.equal(throttled.status, 429);
    assert.ok(Number(throttled.headers.get("retry-after")) > 0);
    assert.equal((await ask(outside!, "prometheus", "/api/v1/query?query=1", { headers: basic("admin", PASSWORD) })).status, 429, "the right password would tell that it is right");
    assert.equal((await ask(outside!, "prometheus", "/api/v1/query?query=1", { headers: bearer(TOKEN) })).status, 200, "tokens are no passwords");
  });
});

describe("from this machine", () => {
  it("the wire APIs are open", async () => {
    for (const [service, path] of READS) assert.equal((await ask("127.0.0.1", service, path)).status, 200, `${service}${path}`);
    for (const [service, path, body] of WRITES) assert.ok((await ask("127.0.0.1", service, path, json("POST", body))).ok, `${service}${path}`);
  });
  it("not for those a proxy brings", async () => {
    for (const header of ["X-Forwarded-For", "Forwarded", "X-Real-IP"])
      assert.equal((await ask("127.0.0.1", "prometheus", "/api/v1/query?query=1", { headers: { [header]: "203.0.113.9" } })).status, 401, header);
  });
  it("a foreign exporter's credentials do no harm", async () => {
    assert.equal((await ask("127.0.0.1", "prometheus", "/api/v1/query?query=1", { headers: bearer("someone else's") })).status, 200);
  });
});

describe("the UI's port", () => {
  const signIn = (password: string, headers: Headers = {}) => ask("127.0.0.1", "ui", "/login", json("POST", { user: "admin", password }, headers));
  const origin = () => `http://127.0.0.1:${server.port("ui")}`;
  let cookie = "";

  it("needs a login even here", async () => {
    for (const path of ["/api/v1/query?query=1", "/loki/api/v1/labels", "/api/services", "/api/meerkat/v1/preferences", "/metrics"]) {
      const answer = await ask("127.0.0.1", "ui", path);
      assert.equal(answer.status, 401, path);
      assert.equal(answer.headers.get("www-authenticate"), null, "the browser would show its own dialogue");
    }
    assert.equal((await ask("127.0.0.1", "ui", "/v1/traces", json("POST", tracesRequest("auth", [{ name: "x" }])))).status, 401);
  });

  it("gives a cookie that scripts and other sites do not get", async () => {
    const answer = await signIn(PASSWORD);
    assert.equal(answer.status, 200);
    const set = answer.headers.get("set-cookie")!;
    assert.match(set, /^meerkat_session=[0-9a-f]{64};/);
    assert.match(set, /; HttpOnly/);
    assert.match(set, /; SameSite=(Lax|Strict)/);
    assert.match(set, /; Path=\//);
    assert.doesNotMatch(set, /; Secure/); // plain HTTP
    cookie = set.split(";")[0];
    assert.match((await signIn(PASSWORD, { "X-Forwarded-Proto": "https" })).headers.get("set-cookie")!, /; Secure/);
    assert.equal((await ask("127.0.0.1", "ui", "/api/v1/query?query=1", { headers: { Cookie: cookie } })).status, 200);
  });

  it("wants an Origin of its own for writes by cookie", async () => {
    const put = (headers: Headers) => ask("127.0.0.1", "ui", "/api/meerkat/v1/preferences", json("PUT", { theme: "dark" }, { Cookie: cookie, ...headers })).then((r) => r.status);
    assert.equal(await put({ Origin: origin() }), 204);
    for (const bad of ["https://evil.example", "null", `${origin()}.evil.example`, `http://127.0.0.1:${server.port("ui") + 1}`, ""]) assert.equal(await put({ Origin: bad }), 403, bad);
    assert.equal(await put({}), 403, "no Origin at all");
    assert.equal((await ask("127.0.0.1", "ui", "/v1/traces", json("POST", tracesRequest("csrf", [{ name: "x" }]), { Cookie: cookie, Origin: "https://evil.example" }))).status, 403);
  });

  it("refuses sign-in from another site's page", async () => assert.equal((await signIn(PASSWORD, { Origin: "https://evil.example" })).status, 403));

  it("takes basic authentication and tokens as well", async () => {
    assert.equal((await ask("127.0.0.1", "ui", "/api/v1/query?query=1", { headers: basic("admin", PASSWORD) })).status, 200);
    assert.equal((await ask("127.0.0.1", "ui", "/api/v1/query?query=1", { headers: bearer(TOKEN) })).status, 200);
  });

  it("refuses cookies nobody gave", async () => {
    for (const value of ["0".repeat(64), "", "x", cookie.slice("meerkat_session=".length, -1) + "g", "a".repeat(10_000)])
      assert.equal((await ask("127.0.0.1", "ui", "/api/v1/query?query=1", { headers: { Cookie: `meerkat_session=${value}` } })).status, 401, value.slice(0, 20));
  });

  it("ends the session at sign-out", async () => {
    assert.equal((await ask("127.0.0.1", "ui", "/logout", { method: "POST", headers: { Cookie: cookie, Origin: origin() } })).status, 204);
    assert.equal((await ask("127.0.0.1", "ui", "/api/v1/query?query=1", { headers: { Cookie: cookie } })).status, 401);
  });

  // Guesses sent at once are counted like guesses sent one by one. The last of this group: it locks loopback logins out.
  it("throttles guesses at the page as well, also in a burst", async () => {
    const statuses = await Promise.all(Array.from({ length: 30 }, (_, i) => signIn(`guess ${i}`).then((r) => r.status)));
    assert.ok(statuses.every((s) => s === 401 || s === 429), statuses.join(" "));
    assert.ok(statuses.filter((s) => s === 401).length <= 5, statuses.join(" "));
    assert.ok(Number((await signIn("guess")).headers.get("retry-after")) > 0);
    assert.equal((await ask("127.0.0.1", "prometheus", "/api/v1/query?query=1")).status, 200);
  });
});

describe("the default password", () => {
  const dir = mkdtempSync(join(tmpdir(), "meerkat-auth-"));
  after(() => rmSync(dir, { recursive: true, force: true }));
  it("is refused on any other address than loopback", () => {
    const { GRAFANA_ADMIN_PASSWORD: _, ...env } = process.env;
    for (const [address, password] of [["0.0.0.0", undefined], ["0.0.0.0", "admin"], ["::", undefined]] as const) {
      const run = spawnSync(binary, ["serve", "--port-offset", String(server.offset + 300), "--data-dir", join(dir, "data"), "--listen", address],
        { encoding: "utf8", timeout: 60_000, env: { ...env, ...(password && { GRAFANA_ADMIN_PASSWORD: password }) } });
      assert.equal(run.status, 1, `${address}: ${run.stderr}`);
      assert.match(run.stderr, /default admin password is refused/);
      assert.match(run.stderr, /GRAFANA_ADMIN_PASSWORD/);
    }
  });
});
