/* config_value.c - one value of the table: text to field, names of its flag and variable. */
#include "base/num.h"
#include "base/timefmt.h"
#include "cmd/config_int.h"
#include "metrics/probe/probe.h"
#include "metrics/promql/ast.h"

#include <stdio.h>

static void *field(void *base, const ConfigKey *key) { return (char *)base + key->offset; }

const char *config_type_name(ConfigType t) {
    static const char *const names[] = {"string", "integer", "true or false", "duration", "size", "port", "one of",
        "list", "secret", "list of mappings"};
    ASSERT((size_t)t < ARRAY_LEN(names));
    return names[t];
}

static bool in_range(const ConfigKey *key, int64_t v, char msg[200]) {
    int64_t max = key->type == CONFIG_PORT ? 65535 : key->max;
    if (max == 0 && key->min == 0) max = INT64_MAX;
    if (v >= key->min && v <= max) return true;
    if (key->type == CONFIG_DURATION || key->type == CONFIG_SIZE) {
        snprintf(msg, 200, "is out of range");
    } else {
        snprintf(msg, 200, "must be between %lld and %lld", (long long)key->min, (long long)max);
    }
    return false;
}

static bool parse_number(const ConfigKey *key, Str text, int64_t *ret, char msg[200]) {
    uint64_t size;
    bool ok = false;
    const char *want = "a whole number";
    switch (key->type) {
    case CONFIG_DURATION:
        ok = duration_parse_prom(text, ret);
        want = "a duration such as 30s, 5m, 15d";
        break;
    case CONFIG_SIZE:
        ok = num_parse_size(text, &size) && size <= INT64_MAX;
        if (ok) *ret = (int64_t)size;
        want = "a size such as 64MiB, 10GB";
        break;
    default: ok = num_parse_i64(text, ret);
    }
    if (!ok) snprintf(msg, 200, "must be %s, not \"%.*s\"", want, (int)MIN(text.n, 60), text.p ? text.p : "");
    return ok && in_range(key, *ret, msg);
}

static bool parse_bool(Str text, bool *ret, char msg[200]) {
    bool yes = str_eq_lit(text, "true"), no = str_eq_lit(text, "false");
    if (!yes && !no)
        snprintf(msg, 200, "must be true or false, not \"%.*s\"", (int)MIN(text.n, 60), text.p ? text.p : "");
    *ret = yes;
    return yes || no;
}

static bool is_choice(const ConfigKey *key, Str text, char msg[200]) {
    Str rest = str_cstr(key->choices), choice;
    while (str_split_next(&rest, '|', &choice)) {
        if (str_eq(choice, text)) return true;
    }
    snprintf(msg, 200, "must be one of %s, not \"%.*s\"", key->choices, (int)MIN(text.n, 60), text.p ? text.p : "");
    return false;
}

static bool append_list(Arena *arena, ConfigList *list, Str text, char msg[200]) {
    if (text.n == 0) return true;
    if (list->n == CONFIG_LIST_MAX) {
        snprintf(msg, 200, "has more than %d entries", CONFIG_LIST_MAX);
        return false;
    }
    list->v[list->n++] = arena_copy(arena, text);
    return true;
}

bool config_check_selector(Str text, char msg[200]) {
    Arena *arena = arena_create((size_t)16 << 20);
    Matchers m;
    Err err = {0};
    bool ok = promql_parse_selector(text, arena, &m, &err) == OK;
    if (!ok) snprintf(msg, 200, "is no series selector: %.160s", err.msg);
    arena_free(arena);
    return ok;
}

bool config_check_probe_module(Str text, char msg[200]) {
    ProbeModule module;
    Err err = {0};
    if (probe_module_parse(text, &module, &err) == OK) return true;
    snprintf(msg, 200, "is no module: %.160s", err.msg);
    return false;
}

bool config_is_flat(const ConfigKey *key) { return key->type != CONFIG_RECORDS; }

bool config_assign(Config *c, const ConfigKey *key, Str text, char msg[200]) {
    return config_assign_at(c, c->arena, key, text, msg);
}

bool config_assign_at(void *c, Arena *arena, const ConfigKey *key, Str text, char msg[200]) {
    bool flag;
    int64_t number;
    switch (key->type) {
    case CONFIG_STR:
    case CONFIG_SECRET:
        if (key->check && !key->check(text, msg)) return false;
        *(Str *)field(c, key) = arena_copy(arena, text);
        return true;
    case CONFIG_ENUM:
        if (!is_choice(key, text, msg)) return false;
        *(Str *)field(c, key) = arena_copy(arena, text);
        return true;
    case CONFIG_BOOL:
        if (!parse_bool(text, &flag, msg)) return false;
        *(bool *)field(c, key) = flag;
        return true;
    case CONFIG_LIST: return append_list(arena, field(c, key), text, msg);
    case CONFIG_RECORDS: return text.n == 0; /* the default; items are read by config.c */
    case CONFIG_INT:
    case CONFIG_DURATION:
    case CONFIG_SIZE:
    case CONFIG_PORT:
        if (!parse_number(key, text, &number, msg)) return false;
        *(int64_t *)field(c, key) = number;
        return true;
    }
    UNREACHABLE();
}

void config_long_flag(const ConfigKey *key, Buf *out) {
    for (const char *p = key->path; *p; p++) buf_put_char(out, *p == '_' ? '-' : *p);
}

void config_env_name(const ConfigKey *key, Buf *out) {
    if (key->env) {
        buf_put_str(out, str_cstr(key->env));
        return;
    }
    buf_put_lit(out, "MEERKAT_");
    for (const char *p = key->path; *p; p++) {
        buf_put_char(out, *p == '.' ? '_' : *p >= 'a' && *p <= 'z' ? (char)(*p - 'a' + 'A') : *p);
    }
}
