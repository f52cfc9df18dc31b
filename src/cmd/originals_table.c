/* originals_table.c - the flags of Prometheus 2 and 3 and of Alertmanager, and what each becomes.
 * Sources: the --help of both programs, their documentation. */
#include "cmd/originals.h"

/* clang-format off */
#define ELSEWHERE(port) {STR_INIT("server.ports." port), STR_INIT("0")}
#define QUIET_PORTS ELSEWHERE("otlp-grpc"), ELSEWHERE("otlp-http"), ELSEWHERE("jaeger"), ELSEWHERE("jaeger-collector"), \
    ELSEWHERE("jaeger-admin"), ELSEWHERE("jaeger-sampling"), ELSEWHERE("zipkin"), ELSEWHERE("loki"), ELSEWHERE("tempo"), \
    ELSEWHERE("health"), ELSEWHERE("exporter"), ELSEWHERE("own-metrics"), {STR_INIT("rules.watchdog"), STR_INIT("off")}

#define OWN_STORE "its store is another one"
#define WEB_CONFIG "TLS and users are keys of meerkat.yml: server.tls.cert_file, server.tls.key_file, auth.*"

static const OriginalFlag prometheus_flags[] = {
    {"config.file", ORIGINAL_KEY, false, "prometheus.config"},
    {"config.auto-reload-interval", ORIGINAL_NONE, false, "send SIGHUP or POST /-/reload"},
    {"config.auto-reload", ORIGINAL_NONE, true, "send SIGHUP or POST /-/reload"},
    {"web.listen-address", ORIGINAL_KEY, false, "web.listen-address"},
    {"web.external-url", ORIGINAL_KEY, false, "web.external-url"},
    {"web.route-prefix", ORIGINAL_KEY, false, "web.route-prefix"},
    {"web.max-connections", ORIGINAL_KEY, false, "server.max-connections"},
    {"web.enable-lifecycle", ORIGINAL_KEY, true, "web.enable-lifecycle"},
    {"web.enable-admin-api", ORIGINAL_KEY, true, "web.enable-admin-api"},
    {"web.enable-remote-write-receiver", ORIGINAL_SAME, true, NULL},
    {"web.enable-otlp-receiver", ORIGINAL_SAME, true, NULL},
    {"web.config.file", ORIGINAL_REFUSE, false, WEB_CONFIG},
    {"web.cors.origin", ORIGINAL_FIXED, false, ".*"},
    {"web.user-assets", ORIGINAL_NONE, false, "there are no pages of one's own"},
    {"web.console.*", ORIGINAL_SAME, false, NULL},
    {"web.page-title", ORIGINAL_SAME, false, NULL},
    {"web.*", ORIGINAL_SAME, false, NULL},
    {"storage.tsdb.path", ORIGINAL_KEY, false, "data-dir"},
    {"storage.tsdb.retention", ORIGINAL_KEY, false, "storage.metrics.retention"},
    {"storage.tsdb.retention.time", ORIGINAL_KEY, false, "storage.metrics.retention"},
    {"storage.tsdb.retention.size", ORIGINAL_SIZE, false, "storage.metrics.retention-size"},
    {"storage.tsdb.use-lockfile", ORIGINAL_SAME, true, NULL},
    {"storage.tsdb.no-lockfile", ORIGINAL_SAME, true, NULL},
    {"storage.tsdb.wal-compression", ORIGINAL_SAME, true, NULL},
    {"storage.tsdb.allow-overlapping-blocks", ORIGINAL_SAME, true, NULL},
    {"storage.tsdb.allow-overlapping-compaction", ORIGINAL_SAME, true, NULL},
    {"storage.tsdb.*", ORIGINAL_SAME, false, NULL},
    {"storage.agent.wal-compression", ORIGINAL_NONE, true, "there is no agent mode"},
    {"storage.agent.no-lockfile", ORIGINAL_NONE, true, "there is no agent mode"},
    {"storage.agent.use-lockfile", ORIGINAL_NONE, true, "there is no agent mode"},
    {"storage.agent.checkpoint-from-in-memory-series", ORIGINAL_NONE, true, "there is no agent mode"},
    {"storage.agent.*", ORIGINAL_NONE, false, "there is no agent mode"},
    {"agent", ORIGINAL_REFUSE, true, "there is no agent mode; remote_write in the configuration sends samples on"},
    {"storage.remote.*", ORIGINAL_SAME, false, NULL},
    {"rules.alert.for-outage-tolerance", ORIGINAL_FIXED, false, "1h"},
    {"rules.alert.for-grace-period", ORIGINAL_FIXED, false, "10m"},
    {"rules.alert.resend-delay", ORIGINAL_FIXED, false, "1m"},
    {"rules.max-concurrent-evals", ORIGINAL_SAME, false, NULL},
    {"alertmanager.drain-notification-queue-on-shutdown", ORIGINAL_SAME, true, NULL},
    {"alertmanager.notification-queue-capacity", ORIGINAL_SAME, false, NULL},
    {"alertmanager.notification-batch-size", ORIGINAL_SAME, false, NULL},
    {"alertmanager.timeout", ORIGINAL_SAME, false, NULL},
    {"query.lookback-delta", ORIGINAL_KEY, false, "query.lookback"},
    {"query.timeout", ORIGINAL_KEY, false, "query.timeout"},
    {"query.max-concurrency", ORIGINAL_KEY, false, "query.max-concurrency"},
    {"query.max-samples", ORIGINAL_KEY, false, "query.max-samples"},
    {"scrape.adjust-timestamps", ORIGINAL_SAME, true, NULL},
    {"scrape.discovery-reload-interval", ORIGINAL_SAME, false, NULL},
    {"scrape.timestamp-tolerance", ORIGINAL_SAME, false, NULL},
    {"scrape.name-escaping-scheme", ORIGINAL_NONE, false, "scrape configurations have metric_name_escaping_scheme"},
    {"auto-gomaxprocs", ORIGINAL_SAME, true, NULL},
    {"auto-gomemlimit", ORIGINAL_SAME, true, NULL},
    {"auto-gomemlimit.ratio", ORIGINAL_SAME, false, NULL},
    {"enable-feature", ORIGINAL_FEATURE, false, NULL},
    {"log.level", ORIGINAL_KEY, false, "log-level"},
    {"log.format", ORIGINAL_KEY, false, "log-format"},
};

