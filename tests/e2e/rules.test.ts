// Rules: the same file in Debian's Prometheus and in Meerkat gives the same states; alerts outlive kill -9; the ruler API;
// rules over logs; reload; unit tests of rules with promtool's verdicts.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server as HttpServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, it } from "node:test";
import { Prometheus, prometheusVersion } from "./lib/promserver";
import { binary, eventually, Server, sleep } from "./lib/server";

const skip = prometheusVersion() ? false : "prometheus is not installed";
const dir = mkdtempSync(join(tmpdir(), "meerkat-rules-"));
const values: Record<string, number> = { 'app_up{zone="a"}': 1, 'app_up{zone="b"}': 1, "app_requests_total": 100, "app_queue": 3 };
let target: HttpServer, alertmanager: HttpServer, alertmanagerPort: number, server: Server, prometheus: Prometheus | undefined, port: number;

const rules = `groups:
- name: app
  rules:
  - record: app:up:sum
    expr: sum(app_up)
    labels: {team: core}
  - record: app:up:double
    expr: app:up:sum * 2
  - alert: AppDown
    expr: app_up == 0
    for: 3s
    labels: {severity: critical, where: '{{ $labels.zone }}!'}
    annotations: {summary: 'zone {{ $labels.zone }} is at {{ $value }}', link: '{{ $externalLabels.cluster }}'}
  - alert: QueueLong
    expr: app_queue > 10
    annotations: {summary: '{{ $value | humanize }} wait'}
  - alert: Keeps
    expr: app_queue > 10
    keep_firing_for: 2s
  - alert: Broken
    expr: '{__name__=~"app_queue|app_requests_total"} > 0'
- name: other
  interval: 2s
  limit: 1
  rules:
  - alert: TooMany
    expr: app_up >= 0
  - record: app:zones
    expr: count(app_up)
`;
const scrape = (who: string) => `global: {scrape_interval: 2s, evaluation_interval: 1s, external_labels: {cluster: c1}}
rule_files: ["${dir}/rules.yml"]
alerting:
  alert_relabel_configs: [{source_labels: [zone], target_label: area}]
  alertmanagers: [{path_prefix: /${who}, static_configs: [{targets: ["127.0.0.1:${alertmanagerPort}"]}]}]
scrape_configs: [{job_name: app, static_configs: [{targets: ["127.0.0.1:${port}"]}]}]
`;
const routes = () => `route: {receiver: hook, group_wait: 0s, group_interval: 1s, repeat_interval: 1h, group_by: [alertname]}
receivers: [{name: hook, webhook_configs: [{url: "http://127.0.0.1:${alertmanagerPort}/hook"}]}]
`;
const args = () => ["--alertmanager.config", join(dir, "alertmanager.yml"), "--prometheus.config", join(dir, "prometheus.yml"), "--web.enable-lifecycle"];

const received: Record<string, any[]> = {}; // by path, what Alertmanagers got

before(async () => {
  target = createServer((_, res) => res.setHeader("Content-Type", "text/plain; version=0.0.4")
    .end(Object.entries(values).map(([k, v]) => `${k} ${v}\n`).join("")));
  await new Promise<void>((resolve) => target.listen(0, "127.0.0.1", resolve));
  port = (target.address() as AddressInfo).port;
  alertmanager = createServer((req, res) => {
    let body = "";
    req.on("data", (chunk) => (body += chunk)).on("end", () => {
      (received[req.url!] ??= []).push(...[JSON.parse(body)].flat());
      res.end();
    });
  });
  await new Promise<void>((resolve) => alertmanager.listen(0, "127.0.0.1", resolve));
  alertmanagerPort = (alertmanager.address() as AddressInfo).port;
  writeFileSync(join(dir, "alertmanager.yml"), routes());
  writeFileSync(join(dir, "rules.yml"), rules);
  writeFileSync(join(dir, "prometheus.yml"), scrape("ours"));
  [server, prometheus] = await Promise.all([Server.start({ args: args(), dataDir: join(dir, "data") }), skip ? undefined : Prometheus.start(scrape("theirs"))]);
});
after(async () => {
  target?.close();
  alertmanager?.close();
  await prometheus?.stop();
  await server?.stop();
  rmSync(dir, { recursive: true, force: true });
});

