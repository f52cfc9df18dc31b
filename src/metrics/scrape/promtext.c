#include "base/num.h"
#include "metrics/scrape/promtext_int.h"

#include <math.h>

typedef struct Parser {
    const char *begin, *p, *end, *line_begin;
    int line;
    bool om, strict;
    MetricType type;
    const PromTextVisitor *visitor;
    PromTextStrict *rules;
    Arena *arena;
    Err *reterr;
    VEC(PromTextLabel) labels;
} Parser;

static ErrCode fail(Parser *x, const char *expected) {
    int col = (int)(x->p - x->line_begin) + 1;
    const char *to = x->p;
    while (to < x->end && *to != '\n' && to - x->p < 24) to++;
    if (x->p >= x->end)
        return err_set_at(x->reterr, ERR_INVALID, x->line, col, "expected %s, got end of input", expected);
    if (*x->p == '\n')
        return err_set_at(x->reterr, ERR_INVALID, x->line, col, "expected %s, got end of line", expected);
    return err_set_at(
        x->reterr, ERR_INVALID, x->line, col, "expected %s, got \"%.*s\"", expected, (int)(to - x->p), x->p);
}

static ErrCode exhausted(Parser *x) {
    return err_set(x->reterr, ERR_TOO_LARGE, "the memory budget for parsing is used up");
}

static bool at(const Parser *x, char c) { return x->p < x->end && *x->p == c; }

static void skip_blanks(Parser *x) {
    while (x->p < x->end && (*x->p == ' ' || *x->p == '\t')) x->p++;
}

/* Between tokens: any blanks in the old format, exactly one space in OpenMetrics. */
static bool gap(Parser *x) {
    if (x->om) {
        if (!at(x, ' ')) return false;
        x->p++;
        return true;
    }
    const char *from = x->p;
    skip_blanks(x);
    return x->p > from;
}

static bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
static bool is_digit(char c) { return c >= '0' && c <= '9'; }

static Str scan_name(Parser *x, bool colons) {
    const char *from = x->p;
    if (x->p < x->end && (is_name_start(*x->p) || (colons && *x->p == ':'))) {
        do x->p++;
        while (x->p < x->end && (is_name_start(*x->p) || is_digit(*x->p) || (colons && *x->p == ':')));
    }
    return str_of(from, (size_t)(x->p - from));
}

/* "..." at the cursor; the text between the quotes. */
static bool scan_quoted(Parser *x, Str *ret, bool *ret_escaped) {
    const char *from = x->p + 1, *q = from;
    *ret_escaped = false;
    for (; q < x->end && *q != '"'; q++) {
        if (*q == '\n' && x->om) return false;
        if (*q != '\\') continue;
        *ret_escaped = true;
        if (++q == x->end) return false;
    }
    if (q >= x->end) return false;
    *ret = str_of(from, (size_t)(q - from));
    x->p = q + 1;
    return true;
}

/* --- labels --- */
static bool label_name_starts(const Parser *x) { return x->p < x->end && is_name_start(*x->p); }

static ErrCode parse_label(Parser *x, PromTextSample *s) {
    PromTextLabel l = {0};
    if (at(x, '"')) {
        if (!scan_quoted(x, &l.name, &l.name_escaped)) return fail(x, "closing quote");
        if (!x->om) skip_blanks(x);
        if (!at(x, '=')) { /* {"metric.name", ...} */
            if (!s || s->name.p) return fail(x, "\"=\"");
            s->name = l.name;
            s->name_escaped = l.name_escaped;
            return OK;
        }
    } else {
        l.name = scan_name(x, false);
        if (l.name.n == 0) return fail(x, "label name or \"}\"");
        if (!x->om) skip_blanks(x);
        if (!at(x, '=')) return fail(x, "\"=\"");
    }
    x->p++;
    if (!x->om) skip_blanks(x);
    if (!at(x, '"')) return fail(x, "label value in quotes");
    if (!scan_quoted(x, &l.value, &l.value_escaped)) return fail(x, "closing quote");
    if (x->labels.n == PROMTEXT_LABELS_MAX) return fail(x, "fewer labels");
    vec_push(&x->labels, l);
    return OK;
}

