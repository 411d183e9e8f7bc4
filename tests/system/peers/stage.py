# SPDX-License-Identifier: MIT
"""What one test stands on: a directory, ports, processes, and waiting for conditions.

Tests wait on conditions (wait_for) and never sleep to synchronise. Every process is started through
Stage.start, so that its output is kept for the report of a failure and its end is certain.
"""
import contextlib
import fcntl
import glob
import os
import random
import re
import signal
import socket
import subprocess
import tempfile
import time


class Failure(AssertionError):
    """What was expected did not happen; the text says what was seen instead."""


def check(fact, said):
    """Fails the test with the sentence `said` unless `fact` holds."""
    if not fact:
        raise Failure(said)


def check_equal(got, want, what='value'):
    if got != want:
        raise Failure(f'{what}: got {got!r}, want {want!r}')


def wait_for(condition, what, timeout=10.0, interval=0.02):
    """Calls `condition` until it returns something true, and returns that."""
    end = time.monotonic() + timeout
    while True:
        result = condition()
        if result:
            return result
        if time.monotonic() > end:
            raise Failure(f'waited {timeout:g} s in vain until {what}')
        time.sleep(interval)


def accepts(port, host='127.0.0.1'):
    """Whether somebody listens on the port."""
    try:
        socket.create_connection((host, port), timeout=1).close()
        return True
    except OSError:
        return False


def run(argv, timeout=60, stdin=b'', env=None, **options):
    """Runs a program to its end; its output is bytes in .stdout and .stderr."""
    if isinstance(stdin, str):
        stdin = stdin.encode()
    environment = {**os.environ, **env} if env else None
    return subprocess.run([str(part) for part in argv], input=stdin, capture_output=True,
                          timeout=timeout, env=environment, check=False, **options)


class Process:
    """A program that runs beside the test; its output goes to `output`."""

    def __init__(self, argv, output, env=None, ulimits=(), **options):
        self.argv = [str(part) for part in argv]
        self.output = output
        with open(output, 'ab') as stream:
            self.popen = subprocess.Popen(
                self.argv, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream,
                env={**os.environ, **(env or {})}, **options)

    @property
    def pid(self):
        return self.popen.pid

    def running(self):
        return self.popen.poll() is None

    def text(self):
        """All that it has printed so far."""
        with open(self.output, 'rb') as stream:
            return stream.read().decode('utf-8', 'replace')

    def send(self, number):
        self.popen.send_signal(number)

    def wait(self, timeout=30):
        """Waits for its end; returns the exit status (negative: the signal)."""
        try:
            return self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            raise Failure(f'{self.argv[0]} did not end within {timeout} s') from None

    def stop(self, number=signal.SIGTERM, timeout=15):
        """Ends it, first politely; returns the exit status."""
        if self.running():
            self.popen.send_signal(number)
            try:
                return self.popen.wait(timeout)
            except subprocess.TimeoutExpired:
                self.popen.kill()
        return self.popen.wait()

    def kill(self):
        self.popen.kill()
        return self.popen.wait()


class Stage:
    def __init__(self, directory):
        self.directory = directory
        os.chmod(self.directory, 0o755)
        self._stack = contextlib.ExitStack()
        self._numbers = {}
        self._port_locks = []

    def path(self, *parts):
        return os.path.join(self.directory, *parts)

    def subdirectory(self, name, mode=0o755):
        """Makes a new directory; the second of one name gets a number."""
        count = self._numbers.get(name, 0) + 1
        self._numbers[name] = count
        path = self.path(name if count == 1 else f'{name}-{count}')
        os.mkdir(path)
        os.chmod(path, mode)
        return path

    def write(self, name, text, mode=0o644):
        path = name if os.path.isabs(name) else self.path(name)
        with open(path, 'wb') as stream:
            stream.write(text.encode() if isinstance(text, str) else text)
        os.chmod(path, mode)
        return path

    def files(self, directory, pattern):
        """The contents of the files that fit the pattern, as bytes, in the order of names."""
        found = []
        for path in sorted(glob.glob(os.path.join(directory, pattern))):
            with open(path, 'rb') as stream:
                found.append(stream.read())
        return found

    def port(self):
        """A free port, ours until the test ends. Below the range that the kernel gives to outgoing
        connections; a lock keeps it from other tests that run at the same time."""
        locks = os.path.join(tempfile.gettempdir(), f'frank-test-ports-{os.getuid()}')
        os.makedirs(locks, mode=0o700, exist_ok=True)
        for _ in range(1000):
            port = random.randrange(10000, 32000)
            lock = open(os.path.join(locks, str(port)), 'w')
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                with socket.socket() as probe:
                    probe.bind(('127.0.0.1', port))
            except OSError:
                lock.close()
                continue
            self._port_locks.append(lock)
            return port
        raise Failure('no free port found')

    def start(self, argv, output=None, **options):
        """Starts a program that ends with the test."""
        label = re.sub(r'[^a-z0-9]+', '-', os.path.basename(str(argv[0])).lower())
        count = self._numbers.get('process-' + label, 0) + 1
        self._numbers['process-' + label] = count
        process = Process(argv, output or self.path(f'{label}-{count}.out'), **options)
        self.defer(process.stop)
        return process

    def defer(self, function, *arguments):
        """Calls the function when the test ends; the last one first."""
        self._stack.callback(function, *arguments)

    def close(self):
        self._stack.close()
        for lock in self._port_locks:
            lock.close()
