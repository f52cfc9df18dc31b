/* notify_email.c - mail: headers by templates, text and HTML as alternatives, threads by group. */
#include "alert/notify_int.h"
#include "alert/notify_mime.h"
#include "alert/tz.h"
#include "base/timefmt.h"
#include "net/smtp.h"
#include "sys/clock.h"
#include "sys/process.h"
#include "sys/random.h"

#include <inttypes.h>
#include <stdio.h>

/* Message-ID as canonical header names are written: Message-Id. */
static Str canonical(Notify *n, Str name) {
    Str c = arena_copy(n->arena, name);
    char *p = (char *)(uintptr_t)c.p;
    bool upper = true;
    for (size_t i = 0; i < c.n; i++) {
        bool letter = (p[i] >= 'a' && p[i] <= 'z') || (p[i] >= 'A' && p[i] <= 'Z');
        if (letter) p[i] = upper ? (char)(p[i] & ~0x20) : (char)(p[i] | 0x20);
        upper = p[i] == '-';
    }
    return c;
}

static void put_header(Notify *n, Buf *out, Str name, Str text) {
    buf_put_str(out, canonical(n, name));
    buf_put_lit(out, ": ");
    mime_put_word(out, notify_expand_text(n, text));
    buf_put_lit(out, "\r\n");
}

static bool has_header(const YamlNode *own, Str name) {
    for (const YamlNode *it = own ? own->first : NULL; it; it = it->next)
        if (str_eq_nocase(it->key->text, name)) return true;
    return false;
}

static void put_message_id(Buf *out) {
    Buf host = {0};
    process_hostname(&host);
    buf_printf(out, "Message-Id: <%" PRId64 ".%" PRIu64 "@%s>\r\n", clock_now_ns(), random_u64(),
        host.n ? buf_cstr(&host) : "localhost.localdomain");
    buf_done(&host);
}

/* The machine's time, as people here read it. */
static GoTime local_now(void) {
    Tz *tz = NULL;
    Err err;
    GoTime now = {.unix_s = clock_now_ns() / NS_PER_S, .zone = STR("UTC")};
    if (tz_load(STR("Local"), &tz, &err) == OK) now.offset_s = tz_civil(tz, now.unix_s).offset_s;
    tz_free(tz);
    return now;
}

