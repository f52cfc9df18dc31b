/* rule_api_store.c - rules made over the ruler API of Mimir and of Loki: one file per namespace, on disk before the
 * answer. Paths, statuses and texts are those of the two; cortextool, mimirtool, lokitool and Grafana use them. */
#include "alert/rule_int.h"
#include "base/log.h"
#include "sys/fs.h"

#include <stdio.h>

#define NAMESPACE_BYTES (16u << 20)
#define NAMESPACES_MAX 4096
#define ACCEPTED STR("{\"status\":\"success\",\"data\":null,\"errorType\":\"\",\"error\":\"\"}")

typedef enum RulerKind { RULER_PROMETHEUS, RULER_LOKI } RulerKind;
static const char *const kind_names[] = {"prometheus", "loki"};

static Str kind_datasource(RulerKind kind) { return kind == RULER_LOKI ? STR("loki") : STR(""); }

static RuleFileOptions parse_options(const RuleManager *m, RulerKind kind) {
    return (RuleFileOptions){.datasource = kind_datasource(kind), .check = m->opts.check, .ctx = m->opts.ctx};
}

/* dir/ruler/prometheus/NAMESPACE.yml with everything unusual in the name as %XX. */
static bool namespace_path(const RuleManager *m, RulerKind kind, Str ns, char out[FS_PATH_MAX]) {
    Buf name = {0};
    for (size_t i = 0; i < ns.n; i++) {
        char c = ns.p[i];
        bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
        if (plain)
            buf_put_char(&name, c);
        else
            buf_printf(&name, "%%%02X", (unsigned char)c);
    }
    bool ok = ns.n > 0 && name.n < 200;
    if (ok) snprintf(out, FS_PATH_MAX, "%s/ruler/%s/%s.yml", m->dir, kind_names[kind], buf_cstr(&name));
    buf_done(&name);
    return ok;
}

/* --- reading what is there --- */

typedef struct Namespace {
    RulerKind kind;
    Str name;
    Arena *arena; /* owns all of it */
    RuleFile file;
} Namespace;

typedef struct Namespaces {
    const RuleManager *m;
    RulerKind kind;
    VEC(Namespace) v;
} Namespaces;

static bool read_namespace(Namespaces *all, Str name) {
    char path[FS_PATH_MAX];
    Buf text = {0};
    Err err = {0};
    DiagList diags;
    if (!namespace_path(all->m, all->kind, name, path)) return false;
    if (fs_read_file(fs_real(), path, NAMESPACE_BYTES, &text, &err) != OK) {
        buf_done(&text);
        return false;
    }
    Namespace n = {.kind = all->kind, .arena = arena_create(256u << 20)};
    n.name = arena_copy(n.arena, name);
    diag_init(&diags, str_cstr(path), arena_copy(n.arena, buf_str(&text)));
    buf_done(&text);
    RuleFileOptions opts = parse_options(all->m, all->kind);
    ErrCode r = rule_file_parse(&opts, n.arena, &n.file, &diags);
    if (r != OK) log_error("rules made over the API cannot be read", "file", path, NULL);
    diag_done(&diags);
    if (r == OK)
        vec_push(&all->v, n);
    else
        arena_free(n.arena);
    return r == OK;
}

static bool list_one(void *ctx, Str name, bool is_dir, uint64_t size) {
    Namespaces *all = ctx;
    (void)size;
    if (is_dir || !str_ends_with(name, STR(".yml"))) return true;
    Arena *arena = arena_create(1u << 16);
    (void)read_namespace(all, http_url_decode(arena, str_slice(name, 0, name.n - 4), false));
    arena_free(arena);
    return all->v.n < NAMESPACES_MAX;
}

static void read_all(Namespaces *all, RulerKind kind) {
    char dir[FS_PATH_MAX];
    all->kind = kind;
    snprintf(dir, sizeof dir, "%s/ruler/%s", all->m->dir, kind_names[kind]);
    if (fs_real()->ops->exists(fs_real(), dir)) (void)fs_real()->ops->list(fs_real(), dir, list_one, all, NULL);
}

static void free_all(Namespaces *all) {
    for (size_t i = 0; i < all->v.n; i++) arena_free(all->v.v[i].arena);
    vec_done(&all->v);
}

