/* SPDX-License-Identifier: MIT */
#ifndef FRANK_BASE_RANDOM_H
#define FRANK_BASE_RANDOM_H

/* Random bytes from the kernel; ends the process when there are none. */

#include <stddef.h>
#include <stdint.h>

void random_bytes(void *out, size_t len);
uint64_t random_u64(void);

#endif
