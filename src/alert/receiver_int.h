/* receiver_int.h - integrations as tables: their keys, their rules, what belongs to them. Private to alert. */
#ifndef MEERKAT_ALERT_RECEIVER_INT_H
#define MEERKAT_ALERT_RECEIVER_INT_H

#include "alert/settings.h"

typedef struct IntegrationConfig {
    Settings s;
    PromHttpConfig http;
    const PromTlsConfig *tls; /* of email; may be NULL */
} IntegrationConfig;

typedef struct IntegrationSpec {
    const char *name, *list; /* "slack", "slack_configs" */
    bool send_resolved;      /* by default */
    const SettingTable *table;
} IntegrationSpec;
extern const IntegrationSpec integration_specs[INTEGRATION_MAX];
extern const SettingTable receiver_global_table;

/* The original's rules between keys, and what follows from them. */
void receiver_check(SettingsReader *r, IntegrationKind kind, IntegrationConfig *c);

#endif
