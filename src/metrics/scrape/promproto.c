#include "metrics/scrape/promproto.h"

#include "base/vec.h"
#include "codec/proto.h"
#include "metrics/scrape/promproto_int.h"
#include "metrics/scrape/promtext_int.h"

#include <math.h>

ErrCode promproto_fail(ProtoParser *x, const char *what) {
    return err_set(x->reterr, ERR_INVALID, "malformed protobuf exposition: %s", what);
}

ErrCode promproto_exhausted(ProtoParser *x) {
    return err_set(x->reterr, ERR_TOO_LARGE, "the memory budget for parsing is used up");
}

bool promproto_next(ProtoReader *r, const char *wires, ProtoField *f) {
    if (!proto_next(r, f)) return false;
    char want = f->number > 0 && f->number <= strlen(wires) ? wires[f->number - 1] : '?';
    bool ok = want == '?' || (want == 'v' && f->wire == PROTO_VARINT) || (want == 'd' && f->wire == PROTO_FIXED64) ||
              (want == 'b' && f->wire == PROTO_BYTES) ||
              (want == 'V' && (f->wire == PROTO_VARINT || f->wire == PROTO_BYTES)) ||
              (want == 'D' && (f->wire == PROTO_FIXED64 || f->wire == PROTO_BYTES));
    if (!ok) r->error = "a field has the wrong wire type";
    return ok;
}

/* --- labels --- */
static bool read_label(Str bytes, Str *ret_name, Str *ret_value, bool *ret_text) {
    ProtoReader r = proto_reader(bytes);
    ProtoField f;
    *ret_name = *ret_value = STR("");
    while (promproto_next(&r, "bb", &f)) {
        if (f.number == 1) *ret_name = f.bytes;
        if (f.number == 2) *ret_value = f.bytes;
    }
    *ret_text = str_is_utf8(*ret_name) && str_is_utf8(*ret_value);
    return !r.error;
}

static ErrCode add_label(ProtoParser *x, Str bytes) {
    PromTextLabel l = {0};
    bool text;
    if (!read_label(bytes, &l.name, &l.value, &text) || !text) return promproto_fail(x, "a label is not valid");
    if (x->labels.n >= PROMTEXT_LABELS_MAX) return promproto_fail(x, "too many labels");
    vec_push(&x->labels, l);
    return OK;
}

static bool timestamp_of(Str bytes, int64_t *ret_ms) {
    ProtoReader r = proto_reader(bytes);
    ProtoField f;
    int64_t seconds = 0, nanos = 0;
    while (promproto_next(&r, "vv", &f)) {
        if (f.number == 1) seconds = proto_i64(&f);
        if (f.number == 2) nanos = proto_i64(&f);
    }
    if (r.error || seconds > INT64_MAX / 2000 || seconds < INT64_MIN / 2000) return false;
    *ret_ms = seconds * 1000 + nanos / 1000000;
    return true;
}

ErrCode promproto_time(ProtoParser *x, Str bytes, int64_t *ret_ms) {
    return timestamp_of(bytes, ret_ms) ? OK : promproto_fail(x, "a time is not valid");
}

ErrCode promproto_exemplar(ProtoParser *x, Str bytes, Exemplar *ret, bool *ret_has_t, bool *ret_usable) {
    ProtoReader r = proto_reader(bytes);
    ProtoField f;
    AVEC(Label) labels = {0};
    ErrCode code = OK;
    bool usable = true;
    *ret = (Exemplar){0};
    *ret_has_t = false;
    while (code == OK && promproto_next(&r, "bdb", &f)) {
        Label l;
        if (f.number == 1) {
            bool text;
            if (!read_label(f.bytes, &l.name, &l.value, &text))
                return promproto_fail(x, "a label of an exemplar is not valid");
            usable = usable && text;
            if (!avec_push(x->arena, &labels, l)) return promproto_exhausted(x);
        } else if (f.number == 2) {
            ret->value = proto_f64(&f);
        } else if (f.number == 3) {
            code = promproto_time(x, f.bytes, &ret->t_ms);
            *ret_has_t = true;
        }
    }
    if (r.error) return promproto_fail(x, r.error);
    *ret_usable = usable && labels_normalize(labels.v, &labels.n, NULL) == OK;
    ret->labels = (Labels){labels.v, labels.n};
    return code;
}

