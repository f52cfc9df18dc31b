// The real OpenTelemetry SDK sends all three signals by every protocol; the classic APIs give them back.
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from "@opentelemetry/api";
import { resourceFromAttributes } from "@opentelemetry/resources";
import { BatchSpanProcessor, NodeTracerProvider } from "@opentelemetry/sdk-trace-node";
import { AggregationTemporality, AggregationType, MeterProvider, PeriodicExportingMetricReader } from "@opentelemetry/sdk-metrics";
import { BatchLogRecordProcessor, LoggerProvider } from "@opentelemetry/sdk-logs";
import { OTLPTraceExporter as TraceGrpc } from "@opentelemetry/exporter-trace-otlp-grpc";
import { OTLPTraceExporter as TraceProto } from "@opentelemetry/exporter-trace-otlp-proto";
import { OTLPTraceExporter as TraceHttp } from "@opentelemetry/exporter-trace-otlp-http";
import { OTLPMetricExporter as MetricGrpc } from "@opentelemetry/exporter-metrics-otlp-grpc";
import { OTLPMetricExporter as MetricProto } from "@opentelemetry/exporter-metrics-otlp-proto";
import { OTLPMetricExporter as MetricHttp } from "@opentelemetry/exporter-metrics-otlp-http";
import { OTLPLogExporter as LogGrpc } from "@opentelemetry/exporter-logs-otlp-grpc";
import { OTLPLogExporter as LogProto } from "@opentelemetry/exporter-logs-otlp-proto";
import { OTLPLogExporter as LogHttp } from "@opentelemetry/exporter-logs-otlp-http";
import { eventually, Server } from "./lib/server";

let server: Server;
before(async () => { server = await Server.start(); });
after(() => server.stop());

// The enum is not exported at run time by every package version; its value is.
const GZIP = "gzip" as any;

const protocols = [
  { name: "gRPC", trace: (o: any) => new TraceGrpc(o), metric: (o: any) => new MetricGrpc(o), log: (o: any) => new LogGrpc(o), paths: false },
  { name: "HTTP/protobuf", trace: (o: any) => new TraceProto(o), metric: (o: any) => new MetricProto(o), log: (o: any) => new LogProto(o), paths: true },
  { name: "HTTP/JSON", trace: (o: any) => new TraceHttp(o), metric: (o: any) => new MetricHttp(o), log: (o: any) => new LogHttp(o), paths: true },
];

