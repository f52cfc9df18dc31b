#include "sys/process.h"

#include "base/err.h"
#include "base/num.h"
#include "base/timefmt.h"
#include "sys/clock.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

/* Fields of /proc/self/stat by their number in proc(5). */
enum { STAT_UTIME = 14, STAT_STIME = 15, STAT_THREADS = 20, STAT_START = 22, STAT_VSIZE = 23, STAT_RSS = 24 };

static size_t read_small_file(const char *path, char *buf, size_t cap) {
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0) return 0;
    ssize_t n = read(fd, buf, cap);
    close(fd);
    return n > 0 ? (size_t)n : 0;
}

/* Fills fields[3..24]; the second field is a name in brackets that may hold anything, so count from its end. */
static bool read_stat_fields(uint64_t fields[STAT_RSS + 1]) {
    char buf[1024];
    Str rest = str_of(buf, read_small_file("/proc/self/stat", buf, sizeof buf));
    size_t close_at = str_rfind_char(rest, ')');
    if (close_at == SIZE_MAX || close_at + 2 > rest.n) return false;
    rest = str_skip(rest, close_at + 2);
    Str part;
    for (int i = 3; i <= STAT_RSS; i++) {
        fields[i] = 0;
        if (!str_split_next(&rest, ' ', &part)) return false;
        if (i >= STAT_UTIME && !num_parse_u64(part, &fields[i])) fields[i] = 0; /* some are negative: not ours */
    }
    return true;
}

static int64_t read_boot_time_s(void) {
    FILE *f = fopen("/proc/stat", "re");
    if (!f) return 0;
    char line[8192];
    long long boot_s = 0;
    while (fgets(line, sizeof line, f))
        if (sscanf(line, "btime %lld", &boot_s) == 1) break;
    fclose(f);
    return boot_s;
}

static uint64_t count_open_fds(void) {
    DIR *dir = opendir("/proc/self/fd");
    if (!dir) return 0;
    uint64_t n = 0;
    for (struct dirent *e; (e = readdir(dir));)
        if (e->d_name[0] != '.') n++;
    closedir(dir);
    return n ? n - 1 : 0; /* the directory itself was open */
}

void process_stats(ProcessStats *ret) {
    *ret = (ProcessStats){0};
    uint64_t f[STAT_RSS + 1];
    double ticks_per_s = (double)sysconf(_SC_CLK_TCK);
    if (read_stat_fields(f)) {
        ret->cpu_seconds = (double)(f[STAT_UTIME] + f[STAT_STIME]) / ticks_per_s;
        ret->threads = f[STAT_THREADS];
        ret->vsize_bytes = f[STAT_VSIZE];
        ret->rss_bytes = f[STAT_RSS] * process_page_bytes();
        ret->start_time_ms =
            read_boot_time_s() * MS_PER_S + (int64_t)((double)f[STAT_START] * (double)MS_PER_S / ticks_per_s);
    }
    struct rlimit lim;
    if (getrlimit(RLIMIT_NOFILE, &lim) == 0) ret->max_fds = lim.rlim_cur;
    ret->open_fds = count_open_fds();
}

uint64_t process_raise_max_fds(uint64_t want) {
    struct rlimit lim;
    if (getrlimit(RLIMIT_NOFILE, &lim) != 0) return 0;
    if (lim.rlim_cur >= want) return lim.rlim_cur;
    struct rlimit raised = {.rlim_cur = want, .rlim_max = MAX(lim.rlim_max, want)};
    if (setrlimit(RLIMIT_NOFILE, &raised) == 0) return want;
    raised = (struct rlimit){.rlim_cur = MIN(want, lim.rlim_max), .rlim_max = lim.rlim_max};
    return setrlimit(RLIMIT_NOFILE, &raised) == 0 ? raised.rlim_cur : lim.rlim_cur;
}

