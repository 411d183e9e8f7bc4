/* SPDX-License-Identifier: MIT */
#include "client_runner.h"

#include "base/memory.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>
#include <string.h>

#define STEPS "220 mx", "250 mx"
#define PIPED "220 mx", "250-mx\r\n250 PIPELINING"
#define LMTP .settings = { .lmtp = true }
#define ONE .from_ready = true, .from = "a@example.org", .to = { "b@example.net" }
#define TWO .from_ready = true, .from = "a@example.org", .to = { "b@example.net", "c@example.net" }
#define THREE                                                                                      \
	.from_ready = true, .from = "a@example.org",                                               \
	.to = { "b@example.net", "c@example.net", "d@example.net" }
#define TEXT .content = "hello\r\n"

#define ASKS                                                                                       \
	.ret = SMTP_RETURN_HEADERS, .envid = SPAN("QQ+2B1"),                                       \
	.notify = {                                                                                \
		{ SMTP_NOTIFY_SUCCESS | SMTP_NOTIFY_DELAY, SPAN("rfc822;b+40x") },                 \
		{ SMTP_NOTIFY_NEVER, SPAN("") },                                                   \
		{ 0, SPAN("rfc822;d@x") },                                                         \
	}

static const struct scenario scenarios[] = {
	{
	    .name = "what the sender wants to hear is passed on where DSN is offered",
	    THREE,
	    TEXT,
	    ASKS,
	    .server = { "220 mx", "250-mx\r\n250-DSN\r\n250 PIPELINING",
		"550 no\r\n550 no\r\n550 no\r\n"
		"550 no\r\n554 no",
		"221 bye" },
	    .want = "* READY\n"
		    "C: MAIL FROM:<a@example.org> RET=HDRS ENVID=QQ+2B1\n"
		    "C: RCPT TO:<b@example.net> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;b+40x\n"
		    "C: RCPT TO:<c@example.net> NOTIFY=NEVER\n"
		    "C: RCPT TO:<d@example.net> ORCPT=rfc822;d@x\n"
		    "C: DATA\n"
		    "S: 550 no\n"
		    "S: 550 no\n"
		    "S: 550 no\n"
		    "S: 550 no\n"
		    "S: 554 no\n"
		    "* TRANSACTION_FAILED MAIL 550 no\n"
		    "* READY\n"
		    "C: QUIT\n"
		    "S: 221 bye\n"
		    "* CLOSED\n",
	},
	{
	    .name = "and nowhere else",
	    ONE,
	    TEXT,
	    ASKS,
	    .requiretls = true,
	    .server = { STEPS, "250 ok", "550 no", "221 bye" },
	    .want = "* READY\n"
		    "C: MAIL FROM:<a@example.org>\n"
		    "S: 250 ok\n"
		    "C: RCPT TO:<b@example.net>\n"
		    "S: 550 no\n"
		    "* RECIPIENT 0 550 no\n"
		    "* TRANSACTION_FAILED RCPT 550 no\n"
		    "* READY\n"
		    "C: QUIT\n"
		    "S: 221 bye\n"
		    "* CLOSED\n",
	},
	{
	    .name = "REQUIRETLS is said where it is offered",
	    ONE,
	    TEXT,
	    .requiretls = true,
	    .ret = SMTP_RETURN_FULL,
	    .server = { "220 mx", "250-mx\r\n250-REQUIRETLS\r\n250 DSN", "550 no", "221 bye" },
	    .want = "* READY\n"
		    "C: MAIL FROM:<a@example.org> REQUIRETLS RET=FULL\n"
		    "S: 550 no\n"
		    "* TRANSACTION_FAILED MAIL 550 no\n"
		    "* READY\n"
		    "C: QUIT\n"
		    "S: 221 bye\n"
		    "* CLOSED\n",
	},
	{
	    .name = "one message, step by step",
	    ONE,
	    TEXT,
	    .server = { STEPS, "250 2.1.0 Ok", "250 2.1.5 Ok", "354 go",
		"250 2.0.0 Ok: queued as X", "221 bye" },
	    .want = "* READY\n"
		    "C: MAIL FROM:<a@example.org>\n"
		    "S: 250 2.1.0 Ok\n"
		    "C: RCPT TO:<b@example.net>\n"
		    "S: 250 2.1.5 Ok\n"
		    "* RECIPIENT 0 250 2.1.5 Ok\n"
		    "C: DATA\n"
		    "S: 354 go\n"
		    "* CONTENT\n"
		    "C: hello\n"
		    "C: .\n"
		    "S: 250 2.0.0 Ok: queued as X\n"
		    "* MESSAGE all 250 2.0.0 Ok: queued as X\n"
		    "* READY\n"
		    "C: QUIT\n"
		    "S: 221 bye\n"
		    "* CLOSED\n",
	    .observed = "reply 220 mx\n"
			"command EHLO me.example.org\n"
			"reply 250 mx\n"
			"command MAIL FROM:<a@example.org>\n"
			"reply 250 2.1.0 Ok\n"
			"command RCPT TO:<b@example.net>\n"
			"reply 250 2.1.5 Ok\n"
			"command DATA\n"
			"reply 354 go\n"
			"content 7\n"
			"reply 250 2.0.0 Ok: queued as X\n"
			"command QUIT\n"
			"reply 221 bye\n",
	},
	{
	    .name = "one message in a pipelined group",
	    TWO,
	    TEXT,
	    .server = { PIPED, "250 2.1.0 Ok\r\n250 2.1.5 Ok\r\n250 2.1.5 Ok\r\n354 go",
		"250 2.0.0 Ok: queued as X", "221 bye" },
	    .want = "* READY\n"
		    "C: MAIL FROM:<a@example.org>\n"
		    "C: RCPT TO:<b@example.net>\n"
		    "C: RCPT TO:<c@example.net>\n"
		    "C: DATA\n"
		    "S: 250 2.1.0 Ok\n"
		    "S: 250 2.1.5 Ok\n"
		    "S: 250 2.1.5 Ok\n"
		    "S: 354 go\n"
		    "* RECIPIENT 0 250 2.1.5 Ok\n"
		    "* RECIPIENT 1 250 2.1.5 Ok\n"
		    "* CONTENT\n"
		    "C: hello\n"
		    "C: .\n"
		    "S: 250 2.0.0 Ok: queued as X\n"
		    "* MESSAGE all 250 2.0.0 Ok: queued as X\n"
		    "* READY\n"
		    "C: QUIT\n"
		    "S: 221 bye\n"
		    "* CLOSED\n",
	    .observed = "reply 220 mx\n"
			"command EHLO me.example.org\n"
			"reply 250-mx\n"
			"reply 250 PIPELINING\n"
			"command MAIL FROM:<a@example.org>\n"
			"command RCPT TO:<b@example.net>\n"
			"command RCPT TO:<c@example.net>\n"
			"command DATA\n"
			"reply 250 2.1.0 Ok\n"
			"reply 250 2.1.5 Ok\n"
			"reply 250 2.1.5 Ok\n"
			"reply 354 go\n"
			"content 7\n"
			"reply 250 2.0.0 Ok: queued as X\n"
			"command QUIT\n"
			"reply 221 bye\n",
	},
	{
	    .name = "the next message begins behind the dot",
	    ONE,
	    TEXT,
	    .messages = 2,
	    .ahead = true,
	    .server = { PIPED, "250 ok\r\n250 ok\r\n354 go",
		"250 first\r\n250 ok\r\n250 ok\r\n354 go", "250 second", "221 bye" },
	    .want = "* READY\n"
		    "C: MAIL FROM:<a@example.org>\n"
		    "C: RCPT TO:<b@example.net>\n"
		    "C: DATA\n"
		    "S: 250 ok\n"
		    "S: 250 ok\n"
		    "S: 354 go\n"
		    "* RECIPIENT 0 250 ok\n"
		    "* CONTENT\n"
		    "= ahead\n"
		    "C: hello\n"
		    "C: .\n"
		    "C: MAIL FROM:<a@example.org>\n"
		    "C: RCPT TO:<b@example.net>\n"
		    "C: DATA\n"
		    "S: 250 first\n"
		    "S: 250 ok\n"
		    "S: 250 ok\n"
		    "S: 354 go\n"
		    "* MESSAGE all 250 first\n"
		    "* READY\n"
		    "* RECIPIENT 0 250 ok\n"
		    "* CONTENT\n"
		    "C: hello\n"
		    "C: .\n"
		    "S: 250 second\n"
		    "* MESSAGE all 250 second\n"
		    "* READY\n"
		    "C: QUIT\n"
		    "S: 221 bye\n"
		    "* CLOSED\n",
	},
	{
	    .name = "a message refused at its end does not harm the one begun behind it",
	    ONE,
	    TEXT,
	    .messages = 2,
	    .ahead = true,
	    .server = { PIPED, "250 ok\r\n250 ok\r\n354 go", "554 no spam", "250 ok\r\n250 ok",
		"354 go", "250 second", "221 bye" },
	    .want = "* READY\n"
		    "C: MAIL FROM:<a@example.org>\n"
		    "C: RCPT TO:<b@example.net>\n"
		    "C: DATA\n"
		    "S: 250 ok\n"
		    "S: 250 ok\n"
		    "S: 354 go\n"
		    "* RECIPIENT 0 250 ok\n"
		    "* CONTENT\n"
		    "= ahead\n"
		    "C: hello\n"
		    "C: .\n"
		    "C: MAIL FROM:<a@example.org>\n"
		    "C: RCPT TO:<b@example.net>\n"
		    "C: DATA\n"
		    "S: 554 no spam\n"
		    "* MESSAGE all 554 no spam\n"
		    "* READY\n"
		    "S: 250 ok\n"
		    "S: 250 ok\n"
		    "* RECIPIENT 0 250 ok\n"
		    "S: 354 go\n"
		    "* CONTENT\n"
		    "C: hello\n"
		    "C: .\n"
		    "S: 250 second\n"
		    "* MESSAGE all 250 second\n"
		    "* READY\n"
		    "C: QUIT\n"
		    "S: 221 bye\n"
		    "* CLOSED\n",
	},
	{
	    .name = "the message begun behind the dot is refused",
	    ONE,
	    TEXT,
	    .messages = 2,
	    .ahead = true,
	    .server = { PIPED, "250 ok\r\n250 ok\r\n354 go",
		"250 first\r\n450 later\r\n503 no MAIL\r\n503 no MAIL", "221 bye" },
	    .want = "* READY\n"
		    "C: MAIL FROM:<a@example.org>\n"
		    "C: RCPT TO:<b@example.net>\n"
		    "C: DATA\n"
		    "S: 250 ok\n"
		    "S: 250 ok\n"
		    "S: 354 go\n"
		    "* RECIPIENT 0 250 ok\n"
		    "* CONTENT\n"
		    "= ahead\n"
		    "C: hello\n"
		    "C: .\n"
		    "C: MAIL FROM:<a@example.org>\n"
		    "C: RCPT TO:<b@example.net>\n"
		    "C: DATA\n"
		    "S: 250 first\n"
		    "S: 450 later\n"
		    "S: 503 no MAIL\n"
		    "S: 503 no MAIL\n"
		    "* MESSAGE all 250 first\n"
		    "* READY\n"
		    "* TRANSACTION_FAILED MAIL 450 later\n"
		    "* READY\n"
		    "C: QUIT\n"
		    "S: 221 bye\n"
		    "* CLOSED\n",
	},
	{
	    .name = "who has begun the next message leaves without QUIT, which would be content",
	    ONE,
	    TEXT,
	    .messages = 2,
	    .ahead = true,
	    .quits = true,
	    .server = { PIPED, "250 ok\r\n250 ok\r\n354 go", "250 first" },
	    .want = "* READY\n"
		    "C: MAIL FROM:<a@example.org>\n"
		    "C: RCPT TO:<b@example.net>\n"
		    "C: DATA\n"
		    "S: 250 ok\n"
		    "S: 250 ok\n"
		    "S: 354 go\n"
		    "* RECIPIENT 0 250 ok\n"
		    "* CONTENT\n"
		    "= ahead\n"
		    "C: hello\n"
		    "C: .\n"
		    "C: MAIL FROM:<a@example.org>\n"
		    "C: RCPT TO:<b@example.net>\n"
		    "C: DATA\n"
		    "S: 250 first\n"
		    "* MESSAGE all 250 first\n"
		    "* READY\n"
		    "* CLOSED\n",
	},
	{
	    .name = "nothing goes ahead without PIPELINING",
	    ONE,
	    TEXT,
	    .messages = 2,
	    .ahead = true,
	    .quits = true,
	    .server = { STEPS, "250 ok", "250 ok", "354 go", "250 first", "221 bye" },
	    .want = "* READY\n"
		    "C: MAIL FROM:<a@example.org>\n"
		    "S: 250 ok\n"
		    "C: RCPT TO:<b@example.net>\n"
		    "S: 250 ok\n"
		    "* RECIPIENT 0 250 ok\n"
		    "C: DATA\n"
		    "S: 354 go\n"
		    "* CONTENT\n"
		    "= not ahead\n"
		    "C: hello\n"
		    "C: .\n"
		    "S: 250 first\n"
		    "* MESSAGE all 250 first\n"
		    "* READY\n"
		    "C: QUIT\n"
		    "S: 221 bye\n"
		    "* CLOSED\n",
	},
	{
	    .name = "nothing goes ahead to Dovecot's submission service, which falls over it",
	    ONE,
	    TEXT,
	    .messages = 2,
	    .ahead = true,
	    .quits = true,
	    .server = { "220 mx", "250-mx\r\n250-BURL imap\r\n250 PIPELINING", "250 ok", "250 ok",
		"354 go", "250 first", "221 bye" },
	    .want = "* READY\n"
		    "C: MAIL FROM:<a@example.org>\n"
		    "C: RCPT TO:<b@example.net>\n"
		    "C: DATA\n"
		    "S: 250 ok\n"
		    "S: 250 ok\n"
		    "* RECIPIENT 0 250 ok\n"
		    "S: 354 go\n"
		    "* CONTENT\n"
		    "= not ahead\n"
		    "C: hello\n"
		    "C: .\n"
		    "S: 250 first\n"
		    "* MESSAGE all 250 first\n"
		    "* READY\n"
		    "C: QUIT\n"
		    "S: 221 bye\n"
		    "* CLOSED\n",
	},
	{
	    .name = "pipelining switched off",
	    .settings = { .pipelining_off = true },
	    ONE,
	    TEXT,
	    .server = { PIPED, "250 ok", "250 ok", "354 go", "250 ok", "221 bye" },
	    .want = "* READY\n"
		    "C: MAIL FROM:<a@example.org>\n"
		    "S: 250 ok\n"
		    "C: RCPT TO:<b@example.net>\n"
		    "S: 250 ok\n"
		    "* RECIPIENT 0 250 ok\n"
		    "C: DATA\n"
		    "S: 354 go\n"
		    "* CONTENT\n"
		    "C: hello\n"
		    "C: .\n"
		    "S: 250 ok\n"
		    "* MESSAGE all 250 ok\n"
		    "* READY\n"
		    "C: QUIT\n"
		    "S: 221 bye\n"
		    "* CLOSED\n",
	},
	{
	    .name = "parameters where they are offered",
	    ONE,
	    TEXT,
	    .size = 1234,
	    .body_8bit = true,
	    .smtputf8 = true,
	    .server = { "220 mx", "250-mx\r\n250-SIZE 9999\r\n250-SMTPUTF8\r\n250 8BITMIME",
		"250 ok", "250 ok", "354 go", "250 ok", "221 bye" },
	    .want = "* READY\n"
		    "C: MAIL FROM:<a@example.org> SIZE=1234 BODY=8BITMIME SMTPUTF8\n"
		    "S: 250 ok\n"
		    "C: RCPT TO:<b@example.net>\n"
		    "S: 250 ok\n"
		    "* RECIPIENT 0 250 ok\n"
		    "C: DATA\n"
		    "S: 354 go\n"
		    "* CONTENT\n"
		    "C: hello\n"
		    "C: .\n"
		    "S: 250 ok\n"
		    "* MESSAGE all 250 ok\n"
		    "* READY\n"
		    "C: QUIT\n"
		    "S: 221 bye\n"
		    "* CLOSED\n",
	},
	{
	    .name = "no parameters where none are offered",
	    ONE,
	    TEXT,
	    .size = 1234,
	    .body_8bit = true,
	    .smtputf8 = true,
	    .server = { STEPS, "250 ok", "250 ok", "354 go", "250 ok", "221 bye" },
	    .want = "* READY\n"
		    "C: MAIL FROM:<a@example.org>\n"
		    "S: 250 ok\n"
		    "C: RCPT TO:<b@example.net>\n"
		    "S: 250 ok\n"
		    "* RECIPIENT 0 250 ok\n"
		    "C: DATA\n"
		    "S: 354 go\n"
		    "* CONTENT\n"
		    "C: hello\n"
		    "C: .\n"
		    "S: 250 ok\n"
		    "* MESSAGE all 250 ok\n"
		    "* READY\n"
		    "C: QUIT\n"
		    "S: 221 bye\n"
		    "* CLOSED\n",
	},
	{
	    .name = "the null reverse-path",
	    .from_ready = true,
	    .from = "",
	    .to = { "b@example.net" },
	    .server = { STEPS, "250 ok", "250 ok", "354 go", "250 ok", "221 bye" },
	    .want = "* READY\n"
		    "C: MAIL FROM:<>\n"
		    "S: 250 ok\n"
		    "C: RCPT TO:<b@example.net>\n"
		    "S: 250 ok\n"
		    "* RECIPIENT 0 250 ok\n"
		    "C: DATA\n"
		    "S: 354 go\n"
		    "* CONTENT\n"
		    "C: .\n"
		    "S: 250 ok\n"
		    "* MESSAGE all 250 ok\n"
		    "* READY\n"
		    "C: QUIT\n"
		    "S: 221 bye\n"
		    "* CLOSED\n",
	},
	{
	    .name = "dots are stuffed across pieces, and a missing last line end is added",
	    ONE,
	    .content = ".\r\n..\r\na.b\r\n.c",
	    .server = { STEPS, "250 ok", "250 ok", "354 go", "250 ok", "221 bye" },
	    .want = "* READY\n"
		    "C: MAIL FROM:<a@example.org>\n"
		    "S: 250 ok\n"
		    "C: RCPT TO:<b@example.net>\n"
		    "S: 250 ok\n"
		    "* RECIPIENT 0 250 ok\n"
		    "C: DATA\n"
		    "S: 354 go\n"
		    "* CONTENT\n"
		    "C: ..\n"
		    "C: ...\n"
		    "C: a.b\n"
		    "C: ..c\n"
		    "C: .\n"
		    "S: 250 ok\n"
		    "* MESSAGE all 250 ok\n"
		    "* READY\n"
		    "C: QUIT\n"
		    "S: 221 bye\n"
		    "* CLOSED\n",
	    .observed = "reply 220 mx\n"
			"command EHLO me.example.org\n"
			"reply 250 mx\n"
			"command MAIL FROM:<a@example.org>\n"
			"reply 250 ok\n"
			"command RCPT TO:<b@example.net>\n"
			"reply 250 ok\n"
			"command DATA\n"
			"reply 354 go\n"
			"content 14\n"
			"reply 250 ok\n"
			"command QUIT\n"
			"reply 221 bye\n",
	},
	{
	    .name = "two messages with a probe between",
	    ONE,
	    TEXT,
	    .messages = 2,
	    .probe = true,
	    .server = { STEPS, "250 ok", "250 ok", "354 go", "250 ok", "250 reset", "250 ok",
		"250 ok", "354 go", "250 ok", "221 bye" },
	    .want = "* READY\n"
		    "C: MAIL FROM:<a@example.org>\n"
		    "S: 250 ok\n"
		    "C: RCPT TO:<b@example.net>\n"
		    "S: 250 ok\n"
		    "* RECIPIENT 0 250 ok\n"
		    "C: DATA\n"
		    "S: 354 go\n"
		    "* CONTENT\n"
		    "C: hello\n"
		    "C: .\n"
		    "S: 250 ok\n"
		    "* MESSAGE all 250 ok\n"
		    "* READY\n"
		    "C: RSET\n"
		    "S: 250 reset\n"
		    "* PROBED 250 reset\n"
		    "C: MAIL FROM:<a@example.org>\n"
		    "S: 250 ok\n"
		    "C: RCPT TO:<b@example.net>\n"
		    "S: 250 ok\n"
		    "* RECIPIENT 0 250 ok\n"
		    "C: DATA\n"
		    "S: 354 go\n"
		    "* CONTENT\n"
		    "C: hello\n"
		    "C: .\n"
		    "S: 250 ok\n"
		    "* MESSAGE all 250 ok\n"
		    "* READY\n"
		    "C: QUIT\n"
		    "S: 221 bye\n"
		    "* CLOSED\n",
	},
	{
	    .name = "an old 421 found by the probe",
	    ONE,
	    TEXT,
	    .messages = 2,
	    .probe = true,
	    .server = { STEPS, "250 ok", "250 ok", "354 go", "250 ok", "421 4.4.2 idle" },
	    .want = "* READY\n"
		    "C: MAIL FROM:<a@example.org>\n"
		    "S: 250 ok\n"
		    "C: RCPT TO:<b@example.net>\n"
		    "S: 250 ok\n"
		    "* RECIPIENT 0 250 ok\n"
		    "C: DATA\n"
		    "S: 354 go\n"
		    "* CONTENT\n"
		    "C: hello\n"
		    "C: .\n"
		    "S: 250 ok\n"
		    "* MESSAGE all 250 ok\n"
		    "* READY\n"
		    "C: RSET\n"
		    "S: 421 4.4.2 idle\n"
		    "* PROBED stale 421 4.4.2 idle\n"
		    "* CLOSED\n",
	},
	{
	    .name = "a probe into a closed connection",
	    ONE,
	    TEXT,
	    .messages = 2,
	    .probe = true,
	    .server = { STEPS, "250 ok", "250 ok", "354 go", "250 ok", "<EOF>" },
	    .want = "* READY\n"
		    "C: MAIL FROM:<a@example.org>\n"
		    "S: 250 ok\n"
		    "C: RCPT TO:<b@example.net>\n"
		    "S: 250 ok\n"
		    "* RECIPIENT 0 250 ok\n"
		    "C: DATA\n"
		    "S: 354 go\n"
		    "* CONTENT\n"
		    "C: hello\n"
		    "C: .\n"
		    "S: 250 ok\n"
		    "* MESSAGE all 250 ok\n"
		    "* READY\n"
		    "C: RSET\n"
		    "S: <EOF>\n"
		    "* PROBED stale\n"
		    "* CLOSED\n",
	},
	{
	    .name = "LMTP: one final reply per accepted recipient",
	    LMTP,
	    THREE,
	    TEXT,
	    .server = { PIPED, "250 ok\r\n250 ok\r\n550 5.1.1 no\r\n250 ok\r\n354 go",
		"250 2.0.0 <b@example.net> id1 Saved\r\n452 4.2.2 quota", "221 bye" },
	    .want = "* READY\n"
		    "C: MAIL FROM:<a@example.org>\n"
		    "C: RCPT TO:<b@example.net>\n"
		    "C: RCPT TO:<c@example.net>\n"
		    "C: RCPT TO:<d@example.net>\n"
		    "C: DATA\n"
		    "S: 250 ok\n"
		    "S: 250 ok\n"
		    "S: 550 5.1.1 no\n"
		    "S: 250 ok\n"
		    "S: 354 go\n"
		    "* RECIPIENT 0 250 ok\n"
		    "* RECIPIENT 1 550 5.1.1 no\n"
		    "* RECIPIENT 2 250 ok\n"
		    "* CONTENT\n"
		    "C: hello\n"
		    "C: .\n"
		    "S: 250 2.0.0 <b@example.net> id1 Saved\n"
		    "S: 452 4.2.2 quota\n"
		    "* MESSAGE 0 250 2.0.0 <b@example.net> id1 Saved\n"
		    "* MESSAGE 2 452 4.2.2 quota\n"
		    "* READY\n"
		    "C: QUIT\n"
		    "S: 221 bye\n"
		    "* CLOSED\n",
	},
	{
	    .name = "LMTP: the end between the final replies",
	    LMTP,
	    TWO,
	    TEXT,
	    .server = { PIPED, "250 ok\r\n250 ok\r\n250 ok\r\n354 go", "250 ok", "<EOF>" },
	    .want =
		"* READY\n"
		"C: MAIL FROM:<a@example.org>\n"
		"C: RCPT TO:<b@example.net>\n"
		"C: RCPT TO:<c@example.net>\n"
		"C: DATA\n"
		"S: 250 ok\n"
		"S: 250 ok\n"
		"S: 250 ok\n"
		"S: 354 go\n"
		"* RECIPIENT 0 250 ok\n"
		"* RECIPIENT 1 250 ok\n"
		"* CONTENT\n"
		"C: hello\n"
		"C: .\n"
		"S: 250 ok\n"
		"* MESSAGE 0 250 ok\n"
		"S: <EOF>\n"
		"* FAILED message: the server closed the connection instead of answering to the "
		"end of the message\n"
		"* CLOSED\n",
	},
	{
	    .name = "LMTP: 354 for nobody has no way out",
	    LMTP,
	    TWO,
	    TEXT,
	    .server = { PIPED, "250 ok\r\n550 no\r\n550 no\r\n354 go" },
	    .want = "* READY\n"
		    "C: MAIL FROM:<a@example.org>\n"
		    "C: RCPT TO:<b@example.net>\n"
		    "C: RCPT TO:<c@example.net>\n"
		    "C: DATA\n"
		    "S: 250 ok\n"
		    "S: 550 no\n"
		    "S: 550 no\n"
		    "S: 354 go\n"
		    "* RECIPIENT 0 550 no\n"
		    "* RECIPIENT 1 550 no\n"
		    "* TRANSACTION_FAILED RCPT 550 no\n"
		    "* FAILED DATA: the server's answer has no place there (DATA): 354 go\n"
		    "* CLOSED\n",
	},
	{
	    .name = "two messages, LMTP",
	    LMTP,
	    TWO,
	    TEXT,
	    .messages = 2,
	    .server = { PIPED, "250 ok\r\n550 no\r\n250 ok\r\n354 go", "250 ok",
		"250 ok\r\n250 ok\r\n250 ok\r\n354 go", "250 ok\r\n250 ok", "221 bye" },
	    .want = "* READY\n"
		    "C: MAIL FROM:<a@example.org>\n"
		    "C: RCPT TO:<b@example.net>\n"
		    "C: RCPT TO:<c@example.net>\n"
		    "C: DATA\n"
		    "S: 250 ok\n"
		    "S: 550 no\n"
		    "S: 250 ok\n"
		    "S: 354 go\n"
		    "* RECIPIENT 0 550 no\n"
		    "* RECIPIENT 1 250 ok\n"
		    "* CONTENT\n"
		    "C: hello\n"
		    "C: .\n"
		    "S: 250 ok\n"
		    "* MESSAGE 1 250 ok\n"
		    "* READY\n"
		    "C: MAIL FROM:<a@example.org>\n"
		    "C: RCPT TO:<b@example.net>\n"
		    "C: RCPT TO:<c@example.net>\n"
		    "C: DATA\n"
		    "S: 250 ok\n"
		    "S: 250 ok\n"
		    "S: 250 ok\n"
		    "S: 354 go\n"
		    "* RECIPIENT 0 250 ok\n"
		    "* RECIPIENT 1 250 ok\n"
		    "* CONTENT\n"
		    "C: hello\n"
		    "C: .\n"
		    "S: 250 ok\n"
		    "S: 250 ok\n"
		    "* MESSAGE 0 250 ok\n"
		    "* MESSAGE 1 250 ok\n"
		    "* READY\n"
		    "C: QUIT\n"
		    "S: 221 bye\n"
		    "* CLOSED\n",
	},
};

