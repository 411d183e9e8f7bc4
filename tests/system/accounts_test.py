# SPDX-License-Identifier: MIT
"""How Frank signs in at next hops that are odd, and what it does when it may not: scripted hops."""
import base64
import os
import threading
import time

from peers import clients, scripted
from peers.certificate import Certificate
from peers.frank import Frank
from peers.scripted import CLOSE, ScriptedServer
from peers.stage import check, check_equal, wait_for

IN_CLEAR = 'cleartext-auth yes;'


def send(frank, sender=clients.SENDER, count=1):
    with clients.connect(frank.port) as client:
        for _ in range(count):
            client.sendmail(sender, [clients.RECIPIENT], clients.MESSAGE)


def secret(stage, text='secret', name='password'):
    return stage.write(name, text + '\n', 0o600)


def route(stage, hop, more='', login='test', text='secret'):
    path = secret(stage, text)
    return (f'route * {{ via smtp://127.0.0.1:{hop.port}; login {login}; password-file {path}; '
            f'{IN_CLEAR} {more} }}')


def the_hop(frank):
    return frank.json('hop', 'show', '127.0.0.1')['items'][0]


def paused(frank, *words):
    """Waits until the one hop is paused with these words as the reason."""
    wait_for(lambda: all(word in the_hop(frank).get('why', '') for word in words),
             f'the hop is paused: {" ".join(words)}')
    return the_hop(frank)


# ---- accounts

def test_two_accounts_on_one_server_sign_in_each_for_its_own_senders(stage):
    hop = ScriptedServer(stage, ehlo=['AUTH PLAIN', 'PIPELINING'],
                         users={'one': 'first', 'two': 'second'})
    frank = Frank(stage, f'''
        account a {{ login one; password-file {secret(stage, 'first', 'a')}; }}
        account b {{ login two; password-file {secret(stage, 'second', 'b')}; }}
        route * {{ match sender *@one.example; via smtp://127.0.0.1:{hop.port}; account a; {IN_CLEAR} }}
        route * {{ via smtp://127.0.0.1:{hop.port}; account b; {IN_CLEAR} }}''')
    with clients.connect(frank.port) as client:
        for i in range(100):
            client.sendmail(f'x@{("one", "two")[i % 2]}.example', [clients.RECIPIENT],
                            clients.MESSAGE)
    hop.wait_messages(100)
    for session in hop.sessions:
        if session.messages:
            check_equal(len(session.logins), 1)
            own = f'x@{session.logins[0][1]}.example'
            check_equal({message[0] for message in session.messages}, {own})
    check_equal({login for session in hop.sessions for login in session.logins},
                {('PLAIN', 'one', 'first'), ('PLAIN', 'two', 'second')})


def test_a_password_that_was_changed_is_read_again_after_a_refusal(stage):
    hop = ScriptedServer(stage, ehlo=['AUTH PLAIN'], users={'test': 'new'})
    frank = Frank(stage, route(stage, hop, text='old'))
    secret(stage, 'new')
    send(frank)
    hop.wait_messages(1)
    check_equal([login[2] for login in hop.logins()], ['old', 'new'])
    frank.wait_event('password-changed')


def test_a_password_that_is_the_same_is_not_tried_again(stage):
    hop = ScriptedServer(stage, ehlo=['AUTH PLAIN'], users={'test': 'another'})
    frank = Frank(stage, route(stage, hop))
    send(frank, count=3)
    paused(frank, '535 5.7.8')
    # The look at the file has come and gone once a later reload is through.
    check(frank.reload(), 'the reload is taken')
    wait_for(lambda: len(hop.logins()) == 2, 'a reload tries once more')
    check_equal(frank.events('password-changed'), [])


def test_a_password_command_that_hangs_stops_nothing(stage):
    hop = ScriptedServer(stage, ehlo=['AUTH PLAIN'])
    gate = stage.write('gate', '')
    os.unlink(gate)
    os.mkfifo(gate)
    program = stage.write('program', f'#!/bin/sh\necho talk >&2\ncat {gate}\n', 0o755)
    frank = Frank(stage, route(stage, hop))
    frank.configure(routes=f'route * {{ via smtp://127.0.0.1:{hop.port}; login test; '
                           f'password-command {program}; {IN_CLEAR} }}')
    frank.process.send(1)	# SIGHUP
    send(frank, count=20)
    hop.wait_messages(20)
    check_equal(frank.events('reload-refused'), [])
    refused = frank.wait_event('reload-refused', timeout=20)[0]
    check('has not ended after 10 s: talk' in refused, refused)
    send(frank)
    hop.wait_messages(21)


