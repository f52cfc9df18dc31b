/* scrape_target.c - a discovered label set becomes a target: defaults, relabelling, address, identity. */
#include "base/hash.h"
#include "base/timefmt.h"
#include "metrics/record.h"
#include "metrics/scrape/scrape_int.h"
#include "net/http.h"
#include "sys/process.h"

#include <stdlib.h>
#include <string.h>

void scrape_target_ref(ScrapeTarget *t) { atomic_fetch_add(&t->refs, 1); }

void scrape_target_unref(ScrapeTarget *t) {
    if (!t || atomic_fetch_sub(&t->refs, 1) != 1) return;
    size_t it = 0;
    uint64_t key, *value;
    while (u64map_next(t->cache, &it, &key, &value)) mem_free((void *)(uintptr_t)*value);
    u64map_free(t->cache);
    scrape_exemplars_forget_all(t);
    prom_http_free(t->http);
    prom_config_free(t->config);
    mem_free((void *)(uintptr_t)t->labels.v);
    mem_free((void *)(uintptr_t)t->discovered.p);
    mem_free(t->url);
    mem_free(t->unix_socket);
    mem_free(t);
}

void scrape_target_retire(ScrapeTarget *t, LeavingVec *leaving) {
    if (!t->in_flight && t->scrapes == 0)
        scrape_target_unref(t); /* it has nothing that could end */
    else
        vec_push(leaving, (LeavingTarget){t, t->due_ms, t->due_ms + t->interval_ms + t->interval_ms / 10});
}

/* --- labels before relabelling --- */
static bool preset(RelabelSet *s, Str name, Str value) { return relabel_get(s, name).n || relabel_set(s, name, value); }

static bool preset_duration(RelabelSet *s, Str name, int64_t ms) {
    Buf b = {0};
    duration_put_prom(&b, ms);
    Str text = arena_copy(s->arena, buf_str(&b));
    buf_done(&b);
    return preset(s, name, text);
}

static bool preset_flag(RelabelSet *s, Str name, bool on) { return preset(s, name, on ? STR("true") : STR("false")); }

static bool discovered_labels(RelabelSet *s, const PromScrapeConfig *job, Labels found) {
    bool ok = true;
    for (size_t i = 0; i < found.n; i++) ok = ok && relabel_set(s, found.v[i].name, found.v[i].value);
    ok = ok && preset(s, STR("job"), job->job_name) && preset(s, STR("__scheme__"), job->scheme) &&
         preset(s, STR("__metrics_path__"), job->metrics_path) &&
         preset_duration(s, STR("__scrape_interval__"), job->interval_ms) &&
         preset_duration(s, STR("__scrape_timeout__"), job->timeout_ms) &&
         preset_flag(s, STR("__scrape_native_histograms__"), job->set.native_histograms) &&
         preset_flag(s, STR("__convert_classic_histograms_to_nhcb__"), job->set.convert_to_nhcb) &&
         preset_flag(s, STR("__always_scrape_classic_histograms__"), job->set.always_classic);
    for (size_t i = 0; i < job->params.n; i++) {
        if (!job->params.v[i].n) continue;
        Str name = arena_printf(s->arena, "__param_%" STR_FMT, STR_ARG(job->params.v[i].name));
        ok = ok && name.p && preset(s, name, job->params.v[i].values[0]);
    }
    return ok;
}

static int by_name(const void *a, const void *b) { return str_cmp(((const Label *)a)->name, ((const Label *)b)->name); }

static Str encode_sorted(RelabelSet *s) {
    Buf b = {0};
    if (s->labels.n > 1) qsort(s->labels.v, s->labels.n, sizeof *s->labels.v, by_name);
    labels_encode(&b, (Labels){s->labels.v, s->labels.n});
    Str out = str_of(mem_alloc(b.n), b.n);
    memcpy((char *)(uintptr_t)out.p, b.p, b.n);
    buf_done(&b);
    return out;
}

/* The visible ones, sorted, in one block on the heap. */
static Labels pack_visible(RelabelSet *s) {
    size_t n = 0, bytes = 0;
    for (size_t i = 0; i < s->labels.n; i++) {
        if (str_starts_with(s->labels.v[i].name, STR("__"))) continue;
        s->labels.v[n++] = s->labels.v[i];
        bytes += s->labels.v[n - 1].name.n + s->labels.v[n - 1].value.n;
    }
    if (n > 1) qsort(s->labels.v, n, sizeof *s->labels.v, by_name);
    Label *v = mem_alloc(n * sizeof *v + bytes + 1);
    char *p = (char *)(v + n);
    for (size_t i = 0; i < n; i++) {
        Str name = s->labels.v[i].name, value = s->labels.v[i].value;
        v[i] = (Label){str_of(p, name.n), str_of(p + name.n, value.n)};
        memcpy(p, name.p, name.n);
        memcpy(p + name.n, value.p, value.n);
        p += name.n + value.n;
    }
    return (Labels){v, n};
}

