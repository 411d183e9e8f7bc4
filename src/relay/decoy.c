/* SPDX-License-Identifier: MIT */
#include "relay/decoy.h"

#include "base/file.h"
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

void decoy_key_load(const char *state_path, char out[ACCOUNT_SIGNIN_DECOY_KEY])
{
	char path[4096];

	if ((size_t)snprintf(path, sizeof(path), "%s/decoy.key", state_path) < sizeof(path) &&
	    read_key(path, out))
		return;
	random_bytes(out, ACCOUNT_SIGNIN_DECOY_KEY);
	/* What cannot be written is of use all the same, until the next start. */
	file_replace(path, 0600, span_of(out, ACCOUNT_SIGNIN_DECOY_KEY));
}
