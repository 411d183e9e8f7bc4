# SPDX-License-Identifier: MIT
"""A Postfix of our own: its directories under the test's, its ports above 10000, never the system's.

Needs root: master(8) changes to the user postfix by itself. Mail ends in a Maildir (messages()),
unless main.cf parameters given by the test say otherwise.
"""
import os
import pwd
import re
import shutil
import subprocess

from peers.sasldb import fill_sasldb
from peers.stage import Failure, accepts, run, wait_for

QUEUE_DIRECTORIES = (
    ('active', 0o700), ('bounce', 0o700), ('corrupt', 0o700), ('defer', 0o700),
    ('deferred', 0o700), ('flush', 0o700), ('hold', 0o700), ('incoming', 0o700),
    ('private', 0o700), ('saved', 0o700), ('trace', 0o700), ('maildrop', 0o730),
    ('public', 0o710))

MASTER_CF = '''\
{listeners}
pickup    unix  n  -  n  60    1  pickup
cleanup   unix  n  -  n  -     0  cleanup
qmgr      unix  n  -  n  300   1  qmgr
tlsmgr    unix  -  -  n  1000? 1  tlsmgr
rewrite   unix  -  -  n  -     -  trivial-rewrite
bounce    unix  -  -  n  -     0  bounce
defer     unix  -  -  n  -     0  bounce
trace     unix  -  -  n  -     0  bounce
verify    unix  -  -  n  -     1  verify
flush     unix  n  -  n  1000? 0  flush
proxymap  unix  -  -  n  -     -  proxymap
smtp      unix  -  -  n  -     -  smtp
relay     unix  -  -  n  -     -  smtp
showq     unix  n  -  n  -     -  showq
error     unix  -  -  n  -     -  error
retry     unix  -  -  n  -     -  error
discard   unix  -  -  n  -     -  discard
virtual   unix  -  n  n  -     -  virtual
lmtp      unix  -  -  n  -     -  lmtp
anvil     unix  -  -  n  -     1  anvil
scache    unix  -  -  n  -     1  scache
postlog   unix-dgram n - n -   1  postlogd
'''


# Mail is taken from those who have signed in, and from nobody else.
FOR_USERS = {
    'smtpd_sasl_auth_enable': 'yes',
    'smtpd_relay_restrictions': 'permit_sasl_authenticated, reject',
    'smtpd_recipient_restrictions': 'permit_sasl_authenticated, reject',
    'smtpd_sasl_authenticated_header': 'yes',
}


