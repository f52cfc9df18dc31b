/* amconfig_show.c - a configuration for others to see, as the original shows one: defaults filled in, its order of
 * keys, secrets hidden, keys of our own left out.
 *
 * Keys that 0.25 does not know yet are written only where the file has them, so that the amtool of either version reads
 * the result; for the same reason a webhook's address is http://<secret>/. */
#include "alert/amconfig_show.h"

#include "alert/amlabel.h"
#include "base/timefmt.h"

#include <stdio.h>

/* A list or map of texts, when there is something in it. */
static void put_texts(AmShow *s, const YamlNode *mapping, const char *key) {
    const YamlNode *n = yaml_get(mapping, str_cstr(key));
    if (yaml_is_null(n) || n->n == 0) return;
    amshow_key(s, key);
    amshow_tree(s, n, true);
}

/* --- routes and inhibition --- */

static void put_duration(AmShow *s, const YamlNode *mapping, const char *key) {
    const YamlNode *n = yaml_get(mapping, str_cstr(key));
    int64_t ms;
    if (yaml_is_null(n) || !duration_parse_prom(n->text, &ms)) return;
    Buf b = {0};
    duration_put_prom(&b, ms);
    amshow_str(s, key, buf_str(&b));
    buf_done(&b);
}

/* One matcher a line, however many stood in one. */
static void put_matchers(AmShow *s, const YamlNode *mapping, const char *key) {
    const YamlNode *list = yaml_get(mapping, str_cstr(key));
    if (yaml_is_null(list) || list->n == 0) return;
    amshow_key(s, key);
    yaml_emit_begin_sequence(s->e, false);
    for (const YamlNode *i = list->first; i; i = i->next) {
        Matchers ms;
        if (ammatch_parse_list(i->text, s->mode, s->arena, &ms, NULL, NULL)) continue; /* was told when it was read */
        for (size_t k = 0; k < ms.n; k++) {
            Buf b = {0};
            amlabel_put_matcher(&b, ms.v[k]);
            yaml_emit_text(s->e, buf_str(&b));
            buf_done(&b);
        }
    }
    yaml_emit_end_sequence(s->e);
}

static void put_route(AmShow *s, const YamlNode *n) {
    const YamlNode *go_on = yaml_get(n, STR("continue")), *routes = yaml_get(n, STR("routes"));
    bool continues = false;
    if (!yaml_is_null(go_on)) (void)!yaml_bool(go_on, &continues);
    yaml_emit_begin_mapping(s->e);
    const YamlNode *receiver = yaml_get(n, STR("receiver"));
    amshow_str(s, "receiver", yaml_is_null(receiver) ? STR("") : receiver->text);
    put_texts(s, n, "group_by");
    put_texts(s, n, "match");
    put_texts(s, n, "match_re");
    put_matchers(s, n, "matchers");
    put_texts(s, n, "mute_time_intervals");
    put_texts(s, n, "active_time_intervals");
    amshow_bool(s, "continue", continues);
    if (!yaml_is_null(routes) && routes->n) {
        amshow_key(s, "routes");
        yaml_emit_begin_sequence(s->e, false);
        for (const YamlNode *i = routes->first; i; i = i->next) put_route(s, i);
        yaml_emit_end_sequence(s->e);
    }
    put_duration(s, n, "group_wait");
    put_duration(s, n, "group_interval");
    put_duration(s, n, "repeat_interval");
    put_texts(s, n, "labels");
    yaml_emit_end_mapping(s->e);
}

static void put_inhibit(AmShow *s, const YamlNode *list) {
    if (yaml_is_null(list) || list->n == 0) return;
    amshow_key(s, "inhibit_rules");
    yaml_emit_begin_sequence(s->e, false);
    for (const YamlNode *i = list->first; i; i = i->next) {
        const YamlNode *name = yaml_get(i, STR("name"));
        yaml_emit_begin_mapping(s->e);
        amshow_str(s, "name", yaml_is_null(name) ? STR("") : name->text);
        put_texts(s, i, "source_match");
        put_texts(s, i, "source_match_re");
        put_matchers(s, i, "source_matchers");
        put_texts(s, i, "target_match");
        put_texts(s, i, "target_match_re");
        put_matchers(s, i, "target_matchers");
        put_texts(s, i, "equal");
        yaml_emit_end_mapping(s->e);
    }
    yaml_emit_end_sequence(s->e);
}

/* --- time intervals --- */

static const char *const weekdays[] = {"sunday", "monday", "tuesday", "wednesday", "thursday", "friday", "saturday"};

