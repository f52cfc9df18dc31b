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

#define CLAUSES_MAX 32

typedef struct Clause {
    Str text, media;
    double q;
    bool any; /* has a wildcard */
} Clause;

/* Those that are none are left out; the best liked come first, and of these the definite ones. */
static size_t read_clauses(Str accept, Clause v[CLAUSES_MAX]) {
    size_t n = 0;
    Str text;
    while (accept.n && n < CLAUSES_MAX && str_split_next(&accept, ',', &text)) {
        size_t semi = str_find_char(text, ';');
        Clause c = {.text = text, .media = str_trim(semi == SIZE_MAX ? text : str_slice(text, 0, semi)), .q = 1};
        Str q = param_of(text, STR("q"));
        if (q.n && !num_parse_f64(q, &c.q)) c.q = 0;
        c.any = str_find_char(c.media, '*') != SIZE_MAX;
        size_t at = n++;
        for (; at > 0 && (v[at - 1].q < c.q || (v[at - 1].q == c.q && v[at - 1].any && !c.any)); at--)
            v[at] = v[at - 1];
        v[at] = c;
    }
    return n;
}

static void take_escaping(Str name, ExposeEscaping *escaping) {
    if (str_eq_lit(name, "allow-utf-8")) *escaping = EXPOSE_AS_IS;
    if (str_eq_lit(name, "underscores")) *escaping = EXPOSE_UNDERSCORES;
    if (str_eq_lit(name, "dots")) *escaping = EXPOSE_DOTS;
    if (str_eq_lit(name, "values")) *escaping = EXPOSE_VALUES;
}

static bool is_delimited(const Clause *c) {
    return str_eq_nocase(c->media, STR("application/vnd.google.protobuf")) &&
           str_eq_lit(param_of(c->text, STR("proto")), "io.prometheus.client.MetricFamily") &&
           str_eq_lit(param_of(c->text, STR("encoding")), "delimited");
}

static bool is_text(const Clause *c) {
    Str version = param_of(c->text, STR("version"));
    return str_eq_nocase(c->media, STR("text/plain")) && (version.n == 0 || str_eq_lit(version, "0.0.4"));
}

ExposeFormat expose_negotiate(Str accept, bool protobuf) {
    Clause v[CLAUSES_MAX];
    ExposeFormat f = {0};
    size_t n = read_clauses(accept, v);
    for (size_t i = 0; i < n; i++) {
        take_escaping(param_of(v[i].text, STR("escaping")), &f.escaping);
        f.protobuf = protobuf && is_delimited(&v[i]);
        if (f.protobuf || is_text(&v[i])) break;
    }
    return f;
}

static const char *escaping_name(ExposeEscaping e) {
    static const char *const names[] = {[EXPOSE_UNDERSCORES] = "underscores",
        [EXPOSE_AS_IS] = "allow-utf-8",
        [EXPOSE_DOTS] = "dots",
        [EXPOSE_VALUES] = "values"};
    return names[e];
}

Str expose_content_type(const ExposeFormat *f, Arena *arena) {
    if (f->protobuf)
        return arena_printf(arena,
            "application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited; escaping=%s",
            escaping_name(f->escaping));
    return arena_printf(arena, "text/plain; version=0.0.4; charset=utf-8; escaping=%s", escaping_name(f->escaping));
}

/* --- names --- */

static bool is_classic(uint32_t c, bool first) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':' || (!first && c >= '0' && c <= '9');
}

static void put_escaped(Buf *out, ExposeEscaping scheme, uint32_t c, bool first) {
    bool classic = is_classic(c, first);
    if (scheme == EXPOSE_UNDERSCORES) {
        buf_put_char(out, classic ? (char)c : '_');
    } else if (c == '_') {
        buf_put_lit(out, "__");
    } else if (classic) {
        buf_put_char(out, (char)c);
    } else if (scheme == EXPOSE_VALUES) {
        buf_printf(out, "_%x_", c);
    } else if (c == '.') {
        buf_put_lit(out, "_dot_");
    } else {
        buf_put_lit(out, "__");
    }
}

void expose_put_name(Buf *out, ExposeEscaping scheme, Str name) {
    if (scheme == EXPOSE_AS_IS || metric_name_is_legacy(name)) {
        buf_put_str(out, name);
        return;
    }
    if (scheme == EXPOSE_VALUES) buf_put_lit(out, "U__");
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
    if (l->f->escaping == EXPOSE_AS_IS && !label_name_is_legacy(name))
        put_quoted(l->out, name);
    else
        expose_put_name(l->out, l->f->escaping, name);
    buf_put_char(l->out, '=');
    put_quoted(l->out, value);
}

/* name{ or {"name", and the labels */
static void put_series(Line *l, Str name, const char *suffix, Labels labels, Labels extra) {
    bool quoted = l->f->escaping == EXPOSE_AS_IS && !metric_name_is_legacy(name);
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
    if (f->escaping == EXPOSE_AS_IS && !metric_name_is_legacy(name))
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