class Postfix:
    """ports: {'smtp': …, 'submission': …, 'smtps': …}; main: parameters that override ours.

    auth_socket is Dovecot's (peers.dovecot). cyrus = {login: password} lets Cyrus SASL check whoever
    signs in, with the mechanisms named; kerberos (peers.kerberos) holds the service's key for GSSAPI.
    """

    def __init__(self, stage, certificate=None, auth_socket=None, main=None, services=('smtp',),
                 hostname='postfix.test', process_limit=100, cyrus=None, kerberos=None,
                 mechanisms=('PLAIN', 'LOGIN')):
        if os.getuid() != 0:
            raise Failure('a Postfix of our own needs root')
        self.stage = stage
        self.directory = stage.subdirectory('postfix')
        self.ports = {service: stage.port() for service in services}
        self.port = next(iter(self.ports.values()))
        self.etc = os.path.join(self.directory, 'etc')
        self.queue = os.path.join(self.directory, 'queue')
        self.log = os.path.join(self.directory, 'maillog')
        self.mail = os.path.join(self.directory, 'mail')
        self.process_limit = process_limit
        self._make_directories()
        self.parameters = self._parameters(hostname, certificate, auth_socket)
        if cyrus is not None:
            self._use_cyrus(hostname, cyrus, kerberos, mechanisms)
        self.parameters.update(main or {})
        self._write_configuration()
        self.process = None
        self.start()

    def _make_directories(self):
        user = pwd.getpwnam('postfix')
        for path in (self.etc, self.queue, os.path.join(self.queue, 'pid')):
            os.mkdir(path)
            os.chmod(path, 0o755)
        for path, mode in [(os.path.join(self.queue, name), mode)
                           for name, mode in QUEUE_DIRECTORIES] + [
                               (os.path.join(self.directory, 'data'), 0o700), (self.mail, 0o755)]:
            os.mkdir(path)
            os.chmod(path, mode)
            os.chown(path, user.pw_uid, user.pw_gid)
        for name in ('maildrop', 'public'):
            shutil.chown(os.path.join(self.queue, name), group='postdrop')

    def _parameters(self, hostname, certificate, auth_socket):
        user = pwd.getpwnam('postfix')
        values = {
            'compatibility_level': '3.6',
            'queue_directory': self.queue,
            'data_directory': os.path.join(self.directory, 'data'),
            'maillog_file': self.log,
            'maillog_file_prefixes': self.directory,
            'myhostname': hostname,
            'mydestination': '',
            'inet_interfaces': '127.0.0.1',
            'inet_protocols': 'ipv4',
            'mynetworks': '127.0.0.0/8',
            'smtp_dns_support_level': 'disabled',
            'smtpd_peername_lookup': 'no',
            'smtpd_relay_restrictions': 'permit_mynetworks, reject',
            'smtpd_client_connection_count_limit': '0',
            'smtpd_client_connection_rate_limit': '0',
            'alias_maps': '',
            'alias_database': '',
            'local_recipient_maps': '',
            'message_size_limit': '60000000',
            'virtual_mailbox_limit': '0',
            'virtual_mailbox_domains': 'static:all',
            'virtual_mailbox_base': self.mail,
            'virtual_mailbox_maps': 'static:all/',
            'virtual_minimum_uid': '1',
            'virtual_uid_maps': f'static:{user.pw_uid}',
            'virtual_gid_maps': f'static:{user.pw_gid}',
            'smtpd_tls_security_level': 'none',
        }
        if certificate:
            values.update({
                'smtpd_tls_security_level': 'may',
                'smtpd_tls_cert_file': certificate.certificate,
                'smtpd_tls_key_file': certificate.key,
                'smtpd_tls_auth_only': 'yes',
                'smtpd_tls_loglevel': '1',
            })
        if auth_socket:
            values.update({**FOR_USERS, 'smtpd_sasl_type': 'dovecot',
                           'smtpd_sasl_path': auth_socket})
        return values

    def _use_cyrus(self, realm, users, kerberos, mechanisms):
        # Debian's Postfix looks here whatever cyrus_sasl_config_path says.
        directory = os.path.join(self.etc, 'sasl')
        os.mkdir(directory)
        fill_sasldb(os.path.join(directory, 'sasldb2'), realm, users)
        lines = ['pwcheck_method: auxprop', 'auxprop_plugin: sasldb',
                 f'sasldb_path: {directory}/sasldb2', f'mech_list: {" ".join(mechanisms)}']
        if kerberos:
            lines.append(f'keytab: {kerberos.keytab}')
            self.parameters['import_environment'] = (
                f'MAIL_CONFIG KRB5_CONFIG={kerberos.env["KRB5_CONFIG"]} '
                f'KRB5_KTNAME={kerberos.keytab}')
        self.stage.write(os.path.join(directory, 'smtpd.conf'), '\n'.join(lines) + '\n')
        self.parameters.update({**FOR_USERS, 'smtpd_sasl_type': 'cyrus',
                                'smtpd_sasl_path': 'smtpd',
                                'smtpd_sasl_local_domain': realm,
                                'cyrus_sasl_config_path': directory})

    def _write_configuration(self):
        self.stage.write(os.path.join(self.etc, 'main.cf'), ''.join(
            f'{name} = {value}\n' for name, value in self.parameters.items()))
        lines = []
        for service, port in self.ports.items():
            lines.append(f'127.0.0.1:{port} inet n - n - {self.process_limit} smtpd')
            if service == 'smtps':
                lines.append('  -o smtpd_tls_wrappermode=yes')
            if service == 'submission':
                lines.append('  -o smtpd_tls_security_level=encrypt')
        self.stage.write(os.path.join(self.etc, 'master.cf'),
                         MASTER_CF.format(listeners='\n'.join(lines)))

    def start(self):
        daemons = run(['postconf', '-c', self.etc, '-h', 'daemon_directory'])
        if daemons.returncode != 0:
            raise Failure('postconf: ' + daemons.stderr.decode())
        master = os.path.join(daemons.stdout.decode().strip(), 'master')
        # master ends its children through its process group, which with -d it does not make.
        self.process = self.stage.start(
            [master, '-c', self.etc, '-d'], os.path.join(self.directory, 'master.out'),
            start_new_session=True)
        wait_for(lambda: all(accepts(port) for port in self.ports.values())
                 or not self.process.running(), 'Postfix listens')
        if not self.process.running():
            raise Failure('Postfix does not start: ' + self.process.text() + self.maillog())

    @property
    def pid(self):
        return self.process.pid

    def stop(self):
        self.process.stop()

    def maillog(self):
        try:
            with open(self.log, errors='replace') as stream:
                return stream.read()
        except FileNotFoundError:
            return ''

    def login_lines(self, mechanism):
        """The log lines of sessions that signed in with the mechanism."""
        return re.findall(rf'^.*client=.* sasl_method={mechanism}, .*$', self.maillog(),
                          re.MULTILINE)

    def messages(self):
        """What was delivered, as bytes, oldest first."""
        new = os.path.join(self.mail, 'all', 'new')
        found = []
        for name in os.listdir(new) if os.path.isdir(new) else []:
            path = os.path.join(new, name)
            with open(path, 'rb') as stream:
                found.append((os.stat(path).st_mtime_ns, stream.read()))
        return [body for _, body in sorted(found)]

    def wait_messages(self, count, timeout=30):
        wait_for(lambda: len(self.messages()) >= count, f'Postfix has delivered {count} messages',
                 timeout)
        return self.messages()

    def command(self, name, *arguments):
        """Runs postqueue, postsuper and the like on this instance."""
        return subprocess.run([name, '-c', self.etc, *arguments], capture_output=True, check=False)
