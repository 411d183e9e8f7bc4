/* SPDX-License-Identifier: MIT */
#include "cli/route.h"

#include "account/oauth_fetch.h"
#include "base/memory.h"
#include "cli/cli.h"
#include "cli/relay.h"
#include "cli/screen.h"
#include "cli/send.h"
#include "relay/setup.h"

#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

enum { TOKEN_WAIT_MS = 60000, ASK_MS = 3000, VERDICT_MAX = 65536, PROBLEMS_MAX = 65536 };

/* ---- what was learned ---- */

struct question {
	const char *key;
	json_t *found;
};

static bool on_line(void *context, const json_t *line)
{
	struct question *question = context;
	json_t *hop = json_object_get(line, "hop");
	if (hop != NULL && question->found == NULL &&
	    span_equal(cli_json_get(hop, "hop"), span_from_string(question->key)))
		question->found = json_incref(hop);
	return true;
}

void route_ask_learned(struct route_task *task)
{
	struct cli_relay relay;
	struct fault nobody;
	struct buf key;
	buf_init(&key, 4096);
	setup_route_key(task->config, task->route->index, &key);
	struct question question = { .key = buf_string(&key) };
	if (cli_relay_find(&relay, task->config_path, task->socket)) {
		cli_relay_ask(&relay, json_pack("{s:s}", "command", "hop list"), ASK_MS, on_line,
		    &question, &nobody);
		cli_relay_fini(&relay);
	}
	task->learned = question.found;
	buf_fini(&key);
}

/* ---- the account ---- */

struct connection {
	const struct config_route *route;
	struct setup_account account;
	bool has_account;
	struct buf token; /* secret */
	struct send_order order;
};

static bool load_account(const struct route_task *task, struct connection *connection)
{
	struct buf problems;
	buf_init(&problems, PROBLEMS_MAX);
	connection->has_account = true;
	bool good = setup_account_load(
	    &connection->account, task->route->account, task->config->user, &problems);
	fprintf(stderr, "%s", buf_string(&problems));
	buf_fini(&problems);
	return good;
}

/* As the relay does it, with the same files and the same lock. */
static bool find_token(const struct route_task *task, struct connection *connection)
{
	struct buf directory;
	struct fault fault;
	buf_init(&directory, 4096);
	buf_printf(&directory, "%s/tokens", task->config->state.path);
	bool found = oauth_fetch(buf_string(&directory), connection->account.oauth, TOKEN_WAIT_MS,
	    &connection->token, &fault);
	if (!found)
		cli_complain("%s", fault.text);
	buf_fini(&directory);
	return found;
}

/* ---- the session ---- */

static bool make_tls(const struct config_route *route, struct send_order *order)
{
	const struct config_account *account = route->account;
	struct tls_client_policy policy = {
		.verify = route->tls_verify,
		.trust_path = route->tls_trust,
		.certificate_path = account != NULL ? account->certificate : NULL,
		.key_path = account != NULL ? account->key : NULL,
	};
	struct fault fault;
	order->tls = tls_client_context_create(&policy, &fault);
	if (order->tls == NULL)
		cli_complain("%s", fault.text);
	return order->tls != NULL;
}

static void fill_order(const struct route_task *task, struct connection *connection)
{
	const struct config_route *route = task->route;
	struct send_order *order = &connection->order;
	order->via = route->vias[0];
	order->more_vias = route->vias + 1;
	order->more_via_count = route->via_count - 1;
	order->sign_in_only = true;
	order->account = route->account != NULL;
	order->login = connection->account.login;
	order->password = buf_span(&connection->account.password);
	order->token = buf_span(&connection->token);
	order->certificate = route->account != NULL && route->account->certificate != NULL;
	order->kerberos = route->account != NULL && route->account->kerberos;
	order->mechanisms = route->mechanisms;
	order->mechanism_count = route->mechanism_count;
	order->initial_response = route->initial_response;
	order->cleartext_auth = route->cleartext_auth;
	order->tls_name = route->tls_name;
	order->ehlo = route->ehlo;
	order->json = task->json;
	if (route->source_socket_len > 0)
		net_address_set(&order->source, (const struct sockaddr *)&route->source_socket,
		    route->source_socket_len);
}

static int report(const struct send_order *order, const struct send_result *result, json_t *answer)
{
	struct buf text, advice;
	buf_init(&text, VERDICT_MAX);
	buf_init(&advice, VERDICT_MAX);
	int status = send_verdict(order, result, &text, &advice);
	if (answer != NULL) {
		json_object_set_new(
		    answer, "dialogues", json_pack("[o]", send_dialogue_json(order, result)));
		json_object_set_new(answer, "verdict",
		    send_verdict_json(order, result, buf_string(&text), buf_string(&advice)));
	} else {
		printf("\n%s\n", buf_string(&text));
		if (advice.len > 0)
			printf("%s\n", buf_string(&advice));
	}
	buf_fini(&text);
	buf_fini(&advice);
	return status;
}

static int run_session(const struct send_order *order, json_t *answer)
{
	struct send_result result = { 0 };
	struct fault fault;
	int status = CLI_EXIT_LOCAL;
	if (answer == NULL)
		putchar('\n');
	if (send_run(order, &result, &fault))
		status = report(order, &result, answer);
	else
		cli_complain("%s", fault.text);
	send_result_fini(&result);
	return status;
}

int route_connect(struct route_task *task, json_t *answer)
{
	struct connection connection = { .route = task->route };
	int status = CLI_EXIT_LOCAL;
	prctl(PR_SET_DUMPABLE, 0); /* secrets do not go into core dumps */
	buf_init_secret(&connection.token, OAUTH_TOKEN_MAX);
	bool good = task->route->account == NULL || load_account(task, &connection);
	good = good && make_tls(task->route, &connection.order);
	good = good && (connection.account.oauth == NULL || find_token(task, &connection));
	if (good) {
		fill_order(task, &connection);
		status = run_session(&connection.order, answer);
	}
	if (connection.has_account)
		setup_account_fini(&connection.account);
	tls_client_context_unref(&connection.order.tls);
	buf_fini(&connection.token);
	return status;
}
