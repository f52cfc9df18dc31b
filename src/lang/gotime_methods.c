/* gotime_methods.c - what templates may ask of times and durations. */
#include "base/timefmt.h"
#include "lang/gotime_int.h"

static void month_string(GoValue v, Buf *out) { buf_put_str(out, str_cstr(go_month_names[(v.i - 1) % 12])); }
static void weekday_string(GoValue v, Buf *out) { buf_put_str(out, str_cstr(go_weekday_names[v.i % 7])); }

#define SELF(c) ((const GoTime *)(c)->self.obj)
#define METHOD(name) static ErrCode name(GoCall *c, const GoValue *args, size_t n, GoValue *ret)
#define UNUSED_ARGS (void)c, (void)args, (void)n

static ErrCode text_result(GoCall *c, Buf *b, GoValue *ret) {
    Str s = arena_copy(c->arena, buf_str(b));
    buf_done(b);
    if (!s.p) return err_set(c->err, ERR_TOO_LARGE, "result is too large");
    *ret = go_of_str(s);
    return OK;
}

METHOD(time_format) {
    UNUSED_ARGS;
    Buf b = {0};
    go_time_format(&b, SELF(c), args[0].s);
    return text_result(c, &b, ret);
}

static void time_string(GoValue v, Buf *out) {
    go_time_format(out, v.obj, STR("2006-01-02 15:04:05.999999999 -0700 MST"));
}

METHOD(time_string_method) {
    UNUSED_ARGS;
    Buf b = {0};
    time_string(c->self, &b);
    return text_result(c, &b, ret);
}

#define INT_METHOD(name, type_, expr)                                                                                  \
    METHOD(name) {                                                                                                     \
        UNUSED_ARGS;                                                                                                   \
        const GoTime *t = SELF(c);                                                                                     \
        GoClock k = go_time_clock(t);                                                                                  \
        (void)k;                                                                                                       \
        *ret = (GoValue){.type = (type_), .i = (expr)};                                                                \
        return OK;                                                                                                     \
    }
INT_METHOD(time_unix, go_int64, t->unix_s)
INT_METHOD(time_unix_ms, go_int64, t->unix_s * 1000 + t->ns / 1000000)
INT_METHOD(time_unix_us, go_int64, t->unix_s * 1000000 + t->ns / 1000)
INT_METHOD(time_unix_ns, go_int64, go_time_ns(t))
INT_METHOD(time_year, go_int, k.year)
INT_METHOD(time_month, go_month, k.month)
INT_METHOD(time_day, go_int, k.day)
INT_METHOD(time_hour, go_int, k.hour)
INT_METHOD(time_minute, go_int, k.minute)
INT_METHOD(time_second, go_int, k.second)
INT_METHOD(time_nanosecond, go_int, t->ns)
INT_METHOD(time_weekday, go_weekday, k.weekday)
INT_METHOD(time_year_day, go_int, k.year_day)

METHOD(time_is_zero) {
    UNUSED_ARGS;
    *ret = go_of_bool(SELF(c)->unix_s == GO_TIME_ZERO_S && SELF(c)->ns == 0);
    return OK;
}

METHOD(time_utc) {
    UNUSED_ARGS;
    GoTime t = *SELF(c);
    t.offset_s = 0;
    t.zone = STR("UTC");
    *ret = go_of_gotime(c->arena, t);
    return OK;
}

METHOD(time_local) {
    UNUSED_ARGS;
    *ret = c->self; /* servers run in UTC; the function tz is for other zones */
    return OK;
}

static int compare(const GoTime *a, const GoTime *b) {
    if (a->unix_s != b->unix_s) return a->unix_s < b->unix_s ? -1 : 1;
    return a->ns < b->ns ? -1 : a->ns > b->ns;
}

METHOD(time_before) {
    UNUSED_ARGS;
    *ret = go_of_bool(compare(SELF(c), args[0].obj) < 0);
    return OK;
}
METHOD(time_after) {
    UNUSED_ARGS;
    *ret = go_of_bool(compare(SELF(c), args[0].obj) > 0);
    return OK;
}
METHOD(time_equal) {
    UNUSED_ARGS;
    *ret = go_of_bool(compare(SELF(c), args[0].obj) == 0);
    return OK;
}