/* After "{". s NULL: an exemplar's labels. */
static ErrCode parse_labels(Parser *x, PromTextSample *s) {
    vec_clear(&x->labels);
    if (!x->om) skip_blanks(x);
    while (!at(x, '}')) {
        size_t before = x->labels.n;
        ErrCode code = parse_label(x, s);
        if (code != OK) return code;
        bool bare = x->labels.n == before; /* it was the metric's name */
        if (!x->om) skip_blanks(x);
        if (at(x, '}')) break;
        if (at(x, ','))
            x->p++;
        else if (x->om || bare ||
                 !(at(x, '"') || label_name_starts(x))) /* Prometheus does without commas in the old format */
            return fail(x, "\",\" or \"}\"");
        if (!x->om) skip_blanks(x);
        if (at(x, '}') && x->strict) return fail(x, "label name");
    }
    x->p++;
    return OK;
}

static ErrCode check_label_bytes(Parser *x) {
    vec_foreach(PromTextLabel, l, &x->labels) {
        bool ascii = true;
        for (size_t i = 0; i < l->value.n && ascii; i++) ascii = (signed char)l->value.p[i] >= 0;
        if (!ascii && !str_is_utf8(l->value))
            return err_set_at(
                x->reterr, ERR_INVALID, x->line, 1, "invalid UTF-8 label value: \"%" STR_FMT "\"", STR_ARG(l->value));
    }
    return OK;
}

/* --- numbers --- */
static bool parse_float(Str s, double *ret) {
    /* Whole numbers are most of what is exposed. */
    if (s.n > 0 && s.n <= 15 && is_digit(s.p[0])) {
        uint64_t v = 0;
        size_t i = 0;
        while (i < s.n && is_digit(s.p[i])) v = v * 10 + (uint64_t)(s.p[i++] - '0');
        if (i == s.n) {
            *ret = (double)v;
            return true;
        }
    }
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == 'p' || s.p[i] == 'P' || s.p[i] == '_' || s.p[i] == 'x' || s.p[i] == 'X') return false;
    }
    /* What no double can hold is no number; infinities are spelled out. */
    return num_parse_f64(s, ret) && (isfinite(*ret) || !memchr("0123456789.", s.p[s.n - 1], 11));
}

static Str scan_word(Parser *x) {
    const char *from = x->p;
    while (x->p < x->end && *x->p != ' ' && *x->p != '\t' && *x->p != '\n') x->p++;
    Str word = str_of(from, (size_t)(x->p - from));
    if (!x->om && word.n && word.p[word.n - 1] == '\r') word.n--; /* CRLF: the sender's platform, not its meaning */
    return word;
}

static bool seconds_to_ms(double s, int64_t *ret) {
    if (!isfinite(s)) return false;
    double ms = s * 1000;
    *ret = ms >= 0x1p63 ? INT64_MAX : ms < -0x1p63 ? INT64_MIN : (int64_t)ms;
    return true;
}

static ErrCode parse_value(Parser *x, double *ret) {
    const char *from = x->p;
    Str word = scan_word(x);
    if (word.n && parse_float(word, ret)) {
        if (isnan(*ret)) { /* "NaN" means the ordinary one; a stale marker cannot be written */
            uint64_t bits = NORMAL_NAN_BITS;
            memcpy(ret, &bits, 8);
        }
        return OK;
    }
    x->p = from;
    return fail(x, "value");
}

static ErrCode parse_time(Parser *x, int64_t *ret_ms, double *ret_s) {
    const char *from = x->p;
    Str word = scan_word(x);
    bool ok = word.n > 0;
    if (x->om)
        ok = ok && parse_float(word, ret_s) && seconds_to_ms(*ret_s, ret_ms);
    else
        ok = ok && is_digit(word.p[0]) && num_parse_i64(word, ret_ms); /* no sign, as in Prometheus */
    if (ok) return OK;
    x->p = from;
    return fail(x, "timestamp");
}

