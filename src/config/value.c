/* SPDX-License-Identifier: MIT */
#include "config/value.h"

#include "base/memory.h"
#include "config/name.h"
#include "config/near.h"
#include "config/network.h"

#include <stdio.h>
#include <string.h>

enum { LOGIN_MAX = 255, ACCOUNT_NAME_MAX = 32, VALUE_TEXT_MAX = 64, URL_MAX = 1000 };

static bool fail(const char *text, struct fault *fault_out, const char *why)
{
	char shown[CONFIG_SHOWN_MAX];
	fault_set(
	    fault_out, FAULT_LOCAL, "\"%s\" %s", config_shown(span_from_string(text), shown), why);
	return false;
}

static void set_text(struct config_builder *b, const char *text, void *value)
{
	*(const char **)value = config_arena_copy(b->arena, span_from_string(text));
}

bool config_quote(struct buf *out, const char *value)
{
	if (*value && !strpbrk(value, " \t;{}#\"\\,$="))
		return buf_append_string(out, value);
	bool done = buf_append_byte(out, '"');
	for (const char *c = value; *c; c++) {
		if (*c == '"' || *c == '\\' || *c == '$')
			done = done && buf_append_byte(out, '\\');
		done = done && buf_append_byte(out, *c);
	}
	return done && buf_append_byte(out, '"');
}

static bool print_text(const struct config_directive *d, const void *value, struct buf *out)
{
	const char *text = *(const char *const *)value;
	if (text)
		config_quote(out, text);
	return text;
}

/* ---- names and texts ---- */

static bool convert_hostname(struct config_builder *b, const struct config_directive *d,
    const struct config_word *word, void *value, struct fault *fault_out)
{
	if (!config_domain_check(span_from_string(word->text), fault_out))
		return false;
	set_text(b, word->text, value);
	return true;
}

const struct config_type config_type_hostname = { sizeof(const char *), convert_hostname,
	print_text };

/* EHLO takes an address literal too (RFC 5321, 4.1.3). */
static bool is_literal(const char *text)
{
	struct span all = span_from_string(text);
	if (all.len < 2 || all.data[0] != '[' || all.data[all.len - 1] != ']')
		return false;
	if (span_starts_with_nocase(all, SPAN("[IPv6:")))
		all = span_skip(all, 5);
	char inner[VALUE_TEXT_MAX];
	struct sockaddr_storage address;
	socklen_t len;
	size_t skipped = all.data[0] == '[' || all.data[0] == ':';
	if (all.len >= sizeof(inner))
		return false;
	snprintf(inner, sizeof(inner), "%.*s", (int)(all.len - 1 - skipped), all.data + skipped);
	return config_ip_parse(inner, &address, &len);
}

static bool convert_ehlo(struct config_builder *b, const struct config_directive *d,
    const struct config_word *word, void *value, struct fault *fault_out)
{
	if (!is_literal(word->text))
		return convert_hostname(b, d, word, value, fault_out);
	set_text(b, word->text, value);
	return true;
}

const struct config_type config_type_ehlo = { sizeof(const char *), convert_ehlo, print_text };

static bool convert_mail(struct config_builder *b, const struct config_directive *d,
    const struct config_word *word, void *value, struct fault *fault_out)
{
	if (!config_mail_check(word->text, fault_out))
		return false;
	set_text(b, word->text, value);
	return true;
}

const struct config_type config_type_mail = { sizeof(const char *), convert_mail, print_text };

static bool convert_mail_or_empty(struct config_builder *b, const struct config_directive *d,
    const struct config_word *word, void *value, struct fault *fault_out)
{
	if (strcmp(word->text, "empty") != 0)
		return convert_mail(b, d, word, value, fault_out);
	*(const char **)value = NULL;
	return true;
}

static bool print_mail_or_empty(
    const struct config_directive *d, const void *value, struct buf *out)
{
	return print_text(d, value, out) || buf_append_string(out, "empty");
}

const struct config_type config_type_mail_or_empty = { sizeof(const char *), convert_mail_or_empty,
	print_mail_or_empty };

