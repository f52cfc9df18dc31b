/* amconfig_show.h - what the parts that print a configuration share. Private to alert. */
#ifndef MEERKAT_ALERT_AMCONFIG_SHOW_H
#define MEERKAT_ALERT_AMCONFIG_SHOW_H

#include "alert/amconfig_int.h"
#include "codec/yaml_emit.h"
#include "metrics/config/http_config.h"

typedef struct AmShow {
    YamlEmitter *e;
    Arena *arena;
    AmMatchMode mode;
    const PromHttpConfig *http; /* of what is being shown */
} AmShow;

/* amconfig_show_value.c */
void amshow_key(AmShow *s, const char *key);
/* Key and value; nothing when the value is empty. */
void amshow_str(AmShow *s, const char *key, Str v);
void amshow_secret(AmShow *s, const char *key, Str v); /* <secret> */
void amshow_bool(AmShow *s, const char *key, bool v);
/* texts: whatever stands there is meant as text. */
void amshow_scalar(AmShow *s, const YamlNode *n, bool texts);
void amshow_tree(AmShow *s, const YamlNode *n, bool texts);

/* amconfig_show_receiver.c */
void amshow_global(AmShow *s, const AmConfig *c);
void amshow_receivers(AmShow *s, const AmConfig *c, const YamlNode *list);
/* amconfig_show_http.c; NULL: http_config as it is when nobody says anything. */
void amshow_http(AmShow *s, const PromHttpConfig *h);
void amshow_tls(AmShow *s, const char *key, const PromTlsConfig *t, bool always);

#endif
