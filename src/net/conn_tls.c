/* SPDX-License-Identifier: MIT */
#include "net/conn_internal.h"

#include "base/escape.h"
#include "base/memory.h"
#include "net/identity.h"
#include "net/tls.h"

#include <assert.h>
#include <openssl/err.h>
#include <pthread.h>
#include <string.h>

enum { RECORD_MAX = 16384 }; /* RFC 8446, 5.1 */

/* ---- a BIO on the connection's buffers ---- */

static size_t take_wire(struct conn_tls *tls, char *out, size_t max)
{
	struct span from = tls->wire_in.len ? buf_span(&tls->wire_in) : tls->cipher;
	size_t n = from.len < max ? from.len : max;

	if (n == 0)
		return 0;
	memcpy(out, from.data, n);
	if (tls->wire_in.len)
		buf_consume(&tls->wire_in, n);
	else
		tls->cipher = span_skip(tls->cipher, n);
	return n;
}

static bool wire_is_empty(const struct conn_tls *tls)
{
	return tls->wire_in.len == 0 && tls->cipher.len == 0;
}

static int bio_read(BIO *bio, char *out, int max)
{
	struct conn *c = BIO_get_data(bio);
	size_t n = take_wire(c->tls, out, max > 0 ? (size_t)max : 0);

	BIO_clear_retry_flags(bio);
	if (n > 0)
		return (int)n;
	if (c->wire_eof)
		return 0;
	BIO_set_retry_read(bio);
	return -1;
}

static int bio_write(BIO *bio, const char *bytes, int len)
{
	struct conn *c = BIO_get_data(bio);

	BIO_clear_retry_flags(bio);
	if (len > 0 && buf_append(&c->loop->wire, span_of(bytes, (size_t)len)))
		return len;
	BIO_set_retry_write(bio);
	return -1;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
	struct conn *c = BIO_get_data(bio);

	if (command == BIO_CTRL_FLUSH)
		return 1;
	if (command == BIO_CTRL_EOF)
		return c->wire_eof && wire_is_empty(c->tls);
	return 0;
}

static int bio_create(BIO *bio)
{
	BIO_set_init(bio, 1);
	return 1;
}

/* One table for the process, made once and never changed: OpenSSL has no static initializer. */
static BIO_METHOD *bio_method;
static pthread_once_t bio_method_once = PTHREAD_ONCE_INIT;

static void make_bio_method(void)
{
	bio_method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "connection");
	if (!bio_method)
		return;
	BIO_meth_set_read(bio_method, bio_read);
	BIO_meth_set_write(bio_method, bio_write);
	BIO_meth_set_ctrl(bio_method, bio_control);
	BIO_meth_set_create(bio_method, bio_create);
}

/* ---- start ---- */

static size_t discard_input(struct conn *c)
{
	size_t len = conn_input(c).len;

	c->lent = span_of(NULL, 0);
	buf_clear(&c->in);
	return len;
}

/* first: ciphertext that has come already. Returns how much plain input was thrown away. */
static size_t start(struct conn *c, SSL *ssl, bool is_server, struct buf *first)
{
	size_t discarded = discard_input(c);
	BIO *bio;

	assert(!c->tls);
	pthread_once(&bio_method_once, make_bio_method);
	bio = ssl && bio_method ? BIO_new(bio_method) : NULL;
	if (!bio) {
		tls_close(&ssl);
		conn_fail(c, FAULT_LOCAL, "cannot start TLS: no memory");
		return discarded;
	}
	c->tls = MEM_NEW(struct conn_tls);
	c->tls->ssl = ssl;
	c->tls->is_server = is_server;
	buf_init(&c->tls->wire_in, CONN_WIRE_MAX);
	if (first)
		buf_append(&c->tls->wire_in, buf_span(first));
	buf_init(&c->tls->wire_out, CONN_WIRE_MAX);
	BIO_set_data(bio, c);
	SSL_set_bio(ssl, bio, bio);
	c->clear_left = c->out.len;
	conn_stream_flush(c);
	conn_queue(c);
	return discarded;
}

size_t conn_tls_accept(struct conn *c, struct tls_server_context *context)
{
	return start(c, tls_server_context_open(context), true, NULL);
}

