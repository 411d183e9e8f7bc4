# SPDX-License-Identifier: MIT
"""`frank sink`: the catching server of the program under test."""
import json
import os
import re

from peers.certificate import Certificate
from peers.frank import SANITIZER, binary
from peers.stage import Failure, run, wait_for


class FrankSink:
    """options: the sink's own. users {login: password} makes it demand AUTH with a users file; keep=True
    keeps the messages in a Maildir (messages()); tls other than off makes a certificate."""

    def __init__(self, stage, *options, tls='off', users=None, keep=False, plain=False,
                 certificate=None):
        self.stage = stage
        self.directory = stage.subdirectory('sink')
        self.maildir = os.path.join(self.directory, 'mail')
        self.output, self.talk = (os.path.join(self.directory, name) for name in ('out', 'talk'))
        self.certificate = certificate
        argv = [binary(plain), 'sink', '--listen', '127.0.0.1:0', '--tls', tls]
        if tls != 'off':
            self.certificate = certificate or Certificate(stage)
            argv += ['--certificate', self.certificate.certificate, '--key', self.certificate.key]
        if users is not None:
            argv += ['--users', self._users(users)]
        if keep:
            argv += ['--maildir', self.maildir]
        shell = f'exec "$@" 2>{self.talk}'
        self.process = stage.start(['sh', '-c', shell, 'sh', *argv, *options], self.output)
        stage.defer(self.check_sanitizers)
        self.port = int(wait_for(self._listening, 'the sink listens').group(1))

    def _users(self, users):
        path = os.path.join(self.directory, 'users')
        for login, password in users.items():
            done = run([binary(), 'user', 'add', login, '--users', path, '--password-file', '-'],
                       stdin=password + '\n')
            if done.returncode != 0:
                raise Failure(f'frank user add: {done.stderr.decode()}')
        return path

    def _listening(self):
        if not self.process.running():
            raise Failure('the sink does not start: ' + self.talk_text())
        return re.search(r'listening"?:?"? ?"?127\.0\.0\.1:(\d+)', self.process.text())

    def talk_text(self):
        with open(self.talk, errors='replace') as stream:
            return stream.read()

    def lines(self):
        """What it has printed about messages."""
        return [line for line in self.process.text().splitlines() if line.startswith('message=')]

    def json_lines(self):
        return [json.loads(line) for line in self.process.text().splitlines()]

    def wait_lines(self, count, timeout=30):
        wait_for(lambda: len(self.lines()) >= count, f'the sink has told of {count} messages',
                 timeout)
        return self.lines()

    def messages(self):
        """With keep: the contents, as bytes."""
        return self.stage.files(self.maildir, 'new/*')

    def stop(self):
        """SIGTERM; returns the exit status and the last line."""
        status = self.process.stop()
        return status, self.process.text().splitlines()[-1]

    def check_sanitizers(self):
        found = SANITIZER.search(self.talk_text())
        if found:
            raise Failure('the sanitizer found: ' + found.group(0))
