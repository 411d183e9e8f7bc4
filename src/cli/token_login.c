/* SPDX-License-Identifier: MIT */
#include "cli/token_login.h"

#include "account/oauth_fetch.h"
#include "account/oauth_file.h"
#include "account/oauth_form.h"
#include "account/oauth_proof.h"
#include "account/oauth_remedy.h"
#include "base/escape.h"
#include "base/memory.h"
#include "base/moment.h"
#include "cli/cli.h"
#include "cli/token_redirect.h"
#include "net/https.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#define FETCH_MS 60000
#define CODE_MAX_MS (15 * 60 * 1000) /* for somebody to sign in */
#define SLOW_DOWN_MS 5000            /* RFC 8628, 3.5 */
#define LOCK_TRIES 450               /* of 100 ms: longer than a refresh may take */

struct login {
	const struct token_login_settings *settings;
	struct oauth_account *account;
	struct net_loop loop;
	struct https_client *https;
	struct https_transfer *transfer;
	struct net_timer timer, deadline;
	struct oauth_device device;
	int64_t interval_ms;
	struct oauth_proof proof;
	struct token_redirect *redirect;
	char redirect_uri[64];
	struct oauth_grant grant;
	bool done;
	struct fault *fault_out;
};

/* ---- the end ---- */

static void end(struct login *l, bool done)
{
	l->done = done;
	net_loop_stop(&l->loop);
}

static void fail(struct login *l, enum fault_kind kind, const char *text)
{
	fault_set(l->fault_out, kind, "%s", text);
	end(l, false);
}

static void refuse(struct login *l, const struct oauth_error *error)
{
	char text[OAUTH_REMEDY_MAX];

	oauth_remedy(l->account, error, text);
	fail(l, FAULT_PERMANENT, text);
}

/* ---- asking the provider ---- */

static void ask(struct login *l, const char *url, const struct buf *form, https_done_fn *done)
{
	struct https_question question = {
		.url = url,
		.form = buf_span(form),
		.trust = buf_span(&l->account->trust),
		.trust_directory = l->account->trust.len == 0 ? l->account->settings.trust : NULL,
	};

	l->transfer = https_start(l->https, &question, done, l);
}

/* ---- device flow (RFC 8628) ---- */

static void poll_again(struct login *l)
{
	net_timer_start(&l->timer, l->interval_ms);
}

/* Not yet, or no. */
static void take_poll_error(struct login *l, const struct oauth_error *error)
{
	char text[OAUTH_REMEDY_MAX];

	switch (oauth_remedy(l->account, error, text)) {
	case OAUTH_TROUBLE_SLOW_DOWN:
		l->interval_ms += SLOW_DOWN_MS;
		poll_again(l);
		break;
	case OAUTH_TROUBLE_WAIT:
	case OAUTH_TROUBLE_PASSING:
		poll_again(l);
		break;
	case OAUTH_TROUBLE_NONE:
	case OAUTH_TROUBLE_SETTINGS:
	case OAUTH_TROUBLE_GRANT:
		fail(l, FAULT_PERMANENT, text);
		break;
	}
}

/* A provider that is out of order for a moment is asked again (RFC 8628, 3.5: less often). */
static void on_polled(const struct https_answer *answer, const struct fault *fault, void *owner)
{
	struct login *l = owner;
	struct oauth_error error;
	struct fault garbled;

	l->transfer = NULL;
	if (!answer) {
		if (fault->kind == FAULT_LOCAL) {
			fail(l, FAULT_LOCAL, fault->text);
		} else {
			l->interval_ms += l->interval_ms / 2;
			poll_again(l);
		}
		return;
	}
	switch (oauth_response_grant(answer->status, answer->body, &l->grant, &error, &garbled)) {
	case OAUTH_RESPONSE_GRANTED:
		end(l, true);
		break;
	case OAUTH_RESPONSE_REFUSED:
		take_poll_error(l, &error);
		break;
	case OAUTH_RESPONSE_GARBLED:
		poll_again(l);
		break;
	}
}

static void poll_now(void *owner)
{
	struct login *l = owner;
	struct buf form;

	buf_init_secret(&form, OAUTH_FORM_MAX);
	oauth_form_device_token(l->account, buf_span(&l->device.device_code), &form);
	ask(l, l->account->settings.token_endpoint, &form, on_polled);
	buf_fini(&form);
}

static void show_code(const struct login *l)
{
	char left[MOMENT_TEXT_MAX];

	fprintf(stderr, "Open %s in a browser, on any machine,\nenter the code %s\n",
	    l->device.address, l->device.user_code);
	if (l->device.complete[0] != '\0')
		fprintf(stderr, "(or open %s)\n", l->device.complete);
	fprintf(stderr, "and sign in as %s. The code is good for %s. Waiting...\n",
	    l->account->settings.login, moment_format_duration(l->device.lifetime_s * 1000, left));
}

