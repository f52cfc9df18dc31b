#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/alert.h"

/* The first as a real Alertmanager prints it. */
static const struct {
    const char *labels;
    uint64_t fingerprint;
} cases[] = {
    {"{alertname=\"HighLLMLatency\", service=\"llm-api\", severity=\"critical\"}", UINT64_C(0x3336c41e686316ac)},
    {"{}", UINT64_C(0xcbf29ce484222325)},
};

static void fingerprints(void **state) {
    (void)state;
    Arena *arena = arena_create(1 << 16);
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Labels labels;
        Err err = {0};
        assert_int_equal(labels_parse(str_cstr(cases[i].labels), arena, &labels, &err), OK);
        assert_true(alert_fingerprint(labels) == cases[i].fingerprint);
    }
    arena_free(arena);
}

static void resolved_at_its_end(void **state) {
    (void)state;
    Alert a = {.ends_ns = 10};
    assert_false(alert_is_resolved(&a, 9));
    assert_true(alert_is_resolved(&a, 10));
    a.ends_ns = 0;
    assert_false(alert_is_resolved(&a, 10));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(fingerprints), cmocka_unit_test(resolved_at_its_end)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
