#include "codec/compress_int.h"
#include "sys/thread.h"

/* Frames that need a larger window are refused: RFC 9659 sets this bound for the web. */
#define ZSTD_WINDOW_LOG_MAX 23

typedef struct Contexts {
    struct libdeflate_decompressor *inflater;
    struct libdeflate_compressor *deflater;
    int deflater_level;
    ZSTD_DCtx *dctx;
    ZSTD_CCtx *cctx;
} Contexts;

static pthread_once_t key_once = PTHREAD_ONCE_INIT;
static pthread_key_t key; /* only for its destructor */
static __thread Contexts *own;

static void contexts_free(void *arg) {
    Contexts *c = arg;
    libdeflate_free_decompressor(c->inflater);
    libdeflate_free_compressor(c->deflater);
    ZSTD_freeDCtx(c->dctx);
    ZSTD_freeCCtx(c->cctx);
    mem_free(c);
    own = NULL;
}

static void key_create(void) { ASSERT(pthread_key_create(&key, contexts_free) == 0); }

static Contexts *contexts(void) {
    if (LIKELY(own != NULL)) return own;
    pthread_once(&key_once, key_create);
    own = NEW(Contexts);
    ASSERT(pthread_setspecific(key, own) == 0);
    return own;
}

struct libdeflate_decompressor *codec_inflater(void) {
    Contexts *c = contexts();
    if (!c->inflater) c->inflater = libdeflate_alloc_decompressor();
    ASSERT(c->inflater);
    return c->inflater;
}

struct libdeflate_compressor *codec_deflater(int level) {
    Contexts *c = contexts();
    if (!c->deflater || c->deflater_level != level) {
        libdeflate_free_compressor(c->deflater);
        c->deflater = libdeflate_alloc_compressor(level);
        c->deflater_level = level;
    }
    ASSERT(c->deflater);
    return c->deflater;
}

ZSTD_DCtx *codec_zstd_dctx(void) {
    Contexts *c = contexts();
    if (!c->dctx) {
        c->dctx = ZSTD_createDCtx();
        ASSERT(c->dctx);
        ASSERT(!ZSTD_isError(ZSTD_DCtx_setParameter(c->dctx, ZSTD_d_windowLogMax, ZSTD_WINDOW_LOG_MAX)));
    }
    return c->dctx;
}

ZSTD_CCtx *codec_zstd_cctx(void) {
    Contexts *c = contexts();
    if (!c->cctx) c->cctx = ZSTD_createCCtx();
    ASSERT(c->cctx);
    return c->cctx;
}
