/* am_own_int.h - between the files of our own API. Private to alert. */
#ifndef MEERKAT_ALERT_AM_OWN_INT_H
#define MEERKAT_ALERT_AM_OWN_INT_H

#include "alert/am_api_int.h"

bool am_parse_fp(Str s, uint64_t *ret); /* 16 hexadecimal digits */
void am_why_handler(void *ctx, HttpRequest *req, HttpResponse *res);
void am_groups_handler(void *ctx, HttpRequest *req, HttpResponse *res);
void am_routes_handler(void *ctx, HttpRequest *req, HttpResponse *res);
void am_routes_test(Alertmanager *am, Labels l, HttpResponse *res);
void am_put_integration(Alertmanager *am, JsonWriter *w, const Receiver *r, const Integration *in);
void am_put_json_value(Buf *out, const JsonValue *v);

#endif
