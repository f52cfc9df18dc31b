// Small servers that speak the APIs service discovery asks: DNS, Consul, Docker, Kubernetes.
import { createSocket, type Socket } from "node:dgram";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";

export const listen = (server: Server, where: number | string = 0) =>
  new Promise<number>((resolve) => {
    const done = () => { const a = server.address(); resolve(typeof a === "object" && a ? a.port : 0); };
    if (typeof where === "string") server.listen(where, done); else server.listen(where, "127.0.0.1", done);
  });

export type Handler = (url: URL, request: IncomingMessage, response: ServerResponse) => unknown;

/** Answers with the JSON the handler gives; undefined: the handler has answered (or will); null: 404. */
export const jsonServer = (handler: Handler) =>
  createServer((request, response) => {
    const value = handler(new URL(request.url ?? "/", "http://x"), request, response);
    if (value === undefined) return;
    if (value === null) { response.writeHead(404).end(); return; }
    response.writeHead(200, { "Content-Type": "application/json" }).end(JSON.stringify(value));
  });

const labels = (name: string) =>
  Buffer.concat([...name.replace(/\.$/, "").split(".").map((l) => Buffer.concat([Buffer.from([l.length]), Buffer.from(l)])), Buffer.from([0])]);

export type Answer = { type: "A"; ip: string } | { type: "SRV"; port: number; target: string } | { type: "MX"; target: string };
const numbers = { A: 1, MX: 15, SRV: 33 } as const;

const rdata = (a: Answer): Buffer => {
  if (a.type === "A") return Buffer.from(a.ip.split(".").map(Number));
  const head = Buffer.alloc(a.type === "SRV" ? 6 : 2);
  if (a.type === "SRV") head.writeUInt16BE(a.port, 4);
  return Buffer.concat([head, labels(a.target)]);
};

/** A DNS server over UDP: records by name; other names do not exist. */
export async function dnsServer(records: Map<string, Answer[]>): Promise<{ socket: Socket; port: number }> {
  const socket = createSocket("udp4");
  socket.on("message", (query, from) => {
    let at = 12, name = "";
    while (query[at]) { name += (name ? "." : "") + query.subarray(at + 1, at + 1 + query[at]).toString(); at += query[at] + 1; }
    const question = query.subarray(12, at + 5), type = query.readUInt16BE(at + 1);
    const found = (records.get(name) ?? []).filter((a) => numbers[a.type] === type);
    const head = Buffer.from(query.subarray(0, 12));
    head.writeUInt16BE(records.has(name) ? 0x8180 : 0x8183, 2);
    head.writeUInt16BE(1, 4); head.writeUInt16BE(found.length, 6); head.writeUInt32BE(0, 8);
    const answers = found.map((a) => {
      const data = rdata(a), fixed = Buffer.alloc(10);
      fixed.writeUInt16BE(type, 0); fixed.writeUInt16BE(1, 2); fixed.writeUInt32BE(1, 4); fixed.writeUInt16BE(data.length, 8);
      return Buffer.concat([Buffer.from([0xc0, 12]), fixed, data]);
    });
    socket.send(Buffer.concat([head, question, ...answers]), from.port, from.address);
  });
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  return { socket, port: socket.address().port };
}

/** A Kubernetes API server: objects by collection path; watches stay open and are told of changes. */
export class FakeKubernetes {
  objects = new Map<string, any[]>();
  version = 100;
  gone = false; // the next watch is refused with 410
  lists = 0;
  seen: string[] = [];
  private watches: { path: string; response: ServerResponse }[] = [];
  readonly server = jsonServer((url, _, response) => {
    this.seen.push(url.pathname + url.search);
    if (!this.objects.has(url.pathname)) return null;
    if (url.searchParams.has("watch")) {
      if (this.gone) {
        this.gone = false;
        response.writeHead(200).end(JSON.stringify({ type: "ERROR", object: { kind: "Status", code: 410, reason: "Expired" } }) + "\n");
        return undefined;
      }
      response.writeHead(200, { "Content-Type": "application/json" });
      response.flushHeaders();
      this.watches.push({ path: url.pathname, response });
      return undefined;
    }
    this.lists++;
    const all = this.objects.get(url.pathname)!, from = Number(url.searchParams.get("continue") ?? 0);
    const page = all.slice(from, from + 2), more = from + 2 < all.length ? String(from + 2) : undefined;
    return { kind: "List", metadata: { resourceVersion: String(this.version), continue: more }, items: page };
  });

  tell(path: string, type: string, object: any) {
    object.metadata.resourceVersion = String(++this.version);
    for (const w of this.watches) if (w.path === path) w.response.write(JSON.stringify({ type, object }) + "\n");
  }
  put(path: string, object: any) {
    const all = this.objects.get(path)!, i = all.findIndex((o) => o.metadata.name === object.metadata.name);
    if (i >= 0) all[i] = object; else all.push(object);
    this.tell(path, i >= 0 ? "MODIFIED" : "ADDED", object);
  }
  remove(path: string, name: string) {
    const all = this.objects.get(path)!, i = all.findIndex((o) => o.metadata.name === name);
    this.tell(path, "DELETED", all.splice(i, 1)[0]);
  }
  /** Ends all watches, as a server does after their time. */
  endWatches() { for (const w of this.watches.splice(0)) w.response.end(); }
}
