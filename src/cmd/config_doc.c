/* config_doc.c - what the table says, for people: --help, docs/configuration.md, the effective configuration. */
#include "base/json.h"
#include "base/num.h"
#include "base/timefmt.h"
#include "cmd/config_int.h"

static void put_flag(const ConfigKey *key, Buf *out) {
    buf_put_lit(out, "--");
    if (key->flag) {
        buf_put_str(out, str_cstr(key->flag));
    } else {
        config_long_flag(key, out);
    }
}

static const char *placeholder(ConfigType t) {
    static const char *const names[] = {"TEXT", "N", "", "DURATION", "SIZE", "PORT", "CHOICE", "PATH", "TEXT", ""};
    return names[t];
}

void config_put_help(Buf *out) {
    for (size_t i = 0; i < config_keys_n; i++) {
        const ConfigKey *key = &config_keys[i];
        if (!config_is_flat(key)) continue;
        buf_put_lit(out, "  ");
        put_flag(key, out);
        const char *value = key->type == CONFIG_ENUM ? key->choices : placeholder(key->type);
        if (*value) buf_printf(out, " %s", value);
        buf_printf(out, "\n        %s", key->doc);
        if (key->fallback[0]) buf_printf(out, " [%s]", key->fallback);
        buf_put_char(out, '\n');
    }
}

void config_put_flags(Buf *out) {
    for (size_t i = 0; i < config_keys_n; i++) {
        if (!config_is_flat(&config_keys[i])) continue;
        put_flag(&config_keys[i], out);
        buf_put_char(out, ' ');
    }
}

/* A line for the list, one for each key of its entries. */
static void put_records_markdown(const ConfigKey *key, Buf *out) {
    buf_printf(out, "| `%s` | %s | | | | %s%s |\n", key->path, config_type_name(key->type), key->doc,
        key->needs_restart ? " R" : "");
    for (size_t i = 0; i < key->n_fields; i++)
        buf_printf(out, "| `%s[].%s` | %s | | | | %s |\n", key->path, key->fields[i].path,
            config_type_name(key->fields[i].type), key->fields[i].doc);
}

void config_put_markdown(Buf *out) {
    buf_put_lit(out,
        "# Configuration\n\n"
        "Made from the table in `src/cmd/config_table.c` by `meerkat check config --markdown`; a test keeps it in "
        "step.\n\n"
        "Values come from, later ones winning: the default, `meerkat.yml` (`--config FILE`), the environment, flags. "
        "In the file, `${VAR}` and `${VAR:-default}` stand for environment variables. Unknown keys and wrong values "
        "stop the start; "
        "`SIGHUP` reloads, and a bad file then keeps the old configuration. Keys marked R take effect at the next "
        "start.\n\n"
        "| key | type | default | flag | environment | |\n|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < config_keys_n; i++) {
        const ConfigKey *key = &config_keys[i];
        if (!config_is_flat(key)) {
            put_records_markdown(key, out);
            continue;
        }
        buf_printf(out, "| `%s` | ", key->path);
        if (key->type == CONFIG_ENUM) {
            for (const char *p = key->choices; *p; p++) {
                if (*p == '|')
                    buf_put_str(out, STR(", "));
                else
                    buf_put_char(out, *p);
            }
        } else {
            buf_put_str(out, str_cstr(config_type_name(key->type)));
        }
        buf_printf(out, " | %s%s%s | `", key->fallback[0] ? "`" : "", key->fallback, key->fallback[0] ? "`" : "");
        put_flag(key, out);
        buf_put_lit(out, "` | `");
        config_env_name(key, out);
        buf_printf(out, "` | %s%s |\n", key->doc, key->needs_restart ? " R" : "");
    }
}

static void put_value(Buf *out, const void *c, const ConfigKey *key);

static void put_records(Buf *out, const ConfigRecords *records, const ConfigKey *key) {
    buf_put_char(out, '[');
    for (size_t i = 0; i < records->n; i++) {
        buf_put_str(out, i ? STR(", {") : STR("{"));
        for (size_t k = 0; k < key->n_fields; k++) {
            buf_printf(out, "%s%s: ", k ? ", " : "", key->fields[k].path);
            put_value(out, (const char *)records->v + i * key->item_bytes, &key->fields[k]);
        }
        buf_put_char(out, '}');
    }
    buf_put_char(out, ']');
}

static void put_value(Buf *out, const void *c, const ConfigKey *key) {
    const void *field = (const char *)c + key->offset;
    switch (key->type) {
    case CONFIG_SECRET:
        if (((const Str *)field)->n > 0)
            buf_put_lit(out, "<secret>");
        else
            buf_put_lit(out, "\"\"");
        return;
    case CONFIG_STR:
    case CONFIG_ENUM: json_put_string(out, *(const Str *)field); return;
    case CONFIG_BOOL: buf_put_str(out, *(const bool *)field ? STR("true") : STR("false")); return;
    case CONFIG_DURATION: duration_put_prom(out, *(const int64_t *)field); return;
    case CONFIG_INT:
    case CONFIG_SIZE:
    case CONFIG_PORT: num_put_i64(out, *(const int64_t *)field); return;
    case CONFIG_LIST:
        buf_put_char(out, '[');
        for (size_t i = 0; i < ((const ConfigList *)field)->n; i++) {
            if (i > 0) buf_put_lit(out, ", ");
            json_put_string(out, ((const ConfigList *)field)->v[i]);
        }
        buf_put_char(out, ']');
        return;
    case CONFIG_RECORDS: put_records(out, field, key); return;
    }
    UNREACHABLE();
}

/* Prints the section headings that differ from the previous key's, then the key. */
static void put_path(Buf *out, const char *path, const char *previous) {
    size_t common = 0;
    for (size_t i = 0; previous && path[i] && path[i] == previous[i]; i++) {
        if (path[i] == '.') common = i + 1;
    }
    int depth = 0;
    for (const char *p = path;;) {
        size_t n = strcspn(p, ".");
        bool last = p[n] == 0;
        if (last || (size_t)(p - path) >= common) {
            buf_printf(out, "%*s%.*s:%s", depth * 2, "", (int)n, p, last ? " " : "\n");
        }
        if (last) return;
        p += n + 1;
        depth++;
    }
}

void config_put_yaml(Buf *out, const Config *c) {
    const char *previous = NULL;
    for (size_t i = 0; i < config_keys_n; i++) {
        put_path(out, config_keys[i].path, previous);
        put_value(out, c, &config_keys[i]);
        buf_put_char(out, '\n');
        previous = config_keys[i].path;
    }
}
