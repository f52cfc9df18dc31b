/* promtool_sd.c - promtool check service-discovery: what a job's discovery finds, and what relabelling makes of it. */
#include "base/map.h"
#include "base/timefmt.h"
#include "base/vec.h"
#include "cmd/promtool_int.h"
#include "metrics/scrape/scrape.h"
#include "sys/clock.h"
#include "sys/fs.h"

#include <stdio.h>

#define CONFIG_BYTES_MAX (16u << 20)
#define LOOK_MS 200

typedef struct Found {
    Labels discovered, labels;
    const char *why; /* it can be no target; NULL: it is one, or a rule drops it */
} Found;

typedef struct SdCheck {
    const PromScrapeConfig *job;
    PromConfig *config;
    Arena *arena;
    AVEC(Found) found;
    U64Map *seen; /* hash of what was found -> its place */
} SdCheck;

/* Warnings are left out: they concern a server. */
static PromConfig *load_config(const char *file) {
    Buf text = {0}, out = {0};
    Err err = {0};
    DiagList diags;
    PromConfig *config = NULL;
    if (fs_read_stream(file, CONFIG_BYTES_MAX, &text, &err) != OK) {
        fprintf(stderr, "Cannot load config %s\n", err.msg);
        return buf_done(&text), NULL;
    }
    Str name = str_cstr(file);
    size_t slash = str_rfind_char(name, '/');
    diag_init(&diags, name, buf_str(&text));
    Str dir = slash == SIZE_MAX ? STR("") : slash == 0 ? STR("/") : str_slice(name, 0, slash);
    if (prom_config_parse(buf_str(&text), dir, &config, &diags) != OK) {
        diag_render(&diags, &out, command_colour());
        fprintf(stderr, "Cannot load config %s\n", buf_cstr(&out));
    }
    diag_done(&diags);
    buf_done(&text);
    buf_done(&out);
    return config;
}

static const PromScrapeConfig *find_job(const PromConfig *c, const char *name) {
    for (size_t i = 0; i < c->n_scrapes; i++)
        if (str_eq(c->scrapes[i].job_name, str_cstr(name))) return &c->scrapes[i];
    fprintf(stderr, "Job %s not found. Select one of:\n", name);
    for (size_t i = 0; i < c->n_scrapes; i++)
        fprintf(stderr, "\t%.*s\n", (int)c->scrapes[i].job_name.n, c->scrapes[i].job_name.p);
    return NULL;
}

/* --- discovery --- */

static bool all_known(SdSource *const *sources, size_t n) {
    for (size_t i = 0; i < n; i++) {
        SdState s;
        sd_source_state(sources[i], &s);
        if (!s.known) return false;
    }
    return true;
}

static bool same(const Found *a, const Found *b) {
    return labels_eq(a->discovered, b->discovered) && labels_eq(a->labels, b->labels);
}

/* Each once, as one source may name a target in several groups. */
static void take(SdCheck *c, Labels found) {
    Found f;
    f.why = scrape_target_labels(c->job, found, c->arena, &f.discovered, &f.labels);
    bool is_new;
    uint64_t hash = labels_hash(f.discovered) * 31 + labels_hash(f.labels);
    uint64_t *place = u64map_put(c->seen, hash, &is_new);
    if (!is_new && same(&c->found.v[*place], &f)) return;
    *place = c->found.n;
    (void)avec_push(c->arena, &c->found, f);
}

static void take_source(SdCheck *c, SdSource *s) {
    SdState state;
    SdTargets *t = sd_source_targets(s);
    sd_source_state(s, &state);
    if (state.error[0]) fprintf(stderr, "%s_sd_configs: %s\n", sd_kind_name(state.kind), state.error);
    for (size_t i = 0; t && i < t->n; i++) {
        Labels copy = labels_copy(c->arena, t->v[i]);
        if (copy.v) take(c, copy);
    }
    sd_targets_unref(t);
}

/* Until every source has answered, or the time is over. */
static void discover(SdCheck *c, int64_t timeout_ns) {
    SdManager *m = sd_manager_create(&(SdManagerOptions){.user_agent = "promtool/3.16.0"});
    size_t n = c->job->sd.n;
    SdSource **sources = mem_alloc_array(n + 1, sizeof(SdSource *));
    for (size_t i = 0; i < n; i++) sources[i] = sd_source_acquire(m, &c->job->sd.v[i], c->config);
    int64_t until = clock_mono_ns() + timeout_ns;
    while (!all_known(sources, n) && clock_mono_ns() < until)
        clock_sleep_ms(MIN(LOOK_MS, MAX((until - clock_mono_ns()) / NS_PER_MS, 1)));
    for (size_t i = 0; i < n; i++) take_source(c, sources[i]);
    for (size_t i = 0; i < n; i++) sd_source_release(sources[i]);
    mem_free(sources);
    sd_manager_free(m);
}

/* --- the result, as Go indents JSON --- */

static void put_labels(Buf *out, const char *key, Labels l) {
    buf_printf(out, "    \"%s\": {", key);
    for (size_t i = 0; i < l.n; i++) {
        buf_put_str(out, i ? STR(",\n      ") : STR("\n      "));
        json_put_string(out, l.v[i].name);
        buf_put_lit(out, ": ");
        json_put_string(out, l.v[i].value);
    }
    buf_put_str(out, l.n ? STR("\n    }") : STR("}"));
}

static void print(const SdCheck *c) {
    Buf out = {0};
    buf_put_char(&out, '[');
    for (size_t i = 0; i < c->found.n; i++) {
        const Found *f = &c->found.v[i];
        buf_put_str(&out, i ? STR(",\n  {\n") : STR("\n  {\n"));
        put_labels(&out, "discoveredLabels", f->discovered);
        buf_put_lit(&out, ",\n");
        put_labels(&out, "labels", f->labels);
        /* promtool's errors come out as empty objects; what they say is told aside. */
        buf_put_str(&out, f->why ? STR(",\n    \"error\": {}\n  }") : STR("\n  }"));
        Str address = labels_get(f->discovered, STR("__address__"));
        if (f->why) fprintf(stderr, "target \"%.*s\": %s\n", (int)address.n, address.p ? address.p : "", f->why);
    }
    buf_put_str(&out, c->found.n ? STR("\n]") : STR("]"));
    fwrite(out.p, 1, out.n, stdout);
    buf_done(&out);
}

int promtool_check_sd(const PtLine *l) {
    SdCheck c = {.config = load_config(pt_arg(l, 0))};
    if (!c.config) return 1;
    c.job = find_job(c.config, pt_arg(l, 1));
    c.arena = arena_create((size_t)1 << 30);
    if (c.job) {
        c.seen = u64map_create();
        discover(&c, pt_duration_ns(l, "timeout"));
        print(&c);
        u64map_free(c.seen);
    }
    int code = c.job ? 0 : 1;
    arena_free(c.arena);
    prom_config_free(c.config);
    return code;
}
