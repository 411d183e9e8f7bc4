/* SPDX-License-Identifier: MIT */

/*
 * Addresses and paths of any bytes: what is valid lies within the text, keeps to the limits, can be
 * parsed again to the same, and holds nothing that could end a command.
 */

#include "smtp/command.h"

#include <assert.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_address(struct span text, const struct smtp_address *address)
{
	struct smtp_address again;

	assert(address->mailbox.len <= SMTP_MAILBOX_MAX);
	assert(address->local.len > 0 && address->local.len <= SMTP_LOCAL_PART_MAX);
	assert(address->domain.len <= SMTP_DOMAIN_MAX);
	assert(address->mailbox.data >= text.data);
	assert(address->mailbox.data + address->mailbox.len <= text.data + text.len);
	for (size_t i = 0; i < address->mailbox.len; i++)
		assert(address->mailbox.data[i] >= ' ' && address->mailbox.data[i] <= '~');
	/* The end of the address as others will find it, between brackets. */
	assert(smtp_address_extent(address->mailbox, SPAN(">")) == address->mailbox.len);
	assert(smtp_address_parse(address->mailbox, &again) == SMTP_ADDRESS_VALID);
	assert(
	    span_equal(again.local, address->local) && span_equal(again.domain, address->domain));
	assert(address->is_literal == (address->domain.len > 0 && address->domain.data[0] == '['));
}

static void check_local(const struct smtp_address *address)
{
	struct buf b;

	buf_init(&b, SMTP_LOCAL_PART_MAX);
	assert(smtp_address_append_local(&b, address));
	assert(b.len <= address->local.len);
	buf_fini(&b);
}

static void check_path(struct span text, struct span keyword)
{
	struct smtp_parameter parameter;
	struct smtp_path path;
	size_t count = 0;

	if (!smtp_path_parse(text, keyword, &path)) {
		assert(path.flaw != SMTP_PATH_VALID);
		return;
	}
	if (!path.address.is_null)
		check_address(text, &path.address);
	while (smtp_parameter_take(&path.parameters, &parameter) != SMTP_PARAMETER_NONE_LEFT)
		assert(++count <= text.len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = span_of(data, size);
	struct smtp_address address;

	if (smtp_address_parse(text, &address) == SMTP_ADDRESS_VALID) {
		check_address(text, &address);
		check_local(&address);
	}
	check_path(text, SPAN("FROM"));
	check_path(text, SPAN("TO"));
	return 0;
}
