/* promqltest_starts.c - lines of promqltest scripts that give start times: name{a="b"}@st -1m -1sx3 -30s-1mx2 _ _x4. */
#include "metrics/promql/promqltest_int.h"

#include "base/num.h"
#include "base/timefmt.h"

#define REPEAT_MAX 1000000

/* A duration with its sign at the start of *s, which is moved behind it. */
static bool take_duration(Str *s, int64_t *ret_ms) {
    bool negative = s->n && s->p[0] == '-';
    if (s->n && (s->p[0] == '-' || s->p[0] == '+')) *s = str_skip(*s, 1);
    size_t end = 0;
    while (end < s->n && s->p[end] != 'x' && s->p[end] != '+' && s->p[end] != '-') end++;
    if (end == 0 || !duration_parse_prom(str_slice(*s, 0, end), ret_ms)) return false;
    if (negative) *ret_ms = -*ret_ms;
    *s = str_skip(*s, end);
    return true;
}

static bool take_times(Str s, uint64_t *ret) {
    return s.n > 1 && s.p[0] == 'x' && num_parse_u64(str_skip(s, 1), ret) && *ret <= REPEAT_MAX;
}

static bool parse_item(Arena *a, Str s, SeqLine *out) {
    uint64_t times = 0;
    int64_t start = 0, step = 0;
    bool omitted = s.p[0] == '_';
    if (omitted) {
        s = str_skip(s, 1);
        if (s.n && (!take_times(s, &times) || times-- == 0)) return false; /* _x3 are three, 1mx3 are four */
    } else {
        if (!take_duration(&s, &start)) return false;
        bool steps = s.n && s.p[0] != 'x';
        if (steps && !take_duration(&s, &step)) return false;
        if ((steps || s.n) && !take_times(s, &times)) return false;
    }
    for (uint64_t i = 0; i <= times; i++) {
        SeqItem item = {.started = !omitted, .start_ms = start + (int64_t)i * step};
        if (!avec_push(a, &out->items, item)) return false;
    }
    return true;
}

bool seq_parse_starts(Arena *a, Str line, bool *ret_is, SeqLine *ret, Err *err) {
    Str rest = line, series, item;
    size_t at = str_find(line, STR("@st"));
    *ret_is = at != SIZE_MAX && at + 3 < line.n && (line.p[at + 3] == ' ' || line.p[at + 3] == '\t');
    if (!*ret_is) return true;
    series = str_slice(line, 0, at);
    rest = str_skip(line, at + 3);
    if (!seq_parse_line(a, series, ret, err)) return false;
    while (str_split_next(&rest, ' ', &item)) {
        if (item.n == 0 || parse_item(a, item, ret)) continue;
        err_set(err, ERR_INVALID, "bad start time \"%.*s\"", (int)item.n, item.p);
        return false;
    }
    return true;
}

bool seq_take_starts(SeqLine *line, const SeqLine *starts, Err *err) {
    if (!labels_eq(line->labels, starts->labels) || line->items.n != starts->items.n) {
        err_set(err, ERR_INVALID, "start times of another series, or of another number of samples");
        return false;
    }
    for (size_t i = 0; i < line->items.n; i++) {
        line->items.v[i].started = starts->items.v[i].started;
        line->items.v[i].start_ms = starts->items.v[i].start_ms;
    }
    return true;
}
