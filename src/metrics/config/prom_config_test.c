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
    assert_int_equal(diags.items.n, 0);
    assert_int_equal(c->scrape_interval_ms, 15000);
    assert_int_equal(c->evaluation_interval_ms, 30000);
    assert_true(str_eq_lit(labels_get(c->external_labels, STR("cluster")), "c1"));
    assert_true(str_eq_lit(c->rule_files[0], "/etc/prom/rules/*.yml") && str_eq_lit(c->rule_files[1], "/etc/x.yml"));
    const PromScrapeConfig *j = &c->scrapes[0];
    assert_true(j->interval_ms == 15000 && j->timeout_ms == 5000 && j->honor_labels && j->ignore_timestamps);
    assert_true(str_eq_lit(j->http.password, "pa$$word") && j->http.insecure_skip_verify);
    assert_true(str_eq_lit(j->http.ca_file, "/etc/prom/ca.pem"));
    assert_true(j->sample_limit == 10 && j->body_size_limit == 1 << 20 && j->params[0].n == 2);
    assert_true(j->n_groups == 1 && j->groups[0].n_targets == 2);
    assert_true(c->scrapes[1].timeout_ms == 10000 && str_eq_lit(c->scrapes[1].http.auth_type, "Bearer"));
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
        {"remote_write:\n- url: x\n", "1:1 warning remote_write is not supported and has no effect"},
        {"scrape_configs:\n- job_name: a\n  consul_sd_configs: []\n",
            "3:3 warning consul_sd_configs is not supported and has no effect"},
        {"scrape_configs:\n- job_name: a\n- job_name: a\n",
            "3:1 error found multiple scrape configs with job name \"a\""},
        {"scrape_configs:\n- job_name: a\n  honor_labels: perhaps\n", "3:17 error \"perhaps\" is not a boolean"},
        {"scrape_configs:\n- job_name: a\n  scrape_interval: 5s\n  scrape_timeout: 6s\n",
            "2:3 error scrape timeout greater than scrape interval for scrape config with job name \"a\""},
        {"scrape_configs:\n- job_name: a\n  relabel_configs:\n  - {action: explode}\n",
            "4:5 error unknown relabel action \"explode\""},
        {"scrape_configs:\n- job_name: a\n  relabel_configs:\n  - {action: hashmod, target_label: x}\n",
            "4:5 error relabel configuration for hashmod requires non-zero modulus"},
        {"scrape_configs:\n- job_name: a\n  static_configs: {}\n", "3:19 error expected a list of target groups"},
        {"scrape_configs: 5\n", "1:17 error expected a list of jobs"},
        {"scrape_configs:\n- {}\n", "2:3 error job_name is empty"},
    };
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
        assert_string_equal(got, cases[i].want);
        assert_int_equal(code == OK, diag_error_count(&diags) == 0);
        prom_config_free(c);
        diag_done(&diags);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_whole), cmocka_unit_test(test_diagnostics)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
