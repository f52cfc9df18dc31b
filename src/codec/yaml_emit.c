/* yaml_emit.c - libyaml's emitter, told what Go's yaml.v2 would tell its own, which is a translation of it. */
#include "codec/yaml_emit.h"

#include "base/base.h"
#include "base/num.h"

#include <yaml.h>

struct YamlEmitter {
    yaml_emitter_t yaml;
    Buf *out;
};

static int put(void *ctx, unsigned char *p, size_t n) {
    buf_put(((YamlEmitter *)ctx)->out, (const char *)p, n);
    return 1;
}

/* What the emitter refuses (broken UTF-8) is left out; it takes no further event then. */
static void emit(YamlEmitter *e, yaml_event_t *event) { (void)yaml_emitter_emit(&e->yaml, event); }

YamlEmitter *yaml_emitter_create(Buf *out) {
    YamlEmitter *e = NEW(YamlEmitter);
    e->out = out;
    yaml_event_t event;
    ASSERT(yaml_emitter_initialize(&e->yaml));
    yaml_emitter_set_unicode(&e->yaml, 1);
    yaml_emitter_set_output(&e->yaml, put, e);
    yaml_stream_start_event_initialize(&event, YAML_UTF8_ENCODING);
    emit(e, &event);
    yaml_document_start_event_initialize(&event, NULL, NULL, NULL, 1);
    emit(e, &event);
    return e;
}

YamlEmitter *yaml_emitter_free(YamlEmitter *e) {
    if (!e) return NULL;
    yaml_event_t event;
    yaml_document_end_event_initialize(&event, 1);
    emit(e, &event);
    yaml_stream_end_event_initialize(&event);
    emit(e, &event);
    yaml_emitter_flush(&e->yaml);
    yaml_emitter_delete(&e->yaml);
    mem_free(e);
    return NULL;
}

void yaml_emit_begin_mapping(YamlEmitter *e) {
    yaml_event_t event;
    yaml_mapping_start_event_initialize(&event, NULL, NULL, 1, YAML_BLOCK_MAPPING_STYLE);
    emit(e, &event);
}

void yaml_emit_end_mapping(YamlEmitter *e) {
    yaml_event_t event;
    yaml_mapping_end_event_initialize(&event);
    emit(e, &event);
}

void yaml_emit_begin_sequence(YamlEmitter *e, bool flow) {
    yaml_event_t event;
    yaml_sequence_start_event_initialize(
        &event, NULL, NULL, 1, flow ? YAML_FLOW_SEQUENCE_STYLE : YAML_BLOCK_SEQUENCE_STYLE);
    emit(e, &event);
}

void yaml_emit_end_sequence(YamlEmitter *e) {
    yaml_event_t event;
    yaml_sequence_end_event_initialize(&event);
    emit(e, &event);
}

static void put_scalar(YamlEmitter *e, Str s, yaml_scalar_style_t style) {
    yaml_event_t event;
    static const char empty[] = "";
    const char *p = s.n ? s.p : empty;
    if (yaml_scalar_event_initialize(&event, NULL, NULL, (yaml_char_t *)(uintptr_t)p, (int)s.n, 1, 1, style))
        emit(e, &event);
    else if (s.n)
        put_scalar(e, STR("?"), style); /* broken UTF-8, which no reader lets in */
}

void yaml_emit_text(YamlEmitter *e, Str s) {
    bool lines = str_find_char(s, '\n') != SIZE_MAX;
    put_scalar(e, s,
        lines                   ? YAML_LITERAL_SCALAR_STYLE
        : yaml_reads_as_text(s) ? YAML_PLAIN_SCALAR_STYLE
                                : YAML_DOUBLE_QUOTED_SCALAR_STYLE);
}

void yaml_emit_plain(YamlEmitter *e, Str s) { put_scalar(e, s, YAML_PLAIN_SCALAR_STYLE); }

/* --- what is no string --- */

static bool is_word(Str s) {
    static const char *const words[] = {"", "~", "null", "Null", "NULL", "y", "Y", "yes", "Yes", "YES", "true", "True",
        "TRUE", "on", "On", "ON", "n", "N", "no", "No", "NO", "false", "False", "FALSE", "off", "Off", "OFF", ".nan",
        ".NaN", ".NAN", ".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF", "-.inf", "-.Inf", "-.INF", "<<"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        if (str_eq(s, str_cstr(words[i]))) return true;
    }
    return false;
}

static size_t digits(Str s, size_t at) {
    size_t n = 0;
    while (at + n < s.n && s.p[at + n] >= '0' && s.p[at + n] <= '9') n++;
    return n;
}

/* strconv.ParseInt(s, 0, 64) or ParseUint, underscores taken out before. */
static bool is_integer(Str s) {
    char b[80];
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '_') continue;
        if (n == sizeof b - 1) return false;
        b[n++] = s.p[i];
    }
    b[n] = 0;
    const char *p = b;
    bool negative = *p == '-';
    if (*p == '+' || *p == '-') p++;
    unsigned base = 10;
    if (p[0] == '0' && p[1]) {
        char kind = p[1] | 0x20;
        base = kind == 'x' ? 16 : kind == 'b' ? 2 : 8;
        p += kind == 'x' || kind == 'b' || kind == 'o' ? 2 : 1;
    }
    if (!*p) return false;
    uint64_t v = 0;
    for (; *p; p++) {
        unsigned d = *p >= '0' && *p <= '9'                     ? (unsigned)(*p - '0')
                     : (*p | 0x20) >= 'a' && (*p | 0x20) <= 'f' ? (unsigned)((*p | 0x20) - 'a' + 10)
                                                                : 99;
        if (d >= base || v > (UINT64_MAX - d) / base) return false;
        v = v * base + d;
    }
    return !negative || v <= (UINT64_C(1) << 63);
}

