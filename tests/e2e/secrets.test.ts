// Secrets of alertmanager.yml and prometheus.yml: each key as text, from the environment and from a file; what they protect
// is reached with them, nobody is shown them, and what is missing is told with its place.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, it } from "node:test";
import { Cloud, hosts } from "./lib/fakes/all";
import { eventually, Server } from "./lib/server";
import { SmtpServer } from "./lib/smtp";

const dir = mkdtempSync(join(tmpdir(), "meerkat-secrets-"));
const file = (name: string) => join(dir, name);
let cloud: Cloud, smtp: SmtpServer, cram: SmtpServer;

before(async () => {
  const run = spawnSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "key.pem", "-out", "ca.pem", "-subj", "/CN=world",
    "-addext", `subjectAltName=${hosts.map((h) => `DNS:${h}`).join(",")}`, "-days", "2"], { cwd: dir, encoding: "utf8" });
  assert.equal(run.status, 0, run.stderr);
  cloud = await Cloud.start({ key: readFileSync(file("key.pem"), "utf8"), cert: readFileSync(file("ca.pem"), "utf8") });
  smtp = await SmtpServer.start({ auth: ["PLAIN"] });
  cram = await SmtpServer.start({ auth: ["CRAM-MD5"] });
});
after(async () => {
  for (const s of [cloud.world, smtp, cram]) await s.stop();
  rmSync(dir, { recursive: true, force: true });
});

