/* am_mute.c - which alerts are inhibited or silenced.
 *
 * Inhibition: per rule a table from the values of its `equal` labels to the source alerts that have them. Silences:
 * every alert remembers those that match it and looks only at what is newer than its last look. */
#include "alert/am_int.h"

#include "base/hash.h"

typedef struct Bucket {
    VEC(AmAlert *) pure, both; /* both: also match the rule's target */
} Bucket;

typedef struct RuleIndex {
    const AmInhibitRule *rule;
    U64Map *buckets;
} RuleIndex;

struct AmInhibitIndex {
    RuleIndex *rules;
    size_t n;
};

static uint64_t equal_hash(const AmInhibitRule *r, Labels l) {
    uint64_t h = 0;
    for (size_t i = 0; i < r->n_equal; i++) {
        Str v = labels_get(l, r->equal[i]);
        h = hash_bytes(v.p, v.n, h + i + 1);
    }
    return h;
}

static bool equal_holds(const AmInhibitRule *r, Labels a, Labels b) {
    for (size_t i = 0; i < r->n_equal; i++) {
        if (!str_eq(labels_get(a, r->equal[i]), labels_get(b, r->equal[i]))) return false;
    }
    return true;
}

AmInhibitIndex *am_inhibit_create(const AmConfig *c) {
    AmInhibitIndex *x = NEW(AmInhibitIndex);
    x->n = c->n_inhibit;
    x->rules = mem_alloc_array(x->n + 1, sizeof *x->rules);
    for (size_t i = 0; i < x->n; i++) x->rules[i] = (RuleIndex){&c->inhibit[i], u64map_create()};
    return x;
}

AmInhibitIndex *am_inhibit_free(AmInhibitIndex *x) {
    for (size_t i = 0; x && i < x->n; i++) {
        size_t it = 0;
        uint64_t key, *v;
        while (u64map_next(x->rules[i].buckets, &it, &key, &v)) {
            Bucket *b = (Bucket *)(uintptr_t)*v;
            vec_done(&b->pure);
            vec_done(&b->both);
            mem_free(b);
        }
        u64map_free(x->rules[i].buckets);
    }
    if (x) mem_free(x->rules);
    mem_free(x);
    return NULL;
}

void am_inhibit_add(AmInhibitIndex *x, AmAlert *a) {
    for (size_t i = 0; x && i < x->n; i++) {
        const AmInhibitRule *r = x->rules[i].rule;
        if (!matchers_match(r->source, a->text->labels)) continue;
        uint64_t *slot = u64map_put(x->rules[i].buckets, equal_hash(r, a->text->labels), NULL);
        if (!*slot) *slot = (uint64_t)(uintptr_t)NEW(Bucket);
        Bucket *b = (Bucket *)(uintptr_t)*slot;
        if (matchers_match(r->target, a->text->labels))
            vec_push(&b->both, a);
        else
            vec_push(&b->pure, a);
    }
}

static size_t sweep(AmAlert **v, size_t n) {
    size_t left = 0;
    for (size_t i = 0; i < n; i++) {
        if (!v[i]->doomed) v[left++] = v[i];
    }
    return left;
}

void am_inhibit_sweep(AmInhibitIndex *x) {
    for (size_t i = 0; x && i < x->n; i++) {
        VEC(uint64_t) empty = {0};
        size_t it = 0;
        uint64_t key, *v;
        while (u64map_next(x->rules[i].buckets, &it, &key, &v)) {
            Bucket *b = (Bucket *)(uintptr_t)*v;
            b->pure.n = sweep(b->pure.v, b->pure.n);
            b->both.n = sweep(b->both.v, b->both.n);
            if (b->pure.n + b->both.n) continue;
            vec_done(&b->pure);
            vec_done(&b->both);
            mem_free(b);
            vec_push(&empty, key);
        }
        vec_foreach(uint64_t, k, &empty) u64map_remove(x->rules[i].buckets, *k, NULL);
        vec_done(&empty);
    }
}

/* A firing one among v with the same equal labels; it comes to the front, for the next look. */
static const AmAlert *firing_of(AmAlert **v, size_t n, const AmInhibitRule *r, Labels l, int64_t now_ns) {
    for (size_t i = 0; i < n; i++) {
        AmAlert *a = v[i];
        if (am_resolved(a, now_ns) || !equal_holds(r, a->text->labels, l)) continue;
        v[i] = v[0];
        v[0] = a;
        return a;
    }
    return NULL;
}

const AmAlert *am_inhibited(AmInhibitIndex *x, Labels l, int64_t now_ns, const AmInhibitRule **ret_rule) {
    for (size_t i = 0; x && i < x->n; i++) {
        const AmInhibitRule *r = x->rules[i].rule;
        if (!u64map_count(x->rules[i].buckets) || !matchers_match(r->target, l)) continue;
        uint64_t *slot = u64map_get(x->rules[i].buckets, equal_hash(r, l));
        if (!slot) continue;
        Bucket *b = (Bucket *)(uintptr_t)*slot;
        const AmAlert *by = firing_of(b->pure.v, b->pure.n, r, l, now_ns);
        if (!by && !matchers_match(r->source, l)) by = firing_of(b->both.v, b->both.n, r, l, now_ns);
        if (!by) continue;
        if (ret_rule) *ret_rule = r;
        return by;
    }
    return NULL;
}

/* --- silences --- */

static void forget(AmAlert *a, const AmSilence *s) {
    for (uint32_t i = 0; i < a->n_sil; i++) {
        if (a->sil[i] == s) {
            a->sil[i] = a->sil[--a->n_sil];
            return;
        }
    }
}

bool am_silenced(Alertmanager *am, AmAlert *a, int64_t now_ns) {
    if (a->sil_epoch != am->silence_epoch) {
        a->sil_epoch = am->silence_epoch;
        a->sil_version = 0;
        a->n_sil = 0;
    }
    for (size_t i = am->silence_order.n; i-- > 0 && am->silence_order.v[i]->version > a->sil_version;) {
        AmSilence *s = am->silence_order.v[i];
        forget(a, s);
        if (am_silence_state(s, now_ns) == AM_SILENCE_EXPIRED || !matchers_match(s->matchers, a->text->labels))
            continue;
        a->sil = mem_realloc_array(a->sil, a->n_sil + 1, sizeof(AmSilence *));
        a->sil[a->n_sil++] = s;
    }
    a->sil_version = am->silence_version;
    bool silenced = false;
    for (uint32_t i = 0; i < a->n_sil;) {
        AmSilenceState st = am_silence_state(a->sil[i], now_ns);
        silenced = silenced || st == AM_SILENCE_ACTIVE;
        if (st == AM_SILENCE_EXPIRED)
            a->sil[i] = a->sil[--a->n_sil];
        else
            i++;
    }
    return silenced;
}

bool am_suppressed(Alertmanager *am, AmAlert *a, int64_t now_ns) {
    return am_silenced(am, a, now_ns) || am_inhibited(am->inhibit, a->text->labels, now_ns, NULL);
}
