// Receivers against services that answer as the real ones do: what they refuse, what they keep, what they say of errors.
// The same alerts go through Debian's Alertmanager (and through the newer one that NEWER_ALERTMANAGER names): requests equal.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, it } from "node:test";
import { Alertmanager, alertmanagerVersion } from "./lib/amserver";
import { Cloud, hosts, receivers, type Style } from "./lib/fakes/all";
import { failures, type Req } from "./lib/fakes/world";
import { eventually, Server, sleep } from "./lib/server";

const dir = mkdtempSync(join(tmpdir(), "meerkat-receivers-"));
const file = (name: string) => join(dir, name);
const newer = process.env.NEWER_ALERTMANAGER;
let tls: { key: string; cert: string };

before(() => {
  const run = spawnSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "key.pem", "-out", "ca.pem", "-subj", "/CN=world",
    "-addext", `subjectAltName=${hosts.map((h) => `DNS:${h}`).join(",")}`, "-days", "2"], { cwd: dir, encoding: "utf8" });
  assert.equal(run.status, 0, run.stderr);
  tls = { key: readFileSync(file("key.pem"), "utf8"), cert: readFileSync(file("ca.pem"), "utf8") };
  writeFileSync(file("long.tmpl"), `{{ define "long" }}${"Länge €𝄞 ".repeat(4000)}{{ end }}{{ define "huge" }}${"0123456é".repeat(40000)}{{ end }}`);
});
after(() => rmSync(dir, { recursive: true, force: true }));

const config = (lists: string[], times = "group_wait: 50ms, group_interval: 400ms, repeat_interval: 1h") => `
templates: ['${dir}/*.tmpl']
route: {receiver: r0, group_by: [alertname], ${times}, routes: [${lists.map((_, i) => `{receiver: r${i}, continue: true}`).join(", ")}]}
receivers:${lists.map((list, i) => `\n- name: r${i}${list}`).join("")}`;

const post = async (to: string, list: object[]) => {
  const r = await fetch(to + "/api/v2/alerts", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(list) });
  assert.equal(r.status, 200, await r.text());
};
const alert = (instance: string, more: object = {}, alertname = "High") => ({
  labels: { alertname, severity: "critical", team: "core", instance }, annotations: { summary: 'p95 <high> & "é"', [`of_${instance}`]: instance }, generatorURL: "http://p/graph?a=1&b=2", startsAt: "2025-01-01T00:00:00.5Z", ...more });

interface Side { base: string; cloud: Cloud; stop: () => Promise<void>; log: () => string }
type Pick = (r: ReturnType<typeof receivers>) => string[];
async function meerkat(pick: Pick | ((c: Cloud) => string), style: Style = "defaults", env: Record<string, string> = {}): Promise<Side> {
  const cloud = await Cloud.start(tls), path = file(`m-${Math.random()}.yml`);
  const lists = style === "tokens" ? [(pick as (c: Cloud) => string)(cloud)] : (pick as Pick)(receivers(cloud.world, file("ca.pem"), style));
  writeFileSync(path, config(lists));
  const s = await Server.start({ env, args: ["--alertmanager.config", path, "--alertmanager.external-url", "http://am.example:9093"] });
  return { base: s.url("alertmanager"), cloud, log: () => s.log, stop: async () => { await s.stop(); await cloud.world.stop(); } };
}
async function original(pick: Pick, style: Style, binary?: string): Promise<Side> {
  const cloud = await Cloud.start(tls);
  const s = await Alertmanager.start(config(pick(receivers(cloud.world, file("ca.pem"), style))), binary);
  return { base: s.base, cloud, log: () => s.log, stop: async () => { await s.stop(); await cloud.world.stop(); } };
}

/** What the world saw is quiet for a moment. */
async function settled(...sides: Side[]): Promise<void> {
  const count = () => sides.map((s) => s.cloud.world.requests.length).join();
  let before = count(), since = Date.now();
  await eventually("quiet", async () => {
    if (count() !== before) [before, since] = [count(), Date.now()];
    return before.split(",").every((n) => Number(n) > 0) && Date.now() - since > 700;
  }).catch((e) => { throw new Error(`${e}\n${sides.map((s) => [...new Set(s.cloud.world.problems)].join("\n")).join("\n---\n")}`); });
}

