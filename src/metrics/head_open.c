/* head_open.c - the open chunk of a series: its newest samples, not encoded yet. */
#include "metrics/head_int.h"

#include "base/num.h"

#include <math.h>

/* Narrow values: the first one, a stale marker, or the first plus this whole number. */
#define NARROW_FIRST 0
#define NARROW_STALE INT32_MIN

/* false: there is no such number that gives v bit by bit. */
static bool narrow_of(uint64_t first, uint64_t v, int32_t *ret) {
    *ret = v == first ? NARROW_FIRST : NARROW_STALE;
    if (v == first || v == STALE_NAN_BITS) return true;
    double distance = f64_of(v) - f64_of(first);
    if (!(fabs(distance) <= INT32_MAX)) return false;
    *ret = (int32_t)distance;
    return *ret != NARROW_FIRST && f64_bits(f64_of(first) + *ret) == v;
}

static uint64_t narrow_value(uint64_t first, int32_t narrow) {
    return narrow == NARROW_FIRST ? first : narrow == NARROW_STALE ? STALE_NAN_BITS : f64_bits(f64_of(first) + narrow);
}

/* --- arrays --- */
/* Samples a piece has room for, by form and class: 4, 8, 8 or 12 bytes each. */
#define CAPS(bytes)                                                                                                    \
    {                                                                                                                  \
        32 / (bytes), 64 / (bytes), 128 / (bytes), 256 / (bytes), 512 / (bytes), 1024 / (bytes), 2048 / (bytes),       \
            4096 / (bytes)                                                                                             \
    }
static const uint16_t caps[4][PIECE_CLASSES] = {CAPS(4), CAPS(8), CAPS(8), CAPS(12)};

static inline size_t cap_in(bool wide, bool irregular, unsigned piece) { return caps[wide << 1 | irregular][piece]; }
static inline size_t cap_of(const HeadSeries *s) { return s->open ? cap_in(s->wide, s->irregular, s->piece) : 0; }

static inline uint32_t *times_of(const HeadSeries *s, void *values) {
    return (uint32_t *)(void *)((char *)values + cap_of(s) * (s->wide ? sizeof(uint64_t) : sizeof(int32_t)));
}

HeadOpen head_open_of(const Head *h, const HeadSeries *s) {
    HeadOpen o = {0};
    if (!s->open) return o;
    void *values = head_piece(h, s->open);
    if (s->wide)
        o.wide = values;
    else
        o.narrow = values;
    if (s->irregular) o.times = times_of(s, values);
    return o;
}

static int64_t time_at(const HeadOpen *o, const HeadSeries *s, size_t i) {
    return s->first_t + (o->times ? (int64_t)o->times[i] : (int64_t)i * s->step_ms);
}

static uint64_t value_at(const HeadOpen *o, const HeadSeries *s, size_t i) {
    if (o->wide) return o->wide[i];
    return o->narrow ? narrow_value(s->first_v, o->narrow[i]) : s->first_v;
}

int64_t head_open_irregular_t(const Head *h, const HeadSeries *s, size_t i) {
    HeadOpen o = head_open_of(h, s);
    return time_at(&o, s, i);
}

uint64_t head_open_v(const Head *h, const HeadSeries *s, size_t i) {
    HeadOpen o = head_open_of(h, s);
    return value_at(&o, s, i);
}

void head_open_copy_times(const Head *h, const HeadSeries *s, int64_t *t) {
    HeadOpen o = head_open_of(h, s);
    for (size_t i = 0; i < s->n; i++) t[i] = time_at(&o, s, i);
}

void head_open_copy_values(const Head *h, const HeadSeries *s, double *v) {
    HeadOpen o = head_open_of(h, s);
    if (o.wide) {
        memcpy(v, o.wide, s->n * sizeof *v);
        return;
    }
    for (size_t i = 0; i < s->n; i++) v[i] = f64_of(value_at(&o, s, i));
}

