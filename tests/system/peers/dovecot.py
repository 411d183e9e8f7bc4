# SPDX-License-Identifier: MIT
"""A Dovecot of our own: LMTP on a port and a socket, and an authentication socket for Postfix.

Dovecot 2.3 (Debian 12) and 2.4 (Debian 13) name their settings differently; both are written.
"""
import os
import pwd
import re
import shutil

from peers.stage import Failure, accepts, run, wait_for

COMMON = '''\
base_dir = {base}
state_dir = {state}
log_path = {log}
protocols = lmtp
ssl = no
listen = 127.0.0.1
auth_mechanisms = {mechanisms}
{passwords}
{mail}
first_valid_uid = 1
service auth {{
  unix_listener {auth_socket} {{
    mode = 0666
  }}
}}
service lmtp {{
  inet_listener lmtp {{
    {address} = 127.0.0.1
    port = {port}
  }}
  unix_listener {lmtp_socket} {{
    mode = 0666
  }}
}}
service anvil {{
  chroot =
}}
service stats {{
  chroot =
}}
'''

VERSION_2_3 = {
    'address': 'address',
    'passwords': '''\
disable_plaintext_auth = no
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {users}
}}
userdb {{
  driver = passwd-file
  args = username_format=%u {users}
}}''',
    'mail': 'mail_location = maildir:{mail}/%u',
}

VERSION_2_4 = {
    'address': 'listen',
    'passwords': '''\
auth_allow_cleartext = yes
passdb passwd-file {{
  passwd_file_path = {users}
  default_password_scheme = PLAIN
}}
userdb passwd-file {{
  passwd_file_path = {users}
}}''',
    'mail': '''\
mail_driver = maildir
mail_path = {mail}/%{{user}}''',
}


def version():
    text = run(['/usr/sbin/dovecot', '--version']).stdout.decode()
    return tuple(map(int, re.match(r'(\d+)\.(\d+)', text).groups()))


class Dovecot:
    """users: {'name@domain': 'password'}; LMTP delivers to these and to nobody else."""

    def __init__(self, stage, users, mechanisms='plain login'):
        self.stage = stage
        self.directory = stage.subdirectory('dovecot')
        self.port = stage.port()
        self.mail = os.path.join(self.directory, 'mail')
        self.log = os.path.join(self.directory, 'log')
        self.auth_socket = os.path.join(self.directory, 'auth')
        self.lmtp_socket = os.path.join(self.directory, 'lmtp')
        user = pwd.getpwnam('mail')
        os.mkdir(self.mail)
        shutil.chown(self.mail, user.pw_uid, user.pw_gid)
        stage.write(self.log, '', 0o666)
        self.users = stage.write(os.path.join(self.directory, 'users'), ''.join(
            f'{name}:{{PLAIN}}{password}:{user.pw_uid}:{user.pw_gid}::{self.mail}/{name}::\n'
            for name, password in users.items()), 0o644)
        self.configuration = stage.write(os.path.join(self.directory, 'dovecot.conf'),
                                         self._configuration(mechanisms))
        self.process = stage.start(['/usr/sbin/dovecot', '-F', '-c', self.configuration],
                                   os.path.join(self.directory, 'dovecot.out'))
        wait_for(lambda: accepts(self.port) or not self.process.running(), 'Dovecot listens')
        if not self.process.running():
            raise Failure('Dovecot does not start: ' + self.process.text())

    def _configuration(self, mechanisms):
        new = version() >= (2, 4)
        names = VERSION_2_4 if new else VERSION_2_3
        head = 'dovecot_config_version = 2.4.0\ndovecot_storage_version = 2.4.0\n' if new else ''
        paths = {'users': self.users, 'mail': self.mail}
        return head + COMMON.format(
            base=os.path.join(self.directory, 'run'), state=os.path.join(self.directory, 'state'),
            log=self.log, mechanisms=mechanisms, auth_socket=self.auth_socket,
            lmtp_socket=self.lmtp_socket, port=self.port, address=names['address'],
            passwords=names['passwords'].format(**paths), mail=names['mail'].format(**paths))

    def stop(self):
        self.process.stop()

    def messages(self, user):
        """What was delivered to a user, as bytes."""
        new = os.path.join(self.mail, user, 'new')
        found = []
        for name in sorted(os.listdir(new)) if os.path.isdir(new) else []:
            with open(os.path.join(new, name), 'rb') as stream:
                found.append(stream.read())
        return found

    def wait_messages(self, user, count, timeout=30):
        wait_for(lambda: len(self.messages(user)) >= count,
                 f'Dovecot has {count} messages for {user}', timeout)
        return self.messages(user)
