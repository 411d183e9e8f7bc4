# SPDX-License-Identifier: MIT
"""`frank send` against servers that behave, and against some that do not."""
import json
import re

from peers import scripted
from peers.certificate import Certificate
from peers.frank import SANITIZER, binary
from peers.frank_sink import FrankSink
from peers.scripted import ScriptedServer
from peers.smtp_sink import SmtpSink
from peers.stage import Failure, check, check_equal, run

ENVELOPE = ['--from', 'alice@example.org', '--to', 'bob@example.net']
MESSAGE = 'Subject: from a file\n\nOne line,\n.and one with a dot.\n'


def send(*argv, stdin=b'', env=None):
    done = run([binary(), 'send', *argv], stdin=stdin, env=env)
    found = SANITIZER.search(done.stderr.decode())
    if found:
        raise Failure('the sanitizer found: ' + done.stderr.decode())
    return done


def password_file(stage, password='secret'):
    return stage.write('password', password + '\n', 0o600)


def expect(done, status, *words):
    text = done.stdout.decode() + done.stderr.decode()
    check_equal(done.returncode, status, text)
    for word in words:
        check(word in text, f'"{word}" is missing in: {text}')


def test_a_made_up_message_reaches_smtp_sink(stage):
    sink = SmtpSink(stage, keep=True)
    done = send(f'127.0.0.1:{sink.port}', *ENVELOPE, '--to', 'carol@example.net',
                '--subject', 'Grüße', '--body', 'Schöne Grüße\n')
    expect(done, 0, ' -> MAIL FROM:<alice@example.org>', '[content, ', 'Accepted: ')
    sink.wait_count(1)
    envelope, body = sink.messages()[0]
    check_equal(len(envelope['X-Rcpt-Args']), 2)
    for field in (b'Date: ', b'Message-ID: <', b'From: <alice@example.org>\n',
                  b'To: <bob@example.net>,\n <carol@example.net>\n',
                  b'Subject: =?UTF-8?B?R3LDvMOfZQ==?=\n', b'charset=utf-8'):
        check(b'\n' + field in b'\n' + body or field in body, f'{field} in {body}')
    check('\n\nSchöne Grüße\n'.encode() in body, str(body))


def test_a_message_from_a_file_or_standard_input_gets_its_line_ends(stage):
    sink = FrankSink(stage, keep=True)
    url = f'smtp://127.0.0.1:{sink.port}'
    path = stage.write('message', MESSAGE)
    for argv, stdin in ([path], b''), (['-'], MESSAGE):
        expect(send(url, *ENVELOPE, *argv, stdin=stdin), 0, '=== the message has 4 line ends')
    expect(send(url, *ENVELOPE, '-', stdin='no header\r\nat all\r\n'), 0,
           'has no header')
    sink.wait_lines(3)
    crlf = MESSAGE.replace('\n', '\r\n').encode()
    check_equal(sorted(sink.messages()), sorted([crlf, crlf, b'no header\r\nat all\r\n']))


def test_it_signs_in_and_hides_the_secret(stage):
    for tls, scheme in ('starttls', 'submission'), ('implicit', 'smtps'):
        sink = FrankSink(stage, tls=tls, users={'anna': 'topsecret'})
        for mechanism in 'PLAIN', 'LOGIN':
            done = send(f'{scheme}://localhost:{sink.port}', *ENVELOPE, '--login', 'anna',
                        '--password-file', password_file(stage, 'topsecret'),
                        '--tls-trust', sink.certificate.certificate, '--mechanism', mechanism)
            expect(done, 0, f' ~> AUTH {mechanism}', 'user "anna"', '<~  235', 'verified',
                   'Accepted: ')
            for secret in b'topsecret', b'dG9wc2VjcmV0', b'AGFubmEAdG9wc2VjcmV0':
                check(secret not in done.stdout, done.stdout.decode())


