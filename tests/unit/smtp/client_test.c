/* SPDX-License-Identifier: MIT */
#include "client_runner.h"

#include "base/memory.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

/* The session from the greeting to QUIT; transactions and AUTH have files of their own. */
static const struct scenario scenarios[] = {
	{
	    .name = "a session without a message",
	    .server = { "220 mx.example.org ESMTP", "250-mx.example.org\r\n250 SIZE 100",
		"221 bye" },
	    .want = "S: 220 mx.example.org ESMTP\n"
		    "C: EHLO me.example.org\n"
		    "S: 250-mx.example.org\n"
		    "S: 250 SIZE 100\n"
		    "* AUTH\n"
		    "* READY\n"
		    "C: QUIT\n"
		    "S: 221 bye\n"
		    "* CLOSED\n",
	    .observed = "reply 220 mx.example.org ESMTP\n"
			"command EHLO me.example.org\n"
			"reply 250-mx.example.org\n"
			"reply 250 SIZE 100\n"
			"command QUIT\n"
			"reply 221 bye\n",
	},
	{
	    .name = "LMTP says LHLO",
	    .settings = { .lmtp = true },
	    .server = { "220 lmtp", "250 lmtp", "221 bye" },
	    .want = "S: 220 lmtp\n"
		    "C: LHLO me.example.org\n"
		    "S: 250 lmtp\n"
		    "* AUTH\n"
		    "* READY\n"
		    "C: QUIT\n"
		    "S: 221 bye\n"
		    "* CLOSED\n",
	},
	{
	    .name = "a greeting of several lines",
	    .server = { "220-mx.example.org\r\n220-no advertisement\r\n220 please", "250 mx",
		"221 bye" },
	    .want = "S: 220-mx.example.org\n"
		    "S: 220-no advertisement\n"
		    "S: 220 please\n"
		    "C: EHLO me.example.org\n"
		    "S: 250 mx\n"
		    "* AUTH\n"
		    "* READY\n"
		    "C: QUIT\n"
		    "S: 221 bye\n"
		    "* CLOSED\n",
	},
	{
	    .name = "HELO follows a refused EHLO when the owner wants it",
	    .helo = true,
	    .server = { "220 old", "502 what", "250 old", "221 bye" },
	    .want = "S: 220 old\n"
		    "C: EHLO me.example.org\n"
		    "S: 502 what\n"
		    "* EHLO_REFUSED 502 what\n"
		    "C: HELO me.example.org\n"
		    "S: 250 old\n"
		    "* AUTH\n"
		    "* READY\n"
		    "C: QUIT\n"
		    "S: 221 bye\n"
		    "* CLOSED\n",
	},
	{
	    .name = "a refused EHLO and no HELO",
	    .server = { "220 mx", "550 5.7.1 <me>: Helo command rejected: Host not found",
		"221 bye" },
	    .want = "S: 220 mx\n"
		    "C: EHLO me.example.org\n"
		    "S: 550 5.7.1 <me>: Helo command rejected: Host not found\n"
		    "* EHLO_REFUSED 550 5.7.1 <me>: Helo command rejected: Host not found\n"
		    "C: QUIT\n"
		    "S: 221 bye\n"
		    "* CLOSED\n",
	},
	{
	    .name = "a refused HELO",
	    .helo = true,
	    .server = { "220 mx", "550 no", "550 no, too", "221 bye" },
	    .want = "S: 220 mx\n"
		    "C: EHLO me.example.org\n"
		    "S: 550 no\n"
		    "* EHLO_REFUSED 550 no\n"
		    "C: HELO me.example.org\n"
		    "S: 550 no, too\n"
		    "* FAILED HELO: the server refused HELO: 550 no, too\n"
		    "C: QUIT\n"
		    "S: 221 bye\n"
		    "* CLOSED\n",
	},
	{
	    .name = "no HELO where AUTH is required",
	    .settings = { .auth_required = true },
	    .helo = true,
	    .server = { "220 old", "502 what", "221 bye" },
	    .want = "S: 220 old\n"
		    "C: EHLO me.example.org\n"
		    "S: 502 what\n"
		    "* FAILED EHLO: the server refused EHLO: 502 what\n"
		    "C: QUIT\n"
		    "S: 221 bye\n"
		    "* CLOSED\n",
	},
	{
	    .name = "no HELO where TLS is required",
	    .settings = { .starttls = SMTP_CLIENT_STARTTLS_REQUIRED },
	    .helo = true,
	    .server = { "220 old", "502 what", "221 bye" },
	    .want = "S: 220 old\n"
		    "C: EHLO me.example.org\n"
		    "S: 502 what\n"
		    "* FAILED EHLO: the server refused EHLO: 502 what\n"
		    "C: QUIT\n"
		    "S: 221 bye\n"
		    "* CLOSED\n",
	},
	{
	    .name = "no HELO in LMTP",
	    .settings = { .lmtp = true },
	    .helo = true,
	    .server = { "220 old", "502 what", "221 bye" },
	    .want = "S: 220 old\n"
		    "C: LHLO me.example.org\n"
		    "S: 502 what\n"
		    "* FAILED EHLO: the server refused EHLO: 502 what\n"
		    "C: QUIT\n"
		    "S: 221 bye\n"
		    "* CLOSED\n",
	},
	{
	    .name = "EHLO refused for now",
	    .helo = true,
	    .server = { "220 mx", "450 4.7.1 later", "221 bye" },
	    .want = "S: 220 mx\n"
		    "C: EHLO me.example.org\n"
		    "S: 450 4.7.1 later\n"
		    "* FAILED EHLO: the server refused EHLO: 450 4.7.1 later\n"
		    "C: QUIT\n"
		    "S: 221 bye\n"
		    "* CLOSED\n",
	},
	{
	    .name = "a refusing greeting",
	    .server = { "554 5.7.1 you are listed", "221 bye" },
	    .want =
		"S: 554 5.7.1 you are listed\n"
		"* FAILED greeting: the server refused the connection: 554 5.7.1 you are listed\n"
		"C: QUIT\n"
		"S: 221 bye\n"
		"* CLOSED\n",
	},
	{
	    .name = "a greeting that is no greeting",
	    .server = { "250 hello" },
	    .want = "S: 250 hello\n"
		    "* FAILED greeting: this is no greeting: 250 hello\n"
		    "* CLOSED\n",
	},
	{
	    .name = "a code that SMTP does not have",
	    .server = { "220 mx", "650 what" },
	    .want =
		"S: 220 mx\n"
		"C: EHLO me.example.org\n"
		"S: 650 what\n"
		"* FAILED EHLO: the server's line \"650 what\" (EHLO) is not a reply: its code is "
		"not between 200 and 599\n"
		"* CLOSED\n",
	},
	{
	    .name = "STARTTLS where offered",
	    .settings = { .starttls = SMTP_CLIENT_STARTTLS_IF_OFFERED },
	    .server = { "220 mx", "250-mx\r\n250-AUTH LOGIN\r\n250 STARTTLS", "220 go",
		"250-mx\r\n250-STARTTLS\r\n250 AUTH PLAIN", "221 bye" },
	    .want = "S: 220 mx\n"
		    "C: EHLO me.example.org\n"
		    "S: 250-mx\n"
		    "S: 250-AUTH LOGIN\n"
		    "S: 250 STARTTLS\n"
		    "C: STARTTLS\n"
		    "S: 220 go\n"
		    "* STARTTLS\n"
		    "C: EHLO me.example.org\n"
		    "S: 250-mx\n"
		    "S: 250-STARTTLS\n"
		    "S: 250 AUTH PLAIN\n"
		    "* AUTH PLAIN\n"
		    "* READY\n"
		    "C: QUIT\n"
		    "S: 221 bye\n"
		    "* CLOSED\n",
	},
	{
	    .name = "STARTTLS where offered and nothing is offered",
	    .settings = { .starttls = SMTP_CLIENT_STARTTLS_IF_OFFERED },
	    .server = { "220 mx", "250 mx", "221 bye" },
	    .want = "S: 220 mx\n"
		    "C: EHLO me.example.org\n"
		    "S: 250 mx\n"
		    "* AUTH\n"
		    "* READY\n"
		    "C: QUIT\n"
		    "S: 221 bye\n"
		    "* CLOSED\n",
	},
	{
	    .name = "STARTTLS where offered, and refused",
	    .settings = { .starttls = SMTP_CLIENT_STARTTLS_IF_OFFERED },
	    .server = { "220 mx", "250-mx\r\n250 STARTTLS", "454 4.7.0 no certificate", "221 bye" },
	    .want = "S: 220 mx\n"
		    "C: EHLO me.example.org\n"
		    "S: 250-mx\n"
		    "S: 250 STARTTLS\n"
		    "C: STARTTLS\n"
		    "S: 454 4.7.0 no certificate\n"
		    "* STARTTLS_REFUSED 454 4.7.0 no certificate\n"
		    "* AUTH\n"
		    "* READY\n"
		    "C: QUIT\n"
		    "S: 221 bye\n"
		    "* CLOSED\n",
	},
	{
	    .name = "STARTTLS never",
	    .settings = { .starttls = SMTP_CLIENT_STARTTLS_NEVER },
	    .server = { "220 mx", "250-mx\r\n250 STARTTLS", "221 bye" },
	    .want = "S: 220 mx\n"
		    "C: EHLO me.example.org\n"
		    "S: 250-mx\n"
		    "S: 250 STARTTLS\n"
		    "* AUTH\n"
		    "* READY\n"
		    "C: QUIT\n"
		    "S: 221 bye\n"
		    "* CLOSED\n",
	},
	{
	    .name = "no STARTTLS under implicit TLS",
	    .settings = { .starttls = SMTP_CLIENT_STARTTLS_REQUIRED, .tls_active = true },
	    .server = { "220 mx", "250-mx\r\n250 STARTTLS", "221 bye" },
	    .want = "S: 220 mx\n"
		    "C: EHLO me.example.org\n"
		    "S: 250-mx\n"
		    "S: 250 STARTTLS\n"
		    "* AUTH\n"
		    "* READY\n"
		    "C: QUIT\n"
		    "S: 221 bye\n"
		    "* CLOSED\n",
	},
	{
	    .name = "STARTTLS required and not offered",
	    .settings = { .starttls = SMTP_CLIENT_STARTTLS_REQUIRED },
	    .server = { "220 mx", "250-mx\r\n250 SIZE", "221 bye" },
	    .want = "S: 220 mx\n"
		    "C: EHLO me.example.org\n"
		    "S: 250-mx\n"
		    "S: 250 SIZE\n"
		    "* FAILED EHLO: TLS is required, and the server does not offer STARTTLS\n"
		    "C: QUIT\n"
		    "S: 221 bye\n"
		    "* CLOSED\n",
	},
	{
	    .name = "STARTTLS required and refused",
	    .settings = { .starttls = SMTP_CLIENT_STARTTLS_REQUIRED },
	    .server = { "220 mx", "250-mx\r\n250 STARTTLS", "500 5.5.1 what", "221 bye" },
	    .want =
		"S: 220 mx\n"
		"C: EHLO me.example.org\n"
		"S: 250-mx\n"
		"S: 250 STARTTLS\n"
		"C: STARTTLS\n"
		"S: 500 5.5.1 what\n"
		"* FAILED STARTTLS: TLS is required, and the server offers STARTTLS but refuses "
		"it: 500 5.5.1 what\n"
		"C: QUIT\n"
		"S: 221 bye\n"
		"* CLOSED\n",
	},
	{
	    .name = "STARTTLS answered with 250",
	    .settings = { .starttls = SMTP_CLIENT_STARTTLS_REQUIRED },
	    .server = { "220 mx", "250-mx\r\n250 STARTTLS", "250 ok" },
	    .want = "S: 220 mx\n"
		    "C: EHLO me.example.org\n"
		    "S: 250-mx\n"
		    "S: 250 STARTTLS\n"
		    "C: STARTTLS\n"
		    "S: 250 ok\n"
		    "* FAILED STARTTLS: the server's answer has no place there (STARTTLS): 250 ok\n"
		    "* CLOSED\n",
	},
	{
	    .name = "the end instead of an answer to STARTTLS",
	    .settings = { .starttls = SMTP_CLIENT_STARTTLS_REQUIRED },
	    .server = { "220 mx", "250-mx\r\n250 STARTTLS", "<EOF>" },
	    .want = "S: 220 mx\n"
		    "C: EHLO me.example.org\n"
		    "S: 250-mx\n"
		    "S: 250 STARTTLS\n"
		    "C: STARTTLS\n"
		    "S: <EOF>\n"
		    "* FAILED STARTTLS: the server closed the connection instead of answering "
		    "STARTTLS\n"
		    "* CLOSED\n",
	},
	{
	    .name = "no EHLO inside TLS",
	    .settings = { .starttls = SMTP_CLIENT_STARTTLS_REQUIRED },
	    .helo = true,
	    .server = { "220 mx", "250-mx\r\n250 STARTTLS", "220 go", "500 what", "250 mx",
		"221 bye" },
	    .want = "S: 220 mx\n"
		    "C: EHLO me.example.org\n"
		    "S: 250-mx\n"
		    "S: 250 STARTTLS\n"
		    "C: STARTTLS\n"
		    "S: 220 go\n"
		    "* STARTTLS\n"
		    "C: EHLO me.example.org\n"
		    "S: 500 what\n"
		    "* EHLO_REFUSED 500 what\n"
		    "C: HELO me.example.org\n"
		    "S: 250 mx\n"
		    "* AUTH\n"
		    "* READY\n"
		    "C: QUIT\n"
		    "S: 221 bye\n"
		    "* CLOSED\n",
	},
	{
	    .name = "TLS required and hidden by a middlebox",
	    .settings = { .starttls = SMTP_CLIENT_STARTTLS_REQUIRED },
	    .server = { "220 ****************************************",
		"250-mx1.example.com\r\n250-8BITMIME\r\n250 XXXXXXXA", "221 bye" },
	    .want =
		"S: 220 ****************************************\n"
		"C: EHLO me.example.org\n"
		"S: 250-mx1.example.com\n"
		"S: 250-8BITMIME\n"
		"S: 250 XXXXXXXA\n"
		"* FAILED EHLO: TLS is required, and the server does not offer STARTTLS; something "
		"in between overwrites parts of its replies (SMTP inspection in a firewall): "
		"switch that off\n"
		"C: QUIT\n"
		"S: 221 bye\n"
		"* CLOSED\n",
	},
	{
	    .name = "421 as a greeting",
	    .server = { "421 4.3.2 too many connections" },
	    .want =
		"S: 421 4.3.2 too many connections\n"
		"* FAILED greeting: the server ended the session with its greeting: 421 4.3.2 too "
		"many connections\n"
		"* CLOSED\n",
	},
	{
	    .name = "421 to EHLO",
	    .server = { "220 mx", "421 4.4.2 bye" },
	    .want =
		"S: 220 mx\n"
		"C: EHLO me.example.org\n"
		"S: 421 4.4.2 bye\n"
		"* FAILED EHLO: the server ended the session instead of answering EHLO: 421 4.4.2 "
		"bye\n"
		"* CLOSED\n",
	},
	{
	    .name = "the end before the greeting",
	    .server = { "<EOF>" },
	    .want =
		"S: <EOF>\n"
		"* FAILED greeting: the server closed the connection before its greeting; a port "
		"that begins with TLS (465) is silent until the client begins with TLS too\n"
		"* CLOSED\n",
	},
	{
	    .name = "the end in the middle of a reply",
	    .server = { "220 mx", "<RAW>250-mx\r\n250 SI", "<EOF>" },
	    .want = "S: 220 mx\n"
		    "C: EHLO me.example.org\n"
		    "S: 250-mx\n"
		    "S: 250 SI\n"
		    "S: <EOF>\n"
		    "* FAILED EHLO: the server closed the connection instead of answering EHLO\n"
		    "* CLOSED\n",
	},
	{
	    .name = "no greeting in time",
	    .server = { "<TIMEOUT>" },
	    .want =
		"S: <TIMEOUT>\n"
		"* FAILED greeting: the server let the time run out before its greeting; a port "
		"that begins with TLS (465) is silent until the client begins with TLS too\n"
		"* CLOSED\n",
	},
	{
	    .name = "no greeting in time inside TLS",
	    .settings = { .tls_active = true },
	    .server = { "<TIMEOUT>" },
	    .want = "S: <TIMEOUT>\n"
		    "* FAILED greeting: the server let the time run out before its greeting\n"
		    "* CLOSED\n",
	},
	{
	    .name = "no answer to EHLO in time",
	    .server = { "220 mx", "<TIMEOUT>" },
	    .want = "S: 220 mx\n"
		    "C: EHLO me.example.org\n"
		    "S: <TIMEOUT>\n"
		    "* FAILED EHLO: the server let the time run out instead of answering EHLO\n"
		    "* CLOSED\n",
	},
	{
	    .name = "no answer to QUIT",
	    .server = { "220 mx", "250 mx", "<EOF>" },
	    .want = "S: 220 mx\n"
		    "C: EHLO me.example.org\n"
		    "S: 250 mx\n"
		    "* AUTH\n"
		    "* READY\n"
		    "C: QUIT\n"
		    "S: <EOF>\n"
		    "* CLOSED\n",
	},
	{
	    .name = "nonsense for an answer to QUIT",
	    .server = { "220 mx", "250 mx", "good bye" },
	    .want = "S: 220 mx\n"
		    "C: EHLO me.example.org\n"
		    "S: 250 mx\n"
		    "* AUTH\n"
		    "* READY\n"
		    "C: QUIT\n"
		    "S: good bye\n"
		    "* CLOSED\n",
	},
	{
	    .name = "lines that end in a bare LF",
	    .server = { "<RAW>220 mx ESMTP\n" },
	    .want =
		"S: 220 mx ESMTP\\n\n"
		"* FAILED greeting: the server's line \"220 mx ESMTP\" (greeting) ends with a bare "
		"LF (line feed) where CRLF is required\n"
		"* CLOSED\n",
	},
	{
	    .name = "a web server",
	    .server = { "HTTP/1.1 400 Bad Request" },
	    .want = "S: HTTP/1.1 400 Bad Request\n"
		    "* FAILED greeting: this is not SMTP but looks like a web server (HTTP) "
		    "(\"HTTP/1.1 400 Bad Request\"): check the port: 25, 587 and 465 are those of "
		    "SMTP\n"
		    "* CLOSED\n",
	},
	{
	    .name = "a web server with bare LF",
	    .server = { "<RAW>HTTP/1.0 400 Bad Request\n" },
	    .want = "S: HTTP/1.0 400 Bad Request\\n\n"
		    "* FAILED greeting: this is not SMTP but looks like a web server (HTTP) "
		    "(\"HTTP/1.0 400 Bad Request\"): check the port: 25, 587 and 465 are those of "
		    "SMTP\n"
		    "* CLOSED\n",
	},
	{
	    .name = "a POP3 server",
	    .server = { "+OK Dovecot ready." },
	    .want =
		"S: +OK Dovecot ready.\n"
		"* FAILED greeting: this is not SMTP but looks like a POP3 server (\"+OK Dovecot "
		"ready.\"): check the port: 25, 587 and 465 are those of SMTP\n"
		"* CLOSED\n",
	},
	{
	    .name = "an IMAP server",
	    .server = { "* OK [CAPABILITY IMAP4rev1] ready." },
	    .want =
		"S: * OK [CAPABILITY IMAP4rev1] ready.\n"
		"* FAILED greeting: this is not SMTP but looks like an IMAP server (\"* OK "
		"[CAPABILITY IMAP4rev1] ready.\"): check the port: 25, 587 and 465 are those of "
		"SMTP\n"
		"* CLOSED\n",
	},
	{
	    .name = "an SSH server that ends",
	    .server = { "<RAW>SSH-2.0-Ope", "<EOF>" },
	    .want = "S: SSH-2.0-Ope\n"
		    "S: <EOF>\n"
		    "* FAILED greeting: this is not SMTP but looks like an SSH server "
		    "(\"SSH-2.0-Ope\"): check the port: 25, 587 and 465 are those of SMTP\n"
		    "* CLOSED\n",
	},
	{
	    .name = "something else",
	    .server = { "Welcome to \x1b[1mthe\x1b[0m machine" },
	    .want =
		"S: Welcome to \\x1b[1mthe\\x1b[0m machine\n"
		"* FAILED greeting: the server's line \"Welcome to \\x1b[1mthe\\x1b[0m machine\" "
		"(greeting) is not a reply: three digits and a blank or a hyphen are missing\n"
		"* CLOSED\n",
	},
};