/* --- exemplar: # {labels} value [timestamp] --- */
/* *ret_usable: whether they are labels. Else the exemplar is left out, as the sample is good without it. */
static ErrCode exemplar_labels(Parser *x, Exemplar *e, bool *ret_usable) {
    Label *v = ARENA_ARRAY(x->arena, Label, x->labels.n);
    size_t n = x->labels.n, runes = 0;
    if (!v) return exhausted(x);
    for (size_t i = 0; i < n; i++) {
        const PromTextLabel *l = &x->labels.v[i];
        v[i].name = l->name_escaped ? promtext_unescape(l->name, x->arena) : l->name;
        v[i].value = l->value_escaped ? promtext_unescape(l->value, x->arena) : l->value;
        if (!v[i].name.p || !v[i].value.p) return exhausted(x);
        if (x->strict) runes += str_rune_count(v[i].name) + str_rune_count(v[i].value);
    }
    if (runes > EXEMPLAR_LENGTH_MAX) return fail(x, "at most 128 characters of exemplar labels before this");
    ErrCode code = labels_normalize(v, &n, x->strict ? x->reterr : NULL);
    if (x->strict && code != OK) {
        if (x->reterr) x->reterr->line = x->line;
        return code;
    }
    e->labels = (Labels){v, n};
    *ret_usable = code == OK;
    return OK;
}

static ErrCode parse_exemplar(Parser *x, PromTextSample *s) {
    /* The caller's labels are still in x->labels: keep them aside. */
    bool usable = false;
    size_t n = x->labels.n;
    PromTextLabel *keep = ARENA_ARRAY(x->arena, PromTextLabel, n);
    if (!keep) return exhausted(x);
    if (n) memcpy(keep, x->labels.v, n * sizeof *keep);
    s->labels = keep;
    x->p += 2; /* " #" was seen */
    if (!at(x, ' ') || x->p + 1 >= x->end || x->p[1] != '{') return fail(x, "\" {\"");
    x->p += 2;
    ErrCode code = parse_labels(x, NULL);
    if (code == OK) code = check_label_bytes(x);
    if (code == OK) code = exemplar_labels(x, &s->exemplar, &usable);
    if (code == OK && !gap(x)) code = fail(x, "space and exemplar value");
    if (code == OK) code = parse_value(x, &s->exemplar.value);
    if (code != OK) return code;
    s->has_exemplar = usable;
    if (!at(x, ' ')) return OK;
    x->p++;
    double t_s;
    code = parse_time(x, &s->exemplar.t_ms, &t_s);
    s->has_exemplar_t = code == OK;
    return code;
}

/* --- lines --- */
static ErrCode end_of_line(Parser *x) {
    if (!x->om) {
        skip_blanks(x);
        if (at(x, '\r')) x->p++;
    }
    if (x->p < x->end && *x->p != '\n') return fail(x, "end of line");
    if (x->p < x->end) x->p++;
    x->line++;
    x->line_begin = x->p;
    return OK;
}

static ErrCode visit(Parser *x, const PromTextSample *s) {
    ErrCode code = x->rules ? promtext_strict_sample(x->rules, s, x->reterr) : OK;
    if (code == OK && x->visitor->sample) code = x->visitor->sample(x->visitor->ctx, s, x->reterr);
    return code;
}

static ErrCode parse_series(Parser *x, PromTextSample *s) {
    const char *from = x->p;
    vec_clear(&x->labels);
    s->name = scan_name(x, true);
    if (s->name.n == 0) s->name = STR_NULL;
    const char *name_end = x->p;
    if (!x->om) skip_blanks(x);
    if (at(x, '{')) {
        x->p++;
        ErrCode code = parse_labels(x, s);
        if (code == OK) code = check_label_bytes(x);
        if (code != OK) return code;
        name_end = x->p;
    } else if (!s->name.p) {
        return fail(x, "metric name");
    } else {
        x->p = name_end;
    }
    if (s->name.n == 0) return fail(x, "a metric name before this");
    s->raw = str_of(from, (size_t)(name_end - from));
    return OK;
}

/* The text from the name to the closing brace, guessed without looking at what is between: when somebody knows it as a
 * whole series, the guess was right. Exemplars have braces of their own. */
