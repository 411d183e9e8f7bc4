/* SPDX-License-Identifier: MIT */
#ifndef FRANK_BASE_CRC32C_H
#define FRANK_BASE_CRC32C_H

/* CRC-32C (Castagnoli, RFC 3720 appendix B.4). Uses the processor's instruction where it has one.
 */

#include "base/span.h"

/* Continues from crc; 0, or a seed, starts. Feeding a run whole or in pieces gives the same. */
uint32_t crc32c(uint32_t crc, struct span bytes);

#endif
