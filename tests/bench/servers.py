# SPDX-License-Identifier: MIT
"""The servers that are measured, each in its forms, and what their processes have used.

A server is made on a Stage and has .port (plain SMTP), .pids (its top processes) and, where the form
has them, .submission, .certificate, .login and .password_file.
"""
import os
import re

from peers.certificate import Certificate
from peers.dovecot import Dovecot
from peers.frank import Frank
from peers.postfix import Postfix
from peers.smtp_sink import SmtpSink

LOGIN = 'bench@example.org'
PASSWORD = 'correct horse battery'

# Fastest form of taking mail: cleanup(8) puts it into the hold queue with one fsync, and no queue
# manager looks at it.
HOLD = {'smtpd_client_restrictions': 'check_client_access static:HOLD'}


class Measured:
    def __init__(self, name, server, port, pids):
        self.name, self.server, self.port, self.pids = name, server, port, pids

    def cpu_seconds(self):
        """User and system time of all its processes, also of those that have ended."""
        ticks = 0
        for pid in self.processes():
            fields = read_stat(pid)
            ticks += sum(map(int, fields[11:15])) if fields else 0
        return ticks / os.sysconf('SC_CLK_TCK')

    def memory_bytes(self):
        """Proportional share of resident memory, so that shared pages count once."""
        total = 0
        for pid in self.processes():
            try:
                with open(f'/proc/{pid}/smaps_rollup') as stream:
                    total += int(re.search(r'^Pss:\s+(\d+)', stream.read(), re.M).group(1)) * 1024
            except (OSError, AttributeError):
                pass
        return total

    def processes(self):
        children = {}
        for entry in filter(str.isdigit, os.listdir('/proc')):
            fields = read_stat(entry)
            if fields:
                children.setdefault(int(fields[1]), []).append(int(entry))
        found = list(self.pids)
        for pid in found:
            found += children.get(pid, [])
        return found


def read_stat(pid):
    """The fields of /proc/PID/stat behind the name: state, ppid, …; None when it has gone."""
    try:
        with open(f'/proc/{pid}/stat') as stream:
            return stream.read().rpartition(')')[2].split()
    except OSError:
        return None


def postfix(stage, main=None, **options):
    limits = {'default_process_limit': '150', 'in_flow_delay': '0'}
    server = Postfix(stage, main={**limits, **(main or {})}, **{'process_limit': 150, **options})
    return Measured('Postfix', server, server.port, [server.pid])


def postfix_accepting(stage):
    return postfix(stage, HOLD)


def postfix_relaying(stage, sink):
    return postfix(stage, {'relayhost': f'[127.0.0.1]:{sink.port}', 'virtual_mailbox_domains': ''})


def postfix_idle(stage, connections):
    certificate = Certificate(stage)
    measured = postfix(stage, HOLD, certificate=certificate, process_limit=connections + 10)
    measured.certificate = certificate
    measured.submission = measured.port
    return measured


def postfix_submission(stage):
    certificate = Certificate(stage)
    dovecot = Dovecot(stage, {LOGIN: PASSWORD})
    measured = postfix(stage, HOLD, certificate=certificate, auth_socket=dovecot.auth_socket,
                       services=('submission', 'smtps'))
    measured.pids.append(dovecot.process.pid)
    return with_login(stage, measured, certificate, measured.server.ports['submission'],
                      measured.server.ports['smtps'])


def with_login(stage, measured, certificate, submission, smtps):
    measured.certificate, measured.submission, measured.smtps = certificate, submission, smtps
    measured.login = LOGIN
    measured.password_file = stage.write('password', PASSWORD + '\n', 0o600)
    return measured


# A hop where nobody listens: what Frank takes stays in its queue, as Postfix's stays on hold.
NOWHERE = 'route * {{ via smtp://127.0.0.1:{}; retry {{ first 1h; }} }}'


def frank(stage, routes=None, users=None):
    server = Frank(stage, routes or NOWHERE.format(stage.port()), users=users, plain=True)
    measured = Measured('Frank', server, server.port, [server.pid])
    return with_login(stage, measured, server.certificate, server.submission, server.submissions)


def frank_accepting(stage):
    return frank(stage)


def frank_relaying(stage, sink):
    return frank(stage, f'route * {{ via smtp://127.0.0.1:{sink.port}; }}')


def frank_idle(stage, _connections):
    return frank(stage)


def frank_submission(stage):
    return frank(stage, users={LOGIN: PASSWORD})


def frank_front(stage):
    """A port in clear that lets users sign in, beside the one that needs no login."""
    submission = stage.port()
    routes = NOWHERE.format(stage.port()) + (
        f'\nlisten clear {{ address 127.0.0.1:{submission}; tls off; auth required; '
        'cleartext-auth yes; }')
    measured = frank(stage, routes, users={LOGIN: PASSWORD})
    measured.clear = submission
    return measured


def frank_retrying(stage, sink):
    """Mail for retry.test is refused for now, again and again; the rest waits for nobody."""
    return frank(stage, f'route *@retry.test {{ via smtp://127.0.0.1:{sink.port}; '
                        'retry { first 1s; factor 1; max 5s; } }\n' + NOWHERE.format(stage.port()))


def sink_accepting(stage):
    """smtp-sink, which stores nothing: what the generator can do at most."""
    sink = SmtpSink(stage, count=False)
    return Measured('smtp-sink', sink, sink.port, [sink.pid])


ACCEPTING = {'Frank': frank_accepting, 'Postfix': postfix_accepting, 'smtp-sink': sink_accepting}
RELAYING = {'Frank': frank_relaying, 'Postfix': postfix_relaying}
IDLE = {'Frank': frank_idle, 'Postfix': postfix_idle}
SUBMISSION = {'Frank': frank_submission, 'Postfix': postfix_submission}
