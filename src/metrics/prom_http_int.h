/* prom_http_int.h - requests being made, and the token they wait for. */
#ifndef MEERKAT_METRICS_PROM_HTTP_INT_H
#define MEERKAT_METRICS_PROM_HTTP_INT_H

#include "metrics/prom_http.h"
#include "sys/thread.h"

#include <stdatomic.h>

/* A request completed by the configuration; everything in the arena. */
typedef struct Prepared {
    struct Prepared *next;
    Arena *arena;
    HttpClientRequest req;
    HttpClientDone done;
    void *ctx;
    int64_t start_ns;
} Prepared;
Prepared *prepared_create(const HttpClientRequest *req, HttpClientDone done, void *ctx);
void prepared_free(Prepared *p);
/* Ends a request that was never sent. */
void prepared_fail(Prepared *p, ErrCode code, const char *why);
/* Fills in what the configuration says, with the bearer token when there is one. */
ErrCode prepared_fill(Prepared *p, const PromHttpConfig *c, const char *token, Err *reterr);
/* The text, or the contents of the file without blanks at its ends, NUL-terminated in the arena; NULL when neither is
 * configured. */
ErrCode prom_http_secret(Str text, Str file, Arena *arena, const char **ret, Err *reterr);
void prom_http_set_tls(HttpClientRequest *r, const PromTlsConfig *t, Arena *arena);
void prom_http_set_proxy(HttpClientRequest *r, const PromProxyConfig *p, Arena *arena);

struct PromHttp {
    _Atomic uint32_t refs;
    HttpClient *client;
    const PromHttpConfig *config;
    Mutex lock;
    char *token; /* NULL: none yet */
    int64_t token_until_ns;
    bool fetching;
    Prepared *waiting, **waiting_tail;
};
void prom_http_unref(PromHttp *h);
/* Lock held: queues p until a token is there, and begins to fetch one when nobody does. The lock is released. */
void oauth2_wait(PromHttp *h, Prepared *p);

#endif
