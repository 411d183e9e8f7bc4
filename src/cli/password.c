/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

#include "account/secret.h"
#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <termios.h>
#include <unistd.h>

/* ---- from a file ---- */

/* A file with several lines is some other file, given by mistake. */
static bool is_one_line(struct span password)
{
	return span_find(password, '\n') == password.len &&
	       span_find(password, '\r') == password.len;
}

static bool read_from_file(const char *path, struct buf *out)
{
	bool exposed = false;
	struct fault fault;
	bool standard_input = strcmp(path, "-") == 0;
	const char *name = standard_input ? "standard input" : path;
	struct buf password;
	buf_init_secret(&password, SECRET_MAX_BYTES);
	bool done = standard_input
			? account_secret_read_fd(STDIN_FILENO, name, &password, &exposed, &fault)
			: account_secret_read(path, &password, &exposed, &fault);
	if (!done) {
		cli_complain("%s", fault.text);
	} else if (!is_one_line(buf_span(&password))) {
		cli_complain("%s has more than one line: a password is expected there", name);
		done = false;
	} else if (password.len > CLI_PASSWORD_MAX_BYTES || !buf_append(out, buf_span(&password))) {
		cli_complain(
		    "the password in %s is longer than %d bytes", name, CLI_PASSWORD_MAX_BYTES);
		done = false;
	}
	if (done && exposed)
		cli_complain("warning: everybody on this machine can read %s", path);
	buf_fini(&password);
	return done;
}

/* ---- from the terminal ---- */

/* The terminal without its echo. Signals that would end the program wait until it is put back. */
struct prompt {
	int tty, signals;
	struct termios before;
	sigset_t mask_before;
};

enum line_result { LINE_DONE, LINE_ENDED, LINE_TOO_LONG, LINE_INTERRUPTED };

static bool prompt_open(struct prompt *p)
{
	p->tty = open("/dev/tty", O_RDWR | O_CLOEXEC | O_NOCTTY);
	if (p->tty < 0 || tcgetattr(p->tty, &p->before) != 0) {
		if (p->tty >= 0)
			close(p->tty);
		return false;
	}
	sigset_t ending;
	sigemptyset(&ending);
	sigaddset(&ending, SIGINT);
	sigaddset(&ending, SIGTERM);
	sigaddset(&ending, SIGHUP);
	sigaddset(&ending, SIGQUIT);
	p->signals = signalfd(-1, &ending, SFD_CLOEXEC);
	if (p->signals < 0) {
		close(p->tty);
		return false;
	}
	sigaddset(&ending, SIGTSTP);
	sigprocmask(SIG_BLOCK, &ending, &p->mask_before);
	struct termios silent = p->before;
	silent.c_lflag &= ~(tcflag_t)(ECHO | ECHOE | ECHOK | ECHONL);
	silent.c_lflag |= ICANON | ISIG;
	tcsetattr(p->tty, TCSAFLUSH, &silent);
	return true;
}

/* A signal that came meanwhile does its work when the mask is set back. */
static void prompt_close(struct prompt *p)
{
	tcsetattr(p->tty, TCSAFLUSH, &p->before);
	close(p->tty);
	close(p->signals);
	sigprocmask(SIG_SETMASK, &p->mask_before, NULL);
}

static void say(const struct prompt *p, const char *text)
{
	ssize_t written = write(p->tty, text, strlen(text));
	(void)written; /* a terminal that does not show the prompt still reads */
}

/* One line in canonical mode; a line that is too long is read to its end. */
static enum line_result read_line(const struct prompt *p, struct buf *out)
{
	struct pollfd wait_for[] = {
		{ .fd = p->tty, .events = POLLIN },
		{ .fd = p->signals, .events = POLLIN },
	};
	bool fits = true;
	for (;;) {
		if (poll(wait_for, 2, -1) < 0 && errno != EINTR)
			return LINE_ENDED;
		if (wait_for[1].revents != 0)
			return LINE_INTERRUPTED;
		char piece[256];
		ssize_t n = read(p->tty, piece, sizeof(piece));
		if (n <= 0)
			return n < 0 && errno == EINTR ? LINE_INTERRUPTED : LINE_ENDED;
		size_t len = (size_t)n;
		bool whole = piece[len - 1] == '\n';
		fits = fits && buf_append(out, span_of(piece, len - whole));
		mem_wipe(piece, sizeof(piece));
		if (whole)
			return fits ? LINE_DONE : LINE_TOO_LONG;
	}
}

static bool ask(const struct prompt *p, const char *prompt, struct buf *out)
{
	say(p, prompt);
	say(p, ": ");
	enum line_result result = read_line(p, out);
	say(p, "\n");
	switch (result) {
	case LINE_DONE:
		if (out->len > 0)
			return true;
		cli_complain("no password was entered");
		return false;
	case LINE_ENDED:
		cli_complain("no password was entered");
		return false;
	case LINE_TOO_LONG:
		cli_complain("a password has at most %d bytes", CLI_PASSWORD_MAX_BYTES);
		return false;
	case LINE_INTERRUPTED:
		break;
	}
	cli_complain("interrupted");
	return false;
}

static bool ask_both(
    const struct prompt *p, const struct cli_password_source *source, struct buf *password)
{
	if (!ask(p, source->prompt, password))
		return false;
	if (!source->twice)
		return true;
	struct buf again;
	buf_init_secret(&again, CLI_PASSWORD_MAX_BYTES);
	bool same = ask(p, "The same again", &again);
	if (same && !span_equal_secret(buf_span(password), buf_span(&again))) {
		cli_complain("the two are not the same");
		same = false;
	}
	buf_fini(&again);
	return same;
}

static bool read_from_terminal(const struct cli_password_source *source, struct buf *out)
{
	struct prompt p;
	if (!prompt_open(&p)) {
		cli_complain("there is no terminal to ask for a password on: --password-file FILE "
			     "gives one (- is standard input)");
		return false;
	}
	struct buf password;
	buf_init_secret(&password, CLI_PASSWORD_MAX_BYTES);
	bool done = ask_both(&p, source, &password) && buf_append(out, buf_span(&password));
	buf_fini(&password);
	prompt_close(&p);
	return done;
}

bool cli_password_read(const struct cli_password_source *source, struct buf *out)
{
	if (source->file != NULL)
		return read_from_file(source->file, out);
	return read_from_terminal(source, out);
}
