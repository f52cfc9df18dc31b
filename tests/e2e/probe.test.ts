// The prober: /probe under blackbox_exporter's names, and probes of the configuration whose outcome is kept.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server as HttpServer } from "node:http";
import { createServer as createHttps } from "node:https";
import type { AddressInfo, Server as NetServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, it } from "node:test";
import { X509Certificate } from "node:crypto";
import { eventually, Server } from "./lib/server";

const dir = mkdtempSync(join(tmpdir(), "meerkat-probe-"));
let server: Server, plain: HttpServer, secure: NetServer, port: number, tlsPort: number;
const seen: string[] = [];
const listen = (s: NetServer | HttpServer) => new Promise<number>((resolve) => s.listen(0, "127.0.0.1", () => resolve((s.address() as AddressInfo).port)));
const expiry = () => new Date(new X509Certificate(readFileSync(join(dir, "cert.pem"))).validTo).getTime() / 1000;

before(async () => {
  const made = spawnSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-days", "3"], { cwd: dir, encoding: "utf8" });
  assert.equal(made.status, 0, made.stderr);
  plain = createServer((req, res) => {
    seen.push(`${req.method} ${req.url}`);
    if (req.url === "/moved") return res.writeHead(302, { Location: "/" }).end();
    if (req.url === "/file") return res.writeHead(302, { Location: "file:///etc/passwd" }).end();
    if (req.url === "/broken") return res.writeHead(500).end("no");
    res.setHeader("Content-Length", "5").end("hello");
  });
  secure = createHttps({ key: readFileSync(join(dir, "key.pem")), cert: readFileSync(join(dir, "cert.pem")) }, (_, res) => res.end("secret"));
  [port, tlsPort] = [await listen(plain), await listen(secure)];
  writeFileSync(join(dir, "meerkat.yml"), `probes:
- {name: web, module: http_2xx, target: "https://127.0.0.1:${tlsPort}/", interval: 1s, ca_file: "${dir}/cert.pem"}
- {name: door, module: tls_connect, target: "127.0.0.1:${tlsPort}", interval: 1s, insecure_skip_verify: true}
- {name: strict, module: tls_connect, target: "127.0.0.1:${tlsPort}", interval: 1s}
- {name: nobody, module: tcp_connect, target: "127.0.0.1:1", interval: 1s}
`);
  server = await Server.start({ args: ["--config", join(dir, "meerkat.yml")], dataDir: join(dir, "data") });
});
after(async () => {
  plain?.close();
  secure?.close();
  await server?.stop();
  rmSync(dir, { recursive: true, force: true });
});

async function probe(params: Record<string, string>, headers: Record<string, string> = {}): Promise<{ status: number; text: string; value: (series: string) => number | undefined }> {
  const answer = await fetch(server.url("prometheus", `/probe?${new URLSearchParams(params)}`), { headers });
  const text = await answer.text();
  return { status: answer.status, text, value: (series) => {
    const line = text.split("\n").find((l) => l.startsWith(`${series} `));
    return line === undefined ? undefined : Number(line.slice(series.length + 1));
  } };
}

