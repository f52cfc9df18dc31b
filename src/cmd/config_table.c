#include "cmd/config_int.h"

#define AT(field) offsetof(Config, field)
#define MIB (INT64_C(1) << 20)
#define GIB (INT64_C(1) << 30)
#define DAY INT64_C(86400000)

#define PORT_KEY(name, dflt, envname, text)                                                                            \
    { "server.ports." #name, CONFIG_PORT, AT(server.name), dflt, .env = envname, .needs_restart = true, .doc = text }

/* clang-format off */
static const ConfigKey keep_fields[] = {
    {"selector", CONFIG_STR, offsetof(ConfigKeep, selector), "", .check = config_check_selector, .doc = "Series it is for, as in PromQL."},
    {"keep", CONFIG_DURATION, offsetof(ConfigKeep, keep_ms), "", 3600000, 36500 * DAY, .doc = "How long their samples are kept."},
};
static const ConfigKey downsample_fields[] = {
    {"selector", CONFIG_STR, offsetof(ConfigDownsample, selector), "", .check = config_check_selector, .doc = "Series it is for, as in PromQL."},
    {"after", CONFIG_DURATION, offsetof(ConfigDownsample, after_ms), "", 3600000, 36500 * DAY, .doc = "Age from which on samples are thinned out."},
    {"resolution", CONFIG_DURATION, offsetof(ConfigDownsample, resolution_ms), "", 1000, 30 * DAY, .doc = "Length of the intervals of which the last sample stays."},
};
static const ConfigKey probe_fields[] = {
    {"name", CONFIG_STR, offsetof(ConfigProbe, name), "", .doc = "The job label of what is kept."},
    {"module", CONFIG_STR, offsetof(ConfigProbe, module), "", .check = config_check_probe_module, .doc = "http_2xx, http_post_2xx, tcp_connect or tls_connect."},
    {"target", CONFIG_STR, offsetof(ConfigProbe, target), "", .doc = "A URL, or host:port; the instance label of what is kept."},
    {"interval", CONFIG_DURATION, offsetof(ConfigProbe, interval_ms), "1m", 1000, DAY, .optional = true, .doc = "How often it is probed."},
    {"timeout", CONFIG_DURATION, offsetof(ConfigProbe, timeout_ms), "10s", 100, 120000, .optional = true, .doc = "How long one probe may take; never longer than the interval."},
    {"ca_file", CONFIG_STR, offsetof(ConfigProbe, ca_file), "", .optional = true, .doc = "PEM certificates to trust instead of the system's."},
    {"insecure_skip_verify", CONFIG_BOOL, offsetof(ConfigProbe, insecure_skip_verify), "false", .optional = true, .doc = "Take any certificate."},
};
#define RECORDS(table, type) .fields = table, .n_fields = ARRAY_LEN(table), .item_bytes = sizeof(type)

const ConfigKey config_keys[] = {
    {"server.listen", CONFIG_STR, AT(server.listen), "127.0.0.1", .flag = "listen", .needs_restart = true,
     .doc = "Address that every port is bound to. Any other than loopback needs a changed admin password."},
    {"server.port_offset", CONFIG_INT, AT(server.port_offset), "0", 0, 50000, .flag = "port-offset", .env = "MEERKAT_PORT_OFFSET", .needs_restart = true,
     .doc = "Added to every port, so that several servers fit on one machine."},
    PORT_KEY(ui, "3001", "GRAFANA_PORT", "Web UI; serves every API under its path as well."),
    PORT_KEY(prometheus, "9090", "PROMETHEUS_PORT", "Prometheus API."),
    PORT_KEY(otlp_grpc, "4317", "OTEL_GRPC_PORT", "OTLP over gRPC."),
    PORT_KEY(otlp_http, "4318", "OTEL_HTTP_PORT", "OTLP over HTTP."),
    PORT_KEY(jaeger, "16686", "JAEGER_UI_PORT", "Jaeger query API."),
    PORT_KEY(jaeger_collector, "14268", NULL, "Jaeger collector."),
    PORT_KEY(jaeger_admin, "14269", NULL, "Jaeger collector's admin port: health and metrics."),
    PORT_KEY(jaeger_sampling, "5778", NULL, "Jaeger sampling strategies."),
    PORT_KEY(zipkin, "9411", NULL, "Zipkin API."),
    PORT_KEY(loki, "3100", NULL, "Loki API."),
    PORT_KEY(tempo, "3200", NULL, "Tempo API."),
    PORT_KEY(alertmanager, "9093", NULL, "Alertmanager API."),
    PORT_KEY(health, "13133", NULL, "Collector health check."),
    PORT_KEY(exporter, "8889", NULL, "Collector's Prometheus exporter."),
    PORT_KEY(own_metrics, "8888", NULL, "Collector's own metrics."),
    {"server.tls.cert_file", CONFIG_STR, AT(server.tls_cert_file), "", .doc = "PEM certificate chain; with key_file, every port speaks TLS. Read again on reload."},
    {"server.tls.key_file", CONFIG_STR, AT(server.tls_key_file), "", .doc = "PEM private key."},
    {"server.max_connections", CONFIG_INT, AT(server.max_connections), "4096", 16, 1000000, .needs_restart = true, .doc = "Open connections over all ports; further ones are closed."},
    {"server.max_request_size", CONFIG_SIZE, AT(server.max_request_bytes), "64MiB", MIB, 2 * GIB, .needs_restart = true, .doc = "Largest request body, after decompression."},
    {"server.request_memory", CONFIG_SIZE, AT(server.request_memory_bytes), "512MiB", 16 * MIB, 1024 * GIB, .needs_restart = true, .doc = "Request bodies held at once, and likewise answers that wait for their readers; beyond it clients are told to retry."},
    {"server.drain_timeout", CONFIG_DURATION, AT(server.drain_timeout_ms), "10s", 0, 600000, .doc = "How long running requests may take to finish at shutdown."},
    {"server.ingest_workers", CONFIG_INT, AT(server.ingest_workers), "0", 0, 1024, .needs_restart = true, .doc = "Threads for writes; 0 chooses."},
    {"server.query_workers", CONFIG_INT, AT(server.query_workers), "0", 0, 1024, .needs_restart = true, .doc = "Threads for queries; 0 chooses."},

    {"storage.data_dir", CONFIG_STR, AT(storage.data_dir), "./meerkat-data", .flag = "data-dir", .needs_restart = true, .doc = "Where everything is kept. One server at a time (a lock file guards it)."},
    {"storage.durability", CONFIG_ENUM, AT(storage.durability), "fsync", .choices = "fsync|interval", .needs_restart = true, .doc = "fsync: a write is acknowledged when it is on disk. interval: once a second."},
    {"storage.metrics.retention", CONFIG_DURATION, AT(storage.metrics_retention_ms), "15d", 3600000, 36500 * DAY, .needs_restart = true, .doc = "How long samples are kept."},
    {"storage.metrics.retention_size", CONFIG_SIZE, AT(storage.metrics_retention_bytes), "0", .needs_restart = true, .doc = "Most bytes of samples on disk; the oldest go first. 0: no limit."},
    {"storage.metrics.head_size", CONFIG_SIZE, AT(storage.metrics_head_bytes), "128MiB", MIB, 64 * GIB, .needs_restart = true, .doc = "Samples held in memory before they become a part."},
    {"storage.metrics.max_series", CONFIG_INT, AT(storage.metrics_series_max), "0", 0, INT64_MAX, .needs_restart = true, .doc = "Most active series; new ones beyond it are refused, known ones go on. 0: as many as fit a quarter of the machine's memory at 1 KiB each."},
    {"storage.metrics.max_series_per_metric", CONFIG_INT, AT(storage.metrics_series_per_metric_max), "0", 0, INT64_MAX, .needs_restart = true, .doc = "Most active series of one metric name. 0: no limit."},
    {"storage.metrics.max_labels", CONFIG_INT, AT(storage.metrics_labels_max), "512", 0, 4096, .needs_restart = true, .doc = "Most labels of a new series. 0: no limit."},
    {"storage.metrics.max_label_name_size", CONFIG_SIZE, AT(storage.metrics_label_name_bytes_max), "4KiB", 0, GIB, .needs_restart = true, .doc = "Longest label name of a new series. 0: no limit."},
    {"storage.metrics.max_label_value_size", CONFIG_SIZE, AT(storage.metrics_label_value_bytes_max), "64KiB", 0, GIB, .needs_restart = true, .doc = "Longest label value of a new series. 0: no limit."},
    {"storage.logs.retention", CONFIG_DURATION, AT(storage.logs_retention_ms), "30d", 3600000, 36500 * DAY, .needs_restart = true, .doc = "How long log lines are kept."},
    {"storage.logs.retention_size", CONFIG_SIZE, AT(storage.logs_retention_bytes), "0", .needs_restart = true, .doc = "Most bytes of logs on disk. 0: no limit."},
    {"storage.logs.head_size", CONFIG_SIZE, AT(storage.logs_head_bytes), "64MiB", MIB, 64 * GIB, .needs_restart = true, .doc = "Log lines held in memory before they become a part."},
    {"storage.traces.retention", CONFIG_DURATION, AT(storage.traces_retention_ms), "7d", 3600000, 36500 * DAY, .needs_restart = true, .doc = "How long spans are kept."},
    {"storage.traces.retention_size", CONFIG_SIZE, AT(storage.traces_retention_bytes), "0", .needs_restart = true, .doc = "Most bytes of spans on disk. 0: no limit."},
    {"storage.traces.head_size", CONFIG_SIZE, AT(storage.traces_head_bytes), "64MiB", MIB, 64 * GIB, .needs_restart = true, .doc = "Spans held in memory before they become a part."},

    {"retention", CONFIG_RECORDS, AT(retention), "", RECORDS(keep_fields, ConfigKeep),
     .doc = "Samples of some series are kept shorter or longer than storage.metrics.retention; the first entry that matches counts."},
    {"downsample", CONFIG_RECORDS, AT(downsample), "", RECORDS(downsample_fields, ConfigDownsample),
     .doc = "Old samples are thinned out: the last one of every interval stays, and of counters those around resets. All entries that match are applied."},

    {"query.timeout", CONFIG_DURATION, AT(query.timeout_ms), "2m", 100, DAY, .doc = "Longest run of one query."},
    {"query.max_samples", CONFIG_INT, AT(query.max_samples), "50000000", 1000, INT64_MAX, .doc = "Most samples one PromQL query may load."},
    {"query.memory", CONFIG_SIZE, AT(query.memory_bytes), "1GiB", 16 * MIB, 1024 * GIB, .doc = "Memory of one query; one that needs more is refused."},
    {"query.lookback", CONFIG_DURATION, AT(query.lookback_ms), "5m", 1000, DAY, .doc = "How far an instant selector looks back for a sample."},
    {"query.concurrency", CONFIG_INT, AT(query.concurrency), "20", 1, 10000, .flag = "query.max-concurrency", .needs_restart = true, .doc = "PromQL queries that run at once; further ones wait."},
    {"query.total_memory", CONFIG_SIZE, AT(query.total_memory_bytes), "4GiB", 0, 1024 * GIB, .needs_restart = true, .doc = "Memory of all running PromQL queries together; beyond it the largest one is ended. 0: no limit."},
    {"query.slow_threshold", CONFIG_DURATION, AT(query.slow_ms), "1s", 1, DAY, .needs_restart = true, .doc = "PromQL queries that take at least this long are logged and kept under /api/meerkat/v1/queries/slow."},
    {"query.slow_log_size", CONFIG_INT, AT(query.slow_max), "200", 1, 100000, .needs_restart = true, .doc = "How many slow queries are kept, the newest."},
    {"query.delayed_name_removal", CONFIG_BOOL, AT(query.delayed_name_removal), "false", .needs_restart = true, .doc = "Keep metric names until a query's end, as Prometheus with promql-delayed-name-removal."},
    {"query.use_start_timestamps", CONFIG_BOOL, AT(query.use_start_timestamps), "false", .needs_restart = true, .doc = "rate, irate, increase and resets go by the samples' start timestamps, and start_timestamp() has results, as in Prometheus with use-start-timestamps."},

    {"auth.admin_user", CONFIG_STR, AT(auth.admin_user), "admin", .env = "GRAFANA_ADMIN_USER", .doc = "Name of the administrator."},
    {"auth.admin_password", CONFIG_SECRET, AT(auth.admin_password), "", .env = "GRAFANA_ADMIN_PASSWORD", .doc = "Password of the administrator. Empty: the one kept in the data directory, at first \"admin\"."},
    {"auth.admin_password_file", CONFIG_STR, AT(auth.admin_password_file), "", .doc = "File that holds it instead."},
    {"auth.api_token", CONFIG_SECRET, AT(auth.api_token), "", .doc = "Bearer token with the editor role for clients on other machines."},
    {"auth.api_token_file", CONFIG_STR, AT(auth.api_token_file), "", .doc = "File that holds it instead."},
    {"auth.loopback_open", CONFIG_BOOL, AT(auth.loopback_open), "true", .doc = "The wire APIs need no login on loopback connections (the UI always does)."},

    {"log.level", CONFIG_ENUM, AT(log.level), "info", .choices = "debug|info|warn|error", .flag = "log-level", .doc = "Least level that is written."},
    {"log.format", CONFIG_ENUM, AT(log.format), "logfmt", .choices = "logfmt|json", .flag = "log-format", .doc = "Form of the lines on standard error."},

    {"files.prometheus", CONFIG_STR, AT(files.prometheus), "", .flag = "prometheus.config", .doc = "prometheus.yml with what to scrape."},
    {"files.alertmanager", CONFIG_STR, AT(files.alertmanager), "", .flag = "alertmanager.config", .doc = "alertmanager.yml."},
    {"files.collector", CONFIG_STR, AT(files.collector), "", .flag = "collector.config", .doc = "otel-collector.yaml."},
    {"files.provisioning", CONFIG_STR, AT(files.provisioning), "", .flag = "provisioning", .doc = "Grafana provisioning folder."},
    {"files.runbooks", CONFIG_LIST, AT(files.runbooks), "", .flag = "runbooks", .doc = "Markdown runbooks: files or folders; may be given several times."},

    {"web.enable_lifecycle", CONFIG_BOOL, AT(web.enable_lifecycle), "false", .needs_restart = true, .doc = "Prometheus' /-/reload and /-/quit work."},
    {"web.enable_admin_api", CONFIG_BOOL, AT(web.enable_admin_api), "false", .needs_restart = true, .doc = "Prometheus' /api/v1/admin/tsdb/ works: deletion, snapshots."},

    {"web.listen_address", CONFIG_STR, AT(web.listen_address), "", .flag = "web.listen-address", .needs_restart = true, .doc = "Address and port of Prometheus' API alone, like \"0.0.0.0:9090\" or \":9090\". Empty: server.listen and server.ports.prometheus."},
    {"web.open", CONFIG_BOOL, AT(web.open), "false", .needs_restart = true, .doc = "Prometheus' port asks nobody to sign in, as Prometheus: whoever reaches it reads, writes and changes rules. What takes an administrator stays closed to other machines."},
    {"web.external_url", CONFIG_STR, AT(web.external_url), "", .flag = "web.external-url", .needs_restart = true, .doc = "Address under which people reach Prometheus' pages: links in alerts begin with it. Empty: this machine's port."},
    {"web.route_prefix", CONFIG_STR, AT(web.route_prefix), "", .flag = "web.route-prefix", .needs_restart = true, .doc = "Prefix of all paths of Prometheus' port, like \"/prometheus\", for a proxy that passes paths on as they are. Empty: the path of web.external_url. \"/\": none."},
    {"ui.external_url", CONFIG_STR, AT(ui.external_url), "", .flag = "ui.external-url", .needs_restart = true, .doc = "Address under which people reach the UI: Prometheus', Jaeger's and the Alertmanager's pages lead there. Empty: the UI's port on the host that was asked."},
    {"ui.route_prefix", CONFIG_STR, AT(ui.route_prefix), "", .flag = "ui.route-prefix", .needs_restart = true, .doc = "Prefix of all paths of the UI's port. Empty: the path of ui.external_url. \"/\": none."},

    {"rules.files", CONFIG_LIST, AT(rules.files), "", .flag = "rules.file", .doc = "Rule files besides those of prometheus.yml; names with *, ? and [...] are fine."},
    {"rules.packs", CONFIG_LIST, AT(rules.packs), "", .flag = "rules.pack", .doc = "Rule packs that come with the program, by name: self, node, container, llm, llm-traces, seed-jan, seed-incident-manager, seed-octollm, seed-toolformer."},
    {"rules.watchdog", CONFIG_ENUM, AT(rules.watchdog), "auto", .choices = "auto|on|off", .flag = "rules.watchdog", .doc = "The built-in Watchdog, an alert that always fires. auto: where neither rules nor routes are configured, and as soon as somebody waits for it, which is a heartbeat that calls out, or a route that names it where rules are evaluated; never where a rule of that name exists. It goes to heartbeats and to routes that name it, to nobody else."},
    {"rules.interval", CONFIG_DURATION, AT(rules.interval_ms), "1m", 1000, 86400000, .doc = "How often rules are evaluated when there is no prometheus.yml to say so."},

    {"scrape.dns_servers", CONFIG_STR, AT(scrape.dns_servers), "", .needs_restart = true, .doc = "Servers that dns_sd_configs ask, like \"10.0.0.1,10.0.0.2:5353\". Empty: those of the system."},
    {"scrape.start_timestamps", CONFIG_BOOL, AT(scrape.start_timestamps), "false", .needs_restart = true, .doc = "OpenMetrics' _created lines are the start timestamps of the series before them and no series of their own, as in Prometheus with st-storage. Those of protobuf, OTLP and remote write 2.0 are always kept. Where no scrape_protocols are configured, protobuf is asked for first."},
    {"scrape.start_timestamp_zero_ingestion", CONFIG_BOOL, AT(scrape.zero_starts), "false", .needs_restart = true, .doc = "A sample of value 0 is put at the start timestamp of each counter and histogram, scraped or sent by OTLP or remote write 2.0, as in Prometheus with created-timestamp-zero-ingestion: so rates see what was counted before the first sample. Includes scrape.start_timestamps."},
    {"remote_write.queue_size", CONFIG_SIZE, AT(remote_write.queue_bytes), "4GiB", MIB, 1024 * GIB, .doc = "How far an endpoint of prometheus.yml's remote_write may lie behind before the oldest samples for it are dropped. On disk, under remote/ of the data directory."},
    {"probes", CONFIG_RECORDS, AT(probes), "", RECORDS(probe_fields, ConfigProbe),
     .doc = "Servers that are probed again and again; probe_success, probe_duration_seconds and what else blackbox_exporter would tell is kept."},
    {"alerting.listen_address", CONFIG_STR, AT(alerting.listen_address), "", .flag = "alertmanager.listen-address", .needs_restart = true, .doc = "Address and port of the Alertmanager alone, like \"0.0.0.0:9093\" or \":9093\". Empty: server.listen and server.ports.alertmanager."},
    {"alerting.open", CONFIG_BOOL, AT(alerting.open), "false", .needs_restart = true, .doc = "The Alertmanager's port asks nobody to sign in, as Alertmanager: whoever reaches it reads, sends alerts and makes silences."},
    {"alerting.external_url", CONFIG_STR, AT(alerting.external_url), "", .flag = "alertmanager.external-url", .needs_restart = true, .doc = "Address under which people reach the Alertmanager: links in notifications begin with it. Empty: this machine's port."},
    {"alerting.route_prefix", CONFIG_STR, AT(alerting.route_prefix), "", .flag = "alertmanager.route-prefix", .needs_restart = true, .doc = "Prefix of all paths of the Alertmanager's port. Empty: the path of alerting.external_url. \"/\": none."},
    {"alerting.retention", CONFIG_DURATION, AT(alerting.retention_ms), "120h", 3600000, 3650 * DAY, .needs_restart = true, .doc = "How long expired silences, the notification log and the history of alerts are kept."},
    {"alerting.matchers", CONFIG_ENUM, AT(alerting.matchers), "fallback", .choices = "fallback|utf8-strict-mode|classic-mode", .needs_restart = true, .doc = "Syntax of matchers. fallback: UTF-8, and the classic one where that fails."},
    {"alerting.max_alerts", CONFIG_INT, AT(alerting.alerts_max), "1000000", 1, 100000000, .needs_restart = true, .doc = "Most alerts held; new ones beyond it are refused with 429, known ones go on."},
    {"alerting.max_silences", CONFIG_INT, AT(alerting.silences_max), "20000", 0, 10000000, .needs_restart = true, .doc = "Most silences, expired ones too. 0: no limit."},
    {"alerting.silence_guard.max_matches", CONFIG_INT, AT(alerting.silence_matches_max), "1000", 0, 100000000, .needs_restart = true, .doc = "A new silence that would silence more alerts than this must be forced. 0: no limit. Guard rails hold for the UI and the command line, not for API v2."},
    {"alerting.silence_guard.max_duration", CONFIG_DURATION, AT(alerting.silence_max_ms), "0", 0, 3650 * DAY, .needs_restart = true, .doc = "A new silence that lasts longer must be forced. 0: no limit."},
    {"alerting.silence_guard.comment_required", CONFIG_BOOL, AT(alerting.silence_comment_required), "true", .needs_restart = true, .doc = "A new silence needs a comment."},
    {"alerting.heartbeats", CONFIG_LIST, AT(alerting.heartbeats), "", .flag = "alertmanager.heartbeat", .needs_restart = true, .doc = "Dead man's switches: \"ping URL every 1m\" calls an outside watcher while this server is healthy; \"expect NAME within 5m\" fires an alert when neither a call of heartbeats/NAME nor an alert of that name came."},
    {"alerting.peers", CONFIG_LIST, AT(alerting.peers), "", .flag = "cluster.peer", .needs_restart = true, .doc = "Alertmanager addresses (http://host:9093) of the other servers of a cluster: together they notify once."},
    {"alerting.peer_name", CONFIG_STR, AT(alerting.peer_name), "", .flag = "cluster.peer-name", .needs_restart = true, .doc = "Name of this server among them, unique. Empty: the host's name and port."},
    {"alerting.peer_secret", CONFIG_SECRET, AT(alerting.peer_secret), "", .needs_restart = true, .doc = "Secret that all servers of the cluster share."},
    {"alerting.peer_secret_file", CONFIG_STR, AT(alerting.peer_secret_file), "", .needs_restart = true, .doc = "File that holds it instead."},
    {"alerting.peer_timeout", CONFIG_DURATION, AT(alerting.peer_timeout_ms), "15s", 100, 600000, .flag = "cluster.peer-timeout", .needs_restart = true, .doc = "How long each server waits for those before it to notify."},

    {"host.metrics", CONFIG_BOOL, AT(host.metrics), "false", .flag = "host.metrics", .needs_restart = true, .doc = "Keep this machine's metrics (processors, memory, disks, file systems, network, load, pressure) under node_exporter's names with job=\"node\": no agent needed."},
    {"host.cgroups", CONFIG_BOOL, AT(host.cgroups), "false", .flag = "host.cgroups", .needs_restart = true, .doc = "Keep the metrics of control groups, containers among them, under cAdvisor's names with job=\"cadvisor\"."},
    {"host.interval", CONFIG_DURATION, AT(host.interval_ms), "15s", 1000, 3600000, .needs_restart = true, .doc = "How often."},
    {"host.procfs", CONFIG_STR, AT(host.procfs), "/proc", .needs_restart = true, .doc = "Where the host's procfs is mounted (in a container: elsewhere)."},
    {"host.sysfs", CONFIG_STR, AT(host.sysfs), "/sys", .needs_restart = true, .doc = "Where its sysfs is mounted."},
    {"host.rootfs", CONFIG_STR, AT(host.rootfs), "", .needs_restart = true, .doc = "What stands in front of its mount points, such as /host."},

    {"self.interval", CONFIG_DURATION, AT(self.interval_ms), "15s", 1000, 3600000, .doc = "How often the server's own metrics are kept under job=\"meerkat\"."},
};
/* clang-format on */

const size_t config_keys_n = ARRAY_LEN(config_keys);
