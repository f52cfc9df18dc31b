/* amtool.c - flags, calls and tables of the commands that talk to an Alertmanager. */
#include "base/vec.h"

#include "cmd/amtool_int.h"

#include "alert/ammatch.h"

#include "base/num.h"
#include "base/timefmt.h"
#include "codec/yaml.h"
#include "lang/gotime.h"
#include "lang/lexer.h"
#include "metrics/prom_http.h"
#include "sys/clock.h"
#include "sys/fs.h"
#include "sys/process.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

const char *amtool_program = "meerkat";

bool amtool_is_amtool(void) { return strcmp(amtool_program, "amtool") == 0; }

int amtool_error(const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    fprintf(stderr, "%s: error: ", amtool_program);
    vfprintf(stderr, fmt, ap);
    fputc('\n', stderr);
    va_end(ap);
    return 1;
}

int amtool_usage(const char *fmt, ...) {
    char text[512];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return amtool_is_amtool() ? amtool_error("%s", text) : command_usage("%s", text);
}

/* --- flags --- */

typedef struct Flag {
    const char *name; /* long one without dashes */
    char letter;
    bool *flag;
    const char **value;
} Flag;

static size_t flags_of(Amtool *a, bool silences, Flag *v) {
    const Flag all[] = {{"alertmanager.url", 0, NULL, &a->url}, {"output", 'o', NULL, &a->output},
        {"timeout", 0, NULL, &a->timeout}, {"config.file", 0, NULL, &a->config_file},
        {"date.format", 0, NULL, &a->date_format}, {"enable-feature", 0, NULL, &a->features},
        {"http.config.file", 0, NULL, &a->http_config}, {"token", 0, NULL, &a->token},
        {"verbose", 'v', &a->verbose, NULL}, {"version-check", 0, &a->version_check, NULL},
        {"no-version-check", 0, &a->no_version_check, NULL}, {"inhibited", 'i', &a->inhibited, NULL},
        {"silenced", 's', &a->silenced, NULL}, {"active", silences ? 0 : 'a', &a->active, NULL},
        {"unprocessed", 'u', &a->unprocessed, NULL}, {"receiver", 'r', NULL, &a->receiver},
        {"expired", 0, &a->expired, NULL}, {"quiet", 'q', &a->quiet, NULL}, {"created-by", 0, NULL, &a->created_by},
        {"id", 0, NULL, &a->id}, {"within", 0, NULL, &a->within}, {"author", silences ? 'a' : 0, NULL, &a->author},
        {"duration", 'd', NULL, &a->duration}, {"start", 0, NULL, &a->start}, {"end", 0, NULL, &a->end},
        {"comment", 'c', NULL, &a->comment}, {"require-comment", 0, NULL, &a->require_comment},
        {"generator-url", 0, NULL, &a->generator_url}, {"force", 'f', &a->force, NULL},
        {"worker", 'w', NULL, &a->workers}, {"verify.receivers", 0, NULL, &a->verify}, {"tree", 0, &a->tree, NULL},
        {"owner", 0, NULL, &a->owner}, {"limit", 0, NULL, &a->limit}, {"kind", 0, NULL, &a->kind},
        {"json", 0, &a->json, NULL}, {"resolved", 0, &a->resolved, NULL}, {"template.text", 0, NULL, &a->template_text},
        {"template.type", 0, NULL, &a->template_type}, {"template.data", 0, NULL, &a->template_data}};
    memcpy(v, all, sizeof all);
    return ARRAY_LEN(all);
}

bool amtool_takes_value(const char *arg) {
    Flag flags[64];
    Amtool *a = NEW(Amtool);
    size_t n = flags_of(a, true, flags);
    bool takes = strncmp(arg, "--annotation", 13) == 0 || strncmp(arg, "--template.glob", 16) == 0;
    for (size_t k = 0; k < n; k++) {
        bool same = arg[1] == '-' ? strcmp(arg + 2, flags[k].name) == 0 : arg[1] == flags[k].letter && !arg[2];
        takes |= same && flags[k].value;
    }
    mem_free(a);
    return takes;
}