static const OriginalFeature prometheus_features[] = {
    {"promql-delayed-name-removal", "query.delayed-name-removal", "true", NULL},
    {"created-timestamp-zero-ingestion", "scrape.start-timestamp-zero-ingestion", "true", NULL},
    {"st-storage", "scrape.start-timestamps", "true", NULL},
    {"use-start-timestamps", "query.use-start-timestamps", "true", NULL},
    {"promql-binop-fill-modifiers", NULL, NULL, NULL}, {"promql-extended-range-selectors", NULL, NULL, NULL},
    {"search-api", NULL, NULL, NULL}, {"histograms-st-encoding", NULL, NULL, NULL}, {"xor2-encoding", NULL, NULL, NULL},
    {"otlp-native-delta-ingestion", NULL, NULL, "temporality is handled as it always is here"},
    {"otlp-deltatocumulative", NULL, NULL, "temporality is handled as it always is here"},
    {"st-synthesis", NULL, NULL, "start timestamps are those that senders give"},
    {"type-and-unit-labels", NULL, NULL, "types and units are metadata, no labels"},
    {"promql-at-modifier", NULL, NULL, NULL}, {"promql-negative-offset", NULL, NULL, NULL},
    {"promql-per-step-stats", NULL, NULL, NULL}, {"promql-experimental-functions", NULL, NULL, NULL},
    {"promql-duration-expr", NULL, NULL, NULL}, {"native-histograms", NULL, NULL, NULL},
    {"exemplar-storage", NULL, NULL, NULL}, {"expand-external-labels", NULL, NULL, NULL},
    {"memory-snapshot-on-shutdown", NULL, NULL, NULL}, {"remote-write-receiver", NULL, NULL, NULL},
    {"otlp-write-receiver", NULL, NULL, NULL}, {"new-service-discovery-manager", NULL, NULL, NULL},
    {"concurrent-rule-eval", NULL, NULL, NULL}, {"delayed-compaction", NULL, NULL, NULL},
    {"metadata-wal-records", NULL, NULL, NULL}, {"ooo-native-histograms", NULL, NULL, NULL},
    {"utf8-names", NULL, NULL, NULL}, {"use-uncached-io", NULL, NULL, NULL},
    {"auto-gomaxprocs", NULL, NULL, NULL}, {"auto-gomemlimit", NULL, NULL, NULL},
    {"extra-scrape-metrics", NULL, NULL, "report series are those without it, unless the scrape configuration says extra_scrape_metrics"},
    {"no-default-scrape-port", NULL, NULL, "addresses without a port get the default one"},
    {"old-ui", NULL, NULL, "there is one UI"},
    {"auto-reload-config", NULL, NULL, "send SIGHUP or POST /-/reload"},
    {"agent", NULL, NULL, "there is no agent mode; remote_write in the configuration sends samples on"},
};

static const ConfigFlag prometheus_defaults[] = {
    QUIET_PORTS, ELSEWHERE("alertmanager"),
    {STR_INIT("web.open"), STR_INIT("true")}, {STR_INIT("web.listen-address"), STR_INIT("0.0.0.0:9090")},
    {STR_INIT("data-dir"), STR_INIT("data/")},
};

