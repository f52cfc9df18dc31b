// `meerkat amtool` beside Debian's amtool: the same command lines against one server print the same and end alike.
import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, describe, it } from "node:test";
import { alertmanagerVersion } from "./lib/amserver";
import { binary, Server } from "./lib/server";

const work = mkdtempSync(join(tmpdir(), "amtool-e2e-"));
const config = `
route:
  receiver: default
  routes:
  - matchers: ['severity="critical"', 'team=~"a|b"']
    receiver: pager
    continue: true
  - match_re: {service: 'db|cache'}
    receiver: db
receivers: [{name: default}, {name: pager}, {name: db}]
`;
let server: Server, base: string;

before(async () => {
  writeFileSync(join(work, "am.yml"), config);
  writeFileSync(join(work, "bad.yml"), "route: {receiver: x}\nreceivers: [{name: y}]\n");
  writeFileSync(join(work, "x.tmpl"), '{{ define "x" }}to {{ .Receiver }}: {{ .Foo }}{{ end }}{{ define "y" }}{{ .Status | title }}{{ end }}');
  writeFileSync(join(work, "broken.tmpl"), '{{ define "z" }}\n{{ end');
  writeFileSync(join(work, "data.json"), JSON.stringify({ receiver: "r", status: "firing", groupLabels: { b: "2", alertname: "A" },
    alerts: [{ status: "firing", labels: { a: "1" }, annotations: {}, startsAt: "2026-01-02T03:04:05+02:00", fingerprint: "abc" }] }));
  writeFileSync(join(work, "wrong.json"), '{"alerts": {}}');
  writeFileSync(join(work, "no.json"), '{"alerts": [}');
  symlinkSync(resolve(binary), join(work, "amtool"));
  server = await Server.start({ args: ["--alertmanager.config", join(work, "am.yml")] });
  base = server.url("alertmanager");
  const far = "2100-01-01T00:00:00Z", at = (m: number) => `2026-01-01T00:0${m}:00.5Z`;
  const alerts = [
    { labels: { alertname: "A", service: "db", severity: "critical", team: "a" }, annotations: { summary: 's "q"', z: "é\nx" }, startsAt: at(0), endsAt: far, generatorURL: "http://g/x" },
    { labels: { alertname: "B", service: "db" }, annotations: { summary: "tab\there" }, startsAt: at(1), endsAt: far },
    { labels: { alertname: "D" }, startsAt: at(3), endsAt: far }];
  const post = (path: string, body: unknown) => fetch(base + path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
  assert.equal((await post("/api/v2/alerts", alerts)).status, 200);
  for (const [name, value, isRegex, createdBy] of [["alertname", "D", false, "me"], ["a", "x.*", true, "you"]] as const) {
    const answer = await post("/api/v2/silences", { matchers: [{ name, value, isRegex }], startsAt: at(0), endsAt: far, createdBy, comment: "ü" });
    assert.equal(answer.status, 200);
  }
});
after(async () => {
  await server.stop();
  rmSync(work, { recursive: true, force: true });
});

const run = (program: string, args: string[], home = work) => {
  const r = spawnSync(program, args, { encoding: "utf8", cwd: work, env: { ...process.env, HOME: home, NO_COLOR: "1", MEERKAT_PORT_OFFSET: "" } });
  return { code: r.status, out: r.stdout, err: r.stderr.trim() };
};
const own = (args: string[], home?: string) => run(join(work, "amtool"), args, home);

// Words are split at blanks; what is quoted stays together.
const words = (line: string) => (line.match(/'[^']*'|\S+/g) ?? []).map((w) => w.replace(/^'|'$/g, ""));
const lines = [
  "alert", "alert query", "alert query -o extended", "alert -o extended --date.format=2006-01-02T15:04:05Z07:00",
  "--date.format Jan_2/06 alert", "alert A", "alert alertname=A service=db", "alert alertname=~[AB]", "alert 'alertname!=A'", "alert -i", "alert -s",
  "alert -a -s", "alert -is", "alert -r db", "alert -r 'd.*'", "alert nosuch", "silence", "silence query -q", "silence query -o extended",
  "silence query -o json", "silence query --created-by me", "silence query --expired", "silence query --within 8h", "silence query D", "silence query 'a=~x.*'",
  "silence expire", "silence update", "silence add", "silence add x", "silence add -c c", "silence add -c c x -d 0s",
  "silence add -c c x --start 2030-01-01T00:00:00Z --end 2029-01-01T00:00:00Z", "silence add -c c x --start 2026-01-01", "alert add x --start foo",
  "alert -o foo", "template", "silence import no.json", "check-config am.yml",
  "config", "config show", "config show -o json", "config routes", "config routes show", "config routes test", "config routes test severity=critical team=a service=db",
  "config routes test --tree severity=critical team=a service=db", "config routes test --verify.receivers=default", "config routes test --verify.receivers=x",
  "config routes test --config.file=am.yml service=db", "config routes test foo", "cluster", "cluster show", "cluster show -o extended", "cluster show -o json",
  "template render --template.glob nope* --template.text '{{ .Receiver }} {{ len .Alerts }} {{ .CommonLabels.SortedPairs.Values }}'",
  "template render --template.glob x.tmpl --template.text '{{ template \"y\" . }}' --template.data data.json",
  "template render --template.glob x.tmpl --template.text '<a>{{ \"<\" }}</a>' --template.type=html",
  "template render --template.glob x.tmpl --template.text '{{ range .Alerts }}{{ .StartsAt }} {{ .Fingerprint }} {{ .Labels.a }}{{ end }} {{ .GroupLabels.SortedPairs.Names }}' --template.data data.json",
  "template render --template.glob x.tmpl --template.text '{{ template \"x\" . }}'", "template render --template.glob x.tmpl --template.text '{{'",
  "template render --template.glob broken.tmpl --template.text x", "template render --template.glob x.tmpl --template.text '{{ .Receiver }}' --template.data wrong.json",
  "template render --template.glob x.tmpl --template.text '{{ .Receiver }}' --template.data no.json", "template render --template.glob x.tmpl", "template render --template.text x",
  "template render --template.glob x.tmpl --template.text x --template.type foo",
];
// What the installed version says in other words, or not at all.
const outputOnly = /^(alert -r|silence expire|alert add|config routes test foo|silence add -c c$|check-config|.*--config.file|alert -o foo|silence import no|template render --template.glob \S+ --template.text x --template.type|template render --template.(glob|text) \S+$)/;

describe("beside Debian's amtool", { skip: !alertmanagerVersion() && "prometheus-alertmanager is not installed" }, () => {
  for (const line of lines) {
    it(line, () => {
      const args = [`--alertmanager.url=${base}`, "--no-version-check", ...words(line)];
      const theirs = run("amtool", args), ours = own(args);
      assert.equal(ours.out, theirs.out);
      assert.equal(ours.code, theirs.code);
      if (!outputOnly.test(line)) assert.equal(ours.err, theirs.err);
    });
  }

  it("makes, changes, imports and expires silences alike", () => {
    for (const tool of [(a: string[]) => run("amtool", a), own]) {
      const call = (...a: string[]) => tool([`--alertmanager.url=${base}`, "--no-version-check", ...a]);
      const id = call("silence", "add", "-a", "me", "-c", "why", "-d", "2h", "node=a", "x!~b").out.trim();
      assert.match(id, /^[0-9a-f-]{36}$/);
      const changed = call("silence", "update", "-c", "because", "-o", "json", id);
      assert.equal(JSON.parse(changed.out)[0].comment, "because");
      const list = call("silence", "query", "-o", "json", "--created-by", "me", "node=a");
      writeFileSync(join(work, "list.json"), list.out);
      assert.equal(call("silence", "import", "list.json").out.trim(), id);
      assert.notEqual(call("silence", "import", "-f", "list.json").out.trim(), id);
      for (const each of call("silence", "query", "-q", "node=a").out.trim().split("\n")) assert.equal(call("silence", "expire", each).code, 0);
      assert.equal(call("silence", "query", "-q", "node=a").out, "");
    }
  });
});

it("takes defaults from amtool's configuration file", () => {
  const home = join(work, "home");
  mkdirSync(join(home, ".config/amtool"), { recursive: true });
  writeFileSync(join(home, ".config/amtool/config.yml"), `alertmanager.url: ${base}\nauthor: bob\ncomment_required: false\noutput: extended\ndate.format: "Jan 2 2006"\nreceiver: db\nother: x\n`);
  const alerts = own(["alert"], home);
  assert.match(alerts.out, /^Labels .*Jan 1 2026/s);
  assert.doesNotMatch(alerts.out, /alertname="D"/);
  const id = own(["silence", "add", "foo"], home).out.trim();
  assert.equal(JSON.parse(own(["silence", "query", "--id", id, "-o", "json"], home).out)[0].createdBy, "bob");
  writeFileSync(join(home, ".config/amtool/config.yml"), "a: [1]\n");
  const broken = own(["alert"], home);
  assert.equal(broken.code, 1);
  assert.match(broken.err, /could not load config file/);
});

it("signs in as --http.config.file says", async () => {
  const seen: string[] = [];
  const other = createServer((req, res) => {
    seen.push(req.headers.authorization ?? "");
    res.setHeader("Content-Type", "application/json").end("[]\n");
  });
  await new Promise<void>((done) => other.listen(0, "127.0.0.1", done));
  writeFileSync(join(work, "password"), "p\n");
  writeFileSync(join(work, "http.yml"), "basic_auth: {username: u, password_file: password}\n");
  const child = spawn(join(work, "amtool"), ["--http.config.file", "http.yml", "--alertmanager.url", `http://127.0.0.1:${(other.address() as AddressInfo).port}`, "alert"], { cwd: work });
  const code = await new Promise((done) => child.on("exit", done));
  other.close();
  assert.equal(code, 0);
  assert.deepEqual(seen, [`Basic ${Buffer.from("u:p").toString("base64")}`]);
});

it("renders templates, shows configuration and cluster under its own name, too", () => {
  const meerkat = (...args: string[]) => run(resolve(binary), args);
  assert.equal(meerkat("alert", "template", "render", "--template.glob", "x.tmpl", "--template.text", '{{ template "y" . }}').out, "Alertstatus");
  assert.equal(meerkat("alert", "template", "render", "--template.glob", "x.tmpl", "--template.text", "{{").code, 1);
  assert.equal(meerkat("alert", "config", "show", "--alertmanager.url", base).out, own([`--alertmanager.url=${base}`, "config", "show"]).out);
  assert.match(meerkat("alert", "cluster", "show", "--alertmanager.url", base).out, /^Cluster Status:/);
  assert.equal(meerkat("alert", "cluster", "shw").code, 2);
  assert.equal(own(["--version"]).out.slice(0, 16), "amtool, version ");
});
