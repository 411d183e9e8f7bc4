/* SPDX-License-Identifier: MIT */

/*
 * Addresses and paths of any bytes: what is valid lies within the text, keeps to the limits, can be
 * parsed again to the same, and holds nothing that could end a command. One with letters outside
 * ASCII has a form whose domain is ASCII, and that form is an address, too.
 */

#include "smtp/command.h"
#include "smtp/domain.h"
#include "smtp/notify.h"

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
	for (size_t i = 0; i < address->mailbox.len; i++) {
		unsigned char c = (unsigned char)address->mailbox.data[i];

		assert((c >= ' ' && c <= '~') || (address->is_eight_bit && c > 127));
	}
	/* The end of the address as others will find it, between brackets. */
	assert(smtp_address_extent(address->mailbox, SPAN(">")) == address->mailbox.len);
	assert(smtp_address_parse_utf8(address->mailbox, &again) == SMTP_ADDRESS_VALID);
	assert(
	    span_equal(again.local, address->local) && span_equal(again.domain, address->domain));
	assert(address->is_literal == (address->domain.len > 0 && address->domain.data[0] == '['));
}

static void check_forms(const struct smtp_address *address)
{
	struct smtp_address again;
	struct buf b;
	bool has_ascii;

	buf_init(&b, 1000);
	assert(smtp_mailbox_append_comparable(&b, address->mailbox));
	assert(smtp_address_parse_utf8(buf_span(&b), &again) == SMTP_ADDRESS_VALID ||
	       b.len > SMTP_MAILBOX_MAX);
	if (b.len <= SMTP_MAILBOX_MAX) {
		assert(span_equal(again.local, address->local));
		assert(smtp_text_is_ascii(again.domain));
		assert((again.domain.len > 0) == (address->domain.len > 0));
	}
	buf_clear(&b);
	has_ascii = smtp_mailbox_append_ascii(&b, address->mailbox);
	assert(has_ascii == smtp_text_is_ascii(address->local));
	assert(smtp_text_is_ascii(buf_span(&b)));
	buf_fini(&b);
}

/* What is valid can be sent again, and decoded it holds no control characters. */
static void check_parameter(const struct smtp_parameter *parameter)
{
	char text[SMTP_NOTIFY_TEXT_MAX];
	unsigned notify, again;
	struct buf b;

	if (smtp_notify_parse(parameter->value, &notify)) {
		assert(
		    smtp_notify_parse(span_from_string(smtp_notify_format(notify, text)), &again));
		assert(notify == again);
	}
	if (!smtp_orcpt_is_valid(parameter->value, true) && !smtp_envid_is_valid(parameter->value))
		return;
	buf_init(&b, SMTP_ORCPT_MAX);
	assert(smtp_xtext_decode(parameter->value, &b));
	for (size_t i = 0; i < b.len; i++)
		assert((unsigned char)b.data[i] >= ' ' && b.data[i] != 127);
	buf_fini(&b);
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
	while (smtp_parameter_take(&path.parameters, &parameter) != SMTP_PARAMETER_NONE_LEFT) {
		assert(++count <= text.len);
		check_parameter(&parameter);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = span_of(data, size);
	struct smtp_address address;

	if (smtp_address_parse(text, &address) == SMTP_ADDRESS_VALID)
		assert(!address.is_eight_bit);
	if (smtp_address_parse_utf8(text, &address) == SMTP_ADDRESS_VALID) {
		check_address(text, &address);
		check_local(&address);
		check_forms(&address);
	}
	check_path(text, SPAN("FROM"));
	check_path(text, SPAN("TO"));
	return 0;
}
