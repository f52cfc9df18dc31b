/* am_why.c - why an alert was sent or not, the routing tree. */
#include "alert/am_own_int.h"

#include "alert/amlabel.h"

#include "base/num.h"
#include "sys/clock.h"

static void put_matchers(JsonWriter *w, const AmRoute *r) {
    Buf b = {0};
    amlabel_put_matchers(&b, r->matchers);
    json_str(w, buf_str(&b));
    buf_done(&b);
}

static void put_interval_names(JsonWriter *w, const char *key, const TimeIntervalSet *const *v, size_t n) {
    json_key(w, str_cstr(key));
    json_begin_array(w);
    for (size_t i = 0; i < n; i++) json_str(w, v[i]->name);
    json_end_array(w);
}

static void put_group_by(JsonWriter *w, const AmRoute *r) {
    json_key_lit(w, "groupBy");
    json_begin_array(w);
    if (r->group_by_all) json_str(w, STR("..."));
    for (size_t i = 0; i < r->n_group_by; i++) json_str(w, r->group_by[i]);
    json_end_array(w);
}

void am_put_timers(JsonWriter *w, const AmRoute *r) {
    put_group_by(w, r);
    am_put_duration(w, "groupWait", r->group_wait_ms);
    am_put_duration(w, "groupInterval", r->group_interval_ms);
    am_put_duration(w, "repeatInterval", r->repeat_interval_ms);
    json_key_lit(w, "resolveImmediately");
    json_bool(w, r->resolve_immediately);
}

static void put_path(JsonWriter *w, const AmRoute *r) {
    if (r->parent) put_path(w, r->parent);
    put_matchers(w, r);
}

void am_put_muted(JsonWriter *w, const AmRoute *r, int64_t now) {
    Str names[64];
    bool by_active;
    size_t n = am_route_muted(r, now, names, ARRAY_LEN(names), &by_active);
    json_key_lit(w, "mutedBy");
    json_begin_array(w);
    for (size_t i = 0; i < n; i++) json_str(w, names[i]);
    json_end_array(w);
}

/* Members of an answering route, into an open object. */
static void put_route(JsonWriter *w, const AmRoute *r, int64_t now) {
    json_key_lit(w, "receiver");
    json_str(w, r->receiver->name);
    json_key_lit(w, "id");
    json_str(w, r->id);
    json_key_lit(w, "path");
    json_begin_array(w);
    put_path(w, r);
    json_end_array(w);
    json_key_lit(w, "matchers");
    put_matchers(w, r);
    json_key_lit(w, "line");
    json_i64(w, r->line);
    am_put_timers(w, r);
    am_put_muted(w, r, now);
}

void am_put_integration_head(JsonWriter *w, const Integration *in) {
    json_key_lit(w, "integration");
    json_str(w, str_cstr(integration_name(in->kind)));
    json_key_lit(w, "index");
    json_u64(w, in->index);
    json_key_lit(w, "sendResolved");
    json_bool(w, in->send_resolved);
}

void am_put_integrations(Alertmanager *am, JsonWriter *w, const AmGroup *g) {
    const Receiver *r = g->route->receiver;
    json_key_lit(w, "integrations");
    json_begin_array(w);
    for (size_t i = 0; i < r->n_integrations; i++) {
        const Integration *in = &r->integrations[i];
        const AmNote *n = am_note_find(am, str_cstr(g->key), r->name, in, false);
        json_begin_object(w);
        am_put_integration_head(w, in);
        if (n) {
            if (n->decision) {
                json_key_lit(w, "decision");
                json_str(w, str_cstr(n->decision));
            }
            am_put_key_time(w, "decidedAt", n->decided_ns);
            am_put_key_time(w, "lastNotified", n->logged ? n->at_ns : 0);
            am_put_key_time(
                w, "repeatsAt", n->logged && n->n_firing ? n->at_ns + g->route->repeat_interval_ms * NS_PER_MS : 0);
            am_put_key_time(w, "lastAttempt", n->attempt_ns);
            am_put_key_time(w, "nextAttempt", n->next_attempt_ns);
            json_key_lit(w, "attempts");
            json_u64(w, n->attempts);
            json_key_lit(w, "inFlight");
            json_bool(w, n->in_flight > 0);
            json_key_lit(w, "status");
            json_i64(w, n->status);
            json_key_lit(w, "error");
            json_str(w, str_cstr(n->error));
        }
        json_end_object(w);
    }
    json_end_array(w);
}

void am_put_group_times(JsonWriter *w, const AmGroup *g) {
    am_put_key_time(w, "createdAt", g->created_ns);
    am_put_key_time(w, "lastFlush", g->flushed_ns);
    am_put_key_time(w, "nextFlush", g->next_ns);
    json_key_lit(w, "outcome");
    json_str(w, str_cstr(g->outcome));
}

static AmGroup *group_on(const AmAlert *a, const AmRoute *r) {
    for (uint32_t i = 0; i < a->n_members; i++) {
        if (a->members[i].group->route == r) return a->members[i].group;
    }
    return NULL;
}

