/* amconfig_show.c - prints a configuration for others to see: secrets hidden, keys of our own left out, so that
 * amtool can read it. */
#include "alert/amconfig_int.h"

#include "base/json.h"

static const char *const secret_keys[] = {"smtp_auth_password", "smtp_auth_secret", "slack_api_url", "slack_app_token",
    "opsgenie_api_key", "victorops_api_key", "telegram_bot_token", "wechat_api_secret", "rocketchat_token",
    "rocketchat_token_id", "mattermost_webhook_url", "auth_password", "auth_secret", "password", "credentials",
    "bearer_token", "client_secret", "routing_key", "service_key", "api_key", "api_secret", "webhook_url", "bot_token",
    "app_token", "token", "token_id", "user_key", "secret_key", "alert_source_token", "proxy_connect_header", "key",
    "secrets"};

static bool is_secret(Str list, Str key) {
    /* victorops' routing_key and the api_url and url of most are no secrets. */
    if (str_eq_lit(key, "routing_key")) return !str_eq_lit(list, "victorops_configs");
    if (str_eq_lit(key, "api_url")) return str_eq_lit(list, "slack_configs");
    if (str_eq_lit(key, "url")) return str_eq_lit(list, "webhook_configs") || str_eq_lit(list, "incidentio_configs");
    for (size_t i = 0; i < ARRAY_LEN(secret_keys); i++) {
        if (str_eq(key, str_cstr(secret_keys[i]))) return true;
    }
    return false;
}

static void put_scalar(Buf *out, const YamlNode *n) {
    bool plain = !n->quoted && n->text.n > 0;
    for (size_t i = 0; plain && i < n->text.n; i++) {
        char c = n->text.p[i];
        plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr("_./-+", c));
    }
    if (plain && n->text.p[0] != '-') buf_put_str(out, n->text);
    else json_put_string(out, n->text); /* a JSON string is a YAML one */
}

static void put_node(Buf *out, const YamlNode *n, Str list, int indent, bool in_item);

static void put_member(Buf *out, const YamlNode *m, Str list, int indent) {
    Str key = m->key->text;
    put_scalar(out, m->key);
    buf_put_char(out, ':');
    if (str_eq_lit(key, "url") && str_eq_lit(list, "webhook_configs") && m->kind == YAML_SCALAR) {
        /* The original's older amtool wants an address here. */
        buf_put_str(out, str_starts_with(m->text, STR("https:")) ? STR(" https://<secret>/\n") : STR(" http://<secret>/\n"));
        return;
    }
    if (m->kind == YAML_SCALAR && m->text.n && is_secret(list, key)) {
        buf_put_lit(out, " <secret>\n");
        return;
    }
    put_node(out, m, str_ends_with(key, STR("_configs")) ? key : list, indent, false);
}

static void put_node(Buf *out, const YamlNode *n, Str list, int indent, bool in_item) {
    if (n->kind == YAML_SCALAR || n->kind == YAML_NULL || n->n == 0) {
        if (!in_item) buf_put_char(out, ' ');
        if (n->kind == YAML_SCALAR) put_scalar(out, n);
        else buf_put_str(out, n->kind == YAML_NULL ? STR("null") : n->kind == YAML_SEQUENCE ? STR("[]") : STR("{}"));
        buf_put_char(out, '\n');
        return;
    }
    if (!in_item) buf_put_char(out, '\n');
    bool first = in_item;
    for (const YamlNode *i = n->first; i; i = i->next) {
        if (i->key && str_eq_lit(i->key->text, "resolve_immediately")) continue;
        if (!first) {
            for (int k = 0; k < indent; k++) buf_put_char(out, ' ');
        }
        first = false;
        if (i->key) {
            put_member(out, i, list, indent + 2);
        } else {
            buf_put_lit(out, "- ");
            put_node(out, i, list, indent + 2, true);
        }
    }
    if (first) buf_put_lit(out, "{}\n"); /* an item of nothing but keys of our own */
}

void amconfig_show(const YamlNode *root, Buf *out) {
    if (root->kind != YAML_MAPPING) return;
    for (const YamlNode *i = root->first; i; i = i->next) put_member(out, i, STR_NULL, i->kind == YAML_SEQUENCE ? 0 : 2);
}
