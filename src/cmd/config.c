/* config.c - builds a Config from defaults, file, environment and flags, and reports everything wrong at once. */
#include "cmd/config.h"

#include "cmd/config_int.h"
#include "codec/yaml.h"
#include "sys/fs.h"

#include <stdio.h>
#include <stdlib.h>

#define CONFIG_FILE_MAX (4u << 20)

static bool path_has_prefix(const char *path, Str prefix) {
    return strncmp(path, prefix.p, prefix.n) == 0 && path[prefix.n] == '.';
}

static const ConfigKey *find_key(Str path) {
    for (size_t i = 0; i < config_keys_n; i++) {
        if (str_eq(str_cstr(config_keys[i].path), path)) return &config_keys[i];
    }
    return NULL;
}

static bool is_section(Str path) {
    for (size_t i = 0; i < config_keys_n; i++) {
        if (path_has_prefix(config_keys[i].path, path)) return true;
    }
    return false;
}

/* Names that may stand directly under a section ("" is the top), for suggestions. */
static size_t names_under(Str section, Str *out, size_t max) {
    size_t n = 0;
    for (size_t i = 0; i < config_keys_n; i++) {
        const char *rest = config_keys[i].path;
        if (section.n > 0) {
            if (!path_has_prefix(rest, section)) continue;
            rest += section.n + 1;
        }
        Str name = str_of(rest, strcspn(rest, "."));
        bool seen = false;
        for (size_t j = 0; j < n; j++) seen |= str_eq(out[j], name);
        if (!seen && n < max) out[n++] = name;
    }
    return n;
}

static void report_unknown(DiagList *diags, const YamlNode *at, Str section) {
    Str names[64];
    Str near = diag_suggest(at->text, names, names_under(section, names, ARRAY_LEN(names)));
    char hint[128] = "";
    if (near.n > 0) snprintf(hint, sizeof hint, "did you mean \"%" STR_FMT "\"?", STR_ARG(near));
    diag_add(diags, DIAG_ERROR, at->line, at->col, (int)at->text.n, hint[0] ? hint : NULL,
        "unknown key \"%" STR_FMT "\"%s%" STR_FMT, STR_ARG(at->text), section.n ? " in " : "", STR_ARG(section));
}

/* --- lists of mappings --- */
static const ConfigKey *find_field(const ConfigKey *key, Str name) {
    for (size_t i = 0; i < key->n_fields; i++) {
        if (str_eq(str_cstr(key->fields[i].path), name)) return &key->fields[i];
    }
    return NULL;
}

static void report_unknown_field(DiagList *diags, const ConfigKey *key, const YamlNode *at) {
    Str names[16];
    size_t n = MIN(key->n_fields, ARRAY_LEN(names));
    for (size_t i = 0; i < n; i++) names[i] = str_cstr(key->fields[i].path);
    Str near = diag_suggest(at->text, names, n);
    char hint[128] = "";
    if (near.n > 0) snprintf(hint, sizeof hint, "did you mean \"%" STR_FMT "\"?", STR_ARG(near));
    diag_add(diags, DIAG_ERROR, at->line, at->col, (int)MAX(at->text.n, 1), hint[0] ? hint : NULL,
        "unknown key \"%" STR_FMT "\" in %s", STR_ARG(at->text), key->path);
}

static void assign_record(Config *c, const ConfigKey *key, const YamlNode *item, void *base, DiagList *diags) {
    char msg[200];
    uint64_t given = 0;
    for (const YamlNode *m = item->first; m; m = m->next) {
        const ConfigKey *f = find_field(key, m->key->text);
        if (!f) {
            report_unknown_field(diags, key, m->key);
            continue;
        }
        given |= UINT64_C(1) << (f - key->fields);
        if (m->kind != YAML_SCALAR)
            diag_add(diags, DIAG_ERROR, m->line, m->col, MAX(m->len, 1), NULL, "%s: %s must be a %s", key->path,
                f->path, config_type_name(f->type));
        else if (!config_assign_at(base, c->arena, f, m->text, msg))
            diag_add(diags, DIAG_ERROR, m->line, m->col, MAX(m->len, 1), NULL, "%s: %s %s", key->path, f->path, msg);
    }
    for (size_t i = 0; i < key->n_fields; i++) {
        const ConfigKey *f = &key->fields[i];
        if (!(given >> i & 1) && f->optional) {
            ASSERT(config_assign_at(base, c->arena, f, str_cstr(f->fallback), msg));
            continue;
        }
        if (!(given >> i & 1))
            diag_add(diags, DIAG_ERROR, item->line, item->col, MAX(item->len, 1), NULL, "%s: an entry without %s",
                key->path, f->path);
    }
}