/** What does not depend on the moment: the rest of the numbers and times is masked. */
function masked(value: any, key = ""): any {
  if (Array.isArray(value)) {
    const items = value.map((v) => masked(v));
    return key === "alerts" ? items.sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)) : items;
  }
  if (value === null || typeof value !== "object") return ["evaluationTime", "lastEvaluation", "activeAt", "keepFiringSince"].includes(key) ? typeof value : value;
  return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, masked(v, k)]));
}
const ours = (path: string) => server.json("prometheus", path);
const theirs = async (path: string) => (await fetch(prometheus!.url(path))).json();
const stateOf = (answer: any, name: string) => answer.data.groups.flatMap((g: any) => g.rules).find((r: any) => r.name === name)?.state;

async function sameRules(what: string, ready: (answer: any) => boolean) {
  await eventually(what, async () => {
    const [a, b] = [await ours("/api/v1/rules"), await theirs("/api/v1/rules")];
    if (!ready(a) || !ready(b)) return false;
    assert.deepEqual(masked(a), masked(b));
    return true;
  });
}

const evaluated = (a: any) => a.data.groups.length === 2 && a.data.groups.flatMap((g: any) => g.rules).every((r: any) => r.health !== "unknown");

it("gives the rules as Prometheus does, at rest, with errors and limits", { skip }, async () => {
  await sameRules("both have evaluated", (a) => evaluated(a) && stateOf(a, "AppDown") === "inactive");
});

it("goes through the same states", { skip }, async () => {
  values['app_up{zone="b"}'] = 0;
  values.app_queue = 1234;
  await eventually("both fire", async () => stateOf(await ours("/api/v1/rules"), "AppDown") === "firing" && stateOf(await theirs("/api/v1/rules"), "AppDown") === "firing");
  for (const get of [ours, theirs]) { // the series tell of all of them; whoever asks now and then may miss one
    const { data } = await get(`/api/v1/query?query=${encodeURIComponent('ALERTS{alertname="AppDown"}[1h]')}`);
    const states = data.result.map((r: any) => [r.values[0][0], r.metric.alertstate]).sort((a: any, b: any) => a[0] - b[0]).map((s: any) => s[1]);
    assert.deepEqual(states, ["pending", "firing"]);
  }
  await sameRules("both fire alike", (a) => ["AppDown", "QueueLong", "Keeps"].every((n) => stateOf(a, n) === "firing"));
  for (const query of ["ALERTS", "app:up:sum", "app:up:double", "app:zones", "count(ALERTS_FOR_STATE) by (alertname)"]) {
    const strip = (a: any) => a.data.result.map((r: any) => ({ metric: r.metric, value: r.value[1] })).sort((x: any, y: any) => (JSON.stringify(x) < JSON.stringify(y) ? -1 : 1));
    await eventually(query, async () => {
      const [a, b] = [strip(await ours(`/api/v1/query?query=${encodeURIComponent(query)}`)), strip(await theirs(`/api/v1/query?query=${encodeURIComponent(query)}`))];
      assert.deepEqual(a, b);
      return true;
    });
  }
  const [a, b] = [await ours("/api/v1/alerts"), await theirs("/api/v1/alerts")];
  const sorted = (x: any) => masked(x.data.alerts, "alerts");
  assert.deepEqual(sorted(a), sorted(b));
});

