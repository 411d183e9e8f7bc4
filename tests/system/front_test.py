# SPDX-License-Identifier: MIT
"""The front door: who may sign in, with which mechanism, as real clients do it.

GNU SASL's client is the oracle: it shares no code with Frank, and stops when the server's proof or
the channel binding is wrong.
"""
import base64
import contextlib
import json
import os
import re
import shutil
import signal
import smtplib
import socket
import sqlite3
import ssl
import statistics
import threading
import time

from peers import clients
from peers.certificate import Certificate
from peers.dovecot import Dovecot
from peers.frank import Frank
from peers.stage import check, check_equal, run, wait_for
from peers.tokens import AUDIENCE, Tokens

LOGIN = 'alice@example.org'
PASSWORD = 'correct horse'
HASH = '$6$saltsalt$qFmFH.bQmmtXzyBY0s9v7Oicd2z4XSIecDzlB5KiA2/jctKu9YterLp8wwnSq.qc.eoxqOmSuNp2xS0ktL3nh/'

LISTENERS = '''
listen front {{ address 127.0.0.1:{submission}; tls starttls; auth required; {extra} }}
listen clear {{ address 127.0.0.1:{plain}; tls off; auth required; cleartext-auth yes; {clear} }}
'''


def front(stage, extra='', clear='', users=True, **options):
    """A relay with one port under STARTTLS and one in clear, both with AUTH; alice may sign in."""
    frank = Frank(stage, listeners='', users=None, start=False, **options)
    # gsasl says STARTTLS before EHLO.
    extra += ' quirks no-hello from 127.0.0.0/8;'
    frank.configure(listeners=LISTENERS.format(
        submission=frank.submission, plain=frank.port, extra=extra, clear=clear))
    if users:
        add_user(frank, LOGIN, PASSWORD)
    return frank


def add_user(frank, login, password, *options):
    done = frank.command('user', 'add', login, '--password-file', '-', *options,
                         stdin=password + '\n')
    check_equal(done.returncode, 0, done.stderr.decode())


def use_stores(frank, text):
    """Puts another users block into the configuration."""
    with open(frank.configuration) as stream:
        whole = stream.read()
    line = next(line for line in whole.splitlines() if line.startswith('users {'))
    frank.stage.write(frank.configuration, whole.replace(line, text.replace('@FILE@', frank.users)))


def offered(port, tls='off', context=None):
    """The mechanisms of the EHLO list, or None without AUTH."""
    client = clients.connect(port) if tls == 'off' else smtplib.SMTP('127.0.0.1', port)
    client.ehlo('client.example.org')
    if tls == 'starttls':
        client.starttls(context=context or ssl._create_unverified_context())
        client.ehlo('client.example.org')
    found = client.esmtp_features.get('auth')
    client.quit()
    return found.split() if found is not None else None


def say(client, text):
    code, words = client.docmd(text)
    return code, words.decode()


def encode(text):
    return base64.b64encode(text if isinstance(text, bytes) else text.encode()).decode()


def plain(login, password):
    return encode(f'\0{login}\0{password}')


def gsasl(frank, mechanism, login=LOGIN, password=PASSWORD, tls=True, options=()):
    argv = ['gsasl', '--smtp', '--connect', f'localhost:{frank.submission if tls else frank.port}',
            '--mechanism', mechanism, '--authentication-id', login, '--authorization-id', '',
            '--password', password, '--no-starttls' if not tls else '--starttls',
            *(['--x509-ca-file', frank.certificate.certificate] if tls else []), *options]
    return run(argv, timeout=30)


def field(line, name):
    """One value of a log line, or None."""
    found = re.search(rf' {name}=("(?:\\\\.|[^"\\\\])*"|\S*)', line)
    return found and found.group(1).strip('"')


def nth(frank, event, count):
    """The event's line of that number, from 1."""
    return frank.wait_event(event, count=count)[count - 1]


def newest(frank, event):
    return frank.wait_event(event)[-1]


def worked(done):
    """gsasl's exit status is 0 whatever the server says at the end."""
    return done.returncode == 0 and b'235 2.7.0' in done.stdout


# ---- what is offered ----

def test_a_file_of_hashes_offers_plain_and_login_and_only_under_tls(stage):
    frank = front(stage, users=False)
    stage.write(frank.users, f'{LOGIN}:{HASH}\n', 0o640)
    frank.start()
    check_equal(offered(frank.submission), None)
    check_equal(offered(frank.submission, 'starttls'), ['PLAIN', 'LOGIN'])
    check_equal(offered(frank.port), ['PLAIN', 'LOGIN'])


