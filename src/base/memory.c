/* SPDX-License-Identifier: MIT */
#include "base/memory.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void *require(void *memory)
{
	if (!memory) {
		fputs("frank: out of memory\n", stderr);
		abort();
	}
	return memory;
}

void *mem_alloc(size_t size)
{
	return require(calloc(1, size ? size : 1));
}

void *mem_alloc_array(size_t count, size_t size)
{
	return require(calloc(count ? count : 1, size ? size : 1));
}

void *mem_realloc(void *memory, size_t size)
{
	return require(realloc(memory, size ? size : 1));
}

char *mem_strdup(const char *string)
{
	return string ? mem_dup(string, strlen(string)) : NULL;
}

void *mem_dup(const void *data, size_t len)
{
	char *copy = require(len < SIZE_MAX ? malloc(len + 1) : NULL);

	if (len)
		memcpy(copy, data, len);
	copy[len] = '\0';
	return copy;
}

void mem_free(void *memory)
{
	free(memory);
}

void mem_wipe(void *memory, size_t len)
{
	if (len)
		explicit_bzero(memory, len);
}
