// The Alertmanager beside Debian's: the same answers, errors, group keys and notifications; amtool on us; kill -9; receivers
// that fail or are slow; what the original does not have.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { Alertmanager, alertmanagerVersion, Sink } from "./lib/amserver";
import { binary, eventually, freeOffset, Server, sleep } from "./lib/server";

const config = (sink: Sink) => `
global: {resolve_timeout: 5m}
route:
  receiver: default
  group_by: [alertname, service]
  group_wait: 300ms
  group_interval: 1s
  repeat_interval: 1h
  routes:
  - matchers: ['severity="critical"', 'team=~"a|b"']
    receiver: pager
    continue: true
  - match_re: {service: 'db|cache'}
    receiver: db
  - matchers: [all=yes]
    group_by: ['...']
    receiver: all
  - matchers: [flaky=yes]
    receiver: flaky
inhibit_rules:
- source_matchers: [severity="critical"]
  target_matchers: [severity="warning"]
  equal: [service]
receivers:
- name: default
  webhook_configs: [{url: '${sink.url("/default")}'}]
- name: pager
  webhook_configs: [{url: '${sink.url("/pager")}'}]
- name: db
  webhook_configs: [{url: '${sink.url("/db")}', send_resolved: false}]
- name: all
  webhook_configs: [{url: '${sink.url("/all")}'}]
- name: flaky
  webhook_configs: [{url: '${sink.url("/flaky")}'}]
`;

const json = { "Content-Type": "application/json" };
const post = (base: string, path: string, body: unknown, headers: Record<string, string> = json) =>
  fetch(base + path, { method: "POST", headers, body: typeof body === "string" ? body : JSON.stringify(body) });
const far = "2100-01-01T00:00:00Z";

interface Call { method?: string; path: string; body?: string; type?: string; accept?: string }
async function answer(base: string, call: Call): Promise<string> {
  const response = await fetch(base + call.path, { method: call.method ?? (call.body === undefined ? "GET" : "POST"), body: call.body,
    headers: { ...(call.body === undefined ? {} : { "Content-Type": call.type ?? "application/json" }), ...(call.accept ? { Accept: call.accept } : {}) } });
  return `${response.status} ${await response.text()}`;
}

