/* SPDX-License-Identifier: MIT */
#ifndef FRANK_BASE_MEMORY_H
#define FRANK_BASE_MEMORY_H

/*
 * The one way to the heap. Memory comes zeroed; when there is none the process ends, which the
 * spool makes safe: what was answered with 250 is on disk. Ceilings keep a peer from causing it.
 */

#include <stddef.h>

void *mem_alloc(size_t size);
void *mem_alloc_array(size_t count, size_t size);
void *mem_realloc(void *memory, size_t size); /* the grown part is not zeroed */
char *mem_strdup(const char *string);         /* NULL gives NULL */
void *mem_dup(const void *data, size_t len);  /* one NUL is added behind the copy */
void mem_free(void *memory);

/* Overwrites in a way that the compiler keeps. */
void mem_wipe(void *memory, size_t len);

#define MEM_NEW(type) ((type *)mem_alloc(sizeof(type)))
#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))
#define CONTAINER_OF(pointer, type, member) ((type *)((char *)(pointer)-offsetof(type, member)))

#endif
