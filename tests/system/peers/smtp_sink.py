# SPDX-License-Identifier: MIT
"""Postfix's generators: smtp-sink, which counts or keeps what it takes, and smtp-source."""
import glob
import os
import re

from peers.stage import Failure, accepts, check_equal, run, wait_for


class SmtpSink:
    """options: smtp-sink's own. keep=True keeps each message in a file of its own (messages());
    count=False saves it the writing of counters."""

    def __init__(self, stage, *options, keep=False, port=None, name='smtp-sink', backlog=1024,
                 count=True):
        self.stage = stage
        self.port = port or stage.port()
        self.directory = stage.subdirectory(name, 0o777)
        self.keep = keep
        # It refuses to run as root.
        user = ['-u', 'nobody'] if os.getuid() == 0 else []
        # Dump templates are relative to its working directory.
        dump = ['-d', 'message.'] if keep else []
        self.process = stage.start(
            ['smtp-sink', *(['-c'] if count else []), *user, *dump, *options, f'127.0.0.1:{self.port}', str(backlog)],
            os.path.join(self.directory, 'out'), cwd=self.directory)
        wait_for(lambda: accepts(self.port) or not self.process.running(), 'smtp-sink listens')
        if not self.process.running():
            raise Failure('smtp-sink does not start: ' + self.process.text())

    @property
    def pid(self):
        return self.process.pid

    def count(self):
        """Messages that it has taken so far; it rewrites one line of counters."""
        with open(self.process.output, 'rb') as stream:
            stream.seek(0, os.SEEK_END)
            stream.seek(max(0, stream.tell() - 200))
            found = re.findall(rb'mesg=(\d+)', stream.read())
        return int(found[-1]) if found else 0

    def wait_count(self, count, timeout=60):
        wait_for(lambda: self.count() >= count, f'smtp-sink has counted {count} messages', timeout)
        return self.count()

    def messages(self):
        """With keep: the messages as (envelope, body), in the order of their files' times. The
        envelope is smtp-sink's own X- lines as a dictionary of lists; the body has LF line ends."""
        files = glob.glob(os.path.join(self.directory, 'message.*'))
        return [split_dump(path) for path in sorted(files, key=os.path.getmtime)]

    def stop(self):
        self.process.stop()


def split_dump(path):
    """smtp-sink puts X-Client-Addr, X-Mail-Args, X-Rcpt-Args and a Received field before the
    message, without an empty line between."""
    with open(path, 'rb') as stream:
        lines = stream.read().split(b'\n')
    envelope, index = {}, 0
    while index < len(lines) and lines[index].startswith(b'X-'):
        name, _, value = lines[index].partition(b': ')
        envelope.setdefault(name.decode(), []).append(value.decode())
        index += 1
    if index < len(lines) and lines[index].startswith(b'Received:'):
        index += 1
        while index < len(lines) and lines[index][:1] in (b' ', b'\t'):
            index += 1
    return envelope, b'\n'.join(lines[index:])


def smtp_source(port, messages, sessions=1, size=4096, kept=False, sender='a@source.test',
                recipient='b@sink.test', options=(), timeout=300):
    """Sends with smtp-source and fails unless every message was accepted."""
    argv = ['smtp-source', '-m', str(messages), '-s', str(sessions), '-l', str(size),
            '-f', sender, '-t', recipient, '-M', 'source.test', '-C', '10',
            *(['-d'] if kept else []), *options, f'127.0.0.1:{port}']
    done = run(argv, timeout=timeout)
    check_equal(done.returncode, 0, 'smtp-source: ' + done.stderr.decode()[-500:])
