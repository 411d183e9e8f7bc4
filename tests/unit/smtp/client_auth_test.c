/* SPDX-License-Identifier: MIT */
#include "client_runner.h"

#include "base/memory.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

/* AUTH: the machine and the ladder together. */
#define GREET "220 mx", "250-mx\r\n250 AUTH PLAIN LOGIN"
#define GREET_LOGIN "220 mx", "250-mx\r\n250 AUTH LOGIN"
#define USER .login = "test", .password = "sesame"

static const struct scenario scenarios[] = {
	{
	    .name = "PLAIN with its initial response",
	    USER,
	    .server = { GREET, "235 2.7.0 welcome", "221 bye" },
	    .want = "S: 220 mx\n"
		    "C: EHLO me.example.org\n"
		    "S: 250-mx\n"
		    "S: 250 AUTH PLAIN LOGIN\n"
		    "* AUTH PLAIN LOGIN\n"
		    "C: AUTH PLAIN AHRlc3QAc2VzYW1l\n"
		    "S: 235 2.7.0 welcome\n"
		    "* AUTH_REPLY 235 2.7.0 welcome\n"
		    "= signed in with PLAIN\n"
		    "* READY\n"
		    "C: QUIT\n"
		    "S: 221 bye\n"
		    "* CLOSED\n",
	    .observed = "reply 220 mx\n"
			"command EHLO me.example.org\n"
			"reply 250-mx\n"
			"reply 250 AUTH PLAIN LOGIN\n"
			"command AUTH PLAIN\n"
			"payload PLAIN 16\n"
			"reply 235 2.7.0 welcome\n"
			"command QUIT\n"
			"reply 221 bye\n",
	},
	{
	    .name = "PLAIN without an initial response",
	    USER,
	    .initial_response = SASL_INITIAL_RESPONSE_NO,
	    .server = { GREET, "334 ", "235 2.7.0 welcome", "221 bye" },
	    .want = "S: 220 mx\n"
		    "C: EHLO me.example.org\n"
		    "S: 250-mx\n"
		    "S: 250 AUTH PLAIN LOGIN\n"
		    "* AUTH PLAIN LOGIN\n"
		    "C: AUTH PLAIN\n"
		    "S: 334 \n"
		    "* AUTH_CHALLENGE \"\"\n"
		    "C: AHRlc3QAc2VzYW1l\n"
		    "S: 235 2.7.0 welcome\n"
		    "* AUTH_REPLY 235 2.7.0 welcome\n"
		    "= signed in with PLAIN\n"
		    "* READY\n"
		    "C: QUIT\n"
		    "S: 221 bye\n"
		    "* CLOSED\n",
	    .observed = "reply 220 mx\n"
			"command EHLO me.example.org\n"
			"reply 250-mx\n"
			"reply 250 AUTH PLAIN LOGIN\n"
			"command AUTH PLAIN\n"
			"reply 334 \n"
			"payload PLAIN 16\n"
			"reply 235 2.7.0 welcome\n"
			"command QUIT\n"
			"reply 221 bye\n",
	},
	{
	    .name = "PLAIN with a 334 that has not even a blank",
	    USER,
	    .initial_response = SASL_INITIAL_RESPONSE_NO,
	    .server = { GREET, "334", "235 2.7.0 welcome", "221 bye" },
	    .want = "S: 220 mx\n"
		    "C: EHLO me.example.org\n"
		    "S: 250-mx\n"
		    "S: 250 AUTH PLAIN LOGIN\n"
		    "* AUTH PLAIN LOGIN\n"
		    "C: AUTH PLAIN\n"
		    "S: 334\n"
		    "* AUTH_CHALLENGE \"\"\n"
		    "C: AHRlc3QAc2VzYW1l\n"
		    "S: 235 2.7.0 welcome\n"
		    "* AUTH_REPLY 235 2.7.0 welcome\n"
		    "= signed in with PLAIN\n"
		    "* READY\n"
		    "C: QUIT\n"
		    "S: 221 bye\n"
		    "* CLOSED\n",
	},
	{
	    .name = "LOGIN without an initial response",
	    USER,
	    .server = { GREET_LOGIN, "334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6", "235 ok", "221 bye" },
	    .want = "S: 220 mx\n"
		    "C: EHLO me.example.org\n"
		    "S: 250-mx\n"
		    "S: 250 AUTH LOGIN\n"
		    "* AUTH LOGIN\n"
		    "C: AUTH LOGIN\n"
		    "S: 334 VXNlcm5hbWU6\n"
		    "* AUTH_CHALLENGE \"Username:\"\n"
		    "C: dGVzdA==\n"
		    "S: 334 UGFzc3dvcmQ6\n"
		    "* AUTH_CHALLENGE \"Password:\"\n"
		    "C: c2VzYW1l\n"
		    "S: 235 ok\n"
		    "* AUTH_REPLY 235 ok\n"
		    "= signed in with LOGIN\n"
		    "* READY\n"
		    "C: QUIT\n"
		    "S: 221 bye\n"
		    "* CLOSED\n",
	    .observed = "reply 220 mx\n"
			"command EHLO me.example.org\n"
			"reply 250-mx\n"
			"reply 250 AUTH LOGIN\n"
			"command AUTH LOGIN\n"
			"reply 334 VXNlcm5hbWU6\n"
			"payload LOGIN 8\n"
			"reply 334 UGFzc3dvcmQ6\n"
			"payload LOGIN 8\n"
			"reply 235 ok\n"
			"command QUIT\n"
			"reply 221 bye\n",
	},
	{
	    .name = "LOGIN with an initial response",
	    USER,
	    .initial_response = SASL_INITIAL_RESPONSE_YES,
	    .server = { GREET_LOGIN, "334 UGFzc3dvcmQ6", "235 ok", "221 bye" },
	    .want = "S: 220 mx\n"
		    "C: EHLO me.example.org\n"
		    "S: 250-mx\n"
		    "S: 250 AUTH LOGIN\n"
		    "* AUTH LOGIN\n"
		    "C: AUTH LOGIN dGVzdA==\n"
		    "S: 334 UGFzc3dvcmQ6\n"
		    "* AUTH_CHALLENGE \"Password:\"\n"
		    "C: c2VzYW1l\n"
		    "S: 235 ok\n"
		    "* AUTH_REPLY 235 ok\n"
		    "= signed in with LOGIN\n"
		    "* READY\n"
		    "C: QUIT\n"
		    "S: 221 bye\n"
		    "* CLOSED\n",
	},
	{
	    .name = "prompts that are not base64",
	    USER,
	    .server = { GREET_LOGIN, "334 Username:", "334 Password:", "235 ok", "221 bye" },
	    .want = "S: 220 mx\n"
		    "C: EHLO me.example.org\n"
		    "S: 250-mx\n"
		    "S: 250 AUTH LOGIN\n"
		    "* AUTH LOGIN\n"
		    "C: AUTH LOGIN\n"
		    "S: 334 Username:\n"
		    "* AUTH_CHALLENGE \"Username:\" not base64\n"
		    "C: dGVzdA==\n"
		    "S: 334 Password:\n"
		    "* AUTH_CHALLENGE \"Password:\" not base64\n"
		    "C: c2VzYW1l\n"
		    "S: 235 ok\n"
		    "* AUTH_REPLY 235 ok\n"
		    "= signed in with LOGIN\n"
		    "* READY\n"
		    "C: QUIT\n"
		    "S: 221 bye\n"
		    "* CLOSED\n",
	},
	{
	    .name = "a wrong password ends it",
	    USER,
	    .server = { GREET, "535 authorization failed (#5.7.0)", "221 bye" },
	    .want = "S: 220 mx\n"
		    "C: EHLO me.example.org\n"
		    "S: 250-mx\n"
		    "S: 250 AUTH PLAIN LOGIN\n"
		    "* AUTH PLAIN LOGIN\n"
		    "C: AUTH PLAIN AHRlc3QAc2VzYW1l\n"
		    "S: 535 authorization failed (#5.7.0)\n"
		    "* AUTH_REPLY 535 authorization failed (#5.7.0)\n"
		    "= the server refused the login: 535 authorization failed (#5.7.0)\n"
		    "C: QUIT\n"
		    "S: 221 bye\n"
		    "* CLOSED\n",
	},
	{
	    .name = "no login in clear text",
	    USER,
	    .no_cleartext = true,
	    .server = { GREET, "221 bye" },
	    .want = "S: 220 mx\n"
		    "C: EHLO me.example.org\n"
		    "S: 250-mx\n"
		    "S: 250 AUTH PLAIN LOGIN\n"
		    "* AUTH PLAIN LOGIN\n"
		    "= the connection is not under TLS: the login is not sent in clear text\n"
		    "C: QUIT\n"
		    "S: 221 bye\n"
		    "* CLOSED\n",
	},
	{
	    .name = "AUTH is not offered",
	    USER,
	    .server = { "220 mx", "250 mx", "221 bye" },
	    .want = "S: 220 mx\n"
		    "C: EHLO me.example.org\n"
		    "S: 250 mx\n"
		    "* AUTH\n"
		    "= the server does not offer AUTH; many servers offer it only under TLS\n"
		    "C: QUIT\n"
		    "S: 221 bye\n"
		    "* CLOSED\n",
	},
	{
	    .name = "a prompt for the name already sent is cancelled",
	    USER,
	    .initial_response = SASL_INITIAL_RESPONSE_YES,
	    .server = { GREET_LOGIN, "334 VXNlcm5hbWU6", "501 5.0.0 cancelled", "334 VXNlcm5hbWU6",
		"334 UGFzc3dvcmQ6", "235 ok", "221 bye" },
	    .want = "S: 220 mx\n"
		    "C: EHLO me.example.org\n"
		    "S: 250-mx\n"
		    "S: 250 AUTH LOGIN\n"
		    "* AUTH LOGIN\n"
		    "C: AUTH LOGIN dGVzdA==\n"
		    "S: 334 VXNlcm5hbWU6\n"
		    "* AUTH_CHALLENGE \"Username:\"\n"
		    "C: *\n"
		    "S: 501 5.0.0 cancelled\n"
		    "* AUTH_REPLY 501 5.0.0 cancelled\n"
		    "C: AUTH LOGIN\n"
		    "S: 334 VXNlcm5hbWU6\n"
		    "* AUTH_CHALLENGE \"Username:\"\n"
		    "C: dGVzdA==\n"
		    "S: 334 UGFzc3dvcmQ6\n"
		    "* AUTH_CHALLENGE \"Password:\"\n"
		    "C: c2VzYW1l\n"
		    "S: 235 ok\n"
		    "* AUTH_REPLY 235 ok\n"
		    "= signed in with LOGIN\n"
		    "* READY\n"
		    "C: QUIT\n"
		    "S: 221 bye\n"
		    "* CLOSED\n",
	    .observed = "reply 220 mx\n"
			"command EHLO me.example.org\n"
			"reply 250-mx\n"
			"reply 250 AUTH LOGIN\n"
			"command AUTH LOGIN\n"
			"payload LOGIN 8\n"
			"reply 334 VXNlcm5hbWU6\n"
			"payload LOGIN *\n"
			"reply 501 5.0.0 cancelled\n"
			"command AUTH LOGIN\n"
			"reply 334 VXNlcm5hbWU6\n"
			"payload LOGIN 8\n"
			"reply 334 UGFzc3dvcmQ6\n"
			"payload LOGIN 8\n"
			"reply 235 ok\n"
			"command QUIT\n"
			"reply 221 bye\n",
	},
	{
	    .name = "the name is given twice at most, and the password never for it",
	    USER,
	    .server = { GREET_LOGIN, "334 VXNlcm5hbWU6", "334 VXNlcm5hbWU6", "334 VXNlcm5hbWU6",
		"501 cancelled", "334 VXNlcm5hbWU6", "501 cancelled", "221 bye" },
	    .want =
		"S: 220 mx\n"
		"C: EHLO me.example.org\n"
		"S: 250-mx\n"
		"S: 250 AUTH LOGIN\n"
		"* AUTH LOGIN\n"
		"C: AUTH LOGIN\n"
		"S: 334 VXNlcm5hbWU6\n"
		"* AUTH_CHALLENGE \"Username:\"\n"
		"C: dGVzdA==\n"
		"S: 334 VXNlcm5hbWU6\n"
		"* AUTH_CHALLENGE \"Username:\"\n"
		"C: dGVzdA==\n"
		"S: 334 VXNlcm5hbWU6\n"
		"* AUTH_CHALLENGE \"Username:\"\n"
		"C: *\n"
		"S: 501 cancelled\n"
		"* AUTH_REPLY 501 cancelled\n"
		"C: AUTH LOGIN dGVzdA==\n"
		"S: 334 VXNlcm5hbWU6\n"
		"* AUTH_CHALLENGE \"Username:\"\n"
		"C: *\n"
		"S: 501 cancelled\n"
		"* AUTH_REPLY 501 cancelled\n"
		"= the server lists mechanisms for signing in and understands none of them: 334 "
		"asks for \"Username:\"\n"
		"C: QUIT\n"
		"S: 221 bye\n"
		"* CLOSED\n",
	},
	{
	    .name = "421 in the middle of AUTH",
	    USER,
	    .server = { GREET_LOGIN, "334 VXNlcm5hbWU6", "421 4.7.0 too many errors" },
	    .want =
		"S: 220 mx\n"
		"C: EHLO me.example.org\n"
		"S: 250-mx\n"
		"S: 250 AUTH LOGIN\n"
		"* AUTH LOGIN\n"
		"C: AUTH LOGIN\n"
		"S: 334 VXNlcm5hbWU6\n"
		"* AUTH_CHALLENGE \"Username:\"\n"
		"C: dGVzdA==\n"
		"S: 421 4.7.0 too many errors\n"
		"* FAILED AUTH: the server ended the session instead of answering AUTH: 421 4.7.0 "
		"too many errors\n"
		"* CLOSED\n",
	},
	{
	    .name = "the end in the middle of AUTH",
	    USER,
	    .server = { GREET_LOGIN, "334 VXNlcm5hbWU6", "<EOF>" },
	    .want = "S: 220 mx\n"
		    "C: EHLO me.example.org\n"
		    "S: 250-mx\n"
		    "S: 250 AUTH LOGIN\n"
		    "* AUTH LOGIN\n"
		    "C: AUTH LOGIN\n"
		    "S: 334 VXNlcm5hbWU6\n"
		    "* AUTH_CHALLENGE \"Username:\"\n"
		    "C: dGVzdA==\n"
		    "S: <EOF>\n"
		    "* FAILED AUTH: the server closed the connection instead of answering AUTH\n"
		    "* CLOSED\n",
	},
	{
	    .name = "354 has no place in AUTH",
	    USER,
	    .server = { GREET_LOGIN, "354 go ahead" },
	    .want = "S: 220 mx\n"
		    "C: EHLO me.example.org\n"
		    "S: 250-mx\n"
		    "S: 250 AUTH LOGIN\n"
		    "* AUTH LOGIN\n"
		    "C: AUTH LOGIN\n"
		    "S: 354 go ahead\n"
		    "* FAILED AUTH: the server's answer has no place there (AUTH): 354 go ahead\n"
		    "* CLOSED\n",
	},
	{
	    .name = "the next mechanism after one that is unknown after all",
	    USER,
	    .server = { GREET, "504 5.7.4 Unrecognized authentication type",
		"504 5.7.4 Unrecognized authentication type", "334 VXNlcm5hbWU6",
		"334 UGFzc3dvcmQ6", "235 2.7.0 ok", "221 bye" },
	    .want = "S: 220 mx\n"
		    "C: EHLO me.example.org\n"
		    "S: 250-mx\n"
		    "S: 250 AUTH PLAIN LOGIN\n"
		    "* AUTH PLAIN LOGIN\n"
		    "C: AUTH PLAIN AHRlc3QAc2VzYW1l\n"
		    "S: 504 5.7.4 Unrecognized authentication type\n"
		    "* AUTH_REPLY 504 5.7.4 Unrecognized authentication type\n"
		    "C: AUTH PLAIN\n"
		    "S: 504 5.7.4 Unrecognized authentication type\n"
		    "* AUTH_REPLY 504 5.7.4 Unrecognized authentication type\n"
		    "C: AUTH LOGIN\n"
		    "S: 334 VXNlcm5hbWU6\n"
		    "* AUTH_CHALLENGE \"Username:\"\n"
		    "C: dGVzdA==\n"
		    "S: 334 UGFzc3dvcmQ6\n"
		    "* AUTH_CHALLENGE \"Password:\"\n"
		    "C: c2VzYW1l\n"
		    "S: 235 2.7.0 ok\n"
		    "* AUTH_REPLY 235 2.7.0 ok\n"
		    "= signed in with LOGIN\n"
		    "* READY\n"
		    "C: QUIT\n"
		    "S: 221 bye\n"
		    "* CLOSED\n",
	},
	{
	    .name = "a server that does not understand a cancellation",
	    USER,
	    .initial_response = SASL_INITIAL_RESPONSE_YES,
	    .server = { GREET_LOGIN, "334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6", "334 what?" },
	    .want = "S: 220 mx\n"
		    "C: EHLO me.example.org\n"
		    "S: 250-mx\n"
		    "S: 250 AUTH LOGIN\n"
		    "* AUTH LOGIN\n"
		    "C: AUTH LOGIN dGVzdA==\n"
		    "S: 334 VXNlcm5hbWU6\n"
		    "* AUTH_CHALLENGE \"Username:\"\n"
		    "C: *\n"
		    "S: 334 UGFzc3dvcmQ6\n"
		    "* AUTH_CHALLENGE \"Password:\"\n"
		    "C: *\n"
		    "S: 334 what?\n"
		    "* AUTH_CHALLENGE \"what?\" not base64\n"
		    "= the server goes on asking after the login was cancelled\n"
		    "* CLOSED\n",
	},
};