void conn_tls_accept_input(struct conn *c, struct tls_server_context *context)
{
	struct buf first;

	buf_init(&first, CONN_WIRE_MAX);
	buf_append(&first, conn_input(c));
	start(c, tls_server_context_open(context), true, &first);
	buf_fini(&first);
}

size_t conn_tls_connect(struct conn *c, struct tls_client_context *context, const char *name)
{
	return start(c, tls_client_context_open(context, conn_peer_text(c), name), false, NULL);
}

void conn_tls_destroy(struct conn *c)
{
	if (!c->tls)
		return;
	tls_close(&c->tls->ssl);
	buf_fini(&c->tls->wire_in);
	buf_fini(&c->tls->wire_out);
	mem_free(c->tls);
	c->tls = NULL;
}

/* ---- out ---- */

/* The ciphertext in the loop's buffer, behind what waits already. */
static void park(struct conn *c)
{
	struct buf *wire = &c->loop->wire;

	if (!buf_append(&c->tls->wire_out, buf_span(wire)))
		conn_fail(c, FAULT_TEMPORARY, "%s asks for TLS answers and does not read them",
		    conn_peer_text(c));
	buf_clear(wire);
}

/* A session ticket, which travels with the first reply. */
static bool waits_for_company(const struct conn *c)
{
	return c->tls->ticket_waits && c->loop->wire.len == 0 && c->phase == CONN_PHASE_OPEN;
}

void conn_tls_send(struct conn *c)
{
	struct buf *b = &c->loop->wire;

	if (waits_for_company(c))
		return;
	c->tls->ticket_waits = false;
	if (c->writing || c->tls->wire_out.len) {
		park(c);
		b = &c->tls->wire_out;
	}
	if (c->write_failed)
		buf_clear(b);
	if (!c->writing && b->len)
		conn_stream_send(c, b, b->len);
	buf_release(&c->tls->wire_out);
	assert(c->loop->wire.len == 0);
}

static void break_off(struct conn *c)
{
	c->tls->broken = true;
	conn_tls_send(c); /* the alert */
}

static const char *reason(void)
{
	const char *text = ERR_reason_error_string(ERR_peek_last_error());

	return text ? text : "unknown reason";
}

static void encrypt_piece(struct conn *c)
{
	while (c->out.len && c->loop->wire.len < CONN_WIRE_PIECE) {
		struct span plain = buf_span(&c->out);
		size_t n = 0;

		ERR_clear_error();
		if (!SSL_write_ex(c->tls->ssl, plain.data,
			plain.len < RECORD_MAX ? plain.len : RECORD_MAX, &n)) {
			conn_fail(c, FAULT_TEMPORARY, "TLS with %s failed: %s", conn_peer_text(c),
			    reason());
			c->tls->broken = true;
			buf_clear(&c->out);
			return;
		}
		buf_consume(&c->out, n);
	}
}

/* Behind the last output, and in one write with it. */
static void notify_close(struct conn *c)
{
	if (!c->shut_wanted || c->out.len || c->tls->notify_sent || c->tls->broken)
		return;
	c->tls->notify_sent = true;
	ERR_clear_error();
	SSL_shutdown(c->tls->ssl);
}

void conn_tls_flush(struct conn *c)
{
	do {
		if (c->tls->established && !c->tls->broken && !c->writing) {
			encrypt_piece(c);
			notify_close(c);
		}
		conn_tls_send(c);
	} while (c->tls->established && c->out.len && !c->writing && !c->write_failed);
}

/* ---- handshake ---- */

static const struct alert_text {
	int reason;
	const char *text;
} alert_texts[] = {
	{ SSL_R_TLSV1_ALERT_UNKNOWN_CA, "the peer does not trust our certificate: its issuer is "
					"unknown there" },
	{ SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, "the peer refuses our certificate" },
	{ SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN, "the peer refuses our certificate" },
	{ SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, "the peer says that our certificate has expired" },
	{ SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE, "the peer found no version, cipher or key type in "
					       "common" },
	{ SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, "the peer does not accept our TLS versions" },
	{ SSL_R_TLSV1_ALERT_ACCESS_DENIED, "the peer denies access" },
	{ SSL_R_TLSV1_UNRECOGNIZED_NAME, "the peer does not serve the name asked for" },
	{ SSL_R_NO_SHARED_CIPHER, "no cipher in common" },
	{ SSL_R_UNSUPPORTED_PROTOCOL, "the peer wants a TLS version older than 1.2" },
};

