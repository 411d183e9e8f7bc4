# SPDX-License-Identifier: MIT
"""The OAuth keeper and `frank token`, against an identity provider that a test can make misbehave."""
import json
import os
import pwd
import re
import signal
import socket
import stat
import subprocess
import threading
import time
import urllib.error
import urllib.request

from peers import clients
from peers.certificate import Certificate
from peers.frank import Frank
from peers.identity_provider import (HALF, NOTHING, IdentityProvider, Raw, Refusal, hop_for)
from peers.scripted import ScriptedServer
from peers.stage import Failure, check, check_equal, run, wait_for

LOGIN = 'scan@contoso.test'


def make_hop(stage, provider, **options):
    return ScriptedServer(stage, ehlo=['AUTH XOAUTH2', 'PIPELINING'], certificate=provider.certificate,
                          implicit_tls=True, replies={'AUTH': hop_for(provider)}, **options)


def route(provider, hop, account='ms', more=''):
    return (f'route * {{ via smtps://localhost:{hop.port}; account {account}; '
            f'tls-trust {provider.certificate.certificate}; {more} }}')


def send(frank, count=1):
    with clients.connect(frank.port) as client:
        for _ in range(count):
            client.sendmail(clients.SENDER, [clients.RECIPIENT], clients.MESSAGE)


def token_list(frank, status=None):
    done = frank.command('token', 'list', '--json')
    if status is not None:
        check_equal(done.returncode, status, 'exit status of token list')
    return {item['account']: item for item in json.loads(done.stdout)['items']}


def begin_login(frank, account='ms', *options, stdin=None):
    """Starts `frank token login` and leaves it waiting."""
    return frank.stage.start([frank.binary, 'token', 'login', account, *options, '-c',
                              frank.configuration], env=frank.env)


def said(process, pattern, timeout=10):
    """What it printed that fits the pattern."""
    wait_for(lambda: re.search(pattern, process.text()) or not process.running(),
             f'it prints {pattern}', timeout)
    found = re.search(pattern, process.text())
    check(found, f'{pattern} was not printed: {process.text()}')
    return found.group(1) if found.groups() else found.group(0)


def sign_in(frank, provider, account='ms', login=LOGIN):
    process = begin_login(frank, account)
    provider.approve(said(process, r'enter the code (\S+)'), login)
    check_equal(process.wait(), 0, process.text())
    return process


def token_file(frank, account='ms'):
    with open(os.path.join(frank.state, 'tokens', account + '.json')) as stream:
        return json.load(stream)


def wait_state(frank, state, account='ms', timeout=20):
    wait_for(lambda: token_list(frank).get(account, {}).get('state') == state,
             f'account {account} is {state}', timeout, interval=0.1)


def connect(frank):
    return frank.command('route', 'test', '--from', clients.SENDER, '--to', clients.RECIPIENT,
                         '--connect', timeout=90)


# ---- signing in ----

def test_after_a_device_sign_in_a_running_relay_delivers_at_once(stage):
    provider = IdentityProvider(stage)
    hop = make_hop(stage, provider)
    frank = Frank(stage, route(provider, hop), extra=provider.account('ms', LOGIN))
    send(frank)
    wait_for(lambda: any('frank token login ms' in r.get('reply', '') for item in frank.queue()
                         for r in item['recipients']) or
             any('frank token login ms' in line for line in frank.events('hop-paused')),
             'somebody is told to sign in')
    check_equal(token_list(frank, 1)['ms']['state'], 'broken')
    status = frank.command('status')
    check_equal(status.returncode, 1)
    check(b'frank token login ms' in status.stdout, status.stdout.decode())
    check_equal(hop.logins(), [], 'nobody signs in without a token')
    sign_in(frank, provider)
    hop.wait_messages(1)
    frank.wait_queue_empty()
    item = token_list(frank, 0)['ms']
    check_equal((item['state'], item['flow'], item['login']), ('valid', 'device', LOGIN))
    check_equal(len(provider.refreshes()), 0, 'the first token is used as long as it lasts')
    path = os.path.join(frank.state, 'tokens', 'ms.json')
    check_equal(stat.S_IMODE(os.stat(path).st_mode), 0o600, 'mode of the file')
    check_equal(stat.S_IMODE(os.stat(os.path.dirname(path)).st_mode), 0o700)