def three_routes(stage, hop, account):
    """One account at one server, chosen by three routes that differ in something else."""
    via = f'via smtp://127.0.0.1:{hop.port}; account {account}; {IN_CLEAR}'
    return ' '.join(f'route *@{letter}.example {{ {via} connections-max {number}; }}'
                    for number, letter in enumerate('abc', 1))


def send_by_three_routes(frank, count):
    with clients.connect(frank.port) as client:
        for i in range(count):
            client.sendmail(clients.SENDER, [f'x@{"abc"[i % 3]}.example'], clients.MESSAGE)


def all_paused(frank):
    items = frank.json('hop', 'list')['items']
    return len(items) == 3 and all('535 5.7.8' in item.get('why', '') for item in items)


def test_a_refused_account_is_left_alone_by_every_route(stage):
    sent = threading.Event()

    def hold(session, argument):
        check(sent.wait(30), 'all is sent while the first one signs in')
        return hop.on_auth(session, argument)
    hop = ScriptedServer(stage, ehlo=['AUTH PLAIN', 'PIPELINING'], users={'test': 'new'},
                         replies={'AUTH': hold})
    frank = Frank(stage, three_routes(stage, hop, 'up'),
                  extra=f'account up {{ login test; password-file {secret(stage)}; }}')
    began = time.time()
    send_by_three_routes(frank, 30)
    wait_for(lambda: hop.sessions and 'AUTH' in hop.sessions[0].verbs(), 'the first one signs in')
    sent.set()
    wait_for(lambda: all_paused(frank), 'all three are paused')
    check_equal(len(hop.logins()), 1, 'one route has asked for all of them')
    items = sorted(frank.json('hop', 'list')['items'], key=lambda item: item['paused_until'])
    for item in items[1:]:
        check(item['why'].startswith(f'{items[0]["hop"]} has the same account and was refused: '),
              item['why'])
        check(item['paused_until'] > items[0]['paused_until'], 'the first of them probes')
    status = frank.command('status')
    check_equal(status.returncode, 1, 'somebody is needed')
    check_equal(status.stdout.count(b'535 5.7.8') >= 3, True, status.stdout.decode())
    wait_for(lambda: time.time() > began + 60, 'the minute is over', timeout=70)
    check(len(hop.logins()) <= 2, f'{len(hop.logins())} attempts in a minute')
    wait_for(lambda: len(hop.logins()) == 2, 'one probes', timeout=30)
    wait_for(lambda: all_paused(frank), 'and all are paused again')
    # Forgetting a sibling frees all: the first who asks decides again.
    frank.command('hop', 'forget', items[2]['hop'])
    wait_for(lambda: len(hop.logins()) == 3 and all_paused(frank), 'one attempt more')
    # So does a reload.
    check(frank.reload(), 'the reload is taken')
    wait_for(lambda: len(hop.logins()) == 4 and all_paused(frank), 'and another one')
    check_equal(hop.messages(), [])
    hop.users['test'] = 'secret'
    frank.command('hop', 'forget', items[1]['hop'])
    hop.wait_messages(30)
    frank.wait_queue_empty()
    check_equal([item['hop'] for item in frank.json('hop', 'list')['items'] if 'why' in item], [])


test_a_refused_account_is_left_alone_by_every_route.timeout = 240


def test_mail_for_a_new_hop_waits_with_its_siblings(stage):
    hop = ScriptedServer(stage, ehlo=['AUTH PLAIN', 'PIPELINING'], users={'test': 'new'})
    frank = Frank(stage, three_routes(stage, hop, 'up'),
                  extra=f'account up {{ login test; password-file {secret(stage)}; }}')
    for letter in 'abc':
        with clients.connect(frank.port) as client:
            client.sendmail(clients.SENDER, [f'x@{letter}.example'], clients.MESSAGE)
        frank.wait_event('hop-paused', '535 5.7.8', count='abc'.index(letter) + 1)
    check_equal(len(hop.logins()), 1)
    # With another account, or at another server, nothing is shared.
    other = ScriptedServer(stage, ehlo=['AUTH PLAIN'], users={'test': 'secret'})
    frank.configure(routes=f'route * {{ via smtp://127.0.0.1:{other.port}; account up; {IN_CLEAR} }}')
    check(frank.reload(), 'the reload is taken')
    other.wait_messages(3)


