/* am_list.c - what pages list: groups with their timers, and which alerts there are, counted by name. */
#include "alert/am_own_int.h"

#include "base/num.h"
#include "sys/clock.h"

#include <stdlib.h>

/* --- groups --- */

/* "summary" or what else says in a line what it is about: the page of groups shows no more of the annotations. */
static Str summary_of(const AmText *t) {
    static const char *const names[] = {"summary", "message", "description"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        Str text = labels_get(t->annotations, str_cstr(names[i]));
        if (text.n) return text;
    }
    return STR("");
}

static void put_member(Alertmanager *am, JsonWriter *w, AmAlert *a, int64_t now) {
    json_begin_object(w);
    json_key_lit(w, "fingerprint");
    am_put_fp(w, a->fp);
    json_key_lit(w, "labels");
    am_put_label_object(w, a->text->labels);
    json_key_lit(w, "summary");
    json_str(w, summary_of(a->text));
    am_put_key_time(w, "startsAt", a->starts_ns);
    json_key_lit(w, "generatorURL");
    json_str(w, a->text->generator_url);
    json_key_lit(w, "state");
    json_str(w, am_resolved(a, now) ? STR("resolved") : am_suppressed(am, a, now) ? STR("suppressed") : STR("active"));
    json_key_lit(w, "acknowledged");
    json_bool(w, am_acked(a, now));
    json_end_object(w);
}

static void put_group(Alertmanager *am, JsonWriter *w, AmGroup *g, size_t alerts_max, int64_t now) {
    json_begin_object(w);
    json_key_lit(w, "key");
    json_str(w, str_cstr(g->key));
    json_key_lit(w, "labels");
    am_put_label_object(w, g->labels->labels);
    json_key_lit(w, "receiver");
    json_str(w, g->route->receiver->name);
    json_key_lit(w, "routeId");
    json_str(w, g->route->id);
    json_key_lit(w, "alerts");
    json_begin_array(w);
    for (size_t i = 0; i < g->alerts.n && i < alerts_max; i++) put_member(am, w, g->alerts.v[i], now);
    json_end_array(w);
    json_key_lit(w, "alertCount");
    json_u64(w, g->alerts.n);
    am_put_group_times(w, g);
    am_put_timers(w, g->route);
    am_put_muted(w, g->route, now);
    am_put_integrations(am, w, g);
    json_end_object(w);
}

#define ALERTS_SHOWN_MAX 1000 /* of one group */

/* False: answered. *ret stays when there is no such parameter. */
static bool read_limit(HttpRequest *req, HttpResponse *res, const char *name, int64_t *ret) {
    Str text = http_param(req, str_cstr(name));
    if (!text.n || (num_parse_i64(text, ret) && *ret >= 1)) return true;
    am_own_refuse(res, 400, "%s is not a number from 1 up", name);
    return false;
}

void am_groups_handler(void *ctx, HttpRequest *req, HttpResponse *res) {
    Alertmanager *am = ctx;
    Matchers filter;
    if (!am_api_filter(am, req, res, "filter", "", &filter)) return;
    Str receiver = http_param(req, STR("receiver")), key = http_param(req, STR("key"));
    int64_t limit = 1000, alerts_max = ALERTS_SHOWN_MAX, now = clock_now_ns();
    if (!read_limit(req, res, "limit", &limit) || !read_limit(req, res, "alerts", &alerts_max)) return;
    JsonWriter w = json_writer(&res->body);
    json_begin_array(&w);
    size_t it = 0;
    uint64_t id, *v;
    mutex_lock(&am->mutex);
    while (limit > 0 && u64map_next(am->groups, &it, &id, &v)) {
        AmGroup *g = (AmGroup *)(uintptr_t)*v;
        if (receiver.n && !str_eq(receiver, g->route->receiver->name)) continue;
        if (key.n && !str_eq(key, str_cstr(g->key))) continue;
        bool any = !filter.n;
        for (size_t i = 0; !any && i < g->alerts.n; i++) any = ammatch_filter(filter, g->alerts.v[i]->text->labels);
        if (!any) continue;
        put_group(am, &w, g, (size_t)MIN(alerts_max, ALERTS_SHOWN_MAX), now);
        limit--;
    }
    mutex_unlock(&am->mutex);
    json_end_array(&w);
    am_api_json(res, 200);
}

/* --- names --- */

#define NAMES_MAX 1000 /* in an answer; a stranger can send any number of names */

typedef struct NameCount {
    Str name; /* in the request's arena */
    uint64_t active, suppressed;
    int64_t since_ns; /* start of the oldest */
} NameCount;

typedef VEC(NameCount) NameCounts;

static int by_name(const void *a, const void *b) {
    return str_cmp(((const NameCount *)a)->name, ((const NameCount *)b)->name);
}

/* False when there are more than NAMES_MAX of them. */
static bool count_one(Alertmanager *am, AmAlert *a, int64_t now, Map *places, NameCounts *counts, Arena *arena) {
    Str name = labels_get(a->text->labels, STR("alertname"));
    uint64_t *slot = map_get(places, name);
    if (!slot) {
        if (counts->n == NAMES_MAX) return false;
        *map_put(places, name, NULL) = counts->n;
        vec_push(counts, ((NameCount){.name = arena_copy(arena, name), .since_ns = a->starts_ns}));
        slot = map_get(places, name);
    }
    NameCount *c = &counts->v[*slot];
    *(am_suppressed(am, a, now) ? &c->suppressed : &c->active) += 1;
    c->since_ns = MIN(c->since_ns, a->starts_ns);
    return true;
}

static void put_name(JsonWriter *w, const NameCount *c) {
    json_begin_object(w);
    json_key_lit(w, "name");
    json_str(w, c->name);
    json_key_lit(w, "active");
    json_u64(w, c->active);
    json_key_lit(w, "suppressed");
    json_u64(w, c->suppressed);
    am_put_key_time(w, "since", c->since_ns);
    json_end_object(w);
}

void am_names_handler(void *ctx, HttpRequest *req, HttpResponse *res) {
    Alertmanager *am = ctx;
    NameCounts counts = {0};
    Map *places = map_create(MAP_COPY_KEYS);
    int64_t now = clock_now_ns();
    bool all = true;
    size_t it = 0;
    uint64_t fp, *v;
    mutex_lock(&am->mutex);
    while (u64map_next(am->alerts, &it, &fp, &v)) {
        AmAlert *a = (AmAlert *)(uintptr_t)*v;
        if (!am_resolved(a, now)) all = count_one(am, a, now, places, &counts, req->arena) && all;
    }
    mutex_unlock(&am->mutex);
    if (counts.n) qsort(counts.v, counts.n, sizeof *counts.v, by_name);
    JsonWriter w = json_writer(&res->body);
    json_begin_object(&w);
    json_key_lit(&w, "names");
    json_begin_array(&w);
    vec_foreach(NameCount, c, &counts) put_name(&w, c);
    json_end_array(&w);
    json_key_lit(&w, "truncated");
    json_bool(&w, !all);
    json_end_object(&w);
    vec_done(&counts);
    map_free(places);
    am_api_json(res, 200);
}