def test_a_device_code_that_is_declined_or_too_late_is_said_in_words(stage):
    provider = IdentityProvider(stage)
    frank = Frank(stage, extra=provider.account('ms', LOGIN), start=False)
    process = begin_login(frank)
    provider.deny(said(process, r'enter the code (\S+)'))
    check_equal(process.wait(), 1)
    check('declined' in process.text(), process.text())
    provider.device_lifetime = 2
    process = begin_login(frank)
    check_equal(process.wait(), 1)
    check('start again' in process.text(), process.text())
    check(not os.path.exists(os.path.join(frank.state, 'tokens', 'ms.json')), 'nothing is stored')


def test_slow_down_makes_the_polling_slower(stage):
    provider = IdentityProvider(stage)
    polls = []

    def answer(path, form):
        if path != 'token':
            return None
        polls.append(time.monotonic())
        return Refusal('slow_down') if len(polls) == 1 else None
    provider.answer = answer
    frank = Frank(stage, extra=provider.account('ms', LOGIN), start=False)
    process = begin_login(frank)
    provider.approve(said(process, r'enter the code (\S+)'), LOGIN)
    check_equal(process.wait(), 0, process.text())
    check_equal(len(polls), 2)
    check(5.8 < polls[1] - polls[0] < 9, f'{polls[1] - polls[0]:.1f} s between polls')


def test_an_authorization_code_comes_back_over_the_loopback_port(stage):
    provider = IdentityProvider(stage)
    hop = make_hop(stage, provider)
    frank = Frank(stage, route(provider, hop), extra=provider.account('ms', LOGIN, 'code'))
    port = stage.port()
    process = begin_login(frank, 'ms', '--port', port)
    address = said(process, r'(https://localhost\S+[?]\S+)')
    back = provider.browse(address, LOGIN)
    check(back.startswith(f'http://127.0.0.1:{port}/?'), back)
    for wrong in (re.sub(r'state=[^&]*', 'state=other', back), back.partition('?')[0],
                  re.sub(r'state=[^&]*&?', '', back)):
        try:
            urllib.request.urlopen(wrong, timeout=10)
            raise Failure(f'{wrong} was taken')
        except urllib.error.HTTPError as error:
            check(error.code in (400, 404), str(error))
    check(process.running(), 'it still waits')
    check_equal(provider.asked(grant_type='authorization_code'), [])
    with urllib.request.urlopen(back, timeout=10) as page:
        check(b'Close this window' in page.read(), 'the page says that it worked')
    check_equal(process.wait(), 0, process.text())
    send(frank)
    hop.wait_messages(1)


def test_the_redirected_address_can_be_pasted(stage):
    provider = IdentityProvider(stage)
    frank = Frank(stage, extra=provider.account('ms', LOGIN, 'code'), start=False)
    reading, writing = os.pipe()
    output = stage.path('login.out')
    with open(output, 'wb') as stream:
        process = subprocess.Popen([frank.binary, 'token', 'login', 'ms', '-c', frank.configuration],
                                   stdin=reading, stdout=stream, stderr=stream)
    stage.defer(lambda: process.poll() is None and process.kill())
    os.close(reading)

    def text():
        with open(output) as stream:
            return stream.read()
    wait_for(lambda: 'Waiting' in text(), 'it waits')
    back = provider.browse(re.search(r'(https://localhost\S+[?]\S+)', text()).group(1), LOGIN)
    os.write(writing, b'http://127.0.0.1:1/?code=x&state=y\n')
    wait_for(lambda: 'another one' in text(), 'a strange address is refused')
    os.write(writing, back.encode() + b'\r\n')
    check_equal(process.wait(20), 0, text())
    os.close(writing)
    check(token_file(frank)['refresh_token'] in provider.refresh, 'the refresh token is stored')


def test_a_sign_in_that_is_refused_in_the_browser_ends_with_the_reason(stage):
    provider = IdentityProvider(stage)
    frank = Frank(stage, extra=provider.account('ms', LOGIN, 'code'), start=False)
    process = begin_login(frank)
    back = provider.browse(said(process, r'(https://localhost\S+[?]\S+)'), refuse=True)
    urllib.request.urlopen(back, timeout=10).close()
    check_equal(process.wait(), 1)
    check('refused' in process.text() and 'The user declined' in process.text(), process.text())


