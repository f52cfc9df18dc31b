/* rule_unit.h - unit tests of rules, in the files that promtool test rules reads, with its verdicts and its words.
 *
 * Series are loaded into a store in memory; rules are evaluated at each step of the file's evaluation_interval from
 * time 0 on; then alerts and expressions are compared with what the file expects. Source: Prometheus' documentation of
 * unit testing for rules. */
#ifndef MEERKAT_ALERT_RULE_UNIT_H
#define MEERKAT_ALERT_RULE_UNIT_H

#include "alert/rules.h"
#include "codec/yaml.h"

/* What a test feeds in beside series: its `input_spans` and `input_logs`, NULL without. Times in them count from
 * start_ms. */
typedef struct RuleUnitInput {
    const YamlNode *spans, *logs;
    int64_t start_ms;
} RuleUnitInput;

typedef struct RuleUnitOptions {
    const Str *run; /* regular expressions: only tests whose name one of them matches; none: all */
    size_t n_run;
    bool diff; /* differences line by line in place of both sides */
    bool colour;
    bool ignore_unknown;       /* keys that nobody knows, in test and rule files, are no errors */
    bool delayed_name_removal; /* of PromqlOptions */
    ErrCode (*query)(void *ctx, Str datasource, Str expr, int64_t t_ms, int64_t range_ms, const _Atomic bool *cancel,
        Arena *arena, PromqlResult *ret, Err *reterr);
    ErrCode (*check)(void *ctx, Str datasource, Str expr, Err *reterr);
    /* Before each test: its input in place of that of the test before, for query. NULL: tests cannot have any. */
    ErrCode (*load)(void *ctx, const RuleUnitInput *input, Err *reterr);
    /* Lines of what runs, and all samples at the end of each test. NULL: nobody wants them. */
    void (*debug)(void *ctx, Str text);
    void *ctx;
} RuleUnitOptions;

/* One `tests:` entry and what was wrong; failures empty: it passed. */
typedef struct RuleUnitCase {
    Str name; /* of the file, or unnamed#N */
    const Str *failures;
    size_t n_failures;
} RuleUnitCase;

typedef struct RuleUnitResult {
    const Str *failures; /* of the file as a whole: it cannot be read, a rule file is broken */
    size_t n_failures;
    const RuleUnitCase *cases;
    size_t n_cases;
    Str warnings; /* lines for standard error */
} RuleUnitResult;

/* false: something failed. Everything lives in the arena. */
bool rule_unit_run(const char *file, const RuleUnitOptions *opts, Arena *arena, RuleUnitResult *ret);
/* The same for text, relative names in it relative to dir (fuzzing, tests). */
bool rule_unit_run_text(Str file, Str dir, Str text, const RuleUnitOptions *opts, Arena *arena, RuleUnitResult *ret);

#endif
