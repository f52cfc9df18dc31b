/* promtool_push.c - promtool push metrics: expositions to a remote write receiver, in either version. */
#include "base/map.h"
#include "base/num.h"
#include "base/timefmt.h"
#include "base/vec.h"
#include "cmd/promtool_int.h"
#include "codec/compress.h"
#include "metrics/remote/message.h"
#include "metrics/scrape/promtext.h"
#include "net/http.h"
#include "sys/clock.h"
#include "sys/fs.h"

#include <stdio.h>

#define PUSH_BYTES_MAX ((size_t)256 << 20)
#define ARENA_BYTES ((size_t)1 << 30)
#define BACKOFF_MAX_MS 10000

typedef struct Push {
    const PtLine *line;
    PtClient client;
    const char **headers;
    Str path;
    bool version_2;
    int64_t until_ns; /* of the file that is pushed */
} Push;

/* --- labels --- */

/* What is known of a series' family: under its own name, or without the end that parts of histograms have. */
static const MetricMetadata *metadata_of(const Map *families, Labels l) {
    static const Str ends[] = {
        STR_INIT(""), STR_INIT("_bucket"), STR_INIT("_sum"), STR_INIT("_count"), STR_INIT("_total")};
    Str name = labels_get(l, LABEL_NAME_METRIC);
    for (size_t i = 0; i < ARRAY_LEN(ends); i++) {
        if (!str_ends_with(name, ends[i])) continue;
        const MetricMetadata *m = map_get_ptr(families, str_slice(name, 0, name.n - ends[i].n));
        if (m) return m;
    }
    return NULL;
}

/* Bounds of buckets and quantiles as promtool writes them: 1, where a scrape keeps 1.0. */
static void shorten_bound(const Map *families, Arena *arena, Labels family, Label *l) {
    const MetricMetadata *m = metadata_of(families, family);
    double v;
    bool bound = m && ((m->type == METRIC_HISTOGRAM && str_eq_lit(l->name, "le")) ||
                          (m->type == METRIC_SUMMARY && str_eq_lit(l->name, "quantile")));
    if (!bound || !num_parse_f64(l->value, &v)) return;
    Buf text = {0};
    num_put_f64_go_g(&text, v);
    Str copy = arena_copy(arena, buf_str(&text));
    if (copy.p) l->value = copy;
    buf_done(&text);
}

/* A job in the text gives way to the one that is pushed, as in a scrape; of all others the text's own have the first
 * say. */
static ErrCode add_labels(const Push *p, const Map *families, MetricsBatch *b, Err *reterr) {
    size_t extra = 0;
    while (pt_item(p->line, "label", extra)) extra++;
    vec_foreach(BatchSeries, s, &b->series) {
        Label *v = ARENA_ARRAY(b->arena, Label, s->labels.n + extra);
        size_t n = 0;
        if (!v) return err_set(reterr, ERR_TOO_LARGE, "too many series");
        for (; n < s->labels.n; n++) {
            v[n] = s->labels.v[n];
            shorten_bound(families, b->arena, s->labels, &v[n]);
            if (str_eq_lit(v[n].name, "job")) v[n].name = STR("exported_job");
        }
        for (size_t i = 0; i < extra; i++) {
            const char *pair = pt_item(p->line, "label", i), *eq = strchr(pair, '=');
            Label l = {str_of(pair, (size_t)(eq - pair)), str_cstr(eq + 1)};
            if (!labels_get((Labels){v, n}, l.name).p) v[n++] = l;
        }
        ErrCode code = labels_normalize(v, &n, reterr);
        if (code != OK) return code;
        s->labels = (Labels){v, n};
    }
    return OK;
}

/* --- the message --- */

static void put_series(RemoteMessage *m, const MetricsBatch *b, const Map *families) {
    vec_foreach(const BatchSeries, s, &b->series) {
        RemoteSeries r = {.labels = s->labels,
            .t_ms = b->t_ms.v + s->first_sample,
            .value = b->value.v + s->first_sample,
            .n = s->n_samples,
            .histogram_t_ms = b->histogram_t_ms.v + s->first_histogram,
            .histograms = b->histograms.v + s->first_histogram,
            .n_histograms = s->n_histograms,
            .exemplars = b->exemplars.v + s->first_exemplar,
            .n_exemplars = s->n_exemplars,
            .metadata = m->version_2 ? metadata_of(families, s->labels) : NULL};
        remote_message_put(m, &r);
    }
}

static void encode(const Push *p, const MetricsBatch *b, const Map *families, Buf *out) {
    RemoteMessage m = {.version_2 = p->version_2};
    if (!p->version_2) vec_foreach(const MetricMetadata, d, &b->metadata) remote_message_put_metadata(&m, d);
    put_series(&m, b, families);
    remote_message_finish(&m, out);
    remote_message_done(&m);
}

/* --- sending --- */

