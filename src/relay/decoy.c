/* SPDX-License-Identifier: MIT */
#include "relay/decoy.h"

#include "base/random.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static bool read_key(const char *path, char out[ACCOUNT_SIGNIN_DECOY_KEY])
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	ssize_t len = fd < 0 ? -1 : read(fd, out, ACCOUNT_SIGNIN_DECOY_KEY);

	if (fd >= 0)
		close(fd);
	return len == ACCOUNT_SIGNIN_DECOY_KEY;
}

/* What cannot be written is of use all the same, until the next start. */
static void write_key(const char *path, const char key[ACCOUNT_SIGNIN_DECOY_KEY])
{
	char temporary[4096 + 8];
	bool done;
	int fd;

	snprintf(temporary, sizeof(temporary), "%s.new", path);
	unlink(temporary);
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return;
	done =
	    write(fd, key, ACCOUNT_SIGNIN_DECOY_KEY) == ACCOUNT_SIGNIN_DECOY_KEY && fsync(fd) == 0;
	done = close(fd) == 0 && done;
	if (!done || rename(temporary, path) != 0)
		unlink(temporary);
}

void decoy_key_load(const char *state_path, char out[ACCOUNT_SIGNIN_DECOY_KEY])
{
	char path[4096];

	if ((size_t)snprintf(path, sizeof(path), "%s/decoy.key", state_path) < sizeof(path) &&
	    read_key(path, out))
		return;
	random_bytes(out, ACCOUNT_SIGNIN_DECOY_KEY);
	write_key(path, out);
}
