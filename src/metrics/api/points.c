#include "metrics/api/points.h"

#include "base/num.h"
#include "metrics/api/api_int.h"

#define VALUE_BYTES 32 /* room for the usual ones; the others make theirs */

static void put_before(Buf *out, int64_t t_ms) {
    buf_put_lit(out, ",[");
    api_put_time(out, t_ms);
    buf_put_lit(out, ",\"");
}

PointTimes point_times(const PromqlResult *r, const PromqlQuery *q) {
    PointTimes t = {.start_ms = q->start_ms, .step_ms = q->step_ms};
    if (r->type != PQL_TYPE_MATRIX || q->step_ms <= 0 || r->n < 2) return t;
    t.n = (size_t)((q->end_ms - q->start_ms) / q->step_ms) + 1;
    t.end = mem_alloc_array(t.n, sizeof *t.end);
    for (size_t i = 0; i < t.n; i++) {
        put_before(&t.text, t.start_ms + (int64_t)i * t.step_ms);
        t.end[i] = (uint32_t)t.text.n;
    }
    return t;
}

void point_times_done(PointTimes *t) {
    buf_done(&t->text);
    mem_free(t->end);
}

/* The step of a time, *at being the one after the last point's; false: it is none. */
static bool find_step(const PointTimes *t, int64_t t_ms, size_t *at) {
    if (*at < t->n && t->start_ms + (int64_t)*at * t->step_ms == t_ms) return true;
    *at = t->n && t_ms >= t->start_ms ? (size_t)((t_ms - t->start_ms) / t->step_ms) : SIZE_MAX;
    return *at < t->n && t->start_ms + (int64_t)*at * t->step_ms == t_ms;
}

static void put_known(Buf *out, const PointTimes *t, size_t step) {
    uint32_t from = step ? t->end[step - 1] : 0, n = t->end[step] - from;
    buf_reserve(out, n + VALUE_BYTES);
    memcpy(out->p + out->n, t->text.p + from, n);
    out->n += n;
}

/* Most values are whole numbers of moderate size. */
static void put_value(Buf *out, double v) {
    if (v >= 1 && v < 9e15 && (double)(uint64_t)v == v)
        num_put_u64(out, (uint64_t)v);
    else
        num_put_f64_prom(out, v);
}

void points_put(Buf *out, const PromqlSeries *s, const PointTimes *t) {
    size_t begin = out->n, step = 0, text = 0, text_n = 0; /* where the value before stands */
    for (size_t i = 0; i < s->n; i++) {
        if (find_step(t, s->t_ms[i], &step))
            put_known(out, t, step++);
        else
            put_before(out, s->t_ms[i]);
        /* Gauges often stay. */
        if (i && text_n <= VALUE_BYTES - 2 && memcmp(&s->value[i], &s->value[i - 1], sizeof *s->value) == 0) {
            buf_reserve(out, VALUE_BYTES);
            memcpy(out->p + out->n, out->p + text, text_n);
            text = out->n;
            out->n += text_n;
        } else {
            text = out->n;
            put_value(out, s->value[i]);
            text_n = out->n - text;
        }
        buf_put_lit(out, "\"]");
    }
    if (s->n)
        out->p[begin] = '['; /* in the first comma's place */
    else
        buf_put_char(out, '[');
    buf_put_char(out, ']');
}
