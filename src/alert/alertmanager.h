/* alertmanager.h - Alertmanager in process: routes, groups, inhibition, silences, notification log, API v2.
 *
 * Alerts come from rules in this process and from senders over HTTP; notifications leave through notify.h. Alerts,
 * group timers, silences, the notification log, acknowledgements and history are on disk before they are acknowledged.
 * Semantics, errors and JSON are those of Alertmanager 0.34, with 0.25's clients working. Thread-safe. */
#ifndef MEERKAT_ALERT_ALERTMANAGER_H
#define MEERKAT_ALERT_ALERTMANAGER_H

#include "alert/ammatch.h"

#include "base/diag.h"
#include "model/alert.h"
#include "model/metrics_batch.h"
#include "net/client.h"
#include "net/http.h"

typedef struct Alertmanager Alertmanager;

/* What a silence made through our own API or the command line must keep to; 0: no rule. The original's API refuses
 * only what alone_max_ms and matches_max say, when they are set. */
typedef struct AlertmanagerGuards {
    size_t silence_matches_max; /* alerts it may silence now, unless forced */
    int64_t silence_max_ms;     /* longest duration */
    bool comment_required;
} AlertmanagerGuards;

typedef struct AlertmanagerPeers {
    const Str *urls; /* "http://other:9093" of all others */
    size_t n_urls;
    Str name;                /* of this one; unique among the peers */
    Str secret;              /* shared by all; required with peers */
    int64_t peer_timeout_ms; /* 0: 15 s */
    int64_t exchange_ms;     /* full exchange of state; 0: 60 s */
} AlertmanagerPeers;

/* One heartbeat. Outgoing (url): GET at every interval while all is well. Incoming (no url): an alert of this name
 * fires when nothing came to /api/meerkat/v1/alerting/heartbeats/NAME, and no alert with alertname NAME, for
 * timeout_ms. */
typedef struct AlertmanagerHeartbeat {
    Str name, url;
    int64_t interval_ms, timeout_ms;
    Labels labels; /* of the alert */
} AlertmanagerHeartbeat;

typedef struct AlertmanagerOptions {
    const char *dir;    /* of its state; made when it is missing */
    HttpClient *client; /* borrowed */
    Str external_url;   /* "http://host:9093": copied */
    Str version;
    int64_t retention_ms; /* of expired silences, log entries and history; 0: 120 h */
    AmMatchMode match_mode;
    size_t silences_max; /* 0: no limit */
    size_t alerts_max;   /* 0: 1,000,000; new ones beyond it are refused */
    AlertmanagerGuards guards;
    AlertmanagerPeers peers;
    const AlertmanagerHeartbeat *heartbeats;
    size_t n_heartbeats;
} AlertmanagerOptions;

/* Opens the state, with a built-in configuration that keeps alerts and sends nothing; notifications begin with the
 * first alertmanager_load. */
ErrCode alertmanager_create(const AlertmanagerOptions *opts, Alertmanager **ret, Err *reterr);
/* Sends nothing any more, writes its state. NULL is fine. */
Alertmanager *alertmanager_free(Alertmanager *am);
/* Replaces the configuration by text (file: its name, for messages and relative names). On an error nothing changes and
 * the diagnostics say why. text empty: the built-in one. */
ErrCode alertmanager_load(Alertmanager *am, Str file, Str text, DiagList *diags);
/* Takes alerts in as POST /api/v2/alerts does; copies. The invalid ones are left out and counted; their problems, one a
 * line, are the result (ERR_INVALID; ERR_OVERLOADED: too many are held). Returns when they are on disk. */
ErrCode alertmanager_receive(Alertmanager *am, const Alert *alerts, size_t n, Err *reterr);
/* Whether some route of the configuration asks for this alertname. */
bool alertmanager_names(Alertmanager *am, Str alertname);
/* Outgoing heartbeats depend on an alert of our own rules that always fires: from then on they go out only while it is
 * heard of, after a grace of a few minutes. false: no more. */
void alertmanager_expect_watchdog(Alertmanager *am, bool expected);
void alertmanager_watchdog_seen(Alertmanager *am, int64_t until_ns); /* it holds until then */
/* Adds /api/v2/... and the extensions under /api/meerkat/v1/alerting/...; am outlives the router. */
void alertmanager_routes(Alertmanager *am, Router *router);
/* The old API's 410; only for the Alertmanager's own port: Prometheus' API has the same paths. */
void alertmanager_v1_routes(Router *router);
/* alertmanager_* metrics. */
void alertmanager_gather(Alertmanager *am, MetricsBatch *batch, int64_t t_ms);
/* The configuration in effect as text with <secret> in the place of secrets; from the arena. */
Str alertmanager_config_text(Alertmanager *am, Arena *arena);
/* What amtool check-config counts. */
typedef struct AlertmanagerSummary {
    size_t inhibit_rules, receivers, templates;
} AlertmanagerSummary;
/* Only checks a file, as amtool check-config does. */
ErrCode alertmanager_check(Str file, Str text, AlertmanagerSummary *ret, DiagList *diags);

#endif
