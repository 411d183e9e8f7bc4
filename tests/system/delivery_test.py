# SPDX-License-Identifier: MIT
"""What Frank does with next hops: real ones, old ones, broken ones."""
import json
import threading
import time

from peers import clients, scripted
from peers.certificate import Certificate
from peers.dovecot import Dovecot
from peers.frank import Frank
from peers.postfix import Postfix
from peers.scripted import ScriptedServer
from peers.smtp_sink import smtp_source
from peers.stage import check, check_equal, wait_for

# What an old server lists: AUTH, but no STARTTLS, and it wants LOGIN without an initial response.
OLD_EHLO = ['AUTH PLAIN LOGIN', 'AUTH=PLAIN LOGIN', 'PIPELINING', '8BITMIME']


def send(frank, recipients=(clients.RECIPIENT,), message=clients.MESSAGE, count=1,
         sender=clients.SENDER):
    with clients.connect(frank.port) as client:
        for _ in range(count):
            client.sendmail(sender, list(recipients), message)


def account(stage, hop, password='secret', more='', scheme='smtp', host='127.0.0.1'):
    """A route to the hop with an account, and the file that holds its password."""
    path = stage.write('upstream-password', password + '\n', 0o600)
    return (f'route * {{ via {scheme}://{host}:{hop.port}; login test; password-file {path}; '
            f'{more} }}'), path


def reasons(frank):
    return [recipient.get('reply', '') for item in frank.queue()
            for recipient in item['recipients']]


def test_a_postfix_that_demands_auth_over_tls_takes_the_mail(stage):
    certificate = Certificate(stage)
    dovecot = Dovecot(stage, {'relay@provider.test': 'horse staple'})
    postfix = Postfix(stage, certificate, dovecot.auth_socket, services=('submission', 'smtps'))
    password = stage.write('password', 'horse staple\n', 0o600)
    options = (f'login relay@provider.test; password-file {password}; '
               f'tls-trust {certificate.certificate};')
    frank = Frank(stage, f'''
        route *@tls.test {{ via smtps://localhost:{postfix.ports["smtps"]}; {options} }}
        route * {{ via submission://localhost:{postfix.ports["submission"]}; {options} }}''')
    send(frank, count=5)
    send(frank, ['bob@tls.test'])
    for body in postfix.wait_messages(6):
        check(b'Authenticated sender: relay@provider.test' in body, body.decode())
    frank.wait_queue_empty()
    done = frank.wait_event('delivered', 'remote-id=', count=6)
    check('250 2.0.0 Ok: queued as' in done[0], done[0])


def test_a_certificate_of_another_name_or_issuer_holds_the_mail(stage):
    certificate = Certificate(stage, name='mx.provider.test', addresses=())
    hop = ScriptedServer(stage, ehlo=['STARTTLS', 'AUTH PLAIN'], certificate=certificate)
    routes, _ = account(stage, hop, more=f'tls-trust {certificate.certificate};',
                        scheme='submission', host='localhost')
    frank = Frank(stage, routes)
    send(frank)
    wait_for(lambda: any('mx.provider.test' in reason for reason in reasons(frank)),
             'the queue names the certificate')
    check_equal(hop.logins(), [])
    frank.reload(routes=account(stage, hop, scheme='submission', host='localhost',
                                more=f'tls-trust {certificate.certificate}; '
                                     'tls-name mx.provider.test;')[0])
    hop.wait_messages(1)


