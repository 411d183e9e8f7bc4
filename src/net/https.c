/* SPDX-License-Identifier: MIT */
#include "net/https.h"

#include "base/escape.h"
#include "base/memory.h"
#include "net/resolver.h"

#include <assert.h>
#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

#define CONNECT_MS 10000
#define RETRY_AFTER_MAX_S 3600
#define HOST_MAX 256

struct https_client {
	struct net_loop *loop;
	CURLM *multi;
	struct net_timer timer;
	struct list transfers;
	bool in_done; /* a callback of an owner is running */
};

/* A descriptor of libcurl's, as our loop sees it. Its memory goes with the close event. */
struct watched {
	uv_poll_t poll;
	struct https_client *client;
	curl_socket_t fd;
};

struct https_transfer {
	struct list link;
	struct https_client *client;
	https_done_fn *done;
	void *owner;
	struct resolver *resolver;
	struct net_timer deadline; /* the resolver's share included */
	CURL *easy;
	bool added; /* to the multi handle */
	struct curl_slist *resolve;
	char *url, *trust_directory;
	char host[HOST_MAX];
	uint16_t port;
	struct buf form; /* secret */
	struct buf body; /* secret: it may hold tokens */
	struct buf trust;
	size_t header_bytes;
	bool too_much; /* the body or the header is larger than it may be */
	bool url_good;
	char error[CURL_ERROR_SIZE];
};

/* ---- the end of a transfer ---- */

static void destroy(struct https_transfer *t)
{
	resolver_cancel(&t->resolver);
	net_timer_fini(&t->deadline);
	if (t->added)
		curl_multi_remove_handle(t->client->multi, t->easy);
	if (t->easy)
		curl_easy_cleanup(t->easy);
	curl_slist_free_all(t->resolve);
	mem_free(t->url);
	mem_free(t->trust_directory);
	buf_fini(&t->form);
	buf_fini(&t->body);
	buf_fini(&t->trust);
	list_remove(&t->link);
	mem_free(t);
}

static void finish(
    struct https_transfer *t, const struct https_answer *answer, const struct fault *fault)
{
	struct https_client *client = t->client;

	client->in_done = true;
	t->done(answer, fault, t->owner);
	client->in_done = false;
	destroy(t);
}

static void fail(struct https_transfer *t, enum fault_kind kind, const char *text)
{
	struct fault fault;

	fault_set(&fault, kind, "%s: %s", t->host[0] ? t->host : "https", text);
	finish(t, NULL, &fault);
}

/* ---- what a result means ---- */

static bool is_json(const char *type)
{
	struct span s = span_from_string(type), media;

	if (!span_take_until(&s, ';', &media))
		return false;
	media = span_trim(media);
	return span_equal_nocase(media, SPAN("application/json")) ||
	       span_ends_with_nocase(media, SPAN("+json"));
}

static void succeed(struct https_transfer *t)
{
	struct https_answer answer = { .body = buf_span(&t->body) };
	curl_off_t retry_after = 0;
	const char *type = NULL;
	long status = 0;

	curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(t->easy, CURLINFO_CONTENT_TYPE, &type);
	curl_easy_getinfo(t->easy, CURLINFO_RETRY_AFTER, &retry_after);
	if (retry_after > RETRY_AFTER_MAX_S)
		retry_after = RETRY_AFTER_MAX_S;
	answer.status = (unsigned)status;
	answer.json = is_json(type);
	answer.retry_after_ms = retry_after > 0 ? (int64_t)retry_after * 1000 : 0;
	finish(t, &answer, NULL);
}

static const char *failure_words(const struct https_transfer *t, CURLcode code)
{
	switch ((int)code) {
	case CURLE_COULDNT_CONNECT:
		return "it takes no connections";
	case CURLE_OPERATION_TIMEDOUT:
		return "it did not answer in time";
	case CURLE_GOT_NOTHING:
		return "it closed the connection without an answer";
	case CURLE_PARTIAL_FILE:
	case CURLE_RECV_ERROR:
		return "it broke off in the middle of its answer";
	case CURLE_SSL_CONNECT_ERROR:
		return "the TLS handshake failed: what answers there may not speak https";
	default:
		return t->error[0] != '\0' ? t->error : curl_easy_strerror(code);
	}
}