static bool convert_account_name(struct config_builder *b, const struct config_directive *d,
    const struct config_word *word, void *value, struct fault *fault_out)
{
	bool good = *word->text && *word->text != '-' && strlen(word->text) <= ACCOUNT_NAME_MAX;
	for (const char *c = word->text; good && *c; c++)
		good = byte_is_alpha(*c) || byte_is_digit(*c) || strchr("_-.$", *c);
	if (!good)
		return fail(word->text, fault_out, "is not a name of this machine's accounts");
	set_text(b, word->text, value);
	return true;
}

const struct config_type config_type_account_name = { sizeof(const char *), convert_account_name,
	print_text };

static bool print_login(const struct config_directive *d, const void *value, struct buf *out)
{
	return **(const char *const *)value && print_text(d, value, out);
}

static bool convert_login(struct config_builder *b, const struct config_directive *d,
    const struct config_word *word, void *value, struct fault *fault_out)
{
	if (!*word->text || strlen(word->text) > LOGIN_MAX)
		return fail(word->text, fault_out, "is not a login: 1 to 255 bytes");
	set_text(b, word->text, value);
	return true;
}

const struct config_type config_type_login = { sizeof(const char *), convert_login, print_login };

static bool convert_text(struct config_builder *b, const struct config_directive *d,
    const struct config_word *word, void *value, struct fault *fault_out)
{
	char why[VALUE_TEXT_MAX];
	snprintf(why, sizeof(why), "has not 1 to %lld bytes", (long long)d->max);
	if (!*word->text || strlen(word->text) > (size_t)d->max)
		return fail(word->text, fault_out, why);
	set_text(b, word->text, value);
	return true;
}

const struct config_type config_type_text = { sizeof(const char *), convert_text, print_text };

/* Host, perhaps a port, perhaps a path; nothing that hides another host, and no fragment. */
static bool is_https(struct span url)
{
	for (size_t i = 0; i < url.len; i++)
		if ((unsigned char)url.data[i] <= ' ' || (unsigned char)url.data[i] > '~' ||
		    strchr("#\\\"<>", url.data[i]))
			return false;
	return span_starts_with(url, SPAN("https://")) && url.len > 8 && url.len <= URL_MAX &&
	       !strchr("/:?", url.data[8]);
}

static bool convert_https(struct config_builder *b, const struct config_directive *d,
    const struct config_word *word, void *value, struct fault *fault_out)
{
	struct span url = span_from_string(word->text);
	if (span_starts_with_nocase(url, SPAN("http://")))
		return fail(
		    word->text, fault_out, "is not https: a secret would be readable on the way");
	if (span_find(url, '@') < url.len) {
		fault_set(fault_out, FAULT_LOCAL, "a login does not belong in a URL");
		return false;
	}
	if (!is_https(url))
		return fail(word->text, fault_out, "is not a URL of the form https://host/path");
	set_text(b, word->text, value);
	return true;
}

const struct config_type config_type_https = { sizeof(const char *), convert_https, print_text };

static bool convert_path(struct config_builder *b, const struct config_directive *d,
    const struct config_word *word, void *value, struct fault *fault_out)
{
	if (!*word->text)
		return fail(word->text, fault_out, "is not a path");
	if (*word->text == '~')
		return fail(word->text, fault_out,
		    "begins with ~, which only a shell knows: "
		    "write the path in full");
	const char *path = config_path_resolve(b->arena, word->place.file->path, word->text);
	if (strlen(path) > CONFIG_PATH_MAX)
		return fail(
		    word->text, fault_out, "is too long for a path: 1024 bytes are the limit");
	*(const char **)value = path;
	return true;
}

const struct config_type config_type_path = { sizeof(const char *), convert_path, print_text };

static bool convert_certificate(struct config_builder *b, const struct config_directive *d,
    const struct config_word *word, void *value, struct fault *fault_out)
{
	if (!word->quoted && !strcmp(word->text, "auto"))
		return fail(word->text, fault_out, "is for clients only, in tls { }: name a file");
	return convert_path(b, d, word, value, fault_out);
}

