// Two and three servers that notify once: one dies in a storm, the network between them is cut and healed, one comes late,
// configurations differ. Whatever happens, nothing is lost; twice is only what a server had just sent when it died or was cut off.
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { connect, createServer, type AddressInfo, type Server as NetServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, beforeEach, afterEach, it } from "node:test";
import { Sink } from "./lib/amserver";
import { eventually, freeOffset, Server, sleep } from "./lib/server";

const work = mkdtempSync(join(tmpdir(), "meerkat-cluster-"));
after(() => rmSync(work, { recursive: true, force: true }));

/** The wire from one server to another. Cut, it refuses; silent, it takes connections and says nothing. */
class Wire {
  state: "up" | "cut" | "silent" = "up";
  private sockets = new Set<Socket>();
  private constructor(readonly server: NetServer) {}
  static async to(port: number): Promise<Wire> {
    const server = createServer((from) => {
      wire.sockets.add(from);
      from.on("error", () => undefined).on("close", () => wire.sockets.delete(from));
      if (wire.state === "cut") return void from.destroy();
      if (wire.state === "silent") return;
      const to = connect(port, "127.0.0.1");
      wire.sockets.add(to);
      to.on("error", () => from.destroy()).on("close", () => { wire.sockets.delete(to); from.destroy(); });
      from.on("close", () => to.destroy());
      from.pipe(to).pipe(from);
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const wire = new Wire(server);
    return wire;
  }
  set(state: Wire["state"]): void { this.state = state; for (const s of this.sockets) s.destroy(); }
  get url(): string { return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`; }
  stop(): void { this.set("cut"); this.server.close(); }
}

const far = "2100-01-01T00:00:00Z";
/** How long the second waits for the first before it tells itself, in seconds: what a starved machine may lag behind. */
const peerTimeout = 3;
/** Until the last of n servers has had its turn: what is told twice has been told twice by then. */
const turns = (n: number) => sleep((n - 1) * peerTimeout * 1000 + 1500);
const post = async (base: string, list: object[]) => {
  const r = await fetch(base + "/api/v2/alerts", { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(list) });
  assert.equal(r.status, 200, await r.text());
};
const config = (sink: Sink, more = "", routes = "") => `
route: {receiver: hook, group_by: [alertname], group_wait: 200ms, group_interval: 1s, repeat_interval: 1h, routes: [${routes}]}
receivers:
- name: hook
  webhook_configs: [{url: '${sink.url("/hook")}'}]
${more}`;

class Cluster {
  servers: (Server | undefined)[] = [];
  offsets: number[] = [];
  wires: Wire[][] = []; // by sender, then receiver
  configs: string[] = [];
  dirs: string[] = [];
  static async of(n: number, configs: string[]): Promise<Cluster> {
    const c = new Cluster(), dir = mkdtempSync(join(work, "c-"));
    for (let i = 0; i < n; i++) {
      c.offsets.push(await freeOffset());
      c.configs.push(join(dir, `am-${i}.yml`));
      c.dirs.push(join(dir, `data-${i}`));
      writeFileSync(c.configs[i]!, configs[i % configs.length]!);
    }
    for (let i = 0; i < n; i++) c.wires.push(await Promise.all(c.offsets.map((o) => Wire.to(o + 9093))));
    return c;
  }
  async start(i: number): Promise<void> {
    const peers = this.wires[i]!.flatMap((w, k) => (k === i ? [] : ["--cluster.peer", w.url]));
    this.servers[i] = await Server.start({ offset: this.offsets[i], dataDir: this.dirs[i], args: ["--alertmanager.config", this.configs[i]!,
      "--alerting.peer-secret", "s", "--cluster.peer-timeout", `${peerTimeout}s`, "--cluster.peer-name", "abc"[i]!, ...peers] });
  }
  base(i: number): string { return this.servers[i]!.url("alertmanager"); }
  async seen(i: number): Promise<number> { return (await this.servers[i]!.json("alertmanager", "/api/v2/status")).cluster.peers.length; }
  /** Groups of which this one knows that they were told of. */
  async known(i: number): Promise<string[]> {
    const groups: any[] = await this.servers[i]!.json("alertmanager", "/api/meerkat/v1/alerting/groups?limit=10000");
    return groups.filter((g) => g.integrations.every((x: any) => x.lastNotified)).map((g) => g.labels.alertname);
  }
  async together(who: number[]): Promise<void> {
    for (const i of who) await eventually(`${"abc"[i]} sees ${who.length}`, async () => (await this.seen(i)) === who.length);
  }
  async kill(i: number): Promise<void> { const s = this.servers[i]!; this.servers[i] = undefined; await s.kill9(); }
  /** To all that are alive, as Prometheus does. */
  async tell(list: object[]): Promise<void> {
    await Promise.all(this.servers.map((s) => (s ? post(s.url("alertmanager"), list).catch(() => undefined) : undefined)));
  }
  async stop(): Promise<void> {
    for (const s of this.servers) await s?.stop();
    for (const w of this.wires.flat()) w.stop();
  }
}

let sink: Sink, cluster: Cluster | undefined;
beforeEach(async () => { sink = await Sink.start(); });
afterEach(async () => { await cluster?.stop(); cluster = undefined; await sink.stop(); });

/** Times at which each group was told of, by alertname. */
function told(prefix: string, status = "firing"): Map<string, number[]> {
  const m = new Map<string, number[]>();
  for (const g of sink.got) {
    const name: string = g.body?.groupLabels?.alertname ?? "";
    if (name.startsWith(prefix) && g.body.status === status) m.set(name, [...(m.get(name) ?? []), g.at]);
  }
  return m;
}
const twice = (m: Map<string, number[]>) => [...m].filter(([, at]) => at.length > 1);

for (const [n, victims] of [[2, [0]], [2, [1]], [3, [0, 1]]] as const)
  it(`of ${n} servers ${victims.map((v) => "first second".split(" ")[v]).join(" and ")} killed in a storm: every alert is told, what was told before is not repeated`, async () => {
    cluster = await Cluster.of(n, [config(sink)]);
    const all = Array.from({ length: n }, (_, i) => i);
    for (const i of all) await cluster.start(i);
    await cluster.together(all);
    const known = new Set<string>(), names: string[] = [];
    for (let round = 0; round < 30; round++) {
      const list = Array.from({ length: 10 }, (_, k) => `Storm${round}-${k}`);
      names.push(...list);
      await cluster.tell(list.map((alertname) => ({ labels: { alertname }, endsAt: far })));
      const v = victims[[8, 14].indexOf(round)];
      if (v !== undefined) { // what the one that is left knows to have been told must not be told again
        const left = all.find((i) => i !== v && cluster!.servers[i])!, before = known.size;
        for (const name of await eventually("some are known", async () => { const k = await cluster!.known(left); return k.length > before && k; })) known.add(name);
        await cluster.kill(v);
      }
      await sleep(100);
    }
    await eventually("everything is told", async () => told("Storm").size === names.length);
    for (const v of victims) await cluster.start(v); // comes back with what it knew, and is told again what burns
    await cluster.together(all);
    await cluster.tell(names.map((alertname) => ({ labels: { alertname }, endsAt: far })));
    await turns(n);
    const died = victims.map((v) => String(cluster!.offsets[v]! + 9093));
    const last = (name: string) => died.some((port) => sink.got.find((g) => g.body?.groupLabels?.alertname === name)!.body.externalURL.includes(port));
    assert.deepEqual(twice(told("Storm")).filter(([name]) => known.has(name) || !last(name)), [], "told twice though it was not just sent by one that died");
    await cluster.tell(names.map((alertname) => ({ labels: { alertname }, endsAt: new Date().toISOString() })));
    await eventually("everything is over", async () => told("Storm", "resolved").size === names.length);
    await turns(n);
    assert.deepEqual(twice(told("Storm", "resolved")), []);
  });

for (const state of ["cut", "silent"] as const)
  it(`a network that is ${state} between two: both tell rather than none, and agree when it heals`, async () => {
    cluster = await Cluster.of(2, [config(sink)]);
    for (const i of [0, 1]) await cluster.start(i);
    await cluster.together([0, 1]);
    await cluster.tell([{ labels: { alertname: "Before" }, endsAt: far }]);
    await eventually("the one before", async () => told("Before").size === 1);
    for (const i of [0, 1]) await eventually("both know of it", async () => (await cluster!.known(i)).includes("Before"));
    for (const w of cluster.wires.flat()) w.set(state);
    for (const i of [0, 1]) await eventually("alone", async () => (await cluster!.seen(i)) === 1);
    await cluster.tell(["Split1", "Split2"].map((alertname) => ({ labels: { alertname }, endsAt: far })));
    const id = (await cluster.servers[0]!.json("alertmanager", "/api/v2/silences", { method: "POST", headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ matchers: [{ name: "alertname", value: "Hushed", isRegex: false }], startsAt: "2020-01-01T00:00:00Z", endsAt: far, createdBy: "me", comment: "c" }) })).silenceID;
    await eventually("both tell", async () => [...told("Split").values()].filter((at) => at.length === 2).length === 2);
    for (const w of cluster.wires.flat()) w.set("up");
    await cluster.together([0, 1]);
    await eventually("the silence is there", async () => (await fetch(cluster!.base(1) + `/api/v2/silence/${id}`)).ok);
    await cluster.tell(["Before", "Split1", "Split2", "Healed1", "Healed2", "Hushed"].map((alertname) => ({ labels: { alertname }, endsAt: far })));
    await eventually("those after", async () => told("Healed").size === 2);
    await turns(2);
    assert.deepEqual([...told("")].map(([name, at]) => `${name} ${at.length}`).sort(), ["Before 1", "Healed1 1", "Healed2 1", "Split1 2", "Split2 2"]);
  });

it("a wire that is cut one way only loses nothing", async () => {
  cluster = await Cluster.of(2, [config(sink)]);
  for (const i of [0, 1]) await cluster.start(i);
  await cluster.together([0, 1]);
  cluster.wires[0]![1]!.set("cut"); // the second does not hear what the first has sent
  await sleep(1500);
  await cluster.tell([{ labels: { alertname: "OneWay" }, endsAt: far }]);
  await eventually("it is told", async () => told("OneWay").size === 1);
  await turns(2);
  assert.ok(told("OneWay").get("OneWay")!.length <= 2);
  cluster.wires[0]![1]!.set("up");
  await cluster.tell([{ labels: { alertname: "BothWays" }, endsAt: far }]);
  await eventually("it is told", async () => told("BothWays").size === 1);
  await turns(2);
  assert.equal(told("BothWays").get("BothWays")!.length, 1);
});

it("one that comes late, with nothing, tells nothing again", async () => {
  cluster = await Cluster.of(2, [config(sink)]);
  await cluster.start(0);
  const names = Array.from({ length: 50 }, (_, i) => `Early${i}`), list = names.map((alertname) => ({ labels: { alertname }, endsAt: far }));
  await cluster.tell(list);
  await eventually("the early ones", async () => told("Early").size === 50);
  await cluster.start(1);
  await post(cluster.base(1), list);
  await cluster.together([0, 1]);
  await turns(2);
  assert.deepEqual(twice(told("Early")), []);
  // Nor does it forget when the one who knew is gone.
  await cluster.kill(0);
  await post(cluster.base(1), [...list, { labels: { alertname: "Later" }, endsAt: far }]);
  await eventually("the later one", async () => told("Later").size === 1);
  await turns(2);
  assert.deepEqual(twice(told("Early")), []);
});

it("with configurations that differ each tells what is its own, and what is common once", async () => {
  const own = (name: string) => config(sink, `- name: ${name}\n  webhook_configs: [{url: '${sink.url(`/${name}`)}'}]`, `{receiver: ${name}, continue: true}, {receiver: hook}`);
  cluster = await Cluster.of(2, [own("north"), own("south")]);
  for (const i of [0, 1]) await cluster.start(i);
  await cluster.together([0, 1]);
  await cluster.tell(["Common1", "Common2"].map((alertname) => ({ labels: { alertname }, endsAt: far })));
  await eventually("all three", async () => ["/north", "/south", "/hook"].every((p) => sink.of(p).length >= 2));
  await turns(2);
  assert.deepEqual(["/north", "/south", "/hook"].map((p) => sink.of(p).length), [2, 2, 2]);
});
