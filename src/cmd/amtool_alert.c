/* amtool_alert.c - `meerkat alert ...`: amtool's alert, config and cluster verbs, and those of our own API. */
#include "cmd/amtool_int.h"

#include "alert/ammatch.h"

#include "base/timefmt.h"
#include "sys/clock.h"

#include <stdio.h>
#include <stdlib.h>

#define OWN "/api/meerkat/v1/alerting/"

/* As Go prints it: <, > and & stand in strings only, and are escaped there. */
void amtool_print_json(Str text) {
    for (size_t i = 0; i < text.n; i++) {
        if (strchr("<>&", text.p[i]) && text.p[i])
            printf("\\u%04x", (unsigned)text.p[i]);
        else
            putchar(text.p[i]);
    }
    putchar('\n');
}

static void print_json(const JsonValue *v) {
    Buf out = {0};
    JsonWriter w = json_writer(&out);
    json_value(&w, v);
    amtool_print_json(buf_str(&out));
    buf_done(&out);
}

/* --- query --- */

static int by_start(const void *x, const void *y) {
    int64_t p = 0, q = 0;
    (void)!time_parse_rfc3339(json_get_str(*(const JsonValue *const *)x, STR("startsAt")), &p);
    (void)!time_parse_rfc3339(json_get_str(*(const JsonValue *const *)y, STR("startsAt")), &q);
    return (p > q) - (p < q);
}

static int by_key(const void *x, const void *y) { return str_cmp(*(const Str *)x, *(const Str *)y); }

/* a="b" c="d", sorted. */
static Str pairs_text(Amtool *a, const JsonValue *o) {
    if (!o || !o->n) return STR("");
    Str *v = ARENA_ARRAY(a->arena, Str, o->n);
    size_t n = 0;
    for (const JsonValue *i = o->first; i; i = i->next) {
        v[n++] = arena_printf(
            a->arena, "%.*s=\"%.*s\"", (int)i->key.n, i->key.p, (int)i->text.n, i->text.p ? i->text.p : "");
    }
    qsort(v, n, sizeof *v, by_key);
    Buf b = {0};
    for (size_t i = 0; i < n; i++) {
        if (i) buf_put_char(&b, ' ');
        buf_put_str(&b, v[i]);
    }
    Str s = arena_copy(a->arena, buf_str(&b));
    buf_done(&b);
    return s;
}

static void print_alerts(Amtool *a, const JsonValue *root) {
    bool extended = strcmp(a->output, "extended") == 0;
    static const char *const simple_heads[] = {"Alertname", "Starts At", "Summary", "State"};
    static const char *const extended_heads[] = {
        "Labels", "Annotations", "Starts At", "Ends At", "Generator URL", "State"};
    const JsonValue **v = mem_alloc_array(root->n + 1, sizeof *v);
    size_t n = 0;
    for (const JsonValue *i = root->first; i; i = i->next) v[n++] = i;
    if (n) qsort(v, n, sizeof *v, by_start);
    AmTable t = {.columns = extended ? 6 : 4};
    for (size_t i = 0; i < t.columns; i++) amtable_add(&t, str_cstr(extended ? extended_heads[i] : simple_heads[i]));
    for (size_t i = 0; i < n; i++) {
        const JsonValue *labels = json_get(v[i], STR("labels")), *annotations = json_get(v[i], STR("annotations"));
        if (extended) {
            amtable_add(&t, pairs_text(a, labels));
            amtable_add(&t, pairs_text(a, annotations));
        } else {
            amtable_add(&t, json_get_str(labels, STR("alertname")));
        }
        amtable_add(&t, amtool_date(a, json_get_str(v[i], STR("startsAt"))));
        if (extended) {
            amtable_add(&t, amtool_date(a, json_get_str(v[i], STR("endsAt"))));
            amtable_add(&t, json_get_str(v[i], STR("generatorURL")));
        } else {
            amtable_add(&t, json_get_str(annotations, STR("summary")));
        }
        amtable_add(&t, json_get_str(json_get(v[i], STR("status")), STR("state")));
    }
    amtable_print(a, &t);
    mem_free(v);
}

static int query(Amtool *a) {
    amtool_first_matcher(a);
    if (!a->silenced && !a->inhibited && !a->active && !a->unprocessed) a->active = true;
    Buf path = {0};
    buf_printf(&path, "/api/v2/alerts?active=%s&inhibited=%s&silenced=%s&unprocessed=%s", a->active ? "true" : "false",
        a->inhibited ? "true" : "false", a->silenced ? "true" : "false", a->unprocessed ? "true" : "false");
    if (a->receiver) amtool_put_param(&path, "receiver", str_cstr(a->receiver));
    for (size_t i = 0; i < a->n_args; i++) amtool_put_param(&path, "filter", str_cstr(a->args[i]));
    const JsonValue *root = amtool_fetch(a, "GET", buf_str(&path), STR_NULL);
    buf_done(&path);
    if (!root) return 1;
    if (strcmp(a->output, "json") == 0)
        print_json(root);
    else
        print_alerts(a, root);
    return 0;
}