static void explain(struct https_transfer *t, CURLcode code)
{
	char shown[CURL_ERROR_SIZE + 64];

	if (t->too_much) {
		fail(t, FAULT_TEMPORARY,
		    "its answer is larger than 1 MiB: that is no answer to "
		    "what was asked");
	} else if (code == CURLE_PEER_FAILED_VERIFICATION || code == CURLE_SSL_CACERT_BADFILE) {
		snprintf(shown, sizeof(shown), "its certificate is not good: %s",
		    t->error[0] != '\0' ? t->error : curl_easy_strerror(code));
		fail(t, FAULT_LOCAL, shown);
	} else {
		escape_to(shown, sizeof(shown), span_from_string(failure_words(t, code)));
		fail(t, FAULT_TEMPORARY, shown);
	}
}

static void take_results(struct https_client *client)
{
	CURLMsg *message;
	int left;

	while ((message = curl_multi_info_read(client->multi, &left)) != NULL) {
		struct https_transfer *t;
		CURLcode code = message->data.result;
		if (message->msg != CURLMSG_DONE)
			continue;
		curl_easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, (char **)&t);
		if (code == CURLE_OK)
			succeed(t);
		else
			explain(t, code);
	}
}

/* ---- libcurl in our loop ---- */

static void act(struct https_client *client, curl_socket_t fd, int events)
{
	int running;

	curl_multi_socket_action(client->multi, fd, events, &running);
	take_results(client);
}

static void on_event(uv_poll_t *poll, int status, int events)
{
	struct watched *w = poll->data;
	int flags = (events & UV_READABLE ? CURL_CSELECT_IN : 0) |
		    (events & UV_WRITABLE ? CURL_CSELECT_OUT : 0);

	act(w->client, w->fd, status < 0 ? CURL_CSELECT_ERR : flags);
}

static void free_closed(uv_handle_t *handle)
{
	mem_free(handle->data);
}

static void unwatch(struct https_client *client, curl_socket_t fd, struct watched *w)
{
	curl_multi_assign(client->multi, fd, NULL);
	if (!w)
		return;
	uv_poll_stop(&w->poll);
	uv_close((uv_handle_t *)&w->poll, free_closed);
}

static struct watched *watch(struct https_client *client, curl_socket_t fd)
{
	struct watched *w = MEM_NEW(struct watched);

	w->client = client;
	w->fd = fd;
	if (uv_poll_init(&client->loop->uv, &w->poll, fd) != 0) {
		mem_free(w);
		return NULL;
	}
	w->poll.data = w;
	curl_multi_assign(client->multi, fd, w);
	return w;
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *owner, void *assigned)
{
	struct https_client *client = owner;
	struct watched *w = assigned;
	int events =
	    (what & CURL_POLL_IN ? UV_READABLE : 0) | (what & CURL_POLL_OUT ? UV_WRITABLE : 0);

	(void)easy;
	if (what == CURL_POLL_REMOVE) {
		unwatch(client, fd, w);
		return 0;
	}
	if (!w)
		w = watch(client, fd);
	if (w)
		uv_poll_start(&w->poll, events, on_event);
	return w ? 0 : -1;
}

static void on_timer(void *owner)
{
	act(owner, CURL_SOCKET_TIMEOUT, 0);
}

static int on_timer_wanted(CURLM *multi, long delay_ms, void *owner)
{
	struct https_client *client = owner;

	(void)multi;
	if (delay_ms < 0)
		net_timer_stop(&client->timer);
	else
		net_timer_start(&client->timer, delay_ms);
	return 0;
}

struct https_client *https_client_create(struct net_loop *loop, struct fault *fault_out)
{
	struct https_client *client;

