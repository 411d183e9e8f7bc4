# SPDX-License-Identifier: MIT
"""The peers against each other: when these pass, a failure elsewhere is Frank's."""
import smtplib

from peers import clients, scripted
from peers.certificate import Certificate
from peers.dovecot import Dovecot
from peers.postfix import Postfix
from peers.scripted import ScriptedServer
from peers.smtp_sink import SmtpSink, smtp_source
from peers.stage import Failure, accepts, check, check_equal, wait_for

USERS = {'alice@example.org': 'correct horse'}
LOGIN = {'login': 'alice@example.org', 'password': 'correct horse'}


def provider(stage):
    """A Postfix that relays for authenticated clients alone, and shows AUTH under TLS alone."""
    certificate = Certificate(stage)
    dovecot = Dovecot(stage, USERS)
    return Postfix(stage, certificate, dovecot.auth_socket,
                   services=('smtp', 'submission', 'smtps')), certificate


def test_swaks_reaches_postfix_with_auth_under_starttls(stage):
    postfix, _ = provider(stage)
    done = clients.swaks(postfix.ports['submission'], tls='starttls', **LOGIN)
    check_equal(done.returncode, 0, done.stdout.decode())
    body = postfix.wait_messages(1)[0]
    check(b'Authenticated sender: alice@example.org' in body, body.decode())


def test_swaks_is_refused_by_postfix_without_auth_and_with_a_wrong_password(stage):
    postfix, _ = provider(stage)
    done = clients.swaks(postfix.ports['submission'], tls='starttls')
    check(b'<~* 554 5.7.1' in done.stdout, done.stdout.decode())
    done = clients.swaks(postfix.ports['submission'], tls='starttls', login='alice@example.org',
                         password='wrong', mechanism='LOGIN')
    check(b'<~* 535 5.7.8' in done.stdout, done.stdout.decode())
    check(b'250-AUTH' not in clients.swaks(postfix.ports['smtp']).stdout, 'AUTH without TLS')


def test_msmtp_and_curl_verify_the_certificate_of_postfix(stage):
    postfix, certificate = provider(stage)
    done = clients.msmtp(stage, postfix.ports['submission'], 'starttls',
                         trust=certificate.certificate, **LOGIN)
    check_equal(done.returncode, 0, done.stderr.decode())
    done = clients.curl(stage, postfix.ports['smtps'], tls='implicit',
                        trust=certificate.certificate, **LOGIN)
    check_equal(done.returncode, 0, done.stderr.decode())
    postfix.wait_messages(2)
    other = Certificate(stage)
    done = clients.curl(stage, postfix.ports['smtps'], tls='implicit', trust=other.certificate,
                        **LOGIN)
    check_equal(done.returncode, 60, done.stderr.decode())
    expired = Certificate(stage, days=-1)
    third = Postfix(stage, expired)
    done = clients.msmtp(stage, third.port, 'starttls', trust=expired.certificate)
    check(b'expired' in done.stderr, done.stderr.decode())


def test_smtplib_reaches_postfix_and_dovecot(stage):
    postfix, certificate = provider(stage)
    with clients.connect(postfix.ports['smtp'], 'starttls', certificate.certificate,
                         **LOGIN) as client:
        client.sendmail(clients.SENDER, ['bob@example.net'], clients.MESSAGE)
    postfix.wait_messages(1)
    dovecot = Dovecot(stage, {'bob@example.net': 'x'})
    with clients.connect(dovecot.port, lmtp=True) as client:
        client.sendmail(clients.SENDER, ['bob@example.net'], clients.MESSAGE)
        try:
            client.sendmail(clients.SENDER, ['nobody@example.net'], clients.MESSAGE)
            raise Failure('Dovecot took mail for an unknown user')
        except smtplib.SMTPRecipientsRefused as refusal:
            check_equal(refusal.recipients['nobody@example.net'][0], 550)
    check(b'\nHello.' in dovecot.wait_messages('bob@example.net', 1)[0], 'the body is there')


def test_postfix_passes_on_to_smtp_sink(stage):
    sink = SmtpSink(stage, keep=True)
    postfix = Postfix(stage, main={'relayhost': f'[127.0.0.1]:{sink.port}',
                                   'virtual_mailbox_domains': ''})
    smtp_source(postfix.port, 20, sessions=4, size=500)
    sink.wait_count(20)
    envelope, body = wait_for(sink.messages, 'a message file is there')[0]
    check(envelope['X-Mail-Args'][0].startswith('<a@source.test>'), str(envelope))
    check('<b@sink.test>' in envelope['X-Rcpt-Args'][0], str(envelope))
    check(body.startswith(b'Received: from source.test'), body.decode())


def test_the_scripted_server_refuses_an_initial_response_and_remembers(stage):
    server = ScriptedServer(stage, ehlo=['PIPELINING', '8BITMIME', 'AUTH PLAIN LOGIN CRAM-MD5'],
                            replies={'AUTH': scripted.login_without_initial_response})
    done = clients.swaks(server.port, login='test', password='secret', mechanism='LOGIN')
    check_equal(done.returncode, 0, done.stdout.decode())
    check_equal(server.logins(), [('LOGIN', 'test', 'secret')])
    check_equal(server.wait_messages(1)[0][:2], (clients.SENDER, [clients.RECIPIENT]))
    client = clients.connect(server.port)
    check_equal(client.docmd('AUTH', 'LOGIN dGVzdA==')[0], 500)
    check_equal(server.sessions[-1].verbs(), ['EHLO', 'AUTH'])


def test_the_scripted_server_closes_resets_shuts_and_times_out(stage):
    server = ScriptedServer(stage, replies={'NOOP': scripted.CLOSE, 'RSET': scripted.RESET},
                            idle_timeout=0.2)
    client = clients.connect(server.port)
    expect_disconnect(client.noop)
    client = clients.connect(server.port)
    expect_disconnect(lambda: client.docmd('RSET'))
    client = clients.connect(server.port)
    client.sendmail(clients.SENDER, ['bob@example.net'], clients.MESSAGE)
    check_equal(client.getreply()[0], 421)
    server.shut()
    check(not accepts(server.port), 'a server that is down refuses')
    server.open()
    check(accepts(server.port), 'and comes back')


def test_the_scripted_server_speaks_tls(stage):
    certificate = Certificate(stage)
    server = ScriptedServer(stage, ehlo=['STARTTLS', 'AUTH PLAIN'], certificate=certificate)
    done = clients.swaks(server.port, tls='starttls', login='a', password='b')
    check_equal(done.returncode, 0, done.stdout.decode())
    check_equal(server.logins(), [('PLAIN', 'a', 'b')])
    implicit = ScriptedServer(stage, certificate=certificate, implicit_tls=True)
    with clients.connect(implicit.port, 'implicit', certificate.certificate) as client:
        client.sendmail(clients.SENDER, ['bob@example.net'], clients.MESSAGE)
    check_equal(len(implicit.messages()), 1)


def expect_disconnect(call):
    try:
        call()
    except (smtplib.SMTPServerDisconnected, ConnectionResetError):
        return
    raise Failure('the connection is still there')
