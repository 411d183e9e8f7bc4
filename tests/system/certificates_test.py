# SPDX-License-Identifier: MIT
"""Certificates towards clients: by name, by kind of key, our own; and how far back TLS goes."""
import os
import re
import shutil
import ssl

from peers import clients
from peers.certificate import Certificate
from peers.frank import Frank
from peers.scripted import ScriptedServer
from peers.stage import check, check_equal, run, wait_for

LISTENERS = '''\
listen new {{ address 127.0.0.1:{new}; tls starttls; auth required; tls-policy modern; }}
listen usual {{ address 127.0.0.1:{usual}; tls starttls; auth required; }}
listen old {{ address 127.0.0.1:{old}; tls starttls; auth required; tls-policy legacy; \
certificate rsa; }}
'''


def start(stage, extra, **more):
    ports = {name: stage.port() for name in ('new', 'usual', 'old')}
    frank = Frank(stage, listeners=LISTENERS.format(**ports), extra=extra,
                  users={'anna': 's3cret-42'}, **more)
    frank.ports = ports
    return frank


def block(certificate, label=''):
    return f'tls {label} {{ certificate {certificate.certificate}; key {certificate.key}; }}\n'


def handshake(port, *options):
    """What `openssl s_client` shows of a STARTTLS session."""
    done = run(['openssl', 's_client', '-connect', f'127.0.0.1:{port}', '-starttls', 'smtp', *options],
               stdin=b'QUIT\r\n', timeout=30)
    return done.stdout.decode(errors='replace') + done.stderr.decode(errors='replace')


def test_policies_say_how_far_back_tls_goes(stage):
    """TLS 1.0 and 1.1 are spoken on the legacy listener alone; modern has 1.3 alone."""
    frank = start(stage, block(Certificate(stage, rsa=True), 'rsa'))
    spoken = {}
    for name, port in frank.ports.items():
        spoken[name] = ''.join(
            str(option[-1]) for option in ('-tls1', '-tls1_1', '-tls1_2', '-tls1_3')
            if re.search(r'Cipher is (?!\(NONE\))',
                         handshake(port, option, '-cipher', 'ALL:@SECLEVEL=0')))
    check_equal(spoken, {'new': '3', 'usual': '23', 'old': '1123'})
    shown = handshake(frank.ports['old'], '-tls1', '-cipher', 'AES128-SHA:@SECLEVEL=0')
    check('Cipher is AES128-SHA' in shown, shown)  # key exchange by RSA


def test_an_old_client_sends_over_tls_1_0(stage):
    """swaks under TLS 1.0 signs in and is relayed for; Received names the version."""
    frank = start(stage, block(Certificate(stage, rsa=True), 'rsa'))
    sent = clients.swaks(frank.ports['old'], '--tls-protocol', 'tlsv1',
                         '--tls-cipher', 'ALL:@SECLEVEL=0', tls='starttls', login='anna',
                         password='s3cret-42')
    check_equal(sent.returncode, 0, sent.stdout.decode() + sent.stderr.decode())
    check('TLSv1 ' in sent.stdout.decode() or 'TLSv1:' in sent.stdout.decode(), sent.stdout)


def test_names_choose_the_certificate(stage):
    """SNI: who asks for a name is shown its certificate, who asks for another one the first."""
    first, second = Certificate(stage, 'relay.example.org'), Certificate(stage, 'mail.example.net')
    frank = start(stage, block(second) + block(Certificate(stage, rsa=True), 'rsa'),
                  certificate=first)
    for name, subject in (('mail.example.net', 'mail.example.net'),
                          ('MAIL.example.net', 'mail.example.net'),
                          ('relay.example.org', 'relay.example.org'),
                          ('else.example.com', 'relay.example.org')):
        shown = handshake(frank.ports['usual'], '-servername', name)
        check(f'subject=CN = {subject}' in shown, f'{name}: {shown}')
    check('subject=CN = relay.example.org' in handshake(frank.ports['usual'], '-noservername'),
          'without a name the first one is shown')
    check('subject=CN = localhost' in
          handshake(frank.ports['old'], '-servername', 'mail.example.net'), 'its own label only')


def test_ecdsa_and_rsa_stand_side_by_side(stage):
    """The client's signature algorithms choose between two certificates for one name, each with
    what stands behind it in its own file."""
    names = 'relay.example.org'
    ecdsa, behind = Certificate(stage, names), Certificate(stage, 'ca.example.org')
    with open(ecdsa.certificate, 'a') as chain, open(behind.certificate) as more:
        chain.write(more.read())
    frank = start(stage, block(Certificate(stage, names, rsa=True)) +
                  block(Certificate(stage, rsa=True), 'rsa'), certificate=ecdsa)
    for algorithms, kind, sent in (('ECDSA+SHA256', 'id-ecPublicKey', 2),
                                   ('RSA-PSS+SHA256:RSA+SHA256', 'rsaEncryption', 1)):
        shown = handshake(frank.ports['usual'], '-sigalgs', algorithms, '-servername', names,
                          '-showcerts')
        check(f'PKEY: {kind}' in shown, shown)
        check_equal(shown.count('-----BEGIN CERTIFICATE-----'), sent, f'{kind}: certificates sent')


