/* router.c - a trie of path segments: literal children first, then a parameter, then a rest. */
#include "net/http.h"

#include "base/map.h"
#include "base/vec.h"
#include "net/grpc_int.h"

#define SEGMENTS_MAX 32

typedef struct Node Node;
struct Node {
    Map *literals; /* segment -> Node *; NULL while there is none */
    Node *param;   /* any one segment */
    Node *rest;    /* all that remains, also nothing */
    VEC(Route *) routes;
};

struct Router {
    Node *root;
    const Router *fallback;
    VEC(Route *) routes;
    VEC(GrpcMethod *) grpc;
};

Router *router_create(void) {
    Router *r = NEW(Router);
    r->root = NEW(Node);
    return r;
}

static void node_free(Node *n) {
    if (!n) return;
    if (n->literals) {
        size_t it = 0;
        Str k;
        uint64_t *v;
        while (map_next(n->literals, &it, &k, &v)) node_free((Node *)(uintptr_t)*v);
        map_free(n->literals);
    }
    node_free(n->param);
    node_free(n->rest);
    vec_done(&n->routes);
    mem_free(n);
}

Router *router_free(Router *r) {
    if (!r) return NULL;
    node_free(r->root);
    for (size_t i = 0; i < r->routes.n; i++) mem_free(r->routes.v[i]);
    for (size_t i = 0; i < r->grpc.n; i++) mem_free(r->grpc.v[i]);
    vec_done(&r->routes);
    vec_done(&r->grpc);
    mem_free(r);
    return NULL;
}

void router_set_fallback(Router *r, Router *fallback) {
    for (const Router *f = fallback; f; f = f->fallback) ASSERT(f != r);
    r->fallback = fallback;
}

static bool is_param(Str seg) { return seg.n >= 3 && seg.p[0] == '{' && seg.p[seg.n - 1] == '}'; }
static bool is_rest(Str seg) { return is_param(seg) && str_ends_with(seg, STR("...}")); }

static Node *literal_child(Node *n, Str seg, bool create) {
    Node *child = n->literals ? map_get_ptr(n->literals, seg) : NULL;
    if (child || !create) return child;
    if (!n->literals) n->literals = map_create(MAP_COPY_KEYS);
    child = NEW(Node);
    map_set_ptr(n->literals, seg, child);
    return child;
}

static Node *child_for_pattern(Node *n, Str seg) {
    Node **slot = is_rest(seg) ? &n->rest : is_param(seg) ? &n->param : NULL;
    if (!slot) return literal_child(n, seg, true);
    if (!*slot) *slot = NEW(Node);
    return *slot;
}

void router_add(Router *r, const Route *route) {
    ASSERT(route->methods && route->handler && route->pattern && route->pattern[0] == '/');
    Str rest = str_cstr(route->pattern + 1), seg;
    Node *n = r->root;
    size_t segments = 0, params = 0;
    while (str_split_next(&rest, '/', &seg)) {
        ASSERT(++segments <= SEGMENTS_MAX);
        if (is_param(seg)) ASSERT(++params <= ARRAY_LEN(((RouteMatch *)NULL)->params));
        if (is_rest(seg)) ASSERT(rest.p == NULL);
        n = child_for_pattern(n, seg);
    }
    for (size_t i = 0; i < n->routes.n; i++) ASSERT((n->routes.v[i]->methods & route->methods) == 0);
    Route *copy = NEW(Route);
    *copy = *route;
    vec_push(&n->routes, copy);
    vec_push(&r->routes, copy);
}

void router_add_grpc(Router *r, const GrpcMethod *method) {
    GrpcMethod *m = NEW(GrpcMethod);
    *m = *method;
    if (!m->max_message_bytes) m->max_message_bytes = GRPC_MESSAGE_MAX_DEFAULT;
    vec_push(&r->grpc, m);
    /* A compressed message can be a little longer than its content. */
    router_add(r, &(Route){.methods = HTTP_POST,
                      .pattern = m->path,
                      .handler = grpc_route_handler,
                      .ctx = m,
                      .cls = m->cls,
                      .role = ROLE_EDITOR,
                      .max_body_bytes = m->max_message_bytes + m->max_message_bytes / 64 + 1024,
                      .arena_bytes = 4 * m->max_message_bytes + (1 << 20)});
}

