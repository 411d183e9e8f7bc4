/* SPDX-License-Identifier: MIT */
#include "smtp/quirk.h"

static const struct quirk_row {
	const char *name, *text;
} quirk_rows[SMTP_QUIRK_COUNT] = {
	[SMTP_QUIRK_BLANK_AFTER_COLON] = { "blank-after-colon", "a blank after the colon" },
	[SMTP_QUIRK_BLANK_IN_BRACKETS] = { "blank-in-brackets", "a blank inside the brackets" },
	[SMTP_QUIRK_NO_BRACKETS] = { "no-brackets", "an address without its brackets" },
	[SMTP_QUIRK_TRAILING_BLANK] = { "trailing-blank", "a blank at the end of the line" },
	[SMTP_QUIRK_LEADING_BLANK] = { "leading-blank", "a blank before the command" },
	[SMTP_QUIRK_EXTRA_BLANK] = { "extra-blank", "more than one blank between words" },
	[SMTP_QUIRK_EXTRA_ARGUMENT] = { "extra-argument", "more than one name" },
	[SMTP_QUIRK_AUTH_AFTER_HELO] = { "auth-after-helo", "AUTH after HELO: say EHLO" },
	[SMTP_QUIRK_EXTENSION_AFTER_HELO] = { "extension-after-helo",
	    "parameters after HELO: say EHLO" },
	[SMTP_QUIRK_NO_HELLO] = { "no-hello", "a command without HELO or EHLO before it" },
	[SMTP_QUIRK_HELLO_NAME] = { "hello-name", "HELO or EHLO without a proper name" },
	[SMTP_QUIRK_AUTH_BLANK] = { "auth-blank", "more than one blank behind AUTH's mechanism" },
	[SMTP_QUIRK_AUTH_EQUALS] = { "auth-equals", "AUTH after it was offered as AUTH=" },
	[SMTP_QUIRK_EARLY_QUIT] = { "early-quit", "QUIT before the reply to the message" },
	[SMTP_QUIRK_BARE_LF] = { "bare-lf", "a line that LF alone ends" },
};

bool smtp_quirk_is_named(enum smtp_quirk quirk)
{
	return quirk >= SMTP_QUIRK_NO_HELLO;
}

const char *smtp_quirk_name(enum smtp_quirk quirk)
{
	return quirk_rows[quirk].name;
}

const char *smtp_quirk_text(enum smtp_quirk quirk)
{
	return quirk_rows[quirk].text;
}
