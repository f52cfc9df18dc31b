/* cgroup.c - control groups under cAdvisor's names. Version 2 is one tree; version 1 has one for each controller, of
 * which cpuacct and memory are read. */
#include "base/num.h"
#include "metrics/host/host_int.h"

#include <math.h>
#include <stdio.h>

#define C METRIC_COUNTER
#define G METRIC_GAUGE
#define GROUPS_MAX 2000
#define DEPTH_MAX 8
#define UNLIMITED 9.2e18 /* version 1 says "no limit" by a number about this large */

typedef struct CgroupWalk {
    HostRound *r;
    const char *root; /* of the tree: /sys/fs/cgroup */
    bool v2;
    unsigned groups;
    double boot_s; /* when the machine started; 0: not known */
} CgroupWalk;

typedef struct Cgroup {
    CgroupWalk *w;
    const char *id;   /* "/", "/system.slice/docker-<64 hex>.scope" */
    const char *name; /* container id or unit; "" for others */
    bool is_container;
} Cgroup;

static void add(const Cgroup *g, MetricType type, const char *name, double v) {
    host_add(g->w->r, type, name, v, "id", g->id, "name", g->name, NULL);
}

static bool read_group(const Cgroup *g, Str *ret, const char *controller, const char *file) {
    const char *sep = *controller ? "/" : "";
    return host_read(g->w->r, ret, "%s%s%s%s/%s", g->w->root, sep, controller, strcmp(g->id, "/") ? g->id : "", file);
}

static bool read_number(const Cgroup *g, double *ret, const char *controller, const char *file) {
    Str text;
    return read_group(g, &text, controller, file) && num_parse_f64(str_trim(text), ret);
}

/* The number behind key in "key number" lines; false when it is not there. */
static bool stat_value(Str text, const char *key, double *ret) {
    Str line, word;
    while (host_next_line(&text, &line)) {
        if (!host_next_word(&line, &word) || !str_eq(word, str_cstr(key))) continue;
        *ret = host_next_number(&line);
        return true;
    }
    return false;
}

static void add_stat(const Cgroup *g, Str text, const char *key, MetricType type, const char *name, double scale) {
    double v;
    if (stat_value(text, key, &v)) add(g, type, name, v / scale);
}

/* Usage without what the kernel could drop at once, as cAdvisor and the OOM killer see it. */
static void add_memory(const Cgroup *g, double usage, Str stat, const char *inactive_key) {
    double inactive = 0;
    (void)stat_value(stat, inactive_key, &inactive);
    add(g, G, "container_memory_usage_bytes", usage);
    add(g, G, "container_memory_working_set_bytes", usage > inactive ? usage - inactive : 0);
}

static void cpu_v2(const Cgroup *g) {
    Str stat, max, word;
    if (!read_group(g, &stat, "", "cpu.stat")) return;
    add_stat(g, stat, "usage_usec", C, "container_cpu_usage_seconds_total", 1e6);
    add_stat(g, stat, "user_usec", C, "container_cpu_user_seconds_total", 1e6);
    add_stat(g, stat, "system_usec", C, "container_cpu_system_seconds_total", 1e6);
    add_stat(g, stat, "nr_periods", C, "container_cpu_cfs_periods_total", 1);
    add_stat(g, stat, "nr_throttled", C, "container_cpu_cfs_throttled_periods_total", 1);
    add_stat(g, stat, "throttled_usec", C, "container_cpu_cfs_throttled_seconds_total", 1e6);
    if (!read_group(g, &max, "", "cpu.max")) return;
    double quota = host_next_word(&max, &word) && num_parse_f64(word, &quota) ? quota : 0; /* "max 100000" */
    if (quota > 0) add(g, G, "container_spec_cpu_quota", quota);
    Str period = str_trim(max);
    double p;
    if (num_parse_f64(period, &p)) add(g, G, "container_spec_cpu_period", p);
}

static void memory_v2(const Cgroup *g) {
    Str stat = STR_NULL, events;
    double v;
    (void)read_group(g, &stat, "", "memory.stat");
    if (read_number(g, &v, "", "memory.current")) add_memory(g, v, stat, "inactive_file");
    add_stat(g, stat, "anon", G, "container_memory_rss", 1);
    add_stat(g, stat, "file", G, "container_memory_cache", 1);
    add_stat(g, stat, "file_mapped", G, "container_memory_mapped_file", 1);
    add_stat(g, stat, "pgfault", C, "container_memory_page_faults_total", 1);
    /* No limit is 0 for cAdvisor: rules divide by it only where it is above 0. */
    Str max;
    if (read_group(g, &max, "", "memory.max"))
        add(g, G, "container_spec_memory_limit_bytes", num_parse_f64(str_trim(max), &v) ? v : 0);
    if (read_number(g, &v, "", "memory.swap.current")) add(g, G, "container_memory_swap", v);
    if (read_group(g, &events, "", "memory.events"))
        add_stat(g, events, "oom_kill", C, "container_oom_events_total", 1);
}