def test_the_verdict_names_what_failed_and_what_to_do(stage):
    closed = stage.port()
    refusing = ScriptedServer(stage, replies={
        'RCPT': lambda session, argument: '550 5.1.1 No such user here'
        if 'bob' in argument else session.server.on_rcpt(session, argument)})
    relaying = ScriptedServer(stage, replies={'RCPT': '550 5.7.1 Relaying denied'})
    late = ScriptedServer(stage, replies={'.': '452 4.3.1 Disk full'})
    leaving = ScriptedServer(stage, replies={'MAIL': scripted.CLOSE})
    greeting = ScriptedServer(stage, greeting='554 5.7.1 Go away')
    pop = ScriptedServer(stage, greeting='+OK POP3 ready')
    for server, status, words in (
            (f'127.0.0.1:{closed}', 3, ['*** ', 'Could not try: ', f'port {closed}']),
            ('no-such-name.invalid', 3, ['Could not try: ', 'spelling']),
            (f'lmtp://unix:{stage.path("nothing")}', 3, ['Could not try: ']),
            (f'127.0.0.1:{refusing.port}', 1,
             ['<** 550 5.1.1', 'Refused by', 'for bob@example.net at RCPT: 550 5.1.1',
              'no such mailbox']),
            (f'127.0.0.1:{relaying.port}', 1, ['--login NAME']),
            (f'127.0.0.1:{late.port}', 1, ['Not accepted for now', 'the end of the content: 452']),
            (f'127.0.0.1:{leaving.port}', 1, ['Failed: ', 'closed the connection']),
            (f'127.0.0.1:{greeting.port}', 1, ['Failed: ', '554 5.7.1 Go away']),
            (f'127.0.0.1:{pop.port}', 1, ['Failed: ', 'POP3'])):
        expect(send(server, *ENVELOPE), status, *words)
    done = send(f'127.0.0.1:{refusing.port}', *ENVELOPE, '--to', 'carol@example.net')
    expect(done, 1, 'Accepted for 1 of 2 recipients', 'refused for bob@example.net at RCPT')


def test_certificates_are_verified_unless_told_otherwise(stage):
    certificate = Certificate(stage, name='mail.example.org', addresses=())
    server = ScriptedServer(stage, ehlo=['STARTTLS'], certificate=certificate)
    url = f'submission://localhost:{server.port}'
    trust = ['--tls-trust', certificate.certificate]
    expect(send(url, *ENVELOPE), 1, 'Failed: ', '--tls-trust FILE')
    expect(send(url, *ENVELOPE, *trust), 1, 'Failed: ', 'mail.example.org', '--tls-name')
    expect(send(url, *ENVELOPE, *trust, '--tls-name', 'mail.example.org'), 0, 'verified')
    expect(send(url, *ENVELOPE, '--tls-verify', 'no'), 0)
    check_equal(len(server.messages()), 2)


def test_tls_is_what_the_option_says(stage):
    certificate = Certificate(stage)
    trust = ['--tls-trust', certificate.certificate]
    offering = ScriptedServer(stage, ehlo=['STARTTLS'], certificate=certificate)
    bare = ScriptedServer(stage)
    implicit = ScriptedServer(stage, certificate=certificate, implicit_tls=True)
    expect(send(f'localhost:{offering.port}', *ENVELOPE, *trust), 0, ' ~> MAIL')
    expect(send(f'localhost:{offering.port}', *ENVELOPE, '--tls', 'off'), 0, ' -> MAIL',
           'it went in clear')
    expect(send(f'localhost:{bare.port}', *ENVELOPE, '--tls', 'starttls'), 1,
           'does not offer STARTTLS')
    expect(send(f'localhost:{implicit.port}', *ENVELOPE, *trust, '--tls', 'implicit'), 0,
           ' ~> MAIL')
    expect(send(f'smtps://localhost:{bare.port}', *ENVELOPE), 1, 'Failed: ', 'smtp: begin in clear')


