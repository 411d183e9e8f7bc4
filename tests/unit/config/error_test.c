/* SPDX-License-Identifier: MIT */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <cmocka.h>

#include "config/load.h"

#include "memory_source.h"

#include <stdlib.h>

/* What a configuration needs beside the part that a case is about. */
#define BASE "tls { certificate c; key k; } users { file u; } spool { path /s; }\n"
#define VIA " via smtp://h;"
/* An account that is used. */
#define ACCOUNT(directives)                                                                        \
	"route * { via smtp://h; account a; }\naccount a { " directives " login b; }"

static const struct error_case {
	const char *name, *text;
	unsigned line, column; /* of the first problem */
	const char *sentence;  /* part of its text */
	size_t errors, warnings;
} error_cases[] = {
	/* the grammar */
	{ "a value needs its ;", "hostname a.b", 1, 13, "a ; is missing here, before the end", 1,
	    0 },
	{ "a block needs its }", "spool { path /s;", 1, 7, "\"spool\" is not closed", 1, 0 },
	{ "a } needs a ; before it", "spool { path /s }", 1, 16,
	    "a ; is missing here, before the }", 1, 0 },
	{ "a } closes something", "user x;\n}\n", 2, 1, "closes nothing", 1, 0 },
	{ "a ; ends something", "spool { path /s; };", 1, 19, "ends nothing", 1, 0 },
	{ "a block has a name", "{ path /s; }", 1, 1, "needs a name before its {", 1, 0 },
	{ "a directive has a name", "\"hostname\" a.b;", 1, 1, "name of a directive", 1, 0 },
	{ "a forgotten ; is seen on the next line", "hostname a.b\nuser c;", 1, 13,
	    "a ; is missing here, before \"user\"", 1, 0 },
	{ "a forgotten ; before an unknown word is seen", "hostname a.b\nusr c;", 1, 13,
	    "a ; is missing here", 1, 0 },
	{ "a forgotten ; before a block is seen", "hostname a.b\nspool { path /s; }", 1, 13,
	    "a ; is missing here, before \"spool\"", 1, 0 },
	{ "a quote is closed", "user \"x;\n", 1, 6, "the quote is not closed on this line", 2, 0 },
	{ "a quote is closed at the end of the file", "user \"x\\", 1, 6, "the quote is not closed",
	    2, 0 },
	{ "a blank follows a quote", "user \"x\"y;", 1, 9, "behind the closing quote", 1, 0 },
	{ "a quote begins a value", "user x\"y\";", 1, 7, "a quote opens at the start", 1, 0 },
	{ "a comment needs a blank before it", "user x# y\n;", 1, 7, "a value with #", 1, 0 },
	{ "few escapes exist", "user \"a\\n\";", 1, 8, "are escapes", 1, 0 },
	{ "no comma separates", "listen a { address *:25, *:26; }", 1, 24,
	    "separated by blanks, not by a comma: write *:25", 1, 0 },
	{ "no comma separates without blanks either", "listen a { address *:25,*:26; }", 1, 24,
	    "write *:25 *:26", 1, 0 },
	{ "a lone comma is refused", "user , x;", 1, 6, "leave out the comma", 1, 0 },
	{ "no = stands between", "user = x;", 1, 6, "not =", 1, 0 },
	{ "a tab is one column", "\tusr x;", 1, 2, "did you mean \"user\"?", 1, 0 },
	{ "binary noise is refused", "user x;\x01", 1, 8, "0x01", 1, 0 },
	{ "a control character in a value is refused", "user x\x7f;", 1, 6, "control character", 1,
	    0 },
	/* variables */
	{ "a variable is set", "user ${NONE};", 1, 6, "NONE is not set", 1, 0 },
	{ "an empty variable without a default is no name", "user ${EMPTY};", 1, 6, "\"\" is not",
	    1, 0 },
	{ "a variable is closed", "user ${HOST;", 1, 6, "} is missing", 2, 0 },
	{ "a variable has a name", "user ${};", 1, 6, "is written ${NAME}", 1, 0 },
	{ "a variable does not nest", "user \"${A:-${B}}\";", 1, 7, "is written ${NAME}", 1, 0 },
	{ "a variable brings no control character", "user ${BELL};", 1, 6, "control character", 1,
	    0 },
	/* includes */
	{ "an included file exists", "user x;\n include no;", 2, 10, "/etc/frank/no cannot be read",
	    1, 0 },
	{ "a file does not include itself", "include frank.conf;", 1, 9, "it includes itself", 1,
	    0 },
	{ "include takes a path", "include;", 1, 1, "include takes paths", 1, 0 },
	/* names */
	{ "the near name is suggested", "hostnme a.b;", 1, 1, "did you mean \"hostname\"?", 1, 0 },
	{ "the beginning of a name is near", "tls { cert c; }", 1, 7, "\"certificate\"", 1, 0 },
	{ "the right block is named", "relay-from ::1;", 1, 1, "it stands in listen { }", 1, 0 },
	{ "the top is named", "spool { hostname a.b; }", 1, 9, "at the top of the file", 1, 0 },
	{ "the near name in another block is named", "relay-form ::1;", 1, 1,
	    "did you mean \"relay-from\", which stands in listen { }", 1, 0 },
	{ "an unknown name is unknown", "xyzzy 1;", 1, 1, "\"xyzzy\" is unknown at the top", 1, 0 },
	{ "metrics come later", "metrics { }", 1, 1, "\"metrics\" is not in this version", 1, 0 },
	{ "a login block has a pattern", "login { }", 1, 6, "pattern of logins is missing", 1, 0 },
	{ "a login sends as addresses", "login * { send-as example.org; }", 1, 19,
	    "is not a pattern of addresses", 1, 0 },
	{ "what a login does at its limit is one of two", "login * { on-limit drop; }", 1, 20,
	    "reject|hold", 1, 0 },
	{ "not everybody is a proxy", "proxy-protocol 0.0.0.0/0;", 1, 16, "name the proxies", 1,
	    0 },
	{ "not everybody speaks for others", "listen a { address *:25; xclient ::/0; }", 1, 34,
	    "could claim any address", 1, 0 },
	{ "a ban has a length", "bans { first none; }", 1, 14, "", 1, 0 },
	{ "a quirk has a near name", "listen a { address *:25; quirks no-helo; }", 1, 33,
	    "did you mean \"no-hello\"?", 1, 0 },
	{ "unknown quirks are answered with the known", "listen a { address *:25; quirks xyzzy; }",
	    1, 33, "auth-equals, early-quit and bare-lf", 1, 0 },
	{ "quirks at the top are for networks", "quirks legacy;", 1, 1, "for networks", 1, 0 },
	{ "from wants a network", "quirks legacy from;", 1, 19, "a network is missing", 1, 0 },
	{ "from wants names before it", "quirks from ::1;", 1, 8, "before from", 1, 0 },
	{ "bare LF is not for everybody", "listen a { address *:25; quirks bare-lf; }", 1, 26,
	    "not for everybody", 1, 0 },
	{ "bare LF is not for every network", "quirks bare-lf from ::1 0.0.0.0/0;", 1, 1,
	    "not for everybody", 1, 0 },
	{ "a listener names certificates that exist", "listen a { address *:25; certificate x; }",
	    1, 38, "there is no tls \"x\"", 1, 0 },
	{ "a certificate has a near name",
	    "tls partner { certificate c; key k; }\nlisten a { address *:25; certificate "
	    "partners; }",
	    2, 38, "did you mean \"partner\"?", 1, 0 },
	{ "a certificate that nobody shows is strange", "tls x { certificate c; key k; }", 1, 1,
	    "no listener shows", 0, 1 },
	{ "a certificate has a key", "tls { certificate c; }", 1, 1, "needs key PATH", 1, 0 },
	{ "an own certificate brings its key", "tls { certificate auto; key k; }", 1, 25,
	    "leave key out", 1, 0 },
	{ "a policy is one of three", "listen a { address *:25; tls-policy old; }", 1, 37,
	    "modern|intermediate|legacy", 1, 0 },
	{ "oauth is an account's", "route * { oauth { preset gmail; } }", 1, 11,
	    "it stands in account { }", 1, 0 },
	{ "client certificates stand in the account", "route * { tls-certificate x; }", 1, 11,
	    "not in this version", 1, 0 },
	{ "accounts have certificates of their own",
	    "account a { login b; certificate auto; key k; }\nroute * { via smtp://h; account a; }",
	    1, 34, "is for clients only", 1, 0 },
	{ "mx comes later", "route * { via mx; }", 1, 15, "\"mx\" is not in this version", 1, 0 },
	{ "pipe comes later", "route * { via pipe:/bin/x; }", 1, 15, "\"pipe\" is not", 1, 0 },
	/* the form of a directive */
	{ "a value is needed", "hostname;", 1, 9, "a value is missing: hostname NAME;", 1, 0 },
	{ "one value is enough", "hostname a.b c.d;", 1, 14, "takes one value", 1, 0 },
	{ "what is no block has no {", "hostname a.b { }", 1, 1, "is not a block", 1, 0 },
	{ "a block has a {", "spool /s;", 1, 1, "\"spool\" is a block", 1, 0 },
	{ "a block of values has no label", "spool x { path /s; }", 1, 7, "takes no name", 1, 0 },
	{ "a directive stands once", "user x;\nuser y;", 2, 1,
	    "set twice; the first is at /etc/frank/frank.conf:1", 1, 0 },
	{ "a block stands once", "spool { path /s; }\nspool { path /s; }", 2, 1, "set twice", 1,
	    0 },
	/* types */
	{ "a time has a unit", "lifetime 5;", 1, 10, "is not a time", 1, 0 },
	{ "a time has one unit", "lifetime 1h30m;", 1, 10, "is not a time", 1, 0 },
	{ "a time has a range", "lifetime 0s;", 1, 10, "out of range: from 1s to 100d", 1, 0 },
	{ "a time does not overflow", "lifetime 99999999999999999999d;", 1, 10, "is not a time", 1,
	    0 },
	{ "a size has a unit", "spool { min-free 5M; }", 1, 18, "is not a size", 1, 0 },
	{ "a number is a number", "lanes many;", 1, 7, "is not a number from 1 to 64", 1, 0 },
	{ "a number has a range", "lanes 65;", 1, 7, "is not a number from 1 to 64", 1, 0 },
	{ "a flag is yes or no", "listen a { strict on; }", 1, 19, "did you mean \"yes\"?", 1, 0 },
	{ "a choice is one of several", "listen a { tls startls; }", 1, 16, "mean \"starttls\"?", 1,
	    0 },
	{ "a factor is small", "retry { factor 11; }", 1, 16, "is not a factor", 1, 0 },
	{ "a rate has a time", "route * { rate 30; }", 1, 16, "is not a rate", 1, 0 },
	{ "a hostname is a name", "hostname -a.b;", 1, 10, "is not a domain name", 1, 0 },
	{ "a hostname is no address", "hostname 192.0.2.1;", 1, 10, "not a domain name", 1, 0 },
	{ "a hostname is ASCII", "hostname b\xc3\xbc.de;", 1, 10, "xn-- form", 1, 0 },
	{ "an address is complete", "postmaster admin;", 1, 12, "write name@domain", 1, 0 },
	{ "an address has a plain local part", "postmaster a..b@c;", 1, 12, "no local part", 1, 0 },
	{ "a path is written in full", "users { file ~/u; }", 1, 14, "only a shell knows", 1, 0 },
	{ "log has three targets", "log here;", 1, 5, "is none of stderr, syslog, file PATH", 1,
	    0 },
	{ "log file has a path", "log file;", 1, 9, "a path is missing", 1, 0 },
	{ "only json follows", "log stderr xml;", 1, 12, "only json", 1, 0 },
	/* passwords */
	{ "a password is refused", "account a { login a; password x; }", 1, 22,
	    "does not stand in the configuration", 1, 0 },
	{ "a URL has no login", "route * { via smtp://a:b@h; }", 1, 15, "does not belong in a URL",
	    1, 0 },
	/* listen */
	{ "a listener has an address", BASE "listen a { tls off; auth off; }", 2, 1,
	    "\"listen a\" needs address HOST:PORT …;", 1, 0 },
	{ "an address has a port", "listen a { address 127.0.0.1; }", 1, 20, "has no port", 1, 0 },
	{ "an address is numeric", "listen a { address localhost:25; }", 1, 20,
	    "names are not taken here", 1, 0 },
	{ "IPv6 stands in brackets", "listen a { address ::1:25; }", 1, 20, "has no port", 1, 0 },
	{ "a port is a port", "listen a { address *:65536; }", 1, 20, "up to 65535", 1, 0 },
	{ "STARTTLS needs a certificate",
	    "users { file u; }\nlisten a { address *:587; }\n"
	    "route * {" VIA " }",
	    2, 1, "tls starttls is the default", 1, 0 },
	{ "port 465 says tls implicit", BASE "listen a { address *:465; }\nroute * {" VIA " }", 2,
	    1, "write tls implicit;", 1, 0 },
	{ "port 587 does not", BASE "listen a { address *:587; tls implicit; }\nroute * {" VIA " }",
	    2, 27, "belongs to port 465", 0, 1 },
	{ "AUTH needs users",
	    "tls { certificate c; key k; }\nlisten a { address *:25; auth optional; }"
	    "\nroute * {" VIA " }",
	    2, 26, "there are no users", 1, 0 },
	{ "AUTH must be possible", BASE "listen a { address *:25; tls off; }\nroute * {" VIA " }",
	    2, 1, "could never offer AUTH", 1, 0 },
	{ "nobody relays for all of IPv4", "listen a { relay-from 0.0.0.0/0; }", 1, 23,
	    "open relay", 1, 0 },
	{ "nobody relays for all of IPv6", "listen a { relay-from ::/0; }", 1, 23, "open relay", 1,
	    0 },
	{ "nobody relays for all mapped IPv4", "listen a { relay-from ::ffff:0:0/96; }", 1, 23,
	    "open relay", 1, 0 },
	{ "a network has no host bits", "listen a { relay-from 10.1.2.3/8; }", 1, 23,
	    "write 10.0.0.0/8", 1, 0 },
	{ "a prefix has its length", "listen a { relay-from 10.0.0.0/33; }", 1, 23, "up to 32", 1,
	    0 },
	{ "a network is numeric", "listen a { relay-from lan; }", 1, 23, "is not a network", 1, 0 },
	{ "a wide network is warned of",
	    BASE "listen a { address *:25; auth off; relay-from 64.0.0.0/2"
		 "; }\nroute * {" VIA " }",
	    2, 47, "so wide?", 0, 1 },
	{ "a socket is bound once",
	    BASE "listen a { address *:25; }\nlisten b { address 0.0.0.0:25; }\n"
		 "route * {" VIA " }",
	    3, 12, "is bound already by \"a\", at /etc/frank/frank.conf:2", 1, 0 },
	{ "a label is given once",
	    BASE "listen a { address *:25; }\nlisten a { address *:26; }\n"
		 "route * {" VIA " }",
	    3, 1, "there is a listener \"a\" already", 1, 0 },
	{ "a listener that takes nothing is warned of", BASE "listen a { address *:25; auth off; }",
	    2, 26, "can take no mail", 0, 1 },
	{ "a relay without routes is warned of", BASE "listen a { address *:25; }", 0, 1,
	    "there is no route", 0, 1 },
	/* domain */
	{ "a domain has a name", "domain { deliver discard; }", 1, 7, "a domain is missing", 1, 0 },
	{ "a domain is not everything", "domain * { deliver discard; }", 1, 8,
	    "does not name a domain", 1, 0 },
	{ "a domain delivers", BASE "domain a.b { }", 2, 1, "\"domain a.b\" needs deliver", 1, 0 },
	{ "a domain relays nowhere", "domain a.b { deliver smtp://h; }", 1, 22, "use a route", 1,
	    0 },
	{ "the users exist", "domain a.b { deliver discard; }", 1, 1, "and there are none", 1, 0 },
	{ "recipients are one of three", "domain a.b { recipients all; }", 1, 25, "is none of any",
	    1, 0 },
	{ "an alias is a local part", "domain a.b { alias x@a.b y@c.d; }", 1, 20, "a local part", 1,
	    0 },
	{ "an alias goes to an address", "domain a.b { alias x y; }", 1, 22, "name@domain", 1, 0 },
	{ "an alias stands once", "domain a.b { alias x y@c; alias X z@c; }", 1, 33,
	    "is there already", 1, 0 },
	{ "a domain stands once",
	    BASE "domain a.b { deliver discard; }\n"
		 "domain c.d A.B { deliver discard; }",
	    3, 12, "is there already", 1, 0 },
	{ "only two signs are filled in", "domain a.b { deliver maildir:/%h; }", 1, 22, "%u", 1,
	    0 },
	/* account */
	{ "an account has a name", "account { login a; password-file b; }", 1, 8,
	    "a name is missing", 1, 0 },
	{ "an account has a login", BASE "account a { password-file b; }", 2, 1,
	    "needs login NAME;", 1, 1 },
	{ "an account has a password", BASE "account a { login b; }", 2, 1,
	    "needs password-file PATH; or password-command", 1, 1 },
	{ "an account signs in one way", ACCOUNT("password-file c; password-command d;"), 2, 30,
	    "one of them: password-file or password-command", 1, 0 },
	{ "kerberos is one way", ACCOUNT("kerberos yes; password-file c;"), 2, 13,
	    "one of them: password-file or kerberos", 1, 0 },
	{ "a certificate needs its key", ACCOUNT("certificate c;"), 2, 13, "\"key\" is missing", 1,
	    0 },
	{ "a key needs its certificate", ACCOUNT("password-file c; key d;"), 2, 30,
	    "\"certificate\" is missing", 1, 0 },
	{ "a command is a path", ACCOUNT("password-command ~/x;"), 2, 30, "which only a shell", 1,
	    0 },
	{ "a command in PATH is no home", ACCOUNT("password-command ~x;"), 2, 30,
	    "which only a shell", 1, 0 },
	{ "a mechanism is known", ACCOUNT("password-file c; mechanisms CRAM-MD4;"), 2, 41,
	    "did you mean CRAM-MD5?", 1, 0 },
	{ "a mechanism can be served", ACCOUNT("password-file c; mechanisms PLAIN XOAUTH2;"), 2, 30,
	    "XOAUTH2 needs an oauth block", 1, 0 },
	{ "a route's mechanism can be served",
	    "account a { certificate b; key c; }\n"
	    "route * { via smtp://h; account a; mechanisms PLAIN; }",
	    2, 36, "PLAIN needs a password, which the account has not", 1, 0 },
	{ "mechanisms need an account", "route * {" VIA " mechanisms PLAIN; }", 1, 25,
	    "has no account", 0, 1 },
	/* account oauth */
	{ "oauth has no name", ACCOUNT("oauth x { flow device; }"), 2, 19, "takes no name", 1, 0 },
	{ "oauth has a login",
	    "account a { oauth { preset gmail; flow service-account; key-file k; "
	    "} }\nroute * {" VIA " account a; }",
	    1, 1, "needs login NAME;", 1, 0 },
	{ "oauth has a flow", ACCOUNT("oauth { client-id x; }"), 2, 13, "needs a preset or a flow",
	    1, 0 },
	{ "a preset is known", ACCOUNT("oauth { preset microsoft; }"), 2, 28,
	    "did you mean \"microsoft365\"?", 1, 0 },
	{ "microsoft365 has a tenant", ACCOUNT("oauth { preset microsoft365; client-id x; }"), 2,
	    13, "needs tenant NAME;", 1, 0 },
	{ "only microsoft365 has a tenant",
	    ACCOUNT("oauth { preset gmail; tenant x; client-id x; }"), 2, 35,
	    "no effect without preset microsoft365", 1, 0 },
	{ "Gmail has no device flow", ACCOUNT("oauth { preset gmail; client-id x; flow device; }"),
	    2, 48, "does not grant the scope for mail", 1, 0 },
	{ "Gmail has no client credentials",
	    ACCOUNT("oauth { preset gmail; flow client-credentials; }"), 2, 35,
	    "write flow service-account;", 1, 0 },
	{ "Microsoft has no service accounts",
	    ACCOUNT("oauth { preset microsoft365; tenant t; flow service-account; }"), 2, 52,
	    "write flow client-credentials;", 1, 0 },
	{ "Google's clients have secrets", ACCOUNT("oauth { preset gmail; client-id x; }"), 2, 13,
	    "client-secret-file PATH;", 0, 1 },
	{ "a flow has what it needs",
	    ACCOUNT("oauth { flow device; client-id x; token-endpoint https://a/b; }"), 2, 13,
	    "flow device needs device-endpoint URL;", 1, 0 },
	{ "a flow ignores nothing",
	    ACCOUNT("oauth { preset microsoft365; tenant t; client-id x; key-file k; }"), 2, 65,
	    "\"key-file\" has no effect with flow device", 1, 0 },
	{ "an end point is https",
	    ACCOUNT("oauth { flow client-credentials; client-id x; client-secret-file s; "
		    "token-endpoint http://127.0.0.1/; }"),
	    2, 96, "is not https", 1, 0 },
	{ "an end point has a host", ACCOUNT("oauth { token-endpoint https:///x; }"), 2, 36,
	    "of the form https://host/path", 1, 0 },
	{ "an end point has no login", ACCOUNT("oauth { token-endpoint https://a:b@c/; }"), 2, 36,
	    "does not belong in a URL", 1, 0 },
	{ "an end point has no blank", ACCOUNT("oauth { token-endpoint \"https://a/ b\"; }"), 2, 36,
	    "of the form https://host/path", 1, 0 },
	{ "an end point has no fragment", ACCOUNT("oauth { token-endpoint \"https://a/#b\"; }"), 2,
	    36, "of the form https://host/path", 1, 0 },
	{ "a client secret is refused", ACCOUNT("oauth { client-secret x; }"), 2, 21,
	    "client-secret-file PATH;", 1, 0 },
	{ "tokens have a file of the account's name",
	    "account a/b { login b; oauth { preset gmail; flow service-account; key-file k; } }\n"
	    "route * {" VIA " account a/b; }",
	    1, 9, "names the file of the tokens", 1, 0 },
	{ "that file is not hidden",
	    "account .a { login b; oauth { preset gmail; flow service-account; key-file k; } }\n"
	    "route * {" VIA " account .a; }",
	    1, 9, "no leading dot", 1, 0 },
	{ "a token is never in cleartext",
	    "account a { login b; oauth { preset gmail; flow service-account; key-file k; } }\n"
	    "route * {" VIA " account a; cleartext-auth yes; }",
	    2, 36, "never sent without TLS", 1, 0 },
	{ "a token goes to nobody else",
	    "account a { login b; oauth { preset gmail; flow service-account; key-file k; } }\n"
	    "route * {" VIA " account a; tls-verify no; }",
	    2, 36, "the token goes to whoever answers", 0, 1 },
	/* rewriting */
	{ "a sender rule is known", "route * {" VIA " sender change; }", 1, 32,
	    "is none of keep|replace ADDRESS|map FILE", 1, 0 },
	{ "a sender is replaced by an address", "route * {" VIA " sender replace; }", 1, 39,
	    "a value is missing", 1, 0 },
	{ "a sender is replaced by a whole address", "route * {" VIA " sender replace root; }", 1,
	    40, "not a complete address", 1, 0 },
	{ "a kept sender has no address", "route * {" VIA " sender keep a@b.c; }", 1, 37,
	    "takes one value", 1, 0 },
	{ "a kept From has no address", "route * {" VIA " header-from keep a@b.c; }", 1, 42,
	    "takes one value", 1, 0 },
	{ "a replaced From has an address", "route * {" VIA " header-from replace; }", 1, 25,
	    "needs an address here", 1, 0 },
	{ "a mapped From has a file", "route * {" VIA " sender replace a@b.c; header-from map; }",
	    1, 47, "needs a file here", 1, 0 },
	{ "a domain's alias may not", "domain a.b { alias a@a.b a@b.c; deliver discard; }", 1, 20,
	    "begins with a local part", 1, 0 },
	{ "a route's alias stands once", "route * {" VIA " alias a a@b.c; alias A d@b.c; }", 1, 46,
	    "is there already", 1, 0 },
	{ "rewriting needs a connection", "route * { via discard; sender keep; }", 1, 24,
	    "makes no connection", 1, 0 },
	{ "an account stands once",
	    BASE "account a { login b; password-file c; }\n"
		 "account a { login b; password-file c; }\nroute * {" VIA " account a; }",
	    3, 1, "there is an account \"a\" already", 1, 1 },
	{ "an unused account is warned of", BASE "account a { login b; password-file c; }", 2, 1,
	    "no route uses", 0, 1 },
	/* route */
	{ "a route has a pattern", "route {" VIA " }", 1, 6, "a pattern of recipients is missing",
	    1, 0 },
	{ "a route is for addresses", "route example.org {" VIA " }", 1, 7, "write *@example.org",
	    1, 0 },
	{ "a route goes somewhere", "route * { }", 1, 1, "the route goes nowhere", 1, 0 },
	{ "a route does not refuse and deliver", "route * {" VIA " refuse \"550 x\"; }", 1, 25,
	    "cannot refuse too", 1, 0 },
	{ "a refusal is a reply", "route * { refuse \"250 ok\"; }", 1, 18, "a code 4yz or 5yz", 1,
	    0 },
	{ "a refusal has one class", "route * { refuse \"550 4.7.1 x\"; }", 1, 18, "a code 4yz", 1,
	    0 },
	{ "a refusal has a text", "route * { refuse \"550\"; }", 1, 18, "a code 4yz or 5yz", 1, 0 },
	{ "a refusal is quoted", "route * { refuse 550 x; }", 1, 18, "stands in quotes", 1, 0 },
	{ "a scheme is known", "route * { via submision://h; }", 1, 15, "mean \"submission\"?", 1,
	    0 },
	{ "a via is a URL", "route * { via smtp.example.net; }", 1, 15, "does not begin with", 1,
	    0 },
	{ "a via has slashes", "route * { via smtp:h; }", 1, 15, "needs //", 1, 0 },
	{ "a via has a host", "route * { via smtp://; }", 1, 15, "names no host", 1, 0 },
	{ "a via has a port", "route * { via smtp://h:0; }", 1, 15, "no valid port", 1, 0 },
	{ "only lmtp has sockets", "route * { via smtp://unix:/x; }", 1, 15, "only lmtp", 1, 0 },
	{ "a source is an address", "route * { source lo; }", 1, 18, "is not an IP address", 1, 0 },
	{ "an account exists",
	    "account up { login a; password-file b; }\n"
	    "route * {" VIA " account upp; }",
	    2, 33, "did you mean \"up\"?", 1, 0 },
	{ "an account is one", "route * {" VIA " login a; password-file b; account a; }", 1, 59,
	    "a login of its own", 1, 0 },
	{ "login and password-file go together", "route * {" VIA " login a; }", 1, 25,
	    "\"password-file\" is missing", 1, 0 },
	{ "a match has a key", "route * { match recipient *;" VIA " }", 1, 17, "before the {", 1,
	    0 },
	{ "a match has a pattern", "route * { match sender;" VIA " }", 1, 23, "a value is missing",
	    1, 0 },
	{ "a listener exists", "route * { match listener lan;" VIA " }", 1, 26,
	    "there is no listener \"lan\"", 1, 0 },
	{ "a client is a network", "route * { match client x;" VIA " }", 1, 24, "is not a network",
	    1, 0 },
	{ "the empty sender receives nothing", "route <> {" VIA " }", 1, 7, "not a pattern", 1, 0 },
	{ "what discard cannot obey is refused", "route * { via discard; ehlo a.b; }", 1, 24,
	    "makes no connection", 1, 0 },
	{ "what a refusal cannot obey is refused", "route * { refuse \"550 x\"; lifetime 1d; }", 1,
	    27, "this route refuses", 1, 0 },
	{ "cleartext-auth needs an account", "route * {" VIA " cleartext-auth yes; }", 1, 25,
	    "has no account", 0, 1 },
	{ "an unverified hop is warned of",
	    "route * {" VIA " login a; password-file b; tls-verify no"
	    "; }",
	    1, 51, "whoever answers", 0, 1 },
	{ "port 465 is smtps", "route * { via smtp://h:465; }", 1, 11, "smtps://h", 0, 1 },
	{ "a hidden route is warned of", "route * {" VIA " }\nroute *@a.b {" VIA " }", 2, 1,
	    "never reached: the one at /etc/frank/frank.conf:1", 0, 1 },
	{ "the longest pause is not the shortest", "retry { first 2h; }", 1, 1, "shorter than", 1,
	    0 },
	{ "a warning comes before the end", "lifetime 1h;", 0, 1, "it is never sent", 0, 1 },
	{ "a hostname has a domain", "hostname box;", 1, 1, "has no domain", 0, 1 },
};

