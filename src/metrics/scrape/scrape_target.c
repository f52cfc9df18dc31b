#include "base/hash.h"
#include "base/timefmt.h"
#include "metrics/scrape/scrape_int.h"
#include "net/http.h"

#include <stdlib.h>

ScrapeConfigRef *scrape_config_ref(ScrapeConfigRef *c) {
    atomic_fetch_add(&c->refs, 1);
    return c;
}

void scrape_config_unref(ScrapeConfigRef *c) {
    if (!c || atomic_fetch_sub(&c->refs, 1) != 1) return;
    prom_config_free(c->config);
    mem_free(c);
}

void scrape_target_unref(ScrapeTarget *t) {
    if (!t || atomic_fetch_sub(&t->refs, 1) != 1) return;
    size_t it = 0;
    uint64_t key, *value;
    while (u64map_next(t->cache, &it, &key, &value)) mem_free((void *)(uintptr_t)*value);
    u64map_free(t->cache);
    scrape_config_unref(t->config);
    arena_free(t->arena);
    mem_free(t);
}

/* --- labels before relabelling --- */
static bool set_duration(RelabelSet *s, Str name, int64_t ms) {
    Buf b = {0};
    duration_put_prom(&b, ms);
    Str text = arena_copy(s->arena, buf_str(&b));
    buf_done(&b);
    return relabel_set(s, name, text);
}

static bool discovered_labels(RelabelSet *s, const PromScrapeConfig *job, const PromTargetGroup *g, Str address) {
    bool ok = relabel_set(s, STR("__address__"), address);
    for (size_t i = 0; i < g->labels.n; i++) ok = ok && relabel_set(s, g->labels.v[i].name, g->labels.v[i].value);
    if (!relabel_get(s, STR("job")).n) ok = ok && relabel_set(s, STR("job"), job->job_name);
    if (!relabel_get(s, STR("__scheme__")).n) ok = ok && relabel_set(s, STR("__scheme__"), job->scheme);
    if (!relabel_get(s, STR("__metrics_path__")).n)
        ok = ok && relabel_set(s, STR("__metrics_path__"), job->metrics_path);
    if (!relabel_get(s, STR("__scrape_interval__")).n)
        ok = ok && set_duration(s, STR("__scrape_interval__"), job->interval_ms);
    if (!relabel_get(s, STR("__scrape_timeout__")).n)
        ok = ok && set_duration(s, STR("__scrape_timeout__"), job->timeout_ms);
    for (size_t i = 0; i < job->params.n; i++) {
        if (!job->params.v[i].n) continue;
        Str name = arena_printf(s->arena, "__param_%" STR_FMT, STR_ARG(job->params.v[i].name));
        if (name.p && !relabel_get(s, name).n) ok = ok && relabel_set(s, name, job->params.v[i].values[0]);
    }
    return ok;
}

static int by_name(const void *a, const void *b) { return str_cmp(((const Label *)a)->name, ((const Label *)b)->name); }

static Labels sorted_copy(Arena *arena, const RelabelSet *s, bool visible_only) {
    Label *v = ARENA_ARRAY(arena, Label, s->labels.n);
    size_t n = 0;
    ASSERT(v);
    for (size_t i = 0; i < s->labels.n; i++) {
        if (visible_only && str_starts_with(s->labels.v[i].name, STR("__"))) continue;
        v[n++] = (Label){arena_copy(arena, s->labels.v[i].name), arena_copy(arena, s->labels.v[i].value)};
    }
    qsort(v, n, sizeof *v, by_name);
    return (Labels){v, n};
}

/* --- address --- */
static void put_param(Buf *b, bool *first, Str name, Str value) {
    buf_put_char(b, *first ? '?' : '&');
    *first = false;
    http_url_encode(b, name);
    buf_put_char(b, '=');
    http_url_encode(b, value);
}

/* The first value of a parameter may have been rewritten as __param_<name>; new ones may have come that way. */
static void put_params(Buf *b, const PromScrapeConfig *job, const RelabelSet *s) {
    static const Str prefix = STR_INIT("__param_");
    bool first = true;
    for (size_t i = 0; i < s->labels.n; i++) {
        if (str_starts_with(s->labels.v[i].name, prefix))
            put_param(b, &first, str_skip(s->labels.v[i].name, prefix.n), s->labels.v[i].value);
    }
    for (size_t i = 0; i < job->params.n; i++) {
        for (size_t k = 1; k < job->params.v[i].n; k++)
            put_param(b, &first, job->params.v[i].name, job->params.v[i].values[k]);
    }
}

