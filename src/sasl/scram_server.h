/* SPDX-License-Identifier: MIT */
#ifndef FRANK_SASL_SCRAM_SERVER_H
#define FRANK_SASL_SCRAM_SERVER_H

/*
 * SCRAM's server side (sasl/scram.h), for server.c. What is stored of a user proves the server and
 * checks the client, and does not let anybody in: the password is not in it. Unknown users get a
 * salt that is made of their name and the decoy key, and fail like a wrong password.
 */

#include "sasl/server.h"

enum sasl_outcome sasl_scram_server_start(
    struct sasl_server *s, bool has_initial, struct span initial);
enum sasl_outcome sasl_scram_server_step(struct sasl_server *s, struct span response);
enum sasl_outcome sasl_scram_server_found(
    struct sasl_server *s, const struct sasl_scram_verifier *verifier);
/* Wipes and frees. */
void sasl_scram_server_destroy(struct sasl_scram_server **scram);

#endif
