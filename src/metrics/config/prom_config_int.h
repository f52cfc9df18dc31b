/* prom_config_int.h - reading YAML mappings by tables of keys. */
#ifndef MEERKAT_METRICS_CONFIG_PROM_CONFIG_INT_H
#define MEERKAT_METRICS_CONFIG_PROM_CONFIG_INT_H

#include "codec/yaml.h"
#include "metrics/config/prom_config.h"

typedef struct ConfigReader {
    Arena *arena;
    DiagList *diags;
    Str base_dir;
    bool strict; /* files that are not there are errors, as promtool has it; else warnings */
} ConfigReader;

typedef enum ConfigKind {
    CONFIG_STR,
    CONFIG_PATH, /* joined with base_dir */
    CONFIG_FILE, /* a path of something that is read: should be there */
    CONFIG_BOOL,
    CONFIG_NOT_BOOL /* stored negated */,
    CONFIG_DURATION,
    CONFIG_SIZE,
    CONFIG_UINT,
    CONFIG_INT,
    CONFIG_PORT,
    CONFIG_F64,
    CONFIG_STRINGS, /* PromStrings */
    CONFIG_PATHS,
    CONFIG_FILES,
    CONFIG_LABELS,
    CONFIG_RELABEL,
    CONFIG_CUSTOM,
    CONFIG_SKIP,
    CONFIG_UNSUPPORTED /* known, without effect: a warning */
} ConfigKind;

typedef struct ConfigKey {
    Str name;
    ConfigKind kind;
    size_t offset; /* of the field in the object given to config_mapping */
    void (*read)(ConfigReader *r, const YamlNode *node, void *object); /* CUSTOM */
} ConfigKey;

/* Keys of a part of the object: base is the part's offset. */
typedef struct ConfigTable {
    const ConfigKey *keys;
    size_t n, base;
} ConfigTable;

/* Reads a mapping into object; `what` names it in messages. false: not a mapping. */
bool config_mapping(ConfigReader *r, const YamlNode *node, Str what, const ConfigKey *keys, size_t n, void *object);
bool config_mapping_of(
    ConfigReader *r, const YamlNode *node, Str what, const ConfigTable *tables, size_t n_tables, void *object);
bool config_expect(ConfigReader *r, const YamlNode *node, YamlKind kind, const char *what);
void config_error(ConfigReader *r, int line, int col, int len, const char *hint, const char *fmt, ...)
    ATTR_PRINTF(6, 7);
/* At the value of key in mapping, or at the mapping when it has none. */
void config_error_key(ConfigReader *r, const YamlNode *mapping, const char *key, const char *fmt, ...)
    ATTR_PRINTF(4, 5);
void config_exhausted(ConfigReader *r);
/* false after a diagnostic: a null item of a list. */
bool config_item(ConfigReader *r, const YamlNode *item, const char *what);
/* A list of scalars; 0 after a diagnostic when it is something else. */
size_t config_strings(ConfigReader *r, const YamlNode *node, Str **ret);
/* name -> list of strings, or, with single, name -> string. */
void config_params(ConfigReader *r, const YamlNode *node, bool single, PromParams *ret);
/* Tells of a file that is not there; key: what names it. */
void config_want_file(ConfigReader *r, const YamlNode *node, Str key, Str path);
/* Joined with base_dir unless absolute; NUL-terminated. */
Str config_path(ConfigReader *r, Str path);
void config_labels(ConfigReader *r, const YamlNode *node, Labels *ret);
/* http:// or https:// with a host. */
void config_check_url(ConfigReader *r, const YamlNode *node, Str url, const char *what, DiagLevel level);
/* One of the words, nothing else; its index, or -1 after a diagnostic. */
int config_word(ConfigReader *r, const YamlNode *node, const Str *words, size_t n, const char *what);

/* The node as text: keys in order; with `hide` secrets as <secret>. skip (may be NULL): members left out. */
void config_put_node(Buf *out, const YamlNode *node, bool hide, bool (*skip)(Str key));

void config_relabel(ConfigReader *r, const YamlNode *node, RelabelRules *ret); /* config_relabel.c */
extern const ConfigKey config_http_keys[], config_tls_keys[], config_sd_keys[], config_shared_keys[];
extern const size_t config_http_keys_n, config_tls_keys_n, config_sd_keys_n, config_shared_keys_n;
/* config_http.c: what must not stand together; bearer_token becomes an authorization. */
void config_check_http(ConfigReader *r, const YamlNode *mapping, PromHttpConfig *h);
bool config_http_authenticates(const PromHttpConfig *h);
void config_check_headers(ConfigReader *r, const YamlNode *node, const PromParams *headers, bool remote);
/* Host names of static targets, where no relabelling could make something of them. */
void config_check_targets(ConfigReader *r, const PromSdConfigs *sd, RelabelRules relabel); /* config_sd.c */

/* One job, defaults taken from the global section. false: an error was reported. */
bool scrape_config_read(ConfigReader *r, const YamlNode *node, const PromConfig *global, PromScrapeConfig *ret);
/* What the file says about protocols and names, completed; config_scrape.c. */
void scrape_shared_check(ConfigReader *r, const YamlNode *mapping, PromScrapeShared *s);

/* Sections, config_alerting.c and config_remote.c and config_sections.c; out is the PromConfig. */
void config_read_alerting(ConfigReader *r, const YamlNode *node, void *out);
void config_read_remote_write(ConfigReader *r, const YamlNode *node, void *out);
void config_read_remote_read(ConfigReader *r, const YamlNode *node, void *out);
void config_read_otlp(ConfigReader *r, const YamlNode *node, void *out);
void config_read_storage(ConfigReader *r, const YamlNode *node, void *out);
void config_read_tracing(ConfigReader *r, const YamlNode *node, void *out);
/* prom_config_env.c: environment variables in all scalars where they mean something. */
void config_expand_env(YamlNode *root, Arena *arena, DiagList *diags);

#endif