struct session {
	struct smtp_client client;
	struct buf output;
	struct smtp_client_event event;
};

static void open_session(struct session *s, const char *replies)
{
	struct smtp_client_settings settings = { .ehlo_name = SPAN("me") };
	struct span input = span_from_string(replies);

	buf_init(&s->output, SMTP_CLIENT_OUTPUT_MIN);
	smtp_client_init(&s->client, &settings, &s->output);
	assert_int_equal(smtp_client_next(&s->client, &input, &s->event), SMTP_CLIENT_AUTH);
	smtp_client_auth_none(&s->client);
	assert_int_equal(smtp_client_next(&s->client, &input, &s->event), SMTP_CLIENT_READY);
	buf_clear(&s->output);
}

static void close_session(struct session *s)
{
	smtp_client_fini(&s->client);
	buf_fini(&s->output);
}

static enum smtp_client_event_kind answer(struct session *s, const char *text)
{
	struct span input = span_from_string(text);
	enum smtp_client_event_kind kind = smtp_client_next(&s->client, &input, &s->event);

	assert_int_equal(input.len, 0);
	return kind;
}

static size_t count_lines(const struct buf *b)
{
	size_t count = 0;

	for (size_t i = 0; i < b->len; i++)
		count += buf_span(b).data[i] == '\n';
	return count;
}

