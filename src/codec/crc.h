/* crc.h - CRC-32C (Castagnoli), hardware where the CPU has it, the same value everywhere. */
#ifndef MEERKAT_CODEC_CRC_H
#define MEERKAT_CODEC_CRC_H

#include <stddef.h>
#include <stdint.h>

/* crc32c(0, p, n) of a whole; crc32c(crc32c(0, a), b) continues. Standard initial value and final xor inside. */
uint32_t crc32c(uint32_t crc, const void *p, size_t n);

#endif