static void put_ranges(AmShow *s, const char *key, TimeRanges r, const char *const *names) {
    if (!r.n) return;
    amshow_key(s, key);
    yaml_emit_begin_sequence(s->e, true);
    for (size_t i = 0; i < r.n; i++) {
        Buf b = {0};
        for (int end = 0; end < 2; end++) {
            int v = end ? r.v[i].end : r.v[i].begin;
            if (end && r.v[i].end == r.v[i].begin) break;
            if (names)
                buf_printf(&b, "%s%s", end ? ":" : "", names[v]);
            else
                buf_printf(&b, "%s%d", end ? ":" : "", v);
        }
        yaml_emit_text(s->e, buf_str(&b));
        buf_done(&b);
    }
    yaml_emit_end_sequence(s->e);
}

static void put_times(AmShow *s, TimeRanges r) {
    if (!r.n) return;
    amshow_key(s, "times");
    yaml_emit_begin_sequence(s->e, false);
    for (size_t i = 0; i < r.n; i++) {
        char text[16];
        yaml_emit_begin_mapping(s->e);
        snprintf(text, sizeof text, "%02d:%02d", r.v[i].begin / 60 % 100, r.v[i].begin % 60);
        amshow_str(s, "start_time", str_cstr(text));
        snprintf(text, sizeof text, "%02d:%02d", r.v[i].end / 60 % 100, r.v[i].end % 60);
        amshow_str(s, "end_time", str_cstr(text));
        yaml_emit_end_mapping(s->e);
    }
    yaml_emit_end_sequence(s->e);
}

static void put_interval(AmShow *s, const TimeInterval *t) {
    bool any = t->times.n || t->weekdays.n || t->days_of_month.n || t->months.n || t->years.n || t->location.n;
    if (!any) {
        yaml_emit_begin_mapping(s->e);
        yaml_emit_end_mapping(s->e);
        return;
    }
    yaml_emit_begin_mapping(s->e);
    put_times(s, t->times);
    put_ranges(s, "weekdays", t->weekdays, weekdays);
    put_ranges(s, "days_of_month", t->days_of_month, NULL);
    put_ranges(s, "months", t->months, NULL);
    put_ranges(s, "years", t->years, NULL);
    amshow_str(s, "location", t->location);
    yaml_emit_end_mapping(s->e);
}

/* Of one of the two lists, those of the configuration that stood in it. */
static void put_intervals(AmShow *s, const AmConfig *c, const char *key, const YamlNode *list, size_t from) {
    if (yaml_is_null(list) || list->n == 0) return;
    amshow_key(s, key);
    yaml_emit_begin_sequence(s->e, false);
    for (size_t i = from; i < from + list->n && i < c->n_intervals; i++) {
        const TimeIntervalSet *set = &c->intervals[i];
        yaml_emit_begin_mapping(s->e);
        amshow_key(s, "name");
        yaml_emit_text(s->e, set->name);
        amshow_key(s, "time_intervals");
        yaml_emit_begin_sequence(s->e, set->n == 0);
        for (size_t k = 0; k < set->n; k++) put_interval(s, &set->v[k]);
        yaml_emit_end_sequence(s->e);
        yaml_emit_end_mapping(s->e);
    }
    yaml_emit_end_sequence(s->e);
}

/* --- the document --- */

static void put_templates(AmShow *s, const YamlNode *list, Str base_dir) {
    amshow_key(s, "templates");
    bool none = yaml_is_null(list) || list->n == 0;
    yaml_emit_begin_sequence(s->e, none);
    for (const YamlNode *i = none ? NULL : list->first; i; i = i->next) {
        bool joined = base_dir.n && !str_eq_lit(base_dir, ".") && i->text.n && i->text.p[0] != '/';
        yaml_emit_text(s->e,
            joined ? arena_printf(s->arena, "%" STR_FMT "/%" STR_FMT, STR_ARG(base_dir), STR_ARG(i->text)) : i->text);
    }
    yaml_emit_end_sequence(s->e);
}

void amconfig_show(const AmConfig *c, const YamlNode *root, Str base_dir, Buf *out) {
    if (root->kind != YAML_MAPPING) return;
    const YamlNode *route = yaml_get(root, STR("route")), *old = yaml_get(root, STR("mute_time_intervals"));
    AmShow s = {.e = yaml_emitter_create(out), .arena = c->arena, .mode = c->mode};
    yaml_emit_begin_mapping(s.e);
    amshow_global(&s, c);
    if (!yaml_is_null(route)) {
        amshow_key(&s, "route");
        put_route(&s, route);
    }
    put_inhibit(&s, yaml_get(root, STR("inhibit_rules")));
    amshow_receivers(&s, c, yaml_get(root, STR("receivers")));
    put_templates(&s, yaml_get(root, STR("templates")), base_dir);
    put_intervals(&s, c, "mute_time_intervals", old, 0);
    put_intervals(&s, c, "time_intervals", yaml_get(root, STR("time_intervals")), yaml_is_null(old) ? 0 : old->n);
    yaml_emit_end_mapping(s.e);
    yaml_emitter_free(s.e);
}
