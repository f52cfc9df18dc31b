/* test_input.h - reading what unit tests of rules feed in beside series: members of entries, each error with its place
 * in the file. */
#ifndef MEERKAT_CMD_TEST_INPUT_H
#define MEERKAT_CMD_TEST_INPUT_H

#include "codec/yaml.h"
#include "model/attrs.h"

#define TEST_INPUT_MAX 1000000                                  /* spans or lines of one test */
#define TEST_INPUT_RETENTION_MS (INT64_C(300) * 365 * 86400000) /* tests begin in 1970 unless they say otherwise */
#define TEST_INPUT_HEAD_BYTES ((size_t)1 << 30)

/* When entries come: `at` after the start of the test, `count` of them, `every` apart. */
typedef struct TestTimes {
    int64_t at_ms, every_ms, count;
} TestTimes;

ErrCode test_input_fail(Err *reterr, const YamlNode *at, const char *what);
ErrCode test_input_duration(const YamlNode *n, int64_t *ret_ms, Err *reterr);
ErrCode test_input_text(const YamlNode *n, Str *ret, Err *reterr);
ErrCode test_input_map(const YamlNode *n, const YamlNode **ret, Err *reterr);
/* ret_known false: n is none of at, every and count. */
ErrCode test_input_times(const YamlNode *n, TestTimes *ret, bool *ret_known, Err *reterr);
/* Numbers and booleans that are not quoted keep their type. */
AttrValue test_input_value(const YamlNode *n);
/* Appends the mapping's members to the pool and to the range; map NULL: none. false: out of memory. */
bool test_input_attrs(AttrPool *pool, Arena *arena, const YamlNode *map, AttrRange *range);

#endif