static void a_pipelined_group_has_at_most_100_unanswered_commands(void **state)
{
	struct span recipients[250];
	struct smtp_client_transaction t = { .recipients = recipients, .recipient_count = 250 };
	struct session s;
	size_t lines, answered = 0;

	for (size_t i = 0; i < 250; i++)
		recipients[i] = SPAN("b@example.net");
	open_session(&s, "220 mx\r\n250-mx\r\n250 PIPELINING\r\n");
	assert_true(smtp_client_mail(&s.client, &t));
	lines = count_lines(&s.output);
	assert_int_equal(lines, 100);
	buf_clear(&s.output);
	assert_int_equal(answer(&s, "250 ok\r\n"), SMTP_CLIENT_WAIT);
	lines += count_lines(&s.output);
	while (answered < 250) {
		buf_clear(&s.output);
		assert_int_equal(answer(&s, "250 ok\r\n"), SMTP_CLIENT_RECIPIENT);
		assert_int_equal(s.event.recipient, answered++);
		assert_int_equal(answer(&s, ""), SMTP_CLIENT_WAIT);
		lines += count_lines(&s.output);
		assert_true(lines - answered - 1 <= 100);
	}
	assert_int_equal(lines, 252);
	assert_int_equal(answer(&s, "354 go\r\n"), SMTP_CLIENT_CONTENT);
	close_session(&s);
}

