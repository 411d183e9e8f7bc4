/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#define HASH "$5$rounds=1000$saltsalt$eKLZU9t9OoPWrqOQsoTIKG0aYkZ5rGOoOQhiIvoSWX2" /* secret */

static char directory[] = "/tmp/frank-user-XXXXXX";

static const char config_text[] =
    "hostname relay.example.org;\n"
    "listen submission { address *:587; tls starttls; auth required; }\n"
    "listen submissions { address *:465; tls implicit; auth required; }\n"
    "listen here { address 127.0.0.1:2525; tls off; auth optional; cleartext-auth yes; }\n"
    "listen lan { address 192.168.7.1:25; tls off; auth off; relay-from 192.168.7.0/24; }\n"
    "listen mx { address *:2626; auth off; relay-from 192.168.7.0/24; }\n"
    "tls { certificate cert.pem; key key.pem; }\n"
    "users { file users; }\n"
    "spool { path spool; }\n"
    "route * { via discard; }\n";

static void put(const char *name, const char *text)
{
	int fd = open(name, O_WRONLY | O_CREAT | O_TRUNC, 0640);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
}

static void get(const char *name, char out[8192])
{
	int fd = open(name, O_RDONLY);
	assert_true(fd >= 0);
	ssize_t n = read(fd, out, 8191);
	assert_true(n >= 0);
	out[n] = '\0';
	close(fd);
}

static int make_directory(void **state)
{
	if (mkdtemp(directory) == NULL || chdir(directory) != 0)
		return 1;
	setenv("HOME", directory, 1);
	unsetenv("FRANK_CONF");
	put("frank.conf", config_text);
	put("right", "secret\n");
	put("wrong", "Secret\n");
	put("lines", "one\ntwo\n");
	put("empty", "\n");
	return 0;
}

static int remove_directory(void **state)
{
	static const char *const names[] = { "frank.conf", "right", "wrong", "lines", "empty",
		"users", "out", "err", "other" };
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		unlink(names[i]);
	return chdir("/") != 0 || rmdir(directory) != 0;
}

/* What one run left; reading a large file each time keeps the tests short. */
struct run {
	int status;
	char out[8192], err[8192];
};

/* Splits at blanks, calls the subcommand in a child, with standard input from the file in. */
static void run_from(struct run *r, const char *in, const char *line)
{
	fflush(NULL);
	pid_t child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		char copy[512], *argv[20], *rest = copy;
		int argc = 0;
		snprintf(copy, sizeof(copy), "user %s", line);
		for (char *word; (word = strsep(&rest, " ")) != NULL;)
			argv[argc++] = word;
		argv[argc] = NULL;
		setsid(); /* no terminal to ask on */
		if (freopen(in, "r", stdin) == NULL || freopen("out", "w", stdout) == NULL ||
		    freopen("err", "w", stderr) == NULL)
			_exit(99);
		exit(cli_user(argc, argv));
	}
	int status;
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	r->status = WEXITSTATUS(status);
	get("out", r->out);
	get("err", r->err);
}

static void run(struct run *r, const char *line)
{
	run_from(r, "/dev/null", line);
}

static void assert_says(const char *text, const char *what)
{
	if (strstr(text, what) == NULL)
		fail_msg("\"%s\" is not in: %s", what, text);
}

static void assert_begins(const char *text, const char *what)
{
	if (strncmp(text, what, strlen(what)) != 0)
		fail_msg("\"%s\" does not begin: %s", what, text);
}

static void assert_silent(const char *text, const char *what)
{
	if (strstr(text, what) != NULL)
		fail_msg("\"%s\" is in: %s", what, text);
}

