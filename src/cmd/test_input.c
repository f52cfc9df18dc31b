#include "cmd/test_input.h"

#include "base/num.h"
#include "base/timefmt.h"

ErrCode test_input_fail(Err *reterr, const YamlNode *at, const char *what) {
    return err_set_at(reterr, ERR_INVALID, at->line, at->col, "%s", what);
}

ErrCode test_input_duration(const YamlNode *n, int64_t *ret_ms, Err *reterr) {
    if (n->kind == YAML_SCALAR && duration_parse_prom(n->text, ret_ms)) return OK;
    return test_input_fail(reterr, n, "a duration such as 30s is wanted here");
}

ErrCode test_input_text(const YamlNode *n, Str *ret, Err *reterr) {
    if (n->kind != YAML_SCALAR) return test_input_fail(reterr, n, "a plain value is wanted here");
    *ret = n->text;
    return OK;
}

ErrCode test_input_map(const YamlNode *n, const YamlNode **ret, Err *reterr) {
    if (n->kind != YAML_MAPPING) return test_input_fail(reterr, n, "a mapping of names to values is wanted here");
    *ret = n;
    return OK;
}

static ErrCode read_count(const YamlNode *n, int64_t *ret, Err *reterr) {
    if (n->kind == YAML_SCALAR && num_parse_i64(n->text, ret) && *ret >= 0 && *ret <= TEST_INPUT_MAX) return OK;
    return test_input_fail(reterr, n, "a number up to 1000000 is wanted here");
}

ErrCode test_input_times(const YamlNode *n, TestTimes *ret, bool *ret_known, Err *reterr) {
    Str k = n->key->text;
    *ret_known = true;
    if (str_eq_lit(k, "at")) return test_input_duration(n, &ret->at_ms, reterr);
    if (str_eq_lit(k, "every")) return test_input_duration(n, &ret->every_ms, reterr);
    if (str_eq_lit(k, "count")) return read_count(n, &ret->count, reterr);
    *ret_known = false;
    return OK;
}

AttrValue test_input_value(const YamlNode *n) {
    AttrValue v = {.type = ATTR_STR, .s = n->kind == YAML_SCALAR ? n->text : STR("")};
    if (n->quoted || n->kind != YAML_SCALAR) return v;
    if (num_parse_i64(n->text, &v.i)) {
        v.type = ATTR_I64;
    } else if (num_parse_f64(n->text, &v.d)) {
        v.type = ATTR_F64;
    } else if (str_eq_lit(n->text, "true") || str_eq_lit(n->text, "false")) {
        v = (AttrValue){.type = ATTR_BOOL, .b = n->text.p[0] == 't'};
    } else {
        v.s = n->text;
    }
    return v;
}

bool test_input_attrs(AttrPool *pool, Arena *arena, const YamlNode *map, AttrRange *range) {
    for (const YamlNode *it = map ? map->first : NULL; it; it = it->next, range->n++) {
        if (!avec_push(arena, pool, (Attr){it->key->text, test_input_value(it)})) return false;
    }
    return true;
}
