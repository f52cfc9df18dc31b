/* rules.h - recording and alerting rules: files, schedule, evaluation, state, the rules API.
 *
 * Rules are evaluated next to the data. Alert state is on disk, so that a restart neither loses a firing alert nor
 * sends it back to pending. Semantics are those of Prometheus 3.14: rules of a group one after the other at the same
 * time, groups side by side, each at its own offset in the interval. All calls are thread-safe. */
#ifndef MEERKAT_ALERT_RULES_H
#define MEERKAT_ALERT_RULES_H

#include "base/diag.h"
#include "metrics/promql/promql.h"
#include "metrics/relabel.h"
#include "model/alert.h"
#include "model/metrics_batch.h"
#include "net/http.h"

typedef struct RuleManager RuleManager;

typedef struct RuleManagerOptions {
    const char *dir;       /* of alert state and of rules made over the API; NULL: neither is kept */
    MetricsStore *metrics; /* borrowed: queried, and written by recording rules and ALERTS */
    PromqlOptions engine;
    int64_t query_timeout_ms;  /* 0: 2 minutes */
    size_t query_memory_bytes; /* of one query; 0: 512 MiB */
    unsigned threads;          /* groups evaluated at once; 0: one per CPU, at least 2 */
    bool manual;               /* no threads: rule_manager_run_due does the work (tests, simulations) */
    Str external_url;          /* of Prometheus: generatorURL, $externalURL */
    /* Evaluates an expression of another language at one time into a vector; NULL where that language is not there.
     * datasource is what the rule file says: "loki", "tempo"; range_ms: how far back it looks, of tempo alone. */
    ErrCode (*query)(void *ctx, Str datasource, Str expr, int64_t t_ms, int64_t range_ms, const _Atomic bool *cancel,
        Arena *arena, PromqlResult *ret, Err *reterr);
    /* Checks such an expression when the file is loaded. */
    ErrCode (*check)(void *ctx, Str datasource, Str expr, Err *reterr);
    /* Firing and resolved alerts that are due to be sent, with external labels and after alert_relabel_configs; called
     * on rule threads, must not wait for a network. */
    void (*send)(void *ctx, const Alert *alerts, size_t n);
    void *ctx;
} RuleManagerOptions;

ErrCode rule_manager_create(const RuleManagerOptions *opts, RuleManager **ret, Err *reterr);
/* Waits for what is running. NULL is fine. */
RuleManager *rule_manager_free(RuleManager *m);

/* Rules that come with the program: a name for `file`, and a rule file's text. */
typedef struct RuleText {
    Str name, text;
} RuleText;

typedef struct RuleManagerConfig {
    const Str *files; /* globs, absolute or relative to the working directory */
    size_t n_files;
    const RuleText *texts;
    size_t n_texts;
    bool watchdog; /* RULE_WATCHDOG besides, unless another rule has its name; its alerts are by_name */
    int64_t evaluation_interval_ms; /* 0: 1 minute */
    int64_t query_offset_ms;
    Labels external_labels;
    RelabelRules alert_relabel; /* borrowed until the next load */
    bool ignore_unknown;        /* keys that nobody knows are no errors */
} RuleManagerConfig;
/* Replaces all file rules; groups that did not change go on undisturbed, alerts of changed groups keep their state. On
 * an error nothing changes; out holds the rendered diagnostics of all files. */
ErrCode rule_manager_load(RuleManager *m, const RuleManagerConfig *config, Buf *out);
/* The alert that always fires, so that whoever waits for it notices when it does not come any more. */
#define RULE_WATCHDOG STR("Watchdog")
/* Whether some alerting rule, of a file or made over the API, has this name. */
bool rule_manager_has_alert(RuleManager *m, Str name);

/* /api/v1/rules and /api/v1/alerts render their "data" into w. ERR_INVALID: a parameter is wrong, Prometheus' text;
 * nothing was written then. */
ErrCode rule_manager_put_rules(RuleManager *m, HttpRequest *req, JsonWriter *w, Err *reterr);
void rule_manager_put_alerts(RuleManager *m, JsonWriter *w);
typedef enum RuleRoutes { RULE_ROUTES_PROMETHEUS, RULE_ROUTES_LOKI } RuleRoutes;
/* The ruler API: rules are read, made and removed by namespace and group, PromQL under Mimir's paths or LogQL under
 * Loki's. m outlives the router. */
void rule_manager_routes(RuleManager *m, Router *router, RuleRoutes kind);
/* /prometheus/api/v1/rules and alerts: the listings where Mimir's and Loki's clients look for them; on Loki's port only
 * those over logs. */
void rule_manager_list_routes(RuleManager *m, Router *router, RuleRoutes kind);
void rule_manager_gather(RuleManager *m, MetricsBatch *batch, int64_t t_ms); /* prometheus_rule_* metrics */

/* With manual: evaluates every group that is due at now, each at its own times; sets the next time that one is due. */
void rule_manager_run_due(RuleManager *m, int64_t now_ns, int64_t *ret_next_ns);

#endif
