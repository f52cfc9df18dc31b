#include "net/smtp.h"

#include "base/base.h"
#include "base/buf.h"
#include "net/curl_tls_int.h"
#include "sys/thread.h"

#include <curl/curl.h>

static pthread_once_t curl_once = PTHREAD_ONCE_INIT;
static void curl_begin(void) { curl_global_init(CURL_GLOBAL_DEFAULT); }

static size_t on_read(char *buf, size_t size, size_t count, void *ctx) {
    Str *left = ctx;
    size_t n = MIN(size * count, left->n);
    if (n) memcpy(buf, left->p, n);
    *left = str_skip(*left, n);
    return n;
}

static bool has_line_break(const SmtpMail *m) {
    if (strpbrk(m->from, "\r\n") || strpbrk(m->server, "\r\n/") || (m->hello && strpbrk(m->hello, "\r\n/")))
        return true;
    for (const char *const *to = m->to; *to; to++)
        if (strpbrk(*to, "\r\n")) return true;
    return false;
}

/* "PLAIN LOGIN" as curl wants it: AUTH=PLAIN;AUTH=LOGIN */
static void set_mechanisms(CURL *e, const char *list) {
    Buf b = {0};
    Str rest = str_cstr(list), word;
    while (rest.n && str_split_next(&rest, ' ', &word))
        if (word.n) buf_printf(&b, "%sAUTH=%" STR_FMT, b.n ? ";" : "", STR_ARG(word));
    curl_easy_setopt(e, CURLOPT_LOGIN_OPTIONS, buf_cstr(&b));
    buf_done(&b);
}

/* The URL: where to connect to, the certificate's name, and after the slash the name in EHLO. */
static bool set_server(CURL *e, const SmtpMail *m, CurlTls *held) {
    Buf url = {0};
    buf_printf(&url, "%s://%s/%s", m->implicit_tls ? "smtps" : "smtp", m->server,
        m->hello && *m->hello ? m->hello : "localhost");
    char *host = NULL, *port = NULL, *other = NULL;
    if (m->tls.server_name) other = curl_tls_rename(e, buf_cstr(&url), m->tls.server_name, held, &host, &port);
    curl_easy_setopt(e, CURLOPT_URL, other ? other : buf_cstr(&url));
    bool named = other || !m->tls.server_name;
    curl_free(host);
    curl_free(port);
    curl_free(other);
    buf_done(&url);
    return named;
}

static void set_login(CURL *e, const SmtpMail *m) {
    if (!m->username || !*m->username) return;
    curl_easy_setopt(e, CURLOPT_USERNAME, m->username);
    curl_easy_setopt(e, CURLOPT_PASSWORD, m->password ? m->password : "");
    if (m->identity && *m->identity) curl_easy_setopt(e, CURLOPT_SASL_AUTHZID, m->identity);
    set_mechanisms(e, m->mechanisms ? m->mechanisms : "PLAIN LOGIN");
}

static ErrCode code_of(CURLcode result, long reply) {
    switch (result) {
    case CURLE_OK: return OK;
    case CURLE_OPERATION_TIMEDOUT: return ERR_TIMEOUT;
    case CURLE_LOGIN_DENIED: return ERR_FORBIDDEN;
    default: return reply >= 500 && reply < 600 ? ERR_INVALID : ERR_UNAVAILABLE;
    }
}

static CURLcode perform(CURL *e, const SmtpMail *m, CurlTls *held, char *error) {
    if (!curl_tls_set(e, &m->tls, held)) return CURLE_OUT_OF_MEMORY;
    if (!set_server(e, m, held)) return CURLE_URL_MALFORMAT;
    Str left = m->data;
    struct curl_slist *to = NULL;
    for (const char *const *it = m->to; *it; it++) to = curl_slist_append(to, *it);
    curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(e, CURLOPT_PROXY, "");
    curl_easy_setopt(e, CURLOPT_ERRORBUFFER, error);
    curl_easy_setopt(e, CURLOPT_MAIL_FROM, m->from);
    curl_easy_setopt(e, CURLOPT_MAIL_RCPT, to);
    curl_easy_setopt(e, CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(e, CURLOPT_READFUNCTION, on_read);
    curl_easy_setopt(e, CURLOPT_READDATA, &left);
    curl_easy_setopt(
        e, CURLOPT_USE_SSL, m->starttls && !m->implicit_tls ? (long)CURLUSESSL_ALL : (long)CURLUSESSL_NONE);
    if (m->timeout_ms > 0) curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)m->timeout_ms);
    set_login(e, m);
    CURLcode result = curl_easy_perform(e);
    curl_slist_free_all(to);
    return result;
}

static void say_why(const SmtpMail *m, CURLcode result, long reply, const char *text, ErrCode code, Err *reterr) {
    if (result == CURLE_USE_SSL_FAILED && strstr(text, "not supported"))
        err_set(reterr, code, "the server does not advertise the STARTTLS extension");
    else if (result == CURLE_LOGIN_DENIED && reply < 400)
        err_set(reterr, code, "the server offers none of the authentication mechanisms %s", m->mechanisms);
    else if (result == CURLE_LOGIN_DENIED)
        err_set(reterr, code, "the server refuses the login: %ld", reply);
    else
        err_set(reterr, code, "%s%s", text, code == ERR_TIMEOUT ? " (timeout)" : "");
}

ErrCode smtp_send(const SmtpMail *m, Err *reterr) {
    pthread_once(&curl_once, curl_begin);
    if (has_line_break(m)) return err_set(reterr, ERR_INVALID, "an address or a server's name contains a line break");
    CURL *e = curl_easy_init();
    ASSERT(e);
    char error[CURL_ERROR_SIZE] = "";
    CurlTls held = {0};
    long reply = 0;
    CURLcode result = perform(e, m, &held, error);
    curl_easy_getinfo(e, CURLINFO_RESPONSE_CODE, &reply);
    ErrCode code = code_of(result, reply);
    if (code) say_why(m, result, reply, error[0] ? error : curl_easy_strerror(result), code, reterr);
    curl_easy_cleanup(e);
    curl_tls_done(&held);
    return code;
}