static void assign_records(Config *c, const ConfigKey *key, const YamlNode *node, DiagList *diags) {
    ConfigRecords *records = (ConfigRecords *)(void *)((char *)c + key->offset);
    *records = (ConfigRecords){.v = arena_alloc_zero(c->arena, CONFIG_LIST_MAX * key->item_bytes)};
    ASSERT(records->v);
    if (node->kind != YAML_SEQUENCE) {
        diag_add(diags, DIAG_ERROR, node->line, node->col, MAX(node->len, 1), NULL, "%s must be a list", key->path);
        return;
    }
    for (const YamlNode *item = node->first; item; item = item->next) {
        if (item->kind != YAML_MAPPING) {
            diag_add(diags, DIAG_ERROR, item->line, item->col, MAX(item->len, 1), NULL,
                "%s: an entry must be a mapping", key->path);
        } else if (records->n == CONFIG_LIST_MAX) {
            diag_add(diags, DIAG_ERROR, item->line, item->col, MAX(item->len, 1), NULL, "%s has more than %d entries",
                key->path, CONFIG_LIST_MAX);
            return;
        } else {
            assign_record(c, key, item, (char *)records->v + records->n++ * key->item_bytes, diags);
        }
    }
}

static void assign_node(Config *c, const ConfigKey *key, const YamlNode *node, DiagList *diags) {
    char msg[200];
    if (node->kind == YAML_NULL) return;
    if (key->type == CONFIG_RECORDS) {
        assign_records(c, key, node, diags);
        return;
    }
    bool is_list = key->type == CONFIG_LIST && node->kind == YAML_SEQUENCE;
    if (is_list) *(ConfigList *)(void *)((char *)c + key->offset) = (ConfigList){0};
    for (const YamlNode *item = is_list ? node->first : node; item; item = is_list ? item->next : NULL) {
        if (item->kind != YAML_SCALAR) {
            diag_add(diags, DIAG_ERROR, item->line, item->col, MAX(item->len, 1), NULL, "%s must be a %s", key->path,
                config_type_name(key->type));
        } else if (!config_assign(c, key, item->text, msg)) {
            diag_add(diags, DIAG_ERROR, item->line, item->col, MAX(item->len, 1), NULL, "%s %s", key->path, msg);
        }
    }
}

/* Sections nest at most three deep in the table; unknown ones are reported where they begin. */
static void walk_mapping(Config *c, const YamlNode *mapping, Str section, DiagList *diags) {
    for (const YamlNode *m = mapping->first; m; m = m->next) {
        Str path = section.n ? arena_printf(c->arena, "%" STR_FMT ".%" STR_FMT, STR_ARG(section), STR_ARG(m->key->text))
                             : m->key->text;
        const ConfigKey *key = find_key(path);
        if (key) {
            assign_node(c, key, m, diags);
        } else if (is_section(path) && m->kind == YAML_MAPPING) {
            walk_mapping(c, m, path, diags);
        } else if (is_section(path)) {
            if (m->kind != YAML_NULL)
                diag_add(diags, DIAG_ERROR, m->line, m->col, MAX(m->len, 1), NULL, "%" STR_FMT " must be a mapping",
                    STR_ARG(path));
        } else {
            report_unknown(diags, m->key, section);
        }
    }
}

static const char *lookup_env(void *ctx, Str name) {
    (void)ctx;
    char buf[256];
    if (name.n >= sizeof buf) return NULL;
    memcpy(buf, name.p, name.n);
    buf[name.n] = 0;
    return getenv(buf);
}

static void load_file(Config *c, const char *file, DiagList *diags) {
    Buf text = {0};
    Err err = {0};
    if (fs_read_file(fs_real(), file, CONFIG_FILE_MAX, &text, &err) != OK) {
        diag_add(diags, DIAG_ERROR, 0, 0, 1, NULL, "%s", err.msg);
        buf_done(&text);
        return;
    }
    diags->source = arena_copy(c->arena, buf_str(&text));
    buf_done(&text);
    YamlNode *root = NULL;
    if (yaml_parse(diags->source, c->arena, &root, diags) != OK) return;
    yaml_expand_env(root, c->arena, lookup_env, NULL, diags);
    if (root->kind == YAML_MAPPING) {
        walk_mapping(c, root, STR_NULL, diags);
    } else if (root->kind != YAML_NULL) {
        diag_add(diags, DIAG_ERROR, root->line, root->col, 1, NULL, "the configuration must be a mapping");
    }
}

static void load_defaults(Config *c) {
    char msg[200];
    for (size_t i = 0; i < config_keys_n; i++) {
        bool ok = config_assign(c, &config_keys[i], str_cstr(config_keys[i].fallback), msg);
        ASSERT(ok);
    }
}

static void load_env(Config *c, DiagList *diags) {
    Buf name = {0};
    char msg[200];
    for (size_t i = 0; i < config_keys_n; i++) {
        if (!config_is_flat(&config_keys[i])) continue;
        buf_clear(&name);
        config_env_name(&config_keys[i], &name);
        const char *value = getenv(buf_cstr(&name));
        if (value && *value && !config_assign(c, &config_keys[i], str_cstr(value), msg)) {
            diag_add(diags, DIAG_ERROR, 0, 0, 1, NULL, "environment variable %s: %s", buf_cstr(&name), msg);
        }
    }
    buf_done(&name);
}

