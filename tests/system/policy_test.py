# SPDX-License-Identifier: MIT
"""Who may do what at the front door: senders, limits, guesses, bans, proxies, denied networks.

Guesses come from addresses that loopback is not: a proxy says so, by PROXY or XCLIENT, as loopback
itself is exempt from bans.
"""
import base64
import os
import re
import smtplib
import socket
import struct
import time

from peers import clients
from peers.frank import Frank
from peers.scripted import ScriptedServer
from peers.stage import check, check_equal, wait_for

USERS = {'alice@example.org': 'correct horse', 'bob@example.org': 'second horse',
         'scanner': 'third horse'}
ALICE = {'login': 'alice@example.org', 'password': 'correct horse'}
QUICK = 'delay none;'


def listener(port, more, auth='optional'):
    return (f'listen door {{ address 127.0.0.1:{port}; tls off; auth {auth}; cleartext-auth yes; '
            f'{more} }}\n')


def door(stage, more='', extra='', routes='route * { via discard; }', **options):
    """A relay with one listener that takes AUTH in clear."""
    port = stage.port()
    frank = Frank(stage, routes, USERS, extra, listeners=listener(port, more), **options)
    frank.door = port
    return frank


def sign_in(port, login='alice@example.org', password='correct horse'):
    client = clients.connect(port)
    client.login(login, password)
    return client


def plain(login, password):
    return base64.b64encode(f'\0{login}\0{password}'.encode()).decode()


class Raw:
    """A client by hand, behind a proxy's header when there is one."""

    def __init__(self, port, header=b'', greeting=True):
        self.socket = socket.create_connection(('127.0.0.1', port), timeout=20)
        self.socket.sendall(header)
        self.stream = self.socket.makefile('rb')
        self.greeting = self.reply() if greeting else b''

    def reply(self):
        lines = []
        while True:
            line = self.stream.readline()
            lines.append(line)
            if line[3:4] != b'-':
                return b''.join(lines)

    def say(self, line):
        self.socket.sendall(line.encode() + b'\r\n')
        return self.reply()

    def close(self):
        self.stream.close()
        self.socket.close()


def v1(address, other='127.0.0.1'):
    family = 'TCP6' if ':' in address else 'TCP4'
    if ':' in address:
        other = '::1'
    return f'PROXY {family} {address} {other} 40000 25\r\n'.encode()


def v2(address=None, tlvs=b'', command=1):
    if address is None:
        body, family = b'', 0
    elif ':' in address:
        body = socket.inet_pton(socket.AF_INET6, address) + socket.inet_pton(socket.AF_INET6, '::1')
        body, family = body + struct.pack('>HH', 40000, 25), 0x21
    else:
        body = socket.inet_aton(address) + socket.inet_aton('127.0.0.1')
        body, family = body + struct.pack('>HH', 40000, 25), 0x11
    body += tlvs
    return (b'\r\n\r\n\0\r\nQUIT\n' + struct.pack('>BBH', 0x20 | command, family, len(body)) + body)


def guess(client, login='alice@example.org', password='wrong'):
    return client.say('AUTH PLAIN ' + plain(login, password))


# ---- as whom a login may send ----

RULES = '''
login scanner { send-as scans@example.org; }
login *@example.org { send-as %login *@lists.example.org; }
'''


def send_as(port, login, password, sender, header_from):
    with sign_in(port, login, password) as client:
        message = f'From: {header_from}\nSubject: a test\n\nHello.\n'
        try:
            client.sendmail(sender, ['bob@example.net'], message)
            return 250, b''
        except smtplib.SMTPSenderRefused as refusal:
            return refusal.smtp_code, refusal.smtp_error
        except smtplib.SMTPDataError as refusal:
            return refusal.smtp_code, refusal.smtp_error