def test_scram_is_offered_when_every_user_can_serve_it_and_plus_under_tls(stage):
    frank = front(stage)
    with open(frank.users, 'a') as stream:
        stream.write(f'locked:!\n')
    frank.start()
    plus = ['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256', 'PLAIN', 'LOGIN']
    check_equal(offered(frank.submission, 'starttls'), plus)
    check_equal(offered(frank.port), plus[1:])
    with open(frank.users, 'a') as stream:
        stream.write(f'old:{HASH}\n')
    frank.reload()
    check_equal(offered(frank.submission, 'starttls'), ['PLAIN', 'LOGIN'])


def test_without_a_binding_plus_is_not_offered(stage):
    """TLS 1.2 without the extended master secret: tls-unique could be the same twice."""
    frank = front(stage)
    frank.start()
    for session_hash, want in (('', True), (':%NO_SESSION_HASH', False)):
        done = gsasl(frank, 'PLAIN', options=['--priority', 'NORMAL:-VERS-TLS1.3' + session_hash])
        check(worked(done), done.stdout.decode() + done.stderr.decode())
        check_equal(b'SCRAM-SHA-256-PLUS' in done.stdout, want, done.stdout.decode())


def test_a_listener_names_its_mechanisms_and_their_order(stage):
    frank = front(stage, extra='mechanisms LOGIN CRAM-MD5 SCRAM-SHA-1 SCRAM-SHA-256;')
    add_user(frank, 'device', 'tiny', '--cleartext')
    frank.start()
    check_equal(offered(frank.submission, 'starttls'), ['LOGIN', 'CRAM-MD5', 'SCRAM-SHA-256'])
    check('does not offer SCRAM-SHA-1: no user can serve it' in frank.log_text() or
          b'does not offer SCRAM-SHA-1' in frank.command('config', 'check').stderr, 'no warning')
    with clients.connect(frank.submission, 'starttls') as client:
        code, text = say(client, 'AUTH PLAIN ' + plain(LOGIN, PASSWORD))
    check_equal((code, 'not offered' in text), (504, True), text)


# ---- real clients ----

def test_gsasl_signs_in_with_each_mechanism(stage):
    frank = front(stage, extra='mechanisms SCRAM-SHA-256-PLUS SCRAM-SHA-256 CRAM-MD5 PLAIN LOGIN;')
    add_user(frank, 'device', 'tiny', '--cleartext')
    frank.start()
    for mechanism in ('SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256', 'PLAIN', 'LOGIN'):
        options = ['--no-cb'] if mechanism == 'SCRAM-SHA-256' else []
        done = gsasl(frank, mechanism, options=options)
        check(worked(done), f'{mechanism}: {done.stdout.decode()}{done.stderr.decode()}')
        done = gsasl(frank, mechanism, password='wrong', options=options)
        check(b'535 5.7.8' in done.stdout, f'{mechanism}: {done.stdout.decode()}')
    done = gsasl(frank, 'CRAM-MD5', 'device', 'tiny')
    check(worked(done), done.stdout.decode() + done.stderr.decode())
    done = gsasl(frank, 'CRAM-MD5')
    check(b'535 5.7.8' in done.stdout, 'alice has no stored secret: ' + done.stdout.decode())
    used = {field(line, 'mechanism') for line in frank.wait_event('auth-succeeded', count=5)}
    check_equal(used, {'SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256', 'PLAIN', 'LOGIN', 'CRAM-MD5'})


def test_gsasl_binds_to_tls_1_2_too(stage):
    frank = front(stage)
    frank.start()
    done = gsasl(frank, 'SCRAM-SHA-256-PLUS', options=['--priority', 'NORMAL:-VERS-TLS1.3'])
    check(worked(done), done.stdout.decode() + done.stderr.decode())


def test_scram_sha_1_from_verifiers_made_by_gsasl(stage):
    frank = front(stage, users=False)
    text = run(['gsasl', '--mkpasswd', '--mechanism', 'SCRAM-SHA-1', '--password', PASSWORD]
               ).stdout.decode().strip()
    numbers = text.split('}', 1)[1].split(',')
    stage.write(frank.users, f'{LOGIN}:SCRAM-SHA-1${numbers[0]}:{numbers[1]}${numbers[2]}:'
                f'{numbers[3]}\n', 0o640)
    frank.start()
    check_equal(offered(frank.port), ['SCRAM-SHA-1', 'PLAIN', 'LOGIN'])
    for mechanism in ('SCRAM-SHA-1-PLUS', 'SCRAM-SHA-1', 'PLAIN'):
        done = gsasl(frank, mechanism, options=['--no-cb'] if mechanism == 'SCRAM-SHA-1' else [])
        check(worked(done), f'{mechanism}: {done.stdout.decode()}{done.stderr.decode()}')


