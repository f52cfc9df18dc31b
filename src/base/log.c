#include "base/log.h"

#include "base/buf.h"
#include "base/json.h"
#include "base/timefmt.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

enum { SINKS_MAX = 4, FIELDS_MAX = 32 };

static _Atomic int min_level = LOG_INFO;

/* Under the mutex. */
static struct {
    struct {
        LogSink fn;
        void *ctx;
    } sinks[SINKS_MAX];
    size_t n;
    bool stderr_on, json, colour;
} out = {.stderr_on = true};
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;

static const char *const names[] = {"debug", "info", "warn", "error"};
static const char *const colours[] = {"\033[2m", "\033[32m", "\033[33m", "\033[31m"};

void log_set_level(LogLevel level) { atomic_store_explicit(&min_level, (int)level, memory_order_relaxed); }

LogLevel log_level(void) { return (LogLevel)atomic_load_explicit(&min_level, memory_order_relaxed); }

void log_add_sink(LogSink sink, void *ctx) {
    pthread_mutex_lock(&mutex);
    ASSERT(sink && out.n < SINKS_MAX);
    out.sinks[out.n].fn = sink;
    out.sinks[out.n++].ctx = ctx;
    pthread_mutex_unlock(&mutex);
}

void log_set_stderr(bool on, bool json, bool colour) {
    pthread_mutex_lock(&mutex);
    out.stderr_on = on;
    out.json = json;
    out.colour = colour;
    pthread_mutex_unlock(&mutex);
}

/* logfmt: bare words as they are, everything else as a JSON string. */
static void put_logfmt_value(Buf *b, Str s) {
    bool bare = s.n > 0;
    for (size_t i = 0; i < s.n && bare; i++) {
        unsigned char c = (unsigned char)s.p[i];
        bare = c > ' ' && c < 0x7F && c != '"' && c != '=' && c != '\\';
    }
    if (bare)
        buf_put_str(b, s);
    else
        json_put_string(b, s);
}

static void render_logfmt(Buf *b, LogLevel level, int64_t now_ns, Str msg, const LogField *fields, size_t n) {
    buf_put_lit(b, "time=");
    time_put_rfc3339_ms(b, now_ns);
    buf_printf(b, " level=%s%s%s msg=", out.colour ? colours[level] : "", names[level], out.colour ? "\033[0m" : "");
    put_logfmt_value(b, msg);
    for (size_t i = 0; i < n; i++) {
        buf_put_char(b, ' ');
        buf_put_str(b, fields[i].key);
        buf_put_char(b, '=');
        put_logfmt_value(b, fields[i].value);
    }
}

static void render_json(Buf *b, LogLevel level, int64_t now_ns, Str msg, const LogField *fields, size_t n) {
    JsonWriter w = json_writer(b);
    json_begin_object(&w);
    json_key_lit(&w, "time");
    buf_put_char(b, '"');
    time_put_rfc3339_ms(b, now_ns);
    buf_put_char(b, '"');
    w.after_key = false; /* the value was written by hand: it needs no escapes */
    json_key_lit(&w, "level"), json_str(&w, str_cstr(names[level]));
    json_key_lit(&w, "msg"), json_str(&w, msg);
    for (size_t i = 0; i < n; i++) json_key(&w, fields[i].key), json_str(&w, fields[i].value);
    json_end_object(&w);
}

/* One fwrite per line, so that lines of several processes on one stream do not mix. */
static void write_stderr(LogLevel level, int64_t now_ns, Str msg, const LogField *fields, size_t n) {
    Buf b = {0};
    (out.json ? render_json : render_logfmt)(&b, level, now_ns, msg, fields, n);
    buf_put_char(&b, '\n');
    fwrite(b.p, 1, b.n, stderr);
    fflush(stderr);
    buf_done(&b);
}

void log_write(LogLevel level, const char *msg, ...) {
    if (level < log_level()) return;
    LogField fields[FIELDS_MAX];
    size_t n = 0;
    va_list args;
    va_start(args, msg);
    for (const char *key; (key = va_arg(args, const char *)) != NULL;) {
        const char *value = va_arg(args, const char *);
        ASSERT(n < FIELDS_MAX);
        fields[n++] = (LogField){str_cstr(key), str_cstr(value ? value : "(null)")};
    }
    va_end(args);
    struct timespec ts;
    clock_gettime(CLOCK_REALTIME, &ts);
    int64_t now_ns = (int64_t)ts.tv_sec * NS_PER_S + ts.tv_nsec;
    pthread_mutex_lock(&mutex);
    if (out.stderr_on) write_stderr(level, now_ns, str_cstr(msg), fields, n);
    for (size_t i = 0; i < out.n; i++) out.sinks[i].fn(out.sinks[i].ctx, level, now_ns, str_cstr(msg), fields, n);
    pthread_mutex_unlock(&mutex);
}
