# SPDX-License-Identifier: MIT
"""Each directive is obeyed: set to another value than its default, it changes what is seen."""
import json
import os
import pwd
import re
import smtplib
import socket
import ssl
import time

from peers import clients
from peers.certificate import Certificate
from peers.frank import Frank
from peers.identity_provider import IdentityProvider, hop_for
from peers.scripted import ScriptedServer
from peers.stage import check, check_equal, wait_for

USERS = {'alice@example.org': 'correct horse', 'bob@example.org': 'second horse'}
LOGIN = {'login': 'alice@example.org', 'password': 'correct horse'}


def via(hop, more='', pattern='*'):
    return f'route {pattern} {{ via smtp://127.0.0.1:{hop.port}; {more} }}\n'


def send(frank, recipient=clients.RECIPIENT, sender=clients.SENDER, message=clients.MESSAGE):
    with clients.connect(frank.port) as client:
        client.sendmail(sender, [recipient], message)


def code_of(call, *arguments):
    """The code of the reply to a whole message."""
    try:
        call(*arguments)
        return 250
    except smtplib.SMTPRecipientsRefused as refusal:
        return next(iter(refusal.recipients.values()))[0]
    except smtplib.SMTPResponseException as refusal:
        return refusal.smtp_code


# ---- listeners ----

def test_hostname_and_size_max_are_said_in_ehlo(stage):
    frank = Frank(stage, plain_extra='size-max 64KB;')
    client = clients.connect(frank.port)
    check_equal(client.esmtp_features['size'], '65536')
    check(client.ehlo_resp.startswith(b'relay.example.org'), repr(client.ehlo_resp))
    code = code_of(client.sendmail, clients.SENDER, [clients.RECIPIENT], 'x' * 70000)
    check_equal(code, 552)


def test_cleartext_auth_offers_auth_without_tls(stage):
    port = stage.port()
    frank = Frank(stage, users=USERS, listeners=f'listen old {{ address 127.0.0.1:{port}; tls off; '
                                                'auth required; cleartext-auth yes; }')
    done = clients.swaks(port, mechanism='LOGIN', **LOGIN)
    check_equal(done.returncode, 0, done.stdout.decode() + frank.log_text())


def test_auth_failures_max_ends_the_session(stage):
    frank = Frank(stage, users=USERS, submission_extra='auth-failures-max 2;')
    client = clients.connect(frank.submission, 'starttls')
    wrong = 'AGFsaWNlQGV4YW1wbGUub3JnAHdyb25n'
    check_equal(client.docmd('AUTH', 'PLAIN ' + wrong)[0], 535)
    code, _ = client.docmd('AUTH', 'PLAIN ' + wrong)
    check(code in (535, 421), str(code))
    if code == 535:
        check_equal(client.getreply()[0], 421)


def test_strict_refuses_harmless_slips(stage):
    frank = Frank(stage, plain_extra='strict yes;')
    tolerant = Frank(stage)
    for relay, want in ((frank, 501), (tolerant, 250)):
        client = clients.connect(relay.port)
        check_equal(client.docmd('MAIL', 'FROM: alice@example.org')[0], want)


def test_connections_max_turns_the_next_one_away(stage):
    frank = Frank(stage, plain_extra='connections-max 2;')
    held = [clients.connect(frank.port) for _ in range(2)]
    with socket.create_connection(('127.0.0.1', frank.port), timeout=10) as third:
        check(third.recv(1000).startswith(b'421'), 'the third is turned away')
    held[0].quit()
    wait_for(lambda: welcome(frank.port), 'there is room again')


def welcome(port):
    with socket.create_connection(('127.0.0.1', port), timeout=10) as one:
        return one.recv(1000).startswith(b'220')


def test_timeouts_of_a_listener_go_before_the_global_ones(stage):
    frank = Frank(stage, extra='timeout { command 100s; }', plain_extra='timeout { command 1s; }')
    client = clients.connect(frank.port)
    start = time.monotonic()
    check_equal(client.getreply()[0], 421)
    check(time.monotonic() - start < 10, 'one second')


