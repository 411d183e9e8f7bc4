/* SPDX-License-Identifier: MIT */
#ifndef FRANK_CONFIG_BUILD_H
#define FRANK_CONFIG_BUILD_H

/*
 * From the tree of directives to the objects of struct config, by the table. Objects are made one
 * by one, each at a place that does not move; config_build() then lays them out as arrays and
 * resolves what refers to names.
 */

#include "config/syntax.h"

struct config_directive;
/* Objects of one kind, with the statement that made each. */
struct config_object_list {
	void **items;
	const struct config_statement **statements;
	size_t count;
};

/* A name in a route that must exist elsewhere. */
struct config_reference {
	const struct config_word *word;
	struct config_route *route;
};

struct config_reference_list {
	struct config_reference *items;
	size_t count;
};

struct config_builder {
	struct config *config;
	struct config_arena *arena; /* the configuration's own */
	struct config_report *report;
	const char *machine_name;
	bool syntax_errors; /* what is missing may stand in what was not read */
	const char **paths; /* by number of the file */
	struct config_object_list certificates, listeners, domains, accounts, routes, logins;
	struct config_reference_list account_references, listener_references;
};

/* Fills b->config. Errors are in the report; then the configuration must not be used. */
void config_build(struct config_builder *b, const struct config_statement *root);

void config_object_list_add(struct config_builder *b, struct config_object_list *list, void *item,
    const struct config_statement *statement);

struct config_origin config_origin_of(struct config_builder *b, struct config_place place);

/* Whether the statement has between min and max values; reports when not. */
bool config_expect_values(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement, size_t min, size_t max);

#endif