it("keeps firing alerts over kill -9, without going back to pending", async () => {
  values['app_up{zone="b"}'] = 0;
  const firing = await eventually("it fires", async () => (await ours("/api/v1/alerts")).data.alerts.find((a: any) => a.labels.alertname === "AppDown" && a.state === "firing"));
  await server.kill9();
  server = await Server.start({ args: args(), dataDir: join(dir, "data") });
  const seen = new Set<string>();
  for (let i = 0; i < 25; i++) {
    const alert = (await ours("/api/v1/alerts")).data.alerts.find((a: any) => a.labels.alertname === "AppDown");
    seen.add(alert ? `${alert.state} since ${alert.activeAt}` : "gone");
    await sleep(100);
  }
  assert.deepEqual([...seen], [`firing since ${firing.activeAt}`]);
});

it("resolves", async () => {
  values['app_up{zone="b"}'] = 1;
  values.app_queue = 3;
  await eventually("it is at rest", async () => stateOf(await ours("/api/v1/rules"), "AppDown") === "inactive");
});

it("leaves no series behind", { skip }, async () => {
  await sameRules("both are at rest again", (a) => ["AppDown", "QueueLong", "Keeps"].every((n) => stateOf(a, n) === "inactive"));
  await eventually("ALERTS is empty", async () => (await ours("/api/v1/query?query=ALERTS")).data.result.length === 0);
});

it("sends the same alerts to other Alertmanagers", { skip }, async () => {
  const resolved = (a: any) => a.endsAt <= new Date().toISOString();
  const got = (who: string) => (received[`/${who}/api/v2/alerts`] ?? []).filter((a) => a.labels.alertname === "AppDown");
  await eventually("both have told of firing and resolved", async () => ["ours", "theirs"].every((who) => got(who).some((a) => !resolved(a)) && got(who).some(resolved)));
  const shape = (a: any) => ({ ...a, startsAt: typeof a.startsAt, endsAt: typeof a.endsAt, generatorURL: new URL(a.generatorURL).search });
  assert.deepEqual(shape(got("ours")[0]), shape(got("theirs")[0]));
  assert.equal(got("ours")[0].labels.area, "b");
  const list = await ours("/api/v1/alertmanagers");
  assert.deepEqual(list.data, { activeAlertmanagers: [{ url: server.url("alertmanager", "/api/v2/alerts") }, { url: `http://127.0.0.1:${alertmanagerPort}/ours/api/v2/alerts` }], droppedAlertmanagers: [] });
});

it("told a webhook when it fired and when it was resolved, once each, kill -9 in between", async () => {
  const told = () => (received["/hook"] ?? []).filter((n) => n.groupLabels.alertname === "AppDown");
  await eventually("it was told of both", async () => told().some((n) => n.status === "resolved"));
  assert.deepEqual(told().map((n) => n.status), ["firing", "resolved"]);
  const [alert] = told()[0].alerts;
  assert.deepEqual([alert.labels.where, alert.labels.cluster, alert.annotations], ["b!", "c1", { summary: "zone b is at 0", link: "c1" }]);
});

it("answers the parameters of /api/v1/rules", async () => {
  const names = async (query: string) => (await ours(`/api/v1/rules?${query}`)).data.groups.flatMap((g: any) => g.rules.map((r: any) => r.name));
  assert.deepEqual(await names("type=record"), ["app:up:sum", "app:up:double", "app:zones"]);
  assert.deepEqual(await names("type=alert&rule_group[]=other"), ["TooMany"]);
  assert.deepEqual(await names("rule_name[]=Keeps"), ["Keeps"]);
  assert.deepEqual(await names(`match[]=${encodeURIComponent('{severity="critical"}')}`), ["AppDown"]);
  const first = await ours("/api/v1/rules?group_limit=1");
  assert.equal(first.data.groups.length, 1);
  const second = await ours(`/api/v1/rules?group_limit=1&group_next_token=${first.data.groupNextToken}`);
  assert.deepEqual([second.data.groups[0].name, second.data.groupNextToken], ["other", undefined]);
  // As Prometheus 3.16 quotes what came.
  const wrong: [query: string, error: string][] = [
    ["type=foo", 'invalid parameter "type": not supported value "foo"'],
    ["type=A%00", 'invalid parameter "type": not supported value "a\\x00"'],
    ["group_limit=a%00%FF", 'invalid parameter "group_limit": group_limit needs to be a valid number: strconv.ParseInt: parsing "a\\x00\\xff": invalid syntax'],
    ["exclude_alerts=%01%FF", 'invalid parameter "exclude_alerts": error converting exclude_alerts: strconv.ParseBool: parsing "\\x01\ufffd": invalid syntax'],
  ];
  for (const [query, error] of wrong) {
    const answer = await fetch(server.url("prometheus", `/api/v1/rules?${query}`));
    assert.deepEqual([answer.status, await answer.json()], [400, { status: "error", errorType: "bad_data", error }]);
  }
});