/* What is on disk becomes what is evaluated. */
ErrCode rule_api_load(RuleManager *m, Err *reterr) {
    Namespaces all = {.m = m};
    size_t n = 0, max = 0;
    (void)reterr;
    if (!m->dir) return OK;
    read_all(&all, RULER_PROMETHEUS);
    read_all(&all, RULER_LOKI);
    for (size_t i = 0; i < all.v.n; i++) max += all.v.v[i].file.n_groups;
    RuleGroup **groups = mem_alloc_array(max + 1, sizeof *groups);
    for (size_t i = 0; i < all.v.n; i++) {
        Namespace *ns = &all.v.v[i];
        Str file = arena_printf(ns->arena, RULE_API_PREFIX "%s/%" STR_FMT, kind_names[ns->kind], STR_ARG(ns->name));
        RuleSource *source = rule_source_create(ns->arena);
        for (size_t k = 0; k < ns->file.n_groups; k++)
            groups[n++] = rule_group_create(m, file, &ns->file.groups[k], source);
        rule_source_unref(source);
    }
    rule_manager_replace(m, groups, n, true);
    mem_free(groups);
    vec_done(&all.v);
    return OK;
}

/* --- writing --- */

static bool same_group(const RuleGroupDef *g, Str name) { return str_eq(g->name, name); }

/* The namespace without the group of that name, with the new one behind it (or in its place). */
static ErrCode write_namespace(
    RuleManager *m, RulerKind kind, Str name, const RuleFile *old, Str drop, const RuleGroupDef *add, Err *reterr) {
    char path[FS_PATH_MAX], dir[FS_PATH_MAX];
    Buf out = {0};
    size_t n = 0;
    if (!namespace_path(m, kind, name, path))
        return err_set(reterr, ERR_INVALID, "a namespace needs a name of at most 200 bytes");
    if (kind == RULER_LOKI) buf_put_lit(&out, "datasource: loki\n");
    buf_put_lit(&out, "groups:\n");
    for (size_t i = 0; old && i < old->n_groups; i++) {
        bool hit = same_group(&old->groups[i], drop);
        if (hit && !add) continue;
        size_t at = out.n;
        rule_group_put_yaml(&out, hit ? add : &old->groups[i], 2);
        out.p[at] = '-';
        n++;
        if (hit) add = NULL;
    }
    if (add) {
        size_t at = out.n;
        rule_group_put_yaml(&out, add, 2);
        out.p[at] = '-';
        n++;
    }
    snprintf(dir, sizeof dir, "%s/ruler/%s", m->dir, kind_names[kind]);
    ErrCode r = fs_real()->ops->make_dir(fs_real(), dir, reterr);
    if (r == OK && n > 0) r = fs_write_file_atomic(fs_real(), path, buf_str(&out), reterr);
    if (r == OK && n == 0) {
        r = fs_real()->ops->remove(fs_real(), path, reterr);
        if (r == OK) r = fs_real()->ops->sync_dir(fs_real(), dir, reterr);
    }
    buf_done(&out);
    return r == OK ? rule_api_load(m, reterr) : r;
}

/* --- handlers --- */

static const RuleFile *find_namespace(Namespaces *all, RulerKind kind, Str name) {
    all->kind = kind;
    return read_namespace(all, name) ? &all->v.v[all->v.n - 1].file : NULL;
}

static void reply_yaml(HttpResponse *res, Buf *out) {
    http_reply(res, 200, STR("application/yaml"), buf_str(out));
    buf_done(out);
}

static void put_namespace(Buf *out, const Namespace *ns) {
    /* A quoted name is always right. */
    json_put_string(out, ns->name);
    buf_put_lit(out, ":\n");
    for (size_t i = 0; i < ns->file.n_groups; i++) {
        size_t at = out->n;
        rule_group_put_yaml(out, &ns->file.groups[i], 4);
        out->p[at + 2] = '-';
    }
}

static bool kept(const RuleManager *m, HttpResponse *res) {
    if (!m->dir) http_reply_text(res, 501, "this server keeps no rules\n");
    return m->dir != NULL;
}