static void each_mistake_has_its_place_and_sentence(void **state)
{
	size_t failed = 0;
	for (size_t i = 0; i < sizeof(error_cases) / sizeof(error_cases[0]); i++) {
		const struct error_case *each = &error_cases[i];
		struct config_report report;
		const struct config *c = memory_load(span_from_string(each->text), &report);
		bool good = report.count > 0 && report.error_count == each->errors &&
			    report.warning_count == each->warnings && !c == (each->errors > 0);
		const struct config_problem *first = &report.problems[0];
		good = good && first->line == each->line &&
		       (!each->line || first->column == each->column) &&
		       strstr(first->text, each->sentence);
		if (!good) {
			print_error("%s: wanted %u:%u %s, got\n", each->name, each->line,
			    each->column, each->sentence);
			memory_print(&report);
			failed++;
		}
		config_unref(&c);
		config_report_fini(&report);
	}
	assert_int_equal(failed, 0);
}

static void every_prefix_of_a_mistake_is_read_or_refused(void **state)
{
	for (size_t i = 0; i < sizeof(error_cases) / sizeof(error_cases[0]); i++) {
		size_t len = strlen(error_cases[i].text);
		for (size_t j = 0; j < len; j++) {
			char *copy = malloc(j + 1);
			memcpy(copy, error_cases[i].text, j);
			struct config_report report;
			const struct config *c = memory_load(span_of(copy, j), &report);
			assert_true((c != NULL) == (report.error_count == 0));
			config_unref(&c);
			config_report_fini(&report);
			free(copy);
		}
	}
}

