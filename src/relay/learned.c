/* SPDX-License-Identifier: MIT */
#include "relay/learned.h"

#include "base/file.h"
#include "net/privilege.h"
#include "relay/admin_json.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- one hop ---- */

static const char *way_name(enum sasl_way way)
{
	switch (way) {
	case SASL_WAY_UNKNOWN:
		return NULL;
	case SASL_WAY_WITH_INITIAL:
		return "yes";
	case SASL_WAY_WITHOUT_INITIAL:
		return "no";
	}
	return NULL;
}

static json_t *ways_json(const struct sasl_memory *memory)
{
	json_t *object = json_object();

	for (int i = 0; i < SASL_MECHANISM_COUNT; i++)
		admin_json_set_string(
		    object, sasl_mechanism_name((enum sasl_mechanism)i), way_name(memory->way[i]));
	return object;
}

static json_t *failed_json(const struct sasl_memory *memory)
{
	json_t *array = json_array();

	for (int i = 0; i < SASL_MECHANISM_COUNT; i++)
		if (memory->failed[i])
			json_array_append_new(
			    array, json_string(sasl_mechanism_name((enum sasl_mechanism)i)));
	return array;
}

json_t *learned_hop_json(const char *key, const struct upstream_learned *learned)
{
	json_t *object;

	if (learned->mechanism[0] == '\0' && learned->last_ok_ms == 0 &&
	    learned->last_failure_ms == 0)
		return NULL;
	object = json_pack("{s:o, s:o, s:o}", "hop", admin_json_text(span_from_string(key)),
	    "initial_response", ways_json(&learned->memory), "not_understood",
	    failed_json(&learned->memory));
	admin_json_set_string(object, "worked", learned->mechanism);
	json_object_set_new(object, "last_ok_ms", json_integer(learned->last_ok_ms));
	json_object_set_new(object, "last_failure_ms", json_integer(learned->last_failure_ms));
	admin_json_set_string(object, "failure", learned->last_failure);
	if (learned->falls_over_ahead)
		json_object_set_new(object, "falls_over_ahead", json_true());
	return object;
}

static bool read_mechanism(const json_t *name, enum sasl_mechanism *mechanism_out)
{
	return json_is_string(name) &&
	       sasl_mechanism_find(span_from_string(json_string_value(name)), mechanism_out);
}

static void read_ways(const json_t *object, struct sasl_memory *memory)
{
	for (int i = 0; i < SASL_MECHANISM_COUNT; i++) {
		const json_t *way =
		    json_object_get(object, sasl_mechanism_name((enum sasl_mechanism)i));
		if (json_is_string(way))
			memory->way[i] = strcmp(json_string_value(way), "yes") == 0
					     ? SASL_WAY_WITH_INITIAL
					     : SASL_WAY_WITHOUT_INITIAL;
	}
}

static void read_failed(const json_t *array, struct sasl_memory *memory)
{
	enum sasl_mechanism mechanism;
	const json_t *name;
	size_t i;

	json_array_foreach(array, i, name)
	{
		if (read_mechanism(name, &mechanism))
			memory->failed[mechanism] = true;
	}
}

bool learned_hop_read(
    const json_t *object, const char **key_out, struct upstream_learned *learned_out)
{
	const char *key = json_string_value(json_object_get(object, "hop"));
	const char *failure = json_string_value(json_object_get(object, "failure"));
	enum sasl_mechanism mechanism;

	if (!key || key[0] == '\0')
		return false;
	*key_out = key;
	*learned_out = (struct upstream_learned){ 0 };
	if (read_mechanism(json_object_get(object, "worked"), &mechanism))
		snprintf(learned_out->mechanism, sizeof(learned_out->mechanism), "%s",
		    sasl_mechanism_name(mechanism));
	read_ways(json_object_get(object, "initial_response"), &learned_out->memory);
	read_failed(json_object_get(object, "not_understood"), &learned_out->memory);
	learned_out->last_ok_ms = json_integer_value(json_object_get(object, "last_ok_ms"));
	learned_out->last_failure_ms =
	    json_integer_value(json_object_get(object, "last_failure_ms"));
	snprintf(learned_out->last_failure, sizeof(learned_out->last_failure), "%s",
	    failure ? failure : "");
	learned_out->falls_over_ahead = json_is_true(json_object_get(object, "falls_over_ahead"));
	return true;
}

/* ---- the file ---- */

static bool fail(struct fault *fault, const char *path, const char *what)
{
	fault_set(fault, FAULT_LOCAL, "%s cannot be %s: %s", path, what, strerror(errno));
	return false;
}

bool learned_save(const char *path, json_t *hops, struct fault *fault_out)
{
	json_t *whole = json_pack("{s:i, s:O}", "version", 1, "hops", hops);
	char *text = json_dumps(whole, JSON_INDENT(1) | JSON_PRESERVE_ORDER);
	bool good = text && file_replace(path, 0640, span_from_string(text));

	if (!good)
		fail(fault_out, path, "written");
	free(text);
	json_decref(whole);
	return good;
}

json_t *learned_load(const char *path, struct fault *fault_out)
{
	json_t *whole = NULL, *hops = NULL;
	struct buf text;

	fault_out->kind = FAULT_NONE;
	if (access(path, F_OK) != 0 && errno == ENOENT)
		return NULL;
	buf_init(&text, LEARNED_FILE_MAX);
	if (privilege_read(path, &text, fault_out)) {
		whole =
		    json_loadb(buf_span(&text).data ? buf_span(&text).data : "", text.len, 0, NULL);
		hops = json_incref(json_object_get(whole, "hops"));
		if (!json_is_array(hops)) {
			fault_set(fault_out, FAULT_LOCAL,
			    "%s makes no sense: what was learned of next hops is learned anew",
			    path);
			json_decref(hops);
			hops = NULL;
		}
	}
	json_decref(whole);
	buf_fini(&text);
	return hops;
}