static Str build_url(Arena *arena, const PromScrapeConfig *job, const RelabelSet *s) {
    Buf b = {0};
    Str path = relabel_get(s, STR("__metrics_path__"));
    buf_put_str(&b, relabel_get(s, STR("__scheme__")));
    buf_put_lit(&b, "://");
    buf_put_str(&b, relabel_get(s, STR("__address__")));
    if (path.n == 0 || path.p[0] != '/') buf_put_char(&b, '/');
    buf_put_str(&b, path);
    put_params(&b, job, s);
    Str url = arena_copy(arena, buf_str(&b));
    buf_done(&b);
    return url;
}

/* --- identity --- */
/* Everything that makes a target another one when it changes. */
static Str build_key(const ScrapeTarget *t, const PromScrapeConfig *j) {
    Buf b = {0};
    buf_put_lenstr(&b, j->fingerprint);
    buf_put_lenstr(&b, t->url);
    buf_put_uvarint(&b, (uint64_t)t->interval_ms);
    buf_put_uvarint(&b, (uint64_t)t->timeout_ms);
    for (size_t i = 0; i < t->labels.n; i++) {
        buf_put_lenstr(&b, t->labels.v[i].name);
        buf_put_lenstr(&b, t->labels.v[i].value);
    }
    Str key = arena_copy(t->arena, buf_str(&b));
    buf_done(&b);
    return key;
}

static int64_t duration_of(const RelabelSet *s, Str name, int64_t otherwise) {
    int64_t ms;
    return duration_parse_prom(relabel_get(s, name), &ms) && ms > 0 ? ms : otherwise;
}

static void finish_target(ScrapeTarget *t, const PromScrapeConfig *job, RelabelSet *s) {
    Str address = relabel_get(s, STR("__address__"));
    bool ok = !address.n || relabel_get(s, STR("instance")).n || relabel_set(s, STR("instance"), address);
    ASSERT(ok);
    t->dropped = !address.n || str_find_char(address, '/') != SIZE_MAX;
    if (t->dropped) return;
    t->interval_ms = duration_of(s, STR("__scrape_interval__"), job->interval_ms);
    t->timeout_ms = MIN(duration_of(s, STR("__scrape_timeout__"), job->timeout_ms), t->interval_ms);
    t->labels = sorted_copy(t->arena, s, true);
    t->url = build_url(t->arena, job, s);
    t->key = build_key(t, job);
    /* The place in the interval depends on labels and address only, so it survives restarts. */
    uint64_t h = labels_hash(t->labels) ^ hash_xx64(t->url, 0);
    t->offset_ms = (int64_t)(h % (uint64_t)t->interval_ms);
    t->seed = hash_bytes(t->key.p, t->key.n, hash_process_seed());
}

static ScrapeTarget *new_target(
    const PromScrapeConfig *job, ScrapeConfigRef *config, const PromTargetGroup *g, Str address) {
    ScrapeTarget *t = NEW(ScrapeTarget);
    atomic_init(&t->refs, 1);
    t->arena = arena_create(ARENA_UNLIMITED);
    t->cache = u64map_create();
    t->job = job;
    t->config = scrape_config_ref(config);
    Arena *scratch = arena_create(ARENA_UNLIMITED);
    RelabelSet s = {.arena = scratch};
    bool ok = discovered_labels(&s, job, g, address);
    ASSERT(ok);
    t->discovered = sorted_copy(t->arena, &s, false);
    t->dropped = relabel_apply(job->relabel, &s) != RELABEL_KEPT;
    if (!t->dropped) finish_target(t, job, &s);
    arena_free(scratch);
    return t;
}

void scrape_targets_build(const PromScrapeConfig *job, ScrapeConfigRef *config, ScrapeTargetVec *out) {
    size_t first = out->n, kept = 0;
    for (size_t d = 0; d < job->sd.n; d++) {
        for (size_t i = 0; i < job->sd.v[d].groups.n; i++) {
            const PromTargetGroup *g = &job->sd.v[d].groups.v[i];
            for (size_t k = 0; k < g->targets.n; k++) {
                ScrapeTarget *t = new_target(job, config, g, g->targets.v[k]);
                kept += !t->dropped;
                vec_push(out, t);
            }
        }
    }
    if (!job->set.limits.target || kept <= job->set.limits.target) return;
    /* As Prometheus does: a job over its limit is not scraped at all. */
    for (size_t i = first; i < out->n; i++) out->v[i]->over_limit = true;
}
