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
    CONFIG_SECRET
} ConfigType;

typedef struct ConfigKey {
    const char *path; /* "storage.data_dir" */
    ConfigType type;
    size_t offset;        /* of the field in Config: Str, int64_t, bool or ConfigList */
    const char *fallback; /* default, as written in YAML */
    int64_t min, max;     /* of INT, DURATION (ms), SIZE (bytes), PORT; both 0: any that the type allows */
    const char *choices;  /* ENUM: "fsync|interval" */
    const char *flag;     /* short flag without "--", NULL: only the long one made from path */
    const char *env;      /* NULL: MEERKAT_ + upper-case path */
    bool needs_restart;   /* a reload reports a change but keeps the old value */
    const char *doc;
} ConfigKey;

extern const ConfigKey config_keys[];
extern const size_t config_keys_n;

/* Puts text into the key's field. false with a reason (static or in msg) when it does not fit. */
bool config_assign(Config *c, const ConfigKey *key, Str text, char msg[200]);
/* "--storage.data-dir" for "storage.data_dir". */
void config_long_flag(const ConfigKey *key, Buf *out);
void config_env_name(const ConfigKey *key, Buf *out);
const char *config_type_name(ConfigType t);

#endif
