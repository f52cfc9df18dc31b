#include "metrics/api/expose.h"

#include "base/num.h"
#include "lang/lexer.h"

#include <math.h>

/* --- negotiation --- */

static Str param_of(Str clause, Str name) {
    Str part;
    while (str_split_next(&clause, ';', &part)) {
        size_t eq = str_find_char(part, '=');
        if (eq == SIZE_MAX || !str_eq_nocase(str_trim(str_slice(part, 0, eq)), name)) continue;
        Str value = str_trim(str_skip(part, eq + 1));
        if (value.n >= 2 && value.p[0] == '"' && value.p[value.n - 1] == '"') value = str_slice(value, 1, value.n - 1);
        return value;
    }
    return STR_NULL;
}

static ExposeEscaping escaping_of(Str name) {
    if (str_eq_lit(name, "allow-utf-8")) return ESCAPE_NOT;
    if (str_eq_lit(name, "dots")) return ESCAPE_DOTS;
    return str_eq_lit(name, "values") ? ESCAPE_VALUES : ESCAPE_UNDERSCORES;
}

static bool clause_fits(Str clause, ExposeFormat *ret) {
    size_t semi = str_find_char(clause, ';');
    Str media = str_trim(semi == SIZE_MAX ? clause : str_slice(clause, 0, semi));
    Str version = param_of(clause, STR("version"));
    *ret = (ExposeFormat){.escaping = escaping_of(param_of(clause, STR("escaping")))};
    if (str_eq_nocase(media, STR("application/vnd.google.protobuf"))) {
        ret->protobuf = true;
        return str_eq_lit(param_of(clause, STR("proto")), "io.prometheus.client.MetricFamily") &&
               str_eq_lit(param_of(clause, STR("encoding")), "delimited");
    }
    ret->text_1 = str_eq_lit(version, "1.0.0");
    return str_eq_nocase(media, STR("text/plain")) && (version.n == 0 || ret->text_1 || str_eq_lit(version, "0.0.4"));
}

ExposeFormat expose_negotiate(Str accept) {
    ExposeFormat best = {0}, f;
    double best_q = 0;
    Str clause;
    while (accept.n && str_split_next(&accept, ',', &clause)) {
        double q = 1;
        Str text = param_of(clause, STR("q"));
        if (text.n && !num_parse_f64(text, &q)) continue;
        if (!(q > best_q) || !clause_fits(clause, &f)) continue;
        best = f;
        best_q = q;
    }
    return best;
}

static const char *escaping_name(ExposeEscaping e) {
    static const char *const names[] = {[ESCAPE_UNDERSCORES] = "underscores",
        [ESCAPE_NOT] = "allow-utf-8",
        [ESCAPE_DOTS] = "dots",
        [ESCAPE_VALUES] = "values"};
    return names[e];
}

Str expose_content_type(const ExposeFormat *f, Arena *arena) {
    if (f->protobuf)
        return arena_printf(arena,
            "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited; escaping=%s",
            escaping_name(f->escaping));
    return arena_printf(arena, "text/plain; version=%s; charset=utf-8; escaping=%s", f->text_1 ? "1.0.0" : "0.0.4",
        escaping_name(f->escaping));
}

/* --- names --- */

static bool is_classic(uint32_t c, bool first) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':' || (!first && c >= '0' && c <= '9');
}

static void put_escaped(Buf *out, ExposeEscaping scheme, uint32_t c, bool first) {
    bool classic = is_classic(c, first);
    if (scheme == ESCAPE_UNDERSCORES) {
        buf_put_char(out, classic ? (char)c : '_');
    } else if (c == '_') {
        buf_put_lit(out, "__");
    } else if (classic) {
        buf_put_char(out, (char)c);
    } else if (scheme == ESCAPE_VALUES) {
        buf_printf(out, "_%x_", c);
    } else if (c == '.') {
        buf_put_lit(out, "_dot_");
    } else {
        buf_put_lit(out, "__");
    }
}

void expose_put_name(Buf *out, ExposeEscaping scheme, Str name) {
    if (scheme == ESCAPE_NOT || (scheme != ESCAPE_DOTS && metric_name_is_legacy(name))) {
        buf_put_str(out, name);
        return;
    }
    if (scheme == ESCAPE_VALUES) buf_put_lit(out, "U__");
    size_t len;
    for (size_t at = 0; at < name.n; at += len) {
        uint32_t c = lang_rune_at(name, at, &len);
        put_escaped(out, scheme, c, at == 0);
    }
}

/* --- text --- */

static void put_quoted(Buf *b, Str s) {
    buf_put_char(b, '"');
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\n')
            buf_put_lit(b, "\\n");
        else if (s.p[i] == '"' || s.p[i] == '\\')
            buf_printf(b, "\\%c", s.p[i]);
        else
            buf_put_char(b, s.p[i]);
    }
    buf_put_char(b, '"');
}

typedef struct Line {
    Buf *out;
    const ExposeFormat *f;
    bool first; /* no label has been written yet */
} Line;

static void put_label(Line *l, Str name, Str value) {
    if (!l->first) buf_put_char(l->out, ',');
    l->first = false;
    if (l->f->escaping == ESCAPE_NOT && !label_name_is_legacy(name))
        put_quoted(l->out, name);
    else
        expose_put_name(l->out, l->f->escaping, name);
    buf_put_char(l->out, '=');
    put_quoted(l->out, value);
}

