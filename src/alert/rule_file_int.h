/* rule_file_int.h - private: files and groups (rule_file.c), single rules (rule_file_rule.c), members
 * (rule_file_read.c). */
#ifndef MEERKAT_ALERT_RULE_FILE_INT_H
#define MEERKAT_ALERT_RULE_FILE_INT_H

#include "alert/rule_file.h"

typedef struct RuleReader {
    const RuleFileOptions *opts;
    Arena *arena;
    DiagList *diags;
    Str datasource;   /* what applies where none is named */
    int64_t range_ms; /* likewise; 0: the default */
    const RuleGroupDef *group;
    size_t index; /* of the rule in it, from 1 */
} RuleReader;

void rule_read_fail(RuleReader *r, const YamlNode *at, const char *hint, const char *fmt, ...) ATTR_PRINTF(4, 5);
bool rule_read_expect(RuleReader *r, const YamlNode *n, YamlKind kind, const char *what); /* false: reported */
/* The text of a plain value; empty where there is none, and where it is something else, which is reported. */
Str rule_read_scalar(RuleReader *r, const YamlNode *n, const char *what);
void rule_read_unknown_key(RuleReader *r, const YamlNode *member, const char *what, const Str *names, size_t n);
bool rule_read_duration(RuleReader *r, const YamlNode *n, const char *what, int64_t *ret_ms);
/* A mapping of strings, sorted; names are checked by the caller. */
Labels rule_read_map(RuleReader *r, const YamlNode *n, const char *what);
bool rule_read_datasource(RuleReader *r, const YamlNode *n, Str *ret); /* empty: prometheus */
void rule_read_range(RuleReader *r, const YamlNode *n, int64_t *ret_ms);
const YamlNode *rule_read_member(const YamlNode *map, Str name); /* NULL: no such member, or no mapping */

/* As Prometheus 3: any UTF-8, blanks, dashes and leading digits too. */
static inline bool rule_name_is_fine(Str s) { return s.n > 0 && str_is_utf8(s); }

/* r->group and r->index say where the rule stands. */
void rule_read_rule(RuleReader *r, const YamlNode *node, RuleDef *rule);

#endif
