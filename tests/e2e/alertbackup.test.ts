// A backup of a running server holds the state of alerting: another server made from it goes on where the first one stood.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, it } from "node:test";
import { binary, eventually, Server, sleep } from "./lib/server";

const dir = mkdtempSync(join(tmpdir(), "meerkat-alertbackup-"));
const told: string[] = [];
const hook = createServer((req, res) => {
  let text = "";
  req.on("data", (c) => (text += c)).on("end", () => {
    const body = JSON.parse(text);
    told.push(`${body.status} ${body.alerts.map((a: any) => a.labels.alertname).join(" ")}`);
    res.end();
  });
});
after(() => {
  hook.close();
  rmSync(dir, { recursive: true, force: true });
});

const send = (s: Server, path: string, body: unknown) =>
  s.json("alertmanager", path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });

/** What must be the same afterwards, without what the time of asking changes. */
async function state(s: Server): Promise<Record<string, unknown>> {
  const silences: any[] = await s.json("alertmanager", "/api/v2/silences");
  const acks: any = await s.json("alertmanager", "/api/meerkat/v1/alerting/acks");
  const rules: any[] = (await s.json("prometheus", "/api/v1/alerts")).data.alerts;
  const alerts: any[] = await s.json("alertmanager", "/api/v2/alerts");
  const byName = (a: any, b: any) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1);
  return {
    silences: silences.map(({ updatedAt: _, ...rest }) => rest).sort(byName),
    acks,
    rules: rules.map((a) => [a.labels.alertname, a.state, a.activeAt]).sort(byName),
    alerts: alerts.map((a) => [a.labels.alertname, a.status.state, a.startsAt, a.status.silencedBy]).sort(byName),
  };
}
const history = async (s: Server): Promise<string[]> =>
  (await s.json("alertmanager", "/api/meerkat/v1/alerting/history?limit=1000")).events.map((e: any) => JSON.stringify(e));

it("goes on from a backup: silences, notifications, firing and pending alerts, acknowledgements, history", async () => {
  await new Promise<void>((resolve) => hook.listen(0, "127.0.0.1", resolve));
  writeFileSync(join(dir, "rules.yml"), `groups:
- name: g
  interval: 1s
  rules:
  - {alert: Fires, expr: vector(1), for: 1s}
  - {alert: Waits, expr: vector(1), for: 1h}
  - {alert: Keeps, expr: 'absent(was_there)', keep_firing_for: 1h}
`);
  writeFileSync(join(dir, "am.yml"), `route: {receiver: hook, group_by: [alertname], group_wait: 0s, group_interval: 1s, repeat_interval: 1h}
receivers: [{name: hook, webhook_configs: [{url: "http://127.0.0.1:${(hook.address() as AddressInfo).port}/"}]}]
`);
  const args = ["--rules.file", join(dir, "rules.yml"), "--alertmanager.config", join(dir, "am.yml")];
  const s = await Server.start({ args });
  const silence = (name: string) => send(s, "/api/v2/silences", { matchers: [{ name: "alertname", value: name, isRegex: false }],
    startsAt: new Date().toISOString(), endsAt: new Date(Date.now() + 3_600_000).toISOString(), createdBy: "ann", comment: "planned" });
  await silence("Quiet");
  const window = await send(s, "/api/meerkat/v1/alerting/silences", { matchers: [{ name: "alertname", value: "Patched", isRegex: false }],
    startsAt: new Date().toISOString(), endsAt: new Date(Date.now() + 86_400_000).toISOString(), createdBy: "ann", comment: "every Sunday",
    recurrence: [{ weekdays: ["sunday"], times: [{ start_time: "02:00", end_time: "04:00" }], location: "Europe/Paris" }] });
  assert.ok(window.silenceID ?? window.id);
  const { silenceID } = await silence("Other");
  await fetch(s.url("alertmanager", `/api/v2/silence/${silenceID}`), { method: "DELETE" });
  const posted = (alertname: string) => ({ labels: { alertname }, endsAt: new Date(Date.now() + 3_600_000).toISOString() });
  await fetch(s.url("alertmanager", "/api/v2/alerts"), { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify([posted("Quiet"), posted("Loud")]) });
  await eventually("all that shall be told is told", async () => ["Fires", "Keeps", "Loud"].every((n) => told.includes(`firing ${n}`)));
  const loud = (await s.json("alertmanager", "/api/v2/alerts")).find((a: any) => a.labels.alertname === "Loud");
  await send(s, "/api/meerkat/v1/alerting/acks", { fingerprints: [loud.fingerprint], owner: "ann", comment: "on it", duration: "2h" });
  await eventually("the log of notifications has the answers", async () => {
    const groups: any[] = await s.json("alertmanager", "/api/meerkat/v1/alerting/groups");
    return ["Fires", "Keeps", "Loud"].every((n) => groups.find((g) => g.labels.alertname === n)?.integrations[0]?.lastNotified);
  });

  const env = { ...process.env, MEERKAT_PORT_OFFSET: String(s.offset) };
  const made = spawnSync(binary, ["backup", join(dir, "backup")], { encoding: "utf8", env });
  assert.equal(made.status, 0, made.stderr);
  const [before, past, count] = [await state(s), await history(s), told.length];
  assert.equal(count, 3);
  assert.deepEqual((before.rules as string[][]).map((a) => a.slice(0, 2)), [["Fires", "firing"], ["Keeps", "firing"], ["Waits", "pending"]]);
  await s.kill9();

  const restored = spawnSync(binary, ["restore", "--data-dir", join(dir, "data"), join(dir, "backup")], { encoding: "utf8" });
  assert.equal(restored.status, 0, restored.stderr);
  const t = await Server.start({ args, dataDir: join(dir, "data") });
  try {
    assert.deepEqual(await state(t), before);
    const now = new Set(await history(t));
    assert.ok(past.length >= 8, past.join("\n"));
    assert.deepEqual(past.filter((e) => !now.has(e)), []);
    await sleep(3500); // several intervals of the rules and of the groups
    assert.deepEqual(await state(t), before);
    assert.equal(told.length, count, "nothing is told again");
  } finally {
    await t.stop();
  }
});
