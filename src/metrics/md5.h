/* md5.h - MD5, for the one place that is bound to it: relabelling's hashmod must choose as Prometheus does. */
#ifndef MEERKAT_METRICS_MD5_H
#define MEERKAT_METRICS_MD5_H

#include "base/str.h"

#define MD5_BYTES 16
/* Source: RFC 1321. Not for anything that needs security. */
void md5(Str in, uint8_t out[MD5_BYTES]);

#endif