const Original original_prometheus = {"prometheus", "3.16.0", "prometheus.yml", "prometheus.config", prometheus_flags, ARRAY_LEN(prometheus_flags),
    prometheus_features, ARRAY_LEN(prometheus_features), prometheus_defaults, ARRAY_LEN(prometheus_defaults)};

static const OriginalFlag alertmanager_flags[] = {
    {"config.file", ORIGINAL_KEY, false, "alertmanager.config"},
    {"config.auto-reload-interval", ORIGINAL_NONE, false, "send SIGHUP or POST /-/reload"},
    {"storage.path", ORIGINAL_KEY, false, "data-dir"},
    {"data.retention", ORIGINAL_KEY, false, "alerting.retention"},
    {"data.maintenance-interval", ORIGINAL_SAME, false, NULL},
    {"alerts.gc-interval", ORIGINAL_SAME, false, NULL},
    {"alerts.per-alertname-limit", ORIGINAL_NONE, false, "alerting.max_alerts limits all alerts together"},
    {"silences.max-silences", ORIGINAL_KEY, false, "alerting.max-silences"},
    {"silences.max-silence-size-bytes", ORIGINAL_NONE, false, "silences have limits of their own"},
    {"dispatch.*", ORIGINAL_SAME, false, NULL},
    {"web.listen-address", ORIGINAL_KEY, false, "alertmanager.listen-address"},
    {"web.external-url", ORIGINAL_KEY, false, "alertmanager.external-url"},
    {"web.route-prefix", ORIGINAL_KEY, false, "alertmanager.route-prefix"},
    {"web.config.file", ORIGINAL_REFUSE, false, WEB_CONFIG},
    {"web.systemd-socket", ORIGINAL_REFUSE, true, "sockets are not taken over; use --web.listen-address"},
    {"web.*", ORIGINAL_SAME, false, NULL},
    {"cluster.peer", ORIGINAL_PEER, false, NULL},
    {"cluster.peer-timeout", ORIGINAL_KEY, false, "cluster.peer-timeout"},
    {"cluster.tls-config", ORIGINAL_NONE, false, "servers exchange over the HTTP port and the secret alerting.peer_secret"},
    {"cluster.allow-insecure-public-advertise-address-discovery", ORIGINAL_SAME, true, NULL},
    {"cluster.*", ORIGINAL_SAME, false, NULL},
    {"auto-gomaxprocs", ORIGINAL_SAME, true, NULL},
    {"auto-gomemlimit", ORIGINAL_SAME, true, NULL},
    {"auto-gomemlimit.ratio", ORIGINAL_SAME, false, NULL},
    {"enable-feature", ORIGINAL_FEATURE, false, NULL},
    {"log.silences", ORIGINAL_NONE, true, "silences are in the history: GET /api/meerkat/v1/alerting/history?kind=silence"},
    {"log.level", ORIGINAL_KEY, false, "log-level"},
    {"log.format", ORIGINAL_KEY, false, "log-format"},
};

static const OriginalFeature alertmanager_features[] = {
    {"utf8-strict-mode", "alerting.matchers", "utf8-strict-mode", NULL},
    {"classic-mode", "alerting.matchers", "classic-mode", NULL},
    {"receiver-name-in-metrics", NULL, NULL, "metrics are labelled by integration"},
    {"group-key-in-metrics", NULL, NULL, "metrics are not labelled by group"},
    {"alert-names-in-metrics", NULL, NULL, "metrics are not labelled by alert"},
    {"event-recorder", NULL, NULL, "`meerkat alert history` tells what happened"},
    {"auto-gomaxprocs", NULL, NULL, NULL}, {"auto-gomemlimit", NULL, NULL, NULL},
};

/* Beside `meerkat prometheus` on the same machine: a port of its own for the UI. */
static const ConfigFlag alertmanager_defaults[] = {
    QUIET_PORTS, ELSEWHERE("prometheus"), {STR_INIT("server.ports.ui"), STR_INIT("3003")},
    {STR_INIT("alerting.open"), STR_INIT("true")}, {STR_INIT("alertmanager.listen-address"), STR_INIT("0.0.0.0:9093")},
    {STR_INIT("data-dir"), STR_INIT("data/")},
};

const Original original_alertmanager = {"alertmanager", "0.34.0", "alertmanager.yml", "alertmanager.config", alertmanager_flags, ARRAY_LEN(alertmanager_flags),
    alertmanager_features, ARRAY_LEN(alertmanager_features), alertmanager_defaults, ARRAY_LEN(alertmanager_defaults)};
/* clang-format on */
