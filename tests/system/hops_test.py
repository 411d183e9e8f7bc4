# SPDX-License-Identifier: MIT
"""Real next hops from the distribution, each with every mechanism that it can: first a client that
nobody here wrote (msmtp), so that the hop is known to be right, then Frank.

docs/mechanisms.md has the table; with $FRANK_CELLS naming a file, the tests of Frank append the lines
for it: hop, mechanism, command or account, and what the hop's log said.
"""
import json
import os
import re

from peers import clients, dovecot_submission
from peers.certificate import Certificate
from peers.dovecot import version
from peers.dovecot_submission import DovecotSubmission
from peers.exim import Exim
from peers.frank import Frank, binary
from peers.identity_provider import IdentityProvider, Raw
from peers.kerberos import Kerberos
from peers.opensmtpd import OpenSmtpd
from peers.postfix import Postfix
from peers.smtp_sink import SmtpSink
from peers.stage import check, check_equal, run, wait_for

LOGIN, PASSWORD = 'alice@example.org', 'correct horse'
PASSWORDS = {LOGIN: PASSWORD}
PRINCIPAL, PRINCIPAL_PASSWORD = 'alice', 'pw of alice'
POSTFIX_MECHANISMS = ('PLAIN', 'LOGIN', 'NTLM', 'CRAM-MD5', 'DIGEST-MD5', 'SCRAM-SHA-1',
                      'SCRAM-SHA-256', 'GSSAPI')
EXIM_MECHANISMS = ('PLAIN', 'LOGIN', 'NTLM', 'CRAM-MD5', 'DIGEST-MD5', 'SCRAM-SHA-1',
                   'SCRAM-SHA-256', 'GSSAPI', 'EXTERNAL')
# What a password is best used with, of those that the hops have.
FOR_PASSWORDS = ('SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256', 'PLAIN')
TOKEN_MECHANISMS = ('XOAUTH2', 'OAUTHBEARER')


class Hop:
    """A server with the mechanisms that it can, and what a client needs to use each."""

    def __init__(self, name, server, certificate, mechanisms, client=None, kerberos=None,
                 delivered=None, log_lines=None):
        self.name, self.server, self.certificate = name, server, certificate
        self.mechanisms, self.client = mechanisms, client
        self.env = {}
        self.delivered = delivered	# how many messages have come out behind it
        self.log_lines = log_lines or server.login_lines
        if kerberos:
            cache = kerberos.login(PRINCIPAL, PRINCIPAL_PASSWORD)
            self.env = {**kerberos.env, 'KRB5CCNAME': cache}

    @property
    def port(self):
        return self.server.ports['submission']


def postfix(stage):
    certificate = Certificate(stage)
    kerberos = Kerberos(stage, {PRINCIPAL: PRINCIPAL_PASSWORD})
    # The service of GSSAPI bears the host's name, and clients reach this one as localhost.
    server = Postfix(stage, certificate, services=('submission', 'smtps'), cyrus=PASSWORDS,
                     kerberos=kerberos, hostname='localhost', mechanisms=POSTFIX_MECHANISMS)
    return Hop('Postfix', server, certificate, POSTFIX_MECHANISMS, kerberos=kerberos,
               delivered=lambda: len(server.messages()))


def dovecot(stage):
    certificate = Certificate(stage)
    client = Certificate(stage, name=LOGIN)
    kerberos = Kerberos(stage, {PRINCIPAL: PRINCIPAL_PASSWORD})
    sink = SmtpSink(stage)
    server = DovecotSubmission(stage, certificate, PASSWORDS, sink.port, client, kerberos)
    return Hop('Dovecot', server, certificate, server.mechanisms, client, kerberos,
               delivered=sink.count)


def exim(stage):
    certificate = Certificate(stage)
    client = Certificate(stage, mail=LOGIN)
    kerberos = Kerberos(stage, {PRINCIPAL: PRINCIPAL_PASSWORD})
    server = Exim(stage, certificate, PASSWORDS, client, kerberos)
    return Hop('Exim', server, certificate, EXIM_MECHANISMS, client, kerberos,
               delivered=lambda: server.maillog().count(' => bob <bob@'))


