/* SPDX-License-Identifier: MIT */
#ifndef FRANK_SMTP_QUIRK_H
#define FRANK_SMTP_QUIRK_H

/*
 * Departures from the grammar that are understood all the same. The harmless ones are understood
 * by every listener that is not strict; the others only where an operator has named them, strict or
 * not. Each use is counted, so that an operator can close what nobody needs. None of them changes
 * where a message ends, or to whom it goes.
 */

#include <stdbool.h>

enum smtp_quirk {
	SMTP_QUIRK_BLANK_AFTER_COLON,    /* MAIL FROM: <a@b> */
	SMTP_QUIRK_BLANK_IN_BRACKETS,    /* RCPT TO:<a@b > */
	SMTP_QUIRK_NO_BRACKETS,          /* MAIL FROM:a@b */
	SMTP_QUIRK_TRAILING_BLANK,       /* blanks at the end of a line */
	SMTP_QUIRK_LEADING_BLANK,        /* blanks before the verb */
	SMTP_QUIRK_EXTRA_BLANK,          /* more than one blank, or a tab, between words */
	SMTP_QUIRK_EXTRA_ARGUMENT,       /* words behind the name in HELO and EHLO */
	SMTP_QUIRK_AUTH_AFTER_HELO,      /* AUTH where only EHLO would have offered it */
	SMTP_QUIRK_EXTENSION_AFTER_HELO, /* a parameter of MAIL, the same */
	/* Where they are named: */
	SMTP_QUIRK_NO_HELLO,    /* MAIL, AUTH or STARTTLS without HELO or EHLO */
	SMTP_QUIRK_HELLO_NAME,  /* HELO or EHLO without a name, or with one that no host can have */
	SMTP_QUIRK_AUTH_BLANK,  /* more than one blank before the initial response */
	SMTP_QUIRK_AUTH_EQUALS, /* AUTH where EHLO's list had an "AUTH=" line, for clients that
				   understand no other. Whether this one needed it nobody knows. */
	SMTP_QUIRK_EARLY_QUIT,  /* QUIT before the reply to the message, where EHLO has not
				   offered PIPELINING */
	SMTP_QUIRK_BARE_LF,     /* LF alone ends a line: of a command, or, as CR LF, of a message.
				   Only CR LF . CR LF ends the message, and chunks (BDAT) have
				   no part in it. */
	SMTP_QUIRK_COUNT,
};

#define SMTP_QUIRK_BIT(quirk) (1u << (quirk))

/* Understood only where it is named. */
bool smtp_quirk_is_named(enum smtp_quirk quirk);
/* For logs and lists: "blank-after-colon". */
const char *smtp_quirk_name(enum smtp_quirk quirk);
/* For replies, behind "must not have" or alike: "a blank after the colon". */
const char *smtp_quirk_text(enum smtp_quirk quirk);

#endif
