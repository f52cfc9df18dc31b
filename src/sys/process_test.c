#include "sys/process.h"

#include "sys/clock.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

static void test_stats(void **state) {
    (void)state;
    ProcessStats a, b;
    process_stats(&a);
    assert_true(a.rss_bytes > 100000 && a.vsize_bytes >= a.rss_bytes);
    assert_true(a.threads >= 1 && a.open_fds >= 1 && a.max_fds >= a.open_fds);
    int64_t age_ms = clock_now_ms() - a.start_time_ms;
    assert_true(age_ms > -5000 && age_ms < 600000);
    int fd = dup(1);
    process_stats(&b);
    close(fd);
    assert_int_equal(b.open_fds, a.open_fds + 1);
    assert_true(b.cpu_seconds >= a.cpu_seconds);
}

static void test_max_fds(void **state) {
    (void)state;
    struct rlimit was, lowered;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
    lowered = (struct rlimit){.rlim_cur = 64, .rlim_max = was.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &lowered), 0);
    assert_int_equal(process_raise_max_fds(32), 64);
    assert_int_equal(process_raise_max_fds(128), 128);
    ProcessStats s;
    process_stats(&s);
    assert_int_equal(s.max_fds, 128);
    assert_int_equal(process_max_fds(), 128);
    assert_true(process_raise_max_fds(UINT64_MAX / 2) >= 128);
    setrlimit(RLIMIT_NOFILE, &(struct rlimit){.rlim_cur = was.rlim_cur, .rlim_max = was.rlim_max});
}

static void test_names(void **state) {
    (void)state;
    Buf b = {0};
    process_hostname(&b);
    assert_true(b.n > 0);
    assert_int_equal(process_pid(), getpid());
    buf_done(&b);
}

static void check_listener(int family) {
    int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return; /* no IPv6 here */
    struct sockaddr_storage addr = {.ss_family = (sa_family_t)family};
    socklen_t n = sizeof addr;
    if (bind(fd, (struct sockaddr *)&addr, sizeof addr) != 0) {
        close(fd);
        return;
    }
    assert_int_equal(getsockname(fd, (struct sockaddr *)&addr, &n), 0);
    uint16_t port =
        ntohs(family == AF_INET ? ((struct sockaddr_in *)&addr)->sin_port : ((struct sockaddr_in6 *)&addr)->sin6_port);
    Buf out = {0};
    assert_false(process_find_listener(port, &out)); /* bound, but nobody listens */
    assert_int_equal(out.n, 0);
    assert_int_equal(listen(fd, 1), 0);
    assert_true(process_find_listener(port, &out));
    char want[64];
    snprintf(want, sizeof want, "(pid %d)", (int)getpid());
    assert_true(str_ends_with(buf_str(&out), str_cstr(want)));
    close(fd);
    buf_done(&out);
}

static void test_listener(void **state) {
    (void)state;
    check_listener(AF_INET);
    check_listener(AF_INET6);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stats),
        cmocka_unit_test(test_max_fds),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_listener),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
