/* crc.h - CRC-32C (Castagnoli), hardware where the CPU has it, the same value everywhere. */
#ifndef MEERKAT_CODEC_CRC_H
#define MEERKAT_CODEC_CRC_H

#include <stddef.h>
#include <stdint.h>

/* crc32c(0, p, n) of a whole; crc32c(crc32c(0, a), b) continues. Standard initial value and final xor inside.
 * p may be NULL when n is 0. Source: RFC 3720, appendix B.4. */
uint32_t crc32c(uint32_t crc, const void *p, size_t n);
/* The same by table, on every CPU; crc32c falls back on it, tests compare the two. */
uint32_t crc32c_portable(uint32_t crc, const void *p, size_t n);

#endif