typedef struct Matcher {
    HttpMethod method;
    Str segments[SEGMENTS_MAX]; /* raw */
    size_t offsets[SEGMENTS_MAX];
    size_t n_segments;
    Str path;                                                 /* raw, without the leading slash */
    size_t captured[ARRAY_LEN(((RouteMatch *)NULL)->params)]; /* index of the segment each parameter took */
    size_t n_captured;
    bool found; /* the path exists */
    unsigned allowed;
    const Route *route;
} Matcher;

static bool take_routes(Matcher *m, const Node *n) {
    if (n->routes.n == 0) return false;
    m->found = true;
    for (size_t i = 0; i < n->routes.n; i++) {
        const Route *r = n->routes.v[i];
        m->allowed |= r->methods | (r->methods & HTTP_GET ? HTTP_HEAD : 0);
    }
    for (size_t i = 0; i < n->routes.n; i++) {
        if (n->routes.v[i]->methods & m->method) return m->route = n->routes.v[i], true;
    }
    for (size_t i = 0; m->method == HTTP_HEAD && i < n->routes.n; i++) {
        if (n->routes.v[i]->methods & HTTP_GET) return m->route = n->routes.v[i], true;
    }
    return false;
}

/* Depth is bounded by SEGMENTS_MAX, the work by the number of nodes in the trie. */
static bool match_from(Matcher *m, const Node *n, size_t at, Arena *arena) {
    if (at == m->n_segments) return take_routes(m, n);
    if (n->literals) {
        Str seg = http_url_decode(arena, m->segments[at], false);
        const Node *child = seg.p || seg.n == 0 ? map_get_ptr(n->literals, seg) : NULL;
        if (child && match_from(m, child, at + 1, arena)) return true;
    }
    if (n->param && m->segments[at].n > 0) {
        m->captured[m->n_captured++] = at;
        if (match_from(m, n->param, at + 1, arena)) return true;
        m->n_captured--;
    }
    if (n->rest) {
        m->captured[m->n_captured++] = at;
        if (take_routes(m, n->rest)) return true;
        m->n_captured--;
    }
    return false;
}

/* Parameter names are read from the pattern itself, so that routes sharing a node may name them differently. */
static bool fill_params(const Matcher *m, Arena *arena, RouteMatch *ret) {
    Str rest = str_cstr(m->route->pattern + 1), seg;
    size_t k = 0;
    while (str_split_next(&rest, '/', &seg)) {
        if (!is_param(seg)) continue;
        ASSERT(k < m->n_captured);
        size_t at = m->captured[k++];
        Str raw = is_rest(seg) ? str_skip(m->path, m->offsets[at]) : m->segments[at];
        Str value = http_url_decode(arena, raw, false);
        if (raw.n && !value.p) return false;
        Str name = str_slice(seg, 1, seg.n - (is_rest(seg) ? 4 : 1));
        ret->params[ret->n_params++] = (HttpParam){name, value};
    }
    return true;
}

/* Segments over the maximum stay unsplit in the last one: only a rest parameter can take them. */
static void split_path(Matcher *m, Str raw_path) {
    m->path = raw_path.n && raw_path.p[0] == '/' ? str_skip(raw_path, 1) : raw_path;
    size_t from = 0;
    for (size_t i = 0; i <= m->path.n; i++) {
        bool last = i == m->path.n;
        if (!last && (m->path.p[i] != '/' || m->n_segments == SEGMENTS_MAX - 1)) continue;
        m->offsets[m->n_segments] = from;
        m->segments[m->n_segments++] = str_slice(m->path, from, i);
        from = i + 1;
    }
}

bool router_match(const Router *r, HttpMethod method, Str raw_path, Arena *arena, RouteMatch *ret) {
    Matcher m = {.method = method};
    memset(ret, 0, sizeof(*ret));
    split_path(&m, raw_path);
    for (; r; r = r->fallback) {
        m.n_captured = 0;
        if (match_from(&m, r->root, 0, arena)) break;
    }
    ret->allowed_methods = m.allowed;
    if (m.route && fill_params(&m, arena, ret)) ret->route = m.route;
    return m.found;
}
