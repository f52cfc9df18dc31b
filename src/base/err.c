#include "base/err.h"

#include <stdarg.h>
#include <stdio.h>

/* HTTP: RFC 9110; 499 is what proxies log for a client that left. gRPC: the canonical codes.
 * Exit 2 is for what the caller wrote wrongly, 1 for what failed. */
static const struct {
    const char *name;
    int http, grpc, exit;
} codes[ERR_CODE_COUNT] = {
    [OK] = {"ok", 200, 0, 0},
    [ERR_INVALID] = {"invalid", 400, 3, 2},
    [ERR_UNPROCESSABLE] = {"unprocessable", 422, 9, 1},
    [ERR_TOO_LARGE] = {"too_large", 413, 8, 1},
    [ERR_UNSUPPORTED] = {"unsupported", 415, 12, 1},
    [ERR_NOT_IMPLEMENTED] = {"not_implemented", 501, 12, 1},
    [ERR_NOT_FOUND] = {"not_found", 404, 5, 1},
    [ERR_CONFLICT] = {"conflict", 409, 6, 1},
    [ERR_UNAUTHENTICATED] = {"unauthenticated", 401, 16, 1},
    [ERR_FORBIDDEN] = {"forbidden", 403, 7, 1},
    [ERR_OVERLOADED] = {"overloaded", 429, 8, 1},
    [ERR_UNAVAILABLE] = {"unavailable", 503, 14, 1},
    [ERR_TIMEOUT] = {"timeout", 504, 4, 1},
    [ERR_CANCELLED] = {"cancelled", 499, 1, 1},
    [ERR_NO_SPACE] = {"no_space", 503, 14, 1}, /* all senders come again after 503, few after 507 */
    [ERR_IO] = {"io", 500, 13, 1},
    [ERR_CORRUPT] = {"corrupt", 500, 15, 1},
    [ERR_INTERNAL] = {"internal", 500, 13, 1},
};

static ErrCode known(ErrCode code) { return (unsigned)code < ERR_CODE_COUNT ? code : ERR_INTERNAL; }

const char *err_name(ErrCode code) { return codes[known(code)].name; }
int err_http_status(ErrCode code) { return codes[known(code)].http; }
int err_grpc_code(ErrCode code) { return codes[known(code)].grpc; }
int err_exit_code(ErrCode code) { return codes[known(code)].exit; }

/* Marks a text that was cut, without leaving half a UTF-8 sequence before the dots. */
static void mark_cut(char *text, size_t cap) {
    size_t at = cap - 4;
    while (at > 0 && ((unsigned char)text[at] & 0xC0) == 0x80) at--;
    memcpy(text + at, "...", 4);
}

ATTR_PRINTF(3, 0) static void format(char *text, size_t cap, const char *fmt, va_list args) {
    int n = vsnprintf(text, cap, fmt, args);
    if (n < 0) text[0] = '\0';
    if (n >= 0 && (size_t)n >= cap) mark_cut(text, cap);
}

ErrCode err_set(Err *err, ErrCode code, const char *fmt, ...) {
    if (!err) return code;
    err->code = code;
    err->line = err->col = 0;
    err->hint[0] = '\0';
    va_list args;
    va_start(args, fmt);
    format(err->msg, sizeof err->msg, fmt, args);
    va_end(args);
    return code;
}

ErrCode err_set_at(Err *err, ErrCode code, int line, int col, const char *fmt, ...) {
    if (!err) return code;
    err->code = code;
    err->line = line;
    err->col = col;
    err->hint[0] = '\0';
    va_list args;
    va_start(args, fmt);
    format(err->msg, sizeof err->msg, fmt, args);
    va_end(args);
    return code;
}

void err_hint(Err *err, const char *fmt, ...) {
    if (!err) return;
    va_list args;
    va_start(args, fmt);
    format(err->hint, sizeof err->hint, fmt, args);
    va_end(args);
}

void err_prefix(Err *err, const char *fmt, ...) {
    if (!err) return;
    char prefix[sizeof err->msg], whole[sizeof prefix + 2 + sizeof err->msg];
    va_list args;
    va_start(args, fmt);
    format(prefix, sizeof prefix, fmt, args);
    va_end(args);
    snprintf(whole, sizeof whole, "%s: %s", prefix, err->msg);
    size_t n = strlen(whole), keep = MIN(n, sizeof err->msg - 1);
    memcpy(err->msg, whole, keep);
    err->msg[keep] = '\0';
    if (keep < n) mark_cut(err->msg, sizeof err->msg);
}