def test_sessions_from_before_a_refusal_prove_nothing(stage):
    gate = threading.Event()

    def hold(session, content):
        if session.messages:
            check(gate.wait(20), 'the test lets it go')
        return '250 2.0.0 Ok'
    hop = ScriptedServer(stage, ehlo=['AUTH PLAIN'], users={'test': 'secret'}, replies={'.': hold})
    frank = Frank(stage, three_routes(stage, hop, 'up'),
                  extra=f'account up {{ login test; password-file {secret(stage)}; }}')

    def say(letter):
        with clients.connect(frank.port) as client:
            client.sendmail(clients.SENDER, [f'x@{letter}.example'], clients.MESSAGE)
    say('a')
    hop.wait_messages(1)
    frank.wait_queue_empty()
    say('a')
    wait_for(lambda: hop.sessions[0].verbs().count('DATA') == 2, 'a message is under way')
    hop.users['test'] = 'another'
    say('b')
    frank.wait_event('hop-paused', '535 5.7.8', count=2)
    gate.set()
    hop.wait_messages(2)
    frank.wait_event('delivered', count=2)
    say('a')
    frank.wait_event('message-accepted', count=4)
    wait_for(lambda: sum('why' in item for item in frank.json('hop', 'list')['items']) == 2,
             'both are paused still')
    check_equal((len(hop.logins()), len(hop.messages())), (2, 2))
    check_equal(frank.events('hop-resumed'), [])


def test_a_slow_first_message_of_one_route_holds_no_other_up(stage):
    gate = threading.Event()

    def hold(session, content):
        if session.number == 0:
            check(gate.wait(20), 'the test lets it go')
        return '250 2.0.0 Ok'
    hop = ScriptedServer(stage, ehlo=['AUTH PLAIN'], replies={'.': hold})
    frank = Frank(stage, three_routes(stage, hop, 'up'),
                  extra=f'account up {{ login test; password-file {secret(stage)}; }}')
    send_by_three_routes(frank, 3)
    hop.wait_messages(2)
    wait_for(lambda: len(frank.queue()) == 1, 'one is left')
    gate.set()
    hop.wait_messages(3)


# ---- the ladder

def test_a_hop_that_ignores_initial_responses_is_remembered(stage):
    def ignore(session, argument):
        mechanism, _, initial = argument.partition(' ')
        name, password = session.ask('Username:'), None
        if name is not None:
            password = session.ask('Password:')
        if name is None or password is None:
            return '501 5.7.0 Authentication aborted'
        return session.server.judge(session, mechanism, name, password)
    hop = ScriptedServer(stage, ehlo=['AUTH LOGIN'], replies={'AUTH': ignore},
                         users={'test': 'secret'})
    frank = Frank(stage, route(stage, hop, 'initial-response yes; messages-per-connection 1; '
                                           'connections-max 1;'))
    send(frank)
    hop.wait_messages(1)
    send(frank)
    hop.wait_messages(2)
    check('AUTH LOGIN' in hop.sessions[-1].lines, str(hop.sessions[-1].lines))
    check_equal(the_hop(frank)['initial_response'], 'no')
    check_equal(hop.sessions[-1].logins, [('LOGIN', 'test', 'secret')])


def test_what_was_learned_of_a_hop_outlives_a_restart(stage):
    hop = ScriptedServer(stage, ehlo=['AUTH LOGIN'],
                         replies={'AUTH': scripted.login_without_initial_response})
    frank = Frank(stage, route(stage, hop, 'initial-response yes;'))
    send(frank)
    hop.wait_messages(1)
    frank.wait_queue_empty()
    frank.wait_event('hop-learned', 'mechanism=LOGIN', 'initial-response=no')
    frank.restart()
    found = the_hop(frank)
    check_equal((found['worked'], found['initial_response']), ('LOGIN', 'no'))
    check('last_ok' in found, str(found))
    send(frank)
    hop.wait_messages(2)
    check_equal([line for line in hop.sessions[-1].lines if line.startswith('AUTH')],
                ['AUTH LOGIN'])
    check_equal(frank.command('hop', 'forget', '127.0.0.1').returncode, 0)
    frank.stop()
    stage.write(os.path.join(frank.state, 'hops.json'), '{"hops": [')
    frank.start()
    frank.wait_event('state-trouble', 'makes no sense')
    check('worked' not in the_hop(frank), 'nothing is known')


