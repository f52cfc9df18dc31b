/* demo.c - `meerkat demo`: options and flow. The fleet is in demo_fleet.c, the sending in demo_send.c. */
#include "cmd/demo.h"

#include "base/diag.h"
#include "base/num.h"
#include "cmd/command.h"
#include "cmd/demo_send.h"
#include "sys/clock.h"
#include "sys/signals.h"

#include <stdio.h>
#include <stdlib.h>

#define OTLP_HTTP_PORT 4318
#define BACKFILL_SLICE_NS (60 * NS_PER_S) /* between looks at signals and errors */
#define BACKFILL_MAX_MS (INT64_C(7) * 24 * 3600 * MS_PER_S)
#define LIVE_SLICE_MS 1000
#define REPORT_EVERY_NS (10 * NS_PER_S)
#define FLUSH_AT_END_MS 3000

typedef struct Options {
    const char *scenario, *endpoint, *backfill, *rate, *seed;
    bool once, help;
} Options;

static const char help_text[] =
    "demo: send a simulated fleet's telemetry to a running server\n\n"
    "Usage: meerkat demo [--once] [--scenario NAME] [OPTIONS]\n\n"
    "Plays a fleet of LLM services (llm-api, response-api, media-api, mcp-tools, template-api, an OpenTelemetry\n"
    "collector, an incident manager, two nodes) and sends its traces, logs and metrics as OTLP: first the hours gone "
    "by,\n"
    "then live until it is interrupted. Every request is one trace, its lines carry the trace's id, and it counts in\n"
    "the metrics, whose exemplars lead back to it. The same seed at the same start gives the same telemetry.\n\n"
    "Options:\n"
    "  --once              send the past, then end\n"
    "  --scenario NAME     trouble in the last 20 minutes of the past, and live from then on:\n"
    "                        llm-latency        one provider is slow and times out: p95 above 2 s, retries\n"
    "                        queue-backlog      more than 100 jobs wait, all workers are busy, jobs fail\n"
    "                        storage-failure    over 10 % of S3 requests fail\n"
    "                        collector-down     up{job=\"otel-collector\"} is 0; no spans, no metrics, only lines\n"
    "                        export-failure     the collector fails to export more than 10 spans/s\n"
    "                        classifier-errors  over 5 % of classifier runs fail\n"
    "                        healthy            none of them (the default)\n"
    "  --endpoint URL      an OTLP/HTTP receiver (default http://127.0.0.1:4318; OTEL_HTTP_PORT changes the port)\n"
    "  --port-offset N     the server's ports are moved by N (also: MEERKAT_PORT_OFFSET)\n"
    "  --backfill D        how much of the past (default 2h, at most 7d; 0s: none)\n"
    "  --rate N            mean requests per second (default 0.75)\n"
    "  --seed N            start of the generator (default 1)\n\n"
    "Examples:\n"
    "  meerkat demo\n"
    "  meerkat demo --once --backfill 6h\n"
    "  meerkat demo --scenario llm-latency\n"
    "  meerkat demo --port-offset 100 --scenario queue-backlog --rate 3\n";

static bool is_help(const char *arg) { return strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0; }

static int parse_args(Options *o, int argc, char **argv) {
    const struct {
        const char *name;
        const char **value;
    } known[] = {{"--scenario", &o->scenario}, {"--endpoint", &o->endpoint}, {"--backfill", &o->backfill},
        {"--rate", &o->rate}, {"--seed", &o->seed}};
    for (int i = 0; i < argc; i++) {
        if (is_help(argv[i])) o->help = true;
    }
    for (int i = 0; i < argc && !o->help; i++) {
        bool found = strcmp(argv[i], "--once") == 0;
        if (found) o->once = true;
        for (size_t k = 0; k < ARRAY_LEN(known) && !found; k++) {
            found = command_option(argc, argv, &i, known[k].name, known[k].value);
            if (found && !*known[k].value) return command_usage("demo: %s wants a value", known[k].name);
        }
        if (!found) return command_usage("demo does not know \"%s\"", argv[i]);
    }
    return 0;
}

static int parse_scenario(const char *text, DemoScenario *ret) {
    if (!text || demo_scenario_find(str_cstr(text), ret)) return 0;
    Str names[DEMO_SCENARIOS];
    for (size_t i = 0; i < DEMO_SCENARIOS; i++) names[i] = str_cstr(demo_scenario_names[i]);
    Str near = diag_suggest(str_cstr(text), names, DEMO_SCENARIOS);
    if (near.n > 0)
        return command_usage("demo: unknown scenario \"%s\"; did you mean \"%" STR_FMT "\"?", text, STR_ARG(near));
    return command_usage("demo: unknown scenario \"%s\"; `meerkat demo --help` lists them", text);
}

