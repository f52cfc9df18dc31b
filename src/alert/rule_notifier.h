/* rule_notifier.h - sends alerts to other Alertmanagers: alerting.alertmanagers of prometheus.yml.
 *
 * Every Alertmanager has a queue of its own and at most one request under way, so that a slow one holds nobody up.
 * Alerts that fire are sent again every minute by the rules; what cannot be delivered is dropped and counted. Source:
 * Prometheus' configuration documentation, <alertmanager_config>; Alertmanager's API v2. */
#ifndef MEERKAT_ALERT_RULE_NOTIFIER_H
#define MEERKAT_ALERT_RULE_NOTIFIER_H

#include "base/json.h"
#include "metrics/config/prom_config.h"
#include "model/alert.h"
#include "model/metrics_batch.h"
#include "net/client.h"

#define RULE_NOTIFIER_QUEUE_MAX 10000 /* alerts per Alertmanager; the oldest ones go when it is full */
#define RULE_NOTIFIER_BATCH_MAX 256   /* alerts per request */

typedef struct RuleNotifier RuleNotifier;

/* client is borrowed, and must be freed after the notifier: it ends the requests that are under way. */
RuleNotifier *rule_notifier_create(HttpClient *client);
RuleNotifier *rule_notifier_free(RuleNotifier *n); /* NULL is fine */
/* Takes a reference. NULL: no Alertmanagers. Queues of those that stay are kept. */
void rule_notifier_apply(RuleNotifier *n, PromConfig *config);
/* Never waits; copies. */
void rule_notifier_send(RuleNotifier *n, const Alert *alerts, size_t n_alerts);
/* {"activeAlertmanagers":[{"url":..}],"droppedAlertmanagers":[..]}; own: of one that is in this process, or empty. */
void rule_notifier_put_alertmanagers(RuleNotifier *n, Str own, JsonWriter *w);
void rule_notifier_gather(RuleNotifier *n, MetricsBatch *b, int64_t t_ms); /* prometheus_notifications_* */

#endif
