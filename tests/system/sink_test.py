# SPDX-License-Identifier: MIT
"""`frank sink` against mail programs that nobody here wrote."""
import json
import signal
import smtplib
import socket

from peers import clients
from peers.frank import binary
from peers.frank_sink import FrankSink
from peers.smtp_sink import smtp_source
from peers.stage import check, check_equal, run, wait_for

LOGIN = 'anna@example.org'


def expect_ok(done, what):
    check_equal(done.returncode, 0, f'{what}: {done.stdout.decode()[-800:]}'
                                    f'{done.stderr.decode()[-800:]}')


def test_every_client_gets_through_in_clear(stage):
    sink = FrankSink(stage, keep=True)
    expect_ok(clients.swaks(sink.port), 'swaks')
    expect_ok(clients.curl(stage, sink.port), 'curl')
    expect_ok(clients.msmtp(stage, sink.port), 'msmtp')
    with clients.connect(sink.port) as client:
        client.sendmail('alice@example.org', ['bob@example.net', 'carol@example.net'],
                        clients.MESSAGE)
    lines = sink.wait_lines(4)
    check(all('from=<alice@example.org> to=<bob@example.net>' in line for line in lines),
          str(lines))
    check(' to=<bob@example.net>,<carol@example.net> ' in lines[3], lines[3])
    check_equal(len(sink.messages()), 4)
    status, last = sink.stop()
    check_equal(status, 0)
    check(last.startswith('taken: 4 messages'), last)


def test_every_client_signs_in_under_tls(stage):
    for tls in 'starttls', 'implicit':
        sink = FrankSink(stage, tls=tls, users={LOGIN: 'secret'})
        options = {'tls': tls, 'login': LOGIN, 'password': 'secret'}
        trust = sink.certificate.certificate
        expect_ok(clients.swaks(sink.port, **options), 'swaks')
        expect_ok(clients.swaks(sink.port, mechanism='LOGIN', **options), 'swaks LOGIN')
        expect_ok(clients.curl(stage, sink.port, trust=trust, **options), 'curl')
        expect_ok(clients.msmtp(stage, sink.port, trust=trust, **options), 'msmtp')
        with clients.connect(sink.port, trust=trust, **options) as client:
            client.sendmail('a@example.org', ['b@example.net'], clients.MESSAGE)
        lines = sink.wait_lines(5)
        check(all(f'tls=yes login={LOGIN}' in line for line in lines), str(lines))


def test_a_wrong_password_and_no_login_are_refused(stage):
    sink = FrankSink(stage, tls='starttls', users={LOGIN: 'secret'})
    client = clients.connect(sink.port, tls='starttls')
    for user, password in (LOGIN, 'wrong'), ('nobody', 'secret'):
        try:
            client.login(user, password)
            check(False, f'{user} with {password} came in')
        except smtplib.SMTPAuthenticationError as error:
            check_equal(error.smtp_code, 535)
    check_equal(client.mail('a@example.org')[0], 530)
    client.close()
    check('AUTH refused' in sink.talk_text(), sink.talk_text())


def test_any_user_may_sign_in_where_that_is_wanted(stage):
    sink = FrankSink(stage, '--users', 'any', '--cleartext-auth')
    with clients.connect(sink.port, login='whoever', password='whatever') as client:
        client.sendmail('a@example.org', ['b@example.net'], clients.MESSAGE)
    check('login=whoever' in sink.wait_lines(1)[0], str(sink.lines()))


def test_a_message_is_kept_byte_for_byte(stage):
    sink = FrankSink(stage, keep=True)
    content = (b'Subject: \xe4\r\n\r\n.leading dot\r\n..two\r\n\x00\x01 tab\t\r\n'
               b'\r\n' + b'x' * 5000 + b'\r\n.')
    with clients.connect(sink.port) as client:
        client.mail('a@example.org')
        client.rcpt('b@example.net')
        # smtplib stuffs dots and ends the last line.
        check_equal(client.data(content)[0], 250)
    sink.wait_lines(1)
    check_equal(sink.messages(), [content + b'\r\n'])


def test_json_lines_can_be_read(stage):
    sink = FrankSink(stage, '--json', '--messages', '1')
    expect_ok(clients.swaks(sink.port), 'swaks')
    check_equal(sink.process.wait(), 0)
    first, message, last = sink.json_lines()
    check_equal(first['listening'], f'127.0.0.1:{sink.port}')
    check_equal((message['from'], message['to']), ('alice@example.org', ['bob@example.net']))
    check_equal((last['messages'], last['recipients']), (1, 1))


def test_after_the_last_message_no_other_is_taken(stage):
    sink = FrankSink(stage, '--messages', '2')
    client = clients.connect(sink.port)
    for _ in range(2):
        client.sendmail('a@example.org', ['b@example.net'], clients.MESSAGE)
    check_equal(client.mail('a@example.org')[0], 421)
    check_equal(sink.process.wait(), 0)
    check('taken: 2 messages' in sink.process.text(), sink.process.text())


