/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include "relay/rewrite.h"

#include <stdio.h>
#include <string.h>

static struct directory directory;

/* The rules of the one route whose block has these directives; FILE is the map's path. */
static const struct config *load(const char *directives, struct rewrite *rewrite)
{
	const char *path = directory_write(&directory, "map",
	    "cron jobs@example.org\nroot@box.example box@example.org\n<> bounces@example.org\n");
	const struct config *config;
	struct fault fault;
	struct buf text;

	buf_init(&text, 4000);
	buf_append_string(&text, "route * { via smtp://mx.example.net; ");
	for (const char *at; (at = strstr(directives, "FILE")); directives = at + 4)
		buf_printf(&text, "%.*s%s", (int)(at - directives), directives, path);
	buf_printf(&text, "%s }\n", directives);
	config = fixture_config(buf_string(&text));
	buf_fini(&text);
	if (!rewrite_init(rewrite, config, &config->routes[0], &fault))
		fail_msg("%s", fault.text);
	return config;
}

static const struct rule_case {
	const char *name, *directives;
	const char *sender;
	bool is_ours;
	const char *sender_as; /* NULL: as it is */
	const char *from, *from_as;
} cases[] = {
	{ "nothing is rewritten", "", "root", true, NULL, "root", NULL },
	{ "keep keeps", "sender keep; header-from keep;", "a@b.example", true, NULL, "a@b.example",
	    NULL },
	{ "replace", "sender replace up@example.org;", "a@b.example", true, "up@example.org",
	    "a@b.example", NULL },
	{ "replace what is it already", "sender replace up@example.org;", "up@example.org", true,
	    NULL, "a@b.example", NULL },
	{ "the empty reverse-path is not replaced", "sender replace up@example.org;", "", true,
	    NULL, "a@b.example", NULL },
	{ "From follows the sender's address",
	    "sender replace up@example.org; header-from replace;", "a@b.example", true,
	    "up@example.org", "A <a@b.example>", "up@example.org" },
	{ "From of a bounce too", "sender replace up@example.org; header-from replace;", "", true,
	    NULL, "postmaster@b.example", "up@example.org" },
	{ "From alone", "header-from keep-name up@example.org;", "a@b.example", true, NULL,
	    "A <a@b.example>", "A <up@example.org>" },
	{ "the map knows the bare name", "sender map FILE;", "cron", true, "jobs@example.org",
	    "cron", NULL },
	{ "and before it is completed", "sender map FILE; default-domain box.example;", "cron",
	    true, "jobs@example.org", "x@y.example", NULL },
	{ "a completed name is looked up", "sender map FILE; default-domain box.example;", "root",
	    true, "box@example.org", "x@y.example", NULL },
	{ "and sent where the map does not know it", "sender map FILE; default-domain box.example;",
	    "ann", true, "ann@box.example", "x@y.example", NULL },
	{ "a stranger's bare name stays", "default-domain box.example;", "ann", false, NULL, "ann",
	    NULL },
	{ "one of ours is completed", "default-domain box.example;", "ann", true, "ann@box.example",
	    "Ann <ann>", "Ann <ann@box.example>" },
	{ "the map may speak of bounces", "sender map FILE;", "", true, "bounces@example.org",
	    "x@y.example", NULL },
	{ "header-from map by the sender's file", "sender map FILE; header-from map;",
	    "root@box.example", true, "box@example.org", "Root <root@box.example>",
	    "Root <box@example.org>" },
	{ "header-from map by its own file", "header-from map FILE;", "x@y.example", true, NULL,
	    "cron (a job)", "jobs@example.org (a job)" },
	{ "From gets what the map gave the sender", "sender map FILE; header-from replace;",
	    "root@box.example", true, "box@example.org", "x@y.example", "box@example.org" },
	{ "or stays", "sender map FILE; header-from replace;", "ann@box.example", true, NULL,
	    "x@y.example", NULL },
	{ "a header without From is completed from the sender",
	    "default-domain box.example; header-from keep-name up@example.org;", "ann", true,
	    "ann@box.example", "", "up@example.org" },
};

static void assert_text(const char *name, bool differs, struct buf *got, const char *want)
{
	if (differs != (want != NULL) || (want && strcmp(buf_string(got), want) != 0))
		fail_msg("%s: %s", name, differs ? buf_string(got) : "(as it is)");
}

