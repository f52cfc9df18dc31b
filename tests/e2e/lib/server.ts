// The server under test: the binary in MEERKAT_BIN on ports of its own, with a data directory of its own.
import { spawn, type ChildProcess } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const binary = process.env.MEERKAT_BIN ?? "build/src/cmd/meerkat";

const ports = {
  ui: 3001, prometheus: 9090, grpc: 4317, http: 4318, jaeger: 16686, sampling: 5778,
  loki: 3100, tempo: 3200, alertmanager: 9093, health: 13133, exporter: 8889, own: 8888,
} as const;
export type Service = keyof typeof ports;

export interface Options {
  args?: string[];
  env?: Record<string, string>;
  dataDir?: string; // kept when given
  offset?: number;
  ready?: string; // the path on Prometheus' port that says so
}

const isFree = (port: number) =>
  new Promise<boolean>((resolve) => {
    const probe = createServer().once("error", () => resolve(false));
    probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
  });

const handedOut = new Set<number>();

/** Ports stay below 32,768, where Linux takes those of outgoing connections from: they come and go at any time. None is
 * handed out twice: who asks may start its server later, and start it again. */
async function handOut(offsets: number, ports: number[]): Promise<number> {
  for (let i = 0; i < 2000; i++) {
    const offset = 10_000 + Math.floor(Math.random() * offsets), all = ports.map((p) => p + offset);
    if (all.some((p) => handedOut.has(p)) || !(await Promise.all(all.map(isFree))).every(Boolean)) continue;
    if (all.some((p) => handedOut.has(p))) continue; // meanwhile, to another who asked
    for (const p of all) handedOut.add(p);
    return offset;
  }
  throw new Error("no free range of ports");
}
export const freeOffset = () => handOut(32_768 - 10_000 - Math.max(...Object.values(ports)), [...Object.values(ports), 14268, 14269, 9411]);
export const freePort = () => handOut(32_768 - 10_000, [0]);

export class Server {
  log = "";
  exit: Promise<number | string>;
  private constructor(readonly child: ChildProcess, readonly offset: number, readonly dataDir: string, private readonly keep: boolean) {
    child.stderr!.on("data", (chunk) => (this.log += chunk));
    this.exit = new Promise((resolve) => child.on("exit", (code, signal) => resolve(signal ?? code ?? -1)));
  }

  /** Between looking for free ports and taking them somebody else may have been quicker: then others are tried. */
  static async start(options: Options = {}): Promise<Server> {
    for (let i = 0; ; i++) {
      try {
        return await Server.startOnce(options);
      } catch (error) {
        if (options.offset !== undefined || i === 3 || !/port \d+ is in use/.test(String(error))) throw error;
      }
    }
  }

  private static async startOnce(options: Options): Promise<Server> {
    const offset = options.offset ?? (await freeOffset());
    const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), "meerkat-e2e-"));
    const args = ["serve", "--port-offset", String(offset), "--data-dir", dataDir, ...(options.args ?? [])];
    const child = spawn(binary, args, { stdio: ["ignore", "ignore", "pipe"], env: { ...process.env, ...options.env } });
    const server = new Server(child, offset, dataDir, options.dataDir !== undefined);
    await server.waitReady(options.ready);
    return server;
  }

  port(service: Service): number { return ports[service] + this.offset; }
  url(service: Service, path = ""): string { return `http://127.0.0.1:${this.port(service)}${path}`; }

  async waitReady(path = "/-/ready"): Promise<void> {
    for (let i = 0; i < 2400; i++) {
      if (this.child.exitCode !== null || this.child.signalCode !== null) throw new Error(`the server ended with ${this.child.exitCode}:\n${this.log}`);
      const ok = await fetch(this.url("prometheus", path)).then((r) => r.ok, () => false);
      if (ok) return;
      await sleep(50);
    }
    throw new Error(`the server did not become ready:\n${this.log}`);
  }

  async json<T = any>(service: Service, path: string, init?: RequestInit): Promise<T> {
    const response = await fetch(this.url(service, path), init);
    const text = await response.text();
    if (!response.ok) throw new Error(`${response.status} for ${path}: ${text}`);
    return JSON.parse(text) as T;
  }

  /** The value of an instant query that gives exactly one series; undefined when it gives none. */
  async promValue(query: string, time?: number): Promise<number | undefined> {
    const at = time === undefined ? "" : `&time=${time}`;
    const answer = await this.json("prometheus", `/api/v1/query?query=${encodeURIComponent(query)}${at}`);
    return answer.data.result.length === 0 ? undefined : Number(answer.data.result[0].value[1]);
  }

  async kill9(): Promise<void> {
    this.child.kill("SIGKILL");
    await this.exit;
  }

  /** Asks it to stop and checks that it ended well: exit code 0, no sanitizer report, no crash. */
  async stop(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill("SIGTERM");
    const code = await this.exit;
    if (!this.keep) rmSync(this.dataDir, { recursive: true, force: true });
    if (code !== 0 && code !== "SIGKILL") throw new Error(`the server ended with ${code}:\n${this.log.slice(-8000)}`);
    if (/Sanitizer|runtime error:|CRASH REPORT/.test(this.log)) throw new Error(`the server complained:\n${this.log.slice(-8000)}`);
  }
}

export const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** Calls fn until it gives something other than undefined and false; ms: when to give it up, on the slowest machine. */
export async function eventually<T>(what: string, fn: () => Promise<T | undefined | false>, ms = 60_000): Promise<T> {
  const deadline = Date.now() + ms;
  for (;;) {
    const value = await fn().catch((error) => { if (Date.now() > deadline) throw error; return undefined; });
    if (value !== undefined && value !== false) return value as T;
    if (Date.now() > deadline) throw new Error(`did not happen in ${ms} ms: ${what}`);
    await sleep(100);
  }
}
