# SPDX-License-Identifier: MIT
"""Old and bad clients on raw sockets: what a named quirk takes, what is refused without, who is seen."""
import os
import socket

from input_test import Raw
from peers.frank import Frank
from peers.stage import check, check_equal, wait_for

LISTENERS = '''\
listen strict {{ address 127.0.0.1:{plain}; tls off; auth off; relay-from 127.0.0.0/8; }}
listen old {{ address 127.0.0.1:{old}; tls off; auth optional; cleartext-auth yes; \
relay-from 127.0.0.0/8; quirks legacy; }}
listen lf {{ address 127.0.0.1:{lf}; tls off; auth off; relay-from 127.0.0.0/8; \
quirks bare-lf from 127.0.0.1; }}
'''


def start(stage, extra=''):
    """A Frank whose mail lies in a maildir, with a port each: without quirks, old, lf."""
    ports = {'plain': stage.port(), 'old': stage.port(), 'lf': stage.port()}
    frank = Frank(stage, users={'anna': 's3cret-42'}, listeners=LISTENERS.format(**ports),
                  routes=f'domain example.net {{ recipients any; deliver maildir:{stage.directory}'
                         '/mail/%u; }', extra=extra)
    frank.ports = ports
    return frank


def taken(stage, user):
    """The messages in a maildir, as bytes."""
    folder = os.path.join(stage.directory, 'mail', user, 'new')
    wait_for(lambda: os.path.isdir(folder) and os.listdir(folder), 'mail is delivered')
    return [open(os.path.join(folder, name), 'rb').read() for name in sorted(os.listdir(folder))]


def test_mail_without_hello(stage):
    """MAIL at once: refused with words and a hint in the log, taken where the quirk is named."""
    frank = start(stage)
    refused = Raw(frank.ports['plain'])
    check_equal(refused.ask(b'MAIL FROM:<a@example.org>', b'503'),
                b'503 5.5.1 Say EHLO first, then MAIL')
    line, = frank.wait_event('quirk-missing', 'quirk=no-hello', 'listener=strict')
    check('quirks no-hello from 127.0.0.1' in line, line)
    old = Raw(frank.ports['old'])
    old.ask(b'MAIL FROM:<a@example.org>', b'250')
    old.ask(b'RCPT TO:<b@example.net>', b'250')
    old.ask(b'DATA', b'354')
    old.ask(b'Subject: x\r\n\r\nx\r\n.', b'250')
    old.ask(b'QUIT', b'221')
    message, = taken(stage, 'b')
    check(b'Received: from [127.0.0.1] ([127.0.0.1]) by ' in message, message)


def test_quirks_are_shown_with_who_used_them(stage):
    """`frank quirks` has the harmless ones too, with login, times and last use."""
    frank = start(stage)
    old = Raw(frank.ports['old'])
    old.ask(b'HELO', b'250')
    old.ask(b'AUTH PLAIN  AGFubmEAczNjcmV0LTQy', b'235')
    for _ in range(2):
        old.ask(b'MAIL FROM: <a@example.org>', b'250')
        old.ask(b'RSET', b'250')
    old.ask(b'QUIT', b'221')
    strict = Raw(frank.ports['plain'])
    strict.ask(b'EHLO', b'501')
    strict.ask(b'QUIT', b'221')
    wait_for(lambda: len(frank.json('quirks')['items']) >= 5, 'the book has five entries')
    book = frank.json('quirks')
    seen = {(item['quirk'], item.get('login'), item['listener']): item for item in book['items']}
    check_equal(seen['hello-name', 'anna', 'old']['uses'], 1)
    check_equal(seen['auth-blank', 'anna', 'old']['uses'], 1)
    check(('auth-equals', 'anna', 'old') not in seen, 'HELO has no list that could offer AUTH=')
    check_equal(seen['blank-after-colon', 'anna', 'old']['uses'], 2)
    check_equal(seen['blank-after-colon', 'anna', 'old']['named'], False)
    missed = seen['hello-name', None, 'strict']
    check_equal((missed['uses'], missed['refused'], missed['client']), (0, 1, '127.0.0.1'))
    check(book['since'] <= missed['first'] <= missed['last'], book)
    text = frank.command('quirks').stdout.decode()
    check('blank-after-colon' in text and 'anna' in text and text.startswith('since '), text)


