/* sd_consul.c - instances of services in a Consul catalog.
 *
 * The list of services and every service are watched by blocking queries: the server answers when the index it is asked
 * with is no longer the newest. All of them are out at once on the source's HTTP client; the source's thread sends them
 * and publishes what came. A query is repeated at most every refresh_ms.
 * Source: Consul's HTTP API (/v1/catalog/services, /v1/health/service, blocking queries). */
#include "metrics/sd/sd_int.h"

#include "base/num.h"
#include "sys/clock.h"

#include <stdio.h>

#define WATCH_S 120
#define TIMEOUT_MS 150000
#define RETRY_MS 15000

/* One thing that is watched: a service, or the list of them. */
typedef struct Watch {
    struct Consul *x;
    Str name;       /* of the service; the list: empty */
    uint64_t index; /* of the newest answer */
    int64_t due_ns;
    bool out;  /* a query is on its way (source's lock) */
    bool gone; /* no longer listed: freed when it comes back */
    /* the answer, while it waits for the thread (source's lock) */
    bool answered;
    ErrCode code;
    char error[200];
    int status;
    uint64_t answer_index;
    Buf answer;
    Buf body; /* newest good one; the thread's */
    bool seen;
} Watch;

typedef struct Consul {
    SdSource *s;
    const PromSdConfig *config;
    Str datacenter; /* in arena */
    Arena *arena;
    Map *services; /* name -> Watch* */
    Watch list;
    size_t out; /* queries on their way (source's lock) */
    bool changed;
} Consul;

/* --- answers --- */
static Str text_of(const JsonValue *object, const char *key) { return json_get_str(object, str_cstr(key)); }

static void set_map(SdBuilder *b, Str prefix, const JsonValue *map) {
    for (const JsonValue *l = map && map->kind == JSON_K_OBJECT ? map->first : NULL; l; l = l->next) {
        if (l->kind == JSON_K_STRING) sd_target_set(b, sd_name(b, prefix, l->key), l->text);
    }
}

/* ",a,b,": so that a relabelling rule can look for ",a,". */
static Str join_tags(SdBuilder *b, const JsonValue *tags, Str separator) {
    Buf text = {0};
    buf_put_str(&text, separator);
    bool first = true;
    for (const JsonValue *t = tags && tags->kind == JSON_K_ARRAY ? tags->first : NULL; t; t = t->next) {
        if (!first) buf_put_str(&text, separator);
        first = false;
        buf_put_str(&text, t->text);
    }
    buf_put_str(&text, separator);
    Str copy = sd_copy(b, buf_str(&text));
    buf_done(&text);
    return copy;
}

/* The worst of the checks; a maintenance check outweighs all. */
static Str aggregated_status(const JsonValue *checks) {
    bool warning = false, critical = false;
    for (const JsonValue *c = checks && checks->kind == JSON_K_ARRAY ? checks->first : NULL; c; c = c->next) {
        Str id = text_of(c, "CheckID"), status = text_of(c, "Status");
        if (str_eq_lit(id, "_node_maintenance") || str_starts_with(id, STR("_service_maintenance:")))
            return STR("maintenance");
        critical = critical || str_eq_lit(status, "critical");
        warning = warning || str_eq_lit(status, "warning");
    }
    return critical ? STR("critical") : warning ? STR("warning") : STR("passing");
}