uint64_t process_max_fds(void) {
    struct rlimit lim;
    return getrlimit(RLIMIT_NOFILE, &lim) == 0 ? lim.rlim_cur : UINT64_MAX;
}

int process_pid(void) { return (int)getpid(); }

void process_hostname(Buf *out) {
    char name[256];
    if (gethostname(name, sizeof name) != 0) {
        buf_put_lit(out, "localhost");
        return;
    }
    name[sizeof name - 1] = '\0';
    buf_put(out, name, strlen(name));
}

void process_user_name(Buf *out) {
    struct passwd entry, *found = NULL;
    char text[4096];
    if (getpwuid_r(geteuid(), &entry, text, sizeof text, &found) == 0 && found)
        buf_put(out, entry.pw_name, strlen(entry.pw_name));
    else
        buf_printf(out, "%u", (unsigned)geteuid());
}

/* Socket inode of the listener on port in a table of the kernel, or 0. Source: proc_net_tcp in the kernel's docs. */
static uint64_t find_listen_inode(const char *path, uint16_t port) {
    enum { TCP_STATE_LISTEN = 0x0a };
    FILE *f = fopen(path, "re");
    if (!f) return 0;
    char line[512];
    uint64_t found = 0;
    while (!found && fgets(line, sizeof line, f)) {
        unsigned local_port, state;
        unsigned long long inode;
        if (sscanf(line, "%*d: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*x:%*x %*x:%*x %*x %*u %*u %llu", &local_port,
                &state, &inode) == 3 &&
            local_port == port && state == TCP_STATE_LISTEN)
            found = inode;
    }
    fclose(f);
    return found;
}

static bool pid_holds_socket(const char *pid, const char *link_want) {
    char path[64], link[64];
    snprintf(path, sizeof path, "/proc/%.20s/fd", pid);
    DIR *dir = opendir(path);
    if (!dir) return false; /* another user's process, or it has just ended */
    bool found = false;
    for (struct dirent *e; !found && (e = readdir(dir));) {
        ssize_t n = readlinkat(dirfd(dir), e->d_name, link, sizeof link - 1);
        if (n <= 0) continue;
        link[n] = '\0';
        found = strcmp(link, link_want) == 0;
    }
    closedir(dir);
    return found;
}

static void put_process_name(const char *pid, Buf *out) {
    char path[64], name[64];
    snprintf(path, sizeof path, "/proc/%.20s/comm", pid);
    Str comm = str_trim(str_of(name, read_small_file(path, name, sizeof name)));
    if (comm.n == 0) comm = STR("unknown");
    buf_printf(out, "%" STR_FMT " (pid %.20s)", STR_ARG(comm), pid);
}

bool process_find_listener(uint16_t port, Buf *out) {
    uint64_t inode = find_listen_inode("/proc/net/tcp", port);
    if (!inode) inode = find_listen_inode("/proc/net/tcp6", port);
    if (!inode) return false;
    char want[64];
    snprintf(want, sizeof want, "socket:[%llu]", (unsigned long long)inode);
    DIR *proc = opendir("/proc");
    if (!proc) return false;
    bool found = false;
    for (struct dirent *e; !found && (e = readdir(proc));) {
        if (!isdigit((unsigned char)e->d_name[0]) || !pid_holds_socket(e->d_name, want)) continue;
        put_process_name(e->d_name, out);
        found = true;
    }
    closedir(proc);
    return found;
}

uint64_t process_page_bytes(void) { return (uint64_t)sysconf(_SC_PAGESIZE); }

uint64_t process_memory_bytes(void) {
    uint64_t machine = (uint64_t)sysconf(_SC_PHYS_PAGES) * process_page_bytes(), limit;
    static const char *const files[] = {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"};
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        char buf[64];
        Str text = str_trim(str_of(buf, read_small_file(files[i], buf, sizeof buf)));
        if (num_parse_u64(text, &limit) && limit > 0) machine = MIN(machine, limit); /* "max": no limit */
    }
    return machine;
}
