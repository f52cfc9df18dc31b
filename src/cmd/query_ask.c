/* query_ask.c - arguments of `meerkat query ...`, the request, and the answer's way to the terminal. */
#include "cmd/query_int.h"

#include "base/num.h"
#include "base/timefmt.h"
#include "net/client.h"
#include "sys/clock.h"

#include <stdlib.h>

#define QUERY_TIMEOUT_MS 130000
#define ANSWER_BYTES_MAX ((size_t)1 << 30)

/* --- arguments --- */

static int set_format(Query *q, const char *value) {
    if (value && strcmp(value, "promql") == 0)
        q->format = QUERY_PROMQL;
    else if (value && strcmp(value, "json") == 0)
        q->format = QUERY_JSON;
    else
        return command_usage("%s: --format is promql or json, not \"%s\"", q->command, value ? value : "");
    return 0;
}

static int add_to_list(const Query *q, const char **list, int *n, const char *option, const char *value) {
    if (!value) return command_usage("%s: %s wants a value", q->command, option);
    if (*n == QUERY_LIST_MAX) return command_usage("%s: more than %d of %s", q->command, QUERY_LIST_MAX, option);
    list[(*n)++] = value;
    return 0;
}

static bool take_single(Query *q, int argc, char **argv, int *i, int *code) {
    const struct {
        const char *name, **value;
    } options[] = {{"--server", &q->server}, {"--time", &q->time}, {"--start", &q->start}, {"--end", &q->end},
        {"--step", &q->step}, {"--since", &q->since}, {"--limit", &q->limit}, {"--user", &q->user},
        {"--token", &q->token}};
    for (size_t k = 0; k < ARRAY_LEN(options); k++) {
        if (!command_option(argc, argv, i, options[k].name, options[k].value)) continue;
        if (!*options[k].value) *code = command_usage("%s: %s wants a value", q->command, options[k].name);
        return true;
    }
    return false;
}

static int take_option(Query *q, int argc, char **argv, int *i) {
    const char *value = NULL;
    int code = 0;
    if (strcmp(argv[*i], "--json") == 0) {
        q->format = QUERY_ANSWER;
        return 0;
    }
    if (take_single(q, argc, argv, i, &code)) return code;
    if (command_option(argc, argv, i, "--match", &value))
        return add_to_list(q, q->matches, &q->n_matches, "--match", value);
    if (command_option(argc, argv, i, "--header", &value))
        return add_to_list(q, q->headers, &q->n_headers, "--header", value);
    if (command_option(argc, argv, i, "--format", &value) || command_option(argc, argv, i, "-o", &value))
        return set_format(q, value);
    return command_unknown_option(q->command, argv[*i]);
}

static bool is_url(const char *s) { return strncmp(s, "http://", 7) == 0 || strncmp(s, "https://", 8) == 0; }

int query_parse(Query *q, const char *command, int argc, char **argv) {
    bool options = true;
    *q = (Query){.command = command};
    for (int i = 0; i < argc; i++) {
        /* "-1" is an expression, "--" ends the options. */
        bool dash = options && argv[i][0] == '-' && argv[i][1] && (argv[i][1] < '0' || argv[i][1] > '9');
        int code = 0;
        if (dash && strcmp(argv[i], "--") == 0)
            options = false;
        else if (dash)
            code = take_option(q, argc, argv, &i);
        else if (q->n_args == 0 && !q->server && is_url(argv[i]))
            q->server = argv[i];
        else
            code = add_to_list(q, q->args, &q->n_args, "its arguments", argv[i]);
        if (code) return code;
    }
    return 0;
}

bool query_time(const char *text, int64_t *ret_ns) {
    int64_t ms;
    double seconds;
    if (duration_parse_prom(str_cstr(text), &ms)) {
        *ret_ns = clock_now_ns() - ms * NS_PER_MS;
        return true;
    }
    if (num_parse_f64(str_cstr(text), &seconds) && seconds > -9e9 && seconds < 9e9) {
        *ret_ns = (int64_t)(seconds * 1e9);
        return true;
    }
    return time_parse_rfc3339(str_cstr(text), ret_ns);
}

/* --- the request --- */

void query_put_param(Buf *url, const char *name, Str value) {
    buf_put_char(url, str_find_char(buf_str(url), '?') == SIZE_MAX ? '?' : '&');
    buf_printf(url, "%s=", name);
    http_url_encode(url, value);
}

void query_put_segment(Buf *url, Str segment) {
    Buf coded = {0};
    http_url_encode(&coded, segment);
    for (size_t i = 0; i < coded.n; i++) {
        if (coded.p[i] == '+') /* a blank; in paths a plus is a plus */
            buf_put_lit(url, "%20");
        else
            buf_put_char(url, coded.p[i]);
    }
    buf_done(&coded);
}

static bool parse_time(const char *text, int64_t *ret_ns) {
    if (query_time(text, ret_ns)) return true;
    command_usage("\"%s\" is not a time: give 15m, Unix seconds or RFC 3339", text);
    return false;
}

bool query_put_seconds(Buf *url, const char *name, const char *text, const char *fallback, bool up) {
    int64_t t;
    if (!parse_time(text ? text : fallback, &t)) return false;
    Buf v = {0};
    num_put_i64(&v, t / NS_PER_S + (up && t % NS_PER_S));
    query_put_param(url, name, buf_str(&v));
    buf_done(&v);
    return true;
}

