/* config_int.h - the table behind config.h; private to cmd/config*.c. */
#ifndef MEERKAT_CMD_CONFIG_INT_H
#define MEERKAT_CMD_CONFIG_INT_H

#include "cmd/config.h"

typedef enum ConfigType {
    CONFIG_STR,
    CONFIG_INT,
    CONFIG_BOOL,
    CONFIG_DURATION,
    CONFIG_SIZE,
    CONFIG_PORT,
    CONFIG_ENUM,
    CONFIG_LIST,
    CONFIG_SECRET,
    CONFIG_RECORDS /* a list of mappings; in the file only */
} ConfigType;

typedef struct ConfigKey {
    const char *path; /* "storage.data_dir" */
    ConfigType type;
    size_t offset;        /* of the field in Config (or in the item): Str, int64_t, bool, ConfigList, ConfigRecords */
    const char *fallback; /* default, as written in YAML */
    int64_t min, max;     /* of INT, DURATION (ms), SIZE (bytes), PORT; both 0: any that the type allows */
    const char *choices;  /* ENUM: "fsync|interval" */
    const char *flag;     /* short flag without "--", NULL: only the long one made from path */
    const char *env;      /* NULL: MEERKAT_ + upper-case path */
    bool needs_restart;   /* a reload reports a change but keeps the old value */
    bool (*check)(Str text, char msg[200]); /* STR: more that must hold; NULL: nothing */
    const struct ConfigKey *fields; /* RECORDS: the keys of an item; those that are not optional must be given */
    bool optional;                  /* of a field of RECORDS: it may be left out, fallback counts then */
    size_t n_fields, item_bytes;
    const char *doc;
} ConfigKey;

extern const ConfigKey config_keys[];
extern const size_t config_keys_n;

/* Puts text into the key's field. false with a reason (static or in msg) when it does not fit. */
bool config_assign(Config *c, const ConfigKey *key, Str text, char msg[200]);
/* The same for a field of any struct. */
bool config_assign_at(void *base, Arena *arena, const ConfigKey *key, Str text, char msg[200]);
/* Whether flags and variables can set it. */
bool config_is_flat(const ConfigKey *key);
/* For ConfigKey.check: a PromQL series selector. */
bool config_check_selector(Str text, char msg[200]);
bool config_check_probe_module(Str text, char msg[200]);
/* "--storage.data-dir" for "storage.data_dir". */
void config_long_flag(const ConfigKey *key, Buf *out);
void config_env_name(const ConfigKey *key, Buf *out);
const char *config_type_name(ConfigType t);

/* config_urls.c */
void config_check_urls(Config *c, DiagList *diags);

#endif
