# SPDX-License-Identifier: MIT
"""Real next hops from the distribution, each with every mechanism that it can: first a client that
nobody here wrote (msmtp), so that the hop is known to be right, then Frank.

docs/mechanisms.md has the table; with $FRANK_CELLS naming a file, the tests of Frank append the lines
for it: hop, mechanism, account, and what the hop's log said.
"""
import os

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


def test_postfix_takes_msmtp(stage):
    takes_msmtp(stage, postfix(stage))


def test_dovecot_takes_msmtp(stage):
    takes_msmtp(stage, dovecot(stage))


def test_exim_takes_msmtp(stage):
    takes_msmtp(stage, exim(stage))


def test_opensmtpd_takes_msmtp(stage):
    takes_msmtp(stage, opensmtpd(stage))