static int parse_values(const Options *o, DemoOptions *d) {
    int64_t backfill_ms = 2 * 3600 * MS_PER_S;
    d->rate = 0.75;
    d->seed = 1;
    if (o->backfill && (!duration_parse_prom(str_cstr(o->backfill), &backfill_ms) || backfill_ms > BACKFILL_MAX_MS)) {
        return command_usage("demo: --backfill wants a duration up to 7d, such as 30m or 2h, not \"%s\"", o->backfill);
    }
    if (o->rate && (!num_parse_f64(str_cstr(o->rate), &d->rate) || !(d->rate > 0 && d->rate <= 100))) {
        return command_usage("demo: --rate wants requests per second, above 0 and up to 100, not \"%s\"", o->rate);
    }
    if (o->seed && !num_parse_u64(str_cstr(o->seed), &d->seed)) {
        return command_usage("demo: --seed wants a whole number, not \"%s\"", o->seed);
    }
    d->backfill_ns = backfill_ms * NS_PER_MS;
    return parse_scenario(o->scenario, &d->scenario);
}

static int default_endpoint(char out[64]) {
    const char *text = getenv("OTEL_HTTP_PORT");
    int64_t port = OTLP_HTTP_PORT;
    if (text && *text && (!num_parse_i64(str_cstr(text), &port) || port < 0 || port > UINT16_MAX))
        return command_usage("demo: OTEL_HTTP_PORT is not a port");
    snprintf(out, 64, "http://127.0.0.1:%d", command_server_port((int)port));
    return 0;
}

static void report(const DemoFleet *f, DemoSender *s, const char *what, int64_t begun_ns) {
    DemoTotals t = demo_fleet_totals(f);
    char reason[256];
    uint64_t rejected = demo_sender_rejected(s, reason);
    fprintf(stderr, "demo: %s: %llu spans, %llu points, %llu lines in %.1f s", what, (unsigned long long)t.spans,
        (unsigned long long)t.points, (unsigned long long)t.lines, (double)(clock_mono_ns() - begun_ns) / 1e9);
    if (rejected > 0) fprintf(stderr, "; %llu records were rejected: %s", (unsigned long long)rejected, reason);
    fputc('\n', stderr);
}

static bool stop_asked(int64_t timeout_ms) { return signals_wait(timeout_ms) == SIGNAL_STOP; }

/* The past, as fast as it is taken. *ret_stopped: a signal came. */
static ErrCode play_past(DemoFleet *f, DemoSender *s, const DemoOptions *d, bool *ret_stopped, Err *reterr) {
    int64_t end_ns = d->start_ns + d->backfill_ns;
    for (int64_t t = d->start_ns; t < end_ns && !*ret_stopped;) {
        t = MIN(t + BACKFILL_SLICE_NS, end_ns);
        demo_fleet_advance(f, t);
        ErrCode r = demo_sender_error(s, reterr);
        if (r != OK) return r;
        *ret_stopped = stop_asked(0);
    }
    demo_fleet_flush(f);
    while (!*ret_stopped) {
        ErrCode r = demo_sender_wait(s, 200, reterr);
        if (r != ERR_TIMEOUT) return r;
        *ret_stopped = stop_asked(0);
    }
    return OK;
}

static ErrCode play_live(DemoFleet *f, DemoSender *s, int64_t begun_ns, Err *reterr) {
    int64_t report_ns = clock_mono_ns() + REPORT_EVERY_NS;
    while (!stop_asked(LIVE_SLICE_MS)) {
        demo_fleet_advance(f, clock_now_ns());
        demo_fleet_flush(f);
        ErrCode r = demo_sender_error(s, reterr);
        if (r != OK) return r;
        if (clock_mono_ns() < report_ns) continue;
        report(f, s, "live", begun_ns);
        report_ns += REPORT_EVERY_NS;
    }
    return demo_sender_wait(s, FLUSH_AT_END_MS, reterr);
}

static ErrCode play(DemoFleet *f, DemoSender *s, const DemoOptions *d, bool once, Err *reterr) {
    int64_t begun_ns = clock_mono_ns();
    bool stopped = false;
    ErrCode r = play_past(f, s, d, &stopped, reterr);
    if (r != OK || stopped) return r;
    if (d->backfill_ns > 0 || once) report(f, s, once ? "done" : "the past is in place", begun_ns);
    return once ? OK : play_live(f, s, begun_ns, reterr);
}

int cmd_demo(int argc, char **argv) {
    Options o = {0};
    DemoOptions d = {0};
    char endpoint[64];
    int code = parse_args(&o, argc, argv);
    if (o.help) {
        fputs(help_text, stdout);
        return 0;
    }
    if (code == 0) code = parse_values(&o, &d);
    if (code == 0 && !o.endpoint) code = default_endpoint(endpoint);
    if (code != 0) return code;
    DemoSender *sender = NULL;
    Err err = {0};
    ErrCode r = demo_sender_create(o.endpoint ? o.endpoint : endpoint, &sender, &err);
    if (r != OK) return command_fail(&err);
    d.start_ns = clock_now_ns() - d.backfill_ns;
    d.emit = demo_sender_put;
    d.emit_ctx = sender;
    DemoFleet *fleet = demo_fleet_create(&d);
    r = play(fleet, sender, &d, o.once, &err);
    demo_sender_free(sender);
    demo_fleet_free(fleet);
    return r == OK ? 0 : command_fail(&err);
}
