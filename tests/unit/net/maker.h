/* SPDX-License-Identifier: MIT */
#ifndef FRANK_TESTS_NET_MAKER_H
#define FRANK_TESTS_NET_MAKER_H

/* Certificates of every kind of badness, in a directory of the test's own. */

struct recipe {
	const char *common_name;
	const char *names;       /* OpenSSL's syntax: "DNS:a.example,IP:127.0.0.1" */
	long from_days, to_days; /* relative to now */
	const char *issuer;      /* name of one made before; NULL: self-signed */
};

void maker_open(void);
void maker_close(void); /* removes the directory */
/* The path of a file in the directory; valid until the fourth next call. */
const char *maker_path(const char *name, const char *suffix);
/* Writes name.pem and name.key (0600). */
void maker_make(const char *name, const struct recipe *recipe);
void maker_write(const char *name, const char *suffix, const char *text, unsigned mode);

#endif
