#include "base/num.h"
#include "metrics/scrape/promtext_int.h"

#include <math.h>
#include <stdlib.h>

static Str unescape(Str s, bool quotes, Arena *arena) {
    char *out = arena_alloc(arena, s.n + 1);
    size_t n = 0;
    if (!out) return STR_NULL;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        if (c == '\\' && i + 1 < s.n) {
            char e = s.p[i + 1];
            if (e == 'n' || e == '\\' || (e == '"' && quotes)) {
                c = e == 'n' ? '\n' : e;
                i++;
            } /* an unknown escape stays as it is */
        }
        out[n++] = c;
    }
    return str_of(out, n);
}

Str promtext_unescape(Str s, Arena *arena) { return unescape(s, true, arena); }
Str promtext_unescape_help(Str s, bool openmetrics, Arena *arena) { return unescape(s, openmetrics, arena); }

/* Go's 'g' with shortest digits, and ".0" where that looks like an integer (OpenMetrics canonical numbers). */
void promtext_put_float(Buf *out, double v) {
    if (isnan(v)) {
        buf_put_lit(out, "NaN");
        return;
    }
    if (isinf(v)) {
        buf_put_str(out, v > 0 ? STR("+Inf") : STR("-Inf"));
        return;
    }
    uint64_t digits;
    int exp10;
    bool negative;
    num_shortest_f64(v, &digits, &exp10, &negative);
    if (digits == 0) negative = false; /* OpenMetrics knows one zero */
    Buf d = {0};
    num_put_u64(&d, digits);
    int point = (int)d.n + exp10; /* digits before the decimal point */
    if (digits == 0) point = 1;
    if (negative) buf_put_char(out, '-');
    if (point - 1 < -4 || point - 1 >= 6) { /* as Go decides for 'g' with shortest digits */
        buf_put_char(out, d.p[0]);
        if (d.n > 1) {
            buf_put_char(out, '.');
            buf_put(out, d.p + 1, d.n - 1);
        }
        buf_printf(out, "e%c%02d", point - 1 < 0 ? '-' : '+', abs(point - 1));
    } else if (point <= 0) {
        buf_put_lit(out, "0.");
        for (int i = point; i < 0; i++) buf_put_char(out, '0');
        buf_put_str(out, buf_str(&d));
    } else {
        for (int i = 0; i < point; i++) buf_put_char(out, i < (int)d.n ? d.p[i] : '0');
        buf_put_char(out, '.');
        if ((int)d.n > point)
            buf_put(out, d.p + point, d.n - (size_t)point);
        else
            buf_put_char(out, '0');
    }
    buf_done(&d);
}

MetricType promtext_type(Str word, bool *ret_known) {
    static const struct {
        Str word;
        MetricType type;
    } types[] = {{STR_INIT("counter"), METRIC_COUNTER}, {STR_INIT("gauge"), METRIC_GAUGE},
        {STR_INIT("histogram"), METRIC_HISTOGRAM}, {STR_INIT("gaugehistogram"), METRIC_GAUGE_HISTOGRAM},
        {STR_INIT("summary"), METRIC_SUMMARY}, {STR_INIT("info"), METRIC_INFO}, {STR_INIT("stateset"), METRIC_STATESET},
        {STR_INIT("unknown"), METRIC_UNKNOWN}, {STR_INIT("untyped"), METRIC_UNKNOWN}};
    *ret_known = true;
    for (size_t i = 0; i < ARRAY_LEN(types); i++) {
        if (str_eq(word, types[i].word)) return types[i].type;
    }
    *ret_known = false;
    return METRIC_UNKNOWN;
}

/* Prometheus 3 rewrites bucket bounds and quantiles so that "1" and "1.0" are one series. */
static Str canonical(const PromTextSample *s, Str name, Str value, Arena *arena) {
    bool bound = str_eq_lit(name, "le") && s->type == METRIC_HISTOGRAM;
    bool quantile = str_eq_lit(name, "quantile") && s->type == METRIC_SUMMARY;
    double v;
    if ((!bound && !quantile) || !num_parse_f64(value, &v)) return value;
    Buf b = {0};
    promtext_put_float(&b, v);
    Str out = str_eq(value, buf_str(&b)) ? value : arena_copy(arena, buf_str(&b));
    buf_done(&b);
    return out;
}

