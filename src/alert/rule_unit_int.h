/* rule_unit_int.h - the run of a file of unit tests. Private to rule_unit*.c. */
#ifndef MEERKAT_ALERT_RULE_UNIT_INT_H
#define MEERKAT_ALERT_RULE_UNIT_INT_H

#include "alert/rule_unit_read.h"

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
void rule_unit_test(UnitRun *r, const UnitTest *t, Str name);

#endif