/* A server that is busy or in trouble is asked again while there is time. */
static ErrCode send(Push *p, Str body, Err *reterr) {
    int64_t pause_ms = 1000;
    for (;;) {
        Buf answer = {0};
        int status = 0;
        int64_t left_ms = (p->until_ns - clock_mono_ns()) / NS_PER_MS;
        HttpClientRequest req = {.method = "POST", .headers = p->headers, .body = body, .timeout_ms = MAX(left_ms, 1)};
        ErrCode code = pt_client_ask(&p->client, &req, p->path, &status, &answer, reterr);
        if (code == OK && status / 100 != 2)
            code = err_set(reterr, ERR_UNAVAILABLE, "server returned HTTP status %d %s: %" STR_FMT, status,
                http_status_text(status), STR_ARG(str_trim(buf_str(&answer))));
        buf_done(&answer);
        bool again = status / 100 == 5 || status == 429;
        if (code == OK || !again || left_ms <= pause_ms) return code;
        clock_sleep_ms(pause_ms);
        pause_ms = MIN(pause_ms * 2, BACKOFF_MAX_MS);
    }
}

static ErrCode push_text(Push *p, Str text, Err *reterr) {
    MetricsBatch b = {.arena = arena_create(ARENA_BYTES)};
    Buf raw = {0}, body = {0};
    bool known;
    Map *families = map_create(MAP_COPY_KEYS);
    PromTextOptions opts = {.format = promtext_format(STR(""), text, &known)};
    p->until_ns = clock_mono_ns() + pt_duration_ns(p->line, "timeout");
    ErrCode code = promtext_to_batch(text, &opts, clock_now_ms(), &b, reterr);
    vec_foreach(MetricMetadata, d, &b.metadata) map_set_ptr(families, d->metric, d);
    if (code == OK) code = add_labels(p, families, &b, reterr);
    if (code == OK) {
        encode(p, &b, families, &raw);
        code = compress(ENCODING_SNAPPY, buf_str(&raw), 0, &body);
    }
    if (code == OK) code = send(p, buf_str(&body), reterr);
    buf_done(&raw);
    buf_done(&body);
    map_free(families);
    arena_free(b.arena);
    return code;
}

static ErrCode read_stdin(Buf *text, Err *reterr) {
    char piece[8192];
    for (size_t n; text->n <= PUSH_BYTES_MAX && (n = fread(piece, 1, sizeof piece, stdin)) > 0;)
        buf_put(text, piece, n);
    return text->n <= PUSH_BYTES_MAX ? OK : err_set(reterr, ERR_TOO_LARGE, "more than %zu bytes", PUSH_BYTES_MAX);
}

/* name: of a file, NULL for standard input. */
static bool push_one(Push *p, const char *name) {
    Buf text = {0};
    Err err = {0};
    ErrCode code = name ? fs_read_stream(name, PUSH_BYTES_MAX, &text, &err) : read_stdin(&text, &err);
    if (code == OK) {
        printf(name ? "Parsing metrics file %s\n" : "Parsing standard input\n", name);
        fflush(stdout);
        code = push_text(p, buf_str(&text), &err);
    }
    buf_done(&text);
    if (code != OK && err.line)
        fprintf(stderr, "  FAILED: text format parsing error in line %d: %s\n", err.line, err.msg);
    else if (code != OK)
        fprintf(stderr, "  FAILED: %s\n", err.msg);
    else if (name)
        printf("  SUCCESS: metrics file %s pushed to remote write.\n", name);
    else
        printf("  SUCCESS: metrics pushed to remote write.\n");
    fflush(stdout);
    return code == OK;
}

/* --- the command --- */

static int push_all(Push *p) {
    bool ok = true;
    if (p->line->args.n == 1) return push_one(p, NULL) ? 0 : 1;
    for (size_t i = 1; i < p->line->args.n; i++) ok &= push_one(p, p->line->args.v[i]);
    return ok ? 0 : 1;
}

/* The headers of the protocol, in front of those given. */
static void set_headers(Push *p) {
    static const char *const versions[][2] = {
        {"Content-Type: application/x-protobuf", "X-Prometheus-Remote-Write-Version: 0.1.0"},
        {"Content-Type: application/x-protobuf;proto=io.prometheus.write.v2.Request",
            "X-Prometheus-Remote-Write-Version: 2.0.0"}};
    size_t n = 0;
    p->headers = pt_header_lines(&p->client, p->line, 3);
    while (p->headers[n]) n++;
    p->headers[n++] = "Content-Encoding: snappy";
    p->headers[n++] = versions[p->version_2][0];
    p->headers[n++] = versions[p->version_2][1];
    p->headers[n] = NULL;
}

int promtool_push_metrics(const PtLine *l) {
    const char *message = pt_text(l, "protobuf_message"), *path = pt_text(l, "remote-write.path");
    Push p = {.line = l, .version_2 = strcmp(message, "io.prometheus.write.v2.Request") == 0};
    if (!p.version_2 && strcmp(message, "prometheus.WriteRequest") != 0) {
        fprintf(stderr,
            "  FAILED: invalid protobuf message \"%s\", must be prometheus.WriteRequest or "
            "io.prometheus.write.v2.Request\n",
            message);
        return 1;
    }
    int code = pt_client_open(&p.client, pt_arg(l, 0), pt_text(l, "http.config.file"));
    if (code == 0) {
        p.path = arena_printf(p.client.arena, "%s%s", *path == '/' ? "" : "/", path);
        set_headers(&p);
        code = push_all(&p);
    }
    pt_client_close(&p.client);
    return code;
}