/** A receiver's list, its keys (the place of the secret as %%), the secret's key and value; global: the key there. */
interface Row { list: string; keys: string; key: string; value: string; global?: string }
function rows(): Row[] {
  const w = cloud.world, proxy = `proxy_url: '${w.url("")}', tls_config: {ca_file: '${file("ca.pem")}'}`;
  const mail = (s: SmtpServer) => `to: a@b.c, from: d@e.f, smarthost: '127.0.0.1:${s.port}', require_tls: false, auth_username: u, %%`;
  const sns = `topic_arn: 'arn:aws:sns:eu-west-1:123456789012:t', api_url: '${w.url("/sns/")}', sigv4: {region: eu-west-1, access_key: AKIDEXAMPLE, %%}`;
  const jira = (http: string) => `api_url: '${w.url("/jira3/rest/api/3")}', api_type: cloud, project: OPS, issue_type: Bug, description: '{"type": "doc", "version": 1, "content": []}', http_config: {${http}}`;
  return [
    { list: "webhook", keys: "%%", key: "url", value: w.url("/hook/a?key=hook-secret") },
    { list: "pagerduty", keys: `url: '${w.url("/pd2/v2/enqueue")}', %%`, key: "routing_key", value: "pd-routing" },
    { list: "pagerduty", keys: `http_config: {${proxy}}, %%`, key: "service_key", value: "pd-service" },
    { list: "slack", keys: "channel: '#ops', %%", key: "api_url", value: w.url("/slack/services/T/B/x"), global: "slack_api_url" },
    { list: "slack", keys: `channel: '#ops', app_url: 'https://slack.com/api/chat.postMessage', http_config: {${proxy}}, %%`, key: "app_token", value: "xoxb-slack" },
    { list: "opsgenie", keys: `api_url: '${w.url("/og/")}', %%`, key: "api_key", value: "og-key", global: "opsgenie_api_key" },
    { list: "victorops", keys: `api_url: '${w.url("/vo/alert/")}', routing_key: team, %%`, key: "api_key", value: "vo-key", global: "victorops_api_key" },
    { list: "telegram", keys: `api_url: '${w.url("/telegram")}', chat_id: -1001, %%`, key: "bot_token", value: "tg-token", global: "telegram_bot_token" },
    { list: "discord", keys: "%%", key: "webhook_url", value: w.url("/discord/api/webhooks/1/x") },
    { list: "msteams", keys: "%%", key: "webhook_url", value: w.url("/teams/x") },
    { list: "msteamsv2", keys: "%%", key: "webhook_url", value: w.url("/workflow/x") },
    { list: "mattermost", keys: "channel: town, %%", key: "webhook_url", value: w.url("/mattermost/hooks/x1"), global: "mattermost_webhook_url" },
    { list: "rocketchat", keys: `api_url: '${w.url("/rocketchat/")}', token_id: rc-id, channel: '#ops', %%`, key: "token", value: "rc-token", global: "rocketchat_token" },
    { list: "rocketchat", keys: `api_url: '${w.url("/rocketchat/")}', token: rc-token, channel: '#ops', %%`, key: "token_id", value: "rc-id", global: "rocketchat_token_id" },
    { list: "pushover", keys: `token: po-token, http_config: {${proxy}}, %%`, key: "user_key", value: "po-user" },
    { list: "pushover", keys: `user_key: po-user, http_config: {${proxy}}, %%`, key: "token", value: "po-token" },
    { list: "wechat", keys: `corp_id: corp, api_url: '${w.url("/wechat/cgi-bin/")}', to_user: u, agent_id: '12', %%`, key: "api_secret", value: "wx-secret", global: "wechat_api_secret" },
    { list: "incidentio", keys: `url: '${w.url("/incidentio/v2/alert_events/http/x")}', %%`, key: "alert_source_token", value: "io-token" },
    { list: "ntfy", keys: `topic: alerts, url: '${w.url("/ntfy/")}', %%`, key: "token", value: "tk_ntfy" },
    { list: "webex", keys: `room_id: room, api_url: '${w.url("/webex/v1/messages")}', http_config: {authorization: {%%}}`, key: "credentials", value: "wx-token" },
    { list: "webex", keys: `room_id: room, api_url: '${w.url("/webex/v1/messages")}', http_config: {http_headers: {X-Other: {values: [a]}}, authorization: {%%}}`, key: "credentials", value: "wx-token" },
    { list: "jira", keys: jira("authorization: {type: Bearer, %%}"), key: "credentials", value: "jira-pat" },
    { list: "jira", keys: `api_url: '${w.url("/jira2/rest/api/2/")}', project: OPS, issue_type: Bug, http_config: {basic_auth: {username: me, %%}}`, key: "password", value: "jira-token" },
    { list: "webhook", keys: `url: '${w.url("/oauth/hook")}', http_config: {oauth2: {client_id: client, token_url: '${w.url("/oauth/token")}', scopes: [a, b], endpoint_params: {audience: x y}, %%}}`, key: "client_secret", value: "oa-secret" },
    { list: "sns", keys: sns, key: "secret_key", value: "aws/secret+key" },
    { list: "email", keys: mail(smtp), key: "auth_password", value: "mail word", global: "smtp_auth_password" },
    { list: "email", keys: mail(cram), key: "auth_secret", value: "s3cret", global: "smtp_auth_secret" },
  ];
}

const config = (global: string, receivers: string[]) => `global: {${global}}\nroute: {receiver: r0}\nreceivers:\n${receivers.map((r, i) => `- name: r${i}\n  ${r}`).join("\n")}\n`;
async function attempt(s: Server, receiver: string): Promise<string> {
  const r = await fetch(`${s.url("alertmanager")}/api/meerkat/v1/alerting/receivers/${receiver}/test`, { method: "POST", headers: { "Content-Type": "application/json" }, body: "{}" });
  return r.text();
}

