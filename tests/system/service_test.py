# SPDX-License-Identifier: MIT
"""Starting, reloading, stopping, and the demonstration."""
import os
import signal
import socket

from peers import clients
from peers.certificate import Certificate
from peers.frank import Frank, binary
from peers.scripted import ScriptedServer
from peers.stage import check, check_equal, run, wait_for

DEMO = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'tools', 'demo')


def test_sigterm_ends_within_seconds_and_with_status_0(stage):
    hop = ScriptedServer(stage)
    frank = Frank(stage, f'route * {{ via smtp://127.0.0.1:{hop.port}; }}')
    idle = clients.connect(frank.port)
    frank.process.send(signal.SIGTERM)
    check_equal(idle.getreply()[0], 421)
    check_equal(frank.process.wait(40), 0, frank.log_text())


def test_sighup_keeps_sessions_and_takes_new_routes_and_certificates(stage):
    old, new = ScriptedServer(stage), ScriptedServer(stage)
    old.shut()
    frank = Frank(stage, f'route * {{ via smtp://127.0.0.1:{old.port}; }}')
    with clients.connect(frank.port) as client:
        client.sendmail(clients.SENDER, [clients.RECIPIENT], clients.MESSAGE)
        check(frank.reload(routes=f'route * {{ via smtp://127.0.0.1:{new.port}; }}'),
              frank.log_text())
        new.wait_messages(1)
        client.sendmail(clients.SENDER, [clients.RECIPIENT], clients.MESSAGE)
    new.wait_messages(2)
    other = Certificate(stage)
    frank.certificate = other
    check(frank.reload(), frank.log_text())
    with clients.connect(frank.submission, 'starttls', other.certificate) as client:
        check_equal(client.noop()[0], 250)


def test_what_a_reload_cannot_change_is_named(stage):
    frank = Frank(stage)
    other = os.path.join(frank.directory, 'other.log')
    frank.configure(extra=f'lanes 3;\nlog file {other} json;')
    frank.process.send(signal.SIGHUP)
    wait_for(lambda: os.path.exists(other) and '"reloaded"' in open(other).read(),
             'the log has moved')
    check('lanes has changed: that takes effect at the next start' in open(other).read(),
          open(other).read())


def test_a_broken_configuration_is_refused_with_all_its_errors(stage):
    frank = Frank(stage, extra='retry { frist 1m; }\nlifetime soon;\nbanana yes;', start=False)
    frank.start(wait=False)
    check_equal(frank.process.wait(20), 2, frank.log_text())
    for word in ('frist', 'first', 'soon', 'banana'):
        check(word in frank.log_text(), frank.log_text())
    check_equal(frank.command('config', 'check').returncode, 2)


def test_a_broken_configuration_on_reload_leaves_the_old_one_in_force(stage):
    hop = ScriptedServer(stage)
    frank = Frank(stage, f'route * {{ via smtp://127.0.0.1:{hop.port}; }}')
    check(not frank.reload(extra='banana yes;'), 'a directive unknown was taken')
    done = clients.swaks(frank.port)
    check_equal(done.returncode, 0, done.stdout.decode())
    hop.wait_messages(1)
    done = frank.command('status')
    check(b'banana' in done.stdout or b'configuration' in done.stdout, done.stdout.decode())


def refused(stage, certificate, word):
    frank = Frank(stage, certificate=certificate, start=False)
    frank.start(wait=False)
    status = frank.process.wait(20)
    check(status not in (0, None) and status > 0, f'status {status}')
    check(word in frank.log_text(), frank.log_text())


def test_certificates_that_cannot_work_are_refused_at_the_start(stage):
    refused(stage, Certificate(stage, days=-1), 'expired')
    mixed = Certificate(stage)
    mixed.key = Certificate(stage).key
    refused(stage, mixed, 'key')
    open_key = Certificate(stage)
    os.chmod(open_key.key, 0o644)
    refused(stage, open_key, 'chmod')


def test_a_port_that_is_taken_is_named(stage):
    other = ScriptedServer(stage)
    frank = Frank(stage, listeners=f'listen a {{ address 127.0.0.1:{other.port}; auth off; '
                                   'relay-from 127.0.0.0/8; tls off; }', start=False)
    frank.start(wait=False)
    check(frank.process.wait(20) > 0, frank.log_text())
    check(str(other.port) in frank.log_text(), frank.log_text())


def test_the_demonstration_shows_the_main_job_and_cleans_up(stage):
    temporary = stage.subdirectory('tmp')
    done = run([DEMO, binary(), '--once'], timeout=50, env={'TMPDIR': temporary})
    text = (done.stdout + done.stderr).decode()
    check_equal(done.returncode, 0, text)
    for word in ('AUTH', '250', 'bob@example.net', 'Received:'):
        check(word in text, f'{word} is not in:\n{text}')
    check_equal(os.listdir(temporary), [], 'what it leaves')


def test_the_demonstration_names_a_port_that_is_taken(stage):
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(('127.0.0.1', 2587))
        listener.listen()
        done = run([DEMO, binary(), '--once'], timeout=50)
    check_equal(done.returncode, 3)
    check(b'port 2587 is taken' in done.stderr, done.stderr.decode())


# Both use the ports of the demonstration.
test_the_demonstration_shows_the_main_job_and_cleans_up.alone = True
test_the_demonstration_names_a_port_that_is_taken.alone = True
