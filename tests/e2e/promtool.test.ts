// promtool's command line: what the real one prints and gives as exit code; what it writes; what it asks a server for.
// The expected texts are those of promtool 3.16; Debian's 2.42 is asked where it says the same.
import assert from "node:assert/strict";
import { execFileSync, spawnSync } from "node:child_process";
import { createServer, type IncomingMessage } from "node:http";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, it } from "node:test";
import { versionOf } from "./lib/promserver";
import { binary, Server } from "./lib/server";

const dir = mkdtempSync(join(tmpdir(), "meerkat-promtool-"));
const exe = binary.startsWith("/") ? binary : join(process.cwd(), binary);
let server: Server, url = "";
before(async () => { server = await Server.start(); url = server.url("prometheus"); });
after(async () => { await server.stop(); rmSync(dir, { recursive: true, force: true }); });

type Result = { code: number | null; out: string; err: string };
const tool = (program: string, args: string[], input?: string): Result => {
  const r = spawnSync(program, args, { encoding: "utf8", input, cwd: dir, timeout: 120_000 });
  return { code: r.status, out: r.stdout, err: r.stderr };
};
const promtool = (...args: string[]) => tool(exe, ["promtool", ...args]);
const write = (name: string, text: string) => writeFileSync(join(dir, name), text);
/** Others' requests are answered meanwhile: this process is the server. */
const promtoolAsync = (...args: string[]) => import("node:child_process").then(({ execFile }) => new Promise<Result>((resolve) =>
  execFile(exe, ["promtool", ...args], { cwd: dir }, (error, out, err) => resolve({ code: error ? Number(error.code) : 0, out, err }))));

const files: Record<string, string> = {
  "good.yml": `global: {external_labels: {a: b}}
rule_files: [rules.yml]
scrape_configs:
- job_name: a
  static_configs: [{targets: ['h:1', 'h:2', 'h:1'], labels: {x: y}}]
  relabel_configs: [{source_labels: [__address__], regex: 'h:2', action: drop}]
- job_name: slow
  scrape_interval: 10m
  file_sd_configs: [{files: [nosd.yml]}]
- job_name: none
`,
  "bad.yml": "global: {scrape_interval: foo}\n",
  "unknown.yml": "scrape_configs: [{job_name: a, foo: 1}]\n",
  "norules.yml": "rule_files: [nofile.yml]\n",
  "notarget.yml": "scrape_configs: [{job_name: a, static_configs: [{targets: ['a:1']}], relabel_configs: [{target_label: __address__, replacement: ''}]}]\n",
  "nofile-tls.yml": "scrape_configs: [{job_name: a, tls_config: {cert_file: x, key_file: y}}]\n",
  "badsd.yml": "scrape_configs: [{job_name: a, file_sd_configs: [{files: [sd.yml]}]}]\n",
  "sd.yml": "- targets: x\n",
  "agent.yml": "remote_write: [{url: 'http://x/'}]\n",
  "empty.yml": "",
  "rules.yml": "groups: [{name: g, interval: 30s, rules: [{record: a, expr: sum(up)}, {record: a, expr: sum(up), labels: {b: c}}, {alert: X, expr: up == 0}]}]\n",
  "dup.yml": "groups: [{name: g, rules: [{record: a, expr: up}, {record: a, expr: up + 1}]}]\n",
  "dup-config.yml": "rule_files: [dup.yml]\n",
  "badrules.yml": "groups: [{name: g, rules: [{record: a, expr: 'up +'}]}]\n",
  "trap.yml": "groups: [{name: g, rules: [{alert: A, expr: 'sum(rate(a[5m])) / sum(rate(a[5m])) > 0.5'}]}]\n",
  "unit.yml": "rule_files: [rules.yml]\ntests: [{name: one, interval: 1m, input_series: [{series: up, values: '1 1 1'}], promql_expr_test: [{expr: sum(a), eval_time: 1m, exp_samples: [{labels: '{}', value: 2}]}]}]\n",
  "unit-bad.yml": "tests: [{interval: 1m, promql_expr_test: [{expr: 'vector(1)', eval_time: 0, exp_samples: [{labels: '{}', value: 2}]}]}]\n",
  "unit-syntax.yml": "a: [\n",
  "m.prom": "# TYPE up_total counter\nup_total{a=\"1\",job=\"own\"} 5\n# TYPE h histogram\nh_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 2\nh_sum 3\nh_count 2\n",
  "bad.prom": "foo bar baz\n",
  "series.json": '{"__name__":"a","x":"1"}\n{"__name__":"a","x":"2"}\n',
};
before(() => { for (const [name, text] of Object.entries(files)) write(name, text); });