/* --- add --- */

static bool put_time(JsonWriter *w, const char *key, const char *text) {
    int64_t ns;
    if (!text) return true;
    if (!amtool_time(text, 0, &ns)) return false;
    Buf t = {0};
    time_put_rfc3339(&t, ns);
    json_key(w, str_cstr(key));
    json_str(w, buf_str(&t));
    buf_done(&t);
    return true;
}

static int add(Amtool *a) {
    amtool_first_matcher(a);
    Buf body = {0};
    JsonWriter w = json_writer(&body);
    json_begin_array(&w);
    json_begin_object(&w);
    json_key_lit(&w, "labels");
    bool good = amtool_pairs(a, a->args, a->n_args, "labels", &w);
    if (good) {
        json_key_lit(&w, "annotations");
        good = amtool_pairs(a, a->annotations, a->n_annotations, "annotations", &w);
    }
    good = good && put_time(&w, "startsAt", a->start) && put_time(&w, "endsAt", a->end);
    if (good && a->generator_url) {
        json_key_lit(&w, "generatorURL");
        json_str(&w, str_cstr(a->generator_url));
    }
    if (good) {
        json_end_object(&w);
        json_end_array(&w);
        good = amtool_fetch(a, "POST", STR("/api/v2/alerts"), buf_str(&body)) != NULL;
    }
    buf_done(&body);
    return good ? 0 : 1;
}

/* --- our own API --- */

static int why(Amtool *a) {
    if (a->n_args != 1)
        return command_usage("alert why wants one fingerprint (`meerkat alert query -o json` shows them)");
    const JsonValue *root = amtool_fetch(a, "GET", arena_printf(a->arena, OWN "alerts/%s/why", a->args[0]), STR_NULL);
    if (!root) return 1;
    if (strcmp(a->output, "json") == 0) {
        print_json(root);
        return 0;
    }
    Str labels = pairs_text(a, json_get(root, STR("labels"))), state = json_get_str(root, STR("state")),
        summary = json_get_str(root, STR("summary"));
    printf("%.*s\n%.*s: %.*s\n", (int)labels.n, labels.p, (int)state.n, state.p, (int)summary.n, summary.p);
    const JsonValue *routes = json_get(root, STR("routes"));
    for (const JsonValue *r = routes ? routes->first : NULL; r; r = r->next) {
        const JsonValue *group = json_get(r, STR("group")), *list = json_get(r, STR("integrations")),
                        *line = json_get(r, STR("line"));
        Str receiver = json_get_str(r, STR("receiver")), matchers = json_get_str(r, STR("matchers")),
            next = json_get_str(group, STR("nextFlush")), outcome = json_get_str(group, STR("outcome"));
        printf("  route %.*s (line %.*s) -> receiver %.*s\n", (int)matchers.n, matchers.p, line ? (int)line->text.n : 0,
            line ? line->text.p : "", (int)receiver.n, receiver.p);
        if (group) printf("    group: %.*s; next flush %.*s\n", (int)outcome.n, outcome.p, (int)next.n, next.p);
        for (const JsonValue *i = list ? list->first : NULL; i; i = i->next) {
            Str name = json_get_str(i, STR("integration")), decision = json_get_str(i, STR("decision")),
                last = json_get_str(i, STR("lastNotified")), repeats = json_get_str(i, STR("repeatsAt")),
                error = json_get_str(i, STR("error"));
            printf("    %.*s: %.*s", (int)name.n, name.p, decision.n ? (int)decision.n : 14,
                decision.n ? decision.p : "not looked at");
            if (last.n) printf(", last notified %.*s", (int)last.n, last.p);
            if (repeats.n) printf(", repeats at %.*s", (int)repeats.n, repeats.p);
            if (error.n) printf(", last error: %.*s", (int)error.n, error.p);
            putchar('\n');
        }
    }
    return 0;
}

static bool is_fingerprint(const char *s) { return strlen(s) == 16 && strspn(s, "0123456789abcdef") == 16; }

