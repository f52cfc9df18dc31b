/* ui_int.h - what ui.c and session.c share. Private to dash. */
#ifndef MEERKAT_DASH_UI_INT_H
#define MEERKAT_DASH_UI_INT_H

#include "dash/ui.h"

#define DASH_PORTS_MAX 32

typedef struct DashPortCopy {
    char name[32];
    uint16_t port;
} DashPortCopy;

typedef struct DashHome {
    Dash *dash;
    const char *home;
} DashHome;

struct Dash {
    Auth *auth;
    MetaDb *meta;
    char version[64];
    char external_url[512], prefix[256]; /* without a slash at the end */
    DashPortCopy ports[DASH_PORTS_MAX];
    size_t n_ports;
    DashHome homes[16]; /* contexts of redirect routes */
    size_t n_homes;
};

/* Headers of every answer of the UI that a browser may show as a page. */
void ui_security_headers(HttpResponse *res);
void session_routes(Dash *d, Router *r);

#endif
