/* SPDX-License-Identifier: MIT */
#ifndef FRANK_TESTS_UNIT_RELAY_FIXTURE_H
#define FRANK_TESTS_UNIT_RELAY_FIXTURE_H

/* Setups from a configuration that stands in the test, files in a directory of the test's own, and
   messages without a spool. Every failure ends the test. */

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "relay/setup.h"
#include "spool/message.h"

#define FIXTURE_RECEIVED 1800000000000LL /* 2027 */
#define FIXTURE_HOUR 3600000LL

struct directory {
	char path[64];
};

void directory_make(struct directory *directory);
void directory_remove(struct directory *directory);
/* A file in it, 0600. Returns its path, until the next call. */
const char *directory_write(struct directory *directory, const char *name, const char *text);
const char *directory_path(const struct directory *directory, const char *name);

/* The text must be a configuration without errors; "hostname" is added. */
const struct config *fixture_config(const char *text);
const struct setup *fixture_setup(const char *text);

/* A delivery of a message of its own, which nobody else holds. recipients is an array that ends
   with NULL. */
struct spool_delivery *fixture_delivery(
    const char *reverse_path, const char *hop, const char *const *recipients, unsigned flags);

#endif
