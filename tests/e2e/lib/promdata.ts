// Series as a fleet would send them, and remote write 1.0 to send them with: protobuf and snappy by hand, so that every
// bit of a value (stale markers, NaN, denormal numbers) is what the test says.

export interface Sample { t: number; v: number | typeof STALE }
export interface Series { labels: Record<string, string>; samples: Sample[] }
export const STALE = Symbol("stale marker");

// --- protobuf and snappy ---

const varint = (n: number | bigint): number[] => {
  const out: number[] = [];
  let v = BigInt.asUintN(64, BigInt(n));
  for (; v > 127n; v >>= 7n) out.push(Number(v & 127n) | 128);
  out.push(Number(v));
  return out;
};
const block = (tag: number, body: Buffer): Buffer => Buffer.concat([Buffer.from([tag, ...varint(body.length)]), body]);

function encodeSample(s: Sample): Buffer {
  const value = Buffer.alloc(9);
  value[0] = 0x09;
  if (s.v === STALE) value.writeBigUInt64LE(0x7ff0000000000002n, 1);
  else if (Number.isNaN(s.v)) value.writeBigUInt64LE(0x7ff8000000000001n, 1);
  else value.writeDoubleLE(s.v as number, 1);
  return block(0x12, Buffer.concat([value, Buffer.from([0x10, ...varint(s.t)])]));
}

const encodeSeries = (s: Series): Buffer => block(0x0a, Buffer.concat([
  ...Object.keys(s.labels).sort().map((name) => block(0x0a, Buffer.concat([
    block(0x0a, Buffer.from(name)), block(0x12, Buffer.from(s.labels[name]))]))),
  ...s.samples.map(encodeSample)]));

/** A snappy block made of literals only. */
export function snappy(body: Buffer): Buffer {
  const parts: Buffer[] = [Buffer.from(varint(body.length))];
  for (let at = 0; at < body.length; at += 65536) {
    const literal = body.subarray(at, at + 65536);
    parts.push(Buffer.from([61 << 2, (literal.length - 1) & 255, (literal.length - 1) >> 8]), literal);
  }
  return Buffer.concat(parts);
}

/** What snappy() and other encoders wrote. */
export function unsnappy(body: Buffer): Buffer {
  const out: number[] = [];
  let at = 0;
  while (body[at++] & 128);
  while (at < body.length) {
    const tag = body[at++], kind = tag & 3;
    if (kind === 0) {
      let n = tag >> 2;
      const extra = n > 59 ? n - 59 : 0;
      if (extra) n = body.readUIntLE(at, extra);
      at += extra;
      for (const end = at + n + 1; at < end; at++) out.push(body[at]);
      continue;
    }
    const n = kind === 1 ? ((tag >> 2) & 7) + 4 : (tag >> 2) + 1;
    const back = kind === 1 ? ((tag >> 5) << 8) | body[at] : body.readUIntLE(at, kind === 2 ? 2 : 4);
    at += kind === 1 ? 1 : kind === 2 ? 2 : 4;
    for (let i = 0; i < n; i++) out.push(out[out.length - back]);
  }
  return Buffer.from(out);
}

/** The body of one write request. */
export const writeBody = (all: Series[]): Uint8Array => new Uint8Array(snappy(Buffer.concat(all.map(encodeSeries))));

const crcTable = Array.from({ length: 256 }, (_, n) => {
  for (let k = 0; k < 8; k++) n = n & 1 ? (n >>> 1) ^ 0x82f63b78 : n >>> 1;
  return n >>> 0;
});
/** CRC-32C (Castagnoli). */
export const crc32c = (bytes: Uint8Array): number => (bytes.reduce((crc, b) => (crc >>> 8) ^ crcTable[(crc ^ b) & 255], 0xffffffff) ^ 0xffffffff) >>> 0;

const protobufHeaders = { "Content-Encoding": "snappy", "Content-Type": "application/x-protobuf" };

