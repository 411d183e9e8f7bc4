/* SPDX-License-Identifier: MIT */
#ifndef FRANK_NET_PRIVILEGE_H
#define FRANK_NET_PRIVILEGE_H

/*
 * What the configuration names is opened here and nowhere else: files to read and sockets to listen
 * on. These are plain calls today; a process that keeps the privilege can come behind them without
 * a change elsewhere.
 */

#include "base/buf.h"
#include "base/fault.h"
#include "net/address.h"

#include <sys/types.h>

/* As open(2), close-on-exec. -1 with a sentence that names the path (FAULT_LOCAL). */
int privilege_open(const char *path, int flags, mode_t mode, struct fault *fault_out);

/* Reads a whole regular file, up to the ceiling of b, behind what b holds; on failure b is as it
   was. */
bool privilege_read(const char *path, struct buf *b, struct fault *fault_out);

/*
 * count listening sockets on one address, non-blocking: one for each lane. The first is bound
 * alone, which proves that nobody else has the port; the others join it with SO_REUSEPORT. Port 0
 * gives all of them the same free port. IPv6 sockets take IPv6 only, so that both families can be
 * listed side by side. For a unix path count is 1; a socket file that nobody answers is replaced,
 * and the new one has the mode that umask leaves. All or nothing; the caller closes them (and
 * unlinks a unix path).
 */
bool privilege_listen(
    const struct net_address *address, size_t count, int fds_out[], struct fault *fault_out);

#endif
