/* otlp_names.h - OpenTelemetry names and units as Prometheus names.
 *
 * Source: the OpenTelemetry specification "Prometheus and OpenMetrics Compatibility" and Prometheus' default
 * translation strategy UnderscoreEscapingWithSuffixes. */
#ifndef MEERKAT_COLLECT_OTLP_NAMES_H
#define MEERKAT_COLLECT_OTLP_NAMES_H

#include "base/arena.h"
#include "base/str.h"
#include "model/metrics_batch.h"

/* http.server.duration + "ms" -> http_server_duration_milliseconds; counters get _total, unit-1 gauges _ratio.
 * Empty when nothing of the name is left; p == NULL when the arena is used up. */
Str otlp_metric_name(Arena *arena, Str name, Str unit, MetricType type);
/* k8s.pod.name -> k8s_pod_name; a leading digit gets key_. The input itself where it is fine already. */
Str otlp_label_name(Arena *arena, Str name);

#endif
