#include "metrics/scrape/scrape_int.h"
#include "sys/clock.h"

ScrapePool *scrape_pool_create(const PromScrapeConfig *job, PromConfig *config, SdManager *sd, HttpClient *client) {
    ScrapePool *p = NEW(ScrapePool);
    p->job = job;
    p->config = prom_config_ref(config);
    p->http = prom_http_create(client, &job->http);
    p->offset_seed = scrape_offset_seed(config->external_labels);
    for (size_t i = 0; i < job->sd.n; i++) vec_push(&p->sources, sd_source_acquire(sd, &job->sd.v[i], config));
    return p;
}

static void dropped_done(DroppedTarget *v, size_t n) {
    for (size_t i = 0; i < n; i++) mem_free((void *)(uintptr_t)v[i].discovered.p);
}

void scrape_pool_free(ScrapePool *p) {
    ASSERT(p->targets.n == 0);
    vec_foreach(SdSource *, s, &p->sources) sd_source_release(*s);
    vec_done(&p->sources);
    vec_done(&p->targets);
    dropped_done(p->dropped.v, p->dropped.n);
    vec_done(&p->dropped);
    prom_http_free(p->http);
    prom_config_free(p->config);
    mem_free(p);
}

void scrape_sync_done(ScrapeSync *s) {
    vec_foreach(ScrapeTarget *, t, &s->targets) scrape_target_unref(*t);
    vec_done(&s->targets);
    dropped_done(s->dropped.v, s->dropped.n);
    vec_done(&s->dropped);
}

/* --- what discovery knows --- */
static void collect_one(ScrapePool *p, Labels found, Arena *scratch, U64Map *seen, ScrapeSync *ret) {
    Str discovered;
    const char *why;
    ScrapeTarget *t = scrape_target_create(p->job, found, scratch, &discovered, &why);
    if (!t) {
        uint64_t keep = p->job->set.limits.keep_dropped;
        ret->n_dropped++;
        if (!keep || ret->dropped.n < keep)
            vec_push(&ret->dropped, (DroppedTarget){discovered, why});
        else
            mem_free((void *)(uintptr_t)discovered.p);
        return;
    }
    bool fresh;
    u64map_put(seen, t->id[0] ^ t->id[1], &fresh);
    if (!fresh) { /* two sources name the same target: it is scraped once */
        scrape_target_unref(t);
        return;
    }
    t->job = p->job;
    t->config = prom_config_ref(p->config);
    t->http = prom_http_ref(p->http);
    scrape_target_set_offset(t, p->offset_seed);
    vec_push(&ret->targets, t);
}

static uint64_t mix(uint64_t seen, const SdTargets *t) {
    return seen * UINT64_C(0x9e3779b97f4a7c15) + (t ? t->version : 0);
}

bool scrape_pool_has_news(const ScrapePool *p) {
    uint64_t now = 1;
    vec_foreach(SdSource *, s, &p->sources) {
        SdTargets *t = sd_source_targets(*s);
        now = mix(now, t);
        sd_targets_unref(t);
    }
    return now != p->seen;
}

void scrape_pool_collect(ScrapePool *p, ScrapeSync *ret) {
    *ret = (ScrapeSync){0};
    p->seen = 1;
    Arena *scratch = arena_create(ARENA_UNLIMITED);
    U64Map *seen = u64map_create();
    vec_foreach(SdSource *, s, &p->sources) {
        SdTargets *found = sd_source_targets(*s);
        p->seen = mix(p->seen, found);
        ret->partial = ret->partial || !found;
        for (size_t i = 0; found && i < found->n; i++) collect_one(p, found->v[i], scratch, seen, ret);
        sd_targets_unref(found);
    }
    u64map_free(seen);
    arena_free(scratch);
    uint64_t limit = p->job->set.limits.target;
    /* As Prometheus does: a job over its limit is not scraped at all. */
    bool over = limit && ret->targets.n > limit;
    vec_foreach(ScrapeTarget *, t, &ret->targets)(*t)->over_limit = over ? ret->targets.n : 0;
}

/* --- exchange --- */
/* An unchanged target goes on under the newest configuration; its old one may then be freed. */
static void adopt(ScrapeTarget *t, ScrapeTarget *fresh) {
    PromConfig *config = t->config;
    PromHttp *http = t->http;
    Str discovered = t->discovered;
    t->config = fresh->config;
    fresh->config = config;
    t->http = fresh->http;
    fresh->http = http;
    t->discovered = fresh->discovered;
    fresh->discovered = discovered;
    t->job = fresh->job;
    t->over_limit = fresh->over_limit;
}

/* Its settings have changed: the same moment in time as far as there is one, neither left out nor asked twice. */
static void succeed(ScrapeTarget *f, const ScrapeTarget *old) {
    if (f->interval_ms == old->interval_ms) f->offset_ms = old->offset_ms, f->due_ms = old->due_ms;
    f->health = old->health;
    memcpy(f->last_error, old->last_error, sizeof f->last_error);
    f->last_scrape_ms = old->last_scrape_ms;
    f->last_duration_s = old->last_duration_s;
    f->last_samples = old->last_samples;
}

/* Which of the old ones the key stands for; NULL: none, or it has been taken already. */
static ScrapeTarget **find_old(U64Map *index, ScrapeTargetVec *old, uint64_t key) {
    uint64_t *at = u64map_get(index, key);
    return at && old->v[*at] ? &old->v[*at] : NULL;
}

static void replace_one(
    ScrapeTarget **f, ScrapeTarget **same, ScrapeTarget **at_place, int64_t now_ms, LeavingVec *leaving) {
    if (same) {
        adopt(*same, *f);
        scrape_target_unref(*f);
        *f = *same;
        *same = NULL;
        return;
    }
    (*f)->due_ms = scrape_next_due(*f, now_ms);
    if (!at_place) return;
    succeed(*f, *at_place);
    scrape_target_retire(*at_place, leaving);
    *at_place = NULL;
}

void scrape_pool_exchange(ScrapePool *p, ScrapeSync *fresh, ScrapeTargetVec *old, int64_t now_ms, LeavingVec *leaving) {
    U64Map *ids = u64map_create(), *places = u64map_create();
    for (size_t i = 0; i < old->n; i++) {
        *u64map_put(ids, old->v[i]->id[0] ^ old->v[i]->id[1], NULL) = i;
        *u64map_put(places, old->v[i]->place, NULL) = i;
    }
    for (size_t i = 0; i < fresh->targets.n; i++) {
        ScrapeTarget **f = &fresh->targets.v[i];
        replace_one(
            f, find_old(ids, old, (*f)->id[0] ^ (*f)->id[1]), find_old(places, old, (*f)->place), now_ms, leaving);
    }
    u64map_free(ids);
    u64map_free(places);
    for (size_t i = 0; i < old->n; i++) {
        if (!old->v[i]) continue;
        if (fresh->partial)
            vec_push(&fresh->targets, old->v[i]);
        else
            scrape_target_retire(old->v[i], leaving);
    }
    vec_done(old);
    dropped_done(p->dropped.v, p->dropped.n);
    vec_done(&p->dropped);
    p->targets = fresh->targets;
    memcpy(&p->dropped, &fresh->dropped, sizeof p->dropped);
    p->n_dropped = fresh->n_dropped;
    *fresh = (ScrapeSync){0};
}
