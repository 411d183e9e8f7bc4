/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

#include "account/password.h"
#include "account/users.h"
#include "account/users_edit.h"
#include "account/users_line.h"
#include "account/users_scram.h"
#include "base/base64.h"
#include "base/memory.h"
#include "cli/settings.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum { CREDENTIAL_MAX = PASSWORD_HASH_SIZE + 256 + 2 * PASSWORD_MAX_BYTES };

struct task {
	const char *name; /* of the user; NULL with list */
	const char *config_path, *users_path, *password_file;
	bool generate, cleartext, json;
	const struct config *config; /* NULL: --users alone was given */
	const char *path;            /* of the users file */
};

static const struct cli_option options[] = {
	CLI_OPTION_CONFIG(struct task, config_path),
	{ "users", 0, CLI_OPTION_TEXT, "FILE", offsetof(struct task, users_path),
	    "the users file itself, without a configuration" },
	{ "password-file", 0, CLI_OPTION_TEXT, "FILE", offsetof(struct task, password_file),
	    "read the password there (- is standard input),\ninstead of asking on the terminal" },
	{ "generate", 0, CLI_OPTION_FLAG, NULL, offsetof(struct task, generate),
	    "make a password, and print it once (add, passwd)" },
	{ "cleartext", 0, CLI_OPTION_FLAG, NULL, offsetof(struct task, cleartext),
	    "also keep the password itself, which CRAM-MD5 needs (add, passwd)" },
	CLI_OPTION_JSON(struct task, json),
	{ "password", 0, CLI_OPTION_REFUSED, NULL, 0,
	    "a password never stands on a command line, where others see it: --password-file FILE, "
	    "or - for standard input" },
};

/* ---- the file ---- */

static void print_notes(const char *path, const struct account_notes *notes)
{
	char line[1024];
	for (size_t i = 0; i < notes->count; i++)
		fprintf(stderr, "%s\n",
		    account_note_format(&notes->items[i], path, line, sizeof(line)));
	size_t all = notes->errors + notes->warnings;
	if (all > notes->count)
		fprintf(stderr, "%s: and %zu more of this kind\n", path, all - notes->count);
}

/* What the notes come to: a file that cannot be read is local trouble, a wrong line is not. */
static int status_of(const struct account_notes *notes)
{
	return notes->count > 0 && notes->items[0].line == 0 &&
		       notes->items[0].kind == ACCOUNT_NOTE_ERROR
		   ? CLI_EXIT_LOCAL
		   : CLI_EXIT_USAGE;
}

static struct account_users *load_users(const char *path, int *status_out)
{
	struct account_notes *notes = MEM_NEW(struct account_notes);
	struct account_users *users = account_users_read(path, notes);
	print_notes(path, notes);
	if (users == NULL)
		*status_out = status_of(notes);
	mem_free(notes);
	return users;
}

/* Whether what stands in the locked file can be edited: it may have changed since it was read. */
static bool is_sound(const struct users_file *file)
{
	struct account_notes *notes = MEM_NEW(struct account_notes);
	struct account_users *users = account_users_parse(buf_span(&file->text), notes);
	bool sound = users != NULL;
	if (!sound)
		print_notes(file->path, notes);
	account_users_unref(&users);
	mem_free(notes);
	return sound;
}

/* The daemon gives up its privilege and must still read the file at a reload: its group gets it. */
static void give_to_daemon(const struct task *task, const struct users_file *file)
{
	if (geteuid() != 0 || task->config == NULL || task->config->user == NULL)
		return;
	const struct passwd *daemon = getpwnam(task->config->user);
	if (daemon == NULL)
		cli_complain("warning: there is no system user %s to give %s to",
		    task->config->user, file->path);
	else if (fchown(file->fd, (uid_t)-1, daemon->pw_gid) != 0)
		cli_complain("warning: %s cannot be given to the group of %s: %s", file->path,
		    task->config->user, strerror(errno));
}

enum change { CHANGE_ADD, CHANGE_PASSWORD, CHANGE_REMOVE };

static enum users_edit_result edit(
    enum change change, struct span text, const char *name, const char *hash, struct buf *out)
{
	struct span user = span_from_string(name);
	switch (change) {
	case CHANGE_ADD:
		return users_edit_add(text, user, span_from_string(hash), out);
	case CHANGE_PASSWORD:
		return users_edit_replace(text, user, span_from_string(hash), out);
	case CHANGE_REMOVE:
		break;
	}
	return users_edit_remove(text, user, out);
}

