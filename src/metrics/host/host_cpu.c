/* host_cpu.c - processors, load, pressure, virtual memory counters, the system's identity. */
#include "base/num.h"
#include "metrics/host/host_int.h"

#define C METRIC_COUNTER
#define G METRIC_GAUGE

static void cpu_line(HostRound *r, Str name, Str rest) {
    static const char *const modes[] = {"user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal"};
    const char *cpu = host_cstr(r, str_skip(name, 3));
    for (size_t i = 0; i < ARRAY_LEN(modes); i++)
        host_add(
            r, C, "node_cpu_seconds_total", host_next_number(&rest) / HOST_USER_HZ, "cpu", cpu, "mode", modes[i], NULL);
    for (size_t i = 0; i < 2; i++)
        host_add(r, C, "node_cpu_guest_seconds_total", host_next_number(&rest) / HOST_USER_HZ, "cpu", cpu, "mode",
            modes[i], NULL);
}

bool host_cpu(HostRound *r) {
    static const struct {
        const char *key, *name;
        MetricType type;
    } facts[] = {{"intr", "node_intr_total", C}, {"ctxt", "node_context_switches_total", C},
        {"btime", "node_boot_time_seconds", G}, {"processes", "node_forks_total", C},
        {"procs_running", "node_procs_running", G}, {"procs_blocked", "node_procs_blocked", G}};
    Str text, line, key;
    if (!host_read(r, &text, "%s/stat", r->paths->proc)) return false;
    while (host_next_line(&text, &line)) {
        if (!host_next_word(&line, &key)) continue;
        if (str_starts_with(key, STR("cpu")) && key.n > 3) cpu_line(r, key, line);
        for (size_t i = 0; i < ARRAY_LEN(facts); i++)
            if (str_eq(key, str_cstr(facts[i].key)))
                host_add(r, facts[i].type, facts[i].name, host_next_number(&line), NULL);
    }
    return true;
}

bool host_load(HostRound *r) {
    Str text;
    if (!host_read(r, &text, "%s/loadavg", r->paths->proc)) return false;
    host_add(r, G, "node_load1", host_next_number(&text), NULL);
    host_add(r, G, "node_load5", host_next_number(&text), NULL);
    host_add(r, G, "node_load15", host_next_number(&text), NULL);
    return true;
}

/* "some avg10=0.00 avg60=0.00 avg300=0.00 total=12": microseconds. */
static bool pressure_total(Str text, Str kind, double *ret) {
    Str line;
    while (host_next_line(&text, &line)) {
        size_t at = str_find(line, STR("total="));
        if (str_starts_with(line, kind) && at != SIZE_MAX) return num_parse_f64(str_trim(str_skip(line, at + 6)), ret);
    }
    return false;
}

bool host_pressure(HostRound *r) {
    static const struct {
        const char *file, *kind, *name;
    } facts[] = {{"cpu", "some", "node_pressure_cpu_waiting_seconds_total"},
        {"io", "some", "node_pressure_io_waiting_seconds_total"},
        {"io", "full", "node_pressure_io_stalled_seconds_total"},
        {"memory", "some", "node_pressure_memory_waiting_seconds_total"},
        {"memory", "full", "node_pressure_memory_stalled_seconds_total"}};
    bool any = false;
    for (size_t i = 0; i < ARRAY_LEN(facts); i++) {
        Str text;
        double us;
        if (!host_read(r, &text, "%s/pressure/%s", r->paths->proc, facts[i].file)) continue;
        if (!pressure_total(text, str_cstr(facts[i].kind), &us)) continue;
        host_add(r, C, facts[i].name, us / 1e6, NULL);
        any = true;
    }
    return any;
}

bool host_vmstat(HostRound *r) {
    static const struct {
        const char *key, *name;
    } facts[] = {{"oom_kill", "node_vmstat_oom_kill"}, {"pgfault", "node_vmstat_pgfault"},
        {"pgmajfault", "node_vmstat_pgmajfault"}, {"pgpgin", "node_vmstat_pgpgin"}, {"pgpgout", "node_vmstat_pgpgout"},
        {"pswpin", "node_vmstat_pswpin"}, {"pswpout", "node_vmstat_pswpout"}};
    Str text, line, key;
    if (!host_read(r, &text, "%s/vmstat", r->paths->proc)) return false;
    while (host_next_line(&text, &line)) {
        if (!host_next_word(&line, &key)) continue;
        for (size_t i = 0; i < ARRAY_LEN(facts); i++)
            if (str_eq(key, str_cstr(facts[i].key)))
                host_add(r, METRIC_UNKNOWN, facts[i].name, host_next_number(&line), NULL);
    }
    return true;
}

/* VALUE of KEY=VALUE or KEY="VALUE" in os-release; "" when it is not there. */
static const char *os_release(HostRound *r, Str text, const char *key) {
    Str line;
    size_t n = strlen(key);
    while (host_next_line(&text, &line)) {
        if (!str_starts_with(line, str_cstr(key)) || line.n <= n || line.p[n] != '=') continue;
        Str v = str_trim(str_skip(line, n + 1));
        if (v.n >= 2 && (v.p[0] == '"' || v.p[0] == '\'') && v.p[v.n - 1] == v.p[0]) v = str_slice(v, 1, v.n - 1);
        return host_cstr(r, v);
    }
    return "";
}

static const char *kernel_fact(HostRound *r, const char *file) {
    return host_cstr(r, host_read_word(r, "%s/sys/kernel/%s", r->paths->proc, file));
}

static void operating_system(HostRound *r, Str text) {
    const char *id = os_release(r, text, "ID"), *like = os_release(r, text, "ID_LIKE"),
               *name = os_release(r, text, "NAME"), *version_id = os_release(r, text, "VERSION_ID");
    host_add(r, G, "node_os_info", 1, "id", id, "id_like", like, "name", name, "pretty_name",
        os_release(r, text, "PRETTY_NAME"), "variant", os_release(r, text, "VARIANT"), "variant_id",
        os_release(r, text, "VARIANT_ID"), "version", os_release(r, text, "VERSION"), "version_id", version_id,
        "version_codename", os_release(r, text, "VERSION_CODENAME"), "build_id", os_release(r, text, "BUILD_ID"),
        "image_id", os_release(r, text, "IMAGE_ID"), "image_version", os_release(r, text, "IMAGE_VERSION"), NULL);
    double version;
    if (num_parse_f64(str_cstr(version_id), &version))
        host_add(r, G, "node_os_version", version, "id", id, "id_like", like, "name", name, NULL);
}

bool host_system(HostRound *r) {
    Str text;
    host_add(r, G, "node_time_seconds", (double)r->t_ms / 1000, NULL);
    if (host_read(r, &text, "%s/sys/fs/file-nr", r->paths->proc)) {
        host_add(r, G, "node_filefd_allocated", host_next_number(&text), NULL);
        (void)host_next_number(&text);
        host_add(r, G, "node_filefd_maximum", host_next_number(&text), NULL);
    }
    if (host_read(r, &text, "%s/etc/os-release", r->paths->root)) operating_system(r, text);
    host_add(r, G, "node_uname_info", 1, "sysname", kernel_fact(r, "ostype"), "release", kernel_fact(r, "osrelease"),
        "version", kernel_fact(r, "version"), "nodename", kernel_fact(r, "hostname"), "domainname",
        kernel_fact(r, "domainname"), "machine", kernel_fact(r, "arch"), NULL);
    return true;
}