METHOD(time_sub) {
    UNUSED_ARGS;
    const GoTime *a = SELF(c), *b = args[0].obj;
    int64_t s = a->unix_s - b->unix_s, ns;
    if (__builtin_mul_overflow(s, NS_PER_S, &ns) || __builtin_add_overflow(ns, a->ns - b->ns, &ns))
        ns = s < 0 ? INT64_MIN : INT64_MAX;
    *ret = go_of_duration(ns);
    return OK;
}

static GoTime added(const GoTime *t, int64_t ns) {
    GoTime r = *t;
    r.unix_s += ns / NS_PER_S;
    int64_t rest = r.ns + ns % NS_PER_S;
    r.unix_s += rest < 0 ? -1 : rest >= NS_PER_S;
    r.ns = (int32_t)(rest < 0 ? rest + NS_PER_S : rest >= NS_PER_S ? rest - NS_PER_S : rest);
    return r;
}

METHOD(time_add) {
    UNUSED_ARGS;
    *ret = go_of_gotime(c->arena, added(SELF(c), args[0].i));
    return OK;
}

METHOD(time_add_date) {
    UNUSED_ARGS;
    GoTime t = *SELF(c);
    GoClock k = go_time_clock(&t);
    for (size_t i = 0; i < 3; i++)
        if (args[i].i > 100000 || args[i].i < -100000) return err_set(c->err, ERR_INVALID, "date out of range");
    int64_t month = k.month - 1 + args[1].i, year = k.year + args[0].i + month / 12;
    month %= 12;
    if (month < 0) {
        month += 12;
        year--;
    }
    int64_t days = time_days_from_civil(year, month + 1, 1) + k.day - 1 + args[2].i;
    t.unix_s = days * 86400 + k.hour * 3600 + k.minute * 60 + k.second - t.offset_s;
    *ret = go_of_gotime(c->arena, t);
    return OK;
}

/* Of the time since year 1, as Go counts. */
static int64_t past_multiple(const GoTime *t, int64_t d) {
    if (d <= 0) return 0;
    unsigned __int128 all = (unsigned __int128)(t->unix_s - GO_TIME_ZERO_S) * (uint64_t)NS_PER_S + (uint64_t)t->ns;
    return (int64_t)(all % (uint64_t)d);
}

METHOD(time_truncate) {
    UNUSED_ARGS;
    *ret = go_of_gotime(c->arena, added(SELF(c), -past_multiple(SELF(c), args[0].i)));
    return OK;
}
METHOD(time_round) {
    UNUSED_ARGS;
    int64_t d = args[0].i, r = past_multiple(SELF(c), d);
    *ret = go_of_gotime(c->arena, added(SELF(c), r * 2 < d ? -r : d > 0 ? d - r : 0));
    return OK;
}

static const GoFunc time_methods[] = {
    {STR_INIT("Format"), time_format, {go_string}, 1, false},
    {STR_INIT("String"), time_string_method, {NULL}, 0, false},
    {STR_INIT("Unix"), time_unix, {NULL}, 0, false},
    {STR_INIT("UnixMilli"), time_unix_ms, {NULL}, 0, false},
    {STR_INIT("UnixMicro"), time_unix_us, {NULL}, 0, false},
    {STR_INIT("UnixNano"), time_unix_ns, {NULL}, 0, false},
    {STR_INIT("Year"), time_year, {NULL}, 0, false},
    {STR_INIT("Month"), time_month, {NULL}, 0, false},
    {STR_INIT("Day"), time_day, {NULL}, 0, false},
    {STR_INIT("Hour"), time_hour, {NULL}, 0, false},
    {STR_INIT("Minute"), time_minute, {NULL}, 0, false},
    {STR_INIT("Second"), time_second, {NULL}, 0, false},
    {STR_INIT("Nanosecond"), time_nanosecond, {NULL}, 0, false},
    {STR_INIT("Weekday"), time_weekday, {NULL}, 0, false},
    {STR_INIT("YearDay"), time_year_day, {NULL}, 0, false},
    {STR_INIT("IsZero"), time_is_zero, {NULL}, 0, false},
    {STR_INIT("UTC"), time_utc, {NULL}, 0, false},
    {STR_INIT("Local"), time_local, {NULL}, 0, false},
    {STR_INIT("Before"), time_before, {go_time}, 1, false},
    {STR_INIT("After"), time_after, {go_time}, 1, false},
    {STR_INIT("Equal"), time_equal, {go_time}, 1, false},
    {STR_INIT("Sub"), time_sub, {go_time}, 1, false},
    {STR_INIT("Add"), time_add, {go_duration}, 1, false},
    {STR_INIT("AddDate"), time_add_date, {go_int, go_int, go_int}, 3, false},
    {STR_INIT("Truncate"), time_truncate, {go_duration}, 1, false},
    {STR_INIT("Round"), time_round, {go_duration}, 1, false},
};
const GoType go_time[1] = {{.name = "time.Time",
    .kind = GO_STRUCT,
    .methods = time_methods,
    .n_methods = ARRAY_LEN(time_methods),
    .string = time_string}};