def test_auth_equals_is_listed(stage):
    """The old form of AUTH stands beside the new one, on that listener alone."""
    frank = start(stage)
    old = Raw(frank.ports['old'])
    old.send(b'EHLO old.example.org\r\n')
    lines = [old.line()]
    while lines[-1][3:4] == b'-':
        lines.append(old.line())
    auth = [line[4:] for line in lines if line[4:].startswith(b'AUTH')]
    check_equal(len(auth), 2)
    check_equal(auth[1], b'AUTH=' + auth[0][5:])


def test_quit_behind_the_dot(stage):
    """The message is kept whatever becomes of QUIT, also when the client is gone by then."""
    frank = start(stage)
    begun = (b'HELO ws12\r\nMAIL FROM:<a@example.org>\r\nRCPT TO:<%s@example.net>\r\nDATA\r\n')
    for port, user, last in (('old', b'one', b'221'), ('plain', b'two', b'503')):
        client = Raw(frank.ports[port])
        client.send(begun % user)
        for code in (b'250', b'250', b'250', b'354'):
            client.expect(code)
        client.send(b'Subject: x\r\n\r\nx\r\n.\r\nQUIT\r\n')
        client.expect(b'250')
        client.expect(last)
        taken(stage, user.decode())
    gone = Raw(frank.ports['old'])
    gone.send(begun % b'three')
    for code in (b'250', b'250', b'250', b'354'):
        gone.expect(code)
    gone.send(b'Subject: x\r\n\r\nx\r\n.\r\nQUIT\r\n')
    gone.socket.shutdown(socket.SHUT_RDWR)
    gone.socket.close()
    taken(stage, 'three')


def test_bare_lf_is_normalised_and_ends_nothing(stage):
    """LF in a trusted network becomes CR LF; what looks like an end in between stays content, on the
    way to the next hop, too."""
    frank = start(stage)
    inner = (b'From: a@example.org\nSubject: lf\n\nfirst\n.\nMAIL FROM:<evil@example.org>\n'
             b'.\r\nRCPT TO:<evil@example.net>\r\n.\nDATA\n..dot\n')
    client = Raw(frank.ports['lf'])
    client.send(b'HELO ws12\n')
    client.expect(b'250')
    client.send(b'MAIL FROM:<a@example.org>\nRCPT TO:<b@example.net>\nDATA\n')
    for code in (b'250', b'250', b'354'):
        client.expect(code)
    client.send(inner + b'last\r\n.\r\n')
    client.expect(b'250')
    client.ask(b'QUIT', b'221')
    message, = taken(stage, 'b')
    body = message.replace(b'\r\n', b'\n').split(b'\n\n', 1)[1]
    check_equal(body, b'first\n.\nMAIL FROM:<evil@example.org>\n.\n'
                      b'RCPT TO:<evil@example.net>\n.\nDATA\n.dot\nlast\n')
    check(not os.path.exists(os.path.join(stage.directory, 'mail', 'evil')), 'smuggled')
    refused = Raw(frank.ports['plain'])
    refused.begin()
    refused.send(inner + b'last\r\n.\r\n')
    check(b'LF alone' in refused.expect(b'550'), 'the reply names LF')
    frank.wait_event('quirk-missing', 'quirk=bare-lf')


def test_quirks_at_the_top_hold_for_networks(stage):
    """One directive for all listeners; a reload takes it away again."""
    frank = start(stage, extra='quirks hello-name from 127.0.0.0/8;')
    Raw(frank.ports['plain']).ask(b'HELO (none)', b'250')
    check(frank.reload(extra='quirks hello-name from 192.0.2.0/24;'), 'the reload is in force')
    Raw(frank.ports['plain']).ask(b'HELO (none)', b'501')