it("keeps the old rules when new ones are bad, and says why", async () => {
  writeFileSync(join(dir, "rules.yml"), rules.replace("sum(app_up)", "sum(app_up"));
  const bad = await fetch(server.url("prometheus", "/-/reload"), { method: "POST" });
  assert.equal(bad.status, 500);
  assert.match(server.log, /rules\.yml:5:21: error: group "app", rule 1, "app:up:sum": could not parse expression: 1:11: parse error: unclosed left parenthesis/);
  assert.equal((await ours("/api/v1/rules")).data.groups.length, 2);
  writeFileSync(join(dir, "rules.yml"), rules.replace("app:up:double", "app:up:twice"));
  assert.equal((await fetch(server.url("prometheus", "/-/reload"), { method: "POST" })).status, 200);
  await eventually("the new rule is evaluated", async () => (await ours("/api/v1/query?query=app:up:twice")).data.result.length === 1);
  await eventually("the old series ends", async () => (await ours("/api/v1/query?query=app:up:double")).data.result.length === 0);
});

it("takes rules over the ruler API and keeps them", async () => {
  const path = "/prometheus/config/v1/rules";
  const group = "name: made\ninterval: 1s\nrules:\n- record: made:one\n  expr: vector(1)\n- alert: Made\n  expr: made:one == 1\n  labels: {severity: info}\n";
  const send = (method: string, at: string, body?: string) => fetch(server.url("prometheus", at), { method, body });
  assert.equal((await send("GET", path)).status, 404);
  const bad = await send("POST", `${path}/team%20a`, group.replace("== 1", "== "));
  assert.equal(bad.status, 400);
  assert.match(await bad.text(), /could not parse expression/);
  assert.equal((await send("POST", `${path}/team%20a`, group)).status, 202);
  await eventually("it fires", async () => (await ours("/api/v1/alerts")).data.alerts.some((a: any) => a.labels.alertname === "Made"));
  await server.kill9();
  server = await Server.start({ args: args(), dataDir: join(dir, "data") });
  const text = await (await send("GET", `${path}/team%20a`)).text();
  assert.match(text, /^"team a":\n {2}- name: made\n {4}interval: 1s\n/);
  assert.match(await (await send("GET", `${path}/team%20a/made`)).text(), /^name: made\n/);
  assert.equal((await ours("/api/v1/rules?rule_group[]=made")).data.groups[0].file, "ruler:prometheus/team a");
  await eventually("it is evaluated again", async () => (await ours("/api/v1/rules?rule_group[]=made")).data.groups[0].rules.every((r: any) => r.health === "ok"));
  assert.equal((await send("DELETE", `${path}/team%20a/nope`)).status, 404);
  assert.equal((await send("DELETE", `${path}/team%20a/made`)).status, 202);
  assert.equal((await send("GET", `${path}/team%20a`)).status, 404);
  await eventually("its series end", async () => (await ours("/api/v1/query?query=made:one")).data.result.length === 0);
});

