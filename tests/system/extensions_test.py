# SPDX-License-Identifier: MIT
"""SMTP extensions from a client through the queue to next hops that offer them, and that do not."""
import re

from peers import clients
from peers.certificate import Certificate
from peers.frank import Frank
from peers.postfix import Postfix
from peers.scripted import ScriptedServer
from peers.stage import check, check_equal, run, wait_for

NOTIFY_ALL = ['NOTIFY=SUCCESS,FAILURE', 'ORCPT=rfc822;list+2Bbob@example.net']
WITH_DSN = ('PIPELINING', '8BITMIME', 'DSN')


def relay(stage, hop, route='', **options):
    return Frank(stage, f'route * {{ via smtp://127.0.0.1:{hop.port}; {route} }}', **options)


def utf8(line):
    """A line of the scripted server as what it is."""
    return line.encode('latin-1').decode()


def commands(hop, verb):
    return [utf8(line) for session in hop.sessions for line in session.lines
            if line.startswith(verb)]


def send(frank, content, mail='', recipients=('<bob@example.net>',), sender='<alice@example.org>'):
    """One message by hand, with the parameters as they stand; returns the last reply."""
    client = clients.connect(frank.port)
    client.command_encoding = 'utf-8'
    for command in [f'MAIL FROM:{sender} {mail}'.rstrip()] + [f'RCPT TO:{r}' for r in recipients]:
        code, text = client.docmd(command)
        check_equal(code, 250, f'{command}: {text.decode()}')
    client.docmd('DATA')
    client.send(content.encode() + b'\r\n.\r\n')
    reply = client.getreply()
    client.quit()
    return reply


def once(hop, reply):
    """For RCPT: this reply to the first one."""
    given = []

    def rcpt(session, argument):
        if given:
            return hop.on_rcpt(session, argument)
        given.append(argument)
        return reply
    return rcpt


def bdat(client, content, last=False):
    client.send(b'BDAT %d%s\r\n' % (len(content), b' LAST' if last else b'') + content)


def chunked(client):
    """A transaction that waits for its first chunk."""
    client.docmd('MAIL', 'FROM:<alice@example.org>')
    client.docmd('RCPT', 'TO:<bob@example.net>')


# ---- CHUNKING ----

def test_a_message_in_chunks_is_passed_on_byte_for_byte(stage):
    hop = ScriptedServer(stage)
    frank = relay(stage, hop)
    client = clients.connect(frank.port)
    check(client.has_extn('CHUNKING') and not client.has_extn('BINARYMIME'), 'what is offered')
    lines = b'Subject: x\r\n\r\n.\r\n..\r\nMAIL FROM:<evil@example.org>\r\n.a' + b'\r\nb' * 60000
    for size in (1, 7, 4096, len(lines)):
        chunked(client)
        start = 0
        while start < len(lines) and size > 7:
            bdat(client, lines[start:start + size])
            start += size
            check_equal(client.getreply()[0], 250)
        if size <= 7:
            for at in range(0, 70, size):
                bdat(client, lines[at:at + size])
                check_equal(client.getreply()[0], 250)
            bdat(client, lines[70 + -70 % size:])
            check_equal(client.getreply()[0], 250)
        bdat(client, b'', last=True)
        check_equal(client.getreply()[0], 250)
    for _, _, content in hop.wait_messages(4):
        plain = re.sub(rb'(?m)^\.', b'', content)
        check(plain.endswith(lines + b'\r\n'), f'{len(plain)} octets, {plain[:300]!r}')
    check_equal(len(hop.messages()), 4)