def test_our_own_certificate_is_made_and_kept(stage):
    """`certificate auto`: ECDSA for the hostname, in the state directory, the same after a restart;
    log and status say its fingerprint; config check writes nothing."""
    frank = start(stage, 'tls rsa { certificate auto; }\n', start=False)
    own = os.path.join(frank.state, 'certificate', 'cert.pem')
    check_equal(frank.command('config', 'check').returncode, 0)
    check(not os.path.exists(own), 'config check has made a certificate')
    frank.start()
    check_equal(oct(os.stat(os.path.join(os.path.dirname(own), 'key.pem')).st_mode & 0o777), '0o600')
    shown = run(['openssl', 'x509', '-in', own, '-noout', '-fingerprint', '-sha256']).stdout.decode()
    fingerprint = shown.split('=', 1)[1].strip()
    frank.wait_event('certificate', f'fingerprint={fingerprint}', own)
    listed = {item['file']: item for item in frank.json('status')['certificates']}
    check_equal(listed[own]['fingerprint'], fingerprint)
    check(fingerprint in frank.command('status').stdout.decode(), 'status lacks the fingerprint')
    check('subject=CN = relay.example.org' in handshake(frank.ports['old']), 'it is not shown')
    frank.restart()
    check_equal(frank.json('status')['certificates'][-1]['fingerprint'], fingerprint)


def test_a_certificate_that_ends_soon_is_made_anew(stage):
    """What is left of our own certificate is less than 30 days: the next reload makes another one."""
    frank = start(stage, 'tls rsa { certificate auto; }\n', start=False)
    short = Certificate(stage, 'relay.example.org', days=20)
    directory = os.path.join(frank.state, 'certificate')
    os.makedirs(directory)
    shutil.copy(short.certificate, os.path.join(directory, 'cert.pem'))
    shutil.copy(short.key, os.path.join(directory, 'key.pem'))
    frank.start()
    made = open(os.path.join(directory, 'cert.pem')).read()
    check(made != open(short.certificate).read(), 'the old one is still there')
    check(run(['openssl', 'x509', '-checkend', str(300 * 86400)], stdin=made.encode()).returncode
          == 0, 'the new one is short, too')


def test_the_end_is_announced(stage):
    """14 days before: a line in the log, a problem of the status; each certificate by its file."""
    short = Certificate(stage, 'mail.example.net', days=10)
    frank = start(stage, block(short) + block(Certificate(stage, rsa=True), 'rsa'))
    frank.wait_event('certificate-expires', short.certificate)
    check_equal(len(frank.events('certificate-expires')), 1)
    status = frank.json('status')
    check(any(short.certificate in problem and 'expires in' in problem
              for problem in status['problems']), status['problems'])


def test_changed_files_of_any_listener_are_loaded(stage):
    """A reload takes the new file of a further certificate; sessions begun before go on."""
    second = Certificate(stage, 'mail.example.net')
    frank = start(stage, block(second) + block(Certificate(stage, rsa=True), 'rsa'))
    before = handshake(frank.ports['usual'], '-servername', 'mail.example.net', '-showcerts')
    fresh = Certificate(stage, 'mail.example.net')
    shutil.copy(fresh.key, second.key)
    shutil.copy(fresh.certificate, second.certificate)
    check(frank.reload(), 'the reload is in force')
    wait_for(lambda: pem(handshake(frank.ports['usual'], '-servername', 'mail.example.net',
                                   '-showcerts')) != pem(before), 'the new certificate is shown')
    check_equal(len(frank.events('certificate', second.certificate)), 2)


def pem(shown):
    return re.search(r'-----BEGIN CERTIFICATE-----.*?-----END', shown, re.S).group(0)


def test_a_route_reaches_a_hop_that_stops_at_tls_1_0(stage):
    """tls-policy legacy on a route; without it the message waits, and the log says why."""
    certificate = Certificate(stage, rsa=True)
    hop = ScriptedServer(stage, certificate=certificate, implicit_tls=True)
    hop.context.minimum_version = hop.context.maximum_version = ssl.TLSVersion.TLSv1
    hop.context.set_ciphers('AES128-SHA:@SECLEVEL=0')
    route = ('route * {{ via smtps://127.0.0.1:{port}; tls-trust {trust}; {policy} '
             'retry {{ first 1s; }} }}')
    values = {'port': hop.port, 'trust': certificate.certificate}
    frank = Frank(stage, routes=route.format(policy='', **values))
    check_equal(clients.swaks(frank.port).returncode, 0, 'swaks')
    frank.wait_event('hop-paused')
    check_equal(len(hop.messages()), 0, 'messages at the hop')
    check(frank.reload(routes=route.format(policy='tls-policy legacy;', **values)), 'in force')
    frank.command('queue', 'run')
    wait_for(hop.messages, 'the hop has the message', 30)
