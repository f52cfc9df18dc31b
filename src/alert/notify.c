/* notify.c - one notification: texts, secrets, the verdict; each integration's own part is in a file of its own. */
#include "alert/notify_int.h"
#include "base/json.h"
#include "codec/sha256.h"
#include "sys/clock.h"
#include "sys/fs.h"
#include "sys/fs_glob.h"

#include <stdarg.h>
#include <stdio.h>

#define FILE_MAX (64u << 10) /* of secrets */
#define TEMPLATE_FILE_MAX (1u << 20)
#define EXPANDED_MAX (1u << 20)
#define STEPS_MAX 2000000

/* --- templates --- */

static NotifyTemplates *templates_create(void) {
    NotifyTemplates *t = NEW(NotifyTemplates);
    t->set = gotmpl_create(notify_funcs, notify_n_funcs, true);
    for (size_t i = 0; i < notify_n_default_templates; i++) {
        ErrCode code = gotmpl_parse(t->set, STR("default.tmpl"), notify_default_templates[i], NULL);
        ASSERT(code == OK);
    }
    return t;
}

NotifyTemplates *notify_templates_free(NotifyTemplates *t) {
    if (!t) return NULL;
    gotmpl_free(t->set);
    mem_free(t);
    return NULL;
}

static Str base_name(Str path) {
    size_t slash = str_rfind_char(path, '/');
    return slash == SIZE_MAX ? path : str_skip(path, slash + 1);
}

static void load_file(NotifyTemplates *t, Str path, int line, DiagList *diags) {
    Buf text = {0};
    Err err = {0};
    char *name = str_dup_cstr(path);
    if (fs_read_file(fs_real(), name, TEMPLATE_FILE_MAX, &text, &err))
        diag_add(diags, DIAG_ERROR, line, 1, 1, NULL, "%s", err.msg);
    else if (gotmpl_parse(t->set, base_name(path), buf_str(&text), &err))
        diag_add(diags, DIAG_ERROR, line, 1, 1, NULL, "%s:%d: %s", name, MAX(err.line, 1), err.msg);
    mem_free(name);
    buf_done(&text);
}

ErrCode notify_templates_load(
    const Str *globs, const int *glob_lines, size_t n, Str base_dir, NotifyTemplates **ret, DiagList *diags) {
    NotifyTemplates *t = templates_create();
    size_t before = diag_error_count(diags);
    Arena *arena = arena_create(16u << 20);
    *ret = NULL;
    for (size_t i = 0; i < n; i++) {
        bool relative = base_dir.n && globs[i].n && globs[i].p[0] != '/';
        Str pattern =
            relative ? arena_printf(arena, "%" STR_FMT "/%" STR_FMT, STR_ARG(base_dir), STR_ARG(globs[i])) : globs[i];
        Str *names = NULL;
        size_t n_names = 0;
        Err err = {0};
        if (fs_glob(pattern, arena, &names, &n_names, &err))
            diag_add(diags, DIAG_ERROR, glob_lines ? glob_lines[i] : 0, 1, 1, NULL, "%s", err.msg);
        for (size_t k = 0; k < n_names; k++) load_file(t, names[k], glob_lines ? glob_lines[i] : 0, diags);
    }
    arena_free(arena);
    if (diag_error_count(diags) > before) {
        notify_templates_free(t);
        return ERR_INVALID;
    }
    *ret = t;
    return OK;
}

ErrCode notify_expand_data(
    const NotifyTemplates *t, GoValue data, Str text, bool html, Arena *arena, Str *ret, Err *reterr) {
    *ret = text;
    if (str_find(text, STR("{{")) == SIZE_MAX) return OK;
    GoTmplExec opts = {.arena = arena,
        .ctx = (void *)(uintptr_t)data.obj,
        .max_output_bytes = EXPANDED_MAX,
        .max_steps = STEPS_MAX,
        .html = html};
    Buf out = {0};
    ErrCode code = gotmpl_expand(t->set, STR(""), text, data, &opts, &out, reterr);
    if (!code) {
        *ret = arena_copy(arena, buf_str(&out));
        if (!ret->p) code = err_set(reterr, ERR_TOO_LARGE, "template: : result is too large");
    }
    buf_done(&out);
    return code;
}

static ErrCode expand(
    const NotifyTemplates *t, const NotifyData *data, Str text, bool html, Arena *arena, Str *ret, Err *reterr) {
    return notify_expand_data(t, go_of_obj(notify_data_type, data), text, html, arena, ret, reterr);
}

/* --- texts --- */

