#include "sys/clock_ntp.h"

#include <string.h>
#include <sys/timex.h>

#define MICROSECONDS 1e6
#define PPM_SCALED (65536.0 * 1e6) /* "scaled ppm": parts per million with 16 bits behind the point */

bool clock_ntp(ClockNtp *ret) {
    struct timex t;
    memset(&t, 0, sizeof t); /* modes 0: only asks */
    int state = adjtimex(&t);
    if (state < 0) return false;
    double fine = t.status & STA_NANO ? 1e9 : MICROSECONDS;
    *ret = (ClockNtp){
        .synced = state != TIME_ERROR,
        .status = (unsigned)t.status,
        .offset_s = (double)t.offset / fine,
        .max_error_s = (double)t.maxerror / MICROSECONDS,
        .estimated_error_s = (double)t.esterror / MICROSECONDS,
        .frequency_ratio = 1 + (double)t.freq / PPM_SCALED,
        .loop_time_constant = (double)t.constant,
        .tick_s = (double)t.tick / MICROSECONDS,
        .tai_offset_s = t.tai,
        .pps_frequency_hz = (double)t.ppsfreq / PPM_SCALED,
        .pps_jitter_s = (double)t.jitter / fine,
        .pps_shift_s = t.shift,
        .pps_stability_hz = (double)t.stabil / PPM_SCALED,
        .pps_jitters = (double)t.jitcnt,
        .pps_calibrations = (double)t.calcnt,
        .pps_errors = (double)t.errcnt,
        .pps_stability_exceeded = (double)t.stbcnt,
    };
    return true;
}
