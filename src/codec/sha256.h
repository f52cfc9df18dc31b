/* sha256.h - SHA-256 (FIPS 180-4) and HMAC (RFC 2104) over it: deduplication keys, signatures of requests. */
#ifndef MEERKAT_CODEC_SHA256_H
#define MEERKAT_CODEC_SHA256_H

#include "base/str.h"

#define SHA256_BYTES 32

void sha256(Str data, uint8_t ret[SHA256_BYTES]);
void hmac_sha256(Str key, Str data, uint8_t ret[SHA256_BYTES]);
/* 64 digits and a NUL. */
void sha256_hex(Str data, char ret[2 * SHA256_BYTES + 1]);

#endif