static int ack(Amtool *a) {
    if (!a->n_args) return command_usage("alert ack wants fingerprints or matchers");
    if (!is_fingerprint(a->args[0])) amtool_first_matcher(a);
    Buf body = {0};
    JsonWriter w = json_writer(&body);
    json_begin_object(&w);
    for (int kind = 0; kind < 2; kind++) {
        json_key(&w, kind ? STR("matchers") : STR("fingerprints"));
        json_begin_array(&w);
        for (size_t i = 0; i < a->n_args; i++) {
            if (is_fingerprint(a->args[i]) == !kind) json_str(&w, str_cstr(a->args[i]));
        }
        json_end_array(&w);
    }
    const char *owner = a->owner ? a->owner : a->author ? a->author : amtool_user(a);
    json_key_lit(&w, "owner");
    json_str(&w, str_cstr(owner));
    json_key_lit(&w, "comment");
    json_str(&w, str_cstr(a->comment));
    if (a->duration) {
        json_key_lit(&w, "duration");
        json_str(&w, str_cstr(a->duration));
    }
    json_end_object(&w);
    const JsonValue *root = amtool_fetch(a, "POST", STR(OWN "acks"), buf_str(&body));
    buf_done(&body);
    const JsonValue *list = root ? json_get(root, STR("acknowledged")) : NULL;
    for (const JsonValue *i = list ? list->first : NULL; i; i = i->next) printf("%.*s\n", (int)i->text.n, i->text.p);
    return root ? 0 : 1;
}

static int unack(Amtool *a) {
    if (!a->n_args) return command_usage("alert unack wants fingerprints");
    for (size_t i = 0; i < a->n_args; i++) {
        if (!amtool_fetch(a, "DELETE", arena_printf(a->arena, OWN "acks/%s", a->args[i]), STR_NULL)) return 1;
    }
    return 0;
}

static int history(Amtool *a) {
    Buf path = {0};
    int64_t ns;
    buf_put_lit(&path, OWN "history");
    if (a->limit) amtool_put_param(&path, "limit", str_cstr(a->limit));
    if (a->kind) amtool_put_param(&path, "kind", str_cstr(a->kind));
    if (a->within && !amtool_go_duration(a->within, &ns)) return 1;
    if (a->within) {
        Buf t = {0};
        time_put_rfc3339(&t, clock_now_ns() - ns);
        amtool_put_param(&path, "from", buf_str(&t));
        buf_done(&t);
    }
    amtool_first_matcher(a);
    for (size_t i = 0; i < a->n_args; i++) amtool_put_param(&path, "filter", str_cstr(a->args[i]));
    const JsonValue *root = amtool_fetch(a, "GET", buf_str(&path), STR_NULL),
                    *events = root ? json_get(root, STR("events")) : NULL;
    buf_done(&path);
    if (!root) return 1;
    if (strcmp(a->output, "json") == 0) {
        print_json(root);
        return 0;
    }
    AmTable t = {.columns = 4};
    static const char *const heads[] = {"Time", "What", "Labels", "Details"};
    for (size_t i = 0; i < 4; i++) amtable_add(&t, str_cstr(heads[i]));
    for (const JsonValue *e = events ? events->first : NULL; e; e = e->next) {
        Buf details = {0};
        for (const JsonValue *i = e->first; i; i = i->next) {
            if (i->kind != JSON_K_STRING || str_eq_lit(i->key, "time") || str_eq_lit(i->key, "kind") ||
                str_eq_lit(i->key, "groupKey"))
                continue;
            buf_printf(&details, "%s%.*s=%.*s", details.n ? " " : "", (int)i->key.n, i->key.p, (int)i->text.n,
                i->text.p ? i->text.p : "");
        }
        amtable_add(&t, amtool_date(a, json_get_str(e, STR("time"))));
        amtable_add(&t, json_get_str(e, STR("kind")));
        amtable_add(&t, pairs_text(a, json_get(e, STR("labels"))));
        amtable_add(&t, arena_copy(a->arena, buf_str(&details)));
        buf_done(&details);
    }
    amtable_print(a, &t);
    return 0;
}

