/* SPDX-License-Identifier: MIT */
#ifndef FRANK_SMTP_COMMAND_H
#define FRANK_SMTP_COMMAND_H

/*
 * A command line taken apart: verb and arguments, and for MAIL and RCPT the path and its
 * parameters (RFC 5321, 4.1.2). Harmless forms that people type are understood and noted as
 * quirks, so that the caller can count them, or refuse them; a line that is wrong is described so
 * that its author finds the mistake.
 */

#include "smtp/address.h"
#include "smtp/quirk.h"

struct smtp_command {
	struct span verb;      /* up to the first blank; any bytes but blanks */
	struct span arguments; /* behind the blanks, without blanks at the end */
	unsigned quirks;       /* bits, SMTP_QUIRK_BIT(…) */
};

/* Splits a line without its CRLF. An empty line gives an empty verb. */
void smtp_command_split(struct span line, struct smtp_command *command_out);

enum smtp_path_flaw {
	SMTP_PATH_VALID,
	SMTP_PATH_NO_KEYWORD,    /* FROM: or TO: is missing */
	SMTP_PATH_WRONG_KEYWORD, /* MAIL TO:, RCPT FROM: */
	SMTP_PATH_NO_COLON,
	SMTP_PATH_BLANK_BEFORE_COLON,
	SMTP_PATH_NO_ADDRESS,
	SMTP_PATH_NO_OPENING_BRACKET,  /* a@b> */
	SMTP_PATH_NO_CLOSING_BRACKET,  /* <a@b */
	SMTP_PATH_TEXT_BEHIND_BRACKET, /* <a@b>SIZE=1 */
	SMTP_PATH_BAD_ADDRESS,         /* see address_flaw */
};

struct smtp_path {
	enum smtp_path_flaw flaw;
	enum smtp_address_flaw address_flaw;
	struct smtp_address address; /* when VALID; is_eight_bit needs SMTPUTF8 */
	struct span text;            /* the address as written, for messages */
	struct span parameters;      /* when VALID: for smtp_parameter_take() */
	unsigned quirks;
};

/* Parses the arguments of MAIL (keyword "FROM") or RCPT (keyword "TO"). True when VALID. */
bool smtp_path_parse(struct span arguments, struct span keyword, struct smtp_path *path_out);

struct smtp_parameter {
	struct span keyword;
	struct span value; /* empty when there is no "=" */
	bool has_value;
};

enum smtp_parameter_result {
	SMTP_PARAMETER_TAKEN,
	SMTP_PARAMETER_NONE_LEFT,
	SMTP_PARAMETER_MALFORMED, /* parameter_out->keyword is the offending word */
};

/* Takes the next ESMTP parameter off *parameters (RFC 5321, 4.1.2: esmtp-param). */
enum smtp_parameter_result smtp_parameter_take(
    struct span *parameters, struct smtp_parameter *parameter_out);

#endif