static void a_user_is_added_checked_changed_and_removed(void **state)
{
	struct run r;
	char text[8192];
	put("users", "# people\nbob:!\t# on leave");
	run(&r, "add anna --users users --password-file right");
	assert_int_equal(r.status, CLI_EXIT_DONE);
	assert_string_equal(r.err, "");
	get("users", text);
	assert_memory_equal(text, "# people\nbob:!\t# on leave\nanna:$y$", 34);

	run(&r, "check anna --users users --password-file right");
	assert_int_equal(r.status, CLI_EXIT_DONE);
	assert_begins(r.out, "right\n");
	assert_says(r.out, "SCRAM-SHA-256  can be served");
	assert_says(r.out, "CRAM-MD5       cannot");
	run(&r, "check anna --users users --password-file wrong --json");
	assert_int_equal(r.status, CLI_EXIT_FOUND);
	assert_begins(r.out, "{\"name\":\"anna\",\"right\":false");

	run_from(&r, "wrong", "passwd anna --users users --password-file -");
	assert_int_equal(r.status, CLI_EXIT_DONE);
	assert_string_equal(r.out, "anna has a new password.\n");
	run(&r, "check anna --users users --password-file wrong --json");
	assert_int_equal(r.status, CLI_EXIT_DONE);
	assert_begins(r.out, "{\"name\":\"anna\",\"right\":true");
	run(&r, "check anna --users users --password-file right");
	assert_begins(r.out, "wrong\n");

	run(&r, "remove anna --users users");
	assert_int_equal(r.status, CLI_EXIT_DONE);
	get("users", text);
	assert_string_equal(text, "# people\nbob:!\t# on leave\n");
}

static void a_secret_is_never_shown(void **state)
{
	struct run r;
	char text[8192];
	put("users", "");
	run(&r, "add anna --users users --password-file right");
	assert_silent(r.out, "secret");
	assert_silent(r.err, "secret");
	get("users", text);
	assert_silent(text, "secret");
	put("users", "anna:secret\n");
	run(&r, "list --users users");
	assert_silent(r.out, "secret");
	assert_silent(r.err, "secret");
	assert_says(r.err, "users:1:6: warning: this looks like a plain password");
}

static void add_says_what_to_enter_in_a_mail_program(void **state)
{
	struct run r;
	unlink("users");
	run(&r, "add anna -c frank.conf --password-file right");
	assert_string_equal(r.err, "");
	assert_int_equal(r.status, CLI_EXIT_DONE);
	assert_says(r.out, "relay.example.org, port 587, STARTTLS\n");
	assert_says(r.out, "relay.example.org, port 465, SSL/TLS\n");
	assert_says(r.out, "localhost, port 2525, no encryption\n");
	assert_says(r.out, "user name       anna\n");
	assert_says(r.out, "password        the one you gave\n");
	assert_silent(r.out, "port 25,");
	assert_silent(r.out, "port 2626");
	struct stat status;
	assert_int_equal(stat("users", &status), 0);
	assert_int_equal(status.st_mode & 07777, 0640);

	run(&r, "add bob -c frank.conf --password-file right --json");
	assert_says(r.out, "\"servers\":[{\"host\":\"relay.example.org\",\"port\":587,"
			   "\"tls\":\"starttls\"},{\"host\":\"relay.example.org\",\"port\":465,"
			   "\"tls\":\"implicit\"},{\"host\":\"localhost\",\"port\":2525,"
			   "\"tls\":\"off\"}]");
	setenv("FRANK_CONF", "frank.conf", 1);
	run(&r, "list");
	unsetenv("FRANK_CONF");
	assert_int_equal(r.status, CLI_EXIT_DONE);
	assert_says(r.out, "anna ");
	assert_says(r.out, "bob ");
}

/* The daemon reads the file again at a reload, when it is root no more. */
static void root_gives_a_new_file_to_the_daemons_group(void **state)
{
	const struct passwd *daemon = getpwnam("daemon");
	if (geteuid() != 0 || daemon == NULL || daemon->pw_gid == 0)
		skip();
	struct run r;
	struct stat status;
	char text[2048];
	snprintf(text, sizeof(text), "user daemon;\n%s", config_text);
	put("other", text);
	unlink("users");
	run(&r, "add anna -c other --password-file right");
	assert_int_equal(r.status, CLI_EXIT_DONE);
	assert_int_equal(stat("users", &status), 0);
	assert_int_equal(status.st_uid, 0);
	assert_int_equal(status.st_gid, daemon->pw_gid);
	assert_int_equal(status.st_mode & 07777, 0640);
}

