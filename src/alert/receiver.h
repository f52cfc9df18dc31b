/* receiver.h - the receivers of alertmanager.yml: what every integration needs to know, with global defaults applied.
 *
 * Parsed strictly: unknown keys, wrong types and missing required keys are diagnostics with their place. Secrets may
 * stand in the file, in an environment variable (${VAR}) or in the file that the *_file key names; such files are read
 * at every use. Rules: Alertmanager's configuration reference. */
#ifndef MEERKAT_ALERT_RECEIVER_H
#define MEERKAT_ALERT_RECEIVER_H

#include "codec/yaml.h"
#include "model/labels.h"

/* In the order in which the original builds a receiver's integrations. */
typedef enum IntegrationKind {
    INTEGRATION_WEBHOOK,
    INTEGRATION_EMAIL,
    INTEGRATION_PAGERDUTY,
    INTEGRATION_OPSGENIE,
    INTEGRATION_WECHAT,
    INTEGRATION_SLACK,
    INTEGRATION_VICTOROPS,
    INTEGRATION_PUSHOVER,
    INTEGRATION_SNS,
    INTEGRATION_TELEGRAM,
    INTEGRATION_DISCORD,
    INTEGRATION_WEBEX,
    INTEGRATION_MSTEAMS,
    INTEGRATION_MSTEAMSV2,
    INTEGRATION_JIRA,
    INTEGRATION_INCIDENTIO,
    INTEGRATION_ROCKETCHAT,
    INTEGRATION_MATTERMOST,
    INTEGRATION_NTFY,
    INTEGRATION_MAX,
} IntegrationKind;

typedef struct Integration {
    IntegrationKind kind;
    unsigned index; /* among those of its kind in the receiver: a part of the notification log's key */
    bool send_resolved;
    const void *config; /* private to the integration's file */
    int line;           /* in the file */
} Integration;

typedef struct Receiver {
    Str name;
    Labels labels;
    const Integration *integrations; /* in the original's order: kind by kind, in each by place in the file */
    size_t n_integrations;
    int line;
} Receiver;

typedef struct ReceiverList {
    const Receiver *v;
    size_t n;
    const struct Settings *global; /* private: what `global:` says of them */
} ReceiverList;

/* "webhook", "pagerduty", ...: as in metrics, logs and the notification log. */
const char *integration_name(IntegrationKind kind);
/* global: the node of `global:` or NULL; receivers: that of `receivers:`. base_dir: of relative file names. Everything
 * lives in the arena; problems go into diags. Keys of global that are not about receivers (resolve_timeout) are left to
 * the caller. */
ErrCode receivers_parse(
    const YamlNode *global, const YamlNode *receivers, Str base_dir, Arena *arena, ReceiverList *ret, DiagList *diags);

#endif
