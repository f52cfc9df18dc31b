/* amtool_silence.c - `meerkat silence query|add|update|expire|import`. */
#include "cmd/amtool_int.h"

#include "alert/amlabel.h"
#include "alert/ammatch.h"
#include "alert/gojson_scan.h"

#include "base/timefmt.h"
#include "sys/clock.h"
#include "sys/fs.h"

#include <stdio.h>
#include <stdlib.h>

#define OWN_PATH STR("/api/meerkat/v1/alerting/silences")
#define API_PATH STR("/api/v2/silences")

static MatchType type_of(const JsonValue *m) {
    const JsonValue *re = json_get(m, STR("isRegex")), *eq = json_get(m, STR("isEqual"));
    bool regex = re && re->boolean, equal = !eq || eq->kind != JSON_K_BOOL || eq->boolean;
    return equal ? regex ? MATCH_RE : MATCH_EQ : regex ? MATCH_NRE : MATCH_NEQ;
}

static Str matchers_text(Amtool *a, const JsonValue *list, bool extended) {
    Buf b = {0};
    if (extended) buf_put_char(&b, '{');
    for (const JsonValue *i = list ? list->first : NULL; i; i = i->next) {
        Matcher m = {.type = type_of(i), .name = json_get_str(i, STR("name")), .value = json_get_str(i, STR("value"))};
        if (i != list->first) buf_put_str(&b, extended ? STR(",") : STR(" "));
        amlabel_put_matcher(&b, &m);
    }
    if (extended) buf_put_char(&b, '}');
    Str s = arena_copy(a->arena, buf_str(&b));
    buf_done(&b);
    return s;
}

static int by_end(const void *x, const void *y) {
    int64_t p = 0, q = 0;
    (void)!time_parse_rfc3339(json_get_str(*(const JsonValue *const *)x, STR("endsAt")), &p);
    (void)!time_parse_rfc3339(json_get_str(*(const JsonValue *const *)y, STR("endsAt")), &q);
    return (p > q) - (p < q);
}

static void print_silences(Amtool *a, const JsonValue **v, size_t n) {
    if (strcmp(a->output, "json") == 0) {
        Buf out = {0};
        JsonWriter w = json_writer(&out);
        json_begin_array(&w);
        for (size_t i = 0; i < n; i++) json_value(&w, v[i]);
        json_end_array(&w);
        amtool_print_json(buf_str(&out));
        buf_done(&out);
        return;
    }
    bool extended = strcmp(a->output, "extended") == 0;
    static const char *const simple_heads[] = {"ID", "Matchers", "Ends At", "Created By", "Comment"};
    static const char *const extended_heads[] = {
        "ID", "Matchers", "Starts At", "Ends At", "Updated At", "Created By", "Comment"};
    AmTable t = {.columns = extended ? 7 : 5};
    for (size_t i = 0; i < t.columns; i++) amtable_add(&t, str_cstr(extended ? extended_heads[i] : simple_heads[i]));
    if (n) qsort(v, n, sizeof *v, by_end);
    for (size_t i = 0; i < n; i++) {
        amtable_add(&t, json_get_str(v[i], STR("id")));
        amtable_add(&t, matchers_text(a, json_get(v[i], STR("matchers")), extended));
        if (extended) amtable_add(&t, amtool_date(a, json_get_str(v[i], STR("startsAt"))));
        amtable_add(&t, amtool_date(a, json_get_str(v[i], STR("endsAt"))));
        if (extended) amtable_add(&t, amtool_date(a, json_get_str(v[i], STR("updatedAt"))));
        amtable_add(&t, json_get_str(v[i], STR("createdBy")));
        amtable_add(&t, json_get_str(v[i], STR("comment")));
    }
    amtable_print(a, &t);
}

/* --- query --- */

static bool wanted(const Amtool *a, const JsonValue *s, int64_t now, int64_t within_ns) {
    int64_t ends = 0;
    (void)!time_parse_rfc3339(json_get_str(s, STR("endsAt")), &ends);
    if (!a->expired && ends < now) return false;
    if (a->expired && ends > now) return false;
    if (!a->expired && within_ns > 0 && ends > now + within_ns) return false;
    if (a->expired && within_ns > 0 && ends < now - within_ns) return false;
    if (a->created_by && !str_eq(json_get_str(s, STR("createdBy")), str_cstr(a->created_by))) return false;
    return !a->id || str_eq(json_get_str(s, STR("id")), str_cstr(a->id));
}

static int query(Amtool *a) {
    int64_t within = 0, now = clock_now_ns();
    if (a->within && !amtool_go_duration(a->within, &within)) return 1;
    amtool_first_matcher(a);
    Buf path = {0};
    buf_put_str(&path, API_PATH);
    for (size_t i = 0; i < a->n_args; i++) amtool_put_param(&path, "filter", str_cstr(a->args[i]));
    JsonValue *root = amtool_fetch(a, "GET", buf_str(&path), STR_NULL);
    buf_done(&path);
    if (!root) return 1;
    const JsonValue **v = mem_alloc_array(root->n + 1, sizeof *v);
    size_t n = 0;
    for (const JsonValue *i = root->first; i; i = i->next) {
        if (wanted(a, i, now, within)) v[n++] = i;
    }
    if (!a->quiet) print_silences(a, v, n);
    for (size_t i = 0; a->quiet && i < n; i++) {
        Str id = json_get_str(v[i], STR("id"));
        printf("%.*s\n", (int)id.n, id.p);
    }
    mem_free(v);
    return 0;
}

