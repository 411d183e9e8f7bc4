/* SPDX-License-Identifier: MIT */
#ifndef FRANK_BASE_MOMENT_H
#define FRANK_BASE_MOMENT_H

/*
 * Time values. A loop reads the clock once a turn and passes it down; pure code never reads it.
 * Wall times are milliseconds since 1970 in UTC and go into files and texts; monotonic times are
 * for deadlines. An absent time is 0.
 */

#include <stddef.h>
#include <stdint.h>

int64_t moment_wall_ms(void);
int64_t moment_monotonic_ms(void);
int64_t moment_monotonic_us(void);

#define MOMENT_TEXT_MAX 48

/* "2026-11-21T03:24:31Z" (RFC 3339). Returns out. */
const char *moment_format_rfc3339(int64_t wall_ms, char out[MOMENT_TEXT_MAX]);
/* The same with milliseconds: "2026-11-21T03:24:31.007Z". */
const char *moment_format_rfc3339_ms(int64_t wall_ms, char out[MOMENT_TEXT_MAX]);
/* "Sat, 21 Nov 2026 03:24:31 +0000" (RFC 5322, 3.3). */
const char *moment_format_rfc5322(int64_t wall_ms, char out[MOMENT_TEXT_MAX]);
/* A duration for people: "350ms", "12s", "4m 5s", "3h 20m", "5d 2h". */
const char *moment_format_duration(int64_t duration_ms, char out[MOMENT_TEXT_MAX]);

#endif
