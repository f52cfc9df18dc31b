#include "metrics/sd/sd_int.h"
#include "sys/clock.h"

#include <stdarg.h>
#include <stdio.h>

void sd_targets_unref(SdTargets *t) {
    if (!t || atomic_fetch_sub(&t->refs, 1) != 1) return;
    arena_free(t->arena);
    mem_free(t);
}

const char *sd_kind_name(SdKind kind) {
    static const char *const names[] = {"static", "file", "http", "dns", "kubernetes", "docker", "consul"};
    return names[kind];
}

/* --- what sources say --- */
bool sd_publish(SdSource *s, SdBuilder *b) {
    static _Atomic uint64_t versions;
    if (b->exhausted || arena_exhausted(b->arena)) {
        sd_builder_done(b);
        sd_fail(s, "the targets found do not fit in %zu MiB", SD_ARENA_BYTES_MAX >> 20);
        return false;
    }
    SdTargets *t = NEW(SdTargets);
    atomic_init(&t->refs, 1);
    t->version = atomic_fetch_add(&versions, 1) + 1;
    t->arena = b->arena;
    t->v = b->targets.v;
    t->n = b->targets.n;
    mutex_lock(&s->lock);
    SdTargets *before = s->targets;
    s->targets = t;
    s->state.known = true;
    s->state.targets = t->n;
    s->state.last_ok_ms = clock_now_ms();
    s->state.error[0] = 0;
    mutex_unlock(&s->lock);
    sd_targets_unref(before);
    *b = (SdBuilder){0};
    if (s->manager->opts.changed) s->manager->opts.changed(s->manager->opts.ctx);
    return true;
}

void sd_fail(SdSource *s, const char *fmt, ...) {
    char text[sizeof s->state.error];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    mutex_lock(&s->lock);
    if (!s->stop) {
        s->state.failures++;
        snprintf(s->state.error, sizeof s->state.error, "%s", text);
    }
    mutex_unlock(&s->lock);
}

bool sd_stopping(SdSource *s) {
    mutex_lock(&s->lock);
    bool stop = s->stop;
    mutex_unlock(&s->lock);
    return stop;
}

bool sd_wait(SdSource *s, int64_t ms) {
    int64_t until = clock_mono_ns() + ms * 1000000;
    mutex_lock(&s->lock);
    while (!s->stop) {
        int64_t left = (until - clock_mono_ns()) / 1000000;
        if (left <= 0) break;
        (void)cond_wait_ms(&s->wake, &s->lock, left);
    }
    bool go = !s->stop;
    mutex_unlock(&s->lock);
    return go;
}

ErrCode sd_get(
    SdSource *s, const char *url, const char *const *headers, int64_t timeout_ms, Buf *ret_body, Err *reterr) {
    int status = 0;
    HttpClientRequest req = {.url = url,
        .headers = headers,
        .timeout_ms = timeout_ms,
        .accept_gzip = true,
        .max_body_bytes = SD_ANSWER_BYTES_MAX};
    ErrCode code = prom_http_fetch(s->http, &req, &status, NULL, ret_body, reterr);
    if (code == OK && status != 200)
        code = err_set(reterr, ERR_UNAVAILABLE, "server returned HTTP status %d %s", status, http_status_text(status));
    return code;
}

/* --- static --- */
static void build_static(const PromSdConfig *c, SdBuilder *b) {
    for (size_t i = 0; i < c->groups.n; i++) {
        const PromTargetGroup *g = &c->groups.v[i];
        sd_group_begin(b);
        for (size_t k = 0; k < g->labels.n; k++)
            sd_group_set(b, sd_copy(b, g->labels.v[k].name), sd_copy(b, g->labels.v[k].value));
        for (size_t k = 0; k < g->targets.n; k++) {
            sd_target_begin(b);
            sd_target_set(b, STR("__address__"), sd_copy(b, g->targets.v[k]));
            sd_target_end(b);
        }
    }
}

static void publish_static(SdSource *s) {
    SdBuilder b = sd_builder();
    build_static(s->config, &b);
    sd_publish(s, &b);
}

