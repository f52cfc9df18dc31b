/* receiver_fake.c - receivers for unit tests of the dispatcher: names, and webhook_configs with send_resolved only. */
#include "alert/notify.h"

const char *integration_name(IntegrationKind kind) { return kind == INTEGRATION_WEBHOOK ? "webhook" : "other"; }

static void read_one(const YamlNode *n, Arena *arena, Receiver *r) {
    const YamlNode *name = yaml_get(n, STR("name")), *list = yaml_get(n, STR("webhook_configs"));
    *r = (Receiver){.name = name ? name->text : STR(""), .line = n->line};
    if (yaml_is_null(list)) return;
    Integration *v = arena_alloc_zero(arena, list->n * sizeof *v);
    ASSERT(v);
    for (const YamlNode *i = list->first; i; i = i->next) {
        bool resolved = true;
        yaml_bool(yaml_get(i, STR("send_resolved")), &resolved);
        v[r->n_integrations] =
            (Integration){.kind = INTEGRATION_WEBHOOK, .index = (unsigned)r->n_integrations, .send_resolved = resolved};
        r->n_integrations++;
    }
    r->integrations = v;
}

ErrCode receivers_parse(
    const YamlNode *global, const YamlNode *receivers, Str base_dir, Arena *arena, ReceiverList *ret, DiagList *diags) {
    (void)global;
    (void)base_dir;
    (void)diags;
    *ret = (ReceiverList){0};
    if (yaml_is_null(receivers)) return OK;
    Receiver *v = arena_alloc_zero(arena, receivers->n * sizeof *v);
    ASSERT(v);
    for (const YamlNode *i = receivers->first; i; i = i->next) read_one(i, arena, &v[ret->n++]);
    ret->v = v;
    return OK;
}

ErrCode notify_templates_load(
    const Str *globs, const int *glob_lines, size_t n, Str base_dir, NotifyTemplates **ret, DiagList *diags) {
    (void)globs;
    (void)glob_lines;
    (void)n;
    (void)base_dir;
    (void)diags;
    *ret = NULL;
    return OK;
}

NotifyTemplates *notify_templates_free(NotifyTemplates *t) {
    (void)t;
    return NULL;
}

void notify_send(HttpClient *client, const NotifyRequest *req, Arena *arena, NotifyResult *ret) {
    (void)client;
    (void)req;
    (void)arena;
    *ret = (NotifyResult){.ok = true};
}

ErrCode notify_expand(const NotifyRequest *req, Str text, bool html, Arena *arena, Str *ret, Err *reterr) {
    (void)req;
    (void)html;
    (void)reterr;
    *ret = arena_copy(arena, text);
    return OK;
}
