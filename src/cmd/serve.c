/* serve.c - `meerkat serve`: opens everything in order, waits for signals, closes in reverse. */
#include "cmd/command.h"
#include "cmd/server_int.h"
#include "cmd/version.h"
#include "self/crash.h"
#include "sys/clock.h"
#include "sys/process.h"
#include "sys/signals.h"

#include <stdio.h>
#include <unistd.h>

#define FLAGS_MAX 256

typedef struct ServeArgs {
    const char *config_file;
    ConfigFlag flags[FLAGS_MAX];
    size_t n_flags;
} ServeArgs;

static int unknown_flag(const char *arg) {
    Str near = config_suggest_flag(str_of(arg + 2, strcspn(arg + 2, "=")));
    if (near.n > 0)
        return command_usage("serve does not know \"%s\"; did you mean \"--%.*s\"?", arg, (int)near.n, near.p);
    return command_usage("serve does not know \"%s\"", arg);
}

/* One "--name value", "--name=value" or "--bool" at argv[*i]. */
static int parse_flag(ServeArgs *a, int argc, char **argv, int *i) {
    const char *arg = argv[*i];
    if (strncmp(arg, "--", 2) != 0 || arg[2] == 0) return command_usage("serve takes options only, not \"%s\"", arg);
    Str name = str_of(arg + 2, strcspn(arg + 2, "="));
    const char *value = arg[2 + name.n] == '=' ? arg + 3 + name.n : NULL;
    bool takes_value;
    if (!config_is_flag(name, &takes_value)) return unknown_flag(arg);
    if (!value && takes_value && *i + 1 >= argc) return command_usage("%s wants a value", arg);
    if (!value) value = takes_value ? argv[++*i] : "true";
    if (a->n_flags == FLAGS_MAX) return command_usage("more than %d options", FLAGS_MAX);
    a->flags[a->n_flags++] = (ConfigFlag){name, str_cstr(value)};
    return 0;
}

static int parse_args(ServeArgs *a, int argc, char **argv) {
    for (int i = 0; i < argc; i++) {
        if (command_option(argc, argv, &i, "--config", &a->config_file)) {
            if (!a->config_file) return command_usage("--config wants a file");
            continue;
        }
        int code = parse_flag(a, argc, argv, &i);
        if (code) return code;
    }
    return 0;
}

static void print_diags(const DiagList *diags) {
    Buf out = {0};
    diag_render(diags, &out, command_colour());
    fwrite(out.p ? out.p : "", 1, out.n, stderr);
    buf_done(&out);
}

/* A configuration in an arena of its own; NULL when it is bad (the problems have been printed). */
static Config *load_config(const Server *s, Arena **ret_arena) {
    Arena *arena = arena_create(ARENA_UNLIMITED);
    DiagList diags;
    diag_init(&diags, str_cstr(s->config_file ? s->config_file : "command line"), STR_NULL);
    Config *c = config_load(s->config_file, s->flags, s->n_flags, arena, &diags);
    print_diags(&diags);
    diag_done(&diags);
    *ret_arena = c ? arena : arena_free(arena);
    return c;
}

static void apply_log_options(const Config *c) {
    static const Str levels[] = {STR_INIT("debug"), STR_INIT("info"), STR_INIT("warn"), STR_INIT("error")};
    for (size_t i = 0; i < ARRAY_LEN(levels); i++) {
        if (str_eq(c->log.level, levels[i])) log_set_level((LogLevel)i);
    }
    log_set_stderr(true, str_eq_lit(c->log.format, "json"), command_colour());
}

static void note_config(Server *s, bool ok) {
    atomic_store(&s->config_ok, ok);
    atomic_store(&s->config_ns, clock_now_ns());
}

static void free_arena(void *ctx) { arena_free(ctx); }

/* A bad file keeps the old configuration and says why. Keys that need a restart say so by keeping their effect. */
static ErrCode reload(Server *s, Err *reterr) {
    Arena *arena;
    Config *fresh = load_config(s, &arena);
    if (!fresh) {
        log_error(
            "the new configuration is bad; the old one stays", "file", s->config_file ? s->config_file : "", NULL);
        return err_set(reterr, ERR_INVALID, "the new configuration is bad; the old one stays (see the log)");
    }
    /* Strings of the old configuration may still be in use by open rooms, so its arena lives on until the end. */
    Arena *old = s->config_arena;
    s->config = fresh;
    s->config_arena = arena;
    arena_defer(arena, free_arena, old);
    apply_log_options(fresh);
    MetricsRules rules;
    ErrCode r = server_metrics_rules(fresh, arena, &rules, reterr);
    if (r == OK) r = s->metrics->ops->set_rules(s->metrics, &rules, reterr);
    Err alerts = {0}; /* routes before rules: whether the Watchdog is wanted depends on them */
    ErrCode r2 = server_load_alerts(s, &alerts);
    if (r == OK) r = server_load_scrape(s, false, reterr);
    if (r == OK && r2 != OK) {
        *reterr = alerts;
        r = r2;
    }
    if (r == OK) r = server_load_probes(s, reterr);
    if (r == OK) r = net_server_reload_tls(s->net, reterr);
    if (r != OK) log_error("the reload was only partly done", "error", reterr->msg, NULL);
    return r;
}

ErrCode server_reload(Server *s, Err *reterr) {
    Err err = {0};
    mutex_lock(&s->reload_mutex);
    ErrCode r = reload(s, &err);
    note_config(s, r == OK);
    prom_api_notify(s->prom_api, "Configuration reload has failed.", r != OK);
    atomic_fetch_add(r == OK ? &s->reloads : &s->reload_failures, 1);
    if (r == OK) log_info("configuration reloaded", NULL);
    mutex_unlock(&s->reload_mutex);
    if (reterr) *reterr = err;
    return r;
}

