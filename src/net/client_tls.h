/* client_tls.h - whom a client trusts and what it shows of itself: <tls_config> of Prometheus and Alertmanager. */
#ifndef MEERKAT_NET_CLIENT_TLS_H
#define MEERKAT_NET_CLIENT_TLS_H

#include "base/str.h"

typedef struct ClientTls {
    const char *ca_file, *cert_file, *key_file; /* NULL: the system's trust; no certificate */
    Str ca_pem, cert_pem, key_pem;              /* instead of the files */
    const char *server_name;                    /* of SNI and of the certificate; NULL: the address's host */
    uint8_t min_version, max_version;           /* 10 to 13; 0: TLS 1.2 and the newest */
    bool insecure_skip_verify;
} ClientTls;

#endif