static void a_pipelined_group_never_outgrows_the_output(void **state)
{
	char address[SMTP_CLIENT_PATH_MAX];
	struct span recipients[90];
	struct smtp_client_transaction t = { .recipients = recipients, .recipient_count = 90 };
	struct session s;
	size_t answered = 0;

	memset(address, 'x', sizeof(address));
	for (size_t i = 0; i < 90; i++)
		recipients[i] = span_of(address, sizeof(address));
	open_session(&s, "220 mx\r\n250-mx\r\n250 PIPELINING\r\n");
	assert_true(smtp_client_mail(&s.client, &t));
	assert_true(s.output.len > 8000 && s.output.len <= 16384);
	assert_int_equal(answer(&s, "250 ok\r\n"), SMTP_CLIENT_WAIT);
	/* An owner that cannot flush: the machine stops before the ceiling, and goes on later. */
	while (answered + 1 < count_lines(&s.output)) {
		assert_int_equal(answer(&s, "250 ok\r\n"), SMTP_CLIENT_RECIPIENT);
		answered++;
		assert_int_equal(answer(&s, ""), SMTP_CLIENT_WAIT);
	}
	assert_true(answered > 20 && answered < 90);
	assert_true(s.output.len > SMTP_CLIENT_OUTPUT_MIN - 1100);
	buf_clear(&s.output);
	assert_int_equal(answer(&s, ""), SMTP_CLIENT_WAIT);
	assert_true(count_lines(&s.output) > 5);
	close_session(&s);
}

