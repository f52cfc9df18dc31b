/* amconfig_show_value.c - keys and values of a shown configuration, and trees as they are in the file. */
#include "alert/amconfig_show.h"

#include <stdlib.h>

void amshow_key(AmShow *s, const char *key) { yaml_emit_text(s->e, str_cstr(key)); }

void amshow_str(AmShow *s, const char *key, Str v) {
    if (!v.n) return;
    amshow_key(s, key);
    yaml_emit_text(s->e, v);
}

void amshow_bool(AmShow *s, const char *key, bool v) {
    amshow_key(s, key);
    yaml_emit_plain(s->e, v ? STR("true") : STR("false"));
}

void amshow_secret(AmShow *s, const char *key, Str v) { amshow_str(s, key, v.n ? STR("<secret>") : STR("")); }

/* --- trees as they are, in Go's order of keys --- */

static int by_key(const void *a, const void *b) {
    return yaml_key_cmp((*(const YamlNode *const *)a)->key->text, (*(const YamlNode *const *)b)->key->text);
}

void amshow_scalar(AmShow *s, const YamlNode *n, bool texts) {
    if (n->kind == YAML_NULL && texts)
        yaml_emit_text(s->e, STR(""));
    else if (n->kind == YAML_NULL)
        yaml_emit_plain(s->e, STR("null"));
    else if (texts || n->quoted || yaml_reads_as_text(n->text))
        yaml_emit_text(s->e, n->text);
    else
        yaml_emit_plain(s->e, n->text);
}

void amshow_tree(AmShow *s, const YamlNode *n, bool texts) {
    if (n->kind == YAML_SEQUENCE) {
        yaml_emit_begin_sequence(s->e, n->n == 0);
        for (const YamlNode *i = n->first; i; i = i->next) amshow_tree(s, i, texts);
        yaml_emit_end_sequence(s->e);
    } else if (n->kind == YAML_MAPPING) {
        const YamlNode **v = mem_alloc_array(n->n + 1, sizeof *v);
        size_t k = 0;
        for (const YamlNode *i = n->first; i; i = i->next) v[k++] = i;
        if (k) qsort(v, k, sizeof *v, by_key);
        yaml_emit_begin_mapping(s->e);
        for (size_t i = 0; i < k; i++) {
            yaml_emit_text(s->e, v[i]->key->text);
            amshow_tree(s, v[i], texts);
        }
        yaml_emit_end_mapping(s->e);
        mem_free(v);
    } else {
        amshow_scalar(s, n, texts);
    }
}
