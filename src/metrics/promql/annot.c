/* annot.c - warnings and infos of a query: unique, with the place of the expression. */
#include "metrics/promql/engine_int.h"

#include "base/num.h"
#include "base/timefmt.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

/* The same text is there once, with the place that came last: as Prometheus keeps them. */
static Annotation *note_put(Ev *ev, bool info, LangSpan span, Str text) {
    Buf key = {0};
    buf_put_char(&key, info ? 'i' : 'w');
    buf_put_str(&key, text);
    bool inserted;
    uint64_t *slot = map_put(ev->annotations, buf_str(&key), &inserted);
    Annotation a = {.info = info, .span = span};
    Annotation *ret = NULL;
    if (!inserted) {
        ret = &ev->notes.v[*slot - 1];
        ret->span = span;
    } else if ((a.text = arena_copy(ev->arena, text)).p && avec_push(ev->arena, &ev->notes, a)) {
        *slot = ev->notes.n;
        ret = &ev->notes.v[ev->notes.n - 1];
    } else {
        map_remove(ev->annotations, buf_str(&key), NULL);
        ev_no_memory(ev);
    }
    buf_done(&key);
    return ret;
}

ATTR_PRINTF(4, 0)
static void note_vput(Ev *ev, bool info, LangSpan span, const char *fmt, va_list ap) {
    char text[512];
    vsnprintf(text, sizeof text, fmt, ap);
    note_put(ev, info, span, str_cstr(text));
}

void ev_warn(Ev *ev, LangSpan span, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    note_vput(ev, false, span, fmt, ap);
    va_end(ap);
}

void ev_info(Ev *ev, LangSpan span, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    note_vput(ev, true, span, fmt, ap);
    va_end(ap);
}

void pql_put_g(Buf *b, double v) {
    if (!isfinite(v)) {
        buf_printf(b, "%s", isnan(v) ? "NaN" : v < 0 ? "-Inf" : "+Inf");
        return;
    }
    uint64_t digits;
    int exp10;
    bool negative;
    char text[24];
    num_shortest_f64(v, &digits, &exp10, &negative);
    int n = snprintf(text, sizeof text, "%llu", (unsigned long long)digits), exponent = n + exp10 - 1;
    if (digits == 0 || (exponent >= -4 && exponent < 6)) {
        num_put_f64_prom(b, v);
        return;
    }
    buf_printf(b, "%s%c", negative ? "-" : "", text[0]);
    if (n > 1) buf_printf(b, ".%s", text + 1);
    buf_printf(b, "e%c%02d", exponent < 0 ? '-' : '+', abs(exponent));
}

void ev_warn_quantile(Ev *ev, LangSpan span, double q) {
    Buf b = {0};
    buf_put_lit(&b, "quantile value should be between 0 and 1, got ");
    pql_put_g(&b, q);
    note_put(ev, false, span, buf_str(&b));
    buf_done(&b);
}

static void note_metric(Ev *ev, bool info, LangSpan span, const char *text, Str metric) {
    Buf b = {0};
    buf_printf(&b, "%s ", text);
    lang_put_quoted(&b, metric);
    note_put(ev, info, span, buf_str(&b));
    buf_done(&b);
}

void ev_warn_metric(Ev *ev, LangSpan span, const char *text, Labels labels) {
    note_metric(ev, false, span, text, labels_metric(labels));
}

void ev_info_metric(Ev *ev, LangSpan span, const char *text, Labels labels) {
    note_metric(ev, true, span, text, labels_metric(labels));
}

void ev_warn_start_overlap(Ev *ev, LangSpan span, Labels labels) {
    Buf b = {0};
    buf_put_lit(&b, "sample has start time that overlaps with previous sample timestamp for metric ");
    lang_put_quoted(&b, labels_metric(labels));
    Annotation *a = note_put(ev, false, span, buf_str(&b));
    buf_done(&b);
    if (!a) return;
    a->counted = true;
    a->count++;
}

