/* SPDX-License-Identifier: MIT */
#include "config/reader.h"

#include "config/name.h"
#include "config/network.h"
#include "config/value.h"
#include "config/via.h"

#include "base/memory.h"

#include <string.h>

/* ---- what several share ---- */

void config_report_fault(
    struct config_builder *b, const struct config_word *word, const struct fault *fault)
{
	config_error(b->report, word->place, "%s", fault->text);
}

bool config_take_network(
    struct config_builder *b, const struct config_word *word, struct config_network *out)
{
	struct fault fault = { 0 };
	if (config_network_parse(b->arena, word->text, out, &fault))
		return true;
	config_report_fault(b, word, &fault);
	return false;
}

/* "file PATH" from word number at on; NULL after an error. */
const char *config_take_file_path(
    struct config_builder *b, const struct config_statement *statement, size_t at)
{
	if (at >= statement->word_count) {
		config_error(
		    b->report, statement->words[at - 1].end, "a path is missing behind file");
		return NULL;
	}
	const struct config_word *word = &statement->words[at];
	struct fault fault = { 0 };
	const char *path = NULL;
	if (!config_type_path.convert(b, NULL, word, &path, &fault))
		config_report_fault(b, word, &fault);
	return path;
}

bool config_take_via(
    struct config_builder *b, const struct config_word *word, struct config_via *out)
{
	struct fault fault = { 0 };
	if (!config_via_parse(b->arena, word->place.file->path, word->text, out, &fault)) {
		config_report_fault(b, word, &fault);
		return false;
	}
	out->origin = config_origin_of(b, word->place);
	return true;
}

/* As it may be read again from any directory. */
bool config_put_via(struct buf *out, const struct config_via *via)
{
	struct buf text;
	buf_init(&text, 2 * CONFIG_WORD_MAX);
	if (via->scheme == CONFIG_SCHEME_MAILDIR)
		buf_printf(&text, "maildir:%s", via->path);
	else
		buf_append_string(&text, via->text);
	bool done = config_quote(out, buf_string(&text));
	buf_fini(&text);
	return done;
}

/* ---- listen: address, relay-from ---- */

void config_read_address(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement, void *object)
{
	struct config_listener *listener = object;
	for (size_t i = 0; i < statement->word_count; i++) {
		struct config_address parsed[2];
		size_t count;
		struct fault fault = { 0 };
		if (!config_socket_parse(
			b->arena, statement->words[i].text, parsed, &count, &fault)) {
			config_report_fault(b, &statement->words[i], &fault);
			continue;
		}
		for (size_t j = 0; j < count; j++) {
			parsed[j].origin = config_origin_of(b, statement->words[i].place);
			CONFIG_ADD(b, listener->addresses, listener->address_count, parsed[j]);
		}
	}
}

bool config_print_address(const struct config_directive *d, const void *object, size_t n,
    struct buf *out, struct config_origin *origin_out)
{
	const struct config_listener *listener = object;
	for (size_t i = 0; i < listener->address_count; i++) {
		const struct config_address *address = &listener->addresses[i];
		bool second = address->any && address->socket.ss_family == AF_INET6;
		if (second || n--)
			continue;
		*origin_out = address->origin;
		return config_quote(out, address->text);
	}
	return false;
}

/* A listener that relays for everybody is an open relay: never by a slip of the pen. */
static bool may_relay(
    struct config_builder *b, const struct config_word *word, const struct config_network *network)
{
	unsigned wide = network->family == AF_INET ? 8 : 16;
	if (!network->prefix_len) {
		config_error(b->report, word->place,
		    "%s is everybody: this would be an open relay; "
		    "name the networks that may relay",
		    network->text);
		return false;
	}
	if (network->prefix_len < wide)
		config_warning(b->report, word->place,
		    "everybody in %s may relay without signing "
		    "in: is it meant to be so wide?",
		    network->text);
	return true;
}

void config_read_relay_from(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement, void *object)
{
	struct config_listener *listener = object;
	for (size_t i = 0; i < statement->word_count; i++) {
		struct config_network network;
		if (config_take_network(b, &statement->words[i], &network) &&
		    may_relay(b, &statement->words[i], &network))
			CONFIG_ADD(b, listener->relay_from, listener->relay_from_count, network);
	}
}

bool config_print_relay_from(const struct config_directive *d, const void *object, size_t n,
    struct buf *out, struct config_origin *origin_out)
{
	const struct config_listener *listener = object;
	return n < listener->relay_from_count && config_quote(out, listener->relay_from[n].text);
}

/* ---- log ---- */

static bool find_log_target(const char *text, enum log_target *target_out)
{
	static const struct {
		const char *name;
		enum log_target target;
	} targets[] = {
		{ "stderr", LOG_TARGET_STDERR },
		{ "syslog", LOG_TARGET_SYSLOG },
		{ "file", LOG_TARGET_FILE },
	};
	for (size_t i = 0; i < ARRAY_LEN(targets); i++) {
		if (strcmp(targets[i].name, text) != 0)
			continue;
		*target_out = targets[i].target;
		return true;
	}
	return false;
}

void config_read_log(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement, void *object)
{
	struct config *config = object;
	char shown[CONFIG_SHOWN_MAX];
	const struct config_word *word = statement->words;
	if (!find_log_target(word->text, &config->log.target)) {
		config_error(b->report, word->place, "\"%s\" is none of stderr, syslog, file PATH",
		    config_shown(span_from_string(word->text), shown));
		return;
	}
	size_t count = config->log.target == LOG_TARGET_FILE ? 2 : 1;
	if (!config_expect_values(b, d, statement, 1, count + 1))
		return;
	if (count == 2)
		config->log.path = config_take_file_path(b, statement, 1);
	if (statement->word_count <= count)
		return;
	if (!strcmp(statement->words[count].text, "json"))
		config->log.json = true;
	else
		config_error(b->report, statement->words[count].place,
		    "only json may stand here; without it lines are key=value");
}

bool config_print_log(const struct config_directive *d, const void *object, size_t n,
    struct buf *out, struct config_origin *origin_out)
{
	const struct config *config = object;
	if (n)
		return false;
	bool to_file = config->log.target == LOG_TARGET_FILE;
	buf_append_string(out, to_file                                   ? "file "
			       : config->log.target == LOG_TARGET_SYSLOG ? "syslog"
									 : "stderr");
	if (to_file)
		config_quote(out, config->log.path);
	return !config->log.json || buf_append_string(out, " json");
}

/* ---- password ---- */

void config_read_password(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement, void *object)
{
	config_error(b->report, statement->name.place,
	    "a %s does not stand in the configuration: put it into a file of its own and write "
	    "%s-file PATH;",
	    d->name, d->name);
}