def test_relay_from_lets_only_its_networks_relay(stage):
    inside, outside = stage.port(), stage.port()
    Frank(stage, listeners=f'''
        listen inside {{ address 127.0.0.1:{inside}; auth off; tls off; relay-from 127.0.0.0/8; }}
        listen outside {{ address 127.0.0.1:{outside}; auth off; tls off; relay-from 192.0.2.0/24; }}''')
    check_equal(clients.swaks(inside).returncode, 0)
    check(b'550 5.7.1' in clients.swaks(outside).stdout, 'relaying is refused')


# ---- routes ----

def test_match_chooses_by_sender_login_client_and_listener(stage):
    names = ('sender', 'login', 'client', 'listener', 'rest')
    hops = {name: ScriptedServer(stage) for name in names}
    frank = Frank(stage, via(hops['sender'], 'match sender *@special.example;')
                  + via(hops['login'], 'match login bob@*;')
                  + via(hops['listener'], 'match listener submissions;')
                  + via(hops['client'], 'match client 127.0.0.9/32;')
                  + via(hops['rest']), USERS)
    send(frank, sender='x@special.example')
    hops['sender'].wait_messages(1)
    clients.swaks(frank.submission, tls='starttls', login='bob@example.org',
                  password='second horse')
    hops['login'].wait_messages(1)
    clients.swaks(frank.submissions, tls='implicit', **LOGIN)
    hops['listener'].wait_messages(1)
    clients.swaks(frank.port, '--local-interface', '127.0.0.9')
    hops['client'].wait_messages(1)
    send(frank)
    hops['rest'].wait_messages(1)
    check_equal([len(hops[name].messages()) for name in names], [1, 1, 1, 1, 1])


def test_refuse_gives_its_own_reply(stage):
    frank = Frank(stage, 'route *@no.test { refuse "550 5.7.99 not from here"; }\n'
                         'route * { via discard; }')
    done = clients.swaks(frank.port, recipient='bob@no.test')
    check(b'550 5.7.99 not from here' in done.stdout, done.stdout.decode())
    check_equal(clients.swaks(frank.port).returncode, 0)


def test_ehlo_and_source_are_what_the_hop_sees(stage):
    seen = []
    hop = ScriptedServer(stage, replies={'CONNECT': lambda session, _: seen.append(
        session.connection.getpeername()[0]) or '220 scripted.test'})
    frank = Frank(stage, via(hop, 'ehlo mail.other.example; source 127.0.0.7;'))
    send(frank)
    hop.wait_messages(1)
    check_equal(hop.sessions[0].lines[0], 'EHLO mail.other.example')
    check_equal(seen[0], '127.0.0.7')


def test_tls_verify_no_takes_any_certificate(stage):
    certificate = Certificate(stage, days=-1)
    hop = ScriptedServer(stage, ehlo=['STARTTLS'], certificate=certificate)
    frank = Frank(stage, f'route * {{ via submission://127.0.0.1:{hop.port}; tls-verify no; }}')
    send(frank)
    hop.wait_messages(1)
    check(hop.sessions[0].tls, 'under TLS')


def test_connections_max_of_a_route_limits_connections(stage):
    hop = ScriptedServer(stage, replies={'.': slow_250})
    frank = Frank(stage, via(hop, 'connections-max 1;'))
    for _ in range(10):
        send(frank)
    hop.wait_messages(10)
    check_equal(most_at_once(hop), 1)


def slow_250(session, _content):
    session.server.now = getattr(session.server, 'now', 0) + 1
    session.server.most = max(getattr(session.server, 'most', 0), session.server.now)
    session.server._over.wait(getattr(session.server, 'pause', 0.05))
    session.server.now -= 1
    return '250 2.0.0 Ok'


def most_at_once(hop):
    return hop.most


def test_messages_per_connection_ends_connections(stage):
    hop = ScriptedServer(stage)
    frank = Frank(stage, via(hop, 'messages-per-connection 3; connections-max 1;'))
    for _ in range(9):
        send(frank)
    hop.wait_messages(9)
    check(max(len(session.messages) for session in hop.sessions) <= 3, 'at most three each')


def test_rate_spreads_messages(stage):
    hop = ScriptedServer(stage)
    frank = Frank(stage, via(hop, 'rate 2/s;'))
    start = time.monotonic()
    for _ in range(8):
        send(frank)
    hop.wait_messages(8, 60)
    # Two may go at once when nothing went before.
    check(time.monotonic() - start >= 2.5, 'two a second')


