/* SPDX-License-Identifier: MIT */
#include "config/reader.h"

#include "config/value.h"

#include <assert.h>

/* ---- users: the stores, in the order in which they stand ---- */

static void add_store(struct config *config, enum config_store store)
{
	assert(config->users.store_count < CONFIG_STORES_MAX);
	config->users.stores[config->users.store_count++] = store;
}

/* One path; NULL after an error. */
static const char *take_path(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement)
{
	struct fault fault = { 0 };
	const char *path = NULL;
	if (!config_expect_values(b, d, statement, 1, 1))
		return NULL;
	if (!config_type_path.convert(b, d, statement->words, &path, &fault))
		config_report_fault(b, statement->words, &fault);
	return path;
}

void config_read_users_file(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement, void *object)
{
	struct config *config = object;
	config->users.file = take_path(b, d, statement);
	add_store(config, CONFIG_STORE_FILE);
}

bool config_print_users_file(const struct config_directive *d, const void *object, size_t n,
    struct buf *out, struct config_origin *origin_out)
{
	const struct config *config = object;
	return n == 0 && config->users.file && config_quote(out, config->users.file);
}

void config_read_users_dovecot(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement, void *object)
{
	struct config *config = object;
	config->users.dovecot = take_path(b, d, statement);
	add_store(config, CONFIG_STORE_DOVECOT);
}

bool config_print_users_dovecot(const struct config_directive *d, const void *object, size_t n,
    struct buf *out, struct config_origin *origin_out)
{
	const struct config *config = object;
	return n == 0 && config->users.dovecot && config_quote(out, config->users.dovecot);
}

void config_read_users_sqlite(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement, void *object)
{
	config_read_block(b, d, statement, object);
	add_store(object, CONFIG_STORE_SQLITE);
}

/* ---- listen: mechanisms ---- */

void config_read_listen_mechanisms(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement, void *object)
{
	struct config_listener *listener = object;
	listener->mechanisms = config_take_mechanisms(b, statement, &listener->mechanism_count);
}

bool config_print_listen_mechanisms(const struct config_directive *d, const void *object, size_t n,
    struct buf *out, struct config_origin *origin_out)
{
	const struct config_listener *listener = object;
	return n == 0 &&
	       config_put_mechanisms(listener->mechanisms, listener->mechanism_count, out);
}
