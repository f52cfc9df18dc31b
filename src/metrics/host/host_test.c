#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <math.h>

#include "base/num.h"
#include "metrics/host/host.h"

static const HostPaths paths = {.proc = "/proc", .sys = "/sys", .root = ""};

typedef struct FileCase {
    const char *path, *text;
} FileCase;

static const FileCase host_files[] = {
    {"/proc/stat", "cpu  300 0 100 0 0 0 0 0 0 0\ncpu0 150 2 50 1000 7 1 3 4 5 6\ncpu1 150 0 50 900 0 0 0 0 0 0\n"
                   "intr 12345 1 2 3\nctxt 777\nbtime 1700000000\nprocesses 42\nprocs_running 3\nprocs_blocked 1\n"},
    {"/proc/loadavg", "0.50 0.25 0.10 1/100 4242\n"},
    {"/proc/pressure/cpu",
        "some avg10=1.00 avg60=0.50 avg300=0.10 total=1500000\nfull avg10=0 avg60=0 avg300=0 total=0\n"},
    {"/proc/pressure/io", "some avg10=0 avg60=0 avg300=0 total=20\nfull avg10=0 avg60=0 avg300=0 total=10\n"},
    {"/proc/vmstat", "nr_free_pages 5\npgfault 99\noom_kill 2\n"},
    {"/proc/meminfo", "MemTotal:       1000 kB\nActive(anon):     10 kB\nHugePages_Total:       4\n"},
    {"/proc/diskstats", "   8       0 sda 10 1 2048 500 20 2 4096 1000 3 250 1500 0 0 0 0 7 8\n"
                        "   8       1 sda1 1 1 1 1 1 1 1 1 1 1 1\n 259 0 nvme0n1 5 0 8 4 0 0 0 0 0 2 4\n"
                        " 259 1 nvme0n1p1 5 0 8 4 0 0 0 0 0 2 4\n   7 0 loop0 1 1 1 1 1 1 1 1 1 1 1\n"},
    {"/proc/net/dev", "Inter-|   Receive                            |  Transmit\n face |bytes    packets errs\n"
                      "  eth0: 100 1 2 3 4 5 6 7 200 11 12 13 14 15 16 17\n"},
    {"/sys/class/net/eth0/operstate", "up\n"},
    {"/sys/class/net/eth0/speed", "1000\n"},
    {"/sys/class/net/eth0/mtu", "1500\n"},
    {"/proc/1/mounts", "/dev/sda1 / ext4 rw,relatime 0 0\ntmpfs /run/my\\040dir tmpfs ro,nosuid 0 0\n"
                       "proc /proc proc rw 0 0\n/dev/sdb1 /var/lib/docker/x ext4 rw 0 0\nsrv:/x /nfs nfs rw 0 0\n"},
    {"/proc/sys/fs/file-nr", "100\t0\t5000\n"},
    {"/proc/sys/kernel/ostype", "Linux\n"},
    {"/etc/os-release", "NAME=\"Some Linux\"\nID=some\nVERSION_ID='12'\n"},
};