def test_retry_lifetime_and_delay_warning_set_the_pace(stage):
    times = []
    hop = ScriptedServer(stage, replies={
        'RCPT': lambda session, _: times.append(time.monotonic()) or '450 4.2.0 later'})
    notes = ScriptedServer(stage)
    frank = Frank(stage, via(hop, 'retry { first 1s; factor 1; max 1s; } lifetime 20s; '
                                  'delay-warning 3s;', '*@example.net') + via(notes))
    send(frank)
    notes.wait_messages(2, 60)
    check(len(times) >= 3, f'{len(times)} attempts')
    check(b'Action: delayed' in notes.messages()[0][2], notes.messages()[0][2].decode())
    check(b'Action: failed' in notes.messages()[1][2], notes.messages()[1][2].decode())


test_retry_lifetime_and_delay_warning_set_the_pace.timeout = 90


# ---- the rest ----

def test_bounce_reverse_path_and_from(stage):
    hop = ScriptedServer(stage, replies={'RCPT': '550 5.1.1 no'})
    notes = ScriptedServer(stage)
    frank = Frank(stage, via(hop, pattern='*@example.net') + via(notes),
                  extra='bounce { reverse-path bounces@example.org; from robot@example.org; }')
    send(frank)
    sender, _, content = notes.wait_messages(1)[0]
    check_equal(sender, 'bounces@example.org')
    check(re.search(rb'^From:.*robot@example\.org', content, re.M), content.decode())


def test_default_domain_completes_bare_addresses(stage):
    hop = ScriptedServer(stage)
    frank = Frank(stage, via(hop), extra='default-domain filled.example;')
    send(frank, recipient='bob', sender='root')
    check_equal(hop.wait_messages(1)[0][:2], ('root@filled.example', ['bob@filled.example']))


def test_domains_have_recipients_from_a_file_and_aliases(stage):
    mail = stage.subdirectory('mail')
    recipients = stage.write('recipients', 'info@example.org\nsales@example.org\n')
    port = stage.port()
    frank = Frank(stage, listeners=f'listen mx {{ address 127.0.0.1:{port}; auth off; tls off; }}',
                  extra=f'domain example.org {{ recipients file {recipients}; '
                        f'alias help info@example.org; deliver maildir:{mail}/%d/%u; }}')
    for recipient, want in (('info', 0), ('sales', 0), ('help', 0), ('nobody', None)):
        done = clients.swaks(port, recipient=f'{recipient}@example.org')
        check(done.returncode == want if want == 0 else b'550 5.1.1' in done.stdout,
              done.stdout.decode())
    frank.wait_queue_empty()
    check_equal(len(stage.files(mail, 'example.org/info/new/*')), 2)
    check_equal(len(stage.files(mail, 'example.org/sales/new/*')), 1)


def test_log_goes_to_a_file_as_json(stage):
    path = stage.path('relay.json')
    frank = Frank(stage, extra=f'log file {path} json;')
    send(frank)
    frank.stop()
    with open(path) as stream:
        events = [json.loads(line)['event'] for line in stream]
    check('message-accepted' in events, str(events))


def test_min_free_refuses_before_the_disk_is_full(stage):
    frank = Frank(stage, extra='', spool_extra='')
    check_equal(code_of(send, frank), 250)
    with open(frank.configuration) as stream:
        text = stream.read()
    stage.write(frank.configuration, text.replace('min-free 1MB', 'min-free 1000GB'))
    frank.restart()
    check_equal(code_of(send, frank), 452)


def test_history_ends_when_it_is_none(stage):
    hop = ScriptedServer(stage)
    frank = Frank(stage, via(hop), spool_extra='history none;')
    kept = Frank(stage, via(hop))
    for relay, want in ((frank, 1), (kept, 0)):
        done = clients.swaks(relay.port)
        message = relay.wait_event('delivered')[0]
        identifier = re.search(r'message=(\S+)', message).group(1)
        relay.wait_queue_empty()
        wait_for(lambda: relay.command('queue', 'show', identifier).returncode == want,
                 f'queue show ends with {want}: {done.stdout.decode()[-200:]}')


