/* amtool.c - flags, calls and tables of the commands that talk to an Alertmanager. */
#include "base/vec.h"

#include "cmd/amtool_int.h"

#include "alert/ammatch.h"

#include "base/num.h"
#include "base/timefmt.h"
#include "codec/yaml.h"
#include "lang/lexer.h"
#include "sys/clock.h"
#include "sys/fs.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

int amtool_error(const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    fputs("meerkat: error: ", stderr);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    return 1;
}

/* --- flags --- */

typedef struct Flag {
    const char *name; /* long one without dashes */
    char letter;
    bool *flag;
    const char **value;
} Flag;


static size_t flags_of(Amtool *a, bool silences, Flag *v) {
    const Flag all[] = {{"alertmanager.url", 0, NULL, &a->url}, {"output", 'o', NULL, &a->output}, {"timeout", 0, NULL, &a->timeout},
        {"config.file", 0, NULL, &a->config_file}, {"date.format", 0, NULL, &a->date_format}, {"enable-feature", 0, NULL, &a->features},
        {"http.config.file", 0, NULL, &a->http_config}, {"token", 0, NULL, &a->token}, {"verbose", 'v', &a->verbose, NULL},
        {"version-check", 0, &a->version_check, NULL}, {"no-version-check", 0, &a->no_version_check, NULL},
        {"inhibited", 'i', &a->inhibited, NULL}, {"silenced", 's', &a->silenced, NULL},
        {"active", silences ? 0 : 'a', &a->active, NULL}, {"unprocessed", 'u', &a->unprocessed, NULL}, {"receiver", 'r', NULL, &a->receiver},
        {"expired", 0, &a->expired, NULL}, {"quiet", 'q', &a->quiet, NULL}, {"created-by", 0, NULL, &a->created_by}, {"id", 0, NULL, &a->id},
        {"within", 0, NULL, &a->within}, {"author", silences ? 'a' : 0, NULL, &a->author}, {"duration", 'd', NULL, &a->duration},
        {"start", 0, NULL, &a->start}, {"end", 0, NULL, &a->end}, {"comment", 'c', NULL, &a->comment},
        {"require-comment", 0, NULL, &a->require_comment}, {"generator-url", 0, NULL, &a->generator_url}, {"force", 'f', &a->force, NULL},
        {"worker", 'w', NULL, &a->workers}, {"verify.receivers", 0, NULL, &a->verify}, {"tree", 0, &a->tree, NULL},
        {"owner", 0, NULL, &a->owner}, {"limit", 0, NULL, &a->limit}, {"kind", 0, NULL, &a->kind}, {"json", 0, &a->json, NULL},
        {"resolved", 0, &a->resolved, NULL}};
    memcpy(v, all, sizeof all);
    return ARRAY_LEN(all);
}

static int set_long(Amtool *a, const Flag *flags, size_t n, int argc, char **argv, int *i) {
    const char *arg = argv[*i] + 2, *eq = strchr(arg, '=');
    Str name = eq ? str_of(arg, (size_t)(eq - arg)) : str_cstr(arg);
    if (str_eq_lit(name, "annotation")) {
        const char *value = eq ? eq + 1 : *i + 1 < argc ? argv[++*i] : NULL;
        if (!value || a->n_annotations == ARRAY_LEN(a->annotations)) return command_usage("--annotation wants name=value");
        a->annotations[a->n_annotations++] = value;
        return 0;
    }
    for (size_t k = 0; k < n; k++) {
        if (!str_eq(name, str_cstr(flags[k].name))) continue;
        if (flags[k].flag) *flags[k].flag = !eq || strcmp(eq + 1, "false") != 0;
        else if (eq || *i + 1 < argc) *flags[k].value = eq ? eq + 1 : argv[++*i];
        else return command_usage("%s wants a value", argv[*i]);
        return 0;
    }
    Str names[64];
    for (size_t k = 0; k < n; k++) names[k] = str_cstr(flags[k].name);
    Str near = diag_suggest(name, names, n);
    if (near.n) return command_usage("unknown flag \"%s\"; did you mean \"--%.*s\"?", argv[*i], (int)near.n, near.p);
    return command_usage("unknown flag \"%s\"", argv[*i]);
}

/* -qd1h, -q -d 1h. */
static int set_short(const Flag *flags, size_t n, int argc, char **argv, int *i) {
    const char *p = argv[*i] + 1;
    while (*p) {
        size_t k = 0;
        while (k < n && flags[k].letter != *p) k++;
        if (k == n) return command_usage("unknown flag \"-%c\"", *p);
        p++;
        if (flags[k].flag) {
            *flags[k].flag = true;
            continue;
        }
        if (*p == '=') p++;
        if (*p) *flags[k].value = p;
        else if (*i + 1 < argc) *flags[k].value = argv[++*i];
        else return command_usage("%s wants a value", argv[*i]);
        break;
    }
    return 0;
}