def test_swaks_with_login_login_initial_plain_and_cram_md5(stage):
    frank = front(stage, extra='mechanisms PLAIN LOGIN CRAM-MD5;', users=False)
    add_user(frank, LOGIN, PASSWORD, '--cleartext')
    frank.start()
    with open(shutil.which('swaks')) as stream:
        initial = 'LOGIN-INITIAL' in stream.read()  # since Debian 13
    for mechanism in ('LOGIN', 'LOGIN-INITIAL', 'PLAIN', 'CRAM-MD5'):
        if mechanism == 'LOGIN-INITIAL' and not initial:
            with clients.connect(frank.submission, 'starttls') as client:
                code, text = say(client, 'AUTH LOGIN ' + encode(LOGIN))
                check_equal((code, text), (334, encode('Password:')))
                check_equal(say(client, encode(PASSWORD))[0], 235)
            continue
        done = clients.swaks(frank.submission, '--quit-after', 'AUTH', tls='starttls',
                             mechanism=mechanism, login=LOGIN, password=PASSWORD)
        check_equal(done.returncode, 0, done.stdout.decode())
        done = clients.swaks(frank.submission, '--quit-after', 'AUTH', tls='starttls',
                             mechanism=mechanism, login=LOGIN, password='wrong')
        check(b'535 5.7.8' in done.stdout, done.stdout.decode())


def test_msmtp_curl_and_smtplib_choose_for_themselves(stage):
    frank = front(stage)
    frank.start()
    trust = frank.certificate.certificate
    for mechanism in ('plain', 'login', 'scram-sha-256'):
        if mechanism.startswith('scram') and not clients.msmtp_can(mechanism.upper()):
            continue
        done = clients.msmtp(stage, frank.submission, 'starttls', LOGIN, PASSWORD, mechanism, trust)
        check_equal(done.returncode, 0, mechanism + done.stdout.decode() + done.stderr.decode())
    for options in ([], ['--sasl-ir']):
        done = clients.curl(stage, frank.submission, *options, tls='starttls', login=LOGIN,
                            password=PASSWORD, trust=trust)
        check_equal(done.returncode, 0, done.stderr.decode())
    with clients.connect(frank.submission, 'starttls', trust, LOGIN, PASSWORD) as client:
        check_equal(client.noop()[0], 250)
    with clients.connect(frank.submission, 'starttls', trust) as client:
        try:
            client.login(LOGIN, 'wrong')
            check(False, 'a wrong password came in')
        except smtplib.SMTPAuthenticationError as error:
            check_equal(error.smtp_code, 535)


def send_mail_program(stage, frank, argv, stdin='', env=None):
    done = run(argv, timeout=60, stdin=stdin, env={'HOME': stage.directory, **(env or {})})
    check_equal(done.returncode, 0, done.stdout.decode() + done.stderr.decode())
    check_equal(field(newest(frank, 'auth-succeeded'), 'login'), LOGIN)


def test_git_send_email_and_s_nail_sign_in(stage):
    frank = front(stage)
    frank.start()
    patch = stage.write('0001-x.patch', 'From 0000000000000000000000000000000000000000 Mon Sep 17 '
                        '00:00:00 2001\nFrom: Alice <alice@example.org>\nDate: Mon, 2 Jun 2025 '
                        '10:00:00 +0000\nSubject: [PATCH] x\n\n---\n')
    trust = frank.certificate.certificate
    send_mail_program(stage, frank, [
        'git', 'send-email', '--quiet', '--confirm=never', '--to', clients.RECIPIENT,
        '--from', clients.SENDER, '--smtp-server', 'localhost', '--smtp-server-port',
        str(frank.submission), '--smtp-encryption', 'tls', '--smtp-ssl-cert-path', trust,
        '--smtp-user', LOGIN, '--smtp-pass', PASSWORD, patch],
        env={'GIT_COMMITTER_NAME': 'Alice', 'GIT_COMMITTER_EMAIL': clients.SENDER,
             'GIT_AUTHOR_NAME': 'Alice', 'GIT_AUTHOR_EMAIL': clients.SENDER})
    settings = stage.write('mailrc', '', 0o600)
    login, password = LOGIN.replace('@', '%40'), PASSWORD.replace(' ', '%20')
    send_mail_program(stage, frank, [
        's-nail', '-:', '/', '-S', 'v15-compat=yes', '-S', f'tls-ca-file={trust}',
        '-S', f'mta=submission://{login}:{password}@localhost:{frank.submission}', '-S',
        'smtp-auth=plain', '-S', 'smtp-use-starttls', '-S', 'sendwait', '-r', clients.SENDER, '-s', 'hello',
        clients.RECIPIENT], stdin='Hello.\n', env={'MAILRC': settings, 'DEAD': '/dev/null'})
    frank.wait_queue_empty()


