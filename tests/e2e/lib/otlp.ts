// OTLP/JSON requests by hand, for tests that need exact contents.
import { randomBytes } from "node:crypto";

const attributes = (object: Record<string, string | number>) =>
  Object.entries(object).map(([key, v]) => ({ key, value: typeof v === "number" ? { intValue: v } : { stringValue: v } }));
const resource = (service: string) => ({ attributes: attributes({ "service.name": service }) });
export const nowNs = () => BigInt(Date.now()) * 1_000_000n;

export interface SpanSpec { traceId?: string; spanId?: string; parentSpanId?: string; name: string; kind?: number; startNs?: bigint; durationNs?: bigint; attributes?: Record<string, string | number>; error?: boolean }

export function tracesRequest(service: string, spans: SpanSpec[]) {
  return { resourceSpans: [{ resource: resource(service), scopeSpans: [{ scope: { name: "e2e" }, spans: spans.map((s) => {
    const start = s.startNs ?? nowNs();
    return {
      traceId: s.traceId ?? randomBytes(16).toString("hex"), spanId: s.spanId ?? randomBytes(8).toString("hex"), parentSpanId: s.parentSpanId,
      name: s.name, kind: s.kind ?? 2, startTimeUnixNano: String(start), endTimeUnixNano: String(start + (s.durationNs ?? 1_000_000n)),
      attributes: attributes(s.attributes ?? {}), status: s.error ? { code: 2, message: "failed" } : {},
    };
  }) }] }] };
}

export function gaugeRequest(service: string, name: string, points: { value: number; tMs?: number; labels?: Record<string, string | number> }[]) {
  return { resourceMetrics: [{ resource: resource(service), scopeMetrics: [{ metrics: [{ name, gauge: { dataPoints: points.map((p) => ({
    timeUnixNano: String(BigInt(p.tMs ?? Date.now()) * 1_000_000n), asDouble: p.value, attributes: attributes(p.labels ?? {}) })) } }] }] }] };
}

export function logsRequest(service: string, lines: { body: string; tNs?: bigint; severity?: number; traceId?: string }[]) {
  return { resourceLogs: [{ resource: resource(service), scopeLogs: [{ logRecords: lines.map((l) => ({
    timeUnixNano: String(l.tNs ?? nowNs()), severityNumber: l.severity ?? 9, body: { stringValue: l.body }, traceId: l.traceId })) }] }] };
}

export const post = (url: string, body: unknown, headers: Record<string, string> = {}) =>
  fetch(url, { method: "POST", headers: { "Content-Type": "application/json", ...headers }, body: typeof body === "string" ? body : JSON.stringify(body) });
