// http_config of receivers, key by key, and receivers that hang, drop connections or send elsewhere: as Alertmanager does.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type IncomingMessage, type Server as HttpServer, type ServerResponse } from "node:http";
import { createServer as createHttps, type ServerOptions } from "node:https";
import { connect, type AddressInfo, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TLSSocket } from "node:tls";
import { after, before, it } from "node:test";
import { Alertmanager } from "./lib/amserver";
import { eventually, Server, sleep } from "./lib/server";

const dir = mkdtempSync(join(tmpdir(), "meerkat-http-config-"));
const file = (name: string) => join(dir, name);
const newer = process.env.NEWER_ALERTMANAGER;
interface Got { receiver: string; url: string; at: number; authorization?: string; own: (string | undefined)[]; host?: string; agent?: string; tls?: string | null; client?: string; sni?: string | false; alpn?: string | false | null; via?: string }

function certificate(name: string, san: string): { key: string; cert: string } {
  const run = spawnSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", `${name}.key`, "-out", `${name}.pem`, "-subj", `/CN=${name}`,
    "-addext", `subjectAltName=${san}`, "-days", "2"], { cwd: dir, encoding: "utf8" });
  assert.equal(run.status, 0, run.stderr);
  return { key: readFileSync(file(`${name}.key`), "utf8"), cert: readFileSync(file(`${name}.pem`), "utf8") };
}

/** A place with an open port, one under TLS, one under TLS 1.2 at most, and a proxy that wants a password of its own. */
class Place {
  got: Got[] = [];
  attempts = new Map<string, number[]>();
  private sockets = new Set<Socket>();
  private servers: HttpServer[] = [];
  http = 0; tls = 0; old = 0;