NODEMAILER = '''
const nodemailer = require('nodemailer');
const [port, user, pass, token] = process.argv.slice(2);
const auth = token ? {type: 'OAuth2', user, accessToken: token} : {user, pass};
const to = nodemailer.createTransport({host: '127.0.0.1', port, auth, tls: {rejectUnauthorized: false}});
to.sendMail({from: 'alice@example.org', to: 'bob@example.net', subject: 'x', text: 'Hello.'})
  .then(done => console.log(done.response)).catch(error => { console.error(error.message); process.exit(1); });
'''


def test_nodemailer_signs_in_with_a_password_and_a_token(stage):
    modules = os.path.join(os.path.dirname(__file__), '..', '..', 'build-peers', 'nodemailer',
                           'node_modules')
    if not shutil.which('node') or not os.path.isdir(os.path.join(modules, 'nodemailer')):
        print('SKIPPED: nodemailer is not there (npm install --prefix build-peers/nodemailer '
              'nodemailer)')
        return
    tokens = Tokens(stage)
    frank = front(stage)
    use_stores(frank, tokens.users('file @FILE@;'))
    frank.start()
    script = stage.write('send.js', NODEMAILER)
    for arguments in ([LOGIN, PASSWORD], [LOGIN, '', tokens.token(LOGIN)]):
        done = run(['node', script, str(frank.submission), *arguments],
                   env={'NODE_PATH': os.path.realpath(modules)})
        check(done.returncode == 0 and b'kept' in done.stdout,
              done.stdout.decode() + done.stderr.decode())
    check_equal([field(line, 'mechanism')
                 for line in frank.wait_event('auth-succeeded', count=2)], ['PLAIN', 'XOAUTH2'])


def test_openssl_s_client_by_hand(stage):
    frank = front(stage)
    frank.start()
    for password, want in ((PASSWORD, b'235 2.7.0'), ('wrong', b'535 5.7.8')):
        done = run(['openssl', 's_client', '-connect', f'127.0.0.1:{frank.submission}',
                    '-starttls', 'smtp', '-quiet', '-ign_eof', '-CAfile',
                    frank.certificate.certificate, '-verify_return_error'],
                   stdin=f'EHLO c.example\r\nAUTH PLAIN {plain(LOGIN, password)}\r\nQUIT\r\n')
        check(want in done.stdout, done.stdout.decode() + done.stderr.decode())


# ---- SCRAM by hand ----

def test_a_client_that_does_not_see_plus_is_warned(stage):
    """RFC 5802, 6: 'y' means that the client could bind and was not offered it. It was."""
    frank = front(stage)
    frank.start()
    with clients.connect(frank.submission, 'starttls') as client:
        code, _ = say(client, 'AUTH SCRAM-SHA-256 ' + encode(f'y,,n={LOGIN},r=abcdefgh'))
        check_equal(code, 535)
    check('somebody may be in between' in newest(frank, 'auth-failed'), frank.log_text())
    with clients.connect(frank.port) as client:
        code, _ = say(client, 'AUTH SCRAM-SHA-256 ' + encode(f'y,,n={LOGIN},r=abcdefgh'))
        check_equal(code, 334, 'in clear there is nothing to see')
        client.docmd('*')


def server_first(client, login):
    code, text = say(client, 'AUTH SCRAM-SHA-256 ' + encode(f'n,,n={login},r=abcdefgh'))
    check_equal(code, 334, text)
    client.docmd('*')
    return dict(part.split('=', 1) for part in base64.b64decode(text).decode().split(','))


def test_an_unknown_users_salt_is_the_same_over_a_restart(stage):
    frank = front(stage)
    frank.start()
    with clients.connect(frank.port) as client:
        before = server_first(client, 'nobody')
        known = server_first(client, LOGIN)
        check(before['s'] != server_first(client, 'somebody')['s'], 'two names, one salt')
    check_equal((before['i'], len(before['s'])), (known['i'], len(known['s'])))
    frank.stop()
    frank.start()
    with clients.connect(frank.port) as client:
        check_equal(server_first(client, 'nobody')['s'], before['s'])
        check_equal(server_first(client, LOGIN)['s'], known['s'])


# ---- certificates ----