const struct config_type config_type_certificate = { sizeof(const char *), convert_certificate,
	print_text };

static bool convert_path_or_system(struct config_builder *b, const struct config_directive *d,
    const struct config_word *word, void *value, struct fault *fault_out)
{
	if (word->quoted || strcmp(word->text, "system") != 0)
		return convert_path(b, d, word, value, fault_out);
	*(const char **)value = NULL;
	return true;
}

static bool print_path_or_system(
    const struct config_directive *d, const void *value, struct buf *out)
{
	return print_text(d, value, out) || buf_append_string(out, "system");
}

const struct config_type config_type_path_or_system = { sizeof(const char *),
	convert_path_or_system, print_path_or_system };

/* ---- choices ---- */

/* The place of text among "a|b|c", or -1; *near_out is the nearest of them. */
static int find_choice(const char *choices, const char *text, struct span *near_out)
{
	struct span left = span_from_string(choices), each, typed = span_from_string(text);
	unsigned best = CONFIG_NEAR_NOT;
	*near_out = span_of("", 0);
	for (int i = 0; span_take_until(&left, '|', &each); i++) {
		if (span_equal(each, typed))
			return i;
		unsigned distance = config_near(typed, each);
		if (distance < best) {
			best = distance;
			*near_out = each;
		}
	}
	return -1;
}

static void report_choice(
    const char *choices, const char *text, struct span near, struct fault *fault_out)
{
	char shown[CONFIG_SHOWN_MAX];
	config_shown(span_from_string(text), shown);
	if (near.len)
		fault_set(fault_out, FAULT_LOCAL, "\"%s\" is none of %s; did you mean \"%.*s\"?",
		    shown, choices, SPAN_ARG(near));
	else
		fault_set(fault_out, FAULT_LOCAL, "\"%s\" is none of %s", shown, choices);
}

static bool convert_choice(struct config_builder *b, const struct config_directive *d,
    const struct config_word *word, void *value, struct fault *fault_out)
{
	struct span near;
	int found = find_choice(d->value, word->text, &near);
	if (found < 0)
		report_choice(d->value, word->text, near, fault_out);
	else
		memcpy(value, &found, sizeof(found)); /* an enum of ours is an int */
	return found >= 0;
}

static bool print_choice(const struct config_directive *d, const void *value, struct buf *out)
{
	int wanted;
	memcpy(&wanted, value, sizeof(wanted));
	struct span left = span_from_string(d->value), each;
	for (int i = 0; span_take_until(&left, '|', &each); i++)
		if (i == wanted)
			return buf_append(out, each);
	return false;
}

const struct config_type config_type_choice = { sizeof(int), convert_choice, print_choice };

static bool convert_flag(struct config_builder *b, const struct config_directive *d,
    const struct config_word *word, void *value, struct fault *fault_out)
{
	static const char *const yes[] = { "on", "true", "1", "y" };
	static const char *const no[] = { "off", "false", "0", "n", "none" };
	struct span near;
	int found = find_choice("yes|no", word->text, &near);
	for (size_t i = 0; found < 0 && i < ARRAY_LEN(yes); i++)
		if (!strcmp(word->text, yes[i]))
			near = SPAN("yes");
	for (size_t i = 0; found < 0 && i < ARRAY_LEN(no); i++)
		if (!strcmp(word->text, no[i]))
			near = SPAN("no");
	if (found < 0)
		report_choice("yes|no", word->text, near, fault_out);
	else
		*(bool *)value = found == 0;
	return found >= 0;
}

static bool print_flag(const struct config_directive *d, const void *value, struct buf *out)
{
	return buf_append_string(out, *(const bool *)value ? "yes" : "no");
}

const struct config_type config_type_flag = { sizeof(bool), convert_flag, print_flag };

/* ---- numbers with units ---- */

struct unit {
	const char *name;
	int64_t factor;
};

