/* notify.h - sends one notification of one group of alerts through one integration: templates, body, transport.
 *
 * Bodies are the original's, byte for byte where clients may depend on it. One call is one attempt: grouping, waiting,
 * deduplication and retries are the dispatcher's. */
#ifndef MEERKAT_ALERT_NOTIFY_H
#define MEERKAT_ALERT_NOTIFY_H

#include "alert/receiver.h"
#include "model/alert.h"
#include "net/client.h"

/* The default templates and those of the files of `templates:`; immutable, thread-safe, shared by a configuration. */
typedef struct NotifyTemplates NotifyTemplates;
/* globs as written in the file. A template that does not parse is a diagnostic with its own file and place (the place
 * of the glob when the file cannot be read). */
ErrCode notify_templates_load(
    const Str *globs, const int *glob_lines, size_t n, Str base_dir, NotifyTemplates **ret, DiagList *diags);
NotifyTemplates *notify_templates_free(NotifyTemplates *t);

typedef struct NotifyRequest {
    const Integration *integration;
    Str receiver;
    Str group_key; /* {}/{severity="critical"}:{alertname="X"}: external keys are its SHA-256 */
    Labels group_labels, route_labels;
    Str reason;          /* "first notification", ... : .NotificationReason */
    const Alert *alerts; /* in the order they shall be listed; resolved ones already left out if not wanted */
    size_t n_alerts;
    int64_t now_ns;     /* what is resolved is resolved at this time */
    int64_t timeout_ms; /* for this attempt */
    Str external_url;
    const NotifyTemplates *templates;
    Labels state; /* what the integration kept at the group's previous notification (message ids); may be empty */
    bool dry_run; /* render only: ret->preview, nothing is sent */
    bool test;    /* marked as a test to those who read it */
} NotifyRequest;

typedef struct NotifyResult {
    bool ok;
    bool retry; /* not ok, and another attempt may help */
    const char
        *reason; /* when not ok, as alertmanager_notifications_failed_total says: "clientError", "serverError", ... */
    int status;  /* HTTP status of the answer, 0: none */
    char error[512]; /* secrets are never in it */
    Labels state;    /* to be kept; from the arena */
    Str preview;     /* dry_run: method, URL without secrets, body; from the arena */
} NotifyResult;

/* Blocks until the answer or the timeout. A template that fails is no reason to be silent: the alert is sent with the
 * template's error in the text's place. */
void notify_send(HttpClient *client, const NotifyRequest *req, Arena *arena, NotifyResult *ret);
/* Expands one text against the request's data: for `template render` and previews. html: as html/template does. */
ErrCode notify_expand(const NotifyRequest *req, Str text, bool html, Arena *arena, Str *ret, Err *reterr);

/* The same against data that somebody wrote: JSON of the original's template.Data; STR_NULL: its example of two alerts,
 * one firing for 5 minutes and one that was for 10. Errors are amtool's. */
ErrCode notify_render(
    const NotifyTemplates *t, Str text, bool html, Str json, int64_t now_ns, Arena *arena, Str *ret, Err *reterr);

#endif