static int set_long(Amtool *a, const Flag *flags, size_t n, int argc, char **argv, int *i) {
    const char *arg = argv[*i] + 2, *eq = strchr(arg, '=');
    Str name = eq ? str_of(arg, (size_t)(eq - arg)) : str_cstr(arg);
    bool glob = str_eq_lit(name, "template.glob");
    if (glob || str_eq_lit(name, "annotation")) {
        const char *value = eq ? eq + 1 : *i + 1 < argc ? argv[++*i] : NULL;
        size_t *count = glob ? &a->n_globs : &a->n_annotations;
        if (!value || *count == AMTOOL_REPEATS_MAX)
            return command_usage("--%.*s wants a value, at most %d times", (int)name.n, name.p, AMTOOL_REPEATS_MAX);
        (glob ? a->globs : a->annotations)[(*count)++] = value;
        return 0;
    }
    for (size_t k = 0; k < n; k++) {
        if (!str_eq(name, str_cstr(flags[k].name))) continue;
        if (flags[k].flag)
            *flags[k].flag = !eq || strcmp(eq + 1, "false") != 0;
        else if (eq || *i + 1 < argc)
            *flags[k].value = eq ? eq + 1 : argv[++*i];
        else
            return command_usage("%s wants a value", argv[*i]);
        return 0;
    }
    Str names[64];
    for (size_t k = 0; k < n; k++) names[k] = str_cstr(flags[k].name);
    Str near = diag_suggest(name, names, n);
    if (amtool_is_amtool()) return amtool_error("unknown long flag '--%.*s'", (int)name.n, name.p);
    if (near.n) return command_usage("unknown flag \"%s\"; did you mean \"--%.*s\"?", argv[*i], (int)near.n, near.p);
    return command_usage("unknown flag \"%s\"", argv[*i]);
}

/* -qd1h, -q -d 1h. */
static int set_short(const Flag *flags, size_t n, int argc, char **argv, int *i) {
    const char *p = argv[*i] + 1;
    while (*p) {
        size_t k = 0;
        while (k < n && flags[k].letter != *p) k++;
        if (k == n && amtool_is_amtool()) return amtool_error("unknown short flag '-%c'", *p);
        if (k == n) return command_usage("unknown flag \"-%c\"", *p);
        p++;
        if (flags[k].flag) {
            *flags[k].flag = true;
            continue;
        }
        if (*p == '=') p++;
        if (*p)
            *flags[k].value = p;
        else if (*i + 1 < argc)
            *flags[k].value = argv[++*i];
        else
            return command_usage("%s wants a value", argv[*i]);
        break;
    }
    return 0;
}

/* A flag that was not given takes what the file says. Keys that are no flags of the verb are no mistake: there is one
 * file for all verbs. */
static void set_default(Amtool *a, const Flag *flags, size_t n, const YamlNode *i, const YamlNode *root) {
    Str key = i->key->text;
    if (str_eq_lit(key, "comment_required")) { /* the name it once had */
        if (yaml_get(root, STR("require-comment"))) return;
        key = STR("require-comment");
    }
    for (size_t k = 0; k < n; k++) {
        if (!str_eq(key, str_cstr(flags[k].name))) continue;
        if (flags[k].flag)
            *flags[k].flag |= str_eq_lit(i->text, "true");
        else if (!*flags[k].value)
            *flags[k].value = arena_copy(a->arena, i->text).p;
    }
}