def test_user_is_what_the_relay_runs_as_and_lanes_are_its_threads(stage):
    os.chmod(stage.directory, 0o755)
    hop = ScriptedServer(stage)
    name = 'nobody'
    owner = pwd.getpwnam(name)
    frank = Frank(stage, via(hop), extra=f'user {name}; lanes 3;', start=False)
    for path in (frank.directory, frank.spool, frank.users, frank.certificate.key):
        os.chown(path, owner.pw_uid, owner.pw_gid)
    frank.start()
    with open(f'/proc/{frank.pid}/status') as stream:
        status = stream.read()
    check_equal(re.search(r'^Uid:\s+(.*)$', status, re.M).group(1).split(),
                [str(owner.pw_uid)] * 4)
    names = []
    for thread in os.listdir(f'/proc/{frank.pid}/task'):
        with open(f'/proc/{frank.pid}/task/{thread}/comm') as stream:
            names.append(stream.read().strip())
    check_equal(len([n for n in names if 'lane' in n]), 3, str(names))
    send(frank)
    hop.wait_messages(1)


def test_admin_socket_is_where_the_directive_says(stage):
    frank = Frank(stage)
    check(os.path.exists(frank.socket), 'the socket is there')
    check_equal(os.stat(frank.socket).st_mode & 0o777, 0o660)


def test_account_is_shared_by_routes(stage):
    hop = ScriptedServer(stage, ehlo=['AUTH PLAIN LOGIN'])
    password = stage.write('up', 'secret\n', 0o600)
    frank = Frank(stage, via(hop, 'account up; cleartext-auth yes;'),
                  extra=f'account up {{ login shared; password-file {password}; }}')
    send(frank)
    hop.wait_messages(1)
    check_equal(hop.logins(), [('PLAIN', 'shared', 'secret')])


def test_initial_response_no_waits_for_the_prompt(stage):
    hop = ScriptedServer(stage, ehlo=['AUTH PLAIN LOGIN'])
    password = stage.write('up', 'secret\n', 0o600)
    frank = Frank(stage, via(hop, f'login a; password-file {password}; cleartext-auth yes; '
                                  'initial-response no;'))
    send(frank)
    hop.wait_messages(1)
    check('AUTH PLAIN' in hop.sessions[0].lines, str(hop.sessions[0].lines))


def test_password_command_of_a_route_gives_the_first_line(stage):
    hop = ScriptedServer(stage, ehlo=['AUTH PLAIN LOGIN'])
    command = stage.write('command', '#!/bin/sh\nprintf "%s\\nsecond line\\n" "$2"\n', 0o755)
    frank = Frank(stage, via(hop, f'login a; password-command {command} x "a $HOME;b"; '
                                  'cleartext-auth yes;'.replace('$', '\\$')))
    send(frank)
    hop.wait_messages(1)
    check_equal(hop.logins(), [('PLAIN', 'a', 'a $HOME;b')])


def test_a_password_command_that_fails_is_an_error(stage):
    hop = ScriptedServer(stage, ehlo=['AUTH PLAIN LOGIN'])
    command = stage.write('command', '#!/bin/sh\necho the vault is sealed >&2; exit 3\n', 0o755)
    frank = Frank(stage, via(hop, f'login a; password-command {command}; cleartext-auth yes;'),
                  start=False)
    done = frank.command('config', 'check')
    check_equal(done.returncode, 2)
    check(b'the vault is sealed' in done.stdout, done.stdout.decode())


def test_mechanisms_of_an_account_and_of_a_route_are_the_only_ones(stage):
    hop = ScriptedServer(stage, ehlo=['AUTH PLAIN LOGIN CRAM-MD5'])
    password = stage.write('up', 'secret\n', 0o600)
    frank = Frank(stage, via(hop, 'account up; cleartext-auth yes; mechanisms login;', '*@a.test') +
                  via(hop, 'account up; cleartext-auth yes; mechanisms SCRAM-SHA-256;', '*@b.test') +
                  via(hop, 'account up; cleartext-auth yes;'),
                  extra=f'account up {{ login a; password-file {password}; mechanisms PLAIN; }}')
    send(frank)
    send(frank, 'bob@a.test')
    hop.wait_messages(2)
    check_equal(sorted(login[0] for login in hop.logins()), ['LOGIN', 'PLAIN'])
    send(frank, 'bob@b.test')
    line = frank.wait_event('hop-paused')[0]
    check('SCRAM-SHA-256' in line, line)
    check_equal(len(hop.logins()), 2)