static void a_tls_alert_is_known_without_a_line_end(void **state)
{
	static const char alert[] = { 0x15, 0x03, 0x01, 0x00, 0x02, 0x02, 0x46 };

	for (size_t n = 0; n <= sizeof(alert); n++) {
		struct buf output;
		struct smtp_client c;
		struct smtp_client_event event;
		struct smtp_client_settings settings = { .ehlo_name = SPAN("me") };
		struct span input = span_of(alert, n);

		buf_init(&output, SMTP_CLIENT_OUTPUT_MIN);
		smtp_client_init(&c, &settings, &output);
		smtp_client_next(&c, &input, &event);
		assert_int_equal(event.kind, n < 2 ? SMTP_CLIENT_WAIT : SMTP_CLIENT_FAILED);
		if (n >= 2) {
			assert_int_equal(event.failure, SMTP_CLIENT_FAILURE_NOT_SMTP);
			assert_true(span_find_span(span_from_string(event.fault->text),
					SPAN("smtps://")) < strlen(event.fault->text));
		}
		smtp_client_fini(&c);
		buf_fini(&output);
	}
}

static void bytes_behind_the_220_to_starttls_end_the_session(void **state)
{
	static const char *const injected[] = { "2", "250 mx\r\n", "\r\n" };

	for (size_t i = 0; i < ARRAY_LEN(injected); i++) {
		struct smtp_client_settings settings = {
			.ehlo_name = SPAN("me"),
			.starttls = SMTP_CLIENT_STARTTLS_IF_OFFERED,
		};
		struct buf output, text;
		struct smtp_client c;
		struct smtp_client_event event;
		struct span input;

		buf_init(&output, SMTP_CLIENT_OUTPUT_MIN);
		buf_init(&text, 1024);
		buf_printf(&text, "220 mx\r\n250-mx\r\n250 STARTTLS\r\n220 go\r\n%s", injected[i]);
		input = buf_span(&text);
		smtp_client_init(&c, &settings, &output);
		assert_int_equal(smtp_client_next(&c, &input, &event), SMTP_CLIENT_FAILED);
		assert_int_equal(event.failure, SMTP_CLIENT_FAILURE_TLS_INJECTION);
		assert_int_equal(event.stage, SMTP_CLIENT_STAGE_STARTTLS);
		/* No farewell in clear text: whoever injects would read it. */
		buf_clear(&output);
		smtp_client_quit(&c);
		assert_int_equal(smtp_client_next(&c, &input, &event), SMTP_CLIENT_CLOSED);
		assert_int_equal(output.len, 0);
		smtp_client_fini(&c);
		buf_fini(&output);
		buf_fini(&text);
	}
}

