// Mail: the same as Debian's Alertmanager sends (and the newer one that NEWER_ALERTMANAGER names), every key of tls_config,
// every mechanism of authentication, and servers in trouble, which are asked again.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, it } from "node:test";
import { Alertmanager, alertmanagerVersion } from "./lib/amserver";
import { eventually, Server, sleep } from "./lib/server";
import { readMail, SmtpServer, type SmtpOptions } from "./lib/smtp";

const dir = mkdtempSync(join(tmpdir(), "meerkat-mail-"));
const file = (name: string) => join(dir, name);
const newer = process.env.NEWER_ALERTMANAGER;
let tls: { key: string; cert: string };

/** NAME.key and NAME.pem, trusted by itself. */
function certificate(name: string, san: string): { key: string; cert: string } {
  const run = spawnSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", `${name}.key`, "-out", `${name}.pem`, "-subj", `/CN=${name}`,
    "-addext", `subjectAltName=${san}`, "-days", "2"], { cwd: dir, encoding: "utf8" });
  assert.equal(run.status, 0, run.stderr);
  return { key: readFileSync(file(`${name}.key`), "utf8"), cert: readFileSync(file(`${name}.pem`), "utf8") };
}

before(() => {
  tls = certificate("mail.example", "DNS:mail.example");
  certificate("pager", "DNS:pager");
  writeFileSync(file("own.tmpl"), '{{ define "html" }}<p title="{{ .CommonLabels.alertname }}">{{ range .Alerts }}{{ .Labels.instance }} {{ .Annotations.summary }} é<br>{{ end }}</p>\n{{ end }}' +
    `{{ define "text" }}{{ .Status }} é =3D trailing \n.dot\n..dots\n\ttab\t\n{{ range .Alerts }}{{ .Labels.instance }}\r\n{{ end }}${"long line 0123456789 ".repeat(8)}€\n{{ end }}`);
  writeFileSync(file("password"), " fr0m-file\n");
  writeFileSync(file("secret"), "s3cret");
});
after(() => rmSync(dir, { recursive: true, force: true }));

const post = async (to: string, list: object[]) =>
  assert.equal((await fetch(to + "/api/v2/alerts", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(list) })).status, 200);
const alert = (mail: string, instance = "a", more: object = {}) => ({ labels: { alertname: `Löad & ${mail}`, mail, instance }, annotations: { summary: 'p95 <high> & "é"' }, ...more });
const receiver = (name: string, port: number, keys: string) => `
- name: ${name}
  email_configs: [{to: 'Ops <ops@example.com>, "B, C" <b@example.com>', from: 'Meerkat <meerkat@example.com>', smarthost: '127.0.0.1:${port}', send_resolved: true, html: '{{ template "html" . }}', text: '{{ template "text" . }}', ${keys}}]`;
const config = (receivers: Record<string, string>, global = "") => `
global: {${global}}
templates: ['${dir}/*.tmpl']
route: {receiver: none, group_by: [alertname, mail], group_wait: 50ms, group_interval: 3s, repeat_interval: 1h, routes: [${Object.keys(receivers).map((r) => `{matchers: ['mail="${r}"'], receiver: ${r}}`).join(", ")}]}
receivers:
- name: none${Object.values(receivers).join("")}`;
async function meerkat(receivers: Record<string, string>, global = ""): Promise<Server> {
  const path = file(`m-${Math.random()}.yml`);
  writeFileSync(path, config(receivers, global));
  return Server.start({ args: ["--alertmanager.config", path, "--alertmanager.external-url", "http://am.example:9093"] });
}

/** Of a mail what does not change from one to the next: headers without order, parts as they were written. */
function comparable(data: string): { headers: Record<string, string>; body: string } {
  const { headers } = readMail(data), boundary = /boundary=(\S+)/.exec(headers["content-type"]!)![1]!;
  for (const [name, shape] of [["date", /^\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d [+-]\d{4}$/], ["message-id", /^<\d+\.\d+@.+>$/]] as const) {
    assert.match(headers[name]!, shape);
    headers[name] = headers[name]!.replace(/^.*@/, "<@");
  }
  headers.date = "set";
  const body = data.slice(data.indexOf("\r\n\r\n")).replaceAll(boundary, "B");
  headers["content-type"] = headers["content-type"]!.replace(boundary, "B");
  return { headers, body };
}