def test_a_login_sends_as_its_rule_allows(stage):
    frank = door(stage, extra=RULES)
    alice = ('alice@example.org', 'correct horse')
    for login, sender, header_from, want in (
            (alice, 'alice@example.org', 'alice@example.org', 250),
            (alice, 'news@lists.example.org', 'News <news@lists.example.org>', 250),
            (alice, 'bob@example.org', 'alice@example.org', 553),
            (alice, 'alice@example.org', 'The boss <ceo@example.org>', 553),
            (alice, 'alice@example.org', 'alice@example.org, ceo@example.org', 553),
            (alice, 'alice@example.org', 'alice@example.org <ceo@example.org>', 553),
            (alice, 'alice@example.org', 'a@lists.example.org\nFrom: ceo@example.org', 553),
            (alice, 'alice@example.org', 'The Boss', 553),
            (alice, '', 'alice@example.org', 553),
            (('scanner', 'third horse'), 'scans@example.org', 'scans@example.org', 250),
            (('scanner', 'third horse'), 'alice@example.org', 'scans@example.org', 553)):
        code, text = send_as(frank.door, *login, sender, header_from)
        check_equal(code, want, f'{login[0]} as {sender}, {header_from}: {text}')
    code, text = send_as(frank.door, *alice, 'ceo@example.org', 'alice@example.org')
    check(b'5.7.1' in text and b'<ceo@example.org>' in text and b'%login' in text
          and b'login *@example.org' in text, f'the rule is named: {text}')
    frank.wait_event('sender-refused', 'ceo@example.org')


def test_from_of_a_large_message_is_judged_too(stage):
    frank = door(stage, 'size-max 4MB;', extra=RULES)
    body = 'x' * 70 + '\n'
    with sign_in(frank.door) as client:
        try:
            client.sendmail('alice@example.org', ['b@example.net'],
                            'From: ceo@example.org\nSubject: x\n\n' + body * 20000)
            raise AssertionError('it was taken')
        except smtplib.SMTPDataError as refusal:
            check_equal(refusal.smtp_code, 553)
        client.sendmail('alice@example.org', ['b@example.net'],
                        'From: alice@example.org\nSubject: x\n\n' + body * 20000)


def test_who_has_not_signed_in_has_no_rule(stage):
    frank = door(stage, 'relay-from 127.0.0.0/8;', extra=RULES)
    check_equal(clients.swaks(frank.door, sender='ceo@example.org').returncode, 0)


def test_percent_login_at_a_domain_takes_the_local_part(stage):
    frank = door(stage, extra='login * { send-as %login@mail.example.org; }')
    for sender, want in (('alice@mail.example.org', 250), ('bob@mail.example.org', 553),
                         ('alice@example.org', 553)):
        code, text = send_as(frank.door, 'alice@example.org', 'correct horse', sender, sender)
        check_equal(code, want, f'{sender}: {text}')
    code, _ = send_as(frank.door, 'scanner', 'third horse', 'scanner@mail.example.org',
                      'scanner@mail.example.org')
    check_equal(code, 250)


# ---- limits ----

def send_one(client, recipients=('bob@example.net',)):
    try:
        client.sendmail('alice@example.org', list(recipients), clients.MESSAGE)
        return 250, b''
    except smtplib.SMTPSenderRefused as refusal:
        client.rset()
        return refusal.smtp_code, refusal.smtp_error
    except smtplib.SMTPRecipientsRefused as refusal:
        return next(iter(refusal.recipients.values()))


def test_a_login_is_limited_over_sessions_and_reloads(stage):
    frank = door(stage, extra='login alice@* { rate 3/h; }')
    for _ in range(3):
        with sign_in(frank.door) as client:
            check_equal(send_one(client)[0], 250)
    with sign_in(frank.door) as client:
        code, text = send_one(client)
        check_equal(code, 451, text)
        check(b'3 messages an hour' in text, text)
    check(frank.reload(), 'the same configuration again')
    with sign_in(frank.door) as client:
        check_equal(send_one(client)[0], 451)
    with sign_in(frank.door, 'bob@example.org', 'second horse') as client:
        check_equal(send_one(client)[0], 250, 'another login')
    check(frank.reload(extra='login alice@* { rate 4/h; }'), 'a wider limit')
    with sign_in(frank.door) as client:
        check_equal([send_one(client)[0] for _ in range(2)], [250, 451])
    check_equal(len(frank.wait_event('limit-reached')), 1, 'said once within the hour')