def test_it_keeps_up_with_a_generator(stage):
    sink = FrankSink(stage, '--count', plain=True)
    smtp_source(sink.port, 20000, sessions=20, kept=True)
    smtp_source(sink.port, 2000, sessions=20)
    status, last = sink.stop()
    check_equal(status, 0)
    check(last.startswith('taken: 22000 messages'), last)
    check_equal(sink.lines(), [])


def test_following_shows_dialogues_without_secrets(stage):
    sink = FrankSink(stage, '--follow', tls='starttls', users={LOGIN: 'topsecret'})
    for mechanism in 'PLAIN', 'LOGIN':
        expect_ok(clients.swaks(sink.port, tls='starttls', login=LOGIN, password='topsecret',
                                mechanism=mechanism), mechanism)
    wait_for(lambda: sink.talk_text().count('QUIT') == 2, 'both dialogues are shown')
    talk = sink.talk_text()
    check(f'<~  [PLAIN: user "{LOGIN}", password hidden' in talk, talk)
    check(f'<~  [LOGIN: user "{LOGIN}"' in talk and '[LOGIN: password hidden' in talk, talk)
    check('topsecret' not in talk and 'dG9wc2VjcmV0' not in talk, talk)
    client = clients.connect(sink.port, tls='starttls')
    check_equal(client.docmd('AUTH', 'PLAIN dG9wc2Vj!!!!')[0], 501)
    client.quit()
    wait_for(lambda: sink.talk_text().count(' 221 ') == 3, 'the third dialogue is shown')
    talk = sink.talk_text()
    check(talk.index('PLAIN 12') < talk.index(' 501 '), 'a malformed payload is counted: ' + talk)
    check('dG9wc2Vj' not in talk, talk)


def test_a_stop_ends_sessions_at_their_next_boundary(stage):
    sink = FrankSink(stage)
    idle = clients.connect(sink.port)
    busy = socket.create_connection(('127.0.0.1', sink.port))
    stream = busy.makefile('rwb')
    for line in b'', b'EHLO x', b'MAIL FROM:<a@b.test>', b'RCPT TO:<c@d.test>', b'DATA':
        stream.write(line + b'\r\n' if line else b'')
        stream.flush()
        while stream.readline()[3:4] == b'-':
            pass
    sink.process.send(signal.SIGTERM)
    check_equal(idle.getreply()[0], 421)
    stream.write(b'Subject: x\r\n\r\nbody\r\n.\r\n')
    stream.flush()
    check(stream.readline().startswith(b'250'), 'a message under way is still taken')
    check(stream.readline().startswith(b'421'), 'and then the session ends')
    check_equal(sink.process.wait(), 0)
    check('taken: 1 messages' in sink.process.text(), sink.process.text())


def test_usage_is_explained(stage):
    for argv, words in (
            (['--auth', 'required'], 'who may sign in'),
            (['--users', 'any'], 'AUTH is not offered without TLS'),
            (['--tls', 'on'], '--tls is off|starttls|implicit'),
            (['--listen', 'localhost:25'], '--listen'),
            (['--lisen', '127.0.0.1:0'], 'did you mean --listen'),
            (['--certificate', 'x'], 'belong together'),
            (['--size-max', '5XB'], 'a size')):
        done = run([binary(), 'sink', *argv])
        check_equal(done.returncode, 2, str(argv))
        check(words in done.stderr.decode(), f'{argv}: {done.stderr.decode()}')
    with socket.socket() as taken:
        taken.bind(('127.0.0.1', 0))
        taken.listen()
        done = run([binary(), 'sink', '--listen', f'127.0.0.1:{taken.getsockname()[1]}'])
        check_equal(done.returncode, 3)
        check_equal(done.stdout, b'')


def test_a_maildir_that_cannot_be_written_is_told_to_both(stage):
    path = stage.write('file', 'no directory')
    sink = FrankSink(stage, '--maildir', path)
    with clients.connect(sink.port) as client:
        client.mail('a@example.org')
        client.rcpt('b@example.net')
        check_equal(client.docmd('DATA')[0], 451)
    check('cannot open the Maildir' in sink.talk_text(), sink.talk_text())


def test_its_own_certificate_serves(stage):
    process = stage.start([binary(), 'sink', '--listen', '127.0.0.1:0', '--tls', 'starttls',
                           '--json'], stage.path('out'))
    port = int(json.loads(wait_for(lambda: process.text().splitlines(), 'it listens')[0])
               ['listening'].split(':')[1])
    expect_ok(clients.swaks(port, tls='starttls'), 'swaks')
