/* err.h - the one error enum and its detail.
 *
 * Functions that can fail return ErrCode (OK is 0) and, where a person will read it, fill an
 * Err given as `reterr` (may be NULL). Errors are logged once, at the edge that answers. */
#ifndef MEERKAT_BASE_ERR_H
#define MEERKAT_BASE_ERR_H

#include "base/base.h"
#include "base/str.h"

typedef enum ErrCode {
    OK = 0,
    ERR_INVALID,         /* input is malformed; do not retry */
    ERR_UNPROCESSABLE,   /* well-formed, cannot be executed */
    ERR_TOO_LARGE,       /* a byte, count or depth limit was exceeded; an arena budget is used up */
    ERR_UNSUPPORTED,     /* media type, encoding */
    ERR_NOT_IMPLEMENTED, /* a known feature that is not there */
    ERR_NOT_FOUND,
    ERR_CONFLICT, /* exists already, changed meanwhile, address in use */
    ERR_UNAUTHENTICATED,
    ERR_FORBIDDEN,
    ERR_OVERLOADED,  /* a queue is full: retry later */
    ERR_UNAVAILABLE, /* not ready, shutting down, peer down */
    ERR_TIMEOUT,
    ERR_CANCELLED,
    ERR_NO_SPACE, /* disk full */
    ERR_IO,
    ERR_CORRUPT, /* a checksum or an on-disk structure does not hold */
    ERR_INTERNAL,
    ERR_CODE_COUNT,
} ErrCode;

typedef struct Err {
    ErrCode code;
    int line, col;  /* 1-based place in the input, 0 when there is none */
    char msg[512];  /* what was wrong, no trailing newline; cut with "..." when longer */
    char hint[160]; /* what to do, may be empty */
} Err;

/* Fills *err (NULL is fine) and returns code, so that `return err_set(...)` works. */
ErrCode err_set(Err *err, ErrCode code, const char *fmt, ...) ATTR_PRINTF(3, 4);
/* The same with a 1-based line and column. */
ErrCode err_set_at(Err *err, ErrCode code, int line, int col, const char *fmt, ...) ATTR_PRINTF(5, 6);
void err_hint(Err *err, const char *fmt, ...) ATTR_PRINTF(2, 3);
/* Puts "context: " before the message: file names, steps. */
void err_prefix(Err *err, const char *fmt, ...) ATTR_PRINTF(2, 3);

const char *err_name(ErrCode code); /* "invalid", "too_large", ...: metric label and JSON */
int err_http_status(ErrCode code);  /* the one table */
int err_grpc_code(ErrCode code);
int err_exit_code(ErrCode code); /* 0, 1 (failed), 2 (usage) */

#endif
