/* scrape_flight.c - the timer that sends requests, and what becomes of their answers. */
#include "base/num.h"
#include "codec/compress.h"
#include "metrics/scrape/scrape_int.h"
#include "net/client.h"
#include "sys/clock.h"

#include <stdio.h>

#define TOLERANCE_MS 2
#define BODY_MAX_DEFAULT ((size_t)64 << 20)
#define IDLE_WAIT_MS 60000

/* One request and the work on its answer. */
typedef struct Flight {
    ScrapeManager *manager;
    ScrapeTarget *target;
    const PromScrapeConfig *job;
    PromConfig *config; /* keeps job alive over a reload */
    PromHttp *http;
    size_t over_limit;
    ScrapeAnswer answer;
    Buf body, content_type;
    bool gzipped; /* body */
    int64_t started_ms, started_mono_ns;
} Flight;

/* --- end of a flight --- */
static void flight_free(Flight *f) {
    ScrapeManager *m = f->manager;
    scrape_target_unref(f->target);
    prom_http_free(f->http);
    prom_config_free(f->config);
    buf_done(&f->body);
    buf_done(&f->content_type);
    mem_free(f);
    mutex_lock(&m->lock); /* last: the manager may be freed as soon as no flight is left */
    if (--m->flights == 0 && m->stop) cond_broadcast(&m->changed);
    mutex_unlock(&m->lock);
}

static void count(ScrapeStats *s, const ScrapeOutcome *o) {
    atomic_fetch_add(&s->scrapes, 1);
    atomic_fetch_add(&s->failed, !o->up);
    atomic_fetch_add(&s->duplicates, o->duplicates);
    atomic_fetch_add(&s->out_of_order, o->too_old);
    atomic_fetch_add(&s->body_limit_hits, o->over_body_limit);
    atomic_fetch_add(&s->limit_hits, str_starts_with(str_cstr(o->error), STR("sample limit")));
}

static void tell(Flight *f, const ScrapeOutcome *o) {
    const ScrapeManagerOptions *opts = &f->manager->opts;
    Str file = f->job->set.failure_log_file;
    if (!o->up && file.n) scrape_log_put(f->manager->log, file, f->job->job_name, f->target->url, o->error);
    if (!o->warning[0] || f->target->warned) return;
    f->target->warned = true;
    if (opts->warn) opts->warn(opts->ctx, f->job->job_name, str_cstr(f->target->url), o->warning);
}

static void record(Flight *f, const ScrapeOutcome *o) {
    ScrapeTarget *t = f->target;
    count(&f->manager->stats, o);
    tell(f, o);
    mutex_lock(&f->manager->lock);
    t->health = o->up ? SCRAPE_UP : SCRAPE_DOWN;
    snprintf(t->last_error, sizeof t->last_error, "%s", o->error);
    t->last_scrape_ms = f->started_ms;
    t->last_duration_s = f->answer.duration_s;
    t->last_samples = o->kept;
    t->in_flight = false;
    mutex_unlock(&f->manager->lock);
}

/* As Prometheus: a body as long as the limit is too long. */
static size_t body_max(const PromScrapeConfig *job) {
    uint64_t limit = job->set.limits.body_bytes;
    return limit ? MAX((size_t)limit - 1, (size_t)1) : BODY_MAX_DEFAULT;
}

/* Here and not by the client, whose one thread has all other targets to look after. */
static void unpack(Flight *f, Arena *arena) {
    ScrapeAnswer *a = &f->answer;
    Str packed = a->body;
    Err err = {0};
    a->code = decompress(ENCODING_GZIP, packed, body_max(f->job), arena, &a->body, &err);
    if (a->code == OK) return;
    bool gzip = str_starts_with(packed, STR("\x1f\x8b"));
    a->body = STR_NULL;
    if (a->code == ERR_TOO_LARGE)
        snprintf(a->error, sizeof a->error, SCRAPE_BODY_LIMIT);
    else
        snprintf(a->error, sizeof a->error, gzip ? "unexpected EOF" : "gzip: invalid header");
}

static void work(void *ctx) {
    Flight *f = ctx;
    ScrapeOutcome outcome;
    if (f->answer.code == ERR_CANCELLED && atomic_load(&f->manager->stop)) { /* the target is not to blame */
        flight_free(f);
        return;
    }
    Arena *unpacked = f->gzipped ? arena_create(ARENA_UNLIMITED) : NULL; /* unpack says how much */
    f->answer.body = buf_str(&f->body);
    f->answer.content_type = buf_str(&f->content_type);
    if (f->gzipped) unpack(f, unpacked);
    scrape_take(f->target, f->job, f->manager->store, f->manager->opts.created, &f->answer, &outcome);
    arena_free(unpacked);
    record(f, &outcome);
    flight_free(f);
}

/* When the pool's queue is full the answer is lost, which is a failed scrape without samples of its own. */
static void hand_over(Flight *f) {
    if (pool_submit(f->manager->workers, work, f) == OK) return;
    ScrapeOutcome outcome = {.error = "too many answers are waiting to be parsed"};
    record(f, &outcome);
    flight_free(f);
}

