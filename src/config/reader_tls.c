/* SPDX-License-Identifier: MIT */
#include "config/reader.h"

#include "config/near.h"
#include "config/value.h"

#include <string.h>

/* ---- tls { certificate } ---- */

void config_read_tls_certificate(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement, void *object)
{
	struct config_certificate *certificate = object;
	const struct config_word *word = statement->words;
	struct fault fault = { 0 };
	if (!config_expect_values(b, d, statement, 1, 1))
		return;
	if (!word->quoted && !strcmp(word->text, "auto"))
		return;
	if (!config_type_path.convert(b, d, word, &certificate->certificate, &fault))
		config_report_fault(b, word, &fault);
}

bool config_print_tls_certificate(const struct config_directive *d, const void *object, size_t n,
    struct buf *out, struct config_origin *origin_out)
{
	const struct config_certificate *certificate = object;
	if (n)
		return false;
	return certificate->certificate ? config_quote(out, certificate->certificate)
					: buf_append_string(out, "auto");
}

/* ---- listen { certificate } ---- */

void config_read_listen_certificate(struct config_builder *b, const struct config_directive *d,
    const struct config_statement *statement, void *object)
{
	struct config_listener *listener = object;
	for (size_t i = 0; i < statement->word_count; i++)
		CONFIG_ADD(b, listener->certificate_names, listener->certificate_name_count,
		    config_arena_copy(b->arena, span_from_string(statement->words[i].text)));
}

bool config_print_listen_certificate(const struct config_directive *d, const void *object, size_t n,
    struct buf *out, struct config_origin *origin_out)
{
	const struct config_listener *listener = object;
	bool done = n == 0 && listener->certificate_name_count > 0;
	for (size_t i = 0; i < listener->certificate_name_count && done; i++)
		done = (!i || buf_append_byte(out, ' ')) &&
		       config_quote(out, listener->certificate_names[i]);
	return done;
}

/* ---- which listener shows which ---- */

static void add_labelled(struct config_builder *b, const char *label, size_t **items, size_t *count)
{
	for (size_t i = 0; i < b->config->certificate_count; i++) {
		const char *own = b->config->certificates[i].label;
		bool fits = label ? own && !strcmp(own, label) : !own;
		if (fits)
			CONFIG_ADD(b, *items, *count, i);
	}
}

static void report_no_certificate(struct config_builder *b, const struct config_word *word)
{
	char shown[CONFIG_SHOWN_MAX];
	unsigned best = CONFIG_NEAR_NOT;
	const char *near = NULL;
	for (size_t i = 0; i < b->config->certificate_count; i++) {
		const char *label = b->config->certificates[i].label;
		if (label && config_near_keep(span_from_string(word->text), label, &best))
			near = label;
	}
	config_shown(span_from_string(word->text), shown);
	if (near)
		config_error(b->report, word->place, "there is no tls \"%s\"; did you mean \"%s\"?",
		    shown, near);
	else
		config_error(b->report, word->place,
		    "there is no tls \"%s\": write tls \"%s\" { certificate PATH; key PATH; } "
		    "at the top",
		    shown, shown);
}

static void resolve_listener(
    struct config_builder *b, struct config_listener *listener, const struct config_word *words)
{
	size_t *items = NULL, count = 0;
	if (!listener->certificate_name_count)
		add_labelled(b, NULL, &items, &count);
	for (size_t i = 0; i < listener->certificate_name_count; i++) {
		size_t before = count;
		add_labelled(b, listener->certificate_names[i], &items, &count);
		if (count == before)
			report_no_certificate(b, &words[i]);
	}
	listener->certificates = items;
	listener->certificate_count = count;
}

/* The words of a listener's own directive, or NULL. */
static const struct config_word *find_words(const struct config_statement *block)
{
	for (size_t i = 0; i < block->child_count; i++)
		if (!strcmp(block->children[i]->name.text, "certificate"))
			return block->children[i]->words;
	return NULL;
}

void config_resolve_certificates(struct config_builder *b)
{
	for (size_t i = 0; i < b->config->listener_count; i++)
		resolve_listener(
		    b, &b->config->listeners[i], find_words(b->listeners.statements[i]));
}
