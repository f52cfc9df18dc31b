/* sd_k8s.c - mirrors of the objects a role needs, by list and watch.
 *
 * One mirror per kind and namespace: it lists (in pages), then watches from the list's resourceVersion on. A watch that
 * ends goes on where it was; one whose version is too old (410 Gone) begins with a list again. Answers are collected on
 * the HTTP client's thread and taken in on the source's. Source: Kubernetes API concepts, "Efficient detection of
 * changes". */
#include "base/timefmt.h"
#include "metrics/sd/sd_k8s_int.h"
#include "sys/clock.h"
#include "sys/random.h"

#include <stdio.h>

#define PAGE_OBJECTS 500
#define LIST_TIMEOUT_MS 60000
#define WATCH_S_MIN 300
#define PENDING_BYTES_MAX ((size_t)64 << 20)
#define BACKOFF_MS_MIN 500
#define BACKOFF_MS_MAX 30000
#define PUBLISH_GAP_MS 500
#define API_RETRY_MS 10000
#define EVENT_BYTES_MAX ((size_t)64 << 20)

typedef enum MirrorState { MIRROR_LIST, MIRROR_WATCH } MirrorState;

typedef struct Mirror {
    struct Kubernetes *k;
    K8sKind kind;
    uint32_t id;
    Str ns; /* empty: all */
    MirrorState state;
    Str selector_label, selector_field;
    Buf version, page; /* resourceVersion; continue token */
    uint64_t generation;
    bool synced; /* listed once */
    int64_t due_ns, backoff_ms;
    /* source's lock */
    bool out, ended;
    bool watching; /* what is out is a watch */
    bool abort;    /* it is of no use any more */
    Buf data;      /* of the answer, as far as it came */
    ErrCode code;
    int status;
    char error[160];
} Mirror;

typedef struct Kubernetes {
    SdSource *s;
    K8sApi api;
    PromHttp *http;
    K8sStore store;
    Mirror *mirrors;
    size_t n_mirrors, n_out; /* n_out: source's lock */
    bool changed;
    int64_t published_ns;
} Kubernetes;

/* --- requests --- */
static const char *resource_path(K8sKind kind) {
    static const char *const paths[] = {[K8S_NODE] = "/api/v1|nodes",
        [K8S_POD] = "/api/v1|pods",
        [K8S_SERVICE] = "/api/v1|services",
        [K8S_ENDPOINTS] = "/api/v1|endpoints",
        [K8S_ENDPOINTSLICE] = "/apis/discovery.k8s.io/v1|endpointslices",
        [K8S_INGRESS] = "/apis/networking.k8s.io/v1|ingresses",
        [K8S_NAMESPACE] = "/api/v1|namespaces",
        [K8S_REPLICASET] = "/apis/apps/v1|replicasets",
        [K8S_JOB] = "/apis/batch/v1|jobs"};
    return paths[kind];
}

static void put_param(Buf *url, const char *name, Str value) {
    if (!value.n) return;
    buf_put_char(url, str_find_char(buf_str(url), '?') == SIZE_MAX ? '?' : '&');
    buf_put_str(url, str_cstr(name));
    buf_put_char(url, '=');
    http_url_encode(url, value);
}

static void put_url(const Mirror *m, Buf *url) {
    Str rest = str_cstr(resource_path(m->kind)), group;
    bool ok = str_split_next(&rest, '|', &group);
    ASSERT(ok);
    buf_put_str(url, m->k->api.server);
    buf_put_str(url, group);
    if (m->ns.n) {
        buf_put_lit(url, "/namespaces/");
        http_url_encode(url, m->ns);
    }
    buf_put_char(url, '/');
    buf_put_str(url, rest);
    put_param(url, "labelSelector", m->selector_label);
    put_param(url, "fieldSelector", m->selector_field);
    if (m->state == MIRROR_LIST) {
        put_param(url, "limit", STR("500"));
        put_param(url, "continue", buf_str(&m->page));
    } else {
        put_param(url, "watch", STR("1"));
        put_param(url, "allowWatchBookmarks", STR("true"));
        put_param(url, "resourceVersion", buf_str(&m->version));
        buf_printf(url, "&timeoutSeconds=%u", (unsigned)(WATCH_S_MIN + random_u64() % WATCH_S_MIN));
    }
}

