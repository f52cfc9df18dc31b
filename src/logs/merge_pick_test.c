#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <setjmp.h>

#include <cmocka.h>

#include "base/base.h"
#include "logs/merge_pick.h"

#define DAY INT64_C(86400000000000)
#define MB ((uint64_t)1 << 20)

typedef struct Case {
    const char
        *sizes; /* a letter per part: a is 1 MB, b 2 MB, c 4 MB, ...; '.' begins another day; '!' damages the last */
    size_t first, n; /* to be merged */
} Case;

#define SIXTEEN "eeeeeeeeeeeeeeee"

static const Case cases[] = {
    {"", 0, 0},
    {"a", 0, 0},
    {"aaaaaaa", 0, 0},
    {"aaaaaaaa", 0, 8},
    {"eaaaaaaaa", 1, 8},
    {"aaaaaaaaaaaa", 0, 12},
    {"aaaa.aaaa", 0, 4}, /* the first day is over: few are enough */
    {"cccccccc", 0, 8},
    {"eeeeeeee", 0, 0}, /* large ones are left alone */
    {"eaaaeaaaaaaaae", 5, 8},
    {SIXTEEN SIXTEEN SIXTEEN SIXTEEN, 0, 0},
    {SIXTEEN SIXTEEN SIXTEEN SIXTEEN "e", 0, 16}, /* unless there are many */
    {SIXTEEN SIXTEEN SIXTEEN SIXTEEN "gggggggggggg.g", 0, 16},
};

static void test_pick(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        PartRef parts[128] = {0};
        uint64_t skip[8];
        size_t n = 0, n_skip = 0, first = 0;
        int64_t day = 1000;
        for (const char *c = cases[i].sizes; *c; c++) {
            if (*c == '.') {
                day++;
            } else if (*c == '!') {
                skip[n_skip++] = n;
            } else {
                parts[n].info.size_bytes = MB << (*c - 'a');
                parts[n].info.min_t = day * DAY + (int64_t)n;
                parts[n].info.id = n + 1;
                n++;
            }
        }
        size_t got = log_merge_pick(parts, n, day * DAY, 256 * MB, skip, n_skip, &first);
        if (got != cases[i].n || (got > 0 && first != cases[i].first))
            fail_msg("%s: %zu from %zu", cases[i].sizes, got, first);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_pick)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
