/* SPDX-License-Identifier: MIT */
#ifndef FRANK_SASL_LOGIN_H
#define FRANK_SASL_LOGIN_H

/*
 * LOGIN (draft-murchison-sasl-login, never a standard, and all that many devices speak): two
 * prompts, user name and password. An initial response is the user name. Clients compare the
 * prompts, so they are exactly "Username:" and "Password:". As a client the prompts are answered by
 * order, whatever they say, except that the password never answers a prompt for the name: such a
 * second prompt gets the name once more, once. For server.c and client.c.
 */

#include "sasl/client.h"
#include "sasl/server.h"

enum sasl_outcome sasl_login_server_start(
    struct sasl_server *s, bool has_initial, struct span initial);
enum sasl_outcome sasl_login_server_step(struct sasl_server *s, struct span response);
void sasl_login_client_start(struct sasl_client *c, bool with_initial, struct buf *out);
enum sasl_client_result sasl_login_client_step(
    struct sasl_client *c, struct span challenge, struct buf *out);

#endif
