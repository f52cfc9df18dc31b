#include "model/labels.h"

#include "base/hash.h"
#include "base/json.h"

#include <stdlib.h>

/* Fixed seed: the value may be stored (series ids in parts), so it must not vary per process. */
#define LABELS_HASH_SEED UINT64_C(0x6d65657264617431)

Str labels_get(Labels l, Str name) {
    for (size_t i = 0; i < l.n; i++) {
        if (str_eq(l.v[i].name, name)) return l.v[i].value;
    }
    return STR_NULL;
}

bool labels_eq(Labels a, Labels b) {
    if (a.n != b.n) return false;
    for (size_t i = 0; i < a.n; i++) {
        if (!str_eq(a.v[i].name, b.v[i].name) || !str_eq(a.v[i].value, b.v[i].value)) return false;
    }
    return true;
}

/* Interned strings that are equal often are the same. */
static inline int cmp_interned(Str a, Str b) { return a.p == b.p && a.n == b.n ? 0 : str_cmp(a, b); }

int labels_cmp(Labels a, Labels b) {
    size_t n = MIN(a.n, b.n);
    for (size_t i = 0; i < n; i++) {
        int c = cmp_interned(a.v[i].name, b.v[i].name);
        if (c == 0) c = cmp_interned(a.v[i].value, b.v[i].value);
        if (c != 0) return c;
    }
    return a.n < b.n ? -1 : a.n > b.n;
}

static uint64_t hash_label(uint64_t h, const Label *l) {
    /* Lengths go in through the chained seed, so ("ab","c") and ("a","bc") differ. */
    h = hash_xx64(l->name, h + l->name.n);
    return hash_xx64(l->value, h + l->value.n);
}

uint64_t labels_hash(Labels l) {
    uint64_t h = LABELS_HASH_SEED;
    for (size_t i = 0; i < l.n; i++) h = hash_label(h, &l.v[i]);
    return h;
}

static bool name_in(Str name, const Str *names, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (str_eq(names[i], name)) return true;
    }
    return false;
}

uint64_t labels_hash_for(Labels l, const Str *names, size_t n, bool on) {
    uint64_t h = LABELS_HASH_SEED;
    for (size_t i = 0; i < l.n; i++) {
        bool listed = name_in(l.v[i].name, names, n);
        bool is_metric = str_eq(l.v[i].name, LABEL_NAME_METRIC);
        if (on ? listed : (!listed && !is_metric)) h = hash_label(h, &l.v[i]);
    }
    return h;
}

#define INSERTION_MAX 64

static int compare_names(const void *a, const void *b) {
    return str_cmp(((const Label *)a)->name, ((const Label *)b)->name);
}

/* Insertion sort: label sets are short and nearly always sorted already. A stranger's may be neither. */
static void labels_sort(Label *v, size_t n) {
    if (n > INSERTION_MAX) {
        qsort(v, n, sizeof *v, compare_names);
        return;
    }
    for (size_t i = 1; i < n; i++) {
        Label x = v[i];
        size_t j = i;
        while (j > 0 && str_cmp(v[j - 1].name, x.name) > 0) {
            v[j] = v[j - 1];
            j--;
        }
        v[j] = x;
    }
}

ErrCode labels_normalize(Label *v, size_t *n, Err *reterr) {
    labels_sort(v, *n);
    for (size_t i = 1; i < *n; i++) {
        if (str_eq(v[i].name, v[i - 1].name)) {
            return err_set(reterr, ERR_INVALID, "label \"%" STR_FMT "\" appears twice", STR_ARG(v[i].name));
        }
    }
    size_t out = 0;
    for (size_t i = 0; i < *n; i++) {
        if (v[i].value.n > 0) v[out++] = v[i];
    }
    *n = out;
    return OK;
}

