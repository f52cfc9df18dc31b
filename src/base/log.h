/* log.h - the process's own log: levels, structured fields, one line per event, to a sink.
 *
 * Libraries below room collect do not log above DEBUG: they return errors. Thread-safe.
 * log_info("part published", "store", "logs", "rows", "8192", NULL): message, then key/value C strings, NULL. */
#ifndef MEERKAT_BASE_LOG_H
#define MEERKAT_BASE_LOG_H

#include "base/base.h"
#include "base/str.h"

typedef enum LogLevel { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR } LogLevel;
typedef struct LogField {
    Str key, value;
} LogField;
/* Called with the record; must not log itself. */
typedef void (*LogSink)(void *ctx, LogLevel level, int64_t now_ns, Str msg, const LogField *fields, size_t n);

void log_set_level(LogLevel level);
LogLevel log_level(void);
/* Adds a sink (at most 4); the default one writes logfmt to stderr and can be replaced by log_set_stderr. */
void log_add_sink(LogSink sink, void *ctx);
void log_set_stderr(bool on, bool json, bool colour);
void log_write(LogLevel level, const char *msg, ...) __attribute__((sentinel));
#define log_debug(...) (log_level() <= LOG_DEBUG ? log_write(LOG_DEBUG, __VA_ARGS__) : (void)0)
#define log_info(...) log_write(LOG_INFO, __VA_ARGS__)
#define log_warn(...) log_write(LOG_WARN, __VA_ARGS__)
#define log_error(...) log_write(LOG_ERROR, __VA_ARGS__)

#endif