static void on_device(const struct https_answer *answer, const struct fault *fault, void *owner)
{
	struct login *l = owner;
	struct oauth_error error;
	struct fault garbled;

	l->transfer = NULL;
	if (!answer) {
		fail(l, FAULT_LOCAL, fault->text);
		return;
	}
	switch (oauth_response_device(answer->status, answer->body, &l->device, &error, &garbled)) {
	case OAUTH_RESPONSE_GRANTED:
		show_code(l);
		l->interval_ms = l->device.interval_s * 1000;
		net_timer_start(&l->deadline, l->device.lifetime_s * 1000);
		poll_again(l);
		break;
	case OAUTH_RESPONSE_REFUSED:
		refuse(l, &error);
		break;
	case OAUTH_RESPONSE_GARBLED:
		fail(l, FAULT_LOCAL, garbled.text);
		break;
	}
}

static void begin_device(struct login *l)
{
	struct buf form;

	buf_init_secret(&form, OAUTH_FORM_MAX);
	oauth_form_device(l->account, &form);
	ask(l, l->account->settings.device_endpoint, &form, on_device);
	buf_fini(&form);
}

/* ---- authorization code with PKCE (RFC 7636) ---- */

static void on_redeemed(const struct https_answer *answer, const struct fault *fault, void *owner)
{
	struct login *l = owner;
	struct oauth_error error;
	struct fault garbled;

	l->transfer = NULL;
	if (!answer) {
		fail(l, FAULT_LOCAL, fault->text);
		return;
	}
	switch (oauth_response_grant(answer->status, answer->body, &l->grant, &error, &garbled)) {
	case OAUTH_RESPONSE_GRANTED:
		end(l, true);
		break;
	case OAUTH_RESPONSE_REFUSED:
		refuse(l, &error);
		break;
	case OAUTH_RESPONSE_GARBLED:
		fail(l, FAULT_LOCAL, garbled.text);
		break;
	}
}

static void redeem(struct login *l, struct span code)
{
	struct buf form;

	buf_init_secret(&form, OAUTH_FORM_MAX);
	oauth_form_code(l->account, code, span_from_string(l->redirect_uri),
	    span_from_string(l->proof.verifier), &form);
	ask(l, l->account->settings.token_endpoint, &form, on_redeemed);
	buf_fini(&form);
}

/* An answer that does not carry our state belongs to nobody's sign-in here (RFC 6749, 10.12). */
static bool has_state(const struct login *l, struct span address)
{
	struct buf state;
	bool good;

	buf_init_secret(&state, 256);
	good = oauth_form_value(address, SPAN("state"), &state) &&
	       span_equal_secret(buf_span(&state), span_from_string(l->proof.state));
	buf_fini(&state);
	return good;
}

static bool take_refusal(struct login *l, struct span address)
{
	struct oauth_error error = { 0 };
	struct buf code, description;
	bool found;

	buf_init(&code, sizeof(error.code));
	buf_init(&description, 4096);
	found = oauth_form_value(address, SPAN("error"), &code);
	if (found) {
		oauth_form_value(address, SPAN("error_description"), &description);
		escape_to(error.code, sizeof(error.code), buf_span(&code));
		escape_to(error.description, sizeof(error.description), buf_span(&description));
		error.number = oauth_error_number(buf_span(&description));
		refuse(l, &error);
	}
	buf_fini(&code);
	buf_fini(&description);
	return found;
}

static bool on_address(struct span address, void *owner)
{
	struct login *l = owner;
	struct buf code;
	bool found;

	if (l->transfer)
		return false;
	if (!has_state(l, address)) {
		cli_complain("that is no answer to this sign-in: the state in it is another one");
		return false;
	}
	if (take_refusal(l, address))
		return true;
	buf_init_secret(&code, OAUTH_TOKEN_MAX);
	found = oauth_form_value(address, SPAN("code"), &code) && code.len > 0;
	if (found)
		redeem(l, buf_span(&code));
	else
		cli_complain("there is no code in that address");
	buf_fini(&code);
	return found;
}

static void show_address(const struct login *l, uint16_t port)
{
	struct buf url;

	buf_init(&url, OAUTH_FORM_MAX);
	oauth_form_authorization(l->account, span_from_string(l->redirect_uri),
	    span_from_string(l->proof.challenge), span_from_string(l->proof.state), &url);
	fprintf(stderr,
	    "Open this address in a browser and sign in as %s:\n\n%s\n\n"
	    "The browser is then sent to %s. If it runs on another machine, either forward\n"
	    "the port (ssh -L %u:127.0.0.1:%u ...), or copy the address that it could not open\n"
	    "and paste it here. Waiting...\n",
	    l->account->settings.login, buf_string(&url), l->redirect_uri, port, port);
	buf_fini(&url);
}

/* Microsoft ignores the port of http://localhost only; others, and RFC 8252, want the number. */
static void begin_code(struct login *l)
{
	bool microsoft = l->account->settings.provider == OAUTH_PROVIDER_MICROSOFT;
	uint16_t port;

	oauth_proof_make(&l->proof);
	l->redirect =
	    token_redirect_open(&l->loop, l->settings->port, on_address, l, &port, l->fault_out);
	if (!l->redirect) {
		end(l, false);
		return;
	}
	snprintf(l->redirect_uri, sizeof(l->redirect_uri), "http://%s:%u",
	    microsoft ? "localhost" : "127.0.0.1", port);
	net_timer_start(&l->deadline, CODE_MAX_MS);
	show_address(l, port);
}

