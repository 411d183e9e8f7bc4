# SPDX-License-Identifier: MIT
"""`frank config`, `frank route test`, and what all commands share."""
import json
import os
import subprocess

from peers.certificate import Certificate
from peers.frank import binary
from peers.stage import check, check_equal, run

CONFIGURATION = '''\
hostname relay.example.org; default-domain local.example;
listen lan { address 127.0.0.1:2525; tls off; auth off; relay-from 192.168.0.0/16; }
listen submission { address 127.0.0.1:2587; tls starttls; auth required; }
tls { certificate cert.pem; key key.pem; }
users { file users; }
spool { path spool; }
domain local.example { recipients any; deliver maildir:mail/%u; alias info anna@local.example; }
account up { login frank@example.net; password-file secret; }
route *@refused.example { refuse "550 5.7.1 Not to there"; }
route * { match login scanner; via lmtp://unix:/run/lmtp; }
route * { match sender *@scan.example; via smtps://scan.example.net; tls-verify no; }
route *@example.com { via smtp://mx.example.com smtp://mx2.example.com; account up; }
route *@example.net { match listener lan; via discard; }
'''


def prepare(stage, text=CONFIGURATION):
    certificate = Certificate(stage)
    for source, name in (certificate.certificate, 'cert.pem'), (certificate.key, 'key.pem'):
        os.link(source, stage.path(name))
    stage.write('users', '', 0o640)
    stage.write('secret', 'pa55word\n', 0o600)
    return stage.write('frank.conf', text)


def frank(*argv, env=None):
    return run([binary(), *argv], env=env)


def test_a_sound_configuration_has_no_errors(stage):
    path = prepare(stage)
    done = frank('config', 'check', '-c', path)
    check_equal(done.returncode, 0, done.stdout.decode())
    check(b'no errors' in done.stdout, done.stdout.decode())
    check_equal(frank('config', 'check', env={'FRANK_CONF': path}).returncode, 0)
    answer = json.loads(frank('config', 'check', '-c', path, '--json').stdout)
    check_equal(answer['errors'], [])


def test_every_error_stands_with_its_place(stage):
    path = prepare(stage, CONFIGURATION.replace('auth off', 'auth of')
                   .replace('starttls', 'startls') + 'hostnam x;\n')
    done = frank('config', 'check', '-c', path)
    text = done.stdout.decode()
    check_equal(done.returncode, 2, text)
    for place in 'frank.conf:2:', 'frank.conf:3:', 'frank.conf:14:1: error', '^', '3 errors':
        check(place in text, f'{place} is missing in {text}')
    answer = json.loads(frank('config', 'check', '-c', path, '--json').stdout)
    check_equal([error['line'] for error in answer['errors']], [2, 3, 14])
    check(all(error['file'].endswith('frank.conf') and error['text'] and error['column']
              for error in answer['errors']), str(answer))


def test_what_it_names_is_loaded_too(stage):
    path = prepare(stage)
    other = Certificate(stage)
    os.unlink(stage.path('cert.pem'))
    os.link(other.certificate, stage.path('cert.pem'))
    os.unlink(stage.path('secret'))
    stage.write('users', 'anna\n', 0o640)
    done = frank('config', 'check', '-c', path)
    text = done.stdout.decode()
    check_equal(done.returncode, 2, text)
    for words in 'key', 'users:1', 'secret', '3 errors':
        check(words in text, f'{words} is missing in {text}')
    check_equal(len(json.loads(frank('config', 'check', '-c', path, '--json').stdout)['errors']), 3)


def test_show_prints_a_configuration_that_means_the_same(stage):
    path = prepare(stage)
    shown = frank('config', 'show', '-c', path)
    check_equal(shown.returncode, 0, shown.stderr.decode())
    check(b'pa55word' not in shown.stdout, 'a secret is never shown')
    check(b'frank.conf:1' in shown.stdout, 'origins are')
    again = stage.write('again.conf', shown.stdout)
    twice = frank('config', 'show', '-c', again)

    def bare(text):
        return [line.split(b'#')[0].rstrip() for line in text.splitlines()]
    check_equal(bare(twice.stdout), bare(shown.stdout))


def route(path, sender, recipient, *options):
    return frank('route', 'test', '-c', path, '--from', sender, '--to', recipient, *options)


