// Services of the world outside, as far as receivers meet them: each checks what it gets as its API reference says, keeps
// state, and answers in its own words. One HTTP server by path (/NAME/…), and a proxy that is every HTTPS host by name.
import { createHash } from "node:crypto";
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { connect, type AddressInfo, type Socket } from "node:net";
import { createServer as createHttps } from "node:https";

export interface Req {
  service: string; method: string; host: string; raw: string; path: string; query: URLSearchParams;
  headers: IncomingHttpHeaders; text: string; body: any; form: URLSearchParams; status?: number;
}
export interface Answer { status?: number; body?: unknown; type?: string; headers?: Record<string, string> }
/** Throws a Refusal for what the service would refuse. */
export type Service = (req: Req) => Answer;
/** A refusal that the sender is to blame for: the world writes it down. */
export class Refusal extends Error {
  constructor(readonly answer: Answer, what: string) { super(what); }
}
export const refuse = (status: number, body: unknown, what: string): never => { throw new Refusal({ status, body }, what); };

/** The statuses that a group named "Fail429" is answered with, once by every service. */
export const failures = [400, 401, 403, 404, 413, 429, 500, 503];
export const groupKey = (alertname: string) => `{}/{}:{alertname="${alertname}"}`;
export const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
const byHash = new Map(failures.map((f) => [sha256(groupKey(`Fail${f}`)), f]));

export class World {
  requests: Req[] = [];
  problems: string[] = [];
  private failed = new Set<string>();
  private proxied = new Set<Socket>();
  private constructor(readonly services: Record<string, Service>, readonly hosts: Record<string, string>, readonly http: Server, readonly https: Server) {}

  static async start(services: Record<string, Service>, hosts: Record<string, string>, tls: { key: string; cert: string }): Promise<World> {
    const take = (req: IncomingMessage, res: ServerResponse, secure: boolean) => {
      const chunks: Buffer[] = [];
      req.on("data", (c) => chunks.push(c));
      req.on("end", () => world.answer(req, res, Buffer.concat(chunks).toString(), secure));
    };
    const http = createServer((req, res) => take(req, res, false)), https = createHttps(tls, (req, res) => take(req, res, true));
    const world: World = new World(services, hosts, http, https);
    for (const s of [http, https]) await new Promise<void>((resolve) => s.listen(0, "127.0.0.1", resolve));
    http.on("connect", (req, client: Socket) => {
      if (!hosts[req.url!.split(":")[0]!]) return client.end("HTTP/1.1 502 Bad Gateway\r\n\r\n");
      const up = connect((https.address() as AddressInfo).port, "127.0.0.1", () => client.write("HTTP/1.1 200 OK\r\n\r\n"));
      for (const s of [client, up]) { world.proxied.add(s); s.on("error", () => undefined).on("close", () => world.proxied.delete(s)); }
      client.pipe(up).pipe(client);
    });
    return world;
  }

  private answer(req: IncomingMessage, res: ServerResponse, text: string, secure: boolean): void {
    const host = req.headers.host ?? "", raw = req.url!, url = new URL(raw, "http://x");
    const service = secure ? this.hosts[host] ?? "" : url.pathname.split("/")[1]!;
    const path = secure ? url.pathname : url.pathname.slice(service.length + 1);
    let body: any;
    try { body = JSON.parse(text); } catch { body = undefined; }
    const got: Req = { service, method: req.method!, host, raw, path, query: url.searchParams, headers: req.headers, text, body, form: new URLSearchParams(text) };
    this.requests.push(got);
    let out: Answer;
    try {
      out = this.plannedFailure(got) ?? this.services[service]!(got);
    } catch (e) {
      this.problems.push(`${service} ${got.method} ${raw}: ${(e as Error).message}`);
      out = e instanceof Refusal ? e.answer : { status: 500, body: String(e) };
    }
    got.status = out.status ?? 200;
    const json = out.body !== undefined && typeof out.body !== "string";
    res.writeHead(got.status, { "Content-Type": out.type ?? (json ? "application/json" : "text/plain"), ...out.headers });
    res.end(json ? JSON.stringify(out.body) : out.body ?? "");
  }

  private plannedFailure(req: Req): Answer | undefined {
    const all = decodeURIComponent((req.raw + req.text).replace(/\+/g, " ").replace(/%(?![0-9A-Fa-f]{2})/g, "")), hash = /[0-9a-f]{64}/g;
    let status = Number(/Fail(\d{3})/.exec(all)?.[1] ?? 0);
    for (const m of all.matchAll(hash)) status ||= byHash.get(m[0]) ?? 0;
    const key = `${req.service} ${status}`;
    if (!status || this.failed.has(key)) return undefined;
    this.failed.add(key);
    const headers: Record<string, string> = status === 429 ? { "Retry-After": "1" } : {};
    return { status, body: { message: `refused with ${status}`, errors: ["on purpose"] }, headers };
  }

  get port(): number { return (this.http.address() as AddressInfo).port; }
  url(path: string): string { return `http://127.0.0.1:${this.port}${path}`; }
  of(service: string): Req[] { return this.requests.filter((r) => r.service === service); }
  async stop(): Promise<void> {
    for (const s of this.proxied) s.destroy();
    for (const s of [this.http, this.https]) { s.closeAllConnections(); await new Promise((resolve) => s.close(resolve)); }
  }
}

/** Checks of a request by its service. */
export const runes = (text: string) => [...text].length;
export function needJson(req: Req, bad: unknown): void {
  if (!/^application\/json\b/.test(String(req.headers["content-type"])) || req.body === undefined) refuse(400, bad, `not JSON: ${req.headers["content-type"]}`);
}
export function needText(value: unknown, max: number, bad: unknown, what: string): void {
  if (typeof value !== "string" || value === "" || runes(value) > max) refuse(400, bad, `${what}: ${typeof value === "string" ? `${runes(value)} characters, not 1 to ${max}` : typeof value}`);
}