static char *report_of(const char *text)
{
	struct config_report report;
	const struct config *c = memory_load(span_from_string(text), &report);
	struct buf out;
	buf_init(&out, 1 << 20);
	assert_true(config_report_format(&report, &out));
	config_unref(&c);
	config_report_fini(&report);
	return buf_take_string(&out);
}

static void the_caret_stands_below_the_mistake(void **state)
{
	char *report =
	    report_of("user x;\n\tspool {\tpth \"\xc3\xbc\\\\\"; min-free \"\xff\" 1; }\n");
	assert_string_equal(report,
	    "/etc/frank/frank.conf:2:10: error: \"pth\" is unknown; did you mean \"path\"?\n"
	    "\t\tspool {\tpth \"\xc3\xbc\\\\\"; min-free \"\\xff\" 1; }\n"
	    "\t\t       \t^\n"
	    "/etc/frank/frank.conf:2:35: error: \"min-free\" takes one value: min-free SIZE; a "
	    "value with blanks stands in double quotes\n"
	    "\t\tspool {\tpth \"\xc3\xbc\\\\\"; min-free \"\\xff\" 1; }\n"
	    "\t\t       \t                           ^\n");
	free(report);
}

static void a_long_line_is_shown_around_the_mistake(void **state)
{
	static char text[20000];
	memset(text, ' ', sizeof(text) - 1);
	memcpy(text + 10000, "usr", 3);
	text[10004] = 'x';
	text[10005] = ';';
	char *report = report_of(text);
	assert_true(strlen(report) < 1000);
	assert_non_null(strstr(report, ":1:10001: error"));
	free(report);
}