def test_a_route_is_found_and_explained(stage):
    path = prepare(stage)
    for sender, recipient, options, status, words in (
            ('a@b.example', 'c@example.com', [], 0,
             ['route             *@example.com', 'frank.conf:12', 'smtp://mx.example.com',
              'then              smtp://mx2.example.com', 'up, login frank@example.net',
              'SCRAM-SHA-1, DIGEST-MD5, CRAM-MD5, NTLM, PLAIN, LOGIN: the first', 'STARTTLS, required by the account', 'PLAIN; without: LOGIN; has none: DIGEST-MD5',
              'why               route *@refused.example']),
            ('a@b.example', 'c@example.com', ['--login', 'scanner'], 0,
             ['lmtp://unix:/run/lmtp', 'a unix socket', 'yes, for a client that has signed in']),
            ('a@scan.example', 'c@example.com', [], 0,
             ['smtps://scan.example.net', 'from the first byte', 'tls-verify no']),
            ('a@b.example', 'Info@LOCAL.example', [], 0, ['alias', 'anna@local.example']),
            ('', 'bob@local.example', [], 0, ['domain            local.example', 'maildir:',
                                              'routes are not asked']),
            ('a@b.example', 'bob', [], 0, ['domain            local.example']),
            ('<>', '<c@refused.example>', [], 1, ['550 5.7.1 Not to there']),
            ('a@b.example', 'c@example.net', [], 1, ['No route fits', 'the listener (none)']),
            ('a@b.example', 'c@example.net', ['--listener', 'lan', '--client', '192.168.3.4'], 0,
             ['discard', 'relaying          yes']),
            ('a@b.example', 'c@example.net', ['--listener', 'lan', '--client', '10.0.0.1'], 0,
             ['relaying          no'])):
        done = route(path, sender, recipient, *options)
        text = done.stdout.decode()
        check_equal(done.returncode, status, text + done.stderr.decode())
        for word in words:
            check(word in text, f'"{word}" is missing in: {text}')


def test_a_route_as_json(stage):
    path = prepare(stage)
    answer = json.loads(route(path, 'a@b.example', 'c@example.com', '--json').stdout)
    check_equal(answer['via'], ['smtp://mx.example.com', 'smtp://mx2.example.com'])
    check_equal(answer['account']['login'], 'frank@example.net')
    check_equal(answer['mechanisms'][-2:], ['PLAIN', 'LOGIN'])
    check(answer['route']['place'].endswith('frank.conf:12'), str(answer))
    answer = json.loads(route(path, '', 'bob@local.example', '--json').stdout)
    check_equal(answer['domain']['patterns'], ['local.example'])


def test_route_test_explains_its_usage(stage):
    path = prepare(stage)
    for argv, words in (
            (['--from', 'a@b'], '--from and --to'),
            (['--from', 'a@b', '--to', ''], 'the address'),
            (['--from', 'a@b', '--to', 'c@d', '--client', 'here'], '--client'),
            (['--from', 'a@b', '--to', 'c@d', '--listener', 'submision'],
             'did you mean submission')):
        done = frank('route', 'test', '-c', path, *argv)
        check_equal(done.returncode, 2, str(argv))
        check(words in done.stderr.decode(), done.stderr.decode())


def test_every_command_has_help_and_near_names(stage):
    done = frank('--help')
    check_equal(done.returncode, 0)
    names = [line.split()[0] for line in done.stdout.decode().split('\n\n')[2].splitlines()]
    check({'serve', 'send', 'sink', 'user', 'route', 'config'} <= set(names), str(names))
    for name in names:
        asked, told = frank(name, '--help'), frank('help', name)
        check_equal((asked.returncode, asked.stderr), (0, b''), name)
        check_equal(asked.stdout, told.stdout, name)
        check(asked.stdout.startswith(f'usage: frank {name} '.encode()), name)
        wrong = frank(name, '--no-such-option')
        check_equal(wrong.returncode, 2, name)
        check(b'--help says more' in wrong.stderr, f'{name}: {wrong.stderr.decode()}')
    check(b'did you mean config' in frank('confg').stderr, 'a near name is suggested')
    check_equal([frank(*argv).returncode for argv in ([], ['nonsense'], ['--version'])], [2, 2, 0])


def test_output_that_cannot_be_written_is_no_success(stage):
    with open('/dev/full', 'w') as full:
        for argv in ['--help'], ['--version'], ['config', 'show', '-c', prepare(stage)]:
            done = subprocess.run([binary(), *argv], stdout=full, stderr=subprocess.PIPE,
                                  check=False)
            check_equal(done.returncode, 3, str(argv))