static const char *handshake_reason(void)
{
	int code = ERR_GET_REASON(ERR_peek_last_error());

	for (size_t i = 0; i < ARRAY_LEN(alert_texts); i++) {
		if (alert_texts[i].reason == code)
			return alert_texts[i].text;
	}
	return reason();
}

static bool not_tls(void)
{
	int code = ERR_GET_REASON(ERR_peek_error());

	return code == SSL_R_WRONG_VERSION_NUMBER || code == SSL_R_HTTP_REQUEST ||
	       code == SSL_R_HTTPS_PROXY_REQUEST || code == SSL_R_PACKET_LENGTH_TOO_LONG;
}

static void explain_handshake(struct conn *c)
{
	const char *peer = conn_peer_text(c), *problem = tls_verify_problem(c->tls->ssl);

	if (problem && tls_verify_wanted(c->tls->ssl))
		conn_fail(c, FAULT_TEMPORARY, "TLS with %s: %s", peer, problem);
	else if (not_tls())
		conn_fail(c, FAULT_TEMPORARY,
		    "TLS handshake with %s failed: it does not speak TLS "
		    "here, but something in clear",
		    peer);
	else if (ERR_peek_error())
		conn_fail(c, FAULT_TEMPORARY, "TLS handshake with %s failed: %s", peer,
		    handshake_reason());
	else
		conn_fail(
		    c, FAULT_TEMPORARY, "%s closed the connection during the TLS handshake", peer);
}

/* Belt and braces: no session, resumed or not, passes without the verdict that policy asks for. */
static bool is_as_policy_wants(SSL *ssl)
{
	return !tls_verify_wanted(ssl) ||
	       (SSL_get_verify_result(ssl) == X509_V_OK && SSL_get0_peer_certificate(ssl));
}

static void shake_hands(struct conn *c)
{
	SSL *ssl = c->tls->ssl;
	int result, error;

	ERR_clear_error();
	result = SSL_do_handshake(ssl);
	if (result == 1 && is_as_policy_wants(ssl)) {
		c->tls->established = true;
		c->news = true;
		conn_clear_deadline(c);
		park(c);
		/* Below 1.3, and from a client, this is what the peer waits for. */
		c->tls->ticket_waits = c->tls->is_server && SSL_version(ssl) >= TLS1_3_VERSION;
		return;
	}
	error = SSL_get_error(ssl, result);
	if (result != 1 && error == SSL_ERROR_WANT_READ && !c->wire_eof) {
		conn_tls_send(c);
		return;
	}
	explain_handshake(c);
	break_off(c);
}

/* ---- in ---- */

void conn_tls_take(struct conn *c, struct span cipher)
{
	bool fits = true;

	if (c->tls->wire_in.len)
		fits = buf_append(&c->tls->wire_in, cipher);
	else
		c->tls->cipher = cipher;
	assert(fits);
}

void conn_tls_settle(struct conn *c)
{
	struct conn_tls *tls = c->tls;

	if (tls->cipher.len && !tls->broken && c->phase == CONN_PHASE_OPEN)
		buf_append(&tls->wire_in, tls->cipher);
	tls->cipher = span_of(NULL, 0);
	buf_release(&tls->wire_in);
}

static void reading_stopped(struct conn *c)
{
	int error = SSL_get_error(c->tls->ssl, 0);

	if (error == SSL_ERROR_WANT_READ)
		return;
	if (error == SSL_ERROR_ZERO_RETURN) {
		if (!c->eof)
			c->news = true;
		c->eof = true;
		return;
	}
	conn_fail(c, FAULT_TEMPORARY, "TLS with %s failed: %s", conn_peer_text(c), reason());
	break_off(c);
}