static void put_why_route(Alertmanager *am, JsonWriter *w, const AmAlert *a, const AmRoute *r, int64_t now) {
    const AmGroup *g = group_on(a, r);
    json_begin_object(w);
    put_route(w, r, now);
    if (g) {
        json_key_lit(w, "group");
        json_begin_object(w);
        json_key_lit(w, "key");
        json_str(w, str_cstr(g->key));
        json_key_lit(w, "labels");
        am_put_label_object(w, g->labels->labels);
        json_key_lit(w, "alerts");
        json_u64(w, g->alerts.n);
        am_put_group_times(w, g);
        json_end_object(w);
        am_put_integrations(am, w, g);
    }
    json_end_object(w);
}

static void put_silences_of(JsonWriter *w, const AmAlert *a, int64_t now) {
    json_key_lit(w, "silencedBy");
    json_begin_array(w);
    for (uint32_t i = 0; i < a->n_sil; i++) {
        if (am_silence_state(a->sil[i], now) == AM_SILENCE_ACTIVE) am_put_silence(w, a->sil[i], now);
    }
    json_end_array(w);
}

static void put_inhibitor(JsonWriter *w, const AmAlert *by, const AmInhibitRule *rule) {
    json_key_lit(w, "inhibitedBy");
    json_begin_array(w);
    if (by) {
        json_begin_object(w);
        json_key_lit(w, "fingerprint");
        am_put_fp(w, by->fp);
        json_key_lit(w, "labels");
        am_put_label_object(w, by->text->labels);
        json_key_lit(w, "rule");
        char place[32];
        snprintf(place, sizeof place, "line %d", rule->line);
        json_str(w, rule->name.n ? rule->name : str_cstr(place));
        json_end_object(w);
    }
    json_end_array(w);
}

void am_put_ack_members(JsonWriter *w, const AmAck *ack) {
    json_pair_str(w, "owner", str_cstr(ack->owner));
    json_pair_str(w, "comment", str_cstr(ack->comment));
    am_put_key_time(w, "at", ack->at_ns);
    am_put_key_time(w, "expiresAt", ack->expires_ns);
}

static void put_ack(JsonWriter *w, const AmAlert *a, int64_t now) {
    json_key_lit(w, "ack");
    if (!am_acked(a, now)) {
        json_null(w);
        return;
    }
    json_begin_object(w);
    am_put_ack_members(w, a->ack);
    json_end_object(w);
}

/* One sentence for the person at the terminal. */
static void put_summary(
    Alertmanager *am, JsonWriter *w, const AmAlert *a, bool silenced, const AmAlert *by, const char *state) {
    char text[400];
    const AmGroup *g = a->n_members ? a->members[0].group : NULL;
    const AmNote *worst = NULL, *note = NULL;
    for (uint32_t m = 0; m < a->n_members; m++) {
        const AmGroup *in = a->members[m].group;
        const Receiver *r = in->route->receiver;
        for (size_t i = 0; i < r->n_integrations; i++) {
            note = am_note_find(am, str_cstr(in->key), r->name, &r->integrations[i], false);
            if (note && note->error[0]) worst = note;
        }
    }
    Buf t = {0};
    if (g) time_put_rfc3339_ms(&t, g->next_ns);
    const char *next = g ? buf_cstr(&t) : "";
    if (strcmp(state, "resolved") == 0)
        snprintf(text, sizeof text, "resolved%s",
            g ? "; its end is told at the group's next flush" : ", and there is nothing left to tell");
    else if (by)
        snprintf(text, sizeof text, "inhibited by a firing alert; looked at again at %s", next);
    else if (silenced)
        snprintf(text, sizeof text, "silenced; looked at again at %s", next);
    else if (!g)
        snprintf(text, sizeof text, "in no group: no configuration is loaded");
    else if (!g->route->receiver->n_integrations)
        snprintf(text, sizeof text, "its receiver \"%" STR_FMT "\" has no integrations: nobody is told",
            STR_ARG(g->route->receiver->name));
    else if (worst)
        snprintf(text, sizeof text, "the last notification by %" STR_FMT " failed: %s",
            STR_ARG(am_note_integration(worst)), worst->error);
    else if (!g->flushed_ns)
        snprintf(text, sizeof text, "waiting for its group's first flush at %s (group_wait)", next);
    else
        snprintf(text, sizeof text, "%s at the last flush; next flush at %s", g->outcome, next);
    buf_done(&t);
    json_key_lit(w, "summary");
    json_str(w, str_cstr(text));
}

