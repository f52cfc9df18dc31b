/* sd_groups.c - target groups as files and HTTP servers write them: [{"targets": [..], "labels": {..}}]. */
#include "codec/yaml.h"
#include "metrics/sd/sd_int.h"

static void add_group(SdBuilder *b, Str extra, Str value) {
    sd_group_begin(b);
    if (extra.n) sd_group_set(b, extra, value);
}

static void add_target(SdBuilder *b, Str address) {
    sd_target_begin(b);
    sd_target_set(b, STR("__address__"), sd_copy(b, address));
    sd_target_end(b);
}

static ErrCode json_labels(const JsonValue *labels, SdBuilder *b, Err *reterr) {
    if (!labels || labels->kind == JSON_K_NULL) return OK;
    if (labels->kind != JSON_K_OBJECT) return err_set(reterr, ERR_INVALID, "labels must be an object of strings");
    for (const JsonValue *l = labels->first; l; l = l->next) {
        if (l->kind != JSON_K_STRING)
            return err_set(reterr, ERR_INVALID, "the value of label \"%" STR_FMT "\" is not a string", STR_ARG(l->key));
        if (l->key.n == 0 || !str_is_utf8(l->key))
            return err_set(reterr, ERR_INVALID, "\"%" STR_FMT "\" is not a valid label name", STR_ARG(l->key));
        sd_group_set(b, sd_copy(b, l->key), sd_copy(b, l->text));
    }
    return OK;
}

static ErrCode json_group(const JsonValue *g, Str extra, Str value, SdBuilder *b, Err *reterr) {
    if (g->kind == JSON_K_NULL) return err_set(reterr, ERR_INVALID, "nil target group item found");
    if (g->kind != JSON_K_OBJECT) return err_set(reterr, ERR_INVALID, "a target group must be an object");
    sd_group_begin(b);
    ErrCode code = json_labels(json_get(g, STR("labels")), b, reterr);
    if (code != OK) return code;
    if (extra.n) sd_group_set(b, extra, value);
    const JsonValue *targets = json_get(g, STR("targets"));
    if (!targets || targets->kind == JSON_K_NULL) return OK;
    if (targets->kind != JSON_K_ARRAY) return err_set(reterr, ERR_INVALID, "targets must be a list of strings");
    for (const JsonValue *t = targets->first; t; t = t->next) {
        if (t->kind != JSON_K_STRING) return err_set(reterr, ERR_INVALID, "a target must be a string");
        add_target(b, t->text);
    }
    return OK;
}

ErrCode sd_parse_json_groups(Str text, Str extra, Str value, SdBuilder *b, Err *reterr) {
    JsonValue *root;
    ErrCode code = json_parse(text, b->arena, &root, reterr);
    if (code != OK) return code;
    if (root->kind == JSON_K_NULL) return OK;
    if (root->kind != JSON_K_ARRAY) return err_set(reterr, ERR_INVALID, "expected a list of target groups");
    for (const JsonValue *g = root->first; g && code == OK; g = g->next) code = json_group(g, extra, value, b, reterr);
    return code;
}

/* --- YAML: unknown keys are errors, as the file is written by a person --- */
static ErrCode at(const YamlNode *n, Err *reterr, const char *what) {
    return err_set_at(reterr, ERR_INVALID, n->line, n->col, "%s", what);
}

static ErrCode yaml_group(const YamlNode *g, Str extra, Str value, SdBuilder *b, Err *reterr) {
    if (yaml_is_null(g)) return at(g, reterr, "nil target group item found");
    if (g->kind != YAML_MAPPING) return at(g, reterr, "a target group must be a mapping with targets and labels");
    add_group(b, STR(""), STR(""));
    for (const YamlNode *m = g->first; m; m = m->next) {
        if (!str_eq_lit(m->key->text, "targets") && !str_eq_lit(m->key->text, "labels"))
            return err_set_at(
                reterr, ERR_INVALID, m->key->line, m->key->col, "unknown key \"%" STR_FMT "\"", STR_ARG(m->key->text));
    }
    const YamlNode *labels = yaml_get(g, STR("labels")), *targets = yaml_get(g, STR("targets"));
    if (!yaml_is_null(labels)) {
        if (labels->kind != YAML_MAPPING) return at(labels, reterr, "labels must be a mapping");
        for (const YamlNode *l = labels->first; l; l = l->next) {
            if (l->kind != YAML_SCALAR && l->kind != YAML_NULL) return at(l, reterr, "a label value must be a string");
            if (l->key->text.n == 0) return at(l, reterr, "a label name is empty");
            sd_group_set(b, sd_copy(b, l->key->text), sd_copy(b, l->text));
        }
    }
    if (extra.n) sd_group_set(b, extra, value);
    if (yaml_is_null(targets)) return OK;
    if (targets->kind != YAML_SEQUENCE) return at(targets, reterr, "targets must be a list of strings");
    for (const YamlNode *t = targets->first; t; t = t->next) {
        if (t->kind != YAML_SCALAR) return at(t, reterr, "a target must be a string");
        add_target(b, t->text);
    }
    return OK;
}

ErrCode sd_parse_yaml_groups(Str text, Str extra, Str value, SdBuilder *b, Err *reterr) {
    DiagList diags;
    YamlNode *root;
    diag_init(&diags, STR(""), text);
    ErrCode code = yaml_parse(text, b->arena, &root, &diags);
    if (code != OK && diags.items.n)
        err_set_at(reterr, code, diags.items.v[0].line, diags.items.v[0].col, "%s", diags.items.v[0].msg);
    diag_done(&diags);
    if (code != OK || yaml_is_null(root)) return code;
    if (root->kind != YAML_SEQUENCE) return at(root, reterr, "expected a list of target groups");
    for (const YamlNode *g = root->first; g && code == OK; g = g->next) code = yaml_group(g, extra, value, b, reterr);
    return code;
}
