/* notify_sigv4.c - requests to Amazon's services: whose keys, and AWS Signature Version 4. Source: the AWS General
 * Reference. */
#include "alert/notify_int.h"
#include "base/timefmt.h"
#include "codec/sha256.h"
#include "sys/clock.h"
#include "sys/fs.h"
#include "sys/random.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define INI_MAX (256u << 10)
#define ROLE_S 900 /* as AWS' own library asks for */
#define ROLE_EARLY_S 30

static Str env(const char *name) { return str_cstr(getenv(name)); }

/* --- keys --- */

/* Key of a section of a file of AWS' tools; STR_NULL: there is none. */
static Str ini_get(Str text, Str section, Str key) {
    Str line;
    bool inside = false;
    while (str_split_next(&text, '\n', &line)) {
        line = str_trim(line);
        size_t equals = str_find_char(line, '=');
        if (str_starts_with(line, STR("["))) {
            Str name = str_trim(str_slice(line, 1, MIN(str_find_char(line, ']'), line.n)));
            if (str_starts_with(name, STR("profile "))) name = str_trim(str_skip(name, 8));
            inside = str_eq(name, section);
        } else if (inside && equals != SIZE_MAX && str_eq(str_trim(str_slice(line, 0, equals)), key)) {
            return str_trim(str_skip(line, equals + 1));
        }
    }
    return STR_NULL;
}

/* The file that variable names, or the one of that name in ~/.aws; nothing when there is none. */
static Str shared_file(Notify *n, const char *variable, const char *name) {
    Str path = env(variable);
    if (!path.n) path = arena_printf(n->arena, "%" STR_FMT "/.aws/%s", STR_ARG(env("HOME")), name);
    Buf b = {0};
    char *c = str_dup_cstr(path);
    ErrCode code = fs_read_file(fs_real(), c, INI_MAX, &b, NULL);
    mem_free(c);
    if (code) buf_clear(&b);
    return notify_copy_buf(n, &b);
}

/* What is not set yet, of a profile. */
static void profile_keys(Notify *n, Str profile, AwsKeys *k) {
    Str keys = shared_file(n, "AWS_SHARED_CREDENTIALS_FILE", "credentials"),
        config = shared_file(n, "AWS_CONFIG_FILE", "config");
    if (!k->region.n) k->region = ini_get(config, profile, STR("region"));
    if (!k->region.n) k->region = ini_get(keys, profile, STR("region"));
    if (k->key_id.n) return;
    if (!ini_get(keys, profile, STR("aws_access_key_id")).n) keys = config;
    k->key_id = ini_get(keys, profile, STR("aws_access_key_id"));
    k->secret = ini_get(keys, profile, STR("aws_secret_access_key"));
    k->session = ini_get(keys, profile, STR("aws_session_token"));
}

/* In the order of AWS' own tools: the configuration's keys, its profile, the environment's keys, the environment's
 * profile. */
static bool base_keys(Notify *n, const Settings *sigv4, AwsKeys *k) {
    Str profile = sigv4 ? settings_text(sigv4, "profile") : STR_NULL;
    if (sigv4) k->region = settings_text(sigv4, "region");
    if (sigv4) k->key_id = settings_text(sigv4, "access_key");
    if (sigv4) k->secret = settings_text(sigv4, "secret_key");
    if (!k->region.n) k->region = env("AWS_REGION").n ? env("AWS_REGION") : env("AWS_DEFAULT_REGION");
    if (profile.n) profile_keys(n, profile, k);
    if (!k->key_id.n && !profile.n && env("AWS_ACCESS_KEY_ID").n)
        *k = (AwsKeys){k->region, env("AWS_ACCESS_KEY_ID"), env("AWS_SECRET_ACCESS_KEY"), env("AWS_SESSION_TOKEN")};
    if (!profile.n && (!k->key_id.n || !k->region.n))
        profile_keys(n, env("AWS_PROFILE").n ? env("AWS_PROFILE") : STR("default"), k);
    notify_hide(n, k->secret);
    notify_hide(n, k->session);
    if (!k->region.n)
        return notify_fail(
            n, "other", true, "region not configured in sns.sigv4.region or in default credentials chain");
    if (notify_dry(n) || (k->key_id.n && k->secret.n)) return true;
    if (profile.n)
        return notify_fail(
            n, "other", true, "no keys of profile %" STR_FMT " in the shared credentials file", STR_ARG(profile));
    return notify_fail(n, "other", true, "no AWS keys in sigv4, in the environment, or in the shared credentials file");
}