const silence = (extra: object) => JSON.stringify({ matchers: [{ name: "a", value: "x", isRegex: false }], startsAt: "2020-01-01T00:00:00Z", endsAt: far, createdBy: "me", comment: "c", ...extra });
// Asked of both, answered alike.
const alike: Call[] = [
  { path: "/api/v2/nope" }, { path: "/api/v2/" }, { path: "/api/v2/status", method: "DELETE" },
  { path: "/api/v2/silence/zzz" }, { path: "/api/v2/silence/aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee" },
  { path: "/-/healthy" }, { path: "/-/ready" },
  // Methods, slashes, media types, names of fields in any case.
  { path: "/api/v2/status", method: "HEAD" }, { path: "/api/v2/alerts", method: "HEAD" }, { path: "/api/v2/status", method: "OPTIONS" },
  { path: "/api/v2//alerts?filter=none%3Dnone" }, { path: "//api/v2/alerts?filter=none%3Dnone" }, { path: "/api//v2/nope" },
  ...["text/plain", "*/*", "application/*;q=0.5", "text/html, application/json"].map((accept) => ({ path: "/api/v2/alerts?filter=none%3Dnone", accept })),
  { path: "/api/v2/alerts", body: '[{"LABELS":{}}]' }, { path: "/api/v2/alerts", body: '[{"Labels":{"a":"1"},"STARTSAT":"2026-01-02T00:00:00Z","endsat":"2026-01-01T00:00:00Z"}]' },
  { path: "/api/v2/silences", body: silence({ startsAt: far, endsAt: "2020-01-01T00:00:00Z" }).replace(/"(comment|createdBy|matchers|startsAt|name|isRegex)"/g, (name) => name.toUpperCase()) },
  ...["", "  ", "{", "{}", "[{}]", "[1,]", '[{"labels":{"a":tru}}]', '[] x', '[{"labels":{}}]', '[{"labels":{"a":1}}]', '[{"labels":[]}]', '[{"labels":{"a":"1"},"startsAt":"x"}]', "[1]", "x", "null", "[]",
    '[{"labels":{"a":"1"},"generatorURL":"::"}]', '[{"labels":{"a":"1"},"generatorURL":"foo"}]', '[{"labels":{"a":""}}]', '"x"', '[{"labels":{"":"1"}}]',
    '[{"labels":{"a":"1"},"startsAt":"2026-01-02T00:00:00Z","endsAt":"2026-01-01T00:00:00Z"}]'].map((body) => ({ path: "/api/v2/alerts", body })),
  { path: "/api/v2/alerts", body: "[]", type: "text/plain" },
  ...["alerts", "alerts/groups", "silences"].map((p) => ({ path: `/api/v2/${p}/` })), { path: "/api/v2/status/", method: "PUT" }, { path: "/api/v2/silence/zzz/" },
  { path: "/api/v2/alerts?filter=a" }, { path: "/api/v2/alerts?receiver=(" }, { path: "/api/v2/alerts?filter=a%3D~%28" }, { path: "/api/v2/silences?filter=x" },
  { path: "/api/v2/alerts?active=maybe&filter=none%3Dnone" },
  ...["", "{}", "[]", '{"matchers":[]}', silence({ matchers: [] }), silence({ matchers: [{ name: "a", value: "b" }] }), silence({ comment: undefined }),
    silence({ startsAt: far, endsAt: "2020-01-01T00:00:00Z" }), silence({ endsAt: "2021-01-01T00:00:00Z" }), silence({ id: "nope" }), silence({ startsAt: "bad" }),
    silence({ matchers: [{ name: "a", value: "x", isRegex: "no" }] }), silence({ matchers: [{ name: "a", value: "x", isRegex: false }, { value: "y", isRegex: true }] })]
    .map((body) => ({ path: "/api/v2/silences", body })),
];
// The newer original's words, where Debian's has older ones.
const newer: [Call, string][] = [
  [{ path: "//api/v2//alerts", body: "[]" }, "200 "], // the older one makes a GET of it
  [{ path: "/api/v2/silence/aaaaaaaa-bbbb-4ccc-8ddd-eeeeeeeeeeee", method: "DELETE" }, "404 "],
  [{ path: "/api/v2/silences", body: silence({ matchers: [{ name: "a", value: "", isRegex: false }] }) },
    '400 "invalid silence: matcher set 0: at least one matcher must not match the empty string"\n'],
  [{ path: "/api/v2/alerts/groups?filter=%7B" }, '400 "unexpected open or close brace: {"\n'],
  [{ path: "/api/v1/alerts" }, '410 {"status":"deprecated","error":"The Alertmanager v1 API was deprecated in version 0.16.0 and is removed as of version 0.27.0 - please use the equivalent route in the v2 API"}\n'],
];

// Times and identities of their own, and what only the newer one writes.
const plain = (x: any): any => {
  if (Array.isArray(x)) return x.map(plain);
  if (x === null || typeof x !== "object") return x;
  const out: any = {};
  for (const [k, v] of Object.entries(x)) {
    if (["startsAt", "updatedAt", "routeLabels", "mutedBy", "notification_reason"].includes(k)) continue;
    out[k] = k === "endsAt" && v !== "0001-01-01T00:00:00Z" ? "set" : k === "id" ? "id" : plain(v);
  }
  return out;
};