static void what_each_rule_makes_of_sender_and_from(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const struct rule_case *c = &cases[i];
		struct span as = SPAN(""), sender = span_from_string(c->sender);
		const struct config *config;
		struct rewrite rewrite;
		struct buf scratch, out;
		bool differs;

		buf_init(&scratch, 1000);
		buf_init(&out, 1000);
		config = load(c->directives, &rewrite);
		differs = rewrite_sender(&rewrite, sender, c->is_ours, &scratch, &as);
		buf_append(&out, as);
		assert_text(c->name, differs, &out, c->sender_as);
		if (c->is_ours) {
			buf_clear(&out);
			differs = rewrite_preview_sender(&rewrite, sender, &out);
			assert_text(c->name, differs, &out, c->sender_as);
			buf_clear(&out);
			differs =
			    rewrite_preview_from(&rewrite, sender, span_from_string(c->from), &out);
			assert_text(c->name, differs, &out, c->from_as);
		}
		rewrite_fini(&rewrite);
		config_unref(&config);
		buf_fini(&scratch);
		buf_fini(&out);
	}
}

static void a_header_is_only_looked_at_where_it_may_change(void **state)
{
	static const struct {
		const char *directives;
		bool ours, theirs;
	} rows[] = {
		{ "", false, false },
		{ "sender replace a@b.example;", false, false },
		{ "default-domain b.example;", true, false },
		{ "header-from replace a@b.example;", true, true },
	};
	struct rewrite none = { 0 };

	assert_false(rewrite_wants_header(&none, true));
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct rewrite rewrite;
		const struct config *config = load(rows[i].directives, &rewrite);

		assert_int_equal(rewrite_wants_header(&rewrite, true), rows[i].ours);
		assert_int_equal(rewrite_wants_header(&rewrite, false), rows[i].theirs);
		rewrite_fini(&rewrite);
		config_unref(&config);
	}
}

static void the_domain_of_the_route_comes_before_that_of_the_relay(void **state)
{
	const struct config *config =
	    fixture_config("default-domain all.example;\n"
			   "route a@x.example { via smtp://mx.example.net; }\n"
			   "route * { via smtp://mx.example.net; default-domain own.example; }\n");

	assert_string_equal(rewrite_default_domain(config, &config->routes[0]), "all.example");
	assert_string_equal(rewrite_default_domain(config, &config->routes[1]), "own.example");
	assert_string_equal(rewrite_default_domain(config, NULL), "all.example");
	config_unref(&config);
}

static void an_alias_is_found_by_the_names_it_is_meant_for(void **state)
{
	static const struct {
		const char *recipient, *address;
	} rows[] = {
		{ "root", "admin@example.org" },
		{ "ROOT@box.example", "admin@example.org" },
		{ "root@Relay.Example.Org", "admin@example.org" },
		{ "root@elsewhere.example", NULL },
		{ "Ann@elsewhere.example", "bob@example.org" },
		{ "ann", NULL },
		{ "nobody", NULL },
	};
	const struct config *config = fixture_config(
	    "route * { via smtp://mx.example.net; default-domain box.example;\n"
	    "alias root admin@example.org; alias ann@elsewhere.example bob@example.org; }\n");

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		const struct config_alias *alias = rewrite_find_alias(
		    config, &config->routes[0], span_from_string(rows[i].recipient));
		if (!rows[i].address)
			assert_null(alias);
		else
			assert_string_equal(alias->addresses[0], rows[i].address);
	}
	config_unref(&config);
}

static void a_map_that_cannot_be_read_is_named(void **state)
{
	struct rewrite rewrite = { 0 };
	struct fault fault = { 0 };
	const struct config *config = fixture_config(
	    "route * { via smtp://mx.example.net; header-from map /nowhere/map; }\n");

	assert_false(rewrite_init(&rewrite, config, &config->routes[0], &fault));
	assert_non_null(strstr(fault.text, "/nowhere/map"));
	assert_null(rewrite.route);
	config_unref(&config);
}

static int begin(void **state)
{
	directory_make(&directory);
	return 0;
}

static int end(void **state)
{
	directory_remove(&directory);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_each_rule_makes_of_sender_and_from),
		cmocka_unit_test(a_header_is_only_looked_at_where_it_may_change),
		cmocka_unit_test(the_domain_of_the_route_comes_before_that_of_the_relay),
		cmocka_unit_test(an_alias_is_found_by_the_names_it_is_meant_for),
		cmocka_unit_test(a_map_that_cannot_be_read_is_named),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
