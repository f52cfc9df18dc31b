#include "logs/loki_push_int.h"

#include "codec/proto.h"
#include "logs/log_level.h"
#include <stdarg.h>
#include <stdio.h>

#define LABEL_NAME_MAX 1024
#define LABEL_VALUE_MAX 2048
#define METADATA_MAX 128
#define METADATA_BYTES_MAX (64u << 10)

ErrCode push_exhausted(PushDecoder *d) {
    return err_set(d->err, ERR_TOO_LARGE, "the push request is too large to be decoded in the memory it is allowed");
}

static void reject(PushDecoder *d, const char *fmt, ...) ATTR_PRINTF(2, 3);
static void reject(PushDecoder *d, const char *fmt, ...) {
    if (d->rejected++ > 0) return;
    char msg[400];
    va_list ap;
    va_start(ap, fmt);
    (void)vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    err_set(d->err, ERR_INVALID, "%s", msg);
}

/* --- streams --- */

static Str service_name_of(const Label *l, size_t n) {
    static const char *const sources[] = {"service", "app", "application", "app_name", "name", "app_kubernetes_io_name",
        "container", "container_name", "k8s_container_name", "component", "workload", "job", "k8s_job_name"};
    for (size_t i = 0; i < ARRAY_LEN(sources); i++)
        for (size_t k = 0; k < n; k++)
            if (str_eq(l[k].name, str_cstr(sources[i])) && l[k].value.n > 0) return l[k].value;
    return STR("unknown_service");
}

static ErrCode refuse_stream(PushDecoder *d, Labels l, const char *what) {
    d->stream_ok = false;
    d->rejected++;
    if (d->rejected > 1) return OK;
    Buf b = {0};
    labels_put_text(&b, l);
    err_set(d->err, ERR_INVALID, "stream '%" STR_FMT "' %s", STR_ARG(buf_str(&b)), what);
    buf_done(&b);
    return OK;
}

static ErrCode check_labels(PushDecoder *d, const Label *v, size_t n) {
    Labels l = {v, n};
    if (n > d->limits->labels_max) {
        char what[80];
        (void)snprintf(what, sizeof what, "has %zu label names; limit %zu", n, d->limits->labels_max);
        return refuse_stream(d, l, what);
    }
    for (size_t i = 0; i < n; i++) {
        if (v[i].name.n > LABEL_NAME_MAX) return refuse_stream(d, l, "has label name too long");
        if (v[i].value.n > LABEL_VALUE_MAX) return refuse_stream(d, l, "has label value too long");
        if (!label_name_is_legacy(v[i].name)) return refuse_stream(d, l, "has an invalid label name");
    }
    return OK;
}

/* labels has room for one more. */
ErrCode push_stream(PushDecoder *d, Label *labels, size_t n) {
    d->stream_ok = true;
    Err err = {0};
    if (labels_normalize(labels, &n, &err) != OK) {
        d->stream_ok = false;
        reject(d, "error parsing labels: %s", err.msg);
        return OK;
    }
    if (n == 0) {
        d->stream_ok = false;
        reject(d, "error at least one label pair is required per stream");
        return OK;
    }
    ErrCode rc = check_labels(d, labels, n);
    if (rc || !d->stream_ok) return rc;
    if (!labels_get((Labels){labels, n}, STR("service_name")).p) {
        labels[n] = (Label){STR("service_name"), service_name_of(labels, n)};
        n++;
        (void)labels_normalize(labels, &n, NULL);
    }
    return avec_push(d->batch->arena, &d->batch->streams, ((Labels){labels, n})) ? OK : push_exhausted(d);
}

/* --- entries --- */

ErrCode push_metadata(PushDecoder *d, Str key, Str value) {
    Attr a = {.key = key, .value = {.type = ATTR_STR, .s = value}};
    if (key.n == 0 || value.n == 0) return OK;
    return avec_push(d->batch->arena, &d->attrs, a) ? OK : push_exhausted(d);
}

static bool entry_fits(PushDecoder *d, Str line) {
    size_t bytes = 0;
    for (size_t i = 0; i < d->attrs.n; i++) bytes += d->attrs.v[i].key.n + d->attrs.v[i].value.s.n;
    if (line.n > d->limits->line_bytes_max)
        reject(d, "max entry size '%zu' bytes exceeded while adding an entry with length '%zu' bytes",
            d->limits->line_bytes_max, line.n);
    else if (d->attrs.n > METADATA_MAX)
        reject(d, "%zu pairs of structured metadata exceed the limit of %d", d->attrs.n, METADATA_MAX);
    else if (bytes > METADATA_BYTES_MAX)
        reject(d, "%zu bytes of structured metadata exceed the limit of %u", bytes, METADATA_BYTES_MAX);
    else
        return true;
    return false;
}

static bool has_detected_level(const PushDecoder *d) {
    for (size_t i = 0; i < d->attrs.n; i++)
        if (str_eq_lit(d->attrs.v[i].key, "detected_level")) return true;
    return false;
}

