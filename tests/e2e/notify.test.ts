// Notifications: the same group through Debian's Alertmanager and through Meerkat gives the same requests to every kind of
// receiver; mail in its three kinds of transport; receivers that are tested and previewed; templates of the user.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, it } from "node:test";
import { Alertmanager, alertmanagerVersion, Sink } from "./lib/amserver";
import { eventually, Server } from "./lib/server";
import { readMail, SmtpServer, type Mail } from "./lib/smtp";

const dir = mkdtempSync(join(tmpdir(), "meerkat-notify-"));
const file = (name: string) => join(dir, name);
let server: Server, base: string, ours: Sink, theirs: Sink;
let plain: SmtpServer, starttls: SmtpServer, implicit: SmtpServer;

function openssl(...args: string[]): void {
  const run = spawnSync("openssl", args, { cwd: dir, encoding: "utf8" });
  assert.equal(run.status, 0, run.stderr);
}

/** Products answer in their own way. */
function polite(sink: Sink): Sink {
  sink.hook = (path, res) => {
    if (path.includes("sendMessage")) res.setHeader("Content-Type", "application/json").end('{"ok":true,"result":{"message_id":1,"chat":{"id":1}}}');
    else if (path.startsWith("/sns")) res.setHeader("Content-Type", "text/xml").end("<PublishResponse><PublishResult><MessageId>1</MessageId></PublishResult></PublishResponse>");
    else if (path.includes("gettoken")) res.setHeader("Content-Type", "application/json").end('{"access_token":"tok"}');
    else if (path.includes("message/send")) res.setHeader("Content-Type", "application/json").end('{"errcode":0}');
    else return false;
    return true;
  };
  return sink;
}

// One receiver of every kind that the older of the two knows.
const products = (sink: Sink) => `
- name: every
  webhook_configs: [{url: '${sink.url("/hook")}'}, {url: '${sink.url("/short")}', max_alerts: 1}]
  pagerduty_configs: [{routing_key: key, url: '${sink.url("/v2/enqueue")}', severity: '{{ .CommonLabels.severity }}', details: {firing: f, resolved: r, num_firing: few, num_resolved: none, note: '{{ .CommonAnnotations.summary | toUpper }}'}}]
  slack_configs: [{api_url: '${sink.url("/slack")}', channel: '#{{ .CommonLabels.team }}', send_resolved: true, fields: [{title: a, value: '{{ .Status }}'}],
    text: '{{ template "mine" . }}'}]
  opsgenie_configs: [{api_key: k, api_url: '${sink.url("/og/")}', tags: 'a,{{ .CommonLabels.team }}', responders: [{name: t, type: team}]}]
  victorops_configs: [{api_key: k, api_url: '${sink.url("/vo/")}', routing_key: r}]
  telegram_configs: [{bot_token: 't', chat_id: 5, api_url: '${sink.url("")}', parse_mode: Markdown}]
  discord_configs: [{webhook_url: '${sink.url("/discord")}'}]
  webex_configs: [{room_id: r, api_url: '${sink.url("/webex")}', http_config: {authorization: {credentials: tok}}}]
  sns_configs: [{topic_arn: 'arn:aws:sns:eu-west-1:1:t', api_url: '${sink.url("/sns/")}', sigv4: {region: eu-west-1, access_key: a, secret_key: b}}]
  wechat_configs: [{api_secret: s, corp_id: c, api_url: '${sink.url("/wx/")}', to_user: u, send_resolved: true}]
`;
const config = (sink: Sink, more = "", routes = "") => `
templates: ['${dir}/*.tmpl']
route: {receiver: every, group_by: [alertname], group_wait: 300ms, group_interval: 1s, repeat_interval: 1h, routes: [${routes}]}
receivers:${products(sink)}${more}`;
const mail = (name: string, server: SmtpServer, extra: string) => `
- name: ${name}
  email_configs: [{to: 'Ops <ops@example.com>, b@example.com', from: meerkat@example.com, hello: here.example, smarthost: '127.0.0.1:${server.port}', text: '{{ template "plain" . }}', ${extra}}]
`;

