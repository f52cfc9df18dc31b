/* am_silence.c - silences: rules of creation and change, states, records. Recurring ones are silences that are active
 * only within calendar times. */
#include "alert/am_int.h"

#include "alert/amlabel.h"

#include "codec/regex.h"
#include "codec/yaml.h"
#include "lang/lexer.h"
#include "sys/random.h"

#define SILENCE_ARENA (1u << 20)

void am_uuid(char out[37]) {
    uint8_t b[16];
    random_bytes(b, sizeof b);
    b[6] = (uint8_t)((b[6] & 0x0F) | 0x40);
    b[8] = (uint8_t)((b[8] & 0x3F) | 0x80);
    static const char hex[] = "0123456789abcdef";
    char *p = out;
    for (int i = 0; i < 16; i++) {
        if (i == 4 || i == 6 || i == 8 || i == 10) *p++ = '-';
        *p++ = hex[b[i] >> 4];
        *p++ = hex[b[i] & 15];
    }
    *p = 0;
}

AmSilenceState am_silence_state(const AmSilence *s, int64_t now_ns) {
    if (now_ns < s->starts_ns) return now_ns >= s->ends_ns ? AM_SILENCE_EXPIRED : AM_SILENCE_PENDING;
    if (now_ns >= s->ends_ns) return AM_SILENCE_EXPIRED;
    return !s->when.n || timeintervals_contain(&s->when, now_ns / NS_PER_S) ? AM_SILENCE_ACTIVE : AM_SILENCE_PENDING;
}

const char *am_silence_state_name(AmSilenceState st) {
    static const char *const names[] = {"active", "pending", "expired"};
    return names[st];
}

AmSilence *am_silence_find(Alertmanager *am, Str id) { return map_get_ptr(am->silences, id); }

void am_silence_free(AmSilence *s) {
    if (!s) return;
    arena_free(s->arena);
    mem_free(s);
}

/* --- records --- */

void am_silence_encode(Buf *b, const AmSilence *s) {
    buf_put_lenstr(b, str_cstr(s->id));
    buf_put_svarint(b, s->starts_ns);
    buf_put_svarint(b, s->ends_ns);
    buf_put_svarint(b, s->updated_ns);
    buf_put_lenstr(b, s->created_by);
    buf_put_lenstr(b, s->comment);
    am_put_labels(b, s->annotations);
    buf_put_lenstr(b, s->recurrence);
    buf_put_uvarint(b, s->matchers.n);
    for (size_t i = 0; i < s->matchers.n; i++) {
        buf_put_char(b, (char)s->matchers.v[i]->type);
        buf_put_lenstr(b, s->matchers.v[i]->name);
        buf_put_lenstr(b, s->matchers.v[i]->value);
    }
}

static bool set_recurrence(AmSilence *s, Str text, DiagList *diags) {
    if (!text.n) return true;
    s->recurrence = arena_copy(s->arena, text);
    YamlNode *root = NULL;
    return s->recurrence.p && yaml_parse(s->recurrence, s->arena, &root, diags) == OK &&
           timeintervals_parse(root, s->arena, &s->when, diags) == OK && s->when.n > 0;
}

AmSilence *am_silence_decode(Str payload) {
    Cursor c = cursor_of(payload);
    AmSilence *s = NEW(AmSilence);
    s->arena = arena_create(SILENCE_ARENA);
    Str id = cursor_lenstr(&c);
    s->starts_ns = cursor_svarint(&c);
    s->ends_ns = cursor_svarint(&c);
    s->updated_ns = cursor_svarint(&c);
    s->created_by = arena_copy(s->arena, cursor_lenstr(&c));
    s->comment = arena_copy(s->arena, cursor_lenstr(&c));
    bool good = id.n == 36;
    for (size_t i = 0; good && i < id.n; i++) good = id.p[i] && strchr("0123456789abcdefABCDEF-", id.p[i]);
    good = good && am_take_labels(&c, s->arena, &s->annotations);
    Str recurrence = cursor_lenstr(&c);
    uint64_t n = cursor_uvarint(&c);
    good = good && !c.bad && n > 0 && n <= cursor_left(&c);
    if (good) memcpy(s->id, id.p, 36);
    DiagList diags;
    diag_init(&diags, STR("recurrence"), recurrence);
    good = good && set_recurrence(s, recurrence, &diags);
    diag_done(&diags);
    const Matcher **v = good ? ARENA_ARRAY(s->arena, const Matcher *, n) : NULL;
    for (uint64_t i = 0; v && i < n; i++) {
        uint8_t type = cursor_u8(&c);
        Str name = cursor_lenstr(&c), value = cursor_lenstr(&c);
        if (c.bad || type > MATCH_NRE || matcher_create(s->arena, (MatchType)type, name, value, &v[i], NULL)) v = NULL;
    }
    s->matchers = (Matchers){v, n};
    if (v && !c.bad && !arena_exhausted(s->arena)) return s;
    am_silence_free(s);
    return NULL;
}