def test_a_hop_that_offers_only_what_cannot_work_is_paused_with_both_lists(stage):
    hop = ScriptedServer(stage, ehlo=['AUTH GSSAPI XOAUTH2'])
    frank = Frank(stage, route(stage, hop))
    send(frank)
    paused(frank, 'GSSAPI XOAUTH2', 'password')
    check_equal([line for line in hop.sessions[0].lines if line.startswith('AUTH')], [])
    check_equal(len(frank.queue()), 1)


def test_a_hop_that_closes_after_535_is_left_alone(stage):
    def refuse(session, argument):
        session.server.on_auth(session, argument)
        session.say('535 5.7.139 Authentication unsuccessful, basic authentication is disabled.')
        return CLOSE
    hop = ScriptedServer(stage, ehlo=['AUTH PLAIN LOGIN'], replies={'AUTH': refuse})
    frank = Frank(stage, route(stage, hop))
    send(frank, count=5)
    found = paused(frank, '535 5.7.139', 'switched sign-in with a password off', '"oauth" block')
    check('paused_until' in found, str(found))
    check_equal(len(hop.logins()), 1)
    check_equal(len(frank.queue()), 5)
    status = frank.command('status')
    check_equal(status.returncode, 1)
    check(b'5.7.139' in status.stdout, status.stdout.decode())
    del hop.replies['AUTH']
    check_equal(frank.command('hop', 'forget', '127.0.0.1').returncode, 0)
    hop.wait_messages(5)


def test_endless_challenges_end(stage):
    def ask_on(session, argument):
        session.say('334 ' + base64.b64encode(b'more').decode())
        while session.read_line() is not None:
            session.say('334 ' + base64.b64encode(b'more').decode())
        return CLOSE
    hop = ScriptedServer(stage, ehlo=['AUTH PLAIN LOGIN CRAM-MD5 SCRAM-SHA-256 NTLM DIGEST-MD5'],
                         replies={'AUTH': ask_on})
    frank = Frank(stage, route(stage, hop))
    send(frank)
    paused(frank, '127.0.0.1')
    wait_for(lambda: all(session.ended for session in hop.sessions), 'the session has ended')
    check_equal(len(frank.queue()), 1)


class LosesConnection(ScriptedServer):
    """Ends each of its first sessions one line later than the one before."""

    def __init__(self, *args, steps, **options):
        self.steps = steps
        super().__init__(*args, **options)

    def _converse(self, session):
        if session.number < self.steps:
            left = [session.number]
            read = session.read_line

            def counted():
                if left[0] == 0:
                    return None
                left[0] -= 1
                return read()
            session.read_line = counted
        super()._converse(session)


def test_a_connection_lost_at_any_step_costs_no_message(stage):
    # EHLO, AUTH, name, password, MAIL, RCPT, DATA: seven lines.
    hop = LosesConnection(stage, ehlo=['AUTH LOGIN'], steps=8)
    frank = Frank(stage, route(stage, hop, 'retry { first 1s; max 1s; }'))
    send(frank)
    message = hop.wait_messages(1, timeout=50)[0]
    check_equal(message[:2], (clients.SENDER, [clients.RECIPIENT]))
    frank.wait_queue_empty()
    check_equal(len(hop.messages()), 1)


def test_a_session_that_ends_while_a_key_is_derived_leaves_nothing(stage):
    def derive(session, argument):
        first = base64.b64decode(argument.partition(' ')[2]).decode()
        nonce = first.partition('r=')[2]
        salt = base64.b64encode(b'salt').decode()
        challenge = f'r={nonce}more,s={salt},i=2000000'
        session.say('334 ' + base64.b64encode(challenge.encode()).decode())
        return CLOSE
    hop = ScriptedServer(stage, ehlo=['AUTH SCRAM-SHA-256'], replies={'AUTH': derive})
    frank = Frank(stage, route(stage, hop))
    send(frank)
    paused(frank, 'closed')
    check_equal(frank.stop(), 0)