const versions: { name: string; binary?: string; threads: string }[] = [];
if (alertmanagerVersion()) versions.push({ name: "Debian's Alertmanager", threads: "" });
if (newer) versions.push({ name: newer, binary: newer, threads: ", threading: {enabled: true, thread_by_date: daily}" });
for (const v of versions)
  it(`sends the mail that ${v.name} sends`, async () => {
    const [a, b] = [await SmtpServer.start({ auth: ["CRAM-MD5"] }), await SmtpServer.start({ auth: ["CRAM-MD5"] })];
    const own = (s: SmtpServer) => ({
      mail: receiver("mail", s.port, `require_tls: false, auth_username: u, auth_secret: s3cret${v.threads}`),
      headers: receiver("headers", s.port, "require_tls: false, hello: here.example, headers: {subject: 'Größe {{ .Status }} {{ .CommonLabels.alertname }} and a text that is much longer than what fits into one word of a header — really', x-own: '{{ len .Alerts }}', Reply-To: r@example.com, Message-ID: '<own@x>'}"),
      html: receiver("html", s.port, "require_tls: false, text: ''").replace(/text: '\{\{ template "text" \. \}\}', /, ""),
    });
    const ours = await meerkat(own(a)), theirs = await Alertmanager.start(config(own(b)), v.binary);
    try {
      const sent: object[] = [alert("mail"), alert("mail", "b<>"), alert("headers"), alert("html")];
      for (const [n, list] of [[3, sent], [6, sent.map((x) => ({ ...x, endsAt: new Date().toISOString() }))]] as const) {
        for (const base of [ours.url("alertmanager"), theirs.base]) await post(base, list);
        for (const s of [a, b]) await eventually(`mail ${n}`, async () => s.mails.length === n);
        const sorted = (s: SmtpServer) => s.mails.map((m) => ({ ...m, data: /Message-I[dD]: <own@x>/.test(m.data) ? m.data.replace(/^Message-I[dD].*\r\n/m, "Message-Id: <1.1@own>\r\n") : m.data }))
          .map((m) => ({ from: m.from, to: m.to, hello: m.hello, auth: m.auth, ...comparable(m.data) })).sort((x, y) => (x.headers.subject! < y.headers.subject! ? -1 : 1));
        assert.deepEqual(sorted(a), sorted(b));
      }
      assert.ok(a.mails.some((m) => m.auth === "u|true") && a.mails.some((m) => m.auth === undefined && m.hello === "here.example"));
    } finally {
      await Promise.all([ours.stop(), theirs.stop(), a.stop(), b.stop()]);
    }
  });

interface Case { name: string; server: SmtpOptions; keys: string; auth?: string; fails?: RegExp; tls?: boolean; peer?: object }
it("keeps to every key of tls_config and to the mechanisms of the server", async () => {
  const pem = (name: string) => `'${file(name)}'`, inline = (name: string) => JSON.stringify(readFileSync(file(name), "utf8"));
  const ca = `ca_file: ${pem("mail.example.pem")}, server_name: mail.example`, login = "auth_username: u, auth_password: 'p w'";
  const cases: Case[] = [
    { name: "starttls", server: tls, keys: `tls_config: {${ca}}`, tls: true, peer: { name: "mail.example" } },
    { name: "inline", server: { ...tls, tls: { requestCert: true } as object }, keys: `tls_config: {ca: ${inline("mail.example.pem")}, cert: ${inline("pager.pem")}, key: ${inline("pager.key")}, server_name: mail.example}`, tls: true, peer: { subject: "pager" } },
    { name: "client", server: { ...tls, implicit: true, tls: { requestCert: true } as object }, keys: `force_implicit_tls: true, tls_config: {${ca}, cert_file: ${pem("pager.pem")}, key_file: ${pem("pager.key")}}`, tls: true, peer: { subject: "pager", name: "mail.example" } },
    { name: "insecure", server: tls, keys: "tls_config: {insecure_skip_verify: true}", tls: true },
    { name: "version", server: { ...tls, tls: { maxVersion: "TLSv1.2" } }, keys: `tls_config: {${ca}, min_version: TLS13}`, fails: /TLS|version|handshake/i },
    { name: "older", server: tls, keys: `tls_config: {${ca}, max_version: TLS12}`, tls: true, peer: { version: "TLSv1.2" } },
    { name: "othername", server: tls, keys: `tls_config: {ca_file: ${pem("mail.example.pem")}}`, fails: /certificate|SSL|name/i },
    { name: "otherca", server: { ...tls, implicit: true }, keys: `force_implicit_tls: true, tls_config: {ca_file: ${pem("pager.pem")}, server_name: mail.example}`, fails: /certificate|SSL/i },
    { name: "notls", server: {}, keys: "tls_config: {}", fails: /does not advertise the STARTTLS extension/ },
    { name: "open", server: tls, keys: "require_tls: false" },
    { name: "plain", server: { ...tls, auth: ["LOGIN", "PLAIN"] }, keys: `${login}, auth_identity: me, tls_config: {${ca}}`, tls: true, auth: "me|u|p w" },
    { name: "login", server: { ...tls, auth: ["LOGIN"] }, keys: `${login}, tls_config: {${ca}}`, tls: true, auth: "u|p w" },
    { name: "cram", server: { auth: ["CRAM-MD5"] }, keys: "require_tls: false, auth_username: u, auth_secret: s3cret", auth: "u|true" },
    { name: "cramfile", server: { auth: ["CRAM-MD5"] }, keys: `require_tls: false, auth_username: u, auth_secret_file: ${pem("secret")}`, auth: "u|true" },
    { name: "passfile", server: { auth: ["PLAIN"] }, keys: `require_tls: false, auth_username: u, auth_password_file: ${pem("password")}`, auth: "|u|fr0m-file" },
    { name: "either", server: { auth: ["CRAM-MD5"] }, keys: `require_tls: false, ${login}, auth_secret: s3cret`, auth: "u|true" },
    { name: "noauth", server: {}, keys: `require_tls: false, ${login}` },
    { name: "strange", server: { auth: ["GSSAPI"] }, keys: `require_tls: false, ${login}`, fails: /authentication mechanisms/ },
    { name: "denied", server: { auth: ["PLAIN"], trouble: (step) => (step === "AUTH" ? "535 5.7.8 no" : undefined) }, keys: `require_tls: false, ${login}`, fails: /535|denied/i },
    { name: "nofile", server: { auth: ["PLAIN"] }, keys: `require_tls: false, auth_username: u, auth_password_file: ${pem("nowhere")}`, fails: /nowhere/ },
    { name: "unknown", server: { refuse: "b@example" }, keys: "require_tls: false", fails: /550/ },
  ];
  const servers = await Promise.all(cases.map((c) => SmtpServer.start(c.server)));
  const ours = await meerkat(Object.fromEntries(cases.map((c, i) => [c.name, receiver(c.name, servers[i]!.port, c.keys)])));
  try {
    for (const [i, c] of cases.entries()) {
      const r = await fetch(`${ours.url("alertmanager")}/api/meerkat/v1/alerting/receivers/${c.name}/test`, { method: "POST", headers: { "Content-Type": "application/json" }, body: "{}" });
      const said = await r.text(), got = servers[i]!.mails[0];
      assert.ok(!said.includes("p w") && !said.includes("s3cret"), said);
      if (c.fails) {
        assert.match(said, c.fails, c.name);
        assert.equal(got, undefined, c.name);
        continue;
      }
      assert.deepEqual(got && { auth: got.auth, tls: got.tls }, { auth: c.auth, tls: !!c.tls }, `${c.name}: ${said}`);
      if (c.peer) assert.deepEqual({ ...servers[i]!.peers[0], ...c.peer }, servers[i]!.peers[0], c.name);
    }
    for (const secret of ["p w", "s3cret", "fr0m-file"]) assert.ok(!ours.log.includes(secret), secret);
  } finally {
    await ours.stop();
    for (const s of servers) await s.stop();
  }
});

