/* promtool_debug.c - promtool debug pprof|metrics|all: what a server tells of itself, as debug.tar.gz.
 * Source: the ustar interchange format of POSIX.1 (pax). */
#include "cmd/promtool_int.h"
#include "codec/compress.h"
#include "codec/proto.h"
#include "sys/fs.h"

#include <stdio.h>

#define ARCHIVE "debug.tar.gz"
#define TIMEOUT_MS 120000 /* a profile takes 30 s */
#define TAR_BLOCK 512
#define PROFILE_BYTES_MAX ((size_t)1 << 30)

typedef enum Kind { PROFILE, TRACE, METRICS } Kind;
static const struct {
    Kind kind;
    const char *path, *file;
} endpoints[] = {
    {PROFILE, "/debug/pprof/profile?seconds=30", "cpu.pb"},
    {PROFILE, "/debug/pprof/block", "block.pb"},
    {PROFILE, "/debug/pprof/goroutine", "goroutine.pb"},
    {PROFILE, "/debug/pprof/heap", "heap.pb"},
    {PROFILE, "/debug/pprof/mutex", "mutex.pb"},
    {PROFILE, "/debug/pprof/threadcreate", "threadcreate.pb"},
    {TRACE, "/debug/pprof/trace?seconds=30", "trace.pb"},
    {METRICS, "/metrics", "metrics.txt"},
};

typedef struct Debug {
    PtClient client;
    Buf tar;
    size_t files;
} Debug;

/* --- the archive --- */

static void put_octal(char *field, size_t size, uint64_t v) {
    snprintf(field, size, "%0*llo", (int)size - 1, (unsigned long long)v);
}

static void tar_pad(Buf *tar) {
    while (tar->n % TAR_BLOCK) buf_put_char(tar, 0);
}

static void tar_put(Buf *tar, const char *name, Str content) {
    char h[TAR_BLOCK] = {0};
    unsigned sum = 0;
    snprintf(h, 100, "%s", name);
    put_octal(h + 100, 8, 0666);
    put_octal(h + 108, 8, 0);
    put_octal(h + 116, 8, 0);
    put_octal(h + 124, 12, content.n);
    put_octal(h + 136, 12, 0);
    memset(h + 148, ' ', 8); /* the sum counts itself as blanks */
    h[156] = '0';
    memcpy(h + 257, "ustar\00000", 8);
    for (size_t i = 0; i < sizeof h; i++) sum += (unsigned char)h[i];
    snprintf(h + 148, 8, "%06o", sum & 0777777u);
    buf_put(tar, h, sizeof h);
    buf_put_str(tar, content);
    tar_pad(tar);
}

static ErrCode write_archive(Debug *d, Err *reterr) {
    Buf packed = {0};
    for (int i = 0; i < 2 * TAR_BLOCK; i++) buf_put_char(&d->tar, 0);
    ErrCode code = compress(ENCODING_GZIP, buf_str(&d->tar), 0, &packed);
    if (code == OK) code = fs_write_file_atomic(fs_real(), ARCHIVE, buf_str(&packed), reterr);
    buf_done(&packed);
    return code;
}

/* --- what comes --- */

/* pprof's message: a sample type and a string table are in all of them. Source: profile.proto of pprof. */
static bool is_profile(Str s) {
    ProtoReader r = proto_reader(s);
    ProtoField f;
    bool types = false, strings = false;
    while (proto_next(&r, &f)) {
        types |= f.number == 1 && f.wire == PROTO_BYTES;
        strings |= f.number == 6 && f.wire == PROTO_BYTES;
    }
    return !r.error && types && strings;
}

static bool unpack(Arena *arena, Str body, Str *ret, Err *reterr) {
    *ret = body;
    bool packed = body.n > 2 && (unsigned char)body.p[0] == 0x1f && (unsigned char)body.p[1] == 0x8b;
    if (packed && decompress(ENCODING_GZIP, body, PROFILE_BYTES_MAX, arena, ret, reterr) != OK) return false;
    return is_profile(*ret) || (err_set(reterr, ERR_INVALID, "parsing profile: unrecognized profile format"), false);
}

/* A server that is none of Go's answers with words. */
static void say_refusal(int status, const char *url, Str body) {
    Str line = str_trim(str_slice(body, 0, MIN(str_find_char(body, '\n'), body.n)));
    fprintf(
        stderr, "%s answers with status %d: %.*s\n", url, status, (int)MIN(line.n, (size_t)300), line.p ? line.p : "");
}

/* 0: it is in the archive; 1: this server has none of it; 2: the end. */
static int collect(Debug *d, size_t i) {
    Buf body = {0};
    Err err = {0};
    int status = 0, result = 2;
    Str content;
    HttpClientRequest req = {.method = "GET", .timeout_ms = TIMEOUT_MS};
    printf("collecting: %s%s\n", buf_cstr(&d->client.base), endpoints[i].path);
    fflush(stdout);
    if (pt_client_ask(&d->client, &req, str_cstr(endpoints[i].path), &status, &body, &err) != OK) {
        fprintf(stderr, "error completing debug command: error executing HTTP request: Get \"%s\": %s\n",
            buf_cstr(&d->client.url), err.msg);
    } else if (status != 200) {
        say_refusal(status, buf_cstr(&d->client.url), buf_str(&body));
        result = 1;
    } else {
        content = buf_str(&body);
        if (endpoints[i].kind == PROFILE && !unpack(d->client.answers, content, &content, &err)) {
            fprintf(stderr, "error completing debug command: error post-processing HTTP response body: %s\n", err.msg);
        } else {
            tar_put(&d->tar, endpoints[i].file, content);
            d->files++;
            result = 0;
        }
    }
    buf_done(&body);
    return result;
}

/* Without profiles there are none of the others either: one refusal is enough. */
static int collect_all(Debug *d, bool profiles, bool metrics) {
    bool refused = false;
    for (size_t i = 0; i < ARRAY_LEN(endpoints); i++) {
        bool wanted = endpoints[i].kind == METRICS ? metrics : profiles && !refused;
        int r = wanted ? collect(d, i) : 0;
        if (r == 2) return 1;
        refused |= r == 1;
    }
    if (refused && d->files == 0)
        fprintf(stderr, "error completing debug command: the server has nothing of what was asked for%s\n",
            metrics ? "" : "; its metrics come by `promtool debug metrics`");
    else if (refused)
        fputs("the server has no profiles: the archive holds its metrics alone\n", stderr);
    return d->files ? 0 : 1;
}

static int debug(const PtLine *l, bool profiles, bool metrics) {
    Debug d = {0};
    Err err = {0};
    int code = pt_client_open(&d.client, pt_arg(l, 0), NULL);
    if (code == 0) code = collect_all(&d, profiles, metrics);
    if (code == 0 && write_archive(&d, &err) != OK) {
        fprintf(stderr, "error completing debug command: error creating archive \"%s\": %s\n", ARCHIVE, err.msg);
        code = 1;
    }
    if (code == 0) printf("Compiling debug information complete, all files written in \"%s\".\n", ARCHIVE);
    buf_done(&d.tar);
    pt_client_close(&d.client);
    return code;
}

int promtool_debug_pprof(const PtLine *l) { return debug(l, true, false); }
int promtool_debug_metrics(const PtLine *l) { return debug(l, false, true); }
int promtool_debug_all(const PtLine *l) { return debug(l, true, true); }
