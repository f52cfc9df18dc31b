/* amconfig.c - loads alertmanager.yml. */
#include "alert/amconfig_int.h"

#include "base/hash.h"

#include <stdlib.h>

#define CONFIG_BYTES_MAX (64u << 20)

static const Str top_keys[] = {STR_INIT("global"), STR_INIT("templates"), STR_INIT("route"), STR_INIT("receivers"),
    STR_INIT("inhibit_rules"), STR_INIT("mute_time_intervals"), STR_INIT("time_intervals"), STR_INIT("tracing"),
    STR_INIT("event_recorder")};
static const Str interval_keys[] = {STR_INIT("name"), STR_INIT("time_intervals")};
static const Str inhibit_keys[] = {STR_INIT("name"), STR_INIT("source_match"), STR_INIT("source_match_re"),
    STR_INIT("source_matchers"), STR_INIT("target_match"), STR_INIT("target_match_re"), STR_INIT("target_matchers"),
    STR_INIT("equal")};

/* --- environment --- */

static const char *lookup_env(void *ctx, Str name) {
    (void)ctx;
    char *copy = str_dup_cstr(name);
    const char *value = getenv(copy);
    mem_free(copy);
    return value;
}

static bool names_variable(Str s) {
    size_t at = str_find(s, STR("${"));
    if (at == SIZE_MAX || at + 2 >= s.n) return false;
    char c = s.p[at + 2];
    return c == '_' || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* Only scalars that name a variable are touched: passwords, templates and regexes with $ in them stay what they are. */
static void expand_env(YamlNode *n, Arena *arena, DiagList *diags) {
    if (n->kind == YAML_SCALAR && names_variable(n->text)) yaml_expand_env(n, arena, lookup_env, NULL, diags);
    if (n->kind == YAML_SCALAR) return;
    for (YamlNode *i = n->first; i; i = i->next) expand_env(i, arena, diags);
}

/* yaml_expand_env also walks along next; give it one node at a time. */
static void expand_tree(YamlNode *n, Arena *arena, DiagList *diags) {
    if (n->kind == YAML_SCALAR) {
        YamlNode *next = n->next;
        n->next = NULL;
        expand_env(n, arena, diags);
        n->next = next;
        return;
    }
    for (YamlNode *i = n->first; i; i = i->next) expand_tree(i, arena, diags);
}

/* --- sections --- */

static size_t count_items(AmReader *r, const YamlNode *list, const char *what) {
    if (yaml_is_null(list)) return 0;
    if (list->kind == YAML_SEQUENCE) return list->n;
    amread_error(r, list, NULL, "%s is a list", what);
    return 0;
}

static void read_interval_list(AmReader *r, const YamlNode *list, const char *kind, TimeIntervalSet *v, size_t *n) {
    if (yaml_is_null(list) || list->kind != YAML_SEQUENCE) return;
    for (const YamlNode *i = list->first; i; i = i->next) {
        if (!amread_keys(r, i, kind, interval_keys, ARRAY_LEN(interval_keys))) continue;
        TimeIntervalSet *s = &v[*n];
        *s = (TimeIntervalSet){.name = amread_str(r, i, "name"), .line = i->line};
        if (!s->name.n) amread_error(r, i, NULL, "missing name in %s", kind);
        for (size_t k = 0; k < *n; k++) {
            if (str_eq(v[k].name, s->name)) {
                amread_error(r, i, NULL, "%s \"%" STR_FMT "\" is not unique", kind, STR_ARG(s->name));
            }
        }
        timeintervals_parse(yaml_get(i, STR("time_intervals")), r->arena, s, r->diags);
        (*n)++;
    }
}

static void read_intervals(AmReader *r, const YamlNode *root) {
    const YamlNode *old = yaml_get(root, STR("mute_time_intervals")), *now = yaml_get(root, STR("time_intervals"));
    size_t max = count_items(r, old, "mute_time_intervals") + count_items(r, now, "time_intervals");
    TimeIntervalSet *v = arena_alloc_zero(r->arena, (max + 1) * sizeof *v);
    if (!v) return;
    read_interval_list(r, old, "mute time interval", v, &r->c->n_intervals);
    read_interval_list(r, now, "time interval", v, &r->c->n_intervals);
    r->c->intervals = v;
}

static void read_inhibit(AmReader *r, const YamlNode *list) {
    size_t max = count_items(r, list, "inhibit_rules");
    AmInhibitRule *v = arena_alloc_zero(r->arena, (max + 1) * sizeof *v);
    if (!v || !max) return;
    size_t n = 0;
    for (const YamlNode *i = list->first; i; i = i->next) {
        if (!amread_keys(r, i, "an inhibition rule", inhibit_keys, ARRAY_LEN(inhibit_keys))) continue;
        AmInhibitRule *rule = &v[n++];
        rule->name = amread_str(r, i, "name");
        rule->line = i->line;
        rule->source = amread_matchers(r, i, "source_");
        rule->target = amread_matchers(r, i, "target_");
        const YamlNode *equal = yaml_get(i, STR("equal"));
        rule->n_equal = amread_strings(r, equal, &rule->equal);
        for (size_t k = 0; k < rule->n_equal; k++) {
            if (!ammatch_label_name_ok(rule->equal[k], r->mode)) {
                amread_error(
                    r, equal, NULL, "invalid label name \"%" STR_FMT "\" in equal list", STR_ARG(rule->equal[k]));
            }
        }
    }
    r->c->inhibit = v;
    r->c->n_inhibit = n;
}

static Str base_dir_of(Str file) {
    size_t slash = str_rfind_char(file, '/');
    return slash == SIZE_MAX ? STR(".") : slash == 0 ? STR("/") : str_slice(file, 0, slash);
}

static void read_templates(AmReader *r, const YamlNode *list, Str base_dir) {
    const Str *globs;
    size_t n = amread_strings(r, list, &globs);
    int *lines = ARENA_ARRAY(r->arena, int, n);
    if (!lines) return;
    size_t k = 0;
    if (n) {
        for (const YamlNode *i = list->first; i && k < n; i = i->next) lines[k++] = i->line;
    }
    r->c->n_templates = n;
    notify_templates_load(globs, lines, n, base_dir, &r->c->templates, r->diags);
}

static void read_names(AmReader *r, const YamlNode *list) {
    Receiver *v = arena_alloc_zero(r->arena, (count_items(r, list, "receivers") + 1) * sizeof *v);
    size_t n = 0;
    for (const YamlNode *i = v && !yaml_is_null(list) ? list->first : NULL; i; i = i->next) {
        v[n++] = (Receiver){.name = i->kind == YAML_MAPPING ? amread_str(r, i, "name") : STR_NULL, .line = i->line};
    }
    r->c->receivers = (ReceiverList){v, n};
}

static void warn_unused(AmReader *r, const YamlNode *root, const char *key) {
    const YamlNode *n = yaml_get(root, str_cstr(key));
    if (n)
        diag_add(r->diags, DIAG_WARNING, n->key->line, n->key->col, n->key->len, NULL,
            "%s is not supported and has no effect", key);
}

static void read_document(AmReader *r, const YamlNode *root) {
    if (yaml_is_null(root) || (root->kind == YAML_MAPPING && yaml_is_null(yaml_get(root, STR("route"))))) {
        amread_error(r, root->kind == YAML_MAPPING ? root : NULL,
            "a configuration needs route: and receivers:", "no route provided in config");
        if (root->kind != YAML_MAPPING) return;
    }
    if (!amread_keys(r, root, "the configuration", top_keys, ARRAY_LEN(top_keys))) return;
    Str base_dir = base_dir_of(r->c->file);
    const YamlNode *global = yaml_get(root, STR("global"));
    if (yaml_is_null(global)) global = NULL;
    r->c->resolve_timeout_ms =
        global && global->kind == YAML_MAPPING ? amread_duration(r, global, "resolve_timeout", 300000) : 300000;
    if (r->names_only)
        read_names(r, yaml_get(root, STR("receivers")));
    else
        receivers_parse(global, yaml_get(root, STR("receivers")), base_dir, r->arena, &r->c->receivers, r->diags);
    read_intervals(r, root);
    read_inhibit(r, yaml_get(root, STR("inhibit_rules")));
    if (!r->names_only) read_templates(r, yaml_get(root, STR("templates")), base_dir);
    warn_unused(r, root, "tracing");
    warn_unused(r, root, "event_recorder");
    const YamlNode *route = yaml_get(root, STR("route"));
    if (!yaml_is_null(route)) amroute_read(r, route);
    if (r->names_only || diag_error_count(r->diags)) return;
    Buf shown = {0};
    amconfig_show(r->c, root, base_dir, &shown);
    r->c->shown = arena_copy(r->arena, buf_str(&shown));
    buf_done(&shown);
}

static ErrCode parse(Str file, Str text, AmMatchMode mode, bool names_only, AmConfig **ret, DiagList *diags) {
    *ret = NULL;
    Arena *arena = arena_create(CONFIG_BYTES_MAX);
    AmConfig *c = ARENA_NEW(arena, AmConfig);
    ASSERT(c);
    c->arena = arena;
    atomic_init(&c->refs, 1);
    c->file = arena_copy(arena, file);
    c->mode = mode;
    text = arena_copy(arena, text);
    YamlNode *root = NULL;
    ErrCode code = text.p ? yaml_parse(text, arena, &root, diags) : ERR_TOO_LARGE;
    if (code == OK) {
        AmReader r = {.c = c, .arena = arena, .diags = diags, .mode = mode, .names_only = names_only};
        expand_tree(root, arena, diags);
        c->hash = hash_xx64(text, 0);
        read_document(&r, root);
        if (arena_exhausted(arena)) amread_error(&r, NULL, NULL, "the configuration is too large");
        if (diag_error_count(diags)) code = ERR_INVALID;
    }
    if (code != OK) {
        amconfig_unref(c);
        return code;
    }
    *ret = c;
    return OK;
}

ErrCode amconfig_parse(Str file, Str text, AmMatchMode mode, AmConfig **ret, DiagList *diags) {
    return parse(file, text, mode, false, ret, diags);
}

ErrCode amconfig_parse_routes(Str file, Str text, AmConfig **ret, DiagList *diags) {
    return parse(file, text, AM_MATCH_FALLBACK, true, ret, diags);
}

AmConfig *amconfig_ref(AmConfig *c) {
    atomic_fetch_add(&c->refs, 1);
    return c;
}

AmConfig *amconfig_unref(AmConfig *c) {
    if (c && atomic_fetch_sub(&c->refs, 1) == 1) {
        notify_templates_free(c->templates);
        arena_free(c->arena);
    }
    return NULL;
}

const Receiver *amconfig_receiver(const AmConfig *c, Str name) {
    for (size_t i = 0; i < c->receivers.n; i++) {
        if (str_eq(c->receivers.v[i].name, name)) return &c->receivers.v[i];
    }
    return NULL;
}