static bool on_data(void *ctx, Str data) {
    Mirror *m = ctx;
    SdSource *s = m->k->s;
    mutex_lock(&s->lock);
    bool room = !m->abort && m->data.n + data.n <= (m->watching ? PENDING_BYTES_MAX : SD_ANSWER_BYTES_MAX);
    if (room) buf_put_str(&m->data, data);
    if (m->watching) cond_broadcast(&s->wake);
    mutex_unlock(&s->lock);
    return room;
}

static void on_end(void *ctx, const HttpClientResponse *res) {
    Mirror *m = ctx;
    SdSource *s = m->k->s;
    mutex_lock(&s->lock);
    m->out = false;
    m->ended = true;
    m->code = res->code;
    m->status = res->status;
    snprintf(m->error, sizeof m->error, "%.150s", res->error);
    m->k->n_out--;
    cond_broadcast(&s->wake);
    mutex_unlock(&s->lock);
}

static void send_request(Mirror *m) {
    static const char *const headers[] = {"Accept: application/json", NULL};
    Buf url = {0};
    put_url(m, &url);
    HttpClientRequest req = {.url = buf_cstr(&url),
        .headers = headers,
        .accept_gzip = m->state == MIRROR_LIST,
        .timeout_ms = m->state == MIRROR_LIST ? LIST_TIMEOUT_MS : 2 * WATCH_S_MIN * 1000 + LIST_TIMEOUT_MS,
        .max_body_bytes = SD_ANSWER_BYTES_MAX,
        .on_data = on_data};
    mutex_lock(&m->k->s->lock);
    m->out = true;
    m->ended = m->abort = false;
    m->watching = m->state == MIRROR_WATCH;
    buf_clear(&m->data);
    m->k->n_out++;
    mutex_unlock(&m->k->s->lock);
    prom_http_start(m->k->http, &req, on_end, m);
    buf_done(&url);
}

/* --- answers --- */
static void set_text(Buf *b, Str s) {
    buf_clear(b);
    buf_put_str(b, s);
}

static void begin_list(Mirror *m) {
    m->state = MIRROR_LIST;
    m->generation++;
    buf_clear(&m->page);
}

static void fail(Mirror *m, const char *what, const char *why) {
    m->backoff_ms = MIN(MAX(m->backoff_ms * 2, (int64_t)BACKOFF_MS_MIN), (int64_t)BACKOFF_MS_MAX);
    m->due_ns = clock_mono_ns() + m->backoff_ms * NS_PER_MS;
    sd_fail(m->k->s, "%s %s: %.150s", what, strchr(resource_path(m->kind), '|') + 1, why);
}

static void take_list(Mirror *m, Str body) {
    Kubernetes *k = m->k;
    Arena *arena = arena_create(SD_ARENA_BYTES_MAX);
    JsonValue *root;
    Err err = {0};
    if (json_parse(body, arena, &root, &err) != OK) {
        fail(m, "listing", err.msg);
        begin_list(m);
        arena_free(arena);
        return;
    }
    for (const JsonValue *o = k8s_first(root, "items"); o; o = o->next)
        (void)k8s_store_put(&k->store, m->kind, o, m->id, m->generation);
    set_text(&m->page, k8s_str(root, "metadata.continue"));
    if (m->page.n == 0) {
        set_text(&m->version, k8s_str(root, "metadata.resourceVersion"));
        k8s_store_sweep(&k->store, m->kind, m->id, m->generation);
        m->state = MIRROR_WATCH;
        m->synced = true;
        k->changed = true;
    }
    m->backoff_ms = 0;
    m->due_ns = 0;
    arena_free(arena);
}