def test_nothing_in_a_chunk_becomes_a_second_message(stage):
    hop = ScriptedServer(stage)
    frank = relay(stage, hop)
    client = clients.connect(frank.port)
    for bare in (b'x\n.\nMAIL FROM:<evil@example.org>\r\n', b'x\r\n.\rMAIL\r\n', b'x\r.\r\n',
                 b'x\r\n.\n', b'\r\r\n.\r\n'):
        chunked(client)
        bdat(client, bare)
        bdat(client, b'QUIT\r\n', last=True)
        code, text = client.getreply()
        check_equal((code, b'5.6.11' in text), (550, True), repr(bare))
        check_equal(client.getreply()[0], 503)
    chunked(client)
    bdat(client, b'.\r\n\r\n.\r\nRCPT TO:<evil@example.org>\r\nDATA\r\n.\r\n', last=True)
    check_equal(client.getreply()[0], 250)
    content = hop.wait_messages(1)[0][2]
    check(b'\r\n..\r\n\r\n..\r\nRCPT TO:<evil@example.org>\r\nDATA\r\n..\r\n' in content,
          repr(content))
    check_equal(commands(hop, 'MAIL'), ['MAIL FROM:<alice@example.org>'])


# ---- DSN ----

def test_what_the_sender_wants_to_hear_reaches_postfix_which_tells_it(stage):
    postfix = Postfix(stage)
    frank = relay(stage, postfix)
    with clients.connect(frank.port) as client:
        check(client.has_extn('DSN'), 'DSN is offered')
        client.sendmail('alice@example.org', ['bob@example.net'], clients.MESSAGE,
                        mail_options=['RET=HDRS', 'ENVID=QQ314159'], rcpt_options=NOTIFY_ALL)
    bodies = postfix.wait_messages(2)
    report = next(body for body in bodies if b'Action: ' in body)
    for line in (b'Original-Envelope-Id: QQ314159', b'Action: delivered',
                 b'Original-Recipient: rfc822;list+bob@example.net'):
        check(line in report, report.decode())
    check(b'postfix.test' in report, 'the report is that of Postfix')
    check_equal(len(postfix.wait_messages(2)), 2)


def test_the_parameters_survive_a_crash_of_the_relay(stage):
    hop = ScriptedServer(stage, ehlo=WITH_DSN)
    hop.shut()
    frank = relay(stage, hop, extra='retry { first 1s; max 1s; }')
    send(frank, 'Subject: x\r\n\r\nx', 'RET=FULL ENVID=QQ+2B1',
         ['<bob@example.net> NOTIFY=NEVER', '<carol@example.net> NOTIFY=DELAY,SUCCESS '
          'ORCPT=rfc822;c@example.com', '<dave@example.net>'])
    frank.kill()
    hop.open()
    frank.start()
    hop.wait_messages(1)
    check(commands(hop, 'MAIL')[0].endswith(' RET=FULL ENVID=QQ+2B1'), commands(hop, 'MAIL')[0])
    check_equal(commands(hop, 'RCPT'), [
        'RCPT TO:<bob@example.net> NOTIFY=NEVER',
        'RCPT TO:<carol@example.net> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;c@example.com',
        'RCPT TO:<dave@example.net>'])


def test_success_at_a_hop_without_dsn_is_told_by_the_relay(stage):
    hop = ScriptedServer(stage)
    frank = relay(stage, hop)
    send(frank, 'Subject: Lunch\r\n\r\nx', 'ENVID=QQ314159',
         ['<bob@example.net> ' + ' '.join(NOTIFY_ALL), '<carol@example.net>'])
    sender, recipients, report = hop.wait_messages(2)[1]
    check_equal((sender, recipients), ('', ['alice@example.org']))
    for line in (b'Subject: Your message was passed on\r\n', b'Action: relayed\r\n',
                 b'Original-Envelope-Id: QQ314159\r\n', b'Status: 2.1.5\r\n',
                 b'Original-Recipient: rfc822; list+bob@example.net\r\n'):
        check(line in report or line.replace(b'2.1.5', b'2.0.0') in report, report.decode())
    check(b'carol@example.net' not in report, 'carol was not asked about')
    check_equal(commands(hop, 'RCPT')[:2],
                ['RCPT TO:<bob@example.net>', 'RCPT TO:<carol@example.net>'])
    frank.wait_queue_empty()
    check_equal(len(hop.messages()), 2)


