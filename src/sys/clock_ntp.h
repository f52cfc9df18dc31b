/* clock_ntp.h - how the kernel disciplines the wall clock (adjtimex(2)): what a daemon of NTP told it, and how far off
 * it may be. */
#ifndef MEERKAT_SYS_CLOCK_NTP_H
#define MEERKAT_SYS_CLOCK_NTP_H

#include <stdbool.h>

typedef struct ClockNtp {
    bool synced;
    unsigned status; /* STA_ bits */
    double offset_s; /* still to be slewed */
    double max_error_s, estimated_error_s;
    double frequency_ratio; /* of the local clock's frequency; 1: not adjusted */
    double loop_time_constant, tick_s, tai_offset_s;
    double pps_frequency_hz, pps_jitter_s, pps_shift_s, pps_stability_hz; /* 0 without a pulse-per-second signal */
    double pps_jitters, pps_calibrations, pps_errors, pps_stability_exceeded;
} ClockNtp;

/* false when the system does not tell. */
bool clock_ntp(ClockNtp *ret);

#endif