def opensmtpd(stage):
    certificate = Certificate(stage)
    sink = SmtpSink(stage)
    server = OpenSmtpd(stage, certificate, PASSWORDS, sink.port)
    # Its log says who signed in and not how.
    return Hop('OpenSMTPD', server, certificate, ('PLAIN', 'LOGIN'), delivered=sink.count,
               log_lines=lambda _: server.login_lines(LOGIN))


def takes_msmtp(stage, hop):
    """The hop is right: each mechanism works with somebody else's client, and a wrong password does
    not."""
    mechanisms = list(filter(clients.msmtp_can, hop.mechanisms))
    for mechanism in mechanisms:
        before = hop.log_lines(mechanism)
        login = PRINCIPAL if mechanism == 'GSSAPI' else LOGIN
        password = (dovecot_submission.token(LOGIN) if mechanism in TOKEN_MECHANISMS
                    else PASSWORD)
        settings = () if mechanism != 'EXTERNAL' else (
            f'tls_cert_file {hop.client.certificate}', f'tls_key_file {hop.client.key}')
        done = clients.msmtp(stage, hop.port, 'starttls', login, password, mechanism.lower(),
                             hop.certificate.certificate, settings=settings, env=hop.env)
        check_equal(done.returncode, 0, f'{mechanism}: {(done.stdout + done.stderr).decode()}')
        new_line(hop, mechanism, before)
    wrong = clients.msmtp(stage, hop.port, 'starttls', LOGIN, 'wrong', 'plain',
                          hop.certificate.certificate)
    check(b'535' in wrong.stdout, wrong.stdout.decode())
    wait_for(lambda: hop.delivered() == len(mechanisms), 'everything was delivered')


def account(stage, hop, mechanism, provider):
    """The block of an account that signs in with this mechanism."""
    name = mechanism.lower()
    if mechanism in TOKEN_MECHANISMS:
        block = provider.account(name, LOGIN, 'client-credentials').rstrip().removesuffix('}')
        return f'{block} mechanisms {mechanism}; }}'
    if mechanism == 'GSSAPI':
        lines = f'login {PRINCIPAL}; kerberos yes;'
    elif mechanism == 'EXTERNAL':
        lines = f'login {LOGIN}; certificate {hop.client.certificate}; key {hop.client.key};'
    else:
        lines = f'login {LOGIN}; password-file {stage.write("password", PASSWORD, 0o600)};'
    return f'account {name} {{ {lines} mechanisms {mechanism}; }}'


def options(stage, hop, mechanism):
    """The same for `frank send`."""
    if mechanism in TOKEN_MECHANISMS:
        token = stage.write('token', dovecot_submission.token(LOGIN), 0o600)
        return ['--login', LOGIN, '--token-file', token]
    if mechanism == 'GSSAPI':
        return ['--login', PRINCIPAL, '--kerberos']
    if mechanism == 'EXTERNAL':
        return ['--login', LOGIN, '--certificate', hop.client.certificate,
                '--key', hop.client.key]
    return ['--login', LOGIN, '--password-file', stage.write('password', PASSWORD, 0o600)]


def identity_provider(stage):
    """Its access tokens are such as Dovecot can check."""
    provider = IdentityProvider(stage, client_secret='of the client')
    provider.answer = lambda path, form: Raw(200, json.dumps({
        'token_type': 'Bearer', 'expires_in': 3600,
        'access_token': dovecot_submission.token(LOGIN)}))
    return provider


def new_line(hop, mechanism, before):
    line = wait_for(lambda: [line for line in hop.log_lines(mechanism) if line not in before],
                    f'{hop.name} names {mechanism}')[-1]
    check(PRINCIPAL in line, line)
    return line