static int say_edit_result(const struct task *task, enum users_edit_result result)
{
	switch (result) {
	case USERS_EDIT_DONE:
		return CLI_EXIT_DONE;
	case USERS_EDIT_EXISTS:
		cli_complain("%s stands in %s already: \"frank user passwd %s\" gives a new "
			     "password",
		    task->name, task->path, task->name);
		return CLI_EXIT_FOUND;
	case USERS_EDIT_NO_SUCH_USER:
		cli_complain("there is no user %s in %s", task->name, task->path);
		return CLI_EXIT_FOUND;
	case USERS_EDIT_TOO_LARGE:
		break;
	}
	cli_complain(
	    "%s would be larger than %d MiB", task->path, USERS_FILE_MAX_BYTES / 1024 / 1024);
	return CLI_EXIT_LOCAL;
}

static int change_text(
    const struct task *task, enum change change, const char *hash, struct users_file *file)
{
	if (!is_sound(file))
		return CLI_EXIT_USAGE;
	struct buf text;
	struct fault fault;
	buf_init_secret(&text, USERS_FILE_MAX_BYTES);
	int status =
	    say_edit_result(task, edit(change, buf_span(&file->text), task->name, hash, &text));
	if (status == CLI_EXIT_DONE && !users_file_replace(file, buf_span(&text), &fault)) {
		cli_complain("%s", fault.text);
		status = CLI_EXIT_LOCAL;
	}
	buf_fini(&text);
	return status;
}

static int change_file(const struct task *task, enum change change, const char *hash)
{
	struct users_file file;
	struct fault fault;
	bool created = false;
	if (!users_file_open(&file, task->path, change == CHANGE_ADD, &created, &fault)) {
		cli_complain("%s", fault.text);
		return CLI_EXIT_LOCAL;
	}
	if (created)
		give_to_daemon(task, &file);
	int status = change_text(task, change, hash, &file);
	users_file_close(&file);
	return status;
}

/* ---- the password ---- */

/* Appends the password of the task to out: generated, from a file, or asked for. */
static bool obtain_password(const struct task *task, bool fresh, struct buf *out)
{
	if (task->generate)
		return account_password_generate(out);
	char prompt[USERS_NAME_MAX_BYTES + 32];
	snprintf(
	    prompt, sizeof(prompt), "%s for %s", fresh ? "New password" : "Password", task->name);
	struct cli_password_source source = {
		.file = task->password_file,
		.prompt = prompt,
		.twice = fresh,
	};
	return cli_password_read(&source, out);
}

/* Appends what the users file keeps of a password: a hash for PLAIN and LOGIN, and what SCRAM makes
   of it. */
static bool put_credential(const struct task *task, struct span password, struct buf *out)
{
	char hash[PASSWORD_HASH_SIZE];
	struct fault fault;
	if (!account_password_hash(password, hash, &fault)) {
		cli_complain("%s", fault.text);
		return false;
	}
	bool fits = buf_append_string(out, hash) && buf_append_byte(out, ':') &&
		    users_scram_make(ACCOUNT_SCRAM_SHA_256, password, out);
	if (task->cleartext)
		fits = fits && buf_append_string(out, ":" USERS_SECRET_PREFIX) &&
		       base64_encode(out, password);
	mem_wipe(hash, sizeof(hash));
	if (!fits)
		cli_complain("OpenSSL cannot make a SCRAM verifier");
	return fits;
}

/* Obtains a password, and makes a credential of it. */
static bool obtain_credential(const struct task *task, struct buf *password, struct buf *credential)
{
	return obtain_password(task, true, password) &&
	       put_credential(task, buf_span(password), credential);
}

/* ---- add ---- */

static void print_settings(const struct task *task, struct buf *password)
{
	struct cli_setting settings[CLI_SETTINGS_MAX];
	size_t count = task->config != NULL ? cli_settings_collect(task->config, settings) : 0;
	printf("%s may sign in now.\n\nTo enter in a mail program:\n", task->name);
	for (size_t i = 0; i < count; i++)
		printf("  %-16s%s, port %u, %s\n", i == 0 ? "outgoing server" : "or",
		    settings[i].host, settings[i].port, cli_settings_tls_name(settings[i].tls));
	if (count == 0)
		printf("  %-16s%s\n", "outgoing server",
		    task->config != NULL ? "(no listener of the configuration offers AUTH)"
					 : "(-c FILE: the configuration names it)");
	printf("  %-16s%s\n", "authentication", "normal password");
	printf("  %-16s%s\n", "user name", task->name);
	printf(
	    "  %-16s%s\n", "password", task->generate ? buf_string(password) : "the one you gave");
}