def test_lmtp_to_dovecot_delivers_the_known_and_bounces_the_unknown(stage):
    dovecot = Dovecot(stage, {'bob@example.net': 'x'})
    bounces = ScriptedServer(stage)
    frank = Frank(stage, f'''
        route *@example.net {{ via lmtp://127.0.0.1:{dovecot.port}; }}
        route * {{ via smtp://127.0.0.1:{bounces.port}; }}''')
    send(frank, ['bob@example.net', 'nobody@example.net'])
    check(b'\nHello.' in dovecot.wait_messages('bob@example.net', 1)[0], 'the body is there')
    sender, recipients, content = bounces.wait_messages(1)[0]
    check_equal((sender, recipients), ('', [clients.SENDER]))
    check(b'multipart/report' in content and b'report-type=delivery-status' in content.replace(
        b'"', b''), content.decode())
    check(b'nobody@example.net' in content and b'Action: failed' in content, content.decode())
    check(b'Status: 5.1.1' in content, content.decode())
    frank.wait_queue_empty()
    check_equal(len(dovecot.messages('bob@example.net')), 1)


def test_an_old_hop_that_refuses_initial_responses_gets_auth_the_other_way(stage):
    hop = ScriptedServer(stage, ehlo=OLD_EHLO,
                         replies={'AUTH': scripted.login_without_initial_response})
    routes, _ = account(stage, hop, more='cleartext-auth yes; initial-response yes; '
                                         'messages-per-connection 1; connections-max 1;')
    frank = Frank(stage, routes)
    send(frank)
    hop.wait_messages(1)
    send(frank)
    hop.wait_messages(2)
    first, second = hop.sessions[:2]
    check_equal(first.verbs().count('AUTH'), 2)
    check_equal(second.verbs().count('AUTH'), 1, 'what worked is remembered')
    check(any(' ' in line[5:] for line in first.lines if line.startswith('AUTH')), str(first.lines))
    check(all(' ' not in line[5:] for line in second.lines if line.startswith('AUTH')),
          str(second.lines))
    check_equal({login[1:] for login in hop.logins()}, {('test', 'secret')})


def test_without_cleartext_auth_no_auth_byte_leaves(stage):
    hop = ScriptedServer(stage, ehlo=OLD_EHLO)
    routes, _ = account(stage, hop)
    frank = Frank(stage, routes)
    send(frank)
    wait_for(lambda: any('TLS' in reason for reason in reasons(frank)), 'the queue shows why')
    check('AUTH' not in [verb for session in hop.sessions for verb in session.verbs()], 'AUTH sent')
    check_equal(hop.messages(), [])


def test_a_wrong_upstream_password_bounces_nothing_and_is_mended_by_a_reload(stage):
    hop = ScriptedServer(stage, ehlo=['AUTH PLAIN LOGIN', 'PIPELINING'], users={'test': 'right'})
    routes, password = account(stage, hop, 'wrong', 'cleartext-auth yes;')
    frank = Frank(stage, routes)
    smtp_source(frank.port, 100, sessions=10, kept=True)
    frank.wait_event('hop-paused', '535')
    start = time.monotonic()
    wait_for(lambda: time.monotonic() - start > 10 or len(hop.logins()) > 2,
             'ten seconds are over', 20)
    check(len(hop.logins()) <= 2, f'{len(hop.logins())} attempts')
    items = frank.queue()
    check_equal(len(items), 100)
    check_equal({item['state'] for item in items}, {'deferred'})
    check_equal(len(frank.log_lines('hop-paused', '535')), 1, 'log lines about it')
    stage.write(password, 'right\n', 0o600)
    check(frank.reload(), frank.log_text())
    hop.wait_messages(100)
    frank.wait_queue_empty()
    check_equal(len(hop.messages()), 100)