static void get_rules(RuleManager *m, RulerKind kind, HttpRequest *req, HttpResponse *res) {
    Str ns = http_path_param(req, STR("namespace")), group = http_path_param(req, STR("group"));
    Namespaces all = {.m = m};
    Buf out = {0};
    if (!kept(m, res)) return;
    if (ns.n)
        (void)find_namespace(&all, kind, ns);
    else
        read_all(&all, kind);
    for (size_t i = 0; i < all.v.n; i++) {
        const RuleFile *f = &all.v.v[i].file;
        if (!group.n) put_namespace(&out, &all.v.v[i]);
        for (size_t k = 0; group.n && k < f->n_groups; k++)
            if (same_group(&f->groups[k], group)) rule_group_put_yaml(&out, &f->groups[k], 0);
    }
    if (out.n)
        reply_yaml(res, &out);
    else
        http_reply_text(res, 404, group.n ? "group does not exist\n" : "no rule groups found\n");
    free_all(&all);
}

static void post_group(RuleManager *m, RulerKind kind, HttpRequest *req, HttpResponse *res) {
    Str ns = http_path_param(req, STR("namespace"));
    Namespaces all = {.m = m};
    RuleGroupDef def;
    DiagList diags;
    Err err = {0};
    Buf text = {0};
    if (!kept(m, res)) return;
    diag_init(&diags, STR("body"), req->body);
    RuleFileOptions opts = parse_options(m, kind);
    ErrCode r = rule_group_parse(&opts, req->arena, &def, &diags);
    if (r == OK && def.n_rules == 0) {
        diag_add(&diags, DIAG_ERROR, 0, 0, 1, NULL, "a group needs rules");
        r = ERR_INVALID;
    }
    if (r != OK) {
        diag_render(&diags, &text, false);
        http_reply(res, 400, STR("text/plain; charset=utf-8"), buf_str(&text));
    } else {
        mutex_lock(&m->api_mutex);
        r = write_namespace(m, kind, ns, find_namespace(&all, kind, ns), def.name, &def, &err);
        mutex_unlock(&m->api_mutex);
        if (r == OK)
            http_reply(res, 202, STR("application/json"), ACCEPTED);
        else
            http_reply_error(res, &err);
    }
    buf_done(&text);
    diag_done(&diags);
    free_all(&all);
}

static bool has_group(const RuleFile *f, Str group) {
    for (size_t i = 0; i < f->n_groups; i++)
        if (same_group(&f->groups[i], group)) return true;
    return false;
}

static void delete_rules(RuleManager *m, RulerKind kind, HttpRequest *req, HttpResponse *res) {
    Str ns = http_path_param(req, STR("namespace")), group = http_path_param(req, STR("group"));
    Namespaces all = {.m = m};
    Err err = {0};
    if (!kept(m, res)) return;
    mutex_lock(&m->api_mutex);
    const RuleFile *f = find_namespace(&all, kind, ns);
    if (!f) {
        http_reply_text(res, 404, group.n ? "group does not exist\n" : "no rule groups found\n");
    } else if (group.n && !has_group(f, group)) {
        http_reply_text(res, 404, "group does not exist\n");
    } else if (write_namespace(m, kind, ns, group.n ? f : NULL, group, NULL, &err) != OK) {
        http_reply_error(res, &err);
    } else {
        http_reply(res, 202, STR("application/json"), ACCEPTED);
    }
    mutex_unlock(&m->api_mutex);
    free_all(&all);
}

static void answer(RuleManager *m, RulerKind kind, HttpRequest *req, HttpResponse *res) {
    if (req->method == HTTP_POST)
        post_group(m, kind, req, res);
    else if (req->method == HTTP_DELETE)
        delete_rules(m, kind, req, res);
    else
        get_rules(m, kind, req, res);
}

static void prometheus_ruler(void *ctx, HttpRequest *req, HttpResponse *res) {
    answer(ctx, RULER_PROMETHEUS, req, res);
}
static void loki_ruler(void *ctx, HttpRequest *req, HttpResponse *res) { answer(ctx, RULER_LOKI, req, res); }

/* --- listings in Prometheus' envelope, under the prefixes of Mimir and Loki --- */

