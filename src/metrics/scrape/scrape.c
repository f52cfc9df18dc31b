#include "metrics/scrape/scrape_int.h"

#include "base/heap.h"
#include "base/num.h"
#include "net/client.h"
#include "sys/clock.h"
#include "sys/fs.h"

#include <stdio.h>
#include <stdlib.h>

#define TOLERANCE_MS 2
#define IDLE_WAIT_MS 60000
#define PARSE_QUEUE_MAX 4096
#define SECRET_BYTES_MAX 65536
#define ACCEPT                                                                                                         \
    "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.6,"                                           \
    "application/openmetrics-text;version=0.0.1;q=0.5,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.4,"            \
    "text/plain;version=0.0.4;q=0.3,*/*;q=0.2"

struct ScrapeManager {
    MetricsStore *store;
    HttpClient *client;
    Pool *pool;
    Thread *timer;
    Mutex lock;
    Cond changed;
    bool stop;
    size_t flights;
    ScrapeTargetVec targets; /* in file order; dropped ones too */
    Heap due;                /* of those that are scraped, by due_ms */
};

/* One request and the work on its answer. */
typedef struct Flight {
    ScrapeManager *manager;
    ScrapeTarget *target;
    const PromScrapeConfig *job;
    ScrapeConfigRef *config; /* keeps job alive over a reload */
    ScrapeAnswer answer;
    Buf body, content_type;
    int64_t started_ms, started_mono_ns;
} Flight;

static int by_due(const void *a, const void *b, void *ctx) {
    const ScrapeTarget *x = a, *y = b;
    (void)ctx;
    return x->due_ms < y->due_ms ? -1 : x->due_ms > y->due_ms;
}

/* --- end of a flight --- */
static void flight_free(Flight *f) {
    ScrapeManager *m = f->manager;
    scrape_target_unref(f->target);
    scrape_config_unref(f->config);
    buf_done(&f->body);
    buf_done(&f->content_type);
    mem_free(f);
    mutex_lock(&m->lock); /* last: the manager may be freed as soon as no flight is left */
    m->flights--;
    cond_broadcast(&m->changed);
    mutex_unlock(&m->lock);
}

static void record(Flight *f, const ScrapeOutcome *o) {
    ScrapeTarget *t = f->target;
    mutex_lock(&f->manager->lock);
    t->health = o->up ? SCRAPE_UP : SCRAPE_DOWN;
    snprintf(t->last_error, sizeof t->last_error, "%s", o->error);
    t->last_scrape_ms = f->started_ms;
    t->last_duration_s = f->answer.duration_s;
    t->last_samples = o->kept;
    t->in_flight = false;
    bool removed = t->removed;
    mutex_unlock(&f->manager->lock);
    if (removed) scrape_end(t, f->manager->store, clock_now_ms());
}

static void work(void *ctx) {
    Flight *f = ctx;
    ScrapeOutcome outcome;
    f->answer.body = buf_str(&f->body);
    f->answer.content_type = buf_str(&f->content_type);
    scrape_take(f->target, f->job, f->manager->store, &f->answer, &outcome);
    record(f, &outcome);
    flight_free(f);
}

/* When the pool's queue is full the answer is lost, which is a failed scrape without samples of its own. */
static void hand_over(Flight *f) {
    if (pool_submit(f->manager->pool, work, f) == OK) return;
    ScrapeOutcome outcome = {.error = "too many answers are waiting to be parsed"};
    record(f, &outcome);
    flight_free(f);
}

static void answered(void *ctx, const HttpClientResponse *res) {
    Flight *f = ctx;
    ScrapeAnswer *a = &f->answer;
    a->code = res->code;
    a->status = res->status;
    a->duration_s = (double)(clock_mono_ns() - f->started_mono_ns) / 1e9;
    if (res->code == ERR_TOO_LARGE)
        snprintf(a->error, sizeof a->error, "body size limit exceeded");
    else
        snprintf(a->error, sizeof a->error, "%s", res->error);
    if (res->code == OK) {
        buf_put_str(&f->body, res->body);
        buf_put_str(&f->content_type, res->content_type);
    }
    hand_over(f);
}