/* --- add, update, expire --- */

static void put_time(JsonWriter *w, const char *key, int64_t ns) {
    Buf t = {0};
    time_put_rfc3339(&t, ns);
    json_key(w, str_cstr(key));
    json_str(w, buf_str(&t));
    buf_done(&t);
}

static bool put_matchers(Amtool *a, JsonWriter *w) {
    json_key_lit(w, "matchers");
    json_begin_array(w);
    for (size_t i = 0; i < a->n_args; i++) {
        const Matcher *m;
        Err err = {0};
        if (ammatch_parse_one(str_cstr(a->args[i]), AM_MATCH_FALLBACK, a->arena, &m, &err)) {
            amtool_error("%s", err.msg);
            return false;
        }
        ammatch_put_json(w, m);
    }
    json_end_array(w);
    return true;
}

/* Under the guard rails where there are any: our own API first, API v2 of another Alertmanager when that is not there.
 * amtool's own command lines know no guard rails. */
static JsonValue *post_silence(Amtool *a, Str body) {
    if (amtool_is_amtool()) return amtool_fetch(a, "POST", API_PATH, body);
    Buf out = {0};
    int status = amtool_call(a, "POST", OWN_PATH, body, &out);
    JsonValue *root = NULL;
    if (status == 404 || status == 405) {
        root = amtool_fetch(a, "POST", API_PATH, body);
    } else if (status / 100 == 2) {
        Str text = arena_copy(a->arena, buf_str(&out));
        if (json_parse(text, a->arena, &root, NULL)) root = NULL;
    } else if (status > 0) {
        Str text = str_trim(buf_str(&out));
        amtool_error("%.*s", (int)text.n, text.p);
    }
    buf_done(&out);
    return root;
}

static bool read_span(Amtool *a, int64_t start, int64_t *ret_end) {
    int64_t ms;
    if (a->end) return amtool_time(a->end, 0, ret_end);
    if (!amtool_prom_duration(a->duration ? a->duration : "1h", &ms)) return false;
    if (ms == 0) {
        amtool_error("silence duration must be greater than 0");
        return false;
    }
    *ret_end = start + ms * NS_PER_MS;
    return true;
}

static int add(Amtool *a) {
    int64_t start, end;
    amtool_first_matcher(a);
    if (!a->n_args) return amtool_error("no matchers specified");
    if (!amtool_time(a->start, clock_now_ns(), &start) || !read_span(a, start, &end)) return 1;
    if (start > end) return amtool_error("silence cannot start after it ends");
    bool need = !a->require_comment || strcmp(a->require_comment, "false") != 0;
    if (need && (!a->comment || !*a->comment)) return amtool_error("comment required by config");
    if (!a->author) a->author = amtool_user(a);
    Buf body = {0};
    JsonWriter w = json_writer(&body);
    json_begin_object(&w);
    bool good = put_matchers(a, &w);
    put_time(&w, "startsAt", start);
    put_time(&w, "endsAt", end);
    json_key_lit(&w, "createdBy");
    json_str(&w, str_cstr(a->author));
    json_key_lit(&w, "comment");
    json_str(&w, str_cstr(a->comment));
    if (good && a->n_annotations) {
        json_key_lit(&w, "annotations");
        good = amtool_pairs(a, a->annotations, a->n_annotations, "annotations", &w);
    }
    if (a->force) {
        json_key_lit(&w, "force");
        json_bool(&w, true);
    }
    if (good) json_end_object(&w);
    const JsonValue *root = good ? post_silence(a, buf_str(&body)) : NULL;
    buf_done(&body);
    if (!root) return 1;
    Str id = json_get_str(root, STR("silenceID"));
    printf("%.*s\n", (int)id.n, id.p);
    return 0;
}

/* The silence with what the flags change. */
static bool put_updated(Amtool *a, JsonWriter *w, const JsonValue *s) {
    int64_t start = 0, end = 0;
    (void)!time_parse_rfc3339(json_get_str(s, STR("startsAt")), &start);
    (void)!time_parse_rfc3339(json_get_str(s, STR("endsAt")), &end);
    if (a->start && !amtool_time(a->start, start, &start)) return false;
    if ((a->end || a->duration) && !read_span(a, start, &end)) return false;
    if (start > end) {
        amtool_error("silence cannot start after it ends");
        return false;
    }
    json_begin_object(w);
    for (const JsonValue *i = s->first; i; i = i->next) {
        if (str_eq_lit(i->key, "startsAt") || str_eq_lit(i->key, "endsAt") || str_eq_lit(i->key, "status") ||
            str_eq_lit(i->key, "updatedAt") || str_eq_lit(i->key, "recurrence") ||
            (a->comment && str_eq_lit(i->key, "comment"))) {
            continue;
        }
        json_key(w, i->key);
        json_value(w, i);
    }
    if (a->comment) {
        json_key_lit(w, "comment");
        json_str(w, str_cstr(a->comment));
    }
    put_time(w, "startsAt", start);
    put_time(w, "endsAt", end);
    json_end_object(w);
    return true;
}