/* amtool's own file: defaults for some flags. */
static void read_defaults(Amtool *a) {
    const char *home = getenv("HOME");
    Buf path = {0}, text = {0};
    buf_printf(&path, "%s/.config/amtool/config.yml", home ? home : "");
    const char *files[] = {buf_cstr(&path), "/etc/amtool/config.yml"};
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        DiagList diags;
        YamlNode *root = NULL;
        buf_clear(&text);
        if (fs_read_file(fs_real(), files[i], 1 << 20, &text, NULL)) continue;
        Str copy = arena_copy(a->arena, buf_str(&text));
        diag_init(&diags, str_cstr(files[i]), copy);
        if (yaml_parse(copy, a->arena, &root, &diags) == OK && root->kind == YAML_MAPPING) {
            const struct {
                const char *key, **value;
            } keys[] = {{"alertmanager.url", &a->url}, {"author", &a->author}, {"output", &a->output}, {"date.format", &a->date_format},
                {"comment_required", &a->require_comment}, {"require-comment", &a->require_comment}};
            for (size_t k = 0; k < ARRAY_LEN(keys); k++) {
                const YamlNode *n = yaml_get(root, str_cstr(keys[k].key));
                if (n && n->kind == YAML_SCALAR && !*keys[k].value) *keys[k].value = arena_copy(a->arena, n->text).p;
            }
        }
        diag_done(&diags);
        break;
    }
    buf_done(&path);
    buf_done(&text);
}

static void default_url(Amtool *a) {
    a->url = arena_printf(a->arena, "http://127.0.0.1:%d", command_server_port(9093)).p;
}

int amtool_parse(Amtool *a, int argc, char **argv) {
    Flag flags[64];
    bool silences = a->kind && strcmp(a->kind, "silence") == 0;
    a->kind = NULL;
    size_t n = flags_of(a, silences, flags);
    a->arena = arena_create(ARENA_UNLIMITED);
    bool only_args = false;
    for (int i = 0; i < argc; i++) {
        int code = 0;
        if (!only_args && strcmp(argv[i], "--") == 0) only_args = true;
        else if (!only_args && strncmp(argv[i], "--", 2) == 0) code = set_long(a, flags, n, argc, argv, &i);
        else if (!only_args && argv[i][0] == '-' && argv[i][1]) code = set_short(flags, n, argc, argv, &i);
        else if (a->n_args < AMTOOL_ARGS_MAX) a->args[a->n_args++] = argv[i];
        if (code) return code;
    }
    read_defaults(a);
    if (!a->url) default_url(a);
    if (!a->output) a->output = a->json ? "json" : "simple";
    if (strcmp(a->output, "simple") != 0 && strcmp(a->output, "extended") != 0 && strcmp(a->output, "json") != 0) {
        return command_usage("--output is one of simple, extended, json, not \"%s\"", a->output);
    }
    return 0;
}

void amtool_done(Amtool *a) {
    http_client_free(a->client);
    arena_free(a->arena);
    buf_done(&a->url_buf);
}

/* --- calls --- */

int amtool_call(Amtool *a, const char *method, Str path, Str body, Buf *out) {
    int64_t timeout_ms = 30000, ns;
    if (a->timeout && duration_parse_go(str_cstr(a->timeout), &ns)) timeout_ms = ns / NS_PER_MS;
    if (!a->client) a->client = http_client_create("meerkat-alert");
    buf_clear(&a->url_buf);
    Str base = str_cstr(a->url);
    while (base.n && base.p[base.n - 1] == '/') base.n--;
    if (!str_contains(base, STR("://"))) buf_put_lit(&a->url_buf, "http://");
    buf_put_str(&a->url_buf, base);
    buf_put_str(&a->url_buf, path);
    static const char *const headers[] = {"Content-Type: application/json", NULL};
    HttpClientRequest req = {.method = method, .url = buf_cstr(&a->url_buf), .headers = body.n ? headers : NULL, .body = body,
        .timeout_ms = timeout_ms, .max_body_bytes = (size_t)1 << 30, .accept_gzip = true, .bearer_token = a->token};
    int status = 0;
    Err err = {0};
    if (http_client_fetch(a->client, &req, &status, out, &err)) {
        amtool_error("%s", err.msg);
        return -1;
    }
    return status;
}