/* --- begin of a flight --- */
/* NUL-terminated, from the value or the file (its trailing blanks cut). NULL: none. */
static bool secret(Str value, Str file, Buf *out, const char **ret, Err *err) {
    *ret = NULL;
    if (file.n) {
        char *path = str_dup_cstr(file);
        Buf raw = {0};
        ErrCode code = fs_read_file(fs_real(), path, SECRET_BYTES_MAX, &raw, err);
        if (code == OK) buf_put_str(out, str_trim(buf_str(&raw)));
        buf_done(&raw);
        mem_free(path);
        if (code != OK) return false;
    } else if (value.n) {
        buf_put_str(out, value);
    } else {
        return true;
    }
    *ret = buf_cstr(out);
    return true;
}

static const char *text(Arena *arena, Str s) { return s.n ? arena_copy(arena, s).p : NULL; }

static bool fill_request(
    const Flight *f, Arena *arena, Buf secrets[3], HttpClientRequest *req, const char **headers, Err *err) {
    const PromHttpConfig *h = &f->job->http;
    const char *credentials;
    Buf seconds = {0};
    num_put_f64_prom(&seconds, (double)f->target->timeout_ms / 1000);
    size_t n = 0;
    headers[n++] = "Accept: " ACCEPT;
    headers[n++] = arena_printf(arena, "X-Prometheus-Scrape-Timeout-Seconds: %s", buf_cstr(&seconds)).p;
    buf_done(&seconds);
    *req = (HttpClientRequest){.method = "GET", .url = text(arena, f->target->url), .headers = headers};
    req->timeout_ms = f->target->timeout_ms;
    req->max_body_bytes = f->job->set.limits.body_bytes;
    req->accept_gzip = !f->job->no_compression;
    req->no_follow_redirects = h->no_follow_redirects;
    req->insecure_skip_verify = h->tls.insecure_skip_verify;
    req->ca_file = text(arena, h->tls.ca_file);
    req->cert_file = text(arena, h->tls.cert_file);
    req->key_file = text(arena, h->tls.key_file);
    req->server_name = text(arena, h->tls.server_name);
    req->proxy_url = text(arena, h->proxy.url);
    if (!secret(h->username, h->username_file, &secrets[0], &req->username, err)) return false;
    if (!secret(h->password, h->password_file, &secrets[1], &req->password, err)) return false;
    if (!secret(h->credentials, h->credentials_file, &secrets[2], &credentials, err)) return false;
    if (credentials && str_eq_nocase(h->auth_type, STR("Bearer")))
        req->bearer_token = credentials;
    else if (credentials)
        headers[n++] = arena_printf(arena, "Authorization: %" STR_FMT " %s", STR_ARG(h->auth_type), credentials).p;
    headers[n] = NULL;
    return true;
}

/* Unsent: fails at once, as a scrape that ran and found nothing. */
static void fail_flight(Flight *f, ErrCode code, const char *why) {
    f->answer.code = code;
    snprintf(f->answer.error, sizeof f->answer.error, "%.255s", why);
    hand_over(f);
}

static void launch(Flight *f) {
    if (f->target->over_limit) {
        fail_flight(f, ERR_TOO_LARGE, "target_limit exceeded");
        return;
    }
    Arena *arena = arena_create(ARENA_UNLIMITED);
    Buf secrets[3] = {{0}};
    const char *headers[4];
    HttpClientRequest req;
    Err err = {0};
    f->started_mono_ns = clock_mono_ns();
    if (fill_request(f, arena, secrets, &req, headers, &err))
        http_client_start(f->manager->client, &req, answered, f);
    else
        fail_flight(f, err.code, err.msg);
    for (size_t i = 0; i < ARRAY_LEN(secrets); i++) buf_done(&secrets[i]);
    arena_free(arena);
}

/* --- timer --- */
static int64_t next_due(const ScrapeTarget *t, int64_t after_ms) {
    int64_t base = after_ms - after_ms % t->interval_ms + t->offset_ms;
    return base > after_ms ? base : base + t->interval_ms;
}

