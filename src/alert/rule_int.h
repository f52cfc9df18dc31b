/* rule_int.h - groups, rules and alerts in memory. Private to the files rule_*.c. */
#ifndef MEERKAT_ALERT_RULE_INT_H
#define MEERKAT_ALERT_RULE_INT_H

#include "alert/rule_file.h"
#include "alert/rule_text.h"
#include "alert/rules.h"
#include "base/map.h"
#include "base/timefmt.h"
#include "sys/thread.h"

#define RULE_RESEND_NS (60 * NS_PER_S)
#define RULE_RESOLVED_KEPT_NS (15 * 60 * NS_PER_S)
#define RULE_OUTAGE_TOLERANCE_NS (3600 * NS_PER_S)
#define RULE_GRACE_NS (600 * NS_PER_S)

typedef enum RuleAlertState { RULE_INACTIVE, RULE_PENDING, RULE_FIRING } RuleAlertState;

/* One alert of a rule. Owned by the rule; label sets are heap blocks of their own (rule_labels_dup). Times in ns, 0:
 * never. */
typedef struct RuleAlert {
    Labels labels, annotations;
    uint64_t hash; /* of labels */
    double value;
    int64_t active_ns, fired_ns, resolved_ns, keep_since_ns, sent_ns, valid_until_ns;
    uint8_t state;
    uint8_t written;       /* state of the ALERTS series written last; RULE_INACTIVE: none */
    bool in_result;        /* of the evaluation that is going on */
    bool dirty;            /* differs from what is on disk */
    bool restored;         /* from disk, and not seen in a result yet */
    int64_t hold_until_ns; /* restored after an outage: no reason to resolve before this time */
} RuleAlert;

/* A series that a recording rule wrote. */
typedef struct RuleSeries {
    Labels labels;  /* heap block */
    uint64_t round; /* of the evaluation that gave it last */
} RuleSeries;

typedef struct RuleReads {
    StrVec names; /* metrics its selectors name */
    bool any;     /* a selector without a name */
} RuleReads;

typedef enum RuleHealth { RULE_HEALTH_UNKNOWN, RULE_HEALTH_OK, RULE_HEALTH_ERR } RuleHealth;

typedef struct Rule {
    RuleDef def;   /* in the group's arena */
    Str query;     /* canonical text */
    PqlNode *root; /* NULL: another language */
    uint64_t key;  /* of its state on disk */
    RuleReads reads;
    bool plain_labels, plain_annotations; /* no template in them */
    /* --- guarded by the group's mutex --- */
    U64Map *alerts;   /* labels' hash -> RuleAlert * */
    U64Map *written;  /* recording: hash -> RuleSeries * of the last evaluation */
    VEC(Labels) lost; /* series that get a stale marker at the next evaluation that succeeds */
    uint64_t round;
    bool try_foreign; /* state is to be looked for in ALERTS_FOR_STATE after the first evaluation */
    RuleHealth health;
    char *last_error;
    int64_t evaluated_ns, took_ns;
} Rule;

/* A rule file in memory, shared by its groups. */
typedef struct RuleSource {
    Arena *arena;
    _Atomic unsigned refs;
} RuleSource;

typedef struct RuleGroup {
    RuleSource *source; /* of its definition */
    Arena *arena;       /* of the parsed expressions */
    Str file, name;
    int line;         /* in the file */
    uint64_t content; /* hash of everything that makes it what it is */
    int64_t interval_ns, query_offset_ms, limit, phase_ns;
    Rule *rules;
    size_t n_rules;
    _Atomic bool cancel;
    _Atomic unsigned refs;
    _Atomic uint64_t missed; /* iterations */
    /* --- guarded by the manager's mutex --- */
    int64_t next_ns; /* the evaluation that comes next */
    bool running, removed;
    /* --- guarded by its own --- */
    Mutex mutex;
    VEC(Labels) orphans; /* series of rules that are gone: stale at the next evaluation */
    int64_t evaluated_ns, took_ns;
    uint64_t iterations, samples, evaluations, failures;
    int64_t total_ns, rules_ns; /* of all evaluations, of all rules in them */
    int64_t last_rules_ns;
} RuleGroup;

typedef struct RuleState RuleState;

struct RuleManager {
    RuleManagerOptions opts;
    char *dir, *external_url;
    RuleState *state;        /* NULL: none is kept */
    Mutex mutex;             /* groups, config, schedule */
    Cond cond;               /* of the scheduler, and of those who wait for a group */
    VEC(RuleGroup *) groups; /* sorted by file and name */
    Arena *config_arena;
    Labels external_labels;
    RelabelRules alert_relabel;
    int64_t interval_ns, query_offset_ms;
    bool loaded, stopping;
    unsigned paused, n_running;
    Pool *pool;
    Thread *scheduler;
    Mutex api_mutex; /* one change of the groups at a time, by files or over the ruler API */
};

/* --- rule_labels.c --- */
/* One heap block that holds a label set; free with mem_free((void *)l.v). */
Labels rule_labels_dup(Labels l);
Labels rule_labels_free(Labels l);
/* base without __name__, over it the given ones: an empty value removes. n_over at most 8 more than that of base. */
bool rule_labels_merge(Arena *arena, Labels base, const Label *over, size_t n_over, Labels *ret);
Labels rule_labels_with(Arena *arena, Labels base, Str name, Str value);
void rule_put_labels(JsonWriter *w, Labels l);

