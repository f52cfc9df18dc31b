#include "metrics/config/prom_config.h"
#include "metrics/md5.h"

#include "base/num.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

static void test_md5(void **state) {
    (void)state;
    static const struct {
        const char *in, *out;
    } cases[] = {
        /* RFC 1321, A.5 */
        {"", "d41d8cd98f00b204e9800998ecf8427e"},
        {"abc", "900150983cd24fb0d6963f7d28e17f72"},
        {"12345678901234567890123456789012345678901234567890123456789012345678901234567890",
            "57edf4a22be3c955ac49da2e2107b67a"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        uint8_t sum[MD5_BYTES];
        Buf b = {0};
        md5(str_cstr(cases[i].in), sum);
        num_put_hex(&b, sum, sizeof sum);
        assert_string_equal(buf_cstr(&b), cases[i].out);
        buf_done(&b);
    }
}

/* The rules of a job applied to {a="foo", b="bar", c="baz"}; "dropped" or the labels left. */
static void test_rules(void **state) {
    (void)state;
    static const struct {
        const char *rules, *out;
    } cases[] = {
        {"- {source_labels: [a], target_label: d}", "{a=\"foo\", b=\"bar\", c=\"baz\", d=\"foo\"}"},
        {"- {source_labels: [a], regex: 'f(.*)', target_label: d, replacement: 'ch${1}-ch${1}'}",
            "{a=\"foo\", b=\"bar\", c=\"baz\", d=\"choo-choo\"}"},
        {"- {source_labels: [a, b], regex: 'f(.*);(.*)r', target_label: a, replacement: 'b${1}${2}m'}",
            "{a=\"boobam\", b=\"bar\", c=\"baz\"}"},
        {"- {source_labels: [a], regex: o, target_label: d}", "{a=\"foo\", b=\"bar\", c=\"baz\"}"},
        {"- {target_label: a, replacement: ''}", "{b=\"bar\", c=\"baz\"}"},
        {"- {source_labels: [a, b], separator: '', regex: foobar, action: drop}", "dropped"},
        {"- {source_labels: [a], regex: nope, action: keep}", "dropped"},
        {"- {source_labels: [a], regex: f.., action: keep}", "{a=\"foo\", b=\"bar\", c=\"baz\"}"},
        {"- {source_labels: [a], target_label: b, action: keepequal}", "dropped"},
        {"- {source_labels: [a], target_label: b, action: dropequal}", "{a=\"foo\", b=\"bar\", c=\"baz\"}"},
        {"- {source_labels: [c], target_label: d, modulus: 1000, action: hashmod}",
            "{a=\"foo\", b=\"bar\", c=\"baz\", d=\"976\"}"},
        {"- {regex: '(b.*)', action: labelmap, replacement: 'x_$1'}", "{a=\"foo\", b=\"bar\", c=\"baz\", x_b=\"bar\"}"},
        {"- {regex: '[ab]', action: labeldrop}", "{c=\"baz\"}"},
        {"- {regex: '[ab]', action: labelkeep}", "{a=\"foo\", b=\"bar\"}"},
        {"- {source_labels: [a], target_label: up, action: uppercase}",
            "{a=\"foo\", b=\"bar\", c=\"baz\", up=\"FOO\"}"},
        {"- {source_labels: [a], target_label: a, action: lowercase}", "{a=\"foo\", b=\"bar\", c=\"baz\"}"},
        {"- {target_label: u, replacement: 'gr\u00fc\u00df \u0434\u03c9 x'}\n  - {source_labels: [u], target_label: u, "
         "action: uppercase}"
         "\n  - {source_labels: [u], target_label: l, action: lowercase}\n  - {regex: '[abc]', action: labeldrop}",
            "{l=\"gr\u00fc\u00df \u0434\u03c9 x\", u=\"GR\u00dc\u00df \u0414\u03a9 X\"}"},
        {"- {source_labels: [a], regex: 'f(?P<rest>.*)', target_label: 'n_$1', replacement: '$rest'}",
            "{a=\"foo\", b=\"bar\", c=\"baz\", n_oo=\"oo\"}"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        Buf yaml = {0}, got = {0};
        DiagList diags;
        PromConfig *c;
        buf_printf(&yaml, "scrape_configs:\n- job_name: x\n  relabel_configs:\n  %s\n", cases[i].rules);
        diag_init(&diags, STR("x.yml"), buf_str(&yaml));
        if (prom_config_parse(buf_str(&yaml), STR(""), &c, &diags) != OK)
            fail_msg("%s: %s", cases[i].rules, diags.items.v[0].msg);
        RelabelSet s = {.arena = arena_create(1 << 20)};
        assert_true(relabel_set(&s, STR("c"), STR("baz")) && relabel_set(&s, STR("a"), STR("foo")) &&
                    relabel_set(&s, STR("b"), STR("bar")));
        if (relabel_apply(c->scrapes[0].relabel, &s) == RELABEL_DROPPED) {
            buf_put_lit(&got, "dropped");
        } else {
            size_t n = s.labels.n;
            assert_int_equal(labels_normalize(s.labels.v, &n, NULL), OK);
            labels_put_text(&got, (Labels){s.labels.v, n});
        }
        assert_string_equal(buf_cstr(&got), cases[i].out);
        arena_free(s.arena);
        buf_done(&got);
        buf_done(&yaml);
        diag_done(&diags);
        prom_config_free(c);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_md5), cmocka_unit_test(test_rules)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