static int report_added(const struct task *task, struct buf *password)
{
	if (!task->json) {
		print_settings(task, password);
		return cli_finish(CLI_EXIT_DONE);
	}
	json_t *object = json_pack("{s:s, s:s}", "name", task->name, "file", task->path);
	if (task->config != NULL) {
		struct cli_setting settings[CLI_SETTINGS_MAX];
		size_t count = cli_settings_collect(task->config, settings);
		json_object_set_new(object, "servers", cli_settings_json(settings, count));
	}
	if (task->generate)
		json_object_set_new(object, "password", json_string(buf_string(password)));
	return cli_json_print(object, CLI_EXIT_DONE);
}

/* Before a password is asked for in vain. A file that is not there yet has nobody. */
static int refuse_known_user(const struct task *task)
{
	if (access(task->path, F_OK) != 0 && errno == ENOENT)
		return CLI_EXIT_DONE;
	int status = CLI_EXIT_DONE;
	struct account_users *users = load_users(task->path, &status);
	if (users != NULL && account_users_find(users, span_from_string(task->name)) != NULL)
		status = say_edit_result(task, USERS_EDIT_EXISTS);
	account_users_unref(&users);
	return status;
}

static int run_add(const struct task *task)
{
	int status = refuse_known_user(task);
	if (status != CLI_EXIT_DONE)
		return status;
	struct buf password, credential;
	buf_init_secret(&password, CLI_PASSWORD_MAX_BYTES);
	buf_init_secret(&credential, CREDENTIAL_MAX);
	status = obtain_credential(task, &password, &credential)
		     ? change_file(task, CHANGE_ADD, buf_string(&credential))
		     : CLI_EXIT_LOCAL;
	if (status == CLI_EXIT_DONE)
		status = report_added(task, &password);
	buf_fini(&password);
	buf_fini(&credential);
	return status;
}

/* ---- passwd, remove ---- */

static int report_changed(const struct task *task, const char *what, struct buf *password)
{
	if (task->json) {
		json_t *object = json_pack("{s:s, s:s}", "name", task->name, "file", task->path);
		if (task->generate)
			json_object_set_new(object, "password", json_string(buf_string(password)));
		return cli_json_print(object, CLI_EXIT_DONE);
	}
	printf("%s %s.\n", task->name, what);
	if (task->generate)
		printf("The password is %s\n", buf_string(password));
	return cli_finish(CLI_EXIT_DONE);
}

/* Whether the user stands in the file; says so when not, and when verifiers are about to go. */
static int expect_user(const struct task *task, bool new_password)
{
	int status = CLI_EXIT_DONE;
	struct account_users *users = load_users(task->path, &status);
	if (users == NULL)
		return status;
	const struct account_user *user = account_users_find(users, span_from_string(task->name));
	if (user == NULL)
		status = say_edit_result(task, USERS_EDIT_NO_SUCH_USER);
	else if (new_password && user->secret.len > 0 && !task->cleartext)
		cli_complain("the password itself of %s is not kept any more: CRAM-MD5 needs "
			     "--cleartext",
		    task->name);
	account_users_unref(&users);
	return status;
}

static int run_passwd(const struct task *task)
{
	int status = expect_user(task, true);
	if (status != CLI_EXIT_DONE)
		return status;
	struct buf password, credential;
	buf_init_secret(&password, CLI_PASSWORD_MAX_BYTES);
	buf_init_secret(&credential, CREDENTIAL_MAX);
	status = obtain_credential(task, &password, &credential)
		     ? change_file(task, CHANGE_PASSWORD, buf_string(&credential))
		     : CLI_EXIT_LOCAL;
	if (status == CLI_EXIT_DONE)
		status = report_changed(task, "has a new password", &password);
	buf_fini(&password);
	buf_fini(&credential);
	return status;
}

static int run_remove(const struct task *task)
{
	int status = expect_user(task, false);
	if (status == CLI_EXIT_DONE)
		status = change_file(task, CHANGE_REMOVE, NULL);
	if (status == CLI_EXIT_DONE)
		status = report_changed(task, "is removed", NULL);
	return status;
}

