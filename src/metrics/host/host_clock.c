/* host_clock.c - the wall clock's discipline, the clock sources, and the kernel's entropy. */
#include "metrics/host/host_int.h"
#include "sys/clock_ntp.h"

#define C METRIC_COUNTER
#define G METRIC_GAUGE

bool host_timex(HostRound *r) {
    ClockNtp t;
    if (!clock_ntp(&t)) return false;
    const struct {
        const char *name;
        MetricType type;
        double value;
    } facts[] = {{"node_timex_sync_status", G, t.synced}, {"node_timex_status", G, t.status},
        {"node_timex_offset_seconds", G, t.offset_s}, {"node_timex_maxerror_seconds", G, t.max_error_s},
        {"node_timex_estimated_error_seconds", G, t.estimated_error_s},
        {"node_timex_frequency_adjustment_ratio", G, t.frequency_ratio},
        {"node_timex_loop_time_constant", G, t.loop_time_constant}, {"node_timex_tick_seconds", G, t.tick_s},
        {"node_timex_tai_offset_seconds", G, t.tai_offset_s}, {"node_timex_pps_frequency_hertz", G, t.pps_frequency_hz},
        {"node_timex_pps_jitter_seconds", G, t.pps_jitter_s}, {"node_timex_pps_shift_seconds", G, t.pps_shift_s},
        {"node_timex_pps_stability_hertz", G, t.pps_stability_hz}, {"node_timex_pps_jitter_total", C, t.pps_jitters},
        {"node_timex_pps_calibration_total", C, t.pps_calibrations}, {"node_timex_pps_error_total", C, t.pps_errors},
        {"node_timex_pps_stability_exceeded_total", C, t.pps_stability_exceeded}};
    for (size_t i = 0; i < ARRAY_LEN(facts); i++) host_add(r, facts[i].type, facts[i].name, facts[i].value, NULL);
    return true;
}

bool host_clock_sources(HostRound *r) {
    static const char dir[] = "devices/system/clocksource/clocksource0";
    Str available, source;
    if (!host_read(r, &available, "%s/%s/available_clocksource", r->paths->sys, dir)) return false;
    while (host_next_word(&available, &source))
        host_add(
            r, G, "node_time_clocksource_available_info", 1, "device", "0", "clocksource", host_cstr(r, source), NULL);
    const char *current = host_cstr(r, host_read_word(r, "%s/%s/current_clocksource", r->paths->sys, dir));
    host_add(r, G, "node_time_clocksource_current_info", 1, "device", "0", "clocksource", current, NULL);
    return true;
}

bool host_entropy(HostRound *r) {
    double v;
    if (!host_read_number(r, &v, "%s/sys/kernel/random/entropy_avail", r->paths->proc)) return false;
    host_add(r, G, "node_entropy_available_bits", v, NULL);
    if (host_read_number(r, &v, "%s/sys/kernel/random/poolsize", r->paths->proc))
        host_add(r, G, "node_entropy_pool_size_bits", v, NULL);
    return true;
}
