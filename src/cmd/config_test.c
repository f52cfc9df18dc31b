#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cmd/config.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static char path[64];

static void write_file(const char *text) {
    snprintf(path, sizeof path, "/tmp/meerkat-config-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
    close(fd);
}

/* The first problem's place and message for a file; line 0 and msg NULL: it loads. */
static const struct FileCase {
    const char *text;
    int line, col;
    const char *msg, *hint;
} file_cases[] = {
    {"", 0, 0, NULL, NULL},
    {"storage:\n  metrics:\n    retention: 30d\n", 0, 0, NULL, NULL},
    {"files:\n  runbooks: [a.md, b]\n", 0, 0, NULL, NULL},
    {"storge: {}\n", 1, 1, "unknown key \"storge\"", "did you mean \"storage\"?"},
    {"storage:\n  durabilty: fsync\n", 2, 3, "unknown key \"durabilty\" in storage", "did you mean \"durability\"?"},
    {"storage:\n  durability: always\n", 2, 15, "storage.durability must be one of fsync|interval, not \"always\"",
        NULL},
    {"server:\n  ports:\n    ui: 70000\n", 3, 9, "server.ports.ui must be between 0 and 65535", NULL},
    {"server:\n  ports:\n    ui: web\n", 3, 9, "server.ports.ui must be a whole number, not \"web\"", NULL},
    {"query:\n  timeout: soon\n", 2, 12, "query.timeout must be a duration such as 30s, 5m, 15d, not \"soon\"", NULL},
    {"server: 5\n", 1, 9, "server must be a mapping", NULL},
    {"auth:\n  loopback_open: maybe\n", 2, 18, "auth.loopback_open must be true or false, not \"maybe\"", NULL},
    {"retention:\n- {selector: '{job=\"a\"}', keep: 30d}\n- selector: up\n  keep: 1h\n", 0, 0, NULL, NULL},
    {"downsample: [{selector: up, after: 30d, resolution: 5m}]\n", 0, 0, NULL, NULL},
    {"retention: 30d\n", 1, 12, "retention must be a list", NULL},
    {"retention:\n- up\n", 2, 3, "retention: an entry must be a mapping", NULL},
    {"retention:\n- {selector: up}\n", 2, 3, "retention: an entry without keep", NULL},
    {"retention:\n- {selector: up, keep: soon}\n", 2, 24,
        "retention: keep must be a duration such as 30s, 5m, 15d, not \"soon\"", NULL},
    {"retention:\n- {selector: up, keep: 1m}\n", 2, 24, "retention: keep is out of range", NULL},
    {"retention:\n- {selector: up, keep: 1d, kep: 1d}\n", 2, 28, "unknown key \"kep\" in retention",
        "did you mean \"keep\"?"},
    {"downsample:\n- {selector: 'up{', after: 1d, resolution: 5m}\n", 2, 14,
        "downsample: selector is no series selector: 1:4: parse error: unexpected end of input inside braces", NULL},
    {"server:\n  ports: {ui: 9090}\n", 0, 0, "server.ports.ui and server.ports.prometheus are both 9090", NULL},
};

static void test_files(void **state) {
    (void)state;
    for (size_t i = 0; i < ARRAY_LEN(file_cases); i++) {
        const struct FileCase *c = &file_cases[i];
        write_file(c->text);
        Arena *arena = arena_create(ARENA_UNLIMITED);
        DiagList diags;
        diag_init(&diags, str_cstr(path), STR_NULL);
        Config *config = config_load(path, NULL, 0, arena, &diags);
        assert_true((config != NULL) == (c->msg == NULL));
        if (c->msg) {
            assert_int_equal(diags.items.n, 1);
            assert_string_equal(diags.items.v[0].msg, c->msg);
            assert_int_equal(diags.items.v[0].line, c->line);
            assert_int_equal(diags.items.v[0].col, c->col);
            if (c->hint) assert_string_equal(diags.items.v[0].hint, c->hint);
        }
        diag_done(&diags);
        arena_free(arena);
        unlink(path);
    }
}

static void test_all_problems_at_once(void **state) {
    (void)state;
    write_file("a: 1\nserver:\n  listn: x\nquery:\n  timeout: x\n");
    Arena *arena = arena_create(ARENA_UNLIMITED);
    DiagList diags;
    diag_init(&diags, str_cstr(path), STR_NULL);
    assert_null(config_load(path, NULL, 0, arena, &diags));
    assert_int_equal(diag_error_count(&diags), 3);
    diag_done(&diags);
    arena_free(arena);
    unlink(path);
}

static void test_flags_win_over_environment_over_file(void **state) {
    (void)state;
    write_file("server:\n  port_offset: 1\n  ports: {ui: 1000, loki: 1001}\n");
    Arena *arena = arena_create(ARENA_UNLIMITED);
    DiagList diags;
    diag_init(&diags, str_cstr(path), STR_NULL);
    setenv("MEERKAT_PORT_OFFSET", "2", 1);
    setenv("GRAFANA_PORT", "3005", 1);
    ConfigFlag flags[] = {{STR("port-offset"), STR("3")}, {STR("runbooks"), STR("x")}, {STR("runbooks"), STR("y")}};
    Config *c = config_load(path, flags, ARRAY_LEN(flags), arena, &diags);
    assert_non_null(c);
    assert_int_equal(c->server.port_offset, 3);
    assert_int_equal(c->server.ui, 3005);
    assert_int_equal(c->server.loki, 1001);
    assert_int_equal(c->files.runbooks.n, 2);
    unsetenv("MEERKAT_PORT_OFFSET");
    unsetenv("GRAFANA_PORT");
    diag_done(&diags);
    arena_free(arena);
    unlink(path);
}

static void test_flag_names(void **state) {
    (void)state;
    bool takes_value;
    assert_true(config_is_flag(STR("storage.data-dir"), &takes_value) && takes_value);
    assert_true(config_is_flag(STR("data-dir"), &takes_value) && takes_value);
    assert_true(config_is_flag(STR("auth.loopback-open"), &takes_value) && !takes_value);
    assert_false(config_is_flag(STR("nope"), &takes_value));
    assert_true(str_eq_lit(config_suggest_flag(STR("datadir")), "data-dir"));
}

static void test_effective_configuration_loads_again(void **state) {
    (void)state;
    Arena *arena = arena_create(ARENA_UNLIMITED);
    DiagList diags;
    diag_init(&diags, STR("x"), STR_NULL);
    write_file("retention: [{selector: 'up{a=\"b\"}', keep: 30d}, {selector: x, keep: 1h}]\n"
               "downsample: [{selector: y, after: 2d, resolution: 90s}]\n");
    Config *c = config_load(path, NULL, 0, arena, &diags);
    unlink(path);
    assert_non_null(c);
    assert_int_equal(c->retention.n, 2);
    assert_int_equal(((const ConfigKeep *)c->retention.v)[1].keep_ms, 3600000);
    assert_int_equal(((const ConfigDownsample *)c->downsample.v)[0].resolution_ms, 90000);
    Buf a = {0}, b = {0};
    config_put_yaml(&a, c);
    write_file(buf_cstr(&a));
    Config *again = config_load(path, NULL, 0, arena, &diags);
    assert_non_null(again);
    config_put_yaml(&b, again);
    assert_string_equal(buf_cstr(&a), buf_cstr(&b));
    buf_done(&a);
    buf_done(&b);
    diag_done(&diags);
    arena_free(arena);
    unlink(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_all_problems_at_once),
        cmocka_unit_test(test_flags_win_over_environment_over_file),
        cmocka_unit_test(test_flag_names),
        cmocka_unit_test(test_effective_configuration_loads_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
