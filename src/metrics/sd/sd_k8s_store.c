/* sd_k8s_store.c - a mirror of the cluster's objects, each pruned to what labels are made from. */
#include "metrics/sd/sd_k8s_int.h"

#define OBJECT_BYTES_MAX ((size_t)4 << 20)

const JsonValue *k8s_at(const JsonValue *v, const char *path) {
    Str rest = str_cstr(path), part;
    while (v && str_split_next(&rest, '.', &part)) v = json_get(v, part);
    return v;
}

Str k8s_str(const JsonValue *v, const char *path) {
    v = k8s_at(v, path);
    return v && (v->kind == JSON_K_STRING || v->kind == JSON_K_NUMBER) ? v->text : STR("");
}

const JsonValue *k8s_first(const JsonValue *v, const char *path) {
    v = k8s_at(v, path);
    return v && (v->kind == JSON_K_ARRAY || v->kind == JSON_K_OBJECT) ? v->first : NULL;
}

bool k8s_true(const JsonValue *v, const char *path) {
    v = k8s_at(v, path);
    return v && v->kind == JSON_K_BOOL && v->boolean;
}

/* --- pruned copies --- */
static bool is_ballast(Str key) {
    static const char *const keys[] = {"managedFields", "env", "envFrom", "volumes", "volumeMounts", "livenessProbe",
        "readinessProbe", "startupProbe", "lifecycle", "resources", "securityContext", "args", "command", "affinity",
        "tolerations", "images", "capacity", "allocatable", "nodeInfo", "volumesAttached", "volumesInUse", "state",
        "lastState", "topologySpreadConstraints", "imagePullSecrets", "template"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        if (str_eq(key, str_cstr(keys[i]))) return true;
    }
    return false;
}

static JsonValue *copy(Arena *arena, const JsonValue *v, bool prune, unsigned depth) {
    JsonValue *c = ARENA_NEW(arena, JsonValue);
    if (!c || depth > JSON_DEPTH_MAX) return NULL;
    *c = (JsonValue){.kind = v->kind, .boolean = v->boolean};
    c->text = arena_copy(arena, v->text);
    c->key = arena_copy(arena, v->key);
    JsonValue **tail = &c->first;
    for (const JsonValue *it = v->first; it; it = it->next) {
        /* Labels and annotations may have any name. */
        bool inside = prune && !str_eq_lit(it->key, "labels") && !str_eq_lit(it->key, "annotations");
        if (prune && v->kind == JSON_K_OBJECT && is_ballast(it->key)) continue;
        *tail = copy(arena, it, inside, depth + 1);
        if (!*tail) return NULL;
        tail = &(*tail)->next;
        c->n++;
    }
    return c;
}

/* --- objects --- */
static void object_free(K8sObject *o) {
    if (!o) return;
    arena_free(o->arena);
    mem_free(o);
}

static bool key_of(const JsonValue *object, Buf *key) {
    Str name = k8s_str(object, "metadata.name");
    buf_put_str(key, k8s_str(object, "metadata.namespace"));
    buf_put_char(key, '/');
    buf_put_str(key, name);
    return name.n > 0;
}

void k8s_store_init(K8sStore *s) {
    for (size_t i = 0; i < K8S_KINDS; i++) s->objects[i] = map_create(MAP_COPY_KEYS);
}

void k8s_store_done(K8sStore *s) {
    for (size_t i = 0; i < K8S_KINDS; i++) {
        size_t it = 0;
        Str key;
        uint64_t *v;
        while (map_next(s->objects[i], &it, &key, &v)) object_free((K8sObject *)(uintptr_t)*v);
        map_free(s->objects[i]);
    }
}

bool k8s_store_put(K8sStore *s, K8sKind kind, const JsonValue *object, uint32_t origin, uint64_t generation) {
    Buf key = {0};
    bool ok = key_of(object, &key);
    if (ok) {
        K8sObject *o = NEW(K8sObject);
        *o = (K8sObject){arena_create(OBJECT_BYTES_MAX), NULL, generation, origin};
        o->root = copy(o->arena, object, true, 0);
        ok = o->root != NULL && !arena_exhausted(o->arena);
        uint64_t *at = ok ? map_put(s->objects[kind], buf_str(&key), NULL) : NULL;
        if (ok) {
            object_free((K8sObject *)(uintptr_t)*at);
            *at = (uint64_t)(uintptr_t)o;
        } else {
            object_free(o);
        }
    }
    buf_done(&key);
    return ok;
}

static void remove_key(K8sStore *s, K8sKind kind, Str key) {
    uint64_t old = 0;
    if (map_remove(s->objects[kind], key, &old)) object_free((K8sObject *)(uintptr_t)old);
}

void k8s_store_remove(K8sStore *s, K8sKind kind, const JsonValue *object) {
    Buf key = {0};
    if (key_of(object, &key)) remove_key(s, kind, buf_str(&key));
    buf_done(&key);
}

void k8s_store_sweep(K8sStore *s, K8sKind kind, uint32_t origin, uint64_t generation) {
    VEC(Str) gone = {0};
    Arena *arena = arena_create(ARENA_UNLIMITED);
    size_t it = 0;
    Str key;
    uint64_t *v;
    while (map_next(s->objects[kind], &it, &key, &v)) {
        const K8sObject *o = (const K8sObject *)(uintptr_t)*v;
        if (o->origin == origin && o->generation != generation) vec_push(&gone, arena_copy(arena, key));
    }
    vec_foreach(Str, g, &gone) remove_key(s, kind, *g);
    vec_done(&gone);
    arena_free(arena);
}

const JsonValue *k8s_store_get(const K8sStore *s, K8sKind kind, Str ns, Str name) {
    Buf key = {0};
    buf_put_str(&key, ns);
    buf_put_char(&key, '/');
    buf_put_str(&key, name);
    const K8sObject *o = map_get_ptr(s->objects[kind], buf_str(&key));
    buf_done(&key);
    return o ? o->root : NULL;
}
