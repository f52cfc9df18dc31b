/* prom_config_int.h - reading YAML mappings by tables of keys. */
#ifndef MEERKAT_METRICS_CONFIG_PROM_CONFIG_INT_H
#define MEERKAT_METRICS_CONFIG_PROM_CONFIG_INT_H

#include "codec/yaml.h"
#include "metrics/config/prom_config.h"

typedef struct ConfigReader {
    Arena *arena;
    DiagList *diags;
    Str base_dir;
} ConfigReader;

typedef enum ConfigKind {
    CONFIG_STR,
    CONFIG_PATH,
    CONFIG_BOOL,
    CONFIG_NOT_BOOL /* stored negated */,
    CONFIG_DURATION,
    CONFIG_SIZE,
    CONFIG_UINT,
    CONFIG_LABELS,
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

/* Reads a mapping into object; `what` names it in messages. false: not a mapping. */
bool config_mapping(ConfigReader *r, const YamlNode *node, Str what, const ConfigKey *keys, size_t n, void *object);
bool config_expect(ConfigReader *r, const YamlNode *node, YamlKind kind, const char *what);
void config_error(ConfigReader *r, int line, int col, int len, const char *hint, const char *fmt, ...)
    ATTR_PRINTF(6, 7);
void config_exhausted(ConfigReader *r);
/* A list of scalars; 0 after a diagnostic when it is something else. */
size_t config_strings(ConfigReader *r, const YamlNode *node, Str **ret);
/* Joined with base_dir unless absolute; NUL-terminated. */
Str config_path(ConfigReader *r, Str path);
void config_labels(ConfigReader *r, const YamlNode *node, Labels *ret);

void config_relabel(ConfigReader *r, const YamlNode *node, RelabelRules *ret); /* config_relabel.c */
/* One job, defaults taken from the global section. false: an error was reported. */
bool scrape_config_read(ConfigReader *r, const YamlNode *node, const PromConfig *global, PromScrapeConfig *ret);

#endif
