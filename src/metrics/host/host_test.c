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
    {"/sys/class/net/eth0/flags", "0x1003\n"},
    {"/sys/class/net/eth0/statistics/rx_nohandler", "5\n"},
    {"/proc/net/netstat", "TcpExt: SyncookiesSent ListenOverflows TW TCPTimeouts\nTcpExt: 1 2 3 4\n"
                          "IpExt: InNoRoutes InOctets\nIpExt: 5 6\n"},
    {"/proc/net/snmp", "Tcp: RtoMin CurrEstab InErrs\nTcp: 1 7 8\nUdpLite: InErrors\nUdpLite: 9\n"},
    {"/proc/net/snmp6", "Ip6InReceives 1\nIp6InOctets 10\nUdpLite6InErrors 11\nIcmp6InMsgs\t12\n"},
    {"/proc/net/sockstat", "sockets: used 202\nTCP: inuse 18 orphan 0 tw 3 alloc 19 mem 2\nFRAG: inuse 0 memory 5\n"},
    {"/proc/net/sockstat6", "TCP6: inuse 4\n"},
    {"/proc/net/udp", "  sl  local_address rem_address   st tx_queue rx_queue\n"
                      "  1: 0100007F:0035 00000000:0000 07 00000001:00000010 00:00000000\n"
                      "  2: 0100007F:0036 00000000:0000 07 00000002:00000020 00:00000000\n"},
    {"/proc/net/softnet_stat", "00219ab4 00000030 00000002 0 0 0 0 0 00000003 00000004 00000005 00000006 00000007\n"
                               "0000000f 00000001 00000000\n"},
    {"/proc/sys/net/netfilter/nf_conntrack_count", "12\n"},
    {"/proc/sys/net/netfilter/nf_conntrack_max", "65536\n"},
    {"/proc/net/stat/nf_conntrack",
        "entries  clashres found new invalid\n0000000c 00000000 0000000a 00000000 00000001\n"
        "0000000c 00000000 00000010 00000000 00000002\n"},
    {"/proc/net/arp", "IP address       HW type     Flags       HW address            Mask     Device\n"
                      "192.0.2.1        0x1         0x2         02:fc:00:00:00:05     *        eth0\n"
                      "192.0.2.2        0x1         0x0         00:00:00:00:00:00     *        eth0\n"},
    {"/proc/sys/kernel/random/entropy_avail", "256\n"},
    {"/proc/sys/kernel/random/poolsize", "4096\n"},
    {"/sys/devices/system/clocksource/clocksource0/available_clocksource", "kvm-clock tsc \n"},
    {"/sys/devices/system/clocksource/clocksource0/current_clocksource", "tsc\n"},
    {"/proc/1/mounts", "/dev/sda1 / ext4 rw,relatime 0 0\ntmpfs /run/my\\040dir tmpfs ro,nosuid 0 0\n"
                       "proc /proc proc rw 0 0\n/dev/sdb1 /var/lib/docker/x ext4 rw 0 0\n/dev/sdc1 /caf\xe9 ext4 rw 0 "
                       "0\nsrv:/x /nfs nfs rw 0 0\n"},
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
    {"node_network_flags{device=\"eth0\"}", 0x1003},
    {"node_network_receive_nohandler_total{device=\"eth0\"}", 5},
    {"node_network_carrier{device=\"eth0\"}", NAN},
    {"node_netstat_TcpExt_SyncookiesSent", 1},
    {"node_netstat_TcpExt_ListenOverflows", 2},
    {"node_netstat_TcpExt_TW", NAN},
    {"node_netstat_TcpExt_TCPTimeouts", 4},
    {"node_netstat_IpExt_InOctets", 6},
    {"node_netstat_IpExt_InNoRoutes", NAN},
    {"node_netstat_Tcp_CurrEstab", 7},
    {"node_netstat_Tcp_InErrs", 8},
    {"node_netstat_UdpLite_InErrors", 9},
    {"node_netstat_Ip6_InOctets", 10},
    {"node_netstat_UdpLite6_InErrors", 11},
    {"node_netstat_Icmp6_InMsgs", 12},
    {"node_sockstat_sockets_used", 202},
    {"node_sockstat_TCP_mem", 2},
    {"node_sockstat_FRAG_memory", 5},
    {"node_sockstat_TCP6_inuse", 4},
    {"node_udp_queues{ip=\"v4\", queue=\"tx\"}", 3},
    {"node_udp_queues{ip=\"v4\", queue=\"rx\"}", 0x30},
    {"node_udp_queues{ip=\"v6\", queue=\"rx\"}", NAN},
    {"node_softnet_processed_total{cpu=\"7\"}", 0x219ab4},
    {"node_softnet_backlog_len{cpu=\"7\"}", 6},
    {"node_softnet_dropped_total{cpu=\"1\"}", 1},
    {"node_softnet_backlog_len{cpu=\"1\"}", NAN},
    {"node_nf_conntrack_entries", 12},
    {"node_nf_conntrack_entries_limit", 65536},
    {"node_nf_conntrack_stat_found", 26},
    {"node_nf_conntrack_stat_invalid", 3},
    {"node_arp_entries{device=\"eth0\"}", 2},
    {"node_entropy_available_bits", 256},
    {"node_entropy_pool_size_bits", 4096},
    {"node_time_clocksource_available_info{clocksource=\"kvm-clock\", device=\"0\"}", 1},
    {"node_time_clocksource_current_info{clocksource=\"tsc\", device=\"0\"}", 1},
    {"node_disk_info{device=\"nvme0n1\", major=\"259\", minor=\"0\"}", 1},
    {"node_os_version{id=\"some\", name=\"Some Linux\"}", 12},
    {"node_network_info{device=\"eth0\", operstate=\"up\"}", 1},
    {"node_filesystem_size_bytes{device=\"/dev/sda1\", fstype=\"ext4\", mountpoint=\"/\"}", 1099511627776.0},
    {"node_filesystem_readonly{device=\"tmpfs\", fstype=\"tmpfs\", mountpoint=\"/run/my dir\"}", 1},
    {"node_filesystem_size_bytes{device=\"/dev/sdb1\", fstype=\"ext4\", mountpoint=\"/var/lib/docker/x\"}", NAN},
    {"node_filesystem_readonly{device=\"/dev/sdc1\", fstype=\"ext4\", mountpoint=\"/caf\xEF\xBF\xBD\"}", 0},
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
    {"/sys/fs/cgroup/system.slice/docker-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.scope/"
     "cgroup.procs",
        "4242\n4243\n"},
    {"/proc/4242/net/dev", "Inter-|   Receive\n face |bytes\n    lo: 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9\n"
                           "  eth0: 100 1 2 3 4 5 6 7 200 11 12 13 14 15 16 17\n"},
    {"/proc/4242/stat", "4242 (a (b) c) S 1 1 1 0 -1 4194560 1 1 0 0 1 1 0 0 20 0 1 0 12345 1 1\n"},
    {"/proc/1/net/dev", "Inter-|   Receive\n face |bytes\n  ens3: 7 1 2 3 4 5 6 7 8 11 12 13 14 15 16 17\n"},
    {"/proc/stat", "cpu 1\ncpu0 1\ncpu1 1\nbtime 1700000000\n"},
    {"/proc/meminfo", "MemTotal: 2 kB\n"},
};

#define DOCKER_ID "id=\"/system.slice/docker-0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef.scope\""
#define DOCKER_NAME "name=\"0123456789ab\""
#define DOCKER DOCKER_ID ", " DOCKER_NAME
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
    {"container_network_receive_bytes_total{" DOCKER_ID ", interface=\"eth0\", " DOCKER_NAME "}", 100},
    {"container_network_transmit_packets_dropped_total{" DOCKER_ID ", interface=\"eth0\", " DOCKER_NAME "}", 13},
    {"container_network_receive_bytes_total{" DOCKER_ID ", interface=\"lo\", " DOCKER_NAME "}", NAN},
    {"container_network_receive_bytes_total{id=\"/\", interface=\"ens3\"}", 7},
    {"container_start_time_seconds{" DOCKER "}", 1700000123},
    {"container_last_seen{" WEB "}", 1700000100},
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
