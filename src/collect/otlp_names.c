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

typedef struct UnitWords {
    Str main_unit, per_unit; /* per_unit without "per_"; empty: there is none */
} UnitWords;

static UnitWords unit_words(Str unit) {
    size_t slash = str_find_char(unit, '/');
    Str main_unit = usable_unit(slash == SIZE_MAX ? unit : str_slice(unit, 0, slash));
    Str per_unit = slash == SIZE_MAX ? STR_NULL : usable_unit(str_skip(unit, slash + 1));
    return (UnitWords){
        unit_word(main_unit, units, ARRAY_LEN(units)), unit_word(per_unit, per_units, ARRAY_LEN(per_units))};
}

/* Foreign characters become '_', runs of these one, and none is in front. */
static void clean_unit(Buf *out, Str unit) {
    for (size_t i = 0; i < unit.n; i++) {
        bool keep = is_alnum(unit.p[i]) || unit.p[i] == ':';
        if (keep || (out->n > 0 && out->p[out->n - 1] != '_')) buf_put_char(out, keep ? unit.p[i] : '_');
    }
}

static void put_token(Buf *out, Str token) {
    if (out->n > 0) buf_put_char(out, '_');
    buf_put_str(out, token);
}

static void put_unit(Buf *out, Str unit) {
    UnitWords u = unit_words(unit);
    Buf main_unit = {0}, per_unit = {0};
    clean_unit(&main_unit, u.main_unit);
    if (u.per_unit.n) {
        clean_unit(&per_unit, u.per_unit);
        while (per_unit.n > 0 && per_unit.p[per_unit.n - 1] == '_') per_unit.n--;
        while (per_unit.n > 0 && main_unit.n > 0 && main_unit.p[main_unit.n - 1] == '_') main_unit.n--;
    }
    if (main_unit.n > 0 && !has_word(buf_str(out), buf_str(&main_unit))) put_token(out, buf_str(&main_unit));
    if (per_unit.n > 0) {
        put_token(out, STR("per"));
        put_token(out, buf_str(&per_unit));
    }
    buf_done(&main_unit);
    buf_done(&per_unit);
}

/* --- names as they came --- */

/* "a.total" -> "a": the suffix and the character before it, unless that is all there is. */
static Str without_suffix(Str name, Str suffix) {
    return str_ends_with(name, suffix) && name.n > suffix.n + 1 ? str_slice(name, 0, name.n - suffix.n - 1) : name;
}

static Str utf8_name(Arena *arena, const OtlpNaming *n, Str name, Str unit, OtlpNameKind kind) {
    if (n->no_suffixes) return arena_copy(arena, name);
    UnitWords u = unit_words(unit);
    Buf out = {0}, per = {0};
    bool ratio = kind == OTLP_NAME_GAUGE && str_eq_lit(unit, "1");
    if (ratio) name = without_suffix(name, STR("ratio"));
    if (kind == OTLP_NAME_COUNTER) name = without_suffix(name, STR("total"));
    if (u.per_unit.n) buf_printf(&per, "per_%" STR_FMT, STR_ARG(u.per_unit));
    if (per.n) name = without_suffix(name, buf_str(&per));
    buf_put_str(&out, name);
    if (u.main_unit.n && !str_ends_with(name, u.main_unit)) buf_printf(&out, "_%" STR_FMT, STR_ARG(u.main_unit));
    if (per.n) buf_printf(&out, "_%" STR_FMT, STR_ARG(buf_str(&per)));
    if (kind == OTLP_NAME_COUNTER) buf_put_lit(&out, "_total");
    if (ratio) buf_put_lit(&out, "_ratio");
    Str ret = arena_copy(arena, buf_str(&out));
    buf_done(&out);
    buf_done(&per);
    return ret;
}

/* --- names with underscores --- */

