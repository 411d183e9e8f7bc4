# SPDX-License-Identifier: MIT
"""Real next hops from the distribution, each with every mechanism that it can: first a client that
nobody here wrote (msmtp), so that the hop is known to be right, then Frank.

docs/mechanisms.md has the table; with $FRANK_CELLS naming a file, the tests of Frank append the lines
for it: hop, mechanism, account, and what the hop's log said.
"""
import os
import re

from peers import clients, dovecot_submission
from peers.certificate import Certificate
from peers.dovecot_submission import DovecotSubmission
from peers.exim import Exim
from peers.frank import Frank
from peers.kerberos import Kerberos
from peers.opensmtpd import OpenSmtpd
from peers.postfix import Postfix
from peers.smtp_sink import SmtpSink
from peers.stage import check, check_equal, wait_for

LOGIN, PASSWORD = 'alice@example.org', 'correct horse'
PASSWORDS = {LOGIN: PASSWORD}
PRINCIPAL, PRINCIPAL_PASSWORD = 'alice', 'pw of alice'
POSTFIX_MECHANISMS = ('PLAIN', 'LOGIN', 'NTLM', 'CRAM-MD5', 'DIGEST-MD5', 'SCRAM-SHA-1',
                      'SCRAM-SHA-256', 'GSSAPI')
EXIM_MECHANISMS = ('PLAIN', 'LOGIN', 'NTLM', 'CRAM-MD5', 'DIGEST-MD5', 'SCRAM-SHA-1',
                   'SCRAM-SHA-256', 'EXTERNAL')
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
    server = Postfix(stage, certificate, services=('submission',), cyrus=PASSWORDS,
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
    server = Exim(stage, certificate, PASSWORDS, client)
    return Hop('Exim', server, certificate, EXIM_MECHANISMS, client,
               delivered=lambda: server.maillog().count(' => bob <bob@'))


def opensmtpd(stage):
    certificate = Certificate(stage)
    sink = SmtpSink(stage)
    server = OpenSmtpd(stage, certificate, PASSWORDS, sink.port)
    # Its log says who signed in and not how: each mechanism gets the lines that are new.
    taken = []

    def log_lines(_):
        lines = [line for line in server.login_lines(LOGIN) if line not in taken]
        taken.extend(lines)
        return lines
    return Hop('OpenSMTPD', server, certificate, ('PLAIN', 'LOGIN'), delivered=sink.count,
               log_lines=log_lines)


def takes_msmtp(stage, hop):
    """The hop is right: each mechanism works with somebody else's client, and a wrong password does
    not."""
    mechanisms = list(filter(clients.msmtp_can, hop.mechanisms))
    for mechanism in mechanisms:
        login = PRINCIPAL if mechanism == 'GSSAPI' else LOGIN
        password = (dovecot_submission.token(LOGIN) if mechanism in TOKEN_MECHANISMS
                    else PASSWORD)
        settings = () if mechanism != 'EXTERNAL' else (
            f'tls_cert_file {hop.client.certificate}', f'tls_key_file {hop.client.key}')
        done = clients.msmtp(stage, hop.port, 'starttls', login, password, mechanism.lower(),
                             hop.certificate.certificate, settings=settings, env=hop.env)
        check_equal(done.returncode, 0, f'{mechanism}: {(done.stdout + done.stderr).decode()}')
        wait_for(lambda: hop.log_lines(mechanism), f'{hop.name} names {mechanism}')
    wrong = clients.msmtp(stage, hop.port, 'starttls', LOGIN, 'wrong', 'plain',
                          hop.certificate.certificate)
    check(b'535' in wrong.stdout, wrong.stdout.decode())
    wait_for(lambda: hop.delivered() == len(mechanisms), 'everything was delivered')


def account(stage, hop, mechanism):
    """The lines of an account that signs in with this mechanism."""
    if mechanism == 'GSSAPI':
        lines = [f'login {PRINCIPAL};', 'kerberos yes;']
    elif mechanism == 'EXTERNAL':
        lines = [f'login {LOGIN};', f'certificate {hop.client.certificate};',
                 f'key {hop.client.key};']
    else:
        secret = stage.write('password', PASSWORD + '\n', 0o600)
        lines = [f'login {LOGIN};', f'password-file {secret};']
    return ' '.join(lines)


def takes_frank(stage, hop):
    """Each mechanism has a route of its own by the recipient's domain; one message each. At the end
    an account with a wrong password: its mail waits, and the hop's own words are shown."""
    mechanisms = [m for m in hop.mechanisms if m not in TOKEN_MECHANISMS]
    wrong = stage.write('wrong', 'not the password\n', 0o600)
    accounts = {m.lower(): account(stage, hop, m) + f' mechanisms {m};' for m in mechanisms}
    accounts['wrong'] = f'login {LOGIN}; password-file {wrong}; mechanisms PLAIN;'
    via = f'via submission://localhost:{hop.port}; tls-trust {hop.certificate.certificate};'
    relay = Frank(
        stage, env=hop.env,
        extra='\n'.join(f'account {name} {{ {lines} }}' for name, lines in accounts.items()),
        routes='\n'.join(f'route *@{name}.example.net {{ {via} account {name}; }}'
                         for name in accounts))
    with clients.connect(relay.port) as client:
        for mechanism in mechanisms:
            client.sendmail(LOGIN, [f'bob@{mechanism.lower()}.example.net'], clients.MESSAGE)
            line = wait_for(lambda: hop.log_lines(mechanism), f'{hop.name} names {mechanism}')[-1]
            check(PRINCIPAL in line, line)
            record(hop, mechanism, accounts[mechanism.lower()], line)
        wait_for(lambda: hop.delivered() == len(mechanisms), 'everything was delivered')
        relay.wait_event('delivered', count=len(mechanisms))
        client.sendmail(LOGIN, ['bob@wrong.example.net'], clients.MESSAGE)
    paused = relay.wait_event('hop-paused')[0]
    check('535' in paused, paused)
    wait_for(lambda: [item['state'] for item in relay.queue() if item['state'] != 'done']
             == ['deferred'], 'the message waits')
    check_equal(relay.events('bounced'), [])


def record(hop, mechanism, lines, line):
    """A cell of the table in docs/mechanisms.md."""
    path = os.environ.get('FRANK_CELLS')
    if path:
        with open(path, 'a') as stream:
            stream.write(f'{hop.name}\t{mechanism}\t{lines}\t{line}\n')


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