it("evaluates LogQL, made over Loki's ruler API", async () => {
  const now = `${Date.now()}000000`;
  const push = await fetch(server.url("loki", "/loki/api/v1/push"), {
    method: "POST", headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ streams: [{ stream: { app: "shop" }, values: [[now, "level=error boom"], [now, "level=info fine"]] }] }),
  });
  assert.equal(push.status, 204);
  const group = 'name: logs\ninterval: 1s\nrules:\n- alert: ShopErrors\n  expr: sum by (app) (count_over_time({app="shop"} |= "error" [5m])) > 0\n  annotations: {summary: "{{ $value }} in {{ $labels.app }}"}\n';
  const made = await fetch(server.url("loki", "/loki/api/v1/rules/shop"), { method: "POST", body: group });
  assert.equal(made.status, 202, await made.text());
  const alert = await eventually("it fires", async () => (await server.json("loki", "/prometheus/api/v1/alerts")).data.alerts.find((a: any) => a.labels.alertname === "ShopErrors"));
  assert.deepEqual([alert.labels, alert.annotations], [{ alertname: "ShopErrors", app: "shop" }, { summary: "1 in shop" }]);
  const listed = await server.json("loki", "/prometheus/api/v1/rules"); // on Loki's port only those over logs
  assert.deepEqual(listed.data.groups.map((g: any) => [g.name, g.file]), [["logs", "ruler:loki/shop"]]);
  const told = (status: string) => (received["/hook"] ?? []).find((n) => n.status === status && n.alerts[0].labels.alertname === "ShopErrors");
  const firing = await eventually("the webhook is told", async () => told("firing"));
  assert.deepEqual([firing.alerts[0].labels.app, firing.alerts[0].annotations.summary], ["shop", "1 in shop"]);
  const changed = await fetch(server.url("loki", "/loki/api/v1/rules/shop"), { method: "POST", body: group.replace("> 0", "> 10") });
  assert.equal(changed.status, 202);
  await eventually("the webhook hears that it is over", async () => told("resolved"));
  const lines = await fetch(server.url("loki", "/loki/api/v1/rules/shop"), { method: "POST", body: group.replace(/expr: .*/, 'expr: \'{app="shop"}\'') });
  assert.equal(lines.status, 400);
  assert.equal((await fetch(server.url("loki", "/loki/api/v1/rules/shop"), { method: "DELETE" })).status, 202);
});

const tool = (program: string, argv: string[], cwd: string) => {
  const r = spawnSync(program, argv, { encoding: "utf8", cwd, timeout: 120_000 });
  return { code: r.status, out: r.stdout.replaceAll("Unit Testing:  ", "Processing test file: "), err: r.stderr }; // 2.42's words
};

it("passes the unit tests of the rule packs, as promtool does", { skip }, () => {
  const cwd = join(process.cwd(), "tests/rules"), files = readdirSync(cwd).filter((f) => f.endsWith(".yml"));
  const exe = binary.startsWith("/") ? binary : join(process.cwd(), binary);
  assert.ok(files.length >= 8);
  assert.deepEqual(tool(exe, ["test", "rules", ...files], cwd), tool("promtool", ["test", "rules", ...files], cwd));
});

const unitRules = `groups:
- name: g
  rules:
  - {alert: Down, expr: up == 0, for: 5m, labels: {severity: page}, annotations: {s: 'down {{ $labels.job }}', v: '{{ $value }}'}}
  - {record: job:up, expr: sum by (job) (up)}
- name: h
  interval: 5m
  rules:
  - {alert: Err, expr: '{__name__=~"x|y"} > 0'}
`;
const input = `  - {series: 'up{job="a",instance="i"}', values: '0x3 _ 0x10 stale 1 1'}`;
const unitFiles: Record<string, string> = {
  right: `alert_rule_test: [{eval_time: 6m, alertname: Down, exp_alerts: [{exp_labels: {severity: page, job: a, instance: i}, exp_annotations: {s: down a, v: "0"}}]}]`,
  wrongAnnotation: `alert_rule_test: [{eval_time: 6m, alertname: Down, exp_alerts: [{exp_labels: {severity: page, job: a, instance: i}, exp_annotations: {s: down b}}]}]`,
  tooEarly: `alert_rule_test: [{eval_time: 4m, alertname: Down, exp_alerts: [{exp_labels: {job: a}}]}, {eval_time: 90s, alertname: Down}]`,
  unexpected: `alert_rule_test: [{eval_time: 14m, alertname: Down}, {eval_time: 20m, alertname: Down}]`,
  values: `promql_expr_test: [{expr: job:up, eval_time: 1m, exp_samples: [{labels: 'job:up{job="a"}', value: 0}]}, {expr: 'vector(1e-7)', eval_time: 0, exp_samples: [{labels: '{}', value: 1e-7}]}]`,
  wrongValues: `promql_expr_test: [{expr: job:up, eval_time: 2m, exp_samples: [{labels: 'job:up{job="a"}', value: 1}, {labels: '{b="c"}', value: 1234567}]}, {expr: nope, eval_time: 90s, exp_samples: [{labels: nope, value: 1}]}]`,
  withoutLabels: `promql_expr_test: [{expr: 'time()', eval_time: 1m, exp_samples: [{value: 60}]}, {expr: job:up, eval_time: 1m, exp_samples: [{labels: '', value: 3}]}]`,
  badExpression: `promql_expr_test: [{expr: 'sum(', eval_time: 1m}]`,
};

