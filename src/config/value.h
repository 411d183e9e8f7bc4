/* SPDX-License-Identifier: MIT */
#ifndef FRANK_CONFIG_VALUE_H
#define FRANK_CONFIG_VALUE_H

/* The types of plain values: for each, how it is written in a file, checked and shown again. */

#include "config/table.h"

extern const struct config_type config_type_hostname;       /* const char * */
extern const struct config_type config_type_ehlo;           /* const char *: domain or [address] */
extern const struct config_type config_type_mail;           /* const char * */
extern const struct config_type config_type_mail_or_empty;  /* const char *: "empty" is NULL */
extern const struct config_type config_type_account_name;   /* const char *: of this machine */
extern const struct config_type config_type_login;          /* const char *: never NULL */
extern const struct config_type config_type_text;           /* const char *: at most d->max bytes */
extern const struct config_type config_type_https;          /* const char *: a URL */
extern const struct config_type config_type_path;           /* const char * */
extern const struct config_type config_type_certificate;    /* const char *: a path */
extern const struct config_type config_type_path_or_system; /* const char *: "system" is NULL */
extern const struct config_type config_type_flag;           /* bool: yes|no */
extern const struct config_type config_type_choice;         /* enum: place in "a|b|c" */
extern const struct config_type config_type_number;         /* unsigned */
extern const struct config_type config_type_size;           /* uint64_t bytes */
extern const struct config_type config_type_time;           /* int64_t milliseconds */
extern const struct config_type config_type_factor;         /* double */
extern const struct config_type config_type_rate;           /* struct config_rate */

/* A value as it has to stand in a file: in quotes where it needs them. */
bool config_quote(struct buf *out, const char *value);

#endif