def test_what_came_to_nothing_counts_for_nothing(stage):
    frank = door(stage, extra='login * { rate 1/h; recipients 2/h; }')
    with sign_in(frank.door) as client:
        for _ in range(3):
            client.mail('alice@example.org')
            client.rcpt('bob@example.net')
            client.rset()
        check_equal(send_one(client)[0], 250)
        check_equal(send_one(client)[0], 451)


def test_recipients_of_a_login_are_limited(stage):
    frank = door(stage, extra='login * { recipients 3/d; }')
    with sign_in(frank.door) as client:
        client.mail('alice@example.org')
        codes = [client.rcpt(f'r{i}@example.net')[0] for i in range(5)]
        check_equal(codes, [250, 250, 250, 451, 451])
        check_equal(client.data(clients.MESSAGE)[0], 250)
        client.mail('alice@example.org')
        check_equal(client.rcpt('r@example.net')[0], 451)


def test_hold_keeps_a_flood_in_the_queue_with_one_alarm(stage):
    hop = ScriptedServer(stage)
    frank = door(stage, extra='login * { rate 2/h; on-limit hold; }',
                 routes=f'route * {{ via smtp://127.0.0.1:{hop.port}; }}')
    with sign_in(frank.door) as client:
        for _ in range(7):
            check_equal(send_one(client)[0], 250)
    hop.wait_messages(2)
    held = frank.queue('--state', 'held')
    check_equal(len(held), 5)
    check_equal(len(frank.wait_event('limit-reached', 'action=hold', 'login=alice')), 1)
    frank.wait_event('message-accepted', 'held=yes', count=5)
    check_equal(len(hop.messages()), 2)
    check_equal(frank.command('queue', 'release', '--all').returncode, 0)
    hop.wait_messages(7)


def test_sessions_of_a_login_are_limited(stage):
    frank = door(stage, extra='login * { sessions 2; }')
    first, second = sign_in(frank.door), sign_in(frank.door)
    try:
        sign_in(frank.door)
        raise AssertionError('a third session')
    except smtplib.SMTPAuthenticationError as refusal:
        check_equal(refusal.smtp_code, 454)
        check(b'2 sessions' in refusal.smtp_error, refusal.smtp_error)
    first.quit()
    wait_for(lambda: can_sign_in(frank.door), 'there is room again')
    second.quit()


def can_sign_in(port):
    try:
        sign_in(port).quit()
        return True
    except smtplib.SMTPAuthenticationError:
        return False


def test_messages_of_an_address_are_limited(stage):
    frank = door(stage, 'relay-from 127.0.0.0/8; rate 2/h;')
    with clients.connect(frank.door) as client:
        check_equal([send_one(client)[0] for _ in range(3)], [250, 250, 451])
    with smtplib.SMTP('127.0.0.1', frank.door, source_address=('127.0.0.9', 0)) as client:
        check_equal(send_one(client)[0], 250, 'another address')


def test_errors_and_idle_commands_end_a_session(stage):
    frank = door(stage, 'relay-from 127.0.0.0/8; errors-max 3; commands-max 12;')
    client = Raw(frank.door)
    check_equal([client.say('NONSENSE')[:3] for _ in range(3)], [b'500'] * 3)
    check_equal(client.reply()[:3], b'421')
    client = Raw(frank.door)
    check_equal([client.say('NOOP')[:3] for _ in range(13)], [b'250'] * 12 + [b'421'])
    with clients.connect(frank.door) as client:
        for _ in range(10):
            check_equal(send_one(client)[0], 250, 'messages that are kept are no idle talk')


# ---- guesses ----

PROXIED = 'proxy-protocol 127.0.0.0/8; auth-failures-max 1000; commands-max 100000;'


def test_ten_failures_ban_a_login_at_an_address(stage):
    frank = door(stage, PROXIED, extra=f'bans {{ {QUICK} }}')
    client = Raw(frank.door, v1('192.0.2.7'))
    client.say('EHLO guesser')
    check_equal([guess(client)[:3] for _ in range(10)], [b'535'] * 10)
    check_equal(guess(client)[:3], b'454')
    check_equal(guess(client, password='correct horse')[:3], b'454', 'right or wrong')
    check_equal(guess(client, 'bob@example.org', 'second horse')[:3], b'235', 'another login')
    elsewhere = Raw(frank.door, v1('192.0.2.8'))
    elsewhere.say('EHLO phone')
    check_equal(guess(elsewhere, password='correct horse')[:3], b'235', 'another address')
    lines = frank.wait_event('banned', 'client=192.0.2.7', 'login=alice@example.org',
                             'failures=10')
    check_equal(len(lines), 1, frank.log_text())
    items = frank.json('ban', 'list')['items']
    check_equal([(i['address'], i.get('login'), i['by'], i['failures']) for i in items],
                [('192.0.2.7', 'alice@example.org', 'failures', 10)])


