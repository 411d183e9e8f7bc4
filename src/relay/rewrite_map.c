/* SPDX-License-Identifier: MIT */
#include "relay/rewrite_map.h"

#include "base/escape.h"
#include "base/map.h"
#include "base/memory.h"
#include "config/match.h"
#include "config/name.h"
#include "net/privilege.h"

#include <string.h>

#define FILE_MAX_BYTES (16 * 1024 * 1024)
#define EXACT_MAX 1000000
#define PATTERNS_MAX 10000
#define KEY_MAX_BYTES 400

struct entry {
	unsigned line;
	struct config_pattern pattern;
	struct span to;
};

struct rewrite_map {
	struct config_arena *arena;
	struct map *exact;      /* lower case → struct entry: what has to be compared only once */
	struct entry *patterns; /* all others, in the order of the file */
	size_t pattern_count;
};

struct reader {
	struct rewrite_map *map;
	const char *path;
	unsigned line;
	struct fault *fault;
};

static bool fail(const struct reader *reader, size_t column, const char *why)
{
	fault_set(
	    reader->fault, FAULT_LOCAL, "%s:%u:%zu: %s", reader->path, reader->line, column, why);
	return false;
}

/* Lower case, in the caller's array; a trailing dot does not count (config/match.h). */
static bool fold(struct span name, char out[KEY_MAX_BYTES], struct span *folded_out)
{
	if (name.len > 0 && name.data[name.len - 1] == '.')
		name.len--;
	if (name.len == 0 || name.len > KEY_MAX_BYTES)
		return false;
	for (size_t i = 0; i < name.len; i++)
		out[i] = byte_to_lower(name.data[i]);
	*folded_out = span_of(out, name.len);
	return true;
}

/* ---- reading ---- */

static bool is_exact(const struct config_pattern *pattern)
{
	return pattern->local.data && pattern->domain.data && !pattern->subdomains;
}

static bool keep_exact(const struct reader *reader, struct span text, const struct entry *entry)
{
	struct rewrite_map *map = reader->map;
	char space[KEY_MAX_BYTES];
	struct span key;
	struct entry *kept;

	if (!fold(text, space, &key) || map_get(map->exact, key))
		return true; /* fits nothing, or an earlier line does */
	if (map_count(map->exact) == EXACT_MAX)
		return fail(reader, 1, "the file has more than 1000000 addresses");
	kept = config_arena_alloc(map->arena, sizeof(*kept));
	*kept = *entry;
	map_set(map->exact, key, kept);
	return true;
}

static bool keep_pattern(const struct reader *reader, const struct entry *entry)
{
	struct rewrite_map *map = reader->map;

	if (map->pattern_count == PATTERNS_MAX)
		return fail(reader, 1,
		    "the file has more than 10000 patterns with a * (complete addresses are not "
		    "counted)");
	map->patterns = config_arena_grow(
	    map->arena, map->patterns, map->pattern_count, sizeof(*map->patterns));
	map->patterns[map->pattern_count++] = *entry;
	return true;
}

/* "root" is a bare name; what holds a "*" or an "@" is a pattern of addresses. */
static enum config_pattern_use use_of(struct span text)
{
	bool is_name = span_find(text, '*') == text.len && span_find(text, '@') == text.len &&
		       text.data[0] != '<';

	return is_name ? CONFIG_PATTERN_USE_LOGIN : CONFIG_PATTERN_USE_SENDER;
}

static size_t column_of(struct span line, struct span word)
{
	return (size_t)(word.data - line.data) + 1;
}

static bool add(const struct reader *reader, struct span line, struct span pattern, struct span to)
{
	struct config_arena *arena = reader->map->arena;
	struct entry entry = { .line = reader->line };
	char *text = config_arena_copy(arena, pattern), *address = config_arena_copy(arena, to);
	struct fault fault;

	if (strlen(text) != pattern.len || strlen(address) != to.len)
		return fail(reader, 1, "the line holds a NUL");
	if (!config_pattern_parse(arena, text, use_of(pattern), &entry.pattern, &fault))
		return fail(reader, column_of(line, pattern), fault.text);
	if (!config_mail_check(address, &fault))
		return fail(reader, column_of(line, to), fault.text);
	entry.to = span_from_string(address);
	return is_exact(&entry.pattern) ? keep_exact(reader, pattern, &entry)
					: keep_pattern(reader, &entry);
}

/* A comment begins at the begin of a word: "#" is a letter of local parts. */
static bool is_comment(struct span word)
{
	return word.data[0] == '#';
}

static bool add_line(const struct reader *reader, struct span line)
{
	struct span rest = line, pattern, to, more;

	if (rest.len > 0 && rest.data[rest.len - 1] == '\r')
		rest.len--;
	if (!span_take_word(&rest, &pattern) || is_comment(pattern))
		return true;
	if (!span_take_word(&rest, &to) || is_comment(to))
		return fail(reader, column_of(line, pattern) + pattern.len,
		    "an address is missing behind the pattern: a line is \"root@* "
		    "alerts@example.org\"");
	if (span_take_word(&rest, &more) && !is_comment(more))
		return fail(reader, column_of(line, more),
		    "a line holds a pattern, one address and nothing else");
	return add(reader, line, pattern, to);
}

static bool add_lines(struct reader *reader, struct span text)
{
	struct span line;

	while (span_take_until(&text, '\n', &line)) {
		reader->line++;
		if (!add_line(reader, line))
			return false;
	}
	return true;
}

struct rewrite_map *rewrite_map_read(const char *path, struct fault *fault_out)
{
	struct rewrite_map *map;
	struct buf file;

	buf_init(&file, FILE_MAX_BYTES);
	if (!privilege_read(path, &file, fault_out)) {
		buf_fini(&file);
		return NULL;
	}
	map = MEM_NEW(struct rewrite_map);
	map->arena = config_arena_create();
	map->exact = map_create();
	if (!add_lines(
		&(struct reader){ .map = map, .path = path, .fault = fault_out }, buf_span(&file)))
		rewrite_map_destroy(&map);
	buf_fini(&file);
	return map;
}

void rewrite_map_destroy(struct rewrite_map **map)
{
	if (!*map)
		return;
	map_destroy(&(*map)->exact, NULL);
	config_arena_destroy(&(*map)->arena);
	mem_free(*map);
	*map = NULL;
}

/* ---- looking up ---- */

/* "*" means every address, and the empty reverse-path is none. */
static bool fits(const struct config_pattern *pattern, struct span address)
{
	return (address.len > 0 || pattern->null_path) && config_pattern_matches(pattern, address);
}

bool rewrite_map_find(const struct rewrite_map *map, struct span address, struct span *to_out)
{
	const struct entry *found = NULL;
	char space[KEY_MAX_BYTES];
	struct span key;

	if (fold(address, space, &key))
		found = map_get(map->exact, key);
	for (size_t i = 0; i < map->pattern_count; i++) {
		if (found && found->line < map->patterns[i].line)
			break;
		if (fits(&map->patterns[i].pattern, address)) {
			found = &map->patterns[i];
			break;
		}
	}
	if (found)
		*to_out = found->to;
	return found != NULL;
}
