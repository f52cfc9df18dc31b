// Debian's Prometheus as the other side of a comparison.
import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort, sleep } from "./server";

/** The program's version as text, or undefined when it is not installed. */
export function versionOf(program: string): string | undefined {
  try {
    return /version ([\d.]+)/.exec(execFileSync(program, ["--version"], { encoding: "utf8", stdio: ["ignore", "pipe", "pipe"] }))?.[1];
  } catch {
    return undefined;
  }
}

export const prometheusVersion = () => versionOf("prometheus");

export class Prometheus {
  log = "";
  private constructor(readonly child: ChildProcess, readonly dir: string, readonly base: string, private readonly keep: boolean) {
    child.stderr!.on("data", (chunk) => (this.log += chunk));
  }

  /** dir: where "data" is or will be; it stays when it is given. */
  static async start(config = "{}\n", options: { dir?: string; args?: string[] } = {}): Promise<Prometheus> {
    const dir = options.dir ?? mkdtempSync(join(tmpdir(), "prometheus-e2e-")), port = await freePort();
    writeFileSync(join(dir, "prometheus.yml"), config);
    const child = spawn("prometheus", [`--config.file=${dir}/prometheus.yml`, `--storage.tsdb.path=${dir}/data`, `--web.listen-address=127.0.0.1:${port}`,
      "--web.enable-remote-write-receiver", "--web.enable-lifecycle", "--log.level=warn", ...(options.args ?? [])], { stdio: ["ignore", "ignore", "pipe"] });
    const prometheus = new Prometheus(child, dir, `http://127.0.0.1:${port}`, options.dir !== undefined);
    for (let i = 0; i < 2400; i++) {
      if (child.exitCode !== null) throw new Error(`prometheus ended with ${child.exitCode}:\n${prometheus.log}`);
      if (await fetch(prometheus.url("/-/ready")).then((r) => r.ok, () => false)) return prometheus;
      await sleep(50);
    }
    throw new Error(`prometheus did not become ready:\n${prometheus.log}`);
  }

  url(path: string): string { return this.base + path; }

  async reload(config: string): Promise<void> {
    writeFileSync(join(this.dir, "prometheus.yml"), config);
    const response = await fetch(this.url("/-/reload"), { method: "POST" });
    if (!response.ok) throw new Error(await response.text());
  }

  /** As an operator would: everything is written to its files. */
  async stopGently(): Promise<void> {
    const ended = new Promise((resolve) => this.child.once("exit", resolve));
    this.child.kill("SIGTERM");
    await ended;
  }

  async stop(): Promise<void> {
    const ended = new Promise((resolve) => this.child.once("exit", resolve));
    if (this.child.exitCode === null && this.child.signalCode === null) {
      this.child.kill("SIGKILL");
      await ended;
    }
    if (!this.keep) rmSync(this.dir, { recursive: true, force: true });
  }
}