static void nothing_is_added_to_a_group_whose_mail_was_refused(void **state)
{
	struct span recipients[250];
	struct smtp_client_transaction t = { .recipients = recipients, .recipient_count = 250 };
	struct session s;

	for (size_t i = 0; i < 250; i++)
		recipients[i] = SPAN("b@example.net");
	open_session(&s, "220 mx\r\n250-mx\r\n250 PIPELINING\r\n");
	assert_true(smtp_client_mail(&s.client, &t));
	buf_clear(&s.output);
	assert_int_equal(answer(&s, "451 later\r\n"), SMTP_CLIENT_TRANSACTION_FAILED);
	for (size_t i = 0; i < 98; i++)
		assert_int_equal(answer(&s, "503 MAIL first\r\n"), SMTP_CLIENT_WAIT);
	assert_int_equal(s.output.len, 0);
	assert_int_equal(answer(&s, "503 MAIL first\r\n"), SMTP_CLIENT_READY);
	close_session(&s);
}

static void content_waits_for_room_in_the_output(void **state)
{
	struct span recipient = SPAN("b@example.net");
	struct smtp_client_transaction t = { .recipients = &recipient, .recipient_count = 1 };
	struct buf big;
	struct span rest;
	struct session s;
	size_t rounds = 0;

	buf_init(&big, 1 << 20);
	while (big.len < 200000)
		buf_append_string(&big, ".a line of text\r\n");
	open_session(&s, "220 mx\r\n250-mx\r\n250 PIPELINING\r\n");
	assert_true(smtp_client_mail(&s.client, &t));
	assert_int_equal(answer(&s, "250 ok\r\n250 ok\r\n"), SMTP_CLIENT_RECIPIENT);
	assert_int_equal(answer(&s, "354 go\r\n"), SMTP_CLIENT_CONTENT);
	for (rest = buf_span(&big); rest.len; rounds++) {
		size_t taken;

		buf_clear(&s.output);
		taken = smtp_client_content(&s.client, rest);
		assert_true(taken > 0);
		rest = span_skip(rest, taken);
	}
	assert_true(rounds > 5);
	/* Full to the brim: the final dot waits. */
	while (s.output.len < s.output.max)
		buf_append_byte(&s.output, 'x');
	smtp_client_content_end(&s.client);
	assert_int_equal(smtp_client_stage(&s.client), SMTP_CLIENT_STAGE_CONTENT);
	buf_clear(&s.output);
	assert_int_equal(answer(&s, ""), SMTP_CLIENT_WAIT);
	assert_int_equal(smtp_client_stage(&s.client), SMTP_CLIENT_STAGE_MESSAGE);
	assert_true(span_equal(buf_span(&s.output), SPAN(".\r\n")));
	assert_int_equal(answer(&s, "250 ok\r\n"), SMTP_CLIENT_MESSAGE);
	close_session(&s);
	buf_fini(&big);
}

