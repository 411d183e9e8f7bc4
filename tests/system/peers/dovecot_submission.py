# SPDX-License-Identifier: MIT
"""Dovecot's submission service of our own: it checks who signs in, and passes mail on to `next_port`.

Passwords serve PLAIN, LOGIN, CRAM-MD5, DIGEST-MD5 and the SCRAM mechanisms. OAUTHBEARER and XOAUTH2
take tokens that `token()` makes; Dovecot checks them by itself. EXTERNAL takes a client's certificate
whose common name is the login. GSSAPI needs a realm (peers.kerberos);
Dovecot calls its service "submission" where all others say "smtp", so it is told to take any key.

Dovecot 2.3 (Debian 12) and 2.4 (Debian 13) name their settings differently; both are written.
"""
import base64
import hashlib
import hmac
import json
import os
import pwd
import re
import shutil
import time

from peers.dovecot import version
from peers.stage import Failure, accepts, wait_for

COMMON = '''\
{head}
base_dir = {directory}/run
state_dir = {directory}/state
log_path = {log}
protocols = submission
hostname = localhost
listen = 127.0.0.1
first_valid_uid = 1
auth_verbose = yes
# A refused login is not made to wait, nor is the next one from the same address.
auth_failure_delay = 0
# Ten is the default; Dovecot 2.4.1 falls over its own refusal of the next one.
mail_max_userip_connections = {connections_max}
auth_mechanisms = {mechanisms}
auth_krb5_keytab = {keytab}
auth_gssapi_hostname = "$ALL"
auth_ssl_username_from_cert = yes
submission_relay_host = 127.0.0.1
submission_relay_port = {next_port}
{varying}
service submission-login {{
  inet_listener submission {{
    port = {submission}
  }}
  inet_listener submissions {{
    port = {smtps}
    ssl = yes
  }}
}}
service anvil {{
  chroot =
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
service stats {{
  chroot =
}}
'''

VERSION_2_3 = '''\
import_environment = KRB5_CONFIG={krb5_config}
ssl = required
ssl_cert = <{certificate}
ssl_key = <{key}
ssl_ca = <{clients}
ssl_verify_client_cert = yes
ssl_require_crl = no
ssl_cert_username_field = commonName
mail_location = maildir:{directory}/mail/%u
passdb {{
  driver = static
  mechanisms = external gssapi
  args = nopassword=y
}}
passdb {{
  driver = oauth2
  mechanisms = xoauth2 oauthbearer
  args = {directory}/oauth2.conf
}}
passdb {{
  driver = passwd-file
  args = scheme=PLAIN username_format=%u {directory}/users
}}
userdb {{
  driver = static
  args = uid={uid} gid={gid} home={directory}/mail/%u
}}
'''

OAUTH2_2_3 = '''\
introspection_mode = local
local_validation_key_dict = fs:posix:prefix={directory}/keys/
username_attribute = email
issuers = https://identity.example.org/
'''

VERSION_2_4 = '''\
import_environment {{
  KRB5_CONFIG = {krb5_config}
}}
ssl = required
ssl_server_cert_file = {certificate}
ssl_server_key_file = {key}
ssl_server_ca_file = {clients}
ssl_server_request_client_cert = yes
ssl_server_require_crl = no
ssl_server_cert_username_field = commonName
mail_driver = maildir
mail_path = {directory}/mail/%{{user}}
passdb static {{
  mechanisms_filter = external gssapi
  fields {{
    nopassword = yes
  }}
}}
oauth2 {{
  introspection_mode = local
  username_attribute = email
  issuers = https://identity.example.org/
}}
oauth2_local_validation {{
  dict fs {{
    fs posix {{
      prefix = {directory}/keys/
    }}
  }}
}}
passdb oauth2 {{
  mechanisms_filter = xoauth2 oauthbearer
}}
passdb passwd-file {{
  passwd_file_path = {directory}/users
  default_password_scheme = PLAIN
}}
userdb static {{
  fields {{
    uid = {uid}
    gid = {gid}
    home = {directory}/mail/%{{user}}
  }}
}}
'''

MECHANISMS = ('PLAIN', 'LOGIN', 'CRAM-MD5', 'DIGEST-MD5', 'SCRAM-SHA-1', 'SCRAM-SHA-256',
              'XOAUTH2', 'OAUTHBEARER', 'EXTERNAL')