it("gives promtool's verdicts in promtool's words", { skip }, () => {
  const exe = binary.startsWith("/") ? binary : join(process.cwd(), binary);
  writeFileSync(join(dir, "unit_rules.yml"), unitRules);
  for (const [name, body] of Object.entries(unitFiles)) {
    for (const title of ["", `  name: ${name}\n`]) {
      const file = `${name}.yml`;
      writeFileSync(join(dir, file), `rule_files: [unit_rules.yml]\nevaluation_interval: 1m\ntests:\n- interval: 1m\n${title}  input_series:\n${input}\n  ${body}\n`);
      assert.deepEqual(tool(exe, ["test", "rules", file], dir), tool("promtool", ["test", "rules", file], dir), name);
    }
  }
});

const newer = `evaluation_interval: 1m
fuzzy_compare: true
tests:
- name: histograms
  input_series:
  - {series: h, values: '{{schema:1 sum:-0.3 count:32.1 z_bucket:7.1 z_bucket_w:0.05 buckets:[5.1 10 7] offset:-3 n_buckets:[4.1 5] n_offset:-5}}'}
  - {series: inc, values: '{{sum:3 count:2 buckets:[2]}}+{{sum:1.3 count:1 buckets:[1]}}x2'}
  promql_expr_test:
  - {expr: h, eval_time: 1m, exp_samples: [{labels: h, histogram: "{{schema:1 sum:-0.3 count:32.1 z_bucket:7.1 z_bucket_w:0.05 buckets:[5.1 10 7] offset:-3 n_buckets:[4.1 5] n_offset:-5}}"}]}
  - {expr: inc, eval_time: 2m, exp_samples: [{labels: inc, histogram: "{{count:4 sum:5.6 counter_reset_hint:not_reset buckets:[4]}}"}]}
- name: start
  start_timestamp: 2025-01-01T00:00:00Z
  promql_expr_test:
  - {expr: time(), eval_time: 1m, exp_samples: [{value: 1735689660}]}
  - {expr: vector(0.1 + 0.2), eval_time: 0, exp_samples: [{labels: '{}', value: 0.3}]}
- name: wrong
  promql_expr_test:
  - {expr: vector(1), eval_time: 0, exp_samples: [{labels: '{}', value: 2}]}
`;

it("reads what newer unit test files have", () => {
  const exe = binary.startsWith("/") ? binary : join(process.cwd(), binary);
  writeFileSync(join(dir, "newer.yml"), newer);
  const some = tool(exe, ["test", "rules", "--run", "hist", "--run", "^start$", "newer.yml"], dir);
  assert.deepEqual(some, { code: 0, out: "Processing test file: newer.yml\n  SUCCESS\n\n", err: "" });
  const all = tool(exe, ["test", "rules", "--junit", "junit.xml", "newer.yml"], dir);
  assert.deepEqual([all.code, all.err], [1, '  FAILED:\n    expr: "vector(1)", time: 0s,\n        exp: {} 2E+00\n        got: {} 1E+00\n']);
  assert.match(readFileSync(join(dir, "junit.xml"), "utf8"), /^<testsuites><testsuite name="newer\.yml" tests="3" failures="1" errors="0" skipped="0" timestamp="[-0-9T:]{19}"><testcase name="histograms"><\/testcase>/);
});