/* All mails of a group (and day) answer one that was never sent: mail programs show them together. */
static void put_threading(Notify *n, Buf *out) {
    const Setting *threading = settings_get(n->s, "threading");
    if (!threading->n_subs || !settings_bool(threading->subs, "enabled")) return;
    Buf day = {0};
    GoTime now = local_now();
    if (!str_eq_lit(settings_text(threading->subs, "thread_by_date"), "none"))
        go_time_format(&day, &now, STR("2006-01-02"));
    Str key = str_slice(notify_key_hash(n), 0, 16);
    static const char *const names[] = {"References", "In-Reply-To"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        buf_printf(out, "%s: <alert-%" STR_FMT "-%s@alertmanager>\r\n", names[i], STR_ARG(key), buf_cstr(&day));
    buf_done(&day);
}

static void put_part(Buf *out, const char *boundary, const char *type, Str body) {
    buf_printf(out, "--%s\r\nContent-Transfer-Encoding: quoted-printable\r\nContent-Type: %s; charset=UTF-8\r\n\r\n",
        boundary, type);
    mime_put_quoted_printable(out, body);
    buf_put_lit(out, "\r\n");
}

static void put_parts(Notify *n, Buf *out) {
    char boundary[64];
    snprintf(boundary, sizeof boundary, "%016" PRIx64 "%016" PRIx64, random_u64(), random_u64());
    GoTime now = local_now();
    buf_put_lit(out, "Date: ");
    go_time_format(out, &now, STR("Mon, 02 Jan 2006 15:04:05 -0700"));
    buf_printf(out, "\r\nContent-Type: multipart/alternative;  boundary=%s\r\nMIME-Version: 1.0\r\n\r\n", boundary);
    Str text = settings_text(n->s, "text"), html = settings_text(n->s, "html");
    if (text.n) put_part(out, boundary, "text/plain", notify_expand_text(n, text));
    if (html.n) put_part(out, boundary, "text/html", notify_expand_html(n, html));
    buf_printf(out, "--%s--\r\n", boundary);
}

static Str message(Notify *n) {
    const YamlNode *own = settings_get(n->s, "headers")->node;
    Buf out = {0};
    if (!has_header(own, STR("Subject")))
        put_header(n, &out, STR("Subject"), STR("{{ template \"email.default.subject\" . }}"));
    if (!has_header(own, STR("To"))) put_header(n, &out, STR("To"), settings_text(n->s, "to"));
    if (!has_header(own, STR("From"))) put_header(n, &out, STR("From"), settings_text(n->s, "from"));
    for (const YamlNode *it = own ? own->first : NULL; it; it = it->next) put_header(n, &out, it->key->text, it->text);
    if (!has_header(own, STR("Message-Id"))) put_message_id(&out);
    put_threading(n, &out);
    put_parts(n, &out);
    return notify_copy_buf(n, &out);
}

/* --- sending --- */

static Str host_of(Str smarthost) {
    size_t colon = str_rfind_char(smarthost, ':');
    return colon == SIZE_MAX ? smarthost : str_slice(smarthost, 0, colon);
}

/* Passwords do not travel in the open, but to this machine. */
static bool is_local(Str host) {
    return str_eq_lit(host, "localhost") || str_eq_lit(host, "127.0.0.1") || str_eq_lit(host, "::1") ||
           str_eq_lit(host, "[::1]");
}

/* A server that offers CRAM-MD5 takes auth_secret, one that offers PLAIN or LOGIN auth_password. */
static bool set_login(Notify *n, SmtpMail *m, SmtpMail *ret_other) {
    Str user = settings_text(n->s, "auth_username"), password, secret;
    *ret_other = (SmtpMail){0};
    if (!user.n) return true;
    if (!notify_secret(n, "auth_password", &password) || !notify_secret(n, "auth_secret", &secret)) return false;
    if (!password.n && !secret.n)
        return notify_fail(n, "other", true, "find auth mechanism: missing password for PLAIN auth mechanism");
    bool safe = m->implicit_tls || m->starttls || is_local(host_of(settings_text(n->s, "smarthost")));
    m->username = notify_cstr(n, "", user);
    m->identity = notify_cstr(n, "", settings_text(n->s, "auth_identity"));
    m->password = notify_cstr(n, "", secret);
    m->mechanisms = "CRAM-MD5";
    if (secret.n && password.n) *ret_other = *m;
    if (!password.n) return true;
    m->password = notify_cstr(n, "", password);
    m->mechanisms = safe ? "PLAIN LOGIN" : "LOGIN";
    return true;
}

static void set_tls(Notify *n, SmtpMail *m) {
    const Setting *implicit = settings_get(n->s, "force_implicit_tls");
    m->implicit_tls = implicit->set ? implicit->i != 0 : str_ends_with(settings_text(n->s, "smarthost"), STR(":465"));
    m->starttls = settings_bool(n->s, "require_tls") && !m->implicit_tls;
    const PromTlsConfig *t = n->config->tls;
    if (!t) return;
    m->tls = (ClientTls){.ca_file = notify_opt(n, t->ca_file),
        .cert_file = notify_opt(n, t->cert_file),
        .key_file = notify_opt(n, t->key_file),
        .ca_pem = t->ca,
        .cert_pem = t->cert,
        .key_pem = t->key,
        .server_name = notify_opt(n, t->server_name),
        .min_version = t->min_version,
        .max_version = t->max_version,
        .insecure_skip_verify = t->insecure_skip_verify};
}

static bool set_envelope(Notify *n, SmtpMail *m) {
    Str from, to, *v;
    size_t count;
    if (!notify_must(n, settings_text(n->s, "from"), "'from'", &from) ||
        !notify_must(n, settings_text(n->s, "to"), "'to'", &to))
        return false;
    if (!mime_addresses(from, n->arena, &v, &count))
        return notify_fail(
            n, "other", false, "parse 'from' addresses: mail: no address in \"%" STR_FMT "\"", STR_ARG(from));
    if (count != 1) return notify_fail(n, "other", false, "must be exactly one 'from' address (got: %zu)", count);
    m->from = notify_cstr(n, "", v[0]);
    if (!mime_addresses(to, n->arena, &v, &count))
        return notify_fail(
            n, "other", false, "parse 'to' addresses: mail: no address in \"%" STR_FMT "\"", STR_ARG(to));
    const char **list = ARENA_ARRAY(n->arena, const char *, count + 1);
    if (!list) return notify_fail(n, "other", false, "too many 'to' addresses");
    for (size_t i = 0; i < count; i++) list[i] = notify_cstr(n, "", v[i]);
    list[count] = NULL;
    m->to = list;
    return true;
}

void notify_email(Notify *n) {
    SmtpMail m = {.server = notify_cstr(n, "", settings_text(n->s, "smarthost")),
        .hello = notify_cstr(n, "", settings_text(n->s, "hello")),
        .timeout_ms = notify_left_ms(n)};
    set_tls(n, &m);
    SmtpMail other;
    if (!set_envelope(n, &m) || !set_login(n, &m, &other)) return;
    other.data = m.data = message(n);
    if (notify_dry(n)) {
        buf_printf(&n->preview, "SMTP %s\n\n%" STR_FMT, m.server, STR_ARG(m.data));
        return;
    }
    Err err = {0};
    ErrCode code = smtp_send(&m, &err);
    if (code == ERR_FORBIDDEN && other.username) code = smtp_send(&other, &err);
    if (code == OK) return;
    const char *reason = code == ERR_TIMEOUT     ? "contextDeadlineExceeded"
                         : code == ERR_FORBIDDEN ? "authError"
                                                 : "other";
    bool no_tls = str_find(str_cstr(err.msg), STR("STARTTLS extension")) != SIZE_MAX;
    notify_fail(n, reason, true, "send mail to %s: %s%s", m.server, err.msg,
        no_tls ? " (require_tls is true, the default)" : "");
}
