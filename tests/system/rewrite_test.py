# SPDX-License-Identifier: MIT
"""What a route changes on the way out: sender, From, aliases, bare names. The queue keeps what came."""
import re

from peers import clients
from peers.frank import Frank
from peers.postfix import Postfix
from peers.scripted import ScriptedServer
from peers.stage import check, check_equal, wait_for

# As cron writes it.
CRON = '''From: root (Cron Daemon)
To: root
Subject: Cron <root@box> /usr/local/bin/backup
Content-Type: text/plain; charset=UTF-8
Auto-Submitted: auto-generated

The disk is full.
'''

FAST = 'retry { first 1s; factor 1; max 1s; }'


def send(frank, sender='root', recipients=('root',), message=CRON):
    with clients.connect(frank.port) as client:
        client.sendmail(sender, list(recipients), message)


def fields(content):
    """The header as [(name, value)], unfolded."""
    header = re.sub(rb'\r?\n[ \t]+', b' ', re.split(rb'\r?\n\r?\n', content, maxsplit=1)[0])
    return [tuple(part.strip() for part in line.decode('latin-1').split(':', 1))
            for line in header.splitlines()]


def field(content, name):
    """The one value of that field, or None."""
    found = [value for key, value in fields(content) if key.lower() == name.lower()]
    check(len(found) < 2, f'{name} stands there {len(found)} times: {found}')
    return found[0] if found else None


def only_from(*senders):
    """A hop's reply to MAIL: a provider that takes its own senders only."""
    def reply(session, argument):
        session.sender, session.recipients = argument.partition('<')[2].partition('>')[0], []
        if session.sender in senders:
            return '250 2.1.0 Ok'
        return f'550 5.7.60 SMTP; Client does not have permissions to send as {session.sender}'
    return reply


def test_the_mail_of_cron_reaches_a_postfix_that_takes_one_sender_only(stage):
    senders = stage.write('senders', '/^alerts@provider\\.test$/ OK\n/./ REJECT not your address\n')
    headers = stage.write('headers', 'if /^From:/\n!/^From: alerts@provider\\.test( |$)/ '
                                     'REJECT not your From\nendif\n')
    postfix = Postfix(stage, main={
        'smtpd_sender_restrictions': f'check_sender_access regexp:{senders}',
        'header_checks': f'regexp:{headers}'})
    rules = ('sender replace alerts@provider.test; header-from keep-name; '
             'default-domain box.test; alias root admin@example.net;')
    frank = Frank(stage, f'route * {{ via smtp://127.0.0.1:{postfix.port}; {rules} }}')
    send(frank)
    content = postfix.wait_messages(1)[0]
    check_equal(field(content, 'From'), 'alerts@provider.test (Cron Daemon)')
    check_equal(field(content, 'Reply-To'), 'root@box.test (Cron Daemon)')
    check_equal(field(content, 'To'), 'root@box.test')
    check_equal(field(content, 'Return-Path'), '<alerts@provider.test>')
    check_equal(field(content, 'X-Original-To'), 'admin@example.net')
    check_equal(field(content, 'Subject'), 'Cron <root@box> /usr/local/bin/backup')
    check(b'The disk is full.' in content, content.decode())
    line = frank.wait_event('delivered')[0]
    check(' from=root sender-as=alerts@provider.test from-as=alerts@provider.test '
          'to=admin@example.net ' in line, line)
    frank.wait_queue_empty()


def test_the_queue_keeps_the_original_and_another_rule_counts_for_what_waits(stage):
    hop = ScriptedServer(stage, replies={'MAIL': only_from('alerts@provider.test'),
                                         'RCPT': '450 4.2.0 later'})
    frank = Frank(stage, f'''route * {{ via smtp://127.0.0.1:{hop.port};
        sender replace alerts@provider.test; header-from replace; }}''')
    send(frank, 'root@box.test', ['bob@example.net'])
    line = frank.wait_event('deferred')[0]
    check(' from=root@box.test sender-as=alerts@provider.test ' in line, line)
    item = frank.queue()[0]
    check_equal(item['sender'], 'root@box.test')
    shown = frank.command('queue', 'show', item['id']).stdout
    check(b'root@box.test' in shown and b'alerts@provider.test' not in shown, shown.decode())
    # What was rewritten is the way out: another rule counts for what waits.
    check(frank.reload(routes=f'route * {{ via smtp://127.0.0.1:{hop.port}; {FAST} }}'), 'reloaded')
    check(frank.command('queue', 'retry', '--all').returncode == 0, 'it is tried again')
    line = frank.wait_event('bounced')[0]
    check('5.7.60' in line and 'send as root@box.test' in line and 'sender-as' not in line, line)


