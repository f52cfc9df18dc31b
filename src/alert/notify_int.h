/* notify_int.h - a notification on its way: data for templates, texts, requests, the verdict. Private to alert. */
#ifndef MEERKAT_ALERT_NOTIFY_INT_H
#define MEERKAT_ALERT_NOTIFY_INT_H

#include "alert/notify.h"
#include "alert/receiver_int.h"
#include "lang/gotime.h"
#include "lang/gotmpl.h"

struct NotifyTemplates {
    GoTmpl *set;
};
extern const GoFunc notify_funcs[];
extern const size_t notify_n_funcs;
extern const Str notify_default_templates[]; /* texts of {{ define }}s */
extern const size_t notify_n_default_templates;

/* --- data --- */
typedef struct NotifyAlert {
    Str status; /* "firing", "resolved" */
    Labels labels, annotations;
    GoTime starts, ends;
    Str generator_url;
    Str fingerprint;
} NotifyAlert;

typedef struct NotifyData {
    Str receiver, status;
    NotifyAlert *alerts;
    size_t n_alerts, n_firing;
    Str reason;
    Labels group, common, common_annotations, route;
    Str external_url;
} NotifyData;

extern const GoType notify_data_type[1];  /* *template.Data */
extern const GoType notify_data_value[1]; /* template.Data, as `template render` passes it */
/* From at most max_alerts (0: all) of the request's. NULL: out of memory. */
NotifyData *notify_data(const NotifyRequest *req, size_t max_alerts, Arena *arena);

/* Expands text against data of one of these types. */
ErrCode notify_expand_data(
    const NotifyTemplates *t, GoValue data, Str text, bool html, Arena *arena, Str *ret, Err *reterr);

/* --- JSON as Go writes it --- */
void gojson_str(JsonWriter *w, Str s);
/* key and text, unless it is empty. */
void gojson_opt(JsonWriter *w, Str key, Str s);
void gojson_key_str(JsonWriter *w, Str key, Str s);
/* Escapes <, >, & and the line separators in the finished document, as encoding/json does, and ends the line. */
void gojson_finish(Buf *b);
void gojson_value(Buf *b, GoValue v, int depth); /* json.Marshal, unescaped */

/* --- the notification --- */
typedef struct Notify {
    HttpClient *client;
    const NotifyRequest *req;
    const IntegrationConfig *config;
    const Settings *s;
    NotifyData *data;
    Arena *arena;
    NotifyResult *res;
    const NotifyTemplates *templates;
    int64_t deadline_mono_ns;
    bool failed;     /* the verdict stands */
    Str secrets[16]; /* never to be seen in errors */
    size_t n_secrets;
    Buf preview;
} Notify;

/* The setting's text, expanded. A template that fails gives its error as text: the alert is sent all the same. */
Str notify_text(Notify *n, const Settings *s, const char *key);
static inline Str notify_t(Notify *n, const char *key) { return notify_text(n, n->s, key); }
Str notify_expand_text(Notify *n, Str text);
Str notify_expand_html(Notify *n, Str text);
/* The same for what must be right (addresses, keys): on an error the notification fails. */
bool notify_must(Notify *n, Str text, const char *what, Str *ret);
/* The secret of key or of the file key_file names, trimmed; in a dry run "<secret>". false: failed. */
bool notify_secret(Notify *n, const char *key, Str *ret);
/* The URL of key or of the file key_file names. false: failed. */
bool notify_url(Notify *n, const char *key, Str *ret);
bool notify_read_file(Notify *n, Str path, Str *ret);
Str notify_key_hash(Notify *n); /* SHA-256 of the group key, hex */
Str notify_truncate_runes(Notify *n, Str s, size_t max);
Str notify_truncate_bytes(Notify *n, Str s, size_t max);
static inline bool notify_firing(const Notify *n) { return n->data->n_firing > 0; }

/* The verdict. All give false. */
bool notify_fail(Notify *n, const char *reason, bool retry, const char *fmt, ...) ATTR_PRINTF(4, 5);