static void a_password_file_for_everybody_is_warned_of(void **state)
{
	struct run r;
	put("users", "anna:" HASH "\n");
	put("other", "secret\n");
	assert_int_equal(chmod("other", 0644), 0);
	run(&r, "check anna --users users --password-file other");
	assert_int_equal(r.status, CLI_EXIT_DONE);
	assert_says(r.err, "warning: everybody on this machine can read other");
	assert_int_equal(chmod("other", 0600), 0);
}

static void a_generated_password_is_shown_once_and_right(void **state)
{
	struct run r;
	put("users", "");
	run(&r, "add anna --users users --generate --json");
	assert_int_equal(r.status, CLI_EXIT_DONE);
	const char *password = strstr(r.out, "\"password\":\"");
	assert_non_null(password);
	char generated[29];
	snprintf(generated, sizeof(generated), "%.27s\n", password + strlen("\"password\":\""));
	put("other", generated);
	run(&r, "check anna --users users --password-file other");
	assert_int_equal(r.status, CLI_EXIT_DONE);
	run(&r, "passwd anna --users users --generate");
	assert_says(r.out, "The password is ");
	run(&r, "check anna --users users --password-file other");
	assert_int_equal(r.status, CLI_EXIT_FOUND);
}

static void list_shows_names_and_schemes(void **state)
{
	struct run r;
	put("users", "anna:" HASH "\nj\xc3\xb6rg:!\n");
	run(&r, "list --users users");
	assert_int_equal(r.status, CLI_EXIT_DONE);
	assert_says(r.out, "anna                     sha256crypt\n");
	run(&r, "list --users users --json");
	assert_string_equal(r.out,
	    "{\"items\":[{\"name\":\"anna\",\"scheme\":\"sha256crypt\",\"works\":true},"
	    "{\"name\":\"j\xc3\xb6rg\",\"scheme\":\"locked\",\"works\":false}]}\n");
	put("users", "");
	run(&r, "list --users users --json");
	assert_string_equal(r.out, "{\"items\":[]}\n");
}

/* Everything that goes wrong, with its exit status, and nothing changes in the file. */
static const struct refusal {
	const char *line;
	int status;
	const char *says;
} refusals[] = {
	{ "", CLI_EXIT_USAGE, "is none of" },
	{ "frobnicate", CLI_EXIT_USAGE, "is none of" },
	{ "add --users users", CLI_EXIT_USAGE, "wants the NAME" },
	{ "add a b --users users", CLI_EXIT_USAGE, "never stands on a command line" },
	{ "list a --users users", CLI_EXIT_USAGE, "takes no NAME" },
	{ "add a:b --users users", CLI_EXIT_USAGE, "the name contains a colon" },
	{ "add carl --users users --password x", CLI_EXIT_USAGE, "never stands on" },
	{ "add carl --users users --pass x", CLI_EXIT_USAGE, "--pass is no option" },
	{ "add carl --users users --frobnicate", CLI_EXIT_USAGE, "--frobnicate is no option" },
	{ "add carl --users", CLI_EXIT_USAGE, "--users wants a value" },
	{ "remove anna --users users --generate", CLI_EXIT_USAGE, "for add and passwd" },
	{ "list --users users --password-file right", CLI_EXIT_USAGE, "needs no password" },
	{ "add carl --users users --generate --password-file right", CLI_EXIT_USAGE, "either" },
	{ "add anna --users users --password-file right", CLI_EXIT_FOUND, "already" },
	{ "passwd carl --users users --password-file right", CLI_EXIT_FOUND, "no user carl" },
	{ "remove carl --users users", CLI_EXIT_FOUND, "no user carl" },
	{ "add carl --users users --password-file lines", CLI_EXIT_LOCAL, "more than one line" },
	{ "add carl --users users --password-file empty", CLI_EXIT_LOCAL, "empty is empty" },
	{ "add carl --users users --password-file none", CLI_EXIT_LOCAL, "No such file" },
	{ "add carl --users users", CLI_EXIT_LOCAL, "--password-file" },
	{ "list --users none", CLI_EXIT_LOCAL, "No such file" },
	{ "list --users .", CLI_EXIT_LOCAL, "Is a directory" },
	{ "add carl --users none/users --password-file right", CLI_EXIT_LOCAL,
	    "cannot be created" },
	{ "list -c none", CLI_EXIT_USAGE, "none" },
};

