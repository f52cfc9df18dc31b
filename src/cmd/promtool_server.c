/* promtool_server.c - promtool check healthy|ready, promtool push metrics: what asks a server. */
#include "base/timefmt.h"
#include "base/vec.h"
#include "cmd/promtool_int.h"
#include "cmd/write_request.h"
#include "codec/compress.h"
#include "metrics/scrape/promtext.h"
#include "net/client.h"
#include "sys/clock.h"
#include "sys/fs.h"

#include <stdlib.h>

#define CHECK_TIMEOUT_MS 30000
#define PUSH_BYTES_MAX ((size_t)256 << 20)
#define PAIRS_MAX 64

/* --- health --- */

/* "http://host/x/" and "/y" -> "http://host/x/y" */
static void put_url(Buf *out, const char *base, const char *path) {
    size_t n = strlen(base);
    while (n && base[n - 1] == '/') n--;
    buf_put(out, base, n);
    buf_put_str(out, str_cstr(path));
}

static int check_status(int argc, char **argv, const char *path) {
    char own[64];
    snprintf(own, sizeof own, "http://localhost:%d", command_server_port(9090));
    const char *server = own, *value;
    for (int i = 0; i < argc; i++) {
        if (command_option(argc, argv, &i, "--url", &value) && value)
            server = value;
        else
            return promtool_error("unknown long flag '%s'", argv[i]);
    }
    Buf url = {0}, answer = {0};
    Err err = {0};
    int status = 0;
    put_url(&url, server, path);
    HttpClient *client = http_client_create("promtool/3.16.0");
    HttpClientRequest req = {.method = "GET", .url = buf_cstr(&url), .timeout_ms = CHECK_TIMEOUT_MS};
    ErrCode code = http_client_fetch(client, &req, &status, &answer, &err);
    if (code != OK)
        fprintf(stderr, "Get \"%s\": %s\n", buf_cstr(&url), err.msg);
    else if (status != 200)
        fprintf(stderr, "check failed: URL=%s, status=%d\n", server, status);
    else
        fprintf(stderr, "  SUCCESS:  %s\n", buf_cstr(&answer));
    http_client_free(client);
    buf_done(&url);
    buf_done(&answer);
    return code == OK && status == 200 ? 0 : 1;
}

int promtool_check_healthy(int argc, char **argv) { return check_status(argc, argv, "/-/healthy"); }
int promtool_check_ready(int argc, char **argv) { return check_status(argc, argv, "/-/ready"); }

/* --- push --- */

typedef struct Push {
    const char *labels[PAIRS_MAX], *headers[PAIRS_MAX + 4]; /* "name=value"; "Name: value" */
    size_t n_labels, n_headers;
    const char *path;
    int64_t timeout_ms;
    Buf url;
    Arena *arena;
    HttpClient *client;
} Push;

/* The labels that all series get; those of the text have the first say. */
static ErrCode add_labels(const Push *p, MetricsBatch *b, Err *reterr) {
    vec_foreach(BatchSeries, s, &b->series) {
        Label *v = ARENA_ARRAY(p->arena, Label, s->labels.n + p->n_labels);
        size_t n = s->labels.n;
        if (!v) return err_set(reterr, ERR_TOO_LARGE, "too many series");
        memcpy(v, s->labels.v, n * sizeof *v);
        for (size_t i = 0; i < p->n_labels; i++) {
            Str pair = str_cstr(p->labels[i]);
            size_t eq = str_find_char(pair, '=');
            Label l = {str_slice(pair, 0, eq), str_skip(pair, eq + 1)};
            if (!labels_get((Labels){v, n}, l.name).p) v[n++] = l;
        }
        ErrCode code = labels_normalize(v, &n, reterr);
        if (code != OK) return code;
        s->labels = (Labels){v, n};
    }
    return OK;
}

static ErrCode send(Push *p, const MetricsBatch *b, Err *reterr) {
    Buf raw = {0}, body = {0}, answer = {0};
    int status = 0;
    write_request_encode(b, &raw);
    ErrCode code = compress(ENCODING_SNAPPY, buf_str(&raw), 0, &body);
    HttpClientRequest req = {.method = "POST", .url = buf_cstr(&p->url), .headers = p->headers, .body = buf_str(&body)};
    req.timeout_ms = p->timeout_ms;
    if (code == OK) code = http_client_fetch(p->client, &req, &status, &answer, reterr);
    if (code == OK && status / 100 != 2)
        code = err_set(reterr, ERR_UNAVAILABLE, "server returned HTTP status %d: %" STR_FMT, status,
            STR_ARG(str_trim(buf_str(&answer))));
    buf_done(&raw);
    buf_done(&body);
    buf_done(&answer);
    return code;
}

