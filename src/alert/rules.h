/* rules.h - recording and alerting rules: files, schedule, evaluation, state, the rules API.
 *
 * Rules are evaluated next to the data. Alert state is on disk, so that a restart neither loses a firing alert nor
 * sends it back to pending. Semantics are those of Prometheus 3.14. */
#ifndef MEERKAT_ALERT_RULES_H
#define MEERKAT_ALERT_RULES_H

#include "base/diag.h"
#include "metrics/promql/promql.h"
#include "model/alert.h"
#include "model/metrics_batch.h"
#include "net/http.h"

typedef struct RuleManager RuleManager;

typedef struct RuleManagerOptions {
    const char *dir;       /* of alert state and of rules made over the API */
    MetricsStore *metrics; /* borrowed: queried, and written by recording rules and ALERTS */
    PromqlOptions engine;
    int64_t query_timeout_ms;
    Str external_url; /* of Prometheus: generatorURL, $externalURL */
    /* Evaluates an expression of another language at one time into a vector; NULL where that language is not there.
     * datasource is what the rule file says: "loki", "tempo". */
    ErrCode (*query)(void *ctx, Str datasource, Str expr, int64_t t_ms, const _Atomic bool *cancel, Arena *arena,
        PromqlResult *ret, Err *reterr);
    /* Checks such an expression when the file is loaded. */
    ErrCode (*check)(void *ctx, Str datasource, Str expr, Err *reterr);
    /* Firing and resolved alerts that are due to be sent; called on rule threads. */
    void (*send)(void *ctx, const Alert *alerts, size_t n);
    void *ctx;
} RuleManagerOptions;

ErrCode rule_manager_create(const RuleManagerOptions *opts, RuleManager **ret, Err *reterr);
RuleManager *rule_manager_free(RuleManager *m);

typedef struct RuleManagerConfig {
    const Str *files; /* globs, absolute or relative to the working directory */
    size_t n_files;
    int64_t evaluation_interval_ms, query_offset_ms;
    Labels external_labels;
} RuleManagerConfig;
/* Replaces all file rules; groups that did not change go on undisturbed. On an error nothing changes; out holds the
 * rendered diagnostics of all files. */
ErrCode rule_manager_load(RuleManager *m, const RuleManagerConfig *config, Buf *out);
/* /api/v1/rules and /api/v1/alerts render their "data" into w. */
void rule_manager_put_rules(RuleManager *m, HttpRequest *req, JsonWriter *w);
void rule_manager_put_alerts(RuleManager *m, JsonWriter *w);
/* The ruler API of Mimir and Loki, and what the UI needs. */
void rule_manager_routes(RuleManager *m, Router *router);
void rule_manager_gather(RuleManager *m, MetricsBatch *batch, int64_t t_ms); /* prometheus_rule_* metrics */

#endif
