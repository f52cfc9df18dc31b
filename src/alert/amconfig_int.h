/* amconfig_int.h - what the parts of the loader share. Private to alert. */
#ifndef MEERKAT_ALERT_AMCONFIG_INT_H
#define MEERKAT_ALERT_AMCONFIG_INT_H

#include "alert/amconfig.h"

typedef struct AmReader {
    AmConfig *c;
    Arena *arena;
    DiagList *diags;
    AmMatchMode mode;
    bool names_only; /* of receivers */
} AmReader;

void amread_error(AmReader *r, const YamlNode *at, const char *hint, const char *fmt, ...) ATTR_PRINTF(4, 5);
/* Unknown keys are errors with a suggestion. false: not a mapping. */
bool amread_keys(AmReader *r, const YamlNode *n, const char *what, const Str *keys, size_t n_keys);
/* STR_NULL when absent; other kinds are errors. */
Str amread_str(AmReader *r, const YamlNode *mapping, const char *key);
bool amread_bool(AmReader *r, const YamlNode *mapping, const char *key, bool fallback);
int64_t amread_duration(AmReader *r, const YamlNode *mapping, const char *key, int64_t fallback_ms);
size_t amread_strings(AmReader *r, const YamlNode *list, const Str **ret);
/* name_match, name_match_re and name_matchers (prefix "source_") of a mapping, sorted. */
Matchers amread_matchers(AmReader *r, const YamlNode *mapping, const char *prefix);

/* amconfig_route.c */
void amroute_read(AmReader *r, const YamlNode *node);
/* amconfig_show.c: what was read, as the original shows it. */
void amconfig_show(const AmConfig *c, const YamlNode *root, Str base_dir, Buf *out);

#endif