	if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		fault_set(fault_out, FAULT_LOCAL, "libcurl cannot be used");
		return NULL;
	}
	client = MEM_NEW(struct https_client);
	client->loop = loop;
	list_init(&client->transfers);
	net_timer_init(&client->timer, loop, on_timer, client);
	client->multi = curl_multi_init();
	assert(client->multi);
	curl_multi_setopt(client->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
	curl_multi_setopt(client->multi, CURLMOPT_SOCKETDATA, client);
	curl_multi_setopt(client->multi, CURLMOPT_TIMERFUNCTION, on_timer_wanted);
	curl_multi_setopt(client->multi, CURLMOPT_TIMERDATA, client);
	return client;
}

void https_client_destroy(struct https_client **client)
{
	struct https_client *gone = *client;

	*client = NULL;
	if (!gone)
		return;
	assert(!gone->in_done);
	LIST_FOR_EACH_SAFE (position, &gone->transfers)
		destroy(LIST_ENTRY(position, struct https_transfer, link));
	curl_multi_cleanup(gone->multi);
	net_timer_fini(&gone->timer);
	mem_free(gone);
	curl_global_cleanup();
}

/* ---- a transfer ---- */

static size_t on_body(char *data, size_t size, size_t count, void *owner)
{
	struct https_transfer *t = owner;

	if (buf_append(&t->body, span_of(data, size * count)))
		return size * count;
	t->too_much = true;
	return 0;
}

static size_t on_header(char *data, size_t size, size_t count, void *owner)
{
	struct https_transfer *t = owner;

	(void)data;
	t->header_bytes += size * count;
	if (t->header_bytes <= HTTPS_HEADERS_MAX)
		return size * count;
	t->too_much = true;
	return 0;
}

static void set_trust(struct https_transfer *t)
{
	struct curl_blob blob = {
		.data = t->trust.data + t->trust.start,
		.len = t->trust.len,
		.flags = CURL_BLOB_NOCOPY,
	};

	if (t->trust.len > 0)
		curl_easy_setopt(t->easy, CURLOPT_CAINFO_BLOB, &blob);
	else if (t->trust_directory)
		curl_easy_setopt(t->easy, CURLOPT_CAINFO, NULL);
	if (t->trust_directory || t->trust.len > 0)
		curl_easy_setopt(t->easy, CURLOPT_CAPATH, t->trust_directory);
}