/* "HTTP/1.1 503 Too busy": what the target says, if it does. */
static void note_status(const HttpClientResponse *res, ScrapeAnswer *a) {
    Str rest = res->headers, line, word;
    if (res->status == 200 || !str_split_next(&rest, '\n', &line)) return;
    line = str_trim(line);
    if (!str_split_next(&line, ' ', &word) || !str_split_next(&line, ' ', &word)) return;
    snprintf(a->status_text, sizeof a->status_text, "%" STR_FMT, STR_ARG(line));
}

static void answered(void *ctx, const HttpClientResponse *res) {
    Flight *f = ctx;
    ScrapeAnswer *a = &f->answer;
    a->code = res->code;
    a->status = res->status;
    a->duration_s = (double)(clock_mono_ns() - f->started_mono_ns) / 1e9;
    bool refused =
        res->code == ERR_TOO_LARGE && res->head_came && res->status != 200; /* says enough without its body */
    if (refused) {
        a->code = OK;
        note_status(res, a);
    } else if (res->code != OK) {
        scrape_put_error(res, f->target->url, a->error, sizeof a->error);
    } else {
        buf_put_str(&f->body, res->body);
        buf_put_str(&f->content_type, http_client_header(res, STR("Content-Type"))); /* the first one */
        f->gzipped = res->status == 200 && str_eq_lit(http_client_header(res, STR("Content-Encoding")), "gzip");
        note_status(res, a);
    }
    hand_over(f);
}

/* --- begin of a flight --- */
static void send_request(Flight *f) {
    Arena *arena = arena_create(ARENA_UNLIMITED);
    Buf accept = {0}, seconds = {0};
    scrape_put_accept(&accept, &f->job->set, f->manager->opts.created);
    num_put_f64_prom(&seconds, (double)f->target->timeout_ms / 1000);
    const char *const headers[] = {buf_cstr(&accept),
        arena_printf(arena, "X-Prometheus-Scrape-Timeout-Seconds: %s", buf_cstr(&seconds)).p,
        f->job->no_compression ? "Accept-Encoding: identity" : NULL, NULL};
    HttpClientRequest req = {.url = f->target->url,
        .unix_socket = f->target->unix_socket,
        .headers = headers,
        .timeout_ms = f->target->timeout_ms,
        .max_body_bytes = body_max(f->job),
        .accept_gzip = !f->job->no_compression,
        .keep_encoding = true};
    prom_http_start(f->http, &req, answered, f);
    buf_done(&accept);
    buf_done(&seconds);
    arena_free(arena);
}

static void launch(Flight *f) {
    f->started_mono_ns = clock_mono_ns();
    if (!f->over_limit) {
        send_request(f);
        return;
    }
    f->answer.code = ERR_TOO_LARGE; /* unsent: fails as a scrape that ran and found nothing */
    snprintf(f->answer.error, sizeof f->answer.error, "target_limit exceeded (number of targets: %zu, limit: %llu)",
        f->over_limit, (unsigned long long)f->job->set.limits.target);
    hand_over(f);
}

/* --- timer --- */
int64_t scrape_next_due(const ScrapeTarget *t, int64_t after_ms) {
    int64_t base = after_ms - after_ms % t->interval_ms + t->offset_ms;
    return base > after_ms ? base : base + t->interval_ms;
}

/* Lock held. NULL when the target's last scrape still runs (then this one is left out, as Prometheus does). */
static Flight *begin_flight(ScrapeManager *m, ScrapeTarget *t, int64_t now_ms) {
    int64_t planned_ms = t->due_ms;
    t->due_ms = scrape_next_due(t, MAX(planned_ms, now_ms));
    if (t->in_flight) {
        atomic_fetch_add(&m->stats.skipped, 1);
        return NULL;
    }
    Flight *f = NEW(Flight);
    f->manager = m;
    f->target = t;
    scrape_target_ref(t);
    f->job = t->job;
    f->config = prom_config_ref(t->config);
    f->http = prom_http_ref(t->http);
    f->over_limit = t->over_limit;
    f->started_ms = now_ms;
    int64_t tolerance = MIN(TOLERANCE_MS, t->interval_ms / 100);
    f->answer.t_ms = now_ms - planned_ms <= tolerance ? planned_ms : now_ms;
    t->in_flight = true;
    m->flights++;
    return f;
}

void scrape_timer_main(void *ctx) {
    ScrapeManager *m = ctx;
    mutex_lock(&m->lock);
    while (!m->stop) {
        ScrapeTarget *t = heap_peek(&m->due);
        int64_t now = clock_now_ms();
        int64_t wait = t ? t->due_ms - now : IDLE_WAIT_MS;
        if (t && wait > t->interval_ms) { /* the clock was set back */
            t->due_ms = scrape_next_due(t, now);
            heap_fix_top(&m->due);
            continue;
        }
        if (wait > 0) {
            (void)cond_wait_ms(&m->changed, &m->lock, MIN(wait, IDLE_WAIT_MS));
            continue;
        }
        Flight *f = begin_flight(m, t, now);
        heap_fix_top(&m->due);
        if (!f) continue;
        mutex_unlock(&m->lock);
        launch(f);
        mutex_lock(&m->lock);
    }
    mutex_unlock(&m->lock);
}
