/* load_http.h - the least of an HTTP client that a load generator needs: one connection, POST, status. */
#ifndef MEERKAT_BENCH_LOAD_HTTP_H
#define MEERKAT_BENCH_LOAD_HTTP_H

#include "base/buf.h"

typedef struct LoadUrl {
    char host[128], port[8], path[512];
} LoadUrl;

/* http://host:port/path; false: not such a URL. */
bool load_url_parse(const char *text, LoadUrl *ret);

typedef struct LoadConn {
    int fd; /* -1: not connected */
    Buf head, answer;
} LoadConn;

/* Sends the body and reads the answer, connecting first when need be. headers: lines with their CRLF. Returns the
 * status; 0: the connection failed (it is closed, the next call opens one). */
int load_post(LoadConn *c, const LoadUrl *url, const char *headers, Str body);
void load_conn_done(LoadConn *c);

#endif