const alerts = [
  { labels: { alertname: "HighLLMLatency", service: "llm-api", severity: "critical", team: "a" }, annotations: { summary: "p95 <high> & rising" }, generatorURL: "http://p/graph" },
  { labels: { alertname: "Slow", service: "llm-api", severity: "warning" } },
  { labels: { alertname: "Down", service: "db", instance: "db-2", job: "db" } },
  { labels: { alertname: "Down", service: "db", instance: "db-1", job: "db" }, annotations: { runbook: "http://r" } },
  { labels: { alertname: 'Quote"d\\', svc: "\u00e9\n", empty: "" } },
  { labels: { alertname: "Each", all: "yes", n: "1" } },
  { labels: { alertname: "Each", all: "yes", n: "2" } },
];

let work: string, sink: Sink, server: Server, base: string;
const file = () => join(work, "alertmanager.yml");
const serve = (extra: string[] = [], dataDir = join(work, "data"), offset?: number) =>
  Server.start({ args: ["--alertmanager.config", file(), "--alertmanager.external-url", "http://am.example:9093", ...extra], dataDir, offset });

before(async () => {
  work = mkdtempSync(join(tmpdir(), "meerkat-am-"));
  sink = await Sink.start();
  writeFileSync(file(), config(sink));
  server = await serve();
  base = server.url("alertmanager");
});
after(async () => {
  await server.stop();
  await sink.stop();
  rmSync(work, { recursive: true, force: true });
});

