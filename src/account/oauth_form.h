/* SPDX-License-Identifier: MIT */
#ifndef FRANK_ACCOUNT_OAUTH_FORM_H
#define FRANK_ACCOUNT_OAUTH_FORM_H

/*
 * What is sent to an identity provider: the forms of each flow (application/x-www-form-urlencoded),
 * the address that people open, and the reading of the address that they are sent back to.
 * Bytes in, bytes out. A secret buf of OAUTH_FORM_MAX has room for every form.
 */

#include "account/oauth.h"

#define OAUTH_FORM_MAX 65536

/* RFC 8628, 3.1: asks for a code that somebody enters elsewhere. */
void oauth_form_device(const struct oauth_account *account, struct buf *out);
/* RFC 8628, 3.4: has somebody done so? */
void oauth_form_device_token(
    const struct oauth_account *account, struct span device_code, struct buf *out);

/* RFC 6749, 4.1.1, and RFC 7636, 4.3: the address to open in a browser. */
void oauth_form_authorization(const struct oauth_account *account, struct span redirect,
    struct span challenge, struct span state, struct buf *out);
/* RFC 6749, 4.1.3, and RFC 7636, 4.5. */
void oauth_form_code(const struct oauth_account *account, struct span code, struct span redirect,
    struct span verifier, struct buf *out);

void oauth_form_refresh(
    const struct oauth_account *account, struct span refresh_token, struct buf *out);
void oauth_form_client_credentials(const struct oauth_account *account, struct buf *out);
/* RFC 7523, 2.1 */
void oauth_form_assertion(struct span assertion, struct buf *out);

/* The first value of that name behind the "?" of an address, or in a query; decoded and appended.
   False when there is none, or it is malformed or does not fit; out is then unchanged. */
bool oauth_form_value(struct span address, struct span name, struct buf *out);

/* Appends bytes as a form has them: letters, digits, - . _ ~ as they are, all else as %XX. */
void oauth_form_escape(struct span bytes, struct buf *out);

#endif