/* false: the watch must begin with a list again. */
static bool take_event(Mirror *m, Str line) {
    Kubernetes *k = m->k;
    Arena *arena = arena_create(EVENT_BYTES_MAX);
    JsonValue *root;
    bool ok = true;
    if (json_parse(line, arena, &root, NULL) != OK) {
        arena_free(arena);
        return false;
    }
    Str type = json_get_str(root, STR("type"));
    const JsonValue *object = json_get(root, STR("object"));
    if (str_eq_lit(type, "ERROR")) {
        ok = false;
    } else if (object) {
        Str version = k8s_str(object, "metadata.resourceVersion");
        if (version.n) set_text(&m->version, version);
        if (str_eq_lit(type, "ADDED") || str_eq_lit(type, "MODIFIED"))
            k->changed |= k8s_store_put(&k->store, m->kind, object, m->id, m->generation);
        else if (str_eq_lit(type, "DELETED"))
            k8s_store_remove(&k->store, m->kind, object), k->changed = true;
    }
    arena_free(arena);
    return ok;
}

/* Whole lines of what has come. false: list again. */
static bool take_events(Mirror *m, Str data, size_t *ret_used) {
    *ret_used = 0;
    for (;;) {
        Str rest = str_skip(data, *ret_used);
        size_t nl = str_find_char(rest, '\n');
        if (nl == SIZE_MAX) return true;
        Str line = str_trim(str_slice(rest, 0, nl));
        *ret_used += nl + 1;
        if (line.n && !take_event(m, line)) return false;
    }
}

/* The data that came, taken out of the lock's reach; what is left over of it is put back in front. */
static Buf take_data(Mirror *m, bool *ret_ended) {
    mutex_lock(&m->k->s->lock);
    Buf data = m->data;
    m->data = (Buf){0};
    *ret_ended = m->ended;
    m->ended = false;
    mutex_unlock(&m->k->s->lock);
    return data;
}

static void put_back(Mirror *m, Str left) {
    if (!left.n) return;
    Buf joined = {0};
    buf_put_str(&joined, left);
    mutex_lock(&m->k->s->lock);
    buf_put_str(&joined, buf_str(&m->data));
    buf_done(&m->data);
    m->data = joined;
    mutex_unlock(&m->k->s->lock);
}

static void ended_list(Mirror *m, Str body) {
    char text[64];
    if (m->code != OK) {
        fail(m, "listing", m->error);
    } else if (m->status == 410) {
        begin_list(m); /* the continue token is too old */
    } else if (m->status != 200) {
        snprintf(text, sizeof text, "server returned HTTP status %d %s", m->status, http_status_text(m->status));
        fail(m, "listing", text);
        begin_list(m);
    } else {
        take_list(m, body);
    }
}

static void ended_watch(Mirror *m) {
    char text[64];
    if (m->code == OK && m->status == 200) {
        m->backoff_ms = 0;
        m->due_ns = 0; /* its time was over */
    } else if (m->code == OK && m->status == 410) {
        begin_list(m);
    } else if (m->code == ERR_TIMEOUT) {
        m->due_ns = 0;
    } else if (m->code == ERR_CANCELLED) {
        begin_list(m); /* more events than there is room for */
    } else {
        snprintf(text, sizeof text, "server returned HTTP status %d %s", m->status, http_status_text(m->status));
        fail(m, "watching", m->code != OK ? m->error : text);
    }
}

/* A watch that must list again is out until its server ends it or sends more; what it says then is old news. */
static void abort_watch(Mirror *m) {
    begin_list(m);
    mutex_lock(&m->k->s->lock);
    m->abort = true;
    mutex_unlock(&m->k->s->lock);
}