def external(session, argument):
    """Takes whoever has shown a certificate."""
    shown = session.connection.getpeercert()
    if argument.startswith('EXTERNAL') and shown:
        session.logins.append((argument, dict(name[0] for name in shown['subject'])['commonName'], ''))
        return '235 2.7.0 Ok'
    return '535 5.7.8 No certificate'


def test_certificate_and_key_of_an_account_sign_in(stage):
    certificate, ours = Certificate(stage), Certificate(stage, name='relay.example.org')
    hop = ScriptedServer(stage, ehlo=['STARTTLS', 'AUTH EXTERNAL'], certificate=certificate,
                         replies={'AUTH': external})
    hop.context.verify_mode = ssl.CERT_OPTIONAL
    hop.context.load_verify_locations(ours.certificate)
    frank = Frank(stage, f'route * {{ via submission://localhost:{hop.port}; account up; '
                         f'tls-trust {certificate.certificate}; }}',
                  extra=f'account up {{ certificate {ours.certificate}; key {ours.key}; }}')
    send(frank)
    hop.wait_messages(1)
    check_equal(hop.logins(), [('EXTERNAL =', 'relay.example.org', '')])
    # A key of another certificate, and one that everybody may read.
    frank.configure(extra=f'account up {{ certificate {ours.certificate}; key {certificate.key}; }}')
    check_equal(frank.command('config', 'check').returncode, 2)


def test_default_domain_of_a_route_completes_envelope_and_header(stage):
    hop = ScriptedServer(stage)
    frank = Frank(stage, via(hop, 'default-domain routed.example;'),
                  extra='default-domain filled.example;')
    send(frank, 'sales', 'root', 'From: root\nTo: sales\n\nHello.\n')
    _, recipients, content = hop.wait_messages(1)[0]
    check_equal(recipients, ['sales@routed.example'])
    check(b'\nFrom: root@routed.example\r\n' in content, content.decode())


def test_alias_of_a_route_sends_mail_elsewhere(stage):
    hop, other = ScriptedServer(stage), ScriptedServer(stage)
    frank = Frank(stage, via(hop, 'alias sales a@x.test b@x.test; alias c@a.test d@x.test;',
                             '*@a.test *@filled.example') + via(other),
                  extra='default-domain filled.example;')
    send(frank, 'sales')
    send(frank, 'c@a.test')
    send(frank, 'e@a.test')
    check_equal(hop.wait_messages(1)[0][1], ['e@a.test'])
    other.wait_messages(2)
    check_equal(sorted(name for message in other.messages() for name in message[1]),
                ['a@x.test', 'b@x.test', 'd@x.test'])


def test_a_preset_limits_connections_unless_the_route_does(stage):
    identity = IdentityProvider(stage, client_secret='client secret')
    secret = stage.write('client-secret', 'client secret\n', 0o600)
    account = (f'account ms {{ login scan@contoso.example; oauth {{ preset microsoft365; '
               f'flow client-credentials; tenant contoso.example; client-id {identity.client_id}; '
               f'client-secret-file {secret}; token-endpoint {identity.url("token")}; '
               f'trust {identity.certificate.certificate}; }} }}')
    for more, limit, count in (('', 3, 24), ('connections-max 1;', 1, 4)):
        hop = ScriptedServer(stage, ehlo=['AUTH XOAUTH2'], certificate=identity.certificate,
                             implicit_tls=True, replies={'AUTH': hop_for(identity), '.': slow_250})
        hop.pause = 0.25
        frank = Frank(stage, f'route * {{ via smtps://localhost:{hop.port}; account ms; rate none; '
                             f'tls-trust {identity.certificate.certificate}; {more} }}',
                      extra=account)
        for _ in range(count):
            send(frank)
        hop.wait_messages(count)
        check_equal(most_at_once(hop), limit, 'connections at once')
        frank.stop()
