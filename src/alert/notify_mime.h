/* notify_mime.h - what mail is made of: encoded words, quoted-printable, addresses. Private to the email notifier. */
#ifndef MEERKAT_ALERT_NOTIFY_MIME_H
#define MEERKAT_ALERT_NOTIFY_MIME_H

#include "base/arena.h"
#include "base/buf.h"

/* A header's value: as it is when it is printable ASCII, else =?utf-8?q?...?= words (RFC 2047). Line breaks cannot get
 * through. */
void mime_put_word(Buf *out, Str s);
/* Quoted-printable with CRLF line ends and lines of at most 76 characters (RFC 2045). */
void mime_put_quoted_printable(Buf *out, Str s);
/* "a@b, Name <c@d>": the addresses alone. false: one is malformed. */
bool mime_addresses(Str list, Arena *arena, Str **ret, size_t *ret_n);

#endif