/* name: of the file, NULL for standard input. */
static bool push_text(Push *p, Str text, const char *name) {
    MetricsBatch b = {.arena = p->arena};
    Err err = {0};
    bool known;
    PromTextOptions opts = {.format = promtext_format(STR(""), text, &known)};
    ErrCode code = promtext_to_batch(text, &opts, clock_now_ms(), &b, &err);
    if (code == OK) code = add_labels(p, &b, &err);
    if (code == OK) code = send(p, &b, &err);
    if (code != OK)
        fprintf(stderr, "  FAILED: %s\n", err.msg);
    else if (name)
        printf("  SUCCESS: metrics file %s pushed to remote write.\n", name);
    else
        printf("  SUCCESS: metrics pushed to remote write.\n");
    return code == OK;
}

static bool push_stdin(Push *p) {
    Buf text = {0};
    char piece[8192];
    printf("Parsing standard input\n");
    fflush(stdout);
    for (size_t n; text.n <= PUSH_BYTES_MAX && (n = fread(piece, 1, sizeof piece, stdin)) > 0;)
        buf_put(&text, piece, n);
    bool ok = text.n <= PUSH_BYTES_MAX && push_text(p, buf_str(&text), NULL);
    if (text.n > PUSH_BYTES_MAX) fprintf(stderr, "  FAILED: more than %zu bytes\n", PUSH_BYTES_MAX);
    buf_done(&text);
    return ok;
}

static bool push_file(Push *p, const char *name) {
    Buf text = {0};
    Err err = {0};
    printf("Parsing metrics file %s\n", name);
    fflush(stdout);
    bool ok = fs_read_file(fs_real(), name, PUSH_BYTES_MAX, &text, &err) == OK;
    if (ok)
        ok = push_text(p, buf_str(&text), name);
    else
        fprintf(stderr, "  FAILED: %s\n", err.msg);
    buf_done(&text);
    return ok;
}

static int push_option(Push *p, int argc, char **argv, int *i) {
    const char *value = NULL;
    if (command_option(argc, argv, i, "--label", &value)) {
        if (!value || !strchr(value, '=')) return promtool_error("expected KEY=VALUE got '%s'", value ? value : "");
        if (p->n_labels == PAIRS_MAX) return promtool_error("more than %d labels", PAIRS_MAX);
        p->labels[p->n_labels++] = value;
    } else if (command_option(argc, argv, i, "--header", &value)) {
        const char *eq = value ? strchr(value, '=') : NULL;
        if (!eq) return promtool_error("expected KEY=VALUE got '%s'", value ? value : "");
        if (p->n_headers == PAIRS_MAX) return promtool_error("more than %d headers", PAIRS_MAX);
        p->headers[p->n_headers++] = arena_printf(p->arena, "%.*s: %s", (int)(eq - value), value, eq + 1).p;
    } else if (command_option(argc, argv, i, "--timeout", &value)) {
        if (!value || !duration_parse_prom(str_cstr(value), &p->timeout_ms))
            return promtool_error("\"%s\" is no duration", value ? value : "");
    } else if (command_option(argc, argv, i, "--remote-write.path", &value) && value) {
        p->path = value;
    } else if (command_option(argc, argv, i, "--protobuf_message", &value) && value) {
        if (strcmp(value, "prometheus.WriteRequest") != 0)
            return promtool_error("only prometheus.WriteRequest is written, not %s", value);
    } else {
        return promtool_error("unknown long flag '%s'", argv[*i]);
    }
    return 0;
}

static int push_all(Push *p, int n, char **args) {
    static const char *const own[] = {
        "Content-Type: application/x-protobuf", "Content-Encoding: snappy", "X-Prometheus-Remote-Write-Version: 0.1.0"};
    bool ok = true;
    if (n == 0) return promtool_error("required argument 'remote-write-url' not provided");
    if (p->n_labels == 0) p->labels[p->n_labels++] = "job=promtool";
    for (size_t i = 0; i < ARRAY_LEN(own); i++) p->headers[p->n_headers++] = own[i];
    put_url(&p->url, args[0], p->path);
    if (n == 1) return push_stdin(p) ? 0 : 1;
    for (int i = 1; i < n; i++) ok &= push_file(p, args[i]);
    return ok ? 0 : 1;
}

int promtool_push_metrics(int argc, char **argv) {
    Push p = {.path = "/api/v1/write", .timeout_ms = CHECK_TIMEOUT_MS, .arena = arena_create((size_t)1 << 30)};
    int n = 0, code = 0;
    p.client = http_client_create("promtool/3.16.0");
    for (int i = 0; i < argc && code == 0; i++) {
        if (argv[i][0] == '-' && argv[i][1])
            code = push_option(&p, argc, argv, &i);
        else
            argv[n++] = argv[i];
    }
    if (code == 0) code = push_all(&p, n, argv);
    http_client_free(p.client);
    arena_free(p.arena);
    buf_done(&p.url);
    return code;
}
