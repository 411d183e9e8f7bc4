# SPDX-License-Identifier: MIT
"""Bad input: a clear reply or a clean close, and other sessions undisturbed."""
import random
import shutil
import socket
import ssl
import struct
import time

from peers import clients
from peers.frank import Frank
from peers.scripted import ScriptedServer
from peers.smtp_sink import smtp_source
from peers.stage import check, check_equal, wait_for


class Raw:
    """A connection on which any bytes are sent."""

    def __init__(self, port, greeting=True):
        self.socket = socket.create_connection(('127.0.0.1', port), timeout=20)
        self.buffer = b''
        if greeting:
            self.expect(b'220')

    def send(self, data):
        self.socket.sendall(data)

    def line(self):
        while b'\r\n' not in self.buffer:
            data = self.socket.recv(65536)
            if not data:
                return b''
            self.buffer += data
        line, _, self.buffer = self.buffer.partition(b'\r\n')
        return line

    def reply(self):
        line = self.line()
        while line[3:4] == b'-':
            line = self.line()
        return line

    def expect(self, code):
        reply = self.reply()
        check(reply.startswith(code), f'got {reply!r}, want {code!r}')
        return reply

    def ask(self, command, code):
        self.send(command + b'\r\n')
        return self.expect(code)

    def begin(self):
        self.ask(b'EHLO client.example.org', b'250')
        self.ask(b'MAIL FROM:<alice@example.org>', b'250')
        self.ask(b'RCPT TO:<bob@example.net>', b'250')
        self.ask(b'DATA', b'354')

    def reset(self):
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack('ii', 1, 0))
        self.socket.close()


def relay(stage, **options):
    hop = ScriptedServer(stage)
    return Frank(stage, f'route * {{ via smtp://127.0.0.1:{hop.port}; }}', **options), hop


def well(frank):
    """Others are served meanwhile."""
    done = clients.swaks(frank.port)
    check_equal(done.returncode, 0, done.stdout.decode())


def test_overlong_lines_nuls_and_unknown_verbs_get_a_reply(stage):
    frank, _ = relay(stage)
    client = Raw(frank.port)
    client.ask(b'EHLO client.example.org', b'250')
    client.ask(b'NOOP ' + b'x' * 100000, b'500')
    client.ask(b'NO\0OP', b'5')
    client.ask(b'BANANA', b'500')
    client.ask(b'', b'500')
    client.ask(b'\xff\xfe', b'500')
    client.ask(b'QUIT', b'221')
    well(frank)


def test_binary_noise_is_answered_or_closed_and_disturbs_nobody(stage):
    frank, _ = relay(stage)
    noise = random.Random(1)
    for port in (frank.port, frank.submission, frank.submissions):
        for _ in range(20):
            client = Raw(port, greeting=False)
            client.send(noise.randbytes(20000))
            client.reset()
    well(frank)


def test_resets_and_half_closed_connections_inside_data_deliver_nothing(stage):
    frank, hop = relay(stage)
    for _ in range(20):
        client = Raw(frank.port)
        client.begin()
        client.send(b'Subject: cut\r\n\r\nhalf of')
        client.reset()
    client = Raw(frank.port)
    client.begin()
    client.send(b'Subject: cut\r\n\r\nhalf of a line')
    client.socket.shutdown(socket.SHUT_WR)
    wait_for(lambda: client.line() == b'', 'the connection is closed')
    well(frank)
    hop.wait_messages(1)
    check_equal([m for m in hop.messages() if b'Subject: cut' in m[2]], [])


def test_a_bare_newline_ends_neither_line_nor_message(stage):
    frank, hop = relay(stage)
    client = Raw(frank.port)
    client.begin()
    client.send(b'Subject: smuggled\r\n\r\none\n.\nMAIL FROM:<x@example.org>\r\n.\nQUIT\r\n.\r\n')
    reply = client.reply()
    client.ask(b'NOOP', b'250')
    if reply.startswith(b'250'):
        check_equal(len(hop.wait_messages(1)), 1)
        check(b'MAIL FROM' in hop.messages()[0][2], 'the text is content')
    else:
        check(reply.startswith(b'5'), repr(reply))


def test_false_ends_of_data_bring_one_message_or_none(stage):
    frank, hop = relay(stage)
    ends = [b'\n.\n', b'\n.\r\n', b'\r\n.\n', b'\r.\r', b'\r\n.\r', b'\r.\r\n', b'\r\r\n.\r\r\n',
            b'\r\n\0.\r\n', b'\r\n.\0\r\n', b'\r\n. \r\n', b'\r\n..\r\n', b'\r\n.\r\r\n', b'\x0b.\x0b',
            b'\x85.\x85', b'\r\n=2E\r\n']
    for end in ends:
        client = Raw(frank.port)
        client.begin()
        client.send(b'Subject: outer\r\n\r\nx' + end + b'MAIL FROM:<evil@example.org>\r\n'
                    b'RCPT TO:<bob@example.net>\r\nDATA\r\nSubject: smuggled\r\n\r\n.\r\nQUIT\r\n')
        reply = client.reply()
        check(reply[:3] in (b'250', b'550'), f'behind {end!r}: {reply!r}')
        check_equal(client.reply()[:3], b'221', f'the next reply behind {end!r}')
    frank.wait_queue_empty()
    check_equal({message[0] for message in hop.messages()} - {'alice@example.org'}, set(),
                'senders that are not of the outer message')