def test_success_in_a_maildir_is_a_delivery(stage):
    hop = ScriptedServer(stage)
    frank = relay(stage, hop, extra=f'''domain example.com {{ recipients any;
        deliver maildir:{stage.directory}/mail/%u; }}''')
    send(frank, 'Subject: x\r\n\r\nx', recipients=['<carol@example.com> NOTIFY=SUCCESS'])
    report = hop.wait_messages(1)[0][2]
    check(b'Action: delivered\r\n' in report, report.decode())


def refusing(stage, **options):
    def rcpt(session, argument):
        if '@refused.example' in argument:
            return '550 5.1.1 No such user'
        return hop.on_rcpt(session, argument)
    hop = ScriptedServer(stage, replies={'RCPT': rcpt}, **options)
    return hop


def test_never_and_other_wishes_hold_for_failures(stage):
    hop = refusing(stage)
    frank = relay(stage, hop)
    for notify in ('NOTIFY=NEVER', 'NOTIFY=SUCCESS', 'NOTIFY=DELAY'):
        send(frank, 'Subject: x\r\n\r\nx', recipients=[f'<bob@refused.example> {notify}'])
    frank.wait_event('bounced', count=3)
    send(frank, 'Subject: x\r\n\r\nx', recipients=['<bob@refused.example> NOTIFY=FAILURE'])
    frank.wait_event('bounced', count=4)
    frank.wait_queue_empty()
    check_equal([m[1] for m in hop.messages()], [['alice@example.org']])
    check(not frank.events('held'), 'nothing is held')


def test_ret_decides_how_much_of_a_failed_message_returns(stage):
    hop = refusing(stage)
    frank = relay(stage, hop)
    for ret, parts in (('', b'text/rfc822-headers'), ('RET=HDRS', b'text/rfc822-headers'),
                       ('RET=FULL', b'message/rfc822')):
        count = len(hop.messages())
        send(frank, 'Subject: x\r\n\r\nThe body is here: caf\u00e9.', ret,
             ['<bob@refused.example>'])
        report = hop.wait_messages(count + 1)[count][2]
        check(b'Content-Type: ' + parts in report, report.decode())
        check_equal('The body is here: caf\u00e9.'.encode() in report, ret == 'RET=FULL', ret)
    check(commands(hop, 'MAIL')[-1].startswith('MAIL FROM:<> BODY=8BITMIME'),
          'a report with an 8-bit message in it says so: ' + commands(hop, 'MAIL')[-1])


# ---- SMTPUTF8 ----

def test_curl_sends_an_address_beyond_ascii_through_to_postfix(stage):
    postfix = Postfix(stage, main={'smtputf8_enable': 'yes'})
    frank = relay(stage, postfix)
    done = clients.curl(stage, frank.port, sender='\u00e4nn@example.org',
                        recipients=['m\u00fcller@example.net'],
                        message='From: \u00e4nn@example.org\nSubject: gr\u00fcn\n\nHello.\n')
    check_equal(done.returncode, 0, done.stderr.decode())
    check(b'SMTPUTF8' in done.stderr, done.stderr.decode())
    body = postfix.wait_messages(1)[0]
    check('Subject: gr\u00fcn'.encode() in body, body.decode())
    check(b'with UTF8SMTP id' in body, body.decode())
    wait_for(lambda: '<m\u00fcller@example.net>' in postfix.maillog(), 'Postfix logs the address')


def test_frank_send_says_smtputf8_and_what_is_missing(stage):
    hop = ScriptedServer(stage, ehlo=('8BITMIME', 'SMTPUTF8'))
    frank = relay(stage, hop)
    for port, words in ((frank.port, b'MAIL FROM:<\xc3\xa4nn@example.org> '),
                        (ScriptedServer(stage).port, b'does not offer SMTPUTF8')):
        done = run([frank.binary, 'send', f'smtp://127.0.0.1:{port}', '--from',
                    '\u00e4nn@example.org', '--to', 'm\u00fcller@example.net'])
        check(words in done.stdout + done.stderr, (done.stdout + done.stderr).decode())
    check_equal(utf8(hop.wait_messages(1)[0][1][0]), 'm\u00fcller@example.net')


