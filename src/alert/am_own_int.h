/* am_own_int.h - between the files of our own API. Private to alert. */
#ifndef MEERKAT_ALERT_AM_OWN_INT_H
#define MEERKAT_ALERT_AM_OWN_INT_H

#include "alert/am_api_int.h"

bool am_parse_fp(Str s, uint64_t *ret); /* 16 hexadecimal digits */
void am_why_handler(void *ctx, HttpRequest *req, HttpResponse *res);
void am_groups_handler(void *ctx, HttpRequest *req, HttpResponse *res);
void am_names_handler(void *ctx, HttpRequest *req, HttpResponse *res);
void am_routes_handler(void *ctx, HttpRequest *req, HttpResponse *res);
void am_routes_test(Alertmanager *am, Labels l, HttpResponse *res);
void am_put_group_times(JsonWriter *w, const AmGroup *g);
void am_put_timers(JsonWriter *w, const AmRoute *r);
void am_put_muted(JsonWriter *w, const AmRoute *r, int64_t now);
void am_put_integration_head(JsonWriter *w, const Integration *in); /* what it is: the first members of an object */
void am_put_integrations(Alertmanager *am, JsonWriter *w, const AmGroup *g);
void am_put_integration(Alertmanager *am, JsonWriter *w, const Receiver *r, const Integration *in);
void am_put_json_value(Buf *out, const JsonValue *v);

/* What is wrong, as plain text. */
void am_own_refuse(HttpResponse *res, int status, const char *fmt, ...) ATTR_PRINTF(3, 4);
/* Parts of a body; false: answered. An object, or nothing at all (*ret NULL) when empty is fine. */
bool am_own_read_object(HttpRequest *req, HttpResponse *res, bool empty_ok, JsonValue **ret);
bool am_own_read_labels(HttpRequest *req, HttpResponse *res, const JsonValue *o, const char *key, Labels *ret);
/* Texts as in amtool, or objects as in API v2. */
bool am_own_read_matchers(Alertmanager *am, HttpRequest *req, HttpResponse *res, const JsonValue *list, Matchers *ret);
bool am_own_read_duration(HttpResponse *res, const JsonValue *o, const char *key, int64_t *ret_ms);

/* am_try.c */
void am_own_get_receivers(void *ctx, HttpRequest *req, HttpResponse *res);
void am_own_test_receiver(void *ctx, HttpRequest *req, HttpResponse *res);
void am_own_preview_receiver(void *ctx, HttpRequest *req, HttpResponse *res);
void am_own_test_routes(void *ctx, HttpRequest *req, HttpResponse *res);
void am_own_preview_template(void *ctx, HttpRequest *req, HttpResponse *res);

#endif
