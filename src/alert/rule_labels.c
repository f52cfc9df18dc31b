/* rule_labels.c - label sets of alerts: one heap block each, merged and rendered. */
#include "alert/rule_int.h"

Labels rule_labels_dup(Labels l) {
    size_t bytes = l.n * sizeof(Label);
    if (l.n == 0) return (Labels){0};
    for (size_t i = 0; i < l.n; i++) bytes += l.v[i].name.n + l.v[i].value.n;
    Label *v = mem_alloc(bytes);
    char *p = (char *)(v + l.n);
    for (size_t i = 0; i < l.n; i++) {
        Str s[2] = {l.v[i].name, l.v[i].value}, *to[2] = {&v[i].name, &v[i].value};
        for (int k = 0; k < 2; k++) {
            if (s[k].n) memcpy(p, s[k].p, s[k].n);
            *to[k] = str_of(p, s[k].n);
            p += s[k].n;
        }
    }
    return (Labels){v, l.n};
}

Labels rule_labels_free(Labels l) {
    mem_free((void *)(uintptr_t)l.v);
    return (Labels){0};
}

static size_t find(const Label *v, size_t n, Str name) {
    for (size_t i = 0; i < n; i++)
        if (str_eq(v[i].name, name)) return i;
    return n;
}

bool rule_labels_merge(Arena *arena, Labels base, const Label *over, size_t n_over, Labels *ret) {
    Label *v = ARENA_ARRAY(arena, Label, base.n + n_over + 1);
    size_t n = 0;
    if (!v) return false;
    for (size_t i = 0; i < base.n; i++)
        if (!str_eq(base.v[i].name, LABEL_NAME_METRIC)) v[n++] = base.v[i];
    for (size_t i = 0; i < n_over; i++) {
        size_t at = find(v, n, over[i].name);
        v[at] = over[i];
        n += at == n;
    }
    ErrCode rc = labels_normalize(v, &n, NULL);
    *ret = (Labels){v, n};
    return rc == OK;
}

Labels rule_labels_with(Arena *arena, Labels base, Str name, Str value) {
    Labels out = {0};
    Label *v = ARENA_ARRAY(arena, Label, base.n + 1);
    if (!v) return out;
    size_t n = 0;
    bool put = false;
    for (size_t i = 0; i < base.n; i++) {
        int c = str_cmp(base.v[i].name, name);
        if (c >= 0 && !put) {
            v[n++] = (Label){name, value};
            put = true;
        }
        if (c != 0) v[n++] = base.v[i];
    }
    if (!put) v[n++] = (Label){name, value};
    return (Labels){v, n};
}

void rule_put_labels(JsonWriter *w, Labels l) {
    json_begin_object(w);
    for (size_t i = 0; i < l.n; i++) {
        json_key(w, l.v[i].name);
        json_str(w, l.v[i].value);
    }
    json_end_object(w);
}
