/* settings.h - what a receiver's mapping says, by tables of keys: every integration is one table.
 *
 * Values keep their node, so that later complaints have a place. Defaults and global values are filled in. */
#ifndef MEERKAT_ALERT_SETTINGS_H
#define MEERKAT_ALERT_SETTINGS_H

#include "alert/receiver.h"
#include "metrics/config/http_config.h"

typedef enum SettingKind {
    SET_TEXT,   /* a template */
    SET_PLAIN,  /* text as it stands */
    SET_SECRET, /* never shown; a template as well where the original has it so */
    SET_FILE,   /* a name, joined with the base directory */
    SET_URL,    /* http or https; shown */
    SET_SECRET_URL,
    SET_HOSTPORT, /* host:port */
    SET_BOOL,
    SET_INT,
    SET_GO_DURATION,   /* i: ns */
    SET_PROM_DURATION, /* i: ns */
    SET_STRINGS,       /* list of templates */
    SET_MAP,           /* names to templates */
    SET_TREE,          /* any YAML; its texts are templates */
    SET_OBJECT,        /* sub table */
    SET_OBJECTS,       /* list of mappings by the sub table */
    SET_HTTP,
    SET_TLS,
} SettingKind;

typedef struct SettingTable SettingTable;
typedef struct SettingSpec {
    const char *key;
    SettingKind kind;
    const char *fallback;    /* text of the default; NULL: none */
    const char *global;      /* key of `global:` that is taken when neither this one nor its twin (_file) is there */
    const SettingTable *sub; /* OBJECT, OBJECTS */
} SettingSpec;
struct SettingTable {
    const char *what; /* for messages: "slack_configs" */
    const SettingSpec *v;
    size_t n;
};

typedef struct Settings Settings;
typedef struct Setting {
    bool set; /* in the file, by global: or by default; false: text is empty, i is 0 */
    bool own; /* in the mapping itself */
    Str text;
    int64_t i;            /* BOOL, INT, durations */
    const YamlNode *node; /* NULL for a default */
    const Settings *subs; /* OBJECT (one), OBJECTS */
    size_t n_subs;
    const PromHttpConfig *http;
    const PromTlsConfig *tls;
} Setting;
struct Settings {
    const SettingTable *table;
    Setting *v; /* one per key of the table */
    const YamlNode *node;
};

typedef struct SettingsReader {
    Arena *arena;
    DiagList *diags;
    Str base_dir;
    const Settings *global; /* NULL while that itself is read */
} SettingsReader;

/* false after a diagnostic that makes the rest useless. skip: keys that are the caller's. */
bool settings_read(
    SettingsReader *r, const YamlNode *node, const SettingTable *table, const Str *skip, size_t n_skip, Settings *ret);
/* The key must be in the table. */
const Setting *settings_get(const Settings *s, const char *key);
static inline Str settings_text(const Settings *s, const char *key) { return settings_get(s, key)->text; }
static inline bool settings_bool(const Settings *s, const char *key) { return settings_get(s, key)->i != 0; }
void settings_error(SettingsReader *r, const YamlNode *at, const char *fmt, ...) ATTR_PRINTF(3, 4);

#endif