def client_context(certificate):
    context = ssl._create_unverified_context()
    context.load_cert_chain(certificate.certificate, certificate.key)
    return context


def test_a_certificate_signs_in_with_external(stage):
    alice = Certificate(stage, 'alice', mail=LOGIN)
    host = Certificate(stage, 'printer.example.org', addresses=())
    stranger = Certificate(stage, 'alice', mail=LOGIN)
    with open(alice.certificate) as first, open(host.certificate) as second:
        trusted = stage.write('clients.pem', first.read() + second.read())
    frank = front(stage, extra=f'client-ca {trusted};')
    frank.start()
    usual = ['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256', 'PLAIN', 'LOGIN']
    check_equal(offered(frank.submission, 'starttls'), usual)
    check_equal(offered(frank.submission, 'starttls', client_context(stranger)), usual)
    count = 0
    for certificate, asked, want in ((alice, '', LOGIN), (alice, 'alice@EXAMPLE.org', LOGIN),
                                     (host, '', 'printer.example.org'), (alice, 'bob', None)):
        client = smtplib.SMTP('127.0.0.1', frank.submission)
        client.starttls(context=client_context(certificate))
        client.ehlo()
        check_equal(client.esmtp_features['auth'].split(), ['EXTERNAL'] + usual)
        code, text = say(client, 'AUTH EXTERNAL ' + (encode(asked) or '='))
        check_equal(code, 235 if want else 535, text)
        if want:
            count += 1
            check_equal(field(nth(frank, 'auth-succeeded', count), 'login'), want)
    check('not for the name' in newest(frank, 'auth-failed'), frank.log_text())
    with open(frank.users, 'a') as stream:
        stream.write('printer.example.org:!\n')
    frank.reload()
    client = smtplib.SMTP('127.0.0.1', frank.submission)
    client.starttls(context=client_context(host))
    client.ehlo()
    check_equal(say(client, 'AUTH EXTERNAL =')[0], 535)
    check_equal(field(nth(frank, 'auth-failed', 2), 'reason'), 'the user is locked')


# ---- tokens ----

def test_curl_and_msmtp_sign_in_with_tokens(stage):
    tokens = Tokens(stage)
    frank = front(stage, clear='mechanisms XOAUTH2;', users=False)
    use_stores(frank, tokens.users('file @FILE@;'))
    add_user(frank, LOGIN, PASSWORD)
    frank.start()
    trust = frank.certificate.certificate
    check_equal(offered(frank.submission, 'starttls'),
                ['SCRAM-SHA-256-PLUS', 'SCRAM-SHA-256', 'OAUTHBEARER', 'XOAUTH2', 'PLAIN', 'LOGIN'])
    count = 0
    for algorithm in ('RS256', 'ES256'):
        token = tokens.token(LOGIN, algorithm=algorithm)
        for mechanism, port, tls in (('OAUTHBEARER', frank.submission, 'starttls'),
                                     ('XOAUTH2', frank.port, 'off')):
            for options in ([], ['--sasl-ir']):
                done = clients.curl(stage, port, '--user', LOGIN + ':', '--oauth2-bearer', token,
                                    *options, tls=tls, trust=trust)
                check_equal(done.returncode, 0, mechanism + done.stderr.decode())
                count += 1
                last = nth(frank, 'auth-succeeded', count)
                check_equal((field(last, 'mechanism'), field(last, 'login')), (mechanism, LOGIN))
    # A line of msmtp's file has at most 500 characters.
    short = tokens.token(LOGIN, algorithm='ES256', aud=AUDIENCE, sub=None)
    for mechanism in ('oauthbearer', 'xoauth2'):
        done = clients.msmtp(stage, frank.submission, 'starttls', LOGIN, short, mechanism, trust)
        check_equal(done.returncode, 0, done.stdout.decode() + done.stderr.decode())
    check(token not in frank.log_text(), 'a token stands in the log')