static void a_reply_in_the_middle_of_the_content_ends_the_session(void **state)
{
	static const struct {
		const char *reply;
		bool transaction_failed;
		enum smtp_client_failure failure;
	} rows[] = {
		{ "552 5.3.4 too big\r\n", true, SMTP_CLIENT_FAILURE_PROTOCOL },
		{ "451 4.3.0 no\r\n", true, SMTP_CLIENT_FAILURE_PROTOCOL },
		{ "421 4.4.2 timeout\r\n", false, SMTP_CLIENT_FAILURE_LEAVING },
		{ "250 ok\r\n", false, SMTP_CLIENT_FAILURE_PROTOCOL },
	};
	struct span recipient = SPAN("b@example.net");
	struct smtp_client_transaction t = { .recipients = &recipient, .recipient_count = 1 };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct session s;

		open_session(&s, "220 mx\r\n250-mx\r\n250 PIPELINING\r\n");
		assert_true(smtp_client_mail(&s.client, &t));
		assert_int_equal(answer(&s, "250 ok\r\n250 ok\r\n"), SMTP_CLIENT_RECIPIENT);
		assert_int_equal(answer(&s, "354 go\r\n"), SMTP_CLIENT_CONTENT);
		assert_int_equal(smtp_client_content(&s.client, SPAN("half a li")), 9);
		if (rows[i].transaction_failed) {
			assert_int_equal(answer(&s, rows[i].reply), SMTP_CLIENT_TRANSACTION_FAILED);
			assert_int_equal(s.event.stage, SMTP_CLIENT_STAGE_CONTENT);
			assert_int_equal(answer(&s, ""), SMTP_CLIENT_FAILED);
		} else {
			assert_int_equal(answer(&s, rows[i].reply), SMTP_CLIENT_FAILED);
		}
		assert_int_equal(s.event.stage, SMTP_CLIENT_STAGE_CONTENT);
		assert_int_equal(s.event.failure, rows[i].failure);
		/* What the owner still has is swallowed. */
		assert_int_equal(smtp_client_content(&s.client, SPAN("ne")), 2);
		smtp_client_content_end(&s.client);
		smtp_client_quit(&s.client);
		assert_int_equal(answer(&s, ""), SMTP_CLIENT_CLOSED);
		close_session(&s);
	}
}

