/* test_spans.h - `input_spans` of unit tests of rules: a trace store in memory. docs/alerting.md has the keys. */
#ifndef MEERKAT_CMD_TEST_SPANS_H
#define MEERKAT_CMD_TEST_SPANS_H

#include "codec/yaml.h"
#include "traces/trace_store.h"

typedef struct TestSpans {
    Fs *fs;
    TraceStore *store;
} TestSpans;

/* An empty store, unless there is one. */
ErrCode test_spans_open(TestSpans *t, Err *reterr);
/* A new store with these spans (NULL: none) in place of the one before. ERR_INVALID with the place in the file. */
ErrCode test_spans_load(TestSpans *t, const YamlNode *spans, int64_t start_ms, Err *reterr);
void test_spans_done(TestSpans *t);

#endif
