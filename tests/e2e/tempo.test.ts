// Tempo's API as Grafana's data source asks it, and rules over TraceQL: spans come from the OpenTelemetry SDK.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, it } from "node:test";
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchSpanProcessor, NodeTracerProvider } from "@opentelemetry/sdk-trace-node";
import { OTLPTraceExporter } from "@opentelemetry/exporter-trace-otlp-proto";
import { Sink } from "./lib/amserver";
import { binary, eventually, Server } from "./lib/server";

const dir = mkdtempSync(join(tmpdir(), "meerkat-tempo-"));
const rules = `datasource: tempo
range: 1m
groups:
- name: llm
  interval: 1s
  rules:
  - record: llm:errors:ratio
    expr: |
      ({ span.gen_ai.request.model != nil && status = error } | rate() by (span.gen_ai.request.model))
        / ({ span.gen_ai.request.model != nil } | rate() by (span.gen_ai.request.model))
    labels: {team: core}
  - alert: LlmErrors
    expr: 100 * ({ span.gen_ai.request.model != nil && status = error } | rate() by (span.gen_ai.request.model))
      / ({ span.gen_ai.request.model != nil } | rate() by (span.gen_ai.request.model)) > 20
    for: 2s
    range: 12s
    labels: {severity: page, model: '{{ $labels.span_gen_ai_request_model }}'}
    annotations: {summary: '{{ $value | printf "%.0f" }} % of the calls of {{ $labels.model }}{{ $labels.span_gen_ai_request_model }} fail'}
  - alert: Silent
    expr: '{ resource.service.name = "nobody" } | count_over_time() < 1'
`;
let server: Server, hook: Sink, traceId = "", failedId = "";

async function send(service: string, failed: number, fine: number): Promise<void> {
  const provider = new NodeTracerProvider({
    resource: resourceFromAttributes({ "service.name": service, "deployment.environment": "prod" }),
    spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter({ url: server.url("http", "/v1/traces") }))],
  });
  const tracer = provider.getTracer("e2e", "1.0"), now = Date.now();
  for (let i = 0; i < failed + fine; i++) {
    const root = tracer.startSpan("POST /v1/chat", { kind: SpanKind.SERVER, startTime: now - 500 });
    const attributes = { "gen_ai.request.model": "m-large", "gen_ai.usage.input_tokens": 100 + i, "http.stream": i % 2 === 0 };
    const chat = tracer.startSpan("chat m-large", { kind: SpanKind.CLIENT, attributes, startTime: now - 400 }, trace.setSpan(ROOT_CONTEXT, root));
    if (i < failed) {
      chat.addEvent("exception", { "exception.type": "RateLimit" });
      chat.setStatus({ code: SpanStatusCode.ERROR, message: "rate limited" });
      failedId = root.spanContext().traceId;
    }
    chat.end(now - 200);
    root.end(now);
    traceId = root.spanContext().traceId;
  }
  await provider.shutdown();
}

before(async () => {
  hook = await Sink.start();
  writeFileSync(join(dir, "rules.yml"), rules);
  writeFileSync(join(dir, "alertmanager.yml"), `route: {receiver: hook, group_wait: 0s, group_interval: 1s, repeat_interval: 1h, group_by: [alertname]}
receivers: [{name: hook, webhook_configs: [{url: "${hook.url("/hook")}"}]}]
`);
  server = await Server.start({ args: ["--rules.file", join(dir, "rules.yml"), "--alertmanager.config", join(dir, "alertmanager.yml")] });
  await send("llm-api", 3, 5);
});
after(async () => {
  await server?.stop();
  await hook?.stop();
  rmSync(dir, { recursive: true, force: true });
});

const tempo = (path: string) => server.json("tempo", path);
const q = (query: string) => `q=${encodeURIComponent(query)}`;
const window = () => { const s = Math.floor(Date.now() / 1000); return `start=${s - 300}&end=${s + 5}`; };

