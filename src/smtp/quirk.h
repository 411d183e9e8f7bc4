/* SPDX-License-Identifier: MIT */
#ifndef FRANK_SMTP_QUIRK_H
#define FRANK_SMTP_QUIRK_H

/*
 * The harmless departures from the grammar that are understood unless a listener is strict. Each
 * use is counted, so that an operator can close what nobody needs. None of them changes where a
 * line or a message ends, or to whom a message goes.
 */

enum smtp_quirk {
	SMTP_QUIRK_BLANK_AFTER_COLON,    /* MAIL FROM: <a@b> */
	SMTP_QUIRK_BLANK_IN_BRACKETS,    /* RCPT TO:<a@b > */
	SMTP_QUIRK_NO_BRACKETS,          /* MAIL FROM:a@b */
	SMTP_QUIRK_TRAILING_BLANK,       /* blanks at the end of a line */
	SMTP_QUIRK_LEADING_BLANK,        /* blanks before the verb */
	SMTP_QUIRK_EXTRA_BLANK,          /* more than one blank, or a tab, between words */
	SMTP_QUIRK_EXTRA_ARGUMENT,       /* words behind the name in HELO and EHLO */
	SMTP_QUIRK_ODD_HELO_NAME,        /* a name in HELO or EHLO that no host can have */
	SMTP_QUIRK_AUTH_AFTER_HELO,      /* AUTH where only EHLO would have offered it */
	SMTP_QUIRK_EXTENSION_AFTER_HELO, /* a parameter of MAIL, the same */
	SMTP_QUIRK_COUNT,
};

#define SMTP_QUIRK_BIT(quirk) (1u << (quirk))

/* For logs and lists: "blank-after-colon". */
const char *smtp_quirk_name(enum smtp_quirk quirk);
/* For replies, behind "must not have" or alike: "a blank after the colon". */
const char *smtp_quirk_text(enum smtp_quirk quirk);

#endif