static void no_secret_is_repeated(void **state)
{
	static const char *const texts[] = {
		"account a { login b; password hunter2; }",
		"account a { login b; password hunter2 }",
		"account a { login b; password \"hunter2 hunter2; }",
		"account a { login b; password hunter2,hunter2; bogus x; }",
		"account a { login b; password\n hunter2,hunter2; }",
		"account a { login b; password hunter2#; }",
		"account a { passwrd hunter2; }",
		"pass hunter2; usr x;",
		"account a { client-secret hunter2; usr x; }",
		"account a { oauth { client-secret hunter2\x01; } }",
		"route * { via smtp://u:hunter2@h; bogus x; }",
		"route * { via smtp://u:hunter2@h:99999 bogus; }",
		"route * { via bogus://u:hunter2@h; }",
		"route * { via smtp://u:hunter2@h,x; }",
	};
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		char *report = report_of(texts[i]);
		assert_non_null(strstr(report, "error"));
		if (strstr(report, "hunter2"))
			fail_msg("%s:\n%s", texts[i], report);
		free(report);
	}
}

static void at_most_fifty_problems_are_kept(void **state)
{
	struct config_report report;
	char text[2000] = "";
	for (int i = 0; i < 70; i++)
		strcat(text, "usr x;\n");
	const struct config *c = memory_load(span_from_string(text), &report);
	assert_null(c);
	assert_int_equal(report.error_count, 70);
	assert_int_equal(report.count, CONFIG_PROBLEMS_MAX);
	config_report_fini(&report);
	char *shown = report_of(text);
	assert_non_null(strstr(shown, "and 20 more\n"));
	free(shown);
}

