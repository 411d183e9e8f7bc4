# SPDX-License-Identifier: MIT
"""docs/examples: each file passes `frank config check` without a warning, and runs.

The text of the file is what runs, but for hosts, ports and paths: they are replaced, and it is an
error when one of them is not in the file. The providers are stand-ins: scripted hops with TLS that
know the logins, and an identity provider of our own.
"""
import json
import os
import re
import smtplib
import urllib.request

from peers import clients
from peers.certificate import Certificate
from peers.frank import Frank
from peers.identity_provider import IdentityProvider, hop_for
from peers.scripted import ScriptedServer
from peers.smtp_sink import smtp_source
from peers.stage import check, check_equal, wait_for

EXAMPLES = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..', 'docs', 'examples')
OFFER = ['PIPELINING', '8BITMIME', 'STARTTLS', 'AUTH PLAIN LOGIN']


class Example(Frank):
    """replace   {text of the file: what stands there in the test}, or a function of the Example
    files     {name below /etc/frank: text}, kept private
    """

    def __init__(self, stage, name, replace, files=None, user=None, **options):
        self._name, self._replace, self._files = name, replace, files or {}
        self._user = user
        super().__init__(stage, start=False, **options)
        done = self.command('config', 'check')
        check(done.returncode == 0 and b': no errors\n' in done.stdout,
              (done.stdout + done.stderr).decode())
        self.start()

    def start(self, **options):
        # Without root, if we have it to give away.
        argv = ['setpriv', f'--reuid={self._user}', f'--regid={self._user}', '--clear-groups']
        super().start(argv=argv if self._user and os.getuid() == 0 else None, **options)

    def configure(self, **values):
        for name, text in self._files.items():
            path = os.path.join(self.directory, name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            self.stage.write(path, text + '\n', 0o600)
        with open(os.path.join(EXAMPLES, self._name)) as stream:
            text = stream.read()
        replace = self._replace(self) if callable(self._replace) else self._replace
        for old, new in replace.items():
            check(old in text, f'{self._name} has no "{old}"')
            text = text.replace(old, new)
        for path, ours in (('/etc/frank/cert.pem', self.certificate.certificate),
                           ('/etc/frank/key.pem', self.certificate.key),
                           ('/etc/frank/', self.directory + '/')):
            text = text.replace(path, ours)
        for block, own in (('spool', f'path {self.spool}; min-free 1MB;'),
                           ('state', f'path {self.state};'), ('admin', f'socket {self.socket};')):
            if f'\n{block} {{' not in text:
                text += f'\n{block} {{ {own} }}\n'
        self.stage.write(self.configuration, text)

    def ports(self):
        return {'*:587': f'127.0.0.1:{self.submission}', '*:465': f'127.0.0.1:{self.submissions}'}


def provider(stage, certificate, users, **options):
    return ScriptedServer(stage, ehlo=OFFER, certificate=certificate, users=users, **options)


def mailbox(stage, identity, address):
    """A hop that takes tokens of the identity provider, and one sender only, as Exchange Online."""
    def mail(session, argument):
        if f'<{address}>' not in argument:
            return '550 5.7.60 SMTP; Client does not have permissions to send as this sender'
        return session.server.on_mail(session, argument)
    return ScriptedServer(stage, ehlo=[*OFFER[:-1], 'AUTH LOGIN XOAUTH2'],
                          certificate=identity.certificate,
                          replies={'AUTH': hop_for(identity), 'MAIL': mail})


def end_points(identity, kind=None):
    """What the preset names, at the identity provider of the test."""
    names = {'device': 'device', 'authorization': 'authorize'}
    first = f'{kind}-endpoint {identity.url(names[kind])}; ' if kind else ''
    return (f'{first}token-endpoint {identity.url("token")}; '
            f'trust {identity.certificate.certificate};')


def begin_sign_in(frank, account):
    """`frank token login`, waiting; and a function that waits for what it prints."""
    process = frank.stage.start([frank.binary, 'token', 'login', account, '-c', frank.configuration],
                                env=frank.env)
    return process, lambda pattern: wait_for(
        lambda: re.search(pattern, process.text()), f'{pattern} is printed').group(1)


def hop_url(hop, certificate, scheme='submission'):
    """What stands in place of a provider's URL: via {this};"""
    return f'{scheme}://localhost:{hop.port}; tls-trust {certificate.certificate}'


def send_as(frank, login, sender, recipient='bob@example.com', name='Somebody'):
    """Signs in with the password "horse staple" and sends."""
    with clients.connect(frank.submission, 'starttls', login=login,
                         password='horse staple') as client:
        client.sendmail(sender, [recipient], message_from(f'{name} <{sender}>', recipient))


def message_from(sender, recipient):
    return f'From: {sender}\nTo: {recipient}\nSubject: an example\n\nHello.\n'


def field(content, name):
    """The value of the first field of that name in a message as it came, or None."""
    for line in content.split(b'\r\n\r\n')[0].decode().split('\r\n'):
        if line.lower().startswith(name.lower() + ':'):
            return line.partition(':')[2].strip()
    return None


def test_printers_reach_microsoft_365(stage):
    identity = IdentityProvider(stage, client_id='00000000-0000-0000-0000-000000000000')
    hop = mailbox(stage, identity, 'scanner@contoso.example')
    frank = Example(stage, 'm365-printers.conf', lambda frank: {
        '192.168.7.2:25': f'127.0.0.1:{frank.port}', '192.168.7.32/27': '127.0.0.0/8',
        'preset microsoft365;': 'preset microsoft365; ' + end_points(identity, 'device'),
        'submission://smtp.office365.com:587': hop_url(hop, identity.certificate)})
    with clients.connect(frank.port) as printer:
        printer.sendmail('copier@printer.example', ['anna@example.net'], message_from(
            '"Copier, second floor" <copier@printer.example>', 'anna@example.net'))
    line = frank.wait_event('hop-paused')[0]
    check('frank token login m365' in line, line)
    process, said = begin_sign_in(frank, 'm365')
    identity.approve(said(r'enter the code (\S+)'), 'scanner@contoso.example')
    check_equal(process.wait(), 0, process.text())
    sender, recipients, content = hop.wait_messages(1)[0]
    check_equal((sender, recipients), ('scanner@contoso.example', ['anna@example.net']))
    check_equal(field(content, 'From'), '"Copier, second floor" <scanner@contoso.example>')
    check('<copier@printer.example>' in field(content, 'Reply-To'), content.decode())
    check_equal(hop.logins()[0][:2], ('XOAUTH2', 'scanner@contoso.example'))
    check_equal(identity.requests[0]['form']['scope'],
                'https://outlook.office.com/SMTP.Send offline_access')
    frank.wait_queue_empty()


def test_cron_reaches_gmail(stage):
    identity = IdentityProvider(stage, client_id='000000000000-example.apps.googleusercontent.com',
                                client_secret='client secret')
    hop = mailbox(stage, identity, 'box@example.org')
    frank = Example(stage, 'gmail-cron.conf', lambda frank: {
        '127.0.0.1:25 [::1]:25': f'127.0.0.1:{frank.port}',
        'preset gmail;': 'preset gmail; ' + end_points(identity, 'authorization'),
        'submission://smtp.gmail.com:587': hop_url(hop, identity.certificate),
    }, {'gmail-secret': 'client secret'})
    process, said = begin_sign_in(frank, 'gmail')
    address = said(r'(https://localhost\S+[?]\S+)')
    urllib.request.urlopen(identity.browse(address, 'box@example.org'), timeout=10).close()
    check_equal(process.wait(), 0, process.text())
    with clients.connect(frank.port) as cron:
        cron.sendmail('root', ['root'], 'From: root (Cron Daemon)\nTo: root\n'
                      'Subject: Cron <root@box> backup\n\nNo space left on device\n')
    sender, recipients, content = hop.wait_messages(1)[0]
    check_equal((sender, recipients), ('box@example.org', ['admin@example.org']))
    check('box@example.org' in field(content, 'From'), content.decode())
    check('root@box.example.org' in field(content, 'Reply-To'), content.decode())
    check_equal(hop.logins()[0][:2], ('XOAUTH2', 'box@example.org'))
    check('scope=https%3A%2F%2Fmail.google.com%2F' in address, address)
    frank.wait_queue_empty()


def test_several_domains_leave_through_their_own_providers(stage):
    certificate = Certificate(stage)
    org = provider(stage, certificate, {'relay@example.org': 'org secret'})
    net = provider(stage, certificate, {'relay@example.net': 'net secret'}, implicit_tls=True)
    identity = IdentityProvider(stage, client_id='00000000-0000-0000-0000-000000000000',
                                client_secret='client secret')
    contoso = mailbox(stage, identity, 'scan@contoso.example')
    frank = Example(stage, 'several-domains.conf', lambda frank: {
        **frank.ports(),
        'preset microsoft365;': 'preset microsoft365; ' + end_points(identity),
        'submission://smtp.office365.com:587': hop_url(contoso, identity.certificate),
        'submission://smtp.example.org:587': hop_url(org, certificate),
        # The first one is down.
        'smtps://mail.example.net smtps://mail2.example.net':
            f'smtps://localhost:{stage.port()} ' + hop_url(net, certificate, 'smtps'),
    }, {'example.org-password': 'org secret', 'example.net-password': 'net secret',
        'contoso-secret': 'client secret'}, users={'anna': 'horse staple'},
        certificate=certificate)
    for sender in ('a@example.org', 'b@sub.example.org', 'c@example.net', 'scan@contoso.example'):
        send_as(frank, 'anna', sender)
    try:
        send_as(frank, 'anna', 'd@elsewhere.example')
        check(False, 'a sender without a provider was taken')
    except smtplib.SMTPRecipientsRefused as refusal:
        check_equal(refusal.recipients['bob@example.com'][0], 550)
    check_equal(sorted(message[0] for message in org.wait_messages(2)),
                ['a@example.org', 'b@sub.example.org'])
    check_equal([message[0] for message in net.wait_messages(1)], ['c@example.net'])
    contoso.wait_messages(1)
    check_equal({login[1] for login in contoso.logins()}, {'relay@contoso.example'})
    check_equal(identity.requests[0]['form']['scope'], 'https://outlook.office365.com/.default')
    check_equal({login[1] for login in org.logins()}, {'relay@example.org'})
    check_equal({login[1] for login in net.logins()}, {'relay@example.net'})
    frank.wait_queue_empty()


def test_users_leave_with_their_own_logins(stage):
    certificate = Certificate(stage)
    hop = provider(stage, certificate, {'anna@example.net': 'A', 'bert@example.net': 'B'})
    frank = Example(stage, 'users-own-logins.conf', lambda frank: {
        **frank.ports(), 'submission://smtp.example.net:587': hop_url(hop, certificate),
    }, {'secrets/anna': 'A', 'secrets/bert': 'B'}, certificate=certificate,
        users={name: 'horse staple' for name in ('anna', 'bert', 'carla')})
    for login in ('anna', 'bert', 'anna', 'bert'):
        send_as(frank, login, f'{login}@home.example', name=login.title())
    try:
        send_as(frank, 'carla', 'carla@home.example')
        check(False, 'a login without an account was taken')
    except smtplib.SMTPRecipientsRefused:
        pass
    hop.wait_messages(4)
    for session in hop.sessions:
        names = {login[1] for login in session.logins}
        check_equal({message[0] for message in session.messages}, names)
        for sender, _, content in session.messages:
            name = sender.partition('@')[0]
            check_equal(field(content, 'From'), f'{name.title()} <{sender}>')
            check_equal(field(content, 'Reply-To'), f'{name.title()} <{name}@home.example>')


def test_a_local_domain_stays_and_the_rest_goes_to_the_smart_host(stage):
    certificate = Certificate(stage)
    hop = provider(stage, certificate, {'example-org': 'up secret'})
    mail = stage.subdirectory('mail', 0o777)
    frank = Example(stage, 'local-domain.conf', lambda frank: {
        **frank.ports(), '*:25;': f'127.0.0.1:{frank.port};', '/var/mail/': mail + '/',
        'submission://smtp.example.net:587': hop_url(hop, certificate),
    }, {'upstream-password': 'up secret'}, certificate=certificate,
        users={'anna@example.org': 'horse staple', 'bert@example.org': 'horse staple'})
    with clients.connect(frank.port) as stranger:
        stranger.sendmail('x@example.com', ['anna@example.org', 'info@example.org'],
                          message_from('x@example.com', 'anna@example.org'))
        stranger.mail('x@example.com')
        check_equal(stranger.rcpt('nobody@example.org')[0], 550)
        check(stranger.rcpt('y@example.net')[0] >= 500, 'a stranger can relay')
        stranger.rset()
    wait_for(lambda: len(stage.files(f'{mail}/example.org/anna/new', '*')) == 2 and
             stage.files(f'{mail}/example.org/bert/new', '*'), 'the mail lies in the Maildirs')
    send_as(frank, 'anna@example.org', 'anna@example.org')
    check_equal(hop.wait_messages(1)[0][0], 'anna@example.org')
    check_equal({(login[0], login[1]) for login in hop.logins()}, {('PLAIN', 'example-org')})


def test_a_container_is_told_by_variables_and_files(stage):
    certificate = Certificate(stage)
    hop = provider(stage, certificate, {'frank@example.net': 'up secret'})
    data = stage.subdirectory('data')
    secret = stage.write('smarthost_password', 'up secret\n', 0o600)
    variables = {'RELAY_HOSTNAME': 'relay.example.org', 'SMARTHOST': 'localhost',
                 'SMARTHOST_PORT': str(hop.port), 'SMARTHOST_LOGIN': 'frank@example.net',
                 'SMARTHOST_PASSWORD_FILE': secret, 'SMARTHOST_CA': certificate.certificate}
    frank = Example(stage, 'docker.conf', lambda frank: {
        '*:2525': f'127.0.0.1:{frank.port}', '/data/': data + '/', 'min-free 64MB': 'min-free 1MB',
    }, env=variables)
    with clients.connect(frank.port) as client:
        client.sendmail(clients.SENDER, [clients.RECIPIENT], clients.MESSAGE)
    hop.wait_messages(1)
    check_equal({login[1] for login in hop.logins()}, {'frank@example.net'})
    events = wait_for(lambda: [line for line in frank.log_lines('"delivered"')],
                      'the delivery is logged as JSON')
    check_equal(json.loads(events[0])['event'], 'delivered')
    without = dict(variables)
    del without['SMARTHOST_LOGIN']
    frank.env = without
    done = frank.command('config', 'check')
    check_equal(done.returncode, 2)
    check(b'SMARTHOST_LOGIN is not set' in done.stdout, done.stdout.decode())


def test_a_laptop_runs_it_without_root(stage):
    certificate = Certificate(stage)
    hop = provider(stage, certificate, {'anna@example.net': 'up secret'})
    home = stage.subdirectory('home', 0o777)
    tools = stage.subdirectory('tools')
    stage.write(os.path.join(tools, 'pass'), '#!/bin/sh\n[ "$*" = "show mail/example.net" ] || exit 1\n'
                'echo up secret\necho login: anna@example.net\n', 0o755)
    state = os.path.join(home, '.local/state/frank')
    os.makedirs(state)
    if os.getuid() == 0:
        os.chown(state, 65534, 65534)
    frank = Example(stage, 'laptop.conf', lambda frank: {
        '127.0.0.1:2525 [::1]:2525': f'127.0.0.1:{frank.port}', 'min-free 64MB': 'min-free 1MB',
        'submission://smtp.example.net:587 smtps://smtp.example.net':
            f'submission://localhost:{stage.port()} ' + hop_url(hop, certificate),
    }, env={'HOME': home, 'PATH': f'{tools}:{os.environ["PATH"]}'}, user=65534)
    frank.log = os.path.join(state, 'log')
    with clients.connect(frank.port) as client:
        client.sendmail('anna@example.org', ['bob'], message_from('anna@example.org', 'bob'))
    sender, recipients, _ = hop.wait_messages(1)[0]
    check_equal((sender, recipients), ('anna@example.org', ['bob@example.org']))
    check_equal(hop.logins()[0][1:], ('anna@example.net', 'up secret'))
    frank.wait_queue_empty()
    check('up secret' not in frank.log_text(), 'the log has the password')


def test_an_application_server_keeps_bulk_apart(stage):
    certificate = Certificate(stage)
    fast = provider(stage, certificate, {'out@example.org': 'T'})
    slow = provider(stage, certificate, {'news@example.org': 'B'})
    bulk = stage.port()
    frank = Example(stage, 'application-server.conf', lambda frank: {
        '10.0.0.5:2525': f'127.0.0.1:{frank.port}', '10.0.0.5:2526': f'127.0.0.1:{bulk}',
        '10.0.0.0/24': '127.0.0.0/8', '/srv/frank': frank.spool, 'min-free 4GB': 'min-free 1MB',
        # The first one is down.
        'submission://smtp1.example.net:587 submission://smtp2.example.net:587':
            f'submission://localhost:{stage.port()} ' + hop_url(fast, certificate),
        'submission://bulk.example.net:587': hop_url(slow, certificate),
    }, {'transactional': 'T', 'bulk': 'B'})
    smtp_source(bulk, 60, sessions=2, kept=True, sender='news@example.org')
    smtp_source(frank.port, 200, sessions=4, kept=True, sender='out@example.org')
    check_equal({message[0] for message in fast.wait_messages(200)}, {'out@example.org'})
    check_equal({message[0] for message in slow.wait_messages(60)}, {'news@example.org'})
    check_equal({login[1] for login in fast.logins()}, {'out@example.org'})
    check_equal({login[1] for login in slow.logins()}, {'news@example.org'})
    frank.wait_queue_empty()
