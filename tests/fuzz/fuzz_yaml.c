/* YAML from any bytes: a tree with sound links and places inside the text, or diagnostics that can be rendered. */
#include "codec/yaml.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_node(const YamlNode *n, int lines, unsigned depth) {
    size_t children = 0;
    ASSERT(depth <= 64 && n->line >= 1 && n->line <= lines && n->col >= 1 && n->len >= 1);
    ASSERT(n->kind == YAML_SCALAR || n->kind == YAML_NULL || n->text.n == 0);
    for (const YamlNode *it = n->first; it; it = it->next, children++) {
        check_node(it, lines, depth + 1);
        ASSERT((it->key != NULL) == (n->kind == YAML_MAPPING));
        if (it->key) ASSERT(yaml_get(n, it->key->text) == it || children > 1000);
        bool flag;
        (void)yaml_bool(it, &flag);
    }
    ASSERT(children == n->n);
}

static const char *lookup(void *ctx, Str name) {
    (void)ctx;
    return name.n % 2 ? "value" : NULL;
}

static void check_tree(Str text, Arena *arena, YamlNode *root, DiagList *diags) {
    int lines = 2; /* the end of the text may be on a line of its own, after any of the five line breaks */
    for (size_t i = 0; i < text.n; i++)
        lines += text.p[i] == '\n' || text.p[i] == '\r' || (unsigned char)text.p[i] >= 0x80;
    for (const YamlNode *doc = root; doc; doc = doc->next) check_node(doc, lines, 0);
    yaml_expand_env(root, arena, lookup, NULL, diags);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Str text = str_of((const char *)data, size);
    for (int all = 0; all < 2; all++) {
        Arena *arena = arena_create((size_t)8 << 20);
        DiagList diags;
        YamlNode *root;
        diag_init(&diags, STR("fuzz.yml"), text);
        ErrCode code = (all ? yaml_parse_all : yaml_parse)(text, arena, &root, &diags);
        ASSERT((code == OK) == (root != NULL) && (code == OK) == (diag_error_count(&diags) == 0));
        if (root) check_tree(text, arena, root, &diags);
        Buf rendered = {0};
        diag_render(&diags, &rendered, false);
        buf_done(&rendered);
        diag_done(&diags);
        arena_free(arena);
    }
    return 0;
}
