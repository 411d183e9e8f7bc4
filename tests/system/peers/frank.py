# SPDX-License-Identifier: MIT
"""The program under test: configuration, users, start, reload, kill, and its commands.

The binary is $FRANK (sanitized where `./dev check` runs it); tests that measure memory or time pass
plain=True and get $FRANK_PLAIN.
"""
import json
import os
import re
import select
import signal
import socket

from peers.certificate import Certificate
from peers.stage import Failure, accepts, run, wait_for

CONFIGURATION = '''\
hostname relay.example.org;
postmaster postmaster@example.org;
{listeners}
tls {{ certificate {certificate}; key {key}; }}
users {{ file {users}; }}
spool {{ path {spool}; min-free 1MB; {spool_extra} }}
state {{ path {state}; }}
admin {{ socket {socket}; }}
{extra}
{routes}
'''

LISTENERS = '''\
listen plain {{ address 127.0.0.1:{plain}; tls off; auth off; relay-from 127.0.0.0/8; {plain_extra} }}
listen submission {{ address 127.0.0.1:{submission}; tls starttls; auth required; {submission_extra} }}
listen submissions {{ address 127.0.0.1:{submissions}; tls implicit; auth required; {submissions_extra} }}
'''

# What the sanitizers print when they find something. A test fails on it when Frank stops.
SANITIZER = re.compile(r'^(==\d+==ERROR: .*|.*runtime error: .*)$', re.MULTILINE)


def binary(plain=False):
    path = os.environ.get('FRANK_PLAIN' if plain else 'FRANK') or os.environ.get('FRANK', '')
    if not os.access(path, os.X_OK):
        raise Failure(f'FRANK must name the binary under test; it is "{path}"')
    return path