bool sd_static_targets(const PromSdConfig *c, Arena *arena, const Labels **ret, size_t *ret_n) {
    SdBuilder b = {.arena = arena};
    build_static(c, &b);
    *ret = b.targets.v;
    *ret_n = b.targets.n;
    return !b.exhausted;
}

/* --- sources --- */
static void source_main(void *ctx) {
    SdSource *s = ctx;
    switch (s->config->kind) {
    case SD_STATIC: break;
    case SD_FILE: sd_file_run(s); break;
    case SD_HTTP: sd_http_run(s); break;
    case SD_DNS: sd_dns_run(s); break;
    case SD_KUBERNETES: sd_kubernetes_run(s); break;
    case SD_DOCKER: sd_docker_run(s); break;
    case SD_CONSUL: sd_consul_run(s); break;
    }
}

static SdSource *source_start(SdManager *m, const PromSdConfig *c, PromConfig *owner) {
    SdSource *s = NEW(SdSource);
    s->manager = m;
    s->config = c;
    s->owner = prom_config_ref(owner);
    s->state.kind = c->kind;
    mutex_init(&s->lock);
    cond_init(&s->wake);
    if (c->kind == SD_STATIC) {
        publish_static(s);
        return s;
    }
    s->client = http_client_create(m->user_agent);
    s->http = prom_http_create(s->client, &c->http);
    s->thread = thread_start("sd", source_main, s);
    if (!s->thread) sd_fail(s, "the system refuses another thread");
    return s;
}

static void source_stop(SdSource *s) {
    mutex_lock(&s->lock);
    s->stop = true;
    cond_broadcast(&s->wake);
    mutex_unlock(&s->lock);
    if (s->client) http_client_stop(s->client); /* whoever waits for an answer gets one now */
    thread_join(s->thread);
    prom_http_free(s->http);
    if (s->client) http_client_free(s->client);
    sd_targets_unref(s->targets);
    prom_config_free(s->owner);
    cond_done(&s->wake);
    mutex_done(&s->lock);
    mem_free(s);
}

SdSource *sd_source_acquire(SdManager *m, const PromSdConfig *c, PromConfig *owner) {
    mutex_lock(&m->lock);
    SdSource *s = map_get_ptr(m->sources, c->key);
    if (!s) {
        s = source_start(m, c, owner);
        map_set_ptr(m->sources, c->key, s);
    }
    s->users++;
    mutex_unlock(&m->lock);
    return s;
}

void sd_source_release(SdSource *s) {
    if (!s) return;
    SdManager *m = s->manager;
    mutex_lock(&m->lock);
    bool last = --s->users == 0;
    if (last) map_remove(m->sources, s->config->key, NULL);
    mutex_unlock(&m->lock);
    if (last) source_stop(s);
}

SdTargets *sd_source_targets(SdSource *s) {
    mutex_lock(&s->lock);
    SdTargets *t = s->targets;
    if (t) atomic_fetch_add(&t->refs, 1);
    mutex_unlock(&s->lock);
    return t;
}

void sd_source_state(SdSource *s, SdState *ret) {
    mutex_lock(&s->lock);
    *ret = s->state;
    mutex_unlock(&s->lock);
}

/* --- manager --- */
SdManager *sd_manager_create(const SdManagerOptions *opts) {
    SdManager *m = NEW(SdManager);
    m->opts = *opts;
    m->user_agent = str_dup_cstr(str_cstr(opts->user_agent ? opts->user_agent : "Meerkat"));
    m->dns_servers = opts->dns_servers ? str_dup_cstr(str_cstr(opts->dns_servers)) : NULL;
    m->sources = map_create(MAP_COPY_KEYS);
    mutex_init(&m->lock);
    return m;
}

SdManager *sd_manager_free(SdManager *m) {
    if (!m) return NULL;
    ASSERT(map_count(m->sources) == 0);
    map_free(m->sources);
    mutex_done(&m->lock);
    mem_free(m->user_agent);
    mem_free(m->dns_servers);
    mem_free(m);
    return NULL;
}
