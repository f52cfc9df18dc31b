/* Foreign text at the ends of the API: an exposition under the linter; an Accept header and samples in the format it
 * asks for; a search term against a value. */
#include "metrics/api/expose.h"
#include "metrics/api/fuzzy.h"
#include "metrics/promlint.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expose(Str accept, Str name, Arena *arena) {
    static const double bounds[] = {0.5, 1}, counts[] = {1, 2};
    static const HistogramSpan span = {1, 2}; /* beyond the bounds: damaged, but must not hurt */
    Histogram h = {.schema = HISTOGRAM_SCHEMA_CUSTOM,
        .count = 3,
        .pos_spans = &span,
        .n_pos_spans = 1,
        .pos = counts,
        .n_pos = 2,
        .custom_bounds = bounds,
        .n_custom_bounds = 2};
    Label labels[] = {{LABEL_NAME_METRIC, name}, {STR("a"), accept}};
    ExposeSample samples[] = {{{labels, 2}, 1, 0.5, NULL}, {{labels, 2}, 2, 0, &h}};
    ExposeFormat f = expose_negotiate(accept, true);
    Buf out = {0};
    expose_put(&out, &f, samples, 2, (Labels){0});
    ASSERT(expose_content_type(&f, arena).n && out.n);
    buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Arena *arena = arena_create((size_t)16 << 20);
    Str text = str_of((const char *)data, size), first, rest = text;
    PromLint lint;
    Err err = {0};
    if (promlint_run(text, arena, &lint, &err) == OK)
        for (size_t i = 1; i < lint.problems.n; i++)
            ASSERT(str_cmp(lint.problems.v[i - 1].metric, lint.problems.v[i].metric) <= 0);
    (void)str_split_next(&rest, '\n', &first);
    if (first.n) expose(first, rest.p && rest.n ? rest : STR("x"), arena);
    for (int algorithm = FUZZY_SUBSEQUENCE; algorithm <= FUZZY_JARO_WINKLER; algorithm++) {
        FuzzySearch s = {.algorithm = (FuzzyAlgorithm)algorithm, .threshold = 0.3, .ignore_case = size % 2};
        double score = 0;
        if (fuzzy_add_term(&s, first, arena)) (void)fuzzy_match(&s, rest, &score);
        ASSERT(s.n_terms == 0 || (score >= 0 && score <= 1));
    }
    arena_free(arena);
    return 0;
}
