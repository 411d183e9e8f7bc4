/* SPDX-License-Identifier: MIT */
#ifndef FRANK_CONFIG_READER_H
#define FRANK_CONFIG_READER_H

/*
 * The directives that are more than one plain value: each is read into its object by one function
 * and shown by another, which the table names.
 */

#include "config/table.h"

#define CONFIG_READER(what)                                                                        \
	void config_read_##what(struct config_builder *b, const struct config_directive *d,        \
	    const struct config_statement *statement, void *object);                               \
	bool config_print_##what(const struct config_directive *d, const void *object, size_t n,   \
	    struct buf *out, struct config_origin *origin_out);

CONFIG_READER(quirks)          /* of struct config or config_listener */
CONFIG_READER(tls_certificate) /* of struct config_certificate */
CONFIG_READER(listen_certificate)
CONFIG_READER(address) /* of struct config_listener */
CONFIG_READER(relay_from)
CONFIG_READER(listen_mechanisms)
CONFIG_READER(recipients) /* of struct config_domain */
CONFIG_READER(alias)
CONFIG_READER(deliver)
CONFIG_READER(password_command) /* of struct config_account */
CONFIG_READER(mechanisms)
CONFIG_READER(match) /* of struct config_route */
CONFIG_READER(via)
CONFIG_READER(refuse)
CONFIG_READER(account)
CONFIG_READER(own) /* login, password-file, password-command: of its anonymous account */
CONFIG_READER(route_mechanisms)
CONFIG_READER(sender)
CONFIG_READER(header_from)
CONFIG_READER(route_alias)
CONFIG_READER(source)
CONFIG_READER(send_as) /* of struct config_login */
CONFIG_READER(log)     /* of struct config */
CONFIG_READER(users_file)
CONFIG_READER(users_dovecot)

/* A struct config_networks at the row's offset, in any object. */
CONFIG_READER(networks)

/* ---- what the readers share ---- */

/* Room for one more element of an array that belongs to the configuration. */
#define CONFIG_ADD(b, array, count, ...)                                                           \
	do {                                                                                       \
		(array) = config_arena_grow((b)->arena, (array), (count), sizeof(*(array)));       \
		(array)[(count)++] = (__VA_ARGS__);                                                \
	} while (0)

void config_report_fault(
    struct config_builder *b, const struct config_word *word, const struct fault *fault);
bool config_take_network(
    struct config_builder *b, const struct config_word *word, struct config_network *out);
bool config_take_via(
    struct config_builder *b, const struct config_word *word, struct config_via *out);
/* "file PATH": the path, from word number at on; NULL after an error. */
const char *config_take_file_path(
    struct config_builder *b, const struct config_statement *statement, size_t at);
/* The names as the table of mechanisms writes them, each once. */
const char *const *config_take_mechanisms(
    struct config_builder *b, const struct config_statement *statement, size_t *count_out);
bool config_put_mechanisms(const char *const *names, size_t count, struct buf *out);
/* As it may be read again from any directory. */
bool config_put_via(struct buf *out, const struct config_via *via);

/* ---- blocks ---- */

/* Room for the origins of one object, and its defaults, as the table has them (config/build.c). */
const struct config_origin *config_origins_make(struct config_builder *b, enum config_object kind);
void config_set_defaults(struct config_builder *b, enum config_object kind, void *object);

/* Reads the directives of a block into an object. */
void config_read_children(struct config_builder *b, enum config_block block,
    const struct config_statement *statement, void *object);

/* Values between { }, kept in the object around them. */
void config_read_block(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement, void *object);
/* "password", "client-secret": refused with a remedy, and not repeated. */
void config_read_password(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement, void *object);

/* Blocks that make an object of their own (config/build.c). object is the struct config. */
void config_read_tls(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement, void *object);
void config_read_listener(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement, void *object);
void config_read_domain(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement, void *object);
void config_read_named_account(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement, void *object);
/* As config_read_block(); the users are one store more. */
void config_read_users_sqlite(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement, void *object);
/* Which certificates each listener shows; the arrays are laid out (config/reader_tls.c). */
void config_resolve_certificates(struct config_builder *b);
/* object is the account. */
void config_read_oauth(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement, void *object);
void config_read_route(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement, void *object);
void config_read_login(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement, void *object);

#endif
