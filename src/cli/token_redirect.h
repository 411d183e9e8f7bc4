/* SPDX-License-Identifier: MIT */
#ifndef FRANK_CLI_TOKEN_REDIRECT_H
#define FRANK_CLI_TOKEN_REDIRECT_H

/*
 * Where a browser is sent back to after a sign-in (RFC 8252, 7.3): a listener on this machine's
 * loopback address that takes a GET request or a few, shows a page, and hands over what was asked
 * for; and standard input, into which the same address can be pasted when the browser runs on a
 * machine from which this one cannot be reached.
 */

#include "base/fault.h"
#include "net/loop.h"

struct token_redirect;

/* address: "/?code=…&state=…", or what was pasted. True: that was it, and the page says so. */
typedef bool token_redirect_fn(struct span address, void *owner);

/* port 0: the kernel chooses; *port_out is what to put into the address. NULL with a fault when
   the port is taken. Reads standard input too, if somebody can write there. */
struct token_redirect *token_redirect_open(struct net_loop *loop, uint16_t port,
    token_redirect_fn *on_address, void *owner, uint16_t *port_out, struct fault *fault_out);
/* NULL is accepted; clears the pointer. Not from within on_address. */
void token_redirect_close(struct token_redirect **redirect);

#endif
