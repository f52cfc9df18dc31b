/* round_collect.c - records of the queue, relabelled and spread over shards. */
#include "base/log.h"
#include "metrics/remote/remote_int.h"
#include "sys/clock.h"

#define ROUND_BYTES ((size_t)64 << 20) /* a round takes no further record when it holds so much */
#define IDLE_MS 1000

static void count_dropped(Endpoint *e, DropReason why, uint64_t samples, uint64_t histograms, uint64_t exemplars) {
    mutex_lock(&e->mutex);
    e->stats.dropped[why].samples += samples;
    e->stats.dropped[why].histograms += histograms;
    e->stats.dropped[why].exemplars += exemplars;
    mutex_unlock(&e->mutex);
}

/* External labels where the series has none of that name, then the endpoint's rules. false: not to be sent. */
static bool relabelled(Round *r, Labels from, Labels *ret) {
    const Endpoint *e = r->endpoint;
    Labels external = e->config->external_labels;
    *ret = from;
    if (external.n == 0 && e->write->relabel.n == 0) return true;
    RelabelSet set = {.arena = r->arena};
    bool ok = true;
    for (size_t i = 0; i < from.n && ok; i++) ok = avec_push(r->arena, &set.labels, from.v[i]);
    for (size_t i = 0; i < external.n && ok; i++)
        if (!labels_get(from, external.v[i].name).p) ok = avec_push(r->arena, &set.labels, external.v[i]);
    if (!ok || relabel_apply(e->write->relabel, &set) != RELABEL_KEPT) return false;
    if (labels_normalize(set.labels.v, &set.labels.n, NULL) != OK || set.labels.n == 0) return false;
    *ret = (Labels){set.labels.v, set.labels.n};
    return true;
}

static int64_t age_limit(const Endpoint *e) {
    int64_t limit = e->write->queue.sample_age_limit_ms;
    return limit ? clock_now_ms() - limit : INT64_MIN;
}

/* Pieces of one series that fit into a request. */
static void add_pieces(Round *r, RoundItem item, const MetricsBatch *b, const BatchSeries *bs) {
    const int64_t *t = b->t_ms.v + bs->first_sample, *start = metrics_batch_starts(b, bs->first_sample, bs->n_samples);
    const double *v = b->value.v + bs->first_sample;
    size_t n = bs->n_samples;
    size_t max = (size_t)r->endpoint->write->queue.max_samples_per_send;
    int64_t floor = age_limit(r->endpoint);
    for (size_t from = 0, to; from < n; from = to) {
        to = from;
        if (t[from] < floor) {
            to++;
            count_dropped(r->endpoint, DROP_TOO_OLD, 1, 0, 0);
            continue;
        }
        item.newest_ms = INT64_MIN;
        for (; to < n && to - from < max && t[to] >= floor; to++) item.newest_ms = MAX(item.newest_ms, t[to]);
        item.series.t_ms = t + from;
        item.series.value = v + from;
        item.series.start_ms = start ? start + from : NULL;
        item.series.n = to - from;
        vec_push(&r->items, item);
        r->samples += item.series.n;
        item.series.n_exemplars = 0;
    }
}

static bool sends_histogram(Endpoint *e, const Histogram *h, int64_t t_ms) {
    if (!e->write->send_native_histograms) return false;
    if (t_ms < age_limit(e)) {
        count_dropped(e, DROP_TOO_OLD, 0, 1, 0);
        return false;
    }
    if (h->schema != HISTOGRAM_SCHEMA_CUSTOM || e->write->version_2) return true;
    count_dropped(e, DROP_CUSTOM_BUCKETS, 0, 1, 0); /* version 1.0 has no place for them */
    return false;
}

static void add_histograms(Round *r, RoundItem item, const MetricsBatch *b, const BatchSeries *bs) {
    const int64_t *start = metrics_batch_histogram_starts(b, bs->first_histogram, bs->n_histograms);
    for (size_t at = bs->first_histogram, end = at + bs->n_histograms; at < end; at++) {
        if (!sends_histogram(r->endpoint, &b->histograms.v[at], b->histogram_t_ms.v[at])) continue;
        item.series.histogram_t_ms = &b->histogram_t_ms.v[at];
        item.series.histograms = &b->histograms.v[at];
        item.series.histogram_start_ms = start ? start + (at - bs->first_histogram) : NULL;
        item.series.n_histograms = 1;
        item.newest_ms = b->histogram_t_ms.v[at];
        vec_push(&r->items, item);
        r->samples++;
        item.series.n_exemplars = 0;
    }
}

