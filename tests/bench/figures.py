# SPDX-License-Identifier: MIT
"""The measurements. Each takes a Plan and returns rows: a Figure with one value per server.

A measurement makes a fresh server in a fresh directory, so that no figure depends on the one before.
The number of messages is chosen from a short first run, so that each takes about plan.seconds.
"""
import concurrent.futures
import contextlib
import os
import shutil
import socket
import ssl
import tempfile
import time

import servers
from peers.smtp_sink import SmtpSink, smtp_source
from peers.stage import Failure, Stage, run, wait_for

SESSIONS = (1, 20, 100)
SIZES = (4096, 32768)
IDLE_CONNECTIONS = 500
TLS_DRIVERS = 20
RETRIED_MESSAGES = 100_000


class Plan:
    """names: the servers to measure; drivers: the directory of the bench_* programs."""

    def __init__(self, names, drivers, seconds, repeat, sessions, sizes, talk):
        self.names, self.drivers, self.seconds, self.repeat = names, drivers, seconds, repeat
        self.sessions, self.sizes, self.talk = sessions, sizes, talk

    def driver(self, name, *arguments, timeout=600):
        done = run([os.path.join(self.drivers, 'bench_' + name), *arguments], timeout=timeout)
        if done.returncode != 0:
            raise Failure(f'{name}: {done.stderr.decode()}')
        return {key: float(value) for key, value in
                (pair.split('=') for pair in done.stdout.decode().split())}

    def median(self, measure, *arguments):
        """The run whose first value is the median of `repeat` runs."""
        runs = sorted(measure(*arguments) for _ in range(self.repeat))
        return runs[len(runs) // 2]


class Figure:
    """unit: '/s', 'ms', 'µs' or 'KiB'; values: {server: number}; target: text of what to reach."""

    def __init__(self, title, unit, target=''):
        self.title, self.unit, self.target = title, unit, target
        self.values = {}


@contextlib.contextmanager
def staged():
    stage = Stage(tempfile.mkdtemp(prefix='frank-'))
    try:
        yield stage
    finally:
        stage.close()
        shutil.rmtree(stage.directory, ignore_errors=True)


def messages_for(plan, rate, sessions, most=400_000):
    return max(sessions * 5, min(most, int(rate * plan.seconds)))


def size_text(size):
    return f'{size // 1024} KiB'


def accept(plan, make, size, sessions, kept):
    """(messages/s, server CPU ms per message)"""
    with staged() as stage:
        server = make(stage)
        trial = max(200, sessions * 5)
        start = time.monotonic()
        smtp_source(server.port, trial, sessions, size, kept)
        rate = trial / (time.monotonic() - start)
        count = messages_for(plan, rate, sessions)
        cpu, start = server.cpu_seconds(), time.monotonic()
        smtp_source(server.port, count, sessions, size, kept)
        elapsed = time.monotonic() - start
        return count / elapsed, (server.cpu_seconds() - cpu) * 1000 / count


RATE_TARGETS = {True: {20: '≥ 8× Postfix, ≥ 0.55 of ceiling', 100: '≥ 8× Postfix, ≥ 0.7 of ceiling'},
                False: {20: '≥ 4.5× Postfix', 100: '≥ 5× Postfix'}}
CPU_TARGETS = {True: '≤ 1/10 of Postfix, ≤ 2.5× smtp-sink', False: '≤ 1/7 of Postfix'}


def accepted(plan):
    for size in plan.sizes:
        for sessions in plan.sessions:
            for kept in (True, False):
                wording = (f'{size_text(size)}, {sessions} session{"s" if sessions > 1 else ""}, '
                           f'{"kept" if kept else "new connections"}')
                held = size == 4096 and sessions > 1
                rate = Figure('accepted, ' + wording, '/s',
                              RATE_TARGETS[kept].get(sessions, '') if held else '')
                cpu = Figure('server CPU per message, ' + wording, 'ms',
                             CPU_TARGETS[kept] if held else '')
                for name in plan.names:
                    plan.talk(f'{name}: {rate.title}')
                    rate.values[name], cpu.values[name] = plan.median(
                        accept, plan, servers.ACCEPTING[name], size, sessions, kept)
                yield rate
                yield cpu


def relay(plan, make, size, sessions):
    """(messages/s until smtp-sink has counted all, server CPU ms per message)"""
    with staged() as stage:
        sink = SmtpSink(stage)
        server = make(stage, sink)
        trial = 500
        start = time.monotonic()
        smtp_source(server.port, trial, sessions, size, True)
        sink.wait_count(trial, 60)
        rate = trial / (time.monotonic() - start)
        count = messages_for(plan, rate, sessions)
        cpu, start = server.cpu_seconds(), time.monotonic()
        smtp_source(server.port, count, sessions, size, True)
        sink.wait_count(trial + count, 600)
        elapsed = time.monotonic() - start
        return count / elapsed, (server.cpu_seconds() - cpu) * 1000 / count


def relayed(plan):
    for size in plan.sizes:
        for sessions in [count for count in plan.sessions if count > 1]:
            wording = f'{size_text(size)}, {sessions} sessions, kept'
            rate = Figure('accepted and relayed, ' + wording, '/s',
                          '≥ 14× Postfix' if size == 4096 else '')
            cpu = Figure('server CPU per relayed message, ' + wording, 'ms')
            for name in (n for n in plan.names if n in servers.RELAYING):
                plan.talk(f'{name}: {rate.title}')
                rate.values[name], cpu.values[name] = plan.median(
                    relay, plan, servers.RELAYING[name], size, sessions)
            yield rate
            yield cpu


def latency(plan):
    """One session, from connect() to the 250."""
    p50 = Figure('one session, connect to 250, p50', 'µs', '≤ 0.5× Postfix')
    p99 = Figure('one session, connect to 250, p99', 'µs', '≤ 0.4× Postfix')
    for name in plan.names:
        plan.talk(f'{name}: one session, connect to 250')
        with staged() as stage:
            server = servers.ACCEPTING[name](stage)
            plan.driver('latency', 'connect', server.port, 1, 100, 4096)
            times = plan.driver('latency', 'connect', server.port, 1,
                                int(1000 * max(1, plan.seconds / 2)), 4096)
            p50.values[name], p99.values[name] = times['p50'], times['p99']
    yield p50
    yield p99
    yield from dot_latency(plan)


def dot_latency(plan):
    """The same moment with 20 sessions at once, for comparison with retried()."""
    figures = [Figure(f'20 sessions, dot to 250, {part}', 'µs') for part in ('p50', 'p99')]
    for name in plan.names:
        plan.talk(f'{name}: 20 sessions, dot to 250')
        with staged() as stage:
            server = servers.ACCEPTING[name](stage)
            times = plan.driver('latency', 'dot', server.port, 20,
                                int(2000 * plan.seconds), 4096)
            figures[0].values[name], figures[1].values[name] = times['p50'], times['p99']
    yield from figures


def retried(plan):
    """Dot to 250 while a long queue is tried again and again. Frank alone."""
    if 'Frank' not in plan.names:
        return
    figures = [Figure(f'dot to 250, 20 sessions, {RETRIED_MESSAGES} messages retried, {part}', 'µs',
                      target) for part, target in (('p50', ''), ('p99', '≤ 10 ms'))]
    plan.talk('Frank: ' + figures[1].title)
    with staged() as stage:
        sink = SmtpSink(stage, '-r', 'RCPT', count=False)
        server = servers.frank_retrying(stage, sink)
        smtp_source(server.port, RETRIED_MESSAGES, 20, 4096, True, recipient='b@retry.test')
        times = plan.driver('latency', 'dot', server.port, 20, int(4000 * plan.seconds), 4096)
        figures[0].values['Frank'], figures[1].values['Frank'] = times['p50'], times['p99']
    yield from figures


def tls(plan):
    """STARTTLS, AUTH PLAIN, one message; and the handshake alone, by openssl's own client."""
    session = Figure(f'server CPU per session: STARTTLS, AUTH PLAIN, one message, {TLS_DRIVERS} at '
                     'a time', 'ms', '≤ 1/5 of Postfix')
    wait = Figure('one session, STARTTLS and AUTH, connect to 250, p50', 'µs')
    shake = Figure('server CPU per connection, TLS handshake alone (openssl s_time)', 'ms')
    for name in (n for n in plan.names if n in servers.SUBMISSION):
        plan.talk(f'{name}: {session.title}')
        with staged() as stage:
            server = servers.SUBMISSION[name](stage)
            arguments = (4096, server.certificate.certificate, server.login, server.password_file)
            plan.driver('tls_auth', server.submission, 20, *arguments)
            each = max(1, int(200 * plan.seconds / TLS_DRIVERS))
            cpu = server.cpu_seconds()
            with concurrent.futures.ThreadPoolExecutor(TLS_DRIVERS) as drivers:
                for done in [drivers.submit(plan.driver, 'tls_auth', server.submission, each,
                                            *arguments) for _ in range(TLS_DRIVERS)]:
                    done.result()
            session.values[name] = (server.cpu_seconds() - cpu) * 1000 / (each * TLS_DRIVERS)
            wait.values[name] = plan.driver('tls_auth', server.submission, 100, *arguments)['p50']
            shake.values[name] = handshake_ms(plan, server)
    yield session
    yield wait
    yield shake


def auth(plan):
    """What signing in costs without TLS: the login alone, and beside a message. Frank alone."""
    if 'Frank' not in plan.names:
        return
    logins = Figure('SCRAM-SHA-256 logins per second of server CPU, without TLS', '/s', '≥ 3000')
    messages = {mechanism: Figure(f'server CPU per session: {wording}, one message, without TLS', 'ms',
                                  target)
                for mechanism, wording, target in (
                    ('NONE', 'no AUTH', ''),
                    ('PLAIN', 'AUTH PLAIN, known by the cache', '≤ 1.2× no AUTH'))}
    plan.talk('Frank: ' + logins.title)
    with staged() as stage:
        server = servers.frank_front(stage)
        logins.values['Frank'] = 1 / plan.median(login_cpu, plan, server, server.clear,
                                                 'SCRAM-SHA-256', 0)
        for mechanism, figure in messages.items():
            plan.talk('Frank: ' + figure.title)
            port = server.port if mechanism == 'NONE' else server.clear
            figure.values['Frank'] = plan.median(login_cpu, plan, server, port, mechanism,
                                                 4096) * 1000
    yield logins
    yield from messages.values()


def login_cpu(plan, server, port, mechanism, size):
    """Seconds of the server's CPU a session."""
    def sessions(count):
        plan.driver('logins', port, count, mechanism, size, server.login, server.password_file)
    sessions(20)
    count, cpu = max(200, int(1000 * plan.seconds)), server.cpu_seconds()
    sessions(count)
    return (server.cpu_seconds() - cpu) / count


def handshake_ms(plan, server):
    cpu = server.cpu_seconds()
    done = run(['openssl', 's_time', '-connect', f'127.0.0.1:{server.smtps}', '-new',
                '-time', str(max(1, int(plan.seconds)))])
    # "812 connections in 1.02s; 796.08 connections/user sec, bytes read 0"
    words = done.stdout.decode().split()
    count = next((int(words[i - 1]) for i, word in enumerate(words) if word == 'connections'), 0)
    if count == 0:
        raise Failure(f'openssl s_time: {done.stdout.decode()} {done.stderr.decode()}')
    return (server.cpu_seconds() - cpu) * 1000 / count


def memory(plan):
    for encrypted, target in ((False, '≤ 8 KiB'), (True, '≤ 24 KiB')):
        figure = Figure(f'memory per idle connection, {"under TLS" if encrypted else "plain"}',
                        'KiB', target)
        for name in (n for n in plan.names if n in servers.IDLE):
            plan.talk(f'{name}: {figure.title}')
            with staged() as stage:
                server = servers.IDLE[name](stage, IDLE_CONNECTIONS)
                figure.values[name] = idle_memory(server, encrypted)
        yield figure


def idle_memory(server, encrypted):
    """KiB a connection: the difference that connections make after their EHLO, over those that
    were open when the first measurement was taken."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(server.certificate.certificate)
    with contextlib.ExitStack() as stack:
        port = server.submission if encrypted else server.port
        for _ in range(20):
            stack.callback(open_idle(port, context if encrypted else None).close)
        before = settled(server.memory_bytes)
        for _ in range(IDLE_CONNECTIONS - 20):
            stack.callback(open_idle(port, context if encrypted else None).close)
        after = settled(server.memory_bytes)
    return (after - before) / 1024 / (IDLE_CONNECTIONS - 20)


def settled(value):
    """A value that has come to rest."""
    seen = []

    def same():
        seen.append(value())
        return len(seen) >= 5 and max(seen[-5:]) - min(seen[-5:]) < 65536
    wait_for(same, 'memory has settled', 60, 0.1)
    return seen[-1]


def open_idle(port, context):
    connection = socket.create_connection(('127.0.0.1', port), timeout=20)
    read_reply(connection)
    ask(connection, b'EHLO source.test\r\n')
    if context:
        ask(connection, b'STARTTLS\r\n')
        connection = context.wrap_socket(connection, server_hostname='localhost')
        ask(connection, b'EHLO source.test\r\n')
    return connection


def ask(connection, command):
    connection.sendall(command)
    return read_reply(connection)


def read_reply(connection):
    reply = b''
    while not reply.endswith(b'\r\n') or reply.rstrip().rpartition(b'\n')[2][3:4] == b'-':
        data = connection.recv(4096)
        if not data:
            raise Failure(f'the server has closed the connection after {reply!r}')
        reply += data
    if not reply.startswith(b'2'):
        raise Failure(f'the server says {reply!r}')
    return reply


GROUPS = {'accepted': accepted, 'relayed': relayed, 'latency': latency, 'retried': retried,
          'tls': tls, 'auth': auth, 'memory': memory}