static void put_rule_list(RuleManager *m, bool logs_only, HttpRequest *req, HttpResponse *res) {
    Buf data = {0};
    Err err = {0};
    JsonWriter w = json_writer(&data), out = json_writer(&res->body);
    ErrCode r = rule_put_rules(m, req, logs_only, &w, &err);
    json_begin_object(&out);
    json_key_lit(&out, "status");
    json_str(&out, r == OK ? STR("success") : STR("error"));
    if (r == OK) {
        json_key_lit(&out, "data");
        json_raw(&out, buf_str(&data));
    } else {
        res->status = 400;
        json_key_lit(&out, "errorType");
        json_str(&out, STR("bad_data"));
        json_key_lit(&out, "error");
        json_str(&out, str_cstr(err.msg));
    }
    json_end_object(&out);
    res->content_type = STR("application/json");
    buf_done(&data);
}

static void put_alert_list(RuleManager *m, bool logs_only, HttpResponse *res) {
    JsonWriter w = json_writer(&res->body);
    json_begin_object(&w);
    json_key_lit(&w, "status");
    json_str(&w, STR("success"));
    json_key_lit(&w, "data");
    rule_put_alerts(m, logs_only, &w);
    json_end_object(&w);
    res->content_type = STR("application/json");
}

static void list_rules(void *ctx, HttpRequest *req, HttpResponse *res) { put_rule_list(ctx, false, req, res); }
static void list_log_rules(void *ctx, HttpRequest *req, HttpResponse *res) { put_rule_list(ctx, true, req, res); }
static void list_alerts(void *ctx, HttpRequest *req, HttpResponse *res) {
    (void)req;
    put_alert_list(ctx, false, res);
}
static void list_log_alerts(void *ctx, HttpRequest *req, HttpResponse *res) {
    (void)req;
    put_alert_list(ctx, true, res);
}

static void add_ruler(RuleManager *m, Router *router, const char *const patterns[3], HttpHandler handler) {
    static const unsigned methods[] = {HTTP_GET, HTTP_GET | HTTP_POST | HTTP_DELETE, HTTP_GET | HTTP_DELETE};
    for (int i = 0; i < 3; i++)
        for (unsigned bit = 1; bit <= HTTP_PATCH; bit <<= 1) {
            if (!(methods[i] & bit)) continue;
            router_add(router, &(Route){.methods = bit,
                                   .pattern = patterns[i],
                                   .handler = handler,
                                   .ctx = m,
                                   .cls = ROUTE_QUERY,
                                   .max_body_bytes = 4u << 20,
                                   .role = bit == HTTP_GET ? ROLE_VIEWER : ROLE_EDITOR});
        }
}

void rule_manager_routes(RuleManager *m, Router *router, RuleRoutes kind) {
    static const char *const mimir[] = {"/prometheus/config/v1/rules", "/prometheus/config/v1/rules/{namespace}",
        "/prometheus/config/v1/rules/{namespace}/{group}"};
    static const char *const bare[] = {
        "/config/v1/rules", "/config/v1/rules/{namespace}", "/config/v1/rules/{namespace}/{group}"};
    static const char *const loki[] = {
        "/loki/api/v1/rules", "/loki/api/v1/rules/{namespace}", "/loki/api/v1/rules/{namespace}/{group}"};
    static const char *const old_loki[] = {
        "/api/prom/rules", "/api/prom/rules/{namespace}", "/api/prom/rules/{namespace}/{group}"};
    if (kind == RULE_ROUTES_LOKI) {
        add_ruler(m, router, loki, loki_ruler);
        add_ruler(m, router, old_loki, loki_ruler);
        return;
    }
    add_ruler(m, router, mimir, prometheus_ruler);
    add_ruler(m, router, bare, prometheus_ruler);
}

void rule_manager_list_routes(RuleManager *m, Router *router, RuleRoutes kind) {
    static const struct {
        const char *pattern;
        HttpHandler handler;
    } lists[] = {{"/prometheus/api/v1/rules", list_rules}, {"/prometheus/api/v1/alerts", list_alerts},
        {"/prometheus/api/v1/rules", list_log_rules}, {"/prometheus/api/v1/alerts", list_log_alerts}};
    for (size_t i = kind == RULE_ROUTES_LOKI ? 2 : 0, end = i + 2; i < end; i++)
        router_add(router, &(Route){.methods = HTTP_GET,
                               .pattern = lists[i].pattern,
                               .handler = lists[i].handler,
                               .ctx = m,
                               .cls = ROUTE_QUERY,
                               .role = ROLE_VIEWER});
}
