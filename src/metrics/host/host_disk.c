/* host_disk.c - block devices (/proc/diskstats) and file systems (/proc/1/mounts). */
#include "metrics/host/host_int.h"

#include <stdio.h>

#define C METRIC_COUNTER
#define G METRIC_GAUGE
#define SECTOR_BYTES 512.0

static bool ends_in_digit(Str s) { return s.n > 0 && s.p[s.n - 1] >= '0' && s.p[s.n - 1] <= '9'; }

/* Partitions, and devices of memory or loops: what node_exporter leaves out as well. */
static bool is_partition(Str dev) {
    static const Str prefixes[] = {STR_INIT("ram"), STR_INIT("zram"), STR_INIT("loop"), STR_INIT("fd")};
    if (!ends_in_digit(dev)) return false;
    for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
        if (str_starts_with(dev, prefixes[i])) return true;
    if (str_starts_with(dev, STR("nvme"))) return str_find_char(str_skip(dev, 4), 'p') != SIZE_MAX;
    Str d = str_starts_with(dev, STR("x")) ? str_skip(dev, 1) : dev; /* xvda1 */
    return d.n >= 4 && (d.p[0] == 'h' || d.p[0] == 's' || d.p[0] == 'v') && d.p[1] == 'd';
}

bool host_disks(HostRound *r) {
    static const struct {
        const char *name;
        double scale;
        MetricType type;
    } columns[] = {{"node_disk_reads_completed_total", 1, C}, {"node_disk_reads_merged_total", 1, C},
        {"node_disk_read_bytes_total", SECTOR_BYTES, C}, {"node_disk_read_time_seconds_total", 1e-3, C},
        {"node_disk_writes_completed_total", 1, C}, {"node_disk_writes_merged_total", 1, C},
        {"node_disk_written_bytes_total", SECTOR_BYTES, C}, {"node_disk_write_time_seconds_total", 1e-3, C},
        {"node_disk_io_now", 1, G}, {"node_disk_io_time_seconds_total", 1e-3, C},
        {"node_disk_io_time_weighted_seconds_total", 1e-3, C}, {"node_disk_discards_completed_total", 1, C},
        {"node_disk_discards_merged_total", 1, C}, {"node_disk_discarded_sectors_total", 1, C},
        {"node_disk_discard_time_seconds_total", 1e-3, C}, {"node_disk_flush_requests_total", 1, C},
        {"node_disk_flush_requests_time_seconds_total", 1e-3, C}};
    Str text, line, major, minor, device, word;
    if (!host_read(r, &text, "%s/diskstats", r->paths->proc)) return false;
    while (host_next_line(&text, &line)) {
        if (!host_next_word(&line, &major) || !host_next_word(&line, &minor) || !host_next_word(&line, &device) ||
            is_partition(device))
            continue;
        const char *dev = host_cstr(r, device);
        host_add(r, G, "node_disk_info", 1, "device", dev, "major", host_cstr(r, major), "minor", host_cstr(r, minor),
            "model", host_cstr(r, host_read_word(r, "%s/block/%s/device/model", r->paths->sys, dev)), NULL);
        for (size_t i = 0; i < ARRAY_LEN(columns); i++) {
            Str rest = line;
            if (!host_next_word(&rest, &word)) break; /* older kernels have fewer columns */
            double v = host_next_number(&line);
            host_add(r, columns[i].type, columns[i].name, columns[i].scale < 1 ? v / 1000 : v * columns[i].scale,
                "device", dev, NULL);
        }
    }
    return true;
}

/* --- file systems --- */

static bool is_virtual_type(Str t) {
    static const Str types[] = {STR_INIT("autofs"), STR_INIT("binfmt_misc"), STR_INIT("bpf"), STR_INIT("cgroup"),
        STR_INIT("cgroup2"), STR_INIT("configfs"), STR_INIT("debugfs"), STR_INIT("devpts"), STR_INIT("devtmpfs"),
        STR_INIT("fusectl"), STR_INIT("hugetlbfs"), STR_INIT("iso9660"), STR_INIT("mqueue"), STR_INIT("nsfs"),
        STR_INIT("overlay"), STR_INIT("proc"), STR_INIT("procfs"), STR_INIT("pstore"), STR_INIT("rpc_pipefs"),
        STR_INIT("securityfs"), STR_INIT("selinuxfs"), STR_INIT("squashfs"), STR_INIT("erofs"), STR_INIT("sysfs"),
        STR_INIT("tracefs"), /* and those that can hang: */ STR_INIT("nfs"), STR_INIT("nfs4"), STR_INIT("cifs"),
        STR_INIT("smb3"), STR_INIT("ceph"), STR_INIT("9p"), STR_INIT("afs"), STR_INIT("fuse.sshfs")};
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        if (str_eq(t, types[i])) return true;
    return false;
}

