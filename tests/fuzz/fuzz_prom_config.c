/* prometheus.yml of any content: a configuration or diagnostics, never both. */
#include "metrics/config/prom_config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Str text = str_of((const char *)data, size);
    DiagList diags;
    PromConfig *c;
    diag_init(&diags, STR("fuzz.yml"), text);
    ErrCode code = prom_config_parse(text, STR("/base"), &c, &diags);
    ASSERT((code == OK) == (c != NULL) && (code == OK || diag_error_count(&diags) > 0));
    prom_config_free(c);
    diag_done(&diags);
    return 0;
}
