/* SPDX-License-Identifier: MIT */
/*
 * What the store alone accepts and finishes in a second, in batches of 1, 20 and 100 messages.
 *	store_bench DIRECTORY [SECONDS] [BODY-BYTES]
 * Prints figures; judges nothing. The directory must not exist, or be empty.
 */
#include "spool/store.h"

#include "base/id.h"
#include "base/moment.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#define BATCH_MAX 200

struct bench {
	struct spool_store *store;
	struct id_source ids;
	size_t body_len;
	struct spool_draft *drafts[BATCH_MAX];
	struct spool_result *results[BATCH_MAX];
};

static void fail(const struct fault *fault)
{
	fprintf(stderr, "store_bench: %s\n", fault->text);
	exit(3);
}

static struct spool_draft *make_draft(struct bench *bench)
{
	int64_t now_ms = moment_wall_ms();
	struct spool_envelope envelope = {
		.reverse_path = SPAN("sender@example.org"),
		.client = SPAN("192.0.2.1"),
		.helo = SPAN("client.example.org"),
		.listener = SPAN("submission"),
		.flags = SPOOL_FLAG_SUBMITTED,
		.received_ms = now_ms,
	};
	struct spool_message *message =
	    spool_message_create(id_next(&bench->ids, now_ms), &envelope);
	struct spool_draft *draft = spool_draft_create(&message);
	struct spool_delivery *delivery = spool_draft_add(
	    draft, SPAN("submission://smtp.example.net:587 as up"), SPAN("recipient@example.net"));
	delivery->expires_ms = now_ms + 5 * 86400000LL;
	delivery->warn_ms = now_ms + 4 * 3600000LL;
	struct buf body;
	buf_init(&body, SPOOL_BODY_MEMORY_MAX);
	memset(buf_reserve(&body, bench->body_len), 'x', bench->body_len);
	buf_commit(&body, bench->body_len);
	spool_draft_set_body(draft, &body);
	return draft;
}

static void run_batch(struct bench *bench, size_t count, bool relay, size_t *pending)
{
	struct fault fault;
	bool more;
	for (size_t i = 0; i < count; i++)
		bench->drafts[i] = make_draft(bench);
	struct spool_batch batch = {
		.accepts = bench->drafts,
		.accept_count = count,
		.results = bench->results,
		.result_count = *pending,
		.in_hand = relay,
		.now_ms = moment_wall_ms(),
	};
	if (spool_store_commit(bench->store, &batch, &fault) != SPOOL_COMMIT_KEPT)
		fail(&fault);
	for (size_t i = 0; i < *pending; i++)
		spool_result_destroy(&bench->results[i]);
	*pending = 0;
	for (size_t i = 0; i < count; i++) {
		if (relay) {
			struct list *link = list_take_first(&bench->drafts[i]->deliveries);
			struct spool_delivery *delivery =
			    LIST_ENTRY(link, struct spool_delivery, link);
			delivery->recipients[0].state = SPOOL_RECIPIENT_DELIVERED;
			spool_text_set(&delivery->recipients[0].reply,
			    SPAN("250 2.0.0 Ok: queued as 4WxYz12345"));
			bench->results[(*pending)++] = spool_result_create(&delivery);
		}
		spool_draft_destroy(&bench->drafts[i]);
	}
	if (!spool_store_tidy(bench->store, moment_wall_ms(), &more, &fault))
		fail(&fault);
}

static double cpu_seconds(void)
{
	struct rusage usage;
	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void measure(struct bench *bench, size_t count, bool relay, int seconds)
{
	size_t accepted = 0, pending = 0;
	int64_t begin = moment_monotonic_us(), until = begin + seconds * 1000000LL, now = begin;
	int64_t worst = 0;
	double cpu = cpu_seconds();
	while (now < until) {
		run_batch(bench, count, relay, &pending);
		accepted += count;
		int64_t after = moment_monotonic_us();
		worst = after - now > worst ? after - now : worst;
		now = after;
	}
	for (size_t i = 0; i < pending; i++)
		spool_result_destroy(&bench->results[i]);
	double elapsed = (double)(now - begin) / 1e6;
	printf("%-18s batch %3zu: %7.0f/s, %5.1f us of CPU each, worst batch %.1f ms\n",
	    relay ? "accept and finish" : "accept", count, (double)accepted / elapsed,
	    1e6 * (cpu_seconds() - cpu) / (double)accepted, (double)worst / 1000);
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		fprintf(stderr, "usage: store_bench DIRECTORY [SECONDS] [BODY-BYTES]\n");
		return 2;
	}
	int seconds = argc > 2 ? atoi(argv[2]) : 3;
	struct bench bench = { .body_len = argc > 3 ? (size_t)atoi(argv[3]) : 4096 };
	struct spool_settings settings = { .create = true, .history_ms = 5000 };
	struct fault fault;
	bench.store = spool_store_open(argv[1], &settings, &fault);
	if (bench.store == NULL)
		fail(&fault);
	id_source_init(&bench.ids, 0, 0);
	bench.ids.last = spool_store_last_id(bench.store);
	printf("%s; %zu byte bodies\n", spool_store_describe(bench.store), bench.body_len);
	static const size_t sizes[] = { 1, 20, 100 };
	for (int relay = 1; relay >= 0; relay--)
		for (size_t i = 0; i < ARRAY_LEN(sizes); i++)
			measure(&bench, sizes[i], relay, seconds);
	spool_store_close(&bench.store);
	return 0;
}
