/* prom_http.h - requests as an http_config of prometheus.yml says: authentication, TLS, proxy, headers.
 *
 * Files with secrets are read at every request, so that rotated ones are picked up. With oauth2 a token is fetched with
 * the client credentials grant (RFC 6749, 4.4), kept until it expires and shared by all requests; requests that come
 * while it is being fetched wait for it, inside their own timeout. */
#ifndef MEERKAT_METRICS_PROM_HTTP_H
#define MEERKAT_METRICS_PROM_HTTP_H

#include "metrics/config/http_config.h"
#include "net/client.h"

typedef struct PromHttp PromHttp;

/* client and config are borrowed and must outlive every request; the object itself may be freed while requests are out.
 * NULL config: none. */
PromHttp *prom_http_create(HttpClient *client, const PromHttpConfig *config);
PromHttp *prom_http_ref(PromHttp *h);
PromHttp *prom_http_free(PromHttp *h); /* gives a reference back; NULL is fine */
/* As http_client_start: req says method, URL, body, headers, timeout, limits; the rest comes from the configuration. A
 * secret's file that cannot be read ends the request at once, on the caller's thread. */
void prom_http_start(PromHttp *h, const HttpClientRequest *req, HttpClientDone done, void *ctx);
/* As http_client_fetch. ret_type (may be NULL): the Content-Type; caller: buf_done. */
ErrCode prom_http_fetch(
    PromHttp *h, const HttpClientRequest *req, int *ret_status, Buf *ret_type, Buf *ret_body, Err *reterr);
/* As above, with one header of the answer (its name: header_name) in ret_header. */
ErrCode prom_http_fetch_header(PromHttp *h, const HttpClientRequest *req, int *ret_status, Str header_name,
    Buf *ret_header, Buf *ret_type, Buf *ret_body, Err *reterr);

#endif