void am_silence_log(Alertmanager *am, const AmSilence *s) {
    Buf b = {0};
    am_silence_encode(&b, s);
    am_log(am, AM_REC_SILENCE, &b);
    am_cluster_tell(am, AM_REC_SILENCE, buf_str(&b));
    buf_done(&b);
}

/* --- state --- */

static void order_remove(Alertmanager *am, const AmSilence *s) {
    for (size_t i = am->silence_order.n; i-- > 0;) {
        if (am->silence_order.v[i] != s) continue;
        memmove(am->silence_order.v + i, am->silence_order.v + i + 1, (--am->silence_order.n - i) * sizeof s);
        return;
    }
}

bool am_silence_merge(Alertmanager *am, AmSilence *s) {
    AmSilence *old = am_silence_find(am, str_cstr(s->id));
    if (old && old->updated_ns >= s->updated_ns) {
        am_silence_free(s);
        return false;
    }
    if (old) { /* alerts point to it: its content changes, its place stays */
        order_remove(am, old);
        arena_free(old->arena);
        *old = *s;
        mem_free(s);
        s = old;
    } else {
        map_set_ptr(am->silences, str_cstr(s->id), s);
    }
    s->version = ++am->silence_version;
    vec_push(&am->silence_order, s);
    return true;
}

static ErrCode check_input(Alertmanager *am, const AmSilenceInput *in, Err *reterr) {
    if (!in->n_matchers) return err_set(reterr, ERR_INVALID, "invalid silence: matcher set 0 is empty");
    if (in->n_matchers > AM_SILENCE_MATCHERS_MAX) {
        return err_set(reterr, ERR_INVALID, "invalid silence: more than %d matchers", AM_SILENCE_MATCHERS_MAX);
    }
    for (size_t i = 0; i < in->n_matchers; i++) {
        Str name = in->matchers[i].name;
        if (ammatch_label_name_ok(name, am->mode)) continue;
        Buf b = {0};
        lang_put_quoted(&b, name);
        err_set(reterr, ERR_INVALID, "invalid silence: invalid label matcher %zu in set 0: invalid label name %s", i,
            buf_cstr(&b));
        buf_done(&b);
        return ERR_INVALID;
    }
    return OK;
}

static ErrCode compile(AmSilence *s, const AmSilenceInput *in, Err *reterr) {
    const Matcher **v = ARENA_ARRAY(s->arena, const Matcher *, in->n_matchers);
    bool all_empty = true;
    for (size_t i = 0; v && i < in->n_matchers; i++) {
        Err err = {0};
        const AmMatcherText *m = &in->matchers[i];
        Regex *re = NULL; /* as it stands, for a message about what was written */
        ErrCode rc =
            m->type == MATCH_RE || m->type == MATCH_NRE ? regex_compile(m->value, REGEX_DOT_NL, &re, &err) : OK;
        regex_free(re);
        if (!rc) rc = matcher_create(s->arena, m->type, m->name, m->value, &v[i], &err);
        if (rc) {
            return err_set(reterr, rc,
                "invalid silence: invalid label matcher %zu in set 0: invalid regular expression \"%" STR_FMT "\": %s",
                i, STR_ARG(m->value), err.msg);
        }
        bool negative = m->type == MATCH_NEQ || m->type == MATCH_NRE;
        all_empty = all_empty && !negative && matcher_matches_empty(v[i]);
    }
    if (!v) return err_set(reterr, ERR_TOO_LARGE, "invalid silence: too many matchers");
    s->matchers = (Matchers){v, in->n_matchers};
    if (!all_empty) return OK;
    return err_set(
        reterr, ERR_INVALID, "invalid silence: matcher set 0: at least one matcher must not match the empty string");
}

static ErrCode make(const AmSilenceInput *in, AmSilence *s, Err *reterr) {
    ErrCode rc = compile(s, in, reterr);
    if (rc) return rc;
    s->starts_ns = in->starts_ns;
    s->ends_ns = in->ends_ns;
    s->created_by = arena_copy(s->arena, in->created_by);
    s->comment = arena_copy(s->arena, in->comment);
    s->annotations = labels_copy(s->arena, in->annotations);
    if (in->ends_ns < in->starts_ns) {
        return err_set(reterr, ERR_INVALID, "invalid silence: end time must not be before start time");
    }
    DiagList diags;
    diag_init(&diags, STR("recurrence"), in->recurrence);
    if (!set_recurrence(s, in->recurrence, &diags)) {
        rc = err_set(
            reterr, ERR_INVALID, "invalid recurrence: %s", diags.items.n ? diags.items.v[0].msg : "no time intervals");
    }
    diag_done(&diags);
    return rc ? rc : arena_exhausted(s->arena) ? err_set(reterr, ERR_TOO_LARGE, "the silence is too large") : OK;
}

