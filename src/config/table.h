/* SPDX-License-Identifier: MIT */
#ifndef FRANK_CONFIG_TABLE_H
#define FRANK_CONFIG_TABLE_H

/*
 * The rows behind config/directive.h: what is read, checked and shown stands here once. A row of
 * one plain value has a type and an offset into its object; others are read by a function of their
 * own.
 */

#include "config/build.h"

/* Blocks within one object follow each other in the table. */
enum config_block {
	CONFIG_BLOCK_TOP,
	CONFIG_BLOCK_TIMEOUT,
	CONFIG_BLOCK_RETRY,
	CONFIG_BLOCK_TLS,
	CONFIG_BLOCK_USERS,
	CONFIG_BLOCK_USERS_SQLITE,
	CONFIG_BLOCK_USERS_JWKS,
	CONFIG_BLOCK_SPOOL,
	CONFIG_BLOCK_STATE,
	CONFIG_BLOCK_BOUNCE,
	CONFIG_BLOCK_ADMIN,
	CONFIG_BLOCK_BANS,
	CONFIG_BLOCK_LISTEN,
	CONFIG_BLOCK_LISTEN_TIMEOUT,
	CONFIG_BLOCK_DOMAIN,
	CONFIG_BLOCK_ACCOUNT,
	CONFIG_BLOCK_OAUTH,
	CONFIG_BLOCK_ROUTE,
	CONFIG_BLOCK_ROUTE_RETRY,
	CONFIG_BLOCK_LOGIN,
	CONFIG_BLOCK_COUNT,
};

enum config_object {
	CONFIG_OBJECT_CONFIG,      /* struct config */
	CONFIG_OBJECT_CERTIFICATE, /* struct config_certificate, and so on */
	CONFIG_OBJECT_LISTENER,
	CONFIG_OBJECT_DOMAIN,
	CONFIG_OBJECT_ACCOUNT,
	CONFIG_OBJECT_OAUTH, /* of an account */
	CONFIG_OBJECT_ROUTE,
	CONFIG_OBJECT_LOGIN,
	CONFIG_OBJECT_COUNT,
};

struct config_block_info {
	const char *name; /* as in the file: "timeout" */
	const char *path; /* in full: "listen timeout"; "" at the top */
	enum config_object object;
};

extern const struct config_block_info config_blocks[CONFIG_BLOCK_COUNT];

/* How one plain value is read and shown. */
struct config_type {
	size_t size; /* of the member */
	/* One value in the file. value points at the member. */
	bool (*convert)(struct config_builder *b, const struct config_directive *d,
	    const struct config_word *word, void *value, struct fault *fault_out);
	/* False when the value is absent. */
	bool (*print)(const struct config_directive *d, const void *value, struct buf *out);
};

enum config_directive_flag {
	CONFIG_FLAG_REQUIRED = 1,  /* an object or block without it is an error */
	CONFIG_FLAG_COMPUTED = 2,  /* the fallback is in words, the value is found elsewhere */
	CONFIG_FLAG_INHERITED = 4, /* the fallback is the directive of that name at the top */
	CONFIG_FLAG_REPEATABLE = 8,
	CONFIG_FLAG_MAY_BE_NONE = 16, /* a time or count may be "none" */
	CONFIG_FLAG_LATER = 32,
	CONFIG_FLAG_DELIVERY = 128, /* of a route: obeyed unless it refuses */
	CONFIG_FLAG_SESSION = 256,  /* of a route: obeyed where it makes connections */
	CONFIG_FLAG_HIDDEN = 64,    /* refused with a remedy; not in the manual */
};

struct config_directive {
	enum config_block block;
	const char *name;
	const char *value, *fallback, *meaning;
	const struct config_type *type; /* of a plain value, else NULL */
	size_t offset;                  /* of the member in its object, if its reader wants it */
	int64_t min, max;
	unsigned flags;
	enum config_block child; /* the block it opens, else CONFIG_BLOCK_TOP */
	/* Unless it has a type: reads the whole statement into the object. Reports by itself. */
	void (*read)(struct config_builder *b, const struct config_directive *d,
	    const struct config_statement *statement, void *object);
	/* Appends item number n as values; sets *origin_out when the item has its own. False when
	   there is no such item. */
	bool (*print)(const struct config_directive *d, const void *object, size_t n,
	    struct buf *out, struct config_origin *origin_out);
};

extern const struct config_directive config_directives[];
extern const size_t config_directive_count;

/* The rows of one object: [first, first + count). */
size_t config_object_first(enum config_object object);
size_t config_object_count(enum config_object object);

/* The row of that name in a block, or NULL. */
const struct config_directive *config_directive_find(enum config_block block, const char *name);
/* Place of a row's origin in the origins of its object. */
size_t config_directive_slot(const struct config_directive *d);
/* The row at the top (or in its block of the same name) that an INHERITED row falls back to. */
const struct config_directive *config_directive_parent(const struct config_directive *d);

#endif
