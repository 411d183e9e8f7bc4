/* SPDX-License-Identifier: MIT */
#include "relay/admin_json.h"

#include "base/escape.h"
#include "base/id.h"
#include "base/moment.h"

json_t *admin_json_text(struct span text)
{
	json_t *value = json_stringn(text.len ? text.data : "", text.len);
	struct buf shown;

	if (value)
		return value;
	buf_init(&shown, text.len * ESCAPE_CHARACTER_MAX);
	escape_append(&shown, text);
	value = json_stringn(buf_span(&shown).data, buf_span(&shown).len);
	buf_fini(&shown);
	return value;
}

void admin_json_set_text(json_t *object, const char *key, struct span text)
{
	if (text.len > 0)
		json_object_set_new(object, key, admin_json_text(text));
}

void admin_json_set_string(json_t *object, const char *key, const char *text)
{
	admin_json_set_text(object, key, span_from_string(text));
}

void admin_json_set_time(json_t *object, const char *key, int64_t wall_ms)
{
	char text[MOMENT_TEXT_MAX];

	if (wall_ms != 0)
		json_object_set_new(object, key, json_string(moment_format_rfc3339(wall_ms, text)));
}

void admin_json_set_number(json_t *object, const char *key, uint64_t number)
{
	json_object_set_new(object, key, json_integer((json_int_t)number));
}

void admin_json_set_duration(json_t *object, const char *key, int64_t duration_ms)
{
	json_object_set_new(object, key, json_integer(duration_ms / 1000));
}

void admin_json_set_id(json_t *object, const char *key, uint64_t message_id)
{
	char text[ID_TEXT_SIZE];

	if (message_id != 0)
		json_object_set_new(object, key, json_string(id_format(message_id, text)));
}

bool admin_json_get_text(const json_t *object, const char *key, struct span *text_out)
{
	const json_t *value = json_object_get(object, key);

	*text_out = (struct span){ NULL, 0 };
	if (!value)
		return true;
	if (!json_is_string(value))
		return false;
	*text_out = span_of(json_string_value(value), json_string_length(value));
	return true;
}

static int append(const char *bytes, size_t len, void *context)
{
	return buf_append(context, span_of(bytes, len)) ? 0 : -1;
}

bool admin_json_line(struct buf *b, json_t *object)
{
	size_t before = b->len;
	bool fits =
	    json_dump_callback(object, append, b, JSON_COMPACT) == 0 && buf_append_byte(b, '\n');

	if (!fits)
		buf_truncate(b, before);
	json_decref(object);
	return fits;
}