static int test_receiver(Amtool *a) {
    if (!a->n_args) return command_usage("alert test-receiver wants the receiver's name, then labels");
    Buf body = {0}, path = {0};
    JsonWriter w = json_writer(&body);
    json_begin_object(&w);
    json_key_lit(&w, "labels");
    bool good = amtool_pairs(a, a->args + 1, a->n_args - 1, "labels", &w);
    if (good) {
        json_key_lit(&w, "annotations");
        good = amtool_pairs(a, a->annotations, a->n_annotations, "annotations", &w);
    }
    if (good) {
        json_key_lit(&w, "resolved");
        json_bool(&w, a->resolved);
        json_end_object(&w);
    }
    buf_put_lit(&path, OWN "receivers/");
    http_url_encode(&path, str_cstr(a->args[0]));
    buf_put_lit(&path, "/test");
    const JsonValue *root = good ? amtool_fetch(a, "POST", buf_str(&path), buf_str(&body)) : NULL;
    buf_done(&body);
    buf_done(&path);
    const JsonValue *list = root ? json_get(root, STR("results")) : NULL;
    int code = root ? 0 : 1;
    for (const JsonValue *i = list ? list->first : NULL; i; i = i->next) {
        const JsonValue *ok = json_get(i, STR("ok")), *index = json_get(i, STR("index"));
        Str name = json_get_str(i, STR("integration")), error = json_get_str(i, STR("error"));
        bool sent = ok && ok->boolean;
        printf("%.*s[%.*s]: %s%.*s\n", (int)name.n, name.p, index ? (int)index->text.n : 0, index ? index->text.p : "",
            sent ? "sent" : "FAILED: ", (int)error.n, error.p ? error.p : "");
        if (!sent) code = 1;
    }
    if (root && list && !list->n) printf("the receiver has no integrations: nobody is told\n");
    return code;
}

/* --- configuration and cluster --- */

/* After config and cluster the verb may be said. */
static bool drop_show(Amtool *a, const char *what) {
    if (a->n_args && strcmp(a->args[0], "show") == 0) {
        memmove(a->args, a->args + 1, (a->n_args - 1) * sizeof *a->args);
        a->n_args--;
    }
    if (!a->n_args) return true;
    (void)command_usage("alert %s wants show, not \"%s\"", what, a->args[0]);
    return false;
}

static void print_extended(const JsonValue *root, Str text) {
    static const char *const keys[] = {"buildUser", "goVersion", "revision", "version", "branch", "buildDate"};
    printf("%.*s\n", (int)text.n, text.p);
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
        Str v = json_get_str(json_get(root, STR("versionInfo")), str_cstr(keys[i]));
        printf("%s %.*s\n", keys[i], (int)v.n, v.p ? v.p : "");
    }
    Str up = json_get_str(root, STR("uptime"));
    printf("uptime %.*s\n", (int)up.n, up.p ? up.p : "");
}

static int config_show(Amtool *a) {
    if (a->n_args && strcmp(a->args[0], "routes") == 0) {
        memmove(a->args, a->args + 1, (a->n_args - 1) * sizeof *a->args);
        a->n_args--;
        return amtool_routes(a);
    }
    if (!drop_show(a, "config")) return 2;
    const JsonValue *root = amtool_fetch(a, "GET", STR("/api/v2/status"), STR_NULL);
    if (!root) return 1;
    Str text = json_get_str(json_get(root, STR("config")), STR("original"));
    if (strcmp(a->output, "json") == 0)
        print_json(root);
    else if (strcmp(a->output, "extended") == 0)
        print_extended(root, text);
    else
        printf("%.*s\n", (int)text.n, text.p);
    return 0;
}

static int cluster_show(Amtool *a) {
    if (!drop_show(a, "cluster")) return 2;
    const JsonValue *root = amtool_fetch(a, "GET", STR("/api/v2/status"), STR_NULL);
    if (!root) return 1;
    const JsonValue *c = json_get(root, STR("cluster")), *peers = json_get(c, STR("peers"));
    Str status = json_get_str(c, STR("status")), name = json_get_str(c, STR("name"));
    if (strcmp(a->output, "json") == 0) {
        print_json(c);
        return 0;
    }
    Buf b = {0};
    buf_printf(
        &b, "Cluster Status:\t%.*s\nNode Name:\t%.*s\n", (int)status.n, status.p, (int)name.n, name.p ? name.p : "");
    if (strcmp(a->output, "extended") == 0) {
        buf_put_lit(&b, "\nAddress\tName\n");
        for (const JsonValue *p = peers ? peers->first : NULL; p; p = p->next) {
            Str address = json_get_str(p, STR("address")), peer = json_get_str(p, STR("name"));
            buf_printf(&b, "%.*s\t%.*s\t\n", (int)address.n, address.p, (int)peer.n, peer.p);
        }
    }
    amtool_print_tabs(a, buf_str(&b));
    buf_done(&b);
    return 0;
}

int cmd_alert(int argc, char **argv) {
    static const AmVerb verbs[] = {{"query", query}, {"add", add}, {"routes", amtool_routes}, {"why", why},
        {"ack", ack}, {"unack", unack}, {"history", history}, {"test-receiver", test_receiver}, {"config", config_show},
        {"cluster", cluster_show}, {"template", amtool_template}};
    return amtool_run(verbs, ARRAY_LEN(verbs), "alert", argc, argv);
}
