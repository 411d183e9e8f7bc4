# SPDX-License-Identifier: MIT
"""Many connections: those of an attacker, opened at a rate (a program of its own), and idle ones.

usage: flood.py HOST PORT SOURCE RATE SECONDS

Opens RATE connections a second from SOURCE for SECONDS, keeps every one open, the refused ones too,
until its own end, and then prints as JSON how many were opened, greeted (220), turned away (421),
closed without a word, and refused by the system.
"""
import contextlib
import ctypes
import fcntl
import json
import os
import resource
import selectors
import socket
import ssl
import struct
import sys
import time

CLONE_NEWUSER, CLONE_NEWNET = 0x10000000, 0x40000000
SIOCGIFFLAGS, SIOCSIFFLAGS, SIOCSIFADDR = 0x8913, 0x8914, 0x8916
IFF_UP = 1
SPARE_DESCRIPTORS = 200


def network_of_its_own(address):
    """Gives this process and its children a network in which only a loopback device exists, with
    the /24 around this address: clients that are not of 127.0.0.0/8. False where that is denied."""
    libc = ctypes.CDLL(None, use_errno=True)
    flags = CLONE_NEWNET | (CLONE_NEWUSER if os.getuid() != 0 else 0)
    if libc.unshare(flags) != 0:
        return False
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        def ask(number, name, data):
            return fcntl.ioctl(any_socket, number, struct.pack('16s24s', name.encode(), data))
        flags, = struct.unpack_from('h', ask(SIOCGIFFLAGS, 'lo', b''), 16)
        ask(SIOCSIFFLAGS, 'lo', struct.pack('h', flags | IFF_UP))
        ask(SIOCSIFADDR, 'lo:1',
            struct.pack('HH4s8x', socket.AF_INET, 0, socket.inet_aton(address)))
    return True


def descriptors():
    """How many connections this process may hold, after asking for all it can get."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return most - SPARE_DESCRIPTORS


class Idle:
    """Connections on which nothing happens behind EHLO. Under TLS each is handed over to the bare
    descriptor afterwards: what it costs is on the server's side alone."""

    def __init__(self, port, tls=False):
        self.port, self.context, self.descriptors = port, None, []
        if tls:
            self.context = ssl.create_default_context()
            self.context.check_hostname = False
            self.context.verify_mode = ssl.CERT_NONE

    def open(self, count):
        for _ in range(count):
            connection = socket.create_connection(('127.0.0.1', self.port), timeout=20)
            if self.context:
                connection = self.context.wrap_socket(connection)
            for text, last in (b'', b'220 '), (b'EHLO client.example.org\r\n', b'250 '):
                connection.sendall(text)
                read_reply(connection, last)
            self.descriptors.append(connection.detach())

    def alive(self):
        """How many of them the server has not closed."""
        open_ones = 0
        for descriptor in self.descriptors:
            with contextlib.closing(socket.socket(fileno=os.dup(descriptor))) as connection:
                connection.setblocking(False)
                try:
                    open_ones += connection.recv(1, socket.MSG_PEEK) != b''
                except BlockingIOError:
                    open_ones += 1
        return open_ones

    def close(self):
        while self.descriptors:
            os.close(self.descriptors.pop())


def read_reply(connection, last):
    """Until a line that begins with `last` has come."""
    data = b''
    while not (data.endswith(b'\r\n') and (b'\r\n' + data).rpartition(b'\r\n' + last)[1]):
        piece = connection.recv(4096)
        if not piece:
            raise ConnectionError(f'closed behind {data!r}')
        data += piece


class Flood:
    def __init__(self, host, port, source):
        self.to, self.source = (host, port), (source, 0)
        self.selector = selectors.DefaultSelector()
        self.kept = []
        self.counts = dict.fromkeys(('opened', 'greeted', 'turned_away', 'silent', 'failed'), 0)

    def open(self):
        connection = socket.socket()
        connection.setblocking(False)
        self.counts['opened'] += 1
        try:
            connection.setsockopt(socket.IPPROTO_IP, 24, 1)  # IP_BIND_ADDRESS_NO_PORT
            connection.bind(self.source)
            with contextlib.suppress(BlockingIOError):
                connection.connect(self.to)
        except OSError:
            self.counts['failed'] += 1
            return
        self.kept.append(connection)
        self.selector.register(connection, selectors.EVENT_READ)

    def look(self, timeout):
        for key, _ in self.selector.select(timeout):
            try:
                first = key.fileobj.recv(512)
            except OSError:
                first = b''
            word = {b'220': 'greeted', b'421': 'turned_away'}.get(first[:3], 'silent')
            self.counts[word] += 1
            self.selector.unregister(key.fileobj)

    def run(self, rate, seconds):
        start = time.monotonic()
        while (now := time.monotonic() - start) < seconds:
            due = int(now * rate) - self.counts['opened']
            for _ in range(min(due, 100)):
                self.open()
            self.look(0.001)
        self.counts['rate'] = round(self.counts['opened'] / seconds)
        end = time.monotonic() + 10
        while self.selector.get_map() and time.monotonic() < end:
            self.look(0.1)
        return self.counts


if __name__ == '__main__':
    most = descriptors()
    rate, seconds = int(sys.argv[4]), int(sys.argv[5])
    flood = Flood(sys.argv[1], int(sys.argv[2]), sys.argv[3])
    print(json.dumps(flood.run(min(rate, most // seconds), seconds)))