it("takes every receiver's secret from the text, the environment and a file, and shows none", async () => {
  const env: Record<string, string> = {}, receivers: string[] = [], names: string[] = [], globals: { key: string; text: string; name: string; receiver: string }[] = [];
  const add = (name: string, text: string) => { names.push(name); receivers.push(text); };
  for (const [i, r] of rows().entries()) {
    env[`SECRET_${i}`] = r.value;
    writeFileSync(file(`secret-${i}`), r.value + "\n");
    const put = (text: string) => `${r.list}_configs: [{${r.keys.replace("%%", text)}}]`, name = `${i} ${r.list} ${r.key}`;
    add(`${name} text`, put(`${r.key}: '${r.value}'`));
    add(`${name} environment`, put(`${r.key}: "\${SECRET_${i}}"`));
    if (r.list !== "sns") add(`${name} file`, put(`${r.key}_file: '${file(`secret-${i}`)}'`));
    if (r.global) globals.push({ key: r.global, text: `${r.global}_file: '${file(`secret-${i}`)}'`, name: `${name} global`, receiver: put("").replace(", }]", "}]") });
  }
  for (const kind of ["file", "environment"]) {
    const all = kind === "file" ? globals : globals.map((g) => ({ ...g, text: `${g.key}: "\${SECRET_${/secret-(\d+)/.exec(g.text)![1]}}"` }));
    writeFileSync(file("am.yml"), config(all.map((g) => g.text).join(", "), kind === "file" ? [...receivers, ...all.map((g) => g.receiver)] : all.map((g) => g.receiver)));
    const called = [...(kind === "file" ? names : []), ...all.map((g) => `${g.name} ${kind}`)];
    const s = await Server.start({ env, args: ["--alertmanager.config", file("am.yml")] });
    try {
      const wrong: string[] = [];
      for (const [i, name] of called.entries()) {
        const said = await attempt(s, `r${i}`);
        if (!/"ok":true/.test(said)) wrong.push(`${name}: ${said}`);
      }
      assert.deepEqual(wrong, []);
      assert.deepEqual(cloud.world.problems, []);
      assert.deepEqual([...smtp.mails, ...cram.mails].filter((m) => !["|u|mail word", "u|true"].includes(m.auth!)), []);
      const shown = [s.log, await (await fetch(s.url("alertmanager") + "/api/v2/status")).text()];
      for (const [i] of called.entries()) shown.push(await (await fetch(`${s.url("alertmanager")}/api/meerkat/v1/alerting/receivers/r${i}/preview`, { method: "POST", body: "{}" })).text());
      for (const r of rows()) // an address that is given as such shows, and so do names that were made of it
        for (const text of shown) assert.ok(!text.replaceAll("rc-id", "").includes(r.value) || r.value === "rc-id", `${r.value} in ${text}`);
      assert.match(shown[1]!, /api_key: \\u003csecret\\u003e/);
    } finally {
      await s.stop();
    }
  }
});

it("tells the place of a variable or a file that is missing, and hides the line's secrets", async () => {
  const bad = `global: {smtp_smarthost: 'h:25', smtp_from: a@b.c}\nroute: {receiver: r0}\nreceivers:\n- name: r0\n  opsgenie_configs:\n  - {api_key: "\${SECRET_NOWHERE}"}\n  pushover_configs:\n  - {user_key: hush-hush, token: hush-hush, token_file: x}\n`;
  writeFileSync(file("bad.yml"), bad);
  const check = (...args: string[]) => spawnSync(process.env.MEERKAT_BIN!, args, { encoding: "utf8" });
  const told = check("check", "alertmanager", file("bad.yml"));
  assert.notEqual(told.status, 0);
  assert.match(told.stderr, /bad\.yml:6:15: error: environment variable SECRET_NOWHERE is not set/);
  assert.match(told.stderr, /bad\.yml:8:45: error: at most one of token & token_file must be configured/);
  assert.match(told.stderr, /\{user_key: \*{9}, token: \*{9}, token_file: x\}/);
  assert.ok(!told.stderr.includes("hush-hush"), told.stderr);
  const warned = bad.replace('"${SECRET_NOWHERE}"', "k").replace("token: hush-hush, token_file: x", "token_file: nowhere, http_config: {basic_auth: {username: u, password_file: /no/pw}}");
  writeFileSync(file("warn.yml"), warned);
  const fine = check("check", "alertmanager", file("warn.yml"));
  assert.equal(fine.status, 0, fine.stderr);
  assert.match(fine.stderr, /warn\.yml:8:39: warning: token_file "[^"]*nowhere": no such file/);
  assert.match(fine.stderr, /warn\.yml:8:\d+: warning: error checking password file "\/no\/pw": no such file/);
  const s = await Server.start({ args: ["--alertmanager.config", file("warn.yml")] });
  try {
    assert.match(await attempt(s, "r0"), /nowhere: No such file/i);
    writeFileSync(file("warn.yml"), bad);
    const r = await fetch(s.url("alertmanager") + "/-/reload", { method: "POST" });
    assert.equal(r.status, 500);
    assert.match(await r.text(), /warn\.yml:6:15: environment variable SECRET_NOWHERE is not set/);
    assert.ok(!s.log.includes("hush-hush"), s.log);
    assert.match(await (await fetch(s.url("alertmanager") + "/api/v2/status")).text(), /pushover/); // the one before is in force
  } finally {
    await s.stop();
  }
});