  private answer = (req: IncomingMessage, res: ServerResponse) => {
    const url = new URL(req.url!, "http://x"), receiver = url.pathname.split("/")[1]!, s = req.socket;
    req.resume();
    req.on("end", () => {
      const list = this.attempts.get(receiver) ?? [];
      this.attempts.set(receiver, [...list, Date.now()]);
      if (receiver === "hangs" && list.length === 0) return; // for ever
      if (receiver === "drops" && list.length === 0) return void s.destroy();
      if (receiver === "halves" && list.length === 0) { res.writeHead(200, { "Content-Length": "100" }); res.write("half"); return void setTimeout(() => s.destroy(), 50); }
      if (receiver.startsWith("moved") && !url.searchParams.has("there")) return void res.writeHead(receiver.includes("307") ? 307 : 302, { Location: `${url.pathname}?there` }).end();
      if (receiver === "busy" && list.length === 0) return void res.writeHead(503, { "Retry-After": "1" }).end("later");
      const tls = s instanceof TLSSocket ? s : undefined, peer = tls?.getPeerCertificate() as { subject?: { CN?: string } } | undefined;
      this.got.push({ receiver, url: `${req.method} ${req.url}`, at: Date.now(), authorization: req.headers.authorization, own: ["x-a", "x-b", "x-c"].map((h) => req.headers[h] as string | undefined), host: req.headers.host?.replace(/\d+/g, "N"),
        agent: req.headers["user-agent"]?.replace(/\/.*/, ""), tls: tls?.getProtocol(), client: peer?.subject?.CN, sni: (tls as { servername?: string } | undefined)?.servername, via: req.headers["x-via"] as string | undefined });
      res.end("ok");
    });
  };
  private async listen(s: HttpServer): Promise<number> {
    s.on("connection", (c: Socket) => { this.sockets.add(c); c.on("error", () => undefined).on("close", () => this.sockets.delete(c)); });
    await new Promise<void>((resolve) => s.listen(0, "127.0.0.1", resolve));
    this.servers.push(s);
    return (s.address() as AddressInfo).port;
  }
  static async start(tls: ServerOptions): Promise<Place> {
    const p = new Place();
    const proxy = createServer((req, res) => { // http by absolute URL
      if (!/^http:\/\/beyond\.example\//.test(req.url!) || req.headers["proxy-authorization"] !== "Basic " + Buffer.from("pu:p w").toString("base64")) return void res.writeHead(407).end();
      req.url = new URL(req.url!).pathname;
      req.headers["x-via"] = "proxy";
      p.answer(req, res);
    });
    proxy.on("connect", (req, client: Socket) => {
      if (req.url !== "beyond.example:443" || req.headers["x-proxy"] !== "ph") return void client.end("HTTP/1.1 403 Forbidden\r\n\r\n");
      const up = connect(p.tls, "127.0.0.1", () => client.write("HTTP/1.1 200 OK\r\n\r\n"));
      p.sockets.add(up);
      up.on("error", () => client.destroy());
      client.on("error", () => up.destroy());
      client.pipe(up).pipe(client);
    });
    p.http = await p.listen(createServer(p.answer));
    p.tls = await p.listen(createHttps({ ...tls, requestCert: true, rejectUnauthorized: false }, p.answer));
    p.old = await p.listen(createHttps({ ...tls, maxVersion: "TLSv1.2" }, p.answer));
    p.proxy = await p.listen(proxy);
    return p;
  }
  proxy = 0;
  stop(): void { for (const s of this.sockets) s.destroy(); for (const s of this.servers) s.close(); }
}

let tls: { key: string; cert: string };
before(() => {
  tls = certificate("beyond.example", "DNS:beyond.example");
  certificate("pager", "DNS:pager");
  writeFileSync(file("secret"), "fr0m-file\n");
});
after(() => rmSync(dir, { recursive: true, force: true }));

/** Receivers by name: URL's place, then http_config and other keys. fails: it never gets there. */
function receivers(p: Place): Record<string, { url: string; http?: string; more?: string; fails?: boolean }> {
  const plain = `http://127.0.0.1:${p.http}`, secure = `https://127.0.0.1:${p.tls}`, pem = (n: string) => `'${file(n)}'`, inline = (n: string) => JSON.stringify(readFileSync(file(n), "utf8"));
  const ca = `ca_file: ${pem("beyond.example.pem")}`, name = "server_name: beyond.example";
  return {
    bare: { url: plain },
    basic: { url: plain, http: "basic_auth: {username: ü, password: 'p:w'}" },
    basicfile: { url: plain, http: `basic_auth: {username_file: ${pem("secret")}, password_file: ${pem("secret")}}` },
    basicempty: { url: plain, http: "basic_auth: {username: u}" },
    userinfo: { url: plain.replace("//", "//me:p%20w@") },
    bearer: { url: plain, http: "authorization: {credentials: tok}" },
    special: { url: plain, http: `authorization: {type: Special, credentials_file: ${pem("secret")}}` },
    headers: { url: plain, http: `http_headers: {X-A: {values: [one]}, x-b: {secrets: [two]}, X-C: {files: [${pem("secret")}]}}` },
    secure: { url: secure, http: `tls_config: {${ca}, ${name}}` },
    inline: { url: secure, http: `tls_config: {ca: ${inline("beyond.example.pem")}, cert: ${inline("pager.pem")}, key: ${inline("pager.key")}, ${name}}` },
    inline2: { url: secure, http: `tls_config: {ca: ${inline("beyond.example.pem")}, cert: ${inline("beyond.example.pem")}, key: ${inline("beyond.example.key")}, ${name}}` },
    client: { url: secure, http: `tls_config: {${ca}, ${name}, cert_file: ${pem("pager.pem")}, key_file: ${pem("pager.key")}}` },
    insecure: { url: secure, http: "tls_config: {insecure_skip_verify: true}" },
    untrusted: { url: secure, fails: true },
    othername: { url: secure, http: `tls_config: {${ca}}`, fails: true },
    maxversion: { url: secure, http: `tls_config: {${ca}, ${name}, max_version: TLS12}` },
    minversion: { url: `https://127.0.0.1:${p.old}`, http: `tls_config: {${ca}, ${name}, min_version: TLS13}`, fails: true },
    proxied: { url: "http://beyond.example", http: `proxy_url: 'http://pu:p%20w@127.0.0.1:${p.proxy}'` },
    tunnel: { url: "https://beyond.example", http: `proxy_url: 'http://127.0.0.1:${p.proxy}', proxy_connect_header: {X-Proxy: [ph]}, tls_config: {${ca}}` },
    noproxy: { url: plain, http: `proxy_url: 'http://127.0.0.1:1', no_proxy: '127.0.0.1,other.example'` },
    wrongproxy: { url: "https://other.example", http: `proxy_url: 'http://127.0.0.1:${p.proxy}', tls_config: {${ca}}`, fails: true },
    moved302: { url: plain },
    moved307: { url: plain },
    movedno: { url: plain, http: "follow_redirects: false", fails: true },
    hangs: { url: plain, more: "timeout: 300ms" },
    drops: { url: plain },
    busy: { url: plain },
    nowhere: { url: "http://127.0.0.1:1", fails: true },
  };
}

function config(p: Place): string {
  const list = Object.entries(receivers(p));
  return `route: {receiver: none, group_by: [alertname], group_wait: 50ms, group_interval: 1m, repeat_interval: 1h, routes: [${list.map(([n]) => `{receiver: ${n}, continue: true}`).join(", ")}]}\nreceivers:\n- name: none\n` +
    list.map(([n, r]) => `- name: ${n}\n  webhook_configs: [{url: '${r.url}/${n}', ${r.more ? r.more + ", " : ""}http_config: {${r.http ?? ""}}}]`).join("\n") + "\n";
}

async function run(p: Place, base: string): Promise<{ got: object[]; attempts: Record<string, number> }> {
  const r = await fetch(base + "/api/v2/alerts", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify([{ labels: { alertname: "A" } }]) });
  assert.equal(r.status, 200);
  const due = Object.entries(receivers(p)).filter(([, x]) => !x.fails).length;
  await eventually("everything", async () => p.got.length >= due).catch((e) => { throw new Error(`${e}: only ${p.got.map((g) => g.receiver).sort()}`); });
  await sleep(700);
  const got = p.got.map(({ at: _, ...g }) => g).sort((a, b) => (a.receiver < b.receiver ? -1 : 1));
  return { got, attempts: Object.fromEntries([...p.attempts].map(([k, v]) => [k, v.length])) };
}