def test_a_bounce_goes_to_who_sent_it_and_shows_what_was_sent(stage):
    hop = ScriptedServer(stage, replies={'RCPT': '550 5.1.1 no such user'})
    home = ScriptedServer(stage)
    frank = Frank(stage, f'''
        route *@box.test {{ via smtp://127.0.0.1:{home.port}; }}
        route * {{ via smtp://127.0.0.1:{hop.port};
            sender replace alerts@provider.test; header-from replace; }}''')
    send(frank, 'root@box.test', ['nobody@example.net'])
    sender, recipients, content = home.wait_messages(1)[0]
    check_equal((sender, recipients), ('', ['root@box.test']))
    check(b'From: root (Cron Daemon)' in content, content.decode())
    check(b'alerts@provider.test' not in content, content.decode())


def test_a_bounce_to_a_bare_name_finds_the_reader_of_its_alias(stage):
    def refuse_some(session, argument):
        if 'nobody@' in argument:
            return '550 5.1.1 no such user'
        return session.server.on_rcpt(session, argument)
    hop = ScriptedServer(stage, replies={'RCPT': refuse_some})
    frank = Frank(stage, f'''route * {{ via smtp://127.0.0.1:{hop.port};
        alias root admin@example.org; sender replace alerts@provider.test;
        header-from replace; }}''')
    send(frank, 'root', ['nobody@example.net'])
    sender, recipients, content = hop.wait_messages(1)[0]
    check_equal((sender, recipients), ('', ['admin@example.org']), 'a bounce keeps its empty sender')
    check_equal(field(content, 'From').rpartition(' ')[2].strip('<>'), 'alerts@provider.test')


