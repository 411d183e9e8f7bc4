/* SPDX-License-Identifier: MIT */
#include "fixture.h"

#include "../config/memory_source.h"

#include "base/memory.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void directory_make(struct directory *directory)
{
	snprintf(directory->path, sizeof(directory->path), "/tmp/frank-relay-XXXXXX");
	assert_non_null(mkdtemp(directory->path));
}

static int remove_one(const char *path, const struct stat *status, int type, struct FTW *at)
{
	return remove(path);
}

void directory_remove(struct directory *directory)
{
	nftw(directory->path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

const char *directory_path(const struct directory *directory, const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", directory->path, name);
	return path;
}

const char *directory_write(struct directory *directory, const char *name, const char *text)
{
	const char *path = directory_path(directory, name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	close(fd);
	return path;
}

const struct config *fixture_config(const char *text)
{
	struct config_report report;
	const struct config *config;
	struct buf whole;

	buf_init(&whole, 65536);
	buf_printf(&whole, "hostname relay.example.org;\n%s", text);
	config = memory_load(buf_span(&whole), &report);
	if (!config)
		memory_print(&report);
	config_report_fini(&report);
	buf_fini(&whole);
	assert_non_null(config);
	return config;
}

const struct setup *fixture_setup(const char *text)
{
	const struct config *config = fixture_config(text);
	const struct setup *setup;
	struct buf problems;

	buf_init(&problems, 65536);
	setup = setup_create(config, NULL, &problems);
	if (!setup)
		fail_msg("%s", buf_string(&problems));
	buf_fini(&problems);
	return setup;
}

struct spool_delivery *fixture_delivery(
    const char *reverse_path, const char *hop, const char *const *recipients, unsigned flags)
{
	struct spool_envelope envelope = {
		.reverse_path = span_from_string(reverse_path),
		.client = SPAN("192.0.2.7"),
		.listener = SPAN("lan"),
		.flags = flags,
		.received_ms = FIXTURE_RECEIVED,
	};
	struct spool_message *message = spool_message_create(4711, &envelope);
	struct spool_delivery *delivery = spool_delivery_create(message, span_from_string(hop));

	for (; *recipients; recipients++)
		assert_true(spool_delivery_add(delivery, span_from_string(*recipients)));
	spool_message_unref(&message);
	return delivery;
}