def test_thirty_failures_ban_an_address_at_its_greeting(stage):
    frank = door(stage, PROXIED, extra=f'bans {{ {QUICK} }}')
    client = Raw(frank.door, v1('2001:db8:1:2::7'))
    client.say('EHLO guesser')
    codes = [guess(client, f'user{i}@example.org')[:3] for i in range(30)]
    check_equal(codes, [b'535'] * 30)
    again = Raw(frank.door, v1('2001:db8:1:2::8888'))
    check_equal(again.greeting[:9], b'421 4.7.0', 'its /64')
    check_equal(Raw(frank.door, v1('2001:db8:1:3::7')).greeting[:3], b'220', 'the next /64')
    frank.wait_event('session-refused', 'reason=banned')


def test_bans_double_and_outlive_a_restart(stage):
    frank = door(stage, PROXIED, extra=f'bans {{ {QUICK} failures 3; first 1s; max 1h; }}')

    def until_banned():
        client = Raw(frank.door, v1('192.0.2.7'))
        client.say('EHLO guesser')
        for _ in range(3):
            wait_for(lambda: guess(client)[:3] == b'535', 'the last ban is over', 20, 0.2)
        check_equal(guess(client)[:3], b'454')
        client.close()

    until_banned()
    until_banned()
    until_banned()
    frank.wait_event('banned', count=3)
    times = [int(re.search(r'times=(\d+)', line).group(1)) for line in frank.events('banned')]
    check_equal(times, [1, 2, 3])
    frank.command('ban', 'add', '198.51.100.0', '--for', 'ever')
    frank.restart()
    items = {i['address']: i for i in frank.json('ban', 'list')['items']}
    check('198.51.100.0' in items and 'until' not in items['198.51.100.0'], str(items))
    check_equal(Raw(frank.door, v1('198.51.100.0')).greeting[:3], b'421')
    check_equal(os.stat(os.path.join(frank.state, 'bans.json')).st_mode & 0o777, 0o600)
    until_banned()
    frank.wait_event('banned', 'times=4')


def test_a_kill_does_not_forgive(stage):
    frank = door(stage, PROXIED)
    frank.command('ban', 'add', '192.0.2.66')
    wait_for(lambda: os.path.exists(os.path.join(frank.state, 'bans.json')), 'bans are written')
    frank.kill()
    frank.start()
    check_equal(Raw(frank.door, v1('192.0.2.66')).greeting[:3], b'421')


def test_exempt_networks_and_addresses_with_a_success_are_not_banned(stage):
    frank = door(stage, PROXIED, extra=f'bans {{ {QUICK} failures 2; exempt 198.51.100.0/24; }}')
    client = Raw(frank.door, v1('198.51.100.7'))
    client.say('EHLO office')
    check_equal([guess(client)[:3] for _ in range(5)], [b'535'] * 5)
    office = Raw(frank.door, v1('192.0.2.9'))
    office.say('EHLO office')
    check_equal(guess(office, 'bob@example.org', 'second horse')[:3], b'235')
    phone = Raw(frank.door, v1('192.0.2.9'))
    phone.say('EHLO phone')
    check_equal([guess(phone)[:3] for _ in range(5)], [b'535'] * 5)
    loopback = Raw(frank.door, b'PROXY UNKNOWN\r\n')
    loopback.say('EHLO here')
    check_equal([guess(loopback)[:3] for _ in range(5)], [b'535'] * 5)
    check_equal(frank.json('ban', 'list')['items'], [])