/* What is foreign parts words; underscores are part of them. */
static void put_kept_words(Buf *out, Str s) {
    bool gap = false;
    for (size_t i = 0; i < s.n; i++) {
        bool keep = is_alnum(s.p[i]) || s.p[i] == ':' || s.p[i] == '_';
        if (keep && gap && out->n > 0) buf_put_char(out, '_');
        if (keep) buf_put_char(out, s.p[i]);
        gap = !keep;
    }
}

static void put_suffixed_words(Buf *out, Str name, Str unit, OtlpNameKind kind) {
    put_words(out, name, true);
    put_unit(out, unit);
    if (kind == OTLP_NAME_COUNTER) {
        remove_word(out, STR("total"));
        put_token(out, STR("total"));
    }
    if (kind == OTLP_NAME_GAUGE && str_eq_lit(unit, "1")) {
        remove_word(out, STR("ratio"));
        put_token(out, STR("ratio"));
    }
}

Str otlp_metric_name(Arena *arena, const OtlpNaming *n, Str name, Str unit, OtlpNameKind kind) {
    if (n->utf8) return utf8_name(arena, n, name, unit, kind);
    Buf out = {0};
    if (n->no_suffixes)
        put_kept_words(&out, name);
    else
        put_suffixed_words(&out, name, unit, kind);
    bool digit = out.n > 0 && out.p[0] >= '0' && out.p[0] <= '9';
    Str ret = digit ? arena_printf(arena, "_%" STR_FMT, STR_ARG(buf_str(&out))) : arena_copy(arena, buf_str(&out));
    buf_done(&out);
    return ret;
}

/* --- labels --- */

/* Whether byte c goes on with the character before it. */
static bool is_continuation(char c) { return ((uint8_t)c & 0xc0) == 0x80; }

static size_t collapse(char *out, Str name) {
    size_t n = 0;
    for (size_t i = 0; i < name.n; i++) {
        bool keep = is_alnum(name.p[i]);
        if (keep || n == 0 || out[n - 1] != '_') out[n++] = keep ? name.p[i] : '_';
    }
    return n;
}

static size_t replace(char *out, Str name) {
    size_t n = 0;
    for (size_t i = 0; i < name.n; i++)
        if (!is_continuation(name.p[i])) out[n++] = is_alnum(name.p[i]) ? name.p[i] : '_';
    return n;
}

Str otlp_label_name(Arena *arena, const OtlpNaming *naming, Str name) {
    if (LIKELY(label_name_is_legacy(name) && !str_contains(name, STR("__")) && name.p[0] != '_')) return name;
    if (naming->utf8) return name;
    bool reserved =
        !naming->keep_underscores && name.n > 4 && str_starts_with(name, STR("__")) && str_ends_with(name, STR("__"));
    char *out = ARENA_ARRAY(arena, char, name.n + 6);
    if (!out) return STR_NULL;
    size_t from = 4; /* room for key_ in front */
    size_t n = from + (naming->keep_underscores ? replace(out + from, name) : collapse(out + from, name));
    if (reserved) {
        out[--from] = '_';
        out[n++] = '_';
    } else if (n > from && out[from] >= '0' && out[from] <= '9') {
        from -= 4;
        memcpy(out + from, "key_", 4);
    } else if (!naming->no_key_prefix && n > from && out[from] == '_' && !(n > from + 1 && out[from + 1] == '_')) {
        from -= 3;
        memcpy(out + from, "key", 3);
    }
    return str_of(out + from, n - from);
}

Str otlp_label_name_cached(OtlpNameCache *cache, Arena *arena, Str name) {
    size_t slot = otlp_key_mix(name) >> 58;
    _Static_assert(OTLP_NAME_SLOTS == 64, "six bits choose the slot");
    if (LIKELY(cache->to[slot].p && str_eq(cache->from[slot], name))) return cache->to[slot];
    Str to = otlp_label_name(arena, &cache->naming, name);
    cache->from[slot] = name;
    cache->to[slot] = to;
    return to;
}
