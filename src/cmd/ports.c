#include "cmd/ports.h"

#define AT(field) offsetof(Config, server.field)

const ServicePort service_ports[] = {
    {"ui", "Web UI", "/login", false, AT(ui)},
    {"prometheus", "Prometheus API", "/-/ready", false, AT(prometheus)},
    {"otlp-grpc", "OTLP over gRPC", NULL, true, AT(otlp_grpc)},
    {"otlp-http", "OTLP over HTTP", "/-/ready", false, AT(otlp_http)},
    {"jaeger", "Jaeger API", "/api/services", false, AT(jaeger)},
    {"jaeger-collector", "Jaeger collector", "/-/ready", false, AT(jaeger_collector)},
    {"jaeger-admin", "Jaeger admin", "/", false, AT(jaeger_admin)},
    {"jaeger-sampling", "Jaeger sampling", "/sampling?service=status", false, AT(jaeger_sampling)},
    {"zipkin", "Zipkin", "/health", false, AT(zipkin)},
    {"loki", "Loki API", "/ready", false, AT(loki)},
    {"tempo", "Tempo API", "/ready", false, AT(tempo)},
    {"alertmanager", "Alertmanager API", "/-/ready", false, AT(alertmanager)},
    {"health", "Collector health", "/", false, AT(health)},
    {"exporter", "Collector exporter", "/metrics", false, AT(exporter)},
    {"own-metrics", "Collector metrics", "/metrics", false, AT(own_metrics)},
};
const size_t service_ports_n = ARRAY_LEN(service_ports);

uint16_t service_port(const Config *c, const ServicePort *p) {
    int64_t port = *(const int64_t *)(const void *)((const char *)c + p->offset);
    return port == 0 ? 0 : (uint16_t)(port + c->server.port_offset);
}