typedef struct NotifyHttp {
    const char *method; /* NULL: POST */
    Str url;            /* secret unless url_is_public */
    bool url_is_public;
    const char *content_type; /* NULL: application/json */
    const char *headers[6];   /* more; NULL-terminated */
    Str body;
    const int *retry_codes; /* beside 5xx; 0-terminated, NULL: none */
    const char *context;    /* before the error: channel "x"; may be NULL */
    bool reads_answer; /* the body of a 2xx is needed; otherwise its status decides, whatever becomes of the body */
    /* Details of a refusal out of the answer's body; NULL: the body itself. */
    void (*details)(int status, Str body, Buf *out);
} NotifyHttp;
typedef struct NotifyAnswer {
    int status;
    Str body, content_type;
} NotifyAnswer;
/* Sends and judges: 2xx is true, anything else the verdict. In a dry run it adds to the preview and gives true with an
 * empty answer. */
bool notify_http(Notify *n, const NotifyHttp *h, NotifyAnswer *ret);
/* The usual case: a finished JSON document to a secret URL. Empties body. */
bool notify_post(Notify *n, Str url, Buf *body, const int *retry_codes);
bool notify_dry(const Notify *n);
int64_t notify_left_ms(const Notify *n);
const char *notify_reason_of(int status);
Str notify_copy_buf(Notify *n, Buf *b); /* into the arena; empties b */
const char *notify_cstr(Notify *n, const char *prefix, Str s);
const char *notify_opt(Notify *n, Str s); /* NULL when empty */

extern const int notify_retry_429[];
/* Never to be seen in errors. */
void notify_hide(Notify *n, Str secret);

/* --- tokens that are good for a while (notify_token.c); key: all that they were asked with --- */
bool notify_token_get(Notify *n, Str key, Str *ret);
void notify_token_put(Str key, Str token, int64_t good_s);
void notify_token_drop(Str key, Str token); /* unless another has come meanwhile */

/* --- AWS Signature Version 4 (notify_sigv4.c) --- */
typedef struct AwsKeys {
    Str region, key_id, secret, session;
} AwsKeys;
#define AWS_FORM "application/x-www-form-urlencoded"
/* Of a receiver's sigv4 block (NULL: none), its profile, or the environment; of the role, if it names one. false:
 * failed. */
bool aws_keys(Notify *n, const Settings *sigv4, AwsKeys *ret);
/* Fills url, content_type, body and headers of a POST with this form. */
void aws_sign(Notify *n, const AwsKeys *k, const char *service, Str url, Str form, NotifyHttp *ret);
void aws_error_details(int status, Str body, Buf *out);
void aws_form(Buf *b, const char *key, Str value);

/* Any YAML as JSON; its texts are templates, and a text that is JSON or YAML of anything but a text becomes that. */
bool notify_put_tree(Notify *n, JsonWriter *w, const YamlNode *node);
void notify_put_rendered(Notify *n, JsonWriter *w, Str text); /* one such text, expanded */
/* "key": a list of objects, one for each of the setting's, with the members that put writes; nothing when there are
 * none. */
void notify_put_objects(Notify *n, JsonWriter *w, const Settings *s, const char *key,
    void (*put)(Notify *n, JsonWriter *w, const Settings *one));
/* "short" of a field: its own, else short_fields. */
void notify_put_short(Notify *n, JsonWriter *w, const Settings *field);
bool notify_put_map(Notify *n, JsonWriter *w, const YamlNode *node); /* members only: names to expanded texts */

void notify_webhook(Notify *n);
void notify_incidentio(Notify *n);
void notify_pagerduty(Notify *n);
void notify_slack(Notify *n);
void notify_email(Notify *n);
void notify_opsgenie(Notify *n);
void notify_victorops(Notify *n);
void notify_telegram(Notify *n);
void notify_discord(Notify *n);
void notify_msteams(Notify *n);
void notify_msteamsv2(Notify *n);
void notify_webex(Notify *n);
void notify_sns(Notify *n);
void notify_jira(Notify *n);
void notify_mattermost(Notify *n);
void notify_rocketchat(Notify *n);
void notify_pushover(Notify *n);
void notify_wechat(Notify *n);
void notify_ntfy(Notify *n);

#endif
