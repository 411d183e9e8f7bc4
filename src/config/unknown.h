/* SPDX-License-Identifier: MIT */
#ifndef FRANK_CONFIG_UNKNOWN_H
#define FRANK_CONFIG_UNKNOWN_H

/*
 * What is said of a name that a block does not know: that it belongs to later work, where else it
 * stands, or which name it may have meant.
 */

#include "config/table.h"

void config_report_later(struct config_builder *b, const struct config_word *name);
void config_report_unknown(
    struct config_builder *b, enum config_block block, const struct config_word *name);

#endif
