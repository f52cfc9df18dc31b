/* am_api_int.h - what the handlers of the API share. Private to alert.
 *
 * Bodies are what Go's encoding/json writes (<, > and & escaped, a newline at the end); errors of the framework
 * (go-openapi) are {"code","message"} without a newline, those of the handlers a JSON string. */
#ifndef MEERKAT_ALERT_AM_API_INT_H
#define MEERKAT_ALERT_AM_API_INT_H

#include "alert/am_int.h"

#include "base/json.h"

#define AM_BODY_MAX ((size_t)64 << 20)

/* res->body holds JSON: escapes it as Go does, ends it, sets the type. */
void am_api_json(HttpResponse *res, int status);
void am_api_text_error(HttpResponse *res, int status, const char *fmt, ...) ATTR_PRINTF(3, 4); /* a JSON string */
void am_api_error(HttpResponse *res, int status, int code, const char *fmt, ...) ATTR_PRINTF(4, 5);
/* The body's bytes, of media type application/json. false: answered. what: "alerts", "silence"; a body of nothing gives
 * 602. */
bool am_api_body(HttpRequest *req, HttpResponse *res, const char *what, Str *ret);
/* Parsed; a syntax error is answered in Go's manner. */
bool am_api_parse(HttpRequest *req, HttpResponse *res, const char *what, Str body, JsonValue **ret);
bool am_api_bool(HttpRequest *req, const char *name, bool fallback);
/* The repeated parameter of matchers; false: answered with the text. */
bool am_api_filter(
    Alertmanager *am, HttpRequest *req, HttpResponse *res, const char *name, const char *prefix, Matchers *ret);
/* The anchored regular expression of a parameter; NULL: none. It is freed with the request. */
bool am_api_regex(HttpRequest *req, HttpResponse *res, const char *name, const struct Regex **ret);
void am_put_time(JsonWriter *w, int64_t ns);                      /* 2026-11-20T11:43:29.366Z; 0: Go's zero time */
void am_put_key_time(JsonWriter *w, const char *key, int64_t ns); /* nothing for 0 */
void am_put_label_object(JsonWriter *w, Labels l);
void am_put_ack_members(JsonWriter *w, const AmAck *ack);
void am_put_duration(JsonWriter *w, const char *key, int64_t ms);
void am_put_fp(JsonWriter *w, uint64_t fp);
/* The formats go-openapi takes; "" and year 1 are 0. */
bool am_parse_datetime(Str s, int64_t *ret_ns);
/* {"a":"b"}: sorted, empty values dropped when they shall be. false: a value is no text. */
bool am_json_labels(const JsonValue *v, Arena *arena, bool drop_empty, Labels *ret, JsonKind *ret_wrong);
void am_put_silence(JsonWriter *w, const AmSilence *s, int64_t now_ns);
/* Parses and checks a silence as the framework does; fields beyond API v2 are the caller's. false: answered. */
bool am_api_silence_input(
    HttpRequest *req, HttpResponse *res, const JsonValue *v, bool lenient_times, AmSilenceInput *ret);

Labels am_receiver_labels(const Receiver *r, Arena *arena);

void am_api_alerts(void *ctx, HttpRequest *req, HttpResponse *res);
void am_api_post_alerts(void *ctx, HttpRequest *req, HttpResponse *res);
void am_api_groups(void *ctx, HttpRequest *req, HttpResponse *res);
void am_api_silences(void *ctx, HttpRequest *req, HttpResponse *res);
void am_api_post_silence(void *ctx, HttpRequest *req, HttpResponse *res);
void am_api_silence(void *ctx, HttpRequest *req, HttpResponse *res);
void am_api_delete_silence(void *ctx, HttpRequest *req, HttpResponse *res);
void am_cluster_put_status(Alertmanager *am, JsonWriter *w);
void am_cluster_routes(Alertmanager *am, Router *r);
void am_own_routes(Alertmanager *am, Router *r); /* /api/meerkat/v1/alerting/ */
void am_heart_routes(Alertmanager *am, Router *r);

#endif