static void decrypt(struct conn *c)
{
	size_t room = CONN_INPUT_MAX - c->in.len, got = 0, n;
	struct conn_tls *tls = c->tls;

	tls->more = false;
	while (!wire_is_empty(tls) || SSL_has_pending(tls->ssl) || c->wire_eof) {
		if (got == room) {
			tls->more = true;
			break;
		}
		ERR_clear_error();
		if (!SSL_read_ex(tls->ssl, c->loop->plain_buffer + got, room - got, &n)) {
			reading_stopped(c);
			break;
		}
		got += n;
	}
	conn_tls_send(c);
	conn_take_plain(c, span_of(c->loop->plain_buffer, got));
}

void conn_tls_step(struct conn *c)
{
	if (!c->connected || c->clear_left || c->failed || c->tls->broken)
		return;
	if (!c->tls->established)
		shake_hands(c);
	if (c->tls->established && !c->eof)
		decrypt(c);
}

/* ---- what came of it ---- */

bool conn_tls_info(const struct conn *c, struct conn_tls_info *info_out)
{
	SSL *ssl;

	if (!conn_tls_active(c))
		return false;
	ssl = c->tls->ssl;
	*info_out = (struct conn_tls_info){
		.version = SSL_get_version(ssl),
		.cipher = SSL_get_cipher_name(ssl),
		.cipher_bits = SSL_get_cipher_bits(ssl, NULL),
		.resumed = SSL_session_reused(ssl),
		.peer_certificate = SSL_get0_peer_certificate(ssl) != NULL,
		.verify_problem = tls_verify_problem(ssl),
		.certificate_shown = tls_certificate_shown(ssl),
	};
	info_out->verified = info_out->peer_certificate && !info_out->verify_problem &&
			     SSL_get_verify_result(ssl) == X509_V_OK;
	return true;
}

/* ---- a client's certificate ---- */

bool conn_client_identity(
    const struct conn *c, struct span wanted, struct buf *name_out, struct fault *fault_out)
{
	enum identity_result result = IDENTITY_NONE;
	struct conn_tls_info info;
	const char *why = NULL;

	if (!conn_tls_info(c, &info) || !tls_certificate_asked(c->tls->ssl))
		why = "no certificate was asked for";
	else if (!info.peer_certificate)
		why = "the client shows no certificate";
	else if (!info.verified)
		why = info.verify_problem ? info.verify_problem : "its certificate is not good";
	else
		result = identity_of_certificate(
		    SSL_get0_peer_certificate(c->tls->ssl), wanted, name_out);
	if (!why && result == IDENTITY_NONE)
		why = "its certificate names neither a mail address nor a host";
	if (!why && result == IDENTITY_OTHER)
		why = "its certificate is not for the name that it asks for";
	if (why)
		fault_set(fault_out, FAULT_PERMANENT, "%s", why);
	return !why;
}

/* ---- channel binding ---- */

static void append_exporter(SSL *ssl, struct buf *out)
{
	static const char label[] = "EXPORTER-Channel-Binding"; /* RFC 9266, 4.2 */
	unsigned char binding[32];

	ERR_clear_error();
	if (SSL_export_keying_material(ssl, binding, sizeof(binding), label, sizeof(label) - 1,
		(const unsigned char *)"", 0, 1) == 1)
		buf_append(out, span_of(binding, sizeof(binding)));
	mem_wipe(binding, sizeof(binding));
}

/* The client's Finished is the first one of a full handshake, the server's of a resumed one. */
static void append_unique(const struct conn_tls *tls, struct buf *out)
{
	char finished[CONN_CHANNEL_BINDING_MAX];
	bool first_is_ours = tls->is_server == SSL_session_reused(tls->ssl);
	size_t len;

	if (SSL_get_extms_support(tls->ssl) != 1)
		return;
	if (first_is_ours)
		len = SSL_get_finished(tls->ssl, finished, sizeof(finished));
	else
		len = SSL_get_peer_finished(tls->ssl, finished, sizeof(finished));
	if (len > 0 && len <= sizeof(finished))
		buf_append(out, span_of(finished, len));
	mem_wipe(finished, sizeof(finished));
}

void conn_channel_binding(
    const struct conn *c, struct buf *tls_exporter_out, struct buf *tls_unique_out)
{
	if (!conn_tls_active(c))
		return;
	if (SSL_version(c->tls->ssl) >= TLS1_3_VERSION)
		append_exporter(c->tls->ssl, tls_exporter_out);
	else
		append_unique(c->tls, tls_unique_out);
}