def test_client_credentials_and_service_accounts_get_tokens_by_themselves(stage):
    provider = IdentityProvider(stage, client_secret='sesame-open-7')
    hop = make_hop(stage, provider)
    accounts = (provider.account('app', LOGIN, 'client-credentials') +
                provider.service_account('robot', 'cron@example.test'))
    frank = Frank(stage, route(provider, hop, 'app', 'match sender scan@contoso.test;') +
                  route(provider, hop, 'robot'), extra=accounts)
    send(frank)
    hop.wait_messages(1)
    check_equal([login[1] for login in hop.logins()], ['cron@example.test'])
    check_equal({name: item['state'] for name, item in token_list(frank, 0).items()},
                {'app': 'valid', 'robot': 'valid'})
    done = frank.command('token', 'login', 'app')
    check_equal(done.returncode, 0, done.stderr.decode())
    check(b'by itself' in done.stdout, done.stdout.decode())
    check_equal(provider.asked(grant_type='client_credentials')[0]['form']['client_secret'],
                'sesame-open-7')


def test_the_tokens_belong_to_the_user_that_the_relay_runs_as(stage):
    if os.getuid() != 0:
        return
    provider = IdentityProvider(stage)
    hop = make_hop(stage, provider)
    frank = Frank(stage, route(provider, hop), extra='user nobody;' + provider.account('ms', LOGIN),
                  start=False)
    os.chmod(stage.directory, 0o755)
    sign_in(frank, provider)
    nobody = pwd.getpwnam('nobody').pw_uid
    for path in ('', 'tokens', 'tokens/ms.json', 'tokens/.ms.lock'):
        check_equal(os.stat(os.path.join(frank.state, path)).st_uid, nobody, path or 'state')
    provider.lifetime = 2		# so that the relay has to write the file
    frank.start()
    # What may not dump core belongs to root in /proc, whoever it runs as.
    check_equal(os.stat(f'/proc/{frank.pid}/environ').st_uid, 0, 'no core dump')
    send(frank)
    hop.wait_messages(1)
    sign_in(frank, provider)
    provider.wait_asked(2, grant_type='refresh_token')
    check_equal(provider.reused, [])


def test_errors_of_token_are_sentences(stage):
    provider = IdentityProvider(stage)
    password = stage.write('password', 'x\n', 0o600)
    frank = Frank(stage, extra=provider.account('ms', LOGIN) +
                  f'account plain {{ login x; password-file {password}; }}', start=False)
    for argv, status, words in (
            (('login',), 2, b'wants one account'), (('login', 'other'), 2, b'has no account other'),
            (('login', 'plain'), 2, b'has no oauth'), (('encrypt',), 2, b'neither list nor login'),
            ((), 2, b'list or login is missing'), (('list', 'ms'), 2, b'takes no name'),
            (('login', 'ms', '--port', '70000'), 2, b'there is no port')):
        done = frank.command('token', *argv)
        check_equal(done.returncode, status, f'{argv}')
        check(words in done.stderr, f'{argv}: {done.stderr.decode()}')
    check_equal(frank.command('token', 'list').returncode, 1, 'nobody has signed in')


# ---- keeping tokens fresh ----

def test_a_token_that_expires_in_mid_queue_costs_no_message(stage):
    provider = IdentityProvider(stage, lifetime=3)
    hop = make_hop(stage, provider)
    more = 'messages-per-connection 5; connections-max 4; rate 40/s;'
    frank = Frank(stage, route(provider, hop, more=more), extra=provider.account('ms', LOGIN))
    sign_in(frank, provider)
    send(frank, 200)
    hop.wait_messages(200, timeout=50)
    frank.wait_queue_empty()
    check_equal(len(hop.messages()), 200)
    check(len(provider.refreshes()) >= 2, 'tokens were refreshed meanwhile')
    check(len({login[2] for login in hop.logins()}) >= 2, 'several tokens were used')
    check_equal(frank.events('bounced'), [])
    check_equal(provider.reused, [])


test_a_token_that_expires_in_mid_queue_costs_no_message.timeout = 120