/* amtool's own files: defaults for flags. 0, or the exit code. */
static int read_defaults(Amtool *a, const Flag *flags, size_t n) {
    const char *home = getenv("HOME");
    Buf path = {0}, text = {0};
    buf_printf(&path, "%s/.config/amtool/config.yml", home ? home : "");
    const char *files[] = {buf_cstr(&path), "/etc/amtool/config.yml"};
    int code = 0;
    for (size_t i = 0; i < ARRAY_LEN(files) && !code; i++) {
        DiagList diags;
        YamlNode *root = NULL;
        buf_clear(&text);
        if (fs_read_file(fs_real(), files[i], 1 << 20, &text, NULL)) continue;
        Str copy = arena_copy(a->arena, buf_str(&text));
        diag_init(&diags, arena_copy(a->arena, str_cstr(files[i])), copy);
        bool good =
            yaml_parse(copy, a->arena, &root, &diags) == OK && (yaml_is_null(root) || root->kind == YAML_MAPPING);
        for (const YamlNode *k = good && root->kind == YAML_MAPPING ? root->first : NULL; k && good; k = k->next) {
            if (k->kind == YAML_SCALAR)
                set_default(a, flags, n, k, root);
            else
                good = false;
        }
        if (!good) code = amtool_error("could not load config file: %s is not a mapping of flags to values", files[i]);
        diag_done(&diags);
    }
    buf_done(&path);
    buf_done(&text);
    return code;
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
        if (!only_args && strcmp(argv[i], "--") == 0)
            only_args = true;
        else if (!only_args && strncmp(argv[i], "--", 2) == 0)
            code = set_long(a, flags, n, argc, argv, &i);
        else if (!only_args && argv[i][0] == '-' && argv[i][1])
            code = set_short(flags, n, argc, argv, &i);
        else if (a->n_args < AMTOOL_ARGS_MAX)
            a->args[a->n_args++] = argv[i];
        if (code) return code;
    }
    int wrong = read_defaults(a, flags, n);
    if (wrong) return wrong;
    a->has_url = a->url != NULL;
    if (!a->url) default_url(a);
    if (!a->output) a->output = a->json ? "json" : "simple";
    if (strcmp(a->output, "simple") != 0 && strcmp(a->output, "extended") != 0 && strcmp(a->output, "json") != 0) {
        return amtool_usage("enum value must be one of simple,extended,json, got '%s'", a->output);
    }
    return 0;
}

void amtool_done(Amtool *a) {
    prom_http_free(a->http);
    http_client_free(a->client);
    arena_free(a->arena);
    buf_done(&a->url_buf);
}

/* --- durations, with Go's and Prometheus' complaints --- */

static size_t digits_of(Str s, bool fraction) {
    size_t n = 0;
    while (n < s.n && ((s.p[n] >= '0' && s.p[n] <= '9') || (fraction && s.p[n] == '.'))) n++;
    return n;
}

static size_t unit_of(Str s) {
    size_t n = 0;
    while (n < s.n && s.p[n] != '.' && (s.p[n] < '0' || s.p[n] > '9')) n++;
    return n;
}

static bool is_one_of(Str s, const char *const *v, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (str_eq(s, str_cstr(v[i]))) return true;
    }
    return false;
}

bool amtool_go_duration(const char *text, int64_t *ret_ns) {
    static const char *const units[] = {"ns", "us", "\xC2\xB5s", "\xCE\xBCs", "ms", "s", "m", "h"};
    if (duration_parse_go(str_cstr(text), ret_ns)) return true;
    Str s = str_cstr(text);
    if (s.n && (s.p[0] == '-' || s.p[0] == '+')) s = str_skip(s, 1);
    while (s.n) {
        size_t n = digits_of(s, true);
        Str unit = str_slice(str_skip(s, n), 0, unit_of(str_skip(s, n)));
        if (!n) break;
        if (!unit.n) {
            amtool_error("time: missing unit in duration \"%s\"", text);
            return false;
        }
        if (!is_one_of(unit, units, ARRAY_LEN(units))) {
            amtool_error("time: unknown unit \"%.*s\" in duration \"%s\"", (int)unit.n, unit.p, text);
            return false;
        }
        s = str_skip(s, n + unit.n);
    }
    amtool_error("time: invalid duration \"%s\"", text);
    return false;
}