static void an_unasked_reply_while_idle_ends_the_session(void **state)
{
	struct session s;

	open_session(&s, "220 mx\r\n250 mx\r\n");
	assert_int_equal(answer(&s, "421 4.4.2 idle\r\n"), SMTP_CLIENT_FAILED);
	assert_int_equal(s.event.stage, SMTP_CLIENT_STAGE_READY);
	assert_int_equal(s.event.failure, SMTP_CLIENT_FAILURE_LEAVING);
	close_session(&s);
	open_session(&s, "220 mx\r\n250 mx\r\n");
	assert_int_equal(answer(&s, "250 ok\r\n"), SMTP_CLIENT_FAILED);
	assert_int_equal(s.event.failure, SMTP_CLIENT_FAILURE_PROTOCOL);
	close_session(&s);
}

static void a_path_that_could_carry_a_command_is_not_sent(void **state)
{
	static const struct {
		struct span path;
		bool sound;
	} rows[] = {
		{ { "a@example.org", 13 }, true },
		{ { "\"a b\"@example.org", 17 }, true },
		{ { "m\xc3\xbcller@example.org", 19 }, true },
		{ { "a@b>\r\nRCPT TO:<c", 16 }, false },
		{ { "a\n@b", 4 }, false },
		{ { "a\r@b", 4 }, false },
		{ { "a\0@b", 4 }, false },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct span good = SPAN("b@example.net");
		struct smtp_client_transaction from = {
			.reverse_path = rows[i].path, .recipients = &good, .recipient_count = 1
		};
		struct smtp_client_transaction to = { .recipients = &rows[i].path,
			.recipient_count = 1 };
		struct session s;

		open_session(&s, "220 mx\r\n250 mx\r\n");
		assert_int_equal(smtp_client_path_is_sound(rows[i].path), rows[i].sound);
		assert_int_equal(smtp_client_mail(&s.client, &from), rows[i].sound);
		assert_int_equal(s.output.len > 0, rows[i].sound);
		close_session(&s);
		open_session(&s, "220 mx\r\n250 mx\r\n");
		assert_int_equal(smtp_client_mail(&s.client, &to), rows[i].sound);
		assert_int_equal(s.output.len > 0, rows[i].sound);
		close_session(&s);
	}
}