def test_smtputf8_is_said_to_a_hop_where_something_needs_it(stage):
    hop = ScriptedServer(stage, ehlo=('8BITMIME', 'SMTPUTF8'))
    frank = relay(stage, hop)
    for number, (sender, recipient, subject, said) in enumerate((
            ('<a@example.org>', '<b@example.net>', 'x', False),
            ('<\u00e4@example.org>', '<b@example.net>', 'x', True),
            ('<a@example.org>', '<b@gr\u00fcn.example>', 'x', True),
            ('<a@example.org>', '<b@example.net>', '\u00fc', True))):
        send(frank, f'Subject: {subject}\r\n\r\nx', 'SMTPUTF8', [recipient], sender)
        hop.wait_messages(number + 1)
        line = commands(hop, 'MAIL')[-1]
        check_equal(line.endswith(' SMTPUTF8'), said, line)
        check_equal(commands(hop, 'RCPT')[-1], f'RCPT TO:{recipient}')


def test_a_hop_without_smtputf8_gets_what_can_be_said_in_ascii(stage):
    hop = ScriptedServer(stage)
    frank = relay(stage, hop)
    send(frank, 'Subject: x\r\n\r\n\u00fc', 'SMTPUTF8',
         ['<bob@gr\u00fcn.example>', '<m\u00fcller@example.net>'], '<alice@gr\u00fcn.example>')
    messages = hop.wait_messages(2)
    check_equal(messages[0][:2], ('alice@xn--grn-ioa.example', ['bob@xn--grn-ioa.example']))
    sender, recipients, report = messages[1]
    check_equal((sender, recipients), ('', ['alice@xn--grn-ioa.example']))
    for line in (b'report-type=global-delivery-status', b'Status: 5.6.7',
                 b'Final-Recipient: utf-8; m=C3=BCller@example.net', b'does not offer SMTPUTF8'):
        check(line in report, report.decode())
    send(frank, 'Subject: gr\u00fcn\r\n\r\nx', 'SMTPUTF8', ['<bob@example.net>'])
    report = hop.wait_messages(3)[2][2]
    check(b'Status: 5.6.9' in report and b'message/global-headers' in report, report.decode())
    check_equal(len(hop.messages()), 3)


def test_a_header_is_judged_as_it_goes_out(stage):
    hop = ScriptedServer(stage, ehlo=('PIPELINING',))
    frank = relay(stage, hop, 'header-from replace new@example.org;')
    header = 'From: J\u00f6rg <joerg@example.org>\r\nReply-To: joerg@example.org\r\nSubject: '
    for _ in range(3):
        send(frank, header + 'x\r\n\r\nx', 'SMTPUTF8')
    for message in hop.wait_messages(3):
        check_equal(message[:2], ('alice@example.org', ['bob@example.net']))
        check(b'\r\nFrom: new@example.org\r\n' in message[2], message[2].decode())
    check_equal([line for line in commands(hop, 'MAIL') if 'SMTPUTF8' in line], [])
    send(frank, header + 'gr\u00fcn\r\n\r\nx', 'SMTPUTF8')
    check(b'Status: 5.6.9' in hop.wait_messages(4)[3][2], 'a subject that stays is refused')