bool amtool_prom_duration(const char *text, int64_t *ret_ms) {
    static const char *const units[] = {"ms", "s", "m", "h", "d", "w", "y"};
    if (*text && duration_parse_prom(str_cstr(text), ret_ms)) return true;
    for (Str s = str_cstr(text); s.n;) {
        size_t n = digits_of(s, false);
        Str unit = str_slice(str_skip(s, n), 0, unit_of(str_skip(s, n)));
        if (!n || !unit.n) break;
        if (!is_one_of(unit, units, ARRAY_LEN(units))) {
            amtool_error("unknown unit \"%.*s\" in duration \"%s\"", (int)unit.n, unit.p, text);
            return false;
        }
        s = str_skip(s, n + unit.n);
    }
    if (*text)
        amtool_error("not a valid duration string: \"%s\"", text);
    else
        amtool_error("empty duration string");
    return false;
}

/* --- calls --- */

/* --http.config.file: how to sign in and what to trust, in Prometheus' words. */
static bool open_client(Amtool *a) {
    PromHttpConfig *config = NULL;
    int64_t timeout_ns = 30 * NS_PER_S;
    if (a->timeout && !amtool_go_duration(a->timeout, &timeout_ns)) return false;
    a->deadline_ns = clock_mono_ns() + timeout_ns;
    if (a->http_config) {
        Buf text = {0};
        Err err = {0};
        DiagList diags;
        YamlNode *root;
        if (fs_read_file(fs_real(), a->http_config, 1 << 20, &text, &err)) {
            buf_done(&text);
            amtool_error("failed to load HTTP config file: %s", err.msg);
            return false;
        }
        Str copy = arena_copy(a->arena, buf_str(&text)), name = str_cstr(a->http_config);
        size_t slash = str_rfind_char(name, '/');
        buf_done(&text);
        diag_init(&diags, name, copy);
        config = ARENA_NEW(a->arena, PromHttpConfig);
        if (yaml_parse(copy, a->arena, &root, &diags) == OK)
            prom_http_config_read(
                root, slash == SIZE_MAX ? STR(".") : str_slice(name, 0, slash), a->arena, config, &diags);
        bool bad = diag_error_count(&diags) > 0;
        Buf out = {0};
        diag_render(&diags, &out, command_colour());
        fwrite(out.p ? out.p : "", 1, out.n, stderr);
        buf_done(&out);
        diag_done(&diags);
        if (bad) {
            amtool_error("failed to load HTTP config file: %s", a->http_config);
            return false;
        }
    }
    a->client = http_client_create("amtool");
    a->http = prom_http_create(a->client, config);
    return true;
}

int amtool_call(Amtool *a, const char *method, Str path, Str body, Buf *out) {
    if (!a->client && !open_client(a)) return -1;
    buf_clear(&a->url_buf);
    Str base = str_cstr(a->url);
    while (base.n && base.p[base.n - 1] == '/') base.n--;
    if (!str_contains(base, STR("://"))) buf_put_lit(&a->url_buf, "http://");
    buf_put_str(&a->url_buf, base);
    buf_put_str(&a->url_buf, path);
    static const char *const headers[] = {"Content-Type: application/json", NULL};
    int64_t left_ms = (a->deadline_ns - clock_mono_ns()) / NS_PER_MS;
    HttpClientRequest req = {.method = method,
        .url = buf_cstr(&a->url_buf),
        .headers = body.n ? headers : NULL,
        .body = body,
        .timeout_ms = MAX(left_ms, 1),
        .max_body_bytes = (size_t)1 << 30,
        .accept_gzip = true,
        .bearer_token = a->token};
    int status = 0;
    Err err = {0};
    if (prom_http_fetch(a->http, &req, &status, NULL, out, &err)) {
        amtool_error("%s", err.msg);
        return -1;
    }
    return status;
}

/* In the words of the original's client, which knows these statuses of these calls; of others it says less than we do.
 */
