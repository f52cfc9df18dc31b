/* config_alerting.c - alerting: the Alertmanagers that alerts are sent to besides the one in this process. */
#include "metrics/config/prom_config_int.h"

static void read_version(ConfigReader *r, const YamlNode *node, void *out) {
    (void)out;
    if (str_eq_lit(node->text, "v2")) return;
    config_error(r, node->line, node->col, node->len, "remove it: v2 is the default",
        "expected Alertmanager api version to be one of [v2] but got %" STR_FMT, STR_ARG(node->text));
}

#define AM(field) offsetof(PromAlertmanagerConfig, field)
static const ConfigKey alertmanager_keys[] = {
    {STR_INIT("scheme"), CONFIG_STR, AM(scheme), NULL},
    {STR_INIT("path_prefix"), CONFIG_STR, AM(path_prefix), NULL},
    {STR_INIT("timeout"), CONFIG_DURATION, AM(timeout_ms), NULL},
    {STR_INIT("api_version"), CONFIG_CUSTOM, 0, read_version},
    {STR_INIT("relabel_configs"), CONFIG_RELABEL, AM(relabel), NULL},
    {STR_INIT("alert_relabel_configs"), CONFIG_RELABEL, AM(alert_relabel), NULL},
    {STR_INIT("sigv4"), CONFIG_UNSUPPORTED, 0, NULL},
};

static bool read_alertmanager(ConfigReader *r, const YamlNode *node, PromAlertmanagerConfig *c) {
    const ConfigTable tables[] = {{alertmanager_keys, ARRAY_LEN(alertmanager_keys), 0},
        {config_http_keys, config_http_keys_n, AM(http)}, {config_sd_keys, config_sd_keys_n, AM(sd)}};
    *c = (PromAlertmanagerConfig){.scheme = STR("http"), .timeout_ms = 10000, .line = node->line};
    if (!config_item(r, node, "Alertmanager section")) return false;
    if (!config_mapping_of(r, node, STR("alertmanagers"), tables, ARRAY_LEN(tables), c)) return false;
    config_check_http(r, node, &c->http);
    config_check_targets(r, &c->sd, c->relabel);
    if (!str_eq_lit(c->scheme, "http") && !str_eq_lit(c->scheme, "https"))
        config_error_key(r, node, "scheme", "scheme \"%" STR_FMT "\" is neither http nor https", STR_ARG(c->scheme));
    return true;
}

static void read_alertmanagers(ConfigReader *r, const YamlNode *node, void *out) {
    PromConfig *c = out;
    if (!config_expect(r, node, YAML_SEQUENCE, "a list of Alertmanagers")) return;
    PromAlertmanagerConfig *v = ARENA_ARRAY(r->arena, PromAlertmanagerConfig, node->n);
    if (!v) return config_exhausted(r);
    for (const YamlNode *it = node->first; it; it = it->next)
        c->n_alertmanagers += read_alertmanager(r, it, &v[c->n_alertmanagers]);
    c->alertmanagers = v;
}

void config_read_alerting(ConfigReader *r, const YamlNode *node, void *out) {
    static const ConfigKey keys[] = {
        {STR_INIT("alert_relabel_configs"), CONFIG_RELABEL, offsetof(PromConfig, alert_relabel), NULL},
        {STR_INIT("alertmanagers"), CONFIG_CUSTOM, 0, read_alertmanagers},
    };
    config_mapping(r, node, STR("alerting"), keys, ARRAY_LEN(keys), out);
}
