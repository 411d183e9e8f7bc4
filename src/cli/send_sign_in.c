/* SPDX-License-Identifier: MIT */
#include "cli/send.h"

#include "cli/cli.h"
#include "config/near.h"
#include "net/privilege.h"
#include "sasl/mechanism.h"

#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

/* ---- mechanisms ---- */

static int say_unknown(const char *name)
{
	unsigned best = CONFIG_NEAR_NOT;
	const char *near = NULL;
	for (int i = 0; i < SASL_MECHANISM_COUNT; i++) {
		const char *known = sasl_mechanism_name((enum sasl_mechanism)i);
		if (config_near_keep(span_from_string(name), known, &best))
			near = known;
	}
	if (near != NULL)
		return cli_usage(
		    "send", "--mechanism: %s is not spoken; did you mean %s?", name, near);
	return cli_usage("send", "--mechanism: %s is not spoken", name);
}

static int check_mechanisms(const struct send_sign_in *sign_in)
{
	enum sasl_mechanism mechanism;
	for (size_t i = 0; i < sign_in->mechanisms.count; i++) {
		if (!sasl_mechanism_find(
			span_from_string(sign_in->mechanisms.items[i]), &mechanism))
			return say_unknown(sign_in->mechanisms.items[i]);
	}
	return -1;
}

/* ---- what goes together ---- */

static bool is_standard_input(const char *file)
{
	return file != NULL && strcmp(file, "-") == 0;
}

static bool needs_login(const struct send_sign_in *sign_in)
{
	return sign_in->password_file != NULL || sign_in->token_file != NULL ||
	       (sign_in->mechanisms.count > 0 && sign_in->certificate == NULL &&
		   !sign_in->kerberos);
}

static int check_combination(const struct send_sign_in *sign_in, const char *message_file)
{
	const char *secret =
	    sign_in->token_file != NULL ? sign_in->token_file : sign_in->password_file;
	if ((sign_in->certificate == NULL) != (sign_in->key == NULL))
		return cli_usage("send", "--certificate and --key go together");
	if (sign_in->password_file != NULL && sign_in->token_file != NULL)
		return cli_usage("send", "a password or a token: --password-file and --token-file "
					 "do not go together");
	if (sign_in->login == NULL && needs_login(sign_in))
		return cli_usage("send", "--login NAME says who signs in");
	if (sign_in->login != NULL && sign_in->login[0] == '\0')
		return cli_usage("send", "--login is empty");
	if (is_standard_input(message_file) && is_standard_input(secret))
		return cli_usage("send", "message and %s cannot both come from standard input",
		    sign_in->token_file != NULL ? "token" : "password");
	return check_mechanisms(sign_in);
}

/* ---- secrets ---- */

static bool read_password(struct send_sign_in *sign_in)
{
	char prompt[300];
	snprintf(prompt, sizeof(prompt), "Password for %.200s", sign_in->login);
	struct cli_password_source source = { .file = sign_in->password_file, .prompt = prompt };
	return cli_password_read(&source, &sign_in->password);
}

static bool read_standard_input(struct buf *out, struct fault *fault)
{
	ssize_t n = 1;
	while (n > 0) {
		char *room = buf_reserve(out, 1024);
		n = room != NULL ? read(STDIN_FILENO, room, 1024) : -1;
		if (n > 0)
			buf_commit(out, (size_t)n);
	}
	if (n < 0)
		fault_set(fault, FAULT_LOCAL, "standard input cannot be read, or is no token");
	return n == 0;
}

/* One line of what base64 and its relatives are made of (RFC 6750, 2.1). */
static bool is_token(struct span text)
{
	for (size_t i = 0; i < text.len; i++) {
		if (text.data[i] <= ' ' || text.data[i] > '~')
			return false;
	}
	return text.len > 0 && text.len <= SASL_TOKEN_MAX;
}

static void drop_line_end(struct buf *text)
{
	while (text->len > 0 &&
	       (text->data[text->len - 1] == '\n' || text->data[text->len - 1] == '\r'))
		buf_truncate(text, text->len - 1);
}

static bool read_token(const char *file, struct buf *token)
{
	struct fault fault;
	bool from_input = strcmp(file, "-") == 0;
	bool done =
	    from_input ? read_standard_input(token, &fault) : privilege_read(file, token, &fault);
	if (!done) {
		cli_complain("%s", fault.text);
		return false;
	}
	drop_line_end(token);
	if (is_token(buf_span(token)))
		return true;
	cli_complain("%s holds no access token: one line without blanks is expected",
	    from_input ? "standard input" : file);
	return false;
}

static bool read_secret(struct send_sign_in *sign_in)
{
	if (sign_in->token_file != NULL)
		return read_token(sign_in->token_file, &sign_in->token);
	if (sign_in->password_file == NULL &&
	    (sign_in->login == NULL || sign_in->certificate != NULL || sign_in->kerberos))
		return true;
	return read_password(sign_in);
}

int send_read_sign_in(
    struct send_sign_in *sign_in, const char *message_file, struct send_order *order)
{
	int status = check_combination(sign_in, message_file);
	if (status >= 0)
		return status;
	prctl(PR_SET_DUMPABLE, 0); /* secrets do not go into core dumps */
	buf_init_secret(&sign_in->password, CLI_PASSWORD_MAX_BYTES);
	buf_init_secret(&sign_in->token, SASL_TOKEN_MAX + 1024);
	if (!read_secret(sign_in))
		return CLI_EXIT_LOCAL;
	order->account =
	    sign_in->login != NULL || sign_in->certificate != NULL || sign_in->kerberos;
	order->login = span_from_string(sign_in->login);
	order->password = buf_span(&sign_in->password);
	order->token = buf_span(&sign_in->token);
	order->certificate = sign_in->certificate != NULL;
	order->kerberos = sign_in->kerberos;
	order->mechanisms = sign_in->mechanisms.items;
	order->mechanism_count = sign_in->mechanisms.count;
	return -1;
}

void send_sign_in_fini(struct send_sign_in *sign_in)
{
	buf_fini(&sign_in->password);
	buf_fini(&sign_in->token);
	cli_option_list_fini(&sign_in->mechanisms);
}
