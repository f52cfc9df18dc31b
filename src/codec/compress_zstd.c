#include "codec/compress_int.h"

#include <zstd_errors.h>

static ErrCode fail(const Output *o, size_t rc) {
    if (ZSTD_getErrorCode(rc) == ZSTD_error_frameParameter_windowTooLarge)
        return err_set(o->reterr, ERR_TOO_LARGE, "zstd frame needs too large a window");
    return err_set(o->reterr, ERR_INVALID, "malformed zstd data: %s", ZSTD_getErrorName(rc));
}

/* Frames that do not tell their size, and several frames in a row. */
static ErrCode decode_stream(Str in, Output *o) {
    ZSTD_DCtx *dctx = codec_zstd_dctx();
    ZSTD_DCtx_reset(dctx, ZSTD_reset_session_only);
    ZSTD_inBuffer src = {in.p, in.n, 0};
    for (;;) {
        if (o->n == o->cap && o->cap < o->limit) {
            ErrCode code = output_grow(o, o->cap * 2);
            if (code) return code;
        }
        ZSTD_outBuffer dst = {o->p, o->cap, o->n};
        size_t in_before = src.pos, rc = ZSTD_decompressStream(dctx, &dst, &src);
        if (ZSTD_isError(rc)) {
            if (o->cap == o->limit && ZSTD_getErrorCode(rc) == ZSTD_error_dstSize_tooSmall) return output_too_large(o);
            return fail(o, rc);
        }
        bool progress = src.pos > in_before || dst.pos > o->n;
        o->n = dst.pos;
        if (rc == 0 && src.pos == src.size) return OK;
        if (progress) continue;
        if (o->n == o->cap) return output_too_large(o);
        return err_set(o->reterr, ERR_INVALID, "truncated zstd data");
    }
}

ErrCode zstd_decode(Str in, Output *o) {
    unsigned long long size = ZSTD_getFrameContentSize(in.p, in.n);
    if (size == ZSTD_CONTENTSIZE_ERROR) return err_set(o->reterr, ERR_INVALID, "not zstd data");
    bool known = size != ZSTD_CONTENTSIZE_UNKNOWN;
    if (known && size > o->limit) return output_too_large(o);
    ErrCode code = output_grow(o, known ? (size_t)size : in.n * 4);
    if (code) return code;
    if (known) { /* straight into the output: no window to keep */
        size_t n = ZSTD_decompressDCtx(codec_zstd_dctx(), o->p, o->cap, in.p, in.n);
        if (!ZSTD_isError(n)) {
            o->n = n;
            return OK;
        }
        if (ZSTD_getErrorCode(n) != ZSTD_error_dstSize_tooSmall) return fail(o, n);
    }
    return decode_stream(in, o);
}

void zstd_encode(Str in, int level, Buf *out) {
    size_t bound = ZSTD_compressBound(in.n);
    buf_reserve(out, bound);
    size_t n = ZSTD_compressCCtx(codec_zstd_cctx(), out->p + out->n, bound, in.p, in.n, level);
    ASSERT(!ZSTD_isError(n));
    out->n += n;
}

ErrCode zstd_block_decode(Str in, void *out, size_t raw_n) {
    size_t n = ZSTD_decompressDCtx(codec_zstd_dctx(), out, raw_n, in.p, in.n);
    return !ZSTD_isError(n) && n == raw_n && in.n > 0 ? OK : ERR_CORRUPT;
}

void zstd_block_encode(Str in, int level, Buf *out) { zstd_encode(in, level, out); }
