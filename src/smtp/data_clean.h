/* SPDX-License-Identifier: MIT */
#ifndef FRANK_SMTP_DATA_CLEAN_H
#define FRANK_SMTP_DATA_CLEAN_H

/*
 * Skips over content that needs no thought, 64 bytes a step: no bare CR or LF, and no dot at the
 * start of a line. Nearly all content is like that, and looking at it line by line costs nearly
 * twice as much (measured: 890 against 500 ns for 4 KiB in lines of 76). Where the processor
 * lacks the instructions nothing is skipped, and the caller does it all.
 */

#include "base/span.h"

/* The length of a beginning of s that is clean. What stands before s does not end in CR;
   at_line_start says whether it ends in CRLF. The beginning does not end in CR either.
   *line_ends_out is increased by the number of CRLFs in it. */
size_t smtp_data_clean_extent(struct span s, bool at_line_start, uint64_t *line_ends_out);

#endif
