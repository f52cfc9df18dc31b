/* amconfig.h - alertmanager.yml, loaded: routes with inheritance resolved, inhibition, time intervals, receivers.
 *
 * Immutable after loading, shared by reference count: flushes under way keep the configuration they began with.
 * Rules and error texts: Alertmanager 0.34. Beyond the original: ${VAR} in every value, and per route
 * resolve_immediately. */
#ifndef MEERKAT_ALERT_AMCONFIG_H
#define MEERKAT_ALERT_AMCONFIG_H

#include "alert/ammatch.h"
#include "alert/notify.h"
#include "alert/receiver.h"
#include "alert/timeinterval.h"

#include <stdatomic.h>

typedef struct AmRoute AmRoute;
struct AmRoute {
    const AmRoute *parent; /* NULL: the root */
    AmRoute **routes;
    size_t n_routes;
    unsigned index; /* children before their parent, as the original counts */
    const Receiver *receiver;
    const Str *group_by; /* sorted */
    size_t n_group_by;
    bool group_by_all, go_on /* continue */, resolve_immediately;
    int64_t group_wait_ms, group_interval_ms, repeat_interval_ms;
    Matchers matchers; /* sorted */
    const TimeIntervalSet *const *mute;
    size_t n_mute;
    const TimeIntervalSet *const *active;
    size_t n_active;
    Labels labels; /* the parents' too; values are templates */
    Str key;       /* {}/{severity="critical"}: not unique */
    Str id;        /* {}/{severity="critical"}/0: unique */
    int line;
};

typedef struct AmInhibitRule {
    Str name;
    Matchers source, target;
    const Str *equal;
    size_t n_equal;
    int line;
} AmInhibitRule;

typedef struct AmConfig {
    Arena *arena;
    atomic_uint refs;
    Str file, shown; /* shown: the text with <secret> in the place of secrets */
    int64_t resolve_timeout_ms;
    AmRoute *root;
    AmRoute **routes; /* by index */
    size_t n_routes;
    const AmInhibitRule *inhibit;
    size_t n_inhibit;
    const TimeIntervalSet *intervals;
    size_t n_intervals;
    ReceiverList receivers;
    NotifyTemplates *templates;
    size_t n_templates;
    AmMatchMode mode;
    uint64_t hash; /* of the text */
} AmConfig;

/* file: its name, relative names count from its directory. ERR_INVALID: diags say why. */
ErrCode amconfig_parse(Str file, Str text, AmMatchMode mode, AmConfig **ret, DiagList *diags);
/* Only routes and the names of receivers: what others show of their configuration holds no secrets. */
ErrCode amconfig_parse_routes(Str file, Str text, AmConfig **ret, DiagList *diags);
AmConfig *amconfig_ref(AmConfig *c);
AmConfig *amconfig_unref(AmConfig *c); /* NULL is fine */
/* The answering routes, in order; at most max. */
size_t amroute_match(const AmRoute *root, Labels l, const AmRoute **out, size_t max);
/* The route, or one above it, has a matcher that asks for this alertname and not for any. */
bool amroute_names(const AmRoute *route, Str alertname);
/* Like that for previews: every node that was looked at, in order. */
typedef void (*AmRouteVisit)(void *ctx, const AmRoute *route, bool matched, bool final);
void amroute_explain(const AmRoute *root, Labels l, AmRouteVisit visit, void *ctx);
const Receiver *amconfig_receiver(const AmConfig *c, Str name);

#define AM_ROUTES_MAX 64 /* one alert answers to at most so many */

#endif