const alerts = [
  { labels: { alertname: "High", severity: "critical", team: "core", instance: "b" }, annotations: { summary: 'p95 <high> & "é"', i: "b" }, generatorURL: "http://p/graph?a=1&b=2" },
  { labels: { alertname: "High", severity: "critical", team: "core", instance: "a" }, annotations: { summary: 'p95 <high> & "é"' }, startsAt: "2020-01-01T00:00:00.123456789Z" },
];
const post = async (to: string, list: object[]) =>
  assert.equal((await fetch(to + "/api/v2/alerts", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(list) })).status, 200);

before(async () => {
  openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "mail.key", "-out", "mail.pem", "-subj", "/CN=127.0.0.1",
    "-addext", "subjectAltName=IP:127.0.0.1", "-days", "2");
  writeFileSync(file("own.tmpl"), '{{ define "mine" }}{{ range .Alerts }}{{ .Labels.instance }}: {{ .Annotations.summary }}; {{ end }}{{ end }}' +
    '{{ define "plain" }}{{ .Status }} é\n{{ range .Alerts }}.{{ .Labels.instance }}\n{{ end }}{{ end }}');
  const tls = { key: readFileSync(file("mail.key"), "utf8"), cert: readFileSync(file("mail.pem"), "utf8") };
  [ours, theirs] = [polite(await Sink.start()), polite(await Sink.start())];
  plain = await SmtpServer.start({ auth: ["CRAM-MD5", "PLAIN", "LOGIN"], refuse: "nobody" });
  starttls = await SmtpServer.start({ ...tls, auth: ["PLAIN"] });
  implicit = await SmtpServer.start({ ...tls, implicit: true, auth: ["LOGIN"] });
  writeFileSync(file("password"), "fr0m-file\n");
  const ca = `tls_config: {ca_file: '${file("mail.pem")}'}`;
  const more = mail("plain", plain, "require_tls: false, auth_username: u, auth_secret: s3cret, threading: {enabled: true, thread_by_date: none}") +
    mail("starttls", starttls, `auth_username: u, auth_password: p, ${ca}`) +
    mail("implicit", implicit, `force_implicit_tls: true, auth_username: u, auth_password_file: '${file("password")}', ${ca}`) +
    mail("untrusted", starttls, "auth_username: u, auth_password: p") +
    `- name: broken\n  discord_configs: [{webhook_url: '${ours.url("/broken")}', title: '{{ .Nope }}'}]\n`;
  const routes = ["plain", "starttls", "implicit"].map((r) => `{matchers: ['mail="${r}"'], receiver: ${r}}`).join(", ");
  writeFileSync(file("alertmanager.yml"), config(ours, more, routes));
  server = await Server.start({ args: ["--alertmanager.config", file("alertmanager.yml"), "--alertmanager.external-url", "http://am.example:9093"] });
  base = server.url("alertmanager");
});
after(async () => {
  await server.stop();
  for (const s of [ours, theirs, plain, starttls, implicit]) await s.stop();
  rmSync(dir, { recursive: true, force: true });
});

/** What both must agree on: addresses differ, signatures have times, and the newer one says more. */
const comparable = (sink: Sink) => sink.got.filter((g) => !g.path.includes("gettoken") && g.path !== "/broken")
  .map((g) => ({ path: g.path, type: g.path.startsWith("/sns") ? "" : g.headers["content-type"], auth: g.headers.authorization?.startsWith("AWS4") ? "AWS4" : g.headers.authorization,
    body: g.text.replace("&MessageAttributes=&", "&").replace(/"notification_reason":"[^"]*",/, "").replace('"routeLabels":{},', "").replace(/"(starts|ends)At":"20[^"]*"/g, '"$1At":"set"') }))
  .sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1));