/* --- address --- */
static void put_param(Buf *b, bool *first, Str name, Str value) {
    buf_put_char(b, *first ? '?' : '&');
    *first = false;
    http_url_encode(b, name);
    buf_put_char(b, '=');
    http_url_encode(b, value);
}

/* The first value of a parameter may have been rewritten as __param_<name>; new ones may have come that way. */
static void put_params(Buf *b, const PromScrapeConfig *job, RelabelSet *s) {
    static const Str prefix = STR_INIT("__param_");
    bool first = true;
    if (s->labels.n > 1) qsort(s->labels.v, s->labels.n, sizeof *s->labels.v, by_name); /* the same URL every time */
    for (size_t i = 0; i < s->labels.n; i++) {
        Str name = s->labels.v[i].name;
        if (!str_starts_with(name, prefix)) continue;
        put_param(b, &first, str_skip(name, prefix.n), s->labels.v[i].value);
        for (size_t k = 0; k < job->params.n; k++) {
            const PromParam *p = &job->params.v[k];
            for (size_t j = 1; str_eq(p->name, str_skip(name, prefix.n)) && j < p->n; j++)
                put_param(b, &first, p->name, p->values[j]);
        }
    }
}

/* Bytes other than letters, digits and those in `plain` as %XX: as Go writes the parts of a URL. */
static void put_escaped(Buf *b, Str s, const char *plain) {
    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];
        bool alnum = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (alnum || (c && strchr(plain, c)))
            buf_put_char(b, c);
        else
            buf_printf(b, "%%%02X", (unsigned char)c);
    }
}

static char *build_url(const PromScrapeConfig *job, RelabelSet *s) {
    Buf b = {0};
    Str path = relabel_get(s, STR("__metrics_path__"));
    buf_put_str(&b, relabel_get(s, STR("__scheme__")));
    buf_put_lit(&b, "://");
    put_escaped(&b, relabel_get(s, STR("__address__")), "-_.~!$&'()*+,;=:[]<>\"");
    if (path.n == 0 || path.p[0] != '/') buf_put_char(&b, '/');
    put_escaped(&b, path, "-_.~$&+,/:;=@"); /* a "?" in it begins no query */
    put_params(&b, job, s);
    buf_put_char(&b, 0);
    size_t n;
    return buf_take(&b, &n);
}

/* --- the target --- */
static void set_identity(ScrapeTarget *t, const PromScrapeConfig *job) {
    Buf b = {0};
    buf_put_lenstr(&b, job->job_name);
    buf_put_lenstr(&b, job->fingerprint);
    buf_put_lenstr(&b, str_cstr(t->url));
    buf_put_lenstr(&b, str_cstr(t->unix_socket));
    buf_put_uvarint(&b, (uint64_t)t->interval_ms);
    buf_put_uvarint(&b, (uint64_t)t->timeout_ms);
    buf_put_uvarint(&b, t->native + 2u * t->to_nhcb + 4u * t->classic);
    labels_encode(&b, t->labels);
    t->id[0] = hash_xx64(buf_str(&b), 0);
    t->id[1] = hash_xx64(buf_str(&b), t->id[0]);
    t->seed = hash_bytes(b.p, b.n, hash_process_seed());
    buf_clear(&b);
    buf_printf(&b, "%016llu%s", (unsigned long long)labels_hash(t->labels), t->url);
    t->place = hash_fnv1a64(buf_str(&b));
    buf_done(&b);
}

uint64_t scrape_offset_seed(Labels external) {
    Buf b = {0};
    process_hostname(&b);
    labels_put_text(&b, external);
    uint64_t seed = hash_fnv1a64(buf_str(&b));
    buf_done(&b);
    return seed;
}

void scrape_target_set_offset(ScrapeTarget *t, uint64_t seed) {
    uint64_t interval_ns = (uint64_t)t->interval_ms * NS_PER_MS;
    t->offset_ms = (int64_t)((t->place ^ seed) % interval_ns / NS_PER_MS);
}

static const struct {
    Str name;
    const char *why; /* when it is neither true nor false */
} flags[] = {
    {STR_INIT("__convert_classic_histograms_to_nhcb__"), "error parsing convert classic histograms to nhcb"},
    {STR_INIT("__always_scrape_classic_histograms__"), "error parsing always scrape classic histograms"},
    {STR_INIT("__scrape_native_histograms__"), "error parsing scrape native histograms"},
};

/* As Go's strconv.ParseBool. */
static bool parse_flag(Str s, bool *ret) {
    static const Str words[2][6] = {
        {STR_INIT("0"), STR_INIT("f"), STR_INIT("F"), STR_INIT("false"), STR_INIT("False"), STR_INIT("FALSE")},
        {STR_INIT("1"), STR_INIT("t"), STR_INIT("T"), STR_INIT("true"), STR_INIT("True"), STR_INIT("TRUE")}};
    for (size_t i = 0; i < 12; i++) {
        *ret = i >= 6;
        if (str_eq(words[i / 6][i % 6], s)) return true;
    }
    return false;
}

