/* rule_unit_int.h - a file of unit tests as it was read. Private to rule_unit*.c. */
#ifndef MEERKAT_ALERT_RULE_UNIT_INT_H
#define MEERKAT_ALERT_RULE_UNIT_INT_H

#include "alert/rule_unit.h"
#include "base/timefmt.h"
#include "metrics/promql/series_notation.h"

typedef struct UnitSeries {
    Str series, values;
} UnitSeries;

typedef struct UnitExpAlert {
    Labels labels, annotations; /* sorted */
} UnitExpAlert;

typedef struct UnitAlertTest {
    int64_t eval_ms;
    Str alertname;
    UnitExpAlert *exp;
    size_t n_exp;
} UnitAlertTest;

typedef struct UnitSample {
    Str labels, histogram;
    double value;
} UnitSample;

typedef struct UnitExprTest {
    Str expr;
    int64_t eval_ms;
    UnitSample *exp;
    size_t n_exp;
} UnitExprTest;

typedef struct UnitTest {
    Str name;
    int64_t interval_ms, start_ms;
    UnitSeries *series;
    UnitAlertTest *alerts;
    UnitExprTest *exprs;
    size_t n_series, n_alerts, n_exprs;
    Labels external_labels;
    Str external_url;
} UnitTest;

typedef struct UnitFile {
    Str *rule_files, *order;
    size_t n_rule_files, n_order;
    int64_t interval_ms;
    bool fuzzy;
    UnitTest *tests;
    size_t n_tests;
} UnitFile;

/* Problems go into diags. */
ErrCode rule_unit_parse(Arena *arena, bool ignore_unknown, UnitFile *ret, DiagList *diags);

typedef AVEC(Str) StrList;
typedef struct UnitRun {
    const RuleUnitOptions *opts;
    const UnitFile *file;
    const Str *rule_files; /* paths */
    size_t n_rule_files;
    Arena *arena; /* of the result */
    StrList *failures;
} UnitRun;

void ATTR_PRINTF(2, 3) rule_unit_fail(UnitRun *r, const char *fmt, ...);
void rule_unit_fail_buf(UnitRun *r, Buf *text); /* empties text */
/* One entry of tests:. */
void rule_unit_test(UnitRun *r, const UnitTest *t);

#endif
