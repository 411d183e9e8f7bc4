# SPDX-License-Identifier: MIT
"""The spool on a disk that is full, that cannot be written, and the order of sync and 250."""
import errno
import os
import re
import smtplib

from peers import clients
from peers.frank import Frank
from peers.scripted import ScriptedServer
from peers.stage import Failure, check, check_equal, run, wait_for


def mount_tmpfs(stage, size):
    path = stage.subdirectory('small')
    done = run(['mount', '-t', 'tmpfs', '-o', f'size={size},mode=0700', 'tmpfs', path])
    if done.returncode != 0:
        raise Failure('mount: ' + done.stderr.decode())
    stage.defer(run, ['umount', '-l', path])
    return path


def try_send(client, message=clients.MESSAGE):
    """The code of the reply to a message."""
    try:
        client.sendmail(clients.SENDER, [clients.RECIPIENT], message)
        return 250
    except smtplib.SMTPSenderRefused as refusal:
        return refusal.smtp_code
    except smtplib.SMTPDataError as refusal:
        return refusal.smtp_code


def test_a_full_spool_refuses_for_now_loses_nothing_and_recovers(stage):
    hop = ScriptedServer(stage)
    hop.shut()
    spool = os.path.join(mount_tmpfs(stage, '20m'), 'spool')
    frank = Frank(stage, f'route * {{ via smtp://127.0.0.1:{hop.port}; '
                         'retry { first 1s; max 1s; } }', spool=spool)
    message = clients.MESSAGE + ('z' * 70 + '\n') * 7000
    accepted = 0
    with clients.connect(frank.port) as client:
        code = 250
        while code == 250 and accepted < 200:
            code = try_send(client, message)
            accepted += code == 250
        check(code in (452, 451), f'the reply is {code} after {accepted} messages')
        check(accepted > 5, f'{accepted} messages fit')
    hop.open()
    hop.wait_messages(accepted, 60)
    with clients.connect(frank.port) as client:
        wait_for(lambda: try_send(client, message) == 250, 'mail is taken again', 30, 0.2)
    hop.wait_messages(accepted + 1)
    check_equal(len(hop.messages()), accepted + 1)


class Faults:
    """A disk that fails on demand under the plain binary (faults.c)."""

    def __init__(self, stage, path):
        library, self.flag = stage.path('faults.so'), stage.path('fault')
        source = os.path.join(os.path.dirname(os.path.abspath(__file__)), 'faults.c')
        made = run(['cc', '-D_GNU_SOURCE', '-O1', '-shared', '-fPIC', '-o', library, source])
        check_equal(made.returncode, 0, made.stderr.decode())
        self.env = {'LD_PRELOAD': library, 'FRANK_FAULT': self.flag, 'FRANK_FAULT_PATH': path}

    def set(self, error):
        with open(self.flag + '.new', 'w') as stream:
            stream.write(str(error))
        os.rename(self.flag + '.new', self.flag)

    def clear(self):
        os.unlink(self.flag)


def failing_disk(stage, error):
    """Mail before, during and after the fault; all that had its 250 arrives."""
    hop = ScriptedServer(stage)
    spool = stage.subdirectory('spool', 0o700)
    faults = Faults(stage, spool + '/')
    frank = Frank(stage, f'route * {{ via smtp://127.0.0.1:{hop.port}; '
                         'retry { first 1s; max 1s; } }', spool=spool, plain=True, env=faults.env)
    with clients.connect(frank.port) as client:
        check_equal(try_send(client), 250)
        hop.wait_messages(1)
        faults.set(error)
        for _ in range(3):
            code = try_send(client)
            check(code in (451, 452), f'the reply is {code}')
        wait_for(lambda: os.strerror(error) in frank.log_text(), 'the log names the error')
        faults.clear()
        wait_for(lambda: try_send(client) == 250, 'mail is taken again', 30, 0.2)
    hop.wait_messages(2)
    # What was refused while the disk failed has an unknown outcome; what had its 250 has not.
    frank.restart()
    frank.wait_queue_empty()
    check(len(hop.messages()) >= 2, f'{len(hop.messages())} messages')


def test_an_io_error_refuses_for_now_and_recovers(stage):
    failing_disk(stage, errno.EIO)


def test_a_spool_gone_read_only_refuses_for_now_and_recovers(stage):
    failing_disk(stage, errno.EROFS)


def test_no_space_left_refuses_for_now_and_recovers(stage):
    failing_disk(stage, errno.ENOSPC)


def whole_trace(path):
    """The lines of a trace that has its end, or None."""
    with open(path, errors='replace') as stream:
        lines = stream.readlines()
    return lines if lines and 'exited with' in lines[-1] else None


def test_a_sync_stands_before_the_bytes_of_the_250(stage):
    hop = ScriptedServer(stage)
    frank = Frank(stage, f'route * {{ via smtp://127.0.0.1:{hop.port}; }}', start=False,
                  env={'ASAN_OPTIONS': 'detect_leaks=0'}, plain=True)
    trace = stage.path('trace')
    frank.start(argv=['strace', '-D', '-f', '-s', '200', '-o', trace, '-e',
                      'trace=fsync,fdatasync,pwritev2,sync_file_range,write,writev,sendto,sendmsg'])
    done = clients.swaks(frank.port)
    check_equal(done.returncode, 0, done.stdout.decode())
    replies = re.findall(r'<-  (250 .*)', done.stdout.decode())
    reply = replies[-1]
    hop.wait_messages(1)
    frank.stop()
    lines = wait_for(lambda: whole_trace(trace), 'strace has ended')
    dot = max(i for i, line in enumerate(lines) if '354' in line)
    answer = next(i for i, line in enumerate(lines) if reply[:40] in line and i > dot)
    syncs = [line for line in lines[dot:answer]
             if re.search(r'(fsync|fdatasync)\(.*= 0|RWF_D?SYNC\) = \d|(fsync|fdatasync) resumed.* = 0',
                          line)]
    # One for the body, one for the row that names it.
    check(len(syncs) >= 2, ''.join(lines[dot:answer + 1]))
