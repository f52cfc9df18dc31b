/* notify_sns.c - Amazon SNS: the Publish action, signed with AWS Signature Version 4. */
#include "alert/notify_int.h"
#include "base/timefmt.h"
#include "codec/sha256.h"
#include "sys/clock.h"

#include <stdio.h>
#include <stdlib.h>

#define MESSAGE_MAX ((size_t)256 << 10)
#define SMS_MAX 1600
#define TYPE "application/x-www-form-urlencoded"

typedef struct Credentials {
    Str region, key_id, secret, session;
} Credentials;

static Str env(const char *name) { return str_cstr(getenv(name)); }

/* The configuration's, else those of the environment, as AWS' own tools take them. */
static bool credentials(Notify *n, Credentials *ret) {
    const Setting *sigv4 = settings_get(n->s, "sigv4");
    *ret = (Credentials){0};
    if (sigv4->n_subs) {
        ret->region = settings_text(sigv4->subs, "region");
        ret->key_id = settings_text(sigv4->subs, "access_key");
        ret->secret = settings_text(sigv4->subs, "secret_key");
        if (settings_text(sigv4->subs, "role_arn").n || settings_text(sigv4->subs, "profile").n)
            return notify_fail(n, "other", false, "sns: sigv4 role_arn and profile are not supported; use access_key and secret_key");
    }
    if (!ret->region.n) ret->region = env("AWS_REGION").n ? env("AWS_REGION") : env("AWS_DEFAULT_REGION");
    if (!ret->key_id.n) {
        ret->key_id = env("AWS_ACCESS_KEY_ID");
        ret->secret = env("AWS_SECRET_ACCESS_KEY");
        ret->session = env("AWS_SESSION_TOKEN");
    }
    if (n->n_secrets + 2 < ARRAY_LEN(n->secrets) && ret->secret.n >= 4) n->secrets[n->n_secrets++] = ret->secret;
    if (!ret->region.n)
        return notify_fail(n, "other", true, "region not configured in sns.sigv4.region or in default credentials chain");
    if (notify_dry(n) || (ret->key_id.n && ret->secret.n)) return true;
    return notify_fail(n, "other", true, "sns: no credentials in sigv4 nor in the environment");
}

/* --- the signature --- */

static void put_hex(char *out, const uint8_t *p) {
    for (int i = 0; i < SHA256_BYTES; i++) snprintf(out + 2 * i, 3, "%02x", p[i]);
}

static Str mac_of(const uint8_t *mac) { return str_of((const char *)mac, SHA256_BYTES); }

/* Four steps of HMAC from the secret to the signing key. */
static void sign(const Credentials *c, Str date, Str text, char hex[2 * SHA256_BYTES + 1]) {
    Buf key = {0};
    uint8_t a[SHA256_BYTES], b[SHA256_BYTES];
    buf_put_lit(&key, "AWS4");
    buf_put_str(&key, c->secret);
    hmac_sha256(buf_str(&key), date, a);
    hmac_sha256(mac_of(a), c->region, b);
    hmac_sha256(mac_of(b), STR("sns"), a);
    hmac_sha256(mac_of(a), STR("aws4_request"), b);
    hmac_sha256(mac_of(b), text, a);
    put_hex(hex, a);
    buf_done(&key);
}

static const char *authorization(Notify *n, const Credentials *c, Str host, Str path, Str stamp, Str body) {
    char hash[2 * SHA256_BYTES + 1], signature[2 * SHA256_BYTES + 1];
    Str date = str_slice(stamp, 0, 8);
    Str signed_headers = c->session.n ? STR("content-type;host;x-amz-date;x-amz-security-token") : STR("content-type;host;x-amz-date");
    sha256_hex(body, hash);
    Buf canonical = {0}, text = {0};
    buf_printf(&canonical, "POST\n%" STR_FMT "\n\ncontent-type:" TYPE "\nhost:%" STR_FMT "\nx-amz-date:%" STR_FMT "\n",
        STR_ARG(path), STR_ARG(host), STR_ARG(stamp));
    if (c->session.n) buf_printf(&canonical, "x-amz-security-token:%" STR_FMT "\n", STR_ARG(c->session));
    buf_printf(&canonical, "\n%" STR_FMT "\n%s", STR_ARG(signed_headers), hash);
    sha256_hex(buf_str(&canonical), hash);
    buf_printf(&text, "AWS4-HMAC-SHA256\n%" STR_FMT "\n%" STR_FMT "/%" STR_FMT "/sns/aws4_request\n%s", STR_ARG(stamp),
        STR_ARG(date), STR_ARG(c->region), hash);
    sign(c, date, buf_str(&text), signature);
    buf_done(&canonical);
    buf_done(&text);
    return arena_printf(n->arena,
        "Authorization: AWS4-HMAC-SHA256 Credential=%" STR_FMT "/%" STR_FMT "/%" STR_FMT "/sns/aws4_request, SignedHeaders=%" STR_FMT
        ", Signature=%s",
        STR_ARG(c->key_id), STR_ARG(date), STR_ARG(c->region), STR_ARG(signed_headers), signature).p;
}

