#include "collect/otlp_names.h"

#include "base/buf.h"

typedef struct UnitName {
    Str unit, word;
} UnitName;

static const UnitName units[] = {
    /* time */
    {STR_INIT("d"), STR_INIT("days")},
    {STR_INIT("h"), STR_INIT("hours")},
    {STR_INIT("min"), STR_INIT("minutes")},
    {STR_INIT("s"), STR_INIT("seconds")},
    {STR_INIT("ms"), STR_INIT("milliseconds")},
    {STR_INIT("us"), STR_INIT("microseconds")},
    {STR_INIT("ns"), STR_INIT("nanoseconds")},
    /* bytes */
    {STR_INIT("By"), STR_INIT("bytes")},
    {STR_INIT("KiBy"), STR_INIT("kibibytes")},
    {STR_INIT("MiBy"), STR_INIT("mebibytes")},
    {STR_INIT("GiBy"), STR_INIT("gibibytes")},
    {STR_INIT("TiBy"), STR_INIT("tibibytes")},
    {STR_INIT("KBy"), STR_INIT("kilobytes")},
    {STR_INIT("MBy"), STR_INIT("megabytes")},
    {STR_INIT("GBy"), STR_INIT("gigabytes")},
    {STR_INIT("TBy"), STR_INIT("terabytes")},
    /* SI and the rest */
    {STR_INIT("m"), STR_INIT("meters")},
    {STR_INIT("V"), STR_INIT("volts")},
    {STR_INIT("A"), STR_INIT("amperes")},
    {STR_INIT("J"), STR_INIT("joules")},
    {STR_INIT("W"), STR_INIT("watts")},
    {STR_INIT("g"), STR_INIT("grams")},
    {STR_INIT("Cel"), STR_INIT("celsius")},
    {STR_INIT("Hz"), STR_INIT("hertz")},
    {STR_INIT("1"), STR_INIT("")},
    {STR_INIT("%"), STR_INIT("percent")},
};

static const UnitName per_units[] = {
    {STR_INIT("s"), STR_INIT("second")},
    {STR_INIT("m"), STR_INIT("minute")},
    {STR_INIT("h"), STR_INIT("hour")},
    {STR_INIT("d"), STR_INIT("day")},
    {STR_INIT("w"), STR_INIT("week")},
    {STR_INIT("mo"), STR_INIT("month")},
    {STR_INIT("y"), STR_INIT("year")},
};

static bool is_alnum(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9'); }

static Str unit_word(Str unit, const UnitName *table, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (str_eq(table[i].unit, unit)) return table[i].word;
    }
    return unit;
}

/* Appends the runs of name characters in s joined by '_'; foreign characters and repeated '_' vanish. */
static void put_words(Buf *out, Str s, bool colons) {
    bool gap = out->n > 0;
    for (size_t i = 0; i < s.n; i++) {
        bool keep = is_alnum(s.p[i]) || (colons && s.p[i] == ':');
        if (keep && gap && out->n > 0) buf_put_char(out, '_');
        if (keep) buf_put_char(out, s.p[i]);
        gap = !keep;
    }
}

/* Whether the words of s contain word as a whole word. */
static bool has_word(Str words, Str word) {
    Str rest = words, w;
    while (str_split_next(&rest, '_', &w)) {
        if (str_eq(w, word)) return true;
    }
    return false;
}

static void remove_word(Buf *words, Str word) {
    Buf out = {0};
    Str rest = buf_str(words), w;
    while (str_split_next(&rest, '_', &w)) {
        if (str_eq(w, word)) continue;
        if (out.n > 0) buf_put_char(&out, '_');
        buf_put_str(&out, w);
    }
    buf_done(words);
    *words = out;
}

/* Annotations such as {request} say nothing that a name should. */
static Str usable_unit(Str unit) {
    unit = str_trim(unit);
    return str_find_char(unit, '{') != SIZE_MAX || str_find_char(unit, '}') != SIZE_MAX ? STR_NULL : unit;
}

static void put_unit(Buf *out, Str unit) {
    size_t slash = str_find_char(unit, '/');
    Str main_unit = usable_unit(slash == SIZE_MAX ? unit : str_slice(unit, 0, slash));
    Str per_unit = slash == SIZE_MAX ? STR_NULL : usable_unit(str_skip(unit, slash + 1));
    Buf word = {0};
    put_words(&word, unit_word(main_unit, units, ARRAY_LEN(units)), false);
    if (word.n > 0 && !has_word(buf_str(out), buf_str(&word))) put_words(out, buf_str(&word), false);
    buf_clear(&word);
    put_words(&word, unit_word(per_unit, per_units, ARRAY_LEN(per_units)), false);
    if (word.n > 0) {
        put_words(out, STR("per"), false);
        put_words(out, buf_str(&word), false);
    }
    buf_done(&word);
}

Str otlp_metric_name(Arena *arena, Str name, Str unit, MetricType type) {
    Buf out = {0};
    put_words(&out, name, true);
    put_unit(&out, unit);
    if (type == METRIC_COUNTER) {
        remove_word(&out, STR("total"));
        put_words(&out, STR("total"), false);
    }
    if (type == METRIC_GAUGE && str_eq_lit(unit, "1")) {
        remove_word(&out, STR("ratio"));
        put_words(&out, STR("ratio"), false);
    }
    bool digit = out.n > 0 && out.p[0] >= '0' && out.p[0] <= '9';
    Str ret = digit ? arena_printf(arena, "_%" STR_FMT, STR_ARG(buf_str(&out))) : arena_copy(arena, buf_str(&out));
    buf_done(&out);
    return ret;
}

Str otlp_label_name(Arena *arena, Str name) {
    if (LIKELY(label_name_is_legacy(name) && !str_contains(name, STR("__")) && name.p[0] != '_')) return name;
    bool reserved = name.n > 4 && str_starts_with(name, STR("__")) && str_ends_with(name, STR("__"));
    char *out = ARENA_ARRAY(arena, char, name.n + 6);
    if (!out) return STR_NULL;
    size_t n = 4; /* room for key_ in front */
    for (size_t i = 0; i < name.n; i++) {
        bool keep = is_alnum(name.p[i]);
        if (keep || n == 4 || out[n - 1] != '_') out[n++] = keep ? name.p[i] : '_';
    }
    size_t from = 4;
    if (reserved) {
        out[--from] = '_';
        out[n++] = '_';
    } else if (n > from && (out[from] == '_' || (out[from] >= '0' && out[from] <= '9'))) {
        Str prefix = out[from] == '_' ? STR("key") : STR("key_");
        from -= prefix.n;
        memcpy(out + from, prefix.p, prefix.n);
    }
    return str_of(out + from, n - from);
}

Str otlp_label_name_cached(OtlpNameCache *cache, Arena *arena, Str name) {
    size_t slot = otlp_key_mix(name) >> 58;
    _Static_assert(OTLP_NAME_SLOTS == 64, "six bits choose the slot");
    if (LIKELY(cache->to[slot].p && str_eq(cache->from[slot], name))) return cache->to[slot];
    Str to = otlp_label_name(arena, name);
    cache->from[slot] = name;
    cache->to[slot] = to;
    return to;
}