ErrCode push_entry(PushDecoder *d, int64_t t_ns, Str line) {
    LogsBatch *b = d->batch;
    ErrCode rc = OK;
    if (!d->stream_ok || !entry_fits(d, line)) {
        vec_clear(&d->attrs);
        return OK;
    }
    Labels stream = b->streams.v[b->streams.n - 1];
    if (!has_detected_level(d))
        rc = push_metadata(d, STR("detected_level"), log_level_detect(stream, d->attrs.v, d->attrs.n, line));
    LogRow row = {.stream = (uint32_t)b->streams.n - 1, .t_ns = t_ns, .line = line};
    row.metadata = (AttrRange){(uint32_t)b->attrs.n, (uint32_t)d->attrs.n};
    for (size_t i = 0; i < d->attrs.n && rc == OK; i++)
        if (!avec_push(b->arena, &b->attrs, d->attrs.v[i])) rc = push_exhausted(d);
    vec_clear(&d->attrs);
    if (rc) return rc;
    return avec_push(b->arena, &b->rows, row) ? OK : push_exhausted(d);
}

/* --- protobuf: logproto.PushRequest --- */

static ErrCode malformed(PushDecoder *d, const char *what) {
    return err_set(d->err, ERR_INVALID, "malformed push request: %s", what);
}

static ErrCode proto_timestamp(PushDecoder *d, Str bytes, int64_t *ret) {
    ProtoReader r = proto_reader(bytes);
    ProtoField f;
    int64_t s = 0, ns = 0;
    while (proto_next(&r, &f)) {
        if (f.number == 1) s = proto_i64(&f);
        if (f.number == 2) ns = (int32_t)f.u64;
    }
    if (r.error) return malformed(d, r.error);
    if (__builtin_mul_overflow(s, INT64_C(1000000000), &s) || __builtin_add_overflow(s, ns, ret))
        return malformed(d, "a timestamp out of range");
    return OK;
}

static ErrCode proto_pair(PushDecoder *d, Str bytes) {
    ProtoReader r = proto_reader(bytes);
    ProtoField f;
    Str name = STR_NULL, value = STR_NULL;
    while (proto_next(&r, &f)) {
        if (f.number == 1 && f.wire == PROTO_BYTES) name = f.bytes;
        if (f.number == 2 && f.wire == PROTO_BYTES) value = f.bytes;
    }
    return r.error ? malformed(d, r.error) : push_metadata(d, name, value);
}

static ErrCode proto_entry(PushDecoder *d, Str bytes) {
    ProtoReader r = proto_reader(bytes);
    ProtoField f;
    int64_t t_ns = 0;
    Str line = STR_NULL;
    ErrCode rc = OK;
    while (rc == OK && proto_next(&r, &f)) {
        if (f.wire != PROTO_BYTES) continue;
        if (f.number == 1) rc = proto_timestamp(d, f.bytes, &t_ns);
        if (f.number == 2) line = f.bytes;
        if (f.number == 3) rc = proto_pair(d, f.bytes);
    }
    if (rc) return rc;
    return r.error ? malformed(d, r.error) : push_entry(d, t_ns, line);
}

static ErrCode proto_labels(PushDecoder *d, Str text) {
    Labels l;
    Err err = {0};
    ErrCode rc = labels_parse(text, d->batch->arena, &l, &err);
    if (rc == ERR_TOO_LARGE) return push_exhausted(d);
    if (rc) {
        d->stream_ok = false;
        if (d->rejected++ == 0)
            err_set(d->err, ERR_INVALID, "error parsing labels '%" STR_FMT "': %s", STR_ARG(text), err.msg);
        return OK;
    }
    Label *v = ARENA_ARRAY(d->batch->arena, Label, l.n + 1);
    if (!v) return push_exhausted(d);
    if (l.n > 0) memcpy(v, l.v, l.n * sizeof *v);
    return push_stream(d, v, l.n);
}

static ErrCode proto_stream(PushDecoder *d, Str bytes) {
    ProtoReader r = proto_reader(bytes);
    ProtoField f;
    Str labels = STR_NULL;
    while (proto_next(&r, &f))
        if (f.number == 1 && f.wire == PROTO_BYTES) labels = f.bytes;
    if (r.error) return malformed(d, r.error);
    ErrCode rc = proto_labels(d, labels);
    r = proto_reader(bytes);
    while (rc == OK && proto_next(&r, &f))
        if (f.number == 2 && f.wire == PROTO_BYTES) rc = proto_entry(d, f.bytes);
    return rc;
}

ErrCode loki_push_decode_proto(
    Str body, const LokiPushLimits *limits, LogsBatch *batch, uint64_t *ret_rejected, Err *reterr) {
    PushDecoder d = {.limits = limits, .batch = batch, .err = reterr};
    ProtoReader r = proto_reader(body);
    ProtoField f;
    ErrCode rc = OK;
    while (rc == OK && proto_next(&r, &f))
        if (f.number == 1 && f.wire == PROTO_BYTES) rc = proto_stream(&d, f.bytes);
    if (rc == OK && r.error) rc = malformed(&d, r.error);
    *ret_rejected = d.rejected;
    return rc;
}