static void put_why(Alertmanager *am, JsonWriter *w, AmAlert *a, int64_t now) {
    const AmInhibitRule *rule = NULL;
    bool silenced = am_silenced(am, a, now);
    const AmAlert *by = am_inhibited(am->inhibit, a->text->labels, now, &rule);
    const char *state = am_resolved(a, now) ? "resolved" : silenced || by ? "suppressed" : "active";
    for (uint32_t i = 0; strcmp(state, "active") == 0 && i < a->n_members; i++) {
        if (!a->members[i].group->flushed_ns) state = "unprocessed";
    }
    json_begin_object(w);
    json_key_lit(w, "fingerprint");
    am_put_fp(w, a->fp);
    json_key_lit(w, "labels");
    am_put_label_object(w, a->text->labels);
    json_key_lit(w, "annotations");
    am_put_label_object(w, a->text->annotations);
    am_put_key_time(w, "startsAt", a->starts_ns);
    am_put_key_time(w, "endsAt", a->ends_ns);
    am_put_key_time(w, "updatedAt", a->updated_ns);
    json_key_lit(w, "generatorURL");
    json_str(w, a->text->generator_url);
    json_key_lit(w, "state");
    json_str(w, str_cstr(state));
    put_summary(am, w, a, silenced, by, state);
    put_silences_of(w, a, now);
    put_inhibitor(w, by, rule);
    put_ack(w, a, now);
    json_key_lit(w, "routes");
    json_begin_array(w);
    const AmRoute *routes[AM_ROUTES_MAX];
    size_t n = am_alert_routes(am, a->text->labels, a->by_name, routes, ARRAY_LEN(routes));
    for (size_t i = 0; i < n; i++) put_why_route(am, w, a, routes[i], now);
    json_end_array(w);
    json_end_object(w);
}

bool am_parse_fp(Str s, uint64_t *ret) {
    uint8_t b[8];
    if (s.n != 16 || !num_parse_hex(s, b, 8)) return false;
    *ret = 0;
    for (int i = 0; i < 8; i++) *ret = *ret << 8 | b[i];
    return true;
}

void am_why_handler(void *ctx, HttpRequest *req, HttpResponse *res) {
    Alertmanager *am = ctx;
    uint64_t fp;
    if (!am_parse_fp(http_path_param(req, STR("fingerprint")), &fp)) {
        http_reply_text(res, 400, "a fingerprint is 16 hexadecimal digits\n");
        return;
    }
    JsonWriter w = json_writer(&res->body);
    mutex_lock(&am->mutex);
    AmAlert *a = am_alert_find(am, fp);
    if (a) put_why(am, &w, a, clock_now_ns());
    mutex_unlock(&am->mutex);
    if (a)
        am_api_json(res, 200);
    else
        http_reply_text(res, 404, "no alert has this fingerprint; the history may know it\n");
}

/* --- routes --- */

static void put_tree(JsonWriter *w, const AmRoute *r) {
    json_begin_object(w);
    json_key_lit(w, "receiver");
    json_str(w, r->receiver->name);
    json_key_lit(w, "id");
    json_str(w, r->id);
    json_key_lit(w, "matchers");
    put_matchers(w, r);
    json_key_lit(w, "continue");
    json_bool(w, r->go_on);
    am_put_timers(w, r);
    put_interval_names(w, "muteTimeIntervals", r->mute, r->n_mute);
    put_interval_names(w, "activeTimeIntervals", r->active, r->n_active);
    json_key_lit(w, "labels");
    am_put_label_object(w, r->labels);
    json_key_lit(w, "line");
    json_i64(w, r->line);
    json_key_lit(w, "routes");
    json_begin_array(w);
    for (size_t i = 0; i < r->n_routes; i++) put_tree(w, r->routes[i]);
    json_end_array(w);
    json_end_object(w);
}

void am_routes_handler(void *ctx, HttpRequest *req, HttpResponse *res) {
    Alertmanager *am = ctx;
    (void)req;
    JsonWriter w = json_writer(&res->body);
    mutex_lock(&am->mutex);
    put_tree(&w, am->config->root);
    mutex_unlock(&am->mutex);
    am_api_json(res, 200);
}

static void visited(void *ctx, const AmRoute *r, bool matched, bool final) {
    JsonWriter *w = ctx;
    json_begin_object(w);
    json_key_lit(w, "id");
    json_str(w, r->id);
    json_key_lit(w, "matchers");
    put_matchers(w, r);
    json_key_lit(w, "receiver");
    json_str(w, r->receiver->name);
    json_key_lit(w, "matched");
    json_bool(w, matched);
    json_key_lit(w, "final");
    json_bool(w, final);
    json_end_object(w);
}

void am_routes_test(Alertmanager *am, Labels l, HttpResponse *res) {
    JsonWriter w = json_writer(&res->body);
    const AmRoute *routes[AM_ROUTES_MAX];
    int64_t now = clock_now_ns();
    mutex_lock(&am->mutex);
    size_t n = amroute_match(am->config->root, l, routes, ARRAY_LEN(routes));
    json_begin_object(&w);
    json_key_lit(&w, "receivers");
    json_begin_array(&w);
    for (size_t i = 0; i < n; i++) json_str(&w, routes[i]->receiver->name);
    json_end_array(&w);
    json_key_lit(&w, "visited");
    json_begin_array(&w);
    amroute_explain(am->config->root, l, visited, &w);
    json_end_array(&w);
    json_key_lit(&w, "routes");
    json_begin_array(&w);
    for (size_t i = 0; i < n; i++) {
        json_begin_object(&w);
        put_route(&w, routes[i], now);
        json_end_object(&w);
    }
    json_end_array(&w);
    json_end_object(&w);
    mutex_unlock(&am->mutex);
    am_api_json(res, 200);
}