def send(stage, hop, url, mechanism, *more, env=None):
    """One message by `frank send`, which signs in with the mechanism; nothing that it shows may hold
    the secret."""
    before = hop.log_lines(mechanism)
    argv = ['send', url, '--from', LOGIN, '--to', 'bob@example.net', *more,
            *options(stage, hop, mechanism), '--tls-trust', hop.certificate.certificate]
    done = run([binary(), *argv], env=env)
    shown = (done.stdout + done.stderr).decode()
    check_equal(done.returncode, 0, shown)
    check(f'AUTH {mechanism}' in shown, shown)
    for secret in PASSWORD, dovecot_submission.token(LOGIN)[:40]:
        check(secret not in shown, shown)
    record(hop, mechanism, 'frank ' + ' '.join(argv), new_line(hop, mechanism, before))


def takes_frank(stage, hop):
    """Each mechanism by `frank send`, which also finds the best one by itself, and by a route of its
    own of `frank serve`. At the end an account with a wrong password: its mail waits, and the hop's
    own words are shown."""
    tokens = set(hop.mechanisms) & set(TOKEN_MECHANISMS)
    provider = identity_provider(stage) if tokens else None
    for mechanism in hop.mechanisms:
        send(stage, hop, f'submission://localhost:{hop.port}', mechanism,
             '--mechanism', mechanism, env=hop.env)
    best = next(m for m in FOR_PASSWORDS if m in hop.mechanisms)
    send(stage, hop, f'smtps://localhost:{hop.server.ports["smtps"]}', best)
    accounts = {m.lower(): account(stage, hop, m, provider) for m in hop.mechanisms}
    wrong = stage.write('wrong', 'not the password', 0o600)
    accounts['wrong'] = (f'account wrong {{ login {LOGIN}; password-file {wrong}; '
                         f'mechanisms PLAIN; }}')
    via = f'via submission://localhost:{hop.port}; tls-trust {hop.certificate.certificate};'
    relay = Frank(stage, env=hop.env, extra='\n'.join(accounts.values()),
                  routes='\n'.join(f'route *@{name}.example.net {{ {via} account {name}; }}'
                                   for name in accounts))
    with clients.connect(relay.port) as client:
        for mechanism in hop.mechanisms:
            before = hop.log_lines(mechanism)
            client.sendmail(LOGIN, [f'bob@{mechanism.lower()}.example.net'], clients.MESSAGE)
            record(hop, mechanism, accounts[mechanism.lower()], new_line(hop, mechanism, before))
        wait_for(lambda: hop.delivered() == 2 * len(hop.mechanisms) + 1, 'everything was delivered')
        relay.wait_event('delivered', count=len(hop.mechanisms))
        client.sendmail(LOGIN, ['bob@wrong.example.net'], clients.MESSAGE)
    paused = relay.wait_event('hop-paused')[0]
    check('535' in paused, paused)
    wait_for(lambda: [item['state'] for item in relay.queue() if item['state'] != 'done']
             == ['deferred'], 'the message waits')
    check_equal(relay.events('bounced'), [])


def record(hop, mechanism, how, line):
    """A cell of the table in docs/mechanisms.md."""
    path = os.environ.get('FRANK_CELLS')
    if path:
        with open(path, 'a') as stream:
            stream.write(f'{hop.name}\t{mechanism}\t{how}\t{line}\n')


def test_postfix_takes_msmtp(stage):
    takes_msmtp(stage, postfix(stage))


def test_dovecot_takes_msmtp(stage):
    takes_msmtp(stage, dovecot(stage))


def test_exim_takes_msmtp(stage):
    takes_msmtp(stage, exim(stage))


def test_opensmtpd_takes_msmtp(stage):
    takes_msmtp(stage, opensmtpd(stage))


def test_postfix_takes_frank(stage):
    takes_frank(stage, postfix(stage))


def test_dovecot_takes_frank(stage):
    takes_frank(stage, dovecot(stage))


def test_exim_takes_frank(stage):
    takes_frank(stage, exim(stage))


def test_opensmtpd_takes_frank(stage):
    takes_frank(stage, opensmtpd(stage))


