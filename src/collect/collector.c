/* collector.c - from a decoded request to the stores; counters under the collector's names. */
#include "codec/proto.h"
#include "collect/collector_int.h"
#include "sys/clock.h"

#include <stdio.h>

#define DEFAULT_BODY_BYTES (64u << 20)

static void options_unref(MetricOptions *o) {
    if (!o || atomic_fetch_sub(&o->refs, 1) != 1) return;
    arena_free(o->arena);
    mem_free(o);
}

Collector *collector_create(const CollectOptions *opts) {
    Collector *c = NEW(Collector);
    c->opts = *opts;
    if (c->opts.max_body_bytes == 0) c->opts.max_body_bytes = DEFAULT_BODY_BYTES;
    c->deltas = otlp_deltas_create(0);
    mutex_init(&c->options_lock);
    c->start_ns = clock_now_ns();
    for (int i = 0; i < SIGNAL_COUNT; i++) c->routes[i] = (struct OtlpRoute){c, (OtlpRequest)i};
    return c;
}

Collector *collector_free(Collector *c) {
    if (!c) return NULL;
    otlp_deltas_free(c->deltas);
    options_unref(c->metric_options);
    mutex_done(&c->options_lock);
    mem_free(c);
    return NULL;
}

void collector_set_metric_options(Collector *c, const OtlpMetricOptions *options) {
    MetricOptions *fresh = NEW(MetricOptions);
    fresh->arena = arena_create(ARENA_UNLIMITED);
    fresh->o = *options;
    atomic_init(&fresh->refs, 1);
    Str *attributes = ARENA_ARRAY(fresh->arena, Str, options->n_attributes);
    ASSERT(attributes);
    for (size_t i = 0; i < options->n_attributes; i++) attributes[i] = arena_copy(fresh->arena, options->attributes[i]);
    fresh->o.attributes = attributes;
    mutex_lock(&c->options_lock);
    MetricOptions *old = c->metric_options;
    c->metric_options = fresh;
    mutex_unlock(&c->options_lock);
    options_unref(old);
}

static MetricOptions *options_ref(Collector *c) {
    mutex_lock(&c->options_lock);
    MetricOptions *o = c->metric_options;
    if (o) atomic_fetch_add(&o->refs, 1);
    mutex_unlock(&c->options_lock);
    return o;
}

void collector_set_ready(Collector *c, bool ready) { atomic_store(&c->ready, ready); }

/* Each decodes into its batch and stores it; refused: what the store would not take. */
static ErrCode export_traces(
    Collector *c, Str proto, Arena *arena, OtlpRejects *rejects, uint64_t *refused, OtlpOutcome *out, Err *reterr) {
    SpansBatch batch = {.arena = arena};
    ErrCode r = otlp_decode_traces(proto, &batch, rejects, reterr);
    if (r != OK || batch.rows.n == 0) return r;
    return c->opts.sinks.spans(c->opts.sinks.ctx, &batch, refused, out->reason, reterr);
}

/* target_info alone may be refused a hundred times: what was told is not repeated. */
static void put_complaints(Buf *out, MetricsComplaints *all) {
    MetricsComplaint last = {0};
    if (!out) return;
    metrics_complaints_sort(all);
    vec_foreach(const MetricsComplaint, x, &all->list) {
        bool again = str_eq(x->text, last.text) && str_eq(x->labels, last.labels);
        if (!again) buf_printf(out, "%" STR_FMT "\n", STR_ARG(x->text));
        last = *x;
    }
}

static ErrCode export_metrics(
    Collector *c, Str proto, Arena *arena, OtlpRejects *rejects, uint64_t *refused, OtlpOutcome *out, Err *reterr) {
    int64_t now_ms = clock_now_ms();
    MetricsComplaints complaints = {0};
    MetricsBatch batch = {.arena = arena, .not_after_ms = now_ms + METRICS_AHEAD_MAX_MS, .complaints = &complaints};
    MetricOptions *options = options_ref(c);
    rejects->all = out->all;
    ErrCode r = otlp_decode_metrics(proto, now_ms, options ? &options->o : NULL, c->deltas, &batch, rejects, reterr);
    options_unref(options);
    out->translation = out->all && out->all->n > 0;
    if (r != OK || batch.series.n == 0 || out->translation) return r;
    r = c->opts.sinks.metrics(c->opts.sinks.ctx, &batch, refused, out->reason, reterr);
    put_complaints(out->all, &complaints);
    return r;
}