static bool is_hidden_mount(Str m) {
    static const Str dirs[] = {STR_INIT("/dev"), STR_INIT("/proc"), STR_INIT("/sys"), STR_INIT("/run/credentials"),
        STR_INIT("/var/lib/docker"), STR_INIT("/var/lib/containers/storage")};
    for (size_t i = 0; i < ARRAY_LEN(dirs); i++) {
        bool nested = i >= 3; /* only what is below */
        if (str_starts_with(m, dirs[i]) && (m.n == dirs[i].n ? !nested : m.p[dirs[i].n] == '/')) return true;
    }
    return false;
}

/* "\040" is a blank: mounts writes blanks, tabs, line feeds and backslashes so. */
static Str unescape(HostRound *r, Str s) {
    char *out = arena_alloc(r->b->arena, s.n + 1);
    if (!out) return s;
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++) {
        bool octal = s.p[i] == '\\' && s.n - i > 3;
        for (size_t k = 1; octal && k <= 3; k++) octal = s.p[i + k] >= '0' && s.p[i + k] <= '7';
        out[n++] = octal ? (char)((s.p[i + 1] - '0') * 64 + (s.p[i + 2] - '0') * 8 + (s.p[i + 3] - '0')) : s.p[i];
        if (octal) i += 3;
    }
    out[n] = 0;
    return str_of(out, n);
}

static void filesystem(HostRound *r, Str device, Str mount, Str type, bool readonly) {
    const char *d = host_cstr(r, device), *t = host_cstr(r, type), *m = host_cstr(r, mount);
    char path[FS_PATH_MAX];
    int n = snprintf(path, sizeof path, "%s%s", r->paths->root, m);
    FsUsage u;
    bool ok = n > 0 && (size_t)n < sizeof path && r->fs->ops->usage(r->fs, path, &u, NULL) == OK;
#define FS_LABELS "device", d, "fstype", t, "mountpoint", m, NULL
    host_add(r, G, "node_filesystem_device_error", !ok, FS_LABELS);
    if (!ok) return;
    host_add(r, G, "node_filesystem_size_bytes", (double)u.total_bytes, FS_LABELS);
    host_add(r, G, "node_filesystem_free_bytes", (double)u.unused_bytes, FS_LABELS);
    host_add(r, G, "node_filesystem_avail_bytes", (double)u.free_bytes, FS_LABELS);
    host_add(r, G, "node_filesystem_files", (double)u.files, FS_LABELS);
    host_add(r, G, "node_filesystem_files_free", (double)u.files_free, FS_LABELS);
    host_add(r, G, "node_filesystem_readonly", readonly, FS_LABELS);
#undef FS_LABELS
}

static bool has_option(Str options, Str wanted) {
    Str one;
    while (str_split_next(&options, ',', &one))
        if (str_eq(one, wanted)) return true;
    return false;
}

bool host_filesystems(HostRound *r) {
    Str text, line, device, mount, type, options;
    if (!host_read(r, &text, "%s/1/mounts", r->paths->proc) && !host_read(r, &text, "%s/self/mounts", r->paths->proc))
        return false;
    Str seen[256]; /* a file system mounted over another of the same place counts once */
    size_t n_seen = 0;
    while (host_next_line(&text, &line) && n_seen < ARRAY_LEN(seen)) {
        if (!host_next_word(&line, &device) || !host_next_word(&line, &mount) || !host_next_word(&line, &type))
            continue;
        if (!host_next_word(&line, &options) || is_virtual_type(type)) continue;
        mount = unescape(r, mount);
        bool again = is_hidden_mount(mount);
        for (size_t i = 0; i < n_seen && !again; i++) again = str_eq(seen[i], mount);
        if (again) continue;
        seen[n_seen++] = mount;
        filesystem(r, unescape(r, device), mount, type, has_option(options, STR("ro")));
    }
    return true;
}
