// How to send the first span, metric and line; which port speaks what.
import { useState } from 'preact/hooks';
import { session } from '../lib/store';
import { breakable, Card, Code, CopyButton, Tabs } from '../ui/basics';

type Language = 'env' | 'node' | 'python' | 'go' | 'java' | 'curl';

const host = () => location.hostname.replace(/^::1$/, '[::1]');
const port = (...names: string[]) => {
  const ports = session.value?.ports ?? {};
  for (const n of names) if (ports[n]) return ports[n];
  return 0;
};
const http = () => `http://${host()}:${port('otlp-http', 'otlp_http') || 4318}`;
const grpc = () => `${host()}:${port('otlp-grpc', 'otlp_grpc') || 4317}`;

function curlExample(): string {
  return `NOW=$(date +%s)
curl -i ${http()}/v1/traces -H 'Content-Type: application/json' -d '{
  "resourceSpans": [{
    "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "hello"}}]},
    "scopeSpans": [{"spans": [{
      "traceId": "'$(od -An -N16 -tx1 /dev/urandom | tr -d ' \\n')'",
      "spanId": "'$(od -An -N8 -tx1 /dev/urandom | tr -d ' \\n')'",
      "name": "GET /", "kind": 2,
      "startTimeUnixNano": "'$NOW'000000000", "endTimeUnixNano": "'$NOW'250000000"
    }]}]
  }]
}'`;
}

const snippets: Record<Language, () => { title: string; text: string }[]> = {
  env: () => [{ title: 'Any OpenTelemetry SDK or agent', text: `export OTEL_SERVICE_NAME=my-service
export OTEL_EXPORTER_OTLP_ENDPOINT=${http()}
export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf
export OTEL_TRACES_EXPORTER=otlp
export OTEL_METRICS_EXPORTER=otlp
export OTEL_LOGS_EXPORTER=otlp` }],
  node: () => [
    { title: 'Install', text: 'npm install @opentelemetry/api @opentelemetry/auto-instrumentations-node' },
    { title: 'Run', text: `OTEL_SERVICE_NAME=my-service \\
OTEL_EXPORTER_OTLP_ENDPOINT=${http()} \\
node --require @opentelemetry/auto-instrumentations-node/register app.js` },
  ],
  python: () => [
    { title: 'Install', text: 'pip install opentelemetry-distro opentelemetry-exporter-otlp\nopentelemetry-bootstrap -a install' },
    { title: 'Run', text: `OTEL_SERVICE_NAME=my-service \\
OTEL_EXPORTER_OTLP_ENDPOINT=${http()} \\
OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf \\
opentelemetry-instrument python app.py` },
  ],
  go: () => [
    { title: 'Get', text: 'go get go.opentelemetry.io/otel/sdk/trace go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc' },
    { title: 'Set up', text: `exporter, err := otlptracegrpc.New(ctx,
    otlptracegrpc.WithEndpoint("${grpc()}"),
    otlptracegrpc.WithInsecure())
if err != nil {
    log.Fatal(err)
}
provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter))
defer provider.Shutdown(ctx)
otel.SetTracerProvider(provider)` },
  ],
  java: () => [{ title: 'Run with the agent', text: `OTEL_SERVICE_NAME=my-service \\
OTEL_EXPORTER_OTLP_ENDPOINT=${http()} \\
java -javaagent:opentelemetry-javaagent.jar -jar app.jar` }],
  curl: () => [
    { title: 'A span', text: curlExample() },
    { title: 'A log line', text: `curl -i ${`http://${host()}:${port('loki') || 3100}`}/loki/api/v1/push -H 'Content-Type: application/json' \\
  -d '{"streams": [{"stream": {"service_name": "hello"}, "values": [["'$(date +%s)'000000000", "hello meerkat"]]}]}'` },
  ],
};

const tabs: [Language, string][] = [['env', 'Environment'], ['node', 'Node'], ['python', 'Python'], ['go', 'Go'], ['java', 'Java'], ['curl', 'curl']];

const what: Record<string, [string, string]> = {
  ui: ['Web UI and every API', '/'],
  prometheus: ['Prometheus API', '/api/v1/query'],
  'otlp-grpc': ['OTLP over gRPC', ''],
  'otlp-http': ['OTLP over HTTP', '/v1/traces'],
  jaeger: ['Jaeger query API', '/api/services'],
  'jaeger-collector': ['Jaeger collector (health only)', '/-/healthy'],
  'jaeger-admin': ['Jaeger collector\'s health', '/'],
  'jaeger-sampling': ['Jaeger sampling', '/sampling'],
  zipkin: ['Zipkin (health only)', '/health'],
  loki: ['Loki API', '/loki/api/v1/push'],
  tempo: ['Tempo API', '/api/search'],
  alertmanager: ['Alertmanager API', '/api/v2/alerts'],
  health: ['Collector health', '/'],
  exporter: ['Collector\'s exporter', '/metrics'],
  'own-metrics': ['Collector\'s own metrics', '/metrics'],
};

export function PortTable() {
  const ports = Object.entries(session.value?.ports ?? {});
  return (
    <div class="table-scroll" tabIndex={0} role="region" aria-label="Ports">
      <table class="table">
        <thead><tr><th scope="col">Service</th><th scope="col" class="num wide-only">Port</th><th scope="col">Address</th></tr></thead>
        <tbody>
          {ports.map(([name, number]) => {
            const key = name.replace(/_/g, '-');
            const address = key === 'otlp-grpc' ? `${host()}:${number}` : `http://${host()}:${number}${what[key]?.[1] ?? '/'}`;
            return (
              <tr key={name}>
                <th scope="row">{what[key]?.[0] ?? name}</th><td class="num mono strong wide-only">{number}</td>
                <td class="mono"><div class="address"><span>{breakable(address)}</span><CopyButton text={address} label={`Copy the address of ${what[key]?.[0] ?? name}`} /></div></td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

/** before: something had arrived, only not within the range. quiet: shown under the services, without the waiting. */
export function Onboarding({ before, quiet }: { before: boolean; quiet?: boolean }) {
  const [language, setLanguage] = useState<Language>('env');
  return (
    <div class="onboarding">
      {!quiet && (
        <div class="hero">
          <span class="pulse" aria-hidden="true" />
          <div>
            <h2>{before ? 'No spans in this time range' : 'Waiting for the first span'}</h2>
            <p class="muted">{before
              ? 'Choose a longer range, or send something new: services appear here by themselves.'
              : 'Point an OpenTelemetry SDK, agent or collector at this server. Services appear here by themselves.'}</p>
          </div>
        </div>
      )}
      <div class="onboarding-grid">
        <Card title="Send telemetry">
          <Tabs label="Language" tabs={tabs} value={language} onChange={setLanguage} />
          <div class="snippets" role="tabpanel" aria-label={tabs.find(([id]) => id === language)![1]}>
            {snippets[language]().map((s) => <div key={s.title}><h3>{s.title}</h3><Code text={s.text} label={s.title} /></div>)}
          </div>
        </Card>
        <Card title="Ports" flush><PortTable /></Card>
      </div>
    </div>
  );
}
