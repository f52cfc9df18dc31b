#include "metrics/config/prom_config.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static void test_whole(void **state) {
    (void)state;
    static const char text[] = "global:\n"
                               "  scrape_interval: 15s\n"
                               "  evaluation_interval: 30s\n"
                               "  external_labels: {cluster: \"${MEERKAT_TEST_CLUSTER}\"}\n"
                               "rule_files: [rules/*.yml, /etc/x.yml]\n"
                               "scrape_configs:\n"
                               "  - job_name: node\n"
                               "    scrape_timeout: 5s\n"
                               "    metrics_path: /m\n"
                               "    params: {module: [a, b]}\n"
                               "    honor_labels: true\n"
                               "    honor_timestamps: false\n"
                               "    basic_auth: {username: u, password: 'pa$$word'}\n"
                               "    tls_config: {insecure_skip_verify: true, ca_file: ca.pem}\n"
                               "    sample_limit: 10\n"
                               "    body_size_limit: 1MB\n"
                               "    static_configs:\n"
                               "      - targets: ['localhost:9100', 'h:1']\n"
                               "        labels: {env: dev}\n"
                               "  - job_name: other\n"
                               "    scheme: https\n"
                               "    bearer_token: abc\n";
    setenv("MEERKAT_TEST_CLUSTER", "c1", 1);
    DiagList diags;
    PromConfig *c;
    diag_init(&diags, STR("p.yml"), str_cstr(text));
    if (prom_config_parse(str_cstr(text), STR("/etc/prom"), &c, &diags) != OK)
        fail_msg("%d: %s", diags.items.v[0].line, diags.items.v[0].msg);
    assert_int_equal(diags.items.n, 1);
    assert_string_equal(diags.items.v[0].msg, "error checking TLS CA file \"/etc/prom/ca.pem\": no such file");
    assert_int_equal(c->scrape_interval_ms, 15000);
    assert_int_equal(c->evaluation_interval_ms, 30000);
    assert_true(str_eq_lit(labels_get(c->external_labels, STR("cluster")), "c1"));
    assert_true(str_eq_lit(c->rule_files[0], "/etc/prom/rules/*.yml") && str_eq_lit(c->rule_files[1], "/etc/x.yml"));
    const PromScrapeConfig *j = &c->scrapes[0];
    assert_true(j->interval_ms == 15000 && j->timeout_ms == 5000 && j->honor_labels && j->ignore_timestamps);
    assert_true(str_eq_lit(j->http.password, "pa$$word") && j->http.tls.insecure_skip_verify);
    assert_true(str_eq_lit(j->http.tls.ca_file, "/etc/prom/ca.pem"));
    assert_true(j->set.limits.sample == 10 && j->set.limits.body_bytes == 1 << 20 && j->params.v[0].n == 2);
    assert_true(j->sd.n == 1 && j->sd.v[0].groups.n == 1 && j->sd.v[0].groups.v[0].targets.n == 2);
    assert_true(c->scrapes[1].timeout_ms == 10000 && str_eq_lit(c->scrapes[1].http.auth_type, "Bearer"));
    prom_config_free(c);
    diag_done(&diags);
}