JsonValue *amtool_fetch(Amtool *a, const char *method, Str path, Str body) {
    Buf out = {0};
    JsonValue *root = NULL;
    int status = amtool_call(a, method, path, body, &out);
    Str text = status < 0 ? STR("") : str_trim(arena_copy(a->arena, buf_str(&out)));
    buf_done(&out);
    if (status < 0) return NULL;
    Err err = {0};
    bool parsed = text.n && json_parse(text, a->arena, &root, &err) == OK;
    if (status / 100 == 2) {
        if (!text.n) return arena_alloc_zero(a->arena, sizeof(JsonValue));
        if (!parsed) amtool_error("the answer is not JSON: %s", err.msg);
        return parsed ? root : NULL;
    }
    Str message = parsed && root->kind == JSON_K_STRING ? root->text : parsed ? json_get_str(root, STR("message")) : text;
    if (!message.n) message = str_cstr(http_status_text(status));
    amtool_error("[%s %.*s][%d] %.*s", method, (int)path.n, path.p, status, (int)message.n, message.p);
    return NULL;
}

void amtool_put_param(Buf *url, const char *name, Str value) {
    buf_put_char(url, str_find_char(buf_str(url), '?') == SIZE_MAX ? '?' : '&');
    buf_printf(url, "%s=", name);
    http_url_encode(url, value);
}

/* --- arguments --- */

void amtool_first_matcher(Amtool *a) {
    const Matcher *m;
    if (!a->n_args || ammatch_parse_one(str_cstr(a->args[0]), AM_MATCH_FALLBACK, a->arena, &m, NULL) == OK) return;
    Buf b = {0};
    buf_put_lit(&b, "alertname=");
    lang_put_quoted(&b, str_cstr(a->args[0]));
    a->args[0] = arena_copy(a->arena, buf_str(&b)).p;
    buf_done(&b);
}

bool amtool_pairs(Amtool *a, const char *const *v, size_t n, const char *what, JsonWriter *w) {
    json_begin_object(w);
    for (size_t i = 0; i < n; i++) {
        const Matcher *m;
        Err err = {0};
        if (ammatch_parse_one(str_cstr(v[i]), AM_MATCH_FALLBACK, a->arena, &m, &err)) {
            amtool_error("%s", err.msg);
            return false;
        }
        if (m->type != MATCH_EQ) {
            amtool_error("%s must be specified as key=value pairs", what);
            return false;
        }
        json_key(w, m->name);
        json_str(w, m->value);
    }
    json_end_object(w);
    return true;
}

bool amtool_time(const char *text, int64_t fallback_ns, int64_t *ret_ns) {
    *ret_ns = fallback_ns;
    if (!text || time_parse_rfc3339(str_cstr(text), ret_ns)) return true;
    amtool_error("\"%s\" is not a time: give RFC 3339, as 2026-11-20T15:04:05Z", text);
    return false;
}

Str amtool_date(Amtool *a, Str rfc3339) {
    if (rfc3339.n < 19) return rfc3339;
    return arena_printf(a->arena, "%.10s %.8s UTC", rfc3339.p, rfc3339.p + 11);
}

/* --- tables --- */

void amtable_add(AmTable *t, Str cell) { vec_push(&t->cells, cell); }

static size_t width_of(Str s) {
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) n += ((uint8_t)s.p[i] & 0xC0) != 0x80;
    return n;
}

void amtable_print(AmTable *t) {
    size_t widths[16] = {0};
    Buf out = {0};
    for (size_t i = 0; i < t->cells.n; i++) {
        size_t w = width_of(t->cells.v[i]) + 2;
        if (w > widths[i % t->columns]) widths[i % t->columns] = w;
    }
    for (size_t i = 0; i < t->cells.n; i++) {
        buf_put_str(&out, t->cells.v[i]);
        for (size_t k = width_of(t->cells.v[i]); k < widths[i % t->columns]; k++) buf_put_char(&out, ' ');
        if ((i + 1) % t->columns == 0) buf_put_char(&out, '\n');
    }
    fwrite(out.p ? out.p : "", 1, out.n, stdout);
    buf_done(&out);
    vec_done(&t->cells);
}

int amtool_run(const AmVerb *verbs, size_t n, const char *kind, int argc, char **argv) {
    const AmVerb *verb = &verbs[0];
    for (size_t i = 0; argc > 0 && i < n; i++) {
        if (strcmp(argv[0], verbs[i].name) != 0) continue;
        verb = &verbs[i];
        argc--;
        argv++;
        break;
    }
    Amtool *a = NEW(Amtool);
    a->kind = kind;
    int code = amtool_parse(a, argc, argv);
    if (!code) code = verb->run(a);
    amtool_done(a);
    mem_free(a);
    return code;
}
