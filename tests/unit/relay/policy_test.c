/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include "net/address.h"
#include "relay/policy.h"

#include <stdio.h>
#include <string.h>

static const char text[] =
    "listen lan { address 127.0.0.1:25; auth off; tls off; relay-from 192.0.2.0/24; }\n"
    "listen submission { address 127.0.0.1:587; auth optional; cleartext-auth yes; tls off; }\n"
    "users { file %s; }\n"
    "domain example.org *.example.org { recipients users; deliver maildir:/m/%%u;\n"
    "	alias sales ann@example.org bob@elsewhere.example; alias out carl@far.example; }\n"
    "domain any.example { recipients any; deliver maildir:/any/%%u; }\n"
    "domain list.example { recipients file %s; deliver discard; }\n"
    "route *@refused.example { refuse \"550 5.7.1 Not from here\"; }\n"
    "route *@later.example { refuse \"450 Come back\"; }\n"
    "route *@far.example *@elsewhere.example { via smtp://mx.far.example; }\n"
    "route *@vip.example { match login ann; via smtp://vip.example; }\n";

static const struct setup *setup;
static struct net_address stranger;

enum who { NOBODY, NETWORK, ANN };

static void decide_for(const struct setup *of, enum who who, const char *recipient,
    struct buf *scratch, struct policy_verdict *verdict)
{
	struct policy_client client = {
		.listener = &of->config->listeners[who == ANN],
		.address = (const struct sockaddr_storage *)&stranger.any,
		.login = who == ANN ? SPAN("ann") : SPAN(""),
		.trusted = who == NETWORK,
	};
	struct smtp_address address;

	assert_int_equal(
	    smtp_address_parse(span_from_string(recipient), &address), SMTP_ADDRESS_VALID);
	policy_recipient(of, &client, SPAN("s@sender.example"), &address, scratch, verdict);
}

/* What is decided, in one line: "target hop, target hop" or the reply's code and text. */
static const char *decide(const struct setup *of, enum who who, const char *recipient)
{
	static char out[1000];
	struct policy_verdict verdict;
	struct buf scratch;
	size_t len = 0;

	buf_init(&scratch, 1024);
	decide_for(of, who, recipient, &scratch, &verdict);
	if (verdict.target_count == 0 && verdict.refusal)
		snprintf(
		    out, sizeof(out), "route %u %s", verdict.refusal->code, verdict.refusal->text);
	else if (verdict.target_count == 0)
		snprintf(
		    out, sizeof(out), "%u %s", smtp_reply_get(verdict.reply)->code, verdict.text);
	for (size_t i = 0; i < verdict.target_count; i++)
		len += (size_t)snprintf(out + len, sizeof(out) - len, "%s%.*s %s", i ? ", " : "",
		    SPAN_ARG(verdict.targets[i].address), verdict.targets[i].hop->key);
	buf_fini(&scratch);
	return out;
}