static void a_transaction_needs_recipients(void **state)
{
	struct span empty = SPAN("");
	struct smtp_client_transaction none = { 0 };
	struct smtp_client_transaction nobody = { .recipients = &empty, .recipient_count = 1 };
	struct session s;

	open_session(&s, "220 mx\r\n250 mx\r\n");
	assert_false(smtp_client_mail(&s.client, &none));
	assert_false(smtp_client_mail(&s.client, &nobody));
	assert_int_equal(s.output.len, 0);
	close_session(&s);
}

int main(void)
{
	const struct CMUnitTest plain[] = {
		cmocka_unit_test(a_pipelined_group_has_at_most_100_unanswered_commands),
		cmocka_unit_test(a_pipelined_group_never_outgrows_the_output),
		cmocka_unit_test(nothing_is_added_to_a_group_whose_mail_was_refused),
		cmocka_unit_test(content_waits_for_room_in_the_output),
		cmocka_unit_test(a_reply_in_the_middle_of_the_content_ends_the_session),
		cmocka_unit_test(an_unasked_reply_while_idle_ends_the_session),
		cmocka_unit_test(a_path_that_could_carry_a_command_is_not_sent),
		cmocka_unit_test(a_transaction_needs_recipients),
	};
	struct CMUnitTest tests[ARRAY_LEN(plain) + ARRAY_LEN(scenarios)];

	memcpy(tests, plain, sizeof(plain));
	for (size_t i = 0; i < ARRAY_LEN(scenarios); i++)
		tests[ARRAY_LEN(plain) + i] = (struct CMUnitTest){ scenarios[i].name, run_scenario,
			NULL, NULL, (void *)&scenarios[i] };
	return cmocka_run_group_tests(tests, NULL, NULL);
}
