/* SPDX-License-Identifier: MIT */
#ifndef FRANK_CONFIG_CHECK_H
#define FRANK_CONFIG_CHECK_H

/*
 * What only the whole configuration can tell: directives that contradict each other, that would not
 * be obeyed, or that are legal and hardly meant. Everything is reported.
 */

#include "config/build.h"

void config_check(struct config_builder *b, const struct config_statement *root);

/* Its parts in files of their own. */
void config_check_accounts(struct config_builder *b);
/* What the route asks of its account. block is the route { }. */
void config_check_route_account(struct config_builder *b, const struct config_route *route,
    const struct config_statement *block);
void config_check_rewriting(struct config_builder *b, const struct config_route *route,
    const struct config_statement *block);

/* The directive of that name in a block, or NULL. */
const struct config_statement *config_find(const struct config_statement *block, const char *name);
/* Where a directive of a block stands, or else the block. */
struct config_place config_place_of(const struct config_statement *block, const char *name);

/* AUTH of one listener (config/check_auth.c). */
void config_check_listener_auth(struct config_builder *b, const struct config_listener *listener,
    const struct config_statement *block);

#endif