Labels labels_copy(Arena *arena, Labels l) {
    Label *v = ARENA_ARRAY(arena, Label, l.n);
    if (!v) return (Labels){NULL, l.n};
    for (size_t i = 0; i < l.n; i++) {
        v[i].name = arena_copy(arena, l.v[i].name);
        v[i].value = arena_copy(arena, l.v[i].value);
    }
    return arena_exhausted(arena) ? (Labels){NULL, l.n} : (Labels){v, l.n};
}

static void put_go_quoted(Buf *out, Str s) {
    buf_put_char(out, '"');
    for (size_t i = 0, run = 1; i < s.n; i += run, run = 1) {
        char c = s.p[i];
        if (c == '"' || c == '\\') {
            buf_put_char(out, '\\');
            buf_put_char(out, c);
        } else if (c == '\n') {
            buf_put_lit(out, "\\n");
        } else if (c == '\t') {
            buf_put_lit(out, "\\t");
        } else if (c == '\r') {
            buf_put_lit(out, "\\r");
        } else if ((unsigned char)c < 0x20 || c == 0x7f || !(run = str_utf8_step(str_skip(s, i)))) {
            buf_printf(out, "\\x%02x", (unsigned char)c);
            run = 1;
        } else {
            buf_put_str(out, str_slice(s, i, i + run));
        }
    }
    buf_put_char(out, '"');
}

static void put_pair(Buf *out, const Label *l) {
    if (label_name_is_legacy(l->name))
        buf_put_str(out, l->name);
    else
        put_go_quoted(out, l->name);
    buf_put_char(out, '=');
    put_go_quoted(out, l->value);
}

void labels_put_set(Buf *out, Labels l) {
    buf_put_char(out, '{');
    for (size_t i = 0; i < l.n; i++) {
        if (i > 0) buf_put_lit(out, ", ");
        put_pair(out, &l.v[i]);
    }
    buf_put_char(out, '}');
}

void labels_put_text(Buf *out, Labels l) {
    Str metric = labels_get(l, LABEL_NAME_METRIC);
    bool bare = metric_name_is_legacy(metric);
    if (bare) buf_put_str(out, metric);
    if (bare && l.n == 1) return;
    buf_put_char(out, '{');
    bool first = true;
    if (!bare && metric.n > 0) {
        put_go_quoted(out, metric);
        first = false;
    }
    for (size_t i = 0; i < l.n; i++) {
        if (str_eq(l.v[i].name, LABEL_NAME_METRIC)) continue;
        if (!first) buf_put_lit(out, ", ");
        first = false;
        put_pair(out, &l.v[i]);
    }
    buf_put_char(out, '}');
}

void labels_put_json(Buf *out, Labels l) {
    buf_put_char(out, '{');
    for (size_t i = 0; i < l.n; i++) {
        if (i > 0) buf_put_char(out, ',');
        json_put_string(out, l.v[i].name);
        buf_put_char(out, ':');
        json_put_string(out, l.v[i].value);
    }
    buf_put_char(out, '}');
}

static bool is_alpha(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

bool label_name_is_metadata(Str s) {
    if (s.n != 8 || s.p[0] != '_') return false;
    return str_eq(s, LABEL_NAME_METRIC) || str_eq_lit(s, "__type__") || str_eq_lit(s, "__unit__");
}

bool label_name_is_legacy(Str s) {
    if (s.n == 0 || !is_alpha(s.p[0])) return false;
    for (size_t i = 1; i < s.n; i++) {
        if (!is_alpha(s.p[i]) && !(s.p[i] >= '0' && s.p[i] <= '9')) return false;
    }
    return true;
}

bool metric_name_is_legacy(Str s) {
    if (s.n == 0 || !(is_alpha(s.p[0]) || s.p[0] == ':')) return false;
    for (size_t i = 1; i < s.n; i++) {
        if (!is_alpha(s.p[i]) && s.p[i] != ':' && !(s.p[i] >= '0' && s.p[i] <= '9')) return false;
    }
    return true;
}