def test_the_size_that_is_declared_is_that_of_what_is_sent(stage):
    refused = []

    def later(session, argument):
        if len(refused) < 3:
            refused.append(argument)
            return '451 4.3.0 later'
        return session.server.on_rcpt(session, argument)
    hop = ScriptedServer(stage, ehlo=['SIZE 60000000', 'PIPELINING', '8BITMIME'],
                         replies={'RCPT': later})
    frank = Frank(stage, f'''{FAST}
        route * {{ via smtp://127.0.0.1:{hop.port}; sender map {stage.write('map',
        '*@box.test a-much-longer-address-than-it-was@provider.test')}; header-from map;
        default-domain box.test; }}''')
    line = 'y' * 70 + '\n'
    for size in (10, 200_000, 900_000):		# in hand, in a segment, in a file of its own
        send(frank, 'root', ['bob@example.net'], CRON + line * (size // len(line)))
    messages = hop.wait_messages(3)
    declared = [int(found.group(1)) for session in hop.sessions for found in
                (re.match(r'MAIL FROM:<a-much-longer.*> SIZE=(\d+)', text)
                 for text in session.lines) if found]
    for sender, _, content in messages:
        check_equal(sender, 'a-much-longer-address-than-it-was@provider.test')
        check_equal(field(content, 'From'),
                    'a-much-longer-address-than-it-was@provider.test (Cron Daemon)')
        check(len(content) in declared, f'{len(content)} octets came, {declared} were declared')
    check_equal(sorted(len(content) // 100_000 for _, _, content in messages), [0, 2, 9])
    check_equal({len(content) for _, _, content in messages}, set(declared))


def test_what_is_too_large_only_when_rewritten_is_not_begun(stage):
    frank = None
    hop = ScriptedServer(stage, ehlo=['SIZE 2000', 'PIPELINING'])
    home = ScriptedServer(stage)
    frank = Frank(stage, f'''
        route *@box.test {{ via smtp://127.0.0.1:{home.port}; }}
        route * {{ via smtp://127.0.0.1:{hop.port}; default-domain {"x" * 60}.test; }}''')
    send(frank, 'root@box.test', ['bob@example.net'],
         f'From: root@box.test\nTo: {", ".join(["root"] * 40)}\n\nHello.\n')
    line = frank.wait_event('bounced')[0]
    check('552 5.3.4' in line and 'takes 2000 at most' in line, line)
    check('MAIL' not in [verb for session in hop.sessions for verb in session.verbs()], 'MAIL')
    home.wait_messages(1)


def test_a_header_that_cannot_be_rewritten_goes_out_as_it_is(stage):
    hop = ScriptedServer(stage)
    frank = Frank(stage, f'''route * {{ via smtp://127.0.0.1:{hop.port};
        header-from keep-name alerts@provider.test; }}''')
    send(frank, 'root@box.test', ['bob@example.net'], 'From: root@box.test (\nTo: x\n\nHello.\n')
    check_equal(field(hop.wait_messages(1)[0][2], 'From'), 'root@box.test (')
    check('cannot be read' in frank.wait_event('header-kept')[0], frank.log_text())
    padding = ''.join(f'X-Padding: {"z" * 900}\n' for _ in range(300))
    send(frank, 'root@box.test', ['bob@example.net'],
         f'{padding}From: root@box.test\nTo: x\n\nHello.\n')
    check_equal(field(hop.wait_messages(2)[1][2], 'From'), 'root@box.test')
    check('too large' in frank.wait_event('header-kept', count=2)[1], frank.log_text())


def test_a_map_is_read_again_with_a_reload_and_its_errors_keep_the_old_one(stage):
    hop = ScriptedServer(stage)
    path = stage.write('map', '# who may send as whom\nroot@* one@provider.test\n'
                              '*@box.test box@provider.test\n')
    frank = Frank(stage, f'''route * {{ via smtp://127.0.0.1:{hop.port}; sender map {path};
        connections-max 1; }}''')
    for sender in ('root@box.test', 'cron@box.test', 'ann@other.test', ''):
        send(frank, sender, ['bob@example.net'])
    check_equal([sender for sender, _, _ in hop.wait_messages(4)],
                ['one@provider.test', 'box@provider.test', 'ann@other.test', ''])
    stage.write(path, 'root@* two@provider.test\nroot\n')
    check(not frank.reload(), 'the map has an error')
    check(f'{path}:2:5: an address is missing' in frank.log_text(), frank.log_text())
    checked = frank.command('config', 'check')
    check(checked.returncode == 2 and f'{path}:2:5: '.encode() in
          checked.stdout + checked.stderr, str(checked))
    send(frank, 'root@box.test', ['bob@example.net'])
    check_equal(hop.wait_messages(5)[4][0], 'one@provider.test')
    stage.write(path, 'root@* two@provider.test\n')
    check(frank.reload(), 'the map is good again')
    send(frank, 'root@box.test', ['bob@example.net'])
    check_equal(hop.wait_messages(6)[5][0], 'two@provider.test')


def test_an_alias_expands_once_and_who_has_it_does_not_get_it_again(stage):
    seen = []

    def once_later(session, argument):
        if 'bob@' in argument and not seen:
            seen.append(argument)
            return '451 4.3.0 later'
        return session.server.on_rcpt(session, argument)
    hop = ScriptedServer(stage, replies={'RCPT': once_later})
    frank = Frank(stage, f'''{FAST}
        route * {{ via smtp://127.0.0.1:{hop.port}; alias root ann@example.net bob@example.net;
            alias info@box.test ann@example.net; }}''')
    send(frank, 'cron@box.test', ['root'])
    check_equal(sorted(recipients for _, recipients, _ in hop.wait_messages(2)),
                [['ann@example.net'], ['bob@example.net']])
    frank.wait_queue_empty()
    send(frank, 'cron@box.test', ['root@relay.example.org', 'info@box.test', 'root@far.test'])
    _, recipients, _ = hop.wait_messages(3)[2]
    check_equal(sorted(recipients), ['ann@example.net', 'ann@example.net', 'bob@example.net',
                                     'root@far.test'])


def test_two_senders_on_one_connection_keep_their_own_from(stage):
    hop = ScriptedServer(stage)
    path = stage.write('map', 'a@box.test one@provider.test\nb@box.test two@provider.test\n')
    frank = Frank(stage, f'''route * {{ via smtp://127.0.0.1:{hop.port}; connections-max 1;
        sender map {path}; header-from replace; }}''')
    names = ['a', 'b', 'c'] * 5
    for name in names:
        send(frank, f'{name}@box.test', ['bob@example.net'],
             f'From: {name}@box.test\nTo: bob@example.net\nSubject: {name}\n\nHello.\n')
    want = {'a': 'one@provider.test', 'b': 'two@provider.test', 'c': 'c@box.test'}
    for sender, _, content in hop.wait_messages(len(names)):
        name = field(content, 'Subject')
        check_equal((sender, field(content, 'From')), (want[name], want[name]))
        check_equal(field(content, 'Reply-To'), None if name == 'c' else f'{name}@box.test')
    frank.wait_queue_empty()
    lines = frank.wait_event('delivered', count=len(names))
    for name in 'ab':
        check(all(f'sender-as={want[name]} from-as={want[name]} ' in line for line in lines
                  if f'from={name}@box.test ' in line), '\n'.join(lines))
    check(not any('-as=' in line for line in lines if 'from=c@box.test ' in line), '\n'.join(lines))


def test_nothing_of_a_message_changes_where_nothing_is_asked_for(stage):
    hop = ScriptedServer(stage)
    frank = Frank(stage, f'route * {{ via smtp://127.0.0.1:{hop.port}; sender keep; '
                         'header-from keep; }')
    send(frank, 'root', ['bob@example.net'])
    sender, _, content = hop.wait_messages(1)[0]
    check_equal(sender, 'root')
    check_equal(field(content, 'From'), 'root (Cron Daemon)')
    check_equal(field(content, 'Reply-To'), None)
    wait_for(lambda: frank.events('delivered'), 'it is logged')
    check('-as=' not in frank.events('delivered')[0], frank.events('delivered')[0])