def test_each_recipient_has_its_own_outcome(stage):
    def rcpt(session, argument):
        address = scripted.path_of(argument)
        if address.startswith('later'):
            return '450 4.2.1 mailbox busy'
        if address.startswith('never'):
            return '550 5.1.1 no such user'
        session.recipients.append(address)
        return '250 2.1.5 Ok'
    hop = ScriptedServer(stage, replies={'RCPT': rcpt})
    bounces = ScriptedServer(stage)
    frank = Frank(stage, f'''
        route *@example.net {{ via smtp://127.0.0.1:{hop.port}; }}
        route * {{ via smtp://127.0.0.1:{bounces.port}; }}''')
    send(frank, ['now@example.net', 'later@example.net', 'never@example.net'])
    check_equal(hop.wait_messages(1)[0][1], ['now@example.net'])
    check(b'no such user' in bounces.wait_messages(1)[0][2], 'the bounce quotes the reply')
    items = wait_for(lambda: [i for i in frank.queue() if i['state'] == 'deferred'], 'deferred')
    states = {r['address']: r['state'] for r in items[0]['recipients']}
    check_equal(states['later@example.net'], 'deferred')
    check('450 4.2.1 mailbox busy' in reasons(frank), str(reasons(frank)))
    hop.replies.clear()
    frank.command('queue', 'retry', '--all')
    check_equal(hop.wait_messages(2)[1][1], ['later@example.net'])
    check_equal(len(bounces.messages()), 1)


def test_an_old_421_on_a_kept_connection_costs_nothing(stage):
    hop = ScriptedServer(stage, idle_timeout=0.5)
    frank = Frank(stage, f'route * {{ via smtp://127.0.0.1:{hop.port}; }}')
    send(frank)
    hop.wait_messages(1)
    hop.wait_sessions(1)
    send(frank)
    hop.wait_messages(2)
    frank.wait_queue_empty()
    check_equal(frank.events('deferred'), [])


class Ahead:
    """A hop that greets when all mail has come, and notes which messages were followed by the next
    MAIL before it answered their final dot."""

    def __init__(self, stage, dot=None, **options):
        self.all_there = threading.Event()
        self.followed = []
        self.dot = dot or (lambda session, content: '250 2.0.0 Ok')
        self.hop = ScriptedServer(stage, greeting=self.greet, replies={'.': self.end}, **options)

    def greet(self, session, argument):
        self.all_there.wait(30)
        return '220 scripted.test ESMTP'

    def end(self, session, content):
        self.followed.append(session.wait_input(0.3))
        return self.dot(session, content)


def test_the_next_message_begins_behind_the_dot_of_the_last(stage):
    ahead = Ahead(stage, dot=lambda session, content: (
        '554 5.7.1 No' if b'Subject: third' in content else '250 2.0.0 Ok'))
    bounces = ScriptedServer(stage)
    frank = Frank(stage, f'''
        route *@example.net {{ via smtp://127.0.0.1:{ahead.hop.port}; connections-max 1; }}
        route * {{ via smtp://127.0.0.1:{bounces.port}; }}''')
    for name in ('first', 'second', 'third', 'fourth', 'fifth', 'sixth'):
        send(frank, [name + '@example.net'],
             message=f'From: alice@example.org\nSubject: {name}\n\n{name}\n')
    ahead.all_there.set()
    taken = ahead.hop.wait_messages(5)
    frank.wait_queue_empty()
    check_equal(sorted(message[1][0].partition('@')[0] for message in taken),
                ['fifth', 'first', 'fourth', 'second', 'sixth'])
    for _, recipients, content in taken:
        name = recipients[0].partition('@')[0]
        check(f'\r\n\r\n{name}\r\n'.encode() in content, f'{recipients}: {content}')
    # The first one finds out alone whether the hop works; the last one has nobody behind it.
    check_equal(ahead.followed, [False, True, True, True, True, False])
    check(b'third@example.net' in bounces.wait_messages(1)[0][2], 'the third one bounced')


def test_a_hop_that_closes_behind_a_dot_gets_the_next_message_again(stage):
    ahead = Ahead(stage)

    def close_once(session, content):
        if len(ahead.followed) != 3:
            return '250 2.0.0 Ok'
        session.messages.append((session.sender, list(session.recipients), content))
        session.say('250 2.0.0 Ok')
        return scripted.CLOSE
    ahead.dot = close_once
    frank = Frank(stage, f'route * {{ via smtp://127.0.0.1:{ahead.hop.port}; '
                         'connections-max 1; }')
    names = [f'{number}@example.net' for number in range(6)]
    for name in names:
        send(frank, [name])
    ahead.all_there.set()
    ahead.hop.wait_messages(6)
    frank.wait_queue_empty()
    check_equal(sorted(message[1][0] for message in ahead.hop.messages()), names)
    check_equal(len(ahead.hop.sessions), 2)
    check_equal(frank.events('deferred'), [])