def test_tokens_that_are_not_good_are_refused_and_the_client_is_told(stage):
    tokens = Tokens(stage)
    frank = front(stage, clear='auth-failures-max 100;')
    use_stores(frank, tokens.users('file @FILE@;'))
    frank.start()
    now = int(time.time())
    cases = {
        'not signed with RS256': tokens.unsigned(LOGIN),
        'not signed with RS256 ': tokens.confused(LOGIN),
        'signature of the token is wrong': tokens.token(LOGIN)[:-8] + 'AAAAAAAA',
        'key that is not in the set': tokens.token(LOGIN, kid='other'),
        'another issuer': tokens.token(LOGIN, iss='https://evil.example.org/'),
        'another audience': tokens.token(LOGIN, aud='another'),
        'expired': tokens.token(LOGIN, exp=now - 100),
        'does not say when': tokens.token(LOGIN, exp=None),
        'not valid yet': tokens.token(LOGIN, nbf=now + 1000),
        'another user': tokens.token('mallory@example.org'),
        'names nobody': tokens.token(None),
        'no JWT': 'x' * 40,
    }
    for count, (reason, token) in enumerate(cases.items(), 1):
        with clients.connect(frank.port) as client:
            code, text = say(client, 'AUTH OAUTHBEARER ' + encode(
                f'n,a={LOGIN},\1auth=Bearer {token}\1\1'))
            check_equal((code, json.loads(base64.b64decode(text))['status']),
                        (334, 'invalid_token'), reason)
            check_equal(say(client, 'AQ==')[0], 535, reason)
        line = nth(frank, 'auth-failed', count)
        check(reason.strip() in line, f'{reason}: {line}')
    with clients.connect(frank.port) as client:
        say(client, 'AUTH XOAUTH2 ' + encode(f'user={LOGIN}\1auth=Bearer x.y.z\1\1'))
        check_equal(say(client, '*')[0], 501)
    frank.wait_event('auth-failed', count=len(cases) + 1)  # who breaks off has failed too


# ---- stores ----

def make_database(stage, users):
    path = stage.path('users.db')
    with sqlite3.connect(path) as db:
        db.execute('CREATE TABLE IF NOT EXISTS users '
                   '(mail TEXT PRIMARY KEY, hash TEXT, scram TEXT, locked INTEGER)')
        db.executemany('INSERT INTO users VALUES (?, ?, ?, 0)', users)
    db.close()
    return path


def sqlite_block(path, columns='hash AS password'):
    return (f'sqlite {{ path {path}; query "SELECT {columns} FROM users WHERE mail = :login '
            'AND NOT locked"; }')


def try_plain(port, login, password, source='127.0.0.1'):
    client = smtplib.SMTP('127.0.0.1', port, 'client.example.org', 30, (source, 0))
    client.ehlo()
    try:
        return say(client, 'AUTH PLAIN ' + plain(login, password))
    finally:
        client.close()


def credentials_of(frank, login):
    with open(frank.users) as stream:
        line = next(line for line in stream if line.startswith(login + ':'))
    hash_, scram = line.strip().split(':', 1)[1].split(':', 1)
    return hash_, scram


def test_users_of_a_database_sign_in(stage):
    frank = front(stage)
    add_user(frank, 'carol', 'in the file')
    hash_, scram = credentials_of(frank, LOGIN)
    path = make_database(stage, [(LOGIN, hash_, scram), ('dave', hash_, scram),
                                 ("o'neil", hash_, scram), ('broken', '$y$j9T$short', None)])
    run(['sed', '-i', f'/^{LOGIN}:/d', frank.users])
    use_stores(frank, 'users { file @FILE@; ' +
               sqlite_block(path, 'hash AS password, scram AS scram_sha_256') + ' }')
    frank.start()
    check_equal(offered(frank.port), ['SCRAM-SHA-256', 'PLAIN', 'LOGIN'])
    for login, password, want in (
            (LOGIN, PASSWORD, 235), (LOGIN, 'wrong', 535), ('carol', 'in the file', 235),
            ('carol', PASSWORD, 535), ("o'neil", PASSWORD, 235), ('nobody', PASSWORD, 535),
            ("x' OR '1'='1", PASSWORD, 535), ('broken', PASSWORD, 535)):
        check_equal(try_plain(frank.port, login, password)[0], want, f'{login} {password}')
    frank.wait_event('auth-failed', 'no complete yescrypt hash')
    for login, password, want in ((LOGIN, PASSWORD, True), (LOGIN, 'wrong', False),
                                  ('carol', 'in the file', True)):
        done = gsasl(frank, 'SCRAM-SHA-256-PLUS', login, password)
        check_equal(worked(done), want, done.stdout.decode() + done.stderr.decode())
    with sqlite3.connect(path) as db:
        db.execute('UPDATE users SET locked = 1 WHERE mail = ?', (LOGIN,))
    db.close()
    check_equal(try_plain(frank.port, LOGIN, PASSWORD)[0], 535, 'the cache knows better')


