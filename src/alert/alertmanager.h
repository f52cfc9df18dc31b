/* alertmanager.h - Alertmanager in process: routes, groups, inhibition, silences, notification log, API v2.
 *
 * Alerts come from rules in this process and from senders over HTTP; notifications leave through notify.h. Silences,
 * the notification log, acknowledgements and history are on disk before they are acknowledged. Semantics, errors and
 * JSON are those of Alertmanager 0.34, with 0.25's clients working. */
#ifndef MEERKAT_ALERT_ALERTMANAGER_H
#define MEERKAT_ALERT_ALERTMANAGER_H

#include "base/diag.h"
#include "model/alert.h"
#include "model/metrics_batch.h"
#include "net/client.h"
#include "net/http.h"

typedef struct Alertmanager Alertmanager;

typedef struct AlertmanagerOptions {
    const char *dir;          /* of its state; made when it is missing */
    HttpClient *client;       /* borrowed */
    Str external_url;         /* "http://host:9093": copied */
    Str version;
    int64_t retention_ms;     /* of expired silences, log entries and history; 0: 120 h */
} AlertmanagerOptions;

/* Opens the state and starts the dispatcher, with a built-in configuration that keeps alerts and sends nothing. */
ErrCode alertmanager_create(const AlertmanagerOptions *opts, Alertmanager **ret, Err *reterr);
/* Sends nothing any more, writes its state. NULL is fine. */
Alertmanager *alertmanager_free(Alertmanager *am);
/* Replaces the configuration by text (file: its name, for messages and relative names). On an error nothing changes and
 * the diagnostics say why. text empty: the built-in one. */
ErrCode alertmanager_load(Alertmanager *am, Str file, Str text, DiagList *diags);
/* Takes alerts in as POST /api/v2/alerts does; copies. The invalid ones are left out and counted; the first one's
 * problem is the result (ERR_INVALID). */
ErrCode alertmanager_receive(Alertmanager *am, const Alert *alerts, size_t n, Err *reterr);
/* Adds /api/v2/..., /api/v1/... (410) and the extensions under /api/meerkat/v1/alerting/...; am outlives the router. */
void alertmanager_routes(Alertmanager *am, Router *router);
/* alertmanager_* metrics. */
void alertmanager_gather(Alertmanager *am, MetricsBatch *batch, int64_t t_ms);
/* The configuration in effect as text with <secret> in the place of secrets; from the arena. */
Str alertmanager_config_text(Alertmanager *am, Arena *arena);
/* Only checks a file, as amtool check-config does. */
ErrCode alertmanager_check(Str file, Str text, DiagList *diags);

#endif