/* --- changing --- */
/* narrow: of v, unless the chunk is wide. */
static inline void set(Head *h, HeadSeries *s, size_t i, int64_t t, uint64_t v, int32_t narrow) {
    void *values = head_piece(h, s->open);
    if (s->wide)
        ((uint64_t *)values)[i] = v;
    else
        ((int32_t *)values)[i] = narrow;
    if (s->irregular) times_of(s, values)[i] = (uint32_t)((uint64_t)t - (uint64_t)s->first_t);
}

static void move_same_form(Head *h, const HeadSeries *from, const HeadSeries *to) {
    HeadOpen o = head_open_of(h, from);
    void *values = head_piece(h, to->open);
    if (o.wide)
        memcpy(values, o.wide, from->n * sizeof *o.wide);
    else
        memcpy(values, o.narrow, from->n * sizeof *o.narrow);
    if (o.times) memcpy(times_of(to, values), o.times, from->n * sizeof *o.times);
}

/* Another form of the arrays, or longer ones; what there is moves over. */
static void reshape(Head *h, HeadSeries *s, bool irregular, bool wide) {
    HeadSeries old = *s;
    s->irregular = irregular;
    s->wide = wide;
    for (s->piece = 0; cap_in(wide, irregular, s->piece) <= s->n;) s->piece++;
    s->open = head_piece_take_class(h, s->piece);
    if (old.open && irregular == old.irregular && wide == old.wide) {
        move_same_form(h, &old, s);
    } else {
        HeadOpen o = head_open_of(h, &old);
        for (size_t i = 0; i < old.n; i++)
            set(h, s, i, time_at(&o, &old, i), value_at(&o, &old, i), o.narrow ? o.narrow[i] : NARROW_FIRST);
    }
    if (old.open) head_piece_give_back(h, old.open, old.piece);
}

/* Room for one more sample, whose time needs an array (irregular), whose value is v. false: it needs none. */
static inline bool reserve(Head *h, HeadSeries *s, bool irregular, uint64_t v, int32_t *ret_narrow) {
    *ret_narrow = NARROW_FIRST;
    irregular |= s->irregular;
    bool wide = s->wide || !narrow_of(s->first_v, v, ret_narrow);
    if (!irregular && !wide && !s->open && *ret_narrow == NARROW_FIRST) return false;
    if (s->n >= cap_of(s) || irregular != s->irregular || wide != s->wide) reshape(h, s, irregular, wide);
    return true;
}

/* Whether t, to come next, leaves the grid; the second sample says what that is. */
static inline bool leaves_grid(HeadSeries *s, int64_t t) {
    if (s->irregular) return true;
    int64_t step = t - (s->first_t + (int64_t)(s->n - 1) * s->step_ms);
    if (s->n > 1 || step > INT32_MAX) return step != s->step_ms;
    s->step_ms = (int32_t)step;
    return false;
}

void head_open_append(Head *h, HeadSeries *s, int64_t t, uint64_t v) {
    int32_t narrow;
    DASSERT(head_open_takes(s, t));
    if (s->n == 0) {
        s->first_t = t;
        s->first_v = v;
        s->step_ms = 0;
    } else if (reserve(h, s, leaves_grid(s, t), v, &narrow)) {
        set(h, s, s->n, t, v, narrow);
    }
    s->n++;
}

void head_open_insert(Head *h, HeadSeries *s, size_t at, int64_t t, uint64_t v) {
    DASSERT(at > 0 && at < s->n);
    int32_t narrow;
    (void)reserve(h, s, true, v, &narrow);
    HeadOpen o = head_open_of(h, s);
    uint32_t *times = (uint32_t *)(uintptr_t)o.times;
    char *values = o.wide ? (char *)(uintptr_t)o.wide : (char *)(uintptr_t)o.narrow;
    size_t value_bytes = o.wide ? sizeof *o.wide : sizeof *o.narrow, n = s->n - at;
    memmove(&times[at + 1], &times[at], n * sizeof *times);
    memmove(values + (at + 1) * value_bytes, values + at * value_bytes, n * value_bytes);
    set(h, s, at, t, v, narrow);
    s->n++;
}

void head_open_clear(Head *h, HeadSeries *s) {
    if (s->open) head_piece_give_back(h, s->open, s->piece);
    s->open = 0;
    s->piece = 0;
    s->irregular = 0;
    s->wide = 0;
    s->n = 0;
}