static void an_empty_initial_response_is_an_equals_sign(void **state)
{
	struct smtp_client_settings settings = { .ehlo_name = SPAN("me") };
	struct span input = SPAN("220 mx\r\n250-mx\r\n250 AUTH EXTERNAL\r\n");
	struct smtp_client_event event;
	struct smtp_client c;
	struct buf output;

	buf_init(&output, SMTP_CLIENT_OUTPUT_MIN);
	smtp_client_init(&c, &settings, &output);
	assert_int_equal(smtp_client_next(&c, &input, &event), SMTP_CLIENT_AUTH);
	buf_clear(&output);
	smtp_client_auth_start(&c, SPAN("EXTERNAL"), true, SPAN(""));
	assert_true(span_equal(buf_span(&output), SPAN("AUTH EXTERNAL =\r\n")));
	input = SPAN("334 =\r\n");
	assert_int_equal(smtp_client_next(&c, &input, &event), SMTP_CLIENT_AUTH_CHALLENGE);
	assert_false(event.challenge_is_base64);
	buf_clear(&output);
	smtp_client_auth_respond(&c, SPAN(""));
	assert_true(span_equal(buf_span(&output), SPAN("\r\n")));
	smtp_client_fini(&c);
	buf_fini(&output);
}

int main(void)
{
	struct CMUnitTest tests[ARRAY_LEN(scenarios) + 1] = {
		cmocka_unit_test(an_empty_initial_response_is_an_equals_sign),
	};

	for (size_t i = 0; i < ARRAY_LEN(scenarios); i++)
		tests[1 + i] = (struct CMUnitTest){ scenarios[i].name, run_scenario, NULL, NULL,
			(void *)&scenarios[i] };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