static Str xml_text(Str xml, const char *open, const char *close) {
    size_t from = str_find(xml, str_cstr(open)), to = str_find(xml, str_cstr(close));
    return from == SIZE_MAX || to == SIZE_MAX || from + strlen(open) > to ? STR_NULL
                                                                          : str_slice(xml, from + strlen(open), to);
}

void aws_error_details(int status, Str body, Buf *out) {
    (void)status;
    buf_put_str(out, xml_text(body, "<Message>", "</Message>"));
}

void aws_form(Buf *b, const char *key, Str value) {
    if (b->n) buf_put_char(b, '&');
    buf_put(b, key, strlen(key));
    buf_put_char(b, '=');
    gotmpl_put_urlquery(b, value);
}

static Str role_form(Notify *n, const Settings *sigv4) {
    char session[64];
    snprintf(session, sizeof session, "alertmanager-%016" PRIx64, random_u64());
    Buf b = {0};
    aws_form(&b, "Action", STR("AssumeRole"));
    aws_form(&b, "DurationSeconds", STR("900"));
    if (settings_text(sigv4, "external_id").n) aws_form(&b, "ExternalId", settings_text(sigv4, "external_id"));
    aws_form(&b, "RoleArn", settings_text(sigv4, "role_arn"));
    aws_form(&b, "RoleSessionName", str_cstr(session));
    aws_form(&b, "Version", STR("2011-06-15"));
    return notify_copy_buf(n, &b);
}

/* The role's keys as lines: id, secret, session. */
static bool role_keys(Notify *n, AwsKeys *k, Str lines) {
    Str id, secret, session;
    if (!str_split_next(&lines, '\n', &id) || !str_split_next(&lines, '\n', &secret) ||
        !str_split_next(&lines, '\n', &session))
        return false;
    *k = (AwsKeys){k->region, id, secret, session};
    notify_hide(n, secret);
    notify_hide(n, session);
    return id.n && secret.n && session.n;
}

/* By STS; kept until shortly before they end. */
static bool assume_role(Notify *n, const Settings *sigv4, AwsKeys *k) {
    const char *fips = settings_bool(sigv4, "use_fips_sts_endpoint") ? "-fips" : "";
    const char *china = str_starts_with(k->region, STR("cn-")) ? ".cn" : "";
    Str url = arena_printf(n->arena, "https://sts%s.%" STR_FMT ".amazonaws.com%s/", fips, STR_ARG(k->region), china);
    Str key = arena_printf(n->arena, "sts\n%" STR_FMT "\n%" STR_FMT "\n%" STR_FMT "\n%" STR_FMT "\n%" STR_FMT,
        STR_ARG(url), STR_ARG(k->key_id), STR_ARG(k->secret), STR_ARG(settings_text(sigv4, "role_arn")),
        STR_ARG(settings_text(sigv4, "external_id")));
    Str lines;
    if (notify_token_get(n, key, &lines)) return role_keys(n, k, lines);
    NotifyHttp h = {.url_is_public = true, .details = aws_error_details, .reads_answer = true};
    NotifyAnswer a;
    aws_sign(n, k, "sts", url, role_form(n, sigv4), &h);
    if (!notify_http(n, &h, &a)) return false;
    Str id = xml_text(a.body, "<AccessKeyId>", "</AccessKeyId>"),
        secret = xml_text(a.body, "<SecretAccessKey>", "</SecretAccessKey>");
    Str session = xml_text(a.body, "<SessionToken>", "</SessionToken>");
    lines =
        arena_printf(n->arena, "%" STR_FMT "\n%" STR_FMT "\n%" STR_FMT, STR_ARG(id), STR_ARG(secret), STR_ARG(session));
    if (!role_keys(n, k, lines)) return notify_fail(n, "other", true, "sts: no keys in the answer to AssumeRole");
    int64_t end_ns = 0;
    bool told = time_parse_rfc3339(xml_text(a.body, "<Expiration>", "</Expiration>"), &end_ns);
    notify_token_put(key, lines, (told ? (end_ns - clock_now_ns()) / NS_PER_S : ROLE_S) - ROLE_EARLY_S);
    return true;
}

bool aws_keys(Notify *n, const Settings *sigv4, AwsKeys *ret) {
    *ret = (AwsKeys){0};
    if (!base_keys(n, sigv4, ret)) return false;
    if (!sigv4 || !settings_text(sigv4, "role_arn").n || notify_dry(n)) return true;
    return assume_role(n, sigv4, ret);
}

