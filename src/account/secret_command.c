/* SPDX-License-Identifier: MIT */
#include "account/secret_command.h"

#include "base/escape.h"
#include "base/memory.h"
#include "base/moment.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
	COMPLAINT_MAX = 1024,
	GROUPS_MAX = 256,
	EXEC_FAILED = 127,
	LOOK_MS = 20,
	LAST_READS_MAX = 64
};

struct run {
	const char *program;
	pid_t pid;
	int out, err;       /* our ends; -1: closed */
	struct buf printed; /* secret */
	struct buf said;
	int64_t deadline_ms;
	bool late, too_much;
	int status;
};

/* ---- the child ---- */

struct child {
	const char *const *argv;
	const struct secret_command_user *user;
	gid_t groups[GROUPS_MAX];
	int group_count;
	int null, out, err;
};

static void reset_signals(void)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	signal(SIGPIPE, SIG_DFL);
	signal(SIGHUP, SIG_DFL);
	signal(SIGINT, SIG_DFL);
	signal(SIGTERM, SIG_DFL);
}

/* Between fork and exec: only what is safe there in a process with threads. */
static void become(const struct child *child)
{
	const char *text;

	reset_signals();
	setsid();
	if (child->user && (setgroups((size_t)child->group_count, child->groups) != 0 ||
			       setgid(child->user->gid) != 0 || setuid(child->user->uid) != 0))
		_exit(EXEC_FAILED);
	if (dup2(child->null, STDIN_FILENO) < 0 || dup2(child->out, STDOUT_FILENO) < 0 ||
	    dup2(child->err, STDERR_FILENO) < 0)
		_exit(EXEC_FAILED);
	execvp(child->argv[0], (char *const *)child->argv);
	text = strerrordesc_np(errno);
	if (text && write(STDERR_FILENO, text, strlen(text)) < 0)
		_exit(EXEC_FAILED);
	_exit(EXEC_FAILED);
}

static void find_groups(struct child *child)
{
	child->group_count = GROUPS_MAX;
	if (child->user && getgrouplist(child->user->name, child->user->gid, child->groups,
			       &child->group_count) < 0) {
		child->groups[0] = child->user->gid;
		child->group_count = 1;
	}
}

/* ---- the parent ---- */

static bool fail(struct fault *fault, const char *program, const char *what)
{
	fault_set(fault, FAULT_LOCAL, "%s: %s: %s", program, what, strerror(errno));
	return false;
}

static bool start(struct run *run, struct child *child, struct fault *fault)
{
	int out[2] = { -1, -1 }, err[2] = { -1, -1 };
	bool piped = pipe2(out, O_CLOEXEC) == 0 && pipe2(err, O_CLOEXEC) == 0;

	child->null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	child->out = out[1];
	child->err = err[1];
	find_groups(child);
	run->pid = piped && child->null >= 0 ? fork() : -1;
	if (run->pid == 0)
		become(child);
	if (run->pid < 0)
		fail(fault, run->program, "cannot be started");
	close(child->null);
	close(out[1]);
	close(err[1]);
	run->out = out[0];
	run->err = err[0];
	return run->pid > 0;
}

/* What does not fit is read and dropped; for the secret that is an error. */
static void take(struct run *run, int *fd, struct buf *b)
{
	char bytes[4096];
	ssize_t n = read(*fd, bytes, sizeof(bytes));

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		close(*fd);
		*fd = -1;
		return;
	}
	if (!buf_append(b, span_of(bytes, (size_t)n)) && b == &run->printed)
		run->too_much = true;
	mem_wipe(bytes, sizeof(bytes));
}

/* Not yet reaped: its number is still its own. */
static bool has_ended(const struct run *run)
{
	siginfo_t info = { 0 };

	return waitid(P_PID, (id_t)run->pid, &info, WEXITED | WNOHANG | WNOWAIT) != 0 ||
	       info.si_pid == run->pid;
}

/* Until both ends are closed, or the program has ended and what it wrote is read: something that it
   has left behind may hold them open, and go on writing. */