def test_route_test_says_when_a_hop_needs_smtputf8(stage):
    hop = ScriptedServer(stage)
    frank = Frank(stage, f'''
        route *@ab.example {{ via discard; }}
        route *@xn--grn-ioa.example {{ via smtp://127.0.0.1:{hop.port}; }}''')

    def ask(sender, recipient):
        done = frank.command('route', 'test', '--from', sender, '--to', recipient)
        check_equal(done.returncode, 0, done.stderr.decode())
        return frank.json('route', 'test', '--from', sender, '--to', recipient).get('smtputf8')
    check_equal(ask('alice@example.org', 'bob@ab.example'), None)
    check_equal(ask('alice@example.org', 'bob@xn--grn-ioa.example'), None)
    check('the domains go in ASCII' in ask('alice@example.org', 'bob@gr\u00fcn.example'),
          'a domain alone asks for nothing')
    said = ask('alice@example.org', 'm\u00fcller@gr\u00fcn.example')
    check('needed, as the recipient has' in said and 'not known' in said, said)
    send(frank, 'Subject: x\r\n\r\nx', recipients=['<bob@xn--grn-ioa.example>'])
    hop.wait_messages(1)
    frank.wait_queue_empty()
    said = ask('\u00e4@example.org', 'bob@xn--grn-ioa.example')
    check('needed, as the sender has' in said and 'did not offer it' in said, said)
    frank.configure(routes=f'route * {{ via smtp://127.0.0.1:{hop.port}; '
                           f'sender replace new@example.org; }}')
    check_equal(ask('\u00e4@example.org', 'bob@example.net'), None)
    done = frank.command('route', 'test', '--from', b'\xff@example.org', '--to', 'bob@example.net')
    check_equal(done.returncode, 2, 'no UTF-8')



def test_domains_in_letters_take_the_route_of_their_ascii_form(stage):
    hop, other = ScriptedServer(stage), ScriptedServer(stage, ehlo=('SMTPUTF8',))
    frank = Frank(stage, f'''route *@xn--grn-ioa.example {{ via smtp://127.0.0.1:{other.port}; }}
        route * {{ match sender *@xn--grn-ioa.example; via smtp://127.0.0.1:{other.port}; }}
        route * {{ via smtp://127.0.0.1:{hop.port}; }}''', extra='''
        domain xn--fsq.example { recipients any; deliver discard; alias box carol@example.net; }
        retry { first 1s; max 1s; }''')
    # The route is asked for again after an attempt: the second one takes it, too.
    other.replies['RCPT'] = once(other, '451 4.2.0 Later')
    send(frank, 'Subject: x\r\n\r\nx', 'SMTPUTF8', ['<bob@GR\u00dcN.example>'])
    check_equal(utf8(other.wait_messages(1)[0][1][0]), 'bob@GR\u00dcN.example')
    send(frank, 'Subject: x\r\n\r\nx', 'SMTPUTF8', ['<bob@example.net>'], '<a@gr\u00fcn.example>')
    other.wait_messages(2)
    send(frank, 'Subject: x\r\n\r\nx', 'SMTPUTF8', ['<box@\u4f8b.example>'])
    check_equal(hop.wait_messages(1)[0][1], ['carol@example.net'])
    send(frank, 'Subject: x\r\n\r\nx', 'SMTPUTF8', ['<dave@\u4f8b.example>'])
    frank.wait_event('delivered', 'dave@')


# ---- REQUIRETLS ----

def secure_hop(stage, certificate, ehlo):
    return ScriptedServer(stage, ehlo=('STARTTLS', *ehlo), certificate=certificate)


def send_requiretls(frank, sender='alice@example.org'):
    with clients.connect(frank.submissions, 'implicit', login='alice', password='secret') as client:
        check(client.has_extn('REQUIRETLS'), 'REQUIRETLS is offered under TLS')
        client.sendmail(sender, ['bob@example.net'], clients.MESSAGE,
                        mail_options=['REQUIRETLS', 'RET=FULL'])


def test_requiretls_goes_to_a_verified_hop_that_offers_it(stage):
    certificate = Certificate(stage)
    hop = secure_hop(stage, certificate, ['REQUIRETLS'])
    frank = Frank(stage, f'''route * {{ via smtp://localhost:{hop.port};
        tls-trust {certificate.certificate}; }}''', {'alice': 'secret'})
    check(not clients.connect(frank.port).has_extn('REQUIRETLS'), 'and not in clear')
    send_requiretls(frank)
    hop.wait_messages(1)
    check(' REQUIRETLS' in commands(hop, 'MAIL')[0], commands(hop, 'MAIL')[0])