bool query_put_time(Buf *url, const char *name, const char *text, const char *fallback, bool ns) {
    int64_t t;
    if (!text) text = fallback;
    if (!text) return true;
    if (!parse_time(text, &t)) return false;
    Buf v = {0};
    if (ns)
        num_put_i64(&v, t);
    else
        buf_printf(&v, "%lld.%03lld", (long long)(t / NS_PER_S), (long long)(t % NS_PER_S / NS_PER_MS));
    query_put_param(url, name, buf_str(&v));
    buf_done(&v);
    return true;
}

/* "Name: value" lines of "Name=value", in the arena. */
static const char **header_lines(const Query *q, Arena *arena) {
    const char **lines = ARENA_ARRAY(arena, const char *, (size_t)q->n_headers + 1);
    ASSERT(lines);
    for (int i = 0; i < q->n_headers; i++) {
        Str h = str_cstr(q->headers[i]);
        size_t at = MIN(str_find_char(h, '='), str_find_char(h, ':'));
        if (at >= h.n) at = h.n;
        Str value = at < h.n ? str_trim(str_skip(h, at + 1)) : STR("");
        lines[i] = arena_printf(arena, "%.*s: %.*s", (int)at, h.p, (int)value.n, value.p).p;
        ASSERT(lines[i]);
    }
    lines[q->n_headers] = NULL;
    return lines;
}

static ErrCode fetch(const Query *q, const char *url, Arena *arena, int *ret_status, Buf *body, Err *err) {
    HttpClient *client = http_client_create("meerkat-query");
    char *user = q->user ? str_dup_cstr(str_cstr(q->user)) : NULL, *password = user ? strchr(user, ':') : NULL;
    if (password) *password++ = '\0';
    HttpClientRequest req = {.method = "GET",
        .url = url,
        .headers = header_lines(q, arena),
        .timeout_ms = QUERY_TIMEOUT_MS,
        .max_body_bytes = ANSWER_BYTES_MAX,
        .username = user,
        .password = password ? password
                    : user   ? ""
                             : NULL,
        .bearer_token = q->token,
        .accept_gzip = true};
    ErrCode r = http_client_fetch(client, &req, ret_status, body, err);
    http_client_free(client);
    mem_free(user);
    return r;
}

/* --- the answer --- */

static int print_error(int status, Str body, Arena *arena) {
    JsonValue *root = NULL;
    Str error = STR_NULL, type = STR_NULL;
    if (json_parse(body, arena, &root, NULL) == OK) {
        error = json_get_str(root, STR("error"));
        type = json_get_str(root, STR("errorType"));
    }
    if (!error.n) error = str_trim(body);
    fprintf(stderr, "meerkat: query error: %.*s%s%.*s (status %d)\n", (int)type.n, type.p ? type.p : "",
        type.n ? ": " : "", (int)MIN(error.n, (size_t)4096), error.p ? error.p : "", status);
    return 1;
}

static void print_notes(const JsonValue *root, const char *key, const char *word) {
    const JsonValue *list = json_get(root, str_cstr(key));
    for (const JsonValue *v = list ? list->first : NULL; v; v = v->next)
        fprintf(stderr, "meerkat: %s: %.*s\n", word, (int)v->text.n, v->text.p);
}

static int print_answer(const Query *q, Str body, Arena *arena, QueryPrintFn print) {
    JsonValue *root = NULL;
    Err err = {0};
    Buf out = {0};
    if (q->format == QUERY_ANSWER) {
        buf_put_str(&out, body);
        if (!str_ends_with(body, STR("\n"))) buf_put_char(&out, '\n');
    } else if (json_parse(body, arena, &root, &err) != OK) {
        fprintf(stderr, "meerkat: the server's answer is not JSON: %s\n", err.msg);
        return 1;
    } else {
        const JsonValue *data = json_get(root, STR("data"));
        print_notes(root, "warnings", "warning");
        print_notes(root, "infos", "info");
        print(&out, data ? data : root, q->format);
    }
    bool written = fwrite(out.p ? out.p : "", 1, out.n, stdout) == out.n && fflush(stdout) == 0;
    buf_done(&out);
    return written ? 0 : 1;
}

int query_ask(const Query *q, int port, const Buf *path_and_query, QueryPrintFn print) {
    Arena *arena = arena_create(ARENA_UNLIMITED);
    Buf url = {0}, body = {0};
    Err err = {0};
    int status = 0, code;
    if (q->server)
        buf_put_str(&url, str_cstr(q->server));
    else
        buf_printf(&url, "http://127.0.0.1:%d", command_server_port(port));
    while (url.n && url.p[url.n - 1] == '/') url.n--;
    buf_put_str(&url, buf_str(path_and_query));
    if (fetch(q, buf_cstr(&url), arena, &status, &body, &err) != OK) {
        err_hint(&err, "is the server running? `meerkat status` tells; --server names another one");
        (void)command_fail(&err);
        code = 1;
    } else {
        code =
            status >= 400 ? print_error(status, buf_str(&body), arena) : print_answer(q, buf_str(&body), arena, print);
    }
    buf_done(&url);
    buf_done(&body);
    arena_free(arena);
    return code;
}
