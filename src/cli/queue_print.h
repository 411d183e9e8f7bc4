/* SPDX-License-Identifier: MIT */
#ifndef FRANK_CLI_QUEUE_PRINT_H
#define FRANK_CLI_QUEUE_PRINT_H

/*
 * What `frank queue` prints. Messages are printed as they come, one at a time, however many there
 * are: as a table on a terminal, as lines of fields separated by tabs into a pipe, at length for
 * `show`, or as one JSON object.
 */

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

struct queue_printer {
	bool json, dry_run;
	bool detailed;  /* show */
	bool relay;     /* one runs: what is due now is tried now */
	unsigned width; /* of the terminal; 0: none */
	int64_t now_ms;
	uint64_t count;  /* items printed */
	bool begun;      /* JSON: the object is open */
	json_t *missing; /* ids; NULL: none */
};

/* context is a printer; line one of relay/admin.h. False: standard output is gone. */
bool queue_print_line(void *context, const json_t *line);
/* The end of it all. lists: the command was to print messages. */
void queue_print_end(struct queue_printer *printer, bool lists);

#endif
