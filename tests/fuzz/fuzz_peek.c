/* fuzz_peek.c - the acceptor's choice of an engine must not depend on how the first bytes are cut into packets. */
#include "net/acceptor_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Str all = str_of((const char *)data, size);
    PeekResult whole = peek_classify(all), seen = PEEK_MORE;
    for (size_t n = 0; n <= all.n && seen == PEEK_MORE; n++) seen = peek_classify(str_slice(all, 0, n));
    ASSERT(seen == whole);
    ASSERT(whole != PEEK_GONE && (all.n < 3 || whole != PEEK_MORE));
    return 0;
}