def test_automatic_no_leaves_only_the_operators_bans(stage):
    frank = door(stage, PROXIED, extra=f'bans {{ {QUICK} failures 2; automatic no; }}')
    client = Raw(frank.door, v1('192.0.2.7'))
    client.say('EHLO guesser')
    check_equal([guess(client)[:3] for _ in range(4)], [b'535'] * 4)
    check_equal(frank.command('ban', 'add', '192.0.2.7', '--login', 'bob@example.org').returncode, 0)
    check_equal(guess(client, 'bob@example.org', 'second horse')[:3], b'454')


def test_failures_are_answered_later_and_later(stage):
    frank = door(stage, PROXIED, extra='bans { delay 1s; }')
    client = Raw(frank.door, v1('192.0.2.7'))
    client.say('EHLO guesser')
    start = time.monotonic()
    check_equal(guess(client)[:3], b'535')
    first = time.monotonic()
    check_equal(guess(client)[:3], b'535')
    second = time.monotonic()
    check(first - start >= 0.9, f'{first - start:.2f} s')
    check(second - first >= 1.9, f'{second - first:.2f} s')
    start = time.monotonic()
    with sign_in_from(frank.door, '192.0.2.8') as other:
        check_equal(other.noop()[0], 250)
    check(time.monotonic() - start < 0.9, 'nobody else waits')


def sign_in_from(port, address, login='alice@example.org', password='correct horse'):
    class Proxied(smtplib.SMTP):
        def _get_socket(self, host, port_, timeout):
            connected = socket.create_connection((host, port_), timeout)
            connected.sendall(v1(address))
            return connected
    client = Proxied('127.0.0.1', port, timeout=20)
    client.login(login, password)
    return client


def test_ban_commands(stage):
    frank = door(stage, PROXIED)
    check_equal(frank.command('ban', 'list').stdout, b'Nobody is banned.\n')
    done = frank.command('ban', 'add', '192.0.2.5', '--for', '2h')
    check(b'192.0.2.5: until ' in done.stdout and b'by an operator' in done.stdout,
          done.stdout.decode())
    check_equal(Raw(frank.door, v1('192.0.2.5')).greeting[:3], b'421')
    done = frank.command('ban', 'remove', '192.0.2.5')
    check_equal((done.returncode, done.stdout), (0, b'1 ban removed\n'))
    check_equal(Raw(frank.door, v1('192.0.2.5')).greeting[:3], b'220')
    check_equal(frank.command('ban', 'remove', '192.0.2.5').returncode, 1)
    check_equal(frank.command('ban', 'add', 'example.org').returncode, 2)
    check_equal(frank.command('ban', 'add', '192.0.2.5', '--for', 'soon').returncode, 2)
    check_equal(frank.command('ban', 'list', '--for', '2h').returncode, 2)
    frank.command('ban', 'add', '2001:db8::1')
    check_equal(frank.json('ban', 'list')['items'][0]['address'], '2001:db8::/64')
    check_equal(frank.json('ban', 'remove', '2001:db8::77'), {'removed': 1})
    frank.wait_event('bans-changed', count=4)


# ---- PROXY ----

def test_the_proxys_word_counts_everywhere(stage):
    frank = door(stage, 'proxy-protocol 127.0.0.0/8; relay-from 192.0.2.0/24; '
                 'connections-per-address 1;', extra='domain example.com { recipients any; '
                 f'deliver maildir:{stage.directory}/mail; }}', routes='route * { via discard; }')
    inside = Raw(frank.door, v1('192.0.2.7'))
    inside.say('EHLO a')
    inside.say('MAIL FROM:<a@example.org>')
    check_equal(inside.say('RCPT TO:<b@example.net>')[:3], b'250')
    for header in (v1('203.0.113.5'), v2('203.0.113.6'), v2('2001:db8::5')):
        outside = Raw(frank.door, header)
        outside.say('EHLO a')
        outside.say('MAIL FROM:<a@example.org>')
        check_equal(outside.say('RCPT TO:<b@example.net>')[:9], b'550 5.7.1')
        outside.close()
    held = Raw(frank.door, v1('203.0.113.9'))
    check_equal(held.greeting[:3], b'220')
    check_equal(Raw(frank.door, v1('203.0.113.9')).greeting[:3], b'421', 'one connection each')
    local = Raw(frank.door, v2(command=0))
    check_equal(local.greeting[:3], b'220', 'LOCAL')
    received = Raw(frank.door, v2('203.0.113.77'))
    for line, code in (('EHLO c', b'250'), ('MAIL FROM:<a@example.org>', b'250'),
                       ('RCPT TO:<b@example.com>', b'250'), ('DATA', b'354')):
        check_equal(received.say(line)[:3], code)
    check_equal(received.say('Subject: x\r\n\r\nx\r\n.')[:3], b'250')
    directory = os.path.join(stage.directory, 'mail', 'new')
    wait_for(lambda: os.path.isdir(directory) and os.listdir(directory), 'it is delivered')
    with open(os.path.join(directory, os.listdir(directory)[0])) as stream:
        check('[203.0.113.77]' in stream.read(), 'Received names the client')
    frank.wait_event('message-accepted', 'client=203.0.113.77')