def test_a_database_that_is_down_is_temporary_and_named_once(stage):
    frank = front(stage)
    add_user(frank, 'carol', 'in the file')
    hash_, scram = credentials_of(frank, LOGIN)
    path = make_database(stage, [('dave', hash_, scram)])
    use_stores(frank, 'users { file @FILE@; ' + sqlite_block(path) + ' }')
    frank.start()
    check_equal(try_plain(frank.port, 'dave', PASSWORD)[0], 235)
    os.rename(path, path + '.away')
    for _ in range(3):
        code, text = try_plain(frank.port, 'dave', PASSWORD)
        check_equal((code, text.startswith('4.7.0')), (454, True), text)
    check_equal(try_plain(frank.port, 'carol', 'in the file')[0], 235, 'a store before it')
    check_equal(len(frank.wait_event('store-down')), 1)
    check_equal(field(newest(frank, 'store-down'), 'store'), f'sqlite {path}')
    os.rename(path + '.away', path)
    check_equal(try_plain(frank.port, 'dave', PASSWORD)[0], 235)
    check_equal(len(frank.wait_event('store-up')), 1)


def test_queries_that_could_do_harm_are_refused_at_the_start(stage):
    path = make_database(stage, [])
    for query, why in (
            ('DELETE FROM users WHERE mail = :login', 'it may only read'),
            ('SELECT hash AS password FROM users', 'must have one parameter, :login'),
            ('SELECT hash AS password FROM users WHERE mail = :login OR locked = ?',
             'must have one parameter'),
            ('SELECT hash AS password FROM users WHERE mail = :login; SELECT 1', 'one statement'),
            ('SELECT hash FROM users WHERE mail = :login', 'is called \\"hash\\"'),
            ('SELECT nonesuch FROM users WHERE mail = :login', 'no such column')):
        frank = front(stage)
        use_stores(frank, f'users {{ sqlite {{ path {path}; query "{query}"; }} }}')
        frank.start(wait=False)
        wait_for(lambda: not frank.process.running(), 'Frank ends')
        text = frank.log_text() + frank.process.text()
        check(why in text or why.replace('\\', '') in text, text)


def children(pid):
    found = []
    for entry in filter(str.isdigit, os.listdir('/proc')):
        with contextlib.suppress(OSError), open(f'/proc/{entry}/stat') as stream:
            if int(stream.read().rsplit(')', 1)[1].split()[1]) == pid:
                found.append(int(entry))
    return found


def test_dovecot_is_asked_and_comes_back(stage):
    dovecot = Dovecot(stage, {'dave@example.org': 'in dovecot'})
    frank = front(stage, extra='mechanisms PLAIN LOGIN;')
    use_stores(frank, f'users {{ file @FILE@; dovecot {dovecot.auth_socket}; }}')
    frank.start()
    check_equal(offered(frank.port), ['PLAIN', 'LOGIN'])
    check_equal(try_plain(frank.port, 'dave@example.org', 'in dovecot')[0], 235)
    check_equal(field(newest(frank, 'auth-succeeded'), 'login'), 'dave@example.org')
    check_equal(try_plain(frank.port, LOGIN, PASSWORD)[0], 235)
    for login, source in (('dave@example.org', '127.0.0.2'), ('nobody', '127.0.0.3')):
        code, text = try_plain(frank.port, login, 'wrong', source)
        check_equal((code, text[:5]), (535, '5.7.8'), text)
    # Dovecot holds an address back from which guesses come, and no other.
    many = [threading.Thread(target=try_plain, args=(frank.port, 'nobody', str(i), f'127.0.1.{i}'))
            for i in range(1, 21)]
    for thread in many:
        thread.start()
    begin = time.monotonic()
    check_equal(try_plain(frank.port, 'dave@example.org', 'in dovecot')[0], 235)
    check(time.monotonic() - begin < 1.9, 'those who guess hold others up')
    for thread in many:
        thread.join()
    # Its auth process would serve those who are connected for as long as they are.
    helpers = children(dovecot.process.pid)
    dovecot.stop()
    for pid in helpers:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not any(os.path.exists(f'/proc/{pid}/exe') for pid in helpers),
             'Dovecot is gone, its helpers too')
    for _ in range(2):
        code, text = try_plain(frank.port, 'dave@example.org', 'in dovecot')
        check_equal((code, text.startswith('4.7.0')), (454, True), text)
    check_equal(try_plain(frank.port, LOGIN, PASSWORD)[0], 235)
    check_equal(len(frank.wait_event('store-down')), 1, frank.log_text())
    check_equal(field(newest(frank, 'store-down'), 'store'), f'dovecot {dovecot.auth_socket}')
    again = stage.start(dovecot.process.argv, os.path.join(dovecot.directory, 'again.out'))
    wait_for(lambda: try_plain(frank.port, 'dave@example.org', 'in dovecot')[0] == 235,
             'Dovecot is asked again')
    check(again.running(), again.text())
    check_equal(len(frank.wait_event('store-up')), 1)


