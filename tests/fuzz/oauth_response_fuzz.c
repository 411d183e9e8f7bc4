/* SPDX-License-Identifier: MIT */
#include "account/oauth_form.h"
#include "account/oauth_remedy.h"
#include "account/oauth_response.h"

#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool fact)
{
	if (!fact)
		abort();
}

static void require_shown(const char *text)
{
	for (; *text != '\0'; text++)
		require((unsigned char)*text >= ' ' && *text != 0x7f);
}

static void check_error(const struct oauth_error *error)
{
	static struct oauth_account account = {
		.settings = { .label = "a", .login = "l", .flow = OAUTH_FLOW_CODE },
	};
	char text[OAUTH_REMEDY_MAX];

	require_shown(error->code);
	require_shown(error->description);
	for (int provider = OAUTH_PROVIDER_OTHER; provider <= OAUTH_PROVIDER_GOOGLE; provider++) {
		account.settings.provider = (enum oauth_provider)provider;
		require(oauth_remedy(&account, error, text) != OAUTH_TROUBLE_NONE);
		require_shown(text);
	}
}

static void read_grant(unsigned status, struct span body)
{
	struct oauth_grant grant;
	struct oauth_error error;
	struct fault fault = { FAULT_NONE, "" };

	oauth_grant_init(&grant);
	switch (oauth_response_grant(status, body, &grant, &error, &fault)) {
	case OAUTH_RESPONSE_GRANTED:
		require(oauth_token_is_sound(buf_span(&grant.access_token)));
		require(grant.refresh_token.len == 0 ||
			oauth_token_is_sound(buf_span(&grant.refresh_token)));
		require(grant.lifetime_s >= 1 && grant.lifetime_s <= OAUTH_LIFETIME_MAX_S);
		break;
	case OAUTH_RESPONSE_REFUSED:
		check_error(&error);
		break;
	case OAUTH_RESPONSE_GARBLED:
		require(fault.kind == FAULT_TEMPORARY && grant.access_token.len == 0);
		require_shown(fault.text);
		break;
	}
	oauth_grant_fini(&grant);
}

static void read_device(unsigned status, struct span body)
{
	struct oauth_device device;
	struct oauth_error error;
	struct fault fault = { FAULT_NONE, "" };

	oauth_device_init(&device);
	switch (oauth_response_device(status, body, &device, &error, &fault)) {
	case OAUTH_RESPONSE_GRANTED:
		require(device.device_code.len > 0 && device.user_code[0] != '\0');
		require_shown(device.user_code);
		require_shown(device.address);
		require_shown(device.complete);
		require(device.interval_s >= 1 && device.lifetime_s >= 1);
		break;
	case OAUTH_RESPONSE_REFUSED:
		check_error(&error);
		break;
	case OAUTH_RESPONSE_GARBLED:
		require(fault.kind == FAULT_TEMPORARY && device.device_code.len == 0);
		break;
	}
	oauth_device_fini(&device);
}

/* The address that a browser brings back is foreign too. */
static void read_address(struct span address)
{
	struct buf value;

	buf_init(&value, 256);
	if (oauth_form_value(address, SPAN("code"), &value)) {
		struct buf again;
		buf_init(&again, 1024);
		oauth_form_escape(buf_span(&value), &again);
		require(again.len >= value.len);
		buf_fini(&again);
	} else {
		require(value.len == 0);
	}
	buf_fini(&value);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span input = span_of(data, size);
	unsigned status;

	if (size == 0)
		return 0;
	status = 100 + data[0] * 2u;
	read_grant(status, span_skip(input, 1));
	read_device(status, span_skip(input, 1));
	read_grant(200, input);
	read_device(200, input);
	read_address(input);
	return 0;
}