static ErrCode export_logs(
    Collector *c, Str proto, Arena *arena, OtlpRejects *rejects, uint64_t *refused, OtlpOutcome *out, Err *reterr) {
    LogsBatch batch = {.arena = arena};
    ErrCode r = otlp_decode_logs(proto, clock_now_ns(), &batch, rejects, reterr);
    if (r != OK || batch.rows.n == 0) return r;
    return c->opts.sinks.logs(c->opts.sinks.ctx, &batch, refused, out->reason, reterr);
}

static bool is_senders_fault(ErrCode code) {
    return code == ERR_INVALID || code == ERR_TOO_LARGE || code == ERR_UNSUPPORTED || code == ERR_UNPROCESSABLE;
}

void collector_count_error(Collector *c, OtlpRequest kind, int transport, ErrCode code) {
    ReceiverCounters *n = &c->counters[kind][transport];
    atomic_fetch_add(&c->errors[code], 1);
    atomic_fetch_add(is_senders_fault(code) ? &n->requests_refused : &n->requests_failed, 1);
}

static void count_outcome(Collector *c, OtlpRequest kind, int transport, const OtlpOutcome *out, uint64_t items) {
    ReceiverCounters *n = &c->counters[kind][transport];
    if (out->code != OK) {
        collector_count_error(c, kind, transport, out->code);
        atomic_fetch_add(is_senders_fault(out->code) ? &n->refused : &n->failed, items);
        return;
    }
    atomic_fetch_add(&n->requests_ok, 1);
    atomic_fetch_add(&n->refused, out->rejected);
    atomic_fetch_add(&n->accepted, items);
}

ErrCode collector_export(
    Collector *c, OtlpRequest kind, int transport, Str proto, Arena *arena, OtlpOutcome *outcome, Err *reterr) {
    static ErrCode (*const exports[])(Collector *, Str, Arena *, OtlpRejects *, uint64_t *, OtlpOutcome *, Err *) = {
        export_traces, export_metrics, export_logs};
    OtlpOutcome *ret = outcome;
    OtlpRejects rejects = {0};
    uint64_t refused = 0;
    *ret = (OtlpOutcome){.all = outcome->all};
    ret->code = exports[kind](c, proto, arena, &rejects, &refused, ret, reterr);
    /* Senders give up on 5xx codes that OTLP does not list; a full disk is a reason to come again. */
    if (ret->code == ERR_NO_SPACE || ret->code == ERR_IO) {
        ret->code = ERR_UNAVAILABLE;
        if (reterr) reterr->code = ERR_UNAVAILABLE;
    }
    if (ret->translation) { /* those that were fine are lost, too */
        rejects.count += rejects.accepted;
        rejects.accepted = 0;
    }
    ret->rejected = rejects.count + refused;
    if (rejects.count > 0) snprintf(ret->reason, sizeof ret->reason, "%s", rejects.message);
    /* A data point may be several samples, so what the store refused may exceed what was decoded. */
    uint64_t stored = rejects.accepted > refused ? rejects.accepted - refused : 0;
    count_outcome(c, kind, transport, ret, ret->code == OK ? stored : rejects.accepted);
    return ret->code;
}

void collector_put_response(Buf *out, const OtlpOutcome *outcome) {
    if (outcome->rejected == 0) return;
    size_t mark = proto_begin(out, 1);
    proto_put_varint(out, 1, outcome->rejected);
    proto_put_bytes(out, 2, str_cstr(outcome->reason));
    proto_end(out, mark);
}
