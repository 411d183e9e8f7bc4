# SPDX-License-Identifier: MIT
"""A Kerberos realm of our own: a KDC on a port of the test's, with principals and a key table.

Whoever is to use the realm needs `env` in its environment: the system's krb5.conf plays no part.
"""
import os

from peers.stage import Failure, accepts, run, wait_for

CLIENT_CONFIGURATION = '''\
[libdefaults]
default_realm = {realm}
dns_lookup_kdc = false
dns_lookup_realm = false
dns_canonicalize_hostname = false
rdns = false
udp_preference_limit = 1
[realms]
{realm} = {{
kdc = 127.0.0.1:{port}
}}
[domain_realm]
localhost = {realm}
'''

KDC_CONFIGURATION = '''\
[kdcdefaults]
kdc_listen = 127.0.0.1:{port}
kdc_tcp_listen = 127.0.0.1:{port}
[realms]
{realm} = {{
database_name = {directory}/principal
key_stash_file = {directory}/stash
acl_file = {directory}/acl
}}
'''


class Kerberos:
    """users: {name: password}; services: names as smtp/localhost, whose keys are in `keytab`."""

    realm = 'EXAMPLE.ORG'

    def __init__(self, stage, users, services=('smtp/localhost',)):
        self.directory = stage.subdirectory('kerberos')
        self.keytab = os.path.join(self.directory, 'keytab')
        self.port = stage.port()
        values = {'realm': self.realm, 'port': self.port, 'directory': self.directory}
        self.env = {
            'KRB5_CONFIG': stage.write(os.path.join(self.directory, 'krb5.conf'),
                                       CLIENT_CONFIGURATION.format(**values)),
            'KRB5_KDC_PROFILE': stage.write(os.path.join(self.directory, 'kdc.conf'),
                                            KDC_CONFIGURATION.format(**values)),
            # libgssglue loses 16 bytes of it for each name that it imports. Frank has nothing from
            # this library in its hands.
            'LSAN_OPTIONS': 'print_suppressions=0:suppressions=' + stage.write(
                os.path.join(self.directory, 'leaks'), 'leak:libgssapi_krb5.so\n'),
        }
        self._run('kdb5_util', 'create', '-s', '-P', 'of the database alone')
        commands = [f'add_principal -pw "{password}" {name}' for name, password in users.items()]
        for service in services:
            commands += [f'add_principal -randkey {service}', f'ktadd -k {self.keytab} {service}']
        self._run('kadmin.local', stdin='\n'.join(commands) + '\n')
        # The servers that read it run as users of their own.
        os.chmod(self.keytab, 0o644)
        self.process = stage.start(['krb5kdc', '-n'], os.path.join(self.directory, 'kdc.out'),
                                   env=self.env)
        wait_for(lambda: accepts(self.port) or not self.process.running(), 'the KDC listens')
        if not self.process.running():
            raise Failure('the KDC does not start: ' + self.process.text())

    def login(self, name, password):
        """Gets a ticket-granting ticket; returns the path of its cache."""
        cache = os.path.join(self.directory, f'cache-{name}')
        self._run('kinit', '-c', cache, name, stdin=password + '\n')
        return cache

    def _run(self, *argv, stdin=b''):
        done = run(argv, stdin=stdin, env=self.env)
        if done.returncode != 0:
            raise Failure(f'{argv[0]}: ' + (done.stdout + done.stderr).decode())
