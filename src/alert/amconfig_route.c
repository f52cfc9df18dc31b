/* amconfig_route.c - the routing tree: reading, inheritance, keys, matching. */
#include "alert/amconfig_int.h"

#include <stdio.h>

#include "alert/amlabel.h"

#include <stdlib.h>

#define ROUTE_DEPTH_MAX 32

static const Str route_keys[] = {STR_INIT("receiver"), STR_INIT("group_by"), STR_INIT("continue"), STR_INIT("match"),
    STR_INIT("match_re"), STR_INIT("matchers"), STR_INIT("group_wait"), STR_INIT("group_interval"),
    STR_INIT("repeat_interval"), STR_INIT("mute_time_intervals"), STR_INIT("active_time_intervals"), STR_INIT("routes"),
    STR_INIT("labels"), STR_INIT("resolve_immediately")};

typedef struct Counter {
    AVEC(AmRoute *) all;
} Counter;

static int by_name(const void *a, const void *b) { return str_cmp(*(const Str *)a, *(const Str *)b); }

static void read_group_by(AmReader *r, const YamlNode *list, AmRoute *t) {
    if (yaml_is_null(list)) return;
    const Str *names;
    size_t n = amread_strings(r, list, &names);
    Str *sorted = ARENA_ARRAY(r->arena, Str, n);
    if (!sorted) return;
    bool all = false;
    size_t kept = 0;
    for (size_t i = 0; i < n; i++) {
        if (str_eq_lit(names[i], "...")) {
            all = true;
            continue;
        }
        if (!ammatch_label_name_ok(names[i], r->mode)) {
            amread_error(r, list, NULL, "invalid label name \"%" STR_FMT "\" in group_by list", STR_ARG(names[i]));
        }
        for (size_t k = 0; k < kept; k++) {
            if (str_eq(sorted[k], names[i])) {
                amread_error(r, list, NULL, "duplicated label \"%" STR_FMT "\" in group_by", STR_ARG(names[i]));
            }
        }
        sorted[kept++] = names[i];
    }
    if (all && kept) {
        amread_error(r, list, NULL, "cannot have wildcard group_by (`...`) and other labels at the same time");
    }
    if (kept) qsort(sorted, kept, sizeof *sorted, by_name);
    t->group_by = sorted;
    t->n_group_by = kept;
    t->group_by_all = all;
}

static void read_labels(AmReader *r, const YamlNode *map, AmRoute *t) {
    if (yaml_is_null(map)) return;
    if (map->kind != YAML_MAPPING) {
        amread_error(r, map, NULL, "labels is a mapping");
        return;
    }
    size_t n = 0;
    Label *v = ARENA_ARRAY(r->arena, Label, map->n + t->labels.n);
    if (!v) return;
    for (const YamlNode *i = map->first; i; i = i->next) {
        if (!ammatch_label_name_ok(i->key->text, r->mode)) {
            amread_error(r, i->key, NULL, "invalid label name \"%" STR_FMT "\" in route labels", STR_ARG(i->key->text));
        }
        v[n++] = (Label){i->key->text, i->kind == YAML_SCALAR ? i->text : STR("")};
    }
    for (size_t i = 0; i < t->labels.n; i++) {
        if (yaml_get(map, t->labels.v[i].name) == NULL) v[n++] = t->labels.v[i];
    }
    Err err = {0};
    if (labels_normalize(v, &n, &err)) amread_error(r, map, NULL, "%s", err.msg);
    t->labels = (Labels){v, n};
}

static const TimeIntervalSet *const *read_intervals(AmReader *r, const YamlNode *list, size_t *ret_n) {
    const Str *names;
    size_t n = amread_strings(r, list, &names);
    const TimeIntervalSet **v = ARENA_ARRAY(r->arena, const TimeIntervalSet *, n);
    *ret_n = 0;
    for (size_t i = 0; v && i < n; i++) {
        size_t k = 0;
        while (k < r->c->n_intervals && !str_eq(r->c->intervals[k].name, names[i])) k++;
        if (k == r->c->n_intervals) {
            amread_error(r, list, NULL, "undefined time interval \"%" STR_FMT "\" used in route", STR_ARG(names[i]));
        } else {
            v[(*ret_n)++] = &r->c->intervals[k];
        }
    }
    return v;
}

static void read_receiver(AmReader *r, const YamlNode *node, AmRoute *t) {
    const YamlNode *at = yaml_get(node, STR("receiver"));
    Str name = amread_str(r, node, "receiver");
    if (!name.n) return;
    const Receiver *found = amconfig_receiver(r->c, name);
    if (found) {
        t->receiver = found;
        return;
    }
    Str names[64], near = STR_NULL;
    size_t n = MIN(r->c->receivers.n, ARRAY_LEN(names));
    for (size_t i = 0; i < n; i++) names[i] = r->c->receivers.v[i].name;
    near = diag_suggest(name, names, n);
    char hint[128];
    snprintf(hint, sizeof hint, "did you mean \"%" STR_FMT "\"?", STR_ARG(near));
    amread_error(r, at, near.n ? hint : NULL, "undefined receiver \"%" STR_FMT "\" used in route", STR_ARG(name));
}

static void make_keys(AmReader *r, AmRoute *t, size_t place) {
    Buf b = {0};
    if (t->parent) {
        buf_put_str(&b, t->parent->key);
        buf_put_char(&b, '/');
    }
    amlabel_put_matchers(&b, t->matchers);
    t->key = arena_copy(r->arena, buf_str(&b));
    buf_clear(&b);
    if (t->parent) {
        buf_put_str(&b, t->parent->id);
        buf_put_char(&b, '/');
    }
    amlabel_put_matchers(&b, t->matchers);
    if (t->parent) buf_printf(&b, "/%zu", place);
    t->id = arena_copy(r->arena, buf_str(&b));
    buf_done(&b);
}

