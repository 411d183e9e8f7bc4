# SPDX-License-Identifier: MIT
"""Mail programs that send one message: swaks, msmtp, curl, and Python's smtplib.

tls is 'off', 'starttls' or 'implicit' for all of them; `trust` is a file of certificates.
"""
import re
import smtplib
import ssl

from peers.stage import run

SENDER = 'alice@example.org'
RECIPIENT = 'bob@example.net'
MESSAGE = f'''From: {SENDER}
To: {RECIPIENT}
Subject: a message
Date: Mon, 02 Jun 2025 10:00:00 +0000
Message-ID: <one@example.org>

Hello.
'''


def swaks(port, *options, tls='off', login=None, password=None, mechanism=None, sender=SENDER,
          recipient=RECIPIENT, data=None, timeout=60):
    """Runs swaks; .stdout is the dialogue. swaks itself does not verify certificates."""
    argv = ['swaks', '--server', '127.0.0.1', '--port', port, '--from', sender, '--to', recipient,
            '--helo', 'client.example.org', '--timeout', '20s']
    argv += {'off': [], 'starttls': ['--tls'], 'implicit': ['--tls-on-connect']}[tls]
    if login:
        argv += ['--auth', mechanism or 'PLAIN', '--auth-user', login, '--auth-password', password]
    if data:
        argv += ['--data', data]
    return run([*argv, *options], timeout=timeout, env={'HOME': '/nonexistent'})


def msmtp(stage, port, tls='off', login=None, password=None, mechanism='plain', trust=None,
          sender=SENDER, recipients=(RECIPIENT,), message=MESSAGE, timeout=60, settings=(),
          env=None):
    """mechanism as msmtp names it, in small letters; settings: more lines of its file."""
    lines = ['account default', 'host localhost', f'port {port}', f'from {sender}',
             'source_ip 127.0.0.1', f'tls {"off" if tls == "off" else "on"}',
             f'tls_starttls {"on" if tls == "starttls" else "off"}']
    if tls != 'off':
        lines.append(f'tls_trust_file {trust}' if trust else 'tls_certcheck off')
    if login:
        lines += [f'auth {mechanism}', f'user {login}', f'password {password}']
    lines += settings
    configuration = stage.write('msmtprc', '\n'.join(lines) + '\n', 0o600)
    return run(['msmtp', '-C', configuration, '--debug', '--', *recipients], stdin=message,
               timeout=timeout, env=env)


def msmtp_can(mechanism):
    """msmtp 1.8.28 (Debian 13) gives the channel binding to SCRAM mechanisms without -PLUS too, and
    GNU SASL then refuses to go on."""
    found = re.search(rb'msmtp version (\d+)\.(\d+)\.(\d+)', run(['msmtp', '--version']).stdout)
    new = tuple(map(int, found.groups())) > (1, 8, 23)
    return not (new and mechanism.startswith('SCRAM') and not mechanism.endswith('-PLUS'))


def curl(stage, port, *options, tls='off', login=None, password=None, trust=None, sender=SENDER,
         recipients=(RECIPIENT,), message=MESSAGE, timeout=60):
    scheme = 'smtps' if tls == 'implicit' else 'smtp'
    argv = ['curl', '--disable', '--verbose', '--silent', '--show-error', '--ipv4',
            '--url', f'{scheme}://localhost:{port}/client.example.org', '--mail-from', sender,
            '--upload-file', stage.write('curl-message', message.replace('\n', '\r\n'))]
    for recipient in recipients:
        argv += ['--mail-rcpt', recipient]
    if tls == 'starttls':
        argv.append('--ssl-reqd')
    if tls != 'off':
        argv += ['--cacert', trust] if trust else ['--insecure']
    if login:
        secrets = stage.write('curl-secrets', f'user = "{login}:{password}"\n', 0o600)
        argv += ['--config', secrets]
    return run([*argv, *options], timeout=timeout)


def connect(port, tls='off', trust=None, login=None, password=None, lmtp=False, timeout=20):
    """An smtplib client, past EHLO, TLS and login. With trust the certificate is verified."""
    context = ssl.create_default_context(cafile=trust)
    if not trust:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if lmtp:
        client = smtplib.LMTP('127.0.0.1', port, local_hostname='client.example.org')
    elif tls == 'implicit':
        client = smtplib.SMTP_SSL('localhost', port, local_hostname='client.example.org',
                                  timeout=timeout, context=context)
    else:
        client = smtplib.SMTP('127.0.0.1', port, local_hostname='client.example.org',
                              timeout=timeout)
    client.ehlo_or_helo_if_needed()
    if tls == 'starttls':
        # The name that is verified is the one of the constructor.
        client._host = 'localhost'
        client.starttls(context=context)
        client.ehlo()
    if login:
        client.login(login, password)
    return client