# ---- too many connections

class Crowded(ScriptedServer):
    """Takes so many sessions at once; where says at which step the others are told."""

    def __init__(self, stage, where, reply, most=2):
        self.most, self.inside, self.turned_away = most, set(), 0
        self.gate = threading.Lock()
        super().__init__(stage, ehlo=['AUTH PLAIN'], replies={where: self.enter, '.': self.hold})
        self.where, self.reply = where, reply

    def enter(self, session, argument):
        with self.gate:
            self.inside = {one for one in self.inside if not one.ended}
            if len(self.inside) >= self.most and session not in self.inside:
                self.turned_away += 1
                return self.reply
            self.inside.add(session)
        if self.where == 'CONNECT':
            return self.greeting
        return self.on_auth(session, argument) if self.where == 'AUTH' else self.on_mail(
            session, argument)

    def hold(self, session, content):
        # Messages take their time, so that more connections are wanted.
        threading.Event().wait(0.02)
        return '250 2.0.0 Ok'


def crowd(stage, where, reply):
    hop = Crowded(stage, where, reply)
    frank = Frank(stage, route(stage, hop, 'connections-max 8; retry { first 1s; max 1s; }'))
    send(frank, count=150)
    hop.wait_messages(150, timeout=50)
    check(hop.turned_away > 0, 'more connections were wanted')
    check_equal(frank.events('hop-paused'), [])
    return frank


def test_432_lowers_the_ceiling_and_opens_no_circuit(stage):
    frank = crowd(stage, 'AUTH', '432 4.3.2 Concurrent connections limit exceeded. Visit '
                                 'https://aka.ms/concurrent_sending for more information.')
    line = frank.wait_event('hop-crowded', '432 4.3.2')[0]
    check('connections-max=' in line and 'too many connections' in line, line)


def test_a_greeting_of_too_many_connections_is_no_failure(stage):
    frank = crowd(stage, 'CONNECT', '421 4.3.2 The maximum number of concurrent server '
                                    'connections has exceeded a limit, closing transmission '
                                    'channel')
    frank.wait_event('hop-crowded', '421 4.3.2')


def test_432_in_a_transaction_delays_that_message_alone(stage):
    frank = crowd(stage, 'MAIL', '432 4.3.2 STOREDRV.ClientSubmit; sender thread limit exceeded')
    frank.wait_event('deferred', '432 4.3.2')
    check(the_hop(frank)['width'] <= 4, f'fewer are allowed: {the_hop(frank)}')


# ---- route test --connect

def connect(frank, *options):
    return frank.command('route', 'test', '--from', clients.SENDER, '--to', clients.RECIPIENT,
                         '--connect', *options)


def test_connect_signs_in_and_leaves_before_mail(stage):
    hop = ScriptedServer(stage, ehlo=['AUTH CRAM-MD5 PLAIN'], users={'test': 'secret'})
    frank = Frank(stage, route(stage, hop), start=False)
    done = connect(frank)
    text = done.stdout.decode()
    check_equal(done.returncode, 0, text + done.stderr.decode())
    check(' -> AUTH CRAM-MD5' in text and 'Signed in: ' in text and 'CRAM-MD5, in clear' in text,
          text)
    check('secret' not in text, text)
    session = hop.wait_sessions(1)[0]
    check_equal([verb for verb in session.verbs() if verb in ('MAIL', 'QUIT')], ['QUIT'])
    answer = frank.json('route', 'test', '--from', clients.SENDER, '--to', clients.RECIPIENT,
                        '--connect')
    check_equal(answer['verdict']['accepted'], True)
    check_equal(answer['verdict']['mechanism'], 'CRAM-MD5')
    check(answer['dialogues'][0]['lines'], 'there is a dialogue')


