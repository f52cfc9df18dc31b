/* server_int.h - everything `meerkat serve` holds, in the order it is opened; private to cmd. */
#ifndef MEERKAT_CMD_SERVER_INT_H
#define MEERKAT_CMD_SERVER_INT_H

#include "alert/alertmanager.h"
#include "alert/rule_notifier.h"
#include "alert/rules.h"
#include "base/log.h"
#include "cmd/config.h"
#include "cmd/ports.h"
#include "collect/collect.h"
#include "dash/ui.h"
#include "logs/log_store.h"
#include "logs/loki_api.h"
#include "metrics/api/prom_api.h"
#include "metrics/host/host.h"
#include "metrics/metrics_store.h"
#include "metrics/remote/remote_out.h"
#include "metrics/scrape/scrape.h"
#include "net/auth.h"
#include "net/client.h"
#include "net/server.h"
#include "self/own_logs.h"
#include "self/own_metrics.h"
#include "storage/datadir.h"
#include "sys/thread.h"
#include "traces/jaeger_api.h"
#include "traces/services_api.h"
#include "traces/tempo_api.h"
#include "traces/trace_store.h"

#include <stdatomic.h>

typedef struct Server {
    const char *config_file; /* NULL: none */
    const ConfigFlag *flags;
    size_t n_flags;
    Arena *config_arena;
    /* A reload puts another in its place; an older one may be read until the end all the same. */
    Config *_Atomic config;
    char version[32];
    int64_t start_ns;

    DataDir *dir;
    MetricsStore *metrics;
    LogStore *logs;
    TraceStore *traces;

    Auth *auth;
    HttpClient *client;
    Collector *collector;
    Pool *query_helpers; /* threads that help with large PromQL queries; NULL: one processor */
    PromApi *prom_api;
    LokiApi *loki_api;
    JaegerApi *jaeger_api;
    TempoApi *tempo_api;
    JaegerSampling *sampling;
    MetaDb *meta;
    Dash *dash;
    ScrapeManager *scraper;
    Alertmanager *alertmanager;
    RuleManager *rules;
    RuleNotifier *notifier;      /* to other Alertmanagers */
    RemoteOut *remote;           /* remote write to others */
    struct ServerProbes *probes; /* on a schedule */
    _Atomic unsigned probing;    /* requests of /probe under way */
    PromConfig *rules_config;    /* what the rules borrow from */
    bool watchdog;               /* the built-in one is asked for */
    Buf scrape_text;             /* prometheus.yml as it is in effect, for /api/v1/status/config */
    Mutex scrape_mutex;          /* guards scrape_text */
    Router *routers[16];         /* by index in service_ports */
    Router *all;                 /* every API by its path, behind the UI's port */
    Router *prom_core;           /* Prometheus' API, behind its own port and all */
    NetServer *net;
    OwnMetrics *own_metrics;
    HostCollector *host; /* NULL: not asked for */
    OwnLogs *own_logs;
    uint64_t damage[3]; /* what server_report_damage has said already */
    _Atomic bool ready;
    Mutex reload_mutex; /* one reload at a time */
    _Atomic uint64_t reloads, reload_failures;
    _Atomic bool config_ok;    /* the last load succeeded */
    _Atomic int64_t config_ns; /* when */
} Server;

/* Each opens its share or says why not; server_close undoes whatever was opened. */
MetricsLimits server_metrics_limits(const Config *c);
ErrCode server_open_stores(Server *s, Err *reterr);
void server_close_stores(Server *s);
/* Retention and downsampling by selector, as configured. The rules live in the arena. */
ErrCode server_metrics_rules(const Config *c, Arena *arena, MetricsRules *ret, Err *reterr);
/* What `meerkat backup` asks of a running server. */
void server_backup_routes(Server *s, Router *r);
void server_clear_stages(const Server *s); /* leftovers of interrupted backups */
/* Logs what the stores have found broken since the last call. */
void server_report_damage(Server *s);
ErrCode server_open_auth(Server *s, Err *reterr);
ErrCode server_open_apis(Server *s, Err *reterr);
void server_close_apis(Server *s);
void server_open_prom_api(Server *s); /* a part of server_open_apis */
/* As many open files as the configuration may need; ERR_INVALID when there may not even be enough to run. */
ErrCode server_raise_files(const Server *s, Err *reterr);
ErrCode server_open_ports(Server *s, Err *reterr);
void server_close_ports(Server *s);
/* Loads everything again that can be loaded while running; a bad file keeps what is in effect. */
ErrCode server_reload(Server *s, Err *reterr);
ErrCode server_open_scraper(Server *s, Err *reterr); /* which scrapes nothing yet */
/* prometheus.yml into the scraper; problems are printed, a bad file leaves what runs. */
ErrCode server_load_scrape(Server *s, bool first, Err *reterr);
ErrCode server_open_alerts(Server *s, Err *reterr);
void server_close_alerts(Server *s);
/* alertmanager.yml; problems are printed, a bad file leaves what is in effect. */
ErrCode server_load_alerts(Server *s, Err *reterr);
void server_alert_port(Server *s, Router *r);
Str server_alert_url(
    const Server *s, char buf[CONFIG_URL_MAX]); /* where the Alertmanager is reached, without a slash at the end */
void server_put_alertmanagers(void *ctx, JsonWriter *w); /* /api/v1/alertmanagers */
void server_probe_routes(Server *s, Router *r);
ErrCode server_load_probes(Server *s, Err *reterr); /* those of the configuration */
void server_close_probes(Server *s);
ErrCode server_open_remote(Server *s, Err *reterr); /* before the first append */
/* remote_write of prometheus.yml; config NULL: there is none. */
ErrCode server_load_remote(Server *s, PromConfig *config, Err *reterr);
/* serve.c: runs until a signal; the flags go over the file's keys. The exit code. */
int serve_with(const char *config_file, const ConfigFlag *flags, size_t n_flags);
ErrCode server_open_rules(Server *s, Err *reterr);
void server_close_rules(Server *s);
/* Rule files, packs and the Watchdog into the manager; config NULL: no prometheus.yml. A bad file leaves what runs. */
ErrCode server_load_rules(Server *s, PromConfig *config, Err *reterr);
ErrCode server_renew_watchdog(Server *s, Err *reterr); /* after alertmanager.yml has changed */

void server_open_host(Server *s);

/* Gathers every own metric (ctx is the Server). */
void server_gather(void *ctx, MetricsBatch *b, int64_t t_ms);

#endif
