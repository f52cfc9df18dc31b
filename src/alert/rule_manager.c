/* rule_manager.c - the schedule of groups, and their change at a reload. */
#include "alert/rule_int.h"
#include "base/log.h"
#include "sys/clock.h"
#include "sys/fs.h"
#include "sys/fs_glob.h"

#include <stdio.h>
#include <stdlib.h>

#define FILE_BYTES_MAX (64u << 20)
#define IDLE_MS 1000
#define INTERVAL_DEFAULT_NS (60 * NS_PER_S)

/* --- groups of the moment --- */

size_t rule_manager_snapshot(RuleManager *m, RuleGroup ***ret) {
    mutex_lock(&m->mutex);
    size_t n = m->groups.n;
    *ret = mem_alloc_array(n + 1, sizeof **ret);
    for (size_t i = 0; i < n; i++) {
        (*ret)[i] = m->groups.v[i];
        atomic_fetch_add(&m->groups.v[i]->refs, 1);
    }
    mutex_unlock(&m->mutex);
    return n;
}

void rule_manager_release(RuleGroup **v, size_t n) {
    for (size_t i = 0; i < n; i++) rule_group_unref(v[i]);
    mem_free(v);
}

/* --- schedule --- */

typedef struct Task {
    RuleManager *m;
    RuleGroup *g;
    int64_t t_ns;
} Task;

static void run_task(void *ctx) {
    Task *t = ctx;
    rule_group_eval(t->m, t->g, t->t_ns);
    mutex_lock(&t->m->mutex);
    t->g->running = false;
    t->m->n_running--;
    cond_broadcast(&t->m->cond);
    mutex_unlock(&t->m->mutex);
    rule_group_unref(t->g);
    mem_free(t);
}

/* The time to evaluate for; whole intervals that have gone by are missed iterations. */
static int64_t take_turn(RuleGroup *g, int64_t now_ns) {
    int64_t missed = (now_ns - g->next_ns) / g->interval_ns;
    if (missed > 0) {
        atomic_fetch_add(&g->missed, (uint64_t)missed);
        g->next_ns += missed * g->interval_ns;
    }
    int64_t t = g->next_ns;
    g->next_ns += g->interval_ns;
    return t;
}

static void start_group(RuleManager *m, RuleGroup *g, int64_t now_ns) {
    Task *t = NEW(Task);
    *t = (Task){m, g, take_turn(g, now_ns)};
    g->running = true;
    m->n_running++;
    atomic_fetch_add(&g->refs, 1);
    if (pool_submit(m->pool, run_task, t) == OK) return;
    g->running = false;
    m->n_running--;
    atomic_fetch_add(&g->missed, 1);
    mem_free(t);
    rule_group_unref(g);
}

/* Starts what is due; gives the time until the next one is. */
static int64_t start_due(RuleManager *m) {
    int64_t now = clock_now_ns(), next = now + IDLE_MS * NS_PER_MS;
    for (size_t i = 0; i < m->groups.n && m->paused == 0; i++) {
        RuleGroup *g = m->groups.v[i];
        if (g->running) continue;
        /* A clock that was set back must not silence the rules until it has caught up. */
        if (g->next_ns - now > 2 * g->interval_ns) g->next_ns = rule_group_next(g, now);
        if (g->next_ns <= now) start_group(m, g, now);
        next = MIN(next, g->next_ns);
    }
    return MAX(next - now, 0);
}

/* Counts as something that runs: while alerts change hands at a reload, the log must not be written anew. */
static void beat(RuleManager *m) {
    m->n_running++;
    mutex_unlock(&m->mutex);
    rule_state_beat(m->state, m, clock_now_ns());
    mutex_lock(&m->mutex);
    m->n_running--;
    cond_broadcast(&m->cond);
}

static void schedule(void *ctx) {
    RuleManager *m = ctx;
    mutex_lock(&m->mutex);
    while (!m->stopping) {
        int64_t wait_ns = start_due(m);
        (void)cond_wait_ms(&m->cond, &m->mutex, (wait_ns + NS_PER_MS - 1) / NS_PER_MS);
        if (m->state && m->paused == 0) beat(m);
    }
    mutex_unlock(&m->mutex);
}

void rule_manager_run_due(RuleManager *m, int64_t now_ns, int64_t *ret_next_ns) {
    ASSERT(m->opts.manual);
    for (;;) {
        RuleGroup *due = NULL;
        for (size_t i = 0; i < m->groups.n; i++)
            if (!due || m->groups.v[i]->next_ns < due->next_ns) due = m->groups.v[i];
        if (ret_next_ns) *ret_next_ns = due ? due->next_ns : INT64_MAX;
        if (!due || due->next_ns > now_ns) return;
        rule_group_eval(m, due, due->next_ns);
        due->next_ns += due->interval_ns;
    }
}