static Str expanded(Notify *n, Str text, bool html) {
    Str out;
    Err err = {0};
    if (expand(n->templates, n->data, text, html, n->arena, &out, &err) == OK) return out;
    Str told = arena_printf(n->arena, "<error expanding template: %s>", err.msg);
    return told.p ? told : STR("<error expanding template>");
}

Str notify_expand_text(Notify *n, Str text) { return expanded(n, text, false); }
Str notify_expand_html(Notify *n, Str text) { return expanded(n, text, true); }
Str notify_text(Notify *n, const Settings *s, const char *key) { return expanded(n, settings_text(s, key), false); }

bool notify_must(Notify *n, Str text, const char *what, Str *ret) {
    Err err = {0};
    if (expand(n->templates, n->data, text, false, n->arena, ret, &err) == OK) return true;
    return notify_fail(n, "templateError", false, "failed to template %s: %s", what, err.msg);
}

bool notify_read_file(Notify *n, Str path, Str *ret) {
    Buf b = {0};
    Err err = {0};
    char *name = str_dup_cstr(path);
    ErrCode code = fs_read_file(fs_real(), name, FILE_MAX, &b, &err);
    mem_free(name);
    *ret = code ? STR("") : str_trim(arena_copy(n->arena, buf_str(&b)));
    buf_done(&b);
    return code ? notify_fail(n, "fileReadError", false, "%s", err.msg) : true;
}

void notify_hide(Notify *n, Str s) {
    if (s.n >= 4 && n->n_secrets < ARRAY_LEN(n->secrets)) n->secrets[n->n_secrets++] = s;
}

static bool secret_text(Notify *n, const char *key, Str *ret) {
    char file_key[64];
    snprintf(file_key, sizeof file_key, "%s_file", key);
    const Setting *inline_ = settings_get(n->s, key), *file = settings_get(n->s, file_key);
    if (inline_->text.n || !file->text.n) {
        if (!notify_must(n, inline_->text, key, ret)) return false;
    } else if (!notify_read_file(n, file->text, ret)) {
        return false;
    }
    notify_hide(n, *ret);
    return true;
}

bool notify_secret(Notify *n, const char *key, Str *ret) {
    if (notify_dry(n)) {
        *ret = STR("<secret>");
        return true;
    }
    return secret_text(n, key, ret);
}

bool notify_url(Notify *n, const char *key, Str *ret) {
    if (!secret_text(n, key, ret)) return notify_dry(n) ? (n->failed = false, *ret = STR("<secret>"), true) : false;
    Str expanded_url;
    if (!notify_must(n, *ret, "webhook URL", &expanded_url)) return false;
    *ret = str_trim(expanded_url);
    notify_hide(n, *ret);
    if (!ret->n) return notify_fail(n, "other", false, "webhook URL is empty after templating");
    return true;
}

Str notify_key_hash(Notify *n) {
    char hex[2 * SHA256_BYTES + 1];
    sha256_hex(n->req->group_key, hex);
    return arena_copy(n->arena, str_cstr(hex));
}

static size_t rune_at(Str s, size_t i) {
    size_t len = str_utf8_step(str_skip(s, i));
    return len ? len : 1;
}

/* Long texts end in an ellipsis. */
Str notify_truncate_runes(Notify *n, Str s, size_t max) {
    size_t count = 0, cut = s.n;
    for (size_t i = 0; i < s.n; i += rune_at(s, i), count++)
        if (count == (max <= 3 ? max : max - 1)) cut = i;
    if (count <= max) return s;
    Str head = str_slice(s, 0, cut);
    return max <= 3 ? head : arena_printf(n->arena, "%" STR_FMT "\xE2\x80\xA6", STR_ARG(head));
}

Str notify_truncate_bytes(Notify *n, Str s, size_t max) {
    if (s.n <= max) return s;
    size_t i = 0;
    while (i + rune_at(s, i) <= max - 3) i += rune_at(s, i);
    return arena_printf(n->arena, "%" STR_FMT "\xE2\x80\xA6", STR_ARG(str_slice(s, 0, i)));
}

Str notify_copy_buf(Notify *n, Buf *b) {
    Str s = arena_copy(n->arena, buf_str(b));
    buf_done(b);
    return s.p ? s : STR("");
}

const char *notify_cstr(Notify *n, const char *prefix, Str s) {
    Str c = arena_printf(n->arena, "%s%" STR_FMT, prefix, STR_ARG(s));
    return c.p ? c.p : "";
}

const char *notify_opt(Notify *n, Str s) { return s.n ? notify_cstr(n, "", s) : NULL; }

/* --- the verdict --- */