static void extensions_are_forgotten_at_starttls(void **state)
{
	struct smtp_client_settings settings = {
		.ehlo_name = SPAN("me"),
		.starttls = SMTP_CLIENT_STARTTLS_REQUIRED,
	};
	struct span input =
	    SPAN("220 mx\r\n250-mx\r\n250-AUTH PLAIN\r\n250 STARTTLS\r\n220 go\r\n");
	struct buf output;
	struct smtp_client c;
	struct smtp_client_event event;

	buf_init(&output, SMTP_CLIENT_OUTPUT_MIN);
	smtp_client_init(&c, &settings, &output);
	assert_int_equal(smtp_client_next(&c, &input, &event), SMTP_CLIENT_STARTTLS);
	assert_true(smtp_client_extensions(&c)->starttls);
	assert_false(smtp_client_tls_active(&c));
	assert_false(smtp_client_reply_is_due(&c));
	smtp_client_tls_started(&c);
	assert_false(smtp_client_extensions(&c)->starttls);
	assert_int_equal(smtp_client_extensions(&c)->mechanism_count, 0);
	assert_true(smtp_client_tls_active(&c));
	assert_true(smtp_client_reply_is_due(&c));
	smtp_client_fini(&c);
	buf_fini(&output);
}

static void the_end_during_the_handshake_is_a_failure(void **state)
{
	struct smtp_client_settings settings = {
		.ehlo_name = SPAN("me"),
		.starttls = SMTP_CLIENT_STARTTLS_REQUIRED,
	};
	struct span input = SPAN("220 mx\r\n250-mx\r\n250 STARTTLS\r\n220 go\r\n");
	struct buf output;
	struct smtp_client c;
	struct smtp_client_event event;

	buf_init(&output, SMTP_CLIENT_OUTPUT_MIN);
	smtp_client_init(&c, &settings, &output);
	assert_int_equal(smtp_client_next(&c, &input, &event), SMTP_CLIENT_STARTTLS);
	input = SPAN("250 these are bytes of TLS\r\n");
	assert_int_equal(smtp_client_next(&c, &input, &event), SMTP_CLIENT_WAIT);
	assert_int_equal(input.len, 28);
	smtp_client_eof(&c);
	assert_int_equal(smtp_client_next(&c, &input, &event), SMTP_CLIENT_FAILED);
	assert_int_equal(event.stage, SMTP_CLIENT_STAGE_TLS);
	assert_int_equal(event.failure, SMTP_CLIENT_FAILURE_CLOSED);
	assert_int_equal(event.reply->code, 0);
	smtp_client_fini(&c);
	buf_fini(&output);
}

int main(void)
{
	struct CMUnitTest tests[ARRAY_LEN(scenarios) + 4] = {
		cmocka_unit_test(the_end_during_the_handshake_is_a_failure),
		cmocka_unit_test(a_tls_alert_is_known_without_a_line_end),
		cmocka_unit_test(bytes_behind_the_220_to_starttls_end_the_session),
		cmocka_unit_test(extensions_are_forgotten_at_starttls),
	};

	for (size_t i = 0; i < ARRAY_LEN(scenarios); i++)
		tests[4 + i] = (struct CMUnitTest){ scenarios[i].name, run_scenario, NULL, NULL,
			(void *)&scenarios[i] };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
