/* SPDX-License-Identifier: MIT */
#include "smtp/server.h"

static const char *const phase_names[] = {
	[SMTP_PHASE_START] = "start",
	[SMTP_PHASE_GREETED] = "greeted",
	[SMTP_PHASE_READY] = "ready",
	[SMTP_PHASE_AUTH] = "auth",
	[SMTP_PHASE_MAIL] = "mail",
	[SMTP_PHASE_RCPT] = "rcpt",
	[SMTP_PHASE_CONTENT] = "content",
	[SMTP_PHASE_CHUNKS] = "chunks",
	[SMTP_PHASE_TLS] = "starttls",
	[SMTP_PHASE_CLOSED] = "closed",
};

static const char *const abort_names[] = {
	[SMTP_ABORT_RSET] = "rset",
	[SMTP_ABORT_EHLO] = "ehlo",
	[SMTP_ABORT_HELO] = "helo",
	[SMTP_ABORT_STARTTLS] = "starttls",
	[SMTP_ABORT_CHUNK] = "chunk-refused",
	[SMTP_ABORT_QUIT] = "quit",
	[SMTP_ABORT_CLOSE] = "close",
};

static const char *const refusal_names[] = {
	[SMTP_REFUSAL_BARE_LF] = "bare-lf",
	[SMTP_REFUSAL_BARE_CR] = "bare-cr",
	[SMTP_REFUSAL_TOO_LARGE] = "too-large",
};

static const char *const close_names[] = {
	[SMTP_CLOSE_QUIT] = "quit",
	[SMTP_CLOSE_ERRORS] = "too-many-errors",
	[SMTP_CLOSE_COMMANDS] = "too-many-commands",
	[SMTP_CLOSE_AUTH_FAILURES] = "too-many-auth-failures",
	[SMTP_CLOSE_CONTENT] = "endless-content",
	[SMTP_CLOSE_CHUNK] = "chunk-without-size",
	[SMTP_CLOSE_LINE] = "endless-line",
	[SMTP_CLOSE_TLS_HELLO] = "tls-hello",
	[SMTP_CLOSE_HTTP] = "http",
	[SMTP_CLOSE_TURNED_AWAY] = "turned-away",
	[SMTP_CLOSE_ANSWERED] = "answered-421",
	[SMTP_CLOSE_SHUTDOWN] = "shutdown",
	[SMTP_CLOSE_TIMEOUT] = "timeout",
};

static const char *const event_names[] = {
	[SMTP_SERVER_NEED_INPUT] = "need-input",
	[SMTP_SERVER_NEED_OUTPUT] = "need-output",
	[SMTP_SERVER_WAIT] = "wait",
	[SMTP_SERVER_HELLO] = "hello",
	[SMTP_SERVER_STARTTLS] = "starttls",
	[SMTP_SERVER_AUTH_BEGIN] = "auth-begin",
	[SMTP_SERVER_AUTH_RESPONSE] = "auth-response",
	[SMTP_SERVER_AUTH_CANCELLED] = "auth-cancelled",
	[SMTP_SERVER_XCLIENT] = "xclient",
	[SMTP_SERVER_MAIL] = "mail",
	[SMTP_SERVER_RCPT] = "rcpt",
	[SMTP_SERVER_DATA] = "data",
	[SMTP_SERVER_CONTENT] = "content",
	[SMTP_SERVER_MESSAGE] = "message",
	[SMTP_SERVER_REFUSED] = "refused",
	[SMTP_SERVER_ABORTED] = "aborted",
	[SMTP_SERVER_CLOSE] = "close",
};

const char *smtp_phase_name(enum smtp_phase phase)
{
	return phase_names[phase];
}

const char *smtp_abort_name(enum smtp_abort reason)
{
	return abort_names[reason];
}

const char *smtp_refusal_name(enum smtp_refusal reason)
{
	return refusal_names[reason];
}

const char *smtp_close_name(enum smtp_close reason)
{
	return close_names[reason];
}

const char *smtp_server_event_name(enum smtp_server_event_kind kind)
{
	return event_names[kind];
}
