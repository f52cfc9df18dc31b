/* alertmanager.yml: any bytes are refused or loaded; what is shown of a loaded one can be read again. */
#include "alert/amconfig.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n) {
    if (n > 1u << 16) return 0;
    Str text = str_of((const char *)data, n);
    AmConfig *c = NULL, *again = NULL;
    DiagList d;
    diag_init(&d, STR("am.yml"), text);
    if (amconfig_parse(STR("am.yml"), text, AM_MATCH_FALLBACK, &c, &d) == OK) {
        const AmRoute *out[AM_ROUTES_MAX];
        const Label l[] = {{STR("alertname"), STR("a")}, {STR("severity"), STR("critical")}};
        ASSERT(amroute_match(c->root, (Labels){l, 2}, out, ARRAY_LEN(out)) > 0);
        for (size_t i = 0; i < c->n_intervals; i++) (void)timeintervals_contain(&c->intervals[i], 1700000000);
        DiagList d2;
        diag_init(&d2, STR("shown"), c->shown);
        ASSERT(amconfig_parse_routes(STR("shown"), c->shown, &again, &d2) == OK);
        ASSERT(again->n_routes == c->n_routes);
        diag_done(&d2);
    } else {
        ASSERT(c == NULL && diag_error_count(&d) > 0);
    }
    diag_done(&d);
    amconfig_unref(c);
    amconfig_unref(again);
    return 0;
}