/* Names are looked up already; nothing in the environment may send us elsewhere. */
static void set_place(struct https_transfer *t)
{
	curl_easy_setopt(t->easy, CURLOPT_URL, t->url);
	curl_easy_setopt(t->easy, CURLOPT_PROTOCOLS_STR, "https");
	curl_easy_setopt(t->easy, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(t->easy, CURLOPT_PROXY, "");
	curl_easy_setopt(t->easy, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
	curl_easy_setopt(t->easy, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(t->easy, CURLOPT_FORBID_REUSE, 1L);
	curl_easy_setopt(t->easy, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(t->easy, CURLOPT_SSL_VERIFYHOST, 2L);
	curl_easy_setopt(t->easy, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
	curl_easy_setopt(t->easy, CURLOPT_RESOLVE, t->resolve);
	set_trust(t);
}

static void set_rest(struct https_transfer *t)
{
	curl_easy_setopt(t->easy, CURLOPT_PRIVATE, t);
	curl_easy_setopt(t->easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(t->easy, CURLOPT_ERRORBUFFER, t->error);
	curl_easy_setopt(t->easy, CURLOPT_USERAGENT, "frank/" FRANK_VERSION);
	curl_easy_setopt(t->easy, CURLOPT_CONNECTTIMEOUT_MS, (long)CONNECT_MS);
	curl_easy_setopt(t->easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(t->easy, CURLOPT_WRITEDATA, t);
	curl_easy_setopt(t->easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(t->easy, CURLOPT_HEADERDATA, t);
	if (t->form.len == 0)
		return;
	curl_easy_setopt(t->easy, CURLOPT_POSTFIELDS, t->form.data + t->form.start);
	curl_easy_setopt(t->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)t->form.len);
}

/* "host:port:address,address"; libcurl wants IPv6 addresses in brackets. */
static void set_addresses(struct https_transfer *t, const struct resolver_result *result)
{
	struct buf text;
	char host[NET_ADDRESS_TEXT_MAX];

	buf_init(&text, 4096);
	buf_printf(&text, "%s:%u:", t->host, t->port);
	for (size_t i = 0; i < result->count; i++) {
		bool v6 = result->addresses[i].any.sa_family == AF_INET6;
		net_address_format_host(&result->addresses[i], host);
		buf_printf(&text, v6 ? "%s[%s]" : "%s%s", i > 0 ? "," : "", host);
	}
	t->resolve = curl_slist_append(NULL, buf_string(&text));
	buf_fini(&text);
}

static void on_resolved(
    const struct resolver_result *result, const struct fault *fault, void *owner)
{
	struct https_transfer *t = owner;

	struct net_address numeric;

	t->resolver = NULL;
	if (fault) {
		finish(t, NULL, fault);
		return;
	}
	if (!net_address_parse(span_from_string(t->host), t->port, &numeric))
		set_addresses(t, result);
	t->easy = curl_easy_init();
	assert(t->easy);
	set_place(t);
	set_rest(t);
	t->added = curl_multi_add_handle(t->client->multi, t->easy) == CURLM_OK;
	if (!t->added)
		fail(t, FAULT_TEMPORARY, "libcurl refuses the transfer");
}

static void on_deadline(void *owner)
{
	struct https_transfer *t = owner;

	fail(t, t->url_good ? FAULT_TEMPORARY : FAULT_LOCAL,
	    t->url_good ? "it did not answer in time" : "the address is no https:// address");
}

/* Host and port of an https URL without user and password. */
static bool split_url(struct https_transfer *t)
{
	CURLU *parts = curl_url();
	char *host = NULL, *port = NULL, *user = NULL;
	uint64_t number = 0;
	bool good;

	assert(parts);
	good = strlen(t->url) <= HTTPS_URL_MAX && strncmp(t->url, "https://", 8) == 0 &&
	       curl_url_set(parts, CURLUPART_URL, t->url, 0) == CURLUE_OK &&
	       curl_url_get(parts, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
	       curl_url_get(parts, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK &&
	       curl_url_get(parts, CURLUPART_USER, &user, 0) != CURLUE_OK &&
	       strlen(host) < HOST_MAX && span_to_u64(span_from_string(port), &number);
	if (good) {
		memcpy(t->host, host, strlen(host) + 1);
		t->port = (uint16_t)number;
	}
	curl_free(host);
	curl_free(port);
	curl_free(user);
	curl_url_cleanup(parts);
	return good;
}

struct https_transfer *https_start(struct https_client *client,
    const struct https_question *question, https_done_fn *done, void *owner)
{
	struct https_transfer *t = MEM_NEW(struct https_transfer);
	int64_t timeout = question->timeout_ms ? question->timeout_ms : HTTPS_TIMEOUT_MS;

	t->client = client;
	t->done = done;
	t->owner = owner;
	t->url = mem_strdup(question->url);
	t->trust_directory = mem_strdup(question->trust_directory);
	buf_init_secret(&t->form, question->form.len);
	buf_append(&t->form, question->form);
	buf_init(&t->trust, question->trust.len);
	buf_append(&t->trust, question->trust);
	buf_init_secret(&t->body, HTTPS_BODY_MAX);
	list_append(&client->transfers, &t->link);
	net_timer_init(&t->deadline, client->loop, on_deadline, t);
	t->url_good = split_url(t);
	net_timer_start(&t->deadline, t->url_good ? timeout : 0);
	if (t->url_good)
		t->resolver = resolver_start(
		    client->loop, span_from_string(t->host), t->port, on_resolved, t);
	return t;
}

void https_cancel(struct https_transfer **transfer)
{
	struct https_transfer *t = *transfer;

	*transfer = NULL;
	if (t)
		destroy(t);
}