/* ---- check ---- */

static bool has_sha_256(const struct account_user *user)
{
	return account_user_scram(user, ACCOUNT_SCRAM_SHA_256) != NULL;
}

static bool has_sha_1(const struct account_user *user)
{
	return account_user_scram(user, ACCOUNT_SCRAM_SHA_1) != NULL;
}

static bool has_secret(const struct account_user *user)
{
	return user->secret.len > 0;
}

/* Why no password at all can be right; NULL when one can. */
static const char *hopeless(const struct account_user *user)
{
	if (user == NULL)
		return "there is no such user";
	if (account_user_works(user))
		return NULL;
	return strcmp(user->scheme, "locked") == 0 ? "the user is locked"
						   : "the user has no password hash that works";
}

/* What an entry needs for a mechanism, and whether it has it. */
static const struct served {
	const char *mechanisms;
	bool (*has)(const struct account_user *user);
	const char *why_not;
} served[] = {
	{ "PLAIN, LOGIN", account_user_works, "nothing that works is stored" },
	{ "SCRAM-SHA-256", has_sha_256,
	    "no SCRAM-SHA-256 verifier is stored: \"frank user passwd\" makes one" },
	{ "SCRAM-SHA-1", has_sha_1, "no SCRAM-SHA-1 verifier is stored" },
	{ "CRAM-MD5", has_secret,
	    "the password itself is not stored: \"frank user passwd --cleartext\" does" },
};

static void print_served(const struct account_user *user)
{
	for (size_t i = 0; i < ARRAY_LEN(served); i++) {
		bool has = served[i].has(user);
		printf("  %-14s %s%s\n", served[i].mechanisms,
		    has ? "can be served" : "cannot: ", has ? "" : served[i].why_not);
	}
}

static json_t *served_json(const struct account_user *user)
{
	json_t *items = json_array();
	for (size_t i = 0; i < ARRAY_LEN(served); i++) {
		struct span names = span_from_string(served[i].mechanisms), name;
		bool has = served[i].has(user);
		while (span_take_until(&names, ',', &name)) {
			name = span_trim(name);
			json_t *item = json_pack(
			    "{s:s%, s:b}", "name", name.data, name.len, "serves", (int)has);
			if (!has)
				json_object_set_new(item, "why", json_string(served[i].why_not));
			json_array_append_new(items, item);
		}
	}
	return items;
}

/* user is NULL when there is none. */
static int report_checked(
    const struct task *task, const struct account_user *user, bool right, const char *why)
{
	int status = right ? CLI_EXIT_DONE : CLI_EXIT_FOUND;
	if (task->json) {
		json_t *object = json_pack("{s:s, s:b}", "name", task->name, "right", (int)right);
		if (why != NULL)
			json_object_set_new(object, "why", json_string(why));
		if (user != NULL)
			json_object_set_new(object, "mechanisms", served_json(user));
		return cli_json_print(object, status);
	}
	if (why != NULL)
		printf("wrong: %s\n", why);
	else
		puts(right ? "right" : "wrong");
	if (user != NULL)
		print_served(user);
	return cli_finish(status);
}

static int run_check(const struct task *task)
{
	int status = CLI_EXIT_DONE;
	struct account_users *users = load_users(task->path, &status);
	if (users == NULL)
		return status;
	const struct account_user *user = account_users_find(users, span_from_string(task->name));
	const char *why = hopeless(user);
	struct buf password;
	buf_init_secret(&password, CLI_PASSWORD_MAX_BYTES);
	if (why != NULL)
		status = report_checked(task, user, false, why);
	else if (obtain_password(task, false, &password))
		status = report_checked(task, user,
		    account_password_check(
			users, span_from_string(task->name), buf_span(&password)),
		    NULL);
	else
		status = CLI_EXIT_LOCAL;
	buf_fini(&password);
	account_users_unref(&users);
	return status;
}

/* ---- list ---- */

static json_t *user_json(const struct account_user *user)
{
	bool works = account_user_works(user);
	return json_pack("{s:s%, s:s, s:b}", "name", user->name.data, user->name.len, "scheme",
	    user->scheme, "works", (int)works);
}

static int list_json(const struct account_users *users)
{
	json_t *items = json_array();
	for (size_t i = 0; i < account_users_count(users); i++)
		json_array_append_new(items, user_json(account_users_at(users, i)));
	return cli_json_print(json_pack("{s:o}", "items", items), CLI_EXIT_DONE);
}