static bool parse_known(Parser *x, PromTextSample *s) {
    size_t n = (size_t)(x->end - x->p);
    const char *end = memchr(x->p, '\n', n);
    if (!end) end = x->end;
    if (x->om) {
        const char *hash = memchr(x->p, '#', (size_t)(end - x->p));
        if (hash) end = hash;
    }
    const char *brace = memrchr(x->p, '}', (size_t)(end - x->p));
    if (brace) {
        s->raw = str_of(x->p, (size_t)(brace + 1 - x->p));
    } else {
        const char *blank = x->p;
        while (blank < end && *blank != ' ' && *blank != '\t') blank++;
        s->raw = str_of(x->p, (size_t)(blank - x->p));
    }
    if (!s->raw.n || !x->visitor->known(x->visitor->ctx, s->raw)) return false;
    s->known = true;
    x->p += s->raw.n;
    vec_clear(&x->labels);
    return true;
}

static ErrCode parse_sample(Parser *x) {
    PromTextSample s = {.type = x->type, .line = x->line};
    ErrCode code = x->visitor->known && !x->strict && parse_known(x, &s) ? OK : parse_series(x, &s);
    if (code != OK) return code;
    bool spaced = gap(x);
    if (!spaced && (x->om || s.raw.p[s.raw.n - 1] != '}')) return fail(x, "space and value");
    code = parse_value(x, &s.value);
    if (code != OK) return code;
    s.labels = x->labels.v;
    s.n_labels = x->labels.n;
    bool more = x->om ? at(x, ' ') : (skip_blanks(x), x->p < x->end && *x->p != '\n' && *x->p != '\r');
    if (more && !(x->om && x->end - x->p >= 2 && x->p[1] == '#')) {
        if (x->om) x->p++;
        code = parse_time(x, &s.t_ms, &s.t_s);
        s.has_t = code == OK;
    }
    if (code == OK && x->om && x->end - x->p >= 2 && x->p[0] == ' ' && x->p[1] == '#') code = parse_exemplar(x, &s);
    if (code == OK && x->p < x->end && *x->p != '\n') {
        skip_blanks(x);
        if (x->om || !(x->p >= x->end || *x->p == '\n' || *x->p == '\r')) return fail(x, "end of line");
    }
    if (code == OK) code = visit(x, &s);
    return code == OK ? end_of_line(x) : code;
}

static Str rest_of_line(Parser *x) {
    const char *from = x->p, *nl = memchr(x->p, '\n', (size_t)(x->end - x->p));
    x->p = nl ? nl : x->end;
    return str_of(from, (size_t)(x->p - from));
}

static bool unit_fits(Str metric, Str unit) {
    return unit.n == 0 || (metric.n > unit.n && str_ends_with(metric, unit) && metric.p[metric.n - unit.n - 1] == '_');
}

static ErrCode visit_meta(Parser *x, PromTextMeta *m) {
    if (m->kind == PROMTEXT_TYPE) {
        bool known;
        m->type = promtext_type(m->text, &known);
        bool old_word = str_eq_lit(m->text, "untyped");
        if (!known || (x->om && old_word))
            return err_set_at(
                x->reterr, ERR_INVALID, x->line, 1, "invalid metric type \"%" STR_FMT "\"", STR_ARG(m->text));
        x->type = m->type;
    }
    if (m->kind == PROMTEXT_UNIT && !unit_fits(m->metric, m->text))
        return err_set_at(x->reterr, ERR_INVALID, x->line, 1,
            "unit \"%" STR_FMT "\" not a suffix of metric \"%" STR_FMT "\"", STR_ARG(m->text), STR_ARG(m->metric));
    if (m->kind == PROMTEXT_HELP && memchr(m->text.p ? m->text.p : "", '\\', m->text.n)) {
        m->text = promtext_unescape_help(m->text, x->om, x->arena);
        if (!m->text.p) return exhausted(x);
    }
    if (m->kind == PROMTEXT_HELP && !str_is_utf8(m->text))
        return err_set_at(x->reterr, ERR_INVALID, x->line, 1, "help text is not valid UTF-8");
    ErrCode code = x->rules ? promtext_strict_meta(x->rules, m, x->reterr) : OK;
    if (code == OK && x->visitor->meta) code = x->visitor->meta(x->visitor->ctx, m, x->reterr);
    return code;
}

static bool scan_meta_name(Parser *x, Str *ret) {
    bool escaped = false;
    if (at(x, '"')) {
        if (!scan_quoted(x, ret, &escaped)) return false;
        if (escaped) *ret = promtext_unescape(*ret, x->arena);
        return ret->p != NULL;
    }
    *ret = scan_name(x, true);
    return ret->n > 0;
}

