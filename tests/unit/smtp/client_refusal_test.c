/* SPDX-License-Identifier: MIT */
#include "client_runner.h"

#include "base/memory.h"

#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#define STEPS "220 mx", "250 mx"
#define PIPED "220 mx", "250-mx\r\n250 PIPELINING"
#define ONE .from_ready = true, .from = "a@example.org", .to = { "b@example.net" }
#define TWO .from_ready = true, .from = "a@example.org", .to = { "b@example.net", "c@example.net" }
#define THREE                                                                                      \
	.from_ready = true, .from = "a@example.org",                                               \
	.to = { "b@example.net", "c@example.net", "d@example.net" }
#define TEXT .content = "hello\r\n"

/* Transactions that fail, and those that fail in part. */
static const struct scenario scenarios[] = {
	{
	    .name = "some recipients refused",
	    THREE,
	    TEXT,
	    .server = { STEPS, "250 ok", "550 5.1.1 unknown", "251 will forward", "450 4.2.0 busy",
		"354 go", "250 ok", "221 bye" },
	    .want = "* READY\n"
		    "C: MAIL FROM:<a@example.org>\n"
		    "S: 250 ok\n"
		    "C: RCPT TO:<b@example.net>\n"
		    "S: 550 5.1.1 unknown\n"
		    "* RECIPIENT 0 550 5.1.1 unknown\n"
		    "C: RCPT TO:<c@example.net>\n"
		    "S: 251 will forward\n"
		    "* RECIPIENT 1 251 will forward\n"
		    "C: RCPT TO:<d@example.net>\n"
		    "S: 450 4.2.0 busy\n"
		    "* RECIPIENT 2 450 4.2.0 busy\n"
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
	    .name = "MAIL refused, step by step",
	    TWO,
	    TEXT,
	    .server = { STEPS, "553 5.7.1 not yours", "221 bye" },
	    .want = "* READY\n"
		    "C: MAIL FROM:<a@example.org>\n"
		    "S: 553 5.7.1 not yours\n"
		    "* TRANSACTION_FAILED MAIL 553 5.7.1 not yours\n"
		    "* READY\n"
		    "C: QUIT\n"
		    "S: 221 bye\n"
		    "* CLOSED\n",
	},
	{
	    .name = "MAIL refused in a pipelined group",
	    TWO,
	    TEXT,
	    .messages = 2,
	    .server = { PIPED,
		"451 4.7.1 later\r\n503 MAIL first\r\n503 MAIL first\r\n503 RCPT first",
		"250 ok\r\n250 ok\r\n250 ok\r\n354 go", "250 ok", "221 bye" },
	    .want = "* READY\n"
		    "C: MAIL FROM:<a@example.org>\n"
		    "C: RCPT TO:<b@example.net>\n"
		    "C: RCPT TO:<c@example.net>\n"
		    "C: DATA\n"
		    "S: 451 4.7.1 later\n"
		    "S: 503 MAIL first\n"
		    "S: 503 MAIL first\n"
		    "S: 503 RCPT first\n"
		    "* TRANSACTION_FAILED MAIL 451 4.7.1 later\n"
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
		    "* MESSAGE all 250 ok\n"
		    "* READY\n"
		    "C: QUIT\n"
		    "S: 221 bye\n"
		    "* CLOSED\n",
	},
	{
	    .name = "MAIL refused, and 354 all the same",
	    TWO,
	    TEXT,
	    .server = { PIPED, "451 later\r\n503 MAIL first\r\n503 MAIL first\r\n354 go", "250 ok",
		"221 bye" },
	    .want = "* READY\n"
		    "C: MAIL FROM:<a@example.org>\n"
		    "C: RCPT TO:<b@example.net>\n"
		    "C: RCPT TO:<c@example.net>\n"
		    "C: DATA\n"
		    "S: 451 later\n"
		    "S: 503 MAIL first\n"
		    "S: 503 MAIL first\n"
		    "S: 354 go\n"
		    "* TRANSACTION_FAILED MAIL 451 later\n"
		    "C: .\n"
		    "S: 250 ok\n"
		    "* READY\n"
		    "C: QUIT\n"
		    "S: 221 bye\n"
		    "* CLOSED\n",
	},
	{
	    .name = "all recipients refused, step by step; RSET before the next",
	    TWO,
	    TEXT,
	    .messages = 2,
	    .server = { STEPS, "250 ok", "550 5.1.1 no", "450 4.2.0 busy", "250 reset", "250 ok",
		"250 ok", "250 ok", "354 go", "250 ok", "221 bye" },
	    .want = "* READY\n"
		    "C: MAIL FROM:<a@example.org>\n"
		    "S: 250 ok\n"
		    "C: RCPT TO:<b@example.net>\n"
		    "S: 550 5.1.1 no\n"
		    "* RECIPIENT 0 550 5.1.1 no\n"
		    "C: RCPT TO:<c@example.net>\n"
		    "S: 450 4.2.0 busy\n"
		    "* RECIPIENT 1 450 4.2.0 busy\n"
		    "* TRANSACTION_FAILED RCPT 450 4.2.0 busy\n"
		    "* READY\n"
		    "C: RSET\n"
		    "S: 250 reset\n"
		    "C: MAIL FROM:<a@example.org>\n"
		    "S: 250 ok\n"
		    "C: RCPT TO:<b@example.net>\n"
		    "S: 250 ok\n"
		    "* RECIPIENT 0 250 ok\n"
		    "C: RCPT TO:<c@example.net>\n"
		    "S: 250 ok\n"
		    "* RECIPIENT 1 250 ok\n"
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
	    .name = "all recipients refused in a pipelined group; RSET joins the next",
	    TWO,
	    TEXT,
	    .messages = 2,
	    .server = { PIPED, "250 ok\r\n550 5.1.1 no\r\n550 5.1.1 no\r\n554 5.5.1 no recipients",
		"250 reset\r\n250 ok\r\n250 ok\r\n250 ok\r\n354 go", "250 ok", "221 bye" },
	    .want = "* READY\n"
		    "C: MAIL FROM:<a@example.org>\n"
		    "C: RCPT TO:<b@example.net>\n"
		    "C: RCPT TO:<c@example.net>\n"
		    "C: DATA\n"
		    "S: 250 ok\n"
		    "S: 550 5.1.1 no\n"
		    "S: 550 5.1.1 no\n"
		    "S: 554 5.5.1 no recipients\n"
		    "* RECIPIENT 0 550 5.1.1 no\n"
		    "* RECIPIENT 1 550 5.1.1 no\n"
		    "* TRANSACTION_FAILED RCPT 550 5.1.1 no\n"
		    "* READY\n"
		    "C: RSET\n"
		    "C: MAIL FROM:<a@example.org>\n"
		    "C: RCPT TO:<b@example.net>\n"
		    "C: RCPT TO:<c@example.net>\n"
		    "C: DATA\n"
		    "S: 250 reset\n"
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
		    "* MESSAGE all 250 ok\n"
		    "* READY\n"
		    "C: QUIT\n"
		    "S: 221 bye\n"
		    "* CLOSED\n",
	},
	{
	    .name = "all recipients refused, and 354 all the same: an empty message",
	    TWO,
	    TEXT,
	    .messages = 2,
	    .server = { PIPED, "250 ok\r\n550 5.1.1 no\r\n550 5.1.1 no\r\n354 go",
		"554 no recipients", "250 ok\r\n250 ok\r\n250 ok\r\n354 go", "250 ok", "221 bye" },
	    .want = "* READY\n"
		    "C: MAIL FROM:<a@example.org>\n"
		    "C: RCPT TO:<b@example.net>\n"
		    "C: RCPT TO:<c@example.net>\n"
		    "C: DATA\n"
		    "S: 250 ok\n"
		    "S: 550 5.1.1 no\n"
		    "S: 550 5.1.1 no\n"
		    "S: 354 go\n"
		    "* RECIPIENT 0 550 5.1.1 no\n"
		    "* RECIPIENT 1 550 5.1.1 no\n"
		    "* TRANSACTION_FAILED RCPT 550 5.1.1 no\n"
		    "C: .\n"
		    "S: 554 no recipients\n"
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
		    "* MESSAGE all 250 ok\n"
		    "* READY\n"
		    "C: QUIT\n"
		    "S: 221 bye\n"
		    "* CLOSED\n",
	},
	{
	    .name = "DATA refused",
	    ONE,
	    TEXT,
	    .messages = 2,
	    .server = { PIPED, "250 ok\r\n250 ok\r\n451 4.3.0 no disk",
		"250 reset\r\n250 ok\r\n250 ok\r\n354 go", "250 ok", "221 bye" },
	    .want = "* READY\n"
		    "C: MAIL FROM:<a@example.org>\n"
		    "C: RCPT TO:<b@example.net>\n"
		    "C: DATA\n"
		    "S: 250 ok\n"
		    "S: 250 ok\n"
		    "S: 451 4.3.0 no disk\n"
		    "* RECIPIENT 0 250 ok\n"
		    "* TRANSACTION_FAILED DATA 451 4.3.0 no disk\n"
		    "* READY\n"
		    "C: RSET\n"
		    "C: MAIL FROM:<a@example.org>\n"
		    "C: RCPT TO:<b@example.net>\n"
		    "C: DATA\n"
		    "S: 250 reset\n"
		    "S: 250 ok\n"
		    "S: 250 ok\n"
		    "S: 354 go\n"
		    "* RECIPIENT 0 250 ok\n"
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
	    .name = "RSET refused",
	    ONE,
	    TEXT,
	    .messages = 2,
	    .server = { STEPS, "250 ok", "250 ok", "451 4.3.0 no disk", "500 what", "221 bye" },
	    .want = "* READY\n"
		    "C: MAIL FROM:<a@example.org>\n"
		    "S: 250 ok\n"
		    "C: RCPT TO:<b@example.net>\n"
		    "S: 250 ok\n"
		    "* RECIPIENT 0 250 ok\n"
		    "C: DATA\n"
		    "S: 451 4.3.0 no disk\n"
		    "* TRANSACTION_FAILED DATA 451 4.3.0 no disk\n"
		    "* READY\n"
		    "C: RSET\n"
		    "S: 500 what\n"
		    "* FAILED RSET: the server refused RSET: 500 what\n"
		    "C: QUIT\n"
		    "S: 221 bye\n"
		    "* CLOSED\n",
	},
	{
	    .name = "the message refused",
	    ONE,
	    TEXT,
	    .messages = 2,
	    .server = { STEPS, "250 ok", "250 ok", "354 go",
		"550-5.7.26 This mail has been blocked.\r\n550 5.7.26 x - gsmtp", "250 ok",
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
		    "S: 550-5.7.26 This mail has been blocked.\n"
		    "S: 550 5.7.26 x - gsmtp\n"
		    "* MESSAGE all 550 5.7.26 This mail has been blocked. x - gsmtp\n"
		    "* READY\n"
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
	    .name = "250 in place of 354",
	    ONE,
	    TEXT,
	    .server = { STEPS, "250 ok", "250 ok", "250 ok" },
	    .want = "* READY\n"
		    "C: MAIL FROM:<a@example.org>\n"
		    "S: 250 ok\n"
		    "C: RCPT TO:<b@example.net>\n"
		    "S: 250 ok\n"
		    "* RECIPIENT 0 250 ok\n"
		    "C: DATA\n"
		    "S: 250 ok\n"
		    "* FAILED DATA: the server's answer has no place there (DATA): 250 ok\n"
		    "* CLOSED\n",
	},
	{
	    .name = "354 in place of 250",
	    ONE,
	    TEXT,
	    .server = { STEPS, "354 ok" },
	    .want = "* READY\n"
		    "C: MAIL FROM:<a@example.org>\n"
		    "S: 354 ok\n"
		    "* FAILED MAIL: the server's answer has no place there (MAIL): 354 ok\n"
		    "* CLOSED\n",
	},
	{
	    .name = "354 in answer to the message",
	    ONE,
	    TEXT,
	    .server = { STEPS, "250 ok", "250 ok", "354 go", "354 again" },
	    .want =
		"* READY\n"
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
		"S: 354 again\n"
		"* FAILED message: the server's answer has no place there (message): 354 again\n"
		"* CLOSED\n",
	},
	{
	    .name = "421 to a recipient",
	    TWO,
	    TEXT,
	    .server = { STEPS, "250 ok", "250 ok", "421 4.7.0 too much" },
	    .want =
		"* READY\n"
		"C: MAIL FROM:<a@example.org>\n"
		"S: 250 ok\n"
		"C: RCPT TO:<b@example.net>\n"
		"S: 250 ok\n"
		"* RECIPIENT 0 250 ok\n"
		"C: RCPT TO:<c@example.net>\n"
		"S: 421 4.7.0 too much\n"
		"* FAILED RCPT: the server ended the session instead of answering RCPT: 421 4.7.0 "
		"too much\n"
		"* CLOSED\n",
	},
	{
	    .name = "421 to the message",
	    ONE,
	    TEXT,
	    .server = { STEPS, "250 ok", "250 ok", "354 go", "421 4.3.2 shutting down" },
	    .want =
		"* READY\n"
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
		"S: 421 4.3.2 shutting down\n"
		"* FAILED message: the server ended the session instead of answering to the end of "
		"the message: 421 4.3.2 shutting down\n"
		"* CLOSED\n",
	},
	{
	    .name = "the end instead of an answer to the message",
	    ONE,
	    TEXT,
	    .server = { STEPS, "250 ok", "250 ok", "354 go", "<EOF>" },
	    .want =
		"* READY\n"
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
		"S: <EOF>\n"
		"* FAILED message: the server closed the connection instead of answering to the "
		"end of the message\n"
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
