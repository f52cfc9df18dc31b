/* config_text.c - prometheus.yml for the eyes of others. */
#include "metrics/config/prom_config_int.h"

void prom_config_put_safe(Str text, Buf *out) {
    Arena *arena = arena_create(ARENA_UNLIMITED);
    DiagList diags;
    YamlNode *root = NULL;
    diag_init(&diags, STR("prometheus.yml"), text);
    if (yaml_parse(text, arena, &root, &diags) == OK && !yaml_is_null(root)) config_put_node(out, root, true, NULL);
    diag_done(&diags);
    arena_free(arena);
}
