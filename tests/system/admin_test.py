# SPDX-License-Identifier: MIT
"""The running relay, looked at and changed: queue, status, hop, trace, and the socket behind them."""
import json
import os
import pty
import re
import signal
import socket
import stat
import time

from peers import clients, scripted
from peers.certificate import Certificate
from peers.frank import Frank
from peers.scripted import ScriptedServer
from peers.smtp_sink import smtp_source
from peers.stage import check, check_equal, wait_for

USERS = {'alice@example.org': 'correct horse'}
UNKNOWN = '0000000000001'


def send(frank, recipients=(clients.RECIPIENT,), sender=clients.SENDER, message=clients.MESSAGE):
    with clients.connect(frank.port) as client:
        client.sendmail(sender, list(recipients), message)


def relay(stage, down=True, more='', **options):
    """A relay and its hop, which refuses connections while it is down."""
    hop = ScriptedServer(stage)
    if down:
        hop.shut()
    return Frank(stage, f'route * {{ via smtp://127.0.0.1:{hop.port}; {more} }}', **options), hop


def states(frank, *argv):
    return sorted(item['state'] for item in frank.queue(*argv))


def run(frank, *argv, status=0):
    """The standard output of a command that must end with this status."""
    done = frank.command(*argv)
    check_equal(done.returncode, status,
                f'{argv}: {done.stdout.decode()[-500:]}{done.stderr.decode()[-500:]}')
    return done.stdout.decode()


def on_terminal(frank, *argv, columns=80):
    """What a command prints on a terminal."""
    pid, terminal = pty.fork()
    if pid == 0:
        os.execvp('sh', ['sh', '-c', f'stty cols {columns}; exec "$@"', 'sh', frank.binary, *argv,
                         '-c', frank.configuration])
    text = b''
    while True:
        try:
            piece = os.read(terminal, 65536)
        except OSError:
            break
        if not piece:
            break
        text += piece
    os.close(terminal)
    os.waitpid(pid, 0)
    return text.decode().replace('\r\n', '\n')


# ---- queue ----