it("sends what Debian's Alertmanager sends", { skip: alertmanagerVersion() ? false : "prometheus-alertmanager is not installed" }, async () => {
  const other = await Alertmanager.start(config(theirs));
  try {
    for (const to of [base, other.base]) await post(to, alerts);
    const settled = (sink: Sink, n: number) => eventually(`${n} requests`, async () => comparable(sink).length >= n);
    await settled(theirs, 11);
    await settled(ours, 11);
    assert.deepEqual(comparable(ours), comparable(theirs));
    const over = alerts.map((a) => ({ ...a, endsAt: new Date().toISOString() }));
    for (const to of [base, other.base]) await post(to, over);
    await settled(theirs, 22);
    await settled(ours, 22);
    assert.deepEqual(comparable(ours), comparable(theirs));
    assert.match(String(ours.got[0]!.headers["user-agent"]), /^Alertmanager\//);
  } finally {
    await other.stop();
  }
});

it("sends mail: in the open, by STARTTLS, by TLS", async () => {
  await post(base, ["plain", "starttls", "implicit"].map((m) => ({ labels: { alertname: `Mail é ${m}`, mail: m, instance: "x<y>" }, annotations: { summary: "it & that" }, generatorURL: "javascript:alert(1)" })));
  for (const [name, smtp, auth, tls] of [["plain", plain, "u|true", false], ["starttls", starttls, "|u|p", true], ["implicit", implicit, "u|fr0m-file", true]] as const) {
    const got: Mail = await eventually(`mail by ${name}`, async () => smtp.mails[0]);
    assert.deepEqual({ ...got, data: "" }, { from: "meerkat@example.com", to: ["ops@example.com", "b@example.com"], auth, tls, hello: "here.example", data: "" });
    const { headers, parts } = readMail(got.data);
    assert.match(headers.subject!, /^=\?utf-8\?q\?=5BFIRING|^=\?utf-8\?q\?\[FIRING:1\]_Mail_=C3=A9_/);
    assert.equal(headers.to, "Ops <ops@example.com>, b@example.com");
    assert.equal(headers.from, "meerkat@example.com");
    assert.match(headers["message-id"]!, /^<\d+\.\d+@.+>$/);
    assert.equal(headers["mime-version"], "1.0");
    assert.equal(parts["text/plain"], "firing é\n.x<y>\n");
    assert.match(parts["text/html"]!, /instance = x&lt;y&gt;<br>/);
    assert.match(parts["text/html"]!, /href="#ZgotmplZ"/);
    assert.equal(headers["in-reply-to"] !== undefined, name === "plain");
  }
});

const verb = async (name: string, what: string) =>
  (await fetch(`${base}/api/meerkat/v1/alerting/receivers/${name}/${what}`, { method: "POST", headers: { "Content-Type": "application/json" }, body: "{}" })).text();

it("tests and previews a receiver without its secrets", async () => {
  const preview = JSON.parse(await verb("every", "preview")).results.map((r: { preview: string }) => r.preview).join("\n");
  for (const word of ["[FIRING:1]", "POST <secret>", "chat_id", '"routing_key":"\\u003csecret\\u003e"']) assert.ok(preview.includes(word), `${word} in ${preview}`);
  assert.ok(!preview.includes(ours.url("/hook")), preview);
  const refused = await verb("untrusted", "test");
  assert.match(refused, /certificate|SSL|verif/i);
  assert.equal(starttls.mails.length, 1);
});

it("sends with the template's error what a template cannot say", async () => {
  await verb("broken", "test");
  const got = await eventually("the notification", async () => ours.of("/broken")[0]);
  assert.match(got.body.embeds[0].title, /^<error expanding template: template: :1:3: executing "" at <\.Nope>: can't evaluate field Nope in type \*template\.Data>$/);
  assert.match(got.body.embeds[0].description, /Labels:/);
});
