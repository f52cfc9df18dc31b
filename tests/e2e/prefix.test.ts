// Behind a proxy, each service below a path of its own: routes, redirects, links in alerts and notifications, the UI.
import assert from "node:assert/strict";
import { createServer, request, type Server as Http } from "node:http";
import type { AddressInfo } from "node:net";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";
import { launch, noBrowser, Watch } from "./lib/browser";
import { eventually, freeOffset, Server } from "./lib/server";

/** "/prom/..." to Prometheus' port as it is, "/am/..." to the Alertmanager's, "/mk/..." to the UI's without the prefix. */
function proxy(offset: number): Promise<Http> {
  const s = createServer((req, res) => {
    const url = req.url!;
    const [port, path] = url.startsWith("/prom/") ? [9090, url] : url.startsWith("/am/") ? [9093, url] : [3001, url.replace(/^\/mk/, "")];
    const up = request({ host: "127.0.0.1", port: port + offset, path, method: req.method, headers: req.headers }, (answer) => {
      res.writeHead(answer.statusCode!, answer.headers);
      answer.pipe(res);
    });
    up.on("error", () => res.destroy());
    req.pipe(up);
  });
  return new Promise((resolve) => s.listen(0, "127.0.0.1", () => resolve(s)));
}

describe("below paths of a proxy", () => {
  let server: Server, front: Http, hook: Http, base = "";
  const told: any[] = [];
  const dir = mkdtempSync(join(tmpdir(), "meerkat-prefix-"));

  before(async () => {
    const offset = await freeOffset();
    front = await proxy(offset);
    base = `http://127.0.0.1:${(front.address() as AddressInfo).port}`;
    hook = createServer((req, res) => {
      let text = "";
      req.on("data", (c) => (text += c)).on("end", () => (told.push(JSON.parse(text)), res.end()));
    });
    await new Promise<void>((resolve) => hook.listen(0, "127.0.0.1", resolve));
    const rules = join(dir, "rules.yml"), am = join(dir, "alertmanager.yml");
    writeFileSync(rules, "groups: [{name: g, interval: 1s, rules: [{alert: On, expr: vector(1)}]}]\n");
    writeFileSync(am, `route: {receiver: r, group_wait: 0s}\nreceivers: [{name: r, webhook_configs: [{url: "http://127.0.0.1:${(hook.address() as AddressInfo).port}/"}]}]\n`);
    server = await Server.start({ offset, args: ["--rules.file", rules, "--alertmanager.config", am, "--web.external-url", `${base}/prom/`,
      "--alertmanager.external-url", `${base}/am`, "--ui.external-url", `${base}/mk`, "--ui.route-prefix", "/"], ready: "/prom/-/ready" });
  });
  after(async () => {
    await server?.stop();
    front?.closeAllConnections();
    front?.close();
    hook?.close();
    rmSync(dir, { recursive: true, force: true });
  });

  it("answers below its prefix only, and leads from / to it", async () => {
    const get = async (service: "prometheus" | "alertmanager", path: string) => {
      const r = await fetch(server.url(service, path), { redirect: "manual" });
      return `${r.status} ${r.headers.get("location") ?? ""}`.trim();
    };
    assert.equal(await get("prometheus", "/"), "302 /prom/");
    assert.equal(await get("alertmanager", "/"), "302 /am/");
    assert.equal(await get("prometheus", "/prom/api/v1/rules"), "200");
    assert.equal(await get("alertmanager", "/am/api/v2/status"), "200");
    assert.equal(await get("prometheus", "/api/v1/rules"), "404");
    assert.equal(await get("prometheus", "/promise/api/v1/rules"), "404");
    assert.equal(await get("alertmanager", "/api/v2/status"), "404");
    assert.equal(await get("prometheus", "/prom/graph?g0.expr=up"), `302 ${base}/mk/graph?g0.expr=up`);
    assert.equal(await get("alertmanager", "/am/"), `302 ${base}/mk/`);
    const flags = await server.json("prometheus", "/prom/api/v1/status/flags");
    assert.equal(flags.data["web.route-prefix"], "/prom");
    assert.equal(flags.data["web.external-url"], `${base}/prom/`);
  });

  it("links to where people reach it", async () => {
    const t = await eventually("it is told", async () => told[0]);
    assert.equal(t.externalURL, `${base}/am`);
    assert.match(t.alerts[0].generatorURL, new RegExp(`^${base}/prom/graph\\?g0\\.expr=vector`));
  });

  it("shows the UI", { skip: noBrowser }, async () => {
    const browser = await launch();
    try {
      const page = await browser.newPage();
      const watch = new Watch(page);
      page.setDefaultTimeout(10_000);
      await page.goto(told[0].alerts[0].generatorURL);
      await page.getByLabel("Username").fill("admin");
      await page.getByLabel("Password").fill("admin");
      await page.getByRole("button", { name: "Sign in" }).click();
      await page.getByRole("navigation").getByRole("link", { name: "Alerts" }).first().click();
      await page.getByText("On", { exact: true }).first().waitFor();
      assert.equal(new URL(page.url()).pathname, "/mk/alerts");
      const hrefs = await page.locator("a[href^='/']").evaluateAll((all) => all.map((a) => a.getAttribute("href")));
      assert.ok(hrefs.length > 5);
      assert.deepEqual(hrefs.filter((h) => !h!.startsWith("/mk/") && h !== "/mk"), []);
      await page.reload();
      await page.getByText("On", { exact: true }).first().waitFor();
      await page.goto(`${base}/am/#/silences`); // the fragment goes along
      await page.getByRole("link", { name: "New silence" }).waitFor();
      assert.equal(new URL(page.url()).pathname, "/mk/silences");
      assert.equal((await page.context().cookies())[0].path, "/mk/");
      assert.deepEqual(watch.all(), []);
    } finally {
      await browser.close();
    }
  });
});