def test_a_login_never_goes_in_clear_unasked(stage):
    server = ScriptedServer(stage, ehlo=['AUTH PLAIN LOGIN'], users={'anna': 'secret'})
    login = ['--login', 'anna', '--password-file', password_file(stage)]
    done = send(f'127.0.0.1:{server.port}', *ENVELOPE, *login)
    expect(done, 1, '--cleartext-auth')
    check('AUTH' not in server.sessions[0].verbs(), str(server.sessions[0].lines))
    expect(send(f'127.0.0.1:{server.port}', *ENVELOPE, *login, '--cleartext-auth'), 0)
    check_equal(server.logins(), [('PLAIN', 'anna', 'secret')])
    wrong = ['--login', 'anna', '--password-file', stage.write('wrong', 'wrong\n', 0o600)]
    expect(send(f'127.0.0.1:{server.port}', *ENVELOPE, *wrong, '--cleartext-auth'), 1, '535',
           'Check name and password')
    check_equal(len(server.logins()), 2)


def test_the_initial_response_is_tried_the_other_way_once(stage):
    server = ScriptedServer(stage, ehlo=['AUTH LOGIN'],
                            replies={'AUTH': scripted.login_without_initial_response})
    login = ['--login', 'anna', '--password-file', password_file(stage), '--cleartext-auth']
    done = send(f'127.0.0.1:{server.port}', *ENVELOPE, *login, '--initial-response', 'yes')
    expect(done, 0, '<** 500 5.5.1 Invalid command', 'Accepted: ')
    check_equal(server.sessions[0].verbs().count('AUTH'), 2)


def test_json_has_dialogue_and_verdict(stage):
    sink = FrankSink(stage, tls='starttls', users={'anna': 'secret'})
    done = send(f'submission://localhost:{sink.port}', *ENVELOPE, '--login', 'anna', '--json',
                '--password-file', password_file(stage), '--tls-verify', 'no')
    expect(done, 0)
    answer = json.loads(done.stdout)
    dialogue, verdict = answer['dialogues'][0], answer['verdict']
    check_equal(dialogue['format'], 'frank')
    check_equal([line['n'] for line in dialogue['lines']],
                list(range(1, len(dialogue['lines']) + 1)))
    check_equal({line['from'] for line in dialogue['lines']}, {'client', 'server', 'note'})
    check(all(line['t'] >= 0 for line in dialogue['lines']), str(dialogue))
    check(verdict['accepted'] and verdict['tls'], str(verdict))
    check(re.fullmatch(r'[0-9a-z]{13}', verdict['remote_id']), str(verdict))
    refused = json.loads(send(f'127.0.0.1:{stage.port()}', *ENVELOPE, '--json').stdout)
    check_equal((refused['verdict']['accepted'], refused['verdict']['trouble']),
                (False, 'connection'))


def test_how_it_connects_and_what_it_shows(stage):
    sink = FrankSink(stage, '--follow', '--size-max', '1KB')
    server = f'127.0.0.1:{sink.port}'
    done = send(server, *ENVELOPE, '--source', '127.0.0.2', '--ehlo', 'me.example.org', '--times')
    expect(done, 0, ' -> EHLO me.example.org')
    shown = done.stdout.decode().split('\n\n')[0].splitlines()
    check(all(re.match(r' +\d+\.\d{3} (===|<-|<\*\*| ->)', line) for line in shown), str(shown))
    check(' client=127.0.0.2:' in sink.wait_lines(1)[0], str(sink.lines()))
    done = send('--server', server, *ENVELOPE, '--quiet')
    expect(done, 0)
    check_equal(done.stdout.count(b'\n'), 1)
    done = send(server, *ENVELOPE, '--body', 'x' * 2000)
    expect(done, 1, 'and the server takes 1024', 'Refused by', ' at MAIL: 552',
           'larger than the server admits')


