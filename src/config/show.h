/* SPDX-License-Identifier: MIT */
#ifndef FRANK_CONFIG_SHOW_H
#define FRANK_CONFIG_SHOW_H

/*
 * The whole configuration as text that is itself a valid configuration of the same meaning: every
 * value, also each default, with a comment that says where it comes from. Directives without a
 * value stand as comments. A secret is shown as "(from FILE)" in such a comment, never as itself.
 */

#include "base/buf.h"
#include "config/config.h"

/* False when out is full. */
bool config_show(const struct config *config, struct buf *out);

#endif