static void add_series(Round *r, const MetricsBatch *b, const BatchSeries *bs) {
    Endpoint *e = r->endpoint;
    RoundItem item = {.newest_ms = INT64_MIN};
    if (!relabelled(r, bs->labels, &item.series.labels)) {
        count_dropped(e, DROP_RELABEL, bs->n_samples, bs->n_histograms, bs->n_exemplars);
        return;
    }
    if (e->write->send_exemplars) {
        item.series.exemplars = b->exemplars.v + bs->first_exemplar;
        item.series.n_exemplars = bs->n_exemplars;
    }
    if (bs->n_samples) add_pieces(r, item, b, bs);
    if (bs->n_samples) item.series.n_exemplars = 0;
    if (bs->n_histograms) add_histograms(r, item, b, bs);
    if (item.series.n_exemplars && bs->n_samples + bs->n_histograms == 0) vec_push(&r->items, item);
}

static void add_record(Round *r, Str record) {
    MetricsBatch batch = {.arena = r->arena};
    if (!remote_record_decode(record, &batch)) {
        log_error("a record in the queue of remote write is malformed; it is left out", NULL);
        return;
    }
    vec_foreach(const BatchSeries, bs, &batch.series) add_series(r, &batch, bs);
}

/* A series always goes to the same shard of a round, and rounds follow each other: its samples stay in order. */
static void spread(Round *r, uint64_t shards) {
    const PromQueueConfig *q = &r->endpoint->write->queue;
    uint64_t wanted = (r->samples + (uint64_t)q->max_samples_per_send - 1) / (uint64_t)q->max_samples_per_send;
    if (shards == 0) shards = MIN(MAX(wanted, (uint64_t)q->min_shards), r->endpoint->full_shards);
    r->n_shards = (size_t)MAX(MIN(shards, (uint64_t)q->max_shards), UINT64_C(1));
    r->shards = mem_alloc_array(r->n_shards, sizeof *r->shards);
    for (size_t i = 0; i < r->n_shards; i++) r->shards[i] = (Shard){.endpoint = r->endpoint};
    vec_foreach(const RoundItem, item, &r->items) {
        size_t k = r->n_shards > 1 ? labels_hash(item->series.labels) % r->n_shards : 0;
        vec_push(&r->shards[k].items, *item);
    }
}

/* Waits for more; false: the round is to be sent (or, empty, given back) as it is. */
static bool wait_for_more(Round *r, SpoolReader *reader, int64_t first_ns) {
    Endpoint *e = r->endpoint;
    if (atomic_load(&e->drain)) return false;
    int64_t left = IDLE_MS;
    if (first_ns) left = e->write->queue.batch_send_deadline_ms - (clock_mono_ns() - first_ns) / 1000000;
    if (left <= 0) return false;
    spool_wait(reader->spool, reader->pos, MIN(left, (int64_t)IDLE_MS));
    return first_ns || spool_bytes_from(reader->spool, reader->pos) > 0;
}

void round_collect(Round *r, SpoolReader *reader, SpoolPos until) {
    Endpoint *e = r->endpoint;
    const PromQueueConfig *q = &e->write->queue;
    uint64_t cap = e->full_shards * (uint64_t)MIN(q->max_samples_per_send, q->capacity);
    int64_t first_ns = 0;
    Buf record = {0};
    Err err = {0};
    while (!atomic_load(&e->stop) && (until ? reader->pos < until : r->samples < cap) &&
           (until || arena_used_bytes(r->arena) < ROUND_BYTES)) {
        int got = spool_read(reader, &record, &err);
        if (got == 1) {
            add_record(r, buf_str(&record));
            r->end = reader->pos;
            if (!first_ns) first_ns = clock_mono_ns();
        } else if (got < 0) {
            log_error("the queue of remote write cannot be read", "error", err.msg, NULL);
            clock_sleep_ms(IDLE_MS);
            break;
        } else if (until || !wait_for_more(r, reader, first_ns)) {
            r->end = MAX(r->end, reader->pos);
            break;
        }
    }
    buf_done(&record);
    r->full = r->samples >= cap;
    spread(r, until ? e->mark.shards : 0);
}

void round_done(Round *r) {
    for (size_t i = 0; i < r->n_shards; i++) {
        vec_done(&r->shards[i].items);
        buf_done(&r->shards[i].body);
    }
    mem_free(r->shards);
    vec_done(&r->items);
    r->arena = arena_free(r->arena);
}