static void read_timers(AmReader *r, const YamlNode *node, AmRoute *t) {
    t->group_wait_ms = amread_duration(r, node, "group_wait", t->group_wait_ms);
    t->group_interval_ms = amread_duration(r, node, "group_interval", t->group_interval_ms);
    t->repeat_interval_ms = amread_duration(r, node, "repeat_interval", t->repeat_interval_ms);
    if (t->group_interval_ms == 0) {
        amread_error(r, yaml_get(node, STR("group_interval")), NULL, "group_interval cannot be zero");
    }
    if (t->repeat_interval_ms == 0) {
        amread_error(r, yaml_get(node, STR("repeat_interval")), NULL, "repeat_interval cannot be zero");
    }
    t->resolve_immediately = amread_bool(r, node, "resolve_immediately", t->resolve_immediately);
}

static AmRoute *read_route(
    AmReader *r, const YamlNode *node, const AmRoute *parent, size_t place, int depth, Counter *counter) {
    if (depth > ROUTE_DEPTH_MAX) {
        amread_error(r, node, NULL, "routes are nested more than %d deep", ROUTE_DEPTH_MAX);
        return NULL;
    }
    AmRoute *t = ARENA_NEW(r->arena, AmRoute);
    if (!t || !amread_keys(r, node, "a route", route_keys, ARRAY_LEN(route_keys))) return NULL;
    if (parent)
        *t = *parent;
    else
        *t = (AmRoute){.group_wait_ms = 30000, .group_interval_ms = 300000, .repeat_interval_ms = 14400000};
    t->parent = parent;
    t->routes = NULL;
    t->n_routes = 0;
    t->line = node->line;
    read_receiver(r, node, t);
    read_group_by(r, yaml_get(node, STR("group_by")), t);
    read_timers(r, node, t);
    read_labels(r, yaml_get(node, STR("labels")), t);
    t->go_on = amread_bool(r, node, "continue", false);
    t->matchers = amread_matchers(r, node, "");
    t->mute = read_intervals(r, yaml_get(node, STR("mute_time_intervals")), &t->n_mute);
    t->active = read_intervals(r, yaml_get(node, STR("active_time_intervals")), &t->n_active);
    make_keys(r, t, place);
    const YamlNode *children = yaml_get(node, STR("routes"));
    if (!yaml_is_null(children) && children->kind != YAML_SEQUENCE)
        amread_error(r, children, NULL, "routes is a list");
    else if (!yaml_is_null(children)) {
        t->routes = ARENA_ARRAY(r->arena, AmRoute *, children->n);
        for (const YamlNode *i = children->first; t->routes && i; i = i->next) {
            AmRoute *child = read_route(r, i, t, t->n_routes, depth + 1, counter);
            if (child) t->routes[t->n_routes++] = child;
        }
    }
    t->index = (unsigned)counter->all.n;
    if (!avec_push(r->arena, &counter->all, t)) amread_error(r, node, NULL, "the configuration is too large");
    return t;
}

static void check_root(AmReader *r, const YamlNode *node, const AmRoute *root) {
    if (!root->receiver && !amread_str(r, node, "receiver").n) {
        amread_error(r, node, NULL, "root route must specify a default receiver");
    }
    if (root->matchers.n) amread_error(r, node, NULL, "root route must not have any matchers");
    if (root->n_mute) amread_error(r, node, NULL, "root route must not have any mute time intervals");
    if (root->n_active) amread_error(r, node, NULL, "root route must not have any active time intervals");
    if (root->go_on) amread_error(r, yaml_get(node, STR("continue")), NULL, "cannot have continue in root route");
}

void amroute_read(AmReader *r, const YamlNode *node) {
    Counter counter = {0};
    AmRoute *root = read_route(r, node, NULL, 0, 0, &counter);
    if (!root) return;
    check_root(r, node, root);
    r->c->root = root;
    r->c->routes = counter.all.v;
    r->c->n_routes = counter.all.n;
}

size_t amroute_match(const AmRoute *t, Labels l, const AmRoute **out, size_t max) {
    if (!max || !matchers_match(t->matchers, l)) return 0;
    size_t n = 0;
    for (size_t i = 0; i < t->n_routes; i++) {
        size_t found = amroute_match(t->routes[i], l, out + n, max - n);
        n += found;
        if (found && !t->routes[i]->go_on) break;
    }
    if (n == 0) out[n++] = t;
    return n;
}

static bool names(const Matcher *m, Str alertname) {
    if (!str_eq_lit(m->name, "alertname") || m->type == MATCH_NEQ || m->type == MATCH_NRE) return false;
    /* alertname=~".+" asks for anything. */
    return matcher_matches(m, alertname) && !matcher_matches(m, STR("no alert has this name"));
}

bool amroute_names(const AmRoute *route, Str alertname) {
    for (; route; route = route->parent)
        for (size_t i = 0; i < route->matchers.n; i++)
            if (names(route->matchers.v[i], alertname)) return true;
    return false;
}

static bool explain(const AmRoute *t, Labels l, AmRouteVisit visit, void *ctx) {
    const AmRoute *final[AM_ROUTES_MAX];
    size_t n = amroute_match(t, l, final, ARRAY_LEN(final));
    visit(ctx, t, n > 0, n == 1 && final[0] == t);
    for (size_t i = 0; n && i < t->n_routes; i++) {
        if (explain(t->routes[i], l, visit, ctx) && !t->routes[i]->go_on) break;
    }
    return n > 0;
}

void amroute_explain(const AmRoute *root, Labels l, AmRouteVisit visit, void *ctx) { explain(root, l, visit, ctx); }