/* One round of the server's own telemetry: its metrics and the log lines since the last one. */
static ErrCode keep_own(void *ctx, const MetricsBatch *b, Err *reterr) {
    Server *s = ctx;
    MetricsAppendResult metrics = {0};
    LogAppendResult logs = {0};
    LogsBatch lines;
    server_report_damage(s);
    own_logs_take(s->own_logs, &lines);
    ErrCode r = lines.rows.n > 0 ? s->logs->ops->append(s->logs, &lines, &logs, reterr) : OK;
    arena_free(lines.arena);
    ErrCode r2 = s->metrics->ops->append(s->metrics, b, &metrics, r == OK ? reterr : NULL);
    return r != OK ? r : r2;
}

static ErrCode load_first(Server *s, Err *reterr) {
    mutex_lock(&s->reload_mutex); /* the ports are open: somebody may ask for a reload already */
    ErrCode r = server_load_alerts(s, reterr);
    if (r == OK) r = server_load_scrape(s, true, reterr);
    if (r == OK) r = server_load_probes(s, reterr);
    mutex_unlock(&s->reload_mutex);
    return r;
}

/* What handlers reach is there before the ports open. */
static ErrCode open_all(Server *s, Err *reterr) {
    ErrCode r = server_raise_files(s, reterr);
    if (r == OK) r = server_open_stores(s, reterr);
    if (r != OK) return r;
    char *dir = str_dup_cstr(s->config->storage.data_dir);
    crash_set_dir(dir);
    mem_free(dir);
    r = server_open_remote(s, reterr);
    if (r == OK) r = server_open_auth(s, reterr);
    if (r == OK) r = server_open_apis(s, reterr);
    if (r == OK) r = server_open_scraper(s, reterr);
    if (r == OK) r = server_open_ports(s, reterr);
    return r == OK ? load_first(s, reterr) : r;
}

/* And stays until they are closed: a request may outlast the drain. */
static void close_all(Server *s) {
    atomic_store(&s->ready, false);
    if (s->collector) collector_set_ready(s->collector, false);
    if (s->prom_api) prom_api_end_streams(s->prom_api);
    if (s->net) net_server_drain(s->net, s->config->server.drain_timeout_ms);
    s->host = host_collector_stop(s->host);
    s->own_metrics = own_metrics_stop(s->own_metrics);
    server_close_ports(s);
    server_close_probes(s);
    s->scraper = scrape_manager_free(s->scraper);
    server_close_apis(s);
    s->remote = remote_out_free(s->remote);
    server_close_stores(s);
}

static void announce(const Server *s) {
    char ms[24], ui[64];
    snprintf(ms, sizeof ms, "%.0f", (double)(clock_now_ns() - s->start_ns) / 1e6);
    snprintf(ui, sizeof ui, "%s://127.0.0.1:%u", s->config->server.tls_cert_file.n ? "https" : "http",
        service_port(s->config, &service_ports[0]));
    log_info("meerkat is ready", "version", s->version, "ui", ui, "ready_ms", ms, NULL);
}

static int run(Server *s) {
    Err err = {0};
    ErrCode r = open_all(s, &err);
    if (r != OK) {
        close_all(s);
        (void)command_fail(&err);
        return 1;
    }
    char instance[128];
    const Config *c = s->config; /* a port that says the same when that of the collector's metrics is closed */
    int64_t port = c->server.own_metrics  ? c->server.own_metrics
                   : c->server.prometheus ? c->server.prometheus
                                          : c->server.alertmanager;
    snprintf(instance, sizeof instance, "%.*s:%lld", (int)MIN(c->server.listen.n, 100), c->server.listen.p,
        (long long)(port + c->server.port_offset));
    s->own_metrics = own_metrics_start(s->config->self.interval_ms, instance, server_gather, keep_own, s);
    server_open_host(s);
    collector_set_ready(s->collector, true);
    note_config(s, true);
    atomic_store(&s->ready, true);
    announce(s);
    for (;;) {
        SignalEvent e = signals_wait(-1);
        if (e == SIGNAL_STOP) break;
        if (e == SIGNAL_RELOAD) (void)server_reload(s, NULL);
        if (e == SIGNAL_DUMP) log_info("meerkat is running", "version", s->version, NULL);
    }
    log_info("stopping: finishing what is running", NULL);
    close_all(s);
    log_info("meerkat stopped", NULL);
    return 0;
}

int cmd_serve(int argc, char **argv) {
    ServeArgs args = {0};
    int code = parse_args(&args, argc, argv);
    return code ? code : serve_with(args.config_file, args.flags, args.n_flags);
}

int serve_with(const char *config_file, const ConfigFlag *flags, size_t n_flags) {
    Server *s = NEW(Server);
    mutex_init(&s->scrape_mutex);
    mutex_init(&s->reload_mutex);
    s->config_file = config_file;
    s->flags = flags;
    s->n_flags = n_flags;
    s->start_ns = clock_now_ns();
    snprintf(s->version, sizeof s->version, "%s", MEERKAT_VERSION);
    s->config = load_config(s, &s->config_arena);
    int code = 2;
    if (s->config) {
        apply_log_options(s->config);
        s->own_logs = own_logs_start();
        code = run(s);
        s->own_logs = own_logs_stop(s->own_logs);
        arena_free(s->config_arena);
    }
    buf_done(&s->scrape_text);
    mutex_done(&s->scrape_mutex);
    mutex_done(&s->reload_mutex);
    mem_free(s);
    return code;
}
