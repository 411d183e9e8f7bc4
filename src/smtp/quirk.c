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
	[SMTP_QUIRK_ODD_HELO_NAME] = { "odd-helo-name", "a name that no host can have" },
	[SMTP_QUIRK_AUTH_AFTER_HELO] = { "auth-after-helo", "AUTH after HELO: say EHLO" },
	[SMTP_QUIRK_EXTENSION_AFTER_HELO] = { "extension-after-helo",
	    "parameters after HELO: say EHLO" },
};

const char *smtp_quirk_name(enum smtp_quirk quirk)
{
	return quirk_rows[quirk].name;
}

const char *smtp_quirk_text(enum smtp_quirk quirk)
{
	return quirk_rows[quirk].text;
}