const checkFiles: Record<string, string> = {
  good: rules.replace("  limit: 1\n", ""),
  duplicates: "groups:\n- name: a\n  rules:\n  - {record: r, expr: up, labels: {a: b}}\n  - {record: r, expr: down, labels: {a: b}}\n",
  empty: "",
};

it("checks rule files as promtool does, and finds more", { skip }, () => {
  const exe = binary.startsWith("/") ? binary : join(process.cwd(), binary);
  for (const [name, text] of Object.entries(checkFiles)) {
    writeFileSync(join(dir, `${name}.yml`), text);
    assert.deepEqual(tool(exe, ["check", "rules", "--lint=duplicate-rules", `${name}.yml`], dir), tool("promtool", ["check", "rules", `${name}.yml`], dir), name);
    assert.equal(tool(exe, ["check", "rules", "--lint=duplicate-rules", "--lint-fatal", `${name}.yml`], dir).code,
      tool("promtool", ["check", "rules", "--lint-fatal", `${name}.yml`], dir).code, name);
  }
  const piped = spawnSync(exe, ["check", "rules"], { encoding: "utf8", input: "groups: [{name: a, rules: [{record: 1 b-c, expr: up, labels: {'d e': f}}]}]\n" });
  assert.deepEqual([piped.status, piped.stdout], [0, "Checking standard input\n  SUCCESS: 1 rules found\n\n"]);
  assert.equal(spawnSync(exe, ["check", "rules"], { encoding: "utf8", input: "groups: [{name: a, rulez: []}]\n" }).status, 1);
  writeFileSync(join(dir, "trap.yml"), "groups:\n- name: a\n  rules:\n  - alert: E\n    expr: rate(r_total{status=~\"5..\"}[5m]) / rate(r_total[5m]) > 0.01\n");
  const trap = tool(exe, ["check", "rules", "--lint-fatal", "trap.yml"], dir);
  assert.equal(trap.code, 3);
  assert.match(trap.err, /trap\.yml:5:11: warning: group "a", rule 1, "E": series match one to one with their label "status"/);
});