def test_a_header_that_is_no_header_ends_the_connection(stage):
    frank = door(stage, 'proxy-protocol 127.0.0.0/8;')
    for header in (b'EHLO client.example.org\r\n', b'PROXY TCP4 192.0.2.1\r\n',
                   b'PROXY TCP4 1.2.3.4 5.6.7.8 1 99999\r\n', b'PROXY ' + b'x' * 200,
                   b'\r\n\r\n\0\r\nQUIT\n' + b'\x31\x11\0\x0c' + b'\0' * 12,
                   b'\r\n\r\n\0\r\nQUIT\n' + b'\x21\x11\xff\xff'):
        with socket.create_connection(('127.0.0.1', frank.door), timeout=10) as client:
            client.sendall(header)
            check_equal(client.recv(1000), b'', repr(header))
    check_equal(len(frank.wait_event('session-refused', 'proxy-header', count=6)), 6)
    client = Raw(frank.door, b'PROXY UNKNOWN\r\n')
    check_equal(client.greeting[:3], b'220')


def test_proxy_bytes_from_elsewhere_are_no_smtp(stage):
    frank = door(stage, 'proxy-protocol 192.0.2.0/24;')
    client = Raw(frank.door, v1('192.0.2.7'))
    check_equal(client.greeting[:3], b'220')
    check_equal(client.reply()[:3], b'500')


def test_haproxy_and_curl_speak_for_their_clients(stage):
    """haproxy sends version 2 in front of implicit TLS, with TLVs; curl sends version 1."""
    secure, clear, through = stage.port(), stage.port(), stage.port()
    frank = Frank(stage, users=USERS, listeners=f'''
        listen secure {{ address 127.0.0.1:{secure}; tls implicit; auth required;
            proxy-protocol 127.0.0.0/8; deny 192.0.2.0/24; }}
        listen clear {{ address 127.0.0.1:{clear}; tls off; auth off; relay-from 127.0.0.0/8;
            proxy-protocol 127.0.0.0/8; }}''')
    configuration = stage.write('haproxy.cfg', f'''
defaults
    mode tcp
    timeout connect 5s
    timeout client 20s
    timeout server 20s
listen mail
    bind 127.0.0.1:{through}
    server frank 127.0.0.1:{secure} send-proxy-v2 proxy-v2-options crc32c,unique-id
    unique-id-format %[uuid()]
''')
    stage.start(['haproxy', '-db', '-f', configuration])
    wait_for(lambda: connects(through), 'haproxy listens')
    done = clients.swaks(through, '--local-interface', '127.0.0.5', tls='implicit', **ALICE)
    check_equal(done.returncode, 0, done.stdout.decode() + frank.log_text())
    frank.wait_event('message-accepted', 'client=127.0.0.5')
    done = clients.curl(stage, clear, '--haproxy-protocol')
    check_equal(done.returncode, 0, done.stderr.decode())


def connects(port):
    try:
        socket.create_connection(('127.0.0.1', port), timeout=5).close()
        return True
    except OSError:
        return False


# ---- XCLIENT ----

