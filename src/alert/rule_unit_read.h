/* rule_unit_read.h - a file of unit tests of rules as it was read. */
#ifndef MEERKAT_ALERT_RULE_UNIT_READ_H
#define MEERKAT_ALERT_RULE_UNIT_READ_H

#include "alert/rule_unit.h"
#include "base/timefmt.h"
#include "codec/yaml.h"
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
    const YamlNode *spans, *logs; /* NULL: none */
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

#endif