/* Nothing runs and nothing starts until resume. */
static void pause_all(RuleManager *m) {
    mutex_lock(&m->mutex);
    m->paused++;
    while (m->n_running > 0) cond_wait(&m->cond, &m->mutex);
    mutex_unlock(&m->mutex);
}

static void resume_all(RuleManager *m) {
    mutex_lock(&m->mutex);
    m->paused--;
    cond_broadcast(&m->cond);
    mutex_unlock(&m->mutex);
}

/* --- change --- */

static int group_cmp(const void *a, const void *b) {
    const RuleGroup *x = *(RuleGroup *const *)a, *y = *(RuleGroup *const *)b;
    int c = str_cmp(x->file, y->file);
    return c ? c : str_cmp(x->name, y->name);
}

static bool is_api(const RuleGroup *g) { return str_starts_with(g->file, STR(RULE_API_PREFIX)); }

typedef struct Claim {
    RuleManager *m;
    RuleGroup *g;
    Rule *r;
    size_t n;
} Claim;

/* An alert from before the start. A long outage is no time spent in pending, and what could not be seen during it is no
 * reason to call a firing alert resolved before the data has come back. */
static void claim_alert(void *ctx, RuleAlert *a) {
    Claim *c = ctx;
    int64_t now = clock_now_ns(), down = now - rule_state_alive_ns(c->m->state);
    int64_t lookback_ns = (c->m->opts.engine.lookback_ms ? c->m->opts.engine.lookback_ms : 300000) * NS_PER_MS;
    bool stale_pending = a->state == RULE_PENDING && down > RULE_OUTAGE_TOLERANCE_NS;
    bool fresh;
    uint64_t *slot = u64map_put(c->r->alerts, a->hash, &fresh);
    if (!fresh || stale_pending) {
        if (fresh) (void)u64map_remove(c->r->alerts, a->hash, NULL);
        rule_alert_free(a);
        return;
    }
    if (a->state == RULE_PENDING && down > MAX(2 * c->g->interval_ns, 60 * NS_PER_S)) a->active_ns += down;
    if (down > lookback_ns) a->hold_until_ns = now + 2 * MAX(c->g->interval_ns, 60 * NS_PER_S);
    *slot = (uint64_t)(uintptr_t)a;
    c->n++;
}

static void claim_state(RuleManager *m, RuleGroup *g) {
    for (size_t i = 0; i < g->n_rules; i++) {
        Claim c = {.m = m, .g = g, .r = &g->rules[i]};
        if (!c.r->alerts) continue;
        if (m->state) rule_state_claim(m->state, c.r->key, claim_alert, &c);
        c.r->try_foreign = !m->loaded && c.n == 0;
    }
}

static RuleGroup *find_group(RuleManager *m, RuleGroup *like) {
    RuleGroup **at = m->groups.n ? bsearch(&like, m->groups.v, m->groups.n, sizeof *m->groups.v, group_cmp) : NULL;
    return at ? *at : NULL;
}

/* The group that shall be there from now on: the old one when nothing changed. */
static RuleGroup *settle(RuleManager *m, RuleGroup *fresh, int64_t now_ns) {
    RuleGroup *old = find_group(m, fresh);
    if (old && old->content == fresh->content && !old->removed) {
        rule_group_unref(fresh);
        atomic_fetch_add(&old->refs, 1);
        return old;
    }
    if (old) {
        rule_group_inherit(fresh, old);
        old->removed = true; /* its state has a new owner */
    }
    claim_state(m, fresh);
    fresh->next_ns = rule_group_next(fresh, now_ns - 1);
    return fresh;
}

static bool is_kept(RuleGroup *const *v, size_t n, const RuleGroup *g) {
    for (size_t i = 0; i < n; i++)
        if (v[i] == g) return true;
    return false;
}

/* Paused. */
static void replace(RuleManager *m, RuleGroup **v, size_t n, bool api) {
    int64_t now = clock_now_ns();
    VEC(RuleGroup *) next = {0};
    for (size_t i = 0; i < n; i++) {
        RuleGroup *g = settle(m, v[i], now);
        vec_push(&next, g);
    }
    size_t n_new = next.n;
    for (size_t i = 0; i < m->groups.n; i++) {
        RuleGroup *g = m->groups.v[i];
        if (is_api(g) != api) {
            atomic_fetch_add(&g->refs, 1);
            vec_push(&next, g);
        } else if (!g->removed && !is_kept(next.v, n_new, g)) {
            g->removed = true;
            for (size_t k = 0; k < n_new; k++) rule_group_adopt(next.v[k], g);
            rule_group_retire(m, g, now);
        }
    }
    if (next.n > 1) qsort(next.v, next.n, sizeof *next.v, group_cmp);
    mutex_lock(&m->mutex);
    RuleGroup **old = m->groups.v;
    size_t n_old = m->groups.n;
    m->groups.v = next.v;
    m->groups.n = next.n;
    m->groups.cap = next.cap;
    mutex_unlock(&m->mutex);
    rule_manager_release(old, n_old);
}