/* Every section, and defaults where nothing is said. */
static void test_sections(void **state) {
    (void)state;
    static const char text[] =
        "global: {scrape_interval: 20s, sample_limit: 7, external_labels: {a: \"$MEERKAT_TEST_CLUSTER\", b: "
        "\"x$$y\"}}\n"
        "alerting:\n"
        "  alert_relabel_configs: [{regex: replica, action: labeldrop}]\n"
        "  alertmanagers:\n"
        "  - path_prefix: /am\n"
        "    static_configs: [{targets: ['am:9093']}]\n"
        "    basic_auth: {username: u, password_file: pw}\n"
        "remote_write:\n"
        "- url: http://r/w\n"
        "  name: far\n"
        "  protobuf_message: io.prometheus.write.v2.Request\n"
        "  headers: {X-Scope-OrgID: t}\n"
        "  write_relabel_configs: [{source_labels: [__name__], regex: go_.*, action: drop}]\n"
        "  queue_config: {capacity: 5}\n"
        "remote_read: [{url: 'http://r/r', required_matchers: {job: x}}]\n"
        "otlp: {promote_resource_attributes: [a.b], translation_strategy: NoTranslation}\n"
        "storage: {tsdb: {out_of_order_time_window: 30m, retention: {time: 1d, size: 1GB}}, exemplars: {max_exemplars: "
        "5}}\n"
        "tracing: {endpoint: 'x:1', sampling_fraction: 0.5}\n"
        "scrape_configs:\n"
        "- job_name: j\n"
        "  scrape_native_histograms: true\n"
        "  oauth2: {client_id: c, client_secret: s, token_url: 'http://t/', scopes: [a], endpoint_params: {x: y}}\n"
        "  http_headers: {X-A: {values: [1, 2], files: [f]}}\n"
        "  file_sd_configs: [{files: ['t/*.yml']}]\n"
        "  kubernetes_sd_configs: [{role: endpoints, namespaces: {names: [n]}, attach_metadata: {node: true}}]\n"
        "  consul_sd_configs: [{services: [s]}]\n"
        "  docker_sd_configs: [{host: 'unix:///var/run/docker.sock'}]\n"
        "  dns_sd_configs: [{names: [a.b]}]\n";
    setenv("MEERKAT_TEST_CLUSTER", "c1", 1);
    DiagList diags;
    PromConfig *c;
    diag_init(&diags, STR("p.yml"), str_cstr(text));
    if (prom_config_parse(str_cstr(text), STR("/etc/prom"), &c, &diags) != OK)
        fail_msg("%d: %s", diags.items.v[0].line, diags.items.v[0].msg);
    assert_int_equal(diags.items.n, 2); /* files of a password and of a header that are not there */
    assert_true(diags.items.v[0].line == 7 && diags.items.v[0].col > 40 && diags.items.v[1].line > 20);
    assert_true(str_eq_lit(labels_get(c->external_labels, STR("a")), "c1"));
    assert_true(str_eq_lit(labels_get(c->external_labels, STR("b")), "x$y"));
    const PromAlertmanagerConfig *am = &c->alertmanagers[0];
    assert_true(c->alert_relabel.n == 1 && c->n_alertmanagers == 1 && am->timeout_ms == 10000 && am->sd.n == 1);
    assert_true(str_eq_lit(am->path_prefix, "/am") && str_eq_lit(am->http.password_file, "/etc/prom/pw"));
    const PromRemoteWrite *w = &c->remote_writes[0];
    assert_true(w->version_2 && w->timeout_ms == 30000 && w->relabel.n == 1 && w->headers.n == 1);
    assert_true(w->queue.capacity == 5 && w->queue.max_shards == 50 && w->metadata_interval_ms == 60000);
    assert_true(c->remote_reads[0].required_matchers.n == 1 && c->otlp.translation == OTLP_VERBATIM);
    assert_true(c->storage.out_of_order_window_ms == 1800000 && c->storage.retention_bytes == 1 << 30);
    assert_true(c->storage.max_exemplars == 5 && c->tracing.given);
    const PromScrapeConfig *j = &c->scrapes[0];
    assert_true(j->set.limits.sample == 7 && j->set.n_protocols == 5 && j->set.protocols[0] == PROTOCOL_PROTO);
    assert_true(j->http.oauth2 && j->http.oauth2->scopes.n == 1 && j->http.n_headers == 1);
    assert_true(j->sd.n == 5 && j->sd.v[0].kind == SD_FILE && j->sd.v[0].refresh_ms == 300000);
    assert_true(str_eq_lit(j->sd.v[0].files.v[0], "/etc/prom/t/*.yml") && j->sd.v[1].kubernetes.attach_node);
    assert_true(j->sd.v[1].kubernetes.role == SD_K8S_ENDPOINTS && j->sd.v[4].dns.type == SD_DNS_SRV);
    assert_true(
        str_contains(j->yaml, STR("client_secret: <secret>")) && !str_contains(j->yaml, STR("client_secret: s")));
    prom_config_free(c);
    diag_done(&diags);
}