// --- usage: which stream, which exit code, kingpin's words ---

const noPromtool = versionOf("promtool") ? false : "promtool is not installed";
it("says of wrong usage what promtool says", { skip: noPromtool }, () => {
  const lines = ["check", "foo", "check foo", "check config", "check config nofile", "check config .", "check config --foo x", "check config --lint",
    "check config -x good.yml", "check config --lint-fatal --lint-fatal good.yml", "--lint=all check config good.yml", "query instant -o xx http://x up",
    "query instant -oxx http://x up", "query range --step=abc http://x up", "query instant http://x up extra", "query instant", "query labels http://x",
    "check rules nofile", "tsdb list -rx", "debug pprof", "tsdb create-blocks-from", "tsdb create-blocks-from openmetrics", "tsdb bench",
    "check service-discovery", "check service-discovery good.yml", "check service-discovery --timeout=x good.yml a", "test rules", "test rules nofile",
    "tsdb dump --min-time=x", "check web-config", "check web-config nofile", "check metrics x", "check config am.yml"];
  for (const line of lines) assert.deepEqual(promtool(...line.split(" ")), tool("promtool", line.split(" ")), line);
});

it("helps", () => {
  for (const args of [[], ["--help"], ["help"], ["check", "-h"], ["check", "config", "--help"], ["help", "check", "config"], ["--help-long"], ["tsdb", "bench", "--help"]]) {
    const r = promtool(...args);
    assert.deepEqual([r.code, r.err], [0, ""], args.join(" "));
    assert.match(r.out, /^usage: promtool/);
  }
  assert.match(promtool("check", "config", "--help").out, /--\[no-\]lint-fatal[^]*--query\.lookback-delta|--query\.lookback-delta[^]*--\[no-\]lint-fatal/);
  assert.match(promtool("--version").out, /^promtool, version 3\./);
  assert.match(promtool("--completion-bash", "tsdb", "create-blocks-from", "").out, /^openmetrics\nrules\n$/);
  // Verbs of `meerkat` that are promtool's have its exit code for wrong usage.
  assert.deepEqual(tool(exe, ["check", "service-discovery"]), { code: 2, out: "", err: "meerkat: error: required argument 'config-file' not provided, try --help\n" });
});

// --- files ---