void rule_manager_replace(RuleManager *m, RuleGroup **v, size_t n, bool api) {
    pause_all(m);
    replace(m, v, n, api);
    resume_all(m);
}

/* --- files --- */

typedef struct Source {
    Arena *arena;
    Str name;
    RuleFile file;
} Source;

typedef struct Load {
    RuleManager *m;
    Buf *out;
    VEC(Source) sources;
    Map *seen;
    bool failed, ignore_unknown;
} Load;

static void load_text(Load *l, Str name, Str text) {
    Arena *arena = arena_create(1u << 30);
    Source s = {.arena = arena, .name = arena_copy(arena, name)};
    DiagList diags;
    diag_init(&diags, s.name, arena_copy(arena, text));
    RuleFileOptions opts = {.check = l->m->opts.check, .ctx = l->m->opts.ctx, .ignore_unknown = l->ignore_unknown};
    ErrCode rc = rule_file_parse(&opts, arena, &s.file, &diags);
    diag_render(&diags, l->out, false);
    diag_done(&diags);
    vec_push(&l->sources, s);
    l->failed |= rc != OK;
}

static void load_file(Load *l, const char *path) {
    Buf text = {0};
    Err err = {0};
    bool fresh;
    (void)map_put(l->seen, str_cstr(path), &fresh);
    if (!fresh) return;
    if (fs_read_file(fs_real(), path, FILE_BYTES_MAX, &text, &err) == OK) {
        load_text(l, str_cstr(path), buf_str(&text));
    } else {
        buf_printf(l->out, "%s: error: %s\n", path, err.msg);
        l->failed = true;
    }
    buf_done(&text);
}

static void load_pattern(Load *l, Str pattern) {
    Err err = {0};
    Arena *arena = arena_create(64u << 20);
    Str *names;
    size_t n;
    if (fs_glob(pattern, arena, &names, &n, &err) != OK) {
        buf_printf(l->out, "%" STR_FMT ": error: %s\n", STR_ARG(pattern), err.msg);
        l->failed = true;
    } else if (n == 0) {
        buf_printf(l->out, "%" STR_FMT ": warning: no rule file matches\n", STR_ARG(pattern));
    }
    for (size_t i = 0; i < n; i++) load_file(l, names[i].p); /* a NUL follows */
    arena_free(arena);
}

static void set_config(RuleManager *m, const RuleManagerConfig *c) {
    Arena *arena = arena_create(ARENA_UNLIMITED);
    m->external_labels = labels_copy(arena, c->external_labels);
    arena_free(m->config_arena);
    m->config_arena = arena;
    m->alert_relabel = c->alert_relabel;
    m->interval_ns = c->evaluation_interval_ms ? c->evaluation_interval_ms * NS_PER_MS : INTERVAL_DEFAULT_NS;
    m->query_offset_ms = c->query_offset_ms;
}

/* Every group holds its file's arena through the first group of the file. */
static void make_groups(RuleManager *m, const Source *s, RuleGroup **out, size_t *n) {
    RuleSource *source = rule_source_create(s->arena);
    for (size_t i = 0; i < s->file.n_groups; i++)
        out[(*n)++] = rule_group_create(m, s->name, &s->file.groups[i], source);
    rule_source_unref(source);
}

static void apply(Load *l, const RuleManagerConfig *config) {
    RuleManager *m = l->m;
    size_t n = 0, max = 0;
    for (size_t i = 0; i < l->sources.n; i++) max += l->sources.v[i].file.n_groups;
    RuleGroup **groups = mem_alloc_array(max + 1, sizeof *groups);
    mutex_lock(&m->api_mutex);
    pause_all(m);
    set_config(m, config);
    for (size_t i = 0; i < l->sources.n; i++) make_groups(m, &l->sources.v[i], groups, &n);
    replace(m, groups, n, false);
    m->loaded = true;
    resume_all(m);
    mutex_unlock(&m->api_mutex);
    mem_free(groups);
}

/* --- the built-in Watchdog --- */