static const struct policy_case {
	const char *name;
	enum who who;
	const char *recipient, *want; /* want: how the line begins */
} cases[] = {
	{ "a stranger reaches a user", NOBODY, "ann@example.org", "ann@example.org maildir:/m/%u" },
	{ "case does not count", NOBODY, "ANN@Example.ORG", "ANN@Example.ORG maildir:/m/%u" },
	{ "a user by his whole address", NOBODY, "bob@sub.example.org",
	    "bob@sub.example.org maildir:" },
	{ "but not elsewhere", NOBODY, "bob@example.org",
	    "550 there is no mailbox bob@example.org here" },
	{ "nobody is unknown to all", ANN, "nobody@example.org", "550 there is no mailbox" },
	{ "any means any", NOBODY, "x.y@any.example", "x.y@any.example maildir:/any/%u" },
	{ "a file lists some", NOBODY, "eve@list.example", "eve@list.example discard" },
	{ "and not others", NOBODY, "ann@list.example", "550 there is no mailbox" },
	{ "a stranger may not relay", NOBODY, "x@far.example",
	    "550 relaying denied: x@far.example" },
	{ "a network may", NETWORK, "x@far.example", "x@far.example smtp://mx.far.example" },
	{ "who signed in may", ANN, "x@far.example", "x@far.example smtp://mx.far.example" },
	{ "an alias leads here and elsewhere", NOBODY, "Sales@example.org",
	    "ann@example.org maildir:/m/%u, bob@elsewhere.example smtp://mx.far.example" },
	{ "an alias relays for a stranger, because it is ours", NOBODY, "out@example.org",
	    "carl@far.example smtp://mx.far.example" },
	{ "postmaster of our domain is taken", NOBODY, "postmaster@list.example",
	    "postmaster@list.example discard" },
	{ "in any case", NOBODY, "PostMaster@example.org", "PostMaster@example.org maildir:" },
	{ "postmaster of another domain is not", NOBODY, "postmaster@far.example",
	    "550 relaying denied" },
	{ "postmaster without a domain is ours", NOBODY, "postmaster",
	    "postmaster@example.org maildir:" },
	{ "another name without a domain is nobody's", NOBODY, "ann",
	    "553 the address has no domain" },
	{ "for a client that may send, too", ANN, "ann", "553 the address has no domain" },
	{ "a route refuses in its own words", ANN, "x@refused.example", "route 550 Not from here" },
	{ "or for now", NETWORK, "x@later.example", "route 450 Come back" },
	{ "a stranger does not hear them", NOBODY, "x@refused.example", "550 relaying denied" },
	{ "no route: kept out, and for now", ANN, "x@nowhere.example", "451 no route leads to" },
	{ "a route asks for the login", ANN, "x@vip.example", "x@vip.example smtp://vip.example" },
	{ "which a network has not", NETWORK, "x@vip.example", "451 no route" },
	/* Ways to relay that once worked somewhere. */
	{ "a percent sign is a character", NOBODY, "x%far.example@any.example",
	    "x%far.example@any.example maildir:/any/%u" },
	{ "and unknown where users are", NOBODY, "x%far.example@example.org",
	    "550 there is no mailbox" },
	{ "an exclamation mark is one", NOBODY, "far.example!x@any.example",
	    "far.example!x@any.example maildir:/any/%u" },
	{ "a quoted @ is part of the name", NOBODY, "\"x@far.example\"@any.example",
	    "\"x@far.example\"@any.example maildir:/any/%u" },
	{ "and of the name only", NOBODY, "\"ann@example.org\"@far.example",
	    "550 relaying denied" },
	{ "a source route counts for nothing", NOBODY, "@example.org:x@far.example",
	    "550 relaying denied: x@far.example" },
	{ "and leads to its end", NOBODY, "@far.example:ann@example.org",
	    "ann@example.org maildir:/m/%u" },
	{ "a literal of ours is no domain of ours", NOBODY, "ann@[127.0.0.1]",
	    "550 relaying denied" },
	{ "a trailing piece is not our domain", NOBODY, "ann@example.org.far.example",
	    "550 relaying denied" },
	{ "nor is a longer name", NOBODY, "ann@notexample.org", "550 relaying denied" },
};

static void test_who_may_send_where(void **state)
{
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		const char *got = decide(setup, cases[i].who, cases[i].recipient);
		if (strncmp(got, cases[i].want, strlen(cases[i].want)) != 0)
			fail_msg("%s: %s", cases[i].name, got);
	}
}

static void test_the_refusal_says_how_to_be_let_in(void **state)
{
	struct policy_client client = {
		.listener = &setup->config->listeners[1],
		.address = (const struct sockaddr_storage *)&stranger.any,
	};
	struct policy_verdict verdict;
	struct smtp_address address;
	struct buf scratch;

	assert_non_null(strstr(decide(setup, NOBODY, "x@far.example"), "your network may not"));
	assert_int_equal(smtp_address_parse(SPAN("x@far.example"), &address), SMTP_ADDRESS_VALID);
	buf_init(&scratch, 1024);
	policy_recipient(setup, &client, SPAN(""), &address, &scratch, &verdict);
	assert_non_null(strstr(verdict.text, "sign in (AUTH)"));
	assert_false(verdict.local);
	buf_fini(&scratch);
}

static void test_default_domain_completes_for_those_who_may_send(void **state)
{
	const struct setup *with = fixture_setup(
	    "listen lan { address 127.0.0.1:25; auth off; tls off; relay-from 192.0.2.0/24; }\n"
	    "listen b { address 127.0.0.1:26; auth off; tls off; }\n"
	    "default-domain far.example;\nroute * { via smtp://mx.far.example; }\n");

	assert_string_equal(decide(with, NETWORK, "ann"), "ann@far.example smtp://mx.far.example");
	assert_non_null(strstr(decide(with, NOBODY, "ann"), "no domain"));
	setup_unref(&with);
}

static void test_postmaster_without_any_domain_is_who_the_configuration_names(void **state)
{
	const struct setup *with = fixture_setup(
	    "listen lan { address 127.0.0.1:25; auth off; tls off; relay-from 192.0.2.0/24; }\n"
	    "postmaster admin@far.example;\nroute * { via smtp://mx.far.example; }\n");

	assert_string_equal(
	    decide(with, NOBODY, "postmaster"), "admin@far.example smtp://mx.far.example");
	assert_non_null(strstr(decide(with, NOBODY, "admin@far.example"), "relaying denied"));
	setup_unref(&with);
}

static const char aliases[] =
    "listen lan { address 127.0.0.1:25; auth off; tls off; relay-from 192.0.2.0/24; }\n"
    "listen b { address 127.0.0.1:26; auth off; tls off; }\n"
    "domain local.example { recipients any; deliver maildir:/m/%u; alias info a@far.example; }\n"
    "route *@plain.example { via smtp://plain.example; }\n"
    "route * { via smtp://mx.far.example; %s\n"
    "	alias root ann@local.example bob@plain.example root@far.example; }\n";