def test_an_old_refresh_token_is_never_used_twice(stage):
    provider = IdentityProvider(stage, lifetime=2)
    frank = Frank(stage, extra=provider.account('ms', LOGIN))
    sign_in(frank, provider)
    provider.wait_asked(3, grant_type='refresh_token')
    frank.restart()
    provider.wait_asked(5, grant_type='refresh_token')
    check_equal(frank.stop(), 0)
    used = [r['form']['refresh_token'] for r in provider.refreshes()]
    check_equal(len(used), len(set(used)), 'each refresh token is used once')
    check_equal(provider.reused, [])
    check(token_file(frank)['refresh_token'] not in used, 'what is stored is the newest one')


def test_an_account_whose_sign_in_was_revoked_waits_for_a_new_one(stage):
    provider = IdentityProvider(stage, lifetime=2)
    hop = make_hop(stage, provider)
    frank = Frank(stage, route(provider, hop), extra=provider.account('ms', LOGIN))
    sign_in(frank, provider)
    send(frank)
    hop.wait_messages(1)
    provider.revoke()
    wait_state(frank, 'broken')
    asked = len(provider.asked())
    send(frank, 3)
    item = token_list(frank, 1)['ms']
    check('frank token login ms' in item['last_error']['text'], str(item))
    check_equal(frank.command('status').returncode, 1)
    check_equal(len(frank.events('token-broken', 'revoked')), 1, 'logged lines')
    frank.restart()
    wait_state(frank, 'broken')
    check_equal(len(provider.asked()), asked, 'a dead refresh token is not tried again')
    provider.lifetime = 3600
    sign_in(frank, provider)
    hop.wait_messages(4)
    frank.wait_queue_empty()
    check_equal(frank.events('bounced'), [])
    check_equal(frank.command('status').returncode, 0)


def test_a_minute_without_the_provider_only_delays(stage):
    provider = IdentityProvider(stage, lifetime=4)
    hop = make_hop(stage, provider)
    frank = Frank(stage, route(provider, hop), extra=provider.account('ms', LOGIN))
    sign_in(frank, provider)
    provider.shut()
    wait_state(frank, 'pending')
    start = time.monotonic()
    send(frank, 5)
    wait_for(lambda: time.monotonic() - start > 60, 'the provider was down for a minute', 70)
    check_equal(hop.messages(), [])
    check('takes no connections' in token_list(frank)['ms']['last_error']['text'],
          str(token_list(frank)))
    check_equal(len(frank.events('token-trouble')), 1, 'one line for one trouble')
    provider.lifetime = 3600
    provider.open()
    hop.wait_messages(5, timeout=90)
    frank.wait_queue_empty()
    check_equal(frank.events('bounced'), [])
    check_equal(provider.reused, [])


test_a_minute_without_the_provider_only_delays.timeout = 240


def test_a_kill_after_a_rotated_token_came_loses_nothing(stage):
    provider = IdentityProvider(stage, lifetime=2)
    hop = make_hop(stage, provider)
    frank = Frank(stage, route(provider, hop), extra=provider.account('ms', LOGIN))
    sign_in(frank, provider)
    for _ in range(3):
        before = token_file(frank)['refresh_token']
        wait_for(lambda: token_file(frank)['refresh_token'] != before, 'a rotated token is stored',
                 interval=0.001)
        frank.kill()
        frank.start()
    send(frank)
    hop.wait_messages(1)
    provider.wait_asked(4, grant_type='refresh_token')
    used = [r['form']['refresh_token'] for r in provider.refreshes()]
    check_equal(len(used), len(set(used)), 'each refresh token is used once')
    check_equal(provider.reused, [])


def test_a_kill_before_a_rotated_token_came_is_mended_by_the_providers_grace(stage):
    provider = IdentityProvider(stage, lifetime=2, grace=True)
    frank = Frank(stage, extra=provider.account('ms', LOGIN))
    sign_in(frank, provider)
    killed = []

    def kill(path, answer):
        if path == 'token' and not killed:
            killed.append(os.kill(frank.pid, signal.SIGKILL))
    provider.before_answer = kill
    wait_for(lambda: not frank.process.running(), 'it was killed')
    frank.start()
    wait_state(frank, 'valid')
    provider.wait_asked(3, grant_type='refresh_token')
    check_equal(provider.reused, [])