const missingSd = '  WARNING: file "nosd.yml" for file_sd in scrape job "slow" does not exist\n';
const fine = (name: string, rules = 0) => `${rules ? `  SUCCESS: ${rules} rule files found\n` : ""} SUCCESS: ${name} is valid prometheus config file syntax\n\n`;
const goodConfig = `Checking good.yml\n${missingSd}${fine("good.yml", 1)}Checking rules.yml\n  SUCCESS: 3 rules found\n\n`;
const duplicate = "  FAILED:\nlint error 1 duplicate rule(s) found.\nMetric: a\nLabel(s):\nMight cause inconsistency while recording expressions\n";
const tooLong = "  FAILED: too long scrape interval found, data point will be marked as stale - job: slow, interval: 10m\n";
const checks: [string, number, string, string | RegExp][] = [
  ["check config good.yml", 0, goodConfig, ""],
  ["check config empty.yml", 0, `Checking empty.yml\n${fine("empty.yml")}`, ""],
  ["check config bad.yml", 1, "Checking bad.yml\n\n", /^  FAILED: .*bad\.yml:1:27/],
  ["check config unknown.yml", 1, "Checking unknown.yml\n\n", /^  FAILED: .*unknown key "foo"/],
  ["check config norules.yml", 1, "Checking norules.yml\n\n", /"nofile\.yml" does not point to an existing file/],
  ["check config notarget.yml", 1, "Checking notarget.yml\n\n", /no address/],
  ["check config badsd.yml", 1, "Checking badsd.yml\n\n", /checking SD file "sd\.yml"/],
  ["check config nofile-tls.yml", 1, "Checking nofile-tls.yml\n\n", /error checking TLS certificate file "x"/],
  ["check config --syntax-only nofile-tls.yml norules.yml", 0, `Checking nofile-tls.yml\n${fine("nofile-tls.yml")}Checking norules.yml\n${fine("norules.yml")}`, ""],
  ["check config --agent agent.yml", 0, `Checking agent.yml\n${fine("agent.yml")}`, ""],
  ["check config --agent good.yml", 1, "Checking good.yml\n\n", /field rule_files is not allowed in agent mode/],
  ["check config --lint=all good.yml", 0, goodConfig, tooLong],
  ["check config --lint=all --lint-fatal good.yml", 3, goodConfig, tooLong],
  ["check config --lint=none,all --lint-fatal good.yml", 0, goodConfig, ""],
  ["check --query.lookback-delta=20m config --lint=all --lint-fatal good.yml", 0, goodConfig, ""],
  ["check config --lint=foo good.yml", 0, 'WARNING: unknown lint option: "foo"\n' + goodConfig, ""],
  ["check config dup-config.yml", 0, `Checking dup-config.yml\n${fine("dup-config.yml", 1)}Checking dup.yml\n\n`, duplicate],
  ["check config --lint-fatal dup-config.yml", 3, `Checking dup-config.yml\n${fine("dup-config.yml", 1)}Checking dup.yml\n\n`, duplicate],
  ["check config --lint=none --lint-fatal dup-config.yml", 0, `Checking dup-config.yml\n${fine("dup-config.yml", 1)}Checking dup.yml\n  SUCCESS: 2 rules found\n\n`, ""],
  ["check rules rules.yml dup.yml", 0, "Checking rules.yml\n  SUCCESS: 3 rules found\n\nChecking dup.yml\n\n", duplicate],
  ["check rules --lint-fatal dup.yml badrules.yml", 1, "Checking dup.yml\n\nChecking badrules.yml\n", /group "g", rule 1, "a": could not parse expression/],
  ["check rules --lint=all --lint-fatal trap.yml", 0, "Checking trap.yml\n  SUCCESS: 1 rules found\n\n", ""], // no lint of promtool's
  ["test rules unit.yml", 0, "Processing test file: unit.yml\n  SUCCESS\n\n", ""],
  ["test rules --run=nope unit.yml unit-bad.yml", 0, "Processing test file: unit.yml\n  SUCCESS\n\nProcessing test file: unit-bad.yml\n  SUCCESS\n\n", ""],
  ["test rules unit-bad.yml", 1, "Processing test file: unit-bad.yml\n\n\n", '  FAILED:\n    expr: "vector(1)", time: 0s,\n        exp: {} 2E+00\n        got: {} 1E+00\n'],
  ["test rules --debug unit.yml", 0, "Processing test file: unit.yml\n  SUCCESS\n\n",
    /^DEBUG: Starting test one\nDEBUG: Dump of all data \(input_series and rules\) at 1m1s:\n\{__name__="a"\} =>\n1 @\[60000\]\n[^]*\{__name__="up"\} =>\n1 @\[60000\]\nDEBUG: Test one finished, took /],
  ["check service-discovery good.yml x", 1, "", "Job x not found. Select one of:\n\ta\n\tslow\n\tnone\n"],
  ["check service-discovery good.yml none", 0, "[]", ""],
  ["check service-discovery --timeout=1s good.yml slow", 0, "[]", ""],
  ["check service-discovery bad.yml x", 1, "", /^Cannot load config /],
  ["tsdb list nodir", 1, "", "opening the db dir: stat nodir: no such file or directory\n"],
  ["tsdb create-blocks-from rules --start 5 --end 4 rules.yml", 1, "", "start time is not before end time\n"],
  ["tsdb create-blocks-from rules --start x rules.yml", 1, "", 'error parsing start time: cannot parse "x" to a valid timestamp\n'],
  ["query instant --time=x http://127.0.0.1:1 up", 1, "", 'error parsing evaluation time: cannot parse "x" to a valid timestamp\n'],
  ["query range --start=9 --end=9 http://127.0.0.1:1 up", 1, "", "start time is not before end time\n"],
  ["query analyze --server=http://127.0.0.1:1 --type=foo --match=up", 1, "", "analyze type is foo, must be 'histogram'\n"],
  ["push metrics --protobuf_message=foo http://127.0.0.1:1 m.prom", 1, "",
    '  FAILED: invalid protobuf message "foo", must be prometheus.WriteRequest or io.prometheus.write.v2.Request\n'],
  ["promql format up", 1, "", "This command is experimental and requires the --experimental flag to be set.\n"],
];
it("checks files with promtool's exit codes and words", () => {
  for (const [line, code, out, err] of checks) {
    const r = promtool(...line.split(" "));
    assert.deepEqual([r.code, r.out], [code, out], `${line}: ${r.err}`);
    if (typeof err === "string") assert.equal(r.err, err, line);
    else assert.match(r.err, err, line);
  }
});