it("answers what the data source asks at first", async () => {
  assert.equal(await (await fetch(server.url("tempo", "/api/echo"))).text(), "echo\n");
  assert.match((await tempo("/api/status/buildinfo")).version, /^\d+\.\d+\.\d+$/);
  assert.equal((await fetch(server.url("tempo", "/ready"))).status, 200);
  assert.match(await (await fetch(server.url("tempo", "/metrics"))).text(), /^# HELP /);
});

it("gives a trace by its id, as JSON and as protobuf", async () => {
  const v1 = await tempo(`/api/traces/${traceId}`), v2 = await tempo(`/api/v2/traces/${traceId}`);
  assert.equal(v2.status, "COMPLETE");
  assert.deepEqual(v2.trace.resourceSpans, v1.batches);
  const spans = v1.batches.flatMap((b: any) => b.scopeSpans.flatMap((s: any) => s.spans));
  assert.deepEqual(spans.map((s: any) => [s.name, s.kind]), [["POST /v1/chat", "SPAN_KIND_SERVER"], ["chat m-large", "SPAN_KIND_CLIENT"]]);
  assert.equal(Buffer.from(spans[0].traceId, "base64").toString("hex"), traceId);
  const bytes = await fetch(server.url("tempo", `/api/v2/traces/${traceId}`), { headers: { Accept: "application/protobuf" } });
  assert.equal(bytes.headers.get("content-type"), "application/protobuf");
  assert.ok(Buffer.from(await bytes.arrayBuffer()).includes(Buffer.from(traceId, "hex")));
  const only = await tempo(`/api/v2/traces/${failedId}?${q("{ status = error }")}`);
  assert.deepEqual(only.trace.resourceSpans.flatMap((b: any) => b.scopeSpans.flatMap((s: any) => s.spans.map((x: any) => x.status.code))), ["STATUS_CODE_ERROR"]);
  assert.deepEqual((await tempo("/api/v2/traces/1234")).trace.resourceSpans ?? [], []);
  assert.equal((await fetch(server.url("tempo", "/api/traces/1234"))).status, 404);
  assert.equal((await fetch(server.url("tempo", "/api/traces/nonsense"))).status, 400);
});

it("finds traces by TraceQL and by tags", async () => {
  const found = await tempo(`/api/search?${q('{ status = error && resource.service.name = "llm-api" }')}&${window()}&limit=2`);
  assert.equal(found.traces.length, 2);
  const [one] = found.traces;
  assert.deepEqual([one.rootServiceName, one.rootTraceName, one.durationMs], ["llm-api", "POST /v1/chat", 500]);
  assert.deepEqual(one.spanSets[0].matched, 1);
  assert.deepEqual(one.spanSet, one.spanSets[0]);
  assert.equal(one.spanSets[0].spans[0].durationNanos, "200000000");
  assert.deepEqual(one.spanSets[0].spans[0].attributes.find((a: any) => a.key === "status"), { key: "status", value: { stringValue: "error" } });
  assert.deepEqual(one.serviceStats, { "llm-api": { spanCount: 2, errorCount: 1 } });
  const count = async (params: string) => (await tempo(`/api/search?${params}&${window()}&limit=100`)).traces.length;
  assert.equal(await count(`tags=${encodeURIComponent('service.name=LLM name="chat m"')}`), 8);
  assert.equal(await count("tags=error%3Dtrue"), 3);
  assert.equal(await count("tags=service.name%3Dllm&minDuration=1s"), 0);
  assert.equal(await count(q("{ .gen_ai.usage.input_tokens >= 104 }")), 4);
  assert.equal(await count(q("{ name = `POST /v1/chat` } > { status = error }")), 3);
  const bad = await fetch(server.url("tempo", `/api/search?${q("{ status = }")}`));
  assert.equal(bad.status, 400);
  assert.match(await bad.text(), /^invalid TraceQL query: parse error at line 1, col \d+: /);
  assert.match(bad.headers.get("content-type")!, /^text\/plain/);
});

it("lists tags and their values", async () => {
  const scopes = Object.fromEntries((await tempo(`/api/v2/search/tags?${window()}`)).scopes.map((s: any) => [s.name, s.tags]));
  assert.ok(scopes.resource.includes("deployment.environment"));
  assert.deepEqual(scopes.span, ["gen_ai.request.model", "gen_ai.usage.input_tokens", "http.stream"]);
  assert.deepEqual(scopes.event, ["exception.type"]);
  assert.ok((await tempo("/api/search/tags")).tagNames.includes("service.name"));
  const values = async (tag: string, more = "") => (await tempo(`/api/v2/search/tag/${encodeURIComponent(tag)}/values?${more}`)).tagValues;
  assert.deepEqual(await values(".service.name"), [{ type: "string", value: "llm-api" }]);
  assert.deepEqual(await values("status"), [{ type: "keyword", value: "error" }, { type: "keyword", value: "unset" }]);
  assert.deepEqual(await values("span.http.stream"), [{ type: "bool", value: "false" }, { type: "bool", value: "true" }]);
  assert.deepEqual(await values("event.exception.type"), [{ type: "string", value: "RateLimit" }]);
  assert.deepEqual((await values("name", q("{ status = error && .x = }"))).map((v: any) => v.value), ["chat m-large"]);
  assert.deepEqual((await values("span.gen_ai.usage.input_tokens", q("{ status = error }"))).map((v: any) => v.value), ["100", "101", "102"]);
  assert.deepEqual((await tempo("/api/search/tag/service.name/values")).tagValues, ["llm-api"]);
});

it("makes metrics of spans", async () => {
  const range = await tempo(`/api/metrics/query_range?${q("{} | count_over_time() by (resource.service.name, status)")}&${window()}&step=1m&exemplars=10`);
  const sums = range.series.map((s: any) => [s.promLabels, s.samples.reduce((n: number, x: any) => n + x.value, 0)]);
  assert.deepEqual(sums, [
    ['{"resource.service.name"="llm-api", status="unset"}', 13],
    ['{"resource.service.name"="llm-api", status="error"}', 3],
  ].sort((a, b) => (range.series[0].promLabels === a[0] ? -1 : range.series[0].promLabels === b[0] ? 1 : 0)));
  assert.deepEqual(range.series[0].labels[0], { key: "resource.service.name", value: { stringValue: "llm-api" } });
  for (const s of range.series[0].samples) assert.equal(Number(s.timestampMs) % 60_000, 0);
  const exemplar = range.series[0].exemplars[0];
  assert.match(exemplar.labels.find((l: any) => l.key === "trace:id").value.stringValue, /^[0-9a-f]{32}$/);
  const instant = async (query: string) => (await tempo(`/api/metrics/query?${q(query)}&${window()}`)).series;
  const [max] = await instant("{} | max_over_time(duration)");
  assert.deepEqual([max.value, max.promLabels], [0.5, '{__name__="max_over_time"}']);
  const [ratio] = await instant("({ status = error } | count_over_time()) / ({ kind = client } | count_over_time())");
  assert.equal(ratio.value, 0.375);
  assert.deepEqual((await instant("{ kind = client } | quantile_over_time(duration, .5)"))[0].labels, [{ key: "p", value: { doubleValue: 0.5 } }]);
  const compared = await instant("{ kind = client } | compare({ status = error })");
  const of = (type: string, key: string) => compared.filter((s: any) => s.labels[0].value.stringValue === type && s.labels[1].key === key);
  assert.equal(of("selection", "status")[0].value, 3);
  assert.equal(of("baseline", "span.gen_ai.request.model")[0].value, 5);
  assert.equal((await fetch(server.url("tempo", `/api/metrics/query_range?${q("{}")}`))).status, 400);
  assert.equal((await fetch(server.url("tempo", `/api/metrics/query_range?${q("{} | rate()")}&step=1ms`))).status, 400);
});

it("serves the same behind the UI's port, to those who signed in", async () => {
  const headers = { Authorization: "Basic " + Buffer.from("admin:admin").toString("base64") };
  const get = (path: string, more = {}) => fetch(server.url("ui", path), { headers: { ...headers, ...more } });
  assert.equal((await fetch(server.url("ui", "/tempo/api/search"))).status, 401);
  assert.equal((await (await get(`/tempo/api/search?${q("{ status = error }")}`)).json()).traces.length, 3);
  assert.ok((await (await get(`/tempo/api/traces/${traceId}`)).json()).batches);
  assert.ok((await (await get(`/api/traces/${traceId}`)).json()).data); // Jaeger's
  assert.equal((await get(`/api/traces/${traceId}`, { Accept: "application/protobuf" })).headers.get("content-type"), "application/protobuf");
});

const ruleState = async (name: string) => {
  const groups = (await server.json("prometheus", "/api/v1/rules")).data.groups;
  return groups.flatMap((g: any) => g.rules).find((r: any) => r.name === name);
};

it("evaluates rules over TraceQL: pending, firing, resolved, told to a webhook", async () => {
  await send("llm-api", 3, 5);
  const seen = new Set<string>();
  const rule = await eventually("it fires", async () => {
    const r = await ruleState("LlmErrors");
    seen.add(r.state);
    return r.state === "firing" && r;
  });
  assert.ok(seen.has("pending"));
  assert.deepEqual([rule.datasource, rule.range, rule.health, rule.query.includes("span.gen_ai.request.model")], ["tempo", 12, "ok", true]);
  assert.deepEqual(rule.alerts[0].labels, { alertname: "LlmErrors", severity: "page", model: "m-large", span_gen_ai_request_model: "m-large" });
  assert.match(rule.alerts[0].annotations.summary, /^3[78] % of the calls of m-large/);
  const firing = await eventually("the webhook is told", async () => hook.of("/hook").find((g) => g.body.status === "firing" && g.body.groupLabels.alertname === "LlmErrors"));
  assert.equal(firing.body.alerts[0].labels.model, "m-large");
  await eventually("ALERTS", async () => (await server.promValue('ALERTS{alertname="LlmErrors",alertstate="firing"}')) === 1);
  await eventually("it is recorded", async () => (await server.promValue('llm:errors:ratio{team="core",span_gen_ai_request_model="m-large"}')) === 0.375);
  await eventually("no spans is a number, too", async () => (await ruleState("Silent")).state === "firing");
  await eventually("it is resolved", async () => hook.of("/hook").find((g) => g.body.status === "resolved" && g.body.groupLabels.alertname === "LlmErrors"));
  assert.equal((await ruleState("LlmErrors")).state, "inactive");
});

it("checks expressions, with their places", async () => {
  const exe = binary.startsWith("/") ? binary : join(process.cwd(), binary);
  const check = (text: string) => {
    writeFileSync(join(dir, "check.yml"), `groups:\n- name: g\n  datasource: tempo\n  rules:\n  - alert: A\n${text}`);
    const r = spawnSync(exe, ["check", "rules", join(dir, "check.yml")], { encoding: "utf8" });
    return [r.status, r.stderr.replaceAll(dir + "/", "")] as const;
  };
  assert.deepEqual(check("    expr: '{} | rate() > 1'\n")[0], 0);
  for (const [text, message] of [
    ["    expr: '{ status = } | rate()'\n", /check\.yml:6:\d+: .*could not parse expression: parse error at line 1, col 12/],
    ["    expr: '{ status = error }'\n", /check\.yml:6:\d+: .*a rule needs a number per series, and this query finds traces/],
    ["    expr: '{} | compare({status = error})'\n", /compare\(\) tells two groups of spans apart/],
    ["    expr: '{} | rate()'\n    range: 0s\n", /check\.yml:7:12: .*range must be longer than 0/],
    ["    expr: 'up'\n    datasource: prometheus\n    range: 5m\n", /check\.yml:8:5: .*'range' is for rules over tempo only/],
  ] as const) {
    const [code, err] = check(text);
    assert.equal(code, 1, text);
    assert.match(err, message);
  }
  const group = (expr: string) => fetch(server.url("prometheus", "/prometheus/config/v1/rules/spans"), { method: "POST", body: `name: g\ndatasource: tempo\nrange: 2m\nrules:\n- record: spans:rate\n  expr: '${expr}'\n` });
  assert.equal((await group("{ }")).status, 400);
  assert.equal((await group("{ } | rate()")).status, 202);
  const stored = await (await fetch(server.url("prometheus", "/prometheus/config/v1/rules/spans/g"))).text();
  assert.match(stored, /datasource: tempo\nrange: 2m\n/);
  const made = (limit: number) => fetch(server.url("prometheus", "/prometheus/config/v1/rules/spans"), { method: "POST", body: `name: made\ninterval: 1s\ndatasource: tempo\nrange: 1h\nrules:\n- alert: MadeOverSpans\n  expr: '{} | count_over_time() by (resource.service.name) > ${limit}'\n` });
  const told = (status: string) => hook.of("/hook").find((g) => g.body.status === status && g.body.groupLabels.alertname === "MadeOverSpans");
  assert.equal((await made(0)).status, 202);
  await eventually("the rule made over the API fires at the webhook", async () => told("firing"));
  assert.equal((await made(1e9)).status, 202);
  await eventually("changed, it is resolved there", async () => told("resolved"));
});

it("passes the unit tests of the rule packs over traces, and says where input_spans are wrong", () => {
  const exe = binary.startsWith("/") ? binary : join(process.cwd(), binary);
  const test = (file: string, cwd: string) => spawnSync(exe, ["test", "rules", file], { encoding: "utf8", cwd });
  const pack = test("llm-traces.yml", join(process.cwd(), "tests/rules/traces"));
  assert.deepEqual([pack.status, pack.stderr], [0, ""]);
  writeFileSync(join(dir, "none.yml"), "groups: []\n");
  const spans = (span: string) => {
    writeFileSync(join(dir, "unit.yml"), `rule_files: [none.yml]\ntests:\n- input_spans:\n  - ${span}\n`);
    return test("unit.yml", dir).stderr;
  };
  assert.match(spans("{at: 1s, kind: clint}"), /4:20: kind is one of unspecified, internal, server, client/);
  assert.match(spans("{at: soon}"), /4:10: a duration such as 30s is wanted here/);
  assert.match(spans("{atr: 1s}"), /4:6: a span has at, every, count/);
  assert.match(spans("{count: 9999999}"), /4:13: a number up to 1000000 is wanted here/);
});