def test_two_accounts_on_one_hop_never_mix(stage):
    """A hundred messages of two senders in turn: Postfix refuses a sender who is not the one that
    signed in, and its log shows each login with its own sender alone."""
    users = {'alice@example.org': 'pw of alice', 'carol@example.org': 'pw of carol'}
    own = ', '.join(f'{user}={user}' for user in users)
    certificate = Certificate(stage)
    hop = Postfix(stage, certificate, services=('submission',), cyrus=users,
                  main={'smtpd_sender_login_maps': f'inline:{{ {own} }}',
                        'smtpd_sender_restrictions': 'reject_sender_login_mismatch'})
    accounts, routes = [], []
    for user, password in users.items():
        name = user.partition('@')[0]
        secret = stage.write(f'password-{name}', password + '\n', 0o600)
        accounts.append(f'account {name} {{ login {user}; password-file {secret}; }}')
        routes.append(f'route * {{ match sender {user}; account {name}; '
                      f'via submission://localhost:{hop.port}; '
                      f'tls-trust {certificate.certificate}; }}')
    relay = Frank(stage, extra='\n'.join(accounts), routes='\n'.join(routes))
    with clients.connect(relay.port) as client:
        for number in range(100):
            client.sendmail(list(users)[number % 2], ['bob@example.net'], clients.MESSAGE)
    relay.wait_queue_empty()
    log = hop.maillog()
    logins = dict(re.findall(r'smtpd\[\d+\]: (\w+): client=.* sasl_username=(\S+)', log))
    senders = dict(re.findall(r'qmgr\[\d+\]: (\w+): from=<(\S+?)>', log))
    check_equal(len(logins), 100, 'messages with a login')
    check_equal({mail: senders[mail] for mail in logins}, logins, 'the sender of each message')
    check_equal(sorted(logins.values()), sorted(list(users) * 50), 'the logins')


def test_a_token_that_dovecot_refuses_is_fetched_again(stage):
    """The first token has expired already, whatever the provider says of it."""
    hop = dovecot(stage)
    provider = IdentityProvider(stage, client_secret='of the client')
    given = []

    def answer(path, form):
        given.append(dovecot_submission.token(LOGIN, -60 if not given else 3600))
        return Raw(200, json.dumps({'token_type': 'Bearer', 'expires_in': 3600,
                                    'access_token': given[-1]}))
    provider.answer = answer
    relay = Frank(stage, extra=account(stage, hop, 'XOAUTH2', provider),
                  routes=f'route * {{ via submission://localhost:{hop.port}; account xoauth2; '
                         f'tls-trust {hop.certificate.certificate}; }}')
    with clients.connect(relay.port) as client:
        client.sendmail(LOGIN, ['bob@example.net'], clients.MESSAGE)
    relay.wait_queue_empty()
    check_equal((len(given), hop.delivered()), (2, 1), 'tokens, messages')
    for token in given:
        check(token not in relay.log_text(), 'a token in the log')


def test_dovecot_says_how_many_connections_are_too_many(stage):
    """Three of one user, where Frank would like more: it keeps to what there is, and nothing waits
    as it would for a hop in trouble. Dovecot 2.4.1 (Debian 13) cannot be asked: its login process
    dies ("Panic: epoll_ctl(del, 17) failed") before it has said anything."""
    if version() >= (2, 4):
        return
    certificate = Certificate(stage)
    # Each message takes a second, so that more connections are wanted.
    sink = SmtpSink(stage, '-w', '1')
    hop = DovecotSubmission(stage, certificate, PASSWORDS, sink.port, connections_max=3)
    secret = stage.write('password', PASSWORD, 0o600)
    relay = Frank(stage, extra=f'account alice {{ login {LOGIN}; password-file {secret}; }}',
                  routes=f'route * {{ via submission://localhost:{hop.port}; account alice; '
                         f'tls-trust {certificate.certificate}; }}')
    with clients.connect(relay.port) as client:
        for number in range(24):
            client.sendmail(LOGIN, [f'bob-{number}@example.net'], clients.MESSAGE)
    relay.wait_queue_empty()
    check_equal(sink.wait_count(24), 24, 'messages behind the hop')
    check('Maximum number of connections' in hop.maillog(), 'there was no limit to be met')
    relay.wait_event('hop-crowded', 'Maximum number of connections')
    check_equal(relay.events('hop-paused') + relay.events('deferred'), [])
