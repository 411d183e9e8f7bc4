/* SPDX-License-Identifier: MIT */
#include "client_runner.h"

#include "base/memory.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

/* Servers as they were met in the field: what our client makes of each. */
#define USER .login = "scanner@example.org", .password = "Secret-42"
#define MESSAGE                                                                                    \
	.from = "a@example.org", .to = { "b@example.net" }, .content = "Subject: x\r\n\r\nhi\r\n"

static const struct scenario scenarios[] = {
	{
	    /* The initial response makes AUTH LOGIN unknown; the other way delivers. */
	    .name = "Exchange 2003's provider: AUTH LOGIN with an initial response is an invalid "
		    "command",
	    USER,
	    MESSAGE,
	    .only = "LOGIN",
	    .initial_response = SASL_INITIAL_RESPONSE_YES,
	    .server = { "220 mx7.hoster.example ESMTP ready",
		"250-mx7.hoster.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 AUTH LOGIN "
		"CRAM-MD5",
		"500 5.5.1 Invalid command", "334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6", "235 2.0.0 OK",
		"250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n354 End data with <CR><LF>.<CR><LF>",
		"250 2.0.0 Ok: queued as 6F1482E0CE", "221 2.0.0 Bye" },
	    .want = "S: 220 mx7.hoster.example ESMTP ready\n"
		    "C: EHLO me.example.org\n"
		    "S: 250-mx7.hoster.example\n"
		    "S: 250-PIPELINING\n"
		    "S: 250-8BITMIME\n"
		    "S: 250 AUTH LOGIN CRAM-MD5\n"
		    "* AUTH LOGIN CRAM-MD5\n"
		    "C: AUTH LOGIN c2Nhbm5lckBleGFtcGxlLm9yZw==\n"
		    "S: 500 5.5.1 Invalid command\n"
		    "* AUTH_REPLY 500 5.5.1 Invalid command\n"
		    "C: AUTH LOGIN\n"
		    "S: 334 VXNlcm5hbWU6\n"
		    "* AUTH_CHALLENGE \"Username:\"\n"
		    "C: c2Nhbm5lckBleGFtcGxlLm9yZw==\n"
		    "S: 334 UGFzc3dvcmQ6\n"
		    "* AUTH_CHALLENGE \"Password:\"\n"
		    "C: U2VjcmV0LTQy\n"
		    "S: 235 2.0.0 OK\n"
		    "* AUTH_REPLY 235 2.0.0 OK\n"
		    "= signed in with LOGIN\n"
		    "* READY\n"
		    "C: MAIL FROM:<a@example.org>\n"
		    "C: RCPT TO:<b@example.net>\n"
		    "C: DATA\n"
		    "S: 250 2.1.0 Ok\n"
		    "S: 250 2.1.5 Ok\n"
		    "S: 354 End data with <CR><LF>.<CR><LF>\n"
		    "* RECIPIENT 0 250 2.1.5 Ok\n"
		    "* CONTENT\n"
		    "C: Subject: x\n"
		    "C: \n"
		    "C: hi\n"
		    "C: .\n"
		    "S: 250 2.0.0 Ok: queued as 6F1482E0CE\n"
		    "* MESSAGE all 250 2.0.0 Ok: queued as 6F1482E0CE\n"
		    "* READY\n"
		    "C: QUIT\n"
		    "S: 221 2.0.0 Bye\n"
		    "* CLOSED\n",
	},
	{
	    .name = "the same with PLAIN on its list: it, too, goes the other way",
	    USER,
	    MESSAGE,
	    .only = "PLAIN",
	    .initial_response = SASL_INITIAL_RESPONSE_YES,
	    .server = { "220 mx7.hoster.example ESMTP ready",
		"250-mx7.hoster.example\r\n250-PIPELINING\r\n250 AUTH PLAIN LOGIN CRAM-MD5",
		"500 5.5.1 Invalid command", "334 ", "235 2.0.0 OK",
		"250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n354 go", "250 2.0.0 Ok: queued as X", "221 bye" },
	    .want = "S: 220 mx7.hoster.example ESMTP ready\n"
		    "C: EHLO me.example.org\n"
		    "S: 250-mx7.hoster.example\n"
		    "S: 250-PIPELINING\n"
		    "S: 250 AUTH PLAIN LOGIN CRAM-MD5\n"
		    "* AUTH PLAIN LOGIN CRAM-MD5\n"
		    "C: AUTH PLAIN AHNjYW5uZXJAZXhhbXBsZS5vcmcAU2VjcmV0LTQy\n"
		    "S: 500 5.5.1 Invalid command\n"
		    "* AUTH_REPLY 500 5.5.1 Invalid command\n"
		    "C: AUTH PLAIN\n"
		    "S: 334 \n"
		    "* AUTH_CHALLENGE \"\"\n"
		    "C: AHNjYW5uZXJAZXhhbXBsZS5vcmcAU2VjcmV0LTQy\n"
		    "S: 235 2.0.0 OK\n"
		    "* AUTH_REPLY 235 2.0.0 OK\n"
		    "= signed in with PLAIN\n"
		    "* READY\n"
		    "C: MAIL FROM:<a@example.org>\n"
		    "C: RCPT TO:<b@example.net>\n"
		    "C: DATA\n"
		    "S: 250 2.1.0 Ok\n"
		    "S: 250 2.1.5 Ok\n"
		    "S: 354 go\n"
		    "* RECIPIENT 0 250 2.1.5 Ok\n"
		    "* CONTENT\n"
		    "C: Subject: x\n"
		    "C: \n"
		    "C: hi\n"
		    "C: .\n"
		    "S: 250 2.0.0 Ok: queued as X\n"
		    "* MESSAGE all 250 2.0.0 Ok: queued as X\n"
		    "* READY\n"
		    "C: QUIT\n"
		    "S: 221 bye\n"
		    "* CLOSED\n",
	},
	{
	    .name = "the same when CRAM-MD5 may be used: the password does not travel",
	    USER,
	    .initial_response = SASL_INITIAL_RESPONSE_YES,
	    .server = { "220 mx7.hoster.example ESMTP ready",
		"250-mx7.hoster.example\r\n250 AUTH LOGIN CRAM-MD5",
		"334 PDE4OTYuNjk3MTcwOTUyQGhvc3Rlci5leGFtcGxlPg==", "235 2.0.0 OK", "221 bye" },
	    .want = "S: 220 mx7.hoster.example ESMTP ready\n"
		    "C: EHLO me.example.org\n"
		    "S: 250-mx7.hoster.example\n"
		    "S: 250 AUTH LOGIN CRAM-MD5\n"
		    "* AUTH LOGIN CRAM-MD5\n"
		    "C: AUTH CRAM-MD5\n"
		    "S: 334 PDE4OTYuNjk3MTcwOTUyQGhvc3Rlci5leGFtcGxlPg==\n"
		    "* AUTH_CHALLENGE \"<1896.697170952@hoster.example>\"\n"
		    "C: c2Nhbm5lckBleGFtcGxlLm9yZyA1M2UyOWFkMWFhMDU2Njk1ZjFlZGM0ZWQ4MTUyNGI4ZA==\n"
		    "S: 235 2.0.0 OK\n"
		    "* AUTH_REPLY 235 2.0.0 OK\n"
		    "= signed in with CRAM-MD5\n"
		    "* READY\n"
		    "C: QUIT\n"
		    "S: 221 bye\n"
		    "* CLOSED\n",
	},
	{
	    .name = "qmail refuses a login",
	    USER,
	    MESSAGE,
	    .server = { "220 a.mx.example.net NO UCE ESMTP",
		"250-a.mx.example.net NO UCE\r\n250-AUTH LOGIN PLAIN\r\n250-PIPELINING\r\n250 "
		"8BITMIME",
		"535 authorization failed (#5.7.0)", "221 a.mx.example.net NO UCE" },
	    .want = "S: 220 a.mx.example.net NO UCE ESMTP\n"
		    "C: EHLO me.example.org\n"
		    "S: 250-a.mx.example.net NO UCE\n"
		    "S: 250-AUTH LOGIN PLAIN\n"
		    "S: 250-PIPELINING\n"
		    "S: 250 8BITMIME\n"
		    "* AUTH LOGIN PLAIN\n"
		    "C: AUTH PLAIN AHNjYW5uZXJAZXhhbXBsZS5vcmcAU2VjcmV0LTQy\n"
		    "S: 535 authorization failed (#5.7.0)\n"
		    "* AUTH_REPLY 535 authorization failed (#5.7.0)\n"
		    "= the server refused the login: 535 authorization failed (#5.7.0)\n"
		    "C: QUIT\n"
		    "S: 221 a.mx.example.net NO UCE\n"
		    "* CLOSED\n",
	},
	{
	    .name = "qmail takes a message",
	    USER,
	    MESSAGE,
	    .server = { "220 a.mx.example.net NO UCE ESMTP",
		"250-a.mx.example.net NO UCE\r\n250-AUTH LOGIN PLAIN\r\n250-AUTH=LOGIN "
		"PLAIN\r\n250 "
		"8BITMIME",
		"235 ok, go ahead (#2.0.0)", "250 ok", "250 ok", "354 go ahead",
		"250 ok 1113954693 qp 29052", "221 a.mx.example.net NO UCE" },
	    .want = "S: 220 a.mx.example.net NO UCE ESMTP\n"
		    "C: EHLO me.example.org\n"
		    "S: 250-a.mx.example.net NO UCE\n"
		    "S: 250-AUTH LOGIN PLAIN\n"
		    "S: 250-AUTH=LOGIN PLAIN\n"
		    "S: 250 8BITMIME\n"
		    "* AUTH LOGIN PLAIN\n"
		    "C: AUTH PLAIN AHNjYW5uZXJAZXhhbXBsZS5vcmcAU2VjcmV0LTQy\n"
		    "S: 235 ok, go ahead (#2.0.0)\n"
		    "* AUTH_REPLY 235 ok, go ahead (#2.0.0)\n"
		    "= signed in with PLAIN\n"
		    "* READY\n"
		    "C: MAIL FROM:<a@example.org>\n"
		    "S: 250 ok\n"
		    "C: RCPT TO:<b@example.net>\n"
		    "S: 250 ok\n"
		    "* RECIPIENT 0 250 ok\n"
		    "C: DATA\n"
		    "S: 354 go ahead\n"
		    "* CONTENT\n"
		    "C: Subject: x\n"
		    "C: \n"
		    "C: hi\n"
		    "C: .\n"
		    "S: 250 ok 1113954693 qp 29052\n"
		    "* MESSAGE all 250 ok 1113954693 qp 29052\n"
		    "* READY\n"
		    "C: QUIT\n"
		    "S: 221 a.mx.example.net NO UCE\n"
		    "* CLOSED\n",
	},
	{
	    .name = "qmail without AUTH",
	    USER,
	    MESSAGE,
	    .server = { "220 a.mx.example.net NO UCE ESMTP",
		"250-a.mx.example.net NO UCE\r\n250-STARTTLS\r\n250-PIPELINING\r\n250 8BITMIME",
		"221 a.mx.example.net NO UCE" },
	    .want = "S: 220 a.mx.example.net NO UCE ESMTP\n"
		    "C: EHLO me.example.org\n"
		    "S: 250-a.mx.example.net NO UCE\n"
		    "S: 250-STARTTLS\n"
		    "S: 250-PIPELINING\n"
		    "S: 250 8BITMIME\n"
		    "* AUTH\n"
		    "= the server does not offer AUTH; many servers offer it only under TLS\n"
		    "C: QUIT\n"
		    "S: 221 a.mx.example.net NO UCE\n"
		    "* CLOSED\n",
	},
	{
	    .name = "a firewall's ESMTP inspection hides STARTTLS",
	    .settings = { .starttls = SMTP_CLIENT_STARTTLS_REQUIRED },
	    USER,
	    MESSAGE,
	    .server = { "220 ****************************************",
		"250-mx1.example.com\r\n250-8BITMIME\r\n250-SIZE 14680064\r\n250 XXXXXXXA",
		"221 mx1.example.com" },
	    .want =
		"S: 220 ****************************************\n"
		"C: EHLO me.example.org\n"
		"S: 250-mx1.example.com\n"
		"S: 250-8BITMIME\n"
		"S: 250-SIZE 14680064\n"
		"S: 250 XXXXXXXA\n"
		"* FAILED EHLO: TLS is required, and the server does not offer STARTTLS; something "
		"in between overwrites parts of its replies (SMTP inspection in a firewall): "
		"switch that off\n"
		"C: QUIT\n"
		"S: 221 mx1.example.com\n"
		"* CLOSED\n",
	},
	{
	    .name = "Microsoft 365 with basic authentication off",
	    .settings = { .starttls = SMTP_CLIENT_STARTTLS_REQUIRED },
	    USER,
	    MESSAGE,
	    .server = { "220 FR3P281CA0094.outlook.office365.com Microsoft ESMTP MAIL Service "
			"ready",
		"250-FR3P281CA0094.outlook.office365.com Hello [198.51.100.17]\r\n250-SIZE "
		"157286400\r\n250-STARTTLS\r\n250 SMTPUTF8",
		"220 2.0.0 SMTP server ready",
		"250-FR3P281CA0094.outlook.office365.com Hello [198.51.100.17]\r\n250-AUTH LOGIN "
		"XOAUTH2\r\n250 SMTPUTF8",
		"334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6",
		"535 5.7.139 Authentication unsuccessful, basic authentication is disabled. "
		"[FR3P281]",
		"221 2.0.0 Service closing transmission channel" },
	    .want =
		"S: 220 FR3P281CA0094.outlook.office365.com Microsoft ESMTP MAIL Service ready\n"
		"C: EHLO me.example.org\n"
		"S: 250-FR3P281CA0094.outlook.office365.com Hello [198.51.100.17]\n"
		"S: 250-SIZE 157286400\n"
		"S: 250-STARTTLS\n"
		"S: 250 SMTPUTF8\n"
		"C: STARTTLS\n"
		"S: 220 2.0.0 SMTP server ready\n"
		"* STARTTLS\n"
		"C: EHLO me.example.org\n"
		"S: 250-FR3P281CA0094.outlook.office365.com Hello [198.51.100.17]\n"
		"S: 250-AUTH LOGIN XOAUTH2\n"
		"S: 250 SMTPUTF8\n"
		"* AUTH LOGIN XOAUTH2\n"
		"C: AUTH LOGIN\n"
		"S: 334 VXNlcm5hbWU6\n"
		"* AUTH_CHALLENGE \"Username:\"\n"
		"C: c2Nhbm5lckBleGFtcGxlLm9yZw==\n"
		"S: 334 UGFzc3dvcmQ6\n"
		"* AUTH_CHALLENGE \"Password:\"\n"
		"C: U2VjcmV0LTQy\n"
		"S: 535 5.7.139 Authentication unsuccessful, basic authentication is disabled. "
		"[FR3P281]\n"
		"* AUTH_REPLY 535 5.7.139 Authentication unsuccessful, basic authentication is "
		"disabled. [FR3P281]\n"
		"= the server refused the login: 535 5.7.139 Authentication unsuccessful, basic "
		"authentication is disabled. [FR3P281]\n"
		"C: QUIT\n"
		"S: 221 2.0.0 Service closing transmission channel\n"
		"* CLOSED\n",
	},
	{
	    .name = "only the old AUTH= is listed",
	    USER,
	    MESSAGE,
	    .server = { "220 mail.example.org ESMTP",
		"250-mail.example.org\r\n250-SIZE 20000000\r\n250-AUTH=LOGIN PLAIN\r\n250 HELP",
		"235 ok", "250 ok", "250 ok", "354 go", "250 ok", "221 mail.example.org" },
	    .want = "S: 220 mail.example.org ESMTP\n"
		    "C: EHLO me.example.org\n"
		    "S: 250-mail.example.org\n"
		    "S: 250-SIZE 20000000\n"
		    "S: 250-AUTH=LOGIN PLAIN\n"
		    "S: 250 HELP\n"
		    "* AUTH LOGIN PLAIN\n"
		    "C: AUTH PLAIN AHNjYW5uZXJAZXhhbXBsZS5vcmcAU2VjcmV0LTQy\n"
		    "S: 235 ok\n"
		    "* AUTH_REPLY 235 ok\n"
		    "= signed in with PLAIN\n"
		    "* READY\n"
		    "C: MAIL FROM:<a@example.org>\n"
		    "S: 250 ok\n"
		    "C: RCPT TO:<b@example.net>\n"
		    "S: 250 ok\n"
		    "* RECIPIENT 0 250 ok\n"
		    "C: DATA\n"
		    "S: 354 go\n"
		    "* CONTENT\n"
		    "C: Subject: x\n"
		    "C: \n"
		    "C: hi\n"
		    "C: .\n"
		    "S: 250 ok\n"
		    "* MESSAGE all 250 ok\n"
		    "* READY\n"
		    "C: QUIT\n"
		    "S: 221 mail.example.org\n"
		    "* CLOSED\n",
	},
	{
	    .name = "an extension in the first line of the EHLO reply",
	    .settings = { .starttls = SMTP_CLIENT_STARTTLS_REQUIRED },
	    .server = { "220 relay.example.org ESMTP",
		"250-STARTTLS\r\n250-relay.example.org\r\n250 HELP", "221 relay.example.org" },
	    .want =
		"S: 220 relay.example.org ESMTP\n"
		"C: EHLO me.example.org\n"
		"S: 250-STARTTLS\n"
		"S: 250-relay.example.org\n"
		"S: 250 HELP\n"
		"* FAILED EHLO: TLS is required, and the server does not offer STARTTLS; its EHLO "
		"reply is malformed: an extension stands in the first line\n"
		"C: QUIT\n"
		"S: 221 relay.example.org\n"
		"* CLOSED\n",
	},
	{
	    .name = "421 in place of a greeting",
	    MESSAGE,
	    .server = { "421 4.3.2 The maximum number of concurrent server connections has "
			"exceeded a "
			"limit, closing transmission channel" },
	    .want =
		"S: 421 4.3.2 The maximum number of concurrent server connections has exceeded a "
		"limit, closing transmission channel\n"
		"* FAILED greeting: the server ended the session with its greeting: 421 4.3.2 The "
		"maximum number of concurrent server connections has exceeded a limit, closing "
		"transmission channel\n"
		"* CLOSED\n",
	},
	{
	    .name = "a port that begins with TLS, called in the clear",
	    MESSAGE,
	    .server = { "<EOF>" },
	    .want =
		"S: <EOF>\n"
		"* FAILED greeting: the server closed the connection before its greeting; a port "
		"that begins with TLS (465) is silent until the client begins with TLS too\n"
		"* CLOSED\n",
	},
	{
	    .name = "STARTTLS is listed and unknown",
	    .settings = { .starttls = SMTP_CLIENT_STARTTLS_REQUIRED },
	    USER,
	    MESSAGE,
	    .server = { "220 mail.example.org ESMTP", "250-mail.example.org\r\n250 STARTTLS",
		"500 5.5.1 Command unrecognized", "221 bye" },
	    .want =
		"S: 220 mail.example.org ESMTP\n"
		"C: EHLO me.example.org\n"
		"S: 250-mail.example.org\n"
		"S: 250 STARTTLS\n"
		"C: STARTTLS\n"
		"S: 500 5.5.1 Command unrecognized\n"
		"* FAILED STARTTLS: TLS is required, and the server offers STARTTLS but refuses "
		"it: 500 5.5.1 Command unrecognized\n"
		"C: QUIT\n"
		"S: 221 bye\n"
		"* CLOSED\n",
	},
	{
	    .name = "the login's server is out of reach",
	    .settings = { .starttls = SMTP_CLIENT_STARTTLS_REQUIRED },
	    USER,
	    MESSAGE,
	    .server = { "220 smarthost.isp.example ESMTP Postfix",
		"250-smarthost.isp.example\r\n250-STARTTLS\r\n250 ENHANCEDSTATUSCODES",
		"220 2.0.0 Ready to start TLS",
		"250-smarthost.isp.example\r\n250-AUTH PLAIN\r\n250 ENHANCEDSTATUSCODES",
		"454 4.7.0 Temporary authentication failure: Connection lost to authentication "
		"server",
		"221 bye" },
	    .want =
		"S: 220 smarthost.isp.example ESMTP Postfix\n"
		"C: EHLO me.example.org\n"
		"S: 250-smarthost.isp.example\n"
		"S: 250-STARTTLS\n"
		"S: 250 ENHANCEDSTATUSCODES\n"
		"C: STARTTLS\n"
		"S: 220 2.0.0 Ready to start TLS\n"
		"* STARTTLS\n"
		"C: EHLO me.example.org\n"
		"S: 250-smarthost.isp.example\n"
		"S: 250-AUTH PLAIN\n"
		"S: 250 ENHANCEDSTATUSCODES\n"
		"* AUTH PLAIN\n"
		"C: AUTH PLAIN AHNjYW5uZXJAZXhhbXBsZS5vcmcAU2VjcmV0LTQy\n"
		"S: 454 4.7.0 Temporary authentication failure: Connection lost to authentication "
		"server\n"
		"* AUTH_REPLY 454 4.7.0 Temporary authentication failure: Connection lost to "
		"authentication server\n"
		"= the server cannot check the login now: 454 4.7.0 Temporary authentication "
		"failure: Connection lost to authentication server\n"
		"C: QUIT\n"
		"S: 221 bye\n"
		"* CLOSED\n",
	},
	{
	    .name = "a mechanism that is refused by its name in a 535",
	    USER,
	    MESSAGE,
	    .settings = { .tls_active = true },
	    .server = { "220 mailsub002.post.example ESMTP Postfix",
		"250-mailsub002.post.example\r\n250 AUTH PLAIN LOGIN",
		"535 5.7.8 Error: authentication failed: Invalid authentication mechanism",
		"334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6", "235 2.7.0 ok", "250 ok", "250 ok",
		"354 go", "250 ok", "221 bye" },
	    .want = "S: 220 mailsub002.post.example ESMTP Postfix\n"
		    "C: EHLO me.example.org\n"
		    "S: 250-mailsub002.post.example\n"
		    "S: 250 AUTH PLAIN LOGIN\n"
		    "* AUTH PLAIN LOGIN\n"
		    "C: AUTH PLAIN AHNjYW5uZXJAZXhhbXBsZS5vcmcAU2VjcmV0LTQy\n"
		    "S: 535 5.7.8 Error: authentication failed: Invalid authentication mechanism\n"
		    "* AUTH_REPLY 535 5.7.8 Error: authentication failed: Invalid authentication "
		    "mechanism\n"
		    "C: AUTH LOGIN\n"
		    "S: 334 VXNlcm5hbWU6\n"
		    "* AUTH_CHALLENGE \"Username:\"\n"
		    "C: c2Nhbm5lckBleGFtcGxlLm9yZw==\n"
		    "S: 334 UGFzc3dvcmQ6\n"
		    "* AUTH_CHALLENGE \"Password:\"\n"
		    "C: U2VjcmV0LTQy\n"
		    "S: 235 2.7.0 ok\n"
		    "* AUTH_REPLY 235 2.7.0 ok\n"
		    "= signed in with LOGIN\n"
		    "* READY\n"
		    "C: MAIL FROM:<a@example.org>\n"
		    "S: 250 ok\n"
		    "C: RCPT TO:<b@example.net>\n"
		    "S: 250 ok\n"
		    "* RECIPIENT 0 250 ok\n"
		    "C: DATA\n"
		    "S: 354 go\n"
		    "* CONTENT\n"
		    "C: Subject: x\n"
		    "C: \n"
		    "C: hi\n"
		    "C: .\n"
		    "S: 250 ok\n"
		    "* MESSAGE all 250 ok\n"
		    "* READY\n"
		    "C: QUIT\n"
		    "S: 221 bye\n"
		    "* CLOSED\n",
	},
	{
	    .name = "EHLO's name is refused",
	    MESSAGE,
	    .helo = true,
	    .server = { "220 mx.example.com ESMTP",
		"550 5.7.1 <office.local>: Helo command rejected: Host not found",
		"550 5.7.1 <office.local>: Helo command rejected: Host not found", "221 bye" },
	    .want =
		"S: 220 mx.example.com ESMTP\n"
		"C: EHLO me.example.org\n"
		"S: 550 5.7.1 <office.local>: Helo command rejected: Host not found\n"
		"* EHLO_REFUSED 550 5.7.1 <office.local>: Helo command rejected: Host not found\n"
		"C: HELO me.example.org\n"
		"S: 550 5.7.1 <office.local>: Helo command rejected: Host not found\n"
		"* FAILED HELO: the server refused HELO: 550 5.7.1 <office.local>: Helo command "
		"rejected: Host not found\n"
		"C: QUIT\n"
		"S: 221 bye\n"
		"* CLOSED\n",
	},
	{
	    .name = "the sender is not the login's own",
	    .settings = { .tls_active = true },
	    USER,
	    MESSAGE,
	    .server = { "220 mail.example.org ESMTP Postfix",
		"250-mail.example.org\r\n250-PIPELINING\r\n"
		"250 AUTH PLAIN LOGIN",
		"235 2.7.0 Authentication successful",
		"250 2.1.0 Ok\r\n553 5.7.1 <root@d4>: Sender address rejected: not owned by user "
		"x\r\n554 5.5.1 Error: no valid recipients",
		"221 2.0.0 Bye" },
	    .want =
		"S: 220 mail.example.org ESMTP Postfix\n"
		"C: EHLO me.example.org\n"
		"S: 250-mail.example.org\n"
		"S: 250-PIPELINING\n"
		"S: 250 AUTH PLAIN LOGIN\n"
		"* AUTH PLAIN LOGIN\n"
		"C: AUTH PLAIN AHNjYW5uZXJAZXhhbXBsZS5vcmcAU2VjcmV0LTQy\n"
		"S: 235 2.7.0 Authentication successful\n"
		"* AUTH_REPLY 235 2.7.0 Authentication successful\n"
		"= signed in with PLAIN\n"
		"* READY\n"
		"C: MAIL FROM:<a@example.org>\n"
		"C: RCPT TO:<b@example.net>\n"
		"C: DATA\n"
		"S: 250 2.1.0 Ok\n"
		"S: 553 5.7.1 <root@d4>: Sender address rejected: not owned by user x\n"
		"S: 554 5.5.1 Error: no valid recipients\n"
		"* RECIPIENT 0 553 5.7.1 <root@d4>: Sender address rejected: not owned by user x\n"
		"* TRANSACTION_FAILED RCPT 553 5.7.1 <root@d4>: Sender address rejected: not owned "
		"by user x\n"
		"* READY\n"
		"C: QUIT\n"
		"S: 221 2.0.0 Bye\n"
		"* CLOSED\n",
	},
	{
	    .name = "a message refused in six lines",
	    MESSAGE,
	    .server = { "220 mx.google.com ESMTP b14-20020a170906 - gsmtp",
		"250-mx.google.com at your service, [198.51.100.9]\r\n250-SIZE 157286400\r\n250 "
		"PIPELINING",
		"250 2.1.0 OK b14-20020a170906 - gsmtp\r\n250 2.1.5 OK b14-20020a170906 - "
		"gsmtp\r\n354  Go "
		"ahead b14-20020a170906 - gsmtp",
		"550-5.7.26 This mail has been blocked because the sender is "
		"unauthenticated.\r\n550-5.7.26 "
		"Gmail requires all senders to authenticate.\r\n550-5.7.26  Authentication "
		"results:\r\n"
		"550-5.7.26  DKIM = did not pass\r\n550-5.7.26  SPF = did not pass\r\n"
		"550 5.7.26 b14-20020a170906 - gsmtp",
		"221 bye" },
	    .want =
		"S: 220 mx.google.com ESMTP b14-20020a170906 - gsmtp\n"
		"C: EHLO me.example.org\n"
		"S: 250-mx.google.com at your service, [198.51.100.9]\n"
		"S: 250-SIZE 157286400\n"
		"S: 250 PIPELINING\n"
		"* AUTH\n"
		"* READY\n"
		"C: MAIL FROM:<a@example.org>\n"
		"C: RCPT TO:<b@example.net>\n"
		"C: DATA\n"
		"S: 250 2.1.0 OK b14-20020a170906 - gsmtp\n"
		"S: 250 2.1.5 OK b14-20020a170906 - gsmtp\n"
		"S: 354  Go ahead b14-20020a170906 - gsmtp\n"
		"* RECIPIENT 0 250 2.1.5 OK b14-20020a170906 - gsmtp\n"
		"* CONTENT\n"
		"C: Subject: x\n"
		"C: \n"
		"C: hi\n"
		"C: .\n"
		"S: 550-5.7.26 This mail has been blocked because the sender is unauthenticated.\n"
		"S: 550-5.7.26 Gmail requires all senders to authenticate.\n"
		"S: 550-5.7.26  Authentication results:\n"
		"S: 550-5.7.26  DKIM = did not pass\n"
		"S: 550-5.7.26  SPF = did not pass\n"
		"S: 550 5.7.26 b14-20020a170906 - gsmtp\n"
		"* MESSAGE all 550 5.7.26 This mail has been blocked because the sender is "
		"unauthenticated. Gmail requires all senders to authenticate. Authentication "
		"results: DKIM = did not pass SPF = did not pass b14-20020a170906 - gsmtp\n"
		"* READY\n"
		"C: QUIT\n"
		"S: 221 bye\n"
		"* CLOSED\n",
	},
	{
	    .name = "greeted as by 163.com, with nothing behind the 250",
	    MESSAGE,
	    .server = { "220 163.com Anti-spam GT for Coremail System (163com[20121016])", "250 OK",
		"553 authentication is required,smtp13,EcCowECZoy 1415785650", "221 Bye" },
	    .want = "S: 220 163.com Anti-spam GT for Coremail System (163com[20121016])\n"
		    "C: EHLO me.example.org\n"
		    "S: 250 OK\n"
		    "* AUTH\n"
		    "* READY\n"
		    "C: MAIL FROM:<a@example.org>\n"
		    "S: 553 authentication is required,smtp13,EcCowECZoy 1415785650\n"
		    "* TRANSACTION_FAILED MAIL 553 authentication is required,smtp13,EcCowECZoy "
		    "1415785650\n"
		    "* READY\n"
		    "C: QUIT\n"
		    "S: 221 Bye\n"
		    "* CLOSED\n",
	},
};

int main(void)
{
	struct CMUnitTest tests[ARRAY_LEN(scenarios)];

	for (size_t i = 0; i < ARRAY_LEN(scenarios); i++)
		tests[i] = (struct CMUnitTest){ scenarios[i].name, run_scenario, NULL, NULL,
			(void *)&scenarios[i] };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