def test_connect_says_why_it_is_not_let_in(stage):
    hop = ScriptedServer(stage, ehlo=['AUTH PLAIN'], users={'test': 'other'})
    frank = Frank(stage, route(stage, hop), start=False)
    done = connect(frank)
    check_equal(done.returncode, 1, done.stdout.decode())
    check(b'535 5.7.8' in done.stdout, done.stdout.decode())
    hop.shut()
    done = connect(frank)
    check_equal(done.returncode, 3, done.stdout.decode())
    frank.configure(routes='route * { via discard; }')
    done = connect(frank)
    check_equal(done.returncode, 1, done.stderr.decode())
    check(b'no server' in done.stderr, done.stderr.decode())


def test_route_test_shows_what_the_relay_has_learned(stage):
    hop = ScriptedServer(stage, ehlo=['AUTH PLAIN LOGIN'],
                         replies={'AUTH': scripted.login_without_initial_response})
    frank = Frank(stage, route(stage, hop, 'mechanisms LOGIN;'))
    send(frank)
    hop.wait_messages(1)
    frank.wait_queue_empty()
    done = frank.command('route', 'test', '--from', clients.SENDER, '--to', clients.RECIPIENT)
    text = done.stdout.decode()
    check('offers PLAIN LOGIN' in text and 'LOGIN worked without an initial response' in text,
          text)
    check('mechanisms        LOGIN: ' in text, text)


# ---- send

def test_send_signs_in_with_a_token(stage):
    hop = ScriptedServer(stage, ehlo=['AUTH PLAIN XOAUTH2 OAUTHBEARER'],
                         users={'test': 'token-ABC.123'})
    frank = Frank(stage, start=False)
    path = secret(stage, 'token-ABC.123', 'token')
    options = [f'smtp://127.0.0.1:{hop.port}', '--from', clients.SENDER, '--to',
               clients.RECIPIENT, '--login', 'test', '--cleartext-auth', '--token-file']
    for mechanism in 'XOAUTH2', 'OAUTHBEARER':
        done = clients.run([frank.binary, 'send', *options, path, '--mechanism', mechanism])
        text = done.stdout.decode()
        check_equal(done.returncode, 0, text + done.stderr.decode())
        check(f'AUTH {mechanism}' in text and 'ABC' not in text, text)
    done = clients.run([frank.binary, 'send', *options, secret(stage, 'wrong', 'wrong')])
    text = done.stdout.decode()
    check_equal(done.returncode, 1, text)
    check('535 5.7.3' in text and 'SMTP.Send' in text, text)
    done = clients.run([frank.binary, 'send', *options, secret(stage, 'two words', 'words')])
    check_equal(done.returncode, 3, done.stdout.decode())


def test_a_certificate_that_nobody_asked_for_is_said(stage):
    certificate, ours = Certificate(stage), Certificate(stage, name='relay.example.org')
    said = 'the server did not ask for the certificate in the TLS handshake'
    hop = ScriptedServer(stage, ehlo=['STARTTLS', 'AUTH EXTERNAL PLAIN'], certificate=certificate)
    frank = Frank(stage, f'route * {{ via submission://localhost:{hop.port}; account up; '
                         f'mechanisms EXTERNAL; tls-trust {certificate.certificate}; }}',
                  extra=f'account up {{ certificate {ours.certificate}; key {ours.key}; }}')
    options = [f'submission://localhost:{hop.port}', '--from', clients.SENDER, '--to',
               clients.RECIPIENT, '--tls-trust', certificate.certificate,
               '--certificate', ours.certificate, '--key', ours.key]
    for more in ['--mechanism', 'EXTERNAL'], ['--login', 'test'], []:
        done = clients.run([frank.binary, 'send', *options, *more])
        text = done.stdout.decode()
        check_equal(done.returncode, 1, text + done.stderr.decode())
        check(said in text and 'password is empty' not in text, text)
    done = connect(frank)
    check_equal(done.returncode, 1, done.stdout.decode())
    check(said in done.stdout.decode(), done.stdout.decode())
    send(frank)
    frank.wait_event('hop-paused', said)
    check_equal(hop.logins(), [])


def echo(text, challenge=None):
    """AUTH at a hop that repeats what it was sent: {argument}, {payload} and {password}."""
    def auth(session, argument):
        payload = argument.partition(' ')[2]
        said = base64.b64decode(payload).decode()
        password = said.rpartition('\0')[2] if '\0' in said else said.split('\x01')[1].split(' ')[1]
        words = {'argument': argument, 'payload': payload, 'password': password,
                 'encoded': base64.b64encode(password.encode()).decode()}
        if challenge:
            session.say('334 ' + challenge.format(**words))
            session.read_line()
        return text.format(**words)
    return auth