class Frank:
    """One relay with three listeners on 127.0.0.1:

      port           plain text, no AUTH, relays for loopback
      submission     STARTTLS, AUTH required
      submissions    TLS from the first byte, AUTH required

    routes    text of the route blocks
    users     {login: password}
    extra     more of the configuration file, e.g. 'retry { first 1s; }' or domains
    spool     its directory, made when absent; spool_extra stands in the spool block
    *_extra   more directives of that listener; listeners replaces all three blocks
    """

    def __init__(self, stage, routes='route * { via discard; }', users=None, extra='', spool=None,
                 spool_extra='', plain_extra='', submission_extra='', submissions_extra='',
                 listeners=None, certificate=None, plain=False, env=None, start=True):
        self.stage = stage
        self.binary = binary(plain)
        self.env = {'UBSAN_OPTIONS': 'print_stacktrace=1', **(env or {})}
        self.directory = stage.subdirectory('frank')
        self.certificate = certificate or Certificate(stage)
        self.port, self.submission, self.submissions = (stage.port() for _ in range(3))
        self.spool = spool or os.path.join(self.directory, 'spool')
        os.makedirs(self.spool, mode=0o700, exist_ok=True)
        self.state = os.path.join(self.directory, 'state')
        self.socket = os.path.join(self.directory, 'admin.sock')
        self.users = os.path.join(self.directory, 'users')
        self.configuration = os.path.join(self.directory, 'frank.conf')
        self.log = os.path.join(self.directory, 'log')
        self.process = None
        self._listeners = listeners if listeners is not None else LISTENERS.format(
            plain=self.port, submission=self.submission, submissions=self.submissions,
            plain_extra=plain_extra, submission_extra=submission_extra,
            submissions_extra=submissions_extra)
        self._values = {'routes': routes, 'extra': extra, 'spool_extra': spool_extra}
        stage.write(self.users, '', 0o640)
        self.configure()
        for login, password in (users or {}).items():
            self.add_user(login, password)
        if start:
            self.start()

    def configure(self, **values):
        """Writes frank.conf; values: routes, extra, spool_extra, listeners. See reload()."""
        self._listeners = values.pop('listeners', self._listeners)
        self._values.update(values)
        self.stage.write(self.configuration, CONFIGURATION.format(
            listeners=self._listeners, certificate=self.certificate.certificate,
            key=self.certificate.key, users=self.users, spool=self.spool, state=self.state,
            socket=self.socket, **self._values))

    def add_user(self, login, password):
        done = self.command('user', 'add', login, '--password-file', '-', stdin=password + '\n')
        if done.returncode != 0:
            raise Failure(f'frank user add: {done.stdout.decode()}{done.stderr.decode()}')

    def start(self, wait=True, argv=None, timeout=30):
        """Starts `frank serve` and waits for its READY=1. argv is put before it (strace …)."""
        notify = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        path = os.path.join(self.directory, 'notify')
        if os.path.exists(path):
            os.unlink(path)
        notify.bind(path)
        os.chmod(path, 0o666)
        # The last deferred comes first: leaks are found when the process ends.
        self.stage.defer(self.check_sanitizers)
        self.process = self.stage.start(
            [*(argv or []), self.binary, 'serve', '-c', self.configuration], self.log,
            env={**self.env, 'NOTIFY_SOCKET': path})
        try:
            if wait:
                self._wait_ready(notify, timeout)
        finally:
            notify.close()

    def _wait_ready(self, notify, timeout):
        def ready():
            if not self.process.running():
                raise Failure('frank serve has ended:\n' + self.log_text()[-3000:])
            readable, _, _ = select.select([notify], [], [], 0.05)
            return readable and b'READY=1' in notify.recv(4096).split(b'\n')
        wait_for(ready, 'frank serve says READY=1', timeout)

    @property
    def pid(self):
        return self.process.pid

    def stop(self, timeout=60):
        """SIGTERM; returns the exit status."""
        return self.process.stop(signal.SIGTERM, timeout)

    def kill(self):
        """SIGKILL, as a crash would end it."""
        return self.process.kill()

    def restart(self):
        self.stop()
        self.start()

    def reload(self, **values):
        """Writes a changed configuration, sends SIGHUP, and waits until the log says what became of
        it; True when the new one is in force."""
        self.configure(**values)
        seen = len(self.events('reloaded')), len(self.events('reload-refused'))
        self.process.send(signal.SIGHUP)
        wait_for(lambda: seen != (len(self.events('reloaded')), len(self.events('reload-refused'))),
                 'the log names the reload')
        return len(self.events('reloaded')) > seen[0]

    def command(self, *argv, stdin=b'', timeout=30):
        """Runs `frank ARGV… -c CONFIGURATION`; stdout and stderr are bytes."""
        return run([self.binary, *argv, '-c', self.configuration], stdin=stdin, timeout=timeout,
                   env=self.env)

    def json(self, *argv):
        """Runs a command with --json and returns what it printed."""
        done = self.command(*argv, '--json')
        try:
            return json.loads(done.stdout)
        except ValueError:
            raise Failure(f'frank {" ".join(argv)} --json: status {done.returncode}, '
                          f'{done.stdout[-500:]!r} {done.stderr[-500:]!r}') from None

    def queue(self, *argv):
        """The items of `frank queue list`."""
        return self.json('queue', 'list', *argv)['items']

    def wait_queue_empty(self, timeout=30):
        """Until nothing waits or is under way any more."""
        wait_for(lambda: not [item for item in self.queue() if item['state'] != 'done'],
                 'the queue is empty', timeout, interval=0.1)

    def log_text(self):
        try:
            with open(self.log, errors='replace') as stream:
                return stream.read()
        except FileNotFoundError:
            return ''

    def log_lines(self, *words):
        """The log lines that contain every one of the words."""
        return [line for line in self.log_text().splitlines()
                if all(word in line for word in words)]

    def events(self, name, *words):
        """The log lines of an event (src/relay/events.c) that contain every one of the words."""
        return self.log_lines(f'event={name} ', *words)

    def wait_event(self, name, *words, count=1, timeout=10):
        wait_for(lambda: len(self.events(name, *words)) >= count,
                 f'{count} lines of {name} {" ".join(words)} are logged', timeout)
        return self.events(name, *words)

    def wait_ports(self):
        wait_for(lambda: all(accepts(port) for port in
                             (self.port, self.submission, self.submissions)), 'Frank listens')

    def memory(self):
        """Resident bytes of the daemon."""
        with open(f'/proc/{self.pid}/status') as stream:
            return int(re.search(r'VmRSS:\s+(\d+) kB', stream.read()).group(1)) * 1024

    def check_sanitizers(self):
        found = SANITIZER.search(self.log_text())
        if found:
            raise Failure('the sanitizer found: ' + found.group(0))