it("probes HTTP", async () => {
  const p = await probe({ target: `127.0.0.1:${port}/moved`, module: "http_2xx" });
  assert.equal(p.status, 200);
  const want: Record<string, number> = { probe_success: 1, probe_http_status_code: 200, probe_http_redirects: 1, probe_http_ssl: 0, probe_http_version: 1.1, probe_http_content_length: 5, probe_http_uncompressed_body_length: 5, probe_failed_due_to_regex: 0, probe_ip_protocol: 4, probe_ip_addr_hash: 3668918509 /* FNV-1a of 127.0.0.1, as blackbox_exporter's */, probe_timeout_seconds: 10 };
  for (const [name, value] of Object.entries(want)) assert.equal(p.value(name), value, `${name}\n${p.text}`);
  for (const phase of ["resolve", "connect", "tls", "processing", "transfer"]) assert.ok(p.value(`probe_http_duration_seconds{phase="${phase}"}`)! >= 0, phase);
  assert.ok(p.value("probe_duration_seconds")! > 0);
  assert.equal(p.value("probe_ssl_earliest_cert_expiry"), undefined);
  assert.match(p.text, /^# TYPE probe_success gauge$/m);
  await probe({ target: `http://127.0.0.1:${port}/post`, module: "http_post_2xx" });
  assert.equal(seen.at(-1), "POST /post");
});

it("says what failed", async () => {
  const broken = await probe({ target: `http://127.0.0.1:${port}/broken` });
  assert.deepEqual([broken.value("probe_success"), broken.value("probe_http_status_code")], [0, 500]);
  const nobody = await probe({ target: "http://127.0.0.1:1/" });
  assert.deepEqual([nobody.value("probe_success"), nobody.value("probe_http_status_code")], [0, 0]);
  const untrusted = await probe({ target: `https://127.0.0.1:${tlsPort}/` });
  assert.equal(untrusted.value("probe_success"), 0);
  assert.equal((await probe({ target: `http://127.0.0.1:${port}/file` })).value("probe_success"), 0, "no other schemes");
});

it("probes TCP", async () => {
  assert.equal((await probe({ target: `127.0.0.1:${port}`, module: "tcp_connect" })).value("probe_success"), 1);
  assert.equal((await probe({ target: "127.0.0.1:1", module: "tcp_connect" })).value("probe_success"), 0);
});

// Whether sockets for it are allowed depends on where the test runs.
it("probes by ICMP, or says why it may not", async () => {
  const p = await probe({ target: "127.0.0.1", module: "icmp" });
  assert.equal(p.status, 200);
  const want: Record<string, number> = { probe_ip_protocol: 4, probe_ip_addr_hash: 3668918509, probe_timeout_seconds: 10 };
  for (const [name, value] of Object.entries(want)) assert.equal(p.value(name), value, `${name}\n${p.text}`);
  for (const phase of ["resolve", "setup", "rtt"]) assert.ok(p.value(`probe_icmp_duration_seconds{phase="${phase}"}`)! >= 0, phase);
  if (p.value("probe_success")) assert.ok(p.value("probe_icmp_reply_hop_limit")! > 0);
  assert.equal((await probe({ target: "nobody.invalid", module: "icmp" })).value("probe_success"), 0);
});

it("refuses what is no probe", async () => {
  const cases: [Record<string, string>, number, RegExp][] = [
    [{ module: "http_2xx" }, 400, /Target parameter is missing/],
    [{ target: "a", module: "nonsense" }, 400, /Unknown module "nonsense"/],
    [{ target: "a", module: "dns" }, 400, /dns" is not supported/],
    [{ target: "a/b", module: "icmp" }, 400, /host's name or its address/],
    [{ target: "file:///etc/passwd" }, 400, /only http and https/],
    [{ target: "a:1/../x", module: "tcp_connect" }, 400, /host:port/],
  ];
  for (const [params, status, text] of cases) {
    const p = await probe(params);
    assert.deepEqual([p.status, text.test(p.text)], [status, true], p.text);
  }
  assert.equal((await probe({ target: `127.0.0.1:${port}` }, { "Sec-Fetch-Site": "cross-site" })).status, 403);
  assert.equal((await probe({ target: `127.0.0.1:${port}` }, { "X-Forwarded-For": "10.0.0.1" })).status, 401, "from elsewhere only with a login");
  assert.equal((await fetch(server.url("ui", `/probe?target=127.0.0.1:${port}`))).status, 401);
});

it("keeps what scheduled probes find", async () => {
  /** Until it is: a probe has a second, which is not always enough on a busy machine. */
  const is = (q: string, want: number) => eventually(`${q} == ${want}`, async () => (await server.promValue(q)) === want);
  await is('probe_success{job="web"}', 1);
  await is('probe_http_ssl{job="web"}', 1);
  await is('probe_ssl_earliest_cert_expiry{job="web"}', expiry());
  await is('probe_ssl_last_chain_expiry_timestamp_seconds{job="web"}', expiry());
  await is("count(probe_success)", 4);
  await is('probe_success{job="door"}', 1);
  await is('probe_ssl_earliest_cert_expiry{job="door"}', expiry());
  await is('probe_tls_version_info{job="door",version="TLS 1.3"}', 1);
  await is('probe_tls_cipher_info{job="door",cipher=~"TLS_.*"}', 1);
  await is('count(probe_ssl_last_chain_info{job="door",fingerprint_sha256=~"[0-9a-f]{64}",serialnumber=~"[0-9a-f]+",subject=~"CN=.*",issuer=~"CN=.*"})', 1);
  await is('probe_success{job="strict"}', 0);
  await is(`probe_success{job="nobody",instance="127.0.0.1:1"}`, 0);
});
