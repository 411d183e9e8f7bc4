# SPDX-License-Identifier: MIT
"""An Exim of our own in a root directory of its own (peers.jail): it relays for those who sign in.

PLAIN, LOGIN and CRAM-MD5 are Exim's; the SCRAM mechanisms, DIGEST-MD5, NTLM and GSSAPI it takes from
Cyrus SASL (Debian builds it without GNU SASL); EXTERNAL takes the client's certificate, whose
subjectAltName must hold the login as a mail address. GSSAPI needs a realm (peers.kerberos).
"""
import glob
import os
import re

from peers.jail import Jail
from peers.sasldb import fill_sasldb
from peers.stage import Failure, accepts, wait_for

CONFIGURATION = '''\
primary_hostname = exim.test
daemon_smtp_ports = {submission} : {smtps}
tls_on_connect_ports = {smtps}
local_interfaces = 127.0.0.1
host_lookup =
rfc1413_hosts =
smtp_accept_max = 0
log_selector = +tls_certificate_verified +tls_peerdn +smtp_connection
log_file_path = /var/log/exim/%slog
keep_environment =
tls_advertise_hosts = *
tls_certificate = /etc/exim4/cert.pem
tls_privatekey = /etc/exim4/key.pem
tls_verify_certificates = /etc/exim4/clients.pem
tls_try_verify_hosts = *
auth_advertise_hosts = ${{if eq{{$tls_in_cipher}}{{}}{{}}{{*}}}}
acl_smtp_rcpt = rcpt
begin acl
rcpt:
  require message = authentication required
          authenticated = *
  accept
begin routers
all:
  driver = accept
  transport = maildir
begin transports
maildir:
  driver = appendfile
  maildir_format
  directory = /var/mail/all
  create_directory
  user = Debian-exim
begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  server_prompts = :
  server_condition = ${{if eq{{$auth3}}{{${{lookup{{$auth2}}lsearch{{/etc/exim4/passwords}}{{$value}}fail}}}}}}
  server_set_id = $auth2
login:
  driver = plaintext
  public_name = LOGIN
  server_prompts = Username:: : Password::
  server_condition = ${{if eq{{$auth2}}{{${{lookup{{$auth1}}lsearch{{/etc/exim4/passwords}}{{$value}}fail}}}}}}
  server_set_id = $auth1
cram_md5:
  driver = cram_md5
  public_name = CRAM-MD5
  server_secret = ${{lookup{{$auth1}}lsearch{{/etc/exim4/passwords}}{{$value}}fail}}
  server_set_id = $auth1
external:
  driver = external
  public_name = EXTERNAL
  server_advertise_condition = $tls_in_certificate_verified
  server_param2 = ${{certextract{{subj_altname,mail,>:}}{{$tls_in_peercert}}}}
  server_condition = ${{if inlisti{{$auth1}}{{$auth2}}}}
  server_set_id = $auth1
{cyrus}
'''

CYRUS = '''\
{label}:
  driver = cyrus_sasl
  public_name = {name}
  server_realm = exim.test
  server_hostname = localhost
  server_set_id = $auth1
'''

CYRUS_MECHANISMS = ('SCRAM-SHA-1', 'SCRAM-SHA-256', 'DIGEST-MD5', 'NTLM', 'GSSAPI')


class Exim:
    """users: {login: password}; clients: a Certificate that clients may show for EXTERNAL."""

    def __init__(self, stage, certificate, users, clients=None, kerberos=None):
        self.ports = {'submission': stage.port(), 'smtps': stage.port()}
        self.port = self.ports['submission']
        self.jail = Jail(stage, 'exim4-daemon-heavy', ['Debian-exim'],
                         files=glob.glob('/usr/lib/*/sasl2/*.so'))
        self.log = self.jail.path('var/log/exim/mainlog')
        for path in ('var/log/exim', 'var/spool/exim4', 'var/mail', 'run/exim4'):
            self.jail.directory(path, owner='Debian-exim')
        self._write_files(certificate, users, clients, kerberos)
        self.process = self.jail.start(['/usr/sbin/exim4', '-bdf', '-q1h'])
        wait_for(lambda: all(map(accepts, self.ports.values())) or not self.process.running(),
                 'Exim listens')
        if not self.process.running():
            raise Failure('Exim does not start: ' + self.process.text() + self.maillog())

    def _write_files(self, certificate, users, clients, kerberos):
        write = self.jail.write
        mechanisms = [name for name in CYRUS_MECHANISMS if name != 'GSSAPI' or kerberos]
        cyrus = ''.join(CYRUS.format(label=name.lower().replace('-', '_'), name=name)
                        for name in mechanisms)
        write('etc/exim4/exim4.conf', CONFIGURATION.format(cyrus=cyrus, **self.ports))
        for name, path in (('cert.pem', certificate.certificate), ('key.pem', certificate.key),
                           ('clients.pem', (clients or certificate).certificate)):
            with open(path, 'rb') as stream:
                write(f'etc/exim4/{name}', stream.read(), 0o600, owner='Debian-exim')
        write('etc/exim4/passwords',
              ''.join(f'"{login}": {password}\n' for login, password in users.items()))
        write('etc/sasl2/exim.conf', 'pwcheck_method: auxprop\nauxprop_plugin: sasldb\n'
              f'sasldb_path: /etc/sasldb2\nmech_list: {" ".join(mechanisms)}\n'
              'keytab: /etc/krb5.keytab\n')
        if kerberos:
            for name, path in (('krb5.conf', kerberos.env['KRB5_CONFIG']),
                               ('krb5.keytab', kerberos.keytab)):
                with open(path, 'rb') as stream:
                    write(f'etc/{name}', stream.read(), owner='Debian-exim')
        fill_sasldb(self.jail.path('etc/sasldb2'), 'exim.test', users)

    def stop(self):
        self.process.stop()

    def maillog(self):
        if not os.path.exists(self.log):
            return ''
        with open(self.log, errors='replace') as stream:
            return stream.read()

    def login_lines(self, mechanism):
        """The log lines of accepted messages whose sender signed in with the mechanism."""
        label = mechanism.lower().replace('-', '_')
        return re.findall(rf'^.* <= .* A={label}:.*$', self.maillog(), re.MULTILINE)
