# SPDX-License-Identifier: MIT
"""What `meson install` and tools/first-configuration put where."""
import os

from peers.frank import binary
from peers.stage import check, check_equal, run

TOP = os.path.join(os.path.dirname(os.path.abspath(__file__)), '..', '..')


def test_meson_installs_the_program_its_pages_and_its_unit(stage):
    destination = stage.path('root')
    build = os.path.dirname(binary(plain=True))
    done = run(['meson', 'install', '-C', build, '--no-rebuild', '--destdir', destination])
    check_equal(done.returncode, 0, done.stdout.decode() + done.stderr.decode())
    local = os.path.join(destination, 'usr', 'local')
    for path in ('bin/frank', 'share/man/man1/frank.1', 'share/man/man5/frank.conf.5',
                 'lib/systemd/system/frank.service', 'lib/sysusers.d/frank.conf',
                 'lib/tmpfiles.d/frank.conf'):
        check(os.path.exists(os.path.join(local, path)), f'{path} is not installed')
    with open(os.path.join(local, 'lib/systemd/system/frank.service')) as stream:
        check('ExecStart=/usr/local/bin/frank serve' in stream.read(), 'the unit names the program')


def test_the_first_configuration_is_right_and_stays_untouched(stage):
    root = stage.path('root')
    tool = os.path.join(TOP, 'tools', 'first-configuration')
    done = run([tool, root])
    check_equal(done.returncode, 0, done.stderr.decode())
    etc = os.path.join(root, 'etc/frank')
    check_equal(os.stat(os.path.join(etc, 'key.pem')).st_mode & 0o777, 0o640)
    configuration = os.path.join(etc, 'frank.conf')
    with open(configuration) as stream:
        text = stream.read()
    elsewhere = stage.write('frank.conf', text.replace('/etc/frank', etc).replace(
        '/var/spool/frank', os.path.join(root, 'var/spool/frank')))
    done = run([binary(), 'config', 'check', '-c', elsewhere])
    check_equal(done.returncode, 0, done.stdout.decode() + done.stderr.decode())
    stage.write(configuration, 'mine')
    check_equal(run([tool, root]).returncode, 0)
    with open(configuration) as stream:
        check_equal(stream.read(), 'mine')