static int update(Amtool *a) {
    if (!a->n_args) return amtool_error("no silence IDs specified");
    const JsonValue **v = mem_alloc_array(a->n_args, sizeof *v);
    size_t n = 0;
    int code = 0;
    for (size_t i = 0; i < a->n_args && !code; i++) {
        Str path = arena_printf(a->arena, "/api/v2/silence/%s", a->args[i]);
        JsonValue *s = amtool_fetch(a, "GET", path, STR_NULL);
        Buf body = {0};
        JsonWriter w = json_writer(&body);
        const JsonValue *answer = s && put_updated(a, &w, s) ? amtool_fetch(a, "POST", API_PATH, buf_str(&body)) : NULL;
        buf_done(&body);
        code = answer ? 0 : 1;
        if (!answer) break;
        path = arena_printf(a->arena, "/api/v2/silence/%.*s", (int)json_get_str(answer, STR("silenceID")).n,
            json_get_str(answer, STR("silenceID")).p);
        s = amtool_fetch(a, "GET", path, STR_NULL);
        if (s) v[n++] = s;
    }
    if (!code && !a->quiet) print_silences(a, v, n);
    for (size_t i = 0; !code && a->quiet && i < n; i++) {
        Str id = json_get_str(v[i], STR("id"));
        printf("%.*s\n", (int)id.n, id.p);
    }
    mem_free(v);
    return code;
}

static int expire(Amtool *a) {
    if (!a->n_args) return amtool_error("no silence IDs specified");
    for (size_t i = 0; i < a->n_args; i++) {
        if (!amtool_fetch(a, "DELETE", arena_printf(a->arena, "/api/v2/silence/%s", a->args[i]), STR_NULL)) return 1;
    }
    return 0;
}

/* --- import --- */

static bool import_one(Amtool *a, const JsonValue *s) {
    for (int attempt = 0; attempt < 2; attempt++) {
        Buf body = {0}, out = {0};
        JsonWriter w = json_writer(&body);
        json_begin_object(&w);
        for (const JsonValue *i = s->first; i; i = i->next) {
            if (str_eq_lit(i->key, "id") && (a->force || attempt)) continue;
            if (str_eq_lit(i->key, "status") || str_eq_lit(i->key, "updatedAt")) continue;
            json_key(&w, i->key);
            json_value(&w, i);
        }
        json_end_object(&w);
        int status = amtool_call(a, "POST", API_PATH, buf_str(&body), &out);
        Str text = str_trim(arena_copy(a->arena, buf_str(&out)));
        buf_done(&body);
        buf_done(&out);
        JsonValue *root = NULL;
        if (status / 100 == 2 && json_parse(text, a->arena, &root, NULL) == OK) {
            Str id = json_get_str(root, STR("silenceID"));
            printf("%.*s\n", (int)id.n, id.p);
            return true;
        }
        if (status != 404 || attempt) { /* unknown there: as a new one */
            Str id = json_get_str(s, STR("id"));
            fprintf(stderr, "Error adding silence id='%.*s': %.*s\n", (int)id.n, id.p ? id.p : "", (int)text.n, text.p);
            return false;
        }
    }
    return false;
}

static int import_file(Amtool *a) {
    Buf text = {0};
    Err err = {0};
    Str copy;
    if (a->n_args) {
        if (!amtool_read_file(a, a->args[0], (size_t)256 << 20, &copy)) return 1;
    } else {
        char piece[4096];
        for (size_t n; (n = fread(piece, 1, sizeof piece, stdin)) > 0;) buf_put(&text, piece, n);
        copy = arena_copy(a->arena, buf_str(&text));
        buf_done(&text);
    }
    JsonValue *root = NULL;
    size_t end;
    if (gojson_scan(copy, GOJSON_DECODER, &end, &err) || json_parse(str_slice(copy, 0, end), a->arena, &root, &err) ||
        root->kind != JSON_K_ARRAY) {
        return amtool_error("couldn't unmarshal input data, is it JSON?: %s", err.msg[0] ? err.msg : "not a list");
    }
    size_t failed = 0;
    for (const JsonValue *i = root->first; i; i = i->next) failed += !import_one(a, i);
    return failed ? amtool_error("couldn't import %zu out of %zu silences", failed, root->n) : 0;
}

int cmd_silence(int argc, char **argv) {
    static const AmVerb verbs[] = {
        {"query", query}, {"add", add}, {"update", update}, {"expire", expire}, {"import", import_file}};
    return amtool_run(verbs, ARRAY_LEN(verbs), "silence", argc, argv);
}