def test_a_stop_in_the_middle_of_a_refresh_waits_for_it(stage):
    provider = IdentityProvider(stage, lifetime=2)
    frank = Frank(stage, extra=provider.account('ms', LOGIN))
    sign_in(frank, provider)
    before = token_file(frank)['refresh_token']
    stopping = threading.Event()

    def hold(path, answer):
        if path == 'token':
            frank.process.send(signal.SIGTERM)
            wait_for(lambda: frank.events('stopping'), 'it is stopping')
            stopping.set()
    provider.before_answer = hold
    check_equal(frank.process.wait(), 0)
    check(stopping.is_set(), 'the stop came in the middle')
    check(token_file(frank)['refresh_token'] != before, 'the rotated token is stored')
    check_equal(len(provider.refreshes()), 1)


def test_a_hop_that_rejects_a_token_gets_another_one_once(stage):
    provider = IdentityProvider(stage)
    hop = make_hop(stage, provider)
    frank = Frank(stage, route(provider, hop, more='messages-per-connection 1;'),
                  extra=provider.account('ms', LOGIN))
    sign_in(frank, provider)
    send(frank)
    hop.wait_messages(1)
    provider.expire_access()
    send(frank)
    # As soon as the new token is there, and not with the next look at the whole store (5 s).
    hop.wait_messages(2, timeout=3)
    check_equal(len(provider.refreshes()), 1)
    frank.wait_queue_empty()
    # What mends itself calls nobody.
    frank.wait_event('hop-waits', 'level=info', 'a new token is being asked for')
    check_equal(frank.events('hop-paused'), [])
    hop.replies['AUTH'] = '535 5.7.3 Authentication unsuccessful'
    send(frank)
    wait_for(lambda: any('5.7.3' in item.get('why', '') for item in frank.json('hop', 'list')['items']),
             'the hop is paused', timeout=20)
    frank.wait_event('hop-paused', 'level=error', '5.7.3')
    check(len(provider.refreshes()) <= 2, 'a token that is new is not refreshed again and again')


def test_connect_and_a_running_relay_use_no_refresh_token_twice(stage):
    provider = IdentityProvider(stage, lifetime=2)
    hop = make_hop(stage, provider)
    frank = Frank(stage, route(provider, hop), extra=provider.account('ms', LOGIN), start=False)
    done = connect(frank)
    check_equal(done.returncode, 3, done.stdout.decode())
    check(b'frank token login ms' in done.stderr, done.stderr.decode())
    check_equal(hop.logins(), [], 'nobody signs in without a token')
    sign_in(frank, provider)
    time_is_up = provider.access_end() + 0.1
    frank.start()
    wait_for(lambda: time.time() > time_is_up, 'the first token has ended')
    while len(provider.refreshes()) < 6:
        done = connect(frank)
        text = done.stdout.decode() + done.stderr.decode()
        check_equal(done.returncode, 0, text)
        check('Signed in: ' in text and 'XOAUTH2' in text, text)
        for secret in provider.secrets():
            check(secret not in text, 'no token is shown')
    check_equal(provider.reused, [])
    check_equal(frank.events('token-broken'), [])
    wait_state(frank, 'valid')


def test_connect_says_what_is_wrong_with_a_token(stage):
    provider = IdentityProvider(stage)
    hop = make_hop(stage, provider)
    frank = Frank(stage, route(provider, hop), extra=provider.account('ms', LOGIN), start=False)
    sign_in(frank, provider)
    provider.expire_access()
    done = connect(frank)
    check_equal(done.returncode, 1, done.stderr.decode())
    check(b'535 5.7.8 Authentication failed: the token is not valid' in done.stdout,
          done.stdout.decode())
    check_equal(len(hop.logins()), 1, 'one try')


def test_two_relays_with_one_state_directory_use_no_refresh_token_twice(stage):
    provider = IdentityProvider(stage, lifetime=2)
    first = Frank(stage, extra=provider.account('ms', LOGIN), start=False)
    sign_in(first, provider)
    second = Frank(stage, extra=provider.account('ms', LOGIN), start=False)
    second.state = first.state
    second.configure()
    first.start()
    second.start()
    provider.wait_asked(6, grant_type='refresh_token')
    for frank in (first, second):
        wait_state(frank, 'valid')
        check_equal(frank.events('token-broken'), [])
    check_equal(provider.reused, [])