describe("beside Debian's Alertmanager", { skip: alertmanagerVersion() ? false : "prometheus-alertmanager is not installed" }, () => {
  let other: Alertmanager, theirs: Sink;
  before(async () => {
    theirs = await Sink.start();
    other = await Alertmanager.start(config(theirs));
  });
  after(async () => {
    await other.stop();
    await theirs.stop();
  });

  it("answers and refuses alike", async () => {
    for (const call of alike) assert.equal(await answer(base, call), await answer(other.base, call), JSON.stringify(call));
  });

  it("says what the newer one says", async () => {
    for (const [call, want] of newer) assert.equal(await answer(base, call), want, JSON.stringify(call));
  });

  it("groups, routes, inhibits and notifies alike", async () => {
    for (const b of [base, other.base]) assert.equal((await post(b, "/api/v2/alerts", alerts)).status, 200);
    const want = 5; // the one of severity warning is inhibited
    await eventually("all are notified", async () => sink.got.length >= want && theirs.got.length >= want);
    await sleep(300);
    const order = (s: Sink) => s.got.map((g) => plain({ path: g.path, ...g.body })).sort((a, b) => (JSON.stringify([a.path, a.groupKey]) < JSON.stringify([b.path, b.groupKey]) ? -1 : 1));
    assert.deepEqual(order(sink), order(theirs));
    for (const path of ["/api/v2/alerts", "/api/v2/alerts/groups", "/api/v2/alerts?filter=service%3D%22db%22", "/api/v2/alerts?receiver=d.*", "/api/v2/alerts?inhibited=false",
      "/api/v2/alerts?active=false", "/api/v2/alerts/groups?receiver=db"]) {
      assert.deepEqual(plain(await (await fetch(base + path)).json()), plain(await (await fetch(other.base + path)).json()), path);
    }
  });

  it("resolves alike", async () => {
    sink.got = [];
    theirs.got = [];
    const ended = alerts.map((a) => ({ ...a, endsAt: new Date().toISOString() }));
    for (const b of [base, other.base]) assert.equal((await post(b, "/api/v2/alerts", ended)).status, 200);
    const want = 4; // the inhibited one, and those that do not want to know, say nothing
    await eventually("ends are told", async () => sink.got.length >= want && theirs.got.length >= want);
    await sleep(1200);
    const order = (s: Sink) => s.got.map((g) => plain({ path: g.path, ...g.body })).sort((a, b) => (JSON.stringify([a.path, a.groupKey]) < JSON.stringify([b.path, b.groupKey]) ? -1 : 1));
    assert.deepEqual(order(sink), order(theirs));
  });

  it("shows its configuration alike", async () => {
    const text = `
global: {resolve_timeout: 3m, opsgenie_api_key: k, victorops_api_key: vk, smtp_smarthost: 'localhost:25', smtp_from: 'a@example.org', http_config: {basic_auth: {username: u, password: p}}}
route:
  receiver: all
  group_by: ['...']
  routes:
  - matchers: ['severity="critical",team=~"a|b"', 'x!="y z"']
    receiver: b
    continue: true
    mute_time_intervals: [weekend]
    active_time_intervals: [office]
    group_interval: 90s
  - match_re: {service: 'db|cache', zz: '^(foo1|foo2)$'}
    match: {b10: x, b9: "true", 'b1': "1"}
    group_by: []
    receiver: b
inhibit_rules:
- source_match: {severity: critical}
  target_match_re: {severity: 'warning|info'}
  equal: [alertname, dev]
- {source_matchers: ['a=b'], target_matchers: ['c=~"d"']}
receivers:
- name: all
  email_configs:
  - to: b@example.org
    tls_config: {insecure_skip_verify: true}
    headers: {subject: 'A long subject {{ .CommonLabels.alertname }} with a text that is longer than eighty columns, so it folds', x-foo: "1"}
    text: "line one\\nline two\\n"
  pagerduty_configs:
  - {routing_key: rk, details: {foo: bar, firing: x}, images: [{src: s}], links: [{href: h, text: t}]}
  opsgenie_configs:
  - {responders: [{name: n, type: team}], details: {a: "1"}}
  victorops_configs:
  - {routing_key: team-X}
  pushover_configs:
  - {user_key: uk, token: tk, retry: 30s}
  sns_configs:
  - {topic_arn: 'arn:x:1', sigv4: {region: us-east-2, access_key: ak, secret_key: sk}, attributes: {k: v}}
- name: b
  webhook_configs: [{url: 'http://127.0.0.1:1/x', max_alerts: 3, http_config: {bearer_token: tok, follow_redirects: false}}]
templates: ['/etc/nope/*.tmpl']
mute_time_intervals:
- name: weekend
  time_intervals: [{weekdays: [saturday, sunday]}]
time_intervals:
- name: office
  time_intervals:
  - times: [{start_time: '09:00', end_time: '17:30'}, {start_time: '20:00', end_time: '24:00'}]
    weekdays: ['monday:friday', saturday]
    days_of_month: ['1:5', '-3:-1', '15']
    months: ['january:march', '5']
    years: ['2020:2022', '2030']
    location: Europe/Paris
`;
    const original = async (url: string) => ((await (await fetch(url + "/api/v2/status")).json()) as any).config.original as string;
    const before = readFileSync(file(), "utf8"), real = await Alertmanager.start(text);
    try {
      writeFileSync(file(), text);
      assert.equal((await post(base, "/-/reload", "")).status, 200, server.log.slice(-500));
      // The address of a webhook is a secret by now.
      assert.equal(await original(base), (await original(real.base)).replace("url: http://127.0.0.1:1/x", "url: http://<secret>/"));
    } finally {
      await real.stop();
      writeFileSync(file(), before);
      assert.equal((await post(base, "/-/reload", "")).status, 200);
    }
  });

  it("works with amtool, and the command line prints what amtool prints", () => {
    const amtool = (url: string, ...args: string[]) => spawnSync("amtool", ["--no-version-check", `--alertmanager.url=${url}`, ...args], { encoding: "utf8" }).stdout;
    const own = (url: string, ...args: string[]) => spawnSync(binary, [...args, "--alertmanager.url", url], { encoding: "utf8" }).stdout;
    for (const url of [base, other.base]) {
      amtool(url, "alert", "add", "foo", "node=bar", "--annotation=summary=hello");
      const id = amtool(url, "silence", "add", "foo", "-c", "why", "-a", "me").trim();
      assert.match(id, /^[0-9a-f-]{36}$/);
      amtool(url, "silence", "update", "-d", "3h", id);
      for (const args of [["alert"], ["alert", "query", "-o", "extended"], ["alert", "-s"], ["silence"], ["silence", "-o", "extended"], ["silence", "-q"]]) {
        assert.equal(own(url, ...args), amtool(url, ...args), args.join(" "));
      }
      assert.match(own(url, "alert", "-s"), /foo .*hello .*suppressed/);
      for (const args of [["show"], ["test", "severity=critical", "team=a", "service=db"], ["test", "--tree", "severity=critical", "team=a", "service=db"]]) {
        assert.equal(own(url, "alert", "routes", ...args), amtool(url, "config", "routes", ...args), args.join(" "));
      }
      own(url, "silence", "expire", id);
      assert.equal(own(url, "silence", "--expired"), amtool(url, "silence", "query", "--expired"));
    }
    assert.match(execFileSync(binary, ["check", "alertmanager", "examples/alertmanager.yml"], { encoding: "utf8" }), /SUCCESS/);
    assert.equal(execFileSync(binary, ["check", "alertmanager", file()], { encoding: "utf8" }), execFileSync("amtool", ["check-config", file()], { encoding: "utf8" }));
  });
});

