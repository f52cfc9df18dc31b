/* test_logs.h - `input_logs` of unit tests of rules: a log store in memory. docs/alerting.md has the keys. */
#ifndef MEERKAT_CMD_TEST_LOGS_H
#define MEERKAT_CMD_TEST_LOGS_H

#include "codec/yaml.h"
#include "logs/log_store.h"

typedef struct TestLogs {
    Fs *fs;
    LogStore *store;
} TestLogs;

/* An empty store, unless there is one. */
ErrCode test_logs_open(TestLogs *t, Err *reterr);
/* A new store with these lines (NULL: none) in place of the one before. ERR_INVALID with the place in the file. */
ErrCode test_logs_load(TestLogs *t, const YamlNode *logs, int64_t start_ms, Err *reterr);
void test_logs_done(TestLogs *t);

#endif