/* --- rule_group.c --- */
RuleSource *rule_source_create(Arena *arena); /* takes the arena */
RuleSource *rule_source_unref(RuleSource *s);
RuleGroup *rule_group_create(RuleManager *m, Str file, const RuleGroupDef *def, RuleSource *source);
RuleGroup *rule_group_unref(RuleGroup *g);
/* The first evaluation after t. */
int64_t rule_group_next(const RuleGroup *g, int64_t t_ns);
/* Alerts and series of the old group's rules go to the same rules of the new one; nobody evaluates either now. */
void rule_group_inherit(RuleGroup *g, RuleGroup *old);
/* Series of recording rules of a group that is going away go to the same rules of a new one, as when a group is
 * renamed: they end only where the new one does not give them. */
void rule_group_adopt(RuleGroup *g, RuleGroup *old);
/* Stale markers for all that the group has written. */
void rule_group_retire(RuleManager *m, RuleGroup *g, int64_t t_ns);
void rule_alert_free(RuleAlert *a);
void rule_series_free(RuleSeries *s);

/* --- rule_eval.c --- */
typedef struct RuleEval {
    RuleManager *m;
    RuleGroup *g;
    int64_t t_ns;         /* of the evaluation */
    int64_t query_ms;     /* t less the query offset: of queries and of the samples written */
    MetricsStore *store;  /* shares what rules of the group select */
    MetricsBatch pending; /* samples not written yet */
    StrVec pending_names;
    VEC(Rule *) pending_rules;
    Arena *arena; /* of one rule */
    Buf state;    /* changes for the disk */
    uint64_t samples;
    int64_t rules_ns;
} RuleEval;

/* One evaluation of all rules of the group, for the time t. */
void rule_group_eval(RuleManager *m, RuleGroup *g, int64_t t_ns);
int64_t rule_deadline(const RuleManager *m); /* of a query that begins now; monotonic */
ErrCode rule_query(RuleEval *e, Rule *r, PromqlResult *ret, Err *reterr);
bool rule_add_sample(RuleEval *e, Labels labels, double value);

/* --- rule_alert.c --- */
/* The result of an alerting rule's query becomes its alerts; samples go into the batch. Group's mutex held. */
ErrCode rule_alert_eval(RuleEval *e, Rule *r, const PromqlResult *result, Err *reterr);
/* What was pending before the start goes on from ALERTS_FOR_STATE. */
void rule_alert_restore_foreign(RuleEval *e, Rule *r);
/* Alerts that are due, to the callback. */
void rule_alert_send(RuleEval *e, Rule *r);
Labels rule_alert_series(Arena *arena, const Rule *r, Labels labels, RuleAlertState state);
Labels rule_alert_for_series(Arena *arena, const Rule *r, Labels labels);
const char *rule_state_name(unsigned state);

/* --- rule_api.c --- */
/* As the public ones; logs_only: of rules over logs. */
ErrCode rule_put_rules(RuleManager *m, HttpRequest *req, bool logs_only, JsonWriter *w, Err *reterr);
void rule_put_alerts(RuleManager *m, bool logs_only, JsonWriter *w);

/* --- rule_store.c --- */
MetricsStore *rule_store_create(MetricsStore *inner, size_t budget_bytes);
MetricsStore *rule_store_free(MetricsStore *s);
/* What was selected of these metrics is forgotten; names NULL: everything. Between queries only. */
void rule_store_forget(MetricsStore *s, const StrVec *names);

/* --- rule_state.c --- */
ErrCode rule_state_open(const char *dir, RuleState **ret, Err *reterr);
RuleState *rule_state_close(RuleState *s);
void rule_state_put(Buf *out, uint64_t rule_key, const RuleAlert *a);
void rule_state_put_gone(Buf *out, uint64_t rule_key, const RuleAlert *a);
/* Writes and syncs what rule_state_put made. */
ErrCode rule_state_commit(RuleState *s, Str records, Err *reterr);
/* Gives the alerts of one rule that were on disk at the start, once. */
void rule_state_claim(RuleState *s, uint64_t rule_key, void (*fn)(void *ctx, RuleAlert *a), void *ctx);
int64_t rule_state_alive_ns(const RuleState *s); /* when the process before this one was alive last; 0: never */
/* Says that this one is; rewrites the log when it has grown. */
void rule_state_beat(RuleState *s, RuleManager *m, int64_t now_ns);

/* --- rule_manager.c --- */
/* The groups of the moment, each with a reference of its own; sorted by file and name. */
size_t rule_manager_snapshot(RuleManager *m, RuleGroup ***ret);
void rule_manager_release(RuleGroup **v, size_t n);
/* Puts these groups in the place of those with the same origin (file rules or API rules). Takes the references. */
void rule_manager_replace(RuleManager *m, RuleGroup **v, size_t n, bool api);

/* --- rule_api_store.c: rules made over the API --- */
ErrCode rule_api_load(RuleManager *m, Err *reterr);
#define RULE_API_PREFIX "ruler:"
#define RULE_BUILTIN_WATCHDOG "builtin:watchdog" /* the file its group is said to come from */

#endif