def test_a_full_disk_keeps_the_rotated_token_until_there_is_room(stage):
    provider = IdentityProvider(stage, lifetime=5)
    hop = make_hop(stage, provider)
    frank = Frank(stage, route(provider, hop), extra=provider.account('ms', LOGIN), start=False)
    tokens = os.path.join(frank.state, 'tokens')
    os.makedirs(tokens, mode=0o700)
    check_equal(run(['mount', '-t', 'tmpfs', '-o', 'size=64k,mode=0700', 'tmpfs', tokens]).returncode, 0)
    stage.defer(run, ['umount', '-l', tokens])
    frank.start()
    sign_in(frank, provider)
    filler = os.path.join(tokens, 'filler')
    fd = os.open(filler, os.O_WRONLY | os.O_CREAT)
    try:
        while True:
            os.write(fd, b'x' * 4096)
    except OSError:
        os.close(fd)
    stored = token_file(frank)['refresh_token']
    frank.wait_event('token-broken', 'No space left', timeout=20)
    send(frank)
    hop.wait_messages(1)
    check_equal(token_file(frank)['refresh_token'], stored)
    wait_state(frank, 'broken')
    tries = {token_list(frank)['ms'].get('next_try')}
    wait_for(lambda: tries.add(token_list(frank)['ms'].get('next_try')) or len(tries) > 2,
             'it was tried again', 30, interval=0.2)
    check_equal(len(provider.refreshes()), 1, 'nothing is asked before what came is stored')
    check_equal(frank.command('status').returncode, 1)
    os.unlink(filler)
    wait_for(lambda: token_file(frank)['refresh_token'] != stored, 'the token is stored', 20)
    wait_for(lambda: frank.command('status').returncode == 0, 'all is well again', 20)
    provider.wait_asked(2, grant_type='refresh_token')
    check_equal(provider.reused, [])


test_a_full_disk_keeps_the_rotated_token_until_there_is_room.timeout = 120


def test_tokens_go_to_nobody_but_their_provider(stage):
    provider, other = IdentityProvider(stage, lifetime=2), IdentityProvider(stage)
    frank = Frank(stage, extra=provider.account('ms', LOGIN))
    sign_in(frank, provider)
    check(frank.reload(extra=other.account('ms', LOGIN)), 'the reload is taken')
    wait_state(frank, 'broken')
    check('frank token login ms' in token_list(frank, 1)['ms']['last_error']['text'], 'what to do')
    check_equal(other.requests, [])
    check(frank.reload(extra=provider.account('ms', LOGIN)), 'the reload is taken')
    wait_state(frank, 'valid')


def test_a_provider_with_another_certificate_is_told_nothing(stage):
    provider = IdentityProvider(stage)
    frank = Frank(stage, extra=provider.account('ms', LOGIN), start=False)
    sign_in(frank, provider)
    asked = len(provider.requests)
    provider.shut()
    provider.certificate, good = Certificate(stage), provider.certificate
    provider.open()
    provider.certificate = good		# for the configuration; the server keeps the other one
    done = frank.command('token', 'login', 'ms')
    check_equal(done.returncode, 3)
    check(b'certificate is not good' in done.stderr, done.stderr.decode())
    check_equal(len(provider.requests), asked)


# ---- ugly answers ----

class Elsewhere:
    """Counts who connects: a redirect leads here, and nobody may follow it."""

    def __init__(self, stage):
        self.port, self.visits = stage.port(), 0
        self.listener = socket.create_server(('127.0.0.1', self.port))
        stage.defer(self.listener.close)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            self.visits += 1
            connection.close()