static void add_instance(const PromSdConfig *c, const JsonValue *entry, SdBuilder *b) {
    const JsonValue *node = json_get(entry, STR("Node")), *service = json_get(entry, STR("Service"));
    int64_t port = 0;
    if (!node || !service) return;
    (void)json_get_i64(service, STR("Port"), &port);
    Str address = text_of(service, "Address"), node_address = text_of(node, "Address");
    sd_target_begin(b);
    sd_target_set(b, STR("__address__"), sd_host_port(b, address.n ? address : node_address, (uint64_t)MAX(port, 0)));
    sd_target_set(b, STR("__meta_consul_address"), node_address);
    sd_target_set(b, STR("__meta_consul_node"), text_of(node, "Node"));
    sd_target_set(b, STR("__meta_consul_namespace"), text_of(service, "Namespace"));
    sd_target_set(b, STR("__meta_consul_partition"), text_of(service, "Partition"));
    sd_target_set(b, STR("__meta_consul_tags"), join_tags(b, json_get(service, STR("Tags")), c->consul.tag_separator));
    sd_target_set(b, STR("__meta_consul_service_address"), address);
    sd_target_set(b, STR("__meta_consul_service_port"), sd_number(b, (uint64_t)MAX(port, 0)));
    sd_target_set(b, STR("__meta_consul_service_id"), text_of(service, "ID"));
    sd_target_set(b, STR("__meta_consul_health"), aggregated_status(json_get(entry, STR("Checks"))));
    set_map(b, STR("__meta_consul_metadata_"), json_get(node, STR("Meta")));
    set_map(b, STR("__meta_consul_service_metadata_"), json_get(service, STR("Meta")));
    set_map(b, STR("__meta_consul_tagged_address_"), json_get(node, STR("TaggedAddresses")));
    sd_target_end(b);
}

ErrCode sd_parse_consul(const PromSdConfig *c, Str service, Str datacenter, Str body, SdBuilder *b, Err *reterr) {
    JsonValue *root;
    ErrCode code = json_parse(body, b->arena, &root, reterr);
    if (code != OK) return code;
    if (root->kind != JSON_K_ARRAY) return err_set(reterr, ERR_INVALID, "expected a list of service instances");
    sd_group_begin(b);
    sd_group_set(b, STR("__meta_consul_service"), service);
    sd_group_set(b, STR("__meta_consul_dc"), datacenter);
    for (const JsonValue *e = root->first; e; e = e->next) add_instance(c, e, b);
    return OK;
}

/* --- asking --- */
static void put_param(Buf *url, const char *name, Str value) {
    if (value.n == 0) return;
    buf_put_char(url, str_find_char(buf_str(url), '?') == SIZE_MAX ? '?' : '&');
    buf_put_str(url, str_cstr(name));
    buf_put_char(url, '=');
    http_url_encode(url, value);
}

static void begin_url(const PromSdConfig *c, Buf *url, Str path) {
    Str server = c->consul.server;
    if (str_find(server, STR("://")) == SIZE_MAX) {
        buf_put_str(url, c->consul.scheme);
        buf_put_lit(url, "://");
    }
    buf_put_str(url, server);
    Str prefix = c->consul.path_prefix;
    while (prefix.n && prefix.p[prefix.n - 1] == '/') prefix.n--;
    if (prefix.n && prefix.p[0] != '/') buf_put_char(url, '/');
    buf_put_str(url, prefix);
    buf_put_str(url, path);
}

static void put_scope(const PromSdConfig *c, Buf *url, uint64_t index, unsigned wait_s, Str filter) {
    put_param(url, "dc", c->consul.datacenter);
    put_param(url, "ns", c->consul.ns);
    put_param(url, "partition", c->consul.partition);
    for (size_t i = 0; i < c->consul.node_meta.n; i++) {
        Buf pair = {0};
        buf_put_str(&pair, c->consul.node_meta.v[i].name);
        buf_put_char(&pair, ':');
        buf_put_str(&pair, c->consul.node_meta.v[i].value);
        put_param(url, "node-meta", buf_str(&pair));
        buf_done(&pair);
    }
    put_param(url, "filter", filter);
    if (index)
        buf_printf(url, "%cindex=%llu&wait=%us", str_find_char(buf_str(url), '?') == SIZE_MAX ? '?' : '&',
            (unsigned long long)index, wait_s);
    if (!c->consul.no_stale)
        buf_put_str(url, str_find_char(buf_str(url), '?') == SIZE_MAX ? STR("?stale") : STR("&stale"));
}

