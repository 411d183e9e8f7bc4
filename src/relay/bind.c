/* SPDX-License-Identifier: MIT */
#include "relay/bind.h"

#include "base/memory.h"

#include <errno.h>
#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void init(struct control_sockets *sockets)
{
	*sockets = (struct control_sockets){ .admin_fd = -1 };
	list_init(&sockets->bindings);
}

void bind_close(struct control_sockets *sockets, unsigned lane_count)
{
	struct list *link;

	for (size_t i = 0; i < sockets->binding_count * lane_count; i++)
		close(sockets->fds[i]);
	if (sockets->admin_fd >= 0)
		close(sockets->admin_fd);
	while ((link = list_take_first(&sockets->bindings)) != NULL)
		mem_free(LIST_ENTRY(link, struct control_binding, link));
	mem_free(sockets->fds);
	init(sockets);
}

static void describe(struct control_binding *binding, int fd)
{
	struct sockaddr_storage bound;
	socklen_t len = sizeof(bound);
	struct net_address address;

	if (getsockname(fd, (struct sockaddr *)&bound, &len) == 0) {
		net_address_set(&address, (const struct sockaddr *)&bound, len);
		net_address_format(&address, binding->text);
	}
}

static bool add(struct control_sockets *sockets, const struct config_listener *listener,
    const struct config_address *address, unsigned lane_count, struct fault *fault)
{
	struct control_binding *binding;
	struct net_address where;
	int *fds;

	sockets->fds =
	    mem_realloc(sockets->fds, (sockets->binding_count + 1) * lane_count * sizeof(int));
	fds = sockets->fds + sockets->binding_count * lane_count;
	net_address_set(&where, (const struct sockaddr *)&address->socket, address->socket_len);
	if (!privilege_listen(&where, lane_count, fds, fault)) {
		if (address->any && where.any.sa_family == AF_INET6 && errno == EAFNOSUPPORT)
			return true; /* "*" on a machine without IPv6 */
		fault_prefix(fault, "listen %s", listener->label);
		return false;
	}
	binding = MEM_NEW(struct control_binding);
	binding->address = *address;
	binding->wanted = true;
	snprintf(binding->label, sizeof(binding->label), "%s", listener->label);
	describe(binding, fds[0]);
	list_append(&sockets->bindings, &binding->link);
	sockets->binding_count++;
	return true;
}

static struct control_binding *find(struct list *bindings, const struct config_address *address)
{
	LIST_FOR_EACH (position, bindings) {
		struct control_binding *binding =
		    LIST_ENTRY(position, struct control_binding, link);
		if (config_address_equal(&binding->address, address))
			return binding;
	}
	return NULL;
}

bool bind_changes(const struct config *config, unsigned lane_count, struct list *bindings,
    struct control_sockets *fresh_out, struct fault *fault_out)
{
	init(fresh_out);
	LIST_FOR_EACH (position, bindings)
		LIST_ENTRY(position, struct control_binding, link)->wanted = false;
	for (size_t i = 0; i < config->listener_count; i++) {
		const struct config_listener *listener = &config->listeners[i];
		for (size_t j = 0; j < listener->address_count; j++) {
			const struct config_address *address = &listener->addresses[j];
			struct control_binding *old = find(bindings, address);
			if (old) {
				old->wanted = true;
				snprintf(old->label, sizeof(old->label), "%s", listener->label);
			} else if (!add(fresh_out, listener, address, lane_count, fault_out)) {
				bind_close(fresh_out, lane_count);
				return false;
			}
		}
	}
	return true;
}

/* Who may talk to the relay is decided by the file's mode and group. */
static bool bind_admin(const struct config *config, int *fd_out, struct fault *fault)
{
	struct span path = span_from_string(config->admin.socket);
	const struct group *group = getgrnam(config->admin.group);
	struct net_address where;
	mode_t old_mask;
	bool good;

	if (!net_address_from_path(path, &where)) {
		fault_set(fault, FAULT_LOCAL, "admin socket %s: the path is too long",
		    config->admin.socket);
		return false;
	}
	old_mask = umask(0117);
	good = privilege_listen(&where, 1, fd_out, fault);
	umask(old_mask);
	if (!good) {
		fault_prefix(fault, "admin socket");
		return false;
	}
	if (group && chown(config->admin.socket, (uid_t)-1, group->gr_gid) != 0)
		return true; /* not ours to give away: it stays with its owner */
	return true;
}

bool control_bind(const struct config *config, unsigned lane_count,
    struct control_sockets *sockets_out, struct fault *fault_out)
{
	struct list none;

	list_init(&none);
	if (!bind_changes(config, lane_count, &none, sockets_out, fault_out))
		return false;
	if (bind_admin(config, &sockets_out->admin_fd, fault_out))
		return true;
	sockets_out->admin_fd = -1;
	bind_close(sockets_out, lane_count);
	return false;
}