def test_whatever_a_provider_answers_is_one_sentence(stage):
    elsewhere = Elsewhere(stage)
    provider = IdentityProvider(stage, lifetime=2, client_secret='hush')
    html = {'Content-Type': 'text/html'}
    ugly = [
        (Raw(200, '<html><body>Please log in</body></html>', html), 'a web page'),
        (Raw(500, '<h1>oops</h1>', html), 'out of order'),
        (Raw(503, ''), 'nothing'),
        (Raw(200, '{"access_token": "' + 'x' * (10 << 20) + '"}'), 'larger than 1 MiB'),
        (HALF, 'JSON that is broken'),
        (Raw(302, '', {'Location': f'http://127.0.0.1:{elsewhere.port}/token'}), 'elsewhere'),
        (Raw(307, '', {'Location': f'http://127.0.0.1:{elsewhere.port}/token'}), 'elsewhere'),
        (NOTHING, 'without an answer'),
        (Raw(200, '[1,2,3]'), 'no JSON object'),
        (Raw(200, '{"access_token":"a\\u0001b","token_type":"Bearer","expires_in":5}'),
         'no usable access token'),
        (Raw(200, '{"access_token":"ab","token_type":"Bearer","expires_in":-5}'),
         'no usable expires_in'),
        (Raw(200, '{"access_token":"' + 'x' * 9000 + '","expires_in":5}'), 'more than an AUTH line'),
    ]
    frank = Frank(stage, extra=provider.account('app', LOGIN, 'client-credentials'), start=False)
    for answer, words in ugly:
        provider.answer = lambda path, form, answer=answer: answer
        frank.start()
        line = frank.wait_event('token-trouble', words)[0]
        check(len(frank.events('token-trouble')) == 1, frank.log_text())
        check('hush' not in line, line)
        check_equal(token_list(frank)['app']['state'], 'pending')
        check(words in token_list(frank)['app']['last_error']['text'], str(token_list(frank)))
        frank.stop()
        os.unlink(frank.log)
    check_equal(elsewhere.visits, 0, 'visits elsewhere')
    provider.answer = None
    frank.start()
    wait_state(frank, 'valid', 'app')


test_whatever_a_provider_answers_is_one_sentence.timeout = 180


def test_refusals_are_said_with_their_remedy(stage):
    provider = IdentityProvider(stage, client_secret='hush')
    frank = Frank(stage, extra=provider.account(
        'app', LOGIN, 'client-credentials').replace('flow', 'preset microsoft365; tenant t.test; flow'),
        start=False)
    for description, words in (
            ("AADSTS90002: Tenant 't.test' not found.\r\nTrace ID: 1", 'there is no tenant t.test'),
            ("AADSTS700016: Application with identifier 'x' was not found", 'client-id'),
            ('AADSTS7000215: Invalid client secret provided.', "the secret's value, not its ID"),
            ('AADSTS7000222: The provided client secret keys are expired.', 'make a new one')):
        provider.answer = lambda path, form, d=description: Refusal('invalid_client', d, 401)
        done = frank.command('token', 'login', 'app', timeout=90)
        check(done.returncode != 0, description)
        check(words.encode() in done.stderr, f'{description}: {done.stderr.decode()}')
        check(b'Trace ID' not in done.stderr, 'one line is enough')
    item = token_list(frank, 1)['app']
    check('make a new one' in item['last_error']['text'], str(item))


# ---- secrets ----

def memory_maps(pid):
    return run(['cat', f'/proc/{pid}/cmdline', f'/proc/{pid}/environ']).stdout


def test_no_token_and_no_secret_is_shown_anywhere(stage):
    provider = IdentityProvider(stage, lifetime=3, client_secret='sesame-open-7')
    hop = make_hop(stage, provider)
    frank = Frank(stage, route(provider, hop, more='messages-per-connection 1;'),
                  extra=provider.account('ms', LOGIN))
    trace = stage.start([frank.binary, 'trace', '--follow', '--json', '-c', frank.configuration],
                        env=frank.env)
    login = sign_in(frank, provider)
    send(frank)
    hop.wait_messages(1)
    provider.wait_asked(2, grant_type='refresh_token')
    provider.expire_access()
    send(frank)
    hop.wait_messages(2)
    wait_for(lambda: trace.text().count('XOAUTH2') >= 2, 'the trace shows the sign-ins')
    shown = [frank.log_text(), login.text(), trace.text(), memory_maps(frank.pid).decode('latin-1')]
    for argv in (('token', 'list'), ('token', 'list', '--json'), ('status', '--json'),
                 ('hop', 'list', '--json'), ('config', 'show'), ('queue', 'list', '--json')):
        shown.append((frank.command(*argv).stdout + frank.command(*argv).stderr).decode())
    secrets = provider.secrets() + ['sesame-open-7'] + [login[2] for login in hop.logins()]
    check(len(secrets) > 6, 'there were secrets')
    for secret in secrets:
        for text in shown:
            check(secret not in text, f'{secret[:12]}… is shown in: {text[:400]}')
    check_equal(os.stat(f'/proc/{frank.pid}/mem').st_uid, 0, 'the process gives no core dump')