static const char **request_headers(const Consul *x, Arena *arena) {
    const char **v = ARENA_ARRAY(arena, const char *, 3);
    size_t n = 0;
    ASSERT(v);
    v[n++] = "Accept: application/json";
    if (x->config->consul.token.n)
        v[n++] = arena_printf(arena, "X-Consul-Token: %" STR_FMT, STR_ARG(x->config->consul.token)).p;
    v[n] = NULL;
    return v;
}

static ErrCode find_datacenter(Consul *x, Err *reterr) {
    if (x->config->consul.datacenter.n) x->datacenter = x->config->consul.datacenter;
    if (x->datacenter.p) return OK;
    Arena *scratch = arena_create(SD_ANSWER_BYTES_MAX);
    Buf url = {0}, body = {0};
    begin_url(x->config, &url, STR("/v1/agent/self"));
    ErrCode code = sd_get(x->s, buf_cstr(&url), request_headers(x, scratch), RETRY_MS, &body, reterr);
    JsonValue *root;
    if (code == OK) code = json_parse(buf_str(&body), scratch, &root, reterr);
    if (code == OK) x->datacenter = arena_copy(x->arena, text_of(json_get(root, STR("Config")), "Datacenter"));
    if (code != OK) err_prefix(reterr, "retrieving the datacenter's name");
    arena_free(scratch);
    buf_done(&url);
    buf_done(&body);
    return code;
}

/* --- watches --- */
static void watch_free(Watch *w) {
    buf_done(&w->answer);
    buf_done(&w->body);
    mem_free((void *)(uintptr_t)w->name.p);
    mem_free(w);
}

static void answered(void *ctx, const HttpClientResponse *res) {
    Watch *w = ctx;
    SdSource *s = w->x->s;
    mutex_lock(&s->lock);
    w->out = false;
    w->answered = true;
    w->code = res->code;
    w->status = res->status;
    snprintf(w->error, sizeof w->error, "%.199s", res->error);
    buf_clear(&w->answer);
    if (res->code == OK) buf_put_str(&w->answer, res->body);
    if (!num_parse_u64(http_client_header(res, STR("X-Consul-Index")), &w->answer_index)) w->answer_index = 0;
    bool gone = w->gone;
    w->x->out--;
    cond_broadcast(&s->wake);
    mutex_unlock(&s->lock);
    if (gone) watch_free(w);
}

/* Not under the lock: an answer may come at once. */
static void ask(Consul *x, Watch *w) {
    Arena *arena = arena_create(ARENA_UNLIMITED);
    const PromSdConfig *c = x->config;
    Buf url = {0}, path = {0};
    if (w->name.n) {
        buf_put_lit(&path, "/v1/health/service/");
        http_url_encode(&path, w->name);
    } else {
        buf_put_lit(&path, "/v1/catalog/services");
    }
    begin_url(c, &url, buf_str(&path));
    for (size_t i = 0; w->name.n && i < c->consul.tags.n; i++) put_param(&url, "tag", c->consul.tags.v[i]);
    put_scope(c, &url, w->index, WATCH_S, w->name.n ? c->consul.health_filter : c->consul.filter);
    HttpClientRequest req = {.url = buf_cstr(&url),
        .headers = request_headers(x, arena),
        .timeout_ms = TIMEOUT_MS,
        .accept_gzip = true,
        .max_body_bytes = SD_ANSWER_BYTES_MAX};
    w->due_ns = clock_mono_ns() + MAX(c->refresh_ms, 100) * 1000000;
    mutex_lock(&x->s->lock);
    w->out = true;
    x->out++;
    mutex_unlock(&x->s->lock);
    prom_http_start(x->s->http, &req, answered, w);
    buf_done(&url);
    buf_done(&path);
    arena_free(arena);
}

static Watch *watch_service(Consul *x, Str name) {
    Watch *w = map_get_ptr(x->services, name);
    if (!w) {
        w = NEW(Watch);
        w->x = x;
        w->name = str_of(str_dup_cstr(name), name.n);
        map_set_ptr(x->services, name, w);
    }
    w->seen = true;
    return w;
}

