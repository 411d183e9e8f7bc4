/* SPDX-License-Identifier: MIT */
#include "account/secret.h"

#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Room for the longest secret with a CRLF behind it, and for one byte that is too much. */
enum { FILE_MAX = SECRET_MAX_BYTES + 3 };

static bool read_some(
    int fd, const char *name, char content[FILE_MAX], size_t *len_out, struct fault *fault_out)
{
	size_t len = 0;
	while (len < FILE_MAX) {
		ssize_t n = read(fd, content + len, FILE_MAX - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0) {
			fault_set(
			    fault_out, FAULT_LOCAL, "%s cannot be read: %s", name, strerror(errno));
			return false;
		}
		if (n == 0)
			break;
		len += (size_t)n;
	}
	*len_out = len;
	return true;
}

static struct span without_line_end(struct span s)
{
	if (s.len > 0 && s.data[s.len - 1] == '\n') {
		s.len--;
		if (s.len > 0 && s.data[s.len - 1] == '\r')
			s.len--;
	}
	return s;
}

/* What is wrong with a secret, to stand behind the file's name; NULL if nothing. */
static const char *secret_fault(struct span secret)
{
	if (secret.len == 0)
		return "is empty: a secret is expected there";
	if (secret.len > SECRET_MAX_BYTES)
		return "is larger than 4 KiB: that is no secret";
	if (span_find(secret, '\0') != secret.len)
		return "contains a NUL byte: that is no secret in text form";
	return NULL;
}

bool account_secret_read_fd(
    int fd, const char *name, struct buf *out, bool *exposed_out, struct fault *fault_out)
{
	struct stat status;
	bool exposed =
	    fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && (status.st_mode & S_IROTH) != 0;
	char content[FILE_MAX];
	size_t len;
	if (!read_some(fd, name, content, &len, fault_out))
		return false;
	struct span secret = without_line_end(span_of(content, len));
	const char *wrong = secret_fault(secret);
	if (wrong == NULL && !buf_append(out, secret))
		wrong = "is longer than what is wanted there may be";
	mem_wipe(content, sizeof(content));
	if (wrong != NULL) {
		fault_set(fault_out, FAULT_LOCAL, "%s %s", name, wrong);
		return false;
	}
	if (exposed_out != NULL)
		*exposed_out = exposed;
	return true;
}

bool account_secret_read(
    const char *path, struct buf *out, bool *exposed_out, struct fault *fault_out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0) {
		fault_set(fault_out, FAULT_LOCAL, "%s cannot be opened: %s", path, strerror(errno));
		return false;
	}
	bool done = account_secret_read_fd(fd, path, out, exposed_out, fault_out);
	close(fd);
	return done;
}