/* name{ or {"name", and the labels */
static void put_series(Line *l, Str name, const char *suffix, Labels labels, Labels extra) {
    bool quoted = l->f->escaping == ESCAPE_NOT && !metric_name_is_legacy(name);
    Buf full = {0};
    expose_put_name(&full, l->f->escaping, name);
    buf_put_str(&full, str_cstr(suffix));
    l->first = !quoted;
    if (!quoted) buf_put_str(l->out, buf_str(&full));
    buf_put_char(l->out, '{');
    if (quoted) put_quoted(l->out, buf_str(&full));
    buf_done(&full);
    for (size_t i = 0; i < labels.n; i++)
        if (!str_eq(labels.v[i].name, LABEL_NAME_METRIC)) put_label(l, labels.v[i].name, labels.v[i].value);
    for (size_t i = 0; i < extra.n; i++)
        if (labels_get(labels, extra.v[i].name).n == 0) put_label(l, extra.v[i].name, extra.v[i].value);
}

static void put_value(Line *l, double v, int64_t t_ms) {
    buf_put_lit(l->out, "} ");
    num_put_f64_go_g(l->out, v);
    buf_put_char(l->out, ' ');
    num_put_i64(l->out, t_ms);
    buf_put_char(l->out, '\n');
}

static void put_bucket(Line *l, Str name, const ExposeSample *s, Labels extra, double bound, double count) {
    Buf le = {0};
    num_put_f64_go_g(&le, bound);
    put_series(l, name, "_bucket", s->labels, extra);
    put_label(l, STR("le"), buf_str(&le));
    put_value(l, count, s->t_ms);
    buf_done(&le);
}

/* Custom buckets are a classic histogram. */
static void put_classic(Line *l, Str name, const ExposeSample *s, Labels extra) {
    const Histogram *h = s->histogram;
    double sum = 0;
    uint32_t at = 0, next = 0; /* bucket index, index into h->pos */
    for (uint32_t i = 0; i < h->n_pos_spans; i++) {
        for (int64_t gap = h->pos_spans[i].offset; gap > 0 && at < h->n_custom_bounds; gap--, at++)
            put_bucket(l, name, s, extra, h->custom_bounds[at], sum);
        for (uint32_t k = 0; k < h->pos_spans[i].length && next < h->n_pos; k++, at++) {
            sum += h->pos[next++];
            if (at < h->n_custom_bounds) put_bucket(l, name, s, extra, h->custom_bounds[at], sum);
        }
    }
    for (; at < h->n_custom_bounds; at++) put_bucket(l, name, s, extra, h->custom_bounds[at], sum);
    put_bucket(l, name, s, extra, (double)INFINITY, h->count);
    put_series(l, name, "_sum", s->labels, extra);
    put_value(l, h->sum, s->t_ms);
    put_series(l, name, "_count", s->labels, extra);
    put_value(l, h->count, s->t_ms);
}

static void put_type(Buf *out, const ExposeFormat *f, Str name, const ExposeSample *s) {
    bool gauge = s->histogram && s->histogram->reset == HISTOGRAM_RESET_GAUGE;
    buf_put_lit(out, "# TYPE ");
    if (f->escaping == ESCAPE_NOT && !metric_name_is_legacy(name))
        put_quoted(out, name);
    else
        expose_put_name(out, f->escaping, name);
    buf_put_str(out, !s->histogram ? STR(" untyped\n") : gauge ? STR(" gaugehistogram\n") : STR(" histogram\n"));
}

static bool same_family(const ExposeSample *a, const ExposeSample *b) {
    if (!a->histogram != !b->histogram) return false;
    bool gauge_a = a->histogram && a->histogram->reset == HISTOGRAM_RESET_GAUGE;
    bool gauge_b = b->histogram && b->histogram->reset == HISTOGRAM_RESET_GAUGE;
    return gauge_a == gauge_b &&
           str_eq(labels_get(a->labels, LABEL_NAME_METRIC), labels_get(b->labels, LABEL_NAME_METRIC));
}

static void put_text(Buf *out, const ExposeFormat *f, const ExposeSample *v, size_t n, Labels extra) {
    Line l = {.out = out, .f = f};
    const ExposeSample *last = NULL;
    for (size_t i = 0; i < n; i++) {
        Str name = labels_get(v[i].labels, LABEL_NAME_METRIC);
        if (v[i].histogram && v[i].histogram->schema != HISTOGRAM_SCHEMA_CUSTOM) continue;
        if (!last || !same_family(last, &v[i])) put_type(out, f, name, &v[i]);
        last = &v[i];
        if (v[i].histogram) {
            put_classic(&l, name, &v[i], extra);
        } else {
            put_series(&l, name, "", v[i].labels, extra);
            put_value(&l, v[i].value, v[i].t_ms);
        }
    }
}

void expose_put(Buf *out, const ExposeFormat *f, const ExposeSample *v, size_t n, Labels extra) {
    if (!f->protobuf) {
        put_text(out, f, v, n, extra);
        return;
    }
    for (size_t from = 0; from < n;) {
        size_t to = from + 1;
        while (to < n && same_family(&v[from], &v[to])) to++;
        expose_put_proto(out, f, v + from, to - from, extra);
        from = to;
    }
}
