/* relabel_steps.c - /targets/relabel_steps: what each relabelling rule of a scrape pool makes of given labels. */
#include "metrics/api/api_int.h"

#include "lang/lexer.h"

#include <stdlib.h>

static int by_name(const void *a, const void *b) { return str_cmp(((const Label *)a)->name, ((const Label *)b)->name); }

static bool parse_labels(ApiCall *c, Str text, RelabelSet *set) {
    JsonValue *root;
    Err err = {0};
    set->arena = c->req->arena;
    if (json_parse(text, set->arena, &root, &err) != OK)
        return api_fail(c, API_BAD_DATA, "error parsing labels: %s", err.msg);
    if (root->kind != JSON_K_OBJECT) return api_fail(c, API_BAD_DATA, "error parsing labels: they must be an object");
    for (const JsonValue *v = root->first; v; v = v->next) {
        if (v->kind != JSON_K_STRING)
            return api_fail(c, API_BAD_DATA, "error parsing labels: the value of \"%" STR_FMT "\" must be a string",
                STR_ARG(v->key));
        if (!relabel_set(set, v->key, v->text))
            return api_fail(c, API_EXECUTION, "query needs more memory than it may use");
    }
    return true;
}

static void put_rule(JsonWriter *w, const RelabelRule *r) {
    json_begin_object(w);
    if (r->n_source_labels) {
        json_key_lit(w, "source_labels");
        json_begin_array(w);
        for (size_t i = 0; i < r->n_source_labels; i++) json_str(w, r->source_labels[i]);
        json_end_array(w);
    }
    json_pair_str(w, "separator", r->separator);
    json_pair_str(w, "regex", r->regex_text);
    if (r->modulus) {
        json_key_lit(w, "modulus");
        json_u64(w, r->modulus);
    }
    if (r->target_label.n) json_pair_str(w, "target_label", r->target_label);
    json_pair_str(w, "replacement", r->replacement);
    json_pair_str(w, "action", relabel_action_name(r->action));
    json_end_object(w);
}

static bool put_step(ApiCall *c, const RelabelRule *rule, RelabelSet *set, bool *keep) {
    JsonWriter *w = &c->w;
    RelabelResult result = *keep ? relabel_apply((RelabelRules){rule, 1}, set) : RELABEL_DROPPED;
    if (result == RELABEL_EXHAUSTED) return api_fail(c, API_EXECUTION, "query needs more memory than it may use");
    *keep = result == RELABEL_KEPT;
    if (set->labels.n > 1) qsort(set->labels.v, set->labels.n, sizeof *set->labels.v, by_name);
    Buf output = {0};
    labels_put_json(&output, *keep ? (Labels){set->labels.v, set->labels.n} : (Labels){0});
    json_begin_object(w);
    json_key_lit(w, "rule");
    put_rule(w, rule);
    json_key_lit(w, "output");
    json_raw(w, buf_str(&output));
    json_key_lit(w, "keep");
    json_bool(w, *keep);
    json_end_object(w);
    buf_done(&output);
    return true;
}

bool api_relabel_steps(ApiCall *c) {
    const PromApiOptions *o = &c->api->opts;
    Str pool = http_param(c->req, STR("scrapePool")), text = http_param(c->req, STR("labels"));
    RelabelSet set = {0};
    RelabelRules rules = {0};
    bool keep = true, ok = true;
    if (pool.n == 0) return api_fail(c, API_BAD_DATA, "no scrapePool parameter provided");
    if (text.n == 0) return api_fail(c, API_BAD_DATA, "no labels parameter provided");
    if (!parse_labels(c, text, &set)) return false;
    if (!o->pool_relabel || !o->pool_relabel(o->ctx, pool, c->req->arena, &rules)) {
        Buf quoted = {0};
        lang_put_quoted(&quoted, pool);
        api_fail(c, API_BAD_DATA, "error retrieving scrape config: scrape pool %s not found", buf_cstr(&quoted));
        buf_done(&quoted);
        return false;
    }
    json_begin_object(&c->w);
    json_key_lit(&c->w, "steps");
    json_begin_array(&c->w);
    for (size_t i = 0; ok && i < rules.n; i++) ok = put_step(c, &rules.v[i], &set, &keep);
    if (!ok) return false;
    json_end_array(&c->w);
    json_end_object(&c->w);
    return true;
}

bool api_scrape_pool_config(ApiCall *c) {
    const PromApiOptions *o = &c->api->opts;
    Str pool = http_param(c->req, STR("scrapePool"));
    Buf yaml = {0};
    if (pool.n == 0) return api_fail(c, API_BAD_DATA, "no scrapePool parameter provided");
    bool found = o->put_pool_config && o->put_pool_config(o->ctx, pool, &yaml);
    if (found) {
        json_begin_object(&c->w);
        json_key_lit(&c->w, "yaml");
        json_str(&c->w, buf_str(&yaml));
        json_end_object(&c->w);
    } else {
        Buf quoted = {0};
        lang_put_quoted(&quoted, pool);
        api_fail(c, API_BAD_DATA, "error retrieving scrape config: scrape pool %s not found", buf_cstr(&quoted));
        buf_done(&quoted);
    }
    buf_done(&yaml);
    return found;
}
