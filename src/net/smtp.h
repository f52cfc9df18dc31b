/* smtp.h - hands one mail to a server (RFC 5321), with TLS (STARTTLS or from the first byte) and authentication. */
#ifndef MEERKAT_NET_SMTP_H
#define MEERKAT_NET_SMTP_H

#include "base/err.h"
#include "base/str.h"
#include "net/client_tls.h"

typedef struct SmtpMail {
    const char *server; /* "host:port" */
    const char *hello;  /* name in EHLO; NULL: localhost */
    bool implicit_tls;  /* TLS from the first byte */
    bool starttls;      /* else: STARTTLS is demanded */
    ClientTls tls;
    const char *username, *password, *identity; /* username NULL: without authentication */
    const char *mechanisms;                     /* "PLAIN LOGIN", "CRAM-MD5": those that may be used */
    const char *from;                           /* the envelope's */
    const char *const *to;                      /* NULL-terminated */
    Str data;                                   /* headers and body, lines end in CRLF */
    int64_t timeout_ms;
} SmtpMail;

/* Blocks. ERR_TIMEOUT, ERR_FORBIDDEN (authentication), ERR_INVALID (the server refuses for good: 5xx), ERR_UNAVAILABLE
 * (anything that may pass). A server that offers no AUTH gets the mail without it, as Alertmanager does. */
ErrCode smtp_send(const SmtpMail *mail, Err *reterr);

#endif