/* ---- storing ---- */

static enum oauth_lock wait_for_lock(
    const struct token_login_settings *settings, int *fd_out, struct fault *fault_out)
{
	const struct timespec pause = { .tv_nsec = 100 * 1000 * 1000 };
	enum oauth_lock result = OAUTH_LOCK_BUSY;

	for (int i = 0; i < LOCK_TRIES && result == OAUTH_LOCK_BUSY; i++) {
		if (i > 0)
			nanosleep(&pause, NULL);
		result = oauth_file_lock(
		    settings->directory, settings->account->settings.label, fd_out, fault_out);
	}
	if (result == OAUTH_LOCK_BUSY)
		fault_set(fault_out, FAULT_LOCAL,
		    "another process has held the token file of %s locked for long",
		    settings->account->settings.label);
	return result;
}

static void fill(struct oauth_token *token, const struct login *l)
{
	buf_append(&token->access, buf_span(&l->grant.access_token));
	buf_append(&token->refresh, buf_span(&l->grant.refresh_token));
	token->signed_in_ms = token->refreshed_ms = moment_wall_ms();
	token->lifetime_ms = l->grant.lifetime_s * 1000;
	token->expires_ms = token->refreshed_ms + token->lifetime_ms;
	oauth_token_set_account(token, l->account);
}

static bool store(const struct login *l, struct fault *fault_out)
{
	struct oauth_token *token = MEM_NEW(struct oauth_token);
	struct oauth_file_stamp stamp;
	bool good = false;
	int fd;

	oauth_token_init(token);
	fill(token, l);
	if (wait_for_lock(l->settings, &fd, fault_out) == OAUTH_LOCK_HELD) {
		good = oauth_file_write(
		    l->settings->directory, l->account->settings.label, token, &stamp, fault_out);
		close(fd);
	}
	oauth_token_fini(token);
	mem_free(token);
	return good;
}

/* Without one the relay would stand still in an hour. */
static bool has_refresh_token(const struct login *l, struct fault *fault_out)
{
	if (l->grant.refresh_token.len > 0)
		return true;
	fault_set(fault_out, FAULT_PERMANENT,
	    "the provider gave no refresh token, so this sign-in would end with its first token: "
	    "the scope has to ask for one (offline_access)");
	return false;
}

/* ---- the whole ---- */

static void on_deadline(void *owner)
{
	fail(owner, FAULT_PERMANENT, "nobody has signed in in time: start again");
}

static void run(struct login *l)
{
	struct fault *fault = l->fault_out;

	l->https = https_client_create(&l->loop, fault);
	if (!l->https)
		return;
	net_timer_init(&l->timer, &l->loop, poll_now, l);
	net_timer_init(&l->deadline, &l->loop, on_deadline, l);
	if (l->account->settings.flow == OAUTH_FLOW_DEVICE)
		begin_device(l);
	else
		begin_code(l);
	if (l->redirect || l->transfer)
		net_loop_run(&l->loop);
	token_redirect_close(&l->redirect);
	https_cancel(&l->transfer);
	https_client_destroy(&l->https);
	net_timer_fini(&l->timer);
	net_timer_fini(&l->deadline);
}

static bool sign_in(const struct token_login_settings *settings, struct fault *fault_out)
{
	struct login *l = MEM_NEW(struct login);
	bool good = false;

	l->settings = settings;
	l->account = settings->account;
	l->fault_out = fault_out;
	oauth_grant_init(&l->grant);
	oauth_device_init(&l->device);
	if (net_loop_init(&l->loop, NULL, NULL, l, fault_out)) {
		run(l);
		net_loop_fini(&l->loop);
		good = l->done && has_refresh_token(l, fault_out) && store(l, fault_out);
	}
	oauth_grant_fini(&l->grant);
	oauth_device_fini(&l->device);
	mem_wipe(l, sizeof(*l));
	mem_free(l);
	return good;
}

/* These flows have no sign-in: what can be done is to see whether they work. */
static bool try_once(const struct token_login_settings *settings, struct fault *fault_out)
{
	struct buf token;
	bool good;

	buf_init_secret(&token, OAUTH_TOKEN_MAX);
	good = oauth_fetch(settings->directory, settings->account, FETCH_MS, &token, fault_out);
	buf_fini(&token);
	return good;
}

bool token_login(const struct token_login_settings *settings, struct fault *fault_out)
{
	int fd;

	/* Nobody shall sign in, and then nothing can be stored. */
	switch (oauth_file_lock(
	    settings->directory, settings->account->settings.label, &fd, fault_out)) {
	case OAUTH_LOCK_HELD:
		close(fd);
		break;
	case OAUTH_LOCK_BUSY:
		break;
	case OAUTH_LOCK_FAILED:
		return false;
	}
	return oauth_flow_is_interactive(settings->account->settings.flow)
		   ? sign_in(settings, fault_out)
		   : try_once(settings, fault_out);
}
