/* SPDX-License-Identifier: MIT */
#include "account/users.h"
#include "account/users_edit.h"
#include "account/users_scram.h"
#include "base/memory.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char hash[] =
    "$y$j9T$7kC2vJQe1hFfO0sLwYzpV1$hBcG7RKBlT97C/63I48qYk9GkT3D.QRWUKkEGTyrm6/";

static void require(bool fact)
{
	if (!fact)
		abort();
}

static struct account_users *parse(struct span text)
{
	struct account_notes *notes = MEM_NEW(struct account_notes);
	struct account_users *users = account_users_parse(text, notes);
	require((users == NULL) == (notes->errors > 0));
	require(notes->count <= notes->errors + notes->warnings);
	for (size_t i = 0; i < notes->count; i++)
		require((notes->items[i].line == 0) == (notes->items[i].column == 0));
	mem_free(notes);
	return users;
}

static void check_user(const struct account_users *users, const struct account_user *user)
{
	require(account_user_name_fault(user->name) == NULL);
	require(account_users_find(users, user->name) == user);
	require(user->scheme != NULL);
	if (user->hash.len > 0) {
		require(user->hash.data[0] == '$' && user->hash.data[user->hash.len] == '\0');
		require(span_find(user->hash, '\0') == user->hash.len);
	}
	for (size_t i = 0; i < user->scram_count; i++) {
		size_t bytes = users_scram_key_bytes(user->scram[i].hash);
		require(user->scram[i].stored_key.len == bytes);
		require(user->scram[i].server_key.len == bytes && user->scram[i].salt.len > 0);
	}
}

/* What an edit leaves is a sound file with the others as they were. */
static void check_edits(struct span text, const struct account_users *users)
{
	size_t count = account_users_count(users);
	struct span name = count > 0 ? account_users_at(users, count / 2)->name : SPAN("new");
	struct buf out;
	buf_init(&out, text.len + 1000);
	enum users_edit_result added = users_edit_add(text, name, span_from_string(hash), &out);
	require(added == (count > 0 ? USERS_EDIT_EXISTS : USERS_EDIT_DONE));
	buf_clear(&out);
	enum users_edit_result result =
	    users_edit_replace(text, name, span_from_string(hash), &out);
	require(result == (count > 0 ? USERS_EDIT_DONE : USERS_EDIT_NO_SUCH_USER));
	if (count > 0) {
		struct account_users *edited = parse(buf_span(&out));
		require(edited != NULL && account_users_count(edited) == count);
		const struct account_user *user = account_users_find(edited, name);
		require(user != NULL && span_equal(user->hash, span_from_string(hash)));
		require(user->scram_count == 0);
		account_users_unref(&edited);
		buf_clear(&out);
		require(users_edit_remove(text, name, &out) == USERS_EDIT_DONE);
		edited = parse(buf_span(&out));
		require(edited != NULL && account_users_count(edited) == count - 1);
		require(account_users_find(edited, name) == NULL);
		account_users_unref(&edited);
	}
	buf_fini(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct span text = span_of(data, size);
	struct account_users *users = parse(text);
	if (users == NULL)
		return 0;
	for (size_t i = 0; i < account_users_count(users); i++)
		check_user(users, account_users_at(users, i));
	require(account_users_decoy(users) != NULL);
	check_edits(text, users);
	account_users_unref(&users);
	return 0;
}