/* --- samples --- */
/* Name and labels with separators that UTF-8 cannot have: no two series share it. */
static ErrCode set_raw(ProtoParser *x, PromTextSample *s, char kind) {
    Buf *b = &x->raw;
    buf_clear(b);
    buf_put_char(b, kind);
    buf_put_str(b, s->name);
    for (size_t i = 0; i < s->n_labels; i++) {
        buf_put_char(b, (char)0xff);
        buf_put_str(b, s->labels[i].name);
        buf_put_char(b, (char)0xff);
        buf_put_str(b, s->labels[i].value);
    }
    s->raw = buf_str(b);
    return OK;
}

ErrCode promproto_emit(ProtoParser *x, PromTextSample *s, const char *suffix) {
    if (*suffix) {
        s->name = arena_printf(x->arena, "%" STR_FMT "%s", STR_ARG(x->name), suffix);
        if (!s->name.p) return promproto_exhausted(x);
    } else {
        s->name = x->name;
    }
    s->labels = x->labels.v;
    s->n_labels = x->labels.n;
    s->type = x->type;
    s->has_t = x->has_t;
    s->t_ms = x->t_ms;
    s->start_ms = x->start_ms;
    s->native_too = x->native && !s->histogram;
    set_raw(x, s, s->histogram ? 'H' : 'F');
    return x->visitor->sample ? x->visitor->sample(x->visitor->ctx, s, x->reterr) : OK;
}

ErrCode promproto_emit_with(ProtoParser *x, PromTextSample *s, const char *suffix, const char *label, double value) {
    Buf text = {0};
    promtext_put_float(&text, value);
    PromTextLabel l = {.name = str_cstr(label), .value = arena_copy(x->arena, buf_str(&text))};
    buf_done(&text);
    if (!l.value.p) return promproto_exhausted(x);
    vec_push(&x->labels, l);
    ErrCode code = promproto_emit(x, s, suffix);
    x->labels.n--;
    return code;
}

/* Counter, gauge, untyped. */
static ErrCode emit_simple(ProtoParser *x, Str bytes) {
    bool counter = x->type == METRIC_COUNTER;
    ProtoReader r = proto_reader(bytes);
    ProtoField f;
    PromTextSample s = {0};
    ErrCode code = OK;
    while (code == OK && promproto_next(&r, counter ? "dbb" : "d", &f)) {
        if (f.number == 1) s.value = proto_f64(&f);
        if (f.number == 2 && counter)
            code = promproto_exemplar(x, f.bytes, &s.exemplar, &s.has_exemplar_t, &s.has_exemplar);
        if (f.number == 3 && counter) code = promproto_time(x, f.bytes, &x->start_ms);
    }
    if (r.error) return promproto_fail(x, r.error);
    return code == OK ? promproto_emit(x, &s, "") : code;
}

static ErrCode emit_quantile(ProtoParser *x, Str bytes) {
    ProtoReader r = proto_reader(bytes);
    ProtoField f;
    double quantile = 0;
    PromTextSample s = {0};
    while (promproto_next(&r, "dd", &f)) {
        if (f.number == 1) quantile = proto_f64(&f);
        if (f.number == 2) s.value = proto_f64(&f);
    }
    if (r.error) return promproto_fail(x, r.error);
    return promproto_emit_with(x, &s, "", "quantile", quantile);
}

static ErrCode emit_summary(ProtoParser *x, Str bytes) {
    ProtoReader r = proto_reader(bytes);
    ProtoField f;
    PromTextSample count = {0}, sum = {0};
    ErrCode code = OK;
    while (code == OK && promproto_next(&r, "vdbb", &f)) {
        if (f.number == 1) count.value = (double)f.u64;
        if (f.number == 2) sum.value = proto_f64(&f);
        if (f.number == 4) code = promproto_time(x, f.bytes, &x->start_ms);
    }
    if (r.error) return promproto_fail(x, r.error);
    if (code == OK) code = promproto_emit(x, &count, "_count");
    if (code == OK) code = promproto_emit(x, &sum, "_sum");
    r = proto_reader(bytes);
    while (code == OK && proto_next(&r, &f))
        if (f.number == 3) code = emit_quantile(x, f.bytes);
    return code;
}

