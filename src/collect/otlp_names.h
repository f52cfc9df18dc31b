/* otlp_names.h - OpenTelemetry names and units as Prometheus names.
 *
 * Source: the OpenTelemetry specification "Prometheus and OpenMetrics Compatibility" and Prometheus' default
 * translation strategy UnderscoreEscapingWithSuffixes. */
#ifndef MEERKAT_COLLECT_OTLP_NAMES_H
#define MEERKAT_COLLECT_OTLP_NAMES_H

#include "base/arena.h"
#include "base/str.h"
#include "model/metrics_batch.h"

/* How names are made; zero: as Loki does for labels. */
typedef struct OtlpNaming {
    bool utf8;             /* names stay as they are: NoTranslation, NoUTF8EscapingWithSuffixes */
    bool no_suffixes;      /* neither unit nor type: NoTranslation, UnderscoreEscapingWithoutSuffixes */
    bool keep_underscores; /* of labels: each foreign character becomes one (Prometheus' default) */
    bool no_key_prefix;    /* a label's leading underscore stays as it is */
} OtlpNaming;

typedef enum OtlpNameKind { OTLP_NAME_OTHER, OTLP_NAME_COUNTER, OTLP_NAME_GAUGE } OtlpNameKind;

/* http.server.duration + "ms" -> http_server_duration_milliseconds; monotonic sums get _total, unit-1 gauges _ratio.
 * Empty when nothing of the name is left; p == NULL when the arena is used up. */
Str otlp_metric_name(Arena *arena, const OtlpNaming *n, Str name, Str unit, OtlpNameKind kind);
/* k8s.pod.name -> k8s_pod_name; a leading digit gets key_. The input itself where it is fine already. */
Str otlp_label_name(Arena *arena, const OtlpNaming *n, Str name);

/* The same keys come in every record of a request: the last few dozen translations, by key. The keys must live as long
 * as the cache. Zero-initialised is empty. */
#define OTLP_NAME_SLOTS 64
typedef struct OtlpNameCache {
    OtlpNaming naming;
    Str from[OTLP_NAME_SLOTS], to[OTLP_NAME_SLOTS];
} OtlpNameCache;
Str otlp_label_name_cached(OtlpNameCache *cache, Arena *arena, Str name);

/* A cheap hash for such caches and filters: length and both ends; its high bits are the good ones. */
static inline uint64_t otlp_key_mix(Str key) {
    uint64_t first = 0, last = 0;
    if (key.n >= 8) {
        memcpy(&first, key.p, 8);
        memcpy(&last, key.p + key.n - 8, 8);
    } else if (key.n > 0) {
        memcpy(&first, key.p, key.n);
    }
    return ((first ^ key.n) * UINT64_C(0x9e3779b97f4a7c15) ^ last) * UINT64_C(0xbf58476d1ce4e5b9);
}

#endif
