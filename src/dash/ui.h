/* ui.h - the web UI's server side: embedded assets, pages, signing in, the session, preferences. */
#ifndef MEERKAT_DASH_UI_H
#define MEERKAT_DASH_UI_H

#include "dash/meta.h"
#include "dash/users.h"
#include "net/auth.h"

typedef struct Dash Dash;

typedef struct DashPort {
    const char *name; /* "ui", "prometheus", "otlp_grpc", ... */
    uint16_t port;    /* 0: closed, left out */
} DashPort;

typedef struct DashOptions {
    Auth *auth;          /* borrowed; users_load has filled it */
    MetaDb *meta;        /* borrowed */
    const char *version; /* "0.1.0"; copied */
    Str external_url; /* "https://example.com/meerkat": redirects to the UI begin with it; copied. "": the UI's port */
    Str prefix;       /* "/meerkat": before all paths, as browsers see them; copied. "": none */
    const DashPort *ports;
    size_t n_ports; /* at most 32; copied */
} DashOptions;

Dash *dash_create(const DashOptions *opts);
Dash *dash_free(Dash *d); /* after the server that serves its routes; NULL is fine; returns NULL */

/* For the UI's listener (with NetListen.require_role): pages and assets, open to everybody;
 *   POST /login {"user","password"}     cookie meerkat_session; 200 the session, 401/429 {"error"}
 *   POST /logout                        204
 *   GET  /api/meerkat/v1/session        {"user","role","password_is_default","ports":{name:port},"version"}; 401,
 *                                       or 200 null with ?anonymous=ok
 *   POST /api/meerkat/v1/password       {"old","new"}; a new cookie, the user's other sessions end
 *   GET, PUT /api/meerkat/v1/preferences  the user's JSON object, at most 64 KiB
 * Page paths: /, /home, /login, /explore/metrics, /graph, /query, /logs, /traces, /search, /trace/{id}, /targets,
 * /alerts, /silences, /d/{uid}[/{slug}] - old addresses lead to the right view in the browser. */
void dash_ui_routes(Dash *d, Router *r);

/* For a classic service's listener: its pages' old addresses redirect to the same path and query on the UI's port
 * (of the host the client used), "/" to home ("/logs", "/explore/metrics", ...). patterns: router patterns. They must
 * outlive the router. */
void dash_redirect_routes(Dash *d, Router *r, const char *home, const char *const *patterns, size_t n_patterns);

/* Whether the UI was built in; without it its pages answer 404 and say so. */
bool dash_has_ui(void);

#endif