it("keeps to every key of http_config, and goes on after what may pass", async () => {
  const place = await Place.start(tls), path = file("am.yml");
  writeFileSync(path, config(place));
  const s = await Server.start({ args: ["--alertmanager.config", path] });
  try {
    const ours = await run(place, s.url("alertmanager"));
    const of = (name: string) => place.got.find((g) => g.receiver === name)!;
    const basic = (text: string) => "Basic " + Buffer.from(text).toString("base64");
    assert.deepEqual(["basic", "basicfile", "basicempty", "userinfo", "bearer", "special", "bare"].map((n) => of(n).authorization), [basic("ü:p:w"), basic("fr0m-file:fr0m-file"), basic("u:"), basic("me:p w"), "Bearer tok", "Special fr0m-file", undefined]);
    assert.deepEqual(of("headers").own, ["one", "two", "fr0m-file"]);
    assert.deepEqual(["secure", "inline", "inline2", "client", "insecure", "maxversion"].map((n) => [of(n).tls, of(n).client, of(n).sni]),
      [["TLSv1.3", undefined, "beyond.example"], ["TLSv1.3", "pager", "beyond.example"], ["TLSv1.3", "beyond.example", "beyond.example"], ["TLSv1.3", "pager", "beyond.example"], ["TLSv1.3", undefined, false], ["TLSv1.2", undefined, "beyond.example"]]);
    assert.equal(of("proxied").via, "proxy");
    assert.deepEqual([of("moved302").url, of("moved307").url], ["GET /moved302?there", "POST /moved307?there"]);
    assert.deepEqual(["hangs", "drops", "busy", "movedno"].map((n) => ours.attempts[n]), [2, 2, 2, 1]);
    assert.deepEqual(place.got.filter((g) => receivers(place)[g.receiver]!.fails), []);
    for (const secret of ["p:w", "fr0m-file", "p w", "p%20w", "tok"]) assert.ok(!s.log.includes(secret), s.log);
    if (!newer) return;
    const other = await Place.start(tls), theirs = await Alertmanager.start(config(other), newer);
    try {
      assert.deepEqual(ours, await run(other, theirs.base));
    } finally {
      await theirs.stop();
      other.stop();
    }
  } finally {
    await s.stop();
    place.stop();
  }
});