static Str timestamp(Notify *n) {
    Buf b = {0};
    GoTime t = {.unix_s = clock_now_ns() / NS_PER_S, .zone = STR("UTC")};
    go_time_format(&b, &t, STR("20060102T150405Z"));
    return notify_copy_buf(n, &b);
}

/* --- the request --- */

static void form(Buf *b, const char *key, Str value) {
    if (b->n) buf_put_char(b, '&');
    buf_put(b, key, strlen(key));
    buf_put_char(b, '=');
    gotmpl_put_urlquery(b, value);
}

static void form_attributes(Notify *n, Buf *b, bool truncated) {
    const YamlNode *own = settings_get(n->s, "attributes")->node;
    int i = 1;
    for (const YamlNode *it = own ? own->first : NULL; it || truncated; i++) {
        char key[64];
        snprintf(key, sizeof key, "MessageAttributes.entry.%d.Name", i);
        form(b, key, it ? notify_expand_text(n, it->key->text) : STR("truncated"));
        snprintf(key, sizeof key, "MessageAttributes.entry.%d.Value.DataType", i);
        form(b, key, STR("String"));
        snprintf(key, sizeof key, "MessageAttributes.entry.%d.Value.StringValue", i);
        form(b, key, it ? notify_expand_text(n, it->text) : STR("true"));
        if (!it) truncated = false;
        it = it ? it->next : NULL;
    }
}

static bool publish_form(Notify *n, Buf *b) {
    Str topic, phone, target, message = notify_t(n, "message"), subject = notify_t(n, "subject");
    if (!notify_must(n, settings_text(n->s, "topic_arn"), "'topic_arn'", &topic) ||
        !notify_must(n, settings_text(n->s, "phone_number"), "'phone_number'", &phone) ||
        !notify_must(n, settings_text(n->s, "target_arn"), "'target_arn'", &target))
        return false;
    size_t max = phone.n ? SMS_MAX : MESSAGE_MAX;
    if (!str_is_utf8(message)) return notify_fail(n, "other", true, "non utf8 encoded message string");
    form(b, "Action", STR("Publish"));
    form(b, "Message", message.n > max ? str_slice(message, 0, max) : message);
    form_attributes(n, b, message.n > max);
    if (str_ends_with(topic, STR(".fifo"))) {
        form(b, "MessageDeduplicationId", notify_key_hash(n));
        form(b, "MessageGroupId", notify_key_hash(n));
    }
    if (phone.n) form(b, "PhoneNumber", phone);
    if (settings_text(n->s, "subject").n) form(b, "Subject", subject);
    if (target.n) form(b, "TargetArn", target);
    if (topic.n) form(b, "TopicArn", topic);
    form(b, "Version", STR("2010-03-31"));
    return true;
}

static void error_details(int status, Str body, Buf *out) {
    (void)status;
    size_t from = str_find(body, STR("<Message>")), to = str_find(body, STR("</Message>"));
    if (from != SIZE_MAX && to != SIZE_MAX && from + 9 <= to) buf_put_str(out, str_slice(body, from + 9, to));
}

void notify_sns(Notify *n) {
    Credentials c;
    Str url;
    Buf body = {0};
    if (!notify_must(n, settings_text(n->s, "api_url"), "'api_url'", &url) || !credentials(n, &c)) return;
    if (!url.n) url = arena_printf(n->arena, "https://sns.%" STR_FMT ".amazonaws.com/", STR_ARG(c.region));
    size_t scheme = str_find(url, STR("://"));
    Str rest = scheme == SIZE_MAX ? url : str_skip(url, scheme + 3);
    size_t slash = MIN(str_find_char(rest, '/'), rest.n);
    Str host = str_slice(rest, 0, slash), path = slash < rest.n ? str_skip(rest, slash) : STR("/");
    if (slash == rest.n) url = arena_printf(n->arena, "%" STR_FMT "/", STR_ARG(url));
    if (!publish_form(n, &body)) {
        buf_done(&body);
        return;
    }
    Str text = notify_copy_buf(n, &body), stamp = timestamp(n);
    NotifyHttp h = {.url = url, .url_is_public = true, .content_type = TYPE, .body = text, .details = error_details,
        .headers = {notify_cstr(n, "X-Amz-Date: ", stamp), authorization(n, &c, host, path, stamp, text),
            c.session.n ? notify_cstr(n, "X-Amz-Security-Token: ", c.session) : NULL, NULL}};
    NotifyAnswer ignored;
    notify_http(n, &h, &ignored);
}