static const struct setup *with_aliases(const char *directives)
{
	char whole[2000];
	const char *at = strstr(aliases, "%s");

	snprintf(
	    whole, sizeof(whole), "%.*s%s%s", (int)(at - aliases), aliases, directives, at + 2);
	return fixture_setup(whole);
}

#define EXPANDED                                                                                   \
	"ann@local.example maildir:/m/%u, bob@plain.example smtp://plain.example, "                \
	"root@far.example smtp://mx.far.example"

static void test_the_alias_of_a_route_expands_once_for_who_may_send(void **state)
{
	const struct setup *with = with_aliases("");

	assert_string_equal(decide(with, NETWORK, "root"), EXPANDED);
	assert_string_equal(decide(with, NETWORK, "Root@relay.example.org"), EXPANDED);
	assert_string_equal(
	    decide(with, NETWORK, "root@plain.example"), "root@plain.example smtp://plain.example");
	assert_string_equal(
	    decide(with, NETWORK, "root@box.example"), "root@box.example smtp://mx.far.example");
	assert_non_null(strstr(decide(with, NETWORK, "ann"), "553 the address has no domain"));
	assert_non_null(strstr(decide(with, NOBODY, "root"), "553 the address has no domain"));
	assert_non_null(strstr(decide(with, NOBODY, "root@relay.example.org"), "relaying denied"));
	setup_unref(&with);
}

static void test_a_route_completes_before_its_alias_is_looked_for(void **state)
{
	const struct setup *with = with_aliases("default-domain box.example;");

	assert_string_equal(decide(with, NETWORK, "root"), EXPANDED);
	assert_string_equal(decide(with, NETWORK, "root@box.example"), EXPANDED);
	assert_string_equal(decide(with, NETWORK, "ann"), "ann@box.example smtp://mx.far.example");
	setup_unref(&with);
	with = with_aliases("default-domain local.example;");
	assert_string_equal(decide(with, NETWORK, "root"), "root@local.example maildir:/m/%u");
	setup_unref(&with);
}

static const char *notice_to(const struct setup *of, const char *recipient)
{
	static char out[1000];
	struct policy_verdict verdict;
	struct buf scratch;
	size_t len = 0;

	buf_init(&scratch, 1024);
	policy_notice(of, SPAN(""), span_from_string(recipient), &scratch, &verdict);
	for (size_t i = 0; i < verdict.target_count; i++)
		len += (size_t)snprintf(out + len, sizeof(out) - len, "%s%.*s %s", i ? ", " : "",
		    SPAN_ARG(verdict.targets[i].address), verdict.targets[i].hop->key);
	buf_fini(&scratch);
	return out;
}

static void test_a_notice_finds_its_reader(void **state)
{
	const struct setup *with = with_aliases("");

	assert_string_equal(notice_to(with, "root"), EXPANDED);
	assert_string_equal(notice_to(with, "ann"), "ann smtp://mx.far.example");
	assert_string_equal(
	    notice_to(with, "info@local.example"), "a@far.example smtp://mx.far.example");
	assert_string_equal(notice_to(with, "x@local.example"), "x@local.example maildir:/m/%u");
	setup_unref(&with);
	with = with_aliases("default-domain box.example;");
	assert_string_equal(notice_to(with, "ann"), "ann@box.example smtp://mx.far.example");
	setup_unref(&with);
}

static int begin(void **state)
{
	static struct directory directory;
	char users[200], list[200], whole[4000];

	directory_make(&directory);
	strcpy(users, directory_write(&directory, "users",
			  "ann:$6$salt$jcGZPAv2QypvHXFiRBFb3CLOAOKeZ."
			  "3yzBLXxoAqnZ2GpVAm1jdPsyfiaVVfMD5pGAe8Mt0"
			  "mIUtrcIrKgGHDk0\n"
			  "bob@sub.example.org:$6$salt$jcGZPAv2QypvHXFiRBFb3CLOAOKeZ."
			  "3yzBLXxoAqnZ2GpVAm1jdPsyfi"
			  "aVVfMD5pGAe8Mt0mIUtrcIrKgGHDk0\n"));
	strcpy(list, directory_write(&directory, "list", "eve\n"));
	snprintf(whole, sizeof(whole), text, users, list);
	setup = fixture_setup(whole);
	directory_remove(&directory);
	return net_address_parse(SPAN("203.0.113.9"), 4711, &stranger) ? 0 : -1;
}

static int end(void **state)
{
	setup_unref(&setup);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_may_send_where),
		cmocka_unit_test(test_the_refusal_says_how_to_be_let_in),
		cmocka_unit_test(test_default_domain_completes_for_those_who_may_send),
		cmocka_unit_test(test_postmaster_without_any_domain_is_who_the_configuration_names),
		cmocka_unit_test(test_the_alias_of_a_route_expands_once_for_who_may_send),
		cmocka_unit_test(test_a_route_completes_before_its_alias_is_looked_for),
		cmocka_unit_test(test_a_notice_finds_its_reader),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
