/* am_heart.c - heartbeats. */
#include "alert/am_api_int.h"

ErrCode am_heart_create(Alertmanager *am, const AlertmanagerHeartbeat *v, size_t n, Err *reterr) {
    (void)am;
    (void)v;
    (void)n;
    (void)reterr;
    return OK;
}
void am_heart_free(Alertmanager *am) { (void)am; }

void am_heart_routes(Alertmanager *am, Router *r) {
    (void)am;
    (void)r;
}