static void tell_refusal(const char *method, Str path, int status, Str text, const JsonValue *parsed) {
    static const struct {
        const char *method, *path, *shown, *name;
        bool not_found;
    } calls[] = {{"GET", "/alerts", "/alerts", "getAlerts", false}, {"POST", "/alerts", "/alerts", "postAlerts", false},
        {"GET", "/silences", "/silences", "getSilences", false},
        {"POST", "/silences", "/silences", "postSilences", true},
        {"GET", "/silence/", "/silence/{silenceID}", "getSilence", true},
        {"DELETE", "/silence/", "/silence/{silenceID}", "deleteSilence", true},
        {"GET", "/status", "/status", "getStatus", false}};
    Str message = parsed && parsed->kind == JSON_K_STRING ? parsed->text
                  : parsed                                ? json_get_str(parsed, STR("message"))
                                                          : text;
    if (!message.n) message = str_cstr(http_status_text(status));
    Str rest = str_starts_with(path, STR("/api/v2")) ? str_skip(path, 7) : STR("");
    for (size_t i = 0; i < ARRAY_LEN(calls); i++) {
        if (strcmp(calls[i].method, method) != 0 || !str_starts_with(rest, str_cstr(calls[i].path))) continue;
        const char *what = status == 400 ? "BadRequest" : status == 500 ? "InternalServerError" : "NotFound";
        bool with_body = (status == 400 || status == 500 || status == 404) && text.n;
        if (status == 400 || status == 500 || (status == 404 && calls[i].not_found))
            amtool_error("[%s %s][%d] %s%s %.*s", method, calls[i].shown, status, calls[i].name, what,
                with_body ? (int)text.n : 0, text.p ? text.p : "");
        else
            amtool_error("[%s %s] %s (status %d): %.*s", method, calls[i].shown, calls[i].name, status, (int)message.n,
                message.p);
        return;
    }
    amtool_error("[%s %.*s][%d] %.*s", method, (int)path.n, path.p, status, (int)message.n, message.p);
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
    tell_refusal(method, path, status, text, parsed ? root : NULL);
    return NULL;
}

void amtool_put_param(Buf *url, const char *name, Str value) {
    buf_put_char(url, str_find_char(buf_str(url), '?') == SIZE_MAX ? '?' : '&');
    buf_printf(url, "%s=", name);
    http_url_encode(url, value);
}

/* --- arguments --- */

bool amtool_read_file(Amtool *a, const char *path, size_t max, Str *ret) {
    Buf b = {0};
    Err err = {0};
    ErrCode rc = fs_read_file(fs_real(), path, max, &b, &err);
    if (rc == ERR_NOT_FOUND)
        amtool_error("path '%s' does not exist", path);
    else if (rc)
        amtool_error("%s", err.msg);
    *ret = arena_copy(a->arena, b.n ? buf_str(&b) : STR(""));
    buf_done(&b);
    return rc == OK;
}

const char *amtool_user(Amtool *a) {
    Buf b = {0};
    process_user_name(&b);
    Str s = arena_copy(a->arena, buf_str(&b));
    buf_done(&b);
    return s.n ? arena_printf(a->arena, "%.*s", (int)s.n, s.p).p : "";
}

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
    GoTime t;
    Err err = {0};
    *ret_ns = fallback_ns;
    if (!text || !*text) return true;
    if (go_time_parse(STR("2006-01-02T15:04:05Z07:00"), str_cstr(text), &t, &err)) {
        amtool_error("%s", err.msg);
        return false;
    }
    *ret_ns = go_time_ns(&t);
    return true;
}

Str amtool_date(Amtool *a, Str rfc3339) {
    GoTime t;
    if (go_time_parse(STR("2006-01-02T15:04:05Z07:00"), rfc3339, &t, NULL)) return rfc3339;
    Buf b = {0};
    go_time_format(&b, &t, a->date_format ? str_cstr(a->date_format) : STR("2006-01-02 15:04:05 MST"));
    Str s = arena_copy(a->arena, buf_str(&b));
    buf_done(&b);
    return s;
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
