# SPDX-License-Identifier: MIT
"""Load at the front door: what idle clients cost, and what an attacker takes from the others.

These tests measure the binary without sanitizers. Nothing here depends on how fast the machine is.
"""
import json
import os
import smtplib
import statistics
import sys
import time

from peers import flood
from peers.frank import Frank
from peers.stage import check, check_equal, wait_for

IDLE = 10000
SERVER, ATTACKER, HONEST = '192.0.2.1', '192.0.2.66', '192.0.2.10'
PER_ADDRESS = 100


def idle_memory(stage, tls):
    """Opens many connections; returns how many, and the bytes that each costs."""
    count = min(IDLE, flood.descriptors())
    if count < IDLE:
        print(f'only {count} connections: no more descriptors')
    limits = f'connections-max {IDLE + 100};'
    frank = Frank(stage, plain=True, plain_extra=limits, submissions_extra=limits)
    idle = flood.Idle(frank.submissions if tls else frank.port, tls)
    idle.open(20)  # what is made once is there
    before = frank.memory()
    idle.open(count - 20)
    wait_for(lambda: frank.json('status')['sessions']['now'] >= count, 'all sessions are counted')
    after = frank.memory()
    check_equal(idle.alive(), count, 'connections that live')
    print(f'{count} idle connections: {after >> 20} MiB resident, '
          f'{(after - before) / (count - 20) / 1024:.1f} KiB each')
    idle.close()
    wait_for(lambda: frank.json('status')['sessions']['now'] == 0, 'all sessions are gone', 30)
    return after, count


def check_idle(stage, tls, mebibytes):
    memory, count = idle_memory(stage, tls)
    # With fewer connections the base of some MiB weighs more.
    check(memory < (mebibytes << 20) * max(count / IDLE, 0.2),
          f'{memory >> 20} MiB resident with {count} connections')


def test_ten_thousand_idle_plain_connections_take_less_than_100_mib(stage):
    check_idle(stage, False, 100)


def test_ten_thousand_idle_tls_connections_take_less_than_300_mib(stage):
    check_idle(stage, True, 300)


for each in (test_ten_thousand_idle_plain_connections_take_less_than_100_mib,
             test_ten_thousand_idle_tls_connections_take_less_than_300_mib):
    each.timeout = 240
    each.alone = True


def send_one(frank, number):
    """An honest client's message, from connect to 250; returns the seconds it took."""
    start = time.monotonic()
    with smtplib.SMTP(SERVER, frank.port, timeout=30, source_address=(HONEST, 0)) as client:
        client.sendmail('alice@example.org', ['bob@example.net'], f'Subject: {number}\r\n\r\nx\r\n')
    return time.monotonic() - start


def honest_times(frank, running):
    times = []
    while running():
        times.append(send_one(frank, len(times)))
    return times


def test_two_thousand_connections_a_second_from_one_address_keep_nobody_out(stage):
    if not flood.network_of_its_own(SERVER):
        print('no network of its own here: not measured')
        return
    frank = Frank(stage, 'route * { via discard; }', plain=True, start=False)
    frank.configure(listeners=f'listen plain {{ address {SERVER}:{frank.port}; tls off; auth off; '
                              f'relay-from {HONEST}/32; connections-per-address {PER_ADDRESS}; }}')
    frank.start()
    calm = statistics.median(send_one(frank, i) for i in range(20))
    script = os.path.join(os.path.dirname(__file__), 'peers', 'flood.py')
    output = stage.path('flood')
    attack = stage.start([sys.executable, script, SERVER, frank.port, ATTACKER, 2000, 5], output)
    times = honest_times(frank, attack.running)
    counts = json.loads(attack.text())
    print(f'{counts}; an honest message took {calm * 1000:.1f} ms before, and meanwhile '
          f'{statistics.median(times) * 1000:.1f} ms (longest {max(times) * 1000:.0f} ms)')
    check(counts['opened'] > 5000, 'the attack was one')
    check_equal(counts['greeted'], PER_ADDRESS, 'connections of the attacker that were let in')
    check_equal(counts['failed'], 0, 'connections that the system refused')
    check(counts['turned_away'] > counts['opened'] / 2, 'the others get a word')
    check(len(times) >= 20, f'the honest client had {len(times)} messages taken')
    check(max(times) < 5, f'an honest message took {max(times):.1f} s')
    lines = frank.events('session-refused')
    check(lines and len(lines) < 1000, f'{len(lines)} lines tell of what is one event')
    check('reason=connections-per-address' in lines[0], lines[0])
    check_equal(frank.events('accept-trouble'), [], 'trouble')


test_two_thousand_connections_a_second_from_one_address_keep_nobody_out.timeout = 120
test_two_thousand_connections_a_second_from_one_address_keep_nobody_out.alone = True