/* Lock held. NULL when the target's last scrape still runs (then this one is left out, as Prometheus does). */
static Flight *begin_flight(ScrapeManager *m, ScrapeTarget *t, int64_t now_ms) {
    int64_t planned_ms = t->due_ms;
    t->due_ms = next_due(t, MAX(planned_ms, now_ms));
    if (t->in_flight) return NULL;
    Flight *f = NEW(Flight);
    f->manager = m;
    f->target = t;
    atomic_fetch_add(&t->refs, 1);
    f->job = t->job;
    f->config = scrape_config_ref(t->config);
    f->started_ms = now_ms;
    int64_t tolerance = MIN(TOLERANCE_MS, t->interval_ms / 100);
    f->answer.t_ms = now_ms - planned_ms <= tolerance ? planned_ms : now_ms;
    t->in_flight = true;
    m->flights++;
    return f;
}

static void timer_main(void *ctx) {
    ScrapeManager *m = ctx;
    mutex_lock(&m->lock);
    while (!m->stop) {
        ScrapeTarget *t = heap_peek(&m->due);
        int64_t now = clock_now_ms();
        int64_t wait = t ? t->due_ms - now : IDLE_WAIT_MS;
        if (t && wait > t->interval_ms) { /* the clock was set back */
            t->due_ms = next_due(t, now);
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

/* --- configuration --- */
static ScrapeTarget *take_same(ScrapeTargetVec *old, Map *index, const ScrapeTarget *fresh) {
    if (fresh->dropped) return NULL;
    uint64_t *at = map_get(index, fresh->key);
    if (!at || !old->v[*at]) return NULL;
    ScrapeTarget *t = old->v[*at];
    old->v[*at] = NULL;
    return t;
}

/* Lock held: an unchanged target goes on under the new configuration; its old one may then be freed. */
static void adopt(ScrapeTarget *t, ScrapeTarget *fresh) {
    ScrapeConfigRef *before = t->config;
    t->config = fresh->config;
    fresh->config = before;
    t->job = fresh->job;
    t->over_limit = fresh->over_limit;
}

static void build_all(PromConfig *config, ScrapeTargetVec *out) {
    ScrapeConfigRef *ref = NEW(ScrapeConfigRef);
    atomic_init(&ref->refs, 1);
    ref->config = config;
    for (size_t i = 0; config && i < config->n_scrapes; i++) {
        size_t first = out->n;
        scrape_targets_build(&config->scrapes[i], ref, out);
        for (size_t k = first; k < out->n; k++) out->v[k]->order = i;
    }
    scrape_config_unref(ref);
}

/* Lock held. Targets that stay are moved into fresh; what remains in m->targets has gone. */
static void exchange(ScrapeManager *m, ScrapeTargetVec *fresh, int64_t now) {
    Map *index = map_create(MAP_BORROW_KEYS);
    for (size_t i = 0; i < m->targets.n; i++) {
        if (!m->targets.v[i]->dropped) *map_put(index, m->targets.v[i]->key, NULL) = i;
    }
    heap_done(&m->due);
    m->due = (Heap){.cmp = by_due};
    for (size_t i = 0; i < fresh->n; i++) {
        ScrapeTarget *same = take_same(&m->targets, index, fresh->v[i]);
        if (same) {
            adopt(same, fresh->v[i]);
            same->order = fresh->v[i]->order;
            scrape_target_unref(fresh->v[i]);
            fresh->v[i] = same;
        } else if (!fresh->v[i]->dropped) {
            fresh->v[i]->due_ms = next_due(fresh->v[i], now);
        }
        if (!fresh->v[i]->dropped) heap_push(&m->due, fresh->v[i]);
    }
    map_free(index);
    ScrapeTargetVec gone = m->targets;
    m->targets = *fresh;
    *fresh = gone;
}

void scrape_manager_apply(ScrapeManager *m, PromConfig *config) {
    ScrapeTargetVec targets = {0};
    build_all(config, &targets);
    mutex_lock(&m->lock);
    exchange(m, &targets, clock_now_ms());
    for (size_t i = 0; i < targets.n; i++) {
        ScrapeTarget *t = targets.v[i];
        if (!t) continue;
        t->removed = true;
        /* A flight still out writes the end itself. */
        if (t->in_flight) scrape_target_unref(t), targets.v[i] = NULL;
    }
    cond_broadcast(&m->changed);
    mutex_unlock(&m->lock);
    for (size_t i = 0; i < targets.n; i++) {
        if (!targets.v[i]) continue;
        scrape_end(targets.v[i], m->store, clock_now_ms());
        scrape_target_unref(targets.v[i]);
    }
    vec_done(&targets);
}

/* --- life --- */
ErrCode scrape_manager_create(MetricsStore *store, const ScrapeManagerOptions *opts, ScrapeManager **ret, Err *reterr) {
    ScrapeManager *m = NEW(ScrapeManager);
    m->store = store;
    m->due.cmp = by_due;
    mutex_init(&m->lock);
    cond_init(&m->changed);
    m->client = http_client_create(opts && opts->user_agent ? opts->user_agent : "Meerkat");
    m->pool = pool_create("scrape", opts && opts->parse_threads ? opts->parse_threads : 2, PARSE_QUEUE_MAX);
    m->timer = thread_start("scrape-timer", timer_main, m);
    if (!m->client || !m->pool || !m->timer) {
        scrape_manager_free(m);
        return err_set(reterr, ERR_UNAVAILABLE, "scraping: the system refuses another thread");
    }
    *ret = m;
    return OK;
}

ScrapeManager *scrape_manager_free(ScrapeManager *m) {
    if (!m) return NULL;
    mutex_lock(&m->lock);
    m->stop = true;
    cond_broadcast(&m->changed);
    mutex_unlock(&m->lock);
    thread_join(m->timer);
    scrape_manager_apply(m, NULL);
    if (m->client) http_client_free(m->client); /* pending requests end; their targets are marked removed */
    mutex_lock(&m->lock);
    while (m->flights) cond_wait(&m->changed, &m->lock);
    mutex_unlock(&m->lock);
    pool_free(m->pool);
    heap_done(&m->due);
    vec_done(&m->targets);
    cond_done(&m->changed);
    mutex_done(&m->lock);
    mem_free(m);
    return NULL;
}

/* --- for the API --- */
static int by_job(const void *a, const void *b) {
    const ScrapeTarget *x = *(ScrapeTarget *const *)a, *y = *(ScrapeTarget *const *)b;
    if (x->order != y->order) return x->order < y->order ? -1 : 1;
    return labels_cmp(x->dropped ? x->discovered : x->labels, y->dropped ? y->discovered : y->labels);
}

static void describe(const ScrapeTarget *t, Arena *arena, ScrapeTargetInfo *ret) {
    *ret = (ScrapeTargetInfo){.pool = arena_copy(arena, t->job->job_name),
        .url = arena_copy(arena, t->url),
        .labels = labels_copy(arena, t->labels),
        .discovered = labels_copy(arena, t->discovered),
        .dropped = t->dropped,
        .health = t->health,
        .last_error = arena_copy(arena, str_cstr(t->last_error)),
        .last_scrape_ms = t->last_scrape_ms,
        .last_duration_s = t->last_duration_s,
        .interval_ms = t->interval_ms,
        .timeout_ms = t->timeout_ms,
        .samples = t->last_samples};
}

ErrCode scrape_manager_targets(ScrapeManager *m, Arena *arena, ScrapeTargetInfo **ret, size_t *ret_n, Err *reterr) {
    mutex_lock(&m->lock);
    size_t n = m->targets.n;
    if (n) qsort(m->targets.v, n, sizeof *m->targets.v, by_job);
    ScrapeTargetInfo *v = ARENA_ARRAY(arena, ScrapeTargetInfo, n);
    for (size_t i = 0; i < n && v; i++) describe(m->targets.v[i], arena, &v[i]);
    mutex_unlock(&m->lock);
    if (!v || arena_exhausted(arena))
        return err_set(reterr, ERR_TOO_LARGE, "the memory budget of the request is used up");
    *ret = v;
    *ret_n = n;
    return OK;
}