# ---- attackers ----

def attempts(port, login, count):
    """Seconds of `count` refused logins, in one session."""
    seconds = []
    with clients.connect(port) as client:
        for i in range(count):
            begin = time.perf_counter()
            code, _ = say(client, 'AUTH PLAIN ' + plain(login, f'wrong {i}'))
            seconds.append(time.perf_counter() - begin)
            check_equal(code, 535)
    return seconds


def test_unknown_users_and_wrong_passwords_take_the_same_time(stage):
    frank = front(stage, clear='auth-failures-max 1000;', plain=True)
    frank.start()
    texts = {login: try_plain(frank.port, login, 'wrong') for login in (LOGIN, 'nobody')}
    check_equal(texts[LOGIN], texts['nobody'])
    # The machine does other things too: what counts is one round without them.
    for _ in range(3):
        known, unknown = [], []
        for _ in range(20):
            known += attempts(frank.port, LOGIN, 10)
            unknown += attempts(frank.port, 'nobody', 10)
        ratio = statistics.median(unknown) / statistics.median(known)
        print(f'unknown user / wrong password: {ratio:.3f} of {statistics.median(known):.4f} s')
        if 0.95 < ratio < 1.05:
            return
    check(False, f'the medians of 200 attempts differ: {ratio:.3f}')


test_unknown_users_and_wrong_passwords_take_the_same_time.alone = True
test_unknown_users_and_wrong_passwords_take_the_same_time.timeout = 180


def guess(port, stop, counts):
    """One guessing session after the other, from 127.0.0.1."""
    while not stop.is_set():
        try:
            with clients.connect(port, timeout=60) as client:
                while not stop.is_set():
                    say(client, 'AUTH PLAIN ' + plain(LOGIN, os.urandom(6).hex()))
                    counts.append(1)
        except (OSError, smtplib.SMTPException):
            continue


def test_two_hundred_who_guess_do_not_keep_an_honest_client_out(stage):
    frank = front(stage, clear='auth-failures-max 1000; connections-per-address 1000;', plain=True)
    add_user(frank, 'carol', 'honest')
    frank.start()
    stop, counts = threading.Event(), []
    threads = [threading.Thread(target=guess, args=(frank.port, stop, counts), daemon=True)
               for _ in range(200)]
    for thread in threads:
        thread.start()
    try:
        wait_for(lambda: len(counts) > 50, 'guesses are under way', 60)
        queue = len(counts)
        begin = time.monotonic()
        check_equal(try_plain(frank.port, 'carol', 'honest', '127.0.0.2')[0], 235)
        seconds = time.monotonic() - begin
        print(f'honest login among 200 who guess: {seconds:.3f} s; {queue} guesses before it')
        # In one queue for all it would wait for 199 others.
        check(seconds < 1.0, f'the honest client waited {seconds:.1f} s')
    finally:
        stop.set()
        for thread in threads:
            thread.join(60)


test_two_hundred_who_guess_do_not_keep_an_honest_client_out.alone = True
test_two_hundred_who_guess_do_not_keep_an_honest_client_out.timeout = 180


# ---- by hand ----

def test_auth_in_every_wrong_state(stage):
    frank = front(stage)
    frank.start()
    with socket.create_connection(('127.0.0.1', frank.port)) as raw:
        stream = raw.makefile('rw', newline='\r\n')

        def ask(line, want):
            if line is not None:
                stream.write(line + '\n')
                stream.flush()
            text = stream.readline()
            while text[3:4] == '-':
                text = stream.readline()
            check_equal(text[:3], str(want), f'{line}: {text}')

        ask(None, 220)
        ask('AUTH PLAIN ' + plain(LOGIN, PASSWORD), 503)
        ask('EHLO c.example', 250)
        ask('AUTH SCRAM-SHA-256-PLUS', 504)
        ask('AUTH EXTERNAL =', 504)
        ask('AUTH NTLM', 504)
        ask('AUTH SCRAM-SHA-256 ' + encode('p=tls-exporter,,n=x,r=y'), 501)
        ask('AUTH SCRAM-SHA-256', 334)
        ask('not base64!', 501)
        ask('AUTH SCRAM-SHA-256', 334)
        ask(encode(f'n,,n={LOGIN},r=abc'), 334)
        ask(encode('c=biws,r=other,p=AAAA'), 535)
        ask('AUTH PLAIN ' + plain(LOGIN, PASSWORD), 235)
        ask('AUTH PLAIN ' + plain(LOGIN, PASSWORD), 503)
        ask('QUIT', 221)