static bool same_matchers(Matchers a, Matchers b) {
    if (a.n != b.n) return false;
    for (size_t i = 0; i < a.n; i++) {
        if (amlabel_cmp_matcher(a.v[i], b.v[i])) return false;
    }
    return true;
}

static bool can_update(const AmSilence *old, const AmSilence *s, int64_t now_ns) {
    if (!same_matchers(old->matchers, s->matchers)) return false;
    if (now_ns >= old->ends_ns) return false;
    if (now_ns < old->starts_ns) return s->starts_ns >= now_ns;
    return old->starts_ns / NS_PER_S == s->starts_ns / NS_PER_S && s->ends_ns >= now_ns;
}

static void expire(Alertmanager *am, AmSilence *s, int64_t now_ns) {
    if (now_ns >= s->ends_ns) return;
    if (now_ns < s->starts_ns) s->starts_ns = now_ns;
    s->ends_ns = now_ns;
    s->updated_ns = now_ns;
    order_remove(am, s);
    s->version = ++am->silence_version;
    vec_push(&am->silence_order, s);
    am_silence_log(am, s);
}

static void remember(Alertmanager *am, const AmSilence *s, const char *what, int64_t now_ns) {
    Buf b = {0};
    amlabel_put_matchers(&b, s->matchers);
    const Label fields[] = {{STR("action"), str_cstr(what)}, {STR("comment"), s->comment},
        {STR("createdBy"), s->created_by}, {STR("id"), str_cstr(s->id)}, {STR("matchers"), buf_str(&b)}};
    am_history_add(am, AM_EVENT_SILENCE, now_ns, 0, (Labels){0}, (Labels){fields, ARRAY_LEN(fields)});
    buf_done(&b);
}

ErrCode am_silence_set(Alertmanager *am, const AmSilenceInput *in, int64_t now_ns, char ret_id[37], Err *reterr) {
    ErrCode rc = check_input(am, in, reterr);
    if (rc) return rc;
    AmSilence *s = NEW(AmSilence);
    s->arena = arena_create(SILENCE_ARENA);
    AmSilenceInput input = *in;
    if (!input.starts_ns) input.starts_ns = now_ns;
    rc = make(&input, s, reterr);
    AmSilence *old = in->id.n ? am_silence_find(am, in->id) : NULL;
    if (!rc && in->id.n && !old) rc = err_set(reterr, ERR_NOT_FOUND, "silence not found");
    bool update = !rc && old && can_update(old, s, now_ns);
    size_t count = map_count(am->silences);
    if (!rc && !update && am->silences_max && count + 1 > am->silences_max) {
        rc = err_set(
            reterr, ERR_INVALID, "exceeded maximum number of silences: %zu (limit: %zu)", count, am->silences_max);
    }
    if (rc) {
        am_silence_free(s);
        return rc;
    }
    if (update)
        memcpy(s->id, old->id, sizeof s->id);
    else
        am_uuid(s->id);
    if (!update && s->starts_ns < now_ns) s->starts_ns = now_ns;
    s->updated_ns = update ? MAX(now_ns, old->updated_ns + 1) : now_ns;
    if (old && !update) expire(am, old, now_ns);
    memcpy(ret_id, s->id, sizeof s->id);
    am_silence_merge(am, s);
    s = am_silence_find(am, str_cstr(ret_id));
    am_silence_log(am, s);
    remember(am, s, update ? "updated" : "created", now_ns);
    return OK;
}

ErrCode am_silence_expire(Alertmanager *am, Str id, int64_t now_ns, Err *reterr) {
    AmSilence *s = am_silence_find(am, id);
    if (!s) return err_set(reterr, ERR_NOT_FOUND, "silence not found");
    if (now_ns < s->ends_ns) {
        expire(am, s, now_ns);
        remember(am, s, "expired", now_ns);
    }
    return OK;
}

void am_silences_gc(Alertmanager *am, int64_t now_ns) {
    bool gone = false;
    for (size_t i = am->silence_order.n; i-- > 0;) {
        AmSilence *s = am->silence_order.v[i];
        if (s->ends_ns + am->retention_ns > now_ns) continue;
        Buf id = {0};
        buf_put_str(&id, str_cstr(s->id));
        am_log(am, AM_REC_SILENCE_GONE, &id);
        map_remove(am->silences, buf_str(&id), NULL);
        buf_done(&id);
        order_remove(am, s);
        am_silence_free(s);
        gone = true;
        am->counters.silences_expired_gc++;
    }
    if (gone) am->silence_epoch++;
}

size_t am_silence_matches(Alertmanager *am, Matchers ms, int64_t now_ns) {
    size_t n = 0, it = 0;
    uint64_t fp, *v;
    while (u64map_next(am->alerts, &it, &fp, &v)) {
        const AmAlert *a = (const AmAlert *)(uintptr_t)*v;
        if (!am_resolved(a, now_ns) && matchers_match(ms, a->text->labels)) n++;
    }
    return n;
}