/** What must be the same: not the time and what is made of it. Older ones do not say why they notify. */
function comparable(side: Side, old: boolean): string[] {
  const port = side.cloud.world.port;
  const one = (r: Req) => {
    let text = r.text.replaceAll(String(port), "PORT").replace(/"(starts|ends)At":"20[^"]*"/g, '"$1At":"set"');
    const aws = old && r.service === "sns"; // its older library asks the root, names a charset and writes what is empty
    if (old) text = text.replace(/"notification_reason":"[^"]*",/, "").replace('"routeLabels":{},', "");
    if (aws) text = text.replace("&MessageAttributes=&", "&");
    const auth = String(r.headers.authorization).replace(/\/\d{8}\//, "/DATE/").replace(/Signature=\w+/, "Signature=x").replace(/SignedHeaders=[^,]*/, "SignedHeaders=x");
    const raw = old ? r.raw.replace("device=&", "") : r.raw;
    return [r.service, r.method, aws ? "/sns" : raw.replaceAll(String(port), "PORT"), r.status, aws ? "" : r.headers["content-type"], auth, r.headers["x-auth-token"], r.headers["accept-language"], text].join("\n");
  };
  // Telegram's fields have no order, and a token's request may be saved.
  return side.cloud.world.requests.filter((r) => !/gettoken/.test(r.raw)).map(one).map((t) => t.replace(/access_token=wx-access-\d+/, "access_token=T")).sort();
}

/** One alert, two more, all over. */
async function life(sides: Side[], check: (step: string) => void): Promise<void> {
  const steps: [string, object[]][] = [["firing", [alert("a")]], ["more", [alert("b"), alert("c", { annotations: {} })]],
    ["over", ["a", "b", "c"].map((i) => alert(i, { endsAt: new Date(Date.now() - 1000).toISOString(), ...(i === "c" ? { annotations: {} } : {}) }))]];
  for (const [name, list] of steps) {
    for (const s of sides) await post(s.base, list);
    await settled(...sides);
    check(name);
    for (const s of sides) s.cloud.world.requests = [];
  }
}

function same(ours: Side, theirs: Side, old: boolean, step: string): void {
  const [a, b] = [comparable(ours, old), comparable(theirs, old)];
  const shorten = (list: string[]) => list.map((t) => (t.length > 3000 ? `${t.slice(0, 2000)}…${t.length}…${t.slice(-900)}` : t));
  const [onlyA, onlyB] = [a.filter((t) => !b.includes(t)), b.filter((t) => !a.includes(t))];
  assert.deepEqual(shorten(onlyA), shorten(onlyB), step);
  assert.equal(a.length, b.length, step);
  const problems = (s: Side) => [...new Set(s.cloud.world.problems.map((p) => p.replaceAll(String(s.cloud.world.port), "PORT")))].sort();
  assert.deepEqual(problems(ours), problems(theirs), step);
}

const versions: { name: string; binary?: string; pick: Pick; old: boolean; styles: Style[] }[] = [];
if (alertmanagerVersion()) versions.push({ name: "Debian's Alertmanager", pick: (r) => [r.old], old: true, styles: ["own"] });
if (newer) versions.push({ name: newer, binary: newer, pick: (r) => [r.old, r.newer], old: false, styles: ["defaults", "own", "long"] });
for (const v of versions)
  for (const style of v.styles)
    it(`sends what ${v.name} sends: ${style}`, async () => {
      const [ours, theirs] = await Promise.all([meerkat(v.pick, style), original(v.pick, style, v.binary)]);
      try {
        await life([ours, theirs], (step) => same(ours, theirs, v.old, step));
      } finally {
        await Promise.all([ours.stop(), theirs.stop()]);
      }
    });

it("is understood by every service, and leaves there what it should", async () => {
  const all: Pick = (r) => [r.old, r.newer, r.own], ours = await meerkat(all, "defaults");
  try {
    const { jira2, jira3, pagers, chats, world } = ours.cloud;
    await life([ours], (step) => {
      assert.deepEqual(world.problems, [], step);
      assert.equal(new Set(world.requests.map((r) => r.service)).size, step === "over" ? 18 : 20, step); // resolved ones are not for Slack and Rocket.Chat
    });
    for (const jira of [jira2, jira3]) {
      assert.equal(jira.issues.length, 1);
      assert.deepEqual(jira.issues[0]!.history, ["created", "updated", "updated", "Resolve"]);
      assert.equal(jira.issues[0]!.fields.priority.name, "High");
    }
    assert.match(jira2.issues[0]!.fields.description, /^\n\n# Alerts Resolved|# Alerts Resolved/);
    assert.deepEqual([...pagers.pagerduty.values()], Array(3).fill("resolve"));
    assert.deepEqual([...pagers.opsgenie.values()].map((a) => [a.open, a.count]), [[false, 2]]);
    assert.deepEqual([...pagers.victorops.values()], ["RECOVERY"]);
    assert.ok(chats.telegramMessages.length === 6, "telegram");
    // Firing again within the time opens the same issue.
    await post(ours.base, [alert("a")]);
    await settled(ours);
    assert.deepEqual(jira2.issues.map((i) => [i.history.slice(-2), i.status]), [[["updated", "Reopen"], "To Do"]]);
    assert.deepEqual(world.problems, []);
    for (const secret of ["jira-token", "wx-secret", "tg-token", "po-token", "rc-token", "io-token", "tk_ntfy", "og-key", "vo-key", "secret+key", "hooks/x1"])
      for (const text of [ours.log(), await (await fetch(ours.base + "/api/v2/status")).text()]) assert.ok(!text.includes(secret), `${secret} in ${text}`);
  } finally {
    await ours.stop();
  }
});

it("keeps tokens while they are good, and asks again when they end early", async () => {
  const ini = file("credentials");
  writeFileSync(ini, "[default]\naws_access_key_id = wrong\n\n[ops]\n# of the operators\naws_access_key_id=AKIDEXAMPLE\naws_secret_access_key = aws/secret+key\n");
  const ours = await meerkat((c: Cloud) => `
  webhook_configs: [{url: '${c.world.url("/oauth/hook")}', http_config: {oauth2: {client_id: client, client_secret: oa-secret, token_url: '${c.world.url("/oauth/token")}', scopes: [a, b], endpoint_params: {audience: x y}}}}]
  wechat_configs: [{api_secret: wx-secret, corp_id: corp, api_url: '${c.world.url("/wechat/cgi-bin/")}', to_user: u, agent_id: '12'}]
  slack_configs: [{app_token: xoxb-slack, app_url: 'https://slack.com/api/chat.postMessage', channel: '#ops', update_message: true, post_updates_to_thread: true, http_config: {proxy_url: '${c.world.url("")}', tls_config: {ca_file: '${file("ca.pem")}'}}}]
  sns_configs:
  - {topic_arn: 'arn:aws:sns:eu-west-1:123456789012:by-profile', api_url: '${c.world.url("/sns/")}', sigv4: {region: eu-west-1, profile: ops}}
  - {topic_arn: 'arn:aws:sns:eu-west-1:123456789012:by-role', api_url: '${c.world.url("/sns/")}', sigv4: {region: eu-west-1, profile: ops, role_arn: 'arn:aws:iam::123456789012:role/pager', external_id: ext}, http_config: {proxy_url: '${c.world.url("")}', no_proxy: 127.0.0.1, tls_config: {ca_file: '${file("ca.pem")}'}}}
`, "tokens", { AWS_SHARED_CREDENTIALS_FILE: ini, AWS_CONFIG_FILE: "/nowhere" });
  try {
    const { world, chats, aws } = ours.cloud;
    chats.wechatGoodFor = 3;
    for (const [i, instance] of ["a", "b", "c", "d", "e"].entries()) {
      await post(ours.base, [alert(instance)]);
      await eventually("the notification", async () => world.of("oauth").filter((r) => r.path === "/hook" && r.status === 200).length > i && aws.published.length >= 2 * (i + 1) &&
        world.of("wechat").filter((r) => /send/.test(r.path)).length > i && world.of("slack").length >= 2 * i + 1);
    }
    await settled(ours);
    assert.deepEqual(world.problems, []);
    assert.equal(world.of("oauth").filter((r) => r.path === "/token").length, 2);
    assert.deepEqual(world.of("oauth").filter((r) => r.path === "/hook").map((r) => r.status), [200, 200, 200, 401, 200, 200]);
    assert.equal(chats.wechatTokens, 2);
    assert.equal(world.of("wechat").length, 2 + 6);
    assert.equal(aws.assumed.length, 1);
    assert.equal(aws.published.filter((f) => f.get("TopicArn")!.endsWith("by-role")).length, 5);
    assert.deepEqual(chats.slackMessages.map((m) => [m.edits, m.thread !== undefined]), [[4, false], ...Array(4).fill([0, true])]);
    for (const secret of ["oa-secret", "oa-token", "wx-access", "wx-secret", "xoxb", "secret+key", "tok/en"]) assert.ok(!ours.log().includes(secret), secret);
  } finally {
    await ours.stop();
  }
});

/** Attempts that each service saw of a group that it refused once, and how failures are counted. */
async function verdicts(side: Side): Promise<{ attempts: string[]; failed: string[] }> {
  await settled(side);
  const seen = new Map<string, number[]>();
  for (const r of side.cloud.world.requests) {
    if (r.path === "/cgi-bin/gettoken") continue; // how often depends on who comes first
    seen.set(r.service, [...(seen.get(r.service) ?? []), r.status!]);
  }
  const attempts = [...seen].map(([k, v]) => `${k}: ${v.sort().join(" ")}`).sort();
  const text = await (await fetch(side.base + "/metrics")).text();
  const failed = text.split("\n").filter((l) => /^alertmanager_notifications_failed_total\{/.test(l) && !/ 0$/.test(l)).map((l) => l.replace(/^.*integration="(\w+)".*reason="(\w+)".* (\d+)$/, "$1 $2 $3")).sort();
  return { attempts, failed };
}

it("tries again what may be tried again", async () => {
  const all: Pick = (r) => [r.old, r.newer], fails = failures.map((f) => alert("a", {}, `Fail${f}`));
  const sides = [await meerkat(all, "defaults"), ...(newer ? [await original(all, "defaults", newer)] : [])];
  try {
    for (const s of sides) await post(s.base, fails);
    await settled(...sides);
    const [ours, theirs] = await Promise.all(sides.map(verdicts));
    const services = ["discord", "hook", "incidentio", "jira2", "jira3", "mattermost", "og", "pd1", "pd2", "pushover", "rocketchat", "slack", "sns", "teams", "telegram", "vo", "webex", "wechat", "workflow"];
    for (const s of services) assert.match(ours!.attempts.find((a) => a.startsWith(s + ":"))!, new RegExp(`: (20[0-4] )+${failures.join(" ")}$`));
    // Final are 4xx (400, 404, 413; 401, 403), and 429 for most; Telegram and WeChat are asked again whatever they say.
    const patient = ["incidentio", "jira", "opsgenie", "pagerduty"];
    const integrations = ["discord", "mattermost", "msteams", "msteamsv2", "pushover", "rocketchat", "slack", "sns", "victorops", "webex", "webhook", ...patient];
    const want = integrations.flatMap((i) => [`${i} authError ${i === "jira" ? 4 : 2}`, `${i} clientError ${i === "jira" ? 6 : 3}`, ...(patient.includes(i) ? [] : [`${i} rateLimited 1`])]);
    assert.deepEqual(ours!.failed, [...want, "pagerduty other 5"].sort()); // those of version 1 have no reasons
    if (theirs) for (const k of ["attempts", "failed"] as const) assert.deepEqual(ours![k].filter((l) => !theirs[k].includes(l)), theirs[k].filter((l) => !ours![k].includes(l)), k);
  } finally {
    for (const s of sides) await s.stop();
  }
});