static bool listed(PromStrings wanted, Str name) {
    for (size_t i = 0; i < wanted.n; i++) {
        if (str_eq(wanted.v[i], name)) return true;
    }
    return wanted.n == 0;
}

static bool has_tags(PromStrings wanted, const JsonValue *tags) {
    for (size_t i = 0; i < wanted.n; i++) {
        bool found = false;
        for (const JsonValue *t = tags && tags->kind == JSON_K_ARRAY ? tags->first : NULL; t && !found; t = t->next)
            found = str_eq(t->text, wanted.v[i]);
        if (!found) return false;
    }
    return true;
}

static void forget_unseen(Consul *x) {
    VEC(Watch *) gone = {0};
    size_t it = 0;
    Str name;
    uint64_t *v;
    while (map_next(x->services, &it, &name, &v)) {
        Watch *w = (Watch *)(uintptr_t)*v;
        if (!w->seen) vec_push(&gone, w);
        w->seen = false;
    }
    vec_foreach(Watch *, g, &gone) {
        Watch *w = *g;
        map_remove(x->services, w->name, NULL);
        mutex_lock(&x->s->lock);
        w->gone = w->out;
        bool out = w->out;
        mutex_unlock(&x->s->lock);
        if (!out) watch_free(w);
        x->changed = true;
    }
    vec_done(&gone);
}

static ErrCode take_list(Consul *x, Str body, Err *reterr) {
    Arena *scratch = arena_create(SD_ANSWER_BYTES_MAX);
    JsonValue *root;
    ErrCode code = json_parse(body, scratch, &root, reterr);
    if (code == OK && root->kind != JSON_K_OBJECT)
        code = err_set(reterr, ERR_INVALID, "expected a mapping of services");
    if (code == OK) {
        for (const JsonValue *v = root->first; v; v = v->next)
            if (listed(x->config->consul.services, v->key) && has_tags(x->config->consul.tags, v))
                watch_service(x, v->key);
        forget_unseen(x);
        if (map_count(x->services) == 0) x->changed = true;
    }
    arena_free(scratch);
    return code;
}

/* What came for w since the last look. */
static void take_answer(Consul *x, Watch *w) {
    Err err = {0};
    Buf body = {0};
    mutex_lock(&x->s->lock);
    bool answered_now = w->answered;
    w->answered = false;
    ErrCode code = w->code;
    int status = w->status;
    uint64_t index = w->answer_index;
    if (answered_now) body = w->answer, w->answer = (Buf){0};
    mutex_unlock(&x->s->lock);
    if (!answered_now) return;
    if (code != OK)
        err_set(&err, code, "%s", w->error);
    else if (status != 200)
        code = err_set(&err, ERR_UNAVAILABLE, "server returned HTTP status %d %s", status, http_status_text(status));
    bool news = code == OK && (index == 0 || index != w->index);
    if (news && !w->name.n) code = take_list(x, buf_str(&body), &err);
    if (news && code == OK && w->name.n && !str_eq(buf_str(&body), buf_str(&w->body))) {
        Buf old = w->body;
        w->body = body;
        body = old;
        x->changed = true;
    }
    if (code == OK) w->index = index < w->index ? 0 : index; /* it went back: start afresh, as Consul asks */
    if (code != OK) {
        w->due_ns = clock_mono_ns() + RETRY_MS * INT64_C(1000000);
        sd_fail(x->s, "%s%" STR_FMT ": %.150s", w->name.n ? "refreshing service " : "refreshing the list of services",
            STR_ARG(w->name), err.msg);
    }
    buf_done(&body);
}

/* Asks what is due; gives the time of the next thing to do. */
static int64_t step(Consul *x, bool with_list) {
    int64_t now = clock_mono_ns(), next = now + 60 * INT64_C(1000000000);
    VEC(Watch *) all = {0};
    size_t it = 0;
    Str name;
    uint64_t *v;
    if (with_list) {
        take_answer(x, &x->list);
        vec_push(&all, &x->list);
    }
    while (map_next(x->services, &it, &name, &v)) vec_push(&all, (Watch *)(uintptr_t)*v);
    vec_foreach(Watch *, w, &all) {
        if ((*w)->name.n) take_answer(x, *w);
        mutex_lock(&x->s->lock);
        bool out = (*w)->out;
        mutex_unlock(&x->s->lock);
        if (out) continue;
        if ((*w)->due_ns <= now)
            ask(x, *w);
        else
            next = MIN(next, (*w)->due_ns);
    }
    vec_done(&all);
    return next;
}

