/* SPDX-License-Identifier: MIT */
#include "smtp/client_foreign.h"

#include "base/memory.h"

bool smtp_foreign_is_tls(struct span bytes)
{
	/* Alert or handshake, then the major version (RFC 8446, 5.1). */
	return bytes.len >= 2 && (bytes.data[0] == 0x15 || bytes.data[0] == 0x16) &&
	       bytes.data[1] == 0x03;
}

const char *smtp_foreign_greeting(struct span bytes, const char **hint_out)
{
	static const char wrong_port[] = "check the port: 25, 587 and 465 are those of SMTP";
	static const struct {
		struct span begin;
		const char *name;
	} rows[] = {
		{ { "HTTP/", 5 }, "a web server (HTTP)" },
		{ { "<!DOCTYPE", 9 }, "a web server (HTML)" },
		{ { "<html", 5 }, "a web server (HTML)" },
		{ { "+OK", 3 }, "a POP3 server" },
		{ { "-ERR", 4 }, "a POP3 server" },
		{ { "* OK", 4 }, "an IMAP server" },
		{ { "* PREAUTH", 9 }, "an IMAP server" },
		{ { "* BYE", 5 }, "an IMAP server" },
		{ { "\"IMPLEMENTATION\"", 16 }, "a ManageSieve server" },
		{ { "SSH-", 4 }, "an SSH server" },
		{ { "RFB ", 4 }, "a VNC server" },
		{ { "@RSYNCD:", 8 }, "an rsync server" },
		{ { "-DENIED", 7 }, "a Redis server" },
	};

	if (smtp_foreign_is_tls(bytes)) {
		*hint_out = "this port begins with TLS: use smtps:// (implicit TLS, port 465)";
		return "a server that speaks TLS from the first byte";
	}
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		if (span_starts_with_nocase(bytes, rows[i].begin)) {
			*hint_out = wrong_port;
			return rows[i].name;
		}
	}
	return NULL;
}