/* "8:0 rbytes=1 wbytes=2 rios=3 wios=4 ..." of each device, summed up. */
static void io_v2(const Cgroup *g) {
    static const struct {
        const char *key, *name;
    } keys[] = {{"rbytes=", "container_fs_reads_bytes_total"}, {"wbytes=", "container_fs_writes_bytes_total"},
        {"rios=", "container_fs_reads_total"}, {"wios=", "container_fs_writes_total"}};
    Str text, line, word;
    double sums[ARRAY_LEN(keys)] = {0};
    if (!read_group(g, &text, "", "io.stat")) return;
    while (host_next_line(&text, &line)) {
        while (host_next_word(&line, &word)) {
            for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
                Str key = str_cstr(keys[i].key);
                double v;
                if (str_starts_with(word, key) && num_parse_f64(str_skip(word, key.n), &v)) sums[i] += v;
            }
        }
    }
    for (size_t i = 0; i < ARRAY_LEN(keys); i++) add(g, C, keys[i].name, sums[i]);
}

/* A process of the group; 0 when it has none of its own. */
static unsigned first_process(const Cgroup *g) {
    Str text;
    double pid;
    if (!read_group(g, &text, g->w->v2 ? "" : "memory", "cgroup.procs")) return 0;
    pid = host_next_number(&text);
    return pid > 0 && pid < UINT32_MAX ? (unsigned)pid : 0;
}

/* What went through the network name space of its processes: a container's own. */
static void network(const Cgroup *g, unsigned pid) {
    static const struct {
        const char *name;
        size_t column;
    } facts[] = {{"container_network_receive_bytes_total", 0}, {"container_network_receive_packets_total", 1},
        {"container_network_receive_errors_total", 2}, {"container_network_receive_packets_dropped_total", 3},
        {"container_network_transmit_bytes_total", 8}, {"container_network_transmit_packets_total", 9},
        {"container_network_transmit_errors_total", 10}, {"container_network_transmit_packets_dropped_total", 11}};
    HostRound *r = g->w->r;
    Str text;
    const char *device;
    double columns[HOST_NET_COLUMNS];
    if (!host_read(r, &text, "%s/%u/net/dev", r->paths->proc, pid)) return;
    while (host_next_device(r, &text, &device, columns)) {
        if (strcmp(device, "lo") == 0) continue;
        for (size_t i = 0; i < ARRAY_LEN(facts); i++)
            host_add(
                r, C, facts[i].name, columns[facts[i].column], "id", g->id, "name", g->name, "interface", device, NULL);
    }
}

/* When the process started: the 22nd word of its stat, in ticks since boot. Its name, in brackets, may hold blanks. */
static void start_time(const Cgroup *g, unsigned pid) {
    HostRound *r = g->w->r;
    Str text, word;
    if (!host_read(r, &text, "%s/%u/stat", r->paths->proc, pid)) return;
    text = str_skip(text, str_rfind_char(text, ')') + 1);
    for (int i = 3; i < 22; i++) (void)host_next_word(&text, &word);
    double ticks = host_next_number(&text);
    if (ticks > 0 && g->w->boot_s > 0)
        add(g, G, "container_start_time_seconds", floor(g->w->boot_s + ticks / HOST_USER_HZ));
}

static void container(const Cgroup *g) {
    add(g, G, "container_last_seen", floor((double)g->w->r->t_ms / 1000));
    unsigned pid = g->is_container ? first_process(g) : strcmp(g->id, "/") ? 0 : 1;
    if (!pid) return;
    network(g, pid);
    if (g->is_container) start_time(g, pid);
}

static void group_v2(const Cgroup *g) {
    double v;
    cpu_v2(g);
    memory_v2(g);
    io_v2(g);
    if (read_number(g, &v, "", "pids.current")) add(g, G, "container_threads", v);
    if (read_number(g, &v, "", "pids.max")) add(g, G, "container_threads_max", v);
}