/* Only when every service has answered once: half a list would look like targets that vanished. */
static bool complete(Consul *x, bool with_list) {
    size_t it = 0;
    Str name;
    uint64_t *v;
    if (with_list && x->list.index == 0 && map_count(x->services) == 0 && !x->changed) return false;
    while (map_next(x->services, &it, &name, &v))
        if (!((Watch *)(uintptr_t)*v)->body.p) return false;
    return true;
}

static void publish(Consul *x) {
    SdBuilder b = sd_builder();
    Err err = {0};
    size_t it = 0;
    Str name;
    uint64_t *v;
    ErrCode code = OK;
    Str datacenter = sd_copy(&b, x->datacenter);
    while (code == OK && map_next(x->services, &it, &name, &v)) {
        const Watch *w = (const Watch *)(uintptr_t)*v;
        code = sd_parse_consul(x->config, sd_copy(&b, name), datacenter, sd_copy(&b, buf_str(&w->body)), &b, &err);
    }
    if (code == OK) {
        sd_publish(x->s, &b);
    } else {
        sd_fail(x->s, "%.250s", err.msg);
        sd_builder_done(&b);
    }
    x->changed = false;
}

/* Until an answer comes or the time is there. false: stop. */
static bool wait_answer(Consul *x, size_t out_before, int64_t until_ns) {
    SdSource *s = x->s;
    mutex_lock(&s->lock);
    while (!s->stop && x->out == out_before) {
        int64_t left = (until_ns - clock_mono_ns()) / 1000000;
        if (left <= 0) break;
        (void)cond_wait_ms(&s->wake, &s->lock, left);
    }
    bool go = !s->stop;
    mutex_unlock(&s->lock);
    return go;
}

static void finish(Consul *x) {
    SdSource *s = x->s;
    mutex_lock(&s->lock);
    while (x->out) cond_wait(&s->wake, &s->lock); /* the client is being stopped: all of them come back */
    mutex_unlock(&s->lock);
    size_t it = 0;
    Str name;
    uint64_t *v;
    while (map_next(x->services, &it, &name, &v)) watch_free((Watch *)(uintptr_t)*v);
    map_free(x->services);
    buf_done(&x->list.answer);
    buf_done(&x->list.body);
    arena_free(x->arena);
}

void sd_consul_run(SdSource *s) {
    const PromSdConfig *c = s->config;
    Consul x = {.s = s, .config = c, .arena = arena_create(ARENA_UNLIMITED), .services = map_create(MAP_COPY_KEYS)};
    bool with_list = !(c->consul.services.n && !c->consul.tags.n && !c->consul.filter.n), go = true;
    Err err = {0};
    x.list.x = &x;
    while (go && find_datacenter(&x, &err) != OK) {
        sd_fail(s, "%.250s", err.msg);
        go = sd_wait(s, RETRY_MS);
    }
    for (size_t i = 0; !with_list && i < c->consul.services.n; i++) watch_service(&x, c->consul.services.v[i]);
    while (go) {
        int64_t next = step(&x, with_list);
        if (x.changed && complete(&x, with_list)) publish(&x);
        mutex_lock(&s->lock);
        size_t out = x.out;
        bool waiting = x.list.answered;
        size_t it = 0;
        Str name;
        uint64_t *v;
        while (!waiting && map_next(x.services, &it, &name, &v)) waiting = ((Watch *)(uintptr_t)*v)->answered;
        mutex_unlock(&s->lock);
        go = waiting ? !sd_stopping(s) : wait_answer(&x, out, next);
    }
    finish(&x);
}