static const ConfigKey *find_flag(Str name) {
    Buf lng = {0};
    const ConfigKey *found = NULL;
    for (size_t i = 0; i < config_keys_n && !found; i++) {
        if (!config_is_flat(&config_keys[i])) continue;
        buf_clear(&lng);
        config_long_flag(&config_keys[i], &lng);
        const char *brief = config_keys[i].flag;
        if (str_eq(buf_str(&lng), name) || (brief && str_eq(str_cstr(brief), name))) found = &config_keys[i];
    }
    buf_done(&lng);
    return found;
}

bool config_is_flag(Str name, bool *ret_takes_value) {
    const ConfigKey *key = find_flag(name);
    if (key) *ret_takes_value = key->type != CONFIG_BOOL;
    return key != NULL;
}

Str config_suggest_flag(Str name) {
    static char found[64];
    Buf lng = {0};
    unsigned best = 3;
    found[0] = 0;
    for (size_t i = 0; i < config_keys_n; i++) {
        if (!config_is_flat(&config_keys[i])) continue;
        buf_clear(&lng);
        config_long_flag(&config_keys[i], &lng);
        const char *brief = config_keys[i].flag ? config_keys[i].flag : buf_cstr(&lng);
        unsigned a = str_distance(name, buf_str(&lng), best), b = str_distance(name, str_cstr(brief), best);
        if (MIN(a, b) < best) {
            best = MIN(a, b);
            snprintf(found, sizeof found, "%s", b <= a ? brief : buf_cstr(&lng));
        }
    }
    buf_done(&lng);
    return str_cstr(found);
}

static void load_flags(Config *c, const ConfigFlag *flags, size_t n, DiagList *diags) {
    char msg[200];
    bool list_reset[CONFIG_LIST_MAX * 4] = {false};
    for (size_t i = 0; i < n; i++) {
        const ConfigKey *key = find_flag(flags[i].name);
        ASSERT(key); /* the command line's parser asked config_is_flag */
        size_t index = (size_t)(key - config_keys);
        if (key->type == CONFIG_LIST && index < ARRAY_LEN(list_reset) && !list_reset[index]) {
            *(ConfigList *)(void *)((char *)c + key->offset) = (ConfigList){0};
            list_reset[index] = true;
        }
        if (!config_assign(c, key, flags[i].value, msg)) {
            diag_add(diags, DIAG_ERROR, 0, 0, 1, NULL, "--%" STR_FMT " %s", STR_ARG(flags[i].name), msg);
        }
    }
}

static void read_secret(Config *c, Str file, Str *out, DiagList *diags) {
    if (file.n == 0) return;
    Buf text = {0};
    Err err = {0};
    char *path = str_dup_cstr(file);
    if (fs_read_file(fs_real(), path, 64u << 10, &text, &err) == OK) {
        *out = arena_copy(c->arena, str_trim(buf_str(&text)));
    } else {
        diag_add(diags, DIAG_ERROR, 0, 0, 1, NULL, "%s", err.msg);
    }
    mem_free(path);
    buf_done(&text);
}

static void check_ports(const Config *c, DiagList *diags) {
    for (size_t i = 0; i < config_keys_n; i++) {
        if (config_keys[i].type != CONFIG_PORT) continue;
        int64_t a = *(const int64_t *)(const void *)((const char *)c + config_keys[i].offset);
        if (a + c->server.port_offset > 65535) {
            diag_add(
                diags, DIAG_ERROR, 0, 0, 1, NULL, "%s plus server.port_offset is beyond 65535", config_keys[i].path);
        }
        for (size_t j = i + 1; a != 0 && j < config_keys_n; j++) {
            if (config_keys[j].type != CONFIG_PORT) continue;
            int64_t b = *(const int64_t *)(const void *)((const char *)c + config_keys[j].offset);
            if (a == b)
                diag_add(diags, DIAG_ERROR, 0, 0, 1, "give one of them another port, or 0 to close it",
                    "%s and %s are both %lld", config_keys[i].path, config_keys[j].path, (long long)a);
        }
    }
}

static void check_whole(Config *c, DiagList *diags) {
    read_secret(c, c->auth.admin_password_file, &c->auth.admin_password, diags);
    read_secret(c, c->auth.api_token_file, &c->auth.api_token, diags);
    read_secret(c, c->alerting.peer_secret_file, &c->alerting.peer_secret, diags);
    if ((c->server.tls_cert_file.n > 0) != (c->server.tls_key_file.n > 0)) {
        diag_add(diags, DIAG_ERROR, 0, 0, 1, NULL, "server.tls needs both cert_file and key_file");
    }
    config_check_urls(c, diags);
    check_ports(c, diags);
}

Config *config_load(const char *file, const ConfigFlag *flags, size_t n_flags, Arena *arena, DiagList *diags) {
    Config *c = ARENA_NEW(arena, Config);
    ASSERT(c);
    c->arena = arena;
    load_defaults(c);
    if (file) load_file(c, file, diags);
    load_env(c, diags);
    load_flags(c, flags, n_flags, diags);
    check_whole(c, diags);
    return diag_error_count(diags) > 0 ? NULL : c;
}