/** Sends in slices of time, oldest first, as Prometheus' head wants them. */
export async function remoteWrite(url: string, all: Series[], sliceMs = 600_000): Promise<void> {
  const times = all.flatMap((s) => s.samples.map((x) => x.t));
  const first = times.reduce((a, b) => Math.min(a, b)), last = times.reduce((a, b) => Math.max(a, b));
  for (let t = first; t <= last; t += sliceMs) {
    const part = all.map((s) => ({ labels: s.labels, samples: s.samples.filter((x) => x.t >= t && x.t < t + sliceMs) }));
    const body = snappy(Buffer.concat(part.filter((s) => s.samples.length > 0).map(encodeSeries)));
    const response = await fetch(url, { method: "POST", body: new Uint8Array(body), headers: { ...protobufHeaders, "X-Prometheus-Remote-Write-Version": "0.1.0" } });
    if (!response.ok) throw new Error(`${url}: ${response.status} ${await response.text()}`);
  }
}

/** A remote read request; the answer is the decompressed protobuf message, or the error's text. */
export async function remoteRead(url: string, from: number, to: number, matchers: [type: number, name: string, value: string][]) {
  const query = Buffer.concat([
    Buffer.from([0x08, ...varint(from), 0x10, ...varint(to)]),
    ...matchers.map(([type, name, value]) => block(0x1a, Buffer.concat([
      Buffer.from(type ? [0x08, type] : []), block(0x12, Buffer.from(name)), block(0x1a, Buffer.from(value))])))]);
  const response = await fetch(url, { method: "POST", body: new Uint8Array(snappy(block(0x0a, query))), headers: { ...protobufHeaders, "X-Prometheus-Remote-Read-Version": "0.1.0" } });
  const body = Buffer.from(await response.arrayBuffer());
  const type = response.headers.get("content-type"), encoding = response.headers.get("content-encoding");
  return { status: response.status, type, encoding, body: response.ok ? unsnappy(body) : body };
}

// --- the fleet ---