# With TLS's channel binding; Dovecot 2.3 has none.
MECHANISMS_2_4 = ('SCRAM-SHA-1-PLUS', 'SCRAM-SHA-256-PLUS')

# What signs the tokens; a provider would use a key pair, and to a client both look the same.
SIGNING_KEY = b'a key of this test and of nothing else'


class DovecotSubmission:
    """users: {login: password}; clients: a Certificate that clients may show for EXTERNAL.
    connections_max: at one time, of one user from one address."""

    def __init__(self, stage, certificate, users, next_port, clients=None, kerberos=None,
                 connections_max=100):
        new = version() >= (2, 4)
        self.mechanisms = (*MECHANISMS, *(MECHANISMS_2_4 if new else ()),
                           *(('GSSAPI',) if kerberos else ()))
        self.ports = {'submission': stage.port(), 'smtps': stage.port()}
        self.port = self.ports['submission']
        self.directory = stage.subdirectory('dovecot-submission')
        self.log = os.path.join(self.directory, 'maillog')
        self._write_files(stage, users)
        user = pwd.getpwnam('mail')
        mail = stage.subdirectory('dovecot-submission/mail')
        shutil.chown(mail, user.pw_uid, user.pw_gid)
        values = {
            'directory': self.directory, 'log': self.log, 'uid': user.pw_uid, 'gid': user.pw_gid,
            'certificate': certificate.certificate, 'key': certificate.key,
            'clients': (clients or certificate).certificate, 'next_port': next_port, **self.ports,
            'mechanisms': ' '.join(self.mechanisms).lower(),
            'connections_max': connections_max,
            'keytab': kerberos.keytab if kerberos else '/nonexistent',
            'krb5_config': kerberos.env['KRB5_CONFIG'] if kerberos else '/nonexistent',
            'head': 'dovecot_config_version = 2.4.0\ndovecot_storage_version = 2.4.0'
                    if new else '',
        }
        values['varying'] = (VERSION_2_4 if new else VERSION_2_3).format(**values)
        configuration = stage.write(os.path.join(self.directory, 'dovecot.conf'),
                                    COMMON.format(**values))
        self.process = stage.start(['/usr/sbin/dovecot', '-F', '-c', configuration],
                                   os.path.join(self.directory, 'dovecot.out'))
        wait_for(lambda: all(map(accepts, self.ports.values())) or not self.process.running(),
                 'Dovecot listens')
        if not self.process.running():
            raise Failure('Dovecot does not start: ' + self.process.text() + self.maillog())

    def _write_files(self, stage, users):
        write, directory = stage.write, self.directory
        write(self.log, '', 0o666)
        write(os.path.join(directory, 'users'), ''.join(
            f'{login}:{{PLAIN}}{password}\n' for login, password in users.items()))
        write(os.path.join(directory, 'oauth2.conf'), OAUTH2_2_3.format(directory=directory))
        # Where Dovecot looks for a key: issuer's party, algorithm, name of the key.
        keys = os.path.join(directory, 'keys', 'default', 'HS256')
        os.makedirs(keys)
        write(os.path.join(keys, 'default'), base64.b64encode(SIGNING_KEY))

    def maillog(self):
        with open(self.log, errors='replace') as stream:
            return stream.read()

    def login_lines(self, mechanism):
        """The log lines of logins with the mechanism."""
        return re.findall(rf'^.*submission-login: .*Log(?:in|ged in): user=<.*method={mechanism},.*$',
                          self.maillog(), re.MULTILINE)


def token(login, seconds=3600, key=SIGNING_KEY):
    """An access token (RFC 7519) for the login, good for so many seconds."""
    now = int(time.time())
    claims = {'email': login, 'sub': login, 'iss': 'https://identity.example.org/',
              'iat': now - 10, 'exp': now + seconds}
    text = encode(json.dumps({'alg': 'HS256', 'typ': 'JWT'}).encode()) + b'.' + encode(
        json.dumps(claims).encode())
    return (text + b'.' + encode(hmac.new(key, text, hashlib.sha256).digest())).decode()


def encode(data):
    return base64.urlsafe_b64encode(data).rstrip(b'=')
