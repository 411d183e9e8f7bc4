/* SPDX-License-Identifier: MIT */
#include "cli/cli.h"

#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- what config_load() asks for ---- */

static bool fail(struct fault *fault_out, const char *text)
{
	fault_set(fault_out, FAULT_LOCAL, "%s", text);
	return false;
}

static bool read_open_file(int fd, struct buf *out, struct fault *fault_out)
{
	struct stat status;
	if (fstat(fd, &status) != 0)
		return fail(fault_out, strerror(errno));
	if (S_ISDIR(status.st_mode))
		return fail(fault_out, strerror(EISDIR));
	char piece[16384];
	for (;;) {
		ssize_t n = read(fd, piece, sizeof(piece));
		if (n == 0)
			return true;
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return fail(fault_out, strerror(errno));
		if (!buf_append(out, span_of(piece, (size_t)n)))
			return fail(fault_out, "it is larger than a configuration may be");
	}
}

static bool read_file(void *context, const char *path, struct buf *out, struct fault *fault_out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return fail(fault_out, strerror(errno));
	bool done = read_open_file(fd, out, fault_out);
	close(fd);
	return done;
}

static const char *variable(void *context, const char *name)
{
	return getenv(name);
}

static bool list_files(
    void *context, const char *pattern, struct buf *paths_out, struct fault *fault_out)
{
	glob_t found;
	int result = glob(pattern, GLOB_ERR, NULL, &found);
	if (result == GLOB_NOMATCH)
		return true;
	if (result != 0)
		return fail(fault_out, result == GLOB_NOSPACE ? strerror(ENOMEM) : strerror(errno));
	bool fits = true;
	for (size_t i = 0; i < found.gl_pathc && fits; i++)
		fits = buf_append(
		    paths_out, span_of(found.gl_pathv[i], strlen(found.gl_pathv[i]) + 1));
	globfree(&found);
	return fits || fail(fault_out, "too many files fit the pattern");
}

const struct config_source *cli_config_source(void)
{
	static const struct config_source source = {
		.read_file = read_file,
		.variable = variable,
		.list_files = list_files,
	};
	return &source;
}

/* ---- which file ---- */

char *cli_find_config(const char *path)
{
	if (path != NULL)
		return mem_strdup(path);
	const char *named = getenv("FRANK_CONF");
	if (named != NULL && named[0] != '\0')
		return mem_strdup(named);
	const char *home = getenv("HOME");
	if (home != NULL && home[0] == '/') {
		struct buf own;
		buf_init(&own, 4096);
		bool there = buf_printf(&own, "%s/.config/frank/frank.conf", home) &&
			     access(buf_string(&own), F_OK) == 0;
		char *result = there ? buf_take_string(&own) : NULL;
		buf_fini(&own);
		if (result != NULL)
			return result;
	}
	static const char system_wide[] = "/etc/frank/frank.conf";
	if (access(system_wide, F_OK) == 0)
		return mem_strdup(system_wide);
	cli_complain("there is no configuration: -c FILE, $FRANK_CONF, "
		     "~/.config/frank/frank.conf or /etc/frank/frank.conf");
	return NULL;
}

/* ---- the machine's name ---- */

static char *own_name(void)
{
	char name[256] = "";
	if (gethostname(name, sizeof(name) - 1) != 0 || name[0] == '\0')
		return NULL;
	return mem_strdup(name);
}

/* The fully qualified form of a name without a dot; NULL when the resolver knows none. */
static char *qualified_name(const char *name)
{
	struct addrinfo hints = { .ai_flags = AI_CANONNAME, .ai_socktype = SOCK_STREAM };
	struct addrinfo *found;
	if (getaddrinfo(name, NULL, &hints, &found) != 0)
		return NULL;
	const char *canonical = found->ai_canonname;
	char *result =
	    canonical != NULL && strchr(canonical, '.') != NULL ? mem_strdup(canonical) : NULL;
	freeaddrinfo(found);
	return result;
}

char *cli_machine_name(void)
{
	char *name = own_name();
	char *better = name != NULL && strchr(name, '.') == NULL ? qualified_name(name) : NULL;
	if (better == NULL)
		return name;
	mem_free(name);
	return better;
}

/* The resolver, which may be slow, is asked only when the file leaves the name to the machine and
   the machine's own name is a single label. */
const struct config *cli_read_config(const char *path, struct config_report *report)
{
	char *name = own_name();
	const struct config *config = config_load(cli_config_source(), path, name, report);
	bool needs_more = config != NULL && name != NULL && strchr(name, '.') == NULL &&
			  strcmp(config->hostname, name) == 0;
	char *better = needs_more ? qualified_name(name) : NULL;
	if (better != NULL) {
		config_unref(&config);
		config_report_fini(report);
		config_report_init(report);
		config = config_load(cli_config_source(), path, better, report);
	}
	mem_free(better);
	mem_free(name);
	return config;
}

static void print_report(const struct config_report *report)
{
	struct buf text;
	buf_init(&text, 8 * 1024 * 1024);
	if (!config_report_format(report, &text))
		cli_complain("the list of problems is too long to be shown whole");
	struct span shown = buf_span(&text);
	fwrite(shown.data, 1, shown.len, stderr);
	buf_fini(&text);
}

const struct config *cli_load_config(const char *path)
{
	char *found = cli_find_config(path);
	if (found == NULL)
		return NULL;
	struct config_report report;
	config_report_init(&report);
	const struct config *config = cli_read_config(found, &report);
	if (report.count > 0)
		print_report(&report);
	config_report_fini(&report);
	mem_free(found);
	return config;
}
