/* curl_tls_int.h - ClientTls for a curl handle, whatever its protocol. Private to net. */
#ifndef MEERKAT_NET_CURL_TLS_INT_H
#define MEERKAT_NET_CURL_TLS_INT_H

#include "net/client_tls.h"
#include "sys/memfile.h"

#include <curl/curl.h>

/* What must live as long as the handle. */
typedef struct CurlTls {
    MemFile pem[3];
    unsigned n_pem;
    struct curl_slist *connect_to;
} CurlTls;

/* All but the server's name. false: no memory for a certificate. */
bool curl_tls_set(CURL *e, const ClientTls *t, CurlTls *held);
/* curl takes the name for SNI and verification from the URL: that gets the name, and the connection goes to its own
 * host. The URL to set instead (caller: curl_free), NULL when it is not one. *ret_host, *ret_port: what stood in it
 * (caller: curl_free). */
char *curl_tls_rename(
    CURL *e, const char *url, const char *server_name, CurlTls *held, char **ret_host, char **ret_port);
void curl_tls_done(CurlTls *held); /* after curl_easy_cleanup */

#endif