/* What is reported, as "line:col level message" of the first. */
static void test_diagnostics(void **state) {
    (void)state;
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"globl: {}\n", "1:1 error unknown key \"globl\" in the configuration"},
        {"global:\n  scrape_intervall: 5s\n", "2:3 error unknown key \"scrape_intervall\" in global"},
        {"global:\n  scrape_interval: 5 apples\n", "2:20 error \"5 apples\" is not a duration like 15s or 1m30s"},
        {"remote_write:\n- url: x\n", "2:8 warning url must begin with http:// or https://"},
        {"remote_write:\n- name: x\n", "2:3 error url for remote_write is empty"},
        {"remote_write:\n- url: http://x/\n  sigv4: {}\n", "3:3 error sigv4 is not supported"},
        {"remote_write:\n- url: http://x/\n  queue_config: {max_shards: 0}\n",
            "3:30 error remote write queue max_shards must be positive"},
        {"remote_write:\n- url: http://x/\n  protobuf_message: v3\n", "3:21 error unknown protobuf_message \"v3\""},
        {"remote_write:\n- url: http://x/\n  headers: {authorization: x}\n",
            "3:13 error authorization is a reserved header. It must not be changed"},
        {"scrape_configs:\n- job_name: a\n  ec2_sd_configs: []\n",
            "3:3 warning ec2_sd_configs is not supported and has no effect"},
        {"scrape_configs:\n- job_name: a\n- job_name: a\n",
            "3:13 error found multiple scrape configs with job name \"a\""},
        {"scrape_configs:\n- job_name: a\n  honor_labels: perhaps\n", "3:17 error \"perhaps\" is not a boolean"},
        {"scrape_configs:\n- job_name: a\n  scrape_interval: 5s\n  scrape_timeout: 6s\n",
            "4:19 error scrape timeout greater than scrape interval for scrape config with job name \"a\""},
        {"scrape_configs:\n- job_name: a\n  relabel_configs:\n  - {action: explode}\n",
            "4:14 error unknown relabel action \"explode\""},
        {"scrape_configs:\n- job_name: a\n  relabel_configs:\n  - {action: hashmod, target_label: x}\n",
            "4:5 error relabel configuration for hashmod requires non-zero modulus"},
        {"scrape_configs:\n- job_name: a\n  relabel_configs:\n  -\n", "4:4 error empty or null relabeling rule"},
        {"scrape_configs:\n- job_name: a\n  static_configs: {}\n", "3:19 error expected a list of target groups"},
        {"scrape_configs:\n- job_name: a\n  static_configs: [{targets: ['http://x']}]\n",
            "3:1 error \"http://x\" is not a valid hostname"},
        {"scrape_configs: 5\n", "1:17 error expected a list of jobs"},
        {"scrape_configs:\n- {}\n", "2:3 error job_name is empty"},
        {"scrape_configs:\n- job_name: a\n  scrape_protocols: [PrometheusText0.0.4, x]\n",
            "3:43 error unknown scrape protocol \"x\""},
        {"scrape_configs:\n- job_name: a\n  body_size_limit: 100\n",
            "3:20 error \"100\" is not a size like 10MB: the unit is missing"},
        {"scrape_configs:\n- job_name: a\n  basic_auth: {username: a}\n  bearer_token: b\n",
            "4:17 error at most one of basic_auth, oauth2, bearer_token & bearer_token_file must be configured"},
        {"scrape_configs:\n- job_name: a\n  authorization: {type: basic}\n",
            "3:25 error authorization type cannot be set to \"basic\", use \"basic_auth\" instead"},
        {"scrape_configs:\n- job_name: a\n  oauth2: {client_id: x}\n",
            "3:11 error oauth2 token_url must be configured"},
        {"scrape_configs:\n- job_name: a\n  no_proxy: x\n",
            "3:13 error if no_proxy is configured, proxy_url must also be configured"},
        {"scrape_configs:\n- job_name: a\n  metric_name_validation_scheme: legacy\n"
         "  metric_name_escaping_scheme: allow-utf-8\n",
            "4:32 error utf8 metric names requested but validation scheme is not set to UTF8"},
        {"scrape_configs:\n- job_name: a\n  file_sd_configs: [{files: [x.txt]}]\n",
            "3:29 error path name \"x.txt\" is not valid for file discovery"},
        {"scrape_configs:\n- job_name: a\n  http_sd_configs: [{url: 'ftp://x'}]\n",
            "3:27 error URL must begin with http:// or https://"},
        {"scrape_configs:\n- job_name: a\n  dns_sd_configs: [{names: [x], type: A}]\n",
            "3:20 error a port is required in DNS-SD configs for all record types except SRV"},
        {"scrape_configs:\n- job_name: a\n  kubernetes_sd_configs: [{role: pods}]\n",
            "3:34 error unknown Kubernetes SD role \"pods\""},
        {"scrape_configs:\n- job_name: a\n  kubernetes_sd_configs: [{role: pod, selectors: [{role: ingress}]}]\n",
            "3:50 error pod role does not support ingress selectors"},
        {"scrape_configs:\n- job_name: a\n  docker_sd_configs: [{}]\n", "3:23 error host missing"},
        {"scrape_configs:\n- job_name: a\n  consul_sd_configs: [{server: ''}]\n",
            "3:23 error consul SD configuration requires a server address"},
        {"alerting: {alertmanagers: [{api_version: v1}]}\n",
            "1:42 error expected Alertmanager api version to be one of [v2] but got v1"},
        {"otlp: {ignore_resource_attributes: [a]}\n",
            "1:36 error 'ignore_resource_attributes' cannot be configured unless 'promote_all_resource_attributes' is "
            "true"},
        {"storage: {tsdb: {retention: {percentage: 101}}}\n",
            "1:42 error 'storage.tsdb.retention.percentage' must be in the range [0, 100], got 101"},
        {"tracing: {}\n", "1:10 error tracing endpoint must be set"},
        {"rule_files: ['a/*/b.yml']\n", "1:13 error invalid rule file path \"a/*/b.yml\""},
        {"global: {scrape_interval: 1s, scrape_timeout: 2s}\n",
            "1:47 error global scrape timeout greater than scrape interval"},
    };
    size_t wrong = 0;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        DiagList diags;
        PromConfig *c;
        char got[512] = "nothing";
        diag_init(&diags, STR("p.yml"), str_cstr(cases[i].text));
        ErrCode code = prom_config_parse(str_cstr(cases[i].text), STR(""), &c, &diags);
        if (diags.items.n) {
            const Diag *d = &diags.items.v[0];
            snprintf(
                got, sizeof got, "%d:%d %s %s", d->line, d->col, d->level == DIAG_ERROR ? "error" : "warning", d->msg);
        }
        if (strcmp(got, cases[i].want) != 0)
            wrong++, print_error("%s got  %s\nwant %s\n", cases[i].text, got, cases[i].want);
        assert_int_equal(code == OK, diag_error_count(&diags) == 0);
        prom_config_free(c);
        diag_done(&diags);
    }
    assert_int_equal(wrong, 0);
}

static void test_safe(void **state) {
    (void)state;
    Buf b = {0};
    prom_config_put_safe(
        STR("scrape_configs:\n- proxy_url: http://me:pw@p:1\n  proxy_connect_header: {A: [x, y]}\n"
            "  http_headers: {B: {secrets: [s], values: [v]}}\n  basic_auth: {username: u, password: p}\n"
            "  bearer_token_file: /f\n  tls_config: {key: k, cert: c}\n"),
        &b);
    assert_string_equal(buf_cstr(&b),
        "scrape_configs:\n- proxy_url: \"http://me:xxxxx@p:1\"\n  proxy_connect_header:\n    A:\n    - <secret>\n"
        "    - <secret>\n  http_headers:\n    B:\n      secrets:\n      - <secret>\n      values:\n      - v\n"
        "  basic_auth:\n    username: u\n    password: <secret>\n  bearer_token_file: /f\n"
        "  tls_config:\n    key: <secret>\n    cert: c\n");
    buf_done(&b);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_whole), cmocka_unit_test(test_sections),
        cmocka_unit_test(test_diagnostics), cmocka_unit_test(test_safe)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