static int run_list(const struct task *task)
{
	int status = CLI_EXIT_DONE;
	struct account_users *users = load_users(task->path, &status);
	if (users == NULL)
		return status;
	if (task->json) {
		status = list_json(users);
	} else {
		for (size_t i = 0; i < account_users_count(users); i++) {
			const struct account_user *user = account_users_at(users, i);
			printf("%-24.*s %s\n", SPAN_ARG(user->name), user->scheme);
		}
		status = cli_finish(CLI_EXIT_DONE);
	}
	account_users_unref(&users);
	return status;
}

/* ---- the command line ---- */

static const struct verb {
	const char *name;
	bool names_user, asks, makes; /* wants NAME; wants a password; a new one */
	int (*run)(const struct task *task);
} verbs[] = {
	{ "add", true, true, true, run_add },
	{ "list", false, false, false, run_list },
	{ "remove", true, false, false, run_remove },
	{ "passwd", true, true, true, run_passwd },
	{ "check", true, true, false, run_check },
};

static const struct verb *find_verb(const char *name)
{
	for (size_t i = 0; i < ARRAY_LEN(verbs); i++) {
		if (strcmp(verbs[i].name, name) == 0)
			return &verbs[i];
	}
	return NULL;
}

/* Exit status, or -1 when everything fits together. */
static int check_arguments(const struct verb *verb, int count, const struct task *task)
{
	int wanted = verb->names_user ? 2 : 1;
	if (count > wanted)
		return cli_usage("user", "%s takes %s; a password never stands on a command line",
		    verb->name, verb->names_user ? "one NAME" : "no NAME");
	if (count < wanted)
		return cli_usage("user", "%s wants the NAME of a user", verb->name);
	const char *fault =
	    task->name != NULL ? account_user_name_fault(span_from_string(task->name)) : NULL;
	if (fault != NULL)
		return cli_usage("user", "the name %s", fault);
	if (task->generate && !verb->makes)
		return cli_usage("user", "--generate is for add and passwd");
	if (task->password_file != NULL && !verb->asks)
		return cli_usage("user", "%s needs no password", verb->name);
	if (task->cleartext && !verb->makes)
		return cli_usage("user", "--cleartext is for add and passwd");
	if (task->generate && task->password_file != NULL)
		return cli_usage("user", "either --generate or --password-file");
	return -1;
}

/* Exit status, or -1. --users alone needs no configuration. */
static int find_file(struct task *task)
{
	if (task->users_path == NULL || task->config_path != NULL) {
		task->config = cli_load_config(task->config_path);
		if (task->config == NULL)
			return CLI_EXIT_USAGE;
	}
	task->path = task->users_path != NULL ? task->users_path : task->config->users.file;
	if (task->path != NULL)
		return -1;
	cli_complain("%s names no users file: \"users { file /etc/frank/users; }\" does, or "
		     "--users FILE",
	    task->config->file);
	return CLI_EXIT_USAGE;
}

int cli_user(int argc, char **argv)
{
	struct task task = { 0 };
	int status = CLI_EXIT_DONE;
	int operands = cli_read_options(&cli_user_command, argc, argv, &task, &status);
	if (operands < 0)
		return status;
	if (operands == 0)
		return cli_usage("user", "add, list, remove, passwd or check?");
	const struct verb *verb = find_verb(argv[1]);
	if (verb == NULL)
		return cli_usage("user", "%s is none of add, list, remove, passwd, check", argv[1]);
	task.name = verb->names_user && operands > 1 ? argv[2] : NULL;
	status = check_arguments(verb, operands, &task);
	if (status < 0)
		status = find_file(&task);
	if (status < 0)
		status = verb->run(&task);
	config_unref(&task.config);
	return status;
}

const struct cli_command cli_user_command = {
	.name = "user",
	.synopsis = "VERB [NAME] [OPTION …]",
	.summary = "who may sign in at the relay",
	.about = "  add NAME       a new user; says what to enter in a mail program\n"
		 "  passwd NAME    a new password; the old hash and SCRAM verifier go\n"
		 "  check NAME     is this the password? exit status 0 or 1; and which\n"
		 "                 mechanisms the entry can serve\n"
		 "  remove NAME\n"
		 "  list\n"
		 "\n"
		 "A running relay takes a change over when it reloads.\n",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.run = cli_user,
};