bool promtext_labels(const PromTextSample *s, Arena *arena, Label *out, size_t *ret_n) {
    out[0].name = LABEL_NAME_METRIC;
    out[0].value = s->name_escaped ? promtext_unescape(s->name, arena) : s->name;
    bool ok = out[0].value.p != NULL;
    for (size_t i = 0; i < s->n_labels && ok; i++) {
        const PromTextLabel *l = &s->labels[i];
        Label *o = &out[i + 1];
        o->name = l->name_escaped ? promtext_unescape(l->name, arena) : l->name;
        o->value = l->value_escaped ? promtext_unescape(l->value, arena) : l->value;
        ok = o->name.p && o->value.p;
        if (ok) o->value = canonical(s, o->name, o->value, arena);
        ok = ok && o->value.p;
    }
    *ret_n = s->n_labels + 1;
    return ok;
}

PromTextFormat promtext_format(Str content_type, Str body, bool *ret_known) {
    size_t semi = str_find_char(content_type, ';');
    Str media = str_trim(semi == SIZE_MAX ? content_type : str_slice(content_type, 0, semi));
    *ret_known = true;
    if (str_eq_nocase(media, STR("application/openmetrics-text"))) return PROMTEXT_OPENMETRICS;
    if (str_eq_nocase(media, STR("text/plain"))) return PROMTEXT_PLAIN;
    *ret_known = false;
    Str tail = str_trim(body.n > 64 ? str_skip(body, body.n - 64) : body);
    bool eof = str_ends_with(tail, STR("# EOF")) && (tail.n == 5 || tail.p[tail.n - 6] == '\n');
    return eof ? PROMTEXT_OPENMETRICS : PROMTEXT_PLAIN;
}

/* --- batch --- */
typedef struct ToBatch {
    MetricsBatch *b;
    int64_t default_t_ms;
} ToBatch;

static ErrCode exhausted(Err *reterr) {
    return err_set(reterr, ERR_TOO_LARGE, "the memory budget for parsing is used up");
}

static ErrCode batch_sample(void *ctx, const PromTextSample *s, Err *reterr) {
    ToBatch *x = ctx;
    Arena *arena = x->b->arena;
    Label *v = ARENA_ARRAY(arena, Label, s->n_labels + 1);
    size_t n;
    if (!v || !promtext_labels(s, arena, v, &n)) return exhausted(reterr);
    ErrCode code = labels_normalize(v, &n, reterr);
    if (code != OK) {
        if (reterr) reterr->line = s->line;
        return code;
    }
    if (!metrics_batch_add(x->b, (Labels){v, n}, s->has_t ? s->t_ms : x->default_t_ms, s->value))
        return exhausted(reterr);
    if (!s->has_exemplar) return OK;
    Exemplar e = s->exemplar;
    if (!s->has_exemplar_t) e.t_ms = s->has_t ? s->t_ms : x->default_t_ms;
    BatchSeries *bs = &x->b->series.v[x->b->series.n - 1];
    bs->first_exemplar = (uint32_t)x->b->exemplars.n;
    bs->n_exemplars = 1;
    return avec_push(arena, &x->b->exemplars, e) ? OK : exhausted(reterr);
}

static ErrCode batch_meta(void *ctx, const PromTextMeta *m, Err *reterr) {
    ToBatch *x = ctx;
    return promtext_merge_meta(x->b, m) ? OK : exhausted(reterr);
}

bool promtext_merge_meta(MetricsBatch *b, const PromTextMeta *m) {
    MetricMetadata *last = b->metadata.n ? &b->metadata.v[b->metadata.n - 1] : NULL;
    if (!last || !str_eq(last->metric, m->metric)) {
        MetricMetadata fresh = {.metric = m->metric};
        if (!avec_push(b->arena, &b->metadata, fresh)) return false;
        last = &b->metadata.v[b->metadata.n - 1];
    }
    switch (m->kind) {
    case PROMTEXT_HELP: last->help = m->text; break;
    case PROMTEXT_TYPE: last->type = m->type; break;
    case PROMTEXT_UNIT: last->unit = m->text; break;
    }
    return true;
}

ErrCode promtext_to_batch(Str text, const PromTextOptions *opts, int64_t default_t_ms, MetricsBatch *b, Err *reterr) {
    ToBatch x = {b, default_t_ms};
    PromTextVisitor visitor = {&x, batch_sample, batch_meta};
    return promtext_parse(text, opts, &visitor, b->arena, reterr);
}