def test_usage_is_explained(stage):
    for argv, words in (
            ([], 'which server'),
            (['smtp://user:pw@host'], 'a login does not belong in a URL'),
            (['smtp://host', '--password', 'x'], '--password-file'),
            (['smpt://host', *ENVELOPE], 'smtp'),
            (['maildir:/tmp/x', *ENVELOPE], 'is no server'),
            (['host', '--from', 'a@b'], '--from and --to'),
            (['host', '--from', 'a@b', '--to', 'c d@e'], 'the address'),
            (['host', *ENVELOPE, '--mechanism', 'PLAIN'], '--login'),
            (['host', *ENVELOPE, '--login', 'a', '--mechanism', 'SCRAM-SHA1'], 'did you mean SCRAM-SHA-1?'),
            (['host', *ENVELOPE, '--ehlo', 'a b'], '--ehlo'),
            (['host', *ENVELOPE, '--source', 'here'], '--source'),
            (['host', *ENVELOPE, '--subject', 'x', 'file'], 'made up'),
            (['host', *ENVELOPE, 'a', 'b'], 'too many')):
        done = send(*argv)
        check_equal(done.returncode, 2, f'{argv}: {done.stderr.decode()}')
        check(words in done.stderr.decode(), f'{argv}: {done.stderr.decode()}')
        check(b'pw' not in done.stderr, done.stderr.decode())
    for argv, words in (
            (['host', *ENVELOPE, '/nonexistent/file'], 'cannot read /nonexistent/file'),
            (['host', *ENVELOPE, '--login', 'a', '--password-file', '/nonexistent/file'],
             '/nonexistent/file'),
            (['host', *ENVELOPE, '--tls-trust', '/nonexistent/file'], '/nonexistent/file')):
        expect(send(*argv), 3, words)


def test_lmtp_has_a_verdict_per_recipient(stage):
    class Lmtp(ScriptedServer):
        def _take_content(self, session):
            content = session.read_content()
            session.messages.append((session.sender, list(session.recipients), content))
            session.say('250 2.0.0 <bob@example.net> AbCdEf12 Saved')
            return self._answer(session, '550 5.2.2 mailbox is full', '')

    server = Lmtp(stage)
    done = send(f'lmtp://127.0.0.1:{server.port}', *ENVELOPE, '--to', 'carol@example.net')
    expect(done, 1, ' -> LHLO ', 'Accepted for 1 of 2 recipients',
           'refused for carol@example.net at the end of the content: 550 5.2.2',
           'The mailbox is full.')


def test_large_content_flows_past_a_slow_reader(stage):
    sink = FrankSink(stage, '--size-max', '100MB', keep=True)
    content = ('Subject: large\r\n\r\n' + ('.' + 'x' * 70 + '\r\n') * 300000).encode()
    expect(send(f'127.0.0.1:{sink.port}', *ENVELOPE, stage.write('large', content)), 0)
    sink.wait_lines(1)
    check(sink.messages() == [content], 'the content is what was sent')


def test_colour_is_for_terminals_without_no_color(stage):
    sink = FrankSink(stage)
    argv = [binary(), 'send', f'127.0.0.1:{sink.port}', *ENVELOPE]
    command = ' '.join(argv)
    for env, coloured in ({}, True), ({'NO_COLOR': '1'}, False):
        done = run(['script', '-qec', command, '/dev/null'], env={**env, 'TERM': 'xterm'})
        check_equal(b'\x1b[' in done.stdout, coloured, done.stdout.decode())
    check(b'\x1b[' not in run(argv).stdout, 'a pipe gets no colour')


def test_a_reader_that_goes_away_is_no_crash(stage):
    sink = FrankSink(stage)
    command = f'{binary()} send 127.0.0.1:{sink.port} {" ".join(ENVELOPE)}; echo $? >&2'
    done = run(['sh', '-c', f'({command}) | true'])
    check(int(done.stderr.split()[-1]) in (0, 3), done.stderr.decode())
    check(not SANITIZER.search(done.stderr.decode()), done.stderr.decode())
