/* rule_file.h - rule files: groups of recording and alerting rules, as Prometheus and Loki read them.
 *
 * Strict: unknown keys, wrong types, bad durations, names, expressions and templates are diagnostics with their
 * place in the file, also for what stands inside an expression; all of them at once. Messages name group and rule as
 * promtool does. Beyond Prometheus' keys: `datasource` (prometheus, loki, tempo) and, over tempo, `range` for the file,
 * a group or a rule.
 * Source: Prometheus' documentation of recording and alerting rules; Loki's of its ruler. */
#ifndef MEERKAT_ALERT_RULE_FILE_H
#define MEERKAT_ALERT_RULE_FILE_H

#include "base/diag.h"
#include "codec/yaml.h"
#include "model/labels.h"

#define RULE_RANGE_MS_DEFAULT INT64_C(300000)

typedef struct RuleDef {
    bool alerting;
    Str name;         /* of the series or of the alert */
    Str expr;         /* as written, trimmed */
    Str datasource;   /* empty: PromQL; "loki", "tempo" */
    int64_t range_ms; /* tempo: how far back an evaluation looks */
    int64_t for_ms, keep_firing_for_ms;
    Labels labels;      /* sorted; the group's are in it; a value may be empty: then it removes */
    Labels annotations; /* sorted */
    const YamlNode *expr_node;
    int line, col; /* of the rule's name */
} RuleDef;

typedef struct RuleGroupDef {
    Str name;
    int64_t interval_ms;     /* 0: the global one */
    int64_t query_offset_ms; /* -1: the global one */
    int64_t limit;           /* 0: none */
    Labels labels;           /* as written for the group */
    Str datasource;
    int64_t range_ms; /* of rules that have none of their own; 0: none is written */
    const RuleDef *rules;
    size_t n_rules;
    int line, col;
} RuleGroupDef;

typedef struct RuleFile {
    const RuleGroupDef *groups;
    size_t n_groups, n_rules;
} RuleFile;

typedef struct RuleFileOptions {
    Str datasource;      /* of rules that name none: empty is PromQL */
    bool ignore_unknown; /* keys that nobody knows are no errors */
    /* Checks an expression of another language; NULL: it is taken as it is. */
    ErrCode (*check)(void *ctx, Str datasource, Str expr, Err *reterr);
    void *ctx;
} RuleFileOptions;

/* diags->source is the text, and must outlive the result as the arena does. ERR_INVALID when there is an error. */
ErrCode rule_file_parse(const RuleFileOptions *opts, Arena *arena, RuleFile *ret, DiagList *diags);
/* One group alone, as POSTed to a ruler's API (the same text without `groups:`). */
ErrCode rule_group_parse(const RuleFileOptions *opts, Arena *arena, RuleGroupDef *ret, DiagList *diags);
/* The place in the text of a byte of a scalar's value; the scalar may be plain, quoted or a block. */
void rule_locate(Str source, const YamlNode *scalar, size_t offset, int *ret_line, int *ret_col);
/* Warnings about rules that load and do not do what they seem to: ratios that divide a series by itself, divisions by
 * limits that may be 0, alerts that fire whatever the value, ... (rule_lint.c lists them). */
void rule_file_lint(const RuleFile *file, DiagList *diags);

/* Rules with the same name and labels, as promtool's duplicate-rules lint counts them; names and labels of the
 * duplicated ones into out in its format. Returns their number. */
size_t rule_file_duplicates(const RuleFile *file, Buf *out);
/* Groups as YAML that rule_file_parse reads; what the ruler API answers and keeps. indent in blanks. */
void rule_group_put_yaml(Buf *out, const RuleGroupDef *g, unsigned indent);

#endif
