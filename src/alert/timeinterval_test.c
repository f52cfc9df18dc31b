#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "alert/timeinterval.h"

#include "base/timefmt.h"

static int64_t at(const char *text) {
    int64_t ns;
    assert_true(time_parse_rfc3339(str_cstr(text), &ns));
    return ns / NS_PER_S;
}

/* Interval, a time, whether it holds then. */
static const struct {
    const char *yaml, *time;
    bool want;
} cases[] = {
    {"[]", "2026-11-20T12:00:00Z", false},
    {"[{}]", "2026-11-20T12:00:00Z", true},
    {"[{times: [{start_time: '09:00', end_time: '17:00'}]}]", "2026-11-20T09:00:00Z", true},
    {"[{times: [{start_time: '09:00', end_time: '17:00'}]}]", "2026-11-20T16:59:59Z", true},
    {"[{times: [{start_time: '09:00', end_time: '17:00'}]}]", "2026-11-20T17:00:00Z", false},
    {"[{times: [{start_time: '22:00', end_time: '24:00'}]}]", "2026-11-20T23:59:00Z", true},
    {"[{weekdays: ['monday:friday']}]", "2026-11-20T12:00:00Z", true}, /* a Friday */
    {"[{weekdays: [saturday, Sunday]}]", "2026-11-22T12:00:00Z", true},
    {"[{weekdays: [saturday, sunday]}]", "2026-11-20T12:00:00Z", false},
    {"[{days_of_month: ['-1']}]", "2024-02-29T12:00:00Z", true},
    {"[{days_of_month: ['-1']}]", "2024-02-28T12:00:00Z", false},
    {"[{days_of_month: ['-3:-1']}]", "2026-11-28T12:00:00Z", true},
    {"[{days_of_month: ['29:31']}]", "2025-02-28T12:00:00Z", false},
    {"[{days_of_month: ['20:31']}]", "2025-02-28T12:00:00Z", true},
    {"[{months: ['january:march']}]", "2026-03-31T23:59:59Z", true},
    {"[{months: ['1:3', december]}]", "2026-12-01T00:00:00Z", true},
    {"[{years: ['2020:2022']}]", "2023-01-01T00:00:00Z", false},
    {"[{years: ['2020:2022'], months: [may]}, {years: ['2023']}]", "2023-01-01T00:00:00Z", true},
    /* Paris: +1 in winter, +2 in summer. */
    {"[{times: [{start_time: '09:00', end_time: '10:00'}], location: Europe/Paris}]", "2026-01-15T08:30:00Z", true},
    {"[{times: [{start_time: '09:00', end_time: '10:00'}], location: Europe/Paris}]", "2026-07-15T07:30:00Z", true},
    {"[{times: [{start_time: '09:00', end_time: '10:00'}], location: Europe/Paris}]", "2026-07-15T08:30:00Z", false},
    /* Beyond the table of transitions, by the rule of the footer. */
    {"[{times: [{start_time: '09:00', end_time: '10:00'}], location: Europe/Paris}]", "2071-07-15T07:30:00Z", true},
    {"[{times: [{start_time: '09:00', end_time: '10:00'}], location: America/New_York}]", "2071-01-15T14:30:00Z", true},
    {"[{weekdays: [monday], location: Australia/Sydney}]", "2026-11-22T14:00:00Z", true}, /* Monday there */
    {"[{times: [{start_time: '05:30', end_time: '05:31'}], location: Asia/Kolkata}]", "2026-11-22T00:00:00Z", true},
};

static const struct {
    const char *yaml, *error;
} bad[] = {
    {"[{weekdays: [mon]}]", "mon is not a valid weekday"},
    {"[{weekdays: ['friday:monday']}]", "start day cannot be before end day"},
    {"[{times: [{start_time: '9:00', end_time: '10:00'}]}]", "couldn't parse timestamp 9:00, invalid format"},
    {"[{times: [{start_time: '09:00', end_time: '24:01'}]}]", "couldn't parse timestamp 24:01, invalid format"},
    {"[{times: [{start_time: '09:00'}]}]", "both start and end times must be provided"},
    {"[{times: [{start_time: '09:00', end_time: '09:00'}]}]", "start time cannot be equal or greater than end time"},
    {"[{days_of_month: ['0']}]", "0 is not a valid day of the month: out of range"},
    {"[{days_of_month: ['-1:5']}]", "end day must be negative if start day is negative"},
    {"[{days_of_month: ['10:5']}]", "end day 5 is always before start day 10"},
    {"[{months: ['may:april']}]", "end month april is before start month may"},
    {"[{years: ['2022:2020']}]", "end year 2020 is before start year 2022"},
    {"[{location: Mars/Olympus}]", "unknown time zone Mars/Olympus"},
    {"[{location: ../../etc/passwd}]", "unknown time zone ../../etc/passwd"},
    {"[{weekday: [monday]}]", "unknown key \"weekday\" in a time interval"},
};

static ErrCode parse(const char *yaml, Arena *arena, TimeIntervalSet *set, DiagList *diags) {
    YamlNode *root;
    *set = (TimeIntervalSet){0};
    ErrCode rc = yaml_parse(str_cstr(yaml), arena, &root, diags);
    return rc ? rc : timeintervals_parse(root, arena, set, diags);
}

static void contains(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Arena *arena = arena_create(1 << 20);
        TimeIntervalSet set;
        DiagList diags;
        diag_init(&diags, STR("t"), STR_NULL);
        assert_int_equal(parse(cases[i].yaml, arena, &set, &diags), OK);
        if (timeintervals_contain(&set, at(cases[i].time)) != cases[i].want)
            fail_msg("%s at %s", cases[i].yaml, cases[i].time);
        diag_done(&diags);
        arena_free(arena);
    }
}

static void refuses(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        Arena *arena = arena_create(1 << 20);
        TimeIntervalSet set;
        DiagList diags;
        diag_init(&diags, STR("t"), STR_NULL);
        assert_int_equal(parse(bad[i].yaml, arena, &set, &diags), ERR_INVALID);
        assert_string_equal(diags.items.v[0].msg, bad[i].error);
        assert_true(diags.items.v[0].line == 1 && diags.items.v[0].col > 1);
        diag_done(&diags);
        arena_free(arena);
    }
}

static void finds_the_next_change(void **state) {
    (void)state;
    Arena *arena = arena_create(1 << 20);
    TimeIntervalSet set;
    DiagList diags;
    diag_init(&diags, STR("t"), STR_NULL);
    assert_int_equal(parse("[{times: [{start_time: '09:00', end_time: '17:00'}]}]", arena, &set, &diags), OK);
    int64_t from = at("2026-11-20T18:00:30Z");
    assert_true(timeintervals_next(&set, true, from, from + 86400) == at("2026-11-21T09:00:00Z"));
    assert_true(timeintervals_next(&set, false, from, from + 86400) == from);
    assert_true(timeintervals_next(&set, true, from, from + 3600) == INT64_MAX);
    diag_done(&diags);
    arena_free(arena);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(contains), cmocka_unit_test(refuses), cmocka_unit_test(finds_the_next_change)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
