#include "logs/log_level.h"

#include "base/json.h"

#define JSON_LINE_MAX 65536 /* longer lines are judged by their words */
#define WORDS_BYTES_MAX 4096

Str log_level_normalize(Str s) {
    static const struct {
        const char *name, *level;
    } names[] = {{"trace", "trace"}, {"trc", "trace"}, {"debug", "debug"}, {"dbg", "debug"}, {"info", "info"},
        {"inf", "info"}, {"information", "info"}, {"informational", "info"}, {"notice", "info"}, {"warn", "warn"},
        {"warning", "warn"}, {"wrn", "warn"}, {"error", "error"}, {"err", "error"}, {"eror", "error"},
        {"critical", "critical"}, {"crit", "critical"}, {"fatal", "fatal"}, {"panic", "fatal"}};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (str_eq_nocase(s, str_cstr(names[i].name))) return str_cstr(names[i].level);
    return STR_NULL;
}

static bool is_level_key(Str s) {
    static const char *const keys[] = {"level", "LEVEL", "Level", "log.level", "severity", "SEVERITY", "Severity",
        "SeverityText", "lvl", "LVL", "Lvl", "severity_text", "Severity_Text", "SEVERITY_TEXT"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (str_eq(s, str_cstr(keys[i]))) return true;
    return false;
}

static Str from_severity_number(int64_t n) {
    static const char *const by_range[] = {"trace", "debug", "info", "warn", "error", "fatal"};
    return n >= 1 && n <= 24 ? str_cstr(by_range[(n - 1) / 4]) : STR_NULL;
}

static Str from_metadata(const Attr *md, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (str_eq_lit(md[i].key, "severity_number") && md[i].value.type == ATTR_I64) {
            Str level = from_severity_number(md[i].value.i);
            if (level.p) return level;
        }
        if (md[i].value.type == ATTR_STR && is_level_key(md[i].key)) {
            Str level = log_level_normalize(md[i].value.s);
            return level.p ? level : STR("unknown");
        }
    }
    return STR_NULL;
}

static Str from_stream(Labels l) {
    for (size_t i = 0; i < l.n; i++)
        if (is_level_key(l.v[i].name)) {
            Str level = log_level_normalize(l.v[i].value);
            return level.p ? level : STR("unknown");
        }
    return STR_NULL;
}

/* A level field of the object or of an object directly in it. */
static Str from_json(Str line) {
    Arena *arena = arena_create(4 * JSON_LINE_MAX);
    JsonReader r;
    json_reader_init(&r, line, arena, 32);
    Str level = STR_NULL;
    unsigned depth = 0;
    bool is_level = false;
    for (JsonToken t; !level.p && (t = json_next(&r)) != JSON_END && t != JSON_ERROR;) {
        if (t == JSON_OBJECT_BEGIN) depth++;
        if (t == JSON_OBJECT_BEGIN && depth > 2) {
            json_skip_open(&r);
            depth--;
        }
        if (t == JSON_ARRAY_BEGIN) json_skip_open(&r);
        if (t == JSON_OBJECT_END && --depth == 0) break;
        if (t == JSON_STRING && is_level) level = log_level_normalize(r.text);
        is_level = t == JSON_KEY && is_level_key(r.text);
    }
    arena_free(arena);
    return level;
}

static bool is_word_char(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

/* level=warn anywhere, else the first word that is a level. */
static Str from_words(Str line) {
    Str first = STR_NULL;
    if (line.n > WORDS_BYTES_MAX) line.n = WORDS_BYTES_MAX;
    for (size_t i = 0, end; i < line.n; i = end + 1) {
        for (end = i; end < line.n && is_word_char(line.p[end]);) end++;
        if (end == i) continue;
        Str word = str_slice(line, i, end);
        if (end < line.n && line.p[end] == '=' && is_level_key(word)) {
            size_t from = end + 1 + (end + 1 < line.n && line.p[end + 1] == '"'), to = from;
            while (to < line.n && is_word_char(line.p[to])) to++;
            Str level = from <= line.n ? log_level_normalize(str_slice(line, from, to)) : STR_NULL;
            if (level.p) return level;
        }
        if (!first.p && word.n >= 3 && word.n <= 13) first = log_level_normalize(word);
    }
    return first;
}

Str log_level_detect(Labels stream, const Attr *metadata, size_t n, Str line) {
    Str level = from_metadata(metadata, n);
    if (!level.p) level = from_stream(stream);
    if (level.p) return level;
    Str trimmed = str_trim(line);
    if (trimmed.n > 1 && trimmed.n <= JSON_LINE_MAX && trimmed.p[0] == '{') level = from_json(trimmed);
    if (!level.p) level = from_words(line);
    return level.p ? level : STR("unknown");
}
