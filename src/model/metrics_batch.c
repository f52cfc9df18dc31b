#include "model/metrics_batch.h"

const char *metric_type_name(MetricType t) {
    static const char *const names[] = {
        "unknown", "counter", "gauge", "histogram", "gaugehistogram", "summary", "info", "stateset"};
    ASSERT((size_t)t < ARRAY_LEN(names));
    return names[t];
}

bool metrics_batch_add(MetricsBatch *b, Labels labels, int64_t t_ms, double value) {
    BatchSeries s = {.labels = labels, .first_sample = (uint32_t)b->value.n, .n_samples = 1};
    return avec_push(b->arena, &b->t_ms, t_ms) && avec_push(b->arena, &b->value, value) &&
           avec_push(b->arena, &b->series, s);
}
