/* SPDX-License-Identifier: MIT */
#include "cli/screen.h"

#include "base/escape.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define WIDTH_MIN 40
#define WIDTH_USUAL 80
#define DURATION_MAX_S (100ll * 365 * 24 * 3600)

unsigned cli_screen_width(void)
{
	struct winsize size;
	if (isatty(STDOUT_FILENO) != 1)
		return 0;
	if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
		return WIDTH_USUAL;
	return size.ws_col < WIDTH_MIN ? WIDTH_MIN : size.ws_col;
}

/* ---- cells ---- */

/* A form of escape_take() is one character of several bytes, or several of one. */
static unsigned columns_of(const char *form, size_t len)
{
	return ((unsigned char)form[0] & 0x80) != 0 ? 1 : (unsigned)len;
}

static unsigned text_columns(struct span text, unsigned enough)
{
	unsigned columns = 0;
	char form[ESCAPE_CHARACTER_MAX];
	while (text.len > 0 && columns <= enough) {
		size_t len = escape_take(&text, form);
		columns += columns_of(form, len);
	}
	return columns;
}

unsigned cli_screen_put(FILE *stream, struct span text, unsigned columns)
{
	unsigned limit = columns == 0 ? ~0u - 1 : columns, used = 0;
	bool cut = columns != 0 && text_columns(text, limit) > limit;
	char form[ESCAPE_CHARACTER_MAX];
	while (text.len > 0) {
		size_t len = escape_take(&text, form);
		if (used + columns_of(form, len) > limit - cut)
			break;
		fwrite(form, 1, len, stream);
		used += columns_of(form, len);
	}
	if (cut)
		fputs("…", stream);
	return used + cut;
}

void cli_screen_put_cell(FILE *stream, struct span text, unsigned columns)
{
	unsigned used = cli_screen_put(stream, text, columns);
	while (used++ < columns)
		fputc(' ', stream);
}

/* As many words as fit into columns, at least one. */
static struct span take_row(struct span *text, unsigned columns)
{
	struct span all = *text, word;
	size_t len = 0;
	while (span_take_word(text, &word)) {
		size_t with = (size_t)(word.data + word.len - all.data);
		if (len > 0 && text_columns(span_head(all, with), columns) > columns) {
			*text = span_skip(all, len);
			break;
		}
		len = with;
	}
	return span_trim(span_head(all, len));
}

void cli_screen_put_block(FILE *stream, struct span text, unsigned indent, unsigned width)
{
	unsigned columns = width > indent + 20 ? width - indent : 20;
	do {
		struct span row = width == 0 ? text : take_row(&text, columns);
		fprintf(stream, "%*s", (int)indent, "");
		cli_screen_put(stream, row, width == 0 ? 0 : columns);
		fputc('\n', stream);
	} while (width != 0 && span_trim(text).len > 0);
}

/* ---- short forms ---- */

const char *cli_screen_size(uint64_t bytes, char out[CLI_SCREEN_SIZE_MAX])
{
	static const char units[] = "KMGTPE";
	double value = (double)bytes;
	int unit = -1;
	while (value >= 1000 && unit + 1 < (int)sizeof(units) - 1) {
		value /= 1024;
		unit++;
	}
	if (unit < 0)
		snprintf(out, CLI_SCREEN_SIZE_MAX, "%u", (unsigned)bytes);
	else
		snprintf(
		    out, CLI_SCREEN_SIZE_MAX, "%.*f%c", value < 10 ? 1 : 0, value, units[unit]);
	return out;
}

/* ---- values ---- */

struct span cli_json_get(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);
	if (!json_is_string(value))
		return span_of("", 0);
	return span_of(json_string_value(value), json_string_length(value));
}

uint64_t cli_json_number(const json_t *object, const char *key)
{
	json_int_t value = json_integer_value(json_object_get(object, key));
	return value > 0 ? (uint64_t)value : 0;
}

int64_t cli_json_time(const json_t *object, const char *key)
{
	int64_t wall_ms = 0;
	cli_time_parse(cli_json_get(object, key), &wall_ms);
	return wall_ms;
}

/* ---- parsing ---- */

static bool take_number(struct span *text, size_t digits, char behind, int *value_out)
{
	uint64_t value;
	if (text->len <= digits || text->data[digits] != behind ||
	    !span_to_u64(span_head(*text, digits), &value))
		return false;
	*value_out = (int)value;
	*text = span_skip(*text, digits + 1);
	return true;
}

bool cli_time_parse(struct span text, int64_t *wall_ms_out)
{
	struct tm tm = { 0 };
	if (!take_number(&text, 4, '-', &tm.tm_year) || !take_number(&text, 2, '-', &tm.tm_mon) ||
	    !take_number(&text, 2, 'T', &tm.tm_mday) || !take_number(&text, 2, ':', &tm.tm_hour) ||
	    !take_number(&text, 2, ':', &tm.tm_min) || !take_number(&text, 2, 'Z', &tm.tm_sec) ||
	    text.len > 0)
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	*wall_ms_out = (int64_t)timegm(&tm) * 1000;
	return true;
}

static int64_t unit_seconds(char unit)
{
	switch (unit) {
	case 's':
		return 1;
	case 'm':
		return 60;
	case 'h':
		return 3600;
	case 'd':
		return 24 * 3600;
	}
	return 0;
}

bool cli_duration_parse(struct span text, int64_t *seconds_out)
{
	int64_t sum = 0;
	if (text.len == 0)
		return false;
	while (text.len > 0) {
		size_t digits = 0;
		uint64_t value;
		while (digits < text.len && byte_is_digit(text.data[digits]))
			digits++;
		if (digits == text.len || !span_to_u64(span_head(text, digits), &value))
			return false;
		int64_t unit = unit_seconds(text.data[digits]);
		if (unit == 0 || value > (uint64_t)(DURATION_MAX_S / unit))
			return false;
		sum += (int64_t)value * unit;
		if (sum > DURATION_MAX_S)
			return false;
		text = span_skip(text, digits + 1);
	}
	*seconds_out = sum;
	return true;
}
