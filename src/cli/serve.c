/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

#include "base/memory.h"
#include "relay/bind.h"
#include "relay/control.h"
#include "relay/events.h"

#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define LANES_MAX 60
#define PROBLEMS_MAX (256 * 1024)

/* ---- reading the configuration anew ---- */

static const struct config *load_again(void *context, struct buf *problems_out)
{
	struct config_report *report = MEM_NEW(struct config_report);
	const struct config *config;

	config_report_init(report);
	config = cli_read_config(context, report);
	config_report_format(report, problems_out);
	config_report_fini(report);
	mem_free(report);
	return config;
}

/* ---- privileges ---- */

static bool fail(const char *what, const char *path)
{
	cli_complain("%s %s: %s", what, path, strerror(errno));
	return false;
}

/* What the relay will have to write as NAME must be NAME's before it is no longer root. */
static bool give_spool(const struct config *config, const struct passwd *user)
{
	const char *path = config->spool.path;
	struct stat status;

	if (mkdir(path, 0700) != 0 && errno != EEXIST)
		return fail("cannot make the spool", path);
	if (stat(path, &status) != 0)
		return fail("cannot look at the spool", path);
	if (status.st_uid != user->pw_uid && chown(path, user->pw_uid, user->pw_gid) != 0)
		return fail("cannot give the spool to the user", path);
	if (config->log.target == LOG_TARGET_FILE &&
	    chown(config->log.path, user->pw_uid, user->pw_gid) != 0)
		return fail("cannot give the log to the user", config->log.path);
	return true;
}

/* Tokens and what is learned of hops. The relay works without the directory as long as no account
   needs it, so this is no reason not to start: whoever wants to write there says so. */
static void make_state(const char *path, mode_t mode, const struct passwd *user)
{
	struct stat status;

	if (mkdir(path, mode) != 0 && errno != EEXIST)
		return;
	if (user && stat(path, &status) == 0 && status.st_uid != user->pw_uid &&
	    chown(path, user->pw_uid, user->pw_gid) != 0)
		fail("warning: cannot give the state to the user", path);
}

static void make_states(const struct config *config, const struct passwd *user)
{
	struct buf tokens;

	buf_init(&tokens, 4096);
	buf_printf(&tokens, "%s/tokens", config->state.path);
	make_state(config->state.path, 0750, user);
	make_state(buf_string(&tokens), 0700, user);
	buf_fini(&tokens);
}

static bool drop_privileges(const struct config *config)
{
	const struct passwd *user;

	if (!config->user) {
		make_states(config, NULL);
		if (geteuid() == 0)
			cli_complain("warning: running as root; \"user NAME;\" in the "
				     "configuration lets it drop that after binding");
		return true;
	}
	user = getpwnam(config->user);
	if (!user) {
		cli_complain("user %s: there is no such user on this machine", config->user);
		return false;
	}
	make_states(config, geteuid() == 0 ? user : NULL);
	if (geteuid() == user->pw_uid)
		return true;
	if (geteuid() != 0) {
		cli_complain("user %s: only root can become another user", config->user);
		return false;
	}
	if (!give_spool(config, user))
		return false;
	if (initgroups(user->pw_name, user->pw_gid) != 0 || setgid(user->pw_gid) != 0 ||
	    setuid(user->pw_uid) != 0)
		return fail("cannot become the user", config->user);
	return true;
}

static void raise_descriptor_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
		limit.rlim_cur = limit.rlim_max;
		setrlimit(RLIMIT_NOFILE, &limit);
	}
}

/* ---- start ---- */

static unsigned count_lanes(const struct config *config)
{
	long cores = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned lanes = config->lanes ? config->lanes : cores > 0 ? (unsigned)cores : 1;

	return lanes < LANES_MAX ? lanes : LANES_MAX;
}

static const struct setup *load_setup(const struct config *config)
{
	struct buf problems;
	const struct setup *setup;

	buf_init(&problems, PROBLEMS_MAX);
	setup = setup_create(config, NULL, &problems);
	fprintf(stderr, "%s", buf_string(&problems));
	buf_fini(&problems);
	return setup;
}

static bool open_all(
    const struct config *config, const struct control_options *options, struct fault *fault)
{
	return log_open(config->log.target, config->log.path, config->log.json, fault) &&
	       control_bind(config, options->lane_count, options->sockets, fault);
}

/* Takes the setup and the sockets. */
static int run(const struct config *config, struct control_options *options)
{
	struct fault fault = { 0 };
	bool good;

	if (!open_all(config, options, &fault)) {
		cli_complain("%s", fault.text);
		setup_unref(&options->setup);
		return CLI_EXIT_LOCAL;
	}
	if (!drop_privileges(config)) {
		bind_close(options->sockets, options->lane_count);
		setup_unref(&options->setup);
		return CLI_EXIT_USAGE;
	}
	prctl(PR_SET_DUMPABLE, 0); /* secrets do not go into core dumps */
	log_start_writer();
	good = control_run(options, &fault);
	log_close();
	if (!good)
		cli_complain("%s", fault.text);
	return good ? CLI_EXIT_DONE : CLI_EXIT_LOCAL;
}

/* Takes the configuration. */
static int serve(const struct config *config)
{
	struct control_sockets sockets;
	char *file = mem_strdup(config->file);
	struct control_options options = {
		.setup = load_setup(config),
		.sockets = &sockets,
		.lane_count = count_lanes(config),
		.load = load_again,
		.load_context = file,
	};
	int status = CLI_EXIT_USAGE;

	if (options.setup)
		status = run(config, &options);
	else
		config_unref(&config);
	mem_free(file);
	return status;
}

struct task {
	const char *config;
};

static const struct cli_option options[] = {
	CLI_OPTION_CONFIG(struct task, config),
};

static int run_serve(int argc, char **argv)
{
	struct task task = { 0 };
	int status = CLI_EXIT_DONE;
	int operands = cli_read_options(&cli_serve_command, argc, argv, &task, &status);
	const struct config *config;

	if (operands < 0)
		return status;
	if (operands > 0)
		return cli_usage("serve", "unexpected argument: %s", argv[1]);
	config = cli_load_config(task.config);
	if (!config)
		return CLI_EXIT_USAGE;
	raise_descriptor_limit();
	return serve(config);
}

const struct cli_command cli_serve_command = {
	.name = "serve",
	.synopsis = "[-c FILE]",
	.summary = "the relay, in the foreground",
	.about = "SIGTERM ends it gracefully, SIGHUP reloads the configuration and certificates.\n",
	.options = options,
	.option_count = ARRAY_LEN(options),
	.run = run_serve,
};