/* --- families --- */
/* The field of a metric that has the value of a family of this type. */
static uint32_t field_of(MetricType type) {
    switch (type) {
    case METRIC_COUNTER: return 3;
    case METRIC_GAUGE: return 2;
    case METRIC_SUMMARY: return 4;
    case METRIC_HISTOGRAM:
    case METRIC_GAUGE_HISTOGRAM: return 7;
    default: return 5;
    }
}

static ErrCode take_metric(ProtoParser *x, Str bytes) {
    ProtoReader r = proto_reader(bytes);
    ProtoField f;
    Str value = STR(""); /* what is not there is 0 */
    ErrCode code = OK;
    vec_clear(&x->labels);
    x->has_t = x->native = false;
    x->start_ms = 0;
    while (code == OK && promproto_next(&r, "bbbbbvb", &f)) {
        if (f.number == 1) {
            code = add_label(x, f.bytes);
        } else if (f.number == 6) {
            x->t_ms = proto_i64(&f);
            x->has_t = x->t_ms != 0;
        } else if (f.number == field_of(x->type)) {
            value = f.bytes;
        }
    }
    if (r.error) return promproto_fail(x, r.error);
    if (code != OK) return code;
    switch (x->type) {
    case METRIC_SUMMARY: return emit_summary(x, value);
    case METRIC_HISTOGRAM:
    case METRIC_GAUGE_HISTOGRAM: return promproto_histogram(x, value);
    default: return emit_simple(x, value);
    }
}

static ErrCode visit_meta(ProtoParser *x, PromTextMetaKind kind, Str text) {
    PromTextMeta m = {.kind = kind, .metric = x->name, .text = text, .type = x->type};
    return x->visitor->meta ? x->visitor->meta(x->visitor->ctx, &m, x->reterr) : OK;
}

static ErrCode take_family(ProtoParser *x, Str bytes) {
    static const MetricType types[] = {
        METRIC_COUNTER, METRIC_GAUGE, METRIC_SUMMARY, METRIC_UNKNOWN, METRIC_HISTOGRAM, METRIC_GAUGE_HISTOGRAM};
    ProtoReader r = proto_reader(bytes);
    ProtoField f;
    Str help = STR_NULL, unit = STR_NULL;
    uint64_t type = 0;
    bool any = false;
    x->name = STR_NULL;
    while (promproto_next(&r, "bbvbb", &f)) {
        if (f.number == 1) x->name = f.bytes;
        if (f.number == 2) help = f.bytes;
        if (f.number == 3) type = f.u64;
        if (f.number == 4) any = true;
        if (f.number == 5) unit = f.bytes;
    }
    if (r.error) return promproto_fail(x, r.error);
    if (!any) return OK; /* what it says of itself is said of nothing */
    if (type >= ARRAY_LEN(types)) return promproto_fail(x, "unknown metric type");
    x->type = types[type];
    if (!x->name.n || !str_is_utf8(x->name)) return promproto_fail(x, "invalid metric name");
    ErrCode code = visit_meta(x, PROMTEXT_TYPE, str_cstr(metric_type_name(x->type)));
    if (code == OK && help.n && !str_is_utf8(help)) return promproto_fail(x, "help text is not valid UTF-8");
    if (code == OK && help.n) code = visit_meta(x, PROMTEXT_HELP, help);
    if (code == OK && unit.n && str_is_utf8(unit)) code = visit_meta(x, PROMTEXT_UNIT, unit);
    r = proto_reader(bytes);
    while (code == OK && proto_next(&r, &f))
        if (f.number == 4) code = take_metric(x, f.bytes);
    return code;
}

ErrCode promproto_parse(
    Str body, const PromProtoOptions *opts, const PromTextVisitor *visitor, Arena *arena, Err *reterr) {
    ProtoParser x = {.opts = *opts, .visitor = visitor, .arena = arena, .reterr = reterr};
    ProtoReader r = proto_reader(body);
    ErrCode code = OK;
    while (code == OK && r.p < r.end) {
        uint64_t n;
        if (!proto_packed_varint(&r, &n) || n > (uint64_t)(r.end - r.p)) {
            code = promproto_fail(&x, r.error ? r.error : "length beyond the end of the body");
            break;
        }
        Str family = str_of((const char *)r.p, (size_t)n);
        r.p += n;
        code = take_family(&x, family);
    }
    vec_done(&x.labels);
    buf_done(&x.raw);
    return code;
}