it("reads pipes as files", () => {
  const piped = (args: string, text: string) => execFileSync("bash", ["-c", `"${exe}" promtool ${args} <(cat)`], { input: text, encoding: "utf8", cwd: dir });
  assert.match(piped("check rules", files["rules.yml"]!), /SUCCESS: 3 rules found/);
  assert.match(piped("check config", "global: {}\n"), /is valid prometheus config file syntax/);
  assert.match(piped("tsdb create-blocks-from openmetrics --label b=c <(cat) >/dev/null; true; echo", "a 1 1\n# EOF\n"), /./);
});

it("writes JUnit as promtool does", () => {
  assert.equal(promtool("test", "--junit=j.xml", "rules", "unit.yml", "unit-bad.yml", "unit-syntax.yml").code, 1);
  const xml = readFileSync(join(dir, "j.xml"), "utf8").replaceAll(/timestamp="[-0-9T:]{19}"/g, 'timestamp="T"').replace(/<error>[^<]*/, "<error>E");
  assert.equal(xml, '<testsuites><testsuite name="unit.yml" tests="1" failures="0" errors="0" skipped="0" timestamp="T"><testcase name="one"></testcase></testsuite>'
    + '<testsuite name="unit-bad.yml" tests="1" failures="1" errors="0" skipped="0" timestamp="T"><testcase name="unnamed#0"><failure>    expr: &#34;vector(1)&#34;, time: 0s,&#xA;        exp: {} 2E+00&#xA;        got: {} 1E+00</failure></testcase></testsuite>'
    + '<testsuite name="unit-syntax.yml" tests="1" failures="0" errors="1" skipped="0" timestamp=""><testcase name="unknown"><error>E</error></testcase></testsuite></testsuites>');
});

// --- web configuration ---

