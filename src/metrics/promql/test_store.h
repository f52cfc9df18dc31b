/* test_store.h - a MetricsStore in memory, for the tests of the engine and of the API. */
#ifndef MEERKAT_METRICS_PROMQL_TEST_STORE_H
#define MEERKAT_METRICS_PROMQL_TEST_STORE_H

#include "metrics/metrics_store.h"

MetricsStore *test_store_create(void);
void test_store_clear(MetricsStore *s);
/* Samples of a series come in ascending time; labels are copied. */
void test_store_add(MetricsStore *s, Labels labels, int64_t t_ms, double v, int64_t start_ms);
/* Reset hints become what Prometheus' chunks give back: NO behind a sample that is no greater, else UNKNOWN. */
void test_store_add_histogram(MetricsStore *s, Labels labels, int64_t t_ms, const Histogram *h, int64_t start_ms);

#endif