/* "# HELP name text" and the like; any other comment is skipped (an error in OpenMetrics). */
static ErrCode parse_comment(Parser *x) {
    static const struct {
        Str word;
        PromTextMetaKind kind;
    } words[] = {
        {STR_INIT("HELP"), PROMTEXT_HELP}, {STR_INIT("TYPE"), PROMTEXT_TYPE}, {STR_INIT("UNIT"), PROMTEXT_UNIT}};
    x->p++;
    bool spaced = gap(x);
    for (size_t i = 0; i < ARRAY_LEN(words) && spaced; i++) {
        Str left = str_of(x->p, (size_t)(x->end - x->p));
        if (!str_starts_with(left, words[i].word) || (words[i].kind == PROMTEXT_UNIT && !x->om)) continue;
        x->p += words[i].word.n;
        if (!gap(x)) {
            if (x->om) return fail(x, "metric name");
            break; /* "# HELPFUL ...", "# TYPE" */
        }
        PromTextMeta m = {.kind = words[i].kind, .line = x->line};
        if (!scan_meta_name(x, &m.metric)) return fail(x, "metric name");
        bool text = gap(x);
        if (!text && x->om) return fail(x, "space and text");
        if (!text && x->p < x->end && *x->p != '\n') x->p++; /* Prometheus takes any character for the gap */
        m.text = rest_of_line(x);
        if (!x->om)
            m.text = m.kind == PROMTEXT_HELP && m.text.n && m.text.p[m.text.n - 1] == '\r'
                         ? str_slice(m.text, 0, m.text.n - 1)
                         : m.text;
        if (!x->om && m.kind == PROMTEXT_TYPE) m.text = str_trim(m.text);
        ErrCode code = visit_meta(x, &m);
        return code == OK ? end_of_line(x) : code;
    }
    if (x->om) return fail(x, "HELP, TYPE, UNIT or EOF");
    (void)rest_of_line(x);
    return end_of_line(x);
}

static bool take_eof(Parser *x) {
    static const Str mark = STR_INIT("# EOF");
    Str left = str_of(x->p, (size_t)(x->end - x->p));
    if (!str_starts_with(left, mark) || (left.n > mark.n && left.p[mark.n] != '\n')) return false;
    x->p += mark.n;
    return true;
}

static ErrCode parse_openmetrics(Parser *x) {
    while (x->p < x->end) {
        if (take_eof(x)) {
            if (x->end - x->p > 1) return x->p++, fail(x, "nothing after # EOF");
            return x->rules ? promtext_strict_end(x->rules, x->reterr) : OK;
        }
        ErrCode code = *x->p == '#' ? parse_comment(x) : parse_sample(x);
        if (code != OK) return code;
    }
    return err_set_at(x->reterr, ERR_INVALID, x->line, 1, "data does not end with # EOF");
}

static ErrCode parse_plain(Parser *x) {
    while (x->p < x->end) {
        skip_blanks(x);
        ErrCode code;
        if (at(x, 0)) return OK; /* a buffer sent with what was left of it; Prometheus stops there, too */
        if (x->p >= x->end || *x->p == '\n' || *x->p == '\r')
            code = end_of_line(x);
        else
            code = *x->p == '#' ? parse_comment(x) : parse_sample(x);
        if (code != OK) return code;
    }
    return OK;
}

ErrCode promtext_parse(
    Str text, const PromTextOptions *opts, const PromTextVisitor *visitor, Arena *arena, Err *reterr) {
    const char *p = text.n ? text.p : "";
    Parser x = {.begin = p, .p = p, .end = p + text.n, .line_begin = p, .line = 1, .visitor = visitor, .arena = arena};
    x.reterr = reterr;
    x.om = opts->format == PROMTEXT_OPENMETRICS;
    x.strict = x.om && opts->strict;
    if (x.strict) x.rules = promtext_strict_create(arena);
    ErrCode code = x.om ? parse_openmetrics(&x) : parse_plain(&x);
    promtext_strict_free(x.rules);
    vec_done(&x.labels);
    return code;
}