it("keeps everything over kill -9 and repeats nothing", async () => {
  await post(base, "/api/v2/alerts", [{ labels: { alertname: "Durable", service: "x" }, endsAt: far }]);
  await eventually("it is notified", async () => sink.got.some((g) => g.body?.groupLabels?.alertname === "Durable"));
  const id = (await (await post(base, "/api/v2/silences", silence({ matchers: [{ name: "alertname", value: "Never", isRegex: false }] }))).json() as any).silenceID;
  const fp = ((await (await fetch(base + "/api/v2/alerts?filter=alertname%3DDurable")).json()) as any)[0].fingerprint;
  assert.equal((await post(base, "/api/meerkat/v1/alerting/acks", { fingerprints: [fp], owner: "ann", comment: "on it" })).status, 200);
  await eventually("it is logged", async () => ((await (await fetch(base + `/api/meerkat/v1/alerting/alerts/${fp}/why`)).json()) as any).routes[0].integrations[0].lastNotified);
  sink.got = [];
  await server.kill9();
  server = await serve([], server.dataDir, server.offset);
  assert.equal(((await (await fetch(base + "/api/v2/alerts?filter=alertname%3DDurable")).json()) as any)[0].fingerprint, fp);
  assert.equal(((await (await fetch(base + `/api/v2/silence/${id}`)).json()) as any).status.state, "active");
  const why: any = await (await fetch(base + `/api/meerkat/v1/alerting/alerts/${fp}/why`)).json();
  assert.equal(why.ack.owner, "ann");
  assert.ok(why.routes[0].integrations[0].lastNotified);
  const history: any = await (await fetch(base + "/api/meerkat/v1/alerting/history?limit=1000")).json();
  for (const kind of ["firing", "notified", "acknowledged", "silence"]) assert.ok(history.events.some((e: any) => e.kind === kind), kind);
  await eventually("it is looked at again", async () => ((await (await fetch(base + `/api/meerkat/v1/alerting/alerts/${fp}/why`)).json()) as any).routes[0].integrations[0].decision);
  assert.ok(!sink.got.some((g) => g.body?.groupLabels?.alertname === "Durable"), "nothing is repeated");
});

it("retries what fails and lets nothing else wait", async () => {
  let failures = 2;
  const held: (() => void)[] = [];
  sink.hook = (path, res) => {
    if (path !== "/flaky") return false;
    if (failures-- > 0) res.writeHead(503).end();
    else held.push(() => res.end("ok"));
    return true;
  };
  sink.got = [];
  await post(base, "/api/v2/alerts", [{ labels: { alertname: "Flaky", flaky: "yes" }, endsAt: far }]);
  await eventually("it is tried again", async () => sink.of("/flaky").length >= 2);
  await eventually("the third attempt hangs", async () => held.length > 0);
  await post(base, "/api/v2/alerts", [{ labels: { alertname: "Meanwhile" }, endsAt: far }]);
  await eventually("others are told meanwhile", async () => sink.of("/default").some((g) => g.body.groupLabels.alertname === "Meanwhile"));
  sink.hook = undefined;
  held.forEach((f) => f());
  const metrics = await (await fetch(base + "/metrics")).text();
  assert.match(metrics, /alertmanager_notification_requests_failed_total\{integration="webhook"\} [2-9]/);
});

