/* ingest_requests.h - OTLP export requests as real senders write them, in protobuf, for the benchmarks. */
#ifndef MEERKAT_BENCH_INGEST_REQUESTS_H
#define MEERKAT_BENCH_INGEST_REQUESTS_H

#include "base/buf.h"
#include "sys/random.h"

#define BENCH_SPANS 1000 /* per request, as a gateway's batches have them */
#define BENCH_LOGS 1000
#define BENCH_INSTANCES 100 /* processes that send metrics, each with the same metrics */
#define BENCH_SAMPLES 501   /* per metrics request: 100 gauges, 100 counters, 20 histograms of 15, target_info */
#define BENCH_STEP_MS 15000 /* between two exports of one instance */

/* 1000 spans: traces of 10, 11 attributes each, two resources. Nothing repeats from one request to the next. */
void bench_put_traces(Buf *out, Rng *rng, int64_t t_ns);
/* 1000 records: 8 attributes, lines of about 200 bytes, half of them within a trace. */
void bench_put_logs(Buf *out, Rng *rng, int64_t t_ns);
/* One export of one instance. step counts its exports: counters and histograms grow with it. */
void bench_put_metrics(Buf *out, Rng *rng, uint32_t instance, uint64_t step, int64_t t_ns);
/* Remote write 1.0 of one instance, snappy-compressed: BENCH_SAMPLES series with 8 labels, one sample each; a third
 * gauges with two decimals, a third counters, a third full-precision noise. */
void bench_put_remote_write(Buf *out, Rng *rng, uint32_t instance, uint64_t step, int64_t t_ms);

#endif