static const struct unit time_units[] = {
	{ "s", 1000 },
	{ "m", 60000 },
	{ "h", 3600000 },
	{ "d", 86400000 },
	{ NULL, 0 },
};
static const struct unit size_units[] = {
	{ "KB", 1 << 10 },
	{ "MB", 1 << 20 },
	{ "GB", 1 << 30 },
	{ NULL, 0 },
};

/* Digits at the start of *text. False without any, or when they are too many. */
static bool take_digits(struct span *text, int64_t *number_out)
{
	size_t len = 0;
	uint64_t number;
	while (len < text->len && byte_is_digit(text->data[len]))
		len++;
	if (!span_to_u64(span_head(*text, len), &number) || number > INT32_MAX)
		return false;
	*number_out = (int64_t)number;
	*text = span_skip(*text, len);
	return true;
}

/* The unit of that very name, or NULL. */
static const struct unit *find_unit(const struct unit *units, struct span name)
{
	for (; units->name; units++)
		if (span_equal(name, span_from_string(units->name)))
			return units;
	return NULL;
}

/* The largest unit that leaves no rest. */
static bool print_units(const struct unit *units, int64_t amount, struct buf *out)
{
	const struct unit *best = units;
	for (; amount && units->name; units++)
		if (amount % units->factor == 0)
			best = units;
	return buf_printf(out, "%lld%s", (long long)(amount / best->factor), best->name);
}

static bool check_range(const struct unit *units, const struct config_directive *d, int64_t amount,
    const char *text, struct fault *fault_out)
{
	if (amount >= d->min && amount <= d->max)
		return true;
	struct buf limits;
	buf_init(&limits, VALUE_TEXT_MAX);
	buf_append_string(&limits, "is out of range: from ");
	print_units(units, d->min, &limits);
	buf_append_string(&limits, " to ");
	print_units(units, d->max, &limits);
	fail(text, fault_out, buf_string(&limits));
	buf_fini(&limits);
	return false;
}

static bool is_none(const struct config_directive *d, const char *text)
{
	return (d->flags & CONFIG_FLAG_MAY_BE_NONE) && !strcmp(text, "none");
}

static bool convert_units(const struct unit *units, const struct config_directive *d,
    const char *text, const char *why, int64_t *value, struct fault *fault_out)
{
	struct span rest = span_from_string(text);
	int64_t number;
	if (is_none(d, text)) {
		*value = 0;
		return true;
	}
	const struct unit *unit = take_digits(&rest, &number) ? find_unit(units, rest) : NULL;
	if (!unit || number > INT64_MAX / unit->factor)
		return fail(text, fault_out, why);
	if (!check_range(units, d, number * unit->factor, text, fault_out))
		return false;
	*value = number * unit->factor;
	return true;
}

static bool convert_time(struct config_builder *b, const struct config_directive *d,
    const struct config_word *word, void *value, struct fault *fault_out)
{
	return convert_units(time_units, d, word->text,
	    "is not a time: write one number and one "
	    "unit of s m h d, such as 90s or 5m",
	    value, fault_out);
}

static bool print_time(const struct config_directive *d, const void *value, struct buf *out)
{
	int64_t time_ms = *(const int64_t *)value;
	if (!time_ms && (d->flags & CONFIG_FLAG_MAY_BE_NONE))
		return buf_append_string(out, "none");
	return print_units(time_units, time_ms, out);
}

const struct config_type config_type_time = { sizeof(int64_t), convert_time, print_time };

static bool convert_size(struct config_builder *b, const struct config_directive *d,
    const struct config_word *word, void *value, struct fault *fault_out)
{
	int64_t size;
	if (!convert_units(size_units, d, word->text,
		"is not a size: write one number and one "
		"unit of KB MB GB, such as 50MB",
		&size, fault_out))
		return false;
	*(uint64_t *)value = (uint64_t)size;
	return true;
}

static bool print_size(const struct config_directive *d, const void *value, struct buf *out)
{
	return print_units(size_units, (int64_t) * (const uint64_t *)value, out);
}

