/* receiver.c - `receivers:` and what of `global:` is theirs. */
#include "alert/receiver_int.h"
#include "alert/template_parse.h"

#include <stdio.h>

const char *integration_name(IntegrationKind kind) {
    return kind < INTEGRATION_MAX ? integration_specs[kind].name : "unknown";
}

/* --- templates in texts: what will not run is told now --- */

static void check_text(SettingsReader *r, const YamlNode *node) {
    Err err = {0};
    if (!node || node->kind != YAML_SCALAR || notify_template_check(node->text, &err) == OK) return;
    settings_error(r, node, "%s", err.msg);
}

static void check_tree(SettingsReader *r, const YamlNode *node) {
    check_text(r, node);
    if (node->kind != YAML_SEQUENCE && node->kind != YAML_MAPPING) return;
    for (const YamlNode *it = node->first; it; it = it->next) check_tree(r, it);
}

static void check_templates(SettingsReader *r, const Settings *s) {
    for (size_t i = 0; i < s->table->n; i++) {
        const Setting *v = &s->v[i];
        SettingKind kind = s->table->v[i].kind;
        for (size_t k = 0; k < v->n_subs && v->own; k++) check_templates(r, &v->subs[k]);
        if (!v->own || !v->node) continue;
        if (kind == SET_TEXT || kind == SET_SECRET_URL) check_text(r, v->node);
        if (kind == SET_TREE || kind == SET_MAP || kind == SET_STRINGS) check_tree(r, v->node);
    }
}

/* --- integrations --- */

static void read_integration(SettingsReader *r, IntegrationKind kind, const YamlNode *node, Integration *out) {
    static const Str own[] = {STR_INIT("send_resolved")};
    const IntegrationSpec *spec = &integration_specs[kind];
    IntegrationConfig *c = ARENA_NEW(r->arena, IntegrationConfig);
    out->kind = kind;
    out->line = node->line;
    out->send_resolved = spec->send_resolved;
    out->config = c;
    if (!c) return settings_error(r, node, "the configuration is too large");
    if (yaml_is_null(node) && kind != INTEGRATION_SLACK)
        return settings_error(r, node, "missing %s config", spec->name);
    const YamlNode *resolved = node->kind == YAML_MAPPING ? yaml_get(node, own[0]) : NULL;
    if (!yaml_is_null(resolved) && !yaml_bool(resolved, &out->send_resolved))
        settings_error(r, resolved, "send_resolved: \"%" STR_FMT "\" is no boolean", STR_ARG(resolved->text));
    if (!settings_read(r, node, spec->table, own, 1, &c->s)) return;
    const PromHttpConfig *http = kind == INTEGRATION_EMAIL ? NULL : settings_get(&c->s, "http_config")->http;
    if (!http && kind != INTEGRATION_EMAIL) http = settings_get(r->global, "http_config")->http;
    if (http) c->http = *http;
    receiver_check(r, kind, c);
    check_templates(r, &c->s);
}

static size_t count_integrations(const YamlNode *node) {
    size_t n = 0;
    for (int k = 0; k < INTEGRATION_MAX; k++) {
        const YamlNode *list = yaml_get(node, str_cstr(integration_specs[k].list));
        if (list && list->kind == YAML_SEQUENCE) n += list->n;
    }
    return n;
}

static void read_lists(SettingsReader *r, const YamlNode *node, Receiver *out) {
    Integration *v = arena_alloc_zero(r->arena, count_integrations(node) * sizeof *v);
    if (!v) return settings_error(r, node, "the configuration is too large");
    size_t n = 0;
    for (int k = 0; k < INTEGRATION_MAX; k++) {
        const YamlNode *list = yaml_get(node, str_cstr(integration_specs[k].list));
        if (yaml_is_null(list)) continue;
        if (list->kind != YAML_SEQUENCE) {
            settings_error(r, list, "%s must be a list", integration_specs[k].list);
            continue;
        }
        unsigned index = 0;
        for (const YamlNode *it = list->first; it; it = it->next, n++) {
            v[n].index = index++;
            read_integration(r, (IntegrationKind)k, it, &v[n]);
        }
    }
    out->integrations = v;
    out->n_integrations = n;
}