static void listen_to(struct run *run)
{
	unsigned left = LAST_READS_MAX;

	while ((run->out >= 0 || run->err >= 0) && !run->too_much && left > 0) {
		struct pollfd fds[2] = { { run->out, POLLIN, 0 }, { run->err, POLLIN, 0 } };
		bool ended = has_ended(run);

		run->late = moment_monotonic_ms() >= run->deadline_ms;
		if (run->late || (poll(fds, 2, ended ? 0 : LOOK_MS) == 0 && ended))
			return;
		if (fds[0].revents)
			take(run, &run->out, &run->printed);
		if (fds[1].revents)
			take(run, &run->err, &run->said);
		left -= ended;
	}
}

/* The end of its output may come before its own. Whatever it has left behind in its session is
   ended, too. */
static void reap(struct run *run)
{
	while (!run->late && !run->too_much && !has_ended(run)) {
		run->late = moment_monotonic_ms() >= run->deadline_ms;
		poll(NULL, 0, LOOK_MS);
	}
	kill(-run->pid, SIGKILL);
	while (waitpid(run->pid, &run->status, 0) < 0 && errno == EINTR)
		;
}

static void close_ends(struct run *run)
{
	if (run->out >= 0)
		close(run->out);
	if (run->err >= 0)
		close(run->err);
}

/* ": what it said", or nothing. */
static const char *complaint(const struct run *run, char out[400])
{
	struct span said = span_trim(buf_span(&run->said)), line;

	out[0] = '\0';
	if (!span_take_until(&said, '\n', &line) || line.len == 0)
		return out;
	out[0] = ':';
	out[1] = ' ';
	escape_to(out + 2, 398, line);
	return out;
}

static bool explain(const struct run *run, struct fault *fault)
{
	char said[400];

	if (run->late)
		fault_set(fault, FAULT_LOCAL, "%s has not ended after %d s%s", run->program,
		    SECRET_COMMAND_MS / 1000, complaint(run, said));
	else if (run->too_much)
		fault_set(fault, FAULT_LOCAL, "%s prints more than %d KiB: that is no secret",
		    run->program, SECRET_COMMAND_OUTPUT_MAX / 1024);
	else if (WIFSIGNALED(run->status))
		fault_set(fault, FAULT_LOCAL, "%s was ended by signal %d%s", run->program,
		    WTERMSIG(run->status), complaint(run, said));
	else if (WEXITSTATUS(run->status) != 0)
		fault_set(fault, FAULT_LOCAL, "%s failed with exit status %d%s", run->program,
		    WEXITSTATUS(run->status), complaint(run, said));
	else
		return true;
	return false;
}

static bool take_first_line(const struct run *run, struct buf *out, struct fault *fault)
{
	struct span all = buf_span(&run->printed), line = { 0 };

	span_take_until(&all, '\n', &line);
	if (line.len > 0 && line.data[line.len - 1] == '\r')
		line.len--;
	if (line.len == 0)
		fault_set(fault, FAULT_LOCAL, "%s prints an empty first line: a secret is expected",
		    run->program);
	else if (span_find(line, '\0') != line.len)
		fault_set(fault, FAULT_LOCAL,
		    "%s prints a NUL byte: that is no secret in text "
		    "form",
		    run->program);
	else if (line.len > SECRET_MAX_BYTES || !buf_append(out, line))
		fault_set(fault, FAULT_LOCAL, "%s prints a line that is too long for a secret",
		    run->program);
	else
		return true;
	return false;
}

bool account_secret_run(const char *const *argv, const struct secret_command_user *user,
    struct buf *out, struct fault *fault_out)
{
	struct child child = { .argv = argv, .user = user };
	struct run run = {
		.program = argv[0],
		.out = -1,
		.err = -1,
		.status = EXEC_FAILED << 8,
		.deadline_ms = moment_monotonic_ms() + SECRET_COMMAND_MS,
	};
	bool good;

	buf_init_secret(&run.printed, SECRET_COMMAND_OUTPUT_MAX);
	buf_init(&run.said, COMPLAINT_MAX);
	good = start(&run, &child, fault_out);
	if (good) {
		listen_to(&run);
		reap(&run);
		good = explain(&run, fault_out) && take_first_line(&run, out, fault_out);
	}
	close_ends(&run);
	buf_fini(&run.printed);
	buf_fini(&run.said);
	return good;
}