it("asks a server in trouble again, until it has taken the mail once", async () => {
  const steps: Record<string, string> = { CONNECT: "421 later", EHLO: "close", MAIL: "451 greylisted", RCPT: "550 not now", DATA: "452 full", ".": "554 no", AUTH: "454 later" };
  const names = Object.keys(steps), left = new Map(names.map((n) => [n, 2]));
  const servers = await Promise.all(names.map((name) => SmtpServer.start({ auth: ["PLAIN"], trouble: (step) => {
    if (step !== name || !left.get(name)) return undefined;
    left.set(name, left.get(name)! - 1);
    return steps[name];
  } })));
  const called = names.map((n) => (n === "." ? "end" : n.toLowerCase()));
  let hangs = 1;
  const slow = await SmtpServer.start({ trouble: (step) => (step === "." && hangs-- > 0 ? "hang" : undefined) });
  const ours = await meerkat(Object.fromEntries([...called.map((n, i) => [n, receiver(n, servers[i]!.port, "require_tls: false, auth_username: u, auth_password: p")] as const),
    ["slow", receiver("slow", slow.port, "require_tls: false")]]));
  try {
    await post(ours.url("alertmanager"), [...called, "slow"].map((n) => alert(n)));
    for (const [i, s] of servers.entries()) {
      await eventually(`mail after trouble at ${names[i]}`, async () => s.mails.length === 1);
      assert.equal(s.sessions, 3, names[i]);
    }
    // One that never answers is given up when the group is due again; that does not keep the others.
    await eventually("mail after silence", async () => slow.mails.length === 1);
    await sleep(1000);
    assert.deepEqual([...servers, slow].map((s) => s.mails.length), [...names, 1].map(() => 1));
    const failed = (await (await fetch(ours.url("alertmanager") + "/metrics")).text()).split("\n").filter((l) => /^alertmanager_notification_requests_failed_total\{.*email/.test(l)).map((l) => l.replace(/.* /, ""));
    assert.deepEqual(failed, [String(2 * names.length + 1)]);
  } finally {
    await ours.stop();
    for (const s of [...servers, slow]) await s.stop();
  }
});