const GoType go_month[1] = {{.name = "time.Month", .kind = GO_INT, .string = month_string}};
const GoType go_weekday[1] = {{.name = "time.Weekday", .kind = GO_INT, .string = weekday_string}};

static void duration_string(GoValue v, Buf *out) { duration_put_go(out, v.i); }

METHOD(duration_string_method) {
    UNUSED_ARGS;
    Buf b = {0};
    duration_string(c->self, &b);
    return text_result(c, &b, ret);
}

#define DURATION_METHOD(name, value)                                                                                   \
    METHOD(name) {                                                                                                     \
        UNUSED_ARGS;                                                                                                   \
        int64_t d = c->self.i;                                                                                         \
        *ret = value;                                                                                                  \
        return OK;                                                                                                     \
    }
/* As Go does: whole units and the rest apart, for exactness. */
static double in_units(int64_t d, int64_t unit) { return (double)(d / unit) + (double)(d % unit) / (double)unit; }
static GoValue int64_value(int64_t i) { return (GoValue){.type = go_int64, .i = i}; }
static int64_t duration_truncated(int64_t d, int64_t m) { return m <= 0 ? d : d - d % m; }
static int64_t duration_rounded(int64_t d, int64_t m) {
    if (m <= 0) return d;
    int64_t r = d % m, size = r < 0 ? -r : r;
    if (size < m - size) return d - r;
    int64_t result;
    bool over = __builtin_add_overflow(d, d < 0 ? -(m - size) : m - size, &result);
    return over ? (d < 0 ? INT64_MIN : INT64_MAX) : result;
}
DURATION_METHOD(duration_seconds, go_of_f64(in_units(d, NS_PER_S)))
DURATION_METHOD(duration_minutes, go_of_f64(in_units(d, 60 * NS_PER_S)))
DURATION_METHOD(duration_hours, go_of_f64(in_units(d, 3600 * NS_PER_S)))
DURATION_METHOD(duration_ms, int64_value(d / NS_PER_MS))
DURATION_METHOD(duration_us, int64_value(d / 1000))
DURATION_METHOD(duration_ns, int64_value(d))
DURATION_METHOD(duration_abs, go_of_duration(d == INT64_MIN ? INT64_MAX : d < 0 ? -d : d))
DURATION_METHOD(duration_truncate, go_of_duration(duration_truncated(d, args[0].i)))
DURATION_METHOD(duration_round, go_of_duration(duration_rounded(d, args[0].i)))

static const GoFunc duration_methods[] = {
    {STR_INIT("String"), duration_string_method, {NULL}, 0, false},
    {STR_INIT("Seconds"), duration_seconds, {NULL}, 0, false},
    {STR_INIT("Minutes"), duration_minutes, {NULL}, 0, false},
    {STR_INIT("Hours"), duration_hours, {NULL}, 0, false},
    {STR_INIT("Milliseconds"), duration_ms, {NULL}, 0, false},
    {STR_INIT("Microseconds"), duration_us, {NULL}, 0, false},
    {STR_INIT("Nanoseconds"), duration_ns, {NULL}, 0, false},
    {STR_INIT("Abs"), duration_abs, {NULL}, 0, false},
    {STR_INIT("Truncate"), duration_truncate, {go_duration}, 1, false},
    {STR_INIT("Round"), duration_round, {go_duration}, 1, false},
};
const GoType go_duration[1] = {{.name = "time.Duration",
    .kind = GO_INT,
    .methods = duration_methods,
    .n_methods = ARRAY_LEN(duration_methods),
    .string = duration_string}};