static bool says(const struct config_report *report, const char *part)
{
	for (size_t i = 0; i < report->count; i++)
		if (strstr(report->problems[i].text, part))
			return true;
	return false;
}

/* Loads text repeated so many times, between head and tail; a sentence must hold part. */
static void expect_limit(
    const char *head, const char *text, size_t times, const char *tail, const char *part)
{
	struct buf all;
	buf_init(&all, 8 << 20);
	buf_append_string(&all, head);
	for (size_t i = 0; i < times; i++)
		buf_append_string(&all, text);
	buf_append_string(&all, tail);
	struct config_report report;
	const struct config *c = memory_load(buf_span(&all), &report);
	if (!part)
		assert_non_null(c);
	else if (c || !says(&report, part))
		fail_msg("%s", report.count ? report.problems[0].text : "no error");
	config_unref(&c);
	config_report_fini(&report);
	buf_fini(&all);
}

#define TOKENS " { login b; oauth { preset gmail; flow service-account; key-file k; } }"
#define CLIENT "account a { login b; oauth { preset microsoft365; tenant t; "

static void everything_has_a_limit(void **state)
{
	expect_limit("#", "x", (1 << 20) - 2, "\n", NULL);
	expect_limit("#", "x", 1 << 20, "\n", "larger than 1 MiB");
	expect_limit("", "route *@a.b { via discard; }\n", 5000, "", NULL);
	expect_limit("", "route *@a.b { via discard; }\n", 5001, "", "more than 10000 directives");
	expect_limit("route * { via", " discard", 1000, "; }", NULL);
	expect_limit("route * { via", " discard", 1001, "; }", "more than 1000 values");
	expect_limit("users { file ", "x", 1013, "; }", NULL); /* behind "/etc/frank/" */
	expect_limit("users { file ", "x", 1014, "; }", "too long for a path");
	expect_limit("route * { via maildir:", "x", 1014, "; }", "too long for a path");
	expect_limit("account a { login b; password-command", " c", 64, "; }", NULL);
	expect_limit("account a { login b; password-command", " c", 65, "; }", "takes fewer");
	expect_limit("account ", "x", 64, TOKENS, NULL);
	expect_limit("account ", "x", 65, TOKENS, "names the file of the tokens");
	expect_limit(CLIENT "client-id ", "x", 255, "; } }", NULL);
	expect_limit(CLIENT "client-id ", "x", 256, "; } }", "has not 1 to 255 bytes");
	expect_limit(CLIENT "client-id x; device-endpoint https://", "x", 992, "; } }", NULL);
	expect_limit(
	    CLIENT "client-id x; device-endpoint https://", "x", 993, "; } }", "is not a URL");
	expect_limit("include ", "x", 4096, ";", "cannot be read");
	expect_limit("users { file ", "x", 4097, "; }", "longer than 4096 bytes");
	expect_limit("users { file \"", "${HOST}", 300, "\"; }", "longer than 4096 bytes");
	expect_limit("", "{", 300000, "", "needs a name");
	expect_limit("", "a{", 300000, "", "more than 8 deep");
}