it("has a Watchdog for those who wait for it, and for nobody else", async () => {
  const dog = mkdtempSync(join(tmpdir(), "meerkat-watchdog-")), am = join(dog, "am.yml");
  const routing = (routes: string) => `route: {receiver: all, group_wait: 0s, group_interval: 1s, routes: [${routes}]}
receivers: [{name: all, webhook_configs: [{url: "http://127.0.0.1:${alertmanagerPort}/all"}]}, {name: dog, webhook_configs: [{url: "http://127.0.0.1:${alertmanagerPort}/dog"}]}]
`;
  const beat = createServer((_, res) => { beats++; res.end(); });
  let beats = 0;
  await new Promise<void>((resolve) => beat.listen(0, "127.0.0.1", resolve));
  writeFileSync(am, routing(`{matchers: [severity=none], receiver: all}`));
  writeFileSync(join(dog, "rules.yml"), "groups: [{name: g, rules: [{record: one, expr: vector(1)}]}]\n");
  const names = async (s: Server) => (await s.json("prometheus", "/api/v1/rules")).data.groups.map((g: any) => `${g.file.split("/").pop()} ${g.name}`);
  const common = ["--alertmanager.config", am, "--web.enable-lifecycle"];
  const s = await Server.start({ args: [...common, "--rules.file", join(dog, "rules.yml")] });
  try {
    assert.deepEqual(await names(s), ["rules.yml g"]);
    writeFileSync(am, routing(`{matchers: ['alertname="Watchdog"'], receiver: dog, labels: {who: "{{ .CommonLabels.alertname }}", team: t}}, {matchers: [severity=none], receiver: all}`));
    assert.equal((await fetch(s.url("alertmanager", "/-/reload"), { method: "POST" })).status, 200);
    assert.deepEqual(await names(s), ["rules.yml g", "builtin:watchdog watchdog"]);
    const told = await eventually("the Watchdog is told", async () => received["/dog"]?.[0]);
    assert.deepEqual(told.alerts[0].labels, { alertname: "Watchdog", severity: "none" });
    assert.equal((await s.json("prometheus", "/api/v1/alerts")).data.alerts[0].labels.alertname, "Watchdog");
    assert.deepEqual((await s.json("alertmanager", "/api/v2/alerts"))[0].receivers, [{ name: "dog" }]);
    assert.deepEqual((await s.json("alertmanager", "/api/v2/alerts/groups"))[0].routeLabels, { team: "t", who: "Watchdog" });
    assert.equal(received["/all"], undefined);
  } finally {
    await s.stop();
  }
  // A heartbeat waits for it as well; then no route does, and the Alertmanager does not list it.
  writeFileSync(am, routing(""));
  const port = (beat.address() as AddressInfo).port;
  const h = await Server.start({ args: [...common, "--alertmanager.heartbeat", `ping http://127.0.0.1:${port}/x every 1s`] });
  try {
    assert.deepEqual(await names(h), ["builtin:watchdog watchdog"]);
    await eventually("calls go out", async () => beats > 1);
    await eventually("it fires", async () => (await h.json("prometheus", "/api/v1/alerts")).data.alerts.length === 1);
    await sleep(500);
    assert.deepEqual(await h.json("alertmanager", "/api/v2/alerts"), []);
    assert.equal(received["/all"], undefined);
  } finally {
    await h.stop();
    beat.close();
  }
  // Nothing configured: it shows that alerting works, and nobody is told.
  const bare = await Server.start();
  try {
    assert.deepEqual(await names(bare), ["builtin:watchdog watchdog"]);
    await eventually("it fires", async () => (await bare.json("prometheus", "/api/v1/alerts")).data.alerts[0]?.state === "firing");
    assert.deepEqual(await bare.json("alertmanager", "/api/v2/alerts"), []);
  } finally {
    await bare.stop();
    rmSync(dog, { recursive: true, force: true });
  }
});

it("tests rules over lines, and says where input_logs are wrong", () => {
  const exe = binary.startsWith("/") ? binary : join(process.cwd(), binary), cwd = join(process.cwd(), "tests/rules/logs");
  const good = tool(exe, ["test", "rules", "errors-test.yml"], cwd);
  assert.deepEqual([good.code, good.err], [0, ""]);
  writeFileSync(join(dir, "none.yml"), "groups: []\n");
  writeFileSync(join(dir, "fewer.yml"), readFileSync(join(cwd, "errors-test.yml"), "utf8").replace("rule_files: [", `rule_files: [${cwd}/`).replace("count: 9", "count: 8"));
  const fewer = tool(exe, ["test", "rules", join(dir, "fewer.yml")], dir);
  assert.equal(fewer.code, 1);
  assert.match(fewer.err, /got:[^]*summary[^]*8 errors in shop/);
  const wrong = (line: string) => {
    writeFileSync(join(dir, "wrong.yml"), `rule_files: [none.yml]\ntests:\n- input_logs:\n  - ${line}\n`);
    return tool(exe, ["test", "rules", join(dir, "wrong.yml")], dir).err;
  };
  assert.match(wrong("{labels: {a: b}, at: soon}"), /4:26: a duration such as 30s is wanted here/);
  assert.match(wrong("{labels: {a: b}, lin: x}"), /4:22: a line has at, every, count, labels, line, metadata/);
  assert.match(wrong("{line: x}"), /4:5: labels is missing: a line belongs to a stream/);
  assert.match(wrong("{labels: {a: b}, count: 9999999}"), /4:29: a number up to 1000000 is wanted here/);
});