static void what_goes_wrong_is_said_and_changes_nothing(void **state)
{
	static const char before[] = "anna:" HASH "\n";
	put("users", before);
	for (size_t i = 0; i < ARRAY_LEN(refusals); i++) {
		struct run r;
		char after[8192];
		run(&r, refusals[i].line);
		if (r.status != refusals[i].status || strstr(r.err, refusals[i].says) == NULL)
			fail_msg("user %s: %d: %s", refusals[i].line, r.status, r.err);
		assert_string_equal(r.out, "");
		get("users", after);
		assert_string_equal(after, before);
	}
}

static void a_broken_file_is_not_edited(void **state)
{
	struct run r;
	char text[8192];
	put("users", "anna:" HASH "\nbob\n");
	static const char *const lines[] = {
		"add carl --users users --password-file right",
		"passwd anna --users users --password-file right",
		"remove anna --users users",
		"check anna --users users --password-file right",
		"list --users users",
	};
	for (size_t i = 0; i < ARRAY_LEN(lines); i++) {
		run(&r, lines[i]);
		assert_int_equal(r.status, CLI_EXIT_USAGE);
		assert_says(r.err, "users:2:4: ");
	}
	get("users", text);
	assert_string_equal(text, "anna:" HASH "\nbob\n");
}

static void a_hopeless_check_says_why(void **state)
{
	struct run r;
	put("users", "anna:!\nbob:plain\n");
	run(&r, "check anna --users users");
	assert_int_equal(r.status, CLI_EXIT_FOUND);
	assert_begins(r.out, "wrong: the user is locked\n");
	run(&r, "check bob --users users");
	assert_begins(r.out, "wrong: the user has no password hash that works\n");
	run(&r, "check carl --users users --json");
	assert_string_equal(r.out, "{\"name\":\"carl\",\"right\":false,"
				   "\"why\":\"there is no such user\"}\n");
}

static void verifiers_go_with_the_old_password(void **state)
{
	struct run r;
	char text[8192];
	put("users", "anna:" HASH ":SCRAM-SHA-1$4096:QSXCR+Q6sek8bf92$6dlGYMOdZcOPutkcNY8U2g7vK9Y=:"
		     "D+CSWLOshSulAsxiupA+qs2/fTE= # x\n");
	run(&r, "passwd anna --users users --password-file right");
	assert_int_equal(r.status, CLI_EXIT_DONE);
	get("users", text);
	assert_silent(text, "SCRAM-SHA-1$");
	assert_says(text, ":SCRAM-SHA-256$");
	assert_says(text, " # x\n");
}

/* ---- the prompt ---- */

/* Waits until the terminal has shown the text; what it showed is in seen. */
static void await(int terminal, const char *text, char seen[8192])
{
	size_t len = strlen(seen);
	while (strstr(seen, text) == NULL) {
		struct pollfd wait_for = { .fd = terminal, .events = POLLIN };
		assert_int_equal(poll(&wait_for, 1, 20000), 1);
		ssize_t n = read(terminal, seen + len, 8191 - len);
		if (n <= 0)
			fail_msg("\"%s\" never came: %s", text, seen);
		len += (size_t)n;
		seen[len] = '\0';
	}
}