static void includes_have_limits(void **state)
{
	static char names[102][16], texts[102][32];
	static struct memory_file files[102];
	struct config_report report;
	for (int i = 0; i < 102; i++) {
		snprintf(names[i], sizeof(names[i]), "/c/%d", i);
		snprintf(texts[i], sizeof(texts[i]), "include %d;", i + 1);
		files[i] = (struct memory_file){ names[i], span_from_string(texts[i]) };
	}
	const struct config *c = memory_load_files(files, 102, &report);
	assert_null(c);
	assert_non_null(strstr(report.problems[0].text, "more than 16 deep"));
	assert_string_equal(report.problems[0].file, "/c/16");
	config_report_fini(&report);

	files[0].text = SPAN("include *;");
	for (int i = 1; i < 102; i++)
		files[i].text = SPAN("");
	files[0].path = "/c/main/x";
	files[0].text = SPAN("include ../*;");
	for (int i = 1; i < 102; i++)
		snprintf(names[i], sizeof(names[i]), "/c/main/../%d", i);
	c = memory_load_files(files, 100, &report);
	assert_non_null(c);
	config_unref(&c);
	config_report_fini(&report);
	c = memory_load_files(files, 102, &report);
	assert_null(c);
	assert_non_null(strstr(report.problems[0].text, "more than 100 files"));
	config_report_fini(&report);
}

