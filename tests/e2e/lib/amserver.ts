// Debian's Alertmanager as the other side of a comparison, and a webhook that remembers what it got.
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createHttp, type IncomingMessage, type Server as HttpServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { versionOf } from "./promserver";
import { freePort, sleep } from "./server";

/** The version's text, or undefined when it is not installed. */
export const alertmanagerVersion = () => versionOf("prometheus-alertmanager");

export class Alertmanager {
  log = "";
  private constructor(readonly child: ChildProcess, readonly dir: string, readonly base: string) {
    child.stderr!.on("data", (chunk) => (this.log += chunk));
  }

  /** binary: another one than the installed; env: more than the process has. */
  static async start(config: string, binary = "prometheus-alertmanager", env: Record<string, string> = {}): Promise<Alertmanager> {
    const dir = mkdtempSync(join(tmpdir(), "alertmanager-e2e-")), port = await freePort();
    writeFileSync(join(dir, "am.yml"), config);
    const child = spawn(binary, [`--config.file=${dir}/am.yml`, `--storage.path=${dir}/data`,
      `--web.listen-address=127.0.0.1:${port}`, "--cluster.listen-address=", "--web.external-url=http://am.example:9093", "--web.route-prefix=/"],
      { stdio: ["ignore", "ignore", "pipe"], env: { ...process.env, ...env } });
    const am = new Alertmanager(child, dir, `http://127.0.0.1:${port}`);
    for (let i = 0; i < 2400; i++) {
      if (child.exitCode !== null) throw new Error(`alertmanager ended with ${child.exitCode}:\n${am.log}`);
      if (await fetch(am.base + "/-/ready").then((r) => r.ok, () => false)) return am;
      await sleep(50);
    }
    throw new Error(`alertmanager did not become ready:\n${am.log}`);
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.child.once("exit", resolve));
    if (this.child.exitCode === null) {
      this.child.kill("SIGKILL");
      await ended;
    }
    rmSync(this.dir, { recursive: true, force: true });
  }
}

export interface Got { path: string; body: any; text: string; headers: IncomingMessage["headers"]; at: number }

export class Sink {
  got: Got[] = [];
  /** Answers a request itself when it gives true. */
  hook?: (path: string, res: ServerResponse) => boolean;
  private constructor(readonly server: HttpServer, readonly port: number) {}

  static async start(): Promise<Sink> {
    const server = createHttp((req, res) => {
      const chunks: Buffer[] = [];
      req.on("data", (c) => chunks.push(c));
      req.on("end", () => {
        const text = Buffer.concat(chunks).toString();
        let body: any;
        try { body = JSON.parse(text); } catch { body = undefined; }
        sink.got.push({ path: req.url!, body, text, headers: req.headers, at: Date.now() });
        if (sink.hook?.(req.url!, res)) return;
        res.end("ok");
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const sink: Sink = new Sink(server, (server.address() as AddressInfo).port);
    return sink;
  }

  url(path: string): string { return `http://127.0.0.1:${this.port}${path}`; }
  of(path: string): Got[] { return this.got.filter((g) => g.path === path); }
  async stop(): Promise<void> {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}
