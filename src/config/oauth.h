/* SPDX-License-Identifier: MIT */
#ifndef FRANK_CONFIG_OAUTH_H
#define FRANK_CONFIG_OAUTH_H

/*
 * What is known of identity providers: their end points and scopes (the presets), the limits they
 * set for mail, and what each flow needs.
 */

#include "config/build.h"

/* Fills in what the preset knows and the file does not say: the flow, and then the end points and
   the scope that this flow uses. Their origins name the preset. */
void config_oauth_complete(struct config_builder *b, struct config_oauth *oauth);

/* Reports what is missing, what would not be obeyed, and what the provider does not do. block is
   the oauth { }. */
void config_oauth_check(struct config_builder *b, const struct config_oauth *oauth,
    const struct config_statement *block);

/* The provider's limits, where a route that uses such an account says nothing. */
void config_oauth_limit(struct config_route *route);

#endif