static void a_missing_file_is_said_without_a_line(void **state)
{
	struct memory_file file = { "/etc/frank/frank.conf", SPAN("") };
	struct memory_source memory = { &file, 1 };
	struct config_source source = { &memory, memory_read, memory_variable, NULL };
	struct config_report report;
	config_report_init(&report);
	assert_null(config_load(&source, "/none", "a.b", &report));
	struct buf out;
	buf_init(&out, 1000);
	config_report_format(&report, &out);
	assert_string_equal(buf_string(&out), "/none: error: it cannot be read: no such file\n");
	buf_fini(&out);
	config_report_fini(&report);
}

static void a_machine_without_a_name_must_be_given_one(void **state)
{
	struct memory_file file = { "/f", SPAN("") };
	struct memory_source memory = { &file, 1 };
	struct config_source source = { &memory, memory_read, memory_variable, NULL };
	static const char *const bad[] = { NULL, "", "-x", "192.0.2.1" };
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct config_report report;
		config_report_init(&report);
		assert_null(config_load(&source, "/f", bad[i], &report));
		assert_non_null(strstr(report.problems[0].text, "hostname NAME;"));
		config_report_fini(&report);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_mistake_has_its_place_and_sentence),
		cmocka_unit_test(every_prefix_of_a_mistake_is_read_or_refused),
		cmocka_unit_test(the_caret_stands_below_the_mistake),
		cmocka_unit_test(a_long_line_is_shown_around_the_mistake),
		cmocka_unit_test(no_secret_is_repeated),
		cmocka_unit_test(at_most_fifty_problems_are_kept),
		cmocka_unit_test(everything_has_a_limit),
		cmocka_unit_test(includes_have_limits),
		cmocka_unit_test(a_missing_file_is_said_without_a_line),
		cmocka_unit_test(a_machine_without_a_name_must_be_given_one),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