/* --- the signature --- */

static void put_hex(char *out, const uint8_t *p) {
    for (int i = 0; i < SHA256_BYTES; i++) snprintf(out + 2 * i, 3, "%02x", p[i]);
}

static Str mac_of(const uint8_t *mac) { return str_of((const char *)mac, SHA256_BYTES); }

/* Four steps of HMAC from the secret to the signing key. */
static void sign(const AwsKeys *c, const char *service, Str date, Str text, char hex[2 * SHA256_BYTES + 1]) {
    Buf key = {0};
    uint8_t a[SHA256_BYTES], b[SHA256_BYTES];
    buf_put_lit(&key, "AWS4");
    buf_put_str(&key, c->secret);
    hmac_sha256(buf_str(&key), date, a);
    hmac_sha256(mac_of(a), c->region, b);
    hmac_sha256(mac_of(b), str_cstr(service), a);
    hmac_sha256(mac_of(a), STR("aws4_request"), b);
    hmac_sha256(mac_of(b), text, a);
    put_hex(hex, a);
    buf_done(&key);
}

static const char *authorization(
    Notify *n, const AwsKeys *c, const char *service, Str host, Str path, Str stamp, Str body) {
    char hash[2 * SHA256_BYTES + 1], signature[2 * SHA256_BYTES + 1];
    Str date = str_slice(stamp, 0, 8);
    Str signed_headers =
        c->session.n ? STR("content-type;host;x-amz-date;x-amz-security-token") : STR("content-type;host;x-amz-date");
    sha256_hex(body, hash);
    Buf canonical = {0}, text = {0};
    buf_printf(&canonical,
        "POST\n%" STR_FMT "\n\ncontent-type:" AWS_FORM "\nhost:%" STR_FMT "\nx-amz-date:%" STR_FMT "\n", STR_ARG(path),
        STR_ARG(host), STR_ARG(stamp));
    if (c->session.n) buf_printf(&canonical, "x-amz-security-token:%" STR_FMT "\n", STR_ARG(c->session));
    buf_printf(&canonical, "\n%" STR_FMT "\n%s", STR_ARG(signed_headers), hash);
    sha256_hex(buf_str(&canonical), hash);
    buf_printf(&text, "AWS4-HMAC-SHA256\n%" STR_FMT "\n%" STR_FMT "/%" STR_FMT "/%s/aws4_request\n%s", STR_ARG(stamp),
        STR_ARG(date), STR_ARG(c->region), service, hash);
    sign(c, service, date, buf_str(&text), signature);
    buf_done(&canonical);
    buf_done(&text);
    return arena_printf(n->arena,
        "Authorization: AWS4-HMAC-SHA256 Credential=%" STR_FMT "/%" STR_FMT "/%" STR_FMT
        "/%s/aws4_request, SignedHeaders=%" STR_FMT ", Signature=%s",
        STR_ARG(c->key_id), STR_ARG(date), STR_ARG(c->region), service, STR_ARG(signed_headers), signature)
        .p;
}

static Str timestamp(Notify *n) {
    Buf b = {0};
    GoTime t = {.unix_s = clock_now_ns() / NS_PER_S, .zone = STR("UTC")};
    go_time_format(&b, &t, STR("20060102T150405Z"));
    return notify_copy_buf(n, &b);
}

void aws_sign(Notify *n, const AwsKeys *k, const char *service, Str url, Str form, NotifyHttp *ret) {
    size_t scheme = str_find(url, STR("://"));
    Str rest = scheme == SIZE_MAX ? url : str_skip(url, scheme + 3);
    size_t slash = MIN(str_find_char(rest, '/'), rest.n);
    Str host = str_slice(rest, 0, slash), path = slash < rest.n ? str_skip(rest, slash) : STR("/"),
        stamp = timestamp(n);
    ret->url = slash < rest.n ? url : arena_printf(n->arena, "%" STR_FMT "/", STR_ARG(url));
    ret->content_type = AWS_FORM;
    ret->body = form;
    ret->headers[0] = notify_cstr(n, "X-Amz-Date: ", stamp);
    ret->headers[1] = authorization(n, k, service, host, path, stamp, form);
    if (k->session.n) ret->headers[2] = notify_cstr(n, "X-Amz-Security-Token: ", k->session);
}