it("tells a receiver once that takes a message and breaks off", async () => {
  sink.hook = (path, res) => {
    if (path !== "/flaky") return false;
    res.writeHead(200, { "Content-Length": "100" });
    res.write("thank", () => res.destroy());
    return true;
  };
  sink.got = [];
  await post(base, "/api/v2/alerts", [{ labels: { alertname: "BreaksOff", flaky: "yes" }, endsAt: far }]);
  await eventually("it counts as told", async () => {
    const groups: any = await (await fetch(base + "/api/meerkat/v1/alerting/groups?filter=alertname%3DBreaksOff")).json();
    return groups[0]?.integrations[0]?.lastNotified && groups[0].integrations[0].decision === "none";
  });
  sink.hook = undefined;
  assert.equal(sink.of("/flaky").filter((g) => g.body.groupLabels.alertname === "BreaksOff").length, 1);
});

it("keeps the old configuration when the new one is bad, and says where", async () => {
  const good = config(sink);
  writeFileSync(file(), good.replace("receiver: pager", "receiver: pagr"));
  const refused = await post(base, "/-/reload", "");
  assert.equal(refused.status, 500);
  assert.match(await refused.text(), /alertmanager\.yml:11:\d+: undefined receiver "pagr" used in route/);
  assert.match(server.log, /did you mean "pager"\?/);
  assert.match(await (await fetch(base + "/metrics")).text(), /alertmanager_config_last_reload_successful 0/);
  writeFileSync(file(), good.replace("group_interval: 1s", "group_interval: 2s"));
  assert.equal((await post(base, "/-/reload", "")).status, 200);
  const tree: any = await (await fetch(base + "/api/meerkat/v1/alerting/routes")).json();
  assert.equal(tree.groupInterval, "2s");
});

it("lists groups with as many alerts as asked for, and names with their counts", async () => {
  const own = base + "/api/meerkat/v1/alerting/";
  const many = [...Array(7).keys()].map((i) => ({ labels: { alertname: "Listed", n: String(i) }, annotations: i ? { description: `no ${i}` } : { summary: "the sum", description: "more" }, startsAt: `2026-01-0${i + 1}T00:00:00Z`, endsAt: far }));
  await post(base, "/api/v2/alerts", many);
  await post(base, "/api/v2/silences", { matchers: [{ name: "n", value: "3", isRegex: false }], startsAt: "2026-01-01T00:00:00Z", endsAt: far, createdBy: "t", comment: "c" });
  const { names }: any = await (await fetch(own + "alerts/names")).json();
  assert.deepEqual(names.find((n: any) => n.name === "Listed"), { name: "Listed", active: 6, suppressed: 1, since: "2026-01-01T00:00:00.000Z" });
  const group = async (params: string): Promise<any> => (await (await fetch(own + "groups?filter=alertname%3DListed" + params)).json() as any)[0];
  const two = await group("&alerts=2");
  assert.deepEqual([two.alerts.length, two.alertCount], [2, 7]);
  const all = await group("&key=" + encodeURIComponent(two.key));
  assert.deepEqual(all.alerts.map((a: any) => a.summary).sort(), ["no 1", "no 2", "no 3", "no 4", "no 5", "no 6", "the sum"]);
  assert.equal(all.alerts.find((a: any) => a.labels.n === "3").state, "suppressed");
  assert.equal(await group("&key=none"), undefined);
  const refused = await fetch(own + "groups?alerts=0");
  assert.deepEqual([refused.status, await refused.text()], [400, "alerts is not a number from 1 up\n"]);
});