/** A small generator with a seed: the same data in every run. */
export function randomizer(seed: number): () => number {
  return () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

export const MINUTES = 80;

/** Scrapes every 15 s for MINUTES from baseMs (a whole minute) on, each instance at its own odd millisecond: times that
 * are even never meet a sample, so that it does not matter whether a window holds its left end. */
export function fleet(baseMs: number): Series[] {
  const random = randomizer(7), out: Series[] = [], scrapes = MINUTES * 4;
  const instances = [["api", "a:80", 4001], ["api", "b:80", 5233], ["api", "c:80", 9107], ["db", "d:5432", 12345], ["db", "e:5432", 4001]] as const;
  const add = (labels: Record<string, string>, offset: number, value: (i: number) => Sample["v"] | undefined, every = 1) => {
    const samples: Sample[] = [];
    for (let i = 0; i < scrapes; i += every) {
      const v = value(i);
      if (v !== undefined) samples.push({ t: baseMs + i * 15_000 + offset, v });
    }
    out.push({ labels, samples });
  };
  /** A counter's values: restarts at the given scrapes. Most come from far above zero: how rate() guesses the moment at
   * which a young counter was zero has changed after 2.42. */
  const counter = (step: () => number, resets: number[] = [], from = 1e6) => {
    let v = from;
    return (i: number) => (resets.includes(i) ? (v = step()) : (v += step()));
  };
  for (const [k, [job, instance, offset]] of instances.entries()) {
    const id = { job, instance }, resets = k === 1 ? [97, 98, 230] : k === 3 ? [160] : [];
    for (const code of ["200", "404", "500"])
      for (const method of ["GET", "POST"]) {
        const rate = code === "200" ? 40 : code === "404" ? 5 : 0.4;
        add({ __name__: "http_requests_total", ...id, code, method }, offset, counter(() => Math.floor(random() * rate * 2), resets, 1e6 + k * 1000));
      }
    for (const mode of ["user", "system", "idle"])
      add({ __name__: "cpu_seconds_total", ...id, mode, cpu: String(k % 2) }, offset, counter(() => random() * 15, resets, 1e6 + random() * 1e5));
    histogram(id, offset, resets);
    let celsius = 20 + k;
    add({ __name__: "temperature_celsius", ...id, zone: k % 2 ? "east" : "west" }, offset, () => (celsius += random() * 3 - 1.5));
    add({ __name__: "memory_bytes", ...id }, offset, () => Math.floor(random() * 2 ** 34) * 4096);
    add({ __name__: "queue_length", ...id }, offset, () => Math.floor(random() * 7));
    add({ __name__: "up", ...id }, offset, (i) => (k === 2 && i % 60 > 50 ? 0 : 1));
    // Gone for eight minutes, single scrapes lost.
    add({ __name__: "gappy", ...id }, offset, (i) => ((i > 100 + k && i < 132 + k) || random() < 0.2 ? undefined : Math.round(random() * 1000) / 10));
    // Marked stale, later back.
    add({ __name__: "flapping", ...id }, offset, (i) => (i % 80 === 40 + k ? STALE : i % 80 > 40 + k ? undefined : i + k));
    // A release half way: the old series ends, the new one begins.
    for (const [version, from, to] of [["1.9", 0, 170], ["2.0", 170, scrapes]] as const)
      add({ __name__: "build_info", ...id, version, region: job === "db" ? "eu" : "us" }, offset, (i) => (i >= from && i < to ? 1 : i === to ? STALE : undefined));
    add({ __name__: "switch_on", ...id }, offset, (i) => Number(Math.floor(i / (7 + k)) % 2 === 0));
    if (k < 2) add({ __name__: "slow_total", ...id }, offset, counter(() => 1 + Math.floor(random() * 9)), 8);
    const next = counter(() => random() * 9), lost = (i: number) => (i > 100 + k && i < 132 + k) || random() < 0.2;
    add({ __name__: "gappy_total", ...id }, offset, (i) => { const v = next(i); return lost(i) ? undefined : v; });
  }

  function histogram(id: Record<string, string>, offset: number, resets: number[]) {
    const bounds = [0.005, 0.01, 0.05, 0.1, 0.5, 1, 2.5, 10, Infinity], counts = bounds.map((_, b) => 10_000 * (b + 1)), rows: number[][] = [];
    let sum = 1e5;
    for (let i = 0; i < scrapes; i++) {
      if (resets.includes(i)) { counts.fill(0); sum = 0; }
      for (let n = Math.floor(random() * 30); n > 0; n--) {
        const v = Math.exp(random() * 8 - 6);
        sum += v;
        bounds.forEach((le, b) => { if (v <= le) counts[b]++; });
      }
      rows.push([...counts, sum]);
    }
    const text = (le: number) => (le === Infinity ? "+Inf" : String(le));
    bounds.forEach((le, b) => add({ __name__: "latency_seconds_bucket", ...id, le: text(le) }, offset, (i) => rows[i][b]));
    add({ __name__: "latency_seconds_count", ...id }, offset, (i) => rows[i][bounds.length - 1]);
    add({ __name__: "latency_seconds_sum", ...id }, offset, (i) => rows[i][bounds.length]);
  }

  // Numbers that are hard to print, to compare or to compress.
  const odd: Record<string, (i: number) => number> = {
    nan: () => NaN, inf: () => Infinity, neginf: () => -Infinity, zero: () => 0, negzero: () => -0, tiny: () => 5e-324, huge: () => Number.MAX_VALUE,
    small: (i) => 1e-7 * (i + 1), micro: () => 0.000001, big: () => 1e21, edge: () => 999999999999999868928, third: (i) => (i + 1) / 3, digits: (i) => Math.sin(i) * 12345.678901234567,
    int53: (i) => 2 ** 53 + 2 * i, mixed: (i) => [NaN, 1, Infinity, -2.5, -Infinity, 0.1][i % 6], sometimes: (i) => (i % 5 === 0 ? NaN : i),
  };
  for (const [kind, value] of Object.entries(odd)) add({ __name__: "odd", kind }, 7003, value);
  const texts = ["plain", "ünï ✓", 'quote"d', "back\\slash", "line\nbreak", "", " spaces ", "a,b=c{d}"];
  texts.forEach((text, i) => add({ __name__: "texts", n: String(i), ...(text ? { text } : {}) }, 6001, (k) => k % 10 + i));
  for (let i = 0; i < 12; i++) add({ __name__: "ranked", item: `item-${i}`, group: String(i % 3) }, 3003, (k) => ((k * 7 + i * 5) % 12) - 4);
  // Comes late, and leaves.
  for (let i = 0; i < 6; i++) add({ __name__: "short_lived_total", pod: `pod-${i}` }, 8005, (k) => (k >= i * 50 && k < i * 50 + 60 ? (k - i * 50) * 3 + 1e6 : undefined));
  add({ __name__: "young_total" }, 2001, (i) => (i >= 20 ? (i - 20) * 4 + 3 : undefined));
  out.push({ labels: { __name__: "once" }, samples: [{ t: baseMs + 40 * 60_000 + 1, v: 42 }] });
  return out;
}