def test_requiretls_bounces_where_it_cannot_be_kept(stage):
    certificate = Certificate(stage)
    silent = secure_hop(stage, certificate, [])
    unverified = secure_hop(stage, certificate, ['REQUIRETLS'])
    clear = ScriptedServer(stage, ehlo=['REQUIRETLS'])
    back = ScriptedServer(stage)
    for hop, options, words in (
            (silent, f'tls-trust {certificate.certificate};', b'does not offer REQUIRETLS'),
            (unverified, 'tls-verify no;', b'not under TLS with a verified'),
            (clear, '', b'not under TLS with a verified')):
        frank = Frank(stage, f'''route *@example.net {{ via smtp://localhost:{hop.port}; {options} }}
            route * {{ via smtp://127.0.0.1:{back.port}; }}''', {'alice': 'secret'})
        count = len(back.messages())
        send_requiretls(frank)
        report = back.wait_messages(count + 1)[count][2]
        unfolded = b' '.join(report.split())
        check(b'Status: 5.7.30' in report and words in unfolded, report.decode())
        check(b'text/rfc822-headers' in report, 'the body does not travel: ' + report.decode())
        check_equal(hop.messages(), [])
        frank.stop()


# ---- LIMITS ----

def test_a_hop_gets_no_more_recipients_at_once_than_it_said(stage):
    hop = ScriptedServer(stage, ehlo=('PIPELINING', 'LIMITS RCPTMAX=2 MAILMAX=2'))
    frank = relay(stage, hop)
    check_equal(clients.connect(frank.port).esmtp_features['limits'], 'RCPTMAX=1000')
    names = [f'u{n}@example.net' for n in range(5)]
    send(frank, 'Subject: x\r\n\r\nx', recipients=[f'<{name}>' for name in names])
    messages = hop.wait_messages(3)
    check_equal([m[1] for m in messages], [names[:2], names[2:4], names[4:]])
    frank.wait_event('delivered', count=5)
    check_equal([s.verbs().count('MAIL') for s in hop.sessions], [2, 1])


def test_what_is_left_of_a_split_delivery_is_tried_again_alone(stage):
    hop = ScriptedServer(stage, ehlo=('PIPELINING', 'LIMITS RCPTDOMAINMAX=1'))
    later = []

    def rcpt(session, argument):
        if '@two.example' in argument and not later:
            later.append(argument)
            return '451 4.2.0 Later'
        return hop.on_rcpt(session, argument)

    hop.replies['RCPT'] = rcpt
    frank = relay(stage, hop, extra='retry { first 1s; max 1s; }')
    send(frank, 'Subject: x\r\n\r\nx',
         recipients=['<a@one.example>', '<b@two.example>', '<c@one.example>'])
    messages = hop.wait_messages(2)
    check_equal([m[1] for m in messages], [['a@one.example', 'c@one.example'], ['b@two.example']])
    frank.wait_queue_empty()
    check_equal(len(hop.messages()), 2)


# ---- addresses ----

def test_no_trick_with_an_address_makes_a_relay_of_a_closed_door(stage):
    hop = ScriptedServer(stage)
    frank = relay(stage, hop, plain_extra='', listeners=None, extra='''
        domain example.org { recipients any; deliver discard; }''')
    frank.reload(listeners=f'listen door {{ address 127.0.0.1:{frank.port}; tls off; auth off; }}')
    client = clients.connect(frank.port)
    client.docmd('MAIL', 'FROM:<a@example.com>')
    for refused in ('<b@far.example>', '<@example.org:b@far.example>', '<"b@example.org"@far.example>',
                    '<b%example.org@far.example>', '<example.org!b@far.example>', '<b@far.example.>',
                    '<b@[127.0.0.1]>', '<b@example.org@far.example>', '<b@far.example@example.org>'):
        check(client.docmd('RCPT', f'TO:{refused}')[0] >= 500, refused)
    for local in ('<b%far.example@example.org>', '<far.example!b@example.org>',
                  '<"b@far.example"@example.org>', '<@far.example:b@example.org>'):
        check_equal(client.docmd('RCPT', f'TO:{local}')[0], 250, local)
    client.data('Subject: x\r\n\r\nx')
    frank.wait_event('delivered', count=4)
    check_equal(hop.messages(), [])