/* name{labels}=value that must be there; with value NAN: that must not. */
static const struct {
    const char *series;
    double value;
} host_cases[] = {
    {"node_cpu_seconds_total{cpu=\"0\", mode=\"idle\"}", 10},
    {"node_cpu_seconds_total{cpu=\"0\", mode=\"steal\"}", 0.04},
    {"node_cpu_guest_seconds_total{cpu=\"0\", mode=\"nice\"}", 0.06},
    {"node_cpu_seconds_total{cpu=\"1\", mode=\"user\"}", 1.5},
    {"node_intr_total", 12345},
    {"node_boot_time_seconds", 1700000000},
    {"node_procs_blocked", 1},
    {"node_load5", 0.25},
    {"node_pressure_cpu_waiting_seconds_total", 1.5},
    {"node_pressure_io_stalled_seconds_total", 0.00001},
    {"node_vmstat_oom_kill", 2},
    {"node_memory_MemTotal_bytes", 1024000},
    {"node_memory_Active_anon_bytes", 10240},
    {"node_memory_HugePages_Total", 4},
    {"node_disk_read_bytes_total{device=\"sda\"}", 2048 * 512},
    {"node_disk_io_time_seconds_total{device=\"sda\"}", 0.25},
    {"node_disk_flush_requests_time_seconds_total{device=\"sda\"}", 0.008},
    {"node_disk_reads_completed_total{device=\"nvme0n1\"}", 5},
    {"node_disk_discards_completed_total{device=\"nvme0n1\"}", NAN},
    {"node_disk_reads_completed_total{device=\"sda1\"}", NAN},
    {"node_disk_reads_completed_total{device=\"nvme0n1p1\"}", NAN},
    {"node_disk_reads_completed_total{device=\"loop0\"}", NAN},
    {"node_network_receive_multicast_total{device=\"eth0\"}", 7},
    {"node_network_transmit_bytes_total{device=\"eth0\"}", 200},
    {"node_network_transmit_compressed_total{device=\"eth0\"}", 17},
    {"node_network_up{device=\"eth0\"}", 1},
    {"node_network_speed_bytes{device=\"eth0\"}", 125000000},
    {"node_network_info{device=\"eth0\", operstate=\"up\"}", 1},
    {"node_filesystem_size_bytes{device=\"/dev/sda1\", fstype=\"ext4\", mountpoint=\"/\"}", 1099511627776.0},
    {"node_filesystem_readonly{device=\"tmpfs\", fstype=\"tmpfs\", mountpoint=\"/run/my dir\"}", 1},
    {"node_filesystem_size_bytes{device=\"/dev/sdb1\", fstype=\"ext4\", mountpoint=\"/var/lib/docker/x\"}", NAN},
    {"node_filesystem_device_error{device=\"srv:/x\", fstype=\"nfs\", mountpoint=\"/nfs\"}", NAN},
    {"node_filefd_maximum", 5000},
    {"node_uname_info{sysname=\"Linux\"}", 1},
    {"node_os_info{id=\"some\", name=\"Some Linux\", version_id=\"12\"}", 1},
    {"node_time_seconds", 1700000100.5},
    {"node_scrape_collector_success{collector=\"cpu\"}", 1},
};

static const FileCase v2_files[] = {
    {"/sys/fs/cgroup/cgroup.controllers", "cpu memory\n"},
    {"/sys/fs/cgroup/cpu.stat", "usage_usec 5000000\nuser_usec 3000000\n"},
    {"/sys/fs/cgroup/system.slice/docker-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.scope/"
     "cpu.stat",
        "usage_usec 2500000\nnr_throttled 4\nthrottled_usec 1500000\n"},
    {"/sys/fs/cgroup/system.slice/docker-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.scope/"
     "cpu.max",
        "50000 100000\n"},
    {"/sys/fs/cgroup/system.slice/web.service/memory.current", "1000\n"},
    {"/sys/fs/cgroup/system.slice/web.service/memory.stat", "anon 600\nfile 300\ninactive_file 200\n"},
    {"/sys/fs/cgroup/system.slice/web.service/memory.max", "max\n"},
    {"/sys/fs/cgroup/system.slice/web.service/cpu.max", "max 100000\n"},
    {"/sys/fs/cgroup/system.slice/web.service/io.stat", "8:0 rbytes=10 wbytes=20 rios=1 wios=2\n8:16 rbytes=5\n"},
    {"/proc/stat", "cpu 1\ncpu0 1\ncpu1 1\n"},
    {"/proc/meminfo", "MemTotal: 2 kB\n"},
};

#define DOCKER                                                                                                         \
    "id=\"/system.slice/docker-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.scope\", "             \
    "name=\"0123456789ab\""
#define WEB "id=\"/system.slice/web.service\", name=\"web.service\""
static const struct {
    const char *series;
    double value;
} v2_cases[] = {
    {"container_cpu_usage_seconds_total{id=\"/\"}", 5},
    {"container_cpu_usage_seconds_total{" DOCKER "}", 2.5},
    {"container_cpu_cfs_throttled_seconds_total{" DOCKER "}", 1.5},
    {"container_spec_cpu_quota{" DOCKER "}", 50000},
    {"container_spec_cpu_period{" DOCKER "}", 100000},
    {"container_memory_usage_bytes{" WEB "}", 1000},
    {"container_memory_working_set_bytes{" WEB "}", 800},
    {"container_memory_rss{" WEB "}", 600},
    {"container_spec_memory_limit_bytes{" WEB "}", 0},
    {"container_spec_cpu_quota{" WEB "}", NAN},
    {"container_fs_reads_bytes_total{" WEB "}", 15},
    {"machine_cpu_cores", 2},
    {"machine_memory_bytes", 2048},
};