static void group_v1(const Cgroup *g) {
    double v;
    Str stat = STR_NULL;
    if (read_number(g, &v, "cpuacct", "cpuacct.usage")) add(g, C, "container_cpu_usage_seconds_total", v / 1e9);
    (void)read_group(g, &stat, "memory", "memory.stat");
    if (read_number(g, &v, "memory", "memory.usage_in_bytes")) add_memory(g, v, stat, "total_inactive_file");
    add_stat(g, stat, "total_rss", G, "container_memory_rss", 1);
    add_stat(g, stat, "total_cache", G, "container_memory_cache", 1);
    add_stat(g, stat, "total_mapped_file", G, "container_memory_mapped_file", 1);
    if (read_number(g, &v, "memory", "memory.limit_in_bytes"))
        add(g, G, "container_spec_memory_limit_bytes", v < UNLIMITED ? v : 0);
}

/* "docker-<id>.scope", "cri-containerd-<id>.scope", "<id>": the id's first 12 digits; a unit's own name otherwise. */
static const char *group_name(HostRound *r, Str base, bool *ret_is_container) {
    Str s = str_ends_with(base, STR(".scope")) ? str_slice(base, 0, base.n - 6) : base;
    size_t digits = 0;
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        digits = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') ? digits + 1 : 0;
    }
    *ret_is_container = digits >= 64;
    if (digits >= 64) return host_cstr(r, str_slice(s, s.n - 64, s.n - 52));
    return str_ends_with(base, STR(".service")) || str_ends_with(base, STR(".scope")) ? host_cstr(r, base) : "";
}

typedef struct ChildNames {
    Arena *arena;
    AVEC(Str) names;
} ChildNames;

static bool collect_child(void *ctx, Str name, bool is_dir, uint64_t size_bytes) {
    ChildNames *c = ctx;
    (void)size_bytes;
    Str copy = is_dir ? arena_copy(c->arena, name) : STR_NULL;
    return !is_dir || (copy.p && avec_push(c->arena, &c->names, copy));
}

static void walk(CgroupWalk *w, const char *id, unsigned depth) {
    if (w->groups++ >= GROUPS_MAX) return;
    Str base = str_cstr(id);
    base = str_skip(base, str_rfind_char(base, '/') + 1);
    Cgroup g = {.w = w, .id = id};
    g.name = group_name(w->r, base, &g.is_container);
    (w->v2 ? group_v2 : group_v1)(&g);
    container(&g);
    ChildNames children = {.arena = w->r->b->arena};
    char path[FS_PATH_MAX];
    bool top = strcmp(id, "/") == 0;
    int n = snprintf(path, sizeof path, "%s%s%s", w->root, w->v2 ? "" : "/memory", top ? "" : id);
    if (depth >= DEPTH_MAX || n < 0 || (size_t)n >= sizeof path) return;
    (void)w->r->fs->ops->list(w->r->fs, path, collect_child, &children, NULL);
    for (size_t i = 0; i < children.names.n; i++) {
        Str child = arena_printf(w->r->b->arena, "%s/%" STR_FMT, top ? "" : id, STR_ARG(children.names.v[i]));
        if (child.p) walk(w, child.p, depth + 1);
    }
}

/* The machine's cores and memory; gives when it started (seconds since the epoch; 0: not known). */
static double machine(HostRound *r) {
    double cores = 0, memory, boot_s = 0;
    Str text, line, key;
    if (host_read(r, &text, "%s/stat", r->paths->proc)) {
        (void)stat_value(text, "btime", &boot_s);
        while (host_next_line(&text, &line))
            if (host_next_word(&line, &key) && str_starts_with(key, STR("cpu")) && key.n > 3) cores++;
    }
    if (host_read(r, &text, "%s/meminfo", r->paths->proc) && stat_value(text, "MemTotal:", &memory))
        host_add(r, G, "machine_memory_bytes", memory * 1024, NULL);
    host_add(r, G, "machine_cpu_cores", cores, NULL);
    return boot_s;
}

void host_gather_cgroups(Fs *fs, const HostPaths *paths, MetricsBatch *b, int64_t t_ms) {
    HostRound r = {.fs = fs, .paths = paths, .b = b, .t_ms = t_ms};
    char root[FS_PATH_MAX], probe[FS_PATH_MAX];
    int n = snprintf(root, sizeof root, "%s/fs/cgroup", paths->sys);
    if (n < 0 || (size_t)n + 32 >= sizeof root) return;
    fs_path_join(probe, root, "cgroup.controllers");
    CgroupWalk w = {.r = &r, .root = root, .v2 = fs->ops->exists(fs, probe), .boot_s = machine(&r)};
    walk(&w, "/", 0);
}