static pid_t start_on_terminal(int *terminal_out, const char *verb)
{
	fflush(NULL);
	pid_t child = forkpty(terminal_out, NULL, NULL, NULL);
	assert_true(child >= 0);
	if (child == 0) {
		char words[][16] = { "user", "", "anna", "--users", "users" };
		snprintf(words[1], sizeof(words[1]), "%s", verb);
		char *argv[] = { words[0], words[1], words[2], words[3], words[4], NULL };
		int status = cli_user(5, argv);
		printf("status %d\n", status);
		exit(status);
	}
	return child;
}

static bool echoes(int terminal)
{
	struct termios mode;
	assert_int_equal(tcgetattr(terminal, &mode), 0);
	return (mode.c_lflag & ECHO) != 0;
}

static void type(int terminal, const char *text)
{
	assert_int_equal(write(terminal, text, strlen(text)), strlen(text));
}

static void the_prompt_asks_twice_without_echo(void **state)
{
	int terminal, status;
	char seen[8192] = "";
	struct run r;
	put("users", "");
	pid_t child = start_on_terminal(&terminal, "add");
	await(terminal, "New password for anna: ", seen);
	assert_false(echoes(terminal));
	type(terminal, "secret\n");
	await(terminal, "The same again: ", seen);
	type(terminal, "secret\n");
	await(terminal, "status 0", seen);
	assert_silent(seen, "secret");
	assert_true(echoes(terminal));
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(WEXITSTATUS(status), CLI_EXIT_DONE);
	close(terminal);
	run(&r, "check anna --users users --password-file right");
	assert_int_equal(r.status, CLI_EXIT_DONE);
}

static void two_different_passwords_are_none(void **state)
{
	int terminal, status;
	char seen[8192] = "", text[8192];
	put("users", "");
	pid_t child = start_on_terminal(&terminal, "add");
	await(terminal, "New password for anna: ", seen);
	type(terminal, "secret\n");
	await(terminal, "The same again: ", seen);
	type(terminal, "secrets\n");
	await(terminal, "the two are not the same", seen);
	await(terminal, "status 3", seen);
	assert_int_equal(waitpid(child, &status, 0), child);
	close(terminal);
	get("users", text);
	assert_string_equal(text, "");
}

static void an_interrupted_prompt_gives_the_echo_back(void **state)
{
	int terminal, status;
	char seen[8192] = "";
	put("users", "anna:" HASH "\n");
	pid_t child = start_on_terminal(&terminal, "check");
	await(terminal, "Password for anna: ", seen);
	assert_false(echoes(terminal));
	type(terminal, "\x03");
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGINT);
	assert_true(echoes(terminal));
	close(terminal);
}

static void help_is_a_result(void **state)
{
	struct run r;
	run(&r, "--help");
	assert_int_equal(r.status, CLI_EXIT_DONE);
	assert_says(r.out, "usage: frank user");
	assert_string_equal(r.err, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_user_is_added_checked_changed_and_removed),
		cmocka_unit_test(a_secret_is_never_shown),
		cmocka_unit_test(add_says_what_to_enter_in_a_mail_program),
		cmocka_unit_test(root_gives_a_new_file_to_the_daemons_group),
		cmocka_unit_test(a_password_file_for_everybody_is_warned_of),
		cmocka_unit_test(a_generated_password_is_shown_once_and_right),
		cmocka_unit_test(list_shows_names_and_schemes),
		cmocka_unit_test(what_goes_wrong_is_said_and_changes_nothing),
		cmocka_unit_test(a_broken_file_is_not_edited),
		cmocka_unit_test(a_hopeless_check_says_why),
		cmocka_unit_test(verifiers_go_with_the_old_password),
		cmocka_unit_test(the_prompt_asks_twice_without_echo),
		cmocka_unit_test(two_different_passwords_are_none),
		cmocka_unit_test(an_interrupted_prompt_gives_the_echo_back),
		cmocka_unit_test(help_is_a_result),
	};
	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