static void read_labels(SettingsReader *r, const YamlNode *node, Receiver *out) {
    if (yaml_is_null(node)) return;
    if (node->kind != YAML_MAPPING) return settings_error(r, node, "labels must be a mapping");
    Label *v = ARENA_ARRAY(r->arena, Label, node->n);
    if (!v) return;
    size_t n = 0;
    for (const YamlNode *it = node->first; it; it = it->next) v[n++] = (Label){it->key->text, it->text};
    Err err = {0};
    if (labels_normalize(v, &n, &err)) settings_error(r, node, "%s", err.msg);
    out->labels = (Labels){v, n};
}

static void check_keys(SettingsReader *r, const YamlNode *node) {
    Str names[INTEGRATION_MAX + 2] = {STR("name"), STR("labels")};
    for (size_t k = 0; k < INTEGRATION_MAX; k++) names[k + 2] = str_cstr(integration_specs[k].list);
    for (const YamlNode *it = node->first; it; it = it->next) {
        bool known = false;
        for (size_t i = 0; i < ARRAY_LEN(names); i++) known = known || str_eq(it->key->text, names[i]);
        if (known) continue;
        Str near = diag_suggest(it->key->text, names, ARRAY_LEN(names));
        char hint[120];
        snprintf(hint, sizeof hint, "did you mean \"%" STR_FMT "\"?", STR_ARG(near));
        diag_add(r->diags, DIAG_ERROR, it->key->line, it->key->col, MAX(it->key->len, 1), near.n ? hint : NULL,
            "field %" STR_FMT " not found in receiver", STR_ARG(it->key->text));
    }
}

static void read_receiver(SettingsReader *r, const YamlNode *node, Receiver *out) {
    *out = (Receiver){.line = node->line};
    if (node->kind != YAML_MAPPING) return settings_error(r, node, "a receiver must be a mapping");
    check_keys(r, node);
    const YamlNode *name = yaml_get(node, STR("name"));
    if (yaml_is_null(name) || name->kind != YAML_SCALAR || !name->text.n)
        settings_error(r, node, "missing name in receiver");
    else
        out->name = name->text;
    read_labels(r, yaml_get(node, STR("labels")), out);
    read_lists(r, node, out);
}

static void check_global(SettingsReader *r, const Settings *g) {
    const Setting *url = settings_get(g, "slack_api_url"), *token = settings_get(g, "slack_app_token");
    bool by_url = url->own || settings_get(g, "slack_api_url_file")->own;
    bool by_token = token->own || settings_get(g, "slack_app_token_file")->own;
    if (by_url && by_token && !str_eq(url->text, settings_text(g, "slack_app_url")))
        settings_error(r, g->node,
            "at most one of slack_app_token/slack_app_token_file & slack_api_url/slack_api_url_file must be "
            "configured");
}

ErrCode receivers_parse(
    const YamlNode *global, const YamlNode *receivers, Str base_dir, Arena *arena, ReceiverList *ret, DiagList *diags) {
    static const Str others[] = {STR_INIT("resolve_timeout")};
    size_t before = diag_error_count(diags);
    SettingsReader r = {.arena = arena, .diags = diags, .base_dir = base_dir};
    Settings *g = ARENA_NEW(arena, Settings);
    *ret = (ReceiverList){.global = g};
    if (!g) return ERR_TOO_LARGE;
    if (!settings_read(&r, global, &receiver_global_table, others, 1, g)) return ERR_INVALID;
    check_global(&r, g);
    r.global = g;
    if (!yaml_is_null(receivers) && receivers->kind != YAML_SEQUENCE) {
        settings_error(&r, receivers, "receivers must be a list");
        return ERR_INVALID;
    }
    size_t n = yaml_is_null(receivers) ? 0 : receivers->n;
    Receiver *v = arena_alloc_zero(arena, n * sizeof *v);
    if (!v) return ERR_TOO_LARGE;
    for (const YamlNode *it = n ? receivers->first : NULL; it; it = it->next) {
        Receiver *x = &v[ret->n];
        read_receiver(&r, it, x);
        for (size_t i = 0; i < ret->n; i++)
            if (x->name.n && str_eq(v[i].name, x->name))
                settings_error(&r, it, "notification config name \"%" STR_FMT "\" is not unique", STR_ARG(x->name));
        ret->n++;
    }
    ret->v = v;
    return diag_error_count(diags) > before ? ERR_INVALID : OK;
}