it("explains, previews, tests and guards", async () => {
  const own = base + "/api/meerkat/v1/alerting/";
  const way: any = await (await post(own, "routes/test", { labels: { severity: "critical", team: "b", service: "cache" } })).json();
  assert.deepEqual(way.receivers, ["pager", "db"]);
  sink.got = [];
  const tested: any = await (await post(own, "receivers/pager/test", { labels: { alertname: "Drill" } })).json();
  assert.deepEqual(tested.results.map((r: any) => [r.integration, r.ok]), [["webhook", true]]);
  assert.equal(sink.of("/pager")[0].body.alerts[0].labels.alertname, "Drill");
  const text: any = await (await post(own, "templates/preview", { text: "{{ .Status }} {{ (index .Alerts 0).Labels.a }}", alerts: [{ labels: { a: "b" } }] })).json();
  assert.equal(text.text, "firing b");
  assert.equal((await post(own, "templates/preview", { text: "{{ .Nope" })).status, 400);
  const many = Array.from({ length: 1100 }, (_, i) => ({ labels: { alertname: "Many", n: String(i) }, endsAt: far }));
  await post(base, "/api/v2/alerts", many);
  const broad = { matchers: [{ name: "alertname", value: "Many", isRegex: false }], duration: "1h", createdBy: "me", comment: "c" };
  assert.equal(((await (await post(own, "silences/preview", { matchers: ['alertname="Many"'] })).json()) as any).count, 1100);
  const refused = await post(own, "silences", broad);
  assert.equal(refused.status, 409);
  assert.match(await refused.text(), /it would silence 1100 alerts now/);
  assert.equal((await post(own, "silences", { ...broad, force: true })).status, 200);
  assert.equal((await post(own, "silences", { ...broad, comment: "", force: false })).status, 409);
  const window: any = await (await post(own, "silences", { ...broad, matchers: [{ name: "w", value: "1", isRegex: false }], duration: "30d",
    recurrence: [{ years: ["1999"], location: "Europe/Paris" }] })).json();
  const kept: any = await (await fetch(base + `/api/v2/silence/${window.silenceID}`)).json();
  assert.equal(kept.status.state, "pending");
});

it("two servers notify once, and the other goes on when one dies", async () => {
  const offset = server.offset;
  const pair = ["--alerting.peer-secret", "s", "--cluster.peer-timeout", "1s"];
  await server.stop();
  const second = await freeOffset();
  server = await serve([...pair, "--cluster.peer-name", "a", "--cluster.peer", `http://127.0.0.1:${9093 + second}`], server.dataDir, offset);
  const b = await serve([...pair, "--cluster.peer-name", "b", "--cluster.peer", base], join(work, "second"), second);
  try {
    const other = b.url("alertmanager");
    await eventually("they see each other", async () => {
      for (const u of [base, other]) if (((await (await fetch(u + "/api/v2/status")).json()) as any).cluster.peers.length !== 2) return false;
      return true;
    });
    sink.got = [];
    for (const u of [base, other]) await post(u, "/api/v2/alerts", [{ labels: { alertname: "Twice" }, endsAt: far }]);
    const of = (name: string) => sink.got.filter((g) => g.body?.groupLabels?.alertname === name);
    await eventually("it is told", async () => of("Twice").length > 0);
    await eventually("the second knows", async () => {
      const groups: any = await (await fetch(other + "/api/meerkat/v1/alerting/groups?filter=alertname%3DTwice")).json();
      return groups[0]?.integrations[0]?.decision === "none";
    });
    assert.equal(of("Twice").length, 1);
    const id = ((await (await post(base, "/api/v2/silences", silence({}))).json()) as any).silenceID;
    await eventually("the silence is there, too", async () => (await fetch(other + `/api/v2/silence/${id}`)).ok);
    await server.kill9();
    await post(other, "/api/v2/alerts", [{ labels: { alertname: "Survivor" }, endsAt: far }]);
    await eventually("the other one tells", async () => of("Survivor").length === 1);
  } finally {
    await b.stop();
  }
  server = await serve([], server.dataDir, offset);
});