static const char watchdog_text[] =
    "groups:\n"
    "  - name: watchdog\n"
    "    interval: 10s\n"
    "    rules:\n"
    "      - alert: Watchdog\n"
    "        expr: vector(1)\n"
    "        labels: {severity: none}\n"
    "        annotations:\n"
    "          summary: Alerting works\n"
    "          description: This alert always fires. When it stops arriving, alerting is broken.\n";

static bool files_name(const Load *l, Str alert) {
    for (size_t i = 0; i < l->sources.n; i++) {
        const RuleFile *f = &l->sources.v[i].file;
        for (size_t g = 0; g < f->n_groups; g++)
            for (size_t r = 0; r < f->groups[g].n_rules; r++)
                if (f->groups[g].rules[r].alerting && str_eq(f->groups[g].rules[r].name, alert)) return true;
    }
    return false;
}

static bool groups_name(RuleManager *m, Str alert, bool api_only) {
    RuleGroup **v;
    bool found = false;
    size_t n = rule_manager_snapshot(m, &v);
    for (size_t i = 0; i < n; i++)
        for (size_t r = 0; r < v[i]->n_rules && (!api_only || is_api(v[i])); r++)
            found |= v[i]->rules[r].def.alerting && str_eq(v[i]->rules[r].def.name, alert);
    rule_manager_release(v, n);
    return found;
}

bool rule_manager_has_alert(RuleManager *m, Str name) { return groups_name(m, name, false); }

ErrCode rule_manager_load(RuleManager *m, const RuleManagerConfig *config, Buf *out) {
    Load l = {.m = m, .out = out, .seen = map_create(MAP_COPY_KEYS), .ignore_unknown = config->ignore_unknown};
    for (size_t i = 0; i < config->n_files; i++) load_pattern(&l, config->files[i]);
    for (size_t i = 0; i < config->n_texts; i++) load_text(&l, config->texts[i].name, config->texts[i].text);
    if (config->watchdog && !l.failed && !files_name(&l, RULE_WATCHDOG) && !groups_name(m, RULE_WATCHDOG, true))
        load_text(&l, STR(RULE_BUILTIN_WATCHDOG), str_cstr(watchdog_text));
    if (!l.failed) apply(&l, config);
    for (size_t i = 0; l.failed && i < l.sources.n; i++) arena_free(l.sources.v[i].arena);
    vec_done(&l.sources);
    map_free(l.seen);
    return l.failed ? ERR_INVALID : OK;
}

/* --- life --- */

static ErrCode open_dir(RuleManager *m, const char *dir, Err *reterr) {
    m->dir = str_dup_cstr(str_cstr(dir));
    ErrCode r = fs_real()->ops->make_dir(fs_real(), dir, reterr);
    return r == OK ? rule_state_open(dir, &m->state, reterr) : r;
}

ErrCode rule_manager_create(const RuleManagerOptions *opts, RuleManager **ret, Err *reterr) {
    RuleManager *m = NEW(RuleManager);
    m->opts = *opts;
    m->external_url = str_dup_cstr(opts->external_url);
    m->opts.external_url = str_cstr(m->external_url);
    m->interval_ns = INTERVAL_DEFAULT_NS;
    mutex_init(&m->mutex);
    mutex_init(&m->api_mutex);
    cond_init(&m->cond);
    ErrCode r = opts->dir ? open_dir(m, opts->dir, reterr) : OK;
    if (r == OK && opts->dir) r = rule_api_load(m, reterr);
    if (r == OK && !opts->manual) {
        unsigned threads = opts->threads ? opts->threads : MAX(thread_cpu_count(), 2u);
        m->pool = pool_create("rules", threads, 1u << 16);
        m->scheduler = thread_start("rule-clock", schedule, m);
        if (!m->scheduler) r = err_set(reterr, ERR_UNAVAILABLE, "the system refuses a thread for the rules");
    }
    *ret = r == OK ? m : NULL;
    if (r != OK) rule_manager_free(m);
    return r;
}

RuleManager *rule_manager_free(RuleManager *m) {
    if (!m) return NULL;
    mutex_lock(&m->mutex);
    m->stopping = true;
    for (size_t i = 0; i < m->groups.n; i++) atomic_store(&m->groups.v[i]->cancel, true);
    cond_broadcast(&m->cond);
    mutex_unlock(&m->mutex);
    thread_join(m->scheduler);
    pool_free(m->pool);
    m->state = rule_state_close(m->state);
    for (size_t i = 0; i < m->groups.n; i++) rule_group_unref(m->groups.v[i]);
    vec_done(&m->groups);
    arena_free(m->config_arena);
    cond_done(&m->cond);
    mutex_done(&m->api_mutex);
    mutex_done(&m->mutex);
    mem_free(m->external_url);
    mem_free(m->dir);
    mem_free(m);
    return NULL;
}