const hash = "$2y$10$QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi";
const webConfigs: [string, string][] = [ // text, error; "": fine
  ["", ""], ["tls_server_config: {cert_file: a.pem, key_file: a.key, client_auth_type: RequireAndVerifyClientCert, client_ca_file: a.pem, min_version: TLS13}\n", ""],
  [`basic_auth_users: {a: "${hash}"}\nhttp_server_config: {http2: false, headers: {X-Frame-Options: deny}}\n`, ""],
  ["tls_server_config: {cert_file: a.pem, key_file: a.key, cipher_suites: [TLS_AES_128_GCM_SHA256], curve_preferences: [X25519]}\nrate_limit: {burst: 5, interval: 1s}\n", ""],
  ["foo: 1\ntls_server_config: {cert_filse: x}\n", "yaml: unmarshal errors:\n  line 1: field foo not found in type web.Config\n  line 2: field cert_filse not found in type web.TLSConfig"],
  ["tls_server_config: [a]\n", "yaml: unmarshal errors:\n  line 1: cannot unmarshal !!seq into web.TLSConfig"],
  ["http_server_config: {http2: maybe}\n", "yaml: unmarshal errors:\n  line 1: cannot unmarshal !!str `maybe` into bool"],
  ["hWkNKCpqeRtYuI\n", "yaml: unmarshal errors:\n  line 1: cannot unmarshal !!str `hWkNKCp...` into web.Config"],
  ["tls_server_config: {cipher_suites: [NULL_CIPHER]}\n", "unknown cipher: NULL_CIPHER"],
  ["tls_server_config: {curve_preferences: [P1]}\n", "unknown curve: P1"],
  ["tls_server_config: {max_version: TLS111}\n", "unknown TLS version: TLS111"],
  ["http_server_config: {headers: {X-Frame-Options: foo}}\n", 'invalid value for X-Frame-Options. Expected one of: ["deny" "sameorigin"], but got: "foo"'],
  ["http_server_config: {headers: {Content-Type: foo}}\n", 'HTTP header "Content-Type" can not be configured'],
  ["basic_auth_users: {a: secret}\n", "crypto/bcrypt: hashedSecret too short to be a bcrypted password"],
  [`basic_auth_users: {a: "x${hash}"}\n`, "crypto/bcrypt: bcrypt hashes must start with '$', but hashedSecret started with 'x'"],
  [`basic_auth_users: {a: "${hash.replace("10", "99")}"}\n`, "crypto/bcrypt: cost 99 is outside allowed inclusive range 4..31"],
  ["tls_server_config: {cert_file: a.pem}\n", "missing one of key or key_file"],
  ["tls_server_config: {key_file: a.pem}\n", "missing one of cert or cert_file"],
  ["tls_server_config: {cert_file: nofile, key_file: a.key}\n", "failed to read cert_file (nofile): open nofile: no such file or directory"],
  ["tls_server_config: {cert_file: a.pem, key_file: b.key}\n", "failed to load X509KeyPair: tls: private key does not match public key"],
  ["tls_server_config: {cert_file: a.key, key_file: a.key}\n", "failed to load X509KeyPair: tls: failed to find certificate PEM data in certificate input, but did find a private key; PEM inputs may have been switched"],
  ["tls_server_config: {cert_file: good.yml, key_file: a.key}\n", "failed to load X509KeyPair: tls: failed to find any PEM data in certificate input"],
  ["tls_server_config: {cert_file: a.pem, key_file: a.pem}\n", "failed to load X509KeyPair: tls: found a certificate rather than a key in the PEM for the private key"],
  ["tls_server_config: {cert_file: a.pem, key_file: a.key, client_auth_type: foo}\n", "invalid ClientAuth: foo"],
  ["tls_server_config: {cert_file: a.pem, key_file: a.key, client_ca_file: a.pem}\n", "client CA's have been configured without a Client Auth Policy"],
];
it("checks web configurations in the exporter toolkit's words", () => {
  for (const name of ["a", "b"])
    execFileSync("openssl", ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", `${name}.key`, "-out", `${name}.pem`, "-subj", `/CN=${name}`], { cwd: dir, stdio: "ignore" });
  for (const [text, error] of webConfigs) {
    write("web.yml", text);
    assert.deepEqual(promtool("check", "web-config", "web.yml"),
      { code: error ? 1 : 0, out: "", err: error ? `web.yml FAILED: ${error}\n` : "web.yml SUCCESS\n" });
    if (!noPromtool && /unmarshal|header|unknown|short|start with|PEM data|does not match/.test(error)) // 2.42 words the others otherwise
      assert.equal(promtool("check", "web-config", "web.yml").err, tool("promtool", ["check", "web-config", "web.yml"]).err, text);
  }
});

// --- service discovery ---

it("shows what service discovery finds", () => {
  const r = promtool("check", "service-discovery", "good.yml", "a");
  const common = { __always_scrape_classic_histograms__: "false", __convert_classic_histograms_to_nhcb__: "false", __metrics_path__: "/metrics",
    __scheme__: "http", __scrape_interval__: "1m", __scrape_native_histograms__: "false", __scrape_timeout__: "10s", job: "a", x: "y" };
  const found = JSON.parse(r.out) as { discoveredLabels: any; labels: any }[];
  assert.deepEqual([r.code, r.err], [0, ""]);
  assert.deepEqual(found, [
    { discoveredLabels: { __address__: "h:1", ...common }, labels: { __address__: "h:1", ...common, instance: "h:1" } },
    { discoveredLabels: { __address__: "h:2", ...common }, labels: {} }]);
  assert.equal(r.out, JSON.stringify(found, null, 2), "indented as Go indents, keys sorted");
  const wrong = promtool("check", "service-discovery", "notarget.yml", "a");
  assert.deepEqual([JSON.parse(wrong.out)[0].error, wrong.err], [{}, 'target "a:1": no address\n']);
});

// --- a server ---

it("pushes metrics in both versions", () => {
  const ok = (name?: string) => ({ code: 0, err: "", out: name ? `Parsing metrics file ${name}\n  SUCCESS: metrics file ${name} pushed to remote write.\n` : "Parsing standard input\n  SUCCESS: metrics pushed to remote write.\n" });
  assert.deepEqual(promtool("push", "metrics", url, "m.prom"), ok("m.prom"));
  assert.deepEqual(promtool("push", "metrics", "--label=v=2", "--label", "job=two", "--protobuf_message=io.prometheus.write.v2.Request", url, "m.prom"), ok("m.prom"));
  assert.deepEqual(tool(exe, ["promtool", "push", "metrics", "--label=v=stdin", url], files["m.prom"]), ok());
  assert.deepEqual(promtool("query", "series", "--match=up_total", url).out.trim().split("\n").sort(), [
    '{__name__="up_total", a="1", exported_job="own", job="promtool"}', '{__name__="up_total", a="1", exported_job="own", job="two", v="2"}',
    '{__name__="up_total", a="1", exported_job="own", v="stdin"}']);
  assert.deepEqual(promtool("query", "labels", "--match=h_bucket", url, "le").out, "+Inf\n1\n");
  const bad = promtool("push", "metrics", url, "bad.prom", "m.prom");
  assert.deepEqual([bad.code, bad.err.split(":").slice(0, 2).join(":")], [1, "  FAILED: text format parsing error in line 1"]);
  assert.match(promtool("push", "metrics", "--remote-write.path=/x", url, "m.prom").err, /^  FAILED: server returned HTTP status 404 Not Found/);
});

it("asks as promtool asks", async () => {
  const seen: string[] = [];
  const fake = createServer((req: IncomingMessage, res) => {
    let body = "";
    req.on("data", (c) => (body += c)).on("end", () => {
      seen.push(`${req.method} ${req.url} ${body} ${req.headers.authorization ?? ""} ${req.headers["x-a"] ?? ""}`.replaceAll(/ +/g, " "));
      if (req.method === "POST") return res.writeHead(405).end("no");
      res.writeHead(req.url!.includes("fail") ? 503 : 200, { "content-type": "application/json" }).end('{"status":"success","data":{"resultType":"scalar","result":[5,"1"]}}');
    });
  });
  await new Promise<void>((resolve) => fake.listen(0, "127.0.0.1", resolve).unref());
  const to = `http://127.0.0.1:${(fake.address() as any).port}`;
  write("http.yml", "basic_auth: {username: u, password: p}\n");
  assert.deepEqual(await promtoolAsync("query", "instant", "--http.config.file=http.yml", "--header=X-A=b", "--time=5", `${to}/p/`, "1"),
    { code: 0, out: "scalar: 1 @[5]\n", err: "" });
  assert.deepEqual(seen, ["POST /p/api/v1/query query=1&time=5 Basic dTpw b", "GET /p/api/v1/query?query=1&time=5 Basic dTpw b"]);
  assert.deepEqual(await promtoolAsync("query", "instant", "--time=5", `${to}/fail`, "1"),
    { code: 1, out: "", err: 'query error: server_error: server error: 503 (detail: {"status":"success","data":{"resultType":"scalar","result":[5,"1"]}})\n' });
  write("http.yml", "foo: 1\n");
  assert.match((await promtoolAsync("check", "ready", "--http.config.file=http.yml", `--url=${to}`)).err, /^promtool: error: Failed to load HTTP config file/);
  fake.close();
});

it("checks a server and fetches what it tells", () => {
  assert.deepEqual(promtool("check", "healthy", `--url=${url}`), { code: 0, out: "", err: "  SUCCESS:  Prometheus Server is Healthy.\n\n" });
  assert.deepEqual(promtool("check", "ready", "--url", `${url}/x`), { code: 1, out: "", err: `check failed: URL=${url}/x, status=404\n` });
  const done = 'Compiling debug information complete, all files written in "debug.tar.gz".\n';
  const members = () => execFileSync("tar", ["tvzf", "debug.tar.gz"], { cwd: dir, encoding: "utf8" }).trim().split("\n").map((l) => l.split(/\s+/).filter((_, i) => i !== 2 && i !== 3 && i !== 4).join(" "));
  assert.deepEqual(promtool("debug", "metrics", url), { code: 0, out: `collecting: ${url}/metrics\n${done}`, err: "" });
  assert.deepEqual(members(), ["-rw-rw-rw- 0/0 metrics.txt"]);
  assert.match(execFileSync("tar", ["xzOf", "debug.tar.gz"], { cwd: dir, encoding: "utf8", maxBuffer: 1 << 26 }), /^# (HELP|TYPE)/);
  rmSync(join(dir, "debug.tar.gz"));
  const pprof = promtool("debug", "pprof", url);
  assert.equal(pprof.code, 1);
  assert.match(pprof.err, /answers with status 404: There are no Go profiles here/);
  assert.ok(!existsSync(join(dir, "debug.tar.gz")));
  const all = promtool("debug", "all", url);
  assert.deepEqual([all.code, members()], [0, ["-rw-rw-rw- 0/0 metrics.txt"]]);
  assert.match(all.err, /the server has no profiles: the archive holds its metrics alone/);
});

it("fetches the profiles of a Go server", async () => {
  const profile = execFileSync("gzip", ["-c"], { input: Buffer.from([0x0a, 0x02, 0x08, 0x01, 0x32, 0x00, 0x32, 0x01, 0x61]) });
  const fake = createServer((req, res) => res.end(req.url!.startsWith("/debug/pprof/trace") ? "go 1.22 trace" : req.url === "/metrics" ? "up 1\n" : profile));
  await new Promise<void>((resolve) => fake.listen(0, "127.0.0.1", resolve).unref());
  const r = await promtoolAsync("debug", "all", `http://127.0.0.1:${(fake.address() as any).port}`);
  fake.close();
  assert.equal(r.code, 0, r.err);
  const names = execFileSync("tar", ["tzf", "debug.tar.gz"], { cwd: dir, encoding: "utf8" }).trim().split("\n").sort();
  assert.deepEqual(names, ["block.pb", "cpu.pb", "goroutine.pb", "heap.pb", "metrics.txt", "mutex.pb", "threadcreate.pb", "trace.pb"]);
  assert.equal(execFileSync("tar", ["xzOf", "debug.tar.gz", "cpu.pb"], { cwd: dir }).length, 9, "profiles are unpacked");
});

it("tells how many buckets of histograms are in use", () => {
  const t = Math.floor(Date.now() / 1000) - 60;
  for (const [at, v] of [[t, [1, 1, 4]], [t + 15, [2, 5, 5]]] as [number, number[]][])
    tool(exe, ["promtool", "push", "metrics", "--label=i=a", url], `# TYPE x histogram\n${["1", "2", "+Inf"].map((le, i) => `x_bucket{le="${le}"} ${v[i]} ${at * 1000}\n`).join("")}`);
  assert.deepEqual(promtool("query", "analyze", `--server=${url}`, "--type=histogram", "--match=x_bucket", "--match=up_total"), { code: 0, err: "", out:
    `Bucket stats for each histogram series over time
------------------------------------------------
First the min, avg, and max number of populated buckets, followed by the total
number of buckets (only if different from the max number of populated buckets
which is typical for classic but not native histograms).

- x_bucket{i="a"} (classic): 2/2.000/2/3

Aggregated bucket stats
-----------------------
Each line shows min/avg/max over the series above.

Classic histogram series (1 in total):
- min populated: 2/2.000/2
- avg populated: 2/2.000/2
- max populated: 2/2.000/2
- total: 3/3.000/3
` });
});

it("makes blocks of past values of rules", { skip: noPromtool }, () => {
  const start = Math.floor(Date.now() / 1000 / 60) * 60 - 3600;
  const text = Array.from({ length: 60 }, (_, i) => `up{x="y"} ${i} ${(start + i * 60) * 1000}\n`).join("");
  assert.equal(tool(exe, ["promtool", "push", "metrics", url], `# TYPE up gauge\n${text}`).code, 0);
  const made = promtool("tsdb", "create-blocks-from", "rules", `--url=${url}`, `--start=${start}`, `--end=${start + 600}`, "--output-dir=blocks", "rules.yml");
  assert.equal(made.code, 0, made.err);
  assert.match(made.err, /msg="processing rule" component=backfiller name=a\n/);
  mkdirSync(join(dir, "blocks/wal"), { recursive: true }); // which the real one wants
  const lines = tool("promtool", ["tsdb", "dump", "blocks"]).out.trim().split("\n");
  assert.equal(lines.length, 2 * 21, "two recording rules, each 30 s; the alert is left out");
  assert.equal(lines.filter((l) => l.startsWith('{__name__="a"} ')).length, 21);
  assert.ok(lines.includes(`{__name__="a", b="c"} 10 ${(start + 600) * 1000}`), lines.join("\n"));
  const refused = promtool("tsdb", "create-blocks-from", "rules", "--url=http://127.0.0.1:1", "--start=1", "--end=100", "rules.yml");
  assert.deepEqual([refused.code, refused.err.split("\n").at(-2)], [1, "error importing rules"]);
});

it("measures its own store", () => {
  const stages = (out: string) => out.replaceAll(/duration=\S+|sec: \S+/g, "X");
  const expected = (n: number) => `>> start stage=readData\n>> completed stage=readData X\n>> start stage=ingestScrapes\ningestion completed\n>> completed stage=ingestScrapes X\n > total samples: ${n}\n > samples/X\n>> start stage=stopStorage\n>> completed stage=stopStorage X\n`;
  const made = promtool("tsdb", "bench", "write", "--metrics=2500", "--scrapes=110", "--out=bo");
  assert.deepEqual([made.code, stages(made.out), made.err], [0, expected(275_000), ""]);
  assert.equal(stages(promtool("tsdb", "bench", "write", "--scrapes=5", "--out=bo", "series.json").out), expected(10));
  assert.deepEqual([promtool("tsdb", "bench", "write", "--out=bo", "m.prom").code], [1]);
});

// --- expressions ---

it("prints and changes expressions", () => {
  const cases: [string[], string][] = [
    [["format", "sum(rate(x[5m]))by(a)"], "sum by (a) (rate(x[5m]))"],
    [["label-matchers", "set", "-t", "=~", 'sum(up{a="b"}) + down', "a", "c"], 'sum(up{a=~"c"}) + down{a=~"c"}'],
    [["label-matchers", "set", 'up{a="b",a!="c"}', "a", "d"], 'up{a="d",a="d"}'],
    [["label-matchers", "delete", 'up{a="b",c="d"}', "a"], 'up{c="d"}'],
  ];
  for (const [args, out] of cases) assert.deepEqual(promtool("--experimental", "promql", ...args), { code: 0, out: out + "\n", err: "" });
  assert.equal(promtool("--experimental", "promql", "format", "sum(").code, 1);
  assert.match(promtool("--enable-feature=foo", "--experimental", "promql", "format", "up").out, /WARNING: Unknown feature passed to --enable-feature: foo/);
});