for (const protocol of protocols) {
  for (const compression of [undefined, GZIP]) {
    const label = `${protocol.name}${compression ? " with gzip" : ""}`;
    describe(label, () => {
      const service = `sdk-${label.toLowerCase().replace(/[^a-z]+/g, "-")}`;
      const resource = resourceFromAttributes({ "service.name": service, "service.instance.id": "one", "host.name": "box" });
      const options = (path: string) => ({ url: protocol.paths ? server.url("http", path) : server.url("grpc"), compression });

      it("carries traces", async () => {
        const provider = new NodeTracerProvider({ resource, spanProcessors: [new BatchSpanProcessor(protocol.trace(options("/v1/traces")))] });
        const tracer = provider.getTracer("e2e", "1.0");
        const root = tracer.startSpan("POST /v1/chat", { kind: SpanKind.SERVER });
        const { traceId } = root.spanContext();
        const attributes = { "gen_ai.usage.input_tokens": 1234567890123, "gen_ai.request.stop_sequences": ["a", "b"] };
        const chat = tracer.startSpan("chat gpt-4o", { kind: SpanKind.CLIENT, attributes }, trace.setSpan(ROOT_CONTEXT, root));
        chat.addEvent("retry", { attempt: 2 });
        chat.setStatus({ code: SpanStatusCode.ERROR, message: "rate limited" });
        chat.end();
        root.end();
        await provider.shutdown();
        const answer = await server.json("jaeger", `/api/traces/${traceId}`);
        const spans = answer.data[0].spans;
        assert.equal(spans.length, 2);
        const child = spans.find((s: any) => s.operationName === "chat gpt-4o");
        const tag = (key: string) => child.tags.find((t: any) => t.key === key);
        assert.equal(tag("gen_ai.usage.input_tokens").value, 1234567890123);
        assert.equal(tag("error").value, true);
        assert.equal(tag("span.kind").value, "client");
        assert.equal(child.logs[0].fields.find((f: any) => f.key === "event").value, "retry");
        assert.equal(answer.data[0].processes[child.processID].serviceName, service);
        const found = await server.json("jaeger", `/api/traces?service=${service}&limit=5`);
        assert.equal(found.data[0].traceID, traceId);
        assert.ok((await server.json("jaeger", "/api/services")).data.includes(service));
        assert.ok((await server.json("jaeger", `/api/services/${service}/operations`)).data.includes("POST /v1/chat"));
      });

      it("carries metrics", async () => {
        const exporter = protocol.metric({ ...options("/v1/metrics") });
        const provider = new MeterProvider({ resource, readers: [new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 60_000 })],
          views: [{ instrumentName: "exp.latency", aggregation: { type: AggregationType.EXPONENTIAL_HISTOGRAM } }] });
        const meter = provider.getMeter("e2e");
        meter.createCounter("llm.requests", { unit: "{request}" }).add(3, { "gen_ai.request.model": "gpt-4o" });
        meter.createGauge("queue.depth").record(7);
        meter.createHistogram("request.duration", { unit: "s", advice: { explicitBucketBoundaries: [0.1, 1, 5] } }).record(0.5);
        meter.createHistogram("exp.latency", { unit: "ms" }).record(12);
        await provider.shutdown();
        const value = (q: string) => server.promValue(q);
        assert.equal(await value(`llm_requests_total{job="${service}",instance="one",gen_ai_request_model="gpt-4o"}`), 3);
        assert.equal(await value(`queue_depth{job="${service}"}`), 7);
        assert.equal(await value(`request_duration_seconds_bucket{job="${service}",le="1"}`), 1);
        assert.equal(await value(`request_duration_seconds_bucket{job="${service}",le="0.1"}`), 0);
        assert.equal(await value(`request_duration_seconds_sum{job="${service}"}`), 0.5);
        assert.equal(await value(`target_info{job="${service}",host_name="box"}`), 1);
        assert.equal(await value(`count(exp_latency_milliseconds{job="${service}"})`), 1);
      });

      it("carries logs", async () => {
        const provider = new LoggerProvider({ resource, processors: [new BatchLogRecordProcessor({ exporter: protocol.log(options("/v1/logs")) } as any)] } as any);
        provider.getLogger("e2e").emit({ severityNumber: 17, severityText: "ERROR", body: `upstream timeout via ${label}`, attributes: { attempt: 3 } });
        await provider.shutdown();
        const query = encodeURIComponent(`{service_name="${service}"} |= "timeout" | severity_text="ERROR"`);
        const answer = await server.json("loki", `/loki/api/v1/query_range?query=${query}`);
        assert.equal(answer.data.result.length, 1);
        assert.equal(answer.data.result[0].values[0][1], `upstream timeout via ${label}`);
        assert.equal(answer.data.result[0].stream.attempt, "3");
        assert.ok((await server.json("loki", "/loki/api/v1/label/service_name/values")).data.includes(service));
      });
    });
  }
}

it("sums delta temporality up to what Prometheus expects", async () => {
  const exporter = new MetricProto({ url: server.url("http", "/v1/metrics"), temporalityPreference: AggregationTemporality.DELTA as any });
  const provider = new MeterProvider({ resource: resourceFromAttributes({ "service.name": "deltas" }), readers: [new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 60_000 })] });
  const counter = provider.getMeter("e2e").createCounter("delta.calls");
  counter.add(5);
  await provider.forceFlush();
  counter.add(2);
  await provider.forceFlush();
  await provider.shutdown();
  assert.equal(await eventually("the sum", () => server.promValue('delta_calls_total{job="deltas"}')), 7);
});