void ev_note_maybe_metric(Ev *ev, bool info, LangSpan span, const char *text, Str metric) {
    if (metric.n == 0) {
        note_put(ev, info, span, str_cstr(text));
        return;
    }
    Buf b = {0};
    buf_printf(&b, "%s for metric name", text);
    note_metric(ev, info, span, buf_cstr(&b), metric);
    buf_done(&b);
}

void ev_info_monotonicity(
    Ev *ev, LangSpan span, Str metric, int64_t t_ms, double min_b, double max_b, double max_diff) {
    Buf b = {0};
    buf_put_lit(&b, "input to histogram_quantile needed to be fixed for monotonicity (see "
                    "https://prometheus.io/docs/prometheus/latest/querying/functions/#histogram_quantile)");
    if (metric.n) {
        buf_put_lit(&b, " for metric name ");
        lang_put_quoted(&b, metric);
    }
    Annotation *a = note_put(ev, true, span, buf_str(&b));
    buf_done(&b);
    if (!a) return;
    bool first = !a->monotonicity;
    a->monotonicity = true;
    a->min_bucket = first ? min_b : fmin(a->min_bucket, min_b);
    a->max_bucket = first ? max_b : fmax(a->max_bucket, max_b);
    a->max_diff = first ? max_diff : fmax(a->max_diff, max_diff);
    a->first_ms = first ? t_ms : MIN(a->first_ms, t_ms);
    a->last_ms = first ? t_ms : MAX(a->last_ms, t_ms);
    a->count++;
}

static void put_short_time(Buf *b, int64_t t_ms) { time_put_rfc3339(b, t_ms / 1000 * 1000000000); }

static Str note_text(Ev *ev, const Annotation *a) {
    Buf b = {0};
    int line, col;
    buf_printf(&b, "PromQL %s: %" STR_FMT, a->info ? "info" : "warning", STR_ARG(a->text));
    if (a->monotonicity) {
        buf_put_lit(&b, ", from buckets ");
        pql_put_g(&b, a->min_bucket);
        buf_put_lit(&b, " to ");
        pql_put_g(&b, a->max_bucket);
        buf_printf(&b, ", with a max diff of %.2g, over %llu samples from ", a->max_diff, (unsigned long long)a->count);
        put_short_time(&b, a->first_ms);
        buf_put_lit(&b, " to ");
        put_short_time(&b, a->last_ms);
    }
    if (a->counted && a->count > 1) buf_printf(&b, " (%llu occurrences)", (unsigned long long)a->count);
    diag_locate(ev->source, MIN((size_t)a->span.start, ev->source.n), &line, &col);
    buf_printf(&b, " (%d:%d)", line, col);
    Str s = arena_copy(ev->arena, buf_str(&b));
    buf_done(&b);
    return s;
}

void ev_annotations_merge(Ev *ev, const Ev *w) {
    for (size_t i = 0; i < w->notes.n; i++) {
        DASSERT(!w->notes.v[i].monotonicity); /* rows do not have these */
        Annotation *a = note_put(ev, w->notes.v[i].info, w->notes.v[i].span, w->notes.v[i].text);
        if (!a || !w->notes.v[i].counted) continue;
        a->counted = true;
        a->count += w->notes.v[i].count;
    }
}

bool ev_annotations_result(Ev *ev, PromqlResult *ret) {
    size_t n = ev->notes.n;
    ret->warnings = ARENA_ARRAY(ev->arena, Str, n);
    ret->infos = ARENA_ARRAY(ev->arena, Str, n);
    if (n && (!ret->warnings || !ret->infos)) return ev_no_memory(ev);
    for (size_t i = 0; i < n; i++) {
        Str text = note_text(ev, &ev->notes.v[i]);
        if (!text.p) return ev_no_memory(ev);
        if (ev->notes.v[i].info)
            ret->infos[ret->n_infos++] = text;
        else
            ret->warnings[ret->n_warnings++] = text;
    }
    return true;
}