def test_xclient_makes_the_session_anothers(stage):
    frank = door(stage, 'xclient 127.0.0.0/8; relay-from 192.0.2.0/24;',
                 extra='deny 198.51.100.0/24; login * { send-as %login; }')
    done = clients.swaks(frank.door, '--xclient', 'ADDR=192.0.2.7 HELO=scan.example.org')
    check_equal(done.returncode, 0, done.stdout.decode())
    frank.wait_event('message-accepted', 'client=192.0.2.7')
    frank.wait_event('xclient', 'client=192.0.2.7', 'by=127.0.0.1')
    done = clients.swaks(frank.door, '--xclient', 'ADDR=203.0.113.9')
    check(b'550 5.7.1 relaying denied' in done.stdout, done.stdout.decode())
    done = clients.swaks(frank.door, '--xclient', 'ADDR=198.51.100.9')
    check(b'554 5.7.1' in done.stdout, done.stdout.decode())
    done = clients.swaks(frank.door, '--xclient', 'ADDR=203.0.113.9 LOGIN=alice@example.org')
    check_equal(done.returncode, 0, done.stdout.decode())
    done = clients.swaks(frank.door, '--xclient', 'ADDR=203.0.113.9 LOGIN=bob@example.org')
    check(b'553 5.7.1' in done.stdout, done.stdout.decode())
    client = Raw(frank.door)
    client.say('EHLO proxy')
    check_equal(client.say('XCLIENT ADDR=nonsense')[:3], b'501')
    check_equal(client.say('XCLIENT LOGIN=a+0Ab')[:3], b'501')
    check_equal(client.say('XCLIENT ADDR=[UNAVAILABLE]')[:3], b'220')


def test_xclient_from_elsewhere_is_refused(stage):
    frank = door(stage, 'xclient 192.0.2.0/24; relay-from 127.0.0.0/8;')
    client = Raw(frank.door)
    check(b'XCLIENT' not in client.say('EHLO a'), 'it is not offered')
    check_equal(client.say('XCLIENT ADDR=192.0.2.7')[:9], b'550 5.7.1')


def test_guesses_through_xclient_ban_the_client_and_not_the_proxy(stage):
    frank = door(stage, 'xclient 127.0.0.0/8; auth-failures-max 1000;',
                 extra=f'bans {{ {QUICK} failures 2; address-failures 4; }}')
    client = Raw(frank.door)
    client.say('EHLO proxy')
    check_equal(client.say('XCLIENT ADDR=192.0.2.7')[:3], b'220')
    client.say('EHLO proxy')
    codes = [guess(client, login)[:3] for login in ('a', 'b', 'c', 'd')]
    check_equal(codes, [b'535'] * 4)
    again = Raw(frank.door)
    again.say('EHLO proxy')
    check_equal(again.say('XCLIENT ADDR=192.0.2.7')[:3], b'421')
    check_equal(Raw(frank.door).say('EHLO proxy')[:3], b'250', 'the proxy goes on')


# ---- deny ----

def test_deny_turns_networks_away(stage):
    frank = door(stage, 'deny 127.0.0.9; relay-from 127.0.0.0/8;', extra='deny 127.0.0.8;')
    for address, want in (('127.0.0.9', b'554 5.7.1'), ('127.0.0.8', b'554 5.7.1'),
                          ('127.0.0.7', b'220 relay')):
        with socket.create_connection(('127.0.0.1', frank.door), timeout=10,
                                      source_address=(address, 0)) as client:
            check_equal(client.recv(1000)[:9], want, address)
    frank.wait_event('session-refused', 'reason=denied', count=2)


# ---- the log ----

FILTER = os.path.join(os.path.dirname(__file__), '..', '..', 'docs', 'fail2ban', 'frank.conf')


def test_the_fail2ban_filter_finds_failures_and_nothing_else(stage):
    frank = door(stage, PROXIED, extra=f'bans {{ {QUICK} }}')
    client = Raw(frank.door, v1('192.0.2.7'))
    client.say('EHLO guesser')
    guess(client, 'x client=203.0.113.1 event=auth-failed')
    guess(client, 'alice@example.org', 'correct horse')
    with open(FILTER) as stream:
        pattern = re.search(r'^failregex = (.*)$', stream.read(), re.MULTILINE).group(1)
    expression = re.compile(pattern.replace('<HOST>', r'(?P<host>[0-9a-f.:]+)'))
    frank.wait_event('auth-succeeded')
    found = [expression.search(line) for line in frank.log_text().splitlines()]
    check_equal([match.group('host') for match in found if match], ['192.0.2.7'])
