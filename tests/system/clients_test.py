# SPDX-License-Identifier: MIT
"""Mail programs that no one here wrote hand their mail to Frank."""
from peers import clients
from peers.frank import Frank
from peers.scripted import ScriptedServer
from peers.smtp_sink import SmtpSink, smtp_source
from peers.stage import check, check_equal

USERS = {'alice@example.org': 'correct horse'}
LOGIN = {'login': 'alice@example.org', 'password': 'correct horse'}


def relay(stage, hop, **options):
    return Frank(stage, f'route * {{ via smtp://127.0.0.1:{hop.port}; }}', USERS, **options)


def test_swaks_with_plain_and_login_under_starttls_and_tls(stage):
    hop = ScriptedServer(stage)
    frank = relay(stage, hop)
    for mechanism in ('PLAIN', 'LOGIN'):
        for tls, port in (('starttls', frank.submission), ('implicit', frank.submissions)):
            done = clients.swaks(port, tls=tls, mechanism=mechanism, **LOGIN)
            check_equal(done.returncode, 0, done.stdout.decode())
            check(b'<~  250' in done.stdout, done.stdout.decode())
    hop.wait_messages(4)
    check_equal(hop.messages()[0][:2], (clients.SENDER, [clients.RECIPIENT]))


def test_swaks_with_a_wrong_password_or_none_is_refused(stage):
    hop = ScriptedServer(stage)
    frank = relay(stage, hop)
    for login in ('alice@example.org', 'mallory@example.org'):
        done = clients.swaks(frank.submission, tls='starttls', login=login, password='wrong')
        check(b'<~* 535 5.7.8' in done.stdout, done.stdout.decode())
    done = clients.swaks(frank.submission, tls='starttls')
    check(b'<~* 530 5.7.0' in done.stdout, done.stdout.decode())
    done = clients.swaks(frank.submission)
    check(b'250-AUTH' not in done.stdout, 'AUTH is not shown without TLS: ' + done.stdout.decode())
    check_equal(hop.messages(), [])


def test_msmtp_and_curl_verify_the_certificate(stage):
    hop = ScriptedServer(stage)
    frank = relay(stage, hop)
    trust = frank.certificate.certificate
    done = clients.msmtp(stage, frank.submission, 'starttls', trust=trust, **LOGIN)
    check_equal(done.returncode, 0, done.stderr.decode())
    done = clients.msmtp(stage, frank.submissions, 'implicit', trust=trust, mechanism='login',
                         **LOGIN)
    check_equal(done.returncode, 0, done.stderr.decode())
    for tls, port in (('starttls', frank.submission), ('implicit', frank.submissions)):
        done = clients.curl(stage, port, tls=tls, trust=trust, **LOGIN)
        check_equal(done.returncode, 0, done.stderr.decode())
    hop.wait_messages(4)


def test_what_smtplib_sends_arrives_byte_for_byte(stage):
    hop = ScriptedServer(stage)
    frank = relay(stage, hop)
    message = (b'From: alice@example.org\r\nTo: bob@example.net\r\nSubject: caf\xc3\xa9\r\n'
               b'Date: Mon, 02 Jun 2025 10:00:00 +0000\r\nMessage-ID: <one@example.org>\r\n\r\n'
               b'.\r\n..\r\n.dot\r\n' + b'x' * 900 + b'\r\n\x01\x7f\xff caf\xe9\r\n\r\n\r\n')
    recipients = ['bob@example.net', 'carol@example.net', "o'neil+tag@example.net"]
    with clients.connect(frank.submission, 'starttls', frank.certificate.certificate,
                         **LOGIN) as client:
        client.sendmail(clients.SENDER, recipients, message, ['BODY=8BITMIME'])
    sender, got, content = hop.wait_messages(1)[0]
    check_equal((sender, sorted(got)), (clients.SENDER, sorted(recipients)))
    content = content.replace(b'\r\n..', b'\r\n.')
    check(content.startswith(b'Received: from client.example.org'), repr(content[:200]))
    check(content.endswith(message), repr(content))


def test_smtp_source_sends_a_thousand_over_kept_and_new_connections(stage):
    sink = SmtpSink(stage)
    frank = relay(stage, sink)
    smtp_source(frank.port, 500, sessions=20, kept=True)
    smtp_source(frank.port, 500, sessions=20)
    sink.wait_count(1000)
    frank.wait_queue_empty()
    check_equal(sink.count(), 1000)


def test_strangers_reach_local_recipients_alone(stage):
    hop = ScriptedServer(stage)
    maildir = stage.subdirectory('mail')
    port = stage.port()
    frank = Frank(stage, f'route * {{ via smtp://127.0.0.1:{hop.port}; }}', USERS,
                  extra=f'domain example.org {{ recipients users; deliver maildir:{maildir}/%u; }}',
                  listeners=f'listen mx {{ address 127.0.0.1:{port}; auth optional; }}')
    done = clients.swaks(port, recipient='bob@example.net')
    check(b'<** 550 5.7.1' in done.stdout, done.stdout.decode())
    done = clients.swaks(port, recipient='nobody@example.org')
    check(b'<** 550 5.1.1' in done.stdout, done.stdout.decode())
    done = clients.swaks(port, recipient='alice@example.org')
    check_equal(done.returncode, 0, done.stdout.decode())
    frank.wait_queue_empty()
    found = stage.files(maildir, 'alice/new/*')
    check_equal(len(found), 1, 'messages in the Maildir')