static void take_news(Mirror *m) {
    bool ended;
    size_t used = 0;
    Buf data = take_data(m, &ended);
    if (!m->watching) {
        if (ended)
            ended_list(m, buf_str(&data));
        else
            put_back(m, buf_str(&data));
    } else if (!m->abort) {
        bool good = take_events(m, buf_str(&data), &used);
        if (!good)
            abort_watch(m);
        else if (ended)
            ended_watch(m);
        else
            put_back(m, str_skip(buf_str(&data), used));
    }
    buf_done(&data);
}

static void step_mirror(Mirror *m, int64_t now, int64_t *next) {
    mutex_lock(&m->k->s->lock);
    bool news = m->ended || (m->watching && m->data.n);
    mutex_unlock(&m->k->s->lock);
    if (news) take_news(m);
    mutex_lock(&m->k->s->lock);
    bool busy = m->out || m->ended;
    mutex_unlock(&m->k->s->lock);
    if (busy) return;
    if (m->due_ns <= now)
        send_request(m);
    else
        *next = MIN(*next, m->due_ns);
}

/* --- which mirrors --- */
static void add_mirror(Kubernetes *k, K8sKind kind, Str ns) {
    static const SdKubernetesRole roles[] = {[K8S_NODE] = SD_K8S_NODE,
        [K8S_POD] = SD_K8S_POD,
        [K8S_SERVICE] = SD_K8S_SERVICE,
        [K8S_ENDPOINTS] = SD_K8S_ENDPOINTS,
        [K8S_ENDPOINTSLICE] = SD_K8S_ENDPOINTSLICE,
        [K8S_INGRESS] = SD_K8S_INGRESS};
    const PromSdConfig *c = k->s->config;
    Mirror *m = &k->mirrors[k->n_mirrors];
    *m = (Mirror){.k = k, .kind = kind, .id = (uint32_t)k->n_mirrors, .ns = ns};
    for (size_t i = 0; kind < K8S_NAMESPACE && i < c->kubernetes.n_selectors; i++) {
        if (c->kubernetes.selectors[i].role != roles[kind]) continue;
        m->selector_label = c->kubernetes.selectors[i].label;
        m->selector_field = c->kubernetes.selectors[i].field;
    }
    begin_list(m);
    k->n_mirrors++;
}

static void add_kind(Kubernetes *k, K8sKind kind) {
    const PromSdConfig *c = k->s->config;
    bool cluster_wide = kind == K8S_NODE || kind == K8S_NAMESPACE;
    bool own = c->kubernetes.own_namespace && k->api.own_namespace.n;
    if (cluster_wide || (!c->kubernetes.namespaces.n && !c->kubernetes.own_namespace)) {
        add_mirror(k, kind, STR(""));
        return;
    }
    for (size_t i = 0; i < c->kubernetes.namespaces.n; i++) add_mirror(k, kind, c->kubernetes.namespaces.v[i]);
    if (own) add_mirror(k, kind, k->api.own_namespace);
}

static void add_mirrors(Kubernetes *k) {
    const PromSdConfig *c = k->s->config;
    SdKubernetesRole role = c->kubernetes.role;
    k->mirrors = ARENA_ARRAY(k->api.arena, Mirror, K8S_KINDS * (c->kubernetes.namespaces.n + 2));
    ASSERT(k->mirrors);
    bool endpoints = role == SD_K8S_ENDPOINTS || role == SD_K8S_ENDPOINTSLICE;
    if (role == SD_K8S_NODE || (c->kubernetes.attach_node && (role == SD_K8S_POD || endpoints))) add_kind(k, K8S_NODE);
    if (role == SD_K8S_POD || endpoints) add_kind(k, K8S_POD);
    if (role == SD_K8S_SERVICE || endpoints) add_kind(k, K8S_SERVICE);
    if (role == SD_K8S_ENDPOINTS) add_kind(k, K8S_ENDPOINTS);
    if (role == SD_K8S_ENDPOINTSLICE) add_kind(k, K8S_ENDPOINTSLICE);
    if (role == SD_K8S_INGRESS) add_kind(k, K8S_INGRESS);
    if (c->kubernetes.attach_namespace && role != SD_K8S_NODE) add_kind(k, K8S_NAMESPACE);
    if (role != SD_K8S_POD && !endpoints) return;
    if (c->kubernetes.attach_deployment) add_kind(k, K8S_REPLICASET);
    if (c->kubernetes.attach_cronjob) add_kind(k, K8S_JOB); /* a job's name is in its pods */
}

