/* tls.c - certificates and handshakes. After the handshake ALPN decides: h2, or the bridge to HTTP/1.1. */
#include "net/tls_int.h"

#include "net/http2_int.h"
#include "sys/clock.h"

#include <stdio.h>

/* TLS 1.2 and 1.3, forward secrecy only. */
#define TLS_PRIORITIES "SECURE128:+SECURE192:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:-RSA:%SERVER_PRECEDENCE"

struct TlsCreds {
    atomic_uint refs;
    gnutls_certificate_credentials_t handle;
};

struct TlsKeys {
    Mutex lock; /* current */
    TlsCreds *current;
    char *cert_file, *key_file;
};

static TlsCreds *creds_load(const char *cert_file, const char *key_file, Err *reterr) {
    TlsCreds *c = NEW(TlsCreds);
    atomic_init(&c->refs, 1);
    int r = gnutls_certificate_allocate_credentials(&c->handle);
    ASSERT(r == 0);
    r = gnutls_certificate_set_x509_key_file(c->handle, cert_file, key_file, GNUTLS_X509_FMT_PEM);
    if (r >= 0) {
        gnutls_certificate_set_known_dh_params(c->handle, GNUTLS_SEC_PARAM_MEDIUM);
        return c;
    }
    err_set(
        reterr, ERR_INVALID, "cannot use TLS certificate %s with key %s: %s", cert_file, key_file, gnutls_strerror(r));
    return tls_creds_unref(c);
}

TlsCreds *tls_creds_unref(TlsCreds *c) {
    if (!c || atomic_fetch_sub(&c->refs, 1) != 1) return NULL;
    gnutls_certificate_free_credentials(c->handle);
    mem_free(c);
    return NULL;
}

gnutls_certificate_credentials_t tls_creds_handle(TlsCreds *c) { return c->handle; }

TlsKeys *tls_keys_load(const char *cert_file, const char *key_file, Err *reterr) {
    TlsCreds *first = creds_load(cert_file, key_file, reterr);
    if (!first) return NULL;
    TlsKeys *k = NEW(TlsKeys);
    mutex_init(&k->lock);
    k->current = first;
    k->cert_file = str_dup_cstr(str_cstr(cert_file));
    k->key_file = str_dup_cstr(str_cstr(key_file));
    return k;
}

ErrCode tls_keys_reload(TlsKeys *k, Err *reterr) {
    TlsCreds *fresh = creds_load(k->cert_file, k->key_file, reterr);
    if (!fresh) return ERR_INVALID;
    mutex_lock(&k->lock);
    TlsCreds *old = k->current;
    k->current = fresh;
    mutex_unlock(&k->lock);
    tls_creds_unref(old);
    return OK;
}

TlsCreds *tls_keys_current(TlsKeys *k) {
    mutex_lock(&k->lock);
    TlsCreds *c = k->current;
    atomic_fetch_add(&c->refs, 1);
    mutex_unlock(&k->lock);
    return c;
}

TlsKeys *tls_keys_free(TlsKeys *k) {
    if (!k) return NULL;
    tls_creds_unref(k->current);
    mutex_done(&k->lock);
    mem_free(k->cert_file);
    mem_free(k->key_file);
    mem_free(k);
    return NULL;
}

/* --- handshake --- */

typedef struct Handshake {
    uv_poll_t poll;
    LoopTick tick;
    NetServer *server;
    Loop *loop;
    Accepted conn;
    Transport t;
    int64_t deadline_ns;
} Handshake;

static void handshake_closed(uv_handle_t *handle) {
    Handshake *h = handle->data;
    loop_open_add(h->loop, -1);
    mem_free(h);
}

static bool offers_h2(gnutls_session_t tls) {
    gnutls_datum_t proto;
    return gnutls_alpn_get_selected_protocol(tls, &proto) == 0 && proto.size == 2 && memcmp(proto.data, "h2", 2) == 0;
}

/* Ends this stage; ok: the connection goes on to its engine. */
static void handshake_end(Handshake *h, bool ok) {
    loop_tick_remove(h->loop, &h->tick);
    uv_poll_stop(&h->poll);
    uv_close((uv_handle_t *)&h->poll, handshake_closed);
    if (!ok) {
        transport_close(&h->t);
        net_connection_closed(h->server);
    } else if (offers_h2(h->t.tls)) {
        http2_start(h->loop, h->server, h->conn.listener, h->conn.peer, h->t);
    } else {
        bridge_start(h->loop, h->server, &h->conn, h->t);
    }
}

static void on_poll(uv_poll_t *poll, int status, int events) {
    Handshake *h = poll->data;
    (void)events;
    int r = status < 0 ? GNUTLS_E_PULL_ERROR : gnutls_handshake(h->t.tls);
    if (r == 0) {
        handshake_end(h, true);
    } else if (gnutls_error_is_fatal(r)) {
        atomic_fetch_add(&h->server->stats.protocol_errors, 1);
        gnutls_alert_send_appropriate(h->t.tls, r);
        handshake_end(h, false);
    } else {
        uv_poll_start(&h->poll, gnutls_record_get_direction(h->t.tls) ? UV_WRITABLE : UV_READABLE, on_poll);
    }
}

static void on_tick(LoopTick *tick, int64_t now_ns) {
    Handshake *h = CONTAINER_OF(tick, Handshake, tick);
    bool late = now_ns >= h->deadline_ns;
    if (late) atomic_fetch_add(&h->server->stats.timeouts, 1);
    if (late || atomic_load(&h->server->draining)) handshake_end(h, false);
}

static gnutls_session_t make_session(int fd, TlsCreds *creds) {
    static const gnutls_datum_t protos[] = {
        {(unsigned char *)(uintptr_t) "h2", 2}, {(unsigned char *)(uintptr_t) "http/1.1", 8}};
    gnutls_session_t tls;
    int r = gnutls_init(&tls, GNUTLS_SERVER | GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL);
    ASSERT(r == 0);
    r = gnutls_priority_set_direct(tls, TLS_PRIORITIES, NULL);
    ASSERT(r == 0);
    r = gnutls_credentials_set(tls, GNUTLS_CRD_CERTIFICATE, tls_creds_handle(creds));
    ASSERT(r == 0);
    gnutls_alpn_set_protocols(tls, protos, ARRAY_LEN(protos), GNUTLS_ALPN_SERVER_PRECEDENCE);
    gnutls_certificate_server_set_request(tls, GNUTLS_CERT_IGNORE);
    gnutls_transport_set_int(tls, fd);
    return tls;
}

static void begin_on_loop(void *ctx) {
    Handshake *h = ctx;
    TlsCreds *creds = tls_keys_current(h->conn.listener->tls);
    h->t = (Transport){.fd = h->conn.fd, .tls = make_session(h->conn.fd, creds), .creds = creds};
    h->deadline_ns = clock_mono_ns() + (int64_t)h->server->opts.header_timeout_ms * 1000000;
    h->tick.fn = on_tick;
    int r = uv_poll_init(loop_uv(h->loop), &h->poll, h->conn.fd);
    ASSERT(r == 0);
    h->poll.data = h;
    loop_open_add(h->loop, 1);
    loop_tick_add(h->loop, &h->tick);
    uv_poll_start(&h->poll, UV_READABLE, on_poll);
}

void tls_add(NetServer *s, const Accepted *a) {
    Handshake *h = NEW(Handshake);
    h->server = s;
    h->conn = *a;
    h->loop = s->loops[atomic_fetch_add(&s->next_loop, 1) % s->n_loops];
    loop_post(h->loop, begin_on_loop, h);
}