/* otherwise: where a rule has taken the label off. */
static bool flag_of(const RelabelSet *s, Str name, bool otherwise) {
    bool on;
    return parse_flag(relabel_get(s, name), &on) ? on : otherwise;
}

/* NULL: all is well. */
static const char *check(const RelabelSet *s, int64_t *ret_interval_ms, int64_t *ret_timeout_ms) {
    Str address = relabel_get(s, STR("__address__"));
    if (!address.n) return "no address";
    if (str_find_char(address, '/') != SIZE_MAX) return "the address is not a valid hostname";
    if (!duration_parse_prom(relabel_get(s, STR("__scrape_interval__")), ret_interval_ms))
        return "error parsing scrape interval: not a valid duration";
    if (*ret_interval_ms <= 0) return "scrape interval cannot be 0";
    if (!duration_parse_prom(relabel_get(s, STR("__scrape_timeout__")), ret_timeout_ms))
        return "error parsing scrape timeout: not a valid duration";
    if (*ret_timeout_ms <= 0) return "scrape timeout cannot be 0";
    if (*ret_timeout_ms > *ret_interval_ms) return "scrape timeout cannot be greater than scrape interval";
    for (size_t i = 0; i < ARRAY_LEN(flags); i++) {
        Str value = relabel_get(s, flags[i].name);
        bool on;
        if (value.n && !parse_flag(value, &on)) return flags[i].why;
    }
    for (size_t i = 0; i < s->labels.n; i++)
        if (!str_is_utf8(s->labels.v[i].value)) return "a label value is not valid UTF-8";
    return NULL;
}

ScrapeTarget *scrape_target_create(
    const PromScrapeConfig *job, Labels found, Arena *scratch, Str *ret_discovered, const char **ret_why) {
    arena_reset(scratch);
    RelabelSet s = {.arena = scratch, .legacy_names = job->set.legacy_names};
    int64_t interval_ms, timeout_ms;
    *ret_why = NULL;
    bool ok = discovered_labels(&s, job, found);
    ASSERT(ok);
    *ret_discovered = encode_sorted(&s);
    if (relabel_apply(job->relabel, &s) != RELABEL_KEPT) return NULL;
    *ret_why = check(&s, &interval_ms, &timeout_ms);
    if (*ret_why) return NULL;
    ok = preset(&s, STR("instance"), relabel_get(&s, STR("__address__")));
    ASSERT(ok);
    ScrapeTarget *t = NEW(ScrapeTarget);
    atomic_init(&t->refs, 1);
    t->cache = u64map_create();
    t->discovered = *ret_discovered;
    t->interval_ms = interval_ms;
    t->timeout_ms = timeout_ms;
    t->native = flag_of(&s, STR("__scrape_native_histograms__"), job->set.native_histograms);
    t->to_nhcb = flag_of(&s, STR("__convert_classic_histograms_to_nhcb__"), job->set.convert_to_nhcb);
    t->classic = flag_of(&s, STR("__always_scrape_classic_histograms__"), job->set.always_classic);
    t->url = build_url(job, &s);
    Str socket = relabel_get(&s, STR("__unix_socket__"));
    t->unix_socket = socket.n ? str_dup_cstr(socket) : NULL;
    t->labels = pack_visible(&s); /* last: it takes the others off */
    set_identity(t, job);
    *ret_discovered = STR_NULL;
    return t;
}

/* --- the same without a target, for those who only want to see --- */

static Labels sorted_copy(RelabelSet *s, Str without) {
    Label *v = ARENA_ARRAY(s->arena, Label, s->labels.n);
    size_t n = 0;
    for (size_t i = 0; v && i < s->labels.n; i++)
        if (!without.n || !str_starts_with(s->labels.v[i].name, without)) v[n++] = s->labels.v[i];
    if (n > 1) qsort(v, n, sizeof *v, by_name);
    return (Labels){v, n};
}

const char *scrape_target_labels(
    const PromScrapeConfig *job, Labels found, Arena *arena, Labels *ret_discovered, Labels *ret_labels) {
    RelabelSet s = {.arena = arena, .legacy_names = job->set.legacy_names};
    int64_t interval_ms, timeout_ms;
    *ret_labels = (Labels){0};
    bool ok = discovered_labels(&s, job, found);
    *ret_discovered = sorted_copy(&s, STR_NULL);
    if (!ok) return "too many labels";
    RelabelResult r = relabel_apply(job->relabel, &s);
    if (r == RELABEL_DROPPED) return NULL;
    const char *why = r == RELABEL_EXHAUSTED ? "too many labels" : check(&s, &interval_ms, &timeout_ms);
    if (why) return why;
    if (!preset(&s, STR("instance"), relabel_get(&s, STR("__address__")))) return "too many labels";
    *ret_labels = sorted_copy(&s, STR("__meta_"));
    return NULL;
}
