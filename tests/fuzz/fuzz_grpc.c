/* fuzz_grpc.c - one byte chooses the encoding, the rest is a request body of length-prefixed messages. */
#include "net/grpc_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char *const encodings[] = {"", "identity", "gzip", "zstd", "snappy", "br"};
    if (size == 0) return 0;
    Str enc = str_cstr(encodings[data[0] % ARRAY_LEN(encodings)]), body = str_of((const char *)data + 1, size - 1);
    Arena *a = arena_create(1 << 20);
    Str msg;
    if (grpc_message_decode(body, enc, 1 << 16, a, &msg, NULL) == OK) {
        ASSERT(msg.n <= 1 << 16);
        Buf again = {0};
        Str back;
        grpc_message_encode(msg, ENCODING_GZIP, &again);
        ErrCode code = grpc_message_decode(buf_str(&again), STR("gzip"), msg.n, a, &back, NULL);
        ASSERT(code != OK || str_eq(back, msg));
        buf_done(&again);
    }
    int64_t ns = 0;
    if (grpc_timeout_parse(body, &ns)) ASSERT(ns >= 0);
    Buf text = {0};
    grpc_percent_encode(&text, body);
    ASSERT(text.n >= body.n && text.n <= 3 * body.n);
    buf_done(&text);
    arena_free(a);
    return 0;
}