static const FileCase v1_files[] = {
    {"/sys/fs/cgroup/memory/app/memory.usage_in_bytes", "500\n"},
    {"/sys/fs/cgroup/memory/app/memory.stat", "cache 1\ntotal_cache 100\ntotal_inactive_file 50\n"},
    {"/sys/fs/cgroup/memory/app/memory.limit_in_bytes", "9223372036854771712\n"},
    {"/sys/fs/cgroup/cpuacct/app/cpuacct.usage", "1500000000\n"},
};
static const struct {
    const char *series;
    double value;
} v1_cases[] = {
    {"container_cpu_usage_seconds_total{id=\"/app\"}", 1.5},
    {"container_memory_working_set_bytes{id=\"/app\"}", 450},
    {"container_memory_cache{id=\"/app\"}", 100},
    {"container_spec_memory_limit_bytes{id=\"/app\"}", 0},
};

static void put_files(Fs *fs, const FileCase *files, size_t n) {
    for (size_t i = 0; i < n; i++) {
        char dir[FS_PATH_MAX];
        size_t slash = str_rfind_char(str_cstr(files[i].path), '/');
        memcpy(dir, files[i].path, slash);
        dir[slash] = 0;
        assert_int_equal(fs->ops->make_dir(fs, dir, NULL), OK);
        assert_int_equal(fs_write_file_atomic(fs, files[i].path, str_cstr(files[i].text), NULL), OK);
    }
}

static double value_of(const MetricsBatch *b, const char *series, size_t *ret_n) {
    double v = NAN;
    *ret_n = 0;
    for (size_t i = 0; i < b->series.n; i++) {
        Buf text = {0};
        labels_put_text(&text, b->series.v[i].labels);
        if (str_eq(buf_str(&text), str_cstr(series))) {
            v = b->value.v[b->series.v[i].first_sample];
            ++*ret_n;
        }
        buf_done(&text);
    }
    return v;
}

typedef void (*Gather)(Fs *fs, const HostPaths *p, MetricsBatch *b, int64_t t_ms);

static void check(
    Gather gather, const FileCase *files, size_t n_files, const char *const *series, const double *values, size_t n) {
    Fs *fs = fs_fault_create(1);
    put_files(fs, files, n_files);
    MetricsBatch b = {.arena = arena_create(8u << 20)};
    gather(fs, &paths, &b, INT64_C(1700000100500));
    for (size_t i = 0; i < n; i++) {
        size_t found;
        double v = value_of(&b, series[i], &found);
        bool wanted = values[i] == values[i];
        if (found != wanted || (wanted && fabs(v - values[i]) > 1e-9 * fabs(values[i])))
            fail_msg("%s: found %zu times, is %g, wanted %g", series[i], found, v, values[i]);
    }
    arena_free(b.arena);
    fs_fault_free(fs);
}

#define CHECK(gather, files, cases)                                                                                    \
    do {                                                                                                               \
        const char *series[ARRAY_LEN(cases)];                                                                          \
        double values[ARRAY_LEN(cases)];                                                                               \
        for (size_t i = 0; i < ARRAY_LEN(cases); i++) series[i] = cases[i].series, values[i] = cases[i].value;         \
        check(gather, files, ARRAY_LEN(files), series, values, ARRAY_LEN(cases));                                      \
    } while (0)

static void test_host(void **state) {
    (void)state;
    CHECK(host_gather, host_files, host_cases);
}

static void test_cgroups(void **state) {
    (void)state;
    CHECK(host_gather_cgroups, v2_files, v2_cases);
    CHECK(host_gather_cgroups, v1_files, v1_cases);
}

static void test_nothing_there(void **state) {
    (void)state;
    Fs *fs = fs_fault_create(1);
    MetricsBatch b = {.arena = arena_create(1u << 20)};
    size_t found;
    host_gather(fs, &paths, &b, 1);
    assert_true(value_of(&b, "node_scrape_collector_success{collector=\"cpu\"}", &found) == 0);
    host_gather_cgroups(fs, &paths, &b, 1);
    arena_free(b.arena);
    fs_fault_free(fs);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_host), cmocka_unit_test(test_cgroups), cmocka_unit_test(test_nothing_there)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