def test_a_message_is_shown_from_its_arrival_to_its_history(stage):
    frank, hop = relay(stage, users=USERS)
    with clients.connect(frank.submission, 'starttls', login='alice@example.org',
                         password='correct horse') as client:
        client.sendmail(clients.SENDER, ['bob@example.net', 'eve@example.net'], clients.MESSAGE)
    item = wait_for(lambda: [i for i in frank.queue('--state', 'deferred')
                             if 'refused' in i['recipients'][0].get('reply', '')],
                    'the reason is shown')[0]
    check_equal(set(item), {'id', 'state', 'sender', 'recipients', 'size', 'received', 'login',
                            'client'})
    check_equal([item[key] for key in ('state', 'sender', 'login', 'client')],
                ['deferred', clients.SENDER, 'alice@example.org', '127.0.0.1'])
    check(re.fullmatch(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ', item['received']), item['received'])
    check_equal([r['address'] for r in item['recipients']], ['bob@example.net', 'eve@example.net'])
    for recipient in item['recipients']:
        check_equal(set(recipient), {'address', 'state', 'attempts', 'next', 'reply', 'hop'})
        check_equal(recipient['hop'], f'smtp://127.0.0.1:{hop.port}')
    hop.open()
    run(frank, 'queue', 'retry', item['id'])
    hop.wait_messages(1)
    frank.wait_queue_empty()
    check_equal(frank.queue(), [])
    ended = frank.json('queue', 'show', item['id'])['items'][0]
    check_equal((ended['id'], ended['state']), (item['id'], 'done'))
    for recipient in ended['recipients']:
        check_equal((recipient['state'], recipient['reply'], recipient['remote_id'],
                     recipient['attempts']),
                    ('done', '250 2.0.0 Ok: queued as SCRIPTED', 'SCRIPTED', 1))
    check_equal(states(frank, '--state', 'done'), ['done'])
    check('queued as SCRIPTED' in run(frank, 'queue', 'show', item['id']), 'the reply is shown')


def test_hold_release_drop_and_retry_choose_by_id_and_by_pattern(stage):
    frank, hop = relay(stage)
    for sender in ('a@one.test', 'b@one.test', 'c@two.test'):
        send(frank, sender=sender)
    send(frank, sender='', recipients=['x@else.test'])
    wait_for(lambda: states(frank) == ['deferred'] * 4, 'all are deferred')
    by_sender = {item['sender']: item['id'] for item in frank.queue()}
    check('2 messages would be held' in run(frank, 'queue', 'hold', '--from', '@one.test', '-n'),
          'a dry run counts')
    wait_for(lambda: states(frank) == ['deferred'] * 4, 'it has changed nothing')
    changed = frank.json('queue', 'hold', '--from', '@ONE.test')
    check_equal(changed, {'verb': 'hold', 'messages': 2, 'deliveries': 2, 'in_hand': 0})
    check_equal(sorted(i['sender'] for i in frank.queue('--state', 'held')),
                ['a@one.test', 'b@one.test'])
    check_equal(run(frank, 'queue', 'retry', '--all').split()[0], '2', 'held ones are not tried')
    run(frank, 'queue', 'release', by_sender['a@one.test'])
    wait_for(lambda: states(frank) == ['deferred'] * 3 + ['held'], 'one is held, after a new try')
    run(frank, 'queue', 'drop', '--from', '<>')
    run(frank, 'queue', 'drop', '--to', 'nobody@else.test')
    run(frank, 'queue', 'drop', '--older', '1h')
    run(frank, 'queue', 'drop', '--hop', 'lmtp:*')
    check_equal(len(frank.queue()), 3)
    run(frank, 'queue', 'drop', '--state', 'held', '--hop', f'127.0.0.1:{hop.port}')
    check_equal(sorted(i['sender'] for i in frank.queue()), ['a@one.test', 'c@two.test'])
    check_equal(states(frank, '--state', 'dropped'), ['dropped', 'dropped'])
    hop.open()
    run(frank, 'queue', 'run')
    check_equal(sorted(m[0] for m in hop.wait_messages(2)), ['a@one.test', 'c@two.test'])
    frank.wait_event('queue-changed', 'verb=hold', 'messages=2')


def test_what_is_unknown_or_wrong_has_its_exit_status(stage):
    frank, _ = relay(stage)
    send(frank)
    identifier = frank.queue()[0]['id']
    for verb in ('show', 'retry', 'hold', 'release', 'drop'):
        done = frank.command('queue', verb, UNKNOWN)
        check_equal(done.returncode, 1, verb)
        check(UNKNOWN.encode() in done.stderr, done.stderr.decode())
    run(frank, 'queue', 'hold', identifier, UNKNOWN, status=1)
    check_equal(states(frank), ['held'], 'the one that is known')
    check_equal(frank.json('queue', 'release', identifier, UNKNOWN)['missing'], [UNKNOWN])
    run(frank, 'queue', 'drop', identifier)
    run(frank, 'queue', 'retry', identifier, status=1)
    for argv in (['queue'], ['queue', 'banana'], ['queue', 'drop'], ['queue', 'show'],
                 ['queue', 'show', 'banana'], ['queue', 'drop', '--all', identifier],
                 ['queue', 'list', '--older', 'soon'], ['queue', 'list', '--state', 'lost'],
                 ['queue', 'run', identifier], ['trace'], ['trace', '--follow', '--client', 'x'],
                 ['hop', 'show'], ['hop', 'forget'], ['status', 'banana']):
        run(frank, *argv, status=2)
    run(frank, 'hop', 'show', 'banana', status=1)


def test_a_list_of_thousands_is_whole_and_costs_no_memory(stage):
    frank, _ = relay(stage, plain=True)
    count = 20000
    smtp_source(frank.port, count, sessions=20, size=200, kept=True)
    wait_for(lambda: frank.json('status')['queue']['messages'] == count, 'all are queued')
    before = frank.memory()
    ids = [item['id'] for item in frank.queue()]
    check_equal((len(ids), len(set(ids))), (count, count))
    check_equal(ids, sorted(ids))
    check(frank.memory() - before < 8 << 20, f'{(frank.memory() - before) >> 10} KiB more')
    check_equal(len(run(frank, 'queue', 'list').splitlines()), count)
    check_equal(frank.json('queue', 'hold', '--all')['messages'], count)
    check_equal(frank.json('status')['queue']['held'], count)
    check_equal(frank.json('queue', 'drop', '--all')['messages'], count)
    check_equal(frank.queue(), [])


def test_a_reader_that_stands_still_costs_no_memory_and_disturbs_nobody(stage):
    frank, _ = relay(stage, plain=True)
    smtp_source(frank.port, 5000, sessions=20, size=200, kept=True)
    before = frank.memory()
    still = [ask(frank, {'command': 'queue list'}) for _ in range(10)]
    check_equal(len(frank.queue()), 5000)
    check(frank.memory() - before < 16 << 20, f'{(frank.memory() - before) >> 10} KiB more')
    lines = answer(still[0])
    check_equal(len(lines), 5001)
    check_equal(lines[-1], {'end': 0})


def test_hold_reaches_what_waits_in_memory_and_leaves_what_is_under_way(stage):
    hop = ScriptedServer(stage, replies={'.': scripted.STALL})
    frank = Frank(stage, f'route * {{ via smtp://127.0.0.1:{hop.port}; connections-max 1; }}')
    smtp_source(frank.port, 300, sessions=5, kept=True)
    wait_for(lambda: hop.sessions and 'DATA' in hop.sessions[0].verbs(), 'one is under way')
    # The first delivery proves the hop; until then there is no second one.
    changed = frank.json('queue', 'hold', '--all')
    check_equal(changed['messages'] + changed['in_hand'], 300)
    check(1 <= changed['in_hand'] <= 8, str(changed))
    check_equal(states(frank).count('held'), changed['messages'])
    check_equal(states(frank).count('active'), changed['in_hand'])
    check_equal({item['recipients'][0]['state'] for item in frank.queue('--state', 'active')},
                {'active'})
    frank.json('queue', 'release', '--all')
    check_equal(states(frank, '--state', 'held'), [])
    hop.stop()


def test_without_a_relay_queue_works_on_the_spool(stage):
    frank, hop = relay(stage)
    for sender in ('a@one.test', 'b@one.test', 'c@two.test'):
        send(frank, sender=sender)
    wait_for(lambda: states(frank) == ['deferred'] * 3, 'all are deferred')
    run(frank, 'queue', 'hold', '--all')
    before = [(i['id'], i['sender'], i['size'], i['state']) for i in frank.queue()]
    run(frank, 'queue', 'list', '--socket', '/nonexistent', status=3)
    done = frank.command('queue', 'list', '--socket', '/nonexistent')
    check(str(frank.pid).encode() in done.stderr, 'the fault names who has it: '
          + done.stderr.decode())
    frank.stop()
    check_equal([(i['id'], i['sender'], i['size'], i['state']) for i in frank.queue()], before)
    check_equal(run(frank, 'queue', 'drop', before[0][0], '--dry-run').split()[0], '1')
    run(frank, 'queue', 'drop', before[0][0])
    run(frank, 'queue', 'show', UNKNOWN, status=1)
    check_equal(frank.json('queue', 'show', before[0][0])['items'][0]['state'], 'dropped')
    check_equal(frank.json('queue', 'release', '--all')['messages'], 2)
    check_equal(states(frank), ['deferred'] * 2)
    for argv in (['status'], ['hop', 'list'], ['trace', '--follow']):
        run(frank, *argv, status=3)
    hop.open()
    frank.start()
    check_equal(sorted(m[0] for m in hop.wait_messages(2)), ['b@one.test', 'c@two.test'])


def test_neither_relay_nor_spool_is_status_3(stage):
    frank = Frank(stage, start=False, spool=stage.path('nowhere'))
    os.rmdir(frank.spool)
    run(frank, 'queue', 'list', status=3)
    check(not os.path.exists(frank.spool), 'and no spool is made')


def test_root_works_as_the_spools_owner_and_leaves_nothing_of_its_own(stage):
    frank, _ = relay(stage, start=False)
    os.chown(frank.spool, 65534, 65534)
    frank.configure(extra='user nobody;')
    os.chmod(stage.directory, 0o755)
    for path in (frank.directory, frank.users, frank.certificate.key):
        os.chown(path, 65534, 65534)
    frank.start()
    send(frank)
    frank.stop()
    check_equal(len(frank.queue()), 1)
    for root, folders, files in os.walk(frank.spool):
        for name in folders + files:
            check_equal(os.stat(os.path.join(root, name)).st_uid, 65534, name)
    # Only root could read this.
    os.chmod(os.path.join(frank.spool, 'queue.db'), 0)
    run(frank, 'queue', 'list', status=3)
    os.chmod(os.path.join(frank.spool, 'queue.db'), 0o600)
    frank.start()


def test_the_table_fits_the_terminal_and_a_pipe_gets_all(stage):
    frank, _ = relay(stage)
    address = 'a-very-long-local-part-of-an-address.' + 'x' * 20 + '@department.example.org'
    send(frank, sender=address, recipients=[address, 'bob@example.net'])
    wait_for(lambda: 'refused' in run(frank, 'queue', 'list'), 'the reason is shown')
    for columns in (80, 60):
        text = on_terminal(frank, 'queue', 'list', columns=columns)
        check('…' in text and 'refused' in text, text)
        check(all(len(line) <= max(columns, 70) for line in text.splitlines()), text)
    fields = run(frank, 'queue', 'list').rstrip('\n').split('\t')
    check_equal(len(fields), 8)
    check_equal(fields[5:7], [address, f'{address},bob@example.net'])
    check('\033' not in on_terminal(frank, 'status'), 'nothing red without need')


# ---- status ----

def test_status_is_1_when_a_human_is_needed_and_says_why(stage):
    frank, hop = relay(stage, more='retry { first 5m; max 5m; }')
    check_equal(frank.json('status')['problems'], [])
    run(frank, 'status')
    send(frank)
    wait_for(lambda: frank.command('status').returncode == 1, 'the pause is a reason')
    status = frank.json('status')
    check('refused' in status['hops'][0]['why'] and status['hops'][0]['paused_until'], str(status))
    check_equal((status['queue']['messages'], status['hops'][0]['waiting']), (1, 1))
    check('refused' in run(frank, 'status', status=1), 'for people too')
    hop.open()
    run(frank, 'queue', 'retry', '--all')
    hop.wait_messages(1)
    wait_for(lambda: frank.command('status').returncode == 0, 'all is well again')
    hop.shut()
    hop.replies['MAIL'] = '421 4.3.2 going down'
    send(frank)
    run(frank, 'queue', 'hold', '--all')
    check(any('held' in problem for problem in frank.json('status')['problems']), 'held mail')
    run(frank, 'queue', 'drop', '--all')


def test_status_tells_of_a_refused_reload_and_of_a_certificate_that_ends(stage):
    frank, _ = relay(stage, certificate=Certificate(stage, days=10))
    text = run(frank, 'status', status=1)
    check(frank.certificate.certificate in text and 'expires in 9d' in text, text)
    frank.certificate = Certificate(stage)
    check(frank.reload(), frank.log_text())
    run(frank, 'status')
    check(not frank.reload(extra='banana yes;'), 'taken')
    text = run(frank, 'status', status=1)
    check('banana' in text and 'stays in force' in text, text)
    check('banana' in frank.json('status')['reload_problem'], 'in JSON too')
    check(frank.reload(extra=''), frank.log_text())
    run(frank, 'status')


def test_status_counts_sessions_and_warns_of_a_full_disk(stage):
    frank, _ = relay(stage)
    with clients.connect(frank.port):
        sessions = frank.json('status')['sessions']
        check_equal((sessions['now'], sessions['since_start']), (1, 1))
        check_equal({one['listener']: one['sessions'] for one in sessions['listeners']},
                    {'plain': 1, 'submission': 0, 'submissions': 0})
    with open(frank.configuration) as stream:
        text = stream.read()
    stage.write(frank.configuration, text.replace('min-free 1MB', 'min-free 1000GB'))
    frank.restart()
    check('min-free' in run(frank, 'status', status=1), 'the disk is below min-free')


# ---- hop ----

def test_hop_shows_what_was_learned_and_forgets_it(stage):
    hop = ScriptedServer(stage, ehlo=['AUTH PLAIN LOGIN', 'PIPELINING', 'SIZE 1000000'])
    password = stage.write('up', 'secret\n', 0o600)
    frank = Frank(stage, f'''
        route *@other.test {{ via smtp://127.0.0.2:{hop.port}; }}
        route * {{ via smtp://127.0.0.1:{hop.port}; login up; password-file {password};
                   cleartext-auth yes; }}''')
    send(frank)
    hop.wait_messages(1)
    item = wait_for(lambda: [i for i in frank.json('hop', 'list')['items'] if i.get('last_ok')],
                    'something was learned')[0]
    check_equal(item['hop'], f'smtp://127.0.0.1:{hop.port} as up')
    check_equal(item['extensions'], ['PIPELINING', 'SIZE=1000000'])
    check_equal([item[key] for key in ('mechanisms', 'worked', 'account', 'tls',
                                       'initial_response')],
                [['PLAIN', 'LOGIN'], 'PLAIN', 'up', 'none', 'yes'])
    check_equal(len(frank.json('hop', 'list')['items']), 2, 'the other one is shown as well')
    check('PIPELINING' in run(frank, 'hop', 'show', '127.0.0.1'), 'a part of the name')
    run(frank, 'hop', 'forget', str(hop.port), status=1)
    done = frank.command('hop', 'forget', str(hop.port))
    check(b'127.0.0.2' in done.stderr and b'127.0.0.1' in done.stderr, done.stderr.decode())
    check('extensions' not in frank.json('hop', 'forget', 'as up')['items'][0], 'forgotten')
    check('last_ok' not in frank.json('hop', 'show', 'as up')['items'][0], 'forgotten')


# ---- trace ----

class Follower:
    """`frank trace --follow`, once the relay knows of it."""

    def __init__(self, stage, frank, *argv):
        self.output = stage.path(f'trace-{len(os.listdir(stage.directory))}')
        self.process = stage.start([frank.binary, 'trace', '--follow', *argv, '-c',
                                    frank.configuration], self.output)
        self.frank = frank

    def text(self):
        return self.process.text()

    def wait(self, word):
        wait_for(lambda: word in self.text(), f'{word!r} is shown')
        return self.text()


def followers(stage, frank, *lists):
    """All of them are there once the last one, which sees everything, has seen a session."""
    made = [Follower(stage, frank, *argv) for argv in lists]

    def all_see():
        send(frank)
        return all(f.text() or '--json' not in f.process.argv for f in made)
    check('--json' in lists[-1], 'the last one sees everything')
    wait_for(all_see, 'the followers follow', 20, 0.2)
    return made


def test_trace_shows_both_directions_decoded_and_without_secrets(stage):
    hop = ScriptedServer(stage, ehlo=['AUTH PLAIN LOGIN'])
    password = stage.write('up', 'upstream secret\n', 0o600)
    frank = Frank(stage, f'route * {{ via smtp://127.0.0.1:{hop.port}; login up; '
                         f'password-file {password}; cleartext-auth yes; }}', users=USERS)
    people, machines = followers(stage, frank, [], ['--json'])
    with clients.connect(frank.submission, 'starttls', login='alice@example.org',
                         password='correct horse') as client:
        client.sendmail('traced@example.org', [clients.RECIPIENT], clients.MESSAGE)
    wait_for(lambda: re.search('out-.*MAIL FROM:<traced@example.org>', people.text()),
             'the way out is shown')
    text = people.text()
    for line in ('<-  STARTTLS', '~> 235 2.7.0', '=== login alice@example.org',
                 '<~  mail FROM:<traced@example.org>', 'user "alice@example.org"'):
        check(line in text, f'{line} is not in {text}')
    lines = [json.loads(line) for line in machines.text().splitlines()]
    check({'client', 'server', 'note'} == {line['from'] for line in lines}, 'who speaks')
    for secret in ('correct horse', 'upstream secret', 'Y29ycmVjdCBob3JzZ', 'dXBzdHJlYW0gc2Vjc'):
        check(secret not in text + machines.text(), f'{secret} is shown')
    for follower in (people, machines):
        follower.process.send(signal.SIGINT)
        check_equal(follower.process.wait(), 0)
    check('\033' not in text, 'colour into a file')


def test_trace_finds_what_was_said_before_login_and_message_were_known(stage):
    frank, hop = relay(stage, users=USERS)
    send(frank, sender='waits@example.org')
    waiting = frank.queue()[0]['id']
    login, client, message, other, _ = followers(
        stage, frank, ['--login', 'alice@example.org'], ['--client', '127.0.0.9/32'],
        ['--message', waiting], ['--hop', 'lmtp'], ['--json'])
    with clients.connect(frank.submission, 'starttls', login='alice@example.org',
                         password='correct horse') as session:
        session.sendmail('traced@example.org', [clients.RECIPIENT], clients.MESSAGE)
    text = login.wait('mail FROM:<traced@example.org>')
    check('220 relay.example.org' in text and 'STARTTLS' in text, text)
    check('FROM:<alice@example.org>' not in text, 'sessions without the login')
    with socket.create_connection(('127.0.0.1', frank.port), source_address=('127.0.0.9', 0)) as raw:
        raw.sendall(b'NOOP from nine\r\n')
        check('220 relay' in client.wait('NOOP from nine'), 'from the beginning')
    hop.open()
    run(frank, 'queue', 'retry', '--all')
    text = message.wait('MAIL FROM:<waits@example.org>')
    check('220 scripted.test' in text or 'RSET' in text or 'EHLO' in text, text)
    hop.wait_messages(2)
    check('traced@example.org' not in message.text(), 'other messages')
    check_equal(other.text(), '')


def test_a_follower_that_does_not_read_loses_lines_and_holds_nobody_up(stage):
    frank, hop = relay(stage, down=False, plain=True)
    still = ask(frank, {'command': 'trace'})
    wait_for(lambda: send(frank) or still.recv(1, socket.MSG_PEEK), 'it is followed')
    before = frank.memory()
    smtp_source(frank.port, 10000, sessions=20, size=200, kept=True)
    run(frank, 'status')
    check(frank.memory() - before < 64 << 20, f'{(frank.memory() - before) >> 10} KiB more')

    def told():
        send(frank)
        still.settimeout(0.5)
        try:
            return b'were left out' in still.recv(1 << 20)
        except TimeoutError:
            return False
    wait_for(told, 'it is told how much it has missed', 30)
    still.close()
    send(frank)
    run(frank, 'status')


# ---- the socket ----

def ask(frank, request):
    """A connection to the admin socket, with a request on its way."""
    client = socket.socket(socket.AF_UNIX)
    client.settimeout(20)
    client.connect(frank.socket)
    client.sendall(request if isinstance(request, bytes) else
                   json.dumps(request).encode() + b'\n')
    return client


def answer(client):
    """All lines until the relay closes."""
    text = b''
    while piece := client.recv(1 << 16):
        text += piece
    client.close()
    return [json.loads(line) for line in text.splitlines()]


def test_bad_requests_get_an_error_and_others_are_not_disturbed(stage):
    frank, _ = relay(stage)
    for request in (b'banana\n', b'\n', b'[]\n', b'"status"\n', b'{"command":\n', b'{}\n',
                    b'{"command":"banana"}\n', b'{"command":7}\n', b'{"command":"queue"}\n',
                    b'{"command":"status","command":"status"}\n',
                    b'{"command":"queue show","ids":["x"]}\n', b'{"command":"queue drop"}\n',
                    b'{"command":"hop show"}\n', b'{"command":"trace","client":7}\n',
                    b'\x00\xff\xfe\n', b'{"command":"status\xff"}\n', b'[' * 30000 + b'\n',
                    b'x' * 40000 + b'\n', b'x' * 40000):
        lines = answer(ask(frank, request))
        check('error' in lines[0], f'{request[:40]}: {lines}')
        check_equal(lines[-1], {'end': 2}, str(request[:40]))
    for request in (b'', b'{"command":"status"}'):
        client = ask(frank, request)
        client.shutdown(socket.SHUT_WR)
        check_equal(answer(client), [], 'the line has no end')
    whole = ask(frank, {'command': 'queue list'})
    whole.shutdown(socket.SHUT_WR)
    check_equal(answer(whole), [{'end': 0}], 'who says no more still gets the answer')
    run(frank, 'status')


def test_too_many_clients_are_turned_away_and_idle_ones_end(stage):
    frank, _ = relay(stage)
    idle = [ask(frank, b'') for _ in range(32)]
    run(frank, 'status', status=3)
    idle[0].settimeout(20)
    check_equal(idle[0].recv(1), b'', 'nothing was asked for ten seconds')
    wait_for(lambda: frank.command('status').returncode == 0, 'there is room again')


def test_clients_that_leave_in_the_middle_leave_no_trace(stage):
    frank, hop = relay(stage)
    smtp_source(frank.port, 500, sessions=10, kept=True)
    for request in ({'command': 'queue list'}, {'command': 'status'}, {'command': 'trace'},
                    {'command': 'queue hold', 'all': True},
                    {'command': 'queue release', 'all': True},
                    {'command': 'queue retry', 'all': True}) * 5:
        ask(frank, request).close()
    check_equal(len(frank.queue()), 500)
    frank.json('queue', 'release', '--all')
    # Nothing stays frozen: mail flows on.
    hop.open()
    run(frank, 'queue', 'run')
    hop.wait_messages(500)


def test_stopping_ends_who_asks_and_follows(stage):
    frank, _ = relay(stage)
    smtp_source(frank.port, 2000, sessions=10, kept=True)
    follower, list_reader = ask(frank, {'command': 'trace'}), ask(frank, {'command': 'queue list'})
    check(list_reader.recv(1), 'it has begun')
    check_equal(frank.stop(), 0, frank.log_text())
    follower.settimeout(10)
    while follower.recv(65536):
        pass


def test_the_socket_is_for_its_group_only(stage):
    frank, _ = relay(stage)
    check_equal(stat.S_IMODE(os.stat(frank.socket).st_mode), 0o660)


test_a_list_of_thousands_is_whole_and_costs_no_memory.timeout = 120
test_a_follower_that_does_not_read_loses_lines_and_holds_nobody_up.timeout = 120