def test_a_chunk_without_a_sure_size_ends_the_session(stage):
    frank, hop = relay(stage)
    for size in (b'-1', b'+6', b'0x6', b'6.', b'6,', b'', b'LAST', b'6 LAST LAST', b'6 FIRST', b'6\nLAST',
                 b'6\r LAST', b'6\0', b'18446744073709551617', b'99999999999999999999999', b'6e0'):
        client = Raw(frank.port)
        client.ask(b'EHLO client.example.org', b'250')
        client.ask(b'MAIL FROM:<alice@example.org>', b'250')
        client.ask(b'RCPT TO:<bob@example.net>', b'250')
        client.send(b'BDAT ' + size + b'\r\nNOOP\r\nRSET\r\n')
        client.expect(b'421')
        check_equal(client.reply(), b'', f'what comes behind BDAT {size!r}')
    check_equal(hop.messages(), [], 'messages')


def test_what_is_sent_with_starttls_is_never_obeyed(stage):
    frank, _ = relay(stage, users={'anna@example.org': 's3cret-42'})
    client = Raw(frank.submission)
    client.ask(b'EHLO client.example.org', b'250')
    client.send(b'STARTTLS\r\nEHLO evil.example.org\r\nMAIL FROM:<evil@example.org>\r\n')
    client.expect(b'220')
    context = ssl.create_default_context(cafile=frank.certificate.certificate)
    context.check_hostname = False
    client.socket = context.wrap_socket(client.socket)
    client.ask(b'NOOP', b'250')  # the first reply: none to what was injected
    client.ask(b'MAIL FROM:<alice@example.org>', b'503')
    line = frank.wait_event('tls-injection')[0]
    check('octets=53' in line, line)


def test_ten_thousand_recipients_end_at_the_limit(stage):
    frank, hop = relay(stage, plain_extra='recipients-max 500;')
    client = Raw(frank.port)
    client.ask(b'EHLO client.example.org', b'250')
    client.ask(b'MAIL FROM:<alice@example.org>', b'250')
    client.send(b''.join(b'RCPT TO:<r%d@example.net>\r\n' % i for i in range(10000)))
    replies = [client.reply()[:3] for _ in range(10000)]
    check_equal(replies[:500], [b'250'] * 500)
    check_equal(set(replies[500:]), {b'452'})
    client.ask(b'DATA', b'354')
    client.send(b'Subject: many\r\n\r\nhello\r\n.\r\n')
    client.expect(b'250')
    wait_for(lambda: sum(len(m[1]) for m in hop.messages()) == 500, '500 recipients', 30)
    check(max(len(m[1]) for m in hop.messages()) <= 100, 'at most 100 recipients a delivery')


def test_a_byte_every_now_and_then_meets_the_deadline(stage):
    frank, _ = relay(stage, extra='timeout { command 2s; data 2s; }')
    client = Raw(frank.port)
    start = time.monotonic()
    for byte in b'EHLO client.example.org but never ending, for a long time':
        try:
            client.send(bytes([byte]))
        except OSError:
            break
        if client_has_input(client, 0.2):
            break
    client.expect(b'421')
    check(time.monotonic() - start < 8, 'the deadline is for the whole command')
    well(frank)


def client_has_input(client, seconds):
    client.socket.settimeout(seconds)
    try:
        return bool(client.socket.recv(1, socket.MSG_PEEK)) or True
    except TimeoutError:
        return False
    finally:
        client.socket.settimeout(20)


def test_five_hundred_clients_stopped_in_data_keep_memory_low(stage):
    frank, _ = relay(stage, plain=True)
    stopped = []
    for _ in range(500):
        client = Raw(frank.port)
        client.begin()
        client.send(b'Subject: stop\r\n\r\n' + b'x' * 60000)
        stopped.append(client)
    well(frank)
    check(frank.memory() < 300 << 20, f'{frank.memory() >> 20} MiB resident')
    for client in stopped:
        client.socket.close()


def test_a_long_queue_towards_a_hop_that_reads_slowly_keeps_memory_low(stage):
    def read_slowly(session, _argument):
        while session.connection.recv(1):
            if session.server._over.wait(1):
                break
    hop = ScriptedServer(stage, replies={'.read': read_slowly}, receive_buffer=4096)
    frank = Frank(stage, f'route * {{ via smtp://127.0.0.1:{hop.port}; }}', plain=True)
    # A smaller disk takes a shorter queue; memory depends on it as little.
    count = min(10000, (shutil.disk_usage(frank.spool).free >> 20) // 2)
    smtp_source(frank.port, count, sessions=20, size=1 << 20, kept=True, timeout=250)
    check(frank.memory() < 300 << 20, f'{frank.memory() >> 20} MiB resident')
    print(f'{count} messages of 1 MiB queued, {frank.memory() >> 20} MiB resident')


test_a_long_queue_towards_a_hop_that_reads_slowly_keeps_memory_low.timeout = 300
test_a_long_queue_towards_a_hop_that_reads_slowly_keeps_memory_low.alone = True
test_five_hundred_clients_stopped_in_data_keep_memory_low.alone = True
