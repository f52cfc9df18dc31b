/* services_api.h - requests, errors and latency per service, for the home page.
 *
 * GET /api/meerkat/v1/services?start&end&step
 *   start, end: seconds (fractions allowed) or nanoseconds since the epoch; default: the last hour.
 *   step: seconds, or a duration such as 5m; default: a sixtieth of the window; rounded up to whole minutes.
 * Answer: [{"service", "requests", "errors", "rate" (1/s), "error_ratio", "p50", "p95", "p99" (s),
 *   "last_seen" (s), "points": [[t (s), rate, errors, p95], ...]}, ...], ordered by service. */
#ifndef MEERKAT_TRACES_SERVICES_API_H
#define MEERKAT_TRACES_SERVICES_API_H

#include "net/http.h"
#include "traces/trace_store.h"

void services_api_routes(TraceStore *store, Router *router); /* store must outlive the router */

#endif