it("reaches targets with every secret of a scrape job, and shows none", async () => {
  const seen = new Map<string, Set<string>>();
  const server = createServer((req, res) => {
    const url = new URL(req.url!, "http://x"), path = url.pathname;
    if (path === "/token") {
      const who = Buffer.from(String(req.headers.authorization).slice(6), "base64").toString();
      return res.setHeader("Content-Type", "application/json").end(JSON.stringify({ access_token: `for ${who}`, token_type: "Bearer", expires_in: 3600 }));
    }
    seen.set(path, (seen.get(path) ?? new Set()).add(`${req.headers.authorization ?? ""}|${req.headers["x-key"] ?? ""}`));
    res.setHeader("Content-Type", "text/plain").end("up_here 1\n");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const port = (server.address() as AddressInfo).port, basic = "Basic " + Buffer.from("u:hush-1").toString("base64");
  const kinds: [string, string, string, string][] = [
    ["basic", "basic_auth: {username: u, %%}", "password", `${basic}|`],
    ["auth", "authorization: {type: Special, %%}", "credentials", "Special hush-1|"],
    ["bearer", "%%", "bearer_token", "Bearer hush-1|"],
    ["oauth", `oauth2: {client_id: u, token_url: 'http://127.0.0.1:${port}/token', %%}`, "client_secret", "Bearer for u:hush-1|"],
  ];
  writeFileSync(file("hush"), "hush-1\n");
  const jobs = kinds.flatMap(([name, keys, key]) => [["text", `${key}: hush-1`], ["env", `${key}: "\${HUSH}"`], ["file", `${key}_file: hush`]].map(([how, text]) =>
    `- {job_name: ${name}-${how}, metrics_path: /${name}/${how}, ${keys.replace("%%", text!)}, static_configs: [{targets: ['127.0.0.1:${port}']}]}`));
  for (const [how, text] of [["text", "secrets: [hush-1]"], ["env", 'secrets: ["${HUSH}"]'], ["file", "files: [hush]"]])
    jobs.push(`- {job_name: header-${how}, metrics_path: /header/${how}, http_headers: {X-Key: {${text}}}, static_configs: [{targets: ['127.0.0.1:${port}']}]}`);
  writeFileSync(file("prometheus.yml"), `global: {scrape_interval: 1s}\nscrape_configs:\n${jobs.join("\n")}\n`);
  const s = await Server.start({ env: { HUSH: "hush-1" }, args: ["--prometheus.config", file("prometheus.yml")] });
  try {
    await eventually("every scrape", async () => seen.size === 15);
    for (const [name, , , want] of [...kinds, ["header", "", "", "|hush-1"] as const])
      for (const how of ["text", "env", "file"]) assert.deepEqual([...seen.get(`/${name}/${how}`)!], [want], `${name} ${how}`);
    const shown = await (await fetch(s.url("prometheus") + "/api/v1/status/config")).text();
    assert.equal(shown.match(/<secret>/g)!.length, 10);
    for (const text of [shown, s.log, await (await fetch(s.url("prometheus") + "/api/v1/targets")).text()]) assert.ok(!text.includes("hush-1"), text);
  } finally {
    await s.stop();
    server.closeAllConnections();
    server.close();
  }
});
