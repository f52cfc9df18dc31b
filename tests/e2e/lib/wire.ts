// Bytes on a socket as no polite client would send them: raw HTTP/1.1 text, raw HTTP/2 frames.
import { readFileSync } from "node:fs";
import { connect, type Socket } from "node:net";
import type { Server } from "./server";

export interface Heard { bytes: Buffer; text: string; closed: boolean; ms: number }

/** Sends bytes and listens until the server closes, `until` is satisfied, or ms are over. */
export function talk(port: number, bytes: string | Buffer, ms = 30_000, until: (text: string) => boolean = () => false): Promise<Heard> {
  return new Promise((resolve) => {
    const start = Date.now(), chunks: Buffer[] = [];
    const socket = connect(port, "127.0.0.1", () => socket.write(bytes));
    const end = (closed: boolean) => {
      clearTimeout(timer);
      socket.destroy();
      const all = Buffer.concat(chunks);
      resolve({ bytes: all, text: all.toString("latin1"), closed, ms: Date.now() - start });
    };
    const timer = setTimeout(() => end(false), ms);
    socket.on("data", (d) => { chunks.push(d); if (until(Buffer.concat(chunks).toString("latin1"))) end(false); });
    socket.on("close", () => end(true));
    socket.on("error", () => {});
  });
}

/** Whether a whole HTTP/1.1 answer has come. */
export const answered = (text: string): boolean => {
  const head = text.indexOf("\r\n\r\n");
  if (head < 0 || text.startsWith("HTTP/1.1 100")) return text.startsWith("HTTP/1.1 100") && answered(text.slice(head + 4));
  const length = /^content-length: (\d+)/im.exec(text.slice(0, head));
  return text.length >= head + 4 + Number(length?.[1] ?? 0);
};

export const statusOf = (text: string) => Number(/^HTTP\/1\.1 (\d+)/.exec(text)?.[1] ?? 0);

export function open(port: number, host = "127.0.0.1"): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, host, () => { socket.off("error", reject); socket.on("error", () => {}); resolve(socket); });
    socket.once("error", reject);
  });
}

/* --- HTTP/2 --- */

export const FRAME = { data: 0, headers: 1, priority: 2, reset: 3, settings: 4, push: 5, ping: 6, goaway: 7, window: 8, continuation: 9 } as const;
export const END_STREAM = 1, END_HEADERS = 4, ACK = 1;

export function frame(type: number, flags: number, stream: number, payload: Buffer = Buffer.alloc(0)): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

const integer = (n: number): Buffer => {
  if (n < 127) return Buffer.from([n]);
  const bytes = [127];
  for (n -= 127; n >= 128; n = Math.floor(n / 128)) bytes.push((n % 128) | 128);
  return Buffer.from([...bytes, n]);
};
/** Literal header fields without indexing and without Huffman coding. */
export const headerBlock = (fields: [string, string][]): Buffer =>
  Buffer.concat(fields.flatMap(([k, v]) => [Buffer.from([0]), integer(Buffer.byteLength(k, "latin1")), Buffer.from(k, "latin1"), integer(Buffer.byteLength(v, "latin1")), Buffer.from(v, "latin1")]));
export const request = (method: string, path: string, extra: [string, string][] = []): Buffer =>
  headerBlock([[":method", method], [":scheme", "http"], [":path", path], [":authority", "x"], ...extra]);
export const PREFACE = Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), frame(FRAME.settings, 0, 0)]);
export const u32 = (...values: number[]) => { const b = Buffer.alloc(4 * values.length); values.forEach((v, i) => b.writeUInt32BE(v >>> 0, 4 * i)); return b; };
export const setting = (id: number, value: number) => { const b = Buffer.alloc(6); b.writeUInt16BE(id, 0); b.writeUInt32BE(value >>> 0, 2); return b; };

export interface Frame { type: number; flags: number; stream: number; payload: Buffer }
export function frames(bytes: Buffer): Frame[] {
  const out: Frame[] = [];
  for (let at = 0; at + 9 <= bytes.length;) {
    const n = bytes.readUIntBE(at, 3);
    out.push({ type: bytes[at + 3], flags: bytes[at + 4], stream: bytes.readUInt32BE(at + 5), payload: bytes.subarray(at + 9, at + 9 + n) });
    at += 9 + n;
  }
  return out;
}

/* --- the process --- */

const statusKb = (server: Server, field: string) =>
  Number(new RegExp(`^${field}:\\s+(\\d+) kB`, "m").exec(readFileSync(`/proc/${server.child.pid}/status`, "utf8"))?.[1] ?? 0);
export const rssMib = (server: Server) => statusKb(server, "VmRSS") / 1024;
export const peakMib = (server: Server) => statusKb(server, "VmHWM") / 1024;
/** A sanitizer's red zones and quarantine multiply memory; bounds are for the bare program. */
export const memoryFactor = (server: Server) => (readFileSync(`/proc/${server.child.pid}/maps`, "utf8").includes("libasan") ? 3 : 1);
