# SPDX-License-Identifier: MIT
"""A message that had its 250 is never lost: SIGKILL at random moments, under load, many times."""
import random
import re
import threading
import time

from peers import clients
from peers.frank import Frank
from peers.scripted import ScriptedServer
from peers.stage import check, check_equal, wait_for

KILLS = 50
SENDERS = 6
NUMBER = re.compile(rb'^X-Number: (\d+-\d+)\r?$', re.M)


class Sender(threading.Thread):
    """Sends numbered messages until told to stop; .accepted maps each number that had its 250 to the
    message."""

    def __init__(self, port, index):
        super().__init__(daemon=True)
        self.port, self.index = port, index
        self.accepted = {}
        self.stopped = threading.Event()
        self.count = 0
        self.random = random.Random(index)

    def run(self):
        while not self.stopped.is_set():
            try:
                with clients.connect(self.port, timeout=5) as client:
                    while not self.stopped.is_set():
                        self.send(client)
            except (OSError, clients.smtplib.SMTPException):
                self.stopped.wait(0.01)

    def send(self, client):
        self.count += 1
        number = f'{self.index}-{self.count}'
        # From small ones to those that have a file of their own.
        size = self.random.choice((100, 4000, 4000, 30000, 300000))
        message = clients.MESSAGE.replace('\n', '\r\n').encode().replace(
            b'Hello.', self.random.randbytes(size // 2).hex(' ', 30).replace(
                ' ', '\r\n.').encode())
        message = b'X-Number: ' + number.encode() + b'\r\n' + message
        client.sendmail(clients.SENDER, [clients.RECIPIENT], message)
        self.accepted[number] = message


def arrived(hop):
    """{number: contents that came under it}"""
    found = {}
    for _, _, content in hop.messages():
        content = content.replace(b'\r\n..', b'\r\n.')
        match = NUMBER.search(content)
        check(match, repr(content[:300]))
        found.setdefault(match.group(1).decode(), []).append(content)
    return found


def test_fifty_kills_under_load_lose_nothing(stage):
    hop = ScriptedServer(stage)
    frank = Frank(stage, f'route * {{ via smtp://127.0.0.1:{hop.port}; '
                         'retry { first 1s; max 1s; } }')
    senders = [Sender(frank.port, index) for index in range(SENDERS)]
    for sender in senders:
        sender.start()
    moments = random.Random()
    for _ in range(KILLS):
        before = sum(len(sender.accepted) for sender in senders)
        wait_for(lambda: sum(len(s.accepted) for s in senders) > before, 'mail flows', 30, 0.001)
        # Not synchronisation: the moment of the kill is to be any.
        time.sleep(moments.uniform(0, 0.3))
        frank.kill()
        frank.start()
    for sender in senders:
        sender.stopped.set()
    for sender in senders:
        sender.join(30)
    accepted = {number: message for s in senders for number, message in s.accepted.items()}
    wait_for(lambda: set(accepted) <= set(arrived(hop)), 'all accepted mail has arrived', 120, 0.5)
    frank.wait_queue_empty(60)
    found = arrived(hop)
    damaged = [number for number, message in accepted.items()
               if any(not content.endswith(message) for content in found[number])]
    check_equal(damaged, [], 'damaged messages')
    duplicates = sum(len(contents) - 1 for contents in found.values())
    print(f'{KILLS} kills, {len(accepted)} accepted, {duplicates} duplicates')


test_fifty_kills_under_load_lose_nothing.timeout = 400