/* --- the loop --- */
static bool all_synced(const Kubernetes *k) {
    for (size_t i = 0; i < k->n_mirrors; i++)
        if (!k->mirrors[i].synced) return false;
    return true;
}

static void publish(Kubernetes *k) {
    SdBuilder b = sd_builder();
    K8sBuild build = {k->s->config, &k->store, &b};
    k8s_build(&build);
    /* The objects may change before the targets are used up: their strings must be the targets' own. */
    for (size_t i = 0; i < b.targets.n && !b.exhausted; i++) {
        b.targets.v[i] = labels_copy(b.arena, b.targets.v[i]);
        b.exhausted = b.exhausted || (b.targets.v[i].n && !b.targets.v[i].v);
    }
    sd_publish(k->s, &b);
    k->changed = false;
    k->published_ns = clock_mono_ns();
}

static bool has_news(const Kubernetes *k) {
    for (size_t i = 0; i < k->n_mirrors; i++) {
        const Mirror *m = &k->mirrors[i];
        if (m->ended || (m->watching && memchr(m->data.p ? m->data.p : "", '\n', m->data.n))) return true;
    }
    return false;
}

static bool wait_news(Kubernetes *k, int64_t until_ns) {
    SdSource *s = k->s;
    mutex_lock(&s->lock);
    while (!s->stop && !has_news(k)) {
        int64_t left = (until_ns - clock_mono_ns()) / NS_PER_MS + 1;
        if (left <= 1) break;
        (void)cond_wait_ms(&s->wake, &s->lock, left);
    }
    bool go = !s->stop;
    mutex_unlock(&s->lock);
    return go;
}

static void run(Kubernetes *k) {
    bool go = true;
    while (go) {
        int64_t now = clock_mono_ns(), next = now + 60 * NS_PER_S;
        for (size_t i = 0; i < k->n_mirrors; i++) step_mirror(&k->mirrors[i], now, &next);
        if (k->changed && all_synced(k)) {
            int64_t free_ns = k->published_ns ? k->published_ns + PUBLISH_GAP_MS * NS_PER_MS : 0;
            if (now >= free_ns)
                publish(k);
            else
                next = MIN(next, free_ns);
        }
        go = wait_news(k, next);
    }
}

static void done(Kubernetes *k) {
    SdSource *s = k->s;
    mutex_lock(&s->lock);
    while (k->n_out) cond_wait(&s->wake, &s->lock); /* the client is being stopped: all of them come back */
    mutex_unlock(&s->lock);
    for (size_t i = 0; i < k->n_mirrors; i++) {
        buf_done(&k->mirrors[i].version);
        buf_done(&k->mirrors[i].page);
        buf_done(&k->mirrors[i].data);
    }
    k8s_store_done(&k->store);
    prom_http_free(k->http);
}

void sd_kubernetes_run(SdSource *s) {
    Kubernetes k = {.s = s};
    Err err = {0};
    while (k8s_api_find(s->config, &k.api, &err) != OK) {
        sd_fail(s, "%.250s", err.msg);
        arena_free(k.api.arena);
        if (!sd_wait(s, API_RETRY_MS)) return;
    }
    k.http = prom_http_create(s->client, &k.api.http);
    k8s_store_init(&k.store);
    add_mirrors(&k);
    run(&k);
    done(&k);
    arena_free(k.api.arena);
}