def test_a_hop_that_falls_over_the_next_message_meets_it_once(stage):
    ahead = Ahead(stage)
    ahead.dot = lambda session, content: scripted.CLOSE if ahead.followed[-1] else '250 2.0.0 Ok'
    frank = Frank(stage, f'route * {{ via smtp://127.0.0.1:{ahead.hop.port}; connections-max 1; }}',
                  extra='retry { first 1s; }')
    names = [f'{number}@example.net' for number in range(6)]
    for name in names:
        send(frank, [name])
    ahead.all_there.set()
    ahead.hop.wait_messages(6, 60)
    frank.wait_queue_empty()
    check_equal(sorted(message[1][0] for message in ahead.hop.messages()), names)
    check_equal(ahead.followed.count(True), 1)
    hops = json.loads(frank.command('hop', 'list', '--json').stdout)['items']
    check_equal([hop.get('falls_over_ahead') for hop in hops], [True])


def test_a_message_above_the_size_of_the_hop_is_not_sent_there(stage):
    hop = ScriptedServer(stage, ehlo=['SIZE 2000'])
    bounces = ScriptedServer(stage)
    frank = Frank(stage, f'''
        route *@example.net {{ via smtp://127.0.0.1:{hop.port}; }}
        route * {{ via smtp://127.0.0.1:{bounces.port}; }}''')
    send(frank, message=clients.MESSAGE + 'x' * 70 + '\n' + ('y' * 70 + '\n') * 100)
    content = bounces.wait_messages(1)[0][2]
    check(b'2000' in content, content.decode())
    check('MAIL' not in hop.sessions[0].verbs() or 'DATA' not in hop.sessions[0].verbs(),
          str(hop.sessions[0].lines))


def test_a_hop_that_is_down_is_tried_again_and_the_next_one_is_used(stage):
    first, second = ScriptedServer(stage), ScriptedServer(stage)
    frank = Frank(stage, f'''
        route *@both.test {{ via smtp://127.0.0.1:{first.port} smtp://127.0.0.1:{second.port}; }}
        route * {{ via smtp://127.0.0.1:{first.port}; }}''')
    first.shut()
    send(frank, ['bob@both.test'])
    second.wait_messages(1)
    send(frank)
    wait_for(lambda: any('refused' in reason for reason in reasons(frank)), 'the reason is shown')
    first.open()
    frank.command('queue', 'run')
    first.wait_messages(1)


def test_a_hop_that_stops_talking_is_left_and_others_are_not_disturbed(stage):
    stalled = ScriptedServer(stage, replies={'.': scripted.STALL})
    well = ScriptedServer(stage)
    frank = Frank(stage, f'''
        route *@stalled.test {{ via smtp://127.0.0.1:{stalled.port}; }}
        route * {{ via smtp://127.0.0.1:{well.port}; }}''')
    send(frank, ['bob@stalled.test'], count=30)
    send(frank, count=30)
    well.wait_messages(30)
    check_equal(stalled.messages(), [])


def test_bounces_that_cannot_be_delivered_go_to_the_postmaster(stage):
    hop = ScriptedServer(stage, replies={'RCPT': lambda session, argument: (
        '550 5.1.1 no such user' if 'postmaster' not in argument else
        session.recipients.append('postmaster') or '250 2.1.5 Ok')})
    frank = Frank(stage, f'route * {{ via smtp://127.0.0.1:{hop.port}; }}')
    send(frank)
    check_equal(hop.wait_messages(1)[0][1], ['postmaster'])
    frank.wait_queue_empty()