/* ^[-+]?[0-9]*\.?[0-9]+([eE][-+][0-9]+)?$ */
static bool is_float(Str s) {
    size_t i = s.n && (s.p[0] == '-' || s.p[0] == '+');
    size_t whole = digits(s, i);
    i += whole;
    if (i < s.n && s.p[i] == '.') {
        size_t n = digits(s, ++i);
        if (!n) return false;
        i += n;
    } else if (!whole) {
        return false;
    }
    if (i == s.n) return true;
    if ((s.p[i] | 0x20) != 'e' || i + 1 >= s.n || (s.p[i + 1] != '-' && s.p[i + 1] != '+')) return false;
    size_t n = digits(s, i + 2);
    return n && i + 2 + n == s.n;
}

/* 1:30, 190:20:30.15: YAML 1.1's numbers to the base of 60. */
static bool is_base60(Str s) {
    size_t i = s.n && (s.p[0] == '-' || s.p[0] == '+');
    if (!digits(s, i)) return false;
    while (i < s.n && ((s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == '_')) i++;
    size_t parts = 0;
    while (i < s.n && s.p[i] == ':') {
        size_t n = digits(s, i + 1);
        if (n < 1 || n > 2 || (n == 2 && s.p[i + 1] > '5')) return false;
        i += 1 + n;
        parts++;
    }
    if (i < s.n && s.p[i] == '.') {
        i++;
        while (i < s.n && ((s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == '_')) i++;
    }
    return parts && i == s.n;
}

/* 2026-1-2, with a time after it or without. */
static bool is_timestamp(Str s) {
    if (digits(s, 0) != 4 || s.n < 8 || s.p[4] != '-') return false;
    size_t month = digits(s, 5), i = 5 + month;
    if (month < 1 || month > 2 || i >= s.n || s.p[i] != '-') return false;
    size_t day = digits(s, i + 1);
    i += 1 + day;
    if (day < 1 || day > 2) return false;
    if (i == s.n) return true;
    bool zone = s.p[i] == 'T' || s.p[i] == 't';
    if (!zone && s.p[i] != ' ') return false;
    for (int part = 0; part < 3; part++) {
        size_t n = digits(s, i + 1);
        if (n < 1 || n > 2) return false;
        i += 1 + n;
        if (part < 2 && (i >= s.n || s.p[i] != ':')) return false;
    }
    if (i < s.n && s.p[i] == '.') i += 1 + digits(s, i + 1);
    if (!zone) return i == s.n;
    if (i + 1 == s.n && s.p[i] == 'Z') return true;
    return i + 6 == s.n && (s.p[i] == '+' || s.p[i] == '-') && digits(s, i + 1) == 2 && s.p[i + 3] == ':' &&
           digits(s, i + 4) == 2;
}

bool yaml_reads_as_text(Str s) {
    if (is_word(s)) return false;
    char c = s.p[0];
    if (c == '.') {
        double ignored;
        return !num_parse_f64(s, &ignored);
    }
    if (c != '+' && c != '-' && (c < '0' || c > '9')) return true;
    return !is_integer(s) && !is_float(s) && !is_base60(s) && !is_timestamp(s);
}

/* --- keys --- */

static bool is_letter(uint8_t c) { return (c | 0x20) >= 'a' && (c | 0x20) <= 'z'; }

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static bool key_less(Str a, Str b) {
    for (size_t i = 0; i < a.n && i < b.n; i++) {
        if (a.p[i] == b.p[i]) continue;
        bool al = is_letter((uint8_t)a.p[i]) || (uint8_t)a.p[i] >= 0x80,
             bl = is_letter((uint8_t)b.p[i]) || (uint8_t)b.p[i] >= 0x80;
        if (al && bl) return (uint8_t)a.p[i] < (uint8_t)b.p[i];
        if (al || bl) return bl;
        size_t ai = i, bi = i;
        int64_t an = 0, bn = 0;
        if (a.p[i] == '0' || b.p[i] == '0') {
            for (size_t j = i; j > 0 && is_digit(a.p[j - 1]); j--) {
                if (a.p[j - 1] == '0') continue;
                an = bn = 1;
                break;
            }
        }
        for (; ai < a.n && is_digit(a.p[ai]) && an < INT64_MAX / 100; ai++) an = an * 10 + (a.p[ai] - '0');
        for (; bi < b.n && is_digit(b.p[bi]) && bn < INT64_MAX / 100; bi++) bn = bn * 10 + (b.p[bi] - '0');
        if (an != bn) return an < bn;
        if (ai != bi) return ai < bi;
        return (uint8_t)a.p[i] < (uint8_t)b.p[i];
    }
    return a.n < b.n;
}

int yaml_key_cmp(Str a, Str b) { return key_less(a, b) ? -1 : key_less(b, a) ? 1 : 0; }