const struct config_type config_type_size = { sizeof(uint64_t), convert_size, print_size };

/* ---- plain numbers ---- */

static bool convert_number(struct config_builder *b, const struct config_directive *d,
    const struct config_word *word, void *value, struct fault *fault_out)
{
	char why[VALUE_TEXT_MAX];
	uint64_t number;
	bool good = span_to_u64(span_from_string(word->text), &number) && number <= INT64_MAX;
	snprintf(why, sizeof(why), "is not a number from %lld to %lld", (long long)d->min,
	    (long long)d->max);
	if (!good || (int64_t)number < d->min || (int64_t)number > d->max)
		return fail(word->text, fault_out, why);
	*(unsigned *)value = (unsigned)number;
	return true;
}

static bool print_number(const struct config_directive *d, const void *value, struct buf *out)
{
	unsigned number = *(const unsigned *)value;
	return number && buf_printf(out, "%u", number);
}

const struct config_type config_type_number = { sizeof(unsigned), convert_number, print_number };

/* "2" or "1.5": at most three digits behind the point. Kept by hand: strtod obeys the locale. */
static bool parse_thousandths(struct span text, int64_t *out)
{
	int64_t whole, part = 0;
	if (!take_digits(&text, &whole) || whole > 1000)
		return false;
	if (text.len) {
		struct span digits = span_skip(text, 1);
		size_t len = digits.len;
		if (text.data[0] != '.' || !len || len > 3 || !take_digits(&digits, &part) ||
		    digits.len)
			return false;
		for (; len < 3; len++)
			part *= 10;
	}
	*out = whole * 1000 + part;
	return true;
}

static bool convert_factor(struct config_builder *b, const struct config_directive *d,
    const struct config_word *word, void *value, struct fault *fault_out)
{
	int64_t thousandths;
	if (!parse_thousandths(span_from_string(word->text), &thousandths) ||
	    thousandths < d->min * 1000 || thousandths > d->max * 1000)
		return fail(
		    word->text, fault_out, "is not a factor from 1 to 10, such as 2 or 1.5");
	*(double *)value = (double)thousandths / 1000;
	return true;
}

static bool print_factor(const struct config_directive *d, const void *value, struct buf *out)
{
	int64_t thousandths = (int64_t)(*(const double *)value * 1000 + 0.5);
	char text[VALUE_TEXT_MAX];
	int len = snprintf(text, sizeof(text), "%lld.%03lld", (long long)(thousandths / 1000),
	    (long long)(thousandths % 1000));
	while (text[len - 1] == '0')
		len--;
	if (text[len - 1] == '.')
		len--;
	return buf_append(out, span_of(text, (size_t)len));
}

const struct config_type config_type_factor = { sizeof(double), convert_factor, print_factor };

static bool convert_rate(struct config_builder *b, const struct config_directive *d,
    const struct config_word *word, void *value, struct fault *fault_out)
{
	struct config_rate rate = { 0 };
	struct span rest = span_from_string(word->text);
	int64_t count;
	if (!is_none(d, word->text)) {
		bool good =
		    take_digits(&rest, &count) && count > 0 && rest.len && rest.data[0] == '/';
		const struct unit *unit = good ? find_unit(time_units, span_skip(rest, 1)) : NULL;
		if (!unit)
			return fail(word->text, fault_out,
			    "is not a rate: write a number, / and one "
			    "of s m h d, such as 30/m");
		rate = (struct config_rate){ (unsigned)count, unit->factor };
	}
	*(struct config_rate *)value = rate;
	return true;
}

static bool print_rate(const struct config_directive *d, const void *value, struct buf *out)
{
	const struct config_rate *rate = value;
	const struct unit *unit = time_units;
	while (unit->name && unit->factor != rate->per_ms)
		unit++;
	return rate->count ? buf_printf(out, "%u/%s", rate->count, unit->name)
			   : buf_append_string(out, "none");
}

const struct config_type config_type_rate = { sizeof(struct config_rate), convert_rate,
	print_rate };
