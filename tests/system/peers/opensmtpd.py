# SPDX-License-Identifier: MIT
"""An OpenSMTPD of our own in a root directory of its own (peers.jail). Whoever signs in may relay; all
mail goes on to `next_port` on 127.0.0.1. It knows PLAIN and LOGIN alone.
"""
import re

from peers.jail import Jail
from peers.stage import Failure, accepts, run, wait_for

CONFIGURATION = '''\
pki localhost cert "/etc/smtpd/cert.pem"
pki localhost key "/etc/smtpd/key.pem"
table users file:/etc/smtpd/users
listen on 127.0.0.1 port {submission} tls-require pki localhost hostname opensmtpd.test auth <users>
listen on 127.0.0.1 port {smtps} smtps pki localhost hostname opensmtpd.test auth <users>
action "onward" relay host "smtp://127.0.0.1:{next_port}"
match auth from any for any action "onward"
'''


class OpenSmtpd:
    """users: {login: password}"""

    def __init__(self, stage, certificate, users, next_port):
        self.ports = {'submission': stage.port(), 'smtps': stage.port()}
        self.port = self.ports['submission']
        self.jail = Jail(stage, 'opensmtpd', ['opensmtpd', 'opensmtpq'])
        self.jail.directory('var/spool/smtpd', mode=0o711)
        self.jail.directory('var/lib/opensmtpd/empty')
        self.jail.write('etc/mailname', 'opensmtpd.test\n')
        self.jail.write('etc/aliases', '')
        # It wants authorities for servers of its own, and starts without them no more.
        for name, path in (('smtpd/cert.pem', certificate.certificate),
                           ('smtpd/key.pem', certificate.key),
                           ('ssl/certs/ca-certificates.crt', certificate.certificate)):
            with open(path, 'rb') as stream:
                self.jail.write(f'etc/{name}', stream.read(), 0o600)
        self.jail.write('etc/smtpd/users', ''.join(
            f'{login} {crypt(password)}\n' for login, password in users.items()))
        self.jail.write('etc/smtpd.conf', CONFIGURATION.format(next_port=next_port, **self.ports))
        # -d stays in the foreground and logs to standard error.
        self.process = self.jail.start(['/usr/sbin/smtpd', '-d', '-f', '/etc/smtpd.conf'])
        wait_for(lambda: all(map(accepts, self.ports.values())) or not self.process.running(),
                 'OpenSMTPD listens')
        if not self.process.running():
            raise Failure('OpenSMTPD does not start: ' + self.process.text())

    def maillog(self):
        return self.process.text()

    def login_lines(self, login):
        """The log lines of successful logins; OpenSMTPD does not name the mechanism."""
        return re.findall(rf'^.*smtp authentication user={re.escape(login)} .*result=ok.*$',
                          self.maillog(), re.MULTILINE)


def crypt(password):
    made = run(['openssl', 'passwd', '-6', '-stdin'], stdin=password + '\n')
    if made.returncode != 0:
        raise Failure('openssl passwd: ' + made.stderr.decode())
    return made.stdout.decode().strip()