def test_a_hop_that_repeats_a_secret_does_not_show_it(stage):
    password, token = 'Sesame-opn7', 'ya29.A0-token_' + 'x1y2' * 300
    hop = ScriptedServer(stage, ehlo=['AUTH PLAIN XOAUTH2'])
    frank = Frank(stage, route(stage, hop, text=password), extra='retry { first 1s; max 1s; }')
    trace = stage.start([frank.binary, 'trace', '--follow', '-c', frank.configuration],
                        env=frank.env)
    options = [f'smtp://127.0.0.1:{hop.port}', '--from', clients.SENDER, '--to',
               clients.RECIPIENT, '--login', 'test', '--cleartext-auth']
    shown = []
    send(frank)
    for marker, answer in (('one', echo('535 5.7.8 one: AUTH {argument}')),
                           ('two', echo('535-5.7.8 two\r\n535 5.7.8 {password} is wrong')),
                           ('three', echo('535 5.7.8 three {encoded}', 'said:{password}')),
                           ('four', echo('454 4.7.0 four {password}', '{encoded}')),
                           ('five', echo('five? AUTH {argument}')),
                           ('six', echo('421 4.7.0 six "{payload}"'))):
        hop.replies['AUTH'] = answer
        frank.command('hop', 'forget', '127.0.0.1')
        shown.append(str(paused(frank, marker, '[hidden]')))
        for secret_option in (['--password-file', secret(stage, password)],
                              ['--token-file', secret(stage, token, 'token')]):
            done = clients.run([frank.binary, 'send', *options, *secret_option])
            shown.append(done.stdout.decode() + done.stderr.decode())
            check(marker in shown[-1] and '[hidden]' in shown[-1], shown[-1])
    done = connect(frank)
    shown.append(done.stdout.decode() + done.stderr.decode())
    del hop.replies['AUTH']
    payload = base64.b64encode(f'\0test\0{password}'.encode()).decode()
    hop.replies['RCPT'] = f'451 4.3.0 seven {payload}'
    frank.command('hop', 'forget', '127.0.0.1')
    frank.wait_event('deferred', 'seven [hidden]')
    wait_for(lambda: 'seven' in trace.text(), 'the trace shows it')
    wait_for(lambda: 'seven' in str(frank.queue()), 'the queue shows it')
    shown += [trace.text(), frank.log_text(), str(frank.queue())]
    check('five? AUTH PLAIN [hidden]' in trace.text(), trace.text())
    check('seven [hidden]' in shown[-1], shown[-1])
    pieces = [password, payload[-12:], base64.b64encode(password.encode()).decode()[:-2],
              token[:20], token[-20:], base64.b64encode(token.encode()).decode()[40:60]]
    for text in shown:
        for piece in pieces:
            check(piece.lower() not in text.lower(), f'{piece} is shown in: {text}')


# ---- what refusals mean

def test_a_sender_that_is_not_the_logins_own_is_explained(stage):
    hop = ScriptedServer(stage, replies={'MAIL': '550 5.7.60 SMTP; Client does not have '
                                                 'permissions to send as this sender'})
    bounces = ScriptedServer(stage)
    frank = Frank(stage, f'''
        route *@example.org {{ via smtp://127.0.0.1:{bounces.port}; }}
        route * {{ via smtp://127.0.0.1:{hop.port}; }}''')
    send(frank)
    line = frank.wait_event('bounced', '550 5.7.60')[0]
    check('means="the login has no right to send as this sender"' in line, line)
    check('do="\\"sender replace ADDRESS\\"' in line, line)
    text = ' '.join(bounces.wait_messages(1)[0][2].decode().split())
    check('That means: the login has no right to send as this sender.' in text, text)
    check('"sender replace ADDRESS" and "header-from keep-name" in the route' in text, text)
    done = clients.run([frank.binary, 'send', f'smtp://127.0.0.1:{hop.port}', '--from',
                        clients.SENDER, '--to', clients.RECIPIENT])
    check_equal(done.returncode, 1)
    check(b'That means: the login has no right' in done.stdout, done.stdout.decode())