static void scrub(const Notify *n, Buf *b) {
    for (size_t i = 0; i < n->n_secrets; i++) {
        Str secret = n->secrets[i];
        size_t at;
        while ((at = str_find(buf_str(b), secret)) != SIZE_MAX) {
            Buf out = {0};
            buf_put(&out, b->p, at);
            buf_put_lit(&out, "<secret>");
            buf_put_str(&out, str_skip(buf_str(b), at + secret.n));
            buf_done(b);
            *b = out;
            if (str_find(STR("<secret>"), secret) != SIZE_MAX) break;
        }
    }
}

bool notify_fail(Notify *n, const char *reason, bool retry, const char *fmt, ...) {
    if (n->failed) return false;
    n->failed = true;
    n->res->ok = false;
    n->res->retry = retry;
    n->res->reason = reason;
    char msg[1024];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(msg, sizeof msg, fmt, ap);
    va_end(ap);
    Buf b = {0};
    buf_put(&b, msg, strlen(msg));
    scrub(n, &b);
    snprintf(n->res->error, sizeof n->res->error, "%.511s", buf_cstr(&b));
    buf_done(&b);
    return false;
}

bool notify_dry(const Notify *n) { return n->req->dry_run; }

int64_t notify_left_ms(const Notify *n) {
    int64_t left = (n->deadline_mono_ns - clock_mono_ns()) / 1000000;
    return left > 0 ? left : 0;
}

static void (*const senders[INTEGRATION_MAX])(Notify *) = {
    [INTEGRATION_WEBHOOK] = notify_webhook,
    [INTEGRATION_EMAIL] = notify_email,
    [INTEGRATION_PAGERDUTY] = notify_pagerduty,
    [INTEGRATION_OPSGENIE] = notify_opsgenie,
    [INTEGRATION_WECHAT] = notify_wechat,
    [INTEGRATION_SLACK] = notify_slack,
    [INTEGRATION_VICTOROPS] = notify_victorops,
    [INTEGRATION_PUSHOVER] = notify_pushover,
    [INTEGRATION_SNS] = notify_sns,
    [INTEGRATION_TELEGRAM] = notify_telegram,
    [INTEGRATION_DISCORD] = notify_discord,
    [INTEGRATION_WEBEX] = notify_webex,
    [INTEGRATION_MSTEAMS] = notify_msteams,
    [INTEGRATION_MSTEAMSV2] = notify_msteamsv2,
    [INTEGRATION_JIRA] = notify_jira,
    [INTEGRATION_INCIDENTIO] = notify_incidentio,
    [INTEGRATION_ROCKETCHAT] = notify_rocketchat,
    [INTEGRATION_MATTERMOST] = notify_mattermost,
    [INTEGRATION_NTFY] = notify_ntfy,
};

static int64_t own_timeout_ms(const Settings *s) {
    for (size_t i = 0; i < s->table->n; i++)
        if (strcmp(s->table->v[i].key, "timeout") == 0) return s->v[i].i / 1000000;
    return 0;
}

void notify_send(HttpClient *client, const NotifyRequest *req, Arena *arena, NotifyResult *ret) {
    *ret = (NotifyResult){.ok = true, .state = req->state};
    const IntegrationConfig *config = req->integration->config;
    Notify n = {.client = client, .req = req, .config = config, .s = &config->s, .arena = arena, .res = ret};
    NotifyTemplates *own = req->templates ? NULL : templates_create();
    n.templates = own ? own : req->templates;
    int64_t timeout = req->timeout_ms > 0 ? req->timeout_ms : 30000, limit = own_timeout_ms(n.s);
    if (limit > 0 && limit < timeout) timeout = limit;
    n.deadline_mono_ns = clock_mono_ns() + timeout * 1000000;
    n.data = notify_data(req, 0, arena);
    if (n.data)
        senders[req->integration->kind](&n);
    else
        notify_fail(&n, "other", false, "the notification is too large");
    if (notify_dry(&n) && !n.failed) ret->preview = arena_copy(arena, buf_str(&n.preview));
    buf_done(&n.preview);
    notify_templates_free(own);
}

ErrCode notify_expand(const NotifyRequest *req, Str text, bool html, Arena *arena, Str *ret, Err *reterr) {
    NotifyTemplates *own = req->templates ? NULL : templates_create();
    const NotifyData *data = notify_data(req, 0, arena);
    ErrCode code = data ? expand(own ? own : req->templates, data, text, html, arena, ret, reterr)
                        : err_set(reterr, ERR_TOO_LARGE, "the notification is too large");
    notify_templates_free(own);
    return code;
}
